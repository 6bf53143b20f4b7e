import type { DocumentNode, Mark } from '../project/document.js';

export type KeyPath = readonly (string | number)[];

/** The values of a positioned document, as `JSON.parse` would give them. */
export function plainValue(node: DocumentNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plainValue);
  return Object.fromEntries([...node.entries].map(([name, { value }]) => [name, plainValue(value)]));
}

/** Where the key or list item at `path` begins; of the nearest written ancestor when the path is not there. */
export function markOf(root: DocumentNode, path: KeyPath): Mark {
  let node = root;
  let mark: Mark = root;
  for (const step of path) {
    if (node.kind === 'table') {
      const entry = node.entries.get(String(step));
      if (entry === undefined) return mark;
      mark = entry.key;
      node = entry.value;
    } else if (node.kind === 'list' && typeof step === 'number') {
      const item = node.items[step];
      if (item === undefined) return mark;
      mark = item;
      node = item;
    } else return mark;
  }
  return mark;
}
