import type { FileIr } from '../model/ir.js';
import type { AddonReach, CargoPackage, Fact, NpmPackage, Place, ProjectModel } from '../model/project.js';
import { conjoin, targetApplies } from '../project/cfg.js';
import { readTriple } from '../project/triples.js';
import type { UnitFacts } from './unit.js';

/** An addon with the crates of the unit whose libraries may be inside it. */
export interface AddonScope {
  readonly addon: CargoPackage;
  /** Where it is declared a cdylib. */
  readonly crateType: Fact<string>;
  readonly npm?: NpmPackage | undefined;
  /** By folder; the addon itself is among them. */
  readonly crates: ReadonlyMap<string, CargoPackage>;
}

const scopes = new WeakMap<ProjectModel, readonly AddonScope[]>();

/** The addons of the unit, each with what it may link. Optional dependencies count; `isInside` asks about one build. */
export function findAddonScopes({ project }: { readonly project: ProjectModel }): readonly AddonScope[] {
  let found = scopes.get(project);
  if (found === undefined) scopes.set(project, (found = build(project)));
  return found;
}

/** Whether a file belongs to the library code of one of the addons, as `filesInside` has it; all addons by default. */
export function concernsAddons(
  project: ProjectModel,
  isMeant: (scope: AddonScope) => boolean = () => true,
): (path: string) => boolean {
  const dirs = new Set(
    findAddonScopes({ project })
      .filter(isMeant)
      .flatMap(({ crates }) => [...crates.keys()]),
  );
  return (path) => {
    const crate = dirs.size === 0 ? undefined : project.cargoPackageOf(path);
    return crate !== undefined && dirs.has(crate.dir) && isLibraryFile(project, path);
  };
}

function isLibraryFile(project: ProjectModel, path: string): boolean {
  return project.targetKindsOf(path).includes('lib') && !project.isDevelopmentOnly(path);
}

function build(project: ProjectModel): readonly AddonScope[] {
  const byDir = new Map(project.cargo.map((pkg) => [pkg.dir, pkg]));
  return project.cargo.flatMap((addon) => {
    if (!project.isAddon(addon)) return [];
    const own = project.addonsReaching(addon).find((reach) => reach.addon.dir === addon.dir);
    if (own === undefined) return [];
    const crates = new Map<string, CargoPackage>();
    const queue = [addon];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (crates.has(next.dir)) continue;
      crates.set(next.dir, next);
      for (const dependency of next.dependencies) {
        const inner =
          dependency.kind === 'normal' && dependency.dir !== undefined ? byDir.get(dependency.dir) : undefined;
        if (inner !== undefined) queue.push(inner);
      }
    }
    return [
      {
        addon,
        crateType: own.crateType,
        crates,
        get npm() {
          return own.npm;
        },
      },
    ];
  });
}

/** Parsed library files of the addon and its crates; tests, benches, examples and binaries are left out. */
export function filesInside(unit: UnitFacts, scope: AddonScope): readonly (readonly [FileIr, CargoPackage])[] {
  return unit.filesOf('rust').flatMap((file) => {
    const crate = unit.project.cargoPackageOf(file.path);
    if (crate === undefined || !scope.crates.has(crate.dir)) return [];
    return isLibraryFile(unit.project, file.path) ? [[file, crate] as const] : [];
  });
}

/** The triples on which code under these cfgs is compiled into the addon by some build, or may be. */
export function triplesWith(
  project: ProjectModel,
  scope: AddonScope,
  crate: CargoPackage,
  path: string,
  conditions: readonly string[],
): readonly string[] {
  const all = [...project.conditionsOf(path), ...conditions];
  const builds = project.buildsOf(scope.addon);
  return project.triplesFor(scope.addon).filter((triple) =>
    builds.some((one) => {
      if (one.triples.length > 0 && !one.triples.includes(triple)) return false;
      const inside = project.contentsOf(one, triple);
      if (crate.dir !== scope.addon.dir && inside.isLinked(crate) === 'no') return false;
      const features = inside.featuresOf(crate);
      return conjoin(all.map((condition) => project.evaluateCfg(condition, triple, features, one.release))) !== 'no';
    }),
  );
}

/** How the addon comes to a crate: the chain of links; empty for the addon's own code, undefined when no code names it. */
export function reachOf(project: ProjectModel, scope: AddonScope, crate: CargoPackage): AddonReach | undefined {
  const reach = project.addonsReaching(crate).find((one) => one.addon.dir === scope.addon.dir);
  return reach?.links.some((link) => link.how === 'dependency') === true ? undefined : reach;
}

/** musl's `dlclose` unmaps nothing, and a WASI module has no threads outside of itself that could outlive it. */
function canUnmap(triple: string): boolean {
  const { env, families } = readTriple(triple);
  return env !== 'musl' && !families.includes('wasm');
}

/** Triples among these on which nothing keeps the addon loaded. What can't be told counts as kept: a lockfile may decide it. */
export function unkeptTriples(project: ProjectModel, scope: AddonScope, triples: readonly string[]): readonly string[] {
  return triples.filter((triple) => canUnmap(triple) && project.keptLoaded(scope.addon, triple).state === 'no');
}

/** The manifest lines that bring a crate from the registry into a package, on any of the triples. */
export function dependencyOn(pkg: CargoPackage, crate: string, triples: readonly string[]): Place | undefined {
  return pkg.dependencies.find(
    (one) =>
      one.package === crate &&
      one.kind === 'normal' &&
      (one.target === undefined || triples.some((triple) => targetApplies(one.target ?? '', triple) !== 'no')),
  )?.place;
}
