import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What V8 compiled of the program, and the parts of the program that had run by then (`usedParts` in src/main.ts). */
export interface CompiledCode {
  readonly parts: readonly string[];
  readonly code: Buffer;
}

/**
 * The code lies in the package, so that whoever could change it could change the program as well. The version of V8 is in the name,
 * so that several versions of Node keep theirs side by side.
 */
const folder = fileURLToPath(new URL('../.code-cache/', import.meta.url));
const file = `${folder}${process.versions.v8}-${process.arch}.bin`;

/** The header is JSON padded to this many bytes, which keeps the code aligned as V8 wants it. */
const headerBytes = 1024;

/** A run that takes longer (ms) no longer holds all that it compiled, since V8 drops code that is not in use, and has little to win. */
const longRun = 5_000;

/** The first line of the program holds the hash of the rest (scripts/bundle.mjs). */
const mark = (source: string): string => source.slice(0, source.indexOf('\n'));

/** V8 looks at the length only, and dies of code in which a byte is wrong. */
const hashOf = (code: Buffer): string => createHash('sha256').update(code).digest('hex');

const isOff = (): boolean => (process.env['NODE_DISABLE_COMPILE_CACHE'] ?? '') !== '';

/** What was kept of exactly this program by {@link keepCode}, with the same version of V8; undefined when there is nothing. */
export function readCode(source: string): CompiledCode | undefined {
  if (isOff()) return undefined;
  try {
    const bytes = readFileSync(file);
    const header: unknown = JSON.parse(bytes.toString('utf8', 0, headerBytes));
    if (typeof header !== 'object' || header === null || !('mark' in header) || !('parts' in header)) return undefined;
    if (header.mark !== mark(source) || !Array.isArray(header.parts)) return undefined;
    const parts = header.parts.filter((part): part is string => typeof part === 'string');
    const code = bytes.subarray(headerBytes);
    return 'hash' in header && header.hash === hashOf(code) ? { parts, code } : undefined;
  } catch {
    // Nothing was kept, or what was kept is not whole: the program is compiled anew.
    return undefined;
  }
}

/** Keeps what was compiled of this program for the next run. A package that can't be written to goes without. */
export function keepCode(source: string, { parts, code }: CompiledCode): void {
  const header = Buffer.from(JSON.stringify({ mark: mark(source), parts, hash: hashOf(code) }));
  if (isOff() || performance.now() > longRun || header.length > headerBytes) return;
  const unfinished = `${file}.${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(unfinished, Buffer.concat([header, Buffer.alloc(headerBytes - header.length, ' '), code]));
    // Runs beside this one see either the old file or the new one.
    renameSync(unfinished, file);
  } catch {
    try {
      rmSync(unfinished, { force: true });
    } catch {
      // It was never there, or stays: the scan is done and its answer stands.
    }
  }
}
