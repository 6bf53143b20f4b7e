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

interface Open {
  readonly code: number;
  readonly at: number;
  readonly brace: Brace;
  /** Start of the declaration whose body this is. */
  readonly head: number;
  /** How many cuts there were before it. */
  readonly cuts: number;
  readonly bodies: number;
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

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || Number.isNaN(code);
}

/** Asked about a function outside functions: its extent with head and attributes, and the attributes of groups around it. */
export type Selection = (start: number, end: number, group: string) => boolean;

/**
 * Finds what can be left out, in one pass over the characters. Without `isWanted` every body stays. Where the brackets of the text do not match, nothing
 * is cut out, so that the parser sees the error. With `isBare` all other declarations are left out, too, but for what a wanted one stands in.
 */
export function readOutline(given: string, isWanted: Selection | undefined, isBare = false): Outline {
  const { text, moved } = withNewSpelling(given);
  const comments: Comment[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const cutBodies: number[] = [];
  /** Starts and ends of strings, characters and directives. */
  const verbatim: number[] = [];
  const open: Open[] = [];
  let head = newHead();
  let isBalanced = true;
  let hasOtherCode = false;
  const cut = (start: number, end: number): void => {
    if (end <= start) return;
    starts.push(start);
    ends.push(end);
  };
  /** Cuts a whole declaration, with what was cut out of it. */
  const leaveOut = (start: number, end: number): Pick<LeftOut, 'cut' | 'inside'> => {
    let at = starts.length;
    while (at > 0 && (starts[at - 1] ?? 0) >= start) at--;
    const inside = starts.slice(at).map((from, k) => ({ start: from, end: ends[at + k] ?? from }));
    starts.length = at;
    ends.length = at;
    cut(start, end);
    return { cut: at, inside };
  };
  const restart = (): void => {
    head = newHead();
  };
  /** Whether the words here belong to a declaration: outside functions and outside parentheses. */
  let isDeclaring = true;
  let group = '';
  let tooDeep: number | undefined;
  /** The last character that is no part of a word, a comment or a blank; 0 when a word came after it. */
  let sign = 59;
  let kept = 0;
  let leftOut: LeftOut | undefined;

  let i = 0;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code <= 32) {
      i++;
      continue;
    }
    if (isWordCode(code)) {
      const lexeme = code === 113 || code === 114 || code === 120 ? endOfLexeme(text, i) : i;
      if (lexeme > i) {
        // Data written as a hexadecimal string.
        if (code === 120 && lexeme - i > longTable) {
          const close = text.lastIndexOf('"', lexeme - 1);
          verbatim.push(i, i + 2, close, lexeme);
          cut(i + 2, close);
        } else verbatim.push(i, lexeme);
        i = lexeme;
        sign = 0;
        continue;
      }
      let end = i + 1;
      while (isWordCode(text.charCodeAt(end))) end++;
      if (isDeclaring) {
        const isFirst = head.start < 0;
        readWord(text, i, end, head);
        if (isFirst && isBare) {
          head.isAlone = endsDeclaration(sign);
          // What an `else` belongs to stays, but for what is in its braces.
          if (leftOut !== undefined && end - i === 4 && text.startsWith('else', i)) {
            const { cut: at, inside, braces, isBody } = leftOut;
            const left = inside.filter(({ end: last }) => last <= (braces?.start ?? i));
            if (braces && braces.end > braces.start + 1) left.push({ start: braces.start + 1, end: braces.end });
            starts.splice(at, 1, ...left.map((one) => one.start));
            ends.splice(at, 1, ...left.map((one) => one.end));
            if (isBody && braces) cutBodies.push(braces.start);
          }
        }
        leftOut = undefined;
      }
      sign = 0;
      i = end;
      continue;
    }
    switch (code) {
      case 34:
      case 39:
      case 96:
      case 35: {
        // `#line` and `#!` go to the end of their line.
        const end = code === 35 ? endOfLine(text, i) : endOfLexeme(text, i);
        verbatim.push(i, end);
        i = end;
        sign = code === 35 ? sign : 0;
        continue;
      }
      case 47: {
        const end = endOfLexeme(text, i);
        if (end === i) break;
        comments.push({ text: given.slice(i, end), span: { start: i, end } });
        // A block comment may be all that keeps two words apart.
        const isApart = isBlank(text.charCodeAt(i - 1)) || isBlank(text.charCodeAt(end));
        if (isApart || text.charCodeAt(i + 1) === 47) cut(i, end);
        i = end;
        continue;
      }
      case 61: // =
        if (text.charCodeAt(i + 1) === 62) hasOtherCode ||= isDeclaring || open.every(({ brace }) => brace !== 'body');
        if (isDeclaring && head.start >= 0) head.isOther = true;
        break;
      case 58: // :
        if (isDeclaring && head.isAttributes && head.start >= 0) {
          group += ` ${text.slice(head.start, i)}`;
          restart();
        } else if (isDeclaring && !head.isAggregate) head.isAlone = false;
        break;
      case 59: // ;
        if (isDeclaring && head.isAlone && head.start >= 0) {
          leftOut = { ...leaveOut(head.start, i + 1), isBody: false };
        }
        if (isDeclaring) restart();
        break;
      case 40:
      case 91:
      case 123: {
        const brace: Brace = code !== 123 || !isDeclaring ? 'other' : braceOf(head);
        if (code === 123 && isDeclaring && (brace === 'other' || head.start < 0)) hasOtherCode = true;
        const { isAggregate, isAlone } = head;
        open.push({
          code,
          at: i,
          brace,
          head: head.start,
          cuts: starts.length,
          bodies: cutBodies.length,
          group,
          isAlone: isBare && code === 123 && isAlone && (brace === 'body' || isAggregate),
          kept,
        });
        isDeclaring = brace === 'members';
        if (isDeclaring && head.isAttributes && head.start >= 0) group += ` ${text.slice(head.start, i)}`;
        if (brace === 'members') restart();
        break;
      }
      case 41:
      case 93:
      case 125: {
        const bracket = open.pop();
        if (bracket === undefined || bracket.code !== closers[code]) {
          isBalanced = false;
          break;
        }
        const isTable = code === 93 && i - bracket.at > longTable && isPlainTable(text, bracket.at, i);
        const isLeftOut =
          bracket.brace === 'body' && bracket.head >= 0 && isWanted?.(bracket.head, i + 1, bracket.group) === false;
        const isTooDeep = open.length === maxBrackets && i > bracket.at + 1;
        if (isTooDeep) tooDeep ??= bracket.at;
        if (bracket.brace === 'body' && !isLeftOut) kept++;
        if (bracket.isAlone && bracket.head >= 0 && !isTooDeep && kept === bracket.kept && bracket.brace !== 'other') {
          cutBodies.length = bracket.bodies;
          const braces = { start: bracket.at, end: i };
          leftOut = { ...leaveOut(bracket.head, i + 1), braces, isBody: bracket.brace === 'body' };
        } else if (isTable || isLeftOut || isTooDeep) {
          starts.length = bracket.cuts;
          ends.length = bracket.cuts;
          cutBodies.length = bracket.bodies;
          if (isLeftOut) cutBodies.push(bracket.at);
          cut(bracket.at + 1, i);
        }
        if (bracket.brace === 'members') group = bracket.group;
        const around = open.at(-1);
        isDeclaring = around === undefined || around.brace === 'members';
        if (code === 125 && isDeclaring && !(bracket.brace === 'other' && goesOn(text, i + 1))) restart();
        break;
      }
      default:
    }
    // The sign of an attribute and that of a destructor belong to the word behind it.
    if (code !== 64 && code !== 126) sign = code;
    i++;
  }
  const isMatched = isBalanced && open.length === 0;
  if (!isMatched) {
    starts.length = 0;
    ends.length = 0;
  }
  return {
    view: putBack(compact(text, starts, ends, verbatim), moved),
    blankView: () => putBack({ text: leftOver(text, starts, ends), offsets: new CutMap(starts, ends) }, moved),
    comments,
    cutBodies: new Set(isMatched ? cutBodies : []),
    hasOtherCode: hasOtherCode || !isMatched,
    ...(tooDeep === undefined || !isMatched ? {} : { tooDeep }),
  };
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
  const before = text.charCodeAt(start - 1);
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
    while (isBlank(text.charCodeAt(next)) && next < text.length) next++;
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
