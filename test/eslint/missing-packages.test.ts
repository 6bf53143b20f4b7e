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
  return url(`import { register } from 'node:module'; register(${JSON.stringify(url(hooks))});`);
}

it.each(['eslint', '@typescript-eslint/parser'])(
  "without '%s' there is one gap with the command that adds it",
  (name) => {
    const { stdout, stderr } = run(process.execPath, ['--import', without(name), cli, folder, '--format', 'json']);
    expect(stderr).not.toContain('Error');
    const result: unknown = JSON.parse(stdout);
    expect(result).toMatchObject({
      findings: [],
      gaps: [
        {
          kind: 'missing-dependency',
          path: 'a.js',
          message:
            "2 JavaScript files were not checked, because the optional packages 'eslint' and '@typescript-eslint/parser' are not installed; 'npm install --save-dev eslint @typescript-eslint/parser typescript' adds them.",
        },
      ],
    });
  },
);

it('a file without a token needs neither', () => {
  const plain = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-plain-')));
  writeFileSync(join(plain, 'a.js'), 'export const a = 1;\n');
  const { status, stdout } = run(process.execPath, ['--import', without('eslint'), cli, plain, '--format', 'json']);
  rmSync(plain, { recursive: true, force: true });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ gaps: [] });
});
