import { describe, expect, it } from 'vitest';
import { reportTerminal } from '../../src/report/terminal.js';
import { findingOf, inputOf, pool, poolFinding, stepAt } from './sample.js';

/** The report without the final help and summary lines, which the first test pins. */
function frameOf(...args: Parameters<typeof inputOf>): string {
  const [findings, texts, more] = args;
  const text = reportTerminal(inputOf(findings, texts, { ...more, options: { quiet: true, ...more?.options } }));
  return `\n${text.replace(/^ *= help: .*\n/gmu, '')}`;
}

it('draws one frame per finding with a label per step, the page and a summary', () => {
  expect(`\n${reportTerminal(inputOf([poolFinding], { 'source/pool.d': pool }))}`).toBe(`
warning[pointer-into-growable]: Pointer into 'jobs' is returned, and 'jobs' grows in 'Pool.add'.
 --> source/pool.d:5:16
  |
2 |     Job[] jobs;
  |           ----- 1. declare: 'jobs' is a growable array of values.
...
5 |         return &jobs[head];
  |                ^^^^^^^^^^^ 2. escape: Its address is returned.
...
9 |         jobs ~= job;
  |         ----------- 3. grow: The append may move the block; the old one is stale.
  |
  = help: lifetime-lint explain pointer-into-growable  https://unpkg.com/lifetime-lint/docs/rules/pointer-into-growable.md

1 warning in 214 files, 0.4 s
`);
});

describe('frames', () => {
  it('name the other files of a path', () => {
    const other = 'fn add(&mut self) {\n    self.jobs.push(job);\n}\n';
    const own = 'let p = self.jobs.as_ptr();\n';
    const finding = findingOf(
      [
        stepAt('src/a.rs', own, 'self.jobs.as_ptr()', 'borrow', 'Taken here.'),
        stepAt('src/b.rs', other, 'self.jobs.push(job)', 'grow', 'Grows here.'),
      ],
      0,
    );
    expect(frameOf([finding], { 'src/a.rs': own, 'src/b.rs': other })).toBe(`
warning[pointer-into-growable]: Pointer into 'jobs' is returned, and 'jobs' grows in 'Pool.add'.
 --> src/a.rs:1:9
  |
1 | let p = self.jobs.as_ptr();
  |         ^^^^^^^^^^^^^^^^^^ 1. borrow: Taken here.
 ::: src/b.rs:2:5
  |
2 |     self.jobs.push(job);
  |     ------------------- 2. grow: Grows here.
  |
`);
  });

  it('put several labels of one line below each other', () => {
    const text = 'use(take(&buf), buf.push(1));\n';
    const finding = findingOf(
      [
        stepAt('a.rs', text, '&buf', 'borrow', 'first'),
        stepAt('a.rs', text, 'buf.push(1)', 'grow', 'second'),
        stepAt('a.rs', text, 'use', 'use', 'third'),
      ],
      2,
    );
    expect(frameOf([finding], { 'a.rs': text })).toBe(`
warning[pointer-into-growable]: Pointer into 'jobs' is returned, and 'jobs' grows in 'Pool.add'.
 --> a.rs:1:1
  |
1 | use(take(&buf), buf.push(1));
  | ^^^      ----   ----------- 2. grow: second
  | |        |
  | |        1. borrow: first
  | 3. use: third
  |
`);
  });

  it('keep the order of steps that begin at the same place', () => {
    const text = 'return buf.as_ptr();\n';
    const finding = findingOf(
      [stepAt('a.rs', text, 'buf.as_ptr()', 'borrow', 'first'), stepAt('a.rs', text, 'buf', 'escape', 'second')],
      1,
    );
    expect(frameOf([finding], { 'a.rs': text })).toContain(`
1 | return buf.as_ptr();
  |        ^^^^^^^^^^^^
  |        |
  |        1. borrow: first
  |        2. escape: second
`);
  });

  it('underline the location itself when no step starts there', () => {
    const text = 'a();\nb(c);\n';
    const finding = findingOf([stepAt('a.rs', text, 'c', 'use', 'Used.')], 0, {
      location: { path: 'a.rs', startLine: 1, startColumn: 1, endLine: 2, endColumn: 3 },
    });
    expect(frameOf([finding], { 'a.rs': text })).toContain(`
1 | a();
  | ^^^^
2 | b(c);
  |   - use: Used.
`);
  });

  it('widen tabs and count wide and combining characters', () => {
    const text = '\tlet 名前 = "e\u0301😀"; p.use();\n';
    const finding = findingOf([stepAt('a.rs', text, 'p.use()', 'use', 'Used.')], 0);
    const [, source, marks] = /\n(1 \|.*)\n(.*)\n/u.exec(frameOf([finding], { 'a.rs': text })) ?? [];
    expect(source).toBe('1 |     let 名前 = "e\u0301😀"; p.use();');
    // 4 (tab) + `let ` 4 + 4 (two wide) + ` = "` 4 + 1 + 2 + `"; ` 3 = 22 columns before the call.
    expect(marks).toBe(`  | ${' '.repeat(22)}^^^^^^^ use: Used.`);
  });

  it('clip long lines around the labels', () => {
    const text = `${'x'.repeat(500)} p.use() ${'y'.repeat(500)}\n`;
    const finding = findingOf([stepAt('a.rs', text, 'p.use()', 'use', 'Used.')], 0);
    const [, source = '', marks = ''] =
      /\n(1 \|.*)\n(.*)\n/u.exec(frameOf([finding], { 'a.rs': text }, { options: { columns: 60 } })) ?? [];
    expect(source.length).toBeLessThanOrEqual(60);
    expect(source).toMatch(/^1 \| …x+ p\.use\(\) y+…$/u);
    expect(marks.indexOf('^')).toBe(source.indexOf('p.use()'));
  });

  it.each([0, 1])('are the same for a line that is longer than what is looked at (%d units more before)', (more) => {
    const frame = (far: number) => {
      const text = `${'b'.repeat(more)}${'😀'.repeat(far)} let a = p.at(); p.use(); ${'é'.repeat(far)}\n`;
      const steps = [
        stepAt('a.rs', text, 'p.use()', 'use', 'Used.'),
        stepAt('a.rs', text, 'p.at()', 'borrow', 'Borrowed.'),
      ];
      const shown = frameOf([findingOf(steps, 0)], { 'a.rs': text }, { options: { columns: 60 } });
      return shown.slice(shown.indexOf('\n1 |'));
    };
    expect(frame(500)).toMatch(/^\n1 \| …[😀 ]+ let a = p\.at\(\); p\.use\(\); é+…\n[^]*\^{7} 1\. use: Used/u);
    expect(frame(50_000)).toBe(frame(500));
  });

  it.each([120, 300, 10_000])('show where a long line is cut when the terminal has %d columns', (columns) => {
    const text = `${'b'.repeat(columns + 4_000)} p.use(); ${'c'.repeat(columns + 4_000)}\n`;
    const shown = frameOf(
      [findingOf([stepAt('a.rs', text, 'p.use()', 'use', 'Used.')], 0)],
      { 'a.rs': text },
      {
        options: { columns },
      },
    );
    expect(shown).toMatch(/^1 \| …b{10} p\.use\(\); c+…$/mu);
  });

  it('cannot be driven by control characters of a source', () => {
    const text = '// \u001b[2J\u202e evil\n';
    const finding = findingOf([stepAt('a.rs', text, 'evil', 'use', 'Es\u001bcape.')], 0, { message: 'A\u0007b.' });
    const frame = frameOf([finding], { 'a.rs': text });
    expect(frame).not.toMatch(/[\u001b\u202e\u0007]/u);
    expect(frame).toContain('␛[2J');
  });

  it('list the notes of a file that can no longer be read', () => {
    expect(frameOf([poolFinding], {})).toContain(' --> source/pool.d:5:16\n  | 1. declare');
  });

  it('show what else is known', () => {
    const finding = {
      ...poolFinding,
      confidence: 'medium' as const,
      targets: ['a-1', 'a-2', 'a-3', 'a-4', 'a-5', 'a-6', 'a-7', 'a-8'],
      reachableFrom: [{ rust: 'next_job', js: 'nextJob' }],
      fixedIn: 'napi 3.1.0',
      evidence: [{ verdict: 'confirmed' as const, runs: 20, hits: 3, scenario: 'import', crashClass: 'SIGSEGV' }],
    };
    expect(frameOf([finding], { 'source/pool.d': pool })).toContain(
      [
        '  = confidence: medium',
        '  = targets: a-1, a-2, a-3, a-4, a-5, a-6 and 2 more',
        "  = reachable: 'next_job' is 'nextJob' in JavaScript.",
        '  = fixed in: napi 3.1.0',
        "  = evidence: Confirmed in 3 of 20 runs with scenario 'import' (SIGSEGV).",
      ].join('\n'),
    );
  });
});

describe('the rest of the report', () => {
  it('groups gaps, five of a kind at most', () => {
    const gaps = Array.from({ length: 7 }, (_, index) => ({
      kind: 'macro-body' as const,
      path: 'a.rs',
      line: index + 1,
      message: 'The body is not read.',
    }));
    const text = reportTerminal(inputOf([], {}, { gaps }));
    expect(text).toBe(`gap[macro-body]: macro body not read, 7 places
  a.rs:1: The body is not read.
  a.rs:2: The body is not read.
  a.rs:3: The body is not read.
  a.rs:4: The body is not read.
  a.rs:5: The body is not read.
  and 2 more, listed by --format json.

No findings, 7 gaps in 214 files, 0.4 s
`);
  });

  it('shows suppressed findings only when asked', () => {
    const suppressed = [{ finding: poolFinding, by: 'comment' as const, reason: 'known' }];
    const texts = { 'source/pool.d': pool };
    expect(reportTerminal(inputOf([], texts, { suppressed }))).toBe('No findings, 1 suppressed in 214 files, 0.4 s\n');
    expect(frameOf([], texts, { suppressed, options: { reportSuppressed: true } })).toContain(
      '  = note: suppressed by comment: known\n',
    );
  });

  it('prints statistics', () => {
    expect(reportTerminal(inputOf([poolFinding], {}, { options: { statistics: true } }))).toContain(
      [
        'rule                   findings  suppressed      ms',
        'pointer-into-growable         1           0      12',
        '12 of 214 files parsed',
      ].join('\n'),
    );
  });

  it('has colours only when asked', () => {
    const texts = { 'source/pool.d': pool };
    const colored = reportTerminal(inputOf([poolFinding], texts, { options: { color: true } }));
    expect(colored).toContain('\u001b[');
    expect(colored.replace(/\u001b\[\d+m/gu, '')).toBe(reportTerminal(inputOf([poolFinding], texts)));
  });
});
