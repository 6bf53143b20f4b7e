import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What V8 compiled of the program, and the parts of the program that had run by then (`usedParts` in src/main.ts). */
interface CompiledCode {
  readonly parts: readonly string[];
  readonly code: Buffer;
}

/**
 * The code lies in the package, so that whoever could change it could change the program as well. The version of V8 is in the name,
 * so that several versions of Node keep theirs side by side, and the platform, since Windows and its Linux may share a folder.
 */
const folder = fileURLToPath(new URL('../.code-cache/', import.meta.url));
const ending = '.bin';
const file = `${folder}${process.versions.v8}-${process.platform}-${process.arch}${ending}`;

/** The header is JSON padded to this many bytes, which keeps the code aligned as V8 wants it. */
const headerBytes = 1024;

/** A run that takes longer (ms) no longer holds all that it compiled, since V8 drops code that is not in use, and has little to win. */
const longRun = 5_000;

/**
 * What code is made of and by: the first line of the program, which holds the hash of the rest (scripts/bundle.mjs), the second
 * it was written in, which tells when somebody has changed it by hand, and the size of Node, of which there are several builds with
 * the same V8 (a folder may be shared with a container). Undefined when one of the files can't be looked at.
 */
export function markOf(program: string, source: string): string | undefined {
  try {
    const second = Math.floor(statSync(program).mtimeMs / 1_000);
    return `${source.slice(0, source.indexOf('\n'))} ${second} ${statSync(process.execPath).size}`;
  } catch {
    return undefined;
  }
}

/** V8 looks at the length only, and dies of code in which a byte is wrong. */
const hashOf = (code: Buffer): string => createHash('sha256').update(code).digest('hex');

const isOff = (): boolean => (process.env['NODE_DISABLE_COMPILE_CACHE'] ?? '') !== '';

/** What was kept by {@link keepCode} with the same mark and the same version of V8; undefined when there is nothing. */
export function readCode(mark: string | undefined): CompiledCode | undefined {
  if (isOff() || mark === undefined) return undefined;
  try {
    const bytes = readFileSync(file);
    const header: unknown = JSON.parse(bytes.toString('utf8', 0, headerBytes));
    if (typeof header !== 'object' || header === null || !('mark' in header) || !('parts' in header)) return undefined;
    if (header.mark !== mark || !Array.isArray(header.parts)) return undefined;
    const parts = header.parts.filter((part): part is string => typeof part === 'string');
    const code = bytes.subarray(headerBytes);
    return 'hash' in header && header.hash === hashOf(code) ? { parts, code } : undefined;
  } catch {
    // Nothing was kept, or what was kept is not whole: the program is compiled anew.
    return undefined;
  }
}

/**
 * Keeps what was compiled of the program for the next run. A package that can't be written to goes without, and so does one of
 * somebody else: what root leaves in a folder of a user, the user could not remove.
 *
 * @param parts what the program has run by now, in this run and in the one whose code it was given
 * @param compile gives the code; not called where nothing would be kept
 */
export function keepCode(mark: string | undefined, parts: readonly string[], compile: () => Buffer): void {
  if (isOff() || mark === undefined || performance.now() > longRun) return;
  const code = compile();
  const header = Buffer.from(JSON.stringify({ mark, parts, hash: hashOf(code) }));
  if (header.length > headerBytes) return;
  const unfinished = `${file}.${process.pid}`;
  try {
    if (!isOwn(dirname(folder))) return;
    mkdirSync(folder, { recursive: true });
    // Left by runs that were killed; one that is at it beside this one goes without.
    for (const name of readdirSync(folder)) if (!name.endsWith(ending)) rmSync(join(folder, name), { force: true });
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

/** Whether this process runs for the owner of a folder; true on Windows, where it is not a question. */
const isOwn = (path: string): boolean => process.geteuid === undefined || process.geteuid() === statSync(path).uid;
