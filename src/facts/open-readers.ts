import type { Expr, FileIr, FunctionIr, Generic, TypeRef } from '../model/ir.js';
import type { UnitFacts } from './unit.js';

const READERS = /^(?:read|read_exact|read_at|read_exact_at|poll_read|recv|recv_from)$/u;
const READING_TRAIT = /^(?:Async)?(?:Buf)?Read(?:At|Ext|BytesExt)?$/u;

/**
 * The name of code that anybody may write and that is given `memory` by this call to fill: a reader of a type parameter,
 * `dyn` or `impl`, as a parameter, a field or the implementor of a trait of readers, also by way of `Read::read(reader, ..)`, or
 * a closure of the caller. The readers of std and those of the package write what they are given.
 */
export function openReader(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  call: Expr,
  memory: Expr,
): string | undefined {
  if (call.kind === 'method') {
    if (call.receiver === memory || !READERS.test(call.method)) return undefined;
    const reader = openValue(unit, file, fn, call.receiver);
    return reader && `${reader}.${call.method}`;
  }
  if (call.kind !== 'call' || call.callee.kind !== 'name') return undefined;
  const { path } = call.callee;
  const last = path.at(-1) ?? '';
  const [first] = call.args;
  if (path.length > 1) {
    if (!READERS.test(last) || !READING_TRAIT.test(path.at(-2) ?? '') || !first || first.value === memory)
      return undefined;
    const reader = openValue(unit, file, fn, first.value);
    return reader && `${reader}.${last}`;
  }
  const type = plainType(fn.params.find(({ name }) => name === last)?.type);
  if (type === undefined) return undefined;
  const bounds = type.kind === 'path' ? boundsOf(fn.generics, type.name) : type.kind === 'reference' ? [] : [type.text];
  return bounds?.some((bound) => /\bFn(?:Mut|Once)?\s*\(\s*&\s*(?:'\w+\s+)?mut\b/u.test(bound)) ? last : undefined;
}

/** The name of a value whose type the caller chooses. */
function openValue(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr): string | undefined {
  let at = value;
  while (at.kind === 'address' || at.kind === 'deref') at = at.base;
  if (at.kind === 'method' && /^(?:by_ref|as_mut|get_mut|take|project)$/u.test(at.method)) at = at.receiver;
  if (at.kind === 'name' && at.path.length === 1) {
    const [name = ''] = at.path;
    // The default method of a trait of readers: `trait Source: Read { fn header(&mut self) .. }`.
    if (name === 'self') return isReadingTrait(unit, file, fn) ? name : undefined;
    return isOpen(fn.params.find((parameter) => parameter.name === name)?.type, fn.generics) ? name : undefined;
  }
  if (at.kind !== 'field' || at.base.kind !== 'name' || at.base.path.join('.') !== 'self' || fn.owner === undefined)
    return undefined;
  const { name: field } = at;
  const decl = unit.oracle('rust').declaration(fn.owner, file.path);
  const type = decl?.fields.find((each) => each.name === field)?.type;
  return decl && isOpen(type, decl.generics) ? `self.${field}` : undefined;
}

function isReadingTrait(unit: UnitFacts, file: FileIr, fn: FunctionIr): boolean {
  if (fn.ownerKind !== 'trait' || fn.owner === undefined) return false;
  const decl = unit.oracle('rust').declaration(fn.owner, file.path);
  return (
    decl?.bases.some((base) => READING_TRAIT.test(base.split('::').at(-1)?.replace(/<.*/su, '').trim() ?? '')) === true
  );
}

function isOpen(type: TypeRef | undefined, generics: readonly Generic[]): boolean {
  const plain = plainType(type);
  if (plain === undefined) return false;
  if (plain.kind === 'trait-object' || plain.kind === 'impl-trait') return true;
  return plain.kind === 'path' && boundsOf(generics, plain.name) !== undefined;
}

/** Without references, boxes and pins. */
function plainType(type: TypeRef | undefined): TypeRef | undefined {
  let plain = type;
  while (plain && (plain.kind === 'reference' || (plain.kind === 'path' && /^(?:Box|Pin)$/u.test(plain.name))))
    plain = plain.kind === 'reference' ? plain.element : plain.args[0];
  return plain;
}

function boundsOf(generics: readonly Generic[], name: string): readonly string[] | undefined {
  return generics.find((generic) => generic.name === name)?.bounds;
}
