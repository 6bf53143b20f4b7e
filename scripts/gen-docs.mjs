/**
 * Rewrites what is generated from the compiled sources: the headers of docs/rules/<id>.md, the table in docs/rules/README.md,
 * the gaps in docs/output.md, the sample in README.md, and the JSON Schemas in schema/. Needs an up-to-date build; `npm run gen` makes one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const load = (path) => import(pathToFileURL(join(root, 'dist', path)).href);

const { toJsonSchema } = await import('@valibot/to-json-schema');
const { generatedFiles, replaceBlock } = await load('catalog/generated-files.js');
const { rules } = await load('rules/index.js');
const { suppressionMeta } = await load('suppress/suppression-meta.js');
const { configSchema } = await load('config/schema.js');
const { outputSchema } = await load('report/output-schema.js');

const read = (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined);
const metas = [...rules.map(({ meta }) => meta), suppressionMeta];
const schemas = { config: toJsonSchema(configSchema), output: toJsonSchema(outputSchema) };

// What the README's reader gets to see by the same command; the time is whatever it was.
const sampleFolder = 'fixtures/projects/demo/scheduler';
const sample = spawnSync(process.execPath, ['dist/cli.js', sampleFolder, '--no-color'], {
  cwd: root,
  encoding: 'utf8',
  env: { PATH: process.env.PATH, COLUMNS: '120' },
});
const shown = `\`\`\`text\n$ npx lifetime-lint ${sampleFolder}\n${sample.stdout.replace(/\d+\.\d s$/mu, '0.1 s')}\`\`\``;
const readme = read('README.md');

const files = [...generatedFiles(metas, schemas, read), ['README.md', replaceBlock(readme, 'sample', shown)]];
for (const [path, text] of files) {
  if (read(path) === text) continue;
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  process.stderr.write(`wrote ${path}\n`);
}
