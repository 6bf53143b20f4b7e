import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { readBinaryFacts } from './binary-facts.js';
import { byRelevance, diffVersions, mergeAlike, withRelevance, type BoundaryChange } from './boundary-change.js';

const DEEPEST = 6;
const LARGEST_LOADER = 1024 * 1024;

/** Addons below a folder, by path relative to it. */
function findAddons(folder: string): readonly string[] {
  const found: string[] = [];
  const visit = (current: string, depth: number): void => {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      const path = join(current, entry.name);
      if (entry.isDirectory() && depth < DEEPEST) visit(path, depth + 1);
      else if (entry.isFile() && entry.name.endsWith('.node')) found.push(relative(folder, path));
    }
  };
  visit(folder, 0);
  return found.sort();
}

const published = ['dependencies', 'optionalDependencies', 'peerDependencies', 'engines'] as const;

/** Requirements of a manifest by name; what only repeats the package's own version is left out. */
function readRequirements(folder: string, sections: readonly string[] = published): ReadonlyMap<string, string> {
  const path = join(folder, 'package.json');
  const result = new Map<string, string>();
  if (!existsSync(path)) return result;
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof manifest !== 'object' || manifest === null) return result;
  const own: unknown = Reflect.get(manifest, 'version');
  for (const section of sections) {
    const entries: unknown = Reflect.get(manifest, section);
    if (typeof entries !== 'object' || entries === null) continue;
    for (const [name, requirement] of Object.entries(entries)) {
      if (typeof requirement === 'string' && requirement !== own) result.set(name, requirement);
    }
  }
  return result;
}

/** Whether a JavaScript file at the root of the package evaluates the diagnostic report. */
function findReportCalls(folder: string): string | undefined {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (!/\.[cm]?js$/.test(name) || statSync(path).size > LARGEST_LOADER) continue;
    if (/process\.report\b[^;\n]*getReport|report\.getReport\(\)/.test(readFileSync(path, 'utf8'))) return name;
  }
  return undefined;
}

/**
 * What changed between two installed versions of a package that could matter: requirements, the crates and the compiler that
 * the addon was built with, whether it stays loaded, and its loader.
 *
 * @param before,after folders with the `node_modules` of the installation, and the package's own folder in it
 */
export function comparePackages(
  before: { readonly root: string; readonly packageFolder: string },
  after: { readonly root: string; readonly packageFolder: string },
): readonly BoundaryChange[] {
  const changes: BoundaryChange[] = [
    ...diffVersions('package.json', readRequirements(before.packageFolder), readRequirements(after.packageFolder)),
    // Of the tools that a package was made with, only those that a rule knows can have got into the addon.
    ...diffVersions(
      'package.json, for development',
      readRequirements(before.packageFolder, ['devDependencies']),
      readRequirements(after.packageFolder, ['devDependencies']),
    ).filter(({ why }) => why !== undefined),
  ];
  const binary: BoundaryChange[] = [];
  const old = findAddons(join(before.root, 'node_modules'));
  const now = findAddons(join(after.root, 'node_modules'));
  for (const path of now) {
    const twin =
      old.find((candidate) => candidate === path) ?? old.find((candidate) => basename(candidate) === basename(path));
    if (twin === undefined) continue;
    const left = readBinaryFacts(join(before.root, 'node_modules', twin));
    const right = readBinaryFacts(join(after.root, 'node_modules', path));
    const where = basename(path);
    binary.push(...diffVersions(where, left.crates, right.crates));
    const flags = (facts: typeof left): ReadonlyMap<string, string> =>
      new Map([
        ...(facts.rustc === undefined ? [] : ([['rustc', facts.rustc]] as const)),
        ...(facts.nodelete === undefined ? [] : ([['NODELETE', facts.nodelete ? 'set' : 'not set']] as const)),
      ]);
    binary.push(...diffVersions(where, flags(left), flags(right)));
  }
  changes.push(...mergeAlike(binary));
  const [loaderBefore, loaderAfter] = [findReportCalls(before.packageFolder), findReportCalls(after.packageFolder)];
  if ((loaderBefore === undefined) !== (loaderAfter === undefined)) {
    changes.push(
      withRelevance({
        where: loaderAfter ?? loaderBefore ?? 'loader',
        name: 'process.report.getReport()',
        ...(loaderBefore === undefined ? {} : { before: 'called' }),
        ...(loaderAfter === undefined ? {} : { after: 'called' }),
      }),
    );
  }
  return byRelevance(changes);
}
