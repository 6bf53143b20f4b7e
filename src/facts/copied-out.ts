import { bindingsOf } from './raw-views.js';
import { resultsOf } from './retyped-lifetimes.js';
import type { UnitFacts } from './unit.js';
import { isDropped } from '../flow/owned-values.js';
import { walkBody } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';

/** A parameter whose value is copied into another type, and dropped at the end of the function as well. */
export interface CopiedOut {
  readonly span: Span;
  readonly how: string;
  readonly owner: string;
  /** Where the function drops the parameter. */
  readonly end: Span;
}

/**
 * `fn wrap(inner: Inner) -> Self { unsafe { transmute_copy(&inner) } }`: unlike `transmute`, the call leaves the value where it is. Only
 * where the copy drops the same things, as far as the types show, and nothing else is done with the parameter.
 */
export function findCopiedOut(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly CopiedOut[] {
  const { body } = fn;
  if (!body || fn.kind === 'closure' || !unit.holds(file, fn, ['transmute_copy'])) return [];
  const calls: { readonly call: ExprOf<'call'>; readonly param: string; readonly type: TypeRef }[] = [];
  const uses = new Map<string, number>();
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'name' && expr.path.length === 1) {
      const name = expr.path[0] ?? '';
      uses.set(name, (uses.get(name) ?? 0) + 1);
    }
    if (expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.callee.path.at(-1) !== 'transmute_copy') return;
    const from = lentName(expr.args[0]?.value);
    const param = fn.params.find((p) => p.name === from);
    if (from !== undefined && param?.type) calls.push({ call: expr, param: from, type: param.type });
  });
  if (calls.length === 0) return [];
  const results = fn.returns ? resultsOf(body, bindingsOf(body)) : [];
  return calls.flatMap(({ call, param, type }) => {
    // Forgotten, moved away, written anew, or a variable of the same name that never drops it.
    if (uses.get(param) !== 1 || bindingsOf(body).has(param)) return [];
    if (!drops(unit, file, fn, type)) return [];
    const callee = call.callee.kind === 'name' ? call.callee : undefined;
    const named = callee?.typeArgs?.[1];
    const to =
      named && named.kind !== 'unknown' && named.name !== '_'
        ? named
        : results.some((r) => unwrapped(r) === call)
          ? fn.returns
          : undefined;
    if (!to || !drops(unit, file, fn, to) || isKept(body, call)) return [];
    return [{ span: call.span, how: callee?.path.join('::') ?? '', owner: param, end: endOf(body.span) }];
  });
}

/** Whether the copy is never dropped: `forget(transmute_copy(..))`, `ManuallyDrop::new(transmute_copy(..))`, or by way of a variable. */
function isKept(body: Block, call: ExprOf<'call'>): boolean {
  const kept: Expr[] = [];
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const path = expr.callee.path.join('::');
    if (/(?:^|::)(?:forget|ManuallyDrop::new|MaybeUninit::new)$/u.test(path))
      kept.push(...expr.args.map(({ value }) => unwrapped(value)));
  });
  return kept.some(
    (one) =>
      one === call ||
      (one.kind === 'name' &&
        one.path.length === 1 &&
        isInside(call.span, bindingsOf(body).get(one.path[0] ?? '')?.span ?? one.span)),
  );
}

/** `&name`. */
function lentName(expr: Expr | undefined): string | undefined {
  if (expr?.kind !== 'address') return undefined;
  const inner = expr.base;
  return inner.kind === 'name' && inner.path.length === 1 ? inner.path[0] : undefined;
}

function unwrapped(expr: Expr): Expr {
  return expr.kind === 'block' && expr.block.result ? unwrapped(expr.block.result) : expr;
}

/** Whether a value of the type is dropped: also one of a trait's own parameters, or of the types that implement it. */
function drops(unit: UnitFacts, file: FileIr, fn: FunctionIr, type: TypeRef): boolean {
  const oracle = unit.oracle('rust');
  if (fn.ownerKind === 'trait' && type.kind === 'path' && type.path.length === 1) {
    const decl = fn.owner === undefined ? undefined : oracle.declaration(fn.owner, file.path);
    if (decl?.kind === 'trait') {
      if (type.name === 'Self') return !isCopied(decl.bases);
      const own = decl.generics.find((g) => g.name === type.name);
      if (own) return !isCopied(own.bounds);
    }
  }
  return isDropped(type, oracle, file, fn);
}

function isCopied(bounds: readonly string[]): boolean {
  return bounds.some((b) => /(?:^|\W)(?:Copy|Pod|NoUninit|AnyBitPattern|Zeroable|Primitive|Num)\b/u.test(b));
}

function endOf({ end }: Span): Span {
  return { start: end - 1, end };
}
