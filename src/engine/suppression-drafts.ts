import type { SuppressionProblem } from '../suppress/read-suppressions.js';
import { suppressionMeta } from '../suppress/suppression-meta.js';
import { fillMessage, type Draft } from './collect-findings.js';
import { aroundColumn } from './fingerprint.js';

/** Problems of suppressions as findings of the built-in id `suppression`. */
export function suppressionDrafts(
  problems: readonly SuppressionProblem[],
  units: readonly { readonly root: string; readonly files: readonly { readonly path: string }[] }[],
  textOf: (path: string) => string | undefined,
): readonly Draft[] {
  // A file of many problems is looked up and cut into lines once.
  const known = new Map<string, FileParts>();
  const partsOf = (path: string): FileParts => {
    const parts = known.get(path) ?? {
      unit: units.find(({ files }) => files.some((file) => file.path === path))?.root ?? '',
      lines: (textOf(path) ?? '').split(/\r\n|\r|\n/u),
    };
    known.set(path, parts);
    return parts;
  };
  return problems.map((problem) => draftOf(problem, partsOf(problem.path)));
}

interface FileParts {
  readonly unit: string;
  readonly lines: readonly string[];
}

function draftOf({ path, place, messageId, data }: SuppressionProblem, { unit, lines }: FileParts): Draft {
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
    lineText: aroundColumn(lines[place.line - 1] ?? '', place.column),
    key: `${messageId}\0${data['id'] ?? ''}`,
  };
}
