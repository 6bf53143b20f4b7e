import { spawnSync, type SpawnSyncOptions } from 'node:child_process';

export interface RunResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; throws only when it cannot be started. */
export function run(program: string, args: readonly string[], options: SpawnSyncOptions = {}): RunResult {
  const result = spawnSync(program, args, { maxBuffer: 256 * 1024 * 1024, ...options, encoding: 'utf8' });
  if (result.error !== undefined) throw result.error;
  return { status: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr };
}
