import { typeOfPlace } from '../flow/place-type.js';
import { peel } from '../flow/types.js';
import { describePlace, originOf, placeKey, type Place } from '../flow/place.js';
import type { Access, Pointer, Value } from '../flow/result.js';
import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';
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

  for (const access of flow.accesses) {
    const place = originOf(access.place);
    const held = bufferWithin(place, (p) =>
      jsMemoryOf(typeOfPlace(p, oracle, file.path), exported && p.root.kind === 'param'),
    );
    if (!held || foreign.has(held.memory.name)) continue;
    const what = isWrapper(typeOfPlace(place, oracle, file.path)) ? undefined : byteUse(access, held.memory);
    if (!what) continue;
    const key = placeKey(held.place);
    let buffer = buffers.get(key);
    if (!buffer)
      buffers.set(
        key,
        (buffer = { name: describePlace(held.place), memory: held.memory, place: held.place, reads: [] }),
      );
    if (buffer.reads.some((r) => r.span.start === access.span.start)) continue;
    const frame = access.context.frames.find((f) => f.run === 'spawned' || f.run === 'async');
    const thread = frame
      ? frame.run === 'async'
        ? 'the thread that polls an async block'
        : nameOfThread(frame.on)
      : wholeBody;
    const helper = helperOf(unit, file, flow, access);
    const awaited = held.memory.kind === 'owned' ? undefined : access.suspended.at(-1);
    buffer.reads.push({
      span: access.span,
      what,
      copies: COPY_METHODS.has(what),
      ...(thread ? { thread, ...(frame ? { threadSpan: frame.span } : {}) } : {}),
      ...(awaited ? { awaited } : {}),
      ...(helper ? { helper } : {}),
    });
  }
  // What helpers of the unit do with `self`, a field or an argument that holds a buffer.
  for (const call of flow.calls) {
    if (!call.resolved) continue;
    const callee = oracle.functionById(call.resolved.path, call.resolved.functionId);
    const calleeFile = call.resolved.path === file.path ? file : unit.fileAt(call.resolved.path);
    if (!callee?.body || !calleeFile || callee === fn) continue;
    const frame = call.context.frames.find((f) => f.run === 'spawned' || f.run === 'async');
    const thread = frame
      ? frame.run === 'async'
        ? 'the thread that polls an async block'
        : nameOfThread(frame.on)
      : wholeBody;
    if (!thread) continue;
    for (const access of unit.flowOf(calleeFile, callee).accesses) {
      const inner = originOf(access.place);
      const base =
        inner.root.kind === 'self'
          ? call.receiver
          : inner.root.kind === 'param' && inner.root.index !== undefined
            ? call.args[inner.root.index]
            : undefined;
      for (const place of placesOf(base)) {
        const full = originOf({ root: place.root, path: [...place.path, ...inner.path] });
        const held = bufferWithin(full, (p) =>
          jsMemoryOf(typeOfPlace(p, oracle, file.path), exported && p.root.kind === 'param'),
        );
        if (!held || foreign.has(held.memory.name)) continue;
        const what = isWrapper(typeOfPlace(full, oracle, file.path)) ? undefined : byteUse(access, held.memory);
        if (!what) continue;
        const key = placeKey(held.place);
        let buffer = buffers.get(key);
        if (!buffer)
          buffers.set(
            key,
            (buffer = { name: describePlace(held.place), memory: held.memory, place: held.place, reads: [] }),
          );
        if (buffer.reads.some((r) => r.span.start === call.span.start)) continue;
        buffer.reads.push({
          span: call.span,
          what: `${callee.name}()`,
          copies: COPY_METHODS.has(what),
          thread,
          ...(frame ? { threadSpan: frame.span } : {}),
          helper: { file: calleeFile, span: access.span, name: callee.name },
        });
      }
    }
  }
  // Views made before an await and used after it, whatever wrapper they came from.
  for (const stale of flow.staleUses) {
    if (stale.invalidation.kind !== 'suspend') continue;
    const target = originOf(stale.pointer.target);
    const held = bufferWithin(target, (p) =>
      jsMemoryOf(typeOfPlace(p, oracle, file.path), exported && p.root.kind === 'param'),
    );
    if (!held || foreign.has(held.memory.name)) continue;
    // A reference to the wrapper itself is not a view of its bytes.
    if (
      stale.pointer.how === '&' &&
      stale.use.kind === 'method' &&
      !BYTE_METHODS.has(stale.use.what.replace(/^\.|\(\)$/gu, ''))
    )
      continue;
    const key = placeKey(held.place);
    let buffer = buffers.get(key);
    if (!buffer)
      buffers.set(
        key,
        (buffer = { name: describePlace(held.place), memory: held.memory, place: held.place, reads: [] }),
      );
    buffer.reads.push({
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

/** Where a spawned closure runs, as a reader says it. */
function nameOfThread(on: string | undefined): string {
  if (on === 'pool') return 'a thread pool';
  if (on === 'blocking-pool') return "the runtime's blocking pool";
  return on === 'task' ? 'a task of the runtime' : 'another thread';
}

/** Containers of buffers: looking into them touches no bytes. */
function isWrapper(type: TypeRef | undefined): boolean {
  const inner = type?.kind === 'reference' ? type.element : type;
  return inner?.kind === 'path' && /^(Option|Vec|Result|Mutex|Arc|Rc|Box|HashMap)$/.test(inner.name);
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

function bufferWithin(
  place: Place,
  memoryOf: (p: Place) => JsMemory | undefined,
): { place: Place; memory: JsMemory } | undefined {
  for (let length = 0; length <= place.path.length; length++) {
    const prefix: Place = { root: place.root, path: place.path.slice(0, length) };
    const memory = memoryOf(prefix);
    if (memory) return { place: prefix, memory };
  }
  return undefined;
}

/** The operation when an access touches the bytes, not only the wrapper around them. */
function byteUse(access: Access, memory: JsMemory): string | undefined {
  switch (access.kind) {
    case 'method':
      return BYTE_METHODS.has(access.what) ? access.what : undefined;
    case 'index':
    case 'deref':
      return access.what;
    case 'borrow':
      return '&';
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
