import { lineOf } from '../facts/lines.js';
import { describePlace } from '../flow/place.js';
import type { StaleUse } from '../flow/result.js';
import { defineRule } from './rule.js';

const TOKENS = {
  rust: ['free', 'dealloc', 'drop_in_place', 'from_raw', '_destroy', '_release', '_delete', 'drop('],
  d: ['free', 'destroy', 'dispose', 'deallocate', 'realloc', 'munmap', 'fclose', '_destroy', '_release', 'delete'],
};

export default defineRule({
  meta: {
    id: 'use-after-release',
    title: 'Use after release',
    summary: 'A pointer or handle is used, or released again, after it was released.',
    languages: ['rust', 'd'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-415'],
    messages: {
      used: "'{what}' is released by '{release}' (line {released}) and used afterwards (line {use}).",
      callback:
        "'{what}' comes from the data of a JavaScript callback and is taken over by '{taker}' (line {line}): JavaScript may call the function again, and the second call frees it twice.",
      finalizer:
        "'{what}' is given to '{keeper}' (line {kept}), which releases it in a finalizer, and is released here by '{taker}' (line {line}) too.",
      again: "'{what}' is released by '{release}' (line {released}) and released again by '{second}' (line {use}).",
    },
    checklist: 'Is every release the last thing that happens to the pointer, on every path?',
    scenarios: ['sequential', 'thenable-twice', 'command'],
  },
  tokens: TOKENS,
  bodyTokens: TOKENS,
  check({ unit, report }) {
    for (const language of ['rust', 'd'] as const) {
      for (const file of unit.filesOf(language)) {
        for (const fn of unit.functionsWith(file, TOKENS[language])) {
          const flow = unit.flowOf(file, fn);
          for (const adoption of flow.adoptions) {
            const { root } = adoption.pointer.target;
            const info = flow.calls.find(
              (c) =>
                /(^|::)napi_get_cb_info$/u.test(c.callee) &&
                c.args[5]?.pointers.some((p) => p.target.root.id === root.id),
            );
            const line = lineOf(unit, file, adoption.span.start);
            const taken = {
              file,
              span: adoption.span,
              role: 'release' as const,
              note: `'${adoption.how}' takes it over and frees it.`,
            };
            if (info) {
              report({
                messageId: 'callback',
                data: { what: root.name, taker: adoption.how, line },
                at: { file, span: adoption.span },
                steps: [
                  { file, span: info.span, role: 'acquire', note: `The callback's data comes from here.` },
                  taken,
                ],
                key: root.name,
              });
              continue;
            }
            const kept = flow.escapes.find(
              (e) =>
                e.pointer.id === adoption.pointer.id &&
                e.kind === 'store' &&
                e.callee !== undefined &&
                e.into === undefined &&
                e.span.start < adoption.span.start,
            );
            if (!kept?.callee || isErrorPath(unit.textOf(file.path)?.slice(kept.span.end, adoption.span.start) ?? ''))
              continue;
            report({
              messageId: 'finalizer',
              data: {
                what: root.name,
                keeper: kept.callee,
                kept: lineOf(unit, file, kept.span.start),
                taker: adoption.how,
                line,
              },
              at: { file, span: adoption.span },
              steps: [
                { file, span: kept.span, role: 'escape', note: `'${kept.callee}' keeps it and calls the finalizer.` },
                taken,
              ],
              key: root.name,
              confidence: 'medium',
            });
          }
          const causes = new Set<string>();
          for (const stale of flow.staleUses) {
            if (!isHazard(stale)) continue;
            const { pointer, invalidation, use } = stale;
            const cause = `${invalidation.span.start}`;
            if (causes.has(cause)) continue;
            causes.add(cause);
            const what = describePlace(pointer.target).replace(/^\*/u, '');
            const released = lineOf(unit, file, invalidation.span.start);
            const useLine = lineOf(unit, file, use.span.start);
            const how = invalidation.through ?? invalidation.how;
            const place = {
              at: { file, span: use.span },
              steps: [
                { file, span: pointer.site, role: 'acquire' as const, note: `'${what}' comes from here.` },
                { file, span: invalidation.span, role: 'release' as const, note: `'${how}' releases it here.` },
                {
                  file,
                  span: use.span,
                  role: 'use' as const,
                  note: use.kind === 'release' ? `'${use.what}' releases it again here.` : 'It is used here.',
                },
              ],
              key: what,
              ...(invalidation.row && 'suffix' in invalidation.row.match
                ? { confidence: 'medium' as const, severity: 'warning' as const }
                : {}),
            };
            const data = { what, release: how, released, use: useLine };
            if (use.kind === 'release') report({ ...place, messageId: 'again', data: { ...data, second: use.what } });
            else report({ ...place, messageId: 'used', data });
          }
        }
      }
    }
  },
});

/** Whether the code between a registration and a release is the path on which the registration failed. */
function isErrorPath(between: string): boolean {
  return /status\s*!=|!=\s*[\w:]*napi_ok|is_err\(\)|Err\s*\(|!\s*status/u.test(between);
}

function isHazard({ pointer, invalidation, use }: StaleUse): boolean {
  if (invalidation.kind !== 'release') return false;
  if (pointer.form === 'closure' || pointer.form === 'guard') return false;
  if (use.span.start === invalidation.span.start) return false;
  // Overwriting or forgetting a pointer is not using what it points to.
  return use.kind !== 'write';
}
