import type { FileIr } from '../../model/ir.js';
import type { SourceFile } from '../../model/source.js';
import type { LanguagePack } from '../pack.js';
import { loadGrammar, parseSyntax, type Grammar } from '../tree.js';
import { rustApis } from './apis.js';
import { declineTokens, Lowering, readable, type Scope } from './context.js';
import { rustFacets } from './facets.js';
import { lowerItems, resolveOwnerKinds } from './lower-items.js';
import { findComments } from './tokens.js';

const GRAMMAR = 'tree-sitter-rust.wasm';

let grammar: Grammar | undefined;

/** Leaves out the tokens of macros and the bodies of functions that no rule asked for. */
function descendInto(text: string, wanted: RegExp | undefined): (kind: string, start: number, end: number) => boolean {
  if (!wanted) return declineTokens;
  let functionEnd = -1;
  return (kind, start, end) => {
    if (kind === 'function_item') functionEnd = end;
    // The body is the only block that ends where the function ends; it comes before every block inside it.
    else if (kind === 'block' && end === functionEnd) return wanted.test(text.slice(start, end));
    return declineTokens(kind);
  };
}

function lower(file: SourceFile, wanted?: RegExp): FileIr {
  if (!grammar) throw new Error('The Rust grammar was not loaded before the first file.');
  const pattern = wanted?.global === true || wanted?.sticky === true ? new RegExp(wanted.source, wanted.flags.replace(/[gy]/g, '')) : wanted;
  const source = readable(file.text);
  const root = parseSyntax(grammar, source, { descend: descendInto(file.text, pattern) });
  const comments = findComments(file.text);
  const cx = new Lowering(file.path, file.text, source, comments, pattern, grammar);
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
    comments,
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
