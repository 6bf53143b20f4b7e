import {
  aggregateOf,
  calledName,
  closureOf,
  declaredIn,
  freeNames,
  hasAttribute,
  hasBody,
  heldIn,
  isCallers,
  isEnd,
  letsIn,
  memberPath,
  methodsOf,
  returnedValues,
  rootName,
  subjectOf,
  uncast,
  type Let,
  type WithBody,
} from '../facts/d-code.js';
import { holdsSlices } from '../facts/containers.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { withoutAlias } from '../flow/types.js';
import { blocksIn, walkBody, walkExpression } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule } from './rule.js';

const TOKENS = ['assumeSafeAppend'];

export default defineRule({
  meta: {
    id: 'append-stomp',
    title: 'Append over slices that were handed out',
    summary:
      '`assumeSafeAppend` is used on storage of which slices were handed out, so the next append overwrites them.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-787', 'CWE-672'],
    messages: {
      stomps:
        "'assumeSafeAppend' lets '{buffer}' grow in place (line {line}), and '{method}' hands out slices of it (line {shown}): the next append overwrites what they show.",
      stored:
        "'assumeSafeAppend' lets '{buffer}' grow in place (line {line}), and '{method}' keeps a slice of it in '{target}' (line {shown}): the next append overwrites what it shows.",
      overlaps:
        "'assumeSafeAppend' lets '{buffer}' grow in place (line {line}), and '{slice}' shows what lies behind its end (line {shown}): the append at line {append} writes over it.",
    },
    checklist: 'Has nobody a slice of this array when it is appended to in place?',
    scenarios: ['command', 'sequential'],
  },
  tokens: { d: TOKENS },
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn)) continue;
        for (const one of findOverlaps(fn)) {
          const line = (span: Span): number => lineOf(unit, file, span.start);
          report({
            messageId: 'overlaps',
            data: {
              buffer: one.buffer,
              slice: one.slice,
              line: line(one.allowed),
              shown: line(one.shown),
              append: line(one.append),
            },
            at: { file, span: one.append },
            steps: [
              { file, span: one.shown, role: 'borrow', note: `'${one.slice}' is a slice of '${one.buffer}'.` },
              { file, span: one.allowed, role: 'grow', note: `From here on '${one.buffer}' grows in place.` },
              { file, span: one.append, role: 'use', note: `The append writes over what '${one.slice}' shows.` },
            ],
            key: `${one.buffer}|${one.slice}`,
          });
        }
        const stomp = (buffer: string, allowed: Span, shown: Shown, key: string): void => {
          const { target } = shown;
          const data = {
            buffer,
            line: lineOf(unit, file, allowed.start),
            method: shown.method.name,
            shown: lineOf(unit, file, shown.span.start),
          };
          const how = target === undefined ? 'leaves' : 'is kept';
          const rest = {
            at: { file, span: allowed },
            steps: [
              { file, span: shown.span, role: 'escape' as const, note: `A slice of '${buffer}' ${how} here.` },
              {
                file,
                span: allowed,
                role: 'grow' as const,
                note: 'From here on an append overwrites what the slice shows.',
              },
            ],
            key,
          };
          if (target === undefined) report({ messageId: 'stomps', data, ...rest });
          else report({ messageId: 'stored', data: { ...data, target }, ...rest });
        };
        for (const { buffer, allowed, shown } of [
          ...findReusedStatics(unit, file, fn),
          ...findReusedLocals(unit, file, fn),
        ])
          stomp(buffer, allowed, shown, `${fn.name}|${buffer}`);
        const type = aggregateOf(file, fn);
        if (type === undefined) continue;
        for (const { buffer: field, span } of findAllowed(file, fn)) {
          if (!type.fields.some((one) => one.name === field) || isBehindAppend(fn.body, span, field)) continue;
          const shown = findShown(unit, file, type, field, fn) ?? findStored(unit, file, type, field);
          if (shown !== undefined) stomp(field, span, shown, `${type.name}.${field}`);
        }
      }
    }
  },
});

/** Where a slice of a buffer is handed out, or kept in `target`. */
interface Shown {
  readonly method: FunctionIr;
  readonly span: Span;
  readonly target?: string;
}

/**
 * `list ~= item; list.assumeSafeAppend();`: behind an append the array ends where its block is used up to, so nothing is given free. Only
 * appends to other things stand between the two.
 */
function isBehindAppend(body: Block, allowed: Span, field: string): boolean {
  for (const { statements } of blocksIn(body)) {
    const at = statements.findIndex((one) => one.kind === 'expression' && one.expr.span === allowed);
    for (let i = at - 1; i >= 0; i--) {
      const before = statements[i];
      const expr = before?.kind === 'expression' ? before.expr : undefined;
      const isAppend = expr?.kind === 'assign' && expr.operator === '~=';
      if (!isAppend && (expr === undefined || appendOperand(expr) === undefined)) break;
      if (isAppend && memberPath(expr.target) === field) return true;
    }
  }
  return false;
}

interface Reused {
  readonly buffer: string;
  readonly shown: Shown;
  readonly allowed: Span;
}

/** Where a function lets an array grow in place, with the first name of what leads to the array. */
function findAllowed(file: FileIr, fn: WithBody): readonly { readonly buffer: string; readonly span: Span }[] {
  const found: { buffer: string; span: Span }[] = [];
  walkBody(fn.body, ({ expr, around }) => {
    const operand = appendOperand(expr) ?? emptiedByHelper(file, expr);
    const buffer = operand === undefined ? undefined : rootName(operand);
    // A flag of its own says that the author keeps track of whose storage it is.
    if (buffer === undefined || around.some((one) => one.kind === 'if' && memberPath(one.condition) !== undefined))
      return;
    found.push({ buffer, span: expr.span });
  });
  return found;
}

/** A static local, or a variable of the module, that grows in place and of which a function of the file returns a slice. */
function findReusedStatics(unit: UnitFacts, file: FileIr, fn: WithBody): readonly Reused[] {
  const found: Reused[] = [];
  const statics = new Set<string>();
  for (const statement of fn.body.statements)
    if (statement.kind === 'let' && statement.isStatic === true && statement.pattern.kind === 'bind')
      statics.add(statement.pattern.name);
  for (const { buffer, span: allowed } of findAllowed(file, fn)) {
    if (found.some((one) => one.buffer === buffer)) continue;
    const isGlobal =
      !declaredIn(fn).has(buffer) &&
      aggregateOf(file, fn)?.fields.some(({ name }) => name === buffer) !== true &&
      file.globals.some((g) => g.name === buffer && g.inFunction === undefined && g.type?.kind === 'slice');
    if (!statics.has(buffer) && !isGlobal) continue;
    const others = isGlobal ? file.functions.filter((one) => one.isPublic && !declaredIn(one).has(buffer)) : [];
    const shown = firstShown(unit, file, [fn, ...others], (method) => viewsIn(method, buffer), buffer);
    if (shown !== undefined) found.push({ buffer, shown, allowed });
  }
  return found;
}

/** The first of some functions that returns the buffer, a slice of it, or a local that is one of its `views`. */
function firstShown(
  unit: UnitFacts,
  file: FileIr,
  methods: readonly FunctionIr[],
  views: (method: FunctionIr) => ReadonlySet<string>,
  buffer: string,
): Shown | undefined {
  for (const method of methods) {
    if (!hasBody(method) || method.returns?.kind === 'static-array') continue;
    const names = views(method);
    const shows = (one: Expr): boolean =>
      isView(one, buffer) || (one.kind === 'name' && one.path.length === 1 && names.has(one.path[0] ?? ''));
    const value = returnedValues(method).find((one) => shows(one) || heldIn(unit, file, one).some(shows));
    if (value !== undefined) return { method, span: value.span };
  }
  return undefined;
}

interface Overlap {
  readonly buffer: string;
  readonly slice: string;
  readonly shown: Span;
  readonly allowed: Span;
  readonly append: Span;
}

/** `auto rest = list[i + 1 .. $]; list = list[0 .. i]; list.assumeSafeAppend(); list ~= rest;` in one function. */
function findOverlaps(fn: FunctionIr): readonly Overlap[] {
  const slices: { buffer: string; name: string; span: Span; isFront: boolean }[] = [];
  const callers = new Set(
    fn.params
      .filter(({ type, modifiers }) => type?.kind === 'slice' && !modifiers.includes('ref'))
      .map(({ name }) => name),
  );
  const shortened: { buffer: string; at: number }[] = [];
  const allowed: { buffer: string; span: Span }[] = [];
  const appends: { buffer: string; span: Span }[] = [];
  const reads: { name: string; at: number }[] = [];
  if (fn.body === undefined) return [];
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind') {
      const buffer = expr.kind === 'slice' && expr.from !== undefined ? memberPath(expr.base) : undefined;
      if (buffer !== undefined) {
        const isFront = callers.has(buffer) && expr.kind === 'slice' && expr.to !== undefined && !isEnd(expr.to);
        slices.push({ buffer, name: statement.pattern.name, span: expr.span, isFront });
      }
    }
    if (expr.kind === 'name' && expr.path.length === 1) reads.push({ name: expr.path[0] ?? '', at: expr.span.end });
    if (expr.kind === 'assign') {
      const buffer = memberPath(expr.target);
      const within = appendOperand(expr.target);
      const grown = buffer ?? (within && memberPath(within));
      if (grown !== undefined && expr.operator === '~=') appends.push({ buffer: grown, span: expr.span });
      else if (buffer !== undefined && expr.value.kind === 'slice' && memberPath(expr.value.base) === buffer)
        shortened.push({ buffer, at: expr.span.start });
      else if (expr.target.kind === 'field' && expr.target.name === 'length')
        shortened.push({ buffer: memberPath(expr.target.base) ?? '', at: expr.span.start });
    }
    const operand = appendOperand(expr);
    const buffer = operand === undefined ? undefined : memberPath(operand.kind === 'cast' ? operand.value : operand);
    if (buffer !== undefined) allowed.push({ buffer, span: expr.span });
  });
  const fronts = slices.flatMap(({ buffer, name, span, isFront }) => {
    const at = isFront ? allowed.find((one) => one.buffer === name && one.span.start > span.end) : undefined;
    const append = at && appends.find((one) => one.buffer === name && one.span.end > at.span.end);
    return at && append ? [{ buffer: name, slice: buffer, shown: span, allowed: at.span, append: append.span }] : [];
  });
  const rests = slices.flatMap(({ buffer, name, span }) => {
    const at = allowed.find((one) => one.buffer === buffer && one.span.start > span.end);
    const isShorter = shortened.some(
      (one) => one.buffer === buffer && one.at > span.end && one.at < (at?.span.start ?? 0),
    );
    const append = at && appends.find((one) => one.buffer === buffer && one.span.start > at.span.end);
    const isRead = append !== undefined && reads.some((one) => one.name === name && one.at > append.span.start);
    return at && isShorter && append && isRead
      ? [{ buffer, slice: name, shown: span, allowed: at.span, append: append.span }]
      : [];
  });
  return [...fronts, ...rests];
}

/** What is given by `ref` to a function of the file that lets it grow in place: `clearKeep(pending)`, `pending.clearKeep()`. */
function emptiedByHelper(file: FileIr, expr: Expr): Expr | undefined {
  if (expr.kind !== 'call' && expr.kind !== 'method' && expr.kind !== 'field') return undefined;
  const name = expr.kind === 'field' ? expr.name : calledName(expr);
  const at = name === undefined ? undefined : helpersOf(file).get(name);
  if (at === undefined) return undefined;
  const given = expr.kind === 'call' ? [] : [expr.kind === 'method' ? expr.receiver : expr.base];
  return [...given, ...(expr.kind === 'field' ? [] : expr.args.map(({ value }) => value))][at];
}

/** Functions of a file that let an array grow in place which they are given by `ref`, with its position. */
function helpersOf(file: FileIr): ReadonlyMap<string, number> {
  let helpers = helpersIn.get(file);
  if (helpers === undefined) {
    helpersIn.set(file, (helpers = new Map<string, number>()));
    for (const fn of file.functions) {
      const at = fn.params.findIndex((p) => p.modifiers.includes('ref') && p.type?.kind === 'slice');
      if (at < 0 || fn.owner !== undefined || fn.parent !== undefined || fn.body === undefined) continue;
      const name = fn.params[at]?.name;
      let allows = false;
      walkBody(fn.body, ({ expr }) => {
        const operand = appendOperand(expr);
        allows ||= operand !== undefined && memberPath(operand) === name;
      });
      if (allows) helpers.set(fn.name, at);
    }
  }
  return helpers;
}

const helpersIn = new WeakMap<FileIr, Map<string, number>>();

function appendOperand(expr: Expr): Expr | undefined {
  const name = expr.kind === 'field' ? expr.name : calledName(expr);
  return name === 'assumeSafeAppend' ? subjectOf(expr) : undefined;
}

/** A method that returns the buffer or a slice of it; the function itself counts only when it returns after the append is allowed. */
function findShown(unit: UnitFacts, file: FileIr, type: TypeDecl, field: string, fn: FunctionIr): Shown | undefined {
  // What only the type itself can call hands nothing out.
  const methods = methodsWith(file, type).filter((method) => method.isPublic && method !== fn);
  const views = (method: FunctionIr): ReadonlySet<string> =>
    method === fn || !declaredIn(method).has(field) ? viewsIn(method, field) : new Set();
  return firstShown(unit, file, [fn, ...methods], views, field);
}

/** Locals that are set to the buffer or a slice of it, of which nothing is handed over: the field stays as it is. */
function viewsIn(method: FunctionIr, field: string): ReadonlySet<string> {
  const names = new Set<string>();
  let isRenewed = false;
  if (method.body !== undefined)
    walkBody(method.body, ({ expr, statement }) => {
      if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
        if (isView(expr, field) && statement.type?.kind !== 'static-array') names.add(statement.pattern.name);
      if (expr.kind !== 'assign' || expr.operator !== '=') return;
      if (memberPath(expr.target) === field && rootName(expr.value) !== field) isRenewed = true;
      if (expr.target.kind === 'name') names.delete(expr.target.path[0] ?? '');
    });
  return isRenewed ? new Set() : names;
}

/**
 * A method that stores the buffer or a slice of it elsewhere, as it is or by way of a variable, and goes on with the same storage:
 * `frames ~= cur;` of a list of arrays, `event.data = scratch[];`.
 */
function findStored(unit: UnitFacts, file: FileIr, type: TypeDecl, field: string): Shown | undefined {
  for (const method of methodsWith(file, type)) {
    if (!hasBody(method)) continue;
    const views = new Set<string>();
    let found: { span: Span; target: string } | undefined;
    let isRenewed = false;
    const own = declaredIn(method);
    if (own.has(field)) continue;
    const judge = (value: Expr, target: Expr, operator: string): void => {
      // `todo ~= () { sink(line); };`: the delegate keeps what it captures.
      const inner = closureOf(file, value);
      if (inner !== undefined && views.size > 0) {
        const kept = memberPath(target.kind === 'index' ? target.base : target);
        if (kept === undefined || own.has(kept.split('.')[0] ?? '')) return;
        for (const name of freeNames(file, inner).keys())
          if (views.has(name)) found ??= { span: value.span, target: kept };
        return;
      }
      const shows = (one: Expr): boolean =>
        isView(one, field) || (one.kind === 'name' && one.path.length === 1 && views.has(one.path[0] ?? ''));
      const isHeld = !shows(value) && heldIn(unit, file, value).some(shows);
      if (!isHeld && !shows(value)) return;
      const kept = target.kind === 'index' ? memberPath(target.base) : memberPath(target);
      if (kept === undefined || kept === field) return;
      if (isHeld) {
        // One place that is set anew each time is where the aggregate stands.
        if (operator === '=' && target.kind !== 'index' && !kept.includes('.') && !isCallers(method, kept)) return;
        if (!own.has(kept.split('.')[0] ?? '') || isCallers(method, kept)) found ??= { span: value.span, target: kept };
        return;
      }
      if (isCallers(method, kept)) {
        // What only the type itself, or one above it, calls hands nothing out.
        if (!method.isPublic || hasAttribute(method, 'protected')) return;
        const element = operator === '=' ? target.kind !== 'index' : true;
        if (element && keepsSlices(unit, file, type, method, kept, operator === '~='))
          found ??= { span: value.span, target: kept };
        return;
      }
      if (kept === 'length' || kept.endsWith('.length')) return;
      const isOwn = target.kind === 'name' && own.has(kept);
      if (operator === '=' && isOwn) views.add(kept);
      if (isOwn || (own.has(kept.split('.')[0] ?? '') && !isObjects(unit, file, method, kept))) return;
      // `line = buffer[0 .. n];`: where the aggregate stands in its own buffer.
      if (operator === '=' && target.kind !== 'index' && !kept.includes('.')) return;
      if (keepsSlices(unit, file, type, method, kept, operator === '~=' || target.kind === 'index'))
        found ??= { span: value.span, target: kept };
    };
    walkBody(method.body, ({ expr, statement }) => {
      if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
        if (isView(expr, field) && statement.type?.kind !== 'static-array') views.add(statement.pattern.name);
      const added = addedTo(expr);
      if (added !== undefined) {
        const list = memberPath(added.list);
        const isSent = list === undefined || added.isSent;
        if (list === undefined || !own.has(list.split('.')[0] ?? '') || isSent)
          if (
            added.values.some(
              (one) => isView(one, field) || heldIn(unit, file, one).some((part) => isView(part, field)),
            )
          )
            if (isSent || holdsSlices(type.fields.find((one) => one.name === list)?.type) === true)
              found ??= { span: expr.span, target: list ?? 'another thread' };
      }
      if (expr.kind !== 'assign' || (expr.operator !== '=' && expr.operator !== '~=')) return;
      if (memberPath(expr.target) === field) {
        if (expr.operator === '=' && rootName(expr.value) !== field && appendRoot(expr.value) !== field)
          isRenewed = true;
      } else if (expr.target.kind !== 'slice') {
        // `event.data = null;` behind the call that was given it.
        if (expr.operator === '=' && found?.target === memberPath(expr.target)) found = undefined;
        judge(expr.value, expr.target, expr.operator);
      }
    });
    // What is handed over and replaced by new storage is no longer the buffer.
    if (found !== undefined && !isRenewed) return { method, ...found };
  }
  return undefined;
}

/** The methods of a type and of the types of the file that are made from it. */
function methodsWith(file: FileIr, type: TypeDecl): readonly FunctionIr[] {
  const heirs = type.kind === 'class' ? file.types.filter((one) => one.bases.includes(type.name)) : [];
  return [type, ...heirs].flatMap((one) => methodsOf(file, one));
}

/** `list.put(x)`, `list.insertBack(x)`, `tid.send(x)`, `send(tid, x)`: what is added, and where to. */
function addedTo(
  expr: Expr,
): { readonly list: Expr; readonly values: readonly Expr[]; readonly isSent: boolean } | undefined {
  const name = calledName(expr) ?? '';
  const isSent = /^(?:send|prioritySend)$/u.test(name);
  if (!isSent && !/^(?:put|insert|insertBack|insertFront)$/u.test(name)) return undefined;
  if (expr.kind === 'method') return { list: expr.receiver, values: expr.args.map(({ value }) => value), isSent };
  const [first, ...rest] = expr.kind === 'call' ? expr.args : [];
  return isSent && first !== undefined
    ? { list: first.value, values: rest.map(({ value }) => value), isSent }
    : undefined;
}

/** More buffers of one function than anybody writes: each is looked for in the whole loop. */
const mostBuffers = 64;

/** `word in table`: the key that is there already stays the one of the table. */
function asksIn(condition: Expr, key: string, table: string): boolean {
  let asks = false;
  walkExpression(condition, ({ expr }) => {
    asks ||=
      expr.kind === 'binary' &&
      expr.operator === 'in' &&
      memberPath(uncast(expr.left)) === key &&
      memberPath(expr.right) === table;
  });
  return asks;
}

/**
 * A local array of which a loop keeps the content (`all ~= cur;`, `table[key] = cur;`, `best = cur;`, `all ~= Group(cur);`) in what was
 * declared outside of the loop, and which it lets grow in place to fill it again.
 */
function findReusedLocals(unit: UnitFacts, file: FileIr, fn: WithBody): readonly Reused[] {
  const found: Reused[] = [];
  const own = declaredIn(fn);
  const lets = letsIn(fn.body);
  const declared = (name: string): Let | undefined =>
    lets.find((one) => one.pattern.kind === 'bind' && one.pattern.name === name);
  for (const { buffer, span: allowed } of findAllowed(file, fn).slice(0, mostBuffers)) {
    const made = declared(buffer);
    if (!own.has(buffer) || made === undefined || made.isStatic === true) continue;
    if (made.type !== undefined && made.type.kind !== 'slice') continue;
    if (found.some((one) => one.buffer === buffer)) continue;
    const loop = loopsAround(fn, allowed).find((one) => !isInside(made.span, one.span));
    if (loop === undefined) continue;
    let shown: Shown | undefined;
    let isRenewed = false;
    const shows = (one: Expr): boolean => isView(one, buffer);
    walkBody(loop.body, ({ expr, around }) => {
      if (expr.kind === 'assign' && memberPath(expr.target) === buffer && expr.operator === '=')
        if (rootName(expr.value) !== buffer && appendRoot(expr.value) !== buffer) isRenewed = true;
      const added = addedTo(expr);
      if (added?.values.some(shows) === true) {
        const list = memberPath(added.list);
        const type = list === undefined ? undefined : typeOfLocal(file, fn, lets, list);
        if (added.isSent || holdsSlices(type) === true)
          shown ??= { method: fn, span: expr.span, target: list ?? 'another thread' };
      }
      if (expr.kind !== 'assign') return;
      // `table[cast(string) word]++`
      if (expr.target.kind === 'index' && shows(expr.target.index)) {
        const table = memberPath(expr.target.base);
        const isThere = around.some((outer) => outer.kind === 'if' && asksIn(outer.condition, buffer, table ?? ''));
        if (table !== undefined && !isThere && typeOfLocal(file, fn, lets, table)?.kind === 'assoc-array')
          shown ??= { method: fn, span: expr.target.index.span, target: table };
      }
      const isHeld = heldIn(unit, file, expr.value).some(shows);
      if (!isHeld && !shows(expr.value)) return;
      const { target } = expr;
      const kept = target.kind === 'index' ? memberPath(target.base) : memberPath(target);
      const head = kept?.split('.')[0] ?? '';
      if (kept === undefined || kept === buffer || kept.endsWith('.length') || target.kind === 'slice') return;
      const place = declared(head);
      if (place !== undefined && isInside(place.span, loop.span)) return;
      const type = typeOfLocal(file, fn, lets, kept);
      const isElement = target.kind === 'index' || expr.operator === '~=';
      const keeps = isHeld
        ? true
        : isElement
          ? (type?.kind === 'slice' || type?.kind === 'assoc-array') && type.element?.kind === 'slice'
          : type?.kind === 'slice';
      if (keeps) shown ??= { method: fn, span: expr.value.span, target: kept };
    });
    if (shown !== undefined && !isRenewed) found.push({ buffer, shown, allowed });
  }
  return found;
}

/** The array of `assumeSafeAppend(list[0 .. 0])`. */
function appendRoot(expr: Expr): string | undefined {
  const operand = appendOperand(expr);
  return operand === undefined ? undefined : rootName(operand);
}

function loopsAround(fn: WithBody, at: Span): readonly ExprOf<'loop'>[] {
  const found: ExprOf<'loop'>[] = [];
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'loop' && isInside(at, expr.body.span)) found.push(expr);
  });
  return found;
}

function typeOfLocal(file: FileIr, fn: FunctionIr, lets: readonly Let[], name: string): TypeRef | undefined {
  const made = lets.find((one) => one.pattern.kind === 'bind' && one.pattern.name === name);
  return (
    made?.type ??
    fn.params.find((one) => one.name === name)?.type ??
    aggregateOf(file, fn)?.fields.find((one) => one.name === name)?.type ??
    file.globals.find((one) => one.name === name && one.inFunction === undefined)?.type
  );
}

/** `event.data` of a variable or parameter that is an object, which others may know, or is returned. */
function isObjects(unit: UnitFacts, file: FileIr, method: FunctionIr, path: string): boolean {
  const [head = '', ...rest] = path.split('.');
  const made = rest.length === 0 ? undefined : typesByName(method).get(head);
  return made !== undefined && unit.oracle('d').declaration(made, file.path)?.kind === 'class';
}

/** The type names of the parameters, and of variables that are made by `new`. */
function typesByName(method: FunctionIr): ReadonlyMap<string, string> {
  let types = typesOf.get(method);
  if (types === undefined) {
    typesOf.set(method, (types = new Map<string, string>()));
    for (const { name, type } of method.params) if (type?.kind === 'path') types.set(name, type.name);
    const made = types;
    if (method.body !== undefined)
      walkBody(method.body, ({ expr, statement }) => {
        if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
          if (expr.kind === 'new') made.set(statement.pattern.name, expr.type.name);
      });
  }
  return types;
}

/** It is asked for each assignment of a method anew. */
const typesOf = new WeakMap<FunctionIr, Map<string, string>>();

/** Whether what is put there stays a slice: it is declared as one, or as a list of some, so nothing is copied. */
function keepsSlices(
  unit: UnitFacts,
  file: FileIr,
  type: TypeDecl,
  method: FunctionIr,
  path: string,
  isElement: boolean,
): boolean {
  const oracle = unit.oracle('d');
  const [head = '', ...rest] = path.split('.');
  const fieldOf = (owner: string | undefined, name: string): TypeRef | undefined =>
    owner === undefined
      ? undefined
      : oracle.declaration(owner, file.path)?.fields.find((field) => field.name === name)?.type;
  const declared =
    method.params.find((one) => one.name === head)?.type ??
    type.fields.find((one) => one.name === head)?.type ??
    oracle.global(head, file.path)?.decl.type;
  let at = declared;
  for (const [depth, name] of rest.entries())
    at = fieldOf(at?.kind === 'path' ? at.name : depth === 0 ? typesByName(method).get(head) : undefined, name);
  const kept =
    isElement && (at?.kind === 'slice' || at?.kind === 'assoc-array') ? at.element : isElement ? undefined : at;
  return withoutAlias(kept, oracle, file.path)?.kind === 'slice';
}

/** The field itself, a slice of it, or of its pointer; not a copy and not an element. */
function isView(value: Expr, field: string): boolean {
  if (value.kind === 'cast') return isView(value.value, field);
  if (value.kind === 'slice')
    return (
      rootName(value) === field &&
      (memberPath(value.base) === field ||
        (value.base.kind === 'field' && value.base.name === 'ptr' && memberPath(value.base.base) === field))
    );
  return memberPath(value) === field;
}
