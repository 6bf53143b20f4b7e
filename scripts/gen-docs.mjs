/**
 * Rewrites what is generated from the compiled sources: the headers of docs/rules/<id>.md, the table in docs/rules/README.md,
 * and the JSON Schemas in schema/. Needs an up-to-date build; `npm run gen` makes one.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const load = (path) => import(pathToFileURL(join(root, 'dist', path)).href);

const { toJsonSchema } = await import('@valibot/to-json-schema');
const { generatedFiles } = await load('catalog/generated-files.js');
const { rules } = await load('rules/index.js');
const { suppressionMeta } = await load('suppress/suppression-meta.js');
const { configSchema } = await load('config/schema.js');
const { outputSchema } = await load('report/output-schema.js');

const read = (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined);
const metas = [...rules.map(({ meta }) => meta), suppressionMeta];
const schemas = { config: toJsonSchema(configSchema), output: toJsonSchema(outputSchema) };
for (const [path, text] of generatedFiles(metas, schemas, read)) {
  if (read(path) === text) continue;
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  process.stderr.write(`wrote ${path}\n`);
}
