import { aggregateOf, calledName, declaredIn, initOf, memberPath, onlyInitOf, uncast, walkDeep } from './d-code.js';
import { SIZES, sliceOfPointer } from './cursor-reads.js';
import { declaredTypeOf } from './sliced-temporaries.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A place in a function that touches more than a slice has. */
export interface Overrun {
  readonly slice: string;
  readonly span: Span;
}

/** Bytes of an element of a slice or text, where the language says it. */
export function elementBytes(type: TypeRef | undefined): number | undefined {
  if (type?.kind === 'path') return type.name === 'string' ? 1 : undefined;
  return type?.kind === 'slice' || type?.kind === 'static-array' ? SIZES.get(type.element?.name ?? '') : undefined;
}

/** The slice whose length alone an expression is. */
export function lengthAlone(fn: FunctionIr, expr: Expr): string | undefined {
  const made = uncast(onlyInitOf(fn, expr) ?? expr);
  return made.kind === 'field' && made.name === 'length' ? memberPath(made.base) : undefined;
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
    if (expr.kind === 'binary' && /^(?:<|<=|==|!=|is|!is|>|>=)$/u.test(expr.operator))
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
  const given = (name: string | undefined): boolean => {
    const param = fn.params.find((one) => one.name === name);
    const type = param?.type;
    return type?.kind === 'slice' || (type?.kind === 'path' && type.name === 'string');
  };
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'call' || calledName(expr) !== 'memcmp' || expr.args.length !== 3) return;
    const [one, other, size] = expr.args.map(({ value }) => value);
    if (one === undefined || other === undefined || size === undefined) return;
    const count = lengthAlone(inside, size);
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

/** `data.ptr[2 .. 2 + n]` where `n` was read from `data` and nothing asks whether it has that many. */
export function findTrustedLengths(file: FileIr, fn: FunctionIr): readonly (Overrun & { readonly count: string })[] {
  const found: (Overrun & { readonly count: string })[] = [];
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'slice' || expr.to === undefined) return;
    const slice = sliceOfPointer(onlyInitOf(inside, expr.base) ?? expr.base);
    if (slice === undefined) return;
    const names: string[] = [];
    walkExpression(expr.to, ({ expr: one }) => {
      if (one.kind === 'name' && one.path.length === 1) names.push(one.path[0] ?? '');
    });
    const count = names.find((name) => isReadFrom(inside, name, slice));
    if (count === undefined || isCompared(file, fn, count) || asksForRest(file, fn, slice)) return;
    found.push({ slice, count, span: expr.span });
  });
  return found;
}

/** `const n = data[0] << 8 | data[1];`, `auto n = *cast(uint*) data.ptr;` */
function isReadFrom(fn: FunctionIr, name: string, slice: string): boolean {
  const init = initOf(fn, name);
  let isRead = false;
  if (init !== undefined)
    walkExpression(init, ({ expr }) => {
      if (expr.kind === 'index') isRead ||= memberPath(expr.base) === slice || sliceOfPointer(expr.base) === slice;
      if (expr.kind === 'deref') isRead ||= sliceOfPointer(expr.base) === slice;
    });
  return isRead;
}

function isCompared(file: FileIr, fn: FunctionIr, name: string): boolean {
  let is = false;
  walkDeep(file, fn, ({ expr }) => {
    const isIn = (side: Expr): boolean => {
      let found = false;
      walkExpression(side, ({ expr: one }) => {
        found ||= one.kind === 'name' && one.path[0] === name;
      });
      return found;
    };
    if (expr.kind === 'binary' && /^(?:<|<=|==|!=|>|>=)$/u.test(expr.operator))
      is ||= isIn(expr.left) || isIn(expr.right);
    if (expr.kind === 'assign' && memberPath(expr.target) === name) is = true;
    if (expr.kind === 'call' || expr.kind === 'method') is ||= expr.args.some(({ value }) => isIn(value));
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

/** Functions that fill a buffer as far as it goes and write no terminator then, with the places of the buffer and of its size. */
const FILLS: ReadonlyMap<string, readonly [buffer: number, size: number]> = new Map([
  ['read', [1, 2]],
  ['pread', [1, 2]],
  ['recv', [1, 2]],
  ['recvfrom', [1, 2]],
  ['readlink', [1, 2]],
  ['strncpy', [0, 2]],
  ['fread', [0, 2]],
]);

/** What looks for a terminator in what its first argument, or what it is asked of, points to. */
const SEEKS = /^(?:fromStringz|strlen|puts|atoi|atol|strtol|strtoul|strtod|strdup|to)$/u;

/** `recv(fd, buf.ptr, buf.length, 0); .. strlen(buf.ptr)`: what fills the buffer leaves no room for a terminator. */
export function findFilled(
  file: FileIr,
  fn: FunctionIr,
): readonly (Overrun & { readonly call: string; readonly filled: Span })[] {
  const fills: { slice: string; call: string; span: Span }[] = [];
  const found: (Overrun & { call: string; filled: Span })[] = [];
  const writes: { slice: string; at: number }[] = [];
  walkDeep(file, fn, ({ expr, around }, inside) => {
    if (expr.kind === 'assign') {
      const { target } = expr;
      const slice = target.kind === 'index' || target.kind === 'slice' ? memberPath(target.base) : undefined;
      if (slice !== undefined) writes.push({ slice, at: expr.span.start });
    }
    const name = calledName(expr) ?? '';
    if (expr.kind === 'call' && FILLS.has(name)) {
      const [at, sizeAt] = FILLS.get(name) ?? [0, 0];
      const buffer = expr.args[at]?.value;
      const size = expr.args[sizeAt]?.value;
      const slice = buffer === undefined ? undefined : sliceOfPointer(buffer);
      const whole = size === undefined ? undefined : uncast(onlyInitOf(inside, size) ?? size);
      const isWhole =
        whole?.kind === 'field' && /^(?:length|sizeof)$/u.test(whole.name) && memberPath(whole.base) === slice;
      // A file's own buffer of one type is its text; a number in front of it is not.
      if (slice !== undefined && isWhole && isOwnBuffer(file, inside, slice))
        fills.push({ slice, call: name, span: expr.span });
      return;
    }
    const shown = expr.kind === 'method' ? expr.receiver : expr.kind === 'call' ? expr.args[0]?.value : undefined;
    if (shown === undefined || !SEEKS.test(name)) return;
    // A length that the call is given stops it.
    if (expr.kind === 'call' && /^str/u.test(name) && expr.args.length > 1 && !/^strto/u.test(name)) return;
    const slice = sliceOfPointer(shown);
    const fill = fills.find((one) => one.slice === slice && one.span.end < expr.span.start);
    if (slice === undefined || fill === undefined) return;
    if (around.some((o) => o.kind === 'assign' && o.target.kind === 'index' && memberPath(o.target.base) === slice))
      return;
    if (writes.some((one) => one.slice === slice && one.at > fill.span.start)) return;
    found.push({ slice, call: fill.call, filled: fill.span, span: expr.span });
  });
  return found;
}

/** A variable of the function, or a field of its type, that is an array. */
function isOwnBuffer(file: FileIr, fn: FunctionIr, name: string): boolean {
  const type = declaredTypeOf(file, fn, name);
  if (type?.kind === 'static-array' || type?.kind === 'slice') return true;
  const init = initOf(fn, name);
  return init?.kind === 'new' && declaredIn(fn).has(name);
}

/** What goes through a text part by part; its variable shows a part of it. */
const PARTS = /^(?:split|splitter|splitLines|lineSplitter|byLine|chunks|tokens|tokenize|matchAll)$/u;

/** Whether a name is the variable of a loop over the parts of a text, or a local that was set to a part. */
export function isPart(fn: FunctionIr, name: string): boolean {
  let is = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'loop' || expr.form !== 'foreach' || expr.iterable === undefined) return;
      const last = expr.bindings?.at(-1)?.pattern;
      const { iterable } = expr;
      const over = iterable.kind === 'field' ? iterable.name : calledName(iterable);
      is ||= last?.kind === 'bind' && last.name === name && PARTS.test(over ?? '');
    });
  return is;
}

/** Whether a field or local is an array of characters that is not immutable text, of which nothing says that it is terminated. */
export function isPlainText(file: FileIr, fn: FunctionIr, name: string): boolean {
  const own = aggregateOf(file, fn)?.fields.some((field) => field.name === name && !field.isStatic) === true;
  const type = declaredTypeOf(file, fn, name);
  if (!own || declaredIn(fn).has(name) || type?.kind !== 'slice') return false;
  return type.element?.name === 'char';
}
