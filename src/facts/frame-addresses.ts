import { calledName, delegateFunction, freeNames, letsIn, uncast } from './d-code.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';

/** Names of functions that take something out of where it was put. */
const UNLINKS =
  /(?:^|_)(?:un(?:link|register|subscribe|hook|watch|set|queue|track)|remove|erase|delete|detach|disconnect|dequeue|pop|leave|forget|cancel)(?:$|_|[A-Z])|[a-z](?:Unlink|Unregister|Remove|Erase|Detach|Dequeue|Pop)(?:$|[A-Z])/u;

/**
 * D: the address of a local is taken out of where it was stored before the frame ends: `unlink(&node)`, in a `scope (exit)` or a
 * `finally`, or on the function's one way out behind the storing.
 */
export function isUnlinked(fn: FunctionIr, name: string, stored: Span): boolean {
  const { body } = fn;
  if (body === undefined) return false;
  const always: Span[] = [];
  for (const statement of body.statements) {
    if (statement.kind === 'defer' && statement.when === 'exit') always.push(statement.body.span);
    if (statement.kind === 'try' && statement.finally !== undefined) always.push(statement.finally.span);
  }
  const leaves: number[] = [];
  const unlinks: { readonly at: number; readonly isAlways: boolean }[] = [];
  walkBody(body, ({ expr, around }) => {
    if (expr.kind === 'return' || expr.kind === 'throw') leaves.push(expr.span.start);
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    const given = [...expr.args.map(({ value }) => value), ...(expr.kind === 'method' ? [expr.receiver] : [])];
    if (!UNLINKS.test(calledName(expr) ?? '') || !given.some((value) => isAddressOf(value, name))) return;
    const isAlways = always.some((span) => isInside(expr.span, span));
    // Under a condition it may not happen.
    if (around.every((outer) => outer.kind === 'block' || (outer.kind === 'if' && outer.condition === expr)))
      unlinks.push({ at: expr.span.start, isAlways });
  });
  return unlinks.some(
    ({ at, isAlways }) => isAlways || (at > stored.end && !leaves.some((left) => left > stored.end && left < at)),
  );
}

function isAddressOf(value: Expr, name: string): boolean {
  const plain = uncast(value);
  return plain.kind === 'address' && plain.base.kind === 'name' && plain.base.path.join('.') === name;
}

/**
 * D: the frame that holds the local is on the heap: a delegate that captures it is stored, returned or kept in a variable that is not
 * `scope`. Of one that is only an argument it is not known.
 */
export function isInHeapFrame(file: FileIr, fn: FunctionIr, name: string): boolean {
  let isOnHeap = false;
  if (fn.body === undefined) return false;
  walkBody(fn.body, ({ expr, around, statement }) => {
    if (isOnHeap || (expr.kind !== 'closure' && expr.kind !== 'address')) return;
    let value: Expr = expr;
    let at = around.length - 1;
    for (let parent = around[at]; parent?.kind === 'cast'; parent = around[--at]) value = parent;
    const parent = around[at];
    const leaves =
      parent === undefined
        ? statement?.kind === 'let'
          ? statement.init === value && !statement.modifiers.includes('scope')
          : statement === undefined
        : parent.kind === 'return' || (parent.kind === 'assign' && parent.value === value);
    if (!leaves || (parent?.kind === 'assign' && isScopeVariable(fn, parent.target))) return;
    const inner = delegateFunction(file, fn, expr);
    isOnHeap = inner !== undefined && freeNames(file, inner).has(name);
  });
  return isOnHeap;
}

/** A parameter or variable that is `scope`: what is assigned to it does not leave. */
function isScopeVariable(fn: FunctionIr, target: Expr): boolean {
  const name = target.kind === 'name' && target.path.length === 1 ? target.path[0] : undefined;
  if (name === undefined) return false;
  return (
    fn.params.some((param) => param.name === name && param.modifiers.includes('scope')) ||
    letsIn(fn.body).some(
      ({ pattern, modifiers }) => pattern.kind === 'bind' && pattern.name === name && modifiers.includes('scope'),
    )
  );
}
