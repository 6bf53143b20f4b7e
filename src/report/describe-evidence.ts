import type { Evidence } from '../model/finding.js';

/** What a run said about a finding, in one sentence. */
export function describeEvidence(evidence: Evidence): string {
  const all = evidence.runs === undefined ? '' : `${evidence.runs} ${evidence.runs === 1 ? 'run' : 'runs'}`;
  const runs = all === '' ? '' : ` in ${evidence.hits ?? 0} of ${all}`;
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
      : `; a crash rate above ${(evidence.excludedRate * 100).toFixed(1)} % is excluded at 95 %`;
  return `Not reproduced${all === '' ? '' : ` in ${all}`}${scenario}${platform}${excluded}.${refutes}`;
}
