import type { Block, Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import type { UnitFacts } from './unit.js';

/** Data of a callback that a type's `drop` frees, though nothing takes the callback back. */
export interface FreedCallbackData {
  readonly type: string;
  readonly field: string;
  readonly callee: string;
  /** The registration. */
  readonly span: Span;
  readonly freed: Span;
  readonly how: string;
}

/** Registrations that stay until they are taken back. */
const STAYS =
  /(?:^|_|[a-z])(?:[Ss]et|[Aa]dd|[Rr]egister|[Ii]nstall|[Ss]ubscribe|[Ll]isten|[Aa]ttach|[Hh]ook)(?:_|[A-Z]|$)/u;
/** What may stand in a `drop` that only frees. */
const ONLY_FREES =
  /^(?:from_raw|from_non_null|drop|forget|is_null|as_ptr|cast|cast_mut|take|replace|get_mut|new|unwrap|Some|drop_in_place|dealloc|as_mut)$/u;

/**
 * `register(&self, library)` gives a function of the file and `self.data` to a foreign function whose name says that it keeps them, for an
 * object that is not the type's own; and `drop` frees `self.data` and calls nothing else.
 */
export function findFreedCallbackData(unit: UnitFacts, file: FileIr): readonly FreedCallbackData[] {
  const text = unit.textOf(file.path) ?? '';
  if (!/\bextern\s+"(?:C|system|C-unwind)"\s+fn\b/u.test(text) || !/\bDrop\s+for\b/u.test(text)) return [];
  const full = unit.withBodies(
    file,
    (f) => f.trait === 'Drop' || unit.holds(file, f, [/\b(?:ffi|sys|\w+_sys)\s*::|\bunsafe\b/u]),
  );
  return full.functions.flatMap((drop) => {
    if (drop.trait !== 'Drop' || drop.name !== 'drop' || !drop.body || drop.owner === undefined || drop.isTest)
      return [];
    const freed = freedBy(drop.body);
    if (!freed) return [];
    const { owner } = drop;
    // What only the package makes, it may keep as long as the library does.
    if (!full.types.some((t) => t.name === owner && t.isPublic)) return [];
    for (const fn of full.functions) {
      if (fn.owner !== owner || !fn.body || fn.trait === 'Drop' || fn.isTest) continue;
      const found = registrationOf(full, fn, fn.body, freed.field);
      if (found) return [{ type: owner, ...freed, ...found }];
    }
    return [];
  });
}

/** The field of `self` that a `drop` frees, when that is all it does. */
function freedBy(body: Block): { readonly field: string; readonly freed: Span; readonly how: string } | undefined {
  let found: { field: string; freed: Span; how: string } | undefined;
  let isOther = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'method') isOther ||= !ONLY_FREES.test(expr.method);
    if (expr.kind !== 'call') return;
    const path = expr.callee.kind === 'name' ? expr.callee.path : [];
    isOther ||= !ONLY_FREES.test(path.at(-1) ?? '');
    if (path.at(-1) !== 'from_raw' || path.at(-2) !== 'Box') return;
    const field = fieldOf(expr.args[0]?.value);
    if (field !== undefined) found = { field, freed: expr.span, how: 'Box::from_raw' };
  });
  return isOther ? undefined : found;
}

/** `self.data`, through casts. */
function fieldOf(expr: Expr | undefined, depth = 0): string | undefined {
  if (!expr || depth > 5) return undefined;
  if (expr.kind === 'cast') return fieldOf(expr.value, depth + 1);
  if (expr.kind === 'method')
    return /^(?:cast|cast_mut|as_ptr)$/u.test(expr.method) ? fieldOf(expr.receiver, depth + 1) : undefined;
  return expr.kind === 'field' && expr.base.kind === 'name' && expr.base.path.join('::') === 'self'
    ? expr.name
    : undefined;
}

function registrationOf(
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  field: string,
): { readonly callee: string; readonly span: Span } | undefined {
  const bindings = bindingsOf(body);
  // `Self { data, .. }` of a constructor: the variable is the field.
  const alias = new Set<string>();
  const kept = new Set<string>();
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'struct' || (expr.type.name !== 'Self' && expr.type.name !== fn.owner)) return;
    for (const { name, value } of expr.fields) {
      const variable = rootOf(value);
      if (variable === undefined) continue;
      if (name === field) alias.add(variable);
      else kept.add(variable);
    }
  });
  let found: { callee: string; span: Span } | undefined;
  walkBody(body, ({ expr }) => {
    if (found || expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.args.length < 2) return;
    const name = expr.callee.path.at(-1) ?? '';
    if (!STAYS.test(name) || !expr.args.some((a) => isCallback(file, a.value))) return;
    const isGiven = expr.args.some(({ value }) => {
      const variable = rootOf(value);
      return fieldOf(value) === field || (variable !== undefined && variable !== 'self' && alias.has(variable));
    });
    // The object that it is registered with must be another's: what the type keeps itself may end with it.
    const holder = rootOf(expr.args[0]?.value);
    const isForeign = fn.params.some((p) => p.name === holder && !isOwned(p.type?.kind)) && !kept.has(holder ?? '');
    if (isGiven && isForeign && !derivesFrom(bindings, kept, holder ?? ''))
      found = { callee: expr.callee.path.join('::'), span: expr.span };
  });
  return found;
}

function isOwned(kind: string | undefined): boolean {
  return kind !== 'pointer' && kind !== 'reference';
}

/** Whether a variable that the type keeps was made of the parameter. */
function derivesFrom(bindings: Bindings, kept: ReadonlySet<string>, parameter: string): boolean {
  return [...kept].some((name) => {
    const init = bindings.get(name);
    return init !== undefined && rootOf(init) === parameter;
  });
}

/** The variable that an expression begins with, through casts, fields and methods. */
function rootOf(expr: Expr | undefined, depth = 0): string | undefined {
  if (!expr || depth > 8) return undefined;
  switch (expr.kind) {
    case 'name':
      return expr.path.length === 1 ? expr.path[0] : undefined;
    case 'cast':
      return rootOf(expr.value, depth + 1);
    case 'field':
    case 'deref':
    case 'address':
      return rootOf(expr.base, depth + 1);
    case 'method':
      return rootOf(expr.receiver, depth + 1);
    default:
      return undefined;
  }
}

/** A function of the file with a foreign ABI: `read`, `Some(read)`, `read::<T>`. */
function isCallback(file: FileIr, expr: Expr): boolean {
  if (expr.kind === 'cast') return isCallback(file, expr.value);
  if (expr.kind === 'call')
    return (
      expr.callee.kind === 'name' &&
      expr.callee.path.at(-1) === 'Some' &&
      expr.args.some(({ value }) => isCallback(file, value))
    );
  return (
    expr.kind === 'name' &&
    file.functions.some((f) => f.name === expr.path.at(-1) && f.abi !== undefined && f.bodySpan !== undefined)
  );
}
