import type { Attribute, Field, FunctionIr, Param, Statement, TypeDecl, TypeRef } from '../../model/ir.js';
import { kept, NONE } from '../../model/lists.js';
import type { Span } from '../../model/source.js';
import { childByField, firstOfKind, type SyntaxNode } from '../syntax.js';
import type { Lowering, Scope } from './context.js';
import { findConditions, isTestAttribute, lowerAttribute, requiresTest } from './lower-attributes.js';
import { lowerBlock, lowerExpr } from './lower-expr.js';
import { lowerPattern } from './lower-patterns.js';
import { folded, lowerGenerics, lowerType, plainName } from './lower-types.js';
import { lowerMacroDefinition } from './macro-definitions.js';
import { lowerItemMacro } from './macros.js';
import { hasChild, isComment, partsOf, spanOf } from './nodes.js';

const ITEMS = new Set([
  'function_item',
  'function_signature_item',
  'impl_item',
  'struct_item',
  'enum_item',
  'union_item',
  'trait_item',
  'type_item',
  'associated_type',
  'static_item',
  'const_item',
  'mod_item',
  'use_declaration',
  'extern_crate_declaration',
  'foreign_mod_item',
  'macro_definition',
]);

export function isItem(node: SyntaxNode): boolean {
  return ITEMS.has(node.kind);
}

/** `pub` alone: what is visible only inside the crate is not public. */
function isPublic(cx: Lowering, node: SyntaxNode): boolean {
  const visibility = firstOfKind(node, 'visibility_modifier');
  return visibility !== undefined && cx.textOf(visibility).trim() === 'pub';
}

/** The scope with what the attributes of an item add to it. */
function withAttributes(scope: Scope, attributes: readonly Attribute[]): Scope {
  const conditions = findConditions(attributes);
  const isTest = scope.isTest || attributes.some(isTestAttribute) || conditions.some(requiresTest);
  if (conditions.length === 0 && isTest === scope.isTest) return scope;
  return { ...scope, conditions: [...scope.conditions, ...conditions], isTest };
}

function nameOf(cx: Lowering, node: SyntaxNode): { name: string; nameSpan: Span } {
  const name = childByField(node, 'name');
  return name
    ? { name: plainName(cx.textOf(name)), nameSpan: spanOf(name) }
    : { name: '', nameSpan: { start: node.start, end: node.start } };
}

/**
 * Lowers the items among `nodes`, with the attributes that stand before each. Inner attributes hold for the whole list; they
 * are added to `inner` when it is given.
 */
export function lowerItems(cx: Lowering, nodes: readonly SyntaxNode[], outer: Scope, inner?: Attribute[]): void {
  const own: Attribute[] = inner ?? [];
  for (const node of nodes) if (node.kind === 'inner_attribute_item') lowerAttribute(cx, node, own);
  const scope = withAttributes(outer, own);
  let pending: Attribute[] = [];
  for (const node of nodes) {
    if (isComment(node) || node.kind === 'inner_attribute_item') continue;
    if (node.kind === 'attribute_item') {
      lowerAttribute(cx, node, pending);
      continue;
    }
    if (node.isError || node.isMissing) reportOutside(cx, node, scope);
    else cx.bounded(() => lowerItem(cx, node, scope, pending));
    pending = [];
  }
}

/** The items between the braces of a module, impl, trait or extern block. */
function lowerMembers(cx: Lowering, body: SyntaxNode, scope: Scope): void {
  cx.enter(body);
  lowerItems(cx, body.children, scope);
  cx.leave();
}

/** A syntax error between items: what is complete inside it is listed, but nothing may be found in it. */
function reportOutside(cx: Lowering, node: SyntaxNode, scope: Scope): void {
  cx.gap(
    'parse-error',
    node.start,
    (line) => `The syntax at line ${line} could not be read, and what it belongs to was not checked.`,
  );
  const stack = [...node.children];
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (next.kind === 'function_item' || next.kind === 'function_signature_item')
      cx.bounded(() => lowerFunction(cx, next, scope, [], true));
    else stack.push(...next.children);
  }
}

/** Who else calls a macro is not known. Of what it expands to, an allocator for the whole program is worth a word. */
function reportHiddenAllocator(cx: Lowering, node: SyntaxNode): void {
  const text = cx.textOf(node);
  const at = text.search(/#\s*\[\s*global_allocator\b/u);
  if (at < 0) return;
  cx.gap(
    'macro-body',
    node.start + at,
    (line) =>
      `The macro defined around line ${line} holds a '#[global_allocator]': where crates that were not read call it, it was not checked.`,
  );
}

/** One item with the attributes before it. Nodes that are no items (a stray `;`) are passed over. */
function lowerItem(cx: Lowering, node: SyntaxNode, scope: Scope, attributes: Attribute[]): number | undefined {
  switch (node.kind) {
    case 'function_item':
    case 'function_signature_item':
      return lowerFunction(cx, node, scope, attributes, false);
    case 'impl_item':
      lowerImpl(cx, node, scope, attributes);
      return undefined;
    case 'struct_item':
    case 'union_item':
    case 'enum_item':
      lowerTypeDecl(cx, node, scope, attributes);
      return undefined;
    case 'trait_item':
      lowerTrait(cx, node, scope, attributes);
      return undefined;
    case 'macro_definition':
      reportHiddenAllocator(cx, node);
      lowerMacroDefinition(cx, node, scope);
      return undefined;
    case 'type_item':
    case 'associated_type':
      lowerAlias(cx, node, scope, attributes);
      return undefined;
    case 'static_item':
    case 'const_item':
      lowerGlobal(cx, node, scope, attributes, node.kind === 'static_item' ? 'static' : 'const');
      return undefined;
    case 'mod_item':
      lowerMod(cx, node, scope, attributes);
      return undefined;
    case 'use_declaration':
      lowerUse(cx, node, scope, attributes);
      return undefined;
    case 'extern_crate_declaration': {
      const { name } = nameOf(cx, node);
      const alias = childByField(node, 'alias');
      cx.imports.push({
        path: [name],
        name: alias ? plainName(cx.textOf(alias)) : name,
        span: spanOf(node),
        kind: 'extern-crate',
        isPublic: isPublic(cx, node),
        attributes: kept(attributes),
        conditions: withAttributes(scope, attributes).conditions,
      });
      return undefined;
    }
    case 'foreign_mod_item': {
      const abi = firstOfKind(node, 'extern_modifier');
      const body = childByField(node, 'body');
      if (body) lowerMembers(cx, body, { ...withAttributes(scope, attributes), abi: abi ? readAbi(cx, abi) : 'C' });
      reportErrorsIn(cx, node);
      return undefined;
    }
    case 'macro_invocation':
      lowerItemMacro(cx, node, withAttributes(scope, attributes));
      return undefined;
    case 'expression_statement': {
      const inner = partsOf(node)[0];
      if (inner?.kind === 'macro_invocation') lowerItemMacro(cx, inner, withAttributes(scope, attributes));
      return undefined;
    }
    default:
      return undefined;
  }
}

function readAbi(cx: Lowering, node: SyntaxNode): string {
  return /"([^"]*)"/.exec(cx.textOf(node))?.[1] ?? 'C';
}

function findError(node: SyntaxNode): SyntaxNode | undefined {
  const stack = [node];
  let first: SyntaxNode | undefined;
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (!next.hasError) continue;
    // Functions answer for their own errors.
    if (next !== node && next.kind === 'function_item') continue;
    if (next.isError || next.isMissing || next.children.length === 0) {
      if (!first || next.start < first.start) first = next;
      continue;
    }
    stack.push(...next.children);
  }
  return first;
}

/** Records the errors directly inside an item that holds no function bodies of its own. */
function reportErrorsIn(cx: Lowering, node: SyntaxNode): void {
  if (!node.hasError) return;
  for (const child of node.children) {
    if (child.kind === 'declaration_list') continue;
    const error = child.hasError ? findError(child) : undefined;
    if (!error) continue;
    cx.gap(
      'parse-error',
      error.start,
      (line) => `The syntax at line ${line} could not be read, and the declaration around it was read in part.`,
    );
    return;
  }
}

// --- functions -------------------------------------------------------------------------------------------------------

interface Signature {
  readonly params: readonly Param[];
  readonly self?: NonNullable<FunctionIr['self']>;
}

function selfOf(cx: Lowering, node: SyntaxNode): NonNullable<FunctionIr['self']> {
  const span = spanOf(node);
  if (node.kind === 'self_parameter') {
    const lifetime = firstOfKind(node, 'lifetime');
    const isReference = hasChild(node, '&');
    const mode = !isReference ? 'value' : hasChild(node, 'mutable_specifier') ? 'mutable' : 'shared';
    return { mode, span, ...(lifetime ? { lifetime: cx.textOf(lifetime) } : {}) };
  }
  const typeNode = childByField(node, 'type');
  const type = typeNode ? lowerType(cx, typeNode) : undefined;
  const reference =
    type?.kind === 'reference'
      ? type
      : type?.name === 'Pin' && type.args[0]?.kind === 'reference'
        ? type.args[0]
        : undefined;
  const mode = reference ? (reference.mutable ? 'mutable' : 'shared') : 'value';
  return { mode, span, ...(reference?.lifetime ? { lifetime: reference.lifetime } : {}), ...(type ? { type } : {}) };
}

/** Parameters of a function, method or closure; `self` is apart. Without a name (`_`, or a bare type) the name is `_`. */
export function lowerParams(cx: Lowering, list: SyntaxNode | undefined): Signature {
  const params: Param[] = [];
  let self: Signature['self'];
  let attributes: Attribute[] = [];
  const push = (param: Omit<Param, 'attributes'>): void => {
    params.push(attributes.length > 0 ? { ...param, attributes } : param);
    attributes = [];
  };
  for (const node of list?.children ?? []) {
    if (isComment(node)) continue;
    if (node.kind === 'attribute_item') lowerAttribute(cx, node, attributes);
    else if (node.kind === 'self_parameter') self = selfOf(cx, node);
    else if (node.kind === 'parameter') {
      const patternNode = childByField(node, 'pattern');
      if (patternNode?.kind === 'self') {
        self = selfOf(cx, node);
        continue;
      }
      const typeNode = childByField(node, 'type');
      const isMutable = hasChild(node, 'mutable_specifier');
      push(paramOf(cx, patternNode ?? node, typeNode ? lowerType(cx, typeNode) : undefined, isMutable));
    } else if (node.kind === 'variadic_parameter') push({ name: '...', span: spanOf(node), modifiers: ['variadic'] });
    else if (node.kind === '_') push({ name: '_', span: spanOf(node), modifiers: NONE });
    else if (node.named && !node.isError) {
      if (list?.kind === 'closure_parameters') push(paramOf(cx, node, undefined, false));
      else push({ name: '_', span: spanOf(node), type: lowerType(cx, node), modifiers: NONE });
    }
  }
  return { params, ...(self ? { self } : {}) };
}

function paramOf(
  cx: Lowering,
  node: SyntaxNode,
  type: TypeRef | undefined,
  isMutable: boolean,
): Omit<Param, 'attributes'> {
  const typed = type ? { type } : {};
  const text = cx.textOf(node);
  if (node.kind === '_' || text === '_') return { name: '_', span: spanOf(node), ...typed, modifiers: NONE };
  if (node.kind === 'identifier')
    return { name: plainName(text), span: spanOf(node), ...typed, modifiers: isMutable ? ['mut'] : NONE };
  const pattern = lowerPattern(cx, node, isMutable ? { mutable: true } : {});
  if (pattern.kind === 'bind' && !pattern.sub) {
    return {
      name: pattern.name,
      span: pattern.span,
      ...typed,
      modifiers: kept([...(pattern.mutable ? ['mut' as const] : []), ...(pattern.byRef ? ['ref' as const] : [])]),
    };
  }
  return { name: pattern.kind === 'bind' ? pattern.name : '_', span: spanOf(node), ...typed, modifiers: NONE, pattern };
}

function lowerFunction(
  cx: Lowering,
  node: SyntaxNode,
  outer: Scope,
  attributes: Attribute[],
  isBroken: boolean,
): number {
  const scope = withAttributes(outer, attributes);
  const { name, nameSpan } = nameOf(cx, node);
  const { params, self } = lowerParams(cx, childByField(node, 'parameters'));
  const returns = childByField(node, 'return_type');
  const modifiers = firstOfKind(node, 'function_modifiers');
  const external = modifiers ? firstOfKind(modifiers, 'extern_modifier') : undefined;
  const bodyNode = childByField(node, 'body');
  const names = [...scope.names, name];
  const isMember = scope.owner !== undefined;
  const abi = external ? readAbi(cx, external) : scope.abi;

  const place = cx.functions.length;
  const id = cx.firstId + place;
  const declared: FunctionIr = {
    id,
    kind: !isMember ? 'function' : name === 'drop' && scope.trait === 'Drop' ? 'destructor' : 'method',
    name,
    qualifiedName: names.join('.'),
    span: spanOf(node),
    nameSpan,
    ...(bodyNode ? { bodySpan: spanOf(bodyNode) } : {}),
    ...(scope.owner !== undefined ? { owner: scope.owner } : {}),
    ...(scope.ownerKind !== undefined ? { ownerKind: scope.ownerKind } : {}),
    ...(scope.trait !== undefined ? { trait: scope.trait } : {}),
    ...(scope.parent !== undefined ? { parent: scope.parent } : {}),
    params,
    ...(self ? { self } : {}),
    ...(returns ? { returns: lowerType(cx, returns) } : {}),
    attributes: kept(attributes),
    generics: lowerGenerics(cx, node),
    isAsync: modifiers !== undefined && hasChild(modifiers, 'async'),
    isUnsafe:
      (modifiers !== undefined && hasChild(modifiers, 'unsafe')) ||
      (scope.abi !== undefined && !isSafeForeign(cx, node)),
    isPublic: scope.isPublic ?? isPublic(cx, node),
    isStatic: isMember && !self,
    ...(abi !== undefined ? { abi } : {}),
    isTest: scope.isTest,
    conditions: scope.conditions,
  };
  cx.functions.push(declared);

  const error = isBroken ? node : node.hasError ? findError(node) : undefined;
  if (error) {
    cx.functions[place] = { ...declared, hasError: true };
    if (!isBroken && (!bodyNode || cx.isWanted(node))) {
      cx.gap(
        'parse-error',
        error.start,
        (line) => `The syntax at line ${line} could not be read, so '${name}' was not checked.`,
      );
    }
    return id;
  }
  if (!bodyNode) return id;
  if (cx.skippedBodies.has(bodyNode.start) || !cx.isWanted({ start: node.start, end: bodyNode.end })) {
    cx.functions[place] = { ...declared, skipped: true };
    return id;
  }
  const inner: Scope = {
    names,
    conditions: scope.conditions,
    isTest: scope.isTest,
    parent: id,
    parentName: declared.qualifiedName,
  };
  const body = cx.bounded(() => lowerBlock(cx, bodyNode, inner));
  cx.functions[place] = body ? { ...declared, body } : { ...declared, skipped: true };
  return id;
}

/** `safe fn` in an `unsafe extern` block; the keyword was blanked before parsing and stands before the node. */
function isSafeForeign(cx: Lowering, node: SyntaxNode): boolean {
  return (
    /\bsafe\s+$/.test(cx.text.slice(Math.max(0, node.start - 24), node.start)) ||
    /^(?:pub\s*(?:\([^)]*\)\s*)?)?safe\s+fn\b/.test(cx.textOf(node))
  );
}

// --- types -----------------------------------------------------------------------------------------------------------

function lowerFields(cx: Lowering, list: SyntaxNode, prefix: string, isVariant: boolean): Field[] {
  const fields: Field[] = [];
  let attributes: Attribute[] = [];
  let visible = false;
  for (const node of list.children) {
    if (isComment(node)) continue;
    if (node.kind === 'attribute_item') lowerAttribute(cx, node, attributes);
    else if (node.kind === 'visibility_modifier') visible = cx.textOf(node).trim() === 'pub';
    else if (node.kind === 'field_declaration') {
      const { name, nameSpan } = nameOf(cx, node);
      const type = childByField(node, 'type');
      fields.push({
        name: prefix + name,
        span: nameSpan,
        ...(type ? { type: lowerType(cx, type) } : {}),
        isPublic: isVariant || isPublic(cx, node),
        isStatic: false,
        attributes: kept(attributes),
      });
      attributes = [];
    } else if (node.field === 'type') {
      fields.push({
        name: prefix + String(fields.length),
        span: spanOf(node),
        type: lowerType(cx, node),
        isPublic: isVariant || visible,
        isStatic: false,
        attributes: kept(attributes),
      });
      attributes = [];
      visible = false;
    }
  }
  return fields;
}

function lowerVariants(cx: Lowering, list: SyntaxNode): Field[] {
  const fields: Field[] = [];
  for (const variant of list.children) {
    if (variant.kind !== 'enum_variant') continue;
    const body = childByField(variant, 'body');
    if (body) fields.push(...lowerFields(cx, body, `${nameOf(cx, variant).name}.`, true));
  }
  return fields;
}

function lowerTypeDecl(cx: Lowering, node: SyntaxNode, outer: Scope, attributes: Attribute[]): void {
  const scope = withAttributes(outer, attributes);
  const body = childByField(node, 'body');
  const kind = node.kind === 'enum_item' ? 'enum' : node.kind === 'union_item' ? 'union' : 'struct';
  cx.types.push({
    kind,
    ...nameOf(cx, node),
    span: spanOf(node),
    generics: lowerGenerics(cx, node),
    attributes: kept(attributes),
    fields: !body ? [] : kind === 'enum' ? lowerVariants(cx, body) : lowerFields(cx, body, '', false),
    bases: [],
    isPublic: isPublic(cx, node),
    outer: [],
    isTest: scope.isTest,
    conditions: scope.conditions,
  });
  reportErrorsIn(cx, node);
}

function lowerAlias(cx: Lowering, node: SyntaxNode, outer: Scope, attributes: Attribute[]): void {
  const scope = withAttributes(outer, attributes);
  const type = childByField(node, 'type');
  cx.types.push({
    kind: 'alias',
    ...nameOf(cx, node),
    span: spanOf(node),
    generics: lowerGenerics(cx, node),
    attributes: kept(attributes),
    fields: [],
    bases: [],
    ...(type ? { alias: lowerType(cx, type) } : {}),
    isPublic: scope.isPublic ?? isPublic(cx, node),
    outer: scope.owner !== undefined ? [scope.owner] : [],
    isTest: scope.isTest,
    conditions: scope.conditions,
  });
}

function lowerTrait(cx: Lowering, node: SyntaxNode, outer: Scope, attributes: Attribute[]): void {
  const scope = withAttributes(outer, attributes);
  const { name, nameSpan } = nameOf(cx, node);
  const bounds = childByField(node, 'bounds');
  const body = childByField(node, 'body');
  cx.types.push({
    kind: 'trait',
    name,
    nameSpan,
    span: spanOf(node),
    generics: lowerGenerics(cx, node),
    attributes: kept(attributes),
    fields: [],
    bases: bounds ? partsOf(bounds).map((part) => folded(cx.textOf(part))) : [],
    isPublic: isPublic(cx, node),
    outer: [],
    isTest: scope.isTest,
    conditions: scope.conditions,
  });
  if (body) {
    lowerMembers(cx, body, {
      ...scope,
      names: [...scope.names, name],
      owner: name,
      ownerKind: 'trait',
      trait: name,
      isPublic: isPublic(cx, node),
    });
  }
  reportErrorsIn(cx, node);
}

/** The name that members of `impl .. for T` are listed under: the head of `T`, behind references. */
function ownerName(type: TypeRef): string {
  let current = type;
  while (
    (current.kind === 'reference' ||
      current.kind === 'pointer' ||
      current.kind === 'slice' ||
      current.kind === 'static-array') &&
    current.element
  ) {
    current = current.element;
  }
  return current.name || current.text;
}

function lowerImpl(cx: Lowering, node: SyntaxNode, outer: Scope, attributes: Attribute[]): void {
  const scope = withAttributes(outer, attributes);
  const targetNode = childByField(node, 'type');
  if (!targetNode) return;
  const traitNode = childByField(node, 'trait');
  const body = childByField(node, 'body');
  const target = lowerType(cx, targetNode);
  const trait = traitNode ? lowerType(cx, traitNode) : undefined;
  cx.impls.push({
    span: spanOf(node),
    headSpan: { start: node.start, end: endOfHead(node, body) },
    ...(trait ? { trait } : {}),
    target,
    generics: lowerGenerics(cx, node),
    attributes: kept(attributes),
    isUnsafe: hasChild(node, 'unsafe'),
    isNegative: hasChild(node, '!'),
    isTest: scope.isTest,
    conditions: scope.conditions,
  });
  if (body) {
    const owner = ownerName(target);
    lowerMembers(cx, body, {
      ...scope,
      names: [...scope.names, owner],
      owner,
      ...(trait ? { trait: trait.name, isPublic: true } : {}),
    });
  }
  reportErrorsIn(cx, node);
}

/** The head of an impl ends with its last part before the body. */
function endOfHead(node: SyntaxNode, body: SyntaxNode | undefined): number {
  const last = node.children.filter((child) => child !== body && child.kind !== ';' && !isComment(child)).at(-1);
  return last?.end ?? node.end;
}

// --- modules, imports, globals ---------------------------------------------------------------------------------------

function lowerMod(cx: Lowering, node: SyntaxNode, outer: Scope, attributes: Attribute[]): void {
  const scope = withAttributes(outer, attributes);
  const { name } = nameOf(cx, node);
  const body = childByField(node, 'body');
  if (body) {
    lowerMembers(cx, body, { ...scope, names: [...scope.names, name] });
    reportErrorsIn(cx, node);
    return;
  }
  cx.imports.push({
    path: [name],
    name,
    span: spanOf(node),
    kind: 'mod',
    isPublic: isPublic(cx, node),
    attributes: kept(attributes),
    conditions: scope.conditions,
  });
}

function segmentsOf(cx: Lowering, node: SyntaxNode): string[] {
  return cx.textOf(node).replace(/\s+/g, '').split('::').map(plainName);
}

function lowerUse(cx: Lowering, node: SyntaxNode, outer: Scope, attributes: Attribute[]): void {
  const argument = childByField(node, 'argument');
  if (!argument) return;
  const common = {
    kind: 'use' as const,
    isPublic: isPublic(cx, node),
    attributes: kept(attributes),
    conditions: withAttributes(outer, attributes).conditions,
  };
  const visit = (clause: SyntaxNode, prefix: readonly string[]): void => {
    cx.enter(clause);
    switch (clause.kind) {
      case 'use_list':
        for (const part of partsOf(clause)) visit(part, prefix);
        break;
      case 'scoped_use_list': {
        const path = childByField(clause, 'path');
        const list = childByField(clause, 'list');
        if (list) visit(list, path ? [...prefix, ...segmentsOf(cx, path)] : prefix);
        break;
      }
      case 'use_as_clause': {
        const path = childByField(clause, 'path');
        const alias = childByField(clause, 'alias');
        if (!path) break;
        const segments = withoutSelf([...prefix, ...segmentsOf(cx, path)]);
        // `as _` names nothing; the underscore is no identifier in the grammar.
        const name = alias ? plainName(cx.textOf(alias)) : '_';
        cx.imports.push({ path: segments, name, span: spanOf(clause), ...common });
        break;
      }
      case 'use_wildcard': {
        const path = partsOf(clause)[0];
        cx.imports.push({
          path: path ? [...prefix, ...segmentsOf(cx, path)] : prefix,
          name: '*',
          span: spanOf(clause),
          isGlob: true,
          ...common,
        });
        break;
      }
      default: {
        const segments = withoutSelf([...prefix, ...segmentsOf(cx, clause)]);
        cx.imports.push({ path: segments, name: segments.at(-1) ?? '', span: spanOf(clause), ...common });
      }
    }
    cx.leave();
  };
  visit(argument, []);
}

/** `a::{self}` imports `a`. */
function withoutSelf(path: readonly string[]): readonly string[] {
  return path.length > 1 && path.at(-1) === 'self' ? path.slice(0, -1) : path;
}

/** Longer initialisers are tables; they are read only when a rule asks for something in them. */
const LONG_INITIALISER = 2000;

export function lowerGlobal(
  cx: Lowering,
  node: SyntaxNode,
  outer: Scope,
  attributes: Attribute[],
  kind: 'static' | 'const' | 'thread-local',
): void {
  const scope = withAttributes(outer, attributes);
  const { name, nameSpan } = nameOf(cx, node);
  const type = childByField(node, 'type');
  const value = childByField(node, 'value');
  const readsInit =
    value !== undefined && !value.hasError && (value.end - value.start <= LONG_INITIALISER || cx.isWanted(value));
  // Closures of an initialiser (`LazyLock::new(|| ..)`) belong to no function.
  const inner: Scope = {
    names: [...scope.names, name],
    conditions: scope.conditions,
    isTest: scope.isTest,
    ...(scope.parent !== undefined ? { parent: scope.parent } : {}),
  };
  const init = readsInit ? cx.bounded(() => lowerExpr(cx, value, inner)) : undefined;
  cx.globals.push({
    name,
    span: spanOf(node),
    nameSpan,
    kind,
    mutable: hasChild(node, 'mutable_specifier'),
    ...(type ? { type: lowerType(cx, type) } : {}),
    attributes: kept(attributes),
    ...(init ? { init } : {}),
    isPublic: scope.isPublic ?? isPublic(cx, node),
    isTest: scope.isTest,
    conditions: scope.conditions,
    ...(scope.parentName !== undefined ? { inFunction: scope.parentName } : {}),
    ...(scope.macro !== undefined ? { inMacro: scope.macro } : {}),
  });
  reportErrorsIn(cx, node);
}

/** An item among the statements of a body. */
export function lowerNestedItem(cx: Lowering, node: SyntaxNode, scope: Scope, attributes: Attribute[]): Statement {
  // A nested item doesn't see the type around the function.
  const functionId = lowerItem(cx, node, scope, attributes);
  return { kind: 'item', span: spanOf(node), ...(functionId !== undefined ? { functionId } : {}) };
}

/** Sets `ownerKind` of methods whose type is declared in the same file. */
export function resolveOwnerKinds(cx: Lowering, known: readonly TypeDecl[] = []): void {
  const kinds = new Map<string, TypeDecl['kind']>();
  for (const type of [...known, ...cx.types]) if (type.kind !== 'alias') kinds.set(type.name, type.kind);
  cx.functions.forEach((fn, i) => {
    const ownerKind = fn.owner !== undefined && fn.ownerKind === undefined ? kinds.get(fn.owner) : undefined;
    if (ownerKind !== undefined) cx.functions[i] = { ...fn, ownerKind };
  });
}
