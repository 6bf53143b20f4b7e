import type { ScanResult, Finding } from '../model/finding.js';
import type { Checklist, Entry } from './checklist.js';
import type { BareEntry } from './collect-entries.js';
import { reviewOf, type PreviousEntry } from './review.js';
import { digest } from './subject.js';

/** Attaches findings and the previous review. Entries with findings come first, test code last, else by place. */
export function assemble(
  bare: readonly BareEntry[],
  result: ScanResult,
  changes: { readonly scope: string; readonly lines: ReadonlyMap<string, unknown> } | undefined,
  previous: readonly PreviousEntry[],
): Checklist {
  const before = new Map(previous.map((entry) => [entry.fingerprint, entry]));
  const entries = bare.map((entry): Entry => {
    const findings = result.findings.filter((finding) => concerns(finding, entry));
    const suppressed = result.suppressed
      .filter(({ finding }) => concerns(finding, entry))
      .map(({ finding, reason }) => ({ finding, reason }));
    const whole = {
      ...entry,
      state: digest([entry.state, ...findings.map(({ fingerprint }) => fingerprint)]),
      findings,
      suppressed,
    };
    const review = reviewOf(whole, before.get(entry.fingerprint));
    return review === undefined ? whole : { ...whole, review };
  });
  entries.sort(
    (a, b) =>
      rankOf(a) - rankOf(b) ||
      (a.path < b.path ? -1 : a.path > b.path ? 1 : a.startLine - b.startLine || b.endLine - a.endLine),
  );
  const present = new Set(entries.map(({ fingerprint }) => fingerprint));
  const paths = new Set([...entries.map(({ path }) => path), ...(changes?.lines.keys() ?? [])]);
  const all = result.gaps.filter(({ kind }) => kind !== 'nothing-to-scan');
  const gaps = changes === undefined ? all : all.filter(({ kind, path }) => kind === 'internal' || paths.has(path));
  return {
    scope: changes?.scope,
    entries,
    gaps,
    gapsElsewhere: all.length - gaps.length,
    gone: previous
      .filter(({ fingerprint }) => !present.has(fingerprint))
      .map(({ name, ticked, justification }) => ({ name, hadReview: ticked.length > 0 || justification !== '' })),
  };
}

function rankOf({ isTest, findings }: Entry): number {
  if (isTest) return 4;
  const severities = findings.map(({ severity }) => severity);
  return severities.includes('error') ? 0 : severities.includes('warning') ? 1 : severities.length > 0 ? 2 : 3;
}

/** A finding whose primary place or one of whose steps lies on the lines of the entry. */
function concerns({ location, steps }: Finding, { path, startLine, endLine }: BareEntry): boolean {
  const isIn = (where: string, line: number): boolean => where === path && line >= startLine && line <= endLine;
  return isIn(location.path, location.startLine) || steps.some((step) => isIn(step.path, step.line));
}
