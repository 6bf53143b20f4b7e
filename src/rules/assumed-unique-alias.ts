import { aggregateOf, calledName, declaredIn, hasBody, memberPath } from '../facts/d-code.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { defineRule } from './rule.js';

const TOKENS = ['assumeUnique', 'cast(string)', 'cast(wstring)', 'cast(dstring)', 'cast(immutable'];

export default defineRule({
  meta: {
    id: 'assumed-unique-alias',
    title: 'Immutable view of memory that somebody else can write',
    summary: 'A slice that others can write is called immutable and leaves the function.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-672', 'CWE-704'],
    messages: {
      aliased:
        "'{source}' is {owner}, and {how} {leaves} it as immutable: who writes to it later changes what is promised never to change.",
    },
    checklist: 'Is there really no other reference to what is declared immutable?',
    scenarios: ['command'],
  },
  tokens: { d: TOKENS },
  bodyTokens: { d: TOKENS },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn) || fn.kind === 'unittest' || fn.kind === 'closure' || fn.name === 'assumeUnique') continue;
        if (!unit.holds(file, fn, TOKENS)) continue;
        const judge = (expr: Expr, leaves: string | undefined): void => {
          const view = immutableView(expr);
          if (view === undefined || leaves === undefined) return;
          const owner = ownerOf(file, fn, view.source, view.takes);
          const source = memberPath(view.source.kind === 'slice' ? view.source.base : view.source);
          if (owner === undefined || source === undefined) return;
          report({
            messageId: 'aliased',
            data: { source, owner: owner.text, how: view.how, leaves },
            at: { file, span: expr.span },
            steps: [{ file, span: owner.span, role: 'declare', note: `'${source}' can be written from elsewhere.` }],
            key: `${fn.name}|${source}`,
          });
        };
        if (fn.body.result !== undefined) judge(fn.body.result, 'returns');
        walkBody(fn.body, ({ expr, around }) => {
          if (around.some((outer) => outer.kind === 'closure')) return;
          if (expr.kind === 'return' && expr.value !== undefined) judge(expr.value, 'returns');
          else if (expr.kind === 'assign' && expr.operator === '=')
            judge(expr.value, keeps(file, fn, expr.target) ? 'stores' : undefined);
        });
      }
    }
  },
});

/** `assumeUnique(x)`, `cast(string) x`, `cast(immutable(T)[]) x`, `cast(immutable) x`. */
function immutableView(
  expr: Expr,
): { readonly source: Expr; readonly how: string; readonly takes: boolean } | undefined {
  if (expr.kind === 'cast') {
    const isImmutable = /^(?:w|d)?string$/u.test(expr.type.text) || /^immutable\b/u.test(expr.type.text);
    return isImmutable && (expr.type.kind === 'slice' || expr.type.text === 'immutable')
      ? { source: expr.value, how: 'the cast', takes: false }
      : undefined;
  }
  const name = expr.kind === 'field' ? expr.name : calledName(expr);
  if (name !== 'assumeUnique') return undefined;
  const source =
    expr.kind === 'field'
      ? expr.base
      : expr.kind === 'method'
        ? expr.receiver
        : expr.kind === 'call'
          ? expr.args[0]?.value
          : undefined;
  // Of an lvalue it empties the variable; a slice of one stays writable.
  return source === undefined ? undefined : { source, how: "'assumeUnique'", takes: source.kind !== 'slice' };
}

function ownerOf(
  file: FileIr,
  fn: FunctionIr,
  source: Expr,
  takes: boolean,
): { readonly text: string; readonly span: FunctionIr['span'] } | undefined {
  const inner = source.kind === 'slice' ? source.base : source;
  const name = memberPath(inner);
  if (name === undefined) return undefined;
  const param = fn.params.find((one) => one.name === name);
  if (param !== undefined)
    return isWritable(param.type) &&
      !param.modifiers.includes('immutable') &&
      !(takes && param.modifiers.includes('ref'))
      ? { text: "a slice of the caller's", span: param.span }
      : undefined;
  if (takes || declaredIn(fn).has(name)) return undefined;
  const field = aggregateOf(file, fn)?.fields.find((one) => one.name === name);
  return field !== undefined && isWritable(field.type) ? { text: 'a field', span: field.span } : undefined;
}

/** An array whose elements can be written by this or another name: anything but immutable. */
function isWritable(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'slice' && type?.kind !== 'static-array') return false;
  return (
    !(type.qualifiers?.includes('immutable') ?? false) && !(type.element?.qualifiers?.includes('immutable') ?? false)
  );
}

function keeps(file: FileIr, fn: FunctionIr, target: Expr): boolean {
  const name = memberPath(target);
  if (name === undefined) return false;
  const head = name.split('.')[0] ?? '';
  if (declaredIn(fn).has(head)) return false;
  return (
    aggregateOf(file, fn)?.fields.some((field) => field.name === head) === true ||
    file.globals.some((global) => global.name === head && global.inFunction === undefined)
  );
}
