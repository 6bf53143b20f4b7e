import { findSmallest } from './find-smallest.js';
import type { RepeatResult, RunPlan } from './run.js';
import { getScenario, type ScenarioName } from './scenario.js';

/** The smallest number of one thing that still crashes, with everything that was tried. */
export interface Least {
  readonly smallest: number;
  readonly table: readonly { readonly count: number; readonly runs: number; readonly hits: number }[];
}

export interface Minimum {
  readonly workers?: Least;
  /** Calls of a run, or of each worker where workers call; with the smallest number of workers where both are counted. */
  readonly calls?: Least;
}

/** Whether `--min-calls` has anything to count in the scenario. */
export function hasMinimum(name: ScenarioName): boolean {
  const { countsWorkers, countsCalls } = getScenario(name);
  return countsWorkers || countsCalls;
}

/** Runs at each count that is tried; one crash among them means that this many are enough. */
const trialRuns = 10;

/**
 * The smallest number of workers and then, with these, the smallest number of calls at which it still crashes in ten runs.
 *
 * @param plan what crashed
 * @param observe runs a plan up to so many times and stops at so many hits
 */
export async function findMinimum(
  plan: RunPlan,
  observe: (plan: RunPlan, runs: number, stopAfterHits: number) => Promise<RepeatResult>,
  isStopped: () => boolean,
): Promise<Minimum> {
  const shrink = async (full: number, planOf: (count: number) => RunPlan): Promise<Least> => {
    const table: { count: number; runs: number; hits: number }[] = [];
    const smallest = await findSmallest(
      full,
      async (count) => {
        const { runs, hits } = await observe(planOf(count), trialRuns, 3);
        table.push({ count, runs, hits });
        return hits > 0;
      },
      isStopped,
    );
    return { smallest, table: table.sort((a, b) => a.count - b.count) };
  };
  const { scenario } = plan;
  const { countsWorkers, countsCalls } = getScenario(scenario);
  // A reload starts four workers at most.
  const most = scenario === 'reload' ? Math.min(plan.workers, 4) : plan.workers;
  const workers = countsWorkers ? await shrink(most, (count) => ({ ...plan, workers: count })) : undefined;
  const fewest = { ...plan, workers: workers?.smallest ?? plan.workers };
  const calls = countsCalls ? await shrink(plan.calls, (count) => ({ ...fewest, calls: count })) : undefined;
  return { ...(workers === undefined ? {} : { workers }), ...(calls === undefined ? {} : { calls }) };
}
