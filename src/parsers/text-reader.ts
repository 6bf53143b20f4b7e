/** What of the WASM module the reader writes to; the arrays are replaced when the memory grows. */
export interface ParserMemory {
  readonly HEAP32: Int32Array;
  readonly HEAPU16: Uint16Array;
}

/** Writes the text from `index` on at `buffer`, and how much it was at `lengthAddress`. */
export type ReadCallback = (buffer: number, index: number, row: number, column: number, lengthAddress: number) => void;

/**
 * How many characters the parser gets at once. The lexer of the D grammar goes back so often that the length of what one
 * read copies decides the time of a parse: 64 characters take an eighth of the time that the default takes (docs/decisions.md).
 */
const readLength = 64;

/**
 * Gives the parser its text, in the place of web-tree-sitter's own import, which makes an object, a string and a copy for
 * every read. The lexer of the D grammar asks for the column before each token, and every time the runtime reads the line
 * again from its start; nine reads of ten are of the place that was read last and still lies in the buffer.
 */
export class TextReader {
  private text: string | undefined;
  /** Offset of what the buffer holds (UTF-16), and the address of the buffer; -1 when it holds nothing of the text. */
  private held = -1;
  private buffer = -1;
  private length = 0;
  private reads = 0;

  /** `original` reads what is parsed without us. */
  constructor(
    private readonly memory: ParserMemory,
    private readonly original: ReadCallback,
  ) {}

  /** Runs a parse that reads this text. */
  reading<T>(text: string, parse: () => T): T {
    this.text = text;
    this.held = -1;
    this.reads = 0;
    try {
      return parse();
    } finally {
      this.text = undefined;
    }
  }

  /** How often the parse that runs, or ran last, has asked for text. */
  get count(): number {
    return this.reads;
  }

  /** Stands for the import `tree_sitter_parse_callback`. Addresses are in bytes, `index` and the length in UTF-16 units. */
  readonly read: ReadCallback = (buffer, index, row, column, lengthAddress) => {
    if (this.text === undefined) {
      this.original(buffer, index, row, column, lengthAddress);
      return;
    }
    this.reads++;
    if (index !== this.held || buffer !== this.buffer) this.fill(this.text, buffer, index);
    this.memory.HEAP32[lengthAddress >> 2] = this.length;
  };

  private fill(text: string, buffer: number, index: number): void {
    let end = Math.min(index + readLength, text.length);
    // A read must not end between the halves of a surrogate pair: the lexer would see two characters that are none.
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end++;
    const { HEAPU16 } = this.memory;
    for (let from = index, to = buffer >> 1; from < end; from++, to++) HEAPU16[to] = text.charCodeAt(from);
    this.held = index;
    this.buffer = buffer;
    this.length = Math.max(0, end - index);
  }
}
