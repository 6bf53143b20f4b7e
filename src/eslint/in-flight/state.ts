import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import type { Confidence } from '../../model/finding.js';

/** One backing store, as far as the function can tell stores apart. */
export interface Storage {
  readonly id: number;
  /** As the source first names it: the variable that it is made for, else the expression that makes it. */
  name: string;
  /** Where it was made or came in. */
  readonly node: TSESTree.Node;
  /** An expression to ask for the kind of buffer that it is. */
  readonly witness: TSESTree.Node;
  /** The list that it is an element of. */
  readonly list?: Storage;
  /** It stands for every element of the list in turn, not for one of them. */
  readonly isEach?: boolean;
  /** The list's name or type says that its elements are buffers. */
  readonly isBuffer?: boolean;
  /** For a list: what its elements are made by. */
  readonly made?: TSESTree.Node;
}

/** A native call that was started and may not have finished. */
export interface Pending {
  readonly call: TSESTree.CallExpression | TSESTree.NewExpression;
  readonly callee: string;
  readonly storages: ReadonlySet<Storage>;
  /** Which part of a store the call was given, as `Value.part` spells it; absent for a whole store. */
  readonly parts?: ReadonlyMap<Storage, string>;
  /** Those that the addon's declarations call buffers. */
  readonly buffers?: ReadonlySet<Storage>;
  readonly confidence: Confidence;
  /** A callback that the addon may call at any time until it is released: `watch(folder, callback)`. */
  readonly isOpenCallback?: boolean;
  /** The innermost loop in which it was started. */
  readonly loop?: object | undefined;
  /** The promise left the function's sight: something else may wait for it. */
  isShared: boolean;
}

/**
 * `running`: not awaited. `interrupted`: an exception left the block before the await. `partial`: awaited together with others
 * by a `Promise.all` that rejected early.
 */
export type Phase = 'running' | 'interrupted' | 'partial';

/** What an expression may stand for. */
export interface Value {
  readonly storages: ReadonlySet<Storage>;
  readonly promises: ReadonlySet<Pending>;
  /** Stores that an array or object has inside: writing to the array does not write to them. */
  readonly inner?: ReadonlySet<Storage>;
  /** Stores that a native object was given and may read later: `sharp(bytes)`. */
  readonly held?: ReadonlySet<Storage>;
  /** The arguments that cut this view out of its store: `0, 8` of `buf.subarray(0, 8)`; absent for the whole store. */
  readonly part?: string;
  /** The value is an ArrayBuffer, so a view made from it shares the bytes. */
  readonly isArrayBuffer?: boolean;
  /** Promise.race and Promise.any: awaiting it doesn't wait for all. */
  readonly isRace?: boolean;
  /** Promise.all of several: it rejects with the first of them, while the others may run. */
  readonly isAll?: boolean;
  /** Elements of an array literal, for swaps by destructuring. */
  readonly elements?: readonly Value[];
  /** The element in each pair that `entries()` gives. */
  readonly entry?: Value;
  /** Fields of an object literal. */
  readonly fields?: ReadonlyMap<string, Value>;
}

export const nothing: Value = { storages: new Set(), promises: new Set() };

export function isNothing(value: Value): boolean {
  return (
    value.storages.size === 0 &&
    value.promises.size === 0 &&
    (value.held?.size ?? 0) === 0 &&
    (value.inner?.size ?? 0) === 0
  );
}

/** Every store that code can get at through a value. */
export function reachable(value: Value): readonly Storage[] {
  return [...value.storages, ...(value.inner ?? []), ...(value.held ?? [])];
}

export function unite(values: readonly Value[]): Value {
  const some = values.filter((value) => !isNothing(value));
  if (some.length === 0) return nothing;
  if (some.length === 1 && some[0] !== undefined) return { ...some[0] };
  return {
    storages: new Set(some.flatMap((value) => [...value.storages])),
    promises: new Set(some.flatMap((value) => [...value.promises])),
    inner: new Set(some.flatMap((value) => [...(value.inner ?? [])])),
    held: new Set(some.flatMap((value) => [...(value.held ?? [])])),
    isArrayBuffer: some.every((value) => value.isArrayBuffer === true),
    isRace: some.some((value) => value.isRace === true),
    isAll: some.some((value) => value.isAll === true),
  };
}

/** An array or object of these values. */
export function container(values: readonly Value[]): Value {
  const { promises } = unite(values);
  const held = values.flatMap((value) => [...(value.held ?? [])]);
  const inner = values.flatMap((value) => [...value.storages, ...(value.inner ?? [])]);
  return { storages: new Set(), promises, held: new Set(held), inner: new Set(inner) };
}

/** A variable, or a member path that begins at one or at `this`. */
export type PlaceKey = TSESLint.Scope.Variable | string;

/** What holds at one point of the function. */
export class State {
  readonly env: Map<PlaceKey, Value>;
  readonly pending: Map<Pending, Phase>;
  /** No path gets here: after return, throw, break, continue. */
  isDead = false;

  constructor(env: ReadonlyMap<PlaceKey, Value> = new Map(), pending: ReadonlyMap<Pending, Phase> = new Map()) {
    this.env = new Map(env);
    this.pending = new Map(pending);
  }

  clone(): State {
    const copy = new State(this.env, this.pending);
    copy.isDead = this.isDead;
    return copy;
  }

  /** Takes over another state's content. */
  become(other: State): void {
    this.env.clear();
    for (const [key, value] of other.env) this.env.set(key, value);
    this.pending.clear();
    for (const [pending, phase] of other.pending) this.pending.set(pending, phase);
    this.isDead = other.isDead;
  }

  settle(promises: Iterable<Pending>): void {
    for (const pending of promises) this.pending.delete(pending);
  }

  settleShared(): void {
    for (const pending of [...this.pending.keys()]) if (pending.isShared) this.pending.delete(pending);
  }
}

/** Where paths meet: what may be pending on one of them is pending. Dead states add nothing. */
export function join(states: readonly State[]): State {
  const alive = states.filter((state) => !state.isDead);
  const first = alive[0];
  if (first === undefined) {
    const dead = new State();
    dead.isDead = true;
    return dead;
  }
  const joined = first.clone();
  for (const state of alive.slice(1)) {
    for (const [key, value] of state.env) {
      const known = joined.env.get(key);
      joined.env.set(key, known === undefined || known === value ? value : unite([known, value]));
    }
    for (const [pending, phase] of state.pending) {
      if (joined.pending.get(pending) !== 'running') joined.pending.set(pending, phase);
    }
  }
  return joined;
}
