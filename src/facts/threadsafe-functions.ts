/** Types that are threadsafe functions of napi-rs, strong or weak, and what holds them. */
import { declaringFile } from './declarations.js';
import type { UnitFacts } from './unit.js';
import type { Attribute, FileIr, TypeDecl, TypeRef } from '../model/ir.js';

/**
 * Whether a type is a threadsafe function that is not weak, through aliases. With `inside`, also behind pointers and in lists; a
 * lock around an `Option` is a way to take it out, and so are maps and channels.
 */
export function isStrong(unit: UnitFacts, file: FileIr, type: TypeRef, inside: boolean, depth = 0): boolean {
  if (depth > 6) return false;
  if (type.kind === 'reference') return false;
  if (type.kind !== 'path') return false;
  if (isThreadsafeFunction(file, type))
    return (
      (isOfNapi(file, type) || isOwnStrong(unit, file, type.name)) &&
      !/,\s*true\s*(?:,\s*\d+\s*)?,?\s*>$/u.test(weakPart(type))
    );
  if (inside && /^(?:Arc|Rc|Box|Vec)$/u.test(type.name) && type.args[0])
    return isStrong(unit, file, type.args[0], true, depth + 1);
  const alias = findAlias(unit, file, type);
  return alias !== undefined && isStrong(unit, alias.file, alias.type, inside, depth + 1);
}

/** What an alias of the package stands for, with the file whose names it uses. */
export function findAlias(
  unit: UnitFacts,
  file: FileIr,
  type: TypeRef,
): { readonly file: FileIr; readonly type: TypeRef } | undefined {
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  if (decl?.kind !== 'alias' || !decl.alias) return undefined;
  const declaring = declaringFile(unit, file, decl);
  return declaring ? { file: declaring, type: decl.alias } : undefined;
}

/** By its own name, or by the one that a `use .. as` of the file gives it. */
function isThreadsafeFunction(file: FileIr, type: TypeRef): boolean {
  if (type.name === 'ThreadsafeFunction') return true;
  return (
    type.path.length === 1 && file.imports.some((i) => i.name === type.name && i.path.at(-1) === 'ThreadsafeFunction')
  );
}

/**
 * Whether a wrapper of the package with this name holds a threadsafe function of Node-API that nothing in its file makes weak: then
 * nobody who holds one can.
 */
export function isOwnStrong(unit: UnitFacts, file: FileIr, name: string): boolean {
  const decl = unit.oracle('rust').declaration(name, file.path);
  if (decl?.kind !== 'struct' || !decl.fields.some((f) => f.type?.name === 'napi_threadsafe_function')) return false;
  const declaring = declaringFile(unit, file, decl);
  return declaring !== undefined && !/\bnapi_unref_threadsafe_function\b/u.test(unit.textOf(declaring.path) ?? '');
}

/** Another wrapper of the same name in the package has its own teardown. */
function isOfNapi(file: FileIr, type: TypeRef): boolean {
  if (type.path.length > 1) return /^(?:napi(?:_ohos)?|threadsafe_function)$/u.test(type.path[0] ?? '');
  const imported = file.imports.find((i) => i.name === type.name);
  if (imported) return /^(?:napi(?:_ohos)?|threadsafe_function)$/u.test(imported.path[0] ?? '');
  return file.imports.some((i) => i.isGlob === true && /^napi(?:_ohos)?$/u.test(i.path[0] ?? ''));
}

/** The text of a type with six or more arguments; the sixth says whether it is weak. */
function weakPart(type: TypeRef): string {
  return type.args.length >= 6 ? type.text : '';
}

/** A field's type that is a weak threadsafe function, behind whatever pointers and locks. */
export function isWeakAlias(unit: UnitFacts, file: FileIr, type: TypeRef, depth = 0): boolean {
  if (depth > 6 || type.kind !== 'path') return false;
  if (type.name === 'ThreadsafeFunction') return !isStrong(unit, file, type, false);
  if (type.args.some((a) => isWeakAlias(unit, file, a, depth + 1))) return true;
  const alias = findAlias(unit, file, type);
  return alias !== undefined && isWeakAlias(unit, alias.file, alias.type, depth + 1);
}

/** Whether JavaScript holds values of the type as objects of a class; `#[napi(object)]` is copied out of an object instead. */
export function isClass(unit: UnitFacts, file: FileIr, name: string): boolean {
  const decl = unit.oracle('rust').declaration(name, file.path);
  return decl !== undefined && isClassDecl(decl);
}

export function isClassDecl(decl: TypeDecl): boolean {
  const attribute = napiAttribute(decl);
  return attribute !== undefined && !/\bobject\b/u.test(attribute.args ?? '');
}

export function napiAttribute(decl: TypeDecl): Attribute | undefined {
  return decl.attributes.find((a) => a.name === 'napi' || a.name.endsWith('::napi'));
}
