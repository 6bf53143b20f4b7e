import { memberPath, onlyInitOf, uncast } from './d-code.js';
import type { Expr, FunctionIr, TypeRef } from '../model/ir.js';

/** Bytes that a type of the language takes. */
export const SIZES: ReadonlyMap<string, number> = new Map([
  ...['ubyte', 'byte', 'char', 'bool'].map((name): [string, number] => [name, 1]),
  ...['ushort', 'short', 'wchar'].map((name): [string, number] => [name, 2]),
  ...['uint', 'int', 'dchar', 'float'].map((name): [string, number] => [name, 4]),
  ...['ulong', 'long', 'double'].map((name): [string, number] => [name, 8]),
]);

/** Bytes of an element of an array or text, where the language says it. */
export function elementBytes(type: TypeRef | undefined): number | undefined {
  return type?.kind === 'slice' || type?.kind === 'static-array' ? SIZES.get(type.element?.name ?? '') : undefined;
}

/** The slice `s` that `s.ptr` or `&s[0]` points to the first element of, through casts. */
export function sliceOfPointer(expr: Expr): string | undefined {
  const shown = shownByPointer(expr);
  return shown === undefined ? undefined : memberPath(shown);
}

/** What `s.ptr` and `&s[0]` show the elements of, through casts: also `s` that is not a name. */
export function shownByPointer(expr: Expr): Expr | undefined {
  const value = uncast(expr);
  if (value.kind === 'field') return value.name === 'ptr' ? value.base : undefined;
  if (value.kind !== 'address' || value.base.kind !== 'index') return undefined;
  const { base, index } = value.base;
  return index.kind === 'literal' && index.text === '0' ? base : undefined;
}

/** The slice whose length an expression is, or a variable that was set to it. */
export function lengthOf(fn: FunctionIr, expr: Expr): string | undefined {
  const made = uncast(onlyInitOf(fn, expr) ?? expr);
  return made.kind === 'field' && made.name === 'length' ? memberPath(made.base) : undefined;
}
