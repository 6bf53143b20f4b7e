/** Which cdylib addons contain the library of a package, and through which dependency lines and names in code. */
import type { AddonReach, CargoDependency, CargoPackage, Fact, Link, NpmPackage } from '../model/project.js';
import type { CargoModel } from './cargo.js';
import { folderOf, isWithin, type ProjectFiles } from './input.js';
import { conditionsBefore } from './modules.js';
import type { NpmModel } from './npm.js';

const nodeBindings = new Set([
  'napi',
  'napi-derive',
  'napi-sys',
  'napi-ohos',
  'napi-derive-ohos',
  'napi-sys-ohos',
  'napi-derive-backend',
  'neon',
  'neon-runtime',
  'node-bindgen',
  'nodejs-sys',
  'nj-sys',
  'node-api',
  'node-api-sys',
]);
const otherBindings = new Set([
  'pyo3',
  'cpython',
  'magnus',
  'rb-sys',
  'rb_sys',
  'rutie',
  'ext-php-rs',
  'jni',
  'rustler',
  'wasm-bindgen',
  'uniffi',
  'godot',
  'extendr-api',
  'mlua',
  'flutter_rust_bridge',
  'cxx',
  'zed_extension_api',
  'pgrx',
  'swift-bridge',
]);

export class LinkFinder {
  private readonly addons = new Map<string, boolean>();
  private dependents:
    Map<string, readonly { readonly pkg: CargoPackage; readonly dependency: CargoDependency }[]> | undefined;

  constructor(
    private readonly files: ProjectFiles,
    private readonly cargo: CargoModel,
    private readonly npm: NpmModel,
    private readonly npmOf: (addon: CargoPackage) => NpmPackage | undefined,
  ) {}

  isAddon(pkg: CargoPackage): boolean {
    let known = this.addons.get(pkg.dir);
    if (known === undefined) this.addons.set(pkg.dir, (known = this.decideAddon(pkg)));
    return known;
  }

  private decideAddon(pkg: CargoPackage): boolean {
    if (cdylibOf(pkg) === undefined) return false;
    const normal = pkg.dependencies.filter((dependency) => dependency.kind === 'normal');
    if (normal.some((dependency) => nodeBindings.has(dependency.package))) return true;
    if (normal.some((dependency) => otherBindings.has(dependency.package) && !dependency.optional)) return false;
    if (pkg.dependencies.some((dependency) => dependency.kind === 'build' && dependency.package === 'napi-build'))
      return true;
    if (this.npm.packageAt(pkg.dir)?.shipsAddon !== undefined) return true;
    // A thin cdylib around a library that has the exports.
    const around = normal.some((dependency) => {
      const inner =
        dependency.dir === undefined || dependency.optional ? undefined : this.cargo.packageAt(dependency.dir);
      return (
        inner?.dependencies.some((own) => own.kind === 'normal' && !own.optional && nodeBindings.has(own.package)) ===
        true
      );
    });
    if (around) return true;
    const root = pkg.targets.find((target) => target.kind === 'lib')?.path;
    return (
      root !== undefined && /\bnapi_register_module_v1\b|\bnapi_module_register\b/.test(this.files.text(root) ?? '')
    );
  }

  /** Addons that contain `pkg`, each by its best chain: one that code names before one that only manifests know. */
  addonsReaching(pkg: CargoPackage): readonly AddonReach[] {
    const best = new Map<string, { readonly addon: CargoPackage; readonly links: readonly Link[] }>();
    const seen = new Map<string, number>();
    const queue: { readonly at: CargoPackage; readonly links: readonly Link[]; readonly unnamed: number }[] = [
      { at: pkg, links: [], unnamed: 0 },
    ];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { at, links, unnamed } = next;
      if ((seen.get(at.dir) ?? Infinity) <= unnamed) continue;
      seen.set(at.dir, unnamed);
      if (this.isAddon(at)) best.set(at.dir, { addon: at, links });
      // Nothing can link a crate that is only a cdylib.
      if (!isLinkable(at)) continue;
      for (const { pkg: dependent, dependency } of this.dependentsOf(at)) {
        if (links.length > 20) continue;
        const link = this.linkBetween(dependent, at, dependency);
        queue.push({ at: dependent, links: [link, ...links], unnamed: unnamed + (link.how === 'dependency' ? 1 : 0) });
      }
    }
    const found: AddonReach[] = [];
    for (const { addon, links } of best.values()) {
      const crateType = cdylibOf(addon);
      if (crateType === undefined) continue;
      // Who ships an addon may only show in the commands that build it, and those are dear to find.
      const npmOf = this.npmOf;
      found.push({
        addon,
        crateType,
        links,
        get npm() {
          return npmOf(addon);
        },
      });
    }
    return found.sort((a, b) => (a.addon.dir < b.addon.dir ? -1 : 1));
  }

  hasDependents(pkg: CargoPackage): boolean {
    return this.dependentsOf(pkg).length > 0;
  }

  private dependentsOf(
    pkg: CargoPackage,
  ): readonly { readonly pkg: CargoPackage; readonly dependency: CargoDependency }[] {
    if (this.dependents === undefined) {
      const found = new Map<string, { pkg: CargoPackage; dependency: CargoDependency }[]>();
      for (const dependent of this.cargo.packages()) {
        for (const dependency of dependent.dependencies) {
          if (dependency.kind !== 'normal' || dependency.dir === undefined) continue;
          const list = found.get(dependency.dir) ?? [];
          found.set(dependency.dir, list);
          list.push({ pkg: dependent, dependency });
        }
      }
      this.dependents = found;
    }
    return this.dependents.get(pkg.dir) ?? [];
  }

  private linkBetween(from: CargoPackage, to: CargoPackage, dependency: CargoDependency): Link {
    const shared = {
      from: from.name,
      to: to.name,
      optional: dependency.optional,
      ...(dependency.target === undefined ? {} : { target: dependency.target }),
      dependency: dependency.place,
    };
    const library = to.targets.find((target) => target.kind === 'lib')?.name;
    // A renamed dependency is used by its key; otherwise `[lib] name` decides what code calls it.
    const renamed = dependency.name !== to.name.replace(/-/g, '_');
    return (
      this.findMention(from, renamed ? dependency.name : (library ?? dependency.name), shared) ?? {
        ...shared,
        ...dependency.place,
        how: 'dependency',
        conditions: [],
      }
    );
  }

  /** The first place in the library of `from` that names a crate; without one, rustc doesn't link the crate at all. */
  private findMention(
    from: CargoPackage,
    name: string,
    shared: Omit<Link, 'path' | 'line' | 'column' | 'how' | 'conditions'>,
  ): Link | undefined {
    const pattern = new RegExp(
      `\\bextern\\s+crate\\s+(?:r#)?${name}\\b|\\buse\\s+(?:::)?(?:r#)?${name}\\b|(?<![\\w:]|[\\w]::)(?:::)?${name}::`,
      'g',
    );
    let weaker: Link | undefined;
    for (const path of this.libraryFiles(from)) {
      const text = this.files.text(path);
      if (text === undefined || !text.includes(name)) continue;
      pattern.lastIndex = 0;
      for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
        const start = text.lastIndexOf('\n', match.index) + 1;
        const line = text.slice(start, match.index);
        if (/\/\/|^\s*\*/.test(line)) continue;
        const how = match[0].startsWith('extern') ? 'extern-crate' : 'use';
        const place = { path, line: countLines(text, match.index), column: match.index - start + 1 };
        const conditions = conditionsBefore(text, start + (/^\s*/.exec(text.slice(start))?.[0].length ?? 0));
        const link: Link = { ...shared, ...place, how, conditions };
        if (how === 'extern-crate' || conditions.length === 0) return link;
        weaker ??= link;
      }
    }
    return weaker;
  }

  /** Sources that may belong to the library, its root first; roots of other targets and nested packages are left out. */
  private libraryFiles(pkg: CargoPackage): readonly string[] {
    const root = pkg.targets.find((target) => target.kind === 'lib')?.path;
    if (root === undefined) return [];
    const folder = folderOf(root);
    const others = new Set(pkg.targets.filter((target) => target.kind !== 'lib').map((target) => target.path));
    const nested = this.cargo.dirs.filter((dir) => dir !== pkg.dir && isWithin(dir, folder));
    const found = this.files.input.listing.filter(
      (path) =>
        path.endsWith('.rs') &&
        path !== root &&
        isWithin(path, folder) &&
        !others.has(path) &&
        !path.includes('/bin/') &&
        !nested.some((dir) => isWithin(path, dir)),
    );
    return [root, ...found];
  }
}

/** Where a package says that it builds a cdylib. */
function cdylibOf(pkg: CargoPackage): Fact<string> | undefined {
  return pkg.targets.find((target) => target.kind === 'lib')?.crateTypes.find((type) => type.value === 'cdylib');
}

function isLinkable(pkg: CargoPackage): boolean {
  return pkg.targets.some(
    (target) =>
      target.kind === 'lib' &&
      target.crateTypes.some((type) => type.value === 'lib' || type.value === 'rlib' || type.value === 'dylib'),
  );
}

function countLines(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}
