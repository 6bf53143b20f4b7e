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
  /** How: a dependency line that no code names, an `extern crate`, a `use` or a path. */
  readonly how: 'dependency' | 'extern-crate' | 'use';
  readonly optional: boolean;
  readonly target?: string;
  /** cfgs on the `extern crate` or `use`, as written. */
  readonly conditions: readonly string[];
  /** The dependency line, when the place is one of code. */
  readonly dependency: Place;
}

export interface AddonReach {
  /** The cdylib addon package that contains or links the code. */
  readonly addon: CargoPackage;
  /** Where the addon is declared: its `crate-type` line, and for npm the `napi` key. */
  readonly crateType: Fact<string>;
  /** The npm package that ships it; found when it is asked for. */
  readonly npm?: NpmPackage | undefined;
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
  readonly shipsAddon?: Fact<string> | undefined;
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

/**
 * One command of the repository that builds an addon, with the features it passes. Builds that differ only in their target
 * triple are one; `triples` is then their union, and empty when one of them names none.
 */
export interface CargoBuild extends Place {
  readonly package: CargoPackage;
  /** The npm package whose script runs it, if any. */
  readonly npm?: NpmPackage;
  /** What runs, for people: `script 'build' of 'my-addon'`, `a step of release.yml`. */
  readonly note: string;
  /** Features passed by name, each where it is written. */
  readonly features: readonly Fact<string>[];
  /** Features that a build script passes under a condition. */
  readonly maybeFeatures: readonly Fact<string>[];
  readonly allFeatures: boolean;
  readonly defaultFeatures: Tri;
  readonly release: Tri;
  readonly triples: readonly string[];
  /** More features may come from a variable or an expression. */
  readonly open: boolean;
  /** No command was found; this one stands for whatever builds the addon elsewhere. */
  readonly assumed: boolean;
  /** How it is reached, outermost first: workflow step, script, nested script. */
  readonly via: readonly (Place & { readonly note: string })[];
}

/** What one build of an addon contains on one triple. */
export interface BuildContents {
  /** Whether the library of a package is linked into the addon. */
  isLinked(pkg: CargoPackage): Tri;
  /** States of all declared features of a package; everything is off in one that is not linked. */
  featuresOf(pkg: CargoPackage): FeatureStates;
  /** Who turns the feature on, from the command to the last manifest line; empty when it is off. */
  trailOf(pkg: CargoPackage, feature: string): readonly (Place & { readonly note: string })[];
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
  /** True when the package builds a cdylib that Node.js loads; other cdylibs (Python, Ruby, C, wasm-bindgen) are not. */
  isAddon(pkg: CargoPackage): boolean;
  /** True when some package of the unit depends on it (not counting dev and build dependencies). */
  hasDependents(pkg: CargoPackage): boolean;
  /** Commands of the repository that build an addon: npm scripts, workflow steps, shell scripts, justfiles. Never empty. */
  buildsOf(addon: CargoPackage): readonly CargoBuild[];
  /** Packages and features that a build puts into the addon on a triple. */
  contentsOf(build: CargoBuild, triple: string): BuildContents;
  /** Who turns `feature` of `pkg` on in any addon that links it (defaults, dependents, npm scripts, workflow files). */
  activationOf(pkg: CargoPackage, feature: string): FeatureActivation;
  /** The three-valued value of a cfg expression (`all(..)`, with or without the outer `cfg(`) on a triple. */
  evaluateCfg(expression: string, triple: string, features: FeatureStates, release?: Tri): Tri;
  /** cfgs on the `mod` declarations that lead to a file, outermost first, as written; inner `#![cfg(..)]` included. */
  conditionsOf(path: string): readonly string[];
  /** Triples published by napi-rs, or those of the addon's own `napi.targets` when it names them. */
  triplesFor(addon?: CargoPackage): readonly string[];
  /** Versions that the nearest Cargo.lock pins for a crate, newest first, each with its line; those `from` uses when it says so. */
  lockedVersions(crate: string, from?: CargoPackage): readonly Fact<string>[];
  /** Versions of an npm package pinned by package-lock/pnpm-lock/yarn.lock, or the requirement when unlocked. */
  npmVersion(name: string, from?: NpmPackage): (Fact<string> & { readonly locked: boolean }) | undefined;
  /** Linker argument (`-z nodelete`) or pinning that keeps the addon loaded on a triple, with its place. */
  keptLoaded(
    addon: CargoPackage,
    triple: string,
  ): { readonly state: Tri; readonly by?: Place & { readonly note: string } };
  /**
   * The Rust toolchain that rustup takes in the package's folder, as written, or the newest that the workflows install when they all
   * install numbered releases; undefined when the repository pins none.
   */
  toolchainOf(pkg: CargoPackage): Fact<string> | undefined;
}
