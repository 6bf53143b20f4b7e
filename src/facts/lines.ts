import type { FileIr } from '../model/ir.js';
import { findLineStarts, positionAt } from '../model/source.js';
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
