import {
  aggregateOf,
  calledName,
  declaredIn,
  delegateFunction,
  enclosing,
  freeNames,
  hasAttribute,
  hasBody,
  memberPath,
  methodsOf,
} from '../facts/d-code.js';
import { D_CLOSURE } from '../facts/d-text.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeDecl } from '../model/ir.js';
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
  tokens: { d: ['delegate', '=>', 'Thread', 'runTask', 'setTimer'] },
  bodyTokens: { d: [D_CLOSURE] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn) || fn.kind === 'unittest' || !unit.holds(file, fn, D_CLOSURE)) continue;
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
          const method = inner === undefined ? ownMethod(file, fn, closure) : undefined;
          const kept = inner === undefined && method === undefined ? undefined : howKept(file, fn, one, walked);
          if (kept === undefined) continue;
          const captured = inner === undefined ? method : findCaptured(file, fn, inner, kept.isReturned);
          // `return &method` is the business of 'field-address-without-return'.
          if (inner === undefined && kept.isReturned) continue;
          if (captured === undefined || (kept.isStarted && waits(walked, closure.span))) continue;
          // Several methods of one struct that are registered in a row are one cause.
          if (kept.isRegistered === true && method !== undefined) {
            if (isReported) continue;
            isReported = true;
          }
          report({
            messageId: 'captured',
            data: { kept: kept.text, line: lineOf(unit, file, kept.span.start), what: captured.what },
            at: { file, span: { start: closure.span.start, end: Math.min(closure.span.end, closure.span.start + 40) } },
            steps: [
              { file, span: captured.declared, role: 'declare', note: `${capital(captured.what)} ends with the call.` },
              { file, span: captured.use, role: 'borrow', note: `The delegate reads '${captured.name}' here.` },
              { file, span: kept.span, role: 'escape', note: `The delegate is ${kept.text} here.` },
            ],
            key: captured.name,
            // Kept inside the struct itself, it dangles only when the struct moves.
            ...(captured.type !== undefined && isInside(unit, file, captured.type, kept.into)
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
  /^(?:(?:add|set|register|install|attach)\w*(?:Listener|Handler|Callback|Observer|Hook)|addEventListener|subscribe|watch[A-Z]\w*)$/u;

interface Kept {
  readonly text: string;
  readonly span: Span;
  readonly isReturned: boolean;
  /** It runs elsewhere, and the function may wait for it. */
  readonly isStarted: boolean;
  readonly into?: string;
  readonly isRegistered?: boolean;
}

/** Where a closure goes that outlives the call; by way of one local variable at most. */
function howKept(file: FileIr, fn: FunctionIr, one: Walked, all: readonly Walked[]): Kept | undefined {
  const direct = leaves(file, fn, one.expr, one.around, one);
  if (direct !== undefined) return direct;
  const { statement } = one;
  if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind') return undefined;
  if (
    statement.init === undefined ||
    (statement.init !== one.expr && !(statement.init.kind === 'cast' && statement.init.value === one.expr))
  )
    return undefined;
  const name = statement.pattern.name;
  for (const use of all) {
    if (use.expr.kind !== 'name' || use.expr.path[0] !== name || use.expr.span.start < statement.span.end) continue;
    const kept = leaves(file, fn, use.expr, use.around, use);
    if (kept !== undefined) return kept;
  }
  return undefined;
}

function leaves(file: FileIr, fn: FunctionIr, value: Expr, around: readonly Expr[], walked: Walked): Kept | undefined {
  let at = around.length - 1;
  let inner = value;
  for (let parent = around[at]; parent?.kind === 'cast'; parent = around[--at]) inner = parent;
  const parent = around[at];
  if (parent === undefined)
    return walked.statement === undefined && fn.kind !== 'closure' && fn.body?.result === inner
      ? { text: 'returned', span: inner.span, isReturned: true, isStarted: false }
      : undefined;
  if (parent.kind === 'return' && parent.value === inner && fn.kind !== 'closure')
    return { text: 'returned', span: parent.span, isReturned: true, isStarted: false };
  if (parent.kind === 'assign' && parent.value === inner && (parent.operator === '=' || parent.operator === '~=')) {
    const target =
      memberPath(parent.target) ?? (parent.target.kind === 'index' ? memberPath(parent.target.base) : undefined);
    if (target === undefined || isLocal(file, fn, target.split('.')[0] ?? '')) return undefined;
    return { text: `stored in '${target}'`, span: parent.span, isReturned: false, isStarted: false, into: target };
  }
  if (
    (parent.kind === 'new' || parent.kind === 'call' || parent.kind === 'method') &&
    parent.args.some((argument) => argument.value === inner)
  ) {
    const name = calledName(parent);
    // `watchers.watchDirectory(path, &onChange)`, `events.addListener(&onEvent)`
    if (name !== undefined && REGISTERS.test(name)) {
      const into = parent.kind === 'method' ? memberPath(parent.receiver) : undefined;
      return {
        text: `given to '${name}'`,
        span: parent.span,
        isReturned: false,
        isStarted: false,
        isRegistered: true,
        ...(into === undefined ? {} : { into }),
      };
    }
    if (name === 'Thread' || name === 'Fiber' || (name !== undefined && KEEPERS.has(name)))
      return { text: `given to '${name}'`, span: parent.span, isReturned: false, isStarted: true };
  }
  return undefined;
}

function isLocal(file: FileIr, fn: FunctionIr, name: string): boolean {
  // A pointer or class reference in a local may lead anywhere, but mostly to what the function made itself.
  return declaredIn(fn).has(name) || enclosing(file, fn).some((outer) => declaredIn(outer).has(name));
}

/** `&this.method` or `&method` in a struct: a delegate whose frame is the struct. */
function ownMethod(file: FileIr, fn: FunctionIr, expr: Expr): Captured | undefined {
  if (expr.kind !== 'address' || fn.isStatic) return undefined;
  const { base } = expr;
  const isThis = base.kind === 'field' && base.base.kind === 'name' && base.base.path[0] === 'self';
  const name = isThis ? base.name : base.kind === 'name' && base.path.length === 1 ? base.path[0] : undefined;
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
function findCaptured(file: FileIr, fn: FunctionIr, closure: FunctionIr, isReturned: boolean): Captured | undefined {
  const free = freeNames(file, closure);
  const own = declaredIn(fn);
  for (const param of fn.params) {
    const use = free.get(param.name);
    if (use === undefined) continue;
    const modifier = (['scope', 'ref', 'lazy', 'out'] as const).find((one) => param.modifiers.includes(one));
    if (modifier === undefined || param.modifiers.includes('return')) continue;
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
  if (isReturned && (hasAttribute(fn, 'return') || isInferred(file, fn, type))) return undefined;
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

/** The compiler infers 'return' for `auto` functions and in templates. */
function isInferred(file: FileIr, fn: FunctionIr, type: TypeDecl): boolean {
  return (
    fn.returns === undefined ||
    fn.returns.kind === 'unknown' ||
    fn.generics.length > 0 ||
    file.types.some(
      (one) => one.generics.length > 0 && one.span.start <= type.span.start && type.span.end <= one.span.end,
    )
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

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
