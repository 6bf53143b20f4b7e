import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { resolveInputs } from '../../src/discover/inputs.js';
import outdatedNapi from '../../src/rules/outdated-napi.js';
import { scan } from '../../src/scan.js';
import { addon } from './memory-project.js';

// JSON has no comments to hold the marks of a fixture, so this half of the rule is tested by itself.
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function findingsOf(cli: string, targets: readonly string[]): Promise<readonly string[]> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-loader-')));
  folders.push(folder);
  const files = {
    'Cargo.toml': addon('loader'),
    'src/lib.rs': 'use napi_derive::napi;\n\n#[napi]\npub fn one() -> u32 {\n    1\n}\n',
    'package.json': JSON.stringify(
      { name: 'loader', napi: { binaryName: 'loader', targets }, devDependencies: { '@napi-rs/cli': '^3.3.0' } },
      null,
      2,
    ),
    'package-lock.json': JSON.stringify({ packages: { 'node_modules/@napi-rs/cli': { version: cli } } }, null, 2),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { result } = await scan({ inputs: resolveInputs([folder], folder), rules: [outdatedNapi] });
  return result.findings.map(
    ({ messageId, location, fixedIn, steps }) =>
      `${messageId} ${location.path}:${location.startLine} ${fixedIn ?? ''} ${steps.map((step) => `${step.path}:${step.line}`).join()}`,
  );
}

const windows = 'x86_64-pc-windows-msvc';

it('reports the loader that some versions of @napi-rs/cli generate, where it is used', async () => {
  expect(await findingsOf('3.3.1', [windows])).toEqual([
    'loader package.json:10 @napi-rs/cli 3.4.0 package-lock.json:4',
  ]);
  expect(await findingsOf('3.4.0', [windows])).toEqual([]);
  expect(await findingsOf('3.2.0', [windows])).toEqual([]);
  expect(await findingsOf('3.3.1', ['x86_64-unknown-linux-gnu'])).toEqual([]);
});
