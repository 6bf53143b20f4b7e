import type { Arm, Attribute, Argument, Block, Expr, FunctionIr, Statement, TypeRef } from '../../model/ir.js';
import { NONE } from '../../model/lists.js';
import type { Span } from '../../model/source.js';
import { childByField, firstOfKind, type SyntaxNode } from '../syntax.js';
import type { Lowering, Scope } from './context.js';
import { areExclusive } from './exclusive-cfgs.js';
import { findConditions, lowerAttribute } from './lower-attributes.js';
import { isItem, lowerNestedItem, lowerParams } from './lower-items.js';
import { lowerPattern } from './lower-patterns.js';
import { lowerPath, lowerType, lowerTypeArguments, plainName } from './lower-types.js';
import { lowerMacro } from './macros.js';
import { firstPart, hasChild, isComment, lastPart, partsOf, spanOf } from './nodes.js';

// --- blocks and statements -------------------------------------------------------------------------------------------

const WITH_BLOCK = new Set([
  'unsafe_block',
  'async_block',
  'gen_block',
  'try_block',
  'block',
  'if_expression',
  'match_expression',
  'while_expression',
  'loop_expression',
  'for_expression',
  'const_block',
]);

/** What executes only under a cfg: an `if` decided when the crate is compiled, whose condition is a `cfg` macro. */
function underCondition(conditions: readonly string[], attributes: readonly Attribute[], expr: Expr): Expr {
  const first = attributes.find((attribute) => attribute.name === 'cfg' || attribute.name === 'cfg_attr');
  if (conditions.length === 0 || !first) return expr;
  const condition: Expr = { kind: 'macro', span: first.span, name: 'cfg', args: [], opaque: false };
  const block: Block = { span: expr.span, statements: [], result: expr };
  return {
    kind: 'if',
    span: { start: first.span.start, end: expr.span.end },
    condition,
    then: { kind: 'block', span: expr.span, block, flavour: 'plain' },
    isStatic: true,
  };
}

/** Statements side by side of which a build has one at most: `#[cfg(unix)] { .. }`, `#[cfg(windows)] { .. }`. */
interface ConditionChain {
  readonly expr: Expr & { readonly kind: 'if' };
  readonly conditions: readonly string[];
}

function startChain(conditions: readonly string[], expr: Expr): ConditionChain | undefined {
  const [condition] = conditions;
  return condition !== undefined && conditions.length === 1 && expr.kind === 'if' && expr.isStatic === true
    ? { expr, conditions: [condition] }
    : undefined;
}

/** The statement as one more branch of those before it; undefined when a build may have it beside one of them. */
function joinChain(before: ConditionChain, conditions: readonly string[], expr: Expr): ConditionChain | undefined {
  const own = startChain(conditions, expr);
  if (!own || !before.conditions.every((one) => own.conditions.every((other) => areExclusive(one, other))))
    return undefined;
  return { expr: withElse(before.expr, own.expr), conditions: [...before.conditions, ...own.conditions] };
}

function withElse(expr: ConditionChain['expr'], last: ConditionChain['expr']): ConditionChain['expr'] {
  const otherwise = expr.else?.kind === 'if' ? withElse(expr.else, last) : last;
  return { ...expr, span: { start: expr.span.start, end: last.span.end }, else: otherwise };
}

/** The statements of a block in order; the tail expression is its `result`. */
export function lowerBlock(cx: Lowering, node: SyntaxNode, scope: Scope): Block {
  cx.enter(node);
  const block = readBlock(cx, node, scope);
  cx.leave();
  return block;
}

function readBlock(cx: Lowering, node: SyntaxNode, scope: Scope): Block {
  const statements: Statement[] = [];
  let result: Expr | undefined;
  let attributes: Attribute[] = [];
  // What stands directly before, when it executes only under a cfg, with the cfgs of the statements that it is made of.
  let chain: ConditionChain | undefined;
  const outerStatement = cx.statementStart;
  const last = node.children.findLast((child) => child.named && !isComment(child));
  for (const child of node.children) {
    if (!child.named || isComment(child) || child.kind === 'label') continue;
    if (child.kind === 'inner_attribute_item' || child.kind === 'empty_statement') continue;
    if (child.kind === 'attribute_item') {
      lowerAttribute(cx, child, attributes);
      continue;
    }
    const own = attributes;
    attributes = [];
    cx.statementStart = own[0]?.span.start ?? child.start;
    const conditions = findConditions(own);
    const inner = conditions.length > 0 ? { ...scope, conditions: [...scope.conditions, ...conditions] } : scope;
    const previous = chain;
    chain = undefined;
    if (child.kind === 'let_declaration') statements.push(lowerLet(cx, child, inner, conditions));
    else if (isItem(child)) statements.push(lowerNestedItem(cx, child, scope, own));
    else if (child.kind === 'expression_statement' || child.kind === 'macro_invocation') {
      const value = child.kind === 'macro_invocation' ? child : firstPart(child);
      if (!value) continue;
      const alone = underCondition(conditions, own, lowerExpr(cx, value, inner));
      const joined = previous && joinChain(previous, conditions, alone);
      if (joined) statements.pop();
      chain = joined ?? startChain(conditions, alone);
      const expr = chain?.expr ?? alone;
      const isTail =
        child === last &&
        (child.kind === 'macro_invocation'
          ? isTailMacro(cx, child)
          : WITH_BLOCK.has(value.kind) && cx.text[child.end - 1] !== ';');
      if (isTail) result = expr;
      else
        statements.push({
          kind: 'expression',
          span: { start: Math.min(child.start, expr.span.start), end: child.end },
          expr,
        });
    } else {
      const alone = underCondition(conditions, own, lowerExpr(cx, child, inner));
      const joined = previous && joinChain(previous, conditions, alone);
      if (joined) statements.pop();
      result = joined?.expr ?? alone;
    }
  }
  cx.statementStart = outerStatement;
  return { span: spanOf(node), statements, ...(result ? { result } : {}) };
}

/** A macro at the end of a block is its value unless a semicolon follows (the grammar reads that as an empty statement). */
function isTailMacro(cx: Lowering, node: SyntaxNode): boolean {
  return !/^\s*;/.test(cx.text.slice(node.end, node.end + 40));
}

function lowerLet(cx: Lowering, node: SyntaxNode, scope: Scope, conditions: readonly string[]): Statement {
  const patternNode = childByField(node, 'pattern');
  const typeNode = childByField(node, 'type');
  const value = childByField(node, 'value');
  const otherwise = childByField(node, 'alternative');
  const isMutable = hasChild(node, 'mutable_specifier');
  return {
    kind: 'let',
    span: spanOf(node),
    pattern: patternNode
      ? lowerPattern(cx, patternNode, { mutable: isMutable })
      : { kind: 'wildcard', span: { start: node.start, end: node.start } },
    ...(typeNode ? { type: lowerType(cx, typeNode) } : {}),
    ...(value ? { init: lowerExpr(cx, value, scope) } : {}),
    ...(otherwise ? { otherwise: lowerBlock(cx, otherwise, scope) } : {}),
    modifiers: isMutable ? ['mut'] : NONE,
    ...(conditions.length > 0 ? { conditions } : {}),
  };
}

// --- safety comments -------------------------------------------------------------------------------------------------

const SAFETY = /\bsafety\b/i;

/** Whether the run of comments that ends directly before `offset` (white space and attributes aside) speaks of safety. */
function hasSafetyBefore(cx: Lowering, offset: number): boolean {
  let low = 0;
  let high = cx.comments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cx.comments[middle]?.span.end ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  let end = offset;
  for (let i = low - 1; i >= 0; i--) {
    const comment = cx.comments[i];
    if (!comment || !/^\s*$/.test(cx.text.slice(comment.span.end, end))) return false;
    if (SAFETY.test(comment.text)) return true;
    end = comment.span.start;
  }
  return false;
}

/** A comment about safety above the statement, above the line, before the keyword or first thing in the block. */
function hasSafetyComment(cx: Lowering, node: SyntaxNode, body: SyntaxNode): boolean {
  const lineStart = cx.text.lastIndexOf('\n', node.start - 1) + 1;
  if (hasSafetyBefore(cx, node.start) || hasSafetyBefore(cx, lineStart) || hasSafetyBefore(cx, cx.statementStart))
    return true;
  const first = body.children.find((child) => child.named && !isComment(child));
  return hasSafetyBefore(cx, first?.start ?? body.end - 1);
}

// --- closures --------------------------------------------------------------------------------------------------------

function lowerClosure(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const isBlock = node.kind !== 'closure_expression';
  const bodyNode = isBlock ? firstOfKind(node, 'block') : childByField(node, 'body');
  const list = isBlock ? undefined : childByField(node, 'parameters');
  const returns = isBlock ? undefined : childByField(node, 'return_type');
  const names = [...scope.names, isBlock ? '{async}' : '{closure}'];
  const place = cx.functions.length;
  const id = cx.firstId + place;
  const headEnd = list?.end ?? bodyNode?.start ?? node.end;
  const declared: FunctionIr = {
    id,
    kind: isBlock ? 'async-block' : 'closure',
    name: names.at(-1) ?? '',
    qualifiedName: names.join('.'),
    span: spanOf(node),
    nameSpan: { start: node.start, end: headEnd },
    ...(bodyNode ? { bodySpan: spanOf(bodyNode) } : {}),
    ...(scope.parent !== undefined ? { parent: scope.parent } : {}),
    params: lowerParams(cx, list).params,
    ...(returns ? { returns: lowerType(cx, returns) } : {}),
    attributes: [],
    generics: [],
    isAsync: isBlock ? node.kind === 'async_block' : hasChild(node, 'async'),
    isUnsafe: false,
    isPublic: false,
    isStatic: false,
    isTest: scope.isTest,
    conditions: scope.conditions,
    isMove: hasChild(node, 'move'),
  };
  cx.functions.push(declared);
  if (bodyNode) {
    const inner: Scope = {
      names,
      conditions: scope.conditions,
      isTest: scope.isTest,
      parent: id,
      parentName: declared.qualifiedName,
    };
    const body: Block =
      bodyNode.kind === 'block' && !firstOfKind(bodyNode, 'label')
        ? lowerBlock(cx, bodyNode, inner)
        : { span: spanOf(bodyNode), statements: [], result: lowerExpr(cx, bodyNode, inner) };
    cx.functions[place] = { ...declared, body };
  }
  return { kind: 'closure', span: spanOf(node), functionId: id };
}

// --- calls and paths -------------------------------------------------------------------------------------------------

function lowerArguments(cx: Lowering, node: SyntaxNode | undefined, scope: Scope): Argument[] {
  const args: Argument[] = [];
  for (const part of node ? partsOf(node) : []) {
    if (part.kind !== 'attribute_item') args.push({ value: lowerExpr(cx, part, scope) });
  }
  return args;
}

function lowerCall(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const callee = childByField(node, 'function');
  const span = spanOf(node);
  if (!callee) return unknown(cx, node, scope);
  const generic = callee.kind === 'generic_function' ? childByField(callee, 'function') : undefined;
  const target = generic ?? callee;
  if (target.kind === 'field_expression') {
    const receiver = childByField(target, 'value');
    const name = childByField(target, 'field');
    if (receiver && name) {
      const lowered = lowerExpr(cx, receiver, scope);
      return {
        kind: 'method',
        span,
        receiver: lowered,
        method: plainName(cx.textOf(name)),
        methodSpan: spanOf(name),
        typeArgs: generic ? lowerTypeArguments(cx, childByField(callee, 'type_arguments')).types : [],
        args: lowerArguments(cx, childByField(node, 'arguments'), scope),
      };
    }
  }
  return {
    kind: 'call',
    span,
    callee: lowerExpr(cx, callee, scope),
    args: lowerArguments(cx, childByField(node, 'arguments'), scope),
  };
}

function lowerName(cx: Lowering, node: SyntaxNode): Expr {
  const typeArgs: TypeRef[] = [];
  const path = lowerPath(cx, node, typeArgs);
  return { kind: 'name', span: spanOf(node), path, ...(typeArgs.length > 0 ? { typeArgs } : {}) };
}

function unknown(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const children = partsOf(node)
    .filter((part) => part.kind !== 'label' && part.kind !== 'attribute_item' && part.kind !== 'type_arguments')
    .map((part) => lowerExpr(cx, part, scope));
  return { kind: 'unknown', span: spanOf(node), syntax: node.kind, children };
}

function missing(node: SyntaxNode): Expr {
  return { kind: 'unknown', span: spanOf(node), syntax: 'missing', children: [] };
}

// --- ranges ----------------------------------------------------------------------------------------------------------

interface Range {
  readonly from?: Expr;
  readonly to?: Expr;
  readonly inclusive: boolean;
}

function lowerRange(cx: Lowering, node: SyntaxNode, scope: Scope): Range {
  const operator = node.children.find((child) => !child.named && child.kind.startsWith('..'));
  const parts = partsOf(node);
  const before = parts.find((part) => operator !== undefined && part.end <= operator.start);
  const after = parts.find((part) => operator !== undefined && part.start >= operator.end);
  return {
    ...(before ? { from: lowerExpr(cx, before, scope) } : {}),
    ...(after ? { to: lowerExpr(cx, after, scope) } : {}),
    inclusive: operator !== undefined && cx.text.startsWith('..=', operator.start),
  };
}

// --- control flow ----------------------------------------------------------------------------------------------------

function labelOf(cx: Lowering, node: SyntaxNode): { label?: string } {
  const label = firstOfKind(node, 'label');
  return label ? { label: cx.textOf(label).trim() } : {};
}

/** `break (x)`, which the grammar reads as a call of `break`. */
function breakWith(node: SyntaxNode): { readonly jump: SyntaxNode; readonly value: SyntaxNode } | undefined {
  const jump = childByField(node, 'function');
  const list = childByField(node, 'arguments');
  const [value, ...others] = list ? partsOf(list) : [];
  return jump?.kind === 'break_expression' && value && others.length === 0 ? { jump, value } : undefined;
}

/** The operand with `&` or `*` before it, under the casts that stand behind it. */
function withPrefix(operand: Expr, operator: '&' | '*', end: number): Expr {
  if (operand.kind === 'cast')
    return { ...operand, value: withPrefix(operand.value, operator, operand.value.span.end) };
  const span = { start: operand.span.start - 1, end };
  return operator === '*'
    ? { kind: 'deref', span, base: operand }
    : { kind: 'address', span, base: operand, mutable: false, raw: false };
}

function plainBlock(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  return {
    kind: 'block',
    span: spanOf(node),
    block: lowerBlock(cx, node, scope),
    flavour: 'plain',
    ...labelOf(cx, node),
  };
}

function lowerCondition(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  if (node.kind === 'let_condition') {
    const pattern = childByField(node, 'pattern');
    const value = childByField(node, 'value');
    if (!pattern || !value) return missing(node);
    return {
      kind: 'let-condition',
      span: spanOf(node),
      pattern: lowerPattern(cx, pattern),
      value: lowerExpr(cx, value, scope),
    };
  }
  if (node.kind !== 'let_chain') return lowerExpr(cx, node, scope);
  const [first, ...rest] = partsOf(node);
  if (!first) return missing(node);
  cx.enter(node);
  let chain = lowerCondition(cx, first, scope);
  for (const part of rest) {
    const right = lowerCondition(cx, part, scope);
    chain = {
      kind: 'binary',
      span: { start: chain.span.start, end: right.span.end },
      operator: '&&',
      left: chain,
      right,
    };
  }
  cx.leave();
  return chain;
}

function lowerIf(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const condition = childByField(node, 'condition');
  const consequence = childByField(node, 'consequence');
  const alternative = childByField(node, 'alternative');
  if (!condition || !consequence) return unknown(cx, node, scope);
  const otherwise = alternative ? firstPart(alternative) : undefined;
  return {
    kind: 'if',
    span: spanOf(node),
    condition: lowerCondition(cx, condition, scope),
    then: plainBlock(cx, consequence, scope),
    ...(otherwise ? { else: lowerExpr(cx, otherwise, scope) } : {}),
  };
}

/** A match arm; `body` may be replaced where the arm has none of its own. */
export function lowerArm(cx: Lowering, node: SyntaxNode, scope: Scope): Arm | undefined {
  const match = childByField(node, 'pattern');
  const value = childByField(node, 'value');
  if (!match || !value) return undefined;
  const condition = childByField(match, 'condition');
  const patternNode = match.children.find(
    (child) => child !== condition && (child.kind === '_' || (child.named && !isComment(child))),
  );
  if (!patternNode) return undefined;
  return {
    span: spanOf(node),
    pattern: lowerPattern(cx, patternNode),
    ...(condition ? { guard: lowerCondition(cx, condition, scope) } : {}),
    body: lowerExpr(cx, value, scope),
  };
}

function lowerMatch(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const scrutinee = childByField(node, 'value');
  const body = childByField(node, 'body');
  if (!scrutinee || !body) return unknown(cx, node, scope);
  const lowered = lowerExpr(cx, scrutinee, scope);
  const arms: Arm[] = [];
  for (const child of body.children) {
    const arm = child.kind === 'match_arm' ? lowerArm(cx, child, scope) : undefined;
    if (arm) arms.push(arm);
  }
  return { kind: 'match', span: spanOf(node), scrutinee: lowered, arms };
}

function lowerLoop(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const body = childByField(node, 'body');
  if (!body) return unknown(cx, node, scope);
  const label = labelOf(cx, node);
  const span = spanOf(node);
  if (node.kind === 'for_expression') {
    const pattern = childByField(node, 'pattern');
    const value = childByField(node, 'value');
    if (!pattern || !value) return unknown(cx, node, scope);
    return {
      kind: 'loop',
      span,
      form: 'foreach',
      ...label,
      bindings: [{ pattern: lowerPattern(cx, pattern), byRef: false }],
      iterable: lowerExpr(cx, value, scope),
      body: lowerBlock(cx, body, scope),
    };
  }
  const condition = childByField(node, 'condition');
  return {
    kind: 'loop',
    span,
    form: condition ? 'while' : 'loop',
    ...label,
    ...(condition ? { condition: lowerCondition(cx, condition, scope) } : {}),
    body: lowerBlock(cx, body, scope),
  };
}

// --- literals, structs -----------------------------------------------------------------------------------------------

type LiteralType = Extract<Expr, { kind: 'literal' }>['type'];

function literalType(node: SyntaxNode, text: string): LiteralType {
  switch (node.kind) {
    case 'char_literal':
      return text.startsWith('b') ? 'number' : 'char';
    case 'boolean_literal':
      return 'bool';
    case 'unit_expression':
      return 'unit';
    case 'string_literal':
    case 'raw_string_literal':
      return text.startsWith('b') ? 'byte-string' : text.startsWith('c') ? 'c-string' : 'string';
    default:
      return 'number';
  }
}

function lowerStruct(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const name = childByField(node, 'name');
  const body = childByField(node, 'body');
  if (!name || !body) return unknown(cx, node, scope);
  const fields: { name: string; value: Expr; span: Span }[] = [];
  let base: Expr | undefined;
  for (const part of partsOf(body)) {
    if (part.kind === 'shorthand_field_initializer') {
      const value = lastPart(part);
      if (value) fields.push({ name: plainName(cx.textOf(value)), value: lowerName(cx, value), span: spanOf(part) });
    } else if (part.kind === 'field_initializer') {
      const field = childByField(part, 'field');
      const value = childByField(part, 'value');
      if (field && value)
        fields.push({ name: plainName(cx.textOf(field)), value: lowerExpr(cx, value, scope), span: spanOf(part) });
    } else if (part.kind === 'base_field_initializer') {
      const value = firstPart(part);
      if (value) base = lowerExpr(cx, value, scope);
    }
  }
  return { kind: 'struct', span: spanOf(node), type: lowerType(cx, name), fields, ...(base ? { base } : {}) };
}

function lowerArray(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const length = childByField(node, 'length');
  const items = partsOf(node)
    .filter((part) => part !== length && part.kind !== 'attribute_item')
    .map((part) => lowerExpr(cx, part, scope));
  return { kind: 'array', span: spanOf(node), items, ...(length ? { repeat: lowerExpr(cx, length, scope) } : {}) };
}

// --- expressions -----------------------------------------------------------------------------------------------------

function operatorOf(node: SyntaxNode): SyntaxNode | undefined {
  return childByField(node, 'operator') ?? node.children.find((child) => !child.named);
}

/** Any expression. Parentheses vanish: the inner expression keeps its own span. */
export function lowerExpr(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  cx.enter(node);
  const expr = readExpr(cx, node, scope);
  cx.leave();
  return expr;
}

function readExpr(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const span = spanOf(node);
  switch (node.kind) {
    case 'identifier':
    case 'self':
    case 'super':
    case 'crate':
    case 'metavariable':
    case 'type_identifier':
      return { kind: 'name', span, path: cx.names.path(plainName(cx.textOf(node))) };
    case 'scoped_identifier':
      return lowerName(cx, node);
    case 'generic_function': {
      const target = childByField(node, 'function');
      if (!target || target.kind === 'field_expression') return unknown(cx, node, scope);
      const typeArgs: TypeRef[] = [];
      const path = lowerPath(cx, target, typeArgs);
      typeArgs.push(...lowerTypeArguments(cx, childByField(node, 'type_arguments')).types);
      return { kind: 'name', span, path, typeArgs };
    }
    case 'string_literal':
    case 'raw_string_literal':
    case 'char_literal':
    case 'boolean_literal':
    case 'integer_literal':
    case 'float_literal':
    case 'negative_literal':
    case 'unit_expression': {
      const text = cx.textOf(node);
      return { kind: 'literal', span, type: literalType(node, text), text };
    }
    case 'parenthesized_expression': {
      const inner = firstPart(node);
      return inner ? lowerExpr(cx, inner, scope) : missing(node);
    }
    case 'call_expression': {
      const given = breakWith(node);
      if (given) return { kind: 'break', span, ...labelOf(cx, given.jump), value: lowerExpr(cx, given.value, scope) };
      return lowerCall(cx, node, scope);
    }
    case 'field_expression': {
      const base = childByField(node, 'value');
      const name = childByField(node, 'field');
      if (!base || !name) return unknown(cx, node, scope);
      return {
        kind: 'field',
        span,
        nameSpan: spanOf(name),
        base: lowerExpr(cx, base, scope),
        name: plainName(cx.textOf(name)),
      };
    }
    case 'index_expression': {
      const [base, index] = partsOf(node);
      if (!base || !index) return unknown(cx, node, scope);
      const lowered = lowerExpr(cx, base, scope);
      if (index.kind !== 'range_expression')
        return { kind: 'index', span, base: lowered, index: lowerExpr(cx, index, scope) };
      const { from, to } = lowerRange(cx, index, scope);
      return { kind: 'slice', span, base: lowered, ...(from ? { from } : {}), ...(to ? { to } : {}) };
    }
    case 'range_expression':
      return { kind: 'range', span, ...lowerRange(cx, node, scope) };
    case 'unary_expression': {
      const operand = firstPart(node);
      if (!operand) return missing(node);
      const operator = operatorOf(node)?.kind ?? '';
      const lowered = lowerExpr(cx, operand, scope);
      return operator === '*'
        ? { kind: 'deref', span, base: lowered }
        : { kind: 'unary', span, operator, operand: lowered };
    }
    case 'reference_expression': {
      const value = childByField(node, 'value');
      if (!value) return missing(node);
      return {
        kind: 'address',
        span,
        base: lowerExpr(cx, value, scope),
        mutable: hasChild(node, 'mutable_specifier'),
        raw: hasChild(node, 'raw'),
      };
    }
    case 'binary_expression': {
      const left = childByField(node, 'left');
      const right = childByField(node, 'right');
      if (!left || !right) return unknown(cx, node, scope);
      const operator = operatorOf(node)?.kind ?? '';
      // The grammar reads `break &x` as what `break` is combined with.
      if (left.kind === 'break_expression' && (operator === '&' || operator === '*'))
        return {
          kind: 'break',
          span,
          ...labelOf(cx, left),
          value: withPrefix(lowerExpr(cx, right, scope), operator, span.end),
        };
      return {
        kind: 'binary',
        span,
        operator,
        left: lowerExpr(cx, left, scope),
        right: lowerExpr(cx, right, scope),
      };
    }
    case 'assignment_expression':
    case 'compound_assignment_expr': {
      const left = childByField(node, 'left');
      const right = childByField(node, 'right');
      if (!left || !right) return unknown(cx, node, scope);
      const operator = node.kind === 'assignment_expression' ? '=' : (operatorOf(node)?.kind ?? '=');
      return { kind: 'assign', span, operator, target: lowerExpr(cx, left, scope), value: lowerExpr(cx, right, scope) };
    }
    case 'type_cast_expression': {
      const value = childByField(node, 'value');
      const type = childByField(node, 'type');
      if (!value || !type) return unknown(cx, node, scope);
      return { kind: 'cast', span, value: lowerExpr(cx, value, scope), type: lowerType(cx, type) };
    }
    case 'try_expression': {
      const value = firstPart(node);
      return value ? { kind: 'try', span, value: lowerExpr(cx, value, scope) } : missing(node);
    }
    case 'await_expression': {
      const value = firstPart(node);
      return value ? { kind: 'await', span, value: lowerExpr(cx, value, scope) } : missing(node);
    }
    case 'tuple_expression':
      return {
        kind: 'tuple',
        span,
        items: partsOf(node)
          .filter((part) => part.kind !== 'attribute_item')
          .map((part) => lowerExpr(cx, part, scope)),
      };
    case 'array_expression':
      return lowerArray(cx, node, scope);
    case 'struct_expression':
      return lowerStruct(cx, node, scope);
    case 'closure_expression':
    case 'async_block':
      return lowerClosure(cx, node, scope);
    case 'block':
      return plainBlock(cx, node, scope);
    case 'unsafe_block':
    case 'const_block': {
      const body = firstOfKind(node, 'block');
      if (!body) return missing(node);
      const isUnsafe = node.kind === 'unsafe_block';
      return {
        kind: 'block',
        span,
        ...(isUnsafe ? { hasSafetyComment: hasSafetyComment(cx, node, body) } : {}),
        flavour: isUnsafe ? 'unsafe' : 'const',
        block: lowerBlock(cx, body, scope),
      };
    }
    case 'if_expression':
      return lowerIf(cx, node, scope);
    case 'let_condition':
    case 'let_chain':
      return lowerCondition(cx, node, scope);
    case 'match_expression':
      return lowerMatch(cx, node, scope);
    case 'while_expression':
    case 'loop_expression':
    case 'for_expression':
      return lowerLoop(cx, node, scope);
    case 'return_expression': {
      const value = firstPart(node);
      return { kind: 'return', span, ...(value ? { value: lowerExpr(cx, value, scope) } : {}) };
    }
    case 'break_expression': {
      const value = partsOf(node).find((part) => part.kind !== 'label');
      return { kind: 'break', span, ...labelOf(cx, node), ...(value ? { value: lowerExpr(cx, value, scope) } : {}) };
    }
    case 'continue_expression':
      return { kind: 'continue', span, ...labelOf(cx, node) };
    case 'macro_invocation':
      return lowerMacro(cx, node, scope);
    default:
      return unknown(cx, node, scope);
  }
}
