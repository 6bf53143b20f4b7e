import type { FileIr } from '../../model/ir.js';
import type { SourceFile } from '../../model/source.js';
import type { LanguagePack } from '../pack.js';
import { loadGrammar, parseSyntax, type Grammar } from '../tree.js';
import { dApis } from './apis.js';
import { dFacets } from './facets.js';
import { DeclarationLowering } from './lower-declarations.js';
import { BodySelection } from './selection.js';

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
  lower(file: SourceFile, wanted?: RegExp): FileIr {
    if (grammar === undefined) throw new Error('The D grammar is not loaded; call load() first.');
    const selection = new BodySelection(file.text, wanted);
    const root = parseSyntax(grammar, file.text, {
      descend: (kind, start, end) => selection.accepts(kind, start, end),
      maxDepth,
    });
    return new DeclarationLowering(file).lowerFile(root, selection.declined);
  },
};

/** Joined strings of generated code lean to the left by two levels a term; real nesting stays far below. */
const maxDepth = 1500;
