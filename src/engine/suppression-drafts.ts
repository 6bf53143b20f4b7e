import type { SuppressionProblem } from '../suppress/read-suppressions.js';
import { suppressionMeta } from '../suppress/suppression-meta.js';
import { fillMessage, type Draft } from './collect-findings.js';

/** A problem of a suppression as a finding of the built-in id `suppression`. */
export function suppressionDraft(
  { path, place, messageId, data }: SuppressionProblem,
  units: readonly { readonly root: string; readonly files: readonly { readonly path: string }[] }[],
  textOf: (path: string) => string | undefined,
): Draft {
  const unit = units.find(({ files }) => files.some((file) => file.path === path))?.root ?? '';
  const line = (textOf(path) ?? '').split(/\r\n|\r|\n/u)[place.line - 1] ?? '';
  return {
    finding: {
      ruleId: suppressionMeta.id,
      messageId,
      message: fillMessage(suppressionMeta.messages[messageId], data),
      severity: suppressionMeta.severity,
      confidence: suppressionMeta.confidence,
      audience: suppressionMeta.audience,
      unit,
      location: {
        path,
        startLine: place.line,
        startColumn: place.column,
        endLine: place.line,
        endColumn: place.endColumn,
      },
      steps: [],
    },
    scope: '',
    lineText: line,
    key: `${messageId}\0${data['id'] ?? ''}`,
  };
}
