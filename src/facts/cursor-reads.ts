import {
  boundNames,
  calledName,
  declaredTypeOf,
  initOf,
  isComparison,
  memberPath,
  onlyInitOf,
  uncast,
  withBodyOf,
  type WithBody,
} from './d-code.js';
import type { UnitFacts } from './unit.js';
import { elementBytes, lengthOf, SIZES, sliceOfPointer } from './slices.js';
import { blocksIn, walkBody, walkExpression, type Walked } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr, Statement, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';

/** A read that a loop's own bound does not cover. */
export interface CursorRead {
  /** `ahead`: one element further on; `wide`: more than one element at once; `last`: where the loop goes up to the end itself; `behind`: after the loop. */
  readonly kind: 'ahead' | 'wide' | 'last' | 'behind';
  readonly slice: string;
  /** The cursor or index as written. */
  readonly cursor: string;
  /** The condition that goes up to the end of the slice. */
  readonly bound: Span;
  readonly read: Span;
}

/** What a loop runs over: a pointer into a slice that is compared with its end, or an index with its length. */
interface Bound {
  readonly cursor: string;
  readonly slice: string;
  readonly isPointer: boolean;
  readonly isInclusive: boolean;
  /** The names that the end and the length have in the function. */
  readonly limit: Expr;
  readonly condition: Expr;
}

/**
 * Reads through a pointer of a slice in a loop that is only kept before its end: of the element behind the one that the condition allows
 * (`p < end && p[1] == '\n'`), of more than one at once (`*cast(uint*) p`), of the end itself (`p <= end`), and of where the loop has
 * stopped, which may be the end. Anything that compares how far it is to the end counts as the check that is asked for.
 */
export function findCursorReads(unit: UnitFacts, file: FileIr, fn: WithBody): readonly CursorRead[] {
  const found: CursorRead[] = [];
  walkBody(fn.body, (walked) => {
    if (walked.expr.kind !== 'loop' || walked.expr.isStatic === true) return;
    const loop = walked.expr;
    for (const bound of boundsOf(fn, loop)) {
      if (isLengthened(fn, bound)) continue;
      const read = firstUncovered(unit, file, fn, loop, bound);
      if (read !== undefined) found.push(read);
    }
  });
  for (const read of findBehind(fn)) if (!found.some((one) => one.cursor === read.cursor)) found.push(read);
  return found;
}

/** `s ~= 0`, `s.length = ..`, `s = s[0 .. n]` in the function: what lies behind its end is not known. */
function isLengthened(fn: WithBody, { slice }: Bound): boolean {
  let isSet = false;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'assign') return;
    const target = expr.target.kind === 'field' && expr.target.name === 'length' ? expr.target.base : expr.target;
    isSet ||= memberPath(target) === slice;
  });
  return isSet;
}

function conjuncts(condition: Expr): readonly Expr[] {
  return condition.kind === 'binary' && condition.operator === '&&'
    ? [...conjuncts(condition.left), ...conjuncts(condition.right)]
    : [condition];
}

function boundsOf(fn: WithBody, loop: ExprOf<'loop'>): readonly Bound[] {
  const found: Bound[] = [];
  if (loop.form === 'foreach') {
    const index = loop.bindings?.at(0)?.pattern;
    if (index?.kind !== 'bind' || loop.iterable === undefined || loop.reverse === true) return [];
    const { iterable } = loop;
    const slice =
      iterable.kind === 'range' && iterable.to !== undefined
        ? lengthOf(fn, iterable.to)
        : loop.bindings?.length === 2
          ? memberPath(iterable)
          : undefined;
    const limit = iterable.kind === 'range' ? iterable.to : iterable;
    if (slice !== undefined && limit !== undefined)
      found.push({ cursor: index.name, slice, isPointer: false, isInclusive: false, limit, condition: iterable });
    return found;
  }
  for (const one of loop.condition === undefined ? [] : conjuncts(loop.condition)) {
    if (one.kind !== 'binary' || !/^(?:<|<=|!=|!is|>|>=)$/u.test(one.operator)) continue;
    const isTurned = one.operator.startsWith('>');
    const [side, limit] = isTurned ? [one.right, one.left] : [one.left, one.right];
    const cursor = side.kind === 'name' && side.path.length === 1 ? side.path[0] : undefined;
    if (cursor === undefined) continue;
    const isInclusive = one.operator === '<=' || one.operator === '>=';
    const ended = endOf(fn, limit);
    const slice = ended ?? lengthOf(fn, limit);
    if (slice === undefined) continue;
    if (ended !== undefined && startOf(fn, cursor) !== ended) continue;
    found.push({ cursor, slice, isPointer: ended !== undefined, isInclusive, limit, condition: one });
  }
  return found;
}

/** The slice that a variable points into from its declaration on. */
function startOf(fn: FunctionIr, name: string): string | undefined {
  const init = initOf(fn, name);
  if (init === undefined) return undefined;
  const start = uncast(init);
  return sliceOfPointer(start) ?? (start.kind === 'name' ? startOfOther(fn, start, name) : undefined);
}

function startOfOther(fn: FunctionIr, start: Expr, name: string): string | undefined {
  const init = onlyInitOf(fn, start);
  return init === undefined || memberPath(start) === name ? undefined : sliceOfPointer(init);
}

/** The slice whose end an expression is: `s.ptr + s.length`, `p + s.length` where `p` began as `s.ptr`, or a variable that was set to it. */
function endOf(fn: FunctionIr, expr: Expr): string | undefined {
  const made = uncast(onlyInitOf(fn, expr) ?? expr);
  if (made.kind !== 'binary' || made.operator !== '+') return undefined;
  const slice = lengthOf(fn, made.right);
  if (slice === undefined) return undefined;
  const left = uncast(made.left);
  const from = sliceOfPointer(left) ?? (left.kind === 'name' ? startOf(fn, left.path[0] ?? '') : undefined);
  return from === slice ? slice : undefined;
}

/** Whether two expressions are the same variable or member. */
function isSame(one: Expr, other: Expr): boolean {
  const path = memberPath(one);
  return path !== undefined && path === memberPath(other);
}

/**
 * Whether a comparison asks how far it is to the end, or what the length is: it has a sum, a difference or a part of the cursor, the end or the
 * length in it, or compares the length with a number.
 */
function asksForRoom(fn: FunctionIr, bound: Bound, expr: Expr): boolean {
  if (!isComparison(expr)) return false;
  const sides = [expr.left, expr.right].map((side) => onlyInitOf(fn, side) ?? side);
  const isLimit = (side: Expr): boolean =>
    isSame(side, bound.limit) || endOf(fn, side) === bound.slice || lengthOf(fn, side) === bound.slice;
  const isMentioned = (side: Expr): boolean => {
    let isIn = false;
    walkExpression(side, ({ expr: one }) => {
      isIn ||= isLimit(one) || (one.kind === 'name' && one.path.length === 1 && one.path[0] === bound.cursor);
    });
    return isIn;
  };
  for (const [at, side] of sides.entries()) {
    if (side.kind === 'binary' && /^[-+%&/]$|^>>>?$/u.test(side.operator) && isMentioned(side)) {
      if (endOf(fn, side) === undefined) return true;
    }
    // `s.length < 4`; not `a.length != b.length`.
    const other = sides[1 - at];
    if (lengthOf(fn, side) === bound.slice && other !== undefined) {
      const isLength = other.kind === 'field' && other.name === 'length';
      if (!isLength && memberPath(other) !== bound.cursor) return true;
    }
    // `p == last`, where nothing says what `last` is.
    if (memberPath(side) === bound.cursor && other?.kind === 'name' && !isLimit(other)) return true;
  }
  return false;
}

/** Whether an expression asks if the cursor is at the end. */
function asksForEnd(fn: FunctionIr, bound: Bound, expr: Expr): boolean {
  if (expr.kind === 'field' && (expr.name === 'empty' || expr.name === 'length')) return true;
  if (!isComparison(expr)) return false;
  const isEither = [expr.left, expr.right].some(
    (side) => memberPath(side) === bound.cursor || isSame(side, bound.limit),
  );
  return isEither || asksForRoom(fn, bound, expr);
}

function firstUncovered(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  loop: ExprOf<'loop'>,
  bound: Bound,
): CursorRead | undefined {
  const checks: Span[] = [];
  walkBody(fn.body, ({ expr }) => {
    if (expr !== bound.condition && (asksForRoom(fn, bound, expr) || isLater(expr, loop, bound, fn)))
      checks.push(expr.span);
  });
  const width = elementBytes(declaredTypeOf(file, fn, bound.slice));
  let found: CursorRead | undefined;
  const visit = ({ expr, around }: Walked): void => {
    if (found !== undefined || expr.span.start < bound.condition.span.end) return;
    const parent = around.at(-1);
    if (parent?.kind === 'address' || (parent?.kind === 'assign' && parent.target === expr && parent.operator === '='))
      return;
    const kind = readKind(unit, file, fn, bound, width, expr);
    if (kind === undefined || (kind === 'last') !== bound.isInclusive) return;
    if (kind === 'ahead' && bound.isInclusive) return;
    // What comes before it in the text and asks for the rest.
    if (checks.some((one) => one.start < expr.span.start)) return;
    // In a loop of its own, which has a bound of its own.
    if (around.some((o) => o.kind === 'loop' && o !== loop && isInside(o.span, loop.span))) return;
    found = { kind, slice: bound.slice, cursor: bound.cursor, bound: bound.condition.span, read: expr.span };
  };
  if (loop.condition !== undefined) walkExpression(loop.condition, visit);
  walkBody(loop.body, visit);
  return found;
}

/** A comparison inside of the loop that asks for the end once more: something was done to the cursor before. */
function isLater(expr: Expr, loop: ExprOf<'loop'>, bound: Bound, fn: FunctionIr): boolean {
  if (!isInside(expr.span, loop.span) || expr.kind !== 'binary') return false;
  return [expr.left, expr.right].some((side) => isSame(side, bound.limit) || endOf(fn, side) === bound.slice);
}

/** What kind of read an expression is, seen from the cursor; `width`: the bytes of an element. */
function readKind(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  bound: Bound,
  width: number | undefined,
  expr: Expr,
): CursorRead['kind'] | undefined {
  if (expr.kind === 'deref' || expr.kind === 'index') {
    const offset = offsetOf(fn, bound, expr);
    if (offset === undefined) return undefined;
    const seen = wideType(fn, expr.base);
    const wide = SIZES.get(seen?.name ?? '') ?? 0;
    if (wide > 0 && width !== undefined && wide > width) return 'wide';
    if (seen !== undefined && wide === 0) return undefined;
    return offset > 0 ? 'ahead' : offset === 0 && bound.isInclusive ? 'last' : undefined;
  }
  if (expr.kind !== 'call') return undefined;
  const given = expr.args[0]?.value;
  if (given === undefined || width === undefined || placeOf(fn, bound, given) !== 0) return undefined;
  const helpers = file.functions.filter((one) => one.name === calledName(expr) && one.parent === undefined);
  const [only] = helpers;
  const helper = helpers.length === 1 && only?.params.length === 1 ? withBodyOf(unit, file, only) : undefined;
  if (helper === undefined) return undefined;
  let isWide = false;
  const name = helper.params[0]?.name;
  walkBody(helper.body, ({ expr: one }) => {
    if (one.kind !== 'deref' || one.base.kind !== 'cast') return;
    const wide = SIZES.get(one.base.type.element?.name ?? '') ?? 0;
    isWide ||= wide > width && memberPath(uncast(one.base)) === name;
  });
  return isWide ? 'wide' : undefined;
}

/** What a pointer is cast to, or was where it was declared. */
function wideType(fn: FunctionIr, base: Expr): TypeRef | undefined {
  if (base.kind === 'cast' && base.type.kind === 'pointer') return base.type.element;
  const name = base.kind === 'name' ? base.path[0] : undefined;
  const init = name === undefined ? undefined : initOf(fn, name);
  return init?.kind === 'cast' && init.type.kind === 'pointer' ? init.type.element : undefined;
}

/** How many elements behind the cursor a `*p`, `p[n]`, `s.ptr[i + n]` reads; undefined for other places. */
function offsetOf(fn: FunctionIr, bound: Bound, expr: ExprOf<'deref'> | ExprOf<'index'>): number | undefined {
  if (expr.kind === 'deref') {
    // `*++p`
    if (bound.isPointer && expr.base.kind === 'assign' && expr.base.operator === '+=') {
      const { target, span } = expr.base;
      if (memberPath(target) !== bound.cursor) return undefined;
      return target.span.start > span.start ? 1 : 0;
    }
    return placeOf(fn, bound, expr.base);
  }
  if (bound.isPointer) {
    const start = placeOf(fn, bound, expr.base);
    const more = numberOf(expr.index);
    return start === undefined || more === undefined ? undefined : start + more;
  }
  return pointsToStart(fn, bound.slice, expr.base) ? indexOf(bound, expr.index) : undefined;
}

function pointsToStart(fn: FunctionIr, slice: string, base: Expr): boolean {
  const given = uncast(base);
  if (sliceOfPointer(given) === slice) return true;
  const made = onlyInitOf(fn, given);
  return made !== undefined && sliceOfPointer(made) === slice;
}

/** `i` is 0, `i + 2` is 2. */
function indexOf(bound: Bound, index: Expr): number | undefined {
  if (memberPath(index) === bound.cursor) return 0;
  if (index.kind !== 'binary' || index.operator !== '+') return undefined;
  return memberPath(index.left) === bound.cursor ? numberOf(index.right) : undefined;
}

/** How far a pointer is behind the cursor: `p` is 0, `p + 1` is 1, `s.ptr + i` is 0. */
function placeOf(fn: FunctionIr, bound: Bound, given: Expr): number | undefined {
  const pointer = uncast(given);
  if (bound.isPointer) {
    if (memberPath(pointer) === bound.cursor) return 0;
    if (pointer.kind !== 'binary' || pointer.operator !== '+') return undefined;
    return memberPath(uncast(pointer.left)) === bound.cursor ? numberOf(pointer.right) : undefined;
  }
  if (pointer.kind === 'binary' && pointer.operator === '+' && pointsToStart(fn, bound.slice, pointer.left))
    return indexOf(bound, pointer.right);
  if (pointer.kind === 'address' && pointer.base.kind === 'index' && memberPath(pointer.base.base) === bound.slice)
    return indexOf(bound, pointer.base.index);
  return undefined;
}

function numberOf(expr: Expr): number | undefined {
  return expr.kind === 'literal' && /^\d+$/u.test(expr.text) ? Number(expr.text) : undefined;
}

/** `while (p < end && *p != '"') p++; if (*p == '"')`: the loop may have stopped at the end. */
function findBehind(fn: WithBody): readonly CursorRead[] {
  const found: CursorRead[] = [];
  for (const { statements } of blocksIn(fn.body))
    for (const [at, statement] of statements.entries()) {
      const loop = statement.kind === 'expression' && statement.expr.kind === 'loop' ? statement.expr : undefined;
      if (loop?.condition === undefined || conjuncts(loop.condition).length < 2 || loop.form === 'do') continue;
      let isLeft = boundNames(loop).length > 0;
      walkBody(loop.body, ({ expr }) => {
        isLeft ||= expr.kind === 'break' || expr.kind === 'return';
      });
      if (isLeft) continue;
      for (const bound of boundsOf(fn, loop)) {
        if (bound.isInclusive || isLengthened(fn, bound)) continue;
        const read = readBehind(fn, bound, statements.slice(at + 1));
        if (read !== undefined)
          found.push({ kind: 'behind', slice: bound.slice, cursor: bound.cursor, bound: bound.condition.span, read });
      }
    }
  return found;
}

/** The first read at the cursor in what follows, before anything asks where it is, moves it or leaves. */
function readBehind(fn: FunctionIr, bound: Bound, rest: readonly Statement[]): Span | undefined {
  for (const statement of rest) {
    let read: Span | undefined;
    let isOver = false;
    const block = { span: statement.span, statements: [statement] };
    walkBody(block, ({ expr, around }) => {
      if (isOver || read !== undefined) return;
      if (expr.kind === 'return' && expr.value === undefined) isOver = true;
      if (asksForEnd(fn, bound, expr)) isOver = true;
      if (expr.kind === 'assign' && memberPath(expr.target) === bound.cursor && expr.operator === '=') isOver = true;
      if (expr.kind === 'loop' || expr.kind === 'call' || expr.kind === 'method') {
        let isNamed = false;
        walkExpression(expr, ({ expr: one }) => {
          isNamed ||= one.kind === 'address' && memberPath(one.base) === bound.cursor;
        });
        if (isNamed) isOver = true;
      }
      const parent = around.at(-1);
      if (isOver || (expr.kind !== 'deref' && expr.kind !== 'index') || parent?.kind === 'address') return;
      if (parent?.kind === 'assign' && parent.target === expr) return;
      if (offsetOf(fn, bound, expr) === 0) read = expr.span;
    });
    if (read !== undefined) return read;
    if (isOver) return undefined;
  }
  return undefined;
}
