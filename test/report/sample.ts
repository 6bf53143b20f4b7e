import { buildCatalog } from '../../src/catalog/catalog.js';
import type { Finding, Gap, Role, ScanResult, Step } from '../../src/model/finding.js';
import type { RuleMeta } from '../../src/model/rule.js';
import type { ReportInput, ReportOptions } from '../../src/report/report.js';

const meta: RuleMeta = {
  id: 'pointer-into-growable',
  title: 'Pointer into growable storage',
  summary: 'A pointer into an array leaves its owner, and the array grows.',
  languages: ['rust', 'd'],
  severity: 'warning',
  confidence: 'high',
  audience: 'everyone',
  maturity: 'stable',
  since: '0.1.0',
  cwe: ['CWE-416', 'CWE-825'],
  messages: { returned: "Pointer into '{owner}' is returned, and '{owner}' grows in '{grower}'." },
  checklist: 'Does every pointer into this array die before the next append?',
  scenarios: [],
};

export const sampleMetas: readonly RuleMeta[] = [
  meta,
  { ...meta, id: 'growth-while-borrowed', title: 'Growth while borrowed', severity: 'error', cwe: ['CWE-416'] },
];

export const samplePage = `# pointer-into-growable

## What it catches

The address of an element \`&jobs[i]\` leaves its owner.

## Why it matters

Growth moves the block.

## Fix

Use an index.

## Known limits

None.

## When to allow it

Never.

## References

- [CWE-416](https://cwe.mitre.org/data/definitions/416.html)
`;

/** The place of the `nth` occurrence of `word` as a step. */
export function stepAt(path: string, text: string, word: string, role: Role, note: string, nth = 0): Step {
  let at = text.indexOf(word);
  for (let index = 0; index < nth; index++) at = text.indexOf(word, at + 1);
  if (at < 0) throw new Error(`'${word}' is not in ${path}`);
  const before = text.slice(0, at).split('\n');
  const column = (before.at(-1) ?? '').length + 1;
  return { role, path, line: before.length, column, endColumn: column + word.length, note };
}

/** A finding whose primary location is its step `primary`. */
export function findingOf(steps: readonly Step[], primary: number, overrides: Partial<Finding> = {}): Finding {
  const step = steps[primary];
  if (step === undefined) throw new Error('no such step');
  return {
    fingerprint: '0123456789abcdef',
    ruleId: meta.id,
    messageId: 'returned',
    message: "Pointer into 'jobs' is returned, and 'jobs' grows in 'Pool.add'.",
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    unit: '',
    location: {
      path: step.path,
      startLine: step.line,
      startColumn: step.column,
      endLine: step.line,
      endColumn: step.endColumn ?? step.column + 1,
    },
    steps,
    ...overrides,
  };
}

export function inputOf(
  findings: readonly Finding[],
  texts: Readonly<Record<string, string>>,
  more: {
    readonly gaps?: readonly Gap[];
    readonly suppressed?: ScanResult['suppressed'];
    readonly options?: Partial<ReportOptions>;
  } = {},
): ReportInput {
  return {
    result: {
      base: '/somewhere',
      findings,
      gaps: more.gaps ?? [],
      suppressed: more.suppressed ?? [],
      stats: { files: 214, parsed: 12, milliseconds: 400, perRule: { 'pointer-into-growable': 12.4 } },
    },
    catalog: buildCatalog(sampleMetas, (id) => (id === meta.id ? samplePage : undefined)),
    tool: { name: 'lifetime-lint', version: '0.1.0' },
    textOf: (path) => texts[path],
    options: { color: false, columns: 100, quiet: false, reportSuppressed: false, statistics: false, ...more.options },
  };
}

export const pool = `struct Pool {
    Job[] jobs;

    Job* next() {
        return &jobs[head];
    }

    void add(Job job) {
        jobs ~= job;
    }
}
`;

export const poolFinding = findingOf(
  [
    stepAt('source/pool.d', pool, 'jobs;', 'declare', "'jobs' is a growable array of values."),
    stepAt('source/pool.d', pool, '&jobs[head]', 'escape', 'Its address is returned.'),
    stepAt('source/pool.d', pool, 'jobs ~= job', 'grow', 'The append may move the block; the old one is stale.'),
  ],
  1,
);
