import { CELLS, D_MAPPINGS, D_OWNERS } from '../flow/builtin-types.js';
import { typeOfPlace } from '../flow/place-type.js';
import type { Place } from '../flow/place.js';
import { isReleasedByDestructor, isReleasedByDrop } from '../flow/released-by-drop.js';
import { isNumber, peel, type TypeOracle } from '../flow/types.js';
import type { Language, TypeRef } from '../model/ir.js';

const RUST_OWNERS: ReadonlySet<string> = new Set([
  'Vec',
  'String',
  'CString',
  'OsString',
  'PathBuf',
  'Box',
  'VecDeque',
  'SmallVec',
  'BytesMut',
  'ArrayVec',
  'NulError',
]);

/** How many helpers deep a destructor is followed. */
const HELPERS = 2;

/**
 * Whether the memory of a place ends with the scope of its root variable: the variable itself, its fields and the elements
 * of a static array in it, and in Rust what its boxes and vectors own. False as soon as a step leads to memory that somebody
 * else owns or that is not known. `hasDrop` tells whether the unit implements `Drop` for a type.
 */
export function endsWithItsRoot(
  place: Place,
  language: Language,
  oracle: TypeOracle,
  fromPath: string,
  hasDrop: (typeName: string) => boolean = () => false,
): boolean {
  const { root } = place;
  const isOwnSelf = root.kind === 'self' && language === 'rust' && root.type?.kind === 'path';
  if (root.kind !== 'local' && root.kind !== 'param' && root.kind !== 'temp' && !isOwnSelf) return false;
  if ((!root.byValue && !(language === 'rust' && place.path.length === 0)) || root.declared === 'static') return false;
  for (let i = 0; i < place.path.length; i++) {
    const segment = place.path[i];
    if (segment === '*') {
      // A type that releases in `Drop` takes what its pointer fields lead to with it.
      if (language === 'd') return i > 0 && isReleasedByDestructor(place, oracle, fromPath, HELPERS);
      return (
        i > 0 &&
        hasDrop(peel(typeOfPlace({ root, path: place.path.slice(0, i - 1) }, oracle, fromPath))?.name ?? '') &&
        isReleasedByDrop({ root, path: place.path.slice(0, i + 1) }, oracle, fromPath, HELPERS)
      );
    }
    const type = typeOfPlace({ root, path: place.path.slice(0, i) }, oracle, fromPath);
    if (!type || type.kind === 'unknown') return false;
    if (type.kind === 'reference' || type.kind === 'pointer' || type.kind === 'trait-object') return false;
    if (language === 'rust') {
      // `Option<&mut Vec<T>>` only holds the reference.
      if (type.kind === 'path' && type.name === 'Option' && /^(?:reference|pointer)$/u.test(type.args[0]?.kind ?? ''))
        return false;
      // Shared owners, handles and views may outlive the variable; only what is known to own its memory counts.
      if (
        segment === '[]'
          ? // Of a temporary the type is known by the names of methods only.
            !(type.kind === 'path' && type.name === 'Option' && root.kind !== 'temp') &&
            type.kind !== 'static-array' &&
            !(
              type.kind === 'path' &&
              (RUST_OWNERS.has(type.name) ||
                isOwningMap(type, oracle, fromPath) ||
                hasDrop(type.name) ||
                (i === place.path.length - 1 && CELLS.includes(type.name)))
            )
          : type.kind !== 'tuple' && !(type.kind === 'path' && oracle.declaration(type.name, fromPath) !== undefined)
      )
        return false;
      if (type.kind === 'path' && (type.lifetimes?.length ?? 0) > 0 && !hasDrop(type.name)) return false;
      continue;
    }
    if (segment === '[]') {
      // A container that gives its elements back ends with the variable, unless another one shares them.
      const isOwner =
        type.kind === 'path' &&
        (D_OWNERS.has(type.name) || D_MAPPINGS.has(type.name)) &&
        !oracle.isDeclared(type.name, fromPath);
      if (type.kind !== 'static-array' && !(isOwner && i === 0)) return false;
      continue;
    }
    const kind = type.kind === 'path' ? oracle.declaration(type.name, fromPath)?.kind : undefined;
    // An object that `scope x = new C` puts on the stack.
    if (kind === 'class' && i === 0 && root.storage === 'stack') continue;
    if (kind !== 'struct' && kind !== 'union') return false;
  }
  if (language === 'd' && place.path.length === 0)
    return root.type?.kind !== 'unknown' || root.declared === 'foreach' || root.declared === 'let';
  return true;
}

const MAPS = /^(?:Hash|BTree|Index|FxHash|FxIndex|AHash)(?:Map|Set)$/u;

/**
 * Rust: a map or set whose entries are known to hold what they show: of `HashMap<&str, _>` a key, and of `HashMap<_, Arc<T>>` a value, leads
 * to what others own, and what is asked for is not told apart.
 */
function isOwningMap({ name, args }: TypeRef, oracle: TypeOracle, fromPath: string): boolean {
  if (!MAPS.test(name)) return false;
  return args
    .slice(0, name.endsWith('Map') ? 2 : 1)
    .every(
      (one) =>
        one.kind === 'path' &&
        one.lifetimes === undefined &&
        (RUST_OWNERS.has(one.name) || isNumber(one) || oracle.declaration(one.name, fromPath)?.kind === 'struct'),
    );
}
