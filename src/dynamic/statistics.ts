/** Inverse of the standard normal distribution (P. J. Acklam's rational approximation, relative error below 1.2e-9). */
function normalQuantile(p: number): number {
  const a = [
    -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
    2.506628277459239,
  ];
  const b = [
    -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1,
  ];
  const c = [
    -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ];
  const d = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1];
  const horner = (coefficients: readonly number[], x: number): number =>
    coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return horner(c, q) / horner(d, q);
  }
  if (p > 1 - 0.02425) return -normalQuantile(1 - p);
  const q = p - 0.5;
  const r = q * q;
  return (horner(a, r) * q) / horner(b, r);
}

/** Natural logarithm of the gamma function for x > 0 (Lanczos, g = 7, nine terms). */
export function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const y = x - 1;
  const t = y + 7.5;
  const sum = coefficients.reduce(
    (total, coefficient, i) => (i === 0 ? coefficient : total + coefficient / (y + i)),
    0,
  );
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Regularised incomplete beta function I_x(a, b) by Lentz's continued fraction (Numerical Recipes, 6.4). */
export function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - regularisedBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
  const tiny = 1e-300;
  let c = 1;
  let d = 1 - ((a + b) * x) / (a + 1);
  if (Math.abs(d) < tiny) d = tiny;
  d = 1 / d;
  let fraction = d;
  for (let m = 1; m <= 400; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 + term * d;
      if (Math.abs(d) < tiny) d = tiny;
      c = 1 + term / c;
      if (Math.abs(c) < tiny) c = tiny;
      d = 1 / d;
      change = d * c;
      fraction *= change;
    }
    if (Math.abs(change - 1) < 1e-14) break;
  }
  return front * fraction;
}

/** The p-quantile of the Beta(a, b) distribution, by bisection to 1e-12. */
export function betaQuantile(p: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  while (high - low > 1e-12) {
    const middle = (low + high) / 2;
    if (regularisedBeta(middle, a, b) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function checkCounts(hits: number, runs: number): void {
  if (!Number.isInteger(hits) || !Number.isInteger(runs) || hits < 0 || runs < hits) {
    throw new RangeError(`${hits} hits of ${runs} runs is not a count of runs.`);
  }
}

/** Wilson's score interval of a rate, both ends 0..1; without a run it is [0, 1]. */
export function wilsonInterval(hits: number, runs: number, confidence = 0.95): readonly [number, number] {
  checkCounts(hits, runs);
  if (runs === 0) return [0, 1];
  const z = normalQuantile(0.5 + confidence / 2);
  const rate = hits / runs;
  const scale = 1 + (z * z) / runs;
  const centre = (rate + (z * z) / (2 * runs)) / scale;
  const half = (z / scale) * Math.sqrt((rate * (1 - rate)) / runs + (z * z) / (4 * runs * runs));
  return [hits === 0 ? 0 : Math.max(0, centre - half), hits === runs ? 1 : Math.min(1, centre + half)];
}

/** Jeffreys' interval (Beta(1/2, 1/2) prior), with the ends set to 0 and 1 when all runs agree; without a run it is [0, 1]. */
export function jeffreysInterval(hits: number, runs: number, confidence = 0.95): readonly [number, number] {
  checkCounts(hits, runs);
  if (runs === 0) return [0, 1];
  const tail = (1 - confidence) / 2;
  return [
    hits === 0 ? 0 : betaQuantile(tail, hits + 0.5, runs - hits + 0.5),
    hits === runs ? 1 : betaQuantile(1 - tail, hits + 0.5, runs - hits + 0.5),
  ];
}

/** Crash rates above this value (0..1) are excluded by that many clean runs: 1 - (1 - c)^(1/n). Without a run it is 1. */
export function excludedRate(cleanRuns: number, confidence = 0.95): number {
  checkCounts(0, cleanRuns);
  return cleanRuns === 0 ? 1 : 1 - (1 - confidence) ** (1 / cleanRuns);
}

/** How many clean runs exclude crash rates above `rate`. */
export function runsToExclude(rate: number, confidence = 0.95): number {
  return Math.ceil(Math.log(1 - confidence) / Math.log(1 - rate) - 1e-9);
}

export interface StoppingRule {
  /** Never more runs than this. */
  readonly maxRuns: number;
  /** Stop as soon as there are that many hits; undefined runs to the end for a better rate. */
  readonly stopAfterHits?: number;
  /** Stop without a hit once rates above this one (0..1) are excluded at `confidence`. */
  readonly exclude?: number;
  readonly confidence?: number;
}

/**
 * Sequential stopping: says whether the verdict is clear after that many runs. A crash is never explained by chance when the
 * control runs are clean, so a fixed number of hits ends it; clean runs end it once they exclude the wanted rate.
 */
export function shouldStop(hits: number, runs: number, rule: StoppingRule): boolean {
  checkCounts(hits, runs);
  if (runs >= rule.maxRuns) return true;
  if (rule.stopAfterHits !== undefined && hits >= rule.stopAfterHits) return true;
  return hits === 0 && rule.exclude !== undefined && runs > 0 && excludedRate(runs, rule.confidence) <= rule.exclude;
}

/** Percent for a sentence: one digit after the point below 10 %, none above; never rounds a non-zero rate to zero. */
export function formatPercent(rate: number): string {
  const percent = rate * 100;
  if (percent === 0 || percent >= 10) return `${Math.round(percent)} %`;
  return percent < 0.1 ? '< 0.1 %' : `${percent.toFixed(1)} %`;
}
