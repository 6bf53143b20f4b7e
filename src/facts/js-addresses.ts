import type { Expr, ExprOf, FileIr, FunctionIr, Pattern } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { calleeOf, walkBody, walkExpression } from '../model/walk-body.js';
import { callbackOf } from './callback-data.js';
import { isExported } from './js-memory.js';
import { LocalVariables } from './local-variables.js';
import { bindingsOf } from './raw-views.js';
import type { UnitFacts } from './unit.js';
import { WAITS } from './waits.js';

/** The address of JavaScript's bytes, or a view whose lifetime was taken away, that leaves for another thread or task. */
export interface MovedAddress {
  readonly fn: FunctionIr;
  /** The variable that holds the JavaScript value, or that the library filled in. */
  readonly buffer: string;
  /** The type of the value, or the function that gave the address. */
  readonly type: string;
  /** Where the address is taken. */
  readonly taken: Span;
  readonly thread: string;
  /** What takes it along. */
  readonly moved: Span;
  readonly read: Span;
  /** An await before the bytes are read. */
  readonly awaited?: Span;
}

/** Types of neon and of napi-rs 2 whose bytes belong to JavaScript. */
const JS_MEMORY =
  /\b(Js(?:Buffer|ArrayBuffer|TypedArray|DataView|(?:Uint|Int|Float|BigInt|BigUint)\d+Array)(?:Value)?)\b/u;
/** Getters of Node-API, with the place of the pointer that they fill in. */
const GETTERS: Readonly<Record<string, number>> = {
  napi_get_buffer_info: 2,
  napi_get_arraybuffer_info: 2,
  napi_get_typedarray_info: 4,
  napi_get_dataview_info: 3,
};
const GETTER = /\bnapi_get_(?:buffer|arraybuffer|typedarray|dataview)_info\s*\(/u;
const VIEWS = /^(?:as_slice|as_mut_slice|as_ref|as_mut|as_ptr|as_mut_ptr|deref|deref_mut|borrow|borrow_mut)$/u;
/** Methods after which a value is still the same address or view. */
const SAME =
  /^(?:as_ptr|as_mut_ptr|as_slice|as_mut_slice|as_ref|as_mut|cast|cast_mut|cast_const|add|sub|offset|byte_add|addr|expose_provenance|expose_addr|unwrap|expect|unwrap_unchecked|get|get_mut|as_bytes|into|as_ptr_range)$/u;
const SPAWNS =
  /(?:^|::|\.)(?:spawn|spawn_blocking|spawn_fifo|spawn_on|spawn_pinned|spawn_future|execute|execute_tokio_future|queue|submit|task)$/u;

/** What a channel takes along. */
const SEND = '(?:send|try_send|blocking_send|send_blocking|unbounded_send|send_timeout)';
const SENDS = new RegExp(`^${SEND}$`, 'u');
const SENT = new RegExp(`\\.\\s*${SEND}\\s*\\(`, 'u');
/** Parameters of an exported function of napi-rs whose bytes belong to JavaScript. */
const ARGUMENT =
  /^(?:&\s*(?:mut\s+)?)?(Buffer|BufferSlice(?:<[^>]*>)?|(?:Uint|Int|Float|BigInt|BigUint)\d+(?:Clamped)?(?:Array|Slice)(?:Slice)?(?:<[^>]*>)?|\[u8\])$/u;

/** Whether a file has to do with such addresses at all. */
function concerns(file: FileIr, text: string): boolean {
  if (GETTER.test(text) || isSentByNapi(text)) return true;
  return JS_MEMORY.test(text) && file.imports.some((i) => /^(?:neon|napi)$/u.test(i.path[0] ?? ''));
}

/** Whether exported functions of napi-rs may send an address away. */
function isSentByNapi(text: string): boolean {
  return /#\[\s*(?:napi_derive\s*::\s*)?napi\b/u.test(text) && SENT.test(text) && /\bas_(?:mut_)?ptr\b/u.test(text);
}

/** What is known of a variable. */
interface Taint {
  readonly buffer: string;
  readonly type: string;
  readonly taken: Span;
  /** The field of a struct literal that holds the address. */
  readonly field?: string;
}

/**
 * Bytes that are reached by an address or by a forged view on another thread: `as_slice(&cx).as_ptr() as usize` and pointers that
 * `napi_get_buffer_info` fills in, captured by a closure that is spawned, or put into the data of an asynchronous work.
 */
export function findMovedAddresses(unit: UnitFacts, file: FileIr): readonly MovedAddress[] {
  const known = memo.get(file);
  if (known) return known;
  const text = unit.textOf(file.path) ?? '';
  const found = concerns(file, text)
    ? file.functions.flatMap((fn) =>
        fn.body && !fn.isTest && (fn.parent === undefined || fn.kind === 'function') ? movedIn(file, fn, text) : [],
      )
    : [];
  memo.set(file, found);
  return found;
}

/** Two rules ask. */
const memo = new WeakMap<FileIr, readonly MovedAddress[]>();

function movedIn(file: FileIr, fn: FunctionIr, text: string): readonly MovedAddress[] {
  const { body } = fn;
  if (!body || !fn.bodySpan) return [];
  const own = text.slice(fn.bodySpan.start, fn.bodySpan.end);
  const isSending = isExported(fn) && SENT.test(own) && /\bas_(?:mut_)?ptr\b/u.test(own) && !/\.\s*await\b/u.test(own);
  if (
    !isSending &&
    !GETTER.test(own) &&
    !(JS_MEMORY.test(text.slice(fn.span.start, fn.span.end)) && /\bas_(?:mut_)?(?:slice|ptr|ref)|as_mut\b/u.test(own))
  )
    return [];
  if (WAITS.test(own)) return [];
  // Variables that hold a JavaScript value, and those that hold an address of its bytes.
  const values = new Map<string, string>();
  const addresses = new Map<string, Taint>();
  for (const { name, type } of fn.params) {
    const held = type && (JS_MEMORY.exec(type.text)?.[1] ?? (isSending ? ARGUMENT.exec(type.text)?.[1] : undefined));
    if (held !== undefined) values.set(name, held);
  }
  const taintOf = (expr: Expr | undefined, depth = 0): Taint | undefined => {
    if (!expr || depth > 12) return undefined;
    const next = (inner: Expr | undefined): Taint | undefined => taintOf(inner, depth + 1);
    switch (expr.kind) {
      case 'name':
        return expr.path.length === 1 ? addresses.get(expr.path[0] ?? '') : undefined;
      case 'cast':
      case 'try':
        return next(expr.value);
      case 'address':
      case 'deref':
      case 'slice':
        return next(expr.base);
      case 'field':
        return next(expr.base);
      case 'block':
        return next(expr.block.result);
      case 'tuple':
        return expr.items.map((item) => next(item)).find((t) => t !== undefined);
      case 'struct': {
        for (const { name, value } of expr.fields) {
          const taint = next(value);
          if (taint) return { ...taint, field: name };
        }
        return undefined;
      }
      case 'method': {
        const holder = VIEWS.test(expr.method) ? valueOf(expr.receiver, values) : undefined;
        if (holder) return { ...holder, taken: expr.span };
        return SAME.test(expr.method) ? next(expr.receiver) : undefined;
      }
      case 'call': {
        const callee = calleeOf(expr) ?? '';
        const isSame =
          /(?:^|::)(?:from_raw_parts(?:_mut)?|transmute|transmute_copy|from_utf8_unchecked|Some|Ok|new|new_unchecked|into_raw|pin|from)$/u.test(
            callee,
          ) || /(?:^|::)[A-Z]\w*$/u.test(callee);
        return isSame ? expr.args.map((a) => next(a.value)).find((t) => t !== undefined) : undefined;
      }
      default:
        return undefined;
    }
  };
  const bind = (pattern: Pattern, init: Expr): void => {
    if (pattern.kind === 'parts' && init.kind === 'tuple') {
      for (const part of pattern.parts) {
        const item = init.items[Number(part.field)];
        if (item) bind(part.pattern, item);
      }
      return;
    }
    if (pattern.kind !== 'bind') return;
    const taint = taintOf(init);
    if (taint && isAddress(init, addresses)) addresses.set(pattern.name, taint);
    else addresses.delete(pattern.name);
    const type = valueType(init, values, text);
    if (type !== undefined && !taint) values.set(pattern.name, type);
  };
  const found: MovedAddress[] = [];
  walkBody(body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr) {
      bind(statement.pattern, expr);
      if (statement.pattern.kind === 'bind' && statement.type) {
        const held = JS_MEMORY.exec(statement.type.text)?.[1];
        if (held !== undefined) values.set(statement.pattern.name, held);
      }
    }
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    const callee = calleeOf(expr) ?? '';
    const last = callee.split('::').at(-1) ?? '';
    const at = GETTERS[last];
    if (at !== undefined && expr.kind === 'call') {
      const name = outName(expr.args[at]?.value);
      if (name !== undefined) addresses.set(name, { buffer: name, type: last, taken: expr.span });
      return;
    }
    if (last === 'napi_create_async_work') {
      const work = workOf(file, expr, (data) => taintOf(data), new LocalVariables(body), text);
      if (work) found.push({ fn, ...work });
      return;
    }
    if (isSending && expr.kind === 'method' && SENDS.test(expr.method)) {
      const [sent] = expr.args;
      const taint = sent && taintOf(sent.value);
      if (sent && taint && isAddress(sent.value, addresses))
        found.push({
          fn,
          buffer: taint.buffer,
          type: taint.type,
          taken: taint.taken,
          thread: 'whoever receives it',
          moved: { start: expr.methodSpan.start, end: sent.value.span.start },
          read: sent.value.span,
        });
      return;
    }
    if (!SPAWNS.test(callee)) return;
    for (const { value } of expr.args) {
      const closure = value.kind === 'closure' ? file.functions.find((f) => f.id === value.functionId) : undefined;
      const use = closure && lastUse(file, closure, addresses);
      if (use)
        found.push({
          fn,
          buffer: use.taint.buffer,
          type: use.taint.type,
          taken: use.taint.taken,
          thread: /task$/u.test(callee) ? 'the thread pool' : 'another thread or task',
          moved: { start: expr.span.start, end: value.span.start },
          read: use.read,
          ...(use.awaited ? { awaited: use.awaited } : {}),
        });
    }
  });
  const seen = new Set<string>();
  return found.filter(({ buffer }) => !seen.has(buffer) && seen.add(buffer));
}

/** Whether the value of an expression is no longer bound to the call: a raw pointer, a number, or a view of a forged lifetime. */
function isAddress(expr: Expr, addresses: ReadonlyMap<string, Taint>): boolean {
  let is = false;
  walkExpression(expr, ({ expr: inner }) => {
    if (inner.kind === 'method') is ||= /^as_(?:mut_)?ptr(?:_range)?$/u.test(inner.method);
    if (inner.kind === 'call')
      is ||= /(?:^|::)(?:from_raw_parts(?:_mut)?|transmute|transmute_copy)$/u.test(calleeOf(inner) ?? '');
    if (inner.kind === 'cast')
      is ||= inner.type.kind === 'pointer' || /^(?:usize|u64|isize|i64)$/u.test(inner.type.name);
    if (inner.kind === 'name') is ||= inner.path.length === 1 && addresses.has(inner.path[0] ?? '');
  });
  return is || /^(?:as_slice|as_mut_slice|as_ref|as_mut)$/u.test(expr.kind === 'method' ? expr.method : '');
}

/** The variable with a JavaScript value behind an expression. */
function valueOf(expr: Expr, values: ReadonlyMap<string, string>, depth = 0): Omit<Taint, 'taken'> | undefined {
  if (depth > 6) return undefined;
  if (expr.kind === 'name') {
    const [name = ''] = expr.path.length === 1 ? expr.path : [];
    const type = values.get(name);
    return type === undefined ? undefined : { buffer: name, type };
  }
  if (expr.kind === 'try') return valueOf(expr.value, values, depth + 1);
  if (expr.kind === 'deref' || expr.kind === 'address') return valueOf(expr.base, values, depth + 1);
  if (expr.kind === 'method' && /^(?:into_value|unwrap|expect|borrow|borrow_mut)$/u.test(expr.method))
    return valueOf(expr.receiver, values, depth + 1);
  return undefined;
}

/** The type of the JavaScript value that an initialiser gives: `cx.argument::<JsBuffer>(0)?`, `value.into_value()?`. */
function valueType(init: Expr, values: ReadonlyMap<string, string>, text: string): string | undefined {
  const known = valueOf(init, values);
  if (known) return known.type;
  let expr = init;
  for (let depth = 0; depth < 6; depth++) {
    if (expr.kind === 'try') expr = expr.value;
    else if (expr.kind === 'method' && /^(?:into_value|unwrap|expect|or_throw)$/u.test(expr.method))
      expr = expr.receiver;
    else break;
  }
  if (expr.kind !== 'method' || expr.typeArgs.length === 0) return undefined;
  if (!/^(?:argument|argument_opt|get|try_get|downcast|downcast_or_throw)$/u.test(expr.method)) return undefined;
  return JS_MEMORY.exec(text.slice(expr.typeArgs[0]?.span.start, expr.typeArgs.at(-1)?.span.end))?.[1];
}

/** `&mut x`, `&raw mut x`, `x.as_mut_ptr()`, under casts. */
export function outName(expr: Expr | undefined): string | undefined {
  switch (expr?.kind) {
    case 'cast':
      return outName(expr.value);
    case 'address':
      return expr.base.kind === 'name' && expr.base.path.length === 1 ? expr.base.path[0] : undefined;
    case 'method':
      return /^(?:as_mut_ptr|cast)$/u.test(expr.method)
        ? expr.receiver.kind === 'name'
          ? expr.receiver.path[0]
          : outName(expr.receiver)
        : undefined;
    case 'macro':
      return /^addr_of_mut$/u.test(expr.name) && expr.args[0]?.kind === 'name' ? expr.args[0].path[0] : undefined;
    default:
      return undefined;
  }
}

/** The last use of an address in a closure that takes it along, and an await before it. */
function lastUse(
  file: FileIr,
  closure: FunctionIr,
  addresses: ReadonlyMap<string, Taint>,
): { readonly taint: Taint; readonly read: Span; readonly awaited?: Span } | undefined {
  let found: { taint: Taint; read: Span } | undefined;
  const awaits: Span[] = [];
  const visit = (fn: FunctionIr): void => {
    if (!fn.body) return;
    const bound = bindingsOf(fn.body);
    walkBody(fn.body, ({ expr, around }) => {
      if (expr.kind === 'await') awaits.push({ start: expr.span.end - 1, end: expr.span.end });
      if (expr.kind === 'closure') {
        const inner = file.functions.find((f) => f.id === expr.functionId);
        if (inner) visit(inner);
      }
      if (expr.kind !== 'name' || expr.path.length !== 1) return;
      const [name = ''] = expr.path;
      const taint = addresses.get(name);
      if (!taint || (bound.get(name)?.span.end ?? Infinity) < expr.span.start) return;
      const outer = around.at(-1);
      if (outer?.kind === 'method' && outer.receiver === expr && /^(?:len|is_empty|is_null)$/u.test(outer.method))
        return;
      if (!found || expr.span.start > found.read.start) found = { taint, read: expr.span };
    });
  };
  visit(closure);
  if (!found) return undefined;
  const { read } = found;
  const awaited = awaits.find((a) => a.start < read.start);
  return { ...found, ...(awaited ? { awaited } : {}) };
}

/** Data of an asynchronous work that holds an address, and the function that reads it on the thread pool. */
function workOf(
  file: FileIr,
  call: ExprOf<'call'> | ExprOf<'method'>,
  taintOf: (expr: Expr) => Taint | undefined,
  variables: LocalVariables,
  text: string,
): Omit<MovedAddress, 'fn'> | undefined {
  const data = call.args.slice(5).flatMap(({ value }) => taintOf(value) ?? [])[0];
  const execute = call.args[3] && callbackOf(call.args[3].value, variables);
  const runs =
    execute && file.functions.find((f) => f.name === execute.path.at(-1) && f.abi !== undefined && f.bodySpan);
  if (data?.field === undefined || !runs?.bodySpan) return undefined;
  const body = text.slice(runs.bodySpan.start, runs.bodySpan.end);
  const read = new RegExp(`(?:\\.|\\{[^{}]*\\b)${data.field}\\b(?!\\s*(?:=[^=]|\\.\\s*is_null))`, 'u').exec(body);
  if (!read) return undefined;
  const start = runs.bodySpan.start + read.index;
  return {
    buffer: data.buffer,
    type: data.type,
    taken: data.taken,
    thread: `the libuv thread pool ('${runs.name}')`,
    moved: { start: call.span.start, end: call.span.start + 'napi_create_async_work'.length },
    read: { start, end: start + read[0].length },
  };
}
