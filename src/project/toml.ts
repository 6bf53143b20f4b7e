/**
 * A TOML 1.0 reader that keeps the position of every key and value. Manifests are read by the hundred before the first
 * finding can be made, and this costs about a fifteenth of a full syntax tree; test/project/toml.test.ts holds it against
 * `toml-eslint-parser`.
 */
import { DocumentError, type DocumentNode, type Mark, type TableEntry, type TableNode } from './document.js';

interface OpenTable {
  readonly kind: 'table';
  readonly line: number;
  readonly column: number;
  readonly entries: Map<string, TableEntry>;
  /** Inline tables and tables written by a header or value can't be extended by a second one of the same kind. */
  closed: boolean;
  defined: boolean;
}

interface OpenList {
  readonly kind: 'list';
  readonly line: number;
  readonly column: number;
  readonly items: DocumentNode[];
  readonly ofTables: boolean;
}

const deepest = 512;
const bareKey = /[A-Za-z0-9_-]+/y;
const blank = /[ \t]*/y;
const gapRun = /(?:[ \t\r\n]|#[^\n]*)*/y;
const scalarRun = /[A-Za-z0-9_+.:-]+(?: [0-9]{2}:[0-9:.]+(?:Z|[+-][0-9:]+)?)?/y;
const plainString = /"([^"\\\n]*)"(?!")/y;
const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  e: '\u001b',
  '"': '"',
  '\\': '\\',
};

/** Reads a TOML document; throws `DocumentError` with the first thing that is not TOML. */
export function readToml(text: string): TableNode {
  return new TomlReader(text).read();
}

class TomlReader {
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private depth = 0;

  constructor(private readonly text: string) {
    if (text.charCodeAt(0) === 0xfeff) {
      this.at = 1;
      this.lineStart = 1;
    }
  }

  read(): TableNode {
    const root = open({ line: 1, column: 1 });
    let current = root;
    for (;;) {
      this.skipGap();
      if (this.at >= this.text.length) return root;
      if (this.text.charCodeAt(this.at) === 91) {
        current = this.readHeader(root);
      } else {
        this.readPair(current);
      }
      this.endLine();
    }
  }

  private readHeader(root: OpenTable): OpenTable {
    const mark = this.mark();
    const many = this.text.startsWith('[[', this.at);
    this.at += many ? 2 : 1;
    const path = this.readKeyPath();
    this.expect(many ? ']]' : ']');
    let table = root;
    for (const [name, key] of path.slice(0, -1)) table = this.descend(table, name, key);
    const last = path[path.length - 1];
    if (last === undefined) throw this.error('a table header has no name');
    const [name, key] = last;
    const existing = table.entries.get(name)?.value;
    if (many) {
      const list = this.asOpenList(existing);
      if (existing !== undefined && list?.ofTables !== true) throw this.error(`'${name}' is defined twice`, key);
      const items = list ?? { kind: 'list' as const, ...mark, items: [], ofTables: true };
      if (list === undefined) table.entries.set(name, { key, value: items });
      const item = open(mark);
      item.defined = true;
      items.items.push(item);
      return item;
    }
    const known = this.asOpenTable(existing);
    if (existing !== undefined && (known === undefined || known.defined || known.closed)) {
      throw this.error(`the table '${name}' is defined twice`, key);
    }
    const found = known ?? open(mark);
    found.defined = true;
    if (known === undefined) table.entries.set(name, { key, value: found });
    return found;
  }

  private readPair(into: OpenTable): void {
    const path = this.readKeyPath();
    this.expect('=');
    this.skipBlank();
    const value = this.readValue();
    let table = into;
    for (const [name, key] of path.slice(0, -1)) table = this.descend(table, name, key);
    const last = path[path.length - 1];
    if (last === undefined) throw this.error('a key has no name');
    if (table.closed || table.entries.has(last[0])) throw this.error(`the key '${last[0]}' is set twice`, last[1]);
    table.entries.set(last[0], { key: last[1], value });
  }

  private descend(table: OpenTable, name: string, key: Mark): OpenTable {
    const existing = table.entries.get(name)?.value;
    if (existing === undefined) {
      const made = open(key);
      table.entries.set(name, { key, value: made });
      return made;
    }
    const list = this.asOpenList(existing);
    const found = this.asOpenTable(list?.ofTables === true ? list.items[list.items.length - 1] : existing);
    if (found === undefined || found.closed) throw this.error(`'${name}' is not a table that can be extended`, key);
    return found;
  }

  // Every table and list below the root was made by this reader, so the open shape is what is really there.
  private asOpenTable(node: DocumentNode | undefined): OpenTable | undefined {
    return node?.kind === 'table' ? (node as OpenTable) : undefined;
  }

  private asOpenList(node: DocumentNode | undefined): OpenList | undefined {
    return node?.kind === 'list' ? (node as OpenList) : undefined;
  }

  private readKeyPath(): readonly (readonly [string, Mark])[] {
    const path: (readonly [string, Mark])[] = [];
    for (;;) {
      this.skipBlank();
      const mark = this.mark();
      const code = this.text.charCodeAt(this.at);
      if (code === 34) path.push([this.readBasic(), mark]);
      else if (code === 39) path.push([this.readLiteral(), mark]);
      else {
        const name = this.match(bareKey);
        if (name === undefined) throw this.error(`a key was expected, but ${this.seen()} stands here`);
        path.push([name, mark]);
      }
      this.skipBlank();
      if (this.text.charCodeAt(this.at) !== 46) return path;
      this.at++;
    }
  }

  private readValue(): DocumentNode {
    const mark = this.mark();
    const code = this.text.charCodeAt(this.at);
    if (code === 34)
      return {
        kind: 'scalar',
        ...mark,
        value: this.text.startsWith('"""', this.at) ? this.readLong('"""') : this.readBasic(),
      };
    if (code === 39)
      return {
        kind: 'scalar',
        ...mark,
        value: this.text.startsWith("'''", this.at) ? this.readLong("'''") : this.readLiteral(),
      };
    if (code === 91 || code === 123) {
      if (++this.depth > deepest) throw this.error(`it is nested more than ${deepest} levels deep`);
      const node = code === 91 ? this.readList(mark) : this.readInline(mark);
      this.depth--;
      return node;
    }
    const word = this.match(scalarRun);
    if (word === undefined) throw this.error(`a value was expected, but ${this.seen()} stands here`);
    return { kind: 'scalar', ...mark, value: this.readWord(word, mark) };
  }

  private readWord(word: string, mark: Mark): string | number | boolean {
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (/^[+-]?(?:inf|nan)$/.test(word))
      return word.endsWith('nan') ? NaN : word.startsWith('-') ? -Infinity : Infinity;
    const digits = word.replace(/_/g, '');
    if (/^[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)$/.test(digits)) return Number(digits);
    // Dates and times carry no fact of ours; they stay text.
    if (/^\d{2,4}[-:]\d{2}/.test(word)) return word;
    throw this.error(`'${word}' is not a TOML value; quote it if it is text`, mark);
  }

  private readList(mark: Mark): OpenList {
    const items: DocumentNode[] = [];
    this.at++;
    for (;;) {
      this.skipGap();
      if (this.text.charCodeAt(this.at) === 93) break;
      items.push(this.readValue());
      this.skipGap();
      const code = this.text.charCodeAt(this.at);
      if (code === 44) this.at++;
      else if (this.at >= this.text.length) throw this.error("a list is not closed with ']'", mark);
      else if (code !== 93) throw this.error(`',' or ']' was expected, but ${this.seen()} stands here`);
    }
    this.at++;
    return { kind: 'list', ...mark, items, ofTables: false };
  }

  private readInline(mark: Mark): OpenTable {
    const table = open(mark);
    this.at++;
    for (;;) {
      // Line breaks and a trailing comma are TOML 1.1; Cargo accepts them, so a reader must not call the manifest broken.
      this.skipGap();
      if (this.text.charCodeAt(this.at) === 125) break;
      this.readPair(table);
      this.skipGap();
      const code = this.text.charCodeAt(this.at);
      if (code === 44) this.at++;
      else if (this.at >= this.text.length) throw this.error("a table is not closed with '}'", mark);
      else if (code !== 125) throw this.error(`',' or '}' was expected, but ${this.seen()} stands here`);
    }
    this.at++;
    table.closed = true;
    table.defined = true;
    return table;
  }

  private readBasic(): string {
    plainString.lastIndex = this.at;
    const plain = plainString.exec(this.text);
    if (plain?.[1] !== undefined) {
      this.at = plainString.lastIndex;
      return plain[1];
    }
    const mark = this.mark();
    let value = '';
    for (let i = this.at + 1; i < this.text.length; i++) {
      const char = this.text[i];
      if (char === '"') {
        this.at = i + 1;
        return value;
      }
      if (char === '\n') break;
      if (char === '\\') {
        const [decoded, next] = this.readEscape(i);
        value += decoded;
        i = next;
      } else value += char ?? '';
    }
    throw this.error('a string is not closed on its line', mark);
  }

  private readEscape(at: number): readonly [string, number] {
    const code = this.text[at + 1] ?? '';
    const simple = escapes[code];
    if (simple !== undefined) return [simple, at + 1];
    const length = code === 'u' ? 4 : code === 'U' ? 8 : code === 'x' ? 2 : 0;
    const digits = this.text.slice(at + 2, at + 2 + length);
    const point = Number.parseInt(digits, 16);
    if (length === 0 || digits.length < length || !/^[0-9a-fA-F]+$/.test(digits) || point > 0x10ffff) {
      throw this.error(`'\\${code}' is not an escape that TOML knows`, this.markAt(at));
    }
    return [String.fromCodePoint(point), at + 1 + length];
  }

  private readLiteral(): string {
    const end = this.text.indexOf("'", this.at + 1);
    const value = this.text.slice(this.at + 1, end);
    if (end < 0 || value.includes('\n')) throw this.error('a string is not closed on its line');
    this.at = end + 1;
    return value;
  }

  private readLong(quotes: '"""' | "'''"): string {
    const mark = this.mark();
    let start = this.at + 3;
    if (this.text.startsWith('\r\n', start)) start += 2;
    else if (this.text[start] === '\n') start += 1;
    let value = '';
    let i = start;
    for (; i < this.text.length; i++) {
      const char = this.text[i] ?? '';
      if (char === '\\' && quotes === '"""') {
        const fold = /\\[ \t]*\r?\n[ \t\r\n]*/y;
        fold.lastIndex = i;
        if (fold.test(this.text)) {
          i = fold.lastIndex - 1;
          continue;
        }
        const [decoded, next] = this.readEscape(i);
        value += decoded;
        i = next;
      } else if (this.text.startsWith(quotes, i)) {
        // Up to two quotes may stand directly before the closing three.
        let extra = 0;
        while (extra < 2 && this.text[i + 3 + extra] === quotes[0]) extra++;
        value += (quotes[0] ?? '').repeat(extra);
        this.advance(i + 3 + extra);
        return value;
      } else value += char;
    }
    throw this.error('a string over several lines is not closed', mark);
  }

  /** Moves on, counting the line breaks in between. */
  private advance(to: number): void {
    for (let i = this.text.indexOf('\n', this.at); i >= 0 && i < to; i = this.text.indexOf('\n', i + 1)) {
      this.line++;
      this.lineStart = i + 1;
    }
    this.at = to;
  }

  private endLine(): void {
    this.skipBlank();
    const char = this.text[this.at];
    if (char !== undefined && char !== '\n' && char !== '#' && !this.text.startsWith('\r\n', this.at)) {
      throw this.error(`the line should end here, but ${this.seen()} follows`);
    }
  }

  private skipGap(): void {
    gapRun.lastIndex = this.at;
    gapRun.test(this.text);
    this.advance(gapRun.lastIndex);
  }

  private skipBlank(): void {
    blank.lastIndex = this.at;
    blank.test(this.text);
    this.at = blank.lastIndex;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at = pattern.lastIndex;
    return found;
  }

  private expect(what: string): void {
    this.skipBlank();
    if (!this.text.startsWith(what, this.at))
      throw this.error(`'${what}' was expected, but ${this.seen()} stands here`);
    this.at += what.length;
  }

  private seen(): string {
    const char = this.text[this.at];
    return char === undefined
      ? 'the end of the file'
      : char === '\n' || char === '\r'
        ? 'the end of the line'
        : `'${char}'`;
  }

  private mark(): Mark {
    return { line: this.line, column: this.at - this.lineStart + 1 };
  }

  private markAt(at: number): Mark {
    return { line: this.line, column: at - this.lineStart + 1 };
  }

  private error(message: string, mark: Mark = this.mark()): DocumentError {
    return new DocumentError(message, mark.line, mark.column);
  }
}

function open(mark: Mark): OpenTable {
  return { kind: 'table', ...mark, entries: new Map(), closed: false, defined: false };
}
