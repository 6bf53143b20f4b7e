import type { Block, Expr, FileIr, FunctionIr, Pattern, Statement, TypeRef } from '../model/ir.js';
import { namesOf } from '../model/patterns.js';
import type { Span } from '../model/source.js';
import type { UnitFacts } from './unit.js';
import { walkBody } from '../model/walk-body.js';

/** A reference that is made from a raw pointer, or whose lifetime a transmute took away. */
export interface RawView {
  readonly span: Span;
  readonly how: string;
  readonly expr: Expr;
  /** What it was made from. */
  readonly source: Expr;
}

/** `&*p`, `p.as_ref()` on a pointer, `from_raw_parts`, `CStr::from_ptr`, `transmute`, each with its source. */
export function findRawViews(body: Block, isPointer: (expr: Expr) => boolean): readonly RawView[] {
  const found: RawView[] = [];
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'address' && !expr.raw && expr.base.kind === 'deref' && isPointer(expr.base.base)) {
      found.push({ span: expr.span, how: expr.mutable ? '&mut *' : '&*', expr, source: expr.base.base });
    } else if (expr.kind === 'method' && /^as_(?:ref|mut|uninit_ref)$/u.test(expr.method) && isPointer(expr.receiver)) {
      found.push({ span: expr.span, how: expr.method, expr, source: expr.receiver });
    } else if (expr.kind === 'call' && expr.callee.kind === 'name') {
      const name = expr.callee.path.at(-1) ?? '';
      const owner = expr.callee.path.at(-2);
      const source = expr.args[0]?.value;
      if (!source) return;
      if (
        (/^from_raw_parts(?:_mut)?$/u.test(name) && !/^(?:Vec|String|Box)$/u.test(owner ?? '')) ||
        (name === 'from_ptr' && owner === 'CStr') ||
        (name === 'transmute' && expr.args.length === 1 && !isNumber(source))
      )
        found.push({
          span: expr.span,
          how: owner === undefined || name === 'transmute' ? name : `${owner}::${name}`,
          expr,
          source,
        });
    }
  });
  return found;
}

/** A number made into another type, an enumeration mostly, is no reference. */
function isNumber(expr: Expr): boolean {
  return expr.kind === 'cast' && /^(?:[iu](?:8|16|32|64|128)|c_u?int|c_u?long)$/u.test(expr.type.name);
}

/** Where a value comes from: a parameter or `self`, with the fields on the way; undefined for anything else. */
export interface Source {
  readonly name: string;
  readonly path: readonly string[];
}

/** Variables of a body with what they were bound to. */
export type Bindings = ReadonlyMap<string, Expr>;

export function bindingsOf(body: Block): Bindings {
  const map = new Map<string, Expr>();
  const add = (statement: Statement): void => {
    if (
      statement.kind === 'let' &&
      statement.init &&
      statement.pattern.kind === 'bind' &&
      !map.has(statement.pattern.name)
    )
      map.set(statement.pattern.name, statement.init);
  };
  walkStatements(body, add);
  walkBody(body, ({ expr }) => {
    const bind = (pattern: Pattern, value: Expr): void => {
      for (const name of namesOf(pattern)) if (!map.has(name)) map.set(name, value);
    };
    if (expr.kind === 'let-condition') bind(expr.pattern, expr.value);
    if (expr.kind === 'match') for (const arm of expr.arms) bind(arm.pattern, expr.scrutinee);
  });
  return map;
}

function walkStatements(body: Block, visit: (statement: Statement) => void): void {
  for (const statement of body.statements) visit(statement);
  walkBody(body, ({ expr, statement }) => {
    if (statement) visit(statement);
    if (expr.kind === 'block') for (const inner of expr.block.statements) visit(inner);
    if (expr.kind === 'loop') for (const inner of expr.body.statements) visit(inner);
  });
}

/** Calls that look at or copy what they are given and hand out another view of it. */
const PASSING = new Set(
  'as_ptr as_mut_ptr as_str as_slice as_mut_slice as_bytes cast cast_mut cast_const add sub offset byte_add get unwrap expect as_ref as_mut deref deref_mut borrow borrow_mut lock addr read get_mut'.split(
    ' ',
  ),
);

/** The parameter or field of `self` behind an expression, through casts, pointer arithmetic and variables. */
export function sourceOf(expr: Expr, bindings: Bindings, fn: FunctionIr, depth = 0): Source | undefined {
  if (depth > 12) return undefined;
  const next = (inner: Expr): Source | undefined => sourceOf(inner, bindings, fn, depth + 1);
  switch (expr.kind) {
    case 'name': {
      const name = expr.path.length === 1 ? expr.path[0] : undefined;
      if (name === undefined) return undefined;
      const bound = bindings.get(name);
      if (bound) return next(bound);
      if (name === 'self' || fn.params.some((p) => p.name === name)) return { name, path: [] };
      return undefined;
    }
    case 'field': {
      const base = next(expr.base);
      return base ? { name: base.name, path: [...base.path, expr.name] } : undefined;
    }
    case 'cast':
    case 'try':
      return next(expr.value);
    case 'deref':
    case 'address':
      return next(expr.base);
    case 'method':
      return PASSING.has(expr.method) ? next(expr.receiver) : undefined;
    case 'index':
    case 'slice':
      return next(expr.base);
    case 'call': {
      const name = expr.callee.kind === 'name' ? (expr.callee.path.at(-1) ?? '') : '';
      return /^(?:from_ref|from_mut|addr_of|addr_of_mut|transmute)$/u.test(name) && expr.args[0]
        ? next(expr.args[0].value)
        : undefined;
    }
    case 'block':
      return expr.block.result ? next(expr.block.result) : undefined;
    default:
      return undefined;
  }
}

/** The type of a source: of the parameter, or of the field of the type that the function belongs to. */
export function typeOfSource(unit: UnitFacts, file: FileIr, fn: FunctionIr, source: Source): TypeRef | undefined {
  const oracle = unit.oracle('rust');
  let type: TypeRef | undefined;
  let owner = source.name === 'self' ? fn.owner : undefined;
  if (source.name !== 'self') type = fn.params.find((p) => p.name === source.name)?.type;
  for (const field of source.path) {
    if (owner === undefined) {
      let inner = type;
      while (inner?.kind === 'reference' && inner.element) inner = inner.element;
      owner = inner?.kind === 'path' ? inner.name : undefined;
    }
    if (owner === undefined) return undefined;
    type = oracle.declaration(owner, file.path)?.fields.find((f) => f.name === field)?.type;
    owner = undefined;
    if (!type) return undefined;
  }
  return type;
}

export function isRawPointer(type: TypeRef | undefined): boolean {
  return type?.kind === 'pointer' || (type?.kind === 'path' && type.name === 'NonNull');
}

/** The expressions whose values may be what the body returns, and what the names in them were bound to. */
export function findResults(body: Block, bindings: Bindings): readonly Span[] {
  const spans: Span[] = [];
  const names = new Set<string>();
  const queue: Expr[] = body.result ? [body.result] : [];
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'return' && expr.value) queue.push(expr.value);
  });
  for (let next = queue.pop(); next; next = queue.pop()) {
    // What is only looked at to choose a value is no part of it.
    if (next.kind === 'if') {
      queue.push(next.then, ...(next.else ? [next.else] : []));
      continue;
    }
    if (next.kind === 'match') {
      queue.push(...next.arms.map((a) => a.body));
      continue;
    }
    if (next.kind === 'block') {
      if (next.block.result) queue.push(next.block.result);
      continue;
    }
    spans.push(next.span);
    walkBody({ span: next.span, statements: [], result: next }, ({ expr }) => {
      const name = expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
      if (name === undefined || names.has(name)) return;
      names.add(name);
      const bound = bindings.get(name);
      if (bound) queue.push(bound);
    });
  }
  return spans;
}
