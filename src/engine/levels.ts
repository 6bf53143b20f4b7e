import type { Confidence, Severity } from '../model/finding.js';

const severityRank: Readonly<Record<Severity, number>> = { note: 0, warning: 1, error: 2 };
const confidenceRank: Readonly<Record<Confidence, number>> = { low: 0, medium: 1, high: 2 };

/** Positive when `a` is more severe than `b`, zero when equal. */
export function compareSeverity(a: Severity, b: Severity): number {
  return severityRank[a] - severityRank[b];
}

/** Positive when `a` is more certain than `b`, zero when equal. */
export function compareConfidence(a: Confidence, b: Confidence): number {
  return confidenceRank[a] - confidenceRank[b];
}

/**
 * The severity of a finding once the configuration has had its say. A configured level replaces the rule's default;
 * a finding that the rule itself put below its default keeps the lower of the two.
 */
export function configuredSeverity(found: Severity, ruleDefault: Severity, configured: Severity | undefined): Severity {
  if (configured === undefined) return found;
  if (compareSeverity(found, ruleDefault) >= 0) return configured;
  return compareSeverity(found, configured) < 0 ? found : configured;
}
