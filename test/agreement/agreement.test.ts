import { toJsonSchema } from '@valibot/to-json-schema';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../src/catalog/generated-files.js';
import { pageHeadings, readRulePage } from '../../src/catalog/rule-page.js';
import { configSchema } from '../../src/config/schema.js';
import { outputSchema } from '../../src/report/output-schema.js';
import { rules } from '../../src/rules/index.js';
import { suppressionMeta } from '../../src/suppress/suppression-meta.js';
import { run } from '../support/run.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => (existsSync(root + path) ? readFileSync(root + path, 'utf8') : undefined);
const metas = [...rules.map(({ meta }) => meta), suppressionMeta];
const ids = metas.map(({ id }) => id);

describe('one id in three places', () => {
  it('the index lists the files of src/rules', () => {
    const { status, stderr } = run(process.execPath, [`${root}scripts/gen-rules.mjs`, '--check']);
    expect([status, stderr]).toEqual([0, '']);
  });

  it('a rule file is called by the id of its rule', () => {
    const files = readdirSync(`${root}src/rules`).map((name) => name.slice(0, -3));
    expect(rules.map(({ meta }) => meta.id).filter((id) => !files.includes(id))).toEqual([]);
  });

  it('every page belongs to a rule', () => {
    const pages = readdirSync(`${root}docs/rules`).filter((name) => name !== 'README.md');
    expect(pages.map((name) => name.replace(/\.md$/u, '')).filter((id) => !ids.includes(id))).toEqual([]);
  });

  it('every fixture folder belongs to a rule', () => {
    expect(readdirSync(`${root}fixtures/rules`).filter((id) => !ids.includes(id))).toEqual([]);
  });
});

describe.each(metas.map((meta) => [meta.id, meta] as const))('%s', (id, meta) => {
  it('has a page with every heading, in order, and something below each', () => {
    const text = read(`docs/rules/${id}.md`);
    expect(text, `docs/rules/${id}.md`).toBeDefined();
    expect(text?.split('\n')[0]).toBe(`# ${id}`);
    const page = readRulePage(text ?? '');
    expect(page.headings).toEqual(pageHeadings);
    expect(pageHeadings.filter((heading) => (page.sections[heading] ?? '') === '')).toEqual([]);
  });

  it('has an id, words and messages as the catalog wants them', () => {
    expect(id).toMatch(/^[a-z]+(?:-[a-z]+){0,4}$/u);
    expect(id).not.toMatch(/^no-|\b(?:rust|javascript|typescript)\b/u);
    expect(meta.title).toMatch(/^[A-Z].*[^.]$/u);
    expect(meta.summary).toMatch(/^[A-Z`'].*\.$/u);
    expect(meta.checklist).toMatch(/\?$/u);
    for (const message of Object.values(meta.messages)) expect(message).toMatch(/(?:\.|\})$/u);
    for (const cwe of meta.cwe) expect(cwe).toMatch(/^CWE-\d+$/u);
    expect(meta.languages.length).toBeGreaterThan(0);
  });
});

it('generated files are up to date (npm run gen)', () => {
  const schemas = { config: toJsonSchema(configSchema), output: toJsonSchema(outputSchema) };
  const stale = generatedFiles(metas, schemas, read).filter(([path, text]) => read(path) !== text);
  expect(stale.map(([path]) => path)).toEqual([]);
});
