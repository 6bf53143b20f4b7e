import type { FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import type { UnitFacts } from './unit.js';

/** A public method by `&self` that gives out `&mut`, or writes what another one lends. */
export interface SharedWrite {
  /** Where the reference is made, or the write is. */
  readonly at: Span;
  /** The method that lends the memory as shared; undefined for one that lends it exclusively itself. */
  readonly lender?: FunctionIr;
}

/** `fn get(&self, ..) -> Result<&mut T, E>`: clippy denies the form without the wrapper. */
export const LENDS_EXCLUSIVELY =
  /\bpub\b[^{;(]*\bfn\s+\w+[^{;(]*\(\s*&\s*(?:'\w+\s+)?self\b[^{;]*->\s*(?:Option|Result)\s*<\s*&\s*(?:'\w+\s+)?mut\b/u;
/** A method by `&self` with a call that fills memory. */
export const WRITES_SHARED =
  /\(\s*&\s*(?:'\w+\s+)?self\b[^{;]*\{[^]*\b(?:write_bytes|copy(?:_nonoverlapping)?|copy_from(?:_nonoverlapping)?|from_raw_parts_mut)\s*\(/u;

/** Whoever waits for a turn, asks a flag or makes something new may well be alone with what it gives. */
const TAKES_TURNS =
  /lock|borrow|compare_exchange|\bswap\b|acquire|critical_section|thread|fetch_|\bstore\s*\(|\.set\s*\(|once|insert|alloc|push|get_or_|replace\s*\(|\bnew\s*\(|leak/iu;
const TURN_KEEPERS = /\b(?:Atomic\w*|\w*Mutex|\w*RwLock|RefCell|Cell|Once\w*)\b/u;

/** A method that lends exclusively, or writes, by `&self` what a raw pointer of the type leads to, with nothing that makes callers take turns. */
export function findSharedWrite(unit: UnitFacts, file: FileIr, fn: FunctionIr): SharedWrite | undefined {
  if (fn.self?.mode !== 'shared' || fn.isUnsafe || !fn.isPublic || fn.isTest || fn.trait !== undefined)
    return undefined;
  if (!fn.bodySpan || fn.owner === undefined || fn.kind === 'closure') return undefined;
  // clippy's own name for it: somebody looked at it.
  if (fn.attributes.some((a) => /\bmut_from_ref\b/u.test(a.args ?? ''))) return undefined;
  if (fn.params.some((p) => isTurn(p.type))) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!/\bunsafe\b/u.test(text) || TAKES_TURNS.test(text)) return undefined;
  const decl = unit.oracle('rust').declaration(fn.owner, file.path);
  if (decl?.kind !== 'struct' || !decl.isPublic || decl.fields.some((f) => TURN_KEEPERS.test(f.type?.text ?? '')))
    return undefined;
  const at = (index: number, length: number): Span => {
    const start = (fn.bodySpan?.start ?? 0) + index;
    return { start, end: start + length };
  };
  if (isExclusive(fn)) {
    const made = /&\s*mut\s*\*|\.as_mut\s*\(\s*\)|\bfrom_raw_parts_mut\s*\(/u.exec(text);
    return made && /\bself\b/u.test(text) ? { at: at(made.index, made[0].length) } : undefined;
  }
  const pointer = pointerOf(decl);
  if (pointer === undefined) return undefined;
  // The receiver itself: `self.data.add(at).copy_from(..)`, not `to.copy_from(self.data, ..)`.
  const chain = String.raw`(?<![.\w])\(*\s*${pointer}(?:\s*as\s*\*\s*mut\s+[\w:]+)?\s*\)*(?:\s*\.\s*\w+\s*\((?:[^(){};]|\([^(){};]*\))*\))*`;
  const write = new RegExp(
    `\\bwrite_bytes\\s*\\(\\s*${pointer}|\\bcopy(?:_nonoverlapping)?\\s*\\([^,;{}]*,\\s*${pointer}|${chain}\\s*\\.\\s*(?:copy_from(?:_nonoverlapping)?|write_bytes)\\s*\\(|\\bfrom_raw_parts_mut\\s*\\(\\s*${pointer}`,
    'u',
  ).exec(text);
  const lender = write && findLender(unit, file, fn, pointer);
  return lender ? { at: at(write.index, write[0].length), lender } : undefined;
}

/** `&mut T`, or a token that only one caller has. */
function isTurn(type: TypeRef | undefined): boolean {
  if (type?.kind === 'reference' && type.mutable === true) return true;
  return /(?:Section|Token|Marker|Guard|Key|Lock|Arena|Bump)$/u.test((type?.element ?? type)?.name ?? '');
}

/** `Option<&mut T>` and `Result<&mut T, E>` with the lifetime of `self`. */
function isExclusive({ self, returns }: FunctionIr): boolean {
  const content = returns?.kind === 'path' && /^(?:Option|Result)$/u.test(returns.name) ? returns.args[0] : undefined;
  if (content?.kind !== 'reference' || content.mutable !== true) return false;
  return content.lifetime === undefined || content.lifetime === "'_" || content.lifetime === self?.lifetime;
}

/** How the methods of a type reach its only raw pointer: `self.data`, `self.as_mut_ptr()`; undefined where it has none. */
function pointerOf(decl: TypeDecl): string | undefined {
  const fields = decl.fields.filter((f) => f.type?.kind === 'pointer' || f.type?.name === 'NonNull');
  const [field] = fields;
  if (!field || fields.length > 1) return undefined;
  return String.raw`self\s*\.\s*(?:${field.name}\b|(?:as_)?(?:mut_)?ptr\s*\(\s*\))`;
}

/** A public method by `&self` that lends the memory behind the pointer as a shared slice. */
function findLender(unit: UnitFacts, file: FileIr, fn: FunctionIr, pointer: string): FunctionIr | undefined {
  const lends = new RegExp(`\\bfrom_raw_parts\\s*\\(\\s*${pointer}`, 'u');
  const text = unit.textOf(file.path) ?? '';
  return file.functions.find(
    (f) =>
      f.owner === fn.owner &&
      f.self?.mode === 'shared' &&
      !f.isUnsafe &&
      (f.isPublic || f.trait !== undefined) &&
      f.bodySpan !== undefined &&
      f.returns?.kind === 'reference' &&
      f.returns.mutable !== true &&
      lends.test(text.slice(f.bodySpan.start, f.bodySpan.end)),
  );
}
