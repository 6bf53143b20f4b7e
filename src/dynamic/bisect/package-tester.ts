import { runOnce, type RunPlan } from '../run.js';
import { planSingle, type RunSettings } from '../single-plan.js';
import { prepareTarget, type PreparedTarget } from '../target.js';
import { resultOf } from './run-result.js';
import type { Tester } from './tester.js';

export interface PackageTesterOptions {
  readonly package: string;
  readonly versions: readonly string[];
  readonly settings: RunSettings;
  readonly allowScripts: boolean;
  readonly signal?: AbortSignal;
  readonly onStep?: (text: string) => void;
}

export interface PackageTester extends Tester {
  /** The installed package of a version that has been run. */
  targetOf(index: number): PreparedTarget | undefined;
}

/** Published versions of a package: installed into the cache on first use, run as `repro` runs them. */
export function createPackageTester(options: PackageTesterOptions): PackageTester {
  const prepared = new Map<number, { readonly target: PreparedTarget; readonly plan: RunPlan }>();
  let seed = options.settings.options.seed ?? 1;
  return {
    estimate: { prepare: 6, run: 1.5 },
    isPrepared: (index) => prepared.has(index),
    targetOf: (index) => prepared.get(index)?.target,
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
      if ('error' in target) {
        return { skip: target.error.replace(/\.$/u, ''), ...(target.transient === true ? { transient: true } : {}) };
      }
      const plan = await planSingle(target, options.settings);
      if ('error' in plan) return { skip: plan.error.replace(/\.$/u, '') };
      prepared.set(index, { target, plan });
      return 'ready';
    },
    async run(index) {
      const ready = prepared.get(index);
      if (ready === undefined) return { kind: 'untestable', reason: 'it is not installed', transient: false };
      return resultOf(await runOnce({ ...ready.plan, seed: seed++ }, options.signal));
    },
  };
}
