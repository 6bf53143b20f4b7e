/**
 * What is believed about the two unknown crash rates before and after some runs.
 *
 * `p` is the rate of the versions that have the bug, `q` that of the versions that don't: nearly always nothing, now
 * and then a background noise that must not be mistaken for the bug. Both are integrated over a grid, and only pairs
 * with `p` well above `q` count, because a version that crashes no more often than the others is not the bad one.
 */

/** Hits and clean runs, split by the side of the change on which a hypothesis puts the versions that were run. */
interface SplitCounts {
  readonly badHits: number;
  readonly badClean: number;
  readonly goodHits: number;
  readonly goodClean: number;
}

/** The number of runs of one version that the planner may ask for at once. */
export const LARGEST_BATCH = 3;

export interface RateEvidence {
  /** Natural logarithm of the probability of the counts under the hypothesis, rates integrated out. */
  readonly logEvidence: number;
  /** Probability that the next 1, 2, 3 runs of a bad version are all clean. */
  readonly badClean: readonly number[];
  /** The same for a good version. */
  readonly goodClean: readonly number[];
}

interface Grid {
  readonly rates: Float64Array;
  readonly logRate: Float64Array;
  readonly logClean: Float64Array;
  readonly logPrior: Float64Array;
}

/** A mixture of Beta densities on the points of a grid. */
interface BetaTerm {
  readonly weight: number;
  readonly a: number;
  readonly b: number;
}

/** How far above the background a crash rate must lie to count as the bug. */
const SEPARATION = 2;

function gridOf(rates: readonly number[], terms: readonly BetaTerm[], atoms: ReadonlyMap<number, number>): Grid {
  const size = rates.length;
  const mass = new Float64Array(size);
  for (const term of terms) {
    const part = rates.map((rate, index) => {
      const below = index === 0 ? 0 : (rate + (rates[index - 1] ?? 0)) / 2;
      const above = index === size - 1 ? 1 : (rate + (rates[index + 1] ?? 1)) / 2;
      return rate ** (term.a - 1) * (1 - rate) ** (term.b - 1) * (above - below);
    });
    const total = part.reduce((sum, value) => sum + value, 0);
    part.forEach((value, index) => {
      mass[index] = (mass[index] ?? 0) + (term.weight * value) / total;
    });
  }
  rates.forEach((rate, index) => {
    mass[index] = (mass[index] ?? 0) + (atoms.get(rate) ?? 0);
  });
  return {
    rates: Float64Array.from(rates),
    logRate: Float64Array.from(rates, Math.log),
    logClean: Float64Array.from(rates, (rate) => Math.log1p(-rate)),
    logPrior: mass.map(Math.log),
  };
}

/** Every rate that is told apart from its neighbours costs runs, so the grid is as fine as a few hundred runs can see. */
const BAD_RATES = [
  0.01, 0.014, 0.02, 0.028, 0.038, 0.05, 0.065, 0.083, 0.105, 0.13, 0.16, 0.2, 0.245, 0.295, 0.35, 0.41, 0.47, 0.53,
  0.59, 0.65, 0.71, 0.77, 0.83, 0.88, 0.92, 0.955, 0.98, 0.9995,
];
const GOOD_RATES = [0.0002, 0.005, 0.01, 0.02, 0.035, 0.055, 0.08, 0.12, 0.17, 0.25, 0.35];

/** For each bad rate, how many good rates lie far enough below it. */
const ALLOWED = BAD_RATES.map((bad) => GOOD_RATES.filter((good) => good * SEPARATION <= bad).length);

/** Most bugs leave the good versions wholly clean; one history in five has a background, and a low one. */
const GOOD = gridOf(GOOD_RATES, [{ weight: 0.2, a: 1, b: 20 }], new Map([[0.0002, 0.8]]));

/** Nothing is known: any rate may be, many crash always. */
const UNKNOWN: readonly BetaTerm[] = [
  { weight: 0.27, a: 0.5, b: 1 },
  { weight: 0.44, a: 1, b: 2 },
];
const ALWAYS = new Map([[0.9995, 0.29]]);

/** With a rate that the user has seen: mostly within a factor of two of it, and some room for having been told wrong. */
function expecting(rate: number): Grid {
  const a = 4;
  return gridOf(
    BAD_RATES,
    [
      { weight: 0.9, a, b: Math.max(0.5, a / rate - a) },
      ...UNKNOWN.map((term) => ({ ...term, weight: term.weight * 0.08 })),
    ],
    new Map([[0.9995, 0.02]]),
  );
}

/** Logarithm of a weight beside which 1 loses nothing in double precision; its exponential need not be taken. */
const NEGLIGIBLE = -40;

/** Fills `into` with likelihood x prior, scaled so that the largest is 1; returns the logarithm of the scale. */
function fill(into: Float64Array, grid: Grid, hits: number, clean: number): number {
  let largest = -Infinity;
  for (let index = 0; index < into.length; index++) {
    const value = (grid.logPrior[index] ?? 0) + hits * (grid.logRate[index] ?? 0) + clean * (grid.logClean[index] ?? 0);
    into[index] = value;
    if (value > largest) largest = value;
  }
  for (let index = 0; index < into.length; index++) {
    const below = (into[index] ?? 0) - largest;
    into[index] = below < NEGLIGIBLE ? 0 : Math.exp(below);
  }
  return largest;
}

/** What is believed about the rates, ready to judge counts. */
export interface RateModel {
  /** The probability of the counts, and of what the next runs would show, for one hypothesis about which versions are bad. */
  evidence(counts: SplitCounts): RateEvidence;
}

/**
 * @param expected the crash rate that was seen elsewhere (0..1), for example 3 of 10 runs in CI; saves runs where it is about
 * right and costs some where it is not
 */
export function createRateModel(expected?: number): RateModel {
  const badGrid = expected === undefined ? gridOf(BAD_RATES, UNKNOWN, ALWAYS) : expecting(Math.min(0.98, expected));
  const bad = new Float64Array(BAD_RATES.length);
  const good = new Float64Array(GOOD_RATES.length);
  return {
    evidence(counts) {
      const scale =
        fill(bad, badGrid, counts.badHits, counts.badClean) + fill(good, GOOD, counts.goodHits, counts.goodClean);
      let total = 0;
      const badSums = [0, 0, 0];
      const goodSums = [0, 0, 0];
      // Sums over pairs of rates, by prefix sums over the good rates below each bad rate: of the weight, and of the
      // weight times (1 - q)^k.
      let taken = 0;
      let weight = 0;
      const cleanWeights = [0, 0, 0];
      for (let index = 0; index < bad.length; index++) {
        const limit = ALLOWED[index] ?? 0;
        for (; taken < limit; taken++) {
          const share = good[taken] ?? 0;
          const clean = 1 - (GOOD.rates[taken] ?? 0);
          weight += share;
          let power = clean;
          for (let k = 0; k < LARGEST_BATCH; k++) {
            cleanWeights[k] = (cleanWeights[k] ?? 0) + share * power;
            power *= clean;
          }
        }
        const share = bad[index] ?? 0;
        total += share * weight;
        const clean = 1 - (badGrid.rates[index] ?? 0);
        let power = clean;
        for (let k = 0; k < LARGEST_BATCH; k++) {
          badSums[k] = (badSums[k] ?? 0) + share * weight * power;
          goodSums[k] = (goodSums[k] ?? 0) + share * (cleanWeights[k] ?? 0);
          power *= clean;
        }
      }
      return {
        logEvidence: scale + Math.log(total),
        badClean: badSums.map((sum) => sum / total),
        goodClean: goodSums.map((sum) => sum / total),
      };
    },
  };
}
