import { isExported } from '../facts/js-memory.js';
import { lineOf } from '../facts/lines.js';
import { mentions } from '../facts/rust-code.js';
import type { UnitFacts } from '../facts/unit.js';
import { withoutAlias } from '../flow/types.js';
import { calleeOf, walkBody } from '../model/walk-body.js';
import type { Block, Expr, FileIr, FunctionIr, Pattern, TypeRef } from '../model/ir.js';
import { namesOf } from '../model/patterns.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule } from './rule.js';

/** Methods that take `&mut self` in the standard library, futures and tokio, whatever the type. */
const EXCLUSIVE = new Set(
  'next try_next read read_exact read_to_end read_to_string read_line write write_all flush poll poll_next send recv push push_back push_front pop push push_str pop_front pop_back insert remove clear extend extend_from_slice append drain truncate retain resize take replace insert_str get_or_insert get_or_insert_with sort dedup get_mut iter_mut as_mut entry swap shutdown seek fill_buf consume select_next_some advance next_message next_line'.split(
    ' ',
  ),
);

export default defineRule({
  meta: {
    id: 'exclusive-self-across-await',
    title: 'Exclusive self across an await',
    summary: "A '&mut self' method that JavaScript may call again is suspended while it changes the object.",
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-416'],
    messages: {
      overlap:
        "'{function}' holds '&mut self' across '.await' (line {suspended}) and {does} '{what}' (line {line}): JavaScript may call it again before it is done, and then two exclusive references exist.",
      shared:
        "'{function}' gives what 'share_with' lends exclusively to a task at line {line}: JavaScript may call the object meanwhile, and may let go of it.",
      moved:
        "'{function}' moves a '&'static mut self' into a future (line {line}): the call returns while the future still holds it, and JavaScript may call the object again or let go of it.",
      raced:
        "'{writer}' changes 'self.{field}' (line {written}) on the JavaScript thread, and '{reader}' may be reading it on a thread of the runtime (line {line}): a value that is half changed or already freed.",
    },
    checklist: 'What happens when JavaScript calls the method twice without awaiting?',
    scenarios: ['overlap', 'concurrent'],
  },
  // Before 2.10.10 napi-derive took the method without `unsafe`, too.
  tokens: { rust: ['async unsafe fn', 'async fn', "&'static mut self", 'share_with(', 'async move'] },
  requires: { rust: ['#[napi'] },
  bodyTokens: { rust: ['.await', 'async', '&mut self'] },
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const race of rejectsOverlap(unit, file) ? [] : findRaces(unit, file))
        report({
          messageId: 'raced',
          data: {
            writer: race.writer.name,
            field: race.field,
            reader: race.reader.name,
            written: lineOf(unit, file, race.written.start),
            line: lineOf(unit, file, race.read.start),
          },
          at: { file, span: race.writer.nameSpan },
          steps: [
            { file, span: race.declared, role: 'declare', note: 'Nothing but the exclusive reference guards it.' },
            {
              file,
              span: race.reader.nameSpan,
              role: 'suspend',
              note: `napi-rs runs the whole of '${race.reader.name}' on a thread of its runtime.`,
            },
            { file, span: race.read, role: 'use', note: `'self.${race.field}' is read here.` },
            { file, span: race.written, role: 'release', note: `'self.${race.field}' is changed here.` },
          ],
          key: race.writer.owner ?? '',
        });
      for (const fn of file.functions) {
        const { body } = fn;
        const moved = findMoved(file, fn) ?? findForgedSelf(file, fn);
        if (moved && (isExported(fn) || fn.trait === 'AsyncGenerator') && fn.self)
          report({
            messageId: 'moved',
            data: { function: fn.name, line: lineOf(unit, file, moved.start) },
            at: { file, span: fn.nameSpan },
            steps: [
              { file, span: fn.self.span, role: 'borrow', note: 'Nothing but the type says that it lives on.' },
              { file, span: moved, role: 'escape', note: "The future that holds 'self' begins here." },
            ],
            key: fn.qualifiedName,
          });
        const shared = isExported(fn) ? findShared(file, fn) : undefined;
        if (shared)
          report({
            messageId: 'shared',
            data: { function: fn.name, line: lineOf(unit, file, shared.task.start) },
            at: { file, span: shared.lent },
            steps: [
              { file, span: shared.lent, role: 'borrow', note: "'share_with' lends the object exclusively." },
              { file, span: shared.task, role: 'escape', note: 'The task that holds it begins here.' },
            ],
            key: fn.qualifiedName,
          });
        if (!body || !fn.isAsync || fn.self?.mode !== 'mutable' || !isExported(fn)) continue;
        if (rejectsOverlap(unit, file)) continue;
        const found = findChange(unit, file, fn, body);
        if (!found) continue;
        report({
          messageId: 'overlap',
          data: {
            function: fn.name,
            what: found.what,
            does: found.isLent === true ? 'lends' : 'changes',
            suspended: lineOf(unit, file, found.suspended.start),
            line: lineOf(unit, file, found.span.start),
          },
          at: { file, span: fn.nameSpan },
          steps: [
            { file, span: fn.self.span, role: 'borrow', note: "'self' is borrowed exclusively for the whole call." },
            {
              file,
              span: found.suspended,
              role: 'suspend',
              note: 'The call is suspended here, and JavaScript runs on.',
            },
            {
              file,
              span: found.span,
              role: 'use',
              note: `'${found.what}' is ${found.isLent === true ? 'lent exclusively' : 'changed'} here.`,
            },
          ],
          key: fn.qualifiedName,
        });
      }
    }
  },
});

/** What a method does to the object while it is suspended, or between two suspensions. */
interface Change {
  /** The place in `self`, as written. */
  readonly what: string;
  readonly span: Span;
  readonly suspended: Span;
  /** A variable holds the place exclusively; nothing shows that it is changed. */
  readonly isLent?: boolean;
}

interface Race {
  readonly writer: FunctionIr;
  readonly reader: FunctionIr;
  readonly field: string;
  readonly declared: Span;
  readonly read: Span;
  readonly written: Span;
}

/** What is read in one piece, whatever happens meanwhile. */
const WHOLE = /^(?:bool|char|[iu](?:8|16|32|64|size)|f32|f64|Atomic\w+)$/u;

/** Whether a value of the type is changed in one piece: a number, also by another name, or an enum without content. */
function isWhole(unit: UnitFacts, file: FileIr, declared: TypeRef | undefined): boolean {
  const oracle = unit.oracle('rust');
  const type = withoutAlias(declared, oracle, file.path);
  if (type?.kind !== 'path') return false;
  if (WHOLE.test(type.name)) return true;
  const decl = oracle.declaration(type.name, file.path);
  return decl?.kind === 'enum' && decl.fields.length === 0;
}

/**
 * Fields that an exported method changes by `&mut self` while an exported async method of the class reads them by `&self`: the
 * first of each class. The body of the latter is polled by the runtime from its first line on, beside the JavaScript thread.
 */
function findRaces(unit: UnitFacts, file: FileIr): readonly Race[] {
  const oracle = unit.oracle('rust');
  const readers = file.functions.filter((f) => f.isAsync && f.self?.mode === 'shared' && isExported(f) && f.body);
  const found = new Map<string, Race>();
  for (const writer of readers.length === 0 ? [] : file.functions) {
    const { body, owner } = writer;
    if (!body || owner === undefined || found.has(owner)) continue;
    if (writer.isAsync || writer.self?.mode !== 'mutable' || !isExported(writer)) continue;
    const fields = oracle.declaration(owner, file.path)?.fields ?? [];
    walkBody(body, ({ expr }) => {
      if (found.has(owner)) return;
      const field = changeOf(unit, file, writer, expr)?.split('.')[1];
      const declared = fields.find((f) => f.name === field);
      if (field === undefined || !declared || isWhole(unit, file, declared.type)) return;
      for (const reader of readers.filter((r) => r.owner === owner)) {
        const read = findRead(file, reader, field);
        if (read) {
          found.set(owner, { writer, reader, field, declared: declared.span, read, written: expr.span });
          return;
        }
      }
    });
  }
  return [...found.values()];
}

/** The first place where a function, or a closure inside of it, has to do with a field of `self`. */
function findRead(file: FileIr, fn: FunctionIr, field: string): Span | undefined {
  let found: Span | undefined;
  if (fn.body)
    walkBody(fn.body, ({ expr }) => {
      if (!found && expr.kind === 'field' && expr.name === field && fieldOfSelf(expr.base) === 'self')
        found = expr.span;
    });
  return found ?? file.functions.flatMap((f) => (f.parent === fn.id ? (findRead(file, f, field) ?? []) : [])).at(0);
}

/** The async block of a method that takes `&'static mut self` and is not async itself, when `self` is used in it. */
function findMoved(file: FileIr, fn: FunctionIr): Span | undefined {
  if (fn.isAsync || fn.self?.mode !== 'mutable' || fn.self.lifetime !== "'static") return undefined;
  const inside = new Set([fn.id]);
  for (const inner of file.functions) {
    if (inner.parent === undefined || !inside.has(inner.parent)) continue;
    inside.add(inner.id);
    if (inner.kind === 'async-block' && mentions(file, inner, 'self')) return inner.span;
  }
  return undefined;
}

/**
 * The async block of a method that is not async itself, when it uses a variable that is `self`, or a part of it, without its lifetime:
 * `transmute(self)`, `transmute(self.body_mut())` or `&mut *(self as *mut Self)`.
 */
function findForgedSelf(file: FileIr, fn: FunctionIr): Span | undefined {
  if (fn.isAsync || fn.self === undefined || fn.self.mode === 'value' || !fn.body) return undefined;
  const forged: string[] = [];
  walkBody(fn.body, ({ statement }) => {
    if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind' || !statement.init) return;
    if (isForgedSelf(statement.init)) forged.push(statement.pattern.name);
  });
  for (const name of new Set(forged))
    for (const inner of file.functions)
      if (inner.parent === fn.id && inner.kind === 'async-block' && mentions(file, inner, name)) return inner.span;
  return undefined;
}

function isForgedSelf(expr: Expr): boolean {
  switch (expr.kind) {
    case 'block':
      return expr.block.result !== undefined && isForgedSelf(expr.block.result);
    case 'call':
      return (
        expr.callee.kind === 'name' &&
        expr.callee.path.at(-1) === 'transmute' &&
        expr.args[0] !== undefined &&
        (isSelf(expr.args[0].value) || isLentPart(expr.args[0].value))
      );
    case 'address':
      return expr.mutable && expr.base.kind === 'deref' && expr.base.base.kind === 'cast' && isSelf(expr.base.base);
    default:
      return false;
  }
}

/** `self`, also through casts. */
function isSelf(expr: Expr): boolean {
  return expr.kind === 'cast' ? isSelf(expr.value) : expr.kind === 'name' && expr.path.join() === 'self';
}

/** A part of `self` that is lent exclusively: `self.0.body_mut()`, `&mut self.body`. */
function isLentPart(expr: Expr): boolean {
  if (expr.kind === 'address') return expr.mutable && fieldOfSelf(expr.base) !== undefined;
  return expr.kind === 'method' && lendsExclusively(expr.method) && fieldOfSelf(expr.receiver) !== undefined;
}

/** `body_mut`, but not that of a cell, which asks for no exclusive reference. */
function lendsExclusively(method: string): boolean {
  return /_mut$/u.test(method) && !/borrow_mut$/u.test(method);
}

const SPAWNS = /^(?:spawn|spawn_blocking|spawn_future|spawn_local|execute_tokio_future)$/u;

/** `reference.share_with(env, |object| spawn(async move { object.. }))`: the task has what only the closure was lent. */
function findShared(file: FileIr, fn: FunctionIr): { readonly lent: Span; readonly task: Span } | undefined {
  let found: { lent: Span; task: Span } | undefined;
  if (fn.body)
    walkBody(fn.body, ({ expr }) => {
      if (found || expr.kind !== 'method' || expr.method !== 'share_with') return;
      const closure = expr.args.map(({ value }) => value).find((v) => v.kind === 'closure');
      const inner = file.functions.find((f) => closure?.kind === 'closure' && f.id === closure.functionId);
      const name = inner?.params[0]?.name;
      if (!inner?.body || name === undefined) return;
      walkBody(inner.body, ({ expr: call }) => {
        if (call.kind !== 'call' && call.kind !== 'method') return;
        const callee = calleeOf(call)?.split(/::|\./u).at(-1) ?? '';
        const task = call.args.map(({ value }) => value).find((v) => v.kind === 'closure');
        if (!SPAWNS.test(callee) || task?.kind !== 'closure') return;
        const future = file.functions.find((f) => f.id === task.functionId);
        if (future && mentions(file, future, name)) found ??= { lent: expr.methodSpan, task: future.span };
      });
    });
  return found;
}

/** Since 3.12.1 the library refuses the second call itself. */
function rejectsOverlap(unit: UnitFacts, file: FileIr): boolean {
  const locked = unit.project.lockedVersions('napi', unit.project.cargoPackageOf(file.path))[0]?.value;
  const [major = 0, minor = 0, patch = 0] = (locked ?? '').split(/[.+-]/u).map(Number);
  return major > 3 || (major === 3 && (minor > 12 || (minor === 12 && patch >= 1)));
}

function findChange(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): Change | undefined {
  const awaits: Span[] = [];
  const loops: Span[] = [];
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'await') awaits.push(expr.span);
    if (expr.kind === 'loop') loops.push(expr.span);
  });
  if (awaits.length === 0) return undefined;
  let found: Change | undefined;
  walkBody(body, ({ expr }) => {
    if (found) return;
    const changed = changeOf(unit, file, fn, expr);
    if (changed === undefined) return;
    // Held while suspended, done with what was awaited, or done after having been: another call may be in between.
    const suspended =
      awaits.find((a) => isInside(expr.span, a) || isInside(a, expr.span) || a.end <= expr.span.start) ??
      // What comes first in a loop comes after the await of the round before.
      awaits.find((a) => loops.some((l) => isInside(a, l) && isInside(expr.span, l)));
    if (suspended) found = { what: changed, span: expr.span, suspended };
  });
  return found ?? findHeld(body, awaits);
}

/** Methods by which what a place holds is lent for changes. */
const LENDS =
  /^(?:as_mut|as_deref_mut|as_mut_slice|get_mut|iter_mut|first_mut|last_mut|values_mut|get_or_insert_with)$/u;

/** A part of `self` that a variable holds exclusively (`if let Some(x) = self.x.as_mut()`) and that is used while suspended or later. */
function findHeld(body: Block, awaits: readonly Span[]): Change | undefined {
  const held: {
    readonly what: string;
    readonly span: Span;
    readonly names: readonly string[];
    readonly end: number;
  }[] = [];
  const bound: { readonly name: string; readonly start: number }[] = [];
  const uses: { readonly name: string; readonly start: number }[] = [];
  const bind = (value: Expr, scopeEnd: number, ...patterns: readonly Pattern[]): void => {
    const names = patterns.flatMap(namesOf);
    bound.push(...names.map((name) => ({ name, start: value.span.start })));
    const what = lentField(value);
    if (what !== undefined) held.push({ what, span: value.span, names, end: scopeEnd });
  };
  walkBody(body, ({ expr, around, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr) bind(expr, Infinity, statement.pattern);
    if (expr.kind === 'let-condition') {
      const branch = around.findLast((outer) => outer.kind === 'if' || outer.kind === 'loop');
      bind(expr.value, branch?.span.end ?? Infinity, expr.pattern);
    }
    if (expr.kind === 'match') bind(expr.scrutinee, expr.span.end, ...expr.arms.map((arm) => arm.pattern));
    if (expr.kind === 'name' && expr.path.length === 1) uses.push({ name: expr.path[0] ?? '', start: expr.span.start });
  });
  for (const { what, span, names, end } of held) {
    // A variable of the same name that comes later is another one.
    const isHeldAt = (name: string, start: number): boolean =>
      names.includes(name) &&
      start < end &&
      !bound.some((other) => other.name === name && span.end <= other.start && other.start < start);
    const suspended = awaits.find(
      (a) => span.end <= a.start && uses.some(({ name, start }) => a.start <= start && isHeldAt(name, start)),
    );
    if (suspended) return { what, span, suspended, isLent: true };
  }
  return undefined;
}

/** The place in `self` that an expression lends for changes: `&mut self.a`, `self.a.as_mut()`, `self.a.get_mut(i)?`. */
function lentField(expr: Expr): string | undefined {
  if (expr.kind === 'address') return expr.mutable ? fieldOfSelf(expr.base) : undefined;
  if (expr.kind === 'try') return lentField(expr.value);
  if (expr.kind !== 'method') return undefined;
  if (/^(?:unwrap|expect|ok_or|ok_or_else)$/u.test(expr.method)) return lentField(expr.receiver);
  return LENDS.test(expr.method) ? fieldOfSelf(expr.receiver) : undefined;
}

function changeOf(unit: UnitFacts, file: FileIr, fn: FunctionIr, expr: Expr): string | undefined {
  if (expr.kind === 'assign') return fieldOfSelf(expr.target);
  if (expr.kind === 'address' && expr.mutable) return fieldOfSelf(expr.base);
  if (expr.kind !== 'method') return undefined;
  const field = fieldOfSelf(expr.receiver);
  if (field === undefined) return undefined;
  if (EXCLUSIVE.has(expr.method) || lendsExclusively(expr.method)) return field;
  if (field === 'self') return undefined;
  const oracle = unit.oracle('rust');
  const name = field.split('.')[1] ?? '';
  const type =
    fn.owner === undefined
      ? undefined
      : oracle.declaration(fn.owner, file.path)?.fields.find((f) => f.name === name)?.type;
  return type && oracle.method(type.name, expr.method, file.path)?.fn.self?.mode === 'mutable' ? field : undefined;
}

/** `self.a.b` as written, when the expression is a place inside `self`. */
function fieldOfSelf(expr: Expr): string | undefined {
  if (expr.kind === 'name') return expr.path.length === 1 && expr.path[0] === 'self' ? 'self' : undefined;
  if (expr.kind === 'field') {
    const base = fieldOfSelf(expr.base);
    return base === undefined ? undefined : `${base}.${expr.name}`;
  }
  return expr.kind === 'index' || expr.kind === 'deref' ? fieldOfSelf(expr.base) : undefined;
}
