import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { gapKinds } from '../../src/catalog/gap-kinds.js';
import type { Finding, ScanResult } from '../../src/model/finding.js';
import { reportChecklist } from '../../src/report/checklist.js';
import { reportConcise } from '../../src/report/concise.js';
import { formatNames, formats, isFormatName } from '../../src/report/formats.js';
import { reportJson } from '../../src/report/json.js';
import { outputSchema } from '../../src/report/output-schema.js';
import { inputOf, pool, poolFinding } from './sample.js';

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
