/**
 * Compiles the D fixtures of the rules with ldc2, each alone and with its unit tests, and says of each rule which run shows
 * the bug.
 *
 *   node scripts/d-programs.mjs            all
 *   node scripts/d-programs.mjs RULE…      only these rules
 *
 * Without ldc2 everything is skipped, and said.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const fixtures = join(root, 'fixtures', 'rules');

/** The D files of the fixtures, by rule: a file is a program of its own, a folder is compiled as a whole. */
export function findDPrograms(wanted = []) {
  return readdirSync(fixtures)
    .filter((rule) => wanted.length === 0 || wanted.includes(rule))
    .flatMap((rule) =>
      readdirSync(join(fixtures, rule), { withFileTypes: true }).flatMap((entry) => {
        const path = join(fixtures, rule, entry.name);
        const files = entry.isDirectory()
          ? readdirSync(path, { recursive: true }).map((name) => join(path, name))
          : [path];
        const sources = files.filter((file) => /\.di?$/.test(file));
        return sources.length === 0 ? [] : [{ rule, name: relative(root, path), sources }];
      }),
    );
}

/** For each D rule the runs of fixtures/repros that show it, or why no run can. */
export function findRuns() {
  const repros = JSON.parse(readFileSync(join(root, 'fixtures', 'repros', 'repros.json'), 'utf8'));
  const reasons = JSON.parse(readFileSync(join(root, 'fixtures', 'repros', 'd-not-run.json'), 'utf8'));
  const rules = [...new Set(findDPrograms().map(({ rule }) => rule))];
  return rules.map((rule) => ({
    rule,
    runs: Object.entries(repros)
      .filter(([, fixture]) => fixture.kind === 'd' && fixture.rule === rule)
      .map(([name]) => name),
    reason: reasons[rule],
  }));
}

/** Compiles every program; `error` is the compiler's output where it refused. Warnings and deprecations are no refusal. */
export function compileDPrograms(wanted = []) {
  const programs = findDPrograms(wanted);
  if (spawnSync('ldc2', ['--version'], { stdio: 'ignore' }).status !== 0)
    return programs.map((program) => ({ ...program, skipped: "'ldc2' is not installed" }));
  const folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-d-'));
  try {
    return programs.map((program) => {
      const args = ['-c', '-unittest', '-w', `-od=${folder}`, '-oq', ...program.sources];
      const { status, stdout, stderr, error } = spawnSync('ldc2', args, { encoding: 'utf8' });
      if (status === 0) return program;
      return { ...program, error: error?.message ?? `${stdout}${stderr}`.trim() };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compiles, prints, and returns the names of what failed. */
export function reportDPrograms(wanted = []) {
  const compiled = compileDPrograms(wanted);
  const failed = compiled.filter(({ error }) => error !== undefined);
  const skipped = compiled.filter((program) => program.skipped !== undefined);
  for (const { name, error } of failed) process.stdout.write(`FAILED   ${name}: ${error}\n`);
  if (skipped.length > 0) process.stdout.write(`skipped  ${skipped.length} D programs: ${skipped[0].skipped}\n`);
  for (const { rule, runs, reason } of findRuns().filter(({ rule: id }) => wanted.length === 0 || wanted.includes(id)))
    process.stdout.write(
      `         ${rule}: ${runs.length > 0 ? `shown by ${runs.join(', ')}` : `no run: ${reason}`}\n`,
    );
  const passed = compiled.length - failed.length - skipped.length;
  process.stdout.write(`D programs: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped.\n`);
  return failed.map(({ name }) => name);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = reportDPrograms(process.argv.slice(2)).length > 0 ? 1 : 0;
