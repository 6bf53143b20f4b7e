import { describe, expect, it } from 'vitest';
import { describeEvidence } from '../../src/report/describe-evidence.js';

describe('what a run said about a finding', () => {
  const common = { scenario: 'import', platform: 'linux-x64' } as const;

  it('counts hits where there are some, and runs where there are none', () => {
    expect(describeEvidence({ verdict: 'confirmed', ...common, runs: 1, hits: 1, crashClass: 'memory-fault' })).toBe(
      "Confirmed in 1 of 1 run with scenario 'import' on linux-x64 (memory-fault).",
    );
    expect(describeEvidence({ verdict: 'not-reproduced', ...common, runs: 4, hits: 0, excludedRate: 0.527 })).toBe(
      "Not reproduced in 4 runs with scenario 'import' on linux-x64; a crash rate above 52.7 % is excluded at 95 %.",
    );
    expect(describeEvidence({ verdict: 'not-reproduced', ...common, runs: 4, hits: 2, crashClass: 'early-exit' })).toBe(
      "Not reproduced: it failed in 2 of 4 runs with scenario 'import' on linux-x64 (early-exit), but not by this bug.",
    );
  });

  it('says why nothing was run', () => {
    expect(describeEvidence({ verdict: 'not-run', reason: 'no scenario can confirm this rule' })).toBe(
      'Not run: no scenario can confirm this rule.',
    );
  });
});
