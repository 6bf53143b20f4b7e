/** A half-open range of UTF-16 code units in one file's text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Whether a range lies in another one, or is the same. */
export function isInside(span: Span, around: Span): boolean {
  return span.start >= around.start && span.end <= around.end;
}

/** A 1-based line with a 1-based column counted in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The text of one file under the unit's root. `path` is relative to the scan's base folder and uses `/`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Offsets (UTF-16) at which each line of `text` begins; entry 0 is 0. Lines end at `\n`, `\r\n` or a lone `\r`. */
export function findLineStarts(text: string): Uint32Array {
  const starts: number[] = [0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) starts.push(i + 1);
    else if (code === 13 && text.charCodeAt(i + 1) !== 10) starts.push(i + 1);
  }
  return Uint32Array.from(starts);
}

/** The position of a UTF-16 offset, given the line starts of its text; offsets past the end land on the last line. */
export function positionAt(lineStarts: Uint32Array, offset: number): Position {
  let low = 0;
  let high = lineStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lineStarts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 };
}

/** The text of a 1-based line without its line end, given the line starts of its text; empty when there is none. */
export function lineTextAt(text: string, lineStarts: Uint32Array, line: number): string {
  const start = lineStarts[line - 1];
  if (start === undefined) return '';
  let end = lineStarts[line] ?? text.length;
  while (end > start && (text[end - 1] === '\n' || text[end - 1] === '\r')) end--;
  return text.slice(start, end);
}

/**
 * A part of a text without the comments in it, each of which leaves one line break; undefined when none lies in it. `comments` are those of
 * the whole text, in order.
 */
export function withoutComments(
  text: string,
  { start, end }: Span,
  comments: readonly { readonly span: Span }[],
): string | undefined {
  let low = 0;
  let high = comments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((comments[middle]?.span.start ?? end) < start) low = middle + 1;
    else high = middle;
  }
  const parts: string[] = [];
  let from = start;
  for (let comment = comments[low]; comment !== undefined && comment.span.end <= end; comment = comments[++low]) {
    parts.push(text.slice(from, comment.span.start));
    from = comment.span.end;
  }
  return parts.length === 0 ? undefined : [...parts, text.slice(from, end)].join('\n');
}
