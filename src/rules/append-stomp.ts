import {
  aggregateOf,
  calledName,
  declaredIn,
  freeNames,
  hasBody,
  isEnd,
  memberPath,
  methodsOf,
  rootName,
} from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { withoutAlias } from '../flow/types.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
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
        for (const one of findReusedStatics(file, fn))
          report({
            messageId: 'stomps',
            data: {
              buffer: one.buffer,
              line: lineOf(unit, file, one.allowed.start),
              method: one.method.name,
              shown: lineOf(unit, file, one.shown.start),
            },
            at: { file, span: one.allowed },
            steps: [
              { file, span: one.shown, role: 'escape', note: `A slice of '${one.buffer}' leaves here.` },
              {
                file,
                span: one.allowed,
                role: 'grow',
                note: 'From here on an append overwrites what the slice shows.',
              },
            ],
            key: `${fn.name}|${one.buffer}`,
          });
        const type = aggregateOf(file, fn);
        if (type === undefined) continue;
        walkBody(fn.body, ({ expr, around }) => {
          // A flag of its own says that the author keeps track of whose storage it is.
          if (around.some((outer) => outer.kind === 'if' && memberPath(outer.condition) !== undefined)) return;
          const operand = appendOperand(expr) ?? emptiedByHelper(file, expr);
          const field = operand === undefined ? undefined : rootName(operand);
          if (field === undefined || !type.fields.some((one) => one.name === field)) return;
          const shown = findShown(file, type, field, fn);
          const stored = shown === undefined ? findStored(unit, file, type, field) : undefined;
          if (stored !== undefined)
            report({
              messageId: 'stored',
              data: {
                buffer: field,
                line: lineOf(unit, file, expr.span.start),
                method: stored.method.name,
                target: stored.target,
                shown: lineOf(unit, file, stored.span.start),
              },
              at: { file, span: expr.span },
              steps: [
                { file, span: stored.span, role: 'escape', note: `A slice of '${field}' is kept here.` },
                {
                  file,
                  span: expr.span,
                  role: 'grow',
                  note: 'From here on an append overwrites what the slice shows.',
                },
              ],
              key: `${type.name}.${field}`,
            });
          if (shown === undefined) return;
          report({
            messageId: 'stomps',
            data: {
              buffer: field,
              line: lineOf(unit, file, expr.span.start),
              method: shown.method.name,
              shown: lineOf(unit, file, shown.span.start),
            },
            at: { file, span: expr.span },
            steps: [
              { file, span: shown.span, role: 'escape', note: `A slice of '${field}' leaves here.` },
              { file, span: expr.span, role: 'grow', note: 'From here on an append overwrites what the slice shows.' },
            ],
            key: `${type.name}.${field}`,
          });
        });
      }
    }
  },
});

interface Reused {
  readonly buffer: string;
  readonly method: FunctionIr;
  readonly shown: Span;
  readonly allowed: Span;
}

/** A static local, or a variable of the module, that grows in place and of which a function of the file returns a slice. */
function findReusedStatics(file: FileIr, fn: FunctionIr): readonly Reused[] {
  const found: Reused[] = [];
  if (fn.body === undefined) return found;
  const statics = new Set<string>();
  for (const statement of fn.body.statements)
    if (statement.kind === 'let' && statement.isStatic === true && statement.pattern.kind === 'bind')
      statics.add(statement.pattern.name);
  walkBody(fn.body, ({ expr, around }) => {
    if (around.some((outer) => outer.kind === 'if' && memberPath(outer.condition) !== undefined)) return;
    const operand = appendOperand(expr) ?? emptiedByHelper(file, expr);
    const buffer = operand === undefined ? undefined : rootName(operand);
    if (buffer === undefined || found.some((one) => one.buffer === buffer)) return;
    const isGlobal =
      !declaredIn(fn).has(buffer) &&
      aggregateOf(file, fn)?.fields.some(({ name }) => name === buffer) !== true &&
      file.globals.some((g) => g.name === buffer && g.inFunction === undefined && g.type?.kind === 'slice');
    if (!statics.has(buffer) && !isGlobal) return;
    const others = isGlobal ? file.functions.filter((one) => one.isPublic && !declaredIn(one).has(buffer)) : [];
    for (const method of [fn, ...others]) {
      const shown = shownBy(method, buffer);
      if (shown !== undefined) {
        found.push({ buffer, method, shown, allowed: expr.span });
        return;
      }
    }
  });
  return found;
}

/** Where a function returns the buffer or a slice of it. */
function shownBy(method: FunctionIr, buffer: string): Span | undefined {
  if (!hasBody(method) || method.returns?.kind === 'static-array') return undefined;
  const names = viewsIn(method, buffer);
  let found: Span | undefined;
  const judge = (value: Expr): void => {
    const isNamed = value.kind === 'name' && value.path.length === 1 && names.has(value.path[0] ?? '');
    if (isView(value, buffer) || isNamed) found ??= value.span;
  };
  if (method.body.result !== undefined) judge(method.body.result);
  walkBody(method.body, ({ expr }) => {
    if (expr.kind === 'return' && expr.value !== undefined) judge(expr.value);
  });
  return found;
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
  if (expr.kind === 'field') return expr.name === 'assumeSafeAppend' ? expr.base : undefined;
  if (calledName(expr) !== 'assumeSafeAppend') return undefined;
  return expr.kind === 'method' ? expr.receiver : expr.kind === 'call' ? expr.args[0]?.value : undefined;
}

/** A method that returns the buffer or a slice of it; the function itself counts only when it returns after the append is allowed. */
function findShown(
  file: FileIr,
  type: TypeDecl,
  field: string,
  fn: FunctionIr,
): { method: FunctionIr; span: Span } | undefined {
  for (const method of [fn, ...methodsOf(file, type)]) {
    // What only the type itself can call hands nothing out.
    if (!hasBody(method) || method.returns?.kind === 'static-array' || (!method.isPublic && method !== fn)) continue;
    let found: Span | undefined;
    const names = method === fn || !declaredIn(method).has(field) ? viewsIn(method, field) : new Set<string>();
    const judge = (value: Expr): void => {
      const isNamed = value.kind === 'name' && value.path.length === 1 && names.has(value.path[0] ?? '');
      if (isView(value, field) || isNamed) found ??= value.span;
    };
    if (method.body.result !== undefined) judge(method.body.result);
    walkBody(method.body, ({ expr }) => {
      if (expr.kind === 'return' && expr.value !== undefined) judge(expr.value);
    });
    if (found !== undefined) return { method, span: found };
  }
  return undefined;
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
function findStored(
  unit: UnitFacts,
  file: FileIr,
  type: TypeDecl,
  field: string,
): { method: FunctionIr; span: Span; target: string } | undefined {
  for (const method of methodsOf(file, type)) {
    if (!hasBody(method)) continue;
    const views = new Set<string>();
    let found: { span: Span; target: string } | undefined;
    let isRenewed = false;
    const own = declaredIn(method);
    if (own.has(field)) continue;
    const judge = (value: Expr, target: Expr, operator: string): void => {
      // `todo ~= () { sink(line); };`: the delegate keeps what it captures.
      const inner = value.kind === 'closure' ? file.functions.find((one) => one.id === value.functionId) : undefined;
      if (inner !== undefined && views.size > 0) {
        const kept = memberPath(target.kind === 'index' ? target.base : target);
        if (kept === undefined || own.has(kept.split('.')[0] ?? '')) return;
        for (const name of freeNames(file, inner).keys())
          if (views.has(name)) found ??= { span: value.span, target: kept };
        return;
      }
      const isName = value.kind === 'name' && value.path.length === 1 && views.has(value.path[0] ?? '');
      if (!isName && !isView(value, field)) return;
      const kept = target.kind === 'index' ? memberPath(target.base) : memberPath(target);
      if (kept === undefined || kept === field) return;
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
      if (expr.kind !== 'assign' || (expr.operator !== '=' && expr.operator !== '~=')) return;
      if (memberPath(expr.target) === field) {
        if (expr.operator === '=' && rootName(expr.value) !== field) isRenewed = true;
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
  const plain = withoutAlias(kept, oracle, file.path);
  return plain?.kind === 'slice' || (plain?.kind === 'path' && /^[wd]?string$/u.test(plain.name));
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
