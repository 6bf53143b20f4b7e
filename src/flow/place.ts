import type { TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/**
 * Where storage begins. `temp` is a temporary of one statement, `allocation` what an allocating call returned,
 * `captured` a variable of a function around this one, `return` what a call of unknown body returned.
 */
export interface Root {
  readonly id: number;
  readonly kind: 'local' | 'param' | 'self' | 'global' | 'temp' | 'allocation' | 'captured' | 'unknown';
  readonly name: string;
  /** Its declaration; for temporaries and allocations the expression. */
  readonly span: Span;
  readonly type?: TypeRef;
  /** Parameters and locals that hold the thing itself; false for `ref` parameters and by-reference `foreach` variables. */
  readonly byValue: boolean;
  /** Loop variables, catch variables and the like say how they were declared. */
  readonly declared: 'let' | 'param' | 'foreach' | 'pattern' | 'catch' | 'static' | 'call' | 'implicit';
  /** 0 for the function's own block, growing inwards; what a place outlives is decided by it. */
  readonly depth: number;
  /** How memory of an allocation was obtained; `stack` for a D object made by `scope x = new C`. */
  readonly storage?: 'heap' | 'gc' | 'malloc' | 'foreign' | 'js' | 'stack';
  /** Parameters: 0-based position. */
  readonly index?: number;
  /** The place whose content was bound or moved into this variable, when there was one. */
  readonly origin?: Place;
}

/** Field names, `[]` for an element of a container or slice, `*` for what a pointer of unknown origin points to. */
export type Segment = string;

export interface Place {
  readonly root: Root;
  readonly path: readonly Segment[];
}

export function placeKey(place: Place): string {
  return place.path.length === 0 ? String(place.root.id) : `${place.root.id}.${place.path.join('.')}`;
}

/** Whether the keys of the places are the same. */
export function samePlace(a: Place, b: Place): boolean {
  if (a.root.id !== b.root.id) return false;
  if (a.path.length === b.path.length && a.path.every((segment, i) => segment === b.path[i])) return true;
  // A segment may have a point in it (`Variant.0`).
  return a.path.length > 0 && b.path.length > 0 && a.path.join('.') === b.path.join('.');
}

export function extend(place: Place, ...segments: readonly Segment[]): Place {
  // Long chains come from recursive structures in loops; beyond this depth two places are the same for every rule.
  if (place.path.length >= 8) return place;
  return { root: place.root, path: [...place.path, ...segments] };
}

/** Whether `inner` is `outer` or lies inside it. */
export function isWithin(inner: Place, outer: Place): boolean {
  if (inner.root.id !== outer.root.id || inner.path.length < outer.path.length) return false;
  return outer.path.every((segment, i) => inner.path[i] === segment);
}

/** Whether `inner` lies in the elements that the container at `owner` holds, so that growth of the owner moves it. */
export function isElementOf(inner: Place, owner: Place): boolean {
  return isWithin(inner, owner) && inner.path[owner.path.length] === '[]';
}

/** The place as a programmer writes it: `self.jobs`, `buf[..]`. */
export function describePlace(place: Place): string {
  let text = place.root.name;
  for (const segment of place.path) {
    if (segment === '[]') text += '[..]';
    else if (segment === '*') text = text.startsWith('*') ? text : `*${text}`;
    else text += `.${segment}`;
  }
  return text;
}

/** The container that an element place belongs to: the path up to its last `[]`; undefined when there is none. */
export function containerOf(place: Place): Place | undefined {
  const at = place.path.lastIndexOf('[]');
  return at < 0 ? undefined : { root: place.root, path: place.path.slice(0, at) };
}

/** Follows variables back to the place that their content came from: a parameter, a field, a global. */
export function originOf(place: Place): Place {
  let current = place;
  for (let i = 0; i < 8 && current.root.origin; i++)
    current = { root: current.root.origin.root, path: [...current.root.origin.path, ...current.path] };
  return current;
}

/** The member that leads to the place, or the place itself. */
export function leadingMember({ root, path }: Place): Place {
  return path.at(-1) === '*' ? { root, path: path.slice(0, -1) } : { root, path };
}
