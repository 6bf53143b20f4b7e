import { excludedRate, wilsonInterval } from '../statistics.js';
import { fisherExact, holm } from './fisher.js';

export interface Comparison {
  readonly a: string;
  readonly b: string;
  /** Fisher's exact p-value, and the same after Holm's correction for all pairs. */
  readonly p: number;
  readonly adjusted: number;
  /** The adjusted value is below 0.05. */
  readonly real: boolean;
}

export interface VariantCounts {
  readonly name: string;
  readonly runs: number;
  readonly hits: number;
}

const LEVEL = 0.05;

/** Compares every two variants that ran. */
export function compareVariants(variants: readonly VariantCounts[]): readonly Comparison[] {
  const ran = variants.filter(({ runs }) => runs > 0);
  const pairs = ran.flatMap((a, at) =>
    ran.slice(at + 1).map((b) => ({ a, b, p: fisherExact(a.hits, a.runs, b.hits, b.runs) })),
  );
  const adjusted = holm(pairs.map(({ p }) => p));
  return pairs.map(({ a, b, p }, at) => {
    const value = adjusted[at] ?? 1;
    return { a: a.name, b: b.name, p, adjusted: value, real: value < LEVEL };
  });
}

/**
 * What the table says about the theory behind each variant, against the first one: whether what the variant changes makes the
 * crash go away, makes it rarer or more frequent, or is not the cause. One sentence each.
 */
export function readTheories(
  variants: readonly VariantCounts[],
  comparisons: readonly Comparison[],
): readonly string[] {
  const [reference, ...others] = variants;
  if (reference === undefined) return [];
  if (reference.hits === 0) {
    return [
      `'${reference.name}', the first variant, did not crash, so there is no crash to explain; put one that crashes first.`,
      ...others.flatMap((variant) => {
        const real = isReal(reference, variant, comparisons);
        return variant.hits > 0 && real
          ? [`'${variant.name}' crashes and '${reference.name}' does not: what it changes brings the crash about.`]
          : [];
      }),
    ];
  }
  return others.flatMap((variant) => {
    if (variant.runs === 0) return [];
    const name = `'${variant.name}'`;
    const real = isReal(reference, variant, comparisons);
    if (real && variant.hits === 0) {
      return [
        `${name} does not crash (rates above ${percent(excludedRate(variant.runs, 0.95))} are excluded): what it changes takes the crash away.`,
      ];
    }
    if (real) {
      const rarer = variant.hits / variant.runs < reference.hits / reference.runs;
      return [
        `${name} crashes ${rarer ? 'less' : 'more'} often: what it changes ${rarer ? 'makes the crash rarer and is not its only cause' : 'makes the crash likelier'}.`,
      ];
    }
    if (variant.hits > 0) {
      return [
        `${name} still crashes (${variant.hits} of ${variant.runs}), and no difference of the rate is shown: the crash does not need what it changes.`,
      ];
    }
    const [low] = wilsonInterval(reference.hits, reference.runs);
    return [
      `${name} did not crash, but '${reference.name}' may crash in as few as ${percent(low)} of its runs: more runs are needed to tell.`,
    ];
  });
}

function isReal(a: VariantCounts, b: VariantCounts, comparisons: readonly Comparison[]): boolean {
  return comparisons.some(
    (pair) => pair.real && ((pair.a === a.name && pair.b === b.name) || (pair.a === b.name && pair.b === a.name)),
  );
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
