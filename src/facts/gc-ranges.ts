import {
  aggregateOf,
  calledName,
  initOf,
  memberPath,
  methodsOf,
  rootName,
  uncast,
  walkDeep,
  type WithBody,
} from './d-code.js';
import type { UnitFacts } from './unit.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { MALLOC } from './unscanned-memory.js';

/** What may give a block back and another one for it. */
const MOVES = /^(?:\w*[rR]ealloc(?:ate|Array)?|expandArray|shrinkArray)$/u;

/** How C libraries call what makes an object: `g_closure_new_simple`, `sqlite3_malloc`. */
const FOREIGN_MAKER = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*_(?:new|alloc|malloc|create)(?:_[a-z0-9]+)*$/u;

/** `cast(Node*) malloc(..)` of a struct without a constructor: nothing runs while its members are set. */
function isMadeByMembers(unit: UnitFacts, made: Expr | undefined): boolean {
  const name = made?.kind === 'cast' ? made.type.element?.name : undefined;
  const declared = name === undefined ? [] : unit.typesNamed(name, 'd');
  return (
    declared.length > 0 &&
    declared.every(
      ({ file: at, item }) =>
        item.kind === 'struct' && methodsOf(at, item).every((method) => method.kind !== 'constructor'),
    )
  );
}

/** `GC.removeRange(x)` behind the call that gives `x` back, on the same path. */
export function lateRemoval(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  expr: Expr,
): { memory: string; release: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'removeRange' || rootName(expr.receiver) !== 'GC') return undefined;
  const memory = blockPath(expr.args[0]?.value);
  if (memory === undefined) return undefined;
  const text = unit.textOf(file.path) ?? '';
  let found: { memory: string; release: string; span: Span } | undefined;
  walkDeep(file, fn, ({ expr: other }) => {
    if ((other.kind !== 'call' && other.kind !== 'method') || other.span.end > expr.span.start) return;
    const release = calledName(other);
    if (release === undefined || !/^(?:free|pureFree|dispose|deallocate)$/u.test(release)) return;
    if (other.kind === 'method' && rootName(other.receiver) === 'GC') return;
    if (!other.args.some(({ value }) => blockPath(value) === memory)) return;
    const between = text.slice(other.span.end, expr.span.start);
    const head = memory.split('.').at(-1) ?? memory;
    if (/\b(?:return|else|case|default|break|continue)\b/u.test(between)) return;
    if (new RegExp(`\\b${head}\\s*=[^=]`, 'u').test(between)) return;
    found = { memory, release, span: other.span };
  });
  return found;
}

/**
 * `GC.addRange(x, n)` behind the `emplace` that made an object in `x` with what its constructor was given: until then the collector does not
 * see what the constructor stored there.
 */
export function lateRange(
  unit: UnitFacts,
  fn: WithBody,
  expr: Expr,
): { memory: string; maker: string; span: Span; emplaced: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'addRange' || rootName(expr.receiver) !== 'GC') return undefined;
  const memory = blockPath(expr.args[0]?.value);
  const made = memory === undefined ? undefined : initOf(fn, memory);
  const block = made === undefined ? undefined : uncast(made);
  const maker = block === undefined ? undefined : calledName(block.kind === 'slice' ? uncast(block.base) : block);
  if (memory === undefined || block === undefined || maker === undefined || !MALLOC.has(maker)) return undefined;
  let emplaced: Span | undefined;
  let isKnown = false;
  walkBody(fn.body, ({ expr: other }) => {
    if (other.span.end > expr.span.start) return;
    if (other.kind === 'method' && other.method === 'addRange') isKnown ||= rootName(other.receiver) === 'GC';
    // Without arguments there may be nothing to store, nor is there in numbers.
    if (other.kind !== 'call' || calledName(other) !== 'emplace' || other.args.length < 2) return;
    if (other.args.slice(1).every(({ value }) => value.kind === 'literal')) return;
    const chunk = rootName(other.args[0]?.value ?? other);
    if (chunk === undefined || isKnown) return;
    const from = chunk === memory ? undefined : initOf(fn, chunk);
    if (chunk === memory || (from !== undefined && rootName(from) === memory)) emplaced = other.span;
  });
  if (emplaced === undefined || isMadeByMembers(unit, made)) return undefined;
  return { memory, maker, span: block.span, emplaced };
}

/** `GC.removeRange(x)` behind `x = realloc(x, n)`: what was registered is the block before that. */
export function renewedRange(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  expr: Expr,
): { memory: string; maker: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'removeRange' || rootName(expr.receiver) !== 'GC') return undefined;
  const memory = blockPath(expr.args[0]?.value);
  if (memory === undefined) return undefined;
  let moved: { memory: string; maker: string; span: Span } | undefined;
  let renewed: typeof moved;
  walkBody(fn.body, ({ expr: other }) => {
    if (other.span.end > expr.span.start) return;
    if (other.kind === 'method' && other.method === 'addRange' && blockPath(other.args[0]?.value) === memory)
      renewed = undefined;
    const maker = calledName(other);
    if (maker !== undefined && MOVES.test(maker)) moved = { memory, maker, span: other.span };
    if (other.kind !== 'assign' || other.operator !== '=' || blockPath(other.target) !== memory) return;
    let inside: typeof moved;
    walkExpression(other.value, ({ expr: value }) => {
      const name = calledName(value);
      if (name !== undefined && MOVES.test(name)) inside = { memory, maker: name, span: value.span };
    });
    // What the new block was put into on the way is not followed: the member is set behind the call that moved it.
    renewed = inside ?? moved;
  });
  const between = (unit.textOf(file.path) ?? '').slice(renewed?.span.end ?? 0, expr.span.start);
  return /\b(?:return|else|case|default|break|continue)\b/u.test(between) ? undefined : renewed;
}

/** `GC.addRange(field)` in a type that gives the field's memory back, in a file that never calls `GC.removeRange`. */
export function forgottenRange(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  expr: Expr,
): { memory: string; release: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'addRange' || rootName(expr.receiver) !== 'GC') return undefined;
  const memory = blockPath(expr.args[0]?.value);
  const type = aggregateOf(file, fn);
  if (memory === undefined || !/^\w+$/u.test(memory) || !type?.fields.some((f) => f.name === memory)) return undefined;
  const text = unit.textOf(file.path) ?? '';
  // `removeRoot` instead is told by itself.
  if (/\bremove(?:Range|Root)\b/u.test(text)) return unevenRelease(unit, file, type, memory);
  for (const found of text.slice(type.span.start, type.span.end).matchAll(releaseOf(memory))) {
    const start = type.span.start + found.index;
    const span: Span = { start, end: start + found[0].length };
    if (file.comments.some((c) => c.span.start <= start && span.end <= c.span.end)) continue;
    return { memory, release: found[1] ?? '', span };
  }
  return undefined;
}

/** Calls that give a field's memory back: the name is the first group. */
function releaseOf(memory: string): RegExp {
  return new RegExp(
    String.raw`\b(free|pureFree|deallocate|dispose)\s*\(\s*(?:\w+\s*,\s*)?(?:cast\s*\([^()]*\)\s*)?(?:this\.)?${memory}(?:\.ptr|\[\])?\s*\)`,
    'gu',
  );
}

/**
 * A method that gives the memory of a registered field back without `GC.removeRange`, where another method that does so calls it:
 * not when whoever calls the method has removed the range.
 */
function unevenRelease(
  unit: UnitFacts,
  file: FileIr,
  type: TypeDecl,
  memory: string,
): { memory: string; release: string; span: Span } | undefined {
  const text = unit.textOf(file.path) ?? '';
  const removes = new RegExp(String.raw`\bremoveRange\s*\(\s*(?:cast\s*\([^()]*\)\s*)?(?:this\.)?${memory}\b`, 'u');
  const methods = methodsOf(file, type).map((fn) => ({ fn, code: text.slice(fn.span.start, fn.span.end) }));
  if (!methods.some(({ code }) => removes.test(code) && releaseOf(memory).test(code))) return undefined;
  for (const { fn, code } of methods) {
    const match = releaseOf(memory).exec(code);
    if (match === null || /\bremoveRange\b/u.test(code)) continue;
    const called = new RegExp(String.raw`\b${fn.name}\s*\(|\b${fn.name}\s*;`, 'u');
    const isPaired = methods.some((one) => one.fn !== fn && called.test(one.code) && /\bremoveRange\b/u.test(one.code));
    const start = fn.span.start + match.index;
    const isComment = file.comments.some((c) => c.span.start <= start && start < c.span.end);
    if (!isPaired && !isComment && fn.kind !== 'unittest')
      return { memory, release: match[1] ?? '', span: { start, end: start + match[0].length } };
  }
  return undefined;
}

/** What an argument names as a block of memory: `x` of `x`, `x.ptr`, `x[]`, `cast(void*) x`; also `m_chunks` of `m_chunks[i]`. */
function blockPath(expr: Expr | undefined): string | undefined {
  if (expr === undefined) return undefined;
  if (expr.kind === 'cast') return blockPath(expr.value);
  if (expr.kind === 'slice' || (expr.kind === 'field' && expr.name === 'ptr')) return blockPath(expr.base);
  if (expr.kind === 'index') {
    const [base, index] = [memberPath(expr.base), memberPath(expr.index)];
    return base === undefined || index === undefined ? undefined : `${base}[${index}]`;
  }
  return memberPath(expr);
}

/** The block behind casts, slices and `.ptr`: `p` of `cast(void*) p`, `p[0 .. n]`, `p.ptr`. */
function wholeBlock(expr: Expr): Expr {
  if (expr.kind === 'cast') return wholeBlock(expr.value);
  const isShown = expr.kind === 'slice' || (expr.kind === 'field' && expr.name === 'ptr');
  return isShown ? wholeBlock(expr.base) : expr;
}

/** `GC.addRoot(p)` of a local that `malloc` or its kin made: roots are blocks of the collector. */
export function foreignRoot(fn: FunctionIr, expr: Expr): { memory: string; maker: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'addRoot' || rootName(expr.receiver) !== 'GC') return undefined;
  const given = expr.args[0] === undefined ? undefined : wholeBlock(expr.args[0].value);
  const name = given?.kind === 'name' && given.path.length === 1 ? given.path[0] : undefined;
  const init = name === undefined ? undefined : initOf(fn, name);
  const made = init === undefined ? undefined : wholeBlock(init);
  const maker = made?.kind === 'call' ? calledName(made) : undefined;
  if (name === undefined || made === undefined || maker === undefined) return undefined;
  return MALLOC.has(maker) || FOREIGN_MAKER.test(maker) ? { memory: name, maker, span: made.span } : undefined;
}

/** `removeRoot` of what the file registers by `addRange` and never by `addRoot`, or the other way round. */
export function wrongRemoval(
  unit: UnitFacts,
  file: FileIr,
  expr: Expr,
): { remover: string; adder: string; memory: string; span: Span } | undefined {
  if (expr.kind !== 'method' || rootName(expr.receiver) !== 'GC') return undefined;
  if (expr.method !== 'removeRoot' && expr.method !== 'removeRange') return undefined;
  const memory = expr.args[0] === undefined ? undefined : memberPath(uncast(expr.args[0].value));
  if (memory === undefined) return undefined;
  const text = unit.textOf(file.path) ?? '';
  const isRoot = expr.method === 'removeRoot';
  const call = (name: string): RegExp =>
    new RegExp(String.raw`\bGC\.${name}\s*\(\s*(?:cast\s*\([^()]*\)\s*)?(?:this\.)?${memory}\s*[,)]`, 'u');
  const adder = isRoot ? 'addRange' : 'addRoot';
  const added = call(adder).exec(text);
  if (added === null || call(isRoot ? 'addRoot' : 'addRange').test(text)) return undefined;
  return {
    remover: expr.method,
    adder,
    memory,
    span: { start: added.index, end: added.index + added[0].length },
  };
}

/** `GC.addRange(x.ptr, x.length)` where an element of `x` is known to be more than a byte. */
export function shortRange(file: FileIr, fn: FunctionIr, expr: Expr): { slice: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'addRange' || expr.args.length < 2) return undefined;
  const [start, size] = expr.args.map(({ value }) => value);
  const counted = start === undefined || size === undefined ? undefined : countedBlock(fn, start, size);
  if (counted !== undefined) return { slice: counted, span: expr.span };
  if (start?.kind !== 'field' || start.name !== 'ptr' || size?.kind !== 'field' || size.name !== 'length')
    return undefined;
  const slice = memberPath(start.base);
  if (slice === undefined || memberPath(size.base) !== slice) return undefined;
  const element = elementOf(file, fn, slice);
  if (
    element === undefined ||
    /^(?:void|u?byte|char|bool|const|immutable|shared)?$/u.test(element.name || element.text)
  )
    return undefined;
  return { slice, span: expr.span };
}

/** `p = malloc(T.sizeof * n)` and `addRange(p, n)`: the number of elements again where bytes are asked for. */
function countedBlock(fn: FunctionIr, start: Expr, size: Expr): string | undefined {
  const [block, count] = [memberPath(uncast(start)), memberPath(size)];
  if (block === undefined || count === undefined || fn.body === undefined) return undefined;
  let isCounted = false;
  const judge = (value: Expr): void => {
    const made = uncast(value);
    if ((made.kind !== 'call' && made.kind !== 'method') || !MALLOC.has(calledName(made) ?? '')) return;
    for (const { value: given } of made.args) {
      if (given.kind !== 'binary' || given.operator !== '*') continue;
      const sides = [given.left, given.right];
      if (sides.some((side) => memberPath(side) === count) && sides.some(isSize)) isCounted = true;
    }
  };
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      if (statement.pattern.name === block) judge(expr);
    if (expr.kind === 'assign' && memberPath(expr.target) === block) judge(expr.value);
  });
  return isCounted ? block : undefined;
}

function isSize(expr: Expr): boolean {
  return (expr.kind === 'field' && expr.name === 'sizeof') || (expr.kind === 'name' && expr.path.at(-1) === 'sizeof');
}

/** The element type of a slice, from its declaration or from the cast that made it. */
function elementOf(file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  let declared: TypeRef | undefined = fn.params.find((param) => param.name === name)?.type;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, statement }) => {
      if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind' || statement.pattern.name !== name) return;
      const made = expr.kind === 'slice' ? expr.base : expr;
      declared ??= statement.type ?? (made.kind === 'cast' ? made.type : undefined);
    });
  declared ??= aggregateOf(file, fn)?.fields.find((field) => field.name === name)?.type;
  return declared?.kind === 'slice' || declared?.kind === 'pointer' ? declared.element : undefined;
}
