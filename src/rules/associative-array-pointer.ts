import { D_ENTRIES, D_WITH_ENTRY } from '../facts/d-text.js';
import { lineOf } from '../facts/lines.js';
import type { GrowthSite, UnitFacts } from '../facts/unit.js';
import { growthKey, typeOfPlace } from '../flow/place-type.js';
import { describePlace, extend, type Place } from '../flow/place.js';
import type { Escape, FunctionFlow, StaleUse } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { defineRule } from './rule.js';

const TOKENS = ['&', ' in ', 'with'];

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
      used: "The entry of '{owner}' that '{pointer}' looked up (line {borrow}) is taken out by '{remover}' (line {removed}), and the pointer to it is used afterwards (line {use}): what is read then is no longer in the array.",
    },
    checklist: 'Is every pointer to an entry dead before entries are removed?',
    scenarios: ['command', 'sequential'],
  },
  tokens: { d: TOKENS },
  bodyTokens: { d: [D_ENTRIES, D_WITH_ENTRY] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, functionsIn, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of functionsIn(file)) {
        const seen = new Set<number>();
        const flow = unit.flowOf(file, fn);
        for (const stale of flow.staleUses) {
          const { pointer, invalidation, use } = stale;
          if (seen.has(pointer.site.start) || !isOfRemovedEntry(unit, file, flow, stale)) continue;
          seen.add(pointer.site.start);
          const name = describePlace(invalidation.place);
          report({
            messageId: 'used',
            data: {
              owner: name,
              pointer: pointer.how,
              borrow: lineOf(unit, file, pointer.site.start),
              remover: invalidation.how,
              removed: lineOf(unit, file, invalidation.span.start),
              use: lineOf(unit, file, use.span.start),
            },
            at: { file, span: use.span },
            steps: [
              { file, span: pointer.site, role: 'borrow', note: `The entry of '${name}' is looked up here.` },
              { file, span: invalidation.span, role: 'release', note: `'${invalidation.how}' takes it out here.` },
              { file, span: use.span, role: 'use', note: 'The pointer is used here.' },
            ],
            key: `${name}|${fn.name}|used`,
          });
        }
        for (const escape of flow.escapes) {
          const owner = entryOwner(unit, file, fn, escape);
          if (owner === undefined || seen.has(escape.span.start)) continue;
          seen.add(escape.span.start);
          const removals = findRemovals(unit, file, fn, owner).filter(
            (site) => !setsAnew(unit, site, escape, file.path),
          );
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

/** What `key in table` found is used behind `table.remove(key)` with the same key, or behind `table.clear()`. */
function isOfRemovedEntry(
  unit: UnitFacts,
  file: FileIr,
  { growths }: FunctionFlow,
  { pointer, invalidation, use }: StaleUse,
): boolean {
  if (invalidation.kind !== 'grow' || use.kind === 'release') return false;
  if (pointer.form !== 'raw' && !(pointer.form === 'reference' && pointer.how === 'with')) return false;
  if (typeOfPlace(invalidation.place, unit.oracle('d'), file.path)?.kind !== 'assoc-array') return false;
  const growth = growths.find((one) => one.span.start === invalidation.span.start);
  if (growth?.operation === 'clear') return true;
  const text = unit.textOf(file.path) ?? '';
  const site = text.slice(pointer.site.start, pointer.site.end);
  const looked = (/^(.*\S)\s+in\s/su.exec(site) ?? /\[\s*([^\[\]]*[^\s\[\]])\s*\]$/su.exec(site))?.[1];
  const removed = /\.\s*remove\s*\(\s*(.*\S)\s*\)$/su.exec(
    text.slice(invalidation.span.start, invalidation.span.end),
  )?.[1];
  return growth?.operation === 'remove' && looked !== undefined && looked === removed;
}

/** The associative array of a field or variable of the module that an escaping pointer looks into. */
function entryOwner(unit: UnitFacts, file: FileIr, fn: FunctionIr, escape: Escape): Place | undefined {
  if (escape.kind !== 'return' && escape.kind !== 'store' && escape.kind !== 'collect') return undefined;
  if (escape.kind === 'return' && escape.context.frames.length > 0) return undefined;
  // `return list.any!(one => one.key in table);` of a function that only answers yes or no.
  if (escape.kind === 'return' && fn.returns?.kind === 'path' && fn.returns.name === 'bool') return undefined;
  const { pointer } = escape;
  // A result by `ref` is used at once; who takes its address is reported.
  if (pointer.how === 'ref return') return undefined;
  if (pointer.form === 'closure' || pointer.form === 'iterator' || pointer.form === 'slice' || pointer.form === 'guard')
    return undefined;
  const { root, path } = pointer.target;
  const oracle = unit.oracle('d');
  // An object that the caller gave has its table before and after the call.
  const isObject = root.kind === 'param' && oracle.declaration(root.type?.name ?? '', file.path)?.kind === 'class';
  if (root.kind !== 'self' && root.kind !== 'global' && !isObject) return undefined;
  for (let i = 0; i < path.length; i++) {
    if (path[i] === '*') return undefined;
    if (path[i] !== '[]') continue;
    // What an entry that is a pointer itself leads to is not in the array.
    if (path.includes('*', i)) return undefined;
    // Nor are the elements of an entry that is an array.
    const inner = path.indexOf('[]', i + 1);
    if (inner > 0 && typeOfPlace({ root, path: path.slice(0, inner) }, oracle, file.path)?.kind === 'slice')
      return undefined;
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
        (site.growth.operation === 'remove' ||
          site.growth.operation === 'clear' ||
          (site.growth.operation === 'replace' && isEmptied(unit, site))),
    );
}

/** `table = null;` and the like: the entries of before belong to no table any more. */
function isEmptied(unit: UnitFacts, { file, growth: { span } }: GrowthSite): boolean {
  return /=\s*(?:null|\[\s*\]|[\w.]+\.init|\(?typeof\([^()]*\)\)?\.init)\s*$/u.test(
    (unit.textOf(file.path) ?? '').slice(span.start, span.end),
  );
}

/** Whoever takes the entries out sets what holds the pointer anew, too. */
function setsAnew(unit: UnitFacts, { file, fn, growth }: GrowthSite, { kind, into }: Escape, from: string): boolean {
  if (
    (kind === 'store' || kind === 'collect') &&
    into !== undefined &&
    alsoTakesFrom(unit, { file, fn, growth }, into, from)
  )
    return true;
  if (kind !== 'store' || into?.root.kind !== 'self' || into.path.includes('[]')) return false;
  const path = into.path.join('.');
  return unit
    .flowOf(file, fn)
    .accesses.some(
      (a) =>
        a.kind === 'write' && !a.what.endsWith('()') && a.place.root.kind === 'self' && a.place.path.join('.') === path,
    );
}

/** Whoever takes the entries out takes the pointers out of the table or list that holds them, too. */
function alsoTakesFrom(
  unit: UnitFacts,
  { file, fn, growth }: Pick<GrowthSite, 'file' | 'fn' | 'growth'>,
  { root, path }: Place,
  from: string,
): boolean {
  const at = path.lastIndexOf('[]');
  const key = growthKey({ root, path: at < 0 ? path : path.slice(0, at) }, unit.oracle('d'), from);
  if (key === undefined || key === growth.key) return false;
  return unit
    .flowOf(file, fn)
    .growths.some((one) => one.key === key && (one.operation === 'remove' || one.operation === 'clear'));
}
