/** The project model of one unit: manifests, lockfiles, scripts and workflows, read when a question needs them. */
import type {
  BuildContents,
  CargoBuild,
  CargoPackage,
  FeatureActivation,
  FeatureStates,
  NpmPackage,
  ProjectModel,
  TargetKind,
  Tri,
} from '../model/project.js';
import { BuildFinder } from './builds.js';
import { CargoModel } from './cargo.js';
import { disjoin, evaluateCfgText, targetApplies, findFeatures, readCfg } from './cfg.js';
import { readDubPackages } from './dub.js';
import { resolveBuild } from './features.js';
import { findAncestors, folderOf, joinPath, ProjectFiles, type ProjectInput } from './input.js';
import { LinkFinder } from './links.js';
import { LinkerFacts } from './linker.js';
import { Lockfiles } from './lockfiles.js';
import { ModuleTree } from './modules.js';
import { NpmModel } from './npm.js';
import { findToolchain, findWorkflowToolchain } from './toolchain.js';
import { expandUniversal, publishedTriples } from './triples.js';

export type { ProjectInput } from './input.js';

export interface ProjectOptions {
  /** Triples from the configuration; they replace what the packages say. */
  readonly targets?: readonly string[];
}

const developmentFolders =
  /(?:^|\/)(?:tests?|__tests__|__mocks__|bench|benches|benchmarks?|__bench(?:es|marks?)__|examples?|fixtures?|__fixtures__|unittests?)\//;

/**
 * Builds the model of the unit at `input.root`. Manifests of Cargo and dub are read at once, so that a broken one is reported
 * in every scan; scripts, workflows, lockfiles and sources only when a rule asks. Never throws on bad input.
 */
export function loadProject(input: ProjectInput, options: ProjectOptions = {}): ProjectModel {
  const files = new ProjectFiles(input);
  const cargo = new CargoModel(files);
  const npm = new NpmModel(files);
  const locks = new Lockfiles(files);
  const modules = new ModuleTree(files);
  const builds = new BuildFinder(files, cargo, npm);
  const linker = new LinkerFacts(files, cargo, locks);
  const dub = readDubPackages(files);
  const npmPackages = new Map<string, NpmPackage | undefined>();
  const contents = new Map<CargoBuild, Map<string, BuildContents>>();

  const npmOf = (addon: CargoPackage): NpmPackage | undefined => {
    if (!npmPackages.has(addon.dir)) npmPackages.set(addon.dir, searchNpm(addon));
    return npmPackages.get(addon.dir);
  };
  const searchNpm = (addon: CargoPackage): NpmPackage | undefined => {
    const beside = npm.packageAt(addon.dir);
    if (beside?.shipsAddon !== undefined) return beside;
    const above = findAncestors(folderOf(addon.dir))
      .map((dir) => npm.packageAt(dir))
      .find((pkg) => pkg?.shipsAddon !== undefined);
    return above ?? builds.buildsOf(addon).find((build) => build.npm?.shipsAddon !== undefined)?.npm;
  };
  let linkTargets: readonly string[] | undefined;
  const signatureOf = (triple: string): string => {
    linkTargets ??= [
      ...new Set(
        cargo
          .packages()
          .flatMap((pkg) =>
            pkg.dependencies.flatMap(({ dir, target }) => (dir === undefined || target === undefined ? [] : [target])),
          ),
      ),
    ];
    return linkTargets.map((target) => targetApplies(target, triple)).join();
  };
  const links = new LinkFinder(files, cargo, npm, npmOf);

  cargo.packages();
  if (files.has(joinPath(input.root, 'package.json'))) files.document(joinPath(input.root, 'package.json'));

  const model: ProjectModel = {
    root: input.root,
    get cargo() {
      return cargo.packages();
    },
    get npm() {
      return npm.packages();
    },
    dub,
    cargoPackageOf: (path) => cargo.packageOf(path),
    targetKindsOf(path): readonly TargetKind[] {
      if (path.endsWith('.rs')) {
        const pkg = cargo.packageOf(path);
        return pkg === undefined ? [] : modules.kindsOf(path, pkg);
      }
      const pkg = dub
        .filter((item) => item.dir === '' || path.startsWith(`${item.dir}/`))
        .sort((a, b) => b.dir.length - a.dir.length)[0];
      if (pkg === undefined) return [];
      if (developmentFolders.test(path.slice(pkg.dir.length)))
        return /examples?\//.test(path.slice(pkg.dir.length)) ? ['example'] : ['test'];
      return [pkg.targetType?.value === 'executable' ? 'bin' : 'lib'];
    },
    isDevelopmentOnly(path) {
      const pkg = path.endsWith('.rs') ? cargo.packageOf(path) : undefined;
      // A package of its own below `examples/` or `bench/` is example code, whatever its targets are called.
      if (pkg === undefined || developmentFolders.test(`${relative(pkg.dir, input.root)}/`))
        return developmentFolders.test(relative(path, input.root));
      const kinds = modules.kindsOf(path, pkg);
      if (kinds.length > 0 && kinds.every((kind) => kind === 'test' || kind === 'bench' || kind === 'example'))
        return true;
      const roots = modules.rootsOf(path, pkg);
      return roots.length > 0 && roots.every(({ conditions }) => conditions.some(needsTest));
    },
    conditionsOf(path) {
      const pkg = cargo.packageOf(path);
      const roots = pkg === undefined ? [] : modules.rootsOf(path, pkg);
      const library = pkg?.targets.find((target) => target.kind === 'lib')?.path;
      return (roots.find(({ root }) => root === library) ?? roots[0])?.conditions ?? [];
    },
    isAddon: (pkg) => links.isAddon(pkg),
    addonsReaching: (pkg) => links.addonsReaching(pkg),
    hasDependents: (pkg) => links.hasDependents(pkg),
    buildsOf: (addon) => builds.buildsOf(addon),
    contentsOf(build, triple) {
      const known = contents.get(build) ?? new Map<string, BuildContents>();
      contents.set(build, known);
      // Triples that no dependency line of the unit tells apart have the same contents.
      const alike = signatureOf(triple);
      const found = known.get(alike) ?? resolveBuild(cargo, build, triple);
      known.set(alike, found);
      return found;
    },
    activationOf(pkg, feature): FeatureActivation {
      const states: Tri[] = [];
      const by: FeatureActivation['by'][number][] = [];
      for (const { addon } of links.addonsReaching(pkg)) {
        for (const build of builds.buildsOf(addon)) {
          for (const triple of build.triples.length > 0 ? build.triples : model.triplesFor(addon)) {
            const inside = model.contentsOf(build, triple);
            const state = inside.featuresOf(pkg).get(feature) ?? 'no';
            states.push(state);
            if (state === 'no') continue;
            by.push(...inside.trailOf(pkg, feature));
            break;
          }
        }
      }
      const seen = new Set<string>();
      return {
        state: disjoin(states),
        by: by.filter(
          (step) =>
            !seen.has(`${step.path}:${step.line}:${step.note}`) && seen.add(`${step.path}:${step.line}:${step.note}`),
        ),
      };
    },
    evaluateCfg: (expression, triple, features, release) =>
      evaluateCfgText(expression, { triple, features, ...(release === undefined ? {} : { release }) }),
    triplesFor(addon) {
      if (options.targets !== undefined && options.targets.length > 0) return options.targets.flatMap(expandUniversal);
      const own = addon === undefined ? [] : (npmOf(addon)?.targets ?? []);
      return own.length > 0 ? [...new Set(own.map((target) => target.value))] : publishedTriples;
    },
    lockedVersions: (crate, from) => locks.lockedVersions(crate, from),
    npmVersion: (name, from) => locks.npmVersion(name, from),
    keptLoaded: (addon, triple) => linker.keptLoaded(addon, triple),
    toolchainOf: (pkg) => findToolchain(files, pkg.dir) ?? findWorkflowToolchain(files),
  };
  return model;
}

function relative(path: string, root: string): string {
  return root === '' ? path : path.slice(root.length + 1);
}

/** True for a cfg that only a test build can satisfy. */
function needsTest(condition: string): boolean {
  const expression = readCfg(condition);
  if (expression === undefined || !/\btest\b/.test(condition)) return false;
  const features: FeatureStates = new Map(findFeatures(expression).map((name) => [name, 'unknown']));
  // On three unlike targets, so that what excludes it is `test` and not the platform.
  const triples = ['x86_64-unknown-linux-gnu', 'x86_64-pc-windows-msvc', 'aarch64-apple-darwin'];
  return triples.every((triple) => evaluateCfgText(condition, { triple, features }) === 'no');
}
