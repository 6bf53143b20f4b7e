/**
 * What npm runs before it packs or installs a clone of this repository. In a clone with its development dependencies it
 * builds. npm gives none of them to a global install from git (which is how pre-commit installs a hook), so then the few
 * that a build needs are installed beside, at the versions of the lockfile.
 *
 * Prints to standard error only: some callers take the standard output of `npm pack` for the name of the package.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFresh, markFresh } from './build.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The development dependencies that a build needs; `test/packaging` builds with these alone. */
const neededToBuild = [
  '@types/node',
  '@types/sarif',
  '@types/semver',
  '@typescript-eslint/parser',
  '@typescript-eslint/utils',
  '@yowasp/clang',
  'eslint',
  'rolldown',
  'tree-sitter-d',
  'tree-sitter-rust',
  'typescript',
];

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function run(program, args, folder, environment) {
  const result = spawnSync(program, args, {
    cwd: folder,
    env: environment,
    // Its standard output becomes our standard error.
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && program === 'npm',
  });
  if (result.error) fail(`'${program}' could not be started: ${result.error.message}.`);
  if (result.status !== 0) fail(`'${[program, ...args].join(' ')}' failed; its output is above.`);
}

/** Whether a package is in the clone's own node_modules: one of a folder around it may have any version. */
function has(name) {
  return existsSync(join(root, 'node_modules', name, 'package.json'));
}

if (isFresh()) process.exit(0);

if (neededToBuild.every(has)) {
  run(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-stale'], root, process.env);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-build-'));
  try {
    for (const name of ['src', 'scripts', 'tsconfig.json', 'package-lock.json']) {
      cpSync(join(root, name), join(folder, name), { recursive: true });
    }
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    manifest.devDependencies = Object.fromEntries(neededToBuild.map((name) => [name, manifest.devDependencies[name]]));
    delete manifest.scripts;
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    // The settings of the npm that runs this script (--global, --omit, --prefix) are not meant for the build.
    const environment = Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) =>
          !/^npm_(config_(global|omit|include|only|production|prefix|local_prefix|location|save|package_lock.*|dry_run|ignore_scripts|allow_git)|package_|lifecycle_|command)/i.test(
            name,
          ) && name !== 'NODE_ENV',
      ),
    );
    run(
      'npm',
      ['install', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--no-progress'],
      folder,
      environment,
    );
    run(process.execPath, [join(folder, 'scripts', 'build.mjs')], folder, environment);
    cpSync(join(folder, 'dist'), join(root, 'dist'), { recursive: true });
    markFresh();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
