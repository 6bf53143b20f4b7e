import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { localFunction } from './in-flight/local-functions.js';
import { createSourceMemo } from './javascript-visitor.js';
import {
  bare,
  type Code,
  descendantsOf,
  dottedName,
  enclosingFunction,
  type FunctionNode,
  keyName,
  memberName,
  parentOf,
  soleInit,
  variableOf,
} from './syntax.js';
import { fieldOf, isExports, isMemory, mentionsWebAssembly, type MemoryView } from './wasm-memory.js';

/** How sure a call is to grow the memory: by its own method, by an allocator, or by any other function of the module. */
export type GrowthKind = 'grow' | 'allocate' | 'export';

/** A call that may grow the memory of WebAssembly. */
export interface Growth {
  readonly call: TSESTree.CallExpression;
  readonly kind: GrowthKind;
}

const allocatorName =
  /^_*(?:(?:[a-z0-9]+_)*(?:(?:m|c|re)?alloc(?:ate)?|sbrk)(?:_[a-z0-9_]+|[A-Z]\w*)?|(?:[a-z]+_)?new(?:String|Array)?)$/u;
/** Functions whose names promise no more than an answer or a release. */
const quietName =
  /free|(?:^|_)(?:get|is|has|peek|sizeof|unpin|release|drop|delete|destroy)(?:[A-Z_]|$)|(?:ptr|pointer|offset|size|length|len|count)$/iu;

const memo = createSourceMemo<ReadonlyMap<TSESTree.Node, readonly Growth[]>>();

/** All calls of a file that may grow a memory, in source order, by the function that they stand in. */
export function growthsOf(code: Code): ReadonlyMap<TSESTree.Node, readonly Growth[]> {
  return memo(code, () => {
    const found = new Map<TSESTree.Node, Growth[]>();
    for (const node of descendantsOf(code, code.ast)) {
      if (node.type !== 'CallExpression') continue;
      const kind = growthOf(code, node);
      if (kind === undefined) continue;
      const fn = enclosingFunction(node);
      const list = found.get(fn);
      if (list === undefined) found.set(fn, [{ call: node, kind }]);
      else list.push({ call: node, kind });
    }
    return found;
  });
}

/** Whether a growth can be one of the memory that a view is of; false only where another module or memory is named. */
export function concerns(code: Code, { call, kind }: Growth, { memory }: MemoryView): boolean {
  if (memory === undefined) return true;
  const callee = bare(call.callee);
  const plain = memory.type === 'Identifier' ? (initOf(code, memory) ?? memory) : memory;
  // A memory of this file that nobody else gets: only its own method grows it.
  if (memory.type === 'Identifier' && bare(plain).type === 'NewExpression' && kind !== 'grow') {
    const variable = variableOf(code, memory);
    const isPrivate = variable?.references.every(({ identifier, init }) => {
      const at = parentOf(identifier);
      return init === true || (at?.type === 'MemberExpression' && at.object === identifier);
    });
    if (isPrivate === true && (variable?.defs[0]?.node.parent?.parent?.type ?? '') !== 'ExportNamedDeclaration')
      return false;
  }
  if (callee.type !== 'MemberExpression') return true;
  if (kind === 'grow') {
    const grown = dottedName(callee.object)?.join('.');
    const own = dottedName(memory)?.join('.');
    const isLocal = callee.object.type === 'Identifier' && memory.type === 'Identifier';
    return !isLocal || grown === own || initOf(code, callee.object) === undefined || initOf(code, memory) === undefined;
  }
  // `a.exports.malloc()` leaves the memory of `b.exports` alone.
  const mine = plain.type === 'MemberExpression' ? dottedName(plain.object) : undefined;
  const other = dottedName(callee.object);
  const areNamed = [mine, other].every((each) => each !== undefined && each.length > 1 && each.at(-1) === 'exports');
  return !areNamed || mine?.join('.') === other?.join('.');
}

function initOf(code: Code, node: TSESTree.Node): TSESTree.Expression | undefined {
  const variable = node.type === 'Identifier' ? variableOf(code, node) : undefined;
  return variable === undefined ? undefined : soleInit(variable);
}

/** What a call may do to the memory; undefined when nothing says that it grows. */
export function growthOf(code: Code, node: TSESTree.CallExpression): GrowthKind | undefined {
  const direct = directGrowth(code, node);
  if (direct !== undefined) return direct;
  const fn = localFunction(code, node.callee);
  // Of an asynchronous one only what is waited for is over.
  if (fn === undefined || (fn.async && parentOf(node)?.type !== 'AwaitExpression')) return undefined;
  return growthIn(code, fn, 0);
}

const growing = new WeakMap<FunctionNode, GrowthKind | 'none'>();

/** Whether a function of the file grows the memory or allocates, also through others. */
function growthIn(code: Code, fn: FunctionNode, depth: number): GrowthKind | undefined {
  const known = growing.get(fn);
  if (known !== undefined) return known === 'none' ? undefined : known;
  growing.set(fn, 'none');
  for (const each of descendantsOf(code, fn.body)) {
    if (each.type !== 'CallExpression' || enclosingFunction(each) !== fn) continue;
    let kind = directGrowth(code, each);
    if (kind === undefined && depth < 2) {
      const inner = localFunction(code, each.callee);
      if (inner !== undefined && (!inner.async || parentOf(each)?.type === 'AwaitExpression'))
        kind = growthIn(code, inner, depth + 1);
    }
    if (kind === undefined || kind === 'export') continue;
    growing.set(fn, kind);
    return kind;
  }
  return undefined;
}

function directGrowth(code: Code, node: TSESTree.CallExpression): GrowthKind | undefined {
  const callee = bare(node.callee);
  if (callee.type === 'Identifier') {
    if (/^_(?:malloc|calloc|realloc)$/u.test(callee.name)) return 'allocate';
    const variable = variableOf(code, callee);
    // The glue of wasm-bindgen hands its allocators on.
    const isHandedOn = variable?.defs[0]?.type === 'Parameter' && /^(?:malloc|realloc)$/u.test(callee.name);
    if (isHandedOn && mentionsWebAssembly(code)) return 'allocate';
    const taken = variable === undefined ? undefined : takenFromExports(code, variable);
    return taken === undefined ? undefined : kindOf(code, node, taken);
  }
  if (callee.type !== 'MemberExpression') return undefined;
  const name = memberName(callee);
  if (name === undefined) return undefined;
  if (name === 'grow') return isMemory(code, callee.object) ? 'grow' : undefined;
  if (isExports(code, callee.object)) return kindOf(code, node, name);
  if (/^_(?:malloc|calloc|realloc)$/u.test(name)) return 'allocate';
  if (callee.object.type === 'ThisExpression') {
    for (const value of fieldOf(code, callee)) {
      const plain = bare(value);
      const taken = plain.type === 'MemberExpression' && isExports(code, plain.object) ? memberName(plain) : undefined;
      if (taken !== undefined) return kindOf(code, node, taken);
    }
    return undefined;
  }
  const owner = dottedName(callee.object)?.join('.');
  if (owner === undefined) return undefined;
  // What has the memory has the functions too.
  if (allocatorName.test(name) && holdsText(code, `${owner}.memory.buffer`)) return kindOf(code, node, name);
  // Emscripten puts its views and the functions of the module into one object.
  return (name === 'ccall' || /^_[a-z]/u.test(name)) && holdsText(code, `${owner}.HEAP`)
    ? kindOf(code, node, name)
    : undefined;
}

const texts = createSourceMemo<Map<string, boolean>>();

/** Whether the file holds a text; asked once for each. */
function holdsText(code: Code, text: string): boolean {
  const asked = texts(code, () => new Map<string, boolean>());
  const holds = asked.get(text) ?? code.text.includes(text);
  asked.set(text, holds);
  return holds;
}

const byHand = createSourceMemo<boolean>();

function growsByHand(code: Code): boolean {
  const { text } = code;
  return byHand(code, () => /[mM]emory[!)\s]*\.\s*grow\b/u.test(text) && !/alloc\w*\s*\(|sbrk/iu.test(text));
}

function kindOf(code: Code, node: TSESTree.CallExpression, name: string): GrowthKind | undefined {
  if (name === 'sbrk') {
    // `sbrk(0)` asks for the end of the heap, a difference takes it back.
    const [size] = node.arguments;
    const isGiven = size !== undefined && size.type !== 'BinaryExpression' && size.type !== 'UnaryExpression';
    return isGiven && !(size.type === 'Literal' && size.value === 0) ? 'allocate' : undefined;
  }
  const isQuiet = quietName.test(name);
  if (allocatorName.test(name) && !isQuiet) return 'allocate';
  // Who grows the memory by hand and asks for no block has a module that does not allocate.
  return isQuiet || growsByHand(code) ? undefined : 'export';
}

/** What a function may do to the memory that is handed on by its name: `exports.malloc` as an argument. */
export function growthByName(code: Code, node: TSESTree.Node): GrowthKind | undefined {
  const plain = bare(node);
  if (plain.type !== 'MemberExpression' || !isExports(code, plain.object)) return undefined;
  const name = memberName(plain);
  return name !== undefined && allocatorName.test(name) && !quietName.test(name) ? 'allocate' : undefined;
}

/** The name under which `const { malloc } = instance.exports` or `const malloc = exports.malloc` took a function. */
function takenFromExports(code: Code, variable: TSESLint.Scope.Variable): string | undefined {
  const def = variable.defs[0];
  if (def?.node.type !== 'VariableDeclarator' || def.node.init === null) return undefined;
  const init = bare(def.node.init);
  if (def.node.id.type === 'Identifier') {
    return init.type === 'MemberExpression' && isExports(code, init.object) ? memberName(init) : undefined;
  }
  const property = def.name.parent;
  return property?.type === 'Property' && isExports(code, init) ? keyName(property) : undefined;
}
