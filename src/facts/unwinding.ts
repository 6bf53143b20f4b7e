import type { Expr, ExprOf, FileIr, FunctionIr } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import { declaringFile, hasDrop } from './declarations.js';
import type { UnitFacts } from './unit.js';

/** Code of others that may panic while a container counts elements which it has no more, or twice. */
export interface UnwindHazard {
  readonly kind: 'dropped' | 'moved' | 'counted';
  /** The call of code that is not the container's own. */
  readonly code: { readonly span: Span; readonly what: string };
  /** Where an element was copied bit by bit; only for `moved`. */
  readonly copy?: { readonly span: Span; readonly what: string };
  /** Where the container is told, too late; for `counted` too early. */
  readonly settled: { readonly span: Span; readonly what: string };
}

interface Event {
  readonly kind: 'drop' | 'code' | 'copy' | 'settle' | 'claim' | 'count' | 'fill' | 'assign';
  readonly span: Span;
  readonly what: string;
  readonly around: readonly Expr[];
  /** `settle`: fields from `self` on; `copy` and `drop`: the source of what is copied or dropped. */
  readonly path?: readonly string[];
  readonly text?: string;
  /** `mem::forget` and `from_raw`: the variable. */
  readonly name?: string;
  /** `count`: the field that was moved on is the index of the element that is written next: `self.start`. */
  readonly slot?: string;
}

/** Names of fields that say how many elements there are, or which. */
const COUNTS =
  /^(?:\w+_)?(?:len|length|size|count|cap|front|back|head|tail|start|end|begin|full|filled|init|initialized|pos|next|left|right|state|items|occupied|remaining|index|cursor|top|alive|live|written|ofs|offset)$/u;

/** Methods of a container that tell it which elements are there: `self.advance_read_index(n)`. */
const TELLS_COUNT =
  /^(?:advance|set|move|bump|increment|update)_((?:\w+_)?(?:index|len|length|head|tail|pos|position|count|front|start|offset))$/u;

/** Atomics and cells that are told and asked at once: whoever comes next sees that the element is taken. */
const CLAIMS = /^(?:swap|replace|take|compare_exchange(?:_weak)?|fetch_(?:add|sub|and|or|xor|update|max|min))$/u;

/** What gives its elements away, so that the container has them no longer. */
const TAKES_OUT =
  /\.\s*(?:pop\w*|drain|split_off|take|swap_remove|remove)\s*\(|\b(?:mem\s*::\s*)?(?:take|replace|swap)\s*\(\s*&\s*mut\b|\bmem\s*::\s*(?:take|replace)\s*\(/u;

/** Names of fields that count more elements when they get larger. */
const RAISES = /^(?:\w+_)?(?:len|length|size|count|back|right|tail|end|filled|init|initialized|occupied|written)$/u;

/** A guard inside the function, or another way to see a panic through. */
const GUARDED =
  /\bimpl\b[^;{]*\bDrop\s+for\b|\bcatch_unwind\b|\bscopeguard\b|\bdefer!|\b\w*(?:Guard|Hole|Bomb|OnDrop|OnUnwind|Dropper|SetLen\w*|Abort\w*|Backshift\w*|Restore\w*)\b|\bguard\s*\(|\babort\s*\(/u;

const CALLABLE = /\bFn(?:Mut|Once)?\b/u;
/** Bounds of types that have no destructor. */
const PLAIN =
  /\b(?:Copy|Pod|Zeroable|NoUninit|AnyBitPattern|Float|Num|NumCast|PrimInt|Integer|Primitive|NativeType)\b/u;
/** Methods of the standard traits that are the user's when a type of his is bound by the trait. */
const OF_TRAIT: ReadonlyMap<string, RegExp> = new Map([
  ['clone', /\bClone\b/u],
  ['cmp', /\bOrd\b/u],
  ['partial_cmp', /\bPartialOrd\b/u],
  ['eq', /\b(?:Partial)?Eq\b/u],
  ['hash', /\bHash\b/u],
  ['equivalent', /\bEquivalent\b/u],
]);
const COMPARES = /\b(?:Partial)?(?:Ord|Eq)\b/u;
const ITERATES = /\b(?:IntoIterator|Iterator|DoubleEndedIterator|ExactSizeIterator)\b/u;

/**
 * What a panic in a destructor, a closure or an iterator that the caller gave does to a container in this function: elements that are
 * dropped or copied bit by bit first, and only afterwards taken out of the count. Only elements of a type that the caller chooses count.
 */
export function findUnwindHazards(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly UnwindHazard[] {
  if (!fn.body || fn.isTest) return [];
  const source = unit.textOf(file.path) ?? '';
  if (!hasTypeParameter(file, fn, source)) return [];
  const text = source.slice(fn.body.span.start, fn.body.span.end);
  if (GUARDED.test(text)) return [];
  const events = eventsOf(unit, file, fn, source);
  const early = events.filter((e) => e.kind === 'count').flatMap((e) => countedTooEarly(e, events));
  if (early[0]) return [early[0]];
  const settles = events.filter((e) => e.kind === 'settle');
  if (settles.length === 0) return [];
  const claims = events.filter((e) => e.kind === 'claim');
  const dropped = events
    .filter(
      (e) =>
        e.kind === 'drop' && !isTakenOut(source.slice(Math.max(fn.span.start, e.span.start - 2000), e.span.start), e),
    )
    .flatMap((e) => droppedTooEarly(fn, e, settles, claims));
  if (dropped[0]) return [dropped[0]];
  const copies = events.filter((e) => e.kind === 'copy');
  for (const code of events.filter((e) => e.kind === 'code')) {
    const hazard = copiedTooLong(code, copies, settles);
    if (hazard) return [hazard];
  }
  return [];
}

/** `while let Some(p) = self.drops.pop()`, `for p in self.drops.drain(..)`: what is dropped is no longer in the container. */
function isTakenOut(text: string, { text: dropped = '' }: Event): boolean {
  const name = /^[*&(\s]*([a-z_]\w*)\b/u.exec(dropped)?.[1];
  if (name === undefined || name === 'self') return false;
  const from = new RegExp(
    String.raw`(?:\bSome\s*\(\s*(?:mut\s+)?${name}\s*\)\s*=|\bfor\s+(?:mut\s+)?${name}\s+in\b)([^;{]*)`,
    'u',
  ).exec(text);
  const source = (from?.[1] ?? '').trim();
  if (TAKES_OUT.test(source)) return true;
  const list = /^([a-z_]\w*)(?:\s*\.\s*into_iter\s*\(\s*\))?$/u.exec(source)?.[1];
  const made =
    list === undefined ? undefined : new RegExp(String.raw`\blet\s+(?:mut\s+)?${list}\b[^=;]*=([^;]*)`, 'u').exec(text);
  return TAKES_OUT.test(made?.[1] ?? '');
}

function droppedTooEarly(
  fn: FunctionIr,
  drop: Event,
  settles: readonly Event[],
  claims: readonly Event[],
): UnwindHazard[] {
  // A drop of `self` itself runs once; what it holds in a field has a drop of its own.
  const counts = settles.filter(
    (s) => s.path !== undefined && isCount(s.path, drop) && (fn.trait !== 'Drop' || s.path.length > 1),
  );
  if ([...counts, ...claims].some((s) => s.span.start < drop.span.start && !isOtherBranch(s, drop))) return [];
  // Values that are kept from being dropped, in part dropped by hand before.
  const forgotten = settles.find(
    (s) =>
      s.what === 'mem::forget' &&
      s.span.start >= drop.span.end &&
      s.name !== undefined &&
      new RegExp(`\\b${s.name}\\b`, 'u').test(drop.text ?? '') &&
      !isOtherBranch(s, drop),
  );
  if (forgotten && !settles.some((s) => s.what === 'mem::forget' && s.span.start < drop.span.start))
    return [{ kind: 'dropped', code: drop, settled: forgotten }];
  const late = counts.find((s) => s.span.start >= drop.span.end && !isOtherBranch(s, drop));
  return late ? [{ kind: 'dropped', code: drop, settled: late }] : [];
}

/** Whether the assignment says which elements are there, or puts another one in the place of the dropped. */
function isCount(path: readonly string[], drop: Event): boolean {
  const last = path.at(-1) ?? '';
  if (last === '[]') return new RegExp(`\\bself\\s*\\.\\s*${path[0] ?? ''}\\b`, 'u').test(drop.text ?? '');
  return last === 'set_len' || COUNTS.test(last);
}

function copiedTooLong(code: Event, copies: readonly Event[], settles: readonly Event[]): UnwindHazard | undefined {
  const loop = loopsOf(code).at(-1);
  for (const copy of copies) {
    const isBefore = copy.span.end <= code.span.start || isInside(copy.span, code.span);
    const sharesLoop = loop !== undefined && loopsOf(copy).includes(loop) && copy.span.start > code.span.end;
    if ((!isBefore && !sharesLoop) || isOtherBranch(copy, code)) continue;
    const start = sharesLoop ? loop.span.start : code.span.start;
    if (settles.some((s) => s.span.end <= start && isSettling(s) && !isOtherBranch(s, code))) continue;
    const late = settles.find(
      (s) =>
        s.span.start >= code.span.end &&
        s.span.start >= copy.span.end &&
        !isOtherBranch(s, code) &&
        (s.text === undefined || s.text === copy.text || isSameSlice(s.text, copy.text)) &&
        (s.what !== 'mem::forget' || copy.text !== undefined) &&
        (copy.name === undefined || s.name === copy.name) &&
        isSettling(s),
    );
    if (late) return { kind: 'moved', code, copy, settled: late };
  }
  return undefined;
}

/** Whether it says which elements count: not the assignment of any other field. */
function isSettling({ path }: Event): boolean {
  return path === undefined || path.at(-1) === 'set_len' || COUNTS.test(path.at(-1) ?? '');
}

/** The length of a vector is raised first, and code of the user runs before the new elements are written. */
function countedTooEarly(count: Event, events: readonly Event[]): UnwindHazard[] {
  for (const code of events) {
    if (code.kind !== 'code' || code.span.start < count.span.end || isOtherBranch(count, code)) continue;
    // Set back before the code runs.
    const isSetBack = (e: Event): boolean =>
      (e.kind === 'assign' || e.kind === 'count') &&
      e.what === count.what &&
      e.span.start >= count.span.end &&
      e.span.end <= code.span.start;
    if (events.some(isSetBack)) continue;
    // In a loop the count may be of what the round before has written.
    if (loopsOf(count).some((loop) => loopsOf(code).includes(loop))) continue;
    const filled = events.filter(
      (e) =>
        e.kind === 'fill' &&
        e.span.start > count.span.end &&
        (count.slot === undefined || (e.text?.includes(count.slot) === true && isInside(code.span, e.span))),
    );
    const loop = loopsOf(code).at(-1);
    const isLate = (fill: Event): boolean =>
      fill.span.start >= code.span.end ||
      isInside(code.span, fill.span) ||
      (loop !== undefined && loopsOf(fill).includes(loop));
    if (filled.length > 0 && filled.every(isLate))
      return [{ kind: 'counted', code, settled: { span: count.span, what: count.what } }];
  }
  return [];
}

function eventsOf(unit: UnitFacts, file: FileIr, fn: FunctionIr, source: string): Event[] {
  const events: Event[] = [];
  const { body } = fn;
  if (!body) return events;
  const closures = new Set(
    fn.params.filter((p) => p.name && isBound(file, fn, p.type?.name, p.type?.text, CALLABLE)).map((p) => p.name),
  );
  const iterators = new Set(
    fn.params.filter((p) => p.name && isBound(file, fn, p.type?.name, p.type?.text, ITERATES)).map((p) => p.name),
  );
  const slice = (span: Span): string => source.slice(span.start, span.end);
  const users = userTypes(file, fn);
  const parts = partsOfUserTypes(file, fn, users);
  const isBoundBy = (bound: RegExp): boolean => [...users, ...parts].some((g) => g.bounds.some((b) => bound.test(b)));
  /** Variables that hold `self` or a part of it. */
  const taken = new Set(
    [...slice(body.span).matchAll(/\blet\s+(?:mut\s+)?(\w+)\s*=\s*(?:&\s*(?:mut\s+)?)?self\b/gu)].map(
      ([, name = '']) => name,
    ),
  );
  /** Variables that hold what was copied bit by bit. */
  const copied = new Set<string>();
  /** What an `unsafe` block gives to the variable that it is the value of. */
  const given = new Map<Expr, string>();
  walkBody(body, ({ expr, around, statement }: Walked) => {
    const variable =
      given.get(expr) ??
      (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind'
        ? statement.pattern.name
        : undefined);
    if (variable !== undefined && expr.kind === 'block' && expr.block.result) given.set(expr.block.result, variable);
    const add = (kind: Event['kind'], what: string, more: Partial<Event> = {}): void => {
      events.push({ kind, span: expr.span, what, around, ...more });
    };
    // What is made of an iterator of the caller runs the caller's code, too.
    if (
      statement?.kind === 'let' &&
      statement.init === expr &&
      statement.pattern.kind === 'bind' &&
      mentions(expr, iterators)
    )
      iterators.add(statement.pattern.name);
    if (expr.kind === 'struct' && statement?.kind === 'let' && statement.init === expr) {
      if (statement.pattern.kind === 'bind')
        for (const what of countedAtOnce(unit, fn, expr, statement.pattern.name, slice)) add('count', what);
      return;
    }
    if (expr.kind === 'assign') {
      const path = fieldsOfSelf(expr.target);
      const what = slice(expr.target.span).replace(/\s+/gu, ' ');
      if (path) add('settle', what, { path });
      if (isRaised(unit, fn, expr, slice)) add('count', what);
      else if (isFrontMoved(unit, fn, expr)) add('count', what, { slot: what });
      else add('assign', what);
      if (expr.target.kind === 'index' || expr.target.kind === 'deref')
        add('fill', '=', { text: slice(expr.target.span) });
      return;
    }
    if (expr.kind === 'binary') {
      const isCopied = (side: Expr): boolean => mentions(side.kind === 'deref' ? side.base : side, copied);
      if (
        /^(?:[<>]=?|[=!]=)$/u.test(expr.operator) &&
        (isCopied(expr.left) || isCopied(expr.right)) &&
        isBoundBy(COMPARES)
      )
        add('code', expr.operator);
      return;
    }
    if (expr.kind === 'loop') {
      if (expr.iterable && mentions(expr.iterable, iterators))
        events.push({ kind: 'code', span: expr.iterable.span, what: 'next', around: [...around, expr] });
      return;
    }
    if (expr.kind === 'call') {
      const path = expr.callee.kind === 'name' ? expr.callee.path : [];
      const last = path.at(-1) ?? '';
      const args = expr.args.map((a) => slice(a.value.span));
      if (last === 'drop_in_place' && isUserValue(args[0] ?? '')) add('drop', last, { text: args[0] ?? '' });
      else if (path.length === 1 && closures.has(last)) add('code', last);
      else if (path.length === 2 && users.some((g) => g.name === path[0] || isBoundOf(g, path[0] ?? '')))
        add('code', path.join('::'));
      else if (
        last === 'from_raw' &&
        path.length > 1 &&
        fn.abi === undefined &&
        !isPutAside(around, statement, source)
      ) {
        if (variable !== undefined) {
          add('copy', path.slice(-2).join('::'), { name: variable, text: variable });
          copied.add(variable);
        }
      } else if (
        expr.callee.kind === 'field' &&
        isBound(file, fn, undefined, undefined, CALLABLE) &&
        fieldsOfSelf(expr.callee)
      )
        add('code', expr.callee.name);
      else if (/^(?:\w+_)?copy(?:_nonoverlapping)?$/u.test(last) && path.length > 1)
        add('copy', path.slice(-2).join('::'));
      else if (/^read(?:_unaligned)?$/u.test(last) && path.at(-2) === 'ptr' && !isPutAside(around, statement, source)) {
        if (isPlainPart(unit, file, users, args[0] ?? '')) return;
        add('copy', 'ptr::read', { text: bare(args[0] ?? '') });
        if (variable !== undefined) copied.add(variable);
      } else if (last === 'forget')
        add('settle', 'mem::forget', /^\w+$/u.test(args[0] ?? '') ? { name: args[0] ?? '' } : {});
      else if (last === 'write' && path.at(-2) === 'ptr') {
        add('settle', 'ptr::write', { text: bare(args[0] ?? '') });
        add('fill', 'ptr::write', { text: args[0] ?? '' });
      } else if (/_write$/u.test(last) || (last === 'replace' && (path.length === 1 || path.at(-2) === 'mem')))
        add('fill', last, { text: args[0] ?? '' });
      return;
    }
    if (expr.kind !== 'method') return;
    const { method } = expr;
    const receiver = slice(expr.receiver.span);
    const claimed = CLAIMS.test(method) ? fieldsOfSelf(expr.receiver) : undefined;
    if (claimed !== undefined && COUNTS.test(claimed.at(-1) ?? '')) add('claim', receiver, { path: claimed });
    const told = toldCount(expr, receiver, taken);
    if (told) {
      add('settle', told.what, { path: told.path });
      return;
    }
    if (method === 'drop_in_place' || method === 'assume_init_drop') {
      if (isUserValue(receiver)) add('drop', method, { text: receiver });
    } else if (method === 'set_len') {
      const what = `${receiver.replace(/\s+/gu, '')}.set_len`;
      const text = slice(body.span);
      const isLocal = isMadeHere(receiver, text);
      if (!isLocal) add('settle', what, { path: [...(fieldsOfSelf(expr.receiver) ?? []), 'set_len'] });
      const length = expr.args[0] ? slice(expr.args[0].value.span) : '0';
      if ((isLocal ? length !== '0' : length.includes('+')) && mayHoldUsers(receiver, text)) add('count', what);
    } else if ((method === 'write' && expr.args.length === 1) || /_write$/u.test(method)) add('fill', method);
    else if (OF_TRAIT.get(method) !== undefined && isElementText(receiver)) {
      if (isBoundBy(OF_TRAIT.get(method) ?? PLAIN)) add('code', method);
    } else if (method === 'next' && mentions(expr.receiver, iterators)) add('code', 'next');
    else if (
      /^(?:try_)?into$/u.test(method) &&
      (mentions(expr.receiver, copied) || /\bptr::read\s*\(/u.test(receiver)) &&
      isBoundBy(/\b(?:Try)?Into\b/u)
    )
      add('code', method);
    else if (mentions(expr.receiver, copied) && isMethodOfBound(unit, file, users, method)) add('code', method);
    else if (/^copy_(?:to|from)(?:_nonoverlapping)?$/u.test(method)) add('copy', method);
    else if (expr.receiver.kind === 'name' && expr.receiver.path[0] === 'self' && dropsElements(unit, file, fn, method))
      add('drop', method, { text: receiver });
  });
  return events;
}

/**
 * `self.head.store(n, Release)`, `self.len.set(n)`, `self.advance_read_index(n)`, also of what a variable took out of `self`
 * (`let c = self.consumer; c.head.set(n)`): the fields from `self` on.
 */
function toldCount(
  { method, args, receiver }: ExprOf<'method'>,
  spelled: string,
  taken: ReadonlySet<string>,
): { readonly what: string; readonly path: string[] } | undefined {
  const isCell = (method === 'store' && args.length === 2) || (method === 'set' && args.length === 1);
  // Vectors are told their length by a method that is looked at by itself.
  const named = args.length === 1 && method !== 'set_len' ? TELLS_COUNT.exec(method)?.[1] : undefined;
  if (!isCell && named === undefined) return undefined;
  const what = spelled.replace(/\s+/gu, '');
  const [root = '', ...rest] = what.split('.');
  const path = fieldsOfSelf(receiver) ?? (taken.has(root) ? rest : undefined);
  if (!path) return undefined;
  if (named !== undefined) return { what: `${what}.${named}`, path: [...path, named] };
  return COUNTS.test(path.at(-1) ?? '') ? { what, path } : undefined;
}

/** `self.len += n`, `copy.len = self.len`: the container, which drops what it counts, counts more than it has. */
function isRaised(unit: UnitFacts, fn: FunctionIr, expr: ExprOf<'assign'>, slice: (span: Span) => string): boolean {
  const { target, operator, value } = expr;
  if (target.kind !== 'field' || target.base.kind !== 'name' || target.base.path.length !== 1) return false;
  if (!RAISES.test(target.name) || fn.owner === undefined || !hasDrop(unit, fn.owner)) return false;
  if (operator === '+=') return true;
  if (operator !== '=') return false;
  const text = slice(value.span);
  // A container that was made here, set to what the one it is copied from has.
  return target.base.path[0] === 'self'
    ? text.includes('+')
    : new RegExp(`\\bself\\s*\\.\\s*${target.name}\\b`, 'u').test(text);
}

/** `self.start = self.before(self.start)`: the first element that a container with a destructor counts is another one. */
function isFrontMoved(unit: UnitFacts, fn: FunctionIr, { target, value }: ExprOf<'assign'>): boolean {
  return (
    target.kind === 'field' &&
    target.base.kind === 'name' &&
    target.base.path.join('.') === 'self' &&
    /^(?:\w+_)?(?:start|front|head|begin|left|first)$/u.test(target.name) &&
    value.kind !== 'literal' &&
    fn.trait !== 'Drop' &&
    fn.owner !== undefined &&
    hasDrop(unit, fn.owner)
  );
}

/**
 * `let mut copy = Self { array: MaybeUninit::uninit(), end: self.end, .. }`: a container with a destructor that counts what the one
 * it is copied from has, with nothing written yet.
 */
function countedAtOnce(
  unit: UnitFacts,
  fn: FunctionIr,
  { type, fields }: ExprOf<'struct'>,
  variable: string,
  slice: (span: Span) => string,
): readonly string[] {
  if (fn.owner === undefined || (type.name !== 'Self' && type.name !== fn.owner) || !hasDrop(unit, fn.owner)) return [];
  const isRoom = (value: Expr): boolean =>
    /\b(?:uninit|uninitialized|with_capacity|alloc)\w*\s*(?:::\s*<[^()]*>\s*)?\(/u.test(slice(value.span));
  if (!fields.some(({ value }) => isRoom(value))) return [];
  return fields
    .filter(
      ({ name, value }) =>
        RAISES.test(name) && new RegExp(`^self\\s*\\.\\s*${name}(?:\\s*\\(\\s*\\))?$`, 'u').test(slice(value.span)),
    )
    .map(({ name }) => `${variable}.${name}`);
}

/** `Trait` in `T: Trait`, as the head of a path that is called. */
function isBoundOf(generic: FunctionIr['generics'][number], trait: string): boolean {
  return generic.bounds.some((b) => new RegExp(`(?:^|::)${trait}\\b`, 'u').test(b.trim()));
}

/** Whether a trait of the unit that a type of the user is bound by has the method. */
function isMethodOfBound(unit: UnitFacts, file: FileIr, users: FunctionIr['generics'], method: string): boolean {
  const traits = users.flatMap((g) => g.bounds.flatMap((b) => /^(?:\w+::)*([A-Z]\w*)/u.exec(b.trim())?.[1] ?? []));
  return traits.some((trait) => {
    const decl = unit.oracle('rust').declaration(trait, file.path);
    const declaring = decl?.kind === 'trait' ? declaringFile(unit, file, decl) : undefined;
    return declaring?.functions.some((f) => f.owner === trait && f.name === method) === true;
  });
}

/** `p as *const T::Raw` where the trait that `T` is bound by says `type Raw: Copy`: what is read there has no destructor. */
function isPlainPart(unit: UnitFacts, file: FileIr, users: FunctionIr['generics'], text: string): boolean {
  const [, name, part] = /\bas\s*\*\s*(?:mut|const)\s+([A-Z]\w*)\s*::\s*([A-Z]\w*)/u.exec(text) ?? [];
  const bounds = users.find((g) => g.name === name)?.bounds ?? [];
  return bounds.some((b) => {
    const trait = /^(?:\w+::)*([A-Z]\w*)/u.exec(b.trim())?.[1];
    const decl = trait === undefined ? undefined : unit.oracle('rust').declaration(trait, file.path);
    const declaring = decl?.kind === 'trait' ? declaringFile(unit, file, decl) : undefined;
    if (!decl || !declaring) return false;
    const declared = (unit.textOf(declaring.path) ?? '').slice(decl.span.start, decl.span.end);
    return PLAIN.test(new RegExp(`\\btype\\s+${part ?? ''}\\s*:([^;=]*)`, 'u').exec(declared)?.[1] ?? '');
  });
}

/** Whether the receiver may be a value of the user's type: no part of `self` that is no element. */
function isElementText(receiver: string): boolean {
  return !/^self\s*(?:\.\s*\w+\s*)*$/u.test(receiver);
}

/** Whether the vector is not declared with elements that have no destructor: numbers, or what is not counted as written. */
function mayHoldUsers(variable: string, text: string): boolean {
  if (!/^\w+$/u.test(variable)) return true;
  const declared = new RegExp(`\\blet\\s+(?:mut\\s+)?${variable}\\b([^;]*);`, 'u').exec(text)?.[1] ?? '';
  return !/\bMaybeUninit\b|\bManuallyDrop\b|\bVec\s*(?:::\s*)?<\s*(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|&|\*)/u.test(
    declared,
  );
}

/** Parameters of the function and its owner for types that the user chooses and that may have a destructor. */
function userTypes(file: FileIr, fn: FunctionIr): FunctionIr['generics'] {
  const generics = [...fn.generics, ...implGenerics(file, fn)].filter(
    (g) => g.isConst !== true && /^[A-Z]\w*$/u.test(g.name),
  );
  const isPlain = (name: string): boolean =>
    generics.some((g) => g.name === name && g.bounds.some((b) => PLAIN.test(b)));
  return generics.filter((g) => !isPlain(g.name));
}

/** What where clauses say of the types that come with those of the user: `A::Item: Clone`, `<A as Array>::Item: Clone`. */
function partsOfUserTypes(file: FileIr, fn: FunctionIr, users: FunctionIr['generics']): FunctionIr['generics'] {
  return [...fn.generics, ...implGenerics(file, fn)].filter(({ name, bounds }) => {
    const [, base] = /^(?:<\s*)?([A-Z]\w*)(?:\s+as\b[^>]*>|\s*>)?\s*::/u.exec(name) ?? [];
    return users.some((user) => user.name === base) && !bounds.some((b) => PLAIN.test(b));
  });
}

/** A vector that the function made itself: until it is told its length it drops nothing. */
function isMadeHere(variable: string, text: string): boolean {
  return (
    /^\w+$/u.test(variable) &&
    new RegExp(`\\blet\\s+(?:mut\\s+)?${variable}\\b[^=;]*=[^;]*\\b(?:with_capacity\\w*|Vec::new)\\(`, 'u').test(text)
  );
}

/** `self.a.b` as `a`, `b`; an element of it, and what a method lends of it, as `a`, `[]`. */
function fieldsOfSelf(target: Expr): string[] | undefined {
  switch (target.kind) {
    case 'name':
      return target.path.length === 1 && target.path[0] === 'self' ? [] : undefined;
    case 'field': {
      const base = fieldsOfSelf(target.base);
      return base && [...base, target.name];
    }
    case 'index': {
      const base = fieldsOfSelf(target.base);
      return base && base.length > 0 ? [base[0] ?? '', '[]'] : undefined;
    }
    case 'method':
      return fieldsOfSelf(target.receiver);
    case 'deref':
      return fieldsOfSelf(target.base);
    default:
      return undefined;
  }
}

/** A helper of the type that only drops elements and leaves the count to its callers. */
function dropsElements(unit: UnitFacts, file: FileIr, fn: FunctionIr, method: string): boolean {
  if (!/drop|clear|destroy/u.test(method) || fn.owner === undefined) return false;
  const found = unit.oracle('rust').method(fn.owner, method, file.path);
  const body = found?.fn.body;
  const other = found && unit.fileAt(found.path);
  if (!body || !other) return false;
  const text = (unit.textOf(other.path) ?? '').slice(body.span.start, body.span.end);
  if (!/\bdrop_in_place\b|\bassume_init_drop\b/u.test(text) || GUARDED.test(withoutDroppers(text))) return false;
  let settles = false;
  walkBody(body, ({ expr }) => {
    settles ||=
      (expr.kind === 'assign' && fieldsOfSelf(expr.target) !== undefined) ||
      (expr.kind === 'method' && expr.method === 'set_len');
  });
  return !settles;
}

/**
 * The text without types of its own whose `drop` only goes on to drop the other elements: that helps against a leak, not
 * against a count that is set too late.
 */
function withoutDroppers(text: string): string {
  let rest = text;
  for (const [, name = ''] of text.matchAll(/\bstruct\s+(\w+)/gu)) {
    const body = new RegExp(
      `\\bimpl\\b[^;{]*\\bDrop\\s+for\\s+${name}\\b[^{]*\\{([^]*?)\\n\\s*\\}\\s*\\n\\s*\\n`,
      'u',
    ).exec(rest);
    if (body?.[1] === undefined || !/\bdrop_in_place\b|\bassume_init_drop\b/u.test(body[1])) continue;
    if (/[^=!<>]=[^=>]|\bset_len\b|\bforget\b|\babort\b/u.test(body[1])) continue;
    rest = rest.replace(body[0], '').replace(new RegExp(`\\b${name}\\b`, 'gu'), '');
  }
  return rest;
}

/** Whether the owner or the function has a type that its user chooses; in a trait that is `Self::Item` and the like. */
function hasTypeParameter(file: FileIr, fn: FunctionIr, source: string): boolean {
  const trait = file.types.find((t) => t.kind === 'trait' && isInside(fn.span, t.span));
  if (
    trait &&
    (trait.generics.length > 0 || /(?:^|[{;}])\s*type\s+\w/mu.test(source.slice(trait.span.start, trait.span.end)))
  )
    return true;
  return userTypes(file, fn).some((g) => !/^[A-Z]{1,2}[a-z]*N$|^N$|^CAP$/u.test(g.name));
}

function implGenerics(file: FileIr, fn: FunctionIr): FunctionIr['generics'] {
  return file.impls
    .filter((i) => i.span.start <= fn.span.start && fn.span.end <= i.span.end)
    .flatMap((i) => i.generics);
}

/** Whether the type of a parameter, or any type parameter when none is given, has a bound. */
function isBound(
  file: FileIr,
  fn: FunctionIr,
  name: string | undefined,
  text: string | undefined,
  wanted: RegExp,
): boolean {
  if (text !== undefined && /^(?:&\s*(?:mut\s+)?)?\s*(?:impl|dyn)\b/u.test(text)) return wanted.test(text);
  const head = text === undefined ? name : /^(?:&\s*(?:'\w+\s+)?(?:mut\s+)?)?(\w+)$/u.exec(text.trim())?.[1];
  return [...fn.generics, ...implGenerics(file, fn)].some(
    (g) => (text === undefined || g.name === head) && g.bounds.some((b) => wanted.test(b)),
  );
}

function mentions(expr: Expr, names: ReadonlySet<string>): boolean {
  if (expr.kind === 'name') return expr.path.length === 1 && names.has(expr.path[0] ?? '');
  if (expr.kind === 'method') return mentions(expr.receiver, names);
  if (expr.kind === 'address') return mentions(expr.base, names);
  return false;
}

/** Whether the destructor is that of an element, not of the container's own parts. */
function isUserValue(text: string): boolean {
  return !/^self$/u.test(text.trim());
}

/** What is read into a wrapper without a destructor is not dropped. */
function isPutAside(around: readonly Expr[], statement: Walked['statement'], source: string): boolean {
  const outer = around.at(-1);
  if (
    outer?.kind === 'call' &&
    /(?:ManuallyDrop|MaybeUninit)::new$/u.test(source.slice(outer.callee.span.start, outer.callee.span.end))
  )
    return true;
  return statement?.kind === 'let' && /ManuallyDrop|MaybeUninit/u.test(statement.type?.text ?? '');
}

function bare(text: string): string {
  return text.replace(/\s+/gu, '').replace(/^&(?:mut)?/u, '');
}

/** Two elements of one slice: an element that is moved along inside it is there twice on the way. */
function isSameSlice(a: string, b: string | undefined): boolean {
  const [first, second] = [/^(\w+)\[/u.exec(a)?.[1], /^(\w+)\[/u.exec(b ?? '')?.[1]];
  return first !== undefined && first === second;
}

function loopsOf(event: Event): Expr[] {
  return event.around.filter((e) => e.kind === 'loop');
}

/** Whether two places are in different arms of one condition, so that only one of them is reached. */
function isOtherBranch(a: Event, b: Event): boolean {
  for (const outer of a.around) {
    if (!b.around.includes(outer)) continue;
    const parts =
      outer.kind === 'if'
        ? [outer.condition.span, outer.then.span, ...(outer.else ? [outer.else.span] : [])]
        : outer.kind === 'match'
          ? outer.arms.map((arm) => arm.span)
          : [];
    const of = (event: Event): number => parts.findIndex((part) => isInside(event.span, part));
    const [first, second] = [of(a), of(b)];
    if (first < 0 || second < 0 || first === second) continue;
    if (outer.kind === 'match' || (first > 0 && second > 0)) return true;
  }
  return false;
}
