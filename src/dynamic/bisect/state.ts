import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../../discover/make-folder.js';
import * as v from 'valibot';
import type { Observation } from './session.js';

const observation = v.variant('kind', [
  v.object({
    kind: v.literal('hit'),
    version: v.string(),
    seconds: v.number(),
    class: v.string(),
    detail: v.string(),
    lines: v.array(v.string()),
  }),
  v.object({ kind: v.literal('clean'), version: v.string(), seconds: v.number() }),
  v.object({ kind: v.literal('prepared'), version: v.string(), seconds: v.number() }),
  v.object({ kind: v.literal('untestable'), version: v.string(), reason: v.string() }),
  v.object({ kind: v.literal('skip'), version: v.string(), reason: v.string() }),
]);

const file = v.object({
  schema: v.literal(1),
  question: v.string(),
  history: v.array(v.string()),
  observations: v.array(observation),
});

/** What a bisection keeps on disk after each run, so that a stopped one can go on. */
export interface SavedState {
  /** Everything that gives the observations their meaning: target, scenario, flags, platform. */
  readonly question: string;
  readonly history: readonly string[];
  readonly observations: readonly Observation[];
}

/** Reads a saved state; undefined when there is none, a sentence when it cannot be used. */
export function readState(path: string): SavedState | undefined | { readonly error: string } {
  if (!existsSync(path)) return undefined;
  const useless = `'${path}' is not a saved bisection; name another file with --state, or start anew with --fresh.`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { error: useless };
  }
  const result = v.safeParse(file, parsed);
  return result.success ? result.output : { error: useless };
}

/**
 * Takes the state for this process, so that two bisections of one question do not write over each other's runs. A lock whose process
 * has ended is taken over.
 */
export function lockState(path: string): { readonly release: () => void } | { readonly error: string } {
  const lock = `${path}.lock`;
  for (let tries = 0; tries < 2; tries++) {
    try {
      makeFolder(dirname(path));
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return { release: () => rmSync(lock, { force: true }) };
    } catch (error) {
      if (!isCode(error, 'EEXIST') || !existsSync(lock)) {
        const why = error instanceof Error ? error.message : String(error);
        return { error: `The state '${path}' cannot be written (${why}); name another file with --state.` };
      }
      const owner = Number(readFileSync(lock, 'utf8'));
      if (isAlive(owner)) {
        return {
          error: `Another bisection (process ${owner}) writes to '${path}'; wait for it, or name another file with --state.`,
        };
      }
      rmSync(lock, { force: true });
    }
  }
  return { error: `The state '${path}' is taken by another bisection; name another file with --state.` };
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there.
    return isCode(error, 'EPERM');
  }
}

/** Writes beside the file and renames, so that a crash leaves either the old state or the new one. */
export function writeState(path: string, state: SavedState): void {
  makeFolder(dirname(path));
  const beside = `${path}.${process.pid}.tmp`;
  const handle = openSync(beside, 'w');
  try {
    writeSync(handle, `${JSON.stringify({ schema: 1, ...state })}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(beside, path);
}
