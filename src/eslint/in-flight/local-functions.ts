import type { TSESTree } from '@typescript-eslint/utils';
import {
  bare,
  type Code,
  type FunctionNode,
  isFunction,
  keyName,
  memberName,
  parentOf,
  soleInit,
  variableOf,
} from '../syntax.js';

/** Longer functions do more than one thing with a buffer; walking them at each call would cost too much. */
const longest = 3000;

/**
 * The function of the same file that a callee means: a declaration, a constant, or a method of the class around `this`.
 * Generators run later and are left out.
 */
export function localFunction(code: Code, callee: TSESTree.Node): FunctionNode | undefined {
  const plain = bare(callee);
  const fn =
    plain.type === 'Identifier'
      ? namedFunction(code, plain)
      : plain.type === 'MemberExpression' && plain.object.type === 'ThisExpression'
        ? ownMethod(plain)
        : undefined;
  return fn === undefined || fn.generator || fn.range[1] - fn.range[0] > longest ? undefined : fn;
}

function namedFunction(code: Code, node: TSESTree.Identifier): FunctionNode | undefined {
  const variable = variableOf(code, node);
  const def = variable?.defs[0];
  if (variable === undefined || variable.defs.length !== 1) return undefined;
  if (def?.type === 'FunctionName') return isFunction(def.node) ? def.node : undefined;
  const init = soleInit(variable);
  return isFunction(init) ? init : undefined;
}

function ownMethod(node: TSESTree.MemberExpression): FunctionNode | undefined {
  const name = memberName(node);
  let owner = parentOf(node);
  while (owner !== undefined && owner.type !== 'ClassBody') {
    // `this` of a plain function is another one.
    if (owner.type === 'FunctionDeclaration') return undefined;
    owner = parentOf(owner);
  }
  const found = owner?.body.filter((member) => 'key' in member && keyName(member) === name) ?? [];
  const [member] = found;
  if (found.length !== 1 || member === undefined) return undefined;
  if (member.type === 'MethodDefinition') return isFunction(member.value) ? member.value : undefined;
  return member.type === 'PropertyDefinition' && isFunction(member.value) ? member.value : undefined;
}
