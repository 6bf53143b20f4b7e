import {
  aggregateOf,
  calledName,
  declaredIn,
  declaredTypeOf,
  delegateFunction,
  enclosing,
  freeNames,
  hasAttribute,
  hasBody,
  heldByLiteral,
  isUndone,
  memberPath,
  methodsOf,
  outermost,
  returnedValues,
  uncast,
  withBodyOf,
  walkDeep,
} from '../facts/d-code.js';
import { D_CLOSURE, exceptTests } from '../facts/d-text.js';
import { headOf, lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { withoutAlias } from '../flow/types.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const KEEPERS = new Set([
  'Thread',
  'Fiber',
  'task',
  'spawn',
  'runTask',
  'runWorkerTask',
  'setTimer',
  'submit',
  'enqueue',
  'schedule',
]);

interface Captured {
  readonly name: string;
  readonly what: string;
  readonly declared: Span;
  readonly use: Span;
  /** The struct, when it is its `this` that is captured. */
  readonly type?: TypeDecl;
}

/** A function with a `lazy` parameter, whose address is a delegate of the caller's frame. */
const LAZY = /^[^{]*\blazy\b[^]*&/u;

export default defineRule({
  meta: {
    id: 'scoped-capture-escape',
    title: 'Kept delegate captures what ends with the call',
    summary: 'A delegate that outlives the call captures a `ref`, `scope` or `lazy` parameter, or `this` of a struct.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-562', 'CWE-825'],
    messages: {
      captured:
        'The delegate is {kept} (line {line}) and reads {what}: that is gone, or somewhere else, when the delegate is called after the function returned.',
    },
    checklist: 'Does everything that the delegate captures live as long as the delegate?',
    scenarios: ['command'],
  },
  tokens: { d: ['delegate', '=>', 'Thread', 'runTask', 'setTimer', 'cast(shared)'] },
  bodyTokens: { d: [exceptTests(D_CLOSURE), LAZY] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn) || outermost(file, fn).kind === 'unittest' || !unit.holds(file, fn, [D_CLOSURE, LAZY]))
          continue;
        const walked: Walked[] = [];
        let closures = 0;
        walkBody(fn.body, (one) => {
          walked.push(one);
          if (one.expr.kind === 'closure' || one.expr.kind === 'address') closures++;
        });
        if (closures === 0) continue;
        let isReported = false;
        for (const one of walked) {
          if (one.expr.kind !== 'closure' && one.expr.kind !== 'address') continue;
          const closure = one.expr;
          const inner = delegateFunction(file, fn, closure);
          const method = inner === undefined ? (lazyParam(fn, closure) ?? ownMethod(file, fn, closure)) : undefined;
          const kept = inner === undefined && method === undefined ? undefined : howKept(unit, file, fn, one, walked);
          if (kept === undefined) continue;
          const captured =
            inner === undefined ? method : (findCaptured(file, fn, inner, kept) ?? findOnStack(file, one, inner));
          // `return &method` is the business of 'field-address-without-return'.
          if (inner === undefined && kept.isReturned && (kept.isInside !== true || isTied(file, fn))) continue;
          if (captured === undefined || (kept.isStarted && waits(walked, closure.span))) continue;
          if (kept.into !== undefined && isUndone(fn, kept.into, kept.span)) continue;
          // Several methods of one struct that are registered in a row are one cause.
          if (kept.isRegistered === true && method !== undefined) {
            if (isReported) continue;
            isReported = true;
          }
          report({
            messageId: 'captured',
            data: { kept: kept.text, line: lineOf(unit, file, kept.span.start), what: captured.what },
            at: { file, span: headOf(unit, file, closure.span) },
            steps: [
              { file, span: captured.declared, role: 'declare', note: `${capital(captured.what)} ends with the call.` },
              { file, span: captured.use, role: 'borrow', note: `The delegate reads '${captured.name}' here.` },
              { file, span: kept.span, role: 'escape', note: `The delegate is ${kept.text} here.` },
            ],
            key: captured.name,
            // Kept inside the struct itself, it dangles only when the struct moves.
            // A struct that can't be copied mostly stays where it is.
            ...(captured.type !== undefined &&
            (isInside(unit, file, captured.type, kept.into) || isPinned(file, captured.type))
              ? { severity: 'note' as const }
              : {}),
          });
        }
      }
    }
  },
});

/** Names of functions that keep a delegate to call it when something happens. */
const REGISTERS =
  /^(?:(?:add|set|register|install|attach)\w*(?:Listener|Handler|Callback|Observer|Hook)|addEventListener|subscribe|connect|on[A-Z]\w*|watch[A-Z]\w*)$/u;

interface Kept {
  readonly text: string;
  readonly span: Span;
  readonly isReturned: boolean;
  /** It runs elsewhere, and the function may wait for it. */
  readonly isStarted: boolean;
  readonly into?: string;
  readonly isRegistered?: boolean;
  /** Only by the name of what it is given to. */
  readonly isGuessed?: boolean;
  /** It leaves as a member of a struct. */
  readonly isInside?: boolean;
}

/** Where a closure goes that outlives the call: directly, inside a struct that is made with it, or by way of one local variable. */
function howKept(unit: UnitFacts, file: FileIr, fn: FunctionIr, one: Walked, all: readonly Walked[]): Kept | undefined {
  const whole = madeWith(unit, file, one.expr, one.around);
  const direct = leaves(unit, file, fn, whole.value, whole.around, one);
  if (direct !== undefined) return direct;
  const carrier = carrierOf(file, fn, whole, one.statement);
  if (carrier === undefined) return undefined;
  for (const use of all) {
    const { expr, around } = use;
    if (expr.kind !== 'name' || expr.path[0] !== carrier.name || expr.span.start < carrier.from) continue;
    const parent = around.at(-1);
    // Another value from here on.
    if (parent?.kind === 'assign' && parent.target === expr && parent.operator === '=') return undefined;
    const held = madeWith(unit, file, expr, around);
    const kept = leaves(unit, file, fn, held.value, held.around, use);
    if (kept !== undefined) return held.value === expr && !carrier.isMember ? kept : { ...kept, isInside: true };
    // `job.run = add;`: it goes on inside of another local.
    const next = carrier.isMember ? undefined : carrierOf(file, fn, held, use.statement);
    const left = next?.isMember === true ? laterKept(unit, file, fn, next, all) : undefined;
    if (left !== undefined) return left;
  }
  return undefined;
}

/** Where a local that holds the delegate in a member goes. */
function laterKept(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  { name, from }: Carrier,
  all: readonly Walked[],
): Kept | undefined {
  for (const use of all) {
    const { expr, around } = use;
    if (expr.kind !== 'name' || expr.path[0] !== name || expr.span.start < from) continue;
    const parent = around.at(-1);
    if (parent?.kind === 'assign' && parent.target === expr && parent.operator === '=') return undefined;
    const kept = leaves(unit, file, fn, expr, around, use);
    if (kept !== undefined) return { ...kept, isInside: true };
  }
  return undefined;
}

/** A local that holds a delegate, itself or in a member. */
interface Carrier {
  readonly name: string;
  readonly from: number;
  readonly isMember: boolean;
}

interface Placed {
  readonly value: Expr;
  readonly around: readonly Expr[];
}

/** The value with the casts and struct literals around it: `Job(dg, 3)` holds what it is made with. */
function madeWith(unit: UnitFacts, file: FileIr, value: Expr, around: readonly Expr[]): Placed {
  let at = around.length - 1;
  let inner = value;
  for (let parent = around[at]; parent !== undefined; parent = around[--at]) {
    const holds =
      parent.kind === 'cast' ||
      heldByLiteral(unit, file, parent).includes(inner) ||
      isGivenBack(unit, file, parent, inner);
    if (!holds) break;
    inner = parent;
  }
  return { value: inner, around: around.slice(0, at + 1) };
}

/** Whether the call is one of a function of the file that returns what it is given there, itself or in a struct: `return Job(dg);` */
function isGivenBack(unit: UnitFacts, file: FileIr, call: Expr, given: Expr): boolean {
  if (call.kind !== 'call' && call.kind !== 'method') return false;
  const at = call.args.findIndex(({ value }) => value === given);
  const name = at < 0 ? undefined : calledName(call);
  if (name === undefined) return false;
  const [only, ...others] = file.functions.filter((one) => one.name === name && one.kind === 'function');
  if (only === undefined || others.length > 0 || only.owner !== undefined) return false;
  const param = only.params[at + (call.kind === 'method' ? 1 : 0)]?.name;
  const helper = param === undefined ? undefined : withBodyOf(unit, file, only);
  return (
    helper !== undefined &&
    returnedValues(helper).some((value) =>
      [value, ...heldByLiteral(unit, file, value)].some((part) => memberPath(uncast(part)) === param),
    )
  );
}

/** The local variable, or the local whose member, is set to the value. */
function carrierOf(
  file: FileIr,
  fn: FunctionIr,
  { value, around }: Placed,
  statement: Walked['statement'],
): Carrier | undefined {
  const parent = around.at(-1);
  if (parent?.kind === 'assign' && parent.value === value && parent.operator === '=') {
    const [name = '', ...members] = (memberPath(parent.target) ?? '').split('.');
    const isOwn = name !== '' && isLocal(file, fn, name) && !fn.params.some((param) => param.name === name);
    return isOwn ? { name, from: parent.span.end, isMember: members.length > 0 } : undefined;
  }
  if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind' || statement.init !== value) return undefined;
  return { name: statement.pattern.name, from: statement.span.end, isMember: value.kind === 'call' };
}

function leaves(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  value: Expr,
  around: readonly Expr[],
  walked: Walked,
): Kept | undefined {
  const parent = around.at(-1);
  if (parent === undefined)
    return walked.statement === undefined && fn.kind !== 'closure' && fn.body?.result === value
      ? { text: 'returned', span: value.span, isReturned: true, isStarted: false }
      : undefined;
  if (parent.kind === 'return' && parent.value === value && fn.kind !== 'closure')
    return { text: 'returned', span: parent.span, isReturned: true, isStarted: false };
  if (parent.kind === 'assign' && parent.value === value && (parent.operator === '=' || parent.operator === '~=')) {
    const target =
      memberPath(parent.target) ?? (parent.target.kind === 'index' ? memberPath(parent.target.base) : undefined);
    if (target === undefined) return undefined;
    const [head = '', ...members] = target.split('.');
    if (isLocal(file, fn, head) && !(members.length > 0 && isCallersObject(unit, file, fn, head))) return undefined;
    if (members.length > 0 && isSetAgain(fn, target, parent.span.end)) return undefined;
    if (members.length === 1 && isOnlyTold(unit, file, head, members[0] ?? '')) return undefined;
    return { text: `stored in '${target}'`, span: parent.span, isReturned: false, isStarted: false, into: target };
  }
  if (
    (parent.kind === 'new' || parent.kind === 'call' || parent.kind === 'method') &&
    parent.args.some((argument) => argument.value === value)
  ) {
    const name = calledName(parent);
    // `watchers.watchDirectory(path, &onChange)`, `events.addListener(&onEvent)`
    if (name !== undefined && REGISTERS.test(name)) {
      if (parent.kind !== 'new' && isOnlyCalled(unit, file, fn, parent, value)) return undefined;
      if (parent.kind === 'method' && isOwnObject(file, fn, parent.receiver)) return undefined;
      const into = parent.kind === 'method' ? memberPath(parent.receiver) : undefined;
      return {
        text: `given to '${name}'`,
        span: parent.span,
        isReturned: false,
        isStarted: false,
        isRegistered: true,
        isGuessed: true,
        ...(into === undefined ? {} : { into }),
      };
    }
    const keeper = name === undefined ? undefined : keeperOf(unit, file, fn, parent, value, name);
    if (keeper !== undefined)
      return {
        text: `given to '${name ?? ''}', which stores it in '${keeper.target}'`,
        span: parent.span,
        isReturned: false,
        isStarted: false,
        isRegistered: true,
        ...(keeper.into === undefined ? {} : { into: keeper.into }),
      };
    if (name === 'Thread' || name === 'Fiber' || (name !== undefined && KEEPERS.has(name)))
      return { text: `given to '${name}'`, span: parent.span, isReturned: false, isStarted: true };
    // `tid.send(cast(shared) &report)`: only what is said to be for all threads can be sent, and another thread calls it later.
    if (value.kind === 'cast' && isForAllThreads(value.type) && isSent(unit, file, fn, parent))
      return { text: `given to '${name}'`, span: parent.span, isReturned: false, isStarted: true };
  }
  return undefined;
}

/** Whether a call sends a message by `std.concurrency`, and the function does not wait for an answer. */
function isSent(unit: UnitFacts, file: FileIr, fn: FunctionIr, call: ExprOf<'call' | 'method' | 'new'>): boolean {
  const name = calledName(call);
  if (call.kind === 'new' || (name !== 'send' && name !== 'prioritySend')) return false;
  const text = unit.textOf(file.path) ?? '';
  if (!/\bstd\s*\.\s*concurrency\b/u.test(text)) return false;
  const to = call.kind === 'method' ? call.receiver : call.args[0]?.value;
  const subject = to === undefined ? undefined : memberPath(uncast(to));
  const type = subject === undefined ? undefined : declaredTypeOf(file, fn, subject);
  // One of another type, or of a type that is not known, may call what it is given at once.
  if (type === undefined ? file.functions.some((one) => one.name === name) : type.name !== 'Tid') return false;
  const outer = outermost(file, fn);
  return !/\breceive(?:Only|Timeout)?\b|\bthread_joinAll\b/u.test(text.slice(call.span.end, outer.span.end));
}

/** `shared`, `shared void delegate(bool)` */
function isForAllThreads({ text, qualifiers = [] }: TypeRef): boolean {
  return qualifiers.some((one) => one === 'shared' || one === 'immutable') || /^(?:shared|immutable)\b/u.test(text);
}

/** Where a method of another class or struct, or a function of the unit, stores the delegate that it is given, for good. */
function keeperOf(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  call: ExprOf<'call'> | ExprOf<'method'> | ExprOf<'new'>,
  delegate: Expr,
  name: string,
): { readonly target: string; readonly into?: string } | undefined {
  if (call.kind === 'new' || !unit.functionsNamed(name, 'd').some((one) => takesDelegate(unit, one.file, one.item)))
    return undefined;
  if (call.kind === 'method' && isOwnObject(file, fn, call.receiver)) return undefined;
  const resolved = unit
    .flowOf(file, outermost(file, fn))
    .calls.find(({ span }) => span.start === call.span.start && span.end === call.span.end)?.resolved;
  const holder = resolved && unit.fileAt(resolved.path);
  const found = holder?.functions.find(({ id }) => id === resolved?.functionId);
  if (holder === undefined || found === undefined || !takesDelegate(unit, holder, found)) return undefined;
  const shift = call.kind === 'method' && found.owner === undefined ? 1 : 0;
  const param = found.params[call.args.findIndex(({ value }) => value === delegate) + shift];
  if (param === undefined || param.modifiers.includes('scope')) return undefined;
  const read = unit.withBodies(holder, ({ span }) => span.start === found.span.start);
  const callee = read.functions.find(({ span }) => span.start === found.span.start);
  if (callee?.body === undefined) return undefined;
  let target: string | undefined;
  walkBody(callee.body, ({ expr }) => {
    if (expr.kind !== 'assign' || (expr.operator !== '=' && expr.operator !== '~=')) return;
    if (memberPath(expr.value) !== param.name) return;
    const path = memberPath(expr.target);
    const isOwn = path === undefined || declaredIn(callee).has(path.split('.')[0] ?? '');
    if (!isOwn && !isSetAgain(callee, path, expr.span.end)) target = path;
  });
  if (target === undefined) return undefined;
  const into = call.kind === 'method' ? memberPath(call.receiver) : undefined;
  return into === undefined ? { target } : { target, into: `${into}.${target}` };
}

function takesDelegate(unit: UnitFacts, file: FileIr, { params }: FunctionIr): boolean {
  return params.some(
    ({ type, modifiers }) =>
      !modifiers.includes('scope') && withoutAlias(type, unit.oracle('d'), file.path)?.kind === 'delegate',
  );
}

/** Whether the callee, where the unit has it, only calls the delegate: its parameter is `scope`, or its body does nothing else with it. */
function isOnlyCalled(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  call: ExprOf<'call'> | ExprOf<'method'>,
  delegate: Expr,
): boolean {
  const resolved = unit
    .flowOf(file, outermost(file, fn))
    .calls.find(({ span }) => span.start === call.span.start && span.end === call.span.end)?.resolved;
  const holder = resolved && unit.fileAt(resolved.path);
  const found = holder?.functions.find(({ id }) => id === resolved?.functionId);
  if (holder === undefined || found === undefined) return false;
  // `given.onEach(dg)` of a function that stands outside of types: the first parameter is what stands in front.
  const shift = call.kind === 'method' && found.owner === undefined ? 1 : 0;
  const at = call.args.findIndex(({ value }) => value === delegate) + shift;
  const param = found.params[at];
  if (param === undefined) return false;
  if (param.modifiers.includes('scope')) return true;
  const read = unit.withBodies(holder, ({ span }) => span.start === found.span.start);
  const callee = read.functions.find(({ span }) => span.start === found.span.start);
  if (callee?.body === undefined) return false;
  let uses = 0;
  let calls = 0;
  walkDeep(read, callee, ({ expr, around }, inside) => {
    if (expr.kind !== 'name' || expr.path[0] !== param.name) return;
    uses++;
    const parent = around.at(-1);
    if (inside === callee && parent?.kind === 'call' && parent.callee === expr) calls++;
    else if (isTest(expr, parent)) uses--;
  });
  return calls > 0 && uses === calls;
}

/** `if (dg)`, `dg !is null`, `!dg` */
function isTest(expr: Expr, parent: Expr | undefined): boolean {
  return (
    (parent?.kind === 'if' && parent.condition === expr) ||
    (parent?.kind === 'unary' && parent.operator === '!') ||
    (parent?.kind === 'binary' && /^(?:is|!is|==|!=|&&|\|\|)$/u.test(parent.operator))
  );
}

/** `auto parser = new Parser; parser.onText(..);`: an object that the function makes and only calls, which ends with it. */
function isOwnObject(file: FileIr, fn: FunctionIr, receiver: Expr): boolean {
  const name = receiver.kind === 'name' && receiver.path.length === 1 ? receiver.path[0] : undefined;
  if (name === undefined || fn.body === undefined || fn.params.some((param) => param.name === name)) return false;
  let isMade = false;
  let isElsewhere = false;
  walkDeep(file, fn, ({ expr, statement, around }, inside) => {
    if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && statement.pattern.name === name)
      if (statement.init === expr && !statement.isStatic)
        isMade = expr.kind === 'new' || (expr.kind === 'call' && calledName(expr) === 'scoped');
    if (expr.kind !== 'name' || expr.path[0] !== name) return;
    const parent = around.at(-1);
    const isSubject =
      (parent?.kind === 'method' && parent.receiver === expr) || (parent?.kind === 'field' && parent.base === expr);
    if (!isSubject || inside !== fn) isElsewhere = true;
  });
  return isMade && !isElsewhere;
}

/** `Matcher.using = delegate ..;` where a type of the unit has a static function of that name, which stores nothing: it is a call of it. */
function isOnlyTold(unit: UnitFacts, file: FileIr, type: string, name: string): boolean {
  const called = unit.oracle('d').methods(type, name, file.path);
  return (
    called.length > 0 &&
    called.every(({ path, fn }) => {
      const given = fn.params[0]?.name;
      if (!fn.isStatic || given === undefined || fn.bodySpan === undefined) return false;
      const body = (unit.textOf(path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
      return !new RegExp(
        String.raw`[^=!<>]=\s*(?:cast\s*\([^()]*\)\s*)?${given}\s*[;,)]|\(\s*${given}\s*[,)]`,
        'u',
      ).test(body);
    })
  );
}

/** An object that the caller gave: what is stored in it is still there after the call. */
function isCallersObject(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): boolean {
  const type = fn.params.find((param) => param.name === name)?.type;
  return type?.kind === 'path' && unit.oracle('d').declaration(type.name, file.path)?.kind === 'class';
}

/** The place is set to something else later in the function, in a `scope (exit)` too. */
function isSetAgain(fn: FunctionIr, target: string, after: number): boolean {
  let isSet = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'assign' || expr.operator !== '=' || memberPath(expr.target) !== target) return;
      if (expr.span.start > after && expr.value.kind !== 'closure' && expr.value.kind !== 'address') isSet = true;
    });
  return isSet;
}

function isLocal(file: FileIr, fn: FunctionIr, name: string): boolean {
  // A pointer or class reference in a local may lead anywhere, but mostly to what the function made itself.
  return declaredIn(fn).has(name) || enclosing(file, fn).some((outer) => declaredIn(outer).has(name));
}

/** `&this.method` or `&method` in a struct: a delegate whose frame is the struct. */
function ownMethod(file: FileIr, fn: FunctionIr, expr: Expr): Captured | undefined {
  if (expr.kind !== 'address' || fn.isStatic) return undefined;
  const { base } = expr;
  // `&(cast(shared) this).method`
  const holder = base.kind === 'field' ? uncast(base.base) : undefined;
  const isThis = holder?.kind === 'name' && holder.path[0] === 'self';
  const name =
    isThis && base.kind === 'field'
      ? base.name
      : base.kind === 'name' && base.path.length === 1
        ? base.path[0]
        : undefined;
  const type = aggregateOf(file, fn);
  if (name === undefined || type === undefined || (type.kind !== 'struct' && type.kind !== 'union')) return undefined;
  if (!isThis && [fn, ...enclosing(file, fn)].some((one) => declaredIn(one).has(name))) return undefined;
  const isMethod = methodsOf(file, type).some((one) => one.name === name && one.kind === 'method' && !one.isStatic);
  return isMethod
    ? {
        name: 'this',
        what: `'this' of the struct '${type.name}' for '${name}'`,
        declared: fn.nameSpan,
        use: expr.span,
        type,
      }
    : undefined;
}

/** What the closure reads that ends, or may move, when the function returns. */
function findCaptured(
  file: FileIr,
  fn: FunctionIr,
  closure: FunctionIr,
  { isReturned, isGuessed }: Kept,
): Captured | undefined {
  const free = freeNames(file, closure);
  const own = declaredIn(fn);
  for (const param of fn.params) {
    const use = free.get(param.name);
    if (use === undefined) continue;
    const modifier = (['scope', 'ref', 'lazy', 'out'] as const).find((one) => param.modifiers.includes(one));
    if (modifier === undefined || param.modifiers.includes('return')) continue;
    // What fills a result of the function has run when it returns.
    if (modifier === 'out' && isGuessed === true) return undefined;
    // A scope parameter that only holds a value is copied into the frame; what it leads to is what must not be kept.
    if (modifier === 'scope' && !mayLeadElsewhere(param)) continue;
    return {
      name: param.name,
      what: `the '${modifier}' parameter '${param.name}'`,
      declared: param.span,
      use: use.span,
    };
  }
  const type = aggregateOf(file, fn);
  if (type === undefined || (type.kind !== 'struct' && type.kind !== 'union') || fn.isStatic || fn.self === undefined)
    return undefined;
  // Marked 'return', or inferred to be, it is the caller who may not keep it longer than the struct.
  if (isReturned && isTied(file, fn)) return undefined;
  for (const [name, use] of free) {
    const isThis =
      name === 'self' || (!own.has(name) && type.fields.some((field) => field.name === name && !field.isStatic));
    const isMethod =
      !own.has(name) &&
      methodsOf(file, type).some((method) => method.name === name && !method.isStatic && method.kind === 'method');
    if (isThis || isMethod)
      return {
        name: name === 'self' ? 'this' : name,
        what: `'this' of the struct '${type.name}'${name === 'self' ? '' : ` for '${name}'`}`,
        declared: fn.nameSpan,
        use: use.span,
        type,
      };
  }
  return undefined;
}

/** `&given` of a `lazy` parameter: the delegate that computes it, whose frame is the caller's. */
function lazyParam(fn: FunctionIr, expr: Expr): Captured | undefined {
  if (expr.kind !== 'address' || expr.base.kind !== 'name' || expr.base.path.length !== 1) return undefined;
  const [name] = expr.base.path;
  const param = fn.params.find((one) => one.name === name && one.modifiers.includes('lazy'));
  return (
    param && { name: param.name, what: `the 'lazy' parameter '${param.name}'`, declared: param.span, use: expr.span }
  );
}

/** `scope dg = () { .. }`: the frame of the delegate is the stack, whatever it captures. */
function findOnStack(file: FileIr, { expr, statement }: Walked, closure: FunctionIr): Captured | undefined {
  if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind' || !statement.modifiers.includes('scope'))
    return undefined;
  if (statement.init !== expr) return undefined;
  const around = new Set(enclosing(file, closure).flatMap((outer) => [...declaredIn(outer)]));
  for (const [name, use] of freeNames(file, closure))
    if (around.has(name))
      return {
        name,
        what: `'${name}' on the stack, where '${statement.pattern.name}' stays as it is declared 'scope'`,
        declared: statement.span,
        use: use.span,
      };
  return undefined;
}

/** The result is tied to the struct: by 'return', or because the compiler infers it for `auto` functions and in templates. */
function isTied(file: FileIr, fn: FunctionIr): boolean {
  const type = aggregateOf(file, fn);
  return (
    hasAttribute(fn, 'return') ||
    fn.returns === undefined ||
    fn.returns.kind === 'unknown' ||
    fn.generics.length > 0 ||
    (type !== undefined &&
      file.types.some(
        (one) => one.generics.length > 0 && one.span.start <= type.span.start && type.span.end <= one.span.end,
      ))
  );
}

function mayLeadElsewhere(param: FunctionIr['params'][number]): boolean {
  const kind = param.type?.kind;
  return kind === 'delegate' || kind === 'slice' || kind === 'pointer' || param.modifiers.includes('ref');
}

/** The function waits for what it started: `join`, `yieldForce`, a `wait` on an event. */
function waits(walked: readonly Walked[], after: Span): boolean {
  return walked.some(
    ({ expr }) =>
      expr.span.start > after.start &&
      expr.kind === 'method' &&
      /^(?:join|joinAll|yieldForce|workForce|spinForce|wait|call|stop|finish)$/u.test(expr.method),
  );
}

/** The place is in the struct's own memory: a field of it, or of a struct that is a field of it. */
function isInside(unit: UnitFacts, file: FileIr, type: TypeDecl, into: string | undefined): boolean {
  const [head, ...rest] = (into ?? '').split('.');
  const field = type.fields.find((one) => one.name === head && !one.isStatic);
  if (field === undefined) return false;
  if (rest.length === 0) return true;
  // A counted or unique handle is a struct too, but what it leads to is elsewhere.
  return (
    rest.length === 1 &&
    field.type?.kind === 'path' &&
    field.type.args.length === 0 &&
    unit.oracle('d').declaration(field.type.name, file.path)?.kind === 'struct'
  );
}

/** `@disable this(this)`, or a disabled copy constructor, also of a struct inside a function. */
function isPinned({ functions }: FileIr, { name, span }: TypeDecl): boolean {
  return functions.some(
    (method) =>
      method.owner === name &&
      span.start <= method.span.start &&
      method.span.end <= span.end &&
      hasAttribute(method, 'disable') &&
      (method.kind === 'postblit' || (method.kind === 'constructor' && method.params.length === 1)),
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
