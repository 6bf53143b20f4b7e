import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { calleeOf, walkBody, type Walked } from '../model/walk-body.js';
import { outName } from './js-addresses.js';
import type { UnitFacts } from './unit.js';

/** The address of JavaScript's bytes, used after a call into JavaScript in the same function. */
export interface StaleAddress {
  readonly fn: FunctionIr;
  /** The variable with the address. */
  readonly name: string;
  /** What gave it. */
  readonly how: string;
  readonly taken: Span;
  readonly callee: string;
  readonly called: Span;
  readonly used: Span;
}

/** Getters of Node-API, with the place of the pointer that they fill in. */
const GETTERS: Readonly<Record<string, number>> = {
  napi_get_buffer_info: 2,
  napi_get_arraybuffer_info: 2,
  napi_get_typedarray_info: 4,
  napi_get_dataview_info: 3,
};
/** Functions of Node-API that run JavaScript before they return. */
const CALLS = /^napi_(?:call_function|make_callback|new_instance|run_script)$/u;
const FUNCTION = /^&?\s*(?:mut\s+)?(?:Js)?Function\b/u;
const BYTES =
  /^&?\s*(?:mut\s+)?(?:(?:Uint|Int|Float|BigInt|BigUint)\d+(?:Clamped)?Array|Buffer|ArrayBuffer)(?:Slice)?\b/u;
const CONCERNS = /\bnapi_get_(?:buffer|arraybuffer|typedarray|dataview)_info\s*\(|\bas_(?:mut_)?ptr\s*\(/u;
/** Looking at the address itself reads nothing. */
const LOOKS = /^(?:is_null|addr|len|is_empty)$/u;

/**
 * Pointers that `napi_get_buffer_info` and its kin fill in, or that `as_ptr` of a buffer of napi-rs gives, and views of them, used after the function has called JavaScript,
 * which may have detached, transferred or resized what they point to.
 */
export function findStaleAddresses(unit: UnitFacts, file: FileIr): readonly StaleAddress[] {
  const text = unit.textOf(file.path) ?? '';
  if (
    !CONCERNS.test(text) ||
    !/\bnapi_(?:call_function|make_callback|new_instance|run_script)\b|\.\s*(?:call|apply)\s*\(/u.test(text)
  )
    return [];
  return file.functions.flatMap((fn) => {
    const own =
      fn.bodySpan && !fn.isTest && fn.kind !== 'closure' ? text.slice(fn.bodySpan.start, fn.bodySpan.end) : '';
    return CONCERNS.test(own) ? staleIn(fn, text) : [];
  });
}

function staleIn(fn: FunctionIr, text: string): readonly StaleAddress[] {
  if (!fn.body) return [];
  const paramsOf = (type: RegExp): ReadonlySet<string> =>
    new Set(fn.params.flatMap((p) => (p.type && type.test(p.type.text) ? [p.name] : [])));
  const functions = paramsOf(FUNCTION);
  const buffers = paramsOf(BYTES);
  const taken = new Map<string, { readonly how: string; readonly span: Span }>();
  const calls: { readonly callee: string; readonly span: Span }[] = [];
  const found = new Map<string, StaleAddress>();
  walkBody(fn.body, (walked) => {
    const { expr, around, statement } = walked;
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind') {
      const how = addressOf(expr, buffers, taken);
      if (how === undefined) taken.delete(statement.pattern.name);
      else taken.set(statement.pattern.name, { how, span: expr.span });
    }
    if (expr.kind === 'call') {
      const last = (calleeOf(expr) ?? '').split('::').at(-1) ?? '';
      const at = GETTERS[last];
      const name = at === undefined ? undefined : outName(expr.args[at]?.value);
      if (name !== undefined) taken.set(name, { how: last, span: expr.span });
      if (CALLS.test(last) && !isLeft(walked, text)) calls.push({ callee: last, span: expr.span });
    }
    if (
      expr.kind === 'method' &&
      /^(?:call|apply)$/u.test(expr.method) &&
      expr.receiver.kind === 'name' &&
      functions.has(expr.receiver.path[0] ?? '') &&
      !isLeft(walked, text)
    )
      calls.push({ callee: `${expr.receiver.path[0] ?? ''}.${expr.method}`, span: expr.span });
    if (expr.kind !== 'name' || expr.path.length !== 1) return;
    const [name = ''] = expr.path;
    const from = taken.get(name);
    const call = from && calls.find((c) => c.span.start > from.span.end && c.span.end <= expr.span.start);
    if (!from || !call || found.has(name)) return;
    const outer = around.at(-1);
    // Looked at, or filled in anew.
    if (outer?.kind === 'method' && outer.receiver === expr && LOOKS.test(outer.method)) return;
    if (outer?.kind === 'address' || (outer?.kind === 'assign' && outer.target === expr)) return;
    found.set(name, {
      fn,
      name,
      how: from.how,
      taken: from.span,
      callee: call.callee,
      called: call.span,
      used: expr.span,
    });
  });
  return [...found.values()];
}

/** The function goes no further after the call: it is what is returned, or its block returns. */
function isLeft({ expr, around }: Walked, text: string): boolean {
  if (around.some((outer) => outer.kind === 'return')) return true;
  const block = around.findLast((outer) => outer.kind === 'if' || outer.kind === 'match' || outer.kind === 'closure');
  if (!block) return false;
  return block.kind === 'closure' || /\breturn\b/u.test(text.slice(expr.span.end, block.span.end));
}

/** What gives the address of JavaScript's bytes: `data.as_ptr()`, or a view or copy of an address that is known. */
function addressOf(
  expr: Expr,
  buffers: ReadonlySet<string>,
  taken: ReadonlyMap<string, { readonly how: string }>,
  depth = 0,
): string | undefined {
  if (depth > 6) return undefined;
  const next = (inner: Expr | undefined): string | undefined => inner && addressOf(inner, buffers, taken, depth + 1);
  switch (expr.kind) {
    case 'name':
      return taken.get(expr.path.length === 1 ? (expr.path[0] ?? '') : '')?.how;
    case 'cast':
      return next(expr.value);
    case 'block':
      return next(expr.block.result);
    case 'method': {
      const base = expr.receiver.kind === 'name' ? expr.receiver.path[0] : undefined;
      if (/^as_(?:mut_)?ptr$/u.test(expr.method) && base !== undefined && buffers.has(base))
        return `${base}.${expr.method}`;
      return /^(?:cast|cast_mut|cast_const|add|offset)$/u.test(expr.method) ? next(expr.receiver) : undefined;
    }
    case 'call':
      return /(?:^|::)from_raw_parts(?:_mut)?$/u.test(calleeOf(expr) ?? '') ? next(expr.args[0]?.value) : undefined;
    default:
      return undefined;
  }
}
