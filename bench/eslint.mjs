/**
 * What the plugin adds to an ESLint run: the recommended set of typescript-eslint over the files of some folders, with and
 * without `configs.audit` of lifetime-lint/eslint, in CPU seconds. Needs a build.
 *
 *   node bench/eslint.mjs                 the sources of this repository
 *   node bench/eslint.mjs DIR DIR         these folders
 *   node bench/eslint.mjs --blocks 9      9 blocks of four turns instead of 5
 *   node bench/eslint.mjs --warm          all turns within one process, as in an editor's server, instead of a process each
 *   node bench/eslint.mjs --plugin FILE   another build of the plugin
 *
 * A block is four turns: without, with, with, without; every other block begins with the plugin. What drifts (a busy machine,
 * a growing heap, code that is compiled while it runs) falls on both sides of a block alike. The ratio of a block is of
 * its sums; the result is the median of the blocks, beside their range and the two sums of all turns, whose ratio has to agree.
 *
 * Ends with 1 when the plugin adds more than 15 %.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const bar = 1.15;
const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const option = (name) => {
  const at = args.indexOf(name);
  return at === -1 ? undefined : args.splice(at, 2)[1];
};
const flag = (name) => {
  const at = args.indexOf(name);
  return at !== -1 && args.splice(at, 1).length > 0;
};
const blocks = Number(option('--blocks') ?? 5);
if (!Number.isInteger(blocks) || blocks < 1) throw new Error('--blocks takes a whole number above 0.');
const built = resolve(option('--plugin') ?? join(root, 'dist/eslint/index.js'));
const isWarm = flag('--warm');
const turn = option('--turn');

const skipped = new Set(['node_modules', 'dist', 'target', 'coverage', '.git', '.yarn']);
function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) yield* sources(path);
    const isSource = entry.isFile() && /\.(?:[cm]?[jt]s|tsx)$/.test(entry.name) && !entry.name.endsWith('.d.ts');
    if (isSource && statSync(path).size < 500_000) yield path;
  }
}

/** ESLint with the recommended set, and with the plugin when asked; a process without it doesn't load it. */
async function load(withPlugin) {
  const [{ ESLint }, { default: tseslint }] = await Promise.all([import('eslint'), import('typescript-eslint')]);
  const files = { files: ['**/*.{js,cjs,mjs,ts,cts,mts,tsx}'] };
  const before = [files, ...tseslint.configs.recommended];
  if (!withPlugin) return { ESLint, before, after: before };
  const { default: plugin } = await import(pathToFileURL(built).href);
  return { ESLint, before, after: [...before, plugin.configs.audit] };
}

async function lint(ESLint, cwd, paths, overrideConfig) {
  const eslint = new ESLint({ cwd, overrideConfigFile: true, overrideConfig, warnIgnored: false });
  const results = await eslint.lintFiles(paths);
  if (results.length !== paths.length)
    throw new Error(`Of ${paths.length} files in '${cwd}' ${results.length} were linted.`);
}

const seconds = ({ user, system }) => (user + system) / 1e6;

/** One turn in a process of its own: from its start to the end of the last file. */
function freshTurn(folder, withPlugin) {
  const own = [fileURLToPath(import.meta.url), '--plugin', built, '--turn', withPlugin ? 'with' : 'without', folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, own, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`A turn over '${folder}' failed: ${stderr}`);
  return Number(stdout);
}

async function warmTurns(folder) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const { ESLint, before, after } = await load(true);
  const paths = [...sources(folder)];
  const once = async (withPlugin) => {
    collect();
    const start = process.cpuUsage();
    await lint(ESLint, folder, paths, withPlugin ? after : before);
    return seconds(process.cpuUsage(start));
  };
  // What runs first compiles the code that all others run; compiling goes on for some seconds.
  for (let spent = 0, turns = 0; turns < 2 || spent < 10; turns += 2) spent += (await once(true)) + (await once(false));
  return once;
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const sum = (values) => values.reduce((total, value) => total + value, 0);

if (turn !== undefined) {
  const { ESLint, after } = await load(turn === 'with');
  await lint(ESLint, args[0], [...sources(args[0])], after);
  process.stdout.write(String(seconds(process.cpuUsage())));
} else {
  let isMissed = false;
  for (const folder of args.length === 0 ? [join(root, 'src')] : args.map((arg) => resolve(arg))) {
    const once = isWarm ? await warmTurns(folder) : (withPlugin) => freshTurn(folder, withPlugin);
    const turns = { with: [], without: [] };
    const ratios = [];
    for (let block = 0; block < blocks; block++) {
      const outer = block % 2 === 1;
      const taken = [];
      for (const withPlugin of [outer, !outer, !outer, outer]) taken.push(await once(withPlugin));
      const [a, b, c, d] = taken;
      const [added, plain] = outer ? [a + d, b + c] : [b + c, a + d];
      turns.with.push(...(outer ? [a, d] : [b, c]));
      turns.without.push(...(outer ? [b, c] : [a, d]));
      ratios.push(added / plain);
    }
    const ratio = median(ratios);
    const mean = (values) => (sum(values) / values.length).toFixed(2);
    const count = [...sources(folder)].length;
    process.stdout.write(
      `${relative(process.cwd(), folder) || '.'}: ${count} files, ${isWarm ? 'warm' : 'a process each'}, ${blocks} blocks: ` +
        `recommended ${mean(turns.without)} s, with the plugin ${mean(turns.with)} s (ratio of all turns ${(sum(turns.with) / sum(turns.without)).toFixed(3)}); ` +
        `median of the blocks ${ratio.toFixed(3)}, from ${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)} (at most ${bar})\n`,
    );
    if (ratio > bar) isMissed = true;
  }
  if (isMissed) process.exitCode = 1;
}
