import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface PackageManifest {
  readonly name?: string;
  readonly version?: string;
  readonly main?: string;
  readonly types?: string;
  readonly exports?: unknown;
  /** Whether installing the package runs a script of its own that may fetch or build its binary. */
  readonly hasInstallScript: boolean;
}

/** The fields of a folder's package.json that the runner needs, each only when it has the right type. */
export function readManifest(folder: string): PackageManifest | { readonly error: string } {
  const path = join(folder, 'package.json');
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return {
      error: `'${path}' cannot be read as a package manifest: ${error instanceof Error ? error.message : String(error)}.`,
    };
  }
  if (typeof parsed !== 'object' || parsed === null)
    return { error: `'${path}' is not a package manifest; it must hold an object.` };
  const text = (key: string): string | undefined => {
    const value: unknown = Reflect.get(parsed, key);
    return typeof value === 'string' ? value : undefined;
  };
  const name = text('name');
  const version = text('version');
  const main = text('main');
  const types = text('types') ?? text('typings');
  const exports: unknown = Reflect.get(parsed, 'exports');
  const scripts: unknown = Reflect.get(parsed, 'scripts');
  const hasInstallScript =
    (typeof scripts === 'object' &&
      scripts !== null &&
      ['preinstall', 'install', 'postinstall'].some((name) => name in scripts)) ||
    // npm builds it even where no script says so.
    existsSync(join(folder, 'binding.gyp'));
  return {
    hasInstallScript,
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(main === undefined ? {} : { main }),
    ...(types === undefined ? {} : { types }),
    ...(exports === undefined ? {} : { exports }),
  };
}
