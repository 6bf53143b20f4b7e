import { builtinModules } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import type { Confidence } from '../model/finding.js';
import type { PackageReader } from '../project/package-reader.js';
import { readDeclarations, type Declarations } from './declarations.js';
import { isKnownAddon } from './known-addons.js';
import { isRecord, readManifest, type Manifest } from './manifest.js';

/** A module whose functions run native code. */
export interface NativeModule {
  /** As messages name it: the specifier, or the package. */
  readonly name: string;
  readonly kind: 'binary' | 'loader' | 'package' | 'configured';
  readonly confidence: Confidence;
  /** Why it is taken for native, in a few words. */
  readonly why: string;
  /** Identity across files: the package name, or the absolute path of a binary or loader. */
  readonly identity: string;
  /** What its declaration file says; read when it is first asked for. */
  readonly declarations: () => Declarations | undefined;
  /** Set when the addon registers once per process: what shows it. */
  readonly contextUnaware?: string;
}

export interface NativeModulesOptions {
  readonly reader: PackageReader;
  /** Names of packages of the same workspace -> absolute folder. */
  readonly workspace?: ReadonlyMap<string, string>;
  /** Module names that the user says are addons; `name` also covers `name/sub/path`. */
  readonly native?: readonly string[];
}

/** Answers which imports are native, and what package a file belongs to. All answers are kept for its lifetime. */
export interface NativeModules {
  resolve(specifier: string, fromFile: string): NativeModule | undefined;
  /** The file that a relative specifier means, TypeScript sources included; undefined when there is none. */
  resolveFile(specifier: string, fromFile: string): string | undefined;
  /** The nearest package.json at or above a file. */
  manifestOf(file: string): Manifest | undefined;
  /** The addon that a package ships, or the first one that it needs at run time; undefined when it has none. */
  addonOf(manifest: Manifest): NativeModule | undefined;
  readonly reader: PackageReader;
}

/** Text that only the loader of an addon has: it requires a binary, a platform package, or a finder of binaries. */
const loaderPatterns: readonly RegExp[] = [
  /\brequire\(\s*(?:[\w$.]+\(\s*)?['"`][^'"`\n]*\.node['"`]/u,
  /\brequire\(\s*`[^`\n]*\.node`/u,
  /\b(?:from|import)\s+['"][^'"\n]+\.node['"]/u,
  /\bprocess\.dlopen\s*\(/u,
  /\brequire\(\s*['"](?:bindings|node-gyp-build|pkg-prebuilds|node-pre-gyp|@mapbox\/node-pre-gyp)['"]\s*\)/u,
  /\bfrom\s+['"](?:bindings|node-gyp-build|pkg-prebuilds|node-pre-gyp|@mapbox\/node-pre-gyp)['"]/u,
  /\brequire\(\s*['"`][^'"`\n]*-(?:win32-(?:x64|arm64|ia32)-msvc|linux-(?:x64|arm64)-(?:gnu|musl)|darwin-(?:x64|arm64))['"`]\s*\)/u,
];

const platformPackage =
  /(?:^|[-/.])(?:linux|darwin|win32|windows|freebsd|android)-?(?:x64|x86_64|arm64|aarch64|arm|ia32|riscv64|universal)\b(?<abi>-(?:gnu|musl|msvc|gnueabihf|glibc|eabi))?/u;

const binaryFinders = [
  'bindings',
  'node-gyp-build',
  'prebuild-install',
  'node-pre-gyp',
  '@mapbox/node-pre-gyp',
  'pkg-prebuilds',
];

/** Those that are called at run time, with a name or a folder. */
const runtimeFinders: ReadonlySet<string> = new Set(['bindings', 'node-gyp-build', 'pkg-prebuilds']);

const lockfileNames = ['package-lock.json', 'pnpm-lock.yaml', 'yarn.lock', 'npm-shrinkwrap.json', 'bun.lock'];

const sourceExtensions = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.tsx', '.jsx'];
const builtins = new Set(builtinModules);

/** True when a file's text is the loader of an addon. */
export function isLoaderText(text: string): boolean {
  if (loaderPatterns.some((pattern) => pattern.test(text))) return true;
  // A name put together from the platform: require(`lightningcss-${parts.join('-')}`).
  return /\bwin32\b/u.test(text) && /\brequire\(\s*`[^`\n]*\$\{[^`\n]*`\s*\)/u.test(text);
}

export function createNativeModules(options: NativeModulesOptions): NativeModules {
  const { reader, workspace = new Map<string, string>(), native = [] } = options;
  const byImport = new Map<string, NativeModule | undefined>();
  const byPackageFolder = new Map<string, NativeModule | undefined>();
  const byFile = new Map<string, NativeModule | undefined>();
  const manifests = new Map<string, Manifest | undefined>();
  const lockfiles = new Map<string, ReadonlySet<string>>();
  /** Whether a folder has a node_modules. */
  const folders = new Map<string, boolean>();

  const manifestIn = (folder: string): Manifest | undefined => {
    if (manifests.has(folder)) return manifests.get(folder);
    const text = reader.readText(join(folder, 'package.json'));
    const manifest = text === undefined ? undefined : readManifest(folder, text);
    manifests.set(folder, manifest);
    return manifest;
  };

  const manifestOf = (file: string): Manifest | undefined => {
    for (const folder of foldersAbove(file)) {
      const manifest = manifestIn(folder);
      // A bare `{"type": "module"}` marks a folder's module kind; the package is further up.
      if (manifest !== undefined && (manifest.name !== undefined || manifest.hasScripts)) return manifest;
    }
    return undefined;
  };

  const resolveFile = (specifier: string, fromFile: string): string | undefined => {
    const path = resolve(dirname(fromFile), specifier);
    const extension = extname(path);
    const stem = path.slice(0, path.length - extension.length);
    const asTypeScript: Readonly<Record<string, readonly string[]>> = {
      '.js': ['.ts', '.tsx'],
      '.mjs': ['.mts'],
      '.cjs': ['.cts'],
    };
    const candidates = [
      path,
      ...(asTypeScript[extension] ?? []).map((other) => stem + other),
      ...sourceExtensions.map((other) => path + other),
      ...sourceExtensions.map((other) => join(path, `index${other}`)),
    ];
    return candidates.find((candidate) => reader.isFile(candidate));
  };

  /** A loader, or a file that hands a loader's exports on; `depth` bounds chains of re-exports. */
  const nativeFile = (file: string, name: string, depth: number): NativeModule | undefined => {
    if (byFile.has(file)) return renamed(byFile.get(file), name);
    byFile.set(file, undefined);
    const text = reader.readText(file);
    if (text === undefined) return undefined;
    let found: NativeModule | undefined;
    if (isLoaderText(text)) {
      found = {
        name,
        kind: 'loader',
        confidence: 'high',
        why: 'it loads a binary',
        identity: manifestOf(file)?.name ?? file,
        declarations: once(() => declarationsBeside(reader, file)),
      };
    } else if (depth > 0) {
      for (const target of reExportsOf(text)) {
        found = target.startsWith('.')
          ? followed(resolveFile(target, file), name, depth - 1)
          : renamed(resolveModule(target, file), name);
        if (found !== undefined) break;
      }
    }
    byFile.set(file, found);
    return found;
  };

  const followed = (file: string | undefined, name: string, depth: number): NativeModule | undefined =>
    file === undefined ? undefined : nativeFile(file, name, depth);

  const hasModules = (folder: string): boolean => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const has = reader.list(folder).some((entry) => entry.name === 'node_modules');
    folders.set(folder, has);
    return has;
  };

  const packageFolder = (name: string, fromFile: string): string | undefined => {
    for (const folder of foldersAbove(fromFile)) {
      const manifest = manifestIn(folder);
      if (manifest?.name === name) return folder;
      if (!hasModules(folder)) continue;
      const installed = join(folder, 'node_modules', name);
      if (reader.isFile(join(installed, 'package.json'))) return reader.realPath(installed);
    }
    return workspace.get(name);
  };

  const lockedAbove = (file: string): ReadonlySet<string> => {
    const passed: string[] = [];
    let found: ReadonlySet<string> = new Set();
    for (const folder of foldersAbove(file)) {
      const known = lockfiles.get(folder);
      passed.push(folder);
      if (known !== undefined) {
        found = known;
        break;
      }
      const text = lockfileNames.map((name) => reader.readText(join(folder, name))).find((each) => each !== undefined);
      if (text !== undefined) {
        found = readPlatformNames(text);
        break;
      }
      if (reader.list(folder).some((entry) => entry.name === '.git')) break;
    }
    for (const folder of passed) lockfiles.set(folder, found);
    return found;
  };

  const nativePackage = (manifest: Manifest): NativeModule | undefined => {
    if (byPackageFolder.has(manifest.folder)) return byPackageFolder.get(manifest.folder);
    byPackageFolder.set(manifest.folder, undefined);
    const why = whyNative(manifest, reader);
    let found: NativeModule | undefined;
    const name = manifest.name ?? manifest.folder;
    if (why !== undefined) {
      const contextUnaware = whyContextUnaware(manifest, reader);
      found = {
        name,
        kind: 'package',
        confidence: 'high',
        why,
        identity: name,
        declarations: once(() => declarationsOf(reader, manifest)),
        ...(contextUnaware === undefined ? {} : { contextUnaware }),
      };
    }
    byPackageFolder.set(manifest.folder, found);
    return found;
  };

  const resolveModule = (specifier: string, fromFile: string): NativeModule | undefined => {
    const configured = native.find((name) => specifier === name || specifier.startsWith(`${name}/`));
    if (configured !== undefined) {
      return {
        name: specifier,
        kind: 'configured',
        confidence: 'high',
        why: 'the settings name it',
        identity: configured,
        declarations: undeclared,
      };
    }
    if (specifier.endsWith('.node')) {
      const identity = specifier.startsWith('.') ? resolve(dirname(fromFile), specifier) : specifier;
      return {
        name: specifier,
        kind: 'binary',
        confidence: 'high',
        why: 'it is a binary',
        identity,
        declarations: specifier.startsWith('.') ? once(() => declarationsBeside(reader, identity)) : undeclared,
      };
    }
    if (specifier.startsWith('.') || specifier.startsWith('/'))
      return followed(resolveFile(specifier, fromFile), specifier, 3);
    if (specifier.startsWith('node:') || builtins.has(specifier) || specifier.startsWith('#')) return undefined;
    const name = packageNameOf(specifier);
    if (name === undefined) return undefined;
    if (runtimeFinders.has(name)) {
      // What it gives back when it is called is the addon of the package around the file.
      const own = manifestOf(fromFile)?.name ?? name;
      return {
        name,
        kind: 'loader',
        confidence: 'high',
        why: 'it finds and loads a binary',
        identity: own,
        declarations: undeclared,
      };
    }
    const folder = packageFolder(name, fromFile);
    const manifest = folder === undefined ? undefined : manifestIn(folder);
    if (manifest !== undefined) return nativePackage(manifest);
    if (isPlatformPackage(name)) {
      return {
        name,
        kind: 'package',
        confidence: 'high',
        why: 'its name is that of a platform package',
        identity: name,
        declarations: undeclared,
      };
    }
    if (isLockedAddon(name, lockedAbove(fromFile))) {
      return {
        name,
        kind: 'package',
        confidence: 'medium',
        why: 'the lockfile lists its platform packages',
        identity: name,
        declarations: undeclared,
      };
    }
    if (isKnownAddon(name)) {
      return {
        name,
        kind: 'package',
        confidence: 'medium',
        why: 'it is known to load an addon',
        identity: name,
        declarations: undeclared,
      };
    }
    return undefined;
  };

  return {
    reader,
    resolveFile,
    manifestOf,
    resolve(specifier, fromFile) {
      const key = `${dirname(fromFile)}\0${specifier}`;
      if (byImport.has(key)) return byImport.get(key);
      const found = resolveModule(specifier, fromFile);
      byImport.set(key, found);
      return found;
    },
    addonOf(manifest) {
      const own = nativePackage(manifest);
      if (own !== undefined) return own;
      const from = join(manifest.folder, 'package.json');
      for (const name of manifest.runtimeDependencies) {
        const found = resolveModule(name, from);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** True when the addon's declarations show a class whose objects have to be released. */
export function hasReleasableClass({ declarations }: NativeModule): boolean {
  return [...(declarations()?.classes.values() ?? [])].some(({ releasedBy }) => releasedBy.length > 0);
}

/** For an addon without a declaration file in sight. */
export const undeclared = (): undefined => undefined;

/** A declaration file can have thousands of lines, and most loads of its addon ask nothing of it. */
function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => (known ??= { value: compute() }).value;
}

/** The folders from a file's own up to the root. */
function foldersAbove(file: string): readonly string[] {
  const folders: string[] = [];
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    folders.push(folder);
    if (dirname(folder) === folder) return folders;
  }
}

/** `@scope/name/sub` -> `@scope/name`; undefined for what can't be a package. */
function packageNameOf(specifier: string): string | undefined {
  return /^(?:@[\w.~-]+\/)?[\w.~-]+(?=\/|$)/u.exec(specifier)?.[0];
}

function renamed(found: NativeModule | undefined, name: string): NativeModule | undefined {
  return found === undefined || found.name === name ? found : { ...found, name };
}

/** What a package's manifest and files show, strongest first; undefined when nothing speaks for an addon. */
function whyNative(manifest: Manifest, reader: PackageReader): string | undefined {
  const { json, folder } = manifest;
  if (isRecord(json['napi'])) return "its manifest has a 'napi' key";
  if (json['gypfile'] === true || reader.isFile(join(folder, 'binding.gyp'))) return 'it is built with node-gyp';
  if (isRecord(json['binary']) && typeof json['binary']['module_name'] === 'string')
    return "its manifest has a 'binary' key";
  if (manifest.main?.endsWith('.node') === true) return 'its entry is a binary';
  const entries = reader.list(folder);
  if (entries.some((entry) => entry.kind === 'file' && entry.name.endsWith('.node'))) return 'it holds a binary';
  if (entries.some((entry) => entry.kind === 'folder' && entry.name === 'prebuilds')) return 'it holds prebuilds';
  const finder = binaryFinders.find((name) => manifest.dependencies.has(name));
  if (finder !== undefined) return `it depends on '${finder}'`;
  if (!manifest.isImportable) return undefined;
  const platform = manifest.optionalDependencies.find((name) => isPlatformPackage(name) && !/cli/u.test(name));
  if (platform !== undefined) return `it depends on the platform package '${platform}'`;
  const entry = manifest.main === undefined ? undefined : reader.readText(join(folder, manifest.main));
  return entry !== undefined && isLoaderText(entry) ? 'its entry loads a binary' : undefined;
}

/** A platform name together with an ABI; executables are published per platform too, but mostly without the ABI. */
function isPlatformPackage(name: string): boolean {
  return platformPackage.exec(name)?.groups?.['abi'] !== undefined;
}

/** Names, without the platform, of the platform packages that a lockfile lists, whether they are installed or not. */
function readPlatformNames(lockfile: string): ReadonlySet<string> {
  const names = new Set<string>();
  const mark = '-linux-x64-';
  // Lockfiles are long: search for the mark and look back, instead of trying a pattern at every word.
  for (let at = lockfile.indexOf(mark); at >= 0; at = lockfile.indexOf(mark, at + 1)) {
    if (!/^(?:gnu|musl|glibc)\b/u.test(lockfile.slice(at + mark.length, at + mark.length + 6))) continue;
    const name = /(?:@[\w.-]+\/)?[\w.-]+$/u.exec(lockfile.slice(Math.max(0, at - 120), at))?.[0];
    if (name !== undefined) names.add(name);
  }
  return names;
}

/** `hasher` ships in `hasher-linux-x64-gnu`, `@hasher/binding-linux-x64-gnu` or `@hasher/hasher-linux-x64-gnu`. */
function isLockedAddon(name: string, locked: ReadonlySet<string>): boolean {
  return (
    locked.has(name) || (!name.startsWith('@') && (locked.has(`@${name}/binding`) || locked.has(`@${name}/${name}`)))
  );
}

/**
 * Old-style registration (`NODE_MODULE`) in the sources of an addon, or NAN without any sign of a context-aware macro.
 * An addon on Node-API is context-aware by design.
 */
function whyContextUnaware(manifest: Manifest, reader: PackageReader): string | undefined {
  if (!reader.isFile(join(manifest.folder, 'binding.gyp')) && !manifest.dependencies.has('nan')) return undefined;
  const sources = ['', 'src', 'lib', 'native', 'cpp', 'src/native', 'source']
    .map((folder) => join(manifest.folder, folder))
    .flatMap((folder) =>
      reader
        .list(folder)
        .filter((entry) => entry.kind === 'file' && /\.(?:cc|cpp|cxx|c|h|hpp|mm)$/u.test(entry.name))
        .map((entry) => reader.readText(join(folder, entry.name)) ?? ''),
    );
  const aware =
    /\b(?:NODE_MODULE_INIT|NODE_MODULE_CONTEXT_AWARE|NAN_MODULE_WORKER_ENABLED|NODE_API_MODULE|NAPI_MODULE|NAPI_MODULE_INIT|napi_register_module_v1)\b/u;
  if (sources.some((text) => aware.test(text))) return undefined;
  if (sources.some((text) => /\bNODE_MODULE\s*\(/u.test(text))) return 'NODE_MODULE in its sources';
  return undefined;
}

function declarationsOf(reader: PackageReader, manifest: Manifest): Declarations | undefined {
  const types = manifest.json['types'] ?? manifest.json['typings'];
  if (typeof types === 'string') {
    const text = reader.readText(join(manifest.folder, types));
    if (text !== undefined) return readDeclarations(text);
  }
  return declarationsBeside(reader, join(manifest.folder, manifest.main ?? 'index.js'));
}

function declarationsBeside(reader: PackageReader, file: string): Declarations | undefined {
  const stem = file.slice(0, file.length - extname(file).length);
  for (const path of [`${stem}.d.ts`, `${stem}.d.cts`, `${stem}.d.mts`, join(dirname(file), 'index.d.ts')]) {
    const text = reader.readText(path);
    if (text !== undefined) return readDeclarations(text);
  }
  return undefined;
}

/** Specifiers whose exports a file hands on unchanged. */
function reExportsOf(text: string): readonly string[] {
  const found: string[] = [];
  for (const match of text.matchAll(/\bexport\s+(?:\*|\{[^}]*\})(?:\s+as\s+[\w$]+)?\s+from\s+['"]([^'"\n]+)['"]/gu)) {
    if (match[1] !== undefined) found.push(match[1]);
  }
  for (const match of text.matchAll(/\bmodule\.exports(?:\.[\w$]+)?\s*=\s*require\(\s*['"]([^'"\n]+)['"]\s*\)/gu)) {
    if (match[1] !== undefined) found.push(match[1]);
  }
  return found;
}
