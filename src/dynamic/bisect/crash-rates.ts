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

/** Most bugs leave the good versions wholly clean; one history in five has a background, of one or two percent mostly. */
const BACKGROUND = 0.2;
const GOOD = gridOf(GOOD_RATES, [{ weight: BACKGROUND, a: 1, b: 60 }], new Map([[0.0002, 1 - BACKGROUND]]));

/**
 * Nothing is known. Many crash always, a third of those that come and go do so in about one run of ten, the others at any rate, mostly in
 * the middle. Less room for the first costs runs at 100 %, more costs errors at 50 %; without room for one of the others the search takes
 * bad versions for good ones there, or goes on too long. Rates below 2 % have little room: no budget is enough for them.
 */
const ALWAYS = 0.28;
const UNKNOWN: readonly BetaTerm[] = [
  { weight: 0.35 * (1 - ALWAYS), a: 2, b: 15 },
  { weight: 0.65 * (1 - ALWAYS), a: 2, b: 2 },
];
const CERTAIN = new Map([[0.9995, ALWAYS]]);

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

/** The grid without the points for which `keep` does not hold. */
function restrict(grid: Grid, keep: (rate: number) => boolean): Grid {
  return { ...grid, logPrior: grid.logPrior.map((value, index) => (keep(grid.rates[index] ?? 0) ? value : -Infinity)) };
}

/**
 * Where only a rate of at least `minimum` counts as the bug: rarer crashes are background then, and since somebody asks for this who
 * has seen some, there mostly is a background.
 */
function backgroundBelow(minimum: number): Grid {
  const a = 1;
  const mean = minimum / 2.5;
  const grid = gridOf(GOOD_RATES, [{ weight: 0.85, a, b: a / mean - a }], new Map([[0.0002, 0.15]]));
  return restrict(grid, (rate) => rate * SEPARATION <= minimum);
}

/** Logarithm of a weight beside which 1 loses nothing in double precision; its exponential need not be taken. */
const NEGLIGIBLE = -40;

/** Likelihood x prior on the points of a grid, scaled so that the largest is 1, and the logarithm of the scale. */
function weigh(grid: Grid, { hits, clean }: Counts): { readonly weights: Float64Array; readonly scale: number } {
  const weights = new Float64Array(grid.rates.length);
  let scale = -Infinity;
  for (let index = 0; index < weights.length; index++) {
    const value = (grid.logPrior[index] ?? 0) + hits * (grid.logRate[index] ?? 0) + clean * (grid.logClean[index] ?? 0);
    weights[index] = value;
    if (value > scale) scale = value;
  }
  for (let index = 0; index < weights.length; index++) {
    const below = (weights[index] ?? 0) - scale;
    weights[index] = below < NEGLIGIBLE ? 0 : Math.exp(below);
  }
  return { weights, scale };
}

interface Counts {
  readonly hits: number;
  readonly clean: number;
}

/**
 * The sums that one side brings to every pairing with the other, by the number of good rates that may be paired: at
 * `POWERS * limit + k` the weight times the probability of `k` clean runs.
 */
interface SideSums {
  readonly scale: number;
  readonly sums: Float64Array;
}

const LIMITS = GOOD_RATES.length + 1;
const POWERS = LARGEST_BATCH + 1;

/** For the bad side: the weights of those rates that are paired with exactly so many good rates. */
function sumBad(grid: Grid, counts: Counts): SideSums {
  const { weights, scale } = weigh(grid, counts);
  const sums = new Float64Array(POWERS * LIMITS);
  weights.forEach((weight, index) => {
    const row = POWERS * (ALLOWED[index] ?? 0);
    let value = weight;
    for (let k = 0; k < POWERS; k++) {
      sums[row + k] = (sums[row + k] ?? 0) + value;
      value *= 1 - (grid.rates[index] ?? 0);
    }
  });
  return { scale, sums };
}

/** For the good side: the weights of the first so many good rates. */
function sumGood(grid: Grid, counts: Counts): SideSums {
  const { weights, scale } = weigh(grid, counts);
  const sums = new Float64Array(POWERS * LIMITS);
  weights.forEach((weight, index) => {
    const row = POWERS * (index + 1);
    let value = weight;
    for (let k = 0; k < POWERS; k++) {
      sums[row + k] = (sums[row + k - POWERS] ?? 0) + value;
      value *= 1 - (grid.rates[index] ?? 0);
    }
  });
  return { scale, sums };
}

/** Keeps what was computed for counts, because the same counts come back with every run of a bisection. */
function remember(compute: (counts: Counts) => SideSums): (hits: number, clean: number) => SideSums {
  const known = new Map<number, SideSums>();
  return (hits, clean) => {
    const key = hits * 2 ** 26 + clean;
    let sums = known.get(key);
    if (sums === undefined) {
      if (known.size >= MOST_REMEMBERED) known.clear();
      sums = compute({ hits, clean });
      known.set(key, sums);
    }
    return sums;
  };
}
const MOST_REMEMBERED = 50_000;

/** What is believed about the rates, ready to judge counts. */
export interface RateModel {
  /** The probability of the counts, and of what the next runs would show, for one hypothesis about which versions are bad. */
  evidence(counts: SplitCounts): RateEvidence;
}

/**
 * @param expected the crash rate that was seen elsewhere (0..1), for example 3 of 10 runs in CI; saves runs where it is about
 * right and costs some where it is not
 * @param minimum the least crash rate that counts as the bug (0.02..0.9); rarer crashes are background
 */
export function createRateModel(expected?: number, minimum?: number): RateModel {
  const anyBad = expected === undefined ? gridOf(BAD_RATES, UNKNOWN, CERTAIN) : expecting(Math.min(0.98, expected));
  const badGrid = minimum === undefined ? anyBad : restrict(anyBad, (rate) => rate >= minimum);
  const goodGrid = minimum === undefined ? undefined : backgroundBelow(minimum);
  const goodSide = goodGrid === undefined ? usualGood : remember((counts) => sumGood(goodGrid, counts));
  const badSide = remember((counts) => sumBad(badGrid, counts));
  return {
    evidence({ badHits, badClean, goodHits, goodClean }) {
      const bad = badSide(badHits, badClean);
      const good = goodSide(goodHits, goodClean);
      let total = 0;
      const badSums = [0, 0, 0];
      const goodSums = [0, 0, 0];
      for (let row = POWERS; row < POWERS * LIMITS; row += POWERS) {
        const badWeight = bad.sums[row] ?? 0;
        if (badWeight === 0) continue;
        const goodWeight = good.sums[row] ?? 0;
        total += badWeight * goodWeight;
        for (let k = 0; k < LARGEST_BATCH; k++) {
          badSums[k] = (badSums[k] ?? 0) + (bad.sums[row + k + 1] ?? 0) * goodWeight;
          goodSums[k] = (goodSums[k] ?? 0) + badWeight * (good.sums[row + k + 1] ?? 0);
        }
      }
      for (let k = 0; k < LARGEST_BATCH; k++) {
        badSums[k] = (badSums[k] ?? 0) / total;
        goodSums[k] = (goodSums[k] ?? 0) / total;
      }
      return { logEvidence: bad.scale + good.scale + Math.log(total), badClean: badSums, goodClean: goodSums };
    },
  };
}

const usualGood = remember((counts) => sumGood(GOOD, counts));
