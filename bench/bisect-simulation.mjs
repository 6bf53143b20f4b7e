/**
 * Bisection by simulation: the session that `lifetime-lint bisect` runs, on made-up histories, beside plain bisection
 * that runs each version 1, 5 or 20 times.
 *
 * `npm run bench:bisect` plays 10,000 histories and those of the comparison, writes the tables between the marks in docs/bisect.md, and
 * ends with 1 when a bar is missed or not shown. `npm run bench:bisect -- --histories 2000` takes a fifth of the time, cannot tell near ties
 * apart, and writes nothing.
 */

import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

export const rates = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1];
export const sizes = [20, 60, 200, 500];
export const repeats = [1, 5, 20];

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

/** A tester whose versions crash when `isHit` says so; everything is free but runs. */
export function simulatedTester(isHit) {
  return {
    estimate: { prepare: 0, run: 1 },
    isPrepared: () => true,
    prepare: () => Promise.resolve('ready'),
    run: (index) =>
      Promise.resolve(isHit(index) ? { kind: 'hit', class: 'memory-fault', detail: '', lines: [] } : { kind: 'clean' }),
  };
}

/**
 * How likely `answer` is to be right after these runs, for one who knows how the histories are made: the first bad version is drawn evenly,
 * bad versions crash at rate `p` and others never. Its mean over many histories is how often the answer is right, as the mean of right and
 * wrong is, and it scatters less from history to history, since the luck of the draw is averaged out.
 *
 * @param tallies hits and clean runs by version; what was not run is absent
 */
export function chanceOfRight(answer, tallies, size, p) {
  if (answer < 1 || answer >= size) return 0;
  const tested = [...tallies.keys()].sort((a, b) => b - a);
  // From the newest version backwards: first bad versions between two that were run leave the same clean runs to luck.
  let clean = 0;
  let above = size - 1;
  let total = 0;
  let own = 0;
  const take = (low, high) => {
    const weight = (1 - p) ** clean;
    total += weight * Math.max(0, high - low + 1);
    if (answer >= low && answer <= high) own = weight;
  };
  for (const version of tested) {
    const tally = tallies.get(version);
    take(Math.max(1, version + 1), above);
    above = version;
    if (tally.hits > 0) {
      // Nothing after a crash can be the first.
      total = 0;
      own = 0;
    }
    clean += tally.clean;
  }
  take(1, above);
  return total === 0 ? 0 : own / total;
}

/** Whether a session of this confidence, below 0.9, would have ended here. */
function isSettled({ posterior, secondChange }, until) {
  return (
    secondChange.probability >= until ||
    (secondChange.probability < 0.05 && posterior.probability(posterior.best) >= until) ||
    posterior.probability(0) >= until ||
    posterior.probability(posterior.size) >= until
  );
}

/**
 * Runs one cell: `count` histories of `size` versions with crash rate `p` from a first bad version on, which is drawn evenly, and false
 * alarms at rate `q` on both sides. With `rare`, some of the versions before crash too, at that rate, and `minimum` is asked for.
 *
 * With `stops`, confidences up to `until`, it keeps for each of them, for each history and each run of it, how likely the likeliest answer
 * was to be right then ({@link chanceOfRight}): what the same command says whose budget (`--runs`) ends there. The runs do not depend on the confidence where nothing is
 * looked at before the answer (below 0.9), so that one session stands for those that would have stopped earlier; a history is then made
 * of a seed of its own, the same in each cell that has the same one.
 *
 * @param bisect the session under test
 */
export async function simulateCell(
  bisect,
  {
    p,
    q = 0,
    rare,
    minimum,
    size,
    count,
    seed,
    hint,
    until = confidence,
    maxRuns = 5000,
    background,
    stops = [],
    against,
  },
) {
  let random = generator(seed);
  const isTraced = stops.length > 0;
  const history = Array.from({ length: size }, (_, index) => `v${index}`);
  const cell = {
    p,
    q,
    rare,
    minimum,
    size,
    count,
    /** The repetitions of plain bisection that it is compared with. */
    against,
    runs: 0,
    right: 0,
    /** Histories that were given an answer. */
    found: 0,
    claimed: 0,
    most: 0,
    /** Of each confidence and each traced history, how likely the likeliest answer was to be right after each of its runs. */
    families: stops.map(() => []),
    plain: repeats.map(() => ({ runs: 0, looks: 0, right: 0 })),
  };
  for (let made = 0; made < count; made++) {
    if (isTraced) random = generator(seed + 7919 * made);
    // Where a rare crash comes first, it begins before the last version and the frequent one after it.
    const earlier = rare === undefined ? 0 : 1 + Math.floor(random() * (size - 2));
    const first = earlier + 1 + Math.floor(random() * (size - 1 - earlier));
    const rateOf = (index) => (index >= first ? p : rare !== undefined && index >= earlier ? rare : 0);
    const isHit = (index) => random() < 1 - (1 - rateOf(index)) * (1 - q);
    const expected = {
      ...(hint === undefined ? {} : { expectedRate: hint(p, random) }),
      ...(minimum === undefined ? {} : { minimumRate: minimum }),
      ...(background === undefined ? {} : { background }),
    };
    const traces = stops.map(() => ({ answers: [], isOver: false }));
    const watch = (_, snapshot) => {
      const answer = chanceOfRight(snapshot.posterior.best, snapshot.tallies, size, p);
      traces.forEach((trace, at) => {
        if (trace.isOver) return;
        trace.answers.push(answer);
        trace.isOver = stops[at] < until && isSettled(snapshot, stops[at]);
      });
    };
    const result = await bisect(
      history,
      simulatedTester(isHit),
      { confidence: until, maxRuns, maxSeconds: Infinity, ...expected },
      { clock: () => 0, ...(isTraced ? { onObservation: watch } : {}) },
    );
    traces.forEach(({ answers }, at) => cell.families[at].push(Float64Array.from(answers)));
    if (isTraced) {
      cell.runs += result.runs;
      continue;
    }
    cell.runs += result.runs;
    cell.most = Math.max(cell.most, result.runs);
    cell.claimed += result.posterior.probability(result.posterior.best);
    if (result.status === 'found') cell.found++;
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

/** Runs of plain bisection at one version: to the first hit, at most `most`. */
const runsOfStep = (p, most) => (1 - (1 - p) ** most) / p;

/**
 * Mean runs of plain bisection, those of its looks at both ends, and how often it is right, exactly: over every first bad version and
 * every way in which a step can miss.
 */
export function plainExactly(size, p, most) {
  const seen = 1 - (1 - p) ** most;
  const step = runsOfStep(p, most);
  const search = (first, good, bad) => {
    if (bad - good <= 1) return { runs: 0, right: bad === first ? 1 : 0 };
    const middle = (good + bad) >> 1;
    const later = search(first, middle, bad);
    if (middle < first) return { runs: most + later.runs, right: later.right };
    const earlier = search(first, good, middle);
    return {
      runs: step + seen * earlier.runs + (1 - seen) * later.runs,
      right: seen * earlier.right + (1 - seen) * later.right,
    };
  };
  let runs = 0;
  let right = 0;
  for (let first = 1; first < size; first++) {
    const result = search(first, 0, size - 1);
    runs += result.runs / (size - 1);
    right += result.right / (size - 1);
  }
  return { runs, looks: most + step, right };
}

/** Budgets, in runs, at which the traces are read off: each, then every twentieth part more. */
const budgets = [];
for (let runs = 1; runs < 400; runs = Math.max(runs + 1, Math.round(runs * 1.05))) budgets.push(runs);

/** Mean runs and how often the answer is right for each budget up to `most`, over the histories of which `drawn` gives the positions. */
function pointsOf(traces, drawn, most) {
  return budgets
    .filter((budget) => budget <= most)
    .map((budget) => {
      let runs = 0;
      let right = 0;
      for (const at of drawn) {
        const trace = traces[at];
        const made = Math.min(budget, trace.length);
        runs += made;
        right += trace[made - 1];
      }
      return { runs: runs / drawn.length, right: right / drawn.length };
    });
}

/** The fewest mean runs at one setting that is right as often as `accuracy`. */
export function runsAtOneSetting(points, accuracy) {
  return points.reduce((least, { runs, right }) => (right >= accuracy ? Math.min(least, runs) : least), Infinity);
}

/**
 * Which two settings a coin chooses between with the fewest runs at `accuracy`, a mere guess without any run being one: positions in
 * `points`, the same twice for one setting, or undefined when none is right so often. They are the corners of the convex hull around it.
 */
export function chooseSettings(points, accuracy) {
  const order = points
    .map((_, at) => at)
    .sort((a, b) => points[a].runs - points[b].runs || points[b].right - points[a].right);
  const hull = [];
  for (const at of order) {
    const point = points[at];
    if (hull.length > 0 && point.right <= points[hull.at(-1)].right) continue;
    while (hull.length > 1) {
      const [first, middle] = [points[hull.at(-2)], points[hull.at(-1)]];
      const isBelow =
        (middle.right - first.right) * (point.runs - first.runs) <=
        (point.right - first.right) * (middle.runs - first.runs);
      if (!isBelow) break;
      hull.pop();
    }
    hull.push(at);
  }
  const above = hull.findIndex((at) => points[at].right >= accuracy);
  return above < 0 ? undefined : [hull[Math.max(0, above - 1)], hull[above]];
}

/** Mean runs of two settings, mixed so that they are right as often as `accuracy`; a little beyond them the line goes on. */
function runsOf(points, [below, above], accuracy) {
  const [low, high] = [points[below], points[above]];
  if (high.right <= low.right) return high.runs;
  const share = Math.min(1.5, Math.max(0, (accuracy - low.right) / (high.right - low.right)));
  return low.runs + share * (high.runs - low.runs);
}

const RESAMPLES = 100;

/**
 * The fewest mean runs for each accuracy, and the middle 95 % of what comes out when the histories are drawn again with repetition: how
 * far the figure can be trusted. The settings are chosen on one half of the histories and read off on the other, both ways: the luckiest
 * of many settings looks better than it is where it was chosen.
 *
 * @param families the traces of sessions that differ in their confidence, of the same histories
 * @param size versions of each history
 * @param wanted accuracies, and for each the largest budget that may reach it
 */
export function compareCell(families, size, wanted, seed) {
  const random = generator(seed);
  const count = families[0].length;
  const most = Math.max(...wanted.map((one) => one.most));
  const half = (odd) => Array.from({ length: count }, (_, at) => at).filter((at) => at % 2 === odd);
  const again = (drawn) => drawn.map(() => drawn[Math.floor(random() * drawn.length)]);
  // The families are sessions of the same histories, so they are drawn together.
  const points = (drawn) => [
    { runs: 0, right: 1 / (size - 1) },
    ...families.flatMap((traces) => pointsOf(traces, drawn, most)),
  ];
  const crossed = (draw) => {
    const halves = [points(draw(half(0))), points(draw(half(1)))];
    return ({ accuracy }) => {
      const read = halves.map((own, odd) => {
        const settings = chooseSettings(own, accuracy);
        return settings === undefined ? Infinity : runsOf(halves[1 - odd], settings, accuracy);
      });
      return (read[0] + read[1]) / 2;
    };
  };
  const all = points(Array.from({ length: count }, (_, at) => at));
  const own = crossed((drawn) => drawn);
  const samples = Array.from({ length: RESAMPLES }, () => {
    const read = crossed(again);
    return wanted.map(read);
  });
  return wanted.map((one, index) => {
    const values = samples.map((sample) => sample[index]).sort((a, b) => a - b);
    return {
      direct: runsAtOneSetting(all, one.accuracy),
      coin: own(one),
      low: values[Math.floor(RESAMPLES * 0.025)],
      high: values[Math.ceil(RESAMPLES * 0.975) - 1],
    };
  });
}

/** The fewest runs a step with which plain bisection is right as often as the session promises, for one who knows the rate. */
export function repeatsFor(size, p) {
  let most = 1;
  while (plainExactly(size, p, most).right < confidence) most++;
  return most;
}

/** Every cell that is asked for, shared among the processor's cores; the order of the result is that of the jobs. */
async function simulateAll(jobs, threads, onCell) {
  const results = new Array(jobs.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(threads, jobs.length) }, async () => {
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

function cellsOf({ kind, histories, seed, q = 0, from = 0, to = 1, hinted = false, background }) {
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
        hinted,
        background,
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
 * The sessions of the comparison by crash rate: confidences (`--confidence`), each of which may be cut off by a budget (`--runs`) too, and
 * histories of each cell. Who wants to be right in 60 % does not ask for 95 %, and plain bisection with 20 runs is right more often than
 * that at the larger rates. Below 0.9 one session stands for all confidences up to its own; it takes more histories where the two are nearer
 * to each other, to tell them apart.
 */
const QUICK = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.89];
const COMPARED = new Map([
  [0.05, [{ repeats: [1, 5, 20], count: 400, stops: [QUICK] }]],
  [0.1, [{ repeats: [1, 5, 20], count: 1200, stops: [QUICK] }]],
  [
    0.2,
    [
      { repeats: [1, 5], count: 500, stops: [QUICK] },
      { repeats: [20], count: 600, stops: [[confidence], [0.975], [0.99]] },
    ],
  ],
  [
    0.3,
    [
      { repeats: [1, 5], count: 800, stops: [QUICK] },
      { repeats: [20], count: 300, stops: [[0.99], [0.995], [0.998], [0.9995], [0.9999]] },
    ],
  ],
  [
    0.5,
    [
      { repeats: [1, 5], count: 1600, stops: [QUICK, [confidence]] },
      { repeats: [20], count: 150, stops: [[0.9999], [0.99999], [0.999999], [0.9999999]] },
    ],
  ],
]);

/** No more of the runs of plain bisection than this can be part of an answer that takes fewer. */
const LARGEST_SHARE = 1.7;

/**
 * The sessions of the comparison.
 *
 * @param background what they are told of false alarms (`--background`)
 */
function comparedCells(share, seed, background) {
  return [...COMPARED].flatMap(([p, groups], row) =>
    sizes.flatMap((size, column) => {
      return groups.flatMap(({ repeats: against, count, stops }) => {
        const { runs, looks } = plainExactly(size, p, against.at(-1));
        return stops.map((some) => ({
          kind: background === undefined ? 'compared' : 'trusted',
          p,
          q: 0,
          size,
          background,
          against: against.at(-1),
          until: some.at(-1),
          stops: some,
          count: Math.max(4, Math.round(count * share)),
          maxRuns: Math.ceil(LARGEST_SHARE * (runs + looks)),
          seed: seed + 1_000_003 * (row * sizes.length + column),
        }));
      });
    }),
  );
}

/** False alarms on both sides, and histories in which a rare crash became frequent. */
const BACKGROUNDS = [0.01, 0.02, 0.05];
const STEPS = [
  { rare: 0.03, p: 0.4, minimum: 0.2 },
  { rare: 0.1, p: 0.5, minimum: 0.25 },
  { rare: 0.02, p: 0.1, minimum: 0.06 },
  { rare: 0.07, p: 0.35, minimum: 0.2 },
];

/** Histories in which no version has the bug and all have false alarms: each answer is wrong. */
function controlCells(histories, seed) {
  const count = Math.max(1, Math.round(histories / 200));
  return BACKGROUNDS.flatMap((q, row) =>
    [sizes[0], sizes[2]].map((size, column) => ({
      kind: 'control',
      p: 0,
      q,
      size,
      count,
      maxRuns: 500,
      seed: seed + 2 * row + column,
    })),
  );
}

function steppedCells(histories, seed) {
  const count = Math.max(1, Math.round(histories / 40));
  return STEPS.map((step, index) => ({ kind: 'stepped', ...step, size: 40, count, seed: seed + index }));
}

/**
 * Plain bisection and the session at the accuracy of the former. `missed` collects the comparisons that the session loses, `open` those
 * in which the histories do not tell which of the two needs fewer.
 */
function equalTable(compared, label, missed, open) {
  const head = ['crash rate', 'versions', 'plain', 'its runs', 'right', 'bisect', 'share', 'at 95 %', 'one setting'];
  const won = { direct: 0, coin: 0, steps: 0, lost: 0, all: 0 };
  const rows = [];
  for (const [p, groups] of COMPARED) {
    for (const size of sizes) {
      const plain = repeats.map((most) => plainExactly(size, p, most));
      const results = groups.flatMap(({ repeats: against }) =>
        compareCell(
          compared
            .filter((cell) => cell.p === p && cell.size === size && cell.against === against.at(-1))
            .flatMap(({ families }) => families),
          size,
          against.map((most) => {
            const { right, runs, looks } = plain[repeats.indexOf(most)];
            return { accuracy: right, most: LARGEST_SHARE * (runs + looks) };
          }),
          8000 + rows.length,
        ),
      );
      results.forEach(({ direct, coin, low, high }, index) => {
        const { runs, looks, right } = plain[index];
        const whole = runs + looks;
        const share = (made) => (Number.isFinite(made) ? (made / whole).toFixed(2) : '–');
        won.all++;
        if (direct < whole) won.direct++;
        if (coin < runs) won.steps++;
        const text = `${label}${name({ p, size })}: plain × ${repeats[index]} takes ${number(whole)} runs, bisect ${number(coin)} (${number(low)} to ${number(high)}).`;
        if (high < whole) won.coin++;
        else if (low > whole) {
          won.lost++;
          missed.push(text);
        } else open.push(text);
        rows.push([
          percent(p).replace('.0', ''),
          size,
          `× ${repeats[index]}`,
          `${number(runs)} + ${number(looks)}`,
          percent(right),
          number(coin),
          share(coin),
          `${share(low)} to ${share(high)}`,
          number(direct),
        ]);
      });
    }
  }
  return { table: format(head, rows), won };
}

/** The other direction: as many runs a step as plain bisection needs for 95 %, for one who knows the rate. */
function repeatsTable(cells) {
  const rows = cells
    .filter(({ p }) => COMPARED.has(p))
    .map((cell) => {
      const most = repeatsFor(cell.size, cell.p);
      const { runs, looks } = plainExactly(cell.size, cell.p, most);
      return [
        percent(cell.p).replace('.0', ''),
        cell.size,
        `× ${most}`,
        number(runs + looks),
        number(cell.runs / cell.count),
      ];
    });
  return format(['crash rate', 'versions', 'plain for 95 %', 'its runs', 'bisect at 0.95'], rows);
}

/** Cells of the same background and rate, summed over the number of versions. */
function sumBySize(cells) {
  const sums = new Map();
  for (const { p, q, count, runs, right, claimed } of cells) {
    const key = `${q} ${p}`;
    const sum = sums.get(key) ?? { p, q, count: 0, runs: 0, right: 0, claimed: 0 };
    sums.set(key, {
      ...sum,
      count: sum.count + count,
      runs: sum.runs + runs,
      right: sum.right + right,
      claimed: sum.claimed + claimed,
    });
  }
  return [...sums.values()];
}

const resultColumns = ({ count, runs, right, claimed }) => [
  count,
  number(runs / count),
  percent(right / count),
  percent(claimed / count),
];

const whole = (share) => percent(share).replace('.0', '');

const noisyTable = (noisy, warned) =>
  format(
    [
      'false alarms',
      'crash rate',
      'histories',
      'runs',
      'right',
      'claimed',
      'runs with `--background 1`',
      'right',
      'claimed',
    ],
    noisy.map((cell, at) => [
      whole(cell.q),
      whole(cell.p),
      ...resultColumns(cell),
      ...resultColumns(warned[at]).slice(1),
    ]),
  );

const steppedTable = (stepped) =>
  format(
    ['rare', 'frequent', '`--min-rate`', 'histories', 'runs', 'right', 'claimed'],
    stepped.map((cell) => [whole(cell.rare), whole(cell.p), whole(cell.minimum), ...resultColumns(cell)]),
  );

function format(head, rows) {
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => ' ---: ').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

/** What is promised; each sentence that does not hold. */
function missedBars(cells, noisy, warned, stepped, control) {
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
  // What is claimed must be about what is seen, beyond chance.
  const compare = (what, { right, claimed, count }) => {
    if ((claimed - right) / count > 0.03 + 2 * Math.sqrt((confidence * (1 - confidence)) / count))
      missed.push(`${what}: ${percent(right / count)} are right and ${percent(claimed / count)} are claimed.`);
  };
  for (const one of noisy) compare(`False alarms of ${percent(one.q)}, crash rate ${percent(one.p)}`, one);
  for (const one of warned)
    compare(`False alarms of ${percent(one.q)} with \`--background 1\`, crash rate ${percent(one.p)}`, one);
  const answered = control.reduce((all, cell) => all + cell.found, 0);
  const asked = control.reduce((all, cell) => all + cell.count, 0);
  if (answered > (1 - confidence) * asked)
    missed.push(`Without the bug ${answered} of ${asked} histories were given an answer.`);
  for (const cell of stepped) compare(`${percent(cell.rare)} that became ${percent(cell.p)}`, cell);
  return missed;
}

async function main() {
  const at = process.argv.indexOf('--histories');
  const histories = at < 0 ? DEFAULT_HISTORIES : Number(process.argv[at + 1]);
  if (!(histories >= 1)) throw new Error('--histories expects a number of at least 1.');
  const threadsAt = process.argv.indexOf('--threads');
  const threads = threadsAt < 0 ? availableParallelism() : Math.max(1, Number(process.argv[threadsAt + 1]));
  const started = performance.now();
  const few = histories / 4;
  // The comparison needs most of the time: its accuracies must not be guesses.
  const jobs = [
    ...cellsOf({ kind: 'main', histories, seed: 1 }),
    ...cellsOf({ kind: 'hinted', histories: few, seed: 1000, hinted: true }),
    ...comparedCells(histories / DEFAULT_HISTORIES, 3000, 0),
    ...comparedCells(histories / DEFAULT_HISTORIES / 2, 4000),
    ...BACKGROUNDS.flatMap((q, index) =>
      [undefined, 1].flatMap((background) =>
        cellsOf({
          kind: background === undefined ? 'noisy' : 'warned',
          histories: few,
          seed: 2000 + 300 * index,
          q,
          from: 0.2,
          background,
        }),
      ),
    ),
    ...steppedCells(histories, 7000),
    ...controlCells(histories, 9000),
  ];
  // The longest first, or one core waits for the other at the end.
  const order = jobs.map((_, index) => index).sort((a, b) => jobs[a].p - jobs[b].p);
  const done = await simulateAll(
    order.map((index) => jobs[index]),
    threads,
    (cell, { kind }) =>
      process.stderr.write(
        `${((performance.now() - started) / 1000).toFixed(0)} s: ${kind} ${name(cell)}, ${number(cell.runs / cell.count)} runs\n`,
      ),
  );
  const results = new Array(jobs.length);
  order.forEach((index, position) => (results[index] = done[position]));
  const of = (kind) => results.filter((_, index) => jobs[index].kind === kind);
  const [cells, hinted, trusted, compared, noisyCells, warnedCells, stepped, control] = [
    'main',
    'hinted',
    'trusted',
    'compared',
    'noisy',
    'warned',
    'stepped',
    'control',
  ].map(of);
  const all = (list, key) => list.reduce((sum, cell) => sum + cell[key], 0);
  const share = (list, key) => percent(all(list, key) / all(list, 'count'));
  const sure = cells.filter((cell) => cell.p === 1);
  const count = (list) => all(list, 'count').toLocaleString('en-GB');
  const [noisy, warned] = [noisyCells, warnedCells].map(sumBySize);
  const missed = missedBars(cells, noisy, warned, stepped, control);
  const open = [];
  const sameBelief = equalTable(trusted, '`--background 0`, ', missed, open);
  const equal = equalTable(compared, '', [], []);
  const text = [
    `${count(cells)} histories, confidence 0.95: ${share(cells, 'right')} of the answers are right, and they claim ${share(cells, 'claimed')} on average.`,
    `At a crash rate of 100 % the most runs that any history took were ${sure.map((cell) => `${cell.most} for ${cell.size} versions (log₂ n + 10 is ${number(Math.log2(cell.size) + 10)})`).join(', ')}.`,
    ...BACKGROUNDS.map((q) => {
      const [own, told] = [noisy, warned].map((list) => list.filter((cell) => cell.q === q));
      return `With false alarms in ${percent(q)} of all runs and crash rates of at least 20 %, ${share(own, 'right')} of ${count(own)} are right, and ${share(own, 'claimed')} are claimed; with \`--background 1\` ${share(told, 'right')} and ${share(told, 'claimed')}.`;
    }),
    `A control: where no version has the bug and all crash in ${BACKGROUNDS.map((q) => whole(q)).join(', ')} of the runs for another reason, ${share(control, 'found')} of ${count(control)} histories were given an answer, which is wrong, within 500 runs: ${BACKGROUNDS.map(
      (q) => {
        const own = control.filter((cell) => cell.q === q);
        return `${all(own, 'found')} of ${all(own, 'count')} at ${whole(q)}`;
      },
    ).join(', ')}.`,
    '',
    mainTable(cells, hinted),
    '',
    `Equal accuracy, each crash taken for the bug as plain bisection does (\`--background 0\`, ${count(trusted)} sessions; plain bisection is computed exactly). Fewer runs than plain bisection with its looks in ${sameBelief.won.coin} of ${sameBelief.won.all} comparisons by more than chance (the interval at 95 % of the runs of \`bisect\` lies below), in ${sameBelief.won.direct} at one setting without a coin, and in ${sameBelief.won.steps} even without its looks.`,
    '',
    sameBelief.table,
    '',
    `The same without being told (${count(compared)} sessions), where a crash may be a false alarm: fewer runs in ${equal.won.coin} of ${equal.won.all} by more than chance, more in ${equal.won.lost}.`,
    '',
    equal.table,
    '',
    repeatsTable(cells),
    '',
    noisyTable(noisy, warned),
    '',
    steppedTable(stepped),
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

if (!isMainThread) {
  const { bisect } = await import('../dist/dynamic/bisect/session.js');
  parentPort.on('message', (job) => {
    simulateCell(bisect, { ...job, ...(job.hinted ? { hint: told } : {}) }).then((cell) =>
      parentPort.postMessage(cell),
    );
  });
} else if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
