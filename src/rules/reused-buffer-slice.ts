import {
  aggregateOf,
  boundNames,
  calledName,
  declaredIn,
  hasBody,
  memberPath,
  methodsOf,
  rootName,
} from '../facts/d-code.js';
import { D_RETURNS_SLICE } from '../facts/d-text.js';
import { lineOf } from '../facts/lines.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr, Statement, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { withoutAlias } from '../flow/types.js';
import { defineRule } from './rule.js';

const READERS = new Set(['byLine', 'byChunk']);
const VIEWS = /^(?:data|front|get|opSlice|opIndex|peek\w*|bytes|toBytes|ptr|slice|view|buffer)$/u;

/** Where a slice of such a buffer comes from. */
const KEEPS = ['byLine', 'byChunk', D_RETURNS_SLICE, /\breturn\b[^;]*\.(?:data|opSlice)\b/u];

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
      collected:
        "'{reader}' reads every line into one buffer, and '{collector}' keeps the slices: all of them show what was read last.",
      static: "A slice of the static variable '{buffer}' is returned: the next call overwrites what the caller got.",
      cleared:
        "The content of the appender '{buffer}' is returned without a copy, and '{clearer}' clears it (line {clear}): what is added after that overwrites what the caller got.",
      rewound:
        "'{method}' hands out slices of '{buffer}', and '{rewinder}' starts again at its beginning (line {rewind}): what is written then overwrites what the slices show.",
    },
    checklist: 'Is every slice of the buffer copied before the buffer is used again?',
    scenarios: ['command', 'sequential'],
  },
  tokens: { d: ['byLine', 'byChunk', 'static ', '..', 'ppender'] },
  // The last is where a buffer is used from its beginning again.
  bodyTokens: { d: [...KEEPS, /\.(?:clear|shrinkTo)\b/u, /(?:[;{}=)]|\belse)\s*[\w.]+\s*=\s*0\s*;/u] },
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
        const type = aggregateOf(file, fn);
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
            const kept = variable === undefined ? undefined : findKept(file, fn, expr, variable);
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
            return;
          }
          const collected = collectedReader(expr, fn);
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
          // Whoever gets a slice that can be written to may fill the buffer by it.
          const shown = withoutAlias(fn.returns, unit.oracle('d'), file.path);
          const isFilled =
            type !== undefined && (!isReadOnly(shown) || mayBeFilled(unit.textOf(file.path) ?? '', type, buffer));
          const rewound = type === undefined || !isFilled ? undefined : findRewind(file, type, fn, buffer, expr.value);
          if (type === undefined || rewound === undefined) return;
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
function declaredType(file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  const local = findLet(fn, name);
  if (local !== undefined)
    return local.type ?? (local.init?.kind === 'new' ? local.init.type : appenderType(local.init));
  const head = name.split('.')[0] ?? '';
  return (
    fn.params.find((param) => param.name === name)?.type ??
    aggregateOf(file, fn)?.fields.find((field) => field.name === head && head === name)?.type ??
    file.globals.find((global) => global.name === name)?.type
  );
}

/** `appender!(char[][])`: what the appender collects. */
function appenderType(init: Expr | undefined): TypeRef | undefined {
  const made = init?.kind === 'call' ? init.callee : init;
  return made?.kind === 'name' && made.path.at(-1) === 'appender' ? made.typeArgs?.[0] : undefined;
}

/** Whether a collection keeps the slices that it is given: its elements are slices. Undefined when its type is not known. */
function holdsSlices(type: TypeRef | undefined): boolean | undefined {
  if (type === undefined || type.kind === 'unknown') return undefined;
  if (type.kind === 'slice' || type.kind === 'static-array') return isSlice(type.element);
  if (type.kind !== 'path') return undefined;
  const [inner] = type.args;
  if (type.name === 'Appender' || type.name === 'RefAppender') return holdsSlices(inner);
  return /^(?:Array|DList|SList|RedBlackTree|DynamicArray|UnrolledList)$/u.test(type.name) ? isSlice(inner) : undefined;
}

function isSlice(type: TypeRef | undefined): boolean {
  return type?.kind === 'slice' || (type?.kind === 'path' && /^[wd]?string$/u.test(type.name));
}

/** Where the loop's body keeps the slice itself: added, or stored in a member, an element or a variable. */
function findKept(
  file: FileIr,
  fn: FunctionIr,
  loop: ExprOf<'loop'>,
  variable: string,
): { how: string; span: Span } | undefined {
  let found: { how: string; span: Span } | undefined;
  const isLine = (value: Expr): boolean =>
    (value.kind === 'name' && value.path.length === 1 && value.path[0] === variable) ||
    ((value.kind === 'slice' || value.kind === 'cast') && isLine(value.kind === 'slice' ? value.base : value.value));
  const inner = new Set(boundNames(loop.body));
  const read = new Map<string, number>();
  const visit = ({ expr, around }: Walked): void => {
    if (expr.kind === 'name' && expr.path.length === 1 && !read.has(expr.path[0] ?? '')) {
      const parent = around.at(-1);
      if (!(parent?.kind === 'assign' && parent.target === expr)) read.set(expr.path[0] ?? '', expr.span.start);
    }
    if (found !== undefined) return;
    if (expr.kind === 'method' && /^(?:put|insert|insertBack|insertFront)$/u.test(expr.method)) {
      const target = memberPath(expr.receiver);
      if (target !== undefined && expr.args.some(({ value }) => isLine(value)) && !inner.has(target))
        if (holdsSlices(declaredType(file, fn, target)) === true)
          found = { how: `added to '${target}'`, span: expr.span };
      return;
    }
    if (expr.kind !== 'assign') return;
    const indexed = expr.target.kind === 'index' ? expr.target : undefined;
    const target = memberPath(indexed === undefined ? expr.target : indexed.base);
    if (target === undefined || inner.has(target.split('.')[0] ?? '')) return;
    const type = declaredType(file, fn, target);
    if (!isLine(expr.value)) return;
    if (expr.operator === '~=' && indexed === undefined) {
      // `text ~= line` copies the characters; only an array of lines keeps the slice.
      const keeps = holdsSlices(type) ?? /(?:s|list|all|seen|found)$/iu.test(target);
      if (keeps) found = { how: `added to '${target}'`, span: expr.span };
    } else if (expr.operator === '~=' || expr.operator === '=') {
      if (indexed !== undefined && (expr.operator === '=' || type?.kind === 'assoc-array'))
        found = { how: `stored in '${target}'`, span: expr.span };
      else if (indexed === undefined && isKeptMember(file, fn, target))
        found = { how: `stored in '${target}'`, span: expr.span };
      // A variable that the next iteration looks at before it is set again.
      else if (
        indexed === undefined &&
        (read.get(target) ?? Infinity) < expr.span.start &&
        findLet(fn, target) !== undefined
      )
        found = { how: `kept in '${target}' for the next iteration`, span: expr.span };
    }
  };
  walkBody(loop.body, visit);
  return found;
}

/** A member of the aggregate that is a slice, not a local of the same name. */
function isKeptMember(file: FileIr, fn: FunctionIr, name: string): boolean {
  if (declaredIn(fn).has(name)) return false;
  return aggregateOf(file, fn)?.fields.some((field) => field.name === name && field.type?.kind === 'slice') === true;
}

/** `file.byLine.array`: a chain of the reader and a collector with nothing between that copies. */
function collectedReader(expr: Expr, fn: FunctionIr): { reader: string; collector: string } | undefined {
  const collector = expr.kind === 'field' ? expr.name : calledName(expr);
  if (collector !== 'array') return undefined;
  const base = rangeOf(expr);
  const reader = base === undefined ? undefined : readerOf(base, fn);
  return reader === undefined ? undefined : { reader, collector };
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
  const shown =
    value.kind === 'slice' || (value.kind === 'field' && value.name === 'data')
      ? value.base
      : value.kind === 'method' && (value.method === 'data' || value.method === 'opSlice')
        ? value.receiver
        : undefined;
  const buffer = shown === undefined ? undefined : memberPath(shown);
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
      const [name, on] =
        expr.kind === 'method'
          ? [expr.method, expr.receiver]
          : expr.kind === 'field'
            ? [expr.name, expr.base]
            : [undefined, undefined];
      if (name !== 'clear' && name !== 'shrinkTo') return;
      if (on !== undefined && memberPath(on) === buffer) found = expr.span;
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
    walkBody(method.body, ({ expr, around }) => {
      if (found !== undefined || around.some((outer) => outer.kind === 'loop')) return;
      const name =
        expr.kind === 'assign' && expr.operator === '=' && expr.value.kind === 'literal' && expr.value.text === '0'
          ? memberPath(expr.target)
          : undefined;
      if (name !== undefined && positions.has(name) && type.fields.some((one) => one.name === name)) found = expr.span;
    });
    if (found !== undefined) return { method, span: found };
  }
  return undefined;
}
