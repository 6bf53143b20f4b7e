/** A reader for the part of SDLang that dub.sdl uses: tags with values, attributes and blocks. */
import { findLineStarts, positionAt } from '../model/source.js';
import { DocumentError } from './document.js';

export interface SdlTag {
  /** `name` or `space:name`. */
  readonly name: string;
  readonly values: readonly string[];
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly SdlTag[];
  readonly line: number;
  readonly column: number;
}

const blank = /(?:[ \t\r]|\\\r?\n|\/\*[\s\S]*?\*\/)*/y;
const comment = /(?:\/\/|#|--)[^\n]*/y;
const identifier = /[A-Za-z_][\w.$-]*(?::[A-Za-z_][\w.$-]*)?/y;
const quoted = /"((?:[^"\\\n]|\\[\s\S])*)"/y;
const raw = /`([^`]*)`/y;
const bare = /[^\s{};="`]+/y;

/** Reads an SDL document; throws `DocumentError` with the first thing that is not SDL. */
export function readSdl(text: string): readonly SdlTag[] {
  let at = 0;
  const starts = findLineStarts(text);
  const lineAt = (offset: number): { readonly line: number; readonly column: number } => positionAt(starts, offset);
  const fail = (message: string): DocumentError => {
    const { line, column } = lineAt(at);
    return new DocumentError(message, line, column);
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const skip = (): void => {
    match(blank);
  };
  const value = (): string | undefined => {
    const string = match(quoted);
    if (string !== null)
      return (string[1] ?? '')
        .replace(/\\\r?\n\s*/g, '')
        .replace(/\\(.)/g, (_, char: string) => ({ n: '\n', t: '\t', r: '\r' })[char] ?? char);
    const plain = match(raw);
    if (plain !== null) return plain[1] ?? '';
    if (text[at] === '"' || text[at] === '`') throw fail('a string is not closed');
    return match(bare)?.[0];
  };
  const readTags = (depth: number): readonly SdlTag[] => {
    const tags: SdlTag[] = [];
    for (;;) {
      skip();
      if (match(comment) !== null) continue;
      const char = text[at];
      if (char === undefined) {
        if (depth > 0) throw fail("a block is not closed with '}'");
        return tags;
      }
      if (char === '\n' || char === ';') {
        at++;
        continue;
      }
      if (char === '}') {
        if (depth === 0) throw fail("'}' closes no block");
        at++;
        return tags;
      }
      tags.push(readTag(depth));
    }
  };
  const readTag = (depth: number): SdlTag => {
    if (depth > 64) throw fail('it is nested more than 64 levels deep');
    const place = lineAt(at);
    // A tag without a name is an anonymous list of values.
    const name = text[at] === '"' || text[at] === '`' ? 'content' : match(identifier)?.[0];
    if (name === undefined) throw fail(`a tag was expected, but '${text[at] ?? ''}' stands here`);
    const values: string[] = [];
    const attributes = new Map<string, string>();
    let children: readonly SdlTag[] = [];
    for (;;) {
      skip();
      const char = text[at];
      if (char === undefined || char === '\n' || char === ';' || char === '}') break;
      if (match(comment) !== null) break;
      if (char === '{') {
        at++;
        children = readTags(depth + 1);
        break;
      }
      const attribute = /([A-Za-z_][\w.:$-]*)\s*=/y;
      const key = match(attribute);
      if (key?.[1] !== undefined) {
        skip();
        attributes.set(key[1], value() ?? '');
        continue;
      }
      const found = value();
      if (found === undefined) throw fail(`a value was expected, but '${char}' stands here`);
      values.push(found);
    }
    return { name, values, attributes, children, ...place };
  };
  return readTags(0);
}
