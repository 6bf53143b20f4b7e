/**
 * Builds dist/: compiled sources, grammars with licence and provenance, and the command joined into one file.
 *
 *   node scripts/build.mjs              build
 *   node scripts/build.mjs --if-stale   build only when a source, a grammar or the compiler changed since the last build
 *
 * Prints to standard error only, so that it can run inside `npm pack`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle, isJoined } from './bundle.mjs';
import { makeGrammars } from './grammars.mjs';
import { withLock } from './lock.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const stampFile = join(dist, '.stamp');

function findFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Hash of everything that decides what dist/ holds; the lockfile stands for the compilers. */
function makeStamp() {
  const hash = createHash('sha256');
  const inputs = [
    ...findFiles(join(root, 'src')),
    ...findFiles(join(root, 'scripts')),
    ...['tsconfig.json', 'package.json', 'package-lock.json'].map((name) => join(root, name)),
  ];
  for (const file of inputs) hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

/** Whether dist/ was built from the sources as they are now. */
export function isFresh() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === makeStamp();
}

/** Says that dist/ was built from the sources as they are now. */
export function markFresh(stamp = makeStamp()) {
  writeFileSync(stampFile, stamp);
}

/** Deletes compiled files whose source is gone, which tsc leaves behind, and the maps to sources of older builds. */
function removeOrphans() {
  for (const file of findFiles(dist)) {
    if (file.endsWith('.map')) {
      rmSync(file);
      continue;
    }
    const source = relative(dist, file).replace(/(\.d\.ts|\.js)$/, '');
    if (source === relative(dist, file) || source.startsWith('grammars') || isJoined(source)) continue;
    if (!existsSync(join(root, 'src', `${source}.ts`))) rmSync(file);
  }
}

/** Builds; with `ifStale`, does nothing when dist/ is up to date. Throws one sentence when it fails. */
export async function build({ ifStale = false } = {}) {
  if (ifStale && isFresh()) return;
  const require = createRequire(join(root, 'package.json'));
  let compiler;
  try {
    compiler = dirname(require.resolve('typescript/package.json'));
  } catch {
    throw new Error("The package 'typescript' is not installed; run 'npm ci --ignore-scripts'.");
  }
  await withLock('build', async () => {
    if (ifStale && isFresh()) return;
    mkdirSync(dist, { recursive: true });
    rmSync(stampFile, { force: true });
    const stamp = makeStamp();
    // What tsc remembers lies in dist/, so that it goes when dist/ goes.
    const incremental = ['--incremental', '--tsBuildInfoFile', join(dist, '.tsbuildinfo')];
    const result = spawnSync(
      process.execPath,
      [join(compiler, 'bin', 'tsc'), '-p', join(root, 'tsconfig.json'), '--pretty', 'false', ...incremental],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    process.stderr.write(result.stdout + result.stderr);
    // The rest is done even when types are wrong, so that what was emitted can run; the build fails all the same.
    removeOrphans();
    // The runner's guard-page library ships as source and is built on first use.
    for (const file of findFiles(join(root, 'src')).filter((name) => name.endsWith('.c'))) {
      const copy = join(dist, relative(join(root, 'src'), file));
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(file, copy);
    }
    await makeGrammars(join(dist, 'grammars'));
    if (result.status !== 0) throw new Error('The build failed: tsc reported the errors above.');
    await bundle(root);
    markFresh(stamp);
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await build({ ifStale: process.argv.includes('--if-stale') });
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
