import { dependsOnAnotherField } from '../flow/released-by-drop.js';
import type { FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A pointer field that `drop` releases though the type derives `Clone`. */
export interface ClonedOwner {
  readonly field: string;
  readonly how: string;
  readonly span: Span;
  /** The `derive`. */
  readonly derive: Span;
}

/** For `fn`, the `drop` of a type of the same file: what each clone of a value would release again. */
export function findClonedOwners(file: FileIr, fn: FunctionIr, flow: FunctionFlow): readonly ClonedOwner[] {
  const { body } = fn;
  if (fn.trait !== 'Drop' || fn.name !== 'drop' || !body) return [];
  const declared = file.types.find((t) => t.name === fn.owner && t.kind === 'struct');
  const derive = declared?.attributes.find((a) => a.name === 'derive' && /\bClone\b/u.test(a.args ?? ''));
  if (!declared || !derive) return [];
  const found: ClonedOwner[] = [];
  for (const { place, span, how } of [...flow.summary.releases, ...flow.summary.adopts]) {
    const [field = '', star] = place.path;
    const type = declared.fields.find((f) => f.name === field)?.type;
    const isPointer = type?.kind === 'pointer' || type?.name === 'NonNull';
    if (place.root.kind !== 'self' || place.path.length !== 2 || star !== '*' || !isPointer) continue;
    // A count, a flag or the like decides who is the last.
    if (
      dependsOnAnotherField(body, span, field) ||
      declared.fields.some((f) => /^(?:Rc|Arc)$/u.test(f.type?.name ?? ''))
    )
      continue;
    // Taking a count apart is what a clone of it wants, too, but the clone has raised none.
    if (!found.some((f) => f.field === field)) found.push({ field, how, span, derive: derive.span });
  }
  return found;
}
