import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

/**
 * The file as it was read, with the bodies that only `more` has, and with what is declared in them. Everything else stays the
 * very object that it was. The ids of the functions of `more` must be others than those of `read`.
 */
export function joinBodies(read: FileIr, more: FileIr): FileIr {
  const skipped = new Set(read.functions.filter((fn) => fn.skipped === true).map(({ nameSpan }) => nameSpan.start));
  const isAdded = (fn: FunctionIr): boolean => skipped.has(fn.nameSpan.start) && fn.skipped !== true;
  const added = more.functions.filter(isAdded);
  const heads = new Set(added.map(({ nameSpan }) => nameSpan.start));
  const join = <T extends { readonly span: Span }>(old: readonly T[], other: readonly T[]): readonly T[] =>
    inOrder([...old, ...other.filter(({ span }) => added.some((fn) => isInside(span, fn)))]);
  return {
    ...read,
    imports: join(read.imports, more.imports),
    types: join(read.types, more.types),
    globals: join(read.globals, more.globals),
    macros: join(read.macros, more.macros),
    functions: inOrder([
      ...read.functions.filter(({ nameSpan }) => !heads.has(nameSpan.start)),
      ...more.functions.filter((fn) => isAdded(fn) || added.some((outer) => isInside(fn.span, outer))),
    ]),
  };
}

function isInside(span: Span, { bodySpan }: FunctionIr): boolean {
  return bodySpan !== undefined && bodySpan.start <= span.start && span.end <= bodySpan.end;
}

function inOrder<T extends { readonly span: Span }>(items: readonly T[]): readonly T[] {
  return [...items].sort((a, b) => a.span.start - b.span.start);
}
