import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { localFunction } from './in-flight/local-functions.js';
import { fieldValues } from './class-fields.js';
import { undeclared, type NativeModule } from './native-modules.js';
import { createSourceMemo, loadsAddon, type VisitorContext } from './javascript-visitor.js';
import {
  bare,
  type Code,
  descendantsOf,
  dottedName,
  enclosingFunction,
  type FunctionNode,
  importedName,
  keyName,
  memberName,
  parentOf,
  requiredSpecifier,
  stringValue,
  variableOf,
} from './syntax.js';

/** Where a value comes from: a native module, and the names and calls (`()`) that lead from its exports to the value. */
export interface NativeOrigin {
  readonly module: NativeModule;
  readonly path: readonly string[];
}

/** A module that the file loads, with the node that does it. */
interface NativeLoad {
  readonly module: NativeModule;
  readonly node: TSESTree.Node;
}

export interface NativeBindings {
  /** Every native module that the file imports or requires, in source order. */
  readonly loads: readonly NativeLoad[];
  /** The native origin of an expression: a module, one of its exports, or what one of its functions gave back. */
  originOf(node: TSESTree.Node): NativeOrigin | undefined;
}

const memo = createSourceMemo<NativeBindings>();
const longestChain = 24;

/** The native values of a file, found once and shared by all rules. */
export function nativeBindingsOf(context: Pick<VisitorContext, 'filename' | 'modules' | 'sourceCode'>): NativeBindings {
  return memo(context.sourceCode, () => findBindings(context));
}

function findBindings({
  filename,
  modules,
  sourceCode: code,
}: Pick<VisitorContext, 'filename' | 'modules' | 'sourceCode'>): NativeBindings {
  // Most files import nothing native; they are told apart by their text, without a walk.
  const loads = loadsAddon(code, modules, filename)
    ? findLoads(code, (specifier) => modules.resolve(specifier, filename))
    : [];
  const known = new Map<TSESTree.Node, NativeOrigin | undefined>();
  if (loads.length === 0) return { loads, originOf: () => undefined };

  const resolveEquals = (node: TSESTree.TSImportEqualsDeclaration): NativeModule | undefined => {
    const specifier = equalsSpecifier(node);
    return specifier === undefined ? undefined : modules.resolve(specifier, filename);
  };

  /** The addon that `process.dlopen(module, path)` put into `module.exports`. */
  const openedBy = (node: TSESTree.Node): NativeModule | undefined => {
    const holder = bare(node);
    const variable = holder.type === 'Identifier' ? variableOf(code, holder) : undefined;
    for (const reference of variable?.references ?? []) {
      const call = reference.identifier.parent;
      if (call?.type === 'CallExpression' && call.arguments[0] === reference.identifier && isDlopen(call))
        return openedModule(call);
    }
    return undefined;
  };

  /** `(enc = new Encoder())`, and the module in `import('x').then((module) => …)`. */
  const ofParameter = (def: TSESLint.Scope.Definition, depth: number): NativeOrigin | undefined => {
    const parent = parentOf(def.name);
    if (parent?.type === 'AssignmentPattern' && parent.left === def.name) return originAt(parent.right, depth);
    const fn = def.node;
    if (fn.type !== 'ArrowFunctionExpression' && fn.type !== 'FunctionExpression') return undefined;
    const call = fn.parent;
    const [first] = fn.params;
    if (first === undefined || call.type !== 'CallExpression' || call.arguments[0] !== fn) return undefined;
    const isPattern = first.type === 'Identifier' || first.type === 'ObjectPattern';
    const path = isPattern && def.name.type === 'Identifier' ? patternPath(first, def.name.name) : undefined;
    const callee = bare(call.callee);
    const isThen = callee.type === 'MemberExpression' && memberName(callee) === 'then';
    if (path === undefined || !isThen || bare(callee.object).type !== 'ImportExpression') return undefined;
    const origin = originAt(callee.object, depth);
    return origin === undefined ? undefined : { module: origin.module, path: [...origin.path, ...path] };
  };

  const ofVariable = (variable: TSESLint.Scope.Variable, depth: number): NativeOrigin | undefined => {
    for (const def of variable.defs) {
      if (def.type === 'ImportBinding') {
        if (def.node.type === 'TSImportEqualsDeclaration') {
          const module = resolveEquals(def.node);
          return module === undefined ? undefined : { module, path: [] };
        }
        if (def.parent?.type !== 'ImportDeclaration' || def.parent.importKind === 'type') return undefined;
        const module = modules.resolve(def.parent.source.value, filename);
        if (module === undefined) return undefined;
        return { module, path: def.node.type === 'ImportSpecifier' ? [importedName(def.node)] : [] };
      }
      if (def.type === 'Parameter') {
        const origin = ofParameter(def, depth);
        if (origin !== undefined) return origin;
      }
      if (def.node.type === 'VariableDeclarator' && def.node.init !== null) {
        const path = patternPath(def.node.id, variable.name);
        const origin = path === undefined ? undefined : originAt(def.node.init, depth);
        if (origin !== undefined && path !== undefined)
          return { module: origin.module, path: [...origin.path, ...path] };
      }
    }
    // let binding = null; try { binding = require('./x.node') } …
    for (const reference of variable.references) {
      const written = reference.writeExpr;
      if (!reference.isWrite() || reference.init === true || written === undefined || written === null) continue;
      const parent = reference.identifier.parent;
      if (parent?.type !== 'AssignmentExpression' || parent.left !== reference.identifier) continue;
      const origin = originAt(written, depth);
      if (origin !== undefined) return origin;
    }
    return undefined;
  };

  /** `const load = () => require('x')`: what a function of the file without parameters gives back. */
  const ofReturned = (callee: TSESTree.Node, depth: number): NativeOrigin | undefined => {
    const fn = bare(callee).type === 'Identifier' ? localFunction(code, callee) : undefined;
    if (fn === undefined || fn.params.length > 0) return undefined;
    for (const value of returnedValues(code, fn)) {
      const origin = originAt(value, depth);
      if (origin !== undefined) return origin;
    }
    return undefined;
  };

  const compute = (node: TSESTree.Node, depth: number): NativeOrigin | undefined => {
    const plain = bare(node);
    const specifier = requiredSpecifier(plain, code);
    if (specifier !== undefined) {
      const module = modules.resolve(specifier, filename);
      return module === undefined ? undefined : { module, path: [] };
    }
    switch (plain.type) {
      case 'Identifier': {
        const variable = variableOf(code, plain);
        return variable === undefined ? undefined : ofVariable(variable, depth);
      }
      case 'MemberExpression': {
        const name = memberName(plain);
        const opened = name === 'exports' ? openedBy(plain.object) : undefined;
        if (opened !== undefined) return { module: opened, path: [] };
        const object = plain.object.type === 'ThisExpression' ? ofField(plain, depth) : originAt(plain.object, depth);
        if (plain.object.type === 'ThisExpression') return object;
        if (object === undefined || name === undefined) return undefined;
        // Interop: the default export of a CommonJS module is the module.
        return name === 'default' && object.path.length === 0
          ? object
          : { module: object.module, path: [...object.path, name] };
      }
      case 'CallExpression':
      case 'NewExpression': {
        const promisified = plain.type === 'CallExpression' ? promisifiedArgument(plain) : undefined;
        const wrapped = promisified === undefined ? undefined : originAt(promisified, depth);
        if (wrapped !== undefined) return { module: wrapped.module, path: [...wrapped.path, 'promisifiedAsync'] };
        const returned = plain.type === 'CallExpression' ? ofReturned(plain.callee, depth) : undefined;
        if (returned !== undefined) return returned;
        const callee = originAt(plain.callee, depth);
        return callee === undefined ? undefined : { module: callee.module, path: [...callee.path, '()'] };
      }
      case 'AwaitExpression':
        return originAt(plain.argument, depth);
      case 'LogicalExpression':
        return originAt(plain.left, depth) ?? originAt(plain.right, depth);
      case 'ConditionalExpression':
        return originAt(plain.consequent, depth) ?? originAt(plain.alternate, depth);
      case 'AssignmentExpression':
        return plain.operator === '=' ? originAt(plain.right, depth) : undefined;
      default:
        return undefined;
    }
  };

  const ofField = (node: TSESTree.MemberExpression, depth: number): NativeOrigin | undefined => {
    const name = memberName(node);
    let owner = parentOf(node);
    while (owner !== undefined && owner.type !== 'ClassBody') owner = parentOf(owner);
    if (owner?.type !== 'ClassBody' || name === undefined) return undefined;
    for (const written of fieldValues(code, owner).get(name) ?? []) {
      const origin = originAt(written, depth);
      if (origin !== undefined) return origin;
    }
    return undefined;
  };

  const originAt = (node: TSESTree.Node, depth: number): NativeOrigin | undefined => {
    if (known.has(node)) return known.get(node);
    if (depth > longestChain) return undefined;
    // A value that is defined through itself has no origin of its own.
    known.set(node, undefined);
    const origin = compute(node, depth + 1);
    known.set(node, origin);
    return origin;
  };

  return { loads, originOf: (node) => originAt(node, 0) };
}

function returnedValues(code: Code, fn: FunctionNode): readonly TSESTree.Node[] {
  if (fn.body.type !== 'BlockStatement') return [fn.body];
  return descendantsOf(code, fn.body).flatMap((node) =>
    node.type === 'ReturnStatement' && node.argument !== null && enclosingFunction(node) === fn ? [node.argument] : [],
  );
}

function isDlopen(node: TSESTree.CallExpression): boolean {
  return dottedName(node.callee)?.join('.') === 'process.dlopen';
}

function openedModule(node: TSESTree.CallExpression): NativeModule {
  const name = stringValue(node.arguments[1]) ?? 'process.dlopen';
  return {
    name,
    kind: 'binary',
    confidence: 'high',
    why: 'it is opened by process.dlopen',
    identity: name,
    declarations: undeclared,
  };
}

/** `native.hash` in `promisify(native.hash)`. */
function promisifiedArgument(node: TSESTree.CallExpression): TSESTree.Node | undefined {
  const callee = bare(node.callee);
  const name =
    callee.type === 'MemberExpression' ? memberName(callee) : callee.type === 'Identifier' ? callee.name : undefined;
  return name === 'promisify' ? node.arguments[0] : undefined;
}

/** The module of `import x = require('y')`. */
function equalsSpecifier(node: TSESTree.TSImportEqualsDeclaration): string | undefined {
  const reference = node.moduleReference;
  return reference.type === 'TSExternalModuleReference' ? stringValue(reference.expression) : undefined;
}

/** The member path from the declared value to a name inside a pattern; undefined when the name isn't a plain part of it. */
function patternPath(pattern: TSESTree.BindingName, name: string): readonly string[] | undefined {
  if (pattern.type === 'Identifier') return pattern.name === name ? [] : undefined;
  if (pattern.type !== 'ObjectPattern') return undefined;
  for (const property of pattern.properties) {
    if (property.type !== 'Property') continue;
    const key = keyName(property);
    const value = property.value.type === 'AssignmentPattern' ? property.value.left : property.value;
    if (key === undefined) continue;
    if (value.type === 'Identifier' && value.name === name) return key === 'default' ? [] : [key];
    if (value.type === 'ObjectPattern') {
      const inner = patternPath(value, name);
      if (inner !== undefined) return [key, ...inner];
    }
  }
  return undefined;
}

/** One pass over the import declarations and the calls of `require` and `import()`. */
function findLoads(code: Code, resolve: (specifier: string) => NativeModule | undefined): readonly NativeLoad[] {
  const loads: NativeLoad[] = [];
  const add = (specifier: string | undefined, node: TSESTree.Node): void => {
    const module = specifier === undefined ? undefined : resolve(specifier);
    if (module !== undefined) loads.push({ module, node });
  };
  const mayCall = /require|createRequire|\bimport\s*\(|\.node['"`]|\bdlopen\b/u.test(code.text);
  const visit = (node: TSESTree.Node): void => {
    if (node.type === 'ImportDeclaration') {
      if (node.importKind !== 'type') add(node.source.value, node);
      return;
    }
    if (node.type === 'TSImportEqualsDeclaration') add(equalsSpecifier(node), node);
    if (node.type === 'CallExpression' && isDlopen(node)) loads.push({ module: openedModule(node), node });
    if (node.type === 'ImportExpression' || node.type === 'CallExpression') add(requiredSpecifier(node, code), node);
  };
  for (const node of mayCall ? descendantsOf(code, code.ast) : code.ast.body) visit(node);
  return loads;
}
