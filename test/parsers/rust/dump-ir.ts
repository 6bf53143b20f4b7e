import type { Attribute, Block, Expr, FileIr, FunctionIr, Pattern, Statement, TypeRef } from '../../../src/model/ir.js';
import { findLineStarts, positionAt } from '../../../src/model/source.js';

/** A compact outline of a lowered file: one line per declaration and statement, expressions in prefix form. */
export function dumpIr(file: FileIr, text: string): string {
  const lineStarts = findLineStarts(text);
  const lines: string[] = [];
  const at = (offset: number): string => `@${String(positionAt(lineStarts, offset).line)}`;

  const flags = (record: Readonly<Record<string, boolean | undefined>>): string =>
    Object.entries(record)
      .filter(([, value]) => value === true)
      .map(([name]) => ` ${name}`)
      .join('');
  const list = (label: string, items: readonly string[]): string =>
    items.length > 0 ? ` ${label}[${items.join(' | ')}]` : '';
  const attributes = (items: readonly Attribute[]): string =>
    list(
      'attributes',
      items.map(
        (a) =>
          `${a.name}${a.args === undefined ? '' : `(${a.args})`}${a.condition === undefined ? '' : ` when ${a.condition}`}`,
      ),
    );

  const type = (t: TypeRef): string => {
    const parts: string[] = [t.kind];
    if (t.path.length > 0) parts.push(t.path.join('::'));
    if (t.mutable === true) parts.push('mut');
    if (t.lifetime !== undefined) parts.push(t.lifetime);
    if (t.size !== undefined) parts.push(`size=${t.size}`);
    if (t.args.length > 0) parts.push(`<${t.args.map(type).join(', ')}>`);
    if (t.element) parts.push(`of ${type(t.element)}`);
    if (t.qualifiers) parts.push(`{${t.qualifiers.join(' + ')}}`);
    return `(${parts.join(' ')})`;
  };

  const pattern = (p: Pattern): string => {
    switch (p.kind) {
      case 'bind':
        return `${p.byRef ? 'ref ' : ''}${p.mutable ? 'mut ' : ''}${p.name}${p.sub ? ` @ ${pattern(p.sub)}` : ''}`;
      case 'wildcard':
        return '_';
      case 'parts':
        return `${p.path.join('::')}{${p.parts.map((part) => `${part.field}: ${pattern(part.pattern)}`).join(', ')}}`;
      case 'reference':
        return `&${pattern(p.pattern)}`;
      case 'alternatives':
        return p.patterns.map(pattern).join(' | ');
      case 'literal':
        return `'${p.text}'`;
    }
  };

  const block = (b: Block): string =>
    `{${[...b.statements.map(statement), ...(b.result ? [`=> ${expr(b.result)}`] : [])].join('; ')}}`;

  const statement = (s: Statement): string => {
    switch (s.kind) {
      case 'let':
        return `let ${pattern(s.pattern)}${s.type ? `: ${type(s.type)}` : ''}${s.init ? ` = ${expr(s.init)}` : ''}${s.otherwise ? ` else ${block(s.otherwise)}` : ''}${list('when', s.conditions ?? [])}`;
      case 'expression':
        return expr(s.expr);
      case 'item':
        return `item${s.functionId === undefined ? '' : ` #${String(s.functionId)}`}`;
      default:
        return s.kind;
    }
  };

  const call = (name: string, ...parts: readonly string[]): string => `(${[name, ...parts].join(' ')})`;
  const expr = (e: Expr): string => {
    switch (e.kind) {
      case 'name':
        return `${e.path.join('::')}${e.typeArgs ? `::<${e.typeArgs.map(type).join(', ')}>` : ''}`;
      case 'field':
        return call('field', expr(e.base), e.name);
      case 'index':
        return call('index', expr(e.base), expr(e.index));
      case 'slice':
        return call('slice', expr(e.base), e.from ? expr(e.from) : '-', e.to ? expr(e.to) : '-');
      case 'deref':
        return call('deref', expr(e.base));
      case 'address':
        return call(`address${e.raw ? '-raw' : ''}${e.mutable ? '-mut' : ''}`, expr(e.base));
      case 'call':
        return call('call', expr(e.callee), ...e.args.map((a) => expr(a.value)));
      case 'method':
        return call(
          `.${e.method}${e.typeArgs.length > 0 ? `::<${e.typeArgs.map(type).join(', ')}>` : ''}`,
          expr(e.receiver),
          ...e.args.map((a) => expr(a.value)),
        );
      case 'macro':
        return call(`${e.name}!${e.opaque ? ' opaque' : ''}`, ...e.args.map(expr));
      case 'literal':
        return `${e.type}:${e.text}`;
      case 'binary':
        return call(e.operator, expr(e.left), expr(e.right));
      case 'unary':
        return call(`unary${e.operator}`, expr(e.operand));
      case 'assign':
        return call(e.operator, expr(e.target), expr(e.value));
      case 'cast':
        return call('as', expr(e.value), type(e.type));
      case 'struct':
        return call(
          'struct',
          type(e.type),
          ...e.fields.map((f) => `${f.name}: ${expr(f.value)}`),
          ...(e.base ? [`..${expr(e.base)}`] : []),
        );
      case 'tuple':
        return call('tuple', ...e.items.map(expr));
      case 'array':
        return call('array', ...e.items.map(expr), ...(e.repeat ? [`repeat ${expr(e.repeat)}`] : []));
      case 'range':
        return call(e.inclusive ? '..=' : '..', e.from ? expr(e.from) : '-', e.to ? expr(e.to) : '-');
      case 'closure':
        return `#${String(e.functionId)}`;
      case 'block':
        return `${e.label === undefined ? '' : `${e.label}: `}${e.flavour === 'plain' ? '' : `${e.flavour}${e.hasSafetyComment === true ? ' safe-by-comment' : ''} `}${block(e.block)}`;
      case 'if':
        return call(
          e.isStatic === true ? 'static-if' : 'if',
          expr(e.condition),
          expr(e.then),
          ...(e.else ? [expr(e.else)] : []),
        );
      case 'let-condition':
        return call('let', pattern(e.pattern), expr(e.value));
      case 'match':
        return call(
          'match',
          expr(e.scrutinee),
          ...e.arms.map((a) => `[${pattern(a.pattern)}${a.guard ? ` if ${expr(a.guard)}` : ''} -> ${expr(a.body)}]`),
        );
      case 'loop': {
        const head = e.bindings
          ? e.bindings.map((b) => pattern(b.pattern)).join(', ') + (e.iterable ? ` in ${expr(e.iterable)}` : '')
          : e.condition
            ? expr(e.condition)
            : '';
        return call(`${e.label === undefined ? '' : `${e.label}: `}${e.form}`, ...(head ? [head] : []), block(e.body));
      }
      case 'return':
      case 'break':
        return call(
          e.kind,
          ...('label' in e && e.label !== undefined ? [e.label] : []),
          ...(e.value ? [expr(e.value)] : []),
        );
      case 'continue':
        return call('continue', ...(e.label === undefined ? [] : [e.label]));
      case 'await':
      case 'try':
      case 'throw':
        return call(e.kind, expr(e.value));
      case 'new':
        return call('new', type(e.type), ...e.args.map((a) => expr(a.value)));
      case 'unknown':
        return call(`unknown:${e.syntax}`, ...e.children.map(expr));
    }
  };

  const fn = (f: FunctionIr): void => {
    const params = f.params.map(
      (p) =>
        `${p.modifiers.map((m) => `${m} `).join('')}${p.pattern ? pattern(p.pattern) : p.name}${p.type ? `: ${type(p.type)}` : ''}${attributes(p.attributes ?? [])}`,
    );
    lines.push(
      `#${String(f.id)} ${f.kind} ${f.qualifiedName} ${at(f.span.start)}` +
        `${f.owner === undefined ? '' : ` of ${f.owner}${f.ownerKind === undefined ? '' : `:${f.ownerKind}`}`}${f.trait === undefined ? '' : ` trait ${f.trait}`}` +
        `${f.parent === undefined ? '' : ` in #${String(f.parent)}`}` +
        flags({
          async: f.isAsync,
          unsafe: f.isUnsafe,
          public: f.isPublic,
          static: f.isStatic,
          test: f.isTest,
          move: f.isMove,
          skipped: f.skipped,
          error: f.hasError,
        }) +
        `${f.abi === undefined ? '' : ` abi ${f.abi}`}${f.self ? ` self ${f.self.mode}${f.self.lifetime === undefined ? '' : ` ${f.self.lifetime}`}${f.self.type ? ` ${type(f.self.type)}` : ''}` : ''}` +
        `${list('params', params)}${f.returns ? ` returns ${type(f.returns)}` : ''}` +
        `${list(
          'generics',
          f.generics.map((g) => `${g.name}${g.bounds.length > 0 ? `: ${g.bounds.join(' + ')}` : ''}`),
        )}${attributes(f.attributes)}${list('conditions', f.conditions)}`,
    );
    for (const s of f.body?.statements ?? []) lines.push(`    ${at(s.span.start)} ${statement(s)}`);
    if (f.body?.result) lines.push(`    ${at(f.body.result.span.start)} => ${expr(f.body.result)}`);
  };

  if (file.attributes.length > 0) lines.push(`file${attributes(file.attributes)}`);
  for (const i of file.imports) {
    lines.push(
      `${i.kind} ${i.path.join('::')} as ${i.name} ${at(i.span.start)}${flags({ glob: i.isGlob, public: i.isPublic })}${attributes(i.attributes)}${list('conditions', i.conditions)}`,
    );
  }
  for (const t of file.types) {
    lines.push(
      `${t.kind} ${[...t.outer, t.name].join('.')} ${at(t.span.start)}${flags({ public: t.isPublic, test: t.isTest })}${list(
        'generics',
        t.generics.map((g) => `${g.name}${g.bounds.length > 0 ? `: ${g.bounds.join(' + ')}` : ''}`),
      )}` +
        `${list('bases', t.bases)}${t.alias ? ` = ${type(t.alias)}` : ''}${attributes(t.attributes)}${list('conditions', t.conditions)}`,
    );
    for (const f of t.fields)
      lines.push(
        `    ${f.name}${f.type ? `: ${type(f.type)}` : ''}${flags({ public: f.isPublic })}${attributes(f.attributes)}`,
      );
  }
  for (const i of file.impls) {
    lines.push(
      `impl ${i.trait ? `${type(i.trait)} for ` : ''}${type(i.target)} ${at(i.span.start)}${flags({ unsafe: i.isUnsafe, negative: i.isNegative, test: i.isTest })}` +
        `${list(
          'generics',
          i.generics.map((g) => `${g.name}${g.bounds.length > 0 ? `: ${g.bounds.join(' + ')}` : ''}`),
        )}${attributes(i.attributes)}${list('conditions', i.conditions)}`,
    );
  }
  for (const g of file.globals) {
    lines.push(
      `${g.kind} ${g.name} ${at(g.span.start)}${flags({ mutable: g.mutable, public: g.isPublic, test: g.isTest })}${g.inFunction === undefined ? '' : ` in ${g.inFunction}`}${g.type ? `: ${type(g.type)}` : ''}` +
        `${g.init ? ` = ${expr(g.init)}` : ''}${attributes(g.attributes)}${list('conditions', g.conditions)}`,
    );
  }
  for (const f of file.functions) fn(f);
  for (const m of file.macros) lines.push(`macro ${m.name}! ${at(m.span.start)}`);
  for (const g of file.gaps) lines.push(`gap ${g.kind} @${String(g.line ?? 0)} ${g.message}`);
  return `${lines.join('\n')}\n`;
}
