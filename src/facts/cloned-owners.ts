import { dependsOnAnotherField } from '../flow/released-by-drop.js';
import type { FunctionFlow, Value } from '../flow/result.js';
import type { FileIr, FunctionIr, TypeDecl } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A pointer field that `drop` releases though the type derives `Clone`, or copies it in a `clone` of its own. */
export interface ClonedOwner {
  readonly field: string;
  readonly how: string;
  readonly span: Span;
  /** The `derive`, or the name of the `clone` written by hand. */
  readonly maker: Span;
  readonly isDerived: boolean;
}

/** For `fn`, the `drop` of a type of the same file: what each clone of a value would release again. `text` is the file's source. */
export function findClonedOwners(
  file: FileIr,
  text: string,
  fn: FunctionIr,
  flow: FunctionFlow,
): readonly ClonedOwner[] {
  const { body } = fn;
  if (!body) return [];
  if (fn.trait !== 'Drop' || fn.name !== 'drop') return findCopiedOwners(file, fn, flow);
  const declared = file.types.find((t) => t.name === fn.owner && t.kind === 'struct');
  const derive = declared?.attributes.find((a) => a.name === 'derive' && /\bClone\b/u.test(a.args ?? ''));
  const byHand = declared && !derive ? findCopyingClone(file, text, declared.name) : undefined;
  const maker = derive?.span ?? byHand?.span;
  if (!declared || !maker) return [];
  const origin = { maker, isDerived: derive !== undefined };
  const found: ClonedOwner[] = [];
  const whole = releaseOfSelf(fn, flow, declared);
  if (whole && (!byHand || byHand.fields.has(whole.field))) return [{ ...whole, ...origin }];
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
    if (byHand && !byHand.fields.has(field)) continue;
    // Taking a count apart is what a clone of it wants, too, but the clone has raised none.
    if (!found.some((f) => f.field === field)) found.push({ field, how, span, ...origin });
  }
  return found;
}

/**
 * For a safe public method that takes `self` by value and releases what a pointer field leads to, of a public type of the file that can be
 * copied: the copy still has the pointer, so that nothing keeps a caller from releasing it again.
 */
function findCopiedOwners(file: FileIr, fn: FunctionIr, flow: FunctionFlow): readonly ClonedOwner[] {
  if (fn.self?.mode !== 'value' || !fn.isPublic || fn.isUnsafe || fn.isTest || fn.trait !== undefined) return [];
  const declared = file.types.find((t) => t.name === fn.owner && t.kind === 'struct' && t.isPublic);
  const derive = declared?.attributes.find((a) => a.name === 'derive' && /\bClone\b/u.test(a.args ?? ''));
  if (!declared || !derive || declared.fields.some((f) => /^(?:Rc|Arc)$/u.test(f.type?.name ?? ''))) return [];
  for (const { place, span, how } of [...flow.summary.releases, ...flow.summary.adopts]) {
    const [field = '', star] = place.path;
    const type = declared.fields.find((f) => f.name === field)?.type;
    if (place.root.kind !== 'self' || place.path.length !== 2 || star !== '*') continue;
    if (type?.kind !== 'pointer' && type?.name !== 'NonNull') continue;
    if (fn.body && dependsOnAnotherField(fn.body, span, field)) continue;
    return [{ field, how, span, maker: derive.span, isDerived: true }];
  }
  return [];
}

/** A `clone` that does nothing but copy fields: `Owner(self.0)`, `Self { raw: self.raw }`. */
function findCopyingClone(
  file: FileIr,
  text: string,
  owner: string,
): { readonly span: Span; readonly fields: ReadonlySet<string> } | undefined {
  const clone = file.functions.find((f) => f.owner === owner && f.trait === 'Clone' && f.name === 'clone');
  if (!clone?.bodySpan) return undefined;
  const body = text.slice(clone.bodySpan.start, clone.bodySpan.end).replace(/\/\/[^\n]*/gu, '');
  const made = new RegExp(`^\\{\\s*(?:Self|${owner})\\s*[({]([^;]*)[)}]\\s*\\}$`, 'u').exec(body)?.[1];
  const fields = [...(made ?? '').matchAll(/(?:^|[,:(\s])self\s*\.\s*(\w+)\s*(?=,|$)/gu)].map((m) => m[1] ?? '');
  return fields.length > 0 ? { span: clone.nameSpan, fields: new Set(fields) } : undefined;
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
