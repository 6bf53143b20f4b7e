/** 1-based. */
interface Point {
  readonly line: number;
  readonly column: number;
}

export type KeyPath = readonly (string | number)[];

/** A JSON or TOML document whose parts know where they were written. */
export interface PositionedDocument {
  readonly value: unknown;
  /** Where the key or array item at `path` begins; of the nearest written ancestor when the path is not there. */
  pointOf(path: KeyPath): Point;
}

/** A syntax error with its place. `message` is a clause without a stop. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

interface Node {
  readonly value: unknown;
  readonly children: ReadonlyMap<string, { readonly at: number; readonly node: Node }>;
}

const maximumDepth = 200;

/**
 * Parses JSON (RFC 8259) and keeps the place of every key and array item. Strings and numbers are decoded by
 * `JSON.parse`, so their values are exactly the platform's. Throws `DocumentError`.
 */
export function readJson(text: string): PositionedDocument {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const scanner = { text: source, at: 0 };
  skipBlanks(scanner);
  const root = readValue(scanner, 0);
  skipBlanks(scanner);
  if (scanner.at < source.length) fail(scanner, 'there is more text after the end of the document');
  return {
    value: root.value,
    pointOf(path) {
      let node = root;
      let at = 0;
      for (const key of path) {
        const child = node.children.get(String(key));
        if (child === undefined) break;
        at = child.at;
        node = child.node;
      }
      return pointAt(source, at);
    },
  };
}

interface Scanner {
  readonly text: string;
  at: number;
}

function readValue(scanner: Scanner, depth: number): Node {
  if (depth > maximumDepth) fail(scanner, `the document is nested more than ${maximumDepth} levels deep`);
  const opener = scanner.text[scanner.at];
  if (opener === '{') return readObject(scanner, depth);
  if (opener === '[') return readArray(scanner, depth);
  if (opener === '"') return leaf(readString(scanner));
  const word = /[-+.\w]+/uy;
  word.lastIndex = scanner.at;
  const match = word.exec(scanner.text);
  if (match === null) fail(scanner, opener === undefined ? 'the document ends too early' : `'${opener}' is not expected here`);
  const value = decode(match[0]);
  if (value === undefined) fail(scanner, `'${match[0]}' is not a JSON value`);
  scanner.at += match[0].length;
  return leaf(value.decoded);
}

function readObject(scanner: Scanner, depth: number): Node {
  const entries: [string, unknown][] = [];
  const children = new Map<string, { at: number; node: Node }>();
  readItems(scanner, '}', () => {
    const at = scanner.at;
    if (scanner.text[at] !== '"') fail(scanner, 'a key in double quotes is expected here');
    const key = readString(scanner);
    skipBlanks(scanner);
    if (scanner.text[scanner.at] !== ':') fail(scanner, `':' is expected after the key "${key}"`);
    scanner.at++;
    skipBlanks(scanner);
    const node = readValue(scanner, depth + 1);
    entries.push([key, node.value]);
    children.set(key, { at, node });
  });
  return { value: Object.fromEntries(entries), children };
}

function readArray(scanner: Scanner, depth: number): Node {
  const items: unknown[] = [];
  const children = new Map<string, { at: number; node: Node }>();
  readItems(scanner, ']', () => {
    const at = scanner.at;
    const node = readValue(scanner, depth + 1);
    children.set(String(items.length), { at, node });
    items.push(node.value);
  });
  return { value: items, children };
}

/** Reads comma-separated items up to the closer; the scanner stands on the opener. */
function readItems(scanner: Scanner, closer: string, readItem: () => void): void {
  scanner.at++;
  skipBlanks(scanner);
  if (scanner.text[scanner.at] === closer) {
    scanner.at++;
    return;
  }
  for (;;) {
    readItem();
    skipBlanks(scanner);
    const next = scanner.text[scanner.at];
    if (next !== ',' && next !== closer) {
      fail(scanner, next === undefined ? 'the document ends too early' : `',' or '${closer}' is expected here`);
    }
    scanner.at++;
    if (next === closer) return;
    skipBlanks(scanner);
    if (scanner.text[scanner.at] === closer) fail(scanner, `a comma before '${closer}' is not JSON`);
  }
}

function readString(scanner: Scanner): string {
  const string = /"(?:[^"\\\n\r]|\\.)*"/uy;
  string.lastIndex = scanner.at;
  const match = string.exec(scanner.text);
  if (match === null) fail(scanner, 'a string is not closed on its line');
  const value = decode(match[0]);
  if (typeof value?.decoded !== 'string') fail(scanner, 'a string has an invalid escape or control character');
  scanner.at += match[0].length;
  return value.decoded;
}

function decode(literal: string): { readonly decoded: unknown } | undefined {
  try {
    return { decoded: JSON.parse(literal) };
  } catch {
    // Only "is this literal JSON?" is asked here; the caller names the place.
    return undefined;
  }
}

function skipBlanks(scanner: Scanner): void {
  while (/[ \t\r\n]/u.test(scanner.text[scanner.at] ?? '')) scanner.at++;
}

function leaf(value: unknown): Node {
  return { value, children: new Map() };
}

function fail(scanner: Scanner, message: string): never {
  const { line, column } = pointAt(scanner.text, scanner.at);
  throw new DocumentError(message, line, column);
}

function pointAt(text: string, at: number): Point {
  const before = text.slice(0, at).split(/\r\n|\r|\n/u);
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}
