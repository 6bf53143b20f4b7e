/**
 * Which version to run next: the one whose runs are expected to tell most about the first bad version per second.
 *
 * The expected information of a query is the mutual information between its outcome and the hypotheses; choosing the
 * largest one at each step is the greedy rule of Bayesian experimental design (Lindley 1956), which for noisy binary
 * search comes close to the best possible number of queries (Karp and Kleinberg 2007; Ben-Or and Hassidim 2008).
 */

import { LARGEST_BATCH } from './crash-rates.js';
import type { Posterior } from './posterior.js';

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
  const mostRuns = candidates.some((version) => costs.prepare(version) > 0) ? LARGEST_BATCH : 1;
  for (let runs = 1; runs <= mostRuns; runs++) {
    const bad = segments.map((segment) => sideOf(segment.badClean, runs));
    const good = segments.map((segment) => sideOf(segment.goodClean, runs));
    const size = runs + 1;
    // Outcome weights and entropies of the segments before the current one (bad at the candidate) and after it (good).
    const mixture = new Float64Array(size);
    let conditional = 0;
    const before = new Float64Array(size);
    let entropyBefore = 0;
    const after = new Float64Array(size);
    let entropyAfter = 0;
    segments.forEach((segment, index) => {
      for (let k = 0; k < size; k++) after[k] = (after[k] ?? 0) + segment.mass * (good[index]?.outcomes[k] ?? 0);
      entropyAfter += segment.mass * (good[index]?.entropy ?? 0);
    });
    let at = 0;
    let within = 0;
    let whole = 0;
    let next = 0;
    const enter = (index: number): void => {
      const segment = segments[index];
      if (segment === undefined) return;
      for (let k = 0; k < size; k++) after[k] = (after[k] ?? 0) - segment.mass * (good[index]?.outcomes[k] ?? 0);
      entropyAfter -= segment.mass * (good[index]?.entropy ?? 0);
      within = 0;
      whole = 0;
      for (let i = segment.from; i <= segment.to; i++) whole += prior[i] ?? 0;
      next = segment.from;
    };
    const leave = (index: number): void => {
      const segment = segments[index];
      if (segment === undefined) return;
      for (let k = 0; k < size; k++) before[k] = (before[k] ?? 0) + segment.mass * (bad[index]?.outcomes[k] ?? 0);
      entropyBefore += segment.mass * (bad[index]?.entropy ?? 0);
    };
    enter(at);
    for (const version of candidates) {
      for (let segment = segments[at]; segment !== undefined && segment.to < version; segment = segments[at]) {
        leave(at);
        at++;
        enter(at);
      }
      const segment = segments[at];
      if (segment === undefined) break;
      for (; next <= version; next++) within += prior[next] ?? 0;
      const badMass = whole === 0 ? 0 : (segment.mass * within) / whole;
      const goodMass = segment.mass - badMass;
      conditional =
        entropyBefore + entropyAfter + badMass * (bad[at]?.entropy ?? 0) + goodMass * (good[at]?.entropy ?? 0);
      let entropy = 0;
      for (let k = 0; k < size; k++) {
        mixture[k] =
          (before[k] ?? 0) +
          (after[k] ?? 0) +
          badMass * (bad[at]?.outcomes[k] ?? 0) +
          goodMass * (good[at]?.outcomes[k] ?? 0);
        entropy += entropyTerm(mixture[k] ?? 0);
      }
      const prepare = costs.prepare(version);
      if (runs > 1 && prepare === 0) continue;
      const information = entropy - conditional;
      const rate = information / (prepare + runs * costs.run);
      if (rate > bestRate * (1 + 1e-9)) {
        bestRate = rate;
        best = { version, runs, information };
      }
    }
  }
  return best;
}
