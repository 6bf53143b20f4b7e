import type { Block, Expr, ExprOf, FunctionIr } from '../model/ir.js';
import { walkBody } from '../model/walk-body.js';
import type { Span } from '../model/source.js';

/** Names of functions that make an error of a code: `check_code`, `ensure_ok`, `to_result`, `Error::from_status`. */
const MAKES_ERROR =
  /^(?:check|ensure|verify|cvt|raise|(?:to|into|as|from|make|map)_(?:\w+_)?(?:error|err|result|res|status|code))(?:_|$)|_check$/u;

/**
 * Rust: `if code != OK { .. check(code)?; }`: the error that the code stands for is handed on, so nothing behind the `if` follows the branch.
 * The code is compared with a constant, and the function is told by its name.
 */
export function endsWithFailure({ condition, then }: ExprOf<'if'>): boolean {
  if (condition.kind !== 'binary' || (condition.operator !== '!=' && condition.operator !== '<')) return false;
  const { left, right } = condition;
  const isConstant =
    right.kind === 'literal' || (right.kind === 'name' && /^[A-Z][A-Z\d_]*$/u.test(right.path.at(-1) ?? ''));
  const last = then.kind === 'block' && then.block.result === undefined ? then.block.statements.at(-1) : undefined;
  if (!isConstant || left.kind !== 'name' || last?.kind !== 'expression' || last.expr.kind !== 'try') return false;
  const { value } = last.expr;
  if (value.kind !== 'call' && value.kind !== 'method') return false;
  const callee = value.kind === 'method' ? value.method : (dottedPath(value.callee)?.at(-1) ?? '');
  if (!MAKES_ERROR.test(callee)) return false;
  const given = [...(value.kind === 'method' ? [value.receiver] : []), ...value.args.map((one) => one.value)];
  return given.some((one) => one.kind === 'name' && one.path.join('::') === left.path.join('::'));
}

/** The names of `a::b`, `a.b.c`; nothing for anything else. */
export function dottedPath(expr: Expr): string[] | undefined {
  if (expr.kind === 'name') return [...expr.path];
  if (expr.kind === 'field') {
    const base = dottedPath(expr.base);
    return base ? [...base, expr.name] : undefined;
  }
  return undefined;
}

/** How a message calls what is called. */
export function describeCallee(expr: Expr): string {
  return dottedPath(expr)?.join('.') ?? 'a function value';
}

/** Variables that are null, or hold nothing, when a condition holds, and when it does not. */
export function nullTests(condition: Expr): {
  readonly whenTrue: readonly string[];
  readonly whenFalse: readonly string[];
} {
  const nothing = { whenTrue: [], whenFalse: [] };
  const local = (e: Expr): string | undefined => (e.kind === 'name' && e.path.length === 1 ? e.path[0] : undefined);
  if (condition.kind === 'binary') {
    const isNull = (e: Expr): boolean => e.kind === 'literal' && e.type === 'null';
    const name = isNull(condition.right)
      ? local(condition.left)
      : isNull(condition.left)
        ? local(condition.right)
        : undefined;
    if (name !== undefined && (condition.operator === 'is' || condition.operator === '=='))
      return { whenTrue: [name], whenFalse: [] };
    if (name !== undefined && (condition.operator === '!is' || condition.operator === '!='))
      return { whenTrue: [], whenFalse: [name] };
    if (condition.operator === '||')
      return {
        whenTrue: [],
        whenFalse: [...nullTests(condition.left).whenFalse, ...nullTests(condition.right).whenFalse],
      };
    if (condition.operator === '&&')
      return {
        whenTrue: [...nullTests(condition.left).whenTrue, ...nullTests(condition.right).whenTrue],
        whenFalse: [],
      };
    return nothing;
  }
  if (condition.kind === 'unary' && condition.operator === '!') {
    const inner = nullTests(condition.operand);
    return { whenTrue: inner.whenFalse, whenFalse: inner.whenTrue };
  }
  if (condition.kind === 'method' && (condition.method === 'is_null' || condition.method === 'is_none')) {
    const name = local(condition.receiver);
    return name === undefined ? nothing : { whenTrue: [name], whenFalse: [] };
  }
  if (condition.kind === 'method' && condition.method === 'is_some') {
    const name = local(condition.receiver);
    return name === undefined ? nothing : { whenTrue: [], whenFalse: [name] };
  }
  // `if (auto p = ..)`; a pattern of Rust that only binds always matches.
  if (condition.kind === 'let-condition')
    return condition.pattern.kind === 'bind' ? { whenTrue: [], whenFalse: [condition.pattern.name] } : nothing;
  const name = local(condition);
  return name === undefined ? nothing : { whenTrue: [], whenFalse: [name] };
}

/** `x as *const T` and `ptr::null()`, also as the value of a block. */
export function isRawExpr(expr: Expr): boolean {
  if (expr.kind === 'block') return expr.block.result !== undefined && isRawExpr(expr.block.result);
  if (expr.kind === 'cast') return expr.type.kind === 'pointer';
  return expr.kind === 'call' && expr.callee.kind === 'name' && /^null(?:_mut)?$/u.test(expr.callee.path.at(-1) ?? '');
}

/** Whether the elements are pairs of a count and an item. */
export function isEnumerated(expr: Expr | undefined): boolean {
  let current = expr;
  while (current?.kind === 'method') {
    if (current.method === 'enumerate') return true;
    if (!/^(?:skip|take|rev|step_by|filter|skip_while|take_while|peekable|fuse|inspect)$/u.test(current.method))
      return false;
    current = current.receiver;
  }
  return false;
}

/** Whether something in the block happens under a condition or not at all. */
export function holdsBranch(body: Block): boolean {
  let holds = false;
  walkBody(body, ({ expr }) => {
    holds ||= expr.kind === 'if' || expr.kind === 'return' || expr.kind === 'throw';
  });
  return holds;
}

/** `for (;;)` and `while (true)`: only a `break` leaves them. */
export function isEndlessLoop({ form, iterable, condition }: ExprOf<'loop'>): boolean {
  if (iterable) return false;
  if (!condition) return form === 'for';
  return condition.kind === 'literal' && /^(?:true|1)$/u.test(condition.text);
}

/** Whether the condition binds variables: `if let`, also after `&&`. */
export function containsLet(expr: Expr): boolean {
  if (expr.kind === 'let-condition') return true;
  return expr.kind === 'binary' && (containsLet(expr.left) || containsLet(expr.right));
}

/** `let r = &temporary;` keeps the temporary for the whole block, also inside a cast, a struct, a tuple or an array. */
export function extendsTemporaries(expr: Expr): boolean {
  switch (expr.kind) {
    case 'address':
      return true;
    case 'cast':
      return extendsTemporaries(expr.value);
    case 'tuple':
    case 'array':
      return expr.items.some(extendsTemporaries);
    case 'struct':
      return expr.fields.some((f) => extendsTemporaries(f.value));
    case 'block':
      return expr.block.result !== undefined && extendsTemporaries(expr.block.result);
    default:
      return false;
  }
}

/**
 * What a borrow makes a static of: constants, and the empty array in any case. `isVariable` tells the names of variables from those of
 * functions.
 */
export function isPromoted(expr: Expr, mutable: boolean, isVariable: (name: string) => boolean): boolean {
  return (
    (!mutable || (expr.kind === 'array' && expr.items.length === 0 && !expr.repeat)) && isConstant(expr, isVariable)
  );
}

/** Expressions of literals and constants, and structs of those and of functions. */
function isConstant(expr: Expr, isVariable: (name: string) => boolean): boolean {
  const isFixed = (inner: Expr): boolean => isConstant(inner, isVariable);
  switch (expr.kind) {
    case 'literal':
      return true;
    case 'array':
      return [...expr.items, ...(expr.repeat ? [expr.repeat] : [])].every(isFixed);
    case 'tuple':
      return expr.items.every(isFixed);
    case 'unary':
      return isFixed(expr.operand);
    case 'cast':
      return isFixed(expr.value);
    // `&VTable { release: Some(release::<T>) }`, which the compiler keeps in the program.
    case 'struct':
      return expr.base === undefined && expr.fields.every((f) => isFixed(f.value) || isItem(f.value, isVariable));
    default:
      return expr.kind === 'name' && /^[A-Z][A-Z0-9_]*$/u.test(expr.path.at(-1) ?? '');
  }
}

/** `release::<T>`, `Self::release`, `None`, a function of the file, one of them in `Some(..)`, and a closure, which may capture something. */
function isItem(expr: Expr, isVariable: (name: string) => boolean): boolean {
  if (expr.kind === 'closure') return true;
  if (expr.kind === 'call')
    return (
      expr.callee.kind === 'name' &&
      expr.callee.path.join('::') === 'Some' &&
      expr.args.every(({ value }) => isConstant(value, isVariable) || isItem(value, isVariable))
    );
  if (expr.kind === 'cast') return isItem(expr.value, isVariable);
  return expr.kind === 'name' && (expr.path.length > 1 || !isVariable(expr.path[0] ?? ''));
}

/** Whether the body holds `name = ..`; closures are not entered. */
export function isAssigned(body: Block, name: string): boolean {
  let isSet = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'assign' || expr.operator !== '=' || expr.target.kind !== 'name') return;
    isSet ||= expr.target.path.length === 1 && expr.target.path[0] === name;
  });
  return isSet;
}

/** Names used inside a block that it does not declare itself; nested closures included. */
export function freeNames(block: Block, functions: ReadonlyMap<number, FunctionIr>): string[] {
  const names: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const item of node) visit(item);
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    if ('kind' in node) {
      if (node.kind === 'name' && 'path' in node && Array.isArray(node.path) && node.path.length === 1)
        names.push(String(node.path[0]));
      if (node.kind === 'closure' && 'functionId' in node && typeof node.functionId === 'number') {
        const body = functions.get(node.functionId)?.body;
        if (body) visit(body);
      }
    }
    for (const [key, value] of Object.entries(node))
      if (key !== 'span' && key !== 'type' && typeof value === 'object') visit(value);
  };
  visit(block);
  return names;
}

/**
 * D: where the calls are that have released nothing when a condition has this outcome: `deallocate`, which answers `false` to a block that is
 * not the allocator's, and `munmap`, which answers 0 where the pages are gone.
 */
export function refusedBy(condition: Expr, outcome: boolean): readonly Span[] {
  switch (condition.kind) {
    case 'unary':
      return condition.operator === '!' ? refusedBy(condition.operand, !outcome) : [];
    case 'binary': {
      const { left, right, operator } = condition;
      if (operator === '&&' || operator === '||')
        return operator === (outcome ? '&&' : '||') ? [...refusedBy(left, outcome), ...refusedBy(right, outcome)] : [];
      if (left.kind !== 'call' || left.callee.kind !== 'name' || left.callee.path.at(-1) !== 'munmap') return [];
      const isZero = right.kind === 'literal' && right.text === '0';
      const isFailed = operator === '==' ? outcome !== isZero : /^(?:!=|<)$/u.test(operator) && isZero && outcome;
      return isFailed ? [left.span] : [];
    }
    case 'call':
    case 'method': {
      const name =
        condition.kind === 'method'
          ? condition.method
          : condition.callee.kind === 'name'
            ? condition.callee.path.at(-1)
            : '';
      return !outcome && /^deallocate/u.test(name ?? '') ? [condition.span] : [];
    }
    default:
      return [];
  }
}

/** Rust: `c_text.to_str()?`, `text.trim()`: text that something lends. */
export function isLentText(expr: Expr): boolean {
  if (expr.kind === 'try') return isLentText(expr.value);
  if (expr.kind !== 'method') return false;
  if (/^(?:unwrap|expect|unwrap_or|unwrap_or_default|map_err|ok|unwrap_unchecked)$/u.test(expr.method))
    return isLentText(expr.receiver);
  return /^(?:to_str|to_string_lossy|as_str|trim|trim_start|trim_end)$/u.test(expr.method);
}
