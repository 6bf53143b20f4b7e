import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rules } from '../../src/rules/index.js';
import { callCli, harmless, makeFolder } from './call-cli.js';

const folder = makeFolder({ 'a.d': harmless });

describe('explain', () => {
  it('prints the page of a rule', async () => {
    const { code, stdout } = await callCli(folder, ['explain', 'suppression']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^suppression\n\nSuppression without effect\. /u);
    for (const heading of ['What it catches', 'Fix', 'References'])
      expect(stdout).toMatch(new RegExp(`^${heading}$`, 'mu'));
    expect(stdout).not.toContain('<!--');
  });

  it('names the nearest rule for a mistyped one', async () => {
    expect(await callCli(folder, ['explain', 'supression'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "lifetime-lint: There is no rule 'supression'; the nearest is 'suppression'.\n",
    });
    expect((await callCli(folder, ['explain', 'xyz'])).stderr).toBe(
      "lifetime-lint: There is no rule 'xyz'; 'lifetime-lint rules' lists them.\n",
    );
  });

  it('asks for an id', async () => {
    const { code, stderr } = await callCli(folder, ['explain']);
    expect([code, stderr]).toEqual([2, "lifetime-lint: Missing required argument 'id'.\n"]);
  });
});

describe('rules', () => {
  it('lists every rule on a line of its own', async () => {
    const { stdout } = await callCli(folder, ['rules']);
    const ids = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(ids).toEqual([...rules.map(({ meta }) => meta.id), 'suppression'].sort());
  });

  it('gives the metadata as JSON', async () => {
    const listing: { schema: number; rules: { id: string; severity: string; url: string }[] } = JSON.parse(
      (await callCli(folder, ['rules', '--format', 'json'])).stdout,
    );
    expect(listing.schema).toBe(1);
    expect(listing.rules.find(({ id }) => id === 'suppression')).toMatchObject({
      severity: 'note',
      url: 'https://unpkg.com/lifetime-lint/docs/rules/suppression.md',
    });
  });
});

describe('init', () => {
  it('writes a configuration that a scan accepts, once', async () => {
    const empty = makeFolder({ 'a.d': harmless });
    expect((await callCli(empty, ['init'])).code).toBe(0);
    expect(JSON.parse(readFileSync(join(empty, 'lifetime-lint.config.json'), 'utf8'))).toMatchObject({ rules: {} });
    expect((await callCli(empty, [])).code).toBe(0);
    expect(await callCli(empty, ['init'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "lifetime-lint: There is a 'lifetime-lint.config.json' already; it was left as it is.\n",
    });
  });

  it('leaves a TOML configuration alone', async () => {
    const toml = makeFolder({ 'lifetime-lint.config.toml': '' });
    expect((await callCli(toml, ['init'])).code).toBe(2);
    expect(existsSync(join(toml, 'lifetime-lint.config.json'))).toBe(false);
  });
});

it('help about a mistyped command names the nearest', async () => {
  const { code, stdout, stderr } = await callCli(process.cwd(), ['help', 'explian']);
  expect([code, stdout, stderr]).toEqual([
    2,
    '',
    "lifetime-lint: There is no command 'explian'; the nearest is 'explain'.\n",
  ]);
});

it('help lists every command, and the options of a scan', async () => {
  const { stdout } = await callCli(folder, ['--help']);
  for (const option of ['--format <name>', '--output-file <file>', '--fail-on <level>', '-q, --quiet'])
    expect(stdout).toContain(`\n  ${option} `);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  for (const name of ['scan', 'explain', 'rules', 'init']) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'mu'));
});
