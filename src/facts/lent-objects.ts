import type { Expr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import { originOf } from './rust-code.js';

/** An object of a library that a function only lends, taken over by a wrapper that releases it. */
export interface LentObject {
  readonly getter: string;
  readonly taker: string;
  readonly got: Span;
  readonly span: Span;
}

/** Each library with the functions that give no reference of their own, and the ways to take one over that releases it. */
const LIBRARIES: readonly { readonly lends: RegExp; readonly takes: RegExp }[] = [
  {
    // CPython says which of its functions give "borrowed references".
    lends:
      /^Py(?:List|Tuple|Cell)_(?:GetItem|GET_ITEM|GET)$|^PyDict_GetItem(?:WithError|String)?$|^Py(?:Err_Occurred|Import_AddModule|Import_GetModuleDict|Sys_GetObject|Module_GetDict|Weakref_GetObject|Eval_GetBuiltins|Eval_GetGlobals|Eval_GetLocals|ThreadState_GetDict|Function_GetCode|Function_GetGlobals|Method_Self|Method_Function)$/u,
    takes: /^(?:from_owned_ptr\w*|assume_owned\w*|steal_ptr|from_new_reference|steal)$/u,
  },
  {
    // Core Foundation: what has "Get" in its name and neither "Create" nor "Copy" stays with its owner.
    lends: /^(?:CF|CG|CT|CV|CM|Sec|IO)[A-Z]\w*Get[A-Z]\w*$/u,
    takes: /^wrap_under_create_rule$/u,
  },
  {
    // OpenSSL: a "0" stands for an object whose count is not raised.
    lends: /^[A-Z]\w*_(?:get0|peek0?)(?:_\w+)?$/u,
    takes: /^from_ptr$/u,
  },
];

/**
 * `Bound::from_owned_ptr(py, ffi::PyList_GetItem(list, 0))`, `wrap_under_create_rule(CFArrayGetValueAtIndex(..))`: the wrapper releases a
 * reference that belongs to the list. Quiet where the reference was counted once more in between.
 */
export function findLentObjects(fn: FunctionIr, text: string): readonly LentObject[] {
  const { body } = fn;
  if (!body || /INCREF|IncRef|\bCFRetain\b|_up_ref\b|\bretain\b/u.test(text)) return [];
  const bindings = bindingsOf(body);
  const found: LentObject[] = [];
  walkBody(body, ({ expr }) => {
    const taken = takerOf(expr);
    if (!taken) return;
    const library = LIBRARIES.find((l) => l.takes.test(taken.name));
    // `PKeyRef::from_ptr` only looks.
    // A list is often made for the caller, though what is in it is not.
    if (!library || (taken.name === 'from_ptr' && !/^(?!Stack$)[A-Z]\w*(?<!Ref)$/u.test(taken.type))) return;
    for (const value of taken.values) {
      const got = callBehind(value, bindings);
      if (!got || !library.lends.test(got.name)) continue;
      const taker = taken.type === '' ? taken.name : `${taken.type}::${taken.name}`;
      found.push({ getter: got.name, taker, got: got.span, span: expr.span });
      return;
    }
  });
  return found;
}

function takerOf(
  expr: Expr,
): { readonly type: string; readonly name: string; readonly values: readonly Expr[] } | undefined {
  if (expr.kind === 'call' && expr.callee.kind === 'name')
    return {
      type: expr.callee.path.at(-2) ?? '',
      name: expr.callee.path.at(-1) ?? '',
      values: expr.args.map((a) => a.value),
    };
  // `ffi::PyList_GetItem(list, 0).assume_owned(py)`, `py.from_owned_ptr(p)`
  if (expr.kind === 'method')
    return { type: '', name: expr.method, values: [expr.receiver, ...expr.args.map((a) => a.value)] };
  return undefined;
}

/** The call whose result an expression is, through casts, checks for null and variables. */
function callBehind(
  expr: Expr,
  bindings: Bindings,
  depth = 0,
): { readonly name: string; readonly span: Span } | undefined {
  const origin = originOf(expr, bindings);
  if (origin.kind === 'method' && /^(?:unwrap|expect)$/u.test(origin.method) && depth < 6)
    return callBehind(origin.receiver, bindings, depth + 1);
  if (origin.kind !== 'call' || origin.callee.kind !== 'name') return undefined;
  const name = origin.callee.path.at(-1) ?? '';
  const [given] = origin.args;
  // `cvt_p(X509_get0_pubkey(..))?`
  if (/^(?:cvt_p|cvt_p_const|NonNull|Some)$/u.test(name) && given && depth < 6)
    return callBehind(given.value, bindings, depth + 1);
  return { name, span: origin.span };
}
