import { mark } from './marker.js';

/** The exit of the process as Node made it, for the harness itself. */
export const exitProcess: (code: number) => never = process.exit.bind(process);

/**
 * Wraps `process.dlopen` and `process.exit` of this thread: the first tells which addon is being opened, so that a crash inside
 * its registration is placed and a target that never opens one is known; the second tells an exit that JavaScript asked for
 * from one that it did not.
 */
export function watchProcess(): void {
  const open = process.dlopen;
  process.dlopen = function dlopen(module: object, filename: string, ...flags: number[]): void {
    mark('opening', String(filename));
    try {
      Reflect.apply(open, process, [module, filename, ...flags]);
    } catch (error) {
      mark('open-failed', String(filename), error instanceof Error ? error.message.slice(0, 500) : String(error));
      throw error;
    }
    mark('opened', String(filename));
  };
  const exit = process.exit;
  process.exit = function exitCalled(code?: number | string | null): never {
    mark('exit-called', String(code ?? process.exitCode ?? 0));
    return Reflect.apply(exit, process, [code]);
  };
}

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

/** A child whose parent died kills its own group: nobody else would. */
export function watchParent(): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
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
