import { existsSync, lstatSync, realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Gap } from '../model/finding.js';
import { UsageError } from '../model/usage-error.js';
import { findKind, type FileKind } from './languages.js';
import { findGitRoot, listWithGit, reasonOf, runGit, walk, type OnTrouble } from './list-files.js';
import { refuse, unreadable } from './read-source.js';
import { createUnitRoots } from './unit-root.js';

export interface DiscoveredFile {
  /** Base-relative, with `/`. */
  readonly path: string;
  readonly abs: string;
  readonly language: FileKind;
  /** Bytes. */
  readonly size: number;
}

/** The files whose facts belong together. */
export interface DiscoveredUnit {
  /** Base-relative folder; `''` is the base itself. */
  readonly root: string;
  /** All files of the unit, sorted by path, also when only some were asked for. */
  readonly files: readonly DiscoveredFile[];
  /** Whether findings in a base-relative path were asked for: it, or a folder around it, was named. */
  asked(path: string): boolean;
}

export interface Discovered {
  /** Absolute folder to which all paths are relative. */
  readonly base: string;
  /** Units with at least one file that was asked for, sorted by root. */
  readonly units: readonly DiscoveredUnit[];
  /** Base-relative paths of everything that was listed: the units' files, and manifests around them. Sorted. */
  readonly listing: readonly string[];
  /** Base-relative folders that were named; `''` is the base itself. */
  readonly folders: readonly string[];
  /** Base-relative paths of the files that were named one by one and are scanned. */
  readonly named: readonly string[];
  readonly gaps: readonly Gap[];
}

/** One thing named by the user: absolute, links resolved. */
interface Input {
  readonly abs: string;
  readonly isFolder: boolean;
  /** The repository around it. */
  readonly repository: string | undefined;
}

/**
 * Finds the base, the units and the files of a scan. `paths` are relative to `cwd`; without any, `cwd` is meant.
 * Throws a UsageError for a path that neither exists nor is known to git; everything else that cannot be read becomes a gap.
 */
export function resolveInputs(paths: readonly string[], cwd: string): Discovered {
  return new Discovery(paths.length === 0 ? ['.'] : paths, cwd).run();
}

const toPosix = (path: string): string => (sep === '/' ? path : path.split(sep).join('/'));
const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** The folders that are in none of the others. */
function outermostOf(folders: ReadonlySet<string>): readonly string[] {
  const all = [...folders];
  return all.filter((folder) => !all.some((other) => other !== folder && isWithin(folder, other)));
}

class Discovery {
  private readonly gaps: Gap[] = [];
  private readonly inputs: Input[] = [];
  /** Named files that are deleted, broken or odd; their gap is made once the base is known. */
  private readonly troubles: { readonly abs: string; readonly gap: (path: string) => Gap }[] = [];
  private readonly unitRoots = new Map<string | undefined, ReturnType<typeof createUnitRoots>>();

  private readonly cwd: string;

  constructor(
    private readonly paths: readonly string[],
    cwd: string,
  ) {
    this.cwd = realpathSync.native(cwd);
  }

  run(): Discovered {
    for (const path of this.paths) this.resolve(path);
    const base = this.findBase();
    const below = base.endsWith(sep) ? base : base + sep;
    // Both are without `.` and `..`, so that what is below needs no calculation.
    const pathOf = (abs: string): string =>
      toPosix(abs.startsWith(below) ? abs.slice(below.length) : relative(base, abs));
    const onTrouble: OnTrouble = (abs, why) => {
      const path = pathOf(abs);
      const shown = path === '' ? '.' : path;
      this.gaps.push({ kind: 'unreadable', path: shown, message: `'${shown}' could not be listed in full: ${why}.` });
    };

    const found = this.list(onTrouble);
    const byRoot = new Map<string, DiscoveredFile[]>();
    const listing: string[] = [];
    for (const abs of [...found].sort()) {
      const path = pathOf(abs);
      const language = findKind(path);
      if (language === undefined) continue;
      const file = this.examine(abs, path, language);
      if (file === undefined) continue;
      listing.push(path);
      const root = this.unitOf(abs, base);
      const files = byRoot.get(root);
      if (files === undefined) byRoot.set(root, [file]);
      else files.push(file);
    }

    const folders = this.inputs.filter((input) => input.isFolder).map((input) => pathOf(input.abs));
    const single = new Set(this.inputs.filter((input) => !input.isFolder).map((input) => pathOf(input.abs)));
    const asked = (path: string): boolean =>
      single.has(path) || folders.some((folder) => folder === '' || path === folder || path.startsWith(`${folder}/`));

    const units: DiscoveredUnit[] = [];
    for (const [root, files] of byRoot)
      if (files.some((file) => asked(file.path))) units.push({ root: pathOf(root), files, asked });
    units.sort((a, b) => (a.root < b.root ? -1 : 1));

    for (const { abs, gap } of this.troubles) this.gaps.push(gap(pathOf(abs)));
    const listed = new Set(listing);
    this.reportNothing(pathOf, listed);
    return {
      base,
      units,
      listing: listing.sort(),
      folders,
      named: [...single].filter((path) => listed.has(path)).sort(),
      gaps: this.gaps,
    };
  }

  /** Follows a named path to what it is. */
  private resolve(path: string): void {
    if (path === '') throw new UsageError("A path is empty; name a file or folder, or '.' for the current one.");
    const lexical = resolve(this.cwd, path);
    let abs: string;
    let stats: Stats;
    try {
      abs = realpathSync.native(lexical);
      stats = statSync(abs);
    } catch (error) {
      this.resolveMissing(path, lexical, error);
      return;
    }
    if (!stats.isDirectory() && !stats.isFile()) {
      this.troubles.push({ abs, gap: (shown) => refuse(stats, shown) ?? unreadable(shown, undefined) });
      return;
    }
    const isFolder = stats.isDirectory();
    this.inputs.push({ abs, isFolder, repository: findGitRoot(isFolder ? abs : dirname(abs)) });
  }

  /** A named path that cannot be followed: a broken link, a file that git knows but that was deleted, or a mistake. */
  private resolveMissing(path: string, lexical: string, error: unknown): void {
    if (isLink(lexical)) {
      const why =
        existsSync(dirname(lexical)) && reasonOf(error) === 'it does not exist'
          ? 'it is a symbolic link to nothing'
          : reasonOf(error);
      this.troubles.push({
        abs: lexical,
        gap: (shown) => ({ kind: 'unreadable', path: shown, message: `'${shown}' was not read: ${why}.` }),
      });
      return;
    }
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      this.troubles.push({ abs: lexical, gap: (shown) => unreadable(shown, error) });
      return;
    }
    const repository = findGitRoot(nearestFolder(lexical));
    if (repository !== undefined) {
      const known = toPosix(relative(repository, lexical));
      const index = runGit(repository, ['ls-files', '-z', '--', `:(literal)${known}`]);
      const head = runGit(repository, ['ls-tree', '-z', '--name-only', 'HEAD', '--', `:(literal)${known}`]);
      if (('output' in index && index.output !== '') || ('output' in head && head.output !== '')) {
        this.troubles.push({
          abs: lexical,
          gap: (shown) => ({ kind: 'vanished', path: shown, message: `'${shown}' is deleted; it was not scanned.` }),
        });
        return;
      }
    }
    throw new UsageError(`The path '${path}' does not exist; name a file or folder that does.`);
  }

  /** The repository, the scanned folder or its unit if that is further out, or the unit of a named file. */
  private findBase(): string {
    const bases = this.inputs.map(({ abs, isFolder, repository }) => {
      if (repository !== undefined) return repository;
      const folder = isFolder ? abs : dirname(abs);
      return this.rootsIn(undefined).rootOf(folder) ?? folder;
    });
    if (bases.length === 0) {
      const folders = this.troubles.map(({ abs }) => nearestFolder(dirname(abs)));
      bases.push(...folders.map((folder) => findGitRoot(folder) ?? folder));
    }
    return bases.reduce(commonFolder);
  }

  private rootsIn(repository: string | undefined): ReturnType<typeof createUnitRoots> {
    let roots = this.unitRoots.get(repository);
    if (roots === undefined) this.unitRoots.set(repository, (roots = createUnitRoots(repository)));
    return roots;
  }

  /** Everything below the units of the inputs, and the manifests that Cargo, npm and the workflows keep further out. */
  private list(onTrouble: OnTrouble): Set<string> {
    const all = new Set<string>();
    const add = (files: readonly string[]): void => {
      for (const file of files) all.add(file);
    };
    const byRepository = new Map<string, Set<string>>();
    /** Outside repositories: folders with all that lies below them, and folders for themselves. */
    const whole = new Set<string>();
    const single = new Set<string>();
    for (const { abs, isFolder, repository } of this.inputs) {
      const folder = isFolder ? abs : dirname(abs);
      const unit = this.rootsIn(repository).rootOf(folder);
      if (repository === undefined) {
        // A named file that no manifest claims has its neighbours for a unit, not all that lies below.
        (isFolder || unit !== undefined ? whole : single).add(unit ?? folder);
        continue;
      }
      const folders = byRepository.get(repository) ?? new Set();
      folders.add(unit ?? repository);
      byRepository.set(repository, folders);
    }
    for (const folder of outermostOf(whole)) add(walk(folder, onTrouble));
    for (const folder of single) add(walk(folder, onTrouble, 0));
    for (const [repository, folders] of byRepository) {
      const outermost = outermostOf(folders);
      const around = outermost.includes(repository)
        ? []
        : [join(repository, '.github'), join(repository, '.cargo')].filter((folder) => existsSync(folder));
      const files = listWithGit(repository, [...outermost, ...around], onTrouble);
      add(files ?? outermost.flatMap((folder) => walk(folder, onTrouble)));
      for (const folder of outermost) add(manifestsAbove(folder, repository, onTrouble));
    }
    return all;
  }

  /** Looks at one listed file; undefined when it is not there, not a file, or twice in the listing through a link. */
  private examine(abs: string, path: string, language: FileKind): DiscoveredFile | undefined {
    try {
      let stats = lstatSync(abs);
      if (stats.isSymbolicLink()) {
        stats = statSync(abs);
        // What a link leads to is scanned where it lies, if it lies inside.
        if (
          stats.isDirectory() ||
          this.inputs.some((input) => isWithin(realpathSync.native(abs), input.repository ?? input.abs))
        )
          return undefined;
      } else if (stats.isDirectory()) {
        // A submodule, or a folder with a name like `conf.d`: git lists its files by themselves, if they are its own.
        return undefined;
      }
      const gap = refuse(stats, path);
      if (gap !== undefined) {
        this.gaps.push(gap);
        return undefined;
      }
      return { path, abs, language, size: stats.size };
    } catch (error) {
      // Tracked by git, but deleted and not yet committed: nothing is missing.
      const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (isGone && !isLink(abs)) {
        // Node reads names as UTF-8, and a name that is not cannot be opened by what was read of it.
        if (!path.includes('\ufffd')) return undefined;
        const message = `'${path}' was not read: its name is not valid UTF-8; rename it.`;
        this.gaps.push({ kind: 'unreadable', path, message });
        return undefined;
      }
      const why = isGone ? 'it is a symbolic link to nothing' : reasonOf(error);
      this.gaps.push({ kind: 'unreadable', path, message: `'${path}' was not read: ${why}.` });
      return undefined;
    }
  }

  private unitOf(abs: string, base: string): string {
    const folder = dirname(abs);
    const repository = this.inputs.find(
      (input) => input.repository !== undefined && isWithin(abs, input.repository),
    )?.repository;
    return this.rootsIn(repository).rootOf(folder) ?? repository ?? base;
  }

  /** An input that led to no file at all is said, so that silence never means success. */
  private reportNothing(pathOf: (abs: string) => string, listed: ReadonlySet<string>): void {
    const mentioned = new Set(this.gaps.map((gap) => gap.path));
    for (const { abs, isFolder } of this.inputs) {
      const path = pathOf(abs);
      const shown = path === '' ? '.' : path;
      if (isFolder) {
        if (path === '' ? listed.size > 0 : [...listed].some((file) => file.startsWith(`${path}/`))) continue;
        const message = `'${shown}' holds no Rust, D, JavaScript or manifest file, or all of them are ignored; nothing was scanned there.`;
        this.gaps.push({ kind: 'nothing-to-scan', path: shown, message });
      } else if (!listed.has(path) && !mentioned.has(path)) {
        const why =
          findKind(path) === undefined ? 'it is neither Rust, D or JavaScript source nor a manifest' : 'it is ignored';
        this.gaps.push({
          kind: 'nothing-to-scan',
          path: shown,
          message: `'${shown}' was not scanned, because ${why}.`,
        });
      }
    }
  }
}

function isLink(abs: string): boolean {
  return lstatSync(abs, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/** The nearest folder at or above a path that exists. */
function nearestFolder(path: string): string {
  let at = path;
  while (dirname(at) !== at && statSync(at, { throwIfNoEntry: false })?.isDirectory() !== true) at = dirname(at);
  return at;
}

function commonFolder(a: string, b: string): string {
  let folder = a;
  while (!isWithin(b, folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** Manifests in the folders above a unit, up to the repository's root: npm and Cargo look upward for some settings. */
function manifestsAbove(folder: string, repository: string, onTrouble: OnTrouble): string[] {
  const found: string[] = [];
  for (let at = folder; at !== repository && isWithin(at, repository);) {
    at = dirname(at);
    found.push(...walk(at, onTrouble, 0).filter((file) => findKind(toPosix(relative(at, file))) === 'manifest'));
  }
  return found;
}
