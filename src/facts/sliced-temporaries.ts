import {
  aggregateOf,
  calledName,
  declaredTypeOf,
  hasAttribute,
  initOf,
  isTypeParameter,
  memberPath,
  subjectOf,
} from './d-code.js';
import type { UnitFacts } from './unit.js';
import { walkBody } from '../model/walk-body.js';
import { digestType } from '../flow/builtin-types.js';
import { withoutAlias } from '../flow/types.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

export interface SlicedTemporary {
  /** The function whose result is sliced. */
  readonly call: string;
  readonly span: Span;
}

/**
 * D: results that a function returns by value and that are taken as slices at once, so that the slice shows a temporary: a static
 * array (`int[] a = digest();`, `list = digest()[]`, `string s = toHexString(md5Of(x));`), and a struct that frees its memory in
 * its destructor (`auto v = make()[];`, `foreach (x; make()[])`).
 */
export function findSlicedTemporaries(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly SlicedTemporary[] {
  const found: SlicedTemporary[] = [];
  if (fn.body === undefined) return found;
  const oracle = unit.oracle('d');
  const judge = (given: Expr, target: TypeRef | undefined): void => {
    if (given.kind === 'array' && given.keys === undefined) {
      const item = withoutAlias(target, oracle, file.path)?.element;
      for (const value of given.items) judge(value, item);
      return;
    }
    // `ubyte[5] start = sha1Of(x)[0 .. 5];` copies the elements.
    if (withoutAlias(target, oracle, file.path)?.kind === 'static-array') return;
    const lent = lentByTemporary(unit, file, fn, given) ?? lentByCast(unit, file, fn, given);
    if (lent !== undefined) found.push({ call: lent, span: given.span });
    const value = given.kind === 'cast' && isSlice(given.type) ? given.value : given;
    const isSliced = value.kind === 'slice' || value !== given;
    const base = value.kind === 'slice' ? value.base : value;
    const call = nameOfCall(base);
    if (call === undefined) return;
    const type = resultOf(unit, file, fn, base);
    const isShown =
      type?.kind === 'static-array'
        ? isSliced || isSlice(withoutAlias(target, oracle, file.path))
        : value.kind === 'slice' && value.from === undefined && ownsWhatItShows(unit, type, file.path);
    if (isShown) found.push({ call, span: given.span });
  };
  walkBody(fn.body, ({ expr, around, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.isStatic !== true)
      judge(expr, statement.type);
    if (expr.kind === 'loop' && expr.form === 'foreach' && expr.isStatic !== true && expr.iterable !== undefined)
      if (expr.iterable.kind === 'slice' && resultOf(unit, file, fn, expr.iterable.base)?.kind !== 'static-array')
        judge(expr.iterable, undefined);
    if (expr.kind === 'return' && expr.value !== undefined && isSlice(fn.returns)) judge(expr.value, fn.returns);
    // `a[] = f()[]` copies the elements.
    if (expr.kind !== 'assign' || expr.operator !== '=' || expr.target.kind === 'slice') return;
    if (around.some((outer) => outer.kind !== 'block' && outer.kind !== 'if' && outer.kind !== 'loop')) return;
    const name = memberPath(expr.target);
    const type = name === undefined ? undefined : declaredTypeOf(file, fn, name);
    if (isSlice(type)) judge(expr.value, type);
  });
  const { result } = fn.body;
  if (result !== undefined && isSlice(fn.returns)) judge(result, fn.returns);
  return found;
}

/**
 * A pointer or slice that a method marked `return` gives of a temporary with a destructor: `auto e = List().front;`. The mark says that
 * the result is no longer good when the struct is gone.
 */
function lentByTemporary(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr): string | undefined {
  if (value.kind !== 'field' && value.kind !== 'method') return undefined;
  const [base, name] = value.kind === 'field' ? [value.base, value.name] : [value.receiver, value.method];
  if (base.kind !== 'call') return undefined;
  const made = nameOfCall(base);
  const oracle = unit.oracle('d');
  const type =
    made !== undefined && oracle.declaration(made, file.path)?.kind === 'struct'
      ? made
      : resultOf(unit, file, fn, base)?.name;
  const method = type === undefined ? undefined : oracle.method(type, name, file.path);
  if (type === undefined || method === undefined || !hasAttribute(method.fn, 'return')) return undefined;
  const { returns } = method.fn;
  if (method.fn.returnsRef === true || (returns?.kind !== 'pointer' && returns?.kind !== 'slice')) return undefined;
  return destructorsOf(unit, type).length > 0 ? name : undefined;
}

/** A pointer or slice that `opCast` gives of a temporary that frees in its destructor: `auto p = cast(const(char)*) textOf(key);`. */
function lentByCast(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr): string | undefined {
  if (value.kind !== 'cast' || (value.type.kind !== 'pointer' && value.type.kind !== 'slice')) return undefined;
  const made = nameOfCall(value.value);
  if (made === undefined) return undefined;
  const oracle = unit.oracle('d');
  const isLiteral = value.value.kind === 'call' && oracle.declaration(made, file.path)?.kind === 'struct';
  const type = isLiteral ? made : resultOf(unit, file, fn, value.value)?.name;
  return type !== undefined && castsToPointer(unit, type, file.path) ? made : undefined;
}

/** Whether the struct frees in its destructor and has an `opCast` that is a template of any type, or one for pointers. */
function castsToPointer(unit: UnitFacts, type: string, path: string): boolean {
  const oracle = unit.oracle('d');
  if (type === '' || oracle.declaration(type, path)?.kind !== 'struct') return false;
  return (
    oracle
      .methods(type, 'opCast', path)
      .some(({ fn }) => !/^(?:bool|u?int|u?long|float|double)$/u.test(fn.returns?.name ?? '')) &&
    destructorsOf(unit, type).some(({ text }) => RELEASES.test(text))
  );
}

/** Words by which a destructor releases what the struct holds. */
const RELEASES = /\b(?:free|pureFree|dispose|deallocate|\w*(?:_free|_destroy|_release|_unref))\b/u;

/** The destructors that structs of that name have, each with the source of its file. */
function destructorsOf(unit: UnitFacts, name: string): readonly { readonly text: string }[] {
  return unit.typesNamed(name, 'd').flatMap(({ file, item }) =>
    file.functions
      .filter((fn) => fn.kind === 'destructor' && fn.owner === name)
      .filter((fn) => item.span.start <= fn.span.start && fn.span.end <= item.span.end)
      .map((fn) => ({ text: (unit.textOf(file.path) ?? '').slice(fn.span.start, fn.span.end) })),
  );
}

/** Words of which one stands in a function that takes a digest's text as a slice. */
export const DIGEST_TEXT = /\btoHexString\b/u;

/** The head of a function that returns a static array. */
export const RETURNS_ARRAY = /^[^(){};=]*\w\[\w+\]\s+\w+\s*\(/u;

/** Names of the functions of a file that return a static array or a struct by value, to look for their callers beside them. */
export function lendersOf(unit: UnitFacts, file: FileIr): readonly string[] {
  const oracle = unit.oracle('d');
  return file.functions
    .filter((fn) => {
      // Closures and operators are not called by their names.
      if (!/^\w+$/u.test(fn.name) || /^op[A-Z]/u.test(fn.name)) return false;
      const type = fn.returnsRef === true ? undefined : withoutAlias(fn.returns, oracle, file.path);
      return type?.kind === 'static-array' || (type?.kind === 'path' && castsToPointer(unit, type.name, file.path));
    })
    .map((fn) => fn.name);
}

function isSlice(type: TypeRef | undefined): boolean {
  return type?.kind === 'slice';
}

function nameOfCall(value: Expr): string | undefined {
  return value.kind === 'call' || value.kind === 'method' ? calledName(value) : undefined;
}

/** What a call returns by value, when that is declared in the unit or is a digest; undefined for references and templates. */
function resultOf(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr, depth = 0): TypeRef | undefined {
  const name = nameOfCall(value);
  if (name === undefined) return undefined;
  const oracle = unit.oracle('d');
  if (name === 'toHexString') {
    const given = subjectOf(value);
    const digest = given === undefined ? undefined : valueType(unit, file, fn, given, depth);
    return digest?.kind === 'static-array' ? digest : undefined;
  }
  const receiver = value.kind === 'method' ? valueType(unit, file, fn, value.receiver, depth) : undefined;
  // A digest that a template is given is one of the structs, whose `finish` returns a static array.
  const isOpen =
    receiver?.kind === 'path' && /Digest|Hash/u.test(receiver.name) && isTypeParameter(file, fn, receiver.name);
  const digest = digestType(name, isOpen ? { ...receiver, name: 'HMAC' } : receiver, value.span);
  if (digest !== undefined) return digest;
  const called =
    value.kind === 'method'
      ? receiver?.kind === 'path'
        ? (oracle.method(receiver.name, name, file.path) ?? oracle.freeFunction(name, file.path))
        : oracle.freeFunction(name, file.path)
      : value.kind === 'call' && value.callee.kind === 'name'
        ? (methodAround(unit, file, fn, name) ?? oracle.freeFunction(name, file.path))
        : undefined;
  const isKnown = called !== undefined && called.fn.returnsRef !== true && called.fn.generics.length === 0;
  return isKnown ? withoutAlias(called.fn.returns, oracle, called.path) : undefined;
}

function methodAround(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  name: string,
): { readonly path: string; readonly fn: FunctionIr } | undefined {
  const owner = aggregateOf(file, fn)?.name;
  return owner === undefined ? undefined : unit.oracle('d').method(owner, name, file.path);
}

/** The type of a variable with a written type or a call for a start, and of a call. */
function valueType(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr, depth = 0): TypeRef | undefined {
  const name = memberPath(value);
  if (name === undefined) return resultOf(unit, file, fn, value, depth + 1);
  const written = declaredTypeOf(file, fn, name);
  if (written !== undefined || depth > 4) return written;
  const init = initOf(fn, name);
  return init === undefined ? undefined : valueType(unit, file, fn, init, depth + 1);
}

/** A struct of the unit with a destructor that frees, and an `opSlice` that returns a slice. */
function ownsWhatItShows(unit: UnitFacts, type: TypeRef | undefined, path: string): boolean {
  if (type?.kind !== 'path' || unit.oracle('d').declaration(type.name, path)?.kind !== 'struct') return false;
  const opSlice =
    unit.oracle('d').method(type.name, 'opSlice', path) ?? unit.oracle('d').method(type.name, 'opIndex', path);
  if (opSlice?.fn.returns?.kind !== 'slice' || opSlice.fn.params.length > 0) return false;
  return destructorsOf(unit, type.name).some(({ text }) => RELEASES.test(text));
}
