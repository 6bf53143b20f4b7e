import { count } from '../report/counts.js';
import { kindNames, type Checklist, type Entry, type EntryKind, type Fact, type Question } from './checklist.js';

/** Counts first: `2 @trusted functions and 1 unsafe block are touched by the changes since 'main'.` */
export function verdictOf({ entries, scope }: Checklist): string {
  const where = scope === undefined ? 'to be vouched for' : `touched by ${scope}`;
  if (entries.length === 0) return `No @trusted or unsafe code is ${where}.`;
  const kinds = [...new Set(entries.map(({ kind }) => kind))];
  const parts = kinds.map((kind: EntryKind) =>
    count(entries.filter((entry) => entry.kind === kind).length, kindNames[kind]),
  );
  const list = parts.length === 1 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1) ?? ''}`;
  return `${list} ${entries.length === 1 ? 'is' : 'are'} ${where}.`;
}

/** What the scan says about the entries, and how much of the review is done. */
export function stateOf({ entries, gone }: Checklist): string {
  const findings = new Set(entries.flatMap((entry) => entry.findings.map(({ fingerprint }) => fingerprint))).size;
  const all = entries.reduce((sum, { questions }) => sum + questions.length, 0);
  const answered = entries.reduce(
    (sum, { questions }) => sum + questions.filter(({ answer }) => answer !== undefined).length,
    0,
  );
  const ticked = entries.reduce((sum, { review }) => sum + (review?.ticked.length ?? 0), 0);
  const cleared = entries.reduce((sum, { review }) => sum + (review?.cleared ?? 0), 0);
  const lost = gone.filter(({ hadReview }) => hadReview);
  return [
    `The scan reports ${findings === 0 ? 'nothing' : count(findings, 'finding')} on their lines.`,
    `Of ${count(all, 'question')}, the code answers ${String(answered)}; the others are open, and a box is ticked by a reviewer only.`,
    ...(ticked === 0 ? [] : [`${count(ticked, 'tick')} of the previous list ${ticked === 1 ? 'is' : 'are'} kept.`]),
    ...(cleared === 0
      ? []
      : [
          `${count(cleared, 'tick')} ${cleared === 1 ? 'was' : 'were'} taken away, because the code or what it shows changed.`,
        ]),
    ...(lost.length === 0
      ? []
      : [
          `${`${String(lost.length)} reviewed ${lost.length === 1 ? 'entry' : 'entries'}`} of the previous list ${lost.length === 1 ? 'is' : 'are'} not on this one: ${lost.map(({ name }) => `'${name}'`).join(', ')}.`,
        ]),
  ].join(' ');
}

/** Where a fact is, seen from its entry: `line 12`, `source/pool.d:12`; empty without a line. */
function placeOf(fact: Fact, { path }: Pick<Entry, 'path'>): string {
  if (fact.line === undefined) return fact.path === path ? '' : fact.path;
  return fact.path === path ? `line ${String(fact.line)}` : `${fact.path}:${String(fact.line)}`;
}

/** Facts that say the same at several places, as one sentence with its places. */
export function groupFacts(
  facts: readonly Fact[],
  entry: Pick<Entry, 'path'>,
): readonly { readonly text: string; readonly places: readonly string[] }[] {
  const groups = new Map<string, string[]>();
  for (const fact of facts) {
    const places = groups.get(fact.text) ?? [];
    const place = placeOf(fact, entry);
    if (place !== '' && !places.includes(place)) places.push(place);
    groups.set(fact.text, places);
  }
  return [...groups].map(([text, places]) => ({ text, places: shorten(places) }));
}

const MOST_PLACES = 8;

/** `line 1, line 2, line 3` becomes `lines 1, 2, 3`; long lists end with how many more there are. */
function shorten(places: readonly string[]): readonly string[] {
  const lines = places.flatMap((place) => /^line (\d+)$/u.exec(place)?.[1] ?? []);
  const others = places.filter((place) => !/^line \d+$/u.test(place));
  const own =
    lines.length === 0
      ? []
      : [
          `${lines.length === 1 ? 'line' : 'lines'} ${lines.slice(0, MOST_PLACES).join(', ')}${lines.length > MOST_PLACES ? ` and ${String(lines.length - MOST_PLACES)} more` : ''}`,
        ];
  const far = others.slice(0, MOST_PLACES);
  return [
    ...own,
    ...far,
    ...(others.length > MOST_PLACES ? [`${String(others.length - MOST_PLACES)} more places`] : []),
  ];
}

/** Questions that hold a fact or an answer, and those about which nothing was seen. */
export function splitBySilence(questions: readonly Question[]): {
  readonly filled: readonly Question[];
  readonly silent: readonly Question[];
} {
  const isSilent = ({ facts, answer }: Question): boolean => facts.length === 0 && answer === undefined;
  return { filled: questions.filter((one) => !isSilent(one)), silent: questions.filter(isSilent) };
}

/** Says that silence is no answer, above the questions that it is about. */
export function silenceNote(silent: number, filled: number): string {
  const about = filled === 0 ? 'any of these' : silent === 1 ? 'this one' : `these ${String(silent)}`;
  return `The code shows nothing about ${about}, which is no answer:`;
}
