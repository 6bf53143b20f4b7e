import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config/schema.js';
import { formatNames } from '../../src/report/formats.js';
import { outputSchema } from '../../src/report/output-schema.js';
import { callCli } from '../cli/call-cli.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');

/** Words in code marks in the first column of the table whose head begins with `head`. */
function firstColumn(text: string, head: string): readonly string[] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} `));
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows
    .slice(0, end)
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/gu)].map((match) => match[1] ?? ''));
}

describe('README', () => {
  it('shows what its command prints', async () => {
    const [, folder = '', shown] =
      /<!-- generated: sample -->\n```text\n\$ npx lifetime-lint (\S+)\n([^]*?)```\n/u.exec(read('README.md')) ?? [];
    const { stdout } = await callCli(root, [folder], { env: { COLUMNS: '120' } });
    expect(shown).toBe(stdout.replace(/\d+\.\d s$/mu, '0.1 s'));
  });

  it('links to files that are there', () => {
    for (const path of ['README.md', 'docs/configuration.md', 'docs/output.md', 'docs/design.md']) {
      const folder = path.includes('/') ? 'docs/' : '';
      for (const [, link = ''] of read(path).matchAll(/\]\((?!https?:)([^)#]+)/gu)) {
        expect(() => readFileSync(new URL(link, `file://${root}${folder}`)), `${path} -> ${link}`).not.toThrow();
      }
    }
  });

  it('has a configuration that is accepted', () => {
    for (const [, json = ''] of read('README.md').matchAll(/```json\n([^]*?)```/gu)) {
      const value: unknown = JSON.parse(json);
      if (typeof value === 'object' && value !== null && 'rules' in value)
        expect(v.safeParse(configSchema, value).success).toBe(true);
    }
  });
});

it('docs/configuration.md lists every key', () => {
  const keys = Object.keys(configSchema.entries).filter((key) => key !== '$schema');
  expect(firstColumn(read('docs/configuration.md'), 'key')).toEqual(keys);
});

describe('docs/output.md', () => {
  const text = read('docs/output.md');

  it('lists every format', () => {
    expect(firstColumn(text, 'format')).toEqual(formatNames);
  });

  it('lists every key of the JSON format', () => {
    const [, top = '', finding = ''] = text.split(/## JSON\n|\nA finding:\n/u);
    expect(firstColumn(top, 'key')).toEqual(Object.keys(outputSchema.entries));
    expect(firstColumn(finding, 'key')).toEqual(Object.keys(outputSchema.entries.findings.item.entries));
  });
});
