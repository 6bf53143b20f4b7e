/**
 * A manifest as plain data with positions. TOML, JSON and YAML readers all produce this one shape, so that the rest of the
 * model never asks which format a fact came from.
 */
import type { Place } from '../model/project.js';

/** 1-based line and column (UTF-16 code units). */
export interface Mark {
  readonly line: number;
  readonly column: number;
}

interface ScalarNode extends Mark {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
}

interface ListNode extends Mark {
  readonly kind: 'list';
  readonly items: readonly DocumentNode[];
}

export interface TableEntry {
  /** Where the key stands. */
  readonly key: Mark;
  readonly value: DocumentNode;
}

export interface TableNode extends Mark {
  readonly kind: 'table';
  readonly entries: ReadonlyMap<string, TableEntry>;
}

export type DocumentNode = ScalarNode | ListNode | TableNode;

/** A manifest that could not be read: one sentence without path and line, which the caller adds. */
export class DocumentError extends Error {
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

/** The node at a path of keys; undefined when any of them is missing or not a table. */
export function findNode(node: DocumentNode | undefined, ...keys: readonly string[]): DocumentNode | undefined {
  let at = node;
  for (const key of keys) {
    if (at?.kind !== 'table') return undefined;
    at = at.entries.get(key)?.value;
  }
  return at;
}

/** The entry (key position and value) at a path of keys. */
export function findEntry(node: DocumentNode | undefined, ...keys: readonly string[]): TableEntry | undefined {
  const last = keys[keys.length - 1];
  if (last === undefined) return undefined;
  const table = findNode(node, ...keys.slice(0, -1));
  return table?.kind === 'table' ? table.entries.get(last) : undefined;
}

/** Entries of a table in source order; none for anything else. */
export function findEntries(node: DocumentNode | undefined): readonly (readonly [string, TableEntry])[] {
  return node?.kind === 'table' ? [...node.entries] : [];
}

/** The text of a string scalar. */
export function textOf(node: DocumentNode | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

/** The value of a boolean scalar. */
export function booleanOf(node: DocumentNode | undefined): boolean | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'boolean' ? node.value : undefined;
}

/** The strings of a list, each with its position; a lone string counts as a list of one. */
export function findStrings(node: DocumentNode | undefined): readonly (Mark & { readonly value: string })[] {
  const nodes = node?.kind === 'list' ? node.items : node === undefined ? [] : [node];
  const found: (Mark & { readonly value: string })[] = [];
  for (const item of nodes) {
    const value = textOf(item);
    if (value !== undefined) found.push({ value, line: item.line, column: item.column });
  }
  return found;
}

/** A mark in a file as the place of a fact. */
export function placeOf(path: string, mark: Mark): Place {
  return { path, line: mark.line, column: mark.column };
}
