import { dependsOnAnotherField } from '../flow/released-by-drop.js';
import type { FunctionFlow, Value } from '../flow/result.js';
import type { FileIr, FunctionIr, TypeDecl } from '../model/ir.js';
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
  const whole = releaseOfSelf(fn, flow, declared);
  if (whole) return [{ ...whole, derive: derive.span }];
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

/** A function pointer of the value that `drop` calls with the value itself: a record of C that carries its own destructor. */
function releaseOfSelf(
  fn: FunctionIr,
  flow: FunctionFlow,
  declared: TypeDecl,
): { readonly field: string; readonly how: string; readonly span: Span } | undefined {
  const destructor = declared.fields.find((f) => /\bfn\s*\(/u.test(f.type?.text ?? ''));
  const pointer = declared.fields.find((f) => f.type?.kind === 'pointer');
  if (!fn.body || !destructor || !pointer) return undefined;
  const call = flow.calls.find(
    (c) => !c.method && !c.resolved && c.rows.length === 0 && c.args.length > 0 && isWholeSelf(c.args[0]),
  );
  if (!call || dependsOnAnotherField(fn.body, call.span, destructor.name)) return undefined;
  return { field: pointer.name, how: call.callee, span: call.span };
}

function isWholeSelf(value: Value | undefined): boolean {
  return (value?.places ?? []).some(({ root, path }) => root.kind === 'self' && path.length === 0);
}
