/** The empty list that all share which stay empty: a scan keeps hundreds of thousands of them. Nothing may be added to it. */
export const NONE: readonly never[] = [];

/** A copy of a list that goes on changing. */
export function copyOf<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? NONE : [...list];
}

/** The list itself, or the shared one where it is empty: for a list that nothing is added to any more. */
export function kept<T>(list: readonly T[] | undefined): readonly T[] {
  return list === undefined || list.length === 0 ? NONE : list;
}
