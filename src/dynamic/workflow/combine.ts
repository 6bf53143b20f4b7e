import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { createBisectReport, renderBisectMarkdown, type BisectReport } from '../bisect/report.js';
import { conclude, type Observation } from '../bisect/session.js';
import { renderReproSarif } from '../repro-sarif.js';
import type { ReproReport } from '../reproduce.js';
import { formatPercent, wilsonInterval } from '../statistics.js';

const shardSchema = v.object({ version: v.string(), system: v.string(), node: v.string(), built: v.string() });

/** The part of a report of `repro` that combining reads; the rest is passed on as it is. */
const resultSchema = v.looseObject({
  schema: v.literal(1),
  target: v.string(),
  platform: v.string(),
  verdict: v.picklist(['reproduced', 'not-reproduced', 'untestable']),
  scenarios: v.array(
    v.looseObject({
      name: v.string(),
      verdict: v.string(),
      reason: v.optional(v.string()),
      attempts: v.array(v.looseObject({ amplifier: v.string(), runs: v.number(), hits: v.number() })),
      hit: v.optional(v.looseObject({ class: v.string(), detail: v.string() })),
      classes: v.record(v.string(), v.number()),
    }),
  ),
});

/** What one job of the matrix left behind. */
export interface Shard {
  readonly folder: string;
  readonly version: string;
  readonly system: string;
  readonly node: string;
  readonly runs: number;
  readonly hits: number;
  /** What it saw, by class. */
  readonly classes: Readonly<Record<string, number>>;
  /** Why it says nothing. */
  readonly reason?: string;
  readonly report?: ReproReport;
}

interface CombinedPlatform {
  readonly system: string;
  readonly node: string;
  readonly bisection?: BisectReport;
}

export interface Combined {
  readonly schema: 1;
  readonly answer: readonly string[];
  readonly shards: readonly Omit<Shard, 'report'>[];
  readonly platforms: readonly CombinedPlatform[];
}

/** Reads the folders of the shards, one for each job; a job that left nothing is missing, and one without a result says why. */
export function readShards(folder: string): readonly Shard[] | { readonly error: string } {
  if (!existsSync(folder)) return { error: `The folder '${folder}' does not exist; the jobs left nothing.` };
  const shards: Shard[] = [];
  const names = readdirSync(folder).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  for (const name of names) {
    const path = join(folder, name, 'shard.json');
    if (!existsSync(path)) continue;
    const shard = v.safeParse(shardSchema, readJson(path));
    if (!shard.success) return { error: `'${path}' does not say which job it comes from.` };
    shards.push({
      folder: name,
      ...shard.output,
      ...readResult(join(folder, name, 'result.json'), shard.output.built),
    });
  }
  return shards.length === 0 ? { error: `There is no shard in '${folder}'.` } : shards;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function readResult(path: string, built: string): Pick<Shard, 'runs' | 'hits' | 'classes' | 'reason' | 'report'> {
  const nothing = (reason: string): Pick<Shard, 'runs' | 'hits' | 'classes' | 'reason'> => ({
    runs: 0,
    hits: 0,
    classes: {},
    reason,
  });
  if (!existsSync(path)) return nothing(built === 'failure' ? 'it does not build' : 'it could not be run');
  const parsed = readJson(path);
  const result = v.safeParse(resultSchema, parsed);
  if (!result.success) return nothing('its result cannot be read');
  const { scenarios } = result.output;
  let runs = 0;
  let hits = 0;
  const classes: Record<string, number> = {};
  for (const scenario of scenarios) {
    // Amplified runs have another rate, so that only plain ones can be compared between versions.
    for (const attempt of scenario.attempts.filter(({ amplifier }) => amplifier === 'none')) {
      runs += attempt.runs;
      hits += attempt.hits;
    }
    for (const [name, count] of Object.entries(scenario.classes)) {
      if (name !== 'clean') classes[name] = (classes[name] ?? 0) + count;
    }
  }
  const untested = scenarios.find(({ verdict }) => verdict === 'untestable')?.reason;
  return {
    runs,
    hits,
    classes,
    ...(runs === 0 ? { reason: untested ?? 'nothing could be tested' } : {}),
    // Written by this tool's own `repro`; the schema above has checked what is read of it.
    report: parsed as ReproReport,
  };
}

export interface CombineOptions {
  /** Versions or commits, oldest first; absent when nothing is bisected. */
  readonly order?: readonly string[];
  readonly firstGood: boolean;
  readonly confidence: number;
}

/** One answer from all shards: for each system and Node a bisection, or else where it was reproduced and where not. */
export function combineShards(shards: readonly Shard[], options: CombineOptions): Combined {
  const groups = new Map<string, Shard[]>();
  for (const shard of shards) {
    const key = `${shard.system}, Node ${shard.node}`;
    groups.set(key, [...(groups.get(key) ?? []), shard]);
  }
  const platforms = [...groups].map(([key, members]): CombinedPlatform => {
    const [first] = members;
    const base = { system: first?.system ?? '', node: first?.node ?? '' };
    const { order } = options;
    if (order === undefined || order.length < 2) return base;
    return { ...base, bisection: bisectShards(key, members, order, options) };
  });
  return {
    schema: 1,
    answer: answerOf(shards, platforms),
    shards: shards.map(({ report: _report, ...shard }) => shard),
    platforms,
  };
}

function bisectShards(
  platform: string,
  shards: readonly Shard[],
  order: readonly string[],
  { firstGood, confidence }: CombineOptions,
): BisectReport {
  const history = firstGood ? order.toReversed() : order;
  const observations = history.flatMap((version): Observation[] => {
    const own = shards.filter((shard) => shard.version === version);
    const runs = own.reduce((sum, shard) => sum + shard.runs, 0);
    if (runs === 0) return [{ kind: 'skip', version, reason: own[0]?.reason ?? 'its job did not run' }];
    return own.flatMap((shard) => [
      ...classesOf(shard).map((name): Observation => ({
        kind: 'hit',
        version,
        seconds: 0,
        class: name,
        detail: '',
        lines: [],
      })),
      ...Array.from({ length: shard.runs - shard.hits }, (): Observation => ({ kind: 'clean', version, seconds: 0 })),
    ]);
  });
  const [target = ''] = shards.flatMap(({ report }) => (report === undefined ? [] : [report.target]));
  return createBisectReport(
    {
      target: target.replace(/@[^@]*$/, '') || target,
      scenario: shards.flatMap(({ report }) => report?.scenarios.map(({ name }) => name) ?? [])[0] ?? 'unknown',
      history,
      firstGood,
      confidence,
      platform,
      left: [],
    },
    conclude(history, observations, confidence),
  );
}

/** A class for each hit; those that only an amplified run saw are left out. */
function classesOf({ classes, hits }: Shard): readonly string[] {
  const list = Object.entries(classes).flatMap(([name, count]) => Array.from({ length: count }, () => name));
  return Array.from({ length: hits }, (_, index) => list[index] ?? 'crash');
}

function answerOf(shards: readonly Shard[], platforms: readonly CombinedPlatform[]): readonly string[] {
  if (platforms.some(({ bisection }) => bisection !== undefined)) {
    const answers = new Map<string, string[]>();
    for (const { system, node, bisection } of platforms) {
      if (bisection === undefined) continue;
      const name = bisection.firstBad ?? bisection.lastBad;
      const text =
        name === undefined
          ? (bisection.reason ?? 'There is no answer.')
          : `${bisection.status === 'found' ? '' : 'So far, '}'${name}' is the ${bisection.firstBad === undefined ? 'last' : 'first'} bad one.`;
      answers.set(text, [...(answers.get(text) ?? []), `${system} with Node ${node}`]);
    }
    return [...answers].map(([text, where]) => `${text} (${where.join(', ')})`);
  }
  const hit = shards.filter(({ hits }) => hits > 0).map(({ system, node }) => `${system} with Node ${node}`);
  const clean = shards
    .filter(({ hits, runs }) => hits === 0 && runs > 0)
    .map(({ system, node }) => `${system} with Node ${node}`);
  const silent = shards.filter(({ runs }) => runs === 0).map(({ system, node }) => `${system} with Node ${node}`);
  return [
    hit.length === 0 ? 'It was not reproduced.' : `It was reproduced on ${hit.join(', ')}.`,
    ...(hit.length > 0 && clean.length > 0 ? [`It was not reproduced on ${clean.join(', ')}.`] : []),
    ...(silent.length > 0 ? [`It could not be run on ${silent.join(', ')}.`] : []),
  ];
}

/** The summary of the run, as Markdown. */
export function renderCombined(combined: Combined): string {
  const lines: string[] = ['## lifetime-lint', '', ...combined.answer, ''];
  for (const { system, node, bisection } of combined.platforms) {
    if (bisection !== undefined) lines.push(`### ${system}, Node ${node}`, '', renderBisectMarkdown(bisection));
  }
  if (combined.platforms.every(({ bisection }) => bisection === undefined)) {
    lines.push('| system | Node | runs | hits | at 95 % | seen |', '| --- | --- | ---: | ---: | --- | --- |');
    for (const { system, node, runs, hits, classes, reason } of combined.shards) {
      const [low, high] = wilsonInterval(hits, runs);
      const rate = runs === 0 ? (reason ?? '') : `${formatPercent(low)} to ${formatPercent(high)}`;
      const seen = Object.entries(classes)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ');
      lines.push(`| ${system} | ${node} | ${runs} | ${hits} | ${rate.replaceAll('|', '\\|')} | ${seen} |`);
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** One SARIF log with the results of all shards; a result that several platforms share stays one for each. */
export function mergeSarif(shards: readonly Shard[], tool: Parameters<typeof renderReproSarif>[2]): string {
  const logs = shards.flatMap(({ report }) =>
    report === undefined ? [] : [renderReproSarif(report, 'package.json', tool)],
  );
  const empty: ReproReport = {
    schema: 1,
    target: '',
    platform: '',
    node: '',
    scenarios: [],
    verdict: 'not-reproduced',
    interrupted: false,
    notes: [],
  };
  const merged: unknown = JSON.parse(logs[0] ?? renderReproSarif(empty, 'package.json', tool));
  const [run] = runsOf(merged);
  if (run === undefined) return `${JSON.stringify(merged, null, 2)}\n`;
  const rest = logs.slice(1).flatMap((log) => runsOf(JSON.parse(log)));
  run.results = [run, ...rest].flatMap(({ results }) => results);
  run.invocations = [run, ...rest].flatMap(({ invocations }) => invocations);
  return `${JSON.stringify(merged, null, 2)}\n`;
}

interface SarifRun {
  results: unknown[];
  invocations: unknown[];
}

function runsOf(log: unknown): SarifRun[] {
  // The logs were made a moment ago by renderReproSarif, whose runs always have both.
  return (log as { runs: SarifRun[] }).runs;
}
