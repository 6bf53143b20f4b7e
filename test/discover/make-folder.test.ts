import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from '../../src/discover/make-folder.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('makes a folder and those above it, twice over', () => {
  const path = join(folder, 'a', 'b', 'c');
  makeFolder(path);
  makeFolder(path);
  expect(existsSync(path)).toBe(true);
});

it('says what is in the way', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => makeFolder(join(folder, 'file'))).toThrow('is a file');
  expect(() => makeFolder(join(folder, 'file', 'below'))).toThrow();
});

it.runIf(process.platform === 'linux')('comes back where no folder can be made', () => {
  expect(() => makeFolder('/proc/lifetime-lint/a/b')).toThrow("'/proc/lifetime-lint' cannot be made");
});
