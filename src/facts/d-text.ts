import type { TextTest, TextToken } from './unit.js';

/** Address-of (not the operators `&` and `&&`). Begins at the sign, which is rarer than all that may stand in front of it. */
const ADDRESS_OF = String.raw`&(?<=(?:(?:[=(,;{}[:?!~>]|return|\bcast\s*\([^;()]*(?:\([^()]*\))?[^;()]*\))\s*|\))&)\s*`;
const ADDRESS = `${ADDRESS_OF}[A-Za-z_(]`;

/** A result by reference, a loop or a variable by reference; a `ref` parameter is the caller's. */
const REFERENCE = String.raw`(?:^|[;{}\s@])ref\b[^;{}()]*\(|\bforeach\w*\s*\([^;]*\bref\b|[;{}]\s*(?:auto\s+)?ref\b`;

/** A nested function, or a lambda that is called where it stands, with a `ref` parameter. */
const INNER_REFERENCE = String.raw`(?:[;{}]\s*[\w.[\]*!]+\s+\w+\s*|\(\s*)\((?:[^(){};]*[,\s])?ref\s`;

/** A function with a parameter that leads somewhere, in which something grows. */
export const GROWS_BESIDE_PARAMETER =
  /^(?=[^;{}]*(?:\bref\s|\*\s*\w+\s*[,)]))[^;{}]*\([^;{}]*(?:\bref\s|\*\s*\w+\s*[,)])[^;{}]*\)[^;{}]*\{[^]*?(?:~=|\.\s*length\s*(?:[+=]|\+\+)|\.\s*(?:insert\w*|put|reserve)\s*\()/u;

/** A function whose text does not match makes no pointer or reference to an element. */
export const D_POINTERS = new RegExp(`${ADDRESS}|\\.ptr\\b|${REFERENCE}|${INNER_REFERENCE}`, 'u');

/** The address of more than a plain variable: of an element, a member, or what a call returns by reference. */
const ELEMENT_ADDRESS = String.raw`${ADDRESS_OF}(?:\(|[A-Za-z_]\w*\s*[.([!])`;

const MAKES_ELEMENT_POINTERS = new RegExp(`${ELEMENT_ADDRESS}|\\.ptr\\b|${REFERENCE}|${INNER_REFERENCE}`, 'u');
const ANY_ADDRESS = new RegExp(ADDRESS, 'u');

/**
 * As `D_POINTERS`, without the addresses of plain variables (`&count`), which lie in no array, unless they may be members of what a `with` is about.
 */
export const D_ELEMENT_POINTERS: TextTest = {
  test: (text) => MAKES_ELEMENT_POINTERS.test(text) || (/\bwith\s*\(/u.test(text) && ANY_ADDRESS.test(text)),
};

/** `scope` where it puts an object on the stack; a static array, which is a slice without a sign; a slice of what a function makes. */
const ON_STACK = String.raw`\bscoped!|\bscope\b[^;(){}]*=\s*new\b|\w\[\s*(?!(?:bool|u?(?:byte|short|int|long)|[wd]?char|[wd]?string|size_t)\s*\])\w+\s*\]\s+\w+\s*[;=]|\w\[\]\s+\w+\s*=\s*\w+\(\)|(?:\bauto|\*|\])\s+\w+\s*=\s*[A-Z]\w*\([^;()]*\)\.\w+\s*(?:\(\))?;`;

/** Arguments that stand on the stack of the call: `int[] values ...`, `Shape shape...`; a list of types and values has no name there. */
const VARIADIC = String.raw`(?:\]\s*|[\w)](?<!\balias)\s+)\w+\s*\.\.\.\s*\)`;

/** A function that returns a pointer or a reference may have it from a helper. */
const HANDS_OUT = String.raw`^(?:[^(){};=]*\*\s*|(?=[^(){};=]*\bref\b)[^(){};=]*)\b\w+\s*\(`;

/** So may one that returns a slice, or what the compiler infers, and calls a method or property at the end. */
const HANDS_ON = String.raw`^[^(){};=]*(?:\]\s*|\bauto\s+)\b\w+\s*\([^]*\breturn\s+[\w.]+(?:\([^;()]*\))?\.\w+\s*(?:\([^;]*\))?\s*;`;

/** Something is set to what a method of a name returns. */
const SET_BY_METHOD = String.raw`[;{}]\s*(?:auto\s+|[\w.]+(?:\[\]|\*)\s+)?[\w.]+\s*=\s*\w+\.\w+\s*(?:\([^;]*\))?\s*;`;

/** What a method of a local struct returns is assigned to something. */
const KEEPS_LENT = String.raw`\b[A-Z]\w*(?:!\([^()]*\)|!\w+)?\s+(\w+)\s*(?=[;=])[^]*?[;{}]\s*(?:auto\s+|[\w.]+(?:\[\]|\*)\s+)?[\w.]+\s*=\s*\1\.\w+\s*(?:\([^;]*\))?\s*;`;

/** A member of what a call makes is assigned to something. */
const KEEPS_MADE = String.raw`[;{}]\s*[\w.]+\s*=\s*[a-z]\w*\([^;{}]*\)\.\w+\s*(?:\(\s*\))?\s*;`;

/** So is what a helper makes of it: `p = addressOf(made().field);` */
const KEEPS_SHOWN = String.raw`=\s*\w+\(\s*[\w.]+\([^();]*\)\.\w+\s*\)\s*;`;

/** A function whose text does not match, nor `D_SLICES` and `D_LENT`, makes no pointer or slice that could outlive what it shows. */
export const D_BORROWS = new RegExp(
  `${ADDRESS}|\\.ptr\\b|${VARIADIC}|tempCString|${ON_STACK}|${HANDS_OUT}|${HANDS_ON}|${KEEPS_MADE}|${KEEPS_SHOWN}`,
  'u',
);

/** The bracket of `a[]`, and of `a[i .. j]` as far as can be told without counting; that of a declared type has a name behind it. */
const SLICED = /\[(?:\s*\](?!\s*[\w@([])|(?=[^;{}]{0,200}?\.\.))/gu;
/** The name before a bracket, when nothing stands before that but blanks or an operator. */
const PLAIN_NAME = /(?<![\w.)\]]|\.\s+)([A-Za-z_]\w*)\s*$/u;
/** `int[]`, `const(char)[]`, `T[][]`, where a type is named; variables do not begin with a capital. */
const OF_TYPE =
  /(?:\b(?:const|immutable|inout|shared)\s*\([^()]*\)|(?<!\.\s*)\b(?:bool|u?(?:byte|short|int|long)|[wd]?char|[wd]?string|float|double|real|void|size_t|[A-Z]\w*))(?:\s*\[\s*\w*\s*\])*\s*$/u;
/** Values that the collector owns. */
const OF_COLLECTOR = /^\s*(?:\[|["`]|[rq]"|new\b|null\b|[^;{}()[\]]*\.\s*i?dup\s*;)/u;
/** `T[] name`, `string name`, `auto name =`, `name =`: the last word of what stands before the name, the name, and the sign behind it. */
const NAMED = /(?:(\[\s*\]|[\w)\]!*]+)(?:\s+|(?<=\])))?(?<![\w.])([A-Za-z_]\w*)\s*([;,):]|=(?!=))/gu;
/** Words before a name that declare nothing. */
const NO_TYPE = /^(?:return|case|in|is|else|do|throw|assert|with|new|delete|goto)$/u;
const OF_SLICE = /^(?:\[\s*\]|[wd]?string)$/u;
const INFERRED = /^(?:auto|const|immutable|enum|static|scope)$/u;

/**
 * A slice of something that may end with a scope: not of a variable that the function declares as a slice or text, or by `auto`, and only
 * ever sets to a literal or to what `new` or `dup` make. The collector keeps what such a variable leads to.
 */
export const D_SLICES: TextTest = {
  test(whole) {
    const text = whole.replace(/\/\/[^\n]*|\/\*[^]*?\*\//gu, ' ');
    let collected: ReadonlySet<string> | undefined;
    for (const { index, 0: bracket } of text.matchAll(SLICED)) {
      const before = text.slice(Math.max(0, index - 80), index);
      if (!/[\w)\]]\s*$/u.test(before) || (bracket.length > 1 && OF_TYPE.test(before)) || isLiteral(before)) continue;
      const name = PLAIN_NAME.exec(before)?.[1];
      if (name === undefined || !(collected ??= collectedIn(text)).has(name)) return true;
    }
    return false;
  },
};

/** Whether a text ends with a literal of an array, `[1, 2, 3]`, and not with an element, `a[1]`. */
function isLiteral(text: string): boolean {
  if (!/\]\s*$/u.test(text)) return false;
  let depth = 0;
  for (let at = text.length - 1; at >= 0; at--) {
    if (text[at] === ']') depth++;
    else if (text[at] === '[' && --depth === 0) return !/[\w)\]]\s*$/u.test(text.slice(0, at));
  }
  return false;
}

/** Variables of a text that are declared in it, and never given but what the collector owns. */
function collectedIn(text: string): ReadonlySet<string> {
  const declared = new Set<string>();
  const others = new Set<string>();
  if (/\bstaticArray\b/u.test(text)) return declared;
  for (const { 0: whole, 1: before = '', 2: name = '', 3: next, index } of text.matchAll(NAMED)) {
    const type = NO_TYPE.test(before) ? '' : before;
    const isSet = next === '=';
    if (type === '' && !isSet) continue;
    const end = index + whole.length;
    if (isSet && !OF_COLLECTOR.test(text.slice(end, end + 200))) others.add(name);
    else if (OF_SLICE.test(type) || (isSet && INFERRED.test(type))) declared.add(name);
    else if (type !== '') others.add(name);
  }
  return new Set([...declared].filter((name) => !others.has(name)));
}

/** See `KEEPS_LENT`, which is looked for only where something is set in such a way. */
export const D_LENT: TextToken = {
  word: '=',
  pattern: new RegExp(`^(?=[^]*?${SET_BY_METHOD})[^]*?${KEEPS_LENT}`, 'u'),
};

/** An entry looked up by `in`: not the word in a comment or a text, nor the contract `in {`. */
const LOOKED_UP = String.raw`(?:^|\n)(?![ \t]*(?:\*|\+|//))(?:(?!//)[^\n"]|'"'|"(?:[^"\\\n]|\\.)*")*?(?:[\w)'\]]|'"'|"(?:[^"\\\n]|\\.)*")\s+in\s+(?!\{)`;

/** The address of an element or of what a call returns by reference, or a loop by reference. */
const ENTRY_ADDRESS = `${ADDRESS_OF}${String.raw`[(*]*\w[\w.]*(?:\([^()]*\)[\w.)]*)?\s*[[(]|\bforeach\w*\s*\([^;{}]{0,120}\bref\b`}`;

/** A pointer to an entry: its address is taken, or it is looked up by `in`. */
export const D_ENTRIES = new RegExp(`${ENTRY_ADDRESS}|${LOOKED_UP}`, 'u');

const TEST_HEAD = String.raw`[^{]*\bunittest\s*\{`;

/** A test of the module, perhaps with attributes in front. */
export const IS_TEST = new RegExp(`^${TEST_HEAD}`, 'u');

/**
 * The token for functions that are no test of the module; in a test, which nobody calls and whose variables nobody else sees, only where the text
 * holds what makes a hazard of it as well.
 */
export function inTestsBeside(token: TextTest, beside: TextTest): TextTest {
  return { test: (text) => token.test(text) && (!IS_TEST.test(text) || beside.test(text)) };
}

/** What may change the size of something, by the words that such functions are named with, too. */
export const MAY_GROW_IN_TEST =
  /~=|(?<![=!<>])=(?!=)[^=;]* ~ |\.\s*length\s*(?:[-+*/~]?=(?!=)|\+\+|--)|(?:\b(?:put|add|remove|clear|swap|move|replace|shrink|rehash|set|with|register|create|build|make|load|next|refill|fill|open|spawn)|insert|append|push|reserve|realloc|emplace|enqueue|resize|grow|extend)\w*\s*(?:!\s*\w*\s*)?\(|\bassumeSafeAppend\b|\bmixin\b/iu;

/** The pattern for functions that are no test of the module: for rules that leave tests out. */
export function exceptTests({ source }: RegExp): RegExp {
  return new RegExp(`^(?!${TEST_HEAD})[^]*?(?:${source})`, 'u');
}

/** A block that works on an element. */
export const D_WITH_ENTRY = /\bwith\s*\([^;{}]*\[/u;

/** A closure: a lambda, a literal with a body that is given, kept or returned, the address of a nested function. */
export const D_CLOSURE =
  /=>|[=(,]\s*&\s*(?:[a-z_]|\(\s*cast\b)|\(shared\)\s*&|\bdelegate\b|[(,=:?]\s*\{|\breturn\s*\{|[(,=]\s*\([^()]*\)[\w@\s]*\{/u;

/** A loop over a variable, of which entries are removed or set behind the head. */
export const D_CHANGING_LOOP =
  /\bforeach\w*\s*\([^{};]*;\s*([\w.]+?)(?:\.by(?:Key|Value|KeyValue|Pair)(?:\(\))?)?\s*\)[^]*?\b\1\s*(?:\.\s*(?:remove|clear)\b|\[[^\]=;]+\]\s*=(?!=))/u;

/** A slice that is returned. */
export const D_RETURNS_SLICE = new RegExp(String.raw`\breturn\b[^;]*(?:\[\s*\]|\.\.)`, 'u');
