import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { viewTypes } from './buffer-origins.js';
import { fieldValues } from './class-fields.js';
import { localFunction } from './in-flight/local-functions.js';
import { createSourceMemo } from './javascript-visitor.js';
import {
  bare,
  type Code,
  descendantsOf,
  dottedName,
  enclosingFunction,
  type FunctionNode,
  isFunction,
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
  /** The expression of the memory; undefined for Emscripten's views, which hide theirs. */
  readonly memory: TSESTree.Node | undefined;
  /** Emscripten keeps the memory: whether it can grow is a matter of its build. */
  readonly isEmscripten: boolean;
}

/** Emscripten's views. */
export const heapName = /^HEAP[UF]?(?:8|16|32|64)$/u;
const memoryName = /^[#_]*(?:wasm_?)?memory$/iu;
const exportsName = /^[#_]*(?:wasm_?)?exports$/iu;

/** The view that an expression makes or takes; undefined for a copy and for everything else. */
export function memoryViewOf(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  switch (plain.type) {
    case 'Identifier':
      return heapOf(code, plain) ?? storeOf(code, plain);
    case 'MemberExpression':
      return heapOf(code, plain) ?? storeOf(code, plain) ?? ownGetterView(code, plain);
    case 'NewExpression': {
      const [store] = plain.arguments;
      const isView = plain.callee.type === 'Identifier' && viewTypes.has(plain.callee.name);
      return isView && store !== undefined ? storeOf(code, store) : undefined;
    }
    case 'CallExpression':
      return calledView(code, plain);
    default:
      return undefined;
  }
}

/** The view that an expression is, also through a constant that holds it. */
function heldView(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  const init = variable === undefined ? undefined : soleInit(variable);
  if (variable === undefined || init === undefined) return memoryViewOf(code, plain);
  // var heap = heap.subarray(1)
  if (asked.has(variable)) return undefined;
  asked.add(variable);
  const view = memoryViewOf(code, init);
  asked.delete(variable);
  return view;
}

const asked = new WeakSet<TSESLint.Scope.Variable>();

/** `heap.subarray(…)`, `Buffer.from(memory.buffer)`, and the call of a function of the file that returns a view. */
function calledView(code: Code, node: TSESTree.CallExpression): MemoryView | undefined {
  const callee = bare(node.callee);
  if (callee.type === 'MemberExpression') {
    const name = memberName(callee);
    if (name === 'subarray') return heldView(code, callee.object);
    const [first] = node.arguments;
    const isBuffer = callee.object.type === 'Identifier' && callee.object.name === 'Buffer' && name === 'from';
    // Of an ArrayBuffer it is a view, of a typed array a copy.
    if (isBuffer) return first === undefined ? undefined : storeOf(code, first);
  }
  const fn = localFunction(code, callee);
  return fn === undefined ? undefined : returnedView(code, fn);
}

const returned = new WeakMap<FunctionNode, MemoryView | 'none'>();

/** The view that a function returns whichever way it goes: one that it makes, or one that it has kept. */
function returnedView(code: Code, fn: FunctionNode): MemoryView | undefined {
  const known = returned.get(fn);
  if (known !== undefined) return known === 'none' ? undefined : known;
  // A function that comes back to itself returns nothing that is known.
  returned.set(fn, 'none');
  if (fn.async || fn.generator) return undefined;
  const values =
    fn.body.type === 'BlockStatement'
      ? descendantsOf(code, fn.body).flatMap((each) =>
          each.type === 'ReturnStatement' && enclosingFunction(each) === fn ? [each.argument] : [],
        )
      : [fn.body];
  const views = values.map((value) =>
    value === null ? undefined : (memoryViewOf(code, value) ?? keptView(code, value)),
  );
  const [view] = views;
  if (view === undefined || views.includes(undefined)) return undefined;
  returned.set(fn, view);
  return view;
}

/** `return cached`, where a view is given to the variable or field. */
function keptView(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  const values =
    plain.type === 'Identifier'
      ? (variableOf(code, plain)?.references ?? []).map(({ writeExpr }) => writeExpr)
      : plain.type === 'MemberExpression' && plain.object.type === 'ThisExpression'
        ? fieldOf(code, plain)
        : [];
  for (const value of values) {
    const view = value === null || value === undefined ? undefined : memoryViewOf(code, value);
    if (view !== undefined) return view;
  }
  return undefined;
}

/** `this.view` where the class around has `get view()`. */
function ownGetterView(code: Code, node: TSESTree.MemberExpression): MemoryView | undefined {
  if (node.object.type !== 'ThisExpression') return undefined;
  const name = memberName(node);
  const getter = classAround(node)?.body.find(
    (member) => member.type === 'MethodDefinition' && member.kind === 'get' && keyName(member) === name,
  );
  return getter?.type === 'MethodDefinition' && isFunction(getter.value) ? returnedView(code, getter.value) : undefined;
}

/** `Module.HEAPU8`, and `HEAPU8` of Emscripten's own scope. */
function heapOf(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  const name =
    plain.type === 'Identifier' ? plain.name : plain.type === 'MemberExpression' ? memberName(plain) : undefined;
  if (name === undefined || !heapName.test(name)) return undefined;
  return { owner: shortText(code, plain, 40), memory: undefined, isEmscripten: true };
}

/** `memory.buffer`, the store of another view, or a constant that holds one of them. */
function storeOf(code: Code, node: TSESTree.Node): MemoryView | undefined {
  const plain = bare(node);
  if (plain.type === 'Identifier') {
    const variable = variableOf(code, plain);
    if (variable === undefined) return undefined;
    const known = stores.get(variable);
    if (known !== undefined) return known === 'none' ? undefined : known;
    const view = storeIn(code, variable);
    stores.set(variable, view ?? 'none');
    return view;
  }
  if (plain.type !== 'MemberExpression' || memberName(plain) !== 'buffer') return undefined;
  return heapOf(code, plain.object) ?? storeOfMemory(code, plain.object) ?? heldView(code, plain.object);
}

const stores = new WeakMap<TSESLint.Scope.Variable, MemoryView | 'none'>();

/** The store that a constant holds. */
function storeIn(code: Code, variable: TSESLint.Scope.Variable): MemoryView | undefined {
  const init = soleInit(variable);
  if (init !== undefined) return bare(init).type === 'MemberExpression' ? storeOf(code, init) : undefined;
  // const { buffer } = memory
  const def = variable.defs[0];
  const property = def?.name.parent;
  const isBuffer =
    variable.defs.length === 1 &&
    def?.node.type === 'VariableDeclarator' &&
    property?.type === 'Property' &&
    property.parent === def.node.id &&
    keyName(property) === 'buffer';
  return isBuffer && def.node.init !== null ? storeOfMemory(code, def.node.init) : undefined;
}

function storeOfMemory(code: Code, memory: TSESTree.Node): MemoryView | undefined {
  return isMemory(code, memory)
    ? { owner: shortText(code, memory, 40), memory: bare(memory), isEmscripten: false }
    : undefined;
}

/** A `WebAssembly.Memory` that can grow and detaches its views when it does: neither of fixed size nor shared. */
export function isMemory(code: Code, node: TSESTree.Node, depth = 0): boolean {
  const plain = bare(node);
  if (depth > 4) return false;
  if (plain.type === 'NewExpression') return madeMemory(plain) === 'growable';
  if (plain.type === 'MemberExpression') {
    if (!memoryName.test(memberName(plain) ?? '')) {
      if (plain.object.type !== 'ThisExpression') return false;
      const values = fieldOf(code, plain).map(bare);
      return values.some((value) => value.type !== 'ThisExpression' && isMemberMemory(code, value, depth + 1));
    }
    // `performance.memory`, and that of `process`, are of the machine.
    if (/^(?:performance|process|navigator)$/u.test(dottedName(plain.object)?.at(-1) ?? '')) return false;
    const written = plain.object.type === 'ThisExpression' ? fieldOf(code, plain) : [];
    return written.every((value) => mayBeMemory(code, value)) && mentionsWebAssembly(code);
  }
  if (plain.type !== 'Identifier') return false;
  const variable = variableOf(code, plain);
  const init = variable === undefined ? undefined : soleInit(variable);
  if (init !== undefined && !mayBeMemory(code, init)) return false;
  if (init !== undefined && madeMemory(bare(init)) === 'growable') return true;
  if (init !== undefined && bare(init).type === 'MemberExpression') return isMemory(code, init, depth + 1);
  return memoryName.test(plain.name) && mentionsWebAssembly(code);
}

/** `this.raw = exports.memory` and `this.raw = new WebAssembly.Memory({ … })`, whatever the name of the field. */
function isMemberMemory(code: Code, value: TSESTree.Node, depth: number): boolean {
  if (value.type === 'NewExpression') return madeMemory(value) === 'growable';
  const isNamed = value.type === 'MemberExpression' && memoryName.test(memberName(value) ?? '');
  return (isNamed || value.type === 'Identifier') && isMemory(code, value, depth);
}

/** False for a memory of fixed size, a shared one, and an object of another class. */
function mayBeMemory(code: Code, value: TSESTree.Node): boolean {
  const plain = bare(value);
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  const init = variable === undefined ? undefined : soleInit(variable);
  const made = bare(init ?? plain);
  return made.type !== 'NewExpression' || madeMemory(made) === 'growable';
}

const mentions = createSourceMemo<boolean>();

/** Comments don't count. */
export function mentionsWebAssembly(code: Code): boolean {
  return mentions(code, () => {
    const word = /WebAssembly|wasm/giu;
    if (!word.test(code.text)) return false;
    const comments = code.getAllComments();
    word.lastIndex = 0;
    for (let match = word.exec(code.text); match !== null; match = word.exec(code.text)) {
      const at = match.index;
      if (!comments.some(({ range: [start, end] }) => start <= at && at < end)) return true;
    }
    return false;
  });
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

function classAround(node: TSESTree.Node): TSESTree.ClassBody | undefined {
  let owner = parentOf(node);
  while (owner !== undefined && owner.type !== 'ClassBody') owner = parentOf(owner);
  return owner;
}

/** The values that the class around gives to `this.x`. */
export function fieldOf(code: Code, node: TSESTree.MemberExpression): readonly TSESTree.Node[] {
  const owner = classAround(node);
  const name = memberName(node);
  return owner !== undefined && name !== undefined ? (fieldValues(code, owner).get(name) ?? []) : [];
}

/** The exports of an instance: `instance.exports`, a constant or a field that holds them. */
export function isExports(code: Code, node: TSESTree.Node, depth = 0): boolean {
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
  const known = holders.get(variable);
  if (known !== undefined) return known;
  // A variable that is given to itself by others holds what else it is given.
  holders.set(variable, false);
  const holds = variable.references.some(
    ({ writeExpr }) =>
      writeExpr !== undefined &&
      writeExpr !== null &&
      bare(writeExpr) !== plain &&
      isExports(code, writeExpr, depth + 1),
  );
  holders.set(variable, holds);
  return holds;
}

const holders = new WeakMap<TSESLint.Scope.Variable, boolean>();
