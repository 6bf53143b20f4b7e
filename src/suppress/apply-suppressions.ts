import type { Finding, SuppressedFinding } from '../model/finding.js';
import { nearestName } from '../catalog/nearest-name.js';
import type { PathSuppression } from '../config/config.js';
import {
  readSuppressions,
  type CommentedFile,
  type Suppression,
  type SuppressionProblem,
} from './read-suppressions.js';
import { suppressionMeta } from './suppression-meta.js';

/** An entry of the configuration, ready to be applied. */
export interface ConfiguredSuppression extends PathSuppression {
  /** Whether the entry is meant for a base-relative path. */
  readonly matches: (path: string) => boolean;
  /** Base-relative path of the configuration file; absent where nobody could say that an entry is unused. */
  readonly source: string | undefined;
}

export interface SuppressionInput {
  /** Files that were asked for and may hold suppressions. */
  readonly files: readonly CommentedFile[];
  /** Ids that may be named; only `active` ones can be unused. */
  readonly knownIds: readonly string[];
  readonly active: ReadonlySet<string>;
  /** Files that were not seen whole: an unused suppression there says nothing. */
  readonly isIncomplete: (path: string) => boolean;
  readonly configured: readonly ConfiguredSuppression[];
  /** Fingerprint to the name of the baseline it is in. */
  readonly baseline: ReadonlyMap<string, string>;
}

export interface SuppressionOutcome {
  readonly kept: readonly Finding[];
  readonly suppressed: readonly SuppressedFinding[];
  readonly problems: readonly SuppressionProblem[];
}

/** Sorts findings into kept and suppressed, and lists the suppressions that are wrong or matched nothing. */
export function applySuppressions(findings: readonly Finding[], input: SuppressionInput): SuppressionOutcome {
  const read = input.files.map(readSuppressions);
  const problems: SuppressionProblem[] = read.flatMap((file) => file.problems);
  const byPath = new Map<string, Suppression[]>();
  for (const suppression of read.flatMap((file) => file.suppressions)) {
    const list = byPath.get(suppression.path) ?? [];
    list.push(suppression);
    byPath.set(suppression.path, list);
  }

  const kept: Finding[] = [];
  const suppressed: SuppressedFinding[] = [];
  const used = new Set<string>();
  const usedEntries = new Set<ConfiguredSuppression>();
  for (const finding of findings) {
    const comments = (byPath.get(finding.location.path) ?? []).filter((suppression) => covers(suppression, finding));
    for (const comment of comments) used.add(useKey(comment, finding.ruleId));
    const [comment] = comments;
    const entries = input.configured.filter(
      ({ id, matches }) => id === finding.ruleId && matches(finding.location.path),
    );
    for (const entry of entries) usedEntries.add(entry);
    const [configured] = entries;
    const baseline = input.baseline.get(finding.fingerprint);
    if (comment !== undefined) suppressed.push({ finding, by: 'comment', reason: comment.reason });
    else if (configured !== undefined) suppressed.push({ finding, by: 'configuration', reason: configured.reason });
    else if (baseline !== undefined) suppressed.push({ finding, by: 'baseline', reason: `It is in '${baseline}'.` });
    else kept.push(finding);
  }

  for (const suppression of [...byPath.values()].flat()) {
    for (const id of suppression.ids) {
      const { path, place } = suppression;
      if (!input.knownIds.includes(id)) {
        const nearest = nearestName(id, input.knownIds);
        const hint = nearest === undefined ? '' : `; the nearest is '${nearest}'`;
        problems.push({ path, place, messageId: 'unknown', data: { id, hint } });
      } else if (input.active.has(id) && !used.has(useKey(suppression, id)) && !input.isIncomplete(path)) {
        problems.push({ path, place, messageId: 'unused', data: { id } });
      }
    }
  }
  for (const entry of input.configured) {
    const { id, path: pattern, source, line, column, endColumn } = entry;
    if (source === undefined || usedEntries.has(entry) || !input.active.has(id)) continue;
    problems.push({
      path: source,
      place: { line, column, endColumn },
      messageId: 'idle',
      data: { id, pattern },
    });
  }
  const ownPaths = input.configured.filter(({ id }) => id === suppressionMeta.id);
  const ownComments = new Map(
    Array.from(byPath, ([path, list]) => [path, list.filter(({ ids }) => ids.includes(suppressionMeta.id))]),
  );
  const isAllowed = ({ path, place }: SuppressionProblem) =>
    ownPaths.some(({ matches }) => matches(path)) ||
    (ownComments.get(path) ?? []).some(
      ({ lines, place: own }) =>
        lines === undefined || own.line === place.line || (lines.first <= place.line && place.line <= lines.last),
    );
  return { kept, suppressed, problems: problems.filter((problem) => !isAllowed(problem)) };
}

function covers(suppression: Suppression, finding: Finding): boolean {
  if (!suppression.ids.includes(finding.ruleId)) return false;
  const { lines } = suppression;
  const line = finding.location.startLine;
  return lines === undefined || (lines.first <= line && line <= lines.last);
}

function useKey({ path, place }: Suppression, id: string): string {
  return `${path}\0${place.line}\0${place.column}\0${id}`;
}
