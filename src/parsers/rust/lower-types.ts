import type { Generic, TypeRef } from '../../model/ir.js';
import { kept, NONE } from '../../model/lists.js';
import { childByField, firstOfKind, type SyntaxNode } from '../syntax.js';
import type { Lowering } from './context.js';
import { firstPart, hasChild, partsOf, spanOf } from './nodes.js';

const CALLABLE = new Set(['Fn', 'FnMut', 'FnOnce', 'AsyncFn', 'AsyncFnMut', 'AsyncFnOnce']);

/** Source text with runs of white space made one space. */
export function folded(text: string): string {
  return /\s\s|[\n\r\t]/.test(text) ? text.replace(/\s+/g, ' ').trim() : text;
}

/** A raw identifier without its `r#`. */
export function plainName(text: string): string {
  return text.startsWith('r#') ? text.slice(2) : text;
}

interface Shape {
  kind: TypeRef['kind'];
  name: string;
  path?: readonly string[];
  args?: readonly TypeRef[];
  element?: TypeRef;
  size?: string;
  mutable?: boolean;
  lifetime?: string;
  own?: readonly string[];
  qualifiers?: readonly string[];
}

function make(cx: Lowering, node: SyntaxNode, shape: Shape): TypeRef {
  const lifetimes = new Set<string>(shape.own ?? []);
  if (shape.lifetime) lifetimes.add(shape.lifetime);
  for (const arg of shape.args ?? []) for (const lifetime of arg.lifetimes ?? []) lifetimes.add(lifetime);
  for (const lifetime of shape.element?.lifetimes ?? []) lifetimes.add(lifetime);
  return {
    kind: shape.kind,
    text: folded(cx.textOf(node)),
    span: spanOf(node),
    name: shape.name,
    path: shape.path ? cx.names.list(shape.path) : shape.name ? cx.names.path(shape.name) : NONE,
    args: kept(shape.args),
    ...(shape.element ? { element: shape.element } : {}),
    ...(shape.size !== undefined ? { size: shape.size } : {}),
    ...(shape.mutable !== undefined ? { mutable: shape.mutable } : {}),
    ...(shape.lifetime ? { lifetime: shape.lifetime } : {}),
    ...(lifetimes.size > 0 ? { lifetimes: cx.names.list([...lifetimes]) } : {}),
    ...(shape.qualifiers && shape.qualifiers.length > 0 ? { qualifiers: shape.qualifiers } : {}),
  };
}

/** Segments of a path in type or expression position; generic arguments are collected into `args`. */
export function lowerPath(cx: Lowering, node: SyntaxNode, args: TypeRef[] = []): readonly string[] {
  cx.enter(node);
  const path = readPath(cx, node, args);
  cx.leave();
  return path;
}

function readPath(cx: Lowering, node: SyntaxNode, args: TypeRef[]): readonly string[] {
  switch (node.kind) {
    case 'scoped_identifier':
    case 'scoped_type_identifier':
    case 'scoped_type_identifier_in_expression_position': {
      const path = childByField(node, 'path');
      const name = childByField(node, 'name');
      const head = path ? lowerPath(cx, path, args) : [];
      return name ? [...head, plainName(cx.textOf(name))] : head;
    }
    case 'generic_type':
    case 'generic_type_with_turbofish':
    case 'generic_pattern': {
      const type = childByField(node, 'type') ?? firstPart(node);
      const path = type ? lowerPath(cx, type, args) : [];
      args.push(...lowerTypeArguments(cx, childByField(node, 'type_arguments')).types);
      return path;
    }
    case 'bracketed_type': {
      // `<T as Trait>::f` is read as `T::f`: what a rule knows about is the type.
      const inner = firstPart(node);
      const type = inner?.kind === 'qualified_type' ? childByField(inner, 'type') : inner;
      if (!type) return [];
      const lowered = lowerType(cx, type);
      args.push(...lowered.args);
      const bare = lowered.kind === 'reference' && lowered.element ? lowered.element : lowered;
      return bare.path.length > 0 ? bare.path : [bare.text];
    }
    default:
      return cx.names.path(plainName(cx.textOf(node)));
  }
}

/** The type arguments and lifetimes of `<..>`; bindings (`Item = T`) count as arguments. */
export function lowerTypeArguments(
  cx: Lowering,
  node: SyntaxNode | undefined,
): { types: TypeRef[]; lifetimes: string[] } {
  const types: TypeRef[] = [];
  const lifetimes: string[] = [];
  for (const part of node ? partsOf(node) : []) {
    if (part.kind === 'lifetime') lifetimes.push(cx.textOf(part));
    else if (part.kind === 'type_binding') {
      const type = childByField(part, 'type');
      if (type) types.push(lowerType(cx, type));
    } else if (part.kind === 'trait_bounds') continue;
    else if (part.kind === 'block' || part.kind.endsWith('_literal'))
      types.push(make(cx, part, { kind: 'unknown', name: '' }));
    else types.push(lowerType(cx, part));
  }
  return { types, lifetimes };
}

function lowerTraitType(cx: Lowering, node: SyntaxNode, kind: 'trait-object' | 'impl-trait'): TypeRef {
  let trait = childByField(node, 'trait');
  if (trait?.kind === 'higher_ranked_trait_bound') trait = childByField(trait, 'type') ?? trait;
  const inner = trait ? lowerType(cx, trait) : undefined;
  const isCallable = inner !== undefined && CALLABLE.has(inner.name);
  return make(cx, node, {
    kind: isCallable ? 'delegate' : kind,
    name: inner?.name ?? '',
    path: inner?.path ?? [],
    args: inner?.args ?? [],
    ...(inner?.element ? { element: inner.element } : {}),
    ...(inner?.lifetimes ? { own: inner.lifetimes } : {}),
    qualifiers: inner
      ? [...(inner.kind === 'path' || isCallable ? [inner.text] : []), ...(inner.qualifiers ?? [])]
      : [],
  });
}

/** `dyn A + Send + 'a`: the first type with the rest as qualifiers. */
function lowerBounded(cx: Lowering, node: SyntaxNode): TypeRef {
  let base: TypeRef | undefined;
  const bounds: string[] = [];
  const lifetimes: string[] = [];
  for (const part of partsOf(node)) {
    if (part.kind === 'lifetime') {
      lifetimes.push(cx.textOf(part));
      bounds.push(cx.textOf(part));
    } else if (base === undefined && part.kind !== 'use_bounds') base = lowerType(cx, part);
    else bounds.push(folded(cx.textOf(part)));
  }
  if (!base) return make(cx, node, { kind: 'unknown', name: '' });
  return make(cx, node, {
    kind: base.kind,
    name: base.name,
    path: base.path,
    args: base.args,
    ...(base.element ? { element: base.element } : {}),
    own: [...(base.lifetimes ?? []), ...lifetimes],
    ...(base.mutable !== undefined ? { mutable: base.mutable } : {}),
    ...(base.lifetime ? { lifetime: base.lifetime } : {}),
    qualifiers: [...(base.qualifiers ?? []), ...bounds],
  });
}

function lowerFunctionType(cx: Lowering, node: SyntaxNode): TypeRef {
  const trait = childByField(node, 'trait');
  const returns = childByField(node, 'return_type');
  const params: TypeRef[] = [];
  for (const part of partsOf(childByField(node, 'parameters') ?? node)) {
    if (part.kind === 'parameter') {
      const type = childByField(part, 'type');
      if (type) params.push(lowerType(cx, type));
    } else if (part.kind !== 'attribute_item' && part.kind !== 'variadic_parameter') params.push(lowerType(cx, part));
  }
  const modifiers = firstOfKind(node, 'function_modifiers');
  const path = trait ? lowerPath(cx, trait) : [];
  return make(cx, node, {
    kind: trait ? 'delegate' : 'function',
    name: path.at(-1) ?? 'fn',
    ...(trait ? { path } : {}),
    args: params,
    ...(returns ? { element: lowerType(cx, returns) } : {}),
    qualifiers: modifiers ? [folded(cx.textOf(modifiers))] : [],
  });
}

/**
 * A type as plain data. For a tuple `args` are its members; for a function or `Fn*` bound `args` are the parameters and
 * `element` is what it returns; a trait object or `impl Trait` has the first trait as `name` and every bound in `qualifiers`.
 */
export function lowerType(cx: Lowering, node: SyntaxNode): TypeRef {
  cx.enter(node);
  const type = readType(cx, node);
  cx.leave();
  return type;
}

function readType(cx: Lowering, node: SyntaxNode): TypeRef {
  switch (node.kind) {
    case 'type_identifier':
    case 'primitive_type':
    case 'identifier':
    case 'metavariable':
    case 'self':
    case 'crate':
    case 'super': {
      const name = plainName(cx.textOf(node));
      return name === '_' ? make(cx, node, { kind: 'unknown', name: '' }) : make(cx, node, { kind: 'path', name });
    }
    case 'never_type':
      return make(cx, node, { kind: 'path', name: '!' });
    case 'scoped_type_identifier':
    case 'scoped_identifier': {
      const args: TypeRef[] = [];
      const path = lowerPath(cx, node, args);
      return make(cx, node, { kind: 'path', name: path.at(-1) ?? '', path, args });
    }
    case 'generic_type':
    case 'generic_type_with_turbofish': {
      const inner = childByField(node, 'type') ?? firstPart(node);
      const path = inner ? lowerPath(cx, inner) : [];
      const args = lowerTypeArguments(cx, childByField(node, 'type_arguments'));
      return make(cx, node, { kind: 'path', name: path.at(-1) ?? '', path, args: args.types, own: args.lifetimes });
    }
    case 'reference_type':
    case 'pointer_type': {
      const inner = childByField(node, 'type');
      const lifetime = firstOfKind(node, 'lifetime');
      const element = inner ? lowerType(cx, inner) : undefined;
      return make(cx, node, {
        kind: node.kind === 'reference_type' ? 'reference' : 'pointer',
        name: '',
        ...(element ? { element } : {}),
        mutable: hasChild(node, 'mutable_specifier'),
        ...(lifetime ? { lifetime: cx.textOf(lifetime) } : {}),
      });
    }
    case 'array_type': {
      const inner = childByField(node, 'element');
      const length = childByField(node, 'length');
      const element = inner ? lowerType(cx, inner) : undefined;
      return make(cx, node, {
        kind: length ? 'static-array' : 'slice',
        name: '',
        ...(element ? { element } : {}),
        ...(length ? { size: folded(cx.textOf(length)) } : {}),
      });
    }
    case 'tuple_type':
    case 'unit_type':
      return make(cx, node, { kind: 'tuple', name: '', args: partsOf(node).map((part) => lowerType(cx, part)) });
    case 'function_type':
      return lowerFunctionType(cx, node);
    case 'dynamic_type':
      return lowerTraitType(cx, node, 'trait-object');
    case 'abstract_type':
      return lowerTraitType(cx, node, 'impl-trait');
    case 'bounded_type':
      return lowerBounded(cx, node);
    case 'removed_trait_bound':
    case 'higher_ranked_trait_bound': {
      const inner = childByField(node, 'type') ?? firstPart(node);
      return inner ? lowerType(cx, inner) : make(cx, node, { kind: 'unknown', name: '' });
    }
    default:
      return make(cx, node, { kind: 'unknown', name: '' });
  }
}

/** Type, lifetime and const parameters with their bounds, those of the where clause included. */
export function lowerGenerics(cx: Lowering, node: SyntaxNode): readonly Generic[] {
  const bounds = new Map<string, string[]>();
  const add = (name: string, list: SyntaxNode | undefined): void => {
    const known = bounds.get(name) ?? [];
    if (list) for (const part of partsOf(list)) known.push(folded(cx.textOf(part)));
    bounds.set(name, known);
  };
  const constants = new Set<string>();
  const parameters = childByField(node, 'type_parameters');
  for (const part of parameters ? partsOf(parameters) : []) {
    const name = childByField(part, 'name');
    if (name && part.kind === 'const_parameter') constants.add(cx.textOf(name));
    if (name) add(cx.textOf(name), childByField(part, 'bounds'));
    else if (part.kind === 'metavariable') add(cx.textOf(part), undefined);
  }
  for (const clause of node.children) {
    if (clause.kind !== 'where_clause') continue;
    for (const predicate of partsOf(clause)) {
      const left = childByField(predicate, 'left');
      if (left) add(folded(cx.textOf(left)), childByField(predicate, 'bounds'));
    }
  }
  return kept(
    [...bounds].map(([name, list]) => ({
      name,
      bounds: kept(list),
      ...(constants.has(name) ? { isConst: true } : {}),
    })),
  );
}
