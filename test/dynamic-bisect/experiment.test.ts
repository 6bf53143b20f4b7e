import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareVariants, readTheories } from '../../src/dynamic/experiment/compare.js';
import { fisherExact, holm } from '../../src/dynamic/experiment/fisher.js';
import { checkPlan } from '../../src/dynamic/experiment/plan.js';
import { runCommandLine } from '../workflow/run-command-line.js';

describe('fisherExact', () => {
  it.each([
    // The lady tasting tea: 3 of 4 against 1 of 4 is 34/70, twice over the tails.
    [3, 4, 1, 4, 34 / 70],
    [4, 4, 0, 4, 2 / 70],
    [0, 10, 0, 10, 1],
    [5, 10, 5, 10, 1],
    [10, 10, 0, 10, 2 / 184756],
  ])('%i of %i against %i of %i', (hitsA, runsA, hitsB, runsB, p) => {
    expect(fisherExact(hitsA, runsA, hitsB, runsB)).toBeCloseTo(p, 8);
    expect(fisherExact(hitsB, runsB, hitsA, runsA)).toBeCloseTo(p, 8);
  });
});

describe('holm', () => {
  it('multiplies the smallest by the number of tests and never lets a larger one fall below', () => {
    expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.9, 0.8])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });
});

describe('readTheories', () => {
  const read = (...counts: readonly (readonly [string, number, number])[]): readonly string[] => {
    const variants = counts.map(([name, hits, runs]) => ({ name, hits, runs }));
    return readTheories(variants, compareVariants(variants));
  };

  it('tells a theory that is refuted from one that holds', () => {
    const [still, gone] = read(['as it is', 18, 20], ['no allocator', 17, 20], ['main loads', 0, 20]);
    expect(still).toContain("'no allocator' still crashes");
    expect(still).toContain('the crash does not need what it changes');
    expect(gone).toContain("'main loads' does not crash (rates above 14 % are excluded)");
  });

  it('claims nothing from too few runs', () => {
    expect(read(['as it is', 2, 10], ['copied', 0, 10])).toEqual([
      "'copied' did not crash, but 'as it is' may crash in as few as 5.7 % of its runs: more runs are needed to tell.",
    ]);
  });

  it('says that there is nothing to explain when the first one does not crash', () => {
    expect(read(['as it is', 0, 20], ['16 workers', 20, 20])[0]).toContain('there is no crash to explain');
  });
});

describe('checkPlan', () => {
  const plan = {
    schema: 1,
    base: { target: 'a@1', env: { A: '1' } },
    variants: [{ name: 'x' }, { name: 'y', set: { env: { B: '2' }, workers: 2 } }],
  };

  it('puts what a variant sets on top of the base', () => {
    expect(checkPlan(plan, 'p.json')).toMatchObject({
      runs: 20,
      seed: 1,
      variants: [
        { name: 'x', flags: { target: 'a@1', env: { A: '1' } } },
        { name: 'y', flags: { target: 'a@1', env: { A: '1', B: '2' }, workers: 2 } },
      ],
    });
  });

  it.each([
    [{ ...plan, schema: 2 }, "wrong at 'schema'"],
    [{ ...plan, base: { targets: 'a' } }, "wrong at 'base.targets'"],
    [{ ...plan, variants: [{ name: 'x' }] }, 'at least two variants'],
    [{ ...plan, variants: [{ name: 'x' }, { name: 'x' }] }, "two variants named 'x'"],
    [{ ...plan, runs: 0 }, "wrong at 'runs'"],
    [[], 'wrong'],
  ])('refuses %j in one sentence', (value, message) => {
    const result = checkPlan(value, 'p.json');
    expect(result).toEqual({ error: expect.stringContaining(message) as string });
  });
});

describe.skipIf(process.platform === 'win32')('lifetime-lint experiment', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'experiment-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const run = (plan: unknown, ...flags: readonly string[]): ReturnType<typeof runCommandLine> => {
    writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan));
    return runCommandLine(['experiment', 'plan.json', ...flags], folder);
  };

  it('runs variants equally often and tells them apart', async () => {
    const plan = {
      schema: 1,
      base: { command: 'if [ -z "$CALM" ]; then kill -SEGV $$; fi' },
      variants: [
        { name: 'as it is' },
        { name: 'calm', set: { env: { CALM: '1' } } },
        { name: 'other', set: { env: { OTHER: '1' } } },
      ],
      runs: 8,
    };
    const { code, stdout } = await run(plan, '--format', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 1,
      variants: [
        { name: 'as it is', runs: 8, hits: 8, classes: { 'memory-fault': 8 } },
        { name: 'calm', runs: 8, hits: 0 },
        { name: 'other', runs: 8, hits: 8 },
      ],
      comparisons: [
        { a: 'as it is', b: 'calm', real: true },
        { a: 'as it is', b: 'other', real: false },
        { real: true },
      ],
    });
  }, 60_000);

  it('says which variant cannot be run and goes on with the others', async () => {
    const plan = {
      schema: 1,
      base: { command: 'kill -SEGV $$' },
      variants: [
        { name: 'as it is' },
        { name: 'broken', set: { build: 'echo no compiler >&2; exit 7' } },
        { name: 'no such allocator', set: { env: { LD_PRELOAD: '/nowhere/libx.so' } } },
      ],
      runs: 3,
    };
    const { code, stdout } = await run(plan);
    expect(code).toBe(0);
    expect(stdout).toContain("'broken' could not be run: The build of 'broken' failed (exit code 7: no compiler).");
    expect(stdout).toContain("The library '/nowhere/libx.so' of LD_PRELOAD in 'no such allocator' does not exist");
    expect(stdout).toMatch(/as it is +3 +3 +100 %/);
  }, 60_000);

  it('refuses two builds into one place, and a plan that is not there', async () => {
    const plan = {
      schema: 1,
      base: { command: './app' },
      variants: [
        { name: 'a', set: { build: 'make a' } },
        { name: 'b', set: { build: 'make b' } },
      ],
    };
    expect((await run(plan)).stderr).toContain('let each build into a place of its own');
    const missing = await runCommandLine(['experiment', 'none.json'], folder);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/The plan '.*none\.json' cannot be read: it does not exist\./);
    writeFileSync(join(folder, 'cut.json'), '{ "schema": 1');
    expect((await runCommandLine(['experiment', 'cut.json'], folder)).stderr).toContain(
      "cut.json' is not valid JSON: ",
    );
  });
});
