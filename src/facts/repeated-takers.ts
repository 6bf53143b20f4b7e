import type { Adoption, FunctionFlow } from '../flow/result.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
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
  if (!adoption || isGivenBack(flow, adoption) || isForOneStatus(fn, adoption)) return [];
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

/**
 * The data is taken over under a condition on another parameter, which says which of the calls it is: `if status == COMPLETE { .. }`,
 * `match reason { LAST => .. }`.
 */
function isForOneStatus(fn: FunctionIr, { span, pointer }: Adoption): boolean {
  const data = pointer.target.root.name;
  const told = new Set(fn.params.filter((p) => p.name !== data && isStatus(p.type)).map((p) => p.name));
  const isTold = (expr: Expr): boolean => {
    switch (expr.kind) {
      case 'name':
        return expr.path.length === 1 && told.has(expr.path[0] ?? '');
      case 'cast':
        return isTold(expr.value);
      case 'binary':
        return /^(?:==|&&)$/u.test(expr.operator) && (isTold(expr.left) || isTold(expr.right));
      case 'call':
        return expr.args.some(({ value }) => isTold(value));
      default:
        return false;
    }
  };
  let isChosen = false;
  if (told.size > 0 && fn.body)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind === 'if') isChosen ||= isTold(expr.condition) && isInside(span, expr.then.span);
      if (expr.kind === 'match') isChosen ||= isTold(expr.scrutinee) && isInside(span, expr.span);
    });
  return isChosen;
}

/** A number or an enum that a library passes: no pointer. */
function isStatus(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && !/^Option$/u.test(type.name);
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
