import modules = require('node:module');
import threads = require('node:worker_threads');
import thread = require('./thread.cjs');

interface LoadInput {
  readonly root: string;
  readonly loader: string;
  readonly specifier: string;
  readonly exit: boolean;
  readonly preferImport: boolean;
}

// src/dynamic/child/crew.ts passes exactly this shape.
const input = threads.workerData as LoadInput;

function finish(): void {
  thread.mark('loaded');
  if (input.exit) thread.exitProcess(0);
  // What keeps a worker alive after its work is the target's; the run must end all the same.
  setTimeout(() => {
    thread.mark('forced-exit');
    thread.exitProcess(0);
  }, 300).unref();
}

function fail(error: unknown): void {
  const { message, code, stack } = thread.describeError(error);
  thread.mark('worker-error', message, code, stack);
  process.exitCode = 1;
}

async function importTarget(): Promise<void> {
  const loader: { load(specifier: string): Promise<unknown> } = await import(input.loader);
  await loader.load(input.specifier);
}

/** Packages that are ES modules only cannot be required; the others are, since that is the quicker way to the addon. */
const esOnly: ReadonlySet<string> = new Set(['ERR_REQUIRE_ESM', 'ERR_PACKAGE_PATH_NOT_EXPORTED', 'MODULE_NOT_FOUND']);

function load(): void {
  if (input.specifier === '') return finish();
  if (input.loader !== '' && input.preferImport) {
    importTarget().then(finish, fail);
    return;
  }
  try {
    modules.createRequire(input.root)(input.specifier);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (input.loader === '' || !(esOnly.has(code) || error instanceof SyntaxError)) return fail(error);
    // `require` came as far as a module that the target wants: that it is missing says more than what an import then misses.
    const gotFurther =
      code === 'MODULE_NOT_FOUND' && !String(error).includes(`Cannot find module '${input.specifier}'`);
    importTarget().then(finish, (second: unknown) => fail(gotFurther ? error : second));
    return;
  }
  finish();
}

thread.watchProcess();
load();
