import type { Attribute, FileIr, GlobalDecl, TypeRef } from '../model/ir.js';
import type {
  AddonReach,
  CargoBuild,
  CargoDependency,
  CargoPackage,
  Fact,
  FeatureStates,
  Link,
  Place,
  ProjectModel,
  Tri,
} from '../model/project.js';
import { conjoin, findFeatures, readCfg, targetApplies } from '../project/cfg.js';
import type { UnitFacts } from './unit.js';

/** What a `#[global_allocator]` static installs. */
export interface AllocatorIdentity {
  /** The type as written. */
  readonly type: string;
  /** Package name of the crate it comes from (`mimalloc-safe`), when that can be told. */
  readonly crate?: string;
  /** `system`: forwards to the allocator of the operating system; `own`: a type of the unit whose inside is not known. */
  readonly kind: 'crate' | 'system' | 'own';
  /** Lines of the manifest that bring the crate, one per target table. */
  readonly dependencies: readonly CargoDependency[];
  /** The version that the lockfile pins, else the requirement. */
  readonly version?: Fact<string> & { readonly locked: boolean };
}

export interface AllocatorStatic {
  readonly file: FileIr;
  readonly global: GlobalDecl;
  readonly attribute: Attribute;
  /** All cfgs on it: of the item, of `cfg_attr`, of the modules around it. */
  readonly conditions: readonly string[];
  readonly identity: AllocatorIdentity;
}

/** The statics of one library crate; they exclude each other by cfg, so they are one cause. */
export interface AllocatorCrate {
  readonly crate: CargoPackage;
  readonly statics: readonly AllocatorStatic[];
}

/** What a static is on one triple in the build where it is most active. */
export interface AllocatorState {
  readonly triple: string;
  readonly state: Tri;
  readonly build: CargoBuild;
  readonly of: AllocatorStatic;
}

/** An addon and the allocator that it contains. */
export interface AddonAllocator {
  readonly reach: AddonReach;
  /** Triples on which a static is, or may be, the allocator of some build. */
  readonly states: readonly AllocatorState[];
  /** Triples on which it would be if features were passed that no build of the repository passes, and those features. */
  readonly dormant?: {
    readonly triples: readonly string[];
    /** Features that it needs, and those that keep it out; without any it takes a release build. */
    readonly needed: readonly string[];
    readonly opposed: readonly string[];
    readonly of: AllocatorStatic;
  };
}

/** Every `#[global_allocator]` of a library of the unit, by crate. Those of binaries, tests, benches and examples are left out. */
export function findAllocatorCrates(unit: UnitFacts): readonly AllocatorCrate[] {
  const crates = new Map<string, { crate: CargoPackage; statics: AllocatorStatic[] }>();
  for (const file of unit.filesOf('rust')) {
    for (const global of file.globals) {
      const attribute = global.attributes.find((one) => /(?:^|::)global_allocator$/.test(one.name));
      if (attribute === undefined || global.isTest) continue;
      const own = global.attributes.flatMap((one) => (one.name === 'cfg' && one.args !== undefined ? [one.args] : []));
      for (const path of global.inMacro === undefined ? [file.path] : findCallers(unit, global.inMacro)) {
        const crate = unit.project.cargoPackageOf(path);
        if (crate === undefined || !unit.project.targetKindsOf(path).includes('lib')) continue;
        const conditions = [
          ...unit.project.conditionsOf(path),
          ...(path === file.path ? global.conditions : []),
          ...own,
          ...(attribute.condition === undefined ? [] : [attribute.condition]),
        ];
        const entry = crates.get(crate.dir) ?? { crate, statics: [] };
        crates.set(crate.dir, entry);
        let identity: AllocatorIdentity | undefined;
        entry.statics.push({
          file,
          global,
          attribute,
          conditions: [...new Set(conditions)],
          // Types are looked up in the whole unit, which most allocators (of tools and benches) are not worth.
          get identity() {
            return (identity ??= identify(unit, file, global, crate));
          },
        });
      }
    }
  }
  return [...crates.values()];
}

/** Files that call a macro, by its name alone. */
function findCallers(unit: UnitFacts, macro: string): readonly string[] {
  const call = new RegExp(`(?<![\\w$])${macro}\\s*![\\s({\\[]`, 'u');
  return unit.filesMatching('rust', call).map((file) => file.path);
}

/** Which addons contain the allocator of a crate, and where it is active in them. */
export function findAddonAllocators(unit: UnitFacts, { crate, statics }: AllocatorCrate): readonly AddonAllocator[] {
  const { project } = unit;
  return project.addonsReaching(crate).map((reach) => {
    const states: AllocatorState[] = [];
    const builds = project.buildsOf(reach.addon);
    for (const triple of project.triplesFor(reach.addon)) {
      let best: AllocatorState | undefined;
      for (const build of builds) {
        if (build.triples.length > 0 && !build.triples.includes(triple)) continue;
        for (const of of statics) {
          const state = stateOf(project, reach, crate, of, build, triple);
          if (state === 'yes' ? best?.state !== 'yes' : state === 'unknown' && best === undefined)
            best = { triple, state, build, of };
        }
      }
      if (best !== undefined) states.push(best);
    }
    if (states.length > 0) return { reach, states };
    const dormant = findDormant(project, reach, statics);
    return { reach, states, ...(dormant === undefined ? {} : { dormant }) };
  });
}

/** Conjunction of everything that decides whether the static is compiled into the addon on a triple. */
function stateOf(
  project: ProjectModel,
  reach: AddonReach,
  crate: CargoPackage,
  of: AllocatorStatic,
  build: CargoBuild,
  triple: string,
): Tri {
  const inside = project.contentsOf(build, triple);
  const states: Tri[] = [availableOn(of.identity, triple)];
  if (crate.dir !== reach.addon.dir)
    states.push(inside.isLinked(crate), ...reach.links.map((link) => linkState(project, link, build, triple)));
  const features = inside.featuresOf(crate);
  for (const condition of of.conditions) states.push(project.evaluateCfg(condition, triple, features, build.release));
  return conjoin(states);
}

/** A name in code links its crate only where its own cfg holds. */
function linkState(project: ProjectModel, link: Link, build: CargoBuild, triple: string): Tri {
  const from = project.cargo.find((pkg) => pkg.name === link.from);
  if (from === undefined || link.conditions.length === 0) return 'yes';
  // A `use` under a cfg is one mention among others that were not looked at, so its cfg can't exclude the crate.
  const features = project.contentsOf(build, triple).featuresOf(from);
  const state = conjoin(
    link.conditions.map((condition) => project.evaluateCfg(condition, triple, features, build.release)),
  );
  return link.how === 'use' && state === 'no' ? 'unknown' : state;
}

/** `no` where every dependency line of the allocator's crate belongs to other targets: the static can't compile there. */
function availableOn(identity: AllocatorIdentity, triple: string): Tri {
  if (identity.dependencies.length === 0) return 'yes';
  const states = identity.dependencies.map(({ target }) =>
    target === undefined ? 'yes' : targetApplies(target, triple),
  );
  return states.every((state) => state === 'no') ? 'no' : 'yes';
}

function findDormant(
  project: ProjectModel,
  reach: AddonReach,
  statics: readonly AllocatorStatic[],
): AddonAllocator['dormant'] {
  for (const of of statics) {
    const named = new Set(of.conditions.flatMap((condition) => featuresIn(condition)));
    const open: FeatureStates = new Map([...named].map((name) => [name, 'unknown']));
    const triples = project
      .triplesFor(reach.addon)
      .filter(
        (triple) =>
          availableOn(of.identity, triple) !== 'no' &&
          !of.conditions.some((condition) => project.evaluateCfg(condition, triple, open, 'yes') === 'no'),
      );
    const [first] = triples;
    if (first === undefined) continue;
    const isOut = (feature: string, state: Tri): boolean => {
      const states: FeatureStates = new Map([...open, [feature, state] as const]);
      return of.conditions.some((condition) => project.evaluateCfg(condition, first, states, 'yes') === 'no');
    };
    return {
      triples,
      needed: [...named].filter((feature) => isOut(feature, 'no')),
      opposed: [...named].filter((feature) => isOut(feature, 'yes')),
      of,
    };
  }
  return undefined;
}

/** What a feature does to an allocator on one triple in one build. */
export interface FeatureInfluence {
  readonly feature: string;
  /** `needed`: without it there is no allocator; `opposed`: with it there is none. */
  readonly role: 'needed' | 'opposed';
  readonly state: Tri;
  /** Who turns it on. */
  readonly trail: readonly (Place & { readonly note: string })[];
}

/** The features that decide whether the allocator is there. */
export function findInfluences(
  project: ProjectModel,
  crate: CargoPackage,
  { of, build, triple }: AllocatorState,
): readonly FeatureInfluence[] {
  const inside = project.contentsOf(build, triple);
  const states = inside.featuresOf(crate);
  const value = (feature: string, forced: Tri): Tri =>
    conjoin(
      of.conditions.map((condition) =>
        project.evaluateCfg(condition, triple, new Map([...states, [feature, forced]]), build.release),
      ),
    );
  const found: FeatureInfluence[] = [];
  for (const feature of new Set(of.conditions.flatMap(featuresIn))) {
    const state = states.get(feature) ?? 'no';
    if (value(feature, 'no') === 'no')
      found.push({ feature, role: 'needed', state, trail: inside.trailOf(crate, feature) });
    else if (value(feature, 'yes') === 'no') found.push({ feature, role: 'opposed', state, trail: [] });
  }
  return found;
}

function featuresIn(condition: string): readonly string[] {
  const expression = readCfg(condition);
  return expression === undefined ? [] : findFeatures(expression);
}

/** Features that the unit turns on for the allocator's crate in its dependency lines. */
export function allocatorFeatures(identity: AllocatorIdentity, triple: string): ReadonlySet<string> {
  const lines = identity.dependencies.filter(
    ({ target }) => target === undefined || targetApplies(target, triple) !== 'no',
  );
  return new Set(lines.flatMap((line) => line.features));
}

// ---------------------------------------------------------------------------------------------------------------- identity

function identify(unit: UnitFacts, file: FileIr, global: GlobalDecl, crate: CargoPackage): AllocatorIdentity {
  const { type } = global;
  const text = type?.text ?? 'an allocator';
  const names = type === undefined ? [] : namesIn(type);
  const paths = names.map((path) => resolvePath(file, path));
  if (paths.some(isSystem)) return { type: text, kind: 'system', dependencies: [] };
  // The inner one of a wrapper (`Tracking<MiMalloc>`) is what holds the memory.
  for (const path of [...paths].reverse()) {
    const found = fromCrate(unit, crate, path, text);
    if (found !== undefined) return found;
  }
  for (const path of paths) {
    const found = throughImplementation(unit, path[path.length - 1] ?? '', text);
    if (found !== undefined) return found;
  }
  return { type: text, kind: 'own', dependencies: [] };
}

/** Paths of the type and its arguments, outermost first. */
function namesIn(type: TypeRef): readonly (readonly string[])[] {
  return [type.path.length > 0 ? type.path : [type.name], ...type.args.flatMap(namesIn)];
}

/** Follows one `use`: `MiMalloc` with `use mimalloc::MiMalloc` is `mimalloc::MiMalloc`. */
function resolvePath(file: FileIr, path: readonly string[]): readonly string[] {
  const head = path[0] ?? '';
  const entry = file.imports.find((one) => (one.kind === 'use' || one.kind === 'extern-crate') && one.name === head);
  return entry === undefined ? path : [...entry.path, ...path.slice(1)];
}

function isSystem(path: readonly string[]): boolean {
  return path[path.length - 1] === 'System' && (path.length === 1 || ['std', 'alloc', 'core'].includes(path[0] ?? ''));
}

function fromCrate(
  unit: UnitFacts,
  crate: CargoPackage,
  path: readonly string[],
  type: string,
): AllocatorIdentity | undefined {
  const head = path.find((part) => part !== '') ?? '';
  const dependencies = crate.dependencies.filter((one) => one.name === head && one.kind === 'normal');
  const first = dependencies[0];
  if (first === undefined || path.length < 2) return undefined;
  // A crate of the unit is looked into: what it wraps is what matters.
  if (first.dir !== undefined) return throughImplementation(unit, path[path.length - 1] ?? '', type);
  const version = versionOf(unit.project, first, crate);
  return { type, crate: first.package, kind: 'crate', dependencies, ...(version === undefined ? {} : { version }) };
}

function versionOf(
  project: ProjectModel,
  dependency: CargoDependency,
  crate: CargoPackage,
): (Fact<string> & { readonly locked: boolean }) | undefined {
  const locked = project.lockedVersions(dependency.package, crate)[0];
  if (locked !== undefined) return { ...locked, locked: true };
  return dependency.requirement === undefined
    ? undefined
    : { value: dependency.requirement, ...dependency.place, locked: false };
}

/** What the `GlobalAlloc` of an own type calls, by the names in its text. */
function throughImplementation(unit: UnitFacts, name: string, type: string): AllocatorIdentity | undefined {
  for (const { file, item } of unit.implsOf(name)) {
    if (item.trait?.name !== 'GlobalAlloc') continue;
    const text = unit.textOf(file.path)?.slice(item.span.start, item.span.end) ?? '';
    const inner = unit.project.cargoPackageOf(file.path);
    const uses = [...text.matchAll(/\b((?:[a-z_][\w]*::)*[A-Z]\w*)\b/g)].map((match) =>
      resolvePath(file, (match[1] ?? '').split('::')),
    );
    for (const path of uses) {
      const found = inner === undefined ? undefined : registryCrate(unit.project, inner, path, type);
      if (found !== undefined) return found;
    }
    if (uses.some(isSystem) || /\b(?:libc|std::alloc)::/.test(text)) return { type, kind: 'system', dependencies: [] };
    return { type, kind: 'own', dependencies: [] };
  }
  return undefined;
}

function registryCrate(
  project: ProjectModel,
  crate: CargoPackage,
  path: readonly string[],
  type: string,
): AllocatorIdentity | undefined {
  const dependencies = crate.dependencies.filter(
    (one) => one.name === path[0] && one.kind === 'normal' && one.dir === undefined,
  );
  const first = dependencies[0];
  if (first === undefined || path.length < 2 || !/alloc|malloc/i.test(`${first.package} ${path.join('::')}`))
    return undefined;
  const version = versionOf(project, first, crate);
  // The lines belong to another manifest, so their targets say nothing about the crate that installs the wrapper.
  return { type, crate: first.package, kind: 'crate', dependencies: [], ...(version === undefined ? {} : { version }) };
}
