import {
  aggregateOf,
  boundNames,
  calledName,
  delegateFunction,
  freeNames,
  hasBody,
  heldByLiteral,
  letsIn,
  mayKeep,
  memberPath,
  type Let,
} from '../facts/d-code.js';
import { D_CLOSURE } from '../facts/d-text.js';
import { headOf, lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr } from '../model/ir.js';
import { defineRule } from './rule.js';

/** What runs a delegate later or keeps it. */
const KEEPERS = new Set([
  'Thread', 'Fiber', 'task', 'spawn', 'spawnLinked', 'runTask', 'runWorkerTask', 'runWorkerTaskH', 'setTimer', 'createTimer', 'submit', 'enqueue', 'schedule',
  'addTask', 'addJob', 'executeInNewThread',
]); // prettier-ignore

const LOOPS = ['foreach', 'for (', 'for(', 'while'];

export default defineRule({
  meta: {
    id: 'loop-variable-capture',
    title: 'Loop variable captured by a delegate that is kept',
    summary: 'A delegate made in a loop is kept and reads a variable of the loop, which all iterations share.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-825', 'CWE-362'],
    messages: {
      captured:
        "The delegate is {kept} and reads '{variable}' of the loop (line {loop}): all iterations share one frame, so it sees the value of whichever iteration ran last.",
    },
    checklist: 'Does each delegate made in a loop have its own copy of what it reads?',
    scenarios: ['command'],
  },
  tokens: { d: LOOPS },
  requires: { d: ['delegate', 'Thread', 'Fiber', 'spawn', 'ask', 'Timer', '=>'] },
  bodyTokens: { d: LOOPS },
  bodyRequires: { d: [D_CLOSURE] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn) || !unit.holds(file, fn, LOOPS) || !unit.holds(file, fn, D_CLOSURE)) continue;
        const walked: Walked[] = [];
        let closures = 0;
        walkBody(fn.body, (one) => {
          walked.push(one);
          if (one.expr.kind === 'closure' || one.expr.kind === 'address') closures++;
        });
        if (closures === 0) continue;
        for (const one of walked) {
          if (one.expr.kind !== 'closure' && one.expr.kind !== 'address') continue;
          const closure = one.expr;
          const loops = one.around.filter(
            (outer): outer is ExprOf<'loop'> =>
              outer.kind === 'loop' &&
              sharesFrame(outer) &&
              !isUnrolled(unit, file, fn, outer) &&
              !callsItsBody(unit, file, fn, outer),
          );
          const inner = loops.length === 0 ? undefined : delegateFunction(file, fn, closure);
          if (loops.length === 0 || inner === undefined) continue;
          const kept = howKept(unit, file, one, walked);
          if (kept === undefined) continue;
          const captured = findCaptured(file, inner, loops);
          if (captured === undefined || isJoinedInLoop(captured.loop) || isLeftAfter(captured.loop, one, walked))
            continue;
          if (staysInIteration(one, captured.loop, walked)) continue;
          report({
            messageId: 'captured',
            data: { kept, variable: captured.name, loop: lineOf(unit, file, captured.loop.span.start) },
            at: { file, span: headOf(unit, file, closure.span) },
            steps: [
              {
                file,
                span: { start: captured.loop.span.start, end: captured.loop.body.span.start },
                role: 'declare',
                note: `All iterations of this loop share '${captured.name}'.`,
              },
              { file, span: captured.use.span, role: 'use', note: `The delegate reads '${captured.name}' here.` },
            ],
            key: captured.name,
          });
        }
      }
    }
  },
});

/** `static foreach`, `foreach` over a tuple and loops whose body is itself a delegate have a frame per iteration. */
function sharesFrame(loop: ExprOf<'loop'>): boolean {
  if (loop.isStatic === true) return false;
  const over = loop.iterable;
  if (over === undefined) return true;
  const name = over.kind === 'field' ? over.name : over.kind === 'name' ? over.path.at(-1) : calledName(over);
  return !(
    name === 'parallel' ||
    name === 'tupleof' ||
    name === 'AliasSeq' ||
    name === 'EnumMembers' ||
    name === 'expand' ||
    over.kind === 'unknown'
  );
}

/** `foreach` over the types of `T...` or over the parameters of them: each round has variables of its own. */
function isUnrolled(unit: UnitFacts, file: FileIr, { params }: FunctionIr, { iterable }: ExprOf<'loop'>): boolean {
  const over = iterable?.kind === 'slice' ? iterable.base : iterable;
  if (over?.kind !== 'name' || over.path.length !== 1) return false;
  const [name = ''] = over.path;
  const param = params.find((one) => one.name === name);
  const pack = param === undefined ? name : param.type?.kind === 'path' ? param.type.name : '';
  return pack !== '' && new RegExp(String.raw`\b${pack}\s*\.\.\.\s*[,)]`, 'u').test(unit.textOf(file.path) ?? '');
}

/** The delegate is put into a static array of the same round, which is only read there and given to functions as a copy. */
function staysInIteration({ around }: Walked, loop: ExprOf<'loop'>, all: readonly Walked[]): boolean {
  const target = around.findLast((one) => one.kind === 'assign')?.target;
  const name = target?.kind === 'index' && target.base.kind === 'name' ? target.base.path[0] : undefined;
  if (name === undefined) return false;
  const isLocal = loop.body.statements.some(
    (one) =>
      one.kind === 'let' &&
      one.pattern.kind === 'bind' &&
      one.pattern.name === name &&
      (one.type?.kind === 'static-array' || (one.type?.kind === 'assoc-array' && one.type.size !== undefined)),
  );
  return (
    isLocal &&
    all.every(({ expr, around: outer }) => {
      if (expr.kind !== 'name' || expr.path[0] !== name || !outer.includes(loop)) return true;
      const by = outer.at(-1);
      return (by?.kind === 'index' && by.base === expr) || (by?.kind === 'call' && !KEEPERS.has(calledName(by) ?? ''));
    })
  );
}

/** `foreach` over a type with `opApply`: the body is a delegate itself, with a frame for each call. */
function callsItsBody(unit: UnitFacts, file: FileIr, fn: FunctionIr, loop: ExprOf<'loop'>): boolean {
  const { iterable } = loop;
  if (isKeyed(loop)) return true;
  const name = iterable === undefined ? undefined : memberPath(iterable);
  if (name === undefined) return false;
  let type =
    fn.params.find((param) => param.name === name)?.type ??
    aggregateOf(file, fn)?.fields.find((field) => field.name === name)?.type;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, statement }) => {
      if (statement?.kind !== 'let' || statement.init !== expr || statement.pattern.kind !== 'bind') return;
      if (statement.pattern.name !== name) return;
      type ??= statement.type ?? (expr.kind === 'new' ? expr.type : undefined);
    });
  // The runtime goes through an associative array by a delegate, too.
  type ??= letsIn(fn.body).find((one) => one.type !== undefined && boundNames(one.pattern).includes(name))?.type;
  if (type?.kind === 'assoc-array') return true;
  const holder = type?.kind === 'path' ? type.name : undefined;
  if (holder === undefined) return false;
  return (
    file.functions.some((one) => one.owner === holder && one.name === 'opApply') ||
    unit.oracle('d').method(holder, 'opApply', file.path) !== undefined
  );
}

/** `foreach (string key, Item item; nodes[x])`: a key that is text is that of a table or of `opApply`; only ranges of pairs are walked in the frame. */
function isKeyed({ bindings, iterable }: ExprOf<'loop'>): boolean {
  const [key, value] = bindings ?? [];
  if (value === undefined || key?.type === undefined || iterable === undefined) return false;
  if (iterable.kind === 'call' || iterable.kind === 'method') return false;
  return /^(?:[wd]?string|(?:const|immutable)\(char\)\[\]|char\[\])$/u.test(key.type.text.replaceAll(' ', ''));
}

function findCaptured(
  file: FileIr,
  closure: FunctionIr,
  loops: readonly ExprOf<'loop'>[],
): { name: string; loop: ExprOf<'loop'>; use: Expr } | undefined {
  const free = freeNames(file, closure);
  for (const loop of loops.toReversed()) {
    const names = [
      ...(loop.bindings ?? []).flatMap((binding) => boundNames(binding.pattern)),
      ...boundNames(loop.init),
      ...variablesOf(loop.body),
    ];
    for (const name of names) {
      const use = free.get(name);
      if (use !== undefined) return { name, loop, use };
    }
  }
  return undefined;
}

/** Variables of the body, without static and compile-time ones; those of a statement block (`{ int k = i; ... }`) share the frame as well. */
function variablesOf({ statements }: Block): readonly string[] {
  return letsIn(statements).flatMap(({ isStatic, pattern }) => (isStatic === true ? [] : boundNames(pattern)));
}

/** How a closure outlives its iteration; undefined when it does not, as far as the code shows. */
function howKept(unit: UnitFacts, file: FileIr, walked: Walked, all: readonly Walked[]): string | undefined {
  const { expr, around, statement } = walked;
  const closure = expr;
  const parent = around.at(-1);
  // `items ~= Item(name, { .. });`: what the struct or object is put into keeps the delegate.
  if (parent !== undefined && isMadeWith(unit, file, parent, closure))
    return howKept(unit, file, { ...walked, expr: parent, around: around.slice(0, -1) }, all);
  const by = parent === undefined || uncalled(parent, closure) ? undefined : parent;
  const target = by?.kind === 'cast' ? around.at(-2) : by;
  if (target?.kind === 'assign' && (target.value === closure || by?.kind === 'cast')) {
    if (target.operator === '~=') return `added to '${memberPath(target.target) ?? 'an array'}'`;
    if (target.operator === '=' && (target.target.kind === 'index' || target.target.kind === 'field'))
      return `stored in '${describe(target.target)}'`;
    const list = target.operator === '=' ? listOf(around, target.target) : undefined;
    if (list !== undefined) return `stored in '${describe(list)}[..]'`;
  }
  const call = keeperCall(around, closure) ?? registeringCall(unit, file, around, closure);
  if (call !== undefined) return call;
  if (
    statement?.kind === 'let' &&
    (statement.init === closure || (statement.init?.kind === 'cast' && statement.init.value === closure))
  )
    return keptVariable(statement, all);
  return undefined;
}

/** A struct literal, or an object whose constructor keeps it, with the delegate as an argument. */
function isMadeWith(unit: UnitFacts, file: FileIr, parent: Expr, closure: Expr): boolean {
  if (heldByLiteral(unit, file, parent).includes(closure)) return true;
  if (parent.kind !== 'new' || KEEPERS.has(parent.type.name)) return false;
  const at = parent.args.findIndex((argument) => argument.value === closure);
  const makers = unit.oracle('d').methods(parent.type.name, 'this', file.path);
  return at >= 0 && makers.length > 0 && mayKeep(unit, file, parent.type.name, at, parent.args.length);
}

/** What a loop around goes through by `ref`, when the target is its variable: `foreach (ref slot; table) slot = ..`. */
function listOf(around: readonly Expr[], target: Expr): Expr | undefined {
  const name = target.kind === 'name' && target.path.length === 1 ? target.path[0] : undefined;
  if (name === undefined) return undefined;
  const loop = around.findLast(
    (one): one is ExprOf<'loop'> =>
      one.kind === 'loop' &&
      one.bindings?.some(({ pattern, byRef }) => byRef && pattern.kind === 'bind' && pattern.name === name) === true,
  );
  return loop?.iterable;
}

/** `(() { .. })()`: called at once. */
function uncalled(parent: Expr, closure: Expr): boolean {
  return parent.kind === 'call' && parent.callee === closure;
}

function keeperCall(around: readonly Expr[], closure: Expr): string | undefined {
  const parent = around.at(-1);
  if (parent === undefined || (parent.kind !== 'call' && parent.kind !== 'method' && parent.kind !== 'new'))
    return undefined;
  if (!parent.args.some((argument) => argument.value === closure)) return undefined;
  const name = calledName(parent);
  if (name === undefined) return undefined;
  // The signals of toolkits: `button.addOnClicked(..)`.
  if (parent.kind === 'method' && /^addOn[A-Z]/u.test(name)) return `given to '${name}'`;
  if (KEEPERS.has(name))
    return name === 'Thread' || name === 'Fiber' ? `given to a new '${name}'` : `given to '${name}'`;
  if (
    parent.kind === 'method' &&
    name === 'put' &&
    parent.receiver.kind === 'name' &&
    /pool$/iu.test(parent.receiver.path.at(-1) ?? '')
  )
    return "given to a pool by 'put'";
  return undefined;
}

/** Functions that are called later for something that happens: `onAccept`, `addListener`, `registerHandler`, `subscribe`, `connect`. */
const REGISTERS =
  /^(?:on[A-Z]\w*|(?:add|set|register|install|attach)\w*(?:Listener|Handler|Callback|Observer|Hook|Timer|Watcher|Action|Route)|registerCallback|subscribe|connect|defer|post|schedule\w+|setTimeout|setInterval)$/u;

/**
 * A delegate that is registered for later, by the name of the function. Not when a function of this name in the file takes it as `scope`,
 * or only calls it.
 */
function registeringCall(unit: UnitFacts, file: FileIr, around: readonly Expr[], closure: Expr): string | undefined {
  const call = around.at(-1);
  // Who looks at the result may ask it: `if (list.onEach(&f))`.
  if ((call?.kind !== 'method' && call?.kind !== 'call') || around.at(-2)?.kind === 'binary') return undefined;
  const at = call.args.findIndex((argument) => argument.value === closure);
  const name = calledName(call);
  if (at < 0 || name === undefined || !REGISTERS.test(name)) return undefined;
  const text = unit.textOf(file.path) ?? '';
  const named = file.functions.filter((one) => one.name === name && one.params.length >= call.args.length);
  const isOnlyCalled = named.some((one) => {
    const param = one.params[at];
    if (param === undefined) return false;
    if (param.modifiers.includes('scope')) return true;
    const body = one.bodySpan;
    return body !== undefined && !isPassedOn(text.slice(body.start, body.end), param.name);
  });
  return isOnlyCalled ? undefined : `registered by '${name}'`;
}

/** `handlers ~= dg`, `this.dg = dg`, `Handler(dg)`: more than a call of it. */
function isPassedOn(body: string, name: string): boolean {
  return new RegExp(String.raw`(?<![\w.])${name}\s*[;,)\]}]`, 'u').test(body);
}

/** A delegate bound to a variable is kept when the variable is added, stored or given away in the same loop. */
function keptVariable(statement: Let, all: readonly Walked[]): string | undefined {
  const name = statement.pattern.kind === 'bind' ? statement.pattern.name : undefined;
  if (name === undefined) return undefined;
  for (const { expr, around } of all) {
    if (expr.kind !== 'name' || expr.path[0] !== name || expr.span.start < statement.span.end) continue;
    const parent = around.at(-1);
    if (parent?.kind === 'assign' && parent.value === expr) {
      if (parent.operator === '~=') return `added to '${memberPath(parent.target) ?? 'an array'}'`;
      if (parent.operator === '=' && (parent.target.kind === 'index' || parent.target.kind === 'field'))
        return `stored in '${describe(parent.target)}'`;
    }
    const call = keeperCall(around, expr);
    if (call !== undefined) return call;
  }
  return undefined;
}

function describe(target: Expr): string {
  if (target.kind === 'index') return `${describe(target.base)}[..]`;
  if (target.kind === 'field' && target.base.kind === 'index') return `${describe(target.base)}.${target.name}`;
  return memberPath(target) ?? 'a member';
}

/** No iteration follows: the function is left behind the closure on every way through the loop's body. */
function isLeftAfter(loop: ExprOf<'loop'>, { expr: closure, around }: Walked, all: readonly Walked[]): boolean {
  return all.some(
    ({ expr, around: outer }) =>
      (expr.kind === 'return' || expr.kind === 'throw') &&
      expr.span.start > closure.span.end &&
      outer.includes(loop) &&
      outer.every((one) => around.includes(one)),
  );
}

/** The iteration waits for what it started. */
function isJoinedInLoop(loop: ExprOf<'loop'>): boolean {
  let isJoined = false;
  walkBody(loop.body, ({ expr, around }) => {
    if (around.some((outer) => outer.kind === 'loop')) return;
    if (expr.kind === 'method' && /^(?:join|yieldForce|workForce|spinForce|joinAll|wait)$/u.test(expr.method))
      isJoined = true;
  });
  return isJoined;
}
