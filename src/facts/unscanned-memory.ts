import {
  aggregateOf,
  calledName,
  collectedContent,
  hasBody,
  initOf,
  isTypeParameter,
  memberPath,
  methodsOf,
  rootName,
  uncast,
  walkDeep,
} from './d-code.js';
import type { UnitFacts } from './unit.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { withoutAlias } from '../flow/types.js';
import type { Role } from '../model/finding.js';
import { holdsOnlyForeign } from './foreign-content.js';
import { AWARE, AWARE_OF_CONTENT, contentOf, storedType, isComputedType, isAware } from './gc-content.js';

/** Functions that give memory of the C library or of the system, which the collector does not know. */
export const MALLOC = new Set([
  'malloc',
  'calloc',
  'realloc',
  'pureMalloc',
  'pureCalloc',
  'pureRealloc',
  'enforceMalloc',
  'enforceCalloc',
  'enforceRealloc',
  'mmap',
]);

const COLLECTED = new Set(['malloc', 'calloc', 'realloc', 'qalloc']);

/** Memory that a C library gives by its size, as `malloc` does: `g_malloc0`, `sqlite3_malloc`, `lua_newuserdata`. */
const FOREIGN_MEMORY = /^[a-z][A-Za-z0-9]*_(?:(?:m|c|re)alloc(?:0|z|64|_array)?|newuserdata(?:uv)?)$/u;

/** Allocators of the library whose memory the collector does not look into. */
const UNSCANNED_ALLOCATORS = /\b(?:Aligned)?(?:Mallocator|MmapAllocator)\b/u;

const NO_SCAN = " with 'NO_SCAN'";

/** A place where memory that the collector does not look into is used for what may lead to its own memory. */
interface Unscanned {
  readonly span: Span;
  readonly memory: string;
  readonly content: string;
  readonly steps: readonly { readonly file: FileIr; readonly span: Span; readonly role: Role; readonly note: string }[];
  readonly weak?: boolean;
  /** What makes it one finding; its place when absent. */
  readonly cause?: string;
}

/** `cast(T*) malloc(..)`, `cast(T*) (new ubyte[n]).ptr`, `cast(T*) GC.malloc(.., NO_SCAN)` where `T` may hold pointers. */
function castOfUnscanned(unit: UnitFacts, file: FileIr, fn: FunctionIr, walked: Walked): Unscanned | undefined {
  const { expr, around, statement } = walked;
  if (expr.kind !== 'cast') return undefined;
  const type = withoutAlias(expr.type, unit.oracle('d'), file.path);
  const pointee = type?.kind === 'pointer' || type?.kind === 'slice' ? type.element : undefined;
  // A parameter of the template, or a type that its body computes, is no alias of the same name somewhere else.
  const isOpen =
    pointee?.kind === 'path' &&
    (isTypeParameter(file, fn, pointee.name) || isComputedType(unit, file, fn, pointee.name));
  const element = storedType(isOpen ? pointee : withoutAlias(pointee, unit.oracle('d'), file.path));
  if (element === undefined) return undefined;
  const memory = unscannedMemory(file, expr.value, fn) ?? madeBySize(unit, file, fn, walked, element);
  if (memory === undefined || isAware(unit, file, fn, memory.endsWith(NO_SCAN) ? AWARE_OF_CONTENT : AWARE))
    return undefined;
  const content = contentOf(unit, file, fn, element, memory.startsWith("'new "));
  if (content !== undefined) {
    const isApart =
      memory.startsWith('Memory of') &&
      (isForeignThroughout(unit, file, element) ||
        (element.kind === 'slice' &&
          takesOnlyAllocated(file, fn, walked, (name) => MALLOC.has(name) || FOREIGN_MEMORY.test(name))));
    return isApart ? undefined : { span: expr.span, memory, content, steps: [] };
  }
  if (element.kind !== 'pointer') return undefined;
  // A table of pointers: what matters is who fills it.
  const table =
    statement?.kind === 'let' && statement.pattern.kind === 'bind' ? statement.pattern.name : assignedTo(around);
  const filled = table === undefined ? undefined : findCollectedStore(file, fn, table);
  if (filled === undefined) return undefined;
  return {
    span: expr.span,
    memory,
    content: `pointers of type '${element.text}'`,
    steps: [
      {
        file,
        span: filled,
        role: 'escape',
        note: 'The only pointer to a block of the collector is stored in it here.',
      },
    ],
  };
}

/** Functions of C, and none of those of the runtime, which give memory of the collector. */
const OF_C = /^(?!gc_|rt_|thread_)[a-z][a-z0-9]*(?:_[a-z0-9]+)+$/u;

/**
 * `auto whole = cast(Callback!T*) base_new(Callback!T.sizeof);`, where the function then sets what it makes: a library of C gave so much
 * memory as the record takes. What the function stores somewhere else as well is found there.
 */
function madeBySize(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  { expr, statement }: Walked,
  element: TypeRef,
): string | undefined {
  if (expr.kind !== 'cast' || statement?.kind !== 'let' || statement.init !== expr || fn.body === undefined)
    return undefined;
  if (element.kind !== 'path' || fn.generics.some(({ name }) => name === element.name)) return undefined;
  const given = uncast(expr.value);
  const call = given.kind === 'name' && given.path.length === 1 ? initOf(fn, given.path[0] ?? '') : given;
  const name = call?.kind === 'call' ? calledName(call) : undefined;
  if (call?.kind !== 'call' || name === undefined || !OF_C.test(name)) return undefined;
  if (unit.functionsNamed(name, 'd').some(({ item }) => item.body !== undefined)) return undefined;
  const source = unit.textOf(file.path) ?? '';
  const bare = (text: string): string => text.replaceAll(/[()\s]/gu, '');
  if (
    !call.args.some(
      ({ value: { span } }) => bare(source.slice(span.start, span.end)) === `${bare(element.text)}.sizeof`,
    )
  )
    return undefined;
  const made = statement.pattern.kind === 'bind' ? statement.pattern.name : undefined;
  const stored = new Set<string>();
  const kept = new Set<string>();
  const fields = file.types.find(({ name: one }) => one === element.name)?.fields ?? [];
  walkBody(fn.body, ({ expr: one }) => {
    // A function that is given it may keep it.
    if (one.kind === 'call' && one !== call)
      for (const { value } of one.args) {
        const name = value.kind === 'name' ? rootName(value) : undefined;
        if (name !== undefined) kept.add(name);
      }
    if (one.kind !== 'assign') return;
    const { target } = one;
    // `known[text] = true;`
    const key = target.kind === 'index' ? rootName(uncast(target.index)) : undefined;
    if (key !== undefined) kept.add(key);
    const name = rootName(uncast(one.value));
    if (name === undefined) return;
    const isOwn = target.kind === 'field' && rootName(target) === made;
    if (!isOwn) kept.add(name);
    else if (one.operator === '=' && mayBeCollected(fn, fields.find((f) => f.name === target.name)?.type, name))
      stored.add(name);
  });
  return stored.size > 0 && ![...stored].some((one) => kept.has(one)) ? `Memory of '${name}'` : undefined;
}

/** Whether a field may get a pointer of the collector from a variable: no number, constant, function, or memory of C. */
function mayBeCollected(fn: FunctionIr, type: TypeRef | undefined, name: string): boolean {
  if (type?.kind === 'path' && NUMBERS.test(type.name)) return false;
  const init = initOf(fn, name);
  const maker = init === undefined ? undefined : calledName(uncast(init.kind === 'slice' ? init.base : init));
  if (maker !== undefined && (MALLOC.has(maker) || OF_C.test(maker))) return false;
  return isLocal(fn, name);
}

function isLocal(fn: FunctionIr, name: string): boolean {
  return name === 'self' || name === 'this' || fn.params.some((p) => p.name === name) || initOf(fn, name) !== undefined;
}

/** Numbers of D, also under their names for C. */
const NUMBERS =
  /^(?:bool|u?byte|u?short|u?int|u?long|c_u?long|float|double|real|[dw]?char|size_t|ptrdiff_t|u?int(?:8|16|32|64)_t|u?intptr_t)$/u;

/** A record of the file whose pointers are only ever set to memory of other allocators: nothing in it is the collector's. */
function isForeignThroughout(unit: UnitFacts, file: FileIr, element: TypeRef): boolean {
  const [record, ...others] = file.types.filter((type) => type.name === element.name);
  return (
    record?.kind === 'struct' &&
    others.length === 0 &&
    record.generics.length === 0 &&
    holdsOnlyForeign(
      unit,
      file,
      record,
      (own, value, fn) =>
        unscannedMemory(own, value, fn)?.startsWith('Memory of') === true || isArrayOfAllocator(unit, own, fn, value),
    )
  );
}

/** `Mallocator.instance.makeArray!ubyte(n)`: memory of an allocator that the collector does not look into. */
function isArrayOfAllocator(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr): boolean {
  if (calledName(value) !== 'makeArray') return false;
  const given = value.kind === 'method' ? value.receiver : value.kind === 'call' ? value.args[0]?.value : undefined;
  return given !== undefined && unscannedAllocator(unit, file, fn, given) !== undefined;
}

/** `Mallocator.instance.make!T(..)`, `make!T(allocator)`, `makeArray!T(allocator, n)` where `T` may hold pointers. */
function madeByAllocator(unit: UnitFacts, file: FileIr, fn: FunctionIr, walked: Walked): Unscanned | undefined {
  const { expr } = walked;
  const name = calledName(expr);
  if ((name !== 'make' && name !== 'makeArray') || isAware(unit, file, fn)) return undefined;
  const isMethod = expr.kind === 'method';
  const typeArgs = isMethod
    ? expr.typeArgs
    : expr.kind === 'call' && expr.callee.kind === 'name'
      ? expr.callee.typeArgs
      : undefined;
  const made = typeArgs?.[0];
  const given = isMethod ? expr.receiver : expr.kind === 'call' ? expr.args[0]?.value : undefined;
  const allocator = given === undefined ? undefined : unscannedAllocator(unit, file, fn, given);
  if (made === undefined || allocator === undefined) return undefined;
  const decl = made.kind === 'path' ? unit.oracle('d').declaration(made.name, file.path) : undefined;
  const isClass = name === 'make' && decl?.kind === 'class';
  const holds =
    isClass && decl.fields.some((field) => !field.isStatic && collectedContent(field.type, unit, file.path) === 'yes');
  const content = isClass
    ? holds
      ? `an object of class '${decl.name}', which holds references`
      : undefined
    : contentOf(unit, file, fn, made, false);
  return content === undefined ||
    (made.kind === 'slice' && takesOnlyAllocated(file, fn, walked)) ||
    (name === 'makeArray' && isForeignThroughout(unit, file, made))
    ? undefined
    : { span: expr.span, memory: `Memory of the allocator '${allocator}'`, content, steps: [], weak: true };
}

/**
 * A list of pieces, each of which a function that `isApart` from the collector made as well:
 * `slices = a.makeArray!(char[])(n); slices[i] = a.makeArray!char(m);`.
 */
function takesOnlyAllocated(
  file: FileIr,
  by: FunctionIr,
  { around, statement, expr }: Walked,
  isApart = (name: string): boolean => MALLOC.has(name) || ALLOCATES.test(name),
): boolean {
  const init = statement?.kind === 'let' ? statement.init : undefined;
  const isList = init === expr || (init?.kind === 'slice' && init.base === expr);
  const list =
    isList && statement?.kind === 'let' && statement.pattern.kind === 'bind'
      ? statement.pattern.name
      : // `list = (cast(char[]*) malloc(n * size))[0 .. n];`
        assignedTo(around.at(-1)?.kind === 'slice' ? around.slice(0, -1) : around);
  if (list === undefined) return false;
  let pieces = 0;
  let others = 0;
  // A variable is nobody else's.
  for (const fn of isList ? [by] : file.functions) {
    if (fn.body === undefined || fn.owner !== by.owner) continue;
    const elements = elementsByRef(fn, list);
    const isElement = (one: Expr): boolean =>
      one.kind === 'index' ? rootName(one.base) === list : one.kind === 'name' && elements.has(one.path.join('.'));
    walkBody(fn.body, ({ expr: one }) => {
      // `list[0].length = 8`, `grow(list[0])`, `list[0] ~= x`: the collector may give the memory.
      if ((one.kind === 'call' || one.kind === 'method') && one.args.some(({ value }) => isElement(value))) others++;
      if (one.kind !== 'assign') return;
      const part = one.target.kind === 'field' && one.target.name === 'length' ? one.target.base : one.target;
      if (isElement(part) && (part !== one.target || one.operator !== '=')) others++;
      const root = rootName(one.target);
      const isPiece =
        one.operator === '=' &&
        ((one.target.kind === 'index' && root === list) ||
          (one.target.kind === 'name' && root !== undefined && elements.has(root)));
      if (!isPiece && !(one.operator === '~=' && root === list)) return;
      const value = uncast(one.value);
      const made = value.kind === 'name' && value.path.length === 1 ? initOf(fn, value.path[0] ?? '') : value;
      const sliced = made?.kind === 'slice' ? uncast(made.base) : made;
      const whole = sliced?.kind === 'name' && sliced.path.length === 1 ? initOf(fn, sliced.path[0] ?? '') : sliced;
      const name = whole === undefined ? undefined : calledName(uncast(whole));
      if (isPiece && ((name !== undefined && isApart(name)) || (sliced !== undefined && isOfArguments(fn, sliced))))
        pieces++;
      else if (one.value.kind !== 'literal') others++;
    });
  }
  return pieces > 0 && others === 0;
}

/** `argv[i]` of a parameter `char** argv`: a text of C. */
function isOfArguments(fn: FunctionIr, value: Expr): boolean {
  const list = value.kind === 'index' && value.base.kind === 'name' ? value.base.path.join('.') : undefined;
  const type = fn.params.find(({ name }) => name === list)?.type;
  const text = type?.kind === 'pointer' && type.element?.kind === 'pointer' ? type.element.element?.name : undefined;
  return text !== undefined && /^w?char$/u.test(text);
}

/** Names by which loops set the elements of a list: `foreach (i, ref piece; list)`. */
function elementsByRef({ body }: FunctionIr, list: string): ReadonlySet<string> {
  const names = new Set<string>();
  if (body)
    walkBody(body, ({ expr }) => {
      if (expr.kind !== 'loop' || expr.iterable === undefined || rootName(expr.iterable) !== list) return;
      for (const { pattern, byRef } of expr.bindings ?? [])
        if (byRef && pattern.kind === 'bind') names.add(pattern.name);
    });
  return names;
}

const ALLOCATES = /^(?:makeArray|expandArray|allocate|reallocate|alloc)$/u;

/** The name of an allocator whose memory is not scanned: of the library, or of a type that a template is given and that may be one. */
function unscannedAllocator(unit: UnitFacts, file: FileIr, fn: FunctionIr, given: Expr): string | undefined {
  const path = memberPath(given.kind === 'address' || given.kind === 'deref' ? given.base : given);
  if (path === undefined) return undefined;
  if (UNSCANNED_ALLOCATORS.test(path)) return path;
  const lent = fn.params.find((param) => param.name === path)?.type;
  const type =
    lent ??
    aggregateOf(file, fn)?.fields.find((field) => field.name === path)?.type ??
    file.globals.find((global) => global.name === path)?.type;
  if (type === undefined) return /^(?:\w*\.)*_?[aA]llocator$/u.test(path) ? byDefault(unit, file, fn, path) : undefined;
  if (UNSCANNED_ALLOCATORS.test(type.text)) return path;
  // Who gives an allocator to a function knows which one, and gets the memory.
  const bare = lent !== undefined ? undefined : type.kind === 'pointer' ? type.element : type;
  return bare?.kind === 'path' && /Allocator/u.test(bare.name) && isTypeParameter(file, fn, bare.name)
    ? path
    : undefined;
}

/** `struct Set(T, Allocator = Mallocator)`: the allocator when nobody names another, declared by a mixin that is not read. */
function byDefault(unit: UnitFacts, file: FileIr, fn: FunctionIr, path: string): string | undefined {
  const around = file.types.filter((type) => type.span.start <= fn.span.start && fn.span.end <= type.span.end);
  const text = unit.textOf(file.path) ?? '';
  return around.some((type) =>
    /\b\w*Allocator\s*=\s*(?:shared\s*\(?\s*)?(?:Aligned)?Mallocator\b/u.test(
      text.slice(type.span.start, type.nameSpan.end + 400),
    ),
  )
    ? path
    : undefined;
}

/** `emplace!C(malloc(..)[0 .. n])`: an object of a class whose fields lead to memory of the collector. */
function emplacedObject(unit: UnitFacts, file: FileIr, fn: FunctionIr, expr: Expr): Unscanned | undefined {
  if (expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.callee.path.at(-1) !== 'emplace') return undefined;
  const made = expr.callee.typeArgs?.[0];
  const chunk = expr.args[0]?.value;
  if (made?.kind !== 'path' || chunk === undefined) return undefined;
  if (isAware(unit, file, fn)) return undefined;
  const decl = unit.oracle('d').declaration(made.name, file.path);
  const holds =
    decl?.kind === 'class' &&
    decl.fields.some((field) => !field.isStatic && collectedContent(field.type, unit, file.path) === 'yes');
  const content = holds
    ? `an object of class '${made.name}', which holds references`
    : decl?.kind === 'struct'
      ? contentOf(unit, file, fn, made, false)
      : undefined;
  if (content === undefined) return undefined;
  const base = uncast(chunk.kind === 'slice' ? chunk.base : chunk);
  const source = base.kind === 'name' && base.path.length === 1 ? initOf(fn, base.path[0] ?? '') : base;
  const memory = source === undefined ? undefined : unscannedMemory(file, source, fn);
  return memory === undefined ? undefined : { span: expr.span, memory, content, steps: [] };
}

/** `malloc(size)` where the size is that of the objects of a class: the object is made in it elsewhere. */
function memoryOfObject(unit: UnitFacts, file: FileIr, fn: FunctionIr, expr: Expr): Unscanned | undefined {
  if (expr.kind !== 'call' || !MALLOC.has(calledName(expr) ?? '') || isAware(unit, file, fn)) return undefined;
  const text = unit.textOf(file.path) ?? '';
  // The names that the size is made of, with what they stand for: members of the class and locals of the function.
  const around = file.types.filter((one) => one.span.start <= fn.span.start && fn.span.end <= one.span.end);
  const scope = text.slice(around[0]?.span.start ?? fn.span.start, around[0]?.span.end ?? fn.span.end);
  // What is made in it at once is told by itself.
  if (AWARE.test(scope) || /\bemplace!/u.test(text.slice(fn.span.start, fn.span.end))) return undefined;
  const size = text.slice(expr.span.start, expr.span.end);
  const made = sizeTexts(scope, size)
    .map((part) => OBJECT_SIZE.exec(part))
    .map((match) => match?.[1] ?? match?.[2])
    .find((name) => name !== undefined);
  if (made === undefined) return undefined;
  const decl = unit.oracle('d').declaration(made, file.path);
  const isOpen = isTypeParameter(file, fn, made);
  const holds =
    decl?.kind === 'class' &&
    decl.fields.some((field) => !field.isStatic && collectedContent(field.type, unit, file.path) === 'yes');
  if (!isOpen && !holds) return undefined;
  return {
    span: expr.span,
    memory: `Memory of '${calledName(expr) ?? ''}'`,
    content: isOpen ? `an object of any class '${made}'` : `an object of class '${made}', which holds references`,
    steps: [],
    weak: true,
  };
}

/** The size of the objects of a class. */
const OBJECT_SIZE = /\b__traits\s*\(\s*classInstanceSize\s*,\s*(\w+)|\bclassInstanceSize!\s*\(?\s*(\w+)/u;

/** The size as written, and what the constants and locals in it are set to. */
function sizeTexts(scope: string, size: string): readonly string[] {
  const found = [size];
  for (let at = 0; at < found.length && found.length < 16; at++)
    for (const [name] of (found[at] ?? '').matchAll(/\b[A-Za-z_]\w*\b/gu)) {
      const declared = new RegExp(
        String.raw`\b(?:enum|auto|immutable|const|size_t)\s+(?:size_t\s+)?${name}\s*=\s*([^;]*);`,
        'u',
      ).exec(scope)?.[1];
      if (declared !== undefined && !found.includes(declared)) found.push(declared);
    }
  return found;
}

function assignedTo(around: readonly Expr[]): string | undefined {
  const parent = around.at(-1);
  return parent?.kind === 'assign' ? rootName(parent.target) : undefined;
}

/** What the value is, when it is memory that the collector does not look into. */
function unscannedMemory(file: FileIr, value: Expr, fn: FunctionIr): string | undefined {
  const inner = uncast(value);
  // `(cast(ubyte*) malloc(n))[0 .. n]` is the same memory.
  if (inner.kind === 'slice') return unscannedMemory(file, inner.base, fn);
  const bytes = inner.kind === 'name' && inner.path.length === 1 ? initOf(fn, inner.path[0] ?? '') : inner;
  if (bytes?.kind === 'new' && /^u?byte\[/u.test(bytes.type.text)) return `'new ${bytes.type.text}'`;
  if (inner.kind === 'field' && inner.name === 'ptr') {
    const base = uncast(inner.base);
    const made = base.kind === 'name' && base.path.length === 1 ? uncast(initOf(fn, base.path[0] ?? '') ?? base) : base;
    const isBytes = made.kind === 'new' && /^(?:u?byte|char)(?:\[|$)/u.test(made.type.text);
    return isBytes ? `'new ${made.type.text}'` : undefined;
  }
  const name = calledName(inner);
  if (name === undefined || isOwnMethod(file, fn, inner)) return undefined;
  if (inner.kind === 'method' && inner.receiver.kind === 'name' && inner.receiver.path.at(-1) === 'GC')
    return COLLECTED.has(name) && isAlwaysNoScan(inner.args[1]?.value) ? `'GC.${name}'${NO_SCAN}` : undefined;
  if (inner.kind === 'method' && (name === 'allocate' || name === 'alloc') && inner.args.length > 0) {
    const allocator = memberPath(inner.receiver);
    // The default allocators of threads and processes use the collector.
    return allocator === undefined || /GC|theAllocator|processAllocator/u.test(allocator)
      ? undefined
      : `Memory of the allocator '${allocator}'`;
  }
  return (MALLOC.has(name) && (inner.kind === 'call' || inner.kind === 'method')) ||
    (FOREIGN_MEMORY.test(name) && inner.kind === 'call')
    ? `Memory of '${name}'`
    : undefined;
}

/** `malloc(alignment, size)` in an arena with a method of that name: what that method gives is judged there. */
function isOwnMethod(file: FileIr, fn: FunctionIr, call: Expr): boolean {
  if (call.kind !== 'call' || call.callee.kind !== 'name' || call.callee.path.length !== 1) return false;
  const [name] = call.callee.path;
  const type = aggregateOf(file, fn);
  return type !== undefined && methodsOf(file, type).some((method) => method.name === name);
}

function isAlwaysNoScan(attributes: Expr | undefined): boolean {
  if (attributes === undefined) return false;
  if (attributes.kind === 'binary') return isAlwaysNoScan(attributes.left) || isAlwaysNoScan(attributes.right);
  return isNoScan(attributes);
}

function isNoScan(expr: Expr): boolean {
  return (expr.kind === 'field' && expr.name === 'NO_SCAN') || (expr.kind === 'name' && expr.path.at(-1) === 'NO_SCAN');
}

/** Where a fresh GC pointer is stored through the table, in the function or in a helper of the file that gets the table. */
function findCollectedStore(file: FileIr, fn: FunctionIr, table: string): Span | undefined {
  let found: Span | undefined;
  const storesInto = (body: FunctionIr, name: string): void => {
    walkDeep(file, body, ({ expr }) => {
      if (expr.kind !== 'assign' || expr.operator !== '=' || found !== undefined) return;
      if (
        (expr.target.kind === 'index' || expr.target.kind === 'deref') &&
        placeRoot(expr.target.base) === name &&
        isCollected(expr.value)
      )
        found = expr.span;
    });
  };
  storesInto(fn, table);
  if (fn.body !== undefined && found === undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
      const position = expr.args.findIndex(
        (argument) => argument.value.kind === 'name' && argument.value.path[0] === table,
      );
      const called = expr.callee.path.at(-1);
      const callee =
        position < 0 ? undefined : file.functions.find((one) => one.name === called && one.body !== undefined);
      const param = callee?.params[position];
      if (callee !== undefined && param !== undefined && found === undefined) storesInto(callee, param.name);
    });
  return found;
}

/** `az` of `*az++`, `az[i]`, `*(az + i)`. */
function placeRoot(expr: Expr): string | undefined {
  if (expr.kind === 'unary') return placeRoot(expr.operand);
  if (expr.kind === 'binary') return placeRoot(expr.left);
  if (expr.kind === 'assign') return placeRoot(expr.target);
  if (expr.kind === 'unknown') return expr.children.map(placeRoot).find((name) => name !== undefined);
  return rootName(expr);
}

function isCollected(value: Expr): boolean {
  const inner = uncast(value);
  if (inner.kind === 'new') return true;
  const name = calledName(inner);
  if (name === 'toStringz' || name === 'toUTFz' || name === 'dup' || name === 'idup') return true;
  return (
    inner.kind === 'field' &&
    (inner.name === 'toStringz' ||
      inner.name === 'dup' ||
      inner.name === 'idup' ||
      (inner.name === 'ptr' && isCollected(inner.base)))
  );
}

/** `flags & 1 ? NO_SCAN : 0`: bit 0 of `TypeInfo.flags` means "may have pointers". */
export function invertedCondition(expr: Expr): Span | undefined {
  if (expr.kind !== 'if' || expr.else === undefined) return undefined;
  const then = valueOf(expr.then);
  if (!isNoScan(then) || isNoScan(valueOf(expr.else))) return undefined;
  const { condition } = expr;
  const isFlag =
    condition.kind === 'binary' &&
    condition.operator === '&' &&
    condition.left.kind === 'field' &&
    condition.left.name === 'flags' &&
    condition.right.kind === 'literal' &&
    condition.right.text === '1';
  const called = condition.kind === 'name' ? condition.path.at(-1) : calledName(condition);
  return isFlag || called === 'hasIndirections' || called === 'hasPointers' ? expr.span : undefined;
}

function valueOf(expr: Expr): Expr {
  return expr.kind === 'block' && expr.block.statements.length === 0 && expr.block.result !== undefined
    ? expr.block.result
    : expr;
}

/**
 * `this.buffer = calloc(count, T.sizeof);` of a member without a type (`void*`): memory for the values of a template, told by their size
 * instead of a cast.
 */
function sizedMember(unit: UnitFacts, file: FileIr, fn: FunctionIr, { expr, around }: Walked): Unscanned | undefined {
  const name = expr.kind === 'call' ? calledName(expr) : undefined;
  if (expr.kind !== 'call' || name === undefined || !/^(?:pure)?[mc]alloc$/iu.test(name)) return undefined;
  const member = assignedTo(around);
  const aggregate = aggregateOf(file, fn);
  const type = aggregate?.fields.find((field) => field.name === member && !field.isStatic)?.type;
  if (type?.text.replaceAll(' ', '') !== 'void*') return undefined;
  const sized = expr.args.map(({ value }) => sizedType(value)).find((one) => one !== undefined);
  if (sized === undefined || aggregate === undefined) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(aggregate.span.start, aggregate.span.end);
  const meant = new RegExp(`\\balias\\s+${sized}\\s*=\\s*(\\w+)\\s*;`, 'u').exec(text)?.[1] ?? sized;
  // The object itself, or one that other code of the type takes care of.
  if (!aggregate.generics.some((generic) => generic.name === meant) || AWARE.test(text)) return undefined;
  return {
    span: expr.span,
    memory: `Memory of '${name}'`,
    content: `values of any type '${meant}'`,
    steps: [],
    weak: true,
  };
}

/** `T` of `T.sizeof`, `count * T.sizeof`. */
function sizedType(value: Expr): string | undefined {
  if (value.kind === 'binary' && value.operator === '*') return sizedType(value.left) ?? sizedType(value.right);
  if (value.kind !== 'field' || value.name !== 'sizeof' || value.base.kind !== 'name') return undefined;
  return value.base.path.length === 1 ? value.base.path[0] : undefined;
}

/** An arena of bytes: the aggregate's buffer is never scanned, and one of its methods makes values of any type in it. */
function rawArena(unit: UnitFacts, file: FileIr, fn: FunctionIr, { expr }: Walked): Unscanned | undefined {
  const buffer = arenaBuffer(expr);
  if (buffer === undefined || isAware(unit, file, fn)) return undefined;
  const aggregate = file.types.find(
    (type) =>
      (type.kind === 'struct' || type.kind === 'class') &&
      type.name === fn.owner &&
      type.span.start <= fn.span.start &&
      fn.span.end <= type.span.end,
  );
  if (aggregate?.fields.some((field) => field.name === buffer) !== true) return undefined;
  const text = unit.textOf(file.path) ?? '';
  // What is read from a file or socket leads nowhere in this process.
  // A method of the type that is called so, `T read(T)() { .. }`, reads no file: it is declared here.
  const reads = new RegExp(
    `\\b(?:rawRead|f?read|pread|recv\\w*|receive)\\s*(?!\\(\\s*\\w*\\s*\\)\\s*\\()\\((?:(?!=>)[^;{}])*\\b${buffer}\\b`,
    'u',
  );
  if (reads.test(text.slice(aggregate.span.start, aggregate.span.end))) return undefined;
  let marked: Span | undefined;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr: other }) => {
      if (other.kind === 'method' && arenaBuffer(other) === buffer) marked = other.span;
    });
  if (AWARE.test(text.slice(aggregate.span.start, aggregate.span.end))) return undefined;
  for (const method of file.functions) {
    if (method.owner !== aggregate.name || !hasBody(method)) continue;
    let made: Span | undefined;
    let left: Span | undefined;
    walkBody(method.body, ({ expr: inner }) => {
      if (inner.kind === 'return' && made !== undefined) left = inner.span;
      if (
        made !== undefined ||
        inner.kind !== 'cast' ||
        inner.type.kind !== 'pointer' ||
        inner.type.element?.kind !== 'path'
      )
        return;
      const name = inner.type.element.name;
      const isAny =
        method.generics.some((generic) => generic.name === name) ||
        aggregate.generics.some((generic) => generic.name === name);
      const from = uncast(inner.value);
      if (isAny && from.kind === 'field' && from.name === 'ptr') made = inner.span;
    });
    if (made !== undefined)
      return {
        span: expr.span,
        memory: `The buffer '${buffer}'`,
        content: `values of any type in '${method.name}'`,
        steps: [
          {
            file,
            span: marked ?? expr.span,
            role: 'acquire',
            note: `'${buffer}' gets memory here that is never scanned.`,
          },
          { file, span: made, role: 'use', note: 'A value of any type is made in the buffer here.' },
          ...(left === undefined
            ? []
            : [{ file, span: left, role: 'escape' as const, note: 'It is handed out here.' }]),
        ],
        cause: buffer,
      };
  }
  return undefined;
}

/**
 * Blocks of another allocator, in which a method of the same type makes values of any type: `emplace(cast(T*) mem.ptr, args)` in `make(T)`,
 * where `mem` comes from a method of the type.
 */
function blockArena(unit: UnitFacts, file: FileIr, fn: FunctionIr, { expr, around }: Walked): Unscanned | undefined {
  if (expr.kind !== 'call' && expr.kind !== 'method') return undefined;
  const name = calledName(expr) ?? '';
  const isOfAllocator =
    expr.kind === 'method' &&
    /^(?:allocate|alignedAllocate)$/u.test(name) &&
    UNSCANNED_ALLOCATORS.test(memberPath(expr.receiver) ?? '');
  if (!isOfAllocator && !(expr.kind === 'call' && MALLOC.has(name) && !isOwnMethod(file, fn, expr))) return undefined;
  // A block for one type is judged by that.
  const parent = around.at(-1);
  const cast = parent?.kind === 'cast' ? parent.type.element : undefined;
  if (cast !== undefined && !/^(?:u?byte|void|char)$/u.test(cast.name)) return undefined;
  const type = aggregateOf(file, fn);
  if (type === undefined || fn.generics.length > 0) return undefined;
  const maker = makerOf(unit, file, type);
  if (maker === undefined || isAware(unit, file, fn)) return undefined;
  return {
    span: expr.span,
    memory: `Memory of '${name}'`,
    content: `values of any type in '${maker.method}'`,
    steps: [{ file, span: maker.made, role: 'use', note: 'A value of any type is made in the memory here.' }],
    weak: true,
  };
}

/** A method that makes values of any type, and where. */
interface Maker {
  readonly method: string;
  readonly made: Span;
}

/** A type may have many methods that take a block, and the answer for it goes through all of them. */
const makers = new WeakMap<FileIr, Map<TypeDecl, Maker | undefined>>();

function makerOf(unit: UnitFacts, file: FileIr, type: TypeDecl): Maker | undefined {
  const known = makers.get(file) ?? new Map<TypeDecl, Maker | undefined>();
  makers.set(file, known);
  if (!known.has(type)) known.set(type, findMaker(unit, file, type));
  return known.get(type);
}

function findMaker(unit: UnitFacts, file: FileIr, type: TypeDecl): Maker | undefined {
  if (AWARE.test((unit.textOf(file.path) ?? '').slice(type.span.start, type.span.end))) return undefined;
  const methods = methodsOf(file, type);
  const names = new Set(methods.map((one) => one.name));
  for (const method of methods) {
    const made = hasBody(method) ? anyValueMade(method, names) : undefined;
    if (made !== undefined) return { method: method.name, made };
  }
  return undefined;
}

/** `if (isNumeric!T)`: not of any type. That it is a class or a structure says nothing of its pointers. */
function isConstrained(method: FunctionIr, parameter: string): boolean {
  const kind = new RegExp(`is\\s*\\(\\s*${parameter}\\s*==\\s*(?:class|struct|union|interface)\\s*\\)`, 'gu');
  return method.attributes.some(
    ({ name, args }) => name === 'if' && new RegExp(`\\b${parameter}\\b`, 'u').test((args ?? '').replace(kind, '')),
  );
}

/** `emplace!T(mem)`, `emplace(cast(T*) mem.ptr)` of a type parameter, in memory that another method of the type gives. */
function anyValueMade(method: FunctionIr, methods: ReadonlySet<string>): Span | undefined {
  const isAny = (type: TypeRef | undefined): boolean =>
    type?.kind === 'path' &&
    method.generics.some(({ name }) => name === type.name) &&
    !isConstrained(method, type.name);
  let made: Span | undefined;
  if (method.body !== undefined && method.generics.length > 0)
    walkBody(method.body, ({ expr }) => {
      if (made !== undefined || expr.kind !== 'call' || calledName(expr) !== 'emplace') return;
      const memory = expr.args[0]?.value;
      if (memory === undefined) return;
      const given = expr.callee.kind === 'name' ? expr.callee.typeArgs?.[0] : undefined;
      const isOfAny = isAny(given) || (memory.kind === 'cast' && isAny(memory.type.element));
      const from = rootName(memory);
      const source = from === undefined ? undefined : initOf(method, from);
      if (isOfAny && source !== undefined && methods.has(calledName(uncast(source)) ?? '')) made = expr.span;
    });
  return made;
}

/** The field that is given memory without pointers: `buffer = new ubyte[n]`, or marked: `GC.setAttr(buffer.ptr, NO_SCAN)`. */
function arenaBuffer(expr: Expr): string | undefined {
  if (expr.kind === 'method' && expr.method === 'setAttr' && expr.args.some((argument) => isNoScan(argument.value))) {
    const first = expr.args[0]?.value;
    return first === undefined ? undefined : rootName(first);
  }
  if (expr.kind !== 'assign' || expr.operator !== '=') return undefined;
  const value = uncast(expr.value);
  const isBytes = value.kind === 'new' && /^u?byte(?:\[|$)/u.test(value.type.text);
  return isBytes ? rootName(expr.target) : undefined;
}

/** What an expression puts, or makes room for, in memory that the collector does not look into. */
export function findUnscanned(unit: UnitFacts, file: FileIr, fn: FunctionIr, walked: Walked): Unscanned | undefined {
  return (
    castOfUnscanned(unit, file, fn, walked) ??
    madeByAllocator(unit, file, fn, walked) ??
    emplacedObject(unit, file, fn, walked.expr) ??
    memoryOfObject(unit, file, fn, walked.expr) ??
    rawArena(unit, file, fn, walked) ??
    sizedMember(unit, file, fn, walked) ??
    blockArena(unit, file, fn, walked)
  );
}
