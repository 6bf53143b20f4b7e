import type { Finding, ScanResult } from '../model/finding.js';

/** The findings that `related` names, as far as they are in the result, in its order. */
export function relatedFindings(finding: Finding, result: ScanResult): readonly Finding[] {
  const wanted = finding.related ?? [];
  return wanted.length === 0 ? [] : result.findings.filter(({ fingerprint }) => wanted.includes(fingerprint));
}
