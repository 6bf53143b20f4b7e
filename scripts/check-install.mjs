/** Ends with 0 when node_modules holds what package-lock.json asks for, else with 1 and the reason on standard error. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const hidden = join(root, 'node_modules', '.package-lock.json');

function findProblem() {
  if (!existsSync(hidden)) return 'node_modules is missing';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = installed[path]?.version;
    // Optional packages are those of other platforms.
    if (found === undefined ? optional !== true : found !== version)
      return `'${path}' is ${found ?? 'missing'}, not ${version}`;
  }
  return undefined;
}

const problem = findProblem();
if (problem !== undefined) {
  process.stderr.write(`The installed packages do not match package-lock.json: ${problem}.\n`);
  process.exitCode = 1;
}
