import type { Block, Expr, Statement } from './ir.js';
import { NONE } from './lists.js';

export interface Walked {
  readonly expr: Expr;
  /** Expressions around it, outermost first. */
  readonly around: readonly Expr[];
  /** The nearest statement around it; absent in the value of a body. */
  readonly statement?: Statement | undefined;
}

/**
 * Visits every expression of a body, outer before inner, in source order. Bodies of closures are functions of their own and are
 * not entered.
 */
export function walkBody(body: Block, visit: (walked: Walked) => void): void {
  walkBlock(body, undefined, visit);
}

/** A body and every block in it, outer before inner: those of `try` and `scope (exit)` too, but not the bodies of closures. */
export function blocksIn(body: Block): readonly Block[] {
  const found: Block[] = [];
  const enter = (block: Block): void => {
    found.push(block);
    for (const statement of block.statements) blocksOf(statement).forEach(enter);
  };
  enter(body);
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'block') enter(expr.block);
    else if (expr.kind === 'loop') enter(expr.body);
  });
  return found;
}

/** The blocks of a statement itself, not those of the expressions in it. */
function blocksOf(statement: Statement): readonly Block[] {
  switch (statement.kind) {
    case 'let':
      return statement.otherwise === undefined ? NONE : [statement.otherwise];
    case 'defer':
      return [statement.body];
    case 'try':
      return [
        statement.body,
        ...statement.catches.map((handler) => handler.body),
        ...(statement.finally === undefined ? [] : [statement.finally]),
      ];
    default:
      return NONE;
  }
}

/** As `walkBody`, for one expression and what is in it. */
export function walkExpression(expr: Expr, visit: (walked: Walked) => void): void {
  walkExpr(expr, undefined, visit, undefined);
}

/** An expression on the way: what is around it is listed when a visitor asks, once for all that are directly in one. */
class Step implements Walked {
  private inside: readonly Expr[] | undefined;

  constructor(
    readonly expr: Expr,
    private readonly outer: Step | undefined,
    readonly statement: Statement | undefined,
  ) {}

  get around(): readonly Expr[] {
    const { outer } = this;
    return outer === undefined ? [] : (outer.inside ??= [...outer.around, outer.expr]);
  }
}

type Visit = (walked: Walked) => void;

function walkBlock(block: Block, outer: Step | undefined, visit: Visit): void {
  for (const statement of block.statements) walkStatement(statement, outer, visit);
  if (block.result !== undefined) walkExpr(block.result, outer, visit, undefined);
}

function walkStatement(statement: Statement, outer: Step | undefined, visit: Visit): void {
  if (statement.kind === 'expression') walkExpr(statement.expr, outer, visit, statement);
  else {
    if (statement.kind === 'let' && statement.init !== undefined) walkExpr(statement.init, outer, visit, statement);
    for (const block of blocksOf(statement)) walkBlock(block, outer, visit);
  }
}

function walkExpr(expr: Expr, outer: Step | undefined, visit: Visit, statement: Statement | undefined): void {
  const step = new Step(expr, outer, statement);
  visit(step);
  switch (expr.kind) {
    case 'name':
    case 'literal':
      return;
    // What most expressions are.
    case 'call':
      walkExpr(expr.callee, step, visit, statement);
      for (const { value } of expr.args) walkExpr(value, step, visit, statement);
      return;
    case 'method':
      walkExpr(expr.receiver, step, visit, statement);
      for (const { value } of expr.args) walkExpr(value, step, visit, statement);
      return;
    case 'field':
    case 'deref':
    case 'address':
      walkExpr(expr.base, step, visit, statement);
      return;
    case 'index':
      walkExpr(expr.base, step, visit, statement);
      walkExpr(expr.index, step, visit, statement);
      return;
    case 'binary':
      walkExpr(expr.left, step, visit, statement);
      walkExpr(expr.right, step, visit, statement);
      return;
    case 'assign':
      walkExpr(expr.target, step, visit, statement);
      walkExpr(expr.value, step, visit, statement);
      return;
    case 'unary':
      walkExpr(expr.operand, step, visit, statement);
      return;
    case 'cast':
      walkExpr(expr.value, step, visit, statement);
      return;
    default:
      // Every child of an expression is an expression, a block, or a plain object or list that holds some.
      walkChildren(expr, step, visit, statement);
  }
}

function walkChildren(parent: object, outer: Step, visit: Visit, statement: Statement | undefined): void {
  for (const key in parent) {
    if (key === 'span' || key === 'type' || key === 'typeArgs' || key === 'pattern') continue;
    // The members of a node are what its literal gave it; nothing is inherited.
    const value: unknown = parent[key as keyof typeof parent];
    if (typeof value === 'object' && value !== null) walkValue(value, outer, visit, statement);
  }
}

function walkValue(value: object, outer: Step, visit: Visit, statement: Statement | undefined): void {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    for (const item of items) if (typeof item === 'object' && item !== null) walkValue(item, outer, visit, statement);
    return;
  }
  if (isBlock(value)) walkBlock(value, outer, visit);
  else if (isExpr(value)) walkExpr(value, outer, visit, statement);
  // Arms, arguments, struct fields and bindings.
  else if (!isPattern(value)) walkChildren(value, outer, visit, statement);
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
