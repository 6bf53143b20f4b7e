import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface ValidatorResult {
  readonly ruleId: string;
  readonly level: string;
  readonly text: string;
}

const require = createRequire(import.meta.url);

/** A runnable copy of the official validator, or the reason why there is none. */
export function prepareValidator(): { readonly path: string } | { readonly reason: string } {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { reason: `the validator's binary is for linux-x64, and this is ${process.platform}-${process.arch}` };
  }
  const folder = dirname(require.resolve('@microsoft/sarif-multitool-linux/package.json'));
  const original = join(folder, 'Sarif.Multitool');
  if (!existsSync(original)) return { reason: 'the package @microsoft/sarif-multitool-linux holds no binary' };
  // Installed without scripts, the binary lacks its run bit; the installed file itself is left alone.
  const copy = join(mkdtempSync(join(tmpdir(), 'sarif-multitool-')), 'Sarif.Multitool');
  copyFileSync(original, copy);
  chmodSync(copy, 0o755);
  process.on('exit', () => rmSync(dirname(copy), { recursive: true, force: true }));
  return { path: copy };
}

/** What the validator says about a SARIF text, with the rules of the format and of GitHub. */
export function validateSarif(validator: string, text: string): readonly ValidatorResult[] {
  const folder = mkdtempSync(join(tmpdir(), 'sarif-'));
  try {
    const input = join(folder, 'in.sarif');
    const output = join(folder, 'out.sarif');
    writeFileSync(input, text);
    const args = ['validate', input, '--output', output, '--rule-kind', 'Sarif;Ghas', '--level', 'Error;Warning;Note'];
    try {
      execFileSync(validator, args, {
        env: { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1' },
        stdio: 'pipe',
        // It also prints what it found, a line for each result.
        maxBuffer: 2 ** 28,
      });
    } catch (error) {
      // It exits with 1 when it has found something; without an output file it has not run.
      if (!existsSync(output)) throw error;
    }
    const log: {
      runs: { results?: { ruleId: string; level?: string; message: { id?: string; arguments?: string[] } }[] }[];
    } = JSON.parse(readFileSync(output, 'utf8').replace(/^\uFEFF/u, ''));
    return log.runs.flatMap((run) =>
      (run.results ?? []).map(({ ruleId, level, message }) => ({
        ruleId,
        level: level ?? 'warning',
        text: `${message.id ?? ''} ${(message.arguments ?? []).join(' | ')}`,
      })),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
