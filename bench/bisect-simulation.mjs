/**
 * Bisection by simulation: the session that `lifetime-lint bisect` runs, on made-up histories, beside plain bisection
 * that runs each version 1, 5 or 20 times.
 *
 * `npm run bench:bisect` plays 10,000 histories and 20,000 of the comparison in half an hour, writes the tables between the marks in
 * docs/bisect.md, and ends with 1 when a bar is missed or not shown. `npm run bench:bisect -- --histories 2000` takes a fifth of the time and cannot
 * tell near ties apart; fewer than 2,000 write nothing.
 */

import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

export const rates = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1];
export const sizes = [20, 60, 200, 500];
export const repeats = [1, 5, 20];

/** Answers are read off at each of these probabilities of the likeliest answer, for the comparison at equal accuracy. */
const thresholds = [
  0.02, 0.03, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97,
  0.98, 0.99, 0.995, 0.998, 0.999,
];
export const confidence = 0.95;

/** A small generator of pseudo-random numbers in [0, 1) (mulberry32, T. Ettinger), so that every run of the benchmark is the same. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Plain bisection: up to `most` runs per step, bad at the first hit. Its ends are looked at in the same way first, as whoever bisects
 * by hand does; what they show changes nothing, so that the steps can be told apart from the looks.
 */
export function plainBisection(size, isHit, most) {
  let good = 0;
  let bad = size - 1;
  let runs = 0;
  let looks = most;
  for (let hit = false, made = 0; made < most && !hit; made++) {
    looks++;
    hit = isHit(bad);
  }
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    let hit = false;
    for (let made = 0; made < most && !hit; made++) {
      runs++;
      hit = isHit(middle);
    }
    if (hit) bad = middle;
    else good = middle;
  }
  return { answer: bad, runs, looks };
}

/** A tester whose versions from `first` on crash at rate `p`, the others at rate `q`; everything is free but runs. */
export function simulatedTester(isHit) {
  return {
    estimate: { prepare: 0, run: 1 },
    isPrepared: () => true,
    prepare: () => Promise.resolve('ready'),
    run: (index) =>
      Promise.resolve(isHit(index) ? { kind: 'hit', class: 'memory-fault', detail: '', lines: [] } : { kind: 'clean' }),
  };
}

/** Plain bisection with 20 runs is never surer than this at low crash rates, so nothing above it need be compared. */
const sureEnough = (p) => (p < 0.2 ? 0.97 : p < 0.3 ? 0.99 : 0.999);

const emptyCurve = () => thresholds.map(() => ({ runs: 0, right: 0, seen: 0 }));

function addTrace(curve, trace) {
  trace.forEach(({ runs, right }, at) => {
    curve[at].seen++;
    curve[at].runs += runs;
    curve[at].right += right;
  });
}

/**
 * Runs one cell: `count` histories of `size` versions with crash rate `p` after a first bad version drawn evenly, and `q` before.
 *
 * With `traced` the session goes on until it is nearly certain, and what it would have answered at each threshold is kept.
 *
 * @param bisect the session under test
 */
export async function simulateCell(bisect, { p, q = 0, size, count, seed, hint, traced = false }) {
  const random = generator(seed);
  const history = Array.from({ length: size }, (_, index) => `v${index}`);
  const cell = {
    p,
    size,
    count,
    runs: 0,
    right: 0,
    claimed: 0,
    most: 0,
    curve: emptyCurve(),
    /** Of each traced history: its runs and whether it was right, at each threshold that it reached. */
    traces: [],
    plain: repeats.map(() => ({ runs: 0, looks: 0, right: 0 })),
  };
  for (let made = 0; made < count; made++) {
    const first = 1 + Math.floor(random() * (size - 1));
    const isHit = (index) => random() < (index >= first ? p : q);
    const expected = hint === undefined ? {} : { expectedRate: hint(p, random) };
    const trace = [];
    const watch = (_, { posterior, runs }) => {
      const probability = posterior.probability(posterior.best);
      const right = posterior.best === first ? 1 : 0;
      while (trace.length < thresholds.length && probability >= thresholds[trace.length]) trace.push({ runs, right });
    };
    const result = await bisect(
      history,
      simulatedTester(isHit),
      { confidence: traced ? sureEnough(p) : confidence, maxRuns: 5000, maxSeconds: Infinity, ...expected },
      { clock: () => 0, ...(traced ? { onObservation: watch } : {}) },
    );
    if (traced) {
      cell.traces.push(trace);
      addTrace(cell.curve, trace);
    }
    cell.runs += result.runs;
    cell.most = Math.max(cell.most, result.runs);
    cell.claimed += result.posterior.probability(result.posterior.best);
    if (result.status === 'found' && result.posterior.best === first) cell.right++;
    repeats.forEach((most, at) => {
      const plain = plainBisection(size, isHit, most);
      cell.plain[at].runs += plain.runs;
      cell.plain[at].looks += plain.looks;
      if (plain.answer === first) cell.plain[at].right++;
    });
  }
  return cell;
}

/** Histories of plain bisection in a cell of the comparison; they cost little, and its accuracy must not be a guess. */
const PLAIN_HISTORIES = 20_000;

/** How often plain bisection is right, its runs, and those that look at its ends, as means over many histories. */
export function simulatePlain({ p, size, seed, count = PLAIN_HISTORIES, list = repeats }) {
  const random = generator(seed);
  return list.map((most) => {
    const sum = { runs: 0, looks: 0, right: 0 };
    for (let made = 0; made < count; made++) {
      const first = 1 + Math.floor(random() * (size - 1));
      const plain = plainBisection(size, (index) => index >= first && random() < p, most);
      sum.runs += plain.runs / count;
      sum.looks += plain.looks / count;
      if (plain.answer === first) sum.right += 1 / count;
    }
    return sum;
  });
}

/** The operating points of a cell: mean runs and how often the answer is right, for a guess and at each confidence. */
function pointsOf(cell) {
  const guess = { runs: 0, right: 1 / (cell.size - 1) };
  const reached = cell.curve.filter((point) => point.seen === cell.count);
  return [guess, ...reached.map((point) => ({ runs: point.runs / cell.count, right: point.right / cell.count }))];
}

/** Mean runs at the confidence whose answers are right as often as `accuracy`, between neighbouring confidences by a straight line. */
export function runsAtAccuracy(cell, accuracy) {
  const points = pointsOf(cell);
  let [before] = points;
  for (const here of points) {
    if (here.right >= accuracy) {
      if (here.right <= before.right) return before.runs;
      const share = (accuracy - before.right) / (here.right - before.right);
      return before.runs + Math.max(0, share) * (here.runs - before.runs);
    }
    if (here.right > before.right) before = here;
  }
  const last = points.at(-1);
  return isAsRight(last.right, accuracy, cell.count) ? last.runs : Infinity;
}

/** The same when a coin may choose between two confidences, a mere guess being one: the lower edge of the operating points. */
export function runsWithCoin(cell, accuracy) {
  const points = pointsOf(cell);
  let least = runsAtAccuracy(cell, accuracy);
  for (const low of points) {
    for (const high of points) {
      if (low.right > accuracy || high.right < accuracy || high.right <= low.right) continue;
      const share = (accuracy - low.right) / (high.right - low.right);
      least = Math.min(least, low.runs + share * (high.runs - low.runs));
    }
  }
  return least;
}

const RESAMPLES = 200;

/**
 * The middle 95 % of what {@link runsWithCoin} gives when the histories of the cell are drawn again with repetition: how far the figure
 * can be trusted.
 */
export function intervalWithCoin(cell, accuracy, seed) {
  const random = generator(seed);
  const { traces, size } = cell;
  const values = Array.from({ length: RESAMPLES }, () => {
    const curve = emptyCurve();
    traces.forEach(() => addTrace(curve, traces[Math.floor(random() * traces.length)]));
    return runsWithCoin({ size, count: traces.length, curve }, accuracy);
  }).sort((a, b) => a - b);
  return [values[Math.floor(RESAMPLES * 0.025)], values[Math.ceil(RESAMPLES * 0.975) - 1]];
}

/** Near 100 % some hundred histories cannot tell 99.7 from 99.9 %: two standard errors count as equal. */
function isAsRight(right, accuracy, count) {
  return right >= accuracy - 2 * Math.sqrt((accuracy * (1 - accuracy)) / count) - 1 / count;
}

/** How often plain bisection with `most` runs a step is right, computed over every first bad version. */
export function plainAccuracy(size, p, most) {
  const seen = 1 - (1 - p) ** most;
  let sum = 0;
  for (let first = 1; first < size; first++) {
    let good = 0;
    let bad = size - 1;
    let probability = 1;
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      if (middle >= first) {
        bad = middle;
        probability *= seen;
      } else good = middle;
    }
    sum += probability;
  }
  return sum / (size - 1);
}

/** The fewest runs a step with which plain bisection is right as often as the session promises, for one who knows the rate. */
export function repeatsFor(size, p) {
  let most = 1;
  while (plainAccuracy(size, p, most) < confidence) most++;
  return most;
}

/** Every cell that is asked for, shared among the processor's cores; the order of the result is that of the jobs. */
async function simulateAll(jobs, onCell) {
  const results = new Array(jobs.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(availableParallelism(), jobs.length) }, async () => {
      const worker = new Worker(new URL(import.meta.url));
      try {
        while (next < jobs.length) {
          const at = next++;
          worker.postMessage(jobs[at]);
          // Rejects when the worker fails, and takes its own listeners away.
          [results[at]] = await once(worker, 'message');
          onCell(results[at], jobs[at]);
        }
      } finally {
        await worker.terminate();
      }
    }),
  );
  return results;
}

/** The user has seen the crash a few times and is wrong about its rate by up to a factor of two either way. */
const told = (p, random) => Math.min(0.98, p * 2 ** (2 * random() - 1));

function cellsOf({ kind, histories, seed, q = 0, from = 0, to = 1, traced = false, hinted = false }) {
  const count = Math.max(1, Math.round(histories / (rates.length * sizes.length)));
  return rates
    .filter((p) => p >= from && p <= to)
    .flatMap((p, row) =>
      sizes.map((size, column) => ({
        kind,
        p,
        q,
        size,
        count,
        traced,
        hinted,
        seed: seed + row * sizes.length + column,
      })),
    );
}

const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`;
const number = (value) => (Number.isFinite(value) ? value.toFixed(1) : '–');
const name = ({ p, size }) => `${percent(p).replace('.0', '')}, ${size} versions`;

/** The table of docs/bisect.md. */
function mainTable(cells, hinted) {
  const head = ['crash rate', 'versions', 'runs', 'right', 'claimed', 'runs with `--rate`', 'right'];
  for (const most of repeats) head.push(`plain × ${most}`, 'right');
  const rows = cells.map((cell, at) => [
    percent(cell.p).replace('.0', ''),
    cell.size,
    number(cell.runs / cell.count),
    percent(cell.right / cell.count),
    percent(cell.claimed / cell.count),
    number(hinted[at].runs / hinted[at].count),
    percent(hinted[at].right / hinted[at].count),
    ...cell.plain.flatMap((plain) => [
      number((plain.runs + plain.looks) / cell.count),
      percent(plain.right / cell.count),
    ]),
  ]);
  return format(head, rows);
}

/**
 * Plain bisection and the session at the accuracy of the former. `missed` collects the comparisons that the session loses, `open` those
 * in which the histories do not tell which of the two needs fewer.
 */
function equalTable(traced, cells, missed, open) {
  const head = ['crash rate', 'versions'];
  for (const most of repeats) head.push(`plain × ${most}`, 'right', 'bisect', 'with a coin');
  head.push('plain for 95 %', 'runs', 'bisect at 0.95');
  const won = { direct: 0, coin: 0, steps: 0, all: 0 };
  const rows = traced.map((cell, at) => {
    const row = [percent(cell.p).replace('.0', ''), cell.size];
    simulatePlain({ p: cell.p, size: cell.size, seed: 5000 + at }).forEach(({ runs, looks, right }, index) => {
      const direct = runsAtAccuracy(cell, right);
      const coin = runsWithCoin(cell, right);
      won.all++;
      if (direct < runs + looks) won.direct++;
      const [low, high] = intervalWithCoin(cell, right, 8000 + at * repeats.length + index);
      const text = `${name(cell)}: plain × ${repeats[index]} takes ${number(runs + looks)} runs, bisect ${number(coin)} (${number(low)} to ${number(high)}).`;
      if (high < runs + looks) won.coin++;
      else if (low > runs + looks) missed.push(text);
      else open.push(text);
      if (coin < runs) won.steps++;
      row.push(`${number(runs)} + ${number(looks)}`, percent(right), number(direct), number(coin));
    });
    const most = repeatsFor(cell.size, cell.p);
    const [best] = simulatePlain({ p: cell.p, size: cell.size, seed: 6000 + at, list: [most] });
    const own = cells.find((other) => other.p === cell.p && other.size === cell.size);
    row.push(`× ${most}`, number(best.runs + best.looks), number(own.runs / own.count));
    return row;
  });
  return { table: format(head, rows), won };
}

function format(head, rows) {
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => ' ---: ').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

/** What is promised; each sentence that does not hold. */
function missedBars(cells) {
  const missed = [];
  for (const cell of cells) {
    const right = cell.right / cell.count;
    const error = Math.sqrt((confidence * (1 - confidence)) / cell.count);
    if (right < confidence - 3 * error) missed.push(`${name(cell)}: ${percent(right)} are right.`);
    if (cell.p === 1 && cell.most > Math.log2(cell.size) + 10) missed.push(`${name(cell)}: ${cell.most} runs.`);
  }
  const sum = (key) =>
    cells.reduce((all, cell) => all + cell[key], 0) / cells.reduce((all, cell) => all + cell.count, 0);
  if (sum('right') < confidence) missed.push(`All: ${percent(sum('right'))} are right.`);
  if (Math.abs(sum('right') - sum('claimed')) > 0.03) {
    missed.push(`All: ${percent(sum('right'))} are right and ${percent(sum('claimed'))} are claimed.`);
  }
  return missed;
}

async function main() {
  const at = process.argv.indexOf('--histories');
  const histories = at < 0 ? DEFAULT_HISTORIES : Number(process.argv[at + 1]);
  if (!(histories >= 1)) throw new Error('--histories expects a number of at least 1.');
  const started = performance.now();
  const few = histories / 4;
  // The comparison needs most of the time: its accuracies must not be guesses.
  const jobs = [
    ...cellsOf({ kind: 'main', histories, seed: 1 }),
    ...cellsOf({ kind: 'hinted', histories: few, seed: 1000, hinted: true }),
    ...cellsOf({ kind: 'traced', histories: histories * TRACED_SHARE, seed: 3000, to: 0.5, traced: true }),
    ...cellsOf({ kind: 'noisy', histories: few, seed: 2000, q: 0.02, from: 0.2 }),
  ];
  // The longest first, or one core waits for the other at the end.
  const order = jobs.map((_, index) => index).sort((a, b) => jobs[a].p - jobs[b].p);
  const done = await simulateAll(
    order.map((index) => jobs[index]),
    (cell, { kind }) =>
      process.stderr.write(
        `${kind} ${name(cell)}: ${number(cell.runs / cell.count)} runs, ${percent(cell.right / cell.count)}\n`,
      ),
  );
  const results = new Array(jobs.length);
  order.forEach((index, position) => (results[index] = done[position]));
  const of = (kind) => results.filter((_, index) => jobs[index].kind === kind);
  const [cells, hinted, traced, noisy] = ['main', 'hinted', 'traced', 'noisy'].map(of);
  const all = (list, key) => list.reduce((sum, cell) => sum + cell[key], 0);
  const share = (list, key) => percent(all(list, key) / all(list, 'count'));
  const sure = cells.filter((cell) => cell.p === 1);
  const count = (list) => all(list, 'count').toLocaleString('en-GB');
  const missed = missedBars(cells);
  const open = [];
  const equal = equalTable(traced, cells, missed, open);
  const text = [
    `${count(cells)} histories, confidence 0.95: ${share(cells, 'right')} of the answers are right, and they claim ${share(cells, 'claimed')} on average.`,
    `At a crash rate of 100 % the most runs that any history took were ${sure.map((cell) => `${cell.most} for ${cell.size} versions (log₂ n + 10 is ${number(Math.log2(cell.size) + 10)})`).join(', ')}.`,
    `With a background of 2 % on the good side and crash rates of at least 20 %, ${share(noisy, 'right')} of ${count(noisy)} are right.`,
    '',
    mainTable(cells, hinted),
    '',
    `Equal accuracy (${count(traced)} other histories of \`bisect\`, ${PLAIN_HISTORIES.toLocaleString('en-GB')} of plain bisection for each row). Fewer runs than plain bisection with its looks in ${equal.won.direct} of ${equal.won.all} comparisons at one confidence, with a coin in ${equal.won.coin} by more than chance (the interval at 95 % of the runs of \`bisect\` lies below), and in ${equal.won.steps} even without its looks.`,
    '',
    equal.table,
    '',
    ...(open.length === 0 ? [] : [`Not told apart: ${open.join(' ')}`, '']),
    missed.length === 0 ? 'No bar is missed by more than chance.' : `Missed: ${missed.join(' ')}`,
    ...(open.length === 0 ? [] : [`In ${open.length} comparisons it is not shown that fewer runs are needed.`]),
  ].join('\n');
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0)} s\n`);
  process.stdout.write(`${text}\n`);
  // What the histories do not show is not met.
  if (missed.length + open.length > 0) process.exitCode = 1;
  if (histories < DEFAULT_HISTORIES) return;
  const page = new URL('../docs/bisect.md', import.meta.url);
  const begin = '<!-- bench:bisect -->\n';
  const end = '\n<!-- /bench:bisect -->';
  const source = readFileSync(page, 'utf8');
  const from = source.indexOf(begin);
  const to = source.indexOf(end);
  if (from < 0 || to < 0) throw new Error("docs/bisect.md has lost the marks 'bench:bisect'.");
  writeFileSync(page, source.slice(0, from + begin.length) + text + source.slice(to));
}

/** A single cell has 313 of them. */
const DEFAULT_HISTORIES = 10_000;

/** Histories of the comparison for each one of the main table: a difference of some per cent needs a thousand of a cell. */
const TRACED_SHARE = 3.2;

if (!isMainThread) {
  const { bisect } = await import('../dist/dynamic/bisect/session.js');
  parentPort.on('message', (job) => {
    simulateCell(bisect, { ...job, ...(job.hinted ? { hint: told } : {}) }).then((cell) =>
      parentPort.postMessage(cell),
    );
  });
} else if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
