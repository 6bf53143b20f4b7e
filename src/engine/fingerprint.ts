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
