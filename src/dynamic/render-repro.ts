import type { ArgumentSpec, CallPlan } from './call-plan.js';
import { takesSamples } from './child/argument-parts.js';
import type { Frame } from './backtrace.js';
import type { Least } from './minimum.js';
import type { Attempt, ReproReport, ScenarioReport } from './reproduce.js';
import { getScenario } from './scenario.js';
import { formatPercent } from './statistics.js';

/** `3 of 3 runs (44 % to 100 %)`. */
function describeCounts({ runs, hits, rate }: Pick<Attempt, 'runs' | 'hits' | 'rate'>): string {
  return `${hits} of ${runs} ${runs === 1 ? 'run' : 'runs'} (${formatPercent(rate[0])} to ${formatPercent(rate[1])})`;
}

function describeAmplifier(name: string): string {
  return name === 'none' ? 'without an amplifier' : `with the amplifier '${name}'`;
}

/** The number, and what was seen with it and with one less. */
function describeLeast(what: string, { smallest, table }: Least): string {
  const seen = (count: number): string[] => {
    const row = table.find((entry) => entry.count === count);
    return row === undefined ? [] : [`${row.hits} of ${row.runs} runs with ${count}`];
  };
  const counts = [...seen(smallest - 1), ...seen(smallest)];
  return `The smallest number of ${what} that still crashes is ${smallest}${counts.length === 0 ? '' : ` (${counts.join(', ')})`}.`;
}

/** `memory-fault 3, changed-value 1`, clean runs left out. */
function describeClasses(classes: ScenarioReport['classes']): string {
  return Object.entries(classes)
    .filter(([name]) => name !== 'clean')
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function describeFrame({ name, file, line }: Frame): string {
  return file === undefined ? name : `${name} (${file}:${line ?? 0})`;
}

/** Scenarios that could not be run for one and the same reason are one entry. */
function groupAlike(reports: readonly ScenarioReport[]): readonly (readonly [ScenarioReport, ...ScenarioReport[]])[] {
  const groups: [ScenarioReport, ...ScenarioReport[]][] = [];
  const isBare = ({ verdict, notes, artifacts }: ScenarioReport): boolean =>
    verdict === 'untestable' && notes.length === 0 && artifacts.length === 0;
  for (const report of reports) {
    const alike = groups.find(([first]) => isBare(first) && isBare(report) && first.reason === report.reason);
    if (alike === undefined) groups.push([report]);
    else alike.push(report);
  }
  return groups;
}

function renderScenario([report, ...alike]: readonly [ScenarioReport, ...ScenarioReport[]]): string[] {
  const names = [report, ...alike].map((one) => one.name);
  const { name, verdict, hit } = report;
  const lines: string[] = [];
  if (verdict === 'untestable') {
    lines.push(`${names.join(', ')}: not run. ${sentence(report.reason ?? 'Nothing could be tested')}`);
  } else if (verdict === 'reproduced' && hit !== undefined) {
    const { countsWorkers, growsWithCalls } = getScenario(name);
    lines.push(
      `${name}: reproduced in ${describeCounts(report)} ${describeAmplifier(report.amplifier)}${countsWorkers ? `, ${report.workers} workers` : ''}${growsWithCalls ? `, ${report.calls} calls` : ''}.`,
    );
    lines.push(`  ${describeClasses(report.classes)}; ${hit.detail}; last seen: ${hit.stage}.`);
    for (const line of hit.lines.slice(0, 8)) lines.push(`    ${line}`);
    for (const frame of (report.frames ?? []).slice(0, 12)) lines.push(`    at ${describeFrame(frame)}`);
  } else {
    const excluded =
      report.excluded === undefined
        ? ''
        : ` with ${report.runs} clean ${report.runs === 1 ? 'run' : 'runs'} a crash rate above ${formatPercent(report.excluded)} is excluded at 95 %.`;
    lines.push(`${name}: not reproduced;${excluded}`);
    for (const attempt of report.attempts.filter(({ amplifier }) => amplifier !== 'none')) {
      lines.push(`  ${describeCounts(attempt)} ${describeAmplifier(attempt.amplifier)}.`);
    }
  }
  const { minimum, twin } = report;
  // What else there is to say of a twin, that it fails or cannot be run, is a note.
  if (twin !== undefined && twin.runs > 0 && twin.hits === 0)
    lines.push(`  The good twin: 0 of ${twin.runs} ${twin.runs === 1 ? 'run' : 'runs'}.`);
  if (minimum?.workers !== undefined) lines.push(`  ${describeLeast('workers', minimum.workers)}`);
  if (minimum?.calls !== undefined)
    lines.push(`  ${describeLeast(minimum.workers === undefined ? 'calls' : 'calls of each worker', minimum.calls)}`);
  for (const note of report.notes) lines.push(`  ${note}`);
  for (const artifact of report.artifacts) lines.push(`  kept: ${artifact}`);
  return lines;
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? '' : '.'}`;
}

const verdicts = {
  reproduced: 'Reproduced',
  'not-reproduced': 'Not reproduced',
  untestable: 'Nothing could be tested',
} as const;

/** The report for people, with a line break at its end. */
export function renderRepro(report: ReproReport): string {
  const head = `${report.target} on ${report.platform}, Node ${report.node}`;
  const lines = [head, '', ...groupAlike(report.scenarios).flatMap(renderScenario), ''];
  if (report.interrupted) lines.push('It was interrupted; the counts are what was seen until then.');
  for (const note of report.notes) lines.push(note);
  lines.push(`${verdicts[report.verdict]}.`);
  return `${lines.join('\n')}\n`;
}

function describeArgument(spec: ArgumentSpec): string {
  switch (spec.kind) {
    case 'json':
      return JSON.stringify(spec.value);
    case 'text':
      return spec.role === 'source' ? '<text>' : JSON.stringify(spec.value);
    case 'bigint':
      return `${spec.value}n`;
    case 'buffer':
      return `<${spec.type} of ${spec.bytes} bytes>`;
    case 'array':
      return `[${spec.items.map(describeArgument).join(', ')}]`;
    case 'object':
      return `{ ${Object.entries(spec.fields)
        .map(([name, field]) => `${name}: ${describeArgument(field)}`)
        .join(', ')} }`;
    case 'instance':
      return `<${spec.class}>`;
    case 'undefined':
    case 'function':
    case 'promise':
    case 'date':
    case 'abort-signal':
      return `<${spec.kind}>`;
  }
}

/** The calls that will be made, for the standard error, before any is; `inputs` is the folder of the user's sample files. */
export function renderCallPlan(plan: CallPlan, inputs?: string): string {
  const lines = [`Planned from ${plan.source}: ${plan.calls.length} ${plan.calls.length === 1 ? 'call' : 'calls'}.`];
  for (const call of plan.calls.slice(0, 40)) {
    const marks = [...(call.async ? ['async'] : []), ...(call.buffers.length > 0 ? ['buffer'] : [])];
    lines.push(
      `  ${call.name}(${call.parameters.map(describeArgument).join(', ')})${marks.length === 0 ? '' : `  ${marks.join(', ')}`}`,
    );
  }
  if (plan.calls.length > 40) lines.push(`  and ${plan.calls.length - 40} more.`);
  if (plan.calls.some((call) => call.parameters.some(takesSamples)))
    lines.push(
      inputs === undefined
        ? '  Buffers and texts that are refused are tried again as JavaScript, CSS, JSON, SVG and PNG.'
        : `  Buffers, texts and file names are those of the files in '${inputs}', in turn.`,
    );
  for (const { name, reason } of plan.skipped.slice(0, 10)) lines.push(`  '${name}' is left out: ${reason}.`);
  return `${lines.join('\n')}\n`;
}

/** One JSON document, version 1 (docs/dynamic.md). */
export function renderReproJson(report: ReproReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
