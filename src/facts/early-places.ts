import { calledName, memberPath } from './d-code.js';
import type { UnitFacts } from './unit.js';
import { typeOfPlace } from '../flow/place-type.js';
import { describePlace } from '../flow/place.js';
import type { Growth } from '../flow/result.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody, walkExpression } from '../model/walk-body.js';

/** An element that is assigned what a call returns, and the call appends to the array. */
export interface EarlyPlace {
  /** As it is written: `this.nodes`. */
  readonly array: string;
  readonly element: Span;
  readonly growth: Growth;
}

/** What gives an array another block. */
const APPENDS = /~=|\.\s*length\s*(?:[+=]|\+\+)|\.\s*(?:insert\w*|put|reserve)\s*\(/u;

const ELEMENT = String.raw`\]\s*(?:\.\s*\w+\s*)*(?:[-+*/%|&^]|<<|>>)?=(?!=)`;

/** An element, or a member of one, is assigned what a function or method returns. */
export const ELEMENT_OF_CALL = new RegExp(
  String.raw`${ELEMENT}\s*(?:cast\s*\([^()]*\)\s*)?(?:\w+\.)*[a-z_]\w*\s*\(`,
  'u',
);

/** D: those of a file's functions in which an element is assigned what a function of the file returns that appends: `nodes[i].left = build(..)`. */
export function functionsWithEarlyPlaces(
  unit: UnitFacts,
  file: FileIr,
  functions: readonly FunctionIr[],
): readonly FunctionIr[] {
  const text = unit.textOf(file.path) ?? '';
  if (!ELEMENT_OF_CALL.test(text)) return [];
  const growers = file.functions.filter(
    ({ bodySpan }) => bodySpan && APPENDS.test(text.slice(bodySpan.start, bodySpan.end)),
  );
  const names = [...new Set(growers.map(({ name }) => name))].filter((name) => /^[a-z_]\w*$/u.test(name));
  if (names.length === 0) return [];
  const assigned = new RegExp(String.raw`${ELEMENT}[^;=]*\b(?:${names.join('|')})\s*\(`, 'u');
  return functions.filter((fn) => unit.holds(file, fn, [assigned]));
}

/**
 * D: where the place of an element is made before the value that is put there, and making the value moves the array: compilers take the
 * address of the left side first (ldc2 1.30 and gdc 12 lose what is written), so that the value goes to the old block.
 */
export function findEarlyPlaces(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly EarlyPlace[] {
  if (fn.body === undefined) return [];
  const found: EarlyPlace[] = [];
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'assign' || !/^(?:[-+*/%|&^]|<<|>>)?=$/u.test(expr.operator)) return;
    const array = arrayOf(expr.target);
    if (array === undefined || !hasCall(expr.value)) return;
    const growths = unit
      .flowOf(file, fn)
      .growths.filter(
        (g) =>
          /^(?:append|resize|insert|reserve)$/u.test(g.operation) &&
          withoutThis(describePlace(g.place)) === withoutThis(array) &&
          typeOfPlace(g.place, unit.oracle('d'), file.path)?.kind === 'slice',
      );
    // Room was made before the place is looked up.
    if (growths.some((g) => g.operation === 'reserve' && !g.through && g.span.start < expr.span.start)) return;
    // What a function does that calls itself is what it does.
    const growth =
      // Of a function that calls itself the growth tells more than the call.
      (callsItself(expr.value, fn) ? growths.find((g) => !g.through && g.place.root.kind !== 'local') : undefined) ??
      growths.find((g) => isInside(g.span, expr.value.span));
    if (growth) found.push({ array, element: expr.target.span, growth });
  });
  return found;
}

/** `this.nodes` of `this.nodes[i].left`: the array whose element a target is, or is a member of. */
function arrayOf(target: Expr): string | undefined {
  if (target.kind === 'field') return arrayOf(target.base);
  return target.kind === 'index' ? memberPath(target.base) : undefined;
}

function hasCall(value: Expr): boolean {
  switch (value.kind) {
    case 'call':
    case 'method':
      return true;
    case 'cast':
      return hasCall(value.value);
    case 'binary':
      return hasCall(value.left) || hasCall(value.right);
    default:
      return false;
  }
}

function callsItself(value: Expr, { name, params }: FunctionIr): boolean {
  let calls = false;
  const needed = params.filter((param) => param.hasDefault !== true).length;
  walkExpression(value, ({ expr }) => {
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    const isOwn = expr.kind === 'call' || (expr.receiver.kind === 'name' && expr.receiver.path[0] === 'self');
    // Another function of that name takes another number of arguments.
    if (isOwn && calledName(expr) === name && expr.args.length >= needed) calls = true;
  });
  return calls;
}

function withoutThis(path: string): string {
  return path.replace(/^(?:this|self)\./u, '');
}
