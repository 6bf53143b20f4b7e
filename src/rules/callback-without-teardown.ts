import { findProcessCallbacks } from '../facts/process-callbacks.js';
import { findCallbackHolders } from '../facts/callback-holders.js';
import { declaringFile, hasDrop } from '../facts/declarations.js';
import { findKeptByClosure } from '../facts/kept-by-closures.js';
import { findHeldChannel, type HeldHandle } from '../facts/held-handles.js';
import { findMappedCallbacks, type MappedCallback } from '../facts/mapped-callbacks.js';
import { findUnfinalized } from '../facts/unfinalized-functions.js';
import { isExported } from '../facts/js-memory.js';
import { lineOf } from '../facts/lines.js';
import { blankComments, closingBracket, plainText } from '../facts/plain-text.js';
import { findAlias, isClass, isOwnStrong, isStrong, isWeakAlias } from '../facts/threadsafe-functions.js';
import type { UnitFacts } from '../facts/unit.js';
import { calleeOf, walkBody, walkExpression, type Walked } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

const BUILDERS = new Set(['build_threadsafe_function', 'create_threadsafe_function']);
const WEAKENS = /^(?:weak|unref)$/u;
const RAW_CREATE = /\bnapi_create_threadsafe_function\s*\(/u;
const RAW_TEARDOWN = /\bnapi_(?:unref|release)_threadsafe_function\b/u;

export default defineRule({
  meta: {
    id: 'callback-without-teardown',
    title: 'Callback without teardown',
    summary: 'A strong threadsafe function is kept with nothing that releases it before the environment ends.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-772', 'CWE-416'],
    messages: {
      kept: "The threadsafe function made in '{function}' is kept in '{keeper}', strong and with nothing that releases it: it holds the event loop open, or is dropped after its environment is gone.",
      captured:
        "'{function}' moves the threadsafe function '{name}' into a shared closure, from where nothing can release it before the environment ends.",
      process:
        "'{function}' moves the threadsafe function '{name}' into a closure that '{callee}' (line {line}) keeps, and calls, until the process ends: it holds the event loop open, and is still called when its environment is gone.",
      given:
        "The threadsafe function '{name}' of '{function}' is kept in '{keeper}', strong and with nothing that releases it: it holds the event loop open, or is dropped after its environment is gone.",
      held: "'{type}' keeps {callbacks}, and nothing releases a callback of it: each holds the event loop open for as long as the {life} lives, or is dropped after its environment is gone.",
      endless:
        "'{function}' calls a callback by '{call}' (line {called}) in a loop without an end (line {line}) and looks at no status: the loop goes on when the environment is closing, and a callback that was not unreferenced keeps the process alive until then.",
      unheard:
        "'{function}' drops the status of '{call}' (line {called}) and waits at line {line} for the answer: once the environment is closing the callback never runs, and nobody answers.",
      closing:
        "'{function}' uses '{env}' (line {used}) without asking whether it is null: what is still queued when the environment ends is called with none (registered at line {created}).",
      unfinalized:
        "The threadsafe function made in '{function}' ends with its environment, and no finalizer says so: 'drop' of '{owner}' (line {line}) then releases one that is gone.",
      channel:
        "'{type}', which JavaScript holds (line {line}), keeps a 'Channel' of neon, and nothing in the crate calls 'unref' on one: the process does not end before it is dropped.",
      bare: "'{type}', which any thread may have (line {line}), keeps the raw threadsafe function '{field}' and calls it, and nothing in the crate releases or unreferences one, or is told that it has ended: it holds the event loop open, or is called when its environment has freed it.",
      raw: "The threadsafe function made in '{function}' is kept in '{keeper}' and never unreferenced: it holds the event loop open until the process is killed.",
    },
    checklist: 'Who releases this callback when the environment ends?',
    scenarios: ['exit-with-work', 'terminate'],
  },
  tokens: { rust: ['threadsafe_function', 'ThreadsafeFunction', 'Finalize for '] },
  bodyTokens: {
    rust: [
      'build_threadsafe_function',
      'create_threadsafe_function',
      'napi_call_threadsafe_function',
      'ThreadsafeFunction::create',
      'ThreadsafeFunctionCallMode',
    ],
  },
  reportsElsewhere: 'anywhere',
  check({ unit, report }) {
    // One finding per type: what a function that fills it in was reported for is not told again.
    const told = new Set<string>();
    const toldIn = new Set<string>();
    const tell = (file: FileIr, type: string): void => {
      told.add(type);
      toldIn.add(file.path);
    };
    for (const file of unit.filesOf('rust')) {
      for (const kept of findKeptChannels(unit, file))
        report({
          messageId: 'channel',
          data: { type: kept.name, line: lineOf(unit, file, kept.boxed.start) },
          at: { file: kept.last.file, span: kept.last.span },
          steps: [
            {
              file,
              span: kept.boxed,
              role: 'acquire',
              note: `JavaScript holds a '${kept.name}' until it is collected.`,
            },
            ...kept.path.map(({ file: at, span, note }): ReportStep => ({ file: at, span, role: 'escape', note })),
          ],
          key: kept.name,
        });
      const hasCondvar = (unit.textOf(file.path) ?? '').includes('Condvar');
      for (const bare of findBare(unit, file))
        report({
          messageId: 'bare',
          data: { type: bare.type, field: bare.field, line: lineOf(unit, file, bare.sent.start) },
          at: { file, span: bare.span },
          steps: [
            { file, span: bare.span, role: 'declare', note: `'${bare.field}' is all that is left of the callback.` },
            { file, span: bare.sent, role: 'escape', note: `'${bare.type}' may be on any thread by this.` },
            { file, span: bare.called, role: 'use', note: 'It is called here, whether or not it is still there.' },
          ],
          key: bare.type,
        });
      const captured: { fn: FunctionIr; name: string; span: Span }[] = [];
      const source = blankComments(unit.textOf(file.path) ?? '');
      for (const { fn, name, callee, span } of findProcessCallbacks(unit, file, source))
        report({
          messageId: 'process',
          data: { function: fn.name, name, callee, line: lineOf(unit, file, span.start) },
          at: { file, span },
          steps: [{ file, span, role: 'escape', note: `'${callee}' never gives the closure back.` }],
          key: fn.qualifiedName,
        });
      for (const fn of file.functions) {
        // A closure that calls and waits does so whenever somebody calls it.
        for (const one of fn.body
          ? [
              findUnheard(fn.body, hasCondvar),
              findEndless(fn.body, fn.kind === 'async-block' && isTaskKept(source, fn)),
            ]
          : []) {
          if (one === undefined) continue;
          const named = namedAround(file, fn);
          report({
            messageId: one.kind,
            data: {
              function: named.name,
              call: one.call,
              called: lineOf(unit, file, one.span.start),
              line: lineOf(unit, file, one.why.span.start),
            },
            at: { file, span: one.span },
            steps: [
              { file, span: one.span, role: 'escape', note: 'The status of this call is not looked at.' },
              { file, ...one.why },
            ],
            key: named.qualifiedName,
          });
        }
        if (fn.parent !== undefined || !fn.bodySpan) continue;
        const closure = findCapture(unit, file, fn);
        if (closure) captured.push({ fn, ...closure });
        const raw = findRaw(unit, file, fn);
        if (raw)
          report({
            messageId: 'raw',
            data: { function: fn.name, keeper: raw.keeper },
            at: { file, span: raw.span },
            steps: [
              { file, span: raw.span, role: 'acquire', note: 'The threadsafe function is made here.' },
              { file, span: raw.kept, role: 'escape', note: `It is kept in '${raw.keeper}' here.` },
            ],
            key: fn.qualifiedName,
          });
        const unasked = findUnasked(unit, file, fn);
        if (unasked)
          report({
            messageId: 'closing',
            data: {
              function: fn.name,
              env: unasked.name,
              used: lineOf(unit, file, unasked.used.start),
              created: lineOf(unit, file, unasked.created.start),
            },
            at: { file, span: fn.nameSpan },
            steps: [
              { file, span: unasked.created, role: 'escape', note: `'${fn.name}' is given to Node.js here.` },
              { file, span: unasked.used, role: 'use', note: `'${unasked.name}' is used here.` },
            ],
            key: fn.qualifiedName,
          });
        const given = findGiven(unit, file, fn) ?? findKeptByClosure(unit, file, fn);
        if (given) {
          tell(file, given.type);
          report({
            messageId: 'given',
            data: { function: fn.name, name: given.name, keeper: given.keeper },
            at: { file, span: given.span },
            steps: [
              { file, span: given.span, role: 'acquire', note: 'napi makes a threadsafe function of the argument.' },
              { file, span: given.at, role: 'escape', note: `It is kept in '${given.keeper}' here.` },
            ],
            key: fn.qualifiedName,
          });
        }
        if (!fn.body) continue;
        const unfinalized = findUnfinalized(unit, file, fn);
        if (unfinalized)
          report({
            messageId: 'unfinalized',
            data: {
              function: fn.name,
              owner: unfinalized.drop.owner ?? '',
              line: lineOf(unit, file, unfinalized.released.start),
            },
            at: { file, span: unfinalized.created },
            steps: [
              { file, span: unfinalized.created, role: 'acquire', note: 'The threadsafe function is made here.' },
              {
                file,
                span: unfinalized.released,
                role: 'release',
                note: 'It is released here, whatever has become of it.',
              },
            ],
            key: fn.qualifiedName,
          });
        for (const kept of findKept(unit, file, fn, fn.body)) {
          tell(file, kept.type);
          report({
            messageId: 'kept',
            data: { function: fn.name, keeper: kept.keeper },
            at: { file, span: kept.span },
            steps: [
              { file, span: kept.span, role: 'acquire', note: 'The threadsafe function is made here.' },
              { file, span: kept.at, role: 'escape', note: `It is kept in '${kept.keeper}' here.` },
            ],
            key: fn.qualifiedName,
          });
        }
      }
      const first = captured[0];
      if (!first) continue;
      report({
        messageId: 'captured',
        data: { function: first.fn.name, name: first.name },
        at: { file, span: first.span },
        steps: captured.slice(0, 12).map((c): ReportStep => ({
          file,
          span: c.span,
          role: 'escape',
          note: `'${c.fn.name}' moves '${c.name}' into a closure here.`,
        })),
        key: first.fn.qualifiedName,
      });
    }
    for (const mapped of groupMapped(unit)) {
      const [first] = mapped;
      if (!first) continue;
      report({
        messageId: 'captured',
        data: { function: first.fn.name, name: first.field.name },
        at: { file: first.file, span: first.span },
        steps: mapped.slice(0, 12).map((m): ReportStep => ({
          file: m.file,
          span: m.span,
          role: 'escape',
          note: `'${m.fn.name}' moves '${m.field.name}' into a closure here.`,
        })),
        key: first.fn.qualifiedName,
      });
    }
    const holders = findCallbackHolders(unit).filter(({ decl }) => !told.has(decl.name));
    for (const { file, decl, fields, inner, life } of holders) {
      const [field] = fields;
      // The bridge to a trait holds the callback of the class or the function beside it.
      const isShared = fields.every((f) => f.type?.name === 'Arc');
      const isBridge =
        life === 'adapter' &&
        (toldIn.has(file.path) || (isShared && holders.some((h) => h.life === 'class' && h.file === file)));
      if (!field || isBridge) continue;
      report({
        messageId: 'held',
        data: {
          type: decl.name,
          callbacks:
            fields.length === 1
              ? `strong threadsafe functions in '${field.name}'`
              : `strong threadsafe functions in ${fields.length} fields ('${field.name}' is the first)`,
          life: life === 'class' ? 'object' : 'value',
        },
        at: { file, span: field.span },
        steps: [
          ...fields.map((f): ReportStep => ({
            file,
            span: f.span,
            role: 'declare',
            note: `'${f.name}' ${inner.some((one) => one.of === f) ? 'leads to a strong one' : 'is strong'}.`,
          })),
          ...inner.map((one): ReportStep => ({
            file: one.file,
            span: one.field.span,
            role: 'declare',
            note: `'${one.field.name}' is strong.`,
          })),
        ].slice(0, 12),
        key: decl.name,
      });
    }
  },
});

/** One list for each function that takes callbacks out of an options object. */
function groupMapped(unit: UnitFacts): readonly (readonly MappedCallback[])[] {
  const groups = new Map<string, MappedCallback[]>();
  for (const file of unit.filesOf('rust'))
    for (const decl of file.types)
      for (const mapped of findMappedCallbacks(unit, file, decl)) {
        const id = `${mapped.file.path}:${mapped.fn.span.start}`;
        groups.set(id, [...(groups.get(id) ?? []), mapped]);
      }
  return [...groups.values()].map((group) => group.toSorted((a, b) => a.span.start - b.span.start));
}

// --- channels of neon ------------------------------------------------------------------------------------------------

interface KeptChannel {
  readonly name: string;
  /** The impl that lets JavaScript hold the value. */
  readonly boxed: Span;
  readonly path: HeldHandle['path'];
  readonly last: HeldHandle['path'][number];
}

/** Types of the file that JavaScript holds in a `JsBox` and that keep a channel, in a crate where none is ever unreferenced. */
function findKeptChannels(unit: UnitFacts, file: FileIr): readonly KeptChannel[] {
  const impls = file.impls.filter((impl) => impl.trait?.name === 'Finalize' && !impl.isTest);
  const crate = unit.project.cargoPackageOf(file.path)?.dir;
  const isInside = (path: string): boolean =>
    path === file.path || (crate !== undefined && unit.project.cargoPackageOf(path)?.dir === crate);
  if (impls.length === 0 || unit.pathsOf('rust').some((path) => isInside(path) && unreferences(unit, path))) return [];
  return impls.flatMap((impl) => {
    const found = findHeldChannel(unit, file, impl.target, isInside);
    const last = found?.path.at(-1);
    return found && last ? [{ name: impl.target.name, boxed: impl.headSpan, path: found.path, last }] : [];
  });
}

function unreferences(unit: UnitFacts, path: string): boolean {
  const text = unit.textOf(path) ?? '';
  return text.includes('unref') && /\.\s*unref\s*\(/u.test(blankComments(text));
}

// --- closures --------------------------------------------------------------------------------------------------------

/**
 * A parameter that is a threadsafe function itself, or a variable that a builder made one, moved into a closure behind `Arc`,
 * `Rc` or `Box` that is returned or kept.
 */
function findCapture(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): { readonly name: string; readonly span: Span } | undefined {
  if (!fn.bodySpan || !returnsClosure(unit, file, fn.returns)) return undefined;
  const params: { readonly name: string }[] = fn.params.filter((p) => p.type && isStrong(unit, file, p.type, false));
  if (fn.body) params.push(...findBuilt(unit, file, fn.body));
  if (params.length === 0) return undefined;
  const text = plainText(unit, file, fn.bodySpan);
  const closure = /\b(?:Arc|Rc|Box)::new\s*\(\s*(?:async\s+)?move\s*\|/u.exec(text);
  if (!closure) return undefined;
  const rest = text.slice(closure.index);
  const name = params.find((p) => new RegExp(`\\b${p.name}\\b`, 'u').test(rest))?.name;
  if (name === undefined || new RegExp(`\\b${name}\\s*\\.\\s*(?:unref|abort)\\s*\\(`, 'u').test(text)) return undefined;
  // A count of one thread ends with the thread that it was made on.
  if (closure[0].startsWith('Rc') && isOnlyMadeOnThreads(unit, file, fn)) return undefined;
  const start = fn.bodySpan.start + closure.index;
  return { name, span: { start, end: start + closure[0].length } };
}

/** Whether all calls of a private function stand in closures that are started as threads. */
function isOnlyMadeOnThreads(unit: UnitFacts, file: FileIr, fn: FunctionIr): boolean {
  if (fn.isPublic) return false;
  const call = new RegExp(`(?<![.\\w])(?<!\\bfn\\s)${fn.name}\\s*\\(`, 'gu');
  const calls = [...(unit.textOf(file.path) ?? '').matchAll(call)];
  return (
    calls.length > 0 &&
    calls.every(({ index }) => {
      const around = file.functions.find(
        (one) => one.kind === 'function' && one.span.start <= index && index < one.span.end,
      );
      if (!around) return false;
      const text = plainText(unit, file, around.span);
      const at = index - around.span.start;
      return [...text.matchAll(/\bspawn\s*\(\s*(?:move\s*)?\|\|/gu)].some(
        (spawn) => spawn.index < at && at < closingBracket(text, text.indexOf('(', spawn.index) + 1),
      );
    })
  );
}

/** Variables of a body that hold what a builder made, not made weak. */
function findBuilt(unit: UnitFacts, file: FileIr, body: Block): readonly { readonly name: string }[] {
  const found: { name: string }[] = [];
  walkBody(body, (walked) => {
    const { statement, around } = walked;
    if (
      statement?.kind !== 'let' ||
      statement.pattern.kind !== 'bind' ||
      builderOf(unit, file, walked.expr) === undefined
    )
      return;
    const chain = chainOf(walked);
    if (chain.length !== around.length || chain.some((e) => e.kind === 'method' && WEAKENS.test(e.method))) return;
    found.push({ name: statement.pattern.name });
  });
  return found;
}

/** The function with a name that a closure stands in. */
function namedAround(file: FileIr, fn: FunctionIr): FunctionIr {
  let current = fn;
  for (let depth = 0; (current.kind === 'closure' || current.kind === 'async-block') && depth < 8; depth++) {
    const outer = file.functions.find((one) => one.id === current.parent);
    if (outer === undefined) break;
    current = outer;
  }
  return current;
}

function returnsClosure(unit: UnitFacts, file: FileIr, type: TypeRef | undefined, depth = 0): boolean {
  if (!type || depth > 6) return false;
  if (type.kind === 'delegate') return true;
  if (type.kind !== 'path') return type.element !== undefined && returnsClosure(unit, file, type.element, depth + 1);
  if (type.args.some((a) => returnsClosure(unit, file, a, depth + 1))) return true;
  const alias = findAlias(unit, file, type);
  return alias !== undefined && returnsClosure(unit, alias.file, alias.type, depth + 1);
}

// --- arguments of exported functions ---------------------------------------------------------------------------------

/** A parameter of an exported function that is a strong threadsafe function, kept in a class that JavaScript holds or in a static. */
function findGiven(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): ({ readonly name: string; readonly span: Span } & Keeper) | undefined {
  if (!isExported(fn)) return undefined;
  const params = fn.params.filter((p) => p.type && isStrong(unit, file, withoutOption(p.type), true));
  if (params.length === 0) return undefined;
  const isSame = (f: FunctionIr): boolean => f.nameSpan.start === fn.nameSpan.start;
  const whole = unit.withBodies(file, isSame).functions.find(isSame);
  if (!whole?.body) return undefined;
  const text = plainText(unit, file, fn.span);
  for (const param of params) {
    if (new RegExp(`\\b${param.name}\\s*\\.\\s*(?:unref|abort)\\s*\\(`, 'u').test(text)) continue;
    const kept = findKeeper(
      unit,
      file,
      whole,
      whole.body,
      closureOf(unit, file, whole.body, param.name) ?? param.name,
      undefined,
    );
    if (kept && (kept.isStatic || isClass(unit, file, kept.type)))
      return { name: param.name, span: param.span, ...kept };
  }
  return undefined;
}

function withoutOption(type: TypeRef): TypeRef {
  return type.kind === 'path' && type.name === 'Option' ? (type.args[0] ?? type) : type;
}

/** The variable that holds a closure behind `Arc`, `Rc` or `Box` into which `name` is moved. */
function closureOf(unit: UnitFacts, file: FileIr, body: Block, name: string): string | undefined {
  let found: string | undefined;
  for (const statement of body.statements) {
    if (statement.kind !== 'let' || !statement.init || statement.pattern.kind !== 'bind') continue;
    const text = plainText(unit, file, statement.init.span);
    if (/\b(?:Arc|Rc|Box)::new\s*\(\s*move\s*\|/u.test(text) && new RegExp(`\\b${name}\\b`, 'u').test(text))
      found = statement.pattern.name;
  }
  return found;
}

// --- calls whose status nobody looks at ------------------------------------------------------------------------------

/** A call of a callback whose status nobody looks at, and what makes that a hazard. */
interface IgnoredStatus {
  readonly kind: 'unheard' | 'endless';
  readonly call: string;
  readonly span: Span;
  readonly why: { readonly span: Span; readonly role: ReportStep['role']; readonly note: string };
}

/** What waits without a limit of time: a receive, or a condition variable that is given its guard. */
function isWait(method: string, args: number, hasCondvar: boolean): boolean {
  if (args === 0) return /^(?:recv|blocking_recv)$/u.test(method);
  return hasCondvar && (args === 1 ? method === 'wait' : method === 'wait_while');
}

/** A call of a threadsafe function as a statement, and a wait without a limit of time after it. */
function findUnheard(body: Block, hasCondvar: boolean): IgnoredStatus | undefined {
  let called: { call: string; span: Span } | undefined;
  let received: Span | undefined;
  // `let status = unsafe { call(..) };`: what a variable takes is looked at.
  const taken: Span[] = [];
  walkBody(body, ({ expr, around, statement }) => {
    if (statement?.kind === 'let' && statement.pattern.kind !== 'wildcard' && statement.init === expr)
      taken.push(expr.span);
    const call = callOfCallback(expr);
    if (
      call !== undefined &&
      around.every((e) => e.kind === 'block') &&
      !taken.some((t) => t.start <= expr.span.start && expr.span.end <= t.end)
    )
      called ??= { call, span: expr.span };
    if (
      called &&
      expr.kind === 'method' &&
      isWait(expr.method, expr.args.length, hasCondvar) &&
      expr.methodSpan.start > called.span.end
    )
      received ??= expr.methodSpan;
  });
  const note = 'The thread waits for the callback here.';
  return called && received
    ? { kind: 'unheard', ...called, why: { span: received, role: 'suspend', note } }
    : undefined;
}

/** `loop`, `while true` and `for i in 0..`: only a `break` or a `return` leaves it. */
function isEndless(expr: Expr): expr is ExprOf<'loop'> {
  if (expr.kind !== 'loop') return false;
  if (expr.form === 'loop') return true;
  const { condition, iterable } = expr;
  if (condition) return condition.kind === 'literal' && condition.text === 'true';
  return iterable?.kind === 'range' && iterable.from !== undefined && iterable.to === undefined;
}

/** A call of a threadsafe function as a statement in a loop that nothing leaves. */
function findEndless(body: Block, isTask: boolean): IgnoredStatus | undefined {
  let found: IgnoredStatus | undefined;
  walkBody(body, ({ expr }) => {
    if (found || !isEndless(expr)) return;
    let called: { call: string; span: Span } | undefined;
    let isLeft = false;
    // Expressions whose value goes nowhere, those of the blocks among them: `unsafe { call(..) };`.
    const dropped = new Set<Expr | undefined>([expr.body.result]);
    walkBody(expr.body, ({ expr: inner, statement }) => {
      if (isIgnored(statement, inner)) dropped.add(inner);
      if (dropped.has(inner) && inner.kind === 'block') dropped.add(inner.block.result);
      if (dropped.has(inner) && inner.kind === 'if') dropped.add(inner.then).add(inner.else);
      if (dropped.has(inner) && inner.kind === 'match') for (const arm of inner.arms) dropped.add(arm.body);
      // A receive that fails ends the thread by its panic.
      if (/^(?:break|return|try|macro)$/u.test(inner.kind) && !isPrint(inner)) isLeft = true;
      if (inner.kind === 'await' && !isTask) isLeft = true;
      if (inner.kind === 'method' && /^(?:unwrap|expect)$/u.test(inner.method)) isLeft = true;
      if (/(?:^|::)(?:exit|abort)$/u.test(calleeOf(inner) ?? '')) isLeft = true;
      const call = callOfCallback(inner);
      if (call !== undefined && dropped.has(inner)) called ??= { call, span: inner.span };
    });
    const span = { start: expr.span.start, end: expr.span.start + (expr.form === 'foreach' ? 3 : expr.form.length) };
    if (called && !isLeft)
      found = { kind: 'endless', ...called, why: { span, role: 'acquire', note: 'Nothing ends this loop.' } };
  });
  return found;
}

/** Whether an async block is a task of its own that nobody ends: `spawn(async move { .. });` in a file that aborts and cancels nothing. */
function isTaskKept(text: string, { span }: FunctionIr): boolean {
  return (
    /(?:^|[;{}])\s*(?:\w+\s*(?:::|\.)\s*)*spawn\w*\s*\(\s*$/u.test(
      text.slice(Math.max(0, span.start - 200), span.start),
    ) &&
    /^\s*\)\s*;/u.test(text.slice(span.end)) &&
    !/\babort\w*\s*\(|\bcancel|\bselect!/iu.test(text)
  );
}

/** A macro that only writes something out. */
function isPrint(expr: Expr): boolean {
  return expr.kind === 'macro' && /^(?:e?println|e?print|debug|info|warn|error|trace|format)$/u.test(expr.name);
}

/** The whole of a statement whose value goes nowhere: `call(..);` and `let _ = call(..);`. */
function isIgnored(statement: Walked['statement'], expr: Expr): boolean {
  if (statement?.kind === 'expression') return statement.expr === expr;
  return statement?.kind === 'let' && statement.pattern.kind === 'wildcard' && statement.init === expr;
}

function callOfCallback(expr: Expr): string | undefined {
  const callee = calleeOf(expr);
  if (callee === undefined) return undefined;
  if (/(?:^|::)napi_call_threadsafe_function$/u.test(callee)) return 'napi_call_threadsafe_function';
  if (expr.kind !== 'method' || !/^call(?:_with_return_value)?$/u.test(expr.method)) return undefined;
  const isCallback = expr.args.some(
    ({ value }) => value.kind === 'name' && value.path.includes('ThreadsafeFunctionCallMode'),
  );
  return isCallback ? expr.method : undefined;
}

// --- builders --------------------------------------------------------------------------------------------------------

interface Kept {
  readonly span: Span;
  readonly at: Span;
  readonly keeper: string;
  readonly type: string;
}

interface Keeper {
  readonly at: Span;
  /** As the message names it: `Plugin.callback`, or a static. */
  readonly keeper: string;
  /** The type of the field, or the static. */
  readonly type: string;
  readonly isStatic: boolean;
}

function findKept(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): readonly Kept[] {
  const text = plainText(unit, file, fn.span);
  const found: Kept[] = [];
  walkBody(body, (walked) => {
    const { expr } = walked;
    const builder = builderOf(unit, file, expr);
    if (builder === undefined) return;
    const chain = chainOf(walked);
    if (chain.some((e) => e.kind === 'method' && WEAKENS.test(e.method))) return;
    const outer = chain.at(-1) ?? expr;
    const name =
      walked.statement?.kind === 'let' &&
      walked.statement.pattern.kind === 'bind' &&
      walked.statement.init !== undefined
        ? walked.statement.pattern.name
        : undefined;
    if (
      name !== undefined &&
      new RegExp(`\\b${name}\\s*\\.\\s*(?:unref|abort)\\s*\\(|\\bdrop\\s*\\(\\s*${name}\\b`, 'u').test(text)
    )
      return;
    const keeper = findKeeper(unit, file, fn, body, name, outer);
    if (keeper) found.push({ span: builder, ...keeper });
  });
  return found;
}

/** The name of the call that makes a threadsafe function; undefined for other expressions. */
function builderOf(unit: UnitFacts, file: FileIr, expr: Expr): Span | undefined {
  if (expr.kind === 'method') return BUILDERS.has(expr.method) ? expr.methodSpan : undefined;
  const isCreate = expr.kind === 'call' && calleeOf(expr) === 'ThreadsafeFunction::create';
  if (!isCreate) return undefined;
  const isNapi = file.imports.some(
    (i) => (i.name === 'ThreadsafeFunction' || i.isGlob === true) && /^napi(?:_ohos)?$/u.test(i.path[0] ?? ''),
  );
  return isNapi || isOwnStrong(unit, file, 'ThreadsafeFunction') ? expr.callee.span : undefined;
}

/** The calls made on the result of an expression, innermost first. */
function chainOf({ expr, around }: Walked): readonly Expr[] {
  const chain: Expr[] = [];
  let current = expr;
  for (const outer of around.toReversed()) {
    const isNext =
      (outer.kind === 'method' && outer.receiver === current) || (outer.kind === 'try' && outer.value === current);
    if (!isNext) break;
    chain.push(outer);
    current = outer;
  }
  return chain;
}

function findKeeper(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  name: string | undefined,
  made: Expr | undefined,
): Keeper | undefined {
  const holds = (value: Expr): boolean => {
    let found = false;
    walkBody({ span: value.span, statements: [], result: value }, ({ expr }) => {
      if (
        expr === made ||
        (name !== undefined && expr.kind === 'name' && expr.path.length === 1 && expr.path[0] === name)
      )
        found = true;
      if (name !== undefined && isSharedClosure(unit, file, expr, name)) found = true;
    });
    return found;
  };
  let keeper: Keeper | undefined;
  walkBody(body, ({ expr }) => {
    if (keeper) return;
    if (expr.kind === 'struct') {
      const type = expr.type.name === 'Self' ? (fn.owner ?? 'Self') : expr.type.name;
      for (const field of expr.fields)
        if (holds(field.value) && !hasTeardown(unit, file, type, field.name))
          keeper = { at: field.span, keeper: `${type}.${field.name}`, type, isStatic: false };
      return;
    }
    // A field of another type than a callback's does not say what it holds.
    const member = name === undefined || fn.owner === undefined ? undefined : memberGiven(expr);
    if (
      member &&
      name !== undefined &&
      fn.owner !== undefined &&
      member.values.some((value) => holdsClosure(unit, file, value, name)) &&
      isClass(unit, file, fn.owner) &&
      !hasTeardown(unit, file, fn.owner, member.field, true)
    )
      keeper = { at: expr.span, keeper: `${fn.owner}.${member.field}`, type: fn.owner, isStatic: false };
    if (expr.kind === 'method' && /^(?:set|store|replace|insert|push|get_or_init)$/u.test(expr.method)) {
      const root = globalRoot(expr.receiver);
      if (root !== undefined && expr.args.some((a) => holds(a.value)))
        keeper = { at: expr.span, keeper: root, type: root, isStatic: true };
    }
  });
  return keeper;
}

/** The field of `self` that is set or added to, and what it is given: `self.steps.push(step)`, `self.step = Some(step)`. */
function memberGiven(expr: Expr): { readonly field: string; readonly values: readonly Expr[] } | undefined {
  if (expr.kind === 'assign' && expr.operator === '=') {
    const field = memberOfSelf(expr.target);
    return field === undefined ? undefined : { field, values: [expr.value] };
  }
  if (expr.kind !== 'method' || !/^(?:push|push_back|insert|replace)$/u.test(expr.method)) return undefined;
  const field = memberOfSelf(expr.receiver);
  return field === undefined ? undefined : { field, values: expr.args.map(({ value }) => value) };
}

function memberOfSelf(expr: Expr): string | undefined {
  if (expr.kind !== 'field' || expr.base.kind !== 'name') return undefined;
  return expr.base.path.length === 1 && expr.base.path[0] === 'self' ? expr.name : undefined;
}

/** Whether a closure behind `Arc`, `Rc` or `Box` that holds the variable is in what is given. */
function holdsClosure(unit: UnitFacts, file: FileIr, value: Expr, name: string): boolean {
  let holds = false;
  walkExpression(value, ({ expr }) => {
    holds ||= isSharedClosure(unit, file, expr, name);
  });
  return holds;
}

/** `Arc::new(move |..| ..)` with a variable in the closure: what shares it holds the variable. */
function isSharedClosure(unit: UnitFacts, file: FileIr, expr: Expr, name: string): boolean {
  if (expr.kind !== 'call' || !/(?:^|::)(?:Arc|Rc|Box)::new$/u.test(calleeOf(expr) ?? '')) return false;
  return (
    expr.args[0]?.value.kind === 'closure' &&
    new RegExp(`\\b${name}\\b`, 'u').test(plainText(unit, file, expr.args[0].value.span))
  );
}

/** The static that a chain of calls begins at. */
function globalRoot(expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'name': {
      const last = expr.path.at(-1) ?? '';
      return /^[A-Z][A-Z0-9_]+$/u.test(last) ? last : undefined;
    }
    case 'method':
      return globalRoot(expr.receiver);
    case 'field':
    case 'deref':
    case 'address':
      return globalRoot(expr.base);
    case 'try':
      return globalRoot(expr.value);
    default:
      return undefined;
  }
}

/** A task is dropped on the JavaScript thread when it is done; other types must say how they let go. */
function hasTeardown(unit: UnitFacts, file: FileIr, named: string, field: string, isList = false): boolean {
  const oracle = unit.oracle('rust');
  const alias = oracle.declaration(named, file.path);
  const type = alias?.kind === 'alias' && alias.alias?.kind === 'path' ? alias.alias.name : named;
  const decl = oracle.declaration(type, file.path);
  const declared = decl && declaringFile(unit, file, decl);
  const files = [...new Set([file, ...(declared ? [declared] : [])])];
  if (
    files.some((f) => f.impls.some((i) => /^(?:Task|ScopedTask)$/u.test(i.trait?.name ?? '') && i.target.name === type))
  )
    return true;
  const fieldType = decl?.fields.find((f) => f.name === field)?.type;
  if (fieldType && declared && isWeakAlias(unit, declared, fieldType)) return true;
  const lets = new RegExp(
    `\\b${field}\\b(?:\\s*\\.\\s*\\w+\\s*\\([^()]*\\)\\??)*\\s*\\.\\s*(?:take|abort|unref|release${isList ? '|clear|drain|retain|remove|swap_remove|truncate|pop\\w*' : ''})\\s*\\(|\\b${field}\\s*=\\s*None\\b|\\bself\\s*\\.\\s*${field}\\s*=\\s*(?:vec!\\s*\\[\\s*\\]|(?:\\w+::)*(?:new|default)\\s*\\(\\s*\\)\\s*;)|drop\\s*\\(\\s*self\\.${field}|\\b(?:take|replace|swap)\\s*\\([^;]{0,200}&\\s*mut\\s+self\\.${field}\\b`,
    'u',
  );
  return files.some((f) => lets.test(unit.textOf(f.path) ?? ''));
}

// --- Node-API by hand ------------------------------------------------------------------------------------------------

/** The `call_js` of a threadsafe function that takes its environment for granted: `(env, callback, context, data)`. */
function findUnasked(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): { readonly name: string; readonly used: Span; readonly created: Span } | undefined {
  const [env, callback, context, data] = fn.params;
  if (!fn.bodySpan || fn.abi === undefined || fn.params.length !== 4 || !env || !callback) return undefined;
  if (!/^(?:napi_env|Env)$/u.test(env.type?.name ?? '') || !/^(?:napi_value|Value)$/u.test(callback.type?.name ?? ''))
    return undefined;
  if (context?.type?.kind !== 'pointer' || data?.type?.kind !== 'pointer') return undefined;
  const text = plainText(unit, file, fn.bodySpan);
  const names = [env.name, callback.name].filter((n) => /^[a-z]\w*$/u.test(n));
  const isAsked = new RegExp(
    `\\b(?:${names.join('|')})\\s*(?:as\\s+\\*\\w+\\s+\\w+\\s*)?(?:\\)\\s*)?(?:\\.\\s*(?:is_null|is_none|is_some)\\b|[!=]=)|\\bis_null\\(\\s*(?:${names.join('|')})|\\bNonNull::new`,
    'u',
  );
  if (names.length === 0 || isAsked.test(text)) return undefined;
  const use = new RegExp(`\\b(?:${names.join('|')})\\b`, 'u').exec(text);
  // A body that only hands everything on leaves the question to another function.
  if (!use || !/;\s*\S[\s\S]*\}/u.test(text)) return undefined;
  const whole = blankComments(unit.textOf(file.path) ?? '');
  const created = [...whole.matchAll(new RegExp(`\\b${fn.name}\\b`, 'gu'))].find(
    ({ index }) =>
      (index < fn.span.start || index > fn.span.end) &&
      /\b(?:napi_)?create_threadsafe_function\b[^;]*$/u.test(whole.slice(Math.max(0, index - 1500), index)),
  );
  if (!created) return undefined;
  const start = fn.bodySpan.start + use.index;
  return {
    name: use[0],
    used: { start, end: start + use[0].length },
    created: { start: created.index, end: created.index + fn.name.length },
  };
}

interface Bare {
  readonly type: string;
  readonly field: string;
  readonly span: Span;
  /** The impl by which any thread may have it. */
  readonly sent: Span;
  readonly called: Span;
}

/** Structs that keep a raw threadsafe function and are declared `Send`, in a crate that calls such functions and never lets one go. */
function findBare(unit: UnitFacts, file: FileIr): readonly Bare[] {
  const text = unit.textOf(file.path) ?? '';
  // What makes one is judged by what becomes of it.
  if (!text.includes('napi_call_threadsafe_function') || RAW_CREATE.test(text)) return [];
  const call = /\bnapi_call_threadsafe_function\s*\(/u.exec(blankComments(text));
  if (!call) return [];
  const found = file.types.flatMap((decl): Bare[] => {
    const field = decl.kind === 'struct' && !decl.isTest ? decl.fields.find((f) => isRawCallback(f.type)) : undefined;
    const sent = field && file.impls.find((i) => i.trait?.name === 'Send' && i.target.name === decl.name);
    if (!field || !sent || hasDrop(unit, decl.name)) return [];
    const name = /^\d/u.test(field.name) ? `${decl.name}.${field.name}` : field.name;
    const called = { start: call.index, end: call.index + call[0].length - 1 };
    return [{ type: decl.name, field: name, span: field.span, sent: sent.headSpan, called }];
  });
  if (found.length === 0) return [];
  const crate = unit.project.cargoPackageOf(file.path)?.dir;
  const letsGo = unit
    .filesMatching('rust', /\bnapi_(?:(?:unref|release)_threadsafe_function|add_(?:env|async)_cleanup_hook)\b/u)
    .some((one) => unit.project.cargoPackageOf(one.path)?.dir === crate);
  return letsGo ? [] : found;
}

/** `napi_threadsafe_function`, also in a cell, a lock or an option. */
function isRawCallback(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'path') return false;
  return (
    type.name === 'napi_threadsafe_function' ||
    (/^(?:Option|Mutex|RwLock|Cell|RefCell|Arc|AtomicPtr|UnsafeCell)$/u.test(type.name) && isRawCallback(type.args[0]))
  );
}

function findRaw(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): { readonly span: Span; readonly kept: Span; readonly keeper: string } | undefined {
  if (!fn.bodySpan) return undefined;
  const text = plainText(unit, file, fn.bodySpan);
  const call = RAW_CREATE.exec(text);
  if (!call || RAW_TEARDOWN.test(text)) return undefined;
  const rest = text.slice(call.index);
  // `GLOBAL.store(function, ..)` and the like; what is returned or put in a value is its owner's to release.
  const store =
    /\b([A-Z][A-Z0-9_]{2,})\s*(?:\.\s*\w+\s*\([^()]*\)\s*)*\.\s*(?:store|set|insert|replace|push)\s*\(/u.exec(rest);
  if (!store?.[1]) return undefined;
  const start = fn.bodySpan.start + call.index;
  const kept = start + store.index;
  return {
    span: { start, end: start + call[0].length - 1 },
    kept: { start: kept, end: kept + store[0].length },
    keeper: store[1],
  };
}
