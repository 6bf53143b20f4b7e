import { ACTS } from '../facts/handing-on.js';
import { bindingsOf, typeOfSource, type Bindings, type Source } from '../facts/raw-views.js';
import { lineOf } from '../facts/lines.js';
import { findSharedWrite, LENDS_EXCLUSIVELY, WRITES_SHARED } from '../facts/shared-writes.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, Pattern, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const CASTS = ['*mut ', 'cast_mut', 'as *mut'];
const FILLS = ['write_bytes', 'copy_nonoverlapping', 'from_raw_parts_mut'];

export default defineRule({
  meta: {
    id: 'aliasing-cast',
    title: 'Write through a shared reference',
    summary: 'A shared reference is cast to a mutable pointer, and what it refers to is written through that pointer.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'preview',
    since: '0.1.0',
    cwe: ['CWE-758'],
    messages: {
      written:
        "'{source}' is only borrowed as shared, yet '{cast}' makes a mutable pointer of it and line {line} writes through that: the compiler takes what is behind '{source}' for unchanging, and another thread may read it.",
      constant:
        "'{source}' is a constant, yet '{cast}' makes a mutable pointer of it and line {line} writes through that: most systems keep it in memory that cannot be written.",
      lends:
        "'{function}' gives out '{type}' by '&self' (line {line}): two calls make two exclusive references, which may be to the same value.",
      overwrites:
        "'{function}' writes by '&self' (line {line}) what '{lender}' (line {lent}) lends as shared: the lent slice changes while it is read.",
    },
    checklist: 'Is everything that is written here behind an UnsafeCell or an exclusive reference?',
    scenarios: [],
  },
  tokens: { rust: [...CASTS, ...FILLS, 'Option<&mut ', 'Result<&mut '] },
  bodyTokens: { rust: [...CASTS, LENDS_EXCLUSIVELY, WRITES_SHARED] },
  bodyRequires: { rust: [ACTS] },
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const fn of file.functions) {
        const shared = findSharedWrite(unit, file, fn);
        if (shared) {
          const { lender } = shared;
          const data = { function: fn.name, type: fn.returns?.text ?? '', line: lineOf(unit, file, shared.at.start) };
          const lent = lender ? lineOf(unit, file, lender.nameSpan.start) : '';
          report({
            messageId: lender ? 'overwrites' : 'lends',
            data: { ...data, lender: lender?.name ?? '', lent },
            at: { file, span: fn.nameSpan },
            steps: [
              ...(lender ? [{ file, span: lender.nameSpan, role: 'borrow' as const, note: 'It is lent here.' }] : []),
              {
                file,
                span: shared.at,
                role: lender ? ('use' as const) : ('borrow' as const),
                note: lender ? 'It is written here.' : 'The exclusive reference is made here.',
              },
            ],
            key: fn.qualifiedName,
            confidence: 'medium',
          });
          continue;
        }
        const { body } = fn;
        if (!body) continue;
        for (const { cast, source, writes } of findWrittenCasts(unit, file, fn, body)) {
          const [first] = writes;
          if (!first) continue;
          const text = (unit.textOf(file.path) ?? '').slice(cast.start, cast.end).replace(/\s+/gu, ' ');
          report({
            messageId: source.isConstant === true ? 'constant' : 'written',
            data: { source: source.text, cast: text, line: lineOf(unit, file, first.start) },
            at: { file, span: cast },
            steps: [
              {
                file,
                span: source.span,
                role: 'borrow',
                note:
                  source.isConstant === true
                    ? `'${source.text}' is a constant.`
                    : `'${source.text}' is lent as shared.`,
              },
              { file, span: cast, role: 'escape', note: 'A mutable pointer is made of it here.' },
              ...writes.slice(0, 3).map((span) => ({ file, span, role: 'use' as const, note: 'It is written here.' })),
            ],
            key: `${fn.qualifiedName}|${source.text}`,
          });
        }
      }
    }
  },
});

interface SharedCast {
  readonly cast: Span;
  readonly source: { readonly text: string; readonly span: Span; readonly isConstant?: boolean };
  /** Nothing but casts between the reference and the pointer: rustc's invalid_reference_casting looks through these. */
  readonly isPlain: boolean;
  /** What the pointer leads to, where nothing says otherwise. */
  readonly type?: TypeRef;
}

type WrittenCast = SharedCast & { readonly writes: Span[] };

interface Scope {
  readonly unit: UnitFacts;
  readonly file: FileIr;
  readonly fn: FunctionIr;
  readonly bindings: Bindings;
  /** Names that a loop or a pattern binds to what a shared reference leads to, and its type. */
  readonly lent: ReadonlyMap<string, TypeRef>;
}

function findWrittenCasts(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): readonly WrittenCast[] {
  const plain: Scope = { unit, file, fn, bindings: bindingsOf(body), lent: new Map() };
  const scope: Scope = { ...plain, lent: lentByPatterns(plain, body) };
  const found = new Map<number, WrittenCast>();
  const reassigned = new Set<string>();
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'assign' && expr.target.kind === 'name') reassigned.add(expr.target.path.join('::'));
  });
  const add = (pointer: Expr | undefined, at: Span, isSeenByCompiler = false): void => {
    const shared = pointer === undefined ? undefined : mutableChain(scope, pointer, reassigned);
    if (!shared || (isSeenByCompiler && shared.isPlain)) return;
    const known = found.get(shared.cast.start);
    if (known) known.writes.push(at);
    else found.set(shared.cast.start, { ...shared, writes: [at] });
  };
  // clippy denies a function that makes `&mut` of its shared argument and gives it back.
  const givesBack = fn.returns?.text.includes('&mut') === true || /&'\w+ mut\b/u.test(fn.returns?.text ?? '');
  walkBody(body, ({ expr }) => {
    switch (expr.kind) {
      case 'assign':
        add(pointerOf(expr.target), expr.span, expr.target.kind === 'deref');
        break;
      case 'address':
        if (expr.mutable && !expr.raw && !givesBack) add(pointerOf(expr.base), expr.span, expr.base.kind === 'deref');
        break;
      case 'method':
        if (WRITES.has(expr.method)) add(expr.receiver, expr.span);
        else if (/^copy_to(?:_nonoverlapping)?$/u.test(expr.method)) add(expr.args[0]?.value, expr.span);
        else if (takesExclusive(scope, expr, reassigned)) add(pointerOf(expr.receiver), expr.span);
        break;
      case 'call': {
        const name = expr.callee.kind === 'name' ? expr.callee.path.slice(-2).join('::') : '';
        if (/(?:^|::)from_raw_parts_mut$/u.test(name) && !/^(?:Vec|String)::/u.test(name)) {
          if (!givesBack) add(expr.args[0]?.value, expr.span);
        } else if (/^(?:ptr::)?(?:copy|copy_nonoverlapping)$/u.test(name)) add(expr.args[1]?.value, expr.span);
        else if (/^ptr::(?:write|write_unaligned|write_volatile)$/u.test(name))
          add(expr.args[0]?.value, expr.span, true);
        else if (/^ptr::(?:write_bytes|replace|swap|swap_nonoverlapping)$/u.test(name))
          add(expr.args[0]?.value, expr.span);
        break;
      }
      default:
        break;
    }
  });
  return [...found.values()];
}

const WRITES: ReadonlySet<string> = new Set([
  'write',
  'write_bytes',
  'write_unaligned',
  'write_volatile',
  'copy_from',
  'copy_from_nonoverlapping',
  'swap',
  'replace',
]);

/** The raw pointer that a written place is behind: `p` of `(*p).a[0]`; undefined for a place behind none. */
function pointerOf(place: Expr): Expr | undefined {
  if (place.kind === 'deref') return place.base;
  if (place.kind === 'field' || place.kind === 'index' || place.kind === 'slice') return pointerOf(place.base);
  return undefined;
}

/** Methods of the collections of std that need `&mut self`. */
const MUTATORS =
  /^(?:push|push_str|push_back|push_front|pop|insert|remove|clear|truncate|extend|extend_from_slice|append|resize|drain|retain|swap_remove|sort|reverse|fill|copy_from_slice)$/u;

/** `(*p).method(…)` where the method takes `&mut self`, by its declaration or by its name on a collection. */
function takesExclusive(scope: Scope, call: ExprOf<'method'>, reassigned: ReadonlySet<string>): boolean {
  const { unit, file, fn } = scope;
  const place = call.receiver;
  const pointer = pointerOf(place);
  const inner = place.kind === 'field' ? place.base : place;
  if (pointer === undefined || inner.kind !== 'deref') return false;
  const type = mutableChain(scope, pointer, reassigned)?.type;
  const owner = type?.name === 'Self' ? fn.owner : type?.name;
  if (owner === undefined) return false;
  const oracle = unit.oracle('rust');
  const field = place.kind === 'field' ? place.name : undefined;
  const receiver =
    field === undefined
      ? owner
      : oracle.declaration(owner, file.path)?.fields.find((f) => f.name === field)?.type?.name;
  if (receiver === undefined) return false;
  if (/^(?:Vec|String|VecDeque|HashMap|HashSet|BTreeMap|BTreeSet)$/u.test(receiver)) return MUTATORS.test(call.method);
  return oracle.method(receiver, call.method, file.path)?.fn.self?.mode === 'mutable';
}

const ARITHMETIC = /^(?:add|sub|offset|wrapping_add|wrapping_sub|wrapping_offset|byte_add|byte_sub|byte_offset)$/u;

/** The cast by which a mutable pointer was made of a shared reference; undefined when it was made of anything else. */
function mutableChain(scope: Scope, expr: Expr, reassigned: ReadonlySet<string>, depth = 0): SharedCast | undefined {
  if (depth > 10) return undefined;
  const next = (inner: Expr): SharedCast | undefined => mutableChain(scope, inner, reassigned, depth + 1);
  switch (expr.kind) {
    case 'name': {
      const [name] = expr.path;
      const bound = expr.path.length === 1 && name !== undefined ? scope.bindings.get(name) : undefined;
      return bound === undefined || reassigned.has(name ?? '') ? undefined : next(bound);
    }
    case 'block':
      return expr.block.statements.length === 0 && expr.block.result ? next(expr.block.result) : undefined;
    case 'cast': {
      const { type } = expr;
      if (type.kind !== 'pointer') return undefined;
      if (type.mutable !== true) return undefined;
      const shared = constChain(scope, expr.value, expr.span, true, depth + 1) ?? next(expr.value);
      return shared && castTo(shared, type.element);
    }
    case 'method': {
      if (expr.method === 'cast_mut') return constChain(scope, expr.receiver, expr.span, true, depth + 1);
      const inner = expr.method === 'cast' || ARITHMETIC.test(expr.method) ? next(expr.receiver) : undefined;
      if (inner && expr.method === 'cast') return castTo(inner, expr.typeArgs?.[0]);
      return inner && { ...inner, isPlain: false };
    }
    default:
      return undefined;
  }
}

/** The cast to a pointer to another type; `_` says nothing. */
function castTo({ type, ...shared }: SharedCast, to: TypeRef | undefined): SharedCast {
  const made = to === undefined || to.text === '_' ? type : to;
  return made ? { ...shared, type: made } : shared;
}

/** What a `*const` pointer, or a reference that is cast, was made of. */
function constChain(scope: Scope, expr: Expr, cast: Span, isPlain: boolean, depth: number): SharedCast | undefined {
  if (depth > 10) return undefined;
  const next = (inner: Expr, plain = isPlain): SharedCast | undefined =>
    constChain(scope, inner, cast, plain, depth + 1);
  switch (expr.kind) {
    case 'cast': {
      const inner = expr.type.kind === 'pointer' && expr.type.mutable !== true ? next(expr.value) : undefined;
      return inner && castTo(inner, expr.type.element);
    }
    case 'block':
      return expr.block.statements.length === 0 && expr.block.result ? next(expr.block.result) : undefined;
    case 'name': {
      const [name] = expr.path;
      if (expr.path.length !== 1 || name === undefined) return undefined;
      const lent = scope.lent.get(name);
      const bound = scope.bindings.get(name);
      if (bound && !lent) return next(bound);
      const type = lent ?? sharedParameter(scope, name);
      return type && mayNotBeWritten(scope, type)
        ? { cast, source: { text: name, span: expr.span }, isPlain: isPlain && !lent, type }
        : undefined;
    }
    case 'address':
      return expr.mutable ? undefined : sharedPlace(scope, expr.base, cast, isPlain && !expr.raw);
    case 'call': {
      const name = expr.callee.kind === 'name' ? expr.callee.path.at(-1) : undefined;
      const [argument] = expr.args;
      return name === 'from_ref' && argument ? next(argument.value) : undefined;
    }
    case 'method':
      if (expr.method === 'cast') {
        const inner = next(expr.receiver);
        return inner && castTo(inner, expr.typeArgs?.[0]);
      }
      if (ARITHMETIC.test(expr.method)) return next(expr.receiver, false);
      return expr.method === 'as_ptr' && expr.args.length === 0
        ? sharedPlace(scope, expr.receiver, cast, false, isContiguous)
        : undefined;
    default:
      return undefined;
  }
}

/** A place inside what a parameter or `self` lends as shared. */
function sharedPlace(
  scope: Scope,
  place: Expr,
  cast: Span,
  isPlain: boolean,
  isWanted: (type: TypeRef) => boolean = () => true,
): SharedCast | undefined {
  if (place.kind === 'method') return lentByCall(scope, place, cast);
  // The text of a literal lies in memory that nobody may write.
  if (place.kind === 'literal' && place.type === 'string')
    return { cast, source: { text: place.text, span: place.span, isConstant: true }, isPlain };
  const path: string[] = [];
  let at: Expr = place;
  for (let depth = 0; depth < 10; depth++) {
    if (at.kind === 'field') {
      path.unshift(at.name);
      at = at.base;
    } else if ((at.kind === 'index' || at.kind === 'slice') && path.length === 0) {
      // An element of a slice that is lent.
      at = at.base;
    } else if (at.kind === 'deref' && (at.base.kind === 'name' || at.base.kind === 'deref')) {
      at = at.base;
    } else if (at.kind === 'name' && at.path.length === 1) {
      // `let list = &self.list;`
      const bound = scope.bindings.get(at.path[0] ?? '');
      if (bound?.kind !== 'address' || bound.mutable || bound.raw) break;
      at = bound.base;
    } else break;
  }
  const [name] = at.kind === 'name' && at.path.length === 1 ? at.path : [];
  if (name === undefined || (scope.bindings.has(name) && !scope.lent.has(name))) return undefined;
  const source: Source = { name, path };
  const own = scope.lent.get(name) ?? sharedParameter(scope, name);
  const lent = own ?? staticOf(scope, name);
  if (lent === undefined || (path.length > 0 && scope.lent.has(name))) return undefined;
  const declared = path.length === 0 ? lent : typeOfSource(scope.unit, scope.file, scope.fn, source);
  // `&**boxed` is what the box holds.
  const type = declared?.kind === 'path' && declared.name === 'Box' ? declared.args[0] : declared;
  if (type === undefined || !isWanted(type) || !mayNotBeWritten(scope, type)) return undefined;
  const text = [name, ...path].join('.');
  return { cast, source: { text, span: place.span, ...(own ? {} : { isConstant: true }) }, isPlain, type };
}

/** The type of an immutable static of the unit. */
function staticOf({ unit, file, fn }: Scope, name: string): TypeRef | undefined {
  if (!/^[A-Z][A-Z0-9_]*$/u.test(name)) return undefined;
  const found = unit.oracle('rust').global(name, file.path, fn.qualifiedName);
  return found?.decl.kind === 'static' && !found.decl.mutable ? found.decl.type : undefined;
}

/** What loops over lent slices and patterns of `Option<&T>` bind, with the type behind the reference. */
function lentByPatterns(scope: Scope, body: Block): ReadonlyMap<string, TypeRef> {
  const found = new Map<string, TypeRef>();
  const parameter = (expr: Expr | undefined): string | undefined => {
    const name = expr?.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
    return name !== undefined && !scope.bindings.has(name) ? name : undefined;
  };
  const bind = (pattern: Pattern, value: Expr): void => {
    const name = parameter(value);
    const type = name === undefined ? undefined : scope.fn.params.find((p) => p.name === name)?.type;
    const content = type?.kind === 'path' && type.name === 'Option' ? type.args[0] : undefined;
    const inner = pattern.kind === 'parts' && pattern.path.at(-1) === 'Some' ? pattern.parts[0]?.pattern : undefined;
    if (
      inner?.kind === 'bind' &&
      content?.kind === 'reference' &&
      content.mutable !== true &&
      content.element &&
      scope.bindings.get(inner.name) === value
    )
      found.set(inner.name, content.element);
  };
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'let-condition') bind(expr.pattern, expr.value);
    if (expr.kind === 'match') for (const arm of expr.arms) bind(arm.pattern, expr.scrutinee);
    if (expr.kind !== 'loop' || !expr.iterable) return;
    const over =
      expr.iterable.kind === 'method' && expr.iterable.method === 'iter' ? expr.iterable.receiver : expr.iterable;
    const name = parameter(over);
    const list = name === undefined ? undefined : sharedParameter(scope, name);
    const [one] = expr.bindings ?? [];
    const element = list?.kind === 'path' && list.name === 'Vec' ? list.args[0] : list?.element;
    if (one?.pattern.kind !== 'bind' || !element || list?.kind === 'reference') return;
    if (!scope.bindings.has(one.pattern.name)) found.set(one.pattern.name, element);
  });
  return found;
}

/** A slice that a method lends as shared: `text.as_bytes()`, or one of the package by its signature. */
function lentByCall(scope: Scope, call: ExprOf<'method'>, cast: Span): SharedCast | undefined {
  const text = (scope.unit.textOf(scope.file.path) ?? '').slice(call.span.start, call.span.end);
  const lent: SharedCast = { cast, source: { text, span: call.span }, isPlain: false };
  if (/^as_(?:bytes|slice|str)$|^to_bytes$/u.test(call.method)) return lent;
  const [name] = call.receiver.kind === 'name' && call.receiver.path.length === 1 ? call.receiver.path : [];
  const type = scope.fn.params.find((parameter) => parameter.name === name)?.type;
  const owner = name === 'self' ? scope.fn.owner : type?.kind === 'reference' ? type.element?.name : type?.name;
  if (owner === undefined) return undefined;
  const files = new Set(scope.unit.implsOf(owner).map(({ file }) => file));
  const named = [...files].flatMap((file) =>
    file.functions.filter((each) => each.name === call.method && each.owner === owner),
  );
  const isLent = named.every(
    ({ returns }) => returns?.kind === 'reference' && isContiguous(returns) && mayNotBeWritten(scope, returns),
  );
  return named.length > 0 && isLent ? lent : undefined;
}

/** The type behind a parameter `&T` or a shared `self`; undefined for all other names. */
function sharedParameter({ fn }: Scope, name: string): TypeRef | undefined {
  if (name === 'self') {
    const { self } = fn;
    if (self?.mode !== 'shared' || fn.owner === undefined) return undefined;
    return { kind: 'path', text: fn.owner, span: self.span, name: fn.owner, path: [fn.owner], args: [] };
  }
  const type = fn.params.find((parameter) => parameter.name === name)?.type;
  return type?.kind === 'reference' && type.mutable !== true ? type.element : undefined;
}

/** `as_ptr` of these gives the address of what they lend; that of `Cell`, `NonNull` and others is meant for writing. */
function isContiguous(type: TypeRef): boolean {
  if (type.kind === 'slice' || type.kind === 'static-array') return true;
  if (type.kind === 'reference')
    return type.mutable !== true && type.element !== undefined && isContiguous(type.element);
  return type.kind === 'path' && /^(?:Vec|String|str|CStr|CString|VecDeque)$/u.test(type.name);
}

const PRIMITIVE = /^(?:[iu](?:8|16|32|64|128|size)|f(?:32|64)|bool|char|str|String|Vec|CStr|CString)$/u;
const CELLS =
  /\b(?:UnsafeCell|SyncUnsafeCell|Cell|RefCell|OnceCell|LazyCell|Atomic\w*|Mutex|RwLock|OnceLock|LazyLock|Condvar|UnsafePinned)\b/u;

/** The type is known, and nothing in it is meant to be written behind a shared reference. */
function mayNotBeWritten(scope: Scope, type: TypeRef, depth = 0): boolean {
  if (CELLS.test(type.text)) return false;
  switch (type.kind) {
    case 'slice':
    case 'static-array':
    case 'reference':
      return type.element !== undefined && mayNotBeWritten(scope, type.element, depth);
    case 'tuple':
      return type.args.every((item) => mayNotBeWritten(scope, item, depth));
    case 'path': {
      if (PRIMITIVE.test(type.name)) return type.args.every((item) => mayNotBeWritten(scope, item, depth + 1));
      // What a type parameter stands for is chosen by the caller, who may choose a plain type.
      if (scope.fn.generics.some((generic) => generic.name === type.name)) return true;
      const decl = scope.unit.oracle('rust').declaration(type.name, scope.file.path);
      if (decl === undefined || decl.kind === 'alias' || decl.kind === 'union') return false;
      return (
        depth > 3 || !decl.fields.some((field) => field.type !== undefined && holdsCell(scope, field.type, depth + 1))
      );
    }
    default:
      return false;
  }
}

/** A field that may be written behind a shared reference; the types of other crates are taken for plain ones. */
function holdsCell(scope: Scope, type: TypeRef, depth: number): boolean {
  if (CELLS.test(type.text)) return true;
  if (depth > 3 || type.kind !== 'path') return false;
  const decl = scope.unit.oracle('rust').declaration(type.name, scope.file.path);
  return decl?.fields.some((field) => field.type !== undefined && holdsCell(scope, field.type, depth + 1)) ?? false;
}
