import { pbkdf2 } from 'node:crypto';

/** How long each thread is kept, in rounds of the key derivation: about 20 ms of CPU time. */
const rounds = 40_000;

/**
 * Keeps every thread of libuv's pool busy for some milliseconds. What an addon queues next has to wait, and so begins only after
 * the main thread has done what it does next, however quick the addon and however loaded the machine.
 */
export function keepPoolBusy(): void {
  const asked = Number(process.env['UV_THREADPOOL_SIZE']);
  const threads = Number.isInteger(asked) && asked > 0 ? Math.min(asked, 1024) : 4;
  for (let i = 0; i < threads; i++) pbkdf2('busy', 'pool', rounds, 32, 'sha256', () => undefined);
}
