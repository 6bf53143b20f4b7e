/**
 * What the plugin adds to an ESLint run: the recommended set of typescript-eslint over the files of some folders, with and
 * without `configs.audit` of lifetime-lint/eslint, in turns within one process. Needs a build.
 *
 *   node bench/eslint.mjs                 the sources of this repository
 *   node bench/eslint.mjs DIR DIR      these folders
 *   node bench/eslint.mjs --runs 9     the median of 9 turns instead of 5
 *
 * Ends with 1 when the plugin adds more than 15 %.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';

const bar = 1.15;
const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const at = args.indexOf('--runs');
const runs = at === -1 ? 5 : Number(args.splice(at, 2)[1]);
const from = args.indexOf('--plugin');
const built = from === -1 ? join(root, 'dist/eslint/index.js') : resolve(args.splice(from, 2)[1]);
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a whole number above 0.');
const { default: plugin } = await import(pathToFileURL(built).href);

const skipped = new Set(['node_modules', 'dist', 'target', 'coverage', '.git']);
function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) yield* sources(path);
    const isSource = entry.isFile() && /\.(?:[cm]?[jt]s|tsx)$/.test(entry.name) && !entry.name.endsWith('.d.ts');
    if (isSource && statSync(path).size < 500_000) yield path;
  }
}

const files = { files: ['**/*.{js,cjs,mjs,ts,cts,mts,tsx}'] };
const before = [files, ...tseslint.configs.recommended];
const after = [...before, plugin.configs.audit];

function lint(cwd, texts, config) {
  const linter = new Linter({ cwd });
  const start = process.cpuUsage();
  for (const [path, text] of texts) linter.verify(text, config, { filename: path });
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

let isMissed = false;
for (const folder of args.length === 0 ? [join(root, 'src')] : args.map((arg) => resolve(arg))) {
  const texts = [...sources(folder)].map((path) => [path, readFileSync(path, 'utf8')]);
  // The first turn compiles the code that all others run.
  lint(folder, texts.slice(0, 50), after);
  const pairs = Array.from({ length: runs }, (_, index) => {
    // Whoever goes second finds warmer caches, so they take turns.
    const first = lint(folder, texts, index % 2 === 0 ? before : after);
    const second = lint(folder, texts, index % 2 === 0 ? after : before);
    return index % 2 === 0 ? [first, second] : [second, first];
  });
  const ratio = median(pairs.map(([without, withPlugin]) => withPlugin / without));
  const shown = (value) => `${value.toFixed(2)} s`;
  const name = relative(process.cwd(), folder) || '.';
  process.stdout.write(
    `${name}: ${texts.length} files, recommended ${shown(median(pairs.map(([time]) => time)))}, with the plugin ${shown(median(pairs.map(([, time]) => time)))}, ratio ${ratio.toFixed(3)} (at most ${bar})\n`,
  );
  if (ratio > bar) isMissed = true;
}
if (isMissed) process.exitCode = 1;
