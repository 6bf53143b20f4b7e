import type { Finding, Severity } from '../model/finding.js';

const ranks: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

/** The most severe first; a stable sort keeps the order by place within a severity. */
export function compareFindings(a: Finding, b: Finding): number {
  return ranks[a.severity] - ranks[b.severity];
}
