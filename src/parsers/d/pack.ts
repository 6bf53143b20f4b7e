import type { FileIr, FunctionIr } from '../../model/ir.js';
import { withoutComments, type SourceFile } from '../../model/source.js';
import { joinBodies } from '../join-bodies.js';
import { asking, watching, withoutState, type AsksOf, type BodyFilter, type LanguagePack } from '../pack.js';
import { loadGrammar, parseSyntax, type Grammar, type ParseOptions } from '../tree.js';
import type { SyntaxNode } from '../syntax.js';
import { dApis } from './apis.js';
import type { View } from './compact.js';
import { dFacets } from './facets.js';
import { DeclarationLowering } from './lower-declarations.js';
import type { MetName } from './lowering.js';
import { readOutline, type Outline, type Selection } from './outline.js';

const grammarFile = 'tree-sitter-d.wasm';

let grammar: Grammar | undefined;

/** D: `.d` sources and `.di` interface files. */
export const dPack: LanguagePack = {
  id: 'd',
  name: 'D',
  extensions: ['.d', '.di'],
  lineComment: '//',
  grammar: grammarFile,
  apis: dApis,
  facets: dFacets,
  async load(): Promise<void> {
    grammar = await loadGrammar(grammarFile);
  },
  lower(source: SourceFile, wanted?: BodyFilter): FileIr {
    const file = withLineFeeds(source);
    const filter = withoutState(wanted);
    return lowerOutlined(file, readOutline(file.text, filter && selection(file.text, asking(filter))));
  },
  lowerIfSought(source: SourceFile, wanted: BodyFilter | undefined, sought: BodyFilter): FileIr | undefined {
    const file = withLineFeeds(source);
    const { asks, isFound } = watching(withoutState(wanted), sought);
    const outline = readOutline(file.text, selection(file.text, asks));
    return isFound() || outline.hasOtherCode ? lowerOutlined(file, outline) : undefined;
  },
  lowerMore(source: SourceFile, read: FileIr, wanted: (fn: FunctionIr) => boolean): FileIr {
    const file = withLineFeeds(source);
    const heads = read.functions
      .filter((fn) => fn.skipped === true && wanted(fn))
      .map(({ nameSpan }) => nameSpan.start);
    if (heads.length === 0) return read;
    const isWanted: Selection = (start, end) => heads.some((at) => start <= at && at < end);
    const firstId = Math.max(...read.functions.map(({ id }) => id)) + 1;
    // Around a syntax error one part of a file decides how another is read.
    const known = read.gaps.some(({ kind }) => kind === 'parse-error') ? undefined : metIn.get(read);
    const more =
      (known && lowerBare(file, readOutline(file.text, isWanted, true), firstId, known)) ??
      lowerOutlined(file, readOutline(file.text, isWanted), firstId);
    const joined = joinBodies(read, more);
    if (known) metIn.set(joined, known);
    return joined;
  },
};

/** In D a carriage return alone ends a line, and a comment with it; the grammar knows line feeds only. Offsets stay. */
function withLineFeeds(file: SourceFile): SourceFile {
  return file.text.includes('\r') ? { ...file, text: file.text.replace(/\r(?!\n)/gu, '\n') } : file;
}

/** What a reading of a whole file met of names that later readings of single bodies leave out. */
const metIn = new WeakMap<FileIr, readonly MetName[]>();

function lowerOutlined(file: SourceFile, outline: Outline, firstId?: number): FileIr {
  let root = parse(outline.view);
  // A text that takes too long to read takes no less the second time.
  if (root.hasError && root.skipped !== true) root = parse(outline.blankView());
  const lowering = new DeclarationLowering(file, outline, firstId);
  const lowered = lowering.lowerFile(root);
  metIn.set(lowered, lowering.met);
  return lowered;
}

/** Single bodies with nothing around them but what they stand in; undefined when the grammar finds an error in that. */
function lowerBare(file: SourceFile, outline: Outline, firstId: number, known: readonly MetName[]): FileIr | undefined {
  const root = parse(outline.view);
  return root.hasError ? undefined : new DeclarationLowering(file, outline, firstId, known).lowerFile(root);
}

function parse({ text, offsets }: View): SyntaxNode {
  if (grammar === undefined) throw new Error('The D grammar is not loaded; call load() first.');
  return parseSyntax(grammar, text, { ...parseOptions, offsets });
}

/** Kinds whose parts nobody asks for: what they mean is in their text. */
const parseOptions: ParseOptions = {
  atoms: new Set([
    'quoted_string',
    'raw_string',
    'hex_string',
    'token_string',
    'char_literal',
    'at_attribute',
    'linkage_attribute',
    'align_attribute',
    'deprecated_attribute',
    'pragma_expression',
    'type_ctor',
    'cast_qualifier',
    'constraint',
    'is_expression',
    'traits_expression',
    'typeof_expression',
    'vector_type',
    'import_expression',
    'static_assert',
    'goto_statement',
    'asm_statement',
    'version_specification',
    'debug_specification',
  ]),
  // Joined strings of generated code lean to the left by two levels a term; real nesting stays far below.
  maxDepth: 1500,
};

/** Asks the pattern about a function together with the attributes that groups (`@trusted:`) give it. */
function selection(text: string, wants: AsksOf): Selection {
  return (start, end, group, comments) =>
    wants(group + text.slice(start, end), () => {
      const code = withoutComments(text, { start, end }, comments);
      return code === undefined ? undefined : group + code;
    });
}
