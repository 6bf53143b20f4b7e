import type {
  Attribute,
  Block,
  Expr,
  FunctionIr,
  FunctionKind,
  Modifier,
  Param,
  Statement,
  TypeRef,
} from '../../model/ir.js';
import type { SourceFile, Span } from '../../model/source.js';
import type { SyntaxNode } from '../syntax.js';
import { effectiveTrust, hasAttribute, isPublic, readAttributes } from './attributes.js';
import { solidChildren, spanOf, splitBy, type MetName, type Scope } from './lowering.js';
import type { Outline } from './outline.js';
import { StatementLowering } from './lower-statements.js';

const functionKinds = new Set([
  'function_declaration',
  'constructor',
  'destructor',
  'postblit',
  'unittest_declaration',
  'function_literal',
]);

/** What the readers of the different kinds of functions found out about the head of one. */
interface Head {
  readonly kind: FunctionKind;
  readonly name: string;
  readonly nameSpan: Span;
  readonly attributes: readonly Attribute[];
  readonly generics: FunctionIr['generics'];
  readonly params: readonly Param[];
  readonly returns?: TypeRef;
  readonly isInferred: boolean;
  readonly isStatic: boolean;
}

/** Functions of every kind, with their contracts and parameters. */
export abstract class FunctionLowering extends StatementLowering {
  /** How many of the known names stand in front of what is read. */
  private passed = 0;

  constructor(
    file: SourceFile,
    protected readonly outline: Outline,
    /** The id of the first function. */
    private readonly firstId = 0,
    /** Names of template parameters that another reading has met, where this one leaves declarations out. */
    private readonly known: readonly MetName[] = [],
  ) {
    super(file);
  }

  /** Goes past the declarations in front of a function: what they name is known from there on. */
  private meet(node: SyntaxNode): void {
    for (let one = this.known[this.passed]; one && one.at < node.start; one = this.known[++this.passed])
      (one.isValue ? this.valueNames : this.typeNames).add(one.name);
  }

  /** Attributes among the children, and the constraint of a template as an attribute `if`. */
  protected ownAttributes(children: readonly SyntaxNode[]): Attribute[] {
    const attributes = readAttributes(this.text, children);
    const constraint = children.find((child) => child.kind === 'constraint');
    if (constraint !== undefined) {
      const written = this.source(constraint);
      const args = written.slice(written.indexOf('(') + 1, -1).trim();
      attributes.push({ name: 'if', args, span: spanOf(constraint) });
    }
    return attributes;
  }

  protected lowerFunction(node: SyntaxNode): number {
    this.meet(node);
    const children = solidChildren(node);
    const { scope } = this;
    const list = children.findIndex((child) => child.kind === 'parameters');
    const typeNode = children.find((child) => child.kind === 'type');
    const name =
      children.slice(0, list < 0 ? undefined : list).findLast((child) => child.kind === 'identifier') ?? node;
    const ownGenerics = this.lowerGenerics(children.find((child) => child.kind === 'template_parameters'));
    const isEponymous = scope.template?.name === this.source(name);
    const generics = isEponymous ? [...(scope.template?.generics ?? []), ...ownGenerics] : ownGenerics;
    const attributes = [...scope.inherited, ...this.ownAttributes(children)];
    let returns = typeNode === undefined ? undefined : this.lowerType(typeNode);
    const returnsAuto = typeNode === undefined;
    if (typeNode !== undefined && returns !== undefined && scope.owner !== undefined) {
      // `const T f()` says that the method is const, not its result.
      const qualifiers = typeNode.children.filter(
        (child, at) => child.kind === 'type_ctor' && typeNode.children[at + 1]?.kind !== '(',
      );
      attributes.push(...readAttributes(this.text, qualifiers));
      if (qualifiers.length > 0) {
        const count = qualifiers.length;
        const { qualifiers: written = [], ...bare } = returns;
        returns = { ...bare, ...(written.length > count ? { qualifiers: written.slice(count) } : {}) };
      }
    }
    if (returns === undefined) {
      const auto = children.find((child) => child.kind === 'storage_class' && this.source(child) === 'auto');
      const at = auto ?? name;
      returns = this.makeType('unknown', at.start, auto === undefined ? at.start : at.end);
    }
    const head: Head = {
      kind: scope.owner === undefined ? 'function' : 'method',
      name: this.source(name),
      nameSpan: spanOf(name),
      attributes,
      generics,
      params: this.lowerParameters(children[list]),
      returns,
      isInferred: scope.isTemplate || generics.length > 0 || returnsAuto || scope.functionId !== undefined,
      isStatic: hasAttribute(attributes, 'static'),
    };
    return this.addFunction(
      head,
      node,
      children.find((child) => child.kind === 'function_body'),
      isEponymous,
    );
  }

  /** `this(..)`, `~this()`, `this(this)`, `static this()`. */
  protected lowerSpecial(node: SyntaxNode): number {
    this.meet(node);
    const children = solidChildren(node);
    const at = children.findIndex((child) => child.kind === 'this');
    const keyword = children[at] ?? node;
    const tilde = children[at - 1]?.kind === '~' ? children[at - 1] : undefined;
    const own = this.ownAttributes(children);
    const attributes = [...this.scope.inherited, ...own];
    const generics = this.lowerGenerics(children.find((child) => child.kind === 'template_parameters'));
    const isStatic = hasAttribute(own, 'static');
    const kind: FunctionKind =
      tilde !== undefined
        ? 'destructor'
        : node.kind === 'postblit'
          ? 'postblit'
          : isStatic
            ? 'static-constructor'
            : 'constructor';
    const head: Head = {
      kind,
      name: tilde === undefined ? 'this' : '~this',
      nameSpan: { start: tilde?.start ?? keyword.start, end: keyword.end },
      attributes,
      generics,
      params: this.lowerParameters(children.find((child) => child.kind === 'parameters')),
      isInferred: this.scope.isTemplate || generics.length > 0,
      isStatic,
    };
    return this.addFunction(
      head,
      node,
      children.find((child) => child.kind === 'function_body'),
      false,
    );
  }

  protected lowerUnittest(node: SyntaxNode): number {
    this.meet(node);
    const children = solidChildren(node);
    const keyword = children.find((child) => child.kind === 'unittest') ?? node;
    const attributes = [...this.scope.inherited, ...readAttributes(this.text, children)];
    const head: Head = {
      kind: 'unittest',
      name: 'unittest',
      nameSpan: spanOf(keyword),
      attributes,
      generics: [],
      params: [],
      isInferred: this.scope.isTemplate,
      isStatic: true,
    };
    const body = children.find((child) => child.kind === 'block_statement');
    return this.within({ ...this.scope, isTest: true }, () => this.addFunction(head, node, body, false));
  }

  protected lowerInvariant(node: SyntaxNode): number {
    this.meet(node);
    const children = solidChildren(node);
    const keyword = children.find((child) => child.kind === 'invariant') ?? node;
    const head: Head = {
      kind: 'method',
      name: 'invariant',
      nameSpan: spanOf(keyword),
      attributes: [...this.scope.inherited, ...readAttributes(this.text, children)],
      generics: [],
      params: [],
      isInferred: this.scope.isTemplate,
      isStatic: false,
    };
    const body = children.find((child) => child.kind === 'block_statement' || child.kind === 'assert_arguments');
    return this.addFunction(head, node, body, false);
  }

  protected lowerClosure(literal: SyntaxNode): Expr {
    const children = solidChildren(literal);
    const arrow = children.findIndex((child) => child.kind === '=>');
    const block = children.find((child) => child.kind === 'block_statement');
    const list = children.find((child) => child.kind === 'parameters');
    const open = children.findIndex((child) => child.kind === '(');
    const close = closingParenthesis(children, open);
    const word = children[0]?.kind;
    const attributes = readAttributes(this.text, children);
    if ((word === 'function' || word === 'delegate') && children[0] !== undefined) {
      attributes.unshift({ name: word, span: spanOf(children[0]) });
    }
    let params: readonly Param[] = [];
    if (list !== undefined) params = this.lowerParameters(list);
    else if (open >= 0) {
      params = splitBy(children.slice(open + 1, close), ',').flatMap((part) => this.lowerParameter(part, true));
    } else if (arrow > 0 && children[arrow - 1]?.kind === 'identifier') {
      const name = children[arrow - 1] ?? literal;
      params = [{ name: this.source(name), span: spanOf(name), modifiers: [] }];
    }
    const typeNode = children
      .slice(0, open < 0 ? (arrow < 0 ? undefined : arrow) : open)
      .find((child) => child.kind === 'type');
    const head: Head = {
      kind: 'closure',
      name: '{closure}',
      nameSpan: { start: literal.start, end: literal.start },
      attributes,
      generics: [],
      params,
      ...(typeNode === undefined ? {} : { returns: this.lowerType(typeNode) }),
      isInferred: true,
      isStatic: word === 'function',
    };
    const body = block ?? { ...literal, children: children.slice(arrow + 1) };
    const functionId = this.addFunction(head, literal, body, false, arrow >= 0);
    return { kind: 'closure', span: spanOf(literal), functionId };
  }

  /** Registers a function and lowers its body. The place in the list is taken first, so that the list is in source order. */
  protected addFunction(
    head: Head,
    node: SyntaxNode,
    bodyNode: SyntaxNode | undefined,
    isEponymous: boolean,
    isArrow = false,
  ): number {
    const place = this.functions.length;
    const id = this.firstId + place;
    this.functions.push(undefined);
    const { scope } = this;
    const qualifiedName = isEponymous ? scope.prefix : join(scope.prefix, head.name);
    const error = this.functionError(node);
    const hasBody = bodyNode !== undefined && !isBodyless(bodyNode);
    const skipped = hasBody && this.outline.cutBodies.has(bodyNode.start);
    if (error !== undefined) this.functionGap(error, head.name, node);
    const isSuspect = scope.isSuspect && hasBody;
    let body: Block | undefined;
    if (hasBody && !skipped && error === undefined && !isSuspect) {
      const inner: Scope = {
        ...surroundings(scope),
        prefix: qualifiedName,
        inherited: [],
        functionId: id,
        functionName: qualifiedName,
      };
      body = this.within(inner, () => (isArrow ? this.arrowBody(bodyNode) : this.functionBody(bodyNode)));
    }
    const isMember = scope.owner !== undefined && head.kind !== 'closure' && head.kind !== 'unittest';
    const linkage = head.attributes.find((attribute) => attribute.name === 'extern' && attribute.args !== undefined);
    this.functions[place] = {
      id,
      kind: head.kind,
      name: head.name,
      qualifiedName,
      span: spanOf(node),
      nameSpan: head.nameSpan,
      ...(hasBody ? { bodySpan: bodySpan(bodyNode, isArrow) } : {}),
      ...(isMember && scope.owner !== undefined ? { owner: scope.owner.name, ownerKind: scope.owner.kind } : {}),
      ...(scope.functionId === undefined ? {} : { parent: scope.functionId }),
      params: head.params,
      ...(isMember && !head.isStatic ? { self: { mode: 'by-reference' as const, span: head.nameSpan } } : {}),
      ...(head.returns === undefined ? {} : { returns: head.returns }),
      ...(hasAttribute(head.attributes, 'ref') ? { returnsRef: true } : {}),
      attributes: head.attributes,
      generics: head.generics,
      isAsync: false,
      isUnsafe: false,
      isPublic: isPublic(head.attributes),
      isStatic: head.isStatic,
      ...(linkage?.args === undefined ? {} : { abi: linkage.args }),
      trust: effectiveTrust(head.attributes, head.isInferred),
      isTest: scope.isTest,
      conditions: scope.conditions,
      ...(body === undefined ? {} : { body }),
      ...(skipped ? { skipped } : {}),
      ...(error !== undefined || isSuspect ? { hasError: true } : {}),
    };
    return id;
  }

  /** The syntax error that belongs to this function rather than to one inside it. */
  private functionError(node: SyntaxNode): SyntaxNode | undefined {
    if (!node.hasError) return undefined;
    for (const child of node.children) {
      const error = ownError(child);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  private functionGap(error: SyntaxNode, name: string, node: SyntaxNode): void {
    // Nested too deep to look into, it only says that there is an error somewhere in it.
    const at = error.skipped === true ? node : error;
    const what = name === '{closure}' ? 'the lambda' : `the function '${name}'`;
    this.gap(
      'parse-error',
      at.start,
      (line) =>
        `The D grammar can't read line ${line} of '${this.file.path}', so ${what} around it was not checked; read it by hand.`,
    );
  }

  private arrowBody(node: SyntaxNode): Block {
    const result = this.lowerOperand(node.children, node);
    return { span: result.span, statements: [], result };
  }

  private functionBody(node: SyntaxNode): Block {
    if (node.kind === 'block_statement') return this.lowerBody(node);
    if (node.kind === 'assert_arguments') return { span: spanOf(node), statements: [this.contract(node, node)] };
    const before: Statement[] = [];
    const children = solidChildren(node);
    let body: Block = { span: spanOf(node), statements: [] };
    for (const child of children) {
      switch (child.kind) {
        case 'in_contract_expression':
          before.push(this.contract(child, child.children.find((part) => part.kind === 'assert_arguments') ?? child));
          break;
        case 'in_statement': {
          const block = this.lowerBody(child.children.find((part) => part.kind === 'block_statement') ?? child);
          before.push({
            kind: 'expression',
            span: spanOf(child),
            expr: { kind: 'block', span: block.span, block, flavour: 'plain' },
          });
          break;
        }
        case 'out_contract_expression':
        case 'out_statement':
          before.push(this.outContract(child));
          break;
        case 'block_statement':
          body = this.lowerBody(child);
          break;
        default:
          break;
      }
    }
    const arrow = children.findIndex((child) => child.kind === '=>');
    if (arrow >= 0) {
      const result = this.lowerOperand(
        children.slice(arrow + 1).filter((child) => child.kind !== ';'),
        node,
      );
      body = { span: result.span, statements: [], result };
    }
    if (before.length === 0) return body;
    return {
      span: { start: before[0]?.span.start ?? node.start, end: body.span.end },
      statements: [...before, ...body.statements],
      ...(body.result === undefined ? {} : { result: body.result }),
    };
  }

  /** `in (x)` checks like an `assert` at the start of the body. */
  private contract(node: SyntaxNode, list: SyntaxNode): Statement {
    const callee: Expr = { kind: 'name', span: { start: node.start, end: node.start }, path: ['assert'] };
    const expr: Expr = { kind: 'call', span: spanOf(node), callee, args: this.lowerArguments(list) };
    return { kind: 'expression', span: spanOf(node), expr };
  }

  /** `out (r; check)` runs when the function has ended well; `r` stands for its result, which has no expression here. */
  private outContract(node: SyntaxNode): Statement {
    const name = node.children.find((child) => child.kind === 'identifier');
    const statements: Statement[] = [];
    if (name !== undefined) {
      statements.push({ kind: 'let', span: spanOf(name), pattern: this.binding(name, true, false), modifiers: [] });
    }
    const list = node.children.find((child) => child.kind === 'assert_arguments');
    const block = node.children.find((child) => child.kind === 'block_statement');
    if (list !== undefined) statements.push(this.contract(list, list));
    if (block !== undefined) statements.push(...this.lowerBody(block).statements);
    return { kind: 'defer', span: spanOf(node), when: 'success', body: { span: spanOf(node), statements } };
  }

  // Parameters --------------------------------------------------------------------------------------------------------

  private lowerParameters(list: SyntaxNode | undefined): Param[] {
    if (list === undefined) return [];
    const params: Param[] = [];
    for (const child of list.children) {
      if (child.kind === 'parameter') params.push(...this.lowerParameter(solidChildren(child), false));
      else if (child.kind === 'ellipses') params.push({ name: '...', span: spanOf(child), modifiers: ['variadic'] });
    }
    return params;
  }

  /** One parameter; in a lambda a lone name is the parameter's, not its type's. */
  private lowerParameter(parts: readonly SyntaxNode[], isLambda: boolean): Param[] {
    const typeNode = parts.find((part) => part.kind === 'type');
    const equals = parts.findIndex((part) => part.kind === '=');
    const head = equals < 0 ? parts : parts.slice(0, equals);
    let name = head.find((part) => part.kind === 'identifier');
    let type = typeNode === undefined ? undefined : this.lowerType(typeNode);
    const inner = typeNode === undefined ? [] : solidChildren(typeNode).filter((part) => part.kind !== 'type_ctor');
    const only = inner.length === 1 ? inner[0] : undefined;
    const qualifiers = this.headQualifiers(typeNode);
    if (name === undefined && isLambda && only?.kind === 'identifier') {
      name = only;
      type = undefined;
    }
    const ellipses = parts.find((part) => part.kind === 'ellipses');
    if (typeNode === undefined && ellipses !== undefined) {
      return [{ name: '...', span: spanOf(ellipses), modifiers: ['variadic'] }];
    }
    const modifiers: Modifier[] = [];
    const attributes: SyntaxNode[] = [];
    const add = (word: string): void => {
      const modifier = parameterModifiers.get(word);
      if (modifier !== undefined && !modifiers.includes(modifier)) modifiers.push(modifier);
    };
    for (const part of head) {
      if (part.kind !== 'parameter_attribute') continue;
      const word = solidChildren(part)[0];
      if (word?.kind === 'at_attribute') attributes.push(word);
      else if (word !== undefined) add(this.source(word));
    }
    for (const qualifier of qualifiers) add(qualifier);
    if (ellipses !== undefined) modifiers.push('variadic');
    const end = typeNode?.end ?? parts.at(-1)?.end ?? 0;
    return [
      {
        name: name === undefined ? '' : this.source(name),
        span: name === undefined ? { start: end, end } : spanOf(name),
        ...(type === undefined ? {} : { type }),
        modifiers,
        ...(equals < 0 ? {} : { hasDefault: true }),
        ...(attributes.length === 0 ? {} : { attributes: readAttributes(this.text, attributes) }),
      },
    ];
  }
}

const parameterModifiers = new Map<string, Modifier>([
  ['ref', 'ref'],
  ['scope', 'scope'],
  ['return', 'return'],
  ['lazy', 'lazy'],
  ['out', 'out'],
  ['in', 'in'],
  ['inout', 'inout'],
  ['const', 'const'],
  ['immutable', 'immutable'],
  ['shared', 'shared'],
]);

/** What holds for everything inside a scope, whatever it is inside of. */
export function surroundings(scope: Scope): Scope {
  const { outer, prefix, inherited, conditions, isTest, isTemplate, isSuspect, functionId } = scope;
  const kept = { outer, prefix, inherited, conditions, isTest, isTemplate, isSuspect };
  return functionId === undefined ? kept : { ...kept, functionId };
}

export function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

/** `;` instead of a body, perhaps after contracts. */
function isBodyless(body: SyntaxNode): boolean {
  if (body.kind !== 'function_body' || body.skipped === true) return false;
  return !body.children.some((child) => child.kind === 'block_statement' || child.kind === '=>');
}

function bodySpan(body: SyntaxNode, isArrow: boolean): Span {
  if (!isArrow) return spanOf(body);
  const first = body.children[0];
  return { start: first?.start ?? body.end, end: body.end };
}

/** The first error in the node that is not inside a function of its own. */
export function ownError(node: SyntaxNode): SyntaxNode | undefined {
  if (!node.hasError || functionKinds.has(node.kind)) return undefined;
  if (node.isError || node.isMissing) return node;
  for (const child of node.children) {
    const error = ownError(child);
    if (error !== undefined) return error;
  }
  return node.skipped === true ? node : undefined;
}

function closingParenthesis(nodes: readonly SyntaxNode[], open: number): number {
  let depth = 0;
  for (let i = Math.max(open, 0); i < nodes.length; i++) {
    if (nodes[i]?.kind === '(') depth++;
    else if (nodes[i]?.kind === ')' && --depth === 0) return i;
  }
  return nodes.length;
}
