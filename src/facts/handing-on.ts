import type { TextTest } from './unit.js';
import { LENDING } from './raw-words.js';

/** What may lend a pointer to something owned: `LENDING`, but for functions that only hand on what they were given. */
export const LENDS: TextTest = { test: (text) => LENDING.test(text) && !isHandingOn(text) };

/** What does more than hand on the pointers that it was given. */
export const ACTS: TextTest = { test: (text) => !isHandingOn(text) };

/**
 * Words with which more happens than that pointers are handed on, pointers that are taken of something else than what was given, and references
 * that are put into something.
 */
const OTHER_CODE =
  /[[\]?!#"]|\*\s*const\b|\*\s*(?:\w+\s*::\s*)*[a-z_]\w*\s*\(|\b(?:match|in)\s+(?!\s|&\s*mut\s+\*|\(\s*\*|\w+\s*\{|\w+\s*\.\s*iter)|\b[A-Z]\w*\s*\([^()]*&|'static|\.\.|\.\s*\w+(?!\w|\s*\()|&(?!\s*mut\s+\*)|\b(?:let\s+mut|return|break|continue|while|loop|async|await|move|static|const|fn|unsafe|ref)\b/u;

/** `.add(`, `.get()` and `.unwrap()` aside, methods and functions that lend, let grow or release something under a name of the library. */
const NAMED_FOR_MORE =
  /\.\s*(?:push|extend|reserve|insert|resize|shrink\w*|append|split\w*|drain|truncate|set_len|retain|remove|swap\w*|dedup\w*|take|replace|clear|clone\w*|(?:as|into|to|from)_\w+|iter\w*|leak|get\w+|get(?!\s*\(\s*\))|first\w*|last\w*|deref\w*|borrow\w*|lock|write|read|pop|map|cast\w*)\s*\(|\b(?:transmute\w*|from_\w+|forget|swap|replace|take|read\w*|write\w*|copy\w*|spawn\w*|drop\w*|addr_of\w*|free\w*|\w+_free)\s*\(/u;

/** A call among the arguments of a call, but for arithmetic on pointers and constructors. */
const NESTED_CALL = /\b(?!(?:if|in|match)\b)[a-z_]\w*\s*\((?:[^();]|\([^();]*\))*?(?<!\.\s*)\b[a-z_]\w*\s*\(/u;

/** In characters: blocks are looked at one by one, each with all that stands before it. */
const LONGEST = 20_000;

/** `if let Some(field) =`, `let pop_token = list.push(..)` and what comes of a cell. */
const BINDS =
  /\bif\s+let\s+\w+\s*\(\s*\w+\s*\)\s*=(?![=>])(?=\s*&\s*mut\s+\*)|\blet\s+(\w+)\s*=(?![=>])\s*(?:\w+\s*\.\s*\w+\s*\(|\(\s*\*)/gu;

/** The last word in the name of a variable that holds a number, and no pointer; the source of a pattern. */
export const NUMBER_WORD = '(?:id|index|depth|count|len|level|flags?|kind)';

const COUNTED = new RegExp(`(?:^|_)(?:token|${NUMBER_WORD})$`, 'u');

/** `for item in list.iter_mut().flatten() {` goes through the list as `for item in &mut *list {` does. */
const ITERATES = /(\bfor\s+\w+\s+in\s[^;{}]*?)\.\s*iter(?:_mut)?\s*\(\s*\)(?:\s*\.\s*flatten\s*\(\s*\))?(?=\s*\{)/gu;

const RAW_PARAMETER = /(\w+)\s*:\s*\*\s*(?:mut|const)\b/gu;

/**
 * Whether a Rust function (its text with its head, without comments) does nothing but hand on the raw pointers that it was given, and what
 * they lead to, to other functions: the visitors that programs with trees generate. It returns nothing and names no field and no static, so that
 * what its pointers lead to is no container that anything else could name; each pointer that it makes is an argument and gone after the call.
 * Such a function lends nothing that could grow, and what it calls is looked at by itself. What a call gave it may keep as a number or token.
 */
export function isHandingOn(text: string): boolean {
  if (text.length > LONGEST) return false;
  // Each rule asks in turn.
  if (text !== asked.text) asked = { text, answer: readsAsHandingOn(text) };
  return asked.answer;
}

let asked = { text: '', answer: false };

function readsAsHandingOn(text: string): boolean {
  const open = text.indexOf('{');
  const head = text.slice(0, open);
  if (!/\bunsafe\s+fn\b/u.test(head) || head.includes('->') || /\bself\b|\bextern\b/u.test(head)) return false;
  const raw = [...head.matchAll(RAW_PARAMETER)].map(([, name]) => name);
  if (raw.length === 0) return false;
  // Arms for several variants: `A(_) | B(_) =>`.
  const body = text
    .slice(open)
    .replace(/\(\s*_\s*\)\s*\|/gu, '')
    .replace(ITERATES, '$1');
  if (body.includes('|') || OTHER_CODE.test(body) || NAMED_FOR_MORE.test(body) || NESTED_CALL.test(body)) return false;
  for (const [, kept] of body.matchAll(BINDS)) if (kept !== undefined && !isHandedBack(kept, body)) return false;
  if (body.replace(BINDS, '').replaceAll('=>', '').includes('=')) return false;
  return holdsSingleCalls(body, raw);
}

/** The variable is named for a number and only given to methods, by itself. */
function isHandedBack(name: string, body: string): boolean {
  const uses = body.match(new RegExp(String.raw`(?<!\.\s*)\b${name}\b(?!\s*\()`, 'gu'))?.length ?? 0;
  const given = body.match(new RegExp(String.raw`\.\s*\w+\s*\(\s*${name}\s*\)`, 'gu'))?.length ?? 0;
  return COUNTED.test(name) && uses === given + 1;
}

/**
 * Blocks inside of the body: one in a loop is a single statement and leaves alone what the loop goes through; in any other, what it binds and what
 * that was found in are left alone before the last statement.
 */
function holdsSingleCalls(body: string, raw: readonly (string | undefined)[]): boolean {
  let rest = body;
  for (let inner = INNERMOST.exec(rest); inner && inner.index > 0; inner = INNERMOST.exec(rest)) {
    const [block, content = ''] = inner;
    const leading = rest.slice(0, inner.index);
    const start = Math.max(leading.lastIndexOf(';'), leading.lastIndexOf('{'), leading.lastIndexOf('}'));
    const head = HEAD_OF_BLOCK.exec(leading.slice(start + 1))?.[0] ?? '';
    const isLoop = /^\s*for\b/u.test(head);
    const end = content.trimEnd().replace(/;$/u, '').lastIndexOf(';');
    const first = isLoop ? content : content.slice(0, end + 1);
    if (isLoop && end >= 0) return false;
    const bound = isLoop ? undefined : /\bif\s+let\s+\w+\s*\(\s*(\w+)/u.exec(head)?.[1];
    if (end >= 0 && bound === undefined) return false;
    const through = isLoop ? (head.replace(/^\s*for\s+\w+\s+in\b/u, '').match(/\b[a-z_]\w*/gu) ?? []) : [];
    const left = new Set([...raw, bound, ...through.filter((word) => word !== 'mut' && word !== 'as')]);
    if ((first.match(/\w+/gu) ?? []).some((word) => left.has(word))) return false;
    rest = `${rest.slice(0, inner.index)}${head === '' ? ',' : ';'}${rest.slice(inner.index + block.length)}`;
  }
  return true;
}

const INNERMOST = /\{([^{}]*)\}/u;
const HEAD_OF_BLOCK = /^\s*(?:for|if\s+let)\b[^]*/u;
