import type { Argument, Attribute, Expr, Field, FileIr, FunctionIr, TypeDecl, TypeRef } from '../../model/ir.js';
import type { Span } from '../../model/source.js';
import type { SyntaxNode } from '../syntax.js';
import { flowsIntoAggregate, hasAttribute, inherit, isPublic, readAttributes } from './attributes.js';
import { moduleScope, solidChildren, spanOf, type Scope } from './lowering.js';
import { FunctionLowering, join, ownError, surroundings } from './lower-functions.js';

/** Declarations, and the whole file. */
export class DeclarationLowering extends FunctionLowering {
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
    if (root.isError && root.skipped === true) {
      const message = `'${this.file.path}' was not checked, because the D grammar takes too long to read it; look for brackets or quotes without an end.`;
      this.gap('limit', 0, () => message);
    } else if (root.isError) this.errorGap(root);
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
    for (const name of this.constants.types) this.typeNames.add(name);
    for (const name of this.constants.values) this.valueNames.add(name);
  }

  private dotted(name: SyntaxNode): string[] {
    return name.children.filter((child) => child.kind === 'identifier').map((child) => this.source(child));
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
    const decided = condition === undefined ? undefined : this.decided(condition);
    if (decided !== false)
      this.within({ ...scope, inherited, conditions, isTest: scope.isTest || isTest }, () => {
        this.lowerMembers(then);
      });
    if (otherwise === undefined || decided === true) return;
    this.within({ ...scope, inherited, conditions: [...scope.conditions, `!${written}`] }, () => {
      this.lowerMembers(otherwise);
    });
  }
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
