/** Tells whether the bytes of a file contain at least one of the tokens. */
export type TokenFilter = (bytes: Buffer) => boolean;

/** Tells which of the tokens the bytes of a file contain. */
export type TokenSearch = (bytes: Buffer) => ReadonlySet<string>;

/**
 * A filter for any number of tokens (compared as UTF-8, case matters); without tokens nothing matches, and the empty
 * token matches everything.
 */
export function makeTokenFilter(tokens: readonly string[]): TokenFilter {
  const { short, long } = splitByLength(tokens);
  const search = makePrefixSearch(long);
  return (bytes) => short.some((token) => bytes.includes(token)) || search(bytes);
}

/** The same search, to the end, for all tokens that are there. */
export function makeTokenSearch(tokens: readonly string[]): TokenSearch {
  const { short, long } = splitByLength(tokens);
  const search = makePrefixSearch(long);
  return (bytes) => {
    const found = new Set(short.filter((token) => bytes.includes(token)));
    search(bytes, found);
    return found;
  };
}

/** How many bytes of a token are looked for before it is compared; one of two or three bytes is compared where it ends. */
const prefixLength = 4;

/** A search through the bytes has no place for a single one, which the runtime finds quickly. */
function splitByLength(tokens: readonly string[]): { readonly short: string[]; readonly long: string[] } {
  const unique = [...new Set(tokens)];
  const isShort = (token: string): boolean => Buffer.byteLength(token) < 2;
  return { short: unique.filter(isShort), long: unique.filter((token) => !isShort(token)) };
}

/** How many groups the tokens are in; each has a bit for each pair of bytes of a prefix, in one small integer. */
const groups = 10;
/** The last two groups are those of the tokens of two and of three bytes, the others have the longer ones. */
const longGroups = groups - 2;
const everyGroup = (1 << groups) - 1;
/** In a state, what is above stands for the groups of which a whole prefix was read. */
const readShift = groups * (prefixLength - 2);
/** What may come before a shorter token: any pair at the first place, or at the first two. */
const anyBefore = (1 << longGroups) | (1 << (groups + longGroups)) | (1 << (longGroups + 1));

/**
 * Looks for tokens of two bytes and more in one pass, which has no branch for a byte that ends nothing: the state holds, for each group of
 * tokens, how much of a prefix of the group the last bytes may be (X. Wang and others, "Hyperscan: a fast multi-pattern regex matcher for
 * modern CPUs", 2019, section 4.1). True at the first token, or, with `found`, false at the end and all of them in there.
 */
function makePrefixSearch(tokens: readonly string[]): (bytes: Buffer, found?: Set<string>) => boolean {
  if (tokens.length === 0) return () => false;
  const needles = tokens.map((token) => Buffer.from(token));
  const masks = makeMasks(needles);
  const { first, next } = makeChains(needles);
  const short = needles.flatMap(({ length }, index) => (length < prefixLength ? [index] : []));

  /** Notes the tokens that begin with the four bytes up to `last`, and the shorter ones that end with it; true when the search can end. */
  function compare(bytes: Buffer, last: number, isFound: Uint8Array, found: Set<string> | undefined): boolean {
    const start = last - prefixLength + 1;
    for (let index = first[slotOf(bytes, start)] ?? -1; index !== -1; index = next[index] ?? -1) {
      if (isFound[index] === 1 || !isAt(bytes, start, needles[index])) continue;
      if (found === undefined) return true;
      isFound[index] = 1;
      found.add(tokens[index] ?? '');
    }
    for (const index of short) {
      const needle = needles[index];
      if (isFound[index] === 1 || needle === undefined || !isAt(bytes, last - needle.length + 1, needle)) continue;
      if (found === undefined) return true;
      isFound[index] = 1;
      found.add(tokens[index] ?? '');
    }
    return false;
  }

  return (bytes, found) => {
    const isFound = new Uint8Array(needles.length);
    for (let at = nextEnd(bytes, masks, 1); at < bytes.length; at = nextEnd(bytes, masks, at + 1))
      if (compare(bytes, at, isFound, found)) return true;
    return false;
  };
}

/**
 * Index, from `from` (1 at least) on, of a byte that may end a prefix or a short token; the length when there is none. Without a call in the
 * loop, or the engine would fetch both arrays anew for each byte.
 */
function nextEnd(bytes: Buffer, masks: Int32Array, from: number): number {
  const end = bytes.length;
  let i = Math.max(1, from - prefixLength + 2);
  let state = anyBefore;
  let before = bytes[i - 1] ?? 0;
  for (; i < end; i++) {
    const byte = bytes[i] ?? 0;
    state = ((state << groups) | everyGroup) & (masks[before | (byte << 8)] ?? 0);
    before = byte;
    if (state >>> readShift !== 0 && i >= from) return i;
  }
  return end;
}

const slots = 1 << 10;

/** Where in a table of chains the needles are that begin with the four bytes at `start`. */
function slotOf(bytes: Buffer, start: number): number {
  const low = (bytes[start] ?? 0) | ((bytes[start + 1] ?? 0) << 8);
  const high = (bytes[start + 2] ?? 0) | ((bytes[start + 3] ?? 0) << 8);
  return (Math.imul(low, 0x9e37) ^ Math.imul(high, 0x85eb)) & (slots - 1);
}

/** Indices of needles in chains by their slot, each ended by -1. */
function makeChains(needles: readonly Buffer[]): { readonly first: Int16Array; readonly next: Int16Array } {
  const first = new Int16Array(slots).fill(-1);
  const next = new Int16Array(needles.length);
  needles.forEach((needle, index) => {
    if (needle.length < prefixLength) return;
    const slot = slotOf(needle, 0);
    next[index] = first[slot] ?? -1;
    first[slot] = index;
  });
  return { first, next };
}

/** By pair of bytes: at which places of their prefixes which groups have the pair. */
function makeMasks(needles: readonly Buffer[]): Int32Array {
  const masks = new Int32Array(1 << 16).fill(anyBefore);
  const note = (needle: Buffer, i: number, place: number, group: number): void => {
    const pair = (needle[i] ?? 0) | ((needle[i + 1] ?? 0) << 8);
    masks[pair] = (masks[pair] ?? 0) | (1 << (place * groups + group));
  };
  // Those that begin alike share a group, so that fewer others pass for one of its.
  const sorted = needles.filter(({ length }) => length >= prefixLength).sort((a, b) => Buffer.compare(a, b));
  sorted.forEach((needle, index) => {
    const group = Math.floor((index * longGroups) / sorted.length);
    for (let i = 0; i < prefixLength - 1; i++) note(needle, i, i, group);
  });
  for (const needle of needles)
    for (let i = 0; needle.length < prefixLength && i + 1 < needle.length; i++)
      note(needle, i, prefixLength - needle.length + i, longGroups + needle.length - 2);
  return masks;
}

/** By hand, because a call into Buffer's own comparison costs more than the few bytes it compares. */
function isAt(bytes: Buffer, start: number, needle: Buffer | undefined): boolean {
  if (needle === undefined || start + needle.length > bytes.length) return false;
  for (let i = 0; i < needle.length; i++) if (bytes[start + i] !== needle[i]) return false;
  return true;
}
