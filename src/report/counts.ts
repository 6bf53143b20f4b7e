import type { Finding, ScanResult, Severity } from '../model/finding.js';

/** `1 error`, `2 errors`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export function countSeverity(findings: readonly Finding[], severity: Severity): number {
  return findings.filter((finding) => finding.severity === severity).length;
}

/** `2 errors, 1 warning, 1 gap in 214 files, 0.4 s`; without findings `No findings in 214 files, 0.4 s`. */
export function summaryLine({ findings, gaps, suppressed, stats }: ScanResult): string {
  const severities = (['error', 'warning', 'note'] as const)
    .map((severity) => [severity, countSeverity(findings, severity)] as const)
    .filter(([, number]) => number > 0)
    .map(([severity, number]) => count(number, severity));
  const parts = [
    ...(severities.length === 0 ? ['No findings'] : severities),
    ...(gaps.length === 0 ? [] : [count(gaps.length, 'gap')]),
    ...(suppressed.length === 0 ? [] : [`${suppressed.length} suppressed`]),
  ];
  return `${parts.join(', ')} in ${count(stats.files, 'file')}, ${(stats.milliseconds / 1000).toFixed(1)} s`;
}
