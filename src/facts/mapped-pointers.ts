import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';

/** A pointer to a temporary that a closure gives in the place of null. */
export interface MappedPointer {
  readonly span: Span;
  /** The closure, whose end is that of the temporary. */
  readonly closure: Span;
}

/**
 * `nonce.map_or_else(null, |value| &value.into())`: since null is a raw pointer, what the closure gives is coerced to one inside of it, and
 * the value that was converted ends with the closure. A reference would be refused.
 */
export function findMappedPointers(file: FileIr, fn: FunctionIr): readonly MappedPointer[] {
  if (!fn.body) return [];
  const found: MappedPointer[] = [];
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'method' || !/^map_or(?:_else)?$/u.test(expr.method) || !isNull(expr.args[0]?.value)) return;
    const given = expr.args[1]?.value;
    const closure = given?.kind === 'closure' ? file.functions.find((f) => f.id === given.functionId) : undefined;
    const result = closure?.body?.result;
    if (!given || !closure || result?.kind !== 'address' || result.raw) return;
    // A method by value, or a call of a conversion: nobody keeps what it makes.
    const { base } = result;
    const isMade =
      (base.kind === 'method' &&
        /^(?:into|try_into|to_owned|to_string|to_vec|clone|unwrap|into_\w+)$/u.test(base.method)) ||
      (base.kind === 'call' &&
        base.callee.kind === 'name' &&
        /^(?:from|new|into)$/u.test(base.callee.path.at(-1) ?? ''));
    if (isMade) found.push({ span: result.span, closure: given.span });
  });
  return found;
}

/** `ptr::null()`, `null_mut()`, and the functions themselves. */
function isNull(expr: Expr | undefined): boolean {
  const name = expr?.kind === 'call' ? expr.callee : expr;
  return name?.kind === 'name' && /^null(?:_mut)?$/u.test(name.path.at(-1) ?? '');
}
