import type { Expr } from '../model/ir.js';

/** The expression under `as` casts and the methods `cast`, `cast_mut` and `cast_const`. */
export function withoutCasts(expr: Expr): Expr {
  if (expr.kind === 'cast') return withoutCasts(expr.value);
  if (expr.kind === 'method' && /^(?:cast|cast_mut|cast_const)$/u.test(expr.method)) return withoutCasts(expr.receiver);
  return expr;
}

/** A variable or a field as written: `a`, `self.a.b`; undefined for anything else, which need not be the same twice. */
export function writtenPlace(expr: Expr | undefined): string | undefined {
  if (expr?.kind === 'name') return expr.path.length === 1 ? expr.path[0] : undefined;
  if (expr?.kind !== 'field') return undefined;
  const base = writtenPlace(expr.base);
  return base === undefined ? undefined : `${base}.${expr.name}`;
}
