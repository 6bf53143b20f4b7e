import { aggregateOf, calledName, hasBody, memberPath, methodsOf, rootName } from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeDecl } from '../model/ir.js';
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
        const type = aggregateOf(file, fn);
        if (type === undefined) continue;
        walkBody(fn.body, ({ expr, around }) => {
          // A flag of its own says that the author keeps track of whose storage it is.
          if (around.some((outer) => outer.kind === 'if' && memberPath(outer.condition) !== undefined)) return;
          const operand = appendOperand(expr);
          const field = operand === undefined ? undefined : rootName(operand);
          if (field === undefined || !type.fields.some((one) => one.name === field)) return;
          const shown = findShown(file, type, field, fn);
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
    if (!hasBody(method) || method.returns?.kind === 'static-array') continue;
    let found: Span | undefined;
    const judge = (value: Expr): void => {
      if (isView(value, field)) found ??= value.span;
    };
    if (method.body.result !== undefined) judge(method.body.result);
    walkBody(method.body, ({ expr }) => {
      if (expr.kind === 'return' && expr.value !== undefined) judge(expr.value);
    });
    if (found !== undefined) return { method, span: found };
  }
  return undefined;
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
