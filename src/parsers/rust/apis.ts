import { suffixRelease, type ApiRow, type Effect, type Operand } from '../../flow/api.js';
import { CELLS } from '../../flow/builtin-types.js';

/*
 * What calls of the standard library, of well-known crates and of Node-API do to what they are given. Each row is one line of
 * `fixtures/facts/rust/apis.rs`, which proves that it is found there.
 */

type Growth = Extract<Effect, { kind: 'grow' }>['how'];
type View = Extract<Effect, { kind: 'borrow' }>['as'];

/** Sequences that move their elements when they grow. `ArrayVec` and its like never do. */
const SEQUENCES = [
  'Vec',
  'String',
  'VecDeque',
  'SmallVec',
  'ThinVec',
  'TinyVec',
  'BytesMut',
  'OsString',
  'PathBuf',
  'BinaryHeap',
  'IndexVec',
  'BString',
  'CompactString',
  'Slab',
  'ArenaVec',
  'AVec',
];
const MAPS = [
  'HashMap',
  'BTreeMap',
  'HashSet',
  'BTreeSet',
  'IndexMap',
  'IndexSet',
  'FxHashMap',
  'FxHashSet',
  'FxIndexMap',
  'FxIndexSet',
  'AHashMap',
  'AHashSet',
  'SlotMap',
  'DenseSlotMap',
  'LruCache',
  'LinkedHashMap',
];
const GROWABLE = [...SEQUENCES, ...MAPS];
/** Whatever lies in one piece, growable or not. */
const CONTIGUOUS = [
  ...SEQUENCES,
  '[]',
  '[N]',
  'str',
  'Box',
  'Rc',
  'Arc',
  'Bytes',
  'CString',
  'CStr',
  'ArrayVec',
  'ArrayString',
  'Buffer',
  'Uint8Array',
  'BufferSlice',
  'Mmap',
  'MmapMut',
];
const MAPPED = [...MAPS, 'DashMap'];

const grow = (how: Growth, target: Operand = 'receiver'): Effect => ({ kind: 'grow', target, how });
/** As `grow`, and what is added is read out of what the call is given. */
const growBy = (how: Growth): Effect => ({ kind: 'grow', target: 'receiver', how, reads: true });
const store = (what: Operand, into: Operand = 'receiver'): Effect => ({ kind: 'store', what, into });
const borrow = (as: View, from: Operand = 'receiver', element?: boolean): Effect => ({
  kind: 'borrow',
  from,
  as,
  ...(element === undefined ? {} : { element }),
});
const pass = (from: Operand = 'receiver'): Effect => ({ kind: 'pass', from });
/** As `pass`, and the parameter is a raw pointer: a reference becomes one. */
const passRaw = (from: Operand): Effect => ({ kind: 'pass', from, raw: true });
/** The result is what was behind the reference: it ends where the result does. */
const takeOut = (out: Operand): Effect => ({ kind: 'acquire', as: 'heap', out });
const copy = (from: Operand = 'receiver'): Effect => ({ kind: 'copy', from });
const erase = (from: Operand): Effect => ({ kind: 'erase', from });

function method(
  id: string,
  name: string,
  effects: readonly Effect[],
  rest: Partial<Omit<ApiRow, 'id' | 'match' | 'effects'>> = {},
): ApiRow {
  return { id, match: { method: name }, effects, ...rest };
}

function path(
  id: string,
  name: string,
  effects: readonly Effect[],
  rest: Partial<Omit<ApiRow, 'id' | 'match' | 'effects'>> = {},
): ApiRow {
  return { id, match: { path: name }, effects, ...rest };
}

/** One row per method name with the same effects, named `<prefix>-<method>`. */
function each(
  prefix: string,
  names: string,
  effects: readonly Effect[],
  rest: Partial<Omit<ApiRow, 'id' | 'match' | 'effects'>> = {},
): ApiRow[] {
  return names.split(' ').map((name) => method(`${prefix}-${name.replace(/_/g, '-')}`, name, effects, rest));
}

const growth: readonly ApiRow[] = [
  ...each('sequence', 'push push_back push_front', [grow('append'), store(0)], { receiver: SEQUENCES }),
  ...each('sequence', 'push_str extend_from_slice put_slice write_str', [growBy('append')], { receiver: SEQUENCES }),
  ...each('sequence', 'push_within_capacity extend_from_within put_u8 put_bytes write_char', [grow('append')], {
    receiver: SEQUENCES,
  }),
  method('sequence-append', 'append', [grow('append'), grow('clear', 0)], { receiver: SEQUENCES }),
  method('map-append', 'append', [grow('rehash'), grow('clear', 0)], { receiver: MAPS }),
  method('collection-extend', 'extend', [growBy('append'), store(0)], { receiver: GROWABLE }),
  method('sequence-insert', 'insert', [grow('insert'), store(1)], { receiver: SEQUENCES }),
  method('sequence-insert-str', 'insert_str', [growBy('insert')], { receiver: SEQUENCES }),
  method('map-insert', 'insert', [grow('rehash'), store(0), store(1)], { receiver: MAPS }),
  method('map-entry', 'entry', [grow('rehash'), borrow('reference')], { receiver: MAPS, note: 'or_insert follows' }),
  ...each('sequence', 'resize resize_with', [grow('resize')], { receiver: SEQUENCES }),
  ...each('collection', 'reserve reserve_exact try_reserve try_reserve_exact', [grow('reserve')], {
    receiver: GROWABLE,
  }),
  ...each('spilled', 'grow try_grow', [grow('reserve')], { receiver: ['SmallVec'], whenUnknown: 'skip' }),
  ...each('spilled', 'insert_many insert_from_slice', [growBy('insert')], {
    receiver: ['SmallVec'],
    whenUnknown: 'skip',
  }),
  ...each('collection', 'shrink_to_fit shrink_to', [grow('shrink')], { receiver: GROWABLE }),
  method('sequence-into-boxed-slice', 'into_boxed_slice', [grow('shrink'), pass()], { receiver: SEQUENCES }),
  method('collection-clear', 'clear', [grow('clear')], { receiver: GROWABLE }),
  ...each(
    'collection',
    'remove swap_remove shift_remove pop pop_back pop_front pop_first pop_last truncate drain retain split_off dedup dedup_by_key splice remove_entry',
    [grow('remove')],
    { receiver: GROWABLE },
  ),
  method('deque-make-contiguous', 'make_contiguous', [grow('rehash'), borrow('slice')], { receiver: ['VecDeque'] }),
  method('clone-from', 'clone_from', [grow('replace')]),
  {
    id: 'string-add-assign',
    match: { assign: '+=' },
    receiver: ['String', 'OsString', 'Cow'],
    whenUnknown: 'skip',
    effects: [grow('append')],
  },
  path('mem-replace', 'mem::replace', [takeOut(0), grow('replace', 0), store(1, 0)]),
  path('mem-take', 'mem::take', [takeOut(0), grow('replace', 0)]),
  path('mem-swap', 'mem::swap', [grow('replace', 0), grow('replace', 1)]),
  path('ptr-write', 'ptr::write', [store(1, 0)]),
  method('pointer-write', 'write', [store(0)], { receiver: ['*', 'pointer', 'NonNull'], whenUnknown: 'skip' }),
];

const UNINIT = { receiver: ['MaybeUninit'], whenUnknown: 'skip', nullary: true } as const;

const views: readonly ApiRow[] = [
  ...each('view', 'as_ptr as_mut_ptr', [borrow('raw-pointer', 'receiver', true)], { nullary: true }),
  ...each(
    'view',
    'as_ptr_range as_mut_ptr_range as_non_null_ptr as_non_null data_ptr as_raw_ptr',
    [borrow('raw-pointer')],
    { nullary: true },
  ),
  ...each(
    'view',
    'as_slice as_mut_slice as_bytes as_bytes_mut as_bytes_with_nul to_bytes to_bytes_with_nul as_str as_mut_str as_os_str as_path as_c_str spare_capacity_mut as_mut_vec',
    [borrow('slice')],
  ),
  ...each('view', 'to_str to_string_lossy', [borrow('slice')], {
    receiver: ['CStr', 'CString', 'OsStr', 'OsString', 'Path', 'PathBuf'],
  }),
  ...each('view', 'deref deref_mut as_deref as_deref_mut get_ref', [borrow('reference')]),
  ...each('view', 'as_ref as_mut', [borrow('reference')], { note: 'Option, Pin and NonNull have rows of their own' }),
  ...each('option', 'as_ref as_mut as_pin_mut', [pass()], {
    receiver: ['Option', 'Result', 'Pin'],
    whenUnknown: 'skip',
  }),
  ...each('iterate', 'iter iter_mut par_iter par_iter_mut', [borrow('iterator', 'receiver', true)]),
  ...each(
    'iterate',
    'chars char_indices bytes lines split rsplit splitn split_terminator split_whitespace matches match_indices keys values values_mut chunks chunks_exact windows components',
    [borrow('iterator', 'receiver', true)],
    { receiver: [...CONTIGUOUS, ...MAPPED] },
  ),
  ...each('element', 'get get_mut', [borrow('reference', 'receiver', true)], { receiver: [...CONTIGUOUS, ...MAPPED] }),
  ...each(
    'element',
    'first first_mut last last_mut front front_mut back back_mut peek peek_mut',
    [borrow('reference', 'receiver', true)],
    { receiver: [...CONTIGUOUS, ...MAPPED] },
  ),
  ...each('element', 'get_unchecked get_unchecked_mut', [borrow('reference', 'receiver', true)]),
  ...each(
    'element',
    'split_at split_at_mut split_first split_first_mut split_last split_last_mut as_slices as_mut_slices',
    [borrow('slice', 'receiver', true)],
    { receiver: CONTIGUOUS },
  ),
  method('option-take', 'take', [{ kind: 'acquire', as: 'heap', out: 'receiver' }], {
    receiver: ['Option'],
    whenUnknown: 'skip',
  }),
  ...each('once', 'get_or_init get_or_insert_with get_or_insert', [{ kind: 'call-now', what: 0 }, borrow('reference')]),
  method('cell-pointer', 'get', [{ kind: 'borrow', from: 'receiver', as: 'raw-pointer', cell: true }], {
    receiver: ['UnsafeCell', 'SyncUnsafeCell'],
    whenUnknown: 'skip',
  }),
  ...each('cell', 'as_ptr as_mut_ptr', [borrow('raw-pointer')], { receiver: CELLS, whenUnknown: 'skip' }),
  method('cell-copy', 'get', [copy()], { receiver: ['Cell'], whenUnknown: 'skip' }),
  ...each('uninit', 'assume_init_ref assume_init_mut', [borrow('reference')]),
  ...each('uninit', 'assume_init assume_init_read', [{ kind: 'take', from: 'receiver' }], UNINIT),
  ...each('uninit', 'assume_init_drop', [{ kind: 'take', from: 'receiver', isDropped: true }], UNINIT),
  path('shared-as-ptr', 'Rc::as_ptr', [borrow('raw-pointer', 0)]),
  path('atomic-shared-as-ptr', 'Arc::as_ptr', [borrow('raw-pointer', 0)]),
  path('box-as-ptr', 'Box::as_ptr', [borrow('raw-pointer', 0)]),
  path('box-as-mut-ptr', 'Box::as_mut_ptr', [borrow('raw-pointer', 0)]),
  path('ptr-from-ref', 'ptr::from_ref', [borrow('raw-pointer', 0, false)]),
  path('ptr-from-mut', 'ptr::from_mut', [borrow('raw-pointer', 0, false)]),
  path('non-null-from', 'NonNull::from', [borrow('raw-pointer', 0, false)]),
  path('non-null-from-ref', 'NonNull::from_ref', [borrow('raw-pointer', 0, false)]),
  path('non-null-from-mut', 'NonNull::from_mut', [borrow('raw-pointer', 0, false)]),
  path('string-from-utf8-lossy', 'String::from_utf8_lossy', [borrow('slice', 0)]),
  path('slice-from-ref', 'slice::from_ref', [borrow('slice', 0)]),
  path('slice-from-mut', 'slice::from_mut', [borrow('slice', 0)]),
];

const passes: readonly ApiRow[] = [
  ...each(
    'pass',
    'unwrap expect unwrap_or unwrap_or_default unwrap_unchecked ok ok_or ok_or_else unwrap_or_else map_err context with_context flatten transpose',
    [pass()],
  ),
  ...each(
    'pass',
    'cast cast_mut cast_const add sub offset wrapping_add wrapping_sub wrapping_offset byte_add byte_sub byte_offset with_addr map_addr',
    [pass()],
    { receiver: ['*', 'NonNull', 'pointer'] },
  ),
  ...each('pass', 'into try_into by_ref', [pass()]),
  ...each('pass', 'rev enumerate skip step_by peekable fuse chain next next_back nth', [pass()], {
    note: 'an iterator over what the receiver iterates over',
  }),
  method('pass-zip', 'zip', [{ kind: 'pass', from: 'receiver', beside: 0 }]),
  ...each('pass', 'collect', [pass()], {
    note: 'pointers made by a closure stay what they are; elements by value carry nothing',
  }),
  ...each('pin', 'get_unchecked_mut map_unchecked_mut get_mut', [pass()], { receiver: ['Pin'], whenUnknown: 'skip' }),
  path('box-new', 'Box::new', [pass(0)]),
  path('box-pin', 'Box::pin', [pass(0)]),
  path('pin-new', 'Pin::new', [pass(0)]),
  path('pin-new-unchecked', 'Pin::new_unchecked', [pass(0)]),
  path('non-null-new', 'NonNull::new', [passRaw(0)]),
  path('non-null-new-unchecked', 'NonNull::new_unchecked', [passRaw(0)]),
  method('non-null-as-ptr', 'as_ptr', [pass()], { receiver: ['NonNull'], whenUnknown: 'skip' }),
  path('slice-pointer', 'ptr::slice_from_raw_parts', [passRaw(0)]),
  path('slice-pointer-mut', 'ptr::slice_from_raw_parts_mut', [passRaw(0)]),
  path('non-null-slice', 'NonNull::slice_from_raw_parts', [pass(0)]),
  path('from-utf8', 'str::from_utf8', [pass(0)]),
  path('os-str-from-bytes', 'OsStr::from_bytes', [pass(0)]),
  path('os-str-new', 'OsStr::new', [pass(0)]),
  path('path-new', 'Path::new', [pass(0)]),
  path('cstr-from-bytes', 'CStr::from_bytes_with_nul', [pass(0)]),
  path('cstr-from-bytes-unchecked', 'CStr::from_bytes_with_nul_unchecked', [pass(0)]),
  path('from-utf8-unchecked', 'str::from_utf8_unchecked', [pass(0)]),
  path('from-utf8-unchecked-mut', 'str::from_utf8_unchecked_mut', [pass(0)]),
  path('atomic-ptr-new', 'AtomicPtr::new', [passRaw(0)]),
  path('manually-drop-into-inner', 'ManuallyDrop::into_inner', [pass(0)]),
  path('black-box', 'black_box', [pass(0)]),
  path('convert-identity', 'identity', [pass(0)]),
  { id: 'pin-macro', match: { macro: 'pin!' }, effects: [pass(0)] },
  { id: 'dbg-macro', match: { macro: 'dbg!' }, effects: [pass(0)] },
];

const erasures: readonly ApiRow[] = [
  path('transmute', 'transmute', [erase(0)]),
  path('transmute-copy', 'transmute_copy', [{ kind: 'erase', from: 0, through: true }]),
  path('slice-from-raw-parts', 'slice::from_raw_parts', [erase(0)]),
  path('slice-from-raw-parts-mut', 'slice::from_raw_parts_mut', [erase(0)]),
  path('bare-from-raw-parts', 'from_raw_parts', [erase(0)]),
  path('bare-from-raw-parts-mut', 'from_raw_parts_mut', [erase(0)]),
  path('cstr-from-ptr', 'CStr::from_ptr', [erase(0)]),
  path('pin-get-unchecked', 'Pin::get_unchecked_mut', [pass(0)]),
  ...each('pointer', 'as_ref as_mut as_ref_unchecked as_mut_unchecked as_uninit_ref', [erase('receiver')], {
    receiver: ['*', 'pointer', 'NonNull'],
    whenUnknown: 'skip',
  }),
];

const copies: readonly ApiRow[] = [
  ...each(
    'copy',
    'to_vec to_owned to_string clone cloned copied into_owned to_path_buf to_os_string to_lowercase to_uppercase to_ascii_lowercase to_ascii_uppercase into_string repeat concat read_unaligned read_volatile len is_empty',
    [copy()],
  ),
  ...each('text', 'replace replacen', [copy()], { receiver: ['str', 'String'], whenUnknown: 'skip' }),
  ...each('converted', 'into_bytes into_bytes_with_nul into_boxed_str', [{ kind: 'acquire', as: 'heap' }], {
    receiver: ['String', 'CString', 'OsString', 'PathBuf'],
    whenUnknown: 'skip',
    note: 'the same block under another type: what a variable of it shows ends with the new value',
  }),
  path('string-from', 'String::from', [copy(0)]),
  path('vec-from', 'Vec::from', [copy(0)]),
  path('box-from', 'Box::from', [copy(0)]),
  path('bytes-copy-from-slice', 'Bytes::copy_from_slice', [copy(0)]),
  path('cstring-new', 'CString::new', [copy(0)]),
  path('ptr-read', 'ptr::read', [{ kind: 'duplicate', from: 0 }]),
  method('pointer-read', 'read', [{ kind: 'duplicate', from: 'receiver' }], {
    receiver: ['*', 'pointer', 'NonNull'],
    whenUnknown: 'skip',
    nullary: true,
  }),
  path('buffer-from', 'Buffer::from', [copy(0)], { note: 'from a Vec it takes the storage, from a slice it copies' }),
  path('copy-nonoverlapping', 'ptr::copy_nonoverlapping', [copy(0)]),
  { id: 'format-macro', match: { macro: 'format!' }, effects: [{ kind: 'acquire', as: 'heap' }] },
  { id: 'vec-macro', match: { macro: 'vec!' }, effects: [{ kind: 'acquire', as: 'heap' }] },
];

const releases: readonly ApiRow[] = [
  path('libc-free', 'free', [{ kind: 'release', target: 0, by: 'free', foreign: true }]),
  path('sqlite3-finalize', 'sqlite3_finalize', [{ kind: 'release', target: 0, by: 'sqlite3_finalize', foreign: true }]),
  path('dealloc', 'dealloc', [{ kind: 'release', target: 0, by: 'dealloc' }]),
  path('drop-in-place', 'drop_in_place', [{ kind: 'release', target: 0, by: 'drop_in_place' }]),
  method('pointer-drop-in-place', 'drop_in_place', [{ kind: 'release', target: 'receiver', by: 'drop_in_place' }], {
    nullary: true,
  }),
  path('manually-drop-drop', 'ManuallyDrop::drop', [{ kind: 'drop', target: 0 }]),
  path('decrement-strong-count', 'Arc::decrement_strong_count', [
    { kind: 'release', target: 0, by: 'Arc::decrement_strong_count' },
  ]),
  path('rc-decrement-strong-count', 'Rc::decrement_strong_count', [
    { kind: 'release', target: 0, by: 'Rc::decrement_strong_count' },
  ]),
  path('manually-drop-take', 'ManuallyDrop::take', [{ kind: 'take', from: 0 }]),
  path('drop', 'drop', [{ kind: 'drop', target: 0 }]),
  // `CRYPTO_free(block, file, line)` has the most arguments of those that release their first.
  ...['_free', '_destroy', '_delete'].map((suffix) => suffixRelease(suffix, 3)),
  // What is closed and then freed (`stream_close`, `stream_free`) goes on until it is freed.
  {
    ...suffixRelease('_close', 1),
    unlessBeside: ['_free', '_destroy', '_delete', '_release', '_unref', '_dispose', '_deinit', '_cleanup', '_put'],
  },
  path('realloc', 'realloc', [
    grow('resize', 0),
    { kind: 'release', target: 0, by: 'realloc' },
    { kind: 'acquire', as: 'malloc' },
  ]),
  path('munmap', 'munmap', [{ kind: 'release', target: 0, by: 'munmap', foreign: true }]),
  // What is looked up in a library is in it.
  path('dlsym', 'dlsym', [pass(0)]),
  path('get-proc-address', 'GetProcAddress', [pass(0)]),
  path('dlclose', 'dlclose', [{ kind: 'release', target: 0, by: 'dlclose', foreign: true }]),
  path('free-library', 'FreeLibrary', [{ kind: 'release', target: 0, by: 'FreeLibrary', foreign: true }]),
  path('fclose', 'fclose', [{ kind: 'release', target: 0, by: 'fclose', foreign: true }]),
  path('closedir', 'closedir', [{ kind: 'release', target: 0, by: 'closedir', foreign: true }]),
  path('malloc', 'malloc', [{ kind: 'acquire', as: 'malloc' }]),
  path('calloc', 'calloc', [{ kind: 'acquire', as: 'malloc' }]),
  path('strdup', 'strdup', [{ kind: 'acquire', as: 'malloc' }]),
  path('alloc', 'alloc::alloc', [{ kind: 'acquire', as: 'malloc' }]),
  path('alloc-zeroed', 'alloc::alloc_zeroed', [{ kind: 'acquire', as: 'malloc' }]),
];

/** Types whose storage can be turned into a raw pointer and back. */
const RAW_OWNERS = ['Box', 'CString', 'Rc', 'Arc', 'Weak'];

const ownership: readonly ApiRow[] = [
  path('mem-forget', 'mem::forget', [{ kind: 'forget', target: 0 }]),
  path('bare-forget', 'forget', [{ kind: 'forget', target: 0 }]),
  path('manually-drop-new', 'ManuallyDrop::new', [{ kind: 'forget', target: 0 }]),
  path('box-leak', 'Box::leak', [{ kind: 'forget', target: 0, rawType: 'Box' }]),
  path('vec-leak', 'Vec::leak', [{ kind: 'forget', target: 0, rawType: 'Vec' }]),
  path('string-leak', 'String::leak', [{ kind: 'forget', target: 0, rawType: 'String' }]),
  method('leak', 'leak', [{ kind: 'forget', target: 'receiver' }]),
  method('into-raw', 'into_raw', [{ kind: 'forget', target: 'receiver' }]),
  method('into-raw-parts', 'into_raw_parts', [{ kind: 'forget', target: 'receiver' }]),
  ...RAW_OWNERS.map((owner) =>
    path(`${owner.toLowerCase()}-into-raw`, `${owner}::into_raw`, [{ kind: 'forget', target: 0, rawType: owner }]),
  ),
  path('box-into-non-null', 'Box::into_non_null', [{ kind: 'forget', target: 0, rawType: 'Box' }]),
  ...RAW_OWNERS.map((owner) =>
    path(`${owner.toLowerCase()}-from-raw`, `${owner}::from_raw`, [{ kind: 'adopt', from: 0, rawType: owner }]),
  ),
  path('box-from-raw-in', 'Box::from_raw_in', [{ kind: 'adopt', from: 0, rawType: 'Box' }]),
  path('box-from-non-null', 'Box::from_non_null', [{ kind: 'adopt', from: 0, rawType: 'Box' }]),
  path('vec-from-raw-parts', 'Vec::from_raw_parts', [{ kind: 'adopt', from: 0, rawType: 'Vec' }]),
  path('string-from-raw-parts', 'String::from_raw_parts', [{ kind: 'adopt', from: 0, rawType: 'String' }]),
];

const onThread: Effect = { kind: 'spawn', what: 0, on: 'thread' };
const onPool: Effect = { kind: 'spawn', what: 0, on: 'pool' };
const asTask: Effect = { kind: 'spawn', what: 0, on: 'task' };
const onBlockingPool: Effect = { kind: 'spawn', what: 0, on: 'blocking-pool' };
const callNow = (what: Operand = 0): Effect => ({ kind: 'call-now', what });

const concurrency: readonly ApiRow[] = [
  path('thread-spawn', 'thread::spawn', [onThread]),
  path('bare-spawn', 'spawn', [asTask], { note: 'tokio, napi and most executors; std has a row of its own' }),
  path('rayon-spawn', 'rayon::spawn', [onPool]),
  path('rayon-spawn-fifo', 'rayon::spawn_fifo', [onPool]),
  path('spawn-blocking', 'spawn_blocking', [onBlockingPool]),
  path('spawn-local', 'spawn_local', [asTask]),
  path('async-task-new', 'AsyncTask::new', [onPool], { note: "napi: 'compute' runs on the libuv pool" }),
  path('async-task-signal', 'AsyncTask::with_signal', [onPool]),
  path('async-block-builder', 'AsyncBlockBuilder::new', [asTask]),
  path('thread-scope', 'thread::scope', [callNow(), { kind: 'wait' }]),
  path('rayon-scope', 'rayon::scope', [callNow(), { kind: 'wait' }]),
  path('rayon-join', 'rayon::join', [callNow(0), callNow(1), { kind: 'wait' }]),
  path('block-in-place', 'block_in_place', [callNow()]),
  path('catch-unwind', 'catch_unwind', [callNow()]),
  method('builder-spawn', 'spawn', [onThread], { receiver: ['Builder'], whenUnknown: 'skip' }),
  method('scope-spawn', 'spawn', [{ kind: 'spawn', what: 0, on: 'thread', scoped: true }], {
    receiver: ['Scope'],
    whenUnknown: 'skip',
  }),
  method('runtime-spawn', 'spawn', [asTask], {
    receiver: ['Runtime', 'Handle', 'JoinSet', 'LocalSet', 'TaskTracker', 'Executor', 'TokioRuntime'],
  }),
  method('pool-spawn', 'spawn', [onPool], { receiver: ['ThreadPool', 'ThreadPoolBuilder'], whenUnknown: 'skip' }),
  method('env-spawn', 'spawn', [onPool], { receiver: ['Env'], whenUnknown: 'skip', note: 'napi: takes a Task' }),
  method('pool-install', 'install', [callNow()], { receiver: ['ThreadPool'] }),
  method('pool-execute', 'execute', [onPool], { receiver: ['ThreadPool'] }),
  method('runtime-spawn-blocking', 'spawn_blocking', [onBlockingPool]),
  method('set-spawn-local', 'spawn_local', [asTask]),
  method('env-spawn-future', 'spawn_future', [asTask]),
  method('env-spawn-future-callback', 'spawn_future_with_callback', [asTask]),
  method('env-execute-tokio-future', 'execute_tokio_future', [asTask]),
  method('runtime-block-on', 'block_on', [{ kind: 'wait' }]),
  path('block-on', 'block_on', [{ kind: 'wait' }]),
  // Polled in a loop until the other side is done.
  method('task-is-finished', 'is_finished', [{ kind: 'wait' }], { nullary: true }),
  method('thread-join', 'join', [{ kind: 'wait' }], { receiver: ['JoinHandle', 'ScopedJoinHandle', 'Thread'] }),
  ...each('wait', 'recv blocking_recv recv_timeout join_all join_next', [{ kind: 'wait' }]),
  ...each('wait', 'wait wait_while', [{ kind: 'wait', guard: 0 }]),
  method('channel-send', 'send', [onThread], {
    receiver: ['Sender', 'SyncSender', 'UnboundedSender', 'BroadcastSender'],
    whenUnknown: 'skip',
  }),
  method('channel-blocking-send', 'blocking_send', [onThread]),
  ...each('lock', 'lock try_lock blocking_lock lock_arc', [{ kind: 'lock', target: 'receiver', returnsGuard: true }]),
  ...each(
    'lock',
    'read write try_read try_write upgradable_read blocking_read blocking_write',
    [{ kind: 'lock', target: 'receiver', returnsGuard: true }],
    {
      receiver: ['RwLock'],
      whenUnknown: 'skip',
    },
  ),
  ...each(
    'refcell',
    'borrow borrow_mut try_borrow try_borrow_mut',
    [{ kind: 'lock', target: 'receiver', returnsGuard: true }],
    { receiver: ['RefCell'] },
  ),
];

/** Adapters that run their closure before they return, or lazily but on what they were given. */
const adapters: readonly ApiRow[] = [
  ...each(
    'now',
    'map and_then filter_map flat_map inspect is_some_and is_ok_and is_none_or find_map any all position then map_while take_while skip_while partition sort_by sort_by_key sort_unstable_by sort_unstable_by_key with with_borrow with_borrow_mut with_mut or_else scan reduce binary_search_by call_once run_in_scope',
    [callNow()],
  ),
  ...each('now', 'for_each try_for_each fold try_fold', [{ kind: 'call-now', what: 0, rounds: true }]),
  ...each('now', 'find rfind filter max_by_key min_by_key', [callNow(), pass()], {
    note: 'the elements that the closure chooses are those of the receiver',
  }),
  ...each('now', 'or_insert_with or_insert_with_key and_modify', [callNow(), pass()], {
    note: 'an entry leads to its slot in the map',
  }),
  method('now-map-or', 'map_or', [callNow(1), pass(0)]),
  method('now-map-or-else', 'map_or_else', [callNow(0), callNow(1)]),
  path('array-from-fn', 'array::from_fn', [callNow()]),
  path('iter-from-fn', 'iter::from_fn', [callNow()]),
];

const stores: readonly ApiRow[] = [
  ...each('store', 'set store swap replace', [store(0)], {
    receiver: ['AtomicPtr', 'Cell', 'OnceCell', 'OnceLock', 'Option', 'RefCell', 'ArcSwap', 'ArcSwapOption'],
  }),
  method('compare-exchange', 'compare_exchange', [store(1)], { receiver: ['AtomicPtr'] }),
  method('map-or-insert', 'or_insert', [store(0), pass()]),
  ...each('map', 'or_default insert_entry into_mut', [pass()]),
  method('option-insert', 'insert', [store(0), borrow('reference')], { receiver: ['Option'], whenUnknown: 'skip' }),
];

const retain = (what: number, by: string): Effect => ({ kind: 'retain', what, by });

/** Functions of systems and of well-known libraries that keep the data of a callback, a thread or a window, with its place. */
const KEPT_DATA: readonly (readonly [names: string, what: number])[] = [
  ['QueueUserWorkItem TrySubmitThreadpoolCallback CreateThreadpoolWork CreateThreadpoolTimer CreateThreadpoolWait', 1],
  ['SetWindowLongPtrW SetWindowLongPtrA SetWindowLongW SetPropW SetPropA', 2],
  ['CreateThread SetWindowSubclass CreateTimerQueueTimer RegisterWaitForSingleObject timeSetEvent midiInOpen', 3],
  ['waveInOpen waveOutOpen', 4],
  ['dispatch_async_f CGDisplayRegisterReconfigurationCallback CFNotificationCenterAddObserver', 1],
  ['dispatch_after_f IOHIDManagerRegisterDeviceMatchingCallback AudioDeviceCreateIOProcID MIDIClientCreate', 2],
  ['AudioObjectAddPropertyListener MIDIInputPortCreate', 3],
  ['IOServiceAddMatchingNotification IOHIDDeviceRegisterInputReportCallback', 4],
  ['CGEventTapCreate', 5],
  ['g_idle_add SDL_AddEventWatch glfwSetWindowUserPointer', 1],
  ['g_timeout_add g_thread_new g_object_set_data SDL_AddTimer SDL_CreateThread', 2],
  ['g_signal_connect_data g_io_add_watch', 3],
  ['Pa_OpenStream libusb_hotplug_register_callback', 7],
  ['sqlite3_update_hook sqlite3_commit_hook sqlite3_rollback_hook sqlite3_busy_handler sqlite3_set_authorizer', 2],
  ['sqlite3_progress_handler sqlite3_trace_v2', 3],
];
/** Those that copy a record and keep what it points to. */
const KEPT_RECORDS: readonly (readonly [names: string, what: number])[] = [
  ['CFRunLoopSourceCreate FSEventStreamCreate', 2],
  ['SCDynamicStoreCreate', 3],
  ['CFRunLoopObserverCreate', 5],
  ['CFRunLoopTimerCreate', 6],
];
const keeps = (name: string, what: number, contents?: true): ApiRow => ({
  id: `kept-${name.replace(/_/g, '-').toLowerCase()}`,
  match: { path: name },
  effects: [{ kind: 'retain', what, by: name, isUnfinalized: true, ...(contents ? { contents } : {}) }],
});

/** Node-API and C functions that keep what they are given, by position. */
const registrations: readonly ApiRow[] = [
  path('napi-create-reference', 'napi_create_reference', [{ kind: 'root', what: 1 }]),
  path('napi-reference-ref', 'napi_reference_ref', [{ kind: 'root', what: 1 }]),
  path('napi-reference-unref', 'napi_reference_unref', [{ kind: 'unroot', what: 1 }]),
  path('napi-delete-reference', 'napi_delete_reference', [{ kind: 'unroot', what: 1 }]),
  path('napi-wrap', 'napi_wrap', [retain(2, 'napi_wrap'), retain(4, 'napi_wrap')]),
  path('napi-create-external', 'napi_create_external', [
    retain(1, 'napi_create_external'),
    retain(3, 'napi_create_external'),
  ]),
  path('napi-create-external-arraybuffer', 'napi_create_external_arraybuffer', [
    retain(1, 'napi_create_external_arraybuffer'),
    retain(4, 'napi_create_external_arraybuffer'),
  ]),
  path('napi-create-external-buffer', 'napi_create_external_buffer', [
    retain(2, 'napi_create_external_buffer'),
    retain(4, 'napi_create_external_buffer'),
  ]),
  path('napi-create-function', 'napi_create_function', [retain(4, 'napi_create_function')], { argumentCount: 6 }),
  // The first headers had no length of the name.
  path('napi-create-function-unsized', 'napi_create_function', [retain(3, 'napi_create_function')], {
    argumentCount: 5,
  }),
  path('napi-create-threadsafe-function', 'napi_create_threadsafe_function', [
    retain(6, 'napi_create_threadsafe_function'),
    retain(8, 'napi_create_threadsafe_function'),
  ]),
  path('napi-create-async-work', 'napi_create_async_work', [retain(5, 'napi_create_async_work')]),
  path('napi-set-instance-data', 'napi_set_instance_data', [
    retain(1, 'napi_set_instance_data'),
    retain(3, 'napi_set_instance_data'),
  ]),
  path('napi-add-finalizer', 'napi_add_finalizer', [retain(2, 'napi_add_finalizer'), retain(4, 'napi_add_finalizer')]),
  path('napi-add-env-cleanup-hook', 'napi_add_env_cleanup_hook', [retain(2, 'napi_add_env_cleanup_hook')]),
  path('napi-add-async-cleanup-hook', 'napi_add_async_cleanup_hook', [retain(2, 'napi_add_async_cleanup_hook')]),
  path('napi-call-threadsafe-function', 'napi_call_threadsafe_function', [retain(1, 'napi_call_threadsafe_function')]),
  path('pthread-join', 'pthread_join', [{ kind: 'wait' }]),
  path('pthread-create', 'pthread_create', [retain(3, 'pthread_create'), { kind: 'spawn', what: 3, on: 'thread' }]),
  path('sqlite3-deserialize', 'sqlite3_deserialize', [retain(2, 'sqlite3_deserialize')]),
  path('node-api-create-external-string-latin1', 'node_api_create_external_string_latin1', [
    retain(1, 'node_api_create_external_string_latin1'),
    retain(4, 'node_api_create_external_string_latin1'),
  ]),
  path('node-api-create-external-string-utf16', 'node_api_create_external_string_utf16', [
    retain(1, 'node_api_create_external_string_utf16'),
    retain(4, 'node_api_create_external_string_utf16'),
  ]),
  // The record is copied; what its data points to is given back with the event.
  path('epoll-ctl', 'epoll_ctl', [{ kind: 'retain', what: 3, by: 'epoll_ctl', contents: true }]),
  path('kevent', 'kevent', [{ kind: 'retain', what: 1, by: 'kevent', contents: true }]),
  path('pthread-setspecific', 'pthread_setspecific', [retain(1, 'pthread_setspecific')]),
  ...KEPT_DATA.flatMap(([names, what]) => names.split(' ').map((name) => keeps(name, what))),
  ...KEPT_RECORDS.flatMap(([names, what]) => names.split(' ').map((name) => keeps(name, what, true))),
  // Objects over memory that is not copied.
  path('cg-data-provider', 'CGDataProviderCreateWithData', [retain(1, 'CGDataProviderCreateWithData')]),
  path('cf-data-no-copy', 'CFDataCreateWithBytesNoCopy', [retain(1, 'CFDataCreateWithBytesNoCopy')]),
  path('cf-bytes-no-copy', 'CFStringCreateWithBytesNoCopy', [retain(1, 'CFStringCreateWithBytesNoCopy')]),
  path('cf-text-no-copy', 'CFStringCreateWithCStringNoCopy', [retain(1, 'CFStringCreateWithCStringNoCopy')]),
  path('py-capsule-new', 'PyCapsule_New', [retain(1, 'PyCapsule_New')]),
  path('py-memory-view', 'PyMemoryView_FromMemory', [retain(0, 'PyMemoryView_FromMemory')]),
  path('zmq-msg-init-data', 'zmq_msg_init_data', [retain(1, 'zmq_msg_init_data')]),
  path('evbuffer-add-reference', 'evbuffer_add_reference', [retain(1, 'evbuffer_add_reference')]),
  // C itself keeps the string.
  path('openlog', 'openlog', [retain(0, 'openlog')]),
  path('putenv', 'putenv', [retain(0, 'putenv')]),
  path('setvbuf', 'setvbuf', [retain(1, 'setvbuf')]),
  ...[
    ['_set_user_data', 1],
    ['_set_userdata', 1],
    ['_set_data', 1],
    ['_set_context', 1],
    ['_set_callback', 2],
    ['_set_handler', 2],
    ['_register_callback', 2],
    ['_add_callback', 2],
    ['_add_listener', 2],
  ].map(([suffix, index]): ApiRow => ({
    id: `suffix${String(suffix).replace(/_/g, '-')}`,
    match: { suffix: String(suffix) },
    effects: [retain(Number(index), String(suffix))],
  })),
  // A library without objects: the function, and its data.
  ...['_set_callback', '_register_callback', '_add_callback'].map((suffix): ApiRow => ({
    id: `suffix${suffix.replace(/_/g, '-')}-alone`,
    match: { suffix, mostArguments: 2 },
    effects: [retain(1, suffix)],
  })),
];

/** Every row for Rust. Ids are unique. */
export const rustApis: readonly ApiRow[] = [
  ...growth,
  ...views,
  ...passes,
  ...erasures,
  ...copies,
  ...releases,
  ...ownership,
  ...concurrency,
  ...adapters,
  ...stores,
  ...registrations,
];
