import { aggregateOf, calledName, type Let, letsIn, memberPath, uncast } from './d-code.js';
import type { UnitFacts } from './unit.js';
import { endsHere } from '../flow/calls.js';
import { isAssigned } from '../flow/expression-shapes.js';
import { withoutAlias } from '../flow/types.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, Statement, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody, walkExpression } from '../model/walk-body.js';

export interface ChangedTable {
  readonly table: string;
  /** What is iterated, in the head of the loop. */
  readonly loop: Span;
  readonly span: Span;
  readonly operation: string;
  readonly changes: 'removes entries' | 'adds an entry';
}

/** Lazy views of a table; `keys` and `values` are copies. */
const VIEWS = new Set(['byKey', 'byValue', 'byKeyValue', 'byPair']);

/**
 * D: associative arrays of which entries are removed or added in a loop over them that goes on. A loop that is left after the change is
 * fine, and so is a new value for the key that the loop has at hand.
 */
export function changedWhileIterated(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly ChangedTable[] {
  const found: ChangedTable[] = [];
  if (fn.body === undefined) return found;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'loop' || expr.form !== 'foreach' || expr.iterable === undefined || expr.isStatic === true)
      return;
    const table = iteratedTable(expr.iterable);
    const change = table === undefined ? undefined : changeIn(unit, file, expr, table);
    if (table !== undefined && change !== undefined && isTable(unit, file, fn, table))
      found.push({ table, loop: expr.iterable.span, ...change });
  });
  return found;
}

function iteratedTable(iterable: Expr): string | undefined {
  if (iterable.kind === 'field' && VIEWS.has(iterable.name)) return memberPath(iterable.base);
  if (iterable.kind === 'method' && VIEWS.has(iterable.method)) return memberPath(iterable.receiver);
  return memberPath(iterable);
}

function viewOf(iterable: Expr | undefined): string {
  return iterable?.kind === 'field' ? `.${iterable.name}` : iterable?.kind === 'method' ? `.${iterable.method}` : '';
}

function isTable(unit: UnitFacts, file: FileIr, fn: FunctionIr, table: string): boolean {
  const oracle = unit.oracle('d');
  const [head = '', ...members] = table.split('.');
  let type: TypeRef | undefined = declaredType(unit, file, fn, head);
  for (const member of members) {
    const owner = withoutAlias(type, oracle, file.path);
    const name = owner?.kind === 'pointer' ? owner.element?.name : owner?.name;
    type = oracle.declaration(name ?? '', file.path)?.fields.find((field) => field.name === member)?.type;
  }
  return withoutAlias(type, oracle, file.path)?.kind === 'assoc-array';
}

function declaredType(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  const isIt = (one: Statement): one is Let =>
    one.kind === 'let' && one.pattern.kind === 'bind' && one.pattern.name === name;
  const local = fn.body?.statements.findLast(isIt) ?? letsIn(fn.body).findLast(isIt);
  if (local !== undefined) return local.type;
  return (
    fn.params.find((param) => param.name === name)?.type ??
    aggregateOf(file, fn)?.fields.find((field) => field.name === name)?.type ??
    unit.oracle('d').global(name, file.path)?.decl.type
  );
}

/** The first change of the table in the body of the loop behind which the loop goes on. */
function changeIn(
  unit: UnitFacts,
  file: FileIr,
  loop: ExprOf<'loop'>,
  table: string,
): Omit<ChangedTable, 'table' | 'loop'> | undefined {
  // `foreach (key, value; table)`, `foreach (key; table.byKey)`
  const bindings = (loop.bindings ?? []).map(({ pattern }) => (pattern.kind === 'bind' ? pattern.name : ''));
  const isByKey = /\.\s*byKey$/u.test(viewOf(loop.iterable));
  const key = bindings.length === 2 || isByKey ? bindings[0] : undefined;
  const copies = copiesOfKey(loop.body, key ?? `${bindings[0] ?? ''}.key`);
  const leaves = leavingOf(unit, file, loop);
  let found: Omit<ChangedTable, 'table' | 'loop'> | undefined;
  const judge = (expr: Expr): void => {
    if (found !== undefined) return;
    if (expr.kind === 'method' && memberPath(expr.receiver) === table) {
      const isRemoval = (expr.method === 'remove' && expr.args.length === 1) || expr.method === 'clear';
      if (isRemoval) found = { span: expr.span, operation: expr.method, changes: 'removes entries' };
    }
    if (expr.kind !== 'assign' || expr.operator !== '=' || expr.target.kind !== 'index') return;
    if (memberPath(expr.target.base) !== table) return;
    const { index } = expr.target;
    const isAtHand =
      index.kind === 'name'
        ? index.path[0] === key || copies.has(index.path[0] ?? '')
        : memberPath(index) !== undefined;
    if (!isAtHand && index.kind !== 'literal')
      found = { span: expr.span, operation: '[..] =', changes: 'adds an entry' };
  };
  const visit = (block: Block, isLeft: boolean): void => {
    block.statements.forEach((statement, at) => {
      const goesOut = isLeft || block.statements.slice(at).some(leaves);
      for (const expr of expressionsOf(statement)) enter(expr, goesOut);
    });
    if (block.result !== undefined) enter(block.result, isLeft);
  };
  const enter = (expr: Expr, isLeft: boolean): void => {
    if (expr.kind === 'block') visit(expr.block, isLeft);
    else if (expr.kind === 'if') {
      enter(expr.then, isLeft);
      if (expr.else !== undefined) enter(expr.else, isLeft);
    } else if (!isLeft)
      walkExpression(expr, ({ expr: inner, around }) => {
        // What stands in a loop or switch of its own is followed no further.
        if (!around.some((outer) => outer.kind === 'loop' || outer.kind === 'match' || outer.kind === 'block'))
          judge(inner);
      });
  };
  visit(loop.body, false);
  return found;
}

function expressionsOf(statement: Statement): readonly Expr[] {
  if (statement.kind === 'expression') return [statement.expr];
  return statement.kind === 'let' && statement.init !== undefined ? [statement.init] : [];
}

/** Variables that are set once, to the key that the loop has at hand: `auto name = key;`, `const name = pair.key.idup;`. */
function copiesOfKey(body: Block, key: string): ReadonlySet<string> {
  const found = new Set<string>();
  walkBody(body, ({ expr, statement }) => {
    if (statement?.kind !== 'let' || statement.init !== expr || statement.pattern.kind !== 'bind') return;
    const { name } = statement.pattern;
    if (memberPath(uncast(expr))?.replace(/\.i?dup$/u, '') === key && !isAssigned(body, name)) found.add(name);
  });
  return found;
}

/** Whether a statement of the loop leaves it, or ends with one that does. */
function leavingOf(unit: UnitFacts, file: FileIr, loop: ExprOf<'loop'>): (statement: Statement) => boolean {
  const text = unit.textOf(file.path) ?? '';
  const inner = new Set<string>();
  walkBody(loop.body, ({ expr }) => {
    if ((expr.kind === 'loop' || expr.kind === 'block') && expr.label !== undefined) inner.add(expr.label);
  });
  const leavesAt = (expr: Expr): boolean => {
    switch (expr.kind) {
      case 'block':
        return expr.block.statements.some(leaves);
      case 'if':
        return expr.else !== undefined && leavesAt(expr.then) && leavesAt(expr.else);
      case 'return':
      case 'throw':
        return true;
      case 'break':
        return expr.label === undefined || !inner.has(expr.label);
      case 'continue':
        return expr.label !== undefined && expr.label !== loop.label && !inner.has(expr.label);
      case 'call':
      case 'method':
        return neverReturns(unit, file, expr);
      case 'unknown': {
        const label = /^goto\s+(\w+)\s*;/u.exec(text.slice(expr.span.start, expr.span.end))?.[1];
        if (label === undefined || label === 'case' || label === 'default') return false;
        const { start, end } = loop.body.span;
        return !new RegExp(`\\b${label}\\s*:`, 'u').test(text.slice(start, end));
      }
      default:
        return false;
    }
  };
  const leaves = (statement: Statement): boolean => statement.kind === 'expression' && leavesAt(statement.expr);
  return leaves;
}

/** `assert(0)`, `exit(1)`, and functions of the unit of type `noreturn` or that end by a `throw` and hold no `return`. */
function neverReturns(unit: UnitFacts, file: FileIr, call: ExprOf<'call'> | ExprOf<'method'>): boolean {
  const name = calledName(call) ?? '';
  if (call.kind === 'call' && endsHere(name, call.args)) return true;
  const isNamed = (fn: FunctionIr): boolean => fn.name === name;
  const other = unit.oracle('d').freeFunction(name, file.path)?.fn;
  const own = unit.withBodies(file, isNamed).functions.filter(isNamed);
  const callees = own.length > 0 || other === undefined ? own : [other];
  return callees.length > 0 && callees.every(isEndless);
}

function isEndless({ body, returns }: FunctionIr): boolean {
  if (returns?.kind === 'path' && returns.name === 'noreturn') return true;
  const last = body?.statements.at(-1);
  if (body === undefined || last?.kind !== 'expression') return false;
  const { expr } = last;
  const isLast = expr.kind === 'throw' || (expr.kind === 'call' && endsHere(calledName(expr) ?? '', expr.args));
  let returnsSomewhere = false;
  walkBody(body, (one) => {
    returnsSomewhere ||= one.expr.kind === 'return';
  });
  return isLast && !returnsSomewhere;
}
