#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { processIo } from './commands/io.js';
import { run } from './commands/run.js';
import { reasonOf } from './discover/list-files.js';

// Node 20 optimises what a scan is done with before that pays: with eight times its patience a scan takes a fifth less CPU
// (docs/performance.md). Later versions have other thresholds, and complain about a flag that they do not know.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--interrupt-budget=1081344');

/** What could not be written; whatever the command says then, it is not the whole of it. */
let isIncomplete = false;
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
