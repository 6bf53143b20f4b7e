import type { CallPlan } from "./call-plan.js";
import type { CrashClass } from "./crash-class.js";
import type { ScenarioName } from "./scenario.js";
import type { PreparedTarget } from "./target.js";
import type { AmplifierName } from "./amplifier.js";

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
  /** The Node that runs the child; the parent's own by default. */
  readonly node?: string;
  readonly nodeFlags?: readonly string[];
  /** Whether a run that does not end is a hit. Set when a good twin, or the control run, ends. */
  readonly hangIsHit: boolean;
  /** What a good twin returned for the same calls; a different value is a hit. */
  readonly expected?: string;
  /** Keep the run's folder, core file and report for evidence. */
  readonly keep?: string;
}

export type RunKind =
  "hit" | "clean" | "not-hit-error" | "untestable" | "killed";

export interface RunOutcome {
  readonly kind: RunKind;
  readonly class: CrashClass;
  /** The signal, status, report line or message that decided the class. */
  readonly detail: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last marker: `start`, `dlopen FILE`, `call 6`, `cycle 2`, `done`, … */
  readonly stage: string;
  readonly durationMs: number;
  readonly evidenceLines: readonly string[];
  /** The oracle: a digest of what the calls returned, or of a command's stdout. */
  readonly value?: string;
  /** Addons that were opened, by file name. */
  readonly opened: readonly string[];
  /** Calls that were finished. */
  readonly calls: number;
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

/** Counts of runs that could have hit: errors, untestable and killed runs are told apart and never count as clean. */
export interface Tally {
  readonly runs: number;
  readonly hits: number;
  readonly errors: number;
  readonly untestable: number;
  readonly killed: number;
  readonly classes: Readonly<Partial<Record<CrashClass, number>>>;
}

export interface RepeatResult extends Tally {
  readonly verdict: "reproduced" | "not-reproduced" | "untestable";
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
  /** Aborted, or out of time: the counts are what was seen until then. */
  readonly interrupted: boolean;
}

/** One bounded run of the plan in a process group of its own; never rejects. */
export declare function runOnce(
  plan: RunPlan,
  signal?: AbortSignal,
): Promise<RunOutcome>;

/** Runs the plan until the verdict is clear; run i gets the seed `plan.seed + i`. */
export declare function repeat(
  plan: RunPlan,
  options?: RepeatOptions,
): Promise<RepeatResult>;

/** A plan with the defaults of `repro` (docs/dynamic.md) for a target and a scenario. */
export declare function defaultPlan(
  target: PreparedTarget,
  scenario: ScenarioName,
  overrides?: Partial<RunPlan>,
): RunPlan;
