import type { FileIr, FunctionIr, Language } from '../model/ir.js';
import type { SourceFile } from '../model/source.js';
import type { ApiRow } from '../flow/api.js';

/** Chooses the function bodies to lower; a regular expression is one. */
export interface BodyFilter {
  /** `text` is a function with its head. */
  test(text: string): boolean;
}

/** The filter without the flags that make a pattern remember where it was. */
export function withoutState(filter: BodyFilter | undefined): BodyFilter | undefined {
  return filter instanceof RegExp && (filter.global || filter.sticky)
    ? new RegExp(filter.source, filter.flags.replace(/[gy]/g, ''))
    : filter;
}

/** Asks about a function: its text with its head, and the same without the comments in it when there are some. */
export type AsksOf = (text: string, code: () => string | undefined) => boolean;

/** What a comment says is no reason to read a function. The text as it is comes first, because most of them fail there already. */
export function asking(filter: BodyFilter): AsksOf {
  return (text, code) => {
    if (!filter.test(text)) return false;
    const bare = code();
    return bare === undefined || filter.test(bare);
  };
}

/** A filter for what to lower that also notes whether something was `sought`; `isFound` is asked afterwards. */
export function watching(
  wanted: BodyFilter | undefined,
  sought: BodyFilter,
): { readonly asks: AsksOf; readonly isFound: () => boolean } {
  const wish = withoutState(sought) ?? sought;
  const wishes = asking(wish);
  const wants = wanted && asking(wanted);
  let found = false;
  return {
    asks: (text, code) => {
      // Found once is enough, but for what the other filter is, too.
      const isSought = (!found || wanted === wish) && wishes(text, code);
      found ||= isSought;
      return wants === undefined || (wanted === wish ? isSought : wants(text, code));
    },
    isFound: () => found,
  };
}

/** What the engine may ask of a language. */
export interface LanguagePack {
  readonly id: Language;
  readonly name: string;
  /** With the dot. */
  readonly extensions: readonly string[];
  readonly lineComment: string;
  /** File name of the grammar in the grammar folder (`dist/grammars`). */
  readonly grammar: string;
  /** API knowledge as data. Every row must be hit by a fixture. */
  readonly apis: readonly ApiRow[];
  /** Names of the syntax facets that `lower` claims to see; each has a fixture in fixtures/facts/<pack>/<facet>.*. */
  readonly facets: readonly string[];
  /** Loads the grammar once per process; `lower` may be called after it has resolved. Rejects when the grammar was not built. */
  load(): Promise<void>;
  /**
   * Parses and lowers one file. Bodies of functions for which `wanted` says no are left out (`skipped`);
   * without `wanted` every body is lowered. Never throws on bad syntax: a syntax error inside a function sets its
   * `hasError`, drops its body and records a gap.
   */
  lower(file: SourceFile, wanted?: BodyFilter): FileIr;
  /** As `lower`, but undefined without a parse when no function with a body, and no code outside functions, may match `sought`. */
  lowerIfSought(file: SourceFile, wanted: BodyFilter | undefined, sought: BodyFilter): FileIr | undefined;
  /**
   * The file as it was `read`, with those skipped bodies lowered too that are `wanted`. What was there stays the same objects;
   * the functions that come along have ids of their own.
   */
  lowerMore(file: SourceFile, read: FileIr, wanted: (fn: FunctionIr) => boolean): FileIr;
}
