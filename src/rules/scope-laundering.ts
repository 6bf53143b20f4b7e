import { boundNames, declaredIn, enclosing, hasAttribute, hasBody, memberPath } from '../facts/d-code.js';
import { walkBody, type Walked } from '../facts/walk-body.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const TOKENS = ['@trusted', 'cast('];

export default defineRule({
  meta: {
    id: 'scope-laundering',
    title: 'Scope taken away by trusted code',
    summary: 'A cast or a trusted helper hides from the compiler that a pointer or delegate must not leave.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-562', 'CWE-704'],
    messages: {
      cast: "The cast turns the 'scope' parameter '{name}' into a delegate that may be kept, and the result is {kept}: its frame may be gone when it is called.",
      lambda:
        "The trusted lambda gives the address of the local '{name}', and the result is {kept}: the compiler no longer sees that it must not leave the function.",
      helper:
        "The trusted function '{name}' returns the address of its 'ref' parameter '{param}' without 'return', so safe callers may keep a pointer to something that ends before it.",
    },
    checklist: 'Does the compiler still see which pointers must not leave the function?',
    scenarios: ['command'],
  },
  tokens: { d: TOKENS },
  bodyTokens: { d: [/@trusted[^]*(?<!&)&(?!&)|\bcast\s*\([^;]*\bdelegate\b/u] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn)) continue;
        const param = trustedAddress(fn);
        if (param !== undefined)
          report({
            messageId: 'helper',
            data: { name: fn.name, param: param.name },
            at: { file, span: fn.nameSpan },
            steps: [{ file, span: param.span, role: 'declare', note: 'The caller decides how long this lives.' }],
            key: fn.name,
          });
        walkBody(fn.body, (walked) => {
          const { expr } = walked;
          if (expr.kind === 'cast' && expr.type.kind === 'delegate' && expr.value.kind === 'name') {
            const name = expr.value.path[0] ?? '';
            const scoped = fn.params.find((one) => one.name === name && one.modifiers.includes('scope'));
            const kept = scoped === undefined ? undefined : keptAs(file, fn, walked);
            if (scoped !== undefined && kept !== undefined)
              report({
                messageId: 'cast',
                data: { name, kept },
                at: { file, span: expr.span },
                steps: [{ file, span: scoped.span, role: 'declare', note: "'scope' promises that it is not kept." }],
                key: name,
              });
          }
          if (expr.kind !== 'call' || expr.callee.kind !== 'closure') return;
          const { functionId } = expr.callee;
          const lambda = file.functions.find((one) => one.id === functionId);
          const local = lambda?.trust === 'trusted' ? localAddress(file, fn, lambda) : undefined;
          const kept = local === undefined ? undefined : keptAs(file, fn, walked);
          if (local !== undefined && kept !== undefined)
            report({
              messageId: 'lambda',
              data: { name: local.name, kept },
              at: { file, span: local.span },
              steps: [{ file, span: expr.span, role: 'escape', note: `The address is ${kept} here.` }],
              key: local.name,
            });
        });
      }
    }
  },
});

/** A trusted function, not a template, that returns `&param` of a `ref` parameter without `return`. */
function trustedAddress(fn: FunctionIr): FunctionIr['params'][number] | undefined {
  if (
    fn.trust !== 'trusted' ||
    fn.kind === 'closure' ||
    fn.generics.length > 0 ||
    fn.parent !== undefined ||
    fn.body === undefined
  )
    return undefined;
  if (hasAttribute(fn, 'return') || fn.returns?.kind !== 'pointer') return undefined;
  return returned(fn)
    .map((value) => (value.kind === 'address' && value.base.kind === 'name' ? value.base.path[0] : undefined))
    .map((name) =>
      fn.params.find(
        (param) =>
          param.name === name &&
          param.modifiers.includes('ref') &&
          !param.modifiers.includes('return') &&
          !param.modifiers.includes('scope'),
      ),
    )
    .find((param) => param !== undefined);
}

function returned(fn: FunctionIr): readonly Expr[] {
  const values: Expr[] = fn.body?.result === undefined ? [] : [fn.body.result];
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind === 'return' && expr.value !== undefined) values.push(expr.value);
    });
  return values;
}

/** `&local` or `local[]` of a static array, of a variable of the function around the lambda. */
function localAddress(file: FileIr, fn: FunctionIr, lambda: FunctionIr): { name: string; span: Span } | undefined {
  for (const value of returned(lambda)) {
    const base = value.kind === 'address' ? value.base : undefined;
    const name = base?.kind === 'name' ? base.path[0] : undefined;
    if (name === undefined || declaredIn(lambda).has(name) || !valuesOf(fn).has(name)) continue;
    if (enclosing(file, lambda)[0] === fn) return { name, span: value.span };
  }
  return undefined;
}

/** Variables and parameters that hold their value themselves. */
function valuesOf(fn: FunctionIr): ReadonlySet<string> {
  const names = new Set(
    fn.params
      .filter((param) => !param.modifiers.includes('ref') && !param.modifiers.includes('out'))
      .map((param) => param.name),
  );
  for (const name of lettered(fn.body)) names.add(name);
  return names;
}

/** Names of variables declared by statements; those of loops may be references. */
function lettered(node: unknown): readonly string[] {
  if (Array.isArray(node)) return node.flatMap(lettered);
  if (typeof node !== 'object' || node === null) return [];
  if ('kind' in node && node.kind === 'let')
    return 'isStatic' in node && node.isStatic === true ? [] : 'pattern' in node ? boundNames(node.pattern) : [];
  return Object.entries(node).flatMap(([key, child]) => (key === 'span' || key === 'type' ? [] : lettered(child)));
}

/** Returned or stored in a member; what stays in the function is fine. */
function keptAs(file: FileIr, fn: FunctionIr, { expr, around }: Walked): string | undefined {
  let value = expr;
  for (let at = around.length - 1; at >= 0; at--) {
    const parent = around[at];
    if (parent === undefined) return undefined;
    if (parent.kind === 'cast') {
      value = parent;
      continue;
    }
    if (parent.kind === 'return' && fn.kind !== 'closure') return 'returned';
    if (parent.kind !== 'assign' || parent.value !== value) return undefined;
    const target =
      memberPath(parent.target) ?? (parent.target.kind === 'index' ? memberPath(parent.target.base) : undefined);
    const head = target?.split('.')[0] ?? '';
    const isOwn =
      target === undefined ||
      declaredIn(fn).has(head) ||
      enclosing(file, fn).some((outer) => declaredIn(outer).has(head));
    return isOwn ? undefined : `stored in '${target}'`;
  }
  return undefined;
}
