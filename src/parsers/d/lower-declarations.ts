import type {
  Argument,
  Attribute,
  Block,
  Expr,
  Field,
  FileIr,
  FunctionIr,
  FunctionKind,
  Modifier,
  Param,
  Statement,
  TypeDecl,
  TypeRef,
} from '../../model/ir.js';
import type { SourceFile, Span } from '../../model/source.js';
import type { SyntaxNode } from '../syntax.js';
import { effectiveTrust, flowsIntoAggregate, hasAttribute, inherit, isPublic, readAttributes } from './attributes.js';
import { moduleScope, solidChildren, spanOf, splitBy, type Scope } from './lowering.js';
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

/** Declarations, and the whole file. */
export class DeclarationLowering extends StatementLowering {
  constructor(
    file: SourceFile,
    private readonly outline: Outline,
    /** The id of the first function. */
    private readonly firstId = 0,
  ) {
    super(file);
  }

  /** Lowers a whole file, given the tree of the outline's view. */
  lowerFile(root: SyntaxNode): FileIr {
    this.collectNames();
    let module: readonly string[] = [];
    let attributes: readonly Attribute[] = [];
    const top = root.children.find((child) => child.kind === 'module_def') ?? root;
    const declarations: SyntaxNode[] = [];
    for (const child of [...root.children.filter((other) => other !== top), ...(top === root ? [] : top.children)]) {
      if (child.kind === 'module_declaration') {
        attributes = readAttributes(this.text, child.children);
        const name = child.children.find((part) => part.kind === 'module_fqn');
        module = name === undefined ? [] : this.dotted(name);
      } else declarations.push(child);
    }
    if (root.isError) this.errorGap(root);
    const { tooDeep } = this.outline;
    if (tooDeep !== undefined) this.reportLimit({ start: tooDeep, end: tooDeep });
    const scope: Scope = root.isError ? { ...moduleScope, isSuspect: true } : moduleScope;
    this.within(scope, () => {
      this.lowerMembers(declarations);
    });
    return {
      path: this.file.path,
      language: 'd',
      module,
      attributes,
      imports: this.imports,
      types: this.types,
      impls: [],
      globals: this.globals,
      functions: this.functions.filter((fn) => fn !== undefined).sort((a, b) => a.span.start - b.span.start),
      macros: this.macros,
      comments: this.outline.comments,
      gaps: this.gaps,
    };
  }

  /** Names of types and of constants in the file, which decide what `T[Name]` is before either is read. */
  private collectNames(): void {
    for (const [, name] of this.text.matchAll(
      /\b(?:struct|class|interface|union|enum|alias)\s+([A-Za-z_]\w*)(?!\s*(?:\([^()]*\)\s*)?=[^=])/g,
    )) {
      if (name !== undefined) this.typeNames.add(name);
    }
    for (const [, name] of this.text.matchAll(/\b(?:enum|immutable|const)\s+(?:[a-z]\w*\s+)?([A-Za-z_]\w*)\s*=[^=]/g)) {
      if (name !== undefined) this.valueNames.add(name);
    }
  }

  private dotted(name: SyntaxNode): string[] {
    return name.children.filter((child) => child.kind === 'identifier').map((child) => this.source(child));
  }

  /** Attributes among the children, and the constraint of a template as an attribute `if`. */
  private ownAttributes(children: readonly SyntaxNode[]): Attribute[] {
    const attributes = readAttributes(this.text, children);
    const constraint = children.find((child) => child.kind === 'constraint');
    if (constraint !== undefined) {
      const written = this.source(constraint);
      const args = written.slice(written.indexOf('(') + 1, -1).trim();
      attributes.push({ name: 'if', args, span: spanOf(constraint) });
    }
    return attributes;
  }

  protected errorGap(node: SyntaxNode): void {
    this.gap(
      'parse-error',
      node.start,
      (line) =>
        `The D grammar can't read line ${line} of '${this.file.path}', which stands outside any function, so that text was not checked; read it by hand.`,
    );
  }

  private lowerMembers(nodes: readonly SyntaxNode[]): void {
    this.walkList(nodes, (node) => {
      if (!this.enter(node)) return;
      this.lowerDeclaration(node);
      this.leave();
    });
  }

  protected lowerLocalDeclaration(node: SyntaxNode): number | undefined {
    return this.lowerDeclaration(node);
  }

  /** The id of the function that the declaration declares, if it is one. */
  private lowerDeclaration(node: SyntaxNode): number | undefined {
    switch (node.kind) {
      case 'import_declaration':
        this.lowerImport(node);
        break;
      case 'variable_declaration':
      case 'auto_declaration':
      case 'manifest_constant':
        this.lowerVariables(node);
        break;
      case 'alias_declaration':
        this.lowerAlias(node);
        break;
      case 'alias_this': {
        const name = node.children.find((child) => child.kind === 'identifier');
        if (name !== undefined) {
          this.scope.typeAttributes?.push({ name: 'alias this', args: this.source(name), span: spanOf(node) });
        }
        break;
      }
      case 'struct_declaration':
        return this.lowerAggregateType(node, 'struct');
      case 'class_declaration':
        return this.lowerAggregateType(node, 'class');
      case 'interface_declaration':
        return this.lowerAggregateType(node, 'interface');
      case 'union_declaration':
        return this.lowerAggregateType(node, 'union');
      case 'enum_declaration':
        this.lowerEnum(node);
        break;
      case 'anonymous_enum_declaration':
        this.lowerEnumMembers(node);
        break;
      case 'template_declaration':
        return this.lowerTemplate(node, [], false);
      case 'mixin_template_declaration': {
        const inner = node.children.find((child) => child.kind === 'template_declaration');
        if (inner !== undefined) this.lowerTemplate(inner, readAttributes(this.text, node.children), true);
        return undefined;
      }
      case 'function_declaration':
        return this.lowerFunction(node);
      case 'constructor':
      case 'destructor':
      case 'postblit':
        return this.lowerSpecial(node);
      case 'unittest_declaration':
        return this.lowerUnittest(node);
      case 'invariant_declaration':
        return this.lowerInvariant(node);
      case 'conditional_declaration':
        this.lowerConditions(node);
        return undefined;
      case 'static_foreach_declaration': {
        const children = solidChildren(node);
        const close = children.findIndex((child) => child.kind === ')');
        const body = children.slice(close + 1);
        this.lowerMembers(body[0]?.kind === '{' ? body.slice(1, -1) : body);
        return undefined;
      }
      case 'pragma_declaration': {
        const inner = solidChildren(node).filter((child) => child.kind !== 'pragma_expression');
        const group = {
          ...this.scope,
          inherited: [...this.scope.inherited, ...inherit(readAttributes(this.text, node.children))],
        };
        this.within(group, () => {
          this.lowerMembers(inner[0]?.kind === '{' ? inner.slice(1, -1) : inner);
        });
        return undefined;
      }
      case 'mixin_declaration':
        this.macros.push({ name: 'mixin', span: spanOf(node) });
        this.mixinGap(node);
        return undefined;
      case 'template_mixin': {
        const written = this.source(node)
          .replace(/^mixin\s+/, '')
          .replace(/;$/, '')
          .trim();
        this.macros.push({ name: written.replace(/[!\s(].*$/s, ''), span: spanOf(node) });
        this.scope.typeAttributes?.push({ name: 'mixin', args: written, span: spanOf(node) });
        break;
      }
      case 'ERROR':
        this.errorGap(node);
        this.within({ ...this.scope, isSuspect: true }, () => {
          this.lowerMembers(node.children);
        });
        return undefined;
      default:
        break;
    }
    if (node.isMissing) this.errorGap(node);
    else if (node.hasError) {
      const error = ownError(node);
      if (error !== undefined) this.errorGap(error);
    }
    return undefined;
  }

  private lowerImport(node: SyntaxNode): void {
    const children = solidChildren(node);
    const attributes = [...this.scope.inherited, ...readAttributes(this.text, children)];
    const common = {
      kind: 'import',
      isPublic: hasAttribute(attributes, 'public'),
      attributes,
      conditions: this.scope.conditions,
    } as const;
    const isStatic = hasAttribute(attributes, 'static');
    const binds = children.filter((child) => child.kind === 'import_bind');
    const imported = children.filter((child) => child.kind === 'imported');
    imported.forEach((child, at) => {
      const name = child.children.find((part) => part.kind === 'module_fqn');
      const alias = child.children.find((part) => part.field === 'alias');
      const path = name === undefined ? [] : this.dotted(name);
      const isLast = at === imported.length - 1;
      if (isLast && binds.length > 0) {
        for (const bind of binds) {
          const [local, , original] = solidChildren(bind);
          if (local === undefined) continue;
          const target = this.source(original ?? local);
          this.imports.push({ ...common, path: [...path, target], name: this.source(local), span: spanOf(bind) });
        }
        return;
      }
      const isGlob = alias === undefined && !isStatic;
      this.imports.push({
        ...common,
        path,
        name: alias === undefined ? (path.at(-1) ?? '') : this.source(alias),
        span: spanOf(child),
        ...(isGlob ? { isGlob } : {}),
      });
    });
  }

  private lowerVariables(node: SyntaxNode): void {
    const { members, conditions, isTest } = this.scope;
    for (const read of this.readVariables(node)) {
      const variable = node.hasError ? { ...read, init: undefined } : read;
      const { attributes, qualifiers } = variable;
      const isConstant =
        node.kind === 'manifest_constant' || qualifiers.includes('const') || qualifiers.includes('immutable');
      const name = this.source(variable.name);
      const common = {
        name,
        ...(variable.type === undefined ? {} : { type: variable.type }),
        attributes:
          node.kind === 'manifest_constant' ? [...attributes, { name: 'enum', span: spanOf(node) }] : attributes,
        isPublic: isPublic(attributes),
        ...(variable.init === undefined ? {} : { init: variable.init }),
      };
      if (members !== undefined) {
        const isStatic =
          node.kind === 'manifest_constant' ||
          hasAttribute(attributes, 'static') ||
          hasAttribute(attributes, '__gshared');
        members.push({ ...common, span: spanOf(variable.name), isStatic });
      } else {
        this.globals.push({
          ...common,
          span: variable.span,
          nameSpan: spanOf(variable.name),
          kind: this.storageKind(attributes, qualifiers, isConstant),
          mutable: !isConstant,
          isTest,
          conditions,
        });
      }
    }
  }

  private typeDecl(parts: Omit<TypeDecl, 'isPublic' | 'outer' | 'isTest' | 'conditions'>): TypeDecl {
    const { outer, isTest, conditions } = this.scope;
    return { ...parts, isPublic: isPublic(parts.attributes), outer, isTest, conditions };
  }

  private lowerAlias(node: SyntaxNode): void {
    const children = solidChildren(node);
    const attributes = [...this.scope.inherited, ...readAttributes(this.text, children)];
    const declare = (name: SyntaxNode, alias: TypeRef | undefined, generics: FunctionIr['generics']): void => {
      this.types.push(
        this.typeDecl({
          kind: 'alias',
          name: this.source(name),
          span: spanOf(node),
          nameSpan: spanOf(name),
          generics,
          attributes,
          fields: [],
          bases: [],
          ...(alias === undefined ? {} : { alias }),
        }),
      );
    };
    const thisKeyword = children.findIndex((child) => child.kind === 'this');
    if (thisKeyword >= 0) {
      const target = children.at(-2);
      if (target !== undefined) {
        this.scope.typeAttributes?.push({ name: 'alias this', args: this.source(target), span: spanOf(node) });
      }
      return;
    }
    for (const child of children) {
      if (child.kind !== 'alias_initializer') continue;
      const parts = solidChildren(child);
      const name = parts[0];
      const type = parts.find((part) => part.kind === 'type');
      const literal = parts.find((part) => part.kind === 'function_literal');
      const generics = this.lowerGenerics(parts.find((part) => part.kind === 'template_parameters'));
      if (literal !== undefined) this.lowerExpr(literal);
      if (name !== undefined) declare(name, type === undefined ? undefined : this.lowerType(type), generics);
    }
    const type = children.find((child) => child.kind === 'type');
    if (type === undefined) return;
    const alias = this.lowerType(type);
    for (const child of children) if (child.kind === 'identifier') declare(child, alias, []);
  }

  private lowerAggregateType(node: SyntaxNode, kind: TypeDecl['kind']): number | undefined {
    const children = solidChildren(node);
    const body = children.find((child) => child.kind === 'aggregate_body');
    const name = children.find((child) => child.kind === 'identifier');
    const members = body === undefined ? [] : bodyMembers(body);
    const own = this.ownAttributes(children);
    for (const child of children) {
      const error = child.kind === 'aggregate_body' ? undefined : child.hasError ? ownError(child) : undefined;
      if (error !== undefined) this.errorGap(error);
    }
    if (name === undefined) {
      // An anonymous struct or union: its fields are those of the type around.
      this.within({ ...this.scope, inherited: [...this.scope.inherited, ...inherit(own)] }, () => {
        this.lowerMembers(members);
      });
      return undefined;
    }
    const bases = children.filter((child) => child.kind === 'base_class').map((child) => this.baseName(child));
    const generics = this.lowerGenerics(children.find((child) => child.kind === 'template_parameters'));
    this.declareType(kind, this.source(name), spanOf(name), spanOf(node), own, generics, bases, members);
    return undefined;
  }

  private baseName(node: SyntaxNode): string {
    return this.source(node).replace(/!.*$/s, '').trim();
  }

  private declareType(
    kind: TypeDecl['kind'],
    name: string,
    nameSpan: Span,
    span: Span,
    own: readonly Attribute[],
    ownGenerics: FunctionIr['generics'],
    bases: readonly string[],
    nodes: readonly SyntaxNode[],
  ): void {
    const { scope } = this;
    const isEponymous = scope.template?.name === name;
    const outer = isEponymous ? scope.outer.slice(0, -1) : scope.outer;
    const generics = isEponymous ? [...(scope.template?.generics ?? []), ...ownGenerics] : ownGenerics;
    const attributes: Attribute[] = [...scope.inherited, ...own];
    const fields: Field[] = [];
    const decl: TypeDecl = {
      ...this.typeDecl({ kind, name, span, nameSpan, generics, attributes, fields, bases }),
      outer,
    };
    this.types.push(decl);
    const inner: Scope = {
      ...surroundings(scope),
      owner: { name, kind },
      outer: [...outer, name],
      prefix: isEponymous ? scope.prefix : join(scope.prefix, name),
      inherited: inherit(attributes.filter(flowsIntoAggregate)),
      isTemplate: scope.isTemplate || generics.length > 0,
      members: fields,
      typeAttributes: attributes,
    };
    this.within(inner, () => {
      this.lowerMembers(nodes);
    });
  }

  protected lowerAnonymousClass(node: SyntaxNode): { type: TypeRef; args: readonly Argument[] } {
    const children = solidChildren(node);
    const body = children.find((child) => child.kind === 'aggregate_body');
    const bases = children.filter((child) => child.kind === 'base_class');
    const args = this.lowerArguments(children.find((child) => child.kind === 'arguments'));
    const keyword = children[1] ?? node;
    const name = '{class}';
    this.declareType(
      'class',
      name,
      spanOf(keyword),
      spanOf(node),
      [],
      [],
      bases.map((base) => this.baseName(base)),
      body === undefined ? [] : bodyMembers(body),
    );
    return { type: this.makeType('path', keyword.start, body?.start ?? node.end, { path: [name] }), args };
  }

  private lowerEnum(node: SyntaxNode): void {
    const children = solidChildren(node);
    const name = children.find((child) => child.kind === 'identifier');
    if (name === undefined) return;
    const own = readAttributes(this.text, children.slice(0, children.indexOf(name)));
    const base = children.find((child) => child.kind === 'type');
    const fields: Field[] = [];
    this.types.push(
      this.typeDecl({
        kind: 'enum',
        name: this.source(name),
        span: spanOf(node),
        nameSpan: spanOf(name),
        generics: [],
        attributes: [...this.scope.inherited, ...own],
        fields,
        bases: base === undefined ? [] : [this.source(base)],
      }),
    );
    for (const child of children) {
      if (child.kind !== 'enum_member') continue;
      const member = this.enumMember(child);
      if (member === undefined) continue;
      fields.push({
        name: this.source(member.name),
        span: spanOf(member.name),
        isPublic: true,
        isStatic: true,
        attributes: readAttributes(this.text, child.children),
        ...(member.init === undefined ? {} : { init: member.init }),
      });
    }
  }

  private enumMember(node: SyntaxNode): { name: SyntaxNode; init: Expr | undefined } | undefined {
    const parts = solidChildren(node);
    const name = parts.find((part) => part.kind === 'identifier');
    const equals = parts.findIndex((part) => part.kind === '=');
    if (name === undefined) return undefined;
    return { name, init: equals < 0 ? undefined : this.lowerOperand(parts.slice(equals + 1), node) };
  }

  /** `enum { a, b }` declares constants of the scope around. */
  private lowerEnumMembers(node: SyntaxNode): void {
    const attributes = [...this.scope.inherited, ...readAttributes(this.text, node.children)];
    for (const child of node.children) {
      if (child.kind !== 'enum_member' && child.kind !== 'anonymous_enum_member') continue;
      const member = this.enumMember(child);
      if (member === undefined) continue;
      const type = child.children.find((part) => part.kind === 'type');
      const common = {
        name: this.source(member.name),
        attributes: [...attributes, { name: 'enum', span: spanOf(node) }],
        isPublic: isPublic(attributes),
        ...(type === undefined ? {} : { type: this.lowerType(type) }),
        ...(member.init === undefined ? {} : { init: member.init }),
      };
      if (this.scope.members !== undefined) {
        this.scope.members.push({ ...common, span: spanOf(member.name), isStatic: true });
      } else {
        const { isTest, conditions, functionName } = this.scope;
        this.globals.push({
          ...common,
          span: spanOf(child),
          nameSpan: spanOf(member.name),
          kind: 'const',
          mutable: false,
          isTest,
          conditions,
          ...(functionName === undefined ? {} : { inFunction: functionName }),
        });
      }
    }
  }

  /** A template opens a namespace; a member with its name is what the template stands for and takes its place. */
  private lowerTemplate(node: SyntaxNode, outerAttributes: readonly Attribute[], isMixin: boolean): undefined {
    const children = solidChildren(node);
    const nameNode = children.find((child) => child.kind === 'identifier');
    const open = children.findIndex((child) => child.kind === '{');
    if (nameNode === undefined || open < 0) return undefined;
    const name = this.source(nameNode);
    const generics = this.lowerGenerics(children.find((child) => child.kind === 'template_parameters'));
    const own = [...outerAttributes, ...this.ownAttributes(children.slice(0, open))];
    const fields: Field[] = [];
    const attributes: Attribute[] = [...this.scope.inherited, ...own];
    if (isMixin) attributes.push({ name: 'mixin', span: spanOf(nameNode) });
    const members = children.slice(open + 1, -1);
    const types = new Set([
      'struct_declaration',
      'class_declaration',
      'union_declaration',
      'interface_declaration',
      'enum_declaration',
    ]);
    const isType = members.some(
      (member) =>
        types.has(member.kind) &&
        member.children.some((part) => part.kind === 'identifier' && this.source(part) === name),
    );
    if (!isType) {
      this.types.push(
        this.typeDecl({
          kind: 'template',
          name,
          span: spanOf(node),
          nameSpan: spanOf(nameNode),
          generics,
          attributes,
          fields,
          bases: [],
        }),
      );
    }
    const inner: Scope = {
      ...surroundings(this.scope),
      outer: [...this.scope.outer, name],
      prefix: join(this.scope.prefix, name),
      inherited: inherit(attributes.filter(({ name: word }) => word !== 'mixin' && word !== 'if')),
      isTemplate: true,
      ...(isMixin
        ? { owner: { name, kind: 'template' as const }, members: fields, typeAttributes: attributes }
        : { template: { name, generics } }),
    };
    this.within(inner, () => {
      this.lowerMembers(members);
    });
    return undefined;
  }

  private lowerConditions(node: SyntaxNode): void {
    const { condition, then, otherwise } = this.branches(node);
    const written = condition === undefined ? '' : this.source(condition).replace(/\s+/g, ' ');
    const attributes = inherit(readAttributes(this.text, node.children));
    const isTest = /^version \?\(\s*unittest\s*\)|^version\s*\(\s*unittest\s*\)/.test(written);
    const { scope } = this;
    const inherited = [...scope.inherited, ...attributes];
    const conditions = [...scope.conditions, written];
    this.within({ ...scope, inherited, conditions, isTest: scope.isTest || isTest }, () => {
      this.lowerMembers(then);
    });
    if (otherwise === undefined) return;
    this.within({ ...scope, inherited, conditions: [...scope.conditions, `!${written}`] }, () => {
      this.lowerMembers(otherwise);
    });
  }

  // Functions ---------------------------------------------------------------------------------------------------------

  private lowerFunction(node: SyntaxNode): number {
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
  private lowerSpecial(node: SyntaxNode): number {
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

  private lowerUnittest(node: SyntaxNode): number {
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

  private lowerInvariant(node: SyntaxNode): number {
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
  private addFunction(
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
function surroundings(scope: Scope): Scope {
  const { outer, prefix, inherited, conditions, isTest, isTemplate, isSuspect, functionId } = scope;
  const kept = { outer, prefix, inherited, conditions, isTest, isTemplate, isSuspect };
  return functionId === undefined ? kept : { ...kept, functionId };
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

function bodyMembers(body: SyntaxNode): readonly SyntaxNode[] {
  return body.children.filter(
    (child, at) =>
      !(
        (at === 0 && child.kind === '{') ||
        (at === body.children.length - 1 && child.kind === '}' && !child.isMissing)
      ),
  );
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
function ownError(node: SyntaxNode): SyntaxNode | undefined {
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
