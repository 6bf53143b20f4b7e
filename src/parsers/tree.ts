import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Language, Parser, type Tree } from 'web-tree-sitter';
import { Cursor } from './cursor.js';
import { startRuntime, type Runtime } from './runtime.js';
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
  readonly runtime: Runtime;
}

/** Gives offsets of a parsed text as offsets of the file that it was made from. */
export interface OffsetMap {
  start(offset: number): number;
  end(offset: number): number;
}

export interface ParseOptions {
  /**
   * Asked once for each node that has children; false leaves the node `skipped` and childless, at no cost for what is in it.
   * Offsets are UTF-16.
   */
  readonly descend?: (kind: string, start: number, end: number) => boolean;
  /** Kinds whose children nobody reads: their nodes stay childless without being `skipped`, at the price of a token. */
  readonly atoms?: ReadonlySet<string>;
  /** Tokens that nobody asks for are left out of `children`; in a tree with errors they stay. */
  readonly ignored?: ReadonlySet<string>;
  /** Where an offset of the parsed text lies in the file, when the text is a part of the file or was shortened. Default: itself. */
  readonly offsets?: OffsetMap;
  /** How many levels of children are kept below the root; what lies deeper is `skipped`. Default 400. */
  readonly maxDepth?: number;
}

/** Deep enough for real sources (the deepest seen is in docs/decisions.md), shallow enough for recursive consumers. */
const defaultMaxDepth = 400;

/** What tree-sitter answers for the type of an error node: the largest 16-bit symbol. */
const errorTypeId = 0xffff;

/**
 * How often the parser may ask for text before the text counts as one that it can't read: so many times, and so many for each
 * character. D's lexer reads a line again from its start for each token, and an error keeps several readings of the text
 * alive: 100,000 open brackets on a line would take hours. Real sources ask 0.35 times for each character at most.
 */
const freeReads = 800_000;
const readsPerCharacter = 1;

const loaded = new Map<string, Promise<Grammar>>();
let runtime: Promise<Runtime> | undefined;

/** Below this many characters of source, code that starts at once beats code that runs fast (docs/decisions.md). */
const quickStartBelow = 2_000_000;

/** The last two follow from the first by themselves in Node 20 and 22; in 24 the lexer of D would be optimised with 700 MB. */
const quickStart = ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering'];

/**
 * Tells how much source (characters or bytes) is about to be parsed, before the first grammar is loaded: for little of
 * it, the grammars are compiled without optimisation, which saves half of the time of a scan of one file.
 */
export function expectSource(size: number): void {
  if (runtime === undefined && size < quickStartBelow) for (const flag of quickStart) setFlagsFromString(flag);
}

/** Takes back what {@link expectSource} told V8. */
export function endQuickStart(): void {
  for (const flag of ['--no-liftoff-only', '--wasm-tier-up', '--wasm-dynamic-tiering']) setFlagsFromString(flag);
}

/** The file names of the grammars that were asked for so far. */
export function loadedGrammars(): string[] {
  return [...loaded.keys()];
}

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
  runtime ??= startRuntime();
  const started = await runtime;
  // Read here, since web-tree-sitter would load Node's file promises for it.
  const language = await Language.load(readFileSync(path));
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
    runtime: started,
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
  const { parser, runtime } = grammar;
  const { reader } = runtime;
  const budget = freeReads + readsPerCharacter * text.length;
  // The reader stands in for the callback.
  const tree = reader.reading(text, () =>
    parser.parse(() => undefined, undefined, { progressCallback: () => reader.count > budget }),
  );
  if (tree === null) {
    // What was begun would be gone on with.
    parser.reset();
    return unreadableText(text, options);
  }
  try {
    return snapshot(grammar, tree, options);
  } finally {
    tree.delete();
  }
}

/** A tree of one error, for a text that takes too long to read. */
function unreadableText(text: string, { offsets }: ParseOptions): SyntaxNode {
  return {
    kind: 'ERROR',
    named: true,
    start: offsets ? offsets.start(0) : 0,
    end: offsets ? offsets.end(text.length) : text.length,
    children: noChildren,
    isError: true,
    isMissing: false,
    hasError: true,
    skipped: true,
  };
}

/** A node while the walk fills it in; of one shape, so that reading it is the same code for all. */
class CopiedNode implements SyntaxNode {
  isMissing = false;
  children: readonly SyntaxNode[] = noChildren;
  hasError: boolean;
  declare skipped?: boolean;

  constructor(
    readonly kind: string,
    readonly named: boolean,
    readonly field: string | undefined,
    readonly start: number,
    readonly end: number,
    readonly isError: boolean,
  ) {
    this.hasError = isError;
  }
}

/** All leaves share it. */
const noChildren: readonly SyntaxNode[] = [];

/** One walk with one cursor and an explicit stack: the depth of the tree is not bounded by the call stack. */
function snapshot(grammar: Grammar, tree: Tree, options: ParseOptions): SyntaxNode {
  const maxDepth = options.maxDepth ?? defaultMaxDepth;
  const atoms = options.atoms;
  const isClean = !tree.rootNode.hasError;
  const ignored = isClean && options.ignored ? findIds(grammar, options.ignored) : undefined;
  const { offsets } = options;
  const cursor = new Cursor(grammar.runtime.calls, tree);
  try {
    const root = readNode(grammar, cursor, cursor.nodeTypeId, offsets);
    const open: CopiedNode[] = [];
    // Children of all open nodes, those of the innermost last: a list that grows by itself would be kept with room for more.
    const children: SyntaxNode[] = [];
    const firstChild: number[] = [];
    let node = root;
    for (;;) {
      // A token has no children in these grammars (a test checks it), so the call is saved for half of all nodes.
      if (atoms?.has(node.kind)) {
        if (!isClean) node.hasError = cursor.hasError;
      } else if (node.named && cursor.gotoFirstChild()) {
        if (open.length >= maxDepth || options.descend?.(node.kind, node.start, node.end) === false) {
          cursor.gotoParent();
          node.skipped = true;
          if (!isClean) node.hasError = cursor.hasError;
        } else {
          let typeId = cursor.nodeTypeId;
          while (ignored?.[typeId] === 1 && cursor.gotoNextSibling()) typeId = cursor.nodeTypeId;
          if (ignored?.[typeId] === 1) cursor.gotoParent();
          else {
            open.push(node);
            firstChild.push(children.length);
            node = readNode(grammar, cursor, typeId, offsets);
            continue;
          }
        }
      } else if (node.start === node.end) {
        node.isMissing = cursor.nodeIsMissing;
        node.hasError ||= node.isMissing;
      }
      // `node` is complete here: hand it to its parent and go on beside it, or close parents until there is a sibling.
      for (;;) {
        const parent = open.at(-1);
        if (parent === undefined) return root;
        children.push(node);
        parent.hasError ||= node.hasError;
        let typeId = -1;
        while (cursor.gotoNextSibling()) {
          typeId = cursor.nodeTypeId;
          if (ignored?.[typeId] !== 1) break;
          typeId = -1;
        }
        if (typeId !== -1) {
          node = readNode(grammar, cursor, typeId, offsets);
          break;
        }
        cursor.gotoParent();
        const first = firstChild.pop() ?? 0;
        parent.children = children.slice(first);
        children.length = first;
        node = parent;
        open.pop();
      }
    }
  } finally {
    cursor.delete();
  }
}

/** For each type id of the grammar: 1 when it is a token of that name. */
function findIds(grammar: Grammar, tokens: ReadonlySet<string>): Uint8Array {
  let known = idsOf.get(tokens);
  if (known === undefined) {
    known = Uint8Array.from(grammar.kinds, (kind, id) => (!grammar.named[id] && tokens.has(kind) ? 1 : 0));
    idsOf.set(tokens, known);
  }
  return known;
}

/** A pack asks with one set for every file. */
const idsOf = new WeakMap<ReadonlySet<string>, Uint8Array>();

function readNode(grammar: Grammar, cursor: Cursor, typeId: number, offsets: OffsetMap | undefined): CopiedNode {
  const isError = typeId === errorTypeId;
  return new CopiedNode(
    isError ? 'ERROR' : (grammar.kinds[typeId] ?? ''),
    isError || grammar.named[typeId] === true,
    grammar.fields[cursor.currentFieldId],
    offsets ? offsets.start(cursor.startIndex) : cursor.startIndex,
    offsets ? offsets.end(cursor.endIndex) : cursor.endIndex,
    isError,
  );
}
