import type { RuleMeta } from '../model/rule.js';
import { findGapKinds } from './gap-kinds.js';
import { languageNames, withPageHeader } from './page-header.js';

type JsonSchema = object;

/**
 * Every file of the repository that is generated from the catalog, with the text it should have. `read` gives the present
 * text of a file by its path from the root of the repository. Pages that do not exist are not made up.
 */
export function generatedFiles(
  metas: readonly RuleMeta[],
  schemas: { readonly config: JsonSchema; readonly output: JsonSchema },
  read: (path: string) => string | undefined,
): readonly (readonly [path: string, text: string])[] {
  const sorted = [...metas].sort((a, b) => (a.id < b.id ? -1 : 1));
  const pages = sorted.flatMap((meta) => {
    const path = `docs/rules/${meta.id}.md`;
    const text = read(path);
    return text === undefined ? [] : [[path, withPageHeader(text, meta)] as const];
  });
  const output = read('docs/output.md');
  return [
    ...pages,
    ...(output === undefined ? [] : [['docs/output.md', replaceBlock(output, 'gaps', renderGapTable())] as const]),
    ['docs/rules/README.md', renderRuleTable(sorted)],
    [
      'schema/config.schema.json',
      renderSchema(
        configSchema(
          schemas.config,
          sorted.map(({ id }) => id),
        ),
      ),
    ],
    ['schema/output.schema.json', renderSchema({ title: 'Output of lifetime-lint --format json', ...schemas.output })],
  ];
}

/**
 * Replaces what stands between `<!-- generated: name -->` and the next `<!-- /generated -->`; throws when there is no such
 * block.
 * @public scripts/gen-docs.mjs uses it.
 */
export function replaceBlock(text: string, name: string, content: string): string {
  const block = new RegExp(`(<!-- generated: ${name} -->\\n)[^]*?(<!-- /generated -->)`, 'u');
  if (!block.test(text)) throw new Error(`there is no block 'generated: ${name}'`);
  return text.replace(block, (_all, begin: string, end: string) => `${begin}${content}\n${end}`);
}

function renderGapTable(): string {
  return [
    '| kind | meaning | what to do |',
    '| --- | --- | --- |',
    ...findGapKinds().map(([kind, { description, help }]) => `| \`${kind}\` | ${description} | ${help} |`),
  ].join('\n');
}

function renderRuleTable(metas: readonly RuleMeta[]): string {
  const rows = metas.map(
    ({ id, languages, severity, maturity, summary }) =>
      `| [${id}](${id}.md) | ${languages.map((language) => languageNames[language]).join(', ')} | ${severity}${maturity === 'preview' ? ' (preview)' : ''} | ${summary.replaceAll('|', '\\|')} |`,
  );
  return [
    '# Rules',
    '',
    '<!-- generated from src/rules by npm run gen; do not edit -->',
    '',
    '| id | languages | default level | what it says |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    'Rules in preview are off until the configuration gives them a level: `"rules": { "aliasing-cast": "warning" }`.',
    '',
  ].join('\n');
}

/** The validator takes any rule id, because it cannot know them; the schema for editors lists them. */
function configSchema(schema: JsonSchema, ids: readonly string[]): JsonSchema {
  const properties: unknown = Object.getOwnPropertyDescriptor(schema, 'properties')?.value;
  if (typeof properties !== 'object' || properties === null || !('rules' in properties)) {
    throw new Error('the configuration schema has no rules');
  }
  const rules: object = typeof properties.rules === 'object' && properties.rules !== null ? properties.rules : {};
  return {
    title: 'Configuration of lifetime-lint',
    ...schema,
    properties: { ...properties, rules: { ...rules, propertyNames: { enum: ids } } },
  };
}

function renderSchema(schema: JsonSchema): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}
