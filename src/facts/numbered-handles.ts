import type { FileIr, FunctionIr, GlobalDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { napiTypeHere } from './held-handles.js';
import { closingBracket, plainText } from './plain-text.js';
import type { UnitFacts } from './unit.js';

/** A JavaScript handle whose address a static keeps as a bare number or an untyped pointer. */
export interface NumberedHandle {
  /** The type of the handle: `Env`, `napi_ref`. */
  readonly handle: string;
  readonly fn: FunctionIr;
  /** Where the address is put into the static. */
  readonly stored: Span;
  /** Where it becomes a handle again. */
  readonly back: Span;
  /** The function that puts it there takes it out again before it returns. */
  readonly isReset: boolean;
}

/** Types that tell nothing of what they hold. */
const BARE =
  /\b(?:Atomic(?:Usize|Isize|U64|I64)|usize|isize|u64|i64)\b|\bAtomicPtr\s*<\s*(?:\(\)|u8|(?:\w+\s*::\s*)*c_void)\s*>|\*\s*(?:mut|const)\s+(?:\(\)|u8|(?:\w+\s*::\s*)*c_void)\b/u;
/** What makes a handle of a number again. */
const BACK = /\bas\s+(?:\w+\s*::\s*)*napi_\w+|\bfrom_raw\s*\(|\bas\s+\*\s*(?:mut|const)\b|\btransmute\b|\.\s*cast\b/u;

/**
 * Whether a function of the file puts the address of a handle (`env.raw() as usize`, a `napi_ref`) into the static, and one makes a handle of
 * what it reads there. Numbers that are only compared say who is asking, and keep nothing.
 */
export function findNumberedHandle(unit: UnitFacts, file: FileIr, global: GlobalDecl): NumberedHandle | undefined {
  if (!BARE.test(global.type?.text ?? '')) return undefined;
  const named = new RegExp(`\\b${global.name}\\b`, 'u');
  const users = file.functions.filter(
    (fn) => fn.bodySpan && !fn.isTest && fn.kind !== 'closure' && fn.kind !== 'async-block',
  );
  let stored: Omit<NumberedHandle, 'back'> | undefined;
  let back: Span | undefined;
  const source = unit.textOf(file.path) ?? '';
  for (const fn of users) {
    if (!fn.bodySpan || !named.test(source.slice(fn.bodySpan.start, fn.bodySpan.end))) continue;
    const body = plainText(unit, file, fn.bodySpan);
    stored ??= findStore(unit, file, fn, body, global.name, fn.bodySpan.start);
    back ??= findReadBack(body, global.name, fn.bodySpan.start);
  }
  return stored && back ? { ...stored, back } : undefined;
}

function findStore(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: string,
  name: string,
  from: number,
): Omit<NumberedHandle, 'back'> | undefined {
  const stores = new RegExp(
    `\\b${name}\\s*\\.\\s*(?:store|set|swap|get_or_init|get_or_insert_with|insert|replace)\\s*\\(|\\b${name}\\b[^;{}=]{0,80}?=(?!=)`,
    'gu',
  );
  for (const found of body.matchAll(stores)) {
    const start = found.index + found[0].length;
    const end = found[0].endsWith('(') ? closingBracket(body, start) : body.indexOf(';', start);
    const handle = handleIn(unit, file, fn, body, body.slice(start, end < 0 ? undefined : end), 0);
    if (handle === undefined) continue;
    const isReset = isTakenOut(body.slice(end < 0 ? body.length : end), name);
    // Whoever holds a lock for the whole call is alone with the static.
    if (isReset && HOLDS_LOCK.test(body.slice(0, found.index))) continue;
    return { handle, fn, stored: { start: from + found.index, end: from + start }, isReset };
  }
  return undefined;
}

/** A guard that is kept in a variable. */
const HOLDS_LOCK = /\blet\s+(?:mut\s+)?(?!_\s*[:=])\w+\s*(?::[^=;]*)?=(?!=)[^;]*\.\s*lock\s*\(\s*\)/u;

/** `NAME.store(0, ..)`, `NAME.store(previous, ..)` or `NAME = 0` behind the store. */
function isTakenOut(body: string, name: string): boolean {
  return new RegExp(
    `\\b${name}\\s*(?:\\.\\s*(?:store|set|swap)\\s*\\(\\s*|=(?!=)\\s*)(?:0\\b|(?:\\w+\\s*::\\s*)*null(?:_mut)?\\b|None\\b|(?:prev|previous|old|saved|before)\\b)`,
    'u',
  ).test(body);
}

/** The type of the handle whose address the text shows, by way of variables of the function, too. */
function handleIn(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: string,
  value: string,
  depth: number,
): string | undefined {
  const typeOf = (name: string): TypeRef | undefined => fn.params.find((p) => p.name === name)?.type;
  for (const [, name = '', field, isRaw] of value.matchAll(
    /(?<![.\w])([a-z_]\w*)\s*(?:\.\s*(env)\s*)?(\.\s*raw\s*\(\s*\))?(?!\w|\s*[(:!]|\s*\.(?!\s*cast\b))/gu,
  )) {
    const type = typeOf(name);
    if (type) {
      const seen = type.kind === 'reference' ? type.element : type;
      if (field !== undefined && seen?.name === 'CallContext') return 'Env';
      const found = seen && napiTypeHere(unit, file, seen);
      // A handle of napi-sys is a pointer; of the others the address has to be asked for.
      if (found && field === undefined && (found.library === 'napi-sys') !== (isRaw !== undefined)) return found.name;
      continue;
    }
    if (depth > 1 || field !== undefined || isRaw !== undefined) continue;
    const made = new RegExp(`\\blet\\s+(?:mut\\s+)?${name}\\s*(?::[^=;]*)?=(?!=)([^;]*);`, 'u').exec(body)?.[1];
    const inner = made === undefined ? undefined : handleIn(unit, file, fn, body, made, depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** `NAME.load(..) as sys::napi_env`, or a variable that is set to what is read there and becomes a handle in the same function. */
function findReadBack(body: string, name: string, from: number): Span | undefined {
  const read = new RegExp(
    `\\b${name}\\b(?!\\s*\\.\\s*(?:store|set)\\s*\\()(?!\\s*(?:=(?!=)|==|!=))(?:\\s*\\.\\s*(?:load|get|lock|read|swap|unwrap|expect|take|as_ref|copied)\\b|\\s*(?:as\\b|;|\\)))`,
    'u',
  ).exec(body);
  if (!read) return undefined;
  const begin = Math.max(...[';', '{', '}'].map((sign) => body.lastIndexOf(sign, read.index)));
  const end = /[;{]/u.exec(body.slice(read.index))?.index;
  const statement = body.slice(begin + 1, end === undefined ? undefined : read.index + end);
  // `let env = NAME.load(..);`, `if let Some(env) = ..`
  const held = /\blet\s+(?:mut\s+)?(?:\w+\s*\(\s*)?(?:&\s*)?(\w+)/u.exec(statement)?.[1];
  const later =
    held !== undefined &&
    new RegExp(`\\b${held}\\b[^;]*(?:${BACK.source})|(?:${BACK.source})[^;]*\\b${held}\\b`, 'u').test(
      body.slice(read.index),
    );
  if (!BACK.test(statement) && !later) return undefined;
  return { start: from + read.index, end: from + read.index + name.length };
}
