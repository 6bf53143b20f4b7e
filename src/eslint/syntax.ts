import type { TSESLint, TSESTree } from '@typescript-eslint/utils';

export type Code = Readonly<TSESLint.SourceCode>;
export type FunctionNode =
  TSESTree.FunctionDeclaration | TSESTree.FunctionExpression | TSESTree.ArrowFunctionExpression;

export function isFunction(node: TSESTree.Node | undefined | null): node is FunctionNode {
  return (
    node?.type === 'FunctionDeclaration' ||
    node?.type === 'FunctionExpression' ||
    node?.type === 'ArrowFunctionExpression'
  );
}

/** The expression without parentheses' stand-ins: `a as T`, `a!`, `a satisfies T`, and the chain around `a?.b`. */
export function bare(node: TSESTree.Node): TSESTree.Node {
  switch (node.type) {
    case 'TSAsExpression':
    case 'TSNonNullExpression':
    case 'TSSatisfiesExpression':
    case 'TSTypeAssertion':
    case 'ChainExpression':
      return bare(node.expression);
    default:
      return node;
  }
}

/** The name of a member when it is written down: `a.b`, `a['b']`, `a[0]`, also in a template without holes. */
export function memberName(node: TSESTree.MemberExpression): string | undefined {
  if (!node.computed) return node.property.type === 'PrivateIdentifier' ? `#${node.property.name}` : node.property.name;
  return node.property.type === 'Literal' ? String(node.property.value) : stringValue(node.property);
}

/** The name of an object property or class member when it is written down. */
export function keyName(node: { readonly key: TSESTree.Node; readonly computed?: boolean }): string | undefined {
  if (node.key.type === 'Identifier' && node.computed !== true) return node.key.name;
  if (node.key.type === 'PrivateIdentifier') return `#${node.key.name}`;
  return node.key.type === 'Literal' ? String(node.key.value) : undefined;
}

/** `Buffer.alloc` -> `['Buffer', 'alloc']`, `this.a.b` -> `['this', 'a', 'b']`; undefined for anything computed. */
export function dottedName(node: TSESTree.Node): readonly string[] | undefined {
  const plain = bare(node);
  if (plain.type === 'Identifier') return [plain.name];
  if (plain.type === 'ThisExpression') return ['this'];
  if (plain.type !== 'MemberExpression') return undefined;
  const object = dottedName(plain.object);
  const name = memberName(plain);
  return object === undefined || name === undefined ? undefined : [...object, name];
}

/** The variable that an identifier means, looked up through the scopes around it. */
export function variableOf(
  code: Code,
  node: TSESTree.Identifier | TSESTree.JSXIdentifier,
): TSESLint.Scope.Variable | undefined {
  for (let scope: TSESLint.Scope.Scope | null = code.getScope(node); scope !== null; scope = scope.upper) {
    const variable = scope.set.get(node.name);
    if (variable !== undefined) return variable;
  }
  return undefined;
}

/** The initial value of a variable that is written exactly once, by its declaration. */
export function soleInit(variable: TSESLint.Scope.Variable): TSESTree.Expression | undefined {
  const def = variable.defs[0];
  if (variable.defs.length !== 1 || def?.node.type !== 'VariableDeclarator' || def.node.id.type !== 'Identifier')
    return undefined;
  const writes = variable.references.filter((reference) => reference.isWrite() && reference.init !== true);
  return writes.length === 0 && def.node.init !== null ? def.node.init : undefined;
}

/** The nearest function around a node, or the program. */
export function enclosingFunction(node: TSESTree.Node): FunctionNode | TSESTree.Program {
  let at = parentOf(node);
  while (at !== undefined && at.type !== 'Program' && !isFunction(at)) at = parentOf(at);
  if (at === undefined) throw new Error('A node without a program around it was visited.');
  return at;
}

/** The parent of a node; undefined for the program, where ESLint puts a null that the types don't know of. */
export function parentOf(node: TSESTree.Node): TSESTree.Node | undefined {
  return node.parent ?? undefined;
}

/** The node that stands where the expression stands: out of `as`, `!`, `satisfies` and optional chains. */
export function outermost(node: TSESTree.Node): TSESTree.Node {
  let at = node;
  for (
    let parent = parentOf(at);
    parent !== undefined && parent !== bare(parent) && bare(parent) === bare(node);
    parent = parentOf(at)
  ) {
    at = parent;
  }
  return at;
}

/** Source text of a node on one line, cut after `limit` characters. */
export function shortText(code: Code, node: TSESTree.Node, limit = 60): string {
  const text = code.getText(node).replace(/\s+/gu, ' ');
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}

const descendants = new WeakMap<TSESTree.Node, readonly TSESTree.Node[]>();

/** Every node below and including `root`, outer before inner, in source order. Kept, because several rules ask. */
export function descendantsOf(code: Code, root: TSESTree.Node): readonly TSESTree.Node[] {
  const known = descendants.get(root);
  if (known !== undefined) return known;
  const found: TSESTree.Node[] = [];
  const visit = (node: TSESTree.Node): void => {
    found.push(node);
    for (const key of code.visitorKeys[node.type] ?? []) {
      const child: unknown = Reflect.get(node, key);
      if (Array.isArray(child)) {
        for (const each of child) if (isNode(each)) visit(each);
      } else if (isNode(child)) visit(child);
    }
  };
  visit(root);
  descendants.set(root, found);
  return found;
}

function isNode(value: unknown): value is TSESTree.Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

/** The text of a string literal or of a template without holes. */
export function stringValue(node: TSESTree.Node | undefined | null): string | undefined {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

/** The module that `require('x')`, `await import('x')` or a helper of createRequire loads; undefined for other calls. */
export function requiredSpecifier(node: TSESTree.Node, code?: Code): string | undefined {
  const plain = bare(node);
  if (plain.type === 'AwaitExpression') return requiredSpecifier(plain.argument, code);
  if (plain.type === 'ImportExpression') return stringValue(plain.source);
  if (plain.type !== 'CallExpression') return undefined;
  const [argument] = plain.arguments;
  if (plain.callee.type === 'Identifier') {
    const text = stringValue(argument);
    // createRequire gives it any name; what ends in .node is a binary whoever loads it.
    if (/require/iu.test(plain.callee.name) || text?.endsWith('.node') === true) return text;
    const variable = code?.text.includes('createRequire') === true ? variableOf(code, plain.callee) : undefined;
    const made = variable === undefined ? undefined : soleInit(variable);
    return made?.type === 'CallExpression' && dottedName(made.callee)?.at(-1) === 'createRequire' ? text : undefined;
  }
  // createRequire(import.meta.url)('./x.node')
  const inner = plain.callee;
  const isCreated =
    inner.type === 'CallExpression' && dottedName(inner.callee)?.at(-1) === 'createRequire' && argument !== undefined;
  return isCreated ? stringValue(argument) : undefined;
}

/** True when a variable was imported or required under one of these names from one of these modules. */
function isImportedFrom(code: Code, node: TSESTree.Identifier, modules: ReadonlySet<string>, name: string): boolean {
  const variable = variableOf(code, node);
  const def = variable?.defs[0];
  if (def === undefined) return false;
  if (def.type === 'ImportBinding') {
    const declaration = def.parent;
    if (declaration?.type !== 'ImportDeclaration' || !modules.has(declaration.source.value)) return false;
    return def.node.type === 'ImportSpecifier' ? importedName(def.node) === name : name === '*';
  }
  if (def.node.type !== 'VariableDeclarator' || def.node.init === null) return false;
  const specifier = requiredSpecifier(def.node.init);
  if (specifier === undefined) {
    // const Worker = require('worker_threads').Worker
    const init = bare(def.node.init);
    if (init.type !== 'MemberExpression' || memberName(init) !== name) return false;
    const source = requiredSpecifier(init.object);
    return source !== undefined && modules.has(source);
  }
  if (!modules.has(specifier)) return false;
  if (def.node.id.type === 'Identifier') return name === '*';
  if (def.node.id.type !== 'ObjectPattern') return false;
  return def.node.id.properties.some(
    (property) =>
      property.type === 'Property' &&
      keyName(property) === name &&
      property.value.type === 'Identifier' &&
      property.value.name === node.name,
  );
}

export function importedName(node: TSESTree.ImportSpecifier): string {
  return node.imported.type === 'Identifier' ? node.imported.name : node.imported.value;
}

/** True when an expression is the named export of a module: by its own name, or as a member of the whole module. */
export function isExportOf(code: Code, node: TSESTree.Node, modules: ReadonlySet<string>, name: string): boolean {
  const plain = bare(node);
  if (plain.type === 'Identifier') return isImportedFrom(code, plain, modules, name);
  if (plain.type !== 'MemberExpression' || memberName(plain) !== name) return false;
  const object = bare(plain.object);
  const specifier = requiredSpecifier(object);
  if (specifier !== undefined) return modules.has(specifier);
  if (object.type !== 'Identifier') return false;
  return isImportedFrom(code, object, modules, '*') || isDefaultImportOf(code, object, modules);
}

function isDefaultImportOf(code: Code, node: TSESTree.Identifier, modules: ReadonlySet<string>): boolean {
  const def = variableOf(code, node)?.defs[0];
  return (
    def?.type === 'ImportBinding' &&
    def.node.type !== 'ImportSpecifier' &&
    def.parent?.type === 'ImportDeclaration' &&
    modules.has(def.parent.source.value)
  );
}

export const workerThreads: ReadonlySet<string> = new Set(['worker_threads', 'node:worker_threads']);
