import type { Block, FunctionIr, GlobalDecl, Language, TypeDecl, TypeRef } from '../model/ir.js';
import type { FunctionFlow } from './result.js';

/** What the flow core may ask about declarations of the unit. Names are heads without type arguments. */
export interface TypeOracle {
  /** The declaration that `name` most likely means, seen from `fromPath`; aliases resolved by the caller. */
  declaration(name: string, fromPath: string): TypeDecl | undefined;
  /** Every declaration of the name in the file: types inside of others may share one. */
  declarationsIn(name: string, fromPath: string): readonly TypeDecl[];
  /** Whether `name` may mean an alias, seen from `fromPath`. */
  mayBeAlias(name: string, fromPath: string): boolean;
  /** Whether `declaration` would find one, as far as the text of the files tells. */
  isDeclared(name: string, fromPath: string): boolean;
  /** Whether several files declare the type `name`, and one of those that may be meant has the method. */
  hasMethodPerhaps(name: string, method: string, fromPath: string): boolean;
  /** A global of the file; `inFunction` is the qualified name of a function whose own statics, and those of the ones around it, count too. */
  global(
    name: string,
    fromPath: string,
    inFunction?: string,
  ): { readonly decl: GlobalDecl; readonly path: string } | undefined;
  /** D: a variable that is named with its module, `store.items`; `module` is the last part of the module's name, or another name for it. */
  globalOf(
    module: string,
    name: string,
    fromPath: string,
  ): { readonly decl: GlobalDecl; readonly path: string } | undefined;
  /** D: whether `name` is a constant of the file or of a module that it imports, so that `T[name]` is an array of that many. */
  isConstant(name: string, fromPath: string): boolean;
  /** The method `name` of type `owner`; undefined when there is none or more than one that fits. */
  method(owner: string, name: string, fromPath: string): { readonly path: string; readonly fn: FunctionIr } | undefined;
  /** All of that name of the type, in the file or else in the only other one that declares the type: overloads, constructors (`this`). */
  methods(owner: string, name: string, fromPath: string): readonly { readonly path: string; readonly fn: FunctionIr }[];
  /** The free function `name` visible from the file; undefined when none or ambiguous. */
  freeFunction(name: string, fromPath: string): { readonly path: string; readonly fn: FunctionIr } | undefined;
  /** Rust: the free function of another module of the package that a path names, when its text looks as if it released something. */
  releasingHelper(
    path: readonly string[],
    fromPath: string,
  ): { readonly path: string; readonly fn: FunctionIr } | undefined;
  /** Rust: what the free function of another module of the package returns that a path names. */
  resultOf(path: readonly string[], fromPath: string): TypeRef | undefined;
  /** D: the function of an imported module that takes its first argument by `ref`, when name and text look as if it made that grow. */
  growingHelper(name: string, fromPath: string): { readonly path: string; readonly fn: FunctionIr } | undefined;
  /** Rust: whether the text of the function looks as if it handed what it is given to a thread, a task, a queue or somebody who keeps it. */
  handsOn(path: string, fn: FunctionIr): boolean;
  /** Rust: whether the function looks as if it took a lock and called a closure of its caller. */
  locksFor(path: string, fn: FunctionIr): boolean;
  functionById(path: string, id: number): FunctionIr | undefined;
  /**
   * Flow of another function of the unit, for its summary; undefined on recursion or beyond the depth limit. `matters` says that the caller
   * holds pointers, so that what the helper grows or releases is worth reading a body that no rule asked for.
   */
  summaryOf(path: string, fn: FunctionIr, depth: number, matters: boolean): FunctionFlow | undefined;
  /** The body that `summaryOf` reads, also where no rule asked for it; undefined where it reads none. */
  bodyOf(path: string, fn: FunctionIr): Block | undefined;
}

/** Numbers of D, which hold no pointer whatever they were made of. */
export const SCALAR =
  /^(?:bool|u?byte|u?short|u?int|u?long|[ui]?size(?:_t)?|ptrdiff_t|u?intptr(?:_t)?|float|double|real|[wd]?char)$/u;

/** Heads that hand their first type argument through a dereference. */
const TRANSPARENT = new Set([
  'Box',
  'Rc',
  'Arc',
  'Pin',
  'ManuallyDrop',
  'MutexGuard',
  'RwLockReadGuard',
  'RwLockWriteGuard',
  'Ref',
  'RefMut',
  'Cow',
  'NonNull',
  'AssertUnwindSafe',
]);

/** The type behind references, boxes and guards: what a method call's auto-dereference reaches. */
export function peel(type: TypeRef | undefined): TypeRef | undefined {
  let current = type;
  for (let i = 0; current && i < 8; i++) {
    if (current.kind === 'reference' || current.kind === 'pointer') current = current.element;
    else if (current.kind === 'path' && TRANSPARENT.has(current.name) && current.args.length > 0)
      current = current.args.at(-1);
    else return current;
  }
  return current;
}

/** D: what looks like an associative array, as `T[count]` where the count is a constant: an array of that many, then. */
export function withoutCount(type: TypeRef | undefined, oracle: TypeOracle, fromPath: string): TypeRef | undefined {
  if (type?.kind !== 'assoc-array' || type.size === undefined) return type;
  return oracle.isConstant(type.key?.name ?? '', fromPath) ? { ...type, kind: 'static-array' } : type;
}

/**
 * Follows type aliases of the unit, with their parameters filled in, and tells arrays by a count from associative ones; anything else stays
 * as it is.
 */
export function withoutAlias(type: TypeRef | undefined, oracle: TypeOracle, fromPath: string): TypeRef | undefined {
  let current = type?.kind === 'assoc-array' ? withoutCount(type, oracle, fromPath) : type;
  for (let i = 0; i < 4 && current?.kind === 'path' && current.name; i++) {
    if (!oracle.mayBeAlias(current.name, fromPath)) return current;
    const decl = oracle.declaration(current.name, fromPath);
    if (decl?.kind !== 'alias' || !decl.alias || decl.alias.name === current.name) return current;
    const { args } = current;
    const parameters = decl.generics.filter((g) => !g.name.startsWith("'")).map((g) => g.name);
    current = substituted(decl.alias, parameters, args);
  }
  return current;
}

function substituted(type: TypeRef, parameters: readonly string[], args: readonly TypeRef[]): TypeRef {
  const at = type.kind === 'path' ? parameters.indexOf(type.name) : -1;
  if (at >= 0) return args[at] ?? type;
  if (parameters.length === 0) return type;
  return {
    ...type,
    args: type.args.map((a) => substituted(a, parameters, args)),
    ...(type.element ? { element: substituted(type.element, parameters, args) } : {}),
  };
}

/** Strips one Option or Result layer. */
export function unwrapped(type: TypeRef | undefined): TypeRef | undefined {
  return type?.kind === 'path' && (type.name === 'Option' || type.name === 'Result') && type.args.length > 0
    ? type.args[0]
    : type;
}

const RUST_GROWABLE = new Set([
  'Vec',
  'String',
  'VecDeque',
  'SmallVec',
  'BytesMut',
  'OsString',
  'PathBuf',
  'BinaryHeap',
  'HashMap',
  'HashSet',
  'IndexMap',
  'FxHashMap',
  'FxHashSet',
  'AHashMap',
  'AHashSet',
  'IndexVec',
  'IndexSet',
  'FxIndexMap',
  'FxIndexSet',
  // The entries of a tree move within its nodes and to others.
  'BTreeMap',
  'BTreeSet',
  'SlotMap',
  'DenseSlotMap',
  'Slab',
  'ThinVec',
  'TinyVec',
  'BString',
]);
/** Types that keep all their content in a block of their own; small vectors and strings with inline storage do not. */
const SEPARATE_BLOCK = new Set([
  'Box',
  'Rc',
  'Arc',
  'Vec',
  'String',
  'VecDeque',
  'CString',
  'OsString',
  'PathBuf',
  'BytesMut',
  'Bytes',
]);
const D_GROWABLE = new Set([
  'Array',
  'Appender',
  'RefAppender',
  'OutBuffer',
  'Vector',
  'DynamicArray',
  'FixedAppender',
]);

/** Whether storage behind the type moves when it grows: 'yes', 'no' for what is known not to, undefined when the type is unknown. */
export function isGrowable(type: TypeRef | undefined, language: Language): boolean | undefined {
  const inner = language === 'rust' ? peel(type) : type;
  if (!inner || inner.kind === 'unknown') return undefined;
  if (language === 'd') {
    if (inner.kind === 'slice') return true;
    if (inner.kind === 'static-array' || inner.kind === 'assoc-array') return false;
    if (inner.kind === 'pointer') return undefined;
    if (inner.kind !== 'path') return false;
    if (inner.name === 'string' || inner.name === 'wstring' || inner.name === 'dstring') return true;
    return D_GROWABLE.has(inner.name) ? true : undefined;
  }
  if (inner.kind === 'slice' || inner.kind === 'static-array' || inner.kind === 'tuple') return false;
  if (inner.kind !== 'path') return undefined;
  return RUST_GROWABLE.has(inner.name);
}

/**
 * Whether a Rust value of the type points to its content elsewhere, so that moving the value leaves the content where it is.
 * False when the type is not known.
 */
export function ownsBlock(type: TypeRef | undefined): boolean {
  if (type?.kind === 'reference' || type?.kind === 'pointer') return true;
  return type?.kind === 'path' && SEPARATE_BLOCK.has(type.name);
}

/** Rust: a vector, whose block is its own whatever its elements point to. */
export function isVector(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && (type.name === 'Vec' || type.name === 'VecDeque');
}

/** Rust: whether a type of the standard library has exactly one value inside: a cell, a lock, a box. */
export function holdsOne(type: TypeRef): boolean {
  return /^(?:Box|Rc|Arc|Pin|Cell|RefCell|UnsafeCell|OnceCell|Mutex|RwLock|ManuallyDrop|MaybeUninit)$/u.test(type.name);
}

/** Rust: whether the type is a number, or an Option or Result of one. */
export function isNumber(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'path') return false;
  if (/^(?:Option|Result)$/u.test(type.name)) return isNumber(type.args[0]);
  return /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char)$/u.test(type.name);
}

/** D: whether a list with elements of one type keeps a slice of items of the other when it is added, instead of copying the items. */
export function keepsSliceOf(element: TypeRef | undefined, item: TypeRef | undefined): boolean {
  if (!element || !item) return false;
  const character = { string: 'char', wstring: 'wchar', dstring: 'dchar' }[element.name];
  if (character !== undefined) return item.kind === 'path' && item.name === character;
  return element.kind === 'slice' && element.element?.kind === item.kind && element.element.name === item.name;
}

/** The type of an element of a container; undefined when it can't be told. */
export function elementType(type: TypeRef | undefined): TypeRef | undefined {
  const inner = peel(type);
  if (!inner) return undefined;
  if (
    inner.kind === 'slice' ||
    inner.kind === 'static-array' ||
    inner.kind === 'assoc-array' ||
    inner.kind === 'pointer'
  )
    return inner.element;
  // D: the argument of `Appender!(T[])` is the array that it makes.
  if (inner.kind === 'path' && /^(?:Ref)?Appender$/u.test(inner.name)) return elementType(inner.args[0]);
  if (inner.kind === 'path' && inner.args.length > 0) return /Map$/.test(inner.name) ? inner.args[1] : inner.args[0];
  return undefined;
}
