import type { Gap, GapKind } from '../../model/finding.js';
import type { Attribute, FunctionIr, GlobalDecl, ImplDecl, Import, TypeDecl } from '../../model/ir.js';
import { findLineStarts, positionAt, type Span } from '../../model/source.js';
import { Names } from '../../model/names.js';
import type { BodyFilter } from '../pack.js';
import type { SyntaxNode } from '../syntax.js';
import { parseSyntax, type Grammar, type ParseOptions } from '../tree.js';
import { outline, type Outline } from './outline.js';
import type { Comment } from './tokens.js';

/** What the place of an item decides about it. */
export interface Scope {
  /** Names outward, for `qualifiedName`. */
  readonly names: readonly string[];
  readonly owner?: string;
  readonly ownerKind?: TypeDecl['kind'];
  readonly trait?: string;
  readonly conditions: readonly string[];
  readonly isTest: boolean;
  /** The function around it. */
  readonly parent?: number;
  readonly parentName?: string;
  /** The ABI of an extern block around it. */
  readonly abi?: string;
  /** Members of a trait or of an impl of a trait are as visible as the trait. */
  readonly isPublic?: boolean;
  /** The `macro_rules!` whose arm is read. */
  readonly macro?: string;
}

/** Thrown where a tree is deeper than a recursive reader may go; the function around it loses its body and gets a gap. */
class TooDeep extends Error {
  constructor(readonly offset: number) {
    super('nested too deeply');
  }
}

/** Enough for the longest method chains and operator chains in real code, and safe for every recursive reader of the tree. */
const MAX_DEPTH = 350;

const MAX_MACRO_DEPTH = 24;

/** `unsafe impl Send for $t {}` in a `macro_rules!`. */
export interface MarkerTemplate {
  readonly macro: string;
  readonly impl: ImplDecl;
  /** Which of the arguments `$t` stands for; undefined for each of them. */
  readonly position: number | undefined;
}

/** The file that is being lowered: its text, what was found so far, and how deep the reader is. */
export class Lowering {
  readonly attributes: Attribute[] = [];
  readonly imports: Import[] = [];
  readonly types: TypeDecl[] = [];
  readonly impls: ImplDecl[] = [];
  readonly globals: GlobalDecl[] = [];
  readonly functions: FunctionIr[] = [];
  readonly macros: { name: string; span: Span }[] = [];
  /** Marker impls that macros write for what they are given, and the calls of macros that could be those. */
  readonly markers: MarkerTemplate[] = [];
  readonly markerCalls: { readonly name: string; readonly inner: Span; readonly scope: Scope }[] = [];
  readonly gaps: Gap[] = [];
  readonly names = new Names();
  readonly comments: readonly Comment[];
  /** Offsets of the `{` of bodies that were not parsed. */
  readonly skippedBodies: ReadonlySet<number>;
  /** Where the statement that is being lowered begins, for comments above it. */
  statementStart = 0;
  private depth = 0;
  private macroDepth = 0;
  private lineStarts: Uint32Array | undefined;

  constructor(
    readonly path: string,
    readonly text: string,
    /** The text as the grammar can read it: as long as `text`, see `readable`. */
    readonly source: string,
    outlined: Outline,
    readonly wanted: BodyFilter | undefined,
    private readonly grammar: Grammar,
    /** The id of the first function; each further one has the next. */
    readonly firstId = 0,
  ) {
    this.comments = outlined.comments;
    this.skippedBodies = outlined.skippedBodies;
  }

  textOf(node: Span): string {
    return this.names.same(this.text.slice(node.start, node.end));
  }

  isWanted(span: Span): boolean {
    return this.wanted === undefined || this.wanted.test(this.text.slice(span.start, span.end));
  }

  lineOf(offset: number): number {
    this.lineStarts ??= findLineStarts(this.text);
    return positionAt(this.lineStarts, offset).line;
  }

  gap(kind: GapKind, offset: number, message: (line: number) => string): void {
    const line = this.lineOf(offset);
    this.gaps.push({ kind, path: this.path, line, message: message(line) });
  }

  /** Called by a reader before it goes into a node; `leave` follows. Throws `TooDeep`. */
  enter(node: SyntaxNode): void {
    if (this.depth >= MAX_DEPTH || node.skipped === true) throw new TooDeep(node.start);
    this.depth++;
  }

  leave(): void {
    this.depth--;
  }

  /** The same for the tokens of a macro, which are parsed once per level. */
  enterMacro(node: SyntaxNode): void {
    if (this.macroDepth >= MAX_MACRO_DEPTH) throw new TooDeep(node.start);
    this.macroDepth++;
  }

  leaveMacro(): void {
    this.macroDepth--;
  }

  /**
   * Runs a reader of a body or an initialiser. When the tree is too deep, what it added is taken back, a gap is recorded and
   * the answer is undefined.
   */
  bounded<T>(read: () => T): T | undefined {
    const { depth, macroDepth } = this;
    const counts = [this.functions, this.globals, this.types, this.impls, this.imports, this.macros].map(
      (list) => list.length,
    );
    try {
      return read();
    } catch (error) {
      if (!(error instanceof TooDeep)) throw error;
      this.depth = depth;
      this.macroDepth = macroDepth;
      [this.functions, this.globals, this.types, this.impls, this.imports, this.macros].forEach(
        (list, i) => (list.length = counts[i] ?? 0),
      );
      this.gap(
        'limit',
        error.offset,
        (line) => `The code at line ${line} is nested too deeply to be read; split the expression.`,
      );
      return undefined;
    }
  }

  /**
   * Parses `prefix + source[start, end) + suffix` and gives the tree with offsets of the file, or undefined when it has an
   * error. `edit` replaces characters of the piece without changing its length.
   */
  parsePiece(prefix: string, piece: Span, suffix: string, edit?: (text: string) => string): SyntaxNode | undefined {
    const text = this.source.slice(piece.start, piece.end);
    const { view, offsets } = outline(edit ? edit(text) : text, undefined);
    const before = prefix.length;
    const root = parseSyntax(this.grammar, `${prefix}${view}\n${suffix}`, {
      ...PARSE_OPTIONS,
      offsets: {
        start: (offset) => piece.start + (offsets ? offsets.start(offset - before) : offset - before),
        end: (offset) => piece.start + (offsets ? offsets.end(offset - before) : offset - before),
      },
    });
    return root.hasError ? undefined : root;
  }
}

/** What is read from the text and never from the tree: the tokens of macros, and nodes that are only looked at as a whole. */
export const PARSE_OPTIONS: ParseOptions = {
  atoms: new Set([
    'token_tree',
    'macro_definition',
    'attribute',
    'line_comment',
    'block_comment',
    'string_literal',
    'raw_string_literal',
    'visibility_modifier',
    'extern_modifier',
    'lifetime',
    'label',
    'negative_literal',
  ]),
  ignored: new Set([
    ...'( ) [ ] { } , ; : :: . => -> # = \' "'.split(' '),
    ...'as break const continue crate dyn else enum extern fn for if impl in let loop match mod pub return static struct trait type use where while'.split(
      ' ',
    ),
  ]),
};

const blanks = (match: string): string => ' '.repeat(match.length);

/**
 * A text of the same length in which syntax that the grammar does not know is replaced by syntax that it does: `unsafe extern`
 * blocks, `safe fn` and `#[unsafe(no_mangle)]` (edition 2024), prefix ranges `..=x`, `&raw` of a variable named `raw`, empty type
 * arguments, `box` patterns, cfg attributes on shorthand fields, a visibility before a foreign type, and constants named
 * `default`. Names and operators are always taken from the original text.
 */
export function readable(text: string): string {
  let result = text;
  if (text.includes('unsafe')) {
    result = result
      .replace(/\bunsafe(?=\s+extern\s*(?:"[^"\n]*"\s*)?\{)/g, blanks)
      .replace(/(#!?\[\s*)unsafe(?=\s*\()/g, '$1unsaf_');
  }
  // Both stand in blocks of foreign items only.
  if (text.includes('extern'))
    result = result
      .replace(/\bsafe(?=\s+(?:fn|static)\b)/g, blanks)
      .replace(/\bpub(?:\s*\([^)\n]*\))?(?=\s+type\s+\w+\s*[;:])/g, blanks);
  if (result.includes('..=')) result = result.replace(/([[(,=|{]\s*)\.\.=/g, '$1.. ');
  if (result.includes('&raw')) result = result.replace(/&raw\b(?!\s+(?:const|mut)\b)/g, '&ra_');
  if (result.includes('<>')) result = result.replace(/(?<!\buse)(?:::)?<>/g, blanks);
  if (result.includes('box ')) result = result.replace(/\bbox (?=(?:[a-z_]\w*::)*[A-Z])/g, blanks);
  if (result.includes('#[cfg'))
    result = result.replace(/#\[cfg[^\]\n]*\](?=\s*(?:(?:ref|mut)\s+)*[a-z_]\w*\s*[,}])/g, blanks);
  if (result.includes(' default')) result = result.replace(/(\b(?:const|static)\s+)default\b/g, '$1defaul_');
  // Before `try` was a word of the language it was a macro.
  if (result.includes('try!')) result = result.replace(/(?<!r#)\btry(?=!\s*[([{])/g, 'tr_');
  return result.includes('char::<') ? result.replace(/\bchar(?=::<)/g, 'cha_') : result;
}
