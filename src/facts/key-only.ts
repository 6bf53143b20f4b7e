import type { UnitFacts } from './unit.js';
import type { FunctionFlow, StaleUse } from '../flow/result.js';
import type { Expr } from '../model/ir.js';
import { walkBody } from '../model/walk-body.js';

/**
 * D: a helper of the unit is given an address that no longer leads anywhere, and only looks it up, compares it, measures how far it is from
 * another one, or prints it.
 */
export function isKeyOnly(unit: UnitFacts, flow: FunctionFlow, use: StaleUse['use']): boolean {
  if (use.kind !== 'argument') return false;
  for (const { argSpans, resolved } of flow.calls) {
    const index = argSpans.findIndex((s) => s.start === use.span.start && s.end === use.span.end);
    if (index < 0 || !resolved) continue;
    const holder = unit.fileAt(resolved.path);
    const declared = holder?.functions.find((f) => f.id === resolved.functionId);
    if (!holder || !declared) return false;
    const callee = unit
      .withBodies(holder, (f) => f.span.start === declared.span.start)
      .functions.find((f) => f.span.start === declared.span.start);
    const name = callee?.params[index]?.name;
    if (!callee?.body || name === undefined || name === '') return false;
    let reads = false;
    walkBody(callee.body, ({ expr, around }) => {
      if (expr.kind !== 'name' || expr.path.length !== 1 || expr.path[0] !== name) return;
      if (!isAddressRead(expr, around)) reads = true;
    });
    return !reads;
  }
  return false;
}

/** Whether only the number of the address matters where it stands. */
function isAddressRead(expr: Expr, around: readonly Expr[]): boolean {
  const number = around.at(-1);
  if (number?.kind === 'cast' && /^(?:u?long|u?int|size_t|ptrdiff_t)$/u.test(number.type.name)) return true;
  let inner = expr;
  for (const parent of around.toReversed()) {
    if (parent.kind === 'index') return parent.base !== inner;
    if (parent.kind === 'method') return parent.method === 'remove' && parent.receiver !== inner;
    if (parent.kind === 'binary') {
      if (/^(?:[!=]=|!?is|!?in|[<>]=?)$/u.test(parent.operator)) return true;
      // `now - old`
      if (parent.operator === '-' && parent.right === inner) return true;
      if (parent.operator !== '+' && parent.operator !== '-') return false;
    } else if (parent.kind !== 'cast') return false;
    inner = parent;
  }
  return false;
}
