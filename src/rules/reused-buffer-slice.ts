import {
  aggregateOf,
  boundNames,
  calledName,
  closureOf,
  declaredIn,
  hasAttribute,
  hasBody,
  heldByLiteral,
  memberPath,
  methodsOf,
  rootName,
  subjectOf,
  withBodyOf,
  type WithBody,
} from '../facts/d-code.js';
import { derivedFrom, givesParts, partOf } from '../facts/derived-slices.js';
import { D_RETURNS_SLICE } from '../facts/d-text.js';
import { holdsSlices } from '../facts/containers.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, walkExpression, type Walked } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, Statement, TypeDecl, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { withoutAlias } from '../flow/types.js';
import { defineRule } from './rule.js';

const READERS = new Set(['byLine', 'byChunk']);
const VIEWS = /^(?:data|front|get|opSlice|opIndex|peek\w*|bytes|toBytes|ptr|slice|view|buffer)$/u;

/** Functions that fill the buffer that they are given, from its beginning. */
const FILLS =
  /^(?:receive|receiveFrom|recv|recvfrom|read|rawRead|readln|readExactly|readSome|readBlock|fread|ReadFile)$/u;

/** The same as text, with something that may be a buffer. */
const FILLING =
  /\b(?:receive(?:From)?|recv(?:from)?|read(?:ln|Exactly|Some|Block)?|rawRead|fread|ReadFile)\s*\([^;]*\w/u;

/** Where a slice of such a buffer comes from. */
const KEEPS = [
  'byLine',
  'byChunk',
  D_RETURNS_SLICE,
  /\breturn\b[^;]*\.(?:data|opSlice)\b/u,
  FILLING,
  /\.(?:clear|shrinkTo)\b/u,
  /[(,=]\s*[\w.]+\.data\s*[),;]/u,
];

export default defineRule({
  meta: {
    id: 'reused-buffer-slice',
    title: 'Slice of a buffer that is used again',
    summary: 'A slice of a buffer is kept, and the buffer is filled again under it.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-672', 'CWE-825'],
    messages: {
      line: "'{variable}' shows the buffer of '{reader}' (line {from}) and is {kept}: the next line or chunk overwrites it.",
      refilled:
        "'{buffer}' is used from its beginning again by '{reader}' in every round (line {from}), and a slice of it is {kept}: the next round overwrites it.",
      called:
        "'{reader}' fills '{buffer}' from its beginning (line {from}), and a slice of it is {kept}: the next call overwrites it.",
      collected:
        "'{reader}' reads every line into one buffer, and '{collector}' keeps the slices: all of them show what was read last.",
      overtaken:
        "'{variable}' shows the buffer of '{reader}', 'popFront' reads the next one into it (line {moved}), and '{variable}' is used afterwards (line {use}): it shows what was read last.",
      static: "A slice of the static variable '{buffer}' is returned: the next call overwrites what the caller got.",
      cleared:
        "The content of the appender '{buffer}' is {kept} without a copy, and '{clearer}' clears it (line {clear}): what is added after that overwrites it.",
      rewound:
        "'{method}' hands out slices of '{buffer}', and '{rewinder}' starts again at its beginning (line {rewind}): what is written then overwrites what the slices show.",
    },
    checklist: 'Is every slice of the buffer copied before the buffer is used again?',
    scenarios: ['command', 'sequential'],
  },
  tokens: { d: ['byLine', 'byChunk', 'static ', '..', 'ppender', 'rawRead', 'readln'] },
  // The last is where a buffer is used from its beginning again.
  bodyTokens: { d: [...KEEPS, /(?:[;{}=)]|\belse)\s*[\w.]+\s*=\s*0\s*;/u] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn) || !unit.holds(file, fn, KEEPS)) continue;
        const statics = new Set<string>();
        for (const statement of fn.body.statements)
          if (
            statement.kind === 'let' &&
            statement.isStatic === true &&
            statement.pattern.kind === 'bind' &&
            isWritten(fn, statement)
          )
            statics.add(statement.pattern.name);
        for (const { variable, reader, from, moved, use } of findOvertaken(fn))
          report({
            messageId: 'overtaken',
            data: { variable, reader, moved: lineOf(unit, file, moved.start), use: lineOf(unit, file, use.start) },
            at: { file, span: use },
            steps: [
              { file, span: from, role: 'borrow', note: `'${variable}' shows the buffer of '${reader}'.` },
              { file, span: moved, role: 'release', note: 'The next line or chunk is read into it here.' },
              { file, span: use, role: 'use', note: `'${variable}' is used here.` },
            ],
            key: variable,
          });
        const type = aggregateOf(file, fn);
        for (const { buffer, reader, from, kept } of type === undefined ? [] : refilledByCall(unit, file, type, fn))
          report({
            messageId: 'called',
            data: { buffer, reader, from: lineOf(unit, file, from.start), kept: kept.how },
            at: { file, span: kept.span },
            steps: [
              { file, span: from, role: 'release', note: 'Every call uses the buffer again here.' },
              { file, span: kept.span, role: 'escape', note: `A slice of it is ${kept.how} here.` },
            ],
            key: buffer,
          });
        walkBody(fn.body, ({ expr, around }) => {
          if (expr.kind === 'loop' && expr.iterable !== undefined) {
            const reader = readerOf(expr.iterable, fn);
            const names =
              reader === undefined
                ? []
                : (expr.bindings ?? [])
                    .filter(
                      (binding) =>
                        binding.type?.qualifiers?.includes('immutable') !== true && binding.type?.name !== 'string',
                    )
                    .flatMap((binding) => boundNames(binding.pattern));
            const variable = names.at(-1);
            const kept =
              variable === undefined || reader === undefined
                ? undefined
                : findKept(unit, file, fn, expr.body, new Set([variable]), false);
            if (reader !== undefined && variable !== undefined && kept !== undefined)
              report({
                messageId: 'line',
                data: { variable, reader, from: lineOf(unit, file, expr.iterable.span.start), kept: kept.how },
                at: { file, span: kept.span },
                steps: [
                  { file, span: expr.iterable.span, role: 'borrow', note: `'${reader}' uses one buffer for all.` },
                  { file, span: kept.span, role: 'escape', note: `'${variable}' is ${kept.how} here.` },
                ],
                key: variable,
              });
          }
          const each = eachOf(unit, file, fn, expr);
          if (each !== undefined)
            report({
              messageId: 'line',
              data: {
                variable: each.variable,
                reader: each.reader,
                from: lineOf(unit, file, expr.span.start),
                kept: each.kept.how,
              },
              at: { file, span: each.kept.span },
              steps: [
                { file, span: expr.span, role: 'borrow', note: `'${each.reader}' uses one buffer for all.` },
                { file, span: each.kept.span, role: 'escape', note: `'${each.variable}' is ${each.kept.how} here.` },
              ],
              key: each.variable,
            });
          if (expr.kind === 'loop') {
            for (const refilled of findRefilled(unit, file, fn, expr))
              report({
                messageId: 'refilled',
                data: {
                  buffer: refilled.buffer,
                  reader: refilled.reader,
                  from: lineOf(unit, file, refilled.from.start),
                  kept: refilled.kept.how,
                },
                at: { file, span: refilled.kept.span },
                steps: [
                  { file, span: refilled.from, role: 'release', note: 'Every round uses the buffer again here.' },
                  {
                    file,
                    span: refilled.kept.span,
                    role: 'escape',
                    note: `A slice of it is ${refilled.kept.how} here.`,
                  },
                ],
                key: refilled.buffer,
              });
            return;
          }
          const stored = storedContent(unit, file, type, fn, expr);
          if (stored !== undefined) {
            report({
              messageId: 'cleared',
              data: {
                buffer: stored.buffer,
                kept: `stored in '${stored.target}'`,
                clearer: stored.clearer.name,
                clear: lineOf(unit, file, stored.span.start),
              },
              at: { file, span: expr.span },
              steps: [
                { file, span: stored.span, role: 'release', note: 'From here on its memory is used again.' },
                { file, span: expr.span, role: 'escape', note: 'What it holds is stored here.' },
              ],
              key: `${fn.name}|${stored.buffer}`,
            });
            return;
          }
          const collected = collectedReader(unit, file, expr, fn);
          if (collected !== undefined) {
            report({
              messageId: 'collected',
              data: collected,
              at: { file, span: expr.span },
              steps: [],
              key: collected.reader,
            });
            return;
          }
          if (expr.kind !== 'return' || expr.value === undefined || around.some((outer) => outer.kind === 'closure'))
            return;
          const cleared = findCleared(file, type, fn, expr.value);
          if (cleared !== undefined) {
            report({
              messageId: 'cleared',
              data: {
                buffer: cleared.buffer,
                kept: 'returned',
                clearer: cleared.clearer.name,
                clear: lineOf(unit, file, cleared.span.start),
              },
              at: { file, span: expr.value.span },
              steps: [
                { file, span: cleared.span, role: 'release', note: 'From here on its memory is used again.' },
                { file, span: expr.value.span, role: 'escape', note: 'What it holds leaves here.' },
              ],
              key: `${fn.name}|${cleared.buffer}`,
              ...(cleared.clearer !== fn && VIEWS.test(fn.name) ? { severity: 'note' as const } : {}),
            });
            return;
          }
          const buffer = expr.value.kind === 'slice' ? memberPath(expr.value.base) : undefined;
          if (expr.value.kind !== 'slice' || buffer === undefined || fn.returns?.kind === 'static-array') return;
          if (statics.has(buffer)) {
            report({
              messageId: 'static',
              data: { buffer },
              at: { file, span: expr.value.span },
              steps: [],
              key: `${fn.name}|${buffer}`,
            });
            return;
          }
          // A parameter or variable of the name of a field.
          if (expr.value.base.kind === 'name' && declaredIn(fn).has(buffer)) return;
          // Whoever gets a slice that can be written to may fill the buffer by it.
          const shown = withoutAlias(fn.returns, unit.oracle('d'), file.path);
          const isFilled =
            type !== undefined && (!isReadOnly(shown) || mayBeFilled(unit.textOf(file.path) ?? '', type, buffer));
          const rewound = type === undefined || !isFilled ? undefined : findRewind(file, type, fn, buffer, expr.value);
          if (type === undefined || rewound === undefined || isGivenAway(unit, file, fn, buffer)) return;
          // `return` ties a view of what lies in the object to the object, as a reference to the object itself.
          const field = type.fields.find(({ name }) => name === buffer)?.type;
          if (field?.kind === 'static-array' && hasAttribute(fn, 'return')) return;
          report({
            messageId: 'rewound',
            data: {
              method: fn.name,
              buffer,
              rewinder: rewound.method.name,
              rewind: lineOf(unit, file, rewound.span.start),
            },
            at: { file, span: expr.value.span },
            steps: [
              { file, span: expr.value.span, role: 'escape', note: `A slice of '${buffer}' leaves here.` },
              {
                file,
                span: rewound.span,
                role: 'release',
                note: 'The buffer is used from its beginning again from here on.',
              },
            ],
            key: `${type.name}.${fn.name}`,
            // A type's own documented view: whoever keeps it across the next use is at fault.
            ...(VIEWS.test(fn.name) ? { severity: 'note' as const } : {}),
          });
        });
      }
    }
  },
});

/** `scope (exit) data = null;`: the block goes with the slice, and what is written next goes to another one. */
function isGivenAway(unit: UnitFacts, file: FileIr, { body, bodySpan }: FunctionIr, buffer: string): boolean {
  let found = false;
  // Not what begins anew before the slice is made, nor what is only done when something fails.
  const text = (unit.textOf(file.path) ?? '').slice(bodySpan?.start ?? 0, bodySpan?.end ?? 0);
  const atTheEnd = new RegExp(
    `\\bscope\\s*\\(\\s*(?:exit|success)\\s*\\)\\s*(?:\\{[^{}]*?)?\\b${buffer}\\s*=\\s*null\\b`,
    'u',
  );
  if (body && atTheEnd.test(text))
    walkBody(body, ({ expr, around }) => {
      found ||=
        expr.kind === 'assign' &&
        expr.operator === '=' &&
        expr.value.kind === 'literal' &&
        expr.value.type === 'null' &&
        memberPath(expr.target) === buffer &&
        around.every(({ kind }) => kind === 'block');
    });
  return found;
}

/** A static array of the function that it fills: not a table that is only read. */
function isWritten(fn: FunctionIr, statement: Extract<Statement, { kind: 'let' }>): boolean {
  const { type, pattern } = statement;
  if (pattern.kind !== 'bind' || fn.body === undefined || (type?.kind !== 'static-array' && type?.kind !== 'slice'))
    return false;
  if (statement.modifiers.includes('immutable') || statement.modifiers.includes('const')) return false;
  if (
    [...(type.qualifiers ?? []), ...(type.element?.qualifiers ?? [])].some(
      (one) => one === 'immutable' || one === 'const',
    )
  )
    return false;
  let found = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind === 'assign' && rootName(expr.target) === pattern.name) found = true;
    const parent = around.at(-1);
    const isArgument =
      parent !== undefined &&
      (parent.kind === 'call' || parent.kind === 'method') &&
      rootName(expr) === pattern.name &&
      parent.args.some((argument) => argument.value === expr);
    if (isArgument) found = true;
  });
  return found;
}

/** Adapters whose elements are those of the range they are given. */
const SAME_ELEMENTS = new Set(['filter', 'take', 'takeExactly', 'drop', 'dropOne', 'until', 'enumerate', 'tee']);

/** `file.byLine` with or without a call, by way of a variable or an adapter that copies nothing. */
function readerOf(expr: Expr, fn?: FunctionIr): string | undefined {
  const name = expr.kind === 'field' ? expr.name : calledName(expr);
  // `byChunk(buffer)` uses the caller's buffer, which is no less one buffer.
  if (name !== undefined && READERS.has(name)) return name;
  const base = name !== undefined && SAME_ELEMENTS.has(name) ? rangeOf(expr) : undefined;
  if (base !== undefined) return readerOf(base, fn);
  const variable = expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
  const made = fn === undefined || variable === undefined ? undefined : findLet(fn, variable)?.init;
  return made === undefined || made.kind === 'name' ? undefined : readerOf(made);
}

/** What a function of ranges is called on: by dots, by name or as a property. */
function rangeOf(expr: Expr): Expr | undefined {
  if (expr.kind === 'field') return expr.base;
  if (expr.kind === 'method') return expr.receiver;
  return expr.kind === 'call' ? expr.args[0]?.value : undefined;
}

/** The declaration of a local variable; the last one when the name is used twice. */
function findLet(fn: FunctionIr, name: string): Extract<Statement, { kind: 'let' }> | undefined {
  let found: Extract<Statement, { kind: 'let' }> | undefined;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    else if (typeof node === 'object' && node !== null) {
      if ('kind' in node && node.kind === 'let' && 'pattern' in node && boundNames(node.pattern).includes(name))
        // The node of a body that has this kind and a pattern is a statement.
        found = node as Extract<Statement, { kind: 'let' }>;
      for (const [key, child] of Object.entries(node)) if (key !== 'span' && key !== 'type') visit(child);
    }
  };
  visit(fn.body);
  return found;
}

/** The declared type of a local, a parameter, a member or a variable of the module. */
function declaredType(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  const dot = name.lastIndexOf('.');
  if (dot > 0) {
    // A member of what a variable or parameter is.
    const holder = declaredType(unit, file, fn, name.slice(0, dot));
    const owner = holder?.kind === 'pointer' ? holder.element : holder;
    if (owner?.kind !== 'path') return undefined;
    const declaration = unit.oracle('d').declaration(owner.name, file.path);
    return declaration?.fields.find((field) => field.name === name.slice(dot + 1))?.type;
  }
  const local = findLet(fn, name);
  if (local !== undefined)
    return local.type ?? (local.init?.kind === 'new' ? local.init.type : appenderType(local.init));
  return (
    fn.params.find((param) => param.name === name)?.type ??
    aggregateOf(file, fn)?.fields.find((field) => field.name === name)?.type ??
    file.globals.find((global) => global.name === name)?.type
  );
}

/** `appender!(char[][])`: what the appender collects. */
function appenderType(init: Expr | undefined): TypeRef | undefined {
  const made = init?.kind === 'call' ? init.callee : init;
  return made?.kind === 'name' && made.path.at(-1) === 'appender' ? made.typeArgs?.[0] : undefined;
}

/**
 * Where the body of a loop keeps a slice of the variables, or of a part of them: added, or stored in a member, an element, a key or a
 * variable. `isOwnBuffer`: the buffer is the function's own, and what is only set in every round is as good as the buffer.
 */
function findKept(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  variables: ReadonlySet<string>,
  isOwnBuffer: boolean,
  also?: (expr: Expr) => boolean,
): { how: string; span: Span } | undefined {
  let found: { how: string; span: Span } | undefined;
  const derive = derivedFrom(unit, file, body, variables, also);
  const isRecord = (value: Expr): boolean => derive(value) === 'record';
  const inner = new Set(boundNames(body));
  const read = new Map<string, number>();
  const emptied = new Set([...emptiedIn(body, derive), ...emptiedByMethods(unit, file, fn, body)]);
  const copiedKeys = new Set<string>();
  const keys: { table: string; span: Span }[] = [];
  const visit = ({ expr, around }: Walked): void => {
    if (expr.kind === 'name' && expr.path.length === 1 && !read.has(expr.path[0] ?? '')) {
      const parent = around.at(-1);
      if (!(parent?.kind === 'assign' && parent.target === expr)) read.set(expr.path[0] ?? '', expr.span.start);
    }
    if (expr.kind === 'assign' && expr.target.kind === 'index') {
      const table = memberPath(expr.target.base);
      if (table !== undefined && declaredType(unit, file, fn, table)?.kind === 'assoc-array') {
        if (derive(expr.target.index) === 'slice') keys.push({ table, span: expr.span });
        else copiedKeys.add(table);
      }
    }
    if (found !== undefined) return;
    if (expr.kind === 'method' && /^(?:put|insert|insertBack|insertFront)$/u.test(expr.method)) {
      const target = memberPath(expr.receiver);
      if (target === undefined || inner.has(target) || emptied.has(target)) return;
      const keeps = holdsSlices(declaredType(unit, file, fn, target)) === true;
      if (expr.args.some(({ value }) => isRecord(value) || (keeps && derive(value) !== undefined)))
        found = { how: `added to '${target}'`, span: expr.span };
      return;
    }
    if (expr.kind !== 'assign') return;
    const indexed = expr.target.kind === 'index' ? expr.target : undefined;
    const target = memberPath(indexed === undefined ? expr.target : indexed.base);
    if (target === undefined || inner.has(target.split('.')[0] ?? '')) return;
    const type = declaredType(unit, file, fn, target);
    const record = isRecord(expr.value);
    const shown = derive(expr.value);
    if (!record && shown === undefined) return;
    if (emptied.has(target)) return;
    const isTable = type?.kind === 'assoc-array';
    if (indexed !== undefined) {
      const { operator } = expr;
      // `texts[i] ~= line` copies the characters. Fields of one line in an array are mostly set anew for each line, as are those that a
      // counter of the round tells.
      const isOfRound = inner.has(rootName(indexed.index) ?? '');
      const keeps =
        operator === '='
          ? isTable ||
            (!isOfRound && isShownItself(expr.value, variables) && (!isOwnBuffer || type?.element?.kind === 'slice'))
          : operator === '~=' && isTable && (!isOwnBuffer || holdsSlices(type.element) === true);
      if (keeps) found = { how: `stored in '${target}'`, span: expr.span };
    } else if (expr.operator === '~=') {
      // `text ~= line` copies the characters; only an array of lines keeps the slice.
      const keeps = record || (holdsSlices(type) ?? (!isOwnBuffer && /(?:s|list|all|seen|found)$/iu.test(target)));
      if (keeps) found = { how: `added to '${target}'`, span: expr.span };
    } else if (expr.operator === '=') {
      if (
        !isOwnBuffer &&
        isKeptMember(file, fn, target) &&
        !endsLoop((unit.textOf(file.path) ?? '').slice(expr.span.end, body.span.end))
      )
        found = { how: `stored in '${target}'`, span: expr.span };
      // A variable that the next iteration looks at before it is set again.
      else if (
        !record &&
        !variables.has(target) &&
        ((read.get(target) ?? Infinity) < expr.span.start || isReadInAnother(body, target, expr, around)) &&
        findLet(fn, target) !== undefined &&
        !endsLoop((unit.textOf(file.path) ?? '').slice(expr.span.end, body.span.end))
      )
        found = { how: `kept in '${target}' for the next iteration`, span: expr.span };
    }
  };
  walkBody(body, visit);
  // A key that is only looked up again after a copy of it was put in is not stored.
  const key = keys.find(({ table }) => !copiedKeys.has(table) && !inner.has(table));
  return found ?? (key && { how: `stored as a key of '${key.table}'`, span: key.span });
}

/**
 * A variable is set on one way through a loop's body, which then goes on to the next round, and read on another: what is read there was
 * set in a round before.
 */
function isReadInAnother(body: Block, name: string, set: Expr, around: readonly Expr[]): boolean {
  const choice = around.findLast((one): one is ExprOf<'if'> => one.kind === 'if' && one.isStatic !== true);
  if (choice === undefined || around.slice(around.indexOf(choice)).some((one) => one.kind === 'loop')) return false;
  const branch = isInside(set.span, choice.then.span) ? choice.then : choice.else;
  if (branch === undefined) return false;
  const last = branch.kind === 'block' ? branch.block.statements.at(-1) : undefined;
  const goesOn = last?.kind === 'expression' && last.expr.kind === 'continue';
  let isRead = false;
  let isSetAnew = false;
  walkBody(body, ({ expr, around: outer }) => {
    if (isInside(expr.span, branch.span)) return;
    const isTarget = (one: Expr): boolean => one.kind === 'name' && one.path.length === 1 && one.path[0] === name;
    if (expr.kind === 'assign' && expr.operator === '=' && isTarget(expr.target)) isSetAnew = true;
    const parent = outer.at(-1);
    if (!isTarget(expr) || (parent?.kind === 'assign' && parent.target === expr)) return;
    isRead ||= goesOn || (isInside(expr.span, choice.span) && !isInside(expr.span, choice.condition.span));
  });
  return isRead && !isSetAnew;
}

/** Lists that every round of a loop empties, or sets to something else, whatever else happens. */
function emptiedIn(body: Block, derive: (expr: Expr) => unknown): ReadonlySet<string> {
  const found = new Set<string>();
  walkBody(body, ({ expr, around }) => {
    if (around.some((outer) => outer.kind !== 'block' && !(outer.kind === 'if' && outer.isStatic === true))) return;
    const cleared = clearedAppender(expr);
    if (cleared !== undefined) found.add(cleared);
    if (expr.kind !== 'assign' || expr.operator !== '=' || derive(expr.value) !== undefined) return;
    const { target } = expr;
    const name = memberPath(target.kind === 'field' && target.name === 'length' ? target.base : target);
    if (name !== undefined) found.add(name);
  });
  return found;
}

/** Members that methods of the object empty which the code always calls: `flush();` with `parts.length = 0;` in it. */
function emptiedByMethods(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): ReadonlySet<string> {
  const found = new Set<string>();
  const type = aggregateOf(file, fn);
  if (type === undefined) return found;
  const own = declaredIn(fn);
  walkBody(body, ({ expr, around }) => {
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    if (around.some((outer) => outer.kind !== 'block')) return;
    const name = memberPath(expr.kind === 'call' ? expr.callee : expr.receiver);
    const called = expr.kind === 'call' ? name : name === 'self' ? expr.method : undefined;
    if (called === undefined || own.has(called)) return;
    const [method, ...others] = methodsOf(file, type).filter((one) => one.name === called);
    const whole = method !== undefined && others.length === 0 ? withBodyOf(unit, file, method) : undefined;
    if (whole === undefined) return;
    const locals = declaredIn(whole);
    for (const list of emptiedIn(whole.body, (value) => (isNothing(value) ? undefined : value)))
      if (!locals.has(list) && !own.has(list)) found.add(list);
  });
  return found;
}

/** `0`, `null`, `[]`. */
function isNothing(value: Expr): boolean {
  if (value.kind === 'array') return value.items.length === 0 && value.repeat === undefined;
  return value.kind === 'literal' && (value.type === 'null' || value.text === '0');
}

/** The variable itself or a slice of it, not a part that a function found in it. */
function isShownItself(value: Expr, variables: ReadonlySet<string>): boolean {
  if (value.kind === 'cast') return isShownItself(value.value, variables);
  if (value.kind === 'slice') return isShownItself(value.base, variables);
  return value.kind === 'name' && value.path.length === 1 && variables.has(value.path[0] ?? '');
}

/** Whether the block goes on to a `break` or `return`: there is no next iteration. */
function endsLoop(rest: string): boolean {
  return /^[^{}]{0,400}?\b(?:break|return)\b/u.test(rest);
}

interface Refilled {
  readonly buffer: string;
  readonly reader: string;
  readonly from: Span;
  readonly kept: { readonly how: string; readonly span: Span };
}

/** Buffers of an object that a method fills from the beginning outside of a loop, and of which it keeps slices in a list or table of others. */
function refilledByCall(unit: UnitFacts, file: FileIr, type: TypeDecl, fn: WithBody): readonly Refilled[] {
  if (fn.kind !== 'method' || fn.isStatic) return [];
  const own = declaredIn(fn);
  const fields = new Set(type.fields.map(({ name }) => name).filter((name) => !own.has(name)));
  const refilled = refilledIn(unit, file, fn, fn.body, own, undefined).filter(({ buffer }) => fields.has(buffer));
  if (refilled.length === 0) return [];
  const loops: Span[] = [];
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'loop') loops.push(expr.span);
  });
  // Who gives the object another buffer, whenever that is, may do so for each call.
  const text = unit.textOf(file.path) ?? '';
  const renewed = methodsOf(file, type)
    .filter((method) => method.kind !== 'constructor')
    .map((method) => text.slice(method.span.start, method.span.end));
  return refilled.filter(
    ({ buffer, reader, from, kept }) =>
      reader !== 'clear' &&
      !loops.some((loop) => loop.start <= from.start && from.end <= loop.end) &&
      /^(?:added to|stored in) /u.test(kept.how) &&
      !renewed.some((method) => new RegExp(`\\b${buffer}\\s*=[^=]`, 'u').test(method)),
  );
}

interface EachLine {
  readonly variable: string;
  readonly reader: string;
  readonly kept: { readonly how: string; readonly span: Span };
}

/** `file.byLine.each!(line => lines ~= line)`, which is a loop by another name. */
function eachOf(unit: UnitFacts, file: FileIr, fn: WithBody, expr: Expr): EachLine | undefined {
  if ((expr.kind !== 'method' && expr.kind !== 'call') || calledName(expr) !== 'each') return undefined;
  const given = expr.args.find((argument) => argument.name === '!')?.value;
  const closure = given && closureOf(file, given);
  const variable = closure?.params.at(-1)?.name;
  const range = rangeOf(expr);
  const reader = range === undefined ? undefined : readerOf(range, fn);
  if (reader === undefined || closure?.body === undefined || variable === undefined) return undefined;
  const kept = findKept(unit, file, fn, closure.body, new Set([variable]), false);
  return kept && { variable, reader, kept };
}

/** Buffers from outside of a loop that every round fills from the beginning, or appenders that it clears, and of which it keeps slices. */
function findRefilled(unit: UnitFacts, file: FileIr, fn: WithBody, loop: ExprOf<'loop'>): readonly Refilled[] {
  return refilledIn(unit, file, fn, loop.body, new Set(boundNames(loop.body)), loop.condition);
}

/** As `findRefilled`, for code that runs again and again and has variables of its own. */
function refilledIn(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  body: Block,
  inner: ReadonlySet<string>,
  condition: Expr | undefined,
): readonly Refilled[] {
  const refills = new Map<string, { reader: string; from: Span; isAppender?: boolean }>();
  const moved = new Set<string>();
  const visit = ({ expr }: Walked): void => {
    if (expr.kind === 'assign' && expr.operator === '=') moved.add(memberPath(expr.target) ?? '');
    const emptied = clearedAppender(expr);
    if (emptied !== undefined && !inner.has(emptied) && isAppender(unit, file, fn, emptied))
      refills.set(emptied, { reader: 'clear', from: expr.span, isAppender: true });
    const reader = calledName(expr);
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    if (reader === undefined || !FILLS.test(reader)) return;
    for (const { value } of expr.args) {
      const buffer = wholeBuffer(value);
      if (buffer === undefined || inner.has(buffer) || !isBuffer(declaredType(unit, file, fn, buffer))) continue;
      refills.set(buffer, { reader, from: expr.span });
    }
  };
  walkBody(body, visit);
  if (condition) walkExpression(condition, visit);
  return [...refills].flatMap(([buffer, { reader, from, isAppender }]) => {
    if (moved.has(buffer)) return [];
    // `file.rawRead(buffer)` is a slice of the buffer, `appender.data` one of what it holds.
    const also = (expr: Expr): boolean =>
      isAppender === true
        ? contentOf(expr) === buffer
        : calledName(expr) === 'rawRead' &&
          expr.kind === 'method' &&
          expr.args.some(({ value }) => wholeBuffer(value) === buffer);
    const kept = findKept(unit, file, fn, body, new Set(isAppender === true ? [] : [buffer]), true, also);
    return kept === undefined ? [] : [{ buffer, reader, from, kept }];
  });
}

/** The appender of `appender.clear()` and `appender.shrinkTo(n)`. */
function clearedAppender(expr: Expr): string | undefined {
  if (expr.kind === 'method' && /^(?:clear|shrinkTo)$/u.test(expr.method)) return memberPath(expr.receiver);
  return expr.kind === 'field' && expr.name === 'clear' ? memberPath(expr.base) : undefined;
}

/** The appender of `appender.data` and `appender[]`. */
function contentOf(value: Expr): string | undefined {
  if (value.kind === 'slice' && value.from === undefined && value.to === undefined) return memberPath(value.base);
  if (value.kind === 'field' && value.name === 'data') return memberPath(value.base);
  return value.kind === 'method' && (value.method === 'data' || value.method === 'opSlice')
    ? memberPath(value.receiver)
    : undefined;
}

function isAppender(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): boolean {
  const init = findLet(fn, name)?.init;
  if (init !== undefined && appenderType(init) !== undefined) return true;
  const type = declaredType(unit, file, fn, name);
  return type?.kind === 'path' && type.name === 'Appender';
}

/** The variable of `buffer`, `buffer[]`, `buffer[0 .. n]`, `buffer.ptr`, `&buffer[0]`: what is filled from its beginning. */
function wholeBuffer(value: Expr): string | undefined {
  if (value.kind === 'cast') return wholeBuffer(value.value);
  if (value.kind === 'field' && value.name === 'ptr') return wholeBuffer(value.base);
  if (value.kind === 'slice') {
    const { from } = value;
    return from === undefined || (from.kind === 'literal' && from.text === '0') ? wholeBuffer(value.base) : undefined;
  }
  return value.kind === 'name' && value.path.length === 1 ? value.path[0] : undefined;
}

/** An array of characters or bytes. */
function isBuffer(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'slice' && type?.kind !== 'static-array') return false;
  return /^(?:u?byte|void|[wd]?char)$/u.test(type.element?.name ?? '');
}

/** `member = appender.data`, `list ~= Message(appender.data)`, where the appender is cleared here or in a sibling. */
function storedContent(
  unit: UnitFacts,
  file: FileIr,
  type: TypeDecl | undefined,
  fn: WithBody,
  expr: Expr,
): { buffer: string; target: string; clearer: FunctionIr; span: Span } | undefined {
  if (expr.kind === 'method' && /^(?:put|insert|insertBack|insertFront)$/u.test(expr.method)) {
    const list = memberPath(expr.receiver);
    return list === undefined ? undefined : addedContent(unit, file, type, fn, list, expr.args[0]?.value);
  }
  if (expr.kind !== 'assign') return undefined;
  const target = memberPath(expr.target.kind === 'index' ? expr.target.base : expr.target);
  if (target === undefined) return undefined;
  if (expr.operator === '~=') return addedContent(unit, file, type, fn, target, expr.value);
  if (expr.operator !== '=') return undefined;
  if (expr.target.kind === 'index')
    return declaredType(unit, file, fn, target)?.kind === 'assoc-array'
      ? addedContent(unit, file, type, fn, target, expr.value, true)
      : undefined;
  if (!isKeptMember(file, fn, target)) return undefined;
  const cleared = findCleared(file, type, fn, expr.value);
  return cleared === undefined ? undefined : { ...cleared, target };
}

/** The content of an appender, or a record that holds it, is added to a list or table that lives longer than the call. */
function addedContent(
  unit: UnitFacts,
  file: FileIr,
  type: TypeDecl | undefined,
  fn: WithBody,
  target: string,
  value: Expr | undefined,
  isTable = false,
): { buffer: string; target: string; clearer: FunctionIr; span: Span } | undefined {
  if (value === undefined || declaredIn(fn).has(target.split('.')[0] ?? '')) return undefined;
  const held = heldByLiteral(unit, file, value);
  const list = declaredType(unit, file, fn, target);
  const keeps = isTable ? list?.element?.kind === 'slice' : holdsSlices(list) === true;
  for (const given of keeps ? [value, ...held] : held) {
    const cleared = findCleared(file, type, fn, given);
    if (cleared !== undefined) return { ...cleared, target };
  }
  return undefined;
}

/** A member of the aggregate that is a slice, or one of such a member (`column.reads`), not a local of the same name. */
function isKeptMember(file: FileIr, fn: FunctionIr, name: string): boolean {
  const [head = '', ...rest] = name.split('.');
  if (declaredIn(fn).has(head)) return false;
  let type = aggregateOf(file, fn)?.fields.find((field) => field.name === head)?.type;
  for (const part of rest) {
    if (type?.kind !== 'path') return false;
    const { name: owner } = type;
    const inner = file.types.find((one) => one.name === owner);
    // Of a type that is declared elsewhere only this much is known: a static array is rare.
    if (inner === undefined || inner.kind === 'alias') return true;
    type = inner.fields.find((field) => field.name === part)?.type;
  }
  return type?.kind === 'slice' || (rest.length > 0 && type?.kind === 'path');
}

/** `file.byLine.array`: a chain of the reader and a collector with nothing between that copies. */
function collectedReader(
  unit: UnitFacts,
  file: FileIr,
  expr: Expr,
  fn: FunctionIr,
): { reader: string; collector: string } | undefined {
  const collector = expr.kind === 'field' ? expr.name : calledName(expr);
  if (collector !== 'array') return undefined;
  const base = rangeOf(expr);
  if (base === undefined) return undefined;
  const reader = readerOf(base, fn) ?? mappedReader(unit, file, base, fn);
  return reader === undefined ? undefined : { reader, collector };
}

/** `file.byLine.map!(line => line.strip)`, `.map!strip`: what the lambda makes of a line is a part of it, or a record that holds one. */
function mappedReader(unit: UnitFacts, file: FileIr, expr: Expr, fn: FunctionIr): string | undefined {
  if (expr.kind !== 'method' && expr.kind !== 'call') return undefined;
  const name = calledName(expr) ?? '';
  const base = rangeOf(expr);
  if (base === undefined) return undefined;
  if (SAME_ELEMENTS.has(name)) return mappedReader(unit, file, base, fn);
  if (name !== 'map') return undefined;
  const made = expr.args.find((argument) => argument.name === '!')?.value;
  const named = expr.kind === 'method' ? expr.typeArgs[0]?.name : undefined;
  if (made === undefined && named !== undefined)
    return givesParts(named) ? (readerOf(base, fn) ?? mappedReader(unit, file, base, fn)) : undefined;
  const closure = made && closureOf(file, made);
  const line = closure?.params[0]?.name;
  const result = closure?.body?.statements.length === 0 ? closure.body.result : undefined;
  if (line === undefined || result === undefined || closure?.body === undefined) return undefined;
  const derive = derivedFrom(unit, file, closure.body, new Set([line]));
  if (partOf(result) !== line && derive(result) === undefined) return undefined;
  return readerOf(base, fn) ?? mappedReader(unit, file, base, fn);
}

/** `auto line = lines.front; lines.popFront(); use(line);` where `lines` reads into one buffer. */
function findOvertaken(
  fn: WithBody,
): readonly { variable: string; reader: string; from: Span; moved: Span; use: Span }[] {
  const fronts = new Map<string, { range: string; reader: string; from: Span }>();
  const moved = new Map<string, Span>();
  const found: { variable: string; reader: string; from: Span; moved: Span; use: Span }[] = [];
  walkBody(fn.body, ({ expr, around, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind') {
      const shown = expr.kind === 'field' && expr.name === 'front' ? expr.base : undefined;
      const range = shown?.kind === 'name' && shown.path.length === 1 ? shown.path[0] : undefined;
      const reader = shown === undefined || range === undefined ? undefined : readerOf(shown, fn);
      const isCopied = statement.type?.name === 'string' || statement.type?.qualifiers?.includes('immutable') === true;
      if (range !== undefined && reader !== undefined && !isCopied)
        fronts.set(statement.pattern.name, { range, reader, from: expr.span });
      return;
    }
    const isPop =
      (expr.kind === 'method' && expr.method === 'popFront') || (expr.kind === 'field' && expr.name === 'popFront');
    const popped = isPop ? subjectOf(expr) : undefined;
    // What is popped under a condition is mostly used on the other branch.
    if (popped?.kind === 'name' && !around.some((outer) => outer.kind === 'if' || outer.kind === 'match'))
      moved.set(popped.path[0] ?? '', expr.span);
    if (expr.kind === 'assign' && expr.operator === '=') fronts.delete(memberPath(expr.target) ?? '');
    if (expr.kind !== 'name' || expr.path.length !== 1) return;
    const variable = expr.path[0] ?? '';
    const front = fronts.get(variable);
    const pop = front === undefined ? undefined : moved.get(front.range);
    if (front === undefined || pop === undefined || pop.start < front.from.end || expr.span.start < pop.end) return;
    found.push({ variable, reader: front.reader, from: front.from, moved: pop, use: expr.span });
    fronts.delete(variable);
  });
  return found;
}

function isReadOnly(type: TypeRef | undefined): boolean {
  const qualifiers = [...(type?.qualifiers ?? []), ...(type?.element?.qualifiers ?? [])];
  return qualifiers.includes('const') || qualifiers.includes('immutable') || /^[wd]?string$/u.test(type?.name ?? '');
}

/** Whether the type writes into the buffer or gives it, or its address, to something that may: what it only cuts slices of stays as it is. */
function mayBeFilled(text: string, type: TypeDecl, buffer: string): boolean {
  const filled = new RegExp(
    `\\b${buffer}\\s*(?:\\[[^;\\]]*\\]\\s*(?:\\.\\w+\\s*)?[-+*/|&^~]?=(?!=)|\\.\\s*ptr\\b)|[(,&!]\\s*(?:this\\.)?${buffer}\\s*(?:\\[[^;\\]]*\\]\\s*)?[,);]|\\bref\\b[^;()]*;\\s*(?:this\\.)?${buffer}\\b|\\[\\w*\\]\\s*=\\s*[^;]*\\b${buffer}\\b`,
    'u',
  );
  return filled.test(text.slice(type.span.start, type.span.end));
}

/** `appender.data` or `appender[]` of an appender that lives longer than the call, and where it is cleared: here or in a sibling. */
function findCleared(
  file: FileIr,
  type: TypeDecl | undefined,
  fn: FunctionIr & { readonly body: NonNullable<FunctionIr['body']> },
  value: Expr,
): { buffer: string; clearer: FunctionIr; span: Span } | undefined {
  const buffer = contentOf(value);
  if (buffer === undefined || declaredIn(fn).has(buffer)) return undefined;
  const declared =
    type?.fields.find((field) => field.name === buffer)?.type ??
    file.globals.find((global) => global.name === buffer)?.type;
  if (declared?.kind !== 'path' || declared.name !== 'Appender') return undefined;
  const siblings = type === undefined ? file.functions.filter((one) => one.owner === undefined) : methodsOf(file, type);
  for (const clearer of [fn, ...siblings]) {
    if (!hasBody(clearer) || clearer.kind === 'unittest') continue;
    let found: Span | undefined;
    walkBody(clearer.body, ({ expr }) => {
      if (clearedAppender(expr) === buffer) found = expr.span;
    });
    if (found !== undefined) return { buffer, clearer, span: found };
  }
  return undefined;
}

/** A method that sets the position, by which slices of the buffer are cut, back to 0. */
function findRewind(
  file: FileIr,
  type: TypeDecl,
  fn: FunctionIr,
  buffer: string,
  slice: Extract<Expr, { kind: 'slice' }>,
): { method: FunctionIr; span: Span } | undefined {
  const field = type.fields.find((one) => one.name === buffer);
  if (field?.type?.kind !== 'slice' && field?.type?.kind !== 'static-array') return undefined;
  const positions = new Set(
    [slice.from, slice.to].flatMap((bound) => (bound === undefined ? [] : [rootName(bound) ?? ''])),
  );
  // A position may reach the bounds by way of a local: any position that the method itself moves counts too.
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind === 'assign') positions.add(rootName(expr.target) ?? '');
    });
  for (const method of methodsOf(file, type)) {
    if (method === fn || !hasBody(method) || method.kind !== 'method') continue;
    let found: Span | undefined;
    let isGivenUp = false;
    walkBody(method.body, ({ expr, around }) => {
      // `data = null;`: what is written next goes to another block.
      isGivenUp ||=
        expr.kind === 'assign' &&
        expr.operator === '=' &&
        around.every((outer) => outer.kind === 'block') &&
        memberPath(expr.target) === buffer &&
        ((expr.value.kind === 'literal' && expr.value.type === 'null') || expr.value.kind === 'new');
      if (found !== undefined || around.some((outer) => outer.kind === 'loop')) return;
      const name =
        expr.kind === 'assign' && expr.operator === '=' && expr.value.kind === 'literal' && expr.value.text === '0'
          ? memberPath(expr.target)
          : undefined;
      if (name !== undefined && positions.has(name) && type.fields.some((one) => one.name === name)) found = expr.span;
    });
    if (found !== undefined && !isGivenUp) return { method, span: found };
  }
  return undefined;
}
