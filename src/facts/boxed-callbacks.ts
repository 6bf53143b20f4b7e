import type { FunctionFlow } from '../flow/result.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr, Generic, Param, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

export interface BoxedCallback {
  /** The foreign function that is given the box. */
  readonly callee: string;
  readonly span: Span;
  readonly param: Param;
  /** The type parameter, a closure without a lifetime bound. */
  readonly type: string;
  /** A value of a type parameter instead, given away with a function for that type. */
  readonly isValue?: boolean;
  /** The returned value that lives no longer than the closure, but takes nothing back when it ends. */
  readonly guard?: string;
}

/** Foreign functions are told apart by the module that declares them, or by a declaration in the file. */
const FOREIGN_PATH = /(?:^|::)(?:ffi|sys|raw|libc|c|bindings|\w+_sys|\w+_ffi)::\w+$/u;
/** A function of a crate of bindings, in whichever module of it. */
const BINDINGS = /^\w+_sys::(?:\w+::)*[a-z]\w*$/u;
/** Functions that are done with their callback when they return. */
export const CALL_SCOPED =
  /(?:^|_)(?:call|invoke|run|exec|visit|walk|foreach|for_each|iterate|integrate|project|minimi[sz]e|optimi[sz]e|solve|sync|with)(?:_|$)/iu;
const CALLABLE = /\b(?:Fn|FnMut|FnOnce)\b/u;

/**
 * Closures of a type parameter that a function boxes, takes apart (`Box::into_raw`) and gives to foreign code, although the type has
 * no lifetime bound: the closure may borrow what ends while the library still calls it.
 */
export function findBoxedCallbacks(
  file: FileIr,
  text: string,
  fn: FunctionIr,
  flow: FunctionFlow,
  resolve: (type: TypeRef) => TypeRef | undefined,
  isDropped: (type: string) => boolean,
  traitNamed: (name: string) => TypeDecl | undefined,
): readonly BoxedCallback[] {
  // What an `unsafe fn` keeps is its caller's contract.
  if (!fn.body || !fn.bodySpan || fn.isUnsafe) return [];
  const candidates = fn.params.flatMap((param): Candidate[] => {
    const lent = borrowingBox(fn, param.type, resolve);
    if (lent) return [{ param, generic: lent }];
    const generic = genericOf(fn, param.type);
    if (!generic) return [];
    if (isUnboundedClosure(fn, generic, param)) return [{ param, generic }];
    const guard = tiedTo(fn, generic);
    if (guard !== undefined && !isDropped(guard)) return [{ param, generic, guard }];
    return mayBorrow(fn, generic, traitNamed) ? [{ param, generic, isValue: true }] : [];
  });
  const own = fn.ownerKind === 'trait' && fn.self?.mode === 'value' ? traitNamed(fn.owner ?? '') : undefined;
  if (fn.self && own) {
    const generic = { name: 'Self', bounds: own.bases };
    if (mayBorrow(fn, generic, traitNamed))
      candidates.push({ param: { name: 'self', span: fn.self.span, modifiers: ['self'] }, generic, isValue: true });
  }
  if (candidates.length === 0) return [];
  const boxes = new Map<string, readonly string[]>();
  const raws = new Map<string, { contents: readonly string[]; span: Span }>();
  const direct: { contents: readonly string[]; span: Span }[] = [];
  const variables = new Map<string, Span>();
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && statement.init)
      variables.set(statement.pattern.name, statement.init.span);
    if (expr.kind !== 'call') return;
    const bound = statement?.kind === 'let' && statement.pattern.kind === 'bind' ? statement.pattern.name : undefined;
    const own = boxedNames(file, expr);
    if (own.length > 0 && bound !== undefined) boxes.set(bound, own);
    const argument = partsWithBox(expr) ? expr.args[0]?.value : undefined;
    if (!argument) return;
    const name = plainName(argument);
    const given = fn.params.flatMap((p) => (p.name === name && isCounted(p.type) ? [p.name] : []));
    const inside = boxedNames(file, argument).flatMap((inner) => boxes.get(inner) ?? [inner]);
    const contents = [inside, boxes.get(name ?? '') ?? [], given].find((names) => names.length > 0);
    if (contents === undefined) return;
    if (bound !== undefined) raws.set(bound, { contents, span: expr.span });
    direct.push({ contents, span: expr.span });
  });
  // A record that is made of the pointer carries it.
  for (const [name, init] of variables) {
    const inside = direct.find((d) => init.start <= d.span.start && d.span.end <= init.end);
    if (inside && !raws.has(name)) raws.set(name, inside);
  }
  const found: BoxedCallback[] = [];
  for (const call of flow.calls) {
    const placed = placedValue(file, text, fn, call, candidates);
    if (placed && !found.some((f) => f.type === placed.generic.name))
      found.push({
        callee: call.callee,
        span: call.span,
        param: placed.param,
        type: placed.generic.name,
        isValue: true,
      });
    const typed = typedCallbacks(file, call.expr);
    if (
      call.method ||
      (!isForeign(file, call.callee) && !KEEPERS.test(call.callee) && (typed.size === 0 || call.resolved)) ||
      CALL_SCOPED.test(call.callee.split('::').at(-1) ?? '')
    )
      continue;
    for (const span of call.argSpans) {
      const argument = text.slice(span.start, span.end);
      const given =
        direct.find((d) => span.start <= d.span.start && d.span.end <= span.end)?.contents ??
        [...raws].find(([name]) => new RegExp(`\\b${name}\\b`, 'u').test(argument))?.[1].contents;
      const candidate =
        given &&
        candidates.find(
          (c) =>
            ((c.isValue !== true && (isForeign(file, call.callee) || KEEPERS.test(call.callee))) ||
              // Whatever it is called by, it is given a foreign function for the type beside the box.
              typed.has(c.generic.name)) &&
            given.some((name) => isFrom(text, fn, name, c.param)),
        );
      if (candidate && !found.some((f) => f.type === candidate.generic.name))
        found.push({
          callee: call.callee,
          span: call.span,
          param: candidate.param,
          type: candidate.generic.name,
          ...(candidate.guard === undefined ? {} : { guard: candidate.guard }),
          ...(candidate.isValue === true ? { isValue: true } : {}),
        });
    }
  }
  return found;
}

/**
 * `ptr::write(&raw mut (*object).value, value)` in a block that a foreign function made, beside functions of the file for the value's
 * type (`finish::<T>`), which foreign code calls: the value is then the object's.
 */
function placedValue(
  file: FileIr,
  text: string,
  fn: FunctionIr,
  call: FunctionFlow['calls'][number],
  candidates: readonly Candidate[],
): Candidate | undefined {
  const [to, from] = call.argSpans;
  if (!/(?:^|::)ptr::write$/u.test(call.callee) || !to || !from || !fn.bodySpan) return undefined;
  const value = text.slice(from.start, from.end);
  const candidate = candidates.find((c) => c.isValue === true && c.param.name === value);
  const block = /\(\s*\*\s*(\w+)\s*\)/u.exec(text.slice(to.start, to.end))?.[1] ?? text.slice(to.start, to.end);
  if (!candidate || !/^\w+$/u.test(block)) return undefined;
  const body = text.slice(fn.bodySpan.start, fn.bodySpan.end);
  const typed = new RegExp(`\\b(\\w+)\\s*::\\s*<\\s*${candidate.generic.name}\\s*>\\s*[),]`, 'gu');
  const isCalledBack = [...body.matchAll(typed)].some(([, name]) =>
    file.functions.some((f) => f.name === name && f.abi !== undefined && f.bodySpan !== undefined),
  );
  // What Rust allocates is freed by somebody who knows the type.
  const made = new RegExp(`\\blet\\s+(?:mut\\s+)?${block}\\b[^=;]*=\\s*([^;]*)`, 'u').exec(body)?.[1];
  return isCalledBack && made !== undefined && !/\b(?:Box|Arc|Rc|Layout|alloc|as_mut_ptr)\b/u.test(made)
    ? candidate
    : undefined;
}

interface Candidate {
  readonly param: Param;
  readonly generic: Generic;
  readonly guard?: string;
  readonly isValue?: boolean;
}

/** Traits of the standard library that types with borrows may have. */
const LENDING =
  /^\??(?:Sized|Send|Sync|Clone|Copy|Debug|Display|Default|Drop|PartialEq|Eq|PartialOrd|Ord|Hash|Unpin|AsRef<.*>|AsMut<.*>|Deref<.*>|DerefMut<.*>|Into<.*>)$/u;

/** A type parameter whose bounds are all known, and none of which rules out that a value of it borrows. */
function mayBorrow(
  fn: FunctionIr,
  generic: Generic,
  traitNamed: (name: string) => TypeDecl | undefined,
  depth = 0,
): boolean {
  if (fn.returns?.lifetimes !== undefined && fn.returns.lifetimes.length > 0) return false;
  return generic.bounds.every((bound) => {
    const plain = bound.trim().split('::').at(-1) ?? '';
    if (LENDING.test(plain)) return true;
    // `Scope<'a>` among the parameters says how long `T: Task<'a>` lives.
    const tie = /'\w+/u.exec(plain)?.[0];
    if (tie !== undefined && fn.params.some((p) => p.type?.text.includes(tie) === true)) return false;
    // `Visit<A, B>`: a trait of the unit, whatever it is given.
    const name = /^(?:\w+::)*(\w+)(?:<.*>)?$/u.exec(bound.trim())?.[1];
    const declared = name !== undefined && depth < 3 ? traitNamed(name) : undefined;
    return (
      declared !== undefined && mayBorrow(fn, { name: declared.name, bounds: declared.bases }, traitNamed, depth + 1)
    );
  });
}

/** The types for which foreign code is given a function in the call: `T` of `finish::<T>`, an `extern "C"` function of the file. */
function typedCallbacks(file: FileIr, expr: Expr): ReadonlySet<string> {
  const found = new Set<string>();
  if (expr.kind !== 'call') return found;
  for (const { value } of expr.args) {
    const named = value.kind === 'call' && isPath(value, 'Some') ? value.args[0]?.value : value;
    const inner = named?.kind === 'cast' ? named.value : named;
    if (inner?.kind !== 'name') continue;
    const name = inner.path.at(-1);
    if (!file.functions.some((f) => f.name === name && f.abi !== undefined)) continue;
    for (const type of inner.typeArgs ?? []) found.add(type.text);
  }
  return found;
}

/** `Box<dyn FnMut() + 'a>`, also by an alias with a lifetime: a closure that may borrow, whoever made the box. */
function borrowingBox(
  fn: FunctionIr,
  type: TypeRef | undefined,
  resolve: (type: TypeRef) => TypeRef | undefined,
): Generic | undefined {
  if (type?.kind !== 'path') return undefined;
  if (type.name === 'Option') return borrowingBox(fn, type.args[0], resolve);
  if (type.lifetimes?.includes("'static") === true) return undefined;
  const plain = resolve(type);
  const content = plain?.kind === 'path' && plain.name === 'Box' ? plain.args[0] : undefined;
  if (!content || !CALLABLE.test(content.text)) return undefined;
  const lifetime = /\+\s*('\w+)\s*(?:\+|$|>)/u.exec(content.text)?.[1];
  // A lifetime that the type itself is declared with ties the two together.
  const isOwn = plain === type && !fn.generics.some((g) => g.name === lifetime);
  if (lifetime === undefined || lifetime === "'static" || isOwn) return undefined;
  return { name: type.text, bounds: [] };
}

/** The type parameter that a type is made of; `impl FnMut()` is one without a name of its own. */
function genericOf(fn: FunctionIr, type: TypeRef | undefined): Generic | undefined {
  if (type?.text.startsWith('impl ') === true)
    return {
      name: type.text,
      bounds: type.text
        .slice('impl '.length)
        .split('+')
        .map((bound) => bound.trim()),
    };
  if (type?.kind !== 'path') return undefined;
  if (type.name === 'Option' || isCounted(type)) return genericOf(fn, type.args[0]);
  return fn.generics.find((g) => g.name === type.name);
}

/** What a waker calls is kept like a callback, whatever its trait. */
const KEEPERS = /(?:^|::)RawWaker::new$/u;

function isUnboundedClosure(fn: FunctionIr, generic: Generic, param: Param): boolean {
  // `'a` inside `FnMut(&'a T)` is a lifetime of an argument; as a bound of its own it limits the closure.
  if (generic.bounds.some((b) => b.trim().startsWith("'"))) return false;
  // A closure that is tied to the value it is stored in ends with it.
  if (fn.returns?.lifetimes !== undefined && fn.returns.lifetimes.length > 0) return false;
  return isCounted(param.type) ? generic.bounds.length > 0 : generic.bounds.some((b) => CALLABLE.test(b));
}

/** The type of the returned value that carries a closure's own lifetime: `F: Fn() + 'a` in a function that returns a `Guard<'a>`. */
function tiedTo(fn: FunctionIr, generic: Generic): string | undefined {
  const own = generic.bounds.find((b) => b.trim().startsWith("'") && b.trim() !== "'static")?.trim();
  if (own === undefined || !generic.bounds.some((b) => CALLABLE.test(b))) return undefined;
  let guard = fn.returns;
  while (guard?.kind === 'path' && /^(?:Result|Option)$/u.test(guard.name)) guard = guard.args[0];
  if (guard?.kind !== 'path' || guard.lifetimes?.includes(own) !== true) return undefined;
  return guard.name === 'Self' ? fn.owner : guard.name;
}

/** A value that the caller counts or boxed: it can be taken apart as it is. */
function isCounted(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && /^(?:Arc|Rc|Box)$/u.test(type.name);
}

function isForeign(file: FileIr, callee: string): boolean {
  const [head = '', ...rest] = callee.split('::');
  const entry = file.imports.find((one) => one.kind === 'use' && one.name === head && one.isGlob !== true);
  const whole = entry ? [...entry.path, ...rest].join('::') : callee;
  return (
    FOREIGN_PATH.test(whole) ||
    BINDINGS.test(whole) ||
    file.functions.some((f) => f.name === callee && f.abi !== undefined && f.body === undefined && f.skipped !== true)
  );
}

function isPath(expr: Expr, ...path: readonly string[]): expr is ExprOf<'call'> {
  if (expr.kind !== 'call' || expr.callee.kind !== 'name') return false;
  const tail = expr.callee.path.slice(-path.length);
  return tail.length === path.length && tail.every((s, i) => s === path[i]);
}

function plainName(expr: Expr): string | undefined {
  return expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
}

/** `Box::into_raw(..)`, `Arc::into_raw(..)`, `Box::leak(..)`: what is given to it has no owner afterwards. */
function partsWithBox(expr: ExprOf<'call'>): boolean {
  if (expr.callee.kind !== 'name') return false;
  const [owner, name] = expr.callee.path.slice(-2);
  return (name === 'into_raw' && /^(?:Box|Arc|Rc)$/u.test(owner ?? '')) || (name === 'leak' && owner === 'Box');
}

/** `x` of `Box::new(x)` and of `Box::new(Box::new(x) as Callback)`; `x` and `y` of `Box::new((x, y))`, and of a struct that is boxed. */
function boxedNames(file: FileIr, expr: Expr): readonly string[] {
  const content = isPath(expr, 'Box', 'new') ? expr.args[0]?.value : undefined;
  return content ? namesIn(file, content) : [];
}

const WRAPS = /^(?:(?:Option::)?Some|(?:Cell|RefCell|UnsafeCell|Mutex|RwLock|ManuallyDrop)::new)$/u;

function namesIn(file: FileIr, content: Expr): readonly string[] {
  switch (content.kind) {
    case 'cast':
      return namesIn(file, content.value);
    case 'tuple':
      return content.items.flatMap((item) => namesIn(file, item));
    case 'struct':
      return content.fields.flatMap(({ value }) => namesIn(file, value));
    case 'name':
      return content.path.length === 1 ? content.path : [];
    case 'closure':
      return calledNames(file, content.functionId);
    case 'call': {
      // `Some(x)`, from which it is taken when it is called, and cells.
      const [inner] = content.args;
      return inner && content.callee.kind === 'name' && WRAPS.test(content.callee.path.slice(-2).join('::'))
        ? namesIn(file, inner.value)
        : boxedNames(file, content);
    }
    default:
      return boxedNames(file, content);
  }
}

/** What a closure calls by a name of its own: it holds that. */
function calledNames(file: FileIr, functionId: number): readonly string[] {
  const body = file.functions.find((f) => f.id === functionId)?.body;
  const names: string[] = [];
  if (body)
    walkBody(body, ({ expr }) => {
      if (expr.kind === 'call') names.push(plainName(expr.callee) ?? '');
    });
  return names.filter((name) => name !== '');
}

/** Whether a variable is the parameter, or what an `Option` of it holds. */
function isFrom(text: string, fn: FunctionIr, name: string, param: Param): boolean {
  if (name === param.name) return true;
  const body = text.slice(fn.bodySpan?.start ?? 0, fn.bodySpan?.end ?? 0);
  return (
    new RegExp(`\\bSome\\s*\\(\\s*(?:mut\\s+)?${name}\\s*\\)`, 'u').test(body) &&
    new RegExp(`\\b(?:match|=)\\s+${param.name}\\b`, 'u').test(body)
  );
}
