import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultConfig, type Config } from '../../src/config/config.js';
import { resolveInputs } from '../../src/discover/inputs.js';
import { rules } from '../../src/rules/index.js';
import { scan } from '../../src/scan.js';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-scan-')));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const loader = [
  '// prettier-ignore',
  '/* eslint-disable */',
  "if (process.platform === 'win32' && process.report.getReport().header.osName.startsWith('MINGW')) {",
  "  module.exports = require('./a.win32-x64-gnu.node');",
  '}',
  '',
].join('\n');

async function scanFiles(files: Readonly<Record<string, string>>, config: Partial<Config> = {}, paths = ['.']) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const inputs = resolveInputs(paths, folder);
  return (await scan({ inputs, config: { ...defaultConfig, ...config }, rules })).result;
}

const shown = (result: Awaited<ReturnType<typeof scanFiles>>) =>
  result.findings.map(
    ({ ruleId, location }) =>
      `${location.path}:${location.startLine}:${location.startColumn}-${location.endColumn} ${ruleId}`,
  );

describe('a scan', () => {
  it('reports the loader of an npm wrapper although it begins with eslint-disable', async () => {
    const result = await scanFiles({
      'Cargo.toml': '[package]\nname = "a"\nversion = "0.1.0"\n[lib]\ncrate-type = ["cdylib"]\n',
      'src/lib.rs': 'pub fn nothing() {}\n',
      'npm/package.json': '{ "name": "a", "napi": { "binaryName": "a" } }',
      'npm/index.js': loader,
    });
    expect(shown(result)).toEqual(['npm/index.js:3:37-63 loader-process-report']);
    expect(result.gaps).toEqual([]);
  });

  it('counts columns in UTF-16 code units', async () => {
    const result = await scanFiles({ 'a.js': "/* 😀é */ process.report.getReport(); require('./a.node');\n" });
    expect(shown(result)).toEqual(['a.js:1:11-37 loader-process-report']);
  });

  it('takes JavaScript above 1 MB for a bundle, and says so where a rule asks for it', async () => {
    const filler = '// bundled\n'.repeat(100_000);
    const result = await scanFiles({ 'a.js': `${loader}${filler}`, 'b.js': filler, 'c.js': loader });
    expect(shown(result)).toEqual(['c.js:3:37-63 loader-process-report']);
    expect(result.gaps).toEqual([
      {
        kind: 'too-large',
        path: 'a.js',
        message:
          "'a.js' was not checked, because it has 1.0 MB and JavaScript above 1 MB is taken for a bundle; scan what it is made of, or exclude it.",
      },
    ]);
  });

  it('reads no configuration of ESLint in the repository', async () => {
    const result = await scanFiles({
      'eslint.config.js': "throw new Error('this file ran');\n",
      '.eslintrc.cjs': "throw new Error('this file ran');\n",
      'index.js': loader,
    });
    expect(shown(result)).toEqual(['index.js:3:37-63 loader-process-report']);
    expect(result.gaps).toEqual([]);
  });

  it('heeds its own suppressions, levels and list of addons', async () => {
    const quiet = loader.replace(
      'if (',
      '// lifetime-lint: allow(loader-process-report) -- Windows is not supported.\nif (',
    );
    const result = await scanFiles({ 'index.js': quiet });
    expect(shown(result)).toEqual([]);
    expect(result.suppressed.map(({ by, reason }) => [by, reason])).toEqual([['comment', 'Windows is not supported.']]);
    expect(shown(await scanFiles({ 'index.js': loader }, { rules: { 'loader-process-report': 'off' } }))).toEqual([]);
    const reused =
      "import { sealAsync } from 'vault';\nconst b = Buffer.alloc(1);\nconst p = sealAsync(b);\nb.fill(1);\nawait p;\n";
    rmSync(join(folder, 'index.js'));
    expect(shown(await scanFiles({ 'a.mjs': reused }))).toEqual([]);
    expect(shown(await scanFiles({ 'a.mjs': reused }, { native: ['vault'] }))).toEqual([
      'a.mjs:4:1-10 buffer-mutated-in-flight',
    ]);
  });

  it('lowers tests and examples to notes', async () => {
    const result = await scanFiles({
      'test/a.js': "send(Buffer.from('x').buffer);\n",
      'a.js': "send(Buffer.from('x').buffer);\n",
    });
    expect(result.findings.map(({ location, severity }) => [location.path, severity])).toEqual([
      ['a.js', 'warning'],
      ['test/a.js', 'note'],
    ]);
  });

  it('says what it could not parse', async () => {
    const result = await scanFiles({
      'a.js': "send(Buffer.from('x').buffer;\n",
      'b.js': "/* @flow */\nconst x = (y: ?{| a: 1 |}) => Buffer.from('x').buffer;\n",
    });
    expect(result.gaps.map(({ kind, path, line }) => [kind, path, line])).toEqual([
      ['parse-error', 'a.js', 1],
      ['unsupported-syntax', 'b.js', undefined],
    ]);
  });

  it('reports only what was asked for', async () => {
    const result = await scanFiles(
      { 'package.json': '{ "name": "a", "napi": {} }', 'a.js': loader, 'b.js': loader },
      {},
      ['a.js'],
    ).catch(() => undefined);
    // The files are written before the path is resolved.
    expect(result === undefined ? [] : shown(result)).toEqual(['a.js:3:37-63 loader-process-report']);
  });

  it('parses nothing when no file holds a token', async () => {
    const result = await scanFiles({ 'a.js': 'export const a = 1;\n', 'package.json': '{ "name": "a" }' });
    expect(result.stats.parsed).toBe(0);
  });
});
