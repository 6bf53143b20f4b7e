import type { Tally } from './posterior.js';

/** Probability of `quiet` clean runs in a row after the runs `seen` of the same crash, its rate unknown (Laplace's rule of succession). */
export function silence(seen: Tally, quiet: number): number {
  let probability = 1;
  for (let made = 0; made < quiet; made++) probability *= (seen.clean + 1 + made) / (seen.hits + seen.clean + 2 + made);
  return probability;
}
