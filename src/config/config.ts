import type { Audience, Confidence, Severity } from '../model/finding.js';

export type RuleLevel = 'off' | Severity;

/** A configured suppression; `path` is a .gitignore-style pattern. */
export interface PathSuppression {
  readonly id: string;
  readonly path: string;
  readonly reason: string;
  /** 1-based line of the entry in the configuration file, and UTF-16 columns on it; the end is exclusive. */
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
}

/** What a scan is run with: the configuration file under the command line, defaults filled in. */
export interface Config {
  /** The file it came from, as messages should name it; absent without one. */
  readonly source?: string;
  /** Base-relative folder that globs and the baseline are relative to; `''` is the base itself. */
  readonly root: string;
  readonly rules: Readonly<Record<string, RuleLevel>>;
  /** Empty means everything. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly minSeverity: Severity;
  readonly minConfidence: Confidence;
  readonly failOn: Severity;
  readonly audience: Audience;
  readonly targets: readonly string[];
  readonly native: readonly string[];
  readonly suppress: readonly PathSuppression[];
  readonly baseline?: string;
}

export const defaultConfig: Config = {
  root: '',
  rules: {},
  include: [],
  exclude: [],
  minSeverity: 'note',
  minConfidence: 'low',
  failOn: 'warning',
  audience: 'everyone',
  targets: [],
  native: [],
  suppress: [],
};
