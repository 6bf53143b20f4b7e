import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rules } from '../rules/index.js';
import { suppressionMeta } from '../suppress/suppression-meta.js';
import { buildCatalog, type Catalog } from './catalog.js';

/** Pages ship with the package, so they lie beside it both from src/ and from dist/. */
const pages = fileURLToPath(new URL('../../docs/rules/', import.meta.url));

/** The catalog of this package: every rule with its page. */
export function readCatalog(): Catalog {
  return buildCatalog([...rules.map(({ meta }) => meta), suppressionMeta], (id) => readPage(id));
}

function readPage(id: string): string | undefined {
  try {
    return readFileSync(`${pages}${id}.md`, 'utf8');
  } catch (error) {
    // A rule without a page still works; test/agreement says that one is missing.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
