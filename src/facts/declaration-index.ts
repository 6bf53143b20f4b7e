import type { Language } from '../model/ir.js';
import { isWordAt } from './plain-text.js';

/** Words that begin the declaration of a type. */
const WORDS: Readonly<Record<Language, string>> = {
  rust: 'struct|enum|union|type|trait',
  d: 'struct|class|enum|union|interface|alias|template',
};

/** Declarations of types, and in Rust the types behind the `for` of an impl. */
const PATTERNS: Readonly<Record<Language, RegExp>> = {
  rust: new RegExp(`\\b(?:${WORDS.rust}|for)\\s+(?:&?\\w+::)*([A-Z]\\w*)`, 'gu'),
  d: new RegExp(`\\b(?:${WORDS.d})\\s+([A-Za-z_]\\w*)`, 'gu'),
};

const ALIASES: Readonly<Record<Language, string>> = { rust: 'type', d: 'alias' };

/** How far before `for` the `impl` is looked for. */
const HEAD_REACH = 300;

/** Longer than the longest word by what tells that it begins there. */
const WORD_REACH = 12;

const ENDS_WITH_WORD: Readonly<Record<Language, RegExp>> = {
  rust: new RegExp(`\\b(?:${WORDS.rust})$`, 'u'),
  d: new RegExp(`\\b(?:${WORDS.d})$`, 'u'),
};

interface Names {
  readonly declaring: ReadonlyMap<string, readonly string[]>;
  readonly implementing: ReadonlyMap<string, readonly string[]>;
  readonly dropping: ReadonlyMap<string, readonly string[]>;
  readonly aliases: ReadonlySet<string>;
}

/** Which files of a unit declare or implement a type of a given name, found from their text in one pass at the first question. */
export class DeclarationIndex {
  private names: Names | undefined;
  private functions: Map<string, string[]> | undefined;

  constructor(
    private readonly language: Language,
    private readonly paths: readonly string[],
    private readonly readText: (path: string) => string | undefined,
  ) {}

  /** Base-relative paths, in listing order; a comment that looks like a declaration can add one too many. */
  filesOf(name: string): readonly string[] {
    this.names ??= this.build();
    return this.names.declaring.get(name) ?? [];
  }

  /** Rust: base-relative paths of files that implement a trait for the type, in listing order; a loop can add one too many. */
  implementing(name: string): readonly string[] {
    this.names ??= this.build();
    return this.names.implementing.get(name) ?? [];
  }

  /** Rust: base-relative paths of files that implement `Drop` for the type, in listing order; a comment can add one too many. */
  dropping(name: string): readonly string[] {
    this.names ??= this.build();
    return this.names.dropping.get(name) ?? [];
  }

  /** Whether the text of a file that `filesOf` gives declares the type outside of line comments. */
  isSurelyIn(path: string, name: string): boolean {
    if (name === '') return false;
    const text = this.readText(path) ?? '';
    const word = ENDS_WITH_WORD[this.language];
    // The name is rarer than the words, and looked for much faster than a pattern.
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
      if (isWordAt(text, at + name.length)) continue;
      let end = at;
      while (end > 0 && /\s/u.test(text.charAt(end - 1))) end--;
      const begin = end === at ? undefined : word.exec(text.slice(Math.max(0, end - WORD_REACH), end));
      if (!begin) continue;
      const start = end - begin[0].length;
      const line = text.slice(text.lastIndexOf('\n', start) + 1, start);
      if (!/\/\/|\/[*+]|^\s*[*+]/u.test(line)) return true;
    }
    return false;
  }

  /** Whether some file declares an alias of this name; an associated type counts, a comment can make it one. */
  isAlias(name: string): boolean {
    this.names ??= this.build();
    return this.names.aliases.has(name);
  }

  /** Rust: base-relative paths of files with a function of this name, in listing order; a comment can add one too many. */
  withFunction(name: string): readonly string[] {
    if (!this.functions) {
      this.functions = new Map();
      for (const path of this.paths) {
        for (const match of this.readText(path)?.matchAll(/\bfn\s+(\w+)/gu) ?? [])
          add(this.functions, match[1] ?? '', path);
      }
    }
    return this.functions.get(name) ?? [];
  }

  private build(): Names {
    const declaring = new Map<string, string[]>();
    const implementing = new Map<string, string[]>();
    const dropping = new Map<string, string[]>();
    const aliases = new Set<string>();
    const pattern = PATTERNS[this.language];
    const alias = ALIASES[this.language];
    for (const path of this.paths) {
      const text = this.readText(path);
      if (text === undefined) continue;
      for (const match of text.matchAll(pattern)) {
        const [written, name] = match;
        if (name === undefined) continue;
        if (!written.startsWith('for')) {
          add(declaring, name, path);
          if (written.startsWith(alias)) aliases.add(ownCopy(name));
          continue;
        }
        add(implementing, name, path);
        const before = text.slice(Math.max(0, match.index - HEAD_REACH), match.index);
        if (before.slice(Math.max(0, before.lastIndexOf('impl'))).includes('Drop')) add(dropping, name, path);
      }
    }
    return { declaring, implementing, dropping, aliases };
  }
}

function add(names: Map<string, string[]>, name: string, path: string): void {
  const list = names.get(name);
  if (!list) names.set(ownCopy(name), [path]);
  else if (list.at(-1) !== path) list.push(path);
}

/** A string with its own memory: what a pattern captures is a view of the text, and as the key of a map it would hold on to the whole file. */
function ownCopy(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
