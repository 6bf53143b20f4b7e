import type { Block, Expr, Statement } from './ir.js';

export interface Walked {
  readonly expr: Expr;
  /** Expressions around it, outermost first. */
  readonly around: readonly Expr[];
  /** The nearest statement around it; absent in the value of a body. */
  readonly statement?: Statement;
}

/**
 * Visits every expression of a body, outer before inner, in source order. Bodies of closures are functions of their own and are
 * not entered.
 */
export function walkBody(body: Block, visit: (walked: Walked) => void): void {
  walkBlock(body, [], visit);
}

/** As `walkBody`, for one expression and what is in it. */
export function walkExpression(expr: Expr, visit: (walked: Walked) => void): void {
  walkExpr(expr, [], visit, undefined);
}

function walkBlock(block: Block, around: readonly Expr[], visit: (walked: Walked) => void): void {
  for (const statement of block.statements) {
    switch (statement.kind) {
      case 'let':
        if (statement.init !== undefined) walkExpr(statement.init, around, visit, statement);
        if (statement.otherwise !== undefined) walkBlock(statement.otherwise, around, visit);
        break;
      case 'expression':
        walkExpr(statement.expr, around, visit, statement);
        break;
      case 'defer':
        walkBlock(statement.body, around, visit);
        break;
      case 'try':
        walkBlock(statement.body, around, visit);
        for (const handler of statement.catches) walkBlock(handler.body, around, visit);
        if (statement.finally !== undefined) walkBlock(statement.finally, around, visit);
        break;
      case 'item':
        break;
    }
  }
  if (block.result !== undefined) walkExpr(block.result, around, visit, undefined);
}

function walkExpr(
  expr: Expr,
  around: readonly Expr[],
  visit: (walked: Walked) => void,
  statement: Statement | undefined,
): void {
  visit(statement === undefined ? { expr, around } : { expr, around, statement });
  if (expr.kind === 'name' || expr.kind === 'literal') return;
  // Every child of an expression is an expression, a block, or a plain object or list that holds some.
  walkChildren(expr, [...around, expr], visit, statement);
}

function walkChildren(
  parent: object,
  around: readonly Expr[],
  visit: (walked: Walked) => void,
  statement: Statement | undefined,
): void {
  for (const key in parent) {
    if (key === 'span' || key === 'type' || key === 'typeArgs' || key === 'pattern') continue;
    // The members of a node are what its literal gave it; nothing is inherited.
    const value: unknown = parent[key as keyof typeof parent];
    if (typeof value === 'object' && value !== null) walkValue(value, around, visit, statement);
  }
}

function walkValue(
  value: object,
  around: readonly Expr[],
  visit: (walked: Walked) => void,
  statement: Statement | undefined,
): void {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    for (const item of items) if (typeof item === 'object' && item !== null) walkValue(item, around, visit, statement);
    return;
  }
  if (isBlock(value)) walkBlock(value, around, visit);
  else if (isExpr(value)) walkExpr(value, around, visit, statement);
  // Arms, arguments, struct fields and bindings.
  else if (!isPattern(value)) walkChildren(value, around, visit, statement);
}

const patternKinds = new Set(['bind', 'wildcard', 'parts', 'reference', 'alternatives']);

function isBlock(value: object): value is Block {
  return 'statements' in value && 'span' in value;
}

function isPattern(value: object): boolean {
  return 'kind' in value && typeof value.kind === 'string' && patternKinds.has(value.kind);
}

function isExpr(value: object): value is Expr {
  return 'kind' in value && 'span' in value && !isPattern(value);
}

/** The last segments of what is called: `thread::spawn`, `.join`, or undefined for other expressions. */
export function calleeOf(expr: Expr): string | undefined {
  if (expr.kind === 'method') return `.${expr.method}`;
  if (expr.kind === 'call' && expr.callee.kind === 'name') return expr.callee.path.slice(-2).join('::');
  return undefined;
}
