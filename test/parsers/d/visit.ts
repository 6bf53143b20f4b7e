import type { Expr, FileIr } from '../../../src/model/ir.js';
import type { Span } from '../../../src/model/source.js';

interface Visited {
  readonly kind?: unknown;
  readonly span?: Span;
}

/** What parts of a node lie elsewhere in the text on purpose: the types and attributes that several variables share. */
const shared = new Set(['type', 'typeArgs', 'attributes', 'returns', 'alias']);

function visit(value: unknown, parent: Span | undefined, see: (node: Visited, parent: Span | undefined) => void): void {
  if (value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    for (const item of value) visit(item, parent, see);
    return;
  }
  // The neutral tree is plain data: anything with a span in it is a node.
  const node = value as Visited;
  let inner = parent;
  if (node.span !== undefined) {
    see(node, parent);
    inner = node.span;
  }
  for (const [key, child] of Object.entries(node)) {
    if (key === 'span' || key === 'nameSpan' || key === 'methodSpan') continue;
    visit(child, shared.has(key) ? undefined : inner, see);
  }
}

/** Every expression of a file: in bodies, initialisers of variables and of fields. */
export function expressionsOf(file: FileIr): Expr[] {
  const found: Expr[] = [];
  const kinds = new Set(['literal', 'wildcard', 'bind', 'alternatives', 'parts', 'reference']);
  const see = (node: Visited): void => {
    if (typeof node.kind === 'string' && !kinds.has(node.kind) && node.kind !== 'expression' && node.kind !== 'let') {
      // Statements and patterns are told apart by their kinds above; what is left is an expression.
      found.push(node as Expr);
    }
  };
  for (const fn of file.functions) visit(fn.body, undefined, see);
  for (const item of file.globals) visit(item.init, undefined, see);
  for (const type of file.types) for (const field of type.fields) visit(field.init, undefined, see);
  return found;
}

/** Breaches of what every lowered file must hold: children lie inside their parents, names are where they are said to be. */
export function findBreaches(file: FileIr, text: string): string[] {
  const breaches: string[] = [];
  const name = (span: Span, expected: string, what: string): void => {
    const found = text.slice(span.start, span.end);
    if (found !== expected) breaches.push(`${what} '${expected}' is '${found}' at ${String(span.start)}`);
  };
  const see = (node: Visited, parent: Span | undefined): void => {
    const { span } = node;
    if (span === undefined) return;
    if (span.start > span.end || span.end > text.length || span.start < 0) {
      breaches.push(`${String(node.kind)} has a span of its own making at ${String(span.start)}`);
    } else if (parent !== undefined && (span.start < parent.start || span.end > parent.end)) {
      breaches.push(`${String(node.kind)} at ${String(span.start)} lies outside its parent`);
    }
    const { kind } = node;
    const expr = node as Expr;
    if (kind === 'field' && 'nameSpan' in expr) name(expr.nameSpan, expr.name, 'field');
    if (kind === 'method' && 'methodSpan' in expr) name(expr.methodSpan, expr.method, 'method');
    if (kind === 'closure' && 'functionId' in expr && !file.functions.some((fn) => fn.id === expr.functionId)) {
      breaches.push(`no function ${String(expr.functionId)} for the closure at ${String(span.start)}`);
    }
  };
  let last = -1;
  for (const fn of file.functions) {
    if (!fn.name.startsWith('{') && fn.name !== '~this') name(fn.nameSpan, fn.name, 'function');
    for (const param of fn.params) name(param.span, param.name, 'parameter');
    if (fn.span.start < last) breaches.push(`function ${fn.qualifiedName} comes too late`);
    last = fn.span.start;
    visit(fn.body, fn.span, see);
  }
  for (const type of file.types) {
    if (!type.name.startsWith('{')) name(type.nameSpan, type.name, 'type');
    for (const field of type.fields) {
      name(field.span, field.name, 'field');
      visit(field.init, undefined, see);
    }
  }
  for (const item of file.globals) {
    name(item.nameSpan, item.name, 'variable');
    visit(item.init, item.span, see);
  }
  return breaches;
}
