import type { TSESTree } from '@typescript-eslint/utils';
import { bufferOrigin, isCertainlyBuffer } from '../buffer-origins.js';
import type { TypedServices } from '../javascript-visitor.js';
import { bare, memberName, shortText, type Code, type FunctionNode } from '../syntax.js';
import type { ControlFlow } from './control-flow.js';
import { mayBeApart } from './parts.js';
import type { Pending, Phase, Storage, Value } from './state.js';

/** Something happened to a buffer, or to the thread, while a native call was pending. */
export interface InFlightHit {
  readonly kind: 'write' | 'transfer' | 'exit';
  readonly node: TSESTree.Node;
  readonly pending: Pending;
  readonly phase: Phase;
  /** What may throw before the call is awaited. */
  readonly thrower?: TSESTree.Node | undefined;
  /** Where the timer is started that does it. */
  readonly timer?: TSESTree.Node | undefined;
  /** The buffer; undefined for an exit. */
  readonly storage: Storage | undefined;
  /** As the source writes the buffer at the hit. */
  readonly name: string;
  /** Where the helper that `node` calls does it. */
  readonly inside?: TSESTree.Node;
  /** The call was made in an earlier round of a loop around both. */
  readonly isNextRound: boolean;
}

const bufferName = /(?:^|[a-z_$#])(?:[bB]uf|[bB]uff|[bB]uffer|[bB]ytes|[uU]int8(?:[aA]rray)?|[tT]yped[aA]rray)\d*$/u;

/** A call of a function of the file that is walked in place. */
export interface HelperCall {
  readonly call: TSESTree.CallExpression;
  readonly fn: FunctionNode;
}

/** Collects the hits of one walk, each once. */
export class HitLog {
  private readonly hits = new Map<string, InFlightHit>();
  /** Calls of functions of the file that are walked in place, outermost first. */
  readonly helpers: HelperCall[] = [];
  /** Where the timer is started whose function is walked. */
  timerStart: TSESTree.Node | undefined;

  constructor(
    private readonly code: Code,
    private readonly types: TypedServices | undefined,
    private readonly flow: ControlFlow,
  ) {}

  all(): readonly InFlightHit[] {
    return [...this.hits.values()];
  }

  /**
   * The stores of `target` are written to, or leave, at `node`. `isTelling`: only a buffer can be used so, no other proof is asked.
   */
  touch(
    kind: 'write' | 'transfer',
    value: Value,
    target: TSESTree.Node,
    node: TSESTree.Node,
    isTelling: boolean,
  ): void {
    for (const [pending, phase] of this.flow.state.pending) {
      for (const storage of value.storages) {
        const given = this.sharedStore(pending, storage);
        if (given === undefined) continue;
        const isNextRound = this.flow.earlierRounds.has(pending);
        if (kind === 'write' && mayBeApart(pending.parts?.get(given), value.part, isNextRound)) continue;
        if (!isTelling && pending.buffers?.has(given) !== true && !this.isBuffer(target, storage)) continue;
        const isKept = this.hit({
          kind,
          node,
          pending,
          phase,
          storage,
          name: shortText(this.code, withoutStore(target), 40),
          isNextRound,
        });
        // Of a place the first hit that is as sure as any is reported; thousands of calls may be pending.
        if (isKept && phase === 'running' && !isNextRound) return;
      }
    }
  }

  /** The thread ends at `node`, whatever still runs. */
  exit(node: TSESTree.Node): void {
    for (const [pending, phase] of this.flow.state.pending) {
      const isKept = this.hit({
        kind: 'exit',
        node,
        pending,
        phase,
        storage: undefined,
        name: '',
        isNextRound: false,
      });
      if (isKept && phase === 'running') return;
    }
  }

  /** The store of a call that a store is, or may be: elements of one list by two names, once the call's loop is over. */
  private sharedStore(pending: Pending, storage: Storage): Storage | undefined {
    if (pending.storages.has(storage) && storage.isEach !== true) return storage;
    const { list } = storage;
    if (list === undefined || (pending.loop !== undefined && this.flow.isInside(pending.loop))) return undefined;
    for (const given of pending.storages)
      if (given.list === list && (given === storage || given.isEach === true || storage.isEach === true)) return given;
    return undefined;
  }

  private isBuffer(target: TSESTree.Node, storage: Storage): boolean {
    const plain = bare(target);
    const name = plain.type === 'MemberExpression' ? memberName(plain) : plain.type === 'Identifier' ? plain.name : '';
    return (
      // It was given to native code and is written to: with such a name it is no plain array.
      bufferName.test(name ?? '') ||
      storage.isBuffer === true ||
      isCertainlyBuffer(this.code, target, this.types) ||
      bufferOrigin(this.code, storage.witness).kind !== 'unknown' ||
      isCertainlyBuffer(this.code, storage.node, this.types)
    );
  }

  /** False for what is found elsewhere. */
  private hit(found: InFlightHit): boolean {
    const [outer] = this.helpers;
    // What a helper does to its own calls is found when it is walked itself.
    const isOwn = this.helpers.some(({ fn }) => isWithin(found.pending.call, fn));
    if (outer !== undefined && isOwn) return false;
    const thrower = found.phase === 'interrupted' ? this.flow.throwerOf(found.pending) : undefined;
    const place: InFlightHit = { ...found, thrower, timer: this.timerStart };
    const hit: InFlightHit =
      outer === undefined
        ? place
        : { ...place, node: outer.call, inside: found.node, name: found.storage?.name ?? found.name };
    const key = `${hit.kind}:${String(hit.node.range[0])}:${String(hit.pending.call.range[0])}`;
    if (!this.hits.has(key)) this.hits.set(key, hit);
    return true;
  }
}

function isWithin(node: TSESTree.Node, outer: TSESTree.Node): boolean {
  return node.range[0] >= outer.range[0] && node.range[1] <= outer.range[1];
}

/** `buf.buffer` -> `buf`: messages name the view that the code owns. */
function withoutStore(node: TSESTree.Node): TSESTree.Node {
  const plain = bare(node);
  return plain.type === 'MemberExpression' && memberName(plain) === 'buffer' ? plain.object : plain;
}
