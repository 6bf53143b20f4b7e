import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  betaQuantile,
  excludedRate,
  formatPercent,
  jeffreysInterval,
  regularisedBeta,
  runsToExclude,
  shouldStop,
  wilsonInterval,
} from '../../src/dynamic/statistics.js';

describe('intervals', () => {
  // To four digits, as any statistics package gives them.
  it.each([
    [0, 20, 0, 0.1611],
    [3, 20, 0.0524, 0.3604],
    [10, 10, 0.7225, 1],
    [5, 10, 0.2366, 0.7634],
  ] as const)('Wilson of %i in %i', (hits, runs, low, high) => {
    const [from, to] = wilsonInterval(hits, runs);
    expect(from).toBeCloseTo(low, 3);
    expect(to).toBeCloseTo(high, 3);
  });

  it.each([
    [3, 20, 0.0441, 0.3486],
    [5, 10, 0.2235, 0.7765],
  ] as const)('Jeffreys of %i in %i', (hits, runs, low, high) => {
    const [from, to] = jeffreysInterval(hits, runs);
    expect(from).toBeCloseTo(low, 2);
    expect(to).toBeCloseTo(high, 2);
  });

  it('contains the observed rate and narrows with more runs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true }), (runs, share) => {
        const hits = Math.round(runs * share);
        for (const interval of [wilsonInterval, jeffreysInterval]) {
          const [low, high] = interval(hits, runs);
          expect(low).toBeLessThanOrEqual(hits / runs + 1e-9);
          expect(high).toBeGreaterThanOrEqual(hits / runs - 1e-9);
          const [nextLow, nextHigh] = interval(hits * 4, runs * 4);
          expect(nextHigh - nextLow).toBeLessThan(high - low + 1e-9);
        }
      }),
    );
  });

  it('inverts the beta distribution', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (p, a, b) => {
          expect(regularisedBeta(betaQuantile(p, a, b), a, b)).toBeCloseTo(p, 6);
        },
      ),
    );
  });

  it('refuses counts that are none', () => {
    expect(() => wilsonInterval(3, 2)).toThrow('3 hits of 2 runs');
    expect(() => excludedRate(-1)).toThrow(RangeError);
  });
});

describe('what clean runs exclude', () => {
  it.each([
    [20, 0.14],
    [59, 0.05],
    [299, 0.01],
  ] as const)('%i runs', (runs, rate) => {
    expect(excludedRate(runs)).toBeCloseTo(rate, 2);
    expect(excludedRate(runsToExclude(rate))).toBeLessThanOrEqual(rate);
    expect(excludedRate(runsToExclude(rate) - 1)).toBeGreaterThan(rate);
  });

  it('excludes nothing without a run', () => {
    expect(excludedRate(0)).toBe(1);
    expect(wilsonInterval(0, 0)).toEqual([0, 1]);
  });
});

describe('sequential stopping', () => {
  it('stops at the wanted hits, at the wanted exclusion, or at the end', () => {
    const rule = { maxRuns: 60, stopAfterHits: 3, exclude: 0.1 };
    expect(shouldStop(2, 5, rule)).toBe(false);
    expect(shouldStop(3, 5, rule)).toBe(true);
    expect(shouldStop(0, 28, rule)).toBe(false);
    expect(shouldStop(0, 29, rule)).toBe(true);
    expect(shouldStop(1, 29, rule)).toBe(false);
    expect(shouldStop(1, 60, rule)).toBe(true);
  });
});

it('writes percentages without losing small ones', () => {
  expect([0, 0.0004, 0.0123, 0.14, 1].map(formatPercent)).toEqual(['0 %', '< 0.1 %', '1.2 %', '14 %', '100 %']);
});
