import type { Escape } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { plainText } from './plain-text.js';
import type { UnitFacts } from './unit.js';

/**
 * Rust: pointers that are added to a private list of `self`, or stored in its elements, where the list is a field only to keep its memory:
 * the function clears it before it fills it, and nothing else does more with it than to clear it.
 */
export function isScratch(unit: UnitFacts, file: FileIr, fn: FunctionIr, { kind, into, span }: Escape): boolean {
  const field = into?.path[0];
  if (
    (kind !== 'collect' && !(kind === 'store' && into?.path.includes('[]') === true)) ||
    into?.root.kind !== 'self' ||
    field === undefined ||
    !/^[a-z]\w*$/u.test(field)
  )
    return false;
  const decl = fn.owner === undefined ? undefined : unit.oracle('rust').declaration(fn.owner, file.path);
  if (decl?.fields.find((f) => f.name === field)?.isPublic !== false) return false;
  const text = unit.textOf(file.path) ?? '';
  if (!new RegExp(`\\bself\\s*\\.\\s*${field}\\s*\\.\\s*clear\\(\\)`, 'u').test(text.slice(fn.span.start, span.start)))
    return false;
  const others = new RegExp(`\\.\\s*${field}\\b(?!\\s*\\.\\s*(?:clear|capacity|shrink_to_fit)\\()`, 'u');
  return unit.filesMatching('rust', others).every((other) => {
    const spans =
      other.path === file.path
        ? [
            { start: 0, end: fn.span.start },
            { start: fn.span.end, end: text.length },
          ]
        : [{ start: 0, end: (unit.textOf(other.path) ?? '').length }];
    return !spans.some((s) => others.test(plainText(unit, other, s)));
  });
}
