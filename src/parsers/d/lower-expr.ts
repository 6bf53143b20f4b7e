import type { Argument, Expr, TypeRef } from '../../model/ir.js';
import type { Span } from '../../model/source.js';
import type { SyntaxNode } from '../syntax.js';
import { solidChildren, spanOf, splitBy } from './lowering.js';
import { isBuiltinType, TypeLowering } from './lower-types.js';

/** Kinds whose first operand goes on to the right of it: calls, members, indexes, `x++`. */
const postfixKinds = new Set(['call_expression', 'property_expression', 'index_expression', 'postfix_expression']);

const binaryKinds = new Set([
  'logical_or_expression',
  'logical_and_expression',
  'or_expression',
  'xor_expression',
  'and_expression',
  'equal_expression',
  'rel_expression',
  'identity_expression',
  'add_expression',
  'mul_expression',
  'shift_expression',
  'power_expression',
]);

const prefixKinds = new Set(['throw_expression', 'cast_expression', 'unary_expression', 'delete_expression']);

/** What prefix expressions begin with: operators, and the first letters of `cast`, `delete` and `throw`. */
const prefixCodes = new Set(Array.from('!&*+-~cdt', (character) => character.charCodeAt(0)));

/** `a ~ b ~ c …` beyond this many terms becomes one flat node, so that nobody has to recurse into it. */
const chainLimit = 200;

/** The name under which a lambda among the template arguments of a call (`map!(x => x)`) follows the ordinary arguments. */
const templateArgument = '!';

type Operand = readonly SyntaxNode[];

/** Expressions. */
export abstract class ExprLowering extends TypeLowering {
  private arrowOffsets: readonly number[] | undefined;

  /** A lambda or function literal. */
  protected abstract lowerClosure(literal: SyntaxNode): Expr;
  protected abstract lowerAnonymousClass(node: SyntaxNode): { type: TypeRef; args: readonly Argument[] };

  protected lowerExpr(node: SyntaxNode): Expr {
    if (!this.enter(node)) return this.unknown(node, []);
    const expr = this.exprOf(node);
    this.leave();
    return expr;
  }

  protected unknown(node: SyntaxNode, children: readonly Expr[], syntax = node.kind): Expr {
    return { kind: 'unknown', span: spanOf(node), syntax, children };
  }

  /** One operand: a node, or a `.` and a name (the grammar does not wrap `.name`). */
  protected lowerOperand(operand: Operand, around: SyntaxNode): Expr {
    const [first, second] = operand;
    if (first === undefined) return this.unknown(around, [], 'nothing');
    if (operand.length === 1) return this.lowerExpr(first);
    if (first.kind === '.' && second !== undefined && operand.length === 2) {
      const name = this.lowerName(second);
      return this.globalName(name, { start: first.start, end: second.end });
    }
    if (first.kind === '(' && second?.kind === 'type') return this.exprFromType(second);
    const known = operand.filter((node) => node.named);
    return this.unknown(
      around,
      known.map((node) => this.lowerExpr(node)),
    );
  }

  /** `a, b, c` evaluates each and has the value of the last. */
  protected lowerList(list: SyntaxNode): Expr {
    const operands = splitBy(solidChildren(list), ',');
    const last = operands.pop();
    if (last === undefined) return this.unknown(list, []);
    if (operands.length === 0) return this.lowerOperand(last, list);
    const statements = operands.map((operand) => {
      const expr = this.lowerOperand(operand, list);
      return { kind: 'expression', span: expr.span, expr } as const;
    });
    const block = { span: spanOf(list), statements, result: this.lowerOperand(last, list) };
    return { kind: 'block', span: spanOf(list), block, flavour: 'plain' };
  }

  private exprOf(node: SyntaxNode): Expr {
    if (node.skipped === true) {
      this.reportLimit(node);
      return this.unknown(node, []);
    }
    const regrouped = this.regroup(node);
    if (regrouped !== undefined) return this.exprOf(regrouped);
    const { kind } = node;
    if (binaryKinds.has(kind)) return this.lowerBinary(node);
    const span = spanOf(node);
    const children = node.children.length === 0 ? node.children : solidChildren(node);
    switch (kind) {
      case 'expression':
      case 'binary_expression':
        return this.lowerOperand(children, node);
      case 'expression_list':
        return this.lowerList(node);
      case 'identifier':
      case 'template_instance':
        return this.lowerName(node);
      case 'this':
        return { kind: 'name', span, path: ['self'] };
      case 'super':
      case 'dollar':
        return { kind: 'name', span, path: this.pathOf(node) };
      case 'int_literal':
      case 'float_literal':
        return { kind: 'literal', span, type: 'number', text: this.source(node) };
      case 'char_literal':
        return { kind: 'literal', span, type: 'char', text: this.source(node) };
      case 'true':
      case 'false':
        return { kind: 'literal', span, type: 'bool', text: kind };
      case 'null':
        return { kind: 'literal', span, type: 'null', text: kind };
      case 'special_keyword':
      case 'import_expression':
        return { kind: 'literal', span, type: 'string', text: this.source(node) };
      case 'string_literal':
        return this.lowerString(node);
      case 'array_literal':
        return this.lowerArray(node);
      case 'aggregate_initializer':
        return this.lowerAggregate(node, this.makeType('unknown', node.start, node.start));
      case 'function_literal':
        return this.lowerClosure(node);
      case 'assignment_expression':
        return this.lowerAssignment(node);
      case 'ternary_expression':
        return this.lowerTernary(node);
      case 'unary_expression': {
        const operator = this.source(children[0] ?? node);
        return this.prefixed(node, operator, this.lowerOperand(children.slice(1), node));
      }
      case 'postfix_expression': {
        const operator = children.at(-1) ?? node;
        return this.step(node, operator, this.lowerOperand(children.slice(0, -1), node));
      }
      case 'cast_expression':
      case 'throw_expression':
      case 'delete_expression':
        return this.finishPrefix(node, this.lowerOperand(this.prefixOperand(node), node));
      case 'primary_expression':
        return this.lowerPrimary(node);
      case 'property_expression':
        return this.lowerProperty(node, undefined, node);
      case 'index_expression':
        return this.lowerIndex(node);
      case 'call_expression':
        return this.lowerCall(node);
      case 'new_expression':
        return this.lowerNew(node, [], node);
      case 'assert_expression':
        return this.lowerAssert(node);
      case 'type':
        return this.exprFromType(node);
      case 'mixin_expression':
        this.mixinGap(node);
        return { kind: 'macro', span, name: 'mixin', args: [], opaque: true };
      case 'typeid_expression': {
        const operand = children.find((child) => child.kind === 'expression');
        return this.unknown(node, operand === undefined ? [] : [this.lowerExpr(operand)]);
      }
      case 'index':
        return this.lowerOperand(children, node);
      case 'is_expression':
      case 'traits_expression':
      case 'typeof_expression':
      case 'void':
        return this.unknown(node, []);
      default:
        if (isBuiltinType(kind)) return { kind: 'name', span, path: this.pathOf(node) };
        return this.unknown(
          node,
          children.filter((child) => child.named && child.children.length > 0).map((child) => this.lowerExpr(child)),
        );
    }
  }

  protected mixinGap(node: SyntaxNode): void {
    this.gap(
      'macro-body',
      node.start,
      (line) =>
        `The string mixin at line ${line} of '${this.file.path}' is not expanded, so what it declares or does was not checked; read it by hand.`,
    );
  }

  /**
   * Puts right what the grammar groups wrongly: it lets a call, member, index or assignment take a whole lambda
   * (`x => x.f(1)` as `(x => x).f(1)`) or a whole prefix expression (`throw new E(m)` as `(throw new E)(m)`). The leader at
   * the far left is taken out, what followed it is put behind the last operand of its own, and the leader goes around both.
   */
  private regroup(node: SyntaxNode): SyntaxNode | undefined {
    const isPostfix = postfixKinds.has(node.kind);
    if (!isPostfix && !mayStartWithLambda(node)) return undefined;
    if (!this.looksRegrouped(node, isPostfix)) return undefined;
    const leader = leaderOf(node);
    if (leader === undefined || leader === node) return undefined;
    const from = ownOperand(leader);
    if (from === undefined || (leader.kind !== 'function_literal' && !isPostfix)) return undefined;
    const operand = solidChildren({ ...leader, children: leader.children.slice(from) });
    const body = withLeft(node, leader, operand);
    return { ...leader, end: node.end, children: [...leader.children.slice(0, from), ...body] };
  }

  /** A cheap test on the text, so that the walk to the left is made only where it can matter. */
  private looksRegrouped(node: SyntaxNode, isPostfix: boolean): boolean {
    if (isPostfix && prefixCodes.has(this.text.charCodeAt(node.start))) return true;
    const arrows = (this.arrowOffsets ??= findArrows(this.text));
    let low = 0;
    let high = arrows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((arrows[middle] ?? 0) < node.start) low = middle + 1;
      else high = middle;
    }
    const next = arrows[low];
    return next !== undefined && next < node.end;
  }

  private prefixOperand(node: SyntaxNode): Operand {
    const children = solidChildren(node);
    if (node.kind !== 'cast_expression') return children.slice(1);
    const close = children.findIndex((child) => child.kind === ')');
    return children.slice(close + 1);
  }

  private finishPrefix(prefix: SyntaxNode, value: Expr): Expr {
    const span = spanOf(prefix);
    const head = solidChildren(prefix);
    switch (prefix.kind) {
      case 'throw_expression':
        return { kind: 'throw', span, value };
      case 'delete_expression':
        return {
          kind: 'call',
          span,
          callee: { kind: 'name', span: spanOf(head[0] ?? prefix), path: ['delete'] },
          args: [{ value }],
        };
      case 'cast_expression':
        return { kind: 'cast', span, value, type: this.castType(head) };
      default:
        return this.prefixed(prefix, this.source(head[0] ?? prefix), value);
    }
  }

  private castType(children: readonly SyntaxNode[]): TypeRef {
    const inner = children[2];
    if (inner?.kind === 'type') return this.lowerType(inner);
    const at = inner ?? children[0];
    const start = at?.start ?? 0;
    if (inner === undefined || inner.kind === ')') return this.makeType('unknown', start, start);
    return this.makeType('unknown', inner.start, inner.end, { qualifiers: this.source(inner).split(/\s+/) });
  }

  private prefixed(node: SyntaxNode, operator: string, operand: Expr): Expr {
    const span = spanOf(node);
    switch (operator) {
      case '&':
        return { kind: 'address', span, base: operand, mutable: true, raw: true };
      case '*':
        return { kind: 'deref', span, base: operand };
      case '++':
      case '--':
        return this.step(node, { start: node.start, end: node.start + 2 }, operand);
      default:
        return { kind: 'unary', span, operator, operand };
    }
  }

  private step(node: SyntaxNode, operator: Span, target: Expr): Expr {
    const value: Expr = { kind: 'literal', span: spanOf(operator), type: 'number', text: '1' };
    return {
      kind: 'assign',
      span: spanOf(node),
      operator: this.source(operator) === '--' ? '-=' : '+=',
      target,
      value,
    };
  }

  protected lowerName(node: SyntaxNode): Expr {
    const span = spanOf(node);
    if (node.kind !== 'template_instance') return { kind: 'name', span, path: this.pathOf(node) };
    const callee = this.instanceName(node);
    const args = this.templateClosures(node);
    return args.length === 0 ? callee : { kind: 'call', span, callee, args };
  }

  private instanceName(node: SyntaxNode): Expr {
    if (node.kind !== 'template_instance') return { kind: 'name', span: spanOf(node), path: this.pathOf(node) };
    return {
      kind: 'name',
      span: spanOf(node),
      path: [this.templateName(node)],
      typeArgs: this.templateTypeArguments(node),
    };
  }

  private globalName(name: Expr, span: Span): Expr {
    if (name.kind === 'name') return { ...name, span, path: ['', ...name.path] };
    if (name.kind === 'call')
      return { ...name, span, callee: this.globalName(name.callee, { ...name.callee.span, start: span.start }) };
    return name;
  }

  /** Lambdas and delegates among the template arguments: they run when the template does. */
  private templateClosures(instance: SyntaxNode): Argument[] {
    const written = this.source(instance);
    if (!written.includes('=>') && !written.includes('{')) return [];
    const args: Argument[] = [];
    const collect = (node: SyntaxNode): void => {
      if (node.kind === 'template_argument') {
        const only = solidChildren(node);
        const value = only.length === 1 ? only[0] : undefined;
        if (value !== undefined && value.kind !== 'type' && hasLiteral(value)) {
          args.push({ name: templateArgument, value: this.lowerExpr(value) });
          return;
        }
      }
      if (node.kind === 'function_literal') {
        args.push({ name: templateArgument, value: this.lowerExpr(node) });
        return;
      }
      for (const child of node.children) collect(child);
    };
    for (const child of instance.children) if (child.kind === 'template_arguments') collect(child);
    return args;
  }

  protected lowerArguments(list: SyntaxNode | undefined): Argument[] {
    if (list === undefined) return [];
    const args: Argument[] = [];
    for (const child of list.children) {
      if (child.kind === 'expression') args.push({ value: this.lowerExpr(child) });
      if (child.kind !== 'named_argument') continue;
      const parts = solidChildren(child);
      const name = parts[1]?.kind === ':' ? parts[0] : undefined;
      if (name === undefined) args.push({ value: this.lowerOperand(parts, child) });
      else args.push({ name: this.source(name), value: this.lowerOperand(parts.slice(2), child) });
    }
    return args;
  }

  private lowerCall(node: SyntaxNode): Expr {
    const children = solidChildren(node);
    const span = spanOf(node);
    const calleeNodes = children.slice(0, -1);
    const callee = calleeNodes.length === 1 ? calleeNodes[0] : undefined;
    const list = children.at(-1);
    if (callee?.kind === 'type') {
      // `a * (b)` is read as a call of the type `a*`.
      const star = solidChildren(callee).at(-1);
      if (star?.kind === '*') return this.lowerProduct(node, callee, star, list);
      return this.exprFromType(callee, { span, read: () => this.lowerArguments(list) });
    }
    if (callee?.kind === 'new_expression') return this.lowerNew(callee, this.lowerArguments(list), node);
    if (callee?.kind === 'property_expression')
      return this.lowerProperty(callee, () => this.lowerArguments(list), node);
    if (callee?.kind === 'template_instance') {
      const name = this.instanceName(callee);
      const args = [...this.lowerArguments(list), ...this.templateClosures(callee)];
      return { kind: 'call', span, callee: name, args };
    }
    const target = this.lowerOperand(calleeNodes, node);
    return { kind: 'call', span, callee: target, args: this.lowerArguments(list) };
  }

  private lowerProduct(node: SyntaxNode, type: SyntaxNode, star: SyntaxNode, list: SyntaxNode | undefined): Expr {
    const factor = { ...type, children: solidChildren(type).slice(0, -1), end: star.start };
    const args = this.lowerArguments(list);
    const right = args[0]?.value ?? this.unknown(node, []);
    return { kind: 'binary', span: spanOf(node), operator: '*', left: this.exprFromType(factor), right };
  }

  /** `a.b`, `a.b!T`, and with `args` the call of it. */
  private lowerProperty(node: SyntaxNode, args: (() => Argument[]) | undefined, whole: SyntaxNode): Expr {
    const children = solidChildren(node);
    const name = children.at(-1);
    const dot = children.length - 2;
    const base = children.slice(0, dot);
    if (name === undefined || children[dot]?.kind !== '.') return this.unknown(node, []);
    const receiver = this.lowerOperand(base, node);
    if (name.kind === 'new_expression') {
      return this.lowerNew(name, [...(args?.() ?? []), { name: 'outer', value: receiver }], whole);
    }
    return this.member(receiver, name, args, spanOf(whole));
  }

  private member(receiver: Expr, name: SyntaxNode, args: (() => Argument[]) | undefined, span: Span): Expr {
    if (name.kind === 'template_instance') {
      const head = name.children[0] ?? name;
      return {
        kind: 'method',
        span,
        receiver,
        method: this.source(head),
        methodSpan: spanOf(head),
        typeArgs: this.templateTypeArguments(name),
        args: [...(args?.() ?? []), ...this.templateClosures(name)],
      };
    }
    if (args === undefined) {
      return { kind: 'field', span, nameSpan: spanOf(name), base: receiver, name: this.source(name) };
    }
    return {
      kind: 'method',
      span,
      receiver,
      method: this.source(name),
      methodSpan: spanOf(name),
      typeArgs: [],
      args: args(),
    };
  }

  /** A dotted callee arrives as a `type`: its names, indexes and slices are read as the expression they are. */
  protected exprFromType(node: SyntaxNode, call?: { readonly span: Span; readonly read: () => Argument[] }): Expr {
    const children = solidChildren(node);
    const start = node.start;
    let expr: Expr | undefined;
    let isGlobal = false;
    let at = 0;
    // `immutable T(x)` constructs a T, and so does `immutable(T)(x)`.
    while (children[at]?.kind === 'type_ctor' && children[at + 1]?.kind !== '(') at++;
    const first = children[at];
    if (first === undefined) return this.unknown(node, []);
    if (first.kind === 'type_ctor') {
      const inner = children.find((child) => child.kind === 'type');
      expr = inner === undefined ? this.unknown(first, []) : this.exprFromType(inner);
      at = children.findIndex((child) => child.kind === ')') + 1;
    } else if (first.kind === 'typeof_expression' || first.kind === 'vector_type') {
      expr = this.unknown(first, []);
      at++;
    } else if (first.kind === 'mixin_expression' || first.kind === 'traits_expression') {
      expr = this.lowerExpr(first);
      at++;
    } else if (isBuiltinType(first.kind)) {
      expr = { kind: 'name', span: spanOf(first), path: this.pathOf(first) };
      at++;
    }
    for (; at < children.length; at++) {
      const child = children[at];
      if (child === undefined) break;
      const isLast = at === children.length - 1;
      const span = { start, end: child.end };
      if (child.kind === '.') {
        if (expr === undefined) isGlobal = true;
      } else if (child.kind === 'identifier' || child.kind === 'template_instance') {
        if (expr !== undefined) {
          if (isLast && call !== undefined) return this.member(expr, child, call.read, call.span);
          expr = this.member(expr, child, undefined, span);
        } else if (isLast && call !== undefined) {
          const callee = this.instanceName(child);
          const args = [...call.read(), ...this.templateClosures(child)];
          return { kind: 'call', span: call.span, callee: isGlobal ? this.globalName(callee, span) : callee, args };
        } else {
          const name = this.lowerName(child);
          expr = isGlobal ? this.globalName(name, span) : name;
        }
      } else if (child.kind === '[' && expr !== undefined) {
        let close = at + 1;
        while (close < children.length && children[close]?.kind !== ']') close++;
        expr = this.bracketed(
          expr,
          children.slice(at + 1, close),
          { start, end: children[close]?.end ?? child.end },
          node,
        );
        at = close;
      }
    }
    const result = expr ?? this.unknown(node, []);
    return call === undefined ? result : { kind: 'call', span: call.span, callee: result, args: call.read() };
  }

  private bracketed(base: Expr, inner: Operand, span: Span, around: SyntaxNode): Expr {
    const dots = inner.findIndex((child) => child.kind === '..');
    if (inner.length === 0) return { kind: 'slice', span, base };
    if (dots < 0) return { kind: 'index', span, base, index: this.lowerOperand(inner, around) };
    return {
      kind: 'slice',
      span,
      base,
      from: this.lowerOperand(inner.slice(0, dots), around),
      to: this.lowerOperand(inner.slice(dots + 1), around),
    };
  }

  private lowerIndex(node: SyntaxNode): Expr {
    const children = solidChildren(node);
    const open = children.findIndex((child) => child.kind === '[');
    const base = this.lowerOperand(children.slice(0, open), node);
    const span = spanOf(node);
    const indexes = children.slice(open + 1).filter((child) => child.kind === 'index');
    const [first, ...more] = indexes;
    if (first === undefined) return { kind: 'slice', span, base };
    if (more.length === 0) return this.bracketed(base, solidChildren(first), span, first);
    const items = indexes.map((index): Expr => {
      const parts = solidChildren(index);
      const dots = parts.findIndex((part) => part.kind === '..');
      if (dots < 0) return this.lowerOperand(parts, index);
      return {
        kind: 'range',
        span: spanOf(index),
        from: this.lowerOperand(parts.slice(0, dots), index),
        to: this.lowerOperand(parts.slice(dots + 1), index),
        inclusive: false,
      };
    });
    return {
      kind: 'index',
      span,
      base,
      index: { kind: 'tuple', span: { start: first.start, end: indexes.at(-1)?.end ?? first.end }, items },
    };
  }

  private lowerNew(node: SyntaxNode, args: readonly Argument[], whole: SyntaxNode): Expr {
    const span = spanOf(whole);
    const children = solidChildren(node);
    const typeNode = children[1];
    if (typeNode?.kind === 'class') {
      const made = this.lowerAnonymousClass(node);
      return { kind: 'new', span, type: made.type, args: [...made.args, ...args] };
    }
    if (typeNode === undefined) return this.unknown(whole, []);
    const parts = solidChildren(typeNode);
    const length = children[2]?.kind === '[' ? children[3] : undefined;
    if (length !== undefined) {
      const element = this.lowerType(typeNode);
      const type = this.makeType('slice', typeNode.start, children.at(-1)?.end ?? typeNode.end, { element });
      return { kind: 'new', span, type, args: [{ value: this.lowerExpr(length) }, ...args] };
    }
    const inner = parts.at(-2);
    // `new T[n]`: the length is part of the type for the grammar.
    if (parts.at(-1)?.kind === ']' && parts.at(-3)?.kind === '[' && inner !== undefined && !this.isKeyType(inner)) {
      const elementParts = parts.slice(0, -3);
      const element = this.lowerType({
        ...typeNode,
        children: elementParts,
        end: elementParts.at(-1)?.end ?? typeNode.end,
      });
      const type = this.makeType('slice', typeNode.start, typeNode.end, { element });
      return { kind: 'new', span, type, args: [{ value: this.lowerExpr(inner) }, ...args] };
    }
    const own = this.lowerArguments(children.find((child) => child.kind === 'arguments'));
    return { kind: 'new', span, type: this.lowerType(typeNode), args: [...own, ...args] };
  }

  /** `new V[string]` makes an associative array. */
  private isKeyType(inner: SyntaxNode): boolean {
    if (inner.kind !== 'type') return false;
    const [first, second] = solidChildren(inner);
    if (first === undefined) return false;
    return isBuiltinType(first.kind) || first.kind === 'type_ctor' || second?.kind === '*';
  }

  private lowerPrimary(node: SyntaxNode): Expr {
    const children = solidChildren(node);
    const list = children.find((child) => child.kind === 'expression_list');
    if (list !== undefined) return this.lowerList(list);
    const name = children.at(-1);
    const type = children.find((child) => child.kind === 'type');
    const builtin = children[0];
    if (name === undefined || builtin === undefined) return this.unknown(node, []);
    const base: Expr =
      type !== undefined
        ? this.exprFromType(type)
        : isBuiltinType(builtin.kind)
          ? { kind: 'name', span: spanOf(builtin), path: this.pathOf(builtin) }
          : this.unknown(builtin, []);
    return this.member(base, name, undefined, spanOf(node));
  }

  private lowerAssert(node: SyntaxNode): Expr {
    const children = solidChildren(node);
    const head = children[0] ?? node;
    const list = children.find((child) => child.kind === 'assert_arguments');
    return {
      kind: 'call',
      span: spanOf(node),
      callee: { kind: 'name', span: spanOf(head), path: ['assert'] },
      args: this.lowerArguments(list),
    };
  }

  private lowerAssignment(node: SyntaxNode): Expr {
    const { left, operator, right } = this.sides(node);
    return {
      kind: 'assign',
      span: spanOf(node),
      operator,
      target: this.lowerOperand(left, node),
      value: this.lowerOperand(right, node),
    };
  }

  private sides(node: SyntaxNode): { left: Operand; operator: string; right: Operand } {
    const children = solidChildren(node);
    const at = children.findIndex(
      (child) =>
        child.field === 'operator' ||
        child.kind === 'in' ||
        child.kind === 'is' ||
        child.kind === 'not_in' ||
        child.kind === 'not_is',
    );
    const operator = children[at];
    return {
      left: children.slice(0, at),
      operator: operator === undefined ? '' : this.source(operator).replace(/^!\s+/, '!'),
      right: children.slice(at + 1),
    };
  }

  /** Left-leaning chains are read in a loop: generated code joins hundreds of strings with `~`. */
  private lowerBinary(node: SyntaxNode): Expr {
    const pending: { node: SyntaxNode; operator: string; right: Operand }[] = [];
    let operand: Operand = [node];
    for (;;) {
      const only: SyntaxNode | undefined = operand.length === 1 ? operand[0] : undefined;
      if (only === undefined) break;
      if (only.kind === 'binary_expression') operand = solidChildren(only);
      else if (binaryKinds.has(only.kind)) {
        const sides = this.sides(only);
        pending.push({ node: only, operator: sides.operator, right: sides.right });
        operand = sides.left;
      } else break;
    }
    let expr = this.lowerOperand(operand, node);
    if (pending.length > chainLimit) {
      const rest = pending.reverse().map((step) => this.lowerOperand(step.right, step.node));
      return this.unknown(node, [expr, ...rest], 'binary_chain');
    }
    for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
      expr =
        step.operator === '&&'
          ? this.conjunction(step.node, expr, step.right)
          : {
              kind: 'binary',
              span: spanOf(step.node),
              operator: step.operator,
              left: expr,
              right: this.lowerOperand(step.right, step.node),
            };
    }
    return expr;
  }

  /** The grammar lets `||` bind tighter than `&&`: `a && b || c` arrives as `a && (b || c)`. */
  private conjunction(node: SyntaxNode, left: Expr, right: Operand): Expr {
    const only = right.length === 1 ? right[0] : undefined;
    const inner = only?.kind === 'binary_expression' ? solidChildren(only)[0] : undefined;
    if (inner?.kind === 'logical_or_expression') {
      const sides = this.sides(inner);
      const first = this.conjunction(inner, left, sides.left);
      return {
        kind: 'binary',
        span: spanOf(node),
        operator: '||',
        left: first,
        right: this.lowerOperand(sides.right, inner),
      };
    }
    const value = this.lowerOperand(right, node);
    return {
      kind: 'binary',
      span: { start: left.span.start, end: value.span.end },
      operator: '&&',
      left,
      right: value,
    };
  }

  private lowerTernary(node: SyntaxNode): Expr {
    const children = solidChildren(node);
    const question = children.findIndex((child) => child.kind === '?');
    const colon = children.findIndex((child) => child.kind === ':');
    return {
      kind: 'if',
      span: spanOf(node),
      condition: this.lowerOperand(children.slice(0, question), node),
      then: this.lowerOperand(children.slice(question + 1, colon), node),
      else: this.lowerOperand(children.slice(colon + 1), node),
    };
  }

  private lowerString(node: SyntaxNode): Expr {
    const parts: Expr[] = [];
    const collect = (part: SyntaxNode): void => {
      if (part.kind === 'interpolation_expression') {
        for (const child of part.children) if (child.named) parts.push(this.lowerExpr(child));
      } else if (part.kind.startsWith('interpolated')) for (const child of part.children) collect(child);
    };
    for (const child of node.children) collect(child);
    if (parts.length > 0) return this.unknown(node, parts, 'interpolated_string');
    return { kind: 'literal', span: spanOf(node), type: 'string', text: this.source(node) };
  }

  private lowerArray(node: SyntaxNode): Expr {
    const span = spanOf(node);
    const items: Expr[] = [];
    const keys: Expr[] = [];
    for (const part of splitBy(solidChildren(node).slice(1, -1), ',')) {
      const colon = part.findIndex((child) => child.kind === ':');
      if (colon >= 0) keys.push(this.lowerOperand(part.slice(0, colon), node));
      items.push(this.lowerOperand(part.slice(colon + 1), node));
    }
    return { kind: 'array', span, items, ...(keys.length > 0 ? { keys } : {}) };
  }

  protected lowerAggregate(node: SyntaxNode, type: TypeRef): Expr {
    const fields: { name: string; value: Expr; span: Span }[] = [];
    for (const child of node.children) {
      if (child.kind !== 'member_initializer') continue;
      const parts = solidChildren(child);
      const isNamed = parts[1]?.kind === ':';
      const name = isNamed && parts[0] !== undefined ? this.source(parts[0]) : String(fields.length);
      fields.push({ name, value: this.lowerOperand(isNamed ? parts.slice(2) : parts, child), span: spanOf(child) });
    }
    return { kind: 'struct', span: spanOf(node), type, fields };
  }
}

function mayStartWithLambda(node: SyntaxNode): boolean {
  return node.kind === 'assignment_expression' || node.kind === 'ternary_expression' || binaryKinds.has(node.kind);
}

/** The operand at the far left of calls, members, indexes, assignments and operators. */
function leaderOf(node: SyntaxNode): SyntaxNode | undefined {
  let current: SyntaxNode | undefined = node;
  while (
    current !== undefined &&
    (postfixKinds.has(current.kind) || current.kind === 'binary_expression' || mayStartWithLambda(current))
  ) {
    current = solidChildren(current)[0];
  }
  return current;
}

/** Where the operand of a prefix expression or the body of an arrow lambda begins among the children. */
function ownOperand(node: SyntaxNode): number | undefined {
  if (node.kind === 'function_literal') {
    const arrow = node.children.findIndex((child) => child.kind === '=>');
    return arrow < 0 ? undefined : arrow + 1;
  }
  if (!prefixKinds.has(node.kind)) return undefined;
  if (node.kind === 'cast_expression') return node.children.findIndex((child) => child.kind === ')') + 1;
  return 1;
}

/** The node with `leader` at its far left replaced by `operand`, behind the last part of which the calls and members go. */
function withLeft(node: SyntaxNode, leader: SyntaxNode, operand: Operand): Operand {
  if (node === leader) return operand;
  const [first, ...rest] = solidChildren(node);
  if (first === undefined) return [node];
  const left = withLeft(first, leader, operand);
  // A wrapper has one child and would hide where the operand ends.
  if (node.kind === 'binary_expression') return left;
  const attach = (base: Operand): SyntaxNode => ({
    ...node,
    start: base[0]?.start ?? node.start,
    children: [...base, ...rest],
  });
  return postfixKinds.has(node.kind) ? behindLast(left, attach, node.end) : [attach(left)];
}

/** Applies calls and members to the last operand, as they bind tighter than anything that stands before it. */
function behindLast(operand: Operand, attach: (base: Operand) => SyntaxNode, end: number): Operand {
  const only = operand.length === 1 ? operand[0] : undefined;
  if (only === undefined) return [attach(operand)];
  let from = ownOperand(only);
  if (from === undefined && (mayStartWithLambda(only) || only.kind === 'binary_expression')) {
    const separators = new Set([':', 'in', 'is', 'not_in', 'not_is']);
    from = only.children.findLastIndex((child) => child.field === 'operator' || separators.has(child.kind)) + 1;
  }
  if (from === undefined) return [attach(operand)];
  const last = solidChildren({ ...only, children: only.children.slice(from) });
  return [{ ...only, end, children: [...only.children.slice(0, from), ...behindLast(last, attach, end)] }];
}

function findArrows(text: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf('=>'); at >= 0; at = text.indexOf('=>', at + 2)) found.push(at);
  return found;
}

/** Whether a lambda stands anywhere in the node. */
function hasLiteral(node: SyntaxNode): boolean {
  return node.kind === 'function_literal' || node.children.some((child) => hasLiteral(child));
}
