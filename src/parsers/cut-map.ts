import type { OffsetMap } from './tree.js';

/** The text without the parts `[starts[k], ends[k])`, which must be in order and apart. */
export function leftOver(text: string, starts: readonly number[], ends: readonly number[]): string {
  const kept: string[] = [];
  let from = 0;
  starts.forEach((start, k) => {
    kept.push(text.slice(from, start));
    from = ends[k] ?? start;
  });
  kept.push(text.slice(from));
  return kept.join('');
}

/**
 * Offsets of a shortened text as offsets of the whole one. What begins where a part was cut out begins behind it, what ends
 * there ends before it. Questions come mostly in order, so the answer is looked for near the last one first.
 */
export class CutMap implements OffsetMap {
  /** Where each cut lies in the shortened text, and how much was cut out up to and with it. */
  private readonly places: Int32Array;
  private readonly removed: Int32Array;
  private lastStart = 0;
  private lastEnd = 0;

  constructor(starts: readonly number[], ends: readonly number[]) {
    this.places = new Int32Array(starts.length);
    this.removed = new Int32Array(starts.length);
    let sum = 0;
    for (let k = 0; k < starts.length; k++) {
      const start = starts[k] ?? 0;
      this.places[k] = start - sum;
      sum += (ends[k] ?? start) - start;
      this.removed[k] = sum;
    }
  }

  start(offset: number): number {
    this.lastStart = this.countBefore(offset + 1, this.lastStart);
    return this.lastStart === 0 ? offset : offset + (this.removed[this.lastStart - 1] ?? 0);
  }

  end(offset: number): number {
    this.lastEnd = this.countBefore(offset, this.lastEnd);
    return this.lastEnd === 0 ? offset : offset + (this.removed[this.lastEnd - 1] ?? 0);
  }

  /** How many cuts lie at places below `limit`. */
  private countBefore(limit: number, near: number): number {
    const { places } = this;
    let low = 0;
    let high = places.length;
    if (near > 0 && (places[near - 1] ?? 0) < limit) {
      low = near;
      if (near === high || (places[near] ?? 0) >= limit) return near;
      // Mostly it is the next one.
      if (near + 1 === high || (places[near + 1] ?? 0) >= limit) return near + 1;
    } else if (near > 0) high = near - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((places[middle] ?? 0) < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
