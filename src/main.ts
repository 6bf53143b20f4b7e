import { run } from './commands/run.js';
import { commands, defaultCommand } from './commands/index.js';
import { processIo } from './commands/io.js';
import { reasonOf } from './discover/list-files.js';
import { endQuickStart, loadedGrammars } from './parsers/tree.js';

/** What could not be written; whatever the command says then, it is not the whole of it. */
let isIncomplete = false;

/** Runs the command line of this process and sets its exit code; see {@link run} for the codes. Never rejects. */
export async function main(): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that closes early (`| head`) is no failure: files may still have to be written, and the exit code is an answer too.
    if (error.code === 'EPIPE' || isIncomplete) return;
    isIncomplete = true;
    process.exitCode = 2;
    process.stderr.write(`lifetime-lint: The standard output could not be written: ${reasonOf(error)}.\n`);
  });
  // Whoever read the progress is gone; that is no reason to lose the report.
  process.stderr.on('error', () => undefined);
  const exitCode = await run(process.argv.slice(2), processIo());
  process.exitCode = isIncomplete ? 2 : exitCode;
}

/**
 * What this run has executed of the program, in words that are the same for runs that execute the same (`scan`,
 * `tree-sitter-d.wasm`): a store of compiled code tells by them what it lacks.
 */
export function usedParts(): string[] {
  const word = process.argv[2];
  return [word !== undefined && Object.hasOwn(commands, word) ? word : defaultCommand, ...loadedGrammars()];
}

export { endQuickStart };
