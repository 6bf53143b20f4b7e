import type { Expr, FunctionIr, Pattern } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { nameOf } from './external-memory.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import { originOf } from './rust-code.js';

/** A pointer that a tuple gives beside its owner, while the pattern binds the pointer and leaves the owner to `_`. */
export interface UnboundOwner {
  readonly owner: string;
  readonly how: string;
  /** Where the pointer is taken. */
  readonly taken: Span;
  /** The `_` by which the owner ends with the statement. */
  readonly gone: Span;
  readonly used: Span;
}

const SHOWS = /^(?:as_ptr|as_mut_ptr)$/u;

/**
 * `let (_, p) = match name { Some(text) => { let c = CString::new(text)?; let p = c.as_ptr(); (c, p) } .. }`: what stands at `_` is bound to no
 * variable and ends with the statement, unlike at `_c`.
 */
export function findUnboundOwners(text: string, { body, bodySpan }: FunctionIr): readonly UnboundOwner[] {
  if (!body || !bodySpan || !/\blet\s*\([^;=]*\b_\s*[,)]/u.test(text.slice(bodySpan.start, bodySpan.end))) return [];
  const bindings = bindingsOf(body);
  const found = new Map<string, UnboundOwner>();
  const kept = new Map<string, Omit<UnboundOwner, 'used'> & { readonly end: number }>();
  walkBody(body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'parts')
      for (const tuple of tuplesOf(expr))
        for (const [at, gone] of wildcardsOf(statement.pattern))
          for (const [other, name] of bindingsIn(statement.pattern)) {
            const shown = shownOf(tuple.items[at], tuple.items[other], bindings);
            if (shown) kept.set(name, { ...shown, gone, end: statement.span.end });
          }
    const name = nameOf(expr);
    const held = name === undefined ? undefined : kept.get(name);
    if (held && name !== undefined && expr.span.start >= held.end && !found.has(name)) {
      const { owner, how, taken, gone } = held;
      found.set(name, { owner, how, taken, gone, used: expr.span });
    }
  });
  return [...found.values()];
}

/** The tuples that the expression gives, through blocks, branches and arms. */
function tuplesOf(expr: Expr): readonly (Expr & { kind: 'tuple' })[] {
  switch (expr.kind) {
    case 'tuple':
      return [expr];
    case 'block':
      return expr.block.result ? tuplesOf(expr.block.result) : [];
    case 'if':
      return [expr.then, ...(expr.else ? [expr.else] : [])].flatMap(tuplesOf);
    case 'match':
      return expr.arms.flatMap((arm) => tuplesOf(arm.body));
    default:
      return [];
  }
}

function wildcardsOf(pattern: Pattern & { kind: 'parts' }): readonly (readonly [number, Span])[] {
  return pattern.parts.flatMap(({ field, pattern: part }) =>
    part.kind === 'wildcard' ? [[Number(field), part.span] as const] : [],
  );
}

function bindingsIn(pattern: Pattern & { kind: 'parts' }): readonly (readonly [number, string])[] {
  return pattern.parts.flatMap(({ field, pattern: part }) =>
    part.kind === 'bind' ? [[Number(field), part.name] as const] : [],
  );
}

/** The pointer that shows what the owner, a variable of the function, holds. */
function shownOf(
  owner: Expr | undefined,
  pointer: Expr | undefined,
  bindings: Bindings,
): Pick<UnboundOwner, 'owner' | 'how' | 'taken'> | undefined {
  const name = owner && nameOf(owner);
  const origin = pointer && originOf(pointer, bindings);
  if (name === undefined || origin?.kind !== 'method' || !SHOWS.test(origin.method)) return undefined;
  const made = bindings.get(name);
  // Of a parameter or a pattern it is not known whether it owns anything.
  if (nameOf(origin.receiver) !== name || !made || !OWNS.test(calledIn(made))) return undefined;
  return { owner: name, how: origin.method, taken: origin.span };
}

const OWNS =
  /(?:^|::)(?:CString::new|String::from|Vec::(?:new|from|with_capacity))$|^(?:to_vec|to_owned|to_string|collect|into_bytes|clone|into_boxed_slice|vec!|format!)$/u;

/** What a value is made by, through `?`, `unwrap` and the like. */
function calledIn(expr: Expr): string {
  switch (expr.kind) {
    case 'call':
      return expr.callee.kind === 'name' ? expr.callee.path.join('::') : '';
    case 'try':
      return calledIn(expr.value);
    case 'macro':
      return `${expr.name}!`;
    case 'method':
      return /^(?:unwrap\w*|expect|map_err|context)$/u.test(expr.method) ? calledIn(expr.receiver) : expr.method;
    default:
      return '';
  }
}
