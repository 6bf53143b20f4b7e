/**
 * One node of a concrete syntax tree as plain data: it outlives the parser's memory, can be kept, compared and cloned.
 * Offsets are UTF-16 code units into the file's text; the end is exclusive.
 */
export interface SyntaxNode {
  /** The grammar's name of the node (`call_expression`), or the token itself for an anonymous node (`{`). */
  readonly kind: string;
  /** False for the tokens that the grammar gives as literals (keywords, brackets, operators). */
  readonly named: boolean;
  /** The name of the field that the node fills in its parent. */
  readonly field?: string | undefined;
  readonly start: number;
  readonly end: number;
  readonly children: readonly SyntaxNode[];
  /** The node is an `ERROR`: text that the grammar could not place. */
  readonly isError: boolean;
  /** The parser made the node up to go on; it is empty. */
  readonly isMissing: boolean;
  /** The node or one of its descendants is an error or missing, also when the children were not visited. */
  readonly hasError: boolean;
  /** The children were left out, because the caller declined them or because the tree is too deep. */
  readonly skipped?: boolean;
}

/** The first child that fills the field. */
export function childByField(node: SyntaxNode, field: string): SyntaxNode | undefined {
  for (const child of node.children) if (child.field === field) return child;
  return undefined;
}

/** The first direct child of a kind, named or not. */
export function firstOfKind(node: SyntaxNode, kind: string): SyntaxNode | undefined {
  for (const child of node.children) if (child.kind === kind) return child;
  return undefined;
}
