import type { ScenarioName } from '../scenario.js';
import { seededBytes } from './arguments.js';
import { keepPoolBusy } from './busy-pool.js';
import { openCaller, type Caller, type Pending, type Settled } from './caller.js';
import type { ChildPlan } from './child-plan.js';
import { hire, hireAll, loadInWorkers, startLoaders } from './crew.js';
import { mark } from './marker.js';
import { hash } from './oracle.js';
import { callSequentially, CallCount, fitSamples } from './sequence.js';
import { collect, exitProcess, pause, settle } from './watch.js';

type Play = (plan: ChildPlan) => Promise<void>;

/** Loads the target on the main thread first: what vanishes then was an unload. */
async function openOnMain(plan: ChildPlan): Promise<Caller> {
  const caller = await openCaller(plan);
  mark('loaded');
  return caller;
}

function markValues(caller: Caller, values: readonly string[]): void {
  if (caller.comparable) mark('value', hash(values.join('\n')), values.join('\n').slice(0, 400));
}

async function playReload(plan: ChildPlan): Promise<void> {
  for (let cycle = 1; cycle <= plan.cycles; cycle++) {
    mark('cycle', cycle);
    // One worker in the first cycle, several later: hooks that run once per process show only in the second.
    const hands = hireAll(plan, 'call', cycle === 1 ? 1 : Math.min(plan.workers, 4));
    await Promise.all(hands.map((hand) => hand.ended));
  }
}

async function playTerminate(plan: ChildPlan): Promise<void> {
  const delays = seededBytes(plan.workers, plan.seed);
  mark('cycle', 1);
  await Promise.all(
    startLoaders(plan).map(async ({ worker, ended }, i) => {
      // Loading takes 5 to 100 ms on most machines: some workers are hit before it, some after.
      await pause((delays[i] ?? 0) / 3);
      await worker.terminate();
      await ended;
    }),
  );
  mark('cycle', 2);
  await Promise.all(
    hireAll(plan, 'start-and-wait', plan.workers, { expectEnd: true }).map(async (hand, i) => {
      await Promise.race([hand.first('pending'), hand.first('failed'), hand.ended]);
      await pause((delays[i] ?? 0) % 8);
      await hand.worker.terminate();
    }),
  );
  await settle(60);
}

async function playExitWithWork(plan: ChildPlan): Promise<void> {
  mark('cycle', 1);
  await Promise.all(hireAll(plan, 'start-and-exit', plan.workers).map((hand) => hand.ended));
  // Threads that outlived their worker run into what was unloaded.
  await settle(80);
  if (plan.seed % 2 === 0) return;
  mark('cycle', 2);
  const caller = await openOnMain(plan);
  await fitSamples(caller, plan);
  for (let i = 0; i < Math.min(plan.calls, Math.max(caller.count, 8)); i++) caller.start(i);
  mark('done');
  exitProcess(0);
}

async function playMainAndWorker(plan: ChildPlan): Promise<void> {
  const worker = async (index: number): Promise<void> => {
    mark('cycle', index);
    await hire(plan, 'call', { index }).ended;
  };
  if (plan.seed % 2 === 0) {
    await worker(1);
    const caller = await openOnMain(plan);
    await callSequentially(caller, plan);
    await worker(2);
    await callSequentially(caller, plan);
    return;
  }
  const caller = await openOnMain(plan);
  await callSequentially(caller, plan);
  await worker(1);
  await callSequentially(caller, plan);
  await worker(2);
  await callSequentially(caller, plan);
}

async function playSequential(plan: ChildPlan): Promise<void> {
  const caller = await openOnMain(plan);
  markValues(caller, await callSequentially(caller, plan));
}

async function playConcurrent(plan: ChildPlan): Promise<void> {
  const caller = await openOnMain(plan);
  await fitSamples(caller, plan);
  const count = new CallCount();
  const values: string[] = [];
  for (let first = 0; first < plan.calls; first += 64) {
    const batch: Pending[] = [];
    for (let i = first; i < Math.min(first + 64, plan.calls); i++) {
      mark('call', i + 1, caller.nameOf(i));
      batch.push(caller.start(i));
    }
    for (const result of await Promise.all(batch.map((pending) => pending.result))) {
      count.add(result);
      values.push(result.ok ? result.text : 'threw');
    }
  }
  count.report();
  markValues(caller, values);
}

async function playWorkersCall(plan: ChildPlan): Promise<void> {
  const hands = hireAll(plan, 'call', plan.workers);
  const lists = await Promise.all(hands.map((hand) => hand.first('values')));
  await Promise.all(hands.map((hand) => hand.ended));
  const texts = lists.flatMap((message) => (message?.kind === 'values' ? [message.values.join('\n')] : []));
  const [first] = texts;
  if (first === undefined) return;
  const other = texts.find((text) => text !== first);
  if (other !== undefined) mark('changed', 'one worker', first.slice(0, 200), other.slice(0, 200));
  mark('value', hash(first), first.slice(0, 400));
}

/** What an undisturbed call returns, three times over; undefined, and said, when it throws or does not repeat itself. */
async function findBaseline(caller: Caller, call: number, count: CallCount): Promise<string | undefined> {
  const texts: string[] = [];
  while (texts.length < 3) {
    const result = await caller.start(call).result;
    count.add(result);
    if (result.ok) texts.push(result.text);
    else if (caller.tryNextSample(call)) texts.length = 0;
    else {
      mark('note', `'${caller.nameOf(call)}' refused every sample (${result.message.slice(0, 120)}).`);
      return undefined;
    }
  }
  if (new Set(texts).size === 1) return texts[0];
  mark('note', `'${caller.nameOf(call)}' returns another value each time, so only a crash of it would show.`);
  return undefined;
}

/** Disturbs the buffers of pending calls and compares what they return with the undisturbed value. */
async function disturb(
  plan: ChildPlan,
  start: (pending: Pending) => void,
  again: (pending: Pending, round: number) => void,
): Promise<void> {
  const caller = await openOnMain(plan);
  const count = new CallCount();
  const started = performance.now();
  let inFlight = 0;
  const took = new Set<number>();
  for (const [i, call] of caller.bufferCalls.entries()) {
    const expected = await findBaseline(caller, call, count);
    // Slow calls get fewer rounds, each at least one: a run that reaches its time limit says nothing.
    const share = (plan.callBudgetMs * (i + 1)) / caller.bufferCalls.length;
    let changed = false;
    for (let round = 0; round < plan.calls && !changed; round++) {
      if (round > 0 && performance.now() - started > share) break;
      mark('call', round + 1, caller.nameOf(call));
      // Every other time the work is disturbed before it begins: that of a quick call is done before anything can happen to it.
      if (round % 2 === 1) keepPoolBusy();
      const pending = caller.start(call);
      if (!pending.isSettled()) inFlight++;
      start(pending);
      for (let i = 0; !pending.isSettled() && i < 10000; i++) {
        again(pending, i);
        collect();
        await pause(0);
      }
      const result: Settled = await pending.result;
      if (pending.tookBuffer()) took.add(call);
      if (expected !== undefined && result.ok && result.text !== expected) {
        const after = await caller.start(call).result;
        // Undisturbed it still gives the first value, so that it was the disturbance that changed it.
        changed = after.ok && after.text === expected;
        if (changed) mark('changed', pending.name, expected.slice(0, 200), result.text.slice(0, 200));
      }
    }
  }
  count.report();
  mark('in-flight', inFlight, took.size);
  await settle(20);
}

function overwrite(pending: Pending, round: number): void {
  for (const { backing } of pending.buffers)
    if (backing.byteLength > 0) new Uint8Array(backing).fill(0xa5 ^ (round & 0xff));
}

function tryTransfer(backing: ArrayBuffer, transfer: (backing: ArrayBuffer) => void): void {
  if (backing.byteLength === 0) return;
  try {
    transfer(backing);
  } catch (error) {
    // An addon that marks its buffers as untransferable is protected; that is a result, not a failure.
    mark('note', `A buffer could not be transferred: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function playDetach(plan: ChildPlan): Promise<void> {
  const noise: Uint8Array[] = [];
  await disturb(
    plan,
    (pending) => {
      for (const { backing } of pending.buffers) {
        const { byteLength } = backing;
        tryTransfer(backing, (whole) => void structuredClone(whole, { transfer: [whole] }));
        collect();
        // Memory of the same size soon stands where the buffer was.
        for (let i = 0; i < 8; i++) noise.push(new Uint8Array(byteLength).fill(0xdd));
      }
    },
    (pending, round) => {
      if (noise.length > 256) noise.length = 0;
      for (const { view } of pending.buffers.slice(0, 1))
        noise.push(new Uint8Array(Math.max(64, view.byteLength)).fill(round & 0xff));
    },
  );
}

async function playTransfer(plan: ChildPlan): Promise<void> {
  const writer = hire(plan, 'write-to-transferred', { index: 0, expectEnd: true });
  await disturb(
    plan,
    (pending) => {
      for (const { backing } of pending.buffers)
        tryTransfer(backing, (whole) => writer.worker.postMessage(whole, [whole]));
    },
    () => undefined,
  );
  writer.worker.postMessage('stop');
  await writer.ended;
}

async function playOverlap(plan: ChildPlan): Promise<void> {
  const caller = await openOnMain(plan);
  await fitSamples(caller, plan);
  const count = new CallCount();
  // Two are enough to overlap; more are needed before what they share has to grow.
  const overlapping = Math.max(2, plan.calls);
  for (let round = 0; round < 2; round++) {
    for (const [name, methods] of caller.methods) {
      const receiver = caller.create(name);
      mark('call', round + 1, name);
      const pending = methods.flatMap((method) =>
        Array.from({ length: overlapping }, () => caller.start(method, { receiver })),
      );
      for (const result of await Promise.all(pending.map((call) => call.result))) count.add(result);
    }
  }
  count.report();
  await settle(10);
}

/** Makes owners, keeps only what their methods returned. */
async function churnOnce(caller: Caller, count: CallCount): Promise<unknown[]> {
  const kept: unknown[] = [];
  for (const [name, methods] of caller.methods) {
    const receiver = caller.create(name);
    for (const method of methods) {
      const result = await caller.start(method, { receiver }).result;
      count.add(result);
      if (result.ok) kept.push(result.value);
    }
  }
  for (let i = 0; i < caller.count; i++) {
    const result = await caller.start(i).result;
    count.add(result);
    if (result.ok) kept.push(result.value);
  }
  return kept;
}

async function playGcChurn(plan: ChildPlan): Promise<void> {
  const caller = await openOnMain(plan);
  await fitSamples(caller, plan);
  const count = new CallCount();
  for (let round = 0; round < Math.max(2, Math.floor(plan.calls / 4)); round++) {
    mark('cycle', round + 1);
    const kept = await churnOnce(caller, count);
    await settle(12);
    for (const value of kept) {
      if (typeof value !== 'object' || value === null) continue;
      const methods = caller.methods.get(caller.classOf(value) ?? '') ?? [];
      for (const method of methods) count.add(await caller.start(method, { receiver: value }).result);
      for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(value) ?? {})) {
        const getter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(value), name)?.get;
        try {
          if (getter !== undefined) Reflect.apply(getter, value, []);
        } catch {
          // A getter that refuses with an error has noticed; only what it does not notice is of interest.
        }
      }
    }
  }
  count.report();
  await settle(20);
}

async function playThenableTwice(plan: ChildPlan): Promise<void> {
  const caller = await openOnMain(plan);
  await fitSamples(caller, plan);
  const count = new CallCount();
  for (let i = 0; i < Math.max(plan.calls, caller.count); i++) {
    mark('call', i + 1, caller.nameOf(i));
    count.add(await caller.start(i, { twice: true }).result);
  }
  const names = [...caller.methods.keys()].filter((name) => name !== 'driver');
  for (const [name, methods] of caller.methods) {
    if (name === 'driver') continue;
    const strangers: unknown[] = [
      {},
      Object.create(null),
      ...names.filter((other) => other !== name).map((other) => caller.create(other)),
    ];
    for (const method of methods) {
      for (const receiver of strangers) {
        mark('call', method + 1, `${caller.nameOf(method)} on a stranger`);
        await caller.start(method, { receiver }).result;
      }
    }
  }
  count.report();
  await settle(30);
}

const plays: Readonly<Record<Exclude<ScenarioName, 'command'>, Play>> = {
  import: loadInWorkers,
  reload: playReload,
  terminate: playTerminate,
  'exit-with-work': playExitWithWork,
  'main-and-worker': playMainAndWorker,
  sequential: playSequential,
  concurrent: playConcurrent,
  'workers-call': playWorkersCall,
  mutate: (plan) => disturb(plan, (pending) => overwrite(pending, 0), overwrite),
  transfer: playTransfer,
  detach: playDetach,
  overlap: playOverlap,
  'gc-churn': playGcChurn,
  'thenable-twice': playThenableTwice,
};

const onlyWorkers: ReadonlySet<ScenarioName> = new Set([
  'import',
  'reload',
  'terminate',
  'exit-with-work',
  'workers-call',
]);

/** Plays the scenario of the plan in this process. */
export async function play(plan: ChildPlan): Promise<void> {
  if (plan.scenario === 'command') throw new Error("The scenario 'command' has no part in a Node child.");
  if (plan.mainLoads && onlyWorkers.has(plan.scenario)) await openOnMain(plan);
  await plays[plan.scenario](plan);
}
