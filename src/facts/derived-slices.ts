import { boundNames, calledName } from './d-code.js';
import { walkBody } from '../model/walk-body.js';
import type { Block, Expr, TypeDecl } from '../model/ir.js';

/** What an expression shows of a text: one slice of it, or several (an array or range of slices). */
type Shown = 'slice' | 'many';

/** Functions that give a part of the text that they are given, without a copy. */
const PARTS = new Set([
  'strip',
  'stripLeft',
  'stripRight',
  'chomp',
  'chompPrefix',
  'chop',
  'find',
  'representation',
  'assumeUTF',
  'assumeUnique',
]);
/** Those that cut it into several. */
const CUTS = new Set([
  'split',
  'splitter',
  'splitLines',
  'lineSplitter',
  'findSplit',
  'findSplitBefore',
  'findSplitAfter',
]);
/** Those that take one of several, .. */
const PICKS = new Set(['front', 'back']);
/** .. and some of several. */
const CHOICES = new Set(['array', 'drop', 'dropOne', 'take', 'filter']);

/** Says of expressions in a body what they show of the variables that it was made for. */
export type Derivation = (expr: Expr) => Shown | undefined;

/**
 * Follows slices of some variables through a body: variables that are set to parts of them, parts of parts, the elements of what cuts
 * them. What is `also` a slice counts as one. A variable that is anywhere set to something else is not followed: it may hold a copy.
 */
export function derivedFrom(
  body: Block,
  seeds: ReadonlySet<string>,
  also: (expr: Expr) => boolean = () => false,
): Derivation {
  const shown = new Map<string, Shown>([...seeds].map((name) => [name, 'slice']));
  const derive: Derivation = (expr) => {
    if (also(expr)) return 'slice';
    switch (expr.kind) {
      case 'name':
        return expr.path.length === 1 ? shown.get(expr.path[0] ?? '') : undefined;
      case 'cast':
        return derive(expr.value);
      case 'slice':
        return derive(expr.base);
      case 'index':
        return derive(expr.base) === 'many' ? 'slice' : undefined;
      case 'field':
        return part(expr.name, derive(expr.base));
      case 'method':
        return part(expr.method, derive(expr.receiver));
      case 'call': {
        const [first] = expr.args;
        return first && part(calledName(expr) ?? '', derive(first.value));
      }
      default:
        return undefined;
    }
  };
  walkBody(body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind') {
      const what = derive(expr);
      if (what !== undefined) shown.set(statement.pattern.name, what);
    }
    if (expr.kind === 'loop' && expr.iterable !== undefined && derive(expr.iterable) === 'many')
      for (const binding of (expr.bindings ?? []).slice(-1))
        for (const name of boundNames(binding.pattern)) shown.set(name, 'slice');
  });
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'assign' || expr.target.kind !== 'name' || expr.target.path.length !== 1) return;
    if (expr.operator !== '=' || derive(expr.value) === undefined) shown.delete(expr.target.path[0] ?? '');
  });
  return derive;
}

function part(name: string, of: Shown | undefined): Shown | undefined {
  if (of === 'slice') return PARTS.has(name) ? 'slice' : CUTS.has(name) ? 'many' : undefined;
  if (of === 'many') return PICKS.has(name) ? 'slice' : CHOICES.has(name) ? 'many' : undefined;
  return undefined;
}

/** `Record(line)` of a struct that has no constructor: its fields are what it is given. */
export function isRecordOf(
  expr: Expr,
  derive: Derivation,
  declaration: (name: string) => TypeDecl | undefined,
  hasConstructor: (type: TypeDecl) => boolean,
): boolean {
  if (expr.kind !== 'call' || !expr.args.some(({ value }) => derive(value) === 'slice')) return false;
  const type = declaration(calledName(expr) ?? '');
  return type?.kind === 'struct' && !hasConstructor(type);
}
