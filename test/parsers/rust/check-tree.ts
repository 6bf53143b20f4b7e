import type { FileIr } from '../../../src/model/ir.js';

interface Span {
  readonly start: number;
  readonly end: number;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSpan(value: unknown): value is Span {
  return isRecord(value) && typeof value['start'] === 'number' && typeof value['end'] === 'number';
}

/** Keys whose values lie beside the node that has them: a name's span is the node's own. */
const BESIDE = new Set(['attributes', 'type', 'sub', 'init', 'pattern']);

/**
 * What is wrong with a lowered file: ids out of order, a part that lies outside its whole, a name whose text is another.
 * Empty when all is well.
 */
export function checkTree(file: FileIr, text: string): string[] {
  const problems: string[] = [];
  const textAt = (span: Span): string => text.slice(span.start, span.end).replace(/^r#/, '');
  const expectText = (span: unknown, name: unknown, what: string): void => {
    if (isSpan(span) && typeof name === 'string' && textAt(span) !== name)
      problems.push(`${what}: '${textAt(span)}' is not '${name}'`);
  };

  const visit = (value: unknown, outer: Span | undefined, path: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, outer, path);
      return;
    }
    if (!isRecord(value)) return;
    const { span, kind } = value;
    let whole = outer;
    if (isSpan(span)) {
      if (span.end < span.start || span.start < 0 || span.end > text.length) problems.push(`${path}: impossible span`);
      if (outer && (span.start < outer.start || span.end > outer.end))
        problems.push(
          `${path}: [${String(span.start)}, ${String(span.end)}) is outside [${String(outer.start)}, ${String(outer.end)})`,
        );
      whole = span;
      if (
        kind === 'name' &&
        Array.isArray(value['path']) &&
        value['path'].length === 1 &&
        value['typeArgs'] === undefined
      )
        expectText(span, value['path'][0], path);
      if (kind === 'bind') expectText(span, value['name'], path);
    }
    expectText(value['methodSpan'], value['method'], path);
    if (kind === 'field') expectText(value['nameSpan'], value['name'], path);
    const isNamed = kind === 'bind' || 'modifiers' in value || 'isStatic' in value;
    for (const [key, child] of Object.entries(value)) {
      if (key === 'span' || key === 'attributes') continue;
      visit(
        child,
        isNamed && kind !== 'let' && BESIDE.has(key) ? outer : whole,
        `${path}.${key}${typeof kind === 'string' ? `(${kind})` : ''}`,
      );
    }
  };

  file.functions.forEach((fn, index) => {
    if (fn.id !== index) problems.push(`${fn.qualifiedName}: id ${String(fn.id)} at ${String(index)}`);
    const previous = file.functions[index - 1];
    if (previous && previous.span.start > fn.span.start) problems.push(`${fn.qualifiedName}: not in source order`);
    if (fn.kind !== 'closure' && fn.kind !== 'async-block') expectText(fn.nameSpan, fn.name, fn.qualifiedName);
    if (fn.parent !== undefined && fn.parent >= fn.id) problems.push(`${fn.qualifiedName}: parent after child`);
    visit(fn.params, fn.span, fn.qualifiedName);
    visit(fn.returns, fn.span, fn.qualifiedName);
    visit(fn.self, fn.span, fn.qualifiedName);
    visit(fn.body, fn.bodySpan, fn.qualifiedName);
  });
  for (const type of file.types) {
    expectText(type.nameSpan, type.name, type.name);
    visit(type.fields, type.span, type.name);
    visit(type.alias, type.span, type.name);
  }
  for (const global of file.globals) {
    expectText(global.nameSpan, global.name, global.name);
    visit(global.init, global.span, global.name);
    visit(global.type, global.span, global.name);
  }
  for (const impl of file.impls) visit([impl.trait, impl.target], impl.headSpan, 'impl');
  for (const comment of file.comments)
    if (textAt(comment.span) !== comment.text) problems.push(`comment at ${String(comment.span.start)}`);
  return problems;
}
