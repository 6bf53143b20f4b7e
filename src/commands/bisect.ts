import { rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { availableParallelism, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { describeCircumstances } from '../dynamic/bisect/circumstances.js';
import { openHistory, type History, type HistoryRequest } from '../dynamic/bisect/history.js';
import {
  createBisectReport,
  renderBisect,
  renderBisectJson,
  renderBisectMarkdown,
  shortVersion,
  type BisectReport,
} from '../dynamic/bisect/report.js';
import { bisect, type Observation, type Snapshot } from '../dynamic/bisect/session.js';
import { lockState, readState, writeState } from '../dynamic/bisect/state.js';
import { cacheFolder } from '../dynamic/cache.js';
import { readReproFlags, type ReproFlags } from '../dynamic/repro-flags.js';
import { scenarios } from '../dynamic/scenario.js';
import { UsageError } from '../model/usage-error.js';
import { wantsColor, type Io } from './io.js';
import { collect } from './repro.js';
import { createRunProgress, untilInterrupted } from './run-progress.js';
import { prepareOutputFile, writeOutput } from './output-file.js';

interface Flags extends Omit<ReproFlags, 'command' | 'runs' | 'scenario'> {
  readonly good?: string;
  readonly bad?: string;
  readonly list?: string;
  readonly commits?: string;
  readonly build?: string;
  readonly buildTimeout: string;
  readonly run?: string;
  readonly target?: string;
  readonly firstGood?: boolean;
  readonly pre?: boolean;
  readonly scenario?: string;
  readonly confidence: string;
  readonly rate?: string;
  readonly minRate?: string;
  readonly background?: string;
  readonly runs: string;
  readonly minutes: string;
  readonly state?: string;
  readonly fresh?: boolean;
  readonly format: 'terminal' | 'json' | 'markdown';
  readonly outputFile?: string;
  readonly color?: boolean;
}

export function register(program: Command, io: Io, exit: (code: number) => void): void {
  const names = scenarios.map(({ name }) => name).filter((name) => name !== 'command');
  program
    .command('bisect')
    .description('find the first bad version or commit of something that crashes now and then')
    .argument('[package]', 'an npm package; its published versions are bisected')
    .option('--good <version>', 'a version that does not crash')
    .option('--bad <version>', 'a version that crashes')
    .option('--first-good', 'find where it was fixed: the bad version is the older one')
    .option('--pre', 'pre-releases too')
    .option('--list <names>', 'only these versions or commits, oldest first, separated by commas')
    .option('--commits <range>', 'bisect the commits GOOD..BAD of the repository here, in a work tree of its own')
    .option('--build <command>', 'builds a commit')
    .option('--build-timeout <minutes>', 'time limit of one build', '30')
    .option('--run <command>', 'runs a built commit')
    .option('--target <path>', 'or: an addon, folder or driver in the work tree, run as repro runs it')
    .option('--scenario <name>', `one of ${names.join(', ')} (default: import)`)
    .option('--workers <number>', 'workers (default: 16 for import, else 8)')
    .option('--calls <number>', 'calls of a run, or of each worker')
    .option('--timeout <seconds>', 'time limit of one run (default: 20)')
    .option('--amplifier <name>', 'none, or a name from docs/dynamic.md', 'none')
    .option('--driver <file>', 'ES module that loads and calls the target')
    .option('--inputs <folder>', 'sample files for calls')
    .option('--env <name=value>', 'set in the environment of the children; repeatable', collect)
    .option('--node <file>', 'the Node that runs the target')
    .option('--main-loads', 'the main thread loads the target before any worker does')
    .option('--allow-scripts', 'let packages run their install scripts')
    .option('--seed <number>', 'seed of the first run')
    .option('--rate <share>', 'the crash rate that was seen, such as 0.3 or 30%; saves runs where it is about right')
    .option(
      '--min-rate <share>',
      'only what crashes at least so often counts as bad, for crashes that became frequent later',
    )
    .option(
      '--background <share>',
      'how likely it is that versions without the bug crash now and then too: 0 where each crash is the bug, 1 where they are known to (default: a third, below a confidence of 0.9 10%)',
    )
    .option('--confidence <share>', 'stop when the answer is that sure', '0.95')
    .option('--runs <number>', 'give up after that many runs', '500')
    .option('--minutes <number>', 'give up after that time', '60')
    .option('--state <file>', 'where each run is saved (default: in the cache, by question)')
    .option('--fresh', 'forget what an earlier bisection of the same question saw')
    .addOption(
      new Option('--format <name>', 'how to report').choices(['terminal', 'json', 'markdown']).default('terminal'),
    )
    .option('--output-file <file>', 'where the report goes, instead of the standard output')
    .option('--color', 'use colours')
    .option('--no-color', 'use no colours')
    .action(async (name: string | undefined, flags: Flags) => {
      exit(await runBisect(name, flags, io));
    });
}

/** 0 when there is an answer, 1 when the premise failed or the budget ran out; what cannot run is a usage error. */
async function runBisect(name: string | undefined, flags: Flags, io: Io): Promise<number> {
  const request = readRequest(name, flags);
  const confidence = readShare('confidence', flags.confidence, 0.5, MOST_SURE);
  const rate = flags.rate === undefined ? undefined : readShare('rate', flags.rate, 0.005, 1);
  const minimumRate = flags.minRate === undefined ? undefined : readShare('min-rate', flags.minRate, 0.02, 0.9);
  if (rate !== undefined && minimumRate !== undefined && rate < minimumRate)
    throw new UsageError(
      `--rate ${flags.rate ?? ''} lies below --min-rate ${flags.minRate ?? ''}; leave one of them out.`,
    );
  const background = flags.background === undefined ? undefined : readShare('background', flags.background, 0, 1);
  if (background !== undefined && minimumRate !== undefined)
    throw new UsageError(
      '--min-rate takes a rarer crash for certain, so --background says nothing beside it; leave it out.',
    );
  const maxRuns = readWhole('runs', flags.runs);
  const minutes = readCount('minutes', flags.minutes);
  const { scenario, runs: _runs, good: _good, bad: _bad, ...shared } = flags;
  const options = readReproFlags(
    placeholderOf(request),
    {
      ...shared,
      ...(scenario === undefined ? {} : { scenario: [scenario] }),
      ...(request.kind === 'commits' && 'command' in request.run ? { command: request.run.command } : {}),
    },
    io.cwd,
  );
  if ('error' in options) throw new UsageError(options.error);
  prepareOutputFile(flags.outputFile, io);

  const progress = createRunProgress(io);
  const interruption = untilInterrupted(io);
  let history: History | undefined;
  let unlock: (() => void) | undefined;
  try {
    const opened = await openHistory(request, {
      cwd: io.cwd,
      options: { ...options, signal: interruption.signal },
      allowScripts: flags.allowScripts === true,
      signal: interruption.signal,
      onStep: (text) => progress.say(text),
    });
    if ('error' in opened) throw new UsageError(opened.error);
    history = opened;
    const { versions } = opened;
    const question = JSON.stringify({
      target: opened.target,
      scenario: opened.scenario,
      ends: [versions[0], versions.at(-1)],
      platform: `${process.platform}-${process.arch}`,
      node: flags.node ?? process.version,
      how: [options.driver, options.inputs, options.timeoutMs, flags.allowScripts],
    });
    const path = statePath(flags.state, question, io.cwd);
    const lock = lockState(path);
    if ('error' in lock) throw new UsageError(lock.error);
    unlock = lock.release;
    if (flags.fresh === true) rmSync(path, { force: true });
    const earlier = readEarlier(path, question);
    if (earlier.length > 0) progress.say(`Going on with ${countRuns(earlier)} runs saved in '${path}'.`);
    progress.say(`${versions.length} versions, ${opened.scenario}.`);
    const loads: number[] = [];
    const result = await bisect(
      versions,
      opened.tester,
      {
        confidence,
        maxRuns,
        maxSeconds: minutes * 60,
        ...(rate === undefined ? {} : { expectedRate: rate }),
        ...(minimumRate === undefined ? {} : { minimumRate }),
        ...(background === undefined ? {} : { background }),
      },
      {
        isInterrupted: () => interruption.signal.aborted,
        onObservation: (all, snapshot) => {
          loads.push(loadavg()[0] ?? 0);
          writeState(path, { question, history: versions, observations: all });
          const line = describeObservation(all.at(-1), snapshot, versions, request.firstGood);
          if (line !== undefined) progress.say(line);
        },
      },
      earlier,
    );
    if (result.status === 'not-testable')
      throw new UsageError(result.reason ?? 'An end of the history cannot be tested.');
    const firstGood = request.firstGood;
    const { testable, posterior } = result;
    const ends = [testable[posterior.best - 1], testable[posterior.best]];
    const [left, right] = firstGood ? ends.toReversed() : ends;
    const isAnswer = result.status === 'found' && left !== undefined && right !== undefined;
    const boundary = isAnswer ? await opened.boundary(left, right) : [];
    const report = createBisectReport(
      {
        target: opened.target,
        scenario: opened.scenario,
        history: versions,
        firstGood,
        confidence,
        ...(minimumRate === undefined ? {} : { minimumRate }),
        ...(background === undefined ? {} : { background }),
        platform: `${process.platform}-${process.arch}, Node ${process.version}`,
        left: opened.left,
        notes: [
          ...opened.notes,
          ...describeCircumstances(versions, result, {
            lowest: Math.min(...loads),
            highest: Math.max(...loads),
            processors: availableParallelism(),
          }),
        ],
        ...(opened.labels === undefined ? {} : { labels: opened.labels }),
      },
      result,
      boundary,
    );
    progress.clear();
    writeOutput(render(report, flags, io), flags.outputFile, io);
    return result.status === 'found' ? 0 : (interruption.exitCode() ?? 1);
  } finally {
    progress.clear();
    interruption.dispose();
    unlock?.();
    await history?.close();
  }
}

/** What the flags are about while they are read: a path inside the work tree does not exist yet, and is run as a package is. */
function placeholderOf(request: HistoryRequest): string | undefined {
  if (request.kind === 'package') return `${request.package}@${request.bad}`;
  return 'path' in request.run ? 'target@0.0.0' : undefined;
}

/** The largest `--confidence`: a wrong answer in ten million is as many nines as numbers and models can carry. */
const MOST_SURE = 0.9999999;

const packageName = /^(?:@[a-z0-9-~][a-z0-9-._~]*\/)?[a-zA-Z0-9-~][a-zA-Z0-9-._~]*$/;

function readRequest(name: string | undefined, flags: Flags): HistoryRequest {
  const list = flags.list
    ?.split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (list !== undefined && new Set(list).size !== list.length) throw new UsageError('--list names a version twice.');
  if (list !== undefined && list.length < 2) throw new UsageError('--list needs at least two names, oldest first.');
  const firstGood = flags.firstGood === true;
  if (name === undefined) {
    if (flags.commits === undefined && list === undefined) {
      throw new UsageError(
        "There is nothing to bisect; name a package with --good and --bad, or give --commits 'GOOD..BAD'.",
      );
    }
    if (flags.commits !== undefined && list !== undefined) throw new UsageError('Give --commits or --list, not both.');
    if ((flags.run === undefined) === (flags.target === undefined)) {
      throw new UsageError('Say what to run in each commit: --run COMMAND, or --target PATH.');
    }
    return {
      kind: 'commits',
      firstGood,
      buildTimeoutMs: readCount('build-timeout', flags.buildTimeout) * 60_000,
      run: flags.run === undefined ? { path: flags.target ?? '' } : { command: flags.run },
      ...(flags.commits === undefined ? {} : { range: flags.commits }),
      ...(list === undefined ? {} : { list }),
      ...(flags.build === undefined ? {} : { build: flags.build }),
    };
  }
  if (flags.commits !== undefined) throw new UsageError(`Name a package or give --commits, not both: '${name}'.`);
  for (const flag of ['build', 'run', 'target'] as const) {
    if (flags[flag] !== undefined)
      throw new UsageError(`--${flag} belongs to --commits; a package is installed and loaded.`);
  }
  if (!packageName.test(name)) {
    throw new UsageError(
      `'${name}' is not the name of a package; write it without a version, and give --good and --bad.`,
    );
  }
  const [good, bad] =
    list === undefined ? [flags.good, flags.bad] : firstGood ? [list.at(-1), list[0]] : [list[0], list.at(-1)];
  if (good === undefined || bad === undefined) {
    throw new UsageError(`Give a version of '${name}' that does not crash with --good, and one that does with --bad.`);
  }
  if (good === bad) throw new UsageError(`--good and --bad are both '${good}'; name two versions that differ.`);
  return {
    kind: 'package',
    package: name,
    good,
    bad,
    firstGood,
    prereleases: flags.pre === true,
    ...(list === undefined ? {} : { list }),
  };
}

function readShare(name: string, text: string, minimum: number, maximum: number): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*(%?)$/.exec(text.trim());
  const value = match === null ? NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  if (!(value >= minimum && value <= maximum)) {
    throw new UsageError(
      `--${name} expects a share from ${minimum} to ${maximum}, such as 0.95 or 95%, not '${text}'.`,
    );
  }
  return value;
}

function readCount(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value)))
    throw new UsageError(`--${name} expects a number above 0, not '${text}'.`);
  return value;
}

function readWhole(name: string, text: string): number {
  const value = readCount(name, text);
  if (!Number.isInteger(value)) throw new UsageError(`--${name} expects a whole number above 0, not '${text}'.`);
  return value;
}

function statePath(flag: string | undefined, question: string, cwd: string): string {
  if (flag !== undefined) return resolve(cwd, flag);
  const digest = createHash('sha256').update(question).digest('hex').slice(0, 16);
  return join(cacheFolder(), 'bisect', `${digest}.json`);
}

function readEarlier(path: string, question: string): readonly Observation[] {
  const saved = readState(path);
  if (saved === undefined) return [];
  if ('error' in saved) throw new UsageError(saved.error);
  if (saved.question !== question) {
    throw new UsageError(
      `'${path}' holds another bisection, with another target, scenario or platform; name another file with --state, or start anew with --fresh.`,
    );
  }
  return saved.observations;
}

const countRuns = (all: readonly Observation[]): number =>
  all.filter(({ kind }) => kind === 'hit' || kind === 'clean').length;

/** One line for each run, so that a log of CI shows what was asked and why it took so long. */
function describeObservation(
  seen: Observation | undefined,
  { runs, posterior, testable, tallies }: Snapshot,
  versions: readonly string[],
  firstGood: boolean,
): string | undefined {
  if (seen === undefined || seen.kind === 'prepared') return undefined;
  const name = shortVersion(seen.version);
  if (seen.kind === 'skip') return `${name}: skipped, ${seen.reason}.`;
  if (seen.kind === 'untestable') return `${name}: this run says nothing, ${seen.reason}.`;
  const index = versions.indexOf(seen.version);
  const tally = tallies.get(testable.indexOf(index)) ?? { hits: 0, clean: 0 };
  // Newest first when it is asked for the fix: the first good version stands before the last bad one.
  const best = versions[testable[posterior.best - (firstGood ? 1 : 0)] ?? -1];
  const share = `${(100 * posterior.probability(posterior.best)).toFixed(0)} %`;
  const what = seen.kind === 'hit' ? `hit, ${seen.class} (${seen.detail})` : 'clean';
  return `${String(runs).padStart(4)}  ${name}: ${what}; ${tally.hits} of ${tally.hits + tally.clean}. Likeliest: ${best === undefined ? 'none' : shortVersion(best)}, ${share}.`;
}

function render(report: BisectReport, flags: Flags, io: Io): string {
  if (flags.format === 'json') return renderBisectJson(report);
  if (flags.format === 'markdown') return renderBisectMarkdown(report);
  return renderBisect(report, flags.outputFile === undefined && wantsColor(flags.color, io));
}
