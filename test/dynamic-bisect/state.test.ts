import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockState, readState, writeState } from '../../src/dynamic/bisect/state.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bisect-state-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('saved state', () => {
  it('comes back as it was written and leaves nothing beside it', () => {
    const path = join(folder, 'deep', 'state.json');
    const state = {
      question: 'q',
      history: ['1', '2'],
      observations: [
        { kind: 'prepared' as const, version: '2', seconds: 4 },
        { kind: 'hit' as const, version: '2', seconds: 1, class: 'trap', detail: 'SIGILL', lines: ['a'] },
        { kind: 'clean' as const, version: '1', seconds: 1 },
        { kind: 'skip' as const, version: '1', reason: 'r' },
        { kind: 'untestable' as const, version: '1', reason: 'r' },
      ],
    };
    writeState(path, state);
    expect(readState(path)).toMatchObject(state);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['state.json']);
  });

  it('is refused where no folder can be made', (context) => {
    if (process.platform !== 'linux') context.skip('/proc, where Node would look for a folder for ever, is of Linux');
    expect(lockState('/proc/lifetime-lint/state.json')).toEqual({
      error: expect.stringContaining("The state '/proc/lifetime-lint/state.json' cannot be written") as string,
    });
  });

  it('belongs to one bisection at a time, and is taken over from one that died', () => {
    const path = join(folder, 'state.json');
    const first = lockState(path);
    expect(first).toHaveProperty('release');
    expect(lockState(path)).toEqual({ error: expect.stringContaining(`process ${process.pid}`) as string });
    if ('release' in first) first.release();
    // No process has this number: Linux ends at 2^22, macOS at 99998.
    writeFileSync(`${path}.lock`, '999999999');
    const second = lockState(path);
    expect(second).toHaveProperty('release');
    if ('release' in second) second.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says where it cannot be written', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(lockState(join(folder, 'file', 'state.json'))).toEqual({
      error: expect.stringContaining('cannot be written') as string,
    });
  });

  it('is absent where there is none, and an error where it is something else', () => {
    expect(readState(join(folder, 'none.json'))).toBeUndefined();
    const path = join(folder, 'bad.json');
    for (const text of ['', '{', '{"schema":2}', '[]']) {
      writeFileSync(path, text);
      expect(readState(path)).toEqual({ error: expect.stringContaining('is not a saved bisection') as string });
    }
  });
});
