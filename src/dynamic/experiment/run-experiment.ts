import { copyFileSync, existsSync } from 'node:fs';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { makeFolder } from '../../discover/make-folder.js';
import { createRandom } from './random.js';
import { toolEnvironment } from '../environment.js';
import { runBounded } from '../process-group.js';
import { readReproFlags } from '../repro-flags.js';
import { runOnce, TallyBuilder, type RunPlan } from '../run.js';
import { makeScratchFolder } from '../scratch-folder.js';
import { describeSettings, planSingle, runSettings } from '../single-plan.js';
import { excludedRate, wilsonInterval } from '../statistics.js';
import { prepareTarget } from '../target.js';
import { compareVariants, readTheories, type Comparison } from './compare.js';
import type { ExperimentPlan, VariantFlags } from './plan.js';

export interface VariantResult {
  readonly name: string;
  /** What the variant changes. */
  readonly set: VariantFlags;
  readonly target: string;
  readonly how: string;
  readonly runs: number;
  readonly hits: number;
  readonly rate: readonly [number, number];
  /** Without a hit: rates above this are excluded at 95 %. */
  readonly excluded?: number;
  readonly classes: Readonly<Record<string, number>>;
  /** Runs that said nothing: errors of JavaScript, failures to load, outside kills. */
  readonly useless: number;
  /** Why it could not be run, or what the first useless run said. */
  readonly reason?: string;
}

export interface ExperimentReport {
  readonly schema: 1;
  readonly platform: string;
  readonly node: string;
  readonly seed: number;
  readonly runs: number;
  readonly variants: readonly VariantResult[];
  readonly comparisons: readonly Comparison[];
  readonly method: string;
  readonly theories: readonly string[];
  readonly interrupted: boolean;
}

export interface ExperimentOptions {
  readonly cwd: string;
  readonly signal?: AbortSignal;
  readonly onStep?: (text: string) => void;
  readonly onRun?: (done: number, of: number, hits: number) => void;
  readonly buildTimeoutMs?: number;
}

interface Prepared {
  readonly target: string;
  readonly how: string;
  readonly plan: RunPlan;
}

const method =
  "Intervals are Wilson's at 95 %. Differences are Fisher's exact test, two-sided, with Holm's correction for all pairs; real means below 0.05 after it.";

/** Three useless runs without a useful one: the variant cannot be run, and the others need not wait for it. */
const USELESS_LIMIT = 3;

/**
 * Prepares every variant, then runs them in rounds: each variant once a round, in an order that the seed shuffles anew, so that
 * a machine that warms up or fills up is the same for all of them.
 */
export async function runExperiment(
  plan: ExperimentPlan,
  options: ExperimentOptions,
): Promise<ExperimentReport | { readonly error: string }> {
  const clash = findClash(plan);
  if (clash !== undefined) return { error: clash };
  const scratch = makeScratchFolder('experiment');
  try {
    const prepared: (Prepared | { readonly error: string })[] = [];
    for (const [index, variant] of plan.variants.entries()) {
      if (options.signal?.aborted === true) return { error: 'It was interrupted before the first run.' };
      prepared.push(await prepareVariant(variant.name, variant.flags, options, join(scratch.path, String(index))));
    }
    if (!prepared.some((entry) => !('error' in entry))) {
      const [first] = prepared;
      const why = first !== undefined && 'error' in first ? ` ${first.error}` : '';
      return { error: `No variant can be run.${why}` };
    }
    const tallies = plan.variants.map(() => new TallyBuilder());
    const reasons = new Map<number, string>();
    const random = createRandom(plan.seed);
    let done = 0;
    let hits = 0;
    for (let round = 0; round < plan.runs; round++) {
      for (const index of shuffled(plan.variants.length, random)) {
        const entry = prepared[index];
        const tally = tallies[index];
        if (entry === undefined || tally === undefined || 'error' in entry) continue;
        if (tally.runs === 0 && uselessOf(tally) >= USELESS_LIMIT) continue;
        if (isAborted(options)) break;
        const outcome = await runOnce({ ...entry.plan, seed: plan.seed + round }, options.signal);
        if (isAborted(options)) break;
        tally.add(outcome);
        if (outcome.kind === 'hit') hits++;
        else if (outcome.kind !== 'clean' && !reasons.has(index)) {
          reasons.set(index, `${outcome.class}: ${outcome.detail.split('\n')[0] ?? ''}`);
        }
        options.onRun?.(++done, plan.runs * plan.variants.length, hits);
      }
    }
    const variants = plan.variants.map(({ name, set }, index): VariantResult => {
      const entry = prepared[index];
      const tally = tallies[index] ?? new TallyBuilder();
      const failed = entry !== undefined && 'error' in entry ? entry.error : undefined;
      const reason = failed ?? reasons.get(index);
      return {
        name,
        set,
        target: entry !== undefined && !('error' in entry) ? entry.target : '',
        how: entry !== undefined && !('error' in entry) ? entry.how : '',
        runs: tally.runs,
        hits: tally.hits,
        rate: wilsonInterval(tally.hits, tally.runs),
        ...(tally.hits === 0 && tally.runs > 0 ? { excluded: excludedRate(tally.runs, 0.95) } : {}),
        classes: { ...tally.classes },
        useless: uselessOf(tally),
        ...(reason === undefined ? {} : { reason }),
      };
    });
    const comparisons = compareVariants(variants);
    return {
      schema: 1,
      platform: `${process.platform}-${process.arch}`,
      node: process.version,
      seed: plan.seed,
      runs: plan.runs,
      variants,
      comparisons,
      method,
      theories: readTheories(variants, comparisons),
      interrupted: options.signal?.aborted === true,
    };
  } finally {
    scratch.remove();
  }
}

/** A function, because the flow analysis of the compiler takes a signal that was once read for settled. */
const isAborted = ({ signal }: ExperimentOptions): boolean => signal?.aborted === true;

const uselessOf = (tally: TallyBuilder): number => tally.errors + tally.untestable + tally.killed;

function shuffled(length: number, random: () => number): readonly number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let index = length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const value = order[index] ?? 0;
    order[index] = order[other] ?? 0;
    order[other] = value;
  }
  return order;
}

/** Two variants that build differently into one place would run each other's result; an addon file is copied aside, the rest is not. */
function findClash(plan: ExperimentPlan): string | undefined {
  const built = new Map<string, { readonly name: string; readonly build: string }>();
  for (const { name, flags } of plan.variants) {
    const place = flags.target ?? flags.command ?? '';
    if (flags.build === undefined || place.endsWith('.node')) continue;
    const other = built.get(place);
    if (other !== undefined && other.build !== flags.build) {
      return `'${other.name}' and '${name}' build differently and both run '${place}'; let each build into a place of its own.`;
    }
    built.set(place, { name, build: flags.build });
  }
  return undefined;
}

async function prepareVariant(
  name: string,
  flags: VariantFlags,
  options: ExperimentOptions,
  folder: string,
): Promise<Prepared | { readonly error: string }> {
  if (flags.build !== undefined) {
    options.onStep?.(`Building '${name}'.`);
    const windows = process.platform === 'win32';
    const record = await runBounded({
      file: windows ? (process.env['ComSpec'] ?? 'cmd.exe') : '/bin/sh',
      args: windows ? ['/d', '/s', '/c', flags.build] : ['-c', flags.build],
      cwd: options.cwd,
      env: toolEnvironment(process.env),
      timeoutMs: options.buildTimeoutMs ?? 1_800_000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (record.reason !== 'exit' || record.exitCode !== 0) {
      const line = record.stderr.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
      const how = record.reason === 'exit' ? `exit code ${record.exitCode}` : record.reason;
      return { error: `The build of '${name}' failed (${how}${line === '' ? '' : `: ${line}`}).` };
    }
  }
  for (const variable of ['LD_PRELOAD', 'DYLD_INSERT_LIBRARIES']) {
    const missing = (flags.env?.[variable] ?? '').split(/[: ]/).find((path) => path.includes('/') && !existsSync(path));
    // The loader only warns, and the run would go on without it: a variant that changes nothing.
    if (missing !== undefined)
      return { error: `The library '${missing}' of ${variable} in '${name}' does not exist; name an installed one.` };
  }
  const target = flags.target === undefined ? undefined : keepAddon(flags.target, flags.build, options.cwd, folder);
  const { env, scenario, build: _build, target: _target, nodeFlags, ...rest } = flags;
  const read = readReproFlags(
    target,
    {
      ...withoutUndefined(rest),
      ...(scenario === undefined ? {} : { scenario: [scenario] }),
      ...(env === undefined ? {} : { env: Object.entries(env).map(([key, value]) => `${key}=${value}`) }),
    },
    options.cwd,
  );
  if ('error' in read) return { error: `'${name}': ${read.error}` };
  const ready = await prepareTarget(read.spec, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  });
  if ('error' in ready) return { error: `'${name}': ${ready.error}` };
  const settings = runSettings(read);
  const plan = await planSingle(ready, settings);
  if ('error' in plan) return { error: `'${name}': ${plan.error}` };
  return {
    target: ready.label,
    how: describeSettings(settings),
    plan: nodeFlags === undefined ? plan : { ...plan, nodeFlags },
  };
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** Leaves out what is undefined, as exact optional properties want it. */
function withoutUndefined<T extends object>(flags: T): Defined<T> {
  // Entries lose their types; only undefined ones were taken away.
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** Copies a built addon file aside, so that the next variant's build may write over it. */
function keepAddon(target: string, build: string | undefined, cwd: string, folder: string): string {
  const path = isAbsolute(target) ? target : resolve(cwd, target);
  if (build === undefined || !path.endsWith('.node') || !existsSync(path)) return target;
  makeFolder(folder);
  const copy = join(folder, basename(path));
  copyFileSync(path, copy);
  return copy;
}
