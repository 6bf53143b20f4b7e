import type { Block, Expr, ExprOf, FileIr, FunctionIr, Param, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { callbackOf } from './callback-data.js';
import { layoutsDiffer } from './layouts.js';
import { LocalVariables } from './local-variables.js';
import { boxedBy, rawMakerOf } from './value-types.js';
import type { UnitFacts } from './unit.js';

/** A block that a callback frees as another type than the one it was made of. */
export interface FreedAs {
  readonly callee: string;
  readonly call: Span;
  readonly callback: FunctionIr;
  /** Absent where the owners differ already. */
  readonly content?: { readonly from: TypeRef; readonly to: TypeRef };
  readonly made: Span;
  readonly how: string;
  readonly taken: Span;
  readonly by: string;
}

/** Memory of Rust's allocator that a callback gives to the C library to free. */
export interface FreedByLibrary {
  readonly how: string;
  readonly made: Span;
  readonly release: string;
  readonly freed: Span;
}

const VOID = /^(?:c_void|void|gpointer)$/u;

/** A callback that is handed over together with the untyped pointers that it will be given, in the order of its parameters. */
interface Registration {
  /** What takes them: a function, or the struct that keeps them. */
  readonly taker: string;
  readonly span: Span;
  readonly callback: FunctionIr;
  readonly named: ExprOf<'name'>;
  /** By the callback's untyped parameters. */
  readonly given: ReadonlyMap<string, Expr>;
}

/** Callbacks of the file that a function hands over, to foreign code or in a field beside the pointer that is to be freed. */
function registrationsIn(
  unit: UnitFacts,
  file: FileIr,
  body: Block,
  owner: string | undefined,
  variables: LocalVariables,
): readonly Registration[] {
  const found: Registration[] = [];
  const add = (taker: string, span: Span, callbacks: readonly Expr[], given: readonly Expr[]): void => {
    for (const value of callbacks) {
      const named = callbackOf(value, variables);
      const callback =
        named && file.functions.find((f) => f.name === named.path.at(-1) && f.abi !== undefined && f.bodySpan);
      if (!callback) continue;
      const untyped = callback.params.filter(({ type }) => isUntyped(type));
      if (untyped.length !== given.length) continue;
      const pairs = untyped.flatMap(({ name }, at): [string, Expr][] => {
        const one = given[at];
        return name !== undefined && one ? [[name, one]] : [];
      });
      found.push({ taker, span, callback, named, given: new Map(pairs) });
    }
  };
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'call' && expr.callee.kind === 'name' && expr.args.length > 1) {
      const callee = expr.callee.path.at(-1) ?? '';
      const values = expr.args.map(({ value }) => value);
      if (!values.some((value) => callbackOf(value, variables))) return;
      const declared = file.functions.find((f) => f.name === callee && f.abi !== undefined && f.bodySpan === undefined);
      const given = values.filter((value, at) => {
        const type = declared?.params[at]?.type;
        return type ? isUntyped(type) : isPointer(value, variables);
      });
      add(expr.callee.path.join('::'), expr.span, values, given);
    } else if (expr.kind === 'struct' && expr.fields.length > 1) {
      const name = expr.type.name === 'Self' ? (owner ?? '') : expr.type.name;
      const decl = unit.oracle('rust').declaration(name, file.path);
      const typeOf = (field: string): TypeRef | undefined => decl?.fields.find((f) => f.name === field)?.type;
      const callbacks = expr.fields.filter(({ name: field }) => RELEASES.test(field));
      // An allocator's functions are given what it handed out, and of two releases one ends something else.
      if (callbacks.length !== 1 || expr.fields.some(({ name: field }) => ALLOCATES.test(field))) return;
      const given = expr.fields.filter(({ name: field }) => isUntyped(typeOf(field)));
      add(
        name,
        expr.span,
        callbacks.map(({ value }) => value),
        given.map(({ value }) => value),
      );
    }
  });
  return found;
}

/** Fields and functions that are of an allocator. */
const ALLOCATES = /(?:^|_)(?:m|re|c)?alloc(?:ate|ation|ator)?(?:_|$)/u;

/** Fields whose function ends what lies beside it. */
const RELEASES = /(?:^|_)(?:release|free|drop|destroy|dtor|destructor|deleter?|dispose|finali[sz]er?|cleanup)(?:_|$)/u;

/**
 * A foreign call that is given a function of the file and as many untyped pointers as that function takes, in the same order, or a struct
 * that keeps both: what the function takes over by `from_raw` is compared with what the pointer was made of.
 */
export function findFreedAs(unit: UnitFacts, file: FileIr, fn: FunctionIr): FreedAs | undefined {
  if (!fn.body || fn.isTest || fn.kind === 'closure') return undefined;
  const variables = new LocalVariables(fn.body);
  const oracle = unit.oracle('rust');
  for (const { taker, span, callback, named, given } of registrationsIn(unit, file, fn.body, fn.owner, variables))
    for (const taken of takenBy(unit, file, callback)) {
      const data = given.get(taken.param);
      const maker = rawMakerOf(data, variables);
      if (!maker || taken.owner === undefined) continue;
      const ends = {
        callee: taker,
        call: span,
        callback,
        made: maker.span,
        how: maker.how,
        taken: taken.span,
        by: taken.how,
      };
      if (maker.owner !== taken.owner) {
        // The library may hand them over in another order.
        const others = [...given.values()].filter((one) => one !== data);
        if (others.some((one) => rawMakerOf(one, variables)?.owner === taken.owner)) continue;
        return ends;
      }
      const made = taken.type && boxedBy(data, { fn, variables, oracle, path: file.path });
      if (!made || !taken.type) continue;
      const parameters = callback.generics.filter((g) => !g.name.startsWith("'")).map((g) => g.name);
      const index = taken.type.kind === 'path' ? parameters.indexOf(taken.type.name) : -1;
      const to = index < 0 ? taken.type : named.typeArgs?.[index];
      if (to && layoutsDiffer(made.content, to, oracle, file.path))
        return { ...ends, content: { from: made.content, to } };
    }
  return undefined;
}

/** A callback that gives its data to the C library to free, where a function of the file made the data by Rust's allocator. */
export function findFreedByLibrary(unit: UnitFacts, file: FileIr, callback: FunctionIr): FreedByLibrary | undefined {
  if (callback.abi === undefined || !callback.bodySpan || callback.isTest) return undefined;
  const takens = takenBy(unit, file, callback).filter(({ owner }) => owner === undefined);
  if (takens.length === 0) return undefined;
  const registers = new RegExp(String.raw`\b${callback.name}\b(?!\s*\()`, 'u');
  const isMaker = (fn: FunctionIr): boolean =>
    fn.bodySpan !== undefined && !fn.isTest && unit.holds(file, fn, ['into_raw']) && unit.holds(file, fn, [registers]);
  if (!file.functions.some(isMaker)) return undefined;
  for (const { body, owner } of unit.withBodies(file, isMaker).functions.filter(isMaker)) {
    if (!body) continue;
    const variables = new LocalVariables(body);
    for (const one of registrationsIn(unit, file, body, owner, variables))
      for (const taken of one.callback.name === callback.name && !ALLOCATES.test(one.taker) ? takens : []) {
        const maker = rawMakerOf(one.given.get(taken.param), variables);
        if (maker) return { how: maker.how, made: maker.span, release: taken.how, freed: taken.span };
      }
  }
  return undefined;
}

/**
 * An exported function that gives a text to the C library to free, where the file hands such texts out by `CString::into_raw`, and
 * neither takes them back nor makes any by another allocator.
 */
export function findFreedText(unit: UnitFacts, file: FileIr, fn: FunctionIr): FreedByLibrary | undefined {
  if (fn.abi === undefined || !fn.bodySpan || fn.isTest || !fn.isPublic || fn.params.length !== 1) return undefined;
  const [param] = fn.params;
  const { type } = param ?? {};
  if (type?.kind !== 'pointer' || type.element?.name !== 'c_char') return undefined;
  const text = unit.textOf(file.path) ?? '';
  const made = TEXT_OUT.exec(text);
  if (!made) return undefined;
  const taken = takenBy(unit, file, fn).find((t) => t.owner === undefined && t.param === param?.name);
  if (!taken) return undefined;
  // Texts of other allocators may go the same way, and what goes out may be meant for somebody else.
  if (unit.pathsOf('rust').some((path) => OTHER_TEXTS.test(unit.textOf(path) ?? ''))) return undefined;
  // A callback is given texts of somebody else.
  if (!isExported(fn)) return undefined;
  const isOut = ({ type: of }: Param): boolean => of?.kind === 'pointer' && of.element?.kind === 'pointer';
  const isGivenOut = file.functions.some(
    (f) =>
      f.abi !== undefined &&
      f.bodySpan &&
      !f.isTest &&
      isAround(f.bodySpan, made.index) &&
      (f.returns?.kind === 'pointer' || f.params.some(isOut)),
  );
  if (!isGivenOut) return undefined;
  const end = made.index + made[0].length;
  return {
    how: 'CString::into_raw',
    made: { start: end - (made[1] ?? '').length, end },
    release: taken.how,
    freed: taken.span,
  };
}

/** `CString::new(..).unwrap().into_raw()` and `CString::into_raw(..)`. */
const TEXT_OUT = /\bCString\s*::\s*(?:new\b[^;{}]*?(?:\{\}[^;{}]*?)*?\.\s*(into_raw\s*\()|(into_raw\s*\())/u;
/** Texts that come back to Rust, or that the C library or other foreign code allocates. */
const OTHER_TEXTS =
  /\bCString\s*::\s*from_raw\b|\b(?:malloc|calloc|realloc|strn?dup|asprintf|posix_memalign)\s*\(|\bfn\s+\w+\s*\([^)]*\)\s*->\s*\*\s*(?:mut|const)\s+(?:\w+\s*::\s*)*c_char\s*;/u;

function isExported({ attributes }: FunctionIr): boolean {
  return attributes.some(({ name, args = '' }) => /no_mangle|export_name/u.test(`${name} ${args}`));
}

function isAround({ start, end }: Span, offset: number): boolean {
  return start <= offset && offset < end;
}

interface Taken {
  readonly param: string;
  /** Absent when the C library frees it. */
  readonly owner?: string;
  readonly type?: TypeRef;
  readonly how: string;
  readonly span: Span;
}

/** `Box::from_raw(data as *mut T)` and `libc::free(data)` of the parameters of a callback, with the type that a cast names. */
function takenBy(unit: UnitFacts, file: FileIr, callback: FunctionIr): readonly Taken[] {
  const whole = callback.body
    ? callback
    : unit.withBodies(file, (f) => f.id === callback.id).functions.find((f) => f.id === callback.id);
  if (!whole?.body) return [];
  const variables = new LocalVariables(whole.body);
  const found: Taken[] = [];
  walkBody(whole.body, ({ expr }) => {
    if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const how = expr.callee.path.join('::');
    const [, owner] = /(?:^|::)(Box|Rc|Arc)::(?:from_raw|decrement_strong_count)$/u.exec(how) ?? [];
    if (owner === undefined && how !== 'libc::free') return;
    let inner: Expr | undefined = expr.args[0]?.value;
    let type = expr.callee.typeArgs?.[0];
    for (let depth = 0; inner && depth < 6; depth++) {
      if (inner.kind === 'cast') {
        if (inner.type.kind === 'pointer' && !isUntyped(inner.type)) type ??= inner.type.element;
        inner = inner.value;
      } else if (inner.kind === 'method' && inner.method === 'cast') {
        type ??= inner.typeArgs[0];
        inner = inner.receiver;
      } else if (inner.kind === 'name' && inner.path.length === 1) {
        const init: Expr | undefined = variables.at(inner)?.init;
        if (!init) break;
        inner = init;
      } else break;
    }
    if (inner?.kind !== 'name' || inner.path.length !== 1) return;
    found.push({
      param: inner.path[0] ?? '',
      ...(owner === undefined ? {} : { owner }),
      ...(type && type.kind !== 'unknown' && type.name !== '_' ? { type } : {}),
      how,
      span: expr.span,
    });
  });
  return found;
}

function isUntyped(type: TypeRef | undefined): boolean {
  return type?.kind === 'pointer' && VOID.test(type.element?.name ?? '');
}

/** Whether an argument is written as a pointer: a null one, a cast, or a variable of one of these. */
function isPointer(expr: Expr, variables: LocalVariables, depth = 0): boolean {
  if (depth > 5) return false;
  switch (expr.kind) {
    case 'cast':
      return expr.type.kind === 'pointer';
    case 'call':
      return expr.callee.kind === 'name' && /^(?:null|null_mut|into_raw)$/u.test(expr.callee.path.at(-1) ?? '');
    case 'method':
      return /^(?:cast|cast_mut|as_ptr|as_mut_ptr)$/u.test(expr.method);
    case 'name': {
      const init = variables.at(expr)?.init;
      return init !== undefined && isPointer(init, variables, depth + 1);
    }
    default:
      return false;
  }
}
