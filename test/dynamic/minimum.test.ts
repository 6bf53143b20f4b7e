import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findMinimum } from '../../src/dynamic/minimum.js';
import { findSmallest } from '../../src/dynamic/find-smallest.js';
import { renderRepro } from '../../src/dynamic/render-repro.js';
import { readReproFlags, type ReproFlags } from '../../src/dynamic/repro-flags.js';
import { reproduce, type ReproReport } from '../../src/dynamic/reproduce.js';
import { defaultPlan, type RepeatResult, type RunPlan } from '../../src/dynamic/run.js';

const target = { kind: 'driver', label: 'driver.mjs', root: '', specifier: 'driver.mjs' } as const;

function result(runs: number, hits: number): RepeatResult {
  return {
    runs,
    hits,
    errors: 0,
    untestable: 0,
    killed: 0,
    classes: {},
    verdict: hits > 0 ? 'reproduced' : 'not-reproduced',
    rate: [0, 1],
    medianMs: 1,
    notes: [],
    interrupted: false,
  };
}

describe('the smallest count', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 12, 31, 32])('is found wherever it is: %i of 32', async (first) => {
    const tried: number[] = [];
    const smallest = await findSmallest(
      32,
      (count) => {
        tried.push(count);
        return Promise.resolve(count >= first);
      },
      () => false,
    );
    expect(smallest).toBe(first);
    expect(new Set(tried).size).toBe(tried.length);
  });

  it('is what is known when it is stopped', async () => {
    expect(
      await findSmallest(
        8,
        () => Promise.resolve(true),
        () => true,
      ),
    ).toBe(8);
  });

  it('of workers comes first, and the one of calls is that with so many workers', async () => {
    const plans: RunPlan[] = [];
    const minimum = await findMinimum(
      defaultPlan(target, 'workers-call', { workers: 8, calls: 32 }),
      (plan) => {
        plans.push(plan);
        return Promise.resolve(result(3, plan.workers >= 5 && plan.calls >= 7 ? 3 : 0));
      },
      () => false,
    );
    expect([minimum.workers?.smallest, minimum.calls?.smallest]).toEqual([5, 7]);
    expect(minimum.workers?.table.map(({ count }) => count)).toEqual([1, 2, 4, 5, 6]);
    expect(plans.filter(({ calls }) => calls < 32).every(({ workers }) => workers === 5)).toBe(true);
  });

  it('of workers alone is looked for where nothing is called', async () => {
    const observe = (plan: RunPlan): Promise<RepeatResult> => Promise.resolve(result(1, plan.workers >= 3 ? 1 : 0));
    const minimum = await findMinimum(defaultPlan(target, 'import', { workers: 16 }), observe, () => false);
    expect([minimum.workers?.smallest, minimum.calls]).toEqual([3, undefined]);
  });
});

/** A real addon that does nothing wrong when it is loaded: the one that a grammar package ships for each system. */
const addon = fileURLToPath(
  new URL(
    `../../node_modules/tree-sitter-rust/prebuilds/${process.platform}-${process.arch}/tree-sitter-rust.node`,
    import.meta.url,
  ),
);

describe.skipIf(!existsSync(addon) || process.platform === 'win32')('repro', { timeout: 120_000 }, () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Plays a driver that opens the addon and kills its process at one of its calls. */
  async function play(condition: string, flags: ReproFlags): Promise<ReproReport> {
    const text = `import { createRequire } from 'node:module';
      import { threadId } from 'node:worker_threads';
      export const load = () => createRequire(import.meta.url)(${JSON.stringify(addon)});
      export const call = (_, i) => { if (${condition}) process.kill(process.pid, 'SIGSEGV'); return i; };`;
    writeFileSync(join(folder, 'driver.mjs'), text);
    const options = readReproFlags('./driver.mjs', { amplifier: 'none', ...flags }, folder);
    if ('error' in options) throw new Error(options.error);
    const report = await reproduce(options);
    if ('error' in report) throw new Error(report.error);
    return report;
  }

  it('says after how many calls it crashes, and what was seen with one call less', async () => {
    const report = await play('i === 2', { scenario: ['sequential'], calls: 4, minCalls: true });
    expect(report.scenarios).toMatchObject([
      {
        minimum: {
          calls: { smallest: 3, table: [{ count: 1 }, { count: 2, runs: 10, hits: 0 }, { count: 3, hits: 3 }] },
        },
      },
    ]);
    expect(renderRepro(report)).toContain(
      'The smallest number of calls that still crashes is 3 (0 of 10 runs with 2, 3 of 3 runs with 3).',
    );
  });

  it('makes more calls than the default before it gives up, where it is to find their number', async () => {
    const report = await play('i === 9', { scenario: ['sequential'], runs: 1, minCalls: true });
    expect(report.scenarios).toMatchObject([
      {
        verdict: 'reproduced',
        calls: 32,
        attempts: [
          { calls: 8, hits: 0 },
          { calls: 32, hits: 3 },
        ],
        minimum: { calls: { smallest: 10 } },
      },
    ]);
  });

  it('goes on with more calls until the crash', async () => {
    const report = await play('i === 40', { scenario: ['sequential'], untilCrash: true });
    expect(report.scenarios).toMatchObject([{ verdict: 'reproduced', calls: 128, hits: 1 }]);
    expect(renderRepro(report)).toContain('without an amplifier, 128 calls.');
  });

  it('keeps to the number of calls that was asked for, and to that of runs', async () => {
    const asked = { scenario: ['sequential'], calls: 3, runs: 4 };
    const report = await play('i === 3', { ...asked, untilCrash: true, minCalls: true });
    expect(report.scenarios).toMatchObject([{ verdict: 'not-reproduced', calls: 3, runs: 4, hits: 0 }]);
    const free = await play('i === 4096', { scenario: ['sequential'], runs: 7, untilCrash: true });
    expect(free.scenarios).toMatchObject([{ verdict: 'not-reproduced', calls: 32, runs: 7 }]);
  });

  it('does not say of a driver that its callbacks were settled twice, or its buffers disturbed', async () => {
    const report = await play('false', { scenario: ['thenable-twice', 'mutate'], runs: 1 });
    expect(report.scenarios).toMatchObject([
      { verdict: 'untestable', runs: 0, reason: expect.stringContaining('settled twice') as string },
      { verdict: 'untestable', runs: 0, reason: expect.stringContaining('none of its inputs') as string },
    ]);
  });

  it('tells from how many workers on it crashes', async () => {
    // Threads are numbered in the order in which they start.
    const report = await play('threadId === 3', { scenario: ['workers-call'], workers: 4, calls: 1, minCalls: true });
    expect(report.scenarios).toMatchObject([{ minimum: { workers: { smallest: 3 }, calls: { smallest: 1 } } }]);
  });
});
