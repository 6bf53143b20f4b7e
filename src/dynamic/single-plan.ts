import type { AmplifierName } from './amplifier.js';
import { planCalls } from './declarations.js';
import type { ReproOptions } from './reproduce.js';
import { defaultPlan, type RunPlan } from './run.js';
import { getScenario, type ScenarioName } from './scenario.js';
import type { PreparedTarget, TargetError } from './target.js';

/** One way of running, the same for every version or variant that is compared. */
export interface RunSettings {
  readonly scenario: ScenarioName;
  readonly amplifier: AmplifierName;
  readonly workers: number;
  readonly options: ReproOptions;
}

/** `import` shows little with few workers, and a comparison cannot ramp up as `repro` does. */
const defaultWorkers = (scenario: ScenarioName): number => (scenario === 'import' ? 16 : 8);

/**
 * Reads one way of running from the options of `repro`: the first scenario named, or `import` (`command` for a program), and no
 * amplifier unless one is named, so that what is compared is what users see.
 */
export function runSettings(options: ReproOptions): RunSettings {
  const scenario = options.spec.kind === 'command' ? 'command' : (options.scenarios?.[0] ?? 'import');
  return {
    scenario,
    amplifier: options.amplifier === 'auto' ? 'none' : options.amplifier,
    workers: options.workers ?? defaultWorkers(scenario),
    options,
  };
}

/** `import, 16 workers`, for people. */
export function describeSettings({ scenario, workers, amplifier, options }: RunSettings): string {
  const parts: string[] = [scenario];
  if (scenario !== 'command') parts.push(`${workers} ${workers === 1 ? 'worker' : 'workers'}`);
  if (options.calls !== undefined) parts.push(`${options.calls} calls`);
  if (amplifier !== 'none') parts.push(amplifier);
  if (options.mainLoads) parts.push('loaded by the main thread too');
  for (const [name, value] of Object.entries(options.env)) parts.push(`${name}=${value}`);
  return parts.join(', ');
}

/** The plan of one run of a prepared target; calls are planned from its own declarations where the scenario needs them. */
export async function planSingle(
  target: PreparedTarget,
  settings: RunSettings,
  seed?: number,
): Promise<RunPlan | TargetError> {
  const { scenario, amplifier, workers, options } = settings;
  const driver = options.driver ?? (target.kind === 'driver' ? target.specifier : undefined);
  let callPlan: RunPlan['callPlan'];
  if (driver === undefined && getScenario(scenario).calls === 'all') {
    const planned = await planCalls(target, options.signal === undefined ? {} : { signal: options.signal });
    if ('error' in planned) return planned;
    callPlan = planned;
  }
  return defaultPlan(target, scenario, {
    workers,
    amplifier,
    env: options.env,
    mainLoads: options.mainLoads,
    seed: seed ?? options.seed ?? 1,
    ...(options.calls === undefined ? {} : { calls: options.calls }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    ...(driver === undefined ? {} : { driver }),
    ...(options.inputs === undefined ? {} : { inputs: options.inputs }),
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(callPlan === undefined ? {} : { callPlan }),
  });
}
