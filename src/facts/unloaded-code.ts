import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { hasDrop } from './declarations.js';
import { closingBracket, plainText } from './plain-text.js';
import type { UnitFacts } from './unit.js';

/** Code of a shared library, or an object whose methods are in it, that is used when the library is unloaded. */
export interface UnloadedCode {
  readonly fn: FunctionIr;
  /** The variable or field that unloads the library at its end. */
  readonly library: string;
  readonly loaded: Span;
  /** The function pointer that was copied out of its symbol, or the object that one made. */
  readonly code: string;
  readonly taken: Span;
  /** Where the library is unloaded: a `drop`, the end of the function, or the field that is declared first. */
  readonly unloaded: Span;
  readonly how: string;
  /** Where the code runs afterwards, or leaves. */
  readonly used: Span;
}

/** Files in which a library is opened by hand. */
export const OPENS_LIBRARY = /\bLibrary\s*::\s*(?:new|open)\s*\(/u;
const OPENED = /\blet\s+(?:mut\s+)?(\w+)\s*(?::[^=;]*)?=(?!=)([^;]*?\bLibrary\s*::\s*(?:new|open)\s*\([^;]*);/u;
/** What keeps the library for good, or shares it. */
const KEEPS = /\bleak\b|\bManuallyDrop\b|\bforget\b|\b(?:Arc|Rc)\b|\bstatic\b/u;

/**
 * A library that a function opens and that ends while its code is still used: a function pointer is copied out of a symbol
 * (`*library.get::<fn()>(..)?`), which then knows of no lifetime, and is called after `drop(library)` or returned; a boxed trait object that a
 * symbol made is returned, or stands in a struct behind the library, whose fields end in the order of their declaration.
 */
export function findUnloadedCode(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly UnloadedCode[] {
  if (!fn.bodySpan || fn.isTest || fn.parent !== undefined) return [];
  const source = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!OPENS_LIBRARY.test(source)) return [];
  const body = plainText(unit, file, fn.bodySpan);
  const opened = OPENED.exec(body);
  const library = opened?.[1];
  if (!opened || library === undefined || KEEPS.test(body)) return [];
  const from = fn.bodySpan.start;
  const at = (start: number, length: number): Span => ({ start: from + start, end: from + start + length });
  const codes = findCode(body, library);
  const found: UnloadedCode[] = [];
  // A table of thousands of functions asks for each of them.
  const drops = [
    ...body.matchAll(new RegExp(`\\bdrop\\s*\\(\\s*${library}\\s*\\)|\\b${library}\\s*\\.\\s*close\\s*\\(`, 'gu')),
  ];
  const mentions = mentionsOf(body, new Set(codes.map((code) => code.name)));
  let isAskedOnly: boolean | undefined;
  for (const { name, index, isObject } of codes) {
    const base = { fn, library, loaded: at(opened.index, opened[0].length), code: name, taken: at(index, 3) };
    const dropped = drops.find((one) => one.index >= index);
    const rest = dropped && body.slice(dropped.index);
    const call = rest && new RegExp(`(?<![.\\w])${name}\\s*[.(]`, 'u').exec(rest);
    if (dropped && call && isStraight(rest.slice(0, call.index), [library, name])) {
      found.push({
        ...base,
        unloaded: at(dropped.index, dropped[0].length),
        how: dropped[0].startsWith('drop') ? 'drop' : 'close',
        used: at(dropped.index + call.index, name.length),
      });
      continue;
    }
    const left = mentions.get(name)?.find((one) => one >= index && isLeft(body, one, name));
    if (left !== undefined && (isAskedOnly ??= isOnlyAsked(body, library))) {
      const end = body.length - 1;
      found.push({
        ...base,
        unloaded: at(end, 1),
        how: 'the end of the function',
        used: at(left, name.length),
      });
      continue;
    }
    const order = isObject ? findOrder(unit, file, fn, body, library, name) : undefined;
    if (order) found.push({ ...base, unloaded: order.library, how: 'the order of the fields', used: order.code });
  }
  return found;
}

/** Where the names stand in a text, in order. */
function mentionsOf(body: string, names: ReadonlySet<string>): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const { 0: word, index } of body.matchAll(/\w+/gu)) {
    if (!names.has(word)) continue;
    const known = found.get(word);
    if (known) known.push(index);
    else found.set(word, [index]);
  }
  return found;
}

/** How far a statement's beginning or end is looked for. */
const nearby = 200;

/** `return code;`, or `Ok(code)` and `code` at the end of a block. */
function isLeft(body: string, at: number, name: string): boolean {
  if (!/(?:\breturn\s+|[;}{]\s*)(?:(?:Ok|Some)\s*\(\s*)?$/u.test(body.slice(Math.max(0, at - nearby), at)))
    return false;
  const end = at + name.length;
  const after = body.slice(end, end + nearby);
  return (
    /^\s*\)?\s*(?:\}\s*)?;/u.test(after) || (end + nearby >= body.length && /^\s*\)?\s*(?:\}\s*)?\}$/u.test(after))
  );
}

/** Whether a text goes on where it began: the block around that does not end in it, and none of the variables is declared anew. */
function isStraight(text: string, names: readonly string[]): boolean {
  if (closingBracket(text, 0) < text.length) return false;
  return !new RegExp(`\\blet\\s+(?:mut\\s+)?(?:${names.join('|')})\\b`, 'u').test(text);
}

interface Code {
  readonly name: string;
  readonly index: number;
  /** A trait object: its methods, and its `drop`, are code of the library. */
  readonly isObject: boolean;
}

/** Variables with function pointers out of symbols of the library, and with trait objects that its functions made. */
function findCode(body: string, library: string): readonly Code[] {
  const found: Code[] = [];
  const symbols = new Set<string>();
  for (const { 1: name = '', 2: type = '', 3: value = '', index } of body.matchAll(
    /\blet\s+(?:mut\s+)?(\w+)\s*(?::([^=;]*))?=(?!=)\s*([^;]*);/gu,
  )) {
    const isAsked = new RegExp(`\\b${library}\\s*\\.\\s*get\\b`, 'u').test(value);
    const symbol = symbolIn(value, symbols);
    // `**symbol` reads what the code's variable holds.
    const isCopy = /^(?:unsafe\s*\{\s*)?\*(?!\*)/u.test(value);
    if (isAsked && isCopy) found.push({ name, index, isObject: false });
    else if (isAsked) symbols.add(name);
    else if (symbol !== undefined && isCopy && !/\(/u.test(value.replace(/\(\s*\)/u, '')))
      found.push({ name, index, isObject: false });
    else if (symbol !== undefined && new RegExp(`(?<![.\\w])\\(?\\*?${symbol}\\s*\\)?\\s*\\(`, 'u').test(value))
      if (/\bBox\s*::\s*from_raw\b/u.test(value) || /\bBox\s*<\s*dyn\b/u.test(type))
        found.push({ name, index, isObject: true });
    if (isAsked && isCopy) symbols.add(name);
  }
  return found;
}

/** The first name of a set in a text that is no field or method. */
function symbolIn(text: string, symbols: ReadonlySet<string>): string | undefined {
  for (const [word] of text.matchAll(/(?<![.\w])\w+/gu)) if (symbols.has(word)) return word;
  return undefined;
}

/** Whether the function does nothing with the library but ask it for symbols, so that it ends here. */
function isOnlyAsked(body: string, library: string): boolean {
  return [...body.matchAll(new RegExp(`(?<![.\\w])${library}\\b`, 'gu'))].every(({ index }) =>
    /^\w+\s*(?:\.\s*get\b|(?::[^=;]*)?=(?!=))/u.test(body.slice(index)),
  );
}

/** A struct literal of the function with both, whose declaration has the library before the object and no `Drop` of its own. */
function findOrder(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: string,
  library: string,
  object: string,
): { readonly library: Span; readonly code: Span } | undefined {
  for (const decl of file.types) {
    if (decl.kind !== 'struct' || decl.isTest || hasDrop(unit, decl.name)) continue;
    const literal = new RegExp(
      `\\b(?:${decl.name}${decl.name === fn.owner ? '|Self' : ''})\\s*\\{([^{}]*)\\}`,
      'u',
    ).exec(body)?.[1];
    const fieldOf = (value: string): number => {
      const name = new RegExp(`(\\w+)\\s*:\\s*${value}\\s*(?:,|$)|(?:^|,)\\s*(${value})\\s*(?:,|$)`, 'u').exec(
        literal ?? '',
      );
      return decl.fields.findIndex((f) => f.name === (name?.[1] ?? name?.[2]));
    };
    const first = fieldOf(library);
    const second = fieldOf(object);
    const [holder, code] = [decl.fields[first], decl.fields[second]];
    if (holder?.type?.name !== 'Library' || !code || first > second || !/\bdyn\b/u.test(code.type?.text ?? ''))
      continue;
    if (/\bManuallyDrop\b/u.test(code.type?.text ?? '')) continue;
    return { library: holder.span, code: code.span };
  }
  return undefined;
}
