import type { Finding, Gap } from '../model/finding.js';
import type { Language } from '../model/ir.js';

/** Something that the code shows. `text` is one sentence without the place; lines are 1-based. */
export interface Fact {
  readonly text: string;
  readonly path: string;
  readonly line?: number;
}

/** One question to the reviewer. No state of it is ever a ticked box. */
export interface Question {
  /** Stable key, also of kept ticks: `returned-pointers`. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly facts: readonly Fact[];
  /** Set when the code itself answers the question: why. */
  readonly answer?: string;
}

export type EntryKind = 'trusted-function' | 'trusted-lambda' | 'unsafe-block' | 'unsafe-function' | 'unsafe-impl';

/** One piece of code whose safety somebody has to vouch for. */
export interface Entry {
  /** Which piece it is: path, name, kind and rank; survives moved lines and changed bodies. 16 hexadecimal digits. */
  readonly fingerprint: string;
  /** What it says: the text of the function around it and the facts. Ticks hold for one state only. 16 hexadecimal digits. */
  readonly state: string;
  readonly kind: EntryKind;
  readonly language: Language;
  readonly name: string;
  readonly path: string;
  /** 1-based, both inclusive. */
  readonly startLine: number;
  readonly endLine: number;
  readonly isTest: boolean;
  /** Why it is on the list; empty with `--all`. */
  readonly touched: readonly Fact[];
  /** Facts that belong to no single question. */
  readonly seen: readonly Fact[];
  readonly questions: readonly Question[];
  readonly findings: readonly Finding[];
  readonly suppressed: readonly { readonly finding: Finding; readonly reason: string }[];
  /** What the reviewer wrote into the previous list. */
  readonly review?: Review;
}

export interface Review {
  /** Ids of the questions that stay ticked. */
  readonly ticked: readonly string[];
  /** How many ticks were taken away, because the code or its facts changed. */
  readonly cleared: number;
  /** As written, without blank lines at the ends. */
  readonly justification: string;
}

export interface Checklist {
  /** What was compared: `the changes since 'main'`; undefined for everything. */
  readonly scope: string | undefined;
  readonly entries: readonly Entry[];
  /** Of the files of the entries and the changed files; all of them without a comparison. */
  readonly gaps: readonly Gap[];
  /** How many gaps are left out, because they are in other files. */
  readonly gapsElsewhere: number;
  /** Entries of the previous list that are not on this one, with whether something was written into them. */
  readonly gone: readonly { readonly name: string; readonly hadReview: boolean }[];
}

/** What an entry is, as a reader says it. */
export const kindNames: Readonly<Record<EntryKind, string>> = {
  'trusted-function': '@trusted function',
  'trusted-lambda': '@trusted lambda',
  'unsafe-block': 'unsafe block',
  'unsafe-function': 'unsafe function',
  'unsafe-impl': 'unsafe impl',
};
