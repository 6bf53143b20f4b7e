import type { FileIr } from '../../model/ir.js';
import type { SourceFile } from '../../model/source.js';
import { withoutState, type BodyFilter, type LanguagePack } from '../pack.js';
import { loadGrammar, parseSyntax, type Grammar } from '../tree.js';
import { rustApis } from './apis.js';
import { Lowering, PARSE_OPTIONS, readable, type Scope } from './context.js';
import { rustFacets } from './facets.js';
import { lowerItems, resolveOwnerKinds } from './lower-items.js';
import { outline, signatureStart } from './outline.js';

const GRAMMAR = 'tree-sitter-rust.wasm';

let grammar: Grammar | undefined;

function lower(file: SourceFile, filter?: BodyFilter): FileIr {
  if (!grammar) throw new Error('The Rust grammar was not loaded before the first file.');
  const wanted = withoutState(filter);
  const { text } = file;
  const source = readable(text);
  const outlined = outline(
    source,
    wanted && ((start, end) => wanted.test(text.slice(signatureStart(text, start), end))),
  );
  const { offsets } = outlined;
  const root = parseSyntax(grammar, outlined.view, offsets ? { ...PARSE_OPTIONS, offsets } : PARSE_OPTIONS);
  const cx = new Lowering(file.path, text, source, outlined, wanted, grammar);
  const scope: Scope = { names: [], conditions: [], isTest: false };
  lowerItems(cx, root.isError ? [root] : root.children, scope, cx.attributes);
  resolveOwnerKinds(cx);
  return {
    path: file.path,
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
};
