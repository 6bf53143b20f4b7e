import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { implAround } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** A setter of a struct with a lifetime that stores a pointer into an argument which may end before. */
export interface UntiedSetter {
  /** The type of the parameter. */
  readonly type: TypeRef;
  readonly lifetime: string;
  readonly owner: string;
  readonly parameter: string;
  /** The field that is set, `raw.pBinds`. */
  readonly field: string;
  readonly at: Span;
}

/**
 * `impl<'s> Info<'s> { pub fn set_binds<'a>(&mut self, binds: &'a [Bind]) { self.raw.binds = binds.as_ptr(); } }`: the struct has a lifetime for
 * what its pointers lead to, and that of the argument is another one. A pointer that the function itself works with, or sets anew, is
 * left alone.
 */
export function findUntiedSetter(unit: UnitFacts, file: FileIr, fn: FunctionIr): UntiedSetter | undefined {
  const { owner, self, bodySpan } = fn;
  if (owner === undefined || !bodySpan || !fn.isPublic || fn.isUnsafe || fn.isTest || fn.trait !== undefined)
    return undefined;
  if (self?.mode !== 'mutable' && self?.mode !== 'value') return undefined;
  // What is used up by the call keeps nothing.
  if (self.mode === 'value' && !new RegExp(`\\b(?:Self|${owner})\\b`, 'u').test(fn.returns?.text ?? ''))
    return undefined;
  const own = implAround(file, fn)?.target.lifetimes?.filter((l) => l !== "'static") ?? [];
  const [lifetime] = own;
  if (lifetime === undefined) return undefined;
  const all = unit.textOf(file.path) ?? '';
  const head = all.slice(fn.span.start, bodySpan.start);
  const text = all.slice(bodySpan.start, bodySpan.end);
  for (const set of text.matchAll(
    /\bself((?:\s*\.\s*\w+)+)\s*=\s*(\w+)(?:\s*\.\s*as_(?:bytes|slice|mut_slice)\(\))?\s*\.\s*as_(?:mut_)?ptr\(\)/gu,
  )) {
    const [whole, path = '', name = ''] = set;
    const type = fn.params.find((p) => p.name === name)?.type;
    if (type?.kind !== 'reference' || !isList(type.element) || isTied(fn, head, type.lifetime, own)) continue;
    if (self.lifetime !== undefined && own.includes(self.lifetime)) continue;
    // `let title = CString::new(title)?;`: from there on the name is that of a value of the function.
    if (new RegExp(`\\blet\\s+(?:mut\\s+)?${name}\\b`, 'u').test(text.slice(0, set.index))) continue;
    const field = path.replace(/\s/gu, '').slice(1);
    if (isUsedUp(text, set.index + whole.length, field)) continue;
    const start = bodySpan.start + set.index;
    return { type, lifetime, owner, parameter: name, field, at: { start, end: start + whole.length } };
  }
  return undefined;
}

/** What lends a block: of another type `as_ptr` may give anything. */
function isList(type: TypeRef | undefined): boolean {
  return type?.kind === 'slice' || /^(?:str|CStr|Vec|String|CString)$/u.test(type?.name ?? '');
}

/** The argument has a lifetime of the type, is there for ever, or is bound to outlive the type's. */
function isTied(fn: FunctionIr, head: string, lifetime: string | undefined, own: readonly string[]): boolean {
  if (lifetime === undefined || lifetime === "'_") return false;
  if (lifetime === "'static" || own.includes(lifetime)) return true;
  return (
    fn.generics.some((g) => g.name === lifetime && g.bounds.some((b) => own.includes(b.trim()))) ||
    own.some((one) => new RegExp(`${lifetime}\\s*:[^,{]*${one}\\b`, 'u').test(head))
  );
}

/** The function goes on with the value that it has filled, or sets the field once more. */
function isUsedUp(text: string, from: number, field: string): boolean {
  const after = text.slice(from);
  const [root = ''] = field.split('.');
  const again = field.replaceAll('.', String.raw`\s*\.\s*`);
  return (
    new RegExp(`\\bself\\s*\\.\\s*${again}\\s*=(?!=)`, 'u').test(after) ||
    new RegExp(
      `[(,&*=]\\s*(?:mut\\s+)?\\*?\\s*self\\s*\\.\\s*${root}\\b(?!\\s*\\.)|\\bself\\s*\\.\\s*${root}\\s*=(?!=)`,
      'u',
    ).test(after) ||
    /\bself\s*\.\s*\w+\s*\(|[(,]\s*(?:&\s*(?:mut\s+)?)?self\s*[,)]/u.test(after)
  );
}
