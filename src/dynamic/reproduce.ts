import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { reasonOf } from '../discover/list-files.js';
import { makeFolder } from '../discover/make-folder.js';
import type { AmplifierName } from './amplifier.js';
import { chooseAmplifiers, findAddons, isSanitizerBuilt, prepareAmplifier } from './amplify.js';
import { describeCause } from './backtrace.js';
import type { CallPlan } from './call-plan.js';
import type { CrashClass } from './crash-class.js';
import { planCalls } from './declarations.js';
import { explainScripts, explainUnopened } from './explain-unopened.js';
import { toolEnvironment } from './environment.js';
import { gatherEvidence, type CrashEvidence } from './evidence.js';
import {
  controlTarget,
  defaultPlan,
  repeat,
  type RepeatResult,
  type RunOutcome,
  type RunPlan,
  type Tally,
} from './run.js';
import { getScenario, scenarios, type ScenarioName } from './scenario.js';
import { excludedRate, runsToExclude, wilsonInterval } from './statistics.js';
import {
  prepareTarget,
  type PreparedTarget,
  type PrepareOptions,
  type TargetError,
  type TargetSpec,
} from './target.js';

export interface ReproOptions {
  readonly spec: TargetSpec;
  /** Undefined: every scenario that needs no call, and the others too when there is a driver. */
  readonly scenarios?: readonly ScenarioName[];
  /** Plain runs per scenario; 20 by default. */
  readonly runs?: number;
  /** Undefined: 8, and for `import` 16 and 32 when nothing happened. */
  readonly workers?: number;
  readonly calls?: number;
  readonly timeoutMs?: number;
  readonly amplifier: 'auto' | AmplifierName;
  /** Absolute paths. */
  readonly driver?: string;
  readonly inputs?: string;
  readonly env: Readonly<Record<string, string>>;
  /** A known-good twin: what it returns is expected, and where it ends a hang is a hit. */
  readonly twin?: TargetSpec;
  readonly untilCrash: boolean;
  readonly minCalls: boolean;
  readonly mainLoads: boolean;
  /** False leaves out the runs that tell whether a crash comes from unloading. */
  readonly differential?: boolean;
  /** Folder for backtraces, reports and output of the first crash of each scenario. */
  readonly evidence?: string;
  readonly seed?: number;
  readonly node?: string;
  /** Only calls of these exports are planned. */
  readonly exports?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ReproProgress) => void;
  /** The calls that will be made, before any is. */
  readonly onCallPlan?: (plan: CallPlan) => void;
  readonly onStep?: (text: string) => void;
}

export interface ReproProgress {
  readonly scenario: ScenarioName;
  readonly amplifier: AmplifierName;
  readonly done: number;
  readonly of: number;
  readonly hits: number;
  /** Estimated from the runs so far. */
  readonly leftMs: number;
}

/** Runs of one kind: a number of workers and an amplifier. */
export interface Attempt {
  readonly amplifier: AmplifierName;
  readonly workers: number;
  readonly runs: number;
  readonly hits: number;
  readonly rate: readonly [number, number];
  readonly classes: Readonly<Partial<Record<CrashClass, number>>>;
  readonly excluded?: number;
  /** Runs of the same kind without the target; a hit there makes the attempt worthless. */
  readonly control: { readonly runs: number; readonly hits: number };
}

interface HitReport {
  readonly class: CrashClass;
  readonly detail: string;
  readonly stage: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly lines: readonly string[];
}

export interface ScenarioReport {
  readonly name: ScenarioName;
  readonly verdict: 'reproduced' | 'not-reproduced' | 'untestable';
  readonly runs: number;
  readonly hits: number;
  readonly rate: readonly [number, number];
  readonly classes: Readonly<Partial<Record<CrashClass, number>>>;
  /** The amplifier of the runs that decided. */
  readonly amplifier: AmplifierName;
  readonly workers: number;
  readonly calls: number;
  /** Rates above this are excluded at 95 % by the clean runs without an amplifier. */
  readonly excluded?: number;
  readonly attempts: readonly Attempt[];
  readonly hit?: HitReport;
  /** Why it could not be tested. */
  readonly reason?: string;
  /** The same with the target on the main thread too, and with the image kept after its last user. */
  readonly differential?: { readonly mainLoads: Counts; readonly imageKept?: Counts };
  readonly twin?: Counts;
  readonly minimum?: Minimum;
  readonly cause?: string;
  readonly frames?: CrashEvidence['frames'];
  readonly artifacts: readonly string[];
  readonly notes: readonly string[];
}

interface Counts {
  readonly runs: number;
  readonly hits: number;
}

interface Minimum {
  /** The first sequential call at which it ever crashed, and in how many of the crashing runs it was that one. */
  readonly calls?: {
    readonly first: number;
    readonly crashes: number;
    readonly table: readonly (Counts & { readonly calls: number })[];
  };
  readonly workers?: { readonly smallest: number; readonly table: readonly (Counts & { readonly workers: number })[] };
}

export interface ReproReport {
  readonly schema: 1;
  readonly target: string;
  readonly platform: string;
  readonly node: string;
  readonly scenarios: readonly ScenarioReport[];
  readonly verdict: 'reproduced' | 'not-reproduced' | 'untestable';
  readonly interrupted: boolean;
  readonly notes: readonly string[];
}

const rampedWorkers = [8, 16, 32] as const;
/** Scenarios in which a call is one of the plan's, in turn. */
const makesEachCall: ReadonlySet<ScenarioName> = new Set([
  'reload',
  'main-and-worker',
  'terminate',
  'exit-with-work',
  'sequential',
  'concurrent',
  'workers-call',
]);
const unloads: ReadonlySet<ScenarioName> = new Set(['import', 'reload', 'terminate', 'exit-with-work']);

/** Scenarios for a target when none is named. Guessed calls are made only when they are asked for: a call may do anything. */
export function defaultScenarios(spec: TargetSpec, hasDriver: boolean): readonly ScenarioName[] {
  if (spec.kind === 'command') return ['command'];
  const node = scenarios.filter(({ name }) => name !== 'command');
  if (hasDriver || spec.kind === 'driver') return node.map(({ name }) => name);
  return node.filter(({ calls }) => calls !== 'all').map(({ name }) => name);
}

/** Installs or finds the target and plays the scenarios; resolves with one sentence when it could not run at all. */
export async function reproduce(options: ReproOptions): Promise<ReproReport | TargetError> {
  const prepareOptions: PrepareOptions = {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  };
  const node = options.node === undefined ? process.version : askVersion(options.node);
  if (node === undefined) return { error: `'${options.node}' is no Node that can be started: it gives no version.` };
  if (options.evidence !== undefined) {
    try {
      makeFolder(options.evidence);
    } catch (error) {
      return { error: `The folder '${options.evidence}' for evidence cannot be made: ${reasonOf(error)}.` };
    }
  }
  const target = await prepareTarget(options.spec, prepareOptions);
  if ('error' in target) return target;
  const twin = options.twin === undefined ? undefined : await prepareTarget(options.twin, prepareOptions);
  if (twin !== undefined && 'error' in twin) return { error: `The twin cannot be run. ${twin.error}` };
  const names = options.scenarios ?? defaultScenarios(options.spec, options.driver !== undefined);
  const driver = options.driver ?? (options.spec.kind === 'driver' ? options.spec.file : undefined);
  const notes: string[] = [];
  let callPlan: CallPlan | undefined;
  let noCalls: string | undefined;
  // Guessed calls are made only in scenarios that were asked for by name.
  const wantsCalls = options.scenarios?.some((name) => getScenario(name).calls !== 'none') === true;
  if (driver === undefined && options.spec.kind !== 'command' && wantsCalls) {
    const planned = await planCalls(target, prepareOptions);
    if ('error' in planned) noCalls = planned.error;
    else {
      callPlan = options.exports === undefined ? planned : restrict(planned, options.exports);
      options.onCallPlan?.(callPlan);
      if (callPlan.calls.length === 0)
        noCalls = `The declarations of '${target.label}' offer nothing that can be called; give --driver.`;
    }
  }
  const run = new Reproduction(options, target, twin, driver, callPlan);
  const reports: ScenarioReport[] = [];
  for (const name of names) {
    if (options.signal?.aborted === true) break;
    const needsCalls = getScenario(name).calls === 'all';
    reports.push(needsCalls && noCalls !== undefined ? run.untestable(name, noCalls) : await run.play(name));
  }
  return {
    schema: 1,
    target: target.label,
    platform: `${process.platform}-${process.arch}`,
    node,
    scenarios: reports,
    verdict: combine(reports),
    interrupted: options.signal?.aborted === true,
    notes,
  };
}

/** What another Node says of itself; undefined when it is none. */
function askVersion(file: string): string | undefined {
  const asked = spawnSync(file, ['--version'], {
    encoding: 'utf8',
    timeout: 10_000,
    env: toolEnvironment(process.env),
  });
  return /^v\d+\.\d+\.\d+\S*$/m.exec(asked.stdout ?? '')?.[0];
}

/** A message without its details and without its stop. */
function firstLine(text: string): string {
  const [line = ''] = text.trim().split(/\r?\n/);
  return line.replace(/[.:]?\s*(?:Tried:)?$/, '').slice(0, 400);
}

function combine(reports: readonly ScenarioReport[]): ReproReport['verdict'] {
  if (reports.some(({ verdict }) => verdict === 'reproduced')) return 'reproduced';
  return reports.some(({ verdict }) => verdict === 'not-reproduced') ? 'not-reproduced' : 'untestable';
}

/** Keeps the calls of the named exports; `Class` keeps its methods too. All of them where none has such a name. */
function restrict(plan: CallPlan, exports: readonly string[]): CallPlan {
  const wanted = new Set(exports);
  const calls = plan.calls.filter(
    (call) =>
      wanted.has(call.name) ||
      call.path.some((part) => wanted.has(part)) ||
      (call.member !== undefined && wanted.has(call.member)),
  );
  // Declarations may use other names than the sources; all calls are then better than none.
  return calls.length === 0 ? plan : { ...plan, calls };
}

/** The plan with nothing to call. */
function withoutCalls(plan: RunPlan): RunPlan {
  const bare: { -readonly [Key in keyof RunPlan]: RunPlan[Key] } = { ...plan };
  delete bare.driver;
  delete bare.callPlan;
  return bare;
}

interface ScenarioState {
  readonly attempts: Attempt[];
  readonly notes: string[];
  reason?: string;
  deciding?: { readonly attempt: Attempt; readonly hit: RunOutcome; readonly plan: RunPlan };
}

class Reproduction {
  private readonly controls = new Map<string, Counts>();

  constructor(
    private readonly options: ReproOptions,
    private readonly target: PreparedTarget,
    private readonly twin: PreparedTarget | undefined,
    private readonly driver: string | undefined,
    private readonly callPlan: CallPlan | undefined,
  ) {}

  untestable(name: ScenarioName, reason: string): ScenarioReport {
    const { workers, calls } = this.plan(name);
    return {
      name,
      verdict: 'untestable',
      runs: 0,
      hits: 0,
      rate: [0, 1],
      classes: {},
      amplifier: 'none',
      workers,
      calls,
      attempts: [],
      reason,
      artifacts: [],
      notes: [],
    };
  }

  async play(name: ScenarioName): Promise<ScenarioReport> {
    const state: ScenarioState = { attempts: [], notes: [] };
    const twin = await this.playTwin(name, state);
    const base = this.plan(
      name,
      twin === undefined
        ? {}
        : { hangIsHit: twin.ended, ...(twin.value === undefined ? {} : { expected: twin.value }) },
    );
    const runs = this.options.runs ?? 20;
    const amplifiers = this.amplifiersFor(name, state);
    if (this.options.untilCrash) {
      await this.attempt(base, 'none', this.options.runs ?? 10_000, state, 1);
    } else {
      // Half of the plain runs first: an amplifier may decide sooner than the other half would.
      const first = amplifiers.length === 0 ? runs : Math.ceil(runs / 2);
      await this.playPlain(base, first, state);
      for (const amplifier of amplifiers) {
        if (this.isDecided(state)) break;
        await this.attempt(base, amplifier, Math.max(3, Math.ceil(runs / 2)), state);
      }
      if (!this.isDecided(state) && runs > first)
        await this.playPlain({ ...base, seed: base.seed + first }, runs - first, state);
    }
    return this.report(name, base, state, twin);
  }

  private plan(name: ScenarioName, overrides: Partial<RunPlan> = {}): RunPlan {
    const { workers, timeoutMs, env, inputs, mainLoads, seed, node } = this.options;
    const calls = this.options.calls ?? this.guessedCalls(name);
    return defaultPlan(this.target, name, {
      env,
      mainLoads,
      ...(workers === undefined ? {} : { workers }),
      ...(calls === undefined ? {} : { calls }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(inputs === undefined ? {} : { inputs }),
      ...(seed === undefined ? {} : { seed }),
      ...(node === undefined ? {} : { node }),
      ...(this.driver === undefined ? {} : { driver: this.driver }),
      ...(this.callPlan === undefined ? {} : { callPlan: this.callPlan }),
      ...overrides,
    });
  }

  /** Every planned call at least twice, where the number of calls is not the number of rounds; undefined: the default. */
  private guessedCalls(name: ScenarioName): number | undefined {
    if (this.callPlan === undefined || this.driver !== undefined || !makesEachCall.has(name)) return undefined;
    return Math.max(8, 2 * this.callPlan.calls.length);
  }

  private isDecided(state: ScenarioState): boolean {
    return state.deciding !== undefined || state.reason !== undefined || this.options.signal?.aborted === true;
  }

  /** Plain runs; `import` goes on with more workers as long as nothing happens, because the rate grows with them. */
  private async playPlain(base: RunPlan, runs: number, state: ScenarioState): Promise<void> {
    const ramp = base.scenario === 'import' && this.options.workers === undefined ? rampedWorkers : [base.workers];
    let left = runs;
    for (const [i, workers] of ramp.entries()) {
      const share = i === ramp.length - 1 ? left : Math.ceil(left / 2);
      if (share <= 0) break;
      left -= share;
      await this.attempt({ ...base, workers, seed: base.seed + left }, 'none', share, state);
      if (this.isDecided(state)) return;
    }
  }

  private amplifiersFor(name: ScenarioName, state: ScenarioState): readonly AmplifierName[] {
    const { amplifier } = this.options;
    if (amplifier === 'none') return [];
    if (amplifier !== 'auto') return [amplifier];
    const folder = this.target.kind === 'addon' ? undefined : this.target.packageFolder;
    const addons = folder === undefined ? [this.target.specifier] : findAddons(folder).slice(0, 4);
    const sanitizerBuilt = this.target.kind !== 'command' && addons.some(isSanitizerBuilt);
    return chooseAmplifiers(name, sanitizerBuilt).filter((choice) => {
      const prepared = prepareAmplifier(choice);
      if (!('error' in prepared)) return true;
      state.notes.push(prepared.error);
      return false;
    });
  }

  /** The same runs with nothing loaded, once per amplifier and scenario: what goes wrong there is not the target's doing. */
  private async control(plan: RunPlan): Promise<Counts> {
    const key = `${plan.scenario}\0${plan.amplifier}`;
    const known = this.controls.get(key);
    if (known !== undefined) return known;
    const target =
      plan.scenario === 'command'
        ? {
            ...controlTarget,
            kind: 'command' as const,
            root: plan.target.root,
            command: process.platform === 'win32' ? 'exit 0' : 'true',
          }
        : controlTarget;
    const { scenario, amplifier, workers, timeoutMs, hangIsHit } = plan;
    const bare = this.plan(scenario, { amplifier, workers, timeoutMs, hangIsHit, target });
    const result = await repeat(withoutCalls(bare), this.repeatOptions(2, 1));
    const counts = { runs: result.runs, hits: result.hits };
    this.controls.set(key, counts);
    return counts;
  }

  private repeatOptions(
    maxRuns: number,
    stopAfterHits: number,
    onRun?: (outcome: RunOutcome, tally: Tally) => void,
  ): Parameters<typeof repeat>[1] {
    const { signal } = this.options;
    return {
      maxRuns,
      stopAfterHits,
      ...(signal === undefined ? {} : { signal }),
      ...(onRun === undefined ? {} : { onRun }),
    };
  }

  private async attempt(
    base: RunPlan,
    amplifier: AmplifierName,
    runs: number,
    state: ScenarioState,
    stopAfterHits = 3,
  ): Promise<void> {
    const plan: RunPlan = { ...base, amplifier };
    const prepared = prepareAmplifier(amplifier);
    if ('error' in prepared) {
      state.notes.push(prepared.error);
      return;
    }
    const control = await this.control(plan);
    if (control.hits > 0) {
      state.notes.push(
        `The control run without the target fails with the amplifier '${amplifier}', so nothing is concluded from it.`,
      );
      return;
    }
    const result = await this.observe(plan, runs, stopAfterHits);
    if (result.verdict === 'untestable') {
      if (!result.interrupted) state.reason ??= this.explainError(result.firstError);
      return;
    }
    const attempt: Attempt = {
      amplifier,
      workers: plan.workers,
      runs: result.runs,
      hits: result.hits,
      rate: result.rate,
      classes: result.classes,
      ...(result.excluded === undefined ? {} : { excluded: result.excluded }),
      control,
    };
    state.attempts.push(attempt);
    const others = result.errors + result.killed;
    if (others > 0 && result.firstError !== undefined) {
      state.notes.push(
        `${others} further ${others === 1 ? 'run' : 'runs'} ended otherwise: ${firstLine(result.firstError.detail)}.`,
      );
    }
    if (result.firstHit !== undefined) state.deciding = { attempt, hit: result.firstHit, plan };
    state.notes.push(...result.notes);
  }

  private explainError(error: RunOutcome | undefined): string {
    if (error === undefined) return 'no run came to its end';
    if (error.class === 'not-opened' && error.detail.startsWith('no addon was opened'))
      return explainUnopened(this.target);
    const scripts = error.class === 'load-error' ? explainScripts(this.target) : undefined;
    return `${firstLine(error.detail)}${scripts ?? ''}`;
  }

  private observe(plan: RunPlan, runs: number, stopAfterHits: number): Promise<RepeatResult> {
    const started = performance.now();
    let done = 0;
    return repeat(
      plan,
      this.repeatOptions(runs, stopAfterHits, (_outcome, tally) => {
        done++;
        const each = (performance.now() - started) / done;
        const { scenario, amplifier } = plan;
        this.options.onProgress?.({
          scenario,
          amplifier,
          done,
          of: runs,
          hits: tally.hits,
          leftMs: each * (runs - done),
        });
      }),
    );
  }

  private async playTwin(
    name: ScenarioName,
    state: ScenarioState,
  ): Promise<(Counts & { readonly value?: string; readonly ended: boolean }) | undefined> {
    if (this.twin === undefined) return undefined;
    const result = await repeat(
      { ...this.plan(name), target: this.twin, hangIsHit: true },
      this.repeatOptions(Math.min(5, this.options.runs ?? 5), 1),
    );
    const { runs, hits, value, firstHit } = result;
    if (hits > 0) state.notes.push(`The good twin fails too (${firstHit?.class}), so it cannot tell the two apart.`);
    if (runs === 0)
      state.notes.push(`The good twin could not be tested: ${result.firstError?.detail ?? 'no run came to its end'}.`);
    return { runs, hits, ended: runs > hits, ...(value === undefined || hits > 0 ? {} : { value }) };
  }

  private async report(
    name: ScenarioName,
    base: RunPlan,
    state: ScenarioState,
    twin: Counts | undefined,
  ): Promise<ScenarioReport> {
    const { attempts, notes, deciding } = state;
    if (
      attempts.length > 0 &&
      getScenario(name).calls === 'some' &&
      base.driver === undefined &&
      (base.callPlan?.calls.length ?? 0) === 0
    ) {
      notes.push('Nothing was called, only loaded; name the scenario for calls from declarations, or give --driver.');
    }
    const extra = deciding === undefined ? {} : await this.explain(deciding, notes);
    const common = {
      name,
      calls: base.calls,
      attempts,
      ...(twin === undefined ? {} : { twin: { runs: twin.runs, hits: twin.hits } }),
    };
    if (deciding !== undefined && (twin === undefined || twin.hits === 0)) {
      const { attempt, hit } = deciding;
      const { runs, hits, rate, classes, amplifier, workers } = attempt;
      const { class: hitClass, detail, stage, exitCode, signal, evidenceLines } = hit;
      return {
        ...common,
        verdict: 'reproduced',
        runs,
        hits,
        rate,
        classes,
        amplifier,
        workers,
        hit: { class: hitClass, detail, stage, exitCode, signal, lines: evidenceLines },
        artifacts: [],
        ...extra,
        notes: [...new Set(notes)],
      };
    }
    const plain = attempts.filter(({ amplifier }) => amplifier === 'none');
    const runs = plain.reduce((sum, attempt) => sum + attempt.runs, 0);
    const hits = plain.reduce((sum, attempt) => sum + attempt.hits, 0);
    const classes: Partial<Record<CrashClass, number>> = {};
    for (const attempt of plain) {
      for (const other of Object.keys(attempt.classes)) {
        // The keys of `classes` are crash classes by its type.
        const key = other as CrashClass;
        classes[key] = (classes[key] ?? 0) + (attempt.classes[key] ?? 0);
      }
    }
    const tested = attempts.length > 0 && (twin === undefined || twin.hits === 0);
    return {
      ...common,
      verdict: tested ? 'not-reproduced' : 'untestable',
      runs,
      hits,
      rate: wilsonInterval(hits, runs),
      classes,
      amplifier: 'none',
      workers: Math.max(base.workers, ...plain.map((attempt) => attempt.workers)),
      ...(tested && runs > 0 ? { excluded: excludedRate(runs) } : {}),
      ...(tested ? {} : { reason: state.reason ?? notes[0] ?? 'it was interrupted before a run came to its end' }),
      artifacts: [],
      notes: [...new Set(notes)],
    };
  }

  /** What more runs say about a crash: whether it comes from unloading, how little is needed for it, and where it was. */
  private async explain(
    { attempt, plan }: NonNullable<ScenarioState['deciding']>,
    notes: string[],
  ): Promise<Partial<Pick<ScenarioReport, 'differential' | 'minimum' | 'cause' | 'frames' | 'artifacts'>>> {
    const differential = await this.compareUnloading(plan, attempt, notes);
    const minimum = this.options.minCalls ? await this.minimise(plan) : undefined;
    const { evidence } = this.options;
    const gathered =
      evidence === undefined
        ? undefined
        : await gatherEvidence(
            plan,
            join(evidence, plan.scenario),
            Math.min(40, runsToExclude(Math.max(0.02, attempt.rate[0]))),
            this.options.signal,
          );
    if (evidence !== undefined && gathered === undefined)
      notes.push('It did not crash again while evidence was gathered.');
    if (gathered?.cause !== undefined) notes.push(describeCause(gathered.cause));
    notes.push(...(gathered?.notes ?? []));
    return {
      ...(differential === undefined ? {} : { differential }),
      ...(minimum === undefined ? {} : { minimum }),
      ...(gathered?.cause === undefined ? {} : { cause: gathered.cause }),
      ...(gathered === undefined || gathered.frames.length === 0 ? {} : { frames: gathered.frames }),
      artifacts: gathered?.artifacts ?? [],
    };
  }

  private async compareUnloading(
    plan: RunPlan,
    attempt: Attempt,
    notes: string[],
  ): Promise<ScenarioReport['differential']> {
    const { differential = true, untilCrash } = this.options;
    if (!unloads.has(plan.scenario) || plan.mainLoads || untilCrash || !differential) return undefined;
    // Enough clean runs to be unlikely at the rate that was seen, within reason.
    const runs = Math.min(20, runsToExclude(Math.max(0.14, attempt.rate[0])));
    const mainLoads = await repeat({ ...plan, amplifier: 'none', mainLoads: true }, this.repeatOptions(runs, 1));
    if (mainLoads.runs > 0 && mainLoads.hits === 0) {
      notes.push(
        'It is gone when the main thread loads the target too: the crash comes from unloading the addon, and loading it on the main thread first is a workaround.',
      );
    }
    const kept = await this.keepImages(plan, runs);
    if (kept !== undefined && kept.hits === 0 && kept.runs > 0)
      notes.push('It is gone when the image stays in memory after its last user.');
    return {
      mainLoads: { runs: mainLoads.runs, hits: mainLoads.hits },
      ...(kept === undefined ? {} : { imageKept: kept }),
    };
  }

  /** The counter-experiment: the guard library makes dlclose do nothing. */
  private async keepImages(plan: RunPlan, runs: number): Promise<Counts | undefined> {
    if (this.options.amplifier === 'none' || 'error' in prepareAmplifier('guard-pages')) return undefined;
    const env = { ...plan.env, LIFETIME_LINT_GUARD_KEEP: '1' };
    const result = await repeat({ ...plan, env, amplifier: 'guard-pages' }, this.repeatOptions(runs, 1));
    return { runs: result.runs, hits: result.hits };
  }

  /** The smallest number of sequential calls, and the smallest number of workers, at which it still crashes in ten runs. */
  private async minimise(plan: RunPlan): Promise<Minimum> {
    return plan.scenario === 'import' ||
      plan.scenario === 'reload' ||
      plan.scenario === 'workers-call' ||
      plan.scenario === 'terminate' ||
      plan.scenario === 'exit-with-work'
      ? { workers: await this.minimiseWorkers(plan) }
      : plan.scenario === 'sequential'
        ? { calls: await this.minimiseCalls(plan) }
        : {};
  }

  private async minimiseWorkers(plan: RunPlan): Promise<NonNullable<Minimum['workers']>> {
    const table: (Counts & { workers: number })[] = [];
    for (let workers = 1; workers <= plan.workers; workers *= 2) {
      if (this.options.signal?.aborted === true) break;
      const { runs, hits } = await this.observe({ ...plan, workers }, 10, 3);
      table.push({ workers, runs, hits });
      if (hits > 0) return { smallest: workers, table };
    }
    return { smallest: plan.workers, table };
  }

  private async minimiseCalls(plan: RunPlan): Promise<NonNullable<Minimum['calls']>> {
    const stages: number[] = [];
    await repeat(
      plan,
      this.repeatOptions(20, 10, (outcome) => {
        const call = /^call (\d+)/.exec(outcome.stage)?.[1];
        if (outcome.kind === 'hit' && call !== undefined) stages.push(Number(call));
      }),
    );
    const table: (Counts & { calls: number })[] = [];
    const first = Math.min(plan.calls, ...stages);
    // Fewer calls may do as well when the crash came later than its cause.
    let smallest = first;
    for (let low = 1, high = first; low < high && this.options.signal?.aborted !== true;) {
      const middle = Math.floor((low + high) / 2);
      const { runs, hits } = await this.observe({ ...plan, calls: middle }, 10, 1);
      table.push({ calls: middle, runs, hits });
      if (hits > 0) high = smallest = middle;
      else low = middle + 1;
    }
    return { first: smallest, crashes: stages.length, table };
  }
}
