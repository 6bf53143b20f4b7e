import type { FileIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { findNapiType, type NapiType } from './napi-types.js';
import type { Located, UnitFacts } from './unit.js';

/** A JavaScript handle somewhere inside a type, and the fields that lead to it, outermost first. */
export interface HeldHandle {
  readonly type: NapiType;
  readonly path: readonly { readonly file: FileIr; readonly span: Span; readonly note: string }[];
  /** Reached through `dyn Trait`: some implementation holds it, not every value. */
  readonly isThroughTrait: boolean;
}

/** Structures nest deeper only when they are recursive. */
const deepest = 16;
const held: ReadonlySet<NapiType['kind']> = new Set(['env', 'handle', 'reference', 'function', 'owned']);

/**
 * Looks through containers, type aliases, structs and enums of the unit, and the implementations of traits behind `dyn`.
 * `isInside` limits those implementations to crates that end up in the same module.
 */
export function findHeldHandle(
  unit: UnitFacts,
  file: FileIr,
  type: TypeRef,
  isInside: (path: string) => boolean,
): HeldHandle | undefined {
  return search(unit, file, type, { isInside, isWanted: () => true }, new Set(), 0);
}

/** A `Channel` of neon somewhere inside a type of the file, and the fields that lead to it. */
export function findHeldChannel(
  unit: UnitFacts,
  file: FileIr,
  type: TypeRef,
  isInside: (path: string) => boolean,
): HeldHandle | undefined {
  const isWanted = (found: NapiType): boolean => found.library === 'neon' && found.kind === 'function';
  return search(unit, file, type, { isInside, isWanted }, new Set(), 0);
}

/** The type of napi or neon that the name of a type means in the file; undefined for others, and for types that hold no handle. */
export function napiTypeHere(unit: UnitFacts, file: FileIr, type: TypeRef): NapiType | undefined {
  return type.kind === 'path' ? handleNamed(unit, file, type) : undefined;
}

interface Wanted {
  /** Whether a file belongs to a crate that ends up in the module. */
  readonly isInside: (path: string) => boolean;
  readonly isWanted: (found: NapiType) => boolean;
}

function search(
  unit: UnitFacts,
  file: FileIr,
  type: TypeRef,
  wanted: Wanted,
  seen: Set<string>,
  depth: number,
): HeldHandle | undefined {
  if (depth > deepest) return undefined;
  if (type.kind === 'trait-object' || type.kind === 'impl-trait') return throughTrait(unit, type, wanted, seen, depth);
  // neon's cell that has one value for each environment.
  if (type.name === 'LocalKey') return undefined;
  // What a closure takes or a function returns is not kept in it.
  if (type.kind === 'delegate' || type.kind === 'function') return undefined;
  if (type.kind === 'path') {
    const own = handleNamed(unit, file, type);
    if (own !== undefined && wanted.isWanted(own)) return { type: own, path: [], isThroughTrait: false };
  }
  for (const inner of [
    ...type.args,
    ...(type.element === undefined ? [] : [type.element]),
    ...(type.key === undefined ? [] : [type.key]),
  ]) {
    const found = search(unit, file, inner, wanted, seen, depth + 1);
    if (found !== undefined) return found;
  }
  if (type.kind !== 'path') return undefined;
  const declaration = findDeclaration(unit, file, type);
  return declaration === undefined ? undefined : throughFields(unit, declaration, wanted, seen, depth);
}

function throughFields(
  unit: UnitFacts,
  { file, item }: Located<TypeDecl>,
  wanted: Wanted,
  seen: Set<string>,
  depth: number,
): HeldHandle | undefined {
  const id = `${file.path}:${item.span.start}`;
  if (seen.has(id)) return undefined;
  seen.add(id);
  if (item.alias !== undefined) return search(unit, file, item.alias, wanted, seen, depth + 1);
  for (const field of item.fields) {
    const found =
      field.type === undefined || field.isStatic ? undefined : search(unit, file, field.type, wanted, seen, depth + 1);
    // A field for a `napi_value` is part of a description that is filled in for one call.
    if (found === undefined || found.type.name === 'napi_value') continue;
    const step = {
      file,
      span: field.span,
      note: `'${item.name}' holds '${field.type?.text ?? field.name}' in '${field.name}'.`,
    };
    return { ...found, path: [step, ...found.path] };
  }
  return undefined;
}

function throughTrait(
  unit: UnitFacts,
  type: TypeRef,
  wanted: Wanted,
  seen: Set<string>,
  depth: number,
): HeldHandle | undefined {
  const name = /\b(?:dyn|impl)\s+(?:[\w]+\s*::\s*)*([A-Z]\w*)/.exec(type.text)?.[1] ?? type.name;
  // Traits of the standard library say nothing about who implements them here.
  if (
    !/^[A-Z]\w*$/.test(name) ||
    /^(?:Fn|FnMut|FnOnce|Any|Send|Sync|Error|Debug|Display|Iterator|Future|Write|Read)$/.test(name)
  )
    return undefined;
  if (seen.has(`dyn ${name}`)) return undefined;
  seen.add(`dyn ${name}`);
  for (const file of unit.filesMatching('rust', new RegExp(`\\b${name}\\b[^;{}]*\\bfor\\s|\\b${name}\\s+as\\s+\\w`))) {
    if (!wanted.isInside(file.path)) continue;
    const names = new Set([
      name,
      ...file.imports.filter((one) => one.path[one.path.length - 1] === name).map((one) => one.name),
    ]);
    for (const impl of file.impls) {
      if (impl.trait === undefined || !names.has(impl.trait.name) || impl.isTest) continue;
      const target = findDeclaration(unit, file, impl.target);
      const found = target === undefined ? undefined : throughFields(unit, target, wanted, seen, depth + 1);
      if (found === undefined) continue;
      const step = {
        file,
        span: impl.headSpan,
        note: `'${impl.target.text}' is one of the values behind 'dyn ${name}'.`,
      };
      return { type: found.type, path: [step, ...found.path], isThroughTrait: true };
    }
  }
  return undefined;
}

/** The declaration that a name in a file means: in the file itself, else the only one of its crate, else the only one. */
function findDeclaration(unit: UnitFacts, file: FileIr, type: TypeRef): Located<TypeDecl> | undefined {
  if (!/^[A-Z]\w*$/.test(type.name) || PLAIN_TYPES.has(type.name)) return undefined;
  const all = unit.typesNamed(type.name, 'rust').filter(({ item }) => !item.isTest && item.kind !== 'trait');
  const own = all.find((one) => one.file.path === file.path);
  if (own !== undefined) return own;
  const crate = unit.project.cargoPackageOf(file.path)?.dir;
  const near = all.filter((one) => unit.project.cargoPackageOf(one.file.path)?.dir === crate);
  return near.length === 1 ? near[0] : near.length === 0 && all.length === 1 ? all[0] : undefined;
}

/** Types of the standard library and of well-known crates that hold no handle but in their arguments. */
export const PLAIN_TYPES: ReadonlySet<string> = new Set(
  (
    'Arc Rc Box Vec VecDeque HashMap HashSet BTreeMap BTreeSet Option Result Mutex RwLock RefCell Cell OnceLock OnceCell LazyLock ' +
    'LazyCell Lazy Once String PathBuf Weak Pin Sender Receiver DashMap DashSet FxHashMap FxHashSet AHashMap AHashSet IndexMap Regex ' +
    'AtomicPtr AtomicBool AtomicUsize AtomicU64 AtomicU32'
  ).split(' '),
);

/** The napi type that a name means here: by its path, an import, or a glob import where the crate has no type of the name. */
function handleNamed(unit: UnitFacts, file: FileIr, type: TypeRef): NapiType | undefined {
  // `napi_env__` is what `napi_env` points to.
  const neon = neonHandle(file, type);
  if (neon !== undefined) return neon;
  const found = findNapiType(type.name.replace(/__$/, ''));
  if (found === undefined || !held.has(found.kind)) return undefined;
  if (found.library === 'napi-sys') return found;
  const head = type.path[0] ?? '';
  if (type.path.length > 1 && /^(?:napi|napi_ohos|bindgen_prelude|threadsafe_function)$/.test(head)) return found;
  const entry = file.imports.find((one) => one.kind === 'use' && one.name === head && one.isGlob !== true);
  if (entry !== undefined)
    return entry.path.some((part) => part === 'napi' || part === 'napi_ohos') ? found : undefined;
  const isGlob = file.imports.some(
    (one) => one.isGlob === true && one.path.some((part) => part === 'napi' || part === 'napi_ohos'),
  );
  return isGlob && findDeclaration(unit, file, type) === undefined ? found : undefined;
}

/** neon's `Root` and `Channel` may move between threads, but belong to the environment that made them. */
function neonHandle(file: FileIr, type: TypeRef): NapiType | undefined {
  if (type.name !== 'Root' && type.name !== 'Channel') return undefined;
  const isNeon =
    type.path.length > 1
      ? type.path[0] === 'neon'
      : file.imports.some((one) => one.path[0] === 'neon' && (one.isGlob === true || one.name === type.name));
  return isNeon
    ? { name: type.name, library: 'neon', kind: type.name === 'Root' ? 'reference' : 'function' }
    : undefined;
}
