import {
  aggregateOf,
  boundNames,
  calledName,
  declaredIn,
  delegateFunction,
  enclosing,
  hasAttribute,
  hasBody,
  initOf,
  memberPath,
  methodsOf,
  readAround,
  rootName,
  uncast,
  type WithBody,
} from '../facts/d-code.js';
import { whyUnlocked } from '../facts/held-locks.js';
import { inTestsBeside } from '../facts/d-text.js';
import { lineOf } from '../facts/lines.js';
import { addedToBy, grownBy, grownByHelper, isGrowing, typeOfPath, variableType } from '../facts/shared-growth.js';
import type { UnitFacts } from '../facts/unit.js';
import { withoutCount } from '../flow/types.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const THREADS =
  /\b(?:Thread|spawn|spawnLinked|taskPool|TaskPool|parallel|runWorkerTask|task)\b\s*[!(]|\btaskPool\s*\.|\bnew\s+Thread\b|\bpthread_create\b/u;

const STARTS = /\bnew\s+Thread\b|\bspawn\w*\s*[!(]|\.start\s*\(/u;

const GROWS = /~|\.(?:length|put|insert|require)|\]\s*(?:[-+*|&^]?=[^=]|\+\+|--)/u;

const STARTS_OR_GROWS = new RegExp(String.raw`\b(?:Thread|parallel|task)|\.create|${GROWS.source}`, 'u');

/** Without one of these a test of the module has nothing that runs beside it; what is given as a literal a helper may run on a thread. */
const BESIDE_TEST =
  /\b(?:Thread|spawn|task|parallel|run\w*Task|pthread_create|shared|__gshared)|\.create\b|[(,]\s*(?:\(\s*\)\s*)?(?:\{|=>)/iu;

/** Types, blocks and labels that give their attribute to what is in them: `shared class`, `shared {`. */
const SHARED_GROUP = /\bshared\b(?:\s*[:{]|(?!\s+static\s+~?this\b)[^;{}=]*\b(?:class|struct|union|interface)\b)/u;

/** What waits for a thread or task, or asks whether it still runs. */
const WAITS_FOR = /^(?:join|joinAll|isRunning|wait|\w+Force)$/u;

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
        "'{array}' is {storage} (line {declared}) and grows in '{function}' (line {line}) {how}, in a module that starts threads: two threads may grow it at once, and one of them writes to the old block.",
      member:
        "'{function}' is for objects that threads share, and '{array}' (line {declared}) grows in it (line {line}) {how}: two threads may grow it at once, and one of them writes to the old block.",
      both: "'{array}' grows (line {grown}) without a lock in what one thread runs, and another changes it meanwhile (line {line}): one of them works on the old block.",
      rounds:
        "'{array}' grows (line {grown}) without a lock in the body of a parallel loop (line {line}): two rounds may grow it at once, and one of them writes to the old block.",
      several:
        "'{array}' grows in '{function}' (line {grown}) without a lock, and the loop at line {line} starts a thread for it in every round: two of them may grow it at once, and one writes to the old block.",
    },
    checklist: 'Is the array that threads share only ever grown under a lock?',
    scenarios: ['command'],
  },
  tokens: { d: ['__gshared', 'shared', 'parallel', 'Thread', 'task'] },
  requires: {
    d: [
      'Thread',
      'spawn',
      'taskPool',
      'parallel',
      'runWorkerTask',
      'pthread_create',
      /\bshared\b(?:(?=[^;]*\{)|(?<=\)[^;{]*shared))/u,
    ],
  },
  bodyTokens: {
    d: [
      { inFile: THREADS, pattern: inTestsBeside(STARTS_OR_GROWS, BESIDE_TEST) },
      { inFile: SHARED_GROUP, pattern: inTestsBeside(GROWS, BESIDE_TEST) },
      new RegExp(`^(?=[^{]*\\bshared\\b(?!\\s+static\\s+~?this\\b))[^]*(?:${GROWS.source})`, 'u'),
    ],
  },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      const text = unit.textOf(file.path) ?? '';
      const startsThreads = THREADS.test(text);
      const arrays = startsThreads ? sharedArrays(unit, file) : new Map<string, SharedArray>();
      // Several loops may start threads for one growth.
      const told = new Set<number>();
      for (const fn of file.functions) {
        if (!hasBody(fn)) continue;
        for (const found of startsThreads ? grownByThreads(text, file, fn) : []) {
          const { array, growth, loop, worker, other } = found;
          if (told.has(growth.start) || isNoGrowth(unit, file, worker ?? fn, array, growth)) continue;
          told.add(growth.start);
          const isRounds = worker === undefined;
          report({
            messageId: other !== undefined ? 'both' : isRounds ? 'rounds' : 'several',
            data: {
              array,
              grown: lineOf(unit, file, growth.start),
              line: lineOf(unit, file, (other ?? loop).start),
              function: isRounds || worker.name.startsWith('{') ? fn.name : worker.name,
            },
            at: { file, span: growth },
            steps: [
              {
                file,
                span: { start: loop.start, end: Math.min(loop.end, loop.start + 'foreach'.length) },
                role: 'escape',
                note:
                  other !== undefined
                    ? 'A thread is started for it.'
                    : isRounds
                      ? 'Its rounds run on several threads.'
                      : 'Each round starts a thread.',
              },
            ],
            key: `${array}|${fn.name}`,
          });
        }
        if (fn.kind === 'static-constructor' || fn.kind === 'unittest') continue;
        for (const { array, growth, other } of startsThreads ? grownBeside(unit, text, file, fn) : []) {
          if (told.has(growth.start) || isNoGrowth(unit, file, fn, array, growth)) continue;
          told.add(growth.start);
          report({
            messageId: 'both',
            data: { array, grown: lineOf(unit, file, growth.start), line: lineOf(unit, file, other.span.start) },
            at: { file, span: growth },
            steps: [{ file, span: other.span, role: 'use', note: `'${other.method}' sets it without a lock.` }],
            key: `${array}|${fn.name}|beside`,
          });
        }
        for (const { array, declared, growth, how } of grownInShared(text, file, fn))
          report({
            messageId: 'member',
            data: {
              array,
              declared: lineOf(unit, file, declared.start),
              function: fn.name,
              line: lineOf(unit, file, growth.start),
              how,
            },
            at: { file, span: growth },
            steps: [{ file, span: declared, role: 'declare', note: 'Several threads may have this object.' }],
            key: `${array}|${fn.name}|shared`,
          });
        // An object that is being made is nobody else's yet; who locks it then means something else.
        if (arrays.size === 0 || (fn.kind === 'constructor' && !locksItself(fn))) continue;
        const outer = [fn, ...enclosing(file, fn)];
        // The mend is one lock for the function, however often it adds.
        const grown = new Set<string>();
        walkBody(fn.body, ({ expr, around }) => {
          const path =
            grownBy(fn, expr) ??
            addedToBy(fn, expr, (name) => arrayAt(file, arrays, name)?.type) ??
            grownByHelper(file, expr);
          const name = path === undefined ? undefined : withoutType(file, path);
          const array = name === undefined ? undefined : arrays.get(name);
          if (name === undefined || array === undefined) return;
          if (
            array.inFunction === undefined
              ? outer.some((one) => declaredIn(one).has(name))
              : !outer.some((one) => one.name === array.inFunction)
          )
            return;
          const how = whyUnlocked(text, file, fn, expr.span, { isOnePerProcess: array.isMember });
          if (how === undefined || (fn.kind === 'constructor' && how === 'without a lock')) return;
          if (grown.has(name) || isBeforeThreads(text, fn, expr, around)) return;
          grown.add(name);
          report({
            messageId: 'grows',
            data: {
              array: name,
              storage: `'${array.storage}'`,
              declared: lineOf(unit, file, array.span.start),
              function: fn.name,
              line: lineOf(unit, file, expr.span.start),
              how,
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

/** What may start a thread in words of its own, or comes back to the growth. */
const MAY_START =
  /\b(?:new|goto|scope)\b|(?:start|create|launch|run|serve|spawn|watch|listen|open|init|begin|thread|fork)\w*\s*[(;!]/iu;

/** `main` fills the array, and starts the only threads of the module behind that, outside of the loops that it fills it in. */
function isBeforeThreads(text: string, fn: FunctionIr, growth: Expr, around: readonly Expr[]): boolean {
  if (fn.name !== 'main' || fn.owner !== undefined || fn.parent !== undefined || !fn.bodySpan) return false;
  const { end } = around.find(({ kind }) => kind === 'loop')?.span ?? growth.span;
  if (MAY_START.test(text.slice(fn.bodySpan.start, end)) || /\bgoto\b/u.test(text.slice(end, fn.bodySpan.end)))
    return false;
  return [...text.matchAll(new RegExp(THREADS.source, 'gu'))].every(({ index }) => end < index && index < fn.span.end);
}

interface SharedArray {
  readonly storage: string;
  readonly span: Span;
  readonly type?: TypeRef;
  /** One for all objects of a type. */
  readonly isMember: boolean;
  /** The function whose static variable it is. */
  readonly inFunction?: string;
}

function sharedArrays(unit: UnitFacts, file: FileIr): ReadonlyMap<string, SharedArray> {
  const found = new Map<string, SharedArray>();
  const grows = (type: TypeRef | undefined): boolean => isGrowing(withoutCount(type, unit.oracle('d'), file.path));
  for (const global of file.globals)
    if ((global.kind === 'gshared' || global.kind === 'shared') && grows(global.type))
      found.set(global.name, {
        storage: global.kind === 'gshared' ? '__gshared' : 'shared',
        span: global.nameSpan,
        isMember: false,
        ...(global.type === undefined ? {} : { type: global.type }),
        ...(global.inFunction === undefined ? {} : { inFunction: global.inFunction }),
      });
  for (const type of file.types)
    for (const field of type.fields) {
      const storage =
        field.attributes.find((one) => one.name === '__gshared' || one.name === 'shared')?.name ??
        (field.type?.qualifiers?.includes('shared') === true ? 'shared' : undefined);
      if (storage === undefined || !(field.isStatic || storage === '__gshared') || !grows(field.type)) continue;
      found.set(field.name, {
        storage,
        span: field.span,
        isMember: true,
        ...(field.type === undefined ? {} : { type: field.type }),
      });
    }
  return found;
}

/**
 * Whether what looks like growth leaves the elements where they are: an element of `T[count]` is set, or the `length` of a type of the package
 * that is no array.
 */
function isNoGrowth(unit: UnitFacts, file: FileIr, fn: FunctionIr, array: string, growth: Span): boolean {
  const oracle = unit.oracle('d');
  const type = typeOfPath(unit, file, fn, array);
  if (type?.kind === 'static-array') return true;
  if (type?.kind !== 'path' || !/\blength\b/u.test((unit.textOf(file.path) ?? '').slice(growth.start, growth.end)))
    return false;
  const kind = oracle.declaration(type.name, file.path)?.kind;
  return kind === 'struct' || kind === 'class' || kind === 'union' || kind === 'interface';
}

/** `names` for `Hub.names` of a type of the file. */
function withoutType(file: FileIr, path: string): string {
  const [head, ...rest] = path.split('.');
  return rest.length > 0 && file.types.some((type) => type.name === head) ? rest.join('.') : path;
}

function arrayAt(file: FileIr, arrays: ReadonlyMap<string, SharedArray>, path: string): SharedArray | undefined {
  return arrays.get(withoutType(file, path));
}

/** `synchronized (this)` in the function. */
function locksItself(fn: WithBody): boolean {
  let is = false;
  walkBody(fn.body, ({ expr }) => {
    is ||=
      expr.kind === 'block' &&
      expr.flavour === 'synchronized' &&
      expr.subject?.kind === 'name' &&
      expr.subject.path[0] === 'self';
  });
  return is;
}

interface GrownBeside {
  readonly array: string;
  readonly growth: Span;
  readonly other: { readonly method: string; readonly span: Span };
}

/** A class that knows of no lock, no message and no end of its thread. */
const WAITS =
  /\b(?:synchronized|\w*[lL]ock\w*|Mutex|Semaphore|Condition|atomic\w*|join|joinAll|send|receive\w*|Channel|cas|notify|wait)\b/u;

/**
 * A method that starts a thread for another one of its class (`new Thread(&run)`), which makes a member longer, while a public method takes
 * or sets that member, and nothing in the class waits or locks.
 */
function grownBeside(unit: UnitFacts, text: string, file: FileIr, fn: WithBody): readonly GrownBeside[] {
  const type = fn.kind === 'method' || fn.kind === 'constructor' ? aggregateOf(file, fn) : undefined;
  if (type?.kind !== 'class' || WAITS.test(text.slice(type.span.start, type.span.end))) return [];
  const found: GrownBeside[] = [];
  let methods: readonly FunctionIr[] | undefined;
  walkBody(fn.body, ({ expr }) => {
    const worker = threadOf(file, fn, expr);
    if (worker === undefined || worker.kind !== 'method') return;
    for (const one of growthsOf(file, worker)) {
      if (one.inside !== worker || found.some((known) => known.array === one.name)) continue;
      for (const method of (methods ??= methodsOf(readAround(unit, file, [fn]), type))) {
        if (method.span.start === worker.span.start || method.span.start === fn.span.start) continue;
        if (!method.isPublic || !hasBody(method) || method.kind !== 'method') continue;
        let span: Span | undefined;
        walkBody(method.body, ({ expr: inner }) => {
          if (inner.kind !== 'assign' || declaredIn(method).has(one.head)) return;
          if (memberPath(inner.target) === one.name || grownBy(method, inner) === one.name) span ??= inner.span;
        });
        if (span !== undefined) {
          found.push({ array: one.name, growth: one.growth, other: { method: method.name, span } });
          break;
        }
      }
    }
  });
  return found;
}

interface GrownInShared {
  readonly array: string;
  readonly declared: Span;
  readonly growth: Span;
  readonly how: string;
}

/** Members that grow in a method for shared objects, where casts have taken `shared` away, and arrays behind a pointer to shared ones. */
function grownInShared(text: string, file: FileIr, fn: WithBody): readonly GrownInShared[] {
  const type = aggregateOf(file, fn);
  const isShared =
    type !== undefined &&
    !fn.isStatic &&
    fn.kind === 'method' &&
    (hasAttribute(fn, 'shared') || type.attributes.some((one) => one.name === 'shared')) &&
    !type.attributes.some((one) => one.name === 'synchronized');
  const pointers = fn.params.filter(({ type: of }) => of?.kind === 'pointer' && /^shared\b/u.test(of.text));
  if (!isShared && pointers.length === 0) return [];
  const fields = new Map(isShared ? type.fields.filter((one) => !one.isStatic).map((one) => [one.name, one]) : []);
  const found: GrownInShared[] = [];
  walkBody(fn.body, ({ expr }) => {
    const path = grownBy(fn, expr) ?? addedToBy(fn, expr, (name) => fields.get(ofSelf(fn, name))?.type);
    if (path === undefined) return;
    const name = ofSelf(fn, path);
    const field = declaredIn(fn).has(path) ? undefined : fields.get(name);
    const declared = isGrowing(field?.type) ? field : pointers.find((one) => one.name === path);
    if (declared === undefined) return;
    if (found.some((one) => one.array === name)) return;
    // `workers.length = count; foreach (ref worker; workers) worker.thread = spawn(..)`: there are no other threads yet.
    if (expr.kind === 'assign' && expr.operator === '=' && STARTS.test(text.slice(expr.span.end, fn.body.span.end)))
      return;
    const how = whyUnlocked(text, file, fn, expr.span);
    if (how !== undefined) found.push({ array: name, declared: declared.span, growth: expr.span, how });
  });
  return found;
}

/** `items` for `me.items` where `auto me = cast(Queue) this;`. */
function ofSelf(fn: FunctionIr, path: string): string {
  const [head = '', ...rest] = path.split('.');
  const init = rest.length === 0 ? undefined : initOf(fn, head);
  const made = init === undefined ? undefined : uncast(init);
  return made?.kind === 'name' && made.path.length === 1 && made.path[0] === 'self' ? rest.join('.') : path;
}

interface GrownByThreads {
  readonly array: string;
  readonly growth: Span;
  /** The loop, or what starts the thread. */
  readonly loop: Span;
  /** What the threads run, when it is not the body of the loop. */
  readonly worker?: FunctionIr;
  /** Where another thread grows or sets it. */
  readonly other?: Span;
}

/** What grows in the rounds of a parallel loop, in what a loop starts one thread after the other for, or in two threads at once. */
function grownByThreads(text: string, file: FileIr, fn: WithBody): readonly GrownByThreads[] {
  const found: GrownByThreads[] = [];
  const written = text.slice(fn.span.start, fn.span.end);
  if (!/\b(?:parallel|Thread|task|create)\b/u.test(written)) return found;
  const isUnlocked = (inside: FunctionIr, at: Span): boolean =>
    whyUnlocked(text, file, inside, at, { areLocalsShared: inside === fn }) !== undefined;
  const single: { worker: WithBody; at: Span }[] = [];
  walkBody(fn.body, ({ expr, around }) => {
    const loop = around.findLast((outer): outer is ExprOf<'loop'> => outer.kind === 'loop' && outer.isStatic !== true);
    const array =
      loop === undefined
        ? undefined
        : (grownBy(fn, expr) ??
          addedToBy(fn, expr, (name) => variableType(file, fn, name)) ??
          grownByHelper(file, expr));
    if (array !== undefined) {
      const rounds = around.find((outer): outer is ExprOf<'loop'> => outer.kind === 'loop' && isParallel(outer));
      if (
        rounds !== undefined &&
        isPlainName(array) &&
        !boundNames(rounds).includes(array.split('.')[0] ?? '') &&
        !isOfRound(rounds, around) &&
        isUnlocked(fn, expr.span)
      )
        found.push({ array, growth: expr.span, loop: rounds.span });
      return;
    }
    const worker = threadOf(file, fn, expr);
    if (worker === undefined) return;
    if (loop === undefined) {
      single.push({ worker, at: expr.span });
      return;
    }
    // Only some rounds start one, or one round is all.
    if (around.slice(around.indexOf(loop)).some((one) => one.kind === 'if' || one.kind === 'match')) return;
    if (waits(loop)) return;
    for (const one of growthsOf(file, worker))
      if (!boundNames(loop).includes(one.head) && isUnlocked(one.inside, one.growth))
        found.push({ array: one.name, growth: one.growth, loop: loop.span, worker: one.inside });
  });
  found.push(...grownTwice(file, fn, single, isUnlocked));
  return found;
}

interface WorkerGrowth {
  readonly name: string;
  /** The first name of it, as the function around the worker sees it. */
  readonly head: string;
  readonly growth: Span;
  readonly inside: WithBody;
}

/** What a thread's function makes longer: captured variables, members of its object, and those of a captured object whose method it calls. */
function growthsOf(file: FileIr, worker: WithBody): readonly WorkerGrowth[] {
  const own = aggregateOf(file, worker);
  const outer = enclosing(file, worker);
  const found: WorkerGrowth[] = [];
  walkBody(worker.body, ({ expr }) => {
    const name =
      grownBy(worker, expr) ??
      addedToBy(worker, expr, (one) => variableType(file, worker, one)) ??
      grownByHelper(file, expr);
    const [head = ''] = name?.split('.') ?? [];
    if (name !== undefined && isPlainName(name) && !declaredIn(worker).has(head)) {
      // Variables of the module are one per thread, unless they say otherwise.
      const isCaptured = outer.some((one) => declaredIn(one).has(head));
      const isMember = own?.kind === 'class' && own.fields.some((field) => field.name === head && !field.isStatic);
      if (isCaptured || isMember) found.push({ name, head, growth: expr.span, inside: worker });
      return;
    }
    if (expr.kind !== 'method') return;
    const object = memberPath(expr.receiver);
    if (object === undefined || object.includes('.') || !outer.some((one) => declaredIn(one).has(object))) return;
    const type = variableType(file, worker, object);
    const made = file.types.find((one) => one.kind === 'class' && one.name === type?.name);
    if (made !== undefined)
      for (const { field, growth, inside } of memberGrowths(file, made, expr.method))
        found.push({ name: field, head: object, growth, inside });
  });
  return found;
}

/** The members that a method of a class makes longer. */
function memberGrowths(
  file: FileIr,
  type: TypeDecl,
  method: string,
): readonly { readonly field: string; readonly growth: Span; readonly inside: WithBody }[] {
  const found: { field: string; growth: Span; inside: WithBody }[] = [];
  for (const inside of methodsOf(file, type)) {
    if (inside.name !== method || !hasBody(inside) || hasAttribute(inside, 'synchronized')) continue;
    if (type.attributes.some((one) => one.name === 'synchronized')) continue;
    walkBody(inside.body, ({ expr }) => {
      const field =
        grownBy(inside, expr) ?? addedToBy(inside, expr, (one) => type.fields.find((f) => f.name === one)?.type);
      if (field === undefined || declaredIn(inside).has(field)) return;
      if (type.fields.some((one) => one.name === field && !one.isStatic))
        found.push({ field, growth: expr.span, inside });
    });
  }
  return found;
}

/** What two threads that run at once make longer, or one and the function that starts it. */
function grownTwice(
  file: FileIr,
  fn: WithBody,
  started: readonly { readonly worker: WithBody; readonly at: Span }[],
  isUnlocked: (inside: FunctionIr, at: Span) => boolean,
): readonly GrownByThreads[] {
  const found: GrownByThreads[] = [];
  if (started.length === 0) return found;
  const joins: number[] = [];
  const ownGrowths: { name: string; at: Span }[] = [];
  walkBody(fn.body, ({ expr }) => {
    const called = expr.kind === 'field' ? expr.name : calledName(expr);
    if (WAITS_FOR.test(called ?? '')) joins.push(expr.span.start);
    const name = grownBy(fn, expr);
    if (name !== undefined) ownGrowths.push({ name, at: expr.span });
  });
  const isApart = (from: Span, to: Span): boolean => joins.some((at) => at > from.end && at < to.start);
  const growths = started.map(({ worker }) => growthsOf(file, worker));
  for (const [i, first] of started.entries())
    for (const one of growths[i] ?? []) {
      if (!isUnlocked(one.inside, one.growth)) continue;
      for (const [j, second] of started.entries()) {
        if (j <= i || isApart(first.at, second.at)) continue;
        const other = growths[j]?.find((two) => two.name === one.name && two.head === one.head);
        if (other !== undefined && isUnlocked(other.inside, other.growth))
          found.push({
            array: one.name,
            growth: other.growth,
            loop: second.at,
            worker: other.inside,
            other: one.growth,
          });
      }
      // Outside of what the thread runs, between its start and the wait for it.
      const own = ownGrowths.find(({ name, at }) => name === one.name && at.start > first.at.end);
      if (
        own !== undefined &&
        one.inside === first.worker &&
        declaredIn(fn).has(one.head) &&
        !isApart(first.at, own.at)
      )
        if (isUnlocked(fn, own.at))
          found.push({ array: one.name, growth: one.growth, loop: first.at, worker: one.inside, other: own.at });
    }
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
  const found = delegateFunction(file, fn, given) ?? methodAt(file, fn, given);
  return found !== undefined && hasBody(found) ? found : undefined;
}

/** The method whose address is taken: `&run` of the class around, `&worker.run` of a variable of a class of the file. */
function methodAt(file: FileIr, fn: FunctionIr, given: Expr): FunctionIr | undefined {
  const path = given.kind === 'address' ? memberPath(given.base) : undefined;
  if (path === undefined) return undefined;
  const [object = '', name] = path.split('.');
  const type = name === undefined ? undefined : variableType(file, fn, object);
  const own =
    type === undefined
      ? aggregateOf(file, fn)
      : file.types.find((one) => one.kind === 'class' && one.name === type.name);
  const called = type === undefined ? path : path.slice(object.length + 1);
  return own && methodsOf(file, own).find((one) => one.name === called && one.kind === 'method');
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
    isWaiting ||= expr.kind === 'break' || expr.kind === 'return' || WAITS_FOR.test(name ?? '');
  });
  return isWaiting;
}
