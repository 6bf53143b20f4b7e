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
  const isClean = !tree.rootNode.hasError;
  const cursor = new Cursor(grammar.runtime.calls, tree);
  try {
    const walk = new TreeWalk(grammar, cursor, options, isClean);
    const root = walk.read(cursor.nodeTypeId);
    for (let node: CopiedNode | undefined = root; node !== undefined;) node = walk.enter(node) ?? walk.leave(node);
    return root;
  } finally {
    cursor.delete();
  }
}

/** In methods of their own, because V8 compiles what it optimised again when it meets a tree with errors, or offsets of another kind. */
class TreeWalk {
  private readonly maxDepth: number;
  private readonly atoms: Uint8Array | undefined;
  private readonly ignored: Uint8Array | undefined;
  private readonly offsets: OffsetMap | undefined;
  private readonly open: CopiedNode[] = [];
  /** Children of all open nodes, those of the innermost last: a list that grows by itself would be kept with room for more. */
  private readonly children: SyntaxNode[] = [];
  private readonly firstChild: number[] = [];
  /** Of the node that was read last. */
  private typeId = -1;

  constructor(
    private readonly grammar: Grammar,
    private readonly cursor: Cursor,
    private readonly options: ParseOptions,
    private readonly isClean: boolean,
  ) {
    this.maxDepth = options.maxDepth ?? defaultMaxDepth;
    this.atoms = options.atoms && findIds(grammar, options.atoms, true);
    this.ignored = isClean && options.ignored ? findIds(grammar, options.ignored, false) : undefined;
    this.offsets = options.offsets;
  }

  /** The node under the cursor, without its children. */
  read(typeId: number): CopiedNode {
    const { grammar, cursor, offsets } = this;
    this.typeId = typeId;
    const isError = typeId === errorTypeId;
    const { startIndex, endIndex } = cursor;
    return new CopiedNode(
      isError ? 'ERROR' : (grammar.kinds[typeId] ?? ''),
      isError || grammar.named[typeId] === true,
      grammar.fields[cursor.currentFieldId],
      offsets ? offsets.start(startIndex) : startIndex,
      offsets ? offsets.end(endIndex) : endIndex,
      isError,
    );
  }

  /** The first child of the node that was read last, under which the cursor is then; undefined when none is to be read, and the cursor is where it was. */
  enter(node: CopiedNode): CopiedNode | undefined {
    const { cursor } = this;
    // A token has no children in these grammars (a test checks it), so the call is saved for half of all nodes.
    if (this.atoms?.[this.typeId] === 1) {
      if (!this.isClean) node.hasError = cursor.hasError;
      return undefined;
    }
    if (!node.named || !cursor.gotoFirstChild()) {
      if (node.start === node.end) this.markMissing(node);
      return undefined;
    }
    if (this.open.length >= this.maxDepth || this.options.descend?.(node.kind, node.start, node.end) === false) {
      this.skip(node);
      return undefined;
    }
    const typeId = this.nextRead(true);
    if (typeId === -1) {
      cursor.gotoParent();
      return undefined;
    }
    this.open.push(node);
    this.firstChild.push(this.children.length);
    return this.read(typeId);
  }

  /** Hands a complete node to its parent and goes on beside it, or closes parents until there is a sibling; undefined at the end. */
  leave(complete: CopiedNode): CopiedNode | undefined {
    let node = complete;
    for (let parent = this.open.at(-1); parent !== undefined; parent = this.open.at(-1)) {
      this.children.push(node);
      parent.hasError ||= node.hasError;
      const typeId = this.nextRead(false);
      if (typeId !== -1) return this.read(typeId);
      this.cursor.gotoParent();
      const first = this.firstChild.pop() ?? 0;
      parent.children = this.children.slice(first);
      this.children.length = first;
      node = parent;
      this.open.pop();
    }
    return undefined;
  }

  /** The type of the next node that is read among those beside the cursor, itself included when that `isFirst`; -1 when there is none. */
  private nextRead(isFirst: boolean): number {
    const { cursor, ignored } = this;
    if (!isFirst && !cursor.gotoNextSibling()) return -1;
    do {
      const typeId = cursor.nodeTypeId;
      if (ignored?.[typeId] !== 1) return typeId;
    } while (cursor.gotoNextSibling());
    return -1;
  }

  private skip(node: CopiedNode): void {
    this.cursor.gotoParent();
    node.skipped = true;
    if (!this.isClean) node.hasError = this.cursor.hasError;
  }

  private markMissing(node: CopiedNode): void {
    node.isMissing = this.cursor.nodeIsMissing;
    node.hasError ||= node.isMissing;
  }
}

/** For each type id of the grammar: 1 when it is one of these kinds, among the nodes with a name or the tokens. */
function findIds(grammar: Grammar, kinds: ReadonlySet<string>, ofNamed: boolean): Uint8Array {
  let known = idsOf.get(kinds);
  if (known === undefined) {
    known = Uint8Array.from(grammar.kinds, (kind, id) => (grammar.named[id] === ofNamed && kinds.has(kind) ? 1 : 0));
    idsOf.set(kinds, known);
  }
  return known;
}

/** A pack asks with one set for every file. */
const idsOf = new WeakMap<ReadonlySet<string>, Uint8Array>();
