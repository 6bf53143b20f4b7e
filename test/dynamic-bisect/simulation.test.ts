import { describe, expect, it } from 'vitest';
// @ts-expect-error -- the benchmark is plain JavaScript
import * as simulation from '../../bench/bisect-simulation.mjs';
import type { Tally } from '../../src/dynamic/bisect/posterior.js';
import { bisect } from '../../src/dynamic/bisect/session.js';

interface Cell {
  readonly runs: number;
  readonly right: number;
  readonly claimed: number;
  readonly most: number;
  readonly count: number;
  readonly plain: readonly { readonly runs: number; readonly right: number }[];
  readonly families: readonly (readonly Float64Array[])[];
  readonly found: number;
}

// The module is untyped; this is what is used of it.
const {
  simulateCell,
  chanceOfRight,
  chooseSettings,
  generator: createRandom,
} = simulation as {
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
      maxRuns?: number;
    },
  ): Promise<Cell>;
  generator(seed: number): () => number;
  chanceOfRight(answer: number, tallies: ReadonlyMap<number, Tally>, size: number, p: number): number;
  chooseSettings(points: readonly Setting[], accuracy: number): readonly [number, number] | undefined;
};

interface Setting {
  readonly runs: number;
  readonly right: number;
}

function cell(options: {
  p: number;
  q?: number;
  rare?: number;
  minimum?: number;
  size: number;
  count: number;
  maxRuns?: number;
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

  it('gives hardly an answer where no version has the bug', async () => {
    const result = await cell({ p: 0, q: 0.02, size: 20, count: 20, maxRuns: 200 });
    expect(result.found).toBeLessThanOrEqual(3);
  });

  it('knows how likely an answer is to be right, as counting every first bad version does', () => {
    const random = createRandom(3);
    const [size, p] = [9, 0.3];
    for (let made = 0; made < 200; made++) {
      const first = 1 + Math.floor(random() * (size - 1));
      const tallies = new Map<number, Tally>();
      for (let run = 0; run < 10; run++) {
        const at = Math.floor(random() * size);
        const isHit = at >= first && random() < p;
        const { hits, clean } = tallies.get(at) ?? { hits: 0, clean: 0 };
        tallies.set(at, { hits: hits + (isHit ? 1 : 0), clean: clean + (isHit ? 0 : 1) });
      }
      const weights = Array.from({ length: size }, (_, candidate) => {
        if (candidate === 0) return 0;
        let weight = 1;
        for (const [at, { hits, clean }] of tallies) {
          if (at < candidate) weight *= hits > 0 ? 0 : 1;
          else weight *= p ** hits * (1 - p) ** clean;
        }
        return weight;
      });
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, answer) => {
        expect(chanceOfRight(answer, tallies, size, p)).toBeCloseTo(weight / total, 9);
      });
    }
  });

  it('is as often right as the chances of its answers say', async () => {
    const options = { p: 0.4, size: 20, count: 150, seed: 21 };
    const { families } = await simulateCell(bisect, { ...options, until: 0.8, stops: [0.8] });
    const chances = (families[0] ?? []).map((trace) => trace.at(-1) ?? 0);
    const claimed = chances.reduce((sum, chance) => sum + chance, 0) / chances.length;
    const played = await simulateCell(bisect, { ...options, until: 0.8 });
    // Two standard errors of 80 % are seven percent of 150 histories.
    expect(Math.abs(claimed - played.right / played.count)).toBeLessThan(0.07);
  });

  it('mixes the two settings that reach an accuracy with the fewest runs', () => {
    const random = createRandom(8);
    for (let made = 0; made < 200; made++) {
      const points = Array.from({ length: 12 }, () => ({ runs: random() * 50, right: random() }));
      points.push({ runs: 0, right: 0.05 });
      const accuracy = 0.1 + 0.6 * random();
      const runsOf = (low: Setting, high: Setting): number =>
        low.right > accuracy || high.right < accuracy
          ? Infinity
          : low.runs + ((accuracy - low.right) / (high.right - low.right || 1)) * (high.runs - low.runs);
      const least = Math.min(...points.flatMap((low) => points.map((high) => runsOf(low, high))));
      const chosen = chooseSettings(points, accuracy);
      if (chosen === undefined) expect(least).toBe(Infinity);
      else {
        const [low, high] = chosen.map((at) => points[at] ?? { runs: 0, right: 0 });
        if (low !== undefined && high !== undefined) expect(runsOf(low, high)).toBeCloseTo(least, 9);
      }
    }
  });
});
