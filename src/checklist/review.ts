import type { Entry, Review } from './checklist.js';

/** What a reviewer left in one entry of a list. */
export interface PreviousEntry {
  readonly fingerprint: string;
  readonly state: string;
  readonly name: string;
  /** Titles of the ticked questions. */
  readonly ticked: readonly string[];
  readonly justification: string;
}

export const startMark = (fingerprint: string, state: string): string =>
  `<!-- lifetime-lint-review:${fingerprint}:${state} -->`;
export const endMark = '<!-- /lifetime-lint-review -->';
export const justificationMark = '- Justification:';

/** Reads the entries of a list in Markdown. Text outside of entries is not read. */
export function readPrevious(markdown: string): readonly PreviousEntry[] {
  const text = markdown.replace(/\r\n?/gu, '\n');
  const starts = [...text.matchAll(/^<!-- lifetime-lint-review:([0-9a-f]{16}):([0-9a-f]{16}) -->$/gmu)];
  return starts.map((start, index) => {
    const from = start.index + start[0].length;
    const until = starts[index + 1]?.index ?? text.length;
    const end = text.indexOf(endMark, from);
    const body = text.slice(from, end >= 0 && end < until ? end : until);
    const heading = text.slice(0, start.index).trimEnd().split('\n').at(-1) ?? '';
    const at = body.search(/^- Justification:/mu);
    const questions = at < 0 ? body : body.slice(0, at);
    return {
      fingerprint: start[1] ?? '',
      state: start[2] ?? '',
      name: /`([^`]+)`/u.exec(heading)?.[1] ?? '',
      ticked: [...questions.matchAll(/^- \[[xX]\] \*\*(.+?)\.\*\*/gmu)].map((match) => match[1] ?? ''),
      justification: at < 0 ? '' : body.slice(at + justificationMark.length).trim(),
    };
  });
}

/**
 * Ticks stay as long as the code around the entry and its facts are what they were; the justification always stays.
 * Undefined when the reviewer had left nothing.
 */
export function reviewOf(
  entry: Pick<Entry, 'state' | 'questions'>,
  previous: PreviousEntry | undefined,
): Review | undefined {
  if (previous === undefined || (previous.ticked.length === 0 && previous.justification === '')) return undefined;
  const ticked = entry.questions.filter(({ title }) => previous.ticked.includes(title)).map(({ id }) => id);
  const isSame = previous.state === entry.state;
  return {
    ticked: isSame ? ticked : [],
    cleared: isSame ? 0 : ticked.length,
    justification: previous.justification,
  };
}
