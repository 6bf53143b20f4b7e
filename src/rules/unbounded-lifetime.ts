import type { UnitFacts } from '../facts/unit.js';
import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { defineRule } from './rule.js';

/** How a body turns a raw pointer into a reference. */
const DEREFERENCE =
  /(?<!\b(?:Vec|String)::)\bfrom_raw_parts|transmute|CStr::from_ptr|&\s*(?:mut\s+)?\*|\.as_(?:ref|mut)\s*\(|\bfrom_ptr\s*\(|\.as_uninit_ref\s*\(/u;

/** `fn name<'a, ..>(..) -> .. 'a`: lifetimes stand before all other parameters. */
const NAMED_LIFETIME = /\bfn\s+[\w$#]+\s*<\s*'[^{]*->[^{]*'/u;

export default defineRule({
  meta: {
    id: 'unbounded-lifetime',
    title: 'Unbounded lifetime',
    summary:
      'A function makes a reference from a raw pointer with a lifetime that nothing ties to an owner, so the caller may choose any.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      unbounded:
        "'{function}' returns '{type}', but no argument ties '{lifetime}': the caller may keep the reference as long as it likes, whatever happens to the memory behind '{pointer}'.",
      contract:
        "'{function}' returns '{type}' with '{lifetime}' tied to no argument: its callers must limit it themselves.",
    },
    checklist: 'Which owner limits the lifetime of the returned reference?',
    scenarios: [],
  },
  tokens: { rust: ['from_raw_parts', 'transmute', 'CStr::from_ptr', '*const ', '*mut ', 'NonNull'] },
  bodyTokens: { rust: [DEREFERENCE] },
  bodyRequires: { rust: [NAMED_LIFETIME] },
  looksAt: 'body text',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const fn of file.functions) {
        const found = findUnbounded(unit, file, fn);
        if (!found) continue;
        report({
          messageId: fn.isUnsafe ? 'contract' : 'unbounded',
          data: { function: fn.name, type: found.type.text, lifetime: found.lifetime, pointer: found.pointer },
          at: { file, span: fn.nameSpan },
          steps: [
            { file, span: found.type.span, role: 'declare', note: `'${found.lifetime}' is in no argument.` },
            { file, span: found.at, role: 'borrow', note: 'The reference is made from a raw pointer here.' },
          ],
          key: fn.qualifiedName,
          // A function inside another has no callers but those in sight.
          ...(fn.isUnsafe || fn.parent !== undefined ? { severity: 'note' as const } : {}),
        });
      }
    }
  },
});

function findUnbounded(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
):
  | { readonly type: TypeRef; readonly lifetime: string; readonly pointer: string; readonly at: FunctionIr['span'] }
  | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.generics.length === 0 || fn.kind === 'closure') return undefined;
  // An implementation has the signature that the trait wants.
  if (fn.trait !== undefined) return undefined;
  const lifetime = fn.generics.find(
    (g) => g.name.startsWith("'") && (type.lifetimes?.includes(g.name) ?? false) && !isTied(fn, g.name, g.bounds),
  )?.name;
  if (lifetime === undefined) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  const made = DEREFERENCE.exec(text);
  if (!made || (!fn.isUnsafe && !/\bunsafe\b/u.test(text))) return undefined;
  if (/\bleak\s*\(/u.test(text)) return undefined;
  const pointers = fn.params.filter((p) => p.type && reachesPointer(unit, file, p.type));
  // What a reference parameter lends could have been tied; what a pointer shows can't.
  const pointer = pointers[0]?.name ?? (fn.self ? 'self' : undefined);
  if (pointer === undefined) return undefined;
  const start = fn.bodySpan.start + made.index;
  return { type, lifetime, pointer, at: { start, end: start + made[0].length } };
}

function isTied(fn: FunctionIr, lifetime: string, bounds: readonly string[]): boolean {
  if (fn.self && (fn.self.lifetime === lifetime || fn.self.type?.lifetimes?.includes(lifetime) === true)) return true;
  if (fn.params.some((p) => p.type?.lifetimes?.includes(lifetime) === true || p.type?.text.includes(lifetime) === true))
    return true;
  const mentions = new RegExp(`${lifetime}\\b`, 'u');
  // `F: FnOnce(&'a T)` and `'b: 'a` may tie it through something else.
  return (
    fn.generics.some(
      (g) =>
        g.name !== lifetime &&
        g.bounds.some((b) => mentions.test(b) && (g.name.startsWith("'") || b.trim() !== lifetime)),
    ) || bounds.some((b) => b !== "'static" && b.startsWith("'"))
  );
}

function reachesPointer(unit: UnitFacts, file: FileIr, type: TypeRef, depth = 0): boolean {
  if (type.kind === 'pointer') return true;
  if (
    type.kind === 'path' &&
    (type.name === 'NonNull' || /^(?:napi_\w+|\w+_t|\w*(?:Handle|Ptr|Raw)\w*)$/u.test(type.name))
  )
    return true;
  if (type.kind === 'reference')
    return type.element !== undefined && depth < 3 && reachesPointer(unit, file, type.element, depth + 1);
  if (type.kind !== 'path' || depth > 2)
    return type.kind === 'tuple' && type.args.some((a) => reachesPointer(unit, file, a, depth + 1));
  if (type.args.some((a) => reachesPointer(unit, file, a, depth + 1))) return true;
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  return decl?.fields.some((f) => f.type !== undefined && reachesPointer(unit, file, f.type, depth + 1)) ?? false;
}
