import type { TSESTree } from '@typescript-eslint/utils';
import { isFunction, memberName, parentOf } from './syntax.js';

/** Whether the source of one node lies within that of another. */
export function contains(outer: TSESTree.Node, inner: TSESTree.Node): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}

const loops = /^(?:While|DoWhile|For|ForIn|ForOf)Statement$/u;

/** The innermost loop around a node within a function, whose rounds evaluate the node anew. */
export function loopAround(node: TSESTree.Node, fn: TSESTree.Node): TSESTree.Node | undefined {
  for (let at = parentOf(node); at !== undefined && at !== fn; at = parentOf(at)) {
    // What a loop runs over is evaluated once.
    const isHeader = (at.type === 'ForOfStatement' || at.type === 'ForInStatement') && contains(at.right, node);
    const isInit = at.type === 'ForStatement' && at.init !== null && contains(at.init, node);
    if (loops.test(at.type) && !isHeader && !isInit) return at;
  }
  return undefined;
}

/** Whether a path leads from one place to a later one of the function: not in two branches, and not left before. */
export function mayReach(first: TSESTree.Node, later: TSESTree.Node): boolean {
  let below: TSESTree.Node = first;
  for (let at = parentOf(first); at !== undefined; at = parentOf(at)) {
    if (contains(at, later)) {
      if (at.type === 'IfStatement' || at.type === 'ConditionalExpression')
        return !(contains(at.consequent, first) && at.alternate !== null && contains(at.alternate, later));
      // From one case to another only by falling through, which is rare.
      if (at.type === 'SwitchStatement') return contains(at.discriminant, first);
      return !(at.type === 'TryStatement' && at.handler !== null && contains(at.handler, later));
    }
    const exit = exitBehind(at, below);
    if (exit === 'function') return false;
    if (exit !== undefined) at = exit;
    // What is left is not come back to; the next round of a loop is another question.
    if (contains(at, later)) return false;
    below = at;
  }
  return true;
}

/** Whether a loop is left behind a node of it, so that no further round follows. */
export function leavesLoop(node: TSESTree.Node, loop: TSESTree.Node): boolean {
  let below: TSESTree.Node = node;
  for (let at = parentOf(node); at !== undefined && at !== loop; at = parentOf(at)) {
    const exit = exitBehind(at, below, 'break');
    if (exit === 'function' || (exit !== undefined && contains(exit, loop))) return true;
    if (exit !== undefined) at = exit;
    below = at;
  }
  return false;
}

/**
 * Where a statement list goes behind one of its statements, or where the return around an expression goes: out of the function, to
 * the end of the loop or switch that is returned, or on (undefined).
 */
function exitBehind(node: TSESTree.Node, below: TSESTree.Node, only?: 'break'): TSESTree.Node | 'function' | undefined {
  if (node.type === 'ReturnStatement' || node.type === 'ThrowStatement') return 'function';
  const list = node.type === 'BlockStatement' ? node.body : node.type === 'SwitchCase' ? node.consequent : [];
  for (const each of list) {
    if (each.range[0] < below.range[1]) continue;
    if (each.type === 'ReturnStatement' || each.type === 'ThrowStatement') return 'function';
    if (each.type !== 'BreakStatement' && (each.type !== 'ContinueStatement' || only === 'break')) continue;
    const { label, type } = each;
    for (let at = parentOf(node); at !== undefined && !isFunction(at); at = parentOf(at)) {
      const isTarget =
        label === null
          ? loops.test(at.type) || (at.type === 'SwitchStatement' && type === 'BreakStatement')
          : at.type === 'LabeledStatement' && at.label.name === label.name;
      if (isTarget) return at;
    }
    return 'function';
  }
  return undefined;
}

/**
 * The expression that uses the value of a node only once its other operands are evaluated: the call of a method of it, the
 * call that it is an argument of, the assignment to an element of it.
 */
export function userOf(node: TSESTree.Node): TSESTree.Node | undefined {
  const around = parentOf(node);
  if (around?.type === 'MemberExpression' && around.object === node) {
    const user = parentOf(around);
    if (user?.type === 'CallExpression' && user.callee === around) return user;
    if (user?.type === 'AssignmentExpression' && user.left === around && around.computed) return user;
    return around.computed && memberName(around) === undefined ? around : undefined;
  }
  if (around?.type === 'CallExpression' || around?.type === 'NewExpression')
    return around.arguments.some((each) => each === node) ? around : undefined;
  return undefined;
}
