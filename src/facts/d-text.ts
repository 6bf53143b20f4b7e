import type { TextToken } from './unit.js';

/** Address-of (not the operators `&` and `&&`). Begins at the sign, which is rarer than all that may stand in front of it. */
const ADDRESS = String.raw`&(?<=(?:(?:[=(,;{}[:?!~>]|return|\bcast\s*\([^;()]*(?:\([^()]*\))?[^;()]*\))\s*|\))&)\s*[A-Za-z_(]`;

/** A result by reference, a loop or a variable by reference; a `ref` parameter is the caller's. */
const REFERENCE = String.raw`(?:^|[;{}\s@])ref\b[^;{}(]*\(|\bforeach\w*\s*\([^;]*\bref\b|[;{}]\s*(?:auto\s+)?ref\b`;

/** `a[]` and `a[i .. j]`; the brackets of a type have a name behind them. */
const SLICE = String.raw`[\w)\]]\s*\[\s*\](?!\s*[\w@([])|\[[^;{}]{0,200}?\.\.`;

/** A nested function, or a lambda that is called where it stands, with a `ref` parameter. */
const INNER_REFERENCE = String.raw`(?:[;{}]\s*[\w.[\]*!]+\s+\w+\s*|\(\s*)\((?:[^(){};]*[,\s])?ref\s`;

/** A function with a parameter that leads somewhere, in which something grows. */
export const GROWS_BESIDE_PARAMETER =
  /^(?=[^;{}]*(?:\bref\s|\*\s*\w+\s*[,)]))[^;{}]*\([^;{}]*(?:\bref\s|\*\s*\w+\s*[,)])[^;{}]*\)[^;{}]*\{[^]*?(?:~=|\.\s*length\s*(?:[+=]|\+\+)|\.\s*(?:insert\w*|put|reserve)\s*\()/u;

/** A function whose text does not match makes no pointer or reference to an element. */
export const D_POINTERS = new RegExp(`${ADDRESS}|\\.ptr\\b|${REFERENCE}|${INNER_REFERENCE}`, 'u');

/** `scope` where it puts an object on the stack; a static array, which is a slice without a sign; a slice of what a function makes. */
const ON_STACK = String.raw`\bscoped!|\bscope\b[^;(){}]*=\s*new\b|\w\[\w+\]\s+\w+\s*[;=]|\w\[\]\s+\w+\s*=\s*\w+\(\)|(?:\bauto|\*|\])\s+\w+\s*=\s*[A-Z]\w*\([^;()]*\)\.\w+\s*(?:\(\))?;`;

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

/** A function whose text does not match, nor `D_LENT`, makes no pointer or slice that could outlive what it shows. */
export const D_BORROWS = new RegExp(
  `${ADDRESS}|\\.ptr\\b|\\.\\.\\.|${SLICE}|tempCString|${ON_STACK}|${HANDS_OUT}|${HANDS_ON}|${KEEPS_MADE}|${KEEPS_SHOWN}`,
  'u',
);

/** See `KEEPS_LENT`, which is looked for only where something is set in such a way. */
export const D_LENT: TextToken = {
  word: '=',
  pattern: new RegExp(`^(?=[^]*?${SET_BY_METHOD})[^]*?${KEEPS_LENT}`, 'u'),
};

/** Address-of, or an entry looked up by `in`. */
export const D_ENTRIES = new RegExp(`${ADDRESS}|[\\w)"'\\]]\\s+in\\s`, 'u');

/** A block that works on an element. */
export const D_WITH_ENTRY = /\bwith\s*\([^;{}]*\[/u;

/** A closure: a lambda, a literal with a body that is given, kept or returned, the address of a nested function. */
export const D_CLOSURE =
  /=>|[=(,]\s*&\s*(?:[a-z_]|\(\s*cast\b)|\bdelegate\b|[(,=:?]\s*\{|\breturn\s*\{|[(,=]\s*\([^()]*\)[\w@\s]*\{/u;

/** A loop over a variable, of which entries are removed or set behind the head. */
export const D_CHANGING_LOOP =
  /\bforeach\w*\s*\([^{};]*;\s*([\w.]+?)(?:\.by(?:Key|Value|KeyValue|Pair)(?:\(\))?)?\s*\)[^]*?\b\1\s*(?:\.\s*(?:remove|clear)\b|\[[^\]=;]+\]\s*=(?!=))/u;

/** A slice that is returned. */
export const D_RETURNS_SLICE = new RegExp(String.raw`\breturn\b[^;]*(?:\[\s*\]|\.\.)`, 'u');
