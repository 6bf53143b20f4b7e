/**
 * Runs `repro` on the fixtures that really misbehave, and on their good twins, and checks what it says.
 *
 *   node scripts/test-slow.mjs                  5 invocations each (2 where one searches for a minimum, which is a hundred
 *                                               runs); at least 4 of 5 bad are caught, 2 of 2, no good one
 *   node scripts/test-slow.mjs --full           20 each; at least 19 of 20, and none
 *   node scripts/test-slow.mjs --write          also write the table of docs/dynamic.md; with names, only their rows
 *   node scripts/test-slow.mjs NAME…            only these fixtures
 *
 * Before, the D fixtures of all rules are compiled; with names only what is named runs, `d-programs` for these.
 * What needs a compiler that is not there is skipped, and said.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { reportDPrograms } from './d-programs.mjs';
import { buildRepros } from './repros.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const isFull = flags.includes('--full');
/** Few runs each, so that many invocations fit into minutes; a user's default is 20. */
const runFlags = ['--runs', '6', '--no-differential', '--format', 'json'];

/** One invocation of the built command. */
function invoke(args) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, [join(root, 'dist', 'cli.js'), 'repro', ...args, ...runFlags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const seconds = (performance.now() - started) / 1000;
      try {
        resolve({ code, seconds, report: JSON.parse(out) });
      } catch {
        // Without a report nothing can be counted: what there is instead is all that can be said.
        const end = signal === null ? `exit code ${code}` : signal;
        const said = `${out.slice(0, 2000)}\n${err.slice(-2000)}`.trim();
        reject(new Error(`'repro ${args.join(' ')}' gave no report (${end}, ${seconds.toFixed(1)} s): ${said}`));
      }
    });
  });
}

/** Runs the tasks, as many at a time as there are processors, at most two: timing is part of what is tested. */
async function inParallel(tasks) {
  const results = [];
  let next = 0;
  const lane = async () => {
    while (next < tasks.length) {
      const i = next++;
      results[i] = await tasks[i]();
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane));
  return results;
}

function judge(fixture, isBad, { code, report }) {
  const [scenario] = report.scenarios;
  if (isBad) {
    const isSeen = code === 1 && scenario.verdict === 'reproduced' && fixture.classes.includes(scenario.hit.class);
    // With --min-calls the numbers must be right as well.
    return (
      isSeen &&
      Object.entries(fixture.minimum ?? {}).every(([what, least]) => scenario.minimum?.[what]?.smallest === least)
    );
  }
  return code === 0 && scenario.verdict === 'not-reproduced';
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function tally(results, pick) {
  const counts = new Map();
  for (const { report } of results) {
    const key = pick(report.scenarios[0]);
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([key, count]) => (counts.size === 1 ? key : `${key} ${count}`))
    .join(', ');
}

/** Whether the end was reached; an event loop that runs empty before it would leave without a word. */
let isWhole = false;
process.on('exit', (code) => {
  if (!isWhole) process.stderr.write(`The fixtures were not all run (exit code ${code}).\n`);
});

await build({ ifStale: true });
const began = performance.now();
const rows = [];
const failures = wanted.length === 0 || wanted.includes('d-programs') ? reportDPrograms() : [];
for (const { name, fixture, bad, good, skipped } of buildRepros(wanted)) {
  if (skipped !== undefined) {
    process.stdout.write(`skipped  ${name}: ${skipped}\n`);
    rows.push(`| ${name} | ${fixture.rule} | ${fixture.scenario} | skipped: ${skipped} | | | | |`);
    continue;
  }
  const invocations = isFull ? 20 : fixture.minimum === undefined ? 5 : 2;
  const enough = invocations >= 5 ? invocations - 1 : invocations;
  const tasks = [bad, good].flatMap((args) =>
    Array.from({ length: invocations }, (_, i) => () => invoke([...args, '--seed', String(1 + i * 100)])),
  );
  const results = await inParallel(tasks);
  const badResults = results.slice(0, invocations);
  const goodResults = results.slice(invocations);
  const caught = badResults.filter((result) => judge(fixture, true, result)).length;
  const silent = goodResults.filter((result) => judge(fixture, false, result)).length;
  const isRight = caught >= enough && silent === invocations;
  const classes = tally(badResults, (scenario) => scenario.hit?.class);
  const amplifiers = tally(badResults, (scenario) =>
    scenario.verdict === 'reproduced' ? scenario.amplifier : undefined,
  );
  const seconds = (list) => median(list.map((result) => result.seconds)).toFixed(1);
  process.stdout.write(
    `${isRight ? 'ok      ' : 'FAILED  '} ${name}: bad caught ${caught} of ${invocations} (${classes}; ${amplifiers}), good caught ${invocations - silent} of ${invocations}; ${seconds(badResults)} s and ${seconds(goodResults)} s\n`,
  );
  rows.push(
    `| ${name} | ${fixture.rule} | ${fixture.scenario} | ${caught} of ${invocations} | ${classes} | ${amplifiers} | ${invocations - silent} of ${invocations} | ${seconds(badResults)} / ${seconds(goodResults)} |`,
  );
  if (!isRight) {
    failures.push(name);
    for (const [i, result] of [...badResults, ...goodResults].entries()) {
      if (judge(fixture, i < invocations, result)) continue;
      const [scenario] = result.report.scenarios;
      process.stdout.write(
        `         ${i < invocations ? 'bad' : 'good'}: exit ${result.code}, ${scenario.verdict}, ${scenario.hit?.class ?? scenario.reason ?? ''} ${scenario.hit?.detail ?? ''}\n`,
      );
    }
  }
}
const minutes = ((performance.now() - began) / 60000).toFixed(1);
process.stdout.write(`${rows.length} fixtures in ${minutes} minutes.\n`);

if (flags.includes('--write')) {
  const page = join(root, 'docs', 'dynamic.md');
  const text = readFileSync(page, 'utf8');
  const kept = new Map(
    [...text.matchAll(/^\| ([\w-]+) \| [\w-]+ \| [\w-]+ \| .* \|$/gm)].map(([row, name]) => [name, row]),
  );
  const fresh = new Map(rows.map((row) => [row.split(' ')[1], row]));
  const names = Object.keys(JSON.parse(readFileSync(join(root, 'fixtures', 'repros', 'repros.json'), 'utf8')));
  const all = names.flatMap((name) => fresh.get(name) ?? (wanted.length > 0 ? (kept.get(name) ?? []) : []));
  const table = [
    '<!-- repros: written by npm run test:slow -- --full --write -->',
    '',
    `Invocations of \`repro --runs 6\`, on ${process.platform}-${process.arch} with Node ${process.versions.node} and ${cpus().length} processors.`,
    '',
    '| fixture | rule | scenario | bad caught | as | amplifier | good caught | median seconds, bad / good |',
    '|---|---|---|---|---|---|---|---|',
    ...all,
    '',
    '<!-- repros: end -->',
  ].join('\n');
  const next = text.replace(/<!-- repros: written by[\s\S]*?<!-- repros: end -->/, () => table);
  if (!next.includes(table))
    throw new Error('docs/dynamic.md has no place for the table; it needs the two comments that begin with "repros:".');
  writeFileSync(page, next);
}
isWhole = true;
if (failures.length > 0) {
  process.stderr.write(`These fixtures did not behave as they should: ${failures.join(', ')}.\n`);
  process.exitCode = 1;
}
