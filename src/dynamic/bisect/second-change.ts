/**
 * Is the history really good, then bad? Compares one change with three (good, bad, good again, bad again).
 *
 * A bisection that assumes one change answers with confidence on a history that has three, so the other
 * reading is kept beside it as a hypothesis of its own, with all positions and both crash rates integrated out.
 */

import type { RateModel } from './crash-rates.js';
import type { Posterior, Tally } from './posterior.js';
import { silence } from './silence.js';

/** Before any run: how likely a history changes three times. */
const THREE_CHANGES = 0.02;
/** Clean runs in a row that happen more often than this need no other explanation than luck. */
const UNREMARKABLE = 0.02;

export interface SecondChange {
  /** Probability that the history changes three times. */
  readonly probability: number;
  /** For the likeliest three changes: versions that were run and are bad, good again, and bad again. */
  readonly bad: readonly number[];
  readonly goodAgain: readonly number[];
  readonly badAgain: readonly number[];
}

/**
 * @param single the posterior under one change
 * @param tallies counts by version; the good end comes first, the bad end last
 */
export function findSecondChange(
  model: RateModel,
  single: Posterior,
  tallies: ReadonlyMap<number, Tally>,
): SecondChange {
  const tested = [...tallies.keys()].sort((a, b) => a - b);
  const count = tested.length;
  const none: SecondChange = { probability: 0, bad: [], goodAgain: [], badAgain: [] };
  if (isExplained(single, tested, tallies)) return none;
  const hits = [0];
  const clean = [0];
  for (const version of tested) {
    const tally = tallies.get(version);
    hits.push((hits.at(-1) ?? 0) + (tally?.hits ?? 0));
    clean.push((clean.at(-1) ?? 0) + (tally?.clean ?? 0));
  }
  const sum = (values: readonly number[], from: number, to: number): number => (values[to] ?? 0) - (values[from] ?? 0);
  // Number of places for a change just before the tested version at position `at`.
  const places = tested.map((version, at) => (at === 0 ? 0 : version - (tested[at - 1] ?? 0)));
  const ways = ((single.size - 1) * (single.size - 2) * (single.size - 3)) / 6;
  if (ways <= 0) return none;
  const known = new Map<number, number>();
  let best = -Infinity;
  let cut: readonly [number, number, number] = [0, 0, 0];
  const logs: number[] = [];
  // A change to bad is placed before a version that crashed, one to good before a version that did not: moving a change away
  // from such a place only makes the runs less likely.
  const crashed = tested.map((version) => (tallies.get(version)?.hits ?? 0) > 0);
  const starts = crashed.flatMap((hit, at) => (hit && at > 0 && crashed[at - 1] === false ? [at] : []));
  const ends = crashed.flatMap((hit, at) => (!hit && at > 0 && crashed[at - 1] === true ? [at] : []));
  for (const a of starts) {
    for (const b of ends) {
      if (b <= a) continue;
      for (const c of starts) {
        if (c <= b) continue;
        const goodHits = sum(hits, 0, a) + sum(hits, b, c);
        const goodClean = sum(clean, 0, a) + sum(clean, b, c);
        const key = goodHits * 1e6 + goodClean;
        let evidence = known.get(key);
        if (evidence === undefined) {
          evidence = model.evidence({
            goodHits,
            goodClean,
            badHits: (hits[count] ?? 0) - goodHits,
            badClean: (clean[count] ?? 0) - goodClean,
          }).logEvidence;
          known.set(key, evidence);
        }
        const log = evidence + Math.log((places[a] ?? 0) * (places[b] ?? 0) * (places[c] ?? 0));
        logs.push(log);
        if (log > best) {
          best = log;
          cut = [a, b, c];
        }
      }
    }
  }
  if (logs.length === 0) return none;
  const total = best + Math.log(logs.reduce((acc, log) => acc + Math.exp(log - best), 0));
  const three = Math.log(THREE_CHANGES) + total - Math.log(ways);
  const one = Math.log(1 - THREE_CHANGES) + single.logEvidence;
  const [a, b, c] = cut;
  return {
    probability: 1 / (1 + Math.exp(one - three)),
    bad: tested.slice(a, b),
    goodAgain: tested.slice(b, c),
    badAgain: tested.slice(c),
  };
}

/**
 * A cheap look before the sum over all triples: only clean runs between hits can speak for three changes, and only when the other runs
 * of the bad side make so many of them unlikely.
 */
function isExplained(single: Posterior, tested: readonly number[], tallies: ReadonlyMap<number, Tally>): boolean {
  let hits = 0;
  let clean = 0;
  let seenHit = false;
  let run = 0;
  let longest = 0;
  for (const version of tested) {
    const tally = tallies.get(version);
    if (tally === undefined) continue;
    if (version >= single.best) {
      hits += tally.hits;
      clean += tally.clean;
    }
    if (tally.hits > 0) {
      if (seenHit) longest = Math.max(longest, run);
      seenHit = true;
      run = 0;
    } else run += tally.clean;
  }
  return silence({ hits, clean: Math.max(0, clean - longest) }, longest) > UNREMARKABLE;
}
