import type { Evidence } from '../model/finding.js';

/** What a run said about a finding, in one sentence. */
export function describeEvidence(evidence: Evidence): string {
  const runs = evidence.runs === undefined ? '' : ` in ${evidence.hits ?? 0} of ${evidence.runs} runs`;
  const scenario = evidence.scenario === undefined ? '' : ` with scenario '${evidence.scenario}'`;
  const platform = evidence.platform === undefined ? '' : ` on ${evidence.platform}`;
  const crash = evidence.crashClass === undefined ? '' : ` (${evidence.crashClass})`;
  if (evidence.verdict === 'confirmed') return `Confirmed${runs}${scenario}${platform}${crash}.`;
  if (evidence.verdict === 'not-run') return `Not run${evidence.reason === undefined ? '' : `: ${evidence.reason}`}.`;
  const excluded =
    evidence.excludedRate === undefined
      ? ''
      : `; a rate above ${(evidence.excludedRate * 100).toFixed(1)} % is excluded at 95 %`;
  return `Not reproduced${runs}${scenario}${platform}${excluded}.`;
}
