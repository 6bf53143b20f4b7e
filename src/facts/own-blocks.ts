import type { Place } from '../flow/place.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import { calledName, initOf, memberPath, walkDeep } from './d-code.js';

/** Names of functions that keep what they are given. */
const KEEPS =
  /^(?:insert|add|push|put|append|register|attach|connect|enqueue|queue|send|spawn|start|run|store|keep|set|link|schedule|submit|save|assign|track|select)/iu;

/**
 * D: what is stored into belongs to a block that the function itself makes, refers to by one variable and leaves behind when it ends:
 * `auto args = new Nodes(1); (*args)[0] = dummy; resolve(args);`. Not so when the variable is set anew, returned, thrown, stored, taken by
 * a lambda, or given to a function that by its name keeps things.
 */
export function isInOwnBlock(file: FileIr, fn: FunctionIr, into: Place | undefined): boolean {
  if (into?.root.kind !== 'local' || into.path.length === 0 || fn.body === undefined) return false;
  const { name } = into.root;
  if (initOf(fn, name)?.kind !== 'new') return false;
  let isKept = false;
  walkDeep(file, fn, ({ expr, statement }, inside) => {
    if (inside.kind === 'closure') isKept ||= holds(expr, name);
    if (statement?.kind === 'let' && statement.init === expr) isKept ||= holds(expr, name);
    if (expr.kind === 'return' || expr.kind === 'throw') isKept ||= expr.value !== undefined && holds(expr.value, name);
    else if (expr.kind === 'assign') isKept ||= memberPath(expr.target) === name || holds(expr.value, name);
    else if ((expr.kind === 'call' || expr.kind === 'method') && KEEPS.test(calledName(expr) ?? ''))
      isKept ||= expr.args.some(({ value }) => holds(value, name));
  });
  return !isKept;
}

/** Whether a value is the variable, or an object that is made with it: a cast, `new Call(args)`, `ArgumentList(args)`, `[args]`. */
function holds(expr: Expr, name: string): boolean {
  if (expr.kind === 'cast') return holds(expr.value, name);
  if (expr.kind === 'array') return expr.items.some((item) => holds(item, name));
  if (expr.kind === 'new' || (expr.kind === 'call' && /^[A-Z]/u.test(calledName(expr) ?? '')))
    return expr.args.some(({ value }) => holds(value, name));
  return memberPath(expr) === name;
}
