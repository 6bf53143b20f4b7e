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
