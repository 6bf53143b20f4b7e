/**
 * Scans trees with and without the token filter and compares: what is found must be the same. Gaps are not compared, since
 * a body that nobody asked for is not read.
 *
 *   npm run bench:filter -- DIR DIR   the trees; without any there is nothing to compare, and it ends with 2
 *
 * Ends with 1 when a finding differs.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from '../scripts/build.mjs';

async function main(folders) {
  if (folders.length === 0)
    throw new Error('Skipped: name the folders of the trees to scan, as in npm run bench:filter -- ../oxc ../phobos.');
  const missing = folders.find((folder) => !existsSync(folder));
  if (missing !== undefined) throw new Error(`The tree '${missing}' does not exist.`);
  await build({ ifStale: true });
  const { resolveInputs } = await import('../dist/discover/inputs.js');
  const { scan } = await import('../dist/scan.js');
  const { rules } = await import('../dist/rules/index.js');
  let differ = 0;
  for (const folder of folders) {
    const run = async (isFiltered) => {
      const inputs = resolveInputs([resolve(folder)], process.cwd());
      const { result } = await scan({ inputs, rules, isFiltered });
      return result;
    };
    const filtered = await run(true);
    const whole = await run(false);
    const texts = (result) => result.findings.map((finding) => JSON.stringify(finding));
    const [some, all] = [new Set(texts(filtered)), new Set(texts(whole))];
    const lost = [...all].filter((finding) => !some.has(finding));
    const extra = [...some].filter((finding) => !all.has(finding));
    differ += lost.length + extra.length;
    process.stdout.write(
      `${folder}: ${some.size} findings with the filter (${filtered.stats.parsed} files parsed), ${all.size} without (${whole.stats.parsed})\n`,
    );
    for (const finding of lost) process.stdout.write(`  only without the filter: ${finding.slice(0, 300)}\n`);
    for (const finding of extra) process.stdout.write(`  only with the filter: ${finding.slice(0, 300)}\n`);
  }
  process.exitCode = differ > 0 ? 1 : 0;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
