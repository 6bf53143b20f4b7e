import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  ftruncateSync,
  closeSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFileReader, decodeText } from '../../src/discover/read-source.js';
import { asOrdinaryUser, hasPermissions } from '../support/unprivileged.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-read-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('createFileReader', () => {
  it('reads files of any size one after the other', () => {
    const reader = createFileReader();
    for (const size of [0, 10, 3_000_000, 5]) {
      writeFileSync(join(folder, 'a.rs'), 'x'.repeat(size));
      const { bytes } = reader.read(join(folder, 'a.rs'), 'a.rs');
      expect(bytes?.toString()).toBe('x'.repeat(size));
    }
  });

  it('does not read what is above the limit', () => {
    const file = openSync(join(folder, 'huge.rs'), 'w');
    ftruncateSync(file, 50 * 1024 * 1024);
    closeSync(file);
    const before = process.memoryUsage().rss;
    expect(createFileReader().read(join(folder, 'huge.rs'), 'src/huge.rs')).toEqual({
      gap: {
        kind: 'too-large',
        path: 'src/huge.rs',
        message: "'src/huge.rs' was not read, because it has 50.0 MB and the limit is 10 MB; exclude it or split it.",
      },
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(20 * 1024 * 1024);
  });

  it('says that a file is gone', () => {
    expect(createFileReader().read(join(folder, 'gone.rs'), 'gone.rs').gap).toEqual({
      kind: 'vanished',
      path: 'gone.rs',
      message: "'gone.rs' was listed but is gone; it was not read.",
    });
  });

  it('refuses folders and loops of links', () => {
    mkdirSync(join(folder, 'folder.rs'));
    symlinkSync('loop.rs', join(folder, 'loop.rs'));
    const reader = createFileReader();
    expect(reader.read(join(folder, 'folder.rs'), 'folder.rs').gap?.message).toBe(
      "'folder.rs' was not read, because it is a folder.",
    );
    expect(reader.read(join(folder, 'loop.rs'), 'loop.rs').gap?.message).toBe(
      "'loop.rs' could not be read: its symbolic links lead in a circle.",
    );
  });

  it.runIf(hasPermissions)('does not wait for a pipe', () => {
    execFileSync('mkfifo', [join(folder, 'pipe.rs')]);
    expect(createFileReader().read(join(folder, 'pipe.rs'), 'pipe.rs').gap?.message).toBe(
      "'pipe.rs' was not read, because it is not a regular file.",
    );
  });

  it.runIf(hasPermissions)('says that permission is denied', () => {
    writeFileSync(join(folder, 'secret.rs'), '');
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'secret.rs'), 0);
    const { gap } = asOrdinaryUser(() => createFileReader().read(join(folder, 'secret.rs'), 'secret.rs'));
    expect(gap?.message).toBe("'secret.rs' could not be read: permission is denied.");
  });
});

describe('decodeText', () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  it('takes the byte order mark away', () => {
    expect(decodeText(bytes(0xef, 0xbb, 0xbf, 0x61), 'a.d')).toEqual({ text: 'a' });
    expect(decodeText(bytes(0xff, 0xfe, 0x61, 0), 'a.d')).toEqual({ text: 'a' });
    expect(decodeText(bytes(0xfe, 0xff, 0, 0x61), 'a.d')).toEqual({ text: 'a' });
  });

  it('keeps what it can of invalid UTF-8 and says so', () => {
    expect(decodeText(bytes(0x61, 0xff, 0x62), 'src/a.d')).toEqual({
      text: 'a\u{fffd}b',
      gap: {
        kind: 'unreadable',
        path: 'src/a.d',
        message: "'src/a.d' is not valid UTF-8; bytes that are not were read as '\u{fffd}'.",
      },
    });
  });

  it('does not take UTF-32 for UTF-16', () => {
    expect(decodeText(bytes(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0), 'a.d').gap?.kind).toBe('binary');
  });

  it('does not take binary data for text', () => {
    expect(decodeText(bytes(0x7f, 0x45, 0x4c, 0x46, 0), 'a.d')).toEqual({
      gap: { kind: 'binary', path: 'a.d', message: "'a.d' was not read, because it holds binary data." },
    });
  });
});
