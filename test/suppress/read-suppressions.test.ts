import { describe, expect, it } from 'vitest';
import { readSuppressions, type CommentedFile } from '../../src/suppress/read-suppressions.js';

/** A file whose `//`, `/* *\/` and `#` comments are known, as from a language pack. */
function parsed(path: string, text: string): CommentedFile {
  const comments = [...text.matchAll(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[^]*?\*\/|\/\+[^]*?\+\//gu)]
    .filter((match) => !match[0].startsWith('"'))
    .map((match) => ({ span: { start: match.index, end: match.index + match[0].length } }));
  return { path, text, comments };
}

function linesOf(file: CommentedFile) {
  return readSuppressions(file).suppressions.map(({ ids, lines, reason }) => ({ ids, lines, reason }));
}

function problemsOf(file: CommentedFile) {
  return readSuppressions(file).problems.map(({ messageId, data, place }) => ({ messageId, data, line: place.line }));
}

describe('a comment covers', () => {
  it('its own line when it stands behind code', () => {
    const text = 'let a = 1;\nlet b = 2; // lifetime-lint: allow(x-y) -- known\nlet c = 3;\n';
    for (const file of [parsed('a.rs', text), { path: 'a.rs', text }]) {
      expect(linesOf(file)).toEqual([{ ids: ['x-y'], lines: { first: 2, last: 2 }, reason: 'known' }]);
    }
  });

  it('the next line of code, over blank lines, comments and attributes', () => {
    const text = [
      '// lifetime-lint: allow(a, b) -- two rules',
      '// more words',
      '',
      '#[global_allocator]',
      '#[cfg(all(',
      '  unix,',
      '))]',
      'static A: X = X;',
      'static B: X = X;',
    ].join('\n');
    for (const file of [parsed('a.rs', text), { path: 'a.rs', text }]) {
      expect(linesOf(file)).toEqual([{ ids: ['a', 'b'], lines: { first: 1, last: 8 }, reason: 'two rules' }]);
    }
  });

  it('the line of an attribute with its item behind it', () => {
    const text = '// lifetime-lint: allow(a) -- r\n#[napi] pub fn f() {}\nfn g() {}\n';
    expect(linesOf(parsed('a.rs', text))[0]?.lines).toEqual({ first: 1, last: 2 });
  });

  it('the next line of D code over attributes on lines of their own', () => {
    const text = '/+ lifetime-lint: allow(a) -- r +/\n@trusted\nextern(C) nothrow\nvoid f();\nvoid g();\n';
    expect(linesOf(parsed('a.d', text))[0]).toEqual({ ids: ['a'], lines: { first: 1, last: 4 }, reason: 'r' });
  });

  it('the last line when nothing follows', () => {
    expect(linesOf(parsed('a.rs', 'x\n// lifetime-lint: allow(a) -- r'))[0]?.lines).toEqual({ first: 2, last: 2 });
  });

  it('lines of TOML and YAML behind a hash', () => {
    const text = 'a = 1 # lifetime-lint: allow(x) -- r\n# lifetime-lint: allow(y) -- r\nb = 2\n';
    expect(linesOf({ path: 'Cargo.toml', text }).map(({ lines }) => lines)).toEqual([
      { first: 1, last: 1 },
      { first: 2, last: 3 },
    ]);
  });

  it('the whole file from the first comment block', () => {
    const text = '//! About this file.\n\n/* lifetime-lint: allow-file(a) -- generated */\nfn f() {}\n';
    expect(linesOf(parsed('a.rs', text))).toEqual([{ ids: ['a'], lines: undefined, reason: 'generated' }]);
  });
});

describe('what is wrong is said', () => {
  it.each([
    ['no reason', '// lifetime-lint: allow(a, b)\n', 'reasonless', { ids: 'a, b' }],
    ['an empty reason', '// lifetime-lint: allow(a) --  \n', 'reasonless', { ids: 'a' }],
    ['another word', '// lifetime-lint: ignore(a) -- r\n', 'malformed', { text: 'lifetime-lint: ignore(a) -- r' }],
    ['no id', '// lifetime-lint: allow() -- r\n', 'malformed', { text: 'lifetime-lint: allow() -- r' }],
    ['one dash', '// lifetime-lint: allow(a) - r\n', 'malformed', { text: 'lifetime-lint: allow(a) - r' }],
  ])('%s', (_name, text, messageId, data) => {
    expect(problemsOf(parsed('a.rs', text))).toEqual([{ messageId, data, line: 1 }]);
    expect(linesOf(parsed('a.rs', text))).toEqual([]);
  });

  it('a suppression for the file below the first code', () => {
    const file = parsed('a.rs', 'use x;\n// lifetime-lint: allow-file(a) -- r\n');
    expect(problemsOf(file)).toEqual([{ messageId: 'misplaced', data: { ids: 'a' }, line: 2 }]);
  });
});

it('strings are no comments', () => {
  const text = 'let a = "// lifetime-lint: allow(x)";\n';
  for (const file of [parsed('a.rs', text), { path: 'a.rs', text }]) {
    expect(readSuppressions(file)).toEqual({ suppressions: [], problems: [] });
  }
});
