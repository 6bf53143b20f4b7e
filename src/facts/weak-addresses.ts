import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { calleeOf, walkBody } from '../model/walk-body.js';
import { nameOf } from './external-memory.js';
import type { UnitFacts } from './unit.js';

/** The address that a weak count shows, used after the only strong count has been dropped. */
export interface WeakAddress {
  /** The variable with the strong count. */
  readonly owner: string;
  readonly declared: Span;
  readonly how: string;
  readonly taken: Span;
  readonly dropped: Span;
  readonly used: Span;
}

const CONCERNS = /\bdowngrade\s*\(/u;

/**
 * `let p = weak.as_ptr(); drop(strong); *p`, where `weak` is `Rc::downgrade(&strong)`, `strong` is made by the function, and the function makes no
 * other count of it: a weak count keeps the block, and the content is dropped all the same.
 */
export function findWeakAddresses(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly WeakAddress[] {
  const text = unit.textOf(file.path) ?? '';
  const own = fn.bodySpan ? text.slice(fn.bodySpan.start, fn.bodySpan.end) : '';
  if (!fn.body || !CONCERNS.test(own) || !/\bas_ptr\b/u.test(own) || !/\bdrop\s*\(/u.test(own)) return [];
  // A count that is made strong again keeps the content.
  if (/\.\s*upgrade\s*\(|\bWeak::upgrade\b|\bincrement_strong_count\b/u.test(own)) return [];
  const strong = new Map<string, Span>();
  const weak = new Map<string, string>();
  const taken = new Map<string, { readonly owner: string; readonly how: string; readonly span: Span }>();
  const dropped = new Map<string, Span>();
  const counted = new Set<string>();
  const found = new Map<string, WeakAddress>();
  walkBody(fn.body, ({ expr, around, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind') {
      const { name } = statement.pattern;
      for (const known of [strong, weak, taken, dropped]) known.delete(name);
      const lender = downgraded(expr);
      const shown = shownBy(expr);
      const owner = shown && (downgraded(shown.weak) ?? weak.get(nameOf(shown.weak) ?? ''));
      if (/(?:^|::)(?:Rc|Arc)::new(?:_cyclic)?$/u.test(calleeOf(expr) ?? '')) strong.set(name, statement.pattern.span);
      else if (lender !== undefined) weak.set(name, lender);
      else if (shown && owner !== undefined) taken.set(name, { owner, how: shown.how, span: expr.span });
    }
    const name = nameOf(expr);
    if (name === undefined) return;
    const outer = around.at(-1);
    if (strong.has(name)) {
      const call = outer?.kind === 'call' ? (calleeOf(outer) ?? '') : undefined;
      if (call !== undefined && /(?:^|::)drop$/u.test(call)) dropped.set(name, outer?.span ?? expr.span);
      // Anything but a look at the content or a weak count may be a count of its own.
      else if (!(outer?.kind === 'address' || outer?.kind === 'deref') || isCloned(around)) {
        const isLook =
          (outer?.kind === 'method' || outer?.kind === 'field') &&
          !(outer.kind === 'method' && outer.method === 'clone');
        if (!isLook) counted.add(name);
      }
      return;
    }
    const from = taken.get(name);
    const gone = from && dropped.get(from.owner);
    const declared = from && strong.get(from.owner);
    if (!from || !gone || !declared || gone.end > expr.span.start || gone.start < from.span.end || found.has(name))
      return;
    if (outer?.kind === 'method' && outer.receiver === expr && /^(?:is_null|addr)$/u.test(outer.method)) return;
    found.set(name, { owner: from.owner, declared, how: from.how, taken: from.span, dropped: gone, used: expr.span });
  });
  return [...found.values()].filter(({ owner }) => !counted.has(owner));
}

function isCloned(around: readonly Expr[]): boolean {
  const outer = around.at(-2);
  return outer?.kind === 'call' && !/(?:^|::)(?:downgrade|as_ptr)$/u.test(calleeOf(outer) ?? '');
}

/** `strong` of `Rc::downgrade(&strong)`. */
function downgraded(expr: Expr): string | undefined {
  if (expr.kind !== 'call' || !/(?:^|::)(?:Rc|Arc)::downgrade$/u.test(calleeOf(expr) ?? '')) return undefined;
  const given = expr.args[0]?.value;
  return given?.kind === 'address' ? nameOf(given.base) : undefined;
}

/** The weak count of `weak.as_ptr()` and `Weak::as_ptr(&weak)`. */
function shownBy(expr: Expr): { readonly weak: Expr; readonly how: string } | undefined {
  if (expr.kind === 'cast') return shownBy(expr.value);
  if (expr.kind === 'method') return expr.method === 'as_ptr' ? { weak: expr.receiver, how: 'as_ptr' } : undefined;
  if (expr.kind !== 'call' || !/(?:^|::)Weak::as_ptr$/u.test(calleeOf(expr) ?? '')) return undefined;
  const given = expr.args[0]?.value;
  return given?.kind === 'address' ? { weak: given.base, how: 'Weak::as_ptr' } : undefined;
}
