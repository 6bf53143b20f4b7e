import { declaredTypeOf, hasBody, memberPath, walkDeep } from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import { unsoundInterface, type UnsoundInterface } from '../facts/trusted-interfaces.js';
import type { Attribute, Expr, FileIr, FunctionIr } from '../model/ir.js';
import { defineRule } from './rule.js';

export default defineRule({
  meta: {
    id: 'trusted-too-wide',
    title: 'Trust that covers more than it needs',
    summary: '`@trusted` covers a whole group of declarations, or a function in which there is nothing to trust.',
    languages: ['d'],
    severity: 'note',
    confidence: 'medium',
    audience: 'audit',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-1126'],
    messages: {
      group:
        "'@trusted' is applied to a group of {count} functions: the compiler checks none of them, nor what is added to the group later.",
      idle: "The trusted function '{name}' has no pointer operation, cast or call: there is nothing in it to trust.",
      foreign:
        "'{name}' (line {line}) is trusted and stands for a function of C, which goes where '{param}' points and as far as it likes: safe code may give it anything.",
      called:
        "The trusted function '{name}' calls '{param}' (line {line}), which need not be safe: whatever the caller writes in it is no longer checked.",
      pointer:
        "The trusted function '{name}' is given '{param}' with no length that the compiler knows, and reads on from it (line {line}): safe code may give it a pointer to anything.",
      index:
        "The trusted function '{name}' uses '{param}' of the caller's behind a bare pointer (line {line}) and never asks whether it is in range: safe code may give it any number.",
      address:
        "The trusted function '{name}' takes the number '{param}' for an address (line {line}): safe code may give it any number.",
    },
    checklist: 'Is exactly the unsafe operation trusted, and nothing around it?',
    scenarios: [],
  },
  tokens: { d: ['@trusted'] },
  bodyTokens: { d: ['@trusted'] },
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      const groups = new Map<number, { readonly attribute: Attribute; readonly members: FunctionIr[] }>();
      const unsound = new Map<string, { readonly fn: FunctionIr; readonly what: UnsoundInterface }[]>();
      for (const fn of file.functions) {
        if (fn.trust !== 'trusted') continue;
        const attribute = groupOf(fn);
        const what = unsoundInterface(unit, file, fn);
        // Of a group only what C does is judged one by one: the group itself is what is wrong with the others.
        if (what !== undefined && (attribute === undefined || what.kind === 'foreign')) {
          const key = `${what.kind}|${String(attribute?.span.start ?? fn.owner ?? fn.qualifiedName)}`;
          const known = unsound.get(key);
          if (known === undefined) unsound.set(key, [{ fn, what }]);
          else known.push({ fn, what });
        }
        if (attribute !== undefined) {
          const group = groups.get(attribute.span.start) ?? { attribute, members: [] };
          group.members.push(fn);
          groups.set(attribute.span.start, group);
        } else if (what === undefined && hasBody(fn) && !fn.isTest && isIdle(file, fn))
          report({
            messageId: 'idle',
            data: { name: fn.name },
            at: { file, span: fn.nameSpan },
            steps: [],
            key: fn.qualifiedName,
          });
      }
      for (const [first, ...others] of unsound.values()) {
        if (first === undefined) continue;
        const { fn, what } = first;
        const attribute = groupOf(fn);
        report({
          messageId: what.kind,
          data: { name: fn.name, param: what.param, line: lineOf(unit, file, what.span.start) },
          at: { file, span: fn.nameSpan },
          steps: [
            ...(attribute === undefined
              ? []
              : [{ file, span: attribute.span, role: 'declare' as const, note: 'This makes it trusted.' }]),
            { file, span: what.span, role: 'use', note: `Nothing checks what '${what.param}' is.` },
            ...others.slice(0, 8).map((other) => ({
              file,
              span: other.fn.nameSpan,
              role: 'declare' as const,
              note: `So it is with '${other.what.param}' of '${other.fn.name}'.`,
            })),
          ],
          severity: 'warning',
          key: `${what.kind}|${fn.qualifiedName}`,
        });
      }
      for (const { attribute, members } of groups.values())
        if (members.length > 1)
          report({
            messageId: 'group',
            data: { count: members.length },
            at: { file, span: attribute.span },
            steps: members.slice(0, 6).map((fn) => ({
              file,
              span: fn.nameSpan,
              role: 'declare' as const,
              note: `'${fn.name}' is trusted by it.`,
            })),
            key: String(members[0]?.qualifiedName ?? ''),
          });
    }
  },
});

/** The attribute of a group that makes a function trusted, when it has none of its own. */
function groupOf(fn: FunctionIr): Attribute | undefined {
  return fn.attributes.find((one) => one.name === 'trusted' && one.inherited === true);
}

/** Operations that the compiler refuses in safe code, or may; a call may be one, and so may anything not understood. */
const UNSAFE = new Set<Expr['kind']>([
  'address',
  'deref',
  'cast',
  'call',
  'method',
  'new',
  'macro',
  'unknown',
  'slice',
]);

function isIdle(file: FileIr, fn: FunctionIr): boolean {
  let isUsed = false;
  walkDeep(file, fn, ({ expr }, inside) => {
    if (
      UNSAFE.has(expr.kind) ||
      movesPointer(file, inside, expr) ||
      (expr.kind === 'field' && (expr.name === 'ptr' || !/^\w+$/u.test(expr.name))) ||
      expr.kind === 'index'
    )
      isUsed = true;
    // What a 'scope' parameter shows must not leave a safe function.
    if (
      expr.kind === 'name' &&
      fn.params.some((param) => param.name === expr.path[0] && param.modifiers.includes('scope'))
    )
      isUsed = true;
    // A name alone may be a call without parentheses, and a variable of the module may be shared.
    if (
      expr.kind === 'name' &&
      fn.parent === undefined &&
      expr.path.length > 0 &&
      !fn.params.some((param) => param.name === expr.path[0]) &&
      file.functions.some((one) => one.name === expr.path[0])
    )
      isUsed = true;
    if (expr.kind === 'name' && file.globals.some((global) => global.name === expr.path[0] && global.kind !== 'const'))
      isUsed = true;
  });
  return !isUsed;
}

/** `p + n`, `p -= n`, `++p` of a name or member that is declared as a pointer; how far two pointers are apart is safe to ask. */
function movesPointer(file: FileIr, fn: FunctionIr, expr: Expr): boolean {
  const isPointer = (side: Expr): boolean => {
    const name = memberPath(side);
    return name !== undefined && declaredTypeOf(file, fn, name)?.kind === 'pointer';
  };
  switch (expr.kind) {
    case 'binary':
      return /^[+-]$/u.test(expr.operator) && isPointer(expr.left) !== isPointer(expr.right);
    case 'assign':
      return /^(?:\+=|-=)$/u.test(expr.operator) && isPointer(expr.target);
    case 'unary':
      return /^(?:\+\+|--)$/u.test(expr.operator) && isPointer(expr.operand);
    default:
      return false;
  }
}
