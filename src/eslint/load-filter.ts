/** True when the text names, where a module can stand, a specifier that is native. Cheap, and never false for a real load. */
export function mayLoadAddon(text: string, isNative: (specifier: string) => boolean): boolean {
  if (text.includes('process.dlopen')) return true;
  for (const [, specifier] of text.matchAll(/(?:\bfrom|\bimport|[\w)]\s*\()\s*['"`]([^'"`\n]+)['"`]/gu)) {
    if (specifier !== undefined && isNative(specifier)) return true;
  }
  return false;
}
