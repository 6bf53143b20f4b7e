import type { Finding } from '../model/finding.js';
import { code, escapeText } from '../report/checklist.js';
import { count } from '../report/counts.js';
import { describeEvidence } from '../report/describe-evidence.js';
import { kindNames, type Checklist, type Entry, type Fact, type Question } from './checklist.js';
import { endMark, justificationMark, startMark } from './review.js';
import { groupFacts, silenceNote, splitBySilence, stateOf, verdictOf } from './words.js';

/** What a comment of a pull request may hold, in UTF-16 code units. */
export const commentLimit = 65_536;

/** Markdown for a pull request. What doesn't fit is cut by whole entries and counted; entries with a review are cut last. */
export function renderMarkdown(
  list: Checklist,
  linkOf: (ruleId: string) => string | undefined,
  limit = commentLimit,
): string {
  const head =
    `# Lifetime checklist\n\n**${escapeText(verdictOf(list))}** ${list.entries.length === 0 ? '' : escapeText(stateOf(list))}`.trimEnd();
  const blocks = list.entries.map((entry) => ({ entry, text: renderEntry(entry, linkOf) }));
  const gaps = renderGaps(list);

  // Room for the sentences about what was cut.
  let room = limit - head.length - 400;
  const kept = new Set<Entry>();
  const byNeed = [
    ...blocks.filter(({ entry }) => entry.review !== undefined),
    ...blocks.filter(({ entry }) => entry.review === undefined),
  ];
  let isFull = false;
  for (const { entry, text } of byNeed) {
    // After the first one that doesn't fit, smaller ones further down would hide what is missing.
    isFull ||= text.length + 2 > room;
    if (isFull) continue;
    room -= text.length + 2;
    kept.add(entry);
  }
  const cut = blocks.filter(({ entry }) => !kept.has(entry));
  const reviewed = cut.filter(({ entry }) => entry.review !== undefined).length;
  const shownGaps: string[] = [];
  for (const line of gaps) {
    if (line.length + 1 > room - 60) break;
    room -= line.length + 1;
    shownGaps.push(line);
  }
  const note =
    cut.length === 0
      ? []
      : [
          `**${String(cut.length)} ${cut.length === 1 ? 'entry' : 'entries'} of ${String(blocks.length)} did not fit and ${cut.length === 1 ? 'was' : 'were'} cut**${reviewed === 0 ? '' : `, ${String(reviewed)} of them with a review`}: they are in the JSON and HTML formats, or come with fewer paths.`,
        ];
  const hiddenGaps = gaps.length - shownGaps.length;
  const gapBlock =
    gaps.length === 0
      ? []
      : [
          `## What was not seen\n\n${[...shownGaps, ...(hiddenGaps === 0 ? [] : [`- ${count(hiddenGaps, 'further gap')}.`])].join('\n')}`,
        ];
  return `${[head, ...note, ...blocks.filter(({ entry }) => kept.has(entry)).map(({ text }) => text), ...gapBlock].join('\n\n')}\n`;
}

function renderEntry(entry: Entry, linkOf: (ruleId: string) => string | undefined): string {
  const { review } = entry;
  const place = `${entry.path}:${String(entry.startLine)}${entry.endLine > entry.startLine ? `-${String(entry.endLine)}` : ''}`;
  const lines = [
    `## ${code(entry.name)}: ${code(kindNames[entry.kind])}${entry.isTest ? ' in test code' : ''}`,
    '',
    startMark(entry.fingerprint, entry.state),
    code(place),
    '',
    ...bullets('Touched: ', entry.touched, entry),
    ...bullets('', entry.seen, entry),
    ...entry.findings.map((finding) => renderFinding(finding, linkOf)),
    ...entry.suppressed.map(
      ({ finding, reason }) =>
        `- Suppressed on line ${String(finding.location.startLine)}: ${link(finding.ruleId, linkOf)}, because: ${escapeText(reason)}`,
    ),
    ...(review === undefined || review.cleared === 0
      ? []
      : [
          `- ${count(review.cleared, 'tick')} ${review.cleared === 1 ? 'was' : 'were'} taken away, because the code or what it shows changed since.`,
        ]),
    '',
    ...renderQuestions(entry),
    review === undefined || review.justification === ''
      ? justificationMark
      : `${justificationMark} ${review.justification}`,
    '',
    endMark,
  ];
  return lines.join('\n');
}

/** Questions with something to read first; then those about which the code shows nothing, a line each. */
function renderQuestions(entry: Entry): readonly string[] {
  const { filled, silent } = splitBySilence(entry.questions);
  return [
    ...filled.flatMap((question) => renderQuestion(question, entry)),
    ...(silent.length === 0 ? [] : [`- ${silenceNote(silent.length, filled.length)}`]),
    ...silent.flatMap((question) => renderQuestion(question, entry)),
  ];
}

function renderQuestion(question: Question, entry: Entry): readonly string[] {
  const box = entry.review?.ticked.includes(question.id) === true ? 'x' : ' ';
  return [
    `- [${box}] **${question.title}.** ${escapeText(question.text)}`,
    ...(question.answer === undefined ? [] : [`  - *The code answers: ${escapeText(question.answer)}.*`]),
    ...bullets('', question.facts, entry).map((line) => `  ${line}`),
  ];
}

function bullets(lead: string, facts: readonly Fact[], entry: Entry): readonly string[] {
  return groupFacts(facts, entry).map(({ text, places }) => {
    // The sentence names its lines itself when it begins with them.
    const shown = /^Lines? \d/u.test(text) ? [] : places;
    const sentence = escapeText(text);
    return `- ${lead}${shown.length === 0 ? sentence : `${sentence.replace(/\.$/u, '')} (${escapeText(shown.join(', '))}).`}`;
  });
}

function renderFinding(finding: Finding, linkOf: (ruleId: string) => string | undefined): string {
  const { severity, confidence, location, message, steps, targets } = finding;
  const weak = confidence === 'high' ? '' : `, confidence ${confidence}`;
  return [
    `- **${severity}** (${link(finding.ruleId, linkOf)}${weak}), ${code(`${location.path}:${String(location.startLine)}`)}: ${escapeText(message)}`,
    ...steps.map(
      ({ role, path, line, note }) => `  - *${role}* ${code(`${path}:${String(line)}`)}: ${escapeText(note)}`,
    ),
    ...(targets === undefined || targets.length === 0 ? [] : [`  - Targets: ${escapeText(targets.join(', '))}.`]),
    ...(finding.evidence ?? []).map((evidence) => `  - Evidence: ${escapeText(describeEvidence(evidence))}`),
  ].join('\n');
}

function link(ruleId: string, linkOf: (ruleId: string) => string | undefined): string {
  const url = linkOf(ruleId);
  return url === undefined ? code(ruleId) : `[${code(ruleId)}](${url})`;
}

function renderGaps({ gaps, gapsElsewhere }: Checklist): readonly string[] {
  return [
    ...gaps.map(
      ({ path, line, message }) =>
        `- ${code(line === undefined ? path : `${path}:${String(line)}`)}: ${escapeText(message)}`,
    ),
    ...(gapsElsewhere === 0 ? [] : [`- ${count(gapsElsewhere, 'gap')} in files that did not change.`]),
  ];
}
