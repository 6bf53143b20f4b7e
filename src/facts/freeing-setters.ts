import type { Adoption, FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { isGivenBack } from './repeated-takers.js';
import type { UnitFacts } from './unit.js';

/** A function for C that frees the handle it is given, though its name says that it only uses it. */
export interface FreeingSetter {
  readonly adoption: Adoption;
  readonly parameter: string;
  /** The function that is meant to free such a handle. */
  readonly freer: { readonly name: string; readonly file: FileIr; readonly span: Span };
}

const USES =
  /(?:^|_)(?:set|get|is|has|add|len|length|size|count|name|read|write|send|recv|receive|update|push|insert|append|register|enable|disable|print|log|contains|lookup|find|next|peek|poll|status|state)(?:_|$)/u;
const FREES =
  /(?:^|_)(?:free|destroy|drop|delete|release|dispose|close|finish|finalize|deinit|cleanup|shutdown)(?:_|$)/u;
/** Functions that use a handle up, and give something else for it. */
const CONSUMES =
  /(?:^|_)(?:into|build|take|consume|commit|join|await|end|done|exec|execute|new|from|once|unset|remove)(?:_|$)/u;

/**
 * An exported function (`extern "C"`) whose name says that it sets or gets something, where `from_raw` takes over the handle and nothing
 * gives it back: it is freed at the end, while the package has another function to free such handles.
 */
export function findFreeingSetter(unit: UnitFacts, fn: FunctionIr, flow: FunctionFlow): FreeingSetter | undefined {
  if (fn.abi === undefined || !fn.body || fn.isTest || fn.parent !== undefined) return undefined;
  if (!USES.test(fn.name) || FREES.test(fn.name) || CONSUMES.test(fn.name)) return undefined;
  const [handle] = fn.params;
  if (handle?.type?.kind !== 'pointer' || handle.type.element?.kind !== 'path') return undefined;
  const type = handle.type.element.name;
  // Data of a callback is the business of whoever registers it.
  if (/^(?:c_void|c_char|u8|i8)$/u.test(type)) return undefined;
  const adoption = flow.adoptions.find(
    ({ pointer: { target }, how, through }) =>
      through === undefined &&
      /from_raw$/u.test(how) &&
      target.root.kind === 'param' &&
      target.root.index === 0 &&
      target.path.length === 1,
  );
  if (!adoption || isGivenBack(flow, adoption)) return undefined;
  for (const other of unit.filesMatching(
    'rust',
    // From the start, so that a text with one of the two is gone through once.
    new RegExp(`^(?=[^]*\\bfrom_raw\\b)(?=[^]*\\b${type}\\b)`, 'u'),
  ))
    for (const freer of other.functions) {
      const param = freer.params[0]?.type;
      const isFreer =
        freer.abi !== undefined &&
        freer.bodySpan !== undefined &&
        FREES.test(freer.name) &&
        param?.kind === 'pointer' &&
        param.element?.name === type;
      if (isFreer)
        return { adoption, parameter: handle.name, freer: { name: freer.name, file: other, span: freer.nameSpan } };
    }
  return undefined;
}
