import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as parser from '@typescript-eslint/parser';
import { ESLint, type Linter } from 'eslint';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import plugin, { visitors } from '../../src/eslint/index.js';
import { isJavaScriptRule } from '../../src/rules/javascript-rule.js';
import { rules } from '../../src/rules/index.js';

describe('the plugin', () => {
  const ids = rules.filter(isJavaScriptRule).map(({ meta }) => meta.id);

  it('has a visitor for every JavaScript rule of the catalogue, and no other', () => {
    expect(visitors.map(({ rule }) => rule.meta.id).sort()).toEqual([...ids].sort());
    expect(Object.keys(plugin.rules).sort()).toEqual([...ids].sort());
  });

  it('recommends everything that is more than a note, and audits everything', () => {
    const named = (config: Linter.Config) =>
      Object.keys(config.rules ?? {}).map((id) => id.replace('lifetime-lint/', ''));
    expect(named(plugin.configs.audit).sort()).toEqual([...ids].sort());
    expect(named(plugin.configs.recommended)).not.toContain('crash-masking-config');
    expect(plugin.configs.recommended.rules).toMatchObject({
      'lifetime-lint/buffer-transferred-in-flight': 'error',
      'lifetime-lint/loader-process-report': 'warn',
    });
  });

  it('gives each rule a page, messages in the form of ESLint, and no options', () => {
    for (const [id, rule] of Object.entries(plugin.rules)) {
      expect(rule.meta?.docs?.url, id).toMatch(new RegExp(`/docs/rules/${id}\\.md$`, 'u'));
      expect(rule.meta?.schema).toEqual([]);
      for (const message of Object.values(rule.meta?.messages ?? {}))
        expect(message).not.toMatch(/(?<!\{)\{\w+\}(?!\})/u);
    }
  });

  it('carries the version of the package', () => {
    const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(manifest).toMatchObject({ version: plugin.meta.version });
  });
});

describe('in a flat configuration', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-plugin-')));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
  };

  async function run(config: readonly Linter.Config[], patterns: string | string[] = '.'): Promise<readonly string[]> {
    const eslint = new ESLint({ cwd: folder, overrideConfigFile: true, baseConfig: [...config] });
    const results = await eslint.lintFiles(patterns);
    return results.flatMap(({ filePath, messages }) =>
      messages.map(({ ruleId, line, message }) => `${filePath.slice(folder.length + 1)}:${line} ${ruleId ?? message}`),
    );
  }

  it('works with the parser of ESLint itself, for ES modules and CommonJS', async () => {
    write({
      'package.json': '{ "name": "p", "type": "module" }',
      'a.js':
        "import { hashAsync } from './hash.node';\nexport function f() { const b = Buffer.alloc(1); hashAsync(b).then(String);\nb.fill(1); }\n",
      'b.cjs':
        "const { hashAsync } = require('./hash.node');\nfunction f(b) { b.writeUInt8(1, 0); hashAsync(b).then(String);\nb.writeUInt8(2, 0); }\nf(Buffer.alloc(1));\n",
    });
    expect(await run([plugin.configs.recommended])).toEqual([
      'a.js:3 lifetime-lint/buffer-mutated-in-flight',
      'b.cjs:3 lifetime-lint/buffer-mutated-in-flight',
    ]);
  });

  it('finds installed addons, and asks again after they change', async () => {
    write({
      'a.mjs': "import { hash } from 'hash';\nconst b = Buffer.alloc(1); const p = hash(b);\nb.fill(1); await p;\n",
      'node_modules/hash/package.json': '{ "name": "hash", "main": "index.js", "napi": {} }',
    });
    expect(await run([plugin.configs.recommended])).toEqual(['a.mjs:3 lifetime-lint/buffer-mutated-in-flight']);
  });

  it('heeds the comments of the command line', async () => {
    const head = "import { hashAsync } from './hash.node';\nconst b = Buffer.alloc(1); const p = hashAsync(b);\n";
    write({
      'a.mjs': `${head}// lifetime-lint: allow(buffer-mutated-in-flight) -- the addon copies\nb.fill(1); await p;\n`,
      'b.mjs': `${head}b.fill(1); // lifetime-lint: allow(whole-backing-store) -- another rule\nawait p;\n`,
    });
    expect(await run([plugin.configs.recommended])).toEqual(['b.mjs:3 lifetime-lint/buffer-mutated-in-flight']);
  });

  it('shows notes in an audit only', async () => {
    write({
      'package.json': '{ "name": "p", "napi": {}, "scripts": { "test": "vitest run --maxWorkers=1" } }',
      'vitest.config.js': 'export default { test: { maxWorkers: 1 } };\n',
    });
    expect(await run([plugin.configs.recommended])).toEqual([]);
    expect(await run([plugin.configs.audit])).toEqual(['vitest.config.js:1 lifetime-lint/crash-masking-config']);
    const manifests: Linter.Config = {
      files: ['**/package.json'],
      // Two families of types for one interface.
      languageOptions: { parser },
    };
    expect(await run([plugin.configs.audit, manifests], 'package.json')).toEqual([
      'package.json:1 lifetime-lint/crash-masking-config',
    ]);
  });

  it('uses types where there are some', async () => {
    write({
      'tsconfig.json':
        '{ "compilerOptions": { "module": "nodenext", "target": "es2022", "strict": true, "types": [] }, "include": ["*.ts"] }',
      'package.json': '{ "name": "p", "type": "module", "napi": {} }',
      'binding.d.ts':
        'export type Digest = Promise<string>;\nexport function digest(bytes: Uint8Array): Digest;\nexport function sum(bytes: Uint8Array): number;\n',
      'binding.js': "export * from './p.node';\n",
      'a.ts': [
        "import { digest, sum } from './binding.js';",
        'export async function f(bytes: Uint8Array, keep: (x: unknown) => void): Promise<void> {',
        '  keep(sum(bytes));',
        '  bytes[0] = 1;',
        '  keep(digest(bytes));',
        '  bytes[0] = 2;',
        '}',
        '',
      ].join('\n'),
    });
    const typed: Linter.Config = {
      files: ['**/*.ts'],
      languageOptions: {
        parser,
        parserOptions: { projectService: true, tsconfigRootDir: folder },
      },
    };
    const untyped: Linter.Config = {
      files: ['**/*.ts'],
      languageOptions: { parser },
    };
    expect(await run([plugin.configs.recommended, typed], 'a.ts')).toEqual([
      'a.ts:6 lifetime-lint/buffer-mutated-in-flight',
    ]);
    expect(await run([plugin.configs.recommended, untyped], 'a.ts')).toEqual([]);
  });
});
