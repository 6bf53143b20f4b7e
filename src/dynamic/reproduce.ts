import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { reasonOf } from '../discover/list-files.js';
import { makeFolder } from '../discover/make-folder.js';
import type { AmplifierName } from './amplifier.js';
import { chooseAmplifiers, findAddons, isSanitizerBuilt, prepareAmplifier } from './amplify.js';
import { describeCause } from './backtrace.js';
import { canSettleTwice, type CallPlan } from './call-plan.js';
import type { CrashClass } from './crash-class.js';
import { planCalls } from './declarations.js';
import { explainScripts, explainUnopened } from './explain-unopened.js';
import { toolEnvironment } from './environment.js';
import { gatherEvidence, type CrashEvidence } from './evidence.js';
import { findMinimum, hasMinimum, type Minimum } from './minimum.js';
import {
  controlTarget,
  defaultPlan,
  repeat,
  runOnce,
  type RepeatResult,
  type RunOutcome,
  type RunPlan,
  type Tally,
} from './run.js';
import { getScenario, scenarios, type ScenarioName } from './scenario.js';
import { excludedRate, runsToExclude, wilsonInterval } from './statistics.js';
import { explainUnloading, isSameCrash, type Counts, type Differential } from './unloading.js';
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

/** Runs of one kind: a number of workers, of calls, and an amplifier. */
export interface Attempt {
  readonly amplifier: AmplifierName;
  readonly workers: number;
  readonly calls: number;
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
  readonly differential?: Differential;
  readonly twin?: Counts;
  readonly minimum?: Minimum;
  readonly cause?: string;
  readonly frames?: CrashEvidence['frames'];
  readonly artifacts: readonly string[];
  readonly notes: readonly string[];
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
/** Runs of each step on the way up, and the most calls of a run that are tried unasked. */
const stepRuns = 5;
const mostCalls = 8192;

/** Scenarios for a target when none is named. Guessed calls are made only when they are asked for: a call may do anything. */
export function defaultScenarios(spec: TargetSpec, hasDriver: boolean): readonly ScenarioName[] {
  if (spec.kind === 'command') return ['command'];
  const node = scenarios.filter(({ name }) => name !== 'command');
  if (hasDriver || spec.kind === 'driver') return node.map(({ name }) => name);
  return node.filter(({ calls }) => calls !== 'all').map(({ name }) => name);
}

/** Why nothing of the calls can be settled twice; undefined when something can. */
function findNoTwice(driver: string | undefined, plan: CallPlan | undefined): string | undefined {
  if (driver !== undefined)
    return 'a driver makes its callbacks and its receivers itself, so there is nothing that could be settled twice';
  if (plan === undefined || plan.calls.some(canSettleTwice)) return undefined;
  return 'no call takes a callback or a promise, and there is no method, so there is nothing that could be settled twice';
}

/** Installs or finds the target and plays the scenarios; resolves with one sentence when it could not run at all. */
export async function reproduce(options: ReproOptions): Promise<ReproReport | TargetError> {
  const prepareOptions: PrepareOptions = {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  };
  const node = options.node === undefined ? process.version : askVersion(options.node);
  if (node === undefined) return { error: `'${options.node}' is no Node that can be started: it gives no version.` };
  if (options.amplifier !== 'auto') {
    const asked = prepareAmplifier(options.amplifier);
    if ('error' in asked) return asked;
  }
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
  const unopened = options.scenarios === undefined && driver === undefined ? await run.findUnopened() : undefined;
  for (const name of names) {
    if (options.signal?.aborted === true) break;
    const reason =
      unopened ??
      (getScenario(name).calls === 'all' ? noCalls : undefined) ??
      (name === 'thenable-twice' ? findNoTwice(driver, callPlan) : undefined);
    reports.push(reason === undefined ? await run.play(name) : run.untestable(name, reason));
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

  /**
   * Why no scenario that only loads the target can test anything: on the main thread and in a worker, whichever comes first, it opens
   * no addon. Undefined when it opens one, or when the two runs do not tell.
   */
  async findUnopened(): Promise<string | undefined> {
    if (this.options.spec.kind === 'command') return undefined;
    const plan = this.plan('main-and-worker');
    let reason: string | undefined;
    for (const seed of [plan.seed, plan.seed + 1]) {
      const outcome = await runOnce({ ...plan, seed }, this.options.signal);
      const isClear = outcome.kind === 'untestable' || outcome.kind === 'not-hit-error';
      if (!isClear || outcome.opened.length > 0 || outcome.class === 'timeout' || outcome.class === 'spawn-error')
        return undefined;
      reason ??= this.explainError(outcome);
    }
    return reason;
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
      await this.playUntilCrash(base, state);
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
      if (this.options.minCalls) await this.climb(base, state, 3);
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
    if (this.callPlan === undefined || this.driver !== undefined || !getScenario(name).takesTurns) return undefined;
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

  /** Runs on until the first crash: a few runs at each step up, then as many as are left at the top. */
  private async playUntilCrash(base: RunPlan, state: ScenarioState): Promise<void> {
    const runs = this.options.runs ?? 10_000;
    const ramp = base.scenario === 'import' && this.options.workers === undefined ? rampedWorkers : [base.workers];
    const steps = ramp.map((workers) => ({ ...base, workers }));
    let left = runs;
    let top = base;
    for (const step of steps) {
      top = { ...step, seed: base.seed + runs - left };
      const isLast = step === steps.at(-1) && !this.canClimb(base);
      const share = isLast ? left : Math.min(stepRuns, left);
      await this.attempt(top, 'none', share, state, 1);
      left -= share;
      if (left <= 0 || this.isDecided(state)) return;
    }
    const climbed = await this.climb({ ...top, seed: base.seed + runs - left }, state, 1, left);
    if (climbed.left > 0 && !this.isDecided(state)) await this.attempt(climbed.top, 'none', climbed.left, state, 1);
  }

  private canClimb({ scenario, driver, callPlan }: RunPlan): boolean {
    const calls = driver !== undefined || (callPlan?.calls.length ?? 0) > 0;
    return this.options.calls === undefined && getScenario(scenario).growsWithCalls && calls;
  }

  /** More and more calls of a run, as long as nothing happens and there is time for them: a crash may need the n-th. */
  private async climb(
    base: RunPlan,
    state: ScenarioState,
    stopAfterHits: number,
    runs = Number.POSITIVE_INFINITY,
  ): Promise<{ readonly top: RunPlan; readonly left: number }> {
    let top = base;
    let left = runs;
    while (this.canClimb(base) && left > 0 && top.calls < mostCalls && !this.isDecided(state)) {
      const next = { ...top, calls: Math.min(mostCalls, top.calls * 4), seed: top.seed + stepRuns };
      const share = Math.min(stepRuns, left);
      const result = await this.attempt(next, 'none', share, state, stopAfterHits);
      left -= share;
      // Runs that end at their time limit say nothing, and guessed calls stop before it.
      if (result === undefined || result.medianMs * 4 > next.timeoutMs * 0.4) break;
      top = next;
    }
    return { top, left };
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
  ): Promise<RepeatResult | undefined> {
    const plan: RunPlan = { ...base, amplifier };
    const prepared = prepareAmplifier(amplifier);
    if ('error' in prepared) {
      state.notes.push(prepared.error);
      return undefined;
    }
    const control = await this.control(plan);
    if (control.hits > 0) {
      state.notes.push(
        `The control run without the target fails with the amplifier '${amplifier}', so nothing is concluded from it.`,
      );
      return undefined;
    }
    const result = await this.observe(plan, runs, stopAfterHits);
    if (result.verdict === 'untestable') {
      if (!result.interrupted) state.reason ??= this.explainError(result.firstError);
      return undefined;
    }
    const attempt: Attempt = {
      amplifier,
      workers: plan.workers,
      calls: plan.calls,
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
        `${others} further ${others === 1 ? 'run' : 'runs'}${amplifier === 'none' ? '' : ` with '${amplifier}'`} ended otherwise: ${firstLine(result.firstError.detail)}.`,
      );
    }
    if (result.firstHit !== undefined) state.deciding = { attempt, hit: result.firstHit, plan };
    state.notes.push(...result.notes);
    return result;
  }

  private explainError(error: RunOutcome | undefined): string {
    if (error === undefined) return 'no run came to its end';
    if (error.class === 'not-opened' && error.detail.startsWith('no addon was opened'))
      return explainUnopened(this.target);
    if (error.class === 'timeout') {
      return `${firstLine(error.detail)}; give more time with --timeout, or a good twin with --twin, beside which this counts as a hang`;
    }
    const isLoading = error.class === 'load-error' || (error.class === 'javascript-error' && error.opened.length === 0);
    const scripts = isLoading ? explainScripts(this.target) : undefined;
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
      calls: Math.max(base.calls, ...attempts.map((attempt) => attempt.calls)),
      attempts,
      ...(twin === undefined ? {} : { twin: { runs: twin.runs, hits: twin.hits } }),
    };
    if (deciding !== undefined && (twin === undefined || twin.hits === 0)) {
      const { attempt, hit } = deciding;
      const { runs, hits, rate, classes, amplifier, workers, calls } = attempt;
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
        calls,
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
    { attempt, hit, plan }: NonNullable<ScenarioState['deciding']>,
    notes: string[],
  ): Promise<Partial<Pick<ScenarioReport, 'differential' | 'minimum' | 'cause' | 'frames' | 'artifacts'>>> {
    const differential = await this.compareUnloading(plan, attempt, hit, notes);
    const minimum = this.options.minCalls
      ? await findMinimum(
          plan,
          (smaller, runs, stopAfterHits) => this.observe(smaller, runs, stopAfterHits),
          () => this.options.signal?.aborted === true,
        )
      : undefined;
    if (minimum !== undefined && !hasMinimum(plan.scenario))
      notes.push(`The scenario '${plan.scenario}' has no number of calls or workers to make smaller.`);
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
    hit: RunOutcome,
    notes: string[],
  ): Promise<Differential | undefined> {
    const { differential: isWanted = true, untilCrash } = this.options;
    if (!getScenario(plan.scenario).unloads || plan.mainLoads || untilCrash || !isWanted) return undefined;
    // Enough clean runs to be unlikely at the rate that was seen, within reason.
    const runs = Math.min(20, runsToExclude(Math.max(0.14, attempt.rate[0])));
    const main = await repeat({ ...plan, amplifier: 'none', mainLoads: true }, this.repeatOptions(runs, 1));
    const kept = await this.keepImages(plan, runs);
    const tells = kept === undefined || kept.hits === 0 || isSameCrash(hit.class, kept.firstHit?.class);
    if (!tells)
      notes.push(
        `With the image kept in memory the guard library found something else first (${kept.firstHit?.class}), which tells nothing about unloading.`,
      );
    const differential: Differential = {
      mainLoads: { runs: main.runs, hits: main.hits },
      ...(kept === undefined || !tells ? {} : { imageKept: { runs: kept.runs, hits: kept.hits } }),
    };
    notes.push(...explainUnloading(differential));
    return differential;
  }

  /** The counter-experiment: the guard library makes dlclose do nothing. */
  private async keepImages(plan: RunPlan, runs: number): Promise<RepeatResult | undefined> {
    if (this.options.amplifier === 'none' || 'error' in prepareAmplifier('guard-pages')) return undefined;
    const env = { ...plan.env, LIFETIME_LINT_GUARD_KEEP: '1' };
    return repeat({ ...plan, env, amplifier: 'guard-pages' }, this.repeatOptions(runs, 1));
  }
}
