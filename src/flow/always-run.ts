import type { Block, Expr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';

/** Whether the code at `span` runs whenever the function does: no branch, loop or closure is around it, a test for null aside. */
export function isAlwaysRun(body: Block, span: Span, name: string): boolean {
  let isAlways = true;
  walkBody(body, ({ expr }) => {
    if (!isAlways) return;
    if (expr.kind === 'return' || expr.kind === 'try') {
      // What leaves before it is a way on which it does not happen.
      isAlways = expr.span.start > span.start || (expr.kind === 'return' && isNullReturn(body, expr.span, name));
      return;
    }
    if (expr.span.start > span.start || expr.span.end < span.end) return;
    if (expr.kind === 'match' || expr.kind === 'loop' || expr.kind === 'closure') isAlways = false;
    else if (expr.kind === 'if') isAlways = isNullTest(expr.condition, name);
  });
  return isAlways;
}

/** `if p.is_null() { return; }` */
function isNullReturn(body: Block, span: Span, name: string): boolean {
  let isIt = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'if' && expr.span.start <= span.start && span.end <= expr.span.end)
      isIt = isNullTest(expr.condition, name);
  });
  return isIt;
}

function isNullTest(condition: Expr, name: string): boolean {
  if (condition.kind === 'unary') return isNullTest(condition.operand, name);
  return (
    condition.kind === 'method' &&
    condition.method === 'is_null' &&
    condition.receiver.kind === 'name' &&
    condition.receiver.path[0] === name
  );
}
