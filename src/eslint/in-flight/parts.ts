import type { Storage, Value } from './state.js';

/** The part of each store that a call was given; a store that came whole, or in two parts, has none. */
export function partsGiven(args: readonly Value[]): ReadonlyMap<Storage, string> {
  const parts = new Map<Storage, string>();
  const whole = new Set<Storage>();
  for (const { storages, part, inner } of args) {
    for (const storage of inner ?? []) whole.add(storage);
    for (const storage of storages) {
      if (part === undefined || (parts.get(storage) ?? part) !== part) whole.add(storage);
      else parts.set(storage, part);
    }
  }
  for (const storage of whole) parts.delete(storage);
  return parts;
}

/**
 * Two views of one store that may have no byte in common: whoever cuts a store in two does it to use the halves apart. The same
 * cut in another round of a loop is another one when it names a variable.
 */
export function mayBeApart(given: string | undefined, written: string | undefined, isNextRound: boolean): boolean {
  if (given === undefined || written === undefined) return false;
  if (given === written) return isNextRound && !/^[\d\s,/@]*$/u.test(given);
  const [a, b] = [literalRange(given), literalRange(written)];
  return a === undefined || b === undefined || a.end <= b.start || b.end <= a.start;
}

function literalRange(part: string): { readonly start: number; readonly end: number } | undefined {
  const [, start, end] = /^(\d+)(?:, (\d+))?$/u.exec(part) ?? [];
  if (start === undefined) return undefined;
  return { start: Number(start), end: end === undefined ? Number.POSITIVE_INFINITY : Number(end) };
}
