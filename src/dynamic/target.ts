import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { makeFolder } from '../discover/make-folder.js';
import { reasonOf } from '../discover/list-files.js';
import { cacheFolder } from './cache.js';
import { toolEnvironment } from './environment.js';
import { readManifest } from './package-manifest.js';
import { runBounded } from './process-group.js';
import { entrust } from './reaper.js';

/** What is to be run, as the user named it. */
export type TargetSpec =
  | { readonly kind: 'package'; readonly name: string; readonly version: string; readonly allowScripts?: boolean }
  | { readonly kind: 'addon'; readonly file: string }
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'driver'; readonly file: string }
  | { readonly kind: 'command'; readonly command: string; readonly cwd: string };

/** A target that can be run: installed, found and resolved, but never loaded by this process. */
export interface PreparedTarget {
  readonly kind: TargetSpec['kind'];
  /** For people: `rollup@4.28.1`, `index.node`, `./app`. */
  readonly label: string;
  /** Folder from which `specifier` resolves; the working folder of a command. */
  readonly root: string;
  /** What the child imports: a bare package name, or an absolute path. Empty for a command. */
  readonly specifier: string;
  /** Folder of the package itself, where its declarations are. */
  readonly packageFolder?: string;
  readonly version?: string;
  readonly command?: string;
}

export interface TargetError {
  /** One sentence that names the thing and the mend. */
  readonly error: string;
  /** The reason lies outside the target and may be gone in an hour: no network, a registry that does not answer. */
  readonly transient?: boolean;
}

export interface PrepareOptions {
  readonly cacheFolder?: string;
  readonly signal?: AbortSignal;
  /** Told what is being done when it takes long, for progress. */
  readonly onStep?: (text: string) => void;
}

/** `1.2.3` and `1.2.3-beta.1+build`, and neither tags nor ranges. */
const exactVersion = /^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/;

/** The module beside a target's node_modules through which children import it; its name is known to the harness too. */
const loaderName = 'lifetime-lint-load.mjs';
const loaderText =
  'export const load = (specifier) => import(specifier);\nexport const resolve = (specifier) => import.meta.resolve(specifier);\n';

/** npm's limit, the scope included. */
const longestName = 214;

/** The rules of npm for names, without those of old that may hold capitals. */
const packagePattern = /^(?<name>(?:@[a-z0-9~][a-z0-9-._~]*\/)?[a-zA-Z0-9~][a-zA-Z0-9-._~]*)@(?<version>[^@/\\\s]+)$/;

/**
 * Reads what the user named: `name@version` (a package), a path to a `.node` file, a folder or a module. A command wins when it
 * is given. Paths are relative to `cwd`.
 */
export function parseTarget(text: string | undefined, cwd: string, command?: string): TargetSpec | TargetError {
  if (command !== undefined) {
    return command.trim() === ''
      ? { error: "--command is empty; give it the program and its arguments, as in --command './app --selftest'." }
      : { kind: 'command', command, cwd };
  }
  if (text === undefined || text === '') {
    return {
      error:
        "There is nothing to run; name a package ('rollup@4.28.1'), an addon file, a folder, a driver, or give --command.",
    };
  }
  const path = isAbsolute(text) ? text : resolve(cwd, text);
  const match = packagePattern.exec(text);
  if (match?.groups !== undefined && !existsSync(path)) {
    if ((match.groups['name'] ?? '').length > longestName) {
      return { error: `'${text.slice(0, 40)}…' is no package: names have at most ${longestName} characters.` };
    }
    return { kind: 'package', name: match.groups['name'] ?? '', version: match.groups['version'] ?? '' };
  }
  if (!existsSync(path)) {
    return packagePattern.test(`${text}@1`)
      ? { error: `'${text}' is neither a path nor a package with its version; write '${text}@VERSION' for a package.` }
      : { error: `The path '${text}' does not exist.` };
  }
  if (statSync(path).isDirectory()) return { kind: 'folder', folder: path };
  if (path.endsWith('.node')) return { kind: 'addon', file: path };
  if (/\.[cm]?js$/.test(path)) return { kind: 'driver', file: path };
  return { error: `'${text}' is neither a '.node' file, nor a module, nor a folder; run a program with --command.` };
}

/** Installs (scripts off, into the cache) or finds the target. Loads nothing. */
export async function prepareTarget(
  spec: TargetSpec,
  options: PrepareOptions = {},
): Promise<PreparedTarget | TargetError> {
  switch (spec.kind) {
    case 'package':
      return installPackage(spec, options);
    case 'addon':
      return prepareAddon(spec.file);
    case 'folder':
      return prepareFolder(spec.folder, options);
    case 'driver':
      if (!existsSync(spec.file)) return { error: `The driver '${spec.file}' does not exist.` };
      return { kind: 'driver', label: basename(spec.file), root: dirname(spec.file), specifier: spec.file };
    case 'command':
      return { kind: 'command', label: spec.command, root: spec.cwd, specifier: '', command: spec.command };
  }
}

function prepareAddon(file: string): PreparedTarget | TargetError {
  if (!existsSync(file)) return { error: `The addon '${file}' does not exist; build it first.` };
  const absolute = realpathSync(file);
  return {
    kind: 'addon',
    label: basename(file),
    root: dirname(absolute),
    specifier: absolute,
    packageFolder: dirname(absolute),
  };
}

/** A folder is imported by its name, as its users do: through a node_modules of its own that links to it. */
function prepareFolder(folder: string, options: PrepareOptions): PreparedTarget | TargetError {
  if (!existsSync(join(folder, 'package.json'))) {
    return { error: `'${folder}' has no package.json; name the addon file, or a module of it as a driver.` };
  }
  const real = realpathSync(folder);
  const manifest = readManifest(real);
  if ('error' in manifest) return manifest;
  const name = manifest.name ?? 'the-package';
  const digest = createHash('sha256').update(real).digest('hex').slice(0, 12);
  const root = join(options.cacheFolder ?? cacheFolder(), 'links', `${name.replaceAll('/', '+')}-${digest}`);
  const link = join(root, 'node_modules', name);
  try {
    linkTo(real, link);
    writeFileSync(join(root, loaderName), loaderText);
  } catch (error) {
    return unusableCache(root, error);
  }
  return {
    kind: 'folder',
    label: manifest.version === undefined ? name : `${name}@${manifest.version}`,
    root,
    specifier: name,
    packageFolder: real,
    ...(manifest.version === undefined ? {} : { version: manifest.version }),
  };
}

/** Makes `link` lead to `folder`; several runs may do so at the same time. */
function linkTo(folder: string, link: string): void {
  const isThere = (): boolean => {
    try {
      return realpathSync(link) === folder;
    } catch {
      return false;
    }
  };
  if (isThere()) return;
  makeFolder(dirname(link));
  const staging = `${link}.${process.pid}`;
  // A junction needs no rights on Windows; elsewhere the type is ignored.
  symlinkSync(folder, staging, 'junction');
  try {
    renameSync(staging, link);
  } catch (error) {
    rmSync(staging, { force: true });
    if (!isThere()) throw error;
  }
}

/** System, processor and C library: a cache shared over a network must not mix binaries. */
function platformKey(): string {
  if (process.platform !== 'linux') return `${process.platform}-${process.arch}`;
  const musl = ['/lib', '/usr/lib'].some(
    (folder) => existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('ld-musl-')),
  );
  return `linux-${process.arch}-${musl ? 'musl' : 'glibc'}`;
}

/** npm's own script beside this Node when it is there: a `.cmd` cannot be started without a shell on Windows. */
function findNpm(): { readonly file: string; readonly args: readonly string[] } {
  const folder = dirname(process.execPath);
  const places = [
    join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(folder, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ];
  const found = places.find((place) => existsSync(place));
  return found === undefined ? { file: 'npm', args: [] } : { file: process.execPath, args: [found] };
}

/** Runs npm with the given arguments; resolves with its output or with one sentence. */
export async function runNpm(
  args: readonly string[],
  cwd: string,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<{ readonly stdout: string } | TargetError> {
  const npm = findNpm();
  const record = await runBounded({
    file: npm.file,
    args: [...npm.args, ...args],
    cwd,
    env: toolEnvironment(process.env),
    timeoutMs: options.timeoutMs ?? 300_000,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (record.reason === 'spawn-error')
    return { error: `npm could not be started (${record.error}); install it, or name a folder instead.` };
  if (record.reason !== 'exit') {
    const slow = record.reason === 'timeout' ? '; does the registry answer?' : '.';
    return { error: `'npm ${args[0]}' was stopped (${record.reason})${slow}`, transient: true };
  }
  if (record.exitCode === 0) return { stdout: record.stdout };
  const error = `'npm ${args[0]}' failed: ${describeNpmError(record.stderr, record.exitCode)}.`;
  return isUnreachable(record.stderr) ? { error, transient: true } : { error };
}

/** What npm's codes mean; anything else is said in npm's words. */
const npmCodes: Readonly<Record<string, string>> = {
  E404: 'the registry has no package of that name, or does not show it to you',
  ETARGET: 'the registry has no such version',
  EBADPLATFORM: 'the package is not for this system',
  EBADENGINE: 'the package is not for this Node',
  ENOSPC: 'the disk is full',
};

const networkCodes =
  /^(?:ECONN\w*|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR)$/;

/** The registry cannot be reached, or has no time: another try may go well. */
function isUnreachable(stderr: string): boolean {
  const code = /^npm (?:error|ERR!) code (\S+)$/m.exec(stderr)?.[1] ?? '';
  return networkCodes.test(code) || /^E(?:429|5\d\d)$/.test(code);
}

/** An install script that failed, by its words and the first line that it wrote; undefined when it was none. */
function describeScript(lines: readonly string[]): string | undefined {
  const at = lines.indexOf('command failed');
  const words = /^command \S+ (?:-c|\/d \/s \/c) (.+)$/.exec(lines[at + 1] ?? '')?.[1];
  if (at === -1 || words === undefined) return undefined;
  const folder = lines.map((line) => /^path (.+)$/.exec(line)?.[1]).find((path) => path !== undefined);
  const owner = folder === undefined ? '' : ` of '${basename(folder)}'`;
  const said = lines[at + 2];
  const wrote = said === undefined || said.startsWith('A complete log') ? '' : `: ${said.replace(/\.$/, '')}`;
  return `its install script '${words}'${owner} failed${wrote}`;
}

/** The reason in what npm wrote to stderr, without a stop. */
export function describeNpmError(stderr: string, exitCode: number | null): string {
  const lines = [...stderr.matchAll(/^npm (?:error|ERR!) (.+)$/gm)].map((match) => (match[1] ?? '').trim());
  const code = lines.map((line) => /^code (\S+)$/.exec(line)?.[1]).find((found) => found !== undefined) ?? '';
  const known = npmCodes[code];
  if (known !== undefined) return known;
  const script = describeScript(lines);
  if (script !== undefined) return script;
  const said = lines.find((line) => !/^(?:code|syscall|errno|path|dest|A complete log|at )/.test(line));
  const reason = (said ?? `exit code ${exitCode}`).replace(/\.$/, '');
  return networkCodes.test(code) ? `the registry could not be reached (${reason})` : reason;
}

async function installPackage(
  spec: Extract<TargetSpec, { kind: 'package' }>,
  options: PrepareOptions,
): Promise<PreparedTarget | TargetError> {
  const { name, version } = spec;
  const scripts = spec.allowScripts === true ? '+scripts' : '';
  const folder = join(options.cacheFolder ?? cacheFolder(), 'npm', platformKey());
  const rootOf = (exact: string): string =>
    join(folder, `${name.replaceAll('/', '+')}@${exact.replaceAll(/[^\w.+-]/g, '_')}${scripts}`);
  const packageIn = (at: string): string => join(at, 'node_modules', ...name.split('/'));
  const label = `${name}@${version}`;
  let root = rootOf(version);
  // A tag or a range may mean another version today than it did.
  const isKept = exactVersion.test(version) && existsSync(join(root, loaderName));
  if (!isKept || !existsSync(join(packageIn(root), 'package.json'))) {
    options.onStep?.(
      `Installing ${label}${spec.allowScripts === true ? ' with its install scripts' : ', install scripts off'}.`,
    );
    const staging = `${root}.staging-${process.pid}-${Date.now()}`;
    const release = entrust(`f:${staging}`);
    try {
      makeFolder(staging);
      writeFileSync(
        join(staging, 'package.json'),
        `${JSON.stringify({ name: 'lifetime-lint-target', private: true })}\n`,
      );
      const flags = [
        '--no-audit',
        '--no-fund',
        '--no-update-notifier',
        '--loglevel=error',
        '--no-package-lock',
        '--legacy-peer-deps',
      ];
      const installed = await runNpm(
        ['install', spec.allowScripts === true ? '--ignore-scripts=false' : '--ignore-scripts', ...flags, '--', label],
        staging,
        options.signal === undefined ? {} : { signal: options.signal },
      );
      if ('error' in installed) return { ...installed, error: `${label} could not be installed. ${installed.error}` };
      // Last, so that its presence says that the installation is whole.
      writeFileSync(join(staging, loaderName), loaderText);
      const installedManifest = readManifest(packageIn(staging));
      if ('error' in installedManifest) return installedManifest;
      root = rootOf(installedManifest.version ?? version);
      moveInto(staging, root, packageIn(root));
    } catch (error) {
      return unusableCache(folder, error);
    } finally {
      rmSync(staging, { recursive: true, force: true });
      release();
    }
  }
  const packageFolder = packageIn(root);
  const manifest = readManifest(packageFolder);
  if ('error' in manifest) return manifest;
  const exact = manifest.version ?? version;
  return { kind: 'package', label: `${name}@${exact}`, root, specifier: name, packageFolder, version: exact };
}

function unusableCache(folder: string, error: unknown): TargetError {
  return {
    error: `The cache folder '${folder}' cannot be used: ${reasonOf(error)}. Set LIFETIME_LINT_CACHE to a folder that can be written.`,
  };
}

/** Renames a finished folder to its place; a whole copy that is there already is as good, a broken one is replaced. */
function moveInto(staging: string, root: string, packageFolder: string): void {
  if (existsSync(root) && !existsSync(join(packageFolder, 'package.json')))
    rmSync(root, { recursive: true, force: true });
  try {
    renameSync(staging, root);
  } catch (error) {
    if (!existsSync(join(root, loaderName))) throw error;
  }
}
