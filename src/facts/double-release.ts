import type { FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import type { UnitFacts } from './unit.js';

/** A field that a method releases and leaves set, though the type's own `Drop` releases it too. */
export interface DoubleRelease {
  readonly field: string;
  readonly how: string;
  readonly span: Span;
  readonly drop: { readonly file: FileIr; readonly span: Span; readonly how: string };
}

interface Release {
  readonly field: string;
  readonly span: Span;
  readonly how: string;
}

/** Fields of `self` whose memory a method gives back, though `Drop` of the same type does it again. */
export function findDoubleReleases(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly DoubleRelease[] {
  if (fn.owner === undefined || fn.self === undefined || fn.trait === 'Drop') return [];
  const flow = unit.flowOf(file, fn);
  const released = releasesOf(flow);
  if (released.length === 0 || isSettled(flow)) return [];
  const drop = unit.oracle('rust').method(fn.owner, 'drop', file.path);
  if (drop?.fn.trait !== 'Drop') return [];
  const dropFile = unit.fileAt(drop.path);
  if (!dropFile || !drop.fn.body) return [];
  const dropFlow = unit.flowOf(dropFile, drop.fn);
  // A helper of `drop` is where the release stands, not a second one.
  if (dropFlow.calls.some((c) => c.callee.split('::').at(-1) === fn.name)) return [];
  const again = releasesOf(dropFlow);
  return released.flatMap(({ field, span, how }) => {
    // Functions of other names end in `_delete` or `_free`, too, and remove an entry instead.
    const second = again.find((r) => r.field === field && r.how === how);
    return second ? [{ field, span, how, drop: { file: dropFile, span: second.span, how: second.how } }] : [];
  });
}

function releasesOf(flow: FunctionFlow): readonly Release[] {
  return [...flow.summary.releases.filter((r) => r.renewed !== true), ...flow.summary.adopts].flatMap(
    ({ place, span, how }) =>
      place.root.kind === 'self' && place.path.length === 2 && place.path[1] === '*'
        ? [{ field: place.path[0] ?? '', span, how }]
        : [],
  );
}

/** The method notes what it did in a field, or keeps `Drop` from running: of itself, or of what it took apart for a look. */
function isSettled(flow: FunctionFlow): boolean {
  return (
    flow.accesses.some(
      (a) => a.place.root.kind === 'self' && (a.kind === 'write' || /^(?:set|store|take|replace|swap)$/u.test(a.what)),
    ) ||
    flow.calls.some((c) =>
      c.rows.some((row) =>
        row.effects.some(
          (e) =>
            e.kind === 'forget' ||
            (e.kind === 'grow' &&
              e.how === 'replace' &&
              c.args.some((a) => a.places.some((p) => p.root.kind === 'self'))),
        ),
      ),
    )
  );
}
