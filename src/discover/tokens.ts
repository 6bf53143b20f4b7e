/** Tells whether the bytes of a file contain at least one of the tokens. */
export type TokenFilter = (bytes: Buffer) => boolean;

/** Tells which of the tokens a text contains. */
export type TokenSearch = (text: string) => ReadonlySet<string>;

/** Tokens shorter than this are left to the runtime's own search, since they would take the long steps away from all others. */
const shortestStepping = 4;

/**
 * A filter for any number of tokens (compared as UTF-8, case matters); without tokens nothing matches, and the empty
 * token matches everything. Searches for all longer tokens in one pass that steps over text by pairs of bytes
 * (S. Wu and U. Manber, "A fast algorithm for multi-pattern searching", 1994).
 */
export function makeTokenFilter(tokens: readonly string[]): TokenFilter {
  const needles = [...new Set(tokens)].map((token) => Buffer.from(token, 'utf8'));
  const short = needles.filter((needle) => needle.length < shortestStepping);
  const search = makePairSearch(needles.filter((needle) => needle.length >= shortestStepping));
  return (bytes) => short.some((needle) => bytes.includes(needle)) || search(bytes);
}

/** The same search over a decoded text, to the end, for all tokens that are in it. */
export function makeTokenSearch(tokens: readonly string[]): TokenSearch {
  const unique = [...new Set(tokens)];
  const short = unique.filter((token) => token.length < shortestStepping);
  const long = unique.filter((token) => token.length >= shortestStepping);
  const codes = long.map((token) => Array.from({ length: token.length }, (_, i) => token.charCodeAt(i) & 0xff));
  const { window, steps, endingIn, leads } = makePairTable(codes);
  return (text) => {
    const found = new Set(short.filter((token) => text.includes(token)));
    const last = text.length - 1;
    // Characters that have a low byte in common share a step; the comparison tells them apart.
    const pairAt = (i: number): number => (text.charCodeAt(i) & 0xff) | ((text.charCodeAt(i + 1) & 0xff) << 8);
    for (let i = window - 2; i < last;) {
      const pair = pairAt(i);
      const step = steps[pair] ?? 1;
      if (step > 0) {
        i += step;
        continue;
      }
      const start = i - window + 2;
      const lead = pairAt(start);
      for (const index of endingIn[pair] ?? []) {
        if (leads[index] !== lead) continue;
        const token = long[index];
        if (token !== undefined && !found.has(token) && text.startsWith(token, start)) found.add(token);
      }
      i++;
    }
    return found;
  };
}

interface PairTable {
  /** Length of the shortest needle; without needles longer than any text. */
  readonly window: number;
  /** How far a pair of bytes at the end of the window lets the window move on; 0 when a needle may begin with it. */
  readonly steps: Uint8Array;
  /** Indices of the needles that have the pair at the end of the window. */
  readonly endingIn: readonly (readonly number[])[];
  /** The pair of bytes that each needle begins with. */
  readonly leads: Uint16Array;
}

function makePairTable(needles: readonly ArrayLike<number>[]): PairTable {
  const endingIn: number[][] = [];
  const leads = Uint16Array.from(needles, (needle) => (needle[0] ?? 0) | ((needle[1] ?? 0) << 8));
  if (needles.length === 0) return { window: Number.MAX_SAFE_INTEGER, steps: new Uint8Array(0), endingIn, leads };
  const window = Math.min(...needles.map((needle) => needle.length));
  const steps = new Uint8Array(1 << 16).fill(Math.min(window - 1, 255));
  needles.forEach((needle, index) => {
    for (let i = 0; i + 1 < window; i++) {
      const pair = (needle[i] ?? 0) | ((needle[i + 1] ?? 0) << 8);
      const step = Math.min(window - 2 - i, 255);
      if (step < (steps[pair] ?? 0)) steps[pair] = step;
      if (step === 0) (endingIn[pair] ??= []).push(index);
    }
  });
  return { window, steps, endingIn, leads };
}

function makePairSearch(needles: readonly Buffer[]): TokenFilter {
  const { window, steps, endingIn } = makePairTable(needles);
  return (bytes) => {
    const end = bytes.length;
    for (let i = window - 2; i + 1 < end;) {
      const pair = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8);
      const step = steps[pair] ?? 1;
      if (step > 0) {
        i += step;
        continue;
      }
      const start = i - window + 2;
      for (const index of endingIn[pair] ?? []) {
        const needle = needles[index];
        if (needle !== undefined && start + needle.length <= end && startsAt(bytes, start, needle)) return true;
      }
      i++;
    }
    return false;
  };
}

/** By hand, because a call into Buffer's own comparison costs more than the few bytes it compares. */
function startsAt(bytes: Buffer, start: number, needle: Buffer): boolean {
  for (let i = 0; i < needle.length; i++) if (bytes[start + i] !== needle[i]) return false;
  return true;
}
