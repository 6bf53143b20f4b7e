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

/** Plain bisection between two ends that are taken for granted: up to `most` runs per step, bad at the first hit. */
export function plainBisection(size, isHit, most) {
  let good = 0;
  let bad = size - 1;
  let runs = 0;
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
  return { answer: bad, runs };
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
 * @param bisect the session under test
 */
export async function simulateCell(bisect, { p, q = 0, size, count, seed, hint, upTo = sureEnough(p) }) {
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
    plain: repeats.map(() => ({ runs: 0, right: 0 })),
  };
  for (let made = 0; made < count; made++) {
    const first = 1 + Math.floor(random() * (size - 1));
    const isHit = (index) => random() < (index >= first ? p : q);
    let reached = 0;
    let answered = false;
    await bisect(
      history,
      simulatedTester(isHit),
      {
        confidence: upTo,
        maxRuns: 5000,
        maxSeconds: Infinity,
        ...(hint === undefined ? {} : { expectedRate: hint(p, random) }),
      },
      {
        clock: () => 0,
        onObservation: (_, { posterior, runs, secondChange, tallies }) => {
          const probability = posterior.probability(posterior.best);
          const right = posterior.best === first ? 1 : 0;
          for (; reached < thresholds.length && probability >= thresholds[reached]; reached++) {
            cell.curve[reached].runs += runs;
            cell.curve[reached].right += right;
          }
          const premise = (tallies.get(size - 1)?.hits ?? 0) >= 2 && tallies.has(0);
          if (!answered && premise && probability >= confidence && secondChange.probability < 0.1) {
            answered = true;
            cell.runs += runs;
            cell.right += right;
            cell.claimed += probability;
            cell.most = Math.max(cell.most, runs);
          }
        },
      },
    );
    repeats.forEach((most, at) => {
      const plain = plainBisection(size, isHit, most);
      cell.plain[at].runs += plain.runs;
      if (plain.answer === first) cell.plain[at].right++;
    });
  }
  return cell;
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

export async function simulate(bisect, { histories, seed = 1, hint, q = 0, upTo, lowest = 0, onCell }) {
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
        ...(upTo === undefined ? {} : { upTo }),
      });
      cells.push(cell);
      onCell?.(cell);
    }
  }
  return cells;
}

const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`;
const number = (value) => (Number.isFinite(value) ? value.toFixed(1) : '–');

function row(cell, hinted) {
  const columns = [
    percent(cell.p).replace('.0', ''),
    cell.size,
    number(cell.runs / cell.count),
    percent(cell.right / cell.count),
    percent(cell.claimed / cell.count),
    hinted === undefined ? '' : `${number(hinted.runs / hinted.count)} · ${percent(hinted.right / hinted.count)}`,
  ];
  for (const plain of cell.plain) {
    const accuracy = plain.right / cell.count;
    const equal = runsAtAccuracy(cell, accuracy);
    const known = hinted === undefined ? NaN : runsAtAccuracy(hinted, accuracy);
    columns.push(`${number(plain.runs / cell.count)} · ${percent(accuracy)}`, `${number(equal)} / ${number(known)}`);
  }
  return `| ${columns.join(' | ')} |`;
}

/** The table of docs/bisect.md. */
export function table(cells, hinted) {
  const head = [
    'crash rate',
    'versions',
    'runs at 0.95',
    'right',
    'claimed',
    'with `--rate`',
    ...repeats.flatMap((most) => [`plain × ${most}`, 'ours, equal']),
  ];
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => ' ---: ').join('|')}|`,
    ...cells.map((cell, at) => row(cell, hinted[at])),
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
  const hinted = await simulate(bisect, { histories: histories / 4, seed: 1000, hint });
  const noisy = await simulate(bisect, {
    histories: histories / 10,
    seed: 2000,
    q: 0.02,
    upTo: confidence,
    lowest: 0.2,
  });
  const all = (list, key) => list.reduce((sum, cell) => sum + cell[key], 0);
  const sure = cells.filter((cell) => cell.p === 1);
  const text = [
    `${all(cells, 'count').toLocaleString('en-GB')} histories. Right at confidence 0.95: ${percent(all(cells, 'right') / all(cells, 'count'))}; the answers claimed ${percent(all(cells, 'claimed') / all(cells, 'count'))} on average.`,
    `At a crash rate of 100 %, the most runs that any history took: ${sure.map((cell) => `${cell.most} of ${cell.size} versions (log₂ n + 10 = ${number(Math.log2(cell.size) + 10)})`).join(', ')}.`,
    `With a background of 2 % on the good side and a crash rate of at least 20 %: ${percent(all(noisy, 'right') / all(noisy, 'count'))} right.`,
    '',
    table(cells, hinted),
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
