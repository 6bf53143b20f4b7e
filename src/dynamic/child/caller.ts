import { isMainThread } from 'node:worker_threads';
import { pathToFileURL } from 'node:url';
import type { CallSpec, ClassSpec } from '../call-plan.js';
import { takesSamples } from './argument-parts.js';
import { makeArguments, type Taken } from './arguments.js';
import type { ChildPlan } from './child-plan.js';
import { onDrain } from './drain.js';
import { readInputs, type Input } from './inputs.js';
import { loadTarget, resolveTarget, type Driver, type Namespace } from './load.js';
import { describeValue } from './oracle.js';
import { builtinSamples } from './samples.js';
import { collect } from './watch.js';

export type Settled =
  | { readonly ok: true; readonly value: unknown; readonly text: string }
  | { readonly ok: false; readonly message: string };

/** A call that has been started. */
export interface Pending {
  readonly name: string;
  readonly buffers: readonly Taken[];
  /** Never rejects. */
  readonly result: Promise<Settled>;
  /** True as soon as the call has returned its value, or settled its promise. */
  isSettled(): boolean;
  /** Whether the call has looked at one of its buffers: a driver need not. */
  tookBuffer(): boolean;
}

/** The calls that a scenario can make, from a driver or from the target's declarations. */
export interface Caller {
  /** Number of distinct calls; 0 when loading is all that can be done. */
  readonly count: number;
  /** Calls that take a buffer and return a promise. */
  readonly bufferCalls: readonly number[];
  /** Whether the values are an oracle that holds across runs: a driver's do, those of guessed arguments need not. */
  readonly comparable: boolean;
  start(i: number, options?: StartOptions): Pending;
  /** Whether the call, or the instance that it is made on, is built from a sample, so that another one may be accepted. */
  takesSamples(i: number): boolean;
  /** Gives the call other sample arguments; false when all were tried. To be asked after a call that threw. */
  tryNextSample(i: number): boolean;
  /** What the i-th call is called, to be said before it starts. */
  nameOf(i: number): string;
  /** Calls of methods, grouped by class: the positions of each class's methods. */
  readonly methods: ReadonlyMap<string, readonly number[]>;
  /** The class of the target whose instance the value is. */
  classOf(value: object): string | undefined;
  /** A new instance of a class of the target; undefined when none can be made. */
  create(className: string): unknown;
}

interface StartOptions {
  /** Receiver of a method in place of the shared instance. */
  readonly receiver?: unknown;
  /** Callbacks and thenables settle twice. */
  readonly twice?: boolean;
}

function describeFailure(error: unknown): Settled {
  return {
    ok: false,
    message: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 300) : String(error).slice(0, 300),
  };
}

function describeSuccess(value: unknown): Settled {
  try {
    return { ok: true, value, text: describeValue(value) };
  } catch (error) {
    return describeFailure(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** Runs a function and watches it settle. */
function watch(name: string, buffers: readonly Taken[], run: () => unknown): Pending {
  let settled = false;
  const done = (result: Settled): Settled => {
    settled = true;
    return result;
  };
  let result: Promise<Settled>;
  try {
    const value = run();
    result = isThenable(value)
      ? Promise.resolve(value).then(
          (resolved) => done(describeSuccess(resolved)),
          (error: unknown) => done(describeFailure(error)),
        )
      : Promise.resolve(done(describeSuccess(value)));
  } catch (error) {
    result = Promise.resolve(done(describeFailure(error)));
  }
  return { name, buffers, result, isSettled: () => settled, tookBuffer: () => buffers.length > 0 };
}

const none: Caller = {
  count: 0,
  bufferCalls: [],
  comparable: false,
  methods: new Map(),
  start: () => watch('nothing', [], () => undefined),
  takesSamples: () => false,
  tryNextSample: () => false,
  nameOf: () => 'nothing',
  create: () => undefined,
  classOf: () => undefined,
};

/** Loads the target (through the driver when it says how) and offers its calls. */
export async function openCaller(plan: ChildPlan): Promise<Caller> {
  if (plan.driver !== undefined) {
    // What a driver exports is described in docs/dynamic.md; each part is looked for before it is used.
    const driver = (await import(pathToFileURL(plan.driver).href)) as Driver;
    const context =
      driver.load === undefined
        ? await loadTarget(plan)
        : await driver.load({ target: await resolveTarget(plan), worker: !isMainThread });
    if (driver.call !== undefined) return driverCaller(plan, driver.call.bind(driver), context);
    return none;
  }
  const namespace = await loadTarget(plan);
  return plan.callPlan === undefined || plan.callPlan.calls.length === 0
    ? none
    : plannedCaller(plan, namespace, plan.callPlan.calls, plan.callPlan.classes);
}

/** A copy over an ArrayBuffer of its own, never out of Node's pool: a part of the pool could not be transferred. */
function ownCopy(bytes: Uint8Array): Buffer {
  const backing = new ArrayBuffer(bytes.length);
  new Uint8Array(backing).set(bytes);
  return Buffer.from(backing);
}

function driverCaller(plan: ChildPlan, call: NonNullable<Driver['call']>, context: unknown): Caller {
  const inputs = readInputs(plan.inputs, 1);
  return {
    count: 1,
    bufferCalls: [0],
    comparable: true,
    methods: new Map([['driver', [0]]]),
    create: () => context,
    classOf: () => undefined,
    takesSamples: () => false,
    tryNextSample: () => false,
    nameOf: (i) => `call ${i}`,
    start(i, options) {
      let took = false;
      const copies = inputs.map((input) => ownCopy(input.bytes));
      const fresh = inputs.map(({ name }, at) => ({
        name,
        get bytes() {
          took = true;
          return copies[at];
        },
      }));
      const buffers = copies.flatMap((bytes): Taken[] =>
        bytes.buffer instanceof ArrayBuffer ? [{ view: bytes, backing: bytes.buffer }] : [],
      );
      const run = (): unknown => call(options?.receiver ?? context, i, { inputs: fresh, gc: collect });
      return { ...watch(`call ${i}`, buffers, run), tookBuffer: () => took };
    },
  };
}

/** Follows export names; members of `default` stand in for named exports that Node could not see in a CommonJS module. */
function follow(namespace: Namespace, path: readonly string[]): unknown {
  const walk = (start: unknown): unknown => {
    let value = start;
    for (const name of path) {
      if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
      value = Reflect.get(value, name);
    }
    return value;
  };
  return walk(namespace) ?? walk(namespace['default']);
}

/** The name of the class that a method or a static belongs to, as {@link ClassSpec} has it. */
function ownerOf({ path }: CallSpec): string {
  return path.join('.');
}

/** A guessed call may wait for what never comes; the others are worth more than its answer. */
const patienceMs = 3000;

/** The same call, given up as one that threw when its time is over, or when nothing is left that could settle it. */
function impatient(pending: Pending, onGivenUp: () => void): Pending {
  let givenUp = false;
  const result = new Promise<Settled>((resolve) => {
    const giveUp = (message: string): void => {
      givenUp = true;
      onGivenUp();
      resolve({ ok: false, message });
    };
    const forget = onDrain(() => giveUp(`'${pending.name}' never settled`));
    const timer = setTimeout(() => giveUp(`'${pending.name}' did not settle in ${patienceMs / 1000} s`), patienceMs);
    timer.unref();
    void pending.result.then((settled) => {
      clearTimeout(timer);
      forget();
      resolve(settled);
    });
  });
  return { ...pending, result, isSettled: () => givenUp || pending.isSettled() };
}

function plannedCaller(
  plan: ChildPlan,
  namespace: Namespace,
  calls: readonly CallSpec[],
  classes: readonly ClassSpec[],
): Caller {
  const samples: readonly (Input | undefined)[] =
    plan.inputs === undefined ? builtinSamples() : readInputs(plan.inputs, 1);
  /** How often another sample was asked for, by call. */
  const tries = new Map<number, number>();
  const classSample = new Map<string, number>();
  /** Classes of which an instance has done something: their sample stays. */
  const proven = new Set<string>();
  const givenUp = new Set<number>();
  const shared = new Map<string, unknown>();
  let depth = 0;

  const instance = (name: string): unknown => {
    if (!shared.has(name)) shared.set(name, create(name));
    return shared.get(name);
  };
  const create = (name: string): unknown => {
    const spec = classes.find((candidate) => candidate.name === name);
    if (spec === undefined || depth > 4) return undefined;
    depth++;
    try {
      if (spec.constructorParameters !== undefined) {
        const constructor = follow(namespace, spec.path);
        if (typeof constructor !== 'function') return undefined;
        const input = samples[classSample.get(name) ?? 0];
        const made = makeArguments(spec.constructorParameters, { seed: 1, input, instance, twice: false });
        return Reflect.construct(constructor, [...made.values]);
      }
      const factory = calls.find((call) => call.name === spec.factory);
      return factory === undefined
        ? undefined
        : invoke(factory, { seed: 1, input: samples[classSample.get(name) ?? 0] }, {}).run();
    } finally {
      depth--;
    }
  };
  const invoke = (
    spec: CallSpec,
    source: { readonly seed: number; readonly input: Input | undefined },
    options: StartOptions,
  ): { readonly buffers: readonly Taken[]; readonly run: () => unknown } => {
    const made = makeArguments(spec.parameters, { ...source, instance, twice: options.twice === true });
    const run = (): unknown => {
      const owner = follow(namespace, spec.path);
      if (spec.kind === 'function') {
        if (typeof owner !== 'function') throw new TypeError(`'${spec.name}' is declared and not exported.`);
        return Reflect.apply(owner, undefined, [...made.values]);
      }
      const member = spec.member ?? '';
      if ((typeof owner !== 'function' && typeof owner !== 'object') || owner === null)
        throw new TypeError(`'${spec.path.join('.')}' is declared and not exported.`);
      const holder: unknown = spec.kind === 'static' ? owner : Reflect.get(owner, 'prototype');
      const receiver =
        'receiver' in options ? options.receiver : spec.kind === 'static' ? owner : instance(ownerOf(spec));
      const method: unknown =
        typeof holder === 'object' || typeof holder === 'function'
          ? Reflect.get(holder ?? {}, member, receiver ?? holder)
          : undefined;
      if (typeof method !== 'function') throw new TypeError(`'${spec.name}' is declared and not there.`);
      return Reflect.apply(method, receiver, [...made.values]);
    };
    return { buffers: made.buffers, run };
  };

  const methods = new Map<string, number[]>();
  calls.forEach((call, i) => {
    const owner = ownerOf(call);
    if (call.kind === 'method') methods.set(owner, [...(methods.get(owner) ?? []), i]);
  });
  return {
    count: calls.length,
    bufferCalls: calls.flatMap((call, i) => (call.async && call.buffers.length > 0 ? [i] : [])),
    comparable: false,
    methods,
    create,
    // By the constructor and not by its name: native names need not be those of the declarations.
    classOf: (value) => classes.find((spec) => follow(namespace, spec.path) === value.constructor)?.name,
    nameOf: (i) => calls[i % calls.length]?.name ?? '',
    takesSamples(i) {
      const spec = calls[i % calls.length];
      if (spec === undefined || plan.inputs !== undefined) return false;
      const ofClass = spec.kind === 'method' ? classes.find(({ name }) => name === ownerOf(spec)) : undefined;
      return spec.parameters.some(takesSamples) || ofClass?.constructorParameters?.some(takesSamples) === true;
    },
    tryNextSample(i) {
      const at = i % calls.length;
      const spec = calls[at];
      if (spec === undefined || plan.inputs !== undefined) return false;
      const own = spec.parameters.some(takesSamples) ? samples.length : 1;
      const owner = spec.kind === 'method' ? ownerOf(spec) : '';
      const ofClass = classes.find(({ name }) => name === owner);
      const isOpen = !proven.has(owner) && ofClass?.constructorParameters?.some(takesSamples) === true;
      const next = (tries.get(at) ?? 0) + 1;
      if (next >= own * (isOpen ? samples.length : 1)) return false;
      tries.set(at, next);
      if (isOpen) {
        classSample.set(owner, Math.floor(next / own) % samples.length);
        shared.delete(owner);
      }
      return true;
    },
    start(i, options = {}) {
      const at = i % calls.length;
      const spec = calls[at];
      if (spec === undefined) return none.start(i);
      if (givenUp.has(at)) return watch(spec.name, [], () => Promise.reject(new Error(`'${spec.name}' never settled`)));
      // Files of the user's are taken in turn; of the built-in samples the one that the call accepts.
      const turn = plan.inputs === undefined ? (tries.get(at) ?? 0) : Math.floor(i / calls.length);
      const { buffers, run } = invoke(spec, { seed: at, input: samples[turn % samples.length] }, options);
      const pending = impatient(watch(spec.name, buffers, run), () => givenUp.add(at));
      const owner = ownerOf(spec);
      void pending.result.then((settled) => {
        if (settled.ok && spec.kind === 'method') proven.add(owner);
      });
      return pending;
    },
  };
}
