/**
 * The posterior over the first bad version, given every run so far.
 *
 * Version numbers are 0-based positions in the history, oldest first. Hypothesis `i` says that version `i` is the first
 * bad one; hypothesis `n` says that none is. Hypotheses between the same two versions that were run explain the
 * runs equally well, so they are kept as one segment and only their prior tells them apart.
 */

import { LARGEST_BATCH, logOfClean, type RateEvidence, type RateModel, type SplitCounts } from './crash-rates.js';

/** What was seen of one version. */
export interface Tally {
  readonly hits: number;
  readonly clean: number;
}

interface Segment extends RateEvidence {
  /** First and last hypothesis of the segment, both included. */
  readonly from: number;
  readonly to: number;
  /** Posterior probability of the whole segment. */
  readonly mass: number;
}

export interface Posterior {
  /** Number of versions; hypotheses run from 0 to `size`, both included. */
  readonly size: number;
  readonly segments: readonly Segment[];
  /** Probability that hypothesis `index` is true. */
  probability(index: number): number;
  /** Probability that the first bad version is at `index` or before, that is, that version `index` is bad. */
  isBad(index: number): number;
  /** The likeliest hypothesis; the oldest one among equals. */
  readonly best: number;
  /** Natural logarithm of the probability of all runs, hypotheses and rates integrated out. */
  readonly logEvidence: number;
}

/** Before anything has run: how likely it is that the good end is bad already, and that the bad end is not bad. */
const GOOD_END_IS_BAD = 0.01;
const NONE_IS_BAD = 0.02;

/**
 * The prior over the `versions + 1` hypotheses. `weights[i]` is the number of published versions that version `i` stands for:
 * itself and those just before it that could not be run.
 */
export function firstBadPrior(weights: readonly number[]): Float64Array {
  const size = weights.length;
  const prior = new Float64Array(size + 1);
  const inner = weights.slice(1).reduce((sum, weight) => sum + weight, 0);
  prior[0] = GOOD_END_IS_BAD;
  prior[size] = NONE_IS_BAD;
  const share = inner === 0 ? 0 : (1 - GOOD_END_IS_BAD - NONE_IS_BAD) / inner;
  for (let index = 1; index < size; index++) prior[index] = share * (weights[index] ?? 1);
  return prior;
}

/** What is summed and looked for in a prior again and again, computed once for each. */
interface PriorSums {
  /** At index `i` the prior probability of all hypotheses before `i`. */
  readonly before: Float64Array;
  readonly largest: number;
}
const knownSums = new WeakMap<Float64Array, PriorSums>();

/** @param prior must not change any more */
export function sumPrior(prior: Float64Array): PriorSums {
  const known = knownSums.get(prior);
  if (known !== undefined) return known;
  const before = new Float64Array(prior.length + 1);
  let largest = 0;
  for (let index = 0; index < prior.length; index++) {
    const value = prior[index] ?? 0;
    before[index + 1] = (before[index] ?? 0) + value;
    if (value > largest) largest = value;
  }
  const sums = { before, largest };
  knownSums.set(prior, sums);
  return sums;
}

/** A stretch in which the rarer crash of the good side may have begun, and the counts of the versions before it. */
interface Start extends Tally {
  readonly places: number;
}

/**
 * The evidence when the good side itself never crashed up to some version and did so rarely from there on: each place of that earlier step
 * is as likely as the others, and they are summed over.
 *
 * @param starts stretches between the versions that were run, oldest first; the last one ends at the first bad version
 */
function evidenceWithStart(model: RateModel, counts: SplitCounts, starts: readonly Start[]): RateEvidence {
  let places = 0;
  for (const start of starts) places += start.places;
  const parts = starts.map((start) => {
    const evidence = model.evidence({
      ...counts,
      goodHits: counts.goodHits - start.hits,
      goodClean: counts.goodClean - start.clean,
    });
    const log = evidence.logEvidence + logOfClean(start.hits, start.clean) + Math.log(start.places / places);
    return { evidence, log };
  });
  let largest = -Infinity;
  for (const { log } of parts) if (log > largest) largest = log;
  let total = 0;
  const badClean = new Array<number>(LARGEST_BATCH).fill(0);
  const goodClean = new Array<number>(LARGEST_BATCH).fill(0);
  for (const { evidence, log } of parts) {
    const weight = Math.exp(log - largest);
    total += weight;
    for (let k = 0; k < LARGEST_BATCH; k++) {
      badClean[k] = (badClean[k] ?? 0) + weight * (evidence.badClean[k] ?? 0);
      goodClean[k] = (goodClean[k] ?? 0) + weight * (evidence.goodClean[k] ?? 0);
    }
  }
  return {
    logEvidence: largest + Math.log(total),
    badClean: badClean.map((sum) => sum / total),
    goodClean: goodClean.map((sum) => sum / total),
  };
}

/**
 * Computes the posterior from scratch: it depends on the counts alone, not on the order of the runs.
 *
 * @param model what is believed about the crash rates
 * @param prior probability of each hypothesis, as {@link firstBadPrior} gives it
 * @param tallies counts by version; versions that were not run are absent
 */
export function posteriorOf(model: RateModel, prior: Float64Array, tallies: ReadonlyMap<number, Tally>): Posterior {
  const size = prior.length - 1;
  const tested = [...tallies.keys()].sort((a, b) => a - b);
  const { before, largest: largestPrior } = sumPrior(prior);
  const priorOf = (from: number, to: number): number => (before[to + 1] ?? 0) - (before[from] ?? 0);

  let badHits = 0;
  let badClean = 0;
  for (const tally of tallies.values()) {
    badHits += tally.hits;
    badClean += tally.clean;
  }
  let goodHits = 0;
  let goodClean = 0;
  const drafts: {
    from: number;
    to: number;
    evidence: RateEvidence;
    log: number;
  }[] = [];
  let largest = -Infinity;
  let from = 0;
  const starts: Start[] = [];
  for (let index = 0; index <= tested.length; index++) {
    const to = tested[index] ?? size;
    starts.push({ places: to - from + 1, hits: goodHits, clean: goodClean });
    const counts = { badHits, badClean, goodHits, goodClean };
    const evidence = model.startsClean ? evidenceWithStart(model, counts, starts) : model.evidence(counts);
    const log = evidence.logEvidence + Math.log(priorOf(from, to));
    drafts.push({ from, to, evidence, log });
    if (log > largest) largest = log;
    const tally = tallies.get(to);
    if (tally !== undefined) {
      badHits -= tally.hits;
      badClean -= tally.clean;
      goodHits += tally.hits;
      goodClean += tally.clean;
    }
    from = to + 1;
  }
  let total = 0;
  for (const draft of drafts) total += Math.exp(draft.log - largest);
  const segments = drafts.map((draft) => ({
    from: draft.from,
    to: draft.to,
    mass: Math.exp(draft.log - largest) / total,
    ...draft.evidence,
  }));

  let best = 0;
  let highest = -1;
  const share = (segment: Segment, index: number): number => {
    const whole = priorOf(segment.from, segment.to);
    return whole === 0 ? 0 : (segment.mass * (prior[index] ?? 0)) / whole;
  };
  for (const segment of segments) {
    const whole = priorOf(segment.from, segment.to);
    const scale = whole === 0 ? 0 : segment.mass / whole;
    if (scale * largestPrior <= highest) continue;
    for (let index = segment.from; index <= segment.to; index++) {
      const value = scale * (prior[index] ?? 0);
      if (value > highest + 1e-12) {
        highest = value;
        best = index;
      }
    }
  }
  const segmentOf = (index: number): Segment | undefined => segments.find((segment) => index <= segment.to);
  return {
    size,
    segments,
    best,
    logEvidence: largest + Math.log(total),
    probability(index) {
      const segment = segmentOf(index);
      return segment === undefined ? 0 : share(segment, index);
    },
    isBad(index) {
      let sum = 0;
      for (const segment of segments) {
        if (segment.to <= index) {
          sum += segment.mass;
          continue;
        }
        const whole = priorOf(segment.from, segment.to);
        if (segment.from <= index && whole > 0) sum += (segment.mass * priorOf(segment.from, index)) / whole;
        break;
      }
      return sum;
    },
  };
}
