import type { Generic, TypeRef } from '../../model/ir.js';
import { kept, NONE } from '../../model/lists.js';
import type { SyntaxNode } from '../syntax.js';
import { Lowering, solidChildren, spanOf } from './lowering.js';

const builtin = new Set(
  (
    'bool byte ubyte char short ushort int uint long ulong cent ucent wchar dchar float double real ifloat idouble ireal ' +
    'cfloat cdouble creal size_t ptrdiff_t noreturn void'
  ).split(' '),
);

const strings = new Map([
  ['string', 'char'],
  ['wstring', 'wchar'],
  ['dstring', 'dchar'],
  ['cstring', 'char'],
]);

const qualifierNames = new Set(['const', 'immutable', 'inout', 'shared']);

/** Whether a node is the name of a type that the language knows: `int`, `void`, `string`. */
export function isBuiltinType(kind: string): boolean {
  return builtin.has(kind) || strings.has(kind);
}

interface TypeParts {
  readonly path?: readonly string[];
  readonly args?: readonly TypeRef[];
  readonly element?: TypeRef;
  readonly key?: TypeRef;
  readonly size?: string;
  readonly qualifiers?: readonly string[];
  readonly name?: string;
}

/** Types as written. */
export abstract class TypeLowering extends Lowering {
  /** A `type` node; also a `base_class`, which has the same children without suffixes. */
  protected lowerType(node: SyntaxNode): TypeRef {
    if (!this.enter(node)) return this.makeType('unknown', node.start, node.end);
    const type = this.typeOf(node);
    this.leave();
    return type;
  }

  protected makeType(kind: TypeRef['kind'], start: number, end: number, parts: TypeParts = {}): TypeRef {
    const path = this.names.list(parts.path ?? NONE);
    return {
      kind,
      text: this.names.same(fold(this.text.slice(start, end))),
      span: { start, end },
      name: parts.name ?? path.at(-1) ?? '',
      path,
      args: kept(parts.args),
      ...(parts.element === undefined ? {} : { element: parts.element }),
      ...(parts.key === undefined ? {} : { key: parts.key }),
      ...(parts.size === undefined ? {} : { size: parts.size }),
      ...(parts.qualifiers === undefined || parts.qualifiers.length === 0 ? {} : { qualifiers: parts.qualifiers }),
    };
  }

  private typeOf(node: SyntaxNode): TypeRef {
    const children = solidChildren(node);
    const qualifiers: string[] = [];
    let at = 0;
    for (; at < children.length; at++) {
      const child = children[at];
      if (child?.kind !== 'type_ctor' || children[at + 1]?.kind === '(') break;
      qualifiers.push(this.source(child));
    }
    const first = children[at];
    if (first === undefined) return this.makeType('unknown', node.start, node.end, { qualifiers });
    const start = first.start;
    let type: TypeRef;
    if (first.kind === 'type_ctor') {
      // `const(T)`: the qualifier binds what is in the parentheses.
      const inner = children[at + 2];
      const end = children[at + 3]?.end ?? node.end;
      const base = inner === undefined ? this.makeType('unknown', start, end) : this.lowerType(inner);
      type = {
        ...base,
        text: this.names.same(fold(this.text.slice(start, end))),
        span: { start, end },
        qualifiers: [this.source(first), ...(base.qualifiers ?? [])],
      };
      at += 4;
    } else if (strings.has(first.kind)) {
      type = this.stringType(first);
      at++;
    } else if (builtin.has(first.kind)) {
      type = this.makeType('path', start, first.end, { path: [this.source(first)] });
      at++;
    } else if (
      first.kind === 'typeof_expression' ||
      first.kind === 'vector_type' ||
      first.kind === 'traits_expression' ||
      first.kind === 'mixin_expression'
    ) {
      type = this.makeType('unknown', start, first.end);
      at++;
    } else {
      const read = this.pathType(children, at);
      type = read.type;
      at = read.next;
    }
    while (at < children.length) {
      const child = children[at];
      if (child === undefined) break;
      if (child.kind === '*') {
        type = this.makeType('pointer', start, child.end, { element: type });
        at++;
      } else if (child.kind === '[') {
        const read = this.bracketType(children, at, start, type);
        type = read.type;
        at = read.next;
      } else if (child.kind === '.') {
        // A path goes on after an index or after `typeof(x)`: `a[0].T`.
        const read = this.pathType(children, at + 1, start);
        type = type.kind === 'unknown' ? { ...read.type, kind: 'unknown' } : read.type;
        at = read.next;
      } else if (child.kind === 'delegate' || child.kind === 'function') {
        // `void delegate(int)[3]` goes on behind the parameters and attributes.
        let next = at + 1;
        while (next < children.length && children[next]?.kind !== '[' && children[next]?.kind !== '*') next++;
        const end = children[next - 1]?.end ?? node.end;
        type = this.makeType(child.kind, start, end, { element: type });
        at = next;
      } else at++;
    }
    if (qualifiers.length === 0) return type;
    return {
      ...type,
      text: fold(this.text.slice(node.start, node.end)),
      span: spanOf(node),
      qualifiers: [...qualifiers, ...(type.qualifiers ?? [])],
    };
  }

  private stringType(node: SyntaxNode): TypeRef {
    const name = this.source(node);
    const element = this.makeType('path', node.start, node.end, {
      path: [strings.get(node.kind) ?? 'char'],
      qualifiers: ['immutable'],
    });
    return this.makeType('slice', node.start, node.end, { name, element });
  }

  private pathType(
    children: readonly SyntaxNode[],
    from: number,
    start = children[from]?.start ?? 0,
  ): { type: TypeRef; next: number } {
    const path: string[] = [];
    let args: readonly TypeRef[] = [];
    let end = start;
    let at = from;
    for (; at < children.length; at++) {
      const child = children[at];
      if (child?.kind === 'identifier') {
        path.push(this.source(child));
        args = [];
      } else if (child?.kind === 'template_instance') {
        path.push(this.templateName(child));
        args = this.templateTypeArguments(child);
      } else if (child?.kind !== '.') break;
      end = child.end;
    }
    const type = this.makeType(path.length === 0 ? 'unknown' : 'path', start, end, { path, args });
    return { type, next: Math.max(at, from + (path.length === 0 ? 1 : 0)) };
  }

  private bracketType(
    children: readonly SyntaxNode[],
    from: number,
    start: number,
    element: TypeRef,
  ): { type: TypeRef; next: number } {
    let close = from + 1;
    while (close < children.length && children[close]?.kind !== ']') close++;
    const end = children[close]?.end ?? element.span.end;
    const next = close + 1;
    const inner = children[from + 1];
    if (inner === undefined || inner.kind === ']') {
      return { type: this.makeType('slice', start, end, { element }), next };
    }
    const written = fold(this.text.slice(inner.start, (children[close - 1] ?? inner).end));
    if (children[from + 2]?.kind === '..')
      return { type: this.makeType('unknown', start, end, { size: written }), next };
    const verdict = this.isArrayLength(inner, written);
    if (verdict === true) return { type: this.makeType('static-array', start, end, { element, size: written }), next };
    const key =
      inner.kind === 'type'
        ? this.lowerType(inner)
        : this.makeType('path', inner.start, inner.end, { path: written.split('.') });
    const size = verdict === undefined ? { size: written } : {};
    return { type: this.makeType('assoc-array', start, end, { element, key, ...size }), next };
  }

  /** Undefined when `T[Name]` may be either: it is then read as associative, with `size` set as well. */
  private isArrayLength(inner: SyntaxNode, written: string): boolean | undefined {
    // A number, though the grammar takes it for a type.
    if (/^__traits\s*\(\s*(?:classInstanceSize|classInstanceAlignment)\b/u.test(written)) return true;
    if (!/^\.?[A-Za-z_][\w.]*$/.test(written)) {
      return inner.kind !== 'type';
    }
    const name = written.slice(written.lastIndexOf('.') + 1);
    if (isBuiltinType(name)) return false;
    if (this.valueNames.has(written)) return true;
    if (this.typeNames.has(written)) return false;
    // By convention types begin with a capital letter and go on in small ones; values do not.
    if (/^[A-Z][A-Z0-9_]+$/.test(name)) return true;
    if (/^[a-z_]/.test(name)) return !name.endsWith('_t');
    return undefined;
  }

  protected templateName(instance: SyntaxNode): string {
    const name = instance.children[0];
    return name === undefined ? '' : this.source(name);
  }

  /** The arguments of `name!(..)` as far as they are types or stand where one could. */
  protected templateTypeArguments(instance: SyntaxNode): TypeRef[] {
    const list = instance.children.find((child) => child.kind === 'template_arguments');
    if (list === undefined) return [];
    const types: TypeRef[] = [];
    for (const child of list.children) {
      if (!child.named || child.kind === 'comment') continue;
      const inner = child.kind === 'template_argument' ? solidChildren(child) : [child];
      const only = inner.length === 1 ? inner[0] : undefined;
      if (only?.kind === 'type') types.push(this.lowerType(only));
      else if (only?.kind === 'identifier') {
        types.push(this.makeType('path', only.start, only.end, { path: [this.source(only)] }));
      } else if (only !== undefined && strings.has(only.kind)) types.push(this.stringType(only));
      else if (only !== undefined && builtin.has(only.kind)) {
        types.push(this.makeType('path', only.start, only.end, { path: [this.source(only)] }));
      } else types.push(this.makeType('unknown', child.start, child.end));
    }
    return types;
  }

  /** A type that the grammar read as an expression: `a.b.T`, `Foo!int`. */
  protected typeFromExpression(node: SyntaxNode, pointers: number, end: number): TypeRef {
    const written = fold(this.source(node));
    const instance = lastInstance(node);
    let type = this.makeType('path', node.start, node.end, {
      path: written
        .replace(/!.*$/s, '')
        .split('.')
        .filter((part) => part !== ''),
      args: instance === undefined ? [] : this.templateTypeArguments(instance),
    });
    for (let i = 0; i < pointers; i++) type = this.makeType('pointer', node.start, end, { element: type });
    return type;
  }

  protected lowerGenerics(parameters: SyntaxNode | undefined): Generic[] {
    if (parameters === undefined) return [];
    const generics: Generic[] = [];
    for (const parameter of parameters.children) {
      if (parameter.kind !== 'template_parameter') continue;
      const children = solidChildren(parameter);
      const at = children.findIndex((child) => child.kind === 'identifier');
      const name = children[at];
      if (name === undefined) continue;
      const isAlias = children[0]?.kind === 'alias';
      const valueType = children[at - 1]?.kind === 'type' && !isAlias ? children[at - 1] : undefined;
      const colon = children.findIndex((child) => child.kind === ':');
      const bounds: string[] = [];
      const bound = children[colon + 1];
      if (valueType !== undefined) bounds.push(fold(this.source(valueType)));
      if (colon >= 0 && bound !== undefined) bounds.push(fold(this.source(bound)));
      const isTuple = this.source(parameter).endsWith('...');
      generics.push({ name: this.source(name), bounds, ...(isTuple ? { isTuple } : {}) });
      if (isAlias) continue;
      const isValue = valueType !== undefined;
      (isValue ? this.valueNames : this.typeNames).add(this.source(name));
      if (this.scope.functionName === undefined)
        this.met.push({ at: parameters.start, name: this.source(name), isValue });
    }
    // `f()(int x)` is a template, too: the compiler infers its attributes.
    return generics.length > 0 ? generics : [{ name: '()', bounds: [] }];
  }

  /** Qualifiers at the head of a type, where they belong to the variable or method rather than to a part of the type. */
  protected headQualifiers(node: SyntaxNode | undefined): string[] {
    const found: string[] = [];
    if (node === undefined) return found;
    const children = solidChildren(node);
    for (let i = 0; i < children.length; i++) {
      const child = children[i];
      if (child?.kind !== 'type_ctor') break;
      if (children[i + 1]?.kind === '(') {
        // `const(T) x` is as constant as `const T x`; `const(T)[] x` is not.
        if (children.length === i + 4) found.push(this.source(child));
        break;
      }
      found.push(this.source(child));
    }
    return found.filter((name) => qualifierNames.has(name));
  }
}

/** The template instance at the end of a dotted name. */
function lastInstance(node: SyntaxNode): SyntaxNode | undefined {
  if (node.kind === 'template_instance') return node;
  const last = node.children.at(-1);
  return node.kind === 'property_expression' && last?.kind === 'template_instance' ? last : undefined;
}

function fold(text: string): string {
  return /[\s]/.test(text) ? text.trim().replace(/\s+/g, ' ') : text;
}
