import type { Place } from './place.js';
import { typeOfPlace } from './place-type.js';
import { ownsBlock, type TypeOracle } from './types.js';
import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';

/** Types of the standard library whose values own something that they give back when they are dropped. */
const OWNERS = new Set(
  'Box Rc Arc Vec VecDeque String CString OsString PathBuf BinaryHeap HashMap HashSet BTreeMap BTreeSet LinkedList File TcpStream JoinHandle Sender Receiver BytesMut'.split(
    ' ',
  ),
);
/** Types that are dropped when and only when what is in them is. */
const WRAPPERS = new Set(['Option', 'Result', 'Cell', 'RefCell', 'UnsafeCell', 'Mutex', 'RwLock', 'Pin', 'Wrapping']);
/** Types that never drop what is in them. */
const KEEPERS = /^(?:ManuallyDrop|MaybeUninit)$/u;

/** Rust: whether a value of the type gives something back when it is dropped, as far as the unit shows. */
export function isDropped(
  type: TypeRef | undefined,
  oracle: TypeOracle,
  file: FileIr,
  fn: FunctionIr,
  depth = 0,
): boolean {
  if (!type || depth > 4) return false;
  if (type.kind === 'tuple' || type.kind === 'static-array')
    return [...type.args, ...(type.element ? [type.element] : [])].some((t) =>
      isDropped(t, oracle, file, fn, depth + 1),
    );
  if (type.kind !== 'path' || KEEPERS.test(type.name)) return false;
  if (OWNERS.has(type.name)) return true;
  if (WRAPPERS.has(type.name)) return type.args.some((t) => isDropped(t, oracle, file, fn, depth + 1));
  if (type.path.length <= 1 && type.args.length === 0) {
    const own = fn.generics.find((g) => g.name === type.name);
    if (own) return !isCopied(own.bounds);
    const block = blocksAround(file, fn).flatMap((b) => b.generics.filter((g) => g.name === type.name));
    if (block[0]) return !block.some((g) => isCopied(g.bounds));
  }
  const decl = oracle.declaration(type.name, file.path);
  if (!decl || (decl.kind !== 'struct' && decl.kind !== 'enum')) return false;
  if (isDerived(decl.attributes, 'Copy')) return false;
  const drop = oracle.method(type.name, 'drop', file.path)?.fn;
  // One that does nothing only keeps the type from being copied.
  if (drop?.trait === 'Drop' && !isEmpty(drop)) return true;
  const names = decl.generics.map((g) => g.name);
  return decl.fields.some((field) => {
    const at = field.type?.kind === 'path' ? names.indexOf(field.type.name) : -1;
    return isDropped(at >= 0 ? (type.args[at] ?? field.type) : field.type, oracle, file, fn, depth + 1);
  });
}

/** Whether nothing on the way to the place, nor what holds it, keeps its content from being dropped. */
export function isDroppedWith(place: Place, oracle: TypeOracle, fromPath: string): boolean {
  return !place.path.some((_, at) => {
    const type = typeOfPlace({ root: place.root, path: place.path.slice(0, at) }, oracle, fromPath);
    return type?.kind === 'path' && KEEPERS.test(type.name);
  });
}

/** The `impl` blocks that the function stands in. */
function blocksAround(file: FileIr, fn: FunctionIr): FileIr['impls'] {
  return file.impls.filter((b) => b.span.start <= fn.span.start && fn.span.end <= b.span.end);
}

function isEmpty({ bodySpan, body }: FunctionIr): boolean {
  if (bodySpan && bodySpan.end - bodySpan.start <= 3) return true;
  return body !== undefined && body.statements.length === 0 && body.result === undefined;
}

function isCopied(bounds: readonly string[]): boolean {
  return bounds.some((b) => /(?:^|\W)(?:Copy|Pod|NoUninit|AnyBitPattern|Zeroable|Primitive|Num)\b/u.test(b));
}

function isDerived(attributes: FunctionIr['attributes'], name: string): boolean {
  return attributes.some((a) => a.name === 'derive' && (a.args ?? '').split(/\W+/u).includes(name));
}

/** Whether elements of a value of the type are dropped with it. */
export function isContainer(type: TypeRef | undefined): boolean {
  return type?.kind === 'static-array' || (type?.kind === 'path' && /^(?:Vec|VecDeque|Box)$/u.test(type.name));
}

/** Whether a value of the type frees a block of its own; a count may be raised before. */
export function ownsItsBlock(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && ownsBlock(type) && type.name !== 'Rc' && type.name !== 'Arc';
}
