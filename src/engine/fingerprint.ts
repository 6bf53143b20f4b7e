import { createHash } from 'node:crypto';

export interface FingerprintParts {
  readonly ruleId: string;
  /** Base-relative, with `/`. */
  readonly path: string;
  /** Qualified name of the innermost named function around the finding; empty outside functions. */
  readonly scope: string;
  /** The text of the line where the finding starts. */
  readonly lineText: string;
  /** What the rule added to tell two findings apart. */
  readonly key: string;
  /** 0-based rank among findings that agree in everything above, in source order. */
  readonly ordinal: number;
}

/**
 * A key for a finding that survives moved lines, reindentation and changes elsewhere in the file: 16 hexadecimal digits
 * of SHA-256 over the parts, white space removed from the line.
 */
export function fingerprintOf(parts: FingerprintParts): string {
  const line = parts.lineText.replace(/\s+/gu, '');
  const material = [parts.ruleId, parts.path, parts.scope, line, parts.key, String(parts.ordinal)].join('\0');
  return createHash('sha256').update(material).digest('hex').slice(0, 16);
}

/**
 * The part of a line that names a finding: all of it, or what stands around the 1-based column where the line is longer than
 * anybody writes. Otherwise generated code with thousands of findings on one line would take time by its square.
 */
export function aroundColumn(line: string, column: number): string {
  return line.length <= 2_000 ? line : line.slice(Math.max(0, column - 1 - 500), column - 1 + 500);
}
