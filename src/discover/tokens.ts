/** Tells whether the bytes of a file contain at least one of the tokens. */
export type TokenFilter = (bytes: Buffer) => boolean;

/** Tokens shorter than this are left to Buffer's own search, since they would take the long steps away from all others. */
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

function makePairSearch(needles: readonly Buffer[]): TokenFilter {
  if (needles.length === 0) return () => false;
  const window = Math.min(...needles.map((needle) => needle.length));
  // How far a pair of bytes at the end of the window lets the window move on; 0 when a needle may begin with it.
  const steps = new Uint8Array(1 << 16).fill(Math.min(window - 1, 255));
  const endingIn: Buffer[][] = [];
  for (const needle of needles) {
    for (let i = 0; i + 1 < window; i++) {
      const pair = needle.readUInt16LE(i);
      const step = Math.min(window - 2 - i, 255);
      if (step < (steps[pair] ?? 0)) steps[pair] = step;
      if (step === 0) (endingIn[pair] ??= []).push(needle);
    }
  }
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
      for (const needle of endingIn[pair] ?? []) {
        if (start + needle.length <= end && startsAt(bytes, start, needle)) return true;
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
