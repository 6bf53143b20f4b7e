import { Memory } from './memory.js';
import type { ApiRow } from './api.js';
import { syntheticType } from './builtin-types.js';
import { extend, isElementOf, isWithin, leadingMember, type Place, placeKey, type Root, samePlace } from './place.js';
import type {
  Access,
  CallSite,
  Growth,
  Invalidation,
  LockScope,
  Pointer,
  StaleUse,
  Summary,
  UseKind,
  Value,
} from './result.js';
import { elementType, keepsSliceOf } from './types.js';
import { isParts, NOTHING, optionalType, PARTS, uniquePointers } from './values.js';
import type { FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { copyOf, NONE } from '../model/lists.js';

/** Operations after which nobody can say what a container still holds. */
const EMPTIES: ReadonlySet<Growth['operation']> = new Set(['clear', 'remove', 'replace']);

/** What drops the content of a `MaybeUninit`. */
const SLOT = /^assume_init_drop$|(?:^|::)drop_in_place$/u;

/** Operations on an array that may give it another block. */
const MOVES_ALL: ReadonlySet<Growth['operation']> = new Set(['append', 'reserve', 'insert', 'resize']);

/** Operations on a container that may move its elements and drop none. */
const MOVES_ONLY: ReadonlySet<Growth['operation']> = new Set(['append', 'reserve', 'insert']);

/**
 * What happens to what the memory holds: it is used, it grows, it is locked and unlocked, it is set anew; and what of that is kept for
 * the rules and for callers.
 */
export abstract class Events extends Memory {
  protected readonly stale = new Map<string, StaleUse>();
  protected readonly growths = new Map<string, Growth>();
  protected readonly invalidations = new Map<string, Invalidation>();
  protected readonly calls = new Map<string, CallSite>();
  protected readonly uses = new Map<string, Summary['uses'][number]>();
  protected readonly accesses: Access[] = [];
  /** The same by where they start. */
  private readonly accessesAt = new Map<number, Access[]>();
  protected readonly suspensions = new Map<number, Span>();
  /** Where a member was set to something else, by its key: whether it was by a helper that was told how much room is needed. */
  private readonly renewals = new Map<string, Map<number, boolean>>();
  protected readonly late = new Map<string, Summary['late'][number]>();

  /** D: the method, or the class that it belongs to, is `synchronized`: the whole body holds the object's lock. */
  protected isSynchronized(fn: FunctionIr): boolean {
    if (this.rust || fn.owner === undefined) return false;
    const holder = this.settings.oracle.declaration(fn.owner, this.file.path);
    return [...fn.attributes, ...(holder?.kind === 'class' ? holder.attributes : [])].some(
      (a) => a.name === 'synchronized',
    );
  }

  /** D: a parameter by `ref`, or what a pointer leads to, is used: for callers to know, when something has grown before. */
  protected noteLate({ kind, index }: Root, span: Span): void {
    if (kind !== 'param' || index === undefined || this.frames.length > 0) return;
    for (const [key, { place, how }] of this.state.grown)
      if (!this.late.has(`${index}|${key}`))
        this.late.set(`${index}|${key}`, { param: index, grown: place, how, span });
  }

  /** The value's pointers are used: each that something made invalid is a stale use. */
  protected use(value: Value, span: Span, kind: UseKind, what: string): void {
    for (const pointer of value.pointers) {
      if (this.state.grown.size > 0 && pointer.how === 'declared' && pointer.target.path.length === 1)
        if (kind === 'deref' || kind === 'field' || kind === 'index') this.noteLate(pointer.target.root, span);
      if (this.rust && pointer.how === 'declared' && (kind === 'deref' || kind === 'argument'))
        this.noteUse(pointer, span);
      for (const invalidation of this.state.invalid.get(pointer.id) ?? []) {
        const key = `${pointer.id}|${invalidation.kind}|${invalidation.span.start}|${span.start}`;
        // `read(handle.as_ptr())`: the method only shows the pointer, and who is given it uses it, at the same place.
        if (!this.stale.has(key) || (kind === 'argument' && this.stale.get(key)?.use.what === '.as_ptr()'))
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
      const isSuspended = this.state.suspended.length > 0;
      const alike = this.accessesAt.get(span.start);
      if (alike?.some((a) => a.kind === kind && a.suspended.length > 0 === isSuspended && samePlace(a.place, place)))
        continue;
      const access: Access = {
        place,
        span,
        kind,
        what,
        suspended: copyOf(this.state.suspended),
        context: this.context(),
      };
      this.accesses.push(access);
      if (alike) alike.push(access);
      else this.accessesAt.set(span.start, [access]);
    }
  }

  /** A value is used that was dropped by hand, if that was not in another round of a loop, which may have taken another way. */
  protected useDropped(place: Place, span: Span, kind: Access['kind'], what: string): void {
    if (kind === 'borrow' || kind === 'write' || kind === 'move') return;
    for (const { pointer, invalidation, isTaken, round } of this.state.dropped.values()) {
      if (isTaken && kind !== 'release') continue;
      // A slot may be filled again, and its address is good whatever is in it.
      if (kind === 'method' && SLOT.test(pointer.how) && /^(?:write|as_ptr|as_mut_ptr|as_mut)$/u.test(what)) continue;
      if (!isWithin(place, pointer.target) || (round !== 0 && round !== this.round)) continue;
      const key = `${pointer.id}|dropped|${span.start}`;
      if (!this.stale.has(key))
        this.stale.set(key, { pointer, invalidation, use: { span, kind, what }, context: this.context() });
    }
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
    let live: ReadonlySet<number> | undefined;
    let hit = false;
    for (const pointer of this.pointers) {
      if (!touches(pointer.target) || except.includes(pointer)) continue;
      // Most that happens touches nothing.
      live ??= this.state.livePointers();
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
      if (operation === 'replace') {
        this.state.settle(place);
        this.noteRenewal(this.rust ? place : leadingMember(place), span);
      }
      const key = this.keyOf(place);
      if (this.rust && EMPTIES.has(operation)) this.state.write(extend(place, '[]'), { pointers: NONE });
      if (!this.rust && MOVES_ALL.has(operation) && this.isCallers(place))
        this.state.grown.set(placeKey(place), { place, how });
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
          ...(this.rust && via.some((p) => p.form === 'raw' || p.erased) ? { isUnchecked: true as const } : {}),
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

  /**
   * A helper gave the member that leads to `target` another block: variables that copied the pointer before still lead to the old one, and
   * the member does not.
   */
  protected moveBlock(target: Place, span: Span, how: string, through: string, isAsked: boolean): void {
    if (target.path.length < 2 || target.path.at(-1) !== '*') return;
    const member = placeKey({ root: target.root, path: target.path.slice(0, -1) });
    const renewals = this.renewals.get(member) ?? new Map<number, boolean>();
    this.renewals.set(member, renewals.set(span.start, isAsked));
    // `swap(this, other)` gives each member another value.
    const whole = this.renewals.get(placeKey({ root: target.root, path: [] })) ?? NONE;
    const settled = (copied: number): boolean => {
      for (const [at, was] of [...renewals, ...whole])
        if (at !== span.start && (at < copied ? was : at < span.start)) return true;
      return false;
    };
    for (const { place, stored } of this.state.entries()) {
      if (place.root.kind !== 'local' || place.path.length > 0 || stored.pointers.length !== 1) continue;
      const [held] = stored.pointers;
      if (!held || (held.form !== 'raw' && held.form !== 'slice') || !this.leadsTo(held.target, target)) continue;
      const copied = held.how === 'declared' ? place.root.span.start : held.site.start;
      // The member holds another block by now, as after a swap, or room was asked for before the pointer was copied.
      if (settled(copied)) continue;
      // What became invalid by the call is told already.
      if (held.form === 'raw' && this.state.invalid.get(held.id)?.some((i) => i.span.start === span.start) === true)
        continue;
      let old = held;
      if (held.how === 'declared') {
        const { form, erased, locks } = held;
        old = this.borrow(target, form, erased, place.root.span, 'a copy', undefined, locks);
        this.state.replace(place, { ...stored, pointers: [old] });
      }
      this.state.addInvalid(old.id, { kind: 'release', place: target, span, how, through, isRenewed: true });
    }
  }

  /** The member holds something else from here on. */
  protected noteRenewal(member: Place, { start: at }: Span): void {
    if (member.path.length === 0 && member.root.kind !== 'self') return;
    const key = placeKey(member);
    const known = this.renewals.get(key) ?? new Map<number, boolean>();
    if (!known.has(at)) this.renewals.set(key, known.set(at, false));
  }

  /** Whether the pointer leads to the block itself, or to an element of it. */
  private leadsTo(pointed: Place, block: Place): boolean {
    const rest = pointed.path.slice(block.path.length);
    return isWithin(pointed, block) && (rest.length === 0 || (rest.length === 1 && rest[0] === '[]'));
  }

  /** D: whether callers know the place, too. */
  private isCallers({ root }: Place): boolean {
    return root.kind === 'self' || root.kind === 'global' || (root.kind === 'param' && !root.byValue);
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

  /**
   * D: a function whose content is not known may set anew what it is given the address of (`lookup(&node, key)`), or takes by `ref` or
   * `out`.
   */
  protected setByCallee(values: readonly Value[], fn: FunctionIr | undefined): void {
    if (this.rust || this.state.invalid.size === 0) return;
    values.forEach(({ places, pointers }, i) => {
      for (const { target, how } of pointers) if (how === '&') this.forgetReleased(target);
      if (fn?.params[i]?.modifiers.some((m) => m === 'ref' || m === 'out') === true)
        for (const place of places) this.forgetReleased(place);
    });
  }

  /** D: the call at `span` took a node out of its list: members that led to it (`head.next`) lead to the next one. */
  protected forgetLinks({ start }: Span): void {
    for (const [id, list] of this.state.invalid) {
      const pointer = this.pointers[id - 1];
      if (pointer?.how !== 'declared' || pointer.target.path.length < 2) continue;
      if (!list.some((i) => i.kind === 'release' && i.span.start === start)) continue;
      const { root, path } = pointer.target;
      const link: Place = { root, path: path.slice(0, -1) };
      // A variable that was set to the node still leads to it.
      this.state.write(link, { pointers: NONE, ...optionalType(this.state.read(link)?.type) });
    }
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

  /** On this path the calls at `spans` have released nothing, or nothing of the pointers `only`. */
  protected undoReleases(spans: readonly Span[], only?: ReadonlySet<number>): void {
    for (const span of spans)
      for (const [id, list] of this.state.invalid) {
        if (only?.has(id) === false) continue;
        const left = list.filter((i) => i.kind !== 'release' || i.span.start !== span.start);
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

  /** A helper reads what the place leads to: a use of every pointer of unknown origin to it that was released. */
  protected useBehind(target: Place, span: Span, name: string): void {
    for (const [id, invalidations] of this.state.invalid) {
      if (!invalidations.some((i) => i.kind === 'release')) continue;
      const pointer = this.pointers[id - 1];
      if (pointer?.how === 'declared' && placeKey(pointer.target) === placeKey(target))
        this.use({ places: NONE, pointers: [pointer] }, span, 'argument', `${name}()`);
    }
  }
}
