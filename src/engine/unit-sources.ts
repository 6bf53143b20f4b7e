import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import type { DiscoveredFile } from '../discover/inputs.js';
import { createFileReader, decodeText, type FileReader } from '../discover/read-source.js';
import { makeTokenFilter } from '../discover/tokens.js';
import { DeclarationIndex } from '../facts/declaration-index.js';
import type { Gap } from '../model/finding.js';
import type { Language } from '../model/ir.js';
import { suppressionMark } from '../suppress/read-suppressions.js';
import type { TokenPlan } from './token-plan.js';

export const sourceLanguages = ['rust', 'd'] as const satisfies readonly Language[];

export type ByLanguage<T> = Readonly<Partial<Record<Language, T>>>;

/** What one pass over the bytes of a unit's files found out. */
export interface UnitSources {
  /** Base-relative paths of every source file that could be read. */
  readonly listing: ByLanguage<readonly string[]>;
  /** Those that hold a token of an active rule. */
  readonly candidates: ByLanguage<readonly string[]>;
  /** Ids of the rules that want a candidate; empty for any other file. Without the filter nothing is known. */
  readersOf(path: string): ReadonlySet<string>;
  /** What declares which type, found while the files were read. */
  readonly declarations: ByLanguage<DeclarationIndex>;
  /** Files of any kind that mention a suppression. */
  readonly marked: readonly string[];
  /** The text of any file of the unit; undefined when it can't be read, with its gap recorded once. */
  readText(path: string): string | undefined;
  /** As `readText`, for a look at every file: what is not kept already is read again by the next question. */
  peekText(path: string): string | undefined;
}

export interface UnitSourcesInput {
  readonly files: readonly DiscoveredFile[];
  /** Without the filter every file is a candidate. */
  readonly plans: ByLanguage<TokenPlan>;
  readonly isFiltered: boolean;
  /** What was listed around the unit: Cargo and npm look upward for settings, and workflows stand at the repository's root. */
  readonly around?: { readonly base: string; readonly listing: readonly string[] };
  readonly onGap: (gap: Gap) => void;
  /** Called after each file. */
  readonly onFile: (path: string) => void;
}

/** Reads each source once and decides from its bytes whether it is worth a parse. */
export function readUnitSources(input: UnitSourcesInput): UnitSources {
  const reader = createFileReader();
  const byPath = new Map(input.files.map((file) => [file.path, file]));
  const texts = new Map<string, string | undefined>();
  const around = new Set(input.around?.listing ?? []);
  const listing: Partial<Record<Language, string[]>> = {};
  const candidates: Partial<Record<Language, string[]>> = {};
  const readers = new Map<string, ReadonlySet<string>>();
  const marked: string[] = [];
  const declarations: Partial<Record<Language, DeclarationIndex>> = {};

  for (const language of sourceLanguages) {
    const files = input.files.filter((file) => file.language === language);
    if (files.length === 0) continue;
    const plan = input.plans[language];
    const mayMatch = makeTokenFilter(plan?.fileTokens ?? []);
    const listed: string[] = (listing[language] = []);
    const chosen: string[] = (candidates[language] = []);
    const declared = (declarations[language] = new DeclarationIndex(language, listed, (path) => peekText(path)));
    for (const file of files) {
      const bytes = readBytes(reader, file, input.onGap);
      input.onFile(file.path);
      if (bytes === undefined) {
        texts.set(file.path, undefined);
        continue;
      }
      listed.push(file.path);
      if (isMarked(bytes)) marked.push(file.path);
      const isWide = bytes[0] === 0xff || bytes[0] === 0xfe;
      const isPlain = !isWide && isUtf8(bytes);
      // What is decoded with care is left for later, so that what is wrong with it is told to those who need it.
      if (plan !== undefined && isPlain) declared.note(file.path, bytes.toString('latin1'));
      if (plan === undefined || (input.isFiltered && !isWide && !mayMatch(bytes))) continue;
      const text = decode(bytes, file.path, input.onGap);
      texts.set(file.path, text);
      if (text === undefined) continue;
      if (input.isFiltered) {
        const wanting = plan.readersOf(text, isPlain ? bytes : Buffer.from(text));
        if (wanting.size === 0) continue;
        readers.set(file.path, wanting);
      }
      chosen.push(file.path);
    }
  }

  const peekText = (path: string): string | undefined => {
    if (texts.has(path)) return texts.get(path);
    const abs = byPath.get(path)?.abs ?? (around.has(path) ? join(input.around?.base ?? '', path) : undefined);
    const bytes = abs === undefined ? undefined : readBytes(reader, { abs, path }, input.onGap);
    const text = bytes === undefined ? undefined : decode(bytes, path, input.onGap);
    if (text === undefined) texts.set(path, undefined);
    return text;
  };
  const readText = (path: string): string | undefined => {
    const text = peekText(path);
    // Scripts are looked at once, and there may be thousands that nobody asks for again.
    if (text === undefined || byPath.get(path)?.language !== 'javascript') texts.set(path, text);
    return text;
  };
  for (const { path, language } of input.files) {
    if (language !== 'manifest' || !/\.(?:toml|ya?ml|sdl)$/u.test(path) || /lock\.yaml$/u.test(path)) continue;
    if (readText(path)?.includes(suppressionMark) === true) marked.push(path);
  }
  return {
    listing,
    candidates,
    readersOf: (path) => readers.get(path) ?? NOBODY,
    declarations,
    marked,
    readText,
    peekText,
  };
}

/** Whether the text mentions a suppression, also where it is UTF-16. */
function isMarked(bytes: Buffer): boolean {
  if (bytes.includes(suppressionMark)) return true;
  return utf16Marks.some(({ order, mark }) => bytes[0] === order && bytes.includes(mark));
}

/** By the first byte of the byte order mark. */
const utf16Marks = [
  { order: 0xff, mark: Buffer.from(suppressionMark, 'utf16le') },
  { order: 0xfe, mark: Buffer.from(suppressionMark, 'utf16le').swap16() },
];

const NOBODY: ReadonlySet<string> = new Set();

/** The bytes of a file that is text; UTF-16 counts as text. */
function readBytes(
  reader: FileReader,
  file: Pick<DiscoveredFile, 'abs' | 'path'>,
  onGap: (gap: Gap) => void,
): Buffer | undefined {
  const { bytes, gap } = reader.read(file.abs, file.path);
  if (gap !== undefined) onGap(gap);
  // A zero near the start: only decoding tells UTF-16 from what is no text at all.
  if (bytes?.subarray(0, 8000).includes(0) !== true) return bytes;
  const decoded = decodeText(bytes, file.path);
  if (decoded.text === undefined && decoded.gap !== undefined) onGap(decoded.gap);
  return decoded.text === undefined ? undefined : bytes;
}

function decode(bytes: Buffer, path: string, onGap: (gap: Gap) => void): string | undefined {
  const { text, gap } = decodeText(bytes, path);
  if (gap !== undefined) onGap(gap);
  return text;
}
