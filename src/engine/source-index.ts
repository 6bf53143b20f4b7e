import type { Location } from '../model/finding.js';
import { findLineStarts, lineTextAt, positionAt, type Span } from '../model/source.js';

/** Positions and line texts of files, with the line table of each file computed once. */
export interface SourceIndex {
  locate(path: string, span: Span): Location;
  /** A place given by 1-based line and column; without columns the text of the line, blanks trimmed. */
  locateLine(path: string, line: number, column?: number, endColumn?: number): Location;
  /** The text of a 1-based line without its line end; empty when there is none. */
  lineText(path: string, line: number): string;
}

interface Entry {
  readonly text: string;
  readonly starts: Uint32Array;
}

export function createSourceIndex(textOf: (path: string) => string | undefined): SourceIndex {
  const entries = new Map<string, Entry>();

  const entryOf = (path: string): Entry => {
    let entry = entries.get(path);
    if (entry === undefined) {
      const text = textOf(path) ?? '';
      entry = { text, starts: findLineStarts(text) };
      entries.set(path, entry);
    }
    return entry;
  };

  const lineText = (path: string, line: number): string => {
    const { text, starts } = entryOf(path);
    return lineTextAt(text, starts, line);
  };

  return {
    lineText,
    locate(path, span) {
      const { text, starts } = entryOf(path);
      const start = positionAt(starts, Math.min(span.start, text.length));
      const end = positionAt(starts, Math.min(Math.max(span.end, span.start), text.length));
      const empty = end.line === start.line && end.column === start.column;
      return {
        path,
        startLine: start.line,
        startColumn: start.column,
        endLine: end.line,
        endColumn: empty ? end.column + 1 : end.column,
      };
    },
    locateLine(path, line, column, endColumn) {
      const text = lineText(path, line);
      const first = text.length - text.trimStart().length + 1;
      const startColumn = column ?? first;
      const end = endColumn ?? Math.max(text.trimEnd().length + 1, startColumn + 1);
      return { path, startLine: line, startColumn, endLine: line, endColumn: end };
    },
  };
}
