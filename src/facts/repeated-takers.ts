import type { Adoption, FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { withoutAlias } from '../flow/types.js';
import type { UnitFacts } from './unit.js';

/** A callback that frees its data although it is registered to be called again and again. */
export interface RepeatedTaker {
  readonly adoption: Adoption;
  /** The function that registers it, and where. */
  readonly callee: string;
  readonly file: FileIr;
  readonly span: Span;
}

/** Registrations that stay until they are taken back. */
const STAYS =
  /(?:^|_)(?:set|add|register|install|subscribe|listen|watch|on)_\w*(?:cb|callback|handler|hook|listener)s?$/u;
/** The same for a closure that may be called more than once. */
const STAYS_FOR_MANY = /(?:^|_)(?:set|add|register|install|subscribe|listen|watch|on)_\w+$/u;
/** Callbacks whose work it is to free, and those that are called once. */
const LAST =
  /once|destr|free|final|clos|drop|delet|releas|clean|exit|teardown|done|complet|dispose|shutdown|detach|unload/iu;

/** Data of an `extern "C"` function that it takes over and frees, though somebody registers the function to stay. */
export function findRepeatedTakers(
  unit: UnitFacts,
  path: string,
  fn: FunctionIr,
  flow: FunctionFlow,
): readonly RepeatedTaker[] {
  if (fn.abi === undefined || !fn.body || LAST.test(fn.name)) return [];
  const adoption = flow.adoptions.find(
    ({ pointer: { target } }) =>
      target.root.kind === 'param' &&
      target.root.index !== undefined &&
      target.path.length === 1 &&
      fn.params[target.root.index]?.type?.kind === 'pointer',
  );
  if (!adoption || isGivenBack(flow, adoption)) return [];
  // A closure that may be called again says by itself that it is.
  const closure = withoutAlias(adoption.content, unit.oracle('rust'), path);
  const isMany = /^Box\s*<\s*dyn\s+Fn(?:Mut)?\b(?!Once)/u.test(closure?.text ?? '');
  if (fn.params.length < 2 && !isMany) return [];
  const stays = isMany ? STAYS_FOR_MANY : STAYS;
  const word = new RegExp(`\\b${fn.name}\\b`, 'gu');
  for (const other of unit.filesMatching('rust', new RegExp(`\\b${fn.name}\\b`, 'u'))) {
    const text = unit.textOf(other.path) ?? '';
    for (const match of text.matchAll(word)) {
      const callee = calleeAround(text, match.index);
      if (callee !== undefined && stays.test(callee) && !LAST.test(callee))
        return [{ adoption, callee, file: other, span: { start: match.index, end: match.index + fn.name.length } }];
    }
  }
  return [];
}

/** What was taken over is forgotten or turned into a pointer again, so that nothing is freed. */
export function isGivenBack(flow: FunctionFlow, { pointer }: Adoption): boolean {
  return flow.calls.some(
    (c) =>
      c.rows.some((row) => row.effects.some((e) => e.kind === 'forget')) &&
      [...c.args, ...(c.receiver ? [c.receiver] : [])].some((a) => a.adopts?.includes(pointer) === true),
  );
}

/** The function whose argument stands at `at`, through `Some(..)`; undefined where there is none within a few lines. */
function calleeAround(text: string, at: number): string | undefined {
  let depth = 0;
  for (let i = at - 1; i > Math.max(0, at - 600); i--) {
    const char = text[i];
    if (char === ')' || char === ']' || char === '}') depth++;
    else if (char === ';' || ((char === '{' || char === '[') && depth === 0)) return undefined;
    else if (char === '{' || char === '[') depth--;
    else if (char === '(' && depth-- === 0) {
      const name = /(\w+)\s*$/u.exec(text.slice(Math.max(0, i - 100), i))?.[1];
      if (name !== 'Some') return name;
      depth = 0;
    }
  }
  return undefined;
}
