import { describe, expect, it } from 'vitest';
import { byRelevance, diffVersions, mergeAlike } from '../../src/dynamic/bisect/boundary-change.js';
import { createBisectReport, renderBisect, renderBisectMarkdown } from '../../src/dynamic/bisect/report.js';
import { conclude, type Observation } from '../../src/dynamic/bisect/session.js';

const hit = (version: string): Observation => ({
  kind: 'hit',
  version,
  seconds: 1,
  class: 'memory-fault',
  detail: 'SIGSEGV',
  lines: [],
});
const clean = (version: string): Observation => ({ kind: 'clean', version, seconds: 1 });
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
const history = ['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0'];
const seen: readonly Observation[] = [
  ...times(8, hit('1.4.0')),
  ...times(8, hit('1.3.0')),
  { kind: 'skip', version: '1.2.0', reason: 'it does not load' },
  ...times(8, clean('1.1.0')),
  ...times(3, clean('1.0.0')),
];
const question = {
  target: 'some-addon',
  scenario: 'import, 16 workers',
  history,
  firstGood: false,
  confidence: 0.95,
  platform: 'linux-x64',
  left: [{ version: '1.3.0-beta.1', reason: 'pre-release, tested with --pre' }],
};

describe('the report of a bisection', () => {
  it('names the boundary, the rates, what was skipped and what that means', () => {
    const report = createBisectReport(question, conclude(history, seen, 0.95));
    expect(report).toMatchObject({ status: 'found', firstBad: '1.3.0', lastGood: '1.1.0', monotone: true, runs: 27 });
    expect(report.rates?.bad).toMatchObject({ runs: 16, hits: 16 });
    expect(report.notes).toEqual(["'1.2.0' between the two could not be tested, so the change may have come with it."]);
    const text = renderBisect(report, false);
    expect(text).toContain("'1.3.0' is the first bad version of some-addon; '1.1.0' is the last good one");
    expect(text).toMatch(/> 1\.3\.0 +8 +8 +\d/);
    expect(text).toContain('▁▁██');
    expect(text).toContain('1.3.0-beta.1: pre-release, tested with --pre');
    expect(renderBisectMarkdown(report)).toContain('| **1.3.0** | 8 | 8 |');
  });

  it('turns round where it was fixed', () => {
    const reversed = history.toReversed();
    const mirrored = seen.map((observation) => ({
      ...observation,
      version: history[4 - history.indexOf(observation.version)] ?? '',
    }));
    const report = createBisectReport(
      { ...question, history: reversed, firstGood: true },
      conclude(reversed, mirrored, 0.95),
    );
    expect(report).toMatchObject({ lastBad: '1.1.0', firstGood: '1.3.0' });
    expect(report.history.map(({ version }) => version)).toEqual(['1.0.0', '1.1.0', '1.3.0', '1.4.0']);
  });

  it('says what is left when it is not sure', () => {
    const report = createBisectReport(question, conclude(history, [hit('1.4.0'), clean('1.0.0')], 0.95));
    expect(report.status).toBe('budget');
    expect(report.remaining.length).toBeGreaterThan(2);
    expect(renderBisect(report, false)).toMatch(/^So far nothing is likely: '1\.1\.0' leads /);
  });

  it('calls a rate that jumps by its name', () => {
    const noisy = [...seen, hit('1.0.0'), ...times(40, clean('1.0.0')), ...times(20, clean('1.1.0'))];
    const report = createBisectReport(question, conclude(history, noisy, 0.95));
    expect(report.firstBad).toBe('1.3.0');
    expect(report.notes.at(-1)).toContain('The good side is not clean: it crashed in 1 of 72 runs');
  });

  it('tells a second step inside the bad side from a bad side of one rate', () => {
    const counts = (name: string, hits: number, cleans: number): readonly Observation[] => [
      ...times(hits, hit(name)),
      ...times(cleans, clean(name)),
    ];
    const rare = [...counts('1.0.0', 0, 80), ...counts('1.1.0', 0, 120), ...counts('1.2.0', 9, 40)];
    const stepped = [...rare, ...counts('1.3.0', 9, 6), ...counts('1.4.0', 7, 5)];
    const report = createBisectReport(question, conclude(history, stepped, 0.95));
    const told = report.notes.find((note) => note.startsWith('There are two steps'));
    expect(report.firstBad).toBe('1.2.0');
    expect(told).toContain("from '1.3.0' on it crashes more often (16 of 27 runs) than before it (9 of 49)");
    expect(report.otherStep).toEqual({
      version: '1.3.0',
      where: 'bad side',
      minimumRate: 0.4,
      less: { runs: 49, hits: 9 },
      more: { runs: 27, hits: 16 },
    });
    const even = [...rare, ...counts('1.3.0', 4, 20), ...counts('1.4.0', 5, 20)];
    const plain = createBisectReport(question, conclude(history, even, 0.95));
    expect(plain.firstBad).toBe('1.2.0');
    expect(plain.notes.filter((note) => note.startsWith('There are two steps'))).toEqual([]);
  });
});

it('a bisection says how to ask for the other step, and the answer to that names the first one', () => {
  const counts = (name: string, hits: number, cleans: number): readonly Observation[] => [
    ...times(hits, hit(name)),
    ...times(cleans, clean(name)),
  ];
  const runs = [
    ...[...counts('1.0.0', 0, 80), ...counts('1.1.0', 0, 60), ...counts('1.2.0', 9, 45)],
    ...[...counts('1.3.0', 9, 6), ...counts('1.4.0', 7, 5)],
  ];
  const first = createBisectReport(question, conclude(history, runs, 0.95));
  expect(first.firstBad).toBe('1.2.0');
  expect(first.otherStep).toMatchObject({ version: '1.3.0', where: 'bad side' });
  const minimumRate = first.otherStep?.minimumRate ?? 0;
  expect(minimumRate).toBeGreaterThan(0);
  expect(first.notes.at(-1)).toContain(
    `--min-rate ${100 * minimumRate}% asks for that step, with the runs that are saved`,
  );
  const second = createBisectReport({ ...question, minimumRate }, conclude(history, runs, 0.95, minimumRate));
  expect(second).toMatchObject({ firstBad: '1.3.0', lastGood: '1.2.0', minimumRate });
  expect(second.otherStep).toEqual({
    version: '1.2.0',
    where: 'good side',
    less: { runs: 194, hits: 9 },
    more: { runs: 27, hits: 16 },
  });
  expect(second.notes.at(-1)).toContain("the oldest version that was seen to crash is '1.2.0'");
});

it('takes a few crashes of good versions for background, and names where they began', () => {
  const counts = (name: string, hits: number, cleans: number): readonly Observation[] => [
    ...times(hits, hit(name)),
    ...times(cleans, clean(name)),
  ];
  const runs = [
    ...[...counts('1.0.0', 0, 80), ...counts('1.1.0', 0, 60), ...counts('1.2.0', 4, 64)],
    ...[...counts('1.3.0', 9, 6), ...counts('1.4.0', 7, 5)],
  ];
  const report = createBisectReport(question, conclude(history, runs, 0.95));
  expect(report).toMatchObject({ firstBad: '1.3.0', status: 'found' });
  expect(report.otherStep).toMatchObject({ version: '1.2.0', where: 'good side' });
});

describe('boundary changes', () => {
  it('ties what matters to rules and puts it first', () => {
    const changes = byRelevance(
      diffVersions(
        'Cargo.lock',
        new Map([
          ['anyhow', '1'],
          ['napi', '2'],
          ['serde', '1'],
        ]),
        new Map([
          ['anyhow', '2'],
          ['mimalloc-safe', '1'],
          ['napi', '3'],
          ['serde', '1'],
        ]),
      ),
    );
    expect(changes.map(({ name }) => name)).toEqual(['mimalloc-safe', 'napi', 'anyhow']);
    expect(changes[0]).toMatchObject({ after: '1', rules: ['allocator-in-addon'] });
    expect(changes[1]?.rules).toContain('outdated-napi');
  });

  it('says the same change of several addons once', () => {
    const change = (where: string) =>
      diffVersions(where, new Map([['rustc', '1.82.0']]), new Map([['rustc', '1.83.0']]));
    const merged = mergeAlike([...change('a.node'), ...change('b.node'), ...change('c.node')]);
    expect(merged).toHaveLength(1);
    expect(merged[0]).toMatchObject({ where: 'a.node and 2 more', rules: ['unpinned-addon'] });
  });
});
