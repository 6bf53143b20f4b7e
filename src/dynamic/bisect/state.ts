import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
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

/** Writes beside the file and renames, so that a crash leaves either the old state or the new one. */
export function writeState(path: string, state: SavedState): void {
  mkdirSync(dirname(path), { recursive: true });
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
