import type { Io } from './io.js';

/** Milliseconds before the first line, and between two. */
const delay = 1000;
const interval = 100;

/** A progress line on the standard error, for people only and only when it takes a while. */
export function createProgress({ stderr, env }: Io): {
  readonly update: (done: number, total: number) => void;
  readonly clear: () => void;
} {
  const began = performance.now();
  const isWanted = stderr.isTTY && env['TERM'] !== 'dumb' && (env['CI'] ?? '') === '';
  let shownAt: number | undefined;
  return {
    update(done, total) {
      const now = performance.now();
      if (!isWanted || now - began < delay || (shownAt !== undefined && now - shownAt < interval)) return;
      shownAt = now;
      stderr.write(`\r\u001b[K${done} of ${total} files`);
    },
    clear() {
      if (shownAt !== undefined) stderr.write('\r\u001b[K');
    },
  };
}
