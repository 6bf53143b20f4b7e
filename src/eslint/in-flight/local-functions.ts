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
 * The function of the same file that a callee means: a declaration, a constant, a method of the class around `this`, a static
 * method, or a function in an object literal. Generators run later and are left out.
 */
export function localFunction(code: Code, callee: TSESTree.Node): FunctionNode | undefined {
  const fn = meantFunction(code, callee, 0);
  return fn === undefined || fn.generator || fn.range[1] - fn.range[0] > longest ? undefined : fn;
}

function meantFunction(code: Code, node: TSESTree.Node, depth: number): FunctionNode | undefined {
  const plain = bare(node);
  if (isFunction(plain)) return plain;
  if (depth > 4) return undefined;
  if (plain.type === 'Identifier') return namedFunction(code, plain, depth);
  if (plain.type !== 'MemberExpression') return undefined;
  if (plain.object.type === 'ThisExpression') return ownMethod(plain);
  const name = memberName(plain);
  return name === undefined ? undefined : memberFunction(code, plain.object, name, depth);
}

function namedFunction(code: Code, node: TSESTree.Identifier, depth: number): FunctionNode | undefined {
  const variable = variableOf(code, node);
  const def = variable?.defs[0];
  if (variable === undefined || variable.defs.length !== 1) return undefined;
  if (def?.type === 'FunctionName') return isFunction(def.node) ? def.node : undefined;
  const init = soleInit(variable);
  if (init !== undefined) return meantFunction(code, init, depth + 1);
  // const { run } = api
  const pattern = def?.node.type === 'VariableDeclarator' ? def.node : undefined;
  const property = pattern?.id.type === 'ObjectPattern' ? def?.name.parent : undefined;
  if (pattern === undefined || pattern.init === null || property?.type !== 'Property') return undefined;
  const name = keyName(property);
  return name === undefined ? undefined : memberFunction(code, pattern.init, name, depth + 1);
}

/** A static method of a class, or a function in an object literal that a constant holds. */
function memberFunction(code: Code, owner: TSESTree.Node, name: string, depth: number): FunctionNode | undefined {
  const plain = bare(owner);
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  const def = variable?.defs[0];
  const holder = def?.type === 'ClassName' ? def.node : variable === undefined ? plain : soleInit(variable);
  if (holder?.type === 'ClassDeclaration' || holder?.type === 'ClassExpression') {
    const member = holder.body.body.find((each) => 'key' in each && each.static && keyName(each) === name);
    return member !== undefined && 'value' in member && isFunction(member.value) ? member.value : undefined;
  }
  if (holder?.type !== 'ObjectExpression') return undefined;
  const property = holder.properties.find((each) => each.type === 'Property' && keyName(each) === name);
  return property?.type === 'Property' ? meantFunction(code, property.value, depth + 1) : undefined;
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
