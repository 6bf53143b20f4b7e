import { D_ENTRIES } from '../facts/d-text.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { growthKey, typeOfPlace } from '../flow/place-type.js';
import { describePlace, extend, type Place } from '../flow/place.js';
import type { Escape } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { defineRule } from './rule.js';

const TOKENS = ['&', ' in '];

export default defineRule({
  meta: {
    id: 'associative-array-pointer',
    title: 'Pointer to an entry of an associative array',
    summary: 'A pointer to an entry of an associative array leaves the function, and entries are removed elsewhere.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-825', 'CWE-672'],
    messages: {
      escapes:
        "A pointer to an entry of '{owner}' is {how}, and '{remover}' removes entries ({removal}): from then on the pointer means an entry that is no longer in the array, and what is written through it is lost.",
    },
    checklist: 'Is every pointer to an entry dead before entries are removed?',
    scenarios: ['command', 'sequential'],
  },
  tokens: { d: TOKENS },
  requires: { d: ['.remove', '.clear'] },
  bodyTokens: { d: [D_ENTRIES] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, functionsIn, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of functionsIn(file)) {
        const seen = new Set<number>();
        for (const escape of unit.flowOf(file, fn).escapes) {
          const owner = entryOwner(unit, file, escape);
          if (owner === undefined || seen.has(escape.span.start)) continue;
          seen.add(escape.span.start);
          const removals = findRemovals(unit, file, fn, owner);
          const first = removals[0];
          if (first === undefined) continue;
          const name = describePlace(owner);
          const how =
            escape.kind === 'return'
              ? 'returned'
              : escape.into === undefined
                ? 'stored'
                : `stored in '${describePlace(escape.into)}'`;
          const line = lineOf(unit, first.file, first.growth.span.start);
          report({
            messageId: 'escapes',
            data: {
              owner: name,
              how,
              remover: first.fn.qualifiedName,
              removal: first.file.path === file.path ? `line ${line}` : `${first.file.path}:${line}`,
            },
            at: { file, span: escape.span },
            steps: [
              {
                file,
                span: escape.pointer.site,
                role: 'borrow',
                note: `'${escape.pointer.how}' points to an entry of '${name}' here.`,
              },
              { file, span: escape.span, role: 'escape', note: `The pointer is ${how} here.` },
              ...removals.slice(0, 4).map((site) => ({
                file: site.file,
                span: site.growth.span,
                role: 'release' as const,
                note: `'${site.growth.how}' takes entries out here.`,
              })),
            ],
            key: `${name}|${fn.name}`,
            // An operator of a container shows its entries on purpose; whoever keeps the pointer is at fault.
            ...(escape.kind === 'return' && /^_?op[A-Z]/u.test(fn.name) ? { severity: 'note' as const } : {}),
          });
        }
      }
    }
  },
});

/** The associative array of a field or variable of the module that an escaping pointer looks into. */
function entryOwner(unit: UnitFacts, file: FileIr, escape: Escape): Place | undefined {
  if (escape.kind !== 'return' && escape.kind !== 'store' && escape.kind !== 'collect') return undefined;
  if (escape.kind === 'return' && escape.context.frames.length > 0) return undefined;
  const { pointer } = escape;
  if (pointer.form === 'closure' || pointer.form === 'iterator' || pointer.form === 'slice' || pointer.form === 'guard')
    return undefined;
  const { root, path } = pointer.target;
  if (root.kind !== 'self' && root.kind !== 'global') return undefined;
  const oracle = unit.oracle('d');
  for (let i = 0; i < path.length; i++) {
    if (path[i] === '*') return undefined;
    if (path[i] !== '[]') continue;
    // What an entry that is a pointer itself leads to is not in the array.
    if (path.includes('*', i)) return undefined;
    const owner = extend({ root, path: [] }, ...path.slice(0, i));
    return typeOfPlace(owner, oracle, file.path)?.kind === 'assoc-array' ? owner : undefined;
  }
  return undefined;
}

function findRemovals(unit: UnitFacts, file: FileIr, fn: FunctionIr, owner: Place): ReturnType<UnitFacts['growthsOf']> {
  const key = growthKey(owner, unit.oracle('d'), file.path);
  if (key === undefined) return [];
  return unit
    .growthsOf(key, 'd', file.path)
    .filter(
      (site) =>
        !site.inConstructor &&
        (site.fn.isTest === fn.isTest || !site.fn.isTest) &&
        (site.growth.operation === 'remove' || site.growth.operation === 'clear'),
    );
}
