import type { Language } from '../model/ir.js';

const PATTERNS: Readonly<Record<Language, RegExp>> = {
  rust: /\b(?:struct|enum|union|type|trait)\s+([A-Z]\w*)/gu,
  d: /\b(?:struct|class|enum|union|interface|alias|template)\s+([A-Za-z_]\w*)/gu,
};

/** Which files of a unit declare a type of a given name, found from their text in one pass at the first question. */
export class DeclarationIndex {
  private names: Map<string, string[]> | undefined;

  constructor(
    private readonly language: Language,
    private readonly paths: readonly string[],
    private readonly readText: (path: string) => string | undefined,
  ) {}

  /** Base-relative paths, in listing order; a comment that looks like a declaration can add one too many. */
  filesOf(name: string): readonly string[] {
    this.names ??= this.build();
    return this.names.get(name) ?? [];
  }

  private build(): Map<string, string[]> {
    const names = new Map<string, string[]>();
    const pattern = PATTERNS[this.language];
    for (const path of this.paths) {
      const text = this.readText(path);
      if (text === undefined) continue;
      for (const match of text.matchAll(pattern)) {
        const name = match[1];
        if (name === undefined) continue;
        const list = names.get(name);
        if (!list) names.set(name, [path]);
        else if (list.at(-1) !== path) list.push(path);
      }
    }
    return names;
  }
}
