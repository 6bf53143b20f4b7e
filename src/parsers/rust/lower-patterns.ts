import type { Pattern } from '../../model/ir.js';
import { childByField, type SyntaxNode } from '../syntax.js';
import type { Lowering } from './context.js';
import { lowerPath, plainName } from './lower-types.js';
import { firstPart, hasChild, isComment, lastPart, partsOf, spanOf } from './nodes.js';

interface Binding {
  readonly byRef?: boolean;
  readonly mutable?: boolean;
}

/** Children that stand for a pattern: named nodes and the token `_`. */
function patternsOf(node: SyntaxNode): SyntaxNode[] {
  return node.children.filter(
    (child) => (child.named && !isComment(child) && child.kind !== 'attribute_item') || child.kind === '_',
  );
}

/**
 * Numbers the positions of a tuple, tuple struct or slice pattern. What stands behind `..` is counted from the end: the last
 * one is `-1`. The rest itself is left out, or has the field `..` when it is bound (`rest @ ..`).
 */
function lowerPositions(cx: Lowering, nodes: readonly SyntaxNode[]): { field: string; pattern: Pattern }[] {
  const isRest = (node: SyntaxNode | undefined): boolean => node?.kind === 'remaining_field_pattern';
  const rest = nodes.findIndex((node) => isRest(node) || (node.kind === 'captured_pattern' && isRest(lastPart(node))));
  const parts: { field: string; pattern: Pattern }[] = [];
  nodes.forEach((node, i) => {
    if (i === rest && isRest(node)) return;
    const field = i === rest ? '..' : String(rest !== -1 && i > rest ? i - nodes.length : i);
    parts.push({ field, pattern: lowerPattern(cx, node) });
  });
  return parts;
}

/** A bare identifier binds unless it is written like a constant or a unit variant. */
function isConstructor(name: string): boolean {
  return /^[A-Z]/.test(name);
}

/** Any pattern; `binding` carries an enclosing `ref` or `mut` to the name. */
export function lowerPattern(cx: Lowering, node: SyntaxNode, binding: Binding = {}): Pattern {
  cx.enter(node);
  const pattern = readPattern(cx, node, binding);
  cx.leave();
  return pattern;
}

function readPattern(cx: Lowering, node: SyntaxNode, binding: Binding): Pattern {
  const span = spanOf(node);
  switch (node.kind) {
    case '_':
    case 'remaining_field_pattern':
      return { kind: 'wildcard', span };
    case 'identifier':
    case 'shorthand_field_identifier':
    case 'self': {
      const name = plainName(cx.textOf(node));
      if (name === '_') return { kind: 'wildcard', span };
      if (isConstructor(name) && !binding.mutable && !binding.byRef)
        return { kind: 'parts', span, path: [name], parts: [] };
      return { kind: 'bind', name, span, byRef: binding.byRef ?? false, mutable: binding.mutable ?? false };
    }
    case 'scoped_identifier':
    case 'generic_pattern':
      return { kind: 'parts', span, path: lowerPath(cx, node), parts: [] };
    case 'tuple_pattern':
    case 'slice_pattern':
      return { kind: 'parts', span, path: [], parts: lowerPositions(cx, patternsOf(node)) };
    case 'tuple_struct_pattern': {
      const type = childByField(node, 'type');
      const rest = patternsOf(node).filter((child) => child !== type);
      return { kind: 'parts', span, path: type ? lowerPath(cx, type) : [], parts: lowerPositions(cx, rest) };
    }
    case 'struct_pattern': {
      const type = childByField(node, 'type');
      const parts: { field: string; pattern: Pattern }[] = [];
      for (const child of partsOf(node)) {
        if (child.kind !== 'field_pattern') continue;
        const name = childByField(child, 'name');
        if (!name) continue;
        const inner = childByField(child, 'pattern');
        const flags = { byRef: hasChild(child, 'ref'), mutable: hasChild(child, 'mutable_specifier') };
        parts.push({ field: plainName(cx.textOf(name)), pattern: lowerPattern(cx, inner ?? name, inner ? {} : flags) });
      }
      return { kind: 'parts', span, path: type ? lowerPath(cx, type) : [], parts };
    }
    case 'mut_pattern': {
      const inner = lastOf(node);
      return inner ? lowerPattern(cx, inner, { ...binding, mutable: true }) : { kind: 'wildcard', span };
    }
    case 'ref_pattern': {
      const inner = lastOf(node);
      return inner ? lowerPattern(cx, inner, { ...binding, byRef: true }) : { kind: 'wildcard', span };
    }
    case 'captured_pattern': {
      const name = firstPart(node);
      const inner = lastOf(node);
      if (!name || !inner) return { kind: 'wildcard', span };
      return {
        kind: 'bind',
        name: plainName(cx.textOf(name)),
        span: spanOf(name),
        byRef: binding.byRef ?? false,
        mutable: binding.mutable ?? false,
        sub: lowerPattern(cx, inner),
      };
    }
    case 'reference_pattern': {
      const inner = lastOf(node);
      const pattern: Pattern = inner
        ? lowerPattern(cx, inner, { mutable: hasChild(node, 'mutable_specifier') })
        : { kind: 'wildcard', span };
      return { kind: 'reference', span, pattern };
    }
    case 'or_pattern': {
      const patterns: Pattern[] = [];
      for (const child of patternsOf(node)) {
        const lowered = lowerPattern(cx, child);
        if (lowered.kind === 'alternatives') patterns.push(...lowered.patterns);
        else patterns.push(lowered);
      }
      return { kind: 'alternatives', span, patterns };
    }
    default:
      return { kind: 'literal', span, text: cx.textOf(node) };
  }
}

function lastOf(node: SyntaxNode): SyntaxNode | undefined {
  return patternsOf(node).at(-1) ?? lastPart(node);
}
