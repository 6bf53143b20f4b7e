/** A JSON reader that keeps the position of every key and value. Comments are skipped, as editors and dub allow them. */
import { DocumentError, type DocumentNode, type Mark, type TableEntry } from './document.js';

const gapRun = /(?:[ \t\r\n\ufeff]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const plainString = /"([^"\\\n]*)"/y;
const anyString = /"(?:[^"\\\n]|\\.)*"/y;
const word = /-?[0-9][0-9.eE+-]*|true|false|null/y;
const deepest = 512;

/** Reads a JSON document; throws `DocumentError` with the first thing that is not JSON. */
export function readJson(text: string): DocumentNode {
  return new JsonReader(text).read();
}

class JsonReader {
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private depth = 0;

  constructor(private readonly text: string) {}

  read(): DocumentNode {
    this.skipGap();
    const value = this.readValue();
    this.skipGap();
    if (this.at < this.text.length) throw this.error(`the document should end here, but ${this.seen()} follows`);
    return value;
  }

  private readValue(): DocumentNode {
    const mark = this.mark();
    const code = this.text.charCodeAt(this.at);
    if (code === 34) return { kind: 'scalar', ...mark, value: this.readString() };
    if (code === 123 || code === 91) {
      if (++this.depth > deepest) throw this.error(`it is nested more than ${deepest} levels deep`);
      const node = code === 123 ? this.readTable(mark) : this.readList(mark);
      this.depth--;
      return node;
    }
    word.lastIndex = this.at;
    const found = word.exec(this.text)?.[0];
    if (found === undefined) throw this.error(`a value was expected, but ${this.seen()} stands here`);
    this.at = word.lastIndex;
    return {
      kind: 'scalar',
      ...mark,
      value: found === 'true' ? true : found === 'false' ? false : found === 'null' ? null : Number(found),
    };
  }

  private readTable(mark: Mark): DocumentNode {
    const entries = new Map<string, TableEntry>();
    this.at++;
    this.skipGap();
    while (this.text[this.at] !== '}') {
      const key = this.mark();
      if (this.text[this.at] !== '"')
        throw this.error(`a key in double quotes was expected, but ${this.seen()} stands here`);
      const name = this.readString();
      this.skipGap();
      if (this.text[this.at] !== ':') throw this.error(`':' was expected, but ${this.seen()} stands here`);
      this.at++;
      this.skipGap();
      entries.set(name, { key, value: this.readValue() });
      this.separate('}');
    }
    this.at++;
    return { kind: 'table', ...mark, entries };
  }

  private readList(mark: Mark): DocumentNode {
    const items: DocumentNode[] = [];
    this.at++;
    this.skipGap();
    while (this.text[this.at] !== ']') {
      items.push(this.readValue());
      this.separate(']');
    }
    this.at++;
    return { kind: 'list', ...mark, items };
  }

  private separate(end: string): void {
    this.skipGap();
    const char = this.text[this.at];
    if (char === ',') {
      this.at++;
      this.skipGap();
    } else if (char !== end) throw this.error(`',' or '${end}' was expected, but ${this.seen()} stands here`);
  }

  private readString(): string {
    plainString.lastIndex = this.at;
    const plain = plainString.exec(this.text)?.[1];
    if (plain !== undefined) {
      this.at = plainString.lastIndex;
      return plain;
    }
    anyString.lastIndex = this.at;
    const found = anyString.exec(this.text)?.[0];
    if (found === undefined) throw this.error('a string is not closed on its line');
    try {
      const value: unknown = JSON.parse(found);
      this.at = anyString.lastIndex;
      return String(value);
    } catch {
      throw this.error(`${found} holds an escape that JSON does not know`);
    }
  }

  private skipGap(): void {
    gapRun.lastIndex = this.at;
    gapRun.test(this.text);
    const to = gapRun.lastIndex;
    for (let i = this.text.indexOf('\n', this.at); i >= 0 && i < to; i = this.text.indexOf('\n', i + 1)) {
      this.line++;
      this.lineStart = i + 1;
    }
    this.at = to;
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

  private error(message: string): DocumentError {
    return new DocumentError(message, this.line, this.at - this.lineStart + 1);
  }
}
