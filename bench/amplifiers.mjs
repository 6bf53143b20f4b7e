/**
 * What each amplifier finds: runs the bad twin of each fixture, and all good ones, ten times under each amplifier, and prints
 * a table of hits for docs/evidence-dynamic.md. Needs rustc, cargo and a built dist/.
 *
 *   node bench/amplifiers.mjs [runs] [NAME…]
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildRepros } from '../scripts/repros.mjs';

const [runsText = '10', ...wanted] = process.argv.slice(2);
const runs = Number(runsText);
const dist = process.env['LIFETIME_LINT_DIST'] ?? fileURLToPath(new URL('../dist/', import.meta.url));
const { amplifierNames } = await import(join(dist, 'dynamic', 'amplifier.js'));
const { prepareAmplifier } = await import(join(dist, 'dynamic', 'amplify.js'));
const { planCalls } = await import(join(dist, 'dynamic', 'declarations.js'));
const { defaultPlan, repeat } = await import(join(dist, 'dynamic', 'run.js'));
const { readReproFlags } = await import(join(dist, 'dynamic', 'repro-flags.js'));
const { prepareTarget } = await import(join(dist, 'dynamic', 'target.js'));

// Valgrind's runs take half a minute each; it is measured by itself when it is wanted.
const amplifiers = amplifierNames.filter((name) => name !== 'valgrind' && !('error' in prepareAmplifier(name)));

/** `--flag value` pairs of scripts/repros.mjs as the flags of repro. */
function readFlags(args) {
  const flags = {};
  let target;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--scenario') flags.scenario = [args[++i]];
    else if (args[i] === '--driver') flags.driver = args[++i];
    else if (args[i] === '--command') flags.command = args[++i];
    else if (args[i] === '--workers') flags.workers = args[++i];
    else target = args[i];
  }
  return readReproFlags(target, flags, process.cwd());
}

async function plan(args, scenario) {
  const options = readFlags(args);
  const target = await prepareTarget(options.spec);
  if ('error' in target) throw new Error(target.error);
  const calls = options.driver === undefined && options.spec.kind === 'folder' ? await planCalls(target) : undefined;
  return defaultPlan(target, scenario, {
    ...(options.driver === undefined ? {} : { driver: options.driver }),
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    ...(calls === undefined || 'error' in calls ? {} : { callPlan: calls }),
  });
}

const fixtures = buildRepros(wanted).filter(({ skipped }) => skipped === undefined);
const rows = [`| | ${amplifiers.join(' | ')} |`, `|---|${amplifiers.map(() => '---|').join('')}`];
const goodHits = Object.fromEntries(amplifiers.map((name) => [name, 0]));
let goodRuns = 0;
for (const { name, fixture, bad, good } of fixtures) {
  const cells = [];
  for (const amplifier of amplifiers) {
    const found = await repeat(
      { ...(await plan(bad, fixture.scenario)), amplifier },
      { maxRuns: runs, stopAfterHits: 0 },
    );
    const clean = await repeat(
      { ...(await plan(good, fixture.scenario)), amplifier },
      { maxRuns: runs, stopAfterHits: 0 },
    );
    goodHits[amplifier] += clean.hits;
    if (amplifier === amplifiers[0]) goodRuns += runs;
    cells.push(found.runs === 0 ? '–' : String(found.hits));
  }
  rows.push(`| ${name} | ${cells.join(' | ')} |`);
  process.stderr.write(`${rows.at(-1)}\n`);
}
rows.push(`| every good twin, of ${goodRuns} | ${amplifiers.map((name) => goodHits[name]).join(' | ')} |`);
process.stdout.write(`${rows.join('\n')}\n`);
