import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explainUnloading, isSameCrash, type Differential } from '../../src/dynamic/unloading.js';
import { fromEntry, readEvidenceFile, toEntry, writeEvidenceFile } from '../../src/dynamic/evidence-file.js';
import {
  describeCleanRefutation,
  findObstacle,
  findRefutation,
  holdsHere,
  isSamePath,
  judge,
  refuteElsewhere,
  type Host,
} from '../../src/dynamic/judge.js';
import type { ScenarioReport } from '../../src/dynamic/reproduce.js';
import { exitCodeOf } from '../../src/commands/verify.js';
import { planVerification, verify } from '../../src/dynamic/verify.js';
import type { Evidence, Finding } from '../../src/model/finding.js';

const linux: Host = { platform: 'linux', arch: 'x64' };

function finding(ruleId: string, extra: Partial<Finding> = {}): Finding {
  return {
    fingerprint: `f-${ruleId}`,
    ruleId,
    messageId: 'm',
    message: 'It happens.',
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    unit: '',
    location: { path: 'napi/src/pool.rs', startLine: 5, startColumn: 1, endLine: 5, endColumn: 9 },
    steps: [],
    ...extra,
  };
}

function crashed(extra: Partial<ScenarioReport> = {}): ScenarioReport {
  return {
    name: 'import',
    verdict: 'reproduced',
    runs: 3,
    hits: 3,
    rate: [0.44, 1],
    classes: { 'memory-fault': 3 },
    amplifier: 'none',
    workers: 8,
    calls: 8,
    attempts: [],
    hit: { class: 'memory-fault', detail: 'SIGSEGV', stage: 'done', exitCode: null, signal: 'SIGSEGV', lines: [] },
    artifacts: [],
    notes: [],
    ...extra,
  };
}

/** A report without a crash. */
function clean(extra: Partial<ScenarioReport>): ScenarioReport {
  const bare: { -readonly [Key in keyof ScenarioReport]: ScenarioReport[Key] } = { ...crashed(extra) };
  delete bare.hit;
  return bare;
}

const on = (report: ScenarioReport): { readonly report: ScenarioReport; readonly platform: string } => ({
  report,
  platform: 'linux-x64',
});

describe('what a finding needs', () => {
  it('knows the systems that a finding holds for', () => {
    expect(holdsHere(undefined, linux)).toBe(true);
    expect(holdsHere(['x86_64-pc-windows-msvc'], linux)).toBe(false);
    expect(holdsHere(['aarch64-unknown-linux-gnu'], linux)).toBe(true);
    expect(holdsHere(['aarch64-linux-android'], linux)).toBe(false);
    expect(holdsHere(['aarch64-apple-darwin'], { platform: 'darwin', arch: 'arm64' })).toBe(true);
    expect(holdsHere(['x86_64-pc-windows-msvc'], { platform: 'win32', arch: 'x64' })).toBe(true);
  });

  it('says why it cannot be run', () => {
    const windows = finding('allocator-in-addon', { targets: ['x86_64-pc-windows-msvc'] });
    expect(findObstacle(windows, ['import'], linux, 'addon')).toBe(
      'the finding holds for x86_64-pc-windows-msvc only, and this is linux-x64',
    );
    expect(findObstacle(finding('loader-process-report'), ['import'], linux, 'addon')).toBe(
      'it happens on win32 only, and this is linux-x64',
    );
    expect(findObstacle(finding('x'), [], linux, 'addon')).toBe('no scenario can confirm this rule');
    expect(findObstacle(finding('x'), ['import'], linux, 'nothing')).toContain('give --package');
    expect(findObstacle(finding('x'), ['command'], linux, 'addon')).toContain('give --command');
    expect(findObstacle(finding('x'), ['import'], linux, 'command')).toContain('needs an addon');
    expect(findObstacle(finding('x'), ['command', 'sequential'], linux, 'addon')).toBeUndefined();
  });
});

describe('judging a run', () => {
  it('confirms a crash that fits, and says whether it points at the finding', () => {
    expect(judge(finding('allocator-in-addon'), on(crashed()))).toMatchObject({
      verdict: 'confirmed',
      attributed: false,
      crashClass: 'memory-fault',
      hits: 3,
    });
    expect(judge(finding('unpinned-addon'), on(crashed({ cause: 'thread-local-destructor' })))).toMatchObject({
      verdict: 'confirmed',
      cause: 'A thread-local destructor of an addon ran after the addon had been unloaded.',
    });
    const frames = [{ name: 'claim', file: '/build/napi/src/pool.rs', line: 9, unmapped: false }];
    expect(judge(finding('use-after-release'), on(crashed({ name: 'sequential', frames })))).toMatchObject({
      verdict: 'confirmed',
      attributed: true,
    });
  });

  it('attributes by a place that a report names', () => {
    const lines = ['core.exception.AssertError@source/utils/pool.d(55): lost', '??:? _d_assert_msg [0x7f]'];
    const hit = {
      class: 'runtime-assertion' as const,
      detail: lines[0] ?? '',
      stage: 'command',
      exitCode: 1,
      signal: null,
      lines,
    };
    const at = (path: string): Finding =>
      finding('pointer-into-growable', { location: { ...finding('x').location, path } });
    expect(judge(at('utils/pool.d'), on(crashed({ name: 'command', hit })))).toMatchObject({ attributed: true });
    expect(judge(at('utils/other.d'), on(crashed({ name: 'command', hit })))).toMatchObject({ attributed: false });
  });

  it('attributes by the name of the call', () => {
    const hit = {
      class: 'changed-value' as const,
      detail: "'sum' returned another value",
      stage: 'done',
      exitCode: 0,
      signal: null,
      lines: [],
    };
    const report = crashed({ name: 'mutate', hit });
    expect(
      judge(finding('buffer-off-thread', { reachableFrom: [{ rust: 'pool::sum', js: 'sum' }] }), on(report)),
    ).toMatchObject({ attributed: true });
    expect(
      judge(finding('buffer-off-thread', { reachableFrom: [{ rust: 'pool::max', js: 'max' }] }), on(report)),
    ).toMatchObject({ verdict: 'not-run' });
  });

  it('does not confirm by a crash that the bug does not cause', () => {
    const hit = {
      class: 'node-api-fatal' as const,
      detail: 'FATAL ERROR',
      stage: 'done',
      exitCode: null,
      signal: 'SIGABRT',
      lines: [],
    };
    expect(judge(finding('buffer-mutated-in-flight'), on(crashed({ name: 'mutate', hit })))).toMatchObject({
      verdict: 'not-reproduced',
      reason: expect.stringContaining('node-api-fatal'),
    });
  });

  it('keeps what clean runs exclude', () => {
    const rest = clean({ verdict: 'not-reproduced', runs: 20, hits: 0, excluded: 0.14 });
    expect(judge(finding('allocator-in-addon'), on(rest))).toEqual({
      verdict: 'not-reproduced',
      scenario: 'import',
      amplifier: 'none',
      runs: 20,
      hits: 0,
      platform: 'linux-x64',
      excludedRate: 0.14,
    });
  });

  it('hands on why nothing was tested', () => {
    const rest = clean({ verdict: 'untestable', reason: 'it could not be loaded' });
    expect(judge(finding('allocator-in-addon'), on(rest))).toMatchObject({
      verdict: 'not-run',
      reason: 'it could not be loaded',
    });
  });
});

describe('refuting a theory', () => {
  it('by the backtrace', () => {
    const report = crashed({ cause: 'thread-local-destructor' });
    expect(findRefutation('allocator-in-addon', report)).toBeUndefined();
    expect(findRefutation('loader-process-report', report)).toContain('The crash has another cause.');
    expect(findRefutation('allocator-in-addon', crashed({ cause: 'newer-node-api' }))).toContain('not a lifetime bug');
  });

  it('by the differential: it crashes although nothing is unloaded', () => {
    const report = crashed({ differential: { mainLoads: { runs: 3, hits: 1 } } });
    expect(findRefutation('unpinned-addon', report)).toContain('unloading is not its cause');
    expect(findRefutation('loader-process-report', report)).toBeUndefined();
    expect(judge(finding('unpinned-addon'), on(report))).toMatchObject({
      verdict: 'not-reproduced',
      refutes: expect.any(String),
    });
  });

  it('by the differential: it crashes although the image stays in memory', () => {
    const report = crashed({ differential: { mainLoads: { runs: 3, hits: 0 }, imageKept: { runs: 1, hits: 1 } } });
    expect(findRefutation('unpinned-addon', report)).toContain('unloading is not its cause');
    // That the main thread does not load it is the whole theory of this one.
    expect(findRefutation('addon-only-in-workers', report)).toBeUndefined();
  });

  it('says of a crash that both counter-experiments prevent that unloading is its cause, and of no other', () => {
    const clean = { runs: 6, hits: 0 };
    const crash = { runs: 1, hits: 1 };
    const say = (differential: Differential): string => explainUnloading(differential).join(' ');
    expect(say({ mainLoads: clean, imageKept: clean })).toContain('comes from unloading the addon, and');
    expect(say({ mainLoads: clean, imageKept: crash })).toContain(
      'comes not from unloading the addon, but from the end',
    );
    expect(say({ mainLoads: clean })).toContain('from unloading the addon, or from the end of a thread');
    expect(say({ mainLoads: crash, imageKept: clean })).toBe(
      'It is gone when the image stays in memory after its last user.',
    );
    expect(say({ mainLoads: crash, imageKept: crash })).toBe('');
    expect(say({ mainLoads: { runs: 0, hits: 0 } })).toBe('');
    // A write that the guard library sees is not the crash that the kept image was to prevent.
    expect(isSameCrash('memory-fault', 'guard-page')).toBe(false);
    expect(isSameCrash('guard-page', 'guard-page')).toBe(true);
    expect(isSameCrash('memory-fault', 'trap')).toBe(true);
  });

  it('by a crash on a system where the theory does not hold', () => {
    expect(refuteElsewhere(crashed({ cause: 'thread-local-destructor' }), 'linux-x64')).toMatch(
      /another cause\. A thread-local destructor/,
    );
  });

  it('by many clean runs, and never by few', () => {
    const clean: Evidence = {
      verdict: 'not-reproduced',
      scenario: 'import',
      runs: 20,
      hits: 0,
      excludedRate: 0.14,
      platform: 'linux-x64',
    };
    expect(describeCleanRefutation('allocator-in-addon', clean)).toContain('20 runs were clean');
    expect(describeCleanRefutation('allocator-in-addon', { ...clean, runs: 3, excludedRate: 0.63 })).toBeUndefined();
    expect(describeCleanRefutation('buffer-off-thread', clean)).toBeUndefined();
  });
});

it('does not confirm a finding by the changed value of a call that does not reach it', () => {
  const hit = { class: 'changed-value' as const, stage: 'done', exitCode: 0, signal: null, lines: [] };
  const changed = (detail: string): ScenarioReport => crashed({ name: 'mutate', hit: { ...hit, detail } });
  const reached = finding('buffer-off-thread', { reachableFrom: [{ rust: 'hash', js: 'hash' }] });
  const of = (detail: string): Evidence => judge(reached, { report: changed(detail), platform: 'linux-x64' });
  expect(of("'hash' returned another value")).toMatchObject({ verdict: 'confirmed', attributed: true });
  expect(of("'verify' returned another value")).toMatchObject({
    verdict: 'not-run',
    reason: 'the run points at another finding, which hides this one',
  });
  // What a driver calls is not known.
  expect(of("'call 3' returned another value")).toMatchObject({ verdict: 'confirmed', attributed: false });
});

it('ends a verification with 2 only when nothing could be run', () => {
  const open = finding('buffer-off-thread', { evidence: [{ verdict: 'not-run', reason: 'not run' }] });
  const clean = finding('buffer-off-thread', { evidence: [{ verdict: 'not-reproduced' }] });
  expect(exitCodeOf({ findings: [open], error: 'none was opened' }, true)).toBe(2);
  expect(exitCodeOf({ findings: [open] }, false)).toBe(2);
  expect(exitCodeOf({ findings: [open] }, true)).toBe(0);
  expect(exitCodeOf({ findings: [open, clean], error: 'none was opened' }, true)).toBe(0);
});

it('compares paths from their end, and never by the file name alone', () => {
  expect(isSamePath('/build/napi/src/lib.rs', 'napi/src/lib.rs')).toBe(true);
  expect(isSamePath('src/lib.rs', 'napi/src/lib.rs')).toBe(true);
  expect(isSamePath('C:\\x\\src\\lib.rs', 'src/lib.rs')).toBe(true);
  expect(isSamePath('lib.rs', 'napi/src/lib.rs')).toBe(false);
  expect(isSamePath('other/src/lib.rs', 'napi/src/lib.rs')).toBe(false);
});

describe('verifying', () => {
  const scenariosOfRule = (ruleId: string): readonly string[] =>
    ruleId === 'buffer-off-thread' ? ['mutate', 'detach'] : ['import', 'nonsense'];

  it('plans each scenario once, and restricts calls only when every finding says how it is reached', () => {
    const reachable = finding('buffer-off-thread', { reachableFrom: [{ rust: 'a', js: 'Pool.sum' }] });
    const [mutate, detach, load] = planVerification([reachable, finding('unpinned-addon')], scenariosOfRule, false);
    expect(mutate).toMatchObject({ scenario: 'mutate', exports: ['Pool'] });
    expect(detach?.scenario).toBe('detach');
    expect(load).toEqual({ scenario: 'import', findings: [finding('unpinned-addon')] });
    const [open] = planVerification([reachable, { ...reachable, reachableFrom: [] }], scenariosOfRule, false);
    expect(open?.exports).toBeUndefined();
    expect(planVerification([reachable], scenariosOfRule, true)).toEqual([]);
  });

  it('gives every finding back unchanged but for its evidence', async () => {
    const findings = [finding('unpinned-addon'), finding('buffer-off-thread', { severity: 'error' })];
    const result = await verify({ findings, scenariosOfRule, repro: undefined, host: linux, stored: [], target: '' });
    expect(result.findings).toMatchObject(findings);
    expect(result.findings).toHaveLength(findings.length);
    expect(result.findings.map(({ evidence }) => evidence?.[0]?.verdict)).toEqual(['not-run', 'not-run']);
  });

  it('uses stored evidence of this system and runs nothing for it', async () => {
    const [item] = [finding('unpinned-addon')];
    const source = { target: 'x@1', platform: 'linux-x64', toolVersion: '1', when: '2026-01-01T00:00:00Z' };
    const entry = toEntry(
      item,
      { verdict: 'confirmed', scenario: 'import', runs: 3, hits: 3, platform: 'linux-x64' },
      source,
    );
    const stored = await verify({
      findings: [item],
      scenariosOfRule,
      repro: undefined,
      host: linux,
      stored: [entry],
      target: 'x@1',
    });
    expect(stored).toMatchObject({
      reused: 1,
      judged: [],
      findings: [{ evidence: [{ verdict: 'confirmed', hits: 3 }] }],
    });
    const elsewhere = await verify({
      findings: [item],
      scenariosOfRule,
      repro: undefined,
      host: { platform: 'darwin', arch: 'arm64' },
      stored: [entry],
      target: 'x@1',
    });
    expect(elsewhere.reused).toBe(0);
    const refuted = toEntry(
      item,
      { verdict: 'not-run', reason: 'r', refutes: 'another cause', platform: 'linux-x64' },
      source,
    );
    const again = await verify({
      findings: [item],
      scenariosOfRule,
      repro: undefined,
      host: linux,
      stored: [refuted],
      target: 'x@1',
    });
    expect(again).toMatchObject({ reused: 1, findings: [{ evidence: [{ refutes: 'another cause' }] }] });
  });
});

describe('the evidence file', () => {
  it('keeps everything, and tells a broken one in a sentence', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
    try {
      const path = join(folder, 'sub', 'evidence.json');
      expect(readEvidenceFile(path)).toEqual({ entries: [] });
      const evidence: Evidence = {
        verdict: 'confirmed',
        scenario: 'detach',
        amplifier: 'guard-pages',
        runs: 3,
        hits: 2,
        rate: [0.2, 0.9],
        crashClass: 'guard-page',
        attributed: true,
        platform: 'linux-x64',
        artifacts: ['a'],
        lines: ['b'],
        reason: 'r',
        refutes: 'x',
        excludedRate: 0.5,
      };
      const entry = toEntry(finding('buffer-off-thread'), evidence, {
        target: 't',
        platform: 'linux-x64',
        toolVersion: '0',
        when: 'now',
      });
      writeEvidenceFile(path, [entry]);
      const read = readEvidenceFile(path);
      if ('error' in read) throw new Error(read.error);
      expect(read.entries.map(fromEntry)).toEqual([evidence]);
      writeFileSync(path, 'nonsense');
      expect(readEvidenceFile(path)).toEqual({ error: expect.stringContaining('is not JSON') });
      writeFileSync(path, '{ "schema": 2, "entries": [] }');
      expect(readEvidenceFile(path)).toEqual({ error: expect.stringContaining("not of version 1 at 'schema'") });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
