import type { TSESTree } from '@typescript-eslint/utils';
import { bare, dottedName, keyName, memberName } from '../syntax.js';

/** What a call does to the bytes of its receiver and its arguments, by the names of the platform's own functions. */
export interface CallEffect {
  /** Expressions whose bytes are written. */
  readonly writes: readonly TSESTree.Node[];
  /** True when only buffers have such a method, so no other proof is asked of the receiver. */
  readonly isTelling: boolean;
  /** Expressions whose backing store leaves or changes its size. */
  readonly transfers: readonly TSESTree.Node[];
}

const plainWriters: ReadonlySet<string> = new Set(['fill', 'set', 'reverse', 'sort', 'copyWithin', 'write']);
const tellingWriter =
  /^(?:write(?:U?Int|Float|Double|BigU?Int|Uint)\w*|swap(?:16|32|64)|set(?:U?[Ii]nt|Float|BigU?[Ii]nt)\d\w*)$/u;
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

/** `resolve` gives the initial value of a constant, for transfer lists that are kept in one. */
export function effectOf(
  node: TSESTree.CallExpression,
  resolve: (node: TSESTree.Node) => TSESTree.Node = (same) => same,
): CallEffect | undefined {
  const callee = bare(node.callee);
  const args = node.arguments.filter((argument) => argument.type !== 'SpreadElement');
  const name =
    callee.type === 'MemberExpression' ? memberName(callee) : callee.type === 'Identifier' ? callee.name : undefined;
  if (name === undefined) return undefined;
  if (name === 'structuredClone' || name === 'postMessage') return transfer(transferList(args[1] && resolve(args[1])));
  if (callee.type !== 'MemberExpression') {
    const position = argumentWriters.get(name);
    const written = position === undefined || name === 'copy' ? undefined : args[position];
    return written === undefined ? undefined : { writes: [written], isTelling: true, transfers: [] };
  }
  const owner = dottedName(callee.object)?.at(-1);
  if (owner === 'Atomics')
    return atomicWriters.has(name) && args[0] !== undefined
      ? { writes: [args[0]], isTelling: true, transfers: [] }
      : undefined;
  if (detachers.has(name)) return transfer([callee.object]);
  const filled = filledByRead(name, owner, args);
  if (filled !== undefined) return { writes: [filled], isTelling: true, transfers: [] };
  if (name === 'move' && owner === 'Piscina' && args[0] !== undefined) return transfer([args[0]]);
  if (name === 'run' || name === 'runTask' || name === 'exec')
    return transfer(transferList(args[1] && resolve(args[1])));
  const position = argumentWriters.get(name);
  const argument = position === undefined ? undefined : args[position];
  if (argument !== undefined) return { writes: [argument], isTelling: name !== 'copy', transfers: [] };
  if (tellingWriter.test(name)) return { writes: [callee.object], isTelling: true, transfers: [] };
  if (plainWriters.has(name)) return { writes: [callee.object], isTelling: false, transfers: [] };
  return undefined;
}

/** The buffer that `fs.read(fd, buffer, …)` or `handle.read(buffer, …)` fills; `read` of anything else may only look at it. */
function filledByRead(
  name: string,
  owner: string | undefined,
  args: readonly TSESTree.Expression[],
): TSESTree.Node | undefined {
  if (name !== 'read' || owner === undefined) return undefined;
  if (/^(?:fs|fsp|promises)$/u.test(owner)) return args[1];
  if (!/^#?(?:fh|fd|\w*file|\w*[hH]andle)$/iu.test(owner)) return undefined;
  const [first] = args;
  if (first?.type !== 'ObjectExpression') return first;
  const property = first.properties.find((each) => each.type === 'Property' && keyName(each) === 'buffer');
  return property?.type === 'Property' ? property.value : undefined;
}

function transfer(nodes: readonly TSESTree.Node[]): CallEffect | undefined {
  return nodes.length === 0 ? undefined : { writes: [], isTelling: true, transfers: nodes };
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
