import type { Finding } from '../model/finding.js';
import { count, countSeverity } from './counts.js';
import { describeEvidence } from './describe-evidence.js';
import type { Reporter, ReportInput } from './report.js';

/**
 * Markdown for a pull request: counts first, then per finding what was seen, one box for the question that a reviewer
 * answers, and the fingerprint in a comment, so that ticks can survive a re-run. No box is ever ticked here.
 */
export const reportChecklist: Reporter = (input) => {
  const { result } = input;
  const blocks = [
    `# Lifetime review\n\n${verdict(input)}`,
    ...result.findings.map((finding) => renderFinding(finding, input)),
    ...(result.gaps.length === 0 ? [] : [renderGaps(input)]),
  ];
  return `${blocks.join('\n\n')}\n`;
};

function verdict({ result: { findings, gaps, suppressed, stats } }: ReportInput): string {
  const parts = [
    ...(['error', 'warning', 'note'] as const).map(
      (severity) => [countSeverity(findings, severity), severity] as const,
    ),
    [gaps.length, 'gap'] as const,
  ].filter(([number]) => number > 0);
  const counts = parts.map(([number, noun]) => count(number, noun)).join(', ');
  const hidden = suppressed.length === 0 ? '' : ` ${suppressed.length} suppressed.`;
  if (findings.length === 0) {
    return `**Nothing was found** in ${count(stats.files, 'file')}${counts === '' ? '' : ` (${counts})`}.${hidden}`;
  }
  return `**${counts}** in ${count(stats.files, 'file')}.${hidden}`;
}

function renderFinding(finding: Finding, { catalog }: ReportInput): string {
  const { location, steps } = finding;
  const entry = catalog.find(finding.ruleId);
  const rule = entry === undefined ? `\`${finding.ruleId}\`` : `[\`${finding.ruleId}\`](${entry.url})`;
  const confidence = finding.confidence === 'high' ? '' : `, confidence ${finding.confidence}`;
  const facts = [
    ...(finding.targets === undefined || finding.targets.length === 0
      ? []
      : [`Targets: ${finding.targets.join(', ')}.`]),
    ...(finding.reachableFrom ?? []).map(({ rust, js }) => `Reachable from JavaScript: ${code(rust)} as ${code(js)}.`),
    ...(finding.fixedIn === undefined ? [] : [`Fixed in ${finding.fixedIn}.`]),
    ...(finding.evidence ?? []).map((evidence) => `Evidence: ${escapeText(describeEvidence(evidence))}`),
  ];
  return [
    `## ${finding.severity}: ${code(`${location.path}:${location.startLine}`)}`,
    '',
    `<!-- lifetime-lint:${finding.fingerprint} -->`,
    `${escapeText(finding.message)} (${rule}${confidence})`,
    '',
    ...steps.map(
      ({ role, path, line, note }, index) => `${index + 1}. *${role}* ${code(`${path}:${line}`)}: ${escapeText(note)}`,
    ),
    ...(steps.length === 0 ? [] : ['']),
    ...facts.map((fact) => `- ${fact}`),
    ...(facts.length === 0 ? [] : ['']),
    `- [ ] ${escapeText(entry?.meta.checklist ?? 'Is this acceptable?')}`,
    '- Justification:',
  ].join('\n');
}

function renderGaps({ result }: ReportInput): string {
  const lines = result.gaps.map(({ path, line, message }) => {
    const place = line === undefined ? path : `${path}:${line}`;
    return `- ${code(place)}: ${escapeText(message)}`;
  });
  return ['## What was not seen', '', ...lines].join('\n');
}

/** Text of a source or manifest inside Markdown: nothing in it may become markup. */
export function escapeText(text: string): string {
  return text
    .replace(/\s+/gu, ' ')
    .replace(/[\\`*_[\]<>#|~]/gu, '\\$&')
    .replace(/@/gu, '@\u200b');
}

/** A code span, with as many backticks as its content needs. */
export function code(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/gu)].map((run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${text.replace(/\s+/gu, ' ')}${pad}${fence}`;
}
