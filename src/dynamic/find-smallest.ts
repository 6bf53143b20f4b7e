/**
 * The smallest count from 1 to `full` that still crashes, when more never crash less: doubled from one until one does, then the
 * gap below it is halved. `full` is taken to crash and is not tried.
 *
 * @returns the smallest count that was seen to crash; `full` where none was, or it was stopped before
 */
export async function findSmallest(
  full: number,
  crashes: (count: number) => Promise<boolean>,
  isStopped: () => boolean,
): Promise<number> {
  let low = 0;
  let high = full;
  for (let count = 1; count < full; count *= 2) {
    if (isStopped()) return high;
    if (await crashes(count)) {
      high = count;
      break;
    }
    low = count;
  }
  while (high - low > 1 && !isStopped()) {
    const middle = Math.floor((low + high) / 2);
    if (await crashes(middle)) high = middle;
    else low = middle;
  }
  return high;
}
