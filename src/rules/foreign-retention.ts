import { lineOf } from '../facts/lines.js';
import { endsWithItsRoot } from '../facts/storage.js';
import type { UnitFacts } from '../facts/unit.js';
import { describePlace } from '../flow/place.js';
import type { Escape, FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { defineRule } from './rule.js';

const TOKENS = {
  rust: ['napi_', 'ffi::', '_sys::', 'libc::', 'set_', 'register', 'pthread', 'sqlite3_'],
  d: ['toStringz', 'extern', 'set', 'register', 'add'],
};

export default defineRule({
  meta: {
    id: 'foreign-retention',
    title: 'Foreign code keeps memory that ends',
    summary: 'Memory is handed to foreign code that keeps it, and its owner ends before.',
    languages: ['rust', 'd'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-562'],
    messages: {
      kept: "'{callee}' at line {line} keeps a pointer into '{owner}' (line {borrow}), which {end}.",
    },
    checklist: 'Does everything that foreign code keeps live until it lets go?',
    scenarios: ['gc-churn', 'command'],
  },
  tokens: TOKENS,
  // Without `unsafe` nothing of this compiles.
  requires: { rust: ['unsafe'] },
  bodyTokens: TOKENS,
  check({ unit, report }) {
    for (const language of ['rust', 'd'] as const) {
      for (const file of unit.filesOf(language)) {
        for (const fn of unit.functionsWith(file, TOKENS[language])) {
          const flow = unit.flowOf(file, fn);
          const seen = new Set<string>();
          for (const escape of flow.escapes) {
            const end = endOf(unit, file, fn, flow, escape);
            if (!end || escape.callee === undefined) continue;
            const owner = describePlace({ root: escape.pointer.target.root, path: [] });
            const key = `${escape.span.start}|${owner}`;
            if (seen.has(key)) continue;
            seen.add(key);
            report({
              messageId: 'kept',
              data: {
                callee: escape.callee,
                line: lineOf(unit, file, escape.span.start),
                owner,
                borrow: lineOf(unit, file, escape.pointer.site.start),
                end,
              },
              at: { file, span: escape.span },
              steps: [
                ...(escape.pointer.target.root.kind === 'temp'
                  ? []
                  : [
                      {
                        file,
                        span: escape.pointer.target.root.span,
                        role: 'declare' as const,
                        note: `'${owner}' is declared here.`,
                      },
                    ]),
                {
                  file,
                  span: escape.pointer.site,
                  role: 'borrow',
                  note: `'${escape.pointer.how}' points into it here.`,
                },
                {
                  file,
                  span: escape.span,
                  role: 'escape',
                  note: `'${escape.callee}' keeps the pointer beyond the call.`,
                },
              ],
              key: `${escape.callee}|${owner}`,
            });
          }
        }
      }
    }
  },
});

/** How the owner of a kept pointer ends; undefined when it does not, as far as the function shows. */
function endOf(unit: UnitFacts, file: FileIr, fn: FunctionIr, flow: FunctionFlow, escape: Escape): string | undefined {
  if (escape.kind !== 'store' || escape.into !== undefined || escape.callee === undefined || escape.ownerMoved)
    return undefined;
  const { pointer } = escape;
  if (pointer.form === 'closure' || pointer.form === 'guard' || pointer.form === 'iterator') return undefined;
  const { root } = pointer.target;
  if (root.kind === 'param' && root.type?.kind === 'reference' && root.type.lifetime !== "'static") {
    // A borrowed slice may end as soon as the function returns.
    return pointer.target.path.length > 0 &&
      root.type.element?.kind === 'slice' &&
      fn.generics.every((g) => !g.name.startsWith("'"))
      ? 'the caller only lends'
      : undefined;
  }
  if (!endsWithItsRoot(pointer.target, file.language, unit.oracle(file.language), file.path)) return undefined;
  const forgotten = flow.calls.some(
    (c) =>
      c.rows.some((r) => r.effects.some((e) => e.kind === 'forget')) &&
      c.args.some((a) => a.places.some((p) => p.root.id === root.id)),
  );
  return forgotten ? undefined : 'ends with its scope';
}
