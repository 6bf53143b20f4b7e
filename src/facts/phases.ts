import type { FileIr, FunctionIr, Statement } from '../model/ir.js';
import { outermost, withBodyOf } from './d-code.js';
import { offsetsOf } from './growth-text.js';
import type { UnitFacts } from './unit.js';

/** A function and the file that it stands in. */
export interface FunctionAt {
  readonly file: FileIr;
  readonly fn: FunctionIr;
}

/**
 * D: whether `first` has run for the last time before `second` runs for the first: both are named at one place of the whole unit each, and
 * those are statements of the `main` of the second one's file, one after the other: `readAll(); build(); print();`. In place of `second` a
 * function inside of it counts, too; one inside of `first` may be started as a thread.
 */
export function isEarlierPhase(unit: UnitFacts, first: FunctionAt, second: FunctionAt): boolean {
  const after = outermost(second.file, second.fn);
  if (!isPlain(first.fn) || !isPlain(after) || first.fn.name === after.name) return false;
  const calls = callsOfMain(unit, second.file);
  const began = calls.get(first.fn.name);
  const ended = calls.get(after.name);
  return (
    began !== undefined &&
    ended !== undefined &&
    began < ended &&
    isNamedOnce(unit, first.fn.name) &&
    isNamedOnce(unit, after.name)
  );
}

const mains = new WeakMap<FileIr, ReadonlyMap<string, number>>();

/** The functions that the `main` of a file calls as a part of its own statements, with the number of the statement; none where it jumps. */
function callsOfMain(unit: UnitFacts, file: FileIr): ReadonlyMap<string, number> {
  let calls = mains.get(file);
  if (calls === undefined) mains.set(file, (calls = readCalls(unit, file)));
  return calls;
}

function readCalls(unit: UnitFacts, file: FileIr): ReadonlyMap<string, number> {
  const entry = file.functions.find((fn) => fn.name === 'main' && isPlain(fn));
  const text = unit.textOf(file.path) ?? '';
  const main = entry && withBodyOf(unit, file, entry);
  const calls = new Map<string, number>();
  if (!main || /\bgoto\b/u.test(text.slice(main.span.start, main.span.end))) return calls;
  if ((text.match(/\bmain\s*\(/gu)?.length ?? 0) > 1) return calls;
  main.body.statements.forEach((statement, at) => {
    for (const name of calledNow(text, statement)) calls.set(name, at);
  });
  return calls;
}

/** Names of what a statement calls when it runs: not by an address (`spawn(&readAll)`), in a delegate, or when the scope is left. */
function calledNow(text: string, { kind, span }: Statement): readonly string[] {
  if (kind === 'defer' || kind === 'item') return [];
  const own = text.slice(span.start, span.end);
  const end = own.search(/[(,=]\s*(?:\([^()]*\)\s*)?\{|=>|\b(?:delegate|function)\b/u);
  const now = end < 0 ? own : own.slice(0, end);
  return [...now.matchAll(/(?<![&!\w])\b([A-Za-z_]\w*)\s*\(/gu)].map(([, name = '']) => name);
}

function isPlain({ owner, parent, kind }: FunctionIr): boolean {
  return kind === 'function' && owner === undefined && parent === undefined;
}

const counted = new WeakMap<UnitFacts, Map<string, boolean>>();

/** Whether a function is named at one place of the unit besides where it is declared; a comment that names it makes it two. */
function isNamedOnce(unit: UnitFacts, name: string): boolean {
  let known = counted.get(unit);
  if (known === undefined) counted.set(unit, (known = new Map<string, boolean>()));
  let isOnce = known.get(name);
  if (isOnce === undefined) {
    let count = 0;
    for (const path of unit.pathsOf('d')) {
      if (count > 2) break;
      count += offsetsOf(name, unit.textOf(path) ?? '').length;
    }
    known.set(name, (isOnce = count === 2));
  }
  return isOnce;
}

/**
 * D: whether a method only builds its object: every place of its file that names it, where it is not declared, is in a constructor, and no
 * other file names a member of that name without a function of its own.
 */
export function isPartOfConstruction(unit: UnitFacts, { file, fn }: FunctionAt): boolean {
  const { name } = fn;
  if (fn.kind !== 'method' || fn.owner === undefined) return false;
  const makers = file.functions.filter((one) => one.kind === 'constructor');
  if (makers.length === 0) return false;
  const declared = new Set(file.functions.flatMap((one) => (one.name === name ? [one.nameSpan.start] : [])));
  const named = offsetsOf(name, unit.textOf(file.path) ?? '').filter((at) => !declared.has(at));
  if (named.length === 0 || !named.every((at) => makers.some(({ span }) => span.start < at && at < span.end)))
    return false;
  const own = new RegExp(String.raw`[\w\])*]\s+${name}\s*\(`, 'u');
  return unit.pathsOf('d').every((path) => {
    const text = path === file.path ? '' : (unit.textOf(path) ?? '');
    return offsetsOf(name, text).length === 0 || own.test(text);
  });
}
