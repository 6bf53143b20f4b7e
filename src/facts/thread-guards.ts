import type { FileIr, FunctionIr, ImplDecl } from '../model/ir.js';
import { plainText } from './plain-text.js';
import type { UnitFacts } from './unit.js';

const ASKS = /\bcurrent\s*\(\s*\)\s*\.\s*id\s*\(\s*\)|\bcurrent_thread_id\s*\(|\bThreadChecker\b/u;

/**
 * Whether a type keeps the thread that it was made on (`owner: ThreadId`) and compares it with the current one in each safe method that names the
 * field, and when it is dropped: the value may travel, and nobody can use it elsewhere.
 */
export function isGuardedByThread(unit: UnitFacts, file: FileIr, impl: ImplDecl, field: string): boolean {
  const decl = unit.oracle('rust').declaration(impl.target.name, file.path);
  if (!decl?.fields.some((f) => /\bThreadId\b/u.test(f.type?.text ?? ''))) return false;
  const methods = [...new Set([file, ...unit.implsOf(decl.name).map((one) => one.file)])].flatMap((each) =>
    each.functions
      .filter((fn) => fn.owner === decl.name && fn.bodySpan && !fn.isTest && fn.kind !== 'closure')
      .map((fn) => ({ fn, text: fn.bodySpan ? plainText(unit, each, fn.bodySpan) : '' })),
  );
  const checkers = new Set(methods.filter(({ text }) => ASKS.test(text)).map(({ fn }) => fn.name));
  if (checkers.size === 0) return false;
  const asks = (text: string): boolean =>
    ASKS.test(text) ||
    [...text.matchAll(/\b(?:self|Self)\s*(?:\.|::)\s*(\w+)\s*\(/gu)].some((m) => checkers.has(m[1] ?? ''));
  const names = new RegExp(`\\bself\\s*\\.\\s*${field}\\b`, 'u');
  const isOpen = ({ fn, text }: { readonly fn: FunctionIr; readonly text: string }): boolean =>
    fn.self !== undefined && !fn.isUnsafe && names.test(text) && !asks(text);
  const held = decl.fields.find((f) => f.name === field)?.type?.text ?? '';
  const isEndGuarded =
    /^(?:\w+::)*ManuallyDrop</u.test(held) || methods.some(({ fn, text }) => fn.trait === 'Drop' && asks(text));
  return isEndGuarded && !methods.some(isOpen);
}
