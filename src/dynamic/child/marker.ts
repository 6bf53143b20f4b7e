import { writeSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

const descriptor = 3;

/**
 * Writes one marker line to the parent before anything else happens, so that the last line says where a crash was. Works from
 * workers too, because they share the descriptors of their process.
 */
export function mark(kind: string, ...data: readonly (string | number)[]): void {
  const line = `${JSON.stringify([kind, threadId, ...data])}\n`;
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      writeSync(descriptor, line);
      return;
    } catch (error) {
      // A full pipe is emptied by the parent; any other failure means that nobody listens any more.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Tells the parent about an error of JavaScript: message, code and stack. */
export function markError(kind: string, error: unknown): void {
  const { message, code, stack } = describeError(error);
  mark(kind, message, code, stack);
}

/** Message, code and stack of whatever was thrown, cut to a length that a marker may have. */
export function describeError(error: unknown): {
  readonly message: string;
  readonly code: string;
  readonly stack: string;
} {
  if (!(error instanceof Error)) return { message: String(error).slice(0, 500), code: '', stack: '' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Loaders wrap what dlopen said in a cause; the innermost message is the reason.
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return { message: `${error.message}${cause}`.slice(0, 1000), code, stack: (error.stack ?? '').slice(0, 2000) };
}
