import { parentPort, workerData } from 'node:worker_threads';
import { openCaller, type Caller } from './caller.js';
import type { WorkerInput, WorkerMessage } from './child-plan.js';
import { releaseDrained } from './drain.js';
import { describeError, mark } from './marker.js';
import { callSequentially, fitSamples } from './sequence.js';
import { exitProcess, pause, startPump, watchProcess } from './watch.js';

// The parent of this file is src/dynamic/child/crew.ts, which passes exactly this shape.
const input = workerData as WorkerInput;
const port = parentPort;

function tell(message: WorkerMessage): void {
  port?.postMessage(message);
}

/** Waits for `go`; the port keeps the worker alive meanwhile. */
function waitForGo(): Promise<void> {
  return new Promise((resolve) => port?.once('message', () => resolve()));
}

async function work(caller: Caller): Promise<void> {
  const { plan, task } = input;
  switch (task) {
    case 'load':
      return;
    case 'call': {
      const values = await callSequentially(caller, plan);
      if (caller.comparable) tell({ kind: 'values', values });
      return;
    }
    case 'start-and-exit':
      await fitSamples(caller, plan);
      for (let i = 0; i < Math.min(plan.calls, Math.max(caller.count, 8)); i++) caller.start(i);
      tell({ kind: 'finished' });
      // Native code gets a moment to begin; half the runs leave at once.
      if (plan.seed % 2 === 1) await pause(2);
      return exitProcess(0);
    case 'start-and-wait':
      await fitSamples(caller, plan);
      for (let i = 0; i < Math.min(plan.calls, Math.max(caller.count, 8)); i++) caller.start(i);
      tell({ kind: 'pending' });
      await waitForGo();
      return;
    case 'write-to-transferred':
      return;
  }
}

/** Overwrites each buffer that arrives, several times, then forgets it. */
function writeToTransferred(): void {
  port?.on('message', (message: unknown) => {
    if (message === 'stop') {
      port.close();
      return;
    }
    if (!(message instanceof ArrayBuffer)) return;
    for (let i = 0; i < 4; i++) new Uint8Array(message).fill(0xa5 ^ i);
  });
}

async function run(): Promise<void> {
  watchProcess();
  if (input.task === 'write-to-transferred') return writeToTransferred();
  process.on('beforeExit', () => void releaseDrained());
  const stopPump = input.plan.pump ? startPump() : undefined;
  mark('worker', input.index);
  const caller = await openCaller(input.plan);
  mark('loaded');
  tell({ kind: 'loaded' });
  if (input.hold) await waitForGo();
  await work(caller);
  stopPump?.();
  tell({ kind: 'finished' });
  // What keeps a worker alive after its work is the target's; the run must end all the same.
  setTimeout(() => {
    mark('forced-exit');
    exitProcess(0);
  }, 300).unref();
}

run().catch((error: unknown) => {
  const described = describeError(error);
  mark('worker-error', described.message, described.code, described.stack);
  tell({ kind: 'failed', ...described });
  setTimeout(() => exitProcess(1), 300).unref();
});
