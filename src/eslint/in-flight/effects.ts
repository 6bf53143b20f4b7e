import type { TSESTree } from '@typescript-eslint/utils';
import { viewTypes } from '../buffer-origins.js';
import { bare, dottedName, keyName, memberName } from '../syntax.js';

/** What a call does to the bytes of its receiver and its arguments, by the names of the platform's own functions. */
export interface CallEffect {
  /** Expressions whose bytes are written. */
  readonly writes: readonly TSESTree.Node[];
  /** True when only buffers have such a method, so no other proof is asked of the receiver. */
  readonly isTelling: boolean;
  /** Expressions whose backing store leaves or changes its size. */
  readonly transfers: readonly TSESTree.Node[];
  /** An expression that gives the transfer list, when its elements are not written down. */
  readonly transferList?: TSESTree.Node | undefined;
}

const plainWriters: ReadonlySet<string> = new Set(['fill', 'set', 'reverse', 'sort', 'copyWithin', 'write']);
const tellingWriter =
  /^(?:write(?:U?Int|Float|Double|BigU?Int|Uint)\w*|swap(?:16|32|64)|set(?:U?[Ii]nt|Float|BigU?[Ii]nt)\d\w*|setFrom(?:Hex|Base64))$/u;
const detachers: ReadonlySet<string> = new Set(['transfer', 'transferToFixedLength', 'resize']);

/** Functions that write into an argument: name -> position. They are told by their last name, whatever they hang on. */
const argumentWriters: ReadonlyMap<string, number> = new Map([
  ['randomFillSync', 0],
  ['randomFill', 0],
  ['getRandomValues', 0],
  ['readSync', 1],
  ['encodeInto', 1],
  ['copy', 0],
]);

const atomicWriters: ReadonlySet<string> = new Set([
  'store',
  'add',
  'sub',
  'and',
  'or',
  'xor',
  'exchange',
  'compareExchange',
]);

/** The method that a call runs, its receiver, and its arguments. */
interface Invocation {
  readonly name: string;
  /** Undefined for a plain function. */
  readonly receiver: TSESTree.Node | undefined;
  readonly args: readonly TSESTree.Expression[];
  /** It is a method of buffers, by the prototype that it is taken from. */
  readonly isOfBuffer: boolean;
}

/** Looks through `fill.call(buf, 0)`, `fill.apply(buf, [0])` and `Reflect.apply(fill, buf, [0])`. */
function invocationOf(node: TSESTree.CallExpression): Invocation | undefined {
  const callee = bare(node.callee);
  const args = node.arguments.filter((argument) => argument.type !== 'SpreadElement');
  if (callee.type === 'Identifier') return { name: callee.name, receiver: undefined, args, isOfBuffer: false };
  if (callee.type !== 'MemberExpression') return undefined;
  const name = memberName(callee);
  if (name === undefined) return undefined;
  const isReflected = name === 'apply' && dottedName(callee.object)?.join('.') === 'Reflect';
  if (!isReflected && name !== 'call' && name !== 'apply')
    return { name, receiver: callee.object, args, isOfBuffer: false };
  const method = bare(isReflected ? (args[0] ?? callee.object) : callee.object);
  const [receiver, ...rest] = isReflected ? args.slice(1) : args;
  const inner = method.type === 'MemberExpression' ? memberName(method) : undefined;
  if (method.type !== 'MemberExpression' || inner === undefined || receiver === undefined) return undefined;
  const [list] = rest;
  const listed = list?.type === 'ArrayExpression' ? list.elements.filter(isPlainElement) : [];
  const [owner, prototype] = dottedName(method.object) ?? [];
  return {
    name: inner,
    receiver,
    args: name === 'apply' ? listed : rest,
    isOfBuffer: prototype === 'prototype' && owner !== undefined && isBufferType(owner),
  };
}

function isPlainElement(node: TSESTree.Expression | TSESTree.SpreadElement | null): node is TSESTree.Expression {
  return node !== null && node.type !== 'SpreadElement';
}

function isBufferType(name: string): boolean {
  return name === 'Buffer' || viewTypes.has(name);
}

type Resolve = (node: TSESTree.Node) => TSESTree.Node;

/** `resolve` gives the initial value of a constant, for transfer lists that are kept in one. */
export function effectOf(node: TSESTree.CallExpression, resolve: Resolve = (same) => same): CallEffect | undefined {
  const invocation = invocationOf(node);
  if (invocation === undefined) return undefined;
  const { name, receiver, args, isOfBuffer } = invocation;
  const written = (target: TSESTree.Node | undefined, isTelling: boolean): CallEffect | undefined =>
    target === undefined ? undefined : { writes: [target], isTelling: isTelling || isOfBuffer, transfers: [] };
  if (name === 'structuredClone' || name === 'postMessage') return transferOf(args[1], resolve);
  const position = argumentWriters.get(name);
  if (receiver === undefined)
    return position === undefined || name === 'copy' ? undefined : written(args[position], true);
  const owner = dottedName(receiver)?.at(-1);
  if (owner === 'Atomics') return atomicWriters.has(name) ? written(args[0], true) : undefined;
  if (owner === 'Reflect') return name === 'set' ? written(args[0], false) : undefined;
  if (owner === 'Object') return name === 'assign' ? written(args[0], false) : undefined;
  if (detachers.has(name)) return { writes: [], isTelling: true, transfers: [receiver] };
  const filled = filledByRead(name, owner, args, resolve(receiver));
  if (filled !== undefined) return written(filled, true);
  if (name === 'move' && owner === 'Piscina' && args[0] !== undefined)
    return { writes: [], isTelling: true, transfers: [args[0]] };
  // Pools of workers: `run(task, { transferList })`, `runTask(task, [store])`, `exec(name, parameters, { transfer })`.
  if (name === 'run' || name === 'exec') return optionsTransfer(args[name === 'run' ? 1 : 2], resolve);
  if (name === 'runTask') return transferOf(args[1], resolve);
  if (position !== undefined && args[position] !== undefined) return written(args[position], name !== 'copy');
  if (tellingWriter.test(name)) return written(receiver, true);
  if (plainWriters.has(name)) return written(receiver, false);
  return undefined;
}

/** The buffer that `fs.read(fd, buffer, …)` or `handle.read(buffer, …)` fills; `read` of anything else may only look at it. */
function filledByRead(
  name: string,
  owner: string | undefined,
  args: readonly TSESTree.Expression[],
  receiver: TSESTree.Node,
): TSESTree.Node | undefined {
  if (name !== 'read') return undefined;
  if (owner !== undefined && /^(?:fs|fsp|promises)$/u.test(owner)) return args[1];
  const isOpened = receiver.type === 'AwaitExpression' && opensFile(receiver.argument);
  if (!isOpened && (owner === undefined || !/^#?(?:fh|fd|\w*file|\w*[hH]andle)$/iu.test(owner))) return undefined;
  const [first] = args;
  if (first?.type !== 'ObjectExpression') return first;
  const property = first.properties.find((each) => each.type === 'Property' && keyName(each) === 'buffer');
  return property?.type === 'Property' ? property.value : undefined;
}

/** `open(…)` of `node:fs/promises`, by its name. */
function opensFile(node: TSESTree.Node): boolean {
  const plain = bare(node);
  return plain.type === 'CallExpression' && dottedName(plain.callee)?.at(-1) === 'open';
}

/** What is moved by a transfer list, or by options that hold one. */
function transferOf(node: TSESTree.Node | undefined, resolve: Resolve): CallEffect | undefined {
  if (node === undefined) return undefined;
  return (
    optionsTransfer(node, resolve) ??
    (resolve(node).type === 'ObjectExpression'
      ? undefined
      : { writes: [], isTelling: true, transfers: transferList(resolve(node)), transferList: node })
  );
}

function optionsTransfer(node: TSESTree.Node | undefined, resolve: Resolve): CallEffect | undefined {
  const options = node === undefined ? undefined : resolve(node);
  if (options?.type !== 'ObjectExpression') return undefined;
  for (const property of options.properties) {
    if (property.type !== 'Property') continue;
    const name = keyName(property);
    if (name === 'transfer' || name === 'transferList')
      return {
        writes: [],
        isTelling: true,
        transfers: transferList(resolve(property.value)),
        transferList: property.value,
      };
  }
  return undefined;
}

/** The elements of `[a, b]`, `{ transfer: [a] }` or `{ transferList: [a] }`. */
export function transferList(node: TSESTree.Node | undefined): readonly TSESTree.Node[] {
  if (node === undefined) return [];
  const plain = bare(node);
  if (plain.type === 'ArrayExpression') {
    return plain.elements.filter((element) => element !== null && element.type !== 'SpreadElement');
  }
  if (plain.type !== 'ObjectExpression') return [];
  for (const property of plain.properties) {
    if (property.type !== 'Property') continue;
    const name = keyName(property);
    if (name === 'transfer' || name === 'transferList') return transferList(property.value);
  }
  return [];
}
