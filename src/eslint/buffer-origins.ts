import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { fieldValues } from './class-fields.js';
import type { TypedServices } from './javascript-visitor.js';
import {
  bare,
  dottedName,
  keyName,
  memberName,
  parentOf,
  requiredSpecifier,
  soleInit,
  stringValue,
  variableOf,
  type Code,
} from './syntax.js';

/** How the bytes of a value lie in their backing store. */
type Extent =
  /** A Buffer from the pool that Node shares among small Buffers. */
  | 'pooled'
  /** Possibly a smaller view into a store that is not the pool (subarray, a stream's chunk, zlib's result). */
  | 'partial'
  /** The whole store: `Buffer.alloc`, `new Uint8Array(n)`. */
  | 'whole'
  /** A caller decides. */
  | 'parameter'
  | 'unknown';

export interface BufferOrigin {
  readonly extent: Extent;
  /** Whether the value is a Buffer, another view, or an ArrayBuffer. */
  readonly kind: 'buffer' | 'view' | 'array-buffer' | 'unknown';
  /** The expression that made it. */
  readonly node: TSESTree.Node;
  /** Where a chunk of a stream comes from. */
  readonly isStreamChunk?: boolean;
}

export const viewTypes: ReadonlySet<string> = new Set([
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
]);

/** Measured with Node 20.20: offset and store size of what these give for small inputs. */
const pooledFactories: ReadonlySet<string> = new Set(['allocUnsafe', 'concat', 'copyBytesFrom']);
const wholeFactories: ReadonlySet<string> = new Set(['alloc', 'allocUnsafeSlow']);
const fileModules: ReadonlySet<string> = new Set(['fs', 'node:fs']);
const zlibModules: ReadonlySet<string> = new Set(['zlib', 'node:zlib']);

/** Follows a value back through constants, casts and parameters; `let` variables that are written again are unknown. */
export function bufferOrigin(code: Code, node: TSESTree.Node, depth = 0): BufferOrigin {
  const plain = bare(node);
  const unknown: BufferOrigin = { extent: 'unknown', kind: 'unknown', node: plain };
  if (depth > 8) return unknown;
  const cast = castName(node);
  if (cast !== undefined) return cast;
  switch (plain.type) {
    case 'MemberExpression':
      return plain.object.type === 'ThisExpression' ? fieldOrigin(code, plain, depth) : unknown;
    case 'Identifier': {
      const variable = variableOf(code, plain);
      return variable === undefined ? unknown : variableOrigin(code, variable, plain, depth);
    }
    case 'AwaitExpression':
      return bufferOrigin(code, plain.argument, depth + 1);
    case 'NewExpression':
      return constructedOrigin(plain);
    case 'CallExpression':
      return calledOrigin(code, plain, depth);
    default:
      return unknown;
  }
}

/** `x as Buffer`: what the source says about a value that it got from elsewhere. */
function castName(node: TSESTree.Node): BufferOrigin | undefined {
  if (node.type !== 'TSAsExpression' && node.type !== 'TSTypeAssertion') return undefined;
  const type = node.typeAnnotation;
  const name = type.type === 'TSTypeReference' && type.typeName.type === 'Identifier' ? type.typeName.name : undefined;
  if (name === 'Buffer') return { extent: 'parameter', kind: 'buffer', node };
  return name !== undefined && viewTypes.has(name) ? { extent: 'parameter', kind: 'view', node } : undefined;
}

/** `this.x`, when everything that the class puts into the field is the same kind of buffer; null is passed over. */
function fieldOrigin(code: Code, node: TSESTree.MemberExpression, depth: number): BufferOrigin {
  const unknown: BufferOrigin = { extent: 'unknown', kind: 'unknown', node };
  let owner = parentOf(node);
  while (owner !== undefined && owner.type !== 'ClassBody') owner = parentOf(owner);
  const name = memberName(node);
  if (owner === undefined || name === undefined) return unknown;
  const origins = (fieldValues(code, owner).get(name) ?? [])
    .filter((value) => !(value.type === 'Literal' && value.value === null))
    .map((value) => bufferOrigin(code, value, depth + 1));
  const [first] = origins;
  if (first === undefined || origins.some(({ kind }) => kind !== first.kind)) return unknown;
  return origins.every(({ extent }) => extent === first.extent) ? first : { ...first, extent: 'unknown' };
}

function variableOrigin(
  code: Code,
  variable: TSESLint.Scope.Variable,
  node: TSESTree.Node,
  depth: number,
): BufferOrigin {
  const unknown: BufferOrigin = { extent: 'unknown', kind: 'unknown', node };
  const init = soleInit(variable);
  if (init !== undefined) return bufferOrigin(code, init, depth + 1);
  const def = variable.defs[0];
  if (def?.type !== 'Parameter' || def.name.type !== 'Identifier') return unknown;
  if (variable.references.some((reference) => reference.isWrite())) return unknown;
  if (isStreamChunk(code, def.name)) return { extent: 'pooled', kind: 'buffer', node: def.name, isStreamChunk: true };
  const type = annotatedName(def.name);
  if (type === 'Buffer') return { extent: 'parameter', kind: 'buffer', node: def.name };
  if (type !== undefined && viewTypes.has(type)) return { extent: 'parameter', kind: 'view', node: def.name };
  return unknown;
}

/** The type name written at a parameter or variable: `Buffer`, `Uint8Array`, also out of a union with null or undefined. */
export function annotatedName(node: TSESTree.Identifier): string | undefined {
  const annotation = node.typeAnnotation?.typeAnnotation;
  if (annotation === undefined) return undefined;
  const parts = annotation.type === 'TSUnionType' ? annotation.types : [annotation];
  const names = parts.map((part) =>
    part.type === 'TSTypeReference' && part.typeName.type === 'Identifier' ? part.typeName.name : undefined,
  );
  return (
    names.find((name) => name === 'Buffer') ??
    names.find((name) => name !== undefined && (viewTypes.has(name) || isArrayBufferName(name)))
  );
}

export function isArrayBufferName(name: string): boolean {
  return name === 'ArrayBuffer' || name === 'SharedArrayBuffer';
}

function constructedOrigin(node: TSESTree.NewExpression): BufferOrigin {
  const name = node.callee.type === 'Identifier' ? node.callee.name : undefined;
  if (name !== undefined && isArrayBufferName(name)) return { extent: 'whole', kind: 'array-buffer', node };
  if (name === undefined || !viewTypes.has(name)) return { extent: 'unknown', kind: 'unknown', node };
  // new Uint8Array(store, offset, length) is a part of the store; with one argument it is all of it, or a copy.
  return { extent: node.arguments.length > 1 ? 'partial' : 'whole', kind: 'view', node };
}

function calledOrigin(code: Code, node: TSESTree.CallExpression, depth: number): BufferOrigin {
  const unknown: BufferOrigin = { extent: 'unknown', kind: 'unknown', node };
  const callee = bare(node.callee);
  if (callee.type === 'Identifier') {
    if (callee.name === 'readFileSync' && isModuleCall(code, callee, callee.name, fileModules))
      return readFileOrigin(node);
    const isZlib = callee.name.endsWith('Sync') && isModuleCall(code, callee, callee.name, zlibModules);
    return isZlib ? { extent: 'partial', kind: 'buffer', node } : unknown;
  }
  if (callee.type !== 'MemberExpression') return unknown;
  const name = memberName(callee);
  const object = bare(callee.object);
  if (object.type === 'Identifier' && object.name === 'Buffer' && name !== undefined) {
    if (pooledFactories.has(name)) return pooledUnlessLarge(node, name);
    if (wholeFactories.has(name)) return { extent: 'whole', kind: 'buffer', node };
    if (name === 'from') return fromOrigin(code, node, depth);
    return unknown;
  }
  if (object.type === 'Identifier' && viewTypes.has(object.name) && (name === 'from' || name === 'of')) {
    return { extent: 'whole', kind: 'view', node };
  }
  if (name === 'subarray') {
    const source = bufferOrigin(code, callee.object, depth + 1);
    const kind = source.kind === 'unknown' ? 'view' : source.kind;
    return { extent: node.arguments.length === 0 ? source.extent : 'partial', kind, node };
  }
  if (name === 'slice') {
    // Buffer.slice shares the store; the slice of every other view is a copy.
    const source = bufferOrigin(code, callee.object, depth + 1);
    if (source.kind === 'buffer')
      return { extent: source.extent === 'pooled' ? 'pooled' : 'partial', kind: 'buffer', node };
    return source.kind === 'unknown' ? unknown : { extent: 'whole', kind: source.kind, node };
  }
  if (object.type === 'Identifier' && name === 'readFileSync' && isModuleCall(code, object, name, fileModules))
    return readFileOrigin(node);
  if (
    object.type === 'Identifier' &&
    name?.endsWith('Sync') === true &&
    isModuleCall(code, object, name, zlibModules)
  ) {
    return { extent: 'partial', kind: 'buffer', node };
  }
  return unknown;
}

/** The pool serves sizes below half of `Buffer.poolSize`: 4 KiB in Node 20, 32 KiB since Node 24.18. */
function pooledUnlessLarge(node: TSESTree.CallExpression, name: string): BufferOrigin {
  const [size] = node.arguments;
  const known = name === 'allocUnsafe' && size !== undefined ? constantNumber(size) : undefined;
  return { extent: known !== undefined && known >= 32_768 ? 'whole' : 'pooled', kind: 'buffer', node };
}

/** `Buffer.from` of text or of another view copies into the pool; of an ArrayBuffer it is a view of it. */
function fromOrigin(code: Code, node: TSESTree.CallExpression, depth: number): BufferOrigin {
  const [source] = node.arguments;
  const unknown: BufferOrigin = { extent: 'unknown', kind: 'buffer', node };
  if (source === undefined || source.type === 'SpreadElement') return unknown;
  const plain = bare(source);
  const pooled: BufferOrigin = { extent: 'pooled', kind: 'buffer', node };
  if (stringValue(plain) !== undefined || plain.type === 'TemplateLiteral' || plain.type === 'ArrayExpression')
    return pooled;
  // A second argument that is a string is an encoding, so the first is text.
  if (stringValue(node.arguments[1]) !== undefined) return pooled;
  if (plain.type === 'CallExpression' && plain.callee.type === 'MemberExpression') {
    const method = memberName(plain.callee);
    if (method === 'stringify' || method === 'join' || method === 'toString') return pooled;
  }
  if (plain.type === 'MemberExpression' && memberName(plain) === 'buffer') {
    return { extent: node.arguments.length > 1 ? 'partial' : 'whole', kind: 'buffer', node };
  }
  if (plain.type === 'Identifier' && annotatesText(code, plain)) return pooled;
  const inner = bufferOrigin(code, source, depth + 1);
  if (inner.kind === 'array-buffer')
    return { extent: node.arguments.length > 1 ? 'partial' : 'whole', kind: 'buffer', node };
  return inner.kind === 'unknown' ? unknown : pooled;
}

function annotatesText(code: Code, node: TSESTree.Identifier): boolean {
  const variable = variableOf(code, node);
  const name = variable?.defs[0]?.name;
  if (name?.type === 'Identifier' && name.typeAnnotation?.typeAnnotation.type === 'TSStringKeyword') return true;
  const init = variable === undefined ? undefined : soleInit(variable);
  return init !== undefined && (stringValue(init) !== undefined || init.type === 'TemplateLiteral');
}

/** `readFileSync` without an encoding: small files are read into the pool (unlike the promise and callback forms). */
function readFileOrigin(node: TSESTree.CallExpression): BufferOrigin {
  const options = node.arguments[1];
  const isText =
    options !== undefined &&
    !(
      options.type === 'ObjectExpression' &&
      !options.properties.some((property) => property.type === 'Property' && keyName(property) === 'encoding')
    );
  return { extent: isText ? 'unknown' : 'pooled', kind: isText ? 'unknown' : 'buffer', node };
}

function isModuleCall(code: Code, node: TSESTree.Identifier, name: string, modules: ReadonlySet<string>): boolean {
  const def = variableOf(code, node)?.defs[0];
  if (def?.type === 'ImportBinding' && def.parent?.type === 'ImportDeclaration')
    return modules.has(def.parent.source.value);
  if (def?.node.type !== 'VariableDeclarator' || def.node.init === null) return false;
  const specifier = requiredSpecifier(def.node.init);
  return specifier !== undefined && modules.has(specifier) && (def.node.id.type === 'Identifier' || node.name === name);
}

/** The first parameter of `_write`, `_transform`, `write` and `transform` of a Node stream, and of `on('data', …)`. */
function isStreamChunk(code: Code, parameter: TSESTree.Identifier): boolean {
  const fn = parameter.parent;
  if (!('params' in fn) || fn.params[0] !== parameter) return false;
  const holder = fn.parent;
  if (holder?.type === 'MethodDefinition') {
    const name = keyName(holder);
    const base = holder.parent.parent.superClass;
    const baseName = base === null ? undefined : dottedName(base)?.at(-1);
    return (
      (name === '_write' || name === '_transform') &&
      baseName !== undefined &&
      /^(?:Writable|Duplex|Transform)$/u.test(baseName)
    );
  }
  if (holder?.type === 'Property' && holder.parent.type === 'ObjectExpression') {
    const name = keyName(holder);
    const made = holder.parent.parent;
    const maker = made?.type === 'NewExpression' ? dottedName(made.callee)?.at(-1) : undefined;
    if (
      (name !== 'write' && name !== 'transform') ||
      maker === undefined ||
      !/^(?:Writable|Duplex|Transform)$/u.test(maker)
    )
      return false;
    return made?.type === 'NewExpression' && importsStream(code);
  }
  return false;
}

function importsStream(code: Code): boolean {
  return /['"](?:node:)?stream['"]/u.test(code.text);
}

/** The value of a numeric literal or of a product or power of two of them (`64 * 1024`, `1 << 16`). */
function constantNumber(node: TSESTree.Node): number | undefined {
  const plain = bare(node);
  if (plain.type === 'Literal') return typeof plain.value === 'number' ? plain.value : undefined;
  if (plain.type !== 'BinaryExpression' || plain.left.type === 'PrivateIdentifier') return undefined;
  const left = constantNumber(plain.left);
  const right = constantNumber(plain.right);
  if (left === undefined || right === undefined) return undefined;
  if (plain.operator === '*') return left * right;
  if (plain.operator === '<<') return left << right;
  return plain.operator === '**' ? left ** right : undefined;
}

const bufferOnlyMembers: ReadonlySet<string> = new Set([
  'byteLength',
  'byteOffset',
  'subarray',
  'equals',
  'swap16',
  'swap32',
  'swap64',
  'BYTES_PER_ELEMENT',
]);

/**
 * True when a variable certainly holds a buffer or a view: by what made it, by its written type, by types, or because the
 * function around it uses a member that only buffers have.
 */
export function isCertainlyBuffer(code: Code, node: TSESTree.Node, types: TypedServices | undefined): boolean {
  if (bufferOrigin(code, node).kind !== 'unknown') return true;
  if (types !== undefined) {
    const name = types.getTypeAtLocation(node).getSymbol()?.getName();
    if (name !== undefined) return name === 'Buffer' || viewTypes.has(name) || isArrayBufferName(name);
  }
  const plain = bare(node);
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  if (variable === undefined) return false;
  const def = variable.defs[0]?.name;
  if (def?.type === 'Identifier' && annotatedName(def) !== undefined) return true;
  for (const reference of variable.references) {
    const written = reference.writeExpr;
    if (
      written !== undefined &&
      written !== null &&
      written !== plain &&
      bufferOrigin(code, written).kind !== 'unknown'
    )
      return true;
    const parent = reference.identifier.parent;
    if (parent?.type !== 'MemberExpression' || parent.object !== reference.identifier) continue;
    const member = memberName(parent);
    if (member === undefined) continue;
    if (
      bufferOnlyMembers.has(member) ||
      /^(?:read|write)(?:U?Int(?:8|16|32|LE|BE)|Float|Double|BigU?Int64)/u.test(member)
    )
      return true;
  }
  return false;
}
