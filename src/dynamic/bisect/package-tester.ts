import { defaultPlan, runOnce, type RunPlan } from '../run.js';
import type { ScenarioName } from '../scenario.js';
import { prepareTarget, type PreparedTarget } from '../target.js';
import { resultOf } from './run-result.js';
import type { Tester } from './tester.js';

/** How every version is run; the same for all of them. */
export interface RunSettings {
  readonly scenario: ScenarioName;
  readonly plan: Partial<RunPlan>;
}

export interface PackageTesterOptions extends RunSettings {
  readonly package: string;
  readonly versions: readonly string[];
  readonly allowScripts: boolean;
  readonly signal?: AbortSignal;
  readonly onStep?: (text: string) => void;
}

/** Published versions of a package: installed into the cache on first use, run as `repro` runs them. */
export function createPackageTester(options: PackageTesterOptions): Tester {
  const prepared = new Map<number, PreparedTarget>();
  return {
    estimate: { prepare: 6, run: 1.5 },
    isPrepared: (index) => prepared.has(index),
    async prepare(index) {
      const target = await prepareTarget(
        {
          kind: 'package',
          name: options.package,
          version: options.versions[index] ?? '',
          ...(options.allowScripts ? { allowScripts: true } : {}),
        },
        {
          ...(options.signal === undefined ? {} : { signal: options.signal }),
          ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
        },
      );
      if ('error' in target) return { skip: target.error.replace(/\.$/u, '') };
      prepared.set(index, target);
      return 'ready';
    },
    async run(index) {
      const target = prepared.get(index);
      if (target === undefined) return { kind: 'untestable', reason: 'it is not installed', transient: false };
      return resultOf(await runOnce(defaultPlan(target, options.scenario, options.plan), options.signal));
    },
  };
}
