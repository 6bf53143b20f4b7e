import { logGamma } from '../statistics.js';

const logChoose = (n: number, k: number): number => logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);

/**
 * Two-sided p-value of Fisher's exact test for two counts of hits: the sum of the probabilities of all tables with the same
 * margins that are no likelier than the one that was seen (R. A. Fisher, Statistical Methods for Research Workers, 1934, § 21.02).
 */
export function fisherExact(hitsA: number, runsA: number, hitsB: number, runsB: number): number {
  const hits = hitsA + hitsB;
  const runs = runsA + runsB;
  const low = Math.max(0, hits - runsB);
  const high = Math.min(hits, runsA);
  const whole = logChoose(runs, hits);
  const logOf = (k: number): number => logChoose(runsA, k) + logChoose(runsB, hits - k) - whole;
  const seen = logOf(hitsA);
  let sum = 0;
  // Tables that are equally likely differ by rounding only.
  for (let k = low; k <= high; k++) if (logOf(k) <= seen + 1e-7) sum += Math.exp(logOf(k));
  return Math.min(1, sum);
}

/**
 * Holm's step-down correction (S. Holm, 1979): p-values that may be compared with the wanted level although many were looked at.
 * The order is that of the input.
 */
export function holm(pValues: readonly number[]): readonly number[] {
  const order = pValues.map((_, index) => index).sort((a, b) => (pValues[a] ?? 1) - (pValues[b] ?? 1));
  const adjusted = new Array<number>(pValues.length).fill(1);
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * (pValues[index] ?? 1)));
    adjusted[index] = largest;
  });
  return adjusted;
}
