import { describe, expect, it } from 'vitest';
import { bisect, type BisectOptions, type Observation } from '../../src/dynamic/bisect/session.js';
import type { Tester, TestResult } from '../../src/dynamic/bisect/tester.js';

const hit: TestResult = { kind: 'hit', class: 'memory-fault', detail: 'SIGSEGV', lines: [] };
const clean: TestResult = { kind: 'clean' };
const options: BisectOptions = { confidence: 0.95, maxRuns: 1000, maxSeconds: Infinity };
const versions = (count: number): string[] => Array.from({ length: count }, (_, index) => `1.${index}.0`);

function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function simulate(
  judge: (index: number) => TestResult,
  skip: ReadonlyMap<number, string> = new Map(),
): Tester & { asked: number[] } {
  const ready = new Set<number>();
  const asked: number[] = [];
  return {
    asked,
    estimate: { prepare: 5, run: 1 },
    isPrepared: (index) => ready.has(index),
    prepare: (index) => {
      const reason = skip.get(index);
      if (reason !== undefined) return Promise.resolve({ skip: reason });
      ready.add(index);
      return Promise.resolve('ready');
    },
    run: (index) => {
      asked.push(index);
      return Promise.resolve(judge(index));
    },
  };
}

describe('bisect', () => {
  it('finds the first bad version of a crash that always happens', async () => {
    const result = await bisect(
      versions(60),
      simulate((index) => (index >= 23 ? hit : clean)),
      options,
    );
    expect(result.status).toBe('found');
    expect(result.posterior.best).toBe(23);
    expect(result.runs).toBeLessThanOrEqual(Math.log2(60) + 10);
  });

  it.each([0.2, 0.5, 0.8])('finds it when it happens in a share of %d of the runs', async (rate) => {
    const random = createRandom(7);
    const result = await bisect(
      versions(40),
      simulate((index) => (index >= 11 && random() < rate ? hit : clean)),
      options,
    );
    expect(result.status).toBe('found');
    expect(result.posterior.best).toBe(11);
  });

  it('does not take a background noise for the bug', async () => {
    const random = createRandom(3);
    const judge = (index: number): TestResult => (random() < (index >= 20 ? 0.7 : 0.03) ? hit : clean);
    const result = await bisect(versions(30), simulate(judge), options);
    expect(result.status).toBe('found');
    expect(result.posterior.best).toBe(20);
  });

  it('needs fewer runs when it is told that each crash is the bug, more when versions before it are known to crash', async () => {
    const runs = { 0: 0, 1: 0 };
    for (const background of [0, 1] as const) {
      for (let seed = 1; seed <= 20; seed++) {
        const random = createRandom(seed);
        const judge = (index: number): TestResult => (index >= 25 && random() < 0.3 ? hit : clean);
        const result = await bisect(versions(40), simulate(judge), { ...options, background });
        expect(result.status).toBe('found');
        runs[background] += result.runs;
      }
    }
    expect(runs[0]).toBeLessThan(runs[1]);
  });

  it('finds where a crash became frequent, or where it began, as it is asked', async () => {
    const judge = (seed: number): ((index: number) => TestResult) => {
      const random = createRandom(seed);
      return (index) => (random() < (index >= 25 ? 0.6 : index >= 12 ? 0.06 : 0) ? hit : clean);
    };
    const answers: number[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const result = await bisect(versions(40), simulate(judge(seed)), { ...options, minimumRate: 0.25 });
      expect(result.status).toBe('found');
      answers.push(result.posterior.best);
    }
    expect(answers.filter((answer) => answer === 25).length).toBeGreaterThanOrEqual(18);
  });

  it('says that the bad end crashes less often than was asked for', async () => {
    const random = createRandom(5);
    const tester = simulate((index) => (index >= 12 && random() < 0.05 ? hit : clean));
    const result = await bisect(versions(40), tester, { ...options, minimumRate: 0.5 });
    expect(result.status).toBe('premise-failed');
    expect(result.reason).toMatch(/did not crash in \d+ runs|less often than the 50 % that were asked for/);
  });

  it('says that the bad end does not crash', async () => {
    const result = await bisect(
      versions(20),
      simulate(() => clean),
      options,
    );
    expect(result.status).toBe('premise-failed');
    expect(result.reason).toContain("'1.19.0', the bad end, did not crash");
  });

  it('says that the good end crashes too', async () => {
    const result = await bisect(
      versions(20),
      simulate(() => hit),
      options,
    );
    expect(result.status).toBe('premise-failed');
    expect(result.reason).toContain("'1.0.0', the good end, crashes too");
  });

  it('skips what cannot be tested and keeps it as a possible answer', async () => {
    const skip = new Map([8, 9, 10].map((index) => [index, 'it does not load'] as const));
    const result = await bisect(
      versions(20),
      simulate((index) => (index >= 9 ? hit : clean), skip),
      options,
    );
    expect(result.status).toBe('found');
    expect(result.testable[result.posterior.best]).toBe(11);
    expect(result.testable[result.posterior.best - 1]).toBe(7);
    expect([...result.skipped.keys()]).toEqual(expect.arrayContaining([10]));
  });

  it('says that an end cannot be tested', async () => {
    const result = await bisect(
      versions(5),
      simulate(() => hit, new Map([[4, 'it does not load']])),
      options,
    );
    expect(result.status).toBe('not-testable');
    expect(result.reason).toContain("'1.4.0' is an end of the history and cannot be tested (it does not load)");
  });

  it('tries a run that said nothing again, but not for ever', async () => {
    let tries = 0;
    const judge = (index: number): TestResult => {
      if (index === 5) {
        tries++;
        return { kind: 'untestable', reason: 'killed', transient: true };
      }
      return index >= 6 ? hit : clean;
    };
    const result = await bisect(versions(10), simulate(judge), options);
    expect(result.status).toBe('found');
    expect(result.testable[result.posterior.best]).toBe(6);
    expect(tries).toBe(3);
  });

  it('gives up on a bad end that never crashes, and says which rates that excludes', async () => {
    const tester = simulate(() => clean);
    const result = await bisect(versions(20), tester, options);
    expect(result.status).toBe('premise-failed');
    expect(result.reason).toContain(
      "'1.19.0', the bad end, did not crash in 149 runs, which excludes crash rates above 2.0 %",
    );
    // The bad end first; then versions that could show where as well; then the bad end alone.
    expect(tester.asked[0]).toBe(19);
    expect(tester.asked.filter((index) => index !== 19).length).toBeLessThan(60);
    const told = await bisect(
      versions(20),
      simulate(() => clean),
      { ...options, expectedRate: 0.5 },
    );
    expect(told.runs).toBeLessThan(30);
  });

  it('stops, and skips nothing, while the registry cannot be reached', async () => {
    let reachable = true;
    const inner = simulate((index) => (index >= 6 ? hit : clean));
    const tester: Tester = {
      ...inner,
      prepare: (index) =>
        reachable || index === 9 || index === 0
          ? inner.prepare(index)
          : Promise.resolve({ skip: 'the registry could not be reached (ENOTFOUND)', transient: true }),
    };
    reachable = false;
    const first = await bisect(versions(10), tester, options);
    expect(first.status).toBe('interrupted');
    expect(first.reason).toContain('the registry could not be reached (ENOTFOUND). Give the same command again');
    expect(first.skipped.size).toBe(0);
    reachable = true;
    const second = await bisect(versions(10), tester, options, {}, first.observations);
    expect(second.status).toBe('found');
    expect(second.testable[second.posterior.best]).toBe(6);
  });

  it('reports a history that is good, bad, good and bad again', async () => {
    const random = createRandom(5);
    const judge = (index: number): TestResult =>
      ((index >= 8 && index < 16) || index >= 34) && random() < 0.9 ? hit : clean;
    // The search alone may never look into the first stretch, so an earlier look has.
    const seen = (index: number, kind: 'hit' | 'clean'): Observation =>
      kind === 'hit'
        ? { kind, version: `1.${index}.0`, seconds: 1, class: 'memory-fault', detail: '', lines: [] }
        : { kind, version: `1.${index}.0`, seconds: 1 };
    const earlier = [seen(12, 'hit'), seen(12, 'hit'), ...Array.from({ length: 8 }, () => seen(25, 'clean'))];
    const result = await bisect(versions(40), simulate(judge), options, {}, earlier);
    expect(result.status).toBe('non-monotone');
    expect(result.secondChange.bad).toContain(12);
    expect(result.secondChange.goodAgain).toContain(25);
    expect(result.secondChange.badAgain).toContain(39);
  });

  it('looks once into a long stretch that the search never saw', async () => {
    const judge = (index: number): TestResult => ((index >= 5 && index < 18) || index >= 33 ? hit : clean);
    const result = await bisect(versions(40), simulate(judge), options);
    expect(result.status).toBe('non-monotone');
    const { bad, goodAgain, badAgain } = result.secondChange;
    const within = (indices: readonly number[], from: number, to: number): boolean =>
      indices.length > 0 && indices.every((index) => index >= from && index < to);
    expect([within(bad, 5, 18), within(goodAgain, 18, 33), within(badAgain, 33, 40)]).toEqual([true, true, true]);
  });

  it('says that the bad end is silent though versions before it crash', async () => {
    const judge = (index: number): TestResult => (index >= 10 && index < 35 ? hit : clean);
    const result = await bisect(versions(40), simulate(judge), options);
    expect(result.status).toBe('premise-failed');
    expect(result.reason).toMatch(/'1\.39\.0', the bad end, did not crash in \d+ runs, though versions before it did/);
  });

  it('gives no answer before the bad end has crashed itself', async () => {
    let answers = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const random = createRandom(seed);
      const judge = (index: number): TestResult => (index >= 12 && random() < 0.2 ? hit : clean);
      const result = await bisect(versions(40), simulate(judge), { ...options, background: 0 });
      if (result.status !== 'found') continue;
      answers++;
      expect(result.tallies.get(39)?.hits).toBeGreaterThan(0);
      expect(result.tallies.get(0)).toBeDefined();
    }
    expect(answers).toBeGreaterThanOrEqual(9);
  });

  it('stops at its budget and says what is likely', async () => {
    const random = createRandom(1);
    const judge = (index: number): TestResult => (index >= 30 && random() < 0.3 ? hit : clean);
    const result = await bisect(versions(60), simulate(judge), { ...options, maxRuns: 15 });
    expect(result.status).toBe('budget');
    expect(result.runs).toBe(15);
    expect(result.posterior.probability(result.posterior.best)).toBeLessThan(0.95);
  });

  it('goes on where it was stopped, to the same answer in the same number of runs', async () => {
    // The n-th run of a version always ends alike, whoever asks.
    const outcomes = (): ((index: number) => TestResult) => {
      const counts = new Map<number, number>();
      return (index) => {
        const made = counts.get(index) ?? 0;
        counts.set(index, made + 1);
        return index >= 17 && createRandom(index * 1000 + made)() < 0.5 ? hit : clean;
      };
    };
    const clock = (): number => 0;
    const whole = await bisect(versions(32), simulate(outcomes()), options, { clock });
    const judge = outcomes();
    let runs = 0;
    const first = await bisect(versions(32), simulate(judge), options, { clock, isInterrupted: () => runs++ >= 9 });
    expect(first.status).toBe('interrupted');
    const saved: unknown = JSON.parse(JSON.stringify(first.observations));
    const second = await bisect(versions(32), simulate(judge), options, { clock }, saved as Observation[]);
    expect(second.status).toBe('found');
    expect(second.posterior.best).toBe(whole.posterior.best);
    expect(Math.abs(second.runs - whole.runs)).toBeLessThanOrEqual(6);
  });

  it('repeats what is installed rather than installing when that is dear', async () => {
    const run = async (prepare: number): Promise<number> => {
      const random = createRandom(2);
      let now = 0;
      const inner = simulate((index) => (index >= 40 && random() < 0.4 ? hit : clean));
      const tester: Tester = {
        ...inner,
        estimate: { prepare, run: 1 },
        prepare: (index) => {
          now += prepare;
          return inner.prepare(index);
        },
        run: (index) => {
          now += 1;
          return inner.run(index);
        },
      };
      const result = await bisect(versions(80), tester, options, { clock: () => now });
      expect(result.status).toBe('found');
      return new Set(inner.asked).size;
    };
    expect(await run(100)).toBeLessThan(await run(0.001));
  });
});
