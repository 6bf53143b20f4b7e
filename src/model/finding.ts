export type Severity = 'note' | 'warning' | 'error';
export type Confidence = 'low' | 'medium' | 'high';
export type Audience = 'everyone' | 'audit';

/** What a step of a finding's path did. */
export type Role =
  'declare' | 'acquire' | 'borrow' | 'enable' | 'load' | 'grow' | 'escape' | 'suspend' | 'release' | 'use';

/** 1-based lines and columns; columns count UTF-16 code units; the end is exclusive. */
export interface Location {
  readonly path: string;
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}

export interface Step {
  readonly role: Role;
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** One-based end of the step on its first line, for underlining; absent when only the start is known. */
  readonly endColumn?: number;
  readonly note: string;
}

export type Verdict = 'confirmed' | 'not-reproduced' | 'not-run';

/** What a run said about a finding; it never removes or lowers the finding. */
export interface Evidence {
  readonly verdict: Verdict;
  readonly reason?: string;
  readonly scenario?: string;
  readonly amplifier?: string;
  readonly runs?: number;
  readonly hits?: number;
  /** Crash rate excluded at 95 % by clean runs, or the interval of the observed rate, both 0..1. */
  readonly excludedRate?: number;
  readonly rate?: readonly [number, number];
  readonly crashClass?: string;
  readonly attributed?: boolean;
  /** What the frames of the crash say about its cause, as a sentence. */
  readonly cause?: string;
  readonly refutes?: string;
  readonly platform?: string;
  readonly artifacts?: readonly string[];
  readonly lines?: readonly string[];
}

/** One finding as every reporter gets it; the JSON format writes exactly these keys (docs/output.md). */
export interface Finding {
  readonly fingerprint: string;
  readonly ruleId: string;
  readonly messageId: string;
  readonly message: string;
  readonly severity: Severity;
  readonly confidence: Confidence;
  readonly audience: Audience;
  readonly unit: string;
  readonly manifest?: string;
  readonly location: Location;
  readonly steps: readonly Step[];
  /** Target triples the finding holds for; absent when it holds for all or none are meant. */
  readonly targets?: readonly string[];
  readonly reachableFrom?: readonly { readonly rust: string; readonly js: string }[];
  readonly fixedIn?: string;
  readonly evidence?: readonly Evidence[];
  /** Findings of other rules in the same package that belong to the same story (fingerprints). */
  readonly related?: readonly string[];
}

export type GapKind =
  | 'parse-error'
  | 'macro-body'
  | 'unsupported-syntax'
  | 'manifest'
  | 'unreadable'
  | 'too-large'
  | 'binary'
  | 'vanished'
  | 'limit'
  | 'missing-dependency'
  | 'nothing-to-scan'
  | 'not-run'
  /** A defect of this tool: a rule threw. The exit code is 2. */
  | 'internal';

/** Something that was not seen. `message` is one sentence that names the thing and the mend. */
export interface Gap {
  readonly kind: GapKind;
  readonly path: string;
  readonly line?: number;
  readonly message: string;
}

export interface SuppressedFinding {
  readonly finding: Finding;
  readonly by: 'comment' | 'configuration' | 'baseline';
  readonly reason: string;
}

export interface ScanStats {
  readonly files: number;
  readonly parsed: number;
  readonly milliseconds: number;
  /** Milliseconds spent in each rule. */
  readonly perRule: Readonly<Record<string, number>>;
}

export interface ScanResult {
  /** Absolute folder to which every `path` in the result is relative. */
  readonly base: string;
  readonly findings: readonly Finding[];
  readonly gaps: readonly Gap[];
  readonly suppressed: readonly SuppressedFinding[];
  readonly stats: ScanStats;
}
