import type { TextTest } from './unit.js';
import { LENDING } from './raw-words.js';

/** What may lend a pointer to something owned: `LENDING`, but for functions that only hand on what they were given. */
export const LENDS: TextTest = { test: (text) => LENDING.test(text) && !isHandingOn(text) };

/** What does more than hand on the pointers that it was given. */
export const ACTS: TextTest = { test: (text) => !isHandingOn(text) };

/**
 * Words with which more happens than that pointers are handed on, pointers that are taken of something else than what was given, of a static
 * too, and references that are put into something.
 */
const OTHER_CODE =
  /[[\]?!#"]|::\s*<|\b[A-Z][A-Z\d_]+\s*\.|\*\s*(?:\w+\s*::\s*)*[A-Z]|\*\s*const\b|\*\s*(?:\w+\s*::\s*)*[a-z_]\w*\s*\(|\b(?:match|in)\s+(?!\s|&\s*mut\s+\*|\(\s*\*|\w+\s*\{|\w+\s*\.\s*iter)|\b[A-Z]\w*\s*\([^()]*&|'static|\.\.|\.\s*\w+(?!\w|\s*\()|&(?!\s*mut\s+\*)|\b(?:let\s+mut|return|break|continue|while|loop|async|await|move|static|const|fn|unsafe|ref)\b/u;

/** `.add(`, `.get()` and `.unwrap()` aside, methods and functions that lend, let grow, release or test something under a name of the library. */
const NAMED_FOR_MORE =
  /\.\s*(?:push|extend|reserve|insert|resize|shrink\w*|append|split\w*|drain|truncate|set_len|retain|remove|swap\w*|dedup\w*|take|replace|clear|clone\w*|(?:as|into|to|from)_\w+|iter\w*|leak|get\w+|get(?!\s*\(\s*\))|first\w*|last\w*|deref\w*|borrow\w*|lock|write|read|pop|map|cast\w*|is_null)\s*\(|\b(?:transmute\w*|from_\w+|forget|swap|replace|take|read\w*|write\w*|copy\w*|spawn\w*|drop\w*|addr_of\w*|free\w*|\w+_free)\s*\(/u;

/** In characters: what a block leaves alone is looked for in the whole block. */
const LONGEST = 20_000;

/** `if let Some(field) =`, `let pop_token = list.push(..)`, `let last_id = list.current_id()` and what comes of a cell. */
const BINDS =
  /\bif\s+let\s+\w+\s*\(\s*\w+\s*\)\s*=(?![=>])(?=\s*&\s*mut\s+\*)|\blet\s+(\w+)\s*=(?![=>])\s*(?:\w+\s*\.\s*(\w+)\s*\(|\(\s*\*(?=[^;]*\.\s*get\s*\(\s*\)(?:\s*\.\s*unwrap\s*\(\s*\))?\s*;))/gu;

/** The last word in the name of a variable that holds a number, and no pointer; the source of a pattern. */
export const NUMBER_WORD = '(?:id|index|depth|count|len|level|flags?|kind)';

const COUNTED = new RegExp(`(?:^|_)(?:token|${NUMBER_WORD})$`, 'u');
const GIVES_NUMBER = new RegExp(`^push|(?:^|_)${NUMBER_WORD}$`, 'u');

/** `for item in list.iter_mut().flatten() {` goes through the list as `for item in &mut *list {` does. */
const ITERATES = /(\bfor\s+\w+\s+in\s[^;{}]*?)\.\s*iter(?:_mut)?\s*\(\s*\)(?:\s*\.\s*flatten\s*\(\s*\))?(?=\s*\{)/gu;

const PARAMETERS = /\bunsafe\s+fn\s+\w+\s*(?:<[^()]*>)?\s*\(([^()]*)\)/u;
/** The colon before the type of a parameter: what is given by value may end in the function, and what a pointer leads to with it. */
const TYPED = /(?<!:):(?!:)/gu;
const TYPED_AS_POINTER = /(?<!:):(?!:)\s*[&*]/gu;
const RAW_PARAMETER = /\b(\w+)\s*:\s*\*\s*(?:mut|const)\b/gu;

/**
 * Whether a Rust function (its text with its head, without comments) does nothing but hand on the raw pointers that it was given, and what
 * they lead to, to other functions: the visitors that programs with trees generate. It owns nothing, returns nothing and names no field and no
 * static, so that what its pointers lead to is no container that anything else could name; each pointer that it makes leads to what it was given,
 * is an argument and gone after the call.
 * Such a function lends nothing that could grow, and what it calls is looked at by itself. What a call
 * gave it may keep as a number or token, where the name of the method says so too.
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
  const parameters = PARAMETERS.exec(head)?.[1] ?? '';
  const raw = [...parameters.matchAll(RAW_PARAMETER)].flatMap(([, name]) => name ?? []);
  if (raw.length === 0 || parameters.match(TYPED)?.length !== parameters.match(TYPED_AS_POINTER)?.length) return false;
  // Arms for several variants: `A(_) | B(_) =>`.
  const written = text.slice(open).replace(/\(\s*_\s*\)\s*\|/gu, '');
  // Before anything that is slow where no code stands.
  if (/[|"!#]/u.test(written)) return false;
  const body = written.replace(ITERATES, '$1');
  if (OTHER_CODE.test(body) || NAMED_FOR_MORE.test(body) || hasInnerCall(body)) return false;
  const bound = [...body.matchAll(BINDS)].filter(([, kept]) => kept !== undefined);
  if (bound.some(([, , by]) => by !== undefined && !GIVES_NUMBER.test(by))) return false;
  if (!areHandedBack(new Set(bound.map(([, kept = '']) => kept)), body)) return false;
  if (body.replace(BINDS, '').replaceAll('=>', '').includes('=')) return false;
  return holdsSingleCalls(body, raw);
}

/** A call among the arguments of another, or in other parentheses, where what it gives is made something else: `*(first(list) as *mut Node)`. */
function hasInnerCall(body: string): boolean {
  let depth = 0;
  for (const match of body.matchAll(PARENTHESES)) {
    if (match[0] === ')') depth--;
    else if (depth++ > 0 && match[1] !== undefined && isCall(body, match[1], match.index)) return true;
  }
  return false;
}

const PARENTHESES = /\b(\w+)\s*\(|[()]/gu;

/** But for constructors, and arithmetic on a pointer: `(node as *mut u8).add(..)`. */
function isCall(code: string, name: string, at: number): boolean {
  if (!/^[a-z_]/u.test(name) || /^(?:as|else|if|in|let|match|mut)$/u.test(name)) return false;
  return name !== 'add' || !/\bas\s*\*\s*mut\s+\w+\s*\)\s*\.\s*$/u.test(code.slice(Math.max(0, at - 80), at));
}

/** The variables are named for numbers and only given to methods, by themselves. */
function areHandedBack(names: ReadonlySet<string>, body: string): boolean {
  if (names.size === 0) return true;
  const uses = countNames(body, /(?<!\.\s*)\b(\w+)\b(?!\s*\()/gu);
  const given = countNames(body, /\.\s*\w+\s*\(\s*(\w+)\s*\)/gu);
  return [...names].every((name) => COUNTED.test(name) && uses.get(name) === (given.get(name) ?? 0) + 1);
}

function countNames(text: string, pattern: RegExp): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, name = ''] of text.matchAll(pattern)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/**
 * Blocks inside of the body: one in a loop is a single statement and leaves alone what the loop goes through; in any other, what it binds and what
 * that was found in are left alone before the last statement. What is gone through or taken apart is no result of a call.
 */
function holdsSingleCalls(body: string, raw: readonly string[]): boolean {
  const around: Block[] = [];
  let statement = 0;
  for (const { 0: sign, index: at } of body.matchAll(/[{};]/gu)) {
    const inner = around.at(-1);
    if (sign === '{') {
      const block = blockAfter(body.slice(statement, at), at + 1, inner?.left ?? new Set(raw));
      if (block === undefined || around.length > DEEPEST) return false;
      around.push(block);
    } else if (sign === ';') inner?.ends.push(at);
    else if (inner) {
      around.pop();
      if (around.length > 0 && !leavesAlone(inner, body, at)) return false;
      if (inner.kind !== 'other') around.at(-1)?.ends.push(at);
    }
    statement = at + 1;
  }
  return true;
}

const DEEPEST = 10;

interface Block {
  readonly kind: 'loop' | 'binding' | 'other';
  readonly start: number;
  /** What must not be named in it, nor in blocks inside of it. */
  readonly left: ReadonlySet<string>;
  /** Where its statements end. */
  readonly ends: number[];
}

/** The block after a head; undefined when what is gone through or taken apart is the result of a call. */
function blockAfter(text: string, start: number, around: ReadonlySet<string>): Block | undefined {
  const [, name, through = ''] = /^\s*(?:for\b|if\s+let\s+\w+\s*\(\s*(\w+))([^]*)/u.exec(text) ?? [];
  const from = /(?:\bin\b|=(?!>)|\bmatch\b)((?:(?!\bmatch\b|=>)[^])*)$/u.exec(text)?.[1] ?? '';
  for (const { 1: called = '', index } of from.matchAll(/\b(\w+)\s*\(/gu))
    if (isCall(from, called, index)) return undefined;
  const kind = through === '' ? 'other' : name === undefined ? 'loop' : 'binding';
  const words = from.replace(NO_VARIABLES, ' ').match(/\b[a-z_]\w*/gu) ?? [];
  return { kind, start, left: new Set([...around, ...(name === undefined ? [] : [name]), ...words]), ends: [] };
}

/** Modules, lifetimes and what a pointer is cast to. */
const NO_VARIABLES = /\b\w+\s*::|'\w+|\bas\s+\*\s*mut\s+\w+|\b(?:mut|as)\b/gu;

function leavesAlone({ kind, start, left, ends }: Block, body: string, close: number): boolean {
  const last = ends.at(-1);
  const before = last !== undefined && body.slice(last + 1, close).trim() === '' ? ends.slice(0, -1) : ends;
  if (before.length > 0 && kind !== 'binding') return false;
  const first = kind === 'loop' ? body.slice(start, close) : body.slice(start, (before.at(-1) ?? start - 1) + 1);
  return !(first.match(/\w+/gu) ?? []).some((word) => left.has(word));
}
