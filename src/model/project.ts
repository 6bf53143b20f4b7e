/** What manifests say. Every fact carries the file and line it came from. Paths are relative to the scan's base folder. */

export interface Place {
  readonly path: string;
  readonly line: number;
  readonly column?: number;
}

export interface Fact<T> extends Place {
  readonly value: T;
}

export type TargetKind = 'lib' | 'bin' | 'bench' | 'test' | 'example' | 'build-script';

export interface CargoTarget {
  readonly kind: TargetKind;
  readonly name: string;
  /** The root source file of the target. */
  readonly path: string;
  /** Libraries: `cdylib`, `rlib`, `lib`, `staticlib`, `proc-macro`. */
  readonly crateTypes: readonly Fact<string>[];
  readonly requiredFeatures: readonly string[];
}

export interface CargoDependency {
  /** Name it is used by in code, with `-` as `_`. */
  readonly name: string;
  /** Package name in the registry or the workspace. */
  readonly package: string;
  readonly kind: 'normal' | 'dev' | 'build';
  readonly optional: boolean;
  readonly defaultFeatures: boolean;
  readonly features: readonly string[];
  /** The version requirement as written; workspace inheritance resolved. */
  readonly requirement?: string;
  /** `cfg(..)` or a triple, from `[target.'..'.dependencies]`. */
  readonly target?: string;
  /** Folder of a path dependency (base-relative). */
  readonly dir?: string;
  readonly place: Place;
}

export interface CargoPackage {
  readonly name: string;
  readonly version?: string;
  readonly edition?: string;
  /** Folder, base-relative; `''` is the base itself. */
  readonly dir: string;
  readonly manifest: string;
  readonly targets: readonly CargoTarget[];
  readonly features: ReadonlyMap<string, Fact<readonly string[]>>;
  readonly dependencies: readonly CargoDependency[];
  readonly nameFact: Place;
}

export type Tri = 'yes' | 'no' | 'unknown';

/** One link of a dependency chain: `from` (an addon or what it links) links `to`. */
export interface Link extends Place {
  readonly from: string;
  readonly to: string;
  /** How: a dependency line, an `extern crate`, a `use`. */
  readonly how: 'dependency' | 'extern-crate' | 'use';
  readonly optional: boolean;
  readonly target?: string;
}

export interface AddonReach {
  /** The cdylib addon package that contains or links the code. */
  readonly addon: CargoPackage;
  /** Where the addon is declared: its `crate-type` line, and for npm the `napi` key. */
  readonly crateType: Fact<string>;
  readonly npm?: NpmPackage;
  readonly links: readonly Link[];
}

/** Who turns a feature on. `state` is `yes` when some published build does, `no` when nothing in the unit does. */
export interface FeatureActivation {
  readonly state: Tri;
  readonly by: readonly (Place & { readonly note: string })[];
}

export interface NpmScript extends Place {
  readonly name: string;
  readonly command: string;
}

export interface NpmPackage {
  readonly name?: string;
  readonly dir: string;
  readonly manifest: string;
  /** True when it ships an addon: a `napi` key, `binaryName`, `@napi-rs/cli`, or a .node file. */
  readonly shipsAddon?: Fact<string>;
  readonly scripts: readonly NpmScript[];
  /** Triples named by `napi.targets` / `napi.triples`; empty when the package doesn't say. */
  readonly targets: readonly Fact<string>[];
  readonly dependencies: ReadonlyMap<string, Fact<string>>;
}

export interface DubPackage {
  readonly name?: string;
  readonly dir: string;
  readonly manifest: string;
  readonly targetType?: Fact<string>;
  readonly sourcePaths: readonly string[];
  readonly configurations: readonly { readonly name: string; readonly targetType?: string; readonly place: Place }[];
  readonly dependencies: ReadonlyMap<string, Fact<string>>;
}

/** Feature name -> on, off or unknown; a missing name is off. */
export type FeatureStates = ReadonlyMap<string, Tri>;

export interface ProjectModel {
  /** Base-relative folder of the unit. */
  readonly root: string;
  readonly cargo: readonly CargoPackage[];
  readonly npm: readonly NpmPackage[];
  readonly dub: readonly DubPackage[];
  /** The Cargo package that owns a source file, and the targets whose module tree may hold it. */
  cargoPackageOf(path: string): CargoPackage | undefined;
  /**
   * What kinds of target a source file belongs to (`lib`, `bin`, ...). By `mod` reachability where it can be told,
   * else by folder (`benches/`, `tests/`, `examples/`, `src/bin/`). Empty when there is no manifest.
   */
  targetKindsOf(path: string): readonly TargetKind[];
  /** True when code in the file is only test, bench or example code: findings there are notes. */
  isDevelopmentOnly(path: string): boolean;
  /** Every cdylib addon that contains or links the library of `pkg`, with the chain of links. */
  addonsReaching(pkg: CargoPackage): readonly AddonReach[];
  /** `addon` builds: who turns `feature` of `pkg` on (defaults, dependents, npm scripts, workflow files). */
  activationOf(pkg: CargoPackage, feature: string): FeatureActivation;
  /** The three-valued value of a cfg expression (`all(..)`, without the outer `cfg(`) on a triple. */
  evaluateCfg(expression: string, triple: string, features: FeatureStates): Tri;
  /** Triples published by napi-rs, or those of the addon's own `napi.targets` when it names them. */
  triplesFor(addon?: CargoPackage): readonly string[];
  /** Versions that Cargo.lock pins for a registry crate, newest first, each with its line. */
  lockedVersions(crate: string): readonly Fact<string>[];
  /** Versions of an npm package pinned by package-lock/pnpm-lock/yarn.lock, or the requirement when unlocked. */
  npmVersion(name: string, from?: NpmPackage): (Fact<string> & { readonly locked: boolean }) | undefined;
  /** Linker argument (`-z nodelete`) or pinning that keeps the addon loaded on a triple, with its place. */
  keptLoaded(addon: CargoPackage, triple: string): { readonly state: Tri; readonly by?: Place & { readonly note: string } };
}
