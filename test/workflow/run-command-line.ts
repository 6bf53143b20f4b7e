import type { Io } from '../../src/commands/io.js';
import { run } from '../../src/commands/run.js';

/** Runs a command line in this process and keeps what it wrote. */
export async function runCommandLine(
  args: readonly string[],
  cwd = process.cwd(),
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr'): Io['stdout'] => ({
    write: (text) => {
      written[name] += text;
    },
    isTTY: false,
    columns: undefined,
  });
  const code = await run(args, { cwd, env: process.env, stdout: output('stdout'), stderr: output('stderr') });
  return { code, ...written };
}
