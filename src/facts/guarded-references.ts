import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { implAround } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** A reference to guarded storage that leaves its guard behind. */
export interface GuardedReference {
  readonly type: TypeRef;
  readonly lifetime: string;
  /** The field with the guard, and the one with the reference. */
  readonly guard: string;
  readonly field: string;
  readonly at: Span;
}

const GUARD = /(?:^|[<\s:])(?:\w*(?:Lock|Mutex)\w*Guard)\s*<\s*('\w+)\s*,([^]*)$/u;
/** What the caller may have brought himself. */
const ASKED = /^(?:k|key|query|name|id|index)$/u;

/**
 * `fn value(&self) -> &'a V { self.value }` of a type that keeps the reference beside `guard: RwLockReadGuard<'a, Map<K, V>>`: what a guard
 * lends ends with the guard, so the reference was made by `unsafe`, and its lifetime is that of the lock, not of the guard.
 */
export function findGuardedReference(unit: UnitFacts, file: FileIr, fn: FunctionIr): GuardedReference | undefined {
  const { returns: type, owner, self, bodySpan } = fn;
  if (!type || !bodySpan || owner === undefined || !fn.isPublic || fn.isUnsafe || fn.isTest) return undefined;
  if (self === undefined || self.mode === 'value' || self.lifetime !== undefined) return undefined;
  const lifetime = type.lifetimes?.find((l) => l !== "'static" && l !== "'_");
  const around = implAround(file, fn);
  if (lifetime === undefined || around === undefined || fn.generics.some(({ name }) => name === lifetime))
    return undefined;
  const decl = unit.oracle('rust').declaration(owner, file.path);
  // The lifetime has the name of the impl block here and of the declaration there.
  const own = decl?.generics.filter(({ name }) => name.startsWith("'"))[
    around.target.lifetimes?.indexOf(lifetime) ?? -1
  ];
  if (decl?.kind !== 'struct' || own === undefined) return undefined;
  const whole = unit.textOf(file.path) ?? '';
  // Safe code can't make such a reference: then the caller brought it.
  if (!/\bunsafe\b/u.test(whole)) return undefined;
  const text = whole.slice(bodySpan.start, bodySpan.end);
  for (const guard of decl.fields) {
    const [, held, content = ''] = GUARD.exec(guard.type?.text ?? '') ?? [];
    if (held !== own.name) continue;
    for (const field of decl.fields) {
      const lent = field.type;
      if (lent?.kind !== 'reference' || lent.lifetime !== own.name || ASKED.test(field.name)) continue;
      const name = lent.element?.name ?? '';
      if (name === '' || !new RegExp(`\\b${name}\\b`, 'u').test(content)) continue;
      const shown = new RegExp(`\\bself\\s*\\.\\s*${field.name}\\b(?!\\s*[.(\\[])`, 'u').exec(text);
      if (!shown || !showsReference(type, lifetime, name)) continue;
      const start = bodySpan.start + shown.index;
      return { type, lifetime, guard: guard.name, field: field.name, at: { start, end: start + shown[0].length } };
    }
  }
  return undefined;
}

/** Whether the result is, or holds, a reference of that lifetime to the type. */
function showsReference(type: TypeRef, lifetime: string, name: string): boolean {
  if (type.kind === 'reference') return type.lifetime === lifetime && type.element?.name === name;
  return type.args.some((arg) => showsReference(arg, lifetime, name));
}
