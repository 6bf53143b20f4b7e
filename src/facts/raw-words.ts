import type { InFile, TextToken } from './unit.js';

/** A Rust function that has to do with a raw pointer holds one of these; only `unsafe` takes one apart. */
export const RAW_WORDS: readonly string[] = ['unsafe', '*const ', '*mut ', 'NonNull', 'ptr', 'raw', 'addr_of'];

/** How a pointer that the compiler does not check can come about. */
export const RAW_POINTERS: readonly string[] = [
  'as_ptr',
  'as_mut_ptr',
  'transmute',
  'from_raw_parts',
  'addr_of',
  '&raw ',
  'NonNull::',
  'ptr::from_',
  '*const ',
  '*mut ',
];

/**
 * `RAW_POINTERS` as they stand in code: what is made of nothing but `self`, `transmute_self(self)`, is no pointer into something that it owns, as
 * what `transmute_first(self)` gives may be.
 */
export const MAKES_RAW: readonly TextToken[] = [
  ...RAW_POINTERS.filter((word) => word !== 'transmute'),
  /transmute(?!(?:_self)?\s*(?:::\s*<[^()]*>\s*)?\(\s*self\s*\))/u,
];

/**
 * As they stand in code: `raw` ends a name, says what a pointer or handle is, or is set to what a call gives, where a field or variable of that name
 * is mostly a text as it was written; and a `NonNullExpression` is one of a language that is read.
 */
export const RAW_CODE: readonly (string | RegExp)[] = [
  ...RAW_WORDS.filter((word) => word !== 'raw' && word !== 'NonNull'),
  /_raw|\braw(?:\s*\(|\s*[:=]\s*(?:\{|[\w.:]+\s*\()|\s+(?:const|mut)\b|::|_(?:parts|fd|handle|env|value|mut|const|buf|data|cell)\b)/u,
  /NonNull(?![A-Za-z])/u,
];

/** Functions of the standard library that leave a check out: what they give has the lifetime of what they are given. */
const UNCHECKED = String.raw`(?:get|slice|slice_mut|split_at|swap|from_utf8|from_boxed_utf8|from_bytes_with_nul|from_u32|new|unwrap|assert|unreachable|(?:un)?(?:checked_)?(?:add|sub|mul|sh[lr]|neg))_unchecked`;

/** `unsafe` for something else than one such call, `unsafe { text.get_unchecked(from..) }`, and functions of the same kind that are not of the library. */
export const UNSAFE_CODE: readonly RegExp[] = [
  new RegExp(
    String.raw`\bunsafe\b(?!\s*\{\s*(?:return\s+)?(?:[\w.:&*<>[\]]*\W)?${UNCHECKED}(?:_mut)?!?\s*\((?:[^(){};]|\([^(){};]*\))*\)\s*;?\s*\})`,
    'u',
  ),
  new RegExp(String.raw`\b(?!${UNCHECKED}(?:_mut)?\b)\w+_unchecked`, 'u'),
];

/** A method that only hands a field of its object to a function, `{ Address::from_ptr(self.0) }`: nothing ends in it. */
const PASSES_ON = String.raw`[^{]*\(\s*&\s*(?:'\w+\s+)?(?:mut\s+)?self\b[^{]*\{\s*(?:unsafe\s*\{\s*)?[\w:]+\s*\(\s*(?:&\s*(?:mut\s+)?)?self(?:\s*\.\s*\w+)*\s*\)\s*(?:\}\s*)?\}$`;

/**
 * What in a body can lend a pointer to something owned: an index, a borrow that is none of a dereference, a macro, a call that
 * is no arithmetic on pointers; and a function that hands out a raw pointer, for its callers. One without all this only moves
 * along a pointer that it was given.
 */
export const LENDING = new RegExp(
  [
    String.raw`->\s*(?:Option\s*<\s*)?(?:\*|(?:\w+::)*NonNull)`,
    `^(?!${PASSES_ON})[^{]*\\{[^]*?(?:${[
      String.raw`\w\s*\[`,
      String.raw`&(?!\s*(?:mut\s+)?\*|[&'\s])`,
      String.raw`\.\s*(?!(?:add|sub|offset|cast|cast_mut|cast_const|byte_add|byte_sub|wrapping_add|wrapping_sub)\b)\w+\s*(?:::\s*<[^>]*>\s*)?\(`,
      String.raw`(?<![.\w])\w+\s*\(`,
      String.raw`[^-]>\s*\(`,
      String.raw`\w\s*!\s*[([{]`,
    ].join('|')})`,
  ].join('|'),
  'u',
);

/**
 * Where a reference becomes a raw pointer without a word of it in the function: a field of a constructor or of `self`, or an
 * `AtomicPtr`, that is declared as one.
 */
const BECOMES_RAW: readonly RegExp[] = [
  /\b[A-Z]\w*\s*(?:\([^()]*|\{(?:[^{}]*,)?\s*\w+\s*:\s*)&\s*(?:mut\s+)?[a-z_]\w*(?:\s*\.\s*\w+|\s*\[[^[\]]*\])*\s*[,)}]/u,
  // `Cursor { node: self.nodes.last_mut()? }`, `self.nodes.first().map(|node| Cursor { node })`
  /\b[A-Z]\w*\s*\{(?:[^{}]*,)?\s*\w+\s*:\s*self(?:\s*\.\s*\w+)+\s*\.\s*(?:first|last|front|back|get)(?:_mut)?\s*\(/u,
  /\(\s*\|\s*(\w+)\s*\|\s*[A-Z]\w*\s*[({](?:[^(){}]*[,\s])?\1\s*[,)}]/u,
  /\bself(?:\s*\.\s*\w+)+\s*=\s*(?:Some\s*\(\s*)?(?:&|self(?:\s*\.\s*\w+)+\s*\.\s*(?:first|last|front|back|get)(?:_mut)?\s*\()/u,
  /\.\s*(?:store|swap|set|replace)\s*\(\s*&/u,
];

/**
 * A file that has to do with raw pointers, and not only with lifetimes that are retyped. Where the type of a field is declared in another file,
 * `unsafe { *self.link }` alone may say so.
 */
const RAW_TYPES =
  /\*\s*(?:const|mut)\b|\b(?:NonNull|AtomicPtr)\b|addr_of|&\s*raw\b|ptr\b|from_raw_parts|\bstatic\s+mut\b|\bunsafe\b[^{};]{0,200}\{[^{}]*?(?<![\w)\]]\s*)\*\s*[a-z_(]/u;

/** `BECOMES_RAW` in such a file. */
export const BECOMES_RAW_THERE: readonly InFile[] = BECOMES_RAW.map((pattern) => ({ inFile: RAW_TYPES, pattern }));

/** Names of functions that give whoever asks for memory a piece that is nobody else's from then on. */
export const ALLOCATES = /^(?:\w*[aA]llocate\w*|alloc|malloc|acquire|checkout)$/u;

/** Words of a Rust file that names Node-API or neon in its code: a path of a file such as `napi/parser` is none. */
export const NODE_API = ['napi:', 'napi_', 'napi]', 'napi(', 'napi)', 'napi;', 'napi,', 'napi}', 'napi as', 'neon::'];
