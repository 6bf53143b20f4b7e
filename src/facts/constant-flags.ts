import type { Argument, Expr, FunctionIr } from '../model/ir.js';
import type { Walked } from '../model/walk-body.js';
import { uncast } from './d-code.js';

/** What is known of the boolean parameters of a function in one call of it. */
export type Flags = ReadonlyMap<string, boolean>;

/** Nothing is known: the function is not looked at for one call. */
export const NO_FLAGS: Flags = new Map();

/**
 * The boolean parameters of a function of D that a call sets to a constant, by an argument or by leaving it to the default. A parameter
 * that the function sets anew is none of them. `text` is the text of the file that the function stands in.
 */
export function constantFlags(text: string, callee: FunctionIr, args: readonly Argument[], outer: Flags): Flags {
  const known = new Map<string, boolean>();
  callee.params.forEach((param, index) => {
    if (param.type?.name !== 'bool') return;
    const given =
      args.find(({ name }) => name === param.name) ?? (args[index]?.name === undefined ? args[index] : undefined);
    const value = given === undefined ? defaultOf(text, param.span.start, param.span.end) : valueOf(given.value, outer);
    if (value !== undefined && !isSet(text, callee, param.name)) known.set(param.name, value);
  });
  return known;
}

/** `bool dtor = false`; the span of a parameter may end before its default. */
function defaultOf(text: string, start: number, end: number): boolean | undefined {
  const word = /^[^,;{]*?=\s*(true|false)\s*[,)]/u.exec(text.slice(start, end + 40))?.[1];
  return word === undefined ? undefined : word === 'true';
}

function isSet(text: string, { bodySpan, span }: FunctionIr, name: string): boolean {
  const body = text.slice(bodySpan?.start ?? span.start, bodySpan?.end ?? span.end);
  return new RegExp(`(?:&\\s*${name}\\b(?!\\s*\\.)|(?<![.\\w])${name}\\s*[|&^]?=(?!=))`, 'u').test(body);
}

/** What a condition is with these flags; undefined when they do not decide it. */
function valueOf(expr: Expr, flags: Flags): boolean | undefined {
  const plain = uncast(expr);
  switch (plain.kind) {
    case 'literal':
      return plain.type === 'bool' ? plain.text === 'true' : undefined;
    case 'name':
      return plain.path.length === 1 ? flags.get(plain.path[0] ?? '') : undefined;
    case 'unary': {
      const value = plain.operator === '!' ? valueOf(plain.operand, flags) : undefined;
      return value === undefined ? undefined : !value;
    }
    case 'binary': {
      const left = valueOf(plain.left, flags);
      const right = valueOf(plain.right, flags);
      if (plain.operator === '&&') return left === false || right === false ? false : left === true ? right : undefined;
      if (plain.operator === '||') return left === true || right === true ? true : left === false ? right : undefined;
      if (left === undefined || right === undefined) return undefined;
      if (plain.operator === '==' || plain.operator === 'is') return left === right;
      return plain.operator === '!=' || plain.operator === '!is' ? left !== right : undefined;
    }
    default:
      return undefined;
  }
}

/** Whether an expression of a function stands where control does not come with these flags. */
export function isExcluded(fn: FunctionIr, { expr, around }: Walked, flags: Flags): boolean {
  if (flags.size === 0) return false;
  const { start } = expr.span;
  const isIn = (one: Expr | undefined): boolean => one !== undefined && one.span.start <= start && start < one.span.end;
  for (const outer of around) {
    if (outer.kind === 'if') {
      const value = valueOf(outer.condition, flags);
      if ((value === false && isIn(outer.then)) || (value === true && isIn(outer.else))) return true;
    }
    if (outer.kind === 'binary' && isIn(outer.right)) {
      const left = valueOf(outer.left, flags);
      if ((outer.operator === '&&' && left === false) || (outer.operator === '||' && left === true)) return true;
    }
  }
  // `if (dtor) return;` before it.
  return (fn.body?.statements ?? []).some(
    (one) =>
      one.kind === 'expression' &&
      one.expr.kind === 'if' &&
      one.span.end <= start &&
      valueOf(one.expr.condition, flags) === true &&
      leaves(one.expr.then),
  );
}

function leaves(expr: Expr): boolean {
  if (expr.kind === 'return' || expr.kind === 'throw') return true;
  if (expr.kind !== 'block') return false;
  const last = expr.block.statements.at(-1);
  return (
    (expr.block.result !== undefined && leaves(expr.block.result)) || (last?.kind === 'expression' && leaves(last.expr))
  );
}
