import type { FileIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import type { UnitFacts } from './unit.js';

/** The source between two offsets with comments and string contents blanked out, so that offsets stay what they are. */
export function plainText(unit: UnitFacts, file: FileIr, span: Span): string {
  return blankComments((unit.textOf(file.path) ?? '').slice(span.start, span.end));
}

/** The text with comments and string contents blanked out; offsets and lines stay what they are. */
export function blankComments(text: string): string {
  return text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\[\s\S])*"/gu, (found) => found.replace(/[^\n]/gu, ' '));
}

/** Whether the character at an offset belongs to a name; none is there before the beginning and behind the end. */
export function isWordAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95;
}

/** Where the bracket that is open at `from` closes, 0-based UTF-16; the end of the text when it does not. Brackets in strings count, too. */
export function closingBracket(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    const sign = text[at];
    if (sign === '(' || sign === '{' || sign === '[') depth++;
    else if (sign === ')' || sign === '}' || sign === ']') depth--;
    if (depth === 0) return at;
  }
  return text.length;
}
