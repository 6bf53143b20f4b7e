/**
 * Which version to run next: the one whose runs are expected to tell most about the first bad version per second.
 *
 * The expected information of a query is the mutual information between its outcome and the hypotheses; choosing the
 * largest one at each step is the greedy rule of Bayesian experimental design (Lindley 1956), which for noisy binary
 * search comes close to the best possible number of queries (Karp and Kleinberg 2007; Ben-Or and Hassidim 2008).
 */

import { LARGEST_BATCH } from './crash-rates.js';
import { sumPrior, type Posterior } from './posterior.js';

/** What a run costs, in seconds. */
export interface Costs {
  /** Seconds until version `index` can be run: 0 when it is installed or built. */
  prepare(index: number): number;
  /** Seconds that one run takes. */
  readonly run: number;
}

export interface Query {
  readonly version: number;
  /** Ask for this many runs at most; the batch ends at the first hit. */
  readonly runs: number;
  /** Expected information about the first bad version, in bits. */
  readonly information: number;
}

const entropyTerm = (value: number): number => (value > 0 ? -value * Math.log2(value) : 0);

/** Probabilities of "first hit in run 1", ..., "in run k", "no hit", from the probabilities of k clean runs. */
function outcomes(clean: readonly number[], runs: number): number[] {
  const result: number[] = [];
  let before = 1;
  for (let index = 0; index < runs; index++) {
    const after = clean[index] ?? 0;
    result.push(Math.max(0, before - after));
    before = after;
  }
  result.push(before);
  return result;
}

interface Side {
  readonly outcomes: readonly number[];
  readonly entropy: number;
}

function sideOf(clean: readonly number[], runs: number): Side {
  const values = outcomes(clean, runs);
  return {
    outcomes: values,
    entropy: values.reduce((sum, value) => sum + entropyTerm(value), 0),
  };
}

/**
 * Finds the query with the largest expected information per second.
 *
 * A version that must be installed first may be asked for up to three runs, because its installation is paid once; one that
 * is installed is asked once, because deciding anew after each run is never worse.
 *
 * @param candidates versions that may be asked, ascending
 * @returns undefined when no query tells anything
 */
export function planQuery(
  posterior: Posterior,
  prior: Float64Array,
  candidates: readonly number[],
  costs: Costs,
): Query | undefined {
  const { segments } = posterior;
  let best: Query | undefined;
  let bestRate = 0;
  const prepare = candidates.map((version) => costs.prepare(version));
  const mostRuns = prepare.some((seconds) => seconds > 0) ? LARGEST_BATCH : 1;
  const { before: cumulative } = sumPrior(prior);
  for (let runs = 1; runs <= mostRuns; runs++) {
    const bad = segments.map((segment) => sideOf(segment.badClean, runs));
    const good = segments.map((segment) => sideOf(segment.goodClean, runs));
    const count = runs + 1;
    // Outcome weights and entropies of the segments before the current one (bad at the candidate) and after it (good).
    const before = new Float64Array(count);
    let entropyBefore = 0;
    const after = new Float64Array(count);
    let entropyAfter = 0;
    segments.forEach((segment, index) => {
      for (let k = 0; k < count; k++) after[k] = (after[k] ?? 0) + segment.mass * (good[index]?.outcomes[k] ?? 0);
      entropyAfter += segment.mass * (good[index]?.entropy ?? 0);
    });
    let start = 0;
    segments.forEach((segment, index) => {
      const badSide = bad[index];
      const goodSide = good[index];
      if (badSide === undefined || goodSide === undefined) return;
      for (let k = 0; k < count; k++) after[k] = (after[k] ?? 0) - segment.mass * (goodSide.outcomes[k] ?? 0);
      entropyAfter -= segment.mass * goodSide.entropy;
      const whole = (cumulative[segment.to + 1] ?? 0) - (cumulative[segment.from] ?? 0);
      const information = (at: number): number => {
        const within = (cumulative[(candidates[at] ?? 0) + 1] ?? 0) - (cumulative[segment.from] ?? 0);
        const badMass = whole === 0 ? 0 : (segment.mass * within) / whole;
        const goodMass = segment.mass - badMass;
        let entropy = 0;
        for (let k = 0; k < count; k++) {
          entropy += entropyTerm(
            (before[k] ?? 0) +
              (after[k] ?? 0) +
              badMass * (badSide.outcomes[k] ?? 0) +
              goodMass * (goodSide.outcomes[k] ?? 0),
          );
        }
        return entropy - (entropyBefore + entropyAfter + badMass * badSide.entropy + goodMass * goodSide.entropy);
      };
      const consider = (at: number): void => {
        const seconds = prepare[at] ?? 0;
        if (runs > 1 && seconds === 0) return;
        const bits = information(at);
        const rate = bits / (seconds + runs * costs.run);
        if (rate > bestRate * (1 + 1e-9)) {
          bestRate = rate;
          best = { version: candidates[at] ?? 0, runs, information: bits };
        }
      };
      let end = start;
      while (end < candidates.length && (candidates[end] ?? 0) <= segment.to) end++;
      if (isEven(prepare, start, end)) {
        // Mutual information is concave in the share of the segment that is bad at the candidate, so its peak can be searched for.
        let low = start;
        let high = end - 1;
        while (low < high) {
          const middle = (low + high) >> 1;
          if (information(middle) < information(middle + 1)) low = middle + 1;
          else high = middle;
        }
        if (low < end) consider(low);
      } else for (let at = start; at < end; at++) consider(at);
      start = end;
      for (let k = 0; k < count; k++) before[k] = (before[k] ?? 0) + segment.mass * (badSide.outcomes[k] ?? 0);
      entropyBefore += segment.mass * badSide.entropy;
    });
  }
  return best;
}

/** Whether all values from `start` to before `end` are the same. */
function isEven(values: readonly number[], start: number, end: number): boolean {
  for (let at = start + 1; at < end; at++) if (values[at] !== values[start]) return false;
  return true;
}
