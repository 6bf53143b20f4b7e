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

/** Asked about a function: its extent with the head, and the comments of the text up to its end, in order. */
export type Selection = (start: number, end: number, comments: readonly Comment[]) => boolean;

/**
 * Finds what can be left out, in one pass over the characters. Where the brackets of the text do not match, nothing is cut out, so that the
 * parser sees the error.
 */
export function outline(text: string, isWanted: Selection | undefined): Outline {
  return new OutlineReader(text, isWanted).read();
}

/** The signs at which the reader stops, and the first letter of `fn`. */
const STOPS = new Uint8Array(128);
for (const sign of '"\'#/;()[]{}!f') STOPS[sign.charCodeAt(0)] = 1;

/** Index of the first of these signs at or after `index`; the length of the text when there is none. */
function nextStop(text: string, index: number): number {
  const { length } = text;
  for (let i = index; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 128 && STOPS[code] === 1 && (code !== 102 || isFn(text, i))) return i;
  }
  return length;
}

/** Whether the word `fn` stands there, with a blank behind it. */
function isFn(text: string, at: number): boolean {
  return (
    at + 2 < text.length &&
    text.charCodeAt(at + 1) === 110 &&
    isBlankCode(text.charCodeAt(at + 2)) &&
    !isIdentifierAt(text, at - 1)
  );
}

function isIdentifierAt(text: string, at: number): boolean {
  return at >= 0 && at < text.length && isIdentifierCode(text.charCodeAt(at));
}

function isBlankAt(text: string, at: number): boolean {
  return at >= 0 && at < text.length && isBlankCode(text.charCodeAt(at));
}

interface Open {
  readonly code: number;
  readonly at: number;
  readonly kind: Bracket;
  readonly head: number;
  /** How many cuts and bodies there were before it. */
  readonly cuts: number;
  readonly bodies: number;
}

/**
 * Reads one text. In small methods, because V8 compiles a function again for each kind of text that turns up, and one with all of it took
 * the compiler a twelfth of the time of a scan.
 */
class OutlineReader {
  private readonly comments: Comment[] = [];
  private readonly cutStarts: number[] = [];
  private readonly cutEnds: number[] = [];
  private readonly bodies: number[] = [];
  private readonly open: Open[] = [];
  /** How many brackets were open at the `fn` whose body comes next; -1 when none is expected. */
  private pending = -1;
  /** Where that `fn` stands. */
  private head = 0;
  private isBalanced = true;

  constructor(
    private readonly text: string,
    private readonly isWanted: Selection | undefined,
  ) {}

  read(): Outline {
    const { text, comments, cutStarts, cutEnds } = this;
    const { length } = text;
    for (let i = nextStop(text, 0); i < length; i = nextStop(text, i)) i = this.readSign(i, text.charCodeAt(i));
    if (!this.isBalanced || this.open.length > 0)
      return { view: text, comments, skippedBodies: new Set(), isUnbalanced: true };
    if (cutStarts.length === 0) return { view: text, comments, skippedBodies: new Set() };
    return {
      view: leftOver(text, cutStarts, cutEnds),
      comments,
      skippedBodies: new Set(this.bodies),
      offsets: new CutMap(cutStarts, cutEnds),
    };
  }

  /** Index just past the sign at `at`, and past what it begins. */
  private readSign(at: number, code: number): number {
    switch (code) {
      case 102:
        this.readFn(at);
        return at + 2;
      case 34:
      case 35:
        return this.readString(at, code);
      case 39:
        return skipLexeme(this.text, at);
      case 47:
        return this.readSlash(at);
      case 59: // ;
        if (this.pending === this.open.length) this.pending = -1;
        return at + 1;
      case 33:
        return this.readMacro(at);
      case 40:
      case 91:
      case 123:
        this.enter(at, code);
        return at + 1;
      default:
        this.leave(at, code);
        return at + 1;
    }
  }

  private readFn(at: number): void {
    const name = skipBlank(this.text, at + 2);
    if (!isIdentifierAt(this.text, name) && !this.text.startsWith('$', name)) return;
    this.pending = this.open.length;
    this.head = at;
  }

  /** `"`, or `#`, which is passed over unless a raw string begins with the letters in front: `r#"`, `br#"`. */
  private readString(at: number, code: number): number {
    const { text } = this;
    if (at > 0 && text.charCodeAt(at - 1) === 114) {
      const start = isIdentifierAt(text, at - 2) ? at - 2 : at - 1;
      if (!isIdentifierAt(text, start - 1)) {
        const end = skipLexeme(text, start);
        if (end > at) return end;
      }
    }
    return code === 34 ? skipLexeme(text, at) : at + 1;
  }

  private readSlash(at: number): number {
    const { text } = this;
    const end = skipLexeme(text, at);
    if (end === at) return at + 1;
    this.comments.push({ text: text.slice(at, end), span: { start: at, end } });
    // A block comment may be all that keeps two words apart.
    if (text.charCodeAt(at + 1) === 47 || isBlankAt(text, at - 1) || isBlankAt(text, end)) this.cut(at, end);
    return end;
  }

  /** `name!(`, `name! {`, `macro_rules! name {`; any other `!` is passed over. */
  private readMacro(bang: number): number {
    const { text } = this;
    if (!isIdentifierAt(text, bang - 1)) return bang + 1;
    let at = skipBlank(text, bang + 1);
    if (text.startsWith('macro_rules', bang - 11)) {
      while (isIdentifierAt(text, at)) at++;
      at = skipBlank(text, at);
    }
    const next = at < text.length ? text.charCodeAt(at) : 0;
    if (next !== 40 && next !== 91 && next !== 123) return bang + 1;
    this.push(at, next, Bracket.Macro);
    return at + 1;
  }

  private enter(at: number, code: number): void {
    const isBody = code === 123 && this.pending === this.open.length && !this.text.startsWith('<', at - 1);
    if (isBody) this.pending = -1;
    this.push(at, code, isBody ? Bracket.Body : Bracket.Plain);
  }

  private push(at: number, code: number, kind: Bracket): void {
    this.open.push({ code, at, kind, head: this.head, cuts: this.cutStarts.length, bodies: this.bodies.length });
  }

  private leave(at: number, code: number): void {
    const bracket = this.open.pop();
    if (!bracket || bracket.code !== CLOSING[code]) {
      this.isBalanced = false;
      return;
    }
    if (this.pending > this.open.length) this.pending = -1;
    const isLeftOut =
      bracket.kind === Bracket.Macro ||
      (bracket.kind === Bracket.Body &&
        this.isWanted?.(headStart(this.text, bracket.head), at + 1, this.comments) === false);
    if (!isLeftOut) return;
    this.cutStarts.length = bracket.cuts;
    this.cutEnds.length = bracket.cuts;
    this.bodies.length = bracket.bodies;
    if (bracket.kind === Bracket.Body) this.bodies.push(bracket.at);
    this.cut(bracket.at + 1, at);
  }

  private cut(start: number, end: number): void {
    if (end <= start) return;
    this.cutStarts.push(start);
    this.cutEnds.push(end);
  }
}

/** How far before `fn` its modifiers are looked for. */
const MODIFIERS_REACH = 60;

/** Where the head of the function begins whose `fn` stands at `at`: what it takes and returns decides who reads it. */
function headStart(text: string, at: number): number {
  const before = text.slice(Math.max(0, at - MODIFIERS_REACH), at);
  const end = Math.max(before.lastIndexOf('{'), before.lastIndexOf('}'), before.lastIndexOf(';'));
  return at - (before.length - end - 1);
}
