/** Cargo manifests as packages: inheritance, targets, dependencies and features resolved, every fact with its line. */
import type { CargoDependency, CargoPackage, CargoTarget, Fact, Place, TargetKind } from '../model/project.js';
import {
  booleanOf,
  findEntries,
  findEntry,
  findNode,
  findStrings,
  placeOf,
  textOf,
  type DocumentNode,
  type TableEntry,
} from './document.js';
import { findAncestors, folderOf, globPattern, isWithin, joinPath, nameOf, type ProjectFiles } from './input.js';

const ignoredFolders = /(?:^|\/)(?:target|node_modules|\.git)\//;

/** One `Cargo.toml` before inheritance. */
interface Manifest {
  readonly path: string;
  readonly dir: string;
  readonly document: DocumentNode;
}

/** The Cargo side of a unit. Manifests are read when first asked for, by folder. */
export class CargoModel {
  private readonly manifests = new Map<string, Manifest | undefined>();
  private readonly packagesByDir = new Map<string, CargoPackage | undefined>();
  private readonly roots = new Map<string, Manifest | undefined>();
  /** Folders of the unit with a Cargo.toml. */
  readonly dirs: readonly string[];
  private all: readonly CargoPackage[] | undefined;

  constructor(private readonly files: ProjectFiles) {
    const dirs: string[] = [];
    for (const path of files.input.listing) {
      if (
        path.endsWith('Cargo.toml') &&
        nameOf(path) === 'Cargo.toml' &&
        isWithin(path, files.input.root) &&
        !ignoredFolders.test(path)
      ) {
        dirs.push(folderOf(path));
      }
    }
    this.dirs = dirs.sort();
  }

  /** Every package of the unit, in the order of their folders. */
  packages(): readonly CargoPackage[] {
    this.all ??= this.dirs.flatMap((dir) => this.packageAt(dir) ?? []);
    return this.all;
  }

  /** The package whose manifest lies in a folder. */
  packageAt(dir: string): CargoPackage | undefined {
    if (!this.packagesByDir.has(dir)) {
      // Set first: a manifest that points at itself must not recurse.
      this.packagesByDir.set(dir, undefined);
      this.packagesByDir.set(dir, this.readPackage(dir));
    }
    return this.packagesByDir.get(dir);
  }

  /** The package that owns a path: the nearest manifest above it that declares a package. */
  packageOf(path: string): CargoPackage | undefined {
    for (const dir of findAncestors(folderOf(path))) {
      const found = this.manifestAt(dir) === undefined ? undefined : this.packageAt(dir);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The folder of the workspace that a package belongs to; its own when it stands alone. */
  workspaceDirOf(dir: string): string {
    return this.workspaceOf(dir)?.dir ?? dir;
  }

  /** Members of the workspace whose root manifest lies in a folder, `default-members` when they are given. */
  membersOf(dir: string, onlyDefault: boolean): readonly CargoPackage[] {
    const workspace = findNode(this.manifestAt(dir)?.document, 'workspace');
    const chosen = onlyDefault ? findStrings(findNode(workspace, 'default-members')) : [];
    const globs = (chosen.length > 0 ? chosen : findStrings(findNode(workspace, 'members'))).map((item) =>
      globPattern(joinPath(dir, item.value)),
    );
    const excluded = findStrings(findNode(workspace, 'exclude')).map((item) => joinPath(dir, item.value));
    const members = this.dirs.filter(
      (at) => globs.some((glob) => glob.test(at)) && !excluded.some((out) => isWithin(at, out)),
    );
    return [...new Set([...(this.packageAt(dir) === undefined ? [] : [dir]), ...members])].flatMap(
      (at) => this.packageAt(at) ?? [],
    );
  }

  hasManifest(dir: string): boolean {
    return this.manifestAt(dir) !== undefined;
  }

  /** The manifest of a folder as data, for facts that are not part of a package (profiles, patches). */
  documentAt(dir: string): DocumentNode | undefined {
    return this.manifestAt(dir)?.document;
  }

  private manifestAt(dir: string): Manifest | undefined {
    if (!this.manifests.has(dir)) {
      const path = joinPath(dir, 'Cargo.toml');
      const document = this.files.has(path) ? this.files.document(path) : undefined;
      this.manifests.set(dir, document === undefined ? undefined : { path, dir, document });
    }
    return this.manifests.get(dir);
  }

  /** The root manifest that Cargo would find: `package.workspace`, or the nearest `[workspace]` above that does not exclude it. */
  private workspaceOf(dir: string): Manifest | undefined {
    if (!this.roots.has(dir)) this.roots.set(dir, this.searchWorkspace(dir));
    return this.roots.get(dir);
  }

  private searchWorkspace(dir: string): Manifest | undefined {
    const named = textOf(findNode(this.manifestAt(dir)?.document, 'package', 'workspace'));
    if (named !== undefined) return this.manifestAt(joinPath(dir, named));
    for (const at of findAncestors(dir)) {
      const manifest = this.manifestAt(at);
      const workspace = findNode(manifest?.document, 'workspace');
      if (manifest === undefined || workspace === undefined) continue;
      const excluded = findStrings(findNode(workspace, 'exclude')).some((item) =>
        isWithin(dir, joinPath(at, item.value)),
      );
      const listed = findStrings(findNode(workspace, 'members')).some((item) =>
        globPattern(joinPath(at, item.value)).test(dir),
      );
      if (!excluded || listed) return manifest;
    }
    return undefined;
  }

  private readPackage(dir: string): CargoPackage | undefined {
    const manifest = this.manifestAt(dir);
    if (manifest === undefined) return undefined;
    const { document, path } = manifest;
    const table = findNode(document, 'package') ?? findNode(document, 'project');
    const name = textOf(findNode(table, 'name'));
    const nameEntry = findEntry(table, 'name');
    if (name === undefined || nameEntry === undefined) {
      if (table !== undefined) this.files.broken(path, table.line, "'[package]' has no name");
      return undefined;
    }
    const version = this.inherited(dir, table, 'version');
    const edition = this.inherited(dir, table, 'edition');
    const dependencies = this.readDependencies(manifest);
    return {
      name,
      ...(version === undefined ? {} : { version }),
      ...(edition === undefined ? {} : { edition }),
      dir,
      manifest: path,
      targets: this.readTargets(manifest, name),
      features: readFeatures(path, document, dependencies),
      dependencies,
      nameFact: placeOf(path, nameEntry.key),
    };
  }

  private inherited(dir: string, table: DocumentNode | undefined, key: string): string | undefined {
    const own = findNode(table, key);
    const inherits = booleanOf(findNode(own, 'workspace')) === true;
    return textOf(inherits ? findNode(this.workspaceOf(dir)?.document, 'workspace', 'package', key) : own);
  }

  // ------------------------------------------------------------------------------------------------------------ targets

  private readTargets(manifest: Manifest, name: string): readonly CargoTarget[] {
    const { dir, document, path } = manifest;
    const table = findNode(document, 'package') ?? findNode(document, 'project');
    const targets: CargoTarget[] = [];
    const lib = findNode(document, 'lib');
    const libPath = joinPath(dir, textOf(findNode(lib, 'path')) ?? 'src/lib.rs');
    const libName = textOf(findNode(lib, 'name')) ?? name.replace(/-/g, '_');
    if (lib !== undefined || (this.files.has(libPath) && booleanOf(findNode(table, 'autolib')) !== false)) {
      const at = placeOf(path, lib ?? table ?? { line: 1, column: 1 });
      targets.push({
        kind: 'lib',
        name: libName,
        path: libPath,
        crateTypes: readCrateTypes(path, lib, at),
        requiredFeatures: [],
      });
    }
    const build = findNode(table, 'build');
    if (booleanOf(build) !== false) {
      const scripts = build === undefined || booleanOf(build) === true ? [{ value: 'build.rs' }] : findStrings(build);
      for (const script of scripts) {
        const at = joinPath(dir, script.value);
        if (build !== undefined || this.files.has(at))
          targets.push({
            kind: 'build-script',
            name: 'build-script-build',
            path: at,
            crateTypes: [],
            requiredFeatures: [],
          });
      }
    }
    for (const { kind, section, folder, auto } of declared) {
      const seen = new Set<string>();
      const add = (target: CargoTarget): void => {
        if (!seen.has(target.path)) targets.push(target);
        seen.add(target.path);
      };
      const list = findNode(document, section);
      for (const item of list?.kind === 'list' ? list.items : []) {
        const own = textOf(findNode(item, 'name')) ?? name;
        const given = textOf(findNode(item, 'path'));
        const required = findStrings(findNode(item, 'required-features')).map((feature) => feature.value);
        const at = given === undefined ? this.guessTarget(dir, kind, folder, own, name) : joinPath(dir, given);
        add({
          kind,
          name: own,
          path: at,
          crateTypes: readCrateTypes(path, item, placeOf(path, item), []),
          requiredFeatures: required,
        });
      }
      if (booleanOf(findNode(table, auto)) === false) continue;
      if (kind === 'bin' && this.files.has(joinPath(dir, 'src/main.rs'))) {
        add({ kind, name, path: joinPath(dir, 'src/main.rs'), crateTypes: [], requiredFeatures: [] });
      }
      for (const [own, at] of this.discover(joinPath(dir, folder)))
        add({ kind, name: own, path: at, crateTypes: [], requiredFeatures: [] });
    }
    return targets;
  }

  private guessTarget(dir: string, kind: TargetKind, folder: string, name: string, packageName: string): string {
    const candidates = [joinPath(dir, folder, `${name}.rs`), joinPath(dir, folder, name, 'main.rs')];
    if (kind === 'bin') candidates.push(joinPath(dir, 'src/main.rs'));
    if (kind === 'bin' && name === packageName) candidates.reverse();
    return candidates.find((path) => this.files.has(path)) ?? joinPath(dir, folder, `${name}.rs`);
  }

  /** `folder/NAME.rs` and `folder/NAME/main.rs`. */
  private discover(folder: string): readonly (readonly [string, string])[] {
    const found: (readonly [string, string])[] = [];
    for (const path of this.files.filesIn(folder)) {
      if (path.endsWith('.rs')) found.push([nameOf(path).slice(0, -3), path]);
    }
    for (const name of this.files.foldersIn(folder)) {
      const main = `${folder}/${name}/main.rs`;
      if (this.files.has(main)) found.push([name, main]);
    }
    return found;
  }

  // ------------------------------------------------------------------------------------------------------- dependencies

  private readDependencies(manifest: Manifest): readonly CargoDependency[] {
    const found: CargoDependency[] = [];
    const collect = (table: DocumentNode | undefined, target: string | undefined): void => {
      for (const [section, kind] of dependencySections) {
        for (const [key, entry] of findEntries(findNode(table, section))) {
          found.push(this.readDependency(manifest, key, entry, kind, target));
        }
      }
    };
    collect(manifest.document, undefined);
    for (const [target, entry] of findEntries(findNode(manifest.document, 'target'))) collect(entry.value, target);
    return found;
  }

  private readDependency(
    manifest: Manifest,
    key: string,
    entry: TableEntry,
    kind: CargoDependency['kind'],
    target: string | undefined,
  ): CargoDependency {
    const own = entry.value;
    const root = booleanOf(findNode(own, 'workspace')) === true ? this.workspaceOf(manifest.dir) : undefined;
    const shared = root === undefined ? undefined : findNode(root.document, 'workspace', 'dependencies', key);
    const source = root === undefined ? own : shared;
    const sourceDir = root === undefined ? manifest.dir : root.dir;
    const packageName = textOf(findNode(source, 'package')) ?? key;
    const requirement = textOf(source) ?? textOf(findNode(source, 'version'));
    const path = textOf(findNode(source, 'path'));
    const dir = path === undefined ? this.patchedDir(manifest.dir, packageName) : joinPath(sourceDir, path);
    const features = [...findStrings(findNode(shared, 'features')), ...findStrings(findNode(own, 'features'))].map(
      (item) => item.value,
    );
    const ownDefault = defaultFeaturesOf(own);
    const sharedDefault = defaultFeaturesOf(shared);
    return {
      name: key.replace(/-/g, '_'),
      package: packageName,
      kind,
      optional: booleanOf(findNode(own, 'optional')) === true,
      // A member can only add to what the workspace declares: `false` there may be overruled by `true` here, not the reverse.
      defaultFeatures: root === undefined ? ownDefault !== false : sharedDefault !== false || ownDefault === true,
      features: [...new Set(features)],
      ...(requirement === undefined ? {} : { requirement }),
      ...(target === undefined ? {} : { target }),
      ...(dir === undefined ? {} : { dir }),
      place: placeOf(manifest.path, entry.key),
    };
  }

  /** `[patch.crates-io] name = { path = ".." }` of the workspace root replaces the registry crate. */
  private patchedDir(dir: string, packageName: string): string | undefined {
    const root = this.workspaceOf(dir);
    if (root === undefined) return undefined;
    for (const [, registry] of findEntries(findNode(root.document, 'patch'))) {
      for (const [key, entry] of findEntries(registry.value)) {
        if ((textOf(findNode(entry.value, 'package')) ?? key) !== packageName) continue;
        const path = textOf(findNode(entry.value, 'path'));
        if (path !== undefined) return joinPath(root.dir, path);
      }
    }
    return undefined;
  }
}

const dependencySections: readonly (readonly [string, CargoDependency['kind']])[] = [
  ['dependencies', 'normal'],
  ['dev-dependencies', 'dev'],
  ['dev_dependencies', 'dev'],
  ['build-dependencies', 'build'],
  ['build_dependencies', 'build'],
];

const declared: readonly {
  readonly kind: TargetKind;
  readonly section: string;
  readonly folder: string;
  readonly auto: string;
}[] = [
  { kind: 'bin', section: 'bin', folder: 'src/bin', auto: 'autobins' },
  { kind: 'example', section: 'example', folder: 'examples', auto: 'autoexamples' },
  { kind: 'test', section: 'test', folder: 'tests', auto: 'autotests' },
  { kind: 'bench', section: 'bench', folder: 'benches', auto: 'autobenches' },
];

function defaultFeaturesOf(node: DocumentNode | undefined): boolean | undefined {
  return booleanOf(findNode(node, 'default-features')) ?? booleanOf(findNode(node, 'default_features'));
}

function readCrateTypes(
  path: string,
  table: DocumentNode | undefined,
  at: Place,
  otherwise = ['lib'],
): readonly Fact<string>[] {
  const entry = findEntry(table, 'crate-type') ?? findEntry(table, 'crate_type');
  if (entry !== undefined) {
    return findStrings(entry.value).map((item) => ({ value: item.value, ...placeOf(path, entry.key) }));
  }
  const macro = booleanOf(findNode(table, 'proc-macro')) ?? booleanOf(findNode(table, 'proc_macro'));
  return (macro === true ? ['proc-macro'] : otherwise).map((value) => ({ value, ...at }));
}

/** Declared features, and the ones that an optional dependency implies when nothing says `dep:NAME` about it. */
function readFeatures(
  path: string,
  document: DocumentNode,
  dependencies: readonly CargoDependency[],
): ReadonlyMap<string, Fact<readonly string[]>> {
  const features = new Map<string, Fact<readonly string[]>>();
  const named = new Set<string>();
  for (const [name, entry] of findEntries(findNode(document, 'features'))) {
    const value = findStrings(entry.value).map((item) => item.value);
    features.set(name, { value, ...placeOf(path, entry.key) });
    for (const item of value) {
      const dependency = /^dep:(.+)$/.exec(item)?.[1];
      if (dependency !== undefined) named.add(dependency.replace(/-/g, '_'));
    }
  }
  const keys = dependencyKeys(document);
  for (const dependency of dependencies) {
    const key = keys.get(dependency.name) ?? dependency.name;
    if (dependency.optional && !named.has(dependency.name) && !features.has(key)) {
      features.set(key, { value: [`dep:${key}`], ...dependency.place });
    }
  }
  return features;
}

/** Code name (`a_b`) to the key as written (`a-b`), which is how features refer to it. */
function dependencyKeys(document: DocumentNode): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  const tables = [document, ...findEntries(findNode(document, 'target')).map(([, entry]) => entry.value)];
  for (const table of tables) {
    for (const [section] of dependencySections) {
      for (const [key] of findEntries(findNode(table, section))) keys.set(key.replace(/-/g, '_'), key);
    }
  }
  return keys;
}
