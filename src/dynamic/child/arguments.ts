import type { ArgumentSpec } from '../call-plan.js';
import type { Input } from './inputs.js';

type BufferMaker = (bytes: Uint8Array) => ArrayBufferView | ArrayBuffer;

/** Makes a view of the named type over a fresh ArrayBuffer of its own: a pooled one could not be transferred alone. */
function makeBuffer(type: string, bytes: Uint8Array): ArrayBufferView | ArrayBuffer {
  const backing = new ArrayBuffer(Math.ceil(bytes.length / 8) * 8);
  new Uint8Array(backing).set(bytes);
  const exact = backing.byteLength === bytes.length ? backing : backing.slice(0, bytes.length);
  const makers: Readonly<Record<string, BufferMaker>> = {
    ArrayBuffer: () => exact,
    ArrayBufferLike: () => exact,
    Uint8Array: () => new Uint8Array(exact),
    Uint8ClampedArray: () => new Uint8ClampedArray(exact),
    Int8Array: () => new Int8Array(exact),
    Uint16Array: () => new Uint16Array(backing),
    Int16Array: () => new Int16Array(backing),
    Uint32Array: () => new Uint32Array(backing),
    Int32Array: () => new Int32Array(backing),
    Float32Array: () => new Float32Array(backing),
    Float64Array: () => new Float64Array(backing),
    BigInt64Array: () => new BigInt64Array(backing),
    BigUint64Array: () => new BigUint64Array(backing),
    DataView: () => new DataView(exact),
  };
  const maker = makers[type];
  return maker === undefined ? Buffer.from(exact) : maker(bytes);
}

/** Bytes that depend on the seed and the position only (a linear congruential generator, Numerical Recipes). */
export function seededBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export interface MadeArguments {
  readonly values: readonly unknown[];
  /** The ArrayBuffers behind the buffer arguments, each with its view. */
  readonly buffers: readonly Taken[];
}

export interface Taken {
  readonly view: ArrayBufferView | ArrayBuffer;
  readonly backing: ArrayBuffer;
}

export interface MakeContext {
  readonly seed: number;
  readonly input: Input | undefined;
  readonly instance: (name: string) => unknown;
  /** Callbacks and thenables settle twice, as a broken promise library or a hostile caller would. */
  readonly twice: boolean;
}

/** A thenable that fulfils twice and then rejects. */
function makeTwice(value: unknown): object {
  return {
    then(resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
      resolve(value);
      resolve(value);
      reject(new Error('settled before'));
    },
  };
}

/** Calls every function that native code handed to a callback, twice. */
function callTwice(args: readonly unknown[]): void {
  for (const arg of args) {
    if (typeof arg !== 'function') continue;
    for (let i = 0; i < 2; i++) {
      try {
        Reflect.apply(arg, undefined, []);
      } catch {
        // A second call that is refused with an error is the right answer.
      }
    }
  }
}

/** Builds the arguments of one call anew. */
export function makeArguments(specs: readonly ArgumentSpec[], context: MakeContext): MadeArguments {
  const buffers: Taken[] = [];
  const make = (spec: ArgumentSpec): unknown => {
    switch (spec.kind) {
      case 'json':
        return spec.value;
      case 'undefined':
        return undefined;
      case 'bigint':
        return BigInt(spec.value);
      case 'text':
        if (context.input === undefined) return spec.value;
        if (spec.role === 'filename') return context.input.name;
        return spec.role === 'source' ? Buffer.from(context.input.bytes).toString('utf8') : spec.value;
      case 'buffer': {
        const view = makeBuffer(spec.type, context.input?.bytes ?? seededBytes(spec.bytes, context.seed));
        const backing = view instanceof ArrayBuffer ? view : view.buffer;
        if (backing instanceof ArrayBuffer) buffers.push({ view, backing });
        return view;
      }
      case 'array':
        return spec.items.map(make);
      case 'object':
        return Object.fromEntries(Object.entries(spec.fields).map(([name, field]) => [name, make(field)]));
      case 'function':
        return (...args: unknown[]): unknown => {
          if (context.twice) callTwice(args);
          const value = make(spec.returns);
          return context.twice ? makeTwice(value) : value;
        };
      case 'promise':
        return context.twice ? makeTwice(make(spec.value)) : Promise.resolve(make(spec.value));
      case 'date':
        return new Date(0);
      case 'abort-signal':
        return new AbortController().signal;
      case 'instance':
        return context.instance(spec.class);
    }
  };
  return { values: specs.map(make), buffers };
}
