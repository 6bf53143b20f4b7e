import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededBytes } from './arguments.js';

export interface Input {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const maximumFiles = 64;
const maximumBytes = 32 * 1024 * 1024;

/** The files of `folder` in the order of their names, or generated ones of three sizes: below, near and above a page. */
export function readInputs(folder: string | undefined, seed: number): readonly Input[] {
  if (folder === undefined)
    return [64, 4096, 65536].map((size, i) => ({ name: `generated-${size}.bin`, bytes: seededBytes(size, seed + i) }));
  const inputs: Input[] = [];
  let total = 0;
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, maximumFiles)) {
    const bytes = new Uint8Array(readFileSync(join(folder, entry.name)));
    total += bytes.length;
    if (total > maximumBytes) break;
    inputs.push({ name: entry.name, bytes });
  }
  return inputs;
}
