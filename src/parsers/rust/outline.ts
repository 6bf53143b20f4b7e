import type { OffsetMap } from '../tree.js';
import { CutMap, leftOver } from '../cut-map.js';
import { skipLexeme, type Comment } from './tokens.js';

/**
 * The text that is worth parsing. Comments, the tokens of macros (they are parsed again, as what the macro takes) and the
 * bodies of functions that no rule asked for are cut out before the grammar sees the file, because the parser's time is
 * decided by the length of the text. `offsets` gives the tree the offsets of the whole text again.
 */
export interface Outline {
  readonly view: string;
  /** Comments of the whole text, in order. */
  readonly comments: readonly Comment[];
  /** Offsets of the `{` of bodies that were cut out. */
  readonly skippedBodies: ReadonlySet<number>;
  /** Where the offsets of `view` lie in the text; absent when nothing was cut out. */
  readonly offsets?: OffsetMap;
  /** The brackets do not match. */
  readonly isUnbalanced?: true;
}

const enum Bracket {
  Plain,
  Body,
  Macro,
}

function isIdentifierCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95 || code > 127
  );
}

/** Index just past the word that goes on at `index`. */
function endOfWord(text: string, index: number): number {
  let at = index + 1;
  while (isIdentifierCode(text.charCodeAt(at))) at++;
  return at;
}

function isBlankCode(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

/** Index of the first character at or after `index` that is no white space. */
function skipBlank(text: string, index: number): number {
  let at = index;
  while (at < text.length && isBlankCode(text.charCodeAt(at))) at++;
  return at;
}

const CLOSING: Readonly<Record<number, number>> = { 41: 40, 93: 91, 125: 123 };

/**
 * Finds what can be left out, in one pass over the characters. `isWanted` is asked with the extent of a function, head and
 * body. Where the brackets of the text do not match, nothing is cut out, so that the parser sees the error.
 */
export function outline(text: string, isWanted: ((start: number, end: number) => boolean) | undefined): Outline {
  const comments: Comment[] = [];
  const cutStarts: number[] = [];
  const cutEnds: number[] = [];
  const bodies: number[] = [];
  const open: { code: number; at: number; kind: Bracket; head: number; cuts: number; bodies: number }[] = [];
  /** How many brackets were open at the `fn` whose body comes next; -1 when none is expected. */
  let pending = -1;
  /** Where that `fn` stands. */
  let head = 0;
  let isBalanced = true;
  const cut = (start: number, end: number): void => {
    if (end <= start) return;
    cutStarts.push(start);
    cutEnds.push(end);
  };

  for (let i = 0; i < text.length;) {
    const code = text.charCodeAt(i);
    if (isIdentifierCode(code)) {
      const end = endOfWord(text, i);
      const next = text.charCodeAt(end);
      if (code === 102 && end === i + 2 && text.charCodeAt(i + 1) === 110 && isBlankCode(next)) {
        const name = text.charCodeAt(skipBlank(text, end));
        if (isIdentifierCode(name) || name === 36) {
          pending = open.length;
          head = i;
        }
      }
      // `r"`, `br#"`: what follows is no code.
      const isRaw = (next === 34 || next === 35) && end - i <= 2 && text.charCodeAt(end - 1) === 114;
      i = isRaw ? Math.max(end, skipLexeme(text, i)) : end;
      continue;
    }
    switch (code) {
      case 34: // "
      case 39: // '
        i = skipLexeme(text, i);
        continue;
      case 47: {
        const end = skipLexeme(text, i);
        if (end === i) break;
        comments.push({ text: text.slice(i, end), span: { start: i, end } });
        // A block comment may be all that keeps two words apart.
        if (text.charCodeAt(i + 1) === 47 || isBlankCode(text.charCodeAt(i - 1)) || isBlankCode(text.charCodeAt(end)))
          cut(i, end);
        i = end;
        continue;
      }
      case 59: // ;
        if (pending === open.length) pending = -1;
        break;
      case 40:
      case 91:
      case 123: {
        let kind = Bracket.Plain;
        if (code === 123 && pending === open.length && text.charCodeAt(i - 1) !== 60) {
          kind = Bracket.Body;
          pending = -1;
        }
        open.push({ code, at: i, kind, head, cuts: cutStarts.length, bodies: bodies.length });
        break;
      }
      case 33: {
        // `name!(`, `name! {`, `macro_rules! name {`
        if (!isIdentifierCode(text.charCodeAt(i - 1))) break;
        let at = skipBlank(text, i + 1);
        if (text.startsWith('macro_rules', i - 11)) {
          while (isIdentifierCode(text.charCodeAt(at))) at++;
          at = skipBlank(text, at);
        }
        const next = text.charCodeAt(at);
        if (next !== 40 && next !== 91 && next !== 123) break;
        open.push({ code: next, at, kind: Bracket.Macro, head, cuts: cutStarts.length, bodies: bodies.length });
        i = at + 1;
        continue;
      }
      case 41:
      case 93:
      case 125: {
        const bracket = open.pop();
        if (!bracket || bracket.code !== CLOSING[code]) {
          isBalanced = false;
          break;
        }
        if (pending > open.length) pending = -1;
        const leaveOut =
          bracket.kind === Bracket.Macro ||
          (bracket.kind === Bracket.Body && isWanted?.(headStart(text, bracket.head), i + 1) === false);
        if (leaveOut) {
          cutStarts.length = bracket.cuts;
          cutEnds.length = bracket.cuts;
          bodies.length = bracket.bodies;
          if (bracket.kind === Bracket.Body) bodies.push(bracket.at);
          cut(bracket.at + 1, i);
        }
        break;
      }
    }
    i++;
  }
  if (!isBalanced || open.length > 0) return { view: text, comments, skippedBodies: new Set(), isUnbalanced: true };
  if (cutStarts.length === 0) return { view: text, comments, skippedBodies: new Set() };
  return {
    view: leftOver(text, cutStarts, cutEnds),
    comments,
    skippedBodies: new Set(bodies),
    offsets: new CutMap(cutStarts, cutEnds),
  };
}

/** How far before `fn` its modifiers are looked for. */
const MODIFIERS_REACH = 60;

/** Where the head of the function begins whose `fn` stands at `at`: what it takes and returns decides who reads it. */
function headStart(text: string, at: number): number {
  const before = text.slice(Math.max(0, at - MODIFIERS_REACH), at);
  const end = Math.max(before.lastIndexOf('{'), before.lastIndexOf('}'), before.lastIndexOf(';'));
  return at - (before.length - end - 1);
}
