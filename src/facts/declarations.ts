import type { FileIr, TypeDecl } from '../model/ir.js';
import type { UnitFacts } from './unit.js';

/** The file of the unit that declares a Rust type, which a name in `file` was resolved to; undefined for one from outside. */
export function declaringFile(unit: UnitFacts, file: FileIr, decl: TypeDecl): FileIr | undefined {
  if (file.types.includes(decl)) return file;
  return unit.typesNamed(decl.name, 'rust').find((t) => t.item === decl)?.file;
}

/** Whether the unit implements `Drop` for a Rust type of that name, outside of tests. */
export function hasDrop(unit: UnitFacts, name: string): boolean {
  return unit.implsOf(name, 'Drop').some(({ item }) => !item.isTest);
}
