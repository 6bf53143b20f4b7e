import type { TSESTree } from '@typescript-eslint/utils';
import { viewTypes } from './buffer-origins.js';
import { fieldValues } from './class-fields.js';
import { localFunction } from './in-flight/local-functions.js';
import {
  bare,
  type Code,
  descendantsOf,
  dottedName,
  enclosingFunction,
  keyName,
  memberName,
  parentOf,
  shortText,
  soleInit,
  variableOf,
} from './syntax.js';

/** A typed array, a DataView or an ArrayBuffer over the memory of WebAssembly. */
export interface MemoryView {
  /** The memory, as the source writes it. */
  readonly owner: string;
  /** Emscripten keeps the memory: whether it can grow is a matter of its build. */
  readonly isEmscripten: boolean;
}

/** How sure a call is to grow the memory: by its own method, by an allocator, or by any other function of the module. */
export type GrowthKind = 'grow' | 'allocate' | 'export';

const heapName = /^HEAP[UF]?(?:8|16|32|64)$/u;
const memoryName = /^[#_]*(?:wasm_?)?memory$/iu;
const exportsName = /^[#_]*(?:wasm_?)?exports$/iu;
const allocatorName =
  /^_*(?:[a-z]+_)?(?:malloc|calloc|realloc|sbrk|alloc|allocate|new|newString|newArray|allocArray|allocString|wbindgen_(?:export_)?(?:malloc|realloc))$/u;
/** Functions whose names promise no more than an answer or a release. */
const quietName =
  /free|(?:^|_)(?:get|is|has|peek|sizeof|unpin|release|drop|delete|destroy)(?:[A-Z_]|$)|(?:ptr|pointer|offset|size|length|len|count)$/iu;

/** The view that an expression makes or takes; undefined for a copy and for everything else. */
export function memoryViewOf(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  if (plain.type === 'Identifier' || plain.type === 'MemberExpression')
    return heapOf(code, plain) ?? storeOf(code, plain);
  if (plain.type === 'NewExpression') {
    const [store] = plain.arguments;
    if (plain.callee.type !== 'Identifier' || !viewTypes.has(plain.callee.name) || store === undefined)
      return undefined;
    return storeOf(code, store);
  }
  if (plain.type !== 'CallExpression') return undefined;
  const callee = bare(plain.callee);
  return callee.type === 'MemberExpression' && memberName(callee) === 'subarray'
    ? heapOf(code, callee.object)
    : undefined;
}

/** `Module.HEAPU8`, and `HEAPU8` of Emscripten's own scope. */
function heapOf(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  const name =
    plain.type === 'Identifier' ? plain.name : plain.type === 'MemberExpression' ? memberName(plain) : undefined;
  if (name === undefined || !heapName.test(name)) return undefined;
  return { owner: shortText(code, plain, 40), isEmscripten: true };
}

/** `memory.buffer`, or a constant that holds it. */
function storeOf(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  if (plain.type === 'Identifier') {
    const variable = variableOf(code, plain);
    const init = variable === undefined ? undefined : soleInit(variable);
    return init === undefined || bare(init).type !== 'MemberExpression' ? undefined : storeOf(code, init);
  }
  if (plain.type !== 'MemberExpression' || memberName(plain) !== 'buffer') return undefined;
  const heap = heapOf(code, plain.object);
  if (heap !== undefined) return heap;
  return isMemory(code, plain.object) ? { owner: shortText(code, plain.object, 40), isEmscripten: false } : undefined;
}

/** A `WebAssembly.Memory` that can grow and detaches its views when it does: neither of fixed size nor shared. */
function isMemory(code: Code, node: TSESTree.Node): boolean {
  const plain = bare(node);
  if (plain.type === 'NewExpression') return madeMemory(plain) === 'growable';
  if (plain.type === 'MemberExpression') {
    if (!memoryName.test(memberName(plain) ?? '')) return false;
    const written = plain.object.type === 'ThisExpression' ? fieldOf(code, plain) : [];
    return !written.some((value) => madeMemory(bare(value)) === 'fixed') && mentionsWebAssembly(code);
  }
  if (plain.type !== 'Identifier') return false;
  const variable = variableOf(code, plain);
  const init = variable === undefined ? undefined : soleInit(variable);
  const made = init === undefined ? undefined : madeMemory(bare(init));
  if (made !== undefined) return made === 'growable';
  if (init !== undefined && bare(init).type === 'MemberExpression') return isMemory(code, init);
  return memoryName.test(plain.name) && mentionsWebAssembly(code);
}

function mentionsWebAssembly(code: Code): boolean {
  return /WebAssembly|\bwasm/iu.test(code.text);
}

/** `new WebAssembly.Memory({ … })`: of one size where the maximum is the initial size, shared or growable otherwise. */
function madeMemory(node: TSESTree.Node): 'growable' | 'fixed' | undefined {
  if (node.type !== 'NewExpression' || dottedName(node.callee)?.join('.') !== 'WebAssembly.Memory') return undefined;
  const [options] = node.arguments;
  if (options?.type !== 'ObjectExpression') return 'growable';
  const texts = new Map<string, string>();
  for (const property of options.properties) {
    const name = property.type === 'Property' ? keyName(property) : undefined;
    const value = property.type === 'Property' ? property.value : undefined;
    if (name === undefined || value === undefined) continue;
    const text = value.type === 'Literal' ? value.raw : value.type === 'Identifier' ? value.name : '';
    if (text !== '') texts.set(name, text);
  }
  const isFixed = texts.has('maximum') && texts.get('maximum') === texts.get('initial');
  return isFixed || (texts.has('shared') && texts.get('shared') !== 'false') ? 'fixed' : 'growable';
}

/** The values that the class around gives to `this.x`. */
function fieldOf(code: Code, node: TSESTree.MemberExpression): readonly TSESTree.Node[] {
  let owner = parentOf(node);
  while (owner !== undefined && owner.type !== 'ClassBody') owner = parentOf(owner);
  const name = memberName(node);
  return owner?.type === 'ClassBody' && name !== undefined ? (fieldValues(code, owner).get(name) ?? []) : [];
}

/** The exports of an instance: `instance.exports`, a constant or a field that holds them. */
function isExports(code: Code, node: TSESTree.Node, depth = 0): boolean {
  const plain = bare(node);
  if (depth > 3) return false;
  if (plain.type === 'MemberExpression') {
    const isOfModule = plain.object.type === 'Identifier' && plain.object.name === 'module';
    if (exportsName.test(memberName(plain) ?? '')) return !isOfModule;
    return (
      plain.object.type === 'ThisExpression' && fieldOf(code, plain).some((value) => isExports(code, value, depth + 1))
    );
  }
  if (plain.type !== 'Identifier') return false;
  const variable = variableOf(code, plain);
  if (variable === undefined || variable.defs.length === 0) return false;
  if (exportsName.test(plain.name)) return true;
  return variable.references.some(
    ({ writeExpr }) =>
      writeExpr !== undefined &&
      writeExpr !== null &&
      bare(writeExpr) !== plain &&
      isExports(code, writeExpr, depth + 1),
  );
}

/** What a call may do to the memory; undefined when nothing says that it grows. */
export function growthOf(code: Code, node: TSESTree.CallExpression): GrowthKind | undefined {
  const direct = directGrowth(code, node);
  if (direct !== undefined) return direct;
  // A function of the file that allocates.
  const fn = localFunction(code, node.callee);
  if (fn === undefined || fn.async) return undefined;
  for (const each of descendantsOf(code, fn.body)) {
    if (each.type !== 'CallExpression' || enclosingFunction(each) !== fn) continue;
    const inner = directGrowth(code, each);
    if (inner !== undefined && inner !== 'export') return inner;
  }
  return undefined;
}

function directGrowth(code: Code, node: TSESTree.CallExpression): GrowthKind | undefined {
  const callee = bare(node.callee);
  if (callee.type === 'Identifier') {
    if (/^_(?:malloc|calloc|realloc)$/u.test(callee.name)) return 'allocate';
    const taken = takenFromExports(code, callee);
    return taken === undefined ? undefined : kindOf(code, node, taken);
  }
  if (callee.type !== 'MemberExpression') return undefined;
  const name = memberName(callee);
  if (name === undefined) return undefined;
  if (name === 'grow') return isMemory(code, callee.object) ? 'grow' : undefined;
  if (isExports(code, callee.object)) return kindOf(code, node, name);
  if (/^_(?:malloc|calloc|realloc)$/u.test(name)) return 'allocate';
  if (name !== 'ccall' && !/^_[a-z]/u.test(name)) return undefined;
  // Emscripten puts its views and the functions of the module into one object.
  const owner = dottedName(callee.object)?.join('.');
  return owner !== undefined && owner !== 'this' && code.text.includes(`${owner}.HEAP`)
    ? kindOf(code, node, name)
    : undefined;
}

function kindOf(code: Code, node: TSESTree.CallExpression, name: string): GrowthKind | undefined {
  if (name === 'sbrk') {
    // `sbrk(0)` asks for the end of the heap, a difference takes it back.
    const [size] = node.arguments;
    const isGiven = size !== undefined && size.type !== 'BinaryExpression' && size.type !== 'UnaryExpression';
    return isGiven && !(size.type === 'Literal' && size.value === 0) ? 'allocate' : undefined;
  }
  if (allocatorName.test(name)) return 'allocate';
  // Who grows the memory by hand and asks for no block has a module that does not allocate.
  const isByHand = /[mM]emory[!)\s]*\.\s*grow\b/u.test(code.text) && !/alloc\w*\s*\(|sbrk/iu.test(code.text);
  return isByHand || quietName.test(name) ? undefined : 'export';
}

/** The name under which `const { malloc } = instance.exports` or `const malloc = exports.malloc` took a function. */
function takenFromExports(code: Code, node: TSESTree.Identifier): string | undefined {
  const def = variableOf(code, node)?.defs[0];
  if (def?.node.type !== 'VariableDeclarator' || def.node.init === null) return undefined;
  const init = bare(def.node.init);
  if (def.node.id.type === 'Identifier') {
    return init.type === 'MemberExpression' && isExports(code, init.object) ? memberName(init) : undefined;
  }
  const property = def.name.parent;
  return property?.type === 'Property' && isExports(code, init) ? keyName(property) : undefined;
}
