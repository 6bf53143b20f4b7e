import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builtCli } from '../support/built-cli.js';
import { run } from '../support/run.js';

let cli: string;
let folder: string;
beforeAll(() => {
  cli = builtCli();
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-missing-')));
  writeFileSync(join(folder, 'a.js'), "process.report.getReport();\nrequire('./a.node');\n");
  writeFileSync(join(folder, 'b.js'), "process.report.getReport();\nrequire('./b.node');\n");
  writeFileSync(join(folder, 'c.ts'), "process.report.getReport();\nrequire('./c.node');\n");
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Hooks under which a package can't be found, as on a machine where it is not installed. */
function without(name: string): string {
  const hooks = `export async function resolve(specifier, context, next) {
    if (specifier !== ${JSON.stringify(name)}) return next(specifier, context);
    throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  }`;
  const url = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
  const require = `const find = Module._resolveFilename;
    Module._resolveFilename = (specifier, ...rest) => {
      if (specifier !== ${JSON.stringify(name)}) return find(specifier, ...rest);
      throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
    };`;
  return url(`import Module, { register } from 'node:module'; register(${JSON.stringify(url(hooks))}); ${require}`);
}

it.each([
  ['eslint', "3 JavaScript files were not checked, because the optional package 'eslint'", 'a.js', 0],
  [
    '@typescript-eslint/parser',
    "One TypeScript file was not checked, because the optional package '@typescript-eslint/parser'",
    'c.ts',
    2,
  ],
])("without '%s' there is one gap with the command that adds it", (name, message, path, findings) => {
  const { stdout, stderr } = run(process.execPath, ['--import', without(name), cli, folder, '--format', 'json']);
  expect(stderr).not.toContain('Error');
  const result: unknown = JSON.parse(stdout);
  expect(result).toMatchObject({
    findings: Array.from({ length: findings }, () => ({ ruleId: 'loader-process-report' })),
    gaps: [
      {
        kind: 'missing-dependency',
        path,
        message: `${message} is not installed; 'npm install --save-dev eslint @typescript-eslint/parser typescript' adds it.`,
      },
    ],
  });
});

it('an ESLint that is too old is named, and asked for nothing', () => {
  const preload = join(folder, 'preload.cjs');
  writeFileSync(
    preload,
    `const Module = require('node:module');
    const load = Module._load;
    Module._load = (request, ...rest) =>
      request === 'eslint' ? { Linter: class { static version = '8.57.1'; } } : load(request, ...rest);`,
  );
  const { stdout } = run(process.execPath, ['--require', preload, cli, folder, '--format', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({
    findings: [],
    gaps: [
      {
        kind: 'missing-dependency',
        message: expect.stringContaining(
          "because version 8.57.1 of 'eslint' is too old (9 is the oldest that will do); 'npm install",
        ) as string,
      },
    ],
  });
});

it('a file without a token needs neither', () => {
  const plain = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-plain-')));
  writeFileSync(join(plain, 'a.js'), 'export const a = 1;\n');
  const { status, stdout } = run(process.execPath, ['--import', without('eslint'), cli, plain, '--format', 'json']);
  rmSync(plain, { recursive: true, force: true });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ gaps: [] });
});
