import { calledName, initOf, isComparison, isMentioned, memberPath, onlyInitOf, walkDeep } from './d-code.js';
import { lengthOf, sliceOfPointer } from './slices.js';
import { walkExpression } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A place in a function that touches more than a slice has. */
export interface Overrun {
  readonly slice: string;
  readonly span: Span;
}

/** Whether a function asks for the length of a slice anywhere, other than to copy or hand it on: in a comparison, or for its end. */
function asksForLength(file: FileIr, fn: FunctionIr, slice: string): boolean {
  let isAsked = false;
  const isLength = (expr: Expr): boolean => {
    let isIn = false;
    walkExpression(expr, ({ expr: one }) => {
      isIn ||= one.kind === 'field' && /^(?:length|empty)$/u.test(one.name) && memberPath(one.base) === slice;
    });
    return isIn;
  };
  walkDeep(file, fn, ({ expr }, inside) => {
    if (isAsked) return;
    if (isComparison(expr))
      isAsked = [expr.left, expr.right].some((side) => isLength(onlyInitOf(inside, side) ?? side));
    // `min(a.length, b.length)`, `check(a.length)`
    else if ((expr.kind === 'call' || expr.kind === 'method') && !/^mem(?:cmp|cpy|move)$/u.test(calledName(expr) ?? ''))
      isAsked = expr.args.some(({ value }) => isLength(value)) || (expr.kind === 'method' && isLength(expr.receiver));
    else if (expr.kind === 'if' || expr.kind === 'loop')
      isAsked = expr.condition !== undefined && isLength(expr.condition);
    else if (expr.kind === 'match') isAsked = isLength(expr.scrutinee);
    // An index that the compiler checks, `a[7]`, or a slice that it checks.
    else if (expr.kind === 'index' || (expr.kind === 'slice' && expr.to !== undefined))
      isAsked = memberPath(expr.base) === slice;
  });
  return isAsked;
}

/**
 * `memcmp(a.ptr, b.ptr, a.length)` of two slices of the caller's where nothing compares the lengths, and `memcmp(a.ptr, "RIFF".ptr, 4)` where
 * nothing asks for the length of `a`.
 */
export function findComparisons(file: FileIr, fn: FunctionIr): readonly Overrun[] {
  const found: Overrun[] = [];
  const given = (name: string): boolean => fn.params.find((one) => one.name === name)?.type?.kind === 'slice';
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'call' || calledName(expr) !== 'memcmp' || expr.args.length !== 3) return;
    const [one, other, size] = expr.args.map(({ value }) => value);
    if (one === undefined || other === undefined || size === undefined) return;
    const count = lengthOf(inside, size);
    const slices = [one, other].map(sliceOfPointer);
    for (const slice of slices)
      if (slice !== undefined && slice !== count && given(slice)) {
        const isFixed =
          (size.kind === 'literal' && /^(?:[2-9]|\d\d+)$/u.test(size.text)) || (count !== undefined && given(count));
        if (isFixed && !asksForLength(file, fn, slice)) found.push({ slice, span: expr.span });
      }
  });
  return found;
}

/** A slice as long as a number that it has in itself, and where that was read. */
export interface TrustedLength extends Overrun {
  readonly count: string;
  readonly read: Span;
}

/** `data.ptr[2 .. 2 + n]` where `n` was read from `data` and nothing asks whether it has that many. */
export function findTrustedLengths(file: FileIr, fn: FunctionIr): readonly TrustedLength[] {
  const found: TrustedLength[] = [];
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'slice' || expr.to === undefined) return;
    const slice = sliceOfPointer(onlyInitOf(inside, expr.base) ?? expr.base);
    if (slice === undefined) return;
    const names: string[] = [];
    walkExpression(expr.to, ({ expr: one }) => {
      if (one.kind === 'name' && one.path.length === 1) names.push(one.path[0] ?? '');
    });
    for (const count of names) {
      const read = initOf(inside, count);
      if (read === undefined || !isReadFrom(read, slice)) continue;
      if (!isCompared(file, fn, count) && !asksForRest(file, fn, slice))
        found.push({ slice, count, read: read.span, span: expr.span });
      return;
    }
  });
  return found;
}

/** `data[0] << 8 | data[1]`, `*cast(uint*) data.ptr` */
function isReadFrom(value: Expr, slice: string): boolean {
  let isRead = false;
  walkExpression(value, ({ expr }) => {
    if (expr.kind === 'index') isRead ||= memberPath(expr.base) === slice || sliceOfPointer(expr.base) === slice;
    if (expr.kind === 'deref') isRead ||= sliceOfPointer(expr.base) === slice;
  });
  return isRead;
}

function isCompared(file: FileIr, fn: FunctionIr, name: string): boolean {
  let is = false;
  walkDeep(file, fn, ({ expr }) => {
    if (isComparison(expr)) is ||= isMentioned(name, expr);
    if (expr.kind === 'assign' && memberPath(expr.target) === name) is = true;
    if (expr.kind === 'call' || expr.kind === 'method') is ||= expr.args.some(({ value }) => isMentioned(name, value));
  });
  return is;
}

function asksForRest(file: FileIr, fn: FunctionIr, slice: string): boolean {
  let is = false;
  walkDeep(file, fn, ({ expr }) => {
    is ||= expr.kind === 'field' && expr.name === 'length' && memberPath(expr.base) === slice;
  });
  return is;
}
