import type { Span } from '../../model/source.js';

/**
 * A small lexer for what a syntax tree doesn't give: comments in bodies that were left out, and the pieces of a macro's
 * tokens. It knows strings, raw strings, characters, lifetimes, nested comments and brackets, nothing more.
 */

export interface Comment {
  readonly text: string;
  readonly span: Span;
}

/** Index just past the string that opens at `quote`; escapes are skipped. An unclosed string ends with the text. */
function endOfString(text: string, quote: number): number {
  for (let i = quote + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 92) i++;
    else if (code === 34) return i + 1;
  }
  return text.length;
}

/** Index just past the character literal at `quote`, or past the quote when it begins a lifetime or a label. */
function endOfQuote(text: string, quote: number): number {
  if (text[quote + 1] === '\\') {
    const close = text.indexOf("'", quote + 3);
    return close === -1 ? text.length : close + 1;
  }
  const width = (text.codePointAt(quote + 1) ?? 0) > 0xffff ? 2 : 1;
  return text[quote + 1 + width] === "'" ? quote + width + 2 : quote + 1;
}

/** Index just past the block comment at `start`; Rust's block comments nest. */
function endOfBlockComment(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 47 && text.charCodeAt(i + 1) === 42) {
      depth++;
      i++;
    } else if (code === 42 && text.charCodeAt(i + 1) === 47) {
      depth--;
      i++;
      if (depth === 0) return i + 1;
    }
  }
  return text.length;
}

function endOfLine(text: string, start: number): number {
  const newline = text.indexOf('\n', start);
  const end = newline === -1 ? text.length : newline;
  return text.charCodeAt(end - 1) === 13 ? end - 1 : end;
}

/** Index just past the raw string whose marker (`r##"`) is `marker` and begins at `start`. */
function endOfRawString(text: string, start: number, marker: string): number {
  const hashes = marker.slice(marker.indexOf('r') + 1, -1);
  const close = text.indexOf(`"${hashes}`, start + marker.length);
  return close === -1 ? text.length : close + 1 + hashes.length;
}

const RAW_STRING = /[bc]?r#*"/y;

/** Index just past the string, character or comment at `index`; `index` itself when none begins there. */
export function skipLexeme(text: string, index: number): number {
  const char = text[index];
  if (char === '"') return endOfString(text, index);
  if (char === "'") return endOfQuote(text, index);
  if (char === '/') {
    if (text[index + 1] === '/') return endOfLine(text, index);
    if (text[index + 1] === '*') return endOfBlockComment(text, index);
    return index;
  }
  if (char === 'r' || char === 'b' || char === 'c') {
    if (index > 0 && /\w/.test(text[index - 1] ?? '')) return index;
    RAW_STRING.lastIndex = index;
    const match = RAW_STRING.exec(text);
    if (match) return endOfRawString(text, index, match[0]);
  }
  return index;
}

/** Index just past the bracket that closes the one at `open`, or `end` when it never closes. */
export function endOfBrackets(text: string, open: number, end: number): number {
  let depth = 0;
  for (let i = open; i < end;) {
    const next = skipLexeme(text, i);
    if (next > i) {
      i = next;
      continue;
    }
    const char = text[i];
    if (char === '(' || char === '[' || char === '{') depth++;
    else if (char === ')' || char === ']' || char === '}') {
      depth--;
      if (depth === 0) return i + 1;
    }
    i++;
  }
  return end;
}

/** Index just past the `>` that closes the `<` at `open`; `->` and `=>` do not close. */
function endOfAngles(text: string, open: number, end: number): number {
  let depth = 0;
  for (let i = open; i < end; i++) {
    const char = text[i];
    if (char === '<') depth++;
    else if (char === '>' && text[i - 1] !== '-' && text[i - 1] !== '=') {
      depth--;
      if (depth === 0) return i + 1;
    } else if (char === ';' || char === '{') return open + 1;
  }
  return open + 1;
}

/**
 * First index in `[start, end)` outside strings, comments, brackets and turbofish arguments for which `accept` answers true,
 * or -1. `accept` is asked only at characters that `interesting` contains.
 */
export function findTopLevel(
  text: string,
  start: number,
  end: number,
  interesting: string,
  accept: (index: number) => boolean,
): number {
  for (let i = start; i < end;) {
    const next = skipLexeme(text, i);
    if (next > i) {
      i = next;
      continue;
    }
    const char = text[i] ?? '';
    if (interesting.includes(char) && accept(i)) return i;
    if (char === '(' || char === '[' || char === '{') i = endOfBrackets(text, i, end);
    else if (char === '<' && text[i - 1] === ':' && text[i - 2] === ':') i = endOfAngles(text, i, end);
    else i++;
  }
  return -1;
}

/** Pieces of `[start, end)` between top-level commas; an empty last piece is left out. */
export function splitByCommas(text: string, start: number, end: number): Span[] {
  const pieces: Span[] = [];
  let from = start;
  for (;;) {
    const comma = findTopLevel(text, from, end, ',', () => true);
    const to = comma === -1 ? end : comma;
    if (comma !== -1 || text.slice(from, to).trim() !== '') pieces.push({ start: from, end: to });
    if (comma === -1) return pieces;
    from = comma + 1;
  }
}
