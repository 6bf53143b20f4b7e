import type { Arm, Attribute, Block, Expr, Modifier, Pattern, Statement, TypeRef } from '../../model/ir.js';
import type { Span } from '../../model/source.js';
import type { SyntaxNode } from '../syntax.js';
import { hasAttribute, inherit, isAttribute, isPublic, readAttributes } from './attributes.js';
import { solidChildren, spanOf, splitBy } from './lowering.js';
import { ExprLowering } from './lower-expr.js';

/** What an unlabelled `break` leaves. */
type Breakable = { readonly kind: 'loop' } | { readonly kind: 'switch'; readonly label: string; used: boolean };

/** The label of the block that a jump ahead leaves. */
const jumpLabel = (label: string): string => `goto@${label}`;

/** A pointer declaration that the grammar read as a product: `T* p = x`. */
interface PointerDeclaration {
  readonly type: TypeRef;
  readonly name: SyntaxNode;
  readonly init?: readonly SyntaxNode[];
}

/** Statements and local variables. */
export abstract class StatementLowering extends ExprLowering {
  private breakables: Breakable[] = [];
  /** Labels of the function that were passed so far. */
  private labels = new Set<string>();
  /** Jumps to labels of the function that were not passed yet. */
  private jumps: { readonly label: string; readonly at: number }[] = [];

  /** Lowers a declaration that stands among statements; the ids of functions it declared directly. */
  protected abstract lowerLocalDeclaration(node: SyntaxNode): number | undefined;
  protected abstract errorGap(node: SyntaxNode): void;

  /**
   * Visits the declarations or statements of a list. Attributes reach further than one node here: `@trusted:` applies to
   * the rest of the list, and `@trusted { … }` has no node of its own, its parts are members of the list.
   */
  protected walkList(nodes: readonly SyntaxNode[], visit: (node: SyntaxNode) => void): void {
    const outside = this.scope;
    let scope = outside;
    let pending: SyntaxNode[] = [];
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i];
      if (node === undefined || node.kind === 'comment' || node.kind === 'directive') continue;
      if (node.kind === 'attribute_declaration') {
        const attributes = inherit(readAttributes(this.text, node.children));
        scope = { ...scope, inherited: [...scope.inherited, ...attributes] };
      } else if (isAttribute(node)) {
        pending.push(node);
      } else if (pending.length > 0 && (node.kind === '(' || node.kind === 'module_fqn' || node.kind === ')')) {
        pending.push(node);
      } else if (node.kind === '{' && pending.length > 0) {
        const end = matchingBrace(nodes, i);
        const attributes = inherit(readAttributes(this.text, pending));
        const inner = { ...scope, inherited: [...scope.inherited, ...attributes] };
        this.within(inner, () => {
          this.walkList(nodes.slice(i + 1, end), visit);
        });
        pending = [];
        i = end;
      } else {
        pending = [];
        this.within(scope, () => {
          visit(node);
        });
      }
    }
  }

  protected lowerStatements(nodes: readonly SyntaxNode[]): Statement[] {
    const statements: Statement[] = [];
    this.walkList(nodes, (node) => {
      if (!this.enter(node)) return;
      this.lowerStatement(node, statements);
      this.leave();
    });
    return statements;
  }

  /** The body of a function: `break` does not reach out of it. */
  protected lowerBody(node: SyntaxNode): Block {
    const outside = this.breakables;
    const { labels, jumps } = this;
    this.breakables = [];
    this.labels = new Set();
    this.jumps = [];
    try {
      return this.blockOf(node);
    } finally {
      this.breakables = outside;
      this.labels = labels;
      this.jumps = jumps;
    }
  }

  /** A block, or the one statement that stands in its place. */
  private blockOf(node: SyntaxNode | undefined, otherwise = 0): Block {
    if (node === undefined) return { span: { start: otherwise, end: otherwise }, statements: [] };
    if (node.skipped === true) this.reportLimit(node);
    const children = solidChildren(node);
    const only = children.length === 1 ? children[0] : undefined;
    if (node.kind === 'scope_statement' && only?.kind === 'block_statement') return this.blockOf(only);
    const parts = node.kind === 'scope_statement' || node.kind === 'block_statement' ? children : [node];
    return { span: spanOf(node), statements: this.lowerStatements(parts) };
  }

  private blockExpr(node: SyntaxNode | undefined): Expr {
    const block = this.blockOf(node);
    return { kind: 'block', span: block.span, block, flavour: 'plain' };
  }

  /** What follows `else`: another `if` as it is, everything else as a block. */
  private elseExpr(nodes: readonly SyntaxNode[], at: number): Expr {
    const block =
      nodes.length === 1
        ? this.blockOf(nodes[0])
        : { span: around(nodes, at), statements: this.lowerStatements(nodes) };
    const only = block.statements.length === 1 ? block.statements[0] : undefined;
    if (only?.kind === 'expression' && only.expr.kind === 'if') return only.expr;
    return { kind: 'block', span: block.span, block, flavour: 'plain' };
  }

  private lowerStatement(node: SyntaxNode, into: Statement[]): void {
    const span = spanOf(node);
    const push = (expr: Expr): void => {
      into.push({ kind: 'expression', span, expr });
    };
    switch (node.kind) {
      case '{':
      case '}':
      case ';':
      case 'label':
      case 'static_assert':
      case 'version_specification':
      case 'debug_specification':
        return;
      case 'expression_statement':
        this.lowerExpressionStatement(node, into);
        return;
      case 'scope_statement':
        into.push(...this.lowerStatements(solidChildren(node)));
        return;
      case 'block_statement':
        push(this.blockExpr(node));
        return;
      case 'variable_declaration':
      case 'auto_declaration':
      case 'manifest_constant':
        into.push(...this.lowerLocals(node));
        return;
      case 'alias_reassign':
        this.lowerReassign(node, into);
        return;
      case 'return_statement': {
        const value = node.children.find((child) => child.kind === 'expression');
        push({ kind: 'return', span, ...(value === undefined ? {} : { value: this.lowerExpr(value) }) });
        return;
      }
      case 'if_statement':
        push(this.lowerIf(node));
        return;
      case 'while_statement': {
        const condition = this.lowerCondition(node.children.find((child) => child.kind === 'if_condition') ?? node);
        push({ kind: 'loop', span, form: 'while', condition, body: this.loopBody(node) });
        return;
      }
      case 'do_statement': {
        const body = this.loopBody(node);
        const condition = node.children.find((child) => child.field === 'condition');
        push({ kind: 'loop', span, form: 'do', ...(condition ? { condition: this.lowerExpr(condition) } : {}), body });
        return;
      }
      case 'for_statement':
        push(this.lowerFor(node));
        return;
      case 'foreach_statement':
        push(this.lowerForeach(node, solidChildren(node), false));
        return;
      case 'static_foreach_statement': {
        const inner = node.children.find((child) => child.kind === 'foreach_statement');
        if (inner !== undefined) push(this.lowerForeach(node, solidChildren(inner), true));
        return;
      }
      case 'static_foreach_declaration':
        push(this.lowerForeach(node, solidChildren(node).slice(1), true));
        return;
      case 'switch_statement':
        push(this.lowerSwitch(node));
        return;
      case 'final_switch_statement': {
        const inner = node.children.find((child) => child.kind === 'switch_statement');
        if (inner !== undefined) push(this.lowerSwitch(inner));
        return;
      }
      case 'break_statement':
        push(this.lowerBreak(node));
        return;
      case 'continue_statement': {
        const label = node.children.find((child) => child.kind === 'identifier');
        push({ kind: 'continue', span, ...(label ? { label: this.source(label) } : {}) });
        return;
      }
      case 'labeled_statement':
        this.lowerLabeled(node, into);
        return;
      case 'with_statement':
      case 'synchronized_statement': {
        const subject = node.children.find((child) => child.kind === 'expression');
        const flavour = node.kind === 'with_statement' ? 'with' : 'synchronized';
        const value = subject === undefined ? undefined : this.lowerExpr(subject);
        const block = this.blockOf(
          node.children.find((child) => child.kind === 'scope_statement'),
          node.end,
        );
        push({ kind: 'block', span, block, flavour, ...(value === undefined ? {} : { subject: value }) });
        return;
      }
      case 'scope_guard_statement': {
        const children = solidChildren(node);
        const word = children[2]?.kind;
        const when = word === 'success' || word === 'failure' ? word : 'exit';
        into.push({ kind: 'defer', span, when, body: this.blockOf(bodyOf(node), node.end) });
        return;
      }
      case 'try_statement':
        this.lowerTry(node, into);
        return;
      case 'conditional_statement':
      case 'conditional_declaration':
        push(this.lowerConditional(node));
        return;
      case 'pragma_statement':
      case 'pragma_declaration':
        into.push(...this.lowerStatements(node.children.filter((child) => child.kind !== 'pragma_expression')));
        return;
      case 'goto_statement': {
        const label = /^goto\s+(\w+)\s*;?$/u.exec(this.source(node).trim())?.[1];
        // `goto case` and `goto default` are said of the switch.
        if (label === undefined || label === 'case' || label === 'default') push(this.unknown(node, []));
        // A jump back begins anew there; what follows is not reached from here.
        else if (this.labels.has(label)) push({ kind: 'continue', span, label });
        else {
          this.jumps.push({ label, at: span.start });
          push({ kind: 'break', span, label: jumpLabel(label) });
        }
        return;
      }
      case 'asm_statement':
        push(this.unknown(node, []));
        return;
      case 'mixin_declaration':
        this.mixinGap(node);
        push({ kind: 'macro', span, name: 'mixin', args: [], opaque: true });
        return;
      case 'ERROR':
        this.errorGap(node);
        return;
      default: {
        const functionId = this.lowerLocalDeclaration(node);
        into.push({ kind: 'item', span, ...(functionId === undefined ? {} : { functionId }) });
      }
    }
  }

  private lowerExpressionStatement(node: SyntaxNode, into: Statement[]): void {
    for (const list of node.children) {
      if (list.kind !== 'expression_list') continue;
      let declared: TypeRef | undefined;
      for (const operand of splitBy(solidChildren(list), ',')) {
        const only = operand.length === 1 ? operand[0] : undefined;
        const block = only === undefined ? undefined : this.bareBlock(only);
        if (block !== undefined) {
          into.push({ kind: 'expression', span: spanOf(node), expr: this.blockExpr(block) });
          continue;
        }
        const pointer =
          only === undefined ? undefined : declared ? further(only, declared) : this.pointerDeclaration(only);
        if (pointer !== undefined) {
          declared = pointer.type;
          into.push({
            kind: 'let',
            span: spanOf(node),
            pattern: this.binding(pointer.name, false, true),
            type: pointer.type,
            ...(pointer.init === undefined ? {} : { init: this.lowerOperand(pointer.init, node) }),
            modifiers: [],
          });
          continue;
        }
        const expr = this.lowerOperand(operand, list);
        into.push({ kind: 'expression', span: spanOf(node), expr });
      }
    }
  }

  /** A block with a `;` behind it may arrive as a literal without parameters, which would be no statement. */
  private bareBlock(node: SyntaxNode): SyntaxNode | undefined {
    if (node.kind !== 'function_literal' || !this.source(node).startsWith('{')) return undefined;
    const find = (at: SyntaxNode): SyntaxNode | undefined =>
      at.kind === 'block_statement'
        ? at
        : solidChildren(at)
            .map(find)
            .find((found) => found !== undefined);
    return find(node);
  }

  /** `T* p = x;` and `T* p;` may arrive as an assignment to a product and as a product, which are no statements in D. */
  private pointerDeclaration(node: SyntaxNode): PointerDeclaration | undefined {
    let product = node;
    let init: readonly SyntaxNode[] | undefined;
    if (node.kind === 'assignment_expression') {
      const children = solidChildren(node);
      const at = children.findIndex((child) => child.field === 'operator');
      const left = children[0];
      if (at !== 1 || left === undefined || children[at]?.kind !== '=') return undefined;
      product = left;
      init = children.slice(at + 1);
    }
    const inner = product.kind === 'binary_expression' ? solidChildren(product)[0] : undefined;
    if (inner?.kind !== 'mul_expression') return undefined;
    const [left, operator, right] = solidChildren(inner);
    if (left === undefined || operator?.kind !== '*' || right === undefined) return undefined;
    if (left.kind !== 'identifier' && left.kind !== 'property_expression' && left.kind !== 'template_instance')
      return undefined;
    let name = right;
    let pointers = 1;
    while (name.kind === 'unary_expression' && solidChildren(name)[0]?.kind === '*') {
      const next = solidChildren(name)[1];
      if (next === undefined) return undefined;
      name = next;
      pointers++;
    }
    if (name.kind !== 'identifier') return undefined;
    const type = this.typeFromExpression(left, pointers, name.start);
    return { type: { ...type, text: `${this.source(left)}${'*'.repeat(pointers)}` }, name, ...(init ? { init } : {}) };
  }

  protected binding(name: SyntaxNode, byRef: boolean, mutable: boolean, type?: TypeRef): Pattern {
    return {
      kind: 'bind',
      name: this.source(name),
      span: spanOf(name),
      byRef,
      mutable,
      ...(type === undefined ? {} : { type }),
    };
  }

  private lowerReassign(node: SyntaxNode, into: Statement[]): void {
    const children = solidChildren(node);
    const at = children.findIndex((child) => child.kind === '=');
    const name = children[at - 1];
    const value = children[at + 1];
    if (name === undefined || value === undefined) return;
    const expr: Expr = {
      kind: 'assign',
      span: spanOf(node),
      operator: '=',
      target: this.lowerExpr(name),
      value: this.lowerExpr(value),
    };
    into.push({ kind: 'expression', span: spanOf(node), expr });
  }

  private lowerLocals(node: SyntaxNode): Statement[] {
    const variables = this.readVariables(node);
    return variables.map((variable): Statement => {
      const { attributes, qualifiers } = variable;
      const isShared = hasAttribute(attributes, '__gshared') || hasAttribute(attributes, 'shared');
      const isStatic =
        node.kind === 'manifest_constant' ||
        hasAttribute(attributes, 'static') ||
        hasAttribute(attributes, '__gshared');
      const isConstant =
        node.kind === 'manifest_constant' || qualifiers.includes('const') || qualifiers.includes('immutable');
      if (isStatic) {
        this.globals.push({
          name: this.source(variable.name),
          span: variable.span,
          nameSpan: spanOf(variable.name),
          kind: this.storageKind(attributes, qualifiers, isConstant),
          mutable: !isConstant,
          ...(variable.type === undefined ? {} : { type: variable.type }),
          attributes,
          ...(variable.init === undefined ? {} : { init: variable.init }),
          isPublic: isPublic(attributes),
          isTest: this.scope.isTest,
          conditions: this.scope.conditions,
          ...(this.scope.functionName === undefined ? {} : { inFunction: this.scope.functionName }),
        });
      }
      const modifiers: Modifier[] = [];
      if (hasAttribute(attributes, 'ref')) modifiers.push('ref');
      if (hasAttribute(attributes, 'scope')) modifiers.push('scope');
      if (isShared && !qualifiers.includes('shared')) modifiers.push('shared');
      for (const qualifier of qualifiers) {
        if (qualifier === 'const' || qualifier === 'immutable' || qualifier === 'inout' || qualifier === 'shared') {
          modifiers.push(qualifier);
        }
      }
      return {
        kind: 'let',
        span: variable.span,
        pattern: this.binding(variable.name, hasAttribute(attributes, 'ref'), !isConstant),
        ...(variable.type === undefined ? {} : { type: variable.type }),
        ...(variable.init === undefined ? {} : { init: variable.init }),
        ...(isStatic ? { isStatic } : {}),
        modifiers,
      };
    });
  }

  protected storageKind(
    attributes: readonly Attribute[],
    qualifiers: readonly string[],
    isConstant: boolean,
  ): 'const' | 'gshared' | 'shared' | 'thread-local' {
    if (isConstant) return 'const';
    if (hasAttribute(attributes, '__gshared')) return 'gshared';
    if (hasAttribute(attributes, 'shared') || qualifiers.includes('shared')) return 'shared';
    return 'thread-local';
  }

  /** The variables that one declaration declares, with what they share. */
  protected readVariables(node: SyntaxNode): {
    name: SyntaxNode;
    span: Span;
    type: TypeRef | undefined;
    init: Expr | undefined;
    attributes: Attribute[];
    qualifiers: string[];
  }[] {
    const children = solidChildren(node);
    const attributes = [...this.scope.inherited, ...readAttributes(this.text, children)];
    const typeNode = children.find((child) => child.kind === 'type');
    const type = typeNode === undefined ? undefined : this.lowerType(typeNode);
    const storage = attributes.map((attribute) => attribute.name);
    const qualifiers = [
      ...new Set([
        ...storage.filter((name) => name === 'const' || name === 'immutable' || name === 'inout' || name === 'shared'),
        ...this.headQualifiers(typeNode),
      ]),
    ];
    const common = { attributes, qualifiers, type };
    if (node.kind === 'auto_declaration') {
      const first = children.findIndex((child) => child.field === 'variable');
      return splitBy(
        children.slice(first).filter((child) => child.kind !== ';'),
        ',',
      ).flatMap((part) => {
        const name = part[0];
        const equals = part.findIndex((child) => child.kind === '=');
        if (name === undefined) return [];
        return [{ ...common, name, span: spanOf(node), init: this.initializer(part.slice(equals + 1), type, node) }];
      });
    }
    return children.flatMap((child) => {
      if (child.kind !== 'declarator' && child.kind !== 'manifest_declarator' && child.kind !== 'bitfield_declarator')
        return [];
      const parts = solidChildren(child);
      const name = parts[0];
      if (name?.kind !== 'identifier') return [];
      const parameters = parts.find((part) => part.kind === 'template_parameters');
      if (parameters !== undefined) this.lowerGenerics(parameters);
      const equals = parts.findIndex((part) => part.kind === '=');
      const init = equals < 0 ? undefined : this.initializer(parts.slice(equals + 1), type, child);
      return [{ ...common, name, span: spanOf(node), init }];
    });
  }

  private initializer(operand: readonly SyntaxNode[], type: TypeRef | undefined, around: SyntaxNode): Expr | undefined {
    const only = operand.length === 1 ? operand[0] : undefined;
    if (only?.kind === 'void') return undefined;
    if (only?.kind === 'aggregate_initializer' && type !== undefined) return this.lowerAggregate(only, type);
    return this.lowerOperand(operand, around);
  }

  private lowerIf(node: SyntaxNode): Expr {
    const condition = node.children.find((child) => child.kind === 'if_condition');
    const value = condition === undefined ? this.unknown(node, []) : this.lowerCondition(condition);
    const consequence = node.children.find((child) => child.field === 'consequence');
    const alternative = node.children.find((child) => child.field === 'alternative');
    return {
      kind: 'if',
      span: spanOf(node),
      condition: value,
      then: this.blockExpr(consequence),
      ...(alternative === undefined ? {} : { else: this.elseExpr([alternative], alternative.start) }),
    };
  }

  /** `(x)`, and the forms that declare: `(auto p = x)`, `(T p = x)`. */
  private lowerCondition(node: SyntaxNode): Expr {
    const inner = solidChildren(node).slice(1, -1);
    const equals = inner.findIndex((child) => child.kind === '=');
    const name = inner[equals - 1];
    if (equals > 0 && name !== undefined) {
      const typeNode = inner.find((child) => child.kind === 'type');
      const type = typeNode === undefined ? undefined : this.lowerType(typeNode);
      const value = this.lowerOperand(inner.slice(equals + 1), node);
      const span = { start: inner[0]?.start ?? node.start, end: value.span.end };
      return { kind: 'let-condition', span, pattern: this.binding(name, false, true, type), value };
    }
    const only = inner.length === 1 ? inner[0] : undefined;
    const pointer = only?.kind === 'assignment_expression' ? this.pointerDeclaration(only) : undefined;
    if (only !== undefined && pointer?.init !== undefined) {
      const pattern = this.binding(pointer.name, false, true, pointer.type);
      return { kind: 'let-condition', span: spanOf(only), pattern, value: this.lowerOperand(pointer.init, only) };
    }
    return this.lowerOperand(inner, node);
  }

  private loopBody(node: SyntaxNode): Block {
    return this.breakingOut({ kind: 'loop' }, () => this.blockOf(bodyOf(node), node.end));
  }

  private breakingOut<T>(breakable: Breakable, run: () => T): T {
    this.breakables.push(breakable);
    try {
      return run();
    } finally {
      this.breakables.pop();
    }
  }

  private lowerFor(node: SyntaxNode): Expr {
    const init = node.children.filter((child) => child.field === 'init' && child.kind !== ';');
    const test = node.children.find((child) => child.field === 'test');
    const update = node.children.find((child) => child.field === 'step');
    return {
      kind: 'loop',
      span: spanOf(node),
      form: 'for',
      init: this.lowerStatements(init),
      ...(test === undefined ? {} : { condition: this.lowerExpr(test) }),
      ...(update === undefined ? {} : { update: this.lowerList(update) }),
      body: this.loopBody(node),
    };
  }

  private lowerForeach(node: SyntaxNode, children: readonly SyntaxNode[], isStatic: boolean): Expr {
    const close = children.findIndex((child) => child.kind === ')');
    const semicolon = children.findIndex((child) => child.kind === ';');
    const bindings = children
      .slice(0, semicolon)
      .filter((child) => child.kind === 'foreach_type')
      .flatMap((child) => {
        const parts = solidChildren(child);
        const name = parts.at(-1);
        if (name === undefined) return [];
        const typeNode = parts.find((part) => part.kind === 'type');
        const byRef = parts.some((part) => part.kind === 'ref');
        const isConstant = parts.some((part) => part.kind === 'type_ctor');
        const type = typeNode === undefined ? undefined : this.lowerType(typeNode);
        const pattern = this.binding(name, byRef, !isConstant, type);
        return [{ pattern, byRef, ...(type === undefined ? {} : { type }) }];
      });
    const over = children.slice(semicolon + 1, close);
    const dots = over.findIndex((child) => child.kind === '..');
    const iterable: Expr =
      dots < 0
        ? this.lowerOperand(over, node)
        : {
            kind: 'range',
            span: around(over, node.start),
            from: this.lowerOperand(over.slice(0, dots), node),
            to: this.lowerOperand(over.slice(dots + 1), node),
            inclusive: false,
          };
    const rest = children.slice(close + 1);
    const body = this.breakingOut({ kind: 'loop' }, () =>
      rest.length === 1
        ? this.blockOf(rest[0])
        : { span: around(rest, node.end), statements: this.lowerStatements(rest) },
    );
    return {
      kind: 'loop',
      span: spanOf(node),
      form: 'foreach',
      bindings,
      iterable,
      ...(children[0]?.kind === 'foreach_reverse' ? { reverse: true } : {}),
      ...(isStatic || this.isSequence(iterable) ? { isStatic: true } : {}),
      body,
    };
  }

  /** A sequence that a template makes, which `foreach` unrolls: `alias handlers = handlersOf!T; foreach (handler; handlers)`. */
  private isSequence(over: Expr): boolean {
    if (over.kind !== 'name' || over.path.length !== 1) return false;
    const [name] = over.path;
    return this.types.some(
      (type) => type.kind === 'alias' && type.name === name && /^[\w.]+!/u.test(type.alias?.text ?? ''),
    );
  }

  private lowerBreak(node: SyntaxNode): Expr {
    const span = spanOf(node);
    const written = node.children.find((child) => child.kind === 'identifier');
    if (written !== undefined) return { kind: 'break', span, label: this.source(written) };
    const target = this.breakables.at(-1);
    if (target?.kind !== 'switch') return { kind: 'break', span };
    target.used = true;
    return { kind: 'break', span, label: target.label };
  }

  private lowerLabeled(node: SyntaxNode, into: Statement[]): void {
    const labelNode = node.children.find((child) => child.kind === 'label');
    const name = labelNode?.children[0];
    const label = name === undefined ? '' : this.source(name);
    this.labels.add(label);
    const block = this.blockOf(bodyOf(node) ?? node.children.find((child) => child.kind === 'scope_statement'));
    this.endJumps(label, into);
    const span = spanOf(node);
    const only = block.statements.length === 1 ? block.statements[0] : undefined;
    // What is declared behind a label is known in the list around it.
    if (only !== undefined && only.kind !== 'expression') into.push(only);
    else if (only?.kind === 'expression' && only.expr.kind === 'loop')
      into.push({ kind: 'expression', span, expr: { ...only.expr, label } });
    else into.push({ kind: 'expression', span, expr: { kind: 'block', span, block, flavour: 'plain', label } });
  }

  /** Jumps ahead to a label leave a block around what they skip, in which nothing is declared that is known behind the label. */
  private endJumps(label: string, into: Statement[]): void {
    const jump = this.jumps.find((one) => one.label === label);
    if (jump === undefined) return;
    this.jumps = this.jumps.filter((one) => one.label !== label);
    const first = into.findIndex(({ span }) => span.start <= jump.at && jump.at < span.end);
    if (first < 0) return;
    const statements = into.splice(first);
    const span = { start: statements[0]?.span.start ?? jump.at, end: statements.at(-1)?.span.end ?? jump.at };
    into.push({
      kind: 'expression',
      span,
      expr: { kind: 'block', span, block: { span, statements }, flavour: 'plain', label: jumpLabel(label) },
    });
  }

  /**
   * `switch` as a `match`. Cases without statements share the arm that follows. An unlabelled `break` leaves the switch in
   * D, so a `break` that is not simply the end of its arm gets the label of a block put around the match.
   */
  private lowerSwitch(node: SyntaxNode): Expr {
    const span = spanOf(node);
    const subject = node.children.find((child) => child.kind === 'expression');
    const scrutinee = subject === undefined ? this.unknown(node, []) : this.lowerExpr(subject);
    const target: Breakable = { kind: 'switch', label: `switch@${String(node.start)}`, used: false };
    const before: Statement[] = [];
    const arms: Arm[] = [];
    this.breakingOut(target, () => {
      let patterns: Pattern[] = [];
      const finish = (body: readonly SyntaxNode[], at: SyntaxNode): void => {
        const [first, ...more] = patterns;
        if (first === undefined) return;
        const pattern: Pattern =
          more.length === 0 ? first : { kind: 'alternatives', span: enclosing(patterns), patterns };
        const last = body.at(-1);
        const isPlainBreak =
          last?.kind === 'break_statement' && !last.children.some((child) => child.kind === 'identifier');
        const block = {
          span: body.length === 0 ? { start: at.end, end: at.end } : around(body, at.end),
          statements: this.lowerStatements(isPlainBreak ? body.slice(0, -1) : body),
        };
        const armSpan = { start: pattern.span.start, end: block.span.end };
        arms.push({ span: armSpan, pattern, body: { kind: 'block', span: block.span, block, flavour: 'plain' } });
        patterns = [];
      };
      let last = node;
      for (const child of switchParts(bodyOf(node))) {
        if (child.kind !== 'case_statement') {
          before.push(...this.lowerStatements([child]));
          continue;
        }
        const { patterns: found, body } = this.readCase(child);
        patterns.push(...found);
        if (body.length > 0) finish(body, child);
        last = child;
      }
      finish([], last);
    });
    let expr: Expr = { kind: 'match', span, scrutinee, arms };
    if (before.length > 0 || target.used) {
      const block = { span, statements: before, result: expr };
      expr = { kind: 'block', span, block, flavour: 'plain', ...(target.used ? { label: target.label } : {}) };
    }
    return expr;
  }

  private readCase(node: SyntaxNode): { patterns: Pattern[]; body: readonly SyntaxNode[] } {
    const children = solidChildren(node);
    const colon = children.findIndex((child) => child.kind === ':');
    if (children[0]?.kind === 'default') {
      return { patterns: [{ kind: 'wildcard', span: spanOf(children[0]) }], body: children.slice(colon + 1) };
    }
    if (children[colon + 1]?.kind === '..') {
      const end = children.findIndex((child, at) => at > colon && child.kind === ':');
      const head = { start: children[1]?.start ?? node.start, end: children[end - 1]?.end ?? node.end };
      return { patterns: [{ kind: 'literal', span: head, text: this.source(head) }], body: children.slice(end + 1) };
    }
    const list = children.find((child) => child.kind === 'expression_list');
    const patterns = splitBy(list === undefined ? [] : solidChildren(list), ',').map((operand): Pattern => {
      const span = around(operand, node.start);
      return { kind: 'literal', span, text: this.source(span) };
    });
    return { patterns, body: children.slice(colon + 1) };
  }

  private lowerTry(node: SyntaxNode, into: Statement[]): void {
    const catches = node.children
      .filter((child) => child.kind === 'catch_statement')
      .map((child) => {
        const name = child.children.find((part) => part.kind === 'identifier');
        return {
          ...(name === undefined ? {} : { name: this.source(name) }),
          body: this.blockOf(bodyOf(child), child.end),
        };
      });
    const last = node.children.find((child) => child.kind === 'finally_statement');
    const body = this.blockOf(bodyOf(node), node.end);
    into.push({
      kind: 'try',
      span: spanOf(node),
      body,
      catches,
      ...(last === undefined ? {} : { finally: this.blockOf(bodyOf(last), last.end) }),
    });
  }

  /** `version`, `debug` and `static if` among statements; both branches are kept. None of them opens a scope in D. */
  private lowerConditional(node: SyntaxNode): Expr {
    const { condition, then: first, otherwise: second } = this.branches(node);
    const decided = condition === undefined ? undefined : this.decided(condition);
    const then = decided === false ? (second ?? []) : first;
    const otherwise = decided === undefined ? second : undefined;
    const thenBlock =
      then.length === 1
        ? this.blockOf(then[0])
        : { span: around(then, node.end), statements: this.lowerStatements(then) };
    if (decided !== undefined)
      return {
        kind: 'if',
        span: spanOf(node),
        condition: { kind: 'literal', span: spanOf(condition ?? node), type: 'bool', text: 'true' },
        then: { kind: 'block', span: thenBlock.span, block: thenBlock, flavour: 'plain' },
        isStatic: true,
      };
    return {
      kind: 'if',
      span: spanOf(node),
      condition: this.conditionExpr(condition ?? node),
      then: { kind: 'block', span: thenBlock.span, block: thenBlock, flavour: 'plain' },
      ...(otherwise === undefined ? {} : { else: this.elseExpr(otherwise, node.end) }),
      isStatic: true,
    };
  }

  private conditionExpr(condition: SyntaxNode): Expr {
    const inner = condition.children[0];
    const test =
      inner?.kind === 'static_if_condition' ? inner.children.find((child) => child.kind === 'expression') : undefined;
    if (test !== undefined) return this.lowerExpr(test);
    const word = inner?.children[0];
    const argument = inner?.children[2];
    const path = [word, argument].flatMap((part) => (part === undefined ? [] : [this.source(part)]));
    return { kind: 'name', span: spanOf(condition), path };
  }

  /** Asked once for each name: the answer is looked for in the whole text. */
  private readonly truths = new Map<string, boolean | undefined>();

  /**
   * The outcome of a compile-time condition that the file alone decides: `version (none)`, `version (all)`, a version that the module
   * sets, `static if (false)` and an `enum` of the module that is a plain truth value. Code that is never compiled is not read.
   */
  protected decided(condition: SyntaxNode): boolean | undefined {
    const written = this.source(condition).replaceAll(/\s+/gu, ' ');
    const version = /^version ?\( ?(\w+) ?\)$/u.exec(written)?.[1];
    if (version === 'none') return false;
    // All compilers of today's D set it; the other branch is for those of the first version.
    if (version === 'all' || version === 'D_Version2') return true;
    if (version !== undefined) return this.constants.versions.has(version) ? true : undefined;
    const [, not, test = ''] = /^static if ?\( ?(!?) ?(\w+) ?\)$/u.exec(written) ?? [];
    const value = this.truthOf(test);
    return value === undefined ? undefined : value !== (not === '!');
  }

  private truthOf(name: string): boolean | undefined {
    if (!this.truths.has(name)) this.truths.set(name, this.readTruth(name));
    return this.truths.get(name);
  }

  private readTruth(name: string): boolean | undefined {
    if (name === 'true' || name === '1') return true;
    if (name === 'false' || name === '0') return false;
    // Most names are no truth value anywhere, which spares the search for all that is set under them.
    if (!this.constants.truths.has(name)) return undefined;
    const declared = [...this.text.matchAll(new RegExp(`^[^\\n;{}]*[\\w\\])*]\\s+${name}\\s*=([^;\\n]*);`, 'gmu'))];
    const [, value = ''] = /^\s*enum\s+(?:bool\s+)?\w+\s*=\s*(true|false)\s*;/u.exec(declared[0]?.[0] ?? '') ?? [];
    return declared.length === 1 && value !== '' ? value === 'true' : undefined;
  }

  /** The two branches of a conditional declaration or statement, without braces and colons. */
  protected branches(node: SyntaxNode): {
    condition: SyntaxNode | undefined;
    then: readonly SyntaxNode[];
    otherwise: readonly SyntaxNode[] | undefined;
  } {
    const children = solidChildren(node);
    const at = children.findIndex((child) => child.kind === 'condition');
    let split = -1;
    let depth = 0;
    for (let i = at + 1; i < children.length; i++) {
      const kind = children[i]?.kind;
      if (kind === '{') depth++;
      else if (kind === '}') depth--;
      else if (kind === 'else' && depth === 0) {
        split = i;
        break;
      }
    }
    const then = unbraced(children.slice(at + 1, split < 0 ? undefined : split));
    return { condition: children[at], then, otherwise: split < 0 ? undefined : unbraced(children.slice(split + 1)) };
  }
}

/** The second and later variables of `T* a = x, b = y;`: all of them have the type `T*`. */
function further(node: SyntaxNode, type: TypeRef): PointerDeclaration | undefined {
  if (node.kind === 'identifier') return { type, name: node };
  const [name, operator, ...init] = solidChildren(node);
  const isInitialised = node.kind === 'assignment_expression' && operator?.kind === '=';
  return isInitialised && name?.kind === 'identifier' ? { type, name, init } : undefined;
}

function bodyOf(node: SyntaxNode): SyntaxNode | undefined {
  return node.children.find((child) => child.field === 'body');
}

function matchingBrace(nodes: readonly SyntaxNode[], open: number): number {
  let depth = 0;
  for (let i = open; i < nodes.length; i++) {
    const kind = nodes[i]?.kind;
    if (kind === '{') depth++;
    else if (kind === '}' && --depth === 0) return i;
  }
  return nodes.length;
}

function unbraced(nodes: readonly SyntaxNode[]): readonly SyntaxNode[] {
  if (nodes[0]?.kind === ':') return nodes.slice(1);
  if (nodes[0]?.kind === '{') return nodes.slice(1, nodes.at(-1)?.kind === '}' ? -1 : undefined);
  return nodes;
}

/** From the first to the last node; empty at `otherwise` when there is none. */
function around(nodes: readonly SyntaxNode[], otherwise: number): Span {
  const first = nodes[0];
  const last = nodes.at(-1);
  return { start: first?.start ?? otherwise, end: last?.end ?? otherwise };
}

function enclosing(patterns: readonly Pattern[]): Span {
  return { start: patterns[0]?.span.start ?? 0, end: patterns.at(-1)?.span.end ?? 0 };
}

function switchParts(body: SyntaxNode | undefined): readonly SyntaxNode[] {
  if (body === undefined) return [];
  const children = solidChildren(body);
  const only = children.length === 1 ? children[0] : undefined;
  if (only?.kind === 'block_statement')
    return solidChildren(only).filter((child) => child.kind !== '{' && child.kind !== '}');
  return children;
}
