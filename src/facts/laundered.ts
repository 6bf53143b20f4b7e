import {
  aggregateOf,
  boundNames,
  calledName,
  closureOf,
  declaredIn,
  enclosing,
  hasBody,
  heldByLiteral,
  letsIn,
  mayKeep,
  memberPath,
  returnedValues,
  withBodyOf,
  type WithBody,
} from './d-code.js';
import type { UnitFacts } from './unit.js';
import { withoutAlias } from '../flow/types.js';
import { walkBody } from '../model/walk-body.js';
import type { Block, Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** Something that ends with a call, and how a function keeps it all the same. */
export interface Laundered {
  readonly name: string;
  /** `The 'scope' parameter`, `The local`. */
  readonly what: string;
  readonly declared: Span;
  readonly kept: string;
  readonly span: Span;
  /** What the compiler does not see through. */
  readonly by: string;
}

/** Where a value comes from, and what hid it on the way. */
interface Origin {
  readonly name: string;
  readonly isAddress: boolean;
  readonly by: string | undefined;
}

/**
 * D: `scope` parameters, and addresses of locals, that leave a function by a way which hides them from the compiler: a number, a trusted lambda or helper
 * that gives back what it is given, the two halves of a delegate, raw bytes, or another function that keeps its argument. Safe functions are
 * looked at, too: what hides the value is trusted.
 */
export function findLaundered(unit: UnitFacts, file: FileIr, fn: WithBody): readonly Laundered[] {
  if (fn.kind === 'unittest' || fn.kind === 'closure' || fn.parent !== undefined) return [];
  // In a template `return` is inferred; what it is used for is looked at.
  if (fn.generics.length > 0) return [];
  const scoped = new Map(
    fn.params
      .filter(
        ({ modifiers }) => modifiers.includes('scope') && !modifiers.includes('return') && !modifiers.includes('ref'),
      )
      .filter(({ type }) => {
        // In code that is not trusted only a delegate: its frame may be on the stack.
        const isChecked = fn.trust === 'trusted' || fn.trust === 'safe';
        return isChecked
          ? leads(unit, file, type)
          : withoutAlias(type, unit.oracle('d'), file.path)?.kind === 'delegate';
      })
      .map((one) => [one.name, one.span]),
  );
  const locals = new Map<string, Span>();
  for (const one of letsIn(fn.body))
    if (one.isStatic !== true) for (const name of boundNames(one.pattern)) locals.set(name, one.pattern.span);
  const found: Laundered[] = [];
  const judge = (value: Expr, span: Span, kept: string, given?: string): void => {
    const origin = originOf(unit, file, fn, value);
    const by = origin?.by ?? given;
    if (origin === undefined || by === undefined || found.some((one) => one.name === origin.name)) return;
    // Where a local's address goes without a detour the flow follows it itself.
    const declared = !origin.isAddress
      ? scoped.get(origin.name)
      : by.endsWith(' and a number')
        ? locals.get(origin.name)
        : undefined;
    if (declared === undefined) return;
    const what = origin.isAddress ? 'The local' : "The 'scope' parameter";
    found.push({ name: origin.name, what, declared, kept, span, by });
  };
  const own = declaredIn(fn);
  const isOutside = (path: string): boolean => {
    const head = path.split('.')[0] ?? '';
    const param = fn.params.find((one) => one.name === head);
    if (param !== undefined) return param.modifiers.includes('ref') || param.modifiers.includes('out');
    return (
      !own.has(head) || letsIn(fn.body).some((one) => one.isStatic === true && boundNames(one.pattern).includes(head))
    );
  };
  const returnsMemory = leads(unit, file, fn.returns) || fn.returns === undefined || fn.returns.kind === 'unknown';
  for (const value of returnsMemory ? returnedValues(fn) : []) judge(value, value.span, 'returned');
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'assign' && (expr.operator === '=' || expr.operator === '~=')) {
      const { target } = expr;
      if (target.kind === 'slice') return;
      const path = memberPath(target.kind === 'index' ? target.base : target);
      if (path === undefined || !isOutside(path) || isPutBack(fn, path, expr.span)) return;
      // A list of texts copies the characters of what is added to it.
      const kept = `stored in '${path}'`;
      if (expr.operator === '~=' && copiesElements(unit, file, fn, path, expr.value)) return;
      judge(expr.value, expr.span, kept);
      for (const part of heldByLiteral(unit, file, expr.value)) judge(part, expr.span, kept);
      if (expr.value.kind === 'new')
        for (const [at, { value }] of expr.value.args.entries())
          if (mayKeep(unit, file, expr.value.type.name, at, expr.value.args.length))
            judge(value, expr.span, kept, 'a constructor that keeps it');
    }
    if (expr.kind === 'new' && calledName(expr) === 'Thread' && !waitsForThreads(fn))
      for (const { value } of expr.args) judge(value, expr.span, 'given to a thread', 'a cast');
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    const name = calledName(expr) ?? '';
    // `memcpy(&text, &given, given.sizeof)`
    if (/^(?:memcpy|memmove)$/u.test(name) && expr.kind === 'call') {
      const [to, from] = expr.args.map(({ value }) => value);
      const target = to?.kind === 'address' ? memberPath(to.base) : undefined;
      const source = from?.kind === 'address' ? memberPath(from.base) : undefined;
      const declared = scoped.get(source ?? '');
      if (target !== undefined && isOutside(target) && source !== undefined && declared !== undefined)
        if (!found.some((one) => one.name === source))
          found.push({
            name: source,
            what: "The 'scope' parameter",
            declared,
            kept: `copied to '${target}'`,
            span: expr.span,
            by: name,
          });
      return;
    }
    if (fn.trust === 'safe') return;
    for (const [at, { value }] of expr.args.entries()) {
      const origin = originOf(unit, file, fn, value);
      if (origin === undefined || origin.isAddress || !scoped.has(origin.name)) continue;
      const keeper = keeperOf(unit, file, fn, expr, at);
      if (keeper !== undefined) judge(value, expr.span, `stored in '${keeper.target}' by '${name}'`, `'${name}'`);
    }
  });
  return found;
}

function leads(unit: UnitFacts, file: FileIr, given: TypeRef | undefined): boolean {
  const type = withoutAlias(given, unit.oracle('d'), file.path);
  if (type?.kind === 'slice' || type?.kind === 'pointer' || type?.kind === 'delegate') return true;
  return type?.kind === 'path' && unit.oracle('d').declaration(type.name, file.path)?.kind === 'class';
}

/** Follows a value back to a parameter, or to a local whose address it is. */
function originOf(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  value: Expr,
  by?: string,
  depth = 0,
  isBack = false,
): Origin | undefined {
  if (depth > 8) return undefined;
  const further = (next: Expr, through = by, comesBack = isBack): Origin | undefined =>
    originOf(unit, file, fn, next, through, depth + 1, comesBack);
  switch (value.kind) {
    case 'cast': {
      const to = withoutAlias(value.type, unit.oracle('d'), file.path);
      const isNumber = to?.kind === 'path' && /^(?:size_t|u?long|u?int|u?intptr_t|ptrdiff_t)$/u.test(to.name);
      // A number that stays one leads nowhere.
      if (isNumber && !isBack) return undefined;
      if (isNumber) return further(value.value, by === undefined ? 'a number' : `${by} and a number`);
      return further(value.value, to?.kind === 'delegate' ? (by ?? 'a cast') : by, true);
    }
    case 'deref':
      // `*cast(T[]*) &x`
      return value.base.kind === 'cast' && value.base.value.kind === 'address'
        ? further(value.base.value.base, by ?? 'a cast of its address')
        : undefined;
    case 'address':
      return value.base.kind === 'name' && value.base.path.length === 1
        ? { name: value.base.path[0] ?? '', isAddress: true, by }
        : undefined;
    case 'slice': {
      const name = value.base.kind === 'name' ? value.base.path[0] : undefined;
      const made =
        name === undefined ? undefined : letsIn(fn.body).find((one) => boundNames(one.pattern).includes(name));
      return made?.type?.kind === 'static-array' && name !== undefined
        ? { name, isAddress: true, by }
        : further(value.base);
    }
    case 'field':
      return value.name === 'ptr' ? further(value.base) : undefined;
    case 'call': {
      const lambda = closureOf(file, value.callee);
      if (lambda !== undefined) {
        const [result, ...others] = returnedValues(lambda);
        if (result === undefined || others.length > 0) return undefined;
        const at = lambda.params.findIndex((one) => one.name === rootOf(result));
        const given = at < 0 ? undefined : value.args[at]?.value;
        if (given !== undefined) {
          const name = result.kind === 'address' ? memberPath(given) : undefined;
          return name === undefined
            ? further(given, 'a trusted lambda')
            : { name, isAddress: true, by: 'a trusted lambda' };
        }
        // A lambda that only names a local gives a copy of it, an address does not.
        return lambda.trust === 'trusted' ? further(result, by ?? 'a trusted lambda') : undefined;
      }
      const helper = identityHelper(unit, file, fn, value);
      const given = helper === undefined ? undefined : value.args[helper.at]?.value;
      return given === undefined ? undefined : further(given, by ?? helper?.by, true);
    }
    case 'method': {
      const helper = identityHelper(unit, file, fn, value);
      return helper?.at === 0 ? further(value.receiver, by ?? helper.by, true) : undefined;
    }
    case 'name': {
      const name = value.path.length === 1 ? value.path[0] : undefined;
      if (name === undefined) return undefined;
      const given = givenTo(fn, name, value.span.start);
      if (given === 'parts') {
        const from = partsOf(fn, name);
        return from === undefined ? undefined : { name: from, isAddress: false, by: 'its two halves' };
      }
      if (given !== undefined) return further(given);
      return fn.params.some((one) => one.name === name) ? { name, isAddress: false, by } : undefined;
    }
    default:
      return undefined;
  }
}

function rootOf(expr: Expr): string | undefined {
  if (expr.kind === 'cast') return rootOf(expr.value);
  if (expr.kind === 'address' || expr.kind === 'deref') return rootOf(expr.base);
  return expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
}

/** What a local was last given before a place; `parts` when only its halves were. */
function givenTo(fn: WithBody, name: string, before: number): Expr | 'parts' | undefined {
  const last = givenIn(fn)
    .get(name)
    ?.findLast(({ at }) => at < before);
  return last?.given;
}

interface Given {
  readonly at: number;
  readonly given: Expr | 'parts' | undefined;
}

/** What the locals of a function are given, by their names, in the order of the text. */
function givenIn(fn: WithBody): ReadonlyMap<string, readonly Given[]> {
  let all = givenBelow.get(fn.body);
  if (all !== undefined) return all;
  givenBelow.set(fn.body, (all = new Map<string, Given[]>()));
  const found = all;
  const add = (name: string, at: number, given: Given['given']): void => {
    const list = found.get(name);
    if (list) list.push({ at, given });
    else found.set(name, [{ at, given }]);
  };
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      add(statement.pattern.name, expr.span.start, statement.type?.kind === 'static-array' ? undefined : expr);
    if (expr.kind !== 'assign' || expr.operator !== '=') return;
    const path = memberPath(expr.target);
    if (path === undefined) return;
    add(path, expr.span.start, expr.value);
    const whole = path.endsWith('.funcptr') ? path.slice(0, -'.funcptr'.length) : undefined;
    if (whole !== undefined && partsOf(fn, whole) !== undefined) add(whole, expr.span.start, 'parts');
  });
  return all;
}

/** It is asked for each name that leaves a function. */
const givenBelow = new WeakMap<Block, Map<string, Given[]>>();

/** The delegate whose two halves a local was given: `copy.ptr = dg.ptr; copy.funcptr = dg.funcptr;` */
function partsOf(fn: WithBody, name: string): string | undefined {
  const from: string[] = [];
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'assign' || expr.operator !== '=') return;
    const path = memberPath(expr.target);
    const shown = expr.value.kind === 'field' ? memberPath(expr.value.base) : undefined;
    if (shown !== undefined && path === `${name}.ptr` && expr.value.kind === 'field' && expr.value.name === 'ptr')
      from.push(shown);
  });
  return from.length === 1 ? from[0] : undefined;
}

/**
 * A function of the file that gives back one of its parameters: a trusted one through casts, and in code that the compiler does not check
 * one that gives it back as it is.
 */
function identityHelper(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  call: Expr,
): { readonly at: number; readonly by: string } | undefined {
  const name = calledName(call);
  const [only, ...others] = file.functions.filter((one) => one.name === name && one.kind !== 'closure');
  if (only === undefined || others.length > 0) return undefined;
  const isPlain = fn.trust !== 'safe' && only.kind === 'function' && only.generics.length === 0;
  const helper = only.trust === 'trusted' || isPlain ? withBodyOf(unit, file, only) : undefined;
  if (helper === undefined) return undefined;
  const [result, ...more] = returnedValues(helper);
  if (result === undefined || more.length > 0) return undefined;
  if (result.kind === 'name' ? !isPlain : only.trust !== 'trusted') return undefined;
  const at = helper.params.findIndex(
    (one) =>
      one.name === identityRoot(result) &&
      !one.modifiers.includes('return') &&
      // By its address it may be another variable's.
      !(result.kind === 'name' && (one.modifiers.includes('ref') || one.modifiers.includes('scope'))),
  );
  return at < 0 ? undefined : { at, by: result.kind === 'name' ? `'${only.name}'` : `the trusted '${only.name}'` };
}

/** `x` of `cast(T) x`, `*cast(T*) &x`, `cast(T) cast(size_t) x`. */
function identityRoot(expr: Expr): string | undefined {
  if (expr.kind === 'cast') return identityRoot(expr.value);
  if (expr.kind === 'deref' && expr.base.kind === 'cast' && expr.base.value.kind === 'address')
    return identityRoot(expr.base.value.base);
  return expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
}

/** A function of the file that stores the argument at a position in a member or a variable of the module, and does not declare it `scope`. */
function keeperOf(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  call: Expr,
  at: number,
): { readonly target: string } | undefined {
  const name = calledName(call);
  const own = aggregateOf(file, fn);
  const isOwnMethod =
    call.kind === 'call' ||
    (call.kind === 'method' && call.receiver.kind === 'name' && call.receiver.path[0] === 'self');
  if (!isOwnMethod) return undefined;
  const named = file.functions.filter((one) => one.name === name && one.kind !== 'closure');
  const methods = named.filter((one) => one.owner !== undefined && one.owner === own?.name);
  const [callee, ...others] = methods.length > 0 ? methods : named.filter((one) => one.owner === undefined);
  if (callee === undefined || others.length > 0 || callee.span.start === fn.span.start) return undefined;
  const read = callee.skipped === true ? unit.withBodies(file, (one) => one.span.start === callee.span.start) : file;
  const keeper = read.functions.find((one) => one.span.start === callee.span.start);
  const param = keeper?.params[at];
  if (keeper === undefined || !hasBody(keeper) || param === undefined || param.modifiers.includes('scope'))
    return undefined;
  let target: string | undefined;
  walkBody(keeper.body, ({ expr }) => {
    if (expr.kind !== 'assign' || (expr.operator !== '=' && expr.operator !== '~=') || expr.target.kind === 'slice')
      return;
    const path = memberPath(expr.target.kind === 'index' ? expr.target.base : expr.target);
    const head = path?.split('.')[0] ?? '';
    if (path === undefined || declaredIn(keeper).has(head) || memberPath(expr.value) !== param.name) return;
    // A nested function keeps it in what ends with the function around it.
    if (enclosing(read, keeper).some((outer) => declaredIn(outer).has(head))) return;
    if (expr.operator === '~=' && copiesElements(unit, read, keeper, path, expr.value)) return;
    if (!isPutBack(keeper, path, expr.span)) target ??= path;
  });
  return target === undefined ? undefined : { target };
}

/** `text ~= part` copies the elements; a list of slices, of pointers or of delegates keeps what it is given. */
function copiesElements(unit: UnitFacts, file: FileIr, fn: FunctionIr, path: string, value: Expr): boolean {
  const name = memberPath(value);
  const given = withoutAlias(fn.params.find((one) => one.name === name)?.type, unit.oracle('d'), file.path);
  if (given?.kind === 'delegate' || given?.kind === 'pointer') return false;
  const type =
    aggregateOf(file, fn)?.fields.find((one) => one.name === path)?.type ??
    [fn, ...enclosing(file, fn)].flatMap((one) => one.params).find((one) => one.name === path)?.type ??
    file.globals.find((one) => one.name === path)?.type;
  const list = withoutAlias(type, unit.oracle('d'), file.path);
  const element = list?.kind === 'slice' ? withoutAlias(list.element, unit.oracle('d'), file.path) : undefined;
  return !(
    element?.kind === 'slice' ||
    element?.kind === 'pointer' ||
    element?.kind === 'delegate' ||
    element?.kind === 'path'
  );
}

/** What is set once more later in the function, in a `scope (exit)` too, is put back. */
function isPutBack(fn: WithBody, path: string, stored: Span): boolean {
  let is = false;
  walkBody(fn.body, ({ expr }) => {
    is ||=
      expr.kind === 'assign' &&
      expr.operator === '=' &&
      memberPath(expr.target) === path &&
      expr.span.start !== stored.start;
  });
  return is;
}

function waitsForThreads(fn: WithBody): boolean {
  let is = false;
  walkBody(fn.body, ({ expr }) => {
    const name = expr.kind === 'field' ? expr.name : calledName(expr);
    is ||= name !== undefined && /^(?:join|joinAll|thread_joinAll|wait\w*|\w+Force)$/u.test(name);
  });
  return is;
}
