import { isWithin, placeKey, type Place, type Root } from './place.js';
import type { Adoption, Invalidation, LockScope, Pointer } from './result.js';
import type { TypeRef } from '../model/ir.js';
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
  private values = new Map<string, { readonly place: Place; readonly stored: Stored }>();
  /** Ids of the roots inside of which something was ever stored, in this state or another one of the function: one set for all of them. */
  private nested = new Set<number>();
  /** Pointer id -> what happened to its target since it was made. */
  invalid = new Map<number, readonly Invalidation[]>();
  /** Roots whose value was moved away or forgotten: they are not dropped here. */
  moved = new Set<number>();
  /** Root id -> takeovers of memory that the variable still owns. */
  taken = new Map<number, readonly Adoption[]>();
  /** Pointer id -> the takeover of what it leads to that nothing gave back. */
  adopted = new Map<number, Adoption>();
  /** Places whose value was dropped by hand, by their keys. */
  dropped = new Map<string, Dropped>();
  /** D: what has grown and callers know, by the keys of the places. */
  grown = new Map<string, { readonly place: Place; readonly how: string }>();
  locks: LockScope[] = [];
  suspended: Span[] = [];

  clone(): State {
    const copy = new State();
    copy.alive = this.alive;
    copy.values = new Map(this.values);
    copy.nested = this.nested;
    copy.invalid = new Map(this.invalid);
    copy.moved = new Set(this.moved);
    copy.taken = new Map(this.taken);
    copy.dropped = new Map(this.dropped);
    copy.adopted = new Map(this.adopted);
    copy.grown = new Map(this.grown);
    copy.locks = [...this.locks];
    copy.suspended = [...this.suspended];
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
  forgetInvalid(before: ReadonlyMap<number, readonly Invalidation[]>): void {
    for (const [id, list] of this.invalid) {
      const left = list.filter((one) => before.get(id)?.includes(one) === true);
      if (left.length > 0) this.invalid.set(id, left);
      else this.invalid.delete(id);
    }
  }

  static join(states: readonly State[]): State {
    const [first, ...rest] = states;
    const result = (first ?? new State()).clone();
    for (const other of rest) {
      result.alive ||= other.alive;
      if (other.nested !== result.nested) for (const id of other.nested) result.nested.add(id);
      for (const [key, entry] of other.values) {
        const mine = result.values.get(key);
        result.values.set(
          key,
          mine && mine.stored !== entry.stored
            ? { place: mine.place, stored: joinStored(mine.stored, entry.stored) }
            : entry,
        );
      }
      for (const [id, list] of other.invalid)
        if (list !== result.invalid.get(id)) for (const i of list) result.addInvalid(id, i);
      for (const id of other.moved) result.moved.add(id);
      for (const [key, entry] of other.dropped) result.dropped.set(key, entry);
      for (const [key, one] of other.grown) result.grown.set(key, one);
      for (const [id, adoption] of other.adopted) result.adopted.set(id, adoption);
      for (const [id, list] of other.taken)
        result.taken.set(id, [...new Set([...(result.taken.get(id) ?? []), ...list])]);
      if (other.locks.length < result.locks.length) result.locks = [...other.locks];
      for (const s of other.suspended) if (!result.suspended.some((t) => t.start === s.start)) result.suspended.push(s);
    }
    for (const [key, { isSure }] of result.dropped)
      if (isSure === true && states.some((s) => s.alive && !s.dropped.has(key))) result.dropped.delete(key);
    return result;
  }
}

function joinStored(a: Stored, b: Stored): Stored {
  const pointers = [...new Map([...a.pointers, ...b.pointers].map((p) => [p.id, p])).values()];
  const adopts = [...new Map([...(a.adopts ?? []), ...(b.adopts ?? [])].map((p) => [p.id, p])).values()];
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
