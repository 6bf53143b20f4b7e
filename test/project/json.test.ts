import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DocumentError, findEntry, findNode, type DocumentNode } from '../../src/project/document.js';
import { readJson } from '../../src/project/json.js';

function plain(node: DocumentNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
}

describe('readJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const expected: unknown = JSON.parse(text);
        expect(plain(readJson(text))).toEqual(expected);
      }),
      { numRuns: 300, examples: [[{ __proto__: null, a: ['\u2028"\\'] }, 2]] },
    );
  });

  it('keeps positions and skips comments', () => {
    const root = readJson('\ufeff{\n  // who builds it\n  "scripts": { "build": "napi build" }\n}\n');
    expect(findEntry(root, 'scripts', 'build')?.key).toEqual({ line: 3, column: 16 });
    expect(findNode(root, 'scripts', 'build')).toMatchObject({ line: 3, column: 25, value: 'napi build' });
  });

  it.each([
    ['{ "a": 1, }x', 1, "the document should end here, but 'x' follows"],
    ['{\n  a: 1\n}', 2, "a key in double quotes was expected, but 'a' stands here"],
    ['{ "a" 1 }', 1, "':' was expected, but '1' stands here"],
    ['[1 2]', 1, "',' or ']' was expected, but '2' stands here"],
    ['{ "a": "x\n" }', 1, 'a string is not closed on its line'],
    ['', 1, 'a value was expected, but the end of the file stands here'],
    ['['.repeat(10_000), 1, 'it is nested more than 512 levels deep'],
  ])('names what is wrong in %j', (text, line, message) => {
    expect(() => readJson(text)).toThrow(expect.objectContaining({ line, message }) as Error);
    expect(() => readJson(text)).toThrow(DocumentError);
  });
});
