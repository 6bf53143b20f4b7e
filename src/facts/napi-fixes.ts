import type { Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { calleeOf, walkBody } from '../model/walk-body.js';
import { findNapiType } from './napi-types.js';
import { isExported } from './js-memory.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import { mentions } from './rust-code.js';

/** A defect of napi that code can run into, and the version of its major line that mended it. */
export interface NapiFix {
  readonly version: string;
  /** What goes wrong before it, as the rest of a sentence after "which". */
  readonly what: string;
  /** The first place of a file that depends on it. */
  readonly use: (file: FileIr) => Span | undefined;
}

/** Types of napi in a file: imported by name, by path, or by a glob of napi. */
function isNapi(file: FileIr, type: TypeRef): boolean {
  const head = type.path[0] ?? '';
  if (type.path.length > 1 && /^(?:napi|bindgen_prelude|threadsafe_function)$/.test(head)) return true;
  const entry = file.imports.find((one) => one.name === head && one.isGlob !== true);
  if (entry !== undefined) return entry.path[0] === 'napi';
  return (
    !file.types.some((one) => one.name === type.name) &&
    file.imports.some((one) => one.isGlob === true && one.path[0] === 'napi')
  );
}

function findType(file: FileIr, type: TypeRef | undefined, wanted: (type: TypeRef) => boolean): TypeRef | undefined {
  if (type === undefined) return undefined;
  if (type.kind === 'path' && wanted(type) && isNapi(file, type)) return type;
  for (const inner of [...type.args, ...(type.element === undefined ? [] : [type.element])]) {
    const found = findType(file, inner, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first field, parameter or return type of the file that names one of the types. */
function named(...names: readonly string[]): NapiFix['use'] {
  const wanted = (type: TypeRef): boolean => names.includes(type.name);
  return (file) => {
    const types = [
      ...file.types.filter((one) => !one.isTest).flatMap((one) => one.fields.map((field) => field.type)),
      ...file.functions
        .filter((one) => !one.isTest)
        .flatMap((one) => [...one.params.map((param) => param.type), one.returns]),
    ];
    for (const type of types) {
      const found = findType(file, type, wanted);
      if (found !== undefined) return found.span;
    }
    return undefined;
  };
}

function isOwnedBytes(type: TypeRef): boolean {
  return findNapiType(type.name)?.kind === 'owned';
}

/**
 * Bytes of JavaScript that another thread drops: parameters of an exported `async fn`, or that a closure takes along to a thread or a
 * task, and fields of a type with `compute`.
 */
function bytesOffThread(file: FileIr): Span | undefined {
  for (const fn of exported(file)) {
    const found = fn.params
      .filter((param) => fn.isAsync || movedAway(file, fn, param.name) !== undefined)
      .map((param) => findType(file, param.type, isOwnedBytes))
      .find((type) => type !== undefined);
    if (found !== undefined) return found.span;
  }
  const tasks = new Set(
    file.impls
      .filter((one) => one.trait?.name === 'Task' || one.trait?.name === 'ScopedTask')
      .map((one) => one.target.name),
  );
  for (const type of file.types) {
    const found = tasks.has(type.name)
      ? type.fields.map((field) => findType(file, field.type, isOwnedBytes)).find((one) => one !== undefined)
      : undefined;
    if (found !== undefined) return found.span;
  }
  return undefined;
}

const SPAWNS = /(?:^|::|\.)(?:spawn|spawn_blocking|spawn_fifo|spawn_local|spawn_future|execute|execute_tokio_future)$/;

/** Where a closure or an async block that uses the parameter is moved to a thread or a task; undefined when none is. */
export function movedAway(file: FileIr, fn: FunctionIr, name: string): Span | undefined {
  if (fn.body === undefined) return undefined;
  let moved: Span | undefined;
  const bindings = bindingsOf(fn.body);
  walkBody(fn.body, ({ expr }) => {
    if (moved || (expr.kind !== 'call' && expr.kind !== 'method') || !SPAWNS.test(calleeOf(expr) ?? '')) return;
    const takes = expr.args.some(({ value }) => {
      const closure = closureIn(value, bindings);
      const inner = closure && file.functions.find((one) => one.id === closure.functionId);
      return inner?.isMove === true && mentions(file, inner, name);
    });
    if (takes) moved = expr.span;
  });
  return moved;
}

/** The closure that is given, by itself, boxed or pinned, or in a variable. */
function closureIn(expr: Expr, bindings: Bindings, depth = 0): ExprOf<'closure'> | undefined {
  if (expr.kind === 'closure') return expr;
  if (depth > 4) return undefined;
  const next = (inner: Expr | undefined): ExprOf<'closure'> | undefined =>
    inner && closureIn(inner, bindings, depth + 1);
  if (expr.kind === 'name') return expr.path.length === 1 ? next(bindings.get(expr.path[0] ?? '')) : undefined;
  if (expr.kind === 'cast') return next(expr.value);
  return expr.kind === 'call' && /(?:^|::)(?:Box|Arc|Rc)::(?:new|pin)$/u.test(calleeOf(expr) ?? '')
    ? next(expr.args[0]?.value)
    : undefined;
}

function exported(file: FileIr): readonly FunctionIr[] {
  return file.functions.filter((fn) => !fn.isTest && isExported(fn));
}

/** An error that came from JavaScript in code that napi runs on its runtime: a promise or a callback that is awaited. */
function foreignErrorOffThread(file: FileIr): Span | undefined {
  for (const fn of exported(file)) {
    const promise = fn.isAsync
      ? fn.params
          .map((param) => findType(file, param.type, (type) => type.name === 'Promise'))
          .find((type) => type !== undefined)
      : undefined;
    if (promise !== undefined) return promise.span;
  }
  return calls(/^\.call_async(?:_catch)?$/)(file);
}

function calls(pattern: RegExp): NapiFix['use'] {
  return (file) => {
    if (!file.imports.some((one) => one.path[0] === 'napi' || one.path[0] === 'napi_derive')) return undefined;
    for (const fn of file.functions) {
      let found: Span | undefined;
      if (fn.body === undefined || fn.isTest || fn.hasError === true) continue;
      walkBody(fn.body, ({ expr }) => {
        if (found === undefined && pattern.test(calleeOf(expr) ?? '')) found = expr.span;
      });
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function asyncGenerator(file: FileIr): Span | undefined {
  const type = file.types.find((one) =>
    one.attributes.some(
      (attribute) => attribute.name.endsWith('napi') && /\basync_iterator\b/.test(attribute.args ?? ''),
    ),
  );
  return type?.nameSpan ?? file.impls.find((one) => one.trait?.name === 'AsyncGenerator')?.headSpan;
}

/** Exported `async fn` with a receiver or reference parameters: napi keeps the objects behind them alive until it ends. */
function asyncReferences(file: FileIr): Span | undefined {
  for (const fn of exported(file)) {
    if (!fn.isAsync) continue;
    if (fn.self !== undefined && fn.self.mode !== 'value') return fn.self.span;
    const reference = fn.params.find((param) => param.type?.kind === 'reference');
    if (reference !== undefined) return reference.span;
  }
  return undefined;
}

function asyncExclusive(file: FileIr): Span | undefined {
  return exported(file).find((fn) => fn.isAsync && fn.self?.mode === 'mutable')?.nameSpan;
}

/** A callback given to a promise of JavaScript from Rust, or an abort signal taken as an argument. */
function promiseCallback(file: FileIr): Span | undefined {
  const signal = named('AbortSignal')(file);
  if (signal !== undefined) return signal;
  return named('PromiseRaw')(file) === undefined && !file.imports.some((one) => one.name === 'PromiseRaw')
    ? undefined
    : calls(/^\.(?:then|catch|finally)$/)(file);
}

/** An exported function that returns a typed array whose bytes are a Vec of this crate. */
function returnsTypedArray(file: FileIr): Span | undefined {
  for (const fn of exported(file)) {
    const found = findType(file, fn.returns, (type) => isOwnedBytes(type) && type.name !== 'Buffer');
    if (found !== undefined) return found.span;
  }
  return undefined;
}

/**
 * By major version, oldest first. Read in the change log and the sources of napi-rs: #2949, #3120, #3313, #3360, #3370, #3394,
 * #3404, #3423, #3458.
 */
export const napiFixes: Readonly<Record<number, readonly NapiFix[]>> = {
  2: [
    { version: '2.10.0', what: 'deletes the reference of a buffer on the thread that drops it', use: bytesOffThread },
    { version: '2.10.2', what: 'lets objects be collected that an async function still borrows', use: asyncReferences },
  ],
  3: [
    {
      version: '3.4.0',
      what: 'gives the memory of a returned typed array back with the wrong capacity',
      use: returnsTypedArray,
    },
    { version: '3.8.3', what: 'lets an async iterator be collected while it runs', use: asyncGenerator },
    {
      version: '3.9.1',
      what: "gives back one kind of count behind a 'Reference' as another",
      use: named('Reference', 'SharedReference', 'WeakReference'),
    },
    {
      version: '3.10.0',
      what: 'gives back buffers that another thread drops through the wrong environment when there are workers',
      use: bytesOffThread,
    },
    {
      version: '3.10.1',
      what: 'deletes the reference of a JavaScript error on the thread that drops it',
      use: foreignErrorOffThread,
    },
    {
      version: '3.10.5',
      what: "deletes the reference of a 'FunctionRef' on the thread that drops it",
      use: named('FunctionRef'),
    },
    {
      version: '3.11.0',
      what: 'settles a deferred promise after its environment is gone',
      use: calls(/(?:^|\.|::)create_deferred$/),
    },
    { version: '3.12.1', what: 'lets two calls borrow the same object mutably across an await', use: asyncExclusive },
    {
      version: '3.12.2',
      what: 'runs a promise callback on memory that it has already given back',
      use: promiseCallback,
    },
  ],
};
