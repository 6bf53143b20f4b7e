import type { ApiRow } from './api.js';
import { syntheticType } from './builtin-types.js';
import { Memory } from './memory.js';
import { isAlwaysRun } from './always-run.js';
import { isContainer, isDropped, isDroppedWith, ownsItsBlock } from './owned-values.js';
import { containerOf, extend, isElementOf, isWithin, type Place, placeKey, type Root } from './place.js';
import { dependsOnAnotherField, isReleasedByDrop } from './released-by-drop.js';
import type {
  Access,
  Adoption,
  CallSite,
  Escape,
  Growth,
  Invalidation,
  LockScope,
  OwnedTwice,
  Pointer,
  StaleUse,
  Summary,
  UseKind,
  Value,
} from './result.js';
import { elementType, keepsSliceOf, ownsBlock } from './types.js';
import { isParts, isWhole, NOTHING, optionalType, PARTS, uniquePointers } from './values.js';
import type { FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { copyOf, NONE } from '../model/lists.js';

/** Operations after which nobody can say what a container still holds. */
const EMPTIES: ReadonlySet<Growth['operation']> = new Set(['clear', 'remove', 'replace']);

/** Operations on a container that may move its elements and drop none. */
const MOVES_ONLY: ReadonlySet<Growth['operation']> = new Set(['append', 'reserve', 'insert']);

/**
 * What happens to what the memory holds: it is used, it grows, it is released, its owner ends, it leaves the function; and what
 * of that is kept for the rules and for callers.
 */
export abstract class Ownership extends Memory {
  /** `stale` holds what had happened to a returned pointer by the time it was returned. */
  protected readonly returnStack: {
    values: Value[];
    functionId: number;
    stale: Map<number, readonly Invalidation[]>;
  }[] = [];
  protected readonly stale = new Map<string, StaleUse>();
  protected readonly escapes = new Map<string, Escape>();
  protected readonly growths = new Map<string, Growth>();
  protected readonly invalidations = new Map<string, Invalidation>();
  protected readonly calls = new Map<string, CallSite>();
  protected readonly adoptions = new Map<string, Adoption>();
  private readonly uses = new Map<string, Summary['uses'][number]>();
  /** Rust: pointers of which it was told where they are taken over twice: both owners end somewhere. */
  private readonly twice = new Set<number>();
  protected readonly ownedTwice = new Map<string, OwnedTwice>();
  protected readonly accesses = new Map<string, Access>();
  protected readonly suspensions = new Map<number, Span>();
  /** D: slices that the function was given and returns. */
  private readonly passed = new Set<number>();
  private readonly consumed: { param: number; span: Span }[] = [];
  private readonly thrownParams = new Set<number>();
  private readonly stores = new Map<string, Summary['stores'][number]>();
  /** D: fields of `this` and what parameters lead to, of which the value is returned. */
  private readonly shown = new Map<string, Place>();
  protected readonly releases = new Map<string, Summary['releases'][number]>();

  /** D: the method, or the class that it belongs to, is `synchronized`: the whole body holds the object's lock. */
  protected isSynchronized(fn: FunctionIr): boolean {
    if (this.rust || fn.owner === undefined) return false;
    const holder = this.settings.oracle.declaration(fn.owner, this.file.path);
    return [...fn.attributes, ...(holder?.kind === 'class' ? holder.attributes : [])].some(
      (a) => a.name === 'synchronized',
    );
  }

  /** Rust: parameters taken by value that end with the function, as far as every use of them shows. */
  protected dropParameters(body: Span): void {
    if (!this.rust) return;
    const end: Span = { start: Math.max(body.start, body.end - 1), end: body.end };
    for (const root of this.scopes[0]?.values() ?? []) {
      if (root.kind === 'self' && this.state.alive) this.endOwner(root, end);
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

  /** The value's pointers are used: each that something made invalid is a stale use. */
  protected use(value: Value, span: Span, kind: UseKind, what: string): void {
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
  protected withHeld(value: Value): Value {
    const held = [...value.places, ...value.pointers.filter((p) => p.form !== 'closure').map((p) => p.target)]
      .filter(
        (p) =>
          p.root.byValue &&
          (p.root.kind === 'local' ||
            (this.rust ? p.root.kind === 'self' || p.root.kind === 'param' : p.root.kind === 'temp')),
      )
      .flatMap((place) => [
        ...(this.state.read(place)?.pointers ?? []),
        ...this.state
          .below(place)
          .flatMap(([, s]) => s.pointers)
          // What the value itself has a block for goes along with it.
          .filter((p) => !this.rust || p.target.root !== place.root || this.isInline(p.target)),
      ])
      // D: what a captured variable is captured for is the delegate's, and judged with it.
      .filter((p) => p.how !== 'declared' && (this.rust || p.form !== 'closure'));
    return held.length === 0 ? value : { ...value, pointers: uniquePointers([...value.pointers, ...held]) };
  }

  /** Something is done to the places themselves. */
  protected access(places: readonly Place[], span: Span, kind: Access['kind'], what: string): void {
    for (const place of places) {
      if (this.state.dropped.size > 0) this.useDropped(place, span, kind, what);
      const key = `${placeKey(place)}|${span.start}|${kind}|${this.state.suspended.length > 0 ? 1 : 0}`;
      if (!this.accesses.has(key))
        this.accesses.set(key, {
          place,
          span,
          kind,
          what,
          suspended: copyOf(this.state.suspended),
          context: this.context(),
        });
    }
  }

  /** A value is used that was dropped by hand, if that was not in another round of a loop, which may have taken another way. */
  protected useDropped(place: Place, span: Span, kind: Access['kind'], what: string): void {
    if (kind === 'borrow' || kind === 'write' || kind === 'move') return;
    for (const { pointer, invalidation, isTaken, round } of this.state.dropped.values()) {
      if (isTaken && kind !== 'release') continue;
      if (!isWithin(place, pointer.target) || (round !== 0 && round !== this.round)) continue;
      const key = `${pointer.id}|dropped|${span.start}`;
      if (!this.stale.has(key))
        this.stale.set(key, { pointer, invalidation, use: { span, kind, what }, context: this.context() });
    }
  }

  /** Rust: `drop_in_place(&mut value)`: the variable drops what is gone once more, unless it is forgotten or written anew. */
  protected dropVariable(pointers: readonly Pointer[], span: Span, name: string, row: ApiRow): void {
    for (const pointer of pointers) {
      const { root, path } = pointer.target;
      if ((root.kind !== 'local' && root.kind !== 'param') || !root.byValue || path.length > 0) continue;
      if (root.type?.kind !== 'path' || !isDropped(root.type, this.settings.oracle, this.file, this.fn)) continue;
      this.dropByHand(pointer, span, name, row);
      this.noteTaken({ pointer, rawType: root.type.name, how: name, span, isCopy: true, context: this.context() });
    }
  }

  /** `ManuallyDrop::drop(&mut place)` or `take`: the value is gone, the place stays. */
  protected dropByHand(pointer: Pointer, span: Span, name: string, row: ApiRow, isTaken = false): void {
    const { target } = pointer;
    if (target.path.some((s) => s === '[]' || s === '*') || target.root.kind === 'unknown') return;
    this.useDropped(target, span, 'release', name);
    this.state.dropped.set(placeKey(target), {
      pointer,
      invalidation: { kind: 'release', place: target, span, how: name, row },
      isTaken,
      round: this.round,
    });
  }

  /** Something happens to `place`: pointers that can still be met and whose target it `touches` are invalid from now on. */
  protected invalidate(
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

  /** The containers at the places get longer, shorter or other blocks: pointers to their elements are invalid, but for `via`. */
  protected grow(
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
      if (operation === 'replace') this.state.settle(place);
      const key = this.keyOf(place);
      if (this.rust && EMPTIES.has(operation)) this.state.write(extend(place, '[]'), { pointers: NONE });
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

  /** What the value points to is released. */
  protected release(value: Value, span: Span, how: string, row?: ApiRow, through?: string): void {
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

  /** Whether the target ends with the owned block: it lies in it, or behind a pointer in it that a `Drop` of the unit releases. */
  protected endsWith(target: Place, block: Place): boolean {
    if (!isWithin(target, block)) return false;
    if (!target.path.includes('*', block.path.length)) return true;
    return (
      this.rust &&
      isReleasedByDrop(target, this.settings.oracle, this.file.path, this.settings.depth, block.path.length)
    );
  }

  /** D: `destroy` sets arrays, pointers and struct values back to their initial value; only an object is dead afterwards. */
  protected staysUsable(type: TypeRef | undefined): boolean {
    if (!type) return false;
    if (type.kind === 'slice' || type.kind === 'assoc-array' || type.kind === 'static-array' || type.kind === 'pointer')
      return true;
    const kind = type.kind === 'path' ? this.settings.oracle.declaration(type.name, this.file.path)?.kind : undefined;
    return kind === 'struct' || kind === 'union' || kind === 'enum';
  }

  /** Rust: the variable ends here and frees what something else has taken over, unless that gave it back. */
  protected endOwner(root: Root, end: Span): void {
    if (this.state.moved.has(root.id)) return;
    const isLent = root.type?.kind === 'reference' || (root.kind === 'self' && !root.byValue);
    for (const adoption of this.state.taken.get(root.id) ?? [])
      if (adoption.isCopy === true ? !isLent && !adoption.pointer.target.path.includes('*') : true)
        this.ownedTwice.set(`${adoption.span.start}`, { adoption, owner: root, end, isLent });
  }

  /** Rust: a block is dropped as a whole: a value in it that was copied bit by bit is dropped once more. */
  protected endCopies(released: Pointer, span: Span, how: string): void {
    const block = released.target;
    for (const adoption of this.state.taken.get(block.root.id) ?? []) {
      const { target } = adoption.pointer;
      // The copy itself ends once.
      if (adoption.isCopy !== true || adoption.pointer === released) continue;
      if (!isWithin(target, block) || target.path.includes('*', block.path.length)) continue;
      this.ownedTwice.set(`${adoption.span.start}`, { adoption, owner: block.root, end: span, isLent: false, how });
    }
  }

  /** Rust: the block that a value takes over and nobody holds is released with the statement. */
  protected dropAtOnce(pointer: Pointer, span: Span): void {
    this.invalidate('release', pointer.target, span, 'dropped at once', (t) => this.endsWith(t, pointer.target));
    this.endCopies(pointer, span, 'the end of the statement');
    this.noteReleased(pointer, span, 'from_raw');
  }

  /** Rust: what the function took over from its caller and drops on every way, for callers. */
  protected noteReleased(pointer: Pointer, span: Span, how: string): void {
    const { root } = pointer.target;
    if (!this.rust || root.kind !== 'param' || this.frames.length > 0) return;
    const taken = this.adoptions.get([...this.adoptions.keys()].find((k) => k.startsWith(`${pointer.id}|`)) ?? '');
    if (taken?.isCopy === true || !this.fn.body || !isAlwaysRun(this.fn.body, span, root.name)) return;
    this.releases.set(`${placeKey(pointer.target)}|${span.start}`, {
      place: pointer.target,
      span,
      how: taken?.how ?? how,
    });
  }

  /** Rust: the function is left here: variables end, and what was taken over from what is only lent stays taken. */
  private endTaken(span: Span): void {
    for (const adoptions of this.state.taken.values()) {
      const root = adoptions[0]?.pointer.target.root;
      if (root && root.kind !== 'temp') this.endOwner(root, span);
    }
  }

  /** The variable ends: what it owns is released. */
  protected drop(root: Root, span: Span, how: string): void {
    if (this.state.moved.has(root.id)) return;
    this.endOwner(root, span);
    const stored = this.state.read({ root, path: [] });
    // A guard unlocks at its end, and the lock must still be there.
    for (const guard of stored?.pointers.filter((p) => p.form === 'guard') ?? [])
      this.use({ places: NONE, pointers: [guard] }, root.span, 'method', `the end of '${root.name}'`);
    for (const guard of stored?.pointers ?? []) this.endGuard(guard, span, how);
    for (const pointer of stored?.adopts ?? []) {
      if (!this.twice.has(pointer.id))
        this.use({ places: NONE, pointers: [pointer] }, root.span, 'release', `the end of '${root.name}'`);
      this.invalidate('release', pointer.target, span, how, (target) => this.endsWith(target, pointer.target));
      this.endCopies(pointer, span, `the end of '${root.name}'`);
      this.noteReleased(pointer, span, 'from_raw');
    }
    this.invalidate('drop', { root, path: [] }, span, how, this.endsWithRoot(root));
  }

  /** D: the variables of a scope end with it; what follows may take their place on the stack. */
  protected endScope(roots: readonly Root[], span: Span): void {
    if (!this.state.alive) return;
    for (const root of roots)
      if (root.byValue && root.declared !== 'static' && this.pointers.some((p) => p.target.root === root))
        this.invalidate(
          'drop',
          { root, path: [] },
          span,
          `end of the scope of '${root.name}'`,
          (target) => target.root === root && !target.path.includes('*'),
        );
  }

  /** Whether what is at the target ends with the variable: its own storage, and what was moved into it from another one. */
  protected endsWithRoot(root: Root, withDrop = true): (target: Place) => boolean {
    // What was moved into this variable from another one ends here too, unless it was the other's own storage.
    const moved = this.movedInto(root);
    return (target) =>
      target.root.id === root.id
        ? !target.path.includes('*') ||
          (withDrop && isReleasedByDrop(target, this.settings.oracle, this.file.path, this.settings.depth))
        : moved.has(target.root.id) && !target.path.includes('*') && !this.isInline(target);
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

  /** The temporaries made since there were `from` of them end. */
  protected dropTemps(from: number, span: Span): void {
    while (this.temps.length > from) {
      const temp = this.temps.pop();
      if (temp && this.rust) this.drop(temp, { start: span.end, end: span.end }, 'end of the statement');
      else if (temp) this.endShown(temp, { start: span.end, end: span.end });
    }
  }

  /** D: what a helper shows of a struct that a call made is gone with the statement; the address of a value is not taken by itself. */
  private endShown(temp: Root, span: Span): void {
    const place: Place = { root: temp, path: [] };
    for (const pointer of this.pointers)
      if (pointer.target.root === temp && pointer.form === 'raw' && pointer.how.endsWith('()'))
        this.state.addInvalid(pointer.id, { kind: 'drop', place, span, how: 'end of the statement' });
  }

  /** D: whether the place is in the variable's own storage on the stack. */
  protected isInFrame({ root, path }: Place): boolean {
    if (!root.byValue || root.declared === 'static' || (root.kind !== 'local' && root.kind !== 'param')) return false;
    return path.every(
      (segment, at) => segment !== '*' && !this.isReferenceType(this.typeAt({ root, path: path.slice(0, at) })),
    );
  }

  /** D: what a slice of the frame is cut into. Of other memory only the lazy ones are followed, as views of the whole. */
  protected partsOf(value: Value, name: string, span: Span): Value {
    if (isParts(value)) return value;
    const given = this.asSlice(value, span);
    const pointers = given.pointers.filter((p) => p.form === 'slice' && this.isInFrame(p.target));
    if (pointers.length > 0) return { places: NONE, pointers, type: syntheticType(PARTS, span) };
    return name === 'splitter' || name === 'findSplit' ? value : NOTHING;
  }

  /** Records that `value` leaves through a return of the innermost function or closure. */
  protected leave(given: Value, span: Span): void {
    const inner = this.returnStack.at(-1)?.functionId;
    const returning = this.functions.get(inner ?? -1);
    const byRef =
      given.places.length > 0 &&
      returning?.returnsRef === true &&
      !(isAutoRef(returning) && given.places.every((p) => this.isInFrame(p)));
    // D: `ref T f() { return a[i]; }` hands out the element's address.
    const wanted = this.functions.get(inner ?? -1) ?? (inner === this.fn.id ? this.fn : undefined);
    const value: Value = byRef
      ? {
          places: NONE,
          pointers: given.places.flatMap((p) => {
            // `return *p;` hands on what `p` points to, made where `p` was made.
            const through =
              given.via?.filter((v) => p.root.kind === 'local' && placeKey(v.target) === placeKey(p)) ?? [];
            return through.length > 0 ? through : [this.borrow(p, 'reference', false, span, 'ref return')];
          }),
          ...optionalType(given.type),
        }
      : this.coerce(this.withoutHanded(given, wanted), wanted?.returnsRef === true ? undefined : wanted?.returns);
    if (this.rust && inner === this.fn.id) this.leaveBehind(span);
    const held = (this.rust ? inner === this.fn.id : !byRef) ? this.withHeld(value) : value;
    const leaving = byRef ? held : this.withoutHanded(held, wanted);
    if (!this.rust && !byRef && inner === this.fn.id)
      for (const { root, path } of given.places)
        if (root.kind === 'param' && root.index !== undefined && path.length === 0 && root.type?.kind === 'slice')
          this.passed.add(root.index);
    if (!this.rust && !byRef && inner === this.fn.id) this.notePassedInside(given);
    if (!this.rust && !byRef && inner === this.fn.id)
      for (const place of given.places)
        if ((place.root.kind === 'self' || place.root.kind === 'param') && place.path.length > 0)
          this.shown.set(placeKey(place), place);
    this.use(leaving, span, 'return', 'return');
    this.escape(leaving, 'return', span);
    const returns = this.returnStack.at(-1);
    returns?.values.push(value);
    for (const { id } of value.pointers)
      returns?.stale.set(id, [...(returns.stale.get(id) ?? []), ...(this.state.invalid.get(id) ?? [])]);
    if (value.places.length > 0 && isWhole(value)) this.moveOut(value);
    if (this.rust && inner === this.fn.id) this.endTaken(span);
  }

  /** D: `auto c = scoped!C(); return c;` where the type is inferred returns what holds the object, with the object in it. */
  private withoutHanded(value: Value, returning: FunctionIr | undefined): Value {
    const { returns } = returning ?? {};
    if (this.rust || returning === undefined || (returns !== undefined && returns.kind !== 'unknown')) return value;
    const isHolder = ({ how, target }: Pointer): boolean =>
      how === 'scoped' &&
      value.places.some(
        ({ root, path }) =>
          path.length === 0 && root.name === target.root.name && root.span.start === target.root.span.start,
      );
    return { ...value, pointers: value.pointers.filter((one) => !isHolder(one)) };
  }

  /** D: pointers that the function was given and returns inside of a struct that it makes. */
  private notePassedInside({ places }: Value): void {
    for (const place of places) {
      if (!place.root.byValue || (place.root.kind !== 'local' && place.root.kind !== 'temp')) continue;
      for (const [, { pointers }] of this.state.below(place))
        for (const { how, target } of pointers)
          if (how === 'declared' && target.root.kind === 'param' && target.root.index !== undefined)
            if (target.path.length === 1) this.passed.add(target.root.index);
    }
  }

  /** Rust: pointers that fields, globals and out-parameters still hold when the function ends. */
  protected leaveBehind(span: Span): void {
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
          locks: NONE,
          invalidations: [...(this.state.invalid.get(pointer.id) ?? [])],
          ownerMoved: this.state.moved.has(pointer.target.root.id) && !this.isInline(pointer.target),
          context: this.context(),
        });
      }
    }
  }

  /** The value's pointers go where they may outlive this walk: a return, a store, a collection, a callee. */
  protected escape(
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

  /** Rust: variables whose whole value is taken no longer own anything. */
  protected moveOut(value: Value): void {
    if (!this.rust) return;
    for (const place of value.places) {
      if (place.path.length > 0 || place.root.kind === 'self' || place.root.kind === 'global') continue;
      if (place.root.type?.kind === 'reference' || place.root.type?.kind === 'pointer') continue;
      this.state.moved.add(place.root.id);
    }
  }

  /** Rust: a guard that no variable holds ends with the statement that took it, and with it the critical section. */
  protected dropGuards(span: Span): void {
    if (!this.rust) return;
    const guards = this.pointers.filter(
      (p) => p.form === 'guard' && this.fresh.has(p.id) && /lock|read|write/u.test(p.how),
    );
    if (guards.length === 0) return;
    const live = this.state.livePointers();
    for (const guard of guards)
      if (!live.has(guard.id)) this.endGuard(guard, { start: span.end, end: span.end }, 'end of the statement');
  }

  /** Rust: the lock of a guard is given back: what was reached under it and the compiler does not follow is no longer protected. */
  protected endGuard(guard: Pointer, span: Span, how: string): void {
    if (!this.rust || guard.form !== 'guard' || /borrow/u.test(guard.how)) return;
    for (const pointer of this.pointers)
      if (
        (pointer.form === 'raw' || pointer.erased) &&
        pointer.form !== 'guard' &&
        pointer.locks.some((l) => l.span.start === guard.site.start)
      )
        this.state.addInvalid(pointer.id, { kind: 'unlock', place: pointer.target, span, how });
  }

  /** The function gives up control here; whatever is live is live across it. */
  protected suspend(span: Span): void {
    this.suspensions.set(span.start, span);
    this.state.suspended.push(span);
    const place: Place = {
      root: this.makeRoot({ kind: 'unknown', name: 'await', span, byValue: false, declared: 'implicit' }),
      path: [],
    };
    this.invalidate('suspend', place, span, 'await', () => true);
  }

  /** D: what an array holds after `a ~= v`: pointers and slices as they are, but of a slice of the same elements only copies. */
  protected keptByAppending(value: Value, array: TypeRef | undefined): readonly Pointer[] {
    const element = this.rust ? undefined : elementType(array);
    if (!element) return [];
    return value.pointers.filter((p) =>
      p.form === 'slice'
        ? keepsSliceOf(element, this.typeAt(p.target))
        : p.form === 'raw' && element.kind === 'pointer',
    );
  }

  /** D: what was below the old value of a place is not below the new one; who else points there still does. */
  protected renew(place: Place): void {
    const stale = this.pointers.filter(
      (p) => p.how === 'declared' && isWithin(p.target, place) && this.state.invalid.has(p.id),
    );
    if (stale.length === 0) return;
    const live = this.state.livePointers();
    for (const { id } of stale) if (!live.has(id)) this.state.invalid.delete(id);
  }

  /** Parameters that are kept in `into`, for callers. */
  protected noteStores(value: Value, into: Place, span: Span): void {
    for (const pointer of value.pointers) {
      const { root, path } = pointer.target;
      // What a pointer field of the parameter leads to is stored, not what the parameter itself shows.
      if (!this.rust && path.slice(0, -1).some((s) => s !== '*' && s !== '[]') && path.at(-1) === '*') continue;
      if (root.kind !== 'param' || root.index === undefined) continue;
      const isAddress =
        !this.rust &&
        !root.byValue &&
        pointer.how === '&' &&
        path.every((one, at) => one !== '*' && !this.isReferenceType(this.typeAt({ root, path: path.slice(0, at) })));
      // The address of a part is not that of the whole; which one it is does not matter to who ends first.
      this.stores.set(`${root.index}|${placeKey(into)}`, {
        param: root.index,
        into,
        span,
        ...(isAddress ? { isAddress } : {}),
      });
    }
    for (const place of value.places) {
      // D: what a field of the parameter holds is stored, not the parameter itself.
      if (!this.rust && place.path.length > 0) continue;
      if (place.root.kind === 'param' && place.root.index !== undefined)
        this.stores.set(`${place.root.index}|${placeKey(into)}`, { param: place.root.index, into, span });
    }
  }

  /** D: what is thrown of a parameter, for callers to know. */
  protected noteThrown({ places, pointers }: Value): void {
    for (const { root, path } of [...places, ...pointers.map((p) => p.target)])
      if (root.kind === 'param' && root.index !== undefined && !path.includes('*')) this.thrownParams.add(root.index);
  }

  /** The locks end: what was reached under them is no longer protected. */
  protected unlock(span: Span, which: (lock: LockScope) => boolean): void {
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

  /** Rust: an unread macro may bind the names anew, as `scope!(let scope, isolate)` does: what they hold is not known. */
  protected forgetNamed(names: readonly string[]): void {
    for (const name of names) {
      const root = this.lookup(name);
      if (!root || root.kind === 'self') continue;
      this.state.write({ root, path: [] }, { pointers: NONE });
      this.state.moved.add(root.id);
    }
  }

  /** On this path the variables are null: they point nowhere. */
  protected makeNull(names: readonly string[]): void {
    this.setNull(this.variables(names));
  }

  /** The variables in scope that have these names. */
  protected variables(names: readonly string[]): readonly Root[] {
    return names.flatMap((name) => this.lookup(name) ?? []);
  }

  /** D: a helper may have set the place anew: what was released before is no longer known to be in it. */
  protected forgetReleased(place: Place): void {
    const held = this.state.read(place);
    const left = held?.pointers.filter((p) => !this.state.invalid.get(p.id)?.some((i) => i.kind === 'release'));
    if (held && left && left.length < held.pointers.length) this.state.write(place, { ...held, pointers: left });
    this.renew(place);
  }

  /** D: what was destroyed there is an object again. */
  protected refill({ places, pointers }: Value): void {
    for (const { id } of pointers) {
      const left = this.state.invalid.get(id)?.filter((i) => i.how !== 'destroy');
      if (left) this.state.invalid.set(id, left);
    }
    for (const place of places) this.forgetReleased(place);
  }

  /** On this path the call at `span` has grown nothing. */
  protected undoGrowth(span: Span): void {
    for (const [id, list] of this.state.invalid) {
      const left = list.filter((i) => !(i.kind === 'grow' && i.through !== undefined && i.span.start === span.start));
      if (left.length < list.length) this.state.invalid.set(id, left);
    }
  }

  /** On this path the variables are null: they point nowhere. */
  protected setNull(roots: readonly Root[]): void {
    for (const root of roots) {
      // A reallocation that failed has released nothing.
      for (const made of this.state.read({ root, path: [] })?.pointers ?? [])
        for (const [id, list] of this.state.invalid) {
          const left = list.filter((i) => i.kind !== 'release' || i.span.start !== made.site.start);
          if (left.length < list.length) this.state.invalid.set(id, left);
        }
      this.state.write({ root, path: [] }, { pointers: NONE, ...optionalType(root.type) });
    }
  }

  /** Rust: a pointer variable whose address an unknown function is given may lead anywhere afterwards. */
  protected overwriteOut(values: readonly Value[]): void {
    for (const { target, how } of values.flatMap((v) => v.pointers))
      if (/^(?:&mut|addr_of!)$/u.test(how) && this.isPointerType(this.state.read(target)?.type ?? this.typeAt(target)))
        this.state.write(target, { pointers: NONE, ...optionalType(this.typeAt(target)) });
  }

  /** A new owner takes over what the pointers lead to. */
  protected adopt(
    pointers: readonly Pointer[],
    rawType: string,
    how: string,
    span: Span,
    content?: TypeRef,
    through?: string,
  ): void {
    const isKept = content?.kind === 'path' && /^(?:ManuallyDrop|MaybeUninit)$/u.test(content.name);
    for (const pointer of pointers) {
      if (isKept) this.state.settle(pointer.target, true);
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
      this.noteSecondOwner(adoption);
      if (this.rust && pointer.form === 'raw' && this.isStillOwned(pointer)) this.noteTaken(adoption);
    }
  }

  /** Rust: the block was taken over before, and nothing gave it back to the raw pointer: it is freed twice. */
  private noteSecondOwner(adoption: Adoption): void {
    if (!this.rust) return;
    const { pointer, span, how } = adoption;
    const first = this.state.adopted.get(pointer.id);
    this.state.adopted.set(pointer.id, adoption);
    if (!first || first.span.start === span.start || /^(?:Rc|Arc|Weak)$/u.test(adoption.rawType)) return;
    if ((this.state.invalid.get(pointer.id) ?? []).some((i) => i.kind === 'release')) return;
    const invalidation: Invalidation = { kind: 'release', place: pointer.target, span: first.span, how: first.how };
    this.twice.add(pointer.id);
    const key = `${pointer.id}|twice|${span.start}`;
    if (!this.stale.has(key))
      this.stale.set(key, {
        pointer,
        invalidation,
        use: { span, kind: 'release', what: how },
        context: this.context(),
      });
  }

  private noteTaken(adoption: Adoption): void {
    const { id } = adoption.pointer.target.root;
    this.state.taken.set(id, [...(this.state.taken.get(id) ?? []), adoption]);
  }

  /**
   * Rust: `ptr::read(&value)`: a second owner of what the value owns; the first one drops it, too, unless it is forgotten or written
   * anew. Returns the pointers whose content the copy drops.
   */
  protected duplicate(pointers: readonly Pointer[], how: string, span: Span): readonly Pointer[] {
    return pointers.filter((pointer) => {
      const { root, path } = pointer.target;
      const type = this.typeAt(pointer.target);
      if (
        pointer.form === 'closure' ||
        (root.kind !== 'local' && root.kind !== 'param' && root.kind !== 'temp' && root.kind !== 'self') ||
        (path.includes('[]') && !(path.length === 1 && isContainer(root.type))) ||
        // What is behind a reference is written anew in most cases; what is behind a pointer may be released as a whole.
        !(path.includes('*') ? this.isBehindPointer(pointer.target) : root.byValue) ||
        !isDropped(type, this.settings.oracle, this.file, this.fn) ||
        !isDroppedWith(pointer.target, this.settings.oracle, this.file.path)
      )
        return false;
      this.noteTaken({ pointer, rawType: type?.name ?? '', how, span, isCopy: true, context: this.context() });
      return true;
    });
  }

  /** Whether the way to the place leads through raw pointers, and no reference. */
  private isBehindPointer({ root, path }: Place): boolean {
    return path.every(
      (segment, at) => segment !== '*' || this.isPointerType(this.typeAt({ root, path: path.slice(0, at) })),
    );
  }

  /** Whether somebody else frees what the pointer leads to: a variable of the function, or the caller that lent it. */
  private isStillOwned({ target: { root, path }, how }: Pointer): boolean {
    if (path.length === 1 && path[0] === '[]' && this.freesBlock(root)) return true;
    if (this.fn.isUnsafe || this.fn.abi !== undefined || this.frames.length > 0) return false;
    const { type } = root;
    if (root.kind === 'self' && !root.byValue)
      return path.length === 2 && path[1] === '[]' && ownsItsBlock(this.typeAt({ root, path: path.slice(0, 1) }));
    if (root.kind !== 'param' || type?.kind !== 'reference' || type.lifetime === "'static") return false;
    if (path.length === 2) return path[0] === '*' && path[1] === '[]' && ownsItsBlock(type.element);
    if (path.length !== 1) return false;
    return path[0] === '[]' ? ownsItsBlock(type.element) : how === 'declared' && path[0] === '*';
  }

  /** Whether the variable owns a block that it frees at its end. A count that was raised before may be taken apart twice. */
  private freesBlock(root: Root): boolean {
    if ((root.kind !== 'local' && root.kind !== 'param') || !root.byValue || root.type?.kind !== 'path') return false;
    if (!ownsBlock(root.type) || this.state.moved.has(root.id)) return false;
    if (root.type.name !== 'Rc' && root.type.name !== 'Arc') return true;
    return ![...this.calls.values()].some((c) => c.callee.endsWith('increment_strong_count'));
  }

  /** What was taken over goes back to the raw pointer: its owner frees it alone. */
  protected giveBack(adopts: readonly Pointer[]): void {
    for (const pointer of adopts) {
      this.state.adopted.delete(pointer.id);
      const { id } = pointer.target.root;
      const left = this.state.taken.get(id)?.filter((a) => a.pointer !== pointer);
      if (left) this.state.taken.set(id, left);
    }
  }

  /** Whether the element that the pointer showed was dropped in place, its block being as good as before. */
  protected isElementGone(pointer: Pointer): boolean {
    return (this.state.invalid.get(pointer.id) ?? []).some(isDropInPlace);
  }

  /** A pointer to another element of the block: what ended the block ended it too, what ended one element did not. */
  protected nextElement(pointer: Pointer, span: Span): Pointer {
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

  /** A helper reads what the place leads to: a use of every pointer of unknown origin to it that was released. */
  protected useBehind(target: Place, span: Span, name: string): void {
    for (const [id, invalidations] of this.state.invalid) {
      if (!invalidations.some((i) => i.kind === 'release')) continue;
      const pointer = this.pointers[id - 1];
      if (pointer?.how === 'declared' && placeKey(pointer.target) === placeKey(target))
        this.use({ places: NONE, pointers: [pointer] }, span, 'argument', `${name}()`);
    }
  }

  /** D: with which result the function ends when it has grown something, if it ends with the other one in every other case. */
  private growsWhen(): { growsWhen?: boolean } {
    if (this.rust || !this.fn.body || this.fn.returns?.name !== 'bool' || this.growths.size === 0) return {};
    const first = Math.min(...[...this.growths.values()].map((g) => g.span.start));
    const before = new Set<string>();
    const after = new Set<string>();
    walkBody(this.fn.body, ({ expr, around }) => {
      if (expr.kind !== 'return') return;
      // Another round of a loop comes to the `return` after the growth.
      const isBefore =
        expr.span.start < first && !around.some((e) => e.kind === 'loop' && e.span.start < first && first < e.span.end);
      (isBefore ? before : after).add(expr.value?.kind === 'literal' ? expr.value.text : '?');
    });
    const [result] = after;
    if (after.size !== 1 || (result !== 'true' && result !== 'false') || before.has(result) || before.has('?'))
      return {};
    return { growsWhen: result === 'true' };
  }

  /** What callers have to know of the function. */
  protected summary(): Summary {
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
      ...this.growsWhen(),
      releases: [...this.releases.values()],
      uses: [...this.uses.values()].filter(
        (u) => !this.fn.body || !dependsOnAnotherField(this.fn.body, u.span, u.place.path[0] ?? ''),
      ),
      passes: [...this.passed],
      shows: [...this.shown.values()],
      sets: this.rust
        ? []
        : [...this.accesses.values()]
            .filter((a) => a.kind === 'write' && a.what === '=' && a.place.path.length > 0 && visible(a.place))
            .map((a) => a.place),
      stores: [...this.stores.values()],
      throws: [...this.thrownParams],
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

function isDropInPlace({ kind, how }: Invalidation): boolean {
  return kind === 'release' && /(?:^|::)drop_in_place$/u.test(how);
}

/** D: `auto ref` is by value where what is returned would end with the function. */
function isAutoRef({ attributes }: FunctionIr): boolean {
  const auto = attributes.findIndex((a) => a.name === 'auto');
  return auto >= 0 && auto < attributes.findIndex((a) => a.name === 'ref');
}
