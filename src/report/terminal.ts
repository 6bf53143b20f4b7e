import picocolors from 'picocolors';
import type { Finding, Gap, GapKind, Severity } from '../model/finding.js';
import { gapKinds } from '../catalog/gap-kinds.js';
import { findLineStarts, lineTextAt } from '../model/source.js';
import { count, summaryLine } from './counts.js';
import { describeEvidence } from './describe-evidence.js';
import { drawFrame, type FrameStyle, type Label } from './frame.js';
import { relatedFindings } from './related-findings.js';
import type { Reporter, ReportInput } from './report.js';
import { visible } from './source-line.js';

type Colors = ReturnType<typeof picocolors.createColors>;

/** How many gaps of one kind are written out; the other formats list them all. */
const shownGaps = 5;
const shownTargets = 6;

/** The default view: one frame per finding with a label per step, then the gaps, then one summary line. */
export const reportTerminal: Reporter = (input) => {
  const { result, options } = input;
  const colors = picocolors.createColors(options.color);
  const lines = lineReader(input);
  const blocks = result.findings.map((finding) => renderFinding(finding, input, lines, colors));
  if (options.reportSuppressed) {
    for (const { finding, by, reason } of result.suppressed) {
      blocks.push(renderFinding(finding, input, lines, colors, `suppressed by ${by}: ${reason}`));
    }
  }
  if (options.statistics) blocks.push(renderStatistics(input));
  if (!options.quiet) {
    if (result.gaps.length > 0) blocks.push(renderGaps(result.gaps, colors));
    blocks.push([colors.bold(summaryLine(result))]);
  }
  return blocks.map((lines) => `${lines.join('\n')}\n`).join('\n');
};

/** Gives the lines of a file by its path: their text by their 1-based number, or undefined where the file can't be read. */
type LineReader = (path: string) => ((line: number) => string) | undefined;

function lineReader(input: ReportInput): LineReader {
  const known = new Map<string, ReturnType<LineReader>>();
  return (path) => {
    if (!known.has(path)) {
      const text = input.textOf(path);
      const starts = findLineStarts(text ?? '');
      known.set(path, text === undefined ? undefined : (line) => lineTextAt(text, starts, line));
    }
    return known.get(path);
  };
}

function renderFinding(
  finding: Finding,
  input: ReportInput,
  lines: LineReader,
  colors: Colors,
  remark?: string,
): readonly string[] {
  const { location } = finding;
  const paint = severityPaint(finding.severity, colors);
  const byPath = new Map<string, Label[]>([[location.path, []]]);
  const isPrimaryStep = finding.steps.map(
    ({ path, line, column }) =>
      path === location.path && line === location.startLine && column === location.startColumn,
  );
  finding.steps.forEach((step, index) => {
    const number = finding.steps.length > 1 ? `${index + 1}. ` : '';
    const labels = byPath.get(step.path) ?? [];
    labels.push({
      line: step.line,
      column: step.column,
      endColumn: step.endColumn ?? step.column + 1,
      text: `${number}${step.role}: ${step.note}`,
      isPrimary: isPrimaryStep[index] === true,
    });
    byPath.set(step.path, labels);
  });
  if (!isPrimaryStep.includes(true)) {
    const endColumn = location.endLine === location.startLine ? location.endColumn : Number.MAX_SAFE_INTEGER;
    byPath.get(location.path)?.push({
      line: location.startLine,
      column: location.startColumn,
      endColumn: Math.min(endColumn, (lines(location.path)?.(location.startLine) ?? '').trimEnd().length + 1),
      text: '',
      isPrimary: true,
    });
  }

  const numberWidth = String(Math.max(...[...byPath.values()].flat().map(({ line }) => line))).length;
  const style: FrameStyle = {
    gutter: (text) => colors.bold(colors.blue(text)),
    primary: (text) => colors.bold(paint(text)),
    secondary: (text) => colors.bold(colors.blue(text)),
  };
  const indent = ' '.repeat(numberWidth);
  const rows = [
    `${colors.bold(paint(`${finding.severity}[${finding.ruleId}]`))}${colors.bold(`: ${visible(finding.message)}`)}`,
  ];
  for (const [path, labels] of byPath) {
    const isPrimary = path === location.path;
    const { line, column } = isPrimary
      ? { line: location.startLine, column: location.startColumn }
      : (labels[0] ?? { line: 1, column: 1 });
    rows.push(`${indent}${style.gutter(isPrimary ? '-->' : ':::')} ${visible(path)}:${line}:${column}`);
    const lineAt = lines(path);
    if (lineAt === undefined) {
      rows.push(
        ...labels
          .filter((label) => label.text !== '')
          .map((label) => `${indent} ${style.gutter('|')} ${visible(label.text)}`),
      );
    } else rows.push(...drawFrame(lineAt, labels, { numberWidth, columns: input.options.columns, style }));
  }
  rows.push(style.gutter(`${indent} |`));
  const remarks = [
    ...(finding.confidence === 'high' ? [] : [['confidence', finding.confidence]]),
    ...(finding.targets === undefined || finding.targets.length === 0
      ? []
      : [['targets', joinTargets(finding.targets)]]),
    ...(finding.reachableFrom ?? []).map(({ rust, js }) => ['reachable', `'${rust}' is '${js}' in JavaScript.`]),
    ...(finding.fixedIn === undefined ? [] : [['fixed in', finding.fixedIn]]),
    ...(finding.evidence ?? []).map((evidence) => ['evidence', describeEvidence(evidence)]),
    ...relatedFindings(finding, input.result).map(({ ruleId, location: { path, startLine } }) => [
      'see also',
      `${ruleId} at ${path}:${startLine}`,
    ]),
    ...(remark === undefined ? [] : [['note', remark]]),
    ['help', `lifetime-lint explain ${finding.ruleId}  ${input.catalog.find(finding.ruleId)?.url ?? ''}`.trimEnd()],
  ];
  for (const [name, text] of remarks) {
    rows.push(`${indent} ${style.gutter('=')} ${colors.bold(`${name ?? ''}:`)} ${visible(text ?? '')}`);
  }
  return rows;
}

function joinTargets(targets: readonly string[]): string {
  const rest = targets.length - shownTargets;
  const shown = rest > 1 ? targets.slice(0, shownTargets) : targets;
  return shown.join(', ') + (rest > 1 ? ` and ${rest} more` : '');
}

function renderGaps(gaps: readonly Gap[], colors: Colors): readonly string[] {
  const byKind = new Map<GapKind, Gap[]>();
  for (const gap of gaps) byKind.set(gap.kind, [...(byKind.get(gap.kind) ?? []), gap]);
  const lines: string[] = [];
  for (const [kind, list] of byKind) {
    lines.push(
      `${colors.bold(colors.magenta(`gap[${kind}]`))}${colors.bold(`: ${gapKinds[kind].name}, ${count(list.length, 'place')}`)}`,
    );
    for (const { path, line, message } of list.slice(0, shownGaps)) {
      const place = line === undefined ? path : `${path}:${line}`;
      lines.push(`  ${visible(place)}: ${visible(message)}`);
    }
    if (list.length > shownGaps) lines.push(`  and ${list.length - shownGaps} more, listed by --format json.`);
  }
  return lines;
}

function renderStatistics({ result, catalog }: ReportInput): readonly string[] {
  const rows = catalog.ids
    .map((id) => ({
      id,
      findings: result.findings.filter(({ ruleId }) => ruleId === id).length,
      suppressed: result.suppressed.filter(({ finding }) => finding.ruleId === id).length,
      milliseconds: result.stats.perRule[id] ?? 0,
    }))
    .filter(({ findings, suppressed, milliseconds }) => findings + suppressed > 0 || milliseconds >= 0.5);
  const width = Math.max(4, ...rows.map(({ id }) => id.length));
  return [
    `${'rule'.padEnd(width)}  findings  suppressed      ms`,
    ...rows.map(
      ({ id, findings, suppressed, milliseconds }) =>
        `${id.padEnd(width)}  ${String(findings).padStart(8)}  ${String(suppressed).padStart(10)}  ${milliseconds.toFixed(0).padStart(6)}`,
    ),
    `${result.stats.parsed} of ${count(result.stats.files, 'file')} parsed`,
  ];
}

function severityPaint(severity: Severity, colors: Colors): (text: string) => string {
  return { error: colors.red, warning: colors.yellow, note: colors.green }[severity];
}
