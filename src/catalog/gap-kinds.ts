import type { GapKind } from '../model/finding.js';

/** What a kind of gap means, for every surface that lists gaps. */
export interface GapInfo {
  /** A few words that go before a count of places. */
  readonly name: string;
  readonly description: string;
  /** What can be done about it. */
  readonly help: string;
}

export const gapKinds: Readonly<Record<GapKind, GapInfo>> = {
  'parse-error': {
    name: 'could not be parsed',
    description: 'A function or file has syntax that the grammar does not know.',
    help: 'No finding is made in the function named here. Check that the code compiles; newer syntax may need a newer version of this tool.',
  },
  'macro-body': {
    name: 'macro body not read',
    description: 'The arguments of a macro are tokens that only the macro gives a meaning.',
    help: 'What happens inside the macro call was not seen. Read it yourself, or move the code out of the macro.',
  },
  'unsupported-syntax': {
    name: 'syntax not understood',
    description: 'The grammar knows this syntax, and the analysis does not follow it.',
    help: 'What happens there was not seen. Read it yourself.',
  },
  manifest: {
    name: 'manifest not read',
    description: 'A manifest, lockfile or workflow could not be read, so facts about targets and features are missing.',
    help: 'Mend the file at the line named in the message.',
  },
  unreadable: {
    name: 'file not read',
    description: 'A file or folder could not be opened.',
    help: 'Check its permissions, or exclude it in the configuration.',
  },
  'too-large': {
    name: 'file too large',
    description:
      'A file is larger than the analysis accepts (10 MB; JavaScript 1 MB, above which it is taken for a bundle).',
    help: 'Generated files of this size are best excluded in the configuration; others are best split.',
  },
  binary: {
    name: 'not text',
    description: 'A file has the name of a source file and holds no text in UTF-8 or UTF-16.',
    help: 'Save it as UTF-8, or exclude it in the configuration.',
  },
  vanished: {
    name: 'file vanished',
    description: 'A file was listed and was gone when it was read.',
    help: 'Run the scan again when nothing writes to the folder.',
  },
  limit: {
    name: 'limit reached',
    description: 'A limit of the analysis or of the output format was reached.',
    help: 'The message names what was left out.',
  },
  'missing-dependency': {
    name: 'dependency not found',
    description: 'Something that the scan needs is not installed.',
    help: 'Install what the message names.',
  },
  'nothing-to-scan': {
    name: 'nothing to scan',
    description: 'No file below the given paths is one that the rules read.',
    help: 'Check the paths and the include and exclude patterns of the configuration.',
  },
  'not-run': {
    name: 'not run',
    description: 'A check was asked for and did not run.',
    help: 'The message names the reason.',
  },
  internal: {
    name: 'defect of this tool',
    description: 'A rule failed with an error of its own; its findings are incomplete.',
    help: 'Please report it with the message; the exit code is 2.',
  },
};

/** The kinds in the order in which they are documented. */
export function findGapKinds(): readonly (readonly [GapKind, GapInfo])[] {
  // The record is total over GapKind, so its keys are exactly the kinds.
  return Object.entries(gapKinds) as [GapKind, GapInfo][];
}
