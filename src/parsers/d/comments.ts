import type { Span } from '../../model/source.js';

/** One comment with its delimiters. */
export interface Comment {
  readonly text: string;
  readonly span: Span;
}

/**
 * What may hold the beginning of a comment without being one, or begins one: strings and characters are stepped over as a
 * whole. Alternatives: line comment, block comment, nesting comment (only its opening), raw and back-quoted strings,
 * delimited strings (only their opening), ordinary strings, character literals.
 */
const interesting =
  /\/\/[^\r\n]*|\/\*[^]*?\*\/|\/\+|\br"[^"]*"|`[^`]*`|\bq"(?:([[({<])|([A-Za-z_]\w*)\r?\n|([^\s\w]))|"(?:[^"\\]|\\[^])*"|'(?:[^'\\\r\n]|\\[^])+'/g;

const closing = new Map([
  ['[', ']'],
  ['(', ')'],
  ['{', '}'],
  ['<', '>'],
]);

/**
 * Every comment of a D source in order, also those inside function bodies that are not parsed any further. Line and block
 * comments end as in C, `/+` nests. Comments inside token strings (`q{ }`) count, as they do for the D lexer.
 */
export function findComments(text: string): Comment[] {
  const comments: Comment[] = [];
  const add = (start: number, end: number): void => {
    comments.push({ text: text.slice(start, end), span: { start, end } });
  };
  interesting.lastIndex = 0;
  for (let match = interesting.exec(text); match !== null; match = interesting.exec(text)) {
    const found = match[0];
    if (found === '/+') {
      const end = endOfNesting(text, match.index);
      add(match.index, end);
      interesting.lastIndex = end;
    } else if (found.startsWith('/')) {
      add(match.index, match.index + found.length);
    } else if (found.startsWith('q"')) {
      interesting.lastIndex = endOfDelimited(text, match.index + found.length, match[1], match[2], match[3]);
    }
  }
  return comments;
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

function endOfDelimited(text: string, from: number, bracket?: string, heredoc?: string, delimiter?: string): number {
  const terminator =
    bracket !== undefined
      ? `${closing.get(bracket) ?? ''}"`
      : heredoc !== undefined
        ? `\n${heredoc}"`
        : `${delimiter ?? ''}"`;
  const at = text.indexOf(terminator, heredoc === undefined ? from : from - 1);
  return at < 0 ? text.length : at + terminator.length;
}
