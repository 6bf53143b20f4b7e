import type { ApiIndex, Match } from './api-index.js';
import type { ApiRow, Effect, Operand } from './api.js';
import { containerOf, describePlace, extend, isElementOf, isWithin, placeKey, type Place, type Root } from './place.js';
import type {
  Access,
  Adoption,
  CallSite,
  Context,
  Escape,
  FunctionFlow,
  Growth,
  Invalidation,
  LockScope,
  OwnedTwice,
  Pointer,
  PointerForm,
  StaleUse,
  Summary,
  UseKind,
  Value,
} from './result.js';
import { fieldTypeOf, growthKey, typeOfPlace } from './place-type.js';
import { dependsOnAnotherField, isReleasedByDrop } from './released-by-drop.js';
import { State } from './state.js';
import {
  elementType,
  isGrowable,
  keepsSliceOf,
  ownsBlock,
  peel,
  unwrapped,
  withoutAlias,
  type TypeOracle,
} from './types.js';
import { builtinCallType, builtinMethodType, digestType, syntheticType } from './builtin-types.js';
import type { Argument, Block, Expr, ExprOf, FileIr, FunctionIr, Pattern, Statement, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';

export interface FlowSettings {
  readonly oracle: TypeOracle;
  readonly apis: ApiIndex;
  /** How many helpers deep summaries are followed from here. */
  readonly depth: number;
}

const NOTHING: Value = { places: [], pointers: [] };
/** Expressions nested deeper than this are not followed; the flow says `incomplete`. */
const MAX_DEPTH = 300;
const MAX_STEPS = 60_000;
/** Methods that look at a pointer's address, not at what it points to. */
const ADDRESS_ONLY = new Set([
  'is_null',
  'addr',
  'is_aligned',
  'eq',
  'ne',
  'cmp',
  'hash',
  'fmt',
  'to_bits',
  'cast',
  'cast_mut',
  'cast_const',
  'expose_provenance',
]);
/** Methods that only pointers have. */
const POINTER_ONLY = new Set([
  'cast',
  'cast_mut',
  'cast_const',
  'offset',
  'wrapping_add',
  'wrapping_offset',
  'byte_add',
]);
/** Methods that make a pointer to another element out of one. */
const ARITHMETIC = new Set([
  'add',
  'sub',
  'offset',
  'wrapping_add',
  'wrapping_sub',
  'wrapping_offset',
  'byte_add',
  'byte_sub',
  'byte_offset',
]);
const CONSTRUCTORS = new Set([
  'Some',
  'Ok',
  'Err',
  'Reverse',
  'Wrapping',
  'Borrowed',
  'Owned',
  'Left',
  'Right',
  'Ready',
]);
/** Crates that declare the functions of a C library or of an operating system. */
const FOREIGN_CRATE = /^(?:windows|windows_\w+|winapi|libc|ffi|sys|\w+_sys|\w+_ffi)$/u;
/** Methods of an iterator that yield one element. */
const ITERATOR_STEPS = new Set(['next', 'next_back', 'nth']);
/** Adapters whose closure gets the receiver's content and whose result is what the closure returned. */
const CONTENT_ADAPTERS = new Set([
  'map',
  'map_or',
  'map_or_else',
  'and_then',
  'then',
  'filter_map',
  'flat_map',
  'for_each',
  'inspect',
  'is_some_and',
  'is_ok_and',
  'try_for_each',
  'find_map',
  'fold',
  'any',
  'all',
  'filter',
  'with',
  'unwrap_or_else',
  'or_else',
  'map_err',
  'ok_or_else',
  'get_or_insert_with',
  'get_or_init',
  'call_once',
  'each',
  'tap',
]);

/**
 * Walks one function in evaluation order and records what points where, what invalidates it, and where it goes.
 * Branches are joined by union and loop bodies walked twice, so a path that exists in the source is seen; infeasible
 * combinations of branches can be seen too. Never throws on odd input; `incomplete` says when it stopped early.
 */
export function analyse(file: FileIr, fn: FunctionIr, settings: FlowSettings): FunctionFlow {
  return new Analysis(file, fn, settings).run();
}

class Analysis {
  private state = new State();
  private readonly scopes: Map<string, Root>[] = [new Map<string, Root>()];
  private readonly blockRoots: Root[][] = [];
  private temps: Root[] = [];
  private nextRoot = 1;
  private nextPointer = 1;
  private steps = 0;
  private nesting = 0;
  private incomplete = false;
  private frames: Context['frames'] = [];
  private loops = 0;
  /** Which walk of a loop body this is; 0 outside of loops. */
  private round = 0;
  private rounds = 0;
  private readonly rootsBySite = new Map<string, Root>();
  private readonly pointersBySite = new Map<string, Pointer>();
  private readonly loopStack: { label: string | undefined; breaks: State[]; continues: State[]; values: Value[] }[] =
    [];
  /** `stale` holds what had happened to a returned pointer by the time it was returned. */
  private readonly returnStack: {
    values: Value[];
    functionId: number;
    stale: Map<number, readonly Invalidation[]>;
  }[] = [];
  private readonly inlined = new Set<number>();
  private readonly functions: Map<number, FunctionIr>;
  /** D: what the scopes around run when they are left, outermost scope first: `scope (exit)` and `finally` blocks. */
  private pending: (readonly Block[])[] = [];
  /** D: the subjects of the `with` statements around, outermost first. */
  private readonly subjectsOfWith: Value[] = [];

  /** Pointers made by the statement being walked: alive though no variable holds them yet. */
  private fresh = new Set<number>();
  private readonly pointers: Pointer[] = [];
  private readonly stale = new Map<string, StaleUse>();
  private readonly escapes = new Map<string, Escape>();
  private readonly growths = new Map<string, Growth>();
  private readonly invalidations = new Map<string, Invalidation>();
  private readonly calls = new Map<string, CallSite>();
  private readonly adoptions = new Map<string, Adoption>();
  private readonly uses = new Map<string, Summary['uses'][number]>();
  private readonly ownedTwice = new Map<string, OwnedTwice>();
  private readonly accesses = new Map<string, Access>();
  private readonly suspensions = new Map<number, Span>();
  private readonly consumed: { param: number; span: Span }[] = [];
  private readonly stores = new Map<string, { param: number; into: Place; span: Span }>();
  private readonly releases = new Map<string, Summary['releases'][number]>();

  constructor(
    private readonly file: FileIr,
    private readonly fn: FunctionIr,
    private readonly settings: FlowSettings,
  ) {
    this.functions = functionTable(file);
  }

  private get rust(): boolean {
    return this.file.language === 'rust';
  }

  run(): FunctionFlow {
    const { fn } = this;
    if (fn.self)
      this.declare('self', {
        kind: 'self',
        name: this.rust ? 'self' : 'this',
        span: fn.self.span,
        byValue: fn.self.mode === 'value',
        declared: 'param',
        ...optionalType(fn.self.type ?? this.ownerType()),
      });
    else if (fn.owner && !fn.isStatic && !this.rust)
      this.declare('self', {
        kind: 'self',
        name: 'this',
        span: fn.nameSpan,
        byValue: false,
        declared: 'implicit',
        ...optionalType(this.ownerType()),
      });
    this.declareParams(fn);
    if (this.isSynchronized(fn)) this.state.locks.push({ span: fn.nameSpan, what: 'this' });
    if (fn.body) {
      this.returnStack.push({ values: [], functionId: fn.id, stale: new Map() });
      const result = this.block(fn.body, true);
      if (this.state.alive && fn.body.result) this.leave(result, fn.body.result.span);
      else if (this.state.alive) this.leaveBehind(fn.body.span);
      this.returnStack.pop();
      this.dropParameters(fn.body.span);
    }
    return {
      pointers: this.pointers,
      staleUses: [...this.stale.values()],
      escapes: [...this.escapes.values()],
      growths: [...this.growths.values()],
      invalidations: [...this.invalidations.values()],
      calls: [...this.calls.values()],
      adoptions: [...this.adoptions.values()],
      ownedTwice: [...this.ownedTwice.values()],
      accesses: [...this.accesses.values()],
      suspensions: [...this.suspensions.values()],
      summary: this.summary(),
      incomplete: this.incomplete,
    };
  }

  /** D: the method, or the class that it belongs to, is `synchronized`: the whole body holds the object's lock. */
  private isSynchronized(fn: FunctionIr): boolean {
    if (this.rust || fn.owner === undefined) return false;
    const holder = this.settings.oracle.declaration(fn.owner, this.file.path);
    return [...fn.attributes, ...(holder?.kind === 'class' ? holder.attributes : [])].some(
      (a) => a.name === 'synchronized',
    );
  }

  /** Rust: parameters taken by value that end with the function, as far as every use of them shows. */
  private dropParameters(body: Span): void {
    if (!this.rust) return;
    const end: Span = { start: Math.max(body.start, body.end - 1), end: body.end };
    for (const root of this.scopes[0]?.values() ?? []) {
      if (root.kind !== 'param' || root.index === undefined || !root.byValue || this.state.moved.has(root.id)) continue;
      if (this.state.alive) this.endOwner(root, end);
      const type = root.type?.kind === 'path' ? root.type.name : '';
      if (!/^(?:Vec|String|Box|CString|VecDeque|BytesMut|PathBuf|OsString)$/u.test(type)) continue;
      const isKept = [...this.accesses.values()].some(
        (a) => a.place.root === root && a.kind === 'method' && /^(?:into|leak|unwrap|map|and_then)/u.test(a.what),
      );
      if (!isKept) this.consumed.push({ param: root.index, span: end });
    }
  }

  // --- declarations ----------------------------------------------------------------------------------------------------

  private ownerType(): TypeRef | undefined {
    return this.fn.owner ? syntheticType(this.fn.owner, this.fn.nameSpan) : undefined;
  }

  private declareParams(fn: FunctionIr): void {
    fn.params.forEach((param, index) => {
      const byValue =
        !param.modifiers.some((m) => m === 'ref' || m === 'out' || m === 'lazy') && param.type?.kind !== 'reference';
      if (param.pattern && param.pattern.kind !== 'bind') {
        this.bindPattern(param.pattern, { places: [], pointers: [], ...optionalType(param.type) }, 'param');
        return;
      }
      if (!param.name) return;
      this.declare(param.name, {
        kind: 'param',
        name: param.name,
        span: param.span,
        byValue,
        declared: 'param',
        index,
        ...optionalType(param.type),
      });
      // Whoever sets it anew, mostly to a copy, has thought of it.
      if (
        !this.rust &&
        param.type?.kind === 'slice' &&
        param.modifiers.includes('variadic') &&
        !(fn.body && isAssigned(fn.body, param.name))
      )
        this.declareVariadic(param.name, param.span, param.type);
    });
  }

  /** D: `T[] rest...` is a slice of an array that the caller makes on its stack for the call. */
  private declareVariadic(name: string, span: Span, type: TypeRef): void {
    const root = this.lookup(name);
    if (!root) return;
    const array = this.makeRoot({
      kind: 'param',
      name,
      span: { start: span.start, end: span.start },
      byValue: true,
      declared: 'param',
      type: { ...type, kind: 'static-array' },
    });
    const pointer = this.borrow({ root: array, path: ['[]'] }, 'slice', false, span, '...');
    this.state.write({ root, path: [] }, { pointers: [pointer], type });
  }

  /** The type that an alias of the unit stands for. */
  private plain(type: TypeRef | undefined): TypeRef | undefined {
    if (!this.rust || (type?.kind === 'path' && this.fn.generics.some((g) => g.name === type.name))) return type;
    return withoutAlias(type, this.settings.oracle, this.file.path);
  }

  private makeRoot(seed: Omit<Root, 'id' | 'depth'>): Root {
    // One root per declaring expression, so that walking a loop body twice does not make two owners out of one.
    // What two calls of a nested function allocate are two things.
    const calls = seed.kind === 'allocation' && !this.rust ? this.frames.map((f) => f.span.start).join(':') : '';
    const key = `${seed.kind}:${seed.name}:${seed.span.start}:${seed.span.end}:${calls}`;
    const known = this.rootsBySite.get(key);
    if (known) return known;
    const type = this.plain(seed.type);
    const root: Root = { ...seed, ...optionalType(type), id: this.nextRoot++, depth: this.scopes.length - 1 };
    this.rootsBySite.set(key, root);
    return root;
  }

  private declare(name: string, seed: Omit<Root, 'id' | 'depth'>): Root {
    const root = this.makeRoot(seed);
    this.scopes.at(-1)?.set(name, root);
    this.blockRoots.at(-1)?.push(root);
    this.state.forget(root);
    for (const pointer of this.pointers)
      if (pointer.how === 'declared' && pointer.target.root === root) this.state.invalid.delete(pointer.id);
    return root;
  }

  private lookup(name: string): Root | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const root = this.scopes[i]?.get(name);
      if (root) return root;
    }
    return undefined;
  }

  /** D: what a variable no longer holds on one path does not come back to it from there. */
  private join(states: readonly State[]): State {
    if (!this.rust && states.length > 1)
      for (const state of states) {
        const live = state.invalid.size > 0 ? state.livePointers() : undefined;
        for (const id of state.invalid.keys())
          if (live?.has(id) !== true && !this.isReachable(state, id)) state.invalid.delete(id);
      }
    return State.join(states);
  }

  /** Whether a pointer that no variable holds can still be met: made by this statement, or what a variable never set leads to. */
  private isReachable(state: State, id: number): boolean {
    const pointer = this.pointers[id - 1];
    if (!pointer || this.fresh.has(id)) return true;
    const { root, path } = pointer.target;
    return pointer.how === 'declared' && state.read({ root, path: path.slice(0, -1) }) === undefined;
  }

  private context(): Context {
    return { frames: this.frames, inLoop: this.loops > 0 };
  }

  // --- pointers --------------------------------------------------------------------------------------------------------

  private borrow(
    target: Place,
    form: PointerForm,
    erased: boolean,
    site: Span,
    how: string,
    row?: ApiRow,
    guards: readonly LockScope[] = [],
  ): Pointer {
    const key = `${placeKey(target)}|${site.start}|${site.end}|${form}|${erased ? 1 : 0}`;
    let pointer = this.pointersBySite.get(key);
    if (!pointer) {
      pointer = {
        id: this.nextPointer++,
        target,
        form,
        erased,
        site,
        how,
        locks: [
          ...this.state.locks,
          ...guards.filter((g) => !this.state.locks.some((l) => l.span.start === g.span.start)),
        ],
        context: this.context(),
        ...(row ? { row } : {}),
      };
      this.pointersBySite.set(key, pointer);
      this.pointers.push(pointer);
    }
    this.state.invalid.delete(pointer.id);
    this.fresh.add(pointer.id);
    return pointer;
  }

  /** A reference that is used where a raw pointer is wanted becomes one without a cast in the source. */
  private coerce(value: Value, wanted: TypeRef | undefined, span?: Span): Value {
    // D: a static array where a slice is wanted is sliced without a sign in the source.
    if (span && !this.rust && wanted?.kind === 'slice' && value.type?.kind === 'static-array')
      return value.pointers.length > 0
        ? value
        : {
            places: [],
            pointers: (value.owned ? this.materialise(value, span) : value.places).map((p) =>
              this.borrow(extend(p, '[]'), 'slice', false, span, '[]'),
            ),
            type: wanted,
          };
    return this.rust && value.pointers.length > 0 && holdsRawPointer(wanted) ? this.asRaw(value) : value;
  }

  /** What a place of pointer type points to when nothing in the function says: one object per place. */
  private implicitPointer(place: Place): Pointer {
    const target = extend(place, '*');
    const key = `implicit|${placeKey(target)}`;
    let pointer = this.pointersBySite.get(key);
    if (!pointer) {
      pointer = {
        id: this.nextPointer++,
        target,
        form: 'raw',
        erased: true,
        site: place.root.span,
        how: 'declared',
        locks: [],
        context: this.context(),
      };
      this.pointersBySite.set(key, pointer);
      this.pointers.push(pointer);
    }
    return pointer;
  }

  private isPointerType(type: TypeRef | undefined): boolean {
    return (
      type?.kind === 'pointer' || (type?.kind === 'path' && (type.name === 'NonNull' || type.name === 'AtomicPtr'))
    );
  }

  private valueOf(place: Place, type: TypeRef | undefined): Value {
    const stored = this.state.read(place);
    if (stored)
      return {
        places: [place],
        pointers: stored.pointers,
        ...optionalType(stored.type ?? type),
        ...(stored.adopts ? { adopts: stored.adopts } : {}),
        ...(stored.closure !== undefined ? { closure: stored.closure } : {}),
        ...(stored.literal !== undefined ? { literal: stored.literal } : {}),
        ...(stored.alias ? { alias: stored.alias } : {}),
      };
    if (this.isPointerType(type))
      return { places: [place], pointers: [this.implicitPointer(place)], ...optionalType(type) };
    return { places: [place], pointers: [], ...optionalType(type) };
  }

  /** The storage that a method on `value` works on: through references and pointers, else the places themselves. */
  private subjects(value: Value): readonly Place[] {
    const through = value.pointers.filter((p) => p.form !== 'closure').map((p) => p.target);
    return through.length > 0 ? through : value.places;
  }

  /** D: the array whose elements a value shows: a slice that was copied from a variable shows that variable's. */
  private storageOf(value: Value): readonly Place[] {
    return value.pointers.length === 0 && value.alias ? [value.alias] : this.subjects(value);
  }

  /** D: what a variable set to this value is another name for: a whole array, copied by reference. */
  private aliasOf(value: Value, type: TypeRef | undefined): { alias?: Place } {
    const [place, ...others] = value.places;
    if (this.rust || value.pointers.length > 0 || !place || others.length > 0) return {};
    return type?.kind === 'slice' && value.type?.kind === 'slice' ? { alias: value.alias ?? place } : {};
  }

  private use(value: Value, span: Span, kind: UseKind, what: string): void {
    for (const pointer of value.pointers) {
      if (this.rust && pointer.how === 'declared' && (kind === 'deref' || kind === 'argument'))
        this.noteUse(pointer, span);
      for (const invalidation of this.state.invalid.get(pointer.id) ?? []) {
        const key = `${pointer.id}|${invalidation.kind}|${invalidation.span.start}|${span.start}`;
        if (!this.stale.has(key))
          this.stale.set(key, { pointer, invalidation, use: { span, kind, what }, context: this.context() });
      }
    }
  }

  /** What the function reads behind a pointer of `self`, for its callers; not where a field decides whether it does. */
  private noteUse(pointer: Pointer, span: Span): void {
    const { root, path } = pointer.target;
    if (root.kind !== 'self' || path.at(-1) !== '*' || this.frames.length > 0) return;
    const key = placeKey(pointer.target);
    if (!this.uses.has(key)) this.uses.set(key, { place: pointer.target, span });
  }

  /** The value with the pointers that the local variables behind it hold: fields of a block of arguments, elements of a list. */
  private withHeld(value: Value): Value {
    const held = [...value.places, ...value.pointers.filter((p) => p.form !== 'closure').map((p) => p.target)]
      .filter((p) => p.root.byValue && (p.root.kind === 'local' || (!this.rust && p.root.kind === 'temp')))
      .flatMap((place) => [
        ...(this.state.read(place)?.pointers ?? []),
        ...this.state.below(place).flatMap(([, s]) => s.pointers),
      ])
      // D: what a captured variable is captured for is the delegate's, and judged with it.
      .filter((p) => p.how !== 'declared' && (this.rust || p.form !== 'closure'));
    return held.length === 0 ? value : { ...value, pointers: uniquePointers([...value.pointers, ...held]) };
  }

  private access(places: readonly Place[], span: Span, kind: Access['kind'], what: string): void {
    for (const place of places) {
      if (this.state.dropped.size > 0) this.useDropped(place, span, kind, what);
      const key = `${placeKey(place)}|${span.start}|${kind}|${this.state.suspended.length > 0 ? 1 : 0}`;
      if (!this.accesses.has(key))
        this.accesses.set(key, {
          place,
          span,
          kind,
          what,
          suspended: [...this.state.suspended],
          context: this.context(),
        });
    }
  }

  /** A value is used that was dropped by hand, if that was not in another round of a loop, which may have taken another way. */
  private useDropped(place: Place, span: Span, kind: Access['kind'], what: string): void {
    if (kind === 'borrow' || kind === 'write' || kind === 'move') return;
    for (const { pointer, invalidation, round } of this.state.dropped.values()) {
      if (!isWithin(place, pointer.target) || (round !== 0 && round !== this.round)) continue;
      const key = `${pointer.id}|dropped|${span.start}`;
      if (!this.stale.has(key))
        this.stale.set(key, { pointer, invalidation, use: { span, kind, what }, context: this.context() });
    }
  }

  /** `ManuallyDrop::drop(&mut place)`: the value is gone, the place stays. */
  private dropByHand(pointer: Pointer, span: Span, name: string, row: ApiRow): void {
    const { target } = pointer;
    if (target.path.some((s) => s === '[]' || s === '*') || target.root.kind === 'unknown') return;
    this.useDropped(target, span, 'release', name);
    this.state.dropped.set(placeKey(target), {
      pointer,
      invalidation: { kind: 'release', place: target, span, how: name, row },
      round: this.round,
    });
  }

  private invalidate(
    kind: Invalidation['kind'],
    place: Place,
    span: Span,
    how: string,
    touches: (target: Place) => boolean,
    row?: ApiRow,
    through?: string,
    except: readonly Pointer[] = [],
  ): void {
    const invalidation: Invalidation = {
      kind,
      place,
      span,
      how,
      ...(row ? { row } : {}),
      ...(through ? { through } : {}),
    };
    const live = this.state.livePointers();
    let hit = false;
    for (const pointer of this.pointers) {
      if (!touches(pointer.target) || except.includes(pointer)) continue;
      if (!live.has(pointer.id) && !this.fresh.has(pointer.id) && pointer.how !== 'declared') continue;
      hit = true;
      this.state.addInvalid(pointer.id, invalidation);
    }
    if (hit) this.invalidations.set(`${kind}|${placeKey(place)}|${span.start}`, invalidation);
  }

  private grow(
    places: readonly Place[],
    via: readonly Pointer[],
    span: Span,
    operation: Growth['operation'],
    how: string,
    weak: boolean,
    row?: ApiRow,
    through?: string,
  ): void {
    for (const place of places) {
      if (operation === 'replace' && place.path.length === 0) this.state.taken.delete(place.root.id);
      const key = this.keyOf(place);
      if (this.rust && EMPTIES.has(operation)) this.state.write(extend(place, '[]'), { pointers: [] });
      const id = `${placeKey(place)}|${span.start}|${operation}`;
      if (!this.growths.has(id)) {
        this.growths.set(id, {
          place,
          span,
          how,
          operation,
          weak,
          context: this.context(),
          ...(key ? { key } : {}),
          ...(row ? { row } : {}),
          ...(through ? { through } : {}),
        });
      }
      this.invalidate(
        operation === 'replace' ? 'replace' : 'grow',
        place,
        span,
        how,
        (target) =>
          isElementOf(target, place) &&
          !(MOVES_ONLY.has(operation) && this.staysBehind(target, place)) &&
          // What an element's own pointer leads to stays where it is.
          (this.rust || !target.path.slice(place.path.length).includes('*')),
        row,
        through,
        via,
      );
    }
  }

  private release(value: Value, span: Span, how: string, row?: ApiRow, through?: string): void {
    let pointers = value.pointers.filter((p) => p.form !== 'closure');
    if (pointers.length === 0) {
      const place = value.places[0];
      if (!place) return;
      const pointer = this.implicitPointer(place);
      // It was assigned since: what it leads to is another object.
      if (this.state.read(place)) this.state.invalid.delete(pointer.id);
      this.state.write(place, { pointers: [pointer], ...optionalType(value.type) });
      pointers = [pointer];
    }
    this.use({ ...value, pointers }, span, 'release', how);
    for (const pointer of pointers) {
      if (
        pointer.target.root.kind === 'param' ||
        pointer.target.root.kind === 'self' ||
        pointer.target.root.kind === 'global'
      ) {
        this.releases.set(`${placeKey(pointer.target)}|${span.start}`, { place: pointer.target, span, how });
      }
      // What a pointer inside the released block leads to is not released with it.
      // A slice `p[0 .. n]` of a bare pointer is released as the whole block.
      const { root, path } = pointer.target;
      const block: Place =
        this.file.language === 'd' &&
        path.at(-1) === '[]' &&
        path.at(-2) === '*' &&
        this.typeAt({ root, path: path.slice(0, -1) })?.kind !== 'slice'
          ? { root, path: path.slice(0, -1) }
          : pointer.target;
      const isInside = (target: Place): boolean =>
        isWithin(target, block) && !target.path.slice(block.path.length).includes('*');
      this.invalidate('release', pointer.target, span, how, isInside, row, through);
      // Releasing storage through the only pointer to a container's elements releases the container too.
      const container = containerOf(pointer.target);
      if (container && pointer.target.path.at(-1) === '[]')
        this.grow([container], [], span, 'free', how, false, row, through);
    }
  }

  /** D: `destroy` sets arrays, pointers and struct values back to their initial value; only an object is dead afterwards. */
  private staysUsable(type: TypeRef | undefined): boolean {
    if (!type) return false;
    if (type.kind === 'slice' || type.kind === 'assoc-array' || type.kind === 'static-array' || type.kind === 'pointer')
      return true;
    const kind = type.kind === 'path' ? this.settings.oracle.declaration(type.name, this.file.path)?.kind : undefined;
    return kind === 'struct' || kind === 'union' || kind === 'enum';
  }

  /** Rust: the variable ends here and frees what something else has taken over, unless that gave it back. */
  private endOwner(root: Root, end: Span): void {
    if (this.state.moved.has(root.id)) return;
    for (const adoption of this.state.taken.get(root.id) ?? [])
      this.ownedTwice.set(`${adoption.span.start}`, { adoption, owner: root, end });
  }

  private drop(root: Root, span: Span, how: string): void {
    if (this.state.moved.has(root.id)) return;
    this.endOwner(root, span);
    const stored = this.state.read({ root, path: [] });
    // A guard unlocks at its end, and the lock must still be there.
    for (const guard of stored?.pointers.filter((p) => p.form === 'guard') ?? [])
      this.use({ places: [], pointers: [guard] }, root.span, 'method', `the end of '${root.name}'`);
    for (const pointer of stored?.adopts ?? []) {
      this.use({ places: [], pointers: [pointer] }, root.span, 'release', `the end of '${root.name}'`);
      this.invalidate('release', pointer.target, span, how, (target) => isWithin(target, pointer.target));
    }
    // What was moved into this variable from another one ends here too, unless it was the other's own storage.
    const moved = this.movedInto(root);
    this.invalidate('drop', { root, path: [] }, span, how, (target) =>
      target.root.id === root.id
        ? !target.path.includes('*') ||
          isReleasedByDrop(target, this.settings.oracle, this.file.path, this.settings.depth)
        : moved.has(target.root.id) && !target.path.includes('*') && !this.isInline(target),
    );
  }

  /** The variables whose whole value was moved into this one, and from there on. */
  private movedInto(root: Root): Set<number> {
    const found = new Set<number>();
    if (!this.rust || root.type?.kind === 'reference' || root.type?.kind === 'pointer') return found;
    let { origin } = root;
    for (let i = 0; i < 8 && origin?.path.length === 0 && this.state.moved.has(origin.root.id); i++) {
      found.add(origin.root.id);
      ({ origin } = origin.root);
    }
    return found;
  }

  private dropTemps(from: number, span: Span): void {
    while (this.temps.length > from) {
      const temp = this.temps.pop();
      if (temp && this.rust) this.drop(temp, { start: span.end, end: span.end }, 'end of the statement');
    }
  }

  private makeTemp(span: Span, type: TypeRef | undefined): Root {
    const root = this.makeRoot({
      kind: 'temp',
      name: 'temporary',
      span,
      byValue: true,
      declared: 'implicit',
      ...optionalType(type),
    });
    this.state.moved.delete(root.id);
    if (!this.temps.includes(root)) this.temps.push(root);
    return root;
  }

  /** The value as something to borrow from: its places, or a fresh temporary when the expression made a new value. */
  private materialise(value: Value, span: Span): readonly Place[] {
    if (value.places.length > 0 || value.pointers.length > 0) return this.storageOf(value);
    if (!value.owned) return [];
    return [{ root: this.makeTemp(span, value.type), path: [] }];
  }

  /** Records that `value` leaves through a return of the innermost function or closure. */
  private leave(given: Value, span: Span): void {
    const inner = this.returnStack.at(-1)?.functionId;
    const byRef = given.places.length > 0 && this.functions.get(inner ?? -1)?.returnsRef === true;
    // D: `ref T f() { return a[i]; }` hands out the element's address.
    const wanted = this.functions.get(inner ?? -1) ?? (inner === this.fn.id ? this.fn : undefined);
    const value: Value = byRef
      ? {
          places: [],
          pointers: given.places.flatMap((p) => {
            // `return *p;` hands on what `p` points to, made where `p` was made.
            const through =
              given.via?.filter((v) => p.root.kind === 'local' && placeKey(v.target) === placeKey(p)) ?? [];
            return through.length > 0 ? through : [this.borrow(p, 'reference', false, span, 'ref return')];
          }),
          ...optionalType(given.type),
        }
      : this.coerce(given, wanted?.returns);
    if (this.rust && inner === this.fn.id) this.leaveBehind(span);
    const leaving = (this.rust ? inner === this.fn.id : !byRef) ? this.withHeld(value) : value;
    this.use(leaving, span, 'return', 'return');
    this.escape(leaving, 'return', span);
    const returns = this.returnStack.at(-1);
    returns?.values.push(value);
    for (const { id } of value.pointers)
      returns?.stale.set(id, [...(returns.stale.get(id) ?? []), ...(this.state.invalid.get(id) ?? [])]);
    if (value.places.length > 0 && value.pointers.length === 0) this.moveOut(value);
  }

  /** Rust: pointers that fields, globals and out-parameters still hold when the function ends. */
  private leaveBehind(span: Span): void {
    if (!this.rust) return;
    for (const { place, stored } of this.state.entries()) {
      if (stored.pointers.length === 0 || !this.outlives(place)) continue;
      // A parameter of a closure that ran here is not the caller's, unless it got something of the caller's.
      if (place.root.kind === 'param' && (place.root.index ?? place.root.origin?.root.index) === undefined) continue;
      if (place.root.kind === 'self' && place.root.byValue && !this.state.moved.has(place.root.id)) continue;
      for (const pointer of stored.pointers) {
        if (pointer.how === 'declared' || pointer.target.root.id === place.root.id) continue;
        const key = `${pointer.id}|left|${placeKey(place)}`;
        const stores = [...this.escapes.values()].filter(
          (e) => e.pointer.id === pointer.id && e.into && !e.atExit && isWithin(place, e.into),
        );
        this.escapes.set(key, {
          pointer,
          kind: 'store',
          span: stores.at(-1)?.span ?? span,
          into: place,
          atExit: true,
          locks: [],
          invalidations: [...(this.state.invalid.get(pointer.id) ?? [])],
          ownerMoved: this.state.moved.has(pointer.target.root.id) && !this.isInline(pointer.target),
          context: this.context(),
        });
      }
    }
  }

  /** A reference that became a raw pointer by coercion: from here on the compiler does not check it. */
  private asRaw(value: Value): Value {
    const isChecked = (p: Pointer): boolean => p.form === 'reference' || p.form === 'slice';
    if (!value.pointers.some(isChecked)) return value;
    const pointers = value.pointers.map((p) => {
      if (!isChecked(p)) return p;
      const raw = this.borrow(p.target, 'raw', true, p.site, p.how, p.row, p.locks);
      for (const invalidation of this.state.invalid.get(p.id) ?? []) this.state.addInvalid(raw.id, invalidation);
      return raw;
    });
    return { ...value, pointers };
  }

  /** Branches of which one is written as a raw pointer are all raw pointers. */
  private joinBranches(values: readonly Value[], branches: readonly Expr[]): Value {
    return merged(this.rust && branches.some(isRawExpr) ? values.map((v) => this.asRaw(v)) : values);
  }

  private escape(
    value: Value,
    kind: Escape['kind'],
    span: Span,
    extra: { into?: Place; callee?: string; index?: number } = {},
  ): void {
    for (const pointer of value.pointers) {
      const key = `${pointer.id}|${kind}|${span.start}|${extra.index ?? ''}`;
      if (this.escapes.has(key)) continue;
      this.escapes.set(key, {
        pointer,
        kind,
        span,
        locks: [...this.state.locks],
        invalidations: [...(this.state.invalid.get(pointer.id) ?? [])],
        ownerMoved: this.state.moved.has(pointer.target.root.id) && !this.isInline(pointer.target),
        context: this.context(),
        ...extra,
      });
    }
  }

  /** Whether the place is in the variable's own storage, which stays where it is when the value is moved away. */
  private isInline(place: Place): boolean {
    return this.rust && place.path.every((segment) => segment !== '[]' && segment !== '*');
  }

  private moveOut(value: Value): void {
    if (!this.rust) return;
    for (const place of value.places) {
      if (place.path.length > 0 || place.root.kind === 'self' || place.root.kind === 'global') continue;
      if (place.root.type?.kind === 'reference' || place.root.type?.kind === 'pointer') continue;
      this.state.moved.add(place.root.id);
    }
  }

  private ownsBlock(place: Place): boolean {
    return this.rust && ownsBlock(typeOfPlace(place, this.settings.oracle, this.file.path));
  }

  /** Whether the target lies in a block that an element of the growing owner has for itself: growth moves the element only. */
  private staysBehind(target: Place, owner: Place): boolean {
    return target.path.some(
      (segment, at) =>
        at > owner.path.length &&
        segment === '[]' &&
        this.ownsBlock({ root: target.root, path: target.path.slice(0, at) }),
    );
  }

  private keyOf(place: Place): string | undefined {
    return growthKey(place, this.settings.oracle, this.file.path);
  }

  // --- statements ------------------------------------------------------------------------------------------------------

  private block(block: Block, isBody = false): Value {
    this.scopes.push(new Map());
    this.blockRoots.push([]);
    const defers: Block[] = [];
    this.pending.push(defers);
    for (const statement of block.statements) {
      if (!this.state.alive) break;
      this.statement(statement, defers);
    }
    let value: Value = NOTHING;
    if (block.result && this.state.alive) {
      value = this.expr(block.result);
    }
    this.pending.pop();
    if (this.state.alive) for (const body of defers.reverse()) this.block(body);
    const end: Span = { start: Math.max(block.span.start, block.span.end - 1), end: block.span.end };
    const roots = this.blockRoots.pop() ?? [];
    if (this.rust && this.state.alive && !isBody) {
      const kept = new Set(
        value.places.filter((p) => p.path.length === 0 && value.pointers.length === 0).map((p) => p.root.id),
      );
      for (const root of roots.reverse())
        if (!kept.has(root.id)) this.drop(root, end, `end of the scope of '${root.name}'`);
      // A local returned as the block's value is moved, its place is gone.
      value = {
        ...value,
        places: value.places.filter((p) => !roots.includes(p.root)),
        ...(value.places.some((p) => roots.includes(p.root)) && value.pointers.length === 0 ? { owned: true } : {}),
      };
    }
    if (this.rust && this.state.alive && isBody) {
      const kept = new Set(value.places.map((p) => p.root.id));
      for (const root of roots.reverse()) {
        if (kept.has(root.id)) continue;
        const held = this.state.read({ root, path: [] });
        if (held?.adopts || held?.pointers.some((p) => p.form === 'guard') === true)
          this.drop(root, end, `end of the scope of '${root.name}'`);
        else this.endOwner(root, end);
      }
    }
    this.scopes.pop();
    return value;
  }

  private statement(statement: Statement, defers: Block[]): void {
    if (++this.steps > MAX_STEPS) {
      this.incomplete = true;
      this.state.alive = false;
      return;
    }
    const mark = this.temps.length;
    const outerFresh = this.fresh;
    this.fresh = new Set();
    switch (statement.kind) {
      case 'let': {
        let value: Value = NOTHING;
        if (statement.init) {
          value = this.coerce(this.expr(statement.init), statement.type, statement.init.span);
          if (statement.otherwise) {
            const before = this.state.clone();
            this.block(statement.otherwise);
            this.state = before;
          }
          if (this.rust && extendsTemporaries(statement.init)) this.extendTemps(value, mark);
          if (statement.modifiers.includes('scope')) value = this.onStack(value, statement);
        }
        const type = statement.type ?? value.type;
        this.bindPattern(
          statement.pattern,
          { ...value, ...optionalType(type) },
          statement.isStatic ? 'static' : 'let',
          statement.modifiers.includes('ref'),
          statement.type,
        );
        break;
      }
      case 'expression': {
        const value = this.expr(statement.expr);
        if (value.adopts)
          for (const pointer of value.adopts)
            this.invalidate('release', pointer.target, statement.span, 'dropped at once', (t) =>
              isWithin(t, pointer.target),
            );
        break;
      }
      case 'defer':
        // What runs only when an exception leaves the scope does not happen on the way that goes on.
        if (statement.when !== 'failure') defers.push(statement.body);
        break;
      case 'try': {
        const before = this.state.clone();
        if (statement.finally) this.pending.push([statement.finally]);
        this.block(statement.body);
        if (statement.finally) this.pending.pop();
        const after = this.state;
        const ends: State[] = after.alive ? [after] : [];
        const thrown = this.join([before, after.revived()]);
        for (const c of statement.catches) {
          this.state = thrown.clone();
          this.block(c.body);
          if (this.state.alive) ends.push(this.state);
        }
        this.state = ends.length > 0 ? this.join(ends) : after.dead();
        if (statement.finally) this.block(statement.finally);
        break;
      }
      case 'item':
        break;
    }
    this.dropTemps(mark, statement.span);
    this.dropGuards(statement.span);
    for (const id of this.fresh) outerFresh.add(id);
    this.fresh = outerFresh;
  }

  /** D: `scope x = new C` makes the object on the stack; the variable and its copies refer to it. */
  private onStack(value: Value, { init, pattern }: Extract<Statement, { kind: 'let' }>): Value {
    if (init?.kind !== 'new' || pattern.kind !== 'bind' || init.type.kind !== 'path') return value;
    // What a `scope` variable was made with must live as long as the variable, not longer.
    if (this.settings.oracle.declaration(init.type.name, this.file.path)?.kind !== 'class')
      return { ...value, pointers: [] };
    const root = this.makeRoot({
      kind: 'local',
      name: pattern.name,
      // The object, not the variable that refers to it.
      span: { start: pattern.span.start, end: init.span.end },
      byValue: true,
      declared: 'let',
      type: init.type,
      storage: 'stack',
    });
    return { places: [], pointers: [this.borrow({ root, path: [] }, 'raw', false, init.span, 'new')], type: init.type };
  }

  /** Rust: a guard that no variable holds ends with the statement that took it, and with it the critical section. */
  private dropGuards(span: Span): void {
    if (!this.rust) return;
    const guards = this.pointers.filter(
      (p) => p.form === 'guard' && this.fresh.has(p.id) && /lock|read|write/u.test(p.how),
    );
    if (guards.length === 0) return;
    const live = this.state.livePointers();
    for (const guard of guards) {
      if (live.has(guard.id)) continue;
      for (const pointer of this.pointers)
        if (pointer.form === 'raw' && pointer.locks.some((l) => l.span.start === guard.site.start))
          this.state.addInvalid(pointer.id, {
            kind: 'unlock',
            place: pointer.target,
            span: { start: span.end, end: span.end },
            how: 'end of the statement',
          });
    }
  }

  private extendTemps(value: Value, mark: number): void {
    const wanted = new Set(value.pointers.map((p) => p.target.root));
    const kept = this.temps.slice(mark).filter((t) => wanted.has(t));
    if (kept.length === 0) return;
    this.temps = this.temps.filter((t, i) => i < mark || !wanted.has(t));
    this.blockRoots.at(-1)?.push(...kept);
  }

  private bindPattern(
    pattern: Pattern,
    value: Value,
    declared: Root['declared'],
    byRef = false,
    annotated?: TypeRef,
  ): void {
    switch (pattern.kind) {
      case 'bind': {
        const type = this.plain(annotated ?? pattern.type ?? value.type);
        const references = byRef || pattern.byRef;
        const root = this.declare(pattern.name, {
          kind: 'local',
          name: pattern.name,
          span: pattern.span,
          byValue: !references,
          declared,
          ...optionalType(references ? value.type : type),
          ...originFrom(value),
        });
        if (references) {
          const targets = this.subjects(value);
          this.state.write(
            { root, path: [] },
            {
              pointers: targets.map((t) =>
                this.borrow(
                  t,
                  'reference',
                  false,
                  pattern.span,
                  declared === 'foreach' ? 'foreach (ref ..)' : 'ref binding',
                ),
              ),
              ...optionalType(type),
            },
          );
        } else {
          this.state.write(
            { root, path: [] },
            {
              // D: an address in a number is a number.
              pointers: !this.rust && SCALAR.test(type?.kind === 'path' ? type.name : '') ? [] : value.pointers,
              ...optionalType(type),
              ...(value.adopts ? { adopts: value.adopts } : {}),
              ...(value.closure !== undefined ? { closure: value.closure } : {}),
              ...(value.literal !== undefined ? { literal: value.literal } : {}),
              ...this.aliasOf(value, type),
            },
          );
          if (value.pointers.length === 0) {
            this.copyFields(value.places, { root, path: [] });
            this.moveOut(value);
          }
        }
        if (pattern.sub) this.bindPattern(pattern.sub, value, declared);
        return;
      }
      case 'parts': {
        // Matching through a reference binds references.
        const lends = byRef || (this.rust && value.pointers.length === 0 && this.isBehindReference(value));
        for (const part of pattern.parts) {
          const wrapper =
            pattern.path.at(-1) === 'Some' || pattern.path.at(-1) === 'Ok' || pattern.path.at(-1) === 'Err';
          if (wrapper) {
            this.bindPattern(
              part.pattern,
              {
                ...value,
                ...optionalType(pattern.path.at(-1) === 'Err' ? undefined : unwrapped(peel(value.type) ?? value.type)),
              },
              'pattern',
              lends,
            );
            continue;
          }
          const field =
            this.isEnum(value.type) && pattern.path.length > 0
              ? `${pattern.path.at(-1) ?? ''}.${part.field}`
              : part.field;
          const places = this.subjects(value).map((p) => extend(p, field));
          const first = places[0];
          const type =
            value.type?.kind === 'tuple'
              ? value.type.args[Number(part.field)]
              : (eitherArgument(value.type, pattern.path) ?? this.fieldType(value.type, field));
          const read = first ? this.valueOf(first, type) : NOTHING;
          this.bindPattern(
            part.pattern,
            { places, pointers: read.pointers.length > 0 ? read.pointers : value.pointers, ...optionalType(type) },
            'pattern',
            lends && read.pointers.length === 0,
          );
        }
        return;
      }
      case 'reference':
        this.bindPattern(
          pattern.pattern,
          { ...value, ...optionalType(value.type?.kind === 'reference' ? value.type.element : value.type) },
          declared,
        );
        return;
      case 'alternatives':
        for (const alternative of pattern.patterns) this.bindPattern(alternative, value, declared);
        return;
      case 'wildcard':
      case 'literal':
        return;
    }
  }

  private isBehindReference(value: Value): boolean {
    if (value.type?.kind === 'reference') return true;
    return value.places.some((p) => p.path.length === 0 && p.root.kind === 'self' && !p.root.byValue);
  }

  /** Struct values carry the pointers of their fields along when they are copied or moved. */
  private copyFields(from: readonly Place[], to: Place): void {
    for (const place of from) {
      for (const [suffix, stored] of this.state.below(place)) this.state.write(extend(to, ...suffix), stored);
    }
  }

  // --- expressions -----------------------------------------------------------------------------------------------------

  private expr(expr: Expr): Value {
    if (!this.state.alive) return NOTHING;
    if (this.nesting >= MAX_DEPTH || ++this.steps > MAX_STEPS) {
      this.incomplete = true;
      return NOTHING;
    }
    this.nesting++;
    const value = this.evaluate(expr);
    this.nesting--;
    return value;
  }

  private evaluate(expr: Expr): Value {
    switch (expr.kind) {
      case 'name':
        return this.name(expr);
      case 'field':
        return this.field(expr);
      case 'index': {
        const base = this.expr(expr.base);
        this.expr(expr.index);
        return this.element(base, expr.span);
      }
      case 'slice': {
        const base = this.expr(expr.base);
        if (expr.from) this.expr(expr.from);
        if (expr.to) this.expr(expr.to);
        this.use(base, expr.span, 'index', '[..]');
        if (this.rust)
          return {
            places: this.subjects(base).map((p) => (p.path.at(-1) === '[]' ? p : extend(p, '[]'))),
            pointers: [],
            ...optionalType(base.type),
          };
        const targets =
          base.pointers.length > 0 && this.isView(base)
            ? base.pointers.map((p) => p.target)
            : this.materialise(base, expr.base.span).map((p) => (p.path.at(-1) === '[]' ? p : extend(p, '[]')));
        return {
          places: [],
          pointers: targets.map((t) => this.borrow(t, 'slice', false, expr.span, '[..]')),
          ...optionalType(
            base.type?.kind === 'static-array' && base.type.element ? { ...base.type, kind: 'slice' } : base.type,
          ),
        };
      }
      case 'deref': {
        const base = this.expr(expr.base);
        // What has no size is not read.
        if (!isUnit(base.type?.element)) this.use(base, expr.span, 'deref', '*');
        this.access(base.places, expr.span, 'deref', '*');
        const places =
          base.pointers.length > 0
            ? base.pointers.map((p) => p.target)
            : base.places.map((p) => extend(p, this.derefSegment(base.type)));
        const type =
          base.type?.kind === 'pointer' || base.type?.kind === 'reference' ? base.type.element : peel(base.type);
        const first = places[0];
        const read = first ? this.valueOf(first, type) : NOTHING;
        return { places, pointers: read.pointers, via: [...(base.via ?? []), ...base.pointers], ...optionalType(type) };
      }
      case 'address':
        return this.address(expr);
      case 'call':
        return this.call(expr);
      case 'method':
        return this.methodCall(expr);
      case 'macro': {
        const values = expr.args.map((a) => this.expr(a));
        values.forEach((v, i) => this.access(v.places, expr.args[i]?.span ?? expr.span, 'argument', `${expr.name}!`));
        for (const { row } of this.settings.apis.macro(expr.name))
          for (const effect of row.effects)
            this.applyEffect(effect, row, undefined, values, expr.args, expr.span, expr.name, false);
        if (expr.name === 'vec' || expr.name === 'format')
          return {
            places: [],
            pointers: values.flatMap((v) => (expr.name === 'vec' ? v.pointers : [])),
            owned: true,
            type: syntheticType(expr.name === 'vec' ? 'Vec' : 'String', expr.span),
          };
        if (/^(panic|unreachable|todo|unimplemented|bail)$/.test(expr.name)) {
          this.state.alive = false;
          return NOTHING;
        }
        if (/^(?:debug_)?assert(?:_eq|_ne)?$/.test(expr.name)) {
          const [condition] = expr.args;
          if (condition && expr.name.endsWith('assert')) this.makeNull(nullTests(condition).whenTrue);
          return NOTHING;
        }
        // What is printed or logged is only lent.
        return /^(?:dbg|pin|vec|ready|try)$/.test(expr.name) ? merged(values) : withoutAdopts(merged(values));
      }
      case 'literal':
        return {
          places: [],
          pointers: [],
          literal: expr.text,
          ...optionalType(this.literalType(expr)),
        };
      case 'binary': {
        const left = this.expr(expr.left);
        if (expr.operator === '&&' || expr.operator === '||') {
          const skipped = this.state.clone();
          this.expr(expr.right);
          this.state = this.state.alive ? this.join([skipped, this.state]) : skipped;
          return NOTHING;
        }
        const right = this.expr(expr.right);
        if (/^(==|!=|<|>|<=|>=|is|!is|in|!in)$/.test(expr.operator)) {
          if (expr.operator === 'in')
            return {
              places: [],
              pointers: this.subjects(right).map((p) => this.borrow(extend(p, '[]'), 'raw', false, expr.span, 'in')),
              ...optionalType(
                right.type?.element ? { ...right.type, kind: 'pointer', element: right.type.element } : undefined,
              ),
            };
          return NOTHING;
        }
        // Pointer arithmetic keeps pointing into the same storage; concatenation makes a new array.
        if (!this.rust && expr.operator === '-' && left.pointers.length > 0 && right.pointers.length > 0)
          return NOTHING;
        if (expr.operator === '+' || expr.operator === '-')
          return {
            places: [],
            // Rust adds to addresses only; `text + &more` copies what it is given.
            pointers: [...left.pointers, ...right.pointers].filter((p) => !this.rust || p.form === 'raw'),
            ...optionalType(left.type),
          };
        if (expr.operator === '~')
          return { places: [], pointers: [], owned: true, ...optionalType(left.type ?? right.type) };
        return NOTHING;
      }
      case 'unary': {
        const value = this.expr(expr.operand);
        return expr.operator === '!' ? NOTHING : value;
      }
      case 'assign':
        return this.assign(expr);
      case 'cast': {
        const value = this.expr(expr.value);
        if (!this.rust && expr.type.kind === 'static-array') {
          this.use(value, expr.span, 'deref', 'cast');
          return { places: [], pointers: [], owned: true, type: expr.type };
        }
        // Too small for an address: what is left of a pointer is a number.
        if (this.rust && expr.type.kind === 'path' && /^(?:[iu](?:8|16|32)|f32|f64|bool|char)$/u.test(expr.type.name))
          return { places: [], pointers: [], type: expr.type };
        const erases = this.rust && (expr.type.kind === 'pointer' || expr.type.kind === 'reference');
        const pointers = erases
          ? value.pointers.map((p) =>
              p.form === 'raw' ? p : this.borrow(p.target, 'raw', true, p.site, p.how, p.row, p.locks),
            )
          : value.pointers;
        return {
          places: pointers.length > 0 ? [] : value.places,
          pointers,
          type: expr.type,
          ...(value.owned ? { owned: true } : {}),
        };
      }
      case 'struct': {
        const pointers: Pointer[] = [];
        const adopts: Pointer[] = [];
        for (const f of expr.fields) {
          const value = this.coerce(this.expr(f.value), this.rust ? this.fieldType(expr.type, f.name) : undefined);
          pointers.push(...value.pointers);
          if (value.adopts) adopts.push(...value.adopts);
          if (value.pointers.length === 0) this.moveOut(value);
        }
        if (expr.base) pointers.push(...this.expr(expr.base).pointers);
        return {
          places: [],
          pointers,
          type: expr.type,
          owned: pointers.length === 0,
          ...(adopts.length > 0 ? { adopts } : {}),
        };
      }
      case 'tuple': {
        const values = expr.items.map((i) => this.expr(i));
        for (const value of values) if (value.pointers.length === 0) this.moveOut(value);
        const args = values.map(
          (v): TypeRef => v.type ?? { ...syntheticType('', expr.span), kind: 'unknown', path: [] },
        );
        return {
          ...merged(values),
          places: [],
          ...(this.rust && values.some((v) => v.type)
            ? { type: { ...syntheticType('', expr.span, args), kind: 'tuple', path: [] } }
            : {}),
        };
      }
      case 'array': {
        const values = [...expr.items, ...(expr.keys ?? []), ...(expr.repeat ? [expr.repeat] : [])].map((i) =>
          this.expr(i),
        );
        const element = values[0]?.type;
        return {
          ...merged(values),
          places: [],
          owned: true,
          ...(this.rust
            ? {
                type: {
                  ...syntheticType('', expr.span),
                  kind: 'static-array',
                  text: '[_; _]',
                  path: [],
                  ...(element ? { element } : {}),
                },
              }
            : {}),
        };
      }
      case 'range':
        if (expr.from) this.expr(expr.from);
        if (expr.to) this.expr(expr.to);
        return NOTHING;
      case 'closure':
        return this.closureValue(expr);
      case 'block':
        return this.blockExpr(expr);
      case 'if':
        return this.ifExpr(expr);
      case 'let-condition': {
        const value = this.expr(expr.value);
        this.bindPattern(expr.pattern, value, 'pattern');
        return NOTHING;
      }
      case 'match':
        return this.matchExpr(expr);
      case 'loop':
        return this.loop(expr);
      case 'return': {
        const value = expr.value ? this.expr(expr.value) : NOTHING;
        if (!this.rust && value.pointers.length > 0) this.runPending();
        this.leave(value, expr.span);
        this.state.alive = false;
        return NOTHING;
      }
      case 'break': {
        const value = expr.value ? this.expr(expr.value) : NOTHING;
        const loop = this.findLoop(expr.label);
        loop?.breaks.push(this.state.clone());
        loop?.values.push(value);
        this.state.alive = false;
        return NOTHING;
      }
      case 'continue':
        this.findLoop(expr.label)?.continues.push(this.state.clone());
        this.state.alive = false;
        return NOTHING;
      case 'throw':
        this.escape(this.expr(expr.value), 'throw', expr.span);
        this.state.alive = false;
        return NOTHING;
      case 'await': {
        const value = this.expr(expr.value);
        this.suspend(expr.span);
        return value;
      }
      case 'try': {
        const value = this.expr(expr.value);
        return { ...value, ...optionalType(unwrapped(value.type)) };
      }
      case 'new': {
        const values = expr.args.map((a) => this.expr(a.value));
        const type = this.rust ? expr.type : this.madeBy(expr.type);
        const made =
          this.rust || type !== expr.type ? undefined : this.construct(type.name, expr.args, values, expr.span);
        if (made) return made;
        return { ...merged(values), places: [], owned: true, type };
      }
      case 'unknown':
        return merged(expr.children.map((c) => this.expr(c)));
    }
  }

  /** An element of an array or slice, as a place. */
  private element(base: Value, span: Span): Value {
    this.use(base, span, 'index', '[]');
    const storage = this.storageOf(base);
    this.access(storage, span, 'index', '[]');
    const places = storage.map((p) => (p.path.at(-1) === '[]' && this.isView(base) ? p : extend(p, '[]')));
    const type = elementType(base.type);
    const first = places[0];
    const read = first ? this.valueOf(first, type) : NOTHING;
    return { places, pointers: read.pointers, via: [...(base.via ?? []), ...base.pointers], ...optionalType(type) };
  }

  /** D: `a.front` and `a.back` of an array are its elements, by reference. */
  private endElement(base: Value, name: string, span: Span): Value | undefined {
    if (this.rust || (name !== 'front' && name !== 'back')) return undefined;
    const { type } = base;
    const isArray =
      type?.kind === 'slice' || type?.kind === 'static-array' || (type?.kind === 'path' && type.name === 'Array');
    return isArray ? this.element(base, span) : undefined;
  }

  /** D: what a `return` runs on its way out, after its value is made. What happens only under a condition is left out. */
  private runPending(): void {
    const pending = this.pending;
    this.pending = [];
    for (const defers of pending.toReversed())
      for (const body of defers.toReversed()) if (this.state.alive && !holdsBranch(body)) this.block(body);
    this.pending = pending;
  }

  private literalType(expr: ExprOf<'literal'>): TypeRef | undefined {
    if (expr.type === 'string') return syntheticType('str', expr.span);
    const suffix =
      this.rust && expr.type === 'number' ? /(?:[iu](?:8|16|32|64|128|size)|f32|f64)$/u.exec(expr.text) : null;
    return suffix ? syntheticType(suffix[0], expr.span) : undefined;
  }

  /** What `*` reaches: the content of a type that owns a block, whatever else points to. */
  private derefSegment(type: TypeRef | undefined): '[]' | '*' {
    return this.rust && type?.kind === 'path' && ownsBlock(type) ? '[]' : '*';
  }

  /** D: `new S` of a struct is a pointer to it, of a class the reference itself. */
  private madeBy(type: TypeRef): TypeRef {
    const kind = type.kind === 'path' ? this.settings.oracle.declaration(type.name, this.file.path)?.kind : undefined;
    return kind === 'struct' || kind === 'union'
      ? { kind: 'pointer', text: `${type.text}*`, span: type.span, name: '', path: [], args: [], element: type }
      : type;
  }

  /**
   * D: a new struct or object as a temporary whose fields hold what the arguments are or what the constructor stores in them;
   * undefined when the declaration is not known. What a constructor that is not known keeps is not guessed.
   */
  private construct(name: string, args: readonly Argument[], values: readonly Value[], span: Span): Value | undefined {
    const decl = name === '' ? undefined : this.settings.oracle.declaration(name, this.file.path);
    const isStruct = decl?.kind === 'struct' || decl?.kind === 'union';
    if (!decl || !(isStruct || decl.kind === 'class')) return undefined;
    const type = syntheticType(name, span);
    if (values.every((v) => v.pointers.length === 0)) return { places: [], pointers: [], owned: true, type };
    const place: Place = { root: this.makeTemp(span, type), path: [] };
    this.state.write(place, { pointers: [], type });
    const makers = this.file.functions.filter((f) => f.owner === name && f.kind === 'constructor');
    const fitting = makers.filter((f) => f.params.length === values.length);
    const maker = fitting[0]
      ? { path: this.file.path, fn: fitting[0] }
      : this.settings.oracle.method(name, 'this', this.file.path);
    if (fitting.length < 2 && maker?.fn.kind === 'constructor' && (maker.fn.body || maker.fn.skipped === true))
      this.applySummary(maker, { places: [place], pointers: [], type }, values, span, name, undefined);
    else if (isStruct && makers.length === 0 && !maker) {
      const fields = decl.fields.filter((f) => !f.isStatic);
      values.forEach((value, i) => {
        const field = args[i]?.name ?? fields[i]?.name;
        if (field !== undefined)
          this.state.write(extend(place, field), { pointers: value.pointers, ...optionalType(value.type) });
      });
    }
    return { places: [place], pointers: [], owned: true, type };
  }

  /** D: a function declared inside this one, which sees its variables. */
  private nestedFunction(path: readonly string[]): FunctionIr | undefined {
    const [name] = path;
    if (this.rust || path.length !== 1 || name === undefined) return undefined;
    const inside = (fn: FunctionIr): boolean => {
      for (let at = fn.parent; at !== undefined; at = this.functions.get(at)?.parent)
        if (at === this.fn.id) return true;
      return false;
    };
    const found = nestedTable(this.file).get(name)?.filter(inside) ?? [];
    return found.length === 1 ? found[0] : undefined;
  }

  /** Slices, iterators and raw element pointers already denote elements: indexing them stays in the same storage. */
  private isView(value: Value): boolean {
    return value.pointers.some(
      (p) => p.target.path.at(-1) === '[]' && (p.form === 'slice' || p.form === 'raw' || p.form === 'iterator'),
    );
  }

  /** What an iterator yields: a reference to an element, whose own memory is another matter. */
  private elementsOf(pointers: readonly Pointer[]): readonly Pointer[] {
    return pointers.map((p) =>
      p.form === 'iterator' ? this.borrow(p.target, 'reference', p.erased, p.site, p.how, p.row, p.locks) : p,
    );
  }

  private name(expr: ExprOf<'name'>): Value {
    const first = expr.path[0];
    if (first === undefined) return NOTHING;
    if (expr.path.length === 1) {
      const root = this.lookup(first);
      if (root) {
        const value = this.valueOf({ root, path: [] }, root.type);
        // A D `ref` variable is its target: reading it reads there, and what it points to is not a value of its own.
        if (this.rust || root.byValue || root.kind !== 'local' || value.pointers.length === 0) return value;
        this.use(value, expr.span, 'deref', root.name);
        const places = value.pointers.map((p) => p.target);
        return {
          places,
          pointers: places.flatMap((p) => this.state.read(p)?.pointers ?? []),
          via: value.pointers,
          ...optionalType(root.type),
        };
      }
      if (!this.rust) {
        const subject = this.subjectsOfWith.findLast((value) => this.hasField(value.type, first));
        if (subject) return this.memberOf(subject, first, expr.span);
        const self = this.lookup('self');
        const type = self ? this.fieldType(self.type, first) : undefined;
        if (self && (type ?? this.hasField(self.type, first))) return this.valueOf({ root: self, path: [first] }, type);
      }
    }
    const name = expr.path.at(-1) ?? first;
    const global = this.settings.oracle.global(name, this.file.path);
    if (global) {
      const { decl } = global;
      const root = this.makeRoot({
        kind: 'global',
        name,
        span: decl.nameSpan,
        byValue: true,
        declared: 'static',
        ...optionalType(decl.type),
      });
      return this.valueOf({ root, path: [] }, decl.type);
    }
    if (expr.path.length === 1 && /^[a-z_]/.test(first)) {
      const root = this.makeRoot({
        kind: 'unknown',
        name: first,
        span: { start: -1, end: -1 },
        byValue: false,
        declared: 'implicit',
      });
      return this.valueOf({ root, path: [] }, undefined);
    }
    return NOTHING;
  }

  private isEnum(type: TypeRef | undefined): boolean {
    const inner = peel(type);
    return inner?.kind === 'path' && this.settings.oracle.declaration(inner.name, this.file.path)?.kind === 'enum';
  }

  private hasField(type: TypeRef | undefined, name: string): boolean {
    const inner = peel(type);
    return inner
      ? (this.settings.oracle.declaration(inner.name, this.file.path)?.fields.some((f) => f.name === name) ?? false)
      : false;
  }

  private fieldType(type: TypeRef | undefined, name: string): TypeRef | undefined {
    return fieldTypeOf(type, name, this.settings.oracle, this.file.path);
  }

  /** `isAddressed`: D takes the address of a method, it does not call it. */
  private field(expr: ExprOf<'field'>, isAddressed = false): Value {
    const base = this.withoutPointer(this.expr(expr.base));
    if (!this.rust) {
      const end = this.endElement(base, expr.name, expr.span);
      if (end) return end;
      const matches = this.settings.apis.method(expr.name, base.type);
      const known = this.hasField(base.type, expr.name);
      if (matches.length > 0 && !known)
        return this.applyMatches(matches, base, [], [], expr, expr.name, true, undefined);
      if (!known && !isAddressed) {
        const result = this.propertyCall(base, expr);
        if (result && (result.pointers.length > 0 || result.places.length > 0)) return result;
      }
    }
    return this.memberOf(base, expr.name, expr.span);
  }

  /** D: `p.ptr` and `p.length` of a pointer to an array are those of the array. */
  private withoutPointer(base: Value): Value {
    const element = !this.rust && base.type?.kind === 'pointer' ? base.type.element : undefined;
    if (element?.kind !== 'slice' && element?.kind !== 'static-array' && element?.kind !== 'assoc-array') return base;
    const through = base.pointers.length > 0;
    return {
      places: through ? base.pointers.map((p) => p.target) : base.places.map((p) => extend(p, '*')),
      pointers: [],
      via: [...(base.via ?? []), ...base.pointers],
      type: element,
    };
  }

  /** D: `x.name` without parentheses calls a method, or a function of the file with `x` as its argument. */
  private propertyCall(base: Value, expr: ExprOf<'field'>): Value | undefined {
    if (!base.type) return undefined;
    const method = this.resolveMethod(base, expr.name);
    if (method?.fn.kind === 'method' && method.fn.params.length === 0)
      return this.applySummary(method, base, [], expr.span, expr.name, peel(base.type)?.name);
    const free = method ? undefined : this.extension(expr.name);
    return free?.fn.params.length === 1
      ? this.applySummary(free, undefined, [base], expr.span, expr.name, undefined)
      : undefined;
  }

  /** D: a function of the file that may be called as if it were a method. */
  private extension(name: string): Resolved | undefined {
    const found = this.rust ? undefined : this.settings.oracle.freeFunction(name, this.file.path);
    return found && found.fn.params.length > 0 && found.fn.abi === undefined ? found : undefined;
  }

  private memberOf(base: Value, name: string, span: Span): Value {
    this.use(base, span, 'field', `.${name}`);
    const through = this.subjects(base);
    const places = through.map((p) => extend(p, name));
    const type = this.fieldType(base.type, name);
    const first = places[0];
    const read = first ? this.valueOf(first, type) : NOTHING;
    return {
      places,
      pointers: read.pointers,
      via: [...(base.via ?? []), ...base.pointers],
      ...optionalType(read.type ?? type),
      ...(read.closure !== undefined ? { closure: read.closure } : {}),
    };
  }

  private address(expr: ExprOf<'address'>): Value {
    const inner = expr.base;
    if (inner.kind === 'deref') {
      // `&*p`: whatever checked the lifetime of p's target is gone when p is raw.
      const base = this.expr(inner.base);
      this.use(base, expr.span, 'deref', '&*');
      const targets = base.pointers.length > 0 ? base.pointers : [];
      if (targets.length > 0) {
        const pointers = targets.map((p) =>
          this.borrow(
            p.target,
            expr.raw ? 'raw' : 'reference',
            p.form === 'raw' || p.erased,
            p.site,
            p.how,
            p.row,
            p.locks,
          ),
        );
        return {
          places: [],
          pointers,
          ...optionalType(base.type?.element ? { ...base.type, kind: expr.raw ? 'pointer' : 'reference' } : base.type),
        };
      }
      const erased = base.type?.kind === 'pointer';
      return {
        places: [],
        pointers: base.places.map((p) =>
          this.borrow(extend(p, this.derefSegment(base.type)), expr.raw ? 'raw' : 'reference', erased, expr.span, '&*'),
        ),
        ...optionalType(base.type),
      };
    }
    let value = !this.rust && inner.kind === 'field' ? this.field(inner, true) : this.expr(inner);
    // `&mut 0` is a temporary, `&0` a static.
    if (this.rust && expr.mutable && inner.kind === 'literal' && /^(?:number|bool|char)$/u.test(inner.type))
      value = { ...value, owned: true };
    if (value.closure !== undefined && value.places.length === 0) return value;
    const frame = inner.kind === 'field' ? this.methodFrame(value, inner.name) : undefined;
    if (frame) return { places: [], pointers: frame.map((p) => this.borrow(p, 'raw', false, expr.span, '&')) };
    const form: PointerForm = expr.raw || !this.rust ? 'raw' : 'reference';
    let places = value.places;
    if (places.length === 0 && value.pointers.length > 0) {
      if (!this.rust) return value;
      // `&call()` of something that points elsewhere: the pointer inside is what matters, unless a value is made that holds it.
      if (value.owned !== true || value.type?.kind !== 'path') return value;
    }
    // `&[1, 2]` of constants is promoted to a static.
    if (places.length === 0 && value.owned && this.rust && isPromoted(inner, expr.mutable)) return NOTHING;
    if (places.length === 0 && value.owned) places = [{ root: this.makeTemp(inner.span, value.type), path: [] }];
    this.access(places, expr.span, 'borrow', '&');
    const how = !this.rust ? '&' : expr.raw ? 'addr_of!' : expr.mutable ? '&mut' : '&';
    const type: TypeRef | undefined = value.type
      ? {
          kind: form === 'raw' ? 'pointer' : 'reference',
          text: `&${value.type.text}`,
          span: expr.span,
          name: '',
          path: [],
          args: [],
          element: value.type,
        }
      : undefined;
    return {
      places: [],
      pointers: places.map((p) => this.borrow(p, form, false, expr.span, how, undefined, guardsOf(value))),
      ...optionalType(type),
    };
  }

  /** D: `&x.method` is a delegate that has `x` itself as its frame when `x` is a struct; nothing when `x` refers to something. */
  private methodFrame(value: Value, name: string): readonly Place[] | undefined {
    const [member] = value.places;
    if (this.rust || value.type !== undefined || member?.path.at(-1) !== name) return undefined;
    const holder: Place = { root: member.root, path: member.path.slice(0, -1) };
    const type = this.typeAt(holder);
    const bare = peel(type);
    if (bare?.kind !== 'path' || this.hasField(type, name)) return undefined;
    if (!this.settings.oracle.method(bare.name, name, this.file.path)) return undefined;
    if (holder.path.length === 0 && holder.root.storage === 'stack') return [holder];
    return type?.kind === 'pointer' || this.isReferenceType(bare) ? [] : [holder];
  }

  private suspend(span: Span): void {
    this.suspensions.set(span.start, span);
    this.state.suspended.push(span);
    const place: Place = {
      root: this.makeRoot({ kind: 'unknown', name: 'await', span, byValue: false, declared: 'implicit' }),
      path: [],
    };
    this.invalidate('suspend', place, span, 'await', () => true);
  }

  private assign(expr: ExprOf<'assign'>): Value {
    let value = this.expr(expr.value);
    // `x.length = n` is an operation on x, not a store into a field.
    if (!this.rust && expr.target.kind === 'field') {
      const base = this.expr(expr.target.base);
      const operator = `.${expr.target.name}=`;
      const matches = this.hasField(base.type, expr.target.name) ? [] : this.settings.apis.assign(operator, base.type);
      if (matches.length > 0) {
        for (const { row, weak } of matches)
          for (const effect of row.effects)
            this.applyEffect(effect, row, base, [value], [expr.value], expr.span, operator, weak);
        return NOTHING;
      }
    }
    const target = this.expr(expr.target);
    if (expr.operator !== '=') {
      const matches = this.settings.apis.assign(expr.operator, target.type);
      this.access(this.subjects(target), expr.span, 'write', expr.operator);
      for (const { row, weak } of matches) {
        for (const effect of row.effects)
          this.applyEffect(effect, row, target, [value], [expr.value], expr.span, expr.operator, weak);
      }
      if (matches.length > 0 && value.pointers.length > 0) {
        const into = target.places[0];
        if (into) {
          this.escape(value, 'collect', expr.span, { into });
          const kept = this.keptByAppending(value, target.type);
          if (kept.length > 0) this.state.write(extend(into, '[]'), { pointers: kept }, true);
        }
      }
      return NOTHING;
    }
    this.access(target.places, expr.span, 'write', '=');
    for (const [key, release] of this.releases)
      if (target.places.some((p) => p.path.length < release.place.path.length && isWithin(release.place, p)))
        this.releases.set(key, { ...release, renewed: true });
    value = this.coerce(value, target.type, expr.target.kind === 'slice' ? undefined : expr.value.span);
    for (const place of target.places) {
      const previous = this.state.read(place);
      const growable = isGrowable(this.typeAt(place) ?? previous?.type, this.file.language);
      const selfAppend = expr.value.kind === 'binary' && expr.value.operator === '~';
      if (growable === true || (this.rust && this.hasPointersInto(place))) {
        this.grow([place], target.via ?? [], expr.span, 'replace', selfAppend ? '= .. ~' : '=', false);
      }
      if (this.outlives(place)) {
        this.escape(this.rust ? value : this.withHeld(value), 'store', expr.span, { into: place });
        this.noteStores(value, place, expr.span);
      }
      if (previous?.adopts)
        for (const p of previous.adopts.filter(
          // In a loop the owner may be of another round, or taken by then.
          (old) => value.adopts?.includes(old) !== true && !(this.loops > 0 && old.context.inLoop),
        ))
          this.invalidate('release', p.target, expr.span, 'overwritten', (t) => isWithin(t, p.target));
      const single = target.places.length === 1 && !place.path.includes('[]');
      this.state.write(
        place,
        {
          pointers: value.pointers,
          ...optionalType(value.type ?? previous?.type),
          ...(value.adopts ? { adopts: value.adopts } : {}),
          ...(value.closure !== undefined ? { closure: value.closure } : {}),
          ...(value.literal !== undefined ? { literal: value.literal } : {}),
          ...(single ? this.aliasOf(value, target.type) : {}),
        },
        !single,
      );
      if (place.path.length === 0) this.state.moved.delete(place.root.id);
      if (!this.rust && single) this.renew(place);
    }
    if (value.pointers.length === 0) {
      for (const place of target.places) this.copyFields(value.places, place);
      this.moveOut(value);
    }
    return NOTHING;
  }

  /** D: what an array holds after `a ~= v`: pointers and slices as they are, but of a slice of the same elements only copies. */
  private keptByAppending(value: Value, array: TypeRef | undefined): readonly Pointer[] {
    const element = this.rust ? undefined : elementType(array);
    if (!element) return [];
    return value.pointers.filter((p) =>
      p.form === 'slice'
        ? keepsSliceOf(element, this.typeAt(p.target))
        : p.form === 'raw' && element.kind === 'pointer',
    );
  }

  /** D: what was below the old value of a place is not below the new one; who else points there still does. */
  private renew(place: Place): void {
    const stale = this.pointers.filter(
      (p) => p.how === 'declared' && isWithin(p.target, place) && this.state.invalid.has(p.id),
    );
    if (stale.length === 0) return;
    const live = this.state.livePointers();
    for (const { id } of stale) if (!live.has(id)) this.state.invalid.delete(id);
  }

  private typeAt(place: Place): TypeRef | undefined {
    return typeOfPlace(place, this.settings.oracle, this.file.path);
  }

  private hasPointersInto(place: Place): boolean {
    return this.pointers.some((p) => isElementOf(p.target, place));
  }

  /** Whether something stored there is still there when the function has returned. */
  private outlives(place: Place): boolean {
    const { root } = place;
    if (root.kind === 'global' || root.declared === 'static') return true;
    if (root.kind === 'self') return place.path.length > 0;
    if (root.kind === 'param')
      return (
        !root.byValue ||
        place.path.includes('*') ||
        (!this.rust && place.path.length > 0 && this.isReferenceType(root.type))
      );
    if (root.kind === 'unknown' || root.kind === 'captured') return place.path.length > 0 || !this.rust;
    return place.path.includes('*');
  }

  private isReferenceType(type: TypeRef | undefined): boolean {
    if (!type) return false;
    if (type.kind === 'pointer' || type.kind === 'slice' || type.kind === 'reference') return true;
    const kind = this.settings.oracle.declaration(type.name, this.file.path)?.kind;
    return kind === 'class' || kind === 'interface';
  }

  private noteStores(value: Value, into: Place, span: Span): void {
    for (const pointer of value.pointers) {
      const { root } = pointer.target;
      if (root.kind === 'param' && root.index !== undefined)
        this.stores.set(`${root.index}|${placeKey(into)}`, { param: root.index, into, span });
    }
    for (const place of value.places) {
      // D: what a field of the parameter holds is stored, not the parameter itself.
      if (!this.rust && place.path.length > 0) continue;
      if (place.root.kind === 'param' && place.root.index !== undefined)
        this.stores.set(`${place.root.index}|${placeKey(into)}`, { param: place.root.index, into, span });
    }
  }

  // --- control flow ----------------------------------------------------------------------------------------------------

  private blockExpr(expr: ExprOf<'block'>): Value {
    const subject = expr.subject ? this.expr(expr.subject) : undefined;
    const isLock = expr.flavour === 'synchronized';
    if (isLock) {
      const what = subject?.places[0] ? describePlace(subject.places[0]) : 'this';
      this.state.locks.push({ span: expr.span, what });
    }
    const loop = expr.label
      ? { label: expr.label, breaks: [] as State[], continues: [] as State[], values: [] as Value[] }
      : undefined;
    if (loop) this.loopStack.push(loop);
    const isWith = expr.flavour === 'with' && subject !== undefined;
    if (isWith) this.subjectsOfWith.push(subject);
    let value = this.block(expr.block);
    if (isWith) this.subjectsOfWith.pop();
    if (loop) {
      this.loopStack.pop();
      const ends = this.state.alive ? [this.state, ...loop.breaks] : loop.breaks;
      if (ends.length > 0) this.state = this.join(ends);
      value = merged([value, ...loop.values]);
    }
    if (isLock) this.unlock(expr.span, (l) => l.span.start === expr.span.start);
    return value;
  }

  private unlock(span: Span, which: (lock: LockScope) => boolean): void {
    const gone = this.state.locks.filter(which);
    if (gone.length === 0) return;
    this.state.locks = this.state.locks.filter((l) => !which(l));
    const end: Span = { start: Math.max(span.start, span.end - 1), end: span.end };
    for (const pointer of this.pointers) {
      if (!pointer.locks.some((l) => gone.includes(l) || gone.some((g) => g.span.start === l.span.start))) continue;
      const invalidation: Invalidation = {
        kind: 'unlock',
        place: pointer.target,
        span: end,
        how: `unlock of '${gone[0]?.what ?? ''}'`,
      };
      this.state.addInvalid(pointer.id, invalidation);
    }
  }

  private ifExpr(expr: ExprOf<'if'>): Value {
    this.scopes.push(new Map());
    this.blockRoots.push([]);
    const mark = this.temps.length;
    this.expr(expr.condition);
    if (!containsLet(expr.condition)) this.dropTemps(mark, expr.condition.span);
    const before = this.state.clone();
    const ends: State[] = [];
    const nulls = nullTests(expr.condition);
    this.makeNull(nulls.whenTrue);
    const then = this.branch(expr.then);
    this.leaveScope(expr.then.span, then);
    if (this.state.alive) ends.push(this.state);
    this.state = before;
    this.makeNull(nulls.whenFalse);
    let otherwise: Value = NOTHING;
    if (expr.else) {
      otherwise = this.branch(expr.else);
      if (this.state.alive) ends.push(this.state);
    } else ends.push(this.state);
    this.state = ends.length > 0 ? this.join(ends) : this.state.dead();
    return this.joinBranches([then, otherwise], expr.else ? [expr.then, expr.else] : []);
  }

  /** On this path the variables are null: they point nowhere. */
  private makeNull(names: readonly string[]): void {
    for (const name of names) {
      const root = this.lookup(name);
      if (!root) continue;
      // A reallocation that failed has released nothing.
      for (const made of this.state.read({ root, path: [] })?.pointers ?? [])
        for (const [id, list] of this.state.invalid) {
          const left = list.filter((i) => i.kind !== 'release' || i.span.start !== made.site.start);
          if (left.length < list.length) this.state.invalid.set(id, left);
        }
      this.state.write({ root, path: [] }, { pointers: [], ...optionalType(root.type) });
    }
  }

  /** Branches and arms are scopes of their own for temporaries. */
  private branch(expr: Expr): Value {
    const mark = this.temps.length;
    const value = this.expr(expr);
    this.dropTemps(mark, expr.span);
    return value;
  }

  private matchExpr(expr: ExprOf<'match'>): Value {
    const subject = this.expr(expr.scrutinee);
    const before = this.state;
    const ends: State[] = [];
    const values: Value[] = [];
    for (const arm of expr.arms) {
      this.state = before.clone();
      this.scopes.push(new Map());
      this.blockRoots.push([]);
      this.bindPattern(arm.pattern, subject, 'pattern');
      if (arm.guard) this.expr(arm.guard);
      const value = this.branch(arm.body);
      values.push(value);
      this.leaveScope(arm.span, value);
      if (this.state.alive) ends.push(this.state);
    }
    if (expr.arms.length === 0) ends.push(before);
    this.state = ends.length > 0 ? this.join(ends) : before.dead();
    return this.joinBranches(
      values,
      expr.arms.map((a) => a.body),
    );
  }

  /** Ends the variables that a pattern bound, at the end of its arm or branch. */
  private leaveScope(span: Span, value: Value): void {
    const end: Span = { start: Math.max(span.start, span.end - 1), end: span.end };
    const roots = this.blockRoots.pop() ?? [];
    this.scopes.pop();
    if (!this.rust || !this.state.alive) return;
    for (const root of roots.reverse())
      if (root.byValue && !value.places.some((p) => p.root.id === root.id))
        this.drop(root, end, `end of the scope of '${root.name}'`);
  }

  private findLoop(label: string | undefined): { breaks: State[]; continues: State[]; values: Value[] } | undefined {
    if (label) return this.loopStack.findLast((l) => l.label === label);
    return this.loopStack.findLast((l) => l.label === undefined || !l.label.startsWith('block:'));
  }

  private loop(expr: ExprOf<'loop'>): Value {
    this.scopes.push(new Map());
    const defers: Block[] = [];
    for (const s of expr.init ?? []) this.statement(s, defers);
    const iterable = expr.iterable ? this.expr(expr.iterable) : undefined;
    const loop = { label: expr.label, breaks: [] as State[], continues: [] as State[], values: [] as Value[] };
    this.loopStack.push(loop);
    this.loops++;
    const exits: State[] = [];
    const isEndless = !this.rust && isEndlessLoop(expr);
    const maySkip = !isEndless && (expr.form === 'while' || expr.form === 'for' || expr.form === 'foreach');
    if (maySkip && !expr.condition) exits.push(this.state.clone());
    const outer = this.round;
    for (let round = 0; round < 2 && this.state.alive; round++) {
      this.round = ++this.rounds;
      this.scopes.push(new Map());
      this.blockRoots.push([]);
      if (expr.condition && expr.form !== 'do') {
        const mark = this.temps.length;
        this.expr(expr.condition);
        if (!containsLet(expr.condition)) this.dropTemps(mark, expr.condition.span);
        if (maySkip) exits.push(this.state.clone());
      }
      if (iterable && round > 0) this.use(iterable, expr.iterable?.span ?? expr.span, 'deref', 'next element');
      this.bindLoop(expr, iterable);
      this.block(expr.body);
      // What the loop took out by value ends with each round.
      this.leaveScope(expr.body.span, NOTHING);
      const heads = [...(this.state.alive ? [this.state] : []), ...loop.continues.splice(0)];
      if (heads.length === 0) {
        this.state = this.state.dead();
        break;
      }
      this.state = this.join(heads);
      if (expr.condition && expr.form === 'do') this.expr(expr.condition);
      if (expr.update) this.expr(expr.update);
      if (expr.form !== 'loop' && !isEndless) exits.push(this.state.clone());
    }
    this.loops--;
    this.round = outer;
    this.loopStack.pop();
    this.scopes.pop();
    const ends = [...exits, ...loop.breaks];
    this.state = ends.length > 0 ? this.join(ends) : this.state.dead();
    return merged(loop.values);
  }

  private bindLoop(expr: ExprOf<'loop'>, iterable: Value | undefined): void {
    const bindings = expr.bindings ?? [];
    bindings.forEach((binding, i) => {
      const isElement = i === bindings.length - 1;
      const source = iterable ?? NOTHING;
      if (!isElement) {
        this.bindPattern(binding.pattern, { places: [], pointers: [], ...optionalType(binding.type) }, 'foreach');
        return;
      }
      const type = binding.type ?? elementType(source.type);
      if (this.rust) {
        const borrowed = source.pointers.length > 0;
        const pointers = borrowed
          ? source.pointers.map((p) =>
              this.borrow(
                p.target.path.at(-1) === '[]' ? p.target : extend(p.target, '[]'),
                'reference',
                p.erased,
                expr.iterable?.span ?? expr.span,
                'for',
              ),
            )
          : [];
        const { pattern } = binding;
        if (pattern.kind === 'parts' && pattern.path.length === 0 && isEnumerated(expr.iterable)) {
          // The first part counts, the second points into what is iterated.
          for (const part of pattern.parts)
            this.bindPattern(part.pattern, { places: [], pointers: part.field === '1' ? pointers : [] }, 'foreach');
          return;
        }
        this.bindPattern(pattern, { places: [], pointers, ...optionalType(type) }, 'foreach');
        return;
      }
      const elements = this.storageOf(source).map((p) => (this.isView(source) ? p : extend(p, '[]')));
      if (binding.byRef)
        this.bindPattern(binding.pattern, { places: elements, pointers: [], ...optionalType(type) }, 'foreach', true);
      else
        this.bindPattern(
          binding.pattern,
          { places: [], pointers: elements.flatMap((p) => this.state.read(p)?.pointers ?? []), ...optionalType(type) },
          'foreach',
        );
    });
  }

  // --- closures --------------------------------------------------------------------------------------------------------

  private closureValue(expr: ExprOf<'closure'>): Value {
    const fn = this.functions.get(expr.functionId);
    const pointers: Pointer[] = [];
    if (fn?.body) {
      const seen = new Set<string>();
      for (const name of freeNames(fn.body, this.functions)) {
        if (seen.has(name)) continue;
        seen.add(name);
        const root = this.lookup(name);
        if (!root) continue;
        const place: Place = { root, path: [] };
        pointers.push(...(this.state.read(place)?.pointers ?? []));
        if (fn.isMove === true) this.moveOut({ places: [place], pointers: [] });
        if (!this.rust) pointers.push(this.borrow(place, 'closure', false, expr.span, `capture of '${name}'`));
        else if (!fn.isMove && fn.kind === 'closure')
          pointers.push(this.borrow(place, 'closure', false, expr.span, `capture of '${name}'`));
      }
    }
    if (fn?.kind === 'async-block') {
      // An async block runs at its first poll; what it does is walked where it stands, its suspensions included.
      this.runClosure(fn, [], 'async', expr.span);
    }
    return { places: [], pointers, closure: expr.functionId };
  }

  /** Walks a closure's body here and now, with its parameters bound to `args`; returns what it returns. */
  private runClosure(
    fn: FunctionIr,
    args: readonly Value[],
    run: Context['frames'][number]['run'],
    span: Span,
    on?: string,
  ): Value {
    if (!fn.body || this.inlined.has(fn.id) || this.inlined.size > 6) return NOTHING;
    this.inlined.add(fn.id);
    const frames = this.frames;
    this.frames = [{ functionId: fn.id, run, span, ...(on ? { on } : {}) }, ...frames];
    const before = this.state.clone();
    const locks = this.state.locks;
    if (run === 'spawned') this.state.locks = [];
    const loops = this.loops;
    if (run === 'spawned' || run === 'async') this.loops = 0;
    const outerSuspended = this.state.suspended;
    this.scopes.push(new Map());
    this.blockRoots.push([]);
    fn.params.forEach((param, i) => {
      const given = args[i] ?? NOTHING;
      const type = param.type ?? given.type;
      if (param.pattern && param.pattern.kind !== 'bind')
        this.bindPattern(param.pattern, { ...given, ...optionalType(type) }, 'param');
      else if (param.name) {
        const byValue =
          !param.modifiers.includes('ref') &&
          type !== undefined &&
          type.kind !== 'reference' &&
          given.pointers.length === 0 &&
          (given.owned === true || param.type !== undefined);
        const root = this.declare(param.name, {
          kind: 'param',
          name: param.name,
          span: param.span,
          byValue,
          declared: 'param',
          ...optionalType(type),
          ...originFrom(given),
        });
        if (given.pointers.length > 0)
          this.state.write({ root, path: [] }, { pointers: given.pointers, ...optionalType(type) });
      }
    });
    this.returnStack.push({ values: [], functionId: fn.id, stale: new Map() });
    const loopStack = this.loopStack.splice(0);
    const { pending } = this;
    this.pending = [];
    const mark = this.temps.length;
    const result = this.block(fn.body, true);
    this.pending = pending;
    if (this.state.alive && fn.body.result) this.leave(result, fn.body.result.span);
    this.dropTemps(mark, fn.body.span);
    this.loopStack.push(...loopStack);
    const returns = this.returnStack.pop();
    const returned = returns?.values ?? [];
    this.blockRoots.pop();
    this.scopes.pop();
    this.frames = frames;
    this.loops = loops;
    this.inlined.delete(fn.id);
    const after = this.state;
    after.alive = true;
    // It may not have run, and a spawned one does not hold up or suspend its maker.
    this.state = this.join([before, after]);
    // D: what happens after one `return` happens on another path than that of what it returned.
    if (!this.rust && run === 'called')
      for (const [id, stale] of returns?.stale ?? []) this.state.invalid.set(id, stale);
    this.state.locks = locks;
    if (run !== 'called') this.state.suspended = outerSuspended;
    return { ...merged(returned), places: [] };
  }

  // --- calls -----------------------------------------------------------------------------------------------------------

  private arguments(args: readonly Argument[]): { values: Value[]; exprs: Expr[] } {
    const values: Value[] = [];
    for (const a of args) values.push(this.expr(a.value));
    return { values, exprs: args.map((a) => a.value) };
  }

  private call(expr: ExprOf<'call'>): Value {
    const { callee } = expr;
    if (callee.kind === 'closure') {
      const { values } = this.arguments(expr.args);
      const fn = this.functions.get(callee.functionId);
      return fn ? this.runClosure(fn, values, 'called', expr.span) : NOTHING;
    }
    const path = callee.kind === 'name' ? callee.path : [];
    const name = path.join('::');
    if (path.length === 1) {
      // A local that holds a closure.
      const root = this.lookup(path[0] ?? '');
      const closure = root ? this.state.read({ root, path: [] })?.closure : undefined;
      const fn = closure !== undefined ? this.functions.get(closure) : undefined;
      if (fn) {
        const { values } = this.arguments(expr.args);
        return this.runClosure(fn, values, 'called', expr.span);
      }
    }
    const nested = this.nestedFunction(path);
    if (nested) return this.runClosure(nested, this.arguments(expr.args).values, 'called', expr.span);
    const calleeValue = callee.kind === 'name' ? NOTHING : this.expr(callee);
    const { values, exprs } = this.arguments(expr.args);
    const last = path.at(-1) ?? '';
    const shown = this.withMethod(path);
    if (shown) return this.applySummary(shown.method, shown.subject, values, expr.span, last, undefined);
    const member = this.ownMethod(path);
    const matches = member ? [] : this.settings.apis.path(path);
    const found = matches.length > 0 ? undefined : (member ?? this.resolveCall(path));
    // A foreign declaration has nothing to follow.
    const resolved = found?.fn.abi !== undefined && !found.fn.body && found.fn.skipped !== true ? undefined : found;
    if (this.rust && found)
      found.fn.params.forEach((param, i) => {
        const given = values[i];
        if (given) values[i] = this.coerce(given, param.type);
      });
    this.recordCall(
      expr,
      name || describeCallee(callee),
      false,
      calleeValue.pointers.length > 0 ? calleeValue : undefined,
      values,
      exprs,
      matches,
      resolved,
    );
    this.passArguments(values, exprs, name || describeCallee(callee), expr.span, matches, resolved);
    if (matches.length > 0)
      return this.applyMatches(
        matches,
        undefined,
        values,
        exprs,
        expr,
        name,
        false,
        callee.kind === 'name' ? callee.typeArgs : undefined,
      );
    if (resolved)
      return this.applySummary(resolved, undefined, values, expr.span, last, path.length > 1 ? path.at(-2) : undefined);
    if (!this.rust) {
      const named = this.plain(syntheticType(last, expr.span))?.name ?? last;
      const made = this.construct(named, expr.args, values, expr.span);
      const type = made
        ? undefined
        : (digestType(last, undefined, expr.span) ?? this.plain(builtinCallType(path, expr.span)));
      return made ?? { places: [], pointers: [], ...(type ? { type, owned: true } : {}) };
    }
    const byPath = this.methodByPath(path);
    if (byPath.length > 0)
      return this.applyMatches(byPath, values[0], values.slice(1), exprs.slice(1), expr, last, true, undefined);
    // `Some(x)`, `Wrapper(x)`, `Kind::Variant(x)`: a constructor holds what it is given.
    if (/^[A-Z]/.test(last) && this.isConstructor(path)) {
      const holder = syntheticType(path.at(-2) ?? last, expr.span);
      const variant = path.length > 1 && this.isEnum(holder) ? `${last}.` : '';
      values.forEach((value, i) => {
        const wanted = this.fieldType(variant === '' ? syntheticType(last, expr.span) : holder, `${variant}${i}`);
        values[i] = this.coerce(value, wanted);
      });
      for (const value of values) if (value.pointers.length === 0) this.moveOut(value);
      return {
        ...merged(values),
        places: [],
        owned: merged(values).pointers.length === 0,
        ...optionalType(
          last === 'Some' || last === 'Ok'
            ? values[0]?.type
            : syntheticType(path.length > 1 ? (path.at(-2) ?? last) : last, expr.span),
        ),
      };
    }
    for (const value of values) if (value.pointers.length === 0) this.moveOut(value);
    if (this.rust) this.overwriteOut(values);
    const type = this.plain(builtinCallType(path, expr.span));
    if (!type && this.isForeignCall(callee, path)) {
      const root = this.makeRoot({
        kind: 'allocation',
        name: name || describeCallee(callee),
        span: expr.span,
        byValue: true,
        declared: 'call',
        storage: 'foreign',
      });
      return {
        places: [],
        pointers: [this.borrow({ root, path: [] }, 'raw', true, expr.span, name || describeCallee(callee))],
      };
    }
    return { places: [], pointers: [], ...(type ? { type, owned: true } : {}) };
  }

  /** Rust: a pointer variable whose address an unknown function is given may lead anywhere afterwards. */
  private overwriteOut(values: readonly Value[]): void {
    for (const { target, how } of values.flatMap((v) => v.pointers))
      if (/^(?:&mut|addr_of!)$/u.test(how) && this.isPointerType(this.state.read(target)?.type ?? this.typeAt(target)))
        this.state.write(target, { pointers: [], ...optionalType(this.typeAt(target)) });
  }

  /** Rust: `CString::as_ptr(&text)` is `text.as_ptr()`. */
  private methodByPath(path: readonly string[]): readonly Match[] {
    const owner = path.at(-2);
    if (!this.rust || owner === undefined || !STANDARD.test(owner)) return [];
    return this.settings.apis.method(path.at(-1) ?? '', syntheticType(owner, this.fn.nameSpan));
  }

  /** Rust: a function that is named where a closure could stand (`.map(CStr::as_ptr)`), applied to `given`. */
  private applyNamed(expr: Expr | undefined, given: Value | undefined): Value | undefined {
    if (!this.rust || expr?.kind !== 'name' || !given || given.pointers.length === 0) return undefined;
    const { path, span } = expr;
    if (path.length === 1 && this.lookup(path[0] ?? '')) return undefined;
    const matches = this.settings.apis.path(path);
    const name = path.at(-1) ?? '';
    if (matches.length > 0)
      return this.applyMatches(matches, undefined, [given], [expr], expr, path.join('::'), false, undefined);
    const resolved = this.resolveCall(path);
    if (resolved && (resolved.fn.body || resolved.fn.skipped === true)) {
      const { self, params } = resolved.fn;
      return this.applySummary(
        resolved,
        self ? given : undefined,
        self ? [] : [this.coerce(given, params[0]?.type)],
        span,
        name,
        path.at(-2),
      );
    }
    const byPath = this.methodByPath(path);
    return byPath.length > 0 ? this.applyMatches(byPath, given, [], [], expr, name, true, undefined) : undefined;
  }

  /** Rust: whether a capitalised callee makes a tuple struct or a variant. Foreign libraries capitalise functions, too. */
  private isConstructor(path: readonly string[]): boolean {
    const [first = ''] = path;
    // `ERR_get_error(..)` is a function.
    if (/_[a-z]/u.test(path.at(-1) ?? '') || path.slice(0, -1).some((s) => FOREIGN_CRATE.test(s))) return false;
    if (path.length > 1 || CONSTRUCTORS.has(first)) return true;
    if (this.settings.oracle.declaration(first, this.file.path) !== undefined) return true;
    if (this.file.functions.some((f) => f.name === first && f.abi !== undefined)) return false;
    return !this.file.imports.some(
      (i) => (i.name === first || i.isGlob === true) && i.path.some((s) => FOREIGN_CRATE.test(s)),
    );
  }

  /** Whether the callee is code of another language: by its path, its declaration, or because it is a function pointer. */
  private isForeignCall(callee: Expr, path: readonly string[]): boolean {
    if (path.length > 1) return path.slice(0, -1).some((s) => /^(ffi|sys|libc|c|\w+_sys|\w+_ffi|bindings)$/u.test(s));
    if (path.length === 1) {
      const root = this.lookup(path[0] ?? '');
      if (root)
        return (
          root.type?.kind === 'function' ||
          this.settings.oracle.declaration(root.type?.name ?? '', this.file.path)?.alias?.kind === 'function'
        );
      return this.file.functions.some(
        (f) => f.name === path[0] && f.abi !== undefined && f.body === undefined && f.skipped !== true,
      );
    }
    return callee.kind !== 'closure';
  }

  private methodCall(expr: ExprOf<'method'>): Value {
    const dotted = dottedPath(expr.receiver);
    const root = dotted?.[0];
    // D: `GC.addRoot(p)`, `core.memory.GC.free(p)`, `Mallocator.instance.deallocate(b)` are calls by path.
    if (
      !this.rust &&
      dotted &&
      root !== undefined &&
      !this.lookup(root) &&
      !this.hasField(this.lookup('self')?.type, root)
    ) {
      const path = [...dotted, expr.method];
      const matches = this.settings.apis.path(path).filter((m) => !('suffix' in m.row.match));
      if (matches.length > 0) {
        const { values, exprs } = this.arguments(expr.args);
        this.recordCall(expr, path.join('.'), false, undefined, values, exprs, matches, undefined);
        this.passArguments(values, exprs, path.join('.'), expr.span, matches, undefined);
        return this.applyMatches(matches, undefined, values, exprs, expr, path.join('.'), false, expr.typeArgs);
      }
    }
    const receiver = this.asPointer(this.expr(expr.receiver), expr.method);
    const { values, exprs } = this.arguments(expr.args);
    const matches = this.settings.apis.method(expr.method, receiver.type);
    const end = expr.args.length === 0 ? this.endElement(receiver, expr.method, expr.span) : undefined;
    if (end) return end;
    const resolved = this.resolveMethod(receiver, expr.method);
    // A method that the unit declares on a known type says more than a name in a table.
    const effective = resolved?.fn.body && matches.every((m) => m.weak || !m.row.receiver?.length) ? [] : matches;
    if (!ADDRESS_ONLY.has(expr.method)) {
      const passes = effective.some((m) =>
        m.row.effects.some((e) => e.kind === 'pass' || e.kind === 'borrow' || e.kind === 'erase'),
      );
      if (!passes || this.rust) this.use(receiver, expr.span, passes ? 'field' : 'method', `.${expr.method}()`);
      this.access(
        [...receiver.places, ...receiver.pointers.filter((p) => p.form !== 'closure').map((p) => p.target)],
        expr.span,
        'method',
        expr.method,
      );
    }
    this.recordCall(expr, expr.method, true, receiver, values, exprs, effective, resolved);
    this.passArguments(values, exprs, expr.method, expr.span, effective, resolved);
    // UFCS: `p.free()` is `free(p)`.
    if (effective.length === 0 && !resolved && !this.rust) {
      const ufcs = this.settings.apis.path([expr.method]);
      if (ufcs.length > 0)
        return this.applyMatches(
          ufcs,
          undefined,
          [receiver, ...values],
          [expr.receiver, ...exprs],
          expr,
          expr.method,
          false,
          expr.typeArgs,
        );
    }
    if (effective.length > 0)
      return this.applyMatches(effective, receiver, values, exprs, expr, expr.method, true, expr.typeArgs);
    if (resolved) {
      // `fn finish(self)` takes the receiver with it, a temporary too.
      const isTaken = resolved.fn.self?.mode === 'value' && receiver.pointers.length === 0;
      const given = isTaken ? { ...receiver, places: this.materialise(receiver, expr.span) } : receiver;
      const result = this.applySummary(resolved, given, values, expr.span, expr.method, peel(receiver.type)?.name);
      if (isTaken) this.moveOut(given);
      return result;
    }
    const free = effective.length === 0 ? this.extension(expr.method) : undefined;
    if (free) return this.applySummary(free, undefined, [receiver, ...values], expr.span, expr.method, undefined);
    const digest = this.rust ? undefined : digestType(expr.method, receiver.type, expr.span);
    if (digest) return { places: [], pointers: [], owned: true, type: digest };
    return this.unknownMethod(expr, receiver, values, exprs);
  }

  /** What only a pointer can do is done to a pointer, whatever its declared type: the value is not borrowed from. */
  private asPointer(receiver: Value, method: string): Value {
    const place = receiver.places[0];
    // A reference to a pointer that is kept in a container: what the pointer leads to is not in the container.
    const kept = receiver.type?.kind === 'reference' ? receiver.type.element : undefined;
    if (this.rust && kept && this.isPointerType(kept) && receiver.pointers.some((p) => p.form === 'reference'))
      return {
        ...receiver,
        pointers: receiver.pointers.map((p) => (p.form === 'reference' ? this.implicitPointer(p.target) : p)),
        type: kept,
      };
    if (!this.rust || !POINTER_ONLY.has(method) || receiver.pointers.length > 0 || !place) return receiver;
    if (receiver.type && !this.isPointerType(receiver.type)) return receiver;
    return { ...receiver, pointers: receiver.places.map((p) => this.implicitPointer(p)) };
  }

  /** A method that no table and no declaration explains: closures may run, pointers inside wrappers stay reachable. */
  private unknownMethod(
    expr: ExprOf<'method'>,
    receiver: Value,
    values: readonly Value[],
    exprs: readonly Expr[],
  ): Value {
    const results = this.runClosureArguments(values, exprs, receiver, expr.method, 'unknown');
    const type =
      adaptedType(expr.method, results, expr.span) ?? builtinMethodType(expr.method, receiver.type, expr.span);
    return {
      places: [],
      pointers: results.flatMap((r) => r.pointers),
      ...optionalType(type),
      ...(results.some((r) => r.owned) ? { owned: true } : {}),
    };
  }

  private runClosureArguments(
    values: readonly Value[],
    exprs: readonly Expr[],
    receiver: Value | undefined,
    method: string,
    run: 'called' | 'unknown',
  ): Value[] {
    const results: Value[] = [];
    values.forEach((value, i) => {
      const span = exprs[i]?.span;
      if (value.closure === undefined || !span) return;
      const fn = this.functions.get(value.closure);
      if (!fn || fn.kind === 'async-block') return;
      const adapter = receiver !== undefined && CONTENT_ADAPTERS.has(method);
      const content: Value | undefined =
        adapter && receiver
          ? {
              places: receiver.pointers.length > 0 ? [] : receiver.places.map((p) => extend(p, '[]')),
              pointers: this.elementsOf(receiver.pointers),
              ...optionalType(contentType(receiver.type)),
              ...(this.isOwnedContent(receiver) ? { owned: true } : {}),
            }
          : undefined;
      const args = content
        ? fn.params.map((_, k) => (k === fn.params.length - 1 || method !== 'fold' ? content : NOTHING))
        : [];
      results.push(this.runClosure(fn, args, adapter ? 'called' : run, span));
    });
    return results;
  }

  /** Whether an adapter's closure gets the content by value: the Option is consumed, not borrowed. */
  private isOwnedContent(receiver: Value): boolean {
    if (receiver.pointers.length > 0 || !receiver.type) return false;
    if (receiver.type.kind !== 'path' || (receiver.type.name !== 'Option' && receiver.type.name !== 'Result'))
      return false;
    const inner = receiver.type.args[0];
    return (
      inner !== undefined &&
      inner.kind === 'path' &&
      inner.lifetimes === undefined &&
      /^(CString|String|Vec|OsString|PathBuf|Box)$/.test(inner.name)
    );
  }

  private recordCall(
    expr: Expr,
    callee: string,
    method: boolean,
    receiver: Value | undefined,
    args: readonly Value[],
    exprs: readonly Expr[],
    matches: readonly Match[],
    resolved: Resolved | undefined,
  ): void {
    const key = `${expr.span.start}|${expr.span.end}`;
    const previous = this.calls.get(key);
    // The second walk of a loop body knows more than the first.
    if (previous && this.loops === 0) return;
    this.calls.set(key, {
      span: expr.span,
      expr,
      callee,
      method,
      args,
      argSpans: exprs.map((e) => e.span),
      rows: matches.map((m) => m.row),
      context: this.context(),
      locks: [...this.state.locks],
      ...(receiver ? { receiver } : {}),
      ...(resolved ? { resolved: { path: resolved.path, functionId: resolved.fn.id } } : {}),
    });
  }

  private passArguments(
    values: readonly Value[],
    exprs: readonly Expr[],
    callee: string,
    span: Span,
    matches: readonly Match[],
    resolved: Resolved | undefined,
  ): void {
    const handled = new Set<number>();
    for (const { row } of matches) for (const e of row.effects) for (const n of operandsOf(e)) handled.add(n);
    // What is written over is not read.
    const overwritten = new Set(
      matches.flatMap((m) => m.row.effects.flatMap((e) => (e.kind === 'store' ? [e.into] : []))),
    );
    // Only the addresses are compared.
    if (this.rust && /(?:^|::)ptr::(?:eq|addr_eq|hash)$/u.test(callee)) return;
    values.forEach((value, index) => {
      const at = exprs[index]?.span ?? span;
      if (
        !handled.has(index) ||
        matches.some((m) => m.row.effects.some((e) => e.kind === 'store' || e.kind === 'retain'))
      )
        this.use(
          resolved || !this.rust || overwritten.has(index) ? value : this.withHeld(value),
          at,
          'argument',
          callee,
        );
      this.access(value.places, at, 'argument', callee);
      if (value.pointers.length > 0 && !resolved) this.escape(value, 'argument', span, { callee, index });
    });
  }

  private applyMatches(
    matches: readonly Match[],
    receiver: Value | undefined,
    values: readonly Value[],
    exprs: readonly Expr[],
    expr: Expr,
    name: string,
    method: boolean,
    typeArgs: readonly TypeRef[] | undefined,
  ): Value {
    let pointers: Pointer[] = [];
    let adopts: Pointer[] = [];
    let owned = false;
    let places: readonly Place[] = [];
    let type = method
      ? builtinMethodType(name, receiver?.type, expr.span)
      : this.plain(builtinCallType(name.split(/::|\./), expr.span, typeArgs));
    const content = values[0]?.type;
    if (!method && type && content && type.args.length === 0 && BOXES.test(name) && type.kind === 'path')
      type = { ...type, args: [content] };
    let ranClosures = false;
    const adapted: Value[] = [];
    for (const { row, weak } of matches) {
      for (const effect of row.effects) {
        const result = this.applyEffect(effect, row, receiver, values, exprs, expr.span, name, weak, typeArgs);
        if (effect.kind === 'call-now') {
          ranClosures = true;
          if (result) adapted.push(result);
        }
        if (!result) continue;
        pointers = [...pointers, ...result.pointers];
        adopts = [...adopts, ...(result.adopts ?? [])];
        owned ||= result.owned === true;
        if (result.places.length > 0) places = result.places;
        type ??= result.type;
      }
    }
    if (!ranClosures) {
      const spawned = matches.some((m) => m.row.effects.some((e) => e.kind === 'spawn'));
      if (!spawned)
        for (const r of this.runClosureArguments(values, exprs, receiver, name, 'unknown')) {
          pointers = [...pointers, ...r.pointers];
          adapted.push(r);
        }
    }
    if (method) type = adaptedType(name, adapted, expr.span) ?? type;
    const aim = method && name === 'cast' ? typeArgs?.[0] : undefined;
    if (aim)
      type = { ...syntheticType('', expr.span), kind: 'pointer', text: `*mut ${aim.text}`, path: [], element: aim };
    return {
      places,
      pointers: uniquePointers(pointers),
      ...optionalType(type),
      ...(owned ? { owned } : {}),
      ...(adopts.length > 0 ? { adopts } : {}),
    };
  }

  private adopt(
    pointers: readonly Pointer[],
    rawType: string,
    how: string,
    span: Span,
    content?: TypeRef,
    through?: string,
  ): void {
    for (const pointer of pointers) {
      const adoption: Adoption = {
        pointer,
        rawType,
        how,
        span,
        context: this.context(),
        ...(content ? { content } : {}),
        ...(through ? { through } : {}),
      };
      this.adoptions.set(`${pointer.id}|${span.start}`, adoption);
      const { root, path } = pointer.target;
      if (this.rust && pointer.form === 'raw' && path.length === 1 && path[0] === '[]' && this.freesBlock(root))
        this.state.taken.set(root.id, [...(this.state.taken.get(root.id) ?? []), adoption]);
    }
  }

  /** Whether the variable owns a block that it frees at its end. A count that was raised before may be taken apart twice. */
  private freesBlock(root: Root): boolean {
    if ((root.kind !== 'local' && root.kind !== 'param') || !root.byValue || root.type?.kind !== 'path') return false;
    if (!ownsBlock(root.type) || this.state.moved.has(root.id)) return false;
    if (root.type.name !== 'Rc' && root.type.name !== 'Arc') return true;
    return ![...this.calls.values()].some((c) => c.callee.endsWith('increment_strong_count'));
  }

  /** What was taken over goes back to the raw pointer: its owner frees it alone. */
  private giveBack(adopts: readonly Pointer[]): void {
    for (const pointer of adopts) {
      const { id } = pointer.target.root;
      const left = this.state.taken.get(id)?.filter((a) => a.pointer !== pointer);
      if (left) this.state.taken.set(id, left);
    }
  }

  /** What is read through a reference: the pointers stored there, or whatever else it leads to. */
  private contentOf(value: Value, span: Span, how: string, row: ApiRow): Value {
    return {
      places: [],
      pointers: value.pointers.flatMap(
        (p) =>
          this.state.read(p.target)?.pointers ?? [
            this.borrow(extend(p.target, '*'), 'reference', true, span, how, row),
          ],
      ),
    };
  }

  /** Applies one effect of a row; returns what it contributes to the call's result. */
  private applyEffect(
    effect: Effect,
    row: ApiRow,
    receiver: Value | undefined,
    values: readonly Value[],
    exprs: readonly Expr[],
    span: Span,
    name: string,
    weak: boolean,
    typeArgs?: readonly TypeRef[],
  ): Value | undefined {
    const operand = (o: Operand): Value =>
      o === 'receiver' ? (receiver ?? values[0] ?? NOTHING) : o === 'result' ? NOTHING : (values[o] ?? NOTHING);
    const operandSpan = (o: Operand): Span => (typeof o === 'number' ? (exprs[o]?.span ?? span) : span);
    switch (effect.kind) {
      case 'grow': {
        const value = operand(effect.target);
        this.grow(this.subjects(value), [...(value.via ?? []), ...value.pointers], span, effect.how, name, weak, row);
        return undefined;
      }
      case 'borrow': {
        const value = operand(effect.from);
        const view = this.isView(value);
        if (value.pointers.length > 0 && (view || value.pointers.every((p) => p.form === 'raw'))) {
          // A pointer taken from a pointer still points where that one did.
          const pointers =
            effect.as === 'raw-pointer'
              ? value.pointers.map((p) =>
                  p.form === 'raw' ? p : this.borrow(p.target, 'raw', p.erased, p.site, p.how, row, p.locks),
                )
              : value.pointers;
          return { places: [], pointers };
        }
        const form: PointerForm = effect.as === 'raw-pointer' ? 'raw' : effect.as;
        // A reference of unknown target, given where a reference is wanted, leads beyond the variable that holds it.
        const isLent = effect.element === false && value.pointers.length === 0 && value.places.length > 0;
        const targets = this.materialise(value, operandSpan(effect.from)).map((p) =>
          isLent
            ? extend(p, '*')
            : effect.as === 'guard' || effect.element === false || (p.path.at(-1) === '[]' && !this.ownsBlock(p))
              ? p
              : extend(p, '[]'),
        );
        const guards = guardsOf(value);
        return { places: [], pointers: targets.map((t) => this.borrow(t, form, false, span, name, row, guards)) };
      }
      case 'pass': {
        const value = operand(effect.from);
        if (this.rust && ARITHMETIC.has(name) && value.pointers.some((p) => this.isElementGone(p)))
          return { ...value, places: [], pointers: value.pointers.map((p) => this.nextElement(p, span)) };
        // `opt.unwrap()` of an Option that owns its content makes a value that nobody holds yet.
        if (CONSUMES.has(name) && effect.from === 'receiver' && this.rust && this.isOwnedContent(value)) {
          this.moveOut(value);
          return { places: [], pointers: [], owned: true, ...optionalType(unwrapped(value.type)) };
        }
        const made = exprs.length === 0 && name === 'collect' ? typeArgs?.[0] : undefined;
        if (made && this.rust && isPlainOwner(made)) return { places: [], pointers: [], owned: true, type: made };
        const passed = effect.raw === true ? this.asRaw(value) : value;
        const pointers = ITERATOR_STEPS.has(name) ? this.elementsOf(passed.pointers) : passed.pointers;
        return { ...passed, pointers, ...optionalType(made ?? unwrapped(value.type)) };
      }
      case 'erase': {
        const given = operand(effect.from);
        const value = effect.through === true ? this.contentOf(given, span, name, row) : given;
        const pointers = value.pointers.map((p) =>
          this.borrow(p.target, p.form === 'raw' ? 'slice' : p.form, true, p.site, p.how, p.row ?? row, p.locks),
        );
        const made =
          pointers.length > 0
            ? pointers
            : (value.type === undefined ||
              value.type.kind === 'reference' ||
              value.type.kind === 'pointer' ||
              (value.type.kind === 'path' && (value.type.lifetimes?.length ?? 0) > 0)
                ? value.places
                : []
              ).map((p) => this.borrow(extend(p, '*'), 'reference', true, span, name, row));
        return { places: [], pointers: made, ...optionalType(value.type) };
      }
      case 'copy': {
        const value = operand(effect.from);
        this.use(value, span, 'argument', name);
        // D: the copy of a static array is a slice of memory of the collector.
        const type =
          !this.rust && value.type?.kind === 'static-array' ? { ...value.type, kind: 'slice' as const } : value.type;
        return { places: [], pointers: [], owned: true, ...optionalType(type) };
      }
      case 'release': {
        const value = operand(effect.target);
        if (!this.rust) {
          const given = typeof effect.target === 'number' ? exprs[effect.target] : undefined;
          // Half of a mapping: what lies before it stays.
          if (given?.kind === 'binary' || given?.kind === 'if') return undefined;
          if (effect.by === 'destroy' && this.staysUsable(value.type)) return undefined;
        }
        // A name that merely ends like a release must at least be given a pointer.
        if ('suffix' in row.match && !this.isPointerType(value.type) && !value.pointers.some((p) => p.form === 'raw'))
          return undefined;
        this.release(value, span, name, row);
        return undefined;
      }
      case 'drop': {
        const value = operand(effect.target);
        for (const p of value.adopts ?? [])
          this.invalidate('release', p.target, span, name, (t) => isWithin(t, p.target), row);
        if (name.endsWith('ManuallyDrop::drop'))
          for (const p of value.pointers) {
            this.dropByHand(p, span, name, row);
            for (const held of this.state.read(p.target)?.pointers ?? [])
              this.invalidate('release', held.target, span, name, (t) => isWithin(t, held.target), row);
          }
        for (const place of value.places) {
          if (value.pointers.some((p) => p.form === 'raw')) continue;
          this.invalidate('drop', place, span, name, (t) => isWithin(t, place) && !t.path.includes('*'), row);
          if (place.path.length === 0) this.state.moved.add(place.root.id);
        }
        return undefined;
      }
      case 'forget': {
        const value = operand(effect.target);
        for (const place of value.places) if (place.path.length === 0) this.state.moved.add(place.root.id);
        this.giveBack(value.adopts ?? []);
        // What was taken over from a raw pointer goes back to it; what a box merely holds stays inside.
        const same = /(?:into_raw|leak|into_non_null)$/u.test(name) ? (value.adopts ?? []) : value.pointers;
        if (same.length > 0) return { places: [], pointers: same };
        const root = this.makeRoot({
          kind: 'allocation',
          name,
          span,
          byValue: true,
          declared: 'call',
          storage: 'heap',
          ...optionalType(value.type),
        });
        if (value.pointers.length > 0) this.state.write({ root, path: ['[]'] }, { pointers: value.pointers });
        return { places: [], pointers: [this.borrow({ root, path: [] }, 'raw', true, span, name, row)] };
      }
      case 'adopt': {
        const value = operand(effect.from);
        this.use(value, span, 'argument', name);
        const pointers = value.pointers.filter((p) => p.form !== 'closure');
        const place = value.places[0];
        const made = pointers.length > 0 ? pointers : place ? [this.implicitPointer(place)] : [];
        if (pointers.length === 0 && place && made.length > 0)
          this.state.write(place, { pointers: made, ...optionalType(value.type) });
        const written = typeArgs?.[0] ?? (value.type?.kind === 'pointer' ? value.type.element : undefined);
        // Without a capacity nothing is freed.
        if (values.at(-1)?.literal !== '0') this.adopt(made, effect.rawType, name, span, this.plain(written));
        return { places: [], pointers: [], adopts: made, owned: true };
      }
      case 'acquire': {
        const root = this.makeRoot({
          kind: 'allocation',
          name,
          span,
          byValue: true,
          declared: 'call',
          storage: effect.as,
        });
        return effect.as === 'heap' || effect.as === 'gc'
          ? { places: [], pointers: [], owned: true }
          : { places: [], pointers: [this.borrow({ root, path: [] }, 'raw', true, span, name, row)] };
      }
      case 'spawn': {
        const value = operand(effect.what);
        this.escape(value, effect.scoped ? 'argument' : 'spawn', span, { callee: name });
        if (value.closure !== undefined) {
          const fn = this.functions.get(value.closure);
          if (fn && fn.kind !== 'async-block')
            this.runClosure(fn, [], effect.scoped ? 'called' : 'spawned', span, effect.on);
        }
        return undefined;
      }
      case 'call-now': {
        const value = operand(effect.what);
        const fn = value.closure === undefined ? undefined : this.functions.get(value.closure);
        if (fn?.kind === 'async-block') return undefined;
        const content =
          receiver && CONTENT_ADAPTERS.has(name)
            ? {
                places: receiver.pointers.length > 0 ? [] : receiver.places.map((p) => extend(p, '[]')),
                pointers: this.elementsOf(receiver.pointers),
                ...optionalType(contentType(receiver.type)),
                ...(this.isOwnedContent(receiver) ? { owned: true } : {}),
              }
            : undefined;
        if (!fn) return this.applyNamed(typeof effect.what === 'number' ? exprs[effect.what] : undefined, content);
        const result = this.runClosure(
          fn,
          content ? fn.params.map(() => content) : [],
          'called',
          operandSpan(effect.what),
        );
        return { places: [], pointers: result.pointers, ...optionalType(result.type) };
      }
      case 'store': {
        const value = operand(effect.what);
        const into = this.subjects(operand(effect.into))[0];
        if (into) {
          if (!effect.assigns) this.escape(value, 'collect', span, { into });
          else if (this.outlives(into)) this.escape(value, 'store', span, { into });
          if (row.id === 'ptr-write' || row.id === 'pointer-write') this.state.renew(into);
          if (this.outlives(into)) this.noteStores(value, into, span);
          if (this.rust && value.pointers.length > 0)
            this.state.write(extend(into, '[]'), { pointers: value.pointers, ...optionalType(value.type) }, true);
        }
        if (value.pointers.length === 0) this.moveOut(value);
        return undefined;
      }
      case 'retain': {
        const value = operand(effect.what);
        // A record that is copied: what its fields point to is kept, not the record.
        const kept = effect.contents
          ? this.subjects(value).flatMap((place) => this.state.below(place).flatMap(([, stored]) => stored.pointers))
          : value.pointers;
        this.escape({ places: [], pointers: uniquePointers(kept) }, 'store', span, { callee: name });
        return undefined;
      }
      case 'lock': {
        const value = operand(effect.target);
        const what = value.places[0] ? describePlace(value.places[0]) : name;
        if (!effect.returnsGuard) {
          this.state.locks.push({ span, what });
          return undefined;
        }
        return {
          places: value.places,
          pointers: this.subjects(value).map((p) => this.borrow(p, 'guard', false, span, name, row)),
          ...optionalType(value.type),
        };
      }
      case 'unlock': {
        const value = operand(effect.target);
        const what = value.places[0] ? describePlace(value.places[0]) : undefined;
        this.unlock(span, (l) => what === undefined || l.what === what);
        return undefined;
      }
      case 'root':
      case 'unroot':
      case 'wait':
        return undefined;
    }
  }

  /** Whether the element that the pointer showed was dropped in place, its block being as good as before. */
  private isElementGone(pointer: Pointer): boolean {
    return (this.state.invalid.get(pointer.id) ?? []).some(isDropInPlace);
  }

  /** A pointer to another element of the block: what ended the block ended it too, what ended one element did not. */
  private nextElement(pointer: Pointer, span: Span): Pointer {
    const rest = (this.state.invalid.get(pointer.id) ?? []).filter((i) => !isDropInPlace(i));
    const next = this.borrow(
      pointer.target,
      pointer.form,
      pointer.erased,
      span,
      pointer.how,
      pointer.row,
      pointer.locks,
    );
    for (const invalidation of rest) this.state.addInvalid(next.id, invalidation);
    return next;
  }

  // --- helpers of the unit ---------------------------------------------------------------------------------------------

  /** D: inside an aggregate `destroy(x)` is its own method of that name, when it has one; it hides functions of modules. */
  private ownMethod(path: readonly string[]): Resolved | undefined {
    const [name] = path;
    if (this.rust || path.length !== 1 || name === undefined || this.fn.owner === undefined) return undefined;
    const method = this.settings.oracle.method(this.fn.owner, name, this.file.path);
    return method?.fn.body || method?.fn.skipped === true ? method : undefined;
  }

  /** D: a method of what a `with` statement around makes visible. */
  private withMethod(path: readonly string[]): { readonly method: Resolved; readonly subject: Value } | undefined {
    const [name] = path;
    if (path.length !== 1 || name === undefined) return undefined;
    for (const subject of this.subjectsOfWith.toReversed()) {
      const method = this.resolveMethod(subject, name);
      if (method) return { method, subject };
    }
    return undefined;
  }

  private resolveCall(path: readonly string[]): Resolved | undefined {
    const last = path.at(-1);
    if (!last) return undefined;
    if (path.length > 1) {
      const owner = path.at(-2) === 'Self' || path.at(-2) === 'self' ? this.fn.owner : path.at(-2);
      if (owner && /^[A-Z]/.test(owner)) return this.settings.oracle.method(owner, last, this.file.path);
      return this.settings.oracle.freeFunction(last, this.file.path);
    }
    if (!this.rust && this.fn.owner) {
      const method = this.settings.oracle.method(this.fn.owner, last, this.file.path);
      if (method) return method;
    }
    return this.settings.oracle.freeFunction(last, this.file.path);
  }

  private resolveMethod(receiver: Value, name: string): Resolved | undefined {
    const type = peel(receiver.type);
    return type?.kind === 'path' && type.name
      ? this.settings.oracle.method(type.name, name, this.file.path)
      : undefined;
  }

  private applySummary(
    resolved: Resolved,
    receiver: Value | undefined,
    values: readonly Value[],
    span: Span,
    name: string,
    owner: string | undefined,
  ): Value {
    const { fn } = resolved;
    const returnType = this.plain(replaceSelf(fn.returns, fn.owner ?? owner));
    const flow = this.settings.oracle.summaryOf(
      resolved.path,
      fn,
      this.settings.depth,
      fn.returns?.kind === 'pointer' || this.pointers.some((p) => p.form === 'raw' || p.erased || !this.rust),
    );
    const isMethod = fn.self !== undefined || (fn.owner !== undefined && !fn.isStatic && !this.rust);
    // A method without a receiver in D is called on `this`.
    const self = isMethod ? (receiver ?? this.selfValue()) : undefined;
    const declared = fn.body || fn.skipped === true ? [] : this.declaredReturns(fn, self, values, span, name);
    if (!flow)
      return {
        places: fn.returnsRef ? declared.map((p) => p.target) : [],
        pointers: fn.returnsRef ? [] : declared,
        ...optionalType(returnType),
        ...(isOwnedType(returnType) ? { owned: true } : {}),
      };
    const place = (p: Place): readonly Place[] => {
      if (p.root.kind === 'self') {
        if (!self) return [];
        const isBehind = !this.rust && self.type?.kind === 'pointer' && self.pointers.length === 0;
        return this.materialise(self, span).map((s) => extend(s, ...(isBehind ? ['*'] : []), ...p.path));
      }
      if (p.root.kind === 'param' && p.root.index !== undefined) {
        const value = values[p.root.index];
        if (!value) return [];
        // D: the elements of a slice are those of what it shows.
        const isShown = !this.rust && p.path[0] === '[]' && value.pointers.length > 0 && this.isView(value);
        const path = p.path[0] === '*' || isShown ? p.path.slice(1) : p.path;
        // A pointer of unknown origin is passed by value: the helper reaches what it points to, not the caller's variable.
        if (p.path[0] === '*' && value.pointers.length === 0) {
          return this.rust || this.isReferenceType(value.type) ? value.places.map((s) => extend(s, '*', ...path)) : [];
        }
        return this.subjects(value).map((s) => extend(s, ...path));
      }
      if (p.root.kind === 'global')
        return [
          {
            root: this.makeRoot({
              kind: 'global',
              name: p.root.name,
              span: p.root.span,
              byValue: true,
              declared: 'static',
              ...optionalType(p.root.type),
            }),
            path: p.path,
          },
        ];
      return [];
    };
    for (const u of flow.summary.uses) for (const target of place(u.place)) this.useBehind(target, span, name);
    for (const g of flow.summary.grows)
      this.grow(
        place(g.place),
        [...(self?.via ?? []), ...(self?.pointers ?? [])],
        span,
        g.operation,
        g.how,
        g.weak,
        g.row,
        name,
      );
    for (const r of flow.summary.releases) {
      if (r.renewed) continue;
      for (const target of place(r.place))
        this.invalidate(
          'release',
          target,
          span,
          r.how,
          (t) => isWithin(t, target) && (this.rust || !t.path.slice(target.path.length).includes('*')),
          undefined,
          name,
        );
    }
    for (const a of flow.summary.adopts) {
      const taken =
        a.place.root.kind === 'param' && a.place.root.index !== undefined ? values[a.place.root.index] : undefined;
      // What a field of the argument leads to is taken over, not the argument.
      if (taken && a.place.path.length <= 1) this.adopt(taken.pointers, a.rawType, a.how, span, a.content, name);
    }
    for (const s of flow.summary.stores) {
      const value = values[s.param];
      const into = place(s.into)[0];
      if (value && into && this.outlives(into))
        this.escape(value, 'store', span, { into, callee: name, index: s.param });
      if (value && into && (this.rust || !this.outlives(into)))
        for (const p of value.pointers) this.state.write(into, { pointers: [p] }, true);
    }
    for (const { param } of flow.summary.consumes)
      for (const given of values[param]?.places ?? [])
        if (given.path.length === 0 && given.root.kind === 'local' && !this.state.moved.has(given.root.id))
          this.drop(given.root, span, `the end of '${name}', which takes it by value`);
    for (const value of values) if (value.pointers.length === 0) this.moveOut(value);
    const pointers = flow.summary.returns.flatMap((r) =>
      place(r.target).map((t) => this.borrow(t, r.form, r.erased, span, `${name}()`)),
    );
    if (pointers.length === 0) pointers.push(...declared);
    this.runClosureArguments(
      values,
      values.map(() => ({ kind: 'unknown', span, syntax: 'argument', children: [] })),
      receiver,
      name,
      'unknown',
    );
    const resultPlaces = fn.returnsRef ? pointers.map((p) => p.target) : [];
    return {
      places: resultPlaces,
      pointers: fn.returnsRef ? [] : pointers,
      ...optionalType(returnType),
      ...(isOwnedType(returnType) ? { owned: true } : {}),
    };
  }

  /** D: what a function without a body says by `return` that its result points into: the struct, or what a parameter shows. */
  private declaredReturns(
    fn: FunctionIr,
    self: Value | undefined,
    values: readonly Value[],
    span: Span,
    name: string,
  ): Pointer[] {
    const { returns } = fn;
    if (this.rust || (returns?.kind !== 'pointer' && returns?.kind !== 'slice' && fn.returnsRef !== true)) return [];
    const form: PointerForm = returns?.kind === 'slice' ? 'slice' : 'raw';
    const has = (word: string): boolean => fn.attributes.some((a) => a.name === word);
    const found: Pointer[] = [];
    if (self && has('return') && !has('scope') && fn.ownerKind === 'struct')
      for (const place of this.materialise(self, span))
        if (self.type?.kind !== 'pointer') found.push(this.borrow(place, form, false, span, `${name}()`));
    fn.params.forEach((param, i) => {
      const value = values[i];
      if (!value || !param.modifiers.includes('return')) return;
      if (!param.modifiers.includes('ref')) found.push(...value.pointers);
      else for (const place of value.places) found.push(this.borrow(place, form, false, span, `${name}()`));
    });
    return found;
  }

  /** A helper reads what the place leads to: a use of every pointer of unknown origin to it that was released. */
  private useBehind(target: Place, span: Span, name: string): void {
    for (const [id, invalidations] of this.state.invalid) {
      if (!invalidations.some((i) => i.kind === 'release')) continue;
      const pointer = this.pointers[id - 1];
      if (pointer?.how === 'declared' && placeKey(pointer.target) === placeKey(target))
        this.use({ places: [], pointers: [pointer] }, span, 'argument', `${name}()`);
    }
  }

  private selfValue(): Value | undefined {
    const root = this.lookup('self');
    return root ? { places: [{ root, path: [] }], pointers: [], ...optionalType(root.type) } : undefined;
  }

  private summary(): Summary {
    const visible = (p: Place): boolean =>
      p.root.kind === 'self' || p.root.kind === 'global' || (p.root.kind === 'param' && p.root.index !== undefined);
    const returns = new Map<string, Summary['returns'][number]>();
    for (const e of this.escapes.values()) {
      if (
        e.kind !== 'return' ||
        e.context.frames.length > 0 ||
        !visible(e.pointer.target) ||
        e.pointer.form === 'closure'
      )
        continue;
      const { target, form, erased, site, how } = e.pointer;
      returns.set(`${placeKey(target)}|${form}`, { target, form, erased, site, how });
    }
    const reads = new Map<number, { param: number; span: Span }>();
    for (const a of this.accesses.values()) {
      const { root } = a.place;
      if (root.kind !== 'param' || root.index === undefined || reads.has(root.index)) continue;
      if (a.kind === 'deref' || a.kind === 'index' || a.kind === 'method')
        reads.set(root.index, { param: root.index, span: a.span });
    }
    return {
      returns: [...returns.values()],
      grows: [...this.growths.values()].filter(
        (g) => visible(g.place) && !g.context.frames.some((f) => f.run === 'spawned' || f.run === 'stored'),
      ),
      releases: [...this.releases.values()],
      uses: [...this.uses.values()].filter(
        (u) => !this.fn.body || !dependsOnAnotherField(this.fn.body, u.span, u.place.path[0] ?? ''),
      ),
      stores: [...this.stores.values()],
      consumes: this.consumed,
      adopts: [...this.adoptions.values()]
        .filter((a) => visible(a.pointer.target))
        .map((a) => ({
          place: a.pointer.target,
          rawType: a.rawType,
          span: a.span,
          how: a.how,
          ...(a.content ? { content: a.content } : {}),
        })),
      reads: [...reads.values()],
    };
  }
}

interface Resolved {
  readonly path: string;
  readonly fn: FunctionIr;
}

const tables = new WeakMap<FileIr, Map<number, FunctionIr>>();
function functionTable(file: FileIr): Map<number, FunctionIr> {
  let table = tables.get(file);
  if (!table) tables.set(file, (table = new Map(file.functions.map((f) => [f.id, f]))));
  return table;
}

const nestedTables = new WeakMap<FileIr, Map<string, FunctionIr[]>>();
/** Named functions inside functions, by name. */
function nestedTable(file: FileIr): ReadonlyMap<string, readonly FunctionIr[]> {
  let table = nestedTables.get(file);
  if (!table) {
    table = new Map();
    for (const fn of file.functions) {
      if (fn.parent === undefined || fn.kind !== 'function' || !fn.body) continue;
      const same = table.get(fn.name);
      if (same) same.push(fn);
      else table.set(fn.name, [fn]);
    }
    nestedTables.set(file, table);
  }
  return table;
}

/** Locks whose guards a value was reached through. */
function guardsOf(value: Value): LockScope[] {
  return [...value.pointers, ...(value.via ?? [])]
    .filter((p) => p.form === 'guard')
    .map((p) => ({ span: p.site, what: describePlace(p.target) }));
}

/** What an adapter's closure is given: the content of an Option or Result, an element of anything else. */
function contentType(type: TypeRef | undefined): TypeRef | undefined {
  const bare = unwrapped(type);
  return bare === type && type?.kind !== 'path'
    ? (elementType(type) ?? type)
    : bare === type &&
        type !== undefined &&
        /^(Vec|VecDeque|HashSet|BTreeSet|HashMap|BTreeMap|SmallVec|Box)$/.test(type.name)
      ? elementType(type)
      : bare;
}

/** The type of what an adapter makes of its closure's result: `map` wraps it, `and_then` hands it on. */
function adaptedType(method: string, results: readonly Value[], span: Span): TypeRef | undefined {
  const type = results.find((r) => r.type)?.type;
  if (!type) return undefined;
  if (method === 'map') return syntheticType('Option', span, [type]);
  return method === 'and_then' || method === 'map_or' || method === 'unwrap_or_else' || method === 'or_else'
    ? type
    : undefined;
}

/** Where a variable's content was before, when it was one known place. */
function originFrom(value: Value): { origin?: Place } {
  const place =
    value.places.length === 1
      ? value.places[0]
      : value.places.length === 0 && value.pointers.length === 1
        ? value.pointers[0]?.target
        : undefined;
  return place && place.root.kind !== 'temp' ? { origin: place } : {};
}

function optionalType(type: TypeRef | undefined): { type?: TypeRef } {
  return type ? { type } : {};
}

function uniquePointers(pointers: readonly Pointer[]): Pointer[] {
  return [...new Map(pointers.map((p) => [p.id, p])).values()];
}

function merged(values: readonly Value[]): Value {
  if (values.length === 1 && values[0]) return values[0];
  const pointers = uniquePointers(values.flatMap((v) => v.pointers));
  const adopts = values.flatMap((v) => v.adopts ?? []);
  const closure = values.find((v) => v.closure !== undefined)?.closure;
  return {
    places: values.flatMap((v) => v.places),
    pointers,
    ...optionalType(values.find((v) => v.type)?.type),
    ...(values.some((v) => v.owned) ? { owned: true } : {}),
    ...(adopts.length > 0 ? { adopts } : {}),
    ...(closure !== undefined ? { closure } : {}),
  };
}

/** The value, which frees nothing when it ends. */
function withoutAdopts({ adopts: _, ...value }: Value): Value {
  return value;
}

function isDropInPlace({ kind, how }: Invalidation): boolean {
  return kind === 'release' && /(?:^|::)drop_in_place$/u.test(how);
}

function operandsOf(effect: Effect): number[] {
  const found: number[] = [];
  for (const key of ['from', 'target', 'what'] as const) {
    const operand = key in effect ? (effect as { readonly [K in typeof key]?: Operand })[key] : undefined;
    if (typeof operand === 'number') found.push(operand);
  }
  return found;
}

function dottedPath(expr: Expr): string[] | undefined {
  if (expr.kind === 'name') return [...expr.path];
  if (expr.kind === 'field') {
    const base = dottedPath(expr.base);
    return base ? [...base, expr.name] : undefined;
  }
  return undefined;
}

function describeCallee(expr: Expr): string {
  return dottedPath(expr)?.join('.') ?? 'a function value';
}

/** `Either3::B(x)` of an `Either3<S, T, U>` binds a `T`. */
function eitherArgument(type: TypeRef | undefined, path: readonly string[]): TypeRef | undefined {
  const inner = peel(type);
  const variant = path.at(-1) ?? '';
  if (inner?.kind !== 'path' || !/^Either\d*$/.test(inner.name) || !/^[A-Z]$/.test(variant)) return undefined;
  return inner.args[variant.charCodeAt(0) - 65];
}

/** Variables that are null, or hold nothing, when a condition holds, and when it does not. */
function nullTests(condition: Expr): { readonly whenTrue: readonly string[]; readonly whenFalse: readonly string[] } {
  const nothing = { whenTrue: [], whenFalse: [] };
  const local = (e: Expr): string | undefined => (e.kind === 'name' && e.path.length === 1 ? e.path[0] : undefined);
  if (condition.kind === 'binary') {
    const isNull = (e: Expr): boolean => e.kind === 'literal' && e.type === 'null';
    const name = isNull(condition.right)
      ? local(condition.left)
      : isNull(condition.left)
        ? local(condition.right)
        : undefined;
    if (name !== undefined && (condition.operator === 'is' || condition.operator === '=='))
      return { whenTrue: [name], whenFalse: [] };
    if (name !== undefined && (condition.operator === '!is' || condition.operator === '!='))
      return { whenTrue: [], whenFalse: [name] };
    if (condition.operator === '||')
      return {
        whenTrue: [],
        whenFalse: [...nullTests(condition.left).whenFalse, ...nullTests(condition.right).whenFalse],
      };
    if (condition.operator === '&&')
      return {
        whenTrue: [...nullTests(condition.left).whenTrue, ...nullTests(condition.right).whenTrue],
        whenFalse: [],
      };
    return nothing;
  }
  if (condition.kind === 'unary' && condition.operator === '!') {
    const inner = nullTests(condition.operand);
    return { whenTrue: inner.whenFalse, whenFalse: inner.whenTrue };
  }
  if (condition.kind === 'method' && (condition.method === 'is_null' || condition.method === 'is_none')) {
    const name = local(condition.receiver);
    return name === undefined ? nothing : { whenTrue: [name], whenFalse: [] };
  }
  if (condition.kind === 'method' && condition.method === 'is_some') {
    const name = local(condition.receiver);
    return name === undefined ? nothing : { whenTrue: [], whenFalse: [name] };
  }
  const name = local(condition);
  return name === undefined ? nothing : { whenTrue: [], whenFalse: [name] };
}

/** `x as *const T` and `ptr::null()`, also as the value of a block. */
function isRawExpr(expr: Expr): boolean {
  if (expr.kind === 'block') return expr.block.result !== undefined && isRawExpr(expr.block.result);
  if (expr.kind === 'cast') return expr.type.kind === 'pointer';
  return expr.kind === 'call' && expr.callee.kind === 'name' && /^null(?:_mut)?$/u.test(expr.callee.path.at(-1) ?? '');
}

/** Whether the elements are pairs of a count and an item. */
function isEnumerated(expr: Expr | undefined): boolean {
  let current = expr;
  while (current?.kind === 'method') {
    if (current.method === 'enumerate') return true;
    if (!/^(?:skip|take|rev|step_by|filter|skip_while|take_while|peekable|fuse|inspect)$/u.test(current.method))
      return false;
    current = current.receiver;
  }
  return false;
}

/** Whether something in the block happens under a condition or not at all. */
function holdsBranch(body: Block): boolean {
  let holds = false;
  walkBody(body, ({ expr }) => {
    holds ||= expr.kind === 'if' || expr.kind === 'return' || expr.kind === 'throw';
  });
  return holds;
}

/** `for (;;)` and `while (true)`: only a `break` leaves them. */
function isEndlessLoop({ form, iterable, condition }: ExprOf<'loop'>): boolean {
  if (iterable) return false;
  if (!condition) return form === 'for';
  return condition.kind === 'literal' && /^(?:true|1)$/u.test(condition.text);
}

function containsLet(expr: Expr): boolean {
  if (expr.kind === 'let-condition') return true;
  return expr.kind === 'binary' && (containsLet(expr.left) || containsLet(expr.right));
}

/** `let r = &temporary;` keeps the temporary for the whole block, also inside a cast, a struct, a tuple or an array. */
function extendsTemporaries(expr: Expr): boolean {
  switch (expr.kind) {
    case 'address':
      return true;
    case 'cast':
      return extendsTemporaries(expr.value);
    case 'tuple':
    case 'array':
      return expr.items.some(extendsTemporaries);
    case 'struct':
      return expr.fields.some((f) => extendsTemporaries(f.value));
    case 'block':
      return expr.block.result !== undefined && extendsTemporaries(expr.block.result);
    default:
      return false;
  }
}

/** What a borrow makes a static of: constants, and the empty array in any case. */
function isPromoted(expr: Expr, mutable: boolean): boolean {
  return (!mutable || (expr.kind === 'array' && expr.items.length === 0 && !expr.repeat)) && isConstant(expr);
}

/** Expressions of literals only. */
function isConstant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'literal':
      return true;
    case 'array':
      return [...expr.items, ...(expr.repeat ? [expr.repeat] : [])].every(isConstant);
    case 'tuple':
      return expr.items.every(isConstant);
    case 'unary':
      return isConstant(expr.operand);
    case 'cast':
      return isConstant(expr.value);
    default:
      return expr.kind === 'name' && /^[A-Z][A-Z0-9_]*$/u.test(expr.path.at(-1) ?? '');
  }
}

/** Numbers of D, which hold no pointer whatever they were made of. */
const SCALAR = /^(?:bool|u?byte|u?short|u?int|u?long|size_t|ptrdiff_t|float|double|real|[wd]?char)$/u;

/** Types of the standard library whose methods are called by path, too. */
const STANDARD =
  /^(?:Vec|VecDeque|String|str|CStr|CString|OsStr|OsString|Path|PathBuf|Option|Result|NonNull|BytesMut)$/u;

const BOXES = /(?:^|::)(?:Box|Rc|Arc|Cell|RefCell|Mutex)::(?:new|pin)$/u;

/** Collections whose elements are plain values: nothing in them points elsewhere. */
function isPlainOwner(type: TypeRef): boolean {
  if (type.kind !== 'path' || !/^(?:Vec|String|Box|VecDeque|CString|OsString|PathBuf)$/u.test(type.name)) return false;
  return type.args.every((arg) => arg.kind === 'path' && PLAIN.test(arg.name));
}

const PLAIN = /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|String|CString|OsString|PathBuf)$/u;

/** Methods that take an Option or Result apart and give its content by value. */
const CONSUMES: ReadonlySet<string> = new Set([
  'unwrap',
  'expect',
  'unwrap_or',
  'unwrap_or_default',
  'unwrap_or_else',
  'unwrap_unchecked',
]);

/** `()` */
function isUnit(type: TypeRef | undefined): boolean {
  return type?.kind === 'tuple' && type.args.length === 0;
}

/** Whether a value of the type is, or wraps, a raw pointer. */
function holdsRawPointer(type: TypeRef | undefined): boolean {
  if (!type) return false;
  if (type.kind === 'pointer') return true;
  return (type.kind === 'path' || type.kind === 'tuple') && type.args.some(holdsRawPointer);
}

function isOwnedType(type: TypeRef | undefined): boolean {
  if (!type) return false;
  const bare = unwrapped(type);
  return bare?.kind === 'path' && bare.name !== 'Self' && bare.name !== 'NonNull';
}

function replaceSelf(type: TypeRef | undefined, owner: string | undefined): TypeRef | undefined {
  if (!type || !owner) return type;
  if (type.kind === 'path' && type.name === 'Self') return { ...type, name: owner, path: [owner], text: owner };
  if (type.kind === 'path' && type.args.some((a) => a.name === 'Self'))
    return { ...type, args: type.args.map((a) => replaceSelf(a, owner) ?? a) };
  return type;
}

/** Whether the body holds `name = ..`; closures are not entered. */
function isAssigned(body: Block, name: string): boolean {
  let isSet = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'assign' || expr.operator !== '=' || expr.target.kind !== 'name') return;
    isSet ||= expr.target.path.length === 1 && expr.target.path[0] === name;
  });
  return isSet;
}

/** Names used inside a block that it does not declare itself; nested closures included. */
function freeNames(block: Block, functions: ReadonlyMap<number, FunctionIr>): string[] {
  const names: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const item of node) visit(item);
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    if ('kind' in node) {
      if (node.kind === 'name' && 'path' in node && Array.isArray(node.path) && node.path.length === 1)
        names.push(String(node.path[0]));
      if (node.kind === 'closure' && 'functionId' in node && typeof node.functionId === 'number') {
        const body = functions.get(node.functionId)?.body;
        if (body) visit(body);
      }
    }
    for (const [key, value] of Object.entries(node))
      if (key !== 'span' && key !== 'type' && typeof value === 'object') visit(value);
  };
  visit(block);
  return names;
}

/** Operations after which nobody can say what a container still holds. */
const EMPTIES: ReadonlySet<Growth['operation']> = new Set(['clear', 'remove', 'replace']);

/** Operations on a container that may move its elements and drop none. */
const MOVES_ONLY: ReadonlySet<Growth['operation']> = new Set(['append', 'reserve', 'insert']);
