import { isAbsolute } from 'node:path';
import { defaultConfig, type Config } from './config/config.js';
import type { Discovered, DiscoveredUnit } from './discover/inputs.js';
import { compareFindings, finishFindings, withSeverity, type Draft } from './engine/collect-findings.js';
import { expectSource } from './parsers/tree.js';
import { compareConfidence, compareSeverity, configuredSeverity } from './engine/levels.js';
import { linkPackageFindings } from './engine/link-findings.js';
import { matchPatterns } from './engine/path-filter.js';
import { scanUnit } from './engine/scan-unit.js';
import { suppressionDrafts } from './engine/suppression-drafts.js';
import type { Finding, Gap, ScanResult } from './model/finding.js';
import type { ProjectModel } from './model/project.js';
import { isJavaScriptRule } from './rules/javascript-rule.js';
import type { Rule } from './rules/rule.js';
import { applySuppressions, type ConfiguredSuppression } from './suppress/apply-suppressions.js';
import type { CommentedFile } from './suppress/read-suppressions.js';
import { suppressionMeta } from './suppress/suppression-meta.js';

export interface ScanRequest {
  readonly inputs: Discovered;
  readonly config?: Config;
  readonly rules: readonly Rule[];
  /** Fingerprint to the name of the baseline that holds it. */
  readonly baseline?: ReadonlyMap<string, string>;
  /** False parses every file; the findings are the same. */
  readonly isFiltered?: boolean;
  /** Called for each file that was looked at or parsed and before each rule, thousands of times. */
  readonly onProgress?: (step: ScanStep) => void;
}

/** How far a scan is. First the files of a unit are looked at, then its rules run, and parse what they need. */
export interface ScanStep {
  readonly files: { readonly done: number; readonly total: number };
  /** Files parsed so far. */
  readonly parsed: number;
  readonly unit: { readonly index: number; readonly total: number };
  /** Absent while files are looked at. Counted from 1. */
  readonly rule?: { readonly index: number; readonly total: number };
}

/** A result, and the texts that its reporters may quote. */
export interface Scan {
  readonly result: ScanResult;
  readonly textOf: (path: string) => string | undefined;
}

/** Runs the active rules over every unit, and filters what they found by configuration, suppressions and baseline. */
export async function scan(request: ScanRequest): Promise<Scan> {
  const began = performance.now();
  const { inputs, config = defaultConfig } = request;
  const rules = findActiveRules(request.rules, config);
  const units = inputs.units.map((unit) => withoutExcluded(unit, config)).filter(({ files }) => files.length > 0);

  const drafts: Draft[] = [];
  const gaps: Gap[] = [...inputs.gaps];
  const commented: CommentedFile[] = [];
  const texts: ((path: string) => string | undefined)[] = [];
  const projects = new Map<string, ProjectModel>();
  const perRule: Record<string, number> = {};
  let parsed = 0;
  let done = 0;
  const total = units.reduce((sum, { files }) => sum + files.length, 0);
  const sources = units.flatMap(({ files }) => files.filter(({ language }) => language === 'rust' || language === 'd'));
  expectSource(sources.reduce((sum, { size }) => sum + size, 0));
  let parses = 0;
  for (const [at, unit] of units.entries()) {
    let rule: ScanStep['rule'];
    const tell = (): void =>
      request.onProgress?.({
        files: { done, total },
        parsed: parses,
        unit: { index: at + 1, total: units.length },
        ...(rule === undefined ? {} : { rule }),
      });
    const { base, listing } = inputs;
    const { targets, native } = config;
    const found = await scanUnit({
      base,
      unit,
      listing,
      rules,
      targets,
      native,
      isFiltered: request.isFiltered ?? true,
      onFile: () => {
        done++;
        tell();
      },
      onRule: (index, count) => {
        rule = { index, total: count };
        tell();
      },
      onParsed: () => {
        parses++;
        tell();
      },
    });
    projects.set(unit.root, found.project);
    drafts.push(...found.drafts);
    gaps.push(...found.gaps);
    commented.push(...found.commented);
    texts.push(found.textOf);
    parsed += found.parsed;
    for (const [id, milliseconds] of Object.entries(found.perRule)) perRule[id] = (perRule[id] ?? 0) + milliseconds;
  }
  const textOf = (path: string): string | undefined =>
    texts.map((read) => read(path)).find((text) => text !== undefined);

  const files = units.flatMap((unit) =>
    unit.files.filter(({ path, language }) => language !== 'manifest' && unit.asked(path)),
  );
  if (files.length === 0 && drafts.length === 0 && gaps.every(({ kind }) => kind === 'manifest'))
    gaps.push(nothingToScan);

  const incomplete = new Set(gaps.map(({ path }) => path));
  const outcome = applySuppressions(finishFindings(drafts), {
    files: commented,
    knownIds: [...request.rules.map(({ meta }) => meta.id), suppressionMeta.id],
    active: new Set(rules.map(({ meta }) => meta.id)),
    isIncomplete: (path) => incomplete.has(path),
    configured: prepareConfigured(request, gaps),
    baseline: request.baseline ?? new Map(),
  });
  const isReported = config.rules[suppressionMeta.id] !== 'off';
  const problems = finishFindings(isReported ? suppressionDrafts(outcome.problems, units, textOf) : []);
  const defaults = new Map([suppressionMeta, ...rules.map(({ meta }) => meta)].map((meta) => [meta.id, meta.severity]));
  const level = (finding: Finding): Finding => {
    const configured = config.rules[finding.ruleId];
    const byDefault = defaults.get(finding.ruleId) ?? finding.severity;
    return withSeverity(
      finding,
      configuredSeverity(finding.severity, byDefault, configured === 'off' ? undefined : configured),
    );
  };
  const shown = [...outcome.kept, ...problems]
    .map(level)
    .filter((finding) => isShown(finding, config))
    .sort(compareFindings);
  const findings = linkPackageFindings(shown, projects);
  const result: ScanResult = {
    base: inputs.base,
    findings,
    gaps: sortGaps(gaps),
    suppressed: outcome.suppressed.map((item) => ({ ...item, finding: level(item.finding) })),
    stats: { files: files.length, parsed, milliseconds: Math.round(performance.now() - began), perRule },
  };
  return { result, textOf };
}

/**
 * Entries of the configuration. One is called unused only where the scan saw all that it may be for: the whole folder of the
 * configuration, without a gap. A configuration from elsewhere may serve several repositories.
 */
function prepareConfigured(request: ScanRequest, gaps: readonly Gap[]): ConfiguredSuppression[] {
  const { inputs, config = defaultConfig } = request;
  const { source, root } = config;
  const unchecked = gaps.some(({ kind }) => kind === 'missing-dependency')
    ? request.rules.filter(isJavaScriptRule)
    : [];
  const isWhole = inputs.folders.some((folder) => folder === '' || root === folder || root.startsWith(`${folder}/`));
  const isInside = source !== undefined && !isAbsolute(source);
  return config.suppress.map((entry) => {
    const matches = matchPatterns([entry.path], root);
    const isSeen = !unchecked.some(({ meta }) => meta.id === entry.id) && !gaps.some(({ path }) => matches(path));
    return { ...entry, matches, source: isWhole && isInside && isSeen ? source : undefined };
  });
}

const nothingToScan: Gap = {
  kind: 'nothing-to-scan',
  path: '.',
  message:
    'No source file was left to scan; check the paths and the include and exclude patterns of the configuration.',
};

/** Rules that are not off; preview rules run only when the configuration gives them a level. */
function findActiveRules(rules: readonly Rule[], config: Config): readonly Rule[] {
  return rules.filter(({ meta }) => {
    const level = config.rules[meta.id];
    return level === undefined ? meta.maturity === 'stable' : level !== 'off';
  });
}

/** The unit without the files that the configuration excludes; manifests stay, because facts come from them. */
function withoutExcluded(unit: DiscoveredUnit, config: Config): DiscoveredUnit {
  if (config.include.length === 0 && config.exclude.length === 0) return unit;
  const isIncluded = config.include.length === 0 ? () => true : matchPatterns(config.include, config.root);
  const isExcluded = matchPatterns(config.exclude, config.root);
  const isKept = (path: string): boolean => isIncluded(path) && !isExcluded(path);
  return {
    root: unit.root,
    files: unit.files.filter(({ path, language }) => language === 'manifest' || isKept(path)),
    asked: (path) => unit.asked(path) && isKept(path),
  };
}

function isShown(finding: Finding, config: Config): boolean {
  return (
    compareSeverity(finding.severity, config.minSeverity) >= 0 &&
    compareConfidence(finding.confidence, config.minConfidence) >= 0 &&
    (finding.audience === 'everyone' || config.audience === 'audit')
  );
}

/** By path and line, each said once: two rules may meet the same gap. */
function sortGaps(gaps: readonly Gap[]): readonly Gap[] {
  const unique = new Map(gaps.map((gap) => [JSON.stringify([gap.kind, gap.path, gap.line, gap.message]), gap]));
  return [...unique.values()].sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : (a.line ?? 0) - (b.line ?? 0),
  );
}
