import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { makeFolder } from '../discover/make-folder.js';
import type { Evidence, Finding } from '../model/finding.js';

const entrySchema = v.object({
  fingerprint: v.string(),
  ruleId: v.string(),
  target: v.string(),
  scenario: v.optional(v.string()),
  amplifier: v.optional(v.string()),
  runs: v.optional(v.number()),
  hits: v.optional(v.number()),
  class: v.optional(v.string()),
  verdict: v.picklist(['confirmed', 'not-reproduced', 'not-run']),
  excluded: v.optional(v.number()),
  rate: v.optional(v.tuple([v.number(), v.number()])),
  attributed: v.optional(v.boolean()),
  reason: v.optional(v.string()),
  cause: v.optional(v.string()),
  refutes: v.optional(v.string()),
  platform: v.string(),
  toolVersion: v.string(),
  when: v.string(),
  artifacts: v.array(v.string()),
  lines: v.optional(v.array(v.string())),
});

const fileSchema = v.object({ schema: v.literal(1), entries: v.array(entrySchema) });

/** One stored result of `verify`; see docs/dynamic.md for the file. */
export type EvidenceEntry = v.InferOutput<typeof entrySchema>;

/** Reads an evidence file; no entries when it does not exist yet, one sentence when it cannot be used. */
export function readEvidenceFile(
  path: string,
): { readonly entries: readonly EvidenceEntry[] } | { readonly error: string } {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { entries: [] };
  // A device may have no end, and a pipe no writer.
  if (!stats.isFile()) return { error: `The evidence file '${path}' is not a regular file; name another.` };
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return {
      error: `The evidence file '${path}' is not JSON (${error instanceof Error ? error.message : String(error)}); delete it or name another.`,
    };
  }
  const result = v.safeParse(fileSchema, parsed);
  if (result.success) return { entries: result.output.entries };
  const [issue] = result.issues;
  const at = issue.path?.map((item) => String(item.key)).join('.') ?? 'the file';
  return { error: `The evidence file '${path}' is not of version 1 at '${at}'; delete it or name another.` };
}

/** Writes the file; entries of other findings, targets and systems stay. */
export function writeEvidenceFile(path: string, entries: readonly EvidenceEntry[]): void {
  makeFolder(dirname(path));
  writeFileSync(path, `${JSON.stringify({ schema: 1, entries }, null, 2)}\n`);
}

export interface EntrySource {
  readonly target: string;
  readonly platform: string;
  readonly toolVersion: string;
  /** ISO 8601. */
  readonly when: string;
}

/** The entry of one finding's evidence. */
export function toEntry(finding: Finding, evidence: Evidence, source: EntrySource): EvidenceEntry {
  const {
    verdict,
    scenario,
    amplifier,
    runs,
    hits,
    crashClass,
    excludedRate,
    rate,
    attributed,
    reason,
    cause,
    refutes,
    artifacts,
    lines,
  } = evidence;
  return {
    fingerprint: finding.fingerprint,
    ruleId: finding.ruleId,
    target: source.target,
    ...(scenario === undefined ? {} : { scenario }),
    ...(amplifier === undefined ? {} : { amplifier }),
    ...(runs === undefined ? {} : { runs }),
    ...(hits === undefined ? {} : { hits }),
    ...(crashClass === undefined ? {} : { class: crashClass }),
    verdict,
    ...(excludedRate === undefined ? {} : { excluded: excludedRate }),
    ...(rate === undefined ? {} : { rate: [rate[0], rate[1]] }),
    ...(attributed === undefined ? {} : { attributed }),
    ...(reason === undefined ? {} : { reason }),
    ...(cause === undefined ? {} : { cause }),
    ...(refutes === undefined ? {} : { refutes }),
    platform: evidence.platform ?? source.platform,
    toolVersion: source.toolVersion,
    when: source.when,
    artifacts: [...(artifacts ?? [])],
    ...(lines === undefined ? {} : { lines: [...lines] }),
  };
}

/** The evidence that an entry holds. */
export function fromEntry(entry: EvidenceEntry): Evidence {
  return {
    verdict: entry.verdict,
    platform: entry.platform,
    ...(entry.scenario === undefined ? {} : { scenario: entry.scenario }),
    ...(entry.amplifier === undefined ? {} : { amplifier: entry.amplifier }),
    ...(entry.runs === undefined ? {} : { runs: entry.runs }),
    ...(entry.hits === undefined ? {} : { hits: entry.hits }),
    ...(entry.class === undefined ? {} : { crashClass: entry.class }),
    ...(entry.excluded === undefined ? {} : { excludedRate: entry.excluded }),
    ...(entry.rate === undefined ? {} : { rate: entry.rate }),
    ...(entry.attributed === undefined ? {} : { attributed: entry.attributed }),
    ...(entry.reason === undefined ? {} : { reason: entry.reason }),
    ...(entry.cause === undefined ? {} : { cause: entry.cause }),
    ...(entry.refutes === undefined ? {} : { refutes: entry.refutes }),
    ...(entry.artifacts.length === 0 ? {} : { artifacts: entry.artifacts }),
    ...(entry.lines === undefined ? {} : { lines: entry.lines }),
  };
}
