import type { FileIr, FunctionIr, TypeDecl } from '../../model/ir.js';
import { withoutComments, type SourceFile } from '../../model/source.js';
import { joinBodies } from '../join-bodies.js';
import { asking, watching, withoutState, type AsksOf, type BodyFilter, type LanguagePack } from '../pack.js';
import { loadGrammar, parseSyntax, type Grammar } from '../tree.js';
import { rustApis } from './apis.js';
import { bareOutline } from './bare-view.js';
import { Lowering, PARSE_OPTIONS, readable, type Scope } from './context.js';
import { rustFacets } from './facets.js';
import { lowerItems, resolveOwnerKinds } from './lower-items.js';
import { expandMarkers } from './macro-definitions.js';
import { outline, type Outline, type Selection } from './outline.js';

const GRAMMAR = 'tree-sitter-rust.wasm';

let grammar: Grammar | undefined;

/** A closure outside functions, where a static is initialised. */
const LOOSE_CLOSURE = /[(,=]\s*(?:move\s*)?\|/u;

function lower(file: SourceFile, wanted?: BodyFilter): FileIr {
  const filter = withoutState(wanted);
  return lowerOutlined(file, filter, outlineOf(file.text, filter && asking(filter)));
}

function lowerIfSought(file: SourceFile, wanted: BodyFilter | undefined, sought: BodyFilter): FileIr | undefined {
  const filter = withoutState(wanted);
  const watch = watching(filter, sought);
  const read = outlineOf(file.text, watch.asks);
  // Where brackets do not match, no body was asked about.
  const { isUnbalanced, view } = read.outlined;
  return watch.isFound() || isUnbalanced === true || LOOSE_CLOSURE.test(view)
    ? lowerOutlined(file, filter, read)
    : undefined;
}

function lowerMore(file: SourceFile, read: FileIr, wanted: (fn: FunctionIr) => boolean): FileIr {
  const lacking = read.functions.filter((fn) => fn.skipped === true && fn.bodySpan !== undefined && wanted(fn));
  if (lacking.length === 0) return read;
  const bodies = new Set(lacking.flatMap(({ bodySpan }) => (bodySpan ? [bodySpan.start] : [])));
  const source = readable(file.text);
  const heads = [...bodies];
  const isWanted = (start: number, end: number): boolean =>
    heads.some((at) => start <= at && at < end) || lacking.some(({ span }) => span.start <= start && end <= span.end);
  const outlined = outline(source, isWanted);
  const known = { firstId: Math.max(...read.functions.map(({ id }) => id)) + 1, types: read.types };
  // What such an attribute says of all that follows would be lost.
  const bare = /#!\[\s*cfg/u.test(source) ? undefined : bareOutline(outlined, bodies);
  const more = bare && lowerOutlined(file, undefined, { source, outlined: bare }, known);
  const isRead = (at: number): boolean =>
    more?.functions.some((fn) => fn.bodySpan?.start === at && fn.hasError !== true) === true;
  return joinBodies(
    read,
    more && heads.every(isRead) ? more : lowerOutlined(file, undefined, { source, outlined }, known),
  );
}

/** The text as the grammar can read it, and its outline. */
interface ReadText {
  readonly source: string;
  readonly outlined: Outline;
}

function outlineOf(text: string, wants: AsksOf | undefined): ReadText {
  const source = readable(text);
  const isWanted: Selection | undefined =
    wants &&
    ((start, end, comments) => wants(text.slice(start, end), () => withoutComments(text, { start, end }, comments)));
  return { source, outlined: outline(source, isWanted) };
}

/** What another reading of the file found: ids for functions from there on are free. */
interface Known {
  readonly firstId: number;
  readonly types: readonly TypeDecl[];
}

function lowerOutlined(
  { path, text }: SourceFile,
  wanted: BodyFilter | undefined,
  { source, outlined }: ReadText,
  known?: Known,
): FileIr {
  if (!grammar) throw new Error('The Rust grammar was not loaded before the first file.');
  const { offsets } = outlined;
  const root = parseSyntax(grammar, outlined.view, offsets ? { ...PARSE_OPTIONS, offsets } : PARSE_OPTIONS);
  const cx = new Lowering(path, text, source, outlined, wanted, grammar, known?.firstId);
  const scope: Scope = { names: [], conditions: [], isTest: false };
  if (root.isError && root.skipped === true) {
    const message = `'${path}' was not checked, because the Rust grammar takes too long to read it; look for brackets or quotes without an end.`;
    cx.gap('limit', 0, () => message);
  } else lowerItems(cx, root.isError ? [root] : root.children, scope, cx.attributes);
  expandMarkers(cx);
  resolveOwnerKinds(cx, known?.types);
  return {
    path,
    language: 'rust',
    module: [],
    attributes: cx.attributes,
    imports: cx.imports,
    types: cx.types,
    impls: cx.impls,
    globals: cx.globals,
    functions: cx.functions,
    macros: cx.macros,
    comments: outlined.comments,
    gaps: cx.gaps,
  };
}

export const rustPack: LanguagePack = {
  id: 'rust',
  name: 'Rust',
  extensions: ['.rs'],
  lineComment: '//',
  grammar: GRAMMAR,
  apis: rustApis,
  facets: rustFacets,
  async load() {
    grammar ??= await loadGrammar(GRAMMAR);
  },
  lower,
  lowerIfSought,
  lowerMore,
};
