import {
  aggregateOf,
  boundNames,
  calledName,
  declaredTypeOf,
  hasAttribute,
  hasBody,
  isComparison,
  isMentioned,
  memberPath,
  onlyInitOf,
  uncast,
  walkDeep,
} from './d-code.js';
import type { UnitFacts } from './unit.js';
import { SCALAR, withoutAlias } from '../flow/types.js';
import { walkExpression } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, Param, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';

/** Something that safe code can get wrong by what it gives to a trusted function. */
export interface UnsoundInterface {
  readonly kind: 'foreign' | 'called' | 'pointer' | 'index' | 'address';
  readonly param: string;
  readonly span: Span;
}

const INTEGERS = /^(?:u?int|u?long|u?short|size_t|ptrdiff_t|u?int\d+_t)$/u;

/** A pointer to numbers, characters or anything, which says nothing of how many there are. */
function isBarePointer(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'pointer' || type.element?.kind !== 'path') return false;
  const { name } = type.element;
  return name === 'void' || SCALAR.test(name) || INTEGERS.test(name);
}

/**
 * D: what makes the signature of a trusted function a promise that it cannot keep: a pointer with no length that the compiler checks, a delegate that may do
 * anything, an index or address that is used as it comes. Templates, and functions that only their own type can call, are left out.
 */
export function unsoundInterface(unit: UnitFacts, file: FileIr, fn: FunctionIr): UnsoundInterface | undefined {
  if (fn.trust !== 'trusted' || fn.kind === 'closure' || fn.parent !== undefined || fn.isTest) return undefined;
  if (fn.abi !== undefined && fn.abi !== 'D' && fn.bodySpan === undefined) {
    // A pointer to one number is safe to give; text goes on to its terminator, and a number behind is how many there are.
    const param = fn.params.find(({ type }, at) => {
      const next = fn.params[at + 1]?.type;
      const isCounted = next?.kind === 'path' && INTEGERS.test(next.name);
      const isText =
        /^[wd]?char$/u.test(type?.element?.name ?? '') && /\b(?:const|immutable)\b/u.test(type?.text ?? '');
      return isBarePointer(type) && (isCounted || isText);
    });
    if (param === undefined || !fn.isPublic) return undefined;
    return { kind: 'foreign', param: param.name === '' ? (param.type?.text ?? '') : param.name, span: param.span };
  }
  if (!hasBody(fn) || !fn.isPublic) return undefined;
  // A callback has the signature that its library wants.
  if (fn.abi !== undefined && fn.abi !== 'D') return undefined;
  // What a template is given by `alias` is code of the caller's. That for a `lazy` parameter is checked where it is written.
  const head = (unit.textOf(file.path) ?? '').slice(fn.span.start, fn.body.span.start);
  for (const { name } of fn.generics) {
    const span = new RegExp(`\\balias\\s+${name}\\b`, 'u').test(head) ? calledAt(file, fn, name) : undefined;
    if (span !== undefined) return { kind: 'called', param: name, span };
  }
  if (fn.generics.length > 0) return undefined;
  // What it overrides says what it is given.
  if (fn.kind === 'destructor' || fn.kind === 'postblit' || hasAttribute(fn, 'override')) return undefined;
  const oracle = unit.oracle('d');
  for (const param of fn.params) {
    const type = withoutAlias(param.type, oracle, file.path);
    if (type?.kind === 'delegate' || type?.kind === 'function') {
      const written = `${param.type?.text ?? ''} ${type.text}`;
      const span = /@(?:safe|trusted)\b/u.test(written) ? undefined : calledAt(file, fn, param.name);
      if (span !== undefined) return { kind: 'called', param: param.name, span };
    }
    if (isBarePointer(type)) {
      const span = walkedAt(file, fn, param);
      if (span !== undefined) return { kind: 'pointer', param: param.name, span };
    }
    if (type?.kind === 'path' && INTEGERS.test(type.name)) {
      const used = unaskedAt(file, fn, param.name);
      if (used !== undefined) return { kind: used.kind, param: param.name, span: used.span };
    }
  }
  return undefined;
}

/** Where a function calls its parameter. */
function calledAt(file: FileIr, fn: FunctionIr, name: string): Span | undefined {
  let span: Span | undefined;
  walkDeep(file, fn, ({ expr }) => {
    if (expr.kind === 'call' && memberPath(expr.callee) === name) span ??= expr.span;
  });
  return span;
}

/** Functions that go on from a pointer to a terminator, as far as they are told, or to the whole block. */
const READS_ON = /^(?:strlen|fromStringz|free|realloc|strcmp|strcpy|atoi|puts|memcpy|memmove|memcmp|memset)$/u;

/** Where a function reads further than the one element that a pointer is sure to have: `p[i]`, `p[0 .. n]`, `cast(T*) p`, `strlen(p)`, `free(p)`. */
function walkedAt(file: FileIr, fn: FunctionIr, { name }: Param): Span | undefined {
  let span: Span | undefined;
  const isIt = (expr: Expr): boolean => {
    const shown = uncast(expr);
    return shown.kind === 'name' && shown.path.length === 1 && shown.path[0] === name;
  };
  walkDeep(file, fn, ({ expr, around }) => {
    if (span !== undefined) return;
    if (expr.kind === 'index' && isIt(expr.base) && !(expr.index.kind === 'literal' && expr.index.text === '0'))
      span = expr.span;
    if (expr.kind === 'slice' && isIt(expr.base)) span = expr.span;
    if (expr.kind === 'deref' && expr.base.kind === 'cast' && isIt(expr.base)) span = expr.span;
    if (expr.kind === 'field' && expr.base.kind === 'cast' && isIt(expr.base) && around.at(-1)?.kind !== 'address')
      span = expr.span;
    if (expr.kind === 'call' && READS_ON.test(calledName(expr) ?? '') && expr.args.some(({ value }) => isIt(value)))
      span = expr.span;
    if (expr.kind === 'method' && isIt(expr.receiver) && expr.method === 'fromStringz') span = expr.span;
  });
  return span;
}

/** `i % n`, `i & mask`: kept in range. */
function isReduced(index: Expr): boolean {
  let is = false;
  walkExpression(index, ({ expr }) => {
    is ||= expr.kind === 'binary' && (expr.operator === '%' || expr.operator === '&');
  });
  return is;
}

/** Where a number of the caller's is an index into bare memory, or an address, and nothing in the function asks what it is. */
function unaskedAt(
  file: FileIr,
  fn: FunctionIr,
  name: string,
): { readonly kind: 'index' | 'address'; readonly span: Span } | undefined {
  let found: { kind: 'index' | 'address'; span: Span } | undefined;
  let isAsked = false;
  const isBare = (inside: FunctionIr, base: Expr): boolean => {
    const shown = uncast(onlyInitOf(inside, base) ?? base);
    if (shown.kind === 'field' && shown.name === 'ptr') return true;
    const path = memberPath(shown);
    // A field only: what a local pointer has is known where it was made.
    const field = path === undefined || boundNames(inside.body).includes(path) ? undefined : aggregateOf(file, fn);
    return (
      field !== undefined &&
      declaredTypeOf(file, inside, path ?? '')?.kind === 'pointer' &&
      field.fields.some((one) => one.name === path)
    );
  };
  const bare: Span[] = [];
  walkDeep(file, fn, ({ expr }, inside) => {
    if ((expr.kind === 'index' || expr.kind === 'slice') && isBare(inside, expr.base)) bare.push(expr.span);
  });
  // `(bytes.ptr[i / 8] & 1) != 0` asks for what is there, and not where it is.
  const asks = (side: Expr): boolean => {
    let is = false;
    walkExpression(side, ({ expr }) => {
      const isIt = expr.kind === 'name' && expr.path.length === 1 && expr.path[0] === name;
      is ||= isIt && !bare.some((one) => isInside(expr.span, one));
    });
    return is && bare.every((one) => !isInside(one, side.span));
  };
  walkDeep(file, fn, ({ expr }, inside) => {
    if (isComparison(expr)) isAsked ||= asks(expr.left) || asks(expr.right);
    if (expr.kind === 'call' || expr.kind === 'method') {
      const given = [...(expr.kind === 'method' ? [expr.receiver] : []), ...expr.args.map(({ value }) => value)];
      isAsked ||= given.some((one) => isMentioned(name, one));
    }
    if (expr.kind === 'match') isAsked ||= isMentioned(name, expr.scrutinee);
    if (expr.kind === 'assign') isAsked ||= memberPath(expr.target) === name;
    if (expr.kind === 'index' || expr.kind === 'slice') {
      const places = expr.kind === 'index' ? [expr.index] : [expr.from, expr.to];
      if (places.some((one) => one !== undefined && isMentioned(name, one))) {
        // What is not bare the compiler checks.
        if (!isBare(inside, expr.base)) isAsked = true;
        else if (expr.kind === 'slice' || !isReduced(expr.index)) found ??= { kind: 'index', span: expr.span };
      }
    }
    if (expr.kind === 'deref' && expr.base.kind === 'cast' && expr.base.type.kind === 'pointer') {
      const shown = uncast(expr.base);
      if (memberPath(shown) === name) found ??= { kind: 'address', span: expr.span };
    }
  });
  return isAsked ? undefined : found;
}
