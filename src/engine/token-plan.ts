import type { Language } from '../model/ir.js';
import type { Rule } from '../rules/rule.js';

/** What a set of rules wants to see of one language, decided from text alone. */
export interface TokenPlan {
  /** Strings of which a file must hold one to be parsed at all; empty when no rule reads the language. */
  readonly fileTokens: readonly string[];
  /** Whether some rule wants the file: one of its tokens is there, and one of those it requires beside them. */
  isCandidate(text: string): boolean;
  /** Which function bodies of a candidate file to lower; undefined when all of them. */
  wantedIn(text: string): RegExp | undefined;
}

/** Combines the tokens of the active rules for one language. */
export function planTokens(rules: readonly Rule[], language: Language): TokenPlan {
  const readers = rules.flatMap((rule) => {
    const tokens = rule.tokens[language];
    return tokens === undefined || tokens.length === 0
      ? []
      : [{ tokens, requires: rule.requires?.[language] ?? [], bodies: rule.bodyTokens?.[language] }];
  });
  // A file must hold one of both lists, so either will do here; longer words are rarer, and rarity is what makes a filter.
  const shortest = (words: readonly string[]): number => Math.min(...words.map((w) => w.length));
  const fileTokens = [
    ...new Set(
      readers.flatMap((r) =>
        r.requires.length > 0 && shortest(r.requires) >= shortest(r.tokens) ? r.requires : r.tokens,
      ),
    ),
  ];
  const wanted = [...new Set(readers.flatMap((r) => [...r.tokens, ...r.requires]))];
  let last: { readonly text: string; readonly present: ReadonlySet<string> } | undefined;
  // Both questions are asked about the same text in a row; the search is the dear part.
  const presentIn = (text: string): ReadonlySet<string> => {
    if (last?.text !== text) last = { text, present: new Set(wanted.filter((t) => text.includes(t))) };
    return last.present;
  };
  const wants = (text: string, reader: (typeof readers)[number]): boolean => {
    const present = presentIn(text);
    return (
      reader.tokens.some((t) => present.has(t)) &&
      (reader.requires.length === 0 || reader.requires.some((t) => present.has(t)))
    );
  };
  const patterns = new Map<string, RegExp>();
  return {
    fileTokens,
    isCandidate: (text) => readers.some((r) => wants(text, r)),
    wantedIn(text) {
      const active = readers.filter((r) => wants(text, r));
      // Read for its declarations only.
      if (active.length === 0) return NOTHING;
      if (active.some((r) => r.bodies === undefined)) return undefined;
      const strings = [...new Set(active.flatMap((r) => r.bodies ?? []))].sort();
      const key = strings.join('\0');
      let pattern = patterns.get(key);
      if (!pattern) patterns.set(key, (pattern = new RegExp(strings.map(escapeForPattern).join('|'), 'u')));
      return pattern;
    },
  };
}

const NOTHING = /(?!)/u;

function escapeForPattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/gu, '\\$&');
}
