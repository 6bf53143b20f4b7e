import { typeOfPlace } from '../flow/place-type.js';
import { peel } from '../flow/types.js';
import { describePlace, originOf, placeKey, type Place, type Root } from '../flow/place.js';
import type { Access, CallSite, Context, Pointer, Value } from '../flow/result.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { walkBody } from '../model/walk-body.js';
import type { Span } from '../model/source.js';
import {
  BYTE_METHODS,
  COPY_METHODS,
  foreignBufferNames,
  isExported,
  jsMemoryOf,
  usesNapi,
  type JsMemory,
} from './js-memory.js';
import type { UnitFacts } from './unit.js';

/** A use of JavaScript's bytes. `thread` says why it is not on the JavaScript thread; undefined when it is. */
export interface ByteRead {
  readonly span: Span;
  readonly what: string;
  readonly copies: boolean;
  readonly thread?: string;
  readonly threadSpan?: Span;
  /** The await that was passed since the view was made. */
  readonly awaited?: Span;
  /** The borrow whose result is used, when the bytes are reached through a pointer or view. */
  readonly view?: Pointer;
  /** A helper of the unit that does the reading. */
  readonly helper?: { readonly file: FileIr; readonly span: Span; readonly name: string };
}

export interface JsBuffer {
  readonly name: string;
  readonly memory: JsMemory;
  readonly fn: FunctionIr;
  /** The parameter, field or variable that holds it. */
  readonly declared: { readonly file: FileIr; readonly span: Span };
  readonly reads: readonly ByteRead[];
}

const memo = new WeakMap<UnitFacts, WeakMap<FileIr, readonly JsBuffer[]>>();

/** JavaScript buffers that functions of a file touch, one entry per buffer and function, with every read of its bytes. */
export function jsBuffersOf(unit: UnitFacts, file: FileIr): readonly JsBuffer[] {
  let perFile = memo.get(unit);
  if (!perFile) memo.set(unit, (perFile = new WeakMap()));
  const known = perFile.get(file);
  if (known) return known;
  const found = usesNapi(file)
    ? file.functions.flatMap((fn) =>
        fn.body && (fn.parent === undefined || fn.kind === 'function') ? buffersOf(unit, file, fn) : [],
      )
    : [];
  perFile.set(file, found);
  return found;
}

function buffersOf(unit: UnitFacts, file: FileIr, fn: FunctionIr): JsBuffer[] {
  const exported = isExported(fn);
  const flow = unit.flowOf(file, fn);
  const foreign = foreignBufferNames(file);
  const oracle = unit.oracle('rust');
  const buffers = new Map<string, { name: string; memory: JsMemory; place: Place; reads: ByteRead[] }>();
  const wholeBody = threadOfBody(fn, exported);
  const memoryOf = (place: Place): JsMemory | undefined =>
    jsMemoryOf(typeOfPlace(place, oracle, file.path), exported && place.root.kind === 'param');
  const bufferAt = (held: Held): { reads: ByteRead[] } => {
    const key = placeKey(held.place);
    let buffer = buffers.get(key);
    if (!buffer)
      buffers.set(
        key,
        (buffer = { name: describePlace(held.place), memory: held.memory, place: held.place, reads: [] }),
      );
    return buffer;
  };
  const add = (held: Held, read: ByteRead): void => {
    if (foreign.has(held.memory.name) || isMadeHere(file, held.place.root)) return;
    const { reads } = bufferAt(held);
    if (!reads.some((r) => r.span.start === read.span.start)) reads.push(read);
  };
  const text = unit.textOf(file.path) ?? '';
  const threadAt = (context: Context): { thread?: string; threadSpan?: Span } => {
    const frame = context.frames.find(
      (f, i) =>
        (f.run === 'spawned' && !context.frames.slice(i + 1).some((around) => isScope(text, around.span))) ||
        f.run === 'async',
    );
    const thread = frame
      ? frame.run === 'async'
        ? 'the thread that polls an async block'
        : nameOfThread(frame.on)
      : wholeBody;
    return { ...(thread ? { thread } : {}), ...(frame ? { threadSpan: frame.span } : {}) };
  };

  // `Either::B(path)` of an `Either<Uint8Array, String>`: where `path` stands, so does a second access, to what the `Either` holds.
  const others = new Set(
    flow.accesses
      .filter(({ place }) => isOtherPart(place.root, heldBy(place, memoryOf), (p) => typeOfPlace(p, oracle, file.path)))
      .map(({ span }) => span.start),
  );
  for (const access of flow.accesses) {
    const held = others.has(access.span.start) ? undefined : heldBy(access.place, memoryOf);
    if (!held) continue;
    if (isConverted(access.place)) {
      // `let bytes: Vec<u8> = buffer.into()` copies where it stands: on the thread of the whole body.
      if (wholeBody && access.context.frames.length === 0)
        add(held, { span: access.place.root.span, what: 'into', copies: true, thread: wholeBody });
      continue;
    }
    if (isMeasured(text, access)) continue;
    const what = byteUse(
      access,
      held.memory,
      typeOfPlace(access.place, oracle, file.path) ?? typeOfPlace(originOf(access.place), oracle, file.path),
    );
    if (!what) continue;
    const helper = helperOf(unit, file, flow, access);
    const awaited = held.memory.kind === 'owned' ? undefined : access.suspended.at(-1);
    add(held, {
      span: access.span,
      what,
      copies: COPY_METHODS.has(what) || isCopied(unit, file, fn, access.span),
      ...threadAt(access.context),
      ...(awaited ? { awaited } : {}),
      ...(helper ? { helper } : {}),
    });
  }
  for (const call of flow.calls) {
    const at = threadAt(call.context);
    if (at.thread === undefined) continue;
    if (!call.resolved) {
      for (const { target, span } of handedOn(call, (p) => typeOfPlace(p, oracle, file.path))) {
        const held = others.has(span.start) ? undefined : heldBy(target, memoryOf);
        if (held) add(held, { span, what: `${call.callee}()`, copies: false, ...at });
      }
      continue;
    }
    // What helpers of the unit do with `self`, a field or an argument that holds a buffer.
    const given = call.args.map((arg, i) => (others.has(call.argSpans[i]?.start ?? -1) ? NOTHING : arg));
    for (const use of helperUses(unit, file, fn, { ...call, args: given }, memoryOf, 0)) {
      add(use.held, {
        span: call.span,
        what: `${use.helper.name}()`,
        copies: use.copies,
        ...at,
        helper: use.helper,
      });
    }
  }
  // Views made before an await and used after it, whatever wrapper they came from.
  for (const stale of flow.staleUses) {
    if (stale.invalidation.kind !== 'suspend') continue;
    const held = heldBy(stale.pointer.target, memoryOf);
    if (!held || foreign.has(held.memory.name) || isMadeHere(file, held.place.root)) continue;
    // A reference to the wrapper itself is not a view of its bytes.
    if (
      stale.pointer.how === '&' &&
      stale.use.kind === 'method' &&
      !BYTE_METHODS.has(stale.use.what.replace(/^\.|\(\)$/gu, ''))
    )
      continue;
    bufferAt(held).reads.push({
      span: stale.use.span,
      what: stale.use.what,
      copies: false,
      awaited: stale.invalidation.span,
      view: stale.pointer,
      ...(wholeBody ? { thread: wholeBody } : {}),
    });
  }
  return [...buffers.values()].map((b) => ({
    name: b.name,
    memory: b.memory,
    fn,
    declared: declarationOf(unit, file, b.place),
    reads: b.reads.sort((x, y) => x.span.start - y.span.start),
  }));
}

/** A place of the function that holds JavaScript memory. */
interface Held {
  readonly place: Place;
  readonly memory: JsMemory;
}

/** The closure that `thread::scope(..)` is given: the JavaScript thread waits until what is started in it is done. */
function isScope(text: string, { start }: Span): boolean {
  return /\bscope\s*\(\s*$/u.test(text.slice(Math.max(0, start - 40), start));
}

/** The buffer that a place lies in: by what its variable came from, or by the variable's own type (a pattern's). */
function heldBy(place: Place, memoryOf: (p: Place) => JsMemory | undefined): Held | undefined {
  const origin = originOf(place);
  const held = bufferWithin(origin, memoryOf);
  if (held) return held;
  const own = place.root.origin ? bufferWithin(place, memoryOf) : undefined;
  return own && { place: originOf(own.place), memory: own.memory };
}

/** What a pattern took out of an `Either` or a tuple that holds a buffer, and is none itself. */
function isOtherPart(
  { declared, origin, type }: Root,
  held: Held | undefined,
  typeOf: (p: Place) => TypeRef | undefined,
): boolean {
  if (held === undefined || type === undefined || jsMemoryOf(type) !== undefined) return false;
  const outer = peel(typeOf(held.place));
  const whole = outer?.name === 'Option' ? peel(outer.args[0]) : outer;
  const isOneOf =
    (declared === 'pattern' && whole?.kind === 'path' && isEither(whole)) ||
    (whole?.kind === 'tuple' && origin !== undefined && origin.path.length > held.place.path.length);
  return isOneOf && whole.args.some((one) => one.text === type.text);
}

const NOTHING: Value = { places: [], pointers: [] };

function isEither({ name }: TypeRef): boolean {
  return /^Either/u.test(name);
}

/** A variable of a type that owns its bytes, made of what was bound or moved into it. */
function isConverted(place: Place): boolean {
  const { type, origin } = place.root;
  return (
    origin !== undefined &&
    type?.kind === 'path' &&
    /^(?:Vec|String|Bytes|BytesMut)$/u.test(type.name) &&
    jsMemoryOf(type) === undefined
  );
}

/**
 * Whether the buffer in a local variable was made by this function out of memory of Rust: `Buffer::from(bytes)`, `bytes.into()`.
 * What came out of a field, an argument or JavaScript is not.
 */
function isMadeHere(file: FileIr, root: Root): boolean {
  if (root.kind !== 'local' || root.origin || root.declared !== 'let') return false;
  const around = file.functions.filter(
    (f) => f.body && f.bodySpan && f.bodySpan.start <= root.span.start && root.span.end <= f.bodySpan.end,
  );
  let init: Expr | undefined;
  for (const { body } of around)
    if (body)
      walkBody(body, ({ expr, statement }) => {
        if (statement?.kind === 'let' && statement.init === expr && statement.pattern.span.start === root.span.start)
          init = expr;
      });
  return init !== undefined && makesBuffer(init);
}

const MAKERS = /^(?:from|new|default|copy_from|from_data|from_iter|with_data_copied|with_capacity)$/u;

function makesBuffer(expr: Expr): boolean {
  switch (expr.kind) {
    case 'try':
    case 'await':
      return makesBuffer(expr.value);
    case 'method':
      if (/^(?:unwrap|expect|unwrap_or_default|map_err)$/u.test(expr.method)) return makesBuffer(expr.receiver);
      return /^(?:into|try_into|to_owned|to_vec|collect)$/u.test(expr.method);
    case 'call':
      return expr.callee.kind === 'name' && expr.callee.path.length > 1 && MAKERS.test(expr.callee.path.at(-1) ?? '');
    case 'macro':
      return /^vec$/u.test(expr.name);
    default:
      return false;
  }
}

/** Callees that put a reference away, look at the wrapper, or make a value around it. */
function storesArgument(callee: string): boolean {
  const name = callee.split(/::|\./u).at(-1) ?? '';
  return (
    /^[A-Z]/u.test(name) ||
    /^(?:drop|forget|take|replace|swap|push|push_back|insert|send|set|store|clone|ptr_eq|size_of_val|len|eq|ne)$/u.test(
      name,
    )
  );
}

/** `Bytes::copy_from_slice(&data)`, `data.as_ref().to_vec()`, `data.as_ref().try_into()` for an array: what follows has the bytes for itself. */
function isCopied(unit: UnitFacts, file: FileIr, fn: FunctionIr, span: Span): boolean {
  const text = unit.textOf(file.path) ?? '';
  const before = text.slice(Math.max(fn.span.start, span.start - 80), span.start);
  if (/\b(?:Bytes|BytesMut|Vec|Box|Arc|Rc)::(?:copy_from_slice|from)\s*\(\s*(?:&\s*)?$/u.test(before)) return true;
  const after = /^\s*(?:\.\s*as_(?:ref|slice)\(\)\s*)?\.\s*(to_vec|to_owned|try_into)\s*\(/u.exec(
    text.slice(span.end, span.end + 80),
  );
  if (after?.[1] !== 'try_into') return after !== null;
  // A reference to an array is no copy.
  const type = /\blet\s+\w+\s*:\s*([^=;]+)=[^=;]*$/u.exec(before)?.[1] ?? fn.returns?.text ?? '';
  return /\[\s*\w+\s*;/u.test(type) && !/&/u.test(type);
}

/** References to a buffer that a call of unknown body is given: it reads them as bytes, unless it only puts them away. */
function handedOn(
  call: CallSite,
  typeOf: (p: Place) => TypeRef | undefined,
): readonly { readonly target: Place; readonly span: Span }[] {
  if (storesArgument(call.callee)) return [];
  return call.args.flatMap((value, i) =>
    value.pointers
      .filter(({ form, target }) => {
        if (form !== 'reference') return false;
        const type = typeOf(target);
        // `Either::B(bytes)` of a reference points to the whole `Either`, and `bytes` knows what it is.
        const types = [type, ...value.places.map(typeOf)];
        return type === undefined || isEither(type) || types.some((one) => one && isBufferItself(one));
      })
      .map(({ target }) => ({ target, span: call.argSpans[i] ?? call.span })),
  );
}

interface HelperUse {
  readonly held: Held;
  readonly copies: boolean;
  readonly helper: NonNullable<ByteRead['helper']>;
}

/** What a function of the unit that is called with a buffer, or with what holds one, does with its bytes, up to three calls deep. */
function helperUses(
  unit: UnitFacts,
  file: FileIr,
  caller: FunctionIr,
  call: CallSite,
  memoryOf: (p: Place) => JsMemory | undefined,
  depth: number,
): readonly HelperUse[] {
  const oracle = unit.oracle('rust');
  if (!call.resolved || depth > 2) return [];
  const callee = oracle.functionById(call.resolved.path, call.resolved.functionId);
  const calleeFile = call.resolved.path === file.path ? file : unit.fileAt(call.resolved.path);
  if (!callee?.body || !calleeFile || callee === caller) return [];
  const mayHold = (value: Value | undefined): readonly Place[] =>
    [...placesOf(value), ...(value?.pointers.length ? value.places : [])].filter(
      (p) => heldBy(p, memoryOf) !== undefined || holdsBuffer(unit, file, typeOfPlace(originOf(p), oracle, file.path)),
    );
  const receiver = mayHold(call.receiver);
  const args = call.args.map(mayHold);
  if (receiver.length === 0 && args.every((a) => a.length === 0)) return [];
  const flow = unit.flowOf(calleeFile, callee);
  // A place of the helper as the caller sees it.
  const outside = (place: Place): readonly Place[] => {
    const { root, path } = originOf(place);
    const bases =
      root.kind === 'self'
        ? receiver
        : root.kind === 'param' && root.index !== undefined
          ? (args[root.index] ?? [])
          : [];
    return bases.map((base) => {
      const from = originOf(base);
      return { root: from.root, path: [...from.path, ...path] };
    });
  };
  const found: HelperUse[] = [];
  for (const access of flow.accesses) {
    if (isConverted(access.place) || isMeasured(unit.textOf(calleeFile.path) ?? '', access)) continue;
    for (const place of outside(access.place)) {
      const ownType = typeOfPlace(access.place, oracle, calleeFile.path);
      const own = jsMemoryOf(ownType);
      const held = bufferWithin(place, memoryOf) ?? (own && { place, memory: own });
      const what = held && byteUse(access, held.memory, typeOfPlace(place, oracle, file.path) ?? ownType);
      if (held && what)
        found.push({
          held,
          copies: COPY_METHODS.has(what) || isCopied(unit, calleeFile, callee, access.span),
          helper: { file: calleeFile, span: access.span, name: callee.name },
        });
    }
  }
  for (const inner of flow.calls) {
    if (!inner.resolved) {
      for (const { target, span } of handedOn(inner, (p) => typeOfPlace(p, oracle, calleeFile.path)))
        for (const place of outside(target)) {
          const held = bufferWithin(place, memoryOf);
          if (held) found.push({ held, copies: false, helper: { file: calleeFile, span, name: callee.name } });
        }
      continue;
    }
    const seen: CallSite = {
      ...inner,
      ...(inner.receiver ? { receiver: placed(inner.receiver, outside) } : {}),
      args: inner.args.map((a) => placed(a, outside)),
    };
    for (const use of helperUses(unit, calleeFile, callee, seen, memoryOf, depth + 1))
      found.push({ ...use, helper: { ...use.helper, name: callee.name } });
  }
  return found;
}

function placed(value: Value, outside: (p: Place) => readonly Place[]): Value {
  return { places: placesOf(value).flatMap(outside), pointers: [] };
}

const holders = new WeakMap<UnitFacts, Map<string, boolean>>();

/** Whether a type of the unit has a field, at any depth, that is JavaScript memory. */
function holdsBuffer(unit: UnitFacts, file: FileIr, type: TypeRef | undefined): boolean {
  if (!type) return false;
  if (jsMemoryOf(type)) return true;
  if (type.kind === 'reference' || type.kind === 'pointer') return holdsBuffer(unit, file, type.element);
  if (type.args.some((a) => holdsBuffer(unit, file, a))) return true;
  if (type.kind !== 'path') return false;
  let known = holders.get(unit);
  if (!known) holders.set(unit, (known = new Map<string, boolean>()));
  const answer = known.get(type.name);
  if (answer !== undefined) return answer;
  // A type that contains itself holds nothing by that.
  known.set(type.name, false);
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  const holds =
    (decl?.fields.some((f) => holdsBuffer(unit, file, f.type)) ?? false) ||
    (decl?.alias !== undefined && holdsBuffer(unit, file, decl.alias));
  known.set(type.name, holds);
  return holds;
}

/** Where a spawned closure runs, as a reader says it. */
function nameOfThread(on: string | undefined): string {
  if (on === 'pool') return 'a thread pool';
  if (on === 'blocking-pool') return "the runtime's blocking pool";
  return on === 'task' ? 'a task of the runtime' : 'another thread';
}

/** Methods that an `Option` and the like have themselves: they look at what is in it, not at the bytes. */
const WRAPPER_METHODS = new Set([
  'as_ref',
  'as_mut',
  'iter',
  'iter_mut',
  'into_iter',
  'borrow',
  'deref',
  'deref_mut',
  'get',
  'get_mut',
  'contains',
  'to_owned',
  'read',
  'as_slice',
  'as_mut_slice',
  'into_value',
]);

/** The buffer type itself, behind references. */
function isBufferItself(type: TypeRef): boolean {
  const inner = type.kind === 'reference' ? type.element : type;
  return (
    inner !== undefined &&
    jsMemoryOf(inner) !== undefined &&
    !isWrapper(inner) &&
    inner.kind === 'path' &&
    !isEither(inner)
  );
}

/** `list`: many buffers; `one`: a single one behind a type that derefs to it or holds it. */
function wrapperOf(type: TypeRef | undefined): 'list' | 'one' | undefined {
  const inner = type?.kind === 'reference' ? type.element : type;
  if (inner?.kind !== 'path') return undefined;
  if (/^(?:Vec|VecDeque|HashMap|BTreeMap|IndexMap)$/u.test(inner.name)) return 'list';
  if (!/^(?:Option|Result|Mutex|RwLock|RefCell|Arc|Rc|Box)$/u.test(inner.name)) return undefined;
  return inner.args.some((a) => wrapperOf(a) === 'list') ? 'list' : 'one';
}

function isWrapper(type: TypeRef): boolean {
  return wrapperOf(type) !== undefined;
}

function placesOf(value: Value | undefined): readonly Place[] {
  if (!value) return [];
  const through = value.pointers.filter((p) => p.form !== 'closure').map((p) => p.target);
  return through.length > 0 ? through : value.places;
}

/** Why the whole body of a function runs off the JavaScript thread; undefined when it doesn't. */
function threadOfBody(fn: FunctionIr, exported: boolean): string | undefined {
  if ((fn.trait === 'Task' || fn.trait === 'ScopedTask') && fn.name === 'compute')
    return "the libuv thread pool ('Task::compute')";
  if (fn.isAsync && exported) return "a tokio thread (the body of an exported 'async fn')";
  return undefined;
}

function bufferWithin(place: Place, memoryOf: (p: Place) => JsMemory | undefined): Held | undefined {
  for (let length = 0; length <= place.path.length; length++) {
    const prefix: Place = { root: place.root, path: place.path.slice(0, length) };
    const memory = memoryOf(prefix);
    if (memory) return { place: prefix, memory };
  }
  return undefined;
}

/** `(&self.data).len()`: what is borrowed is asked for its length alone. */
function isMeasured(text: string, { kind, span }: Access): boolean {
  return (
    kind === 'borrow' && /^\s*\)\s*\.\s*(?:len|is_empty|byte_length)\s*\(/u.test(text.slice(span.end, span.end + 40))
  );
}

/** The operation when an access touches the bytes, not only the wrapper around them; `type` is what is accessed. */
function byteUse(access: Access, memory: JsMemory, type: TypeRef | undefined): string | undefined {
  const wrapper = wrapperOf(type);
  if (wrapper === 'list') return undefined;
  // A pattern that takes an `Option` apart names its content, and the place stays the `Option`: nothing else has an index.
  if (wrapper === 'one')
    return access.kind === 'index' ||
      (access.kind === 'method' && BYTE_METHODS.has(access.what) && !WRAPPER_METHODS.has(access.what))
      ? access.what
      : undefined;
  switch (access.kind) {
    case 'method':
      return BYTE_METHODS.has(access.what) ? access.what : undefined;
    case 'index':
    case 'deref':
      return access.what;
    case 'borrow':
      // What is taken apart may be the other half.
      return type?.kind === 'tuple' || (type?.kind === 'path' && isEither(type)) ? undefined : '&';
    case 'argument':
      return memory.kind === 'slice' && !/^(drop|Some|Ok|Box::new)$/.test(access.what) ? `${access.what}()` : undefined;
    default:
      return undefined;
  }
}

function helperOf(
  unit: UnitFacts,
  file: FileIr,
  flow: ReturnType<UnitFacts['flowOf']>,
  access: Access,
): ByteRead['helper'] {
  const call = flow.calls.find(
    (c) => c.resolved && c.argSpans.some((s) => s.start <= access.span.start && access.span.end <= s.end),
  );
  if (!call?.resolved) return undefined;
  const index = call.argSpans.findIndex((s) => s.start <= access.span.start && access.span.end <= s.end);
  const callee = unit.oracle('rust').functionById(call.resolved.path, call.resolved.functionId);
  const calleeFile = call.resolved.path === file.path ? file : unit.fileAt(call.resolved.path);
  if (!callee || !calleeFile) return undefined;
  const read = unit.flowOf(calleeFile, callee).summary.reads.find((r) => r.param === index);
  return read ? { file: calleeFile, span: read.span, name: callee.name } : undefined;
}

/** The field, variant payload, parameter or variable whose declaration says that there is a buffer. */
function declarationOf(unit: UnitFacts, file: FileIr, place: Place): JsBuffer['declared'] {
  const oracle = unit.oracle('rust');
  for (let length = place.path.length; length > 0; length--) {
    const field = place.path[length - 1];
    const holder = peel(typeOfPlace({ root: place.root, path: place.path.slice(0, length - 1) }, oracle, file.path));
    if (field === undefined || holder?.kind !== 'path') continue;
    const declared = unit.typesNamed(holder.name, 'rust');
    const nearest = declared.find((d) => d.file.path === file.path) ?? declared[0];
    const decl = nearest?.item.fields.find((f) => f.name === field);
    if (nearest && decl) return { file: nearest.file, span: decl.span };
  }
  return { file, span: place.root.span };
}
