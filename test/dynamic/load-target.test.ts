import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ChildPlan } from '../../src/dynamic/child/child-plan.js';
import { loaderName, loadTarget } from '../../src/dynamic/child/load.js';

const root = mkdtempSync(join(tmpdir(), 'lifetime-lint-load-'));
writeFileSync(join(root, loaderName), 'export const load = (name) => import(name);\n');

function install(name: string, imported: string): void {
  const folder = join(root, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  const exports = { import: './entry.mjs', require: './entry.cjs' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', exports }));
  writeFileSync(join(folder, 'entry.mjs'), imported);
  writeFileSync(join(folder, 'entry.cjs'), "exports.from = () => 'require';\n");
}

// Only these two are read; a whole plan needs a run.
const load = (specifier: string): Promise<Readonly<Record<string, unknown>>> =>
  loadTarget({ root, specifier } as ChildPlan);

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('loading a target', () => {
  it('imports it as its users do', async () => {
    install('both', "export const from = () => 'import';\n");
    expect((await load('both'))['from']).toHaveProperty('name', 'from');
    expect(String((await load('both'))['from'])).toContain('import');
  });

  it('requires it where the import gives nothing but an empty object', async () => {
    install('hollow', 'export default {};\n');
    expect(String((await load('hollow'))['from'])).toContain('require');
  });

  it('keeps an import whose only export holds something', async () => {
    install('single', 'export default { parse() {} };\n');
    expect(Object.keys(await load('single'))).toEqual(['default']);
  });
});
