import type { StaleUse } from '../flow/result.js';
import type { Span } from '../model/source.js';

/** So many uses after the first are named; more would bury the cause. */
const MOST = 6;

/** Further uses of the same cause as `first`, in source order, each place once. `same` says whether a use belongs to it. */
export function laterUses(
  uses: readonly StaleUse[],
  first: StaleUse,
  same: (use: StaleUse) => boolean,
): readonly Span[] {
  const found = new Map<number, Span>();
  for (const stale of uses) {
    const { span } = stale.use;
    if (span.start !== first.use.span.start && !found.has(span.start) && same(stale)) found.set(span.start, span);
  }
  return [...found.values()].sort((a, b) => a.start - b.start).slice(0, MOST);
}
