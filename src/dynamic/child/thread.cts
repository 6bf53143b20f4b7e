import fs = require('node:fs');
import threads = require('node:worker_threads');

// CommonJS, because a worker that only loads an addon must be as small and as quick as the workers of the programs that crash:
// an ES module graph of its own made one package's crash five times rarer.

const descriptor = 3;

/**
 * What the descriptor is. On Linux the link's name holds the number of the pipe, so that a descriptor which the target closed and
 * opened anew for something else is told from ours; elsewhere it is only known whether it is open.
 */
function identify(): string {
  try {
    fs.writeSync(descriptor, '');
    return process.platform === 'linux' ? fs.readlinkSync(`/proc/self/fd/${descriptor}`) : 'open';
  } catch {
    return 'closed';
  }
}

const identity = identify();

/** Whether what is written to the descriptor still goes to the parent. */
function isHeard(): boolean {
  return identify() === identity;
}

/**
 * Writes one marker line to the parent before anything else happens, so that the last line says where a crash was. Works from
 * workers too, because they share the descriptors of their process.
 */
function mark(kind: string, ...data: readonly (string | number)[]): void {
  const line = `${JSON.stringify([kind, threads.threadId, ...data])}\n`;
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      fs.writeSync(descriptor, line);
      return;
    } catch (error) {
      // A full pipe is emptied by the parent; any other failure means that nobody listens any more.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Message, code and stack of whatever was thrown, cut to a length that a marker may have. */
function describeError(error: unknown): { readonly message: string; readonly code: string; readonly stack: string } {
  if (!(error instanceof Error)) return { message: String(error).slice(0, 500), code: '', stack: '' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Loaders wrap what dlopen said in a cause; the innermost message is the reason.
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return { message: `${error.message}${cause}`.slice(0, 1000), code, stack: (error.stack ?? '').slice(0, 2000) };
}

/** The exit of the process as Node made it, for the harness itself. */
const exitProcess: (code: number) => never = process.exit.bind(process);

/**
 * Wraps `process.dlopen` and `process.exit` of this thread: the first tells which addon is being opened, so that a crash inside
 * its registration is placed and a target that never opens one is known; the second tells an exit that JavaScript asked for
 * from one that it did not.
 */
function watchProcess(): void {
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

export = { mark, isHeard, describeError, exitProcess, watchProcess };
