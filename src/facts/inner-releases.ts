import { peel } from '../flow/types.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { plainText } from './plain-text.js';
import type { UnitFacts } from './unit.js';

/** What `drop` of a type releases out of a field, though the field's own type has a `drop` that releases it, too. */
export interface InnerRelease {
  /** `inner.pd` */
  readonly what: string;
  readonly how: string;
  readonly span: Span;
  readonly inner: { readonly type: string; readonly file: FileIr; readonly span: Span };
}

/** `ffi::pd_dealloc(self.inner.pd)`; the first of several arguments is what the released object belongs to. */
const RELEASES =
  /\b(?:\w+\s*::\s*)*(\w*(?:[cC]lose|[fF]ree|[dD]estroy|[dD]ealloc|[rR]elease|[dD]elete)\w*)\s*\(\s*self\s*\.\s*(\w+)\s*\.\s*(\w+)\s*\)/u;
/** A count, a flag or what is taken out decides who releases it. */
const SETTLED =
  /strong_count|try_unwrap|into_inner|\bforget\b|\bManuallyDrop\b|\bnull(?:_mut)?\s*\(|\btake\s*\(|\breplace\s*\(|\bif\b/u;

/** For `drop`, the destructor of a type of the file. */
export function findInnerRelease(unit: UnitFacts, file: FileIr, drop: FunctionIr): InnerRelease | undefined {
  if (drop.trait !== 'Drop' || drop.name !== 'drop' || !drop.bodySpan || drop.isTest) return undefined;
  const body = plainText(unit, file, drop.bodySpan);
  const found = RELEASES.exec(body);
  const [whole = '', how = '', field = '', member = ''] = found ?? [];
  // Also what is set to null behind it is no more for the inner one.
  if (
    !found ||
    SETTLED.test(body.slice(0, found.index)) ||
    new RegExp(`\\b${field}\\s*\\.\\s*${member}\\s*=(?!=)`, 'u').test(body)
  )
    return undefined;
  const oracle = unit.oracle('rust');
  const declared = oracle.declaration(drop.owner ?? '', file.path)?.fields.find((f) => f.name === field)?.type;
  const type = declared?.kind === 'path' && declared.name !== 'ManuallyDrop' ? peel(declared) : undefined;
  const inner = type?.kind === 'path' ? oracle.method(type.name, 'drop', file.path) : undefined;
  const innerFile = inner?.fn.trait === 'Drop' ? unit.fileAt(inner.path) : undefined;
  if (!type || !inner?.fn.bodySpan || !innerFile) return undefined;
  const innerBody = plainText(unit, innerFile, inner.fn.bodySpan);
  const again = new RegExp(`\\b${how}\\s*\\(\\s*self\\s*\\.\\s*${member}\\s*\\)`, 'u').exec(innerBody);
  if (!again || SETTLED.test(innerBody.slice(0, again.index))) return undefined;
  const at = (body: Span, index: number, length: number): Span => ({
    start: body.start + index,
    end: body.start + index + length,
  });
  return {
    what: `${field}.${member}`,
    how,
    span: at(drop.bodySpan, found.index, whole.length),
    inner: { type: type.name, file: innerFile, span: at(inner.fn.bodySpan, again.index, again[0].length) },
  };
}
