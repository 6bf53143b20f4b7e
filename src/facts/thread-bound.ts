import type { Attribute, FileIr, ImplDecl, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { declaringFile } from './declarations.js';
import { findNapiType } from './napi-types.js';
import type { UnitFacts } from './unit.js';

/** Something in a type that ties it to one thread, whatever an `unsafe impl` says. */
export interface ThreadBound {
  /**
   * `handle`: a JavaScript value or the environment; `count`: `Rc`; `cell`: unguarded interior mutability (only for `Sync`);
   * `guard`: a lock guard; `generic`: a type parameter without a bound; `object`: a trait object that does not say `Send`; `shared`: a
   * parameter that is reached by a shared reference and only bound by `Send`; `pointer`: a raw pointer.
   */
  readonly kind: 'handle' | 'count' | 'cell' | 'guard' | 'generic' | 'object' | 'shared' | 'pointer';
  /** The type or type parameter, as written. */
  readonly what: string;
  /** The field of the outermost type. */
  readonly field: string;
  readonly file: FileIr;
  readonly span: Span;
  /** Pointers: whether it may be written through, and what it points to. */
  readonly mutable?: boolean;
  readonly pointee?: string;
}

type Trait = 'Send' | 'Sync';

/** What a type parameter stands for where a declaration is read: a type seen from a file, or a parameter of the impl block. */
type Binding = { readonly type: TypeRef; readonly scope: Scope } | { readonly parameter: string };

interface Scope {
  readonly file: FileIr;
  readonly bindings: ReadonlyMap<string, Binding>;
}

interface Walk {
  readonly unit: UnitFacts;
  readonly impl: ImplDecl;
  readonly implFile: FileIr;
  readonly field: string;
  /** Where the field of the outermost type stands. */
  readonly file: FileIr;
  readonly span: Span;
  readonly found: ThreadBound[];
  readonly seen: Set<TypeDecl>;
  /** The target of the impl has a `Drop` of its own. */
  readonly ownsDrop: boolean;
  /** The type whose fields are looked at has a `Drop`: what its pointers lead to is its own. */
  readonly ownsPointee: boolean;
  /** A field of the target is a pointer that says nothing of what it points to: `*mut ()`, `AtomicPtr<()>`. */
  readonly hidesContent: boolean;
}

/** Objects of foreign code whose documentation says that every thread may use them at once. */
const FOR_ALL_THREADS = /^JavaVM$/u;

/** What makes a type movable or shareable whatever is in it, or holds nothing of its arguments. */
const OPAQUE = new Set(
  'PhantomData ThreadsafeFunction SendWrapper Fragile ThreadBound ThreadLocal CachePadded Sender SyncSender UnboundedSender JoinHandle NonZero'.split(
    ' ',
  ),
);
/** A pointer whose content only a marker beside it tells. */
const HIDDEN =
  /^(?:(?:\w+::)*(?:AtomicPtr|NonNull|Cell|UnsafeCell)\s*<\s*)?(?:\*\s*(?:mut|const)\s+)?(?:\(\)|u8|(?:\w+::)*c_void)\s*>?$/u;
const LOCKS = new Set(['Mutex', 'RwLock', 'ReentrantMutex', 'FairMutex', 'OnceLock', 'LazyLock']);
/** Containers that share their content when they are shared. */
const PLAIN = new Set(['Vec', 'Option', 'Box', 'VecDeque', 'HashMap', 'BTreeMap', 'Result']);
const CELLS = new Set(['Cell', 'RefCell', 'OnceCell', 'LazyCell']);
const GUARDS = new Set([
  'MutexGuard',
  'RwLockReadGuard',
  'RwLockWriteGuard',
  'MappedMutexGuard',
  'MappedRwLockReadGuard',
  'MappedRwLockWriteGuard',
]);
/** Traits of the standard library that say nothing about threads. */
const SILENT_TRAITS = new Set(
  'Sized Clone Copy Debug Display Default Eq PartialEq Ord PartialOrd Hash Iterator IntoIterator ExactSizeIterator DoubleEndedIterator Fn FnMut FnOnce AsRef AsMut Borrow BorrowMut Deref DerefMut From Into TryFrom TryInto Unpin Any Future Read Write Seek Drop ToString Error'.split(
    ' ',
  ),
);
const WASM = new Set(['js_sys', 'web_sys', 'wasm_bindgen']);
const V8_TYPES = new Set(['Local', 'Global', 'Isolate', 'OwnedIsolate', 'HandleScope', 'Weak', 'Eternal']);

/**
 * What ties the target of an `unsafe impl Send` or `unsafe impl Sync` to a thread, by the fields of its declaration and of the types
 * in them that the unit declares. Empty when the declaration is not in the unit, or the fields justify the impl.
 */
export function findThreadBounds(unit: UnitFacts, file: FileIr, impl: ImplDecl): readonly ThreadBound[] {
  const trait: Trait = impl.trait?.name === 'Sync' ? 'Sync' : 'Send';
  const located = locate(unit, impl.target, file);
  if (!located || located.decl.kind === 'alias' || located.decl.kind === 'trait') return [];
  const { decl, file: declFile } = located;
  const scope: Scope = { file: declFile, bindings: bind(decl, impl.target, { file, bindings: own(impl) }) };
  const found: ThreadBound[] = [];
  if (allowsNonSend(decl.attributes)) return [];
  // `impl Send for Block<F, dyn Send + Sync>`: another parameter says what may be in it.
  if (impl.target.args.some((a) => a.kind === 'trait-object' && /\bSend\b/u.test(a.text))) return [];
  const ownsDrop = implementsDrop([declFile, file], decl);
  for (const field of decl.fields) {
    if (!field.type || field.isStatic || allowsNonSend(field.attributes)) continue;
    if (isExcluded(field.attributes, impl.conditions)) continue;
    const walk: Walk = {
      unit,
      impl,
      implFile: file,
      field: field.name,
      file: declFile,
      span: field.span,
      found,
      seen: new Set([decl]),
      ownsDrop,
      ownsPointee: ownsDrop,
      hidesContent: decl.fields.some((f) => HIDDEN.test(f.type?.text ?? '')),
    };
    visit(walk, field.type, scope, trait, { locked: false, shared: false, depth: 0 });
  }
  return found;
}

interface Position {
  /** Inside a lock: nobody else can reach it at the same time. */
  readonly locked: boolean;
  /** Behind a counted or raw pointer, whose owner decides who may use it. */
  readonly shared: boolean;
  /** Behind a shared reference in a type declared `Send`: the thread it is sent to and the one it came from see the same value. */
  readonly lent?: boolean;
  /** Directly behind an `Arc` that is sent, of which another thread may have a clone. */
  readonly counted?: boolean;
  /** In a field of a field: who changes it is the inner type's affair. */
  readonly nested?: boolean;
  readonly depth: number;
}

function visit(walk: Walk, type: TypeRef, scope: Scope, trait: Trait, at: Position): void {
  if (at.depth > 7) return;
  const deeper: Position = { ...at, counted: false, depth: at.depth + 1 };
  const add = (kind: ThreadBound['kind'], what: string, extra: Partial<ThreadBound> = {}): void => {
    walk.found.push({ kind, what, field: walk.field, file: walk.file, span: walk.span, ...extra });
  };
  switch (type.kind) {
    case 'tuple':
      for (const arg of type.args) visit(walk, arg, scope, trait, deeper);
      return;
    case 'slice':
    case 'static-array':
      if (type.element) visit(walk, type.element, scope, trait, deeper);
      return;
    case 'reference':
      // What a reference shares is changed by the owner's methods, and whether those take `&self` is not known here.
      if (type.element)
        visit(walk, type.element, scope, type.mutable === true ? trait : 'Sync', {
          ...deeper,
          shared: true,
          lent: walk.impl.trait?.name === 'Send' && type.mutable !== true && !at.locked,
        });
      return;
    case 'pointer':
      visitPointer(walk, type.element, type, scope, at, type.mutable === true);
      return;
    case 'delegate':
    case 'trait-object':
      // `dyn Any` mostly keeps something alive that nobody looks at.
      if (!/\bdyn\b/u.test(type.text) || /\bdyn\s+(?:\w+\s*::\s*)*Any\b/u.test(type.text)) return;
      // `dyn Reader<R>` most likely has an `R` in it.
      if (trait === 'Send' && !/\bSend\b/u.test(type.text) && !isPromised(walk.unit, scope.file, type)) {
        // What the object gives (`dyn Future<Output = T>`) is not in it.
        const args = (/\bdyn\s+[\w:\s]*<([^()]*)>/u.exec(type.text)?.[1] ?? '').replace(/\w+\s*=\s*[^,]*/gu, '');
        for (const [name, binding] of scope.bindings)
          if (
            'parameter' in binding &&
            new RegExp(`\\b${name}\\b`, 'u').test(args) &&
            isUnbounded(walk, binding.parameter)
          )
            add('generic', binding.parameter);
      }
      // Who may share it is another matter: a closure that needs `&mut` cannot be called by two threads at once.
      if (trait === 'Send' && at.depth < 7 && !boundsOf(type).some((b) => mayPromise(walk.unit, scope.file, b, 0)))
        add('object', type.text);
      return;
    case 'path':
      break;
    default:
      return;
  }
  const binding = type.path.length === 1 ? scope.bindings.get(type.name) : undefined;
  if (binding) {
    if ('type' in binding) visit(walk, binding.type, binding.scope, trait, deeper);
    else if (isUnbounded(walk, binding.parameter)) add('generic', binding.parameter);
    else if (at.lent === true && isSendOnly(walk, binding.parameter)) add('shared', binding.parameter);
    return;
  }
  if (type.name === 'NonNull' || type.name === 'Unique') {
    visitPointer(walk, type.args[0], type, scope, at, true);
    return;
  }
  // A name given by `use .. as ..` says nothing about the type.
  const real = type.path.length === 1 ? scope.file.imports.find((i) => i.name === type.name)?.path.at(-1) : undefined;
  // `PhantomData<&'a T>` says what the raw pointers beside it stand for.
  const phantom = type.name === 'PhantomData' && trait === 'Send' ? type.args[0] : undefined;
  if (phantom?.kind === 'reference' && phantom.mutable !== true && phantom.element) {
    const before = walk.found.length;
    // A pointer that may write says that the content is the type's alone.
    if (!readsOnly(walk)) return;
    visit(walk, phantom, scope, trait, deeper);
    // The marker holds nothing: only what the reference would lend counts.
    const added = walk.found.splice(before);
    walk.found.push(...added.filter((b) => b.kind === 'shared'));
    return;
  }
  const marked = type.name === 'PhantomData' && walk.ownsDrop && walk.hidesContent ? type.args[0] : undefined;
  if (marked?.kind === 'path') visitPointee(walk, marked, scope, at);
  // An atomic pointer may be sent whatever it points to; its owner drops what is there.
  if (type.name === 'AtomicPtr') {
    if (walk.ownsDrop && type.args[0]) visitPointee(walk, type.args[0], scope, at);
    return;
  }
  if (OPAQUE.has(type.name) || (real !== undefined && OPAQUE.has(real))) return;
  if (isHandle(walk.unit, scope.file, type, walk.ownsDrop)) {
    add('handle', type.text);
    return;
  }
  if (isRc(scope.file, type)) {
    add('count', type.text);
    return;
  }
  if (GUARDS.has(type.name) && trait === 'Send') {
    add('guard', type.text);
    return;
  }
  const located = locate(walk.unit, type, scope.file);
  if (CELLS.has(type.name) && !located && trait === 'Sync' && !at.locked) {
    if (at.counted === true || (!at.shared && at.nested !== true)) add('cell', type.text);
    for (const arg of type.args) visit(walk, arg, scope, 'Send', { ...deeper, lent: false });
    return;
  }
  // A lock of the unit says itself who may share it.
  const isOwnLock = (): boolean =>
    walk.unit.implsOf(type.name).some(({ item }) => item.isUnsafe && item.trait?.name === 'Sync');
  if (LOCKS.has(type.name) && (!located || isOwnLock())) {
    for (const arg of type.args) visit(walk, arg, scope, 'Send', { ...deeper, locked: true, lent: false });
    return;
  }
  if (!located) {
    // One of several types of the unit, and nobody knows which.
    if (type.path.length > 1 && !isOfStd(type) && walk.unit.typesNamed(type.name, 'rust').length > 1) return;
    const isCounted = type.name === 'Arc' || type.name === 'Weak';
    const shared = at.shared || isCounted;
    const lent = at.lent === true && PLAIN.has(type.name);
    // A clone of the `Arc` stays behind when this one is sent: what both reach must be `Sync`.
    for (const arg of type.args)
      visit(walk, arg, scope, isCounted && !at.locked && isCell(arg) ? 'Sync' : trait, {
        ...deeper,
        shared,
        lent,
        counted: isCounted && !at.locked && trait === 'Send',
      });
    return;
  }
  if (walk.seen.has(located.decl)) return;
  walk.seen.add(located.decl);
  const inner: Scope = { file: located.file, bindings: bind(located.decl, type, scope) };
  if (located.decl.kind === 'alias') {
    if (located.decl.alias && !isSystemHandle(located.decl)) visit(walk, located.decl.alias, inner, trait, deeper);
    return;
  }
  if (located.decl.kind === 'trait') return;
  // The type's own impl is judged where it stands; here only what it asks of its arguments counts.
  const promised = located.file.impls.find((i) => i.trait?.name === trait && i.target.name === located.decl.name);
  if (promised) {
    if (promised.isNegative) return;
    for (const generic of promised.generics) {
      const index = promised.target.args.findIndex((a) => a.name === generic.name);
      const arg = type.args[index];
      if (arg && generic.bounds.some((b) => /\b(?:Send|Sync)\b/u.test(b)))
        visit(walk, arg, scope, trait, {
          ...deeper,
          lent: at.lent === true && generic.bounds.some((b) => /\bSync\b/u.test(b)),
        });
    }
    return;
  }
  const within: Walk = walk.ownsPointee ? walk : { ...walk, ownsPointee: implementsDrop([located.file], located.decl) };
  for (const field of located.decl.fields)
    if (field.type && !field.isStatic) visit(within, field.type, inner, trait, { ...deeper, nested: true });
}

function implementsDrop(files: readonly FileIr[], decl: TypeDecl): boolean {
  return files.some((f) => implementsTrait(f, decl, 'Drop'));
}

function implementsTrait(file: FileIr, { name }: TypeDecl, trait: string): boolean {
  return file.impls.some((i) => i.trait?.name === trait && i.target.name === name);
}

function isCell(type: TypeRef): boolean {
  return type.kind === 'path' && CELLS.has(type.name);
}

/** What the owner of a pointer reaches by it and drops: only parameters without a bound count. Whether there are some. */
function visitPointee(walk: Walk, element: TypeRef, scope: Scope, at: Position): boolean {
  const before = walk.found.length;
  visit(walk, element, scope, 'Send', { ...at, depth: 0 });
  const added = walk.found.splice(before).filter((b) => b.kind === 'generic');
  walk.found.push(...added);
  return added.length > 0;
}

function visitPointer(
  walk: Walk,
  element: TypeRef | undefined,
  whole: TypeRef,
  scope: Scope,
  at: Position,
  mutable: boolean,
): void {
  // A pointer to a type parameter owns or reads one as a field would.
  const binding = element?.kind === 'path' && element.path.length === 1 ? scope.bindings.get(element.name) : undefined;
  if (binding && 'parameter' in binding) {
    if (isUnbounded(walk, binding.parameter))
      walk.found.push({
        kind: 'generic',
        what: binding.parameter,
        field: walk.field,
        file: walk.file,
        span: walk.span,
      });
    // With a bound, the impl states what the pointer's users rely on.
    return;
  }
  if (element && walk.ownsPointee && visitPointee(walk, element, scope, at)) return;
  if (at.locked || at.shared || (element?.kind === 'path' && FOR_ALL_THREADS.test(element.name))) return;
  walk.found.push({
    kind: 'pointer',
    what: whole.text,
    field: walk.field,
    file: walk.file,
    span: walk.span,
    mutable,
    pointee: (element?.kind === 'slice' ? element.element : element)?.name ?? '',
  });
}

// ---------------------------------------------------------------------------------------------------------------------

function locate(unit: UnitFacts, type: TypeRef, file: FileIr): { decl: TypeDecl; file: FileIr } | undefined {
  if (type.kind !== 'path' || type.name === '') return undefined;
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  if (!decl) return undefined;
  // `std::vec::Vec` is not the package's own `Vec`; an import decides, too.
  if (isOfStd(type)) return undefined;
  const imported = file.imports.find((i) => i.name === type.name && i.kind === 'use');
  if (type.path.length > 1 && isElsewhere(unit, file, type.path, decl)) return undefined;
  if (type.path.length === 1 && imported && /^(?:std|core|alloc)$/u.test(imported.path[0] ?? '')) return undefined;
  const declaring = declaringFile(unit, file, decl);
  return declaring && { decl, file: declaring };
}

function isOfStd({ path }: TypeRef): boolean {
  return path.length > 1 && /^(?:std|core|alloc)$/u.test(path[0] ?? '');
}

/** `hashbrown::HashMap`: a crate of that name, and neither a module of this one nor a type around the name. */
function isElsewhere(unit: UnitFacts, file: FileIr, path: readonly string[], decl: TypeDecl): boolean {
  const [first = ''] = path;
  if (/^(?:crate|self|super|Self)$/u.test(first) || /^[A-Z]/u.test(first)) return false;
  if (file.imports.some((i) => i.name === first)) return false;
  const declaring = declaringFile(unit, file, decl);
  const folders = declaring?.path.replace(/\.rs$/u, '').replaceAll('-', '_').split('/') ?? [];
  return !folders.includes(first) && !new RegExp(`\\bmod\\s+${first}\\b`, 'u').test(unit.textOf(file.path) ?? '');
}

/** Whether a field is there exactly where the impl is not: `cfg(not(X))` on one, `cfg(X)` on the other. */
function isExcluded(attributes: readonly Attribute[], conditions: readonly string[]): boolean {
  const plain = (cfg: string): string => cfg.replace(/\s+/gu, '');
  const ofImpl = conditions.map(plain);
  return attributes.some(({ name, args }) => {
    const ofField = name === 'cfg' && args !== undefined ? plain(args) : undefined;
    return ofField !== undefined && ofImpl.some((i) => ofField === `not(${i})` || i === `not(${ofField})`);
  });
}

/** `HWND`, `HANDLE`: a number of the operating system that is spelled as a pointer and shows no memory. */
function isSystemHandle({ name, alias }: TypeDecl): boolean {
  return alias?.kind === 'pointer' && alias.element?.name === 'c_void' && /^H[A-Z0-9_]+$/u.test(name);
}

/** The parameters of the impl block itself. */
function own(impl: ImplDecl): ReadonlyMap<string, Binding> {
  return new Map(
    impl.generics.filter((g) => !g.name.startsWith("'")).map((g): [string, Binding] => [g.name, { parameter: g.name }]),
  );
}

function bind(decl: TypeDecl, type: TypeRef, scope: Scope): ReadonlyMap<string, Binding> {
  const names = decl.generics.filter((g) => !g.name.startsWith("'"));
  const bindings = new Map<string, Binding>();
  names.forEach((generic, i) => {
    const arg = type.args[i];
    if (!arg) return;
    const outer = arg.kind === 'path' && arg.path.length === 1 ? scope.bindings.get(arg.name) : undefined;
    bindings.set(generic.name, outer ?? { type: arg, scope });
  });
  return bindings;
}

function isUnbounded(walk: Walk, parameter: string): boolean {
  const generic = walk.impl.generics.find((g) => g.name === parameter);
  if (!generic || generic.isConst === true) return false;
  const text = walk.unit.textOf(walk.implFile.path)?.slice(walk.impl.span.start, walk.impl.span.end) ?? '';
  const where = /\bwhere\b([\s\S]*?)\{/u.exec(text)?.[1] ?? '';
  // `where Inner<T>: Send` bounds T by what contains it.
  if (new RegExp(`\\b${parameter}\\b[^,:]*:[^,]*\\b(?:Send|Sync)\\b`, 'u').test(where)) return false;
  return !generic.bounds.some((bound) => mayPromise(walk.unit, walk.implFile, bound, 0));
}

/** `dyn FnMut(u32) -> Vec<u8> + Send + 'a`, bound by bound. */
function boundsOf({ text }: TypeRef): readonly string[] {
  const bounds: string[] = [];
  let nesting = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const at = text[i] ?? '+';
    if ('<(['.includes(at)) nesting++;
    else if (')]'.includes(at) || (at === '>' && text[i - 1] !== '-')) nesting--;
    else if (at === '+' && nesting === 0) {
      bounds.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return bounds.map((b) =>
    b
      .replace(/^\s*dyn\s+/u, '')
      .replace(/->[\s\S]*$/u, '')
      .trim(),
  );
}

/**
 * Whether the type that is declared `Send` looks at its content by `*const` and by no `NonNull`, or, with one, dereferences to it and lends
 * nothing exclusively.
 */
function readsOnly({ unit, impl, implFile }: Walk): boolean {
  const found = locate(unit, impl.target, implFile);
  const fields = found?.decl.fields ?? [];
  if (fields.some((f) => f.type?.kind === 'path' && f.type.name === 'NonNull'))
    return (
      found !== undefined &&
      implementsTrait(found.file, found.decl, 'Deref') &&
      !lendsExclusively(found.file, found.decl)
    );
  return fields.some((f) => f.type?.kind === 'pointer' && f.type.mutable !== true);
}

function lendsExclusively(file: FileIr, decl: TypeDecl): boolean {
  return (
    implementsTrait(file, decl, 'DerefMut') ||
    file.functions.some((f) => f.owner === decl.name && /&\s*(?:'\w+\s+)?mut\b|\*\s*mut\b/u.test(f.returns?.text ?? ''))
  );
}

/** Whether the parameter's only bound of the two is `Send`, and every bound is one that is known to promise no `Sync`. */
function isSendOnly(walk: Walk, parameter: string): boolean {
  const generic = walk.impl.generics.find((g) => g.name === parameter);
  if (!generic) return false;
  const text = walk.unit.textOf(walk.implFile.path)?.slice(walk.impl.span.start, walk.impl.span.end) ?? '';
  const where = /\bwhere\b([\s\S]*?)\{/u.exec(text)?.[1] ?? '';
  if (/\bSync\b/u.test(where)) return false;
  return (
    generic.bounds.some((b) => /^Send$/u.test(b.trim())) &&
    generic.bounds.every((b) => /^Send$/u.test(b.trim()) || promisesNothing(walk.unit, walk.implFile, b))
  );
}

/** Whether a bound is known to imply neither `Send` nor `Sync`. */
export function promisesNothing(unit: UnitFacts, file: FileIr, bound: string): boolean {
  return !mayPromise(unit, file, bound, 0);
}

/** `dyn Handler<S>` of a trait of the unit that asks for `Send` itself: whatever implements it has no `S` in it that is not. */
function isPromised(unit: UnitFacts, file: FileIr, type: TypeRef): boolean {
  return boundsOf(type).some((bound) => {
    const name = /([A-Za-z_]\w*)\s*(?:<[\s\S]*)?$/u.exec(bound)?.[1] ?? '';
    const declared = unit.typesNamed(name, 'rust').map(({ item }) => item);
    return (
      declared.length > 0 &&
      declared.every(({ kind, bases }) => kind === 'trait' && bases.some((base) => mayPromise(unit, file, base, 1)))
    );
  });
}

/** Whether a bound implies `Send` or `Sync`, or comes from elsewhere so that it may. */
function mayPromise(unit: UnitFacts, file: FileIr, bound: string, depth: number): boolean {
  if (/\b(?:Send|Sync)\b/u.test(bound)) return true;
  if (bound.startsWith("'") || bound.startsWith('?') || bound.startsWith('~')) return false;
  const name = /([A-Za-z_]\w*)\s*(?:<[\s\S]*|\([\s\S]*)?$/u.exec(bound.replace(/^for\s*<[^>]*>\s*/u, ''))?.[1] ?? bound;
  if (SILENT_TRAITS.has(name)) return false;
  const decl = depth < 4 ? unit.oracle('rust').declaration(name, file.path) : undefined;
  if (decl?.kind !== 'trait') return true;
  return decl.bases.some((base) => mayPromise(unit, file, base, depth + 1)) || isPromiseOfThreads(unit, file, decl);
}

/** `unsafe trait MostlySend`: whoever implements it promises what its name or its documentation says of threads. */
function isPromiseOfThreads(unit: UnitFacts, file: FileIr, decl: TypeDecl): boolean {
  const declaring = declaringFile(unit, file, decl);
  const text = declaring && unit.textOf(declaring.path);
  if (
    text === undefined ||
    !/^[^{]*\bunsafe\s+(?:auto\s+)?trait\b/u.test(text.slice(decl.span.start, decl.nameSpan.end))
  )
    return false;
  const lines = text
    .slice(Math.max(0, decl.span.start - 2000), decl.span.start)
    .split('\n')
    .slice(0, -1);
  const first = lines.findLastIndex((line) => !/^\s*(?:\/\/\/|#\[)/u.test(line)) + 1;
  const said = lines.slice(first).join(' ');
  return (
    /Send|Sync|Thread/u.test(decl.name) ||
    (/\b(?:Send|Sync|[Tt]hreads?)\b/u.test(said) &&
      !/\b(?:not|never|no|without|\w+n't)\b[^.]*\b(?:Send|Sync|[Tt]hreads?)\b/u.test(said))
  );
}

function allowsNonSend(attributes: TypeDecl['attributes']): boolean {
  return attributes.some(
    (a) => /^(?:allow|expect)$/u.test(a.name) && (a.args ?? '').includes('non_send_fields_in_send_ty'),
  );
}

function isRc(file: FileIr, type: TypeRef): boolean {
  if (type.name !== 'Rc' && type.name !== 'Weak') return false;
  if (type.path.length > 1) return type.path.includes('rc');
  const imported = file.imports.find((i) => i.name === type.name);
  if (imported) return imported.path.includes('rc');
  return type.name === 'Rc';
}

/** Values that only the JavaScript thread may touch: of napi-rs, Node-API, neon, wasm-bindgen and V8. */
function isHandle(unit: UnitFacts, file: FileIr, type: TypeRef, ownsDrop: boolean): boolean {
  const head = type.path.length > 1 ? type.path[0] : undefined;
  const imported = head === undefined ? file.imports.find((i) => i.name === type.name && !i.isGlob) : undefined;
  const origin = head ?? imported?.path[0];
  // `use self::web_sys::AudioContext` in a crate that declares its dependencies at its root.
  if ((origin !== undefined && WASM.has(origin)) || imported?.path.some((s) => WASM.has(s)) === true) return true;
  if (origin === 'v8') return V8_TYPES.has(type.name);
  if (type.name === 'JsValue' && origin === undefined) return hasGlob(file, /^wasm_bindgen$/u);
  const known = findNapiType(type.name);
  if (known) {
    // A type that gives its reference back itself is judged by where its `drop` may run.
    if (known.library === 'napi-sys')
      return known.kind === 'handle' || ((known.kind === 'env' || known.kind === 'reference') && !ownsDrop);
    if (known.kind !== 'env' && known.kind !== 'handle' && known.kind !== 'view' && known.kind !== 'reference')
      return false;
    if ((known.v3 ?? known.v2)?.send === true) return false;
    if (origin !== undefined)
      return (
        /^napi(?:_ohos)?$/u.test(origin) || (head !== undefined && /^(?:bindgen_prelude|bindgen_runtime)$/u.test(head))
      );
    return hasGlob(file, /^napi(?:_ohos)?$/u) && unit.oracle('rust').declaration(type.name, file.path) === undefined;
  }
  if (/^(?:Handle|Js[A-Z]\w*|Cx|(?:Function|Module|Method|Call|Task|Execute|Compute)Context)$/u.test(type.name))
    return origin === 'neon' || (origin === undefined && hasGlob(file, /^neon$/u));
  return false;
}

function hasGlob(file: FileIr, crate: RegExp): boolean {
  return file.imports.some((i) => i.isGlob === true && crate.test(i.path[0] ?? ''));
}
