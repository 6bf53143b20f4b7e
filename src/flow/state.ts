import { SharedMap, SharedSet } from './shared-copies.js';
import { isWithin, placeKey, type Place, type Root } from './place.js';
import type { Adoption, Invalidation, LockScope, Pointer } from './result.js';
import type { TypeRef } from '../model/ir.js';
import { NONE } from '../model/lists.js';
import type { Span } from '../model/source.js';

export interface Stored {
  readonly pointers: readonly Pointer[];
  readonly type?: TypeRef;
  readonly adopts?: readonly Pointer[];
  readonly closure?: number;
  readonly literal?: string;
  /** D: the array that a copied slice is another name for. */
  readonly alias?: Place;
}

/** A value that was dropped in place by hand (`ManuallyDrop::drop`). */
export interface Dropped {
  readonly pointer: Pointer;
  readonly invalidation: Invalidation;
  /** It was moved out instead: it lives on in what took it. */
  readonly isTaken: boolean;
  /** Counts only where every way has done it: a flag beside the value often says whether it is there. */
  readonly isSure?: boolean;
  /** The walk of a loop body in which it happened; 0 outside of loops. */
  readonly round: number;
}

/**
 * How many events of a kind are kept for a pointer. The first ones are what is reported; a body of thousands of statements
 * would keep the square of them otherwise.
 */
const mostAlike = 50;

/** What is known at one point of a function. Cloned at branches, joined by union after them. */
export class State {
  alive = true;
  private readonly values: SharedMap<string, { readonly place: Place; readonly stored: Stored }>;
  /** Ids of the roots inside of which something was ever stored, in this state or another one of the function: one set for all of them. */
  private readonly nested: Set<number>;
  /** Pointer id -> what happened to its target since it was made. */
  readonly invalid: SharedMap<number, readonly Invalidation[]>;
  /** Roots whose value was moved away or forgotten: they are not dropped here. */
  readonly moved: SharedSet<number>;
  /** Root id -> takeovers of memory that the variable still owns. */
  readonly taken: SharedMap<number, readonly Adoption[]>;
  /** Pointer id -> the takeover of what it leads to that nothing gave back. */
  readonly adopted: SharedMap<number, Adoption>;
  /** Places whose value was dropped by hand, by their keys. */
  readonly dropped: SharedMap<string, Dropped>;
  /** D: what has grown and callers know, by the keys of the places. */
  readonly grown: SharedMap<string, { readonly place: Place; readonly how: string }>;
  locks: LockScope[];
  suspended: Span[];

  /** An empty one, or a copy. */
  constructor(from?: State) {
    this.values = new SharedMap(from?.values);
    this.nested = from ? from.nested : new Set();
    this.invalid = new SharedMap(from?.invalid);
    this.moved = new SharedSet(from?.moved);
    this.taken = new SharedMap(from?.taken);
    this.adopted = new SharedMap(from?.adopted);
    this.dropped = new SharedMap(from?.dropped);
    this.grown = new SharedMap(from?.grown);
    this.locks = from ? [...from.locks] : [];
    this.suspended = from ? [...from.suspended] : [];
  }

  clone(): State {
    const copy = new State(this);
    copy.alive = this.alive;
    return copy;
  }

  dead(): State {
    const copy = this.clone();
    copy.alive = false;
    return copy;
  }

  revived(): State {
    const copy = this.clone();
    copy.alive = true;
    return copy;
  }

  read(place: Place): Stored | undefined {
    return this.values.get(placeKey(place))?.stored;
  }

  /** `weak` keeps what was there as well (an element of an array, one of several places). */
  write(place: Place, stored: Stored, weak = false): void {
    const key = placeKey(place);
    const old = weak ? this.values.get(key)?.stored : undefined;
    if (!weak && this.nested.has(place.root.id)) {
      const inside = `${key}.`;
      for (const [k, v] of this.values)
        if (v.place.root.id === place.root.id && k.startsWith(inside) && isWithin(v.place, place))
          this.values.delete(k);
    }
    if (!weak) this.renew(place);
    if (place.path.length > 0) this.nested.add(place.root.id);
    this.values.set(key, { place, stored: old ? joinStored(old, stored) : stored });
  }

  /** Another description of the value that the place holds already. */
  replace(place: Place, stored: Stored): void {
    if (place.path.length > 0) this.nested.add(place.root.id);
    this.values.set(placeKey(place), { place, stored });
  }

  /** What was taken over from the place, or only what was copied bit by bit, is no longer what the place owns. */
  settle(place: Place, onlyCopies = false): void {
    const left = this.taken
      .get(place.root.id)
      ?.filter((a) => !isWithin(a.pointer.target, place) || (onlyCopies && a.isCopy !== true));
    if (left) this.taken.set(place.root.id, left);
  }

  /** The place holds another value now. */
  renew(place: Place): void {
    for (const [key, { pointer }] of this.dropped) if (isWithin(pointer.target, place)) this.dropped.delete(key);
  }

  /** Whether all places hold what they hold in the other one, as far as can be told at once. */
  holdsAsIn(other: State): boolean {
    return this.values.isCopyOf(other.values);
  }

  /** Every place that holds something known. */
  entries(): readonly { readonly place: Place; readonly stored: Stored }[] {
    return [...this.values.values()];
  }

  /** How many places hold something known. */
  get size(): number {
    return this.values.size;
  }

  /** Forgets what is stored in variables and blocks that are not `kept` and that nothing stored elsewhere leads to. */
  sweep(kept: (root: Root) => boolean): void {
    const byRoot = new Map<number, Stored[]>();
    const seen = new Set<number>();
    const next: Stored[] = [];
    for (const { place, stored } of this.values.values()) {
      if (kept(place.root)) {
        seen.add(place.root.id);
        next.push(stored);
        continue;
      }
      const held = byRoot.get(place.root.id);
      if (held) held.push(stored);
      else byRoot.set(place.root.id, [stored]);
    }
    for (let one = next.pop(); one !== undefined; one = next.pop())
      for (const { root } of [...one.pointers.map((p) => p.target), ...(one.alias ? [one.alias] : [])]) {
        if (seen.has(root.id)) continue;
        seen.add(root.id);
        next.push(...(byRoot.get(root.id) ?? []));
      }
    for (const [key, { place }] of this.values) if (!seen.has(place.root.id)) this.values.delete(key);
  }

  /** Values stored inside a place, with the path from it. */
  below(place: Place): [readonly string[], Stored][] {
    const found: [readonly string[], Stored][] = [];
    if (!this.nested.has(place.root.id)) return found;
    for (const v of this.values.values()) {
      if (v.place.path.length > place.path.length && isWithin(v.place, place))
        found.push([v.place.path.slice(place.path.length), v.stored]);
    }
    return found;
  }

  /** A new variable of the same declaration starts empty. */
  forget(root: Root): void {
    const key = String(root.id);
    this.values.delete(key);
    if (this.nested.has(root.id))
      for (const k of [...this.values.keys()]) if (k.startsWith(`${key}.`)) this.values.delete(k);
    this.moved.delete(root.id);
    this.taken.delete(root.id);
    this.renew({ root, path: [] });
  }

  /** D: an array of an earlier round of the loop has a block of its own: what shows it shows nothing of the new one. */
  leaveBlocks(root: Root): void {
    const isOld = ({ target }: Pointer): boolean => target.root === root && target.path[0] === '[]';
    for (const [key, { place, stored }] of this.values)
      if (stored.pointers.some(isOld))
        this.values.set(key, { place, stored: { ...stored, pointers: stored.pointers.filter((p) => !isOld(p)) } });
  }

  /** D: the array at the place is emptied or another one from here on: copied slices of it are no longer other names for it. */
  leaveAliases(place: Place): void {
    const key = placeKey(place);
    for (const [at, { place: holder, stored }] of this.values) {
      if (stored.alias === undefined || placeKey(stored.alias) !== key) continue;
      const { alias: _, ...rest } = stored;
      this.values.set(at, { place: holder, stored: rest });
    }
  }

  /** Ids of the pointers that some variable or field holds. */
  livePointers(): Set<number> {
    const ids = new Set<number>();
    for (const { stored } of this.values.values()) {
      for (const p of stored.pointers) ids.add(p.id);
      for (const p of stored.adopts ?? []) ids.add(p.id);
    }
    return ids;
  }

  addInvalid(pointer: number, invalidation: Invalidation): void {
    const list = this.invalid.get(pointer) ?? [];
    let alike = 0;
    for (const { kind, span } of list) {
      if (kind !== invalidation.kind) continue;
      if (span.start === invalidation.span.start) return;
      alike++;
    }
    if (alike < mostAlike) this.invalid.set(pointer, [...list, invalidation]);
  }

  /** What has become invalid since `before` was copied counts for nothing; what was made anew since stays so. */
  forgetInvalid(before: State['invalid']): void {
    for (const [id, list] of this.invalid) {
      const left = list.filter((one) => before.get(id)?.includes(one) === true);
      if (left.length > 0) this.invalid.set(id, left);
      else this.invalid.delete(id);
    }
  }

  /** Adds what the other one knows. */
  private merge(other: State): void {
    this.alive ||= other.alive;
    if (other.nested !== this.nested) for (const id of other.nested) this.nested.add(id);
    if (!other.values.isCopyOf(this.values)) this.mergeValues(other.values);
    if (!other.invalid.isCopyOf(this.invalid))
      for (const [id, list] of other.invalid)
        if (list !== this.invalid.get(id)) for (const i of list) this.addInvalid(id, i);
    if (!other.moved.isCopyOf(this.moved)) for (const id of other.moved) this.moved.add(id);
    mergeInto(this.dropped, other.dropped);
    mergeInto(this.grown, other.grown);
    mergeInto(this.adopted, other.adopted);
    if (!other.taken.isCopyOf(this.taken))
      for (const [id, list] of other.taken) this.taken.set(id, [...new Set([...(this.taken.get(id) ?? []), ...list])]);
    if (other.locks.length < this.locks.length) this.locks = [...other.locks];
    for (const s of other.suspended) if (!this.suspended.some((t) => t.start === s.start)) this.suspended.push(s);
  }

  private mergeValues(values: State['values']): void {
    for (const [key, entry] of values) {
      const mine = this.values.get(key);
      if (mine === entry) continue;
      const isOther = mine !== undefined && mine.stored !== entry.stored;
      this.values.set(key, isOther ? { place: mine.place, stored: joinStored(mine.stored, entry.stored) } : entry);
    }
  }

  static join(states: readonly State[]): State {
    const [first, ...rest] = states;
    const result = (first ?? new State()).clone();
    for (const other of rest) result.merge(other);
    for (const [key, { isSure }] of result.dropped)
      if (isSure === true && states.some((s) => s.alive && !s.dropped.has(key))) result.dropped.delete(key);
    return result;
  }
}

function mergeInto<K, V>(mine: SharedMap<K, V>, others: SharedMap<K, V>): void {
  if (others.isCopyOf(mine)) return;
  for (const [key, one] of others) mine.set(key, one);
}

function joinStored(a: Stored, b: Stored): Stored {
  const pointers = a.pointers === b.pointers ? a.pointers : joinPointers(a.pointers, b.pointers);
  const adopts = joinPointers(a.adopts ?? NONE, b.adopts ?? NONE);
  const type = a.type ?? b.type;
  const closure = a.closure ?? b.closure;
  const isSameArray = a.alias !== undefined && b.alias !== undefined && placeKey(a.alias) === placeKey(b.alias);
  return {
    pointers,
    ...(type ? { type } : {}),
    ...(adopts.length > 0 ? { adopts } : {}),
    ...(closure !== undefined ? { closure } : {}),
    ...(a.literal !== undefined && a.literal === b.literal ? { literal: a.literal } : {}),
    ...(isSameArray ? { alias: a.alias } : {}),
  };
}

function joinPointers(a: readonly Pointer[], b: readonly Pointer[]): readonly Pointer[] {
  if (b.length === 0) return a;
  return [...new Map([...a, ...b].map((p) => [p.id, p])).values()];
}
