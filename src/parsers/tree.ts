import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Language, Parser, type Tree, type TreeCursor } from 'web-tree-sitter';
import type { SyntaxNode } from './syntax.js';

/** A loaded grammar with its parser. Loaded once per process and file name; not shareable between threads. */
export interface Grammar {
  /** The file name it was loaded by, for example `tree-sitter-d.wasm`. */
  readonly fileName: string;
  readonly parser: Parser;
  /** Node names by type id; the id of `ERROR` is not among them. */
  readonly kinds: readonly string[];
  /** Whether the node type of that id is named. */
  readonly named: readonly boolean[];
  /** Field names by field id; entry 0 is no field. */
  readonly fields: readonly (string | undefined)[];
}

export interface ParseOptions {
  /**
   * Asked once for each node that has children; false leaves the node `skipped` and childless, at no cost for what is in it.
   * Offsets are UTF-16.
   */
  readonly descend?: (kind: string, start: number, end: number) => boolean;
  /** Kinds whose children nobody reads: their nodes stay childless without being `skipped`, at the price of a token. */
  readonly atoms?: ReadonlySet<string>;
  /** How many levels of children are kept below the root; what lies deeper is `skipped`. Default 400. */
  readonly maxDepth?: number;
}

/**
 * The lexer of the D grammar goes back so often that the length of what one read copies decides the time of a parse:
 * 64 characters take an eighth of the time that the default takes (docs/decisions.md).
 */
const readLength = 64;

/** Deep enough for real sources (the deepest seen is in docs/decisions.md), shallow enough for recursive consumers. */
const defaultMaxDepth = 400;

/** What tree-sitter answers for the type of an error node: the largest 16-bit symbol. */
const errorTypeId = 0xffff;

const loaded = new Map<string, Promise<Grammar>>();
let runtime: Promise<void> | undefined;

/**
 * Loads a grammar by the name of its file, once per process: from `grammars/` beside the compiled code, or, when the
 * sources are run without a build, from the cache that `node scripts/grammars.mjs` fills.
 * Rejects with one sentence when the grammar was not built.
 */
export function loadGrammar(fileName: string): Promise<Grammar> {
  let grammar = loaded.get(fileName);
  if (grammar === undefined) {
    grammar = readGrammar(fileName);
    loaded.set(fileName, grammar);
  }
  return grammar;
}

async function readGrammar(fileName: string): Promise<Grammar> {
  const path = findGrammar(fileName);
  runtime ??= Parser.init();
  await runtime;
  const language = await Language.load(path);
  const parser = new Parser();
  parser.setLanguage(language);
  const named: boolean[] = [];
  for (let id = 0; id < language.nodeTypeCount; id++) named.push(language.nodeTypeIsNamed(id));
  return {
    fileName,
    parser,
    // Hidden symbols have no name in `types`; they never show up as nodes.
    kinds: Array.from(language.types, (kind) => kind ?? ''),
    named,
    fields: language.fields.map((field) => field ?? undefined),
  };
}

function findGrammar(fileName: string): string {
  const built = new URL(`../grammars/${fileName}`, import.meta.url);
  const cached = new URL(`../../node_modules/.cache/lifetime-lint/grammars/${fileName}`, import.meta.url);
  for (const url of [built, cached]) {
    const path = fileURLToPath(url);
    if (existsSync(path)) return path;
  }
  throw new Error(`The grammar '${fileName}' was not built; run 'node scripts/grammars.mjs' or 'npm run build'.`);
}

/**
 * Parses a text and takes a snapshot of the tree. Never throws on bad syntax (see `isError`, `isMissing`, `hasError`).
 * The parser's own tree is freed before this returns.
 */
export function parseSyntax(grammar: Grammar, text: string, options: ParseOptions = {}): SyntaxNode {
  const tree = grammar.parser.parse((index) => text.slice(index, index + readLength));
  if (tree === null) throw new Error(`The grammar '${grammar.fileName}' gave no tree.`);
  try {
    return snapshot(grammar, tree, options);
  } finally {
    tree.delete();
  }
}

interface MutableNode {
  kind: string;
  named: boolean;
  field?: string;
  start: number;
  end: number;
  children: SyntaxNode[];
  isError: boolean;
  isMissing: boolean;
  hasError: boolean;
  skipped?: boolean;
}

/** All leaves share it; it is only ever read through `readonly`. */
const noChildren: SyntaxNode[] = [];

/** One walk with one cursor and an explicit stack: the depth of the tree is not bounded by the call stack. */
function snapshot(grammar: Grammar, tree: Tree, options: ParseOptions): SyntaxNode {
  const maxDepth = options.maxDepth ?? defaultMaxDepth;
  const atoms = options.atoms;
  const isClean = !tree.rootNode.hasError;
  const cursor = tree.walk();
  try {
    const root = readNode(grammar, cursor);
    const open: MutableNode[] = [];
    let node = root;
    for (;;) {
      // A token has no children in these grammars (a test checks it), so the call is saved for half of all nodes.
      if (atoms?.has(node.kind)) {
        if (!isClean) node.hasError = cursor.currentNode.hasError;
      } else if (node.named && cursor.gotoFirstChild()) {
        if (open.length >= maxDepth || options.descend?.(node.kind, node.start, node.end) === false) {
          cursor.gotoParent();
          node.skipped = true;
          if (!isClean) node.hasError = cursor.currentNode.hasError;
        } else {
          node.children = [];
          open.push(node);
          node = readNode(grammar, cursor);
          continue;
        }
      } else if (node.start === node.end) {
        node.isMissing = cursor.nodeIsMissing;
        node.hasError ||= node.isMissing;
      }
      // `node` is complete here: hand it to its parent and go on beside it, or close parents until there is a sibling.
      let parent = open.at(-1);
      for (;;) {
        if (parent === undefined) return root;
        parent.children.push(node);
        parent.hasError ||= node.hasError;
        if (cursor.gotoNextSibling()) {
          node = readNode(grammar, cursor);
          break;
        }
        cursor.gotoParent();
        node = parent;
        open.pop();
        parent = open.at(-1);
      }
    }
  } finally {
    cursor.delete();
  }
}

function readNode(grammar: Grammar, cursor: TreeCursor): MutableNode {
  const typeId = cursor.nodeTypeId;
  const isError = typeId === errorTypeId;
  const field = grammar.fields[cursor.currentFieldId];
  const node: MutableNode = {
    kind: isError ? 'ERROR' : (grammar.kinds[typeId] ?? ''),
    named: isError || grammar.named[typeId] === true,
    start: cursor.startIndex,
    end: cursor.endIndex,
    children: noChildren,
    isError,
    isMissing: false,
    hasError: isError,
  };
  if (field !== undefined) node.field = field;
  return node;
}
