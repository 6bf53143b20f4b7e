import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { makeFolder } from '../discover/make-folder.js';
import { commandEnvironment, prepareAmplifier, type Amplification } from './amplify.js';
import type { AmplifierName } from './amplifier.js';
import type { CallPlan } from './call-plan.js';
import type { ChildPlan } from './child/child-plan.js';
import { classify, isLoadErrorMessage, type Classification, type CrashClass } from './crash-class.js';
import { traceHang } from './debugger.js';
import { childEnvironment } from './environment.js';
import { locateHarness } from './harness.js';
import { readMarkers, type MarkerSummary } from './markers.js';
import { mostProcesses, runBounded, type EndReason, type ProcessRecord } from './process-group.js';
import { getScenario, type ScenarioName } from './scenario.js';
import { makeScratchFolder, type ScratchFolder } from './scratch-folder.js';
import { excludedRate, shouldStop, wilsonInterval } from './statistics.js';
import type { PreparedTarget } from './target.js';
import { hashText } from './value.js';

/** Everything that one run needs; plain data, so that a plan can be stored, compared and repeated. */
export interface RunPlan {
  readonly target: PreparedTarget;
  readonly scenario: ScenarioName;
  readonly workers: number;
  /** Calls per run, or per worker where workers call. */
  readonly calls: number;
  readonly timeoutMs: number;
  /** Added to the allow-list of the child's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly amplifier: AmplifierName;
  /** Absolute path of an ES module, see docs/dynamic.md. */
  readonly driver?: string;
  /** Absolute path of a folder of sample files. */
  readonly inputs?: string;
  /** Calls synthesised from the target's declarations; used when there is no driver. */
  readonly callPlan?: CallPlan;
  /** The differential: the main thread loads the target before any worker does. */
  readonly mainLoads: boolean;
  /** Cycles of `reload`. */
  readonly cycles: number;
  readonly seed: number;
  readonly maxOutputBytes: number;
  readonly maxMemoryBytes: number;
  /** What a run may write into its own folder. */
  readonly maxDiskBytes: number;
  /** The Node that runs the child; the parent's own by default. */
  readonly node?: string;
  readonly nodeFlags?: readonly string[];
  /** Whether a run that does not end is a hit. Set when a good twin, or the control run, ends. */
  readonly hangIsHit: boolean;
  /** What a good twin returned for the same calls (its `value`); a different value is a hit. */
  readonly expected?: string;
  /** Leave a core file (where the system writes one), Node's diagnostic report and the output in this folder. */
  readonly keepFolder?: string;
}

type RunKind = 'hit' | 'clean' | 'not-hit-error' | 'untestable' | 'killed';

export interface RunOutcome {
  readonly kind: RunKind;
  readonly class: CrashClass;
  /** The signal, status, report line or message that decided the class. */
  readonly detail: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last marker: `start`, `opening FILE`, `call 6`, `cycle 2`, `done`, … */
  readonly stage: string;
  readonly durationMs: number;
  readonly evidenceLines: readonly string[];
  /** The oracle: a digest of what the calls of a driver returned, or of a command's stdout. */
  readonly value?: string;
  /** Addons that were opened, by path. */
  readonly opened: readonly string[];
  /** Calls that returned, and calls that threw. */
  readonly calls: { readonly returned: number; readonly threw: number };
  readonly notes: readonly string[];
}

export interface RepeatOptions {
  /** Most runs; 20 by default. */
  readonly maxRuns?: number;
  /** Stop at that many hits; 3 by default, 0 to make every run. */
  readonly stopAfterHits?: number;
  /** Stop once clean runs exclude rates above this one (0..1). */
  readonly exclude?: number;
  /** No new run is begun after that many milliseconds. */
  readonly budgetMs?: number;
  readonly signal?: AbortSignal;
  /** Called after each run with what is known so far. */
  readonly onRun?: (outcome: RunOutcome, soFar: Tally) => void;
}

/** Counts of runs that could have hit (`runs` = hits + clean); errors, untestable and killed runs never count as clean. */
export interface Tally {
  readonly runs: number;
  readonly hits: number;
  readonly errors: number;
  readonly untestable: number;
  readonly killed: number;
  readonly classes: Readonly<Partial<Record<CrashClass, number>>>;
}

export interface RepeatResult extends Tally {
  readonly verdict: 'reproduced' | 'not-reproduced' | 'untestable';
  /** Interval of the hit rate at 95 %. */
  readonly rate: readonly [number, number];
  /** Without a hit: rates above this are excluded at 95 %. */
  readonly excluded?: number;
  readonly firstHit?: RunOutcome;
  /** The first run that was neither hit nor clean. */
  readonly firstError?: RunOutcome;
  /** The value that most runs returned. */
  readonly value?: string;
  readonly medianMs: number;
  /** Of all runs, each once. */
  readonly notes: readonly string[];
  /** Aborted, or out of time: the counts are what was seen until then. */
  readonly interrupted: boolean;
}

const mebibyte = 1024 * 1024;

/** The exit code of a child whose markers are lost, because its target closed or replaced the descriptor that they go to. */
const lostMarkersExitCode = 113;

/** A plan with the defaults of `repro` for a target and a scenario. */
export function defaultPlan(target: PreparedTarget, scenario: ScenarioName, overrides: Partial<RunPlan> = {}): RunPlan {
  return {
    target,
    scenario,
    workers: 8,
    calls: 8,
    timeoutMs: 20_000,
    env: {},
    amplifier: 'none',
    mainLoads: false,
    cycles: 3,
    seed: 1,
    maxOutputBytes: 16 * mebibyte,
    maxMemoryBytes: 4096 * mebibyte,
    maxDiskBytes: 1024 * mebibyte,
    hangIsHit: getScenario(scenario).hangIsHit,
    ...overrides,
  };
}

interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly verbatim?: boolean;
}

/** A target that imports nothing: what still goes wrong with it is the harness's, the amplifier's or the machine's fault. */
export const controlTarget: PreparedTarget = { kind: 'driver', label: 'nothing (control)', root: '', specifier: '' };

/** What only the shell itself can do, so that there is no program to put in its place. */
const shellWords =
  /^\s*(?:[.:!]|alias|break|case|cd|command|continue|eval|exec|exit|export|for|if|local|read|readonly|return|set|shift|source|times|trap|type|ulimit|umask|unalias|unset|until|wait|while)(?=\s|$)/;

function launchCommand(plan: RunPlan, folder: string, amplification: Amplification): Launch {
  const command = plan.target.command ?? '';
  const env = childEnvironment(process.env, folder, { ...commandEnvironment, ...amplification.env, ...plan.env });
  const cwd = plan.target.root;
  if (process.platform === 'win32') {
    return {
      file: process.env['ComSpec'] ?? 'cmd.exe',
      args: ['/d', '/s', '/c', `"${command}"`],
      cwd,
      env,
      verbatim: true,
    };
  }
  // `exec` in front lets the signal of the program reach us; a compound command keeps its shell and gives 128 + n.
  const isPlain = !/[;&|<>(){}\n`]|^\s*\w+=/.test(command) && !shellWords.test(command);
  const text = isPlain ? `exec ${command}` : command;
  const [file = '/bin/sh', ...rest] = [...amplification.wrapper, '/bin/sh', '-c', text];
  return { file, args: rest, cwd, env };
}

/** Node's diagnostic report of a fatal error goes to that folder; a crash by a signal leaves none. */
function reportFlags(folder: string, node: string | undefined): string[] {
  const flags = ['--report-on-fatalerror', `--report-directory=${folder}`, '--report-filename=report.json'];
  // The interfaces of this machine are nobody's business; older versions of Node do not know the flag.
  const leavesOut = '--report-exclude-network';
  return node === undefined && process.allowedNodeEnvironmentFlags.has(leavesOut) ? [...flags, leavesOut] : flags;
}

async function launchChild(plan: RunPlan, folder: string, amplification: Amplification): Promise<Launch> {
  const childPlan: ChildPlan = {
    scenario: plan.scenario,
    root: plan.target.root,
    specifier: plan.target.specifier,
    ...(plan.driver === undefined ? {} : { driver: plan.driver }),
    ...(plan.inputs === undefined ? {} : { inputs: plan.inputs }),
    ...(plan.callPlan === undefined ? {} : { callPlan: plan.callPlan }),
    workers: plan.workers,
    calls: plan.calls,
    callBudgetMs: Math.round(plan.timeoutMs * amplification.slowdown * 0.4),
    cycles: plan.cycles,
    mainLoads: plan.mainLoads,
    seed: plan.seed,
    lostMarkersExitCode,
    pump: amplification.pump,
  };
  const planFile = join(folder, 'plan.json');
  writeFileSync(planFile, JSON.stringify(childPlan));
  const flags = new Set([
    ...amplification.nodeFlags,
    ...(getScenario(plan.scenario).needsGc ? ['--expose-gc'] : []),
    ...(plan.nodeFlags ?? []),
    ...(plan.keepFolder === undefined ? [] : reportFlags(plan.keepFolder, plan.node)),
  ]);
  const command = [...amplification.wrapper, plan.node ?? process.execPath, ...flags, await locateHarness(), planFile];
  const [file = '', ...args] = command;
  return { file, args, cwd: folder, env: childEnvironment(process.env, folder, { ...amplification.env, ...plan.env }) };
}

/**
 * Core files are written only where evidence is kept, into a folder that stays: a core lands in the working folder of its
 * process, which for a command is the user's own.
 */
function withCores(launch: Launch, plan: RunPlan): Launch {
  if (process.platform === 'win32') return launch;
  const keeps = plan.keepFolder !== undefined;
  const cwd = plan.scenario === 'command' ? launch.cwd : (plan.keepFolder ?? launch.cwd);
  const limit = `ulimit -c ${keeps ? 'unlimited' : '0'}; exec "$@"`;
  return { ...launch, cwd, file: '/bin/sh', args: ['-c', limit, 'sh', launch.file, ...launch.args] };
}

interface LimitOutcome {
  readonly class: CrashClass;
  readonly detail: string;
  readonly kind: RunKind;
}

/** Limits that the runner enforces, as classes; none is a hit, and none counts as clean. */
function describeLimit(reason: Exclude<EndReason, 'exit' | 'timeout'>, plan: RunPlan): LimitOutcome {
  const size = (bytes: number): string => `${Math.round(bytes / mebibyte)} MB`;
  const error = (name: CrashClass, what: string): LimitOutcome => ({
    class: name,
    detail: `it ${what} and was stopped`,
    kind: 'not-hit-error',
  });
  switch (reason) {
    case 'output':
      return error('too-much-output', `wrote more than ${size(plan.maxOutputBytes)}`);
    case 'disk':
      return error('too-much-output', `filled its folder with more than ${size(plan.maxDiskBytes)}`);
    case 'memory':
      return error('too-much-memory', `took more than ${size(plan.maxMemoryBytes)} of memory`);
    case 'processes':
      return error('too-many-processes', `started more than ${mostProcesses} processes`);
    case 'aborted':
      return { class: 'interrupted', detail: 'the run was interrupted', kind: 'killed' };
    case 'spawn-error':
      return { class: 'spawn-error', detail: 'it could not be started', kind: 'untestable' };
  }
}

const kindOfOther: Readonly<Partial<Record<CrashClass, RunKind>>> = {
  clean: 'clean',
  killed: 'killed',
  'not-opened': 'untestable',
};

function isWatched({ amplifier }: RunPlan): boolean {
  return amplifier === 'guard-pages' || amplifier === 'valgrind';
}

function judgeCommand(
  plan: RunPlan,
  record: ProcessRecord,
): { readonly decided: Classification; readonly value?: string } {
  const decided = classify({
    platform: process.platform,
    exitCode: record.exitCode,
    signal: record.signal,
    stderr: record.stderr,
    timedOut: record.reason === 'timeout',
    hangIsHit: plan.hangIsHit,
    // A command may bring its own valgrind.
    watched: isWatched(plan) || /\bvalgrind\b/.test(plan.target.command ?? ''),
  });
  if (decided.class !== 'clean') return { decided };
  const value = hashText(record.stdout);
  if (plan.expected === undefined || plan.expected === value) return { decided, value };
  const lines = record.stdout
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .slice(0, 12);
  return {
    decided: { class: 'changed-value', hit: true, detail: 'it printed something else than the good twin', lines },
    value,
  };
}

/** What the markers add to the exit: errors of JavaScript that ended in exit code 0 or 1, values, and whether an addon was opened. */
function judgeChild(plan: RunPlan, record: ProcessRecord, markers: MarkerSummary): Classification {
  const decided = classify({
    platform: process.platform,
    exitCode: record.exitCode,
    signal: record.signal,
    stderr: record.stderr,
    timedOut: record.reason === 'timeout',
    done: markers.done,
    hangIsHit: plan.hangIsHit,
    watched: isWatched(plan),
  });
  const other = (name: CrashClass, detail: string, lines: readonly string[] = []): Classification => ({
    class: name,
    hit: false,
    detail,
    lines,
  });
  if (decided.hit && decided.class !== 'early-exit') {
    if (markers.opened.length === 0 && markers.opening === undefined && plan.target.specifier !== '') {
      return { ...decided, hit: false, detail: `${decided.detail}, before any addon was opened` };
    }
    return decided;
  }
  if (decided.class === 'killed' || decided.class === 'timeout' || decided.class === 'out-of-memory') return decided;
  const [error] = markers.errors;
  if (error !== undefined) {
    const isLoad =
      markers.openFailed !== undefined ||
      error.code === 'ERR_DLOPEN_FAILED' ||
      isLoadErrorMessage(`${error.code} ${error.message}`);
    return other(isLoad ? 'load-error' : 'javascript-error', error.message, error.stack.split('\n').slice(0, 8));
  }
  if (markers.changed !== undefined) {
    const { name, before, after } = markers.changed;
    return {
      class: 'changed-value',
      hit: true,
      detail: `'${name}' returned another value`,
      lines: [`undisturbed: ${before}`, `disturbed:   ${after}`],
    };
  }
  if (record.exitCode === lostMarkersExitCode && !markers.done) {
    return other(
      'not-opened',
      'the target closed file descriptor 3, through which the harness reports, so nothing can be said',
    );
  }
  if (markers.exitCalled && !markers.done) return other('exit-called', 'the target called process.exit');
  if (markers.drained > 0)
    return { class: 'early-exit', hit: true, detail: 'a call never settled, and the event loop ran empty', lines: [] };
  if (decided.class !== 'clean') return decided;
  if (plan.expected !== undefined && markers.value !== undefined && plan.expected !== markers.value) {
    return {
      class: 'changed-value',
      hit: true,
      detail: 'the driver returned another value than the good twin',
      lines: [markers.valueText ?? ''],
    };
  }
  if (plan.target.specifier === '') return decided;
  if (markers.opened.length === 0) return other('not-opened', 'no addon was opened, so nothing was tested');
  const scenario = getScenario(plan.scenario);
  if (scenario.needsBuffer && markers.bufferCalls === 0)
    return other(
      'not-opened',
      plan.driver === undefined
        ? 'no call takes a buffer and returns a promise, so nothing was tested'
        : "the driver's call reads the bytes of none of its inputs, so nothing was tested",
    );
  if (scenario.calls === 'all' && markers.returned === 0) {
    const why = markers.threw === 0 ? 'there was nothing to call' : `every call threw (${markers.firstThrow})`;
    return other('not-opened', `${why}, so nothing was tested`);
  }
  if (scenario.needsBuffer && markers.inFlight === 0)
    return other('not-opened', 'no call was still pending when its buffer was changed');
  return decided;
}

/** One bounded run of the plan in a process group of its own; never rejects. */
export async function runOnce(plan: RunPlan, signal?: AbortSignal): Promise<RunOutcome> {
  const amplification = prepareAmplifier(plan.amplifier);
  const empty = {
    exitCode: null,
    signal: null,
    stage: 'not started',
    durationMs: 0,
    evidenceLines: [],
    opened: [],
    calls: { returned: 0, threw: 0 },
  };
  if ('error' in amplification)
    return { ...empty, kind: 'untestable', class: 'spawn-error', detail: amplification.error, notes: [] };
  if (signal?.aborted === true)
    return { ...empty, kind: 'killed', class: 'interrupted', detail: 'the run was interrupted', notes: [] };
  const { keepFolder } = plan;
  let scratch: ScratchFolder;
  try {
    if (keepFolder !== undefined) makeFolder(keepFolder);
    scratch = makeScratchFolder('run');
  } catch (error) {
    const detail = `no folder could be made for the run: ${error instanceof Error ? error.message : String(error)}`;
    return { ...empty, kind: 'untestable', class: 'spawn-error', detail, notes: [] };
  }
  const folder = scratch.path;
  try {
    const isCommand = plan.scenario === 'command';
    const launch = withCores(
      isCommand ? launchCommand(plan, folder, amplification) : await launchChild(plan, folder, amplification),
      plan,
    );
    const lines: string[] = [];
    const record = await runBounded({
      ...launch,
      timeoutMs: plan.timeoutMs * amplification.slowdown,
      maxOutputBytes: plan.maxOutputBytes,
      maxMemoryBytes: plan.maxMemoryBytes * (amplification.slowdown > 1 ? 2 : 1),
      mark: ['LIFETIME_LINT_RUN', randomUUID()],
      folder: { path: folder, maxBytes: plan.maxDiskBytes },
      ...(signal === undefined ? {} : { signal }),
      ...(keepFolder === undefined ? {} : { beforeTimeoutKill: (pid: number) => traceHang(pid, keepFolder) }),
      ...(isCommand ? {} : { onMarker: (line: string) => void lines.push(line) }),
    });
    if (keepFolder !== undefined) writeFileSync(join(keepFolder, 'output.txt'), record.stdout + record.stderr);
    const markers = readMarkers(lines);
    const notes = [...markers.notes];
    if (record.leftovers > 0) notes.push('Processes that it had left behind were killed.');
    if (markers.forcedExits > 0)
      notes.push('Something of the target kept the event loop alive after its work; the harness ended it.');
    const common = {
      exitCode: record.exitCode,
      signal: record.signal,
      stage: isCommand ? 'command' : markers.stage,
      durationMs: record.durationMs,
      opened: markers.opened,
      calls: { returned: markers.returned, threw: markers.threw },
      notes,
    };
    if (record.reason !== 'exit' && record.reason !== 'timeout') {
      const limit = describeLimit(record.reason, plan);
      return {
        ...common,
        kind: limit.kind,
        class: limit.class,
        detail: record.error ?? limit.detail,
        evidenceLines: [],
      };
    }
    const { decided, value } = isCommand
      ? judgeCommand(plan, record)
      : { decided: judgeChild(plan, record, markers), value: markers.value };
    const kind: RunKind = decided.hit ? 'hit' : (kindOfOther[decided.class] ?? 'not-hit-error');
    return {
      ...common,
      kind,
      class: decided.class,
      detail: decided.detail,
      evidenceLines: decided.lines,
      ...(value === undefined ? {} : { value }),
    };
  } finally {
    scratch.remove();
  }
}

/** A growing tally: what `repeat` knows after each run. */
export class TallyBuilder implements Tally {
  runs = 0;
  hits = 0;
  errors = 0;
  untestable = 0;
  killed = 0;
  readonly classes: Partial<Record<CrashClass, number>> = {};

  add(outcome: RunOutcome): void {
    this.classes[outcome.class] = (this.classes[outcome.class] ?? 0) + 1;
    if (outcome.kind === 'hit') this.hits++;
    if (outcome.kind === 'hit' || outcome.kind === 'clean') this.runs++;
    else if (outcome.kind === 'untestable') this.untestable++;
    else if (outcome.kind === 'killed') this.killed++;
    else this.errors++;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Runs the plan until the verdict is clear; run i gets the seed `plan.seed + i`. */
export async function repeat(plan: RunPlan, options: RepeatOptions = {}): Promise<RepeatResult> {
  const maxRuns = options.maxRuns ?? 20;
  const stopAfterHits = options.stopAfterHits ?? 3;
  const started = performance.now();
  const tally = new TallyBuilder();
  const durations: number[] = [];
  const values = new Map<string, number>();
  let firstHit: RunOutcome | undefined;
  let firstError: RunOutcome | undefined;
  let interrupted = false;
  const notes = new Set<string>();
  const rule = {
    maxRuns,
    ...(stopAfterHits === 0 ? {} : { stopAfterHits }),
    ...(options.exclude === undefined ? {} : { exclude: options.exclude }),
  };
  for (let i = 0; tally.runs === 0 || !shouldStop(tally.hits, tally.runs, rule); i++) {
    if (maxRuns <= 0) break;
    if (
      options.signal?.aborted === true ||
      (options.budgetMs !== undefined && i > 0 && performance.now() - started > options.budgetMs)
    ) {
      interrupted = true;
      break;
    }
    let outcome = await runOnce({ ...plan, seed: plan.seed + i }, options.signal);
    // The first value is the reference; a later one that differs for equal input is a hit, whichever of the two is right.
    if (outcome.value !== undefined && outcome.kind === 'clean') {
      const [reference] = values.keys();
      if (reference !== undefined && reference !== outcome.value) {
        outcome = {
          ...outcome,
          kind: 'hit',
          class: 'changed-value',
          detail: 'the value differs between runs of equal input',
        };
      }
    }
    if (outcome.value !== undefined) values.set(outcome.value, (values.get(outcome.value) ?? 0) + 1);
    if (outcome.class === 'interrupted') {
      interrupted = true;
      break;
    }
    tally.add(outcome);
    durations.push(outcome.durationMs);
    for (const note of outcome.notes) notes.add(note);
    if (outcome.kind === 'hit') firstHit ??= outcome;
    else if (outcome.kind !== 'clean') firstError ??= outcome;
    options.onRun?.(outcome, tally);
    // What cannot be tested three times over will not be tested the fourth time either.
    const useless = tally.untestable + tally.errors + tally.killed;
    if (tally.runs === 0 && useless >= 3) break;
    if (useless >= maxRuns) break;
  }
  const [value] = [...values.entries()].sort((a, b) => b[1] - a[1])[0] ?? [];
  return {
    runs: tally.runs,
    hits: tally.hits,
    errors: tally.errors,
    untestable: tally.untestable,
    killed: tally.killed,
    classes: { ...tally.classes },
    verdict: tally.hits > 0 ? 'reproduced' : tally.runs > 0 ? 'not-reproduced' : 'untestable',
    rate: wilsonInterval(tally.hits, tally.runs),
    ...(tally.hits === 0 && tally.runs > 0 ? { excluded: excludedRate(tally.runs) } : {}),
    ...(firstHit === undefined ? {} : { firstHit }),
    ...(firstError === undefined ? {} : { firstError }),
    ...(value === undefined ? {} : { value }),
    medianMs: median(durations),
    notes: [...notes],
    interrupted,
  };
}
