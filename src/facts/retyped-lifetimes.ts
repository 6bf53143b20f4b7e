import { mayBorrow } from './borrowing-types.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import { implAround } from './rust-code.js';
import type { UnitFacts } from './unit.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import type { Block, Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A value that borrows, returned as one that does not: a transmute between types that differ in a lifetime only. */
export interface Retyped {
  readonly span: Span;
  readonly from: string;
  readonly to: string;
}

const SHORT = /'(?!static\b)[a-z_]\w*/u;

/**
 * Transmutes in what the function returns that turn a type with a shorter lifetime (`View<'a>`, `Box<dyn Fn() + 'a>`) into the
 * same with `'static`, or into one of the package whose fields are static references. References themselves are not looked at here.
 */
export function findRetyped(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly Retyped[] {
  const { body, returns } = fn;
  if (!body || !returns || !returnsNothingShort(returns)) return [];
  const bindings = bindingsOf(body);
  const found: Retyped[] = [];
  for (const result of resultsOf(body, bindings)) {
    const { expr, isWrapped } = unwrapped(result, bindings);
    if (expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.args.length !== 1) continue;
    if (expr.callee.path.at(-1) !== 'transmute') continue;
    const [source, target] = expr.callee.typeArgs ?? [];
    if (isWrapped && !isWritten(target)) continue;
    const to = isWritten(target) ? target : returns;
    const given = expr.args[0]?.value;
    const from = isWritten(source) ? source : given && typeOf(given, bindings, fn, file);
    if (!from || from.kind === 'reference' || to.kind === 'reference') continue;
    if (!SHORT.test(from.text) || !isStatic(unit, file, to, from) || !mayBorrow(unit, from, file.path)) continue;
    if (given && isAskedBefore(body, given, expr.span)) continue;
    found.push({ span: expr.span, from: from.text, to: to.text });
  }
  return found;
}

/** `Holder(value)`, `Holder { value }`, `Ok(value)`: what holds one value only keeps nothing that the value borrows from. */
function unwrapped(result: Expr, bindings: Bindings): { readonly expr: Expr; readonly isWrapped: boolean } {
  let expr = result;
  for (let depth = 0; depth < 4; depth++) {
    const [only, ...others] =
      expr.kind === 'call' && expr.callee.kind === 'name' && /^[A-Z]/u.test(expr.callee.path.at(-1) ?? '')
        ? expr.args
        : expr.kind === 'struct' && expr.base === undefined
          ? expr.fields
          : [];
    if (!only || others.length > 0) break;
    const inner = inBlock(only.value);
    expr = (inner.kind === 'name' && inner.path.length === 1 && bindings.get(inner.path[0] ?? '')) || inner;
    expr = inBlock(expr);
  }
  return { expr, isWrapped: expr !== result };
}

/** What an `unsafe` block is for. */
function inBlock(expr: Expr): Expr {
  return expr.kind === 'block' && expr.block.statements.length === 0 && expr.block.result ? expr.block.result : expr;
}

/** What the function returns, and nothing that is only a part of it: a value may well keep what its own parts borrow from. */
export function resultsOf(body: Block, bindings: Bindings): readonly Expr[] {
  const found: Expr[] = [];
  const names = new Set<string>();
  const queue: Expr[] = body.result ? [body.result] : [];
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'return' && expr.value) queue.push(expr.value);
  });
  for (let next = queue.pop(); next; next = queue.pop()) {
    if (next.kind === 'if') queue.push(next.then, ...(next.else ? [next.else] : []));
    else if (next.kind === 'match') queue.push(...next.arms.map((a) => a.body));
    else if (next.kind === 'block') queue.push(...(next.block.result ? [next.block.result] : []));
    else if (next.kind === 'name') {
      const [name = ''] = next.path;
      const bound = names.has(name) ? undefined : bindings.get(name);
      names.add(name);
      if (bound) queue.push(bound);
    } else found.push(next);
  }
  return found;
}

/** Whether a condition around asks the value which kind it is: what it holds may own itself. */
function isAskedBefore(body: Block, given: Expr, span: Span): boolean {
  const name = given.kind === 'name' ? given.path[0] : undefined;
  if (name === undefined) return false;
  let isAsked = false;
  walkBody(body, ({ expr }) => {
    if ((expr.kind !== 'if' && expr.kind !== 'match') || expr.span.start > span.start || expr.span.end < span.end)
      return;
    walkExpression(expr.kind === 'if' ? expr.condition : expr.scrutinee, ({ expr: inner }) => {
      isAsked ||= inner.kind === 'name' && inner.path[0] === name;
    });
  });
  return isAsked;
}

/** A type with a lifetime of the function or of its block says until when the value may be used. */
function returnsNothingShort(type: TypeRef): boolean {
  return !/^(?:reference|pointer|function|impl-trait)$/u.test(type.kind) && !SHORT.test(type.text);
}

/** `transmute::<_, T>` leaves the first one to the compiler. */
function isWritten(type: TypeRef | undefined): type is TypeRef {
  return type !== undefined && type.kind !== 'unknown' && type.text !== '_';
}

/** The type of a parameter, of `self`, of a value that was cast, or of a variable that was declared with one. */
function typeOf(expr: Expr, bindings: Bindings, fn: FunctionIr, file: FileIr): TypeRef | undefined {
  if (expr.kind === 'cast') return expr.type;
  if (expr.kind !== 'name' || expr.path.length !== 1) return undefined;
  const name = expr.path[0] ?? '';
  if (name === 'self' && fn.self?.mode === 'value') return implAround(file, fn)?.target;
  const bound = bindings.get(name);
  if (bound) return bound.kind === 'cast' ? bound.type : undefined;
  return fn.params.find((p) => p.name === name)?.type;
}

/** Whether a value of the type may be kept for ever, while it is one of the other type but for that. */
function isStatic(unit: UnitFacts, file: FileIr, to: TypeRef, from: TypeRef): boolean {
  if (SHORT.test(to.text) || to.kind === 'pointer') return false;
  if (withoutLifetimes(to.text) === withoutLifetimes(from.text)) return true;
  const decl = to.kind === 'path' ? unit.oracle('rust').declaration(to.name, file.path) : undefined;
  const origin = from.kind === 'path' ? unit.oracle('rust').declaration(from.name, file.path) : undefined;
  return (
    decl !== undefined &&
    origin?.generics.some((g) => g.name.startsWith("'")) === true &&
    !decl.generics.some((g) => g.name.startsWith("'")) &&
    decl.fields.some((f) => f.type?.kind === 'reference' && f.type.lifetime === "'static")
  );
}

function withoutLifetimes(text: string): string {
  return text
    .replace(/\+\s*'\w+/gu, '')
    .replace(/'\w+\s*,\s*/gu, '')
    .replace(/'\w+/gu, '')
    .replace(/<\s*>/gu, '')
    .replace(/\s+/gu, '');
}
