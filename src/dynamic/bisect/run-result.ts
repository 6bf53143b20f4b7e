import type { RunOutcome } from '../run.js';
import type { TestResult } from './tester.js';

/** Classes that another run of the same version would show again, so that a second try is a waste. */
const permanent: ReadonlySet<string> = new Set(['load-error', 'not-opened', 'exit-called']);

/** What one run of the runner says to a bisection. */
export function resultOf(outcome: RunOutcome): TestResult {
  if (outcome.kind === 'hit') {
    return { kind: 'hit', class: outcome.class, detail: outcome.detail, lines: outcome.evidenceLines.slice(0, 6) };
  }
  if (outcome.kind === 'clean') return { kind: 'clean' };
  return {
    kind: 'untestable',
    reason: `${outcome.class}: ${outcome.detail.split('\n')[0] ?? ''}`.replace(/[.:]?\s*$/u, ''),
    transient: !permanent.has(outcome.class),
  };
}
