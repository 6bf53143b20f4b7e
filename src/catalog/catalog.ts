import type { RuleMeta } from '../model/rule.js';
import { nearestName } from './nearest-name.js';
import { readRulePage, type RulePage } from './rule-page.js';

/** A rule as every surface shows it: the machine facts and the page. */
export interface CatalogEntry {
  readonly meta: RuleMeta;
  /** Read when it is first asked for: a scan that prints a few findings needs few pages or none. */
  readonly page: RulePage;
  /** The page on the web. */
  readonly url: string;
}

export interface Catalog {
  /** In the order of their ids. */
  readonly entries: readonly CatalogEntry[];
  readonly ids: readonly string[];
  find(id: string): CatalogEntry | undefined;
  /** The id closest to a mistyped one. */
  nearest(id: string): string | undefined;
}

/** Joins metadata and pages; `pageText` gives the Markdown of a rule's page, or undefined when there is none. */
export function buildCatalog(metas: readonly RuleMeta[], pageText: (id: string) => string | undefined): Catalog {
  const entries = [...metas].sort((a, b) => (a.id < b.id ? -1 : 1)).map((meta) => makeEntry(meta, pageText));
  const ids = entries.map(({ meta }) => meta.id);
  const byId = new Map(entries.map((entry) => [entry.meta.id, entry]));
  return { entries, ids, find: (id) => byId.get(id), nearest: (id) => nearestName(id, ids) };
}

function makeEntry(meta: RuleMeta, pageText: (id: string) => string | undefined): CatalogEntry {
  let page: RulePage | undefined;
  return {
    meta,
    get page() {
      return (page ??= readRulePage(pageText(meta.id) ?? ''));
    },
    url: ruleUrl(meta.id),
  };
}

/** Where the tool is at home on the web. */
export const homeUrl = 'https://www.npmjs.com/package/lifetime-lint';

/** The published page of a rule. */
export function ruleUrl(id: string): string {
  return `https://unpkg.com/lifetime-lint/docs/rules/${id}.md`;
}
