import { aggregateOf, methodsOf } from '../facts/d-code.js';
import { containerStorage, type ContainerStorage } from '../facts/containers.js';
import { BECOMES_RAW_THERE, ALLOCATES, MAKES_RAW, RAW_POINTERS } from '../facts/raw-words.js';
import { LENDS } from '../facts/handing-on.js';
import { D_ELEMENT_POINTERS, exceptTests, inTestsBeside, MAY_GROW_IN_TEST } from '../facts/d-text.js';
import { lineOf } from '../facts/lines.js';
import { plainText } from '../facts/plain-text.js';
import { isEarlierPhase, isPartOfConstruction } from '../facts/phases.js';
import { putsAside } from '../facts/put-aside.js';
import { isScratch } from '../facts/scratch-lists.js';
import type { GrowthSite, UnitFacts } from '../facts/unit.js';
import { isWaitedFor } from '../facts/waits.js';
import { growthKey, typeOfPlace } from '../flow/place-type.js';
import { containerOf, describePlace, type Place } from '../flow/place.js';
import type { CallSite, Escape, FunctionFlow } from '../flow/result.js';
import { elementType, isGrowable, ownsBlock, peel, withoutAlias } from '../flow/types.js';
import type { FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

/** Accessors by which a container type shows its own storage; the hazard is the caller's that keeps the view. */
const DOCUMENTED_VIEWS = new Set([
  'opIndex',
  'opSlice',
  'opUnary',
  'front',
  'back',
  'peek',
  'data',
  'ptr',
  'moveFront',
  'as_ptr',
  'as_mut_ptr',
  'as_slice',
  'as_mut_slice',
  'get_unchecked',
  'get_unchecked_mut',
  'get',
  'get_mut',
  'deref',
  'deref_mut',
  'as_ref',
  'as_mut',
  'as_non_null',
  'as_bytes',
  'data_ptr',
  'end_ptr',
  'buffer_ptr',
]);

/** Operators of a container, and looks at what comes next; the two ends of its storage, if they are not where it grows. */
const D_VIEW = /^(?:_?op[A-Z]\w*|peek\w*)$/u;
const D_ENDS = /^(?:begin|end)$/u;

/** Rust: an accessor whose name says that it gives a bare pointer: `as_iovec_ptr`, `get_raw_mut`. */
const RAW_VIEW = /(?:^|_)(?:ptr|pointer|raw)(?:_|$)/u;

/** Rust: a function that hands out a static reference and is `unsafe` inside, to what a `static mut` holds perhaps. */
const LENDS_STATIC = /&\s*'static\s[^{};]*\{[^{}]*\bunsafe\b/u;

/** D: a function that returns a pointer, by counting on from another one: `int* at(size_t i) { return block + i; }`. */
const COUNTED_ON = /^[^(){};=]*\*\s*\w+\s*\([^]*(?:\breturn\s|=>)\s*(?:cast\s*\([^()]*\)\s*)?[\w.]+\s*\+/u;

const TOKENS = { rust: [...RAW_POINTERS, 'static mut '], d: ['&', '.ptr', 'ref ', 'realloc'] };
/** In such a file, also what turns a stored pointer into a reference. */
const BODY_TOKENS = {
  rust: [...MAKES_RAW, ...BECOMES_RAW_THERE, '&*', '&mut *', LENDS_STATIC],
  d: [inTestsBeside(D_ELEMENT_POINTERS, MAY_GROW_IN_TEST), exceptTests(COUNTED_ON)],
};

export default defineRule({
  meta: {
    id: 'pointer-into-growable',
    title: 'Pointer into growable storage',
    summary: 'A pointer to an element of an array leaves its owner, and the owner grows elsewhere.',
    languages: ['rust', 'd'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      escapesFreed:
        "A pointer into '{owner}' (line {borrow}) is {how}, and '{owner}' {grows} in '{grower}' ({growth}): {moves} is freed and the pointer dangles.{callers}",
      escapesStale:
        "A pointer into '{owner}' (line {borrow}) is {how}, and '{owner}' grows in '{grower}' ({growth}): when the array moves, the pointer keeps the old block alive and writes through it are lost.{callers}",
    },
    checklist: 'Does every pointer into this array die before the next append?',
    scenarios: ['command', 'sequential'],
  },
  tokens: TOKENS,
  bodyTokens: BODY_TOKENS,
  bodyRequires: { rust: [LENDS] },
  looksAt: 'bodies',
  perFile: ['rust', 'd'],
  check({ unit, functionsIn, report }) {
    for (const language of ['rust', 'd'] as const) {
      for (const file of unit.filesOf(language)) {
        for (const fn of functionsIn(file)) {
          const seen = new Set<string>();
          const flow = unit.flowOf(file, fn);
          for (const escape of flow.escapes) {
            const hazard = judge(unit, file, fn, escape);
            if (!hazard || isWaitedForFirst(flow, fn, escape, hazard)) continue;
            const key = `${hazard.owner}|${escape.span.start}`;
            // A list of pointers, or of threads that have them, that leaves with them is the same cause.
            const collected = `collected|${escape.pointer.site.start}|${hazard.owner}`;
            if (seen.has(key) || seen.has(collected)) continue;
            seen.add(key);
            if (escape.kind === 'collect' || escape.kind === 'spawn') seen.add(collected);
            const callers = findCallers(unit, file, fn);
            if (language === 'd' && escape.pointer.how === 'ref return' && isCopied(unit, file, fn, callers)) continue;
            if (language === 'd' && escape.kind === 'return' && isOnlyAsked(unit, file, fn)) continue;
            const first = hazard.growths[0];
            if (!first) continue;
            const borrowLine = lineOf(unit, file, escape.pointer.site.start);
            const steps: ReportStep[] = [
              {
                file,
                span: escape.pointer.site,
                role: 'borrow',
                note: `'${escape.pointer.how}' points into '${hazard.owner}' here.`,
              },
              { file, span: escape.span, role: 'escape', note: `The pointer is ${describeEscape(escape)} here.` },
              ...hazard.growths.slice(0, 6).map((g): ReportStep => ({
                file: g.file,
                span: g.growth.span,
                role: 'grow',
                note:
                  g.growth.how === '='
                    ? `'${hazard.owner}' is set anew here, in '${g.fn.qualifiedName}'.`
                    : `'${hazard.owner}' grows here by '${g.growth.how}' in '${g.fn.qualifiedName}'.`,
              })),
              ...callers
                .slice(0, 3)
                .map((c): ReportStep => ({ file, span: c, role: 'use', note: `'${fn.name}' is called here.` })),
            ];
            const where =
              first.file.path === file.path
                ? `line ${lineOf(unit, first.file, first.growth.span.start)}`
                : `${first.file.path}:${lineOf(unit, first.file, first.growth.span.start)}`;
            report({
              messageId: hazard.storage === 'gc' ? 'escapesStale' : 'escapesFreed',
              data: {
                owner: hazard.owner,
                borrow: borrowLine,
                how: describeEscape(escape),
                ...(first.growth.how === '='
                  ? { grows: 'is set anew', moves: 'the storage of before' }
                  : { grows: 'grows', moves: 'when the storage moves, the old block' }),
                grower: first.fn.qualifiedName,
                growth: where,
                callers:
                  callers.length > 0
                    ? ` Called at line ${callers
                        .slice(0, 3)
                        .map((c) => lineOf(unit, file, c.start))
                        .join(', ')}.`
                    : '',
              },
              at: { file, span: escape.span },
              steps,
              key: `${hazard.owner}|${fn.name}`,
              // An `unsafe fn` leaves it to its caller to drop the pointer in time.
              ...(hazard.isView || (language === 'rust' && fn.isUnsafe)
                ? { severity: 'note' as const }
                : hazard.storage !== 'gc' && escape.locks.length > 0
                  ? { severity: 'error' as const }
                  : {}),
              ...(hazard.weak ? { confidence: 'medium' as const } : {}),
            });
          }
        }
      }
    }
  },
});

interface Hazard {
  readonly owner: string;
  readonly storage: ContainerStorage;
  readonly growths: readonly GrowthSite[];
  readonly isView: boolean;
  readonly weak: boolean;
}

function judge(unit: UnitFacts, file: FileIr, fn: FunctionIr, escape: Escape): Hazard | undefined {
  const { pointer } = escape;
  if (escape.kind !== 'return' && escape.kind !== 'store' && escape.kind !== 'collect' && escape.kind !== 'spawn')
    return undefined;
  if (pointer.form === 'closure' || pointer.form === 'guard' || pointer.form === 'iterator') return undefined;
  // What a closure returns inside the function has not left it.
  if (escape.kind === 'return' && escape.context.frames.length > 0) return undefined;
  const rust = file.language === 'rust';
  const isStatic = rust && isLentStatic(unit, fn, escape);
  if (rust && pointer.form !== 'raw' && !pointer.erased && !isStatic) return undefined;
  const oracle = unit.oracle(file.language);
  const innermost = containerOf(pointer.target);
  let owner = innermost;
  // An array of fixed size moves with the element that it is a part of, and a slice of it is an address in the element.
  while (owner && typeOfPlace(owner, oracle, file.path)?.kind === 'static-array') owner = containerOf(owner);
  if (!owner || (!rust && pointer.form === 'slice' && owner === innermost)) return undefined;
  const { root } = owner;
  // What an element of the array points to does not move with the array.
  if (pointer.target.path.slice(owner.path.length).includes('*')) return undefined;
  // A slice or array that the caller handed over grows, if at all, where the caller can see it.
  if (root.kind === 'temp' || root.kind === 'unknown' || root.kind === 'allocation') return undefined;
  if (root.kind === 'local' && root.byValue && !owner.path.includes('*') && !isObject(unit, file, owner))
    return undefined;
  if (root.kind === 'param' && owner.path.length === 0) return undefined;
  // `fn finish(mut self)`: no caller has the owner left to let it grow.
  if (rust && root.kind === 'self' && root.byValue) return undefined;
  // An element of Rust that points to its neighbours is stored by the very call that may move them.
  if (storesIntoOwner(escape, owner) && !(rust && escape.kind === 'collect' && pointer.form === 'raw'))
    return undefined;
  const held = typeOfPlace(owner, oracle, file.path);
  // What leaves a lock is reported as that, but for memory that was asked for.
  if (rust && CELL.test(held?.name ?? '') && pointer.locks.length > 0 && !ALLOCATES.test(fn.name)) return undefined;
  let type = rust && CELL.test(held?.name ?? '') ? (held?.args[0] ?? held) : held;
  if (isStatic && FILLED_LATER.test(type?.name ?? '')) type = type?.args[0] ?? type;
  // `&BOXES[0]` as `&'static Item` is what the box holds, which stays where it is.
  const element = isStatic ? elementType(type) : undefined;
  if (element && (element.kind !== 'path' || ownsBlock(element) || /^(?:Arc|Rc)$/u.test(element.name)))
    return undefined;
  const growable = isGrowable(type, file.language);
  if (growable === false) return undefined;
  if (!rust && (isImmutable(type) || isInBlocks(unit, file, type))) return undefined;
  const key = growthKey(owner, oracle, file.path);
  if (key === undefined) return undefined;
  const isTied =
    rust &&
    escape.kind === 'return' &&
    (root.kind === 'self' ? isTiedToSelf(fn) : root.kind === 'param' && isTiedToParameter(fn, root.name));
  const field = owner.path.findLast((step) => step !== '[]' && step !== '*') ?? '';
  const stored = { kind: escape.kind, into: escape.into, pointer, holder: holderOf(fn, escape), by: fn };
  const growths: GrowthSite[] = unit.growthsOf(key, file.language, file.path).filter((g) => {
    if (
      g.inConstructor ||
      g.growth.operation === 'free' ||
      (unit.isDevelopmentOnly(g.file, g.fn) && !unit.isDevelopmentOnly(file, fn))
    )
      return false;
    if (!rust && (g.growth.operation === 'clear' || g.growth.operation === 'remove' || g.growth.operation === 'shrink'))
      return false;
    if (!rust && g.growth.operation === 'replace' && g.growth.how === '=') return false;
    if (rust && (g.growth.operation === 'clear' || g.growth.operation === 'remove')) return false;
    // What is filled when the program begins is not moved any more by whoever asks later.
    if (isStatic && /^(?:init|setup|set_up|install|main$)/u.test(g.fn.name)) return false;
    if (isTied && g.fn.self?.mode !== 'shared') return false;
    if (isRenewed(unit, g, stored) || (!rust && isPartOfConstruction(unit, g))) return false;
    if (rust && (putsAside(unit, g.file, g.fn, field) || isWithinCapacity(unit, g))) return false;
    return growable === true || !g.growth.weak;
  });
  if (!rust && growths.length === 0) growths.push(...movedByHand(unit, file, fn, owner, escape));
  if (growths.length === 0) return undefined;
  if (!rust && growths.every((g) => g.growth.context.frames.length === 0 && isEarlierPhase(unit, g, { file, fn })))
    return undefined;
  if (rust && growths.every((g) => isBefore(g, file, fn, escape)) && isScratch(unit, file, fn, escape))
    return undefined;
  const storage = containerStorage(rust ? type : (withoutAlias(type, oracle, file.path) ?? type), file.language);
  return {
    owner: describePlace(owner),
    storage,
    growths,
    // What is tied to `&self` and moved by another `&self` has no caller that could keep it right.
    isView:
      !isTied &&
      !isStatic &&
      escape.kind === 'return' &&
      (DOCUMENTED_VIEWS.has(fn.name) ||
        (rust && RAW_VIEW.test(fn.name) && /\*\s*(?:const|mut)\b|\bNonNull\b/u.test(fn.returns?.text ?? '')) ||
        (!rust &&
          (D_VIEW.test(fn.name) ||
            (D_ENDS.test(fn.name) && !growths.some((one) => one.fn.id === fn.id)) ||
            (pointer.how === 'ref return' && (isContainer(file, fn) || isLast(unit, file, escape)))))),
    weak: growths.every((g) => g.growth.weak),
  };
}

/** Methods that end what an object holds, or begin it anew. */
const ENDS_CONTENT = /^(?:clear|reset|close|destroy|dispose|free|release|finish|init\w*|opAssign)$/iu;

/**
 * D: `free(data); data = bigger;` in a method of the type whose pointer member the owner is: `realloc`, written out. The place where the old
 * block is freed.
 */
function movedByHand(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  owner: Place,
  escape: Escape,
): readonly GrowthSite[] {
  const [field = '', star, ...deeper] = owner.path;
  const type = aggregateOf(file, fn);
  if (owner.root.kind !== 'self' || star !== '*' || deeper.length > 0 || type === undefined) return [];
  if (escape.context.frames.length > 0) return [];
  const moves = new RegExp(
    String.raw`\b(?:free|pureFree|dispose|deallocate)\s*\(\s*(?:cast\s*\([^()]*\)\s*)?(?:this\s*\.\s*)?${field}\s*\)\s*;[^{}]*?(?<![.\w])(?:this\s*\.\s*)?${field}\s*=\s*(?!null\b|=)\w`,
    'u',
  );
  // Another variable by the name of the member.
  const local = new RegExp(String.raw`(?:\b(?:auto|const)|[\w\])]\s*\*+|\])\s*${field}\s*[=;,)]`, 'u');
  let known = moved.get(type);
  if (known === undefined) moved.set(type, (known = new Map<string, readonly MovingMethod[]>()));
  let sites = known.get(field);
  if (sites === undefined) {
    sites = methodsOf(file, type).flatMap((method) => {
      const { bodySpan, kind, name, params } = method;
      if (bodySpan === undefined || kind !== 'method' || ENDS_CONTENT.test(name)) return [];
      if (params.some((p) => p.name === field)) return [];
      const text = plainText(unit, file, bodySpan);
      const match = moves.exec(text);
      if (match === null || local.test(text.slice(0, match.index))) return [];
      const start = bodySpan.start + match.index;
      const span = { start, end: start + match[0].indexOf(';') };
      return [{ fn: method, span, how: match[0].slice(0, match[0].indexOf('(')).trim() }];
    });
    known.set(field, sites);
  }
  return sites.map(({ fn: method, span, how }) => ({
    file,
    fn: method,
    growth: { place: owner, span, how, operation: 'resize' as const, weak: false, context: escape.context },
    inConstructor: false,
  }));
}

/** What was found for a member of a type: it is the same for every pointer into the member. */
const moved = new WeakMap<TypeDecl, Map<string, readonly MovingMethod[]>>();

interface MovingMethod {
  readonly fn: FunctionIr;
  readonly span: Span;
  readonly how: string;
}

/** The function waits for the thread that it gave the pointer to, or for those of a list, and lets the owner grow only after that. */
function isWaitedForFirst(flow: FunctionFlow, fn: FunctionIr, escape: Escape, { growths }: Hazard): boolean {
  return (
    flow.escapes.some(
      (other) =>
        other.kind === 'spawn' &&
        (other === escape ||
          (escape.kind === 'collect' &&
            other.pointer.site.start === escape.pointer.site.start &&
            isInside(other.span, escape.span))),
    ) &&
    isWaitedFor(flow, escape) &&
    !growths.some(
      ({ fn: by, growth }) =>
        by.id === fn.id && growth.span.start > escape.span.end && isWaitedFor(flow, { span: growth.span }),
    )
  );
}

/** D: a container of the unit that keeps its elements in blocks, which stay where they are: `T[][] segments`, `Vector!(FixedArray!T) blocks`. */
function isInBlocks(unit: UnitFacts, file: FileIr, type: TypeRef | undefined): boolean {
  const decl = type?.kind === 'path' ? unit.oracle('d').declaration(type.name, file.path) : undefined;
  const item = decl?.generics[0]?.name;
  if (decl === undefined || item === undefined) return false;
  const isItem = (one: TypeRef | undefined): boolean => one?.kind === 'path' && one.name === item;
  const lists = decl.fields.filter((field) => !field.isStatic).map((field) => elementType(field.type));
  // Arguments of templates that are instances themselves are not read further than their text.
  const named = new RegExp(String.raw`^\w*(?:Array|Vector|Block|Chunk|Segment)\w*!\(?\s*${item}\b`, 'u');
  return (
    !lists.some(isItem) &&
    lists.some(
      (block) =>
        block !== undefined && (block.kind === 'unknown' ? named.test(block.text) : isItem(elementType(block))),
    )
  );
}

/** `fn first() -> &'static Item { unsafe { &ITEMS[0] } }`: nobody but the function says that the content of a `static mut` stays. */
function isLentStatic(unit: UnitFacts, fn: FunctionIr, { kind, pointer }: Escape): boolean {
  const { root } = pointer.target;
  if (kind !== 'return' || root.kind !== 'global' || !/&\s*'static\s/u.test(fn.returns?.text ?? '')) return false;
  return unit.globalsNamed(root.name, 'rust').some(({ item }) => item.mutable);
}

/** D: whether the owner is a member of a class object that was there before: a variable only refers to it. */
function isObject(unit: UnitFacts, file: FileIr, { root, path }: Place): boolean {
  if (file.language !== 'd' || path.length === 0 || (root.origin === undefined && root.declared !== 'foreach'))
    return false;
  const type = peel(root.type);
  return type?.kind === 'path' && unit.oracle('d').declaration(type.name, file.path)?.kind === 'class';
}

/** What a static is put into because it cannot be made when the program is compiled. */
const FILLED_LATER = /^(?:Option|Lazy|LazyLock|LazyCell|OnceCell|OnceLock|MaybeUninit)$/u;

/** Rust: what lends its content through a shared reference. */
const CELL = /^(?:RefCell|(?:Sync)?UnsafeCell)$/u;

/** Rust: an element is added after `len()` was compared with `capacity()`, and nothing in the function makes room. */
function isWithinCapacity(unit: UnitFacts, { file, fn, growth }: GrowthSite): boolean {
  if (growth.operation !== 'append' || growth.through !== undefined) return false;
  const text = unit.textOf(file.path) ?? '';
  if (!COMPARES_ROOM.test(text.slice(fn.span.start, growth.span.start))) return false;
  return !unit
    .flowOf(file, fn)
    .growths.some((other) => other.key === growth.key && other.operation !== 'append' && other.operation !== 'clear');
}

const COMPARES_ROOM =
  /\.\s*len\(\)\s*(?:[=!]=|[<>]=?)\s*(?:\w+\s*\.\s*)+capacity\(\)|\.\s*capacity\(\)\s*(?:[=!]=|[<>]=?|-)\s*(?:\w+\s*\.\s*)+len\(\)/u;

/** Whether whoever lets the owner grow stores a pointer made after that where this one is stored, in `self` or a parameter. */
function isRenewed(
  unit: UnitFacts,
  { file, fn, growth }: GrowthSite,
  { kind, into, pointer, holder, by }: StoredAt,
): boolean {
  if (kind !== 'store' || !into || holder === undefined) return false;
  // The very function that takes the pointers is called after the growth.
  const isTakenAnew = ({ callee, span }: CallSite): boolean => callee === by.name && span.start > growth.span.start;
  if (
    into.root.kind === 'self' &&
    fn.owner === by.owner &&
    !into.path.includes('[]') &&
    unit.flowOf(file, fn).calls.some((call) => call.context.frames.length === 0 && isTakenAnew(call))
  )
    return true;
  // One element of a table is set anew; the others still have the pointers of before.
  if (into.path.includes('[]')) return false;
  const steps = pointer.target.path.join('.');
  return unit
    .flowOf(file, fn)
    .escapes.some(
      (other) =>
        other.kind === 'store' &&
        other.into !== undefined &&
        holderOf(fn, other) === holder &&
        other.into.path.join('.') === into.path.join('.') &&
        other.pointer.target.path.join('.') === steps &&
        other.pointer.site.start > growth.span.start &&
        other.context.frames.length === 0,
    );
}

type StoredAt = Pick<Escape, 'kind' | 'pointer'> & {
  readonly into: Place | undefined;
  readonly holder: string | undefined;
  /** The function that stores it. */
  readonly by: FunctionIr;
};

/** Growth of another function, or once and for all before the pointer is made. */
function isBefore({ file, fn, growth }: GrowthSite, at: FileIr, within: FunctionIr, { pointer }: Escape): boolean {
  if (fn.id !== within.id || file.path !== at.path) return true;
  return growth.span.end < pointer.site.start && !growth.context.inLoop;
}

/** What holds both the storage and the pointer into it: the name of the type of `self` or of a parameter. */
function holderOf(fn: FunctionIr, { into, pointer }: Escape): string | undefined {
  const root = into?.root;
  if (root?.kind === 'self') return fn.owner;
  if (root?.kind !== 'param' || root.id !== pointer.target.root.id) return undefined;
  const type = peel(root.type);
  return type?.kind === 'path' && type.name !== '' ? type.name : undefined;
}

/** D: `return stack[$ - 1];`, the top of a stack, which the next expression uses. */
function isLast(unit: UnitFacts, file: FileIr, { pointer }: Escape): boolean {
  const text = unit.textOf(file.path) ?? '';
  return /\[\s*\$\s*-\s*1\s*\]\s*;?\s*$/u.test(text.slice(pointer.site.start, pointer.site.end));
}

/** D: a template that holds values of any type; what it returns by `ref` is its way to show an element. */
function isContainer(file: FileIr, fn: FunctionIr): boolean {
  if (fn.owner === undefined) return false;
  return file.types.some(
    (type) =>
      (type.name === fn.owner || type.kind === 'template') &&
      type.generics.length > 0 &&
      type.span.start <= fn.span.start &&
      fn.span.end <= type.span.end,
  );
}

/**
 * Whether the signature ties the result to the borrow of `self`: then the compiler keeps whoever holds it from calling what
 * takes `&mut self`, even when a raw pointer is inside.
 */
function isTiedToSelf(fn: FunctionIr): boolean {
  const { self, returns } = fn;
  if (!self || self.mode === 'value' || !returns) return false;
  const { text } = returns;
  if (returns.kind === 'pointer' || /'static\b/u.test(text)) return false;
  // Pointers that a reference shows as elements are no pointers into what it shows.
  if (returns.kind !== 'reference' && /\*\s*(?:const|mut)\b/u.test(text)) return false;
  if (self.lifetime !== undefined && new RegExp(`${self.lifetime}\\b`, 'u').test(text)) return true;
  return /'_|&\s*(?!['\s&])/u.test(text);
}

/** `fn next<'b>(blocks: &'b mut Blocks) -> Option<&'b mut Block>`: the same for a parameter. */
function isTiedToParameter({ params, returns }: FunctionIr, name: string): boolean {
  const type = params.find((p) => p.name === name)?.type;
  if (type?.kind !== 'reference' || type.lifetime === undefined || !returns || returns.kind === 'pointer') return false;
  return !/\*\s*(?:const|mut)\b/u.test(returns.text) && new RegExp(`${type.lifetime}\\b`, 'u').test(returns.text);
}

/** `self.items.push(self.items.as_ptr())`-like stores are judged where the collection's pointers are used. */
function storesIntoOwner(escape: Escape, owner: Place): boolean {
  return (
    escape.into !== undefined &&
    escape.into.root.id === owner.root.id &&
    escape.into.path.join('.') === owner.path.join('.')
  );
}

function isImmutable(type: Parameters<typeof elementType>[0]): boolean {
  if (!type) return false;
  if (type.name === 'string' || type.name === 'wstring' || type.name === 'dstring') return true;
  const element = elementType(type);
  return (type.qualifiers?.includes('immutable') ?? false) || (element?.qualifiers?.includes('immutable') ?? false);
}

function describeEscape(escape: Escape): string {
  switch (escape.kind) {
    case 'return':
      return escape.pointer.how === 'ref return' ? "returned by 'ref'" : 'returned';
    case 'store':
      return escape.into
        ? `stored in '${describePlace(escape.into)}'`
        : escape.callee
          ? `kept by '${escape.callee}'`
          : 'stored';
    case 'collect':
      return escape.into ? `added to '${describePlace(escape.into)}'` : 'added to a collection';
    default:
      return 'given to another thread';
  }
}

/** D: a private function whose result by `ref` every caller copies into a variable of its own at once. */
function isCopied(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  callers: readonly { readonly start: number }[],
): boolean {
  if (fn.isPublic || callers.length === 0) return false;
  const text = unit.textOf(file.path) ?? '';
  return callers.every(({ start }) =>
    /(?:[;{}\n])[ \t]*(?:(?:auto|const|immutable)|[\w.!()]+(?:\[\])?)\s+\w+\s*=\s*$/u.test(
      text.slice(Math.max(0, start - 120), start),
    ),
  );
}

/** D: a function inside of another one, which is called from outside of itself only to be compared with `null`. */
function isOnlyAsked(unit: UnitFacts, file: FileIr, fn: FunctionIr): boolean {
  const outer = fn.parent === undefined ? undefined : file.functions.find(({ id }) => id === fn.parent);
  if (outer === undefined || !/^\w+$/u.test(fn.name)) return false;
  const text = unit.textOf(file.path) ?? '';
  const named = [...text.slice(outer.span.start, outer.span.end).matchAll(new RegExp(`\\b${fn.name}\\b`, 'gu'))]
    .map(({ index }) => index + outer.span.start)
    .filter((at) => at < fn.span.start || at >= fn.span.end);
  return (
    named.length > 0 &&
    named.every((at) => {
      const call = /^\w+\s*\((?:[^()]|\([^()]*\))*\)/u.exec(text.slice(at, outer.span.end));
      return call !== null && /^\s*(?:!?is|[!=]=)\s*null\b/u.test(text.slice(at + call[0].length, outer.span.end));
    })
  );
}

/** Calls of the accessor in its own file, for the message; the spans of their names. */
function findCallers(unit: UnitFacts, file: FileIr, fn: FunctionIr): { start: number; end: number }[] {
  const text = unit.textOf(file.path) ?? '';
  const found: { start: number; end: number }[] = [];
  if (!/^\w{3,}$/u.test(fn.name)) return found;
  for (const match of text.matchAll(new RegExp(`(?<=[.\\s(!=])${fn.name}\\s*\\(`, 'gu'))) {
    const start = match.index;
    // Its own name, and methods of that name that it calls: `ptr.add(1)` in `fn add`.
    if (fn.span.start <= start && start < fn.span.end) continue;
    const within = file.functions.some((f) => f.bodySpan && f.bodySpan.start < start && start < f.bodySpan.end);
    if (within) found.push({ start, end: start + fn.name.length });
  }
  return found;
}
