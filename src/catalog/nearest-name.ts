/**
 * The known name closest to a mistyped one, or undefined when nothing is close enough to be meant. Optimal string
 * alignment distance (Damerau 1964 restricted to adjacent swaps), allowed up to a third of the longer name; a name that
 * contains the typed text, or is contained in it, counts as close.
 */
export function nearestName(typed: string, known: readonly string[]): string | undefined {
  const wanted = typed.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const name of known) {
    const other = name.toLowerCase();
    const limit = Math.max(1, Math.floor(Math.max(wanted.length, other.length) / 3));
    const isPart = wanted.length >= 4 && (other.includes(wanted) || wanted.includes(other));
    // Each letter that the longer one has more is an edit.
    if (!isPart && Math.abs(wanted.length - other.length) > Math.min(limit, bestDistance)) continue;
    const distance = isPart ? Math.min(limit, editDistance(wanted, other)) : editDistance(wanted, other);
    if (distance <= limit && distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + change);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
