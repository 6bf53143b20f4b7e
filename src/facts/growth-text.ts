import type { Language } from '../model/ir.js';
import { isWordAt } from './plain-text.js';

/** What stands behind the name of a variable or field that grows. */
const BEHIND: Readonly<Record<Language, string>> = {
  d: String.raw`\s*(?:\[[^\]]*\]\s*)?(?:~=|\.\s*(?:length|reserve|insert\w*|put|assumeSafeAppend|remove\w*|clear)|=[^=])`,
  rust: String.raw`\s*(?:\.\s*\w+\(\)\??\s*)*(?:\.\s*(?:push|extend|reserve|insert|resize|shrink|append|split_off|drain|truncate|set_len|retain|remove|swap_remove|dedup|take|replace|clear|clone_from)|=[^=>])`,
};

/** What stands in front of a path that ends with the name: in D behind a bracket, too. */
const BEFORE_IN_D: readonly string[] = ['realloc', 'assumeSafeAppend', 'reserve', 'move', 'swap', '&'];

/** Where a text has a word, in order. */
export function offsetsOf(word: string, text: string): readonly number[] {
  const found: number[] = [];
  for (let at = text.indexOf(word); at >= 0 && word !== ''; at = text.indexOf(word, at + word.length))
    if (!isWordAt(text, at - 1) && !isWordAt(text, at + word.length)) found.push(at);
  return found;
}

/**
 * Whether a text holds what a growth of the variable or field `name` looks like, aliases by address included; it is asked with the
 * offsets of the name in the text. Looked at around the name, which is rarer than all else.
 */
export function growthNear(name: string, language: Language): (text: string, offsets: readonly number[]) => boolean {
  const behind = new RegExp(BEHIND[language], 'uy');
  const isBefore = language === 'd' ? isGivenInD : isLentInRust;
  if (name === '') {
    const before =
      language === 'd' ? String.raw`(?:${BEFORE_IN_D.join('|')})\s*\(?\s*[\w.]*\b` : String.raw`&mut\s[\w.]*\b`;
    const anywhere = new RegExp(String.raw`\b${BEHIND[language]}|${before}`, 'u');
    return (text) => anywhere.test(text);
  }
  return (text, offsets) =>
    offsets.some((at) => {
      behind.lastIndex = at + name.length;
      return behind.test(text) || isBefore(text, at);
    });
}

/** `&mut self.items` */
function isLentInRust(text: string, at: number): boolean {
  const start = startOfPath(text, at);
  return start >= 5 && text.startsWith('&mut', start - 5) && isBlankAt(text, start - 1);
}

/** `swap(a.items`, `&items`, `move (items` */
function isGivenInD(text: string, at: number): boolean {
  const start = startOfPath(text, at);
  const path = text.slice(start, at);
  if (BEFORE_IN_D.some((word) => path.includes(word))) return true;
  let end = start;
  while (isBlankAt(text, end - 1)) end--;
  if (text.charAt(end - 1) === '(') end--;
  while (isBlankAt(text, end - 1)) end--;
  return BEFORE_IN_D.some((word) => end >= word.length && text.startsWith(word, end - word.length));
}

/** D: of the places where a text has the name, those where a helper of the module may be given it by reference. */
export function givenToHelpers(name: string, text: string, offsets: readonly number[]): readonly number[] {
  return offsets.filter((at) => isGivenToHelper(text, at, at + name.length));
}

/**
 * D: `append(this.items, x)`, `items.append(x)`, where the module has a function of that name with a parameter by `ref`, or another one
 * may.
 */
function isGivenToHelper(text: string, at: number, end: number): boolean {
  AS_RECEIVER.lastIndex = end;
  let helper = AS_RECEIVER.exec(text)?.[1];
  if (helper === undefined) {
    AS_ARGUMENT.lastIndex = end;
    let start = startOfPath(text, at);
    while (isBlankAt(text, start - 1)) start--;
    if (text.charAt(start - 1) !== '(' || !AS_ARGUMENT.test(text)) return false;
    start--;
    let from = start;
    while (isWordAt(text, from - 1)) from--;
    helper = text.slice(from, start);
  }
  // One helper may be called at many places, and each answer goes through the whole text.
  if (declared.text !== text) declared = { text, byRef: new Map() };
  const known = declared.byRef.get(helper);
  if (known !== undefined) return known;
  // A function of another module is followed under such a name only.
  const is = NAMED_FOR_GROWTH.test(helper) || takesByRef(helper, text);
  declared.byRef.set(helper, is);
  return is;
}

/** What is known of the helpers of the text that was asked for last: names are asked for text by text. */
let declared: { readonly text: string; readonly byRef: Map<string, boolean> } = { text: '', byRef: new Map() };

/** Whether a text declares a function of this name whose first parameter is by `ref`. Most that is called is not declared in it. */
function takesByRef(helper: string, text: string): boolean {
  for (
    let found = text.indexOf(`${helper}(`);
    found >= 0 && helper !== '';
    found = text.indexOf(`${helper}(`, found + 1)
  ) {
    if (isWordAt(text, found - 1)) continue;
    FIRST_BY_REF.lastIndex = found + helper.length;
    if (FIRST_BY_REF.test(text)) return true;
  }
  return false;
}

const PUTS = '(?:add|append|push|put|insert|grow|extend|reserve|enqueue|register|emplace|concat|fill|collect)';

/** D: how functions are named that put something into what they are given. */
export const NAMED_FOR_GROWTH = new RegExp(`^${PUTS}`, 'u');

/** D: where a text looks to declare such a function, with its first parameter by `ref`: `append(T)(ref T[] list`. */
export const TAKES_BY_REF = new RegExp(
  String.raw`\b(${PUTS}\w*)\s*(?:\([^()]*\)\s*)?\(\s*(?:(?:scope|return|auto)\s+)*ref\b`,
  'gu',
);

const AS_RECEIVER = /\s*\.\s*([A-Za-z_]\w*)\s*\(/uy;
const AS_ARGUMENT = /\s*[,)]/uy;
const FIRST_BY_REF = /\s*\((?:[\w\s!]*\)\s*\()?\s*(?:(?:scope|return|auto)\s+)*ref\b/uy;

/** Where the dotted path begins whose last name stands at `at`. */
function startOfPath(text: string, at: number): number {
  let start = at;
  while (start > 0 && (text.charAt(start - 1) === '.' || isWordAt(text, start - 1))) start--;
  return start;
}

function isBlankAt(text: string, at: number): boolean {
  return at >= 0 && /\s/u.test(text.charAt(at));
}
