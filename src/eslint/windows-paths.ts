import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import {
  bare,
  type Code,
  type FunctionNode,
  isFunction,
  keyName,
  memberName,
  outermost,
  parentOf,
  requiredSpecifier,
  soleInit,
  stringValue,
  variableOf,
} from './syntax.js';

/** Whether a place is reached when the process runs on Windows: `only` when nothing but Windows gets there. */
export type WindowsReach = 'never' | 'only' | 'also';

type Truth = 'true' | 'false' | 'unknown';

const processModules = new Set(['process', 'node:process']);
const osModules = new Set(['os', 'node:os']);

/**
 * Evaluates the conditions around a place for `process.platform === 'win32'`: if, ternaries, `&&` and `||`, switches on the
 * platform, and earlier statements of the same block that always leave. A place inside a function is reached when one of
 * the function's calls in the file is, or when the function leaves the file or is used as a value.
 */
export function windowsReach(code: Code, node: TSESTree.Node): WindowsReach {
  return reachOf(code, node, new Set());
}

function reachOf(code: Code, start: TSESTree.Node, visited: Set<FunctionNode>): WindowsReach {
  let isOnly = false;
  let node: TSESTree.Node = start;
  for (let parent = parentOf(node); parent !== undefined; parent = parentOf(node)) {
    const reach = reachThrough(code, parent, node);
    if (reach === 'never') return 'never';
    if (reach === 'only') isOnly = true;
    if (isFunction(parent)) {
      const called = callersReach(code, parent, visited);
      if (called === 'never') return 'never';
      return isOnly ? 'only' : called;
    }
    node = parent;
  }
  return isOnly ? 'only' : 'also';
}

/** What one step outward, from a node to its parent, says. */
function reachThrough(code: Code, parent: TSESTree.Node, child: TSESTree.Node): WindowsReach {
  switch (parent.type) {
    case 'IfStatement':
    case 'ConditionalExpression': {
      if (child === parent.test) return 'also';
      const truth = truthOf(code, parent.test);
      const taken = child === parent.consequent ? truth : negate(truth);
      if (taken === 'false') return 'never';
      return taken === 'true' && mentionsPlatform(code, parent.test) ? 'only' : 'also';
    }
    case 'LogicalExpression': {
      if (child === parent.left || parent.operator === '??') return 'also';
      const truth = truthOf(code, parent.left);
      const taken = parent.operator === '&&' ? truth : negate(truth);
      if (taken === 'false') return 'never';
      return taken === 'true' && mentionsPlatform(code, parent.left) ? 'only' : 'also';
    }
    case 'SwitchCase': {
      if (child === parent.test) return 'also';
      const statement = parent.parent;
      if (!isPlatform(code, statement.discriminant)) return 'also';
      if (leavesBefore(code, parent.consequent, child)) return 'never';
      return caseReach(statement, parent);
    }
    case 'BlockStatement':
    case 'Program':
    case 'StaticBlock':
      return leavesBefore(code, parent.body, child) ? 'never' : 'also';
    default:
      return 'also';
  }
}

/** Windows reaches a case of a switch on the platform by its label, by `default`, or by falling through from above. */
function caseReach(statement: TSESTree.SwitchStatement, wanted: TSESTree.SwitchCase): WindowsReach {
  const hasOwnCase = statement.cases.some((each) => stringValue(each.test) === 'win32');
  let isFalling = false;
  for (const each of statement.cases) {
    const isEntry = each.test === null ? !hasOwnCase : stringValue(each.test) === 'win32';
    const isReached: boolean = isEntry || isFalling;
    if (each === wanted) return isReached ? (isEntry && each.test !== null ? 'only' : 'also') : 'never';
    isFalling = isReached && !alwaysLeaves(each.consequent);
  }
  return 'also';
}

/** True when an earlier statement of the list always leaves it on Windows. */
function leavesBefore(code: Code, statements: readonly TSESTree.Node[], child: TSESTree.Node): boolean {
  for (const statement of statements) {
    if (statement === child) return false;
    if (statement.type !== 'IfStatement') continue;
    const truth = truthOf(code, statement.test);
    if (truth === 'true' && alwaysLeaves([statement.consequent])) return true;
    if (truth === 'false' && statement.alternate !== null && alwaysLeaves([statement.alternate])) return true;
  }
  return false;
}

function alwaysLeaves(statements: readonly TSESTree.Node[]): boolean {
  const last = statements.at(-1);
  switch (last?.type) {
    case 'ReturnStatement':
    case 'ThrowStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
      return true;
    case 'BlockStatement':
      return alwaysLeaves(last.body);
    case 'IfStatement':
      return last.alternate !== null && alwaysLeaves([last.consequent]) && alwaysLeaves([last.alternate]);
    case 'SwitchStatement':
      // `break` leaves the switch only. A case that doesn't leave falls through to the next one.
      return (
        last.cases.some((each) => each.test === null) &&
        last.cases.every((each) => !each.consequent.some(breaksOut)) &&
        alwaysLeaves(last.cases.at(-1)?.consequent ?? [])
      );
    default:
      return false;
  }
}

/** Whether a statement of a case has a `break` of the switch itself, as far as it is not deep inside. */
function breaksOut(statement: TSESTree.Node): boolean {
  switch (statement.type) {
    case 'BreakStatement':
      return true;
    case 'BlockStatement':
      return statement.body.some(breaksOut);
    case 'IfStatement':
      return breaksOut(statement.consequent) || (statement.alternate !== null && breaksOut(statement.alternate));
    case 'TryStatement':
      return breaksOut(statement.block) || (statement.handler !== null && breaksOut(statement.handler.body));
    default:
      return false;
  }
}

/** Whether Windows calls a function: any call in the file that it reaches, or a use that can't be followed. */
function callersReach(code: Code, fn: FunctionNode, visited: Set<FunctionNode>): WindowsReach {
  if (visited.has(fn)) return 'never';
  visited.add(fn);
  const variable = nameOf(code, fn);
  if (variable === undefined) {
    // An immediately called function, a callback, a method: it runs where it stands.
    return reachOf(code, outermost(fn), visited);
  }
  let reach: WindowsReach = 'never';
  for (const reference of variable.references) {
    if (reference.isWrite() && !reference.isRead()) continue;
    const here = reachOf(code, reference.identifier, visited);
    if (here === 'also') return 'also';
    if (here === 'only') reach = 'only';
  }
  const isExported =
    fn.parent.type === 'ExportNamedDeclaration' || fn.parent.parent?.parent?.type === 'ExportNamedDeclaration';
  return isExported ? 'also' : reach;
}

/** The variable that names a function: its declaration, or the constant that holds it. */
function nameOf(code: Code, fn: FunctionNode): TSESLint.Scope.Variable | undefined {
  if (fn.type === 'FunctionDeclaration') return fn.id === null ? undefined : variableOf(code, fn.id);
  const holder = outermost(fn).parent;
  if (holder?.type !== 'VariableDeclarator' || holder.id.type !== 'Identifier') return undefined;
  return variableOf(code, holder.id);
}

function negate(truth: Truth): Truth {
  return truth === 'true' ? 'false' : truth === 'false' ? 'true' : 'unknown';
}

/** The value of a condition on Windows. */
function truthOf(code: Code, node: TSESTree.Node): Truth {
  const plain = bare(node);
  switch (plain.type) {
    case 'LogicalExpression': {
      const left = truthOf(code, plain.left);
      const right = truthOf(code, plain.right);
      if (plain.operator === '&&') {
        if (left === 'false' || right === 'false') return 'false';
        return left === 'true' && right === 'true' ? 'true' : 'unknown';
      }
      if (plain.operator === '||') {
        if (left === 'true' || right === 'true') return 'true';
        return left === 'false' && right === 'false' ? 'false' : 'unknown';
      }
      return 'unknown';
    }
    case 'UnaryExpression':
      return plain.operator === '!' ? negate(truthOf(code, plain.argument)) : 'unknown';
    case 'BinaryExpression':
      return comparison(code, plain);
    case 'Identifier': {
      const variable = variableOf(code, plain);
      const init = variable === undefined ? undefined : soleInit(variable);
      return init === undefined ? 'unknown' : truthOf(code, init);
    }
    case 'CallExpression': {
      // platform.startsWith('win'), ['linux', 'android'].includes(process.platform)
      if (plain.callee.type !== 'MemberExpression') return 'unknown';
      const method = memberName(plain.callee);
      const [argument] = plain.arguments;
      if (method === 'startsWith' && isPlatform(code, plain.callee.object)) {
        const prefix = stringValue(argument);
        return prefix === undefined ? 'unknown' : 'win32'.startsWith(prefix) ? 'true' : 'false';
      }
      const list = bare(plain.callee.object);
      if (
        method === 'includes' &&
        argument !== undefined &&
        isPlatform(code, argument) &&
        list.type === 'ArrayExpression'
      ) {
        const names = list.elements.map((element) => stringValue(element));
        if (names.includes('win32')) return 'true';
        return names.includes(undefined) ? 'unknown' : 'false';
      }
      return 'unknown';
    }
    default:
      return 'unknown';
  }
}

function comparison(code: Code, node: TSESTree.BinaryExpression): Truth {
  const isEqual = node.operator === '===' || node.operator === '==';
  if (!isEqual && node.operator !== '!==' && node.operator !== '!=') return 'unknown';
  const text = stringValue(node.right) ?? stringValue(node.left);
  const other = stringValue(node.right) === undefined ? node.right : node.left;
  if (text === undefined) return 'unknown';
  const expected = isPlatform(code, other) ? 'win32' : isOsType(code, other) ? 'Windows_NT' : undefined;
  if (expected === undefined) return 'unknown';
  return (text === expected) === isEqual ? 'true' : 'false';
}

function mentionsPlatform(code: Code, node: TSESTree.Node): boolean {
  return truthOf(code, node) !== 'unknown';
}

/** `process.platform`, `os.platform()`, or a constant that holds one of them. */
function isPlatform(code: Code, node: TSESTree.Node): boolean {
  return isProcessMember(code, node, 'platform') || isOsCall(code, node, 'platform');
}

function isOsType(code: Code, node: TSESTree.Node): boolean {
  return isOsCall(code, node, 'type');
}

/** `process.x`, `require('process').x`, `const { x } = process`, `import { x } from 'node:process'`, or a constant of these. */
export function isProcessMember(code: Code, node: TSESTree.Node, name: string, depth = 0): boolean {
  const plain = bare(node);
  if (depth > 5) return false;
  if (plain.type === 'MemberExpression') return memberName(plain) === name && isProcessReference(code, plain.object);
  if (plain.type === 'LogicalExpression') {
    return isProcessMember(code, plain.left, name, depth + 1) || isProcessMember(code, plain.right, name, depth + 1);
  }
  if (plain.type !== 'Identifier') return false;
  const variable = variableOf(code, plain);
  const def = variable?.defs[0];
  if (variable === undefined || def === undefined) return false;
  if (def.type === 'ImportBinding') {
    return (
      def.node.type === 'ImportSpecifier' &&
      def.node.imported.type === 'Identifier' &&
      def.node.imported.name === name &&
      def.parent?.type === 'ImportDeclaration' &&
      processModules.has(def.parent.source.value)
    );
  }
  if (def.type === 'Parameter') return isPartOfProcess(code, def.node, plain.name, name);
  if (def.node.type !== 'VariableDeclarator' || def.node.init === null) return false;
  if (def.node.id.type === 'ObjectPattern') {
    const isPart = def.node.id.properties.some(
      (property) =>
        property.type === 'Property' &&
        keyName(property) === name &&
        property.value.type === 'Identifier' &&
        property.value.name === plain.name,
    );
    return isPart && isProcessReference(code, def.node.init);
  }
  const init = soleInit(variable);
  return init !== undefined && isProcessMember(code, init, name, depth + 1);
}

/** `function load({ platform })` that is only ever called as `load(process)`. */
function isPartOfProcess(code: Code, fn: TSESTree.Node, local: string, name: string): boolean {
  if (!isFunction(fn)) return false;
  const at = fn.params.findIndex(
    (param) =>
      param.type === 'ObjectPattern' &&
      param.properties.some(
        (property) =>
          property.type === 'Property' &&
          keyName(property) === name &&
          property.value.type === 'Identifier' &&
          property.value.name === local,
      ),
  );
  const variable = at === -1 ? undefined : nameOf(code, fn);
  const uses = variable?.references.filter((reference) => reference.isRead()) ?? [];
  return (
    uses.length > 0 &&
    uses.every(({ identifier }) => {
      const call = identifier.parent;
      if (call.type !== 'CallExpression' || call.callee !== identifier) return false;
      const given = call.arguments[at];
      return given !== undefined && isProcessReference(code, given);
    })
  );
}

/** The process object: the global, or an import of it. */
export function isProcessReference(code: Code, node: TSESTree.Node): boolean {
  const plain = bare(node);
  const specifier = requiredSpecifier(plain);
  if (specifier !== undefined) return processModules.has(specifier);
  if (plain.type === 'MemberExpression')
    return memberName(plain) === 'process' && plain.object.type === 'Identifier' && plain.object.name === 'globalThis';
  if (plain.type !== 'Identifier') return false;
  const def = variableOf(code, plain)?.defs[0];
  if (def === undefined) return plain.name === 'process';
  if (def.type === 'ImportBinding') {
    return (
      def.node.type !== 'ImportSpecifier' &&
      def.parent?.type === 'ImportDeclaration' &&
      processModules.has(def.parent.source.value)
    );
  }
  return (
    def.node.type === 'VariableDeclarator' &&
    def.node.id.type === 'Identifier' &&
    def.node.init !== null &&
    processModules.has(requiredSpecifier(def.node.init) ?? '')
  );
}

function isOsCall(code: Code, node: TSESTree.Node, name: string): boolean {
  const plain = bare(node);
  if (plain.type === 'Identifier') {
    const variable = variableOf(code, plain);
    const init = variable === undefined ? undefined : soleInit(variable);
    return init !== undefined && bare(init).type === 'CallExpression' && isOsCall(code, init, name);
  }
  if (plain.type !== 'CallExpression') return false;
  const callee = bare(plain.callee);
  const object = callee.type === 'MemberExpression' ? bare(callee.object) : callee;
  if (callee.type === 'MemberExpression' && memberName(callee) !== name) return false;
  const specifier = requiredSpecifier(object);
  if (specifier !== undefined) return osModules.has(specifier);
  if (object.type !== 'Identifier') return false;
  const def = variableOf(code, object)?.defs[0];
  const source =
    def?.type === 'ImportBinding' && def.parent?.type === 'ImportDeclaration'
      ? def.parent.source.value
      : def?.node.type === 'VariableDeclarator' && def.node.init !== null
        ? requiredSpecifier(def.node.init)
        : undefined;
  return source !== undefined && osModules.has(source) && (callee.type === 'MemberExpression' || object.name === name);
}
