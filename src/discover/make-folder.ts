import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it, one at a time from the top. Node's own recursive form never returns where a folder can
 * neither be made nor found, as below /proc. Throws what the file system says.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    try {
      mkdirSync(folder);
    } catch (error) {
      // Another process may have been faster.
      if (existsSync(folder) && statSync(folder).isDirectory()) continue;
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
        throw new Error(`the folder '${folder}' cannot be made there`, { cause: error });
      throw error;
    }
  }
  if (!statSync(path).isDirectory()) throw new Error(`'${path}' is a file, and a folder is needed`);
}
