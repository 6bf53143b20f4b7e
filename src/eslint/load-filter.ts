/** Any string where a module can stand: cheap, and never without a real load. */
const looseSpecifier =
  /(?:\bfrom|\bimport|\bimport\s*\(|[rR]equire\w*\s*\(|[\w)]\s*\((?=\s*['"`][^'"`\n]*\.node['"`]))\s*['"`]([^'"`\n]+)['"`]/gu;
/** The same where a function of any name may load: `createRequire` gave it. */
const looserSpecifier = /(?:\bfrom|\bimport|[\w)]\s*\()\s*['"`]([^'"`\n]+)['"`]/gu;

/** Text with comments blanked out, so that offsets stay; strings that look like comments are rare in import lines. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gmu, (comment) => comment.replace(/[^\n]/gu, ' '));
}

const importLine =
  /(?:\bimport\s+(?!type\b)(?:[\w$*{}\s,]+?\s+from\s+)?|\bexport\s+(?!type\b)[\w$*{}\s,]+?\s+from\s+|(?:[rR]equire\w*|\bimport)\s*\(\s*|\bcreateRequire\([^)\n]*\)\s*\(\s*)(['"`])([^'"`\n]+)\1/gu;

interface Specifier {
  readonly specifier: string;
  readonly offset: number;
}

/** Specifiers of the modules that a text loads at run time, with their offsets. */
export function specifiersIn(text: string): readonly Specifier[] {
  const clean = text.includes('/*') || text.includes('//') ? withoutComments(text) : text;
  const made = clean.includes('createRequire(')
    ? [...clean.matchAll(/([\w$]+)\s*=\s*(?:\w+\.)?createRequire\(/gu)].map(([, name = '']) => name)
    : [];
  const others = made
    .filter((name) => !/require/iu.test(name))
    .flatMap((name) => [
      ...clean.matchAll(new RegExp(`\\b${name.replaceAll('$', '\\$')}\\(\\s*(['"\`])([^'"\`\\n]+)\\1`, 'gu')),
    ]);
  return [...clean.matchAll(importLine), ...others].map((match) => {
    const specifier = match[2] ?? '';
    return { specifier, offset: match.index + match[0].length - specifier.length - 1 };
  });
}

/**
 * The native modules that a text loads, as far as it names them. First any string after `from`, `import` or an opening
 * parenthesis is asked about; only when one is native, comments and type imports are taken out.
 */
export function nativeModulesIn<T>(text: string, resolve: (specifier: string) => T | undefined): readonly T[] {
  const loose = new Map<string, T>();
  const pattern = text.includes('createRequire') ? looserSpecifier : looseSpecifier;
  for (const [, specifier] of text.matchAll(pattern)) {
    const module = specifier === undefined || loose.has(specifier) ? undefined : resolve(specifier);
    if (specifier !== undefined && module !== undefined) loose.set(specifier, module);
  }
  if (loose.size === 0) return [];
  const loaded = new Set(specifiersIn(text).map(({ specifier }) => specifier));
  // createRequire gives the function any name; what ends in .node is a binary whoever loads it.
  return [...loose]
    .filter(([specifier]) => specifier.endsWith('.node') || loaded.has(specifier))
    .map(([, module]) => module);
}

/** True when the text loads a native module, or opens a binary by hand. */
export function mayLoadAddon<T>(text: string, resolve: (specifier: string) => T | undefined): boolean {
  return text.includes('process.dlopen') || nativeModulesIn(text, resolve).length > 0;
}
