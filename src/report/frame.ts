import { displayWidth } from './display-width.js';
import { clipLine, showLine, visible } from './source-line.js';

/** A marked place in one file: 1-based line, 1-based UTF-16 columns, exclusive end. */
export interface Label {
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
  /** Empty when only the underline is wanted. */
  readonly text: string;
  readonly isPrimary: boolean;
}

export interface FrameStyle {
  readonly gutter: (text: string) => string;
  readonly primary: (text: string) => string;
  readonly secondary: (text: string) => string;
}

export interface FrameOptions {
  /** Width of the column of line numbers. */
  readonly numberWidth: number;
  readonly columns: number;
  readonly style: FrameStyle;
}

const minimumWidth = 40;
/** Columns kept in sight before the first label of a clipped line. */
const leadIn = 12;
/** Of a line that is longer than this (UTF-16 units), as generated code has them, only what is near its first label is looked at. */
const longLine = 4_000;
/** So many of its units are looked at for each column in sight: a letter with marks above it has several. */
const unitsPerColumn = 4;

/**
 * Draws lines of one file with their labels under them, as rustc does: underlines on one row, the rightmost text beside its
 * underline, the others below it on rows of their own. Lines between two marked ones show as `...`, a single one as itself.
 *
 * @param lineAt the text of a 1-based line of the file, without its line end
 */
export function drawFrame(
  lineAt: (line: number) => string,
  labels: readonly Label[],
  options: FrameOptions,
): readonly string[] {
  const numbers = [...new Set(labels.map(({ line }) => line))].sort((a, b) => a - b);
  const rows: string[] = [gutter('', options).trimEnd()];
  let previous: number | undefined;
  for (const number of numbers) {
    if (previous !== undefined && number === previous + 2) {
      rows.push(sourceRow(previous + 1, clipToFit(showLine(lineAt(previous + 1)).text, 0, options), options));
    } else if (previous !== undefined && number > previous + 2) rows.push(options.style.gutter('...'));
    rows.push(
      ...drawLine(
        number,
        lineAt(number),
        labels.filter(({ line }) => line === number),
        options,
      ),
    );
    previous = number;
  }
  return rows;
}

interface Mark {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly isPrimary: boolean;
}

function drawLine(number: number, source: string, labels: readonly Label[], options: FrameOptions): readonly string[] {
  const width = sourceWidth(options);
  const { part, labels: shifted } =
    source.length > longLine ? cutAround(source, labels, width) : { part: source, labels };
  const line = showLine(part);
  const first = Math.min(...shifted.map(({ column }) => line.columnOf(column)));
  const offset = displayWidth(line.text) > width && first > width - leadIn * 2 ? Math.max(0, first - leadIn) : 0;
  const inWindow = (column: number): number => Math.min(Math.max(column - offset, 0), width);
  const marks = shifted
    .map(({ column, endColumn, text, isPrimary }): Mark => {
      const from = Math.min(inWindow(line.columnOf(column)), width - 1);
      return { from, to: Math.max(inWindow(line.columnOf(endColumn)), from + 1), text: visible(text), isPrimary };
    })
    // Texts are written from the right to the left and from the last to the first: where two begin together, the earlier step
    // must come last here to be read first.
    .reverse()
    .sort((a, b) => a.from - b.from);
  return [
    sourceRow(number, clipToFit(line.text, offset, options), options),
    ...drawMarks(marks, options.style).map((row) => (gutter('', options) + row).trimEnd()),
  ];
}

/** The part of a long line that can come into sight, and its labels with the columns that they have there. */
function cutAround(source: string, labels: readonly Label[], width: number) {
  const first = Math.min(...labels.map(({ column }) => column)) - 1;
  // As far before the label, so that a cut line is clipped there in a wide terminal too, and shows it.
  const reach = unitsPerColumn * width;
  let from = Math.max(0, first - reach);
  // Not between the halves of a pair.
  if (/[\udc00-\udfff]/u.test(source[from] ?? '')) from++;
  return {
    part: source.slice(from, first + reach),
    labels: labels.map((label) => ({ ...label, column: label.column - from, endColumn: label.endColumn - from })),
  };
}

/** The rows under a source line: the underlines, then the texts from right to left. */
function drawMarks(marks: readonly Mark[], style: FrameStyle): readonly string[] {
  const paint = (mark: Mark, text: string): string => (mark.isPrimary ? style.primary(text) : style.secondary(text));
  const end = Math.max(...marks.map(({ to }) => to));
  const owners: (Mark | undefined)[] = Array.from({ length: end }, () => undefined);
  // Primary marks are painted last, so that they win where underlines overlap.
  for (const mark of [...marks].sort((a, b) => Number(a.isPrimary) - Number(b.isPrimary)))
    owners.fill(mark, mark.from, mark.to);
  const underline = owners.map((mark) => (mark === undefined ? ' ' : paint(mark, mark.isPrimary ? '^' : '-'))).join('');

  const texts = marks.filter(({ text }) => text !== '');
  const last = texts.at(-1);
  const isInline = last !== undefined && last.to === end && texts.filter(({ from }) => from === last.from).length === 1;
  const rows = [isInline && last !== undefined ? `${underline} ${paint(last, last.text)}` : underline];
  const below = isInline ? texts.slice(0, -1) : texts;
  for (let count = below.length; count > 0; count--) {
    const mark = below[count - 1];
    if (mark === undefined) continue;
    if (count === below.length) rows.push(bars(below, style));
    const before = below.slice(0, count - 1).filter(({ from }) => from < mark.from);
    const lead = bars(before, style);
    const leadWidth = before.length === 0 ? 0 : Math.max(...before.map(({ from }) => from)) + 1;
    rows.push(`${lead}${' '.repeat(mark.from - leadWidth)}${paint(mark, mark.text)}`);
  }
  return rows;
}

/** A row with a bar at the start of each mark. */
function bars(marks: readonly Mark[], style: FrameStyle): string {
  let row = '';
  let width = 0;
  for (const mark of marks) {
    if (mark.from < width) continue;
    row += ' '.repeat(mark.from - width) + (mark.isPrimary ? style.primary('|') : style.secondary('|'));
    width = mark.from + 1;
  }
  return row;
}

function sourceRow(number: number, text: string, options: FrameOptions): string {
  return (gutter(String(number), options) + text).trimEnd();
}

function gutter(number: string, { numberWidth, style }: FrameOptions): string {
  return `${style.gutter(`${number.padStart(numberWidth)} |`)} `;
}

function sourceWidth({ columns, numberWidth }: FrameOptions): number {
  return Math.max(minimumWidth, columns - numberWidth - 3);
}

function clipToFit(text: string, offset: number, options: FrameOptions): string {
  return clipLine(text, offset, sourceWidth(options));
}
