import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { gapKinds } from '../../src/catalog/gap-kinds.js';
import type { Finding, ScanResult } from '../../src/model/finding.js';
import { reportChecklist } from '../../src/report/checklist.js';
import { reportConcise } from '../../src/report/concise.js';
import { formatNames, formats, isFormatName } from '../../src/report/formats.js';
import { reportGithub } from '../../src/report/github.js';
import { reportGitlab } from '../../src/report/gitlab.js';
import { reportJson } from '../../src/report/json.js';
import { reportJunit } from '../../src/report/junit.js';
import { outputSchema } from '../../src/report/output-schema.js';
import { reportRdjson } from '../../src/report/rdjson.js';
import { findingOf, inputOf, pool, poolFinding, stepAt } from './sample.js';

const texts = { 'source/pool.d': pool };
const gaps = [{ kind: 'manifest' as const, path: 'dub.json', line: 2, message: 'It is broken.' }];
const suppressed = [{ finding: poolFinding, by: 'comment' as const, reason: 'known' }];

it('every format ends its text with a line break', async () => {
  for (const name of formatNames) {
    if (!isFormatName(name)) throw new Error(name);
    const report = await formats[name]();
    expect(report(inputOf([poolFinding], texts, { gaps })), name).toMatch(/\n$/u);
  }
});

describe('concise', () => {
  it('has one line per finding and gap, and the summary', () => {
    expect(reportConcise(inputOf([poolFinding], texts, { gaps, suppressed }))).toBe(
      `source/pool.d:5:16: warning[pointer-into-growable] ${poolFinding.message}
dub.json:2: gap[manifest] It is broken.
1 warning, 1 gap, 1 suppressed in 214 files, 0.4 s
`,
    );
  });

  it('is findings alone when quiet', () => {
    expect(reportConcise(inputOf([], texts, { gaps, options: { quiet: true } }))).toBe('');
  });
});

describe('json', () => {
  const full: Finding = {
    ...poolFinding,
    manifest: 'dub.json',
    targets: ['x86_64-pc-windows-msvc'],
    reachableFrom: [{ rust: 'a', js: 'b' }],
    fixedIn: 'napi 3.1.0',
    evidence: [{ verdict: 'not-run', reason: 'no scenario' }],
    related: ['f'],
  };

  it('is the result behind its schema number and the tool', () => {
    const input = inputOf([full], texts, { gaps, suppressed });
    expect(JSON.parse(reportJson(input))).toEqual({
      schema: 1,
      tool: { name: 'lifetime-lint', version: '0.1.0' },
      ...JSON.parse(JSON.stringify(input.result)),
    });
  });

  it('fits its schema, which knows every key and gap kind', () => {
    const everyGap = Object.keys(gapKinds).map((kind) => ({ kind, path: 'a', message: 'b' }));
    const written = { ...JSON.parse(reportJson(inputOf([full], texts, { gaps, suppressed }))), gaps: everyGap };
    expect(v.parse(outputSchema, written)).toEqual(written);
    expect(v.safeParse(outputSchema, { ...written, schema: 2 }).success).toBe(false);
  });

  it('has the types of the model', () => {
    type Written = v.InferOutput<typeof outputSchema>;
    expectTypeOf<keyof Written['findings'][number]>().toEqualTypeOf<keyof Finding>();
    expectTypeOf<Exclude<keyof Written, 'schema' | 'tool'>>().toEqualTypeOf<keyof ScanResult>();
  });
});

describe('github', () => {
  it('writes workflow commands, the worst first', () => {
    const error = { ...poolFinding, severity: 'error' as const, message: '100 %\nsure: a, b.' };
    const spread = {
      ...poolFinding,
      severity: 'note' as const,
      location: { ...poolFinding.location, path: 'a,b:c.d', endLine: 7 },
    };
    expect(reportGithub(inputOf([spread, poolFinding, error], texts, { gaps }))).toBe(
      [
        '::error file=source/pool.d,line=5,endLine=5,col=16,endColumn=27,title=pointer-into-growable::100 %25%0Asure: a, b.',
        `::warning file=source/pool.d,line=5,endLine=5,col=16,endColumn=27,title=pointer-into-growable::${poolFinding.message}`,
        `::notice file=a%2Cb%3Ac.d,line=5,endLine=7,title=pointer-into-growable::${poolFinding.message}`,
        '::notice title=Not seen::dub.json:2: It is broken.',
        '',
      ].join('\n'),
    );
  });
});

it('gitlab has the keys of a code quality report', () => {
  expect(JSON.parse(reportGitlab(inputOf([poolFinding], texts)))).toEqual([
    {
      description: poolFinding.message,
      check_name: 'pointer-into-growable',
      fingerprint: poolFinding.fingerprint,
      severity: 'major',
      location: { path: 'source/pool.d', lines: { begin: 5, end: 5 } },
    },
  ]);
});

it('rdjson counts bytes', () => {
  const text = 'let 名 = "é"; p.use();\n';
  const finding = findingOf([stepAt('a.rs', text, 'p.use()', 'use', 'Used.')], 0);
  expect(finding.location.startColumn).toBe(14);
  const { diagnostics }: { diagnostics: unknown[] } = JSON.parse(reportRdjson(inputOf([finding], { 'a.rs': text })));
  const range = { start: { line: 1, column: 17 }, end: { line: 1, column: 24 } };
  expect(diagnostics).toEqual([
    {
      message: finding.message,
      location: { path: 'a.rs', range },
      severity: 'WARNING',
      code: { value: finding.ruleId, url: 'https://unpkg.com/lifetime-lint/docs/rules/pointer-into-growable.md' },
      related_locations: [{ message: 'use: Used.', location: { path: 'a.rs', range } }],
    },
  ]);
});

describe('junit', () => {
  it('fails for findings, passes for notes, skips for gaps', () => {
    const note = { ...poolFinding, severity: 'note' as const, steps: [] };
    const odd = { ...poolFinding, steps: [], message: 'a < b & "c" \u001b.' };
    expect(reportJunit(inputOf([odd, note], texts, { gaps }))).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="lifetime-lint">
<testsuite name="source/pool.d" tests="2" failures="1" errors="0" skipped="0">
<testcase classname="source/pool.d" name="pointer-into-growable at line 5"><failure type="warning" message="a &lt; b &amp; &quot;c&quot; \ufffd.">a &lt; b &amp; &quot;c&quot; \ufffd.</failure></testcase>
<testcase classname="source/pool.d" name="pointer-into-growable at line 5"><system-out>${poolFinding.message}</system-out></testcase>
</testsuite>
<testsuite name="What was not seen" tests="1" failures="0" errors="0" skipped="1">
<testcase classname="dub.json" name="gap manifest at line 2"><skipped message="It is broken."/></testcase>
</testsuite>
</testsuites>
`);
  });

  it('has one passing case when there is nothing to say', () => {
    expect(reportJunit(inputOf([], {}))).toContain('<testcase classname="lifetime-lint" name="No findings"/>');
  });
});

describe('checklist', () => {
  it('asks one question per finding and ticks nothing', () => {
    const text = reportChecklist(inputOf([poolFinding], texts, { gaps, suppressed }));
    expect(text).toBe(`# Lifetime review

**1 warning, 1 gap** in 214 files. 1 suppressed.

## warning: \`source/pool.d:5\`

<!-- lifetime-lint:0123456789abcdef -->
Pointer into 'jobs' is returned, and 'jobs' grows in 'Pool.add'. ([\`pointer-into-growable\`](https://unpkg.com/lifetime-lint/docs/rules/pointer-into-growable.md))

1. *declare* \`source/pool.d:2\`: 'jobs' is a growable array of values.
2. *escape* \`source/pool.d:5\`: Its address is returned.
3. *grow* \`source/pool.d:9\`: The append may move the block; the old one is stale.

- [ ] Does every pointer into this array die before the next append?
- Justification:

## What was not seen

- \`dub.json:2\`: It is broken.
`);
    expect(text).not.toMatch(/\[x\]/iu);
  });

  it('lets nothing of a source become markup', () => {
    const text = reportChecklist(
      inputOf([{ ...poolFinding, message: 'A <img src=x> @someone *b* `c`.', steps: [] }], texts),
    );
    expect(text).toContain('A \\<img src=x\\> @\u200bsomeone \\*b\\* \\`c\\`.');
  });

  it('says when nothing was found', () => {
    expect(reportChecklist(inputOf([], {}))).toBe('# Lifetime review\n\n**Nothing was found** in 214 files.\n');
  });
});
