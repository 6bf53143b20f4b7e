import type { Language } from '../model/ir.js';

/** Declarations of types, and in Rust the types behind the `for` of an impl. */
const PATTERNS: Readonly<Record<Language, RegExp>> = {
  rust: /\b(?:struct|enum|union|type|trait|for)\s+(?:&?\w+::)*([A-Z]\w*)/gu,
  d: /\b(?:struct|class|enum|union|interface|alias|template)\s+([A-Za-z_]\w*)/gu,
};

/** Which files of a unit declare or implement a type of a given name, found from their text in one pass at the first question. */
export class DeclarationIndex {
  private names: Record<'declaring' | 'implementing', Map<string, string[]>> | undefined;
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

  private build(): Record<'declaring' | 'implementing', Map<string, string[]>> {
    const declaring = new Map<string, string[]>();
    const implementing = new Map<string, string[]>();
    const pattern = PATTERNS[this.language];
    for (const path of this.paths) {
      const text = this.readText(path);
      if (text === undefined) continue;
      for (const match of text.matchAll(pattern)) {
        const name = match[1];
        if (name === undefined) continue;
        add(match[0].startsWith('for') ? implementing : declaring, name, path);
      }
    }
    return { declaring, implementing };
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
