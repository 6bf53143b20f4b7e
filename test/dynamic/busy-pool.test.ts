import { createHook } from 'node:async_hooks';
import { deflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { keepPoolBusy } from '../../src/dynamic/child/busy-pool.js';

describe('keepPoolBusy', () => {
  it('makes what is queued after it wait for a thread', async () => {
    const watched = new Map<number, string>();
    const ended: string[] = [];
    const hook = createHook({
      init: (id, type) => {
        if (type === 'PBKDF2REQUEST' || type === 'ZLIB') watched.set(id, type);
      },
      before: (id) => {
        const type = watched.get(id);
        if (type !== undefined) ended.push(type);
      },
    }).enable();
    keepPoolBusy();
    await promisify(deflateRaw)(Buffer.alloc(64));
    hook.disable();
    expect(ended[0]).toBe('PBKDF2REQUEST');
    expect(ended).toContain('ZLIB');
  });
});
