import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entrust } from './reaper.js';

export interface ScratchFolder {
  /** Absolute. */
  readonly path: string;
  readonly remove: () => void;
}

/**
 * Makes a temporary folder that is deleted with this process when nobody removed it before, whatever ends it. Throws when it cannot
 * be made.
 */
export function makeScratchFolder(purpose: 'run' | 'minimise' | 'experiment' | 'verify'): ScratchFolder {
  const path = mkdtempSync(join(tmpdir(), `lifetime-lint-${purpose}-`));
  const release = entrust(`f:${path}`);
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 });
      release();
    },
  };
}
