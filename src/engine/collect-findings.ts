import type { Finding, Gap, Location, Severity, Step } from '../model/finding.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { ProjectModel } from '../model/project.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Anchor, Report, ReportStep, Rule } from '../rules/rule.js';
import { aroundColumn, fingerprintOf } from './fingerprint.js';
import { compareConfidence, compareSeverity } from './levels.js';
import { createSourceIndex, type SourceIndex } from './source-index.js';

/** A finding before its fingerprint is known, with what the fingerprint is made of. */
export interface Draft {
  readonly finding: Omit<Finding, 'fingerprint'>;
  readonly scope: string;
  readonly lineText: string;
  readonly key: string;
}

export interface CollectedFindings {
  readonly drafts: readonly Draft[];
  /** One per rule that threw. */
  readonly gaps: readonly Gap[];
  /** CPU-bound wall time of each rule in milliseconds. */
  readonly perRule: Readonly<Record<string, number>>;
}

type AnyMessages = Readonly<Record<string, string>>;
type AnyReport = Report<AnyMessages, string>;

/**
 * Runs rules over one unit and turns what they report into drafts. Reports outside the asked files and inside functions
 * with a syntax error are dropped; reports in tests, benches and examples become notes. A rule that throws ends as a
 * gap of kind `internal`, and the other rules still run. `viewOf` says what a rule sees of the unit; default all of it.
 */
export function collectFindings(
  rules: readonly Rule[],
  unit: UnitFacts,
  isAsked: (path: string) => boolean,
  viewOf: (rule: Rule) => UnitFacts = () => unit,
  onRule?: (index: number) => void,
): CollectedFindings {
  const index = createSourceIndex((path) => unit.textOf(path));
  const drafts: Draft[] = [];
  const gaps: Gap[] = [];
  const perRule: Record<string, number> = {};
  for (const [at, rule] of rules.entries()) {
    onRule?.(at);
    const began = performance.now();
    try {
      const view = viewOf(rule);
      rule.check({
        unit: view,
        functionsIn: (file) =>
          view.functionsWith(file, rule.bodyTokens?.[file.language] ?? /(?:)/u, rule.bodyRequires?.[file.language]),
        report: (report: AnyReport) => {
          const draft = draftOf(rule, report, unit, index, isAsked);
          if (draft !== undefined) drafts.push(draft);
        },
      });
    } catch (error) {
      gaps.push({
        kind: 'internal',
        path: unit.root === '' ? '.' : unit.root,
        message: `Rule '${rule.meta.id}' failed on this unit (${describeError(error)}); its findings here are incomplete, please report this.`,
      });
    }
    perRule[rule.meta.id] = performance.now() - began;
  }
  return { drafts, gaps, perRule };
}

/** Merges drafts of the same cause, sorts by place, and numbers what is still alike. */
export function finishFindings(drafts: readonly Draft[]): readonly Finding[] {
  const merged = new Map<string, Draft>();
  for (const draft of drafts) {
    const { ruleId, location } = draft.finding;
    const cause = `${ruleId}\0${location.path}\0${location.startLine}\0${location.startColumn}\0${draft.key}`;
    const other = merged.get(cause);
    merged.set(cause, other === undefined ? draft : mergeDrafts(other, draft));
  }
  const sorted = [...merged.values()].sort(compareDrafts);
  const seen = new Map<string, number>();
  return sorted.map(({ finding, scope, lineText, key }) => {
    const parts = { ruleId: finding.ruleId, path: finding.location.path, scope, lineText, key };
    const alike = fingerprintOf({ ...parts, ordinal: 0 });
    const ordinal = seen.get(alike) ?? 0;
    seen.set(alike, ordinal + 1);
    return { fingerprint: ordinal === 0 ? alike : fingerprintOf({ ...parts, ordinal }), ...finding };
  });
}

function draftOf(
  rule: Rule,
  report: AnyReport,
  unit: UnitFacts,
  index: SourceIndex,
  isAsked: (path: string) => boolean,
): Draft | undefined {
  const { orAt } = report;
  const isMoved = orAt !== undefined && !isAsked(pathOf(report.at));
  const at = isMoved ? orAt : report.at;
  const path = pathOf(at);
  if (!isAsked(path)) return undefined;
  const around = 'file' in at ? functionsAround(at.file, at.span.start) : [];
  if (around.some((fn) => fn.hasError === true)) return undefined;
  const innermost = around[0];
  const location = locationOf(at, index);
  const severity = report.severity ?? rule.meta.severity;
  const isDevelopment =
    'file' in at && (unit.isDevelopmentOnly(at.file) || around.some((fn) => unit.isDevelopmentOnly(at.file, fn)));
  const manifest = manifestOf(unit.project, path);
  const finding: Omit<Finding, 'fingerprint'> = {
    ruleId: rule.meta.id,
    messageId: report.messageId,
    message: fillMessage(rule.meta.messages[report.messageId] ?? '', report.data),
    severity: isDevelopment ? 'note' : severity,
    confidence: report.confidence ?? rule.meta.confidence,
    audience: rule.meta.audience,
    unit: unit.root,
    ...(manifest === undefined ? {} : { manifest }),
    location,
    steps: stepsOf(report.steps, index),
    ...(report.targets === undefined ? {} : { targets: report.targets }),
    ...(report.reachableFrom === undefined ? {} : { reachableFrom: report.reachableFrom }),
    ...(report.fixedIn === undefined ? {} : { fixedIn: report.fixedIn }),
  };
  return {
    finding,
    scope: innermost?.qualifiedName ?? '',
    lineText: aroundColumn(index.lineText(path, location.startLine), location.startColumn),
    key: isMoved ? '' : (report.key ?? ''),
  };
}

/** Fills the `{holes}` of a template; in a value every run of blanks and line breaks becomes one blank. */
export function fillMessage(template: string, data: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/gu, (hole, name: string) => {
    const value = data[name];
    return value === undefined ? hole : String(value).replace(/\s+/gu, ' ');
  });
}

function pathOf(anchor: Anchor): string {
  return 'file' in anchor ? anchor.file.path : anchor.path;
}

function locationOf(anchor: Anchor, index: SourceIndex): Location {
  return 'file' in anchor
    ? index.locate(anchor.file.path, anchor.span)
    : index.locateLine(anchor.path, anchor.line, anchor.column, anchor.endColumn);
}

/** What several parts of a path have in common (a helper that is called twice) is told once. */
function stepsOf(steps: readonly ReportStep[], index: SourceIndex): readonly Step[] {
  const told = new Map<string, Step>();
  for (const each of steps) {
    const step = stepOf(each, each.role, each.note, index);
    const key = `${step.path}|${step.line}|${step.column}|${step.note}`;
    if (!told.has(key)) told.set(key, step);
  }
  return [...told.values()];
}

function stepOf(anchor: Anchor, role: Step['role'], note: string, index: SourceIndex): Step {
  const location = locationOf(anchor, index);
  const lineEnd = index.lineText(location.path, location.startLine).trimEnd().length + 1;
  const endColumn = location.endLine === location.startLine ? location.endColumn : lineEnd;
  return {
    role,
    path: location.path,
    line: location.startLine,
    column: location.startColumn,
    endColumn: Math.max(endColumn, location.startColumn + 1),
    note,
  };
}

/** Functions whose span holds the offset, innermost first. */
function functionsAround({ functions }: FileIr, offset: number): readonly FunctionIr[] {
  const { sorted, ends } = orderOf(functions);
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.span.start ?? Infinity) <= offset) low = middle + 1;
    else high = middle;
  }
  const found: FunctionIr[] = [];
  for (let at = low - 1; at >= 0 && (ends[at] ?? 0) > offset; at--) {
    const fn = sorted[at];
    if (fn !== undefined && offset < fn.span.end) found.push(fn);
  }
  return found.reverse().sort((a, b) => a.span.end - a.span.start - (b.span.end - b.span.start));
}

/** Functions by where they start, and for each the last end of those up to it. */
interface FunctionOrder {
  readonly sorted: readonly FunctionIr[];
  readonly ends: readonly number[];
}

/** Made once for each file: every finding in it asks. */
const orders = new WeakMap<FileIr['functions'], FunctionOrder>();

function orderOf(functions: FileIr['functions']): FunctionOrder {
  const known = orders.get(functions);
  if (known !== undefined) return known;
  const sorted = [...functions].sort((a, b) => a.span.start - b.span.start);
  let last = 0;
  const ends = sorted.map(({ span }) => (last = Math.max(last, span.end)));
  const order = { sorted, ends };
  orders.set(functions, order);
  return order;
}

function manifestOf(project: ProjectModel, path: string): string | undefined {
  const cargo = path.endsWith('.rs') ? project.cargoPackageOf(path) : undefined;
  if (cargo !== undefined) return cargo.manifest;
  const packages = path.endsWith('.rs') ? [] : /\.di?$/u.test(path) ? project.dub : project.npm;
  const around = packages.filter(({ dir }) => dir === '' || path.startsWith(`${dir}/`));
  return around.sort((a, b) => b.dir.length - a.dir.length)[0]?.manifest;
}

function mergeDrafts(first: Draft, second: Draft): Draft {
  const better = isBetter(second.finding, first.finding) ? second : first;
  const other = better === first ? second : first;
  const targets = unite(better.finding.targets, other.finding.targets);
  const reachableFrom = uniteExports(better.finding.reachableFrom, other.finding.reachableFrom);
  return {
    ...better,
    finding: {
      ...better.finding,
      ...(targets === undefined ? {} : { targets }),
      ...(reachableFrom === undefined ? {} : { reachableFrom }),
    },
  };
}

function isBetter(a: Omit<Finding, 'fingerprint'>, b: Omit<Finding, 'fingerprint'>): boolean {
  const bySeverity = compareSeverity(a.severity, b.severity);
  if (bySeverity !== 0) return bySeverity > 0;
  const byConfidence = compareConfidence(a.confidence, b.confidence);
  if (byConfidence !== 0) return byConfidence > 0;
  return a.steps.length > b.steps.length;
}

/** The union of two target lists; where one says nothing, the first decides. */
function unite(a: readonly string[] | undefined, b: readonly string[] | undefined): readonly string[] | undefined {
  return a === undefined || b === undefined ? a : [...new Set([...a, ...b])];
}

function uniteExports(a: Finding['reachableFrom'], b: Finding['reachableFrom']): Finding['reachableFrom'] {
  if (a === undefined || b === undefined) return a ?? b;
  const known = new Set(a.map(({ rust }) => rust));
  return [...a, ...b.filter(({ rust }) => !known.has(rust))];
}

function compareDrafts(a: Draft, b: Draft): number {
  return compareFindings(a.finding, b.finding) || compareText(a.key, b.key);
}

/** By path, line, column, then rule; code-unit order, so that every machine sorts alike. */
export function compareFindings(
  a: Pick<Finding, 'location' | 'ruleId'>,
  b: Pick<Finding, 'location' | 'ruleId'>,
): number {
  return (
    compareText(a.location.path, b.location.path) ||
    a.location.startLine - b.location.startLine ||
    a.location.startColumn - b.location.startColumn ||
    compareText(a.ruleId, b.ruleId)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first line of an error's message, for a sentence. */
function describeError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').trim().replace(/\.$/u, '');
}

/** Lowers a finding's severity without touching the rest. */
export function withSeverity(finding: Finding, severity: Severity): Finding {
  return finding.severity === severity ? finding : { ...finding, severity };
}
