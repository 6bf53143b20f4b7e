import { Worker } from 'node:worker_threads';
import type { DiscoveredFile } from './discover/inputs.js';
import { scanUnit, type UnitScan, type UnitScanInput } from './engine/scan-unit.js';
import { shareOf } from './engine/shares.js';

/** What a thread is told; plain data. */
export interface ShareInput {
  readonly base: string;
  readonly root: string;
  readonly files: readonly DiscoveredFile[];
  readonly listing: readonly string[];
  /** Base-relative paths of the files that were asked for. */
  readonly asked: readonly string[];
  readonly ruleIds: readonly string[];
  readonly targets: readonly string[];
  readonly native: readonly string[];
  readonly parts: readonly (readonly string[])[];
  readonly index: number;
  /** Bytes of sources of the whole scan. */
  readonly size: number;
}

/** What a thread found in its share; plain data. */
export type ShareResult = Pick<UnitScan, 'drafts' | 'gaps' | 'perRule' | 'commented' | 'parsed'>;

/**
 * Scans a unit in one thread for each part, this one among them. A thread that ends without a result, out of memory for example, loses
 * nothing: its part is scanned here. The rules must be those of the package, which the threads load by their ids.
 */
export async function scanShares(
  input: UnitScanInput,
  parts: readonly (readonly string[])[],
  size: number,
): Promise<UnitScan> {
  const { base, unit, listing, rules, targets, native } = input;
  const { root, files } = unit;
  const asked = files.flatMap(({ path }) => (unit.asked(path) ? [path] : []));
  const ruleIds = rules.map(({ meta }) => meta.id);
  const others = parts.slice(1).map((_, at) => {
    const index = at + 1;
    const told: ShareInput = { base, root, files, listing, asked, ruleIds, targets, native, parts, index, size };
    return { index, result: runShare(told) };
  });
  const first = await scanUnit({ ...input, share: shareOf(parts, 0) });
  const found: ShareResult[] = [first];
  for (const { index, result } of others)
    found.push((await result) ?? (await scanUnit({ ...input, share: shareOf(parts, index) })));
  const perRule: Record<string, number> = {};
  for (const one of found)
    for (const [id, milliseconds] of Object.entries(one.perRule)) perRule[id] = (perRule[id] ?? 0) + milliseconds;
  return {
    ...first,
    drafts: found.flatMap(({ drafts }) => drafts),
    gaps: found.flatMap(({ gaps }) => gaps),
    commented: found.flatMap(({ commented }) => commented),
    parsed: new Set(found.flatMap(({ parsed }) => [...parsed])),
    perRule,
  };
}

/** What a thread of its own finds in one share; undefined when it can't be started or ends without a result. */
export function runShare(input: ShareInput): Promise<ShareResult | undefined> {
  return new Promise((resolve) => {
    try {
      const worker = new Worker(new URL('./share-worker.js', import.meta.url), { workerData: input });
      worker.once('message', (result: ShareResult) => resolve(result));
      worker.once('error', () => resolve(undefined));
      worker.once('exit', () => resolve(undefined));
    } catch {
      resolve(undefined);
    }
  });
}
