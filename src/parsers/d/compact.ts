import type { OffsetMap } from '../tree.js';

/** A text for the grammar, and where its characters stand in the file. */
export interface View {
  readonly text: string;
  readonly offsets: OffsetMap;
}

/**
 * The text without the parts `[starts[k], ends[k])`, which must be in order and apart, and with one line break for every run
 * of blanks outside of `verbatim` (starts and ends by turns: strings, directives). The grammar's scanner asks for the column
 * at every token, and the answer is found by reading the line again from its start, so short lines are quick lines; and
 * every blank is looked at by the scanner and by the lexer.
 */
export function compact(
  text: string,
  starts: readonly number[],
  ends: readonly number[],
  verbatim: readonly number[],
): View {
  const codes = new Uint16Array(text.length);
  const places = new Uint32Array(text.length);
  let length = 0;
  let next = 0;
  const copy = (from: number, to: number): void => {
    for (let at = from; at < to; at++) {
      codes[length] = text.charCodeAt(at);
      places[length++] = at;
    }
  };
  const squeeze = (from: number, to: number): void => {
    for (let at = from; at < to; at++) {
      const code = text.charCodeAt(at);
      const isBlank = code === 32 || (code >= 9 && code <= 13);
      if (isBlank && codes[length - 1] === 10) continue;
      if (length > 1 && beginsStatement(text, at) && codes[length - 1] === 10 && codes[length - 2] === 125)
        if (isDereference(text, at) || text.slice(places[length - 1], at).includes('\n')) codes[length - 1] = 59;
      codes[length] = isBlank ? 10 : code;
      places[length++] = at;
    }
  };
  const keep = (from: number, to: number): void => {
    let at = from;
    for (; (verbatim[next] ?? to) < to; next += 2) {
      const start = verbatim[next] ?? to;
      const end = verbatim[next + 1] ?? to;
      // Strings in a part that was cut out were passed over with it.
      if (start < at) continue;
      squeeze(at, start);
      copy(start, end);
      at = end;
    }
    squeeze(at, to);
  };
  let from = 0;
  starts.forEach((start, k) => {
    keep(from, start);
    from = ends[k] ?? start;
  });
  keep(from, text.length);
  return {
    text: Buffer.from(codes.buffer, 0, length * 2).toString('utf16le'),
    offsets: new Places(places.slice(0, length), text.length),
  };
}

/**
 * Whether a `*` or `(` stands here, on a line of its own behind a `}`: it begins a statement (`*p = 5;`, `(*p).x = 3;`), but the grammar
 * takes the block in front of it for a literal that is multiplied or called. A `;` between them keeps them apart.
 */
function beginsStatement(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 42 || (code === 40 && text.charCodeAt(at + 1) !== 41);
}

/** `} *p = 3;` on one line: nobody multiplies a literal, and then writes the operator next to one operand only. */
function isDereference(text: string, at: number): boolean {
  return text.charCodeAt(at) === 42 && /[A-Za-z_(*]/u.test(text.charAt(at + 1));
}

/** Where each character stands. What begins behind a cut begins there, what ends before one ends there. */
class Places implements OffsetMap {
  constructor(
    private readonly places: Uint32Array,
    private readonly textLength: number,
  ) {}

  start(offset: number): number {
    return this.places[offset] ?? this.textLength;
  }

  end(offset: number): number {
    return offset === 0 ? 0 : (this.places[offset - 1] ?? this.textLength - 1) + 1;
  }
}
