import type { CrashClass } from './crash-class.js';

export interface Counts {
  readonly runs: number;
  readonly hits: number;
}

/** Two counter-experiments to a crash in a scenario that unloads the addon. */
export interface Differential {
  /** The main thread loads the target before any worker does. */
  readonly mainLoads: Counts;
  /** The image stays in memory after its last user; undefined where that could not be had, or did not tell. */
  readonly imageKept?: Counts;
}

/** What the two say about where the crash comes from, as sentences. */
export function explainUnloading({ mainLoads, imageKept }: Differential): string[] {
  const isGone = ({ runs, hits }: Counts): boolean => runs > 0 && hits === 0;
  const kept = imageKept === undefined || imageKept.runs === 0 ? undefined : imageKept;
  if (!isGone(mainLoads))
    return kept !== undefined && isGone(kept) ? ['It is gone when the image stays in memory after its last user.'] : [];
  if (kept === undefined) {
    return [
      'It is gone when the main thread loads the target too, which is a workaround: the crash comes from unloading the addon, or from the end of a thread that had loaded it.',
    ];
  }
  if (!isGone(kept)) {
    return [
      'It is gone when the main thread loads the target too, which is a workaround. It crashes as well when the image stays in memory, so it comes not from unloading the addon, but from the end of a thread that had loaded it.',
    ];
  }
  return [
    'It is gone when the main thread loads the target too: the crash comes from unloading the addon, and loading it on the main thread first is a workaround.',
    'It is gone when the image stays in memory after its last user.',
  ];
}

/** Whether a crash under the guard library can be the one that it was to prevent: what only the library sees is another. */
export function isSameCrash(plain: CrashClass, guarded: CrashClass | undefined): boolean {
  return guarded !== 'guard-page' || plain === 'guard-page';
}
