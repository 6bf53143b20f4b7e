import type { Block, Expr, ExprOf, FileIr, FunctionIr, Statement } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { blocksIn, walkBody, walkExpression } from '../model/walk-body.js';
import { bindingsOf } from './raw-views.js';
import { originOf, outermost, withoutCasts } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** A value that is made of somebody's raw pointer, given back at the end, and dropped on a way out before. */
export interface KeptTooLate {
  /** `Box::from_raw`. */
  readonly taker: string;
  /** The pointer as written. */
  readonly pointer: string;
  readonly span: Span;
  /** `?` or `return Err(..)`. */
  readonly left: Span;
  /** `forget`, `leak`, `into_raw`, `ManuallyDrop::new`, and where it stands. */
  readonly keeper: string;
  readonly kept: Span;
}

const TAKES = /^(?:Box|Rc|Arc|Vec|String|CString)::from_raw(?:_parts)?$/u;
const KEEPS = /^(?:\w+::)?(forget|leak|into_raw|ManuallyDrop::new)$/u;

/**
 * `let context = Box::from_raw(data); run(&context)?; Box::leak(context);`: the function only borrows what the pointer leads to, and where
 * `run` fails the box frees it, though whoever gave the pointer has it still. A `return` that is no error may mean that this was the
 * last call; a pointer that the function itself makes is its own.
 */
export function findKeptTooLate(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly KeptTooLate[] {
  const { body } = fn;
  if (!body || !/\bfrom_raw/u.test(textOf(unit, file, fn))) return [];
  const closures = file.functions.filter((f) => f.parent === fn.id && f.kind !== 'function');
  return [...ownKeptTooLate(unit, file, fn, body), ...closures.flatMap((f) => findKeptTooLate(unit, file, f))];
}

function textOf(unit: UnitFacts, file: FileIr, { span }: FunctionIr): string {
  return unit.textOf(file.path)?.slice(span.start, span.end) ?? '';
}

function ownKeptTooLate(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): readonly KeptTooLate[] {
  const all = unit.textOf(file.path) ?? '';
  const text = all.slice(body.span.start, body.span.end);
  if (!/\bfrom_raw(?:_parts)?\s*\(/u.test(text) || !/\?\s*[;.,)}]|\breturn\s+Err\b/u.test(text)) return [];
  if ([...text.matchAll(/\b(?:forget|leak|into_raw|ManuallyDrop::new)\s*\(/gu)].length !== 1) return [];
  return blocksIn(body).flatMap((block) => {
    const found: KeptTooLate[] = [];
    for (const [i, statement] of block.statements.entries()) {
      const made = madeBy(statement);
      if (!made || !isGiven(file, fn, body, made.call)) continue;
      const rest = block.statements.slice(i + 1);
      const at = rest.findIndex((one) => keeperOf(one, made.name) !== undefined);
      const keeper = at < 0 ? undefined : keeperOf(rest[at], made.name);
      const left = keeper && wayOut(block, rest.slice(0, at), made.name);
      if (!keeper || !left) continue;
      const argument = made.call.args[0]?.value.span;
      const written = argument ? all.slice(argument.start, argument.end) : '';
      // Who else is given the pointer may own it from then on, and a count that was raised, or a field that was set to null, is the function's own.
      const between = all.slice(statement.span.end, keeper.kept.start);
      const before = all.slice(body.span.start, statement.span.start);
      const pointer = /^\w+(?:\s*\.\s*\w+)*/u.exec(written)?.[0];
      if (pointer === undefined || new RegExp(`(?<![.\\w])${pointer.replaceAll('.', '\\.')}\\b`, 'u').test(between))
        continue;
      if (new RegExp(`&\\s*(?:mut\\s+)?\\*\\s*${made.name}\\b|\\bas_(?:mut_)?ptr\\s*\\(`, 'u').test(between)) continue;
      if (/increment_strong_count|\bnull(?:_mut)?\s*\(/u.test(before)) continue;
      found.push({
        taker: made.taker,
        pointer: written,
        span: made.call.span,
        left,
        ...keeper,
      });
    }
    return found;
  });
}

/** `let name = Box::from_raw(..)`, in a block or not. */
function madeBy(
  statement: Statement,
): { readonly name: string; readonly taker: string; readonly call: ExprOf<'call'> } | undefined {
  if (statement.kind !== 'let' || statement.pattern.kind !== 'bind') return undefined;
  const call = inner(statement.init);
  if (call?.kind !== 'call' || call.callee.kind !== 'name') return undefined;
  const taker = call.callee.path.slice(-2).join('::');
  return TAKES.test(taker) ? { name: statement.pattern.name, taker, call } : undefined;
}

function inner(expr: Expr | undefined): Expr | undefined {
  if (expr?.kind === 'block' && expr.block.statements.length === 0) return inner(expr.block.result);
  return expr && withoutCasts(expr);
}

/** The pointer comes from a parameter or a field, not from what the function made. */
function isGiven(file: FileIr, fn: FunctionIr, body: Block, call: ExprOf<'call'>): boolean {
  const argument = call.args[0]?.value;
  if (!argument) return false;
  const origin = originOf(argument, bindingsOf(body));
  if (origin.kind === 'field') return true;
  if (origin.kind !== 'name' || origin.path.length !== 1) return false;
  const outer = outermost(fn, new Map(file.functions.map((f) => [f.id, f])));
  return [...fn.params, ...outer.params].some(({ name }) => name === origin.path[0]);
}

/** `forget(name);`, `Box::leak(name);`, `let _ = Box::into_raw(name) as ..;`, `let name = ManuallyDrop::new(name);` */
function keeperOf(
  statement: Statement | undefined,
  name: string,
): { readonly keeper: string; readonly kept: Span } | undefined {
  const value =
    statement?.kind === 'expression' ? statement.expr : statement?.kind === 'let' ? statement.init : undefined;
  const call = inner(value);
  if (call?.kind !== 'call' || call.callee.kind !== 'name' || call.args.length !== 1) return undefined;
  const keeper = KEEPS.exec(call.callee.path.slice(-2).join('::'))?.[1];
  if (keeper === undefined || !isName(call.args[0]?.value, name)) return undefined;
  // What is done with the pointer that comes out of it is another matter.
  if (statement?.kind === 'let' && statement.pattern.kind !== 'wildcard' && keeper !== 'ManuallyDrop::new')
    return undefined;
  return { keeper, kept: call.span };
}

/** The first `?` or `return Err(..)` of these statements, where nothing of them is given the value itself. */
function wayOut(block: Block, statements: readonly Statement[], name: string): Span | undefined {
  let left: Span | undefined;
  let isMoved = false;
  const visit = ({ expr }: { readonly expr: Expr }): void => {
    if (expr.kind === 'try') left ??= { start: expr.span.end - 1, end: expr.span.end };
    else if (expr.kind === 'return' && isError(expr.value)) left ??= expr.span;
    if (expr.kind === 'call') isMoved ||= expr.args.some(({ value }) => isName(value, name));
    if (expr.kind === 'method') isMoved ||= expr.args.some(({ value }) => isName(value, name));
    if (expr.kind === 'assign' || expr.kind === 'return') isMoved ||= isName(expr.value, name);
  };
  walkBody({ span: block.span, statements }, visit);
  for (const one of statements) if (one.kind === 'let') isMoved ||= isName(one.init, name);
  return isMoved ? undefined : left;
}

function isError(value: Expr | undefined): boolean {
  let is = false;
  if (value)
    walkExpression(value, ({ expr }) => {
      is ||= expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.path.at(-1) === 'Err';
    });
  return is;
}

function isName(expr: Expr | undefined, name: string): boolean {
  return expr?.kind === 'name' && expr.path.length === 1 && expr.path[0] === name;
}
