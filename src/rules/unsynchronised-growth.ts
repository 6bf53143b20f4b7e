import {
  aggregateOf,
  boundNames,
  calledName,
  declaredIn,
  delegateFunction,
  enclosing,
  hasAttribute,
  hasBody,
  memberPath,
  methodsOf,
  outermost,
  rootName,
  type WithBody,
} from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const THREADS =
  /\b(?:Thread|spawn|spawnLinked|taskPool|TaskPool|parallel|runWorkerTask|task)\b\s*[!(]|\bnew\s+Thread\b|\bpthread_create\b/u;

export default defineRule({
  meta: {
    id: 'unsynchronised-growth',
    title: 'Shared array grown without a lock',
    summary: 'An array that all threads share grows outside a lock.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-820'],
    messages: {
      grows:
        "'{array}' is {storage} and grows in '{function}' (line {line}) without a lock, in a module that starts threads: two threads may grow it at once, and one of them writes to the old block.",
      rounds:
        "'{array}' grows (line {grown}) without a lock in the body of a parallel loop (line {line}): two rounds may grow it at once, and one of them writes to the old block.",
      several:
        "'{array}' grows in '{function}' (line {grown}) without a lock, and the loop at line {line} starts a thread for it in every round: two of them may grow it at once, and one writes to the old block.",
    },
    checklist: 'Is the array that threads share only ever grown under a lock?',
    scenarios: ['command'],
  },
  tokens: { d: ['__gshared', 'shared ', 'parallel', 'Thread', 'task'] },
  requires: { d: ['Thread', 'spawn', 'taskPool', 'parallel', 'runWorkerTask', 'pthread_create'] },
  bodyTokens: {
    d: ['~=', '.length', '.put', '.insert', '.require', /\]\s*=[^=]/u, 'Thread', 'parallel', 'task', '.create'],
  },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      if (!THREADS.test(unit.textOf(file.path) ?? '')) continue;
      const arrays = sharedArrays(file);
      // Several loops may start threads for one growth.
      const told = new Set<number>();
      for (const fn of file.functions) {
        if (!hasBody(fn)) continue;
        for (const { array, growth, loop, worker } of grownByThreads(unit.textOf(file.path) ?? '', file, fn)) {
          if (told.has(growth.start)) continue;
          told.add(growth.start);
          report({
            messageId: worker === undefined ? 'rounds' : 'several',
            data: {
              array,
              grown: lineOf(unit, file, growth.start),
              line: lineOf(unit, file, loop.start),
              function: worker === undefined || worker.name.startsWith('{') ? fn.name : worker.name,
            },
            at: { file, span: growth },
            steps: [
              {
                file,
                span: { start: loop.start, end: Math.min(loop.end, loop.start + 'foreach'.length) },
                role: 'escape',
                note: worker === undefined ? 'Its rounds run on several threads.' : 'Each round starts a thread.',
              },
            ],
            key: `${array}|${fn.name}`,
          });
        }
        if (
          arrays.size === 0 ||
          fn.kind === 'static-constructor' ||
          fn.kind === 'unittest' ||
          fn.kind === 'constructor' ||
          isLocked(unit.textOf(file.path) ?? '', file, fn)
        )
          continue;
        const outer = [fn, ...enclosing(file, fn)];
        walkBody(fn.body, ({ expr, around }) => {
          const name = grown(expr) ?? addedTo(expr, arrays);
          const array = name === undefined ? undefined : arrays.get(name);
          if (name === undefined || array === undefined || outer.some((one) => declaredIn(one).has(name))) return;
          if (isInLock(around)) return;
          report({
            messageId: 'grows',
            data: {
              array: name,
              storage: `'${array.storage}'`,
              function: fn.name,
              line: lineOf(unit, file, expr.span.start),
            },
            at: { file, span: expr.span },
            steps: [{ file, span: array.span, role: 'declare', note: 'All threads see this one array.' }],
            key: `${name}|${fn.name}`,
          });
        });
      }
    }
  },
});

interface SharedArray {
  readonly storage: string;
  readonly span: Span;
  readonly type?: TypeRef;
}

function sharedArrays(file: FileIr): ReadonlyMap<string, SharedArray> {
  const found = new Map<string, SharedArray>();
  for (const global of file.globals)
    if (
      (global.kind === 'gshared' || global.kind === 'shared') &&
      isGrowing(global.type) &&
      global.inFunction === undefined
    )
      found.set(global.name, {
        storage: global.kind === 'gshared' ? '__gshared' : 'shared',
        span: global.nameSpan,
        ...(global.type === undefined ? {} : { type: global.type }),
      });
  for (const type of file.types)
    for (const field of type.fields) {
      const storage = field.attributes.find((one) => one.name === '__gshared' || one.name === 'shared')?.name;
      if (field.isStatic && storage !== undefined && field.type?.kind === 'slice')
        found.set(field.name, { storage, span: field.span });
    }
  return found;
}

/** Arrays, tables, and what the standard library has to collect something in. */
function isGrowing(type: TypeRef | undefined): boolean {
  return (
    type?.kind === 'slice' ||
    type?.kind === 'assoc-array' ||
    (type?.kind === 'path' && /^(?:Ref)?Appender$|^(?:Array|DList|SList|RedBlackTree)$/u.test(type.name))
  );
}

/** The table that an expression sets an entry of, or the appender or container that it adds to. */
function addedTo(expr: Expr, arrays: ReadonlyMap<string, SharedArray>): string | undefined {
  if (expr.kind === 'assign' && expr.operator === '=' && expr.target.kind === 'index') {
    const name = memberPath(expr.target.base);
    return name !== undefined && arrays.get(name)?.type?.kind === 'assoc-array' ? name : undefined;
  }
  if (expr.kind !== 'method') return undefined;
  const name = memberPath(expr.receiver);
  const kind = name === undefined ? undefined : arrays.get(name)?.type?.kind;
  if (kind === 'assoc-array') return expr.method === 'require' ? name : undefined;
  return kind === 'path' && /^(?:put|insert\w*|reserve)$/u.test(expr.method) ? name : undefined;
}

interface GrownByThreads {
  readonly array: string;
  readonly growth: Span;
  readonly loop: Span;
  /** What the threads run, when it is not the body of the loop. */
  readonly worker?: FunctionIr;
}

/** What grows in the rounds of a parallel loop, or in what a loop starts one thread after the other for. */
function grownByThreads(text: string, file: FileIr, fn: WithBody): readonly GrownByThreads[] {
  const found: GrownByThreads[] = [];
  const isWritten = /\b(?:parallel|Thread|task|create)\b/u.test(text.slice(fn.span.start, fn.span.end));
  if (!isWritten) return found;
  walkBody(fn.body, ({ expr, around }) => {
    const loop = around.findLast((outer): outer is ExprOf<'loop'> => outer.kind === 'loop' && outer.isStatic !== true);
    if (loop === undefined) return;
    const array = grown(expr);
    if (array !== undefined) {
      const rounds = around.find((outer): outer is ExprOf<'loop'> => outer.kind === 'loop' && isParallel(outer));
      if (
        rounds !== undefined &&
        isPlainName(array) &&
        !boundNames(rounds).includes(array.split('.')[0] ?? '') &&
        !isOfRound(rounds, around) &&
        !isInLock(around) &&
        !isLocked(text, file, fn)
      )
        found.push({ array, growth: expr.span, loop: rounds.span });
      return;
    }
    const worker = threadOf(file, fn, expr);
    // Only some rounds start one, or one round is all.
    if (around.slice(around.indexOf(loop)).some((one) => one.kind === 'if' || one.kind === 'match')) return;
    if (worker === undefined || waits(loop) || isLocked(text, file, worker)) return;
    const own = aggregateOf(file, worker);
    const outer = enclosing(file, worker);
    walkBody(worker.body, (inner) => {
      const name = grown(inner.expr);
      const [head = ''] = name?.split('.') ?? [];
      if (name === undefined || !isPlainName(name) || declaredIn(worker).has(head) || isInLock(inner.around)) return;
      // Variables of the module are one per thread, unless they say otherwise.
      const isCaptured = outer.some((one) => declaredIn(one).has(head)) && !boundNames(loop).includes(head);
      const isMember = own?.kind === 'class' && own.fields.some((field) => field.name === head && !field.isStatic);
      if (isCaptured || isMember) found.push({ array: name, growth: inner.expr.span, loop: loop.span, worker });
    });
  });
  return found;
}

/** Inside of `with (own) { .. }` a name is mostly that of a member of the round's own variable. */
function isOfRound(rounds: ExprOf<'loop'>, around: readonly Expr[]): boolean {
  const own = boundNames(rounds);
  return around.some(
    (one) =>
      one.kind === 'block' &&
      one.flavour === 'with' &&
      one.subject !== undefined &&
      own.includes(rootName(one.subject) ?? ''),
  );
}

/** `x` or `x.y`; what a call like `local.get` gives may be the thread's own. */
function isPlainName(name: string): boolean {
  return !/\.(?:get|front|back)$/u.test(name);
}

/** `foreach (x; parallel(list))`, `foreach (x; taskPool.parallel(list))`, `foreach (x; list.parallel)`. */
function isParallel({ form, iterable }: ExprOf<'loop'>): boolean {
  if (form !== 'foreach' || iterable === undefined) return false;
  return calledName(iterable) === 'parallel' || (iterable.kind === 'field' && iterable.name === 'parallel');
}

/** The function that a new thread or task runs: a literal, a nested function, or a method of the same object. */
function threadOf(file: FileIr, fn: FunctionIr, expr: Expr): WithBody | undefined {
  const name = calledName(expr);
  const isThread = expr.kind === 'new' && name === 'Thread';
  const isTask = expr.kind === 'call' && name === 'task';
  const isGroup = expr.kind === 'method' && name === 'create' && expr.args.length === 1 && hasThreadGroup(file);
  if (!isThread && !isTask && !isGroup) return undefined;
  const given = expr.args[0]?.value;
  if (given === undefined) return undefined;
  const direct = delegateFunction(file, fn, given);
  const path = given.kind === 'address' ? memberPath(given.base) : undefined;
  const own = path === undefined ? undefined : aggregateOf(file, fn);
  const method =
    own === undefined ? undefined : methodsOf(file, own).find((one) => one.name === path && one.kind === 'method');
  const found = direct ?? method;
  return found !== undefined && hasBody(found) ? found : undefined;
}

/** Whether the module names the group of threads of druntime, whose `create` starts one. */
function hasThreadGroup(file: FileIr): boolean {
  return file.imports.some(({ path }) => /^core\.thread(?:\.threadgroup)?$/u.test(path.join('.')));
}

/** The loop waits for each of its threads before it starts the next, or is left after the first. */
function waits(loop: ExprOf<'loop'>): boolean {
  let isWaiting = false;
  walkBody(loop.body, ({ expr }) => {
    const name = expr.kind === 'field' ? expr.name : calledName(expr);
    isWaiting ||=
      expr.kind === 'break' ||
      expr.kind === 'return' ||
      (name !== undefined && /^(?:join|joinAll|isRunning|\w+Force)$/u.test(name));
  });
  return isWaiting;
}

function isInLock(around: readonly Expr[]): boolean {
  return around.some((one) => one.kind === 'block' && one.flavour === 'synchronized');
}

/** The array that an expression makes longer. */
function grown(expr: Expr): string | undefined {
  if (expr.kind !== 'assign') return undefined;
  if (expr.operator === '~=') return memberPath(expr.target);
  return expr.target.kind === 'field' && expr.target.name === 'length' ? memberPath(expr.target.base) : undefined;
}

/** The function, or what is around it, takes a lock somewhere; whether around the growth is not asked. */
function isLocked(text: string, file: FileIr, fn: FunctionIr): boolean {
  let answer = locked.get(fn);
  if (answer === undefined) {
    const { span } = outermost(file, fn);
    answer =
      hasAttribute(fn, 'synchronized') ||
      /\b(?:synchronized|lock|lock_nothrow|tryLock|acquire|cas|pthread_mutex_lock)\b/u.test(
        text.slice(span.start, span.end),
      );
    locked.set(fn, answer);
  }
  return answer;
}

/** It is asked for each growth of a function anew, and an answer goes through its whole text. */
const locked = new WeakMap<FunctionIr, boolean>();
