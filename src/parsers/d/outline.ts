import type { Span } from '../../model/source.js';
import { CutMap, leftOver } from '../cut-map.js';
import { compact, type View } from './compact.js';
import { endOfLexeme, endOfLine, type Comment } from './lexemes.js';

/**
 * What of a file is given to the grammar. Comments, the bodies of functions that nobody asked for, long tables of plain
 * values and long hexadecimal strings are cut out before, because the time of a parse is decided by the length of the text.
 */
export interface Outline {
  /** One line break for all blanks between two tokens: see `compact`. */
  readonly view: View;
  /** The view with its blanks. After a syntax error the grammar goes on better with it, because it counts skipped lines. */
  readonly blankView: () => View;
  /** Comments of the whole text, in order. */
  readonly comments: readonly Comment[];
  /** Offsets of the `{` of bodies whose inside was cut out. */
  readonly cutBodies: ReadonlySet<number>;
  /** Where brackets nested too deep to be parsed in reasonable time; what is inside was cut out. */
  readonly tooDeep?: number;
  /** Whether code may stand elsewhere than in the bodies asked about: initialisers, contracts, lambdas, unmatched brackets. */
  readonly hasOtherCode: boolean;
}

/** A table of plain values longer than this is cut out. */
const longTable = 2000;

/** The grammar's time grows with the square of the nesting; programs stay far below this many brackets. */
const maxBrackets = 250;

/** What a brace opens: members that are declarations, the body of a function, anything else. */
type Brace = 'members' | 'body' | 'other';

/** A bracket between declarations. */
interface Open {
  readonly code: number;
  readonly at: number;
  readonly brace: Brace;
  /** Start of the declaration whose body this is. */
  readonly head: number;
  /** The attributes of groups that apply around it. */
  readonly group: string;
  /** Whether the declaration can be left out as a whole, and what stands around it is read as before. */
  readonly isAlone: boolean;
  /** How many bodies were kept before it. */
  readonly kept: number;
}

/** A declaration that was left out as a whole. */
interface LeftOut {
  /** Where its cut is in the list. */
  readonly cut: number;
  /** What had been cut out of it. */
  readonly inside: readonly Span[];
  /** Its braces; none when it ends with a semicolon. */
  readonly braces?: Span;
  readonly isBody: boolean;
}

/** What is known about the declaration that the words since the last `;` or brace belong to. */
interface Head {
  start: number;
  /** Has `struct`, `class`, `template` …: its braces hold declarations. */
  isAggregate: boolean;
  /** Has a name with parentheses behind it: its braces are a function's body. */
  isCallable: boolean;
  /** Has `=`, `=>` or a contract: its braces are left alone. */
  isOther: boolean;
  /** Has nothing but attributes: it is a group when a colon or a brace follows. */
  isAttributes: boolean;
  /** Nothing that belongs to it stands in front of its first word, and no colon behind a condition that goes on for the rest. */
  isAlone: boolean;
}

const attributeWords = new Set(
  (
    'private public protected package export static extern abstract final override synchronized auto scope __gshared ' +
    'nothrow pure ref return align deprecated const immutable inout shared'
  ).split(' '),
);

const aggregates = new Set(['struct', 'class', 'union', 'interface', 'enum', 'template']);
const bodies = new Set(['unittest', 'invariant']);
const contracts = new Set(['in', 'out']);
/** Words with parentheses behind them that are no function's name. */
const prefixes = new Set(
  (
    'version debug if foreach foreach_reverse pragma extern align deprecated package scope mixin typeof const immutable ' +
    'shared inout __vector __traits synchronized delegate function is assert'
  ).split(' '),
);

const closers: Readonly<Record<number, number>> = { 41: 40, 93: 91, 125: 123 };

function isWordCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95 || code > 127
  );
}

/** Whether a blank stands there, or the text has no character there. */
function isBlankAt(text: string, at: number): boolean {
  if (at < 0 || at >= text.length) return true;
  const code = text.charCodeAt(at);
  return code === 32 || (code >= 9 && code <= 13);
}

/**
 * Asked about a function outside functions: its extent with head and attributes, the attributes of groups around it, and the comments of the
 * text up to its end, in order.
 */
export type Selection = (start: number, end: number, group: string, comments: readonly Comment[]) => boolean;

/**
 * Finds what can be left out, in one pass over the characters. Without `isWanted` every body stays. Where the brackets of the text do not match, nothing
 * is cut out, so that the parser sees the error. With `isBare` all other declarations are left out, too, but for what a wanted one stands in.
 */
export function readOutline(given: string, isWanted: Selection | undefined, isBare = false): Outline {
  const { text, moved } = withNewSpelling(given);
  return new OutlineReader(given, text, moved, isWanted, isBare).read();
}

/** The signs at which the reader stops between declarations' brackets: those of strings, comments, directives and brackets. */
const stops = new Uint8Array(128);
for (const sign of '"\'`#/()[]{}') stops[sign.charCodeAt(0)] = 1;

/** Index of the first such sign at or after `index`, or `=` where that is asked for; the length of the text when there is none. */
function nextStop(text: string, index: number, orEqual: boolean): number {
  const { length } = text;
  for (let i = index; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 128 && (stops[code] === 1 || (orEqual && code === 61))) return i;
  }
  return length;
}

/** Index just past the word that goes on at `index`. */
function endOfWord(text: string, index: number): number {
  const { length } = text;
  let at = index;
  while (at < length && isWordCode(text.charCodeAt(at))) at++;
  return at;
}

/**
 * Reads one text. In small methods, because one function with all of it took the compiler of V8 a tenth of the time that a scan takes: it is
 * compiled again for each kind of text that turns up.
 */
class OutlineReader {
  private readonly comments: Comment[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private readonly cutBodies: number[] = [];
  /** Starts and ends of strings, characters and directives. */
  private readonly verbatim: number[] = [];
  private readonly open: Open[] = [];
  /** Brackets inside of the last open one, where nothing is declared. */
  private readonly inner: number[] = [];
  private head = newHead();
  private isBalanced = true;
  private hasOtherCode = false;
  /** Whether the words here belong to a declaration: outside functions and outside parentheses. */
  private isDeclaring = true;
  private group = '';
  private tooDeep: number | undefined;
  /** The last character that is no part of a word, a comment or a blank; 0 when a word came after it. */
  private sign = 59;
  private kept = 0;
  private leftOut: LeftOut | undefined;

  constructor(
    private readonly given: string,
    private readonly text: string,
    private readonly moved: ReadonlyMap<number, number>,
    private readonly isWanted: Selection | undefined,
    private readonly isBare: boolean,
  ) {}

  read(): Outline {
    const { text } = this;
    const { length } = text;
    let i = 0;
    while (i < length) i = this.isDeclaring ? this.readDeclaring(i) : this.readInside(i);
    const { starts, ends, moved, tooDeep } = this;
    const isMatched = this.isBalanced && this.open.length + this.inner.length === 0;
    if (!isMatched) {
      starts.length = 0;
      ends.length = 0;
    }
    return {
      view: putBack(compact(text, starts, ends, this.verbatim), moved),
      blankView: () => putBack({ text: leftOver(text, starts, ends), offsets: new CutMap(starts, ends) }, moved),
      comments: this.comments,
      cutBodies: new Set(isMatched ? this.cutBodies : []),
      hasOtherCode: this.hasOtherCode || !isMatched,
      ...(tooDeep === undefined || !isMatched ? {} : { tooDeep }),
    };
  }

  /** Reads on between declarations, up to and with a bracket; gives where it stopped. */
  private readDeclaring(from: number): number {
    const { text } = this;
    const { length } = text;
    let i = from;
    while (i < length && this.isDeclaring) {
      const code = text.charCodeAt(i);
      if (code <= 32) i++;
      else if (isWordCode(code)) i = this.word(i, code);
      else i = this.mark(i, code);
    }
    return i;
  }

  /** Reads on inside the last open bracket, where only strings, comments and brackets matter, until it is closed. */
  private readInside(from: number): number {
    const { text } = this;
    const { length } = text;
    let asksArrows = !this.hasOtherCode && this.open.every(({ brace }) => brace !== 'body');
    let i = from;
    while (i < length && !this.isDeclaring) {
      i = nextStop(text, i, asksArrows);
      if (i >= length) break;
      const code = text.charCodeAt(i);
      if (code === 61) {
        if (text.charCodeAt(i + 1) === 62) this.hasOtherCode = true;
        asksArrows = !this.hasOtherCode;
        i++;
      } else if (code === 40 || code === 91 || code === 123) this.inner.push(i++);
      else if (code === 41 || code === 93 || code === 125) this.close(i++, code);
      else if (code === 34 && this.isPrefixed(i, from)) i = this.prefixed(i - 1, text.charCodeAt(i - 1));
      else i = this.lexeme(i, code);
    }
    return i;
  }

  /** Whether the `"` here belongs to the letter in front of it: `r"`, `x"`, `q"`. */
  private isPrefixed(at: number, from: number): boolean {
    const code = at > from ? this.text.charCodeAt(at - 1) : 0;
    return (
      (code === 113 || code === 114 || code === 120) && !(at - 1 > from && isWordCode(this.text.charCodeAt(at - 2)))
    );
  }

  /** A string with a letter in front: gives its end, or `at` when none begins there. */
  private prefixed(at: number, code: number): number {
    const { text } = this;
    const end = endOfLexeme(text, at);
    if (end === at) return at;
    if (code === 120 && end - at > longTable) {
      // Data written as a hexadecimal string.
      const close = text.lastIndexOf('"', end - 1);
      this.verbatim.push(at, at + 2, close, end);
      this.cut(at + 2, close);
    } else this.verbatim.push(at, end);
    this.sign = 0;
    return end;
  }

  /** A string, character, comment or directive; any other `/` is passed over. */
  private lexeme(at: number, code: number): number {
    const { text } = this;
    if (code === 47) {
      const end = endOfLexeme(text, at);
      if (end === at) {
        this.sign = code;
        return at + 1;
      }
      this.comments.push({ text: this.given.slice(at, end), span: { start: at, end } });
      // A block comment may be all that keeps two words apart.
      if (text.charCodeAt(at + 1) === 47 || isBlankAt(text, at - 1) || isBlankAt(text, end)) this.cut(at, end);
      return end;
    }
    // `#line` and `#!` go to the end of their line.
    const end = code === 35 ? endOfLine(text, at) : endOfLexeme(text, at);
    this.verbatim.push(at, end);
    if (code !== 35) this.sign = 0;
    return end;
  }

  /** A word of a declaration. */
  private word(at: number, code: number): number {
    const { text, head } = this;
    if (code === 113 || code === 114 || code === 120) {
      const end = this.prefixed(at, code);
      if (end > at) return end;
    }
    const end = endOfWord(text, at + 1);
    const isFirst = head.start < 0;
    readWord(text, at, end, head);
    if (isFirst && this.isBare) {
      head.isAlone = endsDeclaration(this.sign);
      if (this.leftOut !== undefined && end - at === 4 && text.startsWith('else', at))
        this.keepBefore(at, this.leftOut);
    }
    this.leftOut = undefined;
    this.sign = 0;
    return end;
  }

  /** What an `else` at `at` belongs to stays, but for what is in its braces. */
  private keepBefore(at: number, { cut, inside, braces, isBody }: LeftOut): void {
    const left = inside.filter(({ end }) => end <= (braces?.start ?? at));
    if (braces && braces.end > braces.start + 1) left.push({ start: braces.start + 1, end: braces.end });
    this.starts.splice(cut, 1, ...left.map((one) => one.start));
    this.ends.splice(cut, 1, ...left.map((one) => one.end));
    if (isBody && braces) this.cutBodies.push(braces.start);
  }

  /** What is no word, between declarations. */
  private mark(at: number, code: number): number {
    const { text, head } = this;
    switch (code) {
      case 34:
      case 39:
      case 96:
      case 35:
      case 47:
        return this.lexeme(at, code);
      case 61: // =
        if (text.charCodeAt(at + 1) === 62) this.hasOtherCode = true;
        if (head.start >= 0) head.isOther = true;
        break;
      case 58: // :
        if (head.isAttributes && head.start >= 0) {
          this.group += ` ${text.slice(head.start, at)}`;
          this.head = newHead();
        } else if (!head.isAggregate) head.isAlone = false;
        break;
      case 59: // ;
        if (head.isAlone && head.start >= 0) this.leftOut = { ...this.leaveOut(head.start, at + 1), isBody: false };
        this.head = newHead();
        break;
      case 40:
      case 91:
      case 123:
        this.enter(at, code);
        break;
      case 41:
      case 93:
      case 125:
        this.close(at, code);
        return at + 1;
      default:
    }
    // The sign of an attribute and that of a destructor belong to the word behind it.
    if (code !== 64 && code !== 126) this.sign = code;
    return at + 1;
  }

  /** A bracket between declarations. */
  private enter(at: number, code: number): void {
    const { head } = this;
    const brace: Brace = code === 123 ? braceOf(head) : 'other';
    if (code === 123 && (brace === 'other' || head.start < 0)) this.hasOtherCode = true;
    this.open.push({
      code,
      at,
      brace,
      head: head.start,
      group: this.group,
      isAlone: this.isBare && code === 123 && head.isAlone && (brace === 'body' || head.isAggregate),
      kept: this.kept,
    });
    this.isDeclaring = brace === 'members';
    if (!this.isDeclaring) return;
    if (head.isAttributes && head.start >= 0) this.group += ` ${this.text.slice(head.start, at)}`;
    this.head = newHead();
  }

  private close(at: number, code: number): void {
    this.sign = code;
    const { text } = this;
    const within = this.inner.pop();
    const bracket = within === undefined ? this.open.pop() : undefined;
    const start = within ?? bracket?.at;
    if (start === undefined || text.charCodeAt(start) !== closers[code]) {
      this.isBalanced = false;
      return;
    }
    const isTable = code === 93 && at - start > longTable && isPlainTable(text, start, at);
    const isTooDeep = this.open.length + this.inner.length === maxBrackets && at > start + 1;
    if (isTooDeep) this.tooDeep ??= start;
    if (bracket) this.leave(bracket, at, isTable || isTooDeep, isTooDeep);
    else if (isTable || isTooDeep) this.cutInside(start, at);
  }

  private leave(bracket: Open, at: number, isCut: boolean, isTooDeep: boolean): void {
    const { brace, head, group, isAlone, kept } = bracket;
    const isLeftOut = brace === 'body' && head >= 0 && this.isWanted?.(head, at + 1, group, this.comments) === false;
    if (brace === 'body' && !isLeftOut) this.kept++;
    if (isAlone && head >= 0 && !isTooDeep && this.kept === kept && brace !== 'other') {
      this.dropBodies(bracket.at);
      const braces = { start: bracket.at, end: at };
      this.leftOut = { ...this.leaveOut(head, at + 1), braces, isBody: brace === 'body' };
    } else if (isCut || isLeftOut) {
      this.cutInside(bracket.at, at);
      if (isLeftOut) this.cutBodies.push(bracket.at);
    }
    if (brace === 'members') this.group = group;
    const around = this.open.at(-1);
    this.isDeclaring = around === undefined || around.brace === 'members';
    if (bracket.code === 123 && this.isDeclaring && !(brace === 'other' && goesOn(this.text, at + 1)))
      this.head = newHead();
  }

  private cut(start: number, end: number): void {
    if (end <= start) return;
    this.starts.push(start);
    this.ends.push(end);
  }

  /** Cuts out what stands between two brackets, with what was cut out of it. */
  private cutInside(opening: number, closing: number): void {
    const { starts, ends } = this;
    let count = starts.length;
    while (count > 0 && (starts[count - 1] ?? 0) > opening) count--;
    starts.length = count;
    ends.length = count;
    this.dropBodies(opening);
    this.cut(opening + 1, closing);
  }

  private dropBodies(opening: number): void {
    const { cutBodies } = this;
    let count = cutBodies.length;
    while (count > 0 && (cutBodies[count - 1] ?? 0) > opening) count--;
    cutBodies.length = count;
  }

  /** Cuts a whole declaration, with what was cut out of it. */
  private leaveOut(start: number, end: number): Pick<LeftOut, 'cut' | 'inside'> {
    const { starts, ends } = this;
    let at = starts.length;
    while (at > 0 && (starts[at - 1] ?? 0) >= start) at--;
    const inside = starts.slice(at).map((from, k) => ({ start: from, end: ends[at + k] ?? from }));
    starts.length = at;
    ends.length = at;
    this.cut(start, end);
    return { cut: at, inside };
  }
}

/** Words that a name with an index may follow without being declared (`return list[0];`). */
const notTypes =
  '(?!(?:return|throw|delete|new|else|do|try|finally|debug|case|goto|mixin|import|in|is|alias|enum|static|const|immutable|auto|final|synchronized|assert|cast|ref|scope|typeof|out|lazy|extern|pragma|default|body|unittest|with|yield)\\b)';

/** `char text[64];` behind the end of a statement or the beginning of a block. */
const cStyleArray = new RegExp(
  String.raw`([;{}]\s*)${notTypes}([A-Za-z_][\w.]*\**)([ \t]+)([A-Za-z_]\w*)(\[[\w.+*/ -]+\])(?=\s*(?:;|=[^=]))`,
  'g',
);

/**
 * Older spellings that the grammar does not know, as newer ones of the same length: a contract before `body`, and an array whose
 * length stands behind its name, as in C. `moved` says where characters stood before.
 */
function withNewSpelling(text: string): { readonly text: string; readonly moved: ReadonlyMap<number, number> } {
  const moved = new Map<number, number>();
  const renewed = text.includes('body') ? text.replace(/(\}\s*)body(?=\s*\{)/g, '$1do  ') : text;
  const turned = renewed.replace(
    cStyleArray,
    (_, before: string, type: string, blank: string, name: string, size: string, at: number) => {
      const from = at + before.length + type.length;
      const shift = blank.length + name.length;
      for (let k = 0; k < size.length; k++) moved.set(from + k, from + shift + k);
      for (let k = 0; k < shift; k++) moved.set(from + size.length + k, from + k);
      return before + type + size + blank + name;
    },
  );
  return { text: turned, moved };
}

/** The view with the offsets of the text in its old spelling. */
function putBack({ text, offsets }: View, moved: ReadonlyMap<number, number>): View {
  if (moved.size === 0) return { text, offsets };
  const before = (at: number): number => moved.get(at) ?? at;
  return {
    text,
    offsets: {
      start: (offset) => before(offsets.start(offset)),
      end: (offset) => (offset === 0 ? offsets.end(0) : before(offsets.end(offset) - 1) + 1),
    },
  };
}

function newHead(): Head {
  return { start: -1, isAggregate: false, isCallable: false, isOther: false, isAttributes: true, isAlone: false };
}

/** A declaration begins behind one of `;{}:`. */
function endsDeclaration(code: number): boolean {
  return code === 59 || code === 123 || code === 125 || code === 58;
}

function readWord(text: string, start: number, end: number, head: Head): void {
  const word = text.slice(start, end);
  const before = start > 0 ? text.charCodeAt(start - 1) : 0;
  const isAttribute = before === 64;
  // The sign of an attribute and that of a destructor belong to the word.
  if (head.start < 0) head.start = isAttribute || before === 126 ? start - 1 : start;
  if (isAttribute) return;
  if (!attributeWords.has(word)) head.isAttributes = false;
  if (aggregates.has(word)) head.isAggregate = true;
  else if (bodies.has(word)) head.isCallable = true;
  else if (contracts.has(word)) head.isOther = true;
  else if (!head.isCallable && !prefixes.has(word)) {
    let next = end;
    while (next < text.length && isBlankAt(text, next)) next++;
    if (text.charCodeAt(next) === 40) head.isCallable = true;
  }
}

/** Whether a declaration goes on behind its brace: an initialiser does, and so does a contract. */
function goesOn(text: string, from: number): boolean {
  const next = /\s*(?:[^\s\w@}~/]|(?:do|body|in|out)\b)/y;
  next.lastIndex = from;
  return next.test(text);
}

function braceOf(head: Head): Brace {
  if (head.isOther) return 'other';
  if (head.isAggregate) return 'members';
  return head.isCallable ? 'body' : 'members';
}

/** Nothing but literals, names and operators on them: there is nothing to follow in it. */
function isPlainTable(text: string, start: number, end: number): boolean {
  return !/[{&]|=>|\bnew\b/.test(text.slice(start, end));
}
