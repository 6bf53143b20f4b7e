import { compareVersions } from '../project/lockfiles.js';
import { readTriple } from '../project/triples.js';

/** A released version of an allocator crate that is known to fail inside addons, with where it fails. */
interface AllocatorFailure {
  readonly crate: string;
  readonly from: string;
  /** The first version without it; absent when none is known. */
  readonly fixedIn?: string;
  /** The last version that is known to have it, when no fixed one is known. */
  readonly until?: string;
  readonly os: readonly string[];
  readonly arch?: string;
  /** The feature that selects the affected C sources; `!name` one that deselects them. */
  readonly feature?: string;
  /** A version that was seen to fail, reported even when the feature is not named in the unit: another crate may turn it on. */
  readonly seen?: string;
  /** What happens, as the rest of a sentence. */
  readonly text: string;
}

const secondWorker =
  'its mimalloc 3.3 forgets that its first thread has exited, and the second worker that loads the addon crashes on its first allocation';
const secondCopy =
  'its mimalloc 3 keeps its heap in a fixed thread slot that every copy in the process shares, and the second addon with a copy aborts when it is loaded';

/**
 * Sources: rolldown #9722 and #9785, microsoft/mimalloc #1277, #1287 and #1301, the release history of both crates
 * (mimalloc-safe selects mimalloc 3 by its feature `v3`; mimalloc does so from 0.1.48 on, and by default from 0.1.49 on).
 */
const failures: readonly AllocatorFailure[] = [
  {
    crate: 'mimalloc-safe',
    from: '0.1.57',
    fixedIn: '0.1.63',
    os: ['linux', 'macos'],
    feature: 'v3',
    seen: '0.1.62',
    text: secondWorker,
  },
  { crate: 'mimalloc-safe', from: '0.1.55', fixedIn: '0.1.61', os: ['macos'], feature: 'v3', text: secondCopy },
  { crate: 'mimalloc', from: '0.1.48', until: '0.1.48', os: ['macos'], feature: 'v3', text: secondCopy },
  { crate: 'mimalloc', from: '0.1.49', until: '0.1.52', os: ['macos'], feature: '!v2', text: secondCopy },
  { crate: 'mimalloc', from: '0.1.50', until: '0.1.52', os: ['linux', 'macos'], feature: '!v2', text: secondWorker },
  {
    crate: 'mimalloc',
    from: '0.1.50',
    fixedIn: '0.1.51',
    os: ['windows'],
    arch: 'aarch64',
    feature: '!v2',
    text: 'its mimalloc 3.3.1 writes to read-only memory when the process exits',
  },
];

export interface KnownFailure {
  readonly text: string;
  readonly triples: readonly string[];
  readonly fixedIn?: string;
  /** False when nothing in the unit selects the affected sources. */
  readonly certain: boolean;
}

/** Known failures of a locked version on the given triples; `features` are those that the unit turns on for the crate. */
export function findAllocatorFailures(
  crate: string,
  version: string,
  features: ReadonlySet<string>,
  triples: readonly string[],
): readonly KnownFailure[] {
  const found: KnownFailure[] = [];
  for (const failure of failures) {
    if (failure.crate !== crate || compareVersions(version, failure.from) < 0) continue;
    if (failure.fixedIn !== undefined && compareVersions(version, failure.fixedIn) >= 0) continue;
    if (failure.until !== undefined && compareVersions(version, failure.until) > 0) continue;
    const wanted = failure.feature ?? '';
    const selected = wanted === '' || (wanted.startsWith('!') ? !features.has(wanted.slice(1)) : features.has(wanted));
    if (!selected && failure.seen !== version) continue;
    const hit = triples.filter((triple) => {
      const { os, arch } = readTriple(triple);
      return failure.os.includes(os) && (failure.arch === undefined || failure.arch === arch);
    });
    if (hit.length === 0) continue;
    found.push({
      text: failure.text,
      triples: hit,
      certain: selected,
      ...(failure.fixedIn === undefined ? {} : { fixedIn: failure.fixedIn }),
    });
  }
  return found;
}
