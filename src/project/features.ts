/**
 * Feature resolution over the packages of the unit, as Cargo's resolver 2 does it for one package and one triple, but
 * three-valued: it runs once with what is certain and once with what is possible, and the difference is unknown.
 */
import type { BuildContents, CargoBuild, CargoDependency, CargoPackage, Place, Tri } from '../model/project.js';
import type { CargoModel } from './cargo.js';
import { targetApplies } from './cfg.js';

type Cause = Place & { readonly note: string; readonly from?: Cause };

interface Resolution {
  readonly packages: ReadonlySet<string>;
  /** Package folder -> feature -> why. */
  readonly features: ReadonlyMap<string, ReadonlyMap<string, Cause>>;
}

/** What `build` contains on `triple`; memoise per pair, it walks every local dependency. */
export function resolveBuild(cargo: CargoModel, build: CargoBuild, triple: string): BuildContents {
  const certain = resolve(cargo, build, triple, true);
  const possible = resolve(cargo, build, triple, false);
  return {
    isLinked: (pkg) => stateOf(certain.packages.has(pkg.dir), possible.packages.has(pkg.dir)),
    featuresOf(pkg) {
      const states = new Map<string, Tri>();
      const surely = certain.features.get(pkg.dir);
      const maybe = possible.features.get(pkg.dir);
      for (const name of pkg.features.keys())
        states.set(name, stateOf(surely?.has(name) === true, maybe?.has(name) === true));
      return states;
    },
    trailOf(pkg, feature) {
      const trail: (Place & { readonly note: string })[] = [];
      const cause = certain.features.get(pkg.dir)?.get(feature) ?? possible.features.get(pkg.dir)?.get(feature);
      for (let at = cause; at !== undefined; at = at.from) {
        trail.unshift({
          path: at.path,
          line: at.line,
          ...(at.column === undefined ? {} : { column: at.column }),
          note: at.note,
        });
      }
      return trail;
    },
  };
}

function stateOf(certain: boolean, possible: boolean): Tri {
  return certain ? 'yes' : possible ? 'unknown' : 'no';
}

function resolve(cargo: CargoModel, build: CargoBuild, triple: string, onlyCertain: boolean): Resolution {
  const packages = new Set<string>();
  const features = new Map<string, Map<string, Cause>>();
  const activeDependencies = new Map<string, Set<string>>();
  /** `pkg?/feat`: waits until something else activates the dependency. */
  const waiting: { pkg: CargoPackage; dependency: string; feature: string; cause: Cause }[] = [];

  const isOnTriple = (dependency: CargoDependency): boolean => {
    if (dependency.target === undefined) return true;
    const state = targetApplies(dependency.target, triple);
    return state === 'yes' || (!onlyCertain && state === 'unknown');
  };
  const link = (pkg: CargoPackage, cause: Cause): void => {
    if (packages.has(pkg.dir)) return;
    packages.add(pkg.dir);
    for (const dependency of pkg.dependencies) {
      if (dependency.kind === 'normal' && !dependency.optional) activate(pkg, dependency, cause);
    }
  };
  const activate = (pkg: CargoPackage, dependency: CargoDependency, cause: Cause): void => {
    if (!isOnTriple(dependency)) return;
    const active = activeDependencies.get(pkg.dir) ?? new Set();
    activeDependencies.set(pkg.dir, active);
    active.add(dependency.name);
    const target = dependency.dir === undefined ? undefined : cargo.packageAt(dependency.dir);
    if (target === undefined) return;
    const here: Cause = { ...dependency.place, note: `'${pkg.name}' depends on '${target.name}'`, from: cause };
    link(target, here);
    if (dependency.defaultFeatures)
      enable(target, 'default', {
        ...here,
        note: `'${pkg.name}' depends on '${target.name}' with its default features`,
      });
    for (const feature of dependency.features)
      enable(target, feature, { ...here, note: `'${pkg.name}' turns on '${feature}' of '${target.name}'` });
    for (const wait of waiting.filter((item) => item.pkg === pkg && item.dependency === dependency.name))
      enable(target, wait.feature, wait.cause);
  };
  const findDependencies = (pkg: CargoPackage, key: string): readonly CargoDependency[] => {
    const name = key.replace(/-/g, '_');
    return pkg.dependencies.filter((dependency) => dependency.name === name && dependency.kind === 'normal');
  };
  const enable = (pkg: CargoPackage, feature: string, cause: Cause): void => {
    const slash = /^([^/?]+)(\?)?\/(.+)$/.exec(feature);
    if (slash !== null) {
      const [, key = '', weak, wanted = ''] = slash;
      // `--features pkg/feat` on the command line may name the package itself.
      if (key === pkg.name) return enable(pkg, wanted, cause);
      for (const dependency of findDependencies(pkg, key)) {
        const target = dependency.dir === undefined ? undefined : cargo.packageAt(dependency.dir);
        if (weak !== undefined) {
          waiting.push({ pkg, dependency: dependency.name, feature: wanted, cause });
          if (activeDependencies.get(pkg.dir)?.has(dependency.name) === true && target !== undefined)
            enable(target, wanted, cause);
          continue;
        }
        if (dependency.optional) {
          if (pkg.features.has(key)) enable(pkg, key, cause);
          activate(pkg, dependency, cause);
        }
        if (target !== undefined && isOnTriple(dependency)) enable(target, wanted, cause);
      }
      return;
    }
    const direct = /^dep:(.+)$/.exec(feature)?.[1];
    if (direct !== undefined) {
      for (const dependency of findDependencies(pkg, direct)) activate(pkg, dependency, cause);
      return;
    }
    const known = features.get(pkg.dir) ?? new Map<string, Cause>();
    features.set(pkg.dir, known);
    const fact = pkg.features.get(feature);
    if (known.has(feature) || (fact === undefined && feature !== 'default')) return;
    known.set(feature, cause);
    for (const item of fact?.value ?? []) {
      const at = {
        path: fact?.path ?? pkg.manifest,
        line: fact?.line ?? 1,
        ...(fact?.column === undefined ? {} : { column: fact.column }),
      };
      enable(pkg, item, { ...at, note: `'${feature}' of '${pkg.name}' turns on '${item}'`, from: cause });
    }
  };

  const root = build.package;
  const command: Cause = {
    path: build.path,
    line: build.line,
    ...(build.column === undefined ? {} : { column: build.column }),
    note: sentence(build.note),
  };
  link(root, command);
  if (build.defaultFeatures === 'yes' || (!onlyCertain && build.defaultFeatures === 'unknown')) {
    const declared = root.features.get('default');
    if (declared !== undefined)
      enable(
        root,
        'default',
        build.assumed
          ? { ...command, note: `'${root.name}' is built with its default features` }
          : { ...command, note: `${sentence(build.note)} keeps the default features` },
      );
  }
  for (const feature of build.features)
    enable(root, feature.value, {
      ...placeOf(feature),
      note: `${sentence(build.note)} passes the feature '${feature.value}'`,
    });
  const all = build.allFeatures || (!onlyCertain && build.open);
  if (!onlyCertain) {
    for (const feature of build.maybeFeatures)
      enable(root, feature.value, {
        ...placeOf(feature),
        note: `${sentence(build.note)} may pass the feature '${feature.value}'`,
      });
  }
  if (all) {
    const note = build.allFeatures
      ? `${sentence(build.note)} passes '--all-features'`
      : `${sentence(build.note)} may pass further features`;
    for (const feature of root.features.keys()) enable(root, feature, { ...command, note });
  }
  return { packages, features };
}

function placeOf(place: Place): Place {
  return { path: place.path, line: place.line, ...(place.column === undefined ? {} : { column: place.column }) };
}

function sentence(note: string): string {
  return note.charAt(0).toUpperCase() + note.slice(1);
}
