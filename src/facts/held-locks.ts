import { calledName, declaredIn, enclosing, hasAttribute, initOf, memberPath, outermost } from './d-code.js';
import { blocksIn, walkBody } from '../model/walk-body.js';
import type { Expr, ExprOf, FileIr, FunctionIr } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';

/** Words that speak of a lock. */
const WORDS = /\b(?:synchronized|lock|lock_nothrow|tryLock|acquire|cas|pthread_mutex_lock)\b/gu;

/** What a lock is taken on, as written, and where it is held. */
interface Held {
  readonly subject: string | undefined;
  readonly span: Span;
}

/** What the place is like. */
interface LockQuestion {
  /** The array is one for all objects, so that the lock of one object does not protect it. */
  readonly isOnePerProcess?: boolean;
  /** Several threads run in one call of the function (the rounds of a parallel loop), so that a lock which it makes is theirs. */
  readonly areLocalsShared?: boolean;
}

/** More calls that take a lock or give it back than anybody follows. */
const mostCalls = 128;

/** A call that takes or gives back a lock. */
interface LockCall {
  readonly on: string;
  /** Where it happens: in a `scope (exit)`, the end of the block around that. */
  readonly at: Span;
  readonly isTaken: boolean;
}

interface Locks {
  /** How often the outermost function's text speaks of a lock. */
  readonly words: number;
  readonly blocks: readonly Held[];
  /** In the order in which they happen. */
  readonly calls: readonly LockCall[];
}

/** Each growth of a function asks for its locks. */
const locks = new WeakMap<FunctionIr, Locks>();

/** `synchronized` blocks, and calls that take or give back a lock, of a function and those around it. */
function locksOf(text: string, file: FileIr, fn: FunctionIr, around: readonly FunctionIr[]): Locks {
  const known = locks.get(fn);
  if (known !== undefined) return known;
  const { span } = outermost(file, fn);
  const blocks: Held[] = [];
  const calls: LockCall[] = [];
  for (const one of around) {
    if (one.body === undefined) continue;
    const deferred = blocksIn(one.body).flatMap(({ span: { end }, statements }) =>
      statements.flatMap((s) => (s.kind === 'defer' ? [{ span: s.span, when: s.when, at: { start: end, end } }] : [])),
    );
    walkBody(one.body, ({ expr }) => {
      if (expr.kind === 'block' && expr.flavour === 'synchronized')
        blocks.push({ subject: expr.subject === undefined ? undefined : nameOf(expr.subject), span: expr.span });
      const name = calledName(expr) ?? '';
      if (expr.kind !== 'method' || !/^(?:lock|lock_nothrow|unlock|unlock_nothrow)$/u.test(name)) return;
      const later = deferred.find(({ span }) => isInside(expr.span, span));
      if (later?.when === 'failure') return;
      calls.push({ on: nameOf(expr.receiver), at: later?.at ?? expr.span, isTaken: !name.startsWith('un') });
    });
  }
  calls.sort((one, other) => one.at.start - other.at.start);
  const found = { words: [...text.slice(span.start, span.end).matchAll(WORDS)].length, blocks, calls };
  locks.set(fn, found);
  return found;
}

/**
 * D: why no lock that the function, or what is around it, mentions is held at a place for all threads; undefined when one is, or may be. Any
 * mention that is not understood is believed.
 */
export function whyUnlocked(
  text: string,
  file: FileIr,
  fn: FunctionIr,
  at: Span,
  { isOnePerProcess = false, areLocalsShared = false }: LockQuestion = {},
): string | undefined {
  const around = [fn, ...enclosing(file, fn)];
  const isMethods = around.some((one) => hasAttribute(one, 'synchronized') && !one.isStatic);
  const isOwnOnly = isMethods && isOnePerProcess && !around.some((one) => hasAttribute(one, 'static'));
  if (around.some((one) => hasAttribute(one, 'synchronized')) && !isOwnOnly) return undefined;
  const { words, blocks, calls } = locksOf(text, file, fn, around);
  const mentioned = words - (isMethods ? 1 : 0);
  if (mentioned <= 0)
    return isOwnOnly ? 'the lock of the object that it is called on is not that of the others' : 'without a lock';
  if (calls.length > mostCalls) return undefined;
  if (blocks.length + calls.filter((one) => one.isTaken).length !== mentioned) return undefined;
  const reasons: string[] = [];
  for (const { subject, span: held } of blocks) {
    if (!isInside(at, held)) continue;
    const why = whyUseless(file, fn, subject, { isOnePerProcess, areLocalsShared });
    if (why === undefined) return undefined;
    reasons.push(why);
  }
  for (const taken of calls.filter((one) => one.isTaken && one.at.start < at.start)) {
    const freed = calls.find((one) => !one.isTaken && one.on === taken.on && one.at.start > taken.at.end);
    const isFreed = freed !== undefined && freed.at.end < at.start && isStraight(around, freed.at, at);
    const why = isFreed
      ? `after '${taken.on}' was unlocked`
      : whyUseless(file, fn, taken.on, { isOnePerProcess, areLocalsShared });
    if (why === undefined) return undefined;
    reasons.push(why);
  }
  return reasons[0] ?? 'outside of the lock that the function takes';
}

function nameOf(expr: Expr): string {
  if (expr.kind === 'cast') return nameOf(expr.value);
  return memberPath(expr) ?? (expr.kind === 'method' ? `${nameOf(expr.receiver)}.${expr.method}` : '');
}

/** Why a lock keeps no other thread out: it is the object's, a local's, or one for readers. */
function whyUseless(
  file: FileIr,
  fn: FunctionIr,
  subject: string | undefined,
  { isOnePerProcess, areLocalsShared }: LockQuestion,
): string | undefined {
  if (subject === undefined) return undefined;
  if (/(?:^|\.)reader$/u.test(subject)) return 'under a lock that other readers hold, too';
  if (subject === 'self' || subject === 'this')
    return isOnePerProcess === true ? 'under the lock of one object, and not that of the others' : undefined;
  const owner = [fn, ...enclosing(file, fn)].find((one) => declaredIn(one).has(subject));
  const init = owner === undefined ? undefined : initOf(owner, subject);
  // A lock of its own for each call.
  if (areLocalsShared !== true && init?.kind === 'new' && owner?.parent === undefined && owner?.id === fn.id)
    return `under '${subject}', which each call makes anew`;
  return undefined;
}

/** Whether an unlocking stands in a block that what comes later stands in, too: not in a branch that leaves. */
function isStraight(fns: readonly FunctionIr[], freed: Span, at: Span): boolean {
  let is = true;
  for (const fn of fns)
    if (fn.body !== undefined)
      walkBody(fn.body, ({ expr }) => {
        if (expr.kind !== 'if' && expr.kind !== 'match' && expr.kind !== 'loop' && expr.kind !== 'closure') return;
        if (isInside(freed, expr.span) && !isInside(at, expr.span)) is = false;
        if (expr.kind === 'if' && branchesApart(expr, freed, at)) is = false;
      });
  return is;
}

function branchesApart(expr: ExprOf<'if'>, one: Span, other: Span): boolean {
  return isInside(one, expr.then.span) !== isInside(other, expr.then.span);
}
