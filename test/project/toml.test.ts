import fc from 'fast-check';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import { describe, expect, it } from 'vitest';
import { DocumentError, findEntry, findNode, type DocumentNode } from '../../src/project/document.js';
import { readToml } from '../../src/project/toml.js';

function plain(node: DocumentNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
}

const documents = [
  '[package]\nname = "a"\nversion = "1.0.0" # comment\n\n[lib]\ncrate-type = ["cdylib", "lib"]\n',
  'a.b.c = 1\na.b.d = 2\n[x."y z".\'w\']\nk = true\n',
  '[[bin]]\nname = "one"\n[[bin]]\nname = "two"\n[bin.extra]\nx = 1\n',
  'list = [\n  1, # one\n  2,\n  [ "nested", \'raw\\n\' ],\n]\n',
  'n = [1_000, -3, +7, 0xff, 0o17, 0b101, 1.5, -2e3, 6.6e-2]\n',
  's = """\nfirst\\\n   second\nthird"""\nr = \'\'\'\nraw \\ text\'\'\'\n',
  'u = "\\u00e9\\t\\"\\\\ \\U0001F600"\n',
  '[target.\'cfg(all(unix, target_os = "linux"))\'.dependencies]\nx = { version = "1", features = ["a"], optional = true }\n',
  '\ufeffa = 1\r\nb = 2\r\n',
  'empty = {}\nnone = []\n"" = "blank key"\n',
  '[a]\nx = 1\n[a.b]\ny = 2\n[c.d]\nz = 3\n[c]\nw = 4\n',
  'q = """one "" two"""\nz = """ends with "quote""""\n',
];

describe('readToml', () => {
  it.each(documents)('reads what the reference reader reads: %#', (text) => {
    // The reference takes no byte order mark.
    expect(plain(readToml(text))).toEqual(getStaticTOMLValue(parseTOML(text.replace(/^\ufeff/u, ''))));
  });

  it('keeps the position of keys and values', () => {
    const root = readToml(
      '[package]\nname = "a"\n\n[dependencies]\nnapi = { version = "3",\n  features = ["async"] }\n',
    );
    expect(findEntry(root, 'package', 'name')?.key).toEqual({ line: 2, column: 1 });
    expect(findNode(root, 'package', 'name')).toMatchObject({ line: 2, column: 8 });
    expect(findEntry(root, 'dependencies', 'napi', 'features')?.key).toEqual({ line: 6, column: 3 });
    expect(findNode(root, 'dependencies', 'napi', 'features')).toMatchObject({ line: 6, column: 14 });
  });

  it('counts lines inside long strings and lists', () => {
    const root = readToml('a = """\n1\n2\n"""\nb = [\n\n]\nc = 3\n');
    expect(findEntry(root, 'c')?.key).toEqual({ line: 8, column: 1 });
  });

  it.each([
    ['[package\nname = "a"\n', 1, "']' was expected, but the end of the line stands here"],
    ['a = 1\na = 2\n', 2, "the key 'a' is set twice"],
    ['[a]\n[a]\n', 2, "the table 'a' is defined twice"],
    ['a = 1 b = 2\n', 1, "the line should end here, but 'b' follows"],
    ['a = "x\n', 1, 'a string is not closed on its line'],
    ['a = yes\n', 1, "'yes' is not a TOML value; quote it if it is text"],
    ['a = [1, 2\n', 1, "a list is not closed with ']'"],
    ['x = 1\n= 2\n', 2, "a key was expected, but '=' stands here"],
    ['a = "\\q"\n', 1, "'\\q' is not an escape that TOML knows"],
    ['<<<<<<< ours\n', 1, "a key was expected, but '<' stands here"],
    [`a = ${'['.repeat(10_000)}`, 1, 'it is nested more than 512 levels deep'],
    ['a = { b = 1 }\n[a.c]\n', 2, "'a' is not a table that can be extended"],
  ])('names what is wrong in %j', (text, line, message) => {
    let error: unknown;
    try {
      readToml(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(DocumentError);
    expect(error).toMatchObject({ line, message });
  });

  it('never throws anything else', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('a', '=', '"', "'", '[', ']', '{', '}', '.', ',', '\n', '#', '1', '\\', ' '),
        }),
        (text) => {
          try {
            readToml(text);
          } catch (error) {
            expect(error).toBeInstanceOf(DocumentError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
