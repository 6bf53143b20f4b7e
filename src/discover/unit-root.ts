import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Finds the unit of folders (absolute paths) and remembers the answers. */
export interface UnitRoots {
  /** The outermost folder at or above `folder` that makes a unit; undefined when no manifest does. */
  rootOf(folder: string): string | undefined;
}

/**
 * `top` is the repository's root, beyond which nothing is looked at; without it the way ends at the root of the disk.
 * The home and the temporary folder are never a unit: a stray manifest there has nothing to do with what lies below.
 */
export function createUnitRoots(top?: string): UnitRoots {
  const roots = new Map<string, string | undefined>();
  const excluded = new Set(top === undefined ? [homedir(), tmpdir()] : []);
  const rootOf = (folder: string): string | undefined => {
    if (roots.has(folder)) return roots.get(folder);
    const parent = dirname(folder);
    const isTop = folder === top || parent === folder;
    let root = isTop ? undefined : rootOf(parent);
    if (root === undefined && !(isTop && top === undefined) && !excluded.has(folder) && isUnit(folder)) root = folder;
    roots.set(folder, root);
    return root;
  };
  return { rootOf };
}

/** A Cargo, dub or npm workspace, or a package that builds an addon. A plain package.json ties nothing together. */
function isUnit(folder: string): boolean {
  if (['Cargo.toml', 'dub.json', 'dub.sdl', 'pnpm-workspace.yaml'].some((name) => existsSync(join(folder, name))))
    return true;
  const manifest = join(folder, 'package.json');
  let text: string;
  try {
    // To open a pipe would wait for a writer.
    if (statSync(manifest, { throwIfNoEntry: false })?.isFile() !== true) return false;
    text = readFileSync(manifest, 'utf8');
  } catch {
    // It cannot be read, which the project model reports.
    return false;
  }
  return isNativePackage(text);
}

function isNativePackage(text: string): boolean {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text.replace(/^\ufeff/u, ''));
  } catch {
    // The project model reports a broken manifest, whichever unit it falls into.
    return false;
  }
  if (typeof manifest !== 'object' || manifest === null) return false;
  if ('workspaces' in manifest || 'napi' in manifest || 'binaryName' in manifest) return true;
  const named = (key: string): unknown[] => {
    // A lookup of an optional key in parsed JSON.
    const table = (manifest as Readonly<Record<string, unknown>>)[key];
    return typeof table === 'object' && table !== null ? Object.entries(table).flat() : [];
  };
  if (named('dependencies').concat(named('devDependencies')).includes('@napi-rs/cli')) return true;
  return named('scripts').some(
    (command) => typeof command === 'string' && /(^|[\s;&|])(napi|cargo|cargo-cp-artifact|dub)\s/.test(command),
  );
}
