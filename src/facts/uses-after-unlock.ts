import { aggregateOf, calledName, declaredIn, hasBody, memberPath, rootName, subjectOf } from './d-code.js';
import type { UnitFacts } from './unit.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A pointer into guarded storage that a local keeps when the lock is given back, and that is used then. */
export interface UseAfterUnlock {
  readonly pointer: string;
  readonly owner: string;
  readonly lock: string;
  readonly locked: Span;
  readonly made: Span;
  readonly unlocked: Span;
  readonly use: Span;
}

interface Region {
  readonly lock: string;
  readonly start: Span;
  readonly end: Span;
}

const LOCKS = /^(?:lock|lock_nothrow|pthread_mutex_lock)$/u;
const UNLOCKS = /^(?:unlock|unlock_nothrow|pthread_mutex_unlock)$/u;

/** What stands in front of a call that runs when the scope is left. */
const PUT_OFF = /\bscope\s*\(\s*(?:exit|success|failure)\s*\)[^;]*$/u;

/**
 * D: `lock(); auto job = &jobs[0]; unlock(); job.state = 1;`, or the same with a `synchronized` statement, where what is pointed into
 * grows, or loses entries, somewhere in the file.
 */
export function findUsesAfterUnlock(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly UseAfterUnlock[] {
  if (!hasBody(fn) || fn.kind === 'constructor' || fn.kind === 'unittest') return [];
  const text = unit.textOf(file.path) ?? '';
  const regions = regionsOf(text, fn);
  if (regions.length === 0) return [];
  const own = declaredIn(fn);
  const fields = aggregateOf(file, fn)?.fields ?? [];
  const made: { name: string; owner: string; span: Span; region: Region }[] = [];
  const given: { name: string; at: number }[] = [];
  const take = (name: string, value: Expr): void => {
    given.push({ name, at: value.span.start });
    const owner = ownerOf(value);
    if (owner === undefined || own.has(owner)) return;
    const isGuarded =
      fields.some((field) => field.name === owner && !field.isStatic) ||
      unit.oracle('d').global(owner, file.path) !== undefined;
    const region = regions.find((one) => one.start.start < value.span.start && value.span.end <= one.end.end);
    if (isGuarded && region !== undefined && changes(text, owner)) made.push({ name, owner, span: value.span, region });
  };
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      take(statement.pattern.name, expr);
    if (expr.kind === 'assign' && expr.operator === '=' && expr.target.kind === 'name' && expr.target.path.length === 1)
      take(expr.target.path[0] ?? '', expr.value);
  });
  const found: UseAfterUnlock[] = [];
  if (made.length === 0) return found;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'name' || expr.path.length !== 1) return;
    const parent = around.at(-1);
    const isRead =
      parent?.kind === 'deref' || ((parent?.kind === 'field' || parent?.kind === 'index') && parent.base === expr);
    if (!isRead) return;
    const last = given.findLast((one) => one.name === expr.path[0] && one.at < expr.span.start);
    const from = made.find((one) => one.name === expr.path[0] && one.span.start === last?.at);
    if (from === undefined || expr.span.start < from.region.end.end) return;
    if (found.some((one) => one.made === from.span)) return;
    const isLockedAgain = regions.some(
      (one) => one.lock === from.region.lock && one.start.start < expr.span.start && expr.span.end <= one.end.end,
    );
    // What stands behind a `return` or in another branch comes later in the text only.
    if (isLockedAgain || leavesBetween(text, from.region.end.end, expr.span.start)) return;
    found.push({
      pointer: from.name,
      owner: from.owner,
      lock: from.region.lock,
      locked: from.region.start,
      made: from.span,
      unlocked: from.region.end,
      use: parent.span,
    });
  });
  return found;
}

/** `synchronized` statements, and what stands between a lock and the first time that it is given back in the text. */
function regionsOf(text: string, fn: FunctionIr & { readonly body: NonNullable<FunctionIr['body']> }): Region[] {
  const regions: Region[] = [];
  const locks: { lock: string; span: Span }[] = [];
  const unlocks: { lock: string; span: Span }[] = [];
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'block' && expr.flavour === 'synchronized') {
      const lock = (expr.subject && memberPath(expr.subject)) ?? 'this';
      regions.push({ lock, start: expr.span, end: { start: expr.span.end - 1, end: expr.span.end } });
    }
    const name = calledName(expr) ?? '';
    const isLock = LOCKS.test(name);
    if (!isLock && !UNLOCKS.test(name)) return;
    const subject = subjectOf(expr);
    const lock = subject && (memberPath(subject.kind === 'address' ? subject.base : subject) ?? '');
    if (lock === undefined || lock === '') return;
    if (isLock) locks.push({ lock, span: expr.span });
    else if (PUT_OFF.test(text.slice(Math.max(0, expr.span.start - 60), expr.span.start)))
      // It is held to the end.
      unlocks.push({ lock, span: { start: fn.span.end, end: fn.span.end } });
    else unlocks.push({ lock, span: expr.span });
  });
  for (const { lock, span } of locks) {
    const behind = unlocks.filter((one) => one.lock === lock && one.span.start > span.end);
    const isHeld = behind.some((one) => one.span.start === fn.span.end);
    const [end] = behind;
    if (!isHeld && end !== undefined) regions.push({ lock, start: span, end: end.span });
  }
  return regions;
}

/** The member or variable that a pointer leads into: `&jobs[i]`, `&jobs[i].state`, `key in table`. */
function ownerOf(value: Expr): string | undefined {
  if (value.kind === 'binary' && value.operator === 'in') return memberPath(value.right);
  if (value.kind !== 'address') return undefined;
  for (let at: Expr = value.base; at.kind === 'index' || at.kind === 'field'; at = at.base)
    if (at.kind === 'index') {
      const root = rootName(value.base);
      return root !== undefined && memberPath(at.base) === root ? root : undefined;
    }
  return undefined;
}

/** The array grows or the table loses entries somewhere. */
function changes(text: string, owner: string): boolean {
  const name = owner.replaceAll(/[^\w]/gu, '');
  return new RegExp(
    String.raw`\b${name}\s*(?:~=|\.\s*(?:length\s*(?:[-+]?=[^=]|\+\+)|remove\b|clear\b|insertBack\b|reserve\b))`,
    'u',
  ).test(text);
}

/** Whether the way from one place to the other is left in between, as far as the text shows. */
function leavesBetween(text: string, from: number, to: number): boolean {
  return /\breturn\b[^;]*;|\b(?:throw|else|continue|break|goto|case|default)\b/u.test(text.slice(from, to));
}
