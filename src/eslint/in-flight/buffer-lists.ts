import type { TSESTree } from '@typescript-eslint/utils';
import { bufferOrigin, isArrayBufferName, viewTypes } from '../buffer-origins.js';
import { bare, type Code, isFunction, memberName, soleInit, variableOf } from '../syntax.js';

const listTypes: ReadonlySet<string> = new Set(['Array', 'ReadonlyArray', 'Set', 'ReadonlySet', 'Iterable']);

/** True when a variable is written to be a list of buffers: by its type, or by the expression that makes it. */
export function isBufferList(code: Code, node: TSESTree.Node): boolean {
  const plain = bare(node);
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  if (variable === undefined) return false;
  const name = variable.defs[0]?.name;
  const type = name?.type === 'Identifier' ? name.typeAnnotation?.typeAnnotation : undefined;
  if (type !== undefined) return isBufferListType(type);
  const init = soleInit(variable);
  return init !== undefined && makesBuffers(code, bare(init));
}

function isBufferListType(node: TSESTree.TypeNode): boolean {
  switch (node.type) {
    case 'TSTypeOperator':
      return node.typeAnnotation !== undefined && isBufferListType(node.typeAnnotation);
    case 'TSArrayType':
      return isBufferType(node.elementType);
    case 'TSTypeReference': {
      const name = node.typeName.type === 'Identifier' ? node.typeName.name : '';
      const [element] = node.typeArguments?.params ?? [];
      return listTypes.has(name) && element !== undefined && isBufferType(element);
    }
    default:
      return false;
  }
}

function isBufferType(node: TSESTree.TypeNode): boolean {
  if (node.type !== 'TSTypeReference' || node.typeName.type !== 'Identifier') return false;
  const { name } = node.typeName;
  return name === 'Buffer' || viewTypes.has(name) || isArrayBufferName(name);
}

/** `[Buffer.alloc(8), …]`, `Array.from({ length: 4 }, () => Buffer.alloc(8))`, `sizes.map((size) => Buffer.alloc(size))`. */
function makesBuffers(code: Code, node: TSESTree.Node): boolean {
  const isBuffer = (each: TSESTree.Node | null): boolean =>
    each !== null && bufferOrigin(code, each).kind !== 'unknown';
  if (node.type === 'ArrayExpression') return node.elements.length > 0 && node.elements.every(isBuffer);
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false;
  const name = memberName(node.callee);
  const mapper = name === 'from' ? node.arguments[1] : name === 'map' ? node.arguments[0] : undefined;
  return isFunction(mapper) && mapper.body.type !== 'BlockStatement' && isBuffer(mapper.body);
}
