import { afterEach, beforeEach, expect, it, vi } from 'vitest';
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

it('appears after a second, ten times a second at most, and is cleared', () => {
  const { update, clear } = createProgress(ioWith(true));
  vi.advanceTimersByTime(900);
  update(1, 10);
  expect(written).toBe('');
  vi.advanceTimersByTime(200);
  update(2, 10);
  update(3, 10);
  expect(written).toBe('\r\u001b[K2 of 10 files');
  vi.advanceTimersByTime(200);
  update(4, 10);
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
  update(1, 2);
  clear();
  expect(written).toBe('');
});
