import type { Argument, Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { calleeOf, walkBody } from '../model/walk-body.js';
import { plainText } from './plain-text.js';
import type { UnitFacts } from './unit.js';

/** A threadsafe function that a `drop` releases, though nothing tells it when the environment has ended the function before. */
export interface UnfinalizedFunction {
  /** The call that makes it. */
  readonly created: Span;
  /** The `drop` and its owner. */
  readonly drop: FunctionIr;
  readonly released: Span;
}

/** `(env, func, resource, name, max_queue, threads, finalize_data, finalize_cb, context, call_js_cb, result)` */
const FINALIZE_DATA = 6;
const FINALIZE_CB = 7;
const ARGUMENTS = 11;
const CREATE = /(?:^|::)(?:napi_)?create_threadsafe_function$/u;
const RELEASE = /\b(?:napi_)?release_threadsafe_function\b/u;
/** What a finalizer does that leaves word for others: it sets a flag or takes a lock. */
const LEAVES_WORD = /\.\s*(?:store|swap|lock|write|set|replace|take|upgrade)\s*\(|\*\s*\w+\s*=\s/u;

/**
 * Node.js ends the threadsafe functions of an environment with it, whoever still holds them, and their memory may be freed then
 * (nodejs/node#55706). A type that releases one in `drop` has to hear of it: from the finalizer that it was made with.
 */
export function findUnfinalized(unit: UnitFacts, file: FileIr, fn: FunctionIr): UnfinalizedFunction | undefined {
  if (!fn.body) return undefined;
  let created: Span | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (!created && expr.kind === 'call' && CREATE.test(calleeOf(expr) ?? '') && !isTold(unit, file, expr.args))
      created = expr.callee.span;
  });
  if (!created) return undefined;
  for (const drop of file.functions) {
    if (drop.kind !== 'destructor' || drop.isTest || !drop.bodySpan) continue;
    const release = RELEASE.exec(plainText(unit, file, drop.bodySpan));
    if (!release) continue;
    const start = drop.bodySpan.start + release.index;
    return { created, drop, released: { start, end: start + release[0].length } };
  }
  return undefined;
}

/** Whether a finalizer is given that can leave word of the end, or it can't be told. */
function isTold(unit: UnitFacts, file: FileIr, args: readonly Argument[]): boolean {
  const data = args[FINALIZE_DATA]?.value;
  const finalizer = args[FINALIZE_CB]?.value;
  if (args.length !== ARGUMENTS || !data || !finalizer) return true;
  if (finalizer.kind === 'name' && finalizer.path.at(-1) === 'None') return false;
  if (!isNull(data)) return true;
  // Without data it frees what it has in the context; a flag may be there too.
  const [given] = finalizer.kind === 'call' ? finalizer.args : [];
  const name = given?.value.kind === 'name' ? given.value.path.at(-1) : undefined;
  const target = file.functions.find((f) => f.name === name && f.bodySpan);
  return !target?.bodySpan || LEAVES_WORD.test(plainText(unit, file, target.bodySpan));
}

function isNull(expr: Expr): boolean {
  return /(?:^|::)null(?:_mut)?$/u.test(calleeOf(expr) ?? '');
}
