import type { FileIr, FunctionIr, Param } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { plainText } from './plain-text.js';
import type { UnitFacts } from './unit.js';

/** A number from JavaScript that a function takes for the address of a value of Rust. */
export interface NumberAsAddress {
  readonly fn: FunctionIr;
  readonly param: Param;
  /** The type that is read at the address. */
  readonly type: string;
  /** Where the number becomes a pointer. */
  readonly cast: Span;
  /** `&*` or `Box::from_raw`. */
  readonly how: string;
  readonly used: Span;
}

const NUMBERS = 'i64|u64|isize|usize|u32|i32|f64|i128|u128|BigInt|JsBigInt|JsNumber';
const NUMBER = new RegExp(`^(?:${NUMBERS})$`, 'u');
/** The text of a function that takes a number and casts something to a pointer to a type of its own. */
export const CASTS_NUMBER = new RegExp(
  String.raw`^(?=[^{]*:\s*(?:\w+\s*::\s*)*(?:${NUMBERS})\b)[^]*\bas\s+\*\s*(?:mut|const)\s+(?:\w+\s*::\s*)*[A-Z]`,
  'u',
);
/** Whatever asks whether the address is one that the addon gave out. */
const CHECK = /\.\s*(?:contains(?:_key)?|get)\s*\(\s*&|\bregist|\bvalidate|\bis_live\b|magic|\bcheck_\w+\s*\(/iu;

/**
 * Functions that `#[napi]` exports and that cast an integer argument to a pointer to a type of Rust, and read it or take it over: any number is
 * taken, also that of a value that is gone.
 */
export function findNumbersAsAddresses(unit: UnitFacts, file: FileIr): readonly NumberAsAddress[] {
  const source = unit.textOf(file.path) ?? '';
  if (!/\bnapi\b/u.test(source) || !/\bas\s+\*\s*(?:mut|const)\b/u.test(source)) return [];
  return file.functions.flatMap((fn) => {
    if (!fn.bodySpan || fn.isTest || !fn.attributes.some((a) => a.name === 'napi' || a.name.endsWith('::napi')))
      return [];
    const numbers = fn.params.filter((p) => p.type?.kind === 'path' && NUMBER.test(p.type.name));
    const body = numbers.length === 0 ? '' : plainText(unit, file, fn.bodySpan);
    if (!/\bas\s+\*\s*(?:mut|const)\b/u.test(body) || CHECK.test(body)) return [];
    const { start } = fn.bodySpan;
    const at = (from: number, length: number): Span => ({ start: start + from, end: start + from + length });
    const seen = new Set<number>();
    const found = numbers.flatMap((param) => {
      const cast = new RegExp(
        `(?<![.\\w])(?:${madeOf(param.name, body).join('|')})(?:\\s*\\.\\s*(?:get_\\w+|try_into|unwrap)\\s*\\(\\s*\\)\\??(?:\\s*\\.\\s*\\d)?)*(?:\\s+as\\s+\\w+)*\\s+as\\s+\\*\\s*(?:mut|const)\\s+((?:\\w+\\s*::\\s*)*[A-Z]\\w*(?:<[^;()]*>)?)`,
        'u',
      ).exec(body);
      const [whole = '', type = ''] = cast ?? [];
      if (!cast || /^(?:HWND|HANDLE|Self)$/u.test(type)) return [];
      const before = body.slice(0, cast.index);
      const after = body.slice(cast.index + whole.length);
      // At the cast itself: `&*(handle as *const State)`, `Box::from_raw(handle as *mut State)`.
      const here = /(?:&\s*(?:mut\s+)?\*\s*\(|\(\s*\*\s*\(|\b(?:Box|Arc|Rc)::from_raw\s*\(|\bptr::read\s*\()\s*$/u.exec(
        before,
      );
      if (here)
        return [
          {
            fn,
            param,
            type,
            cast: at(cast.index, whole.length),
            how: nameOf(here[0]),
            used: at(here.index, here[0].length),
          },
        ];
      const variable = /\blet\s+(?:mut\s+)?(\w+)\s*(?::[^=;]*)?=\s*(?:unsafe\s*\{\s*)?\(*\s*$/u.exec(before)?.[1];
      if (variable === undefined) return [];
      const use = new RegExp(
        `&\\s*(?:mut\\s+)?\\*\\s*${variable}\\b|\\(\\s*\\*\\s*${variable}\\s*\\)|\\b(?:Box|Arc|Rc)::from_raw\\s*\\(\\s*${variable}\\b|\\bptr::read\\s*\\(\\s*${variable}\\b|\\b${variable}\\s*\\.\\s*(?:as_ref|as_mut)\\s*\\(`,
        'u',
      ).exec(after);
      if (!use) return [];
      const from = cast.index + whole.length + use.index;
      return [
        { fn, param, type, cast: at(cast.index, whole.length), how: nameOf(use[0]), used: at(from, use[0].length) },
      ];
    });
    // Two halves of one address are one finding.
    return found.filter(({ cast }) => !seen.has(cast.start) && seen.add(cast.start));
  });
}

/** A number that is put together from others, or from bytes. */
const JOINS = /\bfrom_[lbn]e_bytes\b|<</u;
/** The same number as another type. */
const CONVERTS =
  /^[\s(]*(?:unsafe\s*\{\s*)?(?:[iu](?:64|size)::(?:try_)?from\s*\(\s*)?\w+(?:\s*\.\s*(?:get_\w+|try_into|into|unwrap)\s*\(\s*\)\??(?:\s*\.\s*\d)?|\s+as\s+\w+|[\s)?])*$/u;
/** What is counted from somewhere else is no address by itself. */
const COUNTED =
  /[\w)\]]\s*[-+*/%]\s*[\w(&]|\bas_(?:mut_)?ptr\b|\b(?:wrapping|checked|saturating)_|\.\s*(?:add|offset|len)\s*\(/u;
const FILLS = /\.\s*(?:write_\w+|copy_from_slice|extend\w*|push|put_\w+)\b|\]\s*=(?!=)/u;

/** The parameter and the locals that hold it, or what it is a part of: halves of an address that are joined again. */
function madeOf(param: string, body: string): readonly string[] {
  const names = [param];
  for (let round = 0; round < 3; round++) {
    const known = names.length;
    const named = new RegExp(`(?<![.\\w])(?:${names.join('|')})\\b`, 'u');
    for (const statement of body.split(';')) {
      const made = /\blet\s+(?:mut\s+)?(?:(\w+)|\(([\w\s,]*)\))\s*(?::[^=]*)?=(?!=)([^]*)$/u.exec(statement);
      const filled = made ? undefined : /(?:^|[\s(&])(\w+)\s*\[/u.exec(statement)?.[1];
      // Runs of blanks would be gone through again and again.
      const given = (made?.[3] ?? statement).replace(/\s+/gu, ' ');
      if (!named.test(filled === undefined ? given : given.replace(filled, ''))) continue;
      const found = made
        ? (JOINS.test(given) || CONVERTS.test(given)) && !COUNTED.test(given)
          ? (made[1] ?? made[2] ?? '')
          : ''
        : FILLS.test(statement)
          ? (filled ?? '')
          : '';
      for (const name of found.match(/\b[a-z]\w*/gu) ?? [])
        if (name !== 'mut' && !names.includes(name)) names.push(name);
    }
    if (names.length === known) break;
  }
  return names;
}

/** How the address is used, as it is written: `Box::from_raw`, `ptr::read`, or a dereference. */
function nameOf(text: string): string {
  return /\b\w+::(?:from_raw|read)\b/u.exec(text)?.[0] ?? /\bas_(?:ref|mut)\b/u.exec(text)?.[0] ?? '*';
}
