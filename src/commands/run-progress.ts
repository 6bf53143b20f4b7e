import { constants } from 'node:os';
import type { ReproProgress } from '../dynamic/reproduce.js';
import type { Io } from './io.js';

/** Milliseconds between two writes of the line. */
const interval = 100;

/** What is being run, on the standard error: a line that is renewed on a terminal, one line a step elsewhere. */
export function createRunProgress({ stderr, env }: Io): {
  readonly update: (progress: ReproProgress) => void;
  readonly say: (text: string) => void;
  readonly clear: () => void;
} {
  const isWanted = stderr.isTTY && env['TERM'] !== 'dumb' && (env['CI'] ?? '') === '';
  let shownAt: number | undefined;
  const clear = (): void => {
    if (shownAt !== undefined) stderr.write('\r\u001b[K');
    shownAt = undefined;
  };
  return {
    update({ scenario, amplifier, done, of, hits, leftMs }) {
      const now = performance.now();
      if (!isWanted || (shownAt !== undefined && now - shownAt < interval)) return;
      shownAt = now;
      const how = amplifier === 'none' ? '' : `, ${amplifier}`;
      stderr.write(
        `\r\u001b[K${scenario}${how}: ${done} of ${of} runs, ${hits} ${hits === 1 ? 'hit' : 'hits'}, ${Math.ceil(leftMs / 1000)} s left at most`,
      );
    },
    say(text) {
      clear();
      stderr.write(`${text}\n`);
    },
    clear,
  };
}

/** SIGHUP: the terminal was closed; a report that goes to a file is written all the same. */
const interrupts = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Interruption {
  readonly signal: AbortSignal;
  /**
   * The exit code of a command that was interrupted before it had an answer, undefined without an interrupt: 128 + the number of the
   * signal, as shells have it, so that a script does not take half of the runs for all of them.
   */
  readonly exitCode: () => number | undefined;
  readonly dispose: () => void;
}

/**
 * A signal that aborts at the first interrupt, so that the runs end and what is known is reported; a second interrupt ends the
 * process at once, its children with it.
 */
export function untilInterrupted(io: Io): Interruption {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const onInterrupt = (name: NodeJS.Signals): void => {
    const isSecond = exitCode !== undefined;
    exitCode ??= 128 + constants.signals[name];
    if (isSecond) process.exit(exitCode);
    io.stderr.write('\nInterrupted; once more ends it without a report.\n');
    controller.abort();
  };
  for (const name of interrupts) process.on(name, onInterrupt);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    dispose: () => {
      for (const name of interrupts) process.off(name, onInterrupt);
    },
  };
}
