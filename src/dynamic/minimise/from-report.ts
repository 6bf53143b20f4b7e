import { planCalls } from '../declarations.js';
import type { ReproOptions, ReproReport } from '../reproduce.js';
import { getScenario } from '../scenario.js';
import { prepareTarget } from '../target.js';
import { minimise, type MinimiseResult } from './index.js';

/**
 * Makes a stand-alone reproduction of what `repro` has just seen: of the scenario that crashed most often without an amplifier,
 * because its reader has none.
 *
 * @param out absolute path of the folder to write; must be empty or absent
 */
export async function minimiseReport(
  report: ReproReport,
  options: ReproOptions,
  out: string,
): Promise<MinimiseResult | { readonly error: string }> {
  const plain = report.scenarios
    .flatMap((scenario) =>
      scenario.attempts
        .filter(({ amplifier, hits }) => amplifier === 'none' && hits > 0)
        .map((attempt) => ({ scenario, attempt })),
    )
    .sort((a, b) => b.attempt.hits / b.attempt.runs - a.attempt.hits / a.attempt.runs);
  const [best] = plain;
  if (best === undefined) {
    const amplified = report.scenarios.some(({ verdict }) => verdict === 'reproduced');
    return {
      error: amplified
        ? 'It crashed under an amplifier only, which a stand-alone program does not have; nothing was written.'
        : 'It did not crash, so there is nothing to write.',
    };
  }
  const shared = {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  };
  const target = await prepareTarget(options.spec, shared);
  if ('error' in target) return target;
  const { scenario, attempt } = best;
  const driver = options.driver ?? (options.spec.kind === 'driver' ? options.spec.file : undefined);
  const needsCalls = driver === undefined && getScenario(scenario.name).calls !== 'none';
  const planned = needsCalls ? await planCalls(target, shared) : undefined;
  const callPlan = planned === undefined || 'error' in planned ? undefined : planned;
  return minimise({
    target,
    scenario: scenario.name,
    workers: attempt.workers,
    calls: scenario.calls,
    env: options.env,
    mainLoads: options.mainLoads,
    out,
    observed: {
      class: scenario.hit?.class ?? Object.keys(attempt.classes)[0] ?? 'crash',
      detail: scenario.hit?.detail ?? '',
      lines: scenario.hit?.lines.slice(0, 8) ?? [],
      platform: report.platform,
      node: report.node,
    },
    ...shared,
    ...(driver === undefined ? {} : { driver }),
    ...(options.inputs === undefined ? {} : { inputs: options.inputs }),
    ...(callPlan === undefined ? {} : { callPlan }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
}
