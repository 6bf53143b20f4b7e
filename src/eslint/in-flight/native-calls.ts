import type { TSESTree } from '@typescript-eslint/utils';
import type { Confidence } from '../../model/finding.js';
import type { TypedServices } from '../javascript-visitor.js';
import type { NativeBindings, NativeOrigin } from '../native-bindings.js';
import {
  bare,
  type Code,
  enclosingFunction,
  type FunctionNode,
  isFunction,
  memberName,
  outermost,
  variableOf,
} from '../syntax.js';

/** A call into native code that goes on after it returned. */
export interface AsyncNativeCall {
  readonly origin: NativeOrigin;
  readonly confidence: Confidence;
  /** The callback that is called at the end, for addons without promises. */
  readonly callback?: TSESTree.Node;
  /** Positions of the arguments that are declared as buffers. */
  readonly bufferPositions?: ReadonlySet<number>;
}

/**
 * Whether a call starts native work that goes on afterwards. Types decide, then the declaration file of the addon, then
 * the name, then how the code uses the result; a call of which nothing says so is taken for synchronous.
 */
export function asyncNativeCall(
  code: Code,
  bindings: NativeBindings,
  types: TypedServices | undefined,
  node: TSESTree.CallExpression | TSESTree.NewExpression,
): AsyncNativeCall | undefined {
  if (node.type === 'NewExpression') return undefined;
  const origin = bindings.originOf(node.callee);
  if (origin === undefined || origin.path.length === 0) return undefined;
  const call = howAsync(code, types, node, origin);
  if (call === undefined) return undefined;
  const bufferPositions = origin.module.declarations()?.bufferParameters.get(origin.path.at(-1) ?? '');
  return bufferPositions === undefined ? call : { ...call, bufferPositions };
}

function howAsync(
  code: Code,
  types: TypedServices | undefined,
  node: TSESTree.CallExpression,
  origin: NativeOrigin,
): AsyncNativeCall | undefined {
  const confidence = origin.module.confidence;
  const callback = lastCallback(node);
  const typed = types === undefined ? undefined : returnsPromise(types, node);
  const declared = typed ?? declaredAsync(origin);
  if (declared === true) return { origin, confidence };
  if (callback !== undefined) return { origin, confidence: confidence === 'high' ? 'medium' : 'low', callback };
  if (declared === false) return undefined;
  const name = origin.path.at(-1) ?? '';
  if (/Sync$/u.test(name)) return undefined;
  if (/Async$/u.test(name) || isUsedAsPromise(code, node)) return { origin, confidence };
  return undefined;
}

/** A trailing function whose first parameter is named for an error: the shape of Node's callbacks. */
function lastCallback(node: TSESTree.CallExpression): TSESTree.Node | undefined {
  const last = node.arguments.at(-1);
  if (last === undefined || !isFunction(last)) return undefined;
  const [first] = last.params;
  return first?.type === 'Identifier' && /^_?e(?:rr(?:or)?)?$/iu.test(first.name) ? last : undefined;
}

function returnsPromise(types: TypedServices, node: TSESTree.CallExpression): boolean | undefined {
  const checker = types.program.getTypeChecker();
  const type = types.getTypeAtLocation(node);
  // The error type of an unresolved import and `any` say nothing.
  if (checker.typeToString(type) === 'any') return undefined;
  return type.getProperty('then') !== undefined;
}

function declaredAsync({ module, path }: NativeOrigin): boolean | undefined {
  const declarations = module.declarations();
  if (declarations === undefined) return undefined;
  const name = path.at(-1);
  if (name === undefined) return undefined;
  if (path.length === 1) return declarations.functions.get(name);
  // A method: of the class that the path names, else of the only classes that have it.
  const owner = path.find((part) => declarations.classes.has(part));
  const named = owner === undefined ? undefined : declarations.classes.get(owner)?.methods.get(name);
  if (named !== undefined) return named;
  const answers = new Set(
    [...declarations.classes.values()].map((each) => each.methods.get(name)).filter((each) => each !== undefined),
  );
  return answers.size === 1 ? [...answers][0] : undefined;
}

const promiseMembers: ReadonlySet<string> = new Set(['then', 'catch', 'finally']);
const combinators: ReadonlySet<string> = new Set(['all', 'allSettled', 'race', 'any', 'resolve']);

/** Awaited, chained, `void`ed, combined, or kept in a variable or array of which one of these is true. */
function isUsedAsPromise(code: Code, node: TSESTree.Node, depth = 0): boolean {
  if (depth > 6) return false;
  const use = outermost(node);
  const parent = use.parent;
  switch (parent?.type) {
    case 'AwaitExpression':
      return true;
    case 'UnaryExpression':
      return parent.operator === 'void';
    case 'MemberExpression':
      return parent.object === use && promiseMembers.has(memberName(parent) ?? '');
    case 'ArrayExpression':
    case 'ConditionalExpression':
    case 'LogicalExpression':
    case 'SpreadElement':
      return isUsedAsPromise(code, parent, depth + 1);
    case 'CallExpression': {
      const callee = bare(parent.callee);
      if (callee.type !== 'MemberExpression') return false;
      const name = memberName(callee) ?? '';
      if (callee.object.type === 'Identifier' && callee.object.name === 'Promise') return combinators.has(name);
      // promises.push(native.hash(chunk))
      return (name === 'push' || name === 'unshift' || name === 'add') && isAwaitedVariable(code, callee.object, depth);
    }
    case 'VariableDeclarator':
      return parent.init === use && isAwaitedVariable(code, parent.id, depth);
    case 'AssignmentExpression':
      return (
        parent.right === use &&
        (isAwaitedVariable(code, parent.left, depth) || isUsedAsPromise(code, parent, depth + 1))
      );
    case 'ArrowFunctionExpression':
      // The mapper of `await Promise.all(chunks.map((chunk) => native.hash(chunk)))`.
      return (
        parent.body === use &&
        (givesPromise(code, parent, depth) ||
          (parent.parent.type === 'CallExpression' && isUsedAsPromise(code, parent.parent, depth + 1)))
      );
    case 'ReturnStatement':
      return givesPromise(code, enclosingFunction(parent), depth);
    case 'ForOfStatement':
      return parent.await && parent.right === use;
    default:
      return false;
  }
}

/**
 * A function that hands the result on unchanged and gives a promise: by its written type, or because its callers in the file
 * await it. What an async function returns may be any value.
 */
function givesPromise(code: Code, fn: FunctionNode | TSESTree.Program, depth: number): boolean {
  if (fn.type === 'Program' || fn.async) return false;
  const type = fn.returnType?.typeAnnotation;
  if (type?.type === 'TSTypeReference' && type.typeName.type === 'Identifier') return type.typeName.name === 'Promise';
  const holder =
    fn.type === 'FunctionDeclaration' ? fn.id : fn.parent.type === 'VariableDeclarator' ? fn.parent.id : null;
  const variable = holder?.type === 'Identifier' ? variableOf(code, holder) : undefined;
  return (
    variable?.references.some(({ identifier }) => {
      const call = identifier.parent;
      return call?.type === 'CallExpression' && call.callee === identifier && isUsedAsPromise(code, call, depth + 1);
    }) === true
  );
}

function isAwaitedVariable(code: Code, node: TSESTree.Node, depth: number): boolean {
  const plain = bare(node);
  if (plain.type === 'MemberExpression') return false;
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  return (
    variable?.references.some(
      (reference) => reference.isRead() && isUsedAsPromise(code, reference.identifier, depth + 1),
    ) === true
  );
}
