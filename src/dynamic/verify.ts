import type { Evidence, Finding } from '../model/finding.js';
import type { EvidenceEntry } from './evidence-file.js';
import { fromEntry } from './evidence-file.js';
import {
  compareEvidence,
  describeCleanRefutation,
  findObstacle,
  findOtherSystem,
  hiddenReason,
  judge,
  refuteElsewhere,
  scenariosOf,
  type Host,
} from './judge.js';
import { reproduce, type ReproOptions, type ReproReport, type ScenarioReport } from './reproduce.js';
import { getScenario, type ScenarioName } from './scenario.js';

export interface VerifyOptions {
  readonly findings: readonly Finding[];
  /** Names of the scenarios of a rule. */
  readonly scenariosOfRule: (ruleId: string) => readonly string[];
  /** Undefined when there is nothing to run: every finding is then not-run. */
  readonly repro: ReproOptions | undefined;
  readonly host: Host;
  /** Stored results; what they hold for this target and system is not run again. */
  readonly stored: readonly EvidenceEntry[];
  readonly target: string;
  /** Told before anything runs: scenario and the number of findings that it can confirm. */
  readonly onPlan?: (steps: readonly PlannedStep[]) => void;
}

export interface PlannedStep {
  readonly scenario: ScenarioName;
  readonly findings: readonly Finding[];
  /** JavaScript names of the exports that reach the findings; undefined when one of them is not known to be reachable. */
  readonly exports?: readonly string[];
}

export interface VerifyResult {
  readonly findings: readonly Finding[];
  /** What was judged now, for the evidence file. */
  readonly judged: readonly { readonly finding: Finding; readonly evidence: Evidence }[];
  readonly reused: number;
  readonly interrupted: boolean;
  /** Nothing could be run although something was to be. */
  readonly error?: string;
}

/** Which scenarios are run for which findings, in the runner's order. */
export function planVerification(
  findings: readonly Finding[],
  scenariosOfRule: (ruleId: string) => readonly string[],
  isCommand: boolean,
): readonly PlannedStep[] {
  const steps = new Map<ScenarioName, Finding[]>();
  for (const finding of findings) {
    for (const name of scenariosOf(scenariosOfRule(finding.ruleId))) {
      if ((name === 'command') !== isCommand) continue;
      steps.set(name, [...(steps.get(name) ?? []), finding]);
    }
  }
  return [...steps.entries()].map(([scenario, wanted]) => {
    const exports = exportsFor(scenario, wanted);
    return { scenario, findings: wanted, ...(exports === undefined ? {} : { exports }) };
  });
}

/** The exports that reach the findings, where the scenario makes calls and each finding says how it is reached. */
function exportsFor(scenario: ScenarioName, findings: readonly Finding[]): readonly string[] | undefined {
  const names = findings.map((finding) => finding.reachableFrom?.map(({ js }) => js.split(/[.#]/)[0] ?? js) ?? []);
  const restricts = getScenario(scenario).calls === 'all' && names.every((list) => list.length > 0);
  return restricts ? [...new Set(names.flat())] : undefined;
}

/**
 * Runs the scenarios that can confirm the findings and attaches what they said. Every finding of the input is in the output,
 * with the same severity and confidence: evidence only adds.
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const { findings, repro, host, stored, target } = options;
  const offered = repro === undefined ? 'nothing' : repro.spec.kind === 'command' ? 'command' : 'addon';
  const platform = `${host.platform}-${host.arch}`;
  const evidence = new Map<string, Evidence[]>();
  const add = (finding: Finding, item: Evidence): void => {
    evidence.set(finding.fingerprint, [...(evidence.get(finding.fingerprint) ?? []), item]);
  };
  const judged: { finding: Finding; evidence: Evidence }[] = [];
  const conclude = (finding: Finding, item: Evidence): void => {
    add(finding, item);
    judged.push({ finding, evidence: item });
  };

  const open: Finding[] = [];
  /** Findings about other systems: a crash here can still speak against them. */
  const elsewhere: Finding[] = [];
  const crashes: ScenarioReport[] = [];
  let reused = 0;
  for (const finding of findings) {
    const known = stored.filter(
      (entry) =>
        entry.fingerprint === finding.fingerprint &&
        entry.platform === platform &&
        (repro === undefined || entry.target === target),
    );
    // What a crash here said against a theory about another system was learnt by running, too.
    const useful = known.filter(({ verdict, refutes }) => verdict !== 'not-run' || refutes !== undefined);
    if (useful.length > 0) {
      reused++;
      for (const entry of useful) add(finding, fromEntry(entry));
      continue;
    }
    if (findOtherSystem(finding, host) !== undefined) elsewhere.push(finding);
    const obstacle = findObstacle(finding, scenariosOf(options.scenariosOfRule(finding.ruleId)), host, offered);
    if (obstacle === undefined) open.push(finding);
    else if (!elsewhere.includes(finding)) conclude(finding, { verdict: 'not-run', reason: obstacle, platform });
  }

  let error: string | undefined;
  let interrupted = false;
  if (repro !== undefined && open.length > 0) {
    const steps = planVerification(open, options.scenariosOfRule, offered === 'command');
    options.onPlan?.(steps);
    for (const step of steps) {
      // A finding that a run has pointed at needs no second scenario.
      let waiting = step.findings.filter(
        ({ fingerprint }) =>
          evidence.get(fingerprint)?.some((item) => item.verdict === 'confirmed' && item.attributed === true) !== true,
      );
      // A crash that points at some findings hides the others: they are run again, with the calls that reach them.
      for (
        let exports = exportsFor(step.scenario, waiting);
        waiting.length > 0 && error === undefined && !interrupted;
      ) {
        const report = await reproduce({
          ...repro,
          scenarios: [step.scenario],
          ...(exports === undefined ? {} : { exports }),
        });
        if ('error' in report) {
          error = report.error;
          for (const finding of waiting)
            conclude(finding, { verdict: 'not-run', reason: report.error, scenario: step.scenario, platform });
          break;
        }
        interrupted ||= report.interrupted;
        const [scenario] = report.scenarios;
        if (scenario === undefined) break;
        if (scenario.verdict === 'reproduced') crashes.push(scenario);
        const items = waiting.map((finding) => ({ finding, item: judgeStep(finding, scenario, report) }));
        const all = items.map(({ item }) => item);
        const told = items.map(({ finding, item }) => ({ finding, item: tellApart(item, all) }));
        const hidden = told.filter(({ item }) => item.reason === hiddenReason).map(({ finding }) => finding);
        const shown = told.filter(({ item }) => item.reason !== hiddenReason);
        exports = exportsApart(
          hidden,
          shown.flatMap(({ finding, item }) => (item.attributed === true ? [finding] : [])),
        );
        const goesOn = exports !== undefined && !interrupted;
        for (const { finding, item } of goesOn ? shown : told) conclude(finding, item);
        waiting = goesOn ? hidden : [];
      }
      if (interrupted || error !== undefined) break;
    }
  }
  for (const finding of elsewhere) {
    const names = scenariosOf(options.scenariosOfRule(finding.ruleId));
    const crash = crashes.find(({ name }) => names.includes(name));
    const reason = findOtherSystem(finding, host) ?? 'it happens on another system';
    conclude(finding, {
      verdict: 'not-run',
      reason,
      platform,
      ...(crash === undefined ? {} : { refutes: refuteElsewhere(crash, platform) }),
    });
  }
  return {
    findings: findings.map((finding) => withEvidence(finding, evidence.get(finding.fingerprint), interrupted)),
    judged,
    reused,
    interrupted,
    ...(error === undefined ? {} : { error }),
  };
}

function judgeStep(finding: Finding, scenario: ScenarioReport, report: ReproReport): Evidence {
  const item = judge(finding, { report: scenario, platform: report.platform });
  const refutes = item.refutes ?? describeCleanRefutation(finding.ruleId, item);
  return refutes === undefined ? item : { ...item, refutes };
}

/** The exports that reach the hidden findings and none of those that the run pointed at; undefined when there are none. */
function exportsApart(hidden: readonly Finding[], shown: readonly Finding[]): readonly string[] | undefined {
  const names = (findings: readonly Finding[]): readonly string[] =>
    findings.flatMap(({ reachableFrom = [] }) => reachableFrom.map(({ js }) => js.split(/[.#]/)[0] ?? js));
  const taken = new Set(names(shown));
  const left = names(hidden).filter((name) => !taken.has(name));
  return left.length === 0 ? undefined : [...new Set(left)];
}

/**
 * One crash cannot confirm several findings by itself: when the run points at one of them, the others stay open, and when it
 * points at none, each says so.
 */
function tellApart(item: Evidence, all: readonly Evidence[]): Evidence {
  const confirmed = all.filter(({ verdict }) => verdict === 'confirmed');
  if (item.verdict !== 'confirmed' || item.attributed === true || confirmed.length < 2) return item;
  if (!confirmed.some(({ attributed }) => attributed === true)) {
    return { ...item, reason: `the run does not tell which of ${confirmed.length} findings it was` };
  }
  const { scenario, platform } = item;
  return {
    verdict: 'not-run',
    reason: hiddenReason,
    ...(scenario === undefined ? {} : { scenario }),
    ...(platform === undefined ? {} : { platform }),
  };
}

/** The best evidence first: reporters that show one line show that one. */
function withEvidence(finding: Finding, items: readonly Evidence[] | undefined, interrupted: boolean): Finding {
  const list = items ?? [
    { verdict: 'not-run' as const, reason: interrupted ? 'it was interrupted' : 'another scenario failed to start' },
  ];
  return { ...finding, evidence: [...(finding.evidence ?? []), ...list].sort(compareEvidence) };
}
