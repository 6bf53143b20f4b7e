import type { DiscoveredUnit } from '../discover/inputs.js';
import type { Language } from '../model/ir.js';
import type { Rule } from '../rules/rule.js';

/** A part of a unit that one of several threads goes through. What is asked for by name is the whole unit everywhere. */
export interface Share {
  /** The first thread also runs the rules that look at several files at once. */
  readonly isFirst: boolean;
  /** Whether this thread goes through the file at a base-relative path. Of what no thread was given, the first one does. */
  isMine(path: string): boolean;
}

/** Bytes of sources for which a thread of its own pays: it reads and indexes the whole unit once more. */
const worthAThread = 4_000_000;

/**
 * Cuts the sources of a unit that were asked for into at most `most` parts of about as many bytes each, neighbours together, since they ask
 * for each other's declarations. One part when more would not pay; explicit counts are taken as they are.
 */
export function cutShares(unit: DiscoveredUnit, most: number, isExplicit: boolean): readonly (readonly string[])[] {
  const sources = unit.files.filter(
    ({ path, language }) => (language === 'rust' || language === 'd') && unit.asked(path),
  );
  const total = sources.reduce((sum, { size }) => sum + size, 0);
  const count = Math.min(most, sources.length, isExplicit ? most : Math.floor(total / worthAThread));
  if (count < 2) return [sources.map(({ path }) => path)];
  const parts: string[][] = Array.from({ length: count }, () => []);
  let before = 0;
  for (const { path, size } of sources) {
    parts[Math.min(count - 1, Math.floor((before / total) * count))]?.push(path);
    before += size;
  }
  return parts;
}

/** The share of one part of a unit, beside those of the `others`. */
export function shareOf(parts: readonly (readonly string[])[], index: number): Share {
  const isFirst = index === 0;
  const mine = new Set(parts[index]);
  const others = new Set(parts.flatMap((part, at) => (at === index ? [] : part)));
  return { isFirst, isMine: (path) => mine.has(path) || (isFirst && !others.has(path)) };
}

/** Whether the threads of a unit can divide the files of a rule among them. */
export function isShared({ meta, perFile }: Rule): boolean {
  const read: readonly Language[] = perFile ?? [];
  return read.length > 0 && meta.languages.every((language) => read.some((one) => one === language));
}
