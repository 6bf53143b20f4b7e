import type { Audience, Confidence, Severity } from './finding.js';

export type RuleLanguage = 'rust' | 'd' | 'javascript';

/** The machine facts of a rule; prose lives in docs/rules/<id>.md, code in fixtures/rules/<id>/. */
export interface RuleMeta<MessageId extends string = string> {
  readonly id: string;
  readonly title: string;
  /** One sentence with a stop. */
  readonly summary: string;
  readonly languages: readonly RuleLanguage[];
  readonly severity: Severity;
  readonly confidence: Confidence;
  readonly audience: Audience;
  readonly maturity: 'stable' | 'preview';
  readonly since: string;
  /** For example `CWE-416`. */
  readonly cwe: readonly string[];
  /** Message templates with `{holes}`; full sentences that say what happens. */
  readonly messages: Readonly<Record<MessageId, string>>;
  /** The question a reviewer should answer. */
  readonly checklist: string;
  /** Scenario names of the dynamic runner that can confirm the rule; empty when none can. */
  readonly scenarios: readonly string[];
}
