import { describe, expect, it } from 'vitest';
import { gapKinds } from '../../src/catalog/gap-kinds.js';
import type { Gap, GapKind } from '../../src/model/finding.js';
import { buildSarif, reportSarif, toUri } from '../../src/report/sarif.js';
import { findingOf, inputOf, pool, poolFinding, stepAt } from './sample.js';
import { prepareValidator, validateSarif } from './sarif-validator.js';

const texts = { 'source/pool.d': pool };
const validator = prepareValidator();
if ('reason' in validator) console.warn(`SARIF is not validated: ${validator.reason}.`);

function runOf(...args: Parameters<typeof inputOf>) {
  const [run] = buildSarif(inputOf(...args)).runs;
  if (run === undefined) throw new Error('no run');
  return run;
}

describe('a result', () => {
  const [result] = runOf([poolFinding], texts).results ?? [];

  it('has its rule, level, full region and relative URI', () => {
    expect(result).toMatchObject({
      ruleId: 'pointer-into-growable',
      ruleIndex: 1,
      level: 'warning',
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'source/pool.d' },
            region: { startLine: 5, startColumn: 16, endLine: 5, endColumn: 27, snippet: { text: '&jobs[head]' } },
          },
        },
      ],
    });
  });

  it('has its steps as a code flow, and links to those elsewhere', () => {
    const flow = result?.codeFlows?.[0]?.threadFlows[0]?.locations ?? [];
    expect(flow.map(({ kinds, location }) => [kinds, location?.physicalLocation?.region?.startLine])).toEqual([
      [['declare'], 2],
      [['escape'], 5],
      [['grow'], 9],
    ]);
    expect(result?.relatedLocations?.map(({ id, message }) => [id, message?.text])).toEqual([
      [1, "declare: 'jobs' is a growable array of values."],
      [2, 'grow: The append may move the block; the old one is stale.'],
    ]);
    expect(result?.message.text).toBe(`${poolFinding.message} Path: [declare](1), [grow](2).`);
  });

  it('has the fingerprint of the upload action and ours', () => {
    expect(result?.partialFingerprints).toEqual({
      primaryLocationLineHash: expect.stringMatching(/^[0-9a-f]{1,16}:1$/u),
      'lifetimeLint/v1': poolFinding.fingerprint,
    });
  });

  it('carries evidence as properties and in its message', () => {
    const evidence = [{ verdict: 'confirmed' as const, runs: 10, hits: 2, scenario: 'import', crashClass: 'SIGSEGV' }];
    const [other] = runOf([{ ...poolFinding, evidence }], texts).results ?? [];
    expect(other?.properties?.['evidence']).toEqual(evidence);
    expect(other?.message.text).toContain("Confirmed in 2 of 10 runs with scenario 'import' (SIGSEGV).");
  });

  it('escapes brackets of the source, so that they are no links', () => {
    const [other] = runOf([{ ...poolFinding, message: "'a[0](1)' is returned." }], texts).results ?? [];
    expect(other?.message.text).toMatch(/^'a\\\[0\\\]\(1\)' is returned\./u);
  });
});

describe('the run', () => {
  it('lists the whole rule set without findings, with a category that ends in a slash', () => {
    const run = runOf([], {});
    expect(run.tool.driver.rules?.map(({ id, name }) => [id, name])).toEqual([
      ['growth-while-borrowed', 'GrowthWhileBorrowed'],
      ['pointer-into-growable', 'PointerIntoGrowable'],
    ]);
    expect(run.results).toEqual([]);
    expect(run.automationDetails?.id).toMatch(/\/$/u);
    expect(run.columnKind).toBe('utf16CodeUnits');
  });

  it('describes rules for GitHub', () => {
    const rule = runOf([], {}).tool.driver.rules?.[1];
    expect(rule?.properties).toMatchObject({
      tags: ['security', 'memory-safety', 'rust', 'd', 'external/cwe/cwe-416', 'external/cwe/cwe-825'],
      precision: 'high',
      'problem.severity': 'warning',
      'security-severity': '6.3',
    });
    expect(rule?.help?.markdown).toContain('## What it catches');
    expect(rule?.help?.text).not.toMatch(/[#`]/u);
  });

  it('has rule texts that do not depend on the result', () => {
    expect(runOf([poolFinding], texts).tool).toEqual(runOf([], {}).tool);
  });

  it('lists gaps as notifications with descriptors', () => {
    const gaps = [
      { kind: 'parse-error' as const, path: 'src/a b.rs', line: 3, message: 'It is broken.' },
      { kind: 'internal' as const, path: '.', message: 'A rule failed.' },
    ];
    const run = runOf([], {}, { gaps });
    const [invocation] = run.invocations ?? [];
    expect(invocation?.executionSuccessful).toBe(false);
    const descriptors = run.tool.driver.notifications ?? [];
    expect(
      invocation?.toolExecutionNotifications?.map(({ descriptor, level, locations }) => [
        descriptors[descriptor?.index ?? -1]?.id,
        level,
        locations?.[0]?.physicalLocation?.artifactLocation?.uri,
      ]),
    ).toEqual([
      ['gap/parse-error', 'warning', 'src/a%20b.rs'],
      ['gap/internal', 'error', '.'],
    ]);
  });

  it('keeps suppressed findings out unless they are asked for', () => {
    const suppressed = [{ finding: poolFinding, by: 'comment' as const, reason: 'known' }];
    expect(runOf([], texts, { suppressed }).results).toEqual([]);
    const [result] = runOf([], texts, { suppressed, options: { reportSuppressed: true } }).results ?? [];
    expect(result?.suppressions).toEqual([{ kind: 'inSource', justification: 'known' }]);
  });

  it('keeps the most severe results within the limit, and says so', () => {
    const many = Array.from({ length: 5010 }, (_, index) => ({
      ...poolFinding,
      fingerprint: String(index),
      severity: index % 1000 === 0 ? ('error' as const) : ('note' as const),
    }));
    const run = runOf(many, texts);
    expect(run.results).toHaveLength(5000);
    expect(run.results?.filter(({ level }) => level === 'error')).toHaveLength(6);
    const [notification] = run.invocations?.[0]?.toolExecutionNotifications ?? [];
    expect(notification?.message.text).toMatch(/^10 of 5010 findings were left out/u);
  });
});

it('paths become relative URI references', () => {
  expect(toUri('src/a b/ü#?%.rs')).toBe('src/a%20b/%C3%BC%23%3F%25.rs');
  expect(toUri('c:x/a.rs')).toBe('c%3Ax/a.rs');
});

describe.skipIf('reason' in validator)('the official validator', () => {
  it('does find what GitHub would refuse', () => {
    if ('reason' in validator) throw new Error(validator.reason);
    const log = buildSarif(inputOf([poolFinding], texts));
    for (const result of log.runs[0]?.results ?? []) result.locations = [];
    expect(validateSarif(validator.path, JSON.stringify(log)).map(({ level }) => level)).toContain('error');
  });

  const kinds = Object.keys(gapKinds) as GapKind[];
  const gaps: readonly Gap[] = kinds.map((kind, index) => ({
    kind,
    path: kind === 'nothing-to-scan' ? '.' : 'src/lib ü.rs',
    ...(index % 2 === 0 ? { line: index + 1 } : {}),
    message: 'This was not read.',
  }));
  const own = 'let p = self.jobs[0].as_ptr(); // []\n';
  const other = 'self.jobs.push(job);\n';
  const crossFile = findingOf(
    [
      stepAt('src/a b.rs', own, 'self.jobs[0].as_ptr()', 'borrow', "Taken from 'jobs[0]'."),
      stepAt('src/b.rs', other, 'self.jobs.push(job)', 'grow', "'jobs' grows."),
    ],
    0,
    {
      targets: ['x86_64-pc-windows-msvc'],
      reachableFrom: [{ rust: 'next', js: 'next' }],
      fixedIn: 'napi 3.1.0',
      manifest: 'Cargo.toml',
      evidence: [{ verdict: 'not-reproduced', runs: 100, hits: 0, excludedRate: 0.03 }],
    },
  );
  const lone = { ...poolFinding, steps: [], fingerprint: 'f' };

  it.each([
    ['an empty result', inputOf([], {})],
    [
      'findings and gaps',
      inputOf([poolFinding, crossFile, lone], { ...texts, 'src/a b.rs': own, 'src/b.rs': other }, { gaps }),
    ],
    [
      'suppressed findings',
      inputOf([], texts, {
        suppressed: [
          { finding: poolFinding, by: 'comment', reason: 'known' },
          { finding: { ...poolFinding, fingerprint: 'g' }, by: 'baseline', reason: 'old' },
        ],
        options: { reportSuppressed: true },
      }),
    ],
  ])('has no error and no warning for %s', (_name, input) => {
    if ('reason' in validator) throw new Error(validator.reason);
    const found = validateSarif(validator.path, reportSarif(input));
    expect(found.filter(({ level }) => level === 'error' || level === 'warning')).toEqual([]);
  });
});
