import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ChildPlan, WorkerInput, WorkerMessage, WorkerTask } from './child-plan.js';
import { loaderName } from './load.js';
import { mark } from './marker.js';

/** One worker of a scenario. */
export interface Hand {
  readonly worker: Worker;
  /** The first message of that kind, or undefined when the worker ended without it. */
  first(kind: WorkerMessage['kind']): Promise<WorkerMessage | undefined>;
  /** Resolves with the exit code; never rejects. */
  readonly ended: Promise<number>;
}

export interface HireOptions {
  readonly index: number;
  readonly hold?: boolean;
  /** The scenario will end it, so that an end without a word is no surprise. */
  readonly expectEnd?: boolean;
}

/** Starts one worker of the harness. */
export function hire(plan: ChildPlan, task: WorkerTask, options: HireOptions): Hand {
  const input: WorkerInput = { plan, task, index: options.index, hold: options.hold === true };
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: input });
  const seen = new Map<WorkerMessage['kind'], WorkerMessage>();
  const waiting = new Map<WorkerMessage['kind'], ((message: WorkerMessage | undefined) => void)[]>();
  let over = false;
  worker.on('message', (message: WorkerMessage) => {
    if (!seen.has(message.kind)) seen.set(message.kind, message);
    for (const resolve of waiting.get(message.kind) ?? []) resolve(message);
    waiting.delete(message.kind);
  });
  worker.on('error', (error) =>
    mark('worker-error', String(error instanceof Error ? error.message : error).slice(0, 500), '', ''),
  );
  const ended = new Promise<number>((resolve) => {
    worker.on('exit', (code) => {
      over = true;
      mark('worker-ended', options.index, code);
      if (options.expectEnd !== true && code === 0 && !seen.has('finished') && !seen.has('failed'))
        mark('worker-drained', options.index);
      for (const list of waiting.values()) for (const done of list) done(undefined);
      resolve(code);
    });
  });
  return {
    worker,
    ended,
    first(kind) {
      const message = seen.get(kind);
      if (message !== undefined || over) return Promise.resolve(message);
      return new Promise((resolve) => waiting.set(kind, [...(waiting.get(kind) ?? []), resolve]));
    },
  };
}

/** Starts several workers with the same task. */
export function hireAll(
  plan: ChildPlan,
  task: WorkerTask,
  count: number,
  options: Omit<HireOptions, 'index'> = {},
): Hand[] {
  return Array.from({ length: count }, (_, index) => hire(plan, task, { ...options, index }));
}

/**
 * Starts workers that load the target and end, nothing else: as small as they can be, since the moment at which the last of
 * them leaves is what matters. One in four imports, one in four leaves by `process.exit`. Resolves when all have ended.
 */
export async function loadInWorkers(plan: ChildPlan): Promise<void> {
  if (plan.driver !== undefined) {
    await Promise.all(hireAll(plan, 'load', plan.workers).map((hand) => hand.ended));
    return;
  }
  const workers = startLoaders(plan);
  await Promise.all(workers.map(({ ended }) => ended));
}

/** The workers of {@link loadInWorkers}, for scenarios that end them earlier. */
export function startLoaders(plan: ChildPlan): { readonly worker: Worker; readonly ended: Promise<void> }[] {
  const loader = join(plan.root, loaderName);
  const input = {
    root: loader,
    loader: plan.root !== '' && existsSync(loader) ? pathToFileURL(loader).href : '',
    specifier: plan.specifier,
    exit: plan.seed % 4 === 2,
    preferImport: plan.seed % 4 === 3,
  };
  return Array.from({ length: plan.workers }, (_, index) => {
    const worker = new Worker(new URL('./load-worker.cjs', import.meta.url), { workerData: input });
    worker.on('error', (error) =>
      mark('worker-error', String(error instanceof Error ? error.message : error).slice(0, 500), '', ''),
    );
    const ended = new Promise<void>((resolve) => {
      worker.on('exit', (code) => {
        mark('worker-ended', index, code);
        resolve();
      });
    });
    return { worker, ended };
  });
}
