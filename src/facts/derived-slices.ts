import { boundNames, calledName, closureOf, heldByLiteral, mayKeep, memberPath, subjectOf } from './d-code.js';
import { walkBody } from '../model/walk-body.js';
import type { Block, Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { UnitFacts } from './unit.js';

/** What an expression shows of a text: one slice of it, several (an array or range of slices), or a record or object that holds some. */
type Shown = 'slice' | 'many' | 'record';

/** Functions that give a part of the text that they are given, without a copy. */
const PARTS = new Set([
  'byCodeUnit',
  'drop',
  'dropOne',
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
const CHOICES = new Set(['array', 'drop', 'dropOne', 'take', 'filter', 'retro', 'sort', 'uniq', 'cache', 'release']);
/** Types that a slice which can be written to is converted to only by a copy. */
const COPIED = /^[wd]?string$/u;

/** Says of expressions in a body what they show of the variables that it was made for. */
export type Derivation = (expr: Expr) => Shown | undefined;

/**
 * Follows slices of some variables through a body: variables that are set to parts of them, parts of parts, the elements of what cuts
 * them, records that are made of them. What is `also` a slice counts as one. A variable that is anywhere set to something else is not
 * followed: it may hold a copy.
 */
export function derivedFrom(
  unit: UnitFacts,
  file: FileIr,
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
      case 'if': {
        const branches = [expr.then, expr.else].flatMap((branch) => (branch === undefined ? [] : [derive(branch)]));
        return branches.length === 2 ? (branches[0] ?? branches[1]) : undefined;
      }
      case 'block':
        return expr.block.statements.length === 0 && expr.block.result !== undefined
          ? derive(expr.block.result)
          : undefined;
      case 'field':
        return part(expr.name, derive(expr.base));
      case 'new': {
        const { args, type } = expr;
        const isMade = unit.oracle('d').methods(type.name, 'this', file.path).length > 0;
        const isKept = args.some(
          ({ value }, at) => derive(value) !== undefined && mayKeep(unit, file, type.name, at, args.length),
        );
        return isMade && isKept ? 'record' : undefined;
      }
      case 'struct':
        return expr.fields.some(({ value }) => derive(value) !== undefined) ? 'record' : undefined;
      case 'method':
      case 'call': {
        const subject = expr.kind === 'method' ? expr.receiver : expr.args.find(({ name }) => name !== '!')?.value;
        const of = subject && derive(subject);
        const name = calledName(expr) ?? '';
        if (name === 'map' && of === 'many') return mapped(file, expr, 'many');
        const found = part(name, of);
        if (found !== undefined) return found;
        return heldByLiteral(unit, file, expr).some((value) => derive(value) !== undefined) ? 'record' : undefined;
      }
      default:
        return undefined;
    }
  };
  // Records first, of which a member is set to a slice: `entry.name = line[0 .. n];`
  walkBody(body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind') {
      const what = COPIED.test(statement.type?.name ?? '') ? undefined : derive(expr);
      if (what !== undefined) shown.set(statement.pattern.name, what);
    }
    if (expr.kind === 'assign' && expr.operator === '=' && expr.target.kind === 'field') {
      const { base } = expr.target;
      const holder = base.kind === 'name' && base.path.length === 1 ? base.path[0] : undefined;
      if (holder !== undefined && !shown.has(holder) && holdsSlice(file, expr.target.name))
        if (derive(expr.value) !== undefined) shown.set(holder, 'record');
    }
    if (expr.kind === 'loop' && expr.iterable !== undefined && derive(expr.iterable) === 'many')
      for (const binding of (expr.bindings ?? []).slice(-1))
        for (const name of boundNames(binding.pattern)) shown.set(name, 'slice');
  });
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'assign') return;
    const { target } = expr;
    const isCopy = expr.operator !== '=' || derive(expr.value) === undefined;
    if (target.kind === 'name' && target.path.length === 1 && isCopy) shown.delete(target.path[0] ?? '');
    // `entry.name = entry.name.dup;`
    const holder = target.kind === 'field' ? memberPath(target.base) : undefined;
    if (holder !== undefined && shown.get(holder) === 'record' && expr.operator === '=' && copies(expr.value))
      shown.delete(holder);
  });
  return derive;
}

/** Whether a type of the file has a member of this name that is a slice: a static array is copied into, a property may be anything. */
function holdsSlice(file: FileIr, member: string): boolean {
  const fields = file.types.flatMap((type) => type.fields.filter(({ name }) => name === member));
  return fields.length > 0 && fields.every(({ type }) => type?.kind === 'slice');
}

/** `x.dup`, `x.idup`, `x.to!string`. */
function copies(value: Expr): boolean {
  const name = value.kind === 'field' ? value.name : calledName(value);
  return name !== undefined && /^(?:i?dup|to|text|toUTF\d+)$/u.test(name);
}

function part(name: string, of: Shown | undefined): Shown | undefined {
  if (of === 'slice') return PARTS.has(name) ? 'slice' : CUTS.has(name) ? 'many' : undefined;
  if (of === 'many') return PICKS.has(name) ? 'slice' : CHOICES.has(name) ? 'many' : undefined;
  return undefined;
}

/** `words.map!(word => word.strip)`, `words.map!strip`: `of` when what the function makes of a text is a part of it. */
function mapped(file: FileIr, expr: Extract<Expr, { kind: 'method' | 'call' }>, of: Shown): Shown | undefined {
  const made = expr.args.find((argument) => argument.name === '!')?.value;
  const named = expr.kind === 'method' ? expr.typeArgs[0]?.name : undefined;
  if (named !== undefined && made === undefined) return PARTS.has(named) ? of : undefined;
  return made !== undefined && isPartOfParameter(closureOf(file, made)) ? of : undefined;
}

/** Whether a function of the library gives a part, or the parts, of the text that it is given. */
export function givesParts(name: string): boolean {
  return PARTS.has(name) || CUTS.has(name);
}

/** `line => line.strip`, `line => line.split(',')`: what is made of the parameter shows it. */
function isPartOfParameter(fn: FunctionIr | undefined): boolean {
  const name = fn?.params[0]?.name;
  const result = fn?.body?.statements.length === 0 ? fn.body.result : undefined;
  return name !== undefined && result !== undefined && partOf(result) === name;
}

/** The variable of which an expression is the whole, a slice, or a part that a function of the library found without copying. */
export function partOf(expr: Expr): string | undefined {
  if (expr.kind === 'cast' || expr.kind === 'slice') return partOf(expr.kind === 'cast' ? expr.value : expr.base);
  if (expr.kind === 'name') return expr.path.length === 1 ? expr.path[0] : undefined;
  if (expr.kind === 'index') return expr.base.kind === 'name' ? undefined : partOf(expr.base);
  const name = expr.kind === 'field' ? expr.name : calledName(expr);
  if (name === undefined || !(PARTS.has(name) || CUTS.has(name) || PICKS.has(name) || CHOICES.has(name)))
    return undefined;
  const base = subjectOf(expr);
  return base === undefined ? undefined : partOf(base);
}
