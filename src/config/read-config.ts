import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { reasonOf } from '../discover/list-files.js';
import { readNamedText } from '../discover/read-named-text.js';
import { DocumentError } from '../project/document.js';
import { readJson } from '../project/json.js';
import { UsageError } from '../model/usage-error.js';
import { configFileNames } from './config-file-names.js';
import { defaultConfig, type Config } from './config.js';
import { plainValue } from './plain-document.js';

export interface ConfigRequest {
  /** Absolute folder at which the search ends. */
  readonly base: string;
  /** The scanned paths, relative to `cwd`; the search begins at the folder they have in common. Empty means `cwd`. */
  readonly paths: readonly string[];
  readonly cwd: string;
  /** A file named by the user, which replaces the search; its patterns are relative to the base. */
  readonly file?: string | undefined;
  readonly ruleIds: readonly string[];
}

/**
 * Finds and reads the configuration: the nearest file at or above the scanned paths, up to the base. Configuration is data,
 * nothing of it is run. Throws a `UsageError` for anything wrong in it.
 */
export async function readConfig(request: ConfigRequest): Promise<Config> {
  const { base, file, ruleIds } = request;
  if (file !== undefined) {
    const config = await parse(shorten(base, file), readFileText(file), ruleIds);
    if (config === undefined) throw new UsageError(`'${file}' has no key 'lifetime-lint'.`);
    return config;
  }
  for (let folder = commonFolder(base, realPaths(request)); ; folder = dirname(folder)) {
    for (const name of configFileNames) {
      const path = join(folder, name);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (name === 'package.json' && (!stats.isFile() || !hasOwnKey(path))) continue;
      // To open a pipe would wait for a writer. A file that is named by hand may be one.
      if (!stats.isFile()) throw new UsageError(`'${path}' could not be read: it is not a regular file.`);
      const config = await parse(shorten(base, path), readFileText(path), ruleIds);
      if (config !== undefined) return { ...config, root: shorten(base, folder) };
    }
    if (folder === base || dirname(folder) === folder) return defaultConfig;
  }
}

/** The fingerprints that a baseline file accepts, each with the file's name; empty without a baseline. */
export function readBaseline(config: Config, base: string): ReadonlyMap<string, string> {
  if (config.baseline === undefined) return new Map();
  const path = resolve(base, config.root, config.baseline);
  const shown = shorten(base, path);
  let value: unknown;
  // A pipe may have no writer, and a device no end.
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile() && !stats.isDirectory())
    throw new UsageError(`'${shown}' could not be read: it is not a regular file.`);
  try {
    value = plainValue(readJson(readFileText(path)));
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    throw new UsageError(`${shown}:${error.line}:${error.column}: this is not valid JSON: ${error.message}.`);
  }
  const fingerprints = findFingerprints(value);
  if (fingerprints === undefined) {
    throw new UsageError(
      `${shown}: a baseline is an object with "schema": 1 and an array "findings" of objects with a "fingerprint".`,
    );
  }
  return new Map(fingerprints.map((fingerprint) => [fingerprint, shown]));
}

function findFingerprints(value: unknown): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null || !('schema' in value) || value.schema !== 1) return undefined;
  if (!('findings' in value) || !Array.isArray(value.findings)) return undefined;
  const items: readonly unknown[] = value.findings;
  const fingerprints = items.map((item) =>
    typeof item === 'object' && item !== null && 'fingerprint' in item && typeof item.fingerprint === 'string'
      ? item.fingerprint
      : undefined,
  );
  return fingerprints.every((fingerprint) => fingerprint !== undefined) ? fingerprints : undefined;
}

/** The validator is loaded only when there is something to validate: it takes a tenth of the start. */
async function parse(path: string, text: string, ruleIds: readonly string[]): Promise<Config | undefined> {
  const { parseConfig } = await import('./parse-config.js');
  return parseConfig({ path, text }, ruleIds);
}

/** Whether a package.json configures us. One that is broken or must not be read is the project model's to report. */
function hasOwnKey(path: string): boolean {
  try {
    const text = readFileText(path);
    if (!text.includes('"lifetime-lint"')) return false;
    // The name may also stand among the dependencies.
    const value = plainValue(readJson(text));
    return typeof value === 'object' && value !== null && Object.hasOwn(value, 'lifetime-lint');
  } catch (error) {
    if (error instanceof DocumentError || error instanceof UsageError) return false;
    throw error;
  }
}

function readFileText(path: string): string {
  try {
    return readNamedText(path);
  } catch (error) {
    throw new UsageError(`'${path}' could not be read: ${reasonOf(error)}.`);
  }
}

function realPaths({ paths, cwd }: ConfigRequest): readonly string[] {
  return (paths.length === 0 ? ['.'] : paths).map((path) => {
    const absolute = resolve(cwd, path);
    // Deleted files and broken links are gaps of the scan; their own name is as good for finding a folder.
    return existsSync(absolute) ? realpathSync.native(absolute) : absolute;
  });
}

function commonFolder(base: string, paths: readonly string[]): string {
  const folders = paths.map((path) =>
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? path : dirname(path),
  );
  const inside = folders.filter(
    (folder) => folder === base || folder.startsWith(base.endsWith(sep) ? base : base + sep),
  );
  const [first, ...others] = inside;
  if (first === undefined) return base;
  return others.reduce((common, folder) => {
    let at = common;
    while (folder !== at && !folder.startsWith(at + sep) && at !== base) at = dirname(at);
    return at;
  }, first);
}

/** A path as messages show it: relative to the base with `/` where it lies inside. */
function shorten(base: string, path: string): string {
  const short = relative(base, path).split(sep).join('/');
  return short.startsWith('..') ? path : short;
}
