import { lineOf } from '../facts/lines.js';
import { openReader } from '../facts/open-readers.js';
import { plainText } from '../facts/plain-text.js';
import { bindingsOf, type Bindings } from '../facts/raw-views.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, Statement, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule } from './rule.js';

const WORDS = ['set_len', 'get_unchecked_mut', 'spare_capacity_mut', 'with_capacity', 'uninit', 'alloc(', 'malloc('];
/** The room behind what a vector holds: `from_raw_parts_mut(list.as_mut_ptr().add(n), list.capacity() - n)`. */
const ROOM = /\bfrom_raw_parts_mut\b[^;]*\.\s*capacity\s*\(/u;

export default defineRule({
  meta: {
    id: 'uninitialised-slice',
    title: 'Slice over uninitialised memory',
    summary:
      'Memory that nothing has written is made a slice or a vector, and is read or given to code that may read it.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'preview',
    since: '0.1.0',
    cwe: ['CWE-908'],
    messages: {
      given:
        "'{owner}' gets its memory at line {made} with nothing in it, and '{reader}' is given it at line {line}: whoever implements that may read what was in this memory before.",
      read: "'{owner}' gets its memory at line {made} with nothing in it, and line {line} reads it before anything is written.",
      dropped:
        "'{owner}' gets its memory at line {made} with nothing in it, and the assignment at line {line} drops the '{type}' that is not there.",
      returned:
        "'{owner}' gets its memory at line {made} with nothing in it, and '{function}' returns it before anything is written.",
    },
    checklist: 'Who writes this memory before somebody reads it, also when fewer bytes come than were asked for?',
    scenarios: [],
  },
  tokens: { rust: [...WORDS, 'from_raw_parts_mut'] },
  requires: { rust: ['unsafe'] },
  bodyTokens: { rust: [...WORDS, ROOM] },
  bodyRequires: { rust: [/\bunsafe\b/u] },
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const fn of file.functions) {
        const { body } = fn;
        if (!body) continue;
        for (const opened of findOpened(unit, file, body)) {
          const use = opened.use ?? firstUse(unit, file, fn, body, opened);
          if (!use || (opened.isSeenElsewhere && use.kind !== 'given')) continue;
          const made = lineOf(unit, file, opened.made.start);
          const owner = opened.name;
          const at = { file, span: opened.span };
          const steps = [
            {
              file,
              span: opened.made,
              role: 'acquire' as const,
              note: 'The memory comes from here, with nothing in it.',
            },
            { file, span: opened.span, role: 'borrow' as const, note: `From here '${owner}' counts as written.` },
            { file, span: use.span, role: 'use' as const, note: use.note },
          ];
          const key = `${fn.qualifiedName}|${owner}`;
          const line = lineOf(unit, file, use.span.start);
          if (use.kind === 'given')
            report({ messageId: 'given', data: { owner, made, line, reader: use.reader }, at, steps, key });
          else if (use.kind === 'read') report({ messageId: 'read', data: { owner, made, line }, at, steps, key });
          else if (use.kind === 'dropped')
            report({ messageId: 'dropped', data: { owner, made, line, type: use.type }, at, steps, key });
          else report({ messageId: 'returned', data: { owner, made, function: fn.name }, at, steps, key });
        }
      }
    }
  },
});

/** The name of memory that counts as written from `span` on, although nothing was written into it. */
interface Opened {
  readonly name: string;
  /** Where the memory comes from. */
  readonly made: Span;
  readonly span: Span;
  /** The type of an element, where it is written. */
  readonly element?: TypeRef;
  /** What happens at once. */
  readonly use?: Use;
  /** Another tool speaks of the memory by default, though not of the reader of the caller that makes it reachable. */
  readonly isSeenElsewhere?: boolean;
}

type Use =
  | { readonly kind: 'given'; readonly span: Span; readonly reader: string; readonly note: string }
  | { readonly kind: 'dropped'; readonly span: Span; readonly type: string; readonly note: string }
  | { readonly kind: 'read' | 'returned'; readonly span: Span; readonly note: string };

function findOpened(unit: UnitFacts, file: FileIr, body: Block): readonly Opened[] {
  const bindings = bindingsOf(body);
  const all: Walked[] = [];
  const lets: { readonly statement: Extract<Statement, { kind: 'let' }> }[] = [];
  walkBody(body, (walked) => {
    all.push(walked);
    const { statement, expr } = walked;
    if (statement?.kind === 'let' && statement.init === expr) lets.push({ statement });
  });
  const found: Opened[] = [];
  for (const { expr } of all) {
    if (expr.kind !== 'method' || expr.method !== 'set_len') continue;
    const name = nameOf(expr.receiver);
    const size = expr.args[0]?.value;
    if (name === undefined || size === undefined || (size.kind === 'literal' && /^0(?:_?usize)?$/u.test(size.text)))
      continue;
    const made = reservedBefore(all, lets, name, expr);
    if (made === undefined) {
      // Where the room came from is not seen, but all of it counts from here on: for a reader only.
      if (isWholeRoom(size, name)) found.push({ name, made: expr.span, span: expr.span, isSeenElsewhere: true });
      continue;
    }
    if (isEmptyType(made.element)) continue;
    const isSeenElsewhere = isSeenByClippy(body, made.span, expr.span);
    const { span: from, element } = made;
    found.push({ name, made: from, span: expr.span, isSeenElsewhere, ...(element ? { element } : {}) });
  }
  for (const { statement } of lets) {
    const { pattern, init } = statement;
    if (pattern.kind !== 'bind' || init === undefined || isMaybeUninit(statement.type)) continue;
    const made = uninitialisedView(unit, file, init, bindings, all);
    const assumed = made === undefined ? assumedValue(init, all) : undefined;
    if (made !== undefined) found.push({ name: pattern.name, made, span: inner(init).span });
    else if (assumed) found.push({ name: pattern.name, made: assumed, span: inner(init).span, isSeenElsewhere: true });
    else found.push(...readAllocation(unit, file, pattern.name, init, bindings, all));
  }
  const isNamed = (name: string, from: number, to: number): boolean => isNamedBetween(unit, file, name, from, to);
  found.push(...assumedAtOnce(lets, bindings, all, body, found, isNamed));
  return found;
}

/** A variable or, with its dots, a field of `self`. */
function nameOf(expr: Expr | undefined): string | undefined {
  if (expr?.kind === 'name' && expr.path.length === 1) return expr.path[0];
  return expr?.kind === 'field' &&
    expr.base.kind === 'name' &&
    expr.base.path.length === 1 &&
    expr.base.path[0] === 'self'
    ? `self.${expr.name}`
    : undefined;
}

/** Whether the expression stands for the memory, or for the whole of which it is a field: whoever is given that may write it. */
function isMention(expr: Expr, parent: Expr | undefined, name: string): boolean {
  if (nameOf(expr) === name) return true;
  return name.startsWith('self.') && nameOf(expr) === 'self' && !(parent?.kind === 'field' && parent.base === expr);
}

/** `self.buf.set_len(self.buf.capacity())` */
function isWholeRoom(size: Expr, name: string): boolean {
  return size.kind === 'method' && size.method === 'capacity' && nameOf(size.receiver) === name;
}

/**
 * Values that rustc and clippy speak of: `mem::uninitialized()`, `MaybeUninit::uninit().assume_init()`; and room of a vector
 * behind its length, `buf.reserve(n)` and then `buf.get_unchecked_mut(..n)`.
 */
function assumedValue(init: Expr, all: readonly Walked[]): Span | undefined {
  const plain = inner(init);
  if (plain.kind === 'call' && plain.callee.kind === 'name')
    return /^(?:mem::)?uninitialized$/u.test(plain.callee.path.slice(-2).join('::')) ? plain.span : undefined;
  if (plain.kind !== 'method') return undefined;
  if (plain.method === 'assume_init') return isUninitialised(plain.receiver) ? plain.receiver.span : undefined;
  const name = nameOf(plain.receiver);
  if (plain.method !== 'get_unchecked_mut' || plain.args[0]?.value.kind !== 'range' || name === undefined)
    return undefined;
  const [last, ...others] = all
    .filter(({ expr }) => nameOf(expr) === name && expr.span.start < plain.span.start)
    .map(({ around }) => around.at(-1))
    .reverse();
  const isAlone = [last, ...others].every((parent) => parent?.kind === 'method' && LOOKS.test(parent.method));
  return isAlone && last?.kind === 'method' && /^reserve/u.test(last.method) ? last.span : undefined;
}

/** A type without content: there is nothing in it that could be read. */
function isEmptyType(type: TypeRef | undefined): boolean {
  return type?.kind === 'tuple' && type.args.length === 0;
}

/** Types of std whose old value an assignment drops. */
const DROPPED = /^(?:String|Vec|VecDeque|Box|Rc|Arc|CString|OsString|PathBuf|HashMap|HashSet|BTreeMap|BTreeSet)$/u;
const STEPS = /^(?:cast|cast_mut|cast_const|add|offset|wrapping_add|as_ptr|as_mut_ptr)$/u;

/** A pointer to an allocation, or a new vector, whose first use reads the memory: `*p`, `p.add(i).read()`, `ptr::read(list.as_ptr())`. */
function readAllocation(
  unit: UnitFacts,
  file: FileIr,
  name: string,
  init: Expr,
  bindings: Bindings,
  all: readonly Walked[],
): readonly Opened[] {
  if (bindings.get(name) !== init) return [];
  const isOwner = isWithCapacity(inner(init)) || (isUninitialised(init) && !isSlice(init));
  const made = isOwner ? inner(init).span : rawMemory(unit, file, inner(init), bindings, all, init.span.end);
  if (made === undefined) return [];
  const mentions = all.filter(({ expr }) => nameOf(expr) === name && expr.span.start >= init.span.end);
  const first = mentions.find((mention) => !isLook(mention));
  const read = first && readThrough(first);
  if (!first || !read || isNamedBetween(unit, file, name, init.span.end, first.expr.span.start)) return [];
  // The next round of a loop may read what this one wrote.
  const loop = loopAfter(first.around, init.span);
  const isOnlyRead = mentions.every(
    (mention) => !loop || !isInside(mention.expr.span, loop) || isLook(mention) || readThrough(mention) !== undefined,
  );
  return isOnlyRead ? [{ name, made, span: read, use: readAt(read) }] : [];
}

/** The expression around a pointer, its casts and arithmetic that uses it, and what is around that. */
function userOf({ expr, around }: Walked): { readonly child: Expr; readonly user?: Expr; readonly outer?: Expr } {
  let child: Expr = expr;
  let at = around.length - 1;
  for (let parent = around[at]; parent !== undefined; parent = around[--at]) {
    const isStep =
      (parent.kind === 'cast' && parent.value === child) ||
      (parent.kind === 'method' && parent.receiver === child && STEPS.test(parent.method));
    if (!isStep) break;
    child = parent;
  }
  const [user, outer] = [around[at], around[at - 1]];
  return { child, ...(user ? { user } : {}), ...(outer ? { outer } : {}) };
}

/** `p.is_null()` of a pointer, `list.len()` of a vector. */
function isLook(mention: Walked): boolean {
  const { child, user } = userOf(mention);
  return user?.kind === 'method' && user.receiver === child && /^(?:is_null|len|capacity|is_empty)$/u.test(user.method);
}

/** Where the memory behind the pointer is read: `*p`, `p.read()`, `ptr::read(p)`. */
function readThrough(mention: Walked): Span | undefined {
  const { child, user, outer } = userOf(mention);
  const isRead =
    user?.kind === 'method'
      ? user.receiver === child && /^read(?:_unaligned|_volatile)?$/u.test(user.method) && user.args.length === 0
      : user?.kind === 'call'
        ? user.callee.kind === 'name' && /^ptr::read(?:_\w+)?$/u.test(user.callee.path.slice(-2).join('::'))
        : user?.kind === 'deref' && isValueRead(user, outer);
  return isRead ? user?.span : undefined;
}

/** The outermost loop among the expressions around that the memory was made outside of. */
function loopAfter(around: readonly Expr[], made: Span): Span | undefined {
  return around.find((outer) => outer.kind === 'loop' && !isInside(made, outer.span))?.span;
}

/** Whether the text names the variable on the way, also where it can't be read, as in a repetition of a macro. */
function isNamedBetween(unit: UnitFacts, file: FileIr, name: string, from: number, to: number): boolean {
  const text = plainText(unit, file, { start: from, end: to });
  return new RegExp(`\\b${name}\\b(?!\\s*\\.\\s*(?:is_null|len|capacity|is_empty)\\b)`, 'u').test(text);
}

/** `*p` as a value: neither assigned to nor taken the address of, nor a place of which a part is meant. */
function isValueRead(deref: Expr, parent: Expr | undefined): boolean {
  if (parent === undefined) return true;
  if (parent.kind === 'assign') return parent.target !== deref || /^[-+*/%&|^]/u.test(parent.operator);
  return (
    parent.kind === 'binary' || parent.kind === 'return' || (parent.kind === 'block' && parent.block.result === deref)
  );
}

/** `b.assume_init()` of a value that is certainly not written, used where it stands. */
function assumedAtOnce(
  lets: readonly { readonly statement: Extract<Statement, { kind: 'let' }> }[],
  bindings: Bindings,
  all: readonly Walked[],
  body: Block,
  found: readonly Opened[],
  isNamed: (name: string, from: number, to: number) => boolean,
): readonly Opened[] {
  const assumed: Opened[] = [];
  for (const { expr, around } of all) {
    if (expr.kind !== 'method' || expr.method !== 'assume_init' || found.some((f) => f.span.start === expr.span.start))
      continue;
    const name = nameOf(expr.receiver);
    const source = name === undefined ? undefined : bindings.get(name);
    if (name === undefined || source === undefined || !isUninitialised(source)) continue;
    if (isNamed(name, source.span.end, expr.receiver.span.start)) continue;
    const plain = inner(source);
    if (isSlice(source)) {
      // Room for many, which the caller gets as if it were filled.
      const isResult = around.every((outer) => outer.kind === 'block' || outer.kind === 'return');
      if (isResult && (body.result ?? expr).span.start <= expr.span.start)
        assumed.push({ name, made: plain.span, span: expr.span, use: returnedAt(expr.span) });
      continue;
    }
    const declared = lets.find(({ statement }) => statement.init === source)?.statement.type;
    const callee = plain.kind === 'call' && plain.callee.kind === 'name' ? plain.callee : undefined;
    const type = declared?.args[0] ?? callee?.typeArgs?.[0];
    if (callee?.path.at(-2) !== 'MaybeUninit' || type === undefined || isMaybeUninit(type) || isEmptyType(type))
      continue;
    assumed.push({ name, made: plain.span, span: expr.span, use: readAt(expr.span) });
  }
  return assumed;
}

function isMaybeUninit(type: TypeRef | undefined): boolean {
  return type?.text.includes('MaybeUninit') === true;
}

/** Methods of a vector that neither write nor read what is in it. */
const LOOKS = /^(?:len|capacity|is_empty|set_len|reserve|reserve_exact|try_reserve|try_reserve_exact|clear)$/u;

/**
 * Where a vector got the room that `set_len` opens: nothing between may have written it, so every other mention of the name
 * in between speaks against it.
 */
function reservedBefore(
  all: readonly Walked[],
  lets: readonly { readonly statement: Extract<Statement, { kind: 'let' }> }[],
  name: string,
  setLength: Expr,
): { readonly span: Span; readonly element: TypeRef | undefined } | undefined {
  let made: Span | undefined;
  let element: TypeRef | undefined;
  for (const { statement } of lets) {
    const { pattern, init, type } = statement;
    if (pattern.kind !== 'bind' || pattern.name !== name || !init || init.span.start > setLength.span.start) continue;
    if (isMaybeUninit(type)) return undefined;
    made = isWithCapacity(init) ? init.span : undefined;
    element =
      type?.args[0] ?? (init.kind === 'call' && init.callee.kind === 'name' ? init.callee.typeArgs?.[0] : undefined);
  }
  for (const { expr, around } of all) {
    const parent = around.at(-1);
    if (expr.span.start >= setLength.span.start || !isMention(expr, parent, name)) continue;
    if (parent?.kind !== 'method' || parent.receiver !== expr || !LOOKS.test(parent.method)) {
      made = undefined;
      continue;
    }
    if (/reserve/u.test(parent.method)) made = parent.span;
  }
  return made && { span: made, element };
}

function isWithCapacity(expr: Expr): boolean {
  return (
    expr.kind === 'call' &&
    expr.callee.kind === 'name' &&
    /^(?:Vec|String|BytesMut)::with_capacity(?:_in)?$/u.test(expr.callee.path.slice(-2).join('::')) &&
    !(expr.callee.typeArgs ?? []).some(isMaybeUninit)
  );
}

/** clippy's uninit_vec, which is an error by default, sees `set_len` in the statement after the allocation. */
function isSeenByClippy(body: Block, made: Span, setLength: Span): boolean {
  const blocks: Block[] = [body];
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'block') blocks.push(expr.block);
    if (expr.kind === 'loop') blocks.push(expr.body);
  });
  return blocks.some(({ statements, result }) => {
    const spans = [...statements.map(({ span }) => span), ...(result ? [result.span] : [])];
    return spans.some((span, at) => {
      const next = spans[at + 1];
      if (next === undefined || !isInside(made, span) || isInside(setLength, span) || !isInside(setLength, next))
        return false;
      // Of a block in that statement it looks at the first statement only.
      return blocks.every((block) => {
        const [first] = block.statements.length > 0 ? block.statements : block.result ? [block.result] : [];
        return (
          !isInside(block.span, next) || !isInside(setLength, block.span) || (first && isInside(setLength, first.span))
        );
      });
    });
  });
}

/** The span of the allocation when an expression is a slice, reference or value over memory that nothing wrote. */
function uninitialisedView(
  unit: UnitFacts,
  file: FileIr,
  expr: Expr,
  bindings: Bindings,
  all: readonly Walked[],
): Span | undefined {
  const plain = inner(expr);
  if (plain.kind === 'call' && plain.callee.kind === 'name') {
    const name = plain.callee.path.at(-1) ?? '';
    const owner = plain.callee.path.at(-2) ?? '';
    const [first] = plain.args;
    if (!/^from_raw_parts(?:_mut)?$/u.test(name) || /^(?:Vec|String)$/u.test(owner) || !first) return undefined;
    return rawMemory(unit, file, first.value, bindings, all, plain.span.start);
  }
  // &mut *(room as *mut [MaybeUninit<u8>] as *mut [u8])
  if (plain.kind === 'address' && plain.base.kind === 'deref')
    return rawMemory(unit, file, plain.base.base, bindings, all, plain.span.start);
  if (plain.kind === 'method' && /^assume_init(?:_mut|_ref)?$/u.test(plain.method)) {
    const name = nameOf(plain.receiver);
    const source = name === undefined ? inner(plain.receiver) : bindings.get(name);
    if (source === undefined || !isUninitialised(source)) return undefined;
    // clippy and rustc see `uninit().assume_init()` of one value, not that of a slice.
    if (name === undefined) return isSlice(source) ? source.span : undefined;
    return isMentionedBetween(all, name, source.span.end, plain.receiver.span.start) ? undefined : source.span;
  }
  return undefined;
}

function inner(expr: Expr): Expr {
  if (expr.kind === 'block' && expr.block.statements.length === 0 && expr.block.result) return inner(expr.block.result);
  return expr.kind === 'try' ? inner(expr.value) : expr;
}

function isUninitialised(expr: Expr): boolean {
  const plain = inner(expr);
  const name = plain.kind === 'call' && plain.callee.kind === 'name' ? plain.callee.path.slice(-2).join('::') : '';
  return /^(?:MaybeUninit::uninit|(?:Box|Rc|Arc)::new_uninit(?:_slice)?|\w+::new_uninit_slice)$/u.test(name);
}

function isSlice(expr: Expr): boolean {
  const plain = inner(expr);
  return plain.kind === 'call' && plain.callee.kind === 'name' && plain.callee.path.at(-1) === 'new_uninit_slice';
}

function isMentionedBetween(all: readonly Walked[], name: string, from: number, to: number): boolean {
  return all.some(({ expr }) => nameOf(expr) === name && expr.span.start >= from && expr.span.start < to);
}

const ALLOCATORS = /^(?:(?:alloc|libc|System)::)?(?:alloc|malloc|realloc)$/u;

/** The allocation that a pointer leads to, when nothing was written through it or its owner before. */
function rawMemory(
  unit: UnitFacts,
  file: FileIr,
  expr: Expr,
  bindings: Bindings,
  all: readonly Walked[],
  before: number,
  depth = 0,
): Span | undefined {
  if (depth > 8) return undefined;
  const next = (value: Expr): Span | undefined => rawMemory(unit, file, value, bindings, all, before, depth + 1);
  switch (expr.kind) {
    case 'cast':
      // Uninitialised memory that stays called so.
      return isMaybeUninit(expr.type) && depth === 0 ? undefined : next(expr.value);
    case 'block':
      return inner(expr) === expr ? undefined : next(inner(expr));
    case 'name': {
      const name = nameOf(expr);
      const bound = name === undefined ? undefined : bindings.get(name);
      if (name === undefined || bound === undefined) return undefined;
      // A pointer that was handed on may have been written through.
      const isUsed = all.some(({ expr: other, around }) => {
        if (nameOf(other) !== name || other.span.start >= before || other.span.start === expr.span.start) return false;
        const parent = around.at(-1);
        return !(parent?.kind === 'method' && parent.receiver === other && parent.method === 'is_null');
      });
      return isUsed ? undefined : next(bound);
    }
    case 'method': {
      if (/^(?:cast|as_mut_ptr|as_ptr|unwrap|expect)$/u.test(expr.method)) {
        const owner = nameOf(expr.receiver);
        const source = owner === undefined ? undefined : bindings.get(owner);
        if (owner === undefined || source === undefined || expr.method === 'cast') return next(expr.receiver);
        if (!isWithCapacity(source) && !isUninitialised(source)) return next(expr.receiver);
        return isFilledBetween(all, owner, source.span.end, before) ? undefined : source.span;
      }
      if (/^(?:add|offset)$/u.test(expr.method)) return spareRoom(expr, all) ?? next(expr.receiver);
      return expr.method === 'spare_capacity_mut' || expr.method === 'unfilled_mut' ? expr.span : undefined;
    }
    case 'call': {
      const name = expr.callee.kind === 'name' ? expr.callee.path.slice(-2).join('::') : '';
      return ALLOCATORS.test(name) && !name.endsWith('zeroed') && isStandard(file, name) ? expr.span : undefined;
    }
    default:
      return undefined;
  }
}

/** `alloc(layout)` of std or malloc of libc, not a function of the package with such a name. */
function isStandard(file: FileIr, name: string): boolean {
  return (
    /^(?:alloc|libc|System)::/u.test(name) ||
    file.imports.some(({ path, name: local }) => local === name && /^(?:alloc|libc)$/u.test(path.at(-2) ?? ''))
  );
}

/** `v.as_mut_ptr().add(v.len())`: the room behind what is in a vector. */
function spareRoom(expr: ExprOf<'method'>, all: readonly Walked[]): Span | undefined {
  const pointer = expr.receiver;
  if (pointer.kind !== 'method' || pointer.method !== 'as_mut_ptr') return undefined;
  const by = expr.args[0]?.value;
  const name = nameOf(pointer.receiver);
  if (by?.kind !== 'method' || by.method !== 'len' || name === undefined || nameOf(by.receiver) !== name)
    return undefined;
  // Only where this function made the room; else it may have been written by whoever did.
  const reserve = all.find(
    ({ expr: other }) =>
      other.kind === 'method' &&
      /^(?:try_)?reserve(?:_exact)?$/u.test(other.method) &&
      nameOf(other.receiver) === name &&
      other.span.start < expr.span.start,
  );
  return reserve?.expr.span;
}

function isFilledBetween(all: readonly Walked[], name: string, from: number, to: number): boolean {
  return all.some(({ expr, around }) => {
    if (nameOf(expr) !== name || expr.span.start < from || expr.span.start >= to) return false;
    const parent = around.at(-1);
    return !(
      parent?.kind === 'method' &&
      parent.receiver === expr &&
      (LOOKS.test(parent.method) || /^(?:as_mut_ptr|as_ptr)$/u.test(parent.method))
    );
  });
}

/** Methods that show the same memory. */
const VIEWS = /^(?:as_mut|as_mut_slice|deref_mut|borrow_mut|get_unchecked_mut)$/u;
const READS =
  /^(?:iter|index|to_vec|to_owned|as_slice|as_str|as_bytes|first|last|get|get_unchecked|clone|into_boxed_slice|hash|contains|eq|concat|chunks|windows|into_iter)$/u;

/** The first thing that happens to the memory, when that is not writing it. */
function firstUse(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block, opened: Opened): Use | undefined {
  let use: Use | undefined;
  let loop: Span | undefined;
  let isOver = false;
  walkBody(body, ({ expr, around, statement }) => {
    const isIn = loop !== undefined && isInside(expr.span, loop);
    if ((isOver && !isIn) || expr.span.start < opened.span.end || !isMention(expr, around.at(-1), opened.name)) return;
    const found = nameOf(expr) === opened.name ? judge(unit, file, fn, body, expr, around, opened.element) : 'unknown';
    if (found === 'none') return;
    if (isOver) {
      // The next round of a loop may read what this one wrote.
      if (found === 'unknown') use = undefined;
      return;
    }
    isOver = true;
    if (found === 'unknown') {
      // let room = &mut self.buffer[from..];
      const part =
        statement?.kind === 'let' && statement.init && isInside(expr.span, statement.init.span) ? statement : undefined;
      if (part?.pattern.kind === 'bind' && part.init && nameOf(expr) === opened.name && isPartOf(part.init, expr)) {
        const next = firstUse(unit, file, fn, body, {
          name: part.pattern.name,
          made: opened.made,
          span: part.init.span,
        });
        if (next?.kind === 'given') use = next;
      }
      return;
    }
    use = found;
    if (found.kind === 'read') loop = loopAfter(around, opened.span);
  });
  return use;
}

/** `&mut room[..]`, `room.as_mut_slice()`, and nothing else around it. */
function isPartOf(init: Expr, name: Expr): boolean {
  let at = inner(init);
  while (at !== name) {
    if (at.kind === 'address' || at.kind === 'slice' || (at.kind === 'index' && at.index.kind === 'range'))
      at = at.base;
    else if (at.kind === 'method' && VIEWS.test(at.method)) at = at.receiver;
    else return false;
  }
  return true;
}

/** What one mention does: nothing to the content, something unknown (it may write), or a read. */
function judge(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  expr: Expr,
  around: readonly Expr[],
  element: TypeRef | undefined,
): Use | 'none' | 'unknown' {
  let child = expr;
  let isLent = false;
  let isExclusive = false;
  let isPart = false;
  for (const parent of [...around].reverse()) {
    switch (parent.kind) {
      case 'address':
        isExclusive = parent.mutable;
        isLent = !parent.mutable;
        break;
      case 'slice':
      case 'index':
        if (parent.base !== child) return 'none';
        isPart = parent.kind === 'index' && parent.index.kind !== 'range';
        break;
      case 'deref':
      case 'try':
      case 'await':
        break;
      case 'method': {
        if (parent.receiver === child) {
          if (LOOKS.test(parent.method)) return 'none';
          if (VIEWS.test(parent.method)) {
            isExclusive = true;
            break;
          }
          if (READS.test(parent.method) && !isExclusive)
            return { kind: 'read', span: parent.span, note: `'${parent.method}' reads it here.` };
          return 'unknown';
        }
        return givenTo(openReader(unit, file, fn, parent, child), parent.span);
      }
      case 'assign':
        if (parent.target === child && isPart && parent.operator === '=' && element && DROPPED.test(element.name))
          return { kind: 'dropped', span: parent.span, type: element.text, note: 'What is not there is dropped here.' };
        return parent.target === child ? 'unknown' : isPart ? readAt(parent.span) : 'unknown';
      case 'loop':
        return parent.iterable === child && isLent && !isPart ? readAt(child.span) : 'unknown';
      case 'binary':
        return isPart ? readAt(child.span) : 'unknown';
      case 'return':
        return isPart ? readAt(parent.span) : returnedAt(parent.span);
      case 'block':
        if (parent.block.result !== child) return 'unknown';
        break;
      case 'call': {
        const name = parent.callee.kind === 'name' ? (parent.callee.path.at(-1) ?? '') : '';
        // Ok(buffer), Some(buffer)
        if (/^(?:Ok|Some)$/u.test(name)) break;
        return isExclusive ? givenTo(openReader(unit, file, fn, parent, child), parent.span) : 'unknown';
      }
      default:
        return 'unknown';
    }
    child = parent;
  }
  // `let first = buffer[0];` and `buffer[0]` as a result.
  if (isPart && !isExclusive && !isLent) return readAt(child.span);
  return body.result === child && !isPart && !isExclusive ? returnedAt(child.span) : 'unknown';
}

function givenTo(reader: string | undefined, span: Span): Use | 'unknown' {
  if (reader === undefined) return 'unknown';
  const note = `'${reader.split('.').at(-1) ?? reader}' of any implementation is given it here.`;
  return { kind: 'given', span, reader, note };
}

const readAt = (span: Span): Use => ({ kind: 'read', span, note: 'It is read here.' });
const returnedAt = (span: Span): Use => ({ kind: 'returned', span, note: 'It is returned here.' });
