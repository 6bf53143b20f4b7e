import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/model/finding.js';
import { applySuppressions, type SuppressionInput } from '../../src/suppress/apply-suppressions.js';

function finding(ruleId: string, line: number, fingerprint = `${ruleId}-${line}`): Finding {
  return {
    fingerprint,
    ruleId,
    messageId: 'found',
    message: 'It is here.',
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    unit: '',
    location: { path: 'a.toml', startLine: line, startColumn: 1, endLine: line, endColumn: 2 },
    steps: [],
  };
}

function apply(text: string, findings: readonly Finding[], overrides: Partial<SuppressionInput> = {}) {
  const { kept, suppressed, problems } = applySuppressions(findings, {
    files: [{ path: 'a.toml', text }],
    knownIds: ['rule-a', 'rule-b', 'suppression'],
    active: new Set(['rule-a', 'rule-b']),
    isIncomplete: () => false,
    configured: [],
    baseline: new Map(),
    ...overrides,
  });
  return {
    kept: kept.map(({ fingerprint }) => fingerprint),
    suppressed: suppressed.map(({ finding: { fingerprint }, by, reason }) => `${fingerprint} ${by} ${reason}`),
    problems: problems.map(({ messageId, data }) => [messageId, data]),
  };
}

describe('comments', () => {
  it('suppress the named rule on their lines only', () => {
    const text = 'x # lifetime-lint: allow(rule-a) -- known\ny\n';
    expect(apply(text, [finding('rule-a', 1), finding('rule-b', 1), finding('rule-a', 2)])).toEqual({
      kept: ['rule-b-1', 'rule-a-2'],
      suppressed: ['rule-a-1 comment known'],
      problems: [],
    });
  });

  it('suppress a whole file', () => {
    const text = '# lifetime-lint: allow-file(rule-a) -- generated\nx\ny\n';
    expect(apply(text, [finding('rule-a', 2), finding('rule-a', 3)]).kept).toEqual([]);
  });

  it('are reported for each id that matches nothing', () => {
    const text = 'x # lifetime-lint: allow(rule-a, rule-b) -- known\n';
    expect(apply(text, [finding('rule-a', 1)]).problems).toEqual([['unused', { id: 'rule-b' }]]);
  });

  it('are not called unused when their rule did not run or the file was not seen whole', () => {
    const text = 'x # lifetime-lint: allow(rule-a) -- known\n';
    expect(apply(text, [], { active: new Set(['rule-b']) }).problems).toEqual([]);
    expect(apply(text, [], { isIncomplete: () => true }).problems).toEqual([]);
  });

  it('that name no rule are reported with the nearest one', () => {
    const text = 'x # lifetime-lint: allow(rule-c) -- known\n';
    expect(apply(text, []).problems).toEqual([['unknown', { id: 'rule-c', hint: "; the nearest is 'rule-a'" }]]);
  });

  it('without a reason suppress nothing', () => {
    const text = 'x # lifetime-lint: allow(rule-a)\n';
    expect(apply(text, [finding('rule-a', 1)])).toEqual({
      kept: ['rule-a-1'],
      suppressed: [],
      problems: [['reasonless', { ids: 'rule-a' }]],
    });
  });

  it('may allow a useless suppression', () => {
    const text = 'x # lifetime-lint: allow(rule-a, suppression) -- only on Windows\n';
    expect(apply(text, []).problems).toEqual([]);
  });
});

const entry = { path: '*.toml', reason: 'known', line: 3, column: 5, endColumn: 9, source: undefined };

it('an entry of the configuration that matches no finding is reported', () => {
  const idle = { ...entry, id: 'rule-a', matches: () => true, source: 'c.json' };
  const { problems } = applySuppressions([], {
    files: [],
    knownIds: ['rule-a', 'rule-b'],
    active: new Set(['rule-a']),
    isIncomplete: () => false,
    configured: [idle, { ...idle, id: 'rule-b' }, { ...idle, source: undefined }],
    baseline: new Map(),
  });
  expect(problems).toEqual([
    {
      path: 'c.json',
      place: { line: 3, column: 5, endColumn: 9 },
      messageId: 'idle',
      data: { id: 'rule-a', pattern: '*.toml' },
    },
  ]);
});

it('the configuration suppresses by rule and path', () => {
  const configured = [
    { ...entry, id: 'rule-a', matches: (path: string) => path === 'a.toml' },
    { ...entry, id: 'rule-b', matches: () => false },
  ];
  expect(apply('', [finding('rule-a', 1), finding('rule-b', 1)], { configured })).toEqual({
    kept: ['rule-b-1'],
    suppressed: ['rule-a-1 configuration known'],
    problems: [],
  });
});

it('the baseline suppresses by fingerprint', () => {
  const baseline = new Map([['f1', 'base.json']]);
  const findings = [finding('rule-a', 1, 'f1'), finding('rule-a', 2, 'f2')];
  expect(apply('', findings, { baseline })).toEqual({
    kept: ['f2'],
    suppressed: ["f1 baseline It is in 'base.json'."],
    problems: [],
  });
});
