/**
 * Bisection by simulation: the session that `lifetime-lint bisect` runs, on made-up histories, beside plain bisection
 * that runs each version 1, 5 or 20 times.
 *
 * `npm run bench:bisect` runs 10,000 histories and writes the table between the marks in docs/bisect.md;
 * `node bench/bisect-simulation.mjs --histories 320` is a quick look that writes nothing.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

export const rates = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1];
export const sizes = [20, 60, 200, 500];
export const repeats = [1, 5, 20];

/** Answers are read off at each of these probabilities of the likeliest answer, for the comparison at equal accuracy. */
const thresholds = [
  0.03, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995,
  0.998, 0.999,
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
const sureEnough = (p) => (p < 0.3 ? 0.98 : 0.999);

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
    curve: thresholds.map(() => ({ runs: 0, right: 0 })),
    plain: repeats.map(() => ({ runs: 0, looks: 0, right: 0 })),
  };
  for (let made = 0; made < count; made++) {
    const first = 1 + Math.floor(random() * (size - 1));
    const isHit = (index) => random() < (index >= first ? p : q);
    const expected = hint === undefined ? {} : { expectedRate: hint(p, random) };
    let reached = 0;
    const watch = (_, { posterior, runs }) => {
      const probability = posterior.probability(posterior.best);
      const right = posterior.best === first ? 1 : 0;
      for (; reached < thresholds.length && probability >= thresholds[reached]; reached++) {
        cell.curve[reached].runs += runs;
        cell.curve[reached].right += right;
      }
    };
    const result = await bisect(
      history,
      simulatedTester(isHit),
      { confidence: traced ? sureEnough(p) : confidence, maxRuns: 5000, maxSeconds: Infinity, ...expected },
      { clock: () => 0, ...(traced ? { onObservation: watch } : {}) },
    );
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
export function simulatePlain({ p, size, seed, count = PLAIN_HISTORIES }) {
  const random = generator(seed);
  return repeats.map((most) => {
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

/** Mean runs after which the answers of a cell are right as often as `accuracy`, between thresholds by a straight line. */
export function runsAtAccuracy(cell, accuracy) {
  let before = { accuracy: 1 / (cell.size - 1), runs: 0 };
  for (const point of cell.curve) {
    const here = { accuracy: point.right / cell.count, runs: point.runs / cell.count };
    if (here.accuracy >= accuracy) {
      if (here.accuracy <= before.accuracy) return before.runs;
      const share = (accuracy - before.accuracy) / (here.accuracy - before.accuracy);
      return before.runs + Math.max(0, share) * (here.runs - before.runs);
    }
    if (here.accuracy > before.accuracy) before = here;
  }
  return Infinity;
}

export async function simulate(bisect, { histories, seed = 1, hint, q = 0, traced = false, lowest = 0, onCell }) {
  const cells = [];
  const count = Math.max(1, Math.round(histories / (rates.length * sizes.length)));
  for (const p of rates.filter((rate) => rate >= lowest)) {
    for (const size of sizes) {
      const cell = await simulateCell(bisect, {
        p,
        q,
        size,
        count,
        seed: seed + cells.length,
        ...(hint === undefined ? {} : { hint }),
        traced,
      });
      cells.push(cell);
      onCell?.(cell);
    }
  }
  return cells;
}

const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`;
const number = (value) => (Number.isFinite(value) ? value.toFixed(1) : '–');

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
    ...cell.plain.flatMap((plain) => [number(plain.runs / cell.count), percent(plain.right / cell.count)]),
  ]);
  return format(head, rows);
}

/** Runs that plain bisection takes and runs after which the session is right as often, by how often that is. */
function equalTable(traced, tracedHinted) {
  const head = ['crash rate', 'versions'];
  for (const most of repeats) head.push(`plain × ${most}`, 'right', 'bisect', 'with `--rate`');
  const rows = traced
    .filter((cell) => cell.p <= 0.5)
    .map((cell) => {
      const at = traced.indexOf(cell);
      return [
        percent(cell.p).replace('.0', ''),
        cell.size,
        ...simulatePlain({ p: cell.p, size: cell.size, seed: 5000 + at }).flatMap(({ runs, looks, right }) => [
          `${number(runs)} + ${number(looks)}`,
          percent(right),
          number(runsAtAccuracy(cell, right)),
          number(runsAtAccuracy(tracedHinted[at], right)),
        ]),
      ];
    });
  return format(head, rows);
}

function format(head, rows) {
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => ' ---: ').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

async function main() {
  const { bisect } = await import('../dist/dynamic/bisect/session.js');
  const at = process.argv.indexOf('--histories');
  const histories = at < 0 ? 10_000 : Number(process.argv[at + 1]);
  const started = performance.now();
  const onCell = (cell) => {
    process.stderr.write(
      `${cell.p} ${cell.size}: ${number(cell.runs / cell.count)} runs, ${percent(cell.right / cell.count)}\n`,
    );
  };
  const cells = await simulate(bisect, { histories, onCell });
  // The user has seen the crash a few times and is wrong about its rate by up to a factor of two either way.
  const hint = (p, random) => Math.min(0.98, p * 2 ** (2 * random() - 1));
  const few = histories / 4;
  const hinted = await simulate(bisect, { histories: few, seed: 1000, hint });
  const traced = await simulate(bisect, { histories: few, seed: 3000, traced: true });
  const tracedHinted = await simulate(bisect, { histories: few, seed: 3000, hint, traced: true });
  const noisy = await simulate(bisect, { histories: histories / 10, seed: 2000, q: 0.02, lowest: 0.2 });
  const all = (list, key) => list.reduce((sum, cell) => sum + cell[key], 0);
  const share = (list, key) => percent(all(list, key) / all(list, 'count'));
  const sure = cells.filter((cell) => cell.p === 1);
  const count = (list) => all(list, 'count').toLocaleString('en-GB');
  const text = [
    `${count(cells)} histories, confidence 0.95: ${share(cells, 'right')} of the answers are right, and they claim ${share(cells, 'claimed')} on average.`,
    `At a crash rate of 100 % the most runs that any history took were ${sure.map((cell) => `${cell.most} for ${cell.size} versions (log₂ n + 10 is ${number(Math.log2(cell.size) + 10)})`).join(', ')}.`,
    `With a background of 2 % on the good side and crash rates of at least 20 %, ${share(noisy, 'right')} of ${count(noisy)} are right.`,
    '',
    mainTable(cells, hinted),
    '',
    `Equal accuracy (${count(traced)} other histories of each kind of \`bisect\`, ${PLAIN_HISTORIES.toLocaleString('en-GB')} of plain bisection for each row): the runs of the steps of plain bisection + those that look at its ends, how often it is right, and after how many runs \`bisect\` is right as often.`,
    '',
    equalTable(traced, tracedHinted),
  ].join('\n');
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0)} s\n`);
  process.stdout.write(`${text}\n`);
  if (histories < 10_000) return;
  const page = new URL('../docs/bisect.md', import.meta.url);
  const begin = '<!-- bench:bisect -->\n';
  const end = '\n<!-- /bench:bisect -->';
  const source = readFileSync(page, 'utf8');
  const from = source.indexOf(begin);
  const to = source.indexOf(end);
  if (from < 0 || to < 0) throw new Error("docs/bisect.md has lost the marks 'bench:bisect'.");
  writeFileSync(page, source.slice(0, from + begin.length) + text + source.slice(to));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
