import type { Expr, FunctionIr } from '../model/ir.js';
import { walkBody } from '../model/walk-body.js';

/** What a count is raised by. */
const COUNTS = /^(?:fetch_add|retain|add_?ref|inc_?ref|increment(?:_\w+)?|ref_inc)$/u;

const known = new WeakMap<FunctionIr, boolean>();

/** Rust: whether the function is the `clone` of a handle that raises a count: each clone keeps what it leads to alive by itself. */
export function isCountedClone(fn: FunctionIr): boolean {
  if (fn.trait !== 'Clone' || fn.name !== 'clone' || !fn.body) return false;
  let is = known.get(fn);
  if (is === undefined) {
    is = false;
    walkBody(fn.body, ({ expr }) => {
      is ||= expr.kind === 'method' && COUNTS.test(expr.method) && !isStatic(expr.receiver);
    });
    known.set(fn, is);
  }
  return is;
}

/** `CLONES.fetch_add(1)`: a count of all clones keeps nothing alive. */
function isStatic(expr: Expr): boolean {
  if (expr.kind === 'field' || expr.kind === 'deref' || expr.kind === 'index' || expr.kind === 'address')
    return isStatic(expr.base);
  return expr.kind === 'name' && /^[A-Z]/u.test(expr.path.at(-1) ?? '');
}
