import type { FileIr, FunctionIr, ImplDecl, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { implAround } from './rust-code.js';
import { promisesNothing } from './thread-bound.js';
import type { UnitFacts } from './unit.js';

/** A method by `&self` that contradicts what a type is declared `Sync` or `Send` for. */
export interface SharedContent {
  /**
   * `peeks`: it lends the content, so that two threads see one value at once, which asks for `Sync`; `passes`: it takes the content in or
   * gives it away, so that the value changes threads, which asks for `Send`; `clones`: it lends the content of a value whose clones, one of
   * which may be sent, have the same content.
   */
  readonly kind: 'peeks' | 'passes' | 'clones';
  readonly parameter: string;
  readonly method: string;
  readonly span: Span;
}

/** A guard that the compiler makes `Sync` because the lock in it is, though it lends the content. */
export interface SharingGuard {
  readonly decl: TypeDecl;
  readonly parameter: string;
  readonly field: string;
  readonly fieldSpan: Span;
  readonly lock: string;
  readonly deref: Span;
}

/** Content that each thread has for itself. */
const BY_THREAD = /\bThreadId\b|\bthread_id\b|\bthread::current\b|\bThreadLocal\b/u;

/** What an `unsafe impl Sync` or `Send` asks of the type's parameters too little for what the type's own methods do with them. */
export function findSharedContent(unit: UnitFacts, file: FileIr, impl: ImplDecl): SharedContent | undefined {
  if (impl.trait?.name !== 'Sync' && impl.trait?.name !== 'Send') return undefined;
  const decl = unit.oracle('rust').declaration(impl.target.name, file.path);
  const text = unit.textOf(file.path) ?? '';
  if (!decl || BY_THREAD.test(text)) return undefined;
  for (const { name, bounds } of impl.generics) {
    const index = impl.target.args.findIndex((a) => a.kind === 'path' && a.name === name);
    if (index < 0) continue;
    const isSend = bounds.some((b) => /\bSend\b/u.test(b));
    const isSync = bounds.some((b) => /\bSync\b/u.test(b));
    if (isSend === isSync || !bounds.every((b) => /\b(?:Send|Sync)\b/u.test(b) || promisesNothing(unit, file, b)))
      continue;
    if (impl.trait.name === 'Send' && (!isSend || !sharesByClone(unit, file, decl, index))) continue;
    for (const method of file.functions) {
      // What makes sharing sound must be asked for where the content is used: `Send` where it is moved, `Sync` where it is seen.
      const parameter = parameterOf(file, method, decl, index, isSend ? /\b(?:Sync|Copy)\b/u : /\b(?:Send|Copy)\b/u);
      if (parameter === undefined) continue;
      if (impl.trait.name === 'Send') {
        if (!lends(text, file, method, parameter)) continue;
        return { kind: 'clones', parameter: name, method: method.name, span: method.nameSpan };
      }
      if (isSend && (lends(text, file, method, parameter) || clonesOut(text, method, parameter)))
        return { kind: 'peeks', parameter: name, method: method.name, span: method.nameSpan };
      if (isSync && isInCell(decl, index) && handsOver(method, parameter))
        return { kind: 'passes', parameter: name, method: method.name, span: method.nameSpan };
    }
  }
  return undefined;
}

/**
 * Whether a clone of the value leads to the same content: it is made without one that can be cloned and without a new block, or is a copy
 * of a pointer. Content of which there is no pointer is not shared.
 */
function sharesByClone(unit: UnitFacts, file: FileIr, decl: TypeDecl, index: number): boolean {
  const text = unit.textOf(file.path) ?? '';
  const own = decl.generics.filter((g) => !g.name.startsWith("'"))[index]?.name;
  const points = new RegExp(`(?:\\*\\s*(?:const|mut)\\s+|\\b(?:NonNull|Unique)\\s*<)[^;]*\\b${own ?? ''}\\b`, 'u');
  if (own === undefined || !decl.fields.some((f) => points.test(f.type?.text ?? ''))) return false;
  if (decl.attributes.some((a) => a.name === 'derive' && /\b(?:Clone|Copy)\b/u.test(a.args ?? ''))) return true;
  return file.impls.some((i) => {
    if (i.trait?.name !== 'Clone' || i.target.name !== decl.name) return false;
    const parameter = i.target.args[index]?.name;
    const clone = file.functions.find((f) => i.span.start <= f.span.start && f.span.end <= i.span.end);
    if (clone?.bodySpan && MAKES_ANEW.test(text.slice(clone.bodySpan.start, clone.bodySpan.end))) return false;
    return i.generics.some((g) => g.name === parameter && !g.bounds.some((b) => asksForClone(unit, file, b)));
  });
}

const MAKES_ANEW =
  /\bBox\s*::\s*(?:new|into_raw|leak)\b|\balloc(?:_zeroed)?\s*\(|\(\s*\*\*self\s*\)\s*\.\s*(?:to_owned|clone)\s*\(/u;

/** `Clone`, `Copy`, or a trait of the unit that asks for one of them. */
function asksForClone(unit: UnitFacts, file: FileIr, bound: string, depth = 0): boolean {
  if (/\b(?:Clone|Copy)\b/u.test(bound)) return true;
  const name = /^(?:\w+\s*::\s*)*(\w+)/u.exec(bound.trim())?.[1];
  const decl = name !== undefined && depth < 4 ? unit.oracle('rust').declaration(name, file.path) : undefined;
  return decl?.kind === 'trait' && decl.bases.some((base) => asksForClone(unit, file, base, depth + 1));
}

/** The name that the type's parameter at the index has where the method by `&self` stands; undefined where more is asked of it there. */
function parameterOf(file: FileIr, fn: FunctionIr, decl: TypeDecl, index: number, enough: RegExp): string | undefined {
  if (fn.owner !== decl.name || fn.self?.mode !== 'shared' || fn.isUnsafe || fn.isTest) return undefined;
  // Whoever shows a token of a critical section, of a lock or of a thread is alone.
  if (fn.params.some((p) => /(?:Section|Token|Marker|Guard|Key|Lock)$|^Python$/u.test(p.type?.name ?? '')))
    return undefined;
  // What only the package calls, it may call in the right order.
  if (fn.trait === undefined && !fn.isPublic && decl.isPublic) return undefined;
  const around = implAround(file, fn);
  const name = around?.target.args[index]?.name;
  if (name === undefined || !around) return undefined;
  const generics = [...around.generics, ...fn.generics];
  // `impl<T> Mutex<ThreadMode, T>`: what else it asks for may be what makes it sound.
  if (!around.target.args.every((a) => generics.some((g) => g.name === a.name))) return undefined;
  return generics.some((g) => g.name === name && g.bounds.some((b) => enough.test(b))) ? undefined : name;
}

/** Whether the result is, or wraps, a shared reference to the parameter; `deref` of what dereferences to it. */
function lends(text: string, file: FileIr, fn: FunctionIr, parameter: string): boolean {
  if (fn.trait === 'Deref') return targetOf(text, file, fn) === parameter;
  if (fn.trait !== undefined && !/^(?:AsRef|Borrow|Index)$/u.test(fn.trait)) return false;
  return fn.returns !== undefined && refersTo(fn.returns, parameter);
}

/** Whether the method gives away a clone of the content that it makes through `&self`, with no lock around it. */
function clonesOut(text: string, fn: FunctionIr, parameter: string): boolean {
  const result =
    fn.returns?.kind === 'path' && /^(?:Option|Result)$/u.test(fn.returns.name) ? fn.returns.args[0] : fn.returns;
  if (result?.kind !== 'path' || result.name !== parameter || !fn.bodySpan) return false;
  const body = text.slice(fn.bodySpan.start, fn.bodySpan.end);
  return (
    /\bself\b[^;{}]*\.\s*(?:clone|cloned)\s*\(\s*\)/u.test(body) &&
    !/lock|\.\s*(?:read|write|borrow|acquire|enter|with|compare_exchange|swap)\w*\s*\(/u.test(body)
  );
}

function refersTo(type: TypeRef, parameter: string): boolean {
  if (type.kind === 'reference') {
    const inner = type.element?.kind === 'slice' ? type.element.element : type.element;
    return type.mutable !== true && inner?.kind === 'path' && inner.name === parameter;
  }
  return (
    type.kind === 'path' &&
    /^(?:Option|Result)$/u.test(type.name) &&
    type.args[0] !== undefined &&
    refersTo(type.args[0], parameter)
  );
}

/** What a `deref` gives: its result as written, or `type Target = T;` of the impl block around. */
function targetOf(text: string, file: FileIr, fn: FunctionIr): string | undefined {
  const direct = fn.returns?.kind === 'reference' ? fn.returns.element : undefined;
  if (direct?.kind === 'path' && direct.path.length === 1) return direct.name;
  const around = implAround(file, fn);
  return around && /\btype\s+Target\s*=\s*(\w+)\s*;/u.exec(text.slice(around.span.start, around.span.end))?.[1];
}

/** Whether a field keeps the parameter in a cell that a shared reference can write. */
function isInCell(decl: TypeDecl, index: number): boolean {
  const name = decl.generics.filter((g) => !g.name.startsWith("'"))[index]?.name;
  if (name === undefined) return false;
  const cell = new RegExp(`\\b(?:Sync)?UnsafeCell\\s*<[^;]*\\b${name}\\b`, 'u');
  return decl.fields.some((f) => cell.test(f.type?.text ?? ''));
}

/** Whether the method takes a value of the parameter, has one made by a closure, or gives one away. */
function handsOver(fn: FunctionIr, parameter: string): boolean {
  const isValue = (type: TypeRef | undefined): boolean =>
    type?.kind === 'path' &&
    (type.name === parameter ||
      (/^(?:Option|Result|Box)$/u.test(type.name) && type.args[0] !== undefined && isValue(type.args[0])));
  if (isValue(fn.returns)) return true;
  const makes = new RegExp(
    `\\bFn(?:Mut|Once)?\\s*\\([^)]*\\)\\s*->\\s*(?:Option\\s*<\\s*|Result\\s*<\\s*)?${parameter}\\b`,
    'u',
  );
  return (
    fn.params.some((p) => isValue(p.type) || makes.test(p.type?.text ?? '')) ||
    fn.generics.some((g) => g.bounds.some((b) => makes.test(b)))
  );
}

/** Guards of a lock that is `Sync` for content that is only `Send`: without a word of their own they are `Sync` for the same content. */
export function findSharingGuards(unit: UnitFacts, file: FileIr, impl: ImplDecl): readonly SharingGuard[] {
  if (impl.trait?.name !== 'Sync' || impl.isNegative) return [];
  const only = impl.generics.filter(
    ({ name, bounds }) =>
      impl.target.args.some((a) => a.kind === 'path' && a.name === name) &&
      bounds.some((b) => /\bSend\b/u.test(b)) &&
      bounds.every((b) => /\bSend\b/u.test(b) || promisesNothing(unit, file, b)),
  );
  const [content] = only;
  if (!content || only.length > 1) return [];
  const at = impl.target.args.findIndex((a) => a.name === content.name);
  return file.types.flatMap((decl): SharingGuard[] => {
    if (decl.kind !== 'struct' || decl.isTest || !decl.isPublic || isLimited(file, decl)) return [];
    const field = decl.fields.find((f) => lockIn(f.type)?.name === impl.target.name);
    const lock = lockIn(field?.type);
    const parameter = lock?.args[at]?.name;
    if (!field || !lock || parameter === undefined || !decl.generics.some((g) => g.name === parameter)) return [];
    const index = decl.generics.filter((g) => !g.name.startsWith("'")).findIndex((g) => g.name === parameter);
    const deref = file.functions.find(
      (f) => f.trait === 'Deref' && f.owner === decl.name && derefsTo(unit.textOf(file.path) ?? '', file, f, index),
    );
    return deref
      ? [{ decl, parameter, field: field.name, fieldSpan: field.span, lock: lock.name, deref: deref.nameSpan }]
      : [];
  });
}

/** `&'a Mutex<T>`, `Arc<Mutex<T>>`. */
function lockIn(type: TypeRef | undefined): TypeRef | undefined {
  if (type?.kind === 'reference' && type.mutable !== true) return type.element;
  return type?.kind === 'path' && type.name === 'Arc' ? type.args[0] : undefined;
}

function derefsTo(text: string, file: FileIr, fn: FunctionIr, index: number): boolean {
  const around = implAround(file, fn);
  const name = around?.target.args[index]?.name;
  return name !== undefined && targetOf(text, file, fn) === name;
}

/** Whether the type says itself who may share it: by an impl, or by a field that is not `Sync` for every content. */
function isLimited(file: FileIr, decl: TypeDecl): boolean {
  if (file.impls.some((i) => i.trait?.name === 'Sync' && i.target.name === decl.name)) return true;
  const names = decl.generics.map((g) => g.name).filter((g) => !g.startsWith("'"));
  return decl.fields.some(({ type }) => {
    if (!type) return true;
    if (/\*\s*(?:const|mut)\b|\b(?:NonNull|Rc|Cell|RefCell|UnsafeCell)\b/u.test(type.text)) return true;
    // A `T` of its own, or the marker of one.
    return type.kind === 'path' && /^(?:PhantomData|ManuallyDrop|Option)$/u.test(type.name)
      ? names.some((g) => new RegExp(`\\b${g}\\b(?!\\s*::)`, 'u').test(type.text))
      : type.kind === 'reference' && type.mutable === true;
  });
}
