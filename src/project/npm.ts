/** npm packages: who ships an addon, with which scripts, for which triples. */
import type { Fact, NpmPackage, NpmScript } from '../model/project.js';
import {
  booleanOf,
  findEntries,
  findEntry,
  findNode,
  findStrings,
  placeOf,
  textOf,
  type DocumentNode,
} from './document.js';
import { expandUniversal, tripleOf } from './triples.js';
import { findAncestors, folderOf, globPattern, isWithin, joinPath, nameOf, type ProjectFiles } from './input.js';

/** Triples that @napi-rs/cli 2 builds for when `triples.defaults` is not false. */
const defaultTriples = ['x86_64-apple-darwin', 'x86_64-pc-windows-msvc', 'x86_64-unknown-linux-gnu'];

export class NpmModel {
  private readonly packagesByDir = new Map<string, NpmPackage>();
  private readonly dirs: readonly string[];
  private native: readonly NpmPackage[] | undefined;

  constructor(private readonly files: ProjectFiles) {
    const dirs: string[] = [];
    for (const path of files.input.listing) {
      if (
        path.endsWith('package.json') &&
        nameOf(path) === 'package.json' &&
        isWithin(path, files.input.root) &&
        !/(?:^|\/)node_modules\//.test(path)
      ) {
        dirs.push(folderOf(path));
      }
    }
    this.dirs = dirs.sort();
  }

  /** Every package of the unit; a manifest is read when something of it is asked for. */
  packages(): readonly NpmPackage[] {
    return this.dirs.flatMap((dir) => this.packageAt(dir) ?? []);
  }

  packageAt(dir: string): NpmPackage | undefined {
    const manifest = joinPath(dir, 'package.json');
    if (!this.files.has(manifest)) return undefined;
    const known = this.packagesByDir.get(dir);
    if (known !== undefined) return known;
    const made = new LazyNpmPackage(dir, manifest, this.files);
    this.packagesByDir.set(dir, made);
    return made;
  }

  /** The package whose folder is the nearest at or above a folder. */
  packageAbove(dir: string): NpmPackage | undefined {
    for (const at of findAncestors(dir)) {
      const found = this.packageAt(at);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Packages whose text mentions a build of native code; the others have no script worth following on its own. */
  nativePackages(): readonly NpmPackage[] {
    this.native ??= this.dirs.flatMap((dir) => {
      const text = this.files.text(joinPath(dir, 'package.json'));
      return text !== undefined && /napi|cargo|neon|\.node"/.test(text) ? (this.packageAt(dir) ?? []) : [];
    });
    return this.native;
  }

  /** Packages chosen by names, globs of names, or globs of folders (`./napi/*`), as `--filter` and `--workspace` take them. */
  packagesMatching(patterns: readonly string[], from: string): readonly NpmPackage[] {
    return this.nativePackages().filter((pkg) =>
      patterns.some((raw) => {
        const pattern = raw.replace(/^!?\{?|\}?$|\.\.\.\^?$|^\.\.\.\^?/g, '');
        if (raw.startsWith('!') || pattern === '') return false;
        if (/^\.{0,2}\//.test(pattern) || pattern.startsWith('.')) {
          const glob = globPattern(joinPath(from, pattern));
          return glob.test(pkg.dir) || glob.test(joinPath(pkg.dir));
        }
        const name = pkg.name ?? '';
        return (
          name === pattern ||
          pkg.dir === joinPath(from, pattern) ||
          (pattern.includes('*') && globPattern(pattern).test(name)) ||
          (!pattern.includes('/') && name.endsWith(`/${pattern}`))
        );
      }),
    );
  }
}

class LazyNpmPackage implements NpmPackage {
  private ships: Fact<string> | undefined | null = null;
  private ownScripts: readonly NpmScript[] | undefined;
  private ownTargets: readonly Fact<string>[] | undefined;
  private ownDependencies: ReadonlyMap<string, Fact<string>> | undefined;

  constructor(
    readonly dir: string,
    readonly manifest: string,
    private readonly files: ProjectFiles,
  ) {}

  private get document(): DocumentNode | undefined {
    return this.files.document(this.manifest);
  }

  get name(): string {
    return textOf(findNode(this.document, 'name')) ?? (nameOf(this.dir) || 'the root package');
  }

  get scripts(): readonly NpmScript[] {
    this.ownScripts ??= findEntries(findNode(this.document, 'scripts')).flatMap(([name, entry]) => {
      const command = textOf(entry.value);
      return command === undefined ? [] : [{ name, command, ...placeOf(this.manifest, entry.key) }];
    });
    return this.ownScripts;
  }

  get dependencies(): ReadonlyMap<string, Fact<string>> {
    if (this.ownDependencies === undefined) {
      const found = new Map<string, Fact<string>>();
      for (const section of ['peerDependencies', 'optionalDependencies', 'devDependencies', 'dependencies']) {
        for (const [name, entry] of findEntries(findNode(this.document, section))) {
          const value = textOf(entry.value);
          if (value !== undefined) found.set(name, { value, ...placeOf(this.manifest, entry.key) });
        }
      }
      this.ownDependencies = found;
    }
    return this.ownDependencies;
  }

  get targets(): readonly Fact<string>[] {
    this.ownTargets ??= this.readTargets();
    return this.ownTargets;
  }

  /** `napi.targets` of @napi-rs/cli 3, `napi.triples` of 2, in package.json or a `napi.json` beside it. */
  private readTargets(): readonly Fact<string>[] {
    const beside = joinPath(this.dir, 'napi.json');
    for (const [path, napi] of [
      [this.manifest, findNode(this.document, 'napi')],
      [beside, this.files.has(beside) ? this.files.document(beside) : undefined],
    ] as const) {
      const targets = findStrings(findNode(napi, 'targets')).map((item) => ({
        value: item.value,
        ...placeOf(path, item),
      }));
      if (targets.length > 0) return targets.flatMap(expandFact);
      const triples = findEntry(napi, 'triples');
      if (triples === undefined) continue;
      const at = placeOf(path, triples.key);
      const defaults =
        booleanOf(findNode(triples.value, 'defaults')) === false
          ? []
          : defaultTriples.map((value) => ({ value, ...at }));
      const additional = findStrings(findNode(triples.value, 'additional')).map((item) => ({
        value: item.value,
        ...placeOf(path, item),
      }));
      return [...defaults, ...additional].flatMap(expandFact);
    }
    return this.readNeonTargets();
  }

  /**
   * `neon.platforms`, a list or a table, and `neon.targets`, a table, of the CLI of neon: triples, or names such as `linux-x64-gnu`.
   * With a name of another kind (a group of platforms) nothing is known.
   */
  private readNeonTargets(): readonly Fact<string>[] {
    const neon = findNode(this.document, 'neon');
    for (const key of ['platforms', 'targets']) {
      const node = findNode(neon, key);
      const named =
        node?.kind === 'table'
          ? findEntries(node).map(([value, entry]) => ({ value, at: placeOf(this.manifest, entry.key) }))
          : findStrings(node).map((item) => ({ value: item.value, at: placeOf(this.manifest, item) }));
      const found = named.map(({ value, at }) => ({ triple: tripleOf(value), at }));
      if (found.length > 0)
        return found.every(({ triple }) => triple !== undefined)
          ? found.flatMap(({ triple, at }) => (triple === undefined ? [] : [{ value: triple, ...at }]))
          : [];
    }
    return [];
  }

  get shipsAddon(): Fact<string> | undefined {
    if (this.ships === null) this.ships = this.findAddon();
    return this.ships;
  }

  private findAddon(): Fact<string> | undefined {
    const napi = findEntry(this.document, 'napi');
    if (napi !== undefined) {
      const binary = textOf(findNode(napi.value, 'binaryName')) ?? textOf(findNode(napi.value, 'name')) ?? 'napi';
      return { value: binary, ...placeOf(this.manifest, napi.key) };
    }
    for (const key of ['main', 'module', 'exports', 'files', 'binary']) {
      const entry = findEntry(this.document, key);
      const found = entry === undefined ? undefined : findNodeFile(entry.value);
      if (entry !== undefined && found !== undefined) return { value: found, ...placeOf(this.manifest, entry.key) };
    }
    const builds = this.scripts.find((script) =>
      /\bnapi build\b|\bneon build\b|cargo-cp-artifact/.test(script.command),
    );
    return builds === undefined
      ? undefined
      : {
          value: builds.name,
          path: builds.path,
          line: builds.line,
          ...(builds.column === undefined ? {} : { column: builds.column }),
        };
  }
}

function findNodeFile(node: DocumentNode): string | undefined {
  if (node.kind === 'scalar')
    return typeof node.value === 'string' && node.value.endsWith('.node') ? node.value : undefined;
  const children = node.kind === 'list' ? node.items : [...node.entries.values()].map((entry) => entry.value);
  for (const child of children) {
    const found = findNodeFile(child);
    if (found !== undefined) return found;
  }
  return undefined;
}

function expandFact(fact: Fact<string>): readonly Fact<string>[] {
  return expandUniversal(fact.value).map((value) => ({ ...fact, value }));
}
