import { aggregateOf, calledName, hasBody, initOf, memberPath, methodsOf, returnedValues } from './d-code.js';
import type { UnitFacts } from './unit.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** Functions of C whose text stands in a buffer of the library that the next call writes. */
const REWRITTEN = new Set(
  'setlocale strerror asctime ctime inet_ntoa ttyname ctermid getlogin getpass nl_langinfo tmpnam dlerror'.split(' '),
);

/** What shows a part of a text and copies nothing. */
const PARTS = /^(?:fromStringz|split|splitter|strip\w*|chomp|chop|front|back)$/u;

/**
 * D: the function of C whose own buffer an expression shows, through casts and parts of it: `setlocale` of
 * `setlocale(LC_CTYPE, null).fromStringz().split('.')[0]`. Undefined for anything that copies.
 */
export function libraryText(expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'cast':
      return libraryText(expr.value);
    case 'index':
    case 'slice':
      return libraryText(expr.base);
    case 'field':
      return PARTS.test(expr.name) ? libraryText(expr.base) : undefined;
    case 'method':
      // A module by its name: `stdlib.strerror(code)`.
      if (REWRITTEN.has(expr.method) && memberPath(expr.receiver) !== undefined) return expr.method;
      return PARTS.test(expr.method) ? libraryText(expr.receiver) : undefined;
    case 'call': {
      const name = calledName(expr) ?? '';
      const first = expr.args[0]?.value;
      if (REWRITTEN.has(name)) return name;
      return PARTS.test(name) && first !== undefined ? libraryText(first) : undefined;
    }
    default:
      return undefined;
  }
}

/** A field with the function that hands out slices of it. */
export interface LentField {
  readonly field: string;
  readonly method: string;
  readonly span: Span;
}

/**
 * D: what a local variable is set to when that is a call of a method of the same type which returns a slice of a field
 * (`auto text = borrow();`).
 */
export function lentField(unit: UnitFacts, file: FileIr, fn: FunctionIr, local: string): LentField | undefined {
  const init = initOf(fn, local);
  return init === undefined ? undefined : lentByCall(unit, file, fn, init);
}

/** As `lentField`, for the call itself. */
export function lentByCall(unit: UnitFacts, file: FileIr, fn: FunctionIr, init: Expr): LentField | undefined {
  const type = aggregateOf(file, fn);
  if (type === undefined) return undefined;
  const isOwn =
    init.kind === 'call' ||
    (init.kind === 'method' && init.receiver.kind === 'name' && init.receiver.path[0] === 'self');
  const called = isOwn ? calledName(init) : undefined;
  const methods = called === undefined ? [] : methodsOf(file, type).filter(({ name }) => name === called);
  const named = methods[0];
  if (methods.length !== 1 || named === undefined) return undefined;
  // The body may have been skipped: nothing in it is what the rule looks for.
  const read = named.skipped === true ? unit.withBodies(file, (one) => one.span.start === named.span.start) : file;
  const method = read.functions.find(({ span }) => span.start === named.span.start);
  if (method === undefined || !hasBody(method)) return undefined;
  for (const value of returnedValues(method)) {
    const name = memberPath(value.kind === 'slice' ? value.base : value);
    const field = type.fields.find((one) => one.name === name && !one.isStatic);
    const isMutable =
      field?.type?.kind === 'slice' || field?.type?.kind === 'static-array'
        ? !/\b(?:immutable|string)\b/u.test(`${field.type.text} ${field.type.name}`)
        : value.kind === 'slice';
    if (field !== undefined && isMutable) return { field: field.name, method: method.name, span: field.span };
  }
  return undefined;
}
