import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, type Dirent } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { findKind } from './languages.js';

/** Told about a folder or a tool that could not be read; the listing goes on without it. */
export type OnTrouble = (absolutePath: string, why: string) => void;

/** Folders of build products and foreign code, which are never walked. */
const skippedFolders: ReadonlySet<string> = new Set(['node_modules', '.yarn', 'target', '.git', '.dub', 'dist']);

/** Foreign code also where git tracks it: installed packages, and the package manager itself (a bundle of megabytes). */
const foreignPath = /(?:^|\/)(?:node_modules|\.yarn)\//u;

/** The nearest folder at or above `folder` that holds `.git` (a folder, or a file in worktrees and submodules). */
export function findGitRoot(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return undefined;
  }
}

const gitVariables = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_COMMON_DIR', 'GIT_NAMESPACE'];

/**
 * Runs git in a repository and returns its standard output, or the reason why it failed. The variables that a hook is
 * given are taken away, since they may name another repository, and no program that the repository configures is run.
 */
export function runGit(root: string, args: readonly string[]): { readonly output: string } | { readonly why: string } {
  const environment: NodeJS.ProcessEnv = { ...process.env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
  for (const name of gitVariables) delete environment[name];
  const result = spawnSync('git', ['-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false', ...args], {
    cwd: root,
    env: environment,
    encoding: 'utf8',
    maxBuffer: 1024 * 1024 * 1024,
    windowsHide: true,
  });
  if (result.error !== undefined) return { why: result.error.message };
  if (result.status !== 0) return { why: result.stderr.trim().split('\n')[0] ?? `exit code ${String(result.status)}` };
  return { output: result.stdout };
}

/**
 * Tracked and untracked files that git does not ignore, below the given folders of a repository, as absolute paths.
 * Undefined when git cannot tell (not installed, or the repository belongs to somebody else).
 */
export function listWithGit(root: string, folders: readonly string[], onTrouble: OnTrouble): string[] | undefined {
  // -x concerns untracked files only: a tracked folder called `target` is source.
  const skipped = [...skippedFolders].flatMap((name) => ['-x', `${name}/`]);
  const paths = folders.map((folder) =>
    folder === root ? '.' : `:(literal)${relative(root, folder).split(sep).join('/')}`,
  );
  const result = runGit(root, ['ls-files', '-z', '-co', '--exclude-standard', ...skipped, '--', ...paths]);
  if ('why' in result) {
    onTrouble(root, result.why);
    return undefined;
  }
  const files: string[] = [];
  // Git's paths hold no `.` and no `..`.
  const below = root.endsWith(sep) ? root : root + sep;
  // A file with merge conflicts is listed once for each of its stages.
  for (const path of new Set(result.output.split('\0'))) {
    if (path === '' || foreignPath.test(path)) continue;
    const absolute = sep === '/' ? below + path : join(root, path);
    // An untracked repository inside this one is listed as a folder.
    if (path.endsWith('/')) files.push(...(listWithGit(absolute, [absolute], onTrouble) ?? walk(absolute, onTrouble)));
    else files.push(absolute);
  }
  return files;
}

interface Rules {
  readonly folder: string;
  readonly matcher: Ignore;
}

/**
 * All files of use to the scan below a folder as absolute paths, without git: what its .gitignore files exclude and the usual folders of
 * build products are left out, symbolic links to folders are not followed (they may lead in circles).
 * `depth` 0 lists the folder alone.
 */
export function walk(folder: string, onTrouble: OnTrouble, depth = Infinity): string[] {
  const files: string[] = [];
  const open: { readonly folder: string; readonly depth: number; readonly rules: readonly Rules[] }[] = [
    { folder, depth: 0, rules: [] },
  ];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    let entries: Dirent[];
    try {
      entries = readdirSync(at.folder, { withFileTypes: true });
    } catch (error) {
      onTrouble(at.folder, reasonOf(error));
      continue;
    }
    const rules = [...at.rules, ...readRules(at.folder, entries, onTrouble)];
    for (const entry of entries) {
      const path = join(at.folder, entry.name);
      const isFolder = entry.isDirectory();
      if (isFolder ? at.depth >= depth || skippedFolders.has(entry.name) : findKind(path) === undefined) continue;
      if (isIgnored(path, isFolder, rules)) continue;
      if (isFolder) open.push({ folder: path, depth: at.depth + 1, rules });
      else files.push(path);
    }
  }
  return files;
}

function readRules(folder: string, entries: readonly Dirent[], onTrouble: OnTrouble): Rules[] {
  if (!entries.some((entry) => entry.name === '.gitignore' && entry.isFile())) return [];
  try {
    return [{ folder, matcher: ignore().add(readFileSync(join(folder, '.gitignore'), 'utf8')) }];
  } catch (error) {
    onTrouble(join(folder, '.gitignore'), reasonOf(error));
    return [];
  }
}

/** The nearest .gitignore that says something about a path decides. */
function isIgnored(path: string, isFolder: boolean, rules: readonly Rules[]): boolean {
  for (const { folder, matcher } of rules.toReversed()) {
    const { ignored, unignored } = matcher.test(
      path.slice(folder.length + (folder.endsWith(sep) ? 0 : 1)).replaceAll(sep, '/') + (isFolder ? '/' : ''),
    );
    if (ignored || unignored) return ignored;
  }
  return false;
}

/** What went wrong in a few words, for use inside a sentence. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'it does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'permission is denied';
    case 'ELOOP':
      return 'its symbolic links lead in a circle';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of its path is not a folder';
    case 'EEXIST':
      return 'a file of that name is in the way';
    case 'ENOSPC':
      return 'no space is left';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENAMETOOLONG':
      return 'its path is too long';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
