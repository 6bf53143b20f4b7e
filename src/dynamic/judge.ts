import type { Evidence, Finding } from '../model/finding.js';
import { describeCause, rulesOfCause, type Cause, type Frame } from './backtrace.js';
import type { CrashClass } from './crash-class.js';
import type { ScenarioReport } from './reproduce.js';
import { getScenario, isScenarioName, type ScenarioName } from './scenario.js';

/** The system that the runs happen on, as far as a finding's targets can speak about it. */
export interface Host {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
}

const systemOf: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'linux',
  darwin: 'apple-darwin',
  win32: 'windows',
  freebsd: 'freebsd',
  android: 'android',
};

/** Whether one of the target triples is this host's system; the processor is not asked, because lifetimes do not depend on it. */
export function holdsHere(targets: readonly string[] | undefined, host: Host): boolean {
  if (targets === undefined || targets.length === 0) return true;
  const system = systemOf[host.platform];
  return targets.some(
    (target) => system !== undefined && target.includes(system) && (system !== 'linux' || !target.includes('android')),
  );
}

/** Rules about what only one system does, whatever targets the code is built for. */
const systemOfRule: Readonly<Partial<Record<string, NodeJS.Platform>>> = { 'loader-process-report': 'win32' };

/** Why the finding's bug cannot happen on this host; undefined when it can. */
export function findOtherSystem(finding: Finding, host: Host): string | undefined {
  const here = `${host.platform}-${host.arch}`;
  const only = systemOfRule[finding.ruleId];
  if (only !== undefined && only !== host.platform) return `it happens on ${only} only, and this is ${here}`;
  if (holdsHere(finding.targets, host)) return undefined;
  return `the finding holds for ${(finding.targets ?? []).join(', ')} only, and this is ${here}`;
}

/** What a crash here says about a theory that holds elsewhere: it is not the cause of this crash. */
export function refuteElsewhere(report: ScenarioReport, platform: string): string {
  const { cause } = report;
  const known = isCause(cause) ? ` ${describeCause(cause)}` : '';
  return `The scenario '${report.name}' crashes on ${platform} as well, where this does not hold, so that crash has another cause.${known}`;
}

/** Why a finding cannot be run at all; undefined when it can. */
export function findObstacle(
  finding: Finding,
  scenarios: readonly ScenarioName[],
  host: Host,
  offered: 'addon' | 'command' | 'nothing',
): string | undefined {
  if (scenarios.length === 0) return 'no scenario can confirm this rule';
  const elsewhere = findOtherSystem(finding, host);
  if (elsewhere !== undefined) return elsewhere;
  if (offered === 'nothing') return 'there is nothing to run; give --package, --addon or --command';
  const fitting = scenarios.filter((name) => (name === 'command') === (offered === 'command'));
  if (fitting.length > 0) return undefined;
  return offered === 'command'
    ? 'this rule needs an addon, and a command was given'
    : 'this rule needs a program of its own; give --command';
}

/** The scenario names of a rule that the runner knows, in its own order of worth: those of the rule. */
export function scenariosOf(names: readonly string[]): readonly ScenarioName[] {
  return names.filter(isScenarioName);
}

/** Crash classes that no lifetime bug of the rule could have caused are not taken for it. */
const fitsRule: Readonly<Record<string, readonly CrashClass[]>> = {
  'buffer-across-await': [
    'changed-value',
    'memory-fault',
    'guard-page',
    'sanitizer',
    'valgrind',
    'heap-corruption',
    'trap',
    'v8-check',
  ],
  'buffer-off-thread': [
    'changed-value',
    'memory-fault',
    'guard-page',
    'sanitizer',
    'valgrind',
    'heap-corruption',
    'trap',
    'v8-check',
  ],
  'buffer-mutated-in-flight': [
    'changed-value',
    'memory-fault',
    'guard-page',
    'sanitizer',
    'valgrind',
    'heap-corruption',
  ],
  'buffer-transferred-in-flight': [
    'changed-value',
    'memory-fault',
    'guard-page',
    'sanitizer',
    'valgrind',
    'heap-corruption',
    'trap',
  ],
  'loop-variable-capture': ['runtime-assertion', 'changed-value'],
  'append-stomp': ['runtime-assertion', 'changed-value'],
  'reused-buffer-slice': ['runtime-assertion', 'changed-value'],
  'finalizer-touches-gc': ['runtime-assertion', 'memory-fault', 'abort', 'trap', 'hang'],
  'loader-process-report': ['heap-corruption', 'memory-fault', 'fail-fast', 'trap', 'abort'],
};

/** Rules whose bug needs the addon to be unloaded. */
const unloadRules: ReadonlySet<string> = new Set([
  'allocator-in-addon',
  'unpinned-addon',
  'threads-outlive-addon',
  'addon-only-in-workers',
]);

function fits(ruleId: string, hit: CrashClass): boolean {
  const classes = fitsRule[ruleId];
  return classes === undefined ? hit !== 'early-exit' : classes.includes(hit);
}

/** Whether two paths name the same file as far as they go: debug information has other roots than the scan. */
export function isSamePath(a: string, b: string): boolean {
  const left = a.split(/[\\/]/).reverse();
  const right = b.split(/[\\/]/).reverse();
  const length = Math.min(left.length, right.length);
  // A bare file name such as lib.rs would match everywhere.
  return length >= 2 && left.slice(0, length).every((part, i) => part === right[i]);
}

/** Source files that lines of a report name: `src/pool.d:55`, `pool/app.d(12)`. */
function findPlaces(lines: readonly string[]): string[] {
  return lines.flatMap((line) =>
    [...line.matchAll(/([^\s@:(]+\.(?:rs|d|di|c|cc|cpp|h|zig))[:(]\d+/g)].map((match) => match[1] ?? ''),
  );
}

/** Whether a frame, a reported line or a changed value points into the finding's path. */
function isAttributed(finding: Finding, report: ScenarioReport): boolean {
  const paths = [finding.location.path, ...finding.steps.map(({ path }) => path)];
  const frames: readonly Frame[] = report.frames ?? [];
  const reported = findPlaces(report.hit?.lines ?? []);
  const places = [...frames.flatMap(({ file }) => (file === undefined ? [] : [file])), ...reported];
  if (places.some((file) => paths.some((path) => isSamePath(file, path)))) return true;
  const exported = finding.reachableFrom ?? [];
  const rustNames = exported.map(({ rust }) => rust.split('::').at(-1) ?? rust);
  if (
    frames.some(({ name }) => rustNames.some((rust) => name.split('::').at(-1)?.replace(/\(.*$/, '').trim() === rust))
  )
    return true;
  const text = [report.hit?.detail ?? '', report.hit?.stage ?? ''];
  const jsNames = exported.flatMap(({ js }) => [js, js.replace('.', '#'), js.split(/[.#]/).at(-1) ?? js]);
  // `'sum' returned another value` and `call 3, 'Pool#finish'` name what was called.
  return jsNames.some((js) => text.some((line) => line.includes(`'${js}'`)));
}

/** Whether a changed value is one of a call of the target: a driver's calls have numbers, and workers are compared whole. */
function namesCall(detail: string): boolean {
  const name = /^'(.+)' returned another value$/.exec(detail)?.[1];
  return name !== undefined && !/^(?:call \d+|one worker)$/.test(name);
}

/** Why a finding stays open although the scenario reproduced something. */
export const hiddenReason = 'the run points at another finding, which hides this one';

export interface JudgedRun {
  readonly report: ScenarioReport;
  readonly platform: string;
}

function isCause(text: string | undefined): text is Cause {
  return text !== undefined && text in rulesOfCause;
}

/** What a reproduced scenario says against a rule's theory; undefined when it agrees or is silent. */
export function findRefutation(ruleId: string, report: ScenarioReport): string | undefined {
  const { cause, differential } = report;
  if (
    isCause(cause) &&
    !rulesOfCause[cause].includes(ruleId) &&
    (unloadRules.has(ruleId) || rulesOfCause[cause].length > 0)
  ) {
    return `The crash has another cause. ${describeCause(cause)}`;
  }
  if (unloadRules.has(ruleId) && differential !== undefined && differential.mainLoads.hits > 0) {
    return 'It crashes as well when the main thread keeps the addon loaded, so unloading is not its cause.';
  }
  // Whether the main thread loads it too is all that `addon-only-in-workers` is about; the others need the image to go.
  if (unloadRules.has(ruleId) && ruleId !== 'addon-only-in-workers' && (differential?.imageKept?.hits ?? 0) > 0) {
    return 'It crashes as well when the image of the addon stays in memory, so unloading is not its cause.';
  }
  return undefined;
}

/** The evidence of one scenario for one finding. */
export function judge(finding: Finding, { report, platform }: JudgedRun): Evidence {
  const { name, verdict, runs, hits, amplifier, rate, excluded, hit } = report;
  if (verdict === 'untestable') {
    return { verdict: 'not-run', reason: report.reason ?? 'nothing could be tested', scenario: name, platform };
  }
  const common = { scenario: name, amplifier, runs, hits, platform };
  if (verdict === 'not-reproduced') {
    return { verdict: 'not-reproduced', ...common, ...(excluded === undefined ? {} : { excludedRate: excluded }) };
  }
  const refutes = findRefutation(finding.ruleId, report);
  const crashClass = hit?.class;
  const lines = hit?.lines ?? [];
  const found = {
    ...common,
    rate,
    ...(crashClass === undefined ? {} : { crashClass }),
    ...(report.artifacts.length === 0 ? {} : { artifacts: report.artifacts }),
    ...(lines.length === 0 ? {} : { lines }),
  };
  if (refutes !== undefined) return { verdict: 'not-reproduced', ...found, refutes };
  if (crashClass === undefined || !fits(finding.ruleId, crashClass)) {
    return {
      verdict: 'not-reproduced',
      ...found,
      reason: `it ended as '${crashClass ?? 'nothing'}', which this bug does not cause`,
    };
  }
  const attributed = isAttributed(finding, report);
  if (!attributed && (finding.reachableFrom?.length ?? 0) > 0 && namesCall(hit?.detail ?? ''))
    return { verdict: 'not-run', reason: hiddenReason, scenario: name, platform };
  const cause = isCause(report.cause) ? { cause: describeCause(report.cause) } : {};
  return { verdict: 'confirmed', ...found, attributed, ...cause };
}

/** One theory against another: when several findings share a crash, those that a run points at are told from the rest. */
export function compareEvidence(a: Evidence, b: Evidence): number {
  const order = { confirmed: 0, 'not-reproduced': 1, 'not-run': 2 } as const;
  return order[a.verdict] - order[b.verdict] || Number(b.attributed === true) - Number(a.attributed === true);
}

/** A refutation by a clean run: a theory about this system that many runs do not show. */
export function describeCleanRefutation(ruleId: string, evidence: Evidence): string | undefined {
  if (
    evidence.verdict !== 'not-reproduced' ||
    evidence.hits !== 0 ||
    evidence.excludedRate === undefined ||
    evidence.excludedRate > 0.15
  )
    return undefined;
  if (!unloadRules.has(ruleId) || evidence.scenario === undefined || !isScenarioName(evidence.scenario))
    return undefined;
  if (getScenario(evidence.scenario).calls !== 'none') return undefined;
  return `As an explanation of a crash that happens often on ${evidence.platform ?? 'this system'} it is unlikely: ${evidence.runs ?? 0} runs were clean.`;
}
