import {
  aggregateOf,
  boundNames,
  calledName,
  closureOf,
  declaredTypeOf,
  hasBody,
  initOf,
  memberPath,
  onlyInitOf,
  returnedValues,
  walkDeep,
} from '../facts/d-code.js';
import { findCursorReads } from '../facts/cursor-reads.js';
import { lineOf } from '../facts/lines.js';
import { findComparisons, findTrustedLengths } from '../facts/slice-overruns.js';
import { elementBytes, lengthOf, SIZES, sliceOfPointer } from '../facts/slices.js';
import type { UnitFacts } from '../facts/unit.js';
import { findFilled, findUnterminated, isReadOnlyText } from '../facts/unterminated-texts.js';
import { withoutAlias } from '../flow/types.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

/** The address of the first element, which is a pointer to all of them. */
const FIRST = /&\s*\w+\s*\[\s*0\s*\]/u;

/** A function that writes a terminator. */
const TERMINATES = /\\0|\\x00|toStringz|(?:\]\s*=|~=?)\s*(?:cast\s*\([^()]*\)\s*)?0\b/u;

export default defineRule({
  meta: {
    id: 'past-end-read',
    title: 'Read past the end of a slice',
    summary: 'The element behind the end of a slice is read through its pointer.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-125', 'CWE-126'],
    messages: {
      read: "'{pointer}' points behind the last element of '{slice}' (line {made}) and is read at line {line}: that memory belongs to somebody else, may change at any time, or is not mapped.",
      size: "'{slice}.sizeof' is the size of the slice itself, a length and a pointer, and not of its elements: '{call}' (line {line}) touches that many bytes at '{slice}.ptr' however many there are.",
      more: "'{call}' (line {line}) reads more than the elements of '{slice}', whose length it adds to or takes for that of wider ones: what lies behind them belongs to somebody else, or is not mapped.",
      longer:
        "'{shown}' (line {line}) goes on behind the last element of '{slice}': what lies there belongs to somebody else, or is not mapped.",
      scan: "The loop (line {line}) moves '{pointer}' on to a zero: it points into '{slice}' (line {made}), which need not have one, and goes on behind its end.",
      skip: "The loop (line {line}) moves '{pointer}' on as long as it likes what it reads, and nothing asks for the end of '{slice}' (line {made}): it goes on behind it.",
      ahead:
        "The loop stops '{cursor}' at the end of '{slice}' (line {bound}), and what is read at line {line} is behind that: on the last element it is past the end.",
      wide: "The loop goes up to the end of '{slice}' (line {bound}), and line {line} reads several elements at once: near the end they are not all there.",
      last: "'{cursor}' goes up to the end of '{slice}' itself (line {bound}) and is read there (line {line}): behind the last element is somebody else's memory.",
      behind:
        "The loop may have stopped '{cursor}' at the end of '{slice}' (line {bound}), and what is there is read at line {line} without asking.",
      shorter:
        "'memcmp' (line {line}) reads as many bytes of '{slice}' as it is told, and nothing here asks whether '{slice}' has that many.",
      trusted:
        "'{count}' was read from '{slice}' itself (line {read}), and the slice at line {line} believes it: nothing asks whether '{slice}' has that many elements.",
      filled:
        "'{call}' (line {filled}) may fill '{slice}' up to its end, which leaves no terminator, and what is called at line {line} looks for one.",
      text: "'{call}' (line {line}) reads on to a terminator, and {slice} has none: it goes on behind the end.",
    },
    checklist: 'Does the slice really have what is read behind its end?',
    scenarios: ['command'],
  },
  tokens: { d: ['.ptr', '[0]'] },
  requires: { d: ['.length', '.sizeof', 'core.', 'extern', '*', '.ptr['] },
  bodyTokens: { d: ['.ptr', FIRST] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      const all = unit.textOf(file.path) ?? '';
      for (const fn of file.functions) {
        if (fn.parent !== undefined || !hasBody(fn)) continue;
        const text = all.slice(fn.span.start, fn.span.end);
        if (!text.includes('.ptr') && !FIRST.test(text)) continue;
        const around = commentOf(all, fn) + text;
        const at = (span: Span): number => lineOf(unit, file, span.start);
        for (const { slice, call, span } of text.includes('.sizeof') ? findHeaderSizes(unit, file, fn) : [])
          report({
            messageId: 'size',
            data: { slice, call, line: at(span) },
            at: { file, span },
            steps: [],
            key: `${fn.name}|${slice}.sizeof`,
          });
        for (const { slice, call, span } of findLongCopies(file, fn, text))
          report({
            messageId: 'more',
            data: { slice, call, line: at(span) },
            at: { file, span },
            steps: [],
            key: `${fn.name}|${slice}|${call}`,
          });
        for (const { slice, call, span } of TERMINATES.test(text) ? [] : findUnterminated(unit, file, fn, around))
          report({
            messageId: 'text',
            data: { slice, call, line: at(span) },
            at: { file, span },
            steps: [],
            key: `${fn.name}|${slice}|${call}`,
          });
        for (const { slice, span } of findLongSlices(file, fn))
          report({
            messageId: 'longer',
            data: { shown: shorten(all.slice(span.start, span.end)), slice, line: at(span) },
            at: { file, span },
            steps: [],
            key: `${fn.name}|${slice}|the slice`,
          });
        // Who speaks of a terminator may have put one behind the end.
        const isEndKnown = /\\0|\\x00|toStringz|\bcapacity\b|sentinel|terminat|\bpadd/iu.test(around);
        const own = [fn, ...nestedIn(file, fn)];
        for (const inner of isEndKnown ? [] : own)
          for (const read of hasBody(inner) ? findCursorReads(unit, file, inner) : [])
            report({
              messageId: read.kind,
              data: { slice: read.slice, cursor: read.cursor, bound: at(read.bound), line: at(read.read) },
              at: { file, span: read.read },
              steps: [
                {
                  file,
                  span: read.bound,
                  role: 'borrow',
                  note: `'${read.cursor}' is kept inside of '${read.slice}' here.`,
                },
                { file, span: read.read, role: 'use', note: 'This is read without asking for more.' },
              ],
              key: `${fn.name}|${read.slice}|${read.kind}`,
            });
        for (const { slice, span } of fn.isPublic ? findComparisons(file, fn) : [])
          report({
            messageId: 'shorter',
            data: { slice, line: at(span) },
            at: { file, span },
            steps: [],
            key: `${fn.name}|${slice}|shorter`,
          });
        for (const { slice, count, read, span } of findTrustedLengths(file, fn))
          report({
            messageId: 'trusted',
            data: { slice, count, read: at(read), line: at(span) },
            at: { file, span },
            steps: [{ file, span: read, role: 'borrow', note: `'${count}' is what '${slice}' says.` }],
            key: `${fn.name}|${slice}|trusted`,
          });
        for (const { slice, call, filled, span } of findFilled(file, fn))
          report({
            messageId: 'filled',
            data: { slice, call, filled: at(filled), line: at(span) },
            at: { file, span },
            steps: [{ file, span: filled, role: 'borrow', note: `'${slice}' may be filled up to its end here.` }],
            key: `${fn.name}|${slice}|filled`,
          });
        for (const { slice, pointer, made, span, isSkip } of findScans(file, fn, all))
          report({
            messageId: isSkip ? 'skip' : 'scan',
            data: { slice, pointer, made: at(made), line: at(span) },
            at: { file, span },
            steps: [{ file, span: made, role: 'borrow', note: `'${pointer}' points into '${slice}' from here on.` }],
            key: `${fn.name}|'${slice}'|the loop`,
          });
        // Whoever asks for the capacity knows what lies behind the end.
        if (!text.includes('.length') || /\.\s*capacity\b/u.test(text)) continue;
        for (const { pointer, slice, made, read } of findReads(file, fn))
          report({
            messageId: 'read',
            data: { pointer, slice, made: at(made), line: at(read) },
            at: { file, span: read },
            steps: [
              { file, span: made, role: 'borrow', note: `This points behind the last element of '${slice}'.` },
              { file, span: read, role: 'use', note: 'It is read here.' },
            ],
            key: `${fn.name}|${slice}`,
          });
      }
    }
  },
});

/** A text of the source on one line, cut where it is long. */
function shorten(text: string): string {
  const line = text.replace(/\s+/gu, ' ');
  return line.length > 60 ? `${line.slice(0, 58)}..` : line;
}

/** Functions of C that touch as many bytes as they are told, with the places of their pointers and of the size. */
const SIZED: ReadonlyMap<string, { readonly pointers: readonly number[]; readonly size: number }> = new Map([
  ['memcpy', { pointers: [0, 1], size: 2 }],
  ['memmove', { pointers: [0, 1], size: 2 }],
  ['memcmp', { pointers: [0, 1], size: 2 }],
  ['memset', { pointers: [0], size: 2 }],
  ['write', { pointers: [1], size: 2 }],
  ['read', { pointers: [1], size: 2 }],
  ['recv', { pointers: [1], size: 2 }],
  ['send', { pointers: [1], size: 2 }],
]);

/** Names that others than the system have too: `write` of std.stdio prints what it is given. */
const AMBIGUOUS = new Set(['write', 'read', 'recv', 'send']);

/** Whether the call is that of the system: the unit imports or declares it, or its first argument is a descriptor. */
function isOfSystem(unit: UnitFacts, file: FileIr, fn: FunctionIr, call: string, first: Expr | undefined): boolean {
  if (first?.kind === 'literal' && !/^\d/u.test(first.text)) return false;
  const imports = file.imports.map(({ path }) => path.join('.'));
  if (imports.some((path) => /^core\.(?:sys|stdc)\.(?:\w+\.)*(?:unistd|socket|winsock2|io)(?:\.|$)/u.test(path)))
    return true;
  if (unit.functionsNamed(call, 'd', file.path).some(({ item }) => item.abi !== undefined && item.body === undefined))
    return true;
  if (first === undefined || imports.some((path) => /^std(?:\.stdio)?(?:\.|$)/u.test(path))) return false;
  const name = memberPath(first);
  const type = name === undefined ? undefined : declaredTypeOf(file, fn, name);
  return first.kind === 'literal' || (type?.kind === 'path' && /^(?:int|socket_t|SOCKET)$/u.test(type.name));
}

interface LongSlice {
  readonly slice: string;
  readonly span: Span;
}

interface HeaderSize extends LongSlice {
  readonly call: string;
}

/** `memcpy(to.ptr, from.ptr, from.sizeof)` where `from` is a dynamic array. */
function findHeaderSizes(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly HeaderSize[] {
  const found: HeaderSize[] = [];
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'call') return;
    const call = calledName(expr) ?? '';
    const sized = SIZED.get(call);
    const size = sized === undefined ? undefined : expr.args[sized.size]?.value;
    if (sized === undefined || (AMBIGUOUS.has(call) && !isOfSystem(unit, file, inside, call, expr.args[0]?.value)))
      return;
    if (size?.kind !== 'field' || size.name !== 'sizeof') return;
    const slice = memberPath(size.base);
    const isShown = sized.pointers.some((at) => {
      const given = expr.args[at]?.value;
      return slice !== undefined && given !== undefined && sliceOfPointer(given) === slice;
    });
    if (slice === undefined || !isShown) return;
    const type = declaredTypeOf(file, inside, slice) ?? declaredTypeOf(file, fn, slice);
    if (withoutAlias(type, unit.oracle('d'), file.path)?.kind === 'slice') found.push({ slice, call, span: expr.span });
  });
  return found;
}

/** `memcpy(to, from.ptr, from.length + 1)`, `memcpy(to, bytes.ptr, bytes.length * uint.sizeof)`. */
function findLongCopies(file: FileIr, fn: FunctionIr, text: string): readonly HeaderSize[] {
  const found: HeaderSize[] = [];
  // A terminator is copied, too.
  const isMeasured = TERMINATES.test(text) || /\bstrlen\b/u.test(text);
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'call') return;
    const call = calledName(expr) ?? '';
    const [, from, size] = expr.args.map(({ value }) => value);
    if ((call !== 'memcpy' && call !== 'memmove') || from === undefined || size === undefined) return;
    const slice = sliceOfPointer(from);
    if (slice === undefined) return;
    const isLonger = !isMeasured && longerThan(size) === slice && !isLiteral(file, text, slice);
    if (isLonger || isTimesWider(file, inside, slice, size)) found.push({ slice, call, span: expr.span });
  });
  return found;
}

/** `bytes.length * uint.sizeof`: as many wider elements as there are narrow ones. */
function isTimesWider(file: FileIr, fn: FunctionIr, slice: string, size: Expr): boolean {
  if (size.kind !== 'binary' || size.operator !== '*') return false;
  const narrow = elementBytes(declaredTypeOf(file, fn, slice));
  return [size.left, size.right].some((side, at, both) => {
    const of = side.kind === 'field' && side.name === 'sizeof' ? memberPath(side.base) : undefined;
    const wide = SIZES.get(of ?? '');
    const other = both[1 - at];
    return wide !== undefined && narrow !== undefined && wide > narrow && other && lengthOf(fn, other) === slice;
  });
}

/** Functions and closures inside of a function. */
function nestedIn(file: FileIr, fn: FunctionIr): readonly FunctionIr[] {
  const found = new Set([fn.id]);
  const inner: FunctionIr[] = [];
  for (const one of file.functions)
    if (one.parent !== undefined && found.has(one.parent)) {
      found.add(one.id);
      inner.push(one);
    }
  return inner;
}

/** The comment in front of a function. */
function commentOf(all: string, { span }: FunctionIr): string {
  return /[^;{}]*$/u.exec(all.slice(Math.max(0, span.start - 400), span.start))?.[0] ?? '';
}

/** `s.ptr[0 .. s.length + 1]`, `(cast(ulong*) bytes.ptr)[0 .. (bytes.length + 7) / 8]`, `list.ptr[0 .. list.capacity]` of the caller's. */
function findLongSlices(file: FileIr, fn: FunctionIr): readonly LongSlice[] {
  const found: LongSlice[] = [];
  walkDeep(file, fn, ({ expr }, inside) => {
    // What a lambda is given is up to the function that it is handed to.
    if (expr.kind !== 'slice' || expr.to === undefined || inside.kind === 'closure') return;
    const slice = sliceOfPointer(expr.base);
    // A field is mostly a container's, which has more room than it shows; what has a type of its own may have, too.
    if (slice === undefined) return;
    const param = inside.params.find((one) => one.name === slice);
    const wide = wideOf(expr.base);
    const isOne = boundNames(inside.body).filter((name) => name === slice).length < 2;
    const narrow = isOne ? elementBytes(declaredTypeOf(file, inside, slice)) : undefined;
    // The runtime's own hooks are given arrays of any type as bytes, with the number of their elements.
    const isHook = inside.abi !== undefined;
    if (!isHook && narrow !== undefined && wide > narrow && lengthOf(inside, expr.to) === slice)
      found.push({ slice, span: expr.span });
    if (param?.type?.kind !== 'slice') return;
    const to = onlyInitOf(inside, expr.to) ?? expr.to;
    const isOwn = to.kind === 'field' && memberPath(to.base) === slice;
    const isCapacity = isOwn && to.name === 'capacity' && !param.modifiers.includes('ref');
    if (longerThan(to) === slice || isCapacity || roundsUp(expr.base, to) === slice)
      found.push({ slice, span: expr.span });
  });
  return found;
}

/** The bytes of an element of what a pointer is cast to; 0 without a cast or where they are not known. */
function wideOf(base: Expr): number {
  return base.kind === 'cast' && base.type.kind === 'pointer' ? (SIZES.get(base.type.element?.name ?? '') ?? 0) : 0;
}

/** `(list.length + 7) / 8` of elements that are wider than those of `list`: the last one may go over the end. */
function roundsUp(base: Expr, to: Expr): string | undefined {
  const wide = wideOf(base);
  if (wide < 2 || to.kind !== 'binary' || (to.operator !== '/' && to.operator !== '>>')) return undefined;
  return longerThan(to.left);
}

interface Scan extends LongSlice {
  readonly pointer: string;
  readonly made: Span;
  /** It stops at what it does not like, not at a zero. */
  readonly isSkip: boolean;
}

/**
 * Loops over a pointer into a slice that end only at a zero, which the slice need not have (`while (*p != 0) p++;`), or only at what is not
 * what they skip (`while (*p == ' ') p++;`).
 */
function findScans(file: FileIr, fn: FunctionIr, all: string): readonly Scan[] {
  const found: Scan[] = [];
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'loop' || expr.condition === undefined) return;
    const zero = scannedBy(expr.condition);
    const pointer = zero ?? skippedBy(expr.condition);
    if (pointer === undefined) return;
    const made = initOf(inside, pointer);
    const slice = made === undefined ? undefined : sliceOfPointer(made);
    if (made === undefined || slice === undefined) return;
    const given = inside.params.find((one) => one.name === slice)?.type;
    const field = given ?? aggregateOf(file, inside)?.fields.find((one) => one.name === slice && !one.isStatic)?.type;
    const type = zero === undefined ? field : given;
    if (!isReadOnlyText(type) || type?.qualifiers?.includes('immutable') === true || type?.name === 'string') return;
    // A zero behind the end stops what skips blanks, too.
    if (zero === undefined && /\\0|\\x00|toStringz|sentinel|terminat|~=\s*0\b/iu.test(all)) return;
    // Whoever compares the pointer with another one looks for the end as well.
    let isBounded = false;
    let isMoved = false;
    const look = (one: Expr): void => {
      if (one.kind === 'binary' && /^(?:<|>|<=|>=|==|!=|is|!is|-)$/u.test(one.operator))
        isBounded ||= [one.left, one.right].some((side) => side.kind === 'name' && side.path[0] === pointer);
      if (one.kind === 'field' && one.name === 'length') isBounded = true;
      isMoved ||= one.kind === 'assign' && one.target.kind === 'name' && one.target.path[0] === pointer;
    };
    walkExpression(expr.condition, ({ expr: one }) => look(one));
    walkBody(expr.body, ({ expr: one }) => look(one));
    if (expr.update) walkExpression(expr.update, ({ expr: one }) => look(one));
    if (zero === undefined && inside.body !== undefined) {
      walkBody(inside.body, ({ expr: one }) => {
        if (one.kind === 'binary' && /^(?:<|>|<=|>=|==|!=)$/u.test(one.operator)) look(one);
        if (one.kind === 'field' && /^(?:length|empty)$/u.test(one.name)) isBounded ||= memberPath(one.base) === slice;
      });
    }
    if (isMoved && !isBounded)
      found.push({ slice, pointer, made: made.span, span: expr.condition.span, isSkip: zero === undefined });
  });
  // One loop is enough to say it.
  return found.filter((one, at) => !one.isSkip || found.findIndex((other) => other.slice === one.slice) === at);
}

/** The pointer that a condition reads and compares with zero only: `*p`, `*p != 0`, `*p != '\0'`. */
function scannedBy(condition: Expr): string | undefined {
  const read =
    condition.kind === 'binary' && condition.operator === '!=' && isZero(condition.right) ? condition.left : condition;
  return read.kind === 'deref' && read.base.kind === 'name' ? read.base.path[0] : undefined;
}

/** The pointer that a condition reads and compares with other characters: `*p == ' '`, `*p >= '0' && *p <= '9'`, `isSpace(*p)`. */
function skippedBy(condition: Expr): string | undefined {
  if (condition.kind === 'binary' && /^(?:&&|\|\|)$/u.test(condition.operator)) {
    const left = skippedBy(condition.left);
    return left !== undefined && left === skippedBy(condition.right) ? left : undefined;
  }
  const read =
    condition.kind === 'binary' && /^(?:==|!=|<|>|<=|>=)$/u.test(condition.operator) && !isZero(condition.right)
      ? condition.left
      : condition.kind === 'call' && condition.args.length === 1
        ? condition.args[0]?.value
        : condition.kind === 'method'
          ? condition.receiver
          : undefined;
  return read?.kind === 'deref' && read.base.kind === 'name' ? read.base.path[0] : undefined;
}

function isZero(expr: Expr): boolean {
  return expr.kind === 'literal' && /^(?:0|'\\0'|'\\x00')$/u.test(expr.text);
}

/** `list` for `list.length + 1`, also times the size of an element. */
function longerThan(size: Expr): string | undefined {
  if (size.kind !== 'binary') return undefined;
  if (size.operator === '*') return longerThan(size.left) ?? longerThan(size.right);
  const { left, right } = size;
  const isMore = size.operator === '+' && right.kind === 'literal' && /^[1-9]/u.test(right.text);
  return isMore && left.kind === 'field' && left.name === 'length' ? memberPath(left.base) : undefined;
}

/** A literal, which has a terminator behind its end: `auto s = "abc";`, `enum name = "abc";`. */
function isLiteral(file: FileIr, text: string, name: string): boolean {
  if (!/^\w+$/u.test(name)) return false;
  if (file.globals.some((global) => global.name === name && global.init?.kind === 'literal')) return true;
  return new RegExp(`\\b${name}\\s*=\\s*[cwr]?["\`]`, 'u').test(text);
}

interface Read {
  readonly pointer: string;
  readonly slice: string;
  readonly made: Span;
  readonly read: Span;
}

function findReads(file: FileIr, fn: FunctionIr): readonly Read[] {
  const ends = new Map<string, { readonly slice: string; readonly made: Span }>();
  const moved = new Set<string>();
  // `list = list[0 .. $ - 1];`: what lies behind the end is what was the last element.
  const shortened = new Map<string, number>();
  const found: Read[] = [];
  const endOf = (expr: Expr): string | undefined =>
    pastEnd(expr) ?? (expr.kind === 'call' ? helperEnd(file, fn, expr) : undefined);
  walkDeep(file, fn, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && statement.init === expr) {
      const slice = endOf(expr);
      if (slice !== undefined) ends.set(statement.pattern.name, { slice, made: expr.span });
    }
    if (expr.kind === 'assign' && expr.target.kind === 'name') moved.add(expr.target.path[0] ?? '');
    const cut = expr.kind === 'assign' && isShortened(expr) ? memberPath(expr.target) : undefined;
    if (cut !== undefined) shortened.set(cut, expr.span.end);
    if (expr.kind === 'unary' && /^(?:\+\+|--)$/u.test(expr.operator) && expr.operand.kind === 'name')
      moved.add(expr.operand.path[0] ?? '');
  });
  walkDeep(file, fn, ({ expr, around }) => {
    const base =
      expr.kind === 'deref'
        ? expr.base
        : expr.kind === 'index' && expr.index.kind === 'literal' && expr.index.text === '0'
          ? expr.base
          : undefined;
    if (base !== undefined) {
      const parent = around.at(-1);
      if (parent?.kind === 'address' || (parent?.kind === 'assign' && parent.target === expr)) return;
      const direct = pastEnd(base);
      if (direct !== undefined)
        found.push({ pointer: `${direct}.ptr + ${direct}.length`, slice: direct, made: base.span, read: expr.span });
      const name = base.kind === 'name' ? base.path[0] : undefined;
      const end = name === undefined || moved.has(name) ? undefined : ends.get(name);
      if (name !== undefined && end !== undefined)
        found.push({ pointer: name, slice: end.slice, made: end.made, read: expr.span });
      return;
    }
    // `s.ptr[s.length]`
    if (expr.kind !== 'index' || expr.base.kind !== 'field' || expr.base.name !== 'ptr') return;
    const slice = memberPath(expr.base.base);
    const isLength =
      expr.index.kind === 'field' && expr.index.name === 'length' && memberPath(expr.index.base) === slice;
    const parent = around.at(-1);
    if (
      slice !== undefined &&
      isLength &&
      parent?.kind !== 'address' &&
      // Who asserts that a terminator is there was promised one.
      !(parent?.kind === 'binary' && isAssertion(around.at(-2))) &&
      !(parent?.kind === 'assign' && parent.target === expr)
    )
      found.push({ pointer: `${slice}.ptr[${slice}.length]`, slice, made: expr.base.span, read: expr.span });
  });
  return found.filter(({ slice, made }) => (shortened.get(slice) ?? Infinity) > made.start);
}

function isAssertion(expr: Expr | undefined): boolean {
  return expr?.kind === 'call' && calledName(expr) === 'assert';
}

/** `list = list[0 .. $ - 1]`, also by way of the pointer. */
function isShortened({ target, value, operator }: ExprOf<'assign'>): boolean {
  if (operator !== '=' || value.kind !== 'slice') return false;
  const base = value.base.kind === 'field' && value.base.name === 'ptr' ? value.base.base : value.base;
  const list = memberPath(target);
  return list !== undefined && memberPath(base) === list && value.to?.kind === 'binary' && value.to.operator === '-';
}

/** The slice `s` of `s.ptr + s.length`. */
function pastEnd(expr: Expr): string | undefined {
  if (expr.kind === 'cast') return pastEnd(expr.value);
  if (expr.kind !== 'binary' || expr.operator !== '+') return undefined;
  const slice = sliceOfPointer(expr.left);
  return slice !== undefined &&
    expr.right.kind === 'field' &&
    expr.right.name === 'length' &&
    memberPath(expr.right.base) === slice
    ? slice
    : undefined;
}

/** A nested function that returns such a pointer into its parameter: the slice that the call passes. */
function helperEnd(file: FileIr, fn: FunctionIr, call: ExprOf<'call'>): string | undefined {
  const name = calledName(call);
  const helper =
    closureOf(file, call.callee) ?? file.functions.find((one) => one.name === name && one.parent === fn.id);
  if (helper === undefined) return undefined;
  const slice = returnedValues(helper)
    .map(pastEnd)
    .find((one) => one !== undefined);
  if (slice === undefined) return undefined;
  const index = helper.params.findIndex((param) => param.name === slice);
  const argument = index < 0 ? undefined : call.args[index]?.value;
  return argument === undefined ? slice : (memberPath(argument) ?? slice);
}
