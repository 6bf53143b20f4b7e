import type { FileIr, FunctionIr } from '../model/ir.js';
import { isInside } from '../model/source.js';
import { withBodyOf } from './d-code.js';
import { offsetsOf } from './growth-text.js';
import type { UnitFacts } from './unit.js';

/** A function and the file that it stands in. */
export interface FunctionAt {
  readonly file: FileIr;
  readonly fn: FunctionIr;
}

/**
 * D: whether `first` has run for the last time before `second` runs for the first: both are named at one place of the whole unit each, and
 * those are statements of `main`, one after the other: `readAll(); build(); print();`. A function inside of another one counts as that.
 */
export function isEarlierPhase(unit: UnitFacts, first: FunctionAt, second: FunctionAt): boolean {
  const before = outermost(first);
  const after = outermost(second);
  if (before.fn.name === after.fn.name || !isPlain(before.fn) || !isPlain(after.fn)) return false;
  const began = onlyMention(unit, before);
  const ended = onlyMention(unit, after);
  if (began === undefined || ended?.path !== began.path) return false;
  const file = unit.fileAt(began.path);
  const entry = file?.functions.find(
    (fn) => fn.name === 'main' && isPlain(fn) && isInside({ start: began.at, end: began.at }, fn.span),
  );
  const main = file && entry && withBodyOf(unit, file, entry);
  if (!main) return false;
  // What `scope(exit)` and nested functions hold runs at another time.
  const statements = main.body.statements.filter(({ kind }) => kind !== 'defer' && kind !== 'item');
  const text = unit.textOf(began.path) ?? '';
  const indexOf = (at: number): number =>
    statements.findIndex(({ span }) => span.start <= at && at < span.end && isCalledNow(text, span.start, at));
  const start = indexOf(began.at);
  return start >= 0 && indexOf(ended.at) > start;
}

/** Whether the name at `at` is that of a call in the statement from `start`: no address of it (`spawn(&readAll)`), and in no delegate. */
function isCalledNow(text: string, start: number, at: number): boolean {
  return (
    /^\w+\s*\(/u.test(text.slice(at, at + 200)) &&
    !/[&!]\s*$|[(,=]\s*(?:\([^()]*\)\s*)?\{|=>|\b(?:delegate|function)\b/u.test(text.slice(start, at))
  );
}

function isPlain({ owner, parent, kind }: FunctionIr): boolean {
  return kind === 'function' && owner === undefined && parent === undefined;
}

function outermost({ file, fn }: FunctionAt): FunctionAt {
  const around = file.functions.find(({ id }) => id === fn.parent);
  return around === undefined ? { file, fn } : outermost({ file, fn: around });
}

/** Where a function is named besides where it is declared; undefined when that is nowhere or at several places, comments included. */
function onlyMention(
  unit: UnitFacts,
  { file, fn }: FunctionAt,
): { readonly path: string; readonly at: number } | undefined {
  const found: { readonly path: string; readonly at: number }[] = [];
  for (const path of unit.pathsOf('d')) {
    for (const at of offsetsOf(fn.name, unit.textOf(path) ?? ''))
      if (path !== file.path || at !== fn.nameSpan.start) found.push({ path, at });
    if (found.length > 1) return undefined;
  }
  return found[0];
}
