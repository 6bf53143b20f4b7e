import type { ApiIndex } from './api-index.js';
import type { ApiRow } from './api.js';
import { syntheticType, YIELDER } from './builtin-types.js';
import { isRawExpr } from './expression-shapes.js';
import { ownsItsBlock } from './owned-values.js';
import { fieldTypeOf, growthKey, typeOfPlace } from './place-type.js';
import { extend, isElementOf, type Place, placeKey, type Root, samePlace } from './place.js';
import type { Context, LockScope, Pointer, PointerForm, Value } from './result.js';
import { State } from './state.js';
import { elementType, holdsOne, ownsBlock, peel, type TypeOracle, withoutAlias } from './types.js';
import { merged, optionalType, uniquePointers } from './values.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { NONE } from '../model/lists.js';

/** What a walk may ask about the rest of the unit. */
export interface FlowSettings {
  readonly oracle: TypeOracle;
  readonly apis: ApiIndex;
  /** How many helpers deep summaries are followed from here. */
  readonly depth: number;
}

const tables = new WeakMap<FileIr, Map<number, FunctionIr>>();

/**
 * What a walk through a function knows: the variables in scope, what they hold, and the pointers made so far. The lowest of
 * the layers that the analysis is made of: each extends the one before and knows nothing of those after it.
 */
export abstract class Memory {
  protected state = new State();
  protected readonly scopes: Map<string, Root>[] = [new Map<string, Root>()];
  protected readonly blockRoots: Root[][] = [];
  protected temps: Root[] = [];
  /** Rust: what variables were taken out of (`let old = slot.take();`), by the variable's id. */
  protected readonly takenBy = new Map<number, readonly Place[]>();
  /** Rust: the variables that a list was made of (`let _all = vec![s];`), by its variable's id, while nothing names that. */
  protected readonly packed = new Map<number, readonly Place[]>();
  private nextRoot = 1;
  private nextPointer = 1;
  protected frames: Context['frames'] = [];
  private lastContext: Context = { frames: this.frames, inLoop: false };
  protected loops = 0;
  /** Which walk of a loop body this is; 0 outside of loops. */
  protected round = 0;
  /** By where they start, and what nothing declares by its name. */
  private readonly rootsBySite = new Map<number | string, { readonly root: Root; readonly calls: string }[]>();
  /** What `borrow` made, by where the site starts. */
  private readonly pointersBySite = new Map<number, Pointer[]>();
  /** The pointers that stand for those of earlier rounds in a list, by the pointer, the list and the call that adds. */
  private readonly gatheredBy = new Map<string, Pointer>();
  /** By the key of the target. */
  private readonly implicitPointers = new Map<string, Pointer>();
  /** By the id of the pointer that they are twins of. */
  private readonly twins = new Map<number, Pointer>();
  /** D: what casts to a number took the address of, by where they start. */
  protected readonly castToNumber = new Map<number, readonly Pointer[]>();
  /** D: the addresses that variables of numbers were set to, by their ids. */
  protected readonly heldAsNumber = new Map<number, readonly Pointer[]>();
  protected readonly functions: Map<number, FunctionIr>;
  /** Pointers made by the statement being walked: alive though no variable holds them yet. */
  protected fresh = new Set<number>();
  /** The id of each is one more than its index. */
  protected readonly pointers: Pointer[] = [];

  constructor(
    protected readonly file: FileIr,
    protected readonly fn: FunctionIr,
    protected readonly settings: FlowSettings,
  ) {
    this.functions = functionTable(file);
  }

  protected get rust(): boolean {
    return this.file.language === 'rust';
  }

  /** The type that `self` or `this` has, by name. */
  protected ownerType(): TypeRef | undefined {
    return this.fn.owner ? syntheticType(this.fn.owner, this.fn.nameSpan) : undefined;
  }

  /** D: the addresses in what is computed with numbers: `(cast(size_t) p + 3) & ~3`, `at + 4` behind `auto at = cast(size_t) p;`. */
  protected addressesIn(expr: Expr): readonly Pointer[] {
    switch (expr.kind) {
      case 'name': {
        const root = expr.path.length === 1 ? this.lookup(expr.path[0] ?? '') : undefined;
        return root ? (this.heldAsNumber.get(root.id) ?? NONE) : NONE;
      }
      case 'cast':
        return this.castToNumber.get(expr.span.start) ?? this.addressesIn(expr.value);
      case 'binary':
        return /^[-+&|^]$/u.test(expr.operator)
          ? uniquePointers([...this.addressesIn(expr.left), ...this.addressesIn(expr.right)])
          : NONE;
      default:
        return NONE;
    }
  }

  /** The type that an alias of the unit stands for. */
  protected plain(type: TypeRef | undefined): TypeRef | undefined {
    if (!this.rust || (type?.kind === 'path' && this.fn.generics.some((g) => g.name === type.name))) return type;
    return withoutAlias(type, this.settings.oracle, this.file.path);
  }

  /** The variable, temporary or allocation of a site: the same one each time the site is walked. */
  protected makeRoot(seed: Omit<Root, 'id' | 'depth'>): Root {
    // One root per declaring expression, so that walking a loop body twice does not make two owners out of one.
    // What two calls of a nested function allocate are two things.
    const calls =
      seed.kind === 'allocation' && !this.rust
        ? [...this.frames.map((f) => f.span.start), this.round % 2].join(':')
        : '';
    const { start, end } = seed.span;
    const key = start < 0 ? seed.name : start;
    const alike = this.rootsBySite.get(key);
    if (alike)
      for (const known of alike)
        if (
          known.root.kind === seed.kind &&
          known.root.name === seed.name &&
          known.root.span.start === start &&
          known.root.span.end === end &&
          known.calls === calls
        )
          return known.root;
    const type = this.plain(seed.type);
    const root: Root = { ...seed, ...optionalType(type), id: this.nextRoot++, depth: this.scopes.length - 1 };
    if (alike) alike.push({ root, calls });
    else this.rootsBySite.set(key, [{ root, calls }]);
    return root;
  }

  /** The block that a call or an expression makes. */
  protected makeBlock(name: string, span: Span, storage: NonNullable<Root['storage']>, type?: TypeRef): Root {
    return this.makeRoot({
      kind: 'allocation',
      name,
      span,
      byValue: true,
      declared: 'call',
      storage,
      ...optionalType(type),
    });
  }

  /** A variable of the innermost scope, which ends with it and holds nothing yet. */
  protected declare(name: string, seed: Omit<Root, 'id' | 'depth'>): Root {
    const next = this.nextRoot;
    const root = this.makeRoot(seed);
    this.scopes.at(-1)?.set(name, root);
    this.blockRoots.at(-1)?.push(root);
    // Nothing is known of a variable that was not there before.
    if (this.nextRoot !== next) return root;
    this.state.forget(root);
    if (root.type?.kind === 'slice') this.state.leaveBlocks(root);
    for (const pointer of this.pointers)
      if (pointer.how === 'declared' && pointer.target.root === root) this.state.invalid.delete(pointer.id);
    return root;
  }

  /** The variable of that name in the scopes around, innermost first. */
  protected lookup(name: string): Root | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const root = this.scopes[i]?.get(name);
      if (root) return root;
    }
    return undefined;
  }

  /** D: what a variable no longer holds on one path does not come back to it from there. */
  protected join(states: readonly State[]): State {
    if (!this.rust && states.length > 1)
      for (const state of states) {
        const live = state.invalid.size > 0 ? state.livePointers() : undefined;
        for (const id of state.invalid.keys())
          if (live?.has(id) !== true && !this.isReachable(state, id)) state.invalid.delete(id);
      }
    if (states.length > 1) this.keepPathsApart(states);
    return State.join(states);
  }

  /**
   * What ended on one path, where the variable had been set anew by then, does not end what the variable holds on another:
   * from there it holds a twin of the pointer.
   */
  private keepPathsApart(states: readonly State[]): void {
    for (const ended of states)
      for (const other of states) {
        if (other.holdsAsIn(ended) || other.invalid.isCopyOf(ended.invalid)) continue;
        const ids = new Set<number>();
        for (const id of ended.invalid.keys()) if (!other.invalid.has(id)) ids.add(id);
        if (ids.size === 0) continue;
        for (const { place, stored } of other.entries()) {
          if (!stored.pointers.some((p) => ids.has(p.id))) continue;
          const there = ended.read(place);
          // A variable of which nothing is known on that path may hold it all the same, but not one that `let` made there.
          const isKnown = there !== undefined || (this.rust && place.root.declared === 'let');
          const held = new Set(there?.pointers);
          // D: nor does it hold a block that the function makes, without having been set.
          const isApart = (p: Pointer): boolean =>
            ids.has(p.id) && !held.has(p) && (isKnown || (!this.rust && p.target.root.kind === 'allocation'));
          if (!stored.pointers.some(isApart)) continue;
          // The twin may have ended there, too.
          const twinApart = (p: Pointer): Pointer => (isApart(p) ? twinApart(this.twinOf(p)) : p);
          other.replace(place, { ...stored, pointers: stored.pointers.map(twinApart) });
        }
      }
  }

  /** The values of branches, each with what happened on its own way only; a branch without a state does not come back. */
  protected valuesApart(values: readonly Value[], ends: readonly (State | undefined)[]): readonly Value[] {
    return values.map((value, i) => {
      const own = ends[i];
      const isEndedElsewhere = ({ id }: Pointer): boolean =>
        own?.invalid.has(id) === false && ends.some((other) => other?.invalid.has(id) === true);
      // A variable whose pointer another branch ended, given as it is.
      const given = value.places.flatMap((place) => {
        const held = own?.read(place)?.pointers ?? [];
        return held.some((p) => p.form === 'raw' && isEndedElsewhere(p)) ? [{ place, held }] : [];
      });
      if (given.length === 0 && !value.pointers.some(isEndedElsewhere)) return value;
      const pointers = [...value.pointers, ...given.flatMap((g) => g.held)];
      return {
        ...value,
        places: value.places.filter((place) => !given.some((g) => g.place === place)),
        pointers: [...new Set(pointers.map((p) => (isEndedElsewhere(p) ? this.twinOf(p) : p)))],
      };
    });
  }

  private twinOf(pointer: Pointer): Pointer {
    const known = this.twins.get(pointer.id);
    if (known) return known;
    const twin = this.copyOf(pointer);
    this.twins.set(pointer.id, twin);
    return twin;
  }

  /** Another pointer to the same place, which something else can happen to. */
  private copyOf(pointer: Pointer): Pointer {
    const copy = { ...pointer, id: this.nextPointer++ };
    this.pointers.push(copy);
    return copy;
  }

  /** Whether a pointer that no variable holds can still be met: made by this statement, or what a variable never set leads to. */
  private isReachable(state: State, id: number): boolean {
    const pointer = this.pointers[id - 1];
    if (!pointer || this.fresh.has(id)) return true;
    const { root, path } = pointer.target;
    return pointer.how === 'declared' && state.read({ root, path: path.slice(0, -1) }) === undefined;
  }

  /** Where the walk is: in which closures, and whether in a loop. */
  protected context(): Context {
    const inLoop = this.loops > 0;
    if (this.lastContext.frames !== this.frames || this.lastContext.inLoop !== inLoop)
      this.lastContext = { frames: this.frames, inLoop };
    return this.lastContext;
  }

  /** The pointer to `target` made at `site`, valid from now on: the same one each time the site is walked. */
  protected borrow(
    target: Place,
    form: PointerForm,
    erased: boolean,
    site: Span,
    how: string,
    row?: ApiRow,
    guards: readonly LockScope[] = [],
  ): Pointer {
    const alike = this.pointersBySite.get(site.start);
    let pointer = alike?.find(
      (p) => p.form === form && p.erased === erased && p.site.end === site.end && samePlace(p.target, target),
    );
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
      if (alike) alike.push(pointer);
      else this.pointersBySite.set(site.start, [pointer]);
      this.pointers.push(pointer);
    }
    this.state.invalid.delete(pointer.id);
    this.fresh.add(pointer.id);
    return pointer;
  }

  /**
   * Rust: pointers into containers that a loop gathers in a list. That of an earlier round stays in the list, and stays invalid, when the next
   * round makes one at the same place.
   */
  protected gathered(pointers: readonly Pointer[], list: Place, span: Span): readonly Pointer[] {
    if (this.loops === 0) return pointers;
    const held = this.state.read(list)?.pointers ?? [];
    return pointers.map((pointer) => {
      if (pointer.form !== 'raw' || pointer.target.path.at(-1) !== '[]') return pointer;
      const key = `${pointer.id}|${placeKey(list)}|${span.start}`;
      let twin = this.gatheredBy.get(key);
      if (!twin) this.gatheredBy.set(key, (twin = this.copyOf(pointer)));
      if (!held.includes(twin)) this.state.invalid.delete(twin.id);
      return twin;
    });
  }

  /** A reference that is used where a raw pointer is wanted becomes one without a cast in the source. */
  protected coerce(value: Value, wanted: TypeRef | undefined, span?: Span): Value {
    // D: a static array where a slice is wanted is sliced without a sign in the source.
    if (span && !this.rust && wanted?.kind === 'slice' && value.type?.kind === 'static-array')
      return value.pointers.length > 0
        ? value
        : {
            places: NONE,
            pointers: (value.owned ? this.materialise(value, span) : value.places).map((p) =>
              this.borrow(extend(p, '[]'), 'slice', false, span, '[]'),
            ),
            type: wanted,
          };
    // A static array takes the elements of the slice that is assigned to it, not the slice.
    if (!this.rust && value.pointers.some((p) => p.form === 'slice')) {
      const type = wanted?.kind === 'path' ? withoutAlias(wanted, this.settings.oracle, this.file.path) : wanted;
      if (type?.kind === 'static-array')
        return {
          ...value,
          places: NONE,
          pointers: value.pointers.filter((p) => p.form !== 'slice'),
          owned: true,
          type,
        };
    }
    return this.rust && value.pointers.length > 0 && holdsRawPointer(wanted) ? this.asRaw(value) : value;
  }

  /** Rust: whether `coerce` may make another value of this one, once the wanted type is known. */
  protected mayBecomeRaw({ pointers }: Value): boolean {
    return this.rust && pointers.some(isChecked);
  }

  /** D: a static array as the slice of it that is passed where a text is wanted. */
  protected asSlice(value: Value, span: Span): Value {
    return value.type?.kind === 'static-array' ? this.coerce(value, { ...value.type, kind: 'slice' }, span) : value;
  }

  /** What a place of pointer type points to when nothing in the function says: one object per place. */
  protected implicitPointer(place: Place): Pointer {
    const target = extend(place, '*');
    const key = placeKey(target);
    let pointer = this.implicitPointers.get(key);
    if (!pointer) {
      pointer = {
        id: this.nextPointer++,
        target,
        form: 'raw',
        erased: true,
        site: place.root.span,
        how: 'declared',
        locks: NONE,
        context: this.context(),
      };
      this.implicitPointers.set(key, pointer);
      this.pointers.push(pointer);
    }
    return pointer;
  }

  /** Whether values of the type are raw pointers. */
  protected isPointerType(type: TypeRef | undefined): boolean {
    return (
      type?.kind === 'pointer' || (type?.kind === 'path' && (type.name === 'NonNull' || type.name === 'AtomicPtr'))
    );
  }

  /** What a read of the place gives. */
  protected valueOf(place: Place, type: TypeRef | undefined): Value {
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
    return { places: [place], pointers: NONE, ...optionalType(type) };
  }

  /** The storage that a method on `value` works on: through references and pointers, else the places themselves. */
  protected subjects(value: Value): readonly Place[] {
    const through = value.pointers.filter((p) => p.form !== 'closure').map((p) => p.target);
    return through.length > 0 ? through : value.places;
  }

  /** D: the array whose elements a value shows: a slice that was copied from a variable shows that variable's. */
  protected storageOf(value: Value): readonly Place[] {
    return value.pointers.length === 0 && value.alias ? [value.alias] : this.subjects(value);
  }

  /** D: what a variable set to this value is another name for: a whole array, copied by reference. */
  protected aliasOf(value: Value, type: TypeRef | undefined): { alias?: Place } {
    const [place, ...others] = value.places;
    if (this.rust || value.pointers.length > 0 || !place || others.length > 0) return {};
    return type?.kind === 'slice' && value.type?.kind === 'slice' ? { alias: value.alias ?? place } : {};
  }

  /** A temporary, which ends with the statement unless a `let` keeps it. */
  protected makeTemp(span: Span, type: TypeRef | undefined): Root {
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
  protected materialise(value: Value, span: Span): readonly Place[] {
    if (value.places.length > 0 || value.pointers.length > 0) return this.storageOf(value);
    if (!value.owned) return [];
    return [{ root: this.makeTemp(span, value.type), path: [] }];
  }

  /** Rust: whether a part of the type, with a block of its own, is one of a value that was just made and that nobody holds. */
  protected isOfTemporary({ owned, places, pointers }: Value, part: TypeRef | undefined): boolean {
    return this.rust && owned === true && places.length === 0 && pointers.length === 0 && ownsItsBlock(part);
  }

  /** A reference that became a raw pointer by coercion: from here on the compiler does not check it. */
  protected asRaw(value: Value): Value {
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
  protected joinBranches(values: readonly Value[], branches: readonly Expr[]): Value {
    return merged(this.rust && branches.some(isRawExpr) ? values.map((v) => this.asRaw(v)) : values);
  }

  /** Whether the place is in the variable's own storage, which stays where it is when the value is moved away. */
  protected isInline(place: Place): boolean {
    if (!this.rust || place.path.includes('[]') || place.path.includes('*')) return false;
    // `boxed.field` lies in the block of the box.
    return !place.path.some((_, at) => this.ownsBlock({ root: place.root, path: place.path.slice(0, at) }));
  }

  /** Whether the place is one piece of storage: no step of its path goes to one of several elements. */
  protected isOne({ root, path }: Place): boolean {
    return path.every((segment, at) => {
      if (segment !== '[]') return true;
      const owner = this.rust ? this.typeAt({ root, path: path.slice(0, at) }) : undefined;
      return owner?.kind === 'path' && holdsOne(owner);
    });
  }

  /** Whether what is at the place has a block on the heap for itself. */
  protected ownsBlock(place: Place): boolean {
    return this.rust && ownsBlock(typeOfPlace(place, this.settings.oracle, this.file.path));
  }

  /** D: the place is an element of an array of arrays, an array with a block of its own. */
  protected isArrayItem({ root, path }: Place): boolean {
    if (this.rust || path.at(-1) !== '[]') return false;
    const array = typeOfPlace({ root, path: path.slice(0, -1) }, this.settings.oracle, this.file.path);
    const item = withoutAlias(elementType(array), this.settings.oracle, this.file.path);
    return item?.kind === 'slice' || (item?.kind === 'path' && /^[wd]?string$/u.test(item.name));
  }

  /** Whether the target lies in a block that an element of the growing owner has for itself: growth moves the element only. */
  protected staysBehind(target: Place, owner: Place): boolean {
    return target.path.some((segment, at) => {
      if (at <= owner.path.length || segment !== '[]') return false;
      const item = { root: target.root, path: target.path.slice(0, at) };
      return this.ownsBlock(item) || this.isArrayItem(item);
    });
  }

  /** The name under which the unit knows what grows at the place. */
  protected keyOf(place: Place): string | undefined {
    return growthKey(place, this.settings.oracle, this.file.path);
  }

  /** Whether the value is reached through a reference, so that a pattern borrows from it. */
  protected isBehindReference(value: Value): boolean {
    if (value.type?.kind === 'reference') return true;
    return value.places.some((p) => p.path.length === 0 && p.root.kind === 'self' && !p.root.byValue);
  }

  /** Struct values carry the pointers of their fields along when they are copied or moved. */
  protected copyFields(from: readonly Place[], to: Place): void {
    for (const place of from) {
      for (const [suffix, stored] of this.state.below(place)) this.state.write(extend(to, ...suffix), stored);
    }
  }

  /** Rust: the fields of a struct literal, each with what it was given, also of one that is an element of an array. */
  protected keepParts({ parts }: Value, to: Place): void {
    for (const { name, value } of parts ?? []) {
      this.state.write(extend(to, name), { pointers: value.pointers, ...optionalType(value.type) });
      this.keepParts(value, extend(to, name));
    }
  }

  /** Rust: the fields of the values that become elements of an array, of those that are struct literals or hold one. */
  protected elementParts(values: readonly Value[]): Value['parts'] {
    const fields = new Map<string, Value[]>();
    for (const { parts, places } of values) {
      const held = [
        ...(parts ?? []),
        ...places.flatMap((place) =>
          [...this.state.below(place)].flatMap(([suffix, { pointers, type }]) =>
            suffix.length === 1 && suffix[0] !== undefined
              ? [{ name: suffix[0], value: { places: [], pointers, ...optionalType(type) } }]
              : [],
          ),
        ),
      ];
      if (held.length === 0) return undefined;
      for (const { name, value } of held) fields.set(name, [...(fields.get(name) ?? []), value]);
    }
    return [...fields].map(([name, all]) => ({ name, value: merged(all) }));
  }

  /** What `*` reaches: the content of a type that owns a block, whatever else points to. */
  protected derefSegment(type: TypeRef | undefined): '[]' | '*' {
    return this.rust && type?.kind === 'path' && ownsBlock(type) ? '[]' : '*';
  }

  /** Slices, iterators and raw element pointers already denote elements: indexing them stays in the same storage. */
  protected isView(value: Value): boolean {
    return value.pointers.some(
      (p) => p.target.path.at(-1) === '[]' && (p.form === 'slice' || p.form === 'raw' || p.form === 'iterator'),
    );
  }

  /** What an iterator yields: a reference to an element, whose own memory is another matter. */
  protected elementsOf(pointers: readonly Pointer[]): readonly Pointer[] {
    return pointers.map((p) =>
      p.form === 'iterator' ? this.borrow(p.target, 'reference', p.erased, p.site, p.how, p.row, p.locks) : p,
    );
  }

  /** Whether the unit declares the type as an enum. */
  protected isEnum(type: TypeRef | undefined): boolean {
    const inner = peel(type);
    return inner?.kind === 'path' && this.settings.oracle.declaration(inner.name, this.file.path)?.kind === 'enum';
  }

  /** Whether the unit declares a field of that name in the type. */
  protected hasField(type: TypeRef | undefined, name: string): boolean {
    const inner = peel(type);
    return inner
      ? (this.settings.oracle.declaration(inner.name, this.file.path)?.fields.some((f) => f.name === name) ?? false)
      : false;
  }

  /** The declared type of a field. */
  protected fieldType(type: TypeRef | undefined, name: string): TypeRef | undefined {
    return fieldTypeOf(type, name, this.settings.oracle, this.file.path);
  }

  /** The declared type of what is at the place. */
  protected typeAt(place: Place): TypeRef | undefined {
    return typeOfPlace(place, this.settings.oracle, this.file.path);
  }

  /** Whether a pointer to an element of the place was made. */
  protected hasPointersInto(place: Place): boolean {
    return this.pointers.some((p) => isElementOf(p.target, place));
  }

  /** Whether something stored there is still there when the function has returned. */
  protected outlives(place: Place): boolean {
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

  /** Whether a copy of a value of the type leads to the same storage. */
  protected isReferenceType(type: TypeRef | undefined): boolean {
    if (!type) return false;
    if (type.kind === 'pointer' || type.kind === 'slice' || type.kind === 'reference') return true;
    const kind = this.settings.oracle.declaration(type.name, this.file.path)?.kind;
    return kind === 'class' || kind === 'interface';
  }

  /** Whether an adapter's closure is given a value of its own: what owns memory, or a struct of the unit. */
  protected isGivenByValue(receiver: Value): boolean {
    if (this.isOwnedContent(receiver)) return true;
    const { type } = receiver;
    if (receiver.owned === true && type?.kind === 'path' && type.name === YIELDER) return true;
    if (receiver.pointers.length > 0 || type?.kind !== 'path' || !/^(?:Option|Result)$/u.test(type.name)) return false;
    const inner = type.args[0];
    if (inner?.kind !== 'path' || inner.lifetimes !== undefined) return false;
    return this.settings.oracle.declaration(inner.name, this.file.path)?.kind === 'struct';
  }

  /** Whether an adapter's closure gets the content by value: the Option is consumed, not borrowed. */
  protected isOwnedContent(receiver: Value): boolean {
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

  /** `self` or `this`, when the function has it. */
  protected selfValue(): Value | undefined {
    const root = this.lookup('self');
    return root ? { places: [{ root, path: [] }], pointers: NONE, ...optionalType(root.type) } : undefined;
  }
}

function functionTable(file: FileIr): Map<number, FunctionIr> {
  let table = tables.get(file);
  if (!table) tables.set(file, (table = new Map(file.functions.map((f) => [f.id, f]))));
  return table;
}

/** The compiler knows how long the pointer is good. */
function isChecked({ form }: Pointer): boolean {
  return form === 'reference' || form === 'slice';
}

/** Whether a value of the type is, or wraps, a raw pointer. */
function holdsRawPointer(type: TypeRef | undefined): boolean {
  if (!type) return false;
  if (type.kind === 'pointer') return true;
  return (type.kind === 'path' || type.kind === 'tuple') && type.args.some(holdsRawPointer);
}
