import { readFileSync } from 'node:fs';
import type { ChildPlan } from './child-plan.js';
import { releaseDrained } from './drain.js';
import { isHeard, mark, markError } from './marker.js';
import { play } from './scenarios.js';
import { exitProcess, startPump, watchProcess } from './watch.js';

// The parent (src/dynamic/run.ts) wrote the file whose path is the only argument.
const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ChildPlan;

let finished = false;
watchProcess();
mark('start');
const stopPump = plan.pump ? startPump() : undefined;
process.on('beforeExit', () => {
  if (!finished && !releaseDrained()) mark('drained');
});
process.on('exit', () => {
  if (!isHeard()) process.exitCode = plan.lostMarkersExitCode;
});

play(plan).then(
  () => {
    finished = true;
    stopPump?.();
    mark('done');
    // What keeps the process alive after its work is the target's; the run must end all the same.
    setTimeout(() => {
      mark('forced-exit');
      exitProcess(0);
    }, 500).unref();
  },
  (error: unknown) => {
    finished = true;
    markError('error', error);
    process.exitCode = 1;
    setTimeout(() => exitProcess(1), 500).unref();
  },
);
