import { LocalVariables } from './local-variables.js';
import type { UnitFacts } from './unit.js';
import type { Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { calleeOf, walkBody } from '../model/walk-body.js';

/** A callback that takes its data for another type than the one it was registered with. */
export interface MistakenData {
  readonly callee: string;
  readonly callback: FunctionIr;
  /** The type that the data points to where it is given, and the one that the callback makes of it. */
  readonly from: string;
  readonly to: string;
  readonly given: Span;
  readonly taken: Span;
}

const VOID = /^(?:c_void|void|gpointer|_)$/u;

/**
 * A call that is given an `extern "C"` function of the file and, behind it as untyped data, a pointer whose type is in sight, while that function
 * casts its only untyped parameter to a pointer to something else. Only structs of the package and type parameters are compared, and a
 * struct whose first field is the other may be meant for it.
 */
export function findMistakenData(unit: UnitFacts, file: FileIr, fn: FunctionIr): MistakenData | undefined {
  if (!fn.body || fn.isTest || fn.kind === 'closure') return undefined;
  const variables = new LocalVariables(fn.body);
  const text = unit.textOf(file.path) ?? '';
  let found: MistakenData | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (found || expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.args.length < 2) return;
    const [registered] = expr.args.flatMap((a, at) => {
      const named = callbackOf(a.value, variables);
      const callback = named && file.functions.find((f) => f.name === named.path.at(-1) && isForeignBody(f));
      return callback ? [{ named, callback, at }] : [];
    });
    if (!registered) return;
    const { named, callback } = registered;
    // What stands before the callback may be the object that it is registered with, or the list that it is called for each part of.
    const data = expr.args.slice(registered.at + 1).find(({ value }) => isPointer(fn, value, variables))?.value;
    const from = data ? dataType(fn, data, variables) : undefined;
    const isClosure = from !== undefined && isCallable(fn, from);
    if (!data || from === undefined || (!isClosure && !isStruct(unit, file, from))) return;
    for (const cast of castsOf(text, callback)) {
      const to = meantType(callback, cast.type, named);
      if (to === undefined) continue;
      // A closure in one box, taken for a box that holds a boxed closure.
      if (isClosure) {
        if (!isBoxedClosure(unit, file, to, text.slice(cast.span.end))) continue;
        found = { callee: expr.callee.path.join('::'), callback, from, to, given: data.span, taken: cast.span };
        return;
      }
      const isOther = fn.generics.some((g) => g.name === to && !g.name.startsWith("'")) || isStruct(unit, file, to);
      if (to === from || !isOther || mayStandFor(unit, file, from, to)) continue;
      found = { callee: expr.callee.path.join('::'), callback, from, to, given: data.span, taken: cast.span };
      return;
    }
  });
  return found;
}

function isForeignBody(fn: FunctionIr): boolean {
  return fn.abi !== undefined && fn.bodySpan !== undefined;
}

/** The function that an argument names: `f`, `f::<T>`, `Some(f)`, `transmute(f as *const ())`, or a variable of one of these. */
export function callbackOf(expr: Expr, variables: LocalVariables, depth = 0): ExprOf<'name'> | undefined {
  if (depth > 5) return undefined;
  const next = (inner: Expr | undefined): ExprOf<'name'> | undefined =>
    inner && callbackOf(inner, variables, depth + 1);
  switch (expr.kind) {
    case 'cast':
      return next(expr.value);
    case 'block':
      return next(expr.block.result);
    case 'call': {
      const name = expr.callee.kind === 'name' ? expr.callee.path.at(-1) : undefined;
      return name === 'Some' || name === 'transmute' ? next(expr.args[0]?.value) : undefined;
    }
    case 'name': {
      const variable = variables.at(expr);
      return variable ? next(variable.init) : expr;
    }
    default:
      return undefined;
  }
}

/** Whether an argument is written as a pointer: a null one, an address, a cast, or a variable of one of these. */
function isPointer(fn: FunctionIr, expr: Expr, variables: LocalVariables, depth = 0): boolean {
  if (depth > 5) return false;
  switch (expr.kind) {
    case 'cast':
      return expr.type.kind === 'pointer';
    case 'address':
      return true;
    case 'call':
      return expr.callee.kind === 'name' && /^(?:null|null_mut|into_raw)$/u.test(expr.callee.path.at(-1) ?? '');
    case 'method':
      return /^(?:cast|cast_mut|as_ptr|as_mut_ptr)$/u.test(expr.method);
    case 'block':
      return expr.block.result !== undefined && isPointer(fn, expr.block.result, variables, depth + 1);
    case 'name': {
      const [name = ''] = expr.path.length === 1 ? expr.path : [];
      const variable = variables.at(expr);
      if (variable) return variable.init !== undefined && isPointer(fn, variable.init, variables, depth + 1);
      return fn.params.some((p) => p.name === name && p.type?.kind === 'pointer');
    }
    default:
      return false;
  }
}

/** The struct that untyped data points to, by a cast to a typed pointer before, the address of a literal, or `self`. */
function dataType(
  fn: FunctionIr,
  expr: Expr,
  variables: LocalVariables,
  isVoid = false,
  depth = 0,
): string | undefined {
  if (depth > 6) return undefined;
  const next = (inner: Expr, erased = isVoid): string | undefined => dataType(fn, inner, variables, erased, depth + 1);
  switch (expr.kind) {
    case 'cast': {
      const { type } = expr;
      if (type.kind !== 'pointer') return undefined;
      const element = type.element?.name ?? '_';
      if (!VOID.test(element)) return isVoid ? nameOf(fn, type.element) : undefined;
      return next(expr.value, isVoid || element !== '_');
    }
    case 'method':
      return expr.method === 'cast' && expr.args.length === 0 ? next(expr.receiver, true) : undefined;
    case 'block':
      return expr.block.statements.length === 0 && expr.block.result ? next(expr.block.result) : undefined;
    case 'address':
      return isVoid ? contentType(fn, expr.base, variables) : undefined;
    case 'call':
      return isVoid && /^(?:Box|Arc|Rc)::into_raw$/u.test(calleeOf(expr) ?? '')
        ? boxedType(fn, expr.args[0]?.value, variables)
        : undefined;
    case 'name': {
      const [name] = expr.path;
      if (expr.path.length !== 1 || name === undefined) return undefined;
      if (name === 'self') return isVoid && fn.self && fn.self.mode !== 'value' ? fn.owner : undefined;
      const init = variables.at(expr)?.init;
      return init && next(init);
    }
    default:
      return undefined;
  }
}

/** What an owner holds: `Job` of `Box::new(Job { .. })` and `Box::new(job)`, also by way of a variable. */
function boxedType(fn: FunctionIr, expr: Expr | undefined, variables: LocalVariables, depth = 0): string | undefined {
  if (!expr || depth > 4) return undefined;
  if (expr.kind === 'call') {
    if (!/^(?:Box|Arc|Rc)::new$/u.test(calleeOf(expr) ?? '')) return undefined;
    const held = expr.args[0]?.value;
    const name = held?.kind === 'name' && held.path.length === 1 ? (held.path[0] ?? '') : undefined;
    if (held && (held.kind === 'struct' || variables.at(held))) return contentType(fn, held, variables);
    return name === undefined ? undefined : nameOf(fn, fn.params.find((p) => p.name === name)?.type);
  }
  if (expr.kind !== 'name' || expr.path.length !== 1) return undefined;
  const [name = ''] = expr.path;
  const variable = variables.at(expr);
  if (variable) return boxedType(fn, variable.init, variables, depth + 1);
  const type = fn.params.find((p) => p.name === name)?.type;
  return type?.kind === 'path' && /^(?:Box|Arc|Rc)$/u.test(type.name) ? nameOf(fn, type.args[0]) : undefined;
}

/** A type parameter that is called: `F: FnMut(u32)`. */
function isCallable(fn: FunctionIr, name: string): boolean {
  return fn.generics.some((g) => g.name === name && g.bounds.some((b) => /^\s*Fn(?:Mut|Once)?\b/u.test(b)));
}

/** `Box<dyn FnMut()>`, written out or by another name. */
function isBoxedClosure(unit: UnitFacts, file: FileIr, name: string, after: string): boolean {
  if (name === 'Box') return /^\s*<\s*dyn\s+Fn/u.test(after);
  const decl = unit.oracle('rust').declaration(name, file.path);
  return decl?.kind === 'alias' && /^Box\s*<\s*dyn\s+Fn/u.test(decl.alias?.text ?? '');
}

/** The struct that a variable was made as: `let mut state = State { .. }`. */
function contentType(fn: FunctionIr, expr: Expr, variables: LocalVariables): string | undefined {
  if (expr.kind === 'struct') return nameOf(fn, expr.type);
  const init = variables.at(expr)?.init;
  return init?.kind === 'struct' ? nameOf(fn, init.type) : undefined;
}

function nameOf(fn: FunctionIr, type: TypeRef | undefined): string | undefined {
  if (type?.kind !== 'path') return undefined;
  return type.name === 'Self' ? fn.owner : type.name;
}

interface TypedCast {
  /** The last part of the type's path. */
  readonly type: string;
  readonly span: Span;
}

/** What a callback casts its only untyped pointer to; nothing where it has several, or binds the name anew. */
function castsOf(text: string, { params, bodySpan }: FunctionIr): readonly TypedCast[] {
  const untyped = params.filter((p) => p.type?.kind === 'pointer' && VOID.test(p.type.element?.name ?? ''));
  const [data] = untyped;
  if (!data || untyped.length > 1 || !bodySpan) return [];
  const body = text.slice(bodySpan.start, bodySpan.end);
  if (new RegExp(`\\blet\\s+(?:mut\\s+)?${data.name}\\b`, 'u').test(body)) return [];
  const casts = new RegExp(
    `(?<![.\\w])${data.name}\\s*(?:\\bas\\s+\\*(?:mut|const)\\s+(?:\\w+::)*(\\w+)|\\.\\s*cast\\s*::\\s*<\\s*(?:\\w+::)*(\\w+))`,
    'gu',
  );
  return [...body.matchAll(casts)].flatMap((m): TypedCast[] => {
    const type = m[1] ?? m[2] ?? '_';
    const start = bodySpan.start + m.index;
    return VOID.test(type) ? [] : [{ type, span: { start, end: start + m[0].length } }];
  });
}

/** The name of the type, with the type arguments of the call in the place of the callback's parameters. */
function meantType(callback: FunctionIr, type: string, named: ExprOf<'name'>): string | undefined {
  const name = type === 'Self' ? callback.owner : type;
  const at = callback.generics.filter((g) => !g.name.startsWith("'")).findIndex((g) => g.name === name);
  return at < 0 ? name : named.typeArgs?.[at]?.name;
}

function isStruct(unit: UnitFacts, file: FileIr, name: string | undefined): name is string {
  return name !== undefined && unit.oracle('rust').declaration(name, file.path)?.kind === 'struct';
}

/** Whether one is the beginning of the other, as records of C extend one another, or nothing but the other. */
function mayStandFor(unit: UnitFacts, file: FileIr, a: string, b: string): boolean {
  const oracle = unit.oracle('rust');
  const begins = (outer: string, inner: string): boolean =>
    oracle.declaration(outer, file.path)?.fields[0]?.type?.name === inner;
  return begins(a, b) || begins(b, a);
}
