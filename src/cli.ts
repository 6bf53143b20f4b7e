#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { processIo } from './commands/io.js';
import { run } from './commands/run.js';
import { reasonOf } from './discover/list-files.js';

// Node 20 optimises what a scan is done with before that pays: with eight times its patience a scan takes a fifth less CPU
// (docs/performance.md). Later versions have other thresholds, and complain about a flag that they do not know.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--interrupt-budget=1081344');

// A reader that closes early (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`lifetime-lint: The standard output could not be written: ${reasonOf(error)}.\n`);
  process.exit(2);
});
// Whoever read the progress is gone; that is no reason to lose the report.
process.stderr.on('error', () => undefined);

process.exitCode = await run(process.argv.slice(2), processIo());
