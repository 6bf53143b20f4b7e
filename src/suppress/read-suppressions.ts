import { findLineStarts, positionAt, type Span } from '../model/source.js';
import type { SuppressionMessage } from './suppression-meta.js';

/** A file whose comments are read. Without `comments`, what looks like a comment on its line is taken for one. */
export interface CommentedFile {
  readonly path: string;
  readonly text: string;
  readonly comments?: readonly { readonly span: Span }[];
}

/** 1-based; the end is exclusive. */
interface CommentPlace {
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
}

/** A well-formed suppression with a reason. */
export interface Suppression {
  readonly path: string;
  readonly place: CommentPlace;
  readonly ids: readonly string[];
  readonly reason: string;
  /** 1-based lines it covers, both inclusive; absent when it covers the file. */
  readonly lines?: { readonly first: number; readonly last: number };
}

export interface SuppressionProblem {
  readonly path: string;
  readonly place: CommentPlace;
  readonly messageId: SuppressionMessage;
  readonly data: Readonly<Record<string, string>>;
}

/** Every text that can hold a suppression contains this; it doubles as the byte pre-filter. */
export const suppressionMark = 'lifetime-lint:';

const opener = /(?:\/\/[/!]?|\/\*+!?|\/\++|#|--|^\s*[*+])\s*lifetime-lint:[ \t]*(.*)$/u;
const directive = /^(allow|allow-file)\(([^()]*)\)(?:\s+--\s*(.*))?$/u;

/** Reads the suppressions of one file, and what is wrong with those that cannot be applied. */
export function readSuppressions(file: CommentedFile): {
  readonly suppressions: readonly Suppression[];
  readonly problems: readonly SuppressionProblem[];
} {
  const suppressions: Suppression[] = [];
  const problems: SuppressionProblem[] = [];
  if (!file.text.includes(suppressionMark)) return { suppressions, problems };
  const starts = findLineStarts(file.text);
  const lines = Array.from(starts, (start, index) =>
    file.text.slice(start, starts[index + 1] ?? file.text.length).replace(/[\r\n]+$/u, ''),
  );
  const code = blankComments(file, starts, lines);
  const firstCode = code.findIndex((line, index) => line.trim() !== '' && !(index === 0 && line.startsWith('#!/')));

  lines.forEach((line, index) => {
    const match = line.includes(suppressionMark) ? opener.exec(line) : null;
    if (match === null || !isComment(file, starts, index, line, match.index)) return;
    const text = withoutCloser((match[1] ?? '').trim());
    const column = match.index + (match[0].length - match[0].trimStart().length) + 1;
    const place = { line: index + 1, column, endColumn: line.trimEnd().length + 1 };
    const problem = (messageId: SuppressionMessage, data: Readonly<Record<string, string>>) =>
      problems.push({ path: file.path, place, messageId, data });

    const parts = directive.exec(text);
    const ids = (parts?.[2] ?? '').split(',').map((id) => id.trim());
    if (parts === null || ids.includes('')) {
      problem('malformed', { text: `${suppressionMark} ${text}`.trim() });
      return;
    }
    const reason = parts[3]?.trim() ?? '';
    const names = { ids: ids.join(', ') };
    if (reason === '') problem('reasonless', names);
    else if (parts[1] === 'allow') {
      suppressions.push({ path: file.path, place, ids, reason, lines: coveredLines(code, index) });
    } else if (firstCode !== -1 && firstCode <= index) problem('misplaced', names);
    else suppressions.push({ path: file.path, place, ids, reason });
  });
  return { suppressions, problems };
}

/** The text of a comment without what closes it. By hand: a pattern of runs that ends the text tries each blank of a line anew. */
function withoutCloser(text: string): string {
  if (!text.endsWith('*/') && !text.endsWith('+/')) return text;
  const mark = text.charAt(text.length - 2);
  let end = text.length - 1;
  while (end > 0 && text[end - 1] === mark) end--;
  return text.slice(0, end).trimEnd();
}

/**
 * The lines that a comment on line `index` (0-based) covers: its own line when there is code on it, else everything down
 * to the next line of code, so that a finding on an attribute above the item is covered too.
 */
function coveredLines(code: readonly string[], index: number): { readonly first: number; readonly last: number } {
  if ((code[index] ?? '').trim() !== '') return { first: index + 1, last: index + 1 };
  let next = index + 1;
  let brackets = 0;
  for (; next < code.length; next++) {
    const line = (code[next] ?? '').trim();
    if (brackets === 0 && line !== '' && !isAttributeStart(line)) break;
    if (brackets === 0 && !line.startsWith('#')) continue;
    const end = attributeEnd(line, brackets);
    brackets = end.open;
    if (brackets === 0 && line.slice(end.at).trim() !== '') break;
  }
  return { first: index + 1, last: Math.min(next, code.length - 1) + 1 };
}

const dAttributes =
  /^(?:(?:@\w+|nothrow|pure|static|final|private|public|protected|package|export|extern|override|abstract|deprecated)(?:\s*\([^()]*\))?\s*)+$/u;

function isAttributeStart(line: string): boolean {
  return line.startsWith('#[') || line.startsWith('#![') || dAttributes.test(line);
}

/** Where a bracketed attribute ends on its line, or how many brackets stay open. Strings in attributes are not looked into. */
function attributeEnd(line: string, open: number): { readonly open: number; readonly at: number } {
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '[') open++;
    else if (line[at] === ']' && --open === 0 && !/^\s*#!?\[/u.test(line.slice(at + 1))) return { open: 0, at: at + 1 };
  }
  return { open, at: line.length };
}

/** The lines with their comments replaced by nothing. */
function blankComments(file: CommentedFile, starts: Uint32Array, lines: readonly string[]): readonly string[] {
  if (file.comments === undefined)
    return lines.map((line) => line.replace(/^\s*(?:\/\/|\/\*|\/\+|[*+]|#(?!!?\[)|--).*$/u, ''));
  const blanked = [...lines];
  for (const { span } of file.comments) {
    const last = positionAt(starts, Math.max(span.start, span.end - 1)).line - 1;
    for (let index = positionAt(starts, span.start).line - 1; index <= last; index++) {
      const begin = starts[index] ?? 0;
      const line = blanked[index] ?? '';
      const from = Math.max(0, span.start - begin);
      const to = Math.max(from, Math.min(line.length, span.end - begin));
      blanked[index] = line.slice(0, from) + ' '.repeat(to - from) + line.slice(to);
    }
  }
  return blanked;
}

function isComment(file: CommentedFile, starts: Uint32Array, index: number, line: string, at: number): boolean {
  const offset = (starts[index] ?? 0) + line.indexOf(suppressionMark, at);
  if (file.comments !== undefined) return file.comments.some(({ span }) => span.start <= offset && offset < span.end);
  const quotes = line.slice(0, at).replace(/\\./gu, '').match(/"/gu)?.length ?? 0;
  return quotes % 2 === 0;
}
