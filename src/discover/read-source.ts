import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';
import type { Gap } from '../model/finding.js';
import { reasonOf } from './list-files.js';

/** Sources and manifests above this size (bytes) are not read: nobody wrote them. */
const maxFileSize = 10 * 1024 * 1024;

/** How many bytes at the start of a file decide whether it is text, as git does it. */
const sniffedBytes = 8000;

/** Either the bytes of a file or the gap that says why there are none. */
type ReadResult =
  { readonly bytes: Buffer; readonly gap?: undefined } | { readonly bytes?: undefined; readonly gap: Gap };

/** Reads files one after the other; the bytes of a file are valid until the next call. */
export interface FileReader {
  /** `absolute` is opened, `path` (base-relative) names it in the gap. */
  read(absolute: string, path: string): ReadResult;
}

/** A reader that uses one buffer for all files, so that a filter over a whole tree leaves no garbage. */
export function createFileReader(): FileReader {
  let buffer = Buffer.allocUnsafe(256 * 1024);
  return {
    read(absolute, path) {
      let descriptor: number | undefined;
      try {
        descriptor = openSync(absolute, readAtOnce);
        const stats = fstatSync(descriptor);
        const refused = refuse(stats, path);
        if (refused !== undefined) return { gap: refused };
        const { size } = stats;
        if (size > buffer.length) buffer = Buffer.allocUnsafe(size);
        let length = 0;
        while (length < size) {
          const count = readSync(descriptor, buffer, length, size - length, length);
          if (count === 0) break;
          length += count;
        }
        return { bytes: buffer.subarray(0, length) };
      } catch (error) {
        return { gap: refuseUnopened(absolute, path) ?? unreadable(path, error) };
      } finally {
        if (descriptor !== undefined) closeSync(descriptor);
      }
    },
  };
}

/** A pipe is opened without waiting for a writer; Windows has none among files. */
const readAtOnce = constants.O_RDONLY | ((constants as Partial<typeof constants>).O_NONBLOCK ?? 0);

/** What could not be opened may be no file at all. */
function refuseUnopened(absolute: string, path: string): Gap | undefined {
  try {
    return refuse(statSync(absolute), path);
  } catch {
    return undefined;
  }
}

/** The gap for something that is not a readable file of sensible size, by its `stat`. */
export function refuse(stats: Stats, path: string): Gap | undefined {
  if (stats.isDirectory())
    return { kind: 'unreadable', path, message: `'${path}' was not read, because it is a folder.` };
  if (!stats.isFile())
    return { kind: 'unreadable', path, message: `'${path}' was not read, because it is not a regular file.` };
  return stats.size > maxFileSize ? tooLarge(path, stats.size) : undefined;
}

function tooLarge(path: string, size: number): Gap {
  const megabytes = (size / (1024 * 1024)).toFixed(1);
  return {
    kind: 'too-large',
    path,
    message: `'${path}' was not read, because it has ${megabytes} MB and the limit is 10 MB; exclude it or split it.`,
  };
}

/** The gap for an error of the file system. */
export function unreadable(path: string, error: unknown): Gap {
  const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  if (isGone) return { kind: 'vanished', path, message: `'${path}' was listed but is gone; it was not read.` };
  return { kind: 'unreadable', path, message: `'${path}' could not be read: ${reasonOf(error)}.` };
}

/** The text of a file, with the gap when something in it could not be kept, or only the gap when it is no text. */
export interface DecodedText {
  readonly text?: string;
  readonly gap?: Gap;
}

function binary(path: string): Gap {
  return { kind: 'binary', path, message: `'${path}' was not read, because it holds binary data.` };
}

const strict = new TextDecoder('utf-8', { fatal: true });
const lossy = new TextDecoder('utf-8');

/**
 * Decodes the bytes of a source or manifest: UTF-8 or UTF-16 with a byte order mark (which is not part of the text),
 * otherwise UTF-8, in which invalid bytes become U+FFFD and a gap. Bytes with a NUL near the start are binary.
 */
export function decodeText(bytes: Uint8Array, path: string): DecodedText {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : undefined;
  if (utf16 !== undefined) {
    const text = new TextDecoder(utf16).decode(bytes);
    // The mark of UTF-32 begins with the one of UTF-16.
    return text.slice(0, sniffedBytes).includes('\0') ? { gap: binary(path) } : { text };
  }
  if (bytes.subarray(0, sniffedBytes).includes(0)) return { gap: binary(path) };
  try {
    return { text: strict.decode(bytes) };
  } catch {
    const message = `'${path}' is not valid UTF-8; bytes that are not were read as '\u{fffd}'.`;
    return { text: lossy.decode(bytes), gap: { kind: 'unreadable', path, message } };
  }
}
