import type { TSESTree } from '@typescript-eslint/utils';
import { createSourceMemo, type VisitorContext } from '../javascript-visitor.js';
import { nativeBindingsOf } from '../native-bindings.js';
import { descendantsOf, type FunctionNode, isFunction, parentOf } from '../syntax.js';
import { localFunction } from './local-functions.js';
import { asyncNativeCall } from './native-calls.js';
import type { InFlightHit } from './hits.js';
import { walkFunction } from './walk.js';

const memo = createSourceMemo<readonly InFlightHit[]>();

/** What happens to buffers and to the thread while native calls of a file are pending, in source order. */
export function inFlightHits(context: VisitorContext): readonly InFlightHit[] {
  return memo(context.sourceCode, () => analyse(context));
}

function analyse(context: VisitorContext): readonly InFlightHit[] {
  const { sourceCode: code, types } = context;
  const bindings = nativeBindingsOf(context);
  if (bindings.loads.length === 0) return [];
  const calls: TSESTree.CallExpression[] = [];
  for (const node of descendantsOf(code, code.ast)) if (node.type === 'CallExpression') calls.push(node);
  const bodies = new Set<FunctionNode | TSESTree.Program>();
  for (const node of calls) {
    const origin = bindings.originOf(node.callee);
    if (origin === undefined) continue;
    // A function that is given to native code may be called at any time.
    const lasts =
      node.arguments.some((argument) => isFunction(argument)) ||
      asyncNativeCall(code, bindings, types, node) !== undefined;
    if (lasts) addAround(node, bodies);
  }
  if (bodies.size === 0) return [];
  addCallers(context, calls, bodies);
  const hits = new Map<string, InFlightHit>();
  // Inner functions first: a callback that is also walked in its caller is described by its own walk.
  const innerFirst = [...bodies].sort((a, b) => a.range[1] - a.range[0] - (b.range[1] - b.range[0]));
  for (const body of innerFirst) {
    for (const hit of walkFunction({ code, native: bindings, types }, body)) {
      const key = `${hit.kind}:${String(hit.node.range[0])}:${String(hit.pending.call.range[0])}`;
      if (!hits.has(key)) hits.set(key, hit);
    }
  }
  return [...hits.values()].sort((a, b) => a.node.range[0] - b.node.range[0]);
}

function addAround(node: TSESTree.Node, bodies: Set<FunctionNode | TSESTree.Program>): void {
  for (let at = parentOf(node); at !== undefined; at = parentOf(at))
    if (at.type === 'Program' || isFunction(at)) bodies.add(at);
    else if (at.type === 'PropertyDefinition' && !at.static) addConstructor(at.parent, bodies);
}

/** The fields of a class get their values in its constructor. */
function addConstructor(body: TSESTree.ClassBody, bodies: Set<FunctionNode | TSESTree.Program>): void {
  for (const member of body.body)
    if (member.type === 'MethodDefinition' && member.kind === 'constructor' && isFunction(member.value))
      bodies.add(member.value);
}

/** Functions that call a function of the file which starts native work, two calls away at most. */
function addCallers(
  { sourceCode: code }: VisitorContext,
  calls: readonly TSESTree.CallExpression[],
  bodies: Set<FunctionNode | TSESTree.Program>,
): void {
  for (let round = 0; round < 2; round++) {
    const known = new Set(bodies);
    for (const node of calls) {
      const called = localFunction(code, node.callee);
      if (called !== undefined && known.has(called)) addAround(node, bodies);
    }
    if (bodies.size === known.size) return;
  }
}
