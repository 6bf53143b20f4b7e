/** Whether code outside of a crate comes to one of its functions, told by names alone. */
import type { UnitFacts } from './unit.js';
import type { CargoPackage } from '../model/project.js';

const head =
  /^([ \t]*)(?:pub(?:\([^)]*\))?\s+)?(?:default\s+)?(?:const\s+)?(?:async\s+)?(?:unsafe\s+)?(?:extern\s+"[^"]*"\s+)?fn\s+(\w+)/gmu;
const implHead = /^impl\b[^\n]*/gmu;
/** A name that so many functions mention says nothing. */
const mostNames = 60;

/**
 * Whether one of `others` mentions the function `name` of `crate`, or a function of the crate that comes to it. Names stand for
 * functions, wherever they are declared, so the answer is `false` only when no path exists; what is called without being named (the
 * methods of a trait, statics) counts as reached. Rust that rustfmt has laid out is read line by line, and not parsed.
 */
export function isReachedFrom(
  unit: UnitFacts,
  crate: CargoPackage,
  name: string,
  others: readonly CargoPackage[],
): boolean {
  const own = sourcesOf(unit, crate);
  const reaching = new Set([name]);
  for (const wanted of reaching) {
    for (const text of own) {
      for (const caller of findCallers(text, wanted)) {
        if (caller === undefined || reaching.size > mostNames) return true;
        reaching.add(caller);
      }
    }
  }
  const words = new RegExp(`\\b(?:${[...reaching].join('|')})\\b`, 'u');
  return others.some((other) => sourcesOf(unit, other).some((text) => words.test(text)));
}

function sourcesOf(unit: UnitFacts, crate: CargoPackage): readonly string[] {
  const folder = crate.dir === '' ? '' : `${crate.dir}/`;
  return unit
    .pathsOf('rust')
    .filter((path) => path.startsWith(folder) && !/^(?:tests|benches|examples)\//u.test(path.slice(folder.length)))
    .flatMap((path) => unit.textOf(path) ?? []);
}

/** The functions in whose text the word stands; undefined for one that is called without being named. */
function findCallers(text: string, name: string): readonly (string | undefined)[] {
  if (!text.includes(name)) return [];
  const heads = [...text.matchAll(head)];
  const impls = [...text.matchAll(implHead)];
  return [...text.matchAll(new RegExp(`\\b${name}\\b`, 'gu'))].flatMap(({ index }) => {
    const around = heads.findLast((h) => h.index <= index);
    if (around === undefined) return isImport(text, index) ? [] : [undefined];
    const [whole, indent, caller] = around;
    // The declaration itself.
    if (index < around.index + whole.length) return [];
    const impl = indent === '' ? undefined : impls.findLast((i) => i.index < around.index);
    return [impl !== undefined && / for /u.test(impl[0]) ? undefined : caller];
  });
}

function isImport(text: string, index: number): boolean {
  const start = Math.max(text.lastIndexOf(';', index), text.lastIndexOf('}', index)) + 1;
  return /^\s*(?:(?:\/\/[^\n]*|#\[[^\n]*)\s*)*(?:pub(?:\([^)]*\))?\s+)?use\b/u.test(text.slice(start, index));
}
