import type { Span } from '../../model/source.js';
import type { SyntaxNode } from '../syntax.js';

export function isComment(node: SyntaxNode): boolean {
  return node.kind === 'line_comment' || node.kind === 'block_comment';
}

/** The named children without comments. */
export function partsOf(node: SyntaxNode): SyntaxNode[] {
  return node.children.filter((child) => child.named && !isComment(child));
}

/** The first named child that is no comment. */
export function firstPart(node: SyntaxNode): SyntaxNode | undefined {
  return node.children.find((child) => child.named && !isComment(child));
}

/** The last named child that is no comment. */
export function lastPart(node: SyntaxNode): SyntaxNode | undefined {
  return node.children.findLast((child) => child.named && !isComment(child));
}

export function hasChild(node: SyntaxNode, kind: string): boolean {
  return node.children.some((child) => child.kind === kind);
}

export function spanOf(node: { readonly start: number; readonly end: number }): Span {
  return { start: node.start, end: node.end };
}
