import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The package's own folder; the same from src/ and from dist/. */
const packageFolder = fileURLToPath(new URL('../../', import.meta.url));

/** Name and version as in package.json. */
export function readToolInfo(): { readonly name: string; readonly version: string } {
  const manifest: unknown = JSON.parse(readFileSync(`${packageFolder}package.json`, 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'name' in manifest && 'version' in manifest) {
    return { name: String(manifest.name), version: String(manifest.version) };
  }
  throw new Error('package.json of the tool has no name or version');
}
