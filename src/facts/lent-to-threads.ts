import type { Escape, FunctionFlow } from '../flow/result.js';
import { SCALAR } from '../flow/types.js';
import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { findMovedAddresses } from './js-addresses.js';
import type { UnitFacts } from './unit.js';
import { isWaitedFor, WAITS } from './waits.js';

const TEXTS_AND_LISTS = /^(?:str|String|Vec|CStr|CString|OsStr|Path|PathBuf)$/u;

/**
 * Rust: a pointer into what a parameter lends, a slice, a text or a number, that a thread or task takes along while the function does not wait
 * for it: `let p = bytes.as_ptr() as usize; thread::spawn(move || read(p))`. The caller may free the memory when the function returns.
 * In an `unsafe fn` that is the caller's business.
 */
export function isLentToThread(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  flow: FunctionFlow,
  escape: Escape,
): boolean {
  const { kind, pointer, span } = escape;
  const { root } = pointer.target;
  if (kind !== 'spawn' || fn.isUnsafe || fn.parent !== undefined || fn.isTest || pointer.form !== 'raw') return false;
  if (root.kind !== 'param' || root.index === undefined || !isLentData(root.type)) return false;
  if (isWaitedFor(flow, escape)) return false;
  // Bytes of JavaScript are spoken of as that.
  if (findMovedAddresses(unit, file).some((moved) => moved.fn === fn && moved.buffer === root.name)) return false;
  const text = unit.textOf(file.path) ?? '';
  // A thread that is joined, here or by whoever is given its handle.
  return (
    !WAITS.test(text.slice(fn.bodySpan?.start ?? span.end, fn.span.end)) && !/\bJoin\w*</u.test(fn.returns?.text ?? '')
  );
}

function isLentData(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'reference' || type.lifetimes?.includes("'static") === true) return false;
  const inner = type.element;
  if (inner?.kind === 'slice' || inner?.kind === 'static-array') return true;
  return inner?.kind === 'path' && (TEXTS_AND_LISTS.test(inner.name) || SCALAR.test(inner.name));
}
