import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { growthNear, offsetsOf } from '../../src/facts/growth-text.js';
import type { Language } from '../../src/model/ir.js';

const fixtures = fileURLToPath(new URL('../../fixtures/facts/', import.meta.url));

/** The same as one pattern, which takes the whole text for each name. */
const written: Readonly<Record<Language, (name: string) => RegExp>> = {
  d: (name) =>
    new RegExp(
      `\\b${name}\\b\\s*(?:\\[[^\\]]*\\]\\s*)?(?:~=|\\.\\s*(?:length|reserve|insert\\w*|put|assumeSafeAppend|remove\\w*|clear)|=[^=])|(?:realloc|assumeSafeAppend|reserve|move|swap|&)\\s*\\(?\\s*[\\w.]*\\b${name}\\b`,
      'u',
    ),
  rust: (name) =>
    new RegExp(
      `\\b${name}\\b\\s*(?:\\.\\s*\\w+\\(\\)\\??\\s*)*(?:\\.\\s*(?:push|extend|reserve|insert|resize|shrink|append|split_off|drain|truncate|set_len|retain|remove|swap_remove|dedup|take|replace|clear|clone_from)|=[^=>])|&mut\\s[\\w.]*\\b${name}\\b`,
      'u',
    ),
};

const grows = (language: Language, name: string, text: string): boolean =>
  growthNear(name, language)(text, offsetsOf(name, text));

describe('what a growth looks like around a name', () => {
  it.each([
    ['d', 'list ~= x;', true],
    ['d', 'list [0] ~= x;', true],
    ['d', 'list == x;', false],
    ['d', 'lists ~= x;', false],
    ['d', 'p = &a.list;', true],
    ['d', 'swap( a.b.list, x);', true],
    ['d', 'move (list)', true],
    ['d', 'f(list)', false],
    ['d', 'a.reserve.list', true],
    ['rust', 'list.push(x)', true],
    ['rust', 'list.lock()?.push(x)', true],
    ['rust', 'f(&mut self.list)', true],
    ['rust', 'f(&mut  list)', false],
    ['rust', 'list => x', false],
    ['rust', 'mut list', false],
  ] as const)('%s: %s', (language, text, expected) => {
    expect(grows(language, 'list', text)).toBe(expected);
    expect(written[language]('list').test(text)).toBe(expected);
  });

  it.each(['d', 'rust'] as const)('is the same as one pattern for every name in the fixtures of %s', (language) => {
    const folder = join(fixtures, language);
    const texts = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .slice(0, 30)
      .map((entry) => readFileSync(join(folder, entry.name), 'utf8'));
    expect(texts.length).toBeGreaterThan(5);
    for (const text of texts) {
      const names = new Set(['', ...(text.match(/[A-Za-z_]\w*/gu) ?? [])]);
      for (const name of names)
        expect([name, grows(language, name, text)]).toEqual([name, written[language](name).test(text)]);
    }
  });
});
