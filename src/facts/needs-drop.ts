import type { FileIr, TypeRef } from '../model/ir.js';
import { hasDrop } from './declarations.js';
import type { UnitFacts } from './unit.js';

const plain =
  /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|str|Atomic\w+|PhantomData|ManuallyDrop|MaybeUninit|NonNull|Instant|Duration|ThreadId|TypeId|NonZero\w*|Ordering)$/;
const wrappers = new Set([
  'Cell',
  'RefCell',
  'UnsafeCell',
  'Option',
  'OnceCell',
  'LazyCell',
  'Mutex',
  'RwLock',
  'Wrapping',
  'Reverse',
]);
const owners = new Set(
  'Vec VecDeque String Box Rc Arc HashMap HashSet BTreeMap BTreeSet FxHashMap FxHashSet IndexMap AHashMap DashMap Sender Receiver JoinHandle PathBuf OsString CString File TcpStream Runtime Weak SmallVec'.split(
    ' ',
  ),
);

/** Whether a value of the type runs code when it is dropped, as far as the unit shows; types of other crates are not guessed. */
export function needsDrop(unit: UnitFacts, file: FileIr, type: TypeRef, depth = 0): boolean {
  if (depth > 6) return false;
  switch (type.kind) {
    case 'reference':
    case 'pointer':
    case 'function':
      return false;
    case 'tuple':
    case 'static-array':
    case 'slice':
      return [...type.args, ...(type.element === undefined ? [] : [type.element])].some((inner) =>
        needsDrop(unit, file, inner, depth + 1),
      );
    case 'path':
      break;
    default:
      return false;
  }
  if (plain.test(type.name)) return false;
  if (owners.has(type.name)) return true;
  if (wrappers.has(type.name)) return type.args.some((inner) => needsDrop(unit, file, inner, depth + 1));
  if (hasDrop(unit, type.name)) return true;
  const all = unit.typesNamed(type.name, 'rust');
  const declared = all.find((one) => one.file.path === file.path) ?? (all.length === 1 ? all[0] : undefined);
  if (declared === undefined) return false;
  const { item } = declared;
  const inner = [
    ...(item.alias === undefined ? [] : [item.alias]),
    ...item.fields.flatMap((field) => (field.type === undefined ? [] : [field.type])),
  ];
  return inner.some((one) => needsDrop(unit, declared.file, one, depth + 1));
}
