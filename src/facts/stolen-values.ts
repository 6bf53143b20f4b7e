import { bindingsOf, sourceOf, type Bindings } from './raw-views.js';
import { resultsOf } from './retyped-lifetimes.js';
import { implAround, withoutCasts } from './rust-code.js';
import type { UnitFacts } from './unit.js';
import { isDropped } from '../flow/owned-values.js';
import { walkBody } from '../model/walk-body.js';
import type { Block, Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A value that a safe function copies bit by bit from behind a reference and gives away, while the one behind it stays as it is. */
export interface Stolen {
  readonly span: Span;
  readonly how: string;
  readonly what: string;
}

/** Calls that only look: after them everything is as it was. */
const LOOKS = new Set(
  'is_null as_ptr as_ref as_mut as_mut_ptr as_deref get len is_empty cast cast_mut cast_const add sub offset unwrap expect clone deref deref_mut Some Ok read from_ref from_mut addr_of new'.split(
    ' ',
  ),
);

/**
 * `fn front(&self) -> T { unsafe { ptr::read(&self.value) } }`: two calls make two owners of one value. Only functions that do nothing
 * else are looked at: one that changes anything may well say so that the value is gone.
 */
export function findStolen(unit: UnitFacts, file: FileIr, fn: FunctionIr): Stolen | undefined {
  const { body, returns } = fn;
  if (
    !body ||
    !returns ||
    fn.isUnsafe ||
    fn.abi !== undefined ||
    fn.parent !== undefined ||
    !(fn.isPublic || fn.trait !== undefined) ||
    !isPure(body)
  )
    return undefined;
  if (fn.self?.mode === 'value') return undefined;
  const bindings = bindingsOf(body);
  for (const result of resultsOf(body, bindings)) {
    const read = readOf(result);
    if (!read || !isLent(read.from, bindings, fn)) continue;
    const type = contentOf(returns);
    if (
      !isDropped(
        type.name === 'Self' || type.name === fn.owner ? ownType(file, fn) : type,
        unit.oracle('rust'),
        file,
        fn,
      )
    )
      continue;
    return {
      span: read.span,
      how: read.how,
      what: (unit.textOf(file.path) ?? '').slice(read.from.span.start, read.from.span.end),
    };
  }
  return undefined;
}

/** Whether the body changes nothing that outlives it: it only calls what looks, and assigns nothing. */
function isPure(body: Block): boolean {
  let pure = true;
  walkBody(body, ({ expr }) => {
    switch (expr.kind) {
      case 'assign':
      case 'loop':
      case 'await':
      case 'closure':
        pure = false;
        break;
      case 'macro':
        pure &&= /^(?:debug_)?assert(?:_eq|_ne)?$/u.test(expr.name);
        break;
      case 'method':
        pure &&= LOOKS.has(expr.method);
        break;
      case 'call':
        pure &&= expr.callee.kind === 'name' && LOOKS.has(expr.callee.path.at(-1) ?? '');
        break;
      default:
    }
  });
  return pure;
}

/** `ptr::read(p)` and `p.as_ptr().read()`, inside of `Some(..)` and `Ok(..)` too. */
function readOf(expr: Expr): { readonly from: Expr; readonly span: Span; readonly how: string } | undefined {
  if (expr.kind === 'block') return expr.block.result && readOf(expr.block.result);
  if (expr.kind === 'call' && expr.callee.kind === 'name') {
    const name = expr.callee.path.at(-1) ?? '';
    const from = expr.args[0]?.value;
    if (!from || expr.args.length > 1) return undefined;
    if (name === 'Some' || name === 'Ok') return readOf(from);
    const isRead = name === 'read' && (expr.callee.path.length === 1 || expr.callee.path.at(-2) === 'ptr');
    return isRead ? { from, span: expr.span, how: 'ptr::read' } : undefined;
  }
  if (expr.kind !== 'method' || expr.method !== 'read' || expr.args.length > 0) return undefined;
  const inner = withoutCasts(expr.receiver);
  // A lock is read, too.
  if (inner.kind !== 'method' || !/^(?:as_ptr|as_mut_ptr|add|offset)$/u.test(inner.method)) return undefined;
  return { from: expr.receiver, span: expr.span, how: 'read' };
}

/** Whether an expression leads to what the function only borrows: behind `&self`, or behind a reference that it is given. */
function isLent(expr: Expr, bindings: Bindings, fn: FunctionIr): boolean {
  const source = sourceOf(expr, bindings, fn);
  if (!source) return false;
  if (source.name === 'self') return fn.self?.mode === 'shared' || fn.self?.mode === 'mutable';
  return fn.params.find((p) => p.name === source.name)?.type?.kind === 'reference';
}

function contentOf(type: TypeRef): TypeRef {
  const content = type.kind === 'path' && /^(?:Option|Result)$/u.test(type.name) ? type.args[0] : undefined;
  return content ?? type;
}

/** The type of the impl block around; undefined when it is `Copy`. */
function ownType(file: FileIr, fn: FunctionIr): TypeRef | undefined {
  const target = implAround(file, fn)?.target;
  return file.impls.some((b) => b.trait?.name === 'Copy' && b.target.name === target?.name) ? undefined : target;
}
