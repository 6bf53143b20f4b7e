import { dottedPath } from '../flow/expression-shapes.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, Pattern, Statement } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody, type Walked, walkExpression } from '../model/walk-body.js';

/** A test without calls, as text, and how it came out. */
interface Fact {
  readonly test: string;
  readonly holds: boolean;
  /** What is named in it: `size`, `this.owned`. */
  readonly names: readonly string[];
  /** What is compared with which constant, of a test that holds or does not for one value alone: `kind == 3`. */
  readonly equal?: { readonly what: string; readonly value: string };
}

/**
 * Whether no way through the function leads over both places, the first before the second: they stand under the same test with different
 * outcomes (`if (quick) free(p); .. if (!quick) use(p);`), or beside the first one a flag gets the value that the second one's test
 * rules out (`free(p); gone = true; .. if (!gone) use(p);`), and nothing between them sets anew what is tested.
 */
export function arePathsExcluded(fn: FunctionIr, first: Span, second: Span, rust?: RustPaths): boolean {
  if (fn.body === undefined || second.start < first.end) return false;
  const steps = stepsOf(fn, fn.body);
  const atFirst: (readonly Fact[])[] = [];
  const atSecond: Fact[] = [];
  const flags: { readonly fact: Fact; readonly at: number }[] = [];
  for (const { name, at, value, block } of steps.assigned)
    if (value !== undefined && block !== undefined && isInside(first, block) && !isInside(second, block))
      flags.push({ fact: { test: name, holds: value, names: [name] }, at });
  for (const { name, at, value, block } of steps.decided)
    if (isInside(first, block)) flags.push({ fact: { test: name, holds: value, names: [name] }, at });
  for (const { scrutinee, arms } of steps.matches)
    for (const place of [first, second])
      for (const { pattern, body } of arms) {
        const fact =
          pattern.kind === 'literal' && isInside(place, body.span) ? factOfCase(scrutinee, pattern.text) : undefined;
        if (fact && place === first) atFirst.push([fact]);
        else if (fact) atSecond.push(fact);
      }
  for (const { expr, around } of steps.tests)
    for (const place of [first, second]) {
      const known = conditionAt(expr, around, place);
      if (known === undefined) continue;
      if (place === first) atFirst.push(...clausesOf(known.condition, known.outcome));
      else
        for (const [fact, ...others] of clausesOf(known.condition, known.outcome))
          if (fact && others.length === 0) atSecond.push(fact);
    }
  if (atSecond.length === 0) return false;
  // In the next round the test may come out in another way.
  const round = rust && steps.loops.find((l) => isInside(first, l) && isInside(second, l) && !isInside(rust.made, l));
  const isSetBetween = (names: readonly string[], from: number, isFlag: boolean): boolean =>
    steps.assigned.some(
      ({ name, at, isAsked }) =>
        ((at > from && at < second.start) || (round !== undefined && isInside({ start: at, end: at }, round))) &&
        // `if (!found) found = lookUp(&node);` has another node by then.
        !(isFlag && isAsked) &&
        !(isFlag && at === from) &&
        names.some((n) => isSame(n, name)),
    ) ||
    (rust !== undefined &&
      steps.given.some(
        ({ name, at, method, isWhole }) =>
          at > Math.max(from, first.end - 1) &&
          at < second.start &&
          (method === undefined || rust.mayChange(method)) &&
          names.some((n) => (isWhole ? n.startsWith(`${name}.`) : isSame(n, name))),
      )) ||
    (rust !== undefined &&
      steps.declared.some(
        ({ name, at }) =>
          ((at > from && at < second.start) || (round !== undefined && isInside({ start: at, end: at }, round))) &&
          names.some((n) => isSame(n, name)),
      ));
  const isRuledOut = (known: Fact, from: number, isFlag = false): boolean =>
    atSecond.some((f) => (f.test === known.test ? f.holds !== known.holds : isOtherValue(f, known))) &&
    !isSetBetween(known.names, from, isFlag);
  return (
    atFirst.some((clause) => clause.every((known) => isRuledOut(known, first.start))) ||
    flags.some(({ fact, at }) => isRuledOut(fact, at, true))
  );
}

/** What Rust's code needs beside the two places. */
export interface RustPaths {
  /** Where the pointer was made: inside of a loop, each round has its own. */
  readonly made: Span;
  /** Whether a method of the name may change the object that it is called on. */
  readonly mayChange: (method: string) => boolean;
}

/** What is looked at for every two places of a function: gathered once. */
interface Steps {
  readonly assigned: readonly {
    readonly name: string;
    readonly at: number;
    readonly isAsked: boolean;
    readonly value: boolean | undefined;
    readonly block: Span | undefined;
  }[];
  readonly matches: readonly ExprOf<'match'>[];
  readonly tests: readonly Walked[];
  readonly loops: readonly Span[];
  /** Variables that are given away by `&mut`, and objects whose methods are called or that are given to a function. */
  readonly given: readonly {
    readonly name: string;
    readonly at: number;
    readonly method?: string;
    readonly isWhole: boolean;
  }[];
  /** `let quick = ..`, which hides another variable of the name. */
  readonly declared: readonly { readonly name: string; readonly at: number }[];
  /** A variable that a branch of its own initialiser decides: `let keep = if quick { true } else { free(p); false };`. */
  readonly decided: readonly {
    readonly name: string;
    readonly at: number;
    readonly value: boolean;
    readonly block: Span;
  }[];
}

const gathered = new WeakMap<FunctionIr, Steps>();

function stepsOf(fn: FunctionIr, body: Block): Steps {
  const known = gathered.get(fn);
  if (known) return known;
  const assigned: Steps['assigned'][number][] = [];
  const matches: ExprOf<'match'>[] = [];
  const tests: Walked[] = [];
  const loops: Span[] = [];
  const given: Steps['given'][number][] = [];
  const declared: Steps['declared'][number][] = [];
  const decided: Steps['decided'][number][] = [];
  walkBody(body, (walked) => {
    const { expr, around, statement } = walked;
    if (statement?.kind === 'let' && statement.init === expr) {
      declared.push(...boundBy(statement.pattern).map((name) => ({ name, at: expr.span.end })));
      if (statement.pattern.kind === 'bind') {
        const { name } = statement.pattern;
        decided.push(...outcomesOf(expr).map((outcome) => ({ name, at: expr.span.end, ...outcome })));
      }
    }
    if (expr.kind === 'assign') {
      const name = dottedPath(expr.target)?.join('.');
      if (name === undefined) return;
      assigned.push({
        name,
        at: expr.span.start,
        isAsked: expr.value.kind === 'call' || expr.value.kind === 'method',
        value: expr.operator === '=' ? booleanOf(expr.value) : undefined,
        block: around.findLast((outer) => outer.kind === 'block')?.span,
      });
      return;
    }
    if (expr.kind === 'match') {
      matches.push(expr);
      return;
    }
    if (expr.kind === 'loop') loops.push(expr.body.span);
    if (expr.kind === 'address' && expr.mutable) {
      const name = dottedPath(expr.base)?.join('.');
      if (name !== undefined) given.push({ name, at: expr.span.start, isWhole: false });
    }
    if (expr.kind === 'method') {
      const name = dottedPath(expr.receiver)?.join('.');
      if (name !== undefined) given.push({ name, at: expr.span.end, method: expr.method, isWhole: true });
    }
    if (expr.kind === 'call' || expr.kind === 'method')
      for (const { value } of expr.args) {
        const name = dottedPath(value)?.join('.');
        if (name !== undefined) given.push({ name, at: value.span.start, isWhole: true });
      }
    if (TESTS.has(expr.kind)) tests.push(walked);
  });
  const steps = { assigned, matches, tests, loops, given, declared, decided };
  gathered.set(fn, steps);
  return steps;
}

/** The branches of a value that end with `true` or `false`. */
function outcomesOf(expr: Expr): readonly { readonly value: boolean; readonly block: Span }[] {
  if (expr.kind === 'if') return [expr.then, ...(expr.else ? [expr.else] : [])].flatMap(outcomesOf);
  if (expr.kind === 'match') return expr.arms.flatMap(({ body }) => outcomesOf(body));
  if (expr.kind !== 'block' || expr.block.result === undefined) return [];
  const value = booleanOf(expr.block.result);
  return value === undefined ? outcomesOf(expr.block.result) : [{ value, block: expr.span }];
}

/** Expressions that `conditionAt` knows. */
const TESTS: ReadonlySet<Expr['kind']> = new Set(['if', 'binary', 'loop', 'call']);

/** The names that a pattern binds. */
function boundBy(pattern: Pattern): readonly string[] {
  if (pattern.kind === 'bind') return [pattern.name, ...(pattern.sub ? boundBy(pattern.sub) : [])];
  return pattern.kind === 'parts' ? pattern.parts.flatMap((part) => boundBy(part.pattern)) : [];
}

/** The closure of a function that both places are in, the innermost one, or the function itself. */
export function closureAround(file: FileIr, fn: FunctionIr, first: Span, second: Span): FunctionIr {
  return file.functions.reduce(
    (inner, other) =>
      other.kind === 'closure' &&
      isInside(other.span, inner.span) &&
      isInside(first, other.span) &&
      isInside(second, other.span)
        ? other
        : inner,
    fn,
  );
}

/** What `arePathsExcluded` asks of Rust: methods of the file that take `&mut self` change their object; of others nothing is known. */
export function rustPaths(file: FileIr, made: Span): RustPaths {
  return {
    made,
    mayChange: (method) => file.functions.some(({ name, self }) => name === method && self?.mode === 'mutable'),
  };
}

/** Whether one of the two is the other or a part of it. */
function isSame(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`);
}

function booleanOf(value: Expr): boolean | undefined {
  if (value.kind === 'literal') return value.text === 'true' ? true : value.text === 'false' ? false : undefined;
  if (value.kind !== 'name') return undefined;
  const name = value.path.at(-1);
  return name === 'TRUE' ? true : name === 'FALSE' ? false : undefined;
}

/** Whether both tests hold, and each for another value of the same thing. */
function isOtherValue(one: Fact, other: Fact): boolean {
  return (
    one.holds &&
    other.holds &&
    one.equal !== undefined &&
    one.equal.what === other.equal?.what &&
    one.equal.value !== other.equal.value
  );
}

/** A condition that came out one way where the place is reached. */
function conditionAt(
  expr: Expr,
  around: readonly Expr[],
  place: Span,
): { readonly condition: Expr; readonly outcome: boolean } | undefined {
  if (expr.kind === 'if') {
    const outcome = expr.isStatic === true ? undefined : outcomeAt(expr, around, place);
    return outcome === undefined ? undefined : { condition: expr.condition, outcome };
  }
  if (expr.kind === 'binary' && (expr.operator === '&&' || expr.operator === '||'))
    return isInside(place, expr.right.span) ? { condition: expr.left, outcome: expr.operator === '&&' } : undefined;
  if (expr.kind === 'loop' && expr.condition && expr.form !== 'do')
    return isInside(place, expr.body.span) ? { condition: expr.condition, outcome: true } : undefined;
  if (expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.span.end > place.start) return undefined;
  if (!/^(?:assert|enforce)$/u.test(expr.callee.path.at(-1) ?? '')) return undefined;
  const condition = expr.args[0]?.value;
  const block = around.findLast((outer) => outer.kind === 'block' || outer.kind === 'loop');
  return condition !== undefined && (block === undefined || isInside(place, block.span))
    ? { condition, outcome: true }
    : undefined;
}

/** How the condition of an `if` came out where the place is reached; undefined when either is possible. */
function outcomeAt(expr: ExprOf<'if'>, around: readonly Expr[], place: Span): boolean | undefined {
  if (isInside(place, expr.then.span)) return true;
  if (expr.else) return isInside(place, expr.else.span) ? false : undefined;
  if (expr.span.end > place.start || !isLeft(expr.then)) return undefined;
  // `if (quick) return;` before the place, in a block around it.
  const block = around.findLast((outer) => outer.kind === 'block' || outer.kind === 'loop');
  return block === undefined || isInside(place, block.span) ? false : undefined;
}

/** Each `||` of two `&&` doubles them, and a condition may have dozens of those. */
const mostClauses = 256;

/** What is known when a condition came out so: of each list one at least. Nothing of a condition that would take too many lists. */
function clausesOf(condition: Expr, outcome: boolean): readonly (readonly Fact[])[] {
  if (condition.kind === 'unary' && condition.operator === '!') return clausesOf(condition.operand, !outcome);
  if (condition.kind === 'binary' && (condition.operator === '&&' || condition.operator === '||')) {
    const left = clausesOf(condition.left, outcome);
    const right = clausesOf(condition.right, outcome);
    if ((condition.operator === '&&') === outcome) return [...left, ...right];
    if (left.length * right.length > mostClauses) return [];
    return left.flatMap((one) => right.map((other) => [...one, ...other]));
  }
  const fact = factOf(condition, outcome);
  return fact ? [[fact]] : [];
}

function factOf(condition: Expr, outcome: boolean): Fact | undefined {
  const names: string[] = [];
  let isPlain = true;
  walkExpression(condition, ({ expr }) => {
    const path = dottedPath(expr);
    if (path) names.push(path.join('.'));
    else if (expr.kind !== 'literal' && expr.kind !== 'binary') isPlain = false;
  });
  if (!isPlain || names.length === 0) return undefined;
  if (condition.kind !== 'binary') return { test: textOf(condition), holds: outcome, names };
  const { operator, left, right } = condition;
  const opposite = { '!=': '==', '!is': 'is', '>=': '<', '<=': '>' }[operator];
  const test = `${textOf(left)} ${opposite ?? operator} ${textOf(right)}`;
  return {
    test,
    holds: opposite === undefined ? outcome : !outcome,
    names,
    ...((opposite ?? operator) === '==' && isConstant(right)
      ? { equal: { what: textOf(left), value: textOf(right) } }
      : {}),
  };
}

/** `case 3:` of a `switch` over something without calls. */
function factOfCase(subject: Expr, value: string): Fact | undefined {
  const names = dottedPath(subject);
  if (names === undefined) return undefined;
  const what = names.join('.');
  return { test: `${what} == ${value}`, holds: true, names: [what], equal: { what, value } };
}

/** A number or text, or an enumerator of a type (`Kind.file`): two of them that are written in two ways have two values. */
function isConstant(expr: Expr): boolean {
  if (expr.kind === 'literal') return true;
  const path = dottedPath(expr);
  return path !== undefined && path.length > 1 && path.slice(0, -1).every((name) => /^[A-Z]/u.test(name));
}

function textOf(expr: Expr): string {
  if (expr.kind === 'literal') return expr.text;
  if (expr.kind === 'binary') return `(${textOf(expr.left)} ${expr.operator} ${textOf(expr.right)})`;
  return dottedPath(expr)?.join('.') ?? '?';
}

/** Whether the branch ends by leaving the block around it. */
function isLeft(branch: Expr): boolean {
  if (branch.kind === 'block') return isBlockLeft(branch.block);
  return branch.kind === 'return' || branch.kind === 'throw' || branch.kind === 'break' || branch.kind === 'continue';
}

function isBlockLeft({ statements, result }: Block): boolean {
  const last: Statement | undefined = statements.at(-1);
  const expr = result ?? (last?.kind === 'expression' ? last.expr : undefined);
  return expr !== undefined && isLeft(expr);
}

/**
 * Whether a place in a loop comes before another one only in the next round, and by then its variable is another element: the loop's
 * body sets it from an array or a pointer with a number (`auto row = rows + i;`, `Row* row = &rows[i];`).
 */
export function isNextRoundsElement(fn: FunctionIr, name: string, use: Span, release: Span): boolean {
  if (fn.body === undefined || use.start > release.start) return false;
  let innermost: Block | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'loop' && isInside(use, expr.body.span) && isInside(release, expr.body.span))
      innermost = expr.body;
  });
  return (
    innermost?.statements.some((statement) => {
      if (statement.span.start > use.start) return false;
      if (statement.kind === 'let')
        return (
          statement.pattern.kind === 'bind' &&
          statement.pattern.name === name &&
          statement.init !== undefined &&
          isElement(statement.init)
        );
      return (
        statement.kind === 'expression' &&
        statement.expr.kind === 'assign' &&
        statement.expr.operator === '=' &&
        dottedPath(statement.expr.target)?.join('.') === name &&
        isElement(statement.expr.value)
      );
    }) ?? false
  );
}

/**
 * Whether a place in a loop is reached in one round alone (`if (i == 2) free(p);`), so that it comes once, or in the last round (`if (i == n - 1)`),
 * so that nothing before it in the body comes behind it.
 */
export function isInOneRound(fn: FunctionIr, use: Span, release: Span): boolean {
  if (fn.body === undefined || use.start > release.start) return false;
  let isOne = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (isOne || expr.kind !== 'if' || !isInside(release, expr.then.span) || expr.condition.kind !== 'binary') return;
    const { left, right, operator } = expr.condition;
    const loop = around.findLast((outer): outer is ExprOf<'loop'> => outer.kind === 'loop');
    // In a loop around this one it comes again.
    if (operator !== '==' || loop === undefined || around.filter((outer) => outer.kind === 'loop').length > 1) return;
    const sides = [textOf(left), textOf(right)];
    const counter = countersOf(loop).find((name) => sides.some((side) => hasWord(side, name)));
    if (counter === undefined) return;
    if (use.start === release.start) isOne = true;
    else if (isInside(use, loop.body.span)) {
      const bound = boundOf(loop);
      isOne =
        bound !== undefined &&
        sides.some((side) => hasWord(side, bound)) &&
        /^\(\S+ [-+] 1\)$/u.test(sides.find((side) => side.startsWith('(')) ?? '');
    }
  });
  return isOne;
}

/** The variables that have another value in each round. */
function countersOf({ bindings, init }: ExprOf<'loop'>): readonly string[] {
  const bound = (bindings ?? []).map(({ pattern }) => pattern);
  const declared = (init ?? []).flatMap((one) => (one.kind === 'let' ? [one.pattern] : []));
  return [...bound, ...declared].flatMap((pattern) => (pattern.kind === 'bind' ? [pattern.name] : []));
}

/** What the counter stays below: `n` of `i < n` and `0 .. n`, `list` of `foreach (i, x; list)`. */
function boundOf({ condition, iterable }: ExprOf<'loop'>): string | undefined {
  const bound =
    condition?.kind === 'binary' && condition.operator === '<'
      ? condition.right
      : iterable?.kind === 'range'
        ? iterable.to
        : iterable;
  return bound && dottedPath(bound)?.join('.');
}

function hasWord(text: string, word: string): boolean {
  return new RegExp(`(?<![\\w.])${word.replace(/[.$]/gu, '\\$&')}(?!\\w)`, 'u').test(text);
}

/** `rows + i`, `&rows[i]`, `rows[i]`, `cast(Row*) (rows + i)`. */
function isElement(value: Expr): boolean {
  if (value.kind === 'cast') return isElement(value.value);
  if (value.kind === 'address') return value.base.kind === 'index';
  return value.kind === 'index' || (value.kind === 'binary' && value.operator === '+');
}
