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

type PathsByName = Map<string, string[]>;

/**
 * Which files of a unit declare or implement a type of a given name, found from their text: where it was shown as the file was read, else
 * at the first question.
 */
export class DeclarationIndex {
  private readonly declaring: PathsByName = new Map();
  private readonly implementingIn: PathsByName = new Map();
  private readonly droppingIn: PathsByName = new Map();
  private readonly aliases = new Set<string>();
  private readonly noted = new Set<string>();
  private isComplete = false;
  private functions: PathsByName | undefined;

  constructor(
    private readonly language: Language,
    private readonly paths: readonly string[],
    private readonly readText: (path: string) => string | undefined,
  ) {}

  /** Base-relative paths, in listing order; a comment that looks like a declaration can add one too many. */
  filesOf(name: string): readonly string[] {
    this.complete();
    return this.declaring.get(name) ?? [];
  }

  /** Rust: base-relative paths of files that implement a trait for the type, in listing order; a loop can add one too many. */
  implementing(name: string): readonly string[] {
    this.complete();
    return this.implementingIn.get(name) ?? [];
  }

  /** Rust: base-relative paths of files that implement `Drop` for the type, in listing order; a comment can add one too many. */
  dropping(name: string): readonly string[] {
    this.complete();
    return this.droppingIn.get(name) ?? [];
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
    this.complete();
    return this.aliases.has(name);
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

  /**
   * Takes in the text of a file, of which letters beyond ASCII may be read as others. Files are shown in the order of the listing, each
   * once, before the first question.
   */
  note(path: string, text: string): void {
    this.noted.add(path);
    const alias = ALIASES[this.language];
    for (const match of text.matchAll(PATTERNS[this.language])) {
      const [written, name] = match;
      if (name === undefined) continue;
      if (!written.startsWith('for')) {
        add(this.declaring, name, path);
        if (written.startsWith(alias)) this.aliases.add(ownCopy(name));
        continue;
      }
      add(this.implementingIn, name, path);
      const before = text.slice(Math.max(0, match.index - HEAD_REACH), match.index);
      if (before.slice(Math.max(0, before.lastIndexOf('impl'))).includes('Drop')) add(this.droppingIn, name, path);
    }
  }

  /** Reads what was not shown. */
  private complete(): void {
    if (this.isComplete) return;
    this.isComplete = true;
    const late = this.paths.filter((path) => !this.noted.has(path));
    const hadSome = this.noted.size > 0;
    for (const path of late) {
      const text = this.readText(path);
      if (text !== undefined) this.note(path, text);
    }
    if (!hadSome || late.length === 0) return;
    const order = new Map(this.paths.map((path, at) => [path, at]));
    for (const names of [this.declaring, this.implementingIn, this.droppingIn])
      for (const list of names.values())
        if (list.length > 1) list.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  }
}

function add(names: Map<string, string[]>, name: string, path: string): void {
  const list = names.get(name);
  if (!list) names.set(ownCopy(name), [path]);
  else if (list.at(-1) !== path) list.push(path);
}

/** A string with its own memory: what a pattern captures is a view of the text, and as the key of a map it would hold on to the whole file. */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
