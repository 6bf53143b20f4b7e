/** The loop of a bisection: check the premise, ask the best query, update, save, and stop when it is sure or out of budget. */

import { createRateModel, type RateModel } from './crash-rates.js';
import { planQuery } from './planner.js';
import { firstBadPrior, posteriorOf, type Posterior, type Tally } from './posterior.js';
import { findSecondChange, type SecondChange } from './second-change.js';
import { silence } from './silence.js';
import type { Tester } from './tester.js';
import { excludedRate, formatPercent, runsToExclude } from '../statistics.js';

/** One run or one failed preparation, in the order in which it happened; the whole state of a bisection. */
export type Observation =
  | {
      readonly kind: 'hit';
      readonly version: string;
      readonly seconds: number;
      readonly class: string;
      readonly detail: string;
      readonly lines: readonly string[];
    }
  | { readonly kind: 'clean'; readonly version: string; readonly seconds: number }
  | { readonly kind: 'prepared'; readonly version: string; readonly seconds: number }
  | { readonly kind: 'untestable'; readonly version: string; readonly reason: string }
  | { readonly kind: 'skip'; readonly version: string; readonly reason: string };

export interface BisectOptions {
  /** Stop when the likeliest answer has this probability (0..1). */
  readonly confidence: number;
  readonly maxRuns: number;
  readonly maxSeconds: number;
  /** The crash rate that was seen elsewhere, 0..1. */
  readonly expectedRate?: number;
  /** Only versions that crash at least so often count as bad, 0.02..0.9; rarer crashes are background. */
  readonly minimumRate?: number;
  /** How likely it is that the versions without the bug crash now and then too, 0..1; not together with `minimumRate`. */
  readonly background?: number;
}

export interface BisectHooks {
  /** Called after each observation with all of them; must not return before they are safe. */
  readonly onObservation?: (all: readonly Observation[], snapshot: Snapshot) => void;
  /** Checked before each run. */
  readonly isInterrupted?: () => boolean;
  /** Seconds since some fixed point; the wall clock by default. */
  readonly clock?: () => number;
}

/** What is known at one moment. */
export interface Snapshot {
  readonly runs: number;
  readonly hits: number;
  /** Positions in the history of the versions that can be run, oldest first. */
  readonly testable: readonly number[];
  readonly posterior: Posterior;
  readonly secondChange: SecondChange;
  readonly tallies: ReadonlyMap<number, Tally>;
  readonly skipped: ReadonlyMap<number, string>;
}

export type BisectStatus = 'found' | 'premise-failed' | 'non-monotone' | 'budget' | 'interrupted' | 'not-testable';

export interface BisectResult extends Snapshot {
  readonly status: BisectStatus;
  /** Why it stopped where the status is not `found`: one sentence. */
  readonly reason?: string;
  readonly observations: readonly Observation[];
}

/**
 * Runs of the bad end before anything else is asked, and those after which it is asked alone while nothing has crashed. In between the
 * middle of the history is as good a witness: a crash there says that the bug exists, and where. A crash in 20 runs is mostly met within
 * the first sixty of them.
 */
const FIRST_LOOKS = 1;
const LOOKS_EVERYWHERE = 60;
const looksEverywhere = (expected?: number): number =>
  expected === undefined ? LOOKS_EVERYWHERE : Math.min(LOOKS_EVERYWHERE, Math.ceil(3 / expected));
/** Crashes of other versions that make a silent bad end suspicious. */
const OTHER_CRASHES = 2;
/**
 * From this confidence on nothing is taken for granted: a background is thought to be common, and no answer is given before the ends and the
 * longest stretches were looked at. Who lets more than one answer in ten be wrong wants a quick one instead.
 */
const CAREFUL_FROM = 0.9;
/** A bad end that stays silent is not bad when that happens less often than this at the rate of the other bad versions. */
const TOO_SILENT = 0.003;
/**
 * Clean runs of the bad end, with no hit anywhere, after which its premise has failed: they exclude crash rates above 2 %, and a
 * quarter of a rate that was told.
 */
const premiseRuns = (expected?: number): number =>
  expected === undefined ? SILENT_RUNS : Math.min(SILENT_RUNS, Math.max(20, runsToExclude(expected / 4)));
const SILENT_RUNS = 149;
/** Tries of a version that says nothing before it is skipped: a killed run deserves another one, a load error does not. */
const TRANSIENT_TRIES = 3;
const USELESS_TRIES = 10;
/** Above this probability of three changes the planner asks what separates the two readings. */
const SUSPICION = 0.05;
/** A stretch of versions of one side that was never run is worth one look when it is this share of the history. */
const LONG_STRETCH = 1 / 3;
/** Runs of a look into the bad side, up to the first crash: one clean run there means little. */
const BAD_LOOKS = 4;
/** Below this probability of three changes an answer that assumes one may be given. */
const DOUBT = 0.05;

/** A snapshot with the prior that it came from. */
interface Summary extends Snapshot {
  /** Of a position in the history, that among the versions that can be run. */
  readonly positionOf: ReadonlyMap<number, number>;
  readonly prior: Float64Array;
}

function summarise(
  history: readonly string[],
  positions: ReadonlyMap<string, number>,
  observations: readonly Observation[],
  model: RateModel,
  before?: Summary,
): Summary {
  const byVersion = new Map<number, Tally>();
  const skipped = new Map<number, string>();
  let hits = 0;
  let runs = 0;
  for (const seen of observations) {
    const index = positions.get(seen.version);
    if (index === undefined) continue;
    if (seen.kind === 'skip') skipped.set(index, seen.reason);
    if (seen.kind !== 'hit' && seen.kind !== 'clean') continue;
    const isHit = seen.kind === 'hit';
    const tally = byVersion.get(index) ?? { hits: 0, clean: 0 };
    byVersion.set(index, {
      hits: tally.hits + (isHit ? 1 : 0),
      clean: tally.clean + (isHit ? 0 : 1),
    });
    runs++;
    if (isHit) hits++;
  }
  const { testable, positionOf, prior } = frameOf(history, skipped, before);
  const tallies = new Map<number, Tally>();
  for (const [index, tally] of byVersion) {
    const at = positionOf.get(index);
    if (at !== undefined) tallies.set(at, tally);
  }
  return judge({ runs, hits, testable, tallies, skipped, positionOf, prior }, model);
}

/** Adds what the runs say to their counts. */
function judge(counts: Omit<Summary, 'posterior' | 'secondChange'>, model: RateModel): Summary {
  const posterior = posteriorOf(model, counts.prior, counts.tallies);
  return { ...counts, posterior, secondChange: findSecondChange(model, posterior, counts.tallies) };
}

/** The summary after one more run of the version at `index` of the history, without counting the earlier ones again. */
function withRun(before: Summary, index: number, isHit: boolean, model: RateModel): Summary {
  const { runs, hits, testable, skipped, positionOf, prior } = before;
  const tallies = new Map(before.tallies);
  const at = positionOf.get(index);
  if (at !== undefined) {
    const tally = tallies.get(at) ?? { hits: 0, clean: 0 };
    tallies.set(at, { hits: tally.hits + (isHit ? 1 : 0), clean: tally.clean + (isHit ? 0 : 1) });
  }
  return judge({ runs: runs + 1, hits: hits + (isHit ? 1 : 0), testable, tallies, skipped, positionOf, prior }, model);
}

/** What depends on the versions that can be run alone: it is taken over from the state before while no more were skipped. */
function frameOf(
  history: readonly string[],
  skipped: ReadonlyMap<number, string>,
  before: Summary | undefined,
): Pick<Summary, 'testable' | 'positionOf' | 'prior'> {
  if (before?.skipped.size === skipped.size) return before;
  const testable: number[] = [];
  const positionOf = new Map<number, number>();
  const weights: number[] = [];
  let waiting = 1;
  history.forEach((_, index) => {
    if (skipped.has(index)) waiting++;
    else {
      positionOf.set(index, testable.length);
      testable.push(index);
      weights.push(waiting);
      waiting = 1;
    }
  });
  return { testable, positionOf, prior: firstBadPrior(weights) };
}

const positionsOf = (history: readonly string[]): ReadonlyMap<string, number> =>
  new Map(history.map((version, index) => [version, index]));

/**
 * What runs that were made elsewhere, in whatever order, say about a history: the same judgement as that of {@link bisect}, which
 * also chooses the runs.
 */
export function conclude(
  history: readonly string[],
  observations: readonly Observation[],
  confidence: number,
  minimumRate?: number,
): BisectResult {
  const model = createRateModel({
    isCareful: confidence >= CAREFUL_FROM,
    ...(minimumRate === undefined ? {} : { minimum: minimumRate }),
  });
  const {
    prior: _prior,
    positionOf: _positionOf,
    ...snapshot
  } = summarise(history, positionsOf(history), observations, model);
  const { posterior, secondChange, testable } = snapshot;
  const finish = (status: BisectStatus, reason?: string): BisectResult => ({
    ...snapshot,
    status,
    observations,
    ...(reason === undefined ? {} : { reason }),
  });
  if (secondChange.probability >= confidence) {
    return finish('non-monotone', NON_MONOTONE);
  }
  const sure = posterior.probability(posterior.best) >= confidence;
  if (sure && posterior.best === testable.length)
    return finish('premise-failed', 'No version crashed, so there is nothing to bisect.');
  if (sure && posterior.best === 0) {
    return finish(
      'premise-failed',
      `'${history[testable[0] ?? 0] ?? ''}', the good end, crashes too; name an older good version.`,
    );
  }
  if (sure && secondChange.probability < DOUBT) return finish('found');
  return finish('budget', 'These runs do not settle it; run the versions that are left again.');
}

const NON_MONOTONE = 'The history is good, bad, good again and bad again, so it has no single first bad version.';

/**
 * Bisects `history`, whose first version is taken to be good and whose last is taken to be bad.
 *
 * The same observations lead to the same state whatever their order; what is asked next depends on them and on the
 * measured times alone, so a bisection that was stopped goes on where it was.
 *
 * @param history names of the versions, good end first, all different
 * @param earlier observations of a bisection that was stopped
 */
export async function bisect(
  history: readonly string[],
  tester: Tester,
  options: BisectOptions,
  hooks: BisectHooks = {},
  earlier: readonly Observation[] = [],
): Promise<BisectResult> {
  const clock = hooks.clock ?? (() => performance.now() / 1000);
  const started = clock();
  const observations: Observation[] = [...earlier];
  const isCareful = options.confidence >= CAREFUL_FROM;
  const belief = {
    ...(options.expectedRate === undefined ? {} : { expected: options.expectedRate }),
    ...(options.minimumRate === undefined ? {} : { minimum: options.minimumRate }),
    ...(options.background === undefined ? {} : { background: options.background }),
    isCareful,
  };
  const model = createRateModel(belief);
  const told = options.expectedRate ?? options.minimumRate;
  const bad = history.length - 1;
  const positions = positionsOf(history);

  let state = summarise(history, positions, observations, model);

  function record(observation: Observation): void {
    observations.push(observation);
    const { kind, version } = observation;
    const index = kind === 'hit' || kind === 'clean' ? positions.get(version) : undefined;
    state =
      index === undefined
        ? summarise(history, positions, observations, model, state)
        : withRun(state, index, kind === 'hit', model);
    hooks.onObservation?.(observations, state);
  }

  function mean(kind: (seen: Observation) => boolean, guess: number): number {
    let sum = 0;
    let count = 0;
    for (const seen of observations) {
      if (!kind(seen) || !('seconds' in seen)) continue;
      sum += seen.seconds;
      count++;
    }
    return count === 0 ? guess : sum / count;
  }

  const finish = (status: BisectStatus, reason?: string): BisectResult => ({
    status,
    ...(reason === undefined ? {} : { reason }),
    runs: state.runs,
    hits: state.hits,
    testable: state.testable,
    posterior: state.posterior,
    secondChange: state.secondChange,
    tallies: state.tallies,
    skipped: state.skipped,
    observations,
  });

  /** Why no further run may begin, if so. */
  function stopReason(): BisectResult | undefined {
    if (hooks.isInterrupted?.() === true) return finish('interrupted', 'It was interrupted.');
    if (state.runs >= options.maxRuns) return finish('budget', `The budget of ${options.maxRuns} runs is used up.`);
    if (clock() - started >= options.maxSeconds) {
      return finish('budget', `The budget of ${Number((options.maxSeconds / 60).toFixed(2))} minutes is used up.`);
    }
    return undefined;
  }

  /** Runs version `index` of the history up to `count` times, until a hit. */
  async function ask(index: number, count: number): Promise<BisectResult | undefined> {
    const version = history[index] ?? '';
    if (!tester.isPrepared(index)) {
      const before = clock();
      const prepared = await tester.prepare(index);
      if (hooks.isInterrupted?.() === true) return finish('interrupted', 'It was interrupted.');
      if (prepared !== 'ready' && prepared.transient === true) {
        // Skipping what could be tested in an hour would give an answer that is coarser than it need be.
        const ended = state.runs === 0 ? 'not-testable' : 'interrupted';
        return finish(
          ended,
          `${prepared.skip}. Give the same command again when that is mended; it goes on from here.`,
        );
      }
      if (prepared !== 'ready') {
        record({ kind: 'skip', version, reason: prepared.skip });
        return undefined;
      }
      record({ kind: 'prepared', version, seconds: clock() - before });
    }
    for (let made = 0; made < count; made++) {
      const stop = stopReason();
      if (stop !== undefined) return stop;
      const before = clock();
      const result = await tester.run(index);
      const seconds = clock() - before;
      if (result.kind === 'hit') {
        record({ kind: 'hit', version, seconds, class: result.class, detail: result.detail, lines: result.lines });
        return undefined;
      }
      if (result.kind === 'clean') {
        record({ kind: 'clean', version, seconds });
        continue;
      }
      if (hooks.isInterrupted?.() === true) return finish('interrupted', 'It was interrupted.');
      const tries = observations.filter((seen) => seen.kind === 'untestable' && seen.version === version).length;
      // What has been run before can be run: its results must not be thrown away for a bad hour of the machine.
      const hasRun = observations.some(
        (seen) => seen.version === version && (seen.kind === 'hit' || seen.kind === 'clean'),
      );
      const mostTries = hasRun ? USELESS_TRIES : result.transient ? TRANSIENT_TRIES : 1;
      record({ kind: tries + 1 < mostTries ? 'untestable' : 'skip', version, reason: result.reason });
      return undefined;
    }
    return undefined;
  }

  const endSkipped = (): BisectResult | undefined => {
    for (const index of [bad, 0]) {
      const reason = state.skipped.get(index);
      if (reason !== undefined) {
        return finish(
          'not-testable',
          `'${history[index] ?? ''}' is an end of the history and cannot be tested (${reason}); name another version.`,
        );
      }
    }
    return undefined;
  };

  /** The two ends can fail their premise at any time, because every run speaks about them. */
  const premiseFailure = (): BisectResult | undefined => {
    const { posterior } = state;
    const last = state.testable.length;
    const { hits: seen, clean: quiet } = countOf(last - 1);
    const silent = state.hits === 0 && quiet >= premiseRuns(told);
    if (silent || posterior.probability(last) >= options.confidence) {
      const name = history[bad] ?? '';
      return finish(
        'premise-failed',
        seen > 0 && options.minimumRate !== undefined
          ? `'${name}', the bad end, crashed in ${seen} of ${seen + quiet} runs, less often than the ${formatPercent(options.minimumRate)} that were asked for; give a lower --min-rate, or a way of running it that crashes more often.`
          : seen > 0
            ? `'${name}', the bad end, crashed in ${seen} of ${seen + quiet} runs, no more often than the versions before it, so there is nothing to bisect here.`
            : `'${name}', the bad end, did not crash in ${quiet} runs, which excludes crash rates above ${formatPercent(excludedRate(quiet))}, so there is nothing to bisect here; find a way of running it that crashes first.`,
      );
    }
    const others = crashesOfBadSide(last - 1);
    if (seen === 0 && others.hits >= OTHER_CRASHES && silence(others, quiet) < TOO_SILENT) {
      return finish(
        'premise-failed',
        `'${history[bad] ?? ''}', the bad end, did not crash in ${quiet} runs, though versions before it did (${others.hits} of ${others.hits + others.clean} runs): it may be fixed there already; name one of those as the bad version.`,
      );
    }
    if (posterior.probability(0) >= options.confidence) {
      const { hits, clean } = countOf(0);
      return finish(
        'premise-failed',
        `'${history[0] ?? ''}', the good end, crashes too (${hits} of ${hits + clean} runs); name an older good version.`,
      );
    }
    return undefined;
  };
  const countOf = (at: number): Tally => state.tallies.get(at) ?? { hits: 0, clean: 0 };

  /** Runs of the versions before `end` that are bad in the likeliest answer. */
  function crashesOfBadSide(end: number): Tally {
    let hits = 0;
    let clean = 0;
    for (const [at, tally] of state.tallies) {
      if (at < state.posterior.best || at >= end) continue;
      hits += tally.hits;
      clean += tally.clean;
    }
    return { hits, clean };
  }

  /** The end whose premise is still open when an answer could be given. */
  function unchecked(): number | undefined {
    const last = state.testable.length - 1;
    if (countOf(last).hits === 0) return last;
    return countOf(0).hits + countOf(0).clean === 0 ? 0 : undefined;
  }

  /** A version inside a long stretch that was never run. */
  function unseen(): number | undefined {
    const { tallies, testable } = state;
    const { best } = state.posterior;
    const badSide = crashesOfBadSide(testable.length);
    const long = testable.length * LONG_STRETCH;
    return (
      unseenStretch(tallies, long, 0, best) ??
      (badSide.hits > badSide.clean ? unseenStretch(tallies, long, best, testable.length) : undefined)
    );
  }

  for (;;) {
    const early = endSkipped() ?? premiseFailure();
    if (early !== undefined) return early;
    const { posterior, secondChange, testable, tallies } = state;
    const last = testable.length - 1;
    if (secondChange.probability >= options.confidence) {
      return finish('non-monotone', NON_MONOTONE);
    }
    const sure = secondChange.probability < DOUBT && posterior.probability(posterior.best) >= options.confidence;
    const open = isCareful ? unchecked() : undefined;
    if (sure && open === undefined) {
      const gap = isCareful ? unseen() : undefined;
      if (gap === undefined) return finish('found');
      const looked = stopReason() ?? (await ask(testable[gap] ?? -1, gap < posterior.best ? 1 : BAD_LOOKS));
      if (looked !== undefined) return looked;
      continue;
    }
    const stop = stopReason();
    if (stop !== undefined) return stop;

    let query: { readonly version: number; readonly runs: number } | undefined;
    const looks = countOf(last).hits + countOf(last).clean;
    if (state.hits === 0 && (looks < FIRST_LOOKS || state.runs >= looksEverywhere(told)))
      query = { version: last, runs: 1 };
    else if (sure && open !== undefined) query = { version: open, runs: 1 };
    else if (secondChange.probability >= SUSPICION) query = separating(posterior, secondChange, tallies);
    query ??= planQuery(
      posterior,
      state.prior,
      testable.map((_, at) => at),
      {
        prepare: (at) =>
          tester.isPrepared(testable[at] ?? -1) ? 0 : mean((seen) => seen.kind === 'prepared', tester.estimate.prepare),
        // A clock that stands still must not make runs free, or nothing would tell queries apart.
        run: Math.max(
          0.001,
          mean((seen) => seen.kind === 'hit' || seen.kind === 'clean', tester.estimate.run),
        ),
      },
    );
    if (query === undefined) return finish('budget', 'No further run of any version would tell more.');
    const stopped = await ask(testable[query.version] ?? -1, query.runs);
    if (stopped !== undefined) return stopped;
  }
}

/**
 * The middle of the longest stretch of versions from `start` to before `end` that was never run, if it is longer than `least`. A search
 * that assumes one change need not look there; one look costs little and may show that the history changes more than once.
 */
function unseenStretch(
  tallies: ReadonlyMap<number, Tally>,
  least: number,
  start: number,
  end: number,
): number | undefined {
  let from: number | undefined;
  let longest = least;
  let middle: number | undefined;
  for (const at of [...tallies.keys()].filter((version) => version >= start && version < end).sort((a, b) => a - b)) {
    if (from !== undefined && at - from - 1 > longest) {
      longest = at - from - 1;
      middle = (at + from) >> 1;
    }
    from = at;
  }
  return middle;
}

/** The least-run version on which one change and three changes disagree. */
function separating(
  posterior: Posterior,
  second: SecondChange,
  tallies: ReadonlyMap<number, Tally>,
): { readonly version: number; readonly runs: number } | undefined {
  const disagreeing = [
    ...[...second.bad, ...second.badAgain].filter((version) => version < posterior.best),
    ...second.goodAgain.filter((version) => version >= posterior.best),
  ];
  let chosen: number | undefined;
  let fewest = Infinity;
  for (const version of disagreeing) {
    const tally = tallies.get(version);
    const runs = (tally?.hits ?? 0) + (tally?.clean ?? 0);
    if (runs < fewest) {
      fewest = runs;
      chosen = version;
    }
  }
  return chosen === undefined ? undefined : { version: chosen, runs: 1 };
}
