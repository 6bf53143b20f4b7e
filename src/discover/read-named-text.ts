import { readFileSync, statSync } from 'node:fs';

/**
 * The text of a file that the user named, as UTF-8. A pipe is read, since shells give those (`--config <(make-config)`); throws on a
 * device, which may have no end, and what `readFileSync` throws.
 */
export function readNamedText(path: string): string {
  const stats = statSync(path);
  if (stats.isCharacterDevice() || stats.isBlockDevice()) throw new Error('it is a device, and a file is needed');
  return readFileSync(path, 'utf8');
}
