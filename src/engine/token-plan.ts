import { makeTokenSearch } from '../discover/tokens.js';
import type { InFile, TextTest, TextToken } from '../facts/unit.js';
import type { Language } from '../model/ir.js';
import type { BodyFilter } from '../parsers/pack.js';
import type { Rule } from '../rules/rule.js';

/** What a set of rules wants to see of one language, decided from text alone. */
export interface TokenPlan {
  /** Strings of which a file must hold one to be parsed at all; empty when no rule reads the language. */
  readonly fileTokens: readonly string[];
  /**
   * Ids of the rules that want the file: one of their tokens is there, and one of those they require beside them. `bytes` are those of the
   * text as UTF-8.
   */
  readersOf(text: string, bytes: Buffer): ReadonlySet<string>;
  /** Which function bodies of a file with these readers and this text to lower; undefined when all of them. */
  bodiesFor(readers: ReadonlySet<string>, text: string): BodyFilter | undefined;
  /** What some function of such a file must match, or none of the readers looks at the file; undefined when one may. */
  soughtBy(readers: ReadonlySet<string>, text: string): BodyFilter | undefined;
}

/** Combines the tokens of the active rules for one language. */
export function planTokens(rules: readonly Rule[], language: Language): TokenPlan {
  const all = rules.flatMap((rule) => {
    const tokens = rule.tokens[language];
    return tokens === undefined || tokens.length === 0
      ? []
      : [
          {
            id: rule.meta.id,
            tokens,
            requires: rule.requires?.[language] ?? [],
            bodies: rule.bodyTokens?.[language],
            beside: rule.bodyRequires?.[language],
            looksAt: rule.looksAt,
          },
        ];
  });
  // A file must hold one of both lists, so either will do here; longer words are rarer, and rarity is what makes a filter.
  const shortest = (words: readonly string[]): number => Math.min(...words.map((w) => w.length));
  const fileTokens = [
    ...new Set(
      all.flatMap(({ tokens, requires }) => {
        const words = requires.filter(isWord);
        return words.length > 0 && words.length === requires.length && shortest(words) >= shortest(tokens)
          ? words
          : tokens;
      }),
    ),
  ];
  const search = makeTokenSearch(all.flatMap((r) => [...r.tokens, ...r.requires.filter(isWord)]));
  const filters = new Map<string, BodyFilter>();
  const filterOf = (active: typeof all, text: string): BodyFilter => {
    const asked = new Set(active.flatMap(({ bodies }) => (bodies ?? []).filter(isInFile).map(({ inFile }) => inFile)));
    const met = new Set([...asked].filter((pattern) => pattern.test(text)));
    const key = [...active.map(({ id }) => id), ...[...met].map(String)].join(' ');
    let filter = filters.get(key);
    if (!filter) filters.set(key, (filter = joinBodies(active, (token) => !isInFile(token) || met.has(token.inFile))));
    return filter;
  };
  return {
    fileTokens,
    readersOf(text, bytes) {
      const present = search(bytes);
      const isThere = (token: string | RegExp): boolean => (isWord(token) ? present.has(token) : token.test(text));
      const readers = all.filter(
        ({ tokens, requires }) => tokens.some(isThere) && (requires.length === 0 || requires.some(isThere)),
      );
      return new Set(readers.map(({ id }) => id));
    },
    bodiesFor(readers, text) {
      const active = all.filter(({ id, looksAt }) => readers.has(id) && looksAt !== 'body text');
      // Read for its declarations only.
      if (active.length === 0) return NOTHING;
      return active.some((r) => r.bodies === undefined) ? undefined : filterOf(active, text);
    },
    soughtBy(readers, text) {
      const active = all.filter(({ id }) => readers.has(id));
      return active.some((r) => r.looksAt === undefined || r.bodies === undefined) ? undefined : filterOf(active, text);
    },
  };
}

// Anchored, or every place of a text would be tried.
const NOTHING = /^(?!)/u;

function isWord(token: string | TextTest): token is string {
  return typeof token === 'string';
}

function isInFile(token: TextToken): token is InFile {
  return typeof token === 'object' && 'inFile' in token;
}

type Tokens = readonly TextToken[];

/** Tokens that are only looked for in a text that has a word, or matches, beside them. */
interface Conditional {
  readonly word?: string;
  readonly needed?: Search;
  readonly tokens: (string | TextTest)[];
}

/** Looks for any of some tokens. */
type Search = (text: string) => boolean;

/**
 * Whether some rule wants a body: tokens that need nothing beside them are looked for first. Each pattern by itself, since files have
 * hundreds of different sets of rules that want them, and one pattern for each set would take longer to compile than it saves.
 */
function joinBodies(
  rules: readonly {
    readonly bodies: Tokens | undefined;
    readonly beside: readonly (string | TextTest)[] | undefined;
  }[],
  isMet: (token: TextToken) => boolean,
): BodyFilter {
  const groups = new Map<string, Conditional>();
  for (const { bodies, beside } of rules) {
    const besideKey = beside?.map(sourceOf).sort().join('|') ?? '';
    for (const token of bodies?.filter(isMet) ?? []) {
      const word = typeof token === 'object' && 'word' in token ? token.word : undefined;
      const key = `${word ?? ''}|${besideKey}`;
      const group = groups.get(key);
      if (group) group.tokens.push(bare(token));
      else
        groups.set(key, { ...(word && { word }), ...(beside && { needed: searchFor(beside) }), tokens: [bare(token)] });
    }
  }
  const alone = searchFor(groups.get('|')?.tokens ?? []);
  groups.delete('|');
  const conditional = [...groups.values()].map(({ word, needed, tokens }) => ({
    word,
    needed,
    search: searchFor(tokens),
  }));
  return {
    test: (text) =>
      alone(text) ||
      conditional.some(
        ({ word, needed, search }) =>
          (word === undefined || text.includes(word)) && needed?.(text) !== false && search(text),
      ),
  };
}

/** Patterns by their source, each compiled once for all sets of rules. */
const compiled = new Map<string, RegExp>();

function searchFor(tokens: readonly (string | TextTest)[]): Search {
  const words = [...new Set(tokens.filter(isWord))];
  const tests = tokens.flatMap((token) => (isWord(token) ? [] : [token]));
  const sources = new Set(tests.flatMap((one) => (one instanceof RegExp ? [one.source] : [])));
  const patterns = [...sources].sort().map((source) => {
    let pattern = compiled.get(source);
    if (!pattern) compiled.set(source, (pattern = new RegExp(source, 'u')));
    return pattern;
  });
  const others = [...new Set(tests.filter((one) => !(one instanceof RegExp)))];
  return (text) =>
    words.some((word) => text.includes(word)) ||
    patterns.some((pattern) => pattern.test(text)) ||
    others.some((one) => one.test(text));
}

function bare(token: TextToken): string | TextTest {
  return typeof token === 'string' || 'test' in token ? token : token.pattern;
}

/** Tells tokens apart; each look that takes more than a pattern is one of its own. */
function sourceOf(token: string | TextTest): string {
  if (isWord(token)) return JSON.stringify(token);
  if (token instanceof RegExp) return token.source;
  let name = looks.get(token);
  if (name === undefined) looks.set(token, (name = `look ${looks.size}`));
  return name;
}

const looks = new Map<TextTest, string>();
