import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import thread from './thread.cjs';

export const { exitProcess, watchProcess } = thread;

/** Collects garbage when the child was started with `--expose-gc`. */
export function collect(): void {
  globalThis.gc?.();
}

/** Collects every three milliseconds until the returned function is called; does not keep the thread alive. */
export function startPump(): () => void {
  const timer = setInterval(collect, 3);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * A child whose parent died kills its own group and deletes the folder of the run: nobody else would. Only a folder that a run
 * made is deleted, wherever the child was started from.
 */
export function watchParent(folder: string): void {
  const parent = process.ppid;
  const tidy = (): boolean => {
    if (process.ppid === parent) return false;
    if (basename(folder).startsWith('lifetime-lint-run-')) rmSync(folder, { recursive: true, force: true });
    return true;
  };
  process.on('exit', tidy);
  const timer = setInterval(() => {
    if (!tidy()) return;
    if (process.platform === 'win32') exitProcess(1);
    process.kill(-process.pid, 'SIGKILL');
  }, 500);
  timer.unref();
}

/** Resolves after that many milliseconds. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Runs pending microtasks, I/O and collections for a while. */
export async function settle(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    collect();
    await pause(2);
  }
}
