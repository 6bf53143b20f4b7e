import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
}

/** Reads files and folders by absolute path; what can't be read is undefined or empty, never an error. */
export interface PackageReader {
  /** The text of a file of at most 2 MB. */
  readText(path: string): string | undefined;
  /** The entries of a folder, sorted by name; symbolic links are reported as what they point to. */
  list(folder: string): readonly DirectoryEntry[];
  isFile(path: string): boolean;
  /** The path with symbolic links resolved, or the path itself. */
  realPath(path: string): string;
}

const largestText = 2_000_000;

/**
 * A reader that remembers answers for `maximumAge` milliseconds: an editor's lint server lives for days, one run of the
 * command line for seconds.
 */
export function createPackageReader(maximumAge = Number.POSITIVE_INFINITY): PackageReader {
  const texts = new Map<string, string | undefined>();
  const folders = new Map<string, readonly DirectoryEntry[]>();
  const files = new Map<string, boolean>();
  const links = new Map<string, string>();
  let since = Date.now();

  function remember<T>(store: Map<string, T>, key: string, compute: () => T): T {
    const now = Date.now();
    if (now - since > maximumAge) {
      for (const each of [texts, folders, files, links]) each.clear();
      since = now;
    }
    const known = store.get(key);
    if (known !== undefined || store.has(key)) {
      // A value of undefined is an answer too; Map.get can't tell it from absence.
      return known as T;
    }
    const value = compute();
    store.set(key, value);
    return value;
  }

  const isFile = (path: string): boolean =>
    remember(files, path, () => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);

  return {
    isFile: (path) => safely(() => isFile(path), false),
    readText: (path) =>
      remember(texts, path, () =>
        safely(() => {
          const status = statSync(path, { throwIfNoEntry: false });
          return status?.isFile() === true && status.size <= largestText ? readFileSync(path, 'utf8') : undefined;
        }, undefined),
      ),
    list: (folder) => remember(folders, folder, () => safely(() => readFolder(folder), [])),
    realPath: (path) => remember(links, path, () => safely(() => realpathSync(path), path)),
  };
}

function readFolder(folder: string): readonly DirectoryEntry[] {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry): DirectoryEntry => {
      const target = entry.isSymbolicLink() ? statSync(`${folder}/${entry.name}`, { throwIfNoEntry: false }) : entry;
      const kind = target?.isFile() === true ? 'file' : target?.isDirectory() === true ? 'folder' : 'other';
      return { name: entry.name, kind };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Files vanish and permissions deny between two calls; the caller only asks whether there is something to read. */
function safely<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
