import type { Language, TypeRef } from '../model/ir.js';
import { peel } from '../flow/types.js';

/** Who frees the old block when a container's storage moves: nobody but the collector (`gc`), or the move itself (`malloc`). */
export type ContainerStorage = 'gc' | 'malloc';

const D_GC_CONTAINERS = new Set(['Appender', 'RefAppender', 'OutBuffer', 'string', 'wstring', 'dstring']);

/** D arrays and appenders live in GC memory; `Array`, realloc'd pointers and every Rust container free the old block at once. */
export function containerStorage(type: TypeRef | undefined, language: Language): ContainerStorage {
  if (language === 'rust') return 'malloc';
  const inner = type?.kind === 'pointer' ? type : peel(type);
  if (inner?.kind === 'slice') return 'gc';
  return inner?.kind === 'path' && D_GC_CONTAINERS.has(inner.name) ? 'gc' : 'malloc';
}

/** D: whether a collection keeps the slices that it is given: its elements are slices. Undefined when its type is not known. */
export function holdsSlices(type: TypeRef | undefined): boolean | undefined {
  if (type === undefined || type.kind === 'unknown') return undefined;
  if (type.kind === 'slice' || type.kind === 'static-array') return type.element?.kind === 'slice';
  if (type.kind !== 'path') return undefined;
  const [inner] = type.args;
  if (type.name === 'Appender' || type.name === 'RefAppender') return holdsSlices(inner);
  return /^(?:Array|DList|SList|RedBlackTree|DynamicArray|UnrolledList)$/u.test(type.name)
    ? inner?.kind === 'slice'
    : undefined;
}
