import { aggregateOf, boundNames, calledName, hasBody, memberPath, methodsOf, rootName } from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import { walkBody } from '../facts/walk-body.js';
import type { Expr, FileIr, FunctionIr, Statement, TypeDecl } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const READERS = new Set(['byLine', 'byChunk']);
const VIEWS = /^(?:data|front|get|opSlice|opIndex|peek|bytes|toBytes|ptr|slice|view|buffer)$/u;
const COPIES = new Set(['dup', 'idup', 'to', 'text', 'array', 'format']);

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
      rewound:
        "'{method}' hands out slices of '{buffer}', and '{rewinder}' starts again at its beginning (line {rewind}): what is written then overwrites what the slices show.",
    },
    checklist: 'Is every slice of the buffer copied before the buffer is used again?',
    scenarios: ['command', 'sequential'],
  },
  tokens: { d: ['byLine', 'byChunk', 'static ', '..'] },
  bodyTokens: { d: ['byLine', 'byChunk', 'static ', '..', '= 0'] },
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn)) continue;
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
            const reader = readerOf(expr.iterable);
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
            const kept = variable === undefined ? undefined : findKept(expr.body, variable);
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
          const collected = collectedReader(expr);
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
          const rewound = type === undefined ? undefined : findRewind(file, type, fn, buffer, expr.value);
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

/** `file.byLine` with or without a call, as long as nothing behind it copies. */
function readerOf(expr: Expr): string | undefined {
  const name = expr.kind === 'field' ? expr.name : calledName(expr);
  if (name !== undefined && READERS.has(name)) {
    // `byChunk(buffer)` uses the caller's buffer, which is no less one buffer.
    return name;
  }
  return undefined;
}

/** Where the loop's body keeps the slice itself: appended, stored in a field or an element, or as a key. */
function findKept(
  body: Extract<Expr, { kind: 'loop' }>['body'],
  variable: string,
): { how: string; span: Span } | undefined {
  let found: { how: string; span: Span } | undefined;
  walkBody(body, ({ expr }) => {
    if (found !== undefined || expr.kind !== 'assign') return;
    const { value } = expr;
    const isSlice =
      (value.kind === 'name' && value.path[0] === variable) ||
      (value.kind === 'slice' && value.base.kind === 'name' && value.base.path[0] === variable) ||
      (value.kind === 'cast' && value.value.kind === 'name' && value.value.path[0] === variable);
    if (!isSlice) return;
    const target = memberPath(expr.target) ?? (expr.target.kind === 'index' ? memberPath(expr.target.base) : undefined);
    // `text ~= line` copies the characters; only an array of lines keeps the slice.
    if (
      expr.operator === '~=' &&
      target !== undefined &&
      /(?:s|list|all|seen|result|found|rows)$/iu.test(target) &&
      !/text|buf|data|content|out/iu.test(target)
    )
      found = { how: `added to '${target}'`, span: expr.span };
    else if (expr.operator === '=' && expr.target.kind === 'index' && target !== undefined)
      found = { how: `stored in '${target}'`, span: expr.span };
  });
  return found;
}

/** `file.byLine.array`: a chain of the reader and a collector with nothing between that copies. */
function collectedReader(expr: Expr): { reader: string; collector: string } | undefined {
  const collector = expr.kind === 'field' ? expr.name : calledName(expr);
  if (collector !== 'array') return undefined;
  const base =
    expr.kind === 'field'
      ? expr.base
      : expr.kind === 'method'
        ? expr.receiver
        : expr.kind === 'call'
          ? expr.args[0]?.value
          : undefined;
  const reader = base === undefined ? undefined : readerOf(base);
  return reader === undefined || COPIES.has(reader) ? undefined : { reader, collector };
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
