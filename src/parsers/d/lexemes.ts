import type { Span } from '../../model/source.js';

/** One comment with its delimiters. */
export interface Comment {
  readonly text: string;
  readonly span: Span;
}

const closing: ReadonlyMap<string, string> = new Map([
  ['[', ']'],
  ['(', ')'],
  ['{', '}'],
  ['<', '>'],
]);

/**
 * Index just past the comment, string or character literal that begins at `start`; `start` itself when none does. Line and
 * block comments end as in C, `/+` nests, `r".."` and back-quoted strings know no escapes, `q".."` ends with its own
 * delimiter. Token strings (`q{ }`) are tokens like any other. What is not closed ends with the text.
 */
export function endOfLexeme(text: string, start: number): number {
  switch (text.charCodeAt(start)) {
    case 47: {
      const next = text.charCodeAt(start + 1);
      if (next === 47) return endOfLine(text, start);
      if (next === 42) return endOf(text, '*/', start + 2);
      return next === 43 ? endOfNesting(text, start) : start;
    }
    case 34:
      return endOfString(text, start);
    case 39:
      return endOfCharacter(text, start);
    case 96:
      return endOf(text, '`', start + 1);
    case 114:
    case 120:
      return text.charCodeAt(start + 1) === 34 ? endOf(text, '"', start + 2) : start;
    case 113:
      return text.charCodeAt(start + 1) === 34 ? endOfDelimited(text, start + 2) : start;
    default:
      return start;
  }
}

function endOf(text: string, terminator: string, from: number): number {
  const at = text.indexOf(terminator, from);
  return at < 0 ? text.length : at + terminator.length;
}

/** Index of the line break that ends the line, or the length of the text. */
export function endOfLine(text: string, start: number): number {
  const newline = text.indexOf('\n', start);
  const end = newline < 0 ? text.length : newline;
  return text.charCodeAt(end - 1) === 13 ? end - 1 : end;
}

function endOfNesting(text: string, start: number): number {
  const marks = /\/\+|\+\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let match = marks.exec(text); match !== null; match = marks.exec(text)) {
    depth += match[0] === '/+' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return text.length;
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 92) i++;
    else if (code === 34) return i + 1;
  }
  return text.length;
}

function endOfCharacter(text: string, start: number): number {
  if (text.charCodeAt(start + 1) === 92) return endOf(text, "'", start + 3);
  const close = text.indexOf("'", start + 1);
  // A character is one code point; anything longer is no character but a stray quote.
  return close > start + 1 && close <= start + 3 ? close + 1 : start + 1;
}

/** `q"(..)"`, `q"EOS … EOS"`, `q"/../"`: `from` is just past the opening quote. */
function endOfDelimited(text: string, from: number): number {
  const heredoc = /[A-Za-z_]\w*/y;
  heredoc.lastIndex = from;
  const name = heredoc.exec(text)?.[0];
  if (name !== undefined) return endOf(text, `\n${name}"`, from);
  const opening = text[from] ?? '';
  const close = closing.get(opening);
  if (close === undefined) return endOf(text, `${opening}"`, from + 1);
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    if (text[i] === opening) depth++;
    else if (text[i] === close && --depth === 0) return text.charCodeAt(i + 1) === 34 ? i + 2 : i + 1;
  }
  return text.length;
}
