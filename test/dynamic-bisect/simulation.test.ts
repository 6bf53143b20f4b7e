import { describe, expect, it } from 'vitest';
// @ts-expect-error -- the benchmark is plain JavaScript
import * as simulation from '../../bench/bisect-simulation.mjs';
import { bisect } from '../../src/dynamic/bisect/session.js';

interface Cell {
  readonly runs: number;
  readonly right: number;
  readonly claimed: number;
  readonly most: number;
  readonly count: number;
  readonly plain: readonly { readonly runs: number; readonly right: number }[];
  readonly families: readonly (readonly Uint8Array[])[];
}

// The module is untyped; this is what is used of it.
const { simulateCell } = simulation as {
  simulateCell(
    run: typeof bisect,
    options: {
      p: number;
      q?: number;
      rare?: number;
      minimum?: number;
      size: number;
      count: number;
      seed: number;
      until?: number;
      stops?: readonly number[];
    },
  ): Promise<Cell>;
};

function cell(options: {
  p: number;
  q?: number;
  rare?: number;
  minimum?: number;
  size: number;
  count: number;
}): Promise<Cell> {
  return simulateCell(bisect, { seed: 11, ...options });
}

describe('bisection by simulation', () => {
  it('costs little more than plain bisection when it always crashes', async () => {
    for (const size of [20, 200, 500]) {
      const result = await cell({ p: 1, size, count: 40 });
      expect(result.right).toBe(40);
      expect(result.most).toBeLessThanOrEqual(Math.log2(size) + 10);
    }
  });

  it('is right about as often as it says', async () => {
    let right = 0;
    let claimed = 0;
    let count = 0;
    for (const p of [0.2, 0.3, 0.5, 0.7, 0.9]) {
      const result = await cell({ p, size: 60, count: 40 });
      right += result.right;
      claimed += result.claimed;
      count += result.count;
    }
    // 200 histories: two standard errors are three percent.
    expect(right / count).toBeGreaterThan(0.92);
    expect(Math.abs(right - claimed) / count).toBeLessThan(0.045);
  });

  it('is right where plain bisection is not', async () => {
    const result = await cell({ p: 0.3, size: 60, count: 40 });
    const [once, five] = result.plain;
    expect(result.right).toBeGreaterThan(35);
    expect(once?.right).toBeLessThan(15);
    expect(five?.right).toBeLessThan(36);
  });

  it('finds where a rare crash became frequent, and claims no more than that', async () => {
    const result = await cell({ rare: 0.07, p: 0.35, minimum: 0.2, size: 40, count: 60 });
    // Two standard errors of 95 % are 5.6 percent of 60 histories.
    expect(result.right).toBeGreaterThanOrEqual(53);
    expect((result.claimed - result.right) / result.count).toBeLessThan(0.09);
  });

  it('reads a session of less confidence off one of more', async () => {
    const options = { p: 0.3, size: 20, count: 10, seed: 5 };
    const all = await simulateCell(bisect, { ...options, until: 0.89, stops: [0.6, 0.89] });
    const alone = await simulateCell(bisect, { ...options, until: 0.6, stops: [0.6] });
    expect(all.families[0]).toEqual(alone.families[0]);
    expect(all.families[1]).not.toEqual(alone.families[0]);
  });

  it('holds against a background of two percent', async () => {
    const result = await cell({ p: 0.7, q: 0.02, size: 60, count: 40 });
    expect(result.right).toBeGreaterThanOrEqual(34);
  });
});
