import type { Evidence } from '../model/finding.js';

/** What a run said about a finding, in one sentence. */
export function describeEvidence(evidence: Evidence): string {
  const runs = evidence.runs === undefined ? '' : ` in ${evidence.hits ?? 0} of ${evidence.runs} runs`;
  const scenario = evidence.scenario === undefined ? '' : ` with scenario '${evidence.scenario}'`;
  const platform = evidence.platform === undefined ? '' : ` on ${evidence.platform}`;
  const crash = evidence.crashClass === undefined ? '' : ` (${evidence.crashClass})`;
  const unclear = evidence.reason === undefined ? '' : `; ${evidence.reason}`;
  const attributed = evidence.attributed === true ? '; the run points at this path' : unclear;
  if (evidence.verdict === 'confirmed') {
    const cause = evidence.cause === undefined ? '' : ` ${evidence.cause}`;
    return `Confirmed${runs}${scenario}${platform}${crash}${attributed}.${cause}`;
  }
  const refutes = evidence.refutes === undefined ? '' : ` ${evidence.refutes}`;
  if (evidence.verdict === 'not-run')
    return `Not run${evidence.reason === undefined ? '' : `: ${evidence.reason}`}.${refutes}`;
  if ((evidence.hits ?? 0) > 0) {
    const reason = evidence.reason === undefined ? '' : `: ${evidence.reason}`;
    return `Not reproduced: it failed${runs}${scenario}${platform}${crash}, but not by this bug${reason}.${refutes}`;
  }
  const excluded =
    evidence.excludedRate === undefined
      ? ''
      : `; a rate above ${(evidence.excludedRate * 100).toFixed(1)} % is excluded at 95 %`;
  return `Not reproduced${runs}${scenario}${platform}${excluded}.${refutes}`;
}
