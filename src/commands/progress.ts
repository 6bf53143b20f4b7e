import type { ScanStep } from '../scan.js';
import type { Io } from './io.js';

/** Milliseconds before the first line, and between two. */
const delay = 1000;
const interval = 100;

/** A progress line on the standard error, for people only and only when it takes a while. */
export function createProgress({ stderr, env }: Io): {
  readonly update: (step: ScanStep) => void;
  readonly clear: () => void;
} {
  const began = performance.now();
  const isWanted = stderr.isTTY && env['TERM'] !== 'dumb' && (env['CI'] ?? '') === '';
  let shownAt: number | undefined;
  return {
    update(step) {
      const now = performance.now();
      if (!isWanted || now - began < delay || (shownAt !== undefined && now - shownAt < interval)) return;
      shownAt = now;
      stderr.write(`\r\u001b[K${describe(step)}`);
    },
    clear() {
      if (shownAt !== undefined) stderr.write('\r\u001b[K');
    },
  };
}

function describe({ files, parsed, unit, rule }: ScanStep): string {
  if (rule === undefined) return `${files.done} of ${files.total} files`;
  const where = unit.total === 1 ? '' : `package ${unit.index} of ${unit.total}, `;
  return `${where}rule ${rule.index} of ${rule.total}, ${parsed} parsed`;
}
