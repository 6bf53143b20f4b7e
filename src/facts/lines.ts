import type { FileIr } from '../model/ir.js';
import { findLineStarts, positionAt, type Span } from '../model/source.js';
import type { UnitFacts } from './unit.js';

const tables = new WeakMap<FileIr, Uint32Array>();

/** The 1-based line of a UTF-16 offset in a file of the unit. */
export function lineOf(unit: UnitFacts, file: FileIr, offset: number): number {
  let starts = tables.get(file);
  if (!starts) {
    starts = findLineStarts(unit.textOf(file.path) ?? '');
    tables.set(file, starts);
  }
  return positionAt(starts, offset).line;
}

/** How many UTF-16 code units of a literal are enough to find it. */
const HEAD = 40;

/** The beginning of what may be long, such as a delegate with its body: no more than its first line, whatever ends that. */
export function headOf(unit: UnitFacts, file: FileIr, { start, end }: Span): Span {
  const text = (unit.textOf(file.path) ?? '').slice(start, Math.min(end, start + HEAD));
  return { start, end: start + (/^[^\r\n]+/u.exec(text)?.[0].length ?? end - start) };
}
