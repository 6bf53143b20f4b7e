import { calledName, methodsOf } from '../facts/d-code.js';
import { D_POINTERS } from '../facts/d-text.js';
import { ALLOCATES, RAW_CODE, RAW_WORDS } from '../facts/raw-words.js';
import { lineOf } from '../facts/lines.js';
import { findUsesAfterUnlock } from '../facts/uses-after-unlock.js';
import { typeOfPlace } from '../flow/place-type.js';
import { describePlace } from '../flow/place.js';
import { isNumber } from '../flow/types.js';
import type { Escape, StaleUse } from '../flow/result.js';
import type { InFile, UnitFacts } from '../facts/unit.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { defineRule, type ReportStep } from './rule.js';

const TOKENS = {
  rust: ['lock(', 'read()', 'write()', 'borrow_mut('],
  d: ['synchronized', 'lock'],
};

/** `.lock()`, `try_lock()`, `tryLock()` and helpers by such names, not `block()` and `clock()`. */
const CODE = {
  rust: [/(?<![A-Za-z])lock(?:ed|_\w+)?\(|(?<![A-Za-z])guard\(/u, 'read()', 'write()', 'borrow_mut('],
  d: ['synchronized', /(?<![A-Za-z])lock|Lock/u],
};

/** The methods of a synchronized class hold none of the words themselves. */
const IN_SYNCHRONIZED: InFile = { inFile: /\bsynchronized\b/u, pattern: D_POINTERS };

/** `self.locked(|rows| ..)`: a helper that takes the lock, and gives what it guards to a closure. */
const GIVES_CLOSURE =
  /\b(?:with|lock|locked|read|write|access|inspect|using|update|modify|guarded)\w{0,20}\s*\(\s*(?:move\s*)?\|/u;

/** A helper that takes the lock for its callers. */
const GIVES_GUARD = /->[^{;]{0,300}?\b\w{0,60}Guard\b/u;

export default defineRule({
  meta: {
    id: 'pointer-escapes-lock',
    title: 'Pointer leaves the lock that guards it',
    summary: 'A pointer to storage that a lock guards leaves the critical section.',
    languages: ['rust', 'd'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-416'],
    messages: {
      leaves:
        "A pointer to '{owner}' is made under the lock on '{lock}' (line {locked}) and {where} at line {escape}: it is used without the lock from then on.",
      used: "'{how}' points to '{owner}' under the lock on '{lock}' (line {locked}), which ends at line {end} with its guard, and the pointer is used afterwards (line {use}).",
      kept: "'{pointer}' points to '{owner}' under the lock on '{lock}' (line {locked}), which is given back at line {end}, and the pointer is used afterwards (line {use}), when '{owner}' may have moved or changed.",
    },
    checklist: 'Does nothing that points to guarded storage leave the critical section?',
    scenarios: ['workers-call', 'command'],
  },
  tokens: TOKENS,
  // A pointer that the compiler does not follow is made or taken apart.
  requires: { rust: RAW_WORDS },
  bodyTokens: { rust: [...CODE.rust, GIVES_GUARD, GIVES_CLOSURE], d: [...CODE.d, IN_SYNCHRONIZED] },
  bodyRequires: { rust: [...RAW_CODE, GIVES_GUARD] },
  looksAt: 'bodies',
  perFile: ['rust', 'd'],
  check({ unit, report }) {
    for (const language of ['rust', 'd'] as const) {
      for (const file of unit.filesOf(language)) {
        const words = language === 'rust' ? [...CODE.rust, GIVES_CLOSURE] : CODE.d;
        const locking = unit.functionsWith(file, words, language === 'rust' ? RAW_CODE : undefined);
        for (const fn of [...locking, ...synchronizedMethods(file).filter((one) => !locking.includes(one))]) {
          const causes = new Set<number>();
          for (const stale of language === 'rust' ? unit.flowOf(file, fn).staleUses : []) {
            const { pointer, invalidation, use } = stale;
            const lock = pointer.locks[0];
            if (!lock || !isUseAfterGuard(stale) || causes.has(pointer.site.start)) continue;
            causes.add(pointer.site.start);
            const owner = describePlace(pointer.target);
            report({
              messageId: 'used',
              data: {
                how: pointer.how,
                owner,
                lock: lock.what,
                locked: lineOf(unit, file, lock.span.start),
                end: lineOf(unit, file, invalidation.span.start),
                use: lineOf(unit, file, use.span.start),
              },
              at: { file, span: pointer.site },
              steps: [
                { file, span: pointer.site, role: 'borrow', note: `'${pointer.how}' points to '${owner}' here.` },
                {
                  file,
                  span: invalidation.span,
                  role: 'release',
                  note: `The guard is gone here (${invalidation.how}).`,
                },
                { file, span: use.span, role: 'use', note: 'The pointer is used here without the lock.' },
              ],
              key: owner,
            });
          }
          for (const one of language === 'd' ? findUsesAfterUnlock(unit, file, fn) : [])
            report({
              messageId: 'kept',
              data: {
                pointer: one.pointer,
                owner: one.owner,
                lock: one.lock,
                locked: lineOf(unit, file, one.locked.start),
                end: lineOf(unit, file, one.unlocked.start),
                use: lineOf(unit, file, one.use.start),
              },
              at: { file, span: one.use },
              steps: [
                lockStep(file, one.locked, one.lock),
                { file, span: one.made, role: 'borrow', note: `'${one.pointer}' points to '${one.owner}' here.` },
                { file, span: one.unlocked, role: 'release', note: 'The lock is given back here.' },
                { file, span: one.use, role: 'use', note: 'The pointer is used here without the lock.' },
              ],
              key: `${one.owner}|${one.pointer}`,
            });
          const { escapes } = unit.flowOf(file, fn);
          for (const escape of ALLOCATES.test(fn.name) ? [] : escapes) {
            const lock = lockLeft(file, fn, escape);
            if (!lock || leavesWithGuard(escape, lock, escapes) || causes.has(escape.span.start)) continue;
            // What is used without the lock is told already.
            if (language === 'rust' && causes.has(escape.pointer.site.start)) continue;
            if (language === 'd' && (leavesInGuard(unit, fn, escape) || isImmutable(unit, file, escape))) continue;
            causes.add(escape.span.start);
            const { pointer } = escape;
            const owner = describePlace(pointer.target);
            report({
              messageId: 'leaves',
              data: {
                owner,
                lock: lock.what,
                locked: lineOf(unit, file, lock.span.start),
                where:
                  escape.kind === 'return'
                    ? 'returned'
                    : `stored in '${escape.into ? describePlace(escape.into) : '?'}'`,
                escape: lineOf(unit, file, escape.span.start),
              },
              at: { file, span: escape.span },
              steps: [
                lockStep(file, lock.span, lock.what),
                { file, span: pointer.site, role: 'borrow', note: `'${pointer.how}' points to '${owner}' here.` },
                { file, span: escape.span, role: 'escape', note: 'The pointer leaves the critical section here.' },
              ],
              key: owner,
            });
          }
        }
      }
    }
  },
});

/** D: the methods of `synchronized` classes: each call holds the lock of its object. */
function synchronizedMethods(file: FileIr): readonly FunctionIr[] {
  const names = new Set(
    file.types
      .filter((type) => type.kind === 'class' && type.attributes.some((one) => one.name === 'synchronized'))
      .map((type) => type.name),
  );
  return file.functions.filter(
    (fn) => fn.body !== undefined && fn.parent === undefined && fn.owner !== undefined && names.has(fn.owner),
  );
}

/** The beginning of the critical section, cut where it is a whole `synchronized` statement. */
function lockStep(file: FileIr, { start, end }: Span, what: string): ReportStep {
  const span = { start, end: Math.min(end, start + 'synchronized'.length) };
  return { file, span, role: 'acquire', note: `The lock on '${what}' is taken here.` };
}

/** D: a part of a text, or of other immutable elements: nobody writes to them, with the lock or without. */
function isImmutable(unit: UnitFacts, file: FileIr, { pointer: { form, target } }: Escape): boolean {
  const { root, path } = target;
  if (form !== 'slice' || path.at(-1) !== '[]') return false;
  const type = typeOfPlace({ root, path: path.slice(0, -1) }, unit.oracle('d'), file.path);
  return (
    /^[wd]?string$/u.test(type?.name ?? '') ||
    type?.qualifiers?.includes('immutable') === true ||
    type?.element?.qualifiers?.includes('immutable') === true
  );
}

/** Rust: what a guard gave is read or written when the guard is gone. */
function isUseAfterGuard({ pointer, invalidation, use }: StaleUse): boolean {
  if (invalidation.kind !== 'unlock') return false;
  // A method or field of a raw pointer is its own; of an erased reference it is that of what it shows.
  const isThrough = pointer.erased && pointer.form !== 'raw' && /^(?:method|field)$/u.test(use.kind);
  if (!isThrough && !/^(?:deref|index|argument)$/u.test(use.kind)) return false;
  const { root, path } = pointer.target;
  // The lock itself may be behind a reference that the function was given.
  const within = root.kind === 'param' && path[0] === '*' ? path.slice(1) : path;
  return (root.kind === 'self' || root.kind === 'global' || root.kind === 'param') && !within.includes('*');
}

/** Names of functions that give an address for the sake of telling things apart. */
const TELLS_APART = /^(?:addr|address|id|key|hash|identity)$|_(?:addr|address|id|identity)$/u;

function lockLeft(file: FileIr, fn: FunctionIr, escape: Escape): Escape['locks'][number] | undefined {
  const { pointer } = escape;
  const { into } = escape;
  const isKept =
    escape.kind === 'store' &&
    (into?.root.kind === 'param' || (file.language === 'rust' && into?.root.kind === 'self' && into.path.length > 0));
  if (escape.kind !== 'return' && !isKept) return undefined;
  if (escape.kind === 'return' && escape.context.frames.length > 0) return undefined;
  // An address that is shown or compared: `fn address(&self) -> usize`.
  const isShown = escape.kind === 'return' && isNumber(fn.returns) && TELLS_APART.test(fn.name);
  if (file.language === 'rust' && isShown && pointer.how === '&') return undefined;
  if (pointer.form === 'closure' || pointer.form === 'guard' || pointer.form === 'iterator') return undefined;
  if (file.language === 'rust' && pointer.form !== 'raw' && !pointer.erased) return undefined;
  const { root } = pointer.target;
  // Guarded is what the object or the module owns, or in Rust an object behind what the caller passed; not a local.
  const isBehind = pointer.target.path[0] === '*';
  const isGiven = file.language === 'rust' && root.kind === 'param' && (isBehind || root.type?.kind === 'reference');
  if (root.kind !== 'self' && root.kind !== 'global' && !isGiven) return undefined;
  const path = isGiven && isBehind ? pointer.target.path.slice(1) : pointer.target.path;
  if (path.length === 0 && root.kind !== 'global') return undefined;
  // A static field as a whole, which is made once under the lock: `instance`.
  if (root.kind === 'global' && root.name === root.type?.name && path.length < 2) return undefined;
  // What a stored pointer leads to (a slab, a node) is handed out on purpose: the lock guards the list, not the item.
  if (path.includes('*')) return undefined;
  return pointer.locks[0];
}

/** D: what is returned is a struct whose destructor gives the lock back: `return Guard(&value, mutex);`. */
function leavesInGuard(unit: UnitFacts, fn: FunctionIr, { kind, span }: Escape): boolean {
  if (kind !== 'return' || fn.body === undefined) return false;
  let made: string | undefined;
  const judge = (value: Expr | undefined, around: Span | undefined): void => {
    if (value?.kind !== 'call' || around === undefined || around.start > span.start || around.end < span.end) return;
    made = calledName(value) ?? made;
  };
  judge(fn.body.result, fn.body.result?.span);
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'return') judge(expr.value, expr.span);
  });
  return (
    made !== undefined &&
    unit
      .typesNamed(made, 'd')
      .some(
        (type) =>
          type.item.kind === 'struct' &&
          methodsOf(type.file, type.item).some(
            (method) =>
              method.kind === 'destructor' &&
              UNLOCKS.test((unit.textOf(type.file.path) ?? '').slice(method.span.start, method.span.end)),
          ),
      )
  );
}

const UNLOCKS = /\bunlock\w*\s*\(/u;

/** Whether the guard leaves in the same value: it locks for as long as the pointer is there. */
function leavesWithGuard(escape: Escape, lock: Escape['locks'][number], escapes: readonly Escape[]): boolean {
  return escapes.some(
    ({ kind, span, pointer }) =>
      kind === escape.kind &&
      span.start === escape.span.start &&
      pointer.form === 'guard' &&
      pointer.site.start === lock.span.start,
  );
}
