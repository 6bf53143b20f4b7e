import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ScanStep } from '../../src/scan.js';
import type { Io } from '../../src/commands/io.js';
import { createProgress } from '../../src/commands/progress.js';

let written = '';

function ioWith(isTTY: boolean, env: Readonly<Record<string, string>> = {}): Io {
  const output = { write: (text: string) => void (written += text), isTTY, columns: 80 };
  return { cwd: '/', env, stdout: output, stderr: output };
}

beforeEach(() => {
  written = '';
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => void vi.useRealTimers());

const files = (done: number): ScanStep => ({
  files: { done, total: 10 },
  parsed: 0,
  unit: { index: 1, total: 1 },
});

it('says which rule runs', () => {
  const { update } = createProgress(ioWith(true));
  vi.advanceTimersByTime(1100);
  update({ ...files(10), parsed: 4, rule: { index: 7, total: 50 } });
  vi.advanceTimersByTime(200);
  update({ ...files(10), parsed: 5, unit: { index: 2, total: 3 }, rule: { index: 8, total: 50 } });
  expect(written).toBe('\r\u001b[Krule 7 of 50, 4 parsed\r\u001b[Kpackage 2 of 3, rule 8 of 50, 5 parsed');
});

it('appears after a second, ten times a second at most, and is cleared', () => {
  const { update, clear } = createProgress(ioWith(true));
  vi.advanceTimersByTime(900);
  update(files(1));
  expect(written).toBe('');
  vi.advanceTimersByTime(200);
  update(files(2));
  update(files(3));
  expect(written).toBe('\r\u001b[K2 of 10 files');
  vi.advanceTimersByTime(200);
  update(files(4));
  clear();
  expect(written).toBe('\r\u001b[K2 of 10 files\r\u001b[K4 of 10 files\r\u001b[K');
});

it.each([
  ['a pipe', false, {}],
  ['a dumb terminal', true, { TERM: 'dumb' }],
  ['continuous integration', true, { CI: 'true' }],
])('is silent in %s', (_name, isTTY, env) => {
  const { update, clear } = createProgress(ioWith(isTTY, env));
  vi.advanceTimersByTime(5000);
  update(files(1));
  clear();
  expect(written).toBe('');
});
