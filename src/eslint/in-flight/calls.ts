import type { TSESTree } from '@typescript-eslint/utils';
import { bufferOrigin, isArrayBufferName, viewTypes } from '../buffer-origins.js';
import { releaseMethods } from '../declarations.js';
import {
  bare,
  dottedName,
  isFunction,
  memberName,
  shortText,
  soleInit,
  variableOf,
  type Code,
  type FunctionNode,
} from '../syntax.js';
import type { Assignments } from './assignments.js';
import { effectOf, transferList } from './effects.js';
import { localFunction } from './local-functions.js';
import { mayThrow } from './may-throw.js';
import { asyncNativeCall } from './native-calls.js';
import { partsGiven } from './parts.js';
import { isNothing, nothing, reachable, unite, type Pending, type Storage, type Value } from './state.js';
import type { Walk } from './walk-context.js';

/** A function that a timer or a queue calls later. */
interface Timer {
  readonly start: TSESTree.Node;
  readonly fn: FunctionNode;
  /** Calls that were over when it was started. */
  readonly over: ReadonlySet<Pending>;
}

const iterators: ReadonlySet<string> = new Set(['map', 'flatMap', 'filter', 'some', 'every', 'find', 'reduce']);
/** How deep calls of functions of the same file are followed. */
const deepestHelper = 3;
const adders: ReadonlySet<string> = new Set(['push', 'unshift', 'add']);
const timerStarters: ReadonlySet<string> = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'nextTick',
]);
const timerEnders: ReadonlySet<string> = new Set(['clearTimeout', 'clearInterval', 'clearImmediate']);

/** Walks calls and `new`: native ones begin work, platform functions touch buffers, functions of the file are entered. */
export class Calls {
  private readonly timers: Timer[] = [];
  /** Every native call so far. */
  private readonly created: Pending[] = [];

  constructor(
    private readonly walk: Walk,
    private readonly assignments: Assignments,
  ) {}

  construct(node: TSESTree.NewExpression): Value {
    const name = node.callee.type === 'Identifier' ? node.callee.name : undefined;
    const [first] = node.arguments;
    if (name === 'Promise' && isFunction(first)) {
      // The executor runs at once; what it starts is what the promise stands for.
      const before = new Set(this.walk.flow.state.pending.keys());
      this.walk.inline(first, []);
      return {
        storages: new Set(),
        promises: new Set([...this.walk.flow.state.pending.keys()].filter((each) => !before.has(each))),
      };
    }
    const args = node.arguments.map((each) => this.walk.evaluate(each));
    const options = name === 'Worker' ? node.arguments[1] : undefined;
    if (options !== undefined)
      for (const moved of transferList(this.resolved(options))) this.touch('transfer', moved, node, true);
    if (name !== undefined && viewTypes.has(name)) {
      const source = args[0];
      if (source?.isArrayBuffer === true) return { ...cutOf(this.walk.code, node, source, 1), isArrayBuffer: false };
      return this.walk.places.fresh(node);
    }
    if (name !== undefined && isArrayBufferName(name)) return { ...this.walk.places.fresh(node), isArrayBuffer: true };
    const all = unite(args);
    if (mayThrow(node)) this.walk.flow.interrupt(node);
    return { storages: new Set(), promises: all.promises, held: this.heldBy(node, all, nothing) };
  }

  call(node: TSESTree.CallExpression): Value {
    const callee = bare(node.callee);
    if (isFunction(callee)) {
      return this.walk.inline(
        callee,
        node.arguments.map((argument) => this.walk.evaluate(argument)),
      );
    }
    const name = callee.type === 'MemberExpression' ? memberName(callee) : undefined;
    const object = callee.type === 'MemberExpression' ? bare(callee.object) : undefined;
    if (object?.type === 'Identifier' && object.name === 'Promise' && name !== undefined) {
      const value = unite(node.arguments.map((each) => this.walk.evaluate(each)));
      return {
        storages: new Set(),
        promises: value.promises,
        isRace: name === 'race' || name === 'any',
        isAll: name === 'all' && mayBeSeveral(node.arguments[0]),
      };
    }
    if (
      object !== undefined &&
      callee.type === 'MemberExpression' &&
      (name === 'then' || name === 'catch' || name === 'finally')
    ) {
      return this.chain(callee.object, name, node.arguments);
    }
    const called = name ?? (callee.type === 'Identifier' ? callee.name : undefined);
    if (called !== undefined && timerStarters.has(called)) {
      const fn = this.functionOf(node.arguments[0]);
      if (fn !== undefined) this.startTimer(node, fn);
    }
    if (called !== undefined && timerEnders.has(called)) this.timers.length = 0;
    if (callee.type === 'MemberExpression' && name !== undefined && node.arguments.length > 0) {
      const iterated = this.iteration(callee.object, name, node.arguments);
      if (iterated !== undefined) return iterated;
    }
    return this.plainCall(node, callee, name);
  }

  /** The thread is free at an await: timers that were started may run. */
  runTimers(timers: readonly Timer[] = this.timers): void {
    if (this.walk.hits.timerStart !== undefined) return;
    // What a timer starts is not walked in the same turn: one that starts itself again would never be done.
    for (const timer of [...timers]) {
      if (![...this.walk.flow.state.pending.keys()].some((pending) => !timer.over.has(pending))) continue;
      this.walk.hits.timerStart = timer.start;
      this.later(timer.fn, [...timer.over]);
      this.walk.hits.timerStart = undefined;
    }
  }

  /** The function that an argument is, or names. */
  private functionOf(node: TSESTree.Node | undefined): FunctionNode | undefined {
    if (node === undefined) return undefined;
    return isFunction(node) ? node : localFunction(this.walk.code, node);
  }

  private startTimer(start: TSESTree.Node, fn: FunctionNode): void {
    const timer: Timer = {
      start,
      fn,
      over: new Set(this.created.filter((each) => !this.walk.flow.state.pending.has(each))),
    };
    if (!this.timers.some((known) => known.start === start)) this.timers.push(timer);
    this.runTimers([timer]);
  }

  private plainCall(node: TSESTree.CallExpression, callee: TSESTree.Node, name: string | undefined): Value {
    const receiver = callee.type === 'MemberExpression' ? this.walk.evaluate(callee.object) : nothing;
    const args = node.arguments.map((each) => this.walk.evaluate(each));
    const all = unite(args);

    if (name !== undefined && isRelease(name)) {
      this.walk.flow.state.settle(
        [...this.walk.flow.state.pending.keys()].filter((each) => each.isOpenCallback === true),
      );
    }
    this.openCallback(node);
    const native = asyncNativeCall(this.walk.code, this.walk.native, this.walk.types, node);
    if (native !== undefined) {
      const declared = args.flatMap((value, at) =>
        native.bufferPositions?.has(at) === true ? [...value.storages] : [],
      );
      const pending: Pending = {
        call: node,
        callee: shortText(this.walk.code, node.callee, 40),
        storages: new Set([...reachable(all), ...(receiver.held ?? []), ...this.fieldStores(node)]),
        parts: partsGiven(args),
        buffers: new Set(declared),
        confidence: native.confidence,
        loop: this.walk.flow.innermostLoop,
        isShared: false,
      };
      this.created.push(pending);
      if (native.callback !== undefined && isFunction(native.callback)) this.later(native.callback, [pending]);
      this.walk.begin(pending);
      return { storages: new Set(), promises: new Set([pending, ...all.promises]) };
    }

    const helper = this.walk.hits.helpers.length < deepestHelper ? localFunction(this.walk.code, callee) : undefined;
    if (
      helper !== undefined &&
      !this.walk.hits.helpers.some(({ fn }) => fn === helper) &&
      (all.storages.size > 0 || (all.inner?.size ?? 0) > 0 || this.walk.flow.state.pending.size > 0)
    ) {
      this.walk.hits.helpers.push({ call: node, fn: helper });
      const value = this.walk.inline(helper, args);
      this.walk.hits.helpers.pop();
      return value;
    }

    const effect = effectOf(node, (each) => this.resolved(each));
    if (effect !== undefined) {
      for (const written of effect.writes) this.touch('write', written, node, effect.isTelling);
      for (const moved of effect.transfers) this.touch('transfer', moved, node, true);
      if (effect.transferList !== undefined) this.transferAll(effect.transferList, node);
    }
    const path = dottedName(callee);
    if (path?.join('.') === 'process.exit') this.walk.hits.exit(node);
    if (mayThrow(node)) this.walk.flow.interrupt(node);

    const made = this.bufferMade(node, callee, name, receiver, args);
    if (made !== undefined) return made;
    if (callee.type === 'MemberExpression' && name !== undefined && adders.has(name) && !isNothing(all)) {
      this.assignments.addTo(callee.object, all);
      return nothing;
    }
    // Handed to code that is not seen here: it may wait for the promises.
    for (const pending of all.promises) pending.isShared = true;
    return {
      storages: new Set(),
      promises: new Set([...all.promises, ...receiver.promises]),
      held: this.heldBy(node, all, receiver),
    };
  }

  /** What a constant is made of, for `const list = [a.buffer]`. */
  private resolved(node: TSESTree.Node): TSESTree.Node {
    const plain = bare(node);
    const variable = plain.type === 'Identifier' ? variableOf(this.walk.code, plain) : undefined;
    return (variable === undefined ? undefined : soleInit(variable)) ?? plain;
  }

  /** Registers a function that is given to a native `watch`, `subscribe` or `on…`; an await does not close it. */
  private openCallback(node: TSESTree.CallExpression): void {
    if (!node.arguments.some((each) => isFunction(each))) return;
    const name = this.walk.native.originOf(node.callee)?.path.at(-1);
    if (
      name === undefined ||
      !/^(?:on|watch|subscribe|listen|observe|start|register|add\w*listener|set\w*callback)/iu.test(name)
    )
      return;
    const callee = shortText(this.walk.code, node.callee, 40);
    const opened: Pending = {
      call: node,
      callee,
      storages: new Set(),
      confidence: 'medium',
      isShared: false,
      isOpenCallback: true,
    };
    this.walk.flow.state.pending.set(opened, 'running');
  }

  /** What an object of the addon keeps from the call that made it, and what the object before it in a chain kept. */
  private heldBy(
    node: TSESTree.CallExpression | TSESTree.NewExpression,
    all: Value,
    receiver: Value,
  ): ReadonlySet<Storage> {
    if (this.walk.native.originOf(node.callee) === undefined) return new Set();
    return new Set([...reachable(all), ...(receiver.held ?? [])]);
  }

  /** Stores in fields that were set on an argument before: `job.data = buf; run(job)`. */
  private fieldStores(node: TSESTree.CallExpression): readonly Storage[] {
    return node.arguments.flatMap((argument) => {
      const key = bare(argument).type === 'Identifier' ? this.walk.places.placeKey(bare(argument)) : undefined;
      if (key === undefined) return [];
      return [...this.walk.flow.state.env].flatMap(([place, value]) =>
        typeof place === 'string' && place.startsWith(`${key}.`) ? [...value.storages] : [],
      );
    });
  }

  /** Calls that make a buffer or a view of one. */
  private bufferMade(
    node: TSESTree.CallExpression,
    callee: TSESTree.Node,
    name: string | undefined,
    receiver: Value,
    args: readonly Value[],
  ): Value | undefined {
    if (callee.type !== 'MemberExpression' || name === undefined) return undefined;
    // The elements of a list stay what they are; an entry is a pair of a position and an element.
    if (name === 'values' || name === 'toReversed' || name === 'toSorted') return receiver;
    if (name === 'entries' && node.arguments.length === 0) {
      const element = this.walk.places.elementOf(callee.object, receiver, true);
      return { storages: new Set(), promises: receiver.promises, inner: element.storages, entry: element };
    }
    if (name === 'subarray') return { ...cutOf(this.walk.code, node, receiver, 0), promises: new Set() };
    if (name === 'fill' || name === 'reverse' || name === 'sort') return { ...receiver, promises: new Set() };
    if (name === 'slice' && receiver.storages.size > 0) {
      const isShared = bufferOrigin(this.walk.code, callee.object).kind === 'buffer';
      return isShared
        ? { ...cutOf(this.walk.code, node, receiver, 0), promises: new Set() }
        : { ...this.walk.places.fresh(node), isArrayBuffer: receiver.isArrayBuffer === true };
    }
    const object = bare(callee.object);
    if (object.type === 'Identifier' && (object.name === 'Buffer' || viewTypes.has(object.name))) {
      const source = args[0];
      if (name === 'from' && object.name === 'Buffer' && source?.isArrayBuffer === true)
        return { ...cutOf(this.walk.code, node, source, 1), isArrayBuffer: false };
      return this.walk.places.fresh(node);
    }
    return undefined;
  }

  /** `.then(f, g)`, `.catch(f)`, `.finally(f)`: the callbacks run when the promise is settled, the chain stays pending. */
  private chain(object: TSESTree.Node, name: string, args: readonly TSESTree.CallExpressionArgument[]): Value {
    const value = this.walk.evaluate(object);
    const added: Pending[] = [];
    args.forEach((argument, at) => {
      const fn = this.functionOf(argument);
      if (fn === undefined) {
        this.walk.evaluate(argument);
        return;
      }
      const isAfterFailure = value.isAll === true && (name === 'catch' || name === 'finally' || at === 1);
      added.push(...this.later(fn, value.isRace === true ? [] : [...value.promises], isAfterFailure));
    });
    for (const pending of added) this.walk.flow.state.pending.set(pending, 'running');
    return { ...value, storages: new Set(), promises: new Set([...value.promises, ...added]) };
  }

  /** Walks a callback that runs after `settled`; its state is not kept, but the native calls that it leaves running are. */
  private later(fn: FunctionNode, settled: readonly Pending[], isPartial = false): readonly Pending[] {
    const outside = this.walk.flow.state;
    this.walk.flow.state = outside.clone();
    for (const pending of settled) {
      if (isPartial && this.walk.flow.state.pending.has(pending)) this.walk.flow.state.pending.set(pending, 'partial');
      else this.walk.flow.state.pending.delete(pending);
    }
    const before = new Set(this.walk.flow.state.pending.keys());
    this.walk.flow.outsideTries(() => this.walk.inline(fn, []));
    const added = [...this.walk.flow.state.pending.keys()].filter(
      (each) => !before.has(each) && !outside.pending.has(each),
    );
    this.walk.flow.state = outside;
    return added;
  }

  /** `chunks.map((chunk) => native.hash(chunk))` and its kin: the callback runs here, once per element. */
  private iteration(
    object: TSESTree.Node,
    name: string,
    args: readonly TSESTree.CallExpressionArgument[],
  ): Value | undefined {
    if (!(iterators.has(name) || name === 'forEach' || name === 'from')) return undefined;
    const fn = this.functionOf(args[name === 'from' ? 1 : 0]);
    if (fn === undefined) return undefined;
    const [first] = name === 'from' ? args : [object];
    const iterated = first === undefined ? nothing : this.walk.evaluate(first);
    const results: Value[] = [];
    this.walk.flow.loop(undefined, true, () => {
      results.push(this.walk.inline(fn, [this.walk.places.elementOf(first ?? object, iterated, true)]));
    });
    const result = unite(results);
    if (name === 'forEach') return nothing;
    if (name !== 'map' && name !== 'flatMap' && name !== 'from')
      return { storages: new Set(), promises: result.promises };
    if (isNothing(result) || result.promises.size > 0) return { storages: new Set(), promises: result.promises };
    // A list of what the function made or gave back: each element another one.
    const isOld = [...result.storages].some((storage) => storage.list !== undefined);
    if (isOld) return { storages: new Set(), promises: new Set(), inner: result.storages };
    const [made] = result.storages;
    const list: Storage = {
      ...this.walk.places.newStorage(shortText(this.walk.code, object, 40), object, object),
      ...(made === undefined ? {} : { made: made.node }),
    };
    return { storages: new Set([list]), promises: new Set() };
  }

  private touch(kind: 'write' | 'transfer', target: TSESTree.Node, node: TSESTree.Node, isTelling: boolean): void {
    const value = this.walk.evaluate(target);
    if (value.storages.size === 0) return;
    this.walk.hits.touch(kind, value, target, node, isTelling);
  }

  /** Every store in a transfer list. */
  private transferAll(list: TSESTree.Node, node: TSESTree.Node): void {
    const value = this.walk.evaluate(list);
    const inner = this.walk.places.elementOf(list, value, false);
    this.walk.hits.touch('transfer', inner, list, node, true);
  }
}

/** Only a list of one written element is certainly not more. */
function mayBeSeveral(node: TSESTree.Node | undefined): boolean {
  const list = node === undefined ? undefined : bare(node);
  if (list?.type !== 'ArrayExpression') return list !== undefined;
  return list.elements.length > 1 || list.elements[0]?.type === 'SpreadElement';
}

/** A view of a value, cut out by the arguments of a call from a position on: start and end, or offset and length after `@`. */
function cutOf(code: Code, node: TSESTree.CallExpression | TSESTree.NewExpression, whole: Value, from: number): Value {
  const cut = node.arguments
    .slice(from)
    .map((each) => code.getText(each))
    .join(', ');
  if (cut === '') return whole;
  const part = from === 0 ? cut : `@${cut}`;
  return { ...whole, part: whole.part === undefined ? part : `${whole.part} / ${part}` };
}

function isRelease(name: string): boolean {
  return releaseMethods.includes(name) || /^(?:un|off|remove|clear)/u.test(name);
}
