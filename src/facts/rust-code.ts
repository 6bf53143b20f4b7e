import type { Expr, FileIr, FunctionIr, ImplDecl } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import type { Bindings } from './raw-views.js';

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

/** The `impl` block around a function. */
export function implAround(file: FileIr, { span }: { readonly span: Span }): ImplDecl | undefined {
  return file.impls.find((i) => i.span.start <= span.start && span.end <= i.span.end);
}

/** The function that a closure or a function inside another stands in, from outside; it itself when nothing is around it. */
export function outermost(fn: FunctionIr, byId: ReadonlyMap<number, FunctionIr>): FunctionIr {
  let outer = fn;
  for (let up = fn.parent; up !== undefined; up = outer.parent) {
    const next = byId.get(up);
    if (!next) break;
    outer = next;
  }
  return outer;
}

/** Whether a function, or a closure in it, mentions the variable `name` of what is around it, and not one of its own that has the name. */
export function mentions(file: FileIr, fn: FunctionIr, name: string): boolean {
  const { body } = fn;
  if (!body || fn.params.some((param) => param.name === name)) return false;
  const own = body.statements.find(
    (one) => one.kind === 'let' && one.pattern.kind === 'bind' && one.pattern.name === name,
  );
  const end = own?.span.end ?? Infinity;
  let does = false;
  walkBody(body, ({ expr }) => {
    does ||= expr.kind === 'name' && expr.path.length === 1 && expr.path[0] === name && expr.span.start < end;
  });
  return does || file.functions.some((f) => f.parent === fn.id && f.span.start < end && mentions(file, f, name));
}

/** What an expression takes its value from, through casts, `?`, blocks and variables that were set once: mostly a call. */
export function originOf(expr: Expr, bindings: Bindings, depth = 0): Expr {
  const next = (inner: Expr | undefined): Expr => (inner && depth < 8 ? originOf(inner, bindings, depth + 1) : expr);
  switch (expr.kind) {
    case 'cast':
    case 'try':
      return next(expr.value);
    case 'block':
      return next(expr.block.result);
    case 'method':
      return /^(?:cast|cast_mut|cast_const)$/u.test(expr.method) ? next(expr.receiver) : expr;
    case 'name':
      return expr.path.length === 1 ? next(bindings.get(expr.path[0] ?? '')) : expr;
    default:
      return expr;
  }
}
