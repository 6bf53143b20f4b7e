import { collectedContent, enclosing, isTypeParameter, outermost } from './d-code.js';
import { SCALAR } from '../flow/types.js';
import type { UnitFacts } from './unit.js';
import type { Span } from '../model/source.js';
import type { FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';

/** Whoever names one of these has thought of the collector. */
export const AWARE = /\b(?:addRange|addRoot|hasIndirections|hasPointers|hasAliasing|removeRange)\b/u;

/** As `AWARE`, of a block of the collector that it does not look into: a root keeps the block, and nothing that only the block shows. */
export const AWARE_OF_CONTENT = /\b(?:addRange|hasIndirections|hasPointers|hasAliasing|removeRange|clrAttr)\b/u;

/** What memory for such elements holds that leads to memory of the collector, as the words of a message; undefined when nothing does. */
export function contentOf(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  element: TypeRef,
  isCollectedMemory: boolean,
): string | undefined {
  if (element.kind === 'path' && isNumber(unit, file, fn, element.name)) return undefined;
  if (
    element.kind === 'path' &&
    (isTypeParameter(file, fn, element.name) || isComputedType(unit, file, fn, element.name))
  )
    return `values of any type '${element.name}'`;
  const isClassReference =
    element.kind === 'path' &&
    ['class', 'interface'].includes(unit.oracle('d').declaration(element.name, file.path)?.kind ?? '');
  if (isClassReference) return `references to '${element.name}'`;
  // A record of the template that surrounds it holds whatever the template is used with.
  const record = plainRecord(file, element);
  const open = record === undefined ? undefined : openParameter(unit, file, fn, record, 0);
  if (open !== undefined) return `values of any type '${open}' in '${element.name}'`;
  const given = openArgument(file, fn, element);
  if (given !== undefined) return `values of any type '${given}' in '${element.name}'`;
  const nearest = nearestOfSeveral(file, fn, element);
  const parts = nearest?.fields
    .filter(({ isStatic }) => !isStatic)
    .map(({ type }) => collectedContent(type, unit, file.path));
  if (parts?.every((one) => one === 'no') === true) return undefined;
  const content = collectedContent(element, unit, file.path);
  // In a block of the collector itself the records that it links to come from there too.
  if (
    content === 'raw' &&
    isCollectedMemory &&
    record?.fields.some((field) => field.type?.element?.name === record.name)
  )
    return `values of type '${element.text}', which are linked by pointers`;
  return content === 'yes' ? `values of type '${element.text}', which hold pointers` : undefined;
}

/** The type of what an array holds in place, without what the library wraps around it to store it (`Unqual!T`). */
export function storedType(type: TypeRef | undefined): TypeRef | undefined {
  const bare = type?.kind === 'static-array' ? type.element : type;
  return bare?.kind === 'path' && /^(?:Unqual|\w*StorageType)$/u.test(bare.name) ? bare.args[0] : bare;
}

/** Of several structs of a file that have one name, each in a type or function of its own, the one that the function stands beside. */
function nearestOfSeveral(file: FileIr, fn: FunctionIr, { kind, name }: TypeRef): TypeDecl | undefined {
  const all = kind === 'path' ? file.types.filter((one) => one.kind === 'struct' && one.name === name) : [];
  if (all.length < 2) return undefined;
  const holds = (outer: Span, inner: Span): boolean => outer.start <= inner.start && inner.end <= outer.end;
  const around = [...file.types, ...file.functions].filter(({ span }) => holds(span, fn.span));
  around.sort((a, b) => a.span.end - a.span.start - (b.span.end - b.span.start));
  for (const { span } of around) {
    const inside = all.filter((one) => one.span.start > span.start && holds(span, one.span));
    if (inside.length > 0) return inside.length === 1 ? inside[0] : undefined;
  }
  return undefined;
}

function plainRecord(file: FileIr, type: TypeRef): TypeDecl | undefined {
  return file.types.find((one) => one.kind === 'struct' && one.name === type.name && one.generics.length === 0);
}

/** `Closure!T` with a field of its parameter's type, where `T` may be any type: the name of that. */
function openArgument(file: FileIr, fn: FunctionIr, element: TypeRef): string | undefined {
  const record = file.types.find(
    (one) => one.kind === 'struct' && one.name === element.name && one.generics.length > 0,
  );
  const at =
    record?.generics.findIndex((one) => record.fields.some((f) => !f.isStatic && f.type?.name === one.name)) ?? -1;
  const given = at < 0 ? undefined : element.args[at];
  return given?.kind === 'path' && isTypeParameter(file, fn, given.name) ? given.name : undefined;
}

/** The type parameter whose values a record holds itself, in arrays and records in it too. */
function openParameter(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  record: TypeDecl,
  depth: number,
): string | undefined {
  if (depth > 3) return undefined;
  for (const field of record.fields) {
    const type = storedType(field.type);
    if (field.isStatic || type?.kind !== 'path') continue;
    if (isTypeParameter(file, fn, type.name) && !isNumber(unit, file, fn, type.name)) return type.name;
    const inner = plainRecord(file, type);
    const found = inner === undefined || inner === record ? undefined : openParameter(unit, file, fn, inner, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A constraint, or what is asked of the type (`T.max`), says that it is a number or character. */
function isNumber(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): boolean {
  // Parameters that are called characters, in any of their widths.
  if (SCALAR.test(name) || /^(?:Char|Char[A-Z]\w*|\w*Char)$/u.test(name)) return true;
  if (!/^\w+$/u.test(name)) return false;
  const { span } = outermost(file, fn);
  const type = file.types.find((one) => one.span.start <= fn.span.start && fn.span.end <= one.span.end);
  const text = (unit.textOf(file.path) ?? '').slice(type?.span.start ?? span.start, type?.span.end ?? span.end);
  // A parameter or member of the type that is multiplied or divided stands for a number, whatever the constraint says.
  const values = [...fn.params, ...(type?.fields ?? [])].filter(
    (one) => one.type?.name === name && /^\w+$/u.test(one.name),
  );
  if (
    values.some((one) =>
      new RegExp(
        // Behind a keyword the star is a dereference.
        `\\b${one.name}\\s*[*/]\\s*[\\w(]|[\\w)](?<!\\b(?:return|in|is|else|case|assert))\\s*[*/]\\s*${one.name}\\b`,
        'u',
      ).test(text),
    )
  )
    return true;
  return new RegExp(
    // What is asked with a `!` in front is whether it is none.
    `(?<![!\\w])is(?:FloatingPoint|Integral|Numeric|SomeChar|ScalarType|BasicType|Unsigned|Signed)!\\(?\\s*${name}\\b|\\b${name}\\.(?:max|min|min_normal|infinity|nan|epsilon)\\b`,
    'u',
  ).test(text);
}

/** `alias T = typeof(f(x))` in a template: a type that depends on what the template is used with. */
export function isComputedType(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): boolean {
  const template = [fn, ...enclosing(file, fn)].find((one) => one.generics.length > 0);
  if (template === undefined || !/^\w+$/u.test(name)) return false;
  const text = (unit.textOf(file.path) ?? '').slice(template.span.start, template.span.end);
  return new RegExp(`\\balias\\s+${name}\\s*=\\s*typeof\\s*\\(`, 'u').test(text);
}

/** The function, what is around it or what is directly in it names a function that deals with the collector. */
export function isAware(unit: UnitFacts, file: FileIr, fn: FunctionIr, words = AWARE): boolean {
  const known = awareOf.get(fn) ?? new Map<RegExp, boolean>();
  let is = known.get(words);
  if (is === undefined) {
    const { span } = outermost(file, fn);
    is = words.test((unit.textOf(file.path) ?? '').slice(span.start, span.end));
    awareOf.set(fn, known.set(words, is));
  }
  return is;
}

/** It is asked for each block that a function makes. */
const awareOf = new WeakMap<FunctionIr, Map<RegExp, boolean>>();
