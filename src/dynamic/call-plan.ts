import { someArgument } from './child/argument-parts.js';

/**
 * How a sample value is made in the child: plain data, so that a plan can be printed, stored and sent. `buffer` values are
 * made anew for each call, because a scenario may take them away.
 */
export type ArgumentSpec =
  | { readonly kind: 'json'; readonly value: string | number | boolean | null }
  | { readonly kind: 'undefined' }
  | { readonly kind: 'bigint'; readonly value: string }
  /** `type` is the constructor's name: Buffer, Uint8Array, Float32Array, ArrayBuffer, DataView, … */
  | { readonly kind: 'buffer'; readonly type: string; readonly bytes: number }
  /** Text of an input file when there is one, else this text. */
  | {
      readonly kind: 'text';
      readonly value: string;
      readonly role: 'source' | 'filename' | 'plain';
    }
  | { readonly kind: 'array'; readonly items: readonly ArgumentSpec[] }
  | {
      readonly kind: 'object';
      readonly fields: Readonly<Record<string, ArgumentSpec>>;
    }
  | { readonly kind: 'function'; readonly returns: ArgumentSpec }
  /** A promise; the scenario thenable-twice makes it a thenable that settles twice. */
  | { readonly kind: 'promise'; readonly value: ArgumentSpec }
  | { readonly kind: 'date' }
  | { readonly kind: 'abort-signal' }
  /** An instance of a class of the target, made with its own constructor plan. */
  | { readonly kind: 'instance'; readonly class: string };

/** Whether something of the call can be settled twice, or called on a wrong receiver. */
export function canSettleTwice(call: CallSpec): boolean {
  const settles = (part: ArgumentSpec): boolean => part.kind === 'function' || part.kind === 'promise';
  return call.kind === 'method' || call.parameters.some((spec) => someArgument(spec, settles));
}

export interface CallSpec {
  /** `parseAsync`, `Parser.parse` (static) or `Parser#parse` (method). */
  readonly name: string;
  readonly kind: 'function' | 'static' | 'method';
  /** Path of export names to the function or the class, for example `['default', 'parse']`. */
  readonly path: readonly string[];
  readonly member?: string;
  readonly parameters: readonly ArgumentSpec[];
  /** Returns a promise by its type. */
  readonly async: boolean;
  /** Positions of parameters that hold a buffer, at any depth. */
  readonly buffers: readonly number[];
  /** Positions of parameters that are functions. */
  readonly callbacks: readonly number[];
}

export interface ClassSpec {
  readonly name: string;
  readonly path: readonly string[];
  /** Undefined when the constructor cannot be called from outside. */
  readonly constructorParameters?: readonly ArgumentSpec[];
  /** A call that gives an instance, where the constructor does not. */
  readonly factory?: string;
}

/** The calls that a package's declarations offer, or why there are none. */
export interface CallPlan {
  readonly source: string;
  readonly calls: readonly CallSpec[];
  readonly classes: readonly ClassSpec[];
  /** Exports that could not be planned, each with its reason. */
  readonly skipped: readonly {
    readonly name: string;
    readonly reason: string;
  }[];
}
