import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import type { UnitFacts } from './unit.js';

/** A variable that is registered by its address and then forgotten, as if that kept its storage. */
export interface ForgottenLocal {
  readonly name: string;
  readonly callee: string;
  readonly declared: Span;
  readonly registered: Span;
  readonly forgotten: Span;
}

/** Values that lend a block of the heap where a reference to it is asked for, or whose content is copied. */
const HEAP = /^(?:Box|Arc|Rc|Vec|VecDeque|String|CString|OsString|PathBuf|ManuallyDrop|Pin|vec!|format!)/u;
const REGISTERS =
  /^(?:\w+_)?(?:register|add|install|attach|subscribe|watch|hook|connect|listen|insert|link)(?:_\w+)?$/u;

/**
 * `signal_add(&mut signal, &mut listener)` followed by `mem::forget(listener)`, where `listener` is a value on the stack: its destructor does
 * not run, and its storage ends with the function all the same.
 */
export function findForgottenLocal(unit: UnitFacts, file: FileIr, fn: FunctionIr): ForgottenLocal | undefined {
  if (!fn.bodySpan) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!text.includes('forget')) return undefined;
  for (const forget of text.matchAll(/\bforget\s*\(\s*(\w+)\s*\)/gu)) {
    const [whole, name = ''] = forget;
    const before = text.slice(0, forget.index);
    const declared = new RegExp(
      `\\blet\\s+(?:mut\\s+)?${name}\\b(?:\\s*:\\s*([^=;]+))?\\s*=\\s*((?:\\w+(?:::|!))*)`,
      'u',
    ).exec(before);
    if (!declared || HEAP.test(declared[1] ?? '') || HEAP.test(declared[2] ?? '')) continue;
    const given = new RegExp(
      `(\\w+)\\s*\\(([^;{}]*[,\\s])?&\\s*(?:raw\\s+)?mut\\s+${name}(?=\\s*(?:[,)]|as\\b))`,
      'u',
    ).exec(before.slice(declared.index + declared[0].length));
    const callee = given?.[1];
    if (!given || callee === undefined || !REGISTERS.test(callee)) continue;
    const at = (index: number, length: number): Span => {
      const start = (fn.bodySpan?.start ?? 0) + index;
      return { start, end: start + length };
    };
    return {
      name,
      callee,
      declared: at(declared.index, declared[0].length),
      registered: at(declared.index + declared[0].length + given.index, callee.length),
      forgotten: at(forget.index, whole.length),
    };
  }
  return undefined;
}
