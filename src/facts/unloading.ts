import type { CargoPackage, Place, ProjectModel, Tri } from '../model/project.js';
import { summariseTriples } from '../project/triples.js';

/** Whether an addon can be unmapped while code of it may still run, over a set of triples. */
export interface Unloading {
  /** `yes` when something keeps it loaded on all of them, `no` when nothing does on any. */
  readonly kept: Tri;
  readonly unkept: readonly string[];
  /** A clause for a message, without a stop. */
  readonly text: string;
  /** What keeps or may keep it, once per place. */
  readonly by: readonly (Place & { readonly note: string })[];
}

/** Sums up `keptLoaded` over triples. */
export function describeUnloading(project: ProjectModel, addon: CargoPackage, triples: readonly string[]): Unloading {
  const states = triples.map((triple) => ({ triple, ...project.keptLoaded(addon, triple) }));
  const by = new Map(
    states.flatMap((state) =>
      state.by === undefined ? [] : [[`${state.by.path}:${state.by.line}:${state.by.note}`, state.by] as const],
    ),
  );
  const of = (wanted: Tri): readonly string[] =>
    states.filter(({ state }) => state === wanted).map(({ triple }) => triple);
  const unkept = of('no');
  const unsure = of('unknown');
  const places = [...by.values()];
  if (unkept.length === 0 && unsure.length === 0)
    return { kept: 'yes', unkept, text: 'the module stays loaded until the process ends', by: places };
  if (unkept.length === triples.length)
    return {
      kept: 'no',
      unkept,
      text: 'nothing keeps the module loaded once the last worker that uses it has exited',
      by: places,
    };
  const where = (list: readonly string[]): string => summariseTriples(list, triples);
  const text =
    unkept.length === 0
      ? `the module may be unloaded with the last worker on ${where(unsure)}`
      : `nothing keeps the module loaded on ${where(unkept)}`;
  return { kept: 'unknown', unkept, text, by: places };
}
