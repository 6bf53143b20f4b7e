import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Query, Tree, type Node } from 'web-tree-sitter';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dPack } from '../../src/parsers/d/pack.js';
import { rustPack } from '../../src/parsers/rust/pack.js';
import type { SyntaxNode } from '../../src/parsers/syntax.js';
import { loadGrammar, parseSyntax } from '../../src/parsers/tree.js';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(at(path), 'utf8');

const grammars = [
  { name: 'tree-sitter-rust', pack: rustPack, extension: '.rs', sample: read('test/parsers/samples/sample.rs') },
  { name: 'tree-sitter-d', pack: dPack, extension: '.d', sample: read('test/parsers/samples/sample.d') },
] as const;

interface NodeType {
  readonly type: string;
  readonly named: boolean;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly subtypes?: unknown;
}

const readNodeTypes = (name: string): NodeType[] =>
  // The shape is tree-sitter's documented format of node-types.json.
  JSON.parse(read(`node_modules/${name}/src/node-types.json`)) as NodeType[];

/** The tree as web-tree-sitter's own nodes tell it: slow and recursive, hence the reference. */
function referenceTree(node: Node, field?: string): SyntaxNode {
  return {
    kind: node.type,
    named: node.isNamed,
    ...(field === undefined ? {} : { field }),
    start: node.startIndex,
    end: node.endIndex,
    children: node.children.map((child, index) => referenceTree(child, node.fieldNameForChild(index) ?? undefined)),
    isError: node.isError,
    isMissing: node.isMissing,
    hasError: node.hasError,
  };
}

async function parseReference(name: string, text: string): Promise<SyntaxNode> {
  const grammar = await loadGrammar(`${name}.wasm`);
  const tree = grammar.parser.parse(text);
  if (tree === null) throw new Error('no tree');
  try {
    return referenceTree(tree.rootNode);
  } finally {
    tree.delete();
  }
}

function* walk(root: SyntaxNode): Generator<SyntaxNode> {
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    yield node;
    open.push(...node.children);
  }
}

const errorsOf = (root: SyntaxNode, text: string): string[] =>
  [...walk(root)]
    .filter((node) => node.isError || node.isMissing)
    .map((node) => `line ${text.slice(0, node.start).split('\n').length}: ${node.kind}`);

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(grammars)('$name', ({ name, pack, extension, sample }) => {
  it('knows exactly the node kinds and fields that its package describes', async () => {
    const { parser } = await loadGrammar(`${name}.wasm`);
    const types = readNodeTypes(name);
    const language = parser.language;
    if (language === null) throw new Error('no language');
    const described = types.filter((type) => type.named && type.subtypes === undefined).map((type) => type.type);
    const known = new Set(
      language.types.filter((_, id) => language.nodeTypeIsNamed(id) && language.nodeTypeIsVisible(id)),
    );
    expect([...new Set(described)].filter((type) => !known.has(type))).toEqual([]);
    const fields = new Set(types.flatMap((type) => Object.keys(type.fields ?? {})));
    expect([...fields].filter((field) => !language.fields.includes(field))).toEqual([]);
  });

  it('accepts the queries that its package ships', async () => {
    const { parser } = await loadGrammar(`${name}.wasm`);
    const language = parser.language;
    if (language === null) throw new Error('no language');
    for (const file of ['highlights.scm', 'tags.scm']) {
      const query = new Query(language, read(`node_modules/${name}/queries/${file}`));
      expect(query.captureNames.length).toBeGreaterThan(0);
      query.delete();
    }
  });

  it('parses the sample without an error and sees most of its kinds in it', async () => {
    const root = parseSyntax(await loadGrammar(`${name}.wasm`), sample);
    expect(errorsOf(root, sample)).toEqual([]);
    expect(root.hasError).toBe(false);
    const seen = new Set([...walk(root)].filter((node) => node.named).map((node) => node.kind));
    const described = new Set(
      readNodeTypes(name)
        .filter((type) => type.named && type.subtypes === undefined)
        .map((type) => type.type),
    );
    expect([...seen].filter((kind) => !described.has(kind))).toEqual([]);
    expect(seen.size / described.size).toBeGreaterThan(0.6);
  });

  it('parses every fixture that does not declare an error', async () => {
    await pack.load();
    const files = readdirSync(at('fixtures'), { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith(extension) && !/(^|[\\/])(target|node_modules|\.dub)[\\/]/.test(file),
    );
    const broken: string[] = [];
    for (const file of files) {
      const text = readFileSync(join(at('fixtures'), file), 'utf8');
      if (/(^|[\\/])parse-errors\.\w+$/.test(file) || /^\s*\/\/@\s*(gap|parse-error)\b/m.test(text)) continue;
      // The pack, since it takes newer syntax than the grammar does.
      const errors = pack.lower({ path: file, text }).gaps.filter((gap) => gap.kind === 'parse-error');
      broken.push(...errors.map((gap) => gap.message));
    }
    expect(broken).toEqual([]);
  });

  it('gives tokens no children, which the walk relies on', () => {
    const aliases: unknown[] = [];
    JSON.parse(read(`node_modules/${name}/src/grammar.json`), (_, value: unknown) => {
      if (typeof value !== 'object' || value === null) return value;
      if ('type' in value && value.type === 'ALIAS' && 'named' in value && value.named === false) aliases.push(value);
      return value;
    });
    for (const alias of aliases)
      expect(alias).toMatchObject({ content: { type: expect.stringMatching(/^(PATTERN|STRING|TOKEN)$/) } });
  });

  it.each([
    ['the sample', sample],
    ['nothing', ''],
    ['white space', ' \r\n\t'],
    ['half of the sample', sample.slice(0, sample.length / 2)],
    ['the sample without its braces', sample.replaceAll('}', '')],
    ['an unfinished statement', 'void f() { int x = ; }\nfn f() { let x = ; }'],
  ])('tells the same tree as the nodes of web-tree-sitter do for %s', async (_, text) => {
    const root = parseSyntax(await loadGrammar(`${name}.wasm`), text);
    expect(root).toEqual(await parseReference(name, text));
  });

  it('reads characters outside the basic plane whole, wherever a read of 64 ends', async () => {
    const grammar = await loadGrammar(`${name}.wasm`);
    for (let length = 0; length < 66; length++) {
      const text = `/* ${'x'.repeat(length)}😀😀 */ struct A { } /* é𝒳 */ struct B { }`;
      expect(parseSyntax(grammar, text)).toEqual(await parseReference(name, text));
    }
  });

  it('skips what the caller declines, and still knows of errors in there', async () => {
    const grammar = await loadGrammar(`${name}.wasm`);
    const text = 'struct A { int x; ] }\nstruct B { }';
    const whole = parseSyntax(grammar, text);
    const asked: string[] = [];
    const root = parseSyntax(grammar, text, {
      descend(kind, start, end) {
        asked.push(text.slice(start, end));
        return kind === whole.kind;
      },
    });
    expect(root.hasError).toBe(true);
    expect(asked[0]).toBe(text);
    expect(root.children.map(({ kind, start, end, hasError }) => ({ kind, start, end, hasError }))).toEqual(
      whole.children.map(({ kind, start, end, hasError }) => ({ kind, start, end, hasError })),
    );
    for (const child of root.children) {
      expect(child.children).toEqual([]);
      expect(child.skipped).toBe(true);
    }
  });

  it('survives 10,000 nested brackets and says where it stopped', async () => {
    const grammar = await loadGrammar(`${name}.wasm`);
    const depth = 10_000;
    const brackets = '('.repeat(depth) + '1' + ')'.repeat(depth);
    const text = extension === '.rs' ? `fn f() { let x = ${brackets}; }` : `void f() { auto x = ${brackets}; }`;
    const root = parseSyntax(grammar, text);
    expect(root.end).toBe(text.length);
    expect([...walk(root)].filter((node) => node.skipped === true)).toHaveLength(1);
    const whole = parseSyntax(grammar, text, { maxDepth: Infinity });
    expect([...walk(whole)].filter((node) => node.skipped === true)).toHaveLength(0);
    expect([...walk(whole)].length).toBeGreaterThan(3 * depth);
  });

  it('survives 10,000 brackets that never close', async () => {
    const text = `${extension === '.rs' ? 'fn f()' : 'void f()'} ${'{ ['.repeat(10_000)}`;
    expect(parseSyntax(await loadGrammar(`${name}.wasm`), text).hasError).toBe(true);
    // Error recovery takes its time; on a busy machine longer than the limit of other tests.
  }, 300_000);

  it('frees the tree of the parser, also when the caller throws', async () => {
    const grammar = await loadGrammar(`${name}.wasm`);
    const freed = vi.spyOn(Tree.prototype, 'delete');
    parseSyntax(grammar, sample);
    expect(freed).toHaveBeenCalledTimes(1);
    const fail = (): never => {
      throw new Error('no more');
    };
    expect(() => parseSyntax(grammar, sample, { descend: fail })).toThrow('no more');
    expect(freed).toHaveBeenCalledTimes(2);
    expect(errorsOf(parseSyntax(grammar, sample), sample)).toEqual([]);
  });
});

it('names the command that builds a grammar that is not there', async () => {
  await expect(loadGrammar('tree-sitter-cobol.wasm')).rejects.toThrow(
    "The grammar 'tree-sitter-cobol.wasm' was not built; run 'node scripts/grammars.mjs' or 'npm run build'.",
  );
});

it('loads a grammar once', async () => {
  expect(await loadGrammar('tree-sitter-d.wasm')).toBe(await loadGrammar('tree-sitter-d.wasm'));
});
