import { describe, expect, it } from 'vitest';
import { collectFindings, fillMessage, finishFindings } from '../../src/engine/collect-findings.js';
import type { Finding } from '../../src/model/finding.js';
import { defineRule, type Rule } from '../../src/rules/rule.js';
import { wordRule } from './fake-rule.js';
import { fakeUnit } from './fake-unit.js';

function scan(texts: Readonly<Record<string, string>>, rule: Rule = wordRule('boom')): readonly Finding[] {
  return finishFindings(collectFindings([rule], fakeUnit(texts), () => true).drafts);
}

describe('positions', () => {
  it('are 1-based, in UTF-16 code units, with exclusive ends', () => {
    const [finding] = scan({ 'a.rs': 'x\r\n\t😀 boom\n' });
    expect(finding?.location).toEqual({ path: 'a.rs', startLine: 2, startColumn: 5, endLine: 2, endColumn: 9 });
    expect(finding?.steps).toEqual([
      { role: 'use', path: 'a.rs', line: 2, column: 5, endColumn: 9, note: "'boom' is read." },
    ]);
  });

  it('of a manifest line without columns span its text', () => {
    const rule = defineRule({
      ...wordRule('boom'),
      check({ report }) {
        report({ messageId: 'found', data: { word: 'boom' }, at: { path: 'Cargo.toml', line: 2 }, steps: [] });
      },
    });
    const [finding] = scan({ 'Cargo.toml': '[x]\n  boom = 1  \n' }, rule);
    expect(finding?.location).toMatchObject({ startLine: 2, startColumn: 3, endColumn: 11 });
  });
});

describe('what is reported', () => {
  it('drops reports in files that were not asked for', () => {
    const unit = fakeUnit({ 'a.rs': 'boom', 'b.rs': 'boom' });
    const { drafts } = collectFindings([wordRule('boom')], unit, (path) => path === 'b.rs');
    expect(finishFindings(drafts).map(({ location }) => location.path)).toEqual(['b.rs']);
  });

  it('goes to where the cause stands when only that file was asked for, once for all that it causes', () => {
    const rule = defineRule({
      ...wordRule('boom'),
      check({ report }) {
        for (const line of [1, 2]) {
          const data = { word: String(line) };
          report({
            messageId: 'found',
            data,
            at: { path: 'a.rs', line },
            orAt: { path: 'b.rs', line: 1 },
            steps: [],
            key: data.word,
          });
        }
      },
    });
    const unit = fakeUnit({ 'a.rs': 'boom\nboom', 'b.rs': 'boom' });
    const placesFor = (asked: readonly string[]) =>
      finishFindings(collectFindings([rule], unit, (path) => asked.includes(path)).drafts).map(
        ({ location }) => `${location.path}:${location.startLine}`,
      );
    expect(placesFor(['a.rs', 'b.rs'])).toEqual(['a.rs:1', 'a.rs:2']);
    expect(placesFor(['b.rs'])).toEqual(['b.rs:1']);
    expect(placesFor(['c.rs'])).toEqual([]);
  });

  it('tells a step once that a path has several times, and steps that say something else each', () => {
    const rule = defineRule({
      ...wordRule('boom'),
      check({ report }) {
        const at = { path: 'a.rs', line: 1 };
        const steps = [
          { ...at, role: 'use', note: 'It is read here.' },
          { path: 'a.rs', line: 2, role: 'use', note: 'It is read here.' },
          { ...at, role: 'use', note: 'It is read here.' },
          { ...at, role: 'release', note: 'It ends here.' },
        ] as const;
        report({ messageId: 'found', data: { word: 'x' }, at, steps });
      },
    });
    const [finding] = scan({ 'a.rs': 'boom\nboom' }, rule);
    expect(finding?.steps.map(({ line, role }) => `${line} ${role}`)).toEqual(['1 use', '2 use', '1 release']);
  });

  it('drops reports inside a function with a syntax error, and only there', () => {
    const findings = scan({ 'a.rs': 'fn broken! { boom }\nfn fine { boom }\n' });
    expect(findings.map(({ location }) => location.startLine)).toEqual([2]);
  });

  it('lowers reports in tests to notes', () => {
    const findings = scan({ 'a.rs': 'test fn t { boom }\nfn f { boom }\n' });
    expect(findings.map(({ severity }) => severity)).toEqual(['note', 'warning']);
  });

  it('keeps one finding for one cause, the more severe one, and unites the targets', () => {
    const rule = defineRule({
      ...wordRule('boom'),
      check({ report }) {
        const at = { path: 'a.rs', line: 1 };
        report({ messageId: 'found', data: { word: 'x' }, at, steps: [], severity: 'note', targets: ['a'] });
        report({ messageId: 'found', data: { word: 'y' }, at, steps: [], severity: 'error', targets: ['b'] });
      },
    });
    const findings = scan({ 'a.rs': 'boom' }, rule);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ severity: 'error', message: "'y' is used here.", targets: ['b', 'a'] });
  });

  it('sorts by path, line, column and rule', () => {
    const findings = scan({ 'b.rs': 'boom', 'a.rs': 'x boom boom\n', 'B.rs': 'boom' });
    expect(findings.map(({ location: { path, startColumn } }) => `${path}:${startColumn}`)).toEqual([
      'B.rs:1',
      'a.rs:3',
      'a.rs:8',
      'b.rs:1',
    ]);
  });

  it('turns a rule that throws into a gap, and keeps what it had found', () => {
    const rule = defineRule({
      ...wordRule('boom'),
      check({ report }) {
        report({ messageId: 'found', data: { word: 'x' }, at: { path: 'a.rs', line: 1 }, steps: [] });
        throw new Error('no such thing.\nat somewhere');
      },
    });
    const { drafts, gaps } = collectFindings([rule, wordRule('other')], fakeUnit({ 'a.rs': 'other' }), () => true);
    expect(finishFindings(drafts).map(({ ruleId }) => ruleId)).toEqual(['word-boom', 'word-other']);
    expect(gaps).toEqual([
      {
        kind: 'internal',
        path: '.',
        message:
          "Rule 'word-boom' failed on this unit (no such thing); its findings here are incomplete, please report this.",
      },
    ]);
  });
});

describe('fingerprints', () => {
  const text = 'fn f { boom }\nfn g { boom }\n';

  it('do not move with lines, indentation or changes elsewhere', () => {
    const before = scan({ 'a.rs': text }).map(({ fingerprint }) => fingerprint);
    const after = scan({ 'a.rs': `// more\n\n${text.replaceAll('{ boom', '{  \t boom')}fn h { }` });
    expect(after.map(({ fingerprint }) => fingerprint)).toEqual(before);
    expect(new Set(before).size).toBe(2);
  });

  it('tell equal lines of one function apart by their order', () => {
    const found = scan({ 'a.rs': 'fn f {\nboom\nboom\n}' }).map(({ fingerprint }) => fingerprint);
    const moved = scan({ 'a.rs': '\nfn f {\nboom\n\nboom\n}' }).map(({ fingerprint }) => fingerprint);
    expect(new Set(found).size).toBe(2);
    expect(moved).toEqual(found);
  });

  it('of a line that nobody writes are made of what stands around the finding', () => {
    const filler = 'x '.repeat(1_000);
    const of = (text: string) => scan({ 'a.rs': text }).map(({ fingerprint }) => fingerprint);
    const [first] = of(`${filler} near boom ${filler}`);
    expect(of(`${filler} near boom ${filler} elsewhere`)).toEqual([first]);
    expect(of(`${filler} other boom ${filler}`)).not.toEqual([first]);
  });

  it('change with the path, the function, the line and the key', () => {
    const base = scan({ 'a.rs': 'fn f { boom }' })[0]?.fingerprint;
    const others = [
      scan({ 'b.rs': 'fn f { boom }' }),
      scan({ 'a.rs': 'fn g { boom }' }),
      scan({ 'a.rs': 'fn f { a boom }' }),
    ].map((findings) => findings[0]?.fingerprint);
    expect(new Set([base, ...others]).size).toBe(4);
  });
});

describe('messages', () => {
  it('fill their holes with one-line text', () => {
    expect(fillMessage("'{a}' and {b}.", { a: 'x\n   y', b: 2 })).toBe("'x y' and 2.");
  });
});
