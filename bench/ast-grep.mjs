import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '0.51.1';

/** Installs ast-grep beside the caches, once, and returns its program; it is no dependency of the project. */
export function installAstGrep() {
  const folder = fileURLToPath(new URL('../node_modules/.cache/lifetime-lint/bench/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, 'node_modules', '@ast-grep', 'cli', 'package.json'))) {
    writeFileSync(join(folder, 'package.json'), '{"private": true}\n');
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', `@ast-grep/cli@${version}`];
    const result = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 2, 2] });
    if (result.status !== 0) throw new Error(`ast-grep ${version} could not be installed.`);
  }
  // The package's own program is put in place by an install script, so take that of the platform.
  const require = createRequire(join(folder, 'node_modules', '@ast-grep', 'cli', 'package.json'));
  const suffix = process.platform === 'linux' ? '-gnu' : process.platform === 'win32' ? '-msvc' : '';
  const platform = require.resolve(`@ast-grep/cli-${process.platform}-${process.arch}${suffix}/package.json`);
  return { program: join(platform, '..', process.platform === 'win32' ? 'ast-grep.exe' : 'ast-grep'), version };
}
