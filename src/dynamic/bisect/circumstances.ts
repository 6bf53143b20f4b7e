/**
 * What the time of a bisection has to do with its answer: a crash that comes and goes can depend on how busy the machine is, and the belief
 * takes the crash rate for one number from the first run to the last.
 */

import { fisherExact } from '../experiment/fisher.js';
import type { BisectResult } from './session.js';

/** How busy the machine was: the one-minute load, lowest and highest, and its processors. */
interface Load {
  readonly lowest: number;
  readonly highest: number;
  readonly processors: number;
}

/** A crash rate that changed has to be this unlikely as chance, all moments for the change counted. */
const DRIFT_LEVEL = 0.05;
/** From this load on, for each processor, a machine is called busy. */
const BUSY = 1.5;
/** A bug that shows in this share of the runs shows on a busy machine too. */
const FREQUENT = 0.5;

interface Drift {
  readonly before: { readonly hits: number; readonly runs: number };
  readonly after: { readonly hits: number; readonly runs: number };
  /** The run, 1-based among all of them, with which the other rate begins. */
  readonly from: number;
}

/** Sentences for the report of an answer whose runs stand in the order in which they were made. */
export function describeCircumstances(
  history: readonly string[],
  result: BisectResult,
  load?: Load,
): readonly string[] {
  const { posterior, testable } = result;
  if (posterior.best === 0 || posterior.best >= testable.length) return [];
  const badSide = new Set(testable.slice(posterior.best).map((at) => history[at] ?? ''));
  const runs: { readonly isHit: boolean; readonly number: number }[] = [];
  let number = 0;
  for (const seen of result.observations) {
    if (seen.kind !== 'hit' && seen.kind !== 'clean') continue;
    number++;
    if (badSide.has(seen.version)) runs.push({ isHit: seen.kind === 'hit', number });
  }
  const notes: string[] = [];
  const drift = findDrift(runs);
  if (drift !== undefined) {
    const { before, after, from } = drift;
    notes.push(
      `The crash rate changed while it ran: the bad side crashed in ${before.hits} of ${before.runs} runs at first and in ${after.hits} of ${after.runs} from run ${from} on. It moved with the load of the machine or differs between the versions; the answer takes it for one, so ask again (--fresh) while the machine is evenly busy.`,
    );
  }
  const hits = runs.filter((run) => run.isHit).length;
  if (load !== undefined && load.highest > BUSY * load.processors && hits < FREQUENT * runs.length) {
    const [low, high] = [load.lowest.toFixed(0), load.highest.toFixed(0)];
    notes.push(
      `The machine was busy (load ${low === high ? high : `${low} to ${high}`} on ${load.processors} processors). A crash that comes and goes can depend on that, and where it does, so does the answer.`,
    );
  }
  return notes;
}

/** The moment that tells the runs before it most from those after it; undefined when chance explains the difference. */
function findDrift(runs: readonly { readonly isHit: boolean; readonly number: number }[]): Drift | undefined {
  const total = runs.filter((run) => run.isHit).length;
  let best: (Drift & { readonly p: number }) | undefined;
  let hits = 0;
  for (const [at, { isHit, number }] of runs.entries()) {
    if (at > 0) {
      const before = { hits, runs: at };
      const after = { hits: total - hits, runs: runs.length - at };
      const p = fisherExact(before.hits, before.runs, after.hits, after.runs);
      if (best === undefined || p < best.p) best = { before, after, from: number, p };
    }
    if (isHit) hits++;
  }
  return best !== undefined && best.p * (runs.length - 1) < DRIFT_LEVEL ? best : undefined;
}
