/** Any string where a module can stand: cheap, and never without a real load. */
const looseSpecifier = /(?:\bfrom|\bimport|[\w)]\s*\()\s*['"`]([^'"`\n]+)['"`]/gu;

/** Text with comments blanked out, so that offsets stay; strings that look like comments are rare in import lines. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gmu, (comment) => comment.replace(/[^\n]/gu, ' '));
}

const importLine =
  /(?:\bimport\s+(?!type\b)(?:[\w$*{}\s,]+?\s+from\s+)?|\bexport\s+(?!type\b)[\w$*{}\s,]+?\s+from\s+|\b(?:\w*[rR]equire\w*|import)\s*\(\s*|\bcreateRequire\([^)\n]*\)\s*\(\s*)(['"`])([^'"`\n]+)\1/gu;

interface Specifier {
  readonly specifier: string;
  readonly offset: number;
}

/** Specifiers of the modules that a text loads at run time, with their offsets. */
export function specifiersIn(text: string): readonly Specifier[] {
  const clean = text.includes('/*') || text.includes('//') ? withoutComments(text) : text;
  return [...clean.matchAll(importLine)].map((match) => {
    const specifier = match[2] ?? '';
    return { specifier, offset: match.index + match[0].length - specifier.length - 1 };
  });
}

/**
 * True when the text loads a module that is native. First any string after `from`, `import` or an opening parenthesis is
 * asked about; only when one is native, comments and type imports are taken out.
 */
export function mayLoadAddon(text: string, isNative: (specifier: string) => boolean): boolean {
  if (text.includes('process.dlopen')) return true;
  const loose = new Set<string>();
  for (const [, specifier] of text.matchAll(looseSpecifier)) {
    if (specifier === undefined || loose.has(specifier) || !isNative(specifier)) continue;
    // createRequire gives the function any name; what ends in .node is a binary whoever loads it.
    if (specifier.endsWith('.node')) return true;
    loose.add(specifier);
  }
  return loose.size > 0 && specifiersIn(text).some(({ specifier }) => loose.has(specifier));
}
