import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
}

/** Reads files and folders by absolute path; what can't be read is undefined or empty, never an error. */
export interface PackageReader {
  /** The text of a file of at most 8 MB: lockfiles are large. */
  readText(path: string): string | undefined;
  /** The entries of a folder, sorted by name; symbolic links are reported as what they point to. */
  list(folder: string): readonly DirectoryEntry[];
  isFile(path: string): boolean;
  /** The path with symbolic links resolved, or the path itself. */
  realPath(path: string): string;
}

const largestText = 8_000_000;
const nothing: ReadonlyMap<string, DirectoryEntry> = new Map();

/**
 * A reader that remembers answers for `maximumAge` milliseconds: an editor's lint server lives for days, one run of the
 * command line for seconds.
 */
export function createPackageReader(maximumAge = Number.POSITIVE_INFINITY): PackageReader {
  const texts = new Map<string, string | undefined>();
  /** Undefined for a folder that can't be listed. */
  const folders = new Map<string, ReadonlyMap<string, DirectoryEntry> | undefined>();
  const links = new Map<string, string>();
  let since = Date.now();

  const forgetOld = (): void => {
    const now = Date.now();
    if (now - since <= maximumAge) return;
    for (const each of [texts, folders, links]) each.clear();
    since = now;
  };

  /** A listed folder above doesn't have it: node_modules is looked for beside every package.json on the way up. */
  const isMissing = (folder: string): boolean => {
    const parent = dirname(folder);
    if (parent === folder) return false;
    if (!folders.has(parent)) return isMissing(parent);
    const entries = folders.get(parent);
    return entries !== undefined && !entries.has(basename(folder));
  };

  const entriesOf = (folder: string): ReadonlyMap<string, DirectoryEntry> => {
    forgetOld();
    if (!folders.has(folder))
      folders.set(folder, isMissing(folder) ? nothing : safely(() => readFolder(folder), undefined));
    return folders.get(folder) ?? nothing;
  };

  // One listing answers for every name of a folder: module resolution asks for many that don't exist.
  const isFile = (path: string): boolean => entriesOf(dirname(path)).get(basename(path))?.kind === 'file';

  return {
    isFile,
    list: (folder) => [...entriesOf(folder).values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    readText(path) {
      forgetOld();
      if (texts.has(path)) return texts.get(path);
      const text = isFile(path) ? safely(() => readSmallFile(path), undefined) : undefined;
      texts.set(path, text);
      return text;
    },
    realPath(path) {
      forgetOld();
      const known = links.get(path);
      if (known !== undefined) return known;
      const real = safely(() => realpathSync(path), path);
      links.set(path, real);
      return real;
    },
  };
}

function readSmallFile(path: string): string | undefined {
  return statSync(path).size <= largestText ? readFileSync(path, 'utf8') : undefined;
}

function readFolder(folder: string): ReadonlyMap<string, DirectoryEntry> {
  const entries = new Map<string, DirectoryEntry>();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const target = entry.isSymbolicLink() ? statSync(`${folder}/${entry.name}`, { throwIfNoEntry: false }) : entry;
    const kind = target?.isFile() === true ? 'file' : target?.isDirectory() === true ? 'folder' : 'other';
    entries.set(entry.name, { name: entry.name, kind });
  }
  return entries;
}

/** Files vanish and permissions deny between two calls; the caller only asks whether there is something to read. */
function safely<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
