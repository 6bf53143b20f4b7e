/**
 * What is believed about the two unknown crash rates before and after some runs.
 *
 * `p` is the rate of the versions that have the bug, `q` that of the versions that don't: nearly always nothing, now
 * and then a background noise that must not be mistaken for the bug. Both are integrated over a grid, and only pairs
 * with `p` well above `q` count, because a version that crashes no more often than the others is not the bad one.
 */

/** Hits and clean runs, split by the side of the change on which a hypothesis puts the versions that were run. */
export interface SplitCounts {
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

/** How much of a belief lies around `rate`, between the borders to its neighbours; any scale. */
type Density = (below: number, rate: number, above: number) => number;

/** One part of a belief about a rate. */
interface Part {
  readonly weight: number;
  readonly density: Density;
}

/** How far above the background a crash rate must lie to count as the bug. */
const SEPARATION = 2;

function gridOf(rates: readonly number[], parts: readonly Part[], atoms: ReadonlyMap<number, number>): Grid {
  const size = rates.length;
  const mass = new Float64Array(size);
  for (const { weight, density } of parts) {
    const shares = rates.map((rate, index) =>
      density(
        index === 0 ? 0 : (rate + (rates[index - 1] ?? 0)) / 2,
        rate,
        index === size - 1 ? 1 : (rate + (rates[index + 1] ?? 1)) / 2,
      ),
    );
    const total = shares.reduce((sum, value) => sum + value, 0);
    shares.forEach((value, index) => {
      mass[index] = (mass[index] ?? 0) + (weight * value) / total;
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

const uniform: Density = (below, _, above) => above - below;

/** The same for every order of magnitude from `low` to `high`, nothing above, and even below `low`. */
const logUniform =
  (low: number, high = 1): Density =>
  (below, _, above) => {
    const [from, to] = [Math.min(below, high), Math.min(above, high)];
    return Math.max(0, Math.min(to, low) - from) / low + Math.max(0, Math.log(to / Math.max(from, low)));
  };

const beta =
  (a: number, b: number): Density =>
  (below, rate, above) =>
    rate ** (a - 1) * (1 - rate) ** (b - 1) * (above - below);

/**
 * How many histories have good versions that crash now and then for another reason, one run in a hundred or so. With a common background
 * one crash proves less, so each answer takes more runs: a third of all histories needs a tenth more where there is none than no history at
 * all, and is right ten percent more often where there is one. Who wants a quick answer takes it for rare.
 */
const BACKGROUND = { careful: 1 / 3, quick: 0.1 };
const NONE = 0.0002;
const LARGEST_BACKGROUND = 0.1;
const goodGrid = (background: number): Grid =>
  gridOf(
    GOOD_RATES,
    [{ weight: background, density: (below, rate, above) => (rate === NONE ? 0 : aboveNone(below, rate, above)) }],
    new Map([[NONE, 1 - background]]),
  );
const aboveNone = logUniform(0.002, LARGEST_BACKGROUND);

/**
 * Nothing is known. Two bugs in nine crash always; of the others half are as likely at any rate, and half at any order of magnitude
 * (log-uniform), the two usual ways of knowing nothing of a share. Rates below 5 % have little room: no usual budget is enough for them, and
 * room that is given to them is taken from the search for those that can be found.
 */
const ALWAYS = 0.22;
const RARE = 0.05;
const UNKNOWN: readonly Part[] = [
  { weight: (1 - ALWAYS) / 2, density: logUniform(RARE) },
  { weight: (1 - ALWAYS) / 2, density: uniform },
];
const CERTAIN = new Map([[0.9995, ALWAYS]]);

/** With a rate that the user has seen: mostly within a factor of two of it, and some room for having been told wrong. */
function expecting(rate: number): Grid {
  const a = 4;
  return gridOf(
    BAD_RATES,
    [
      { weight: 0.9, density: beta(a, Math.max(0.5, a / rate - a)) },
      ...UNKNOWN.map((part) => ({ ...part, weight: part.weight * 0.08 })),
    ],
    new Map([[0.9995, 0.02]]),
  );
}

/** The grid without the points for which `keep` does not hold. */
function restrict(grid: Grid, keep: (rate: number) => boolean): Grid {
  return { ...grid, logPrior: grid.logPrior.map((value, index) => (keep(grid.rates[index] ?? 0) ? value : -Infinity)) };
}

/**
 * Where only a rate of at least `minimum` counts as the bug: the rate of the rarer crash that was there before, any one up to half of it,
 * since somebody asks for this who has seen it. That there may have been none at all up to some version is kept apart
 * ({@link RateModel.startsClean}).
 */
const backgroundBelow = (minimum: number): Grid =>
  restrict(gridOf(GOOD_RATES, [{ weight: 1, density: uniform }], new Map()), (rate) => rate * SEPARATION <= minimum);

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
  /**
   * Whether the good side itself may have two parts, versions that never crash and later ones that do so rarely; its counts are then
   * those of the second part.
   */
  readonly startsClean: boolean;
}

/** Logarithm of the probability of runs of versions that never crash, up to an accident. */
export const logOfClean = (hits: number, clean: number): number => hits * Math.log(NONE) + clean * Math.log1p(-NONE);

interface Belief {
  /** The crash rate that was seen elsewhere (0..1), for example 3 of 10 runs in CI; saves runs where it is about right and costs some where it is not. */
  readonly expected?: number;
  /** The least crash rate that counts as the bug (0.02..0.9); rarer crashes are background. */
  readonly minimum?: number;
  /** Whether a background is thought to be common. */
  readonly isCareful: boolean;
  /** In place of that, how likely it is that there is one, 0..1; with a `minimum` there always is. */
  readonly background?: number;
}

/** What is believed before any run. */
export function createRateModel({ expected, minimum, isCareful, background }: Belief): RateModel {
  const anyBad = expected === undefined ? gridOf(BAD_RATES, UNKNOWN, CERTAIN) : expecting(Math.min(0.98, expected));
  const badGrid = minimum === undefined ? anyBad : restrict(anyBad, (rate) => rate >= minimum);
  const goodSide =
    minimum !== undefined
      ? rememberGood(backgroundBelow(minimum))
      : background !== undefined
        ? rememberGood(goodGrid(background))
        : isCareful
          ? carefulGood
          : quickGood;
  const badSide = remember((counts) => sumBad(badGrid, counts));
  return {
    startsClean: minimum !== undefined,
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

const rememberGood = (grid: Grid): ((hits: number, clean: number) => SideSums) =>
  remember((counts) => sumGood(grid, counts));
const carefulGood = rememberGood(goodGrid(BACKGROUND.careful));
const quickGood = rememberGood(goodGrid(BACKGROUND.quick));
