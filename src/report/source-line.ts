import { charWidth, displayWidth } from './display-width.js';

/** A source line as a terminal shows it: tabs widened, control characters made visible. */
export interface SourceLine {
  readonly text: string;
  /** The display column (0-based) of a 1-based UTF-16 column of the source; columns past the end follow on. */
  columnOf(column: number): number;
}

const tabWidth = 4;

export function showLine(source: string): SourceLine {
  let text = '';
  let width = 0;
  const columns: number[] = [];
  for (const char of source) {
    for (let unit = 0; unit < char.length; unit++) columns.push(width);
    const shown = char === '\t' ? ' '.repeat(tabWidth - (width % tabWidth)) : visible(char);
    text += shown;
    width += char === '\t' ? shown.length : charWidth(shown.codePointAt(0) ?? 0);
  }
  return {
    text,
    columnOf: (column) => columns[column - 1] ?? width + Math.max(0, column - 1 - columns.length),
  };
}

/** Makes control and bidirectional-override characters visible, so that a scanned file cannot drive the terminal. */
export function visible(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (char) => {
      const code = char.codePointAt(0) ?? 0;
      return code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7f ? '\u2421' : '\ufffd';
    },
  );
}

/** `width` display columns of a shown line from display column `from` on, with `…` where something was cut off. */
export function clipLine(text: string, from: number, width: number): string {
  const isCutBefore = from > 0;
  const isCutAfter = displayWidth(text) > from + width;
  const start = from + (isCutBefore ? 1 : 0);
  const end = from + width - (isCutAfter ? 1 : 0);
  let column = 0;
  let clipped = '';
  for (const char of text) {
    const next = column + charWidth(char.codePointAt(0) ?? 0);
    if (column >= start && next <= end) clipped += char;
    // A wide character that straddles an edge leaves a blank, so that the columns behind it stay in place.
    else if (next > start && column < end) clipped += ' ';
    column = next;
  }
  return `${isCutBefore ? '…' : ''}${clipped}${isCutAfter ? '…' : ''}`;
}
