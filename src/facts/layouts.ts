import { withoutAlias, type TypeOracle } from '../flow/types.js';
import type { TypeRef } from '../model/ir.js';

/** Types of one size and alignment whose values need no drop: freeing one as the other is the same. */
const SAME_LAYOUT: readonly ReadonlySet<string>[] = [
  new Set(['u8', 'i8', 'bool', 'c_char', 'c_uchar', 'c_schar', 'c_void']),
  new Set(['u16', 'i16', 'c_short', 'c_ushort']),
  new Set(['u32', 'i32', 'f32', 'char', 'c_int', 'c_uint', 'c_float']),
  new Set(['u64', 'i64', 'f64', 'usize', 'isize', 'c_long', 'c_ulong', 'c_double', 'size_t']),
  new Set(['u128', 'i128']),
];
const PLAIN = new Set(SAME_LAYOUT.flatMap((names) => [...names]));
const OWNERS = new Set(
  'str String CString OsString PathBuf Vec VecDeque Box Rc Arc Weak HashMap HashSet BTreeMap BTreeSet Mutex RwLock RefCell Cell Option'.split(
    ' ',
  ),
);

/**
 * Whether a value of one type certainly cannot be freed as one of the other. Types that are not known (parameters, types of
 * other crates, trait objects) differ from nothing.
 */
export function layoutsDiffer(a: TypeRef, b: TypeRef, oracle: TypeOracle, fromPath: string, depth = 0): boolean {
  // A type parameter is never a type that holds it, whatever else in the package has its name.
  if (depth === 0 && (holds(a, b) || holds(b, a))) return true;
  const left = soleContent(withoutAlias(a, oracle, fromPath) ?? a, oracle, fromPath);
  const right = soleContent(withoutAlias(b, oracle, fromPath) ?? b, oracle, fromPath);
  const isKnown = (type: TypeRef): boolean =>
    type.kind === 'tuple' ||
    type.kind === 'slice' ||
    type.kind === 'static-array' ||
    (type.kind === 'path' &&
      (PLAIN.has(type.name) || OWNERS.has(type.name) || oracle.declaration(type.name, fromPath)?.kind === 'struct'));
  // Text is bytes.
  if (isText(left) || isText(right)) {
    const bytes = isText(left) ? right : left;
    if (bytes.kind === 'slice' && (bytes.element === undefined || /^(?:u8|_)?$/u.test(bytes.element.name)))
      return false;
  }
  if (depth > 4 || !isKnown(left) || !isKnown(right)) return false;
  if (left.kind !== right.kind) return !(isArray(left) && isArray(right));
  if (left.kind === 'tuple' && left.args.length !== right.args.length) return true;
  if (left.kind === 'path' && left.name !== right.name)
    return !SAME_LAYOUT.some((names) => names.has(left.name) && names.has(right.name));
  if (left.kind === 'slice' && right.kind === 'slice' && left.element && right.element)
    return layoutsDiffer(left.element, right.element, oracle, fromPath, depth + 1);
  return left.args.some((arg, i) => {
    const other = right.args[i];
    return other !== undefined && layoutsDiffer(arg, other, oracle, fromPath, depth + 1);
  });
}

/** What a struct around a slice or text alone holds, `struct Name { bytes: [u8] }`, and one that is declared to be laid out as its only field. */
function soleContent(type: TypeRef, oracle: TypeOracle, fromPath: string): TypeRef {
  const decl = type.kind === 'path' && type.args.length === 0 ? oracle.declaration(type.name, fromPath) : undefined;
  const fields = decl?.kind === 'struct' ? decl.fields.filter((field) => field.type?.name !== 'PhantomData') : [];
  const [only] = fields;
  if (decl === undefined || fields.length !== 1 || only?.type === undefined) return type;
  const isUnsized = only.type.kind === 'slice' || isText(only.type);
  const isTransparent = decl.attributes.some(
    ({ name, args }) => name === 'repr' && args?.includes('transparent') === true,
  );
  return isUnsized || isTransparent ? only.type : type;
}

/** Whether a value of the type is one byte at most, without a destructor: `c_void` frees as much. */
export function isByte(type: TypeRef): boolean {
  return (
    (type.kind === 'tuple' && type.args.length === 0) ||
    (type.kind === 'path' && SAME_LAYOUT[0]?.has(type.name) === true)
  );
}

function holds(outer: TypeRef, inner: TypeRef): boolean {
  return (
    inner.kind === 'path' &&
    inner.args.length === 0 &&
    inner.name !== '' &&
    (outer.kind === 'tuple' || (outer.kind === 'path' && OWNERS.has(outer.name))) &&
    outer.args.some((arg) => (arg.kind === 'path' && arg.name === inner.name) || holds(arg, inner))
  );
}

function isText(type: TypeRef): boolean {
  return type.kind === 'path' && type.name === 'str';
}

function isArray(type: TypeRef): boolean {
  return type.kind === 'slice' || type.kind === 'static-array';
}
