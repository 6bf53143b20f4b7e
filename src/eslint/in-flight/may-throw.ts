import type { TSESTree } from '@typescript-eslint/utils';
import { bare, dottedName, memberName } from '../syntax.js';

/** Objects of the platform whose functions don't throw in working code. */
const calmObjects: ReadonlySet<string> = new Set([
  'console',
  'Math',
  'Date',
  'performance',
  'Promise',
  'Object',
  'Array',
  'Number',
  'String',
  'Symbol',
  'Atomics',
  'Buffer',
  'process',
  'log',
  'logger',
]);
const calmFunctions: ReadonlySet<string> = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'String',
  'Number',
  'Boolean',
  'Symbol',
]);
/** Methods of strings, arrays, maps, buffers, promises and emitters, and of loggers. */
const calmMethod =
  /^(?:push|pop|shift|unshift|at|get|has|add|delete|clear|keys|values|entries|slice|subarray|concat|join|includes|indexOf|fill|map|filter|forEach|some|every|find|reduce|sort|reverse|toString|trim|split|replace|startsWith|endsWith|then|catch|finally|on|once|off|log|debug|info|warn|error|trace|now|ref|unref|bind)$/u;
const calmClasses: ReadonlySet<string> = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Date', 'Promise', 'Error']);

/** Whether a call or `new` is one of code that may throw, by its name: what the platform gives is taken not to. */
export function mayThrow(node: TSESTree.CallExpression | TSESTree.NewExpression): boolean {
  const callee = bare(node.callee);
  if (callee.type === 'Identifier')
    return node.type === 'NewExpression' ? !calmClasses.has(callee.name) : !calmFunctions.has(callee.name);
  if (callee.type !== 'MemberExpression') return node.type === 'CallExpression';
  const owner = dottedName(callee.object)?.at(-1);
  return !(owner !== undefined && calmObjects.has(owner)) && !calmMethod.test(memberName(callee) ?? '');
}
