import type { RuleMeta } from '../model/rule.js';

/** The id under which suppressions themselves are reported. It is no rule: the engine makes these findings. */
export const suppressionMeta = {
  id: 'suppression',
  title: 'Suppression without effect',
  summary: 'A suppression matches no finding, has no reason, or cannot be read.',
  languages: ['rust', 'd', 'javascript'],
  severity: 'note',
  confidence: 'high',
  audience: 'everyone',
  maturity: 'stable',
  since: '0.1.0',
  cwe: [],
  messages: {
    unused: "The suppression of '{id}' matches no finding.",
    idle: "The configuration suppresses '{id}' in '{pattern}', and there is no such finding.",
    reasonless: "The suppression of '{ids}' has no reason after '--', so it is not applied.",
    unknown: "The suppression names '{id}', and there is no such rule{hint}.",
    malformed: "'{text}' is no suppression: 'allow(id) -- reason' or 'allow-file(id) -- reason' is expected.",
    misplaced:
      "The suppression of '{ids}' for the whole file stands after the first line of code, so it is not applied.",
  },
  checklist: 'Is this suppression still needed?',
  scenarios: [],
} as const satisfies RuleMeta;

export type SuppressionMessage = keyof typeof suppressionMeta.messages;
