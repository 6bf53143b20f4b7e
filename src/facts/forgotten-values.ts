import type { FunctionFlow } from '../flow/result.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

/**
 * Whether the value of a call is never dropped: `ManuallyDrop::new(..)` or `mem::forget(..)` of it at once, of the variable that
 * holds it, or of one that holds a value it is a part of. `text` is that of the file.
 */
export function isForgotten(text: string, fn: FunctionIr, flow: FunctionFlow, call: Span): boolean {
  const names = holdersOf(text, fn, call);
  const isGiven = (argument: string): boolean =>
    [...names].some((name) => new RegExp(`(?:^|[(,{\\s])${name}(?:$|[),}\\s])`, 'u').test(argument));
  return flow.calls.some(
    (c) =>
      c.rows.some((r) => r.effects.some((e) => e.kind === 'forget')) &&
      c.argSpans.some(
        (s) =>
          (s.start <= call.start && call.end <= s.end) ||
          (s.start >= call.end && names.size > 0 && isGiven(text.slice(s.start, s.end))),
      ),
  );
}

/** The variables that are set to the call, to a block whose value it is, or to a literal that it is a field of. */
function holdersOf(text: string, fn: FunctionIr, call: Span): ReadonlySet<string> {
  const names = new Set<string>();
  const set = /(?:\blet\s+(?:mut\s+)?|[;{}]\s*)(\w+)\s*(?::[^=;]*)?=\s*(?:unsafe\s*\{\s*)?(?:\w+::)*$/u.exec(
    text.slice(Math.max(0, call.start - 200), call.start),
  )?.[1];
  if (set !== undefined) names.add(set);
  if (fn.body)
    walkBody(fn.body, ({ expr, statement }) => {
      if (statement?.kind !== 'let' || statement.init !== expr || statement.pattern.kind !== 'bind') return;
      if (isValueOf(expr, call)) names.add(statement.pattern.name);
    });
  return names;
}

function isValueOf(expr: Expr, call: Span): boolean {
  if (expr.kind === 'block') return expr.block.result !== undefined && isValueOf(expr.block.result, call);
  if (expr.kind === 'struct') return expr.fields.some(({ value }) => isValueOf(value, call));
  return expr.span.start === call.start;
}
