import type {
  Argument,
  Block,
  Expr,
  FileIr,
  FunctionIr,
  Param,
  Pattern,
  Statement,
  TypeRef,
} from '../../../src/model/ir.js';

/** A compact, line-oriented dump of a lowered file, for comparing with a recorded one. */
export function outline(file: FileIr): string {
  const lines: string[] = [];
  const attributes = (list: FileIr['attributes']): string =>
    list
      .map(
        ({ name, args, inherited }) =>
          `${inherited === true ? '^' : ''}@${name}${args === undefined ? '' : `(${args})`}`,
      )
      .join(' ');
  const tail = (...parts: readonly (string | false | undefined)[]): string => {
    const kept = parts.filter((part) => typeof part === 'string' && part !== '');
    return kept.length === 0 ? '' : `  ${kept.join(' ')}`;
  };
  const flags = (item: { isPublic: boolean; isTest?: boolean; conditions?: readonly string[] }): string =>
    [
      item.isPublic ? '' : 'private',
      item.isTest === true ? 'test' : '',
      ...(item.conditions ?? []).map((condition) => `[${condition}]`),
    ]
      .filter((part) => part !== '')
      .join(' ');

  lines.push(`module ${file.module.join('.') || '-'}${tail(attributes(file.attributes))}`);
  for (const item of file.imports) {
    const public_ = item.isPublic ? 'public' : '';
    lines.push(
      `import ${item.path.join('.')} as ${item.name}${tail(item.isGlob === true && 'glob', public_, attributes(item.attributes))}`,
    );
  }
  for (const item of file.types) {
    const name = [...item.outer, item.name].join('.');
    const bases = item.bases.length === 0 ? '' : ` : ${item.bases.join(', ')}`;
    const alias = item.alias === undefined ? '' : ` = ${typeText(item.alias)}`;
    lines.push(
      `${item.kind} ${name}${generics(item.generics)}${bases}${alias}${tail(flags(item), attributes(item.attributes))}`,
    );
    for (const field of item.fields) {
      const init = field.init === undefined ? '' : ` = ${exprText(field.init)}`;
      const static_ = field.isStatic && 'static';
      const type = field.type === undefined ? '' : `: ${typeText(field.type)}`;
      lines.push(`  field ${field.name}${type}${init}${tail(static_, flags(field), attributes(field.attributes))}`);
    }
  }
  for (const item of file.globals) {
    const type = item.type === undefined ? '' : `: ${typeText(item.type)}`;
    const init = item.init === undefined ? '' : ` = ${exprText(item.init)}`;
    const where = item.inFunction === undefined ? '' : `in ${item.inFunction}`;
    const mutable = item.mutable ? '' : 'fixed';
    lines.push(
      `${item.kind} ${item.name}${type}${init}${tail(mutable, where, flags(item), attributes(item.attributes))}`,
    );
  }
  for (const fn of file.functions) {
    lines.push(`${functionHead(fn)}${tail(flags(fn), attributes(fn.attributes))}`);
    if (fn.body !== undefined) lines.push(...blockLines(fn.body, '  '));
  }
  for (const item of file.macros) lines.push(`macro ${item.name}`);
  for (const item of file.comments) lines.push(`comment ${JSON.stringify(item.text)}`);
  for (const gap of file.gaps) lines.push(`gap ${gap.kind} line ${String(gap.line ?? '?')}: ${gap.message}`);
  return `${lines.join('\n')}\n`;
}

function functionHead(fn: FunctionIr): string {
  const owner = fn.owner === undefined ? '' : ` of ${fn.ownerKind ?? '?'} ${fn.owner}`;
  const parent = fn.parent === undefined ? '' : ` in #${String(fn.parent)}`;
  const returns = fn.returns === undefined ? '' : ` -> ${fn.returnsRef === true ? 'ref ' : ''}${typeText(fn.returns)}`;
  const marks = [
    fn.self?.mode,
    fn.isStatic ? 'static' : undefined,
    fn.abi === undefined ? undefined : `abi=${fn.abi}`,
    fn.trust,
    fn.skipped === true ? 'SKIPPED' : undefined,
    fn.hasError === true ? 'ERROR' : undefined,
    fn.body === undefined ? 'no body' : undefined,
  ].filter((mark) => mark !== undefined);
  const head = `${fn.kind} #${String(fn.id)} ${fn.qualifiedName}${generics(fn.generics)}`;
  return `${head}(${fn.params.map(paramText).join(', ')})${returns}${owner}${parent} {${marks.join(' ')}}`;
}

function generics(list: FunctionIr['generics']): string {
  if (list.length === 0) return '';
  return `<${list.map(({ name, bounds }) => [name, ...bounds].join(': ')).join(', ')}>`;
}

function paramText(param: Param): string {
  const words = [...param.modifiers, param.name === '' ? '_' : param.name].join(' ');
  const marks = (param.attributes ?? []).map(({ name }) => ` @${name}`).join('');
  const type = param.type === undefined ? '' : `: ${typeText(param.type)}`;
  return `${words}${type}${param.hasDefault === true ? ' = …' : ''}${marks}`;
}

/** Types by their structure, not as they are written. */
function typeText(type: TypeRef): string {
  const qualifiers = type.qualifiers === undefined ? '' : `${type.qualifiers.join(' ')} `;
  const element = type.element === undefined ? '?' : typeText(type.element);
  const wrapped = element.includes(' ') ? `(${element})` : element;
  switch (type.kind) {
    case 'path': {
      const args = type.args.length === 0 ? '' : `!(${type.args.map(typeText).join(', ')})`;
      return `${qualifiers}${type.path.join('.')}${args}`;
    }
    case 'pointer':
      return `${qualifiers}${wrapped}*`;
    case 'slice':
      return `${qualifiers}${wrapped}[]`;
    case 'static-array':
      return `${qualifiers}${wrapped}[#${type.size ?? '?'}]`;
    case 'assoc-array': {
      const size = type.size === undefined ? '' : ' or length';
      return `${qualifiers}${wrapped}[${type.key === undefined ? '?' : typeText(type.key)}${size}]`;
    }
    case 'function':
    case 'delegate':
      return `${qualifiers}${type.kind}<${type.text}>`;
    default:
      return `${qualifiers}?<${type.text}>`;
  }
}

function blockLines(block: Block, indent: string): string[] {
  const lines = block.statements.flatMap((statement) => statementLines(statement, indent));
  if (block.result !== undefined) lines.push(`${indent}=> ${exprText(block.result)}`);
  return lines;
}

function statementLines(statement: Statement, indent: string): string[] {
  const deeper = `${indent}  `;
  switch (statement.kind) {
    case 'let': {
      const type = statement.type === undefined ? '' : `: ${typeText(statement.type)}`;
      const init = statement.init === undefined ? '' : ` = ${exprText(statement.init)}`;
      const words = [...(statement.isStatic === true ? ['static'] : []), ...statement.modifiers];
      return [
        `${indent}let ${words.map((word) => `${word} `).join('')}${patternText(statement.pattern)}${type}${init}`,
      ];
    }
    case 'expression':
      return nested(statement.expr, indent);
    case 'defer':
      return [`${indent}defer ${statement.when}`, ...blockLines(statement.body, deeper)];
    case 'try':
      return [
        `${indent}try`,
        ...blockLines(statement.body, deeper),
        ...statement.catches.flatMap(({ name, body }) => [
          `${indent}catch ${name ?? '_'}`,
          ...blockLines(body, deeper),
        ]),
        ...(statement.finally === undefined ? [] : [`${indent}finally`, ...blockLines(statement.finally, deeper)]),
      ];
    case 'item':
      return [`${indent}item${statement.functionId === undefined ? '' : ` #${String(statement.functionId)}`}`];
  }
}

/** Expressions that hold blocks get lines of their own; everything else is one line. */
function nested(expr: Expr, indent: string): string[] {
  const deeper = `${indent}  `;
  switch (expr.kind) {
    case 'block': {
      const label = expr.label === undefined ? '' : ` ${expr.label.replace(/@\d+/, '@')}:`;
      const subject = expr.subject === undefined ? '' : ` ${exprText(expr.subject)}`;
      const { result, ...rest } = expr.block;
      const inner = result === undefined ? [] : nested(result, deeper);
      return [`${indent}block ${expr.flavour}${label}${subject}`, ...blockLines(rest, deeper), ...inner];
    }
    case 'if': {
      if (expr.then.kind !== 'block' && expr.isStatic !== true) return [indent + exprText(expr)];
      const otherwise = expr.else === undefined ? [] : [`${indent}else`, ...nested(expr.else, deeper)];
      const static_ = expr.isStatic === true ? 'static ' : '';
      return [`${indent}${static_}if ${exprText(expr.condition)}`, ...nested(expr.then, deeper), ...otherwise];
    }
    case 'match':
      return [
        `${indent}match ${exprText(expr.scrutinee)}`,
        ...expr.arms.flatMap((arm) => [`${deeper}${patternText(arm.pattern)}`, ...nested(arm.body, `${deeper}  `)]),
      ];
    case 'loop': {
      const words = [
        expr.isStatic === true ? 'static' : '',
        expr.label === undefined ? '' : `${expr.label}:`,
        expr.form,
      ];
      if (expr.reverse === true) words.push('reverse');
      if (expr.bindings !== undefined) {
        const bindings = expr.bindings.map(({ pattern, byRef, type }) => {
          const written = type === undefined ? '' : `: ${typeText(type)}`;
          return `${byRef ? 'ref ' : ''}${patternText(pattern)}${written}`;
        });
        words.push(`(${bindings.join(', ')})`);
      }
      if (expr.iterable !== undefined) words.push(`over ${exprText(expr.iterable)}`);
      if (expr.condition !== undefined) words.push(`while ${exprText(expr.condition)}`);
      const update = expr.update === undefined ? [] : [`${indent}update`, ...nested(expr.update, deeper)];
      const init = (expr.init ?? []).flatMap((statement) => statementLines(statement, deeper));
      const head = indent + words.filter((word) => word !== '').join(' ');
      return [
        head,
        ...init.map((line) => line.replace(/^(\s*)/, '$1init ')),
        ...blockLines(expr.body, deeper),
        ...update,
      ];
    }
    default:
      return [indent + exprText(expr)];
  }
}

function patternText(pattern: Pattern): string {
  switch (pattern.kind) {
    case 'bind':
      return `${pattern.mutable ? '' : 'fixed '}${pattern.byRef ? '&' : ''}${pattern.name}`;
    case 'alternatives':
      return pattern.patterns.map(patternText).join(' | ');
    case 'literal':
      return pattern.text;
    case 'wildcard':
      return '_';
    default:
      return pattern.kind;
  }
}

function argsText(args: readonly Argument[]): string {
  return args.map(({ name, value }) => `${name === undefined ? '' : `${name}: `}${exprText(value)}`).join(', ');
}

function typeArgs(list: readonly TypeRef[] | undefined): string {
  return list === undefined || list.length === 0 ? '' : `!(${list.map(typeText).join(', ')})`;
}

/** One expression on one line, with every grouping made visible. */
function exprText(expr: Expr): string {
  switch (expr.kind) {
    case 'name':
      return expr.path.join('.') + typeArgs(expr.typeArgs);
    case 'field':
      return `${exprText(expr.base)}.${expr.name}`;
    case 'index':
      return `${exprText(expr.base)}[${exprText(expr.index)}]`;
    case 'slice': {
      const bounds =
        expr.from === undefined || expr.to === undefined ? '' : `${exprText(expr.from)}..${exprText(expr.to)}`;
      return `${exprText(expr.base)}[${bounds || '..'}]`;
    }
    case 'deref':
      return `(*${exprText(expr.base)})`;
    case 'address':
      return `(&${exprText(expr.base)})`;
    case 'call':
      return `${exprText(expr.callee)}(${argsText(expr.args)})`;
    case 'method':
      return `${exprText(expr.receiver)}:${expr.method}${typeArgs(expr.typeArgs)}(${argsText(expr.args)})`;
    case 'macro':
      return `${expr.name}!${expr.opaque ? '?' : ''}`;
    case 'literal':
      return expr.text;
    case 'binary':
      return `(${exprText(expr.left)} ${expr.operator} ${exprText(expr.right)})`;
    case 'unary':
      return `(${expr.operator}${exprText(expr.operand)})`;
    case 'assign':
      return `${exprText(expr.target)} ${expr.operator} ${exprText(expr.value)}`;
    case 'cast':
      return `cast<${typeText(expr.type)}>(${exprText(expr.value)})`;
    case 'struct':
      return `${typeText(expr.type)}{${expr.fields.map(({ name, value }) => `${name}: ${exprText(value)}`).join(', ')}}`;
    case 'tuple':
      return `(${expr.items.map(exprText).join(', ')})`;
    case 'array':
      return `[${expr.items.map((item, at) => `${expr.keys === undefined ? '' : `${keyText(expr.keys, at)}: `}${exprText(item)}`).join(', ')}]`;
    case 'range':
      return `${expr.from === undefined ? '' : exprText(expr.from)}..${expr.to === undefined ? '' : exprText(expr.to)}`;
    case 'closure':
      return `{#${String(expr.functionId)}}`;
    case 'new':
      return `new ${typeText(expr.type)}(${argsText(expr.args)})`;
    case 'let-condition':
      return `let ${patternText(expr.pattern)} = ${exprText(expr.value)}`;
    case 'return':
      return `return${expr.value === undefined ? '' : ` ${exprText(expr.value)}`}`;
    case 'throw':
      return `throw ${exprText(expr.value)}`;
    case 'break':
    case 'continue':
      return `${expr.kind}${expr.label === undefined ? '' : ` ${expr.label.replace(/@\d+/, '@')}`}`;
    case 'if':
      return `(${exprText(expr.condition)} ? ${exprText(expr.then)} : ${expr.else === undefined ? '' : exprText(expr.else)})`;
    case 'unknown':
      return `<${expr.syntax}>${expr.children.length === 0 ? '' : `(${expr.children.map(exprText).join(', ')})`}`;
    case 'block':
      return `{ ${blockLines(expr.block, '').join('; ')} }`;
    default:
      return `<<${expr.kind}>>`;
  }
}

function keyText(keys: readonly Expr[], at: number): string {
  const key = keys[at];
  return key === undefined ? '?' : exprText(key);
}
