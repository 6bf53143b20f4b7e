import picocolors from 'picocolors';
import { fisherExact } from '../experiment/fisher.js';
import { wilsonInterval } from '../statistics.js';
import type { BoundaryChange } from './boundary-change.js';
import { conclude, type BisectResult, type BisectStatus } from './session.js';

/** What was asked, beside what the session found. */
export interface BisectQuestion {
  /** `rollup`, or a range of commits. */
  readonly target: string;
  /** How each version was run, for people: `import, 16 workers`. */
  readonly scenario: string;
  /** Versions as the session saw them: the good end first. */
  readonly history: readonly string[];
  /** Where it was fixed, instead of where it broke: `history` then runs from the newest version to the oldest. */
  readonly firstGood: boolean;
  readonly confidence: number;
  /** The least crash rate that counted as bad, 0..1, where one was given. */
  readonly minimumRate?: number;
  /** How likely false alarms were said to be, 0..1. */
  readonly background?: number;
  readonly platform: string;
  /** Longer names for people: the subject of a commit. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Versions of the range that were never asked, with the reason. */
  readonly left: readonly { readonly version: string; readonly reason: string }[];
  /** Sentences of whoever asked, after the report's own. */
  readonly notes?: readonly string[];
}

/** One version of the report, in the order of the history (oldest first). */
interface HistoryRow {
  readonly version: string;
  readonly runs: number;
  readonly hits: number;
  /** Probability that this version is the one that was looked for; 0..1. */
  readonly posterior: number;
  readonly classes: Readonly<Record<string, number>>;
}

/** The JSON document of a bisection, and all that the other formats show. */
export interface BisectReport {
  readonly schema: 1;
  readonly target: string;
  readonly scenario: string;
  readonly platform: string;
  readonly status: BisectStatus;
  readonly reason?: string;
  readonly firstBad?: string;
  readonly lastGood?: string;
  readonly firstGood?: string;
  readonly lastBad?: string;
  /** Probability of the answer, 0..1. */
  readonly confidence: number;
  readonly runs: number;
  /** The least crash rate that counted as bad, where one was given. */
  readonly minimumRate?: number;
  /** How likely false alarms were said to be (`--background`), 0..1. */
  readonly background?: number;
  /**
   * Another change of the crash rate: inside the bad side, or a rarer crash on the good side. `version` crashes more often than what is
   * older (for a fix: is the last one that does).
   */
  readonly otherStep?: {
    readonly version: string;
    readonly where: 'bad side' | 'good side';
    readonly less: Counts;
    readonly more: Counts;
    /** The least crash rate (`--min-rate`) with which the same runs speak for this step instead; absent where none does. */
    readonly minimumRate?: number;
  };
  /** Crash rates on the two sides of the answer with 95 % intervals. */
  readonly rates?: { readonly bad: RateReport; readonly good: RateReport };
  readonly history: readonly HistoryRow[];
  /** What is left: the likeliest answers that together reach the wanted confidence. */
  readonly remaining: readonly { readonly version: string; readonly probability: number }[];
  readonly skipped: readonly { readonly version: string; readonly reason: string }[];
  readonly monotone: boolean;
  /** Where it is not: the versions that were run, by what they did. */
  readonly windows?: {
    readonly bad: readonly string[];
    readonly goodAgain: readonly string[];
    readonly badAgain: readonly string[];
  };
  /** What changed at the boundary. */
  readonly boundary: readonly BoundaryChange[];
  readonly notes: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

interface Counts {
  readonly runs: number;
  readonly hits: number;
}

interface RateReport {
  readonly runs: number;
  readonly hits: number;
  readonly interval: readonly [number, number];
}

const NON_MONOTONE = 0.5;

/** Turns the end of a session into the report. */
export function createBisectReport(
  question: BisectQuestion,
  result: BisectResult,
  boundary: readonly BoundaryChange[] = [],
): BisectReport {
  const { history, firstGood } = question;
  const { posterior, testable, tallies, skipped } = result;
  const last = testable.length;
  const nameAt = (at: number): string => history[testable[at] ?? -1] ?? '';
  const isAnswer = posterior.best > 0 && posterior.best < last;
  const classes = new Map<string, Record<string, number>>();
  for (const seen of result.observations) {
    if (seen.kind !== 'hit') continue;
    const counts = classes.get(seen.version) ?? {};
    counts[seen.class] = (counts[seen.class] ?? 0) + 1;
    classes.set(seen.version, counts);
  }
  const rows = testable.map((_, at): HistoryRow => {
    const tally = tallies.get(at) ?? { hits: 0, clean: 0 };
    return {
      version: nameAt(at),
      runs: tally.hits + tally.clean,
      hits: tally.hits,
      posterior: posterior.probability(at),
      classes: classes.get(nameAt(at)) ?? {},
    };
  });
  const side = (from: number, to: number): RateReport => {
    let hits = 0;
    let runs = 0;
    for (const row of rows.slice(from, to)) {
      hits += row.hits;
      runs += row.runs;
    }
    return { runs, hits, interval: wilsonInterval(hits, runs) };
  };
  const monotone = result.secondChange.probability < NON_MONOTONE;
  const answers = result.status === 'found' || result.status === 'budget' || result.status === 'interrupted';
  const hasAnswer = answers && isAnswer && monotone;
  const rates = hasAnswer ? { bad: side(posterior.best, last), good: side(0, posterior.best) } : undefined;
  const otherStep = rates === undefined ? undefined : findOtherStep(question, result, rates, nameAt);
  const remaining: { version: string; probability: number }[] = [];
  let covered = 0;
  const ranked = [...Array.from({ length: last + 1 }, (_, at) => at)].sort(
    (a, b) => posterior.probability(b) - posterior.probability(a),
  );
  for (const at of ranked) {
    if (covered >= question.confidence || remaining.length >= 20) break;
    const probability = posterior.probability(at);
    covered += probability;
    remaining.push({ version: at === last ? 'none of them' : nameAt(at), probability });
  }
  const names = hasAnswer
    ? firstGood
      ? { lastBad: nameAt(posterior.best), firstGood: nameAt(posterior.best - 1) }
      : { firstBad: nameAt(posterior.best), lastGood: nameAt(posterior.best - 1) }
    : {};
  const skippedRows = [...skipped].map(([index, reason]) => ({ version: history[index] ?? '', reason }));
  return {
    schema: 1,
    target: question.target,
    scenario: question.scenario,
    platform: question.platform,
    status: result.status,
    ...(result.reason === undefined ? {} : { reason: result.reason }),
    ...names,
    confidence: posterior.probability(posterior.best),
    runs: result.runs,
    ...(rates === undefined ? {} : { rates }),
    history: firstGood ? rows.toReversed() : rows,
    remaining,
    skipped: [...(firstGood ? skippedRows.toReversed() : skippedRows), ...question.left],
    monotone,
    ...(monotone
      ? {}
      : {
          windows: {
            bad: result.secondChange.bad.map(nameAt),
            goodAgain: result.secondChange.goodAgain.map(nameAt),
            badAgain: result.secondChange.badAgain.map(nameAt),
          },
        }),
    boundary,
    ...(question.minimumRate === undefined ? {} : { minimumRate: question.minimumRate }),
    ...(question.background === undefined ? {} : { background: question.background }),
    ...(otherStep === undefined ? {} : { otherStep }),
    notes: [
      ...(hasAnswer ? notesOf(question, result) : []),
      ...(otherStep === undefined ? [] : [describeStep(question, otherStep)]),
      ...(question.notes ?? []),
    ],
    ...(question.labels === undefined ? {} : { labels: question.labels }),
  };
}

function notesOf(question: BisectQuestion, result: BisectResult): string[] {
  const notes: string[] = [];
  const { posterior, testable, skipped } = result;
  const from = testable[posterior.best - 1] ?? 0;
  const to = testable[posterior.best] ?? 0;
  const between = [...skipped.keys()].filter((index) => index > from && index < to);
  if (between.length > 0) {
    const names = between.map((index) => `'${question.history[index] ?? ''}'`).join(', ');
    notes.push(
      `${names} between the two could not be tested, so the change may have come with ${between.length === 1 ? 'it' : 'one of them'}.`,
    );
  }
  if (question.background === 0) notes.push('Each crash was taken for the bug (--background 0).');
  return notes;
}

/** What the other step is, and how to ask for it. */
function describeStep(
  { firstGood, minimumRate: asked }: BisectQuestion,
  { version, where, less, more, minimumRate }: NonNullable<BisectReport['otherStep']>,
): string {
  const [often, rarely] = [`${more.hits} of ${more.runs} runs`, `${less.hits} of ${less.runs}`];
  if (where === 'good side') {
    const rare = `The good side is not clean: it crashed in ${less.hits} of ${less.runs} runs, the bad side in ${often.replace(' runs', '')}. The rate jumps here; a rarer crash was there before, ${firstGood ? 'and the newest' : 'and the oldest'} version that was seen to crash is '${version}'.`;
    return asked === undefined ? rare : `${rare} Leave --min-rate out to ask where that one begins.`;
  }
  const ask =
    minimumRate === undefined
      ? ''
      : `; --min-rate ${percent(minimumRate).replace(' ', '')} asks for that step, with the runs that are saved`;
  return firstGood
    ? `There are two steps: up to '${version}' it crashed more often (${often}) than after it (${rarely})${ask}. Each may have a cause of its own.`
    : `There are two steps: from '${version}' on it crashes more often (${often}) than before it (${rarely})${ask}. Each may have a cause of its own.`;
}

interface Step {
  /** Position among the testable versions from which on it crashes more often. */
  readonly at: number;
  readonly before: Counts;
  readonly after: Counts;
}

/** The step beside the one that was found: inside the bad side, else a rarer crash on the good side. */
function findOtherStep(
  question: BisectQuestion,
  result: BisectResult,
  { bad, good }: NonNullable<BisectReport['rates']>,
  nameAt: (at: number) => string,
): BisectReport['otherStep'] {
  const step = findStep(result);
  if (step !== undefined) {
    const minimumRate = findMinimumRate(question, result, step);
    return {
      version: nameAt(step.at),
      where: 'bad side',
      less: step.before,
      more: step.after,
      ...(minimumRate === undefined ? {} : { minimumRate }),
    };
  }
  if (good.hits === 0) return undefined;
  const oldest = [...result.tallies.keys()].sort((a, b) => a - b).find((at) => (result.tallies.get(at)?.hits ?? 0) > 0);
  const [less, more] = [good, bad].map(({ runs, hits }) => ({ runs, hits }));
  if (oldest === undefined || less === undefined || more === undefined) return undefined;
  return { version: nameAt(oldest), where: 'good side', less, more };
}

const MINIMUM_RATES = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** The least rate that is asked for at which the runs speak most for the step; undefined when they speak for another version at each. */
function findMinimumRate(
  { history, confidence }: BisectQuestion,
  result: BisectResult,
  { at, after }: Step,
): number | undefined {
  let best: { readonly minimum: number; readonly probability: number } | undefined;
  // Well below the rate that was seen, which is only an estimate.
  for (const minimum of MINIMUM_RATES.filter((rate) => rate * after.runs <= 0.8 * after.hits)) {
    const { posterior } = conclude(history, result.observations, confidence, minimum);
    const probability = posterior.probability(at);
    if (posterior.best === at && probability > (best?.probability ?? 0)) best = { minimum, probability };
  }
  return best?.minimum;
}

/** A second step inside the bad side has to be this unlikely as chance, all places for it counted. */
const STEP_LEVEL = 0.01;

/** The place inside the bad side at which its crash rate rises again; undefined when one rate explains the side. */
function findStep({ posterior, testable, tallies }: BisectResult): Step | undefined {
  const tested = Array.from({ length: testable.length }, (_, at) => at).filter(
    (at) => at >= posterior.best && tallies.has(at),
  );
  const count = (positions: readonly number[]): { hits: number; runs: number } => {
    let hits = 0;
    let runs = 0;
    for (const at of positions) {
      const tally = tallies.get(at) ?? { hits: 0, clean: 0 };
      hits += tally.hits;
      runs += tally.hits + tally.clean;
    }
    return { hits, runs };
  };
  let best: (Step & { readonly p: number }) | undefined;
  for (let index = 1; index < tested.length; index++) {
    const before = count(tested.slice(0, index));
    const after = count(tested.slice(index));
    if (before.hits * after.runs >= after.hits * before.runs) continue;
    const p = fisherExact(before.hits, before.runs, after.hits, after.runs);
    if (best === undefined || p < best.p) best = { at: tested[index] ?? 0, before, after, p };
  }
  return best !== undefined && best.p * (tested.length - 1) < STEP_LEVEL ? best : undefined;
}

const percent = (share: number): string => `${(100 * share).toFixed(share >= 0.995 && share < 1 ? 1 : 0)} %`;
const interval = ([low, high]: readonly [number, number]): string => `${percent(low)} to ${percent(high)}`;
const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** Commits are shown by their first twelve digits, versions as they are. */
export const shortVersion = (version: string): string =>
  /^[0-9a-f]{40}$/.test(version) ? version.slice(0, 12) : version;

/** The same for the commits that a sentence names. */
const shortText = (text: string): string => text.replaceAll(/\b([0-9a-f]{12})[0-9a-f]{28}\b/g, '$1');

function headline(full: BisectReport): string {
  const report = shortened(full);
  const sure = `(${percent(report.confidence)} sure, ${plural(report.runs, 'run')})`;
  const soFar = report.status === 'found' ? '' : 'So far: ';
  const thing = /^[0-9a-f]{40}$/.test(full.history[0]?.version ?? '') ? 'commit' : 'version';
  const isLikely = report.status === 'found' || report.confidence >= 0.5;
  if (report.firstBad !== undefined) {
    if (!isLikely)
      return `So far nothing is likely: '${report.firstBad}' leads as the first bad ${thing} of ${report.target} ${sure}.`;
    return `${soFar}'${report.firstBad}' is the first bad ${thing} of ${report.target}; '${report.lastGood ?? ''}' is the last good one ${sure}.`;
  }
  if (report.firstGood !== undefined) {
    if (!isLikely)
      return `So far nothing is likely: '${report.firstGood}' leads as the first good ${thing} of ${report.target} ${sure}.`;
    return `${soFar}'${report.firstGood}' is the first good ${thing} of ${report.target}; '${report.lastBad ?? ''}' is the last bad one ${sure}.`;
  }
  if (report.windows !== undefined) {
    const { bad, goodAgain, badAgain } = report.windows;
    const span = (list: readonly string[]): string =>
      list.length > 1 ? `'${list[0] ?? ''}' to '${list.at(-1) ?? ''}'` : `'${list[0] ?? ''}'`;
    return `The history of ${report.target} is not monotone: ${span(bad)} bad, ${span(goodAgain)} good again, ${span(badAgain)} bad again (${plural(report.runs, 'run')}); bisect each stretch by itself.`;
  }
  return `There is no answer for ${report.target}. ${report.reason ?? ''}`.trim();
}

function shortened(report: BisectReport): BisectReport {
  const { firstBad, lastGood, firstGood, lastBad } = report;
  return {
    ...report,
    ...(firstBad === undefined ? {} : { firstBad: shortVersion(firstBad) }),
    ...(lastGood === undefined ? {} : { lastGood: shortVersion(lastGood) }),
    ...(firstGood === undefined ? {} : { firstGood: shortVersion(firstGood) }),
    ...(lastBad === undefined ? {} : { lastBad: shortVersion(lastBad) }),
    target: shortText(report.target),
    ...(report.reason === undefined ? {} : { reason: shortText(report.reason) }),
    notes: report.notes.map(shortText),
    history: report.history.map((row) => ({ ...row, version: shortVersion(row.version) })),
    remaining: report.remaining.map((row) => ({ ...row, version: shortVersion(row.version) })),
    skipped: report.skipped.map((row) => ({ ...row, version: shortVersion(row.version) })),
    ...(report.labels === undefined
      ? {}
      : {
          labels: Object.fromEntries(
            Object.entries(report.labels).map(([version, label]) => [shortVersion(version), label]),
          ),
        }),
  };
}

/** A version's share of the posterior as a bar of eighths of a block. */
function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  const blocks = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
  return '█'.repeat(Math.floor(eighths / 8)) + (blocks[eighths % 8] ?? '');
}

/** The crash rate along the history as one line: a column for each version that was run. */
function plot(rows: readonly HistoryRow[]): string {
  const levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
  return rows
    .map((row) => (row.runs === 0 ? '·' : (levels[Math.min(7, Math.floor((row.hits / row.runs) * 8))] ?? '·')))
    .join('');
}

/** The rows that are worth a line: those that were run and those that may be the answer. */
function shownRows(rows: readonly HistoryRow[]): readonly HistoryRow[] {
  return rows.filter((row) => row.runs > 0 || row.posterior >= 0.01);
}

const PLOT_WIDTH = 100;
/** Candidates that are named when there is no answer yet. */
const LEFT_SHOWN = 8;

export function renderBisect(full: BisectReport, color: boolean): string {
  const report = shortened(full);
  const colors = picocolors.createColors(color);
  const answer = report.firstBad ?? report.lastBad;
  const lines = [colors.bold(headline(full))];
  if (
    report.reason !== undefined &&
    (answer !== undefined || report.windows !== undefined) &&
    report.status !== 'non-monotone'
  ) {
    lines.push(report.reason);
  }
  lines.push(`Each run: ${report.scenario}, on ${report.platform}.`, '');
  const rows = shownRows(report.history);
  if (rows.length > 0) {
    const width = Math.max(7, ...rows.map((row) => row.version.length));
    lines.push(colors.dim(`  ${'version'.padEnd(width)}  ${'runs'.padStart(5)}  ${'hits'.padStart(5)}  probability`));
    for (const row of rows) {
      const mark = row.version === answer ? '>' : ' ';
      const share = row.posterior >= 0.0005 ? `${(100 * row.posterior).toFixed(1).padStart(5)} %` : '      –';
      const seen = Object.entries(row.classes)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ');
      const line = `${mark} ${row.version.padEnd(width)}  ${String(row.runs).padStart(5)}  ${String(row.hits).padStart(5)}  ${share}  ${bar(row.posterior, 20)}`;
      const label = report.labels?.[row.version] ?? '';
      const remark = [seen, label].filter((text) => text !== '').join('  ');
      const whole = remark === '' ? line.trimEnd() : `${line.padEnd(width + 48)} ${remark}`;
      lines.push(row.version === answer ? colors.red(whole) : row.hits > 0 ? colors.yellow(whole) : whole);
    }
    lines.push('');
    if (report.history.length <= PLOT_WIDTH) {
      lines.push(
        `  ${plot(report.history)}  crash rate from ${report.history[0]?.version ?? ''} to ${report.history.at(-1)?.version ?? ''}, · not run`,
        '',
      );
    }
  }
  if (report.rates !== undefined) {
    const { bad, good } = report.rates;
    lines.push(
      `Bad side: ${bad.hits} of ${plural(bad.runs, 'run')} crashed (${interval(bad.interval)} at 95 %). Good side: ${good.hits} of ${good.runs} (${interval(good.interval)}).`,
    );
  }
  if (report.status !== 'found' && report.remaining.length > 0 && answer !== undefined) {
    const shown = report.remaining.slice(0, LEFT_SHOWN);
    const more = report.remaining.length - shown.length;
    lines.push(
      `Left: ${shown.map(({ version, probability }) => `${version} ${percent(probability)}`).join(', ')}${more > 0 ? ` and ${more} more` : ''}.`,
    );
  }
  lines.push(...report.notes);
  if (report.skipped.length > 0) {
    lines.push('', 'Not tested:', ...groupSkipped(report.skipped).map((line) => `  ${line}`));
  }
  if (report.boundary.length > 0) {
    const [from, to] = boundaryNames(report);
    lines.push('', `What changed from ${from} to ${to}:`);
    lines.push(...boundaryLines(report.boundary).map((line) => `  ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

function boundaryNames(report: BisectReport): readonly [string, string] {
  return report.firstGood === undefined
    ? [report.lastGood ?? '', report.firstBad ?? '']
    : [report.lastBad ?? '', report.firstGood];
}

/** Versions with the same reason share a line. */
function groupSkipped(skipped: BisectReport['skipped']): readonly string[] {
  const groups = new Map<string, string[]>();
  for (const { version, reason } of skipped) groups.set(reason, [...(groups.get(reason) ?? []), version]);
  return [...groups].map(
    ([reason, versions]) =>
      `${versions.length > 6 ? `${versions.slice(0, 5).join(', ')} and ${versions.length - 5} more` : versions.join(', ')}: ${reason}`,
  );
}

/** Changes that nothing is known about, after those that something is. */
const OTHERS_SHOWN = 8;

function boundaryLines(changes: readonly BoundaryChange[]): readonly string[] {
  const lines: string[] = [];
  const known = changes.filter((change) => change.why !== undefined);
  const others = changes.filter((change) => change.why === undefined);
  for (const change of known) {
    const rules = change.rules.length === 0 ? '' : ` See ${change.rules.join(', ')}.`;
    lines.push(`${describeChange(change)} (${change.where}). ${change.why ?? ''}${rules}`);
  }
  for (const change of others.slice(0, OTHERS_SHOWN)) lines.push(`${describeChange(change)} (${change.where}).`);
  if (others.length > OTHERS_SHOWN)
    lines.push(`and ${plural(others.length - OTHERS_SHOWN, 'other change')}, all in the JSON.`);
  return lines;
}

function describeChange({ name, before, after }: BoundaryChange): string {
  if (before === name) return `removed '${name}'`;
  if (after === name) return `added '${name}'`;
  if (before === undefined) return `${name} ${after ?? ''} added`;
  if (after === undefined) return `${name} ${before} removed`;
  return `${name} ${before} -> ${after}`;
}

export function renderBisectMarkdown(full: BisectReport): string {
  const report = shortened(full);
  const answer = report.firstBad ?? report.lastBad;
  const lines = [`**${headline(full)}**`, '', `Each run: ${report.scenario}, on ${report.platform}.`, ''];
  const rows = shownRows(report.history);
  if (rows.length > 0) {
    lines.push('| version | runs | hits | probability | seen |', '| --- | ---: | ---: | ---: | --- |');
    for (const row of rows) {
      const name = row.version === answer ? `**${row.version}**` : row.version;
      const seen = Object.entries(row.classes)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(', ');
      lines.push(`| ${name} | ${row.runs} | ${row.hits} | ${(100 * row.posterior).toFixed(1)} % | ${seen} |`);
    }
    lines.push('');
  }
  lines.push(...report.notes);
  if (report.skipped.length > 0)
    lines.push('', 'Not tested:', '', ...groupSkipped(report.skipped).map((line) => `- ${line}`));
  if (report.boundary.length > 0) {
    const [from, to] = boundaryNames(report);
    lines.push(
      '',
      `What changed from ${from} to ${to}:`,
      '',
      ...boundaryLines(report.boundary).map((line) => `- ${line}`),
    );
  }
  return `${lines.join('\n')}\n`;
}

export function renderBisectJson(report: BisectReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
