import type { Adoption, FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { isForgotten } from './forgotten-values.js';
import type { UnitFacts } from './unit.js';

/** A raw pointer in a field of `self` that a method takes over although it only borrows `self`. */
export interface TakenFromSelf {
  readonly adoption: Adoption;
  readonly field: string;
}

/** What keeps the block alive, raises its count, or notes somewhere that it is gone. */
const SETTLED =
  /\b(?:forget|leak|leak_unchecked|ManuallyDrop|into_raw|increment_strong_count|swap|replace|compare_exchange\w*|fetch_\w+|call_once|get_or_init)\b|\.\s*(?:set|store|take|write)\s*\(|add_?ref|retain|inc_?ref|acquire/iu;

/**
 * `fn name(&self) -> String { CString::from_raw(self.name) .. }`: a raw pointer is copied out of the field, and a shared reference cannot
 * clear it, so that the second call frees the same memory again. An `unsafe` method leaves it to its caller.
 */
export function findTakenFromSelf(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  flow: FunctionFlow,
): readonly TakenFromSelf[] {
  if (fn.self?.mode !== 'shared' || fn.isUnsafe || fn.owner === undefined || !fn.body) return [];
  if (!fn.isPublic && fn.trait === undefined) return [];
  const own = flow.adoptions.filter(
    ({ pointer: { target }, through, isCopy }) =>
      target.root.kind === 'self' && fieldOf(target.path) !== undefined && through === undefined && isCopy !== true,
  );
  if (own.length === 0) return [];
  const text = unit.textOf(file.path) ?? '';
  if (SETTLED.test(text.slice(fn.span.start, fn.span.end))) return [];
  const fields = unit.oracle('rust').declaration(fn.owner, file.path)?.fields ?? [];
  return own.flatMap((adoption) => {
    const field = fieldOf(adoption.pointer.target.path) ?? '';
    const type = fields.find(({ name }) => name === field)?.type;
    const isRaw = type?.kind === 'pointer' || (type?.kind === 'path' && type.name === 'NonNull');
    const named = field.slice(field.lastIndexOf('.') + 1);
    return isRaw && !isForgotten(text, fn, flow, adoption.span) ? [{ adoption, field: named }] : [];
  });
}

/** The field that the pointer stands in; of a variant also one that a pattern copied or lent, by way of a tuple or not. */
function fieldOf(path: readonly string[]): string | undefined {
  const [first, last] = path;
  if (path.length === 2 && last === '*') return first;
  const [name, ...others] = path.filter((segment) => segment !== '*' && !/^\d+$/u.test(segment));
  return others.length === 0 && path.at(-1) === '*' && name?.includes('.') === true ? name : undefined;
}
