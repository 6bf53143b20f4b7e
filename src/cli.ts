#!/usr/bin/env node
import { processIo } from './commands/io.js';
import { run } from './commands/run.js';
import { reasonOf } from './discover/list-files.js';

// A reader that closes early (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`lifetime-lint: The standard output could not be written: ${reasonOf(error)}.\n`);
  process.exit(2);
});

process.exitCode = await run(process.argv.slice(2), processIo());
