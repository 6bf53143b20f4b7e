import { suffixRelease, type ApiRow, type Effect, type Operand } from '../../flow/api.js';
import { dContainers } from './storage.js';

/** Containers whose elements move when they grow. */
const moving = dContainers.filter((container) => container.moves).map((container) => container.name);
const appenders = ['Appender', 'RefAppender', 'OutBuffer', 'AllocAppender'];
const locks = [
  'Mutex',
  'ReadWriteMutex',
  'TaskMutex',
  'RecursiveTaskMutex',
  'InterruptibleTaskMutex',
  'SpinLock',
  'Reader',
  'Writer',
];
const allocators = [
  'Mallocator',
  'GCAllocator',
  'AlignedMallocator',
  'IAllocator',
  'RCIAllocator',
  'Region',
  'FreeList',
];

/** A function of the library: called with its subject as first argument, or by UFCS with parentheses. */
function free(id: string, path: string, ...effects: readonly Effect[]): ApiRow {
  return { id, match: { path }, effects };
}

/**
 * A function of the library that is also called as a property, `x.dup`: without parentheses it looks like a member, so it
 * needs a row for the call by name and one for the member. The member's row ends in `-property`.
 */
function either(id: string, name: string, make: (subject: Operand) => readonly Effect[]): readonly ApiRow[] {
  return [
    { id, match: { path: name }, effects: make(0) },
    { id: `${id}-property`, match: { method: name }, effects: make('receiver') },
  ];
}

/** A lazy or eager algorithm over a range: the result looks into the range, the function given to it runs in the call. */
function algorithm(name: string): ApiRow {
  return free(
    `algorithm-${kebab(name)}`,
    name,
    { kind: 'pass', from: 0 },
    { kind: 'call-now', what: 0 },
    { kind: 'call-now', what: 1, elementsOf: 0 },
  );
}

/** An algorithm whose result shares nothing with the range. */
function consumer(name: string): ApiRow {
  return free(
    `algorithm-${kebab(name)}`,
    name,
    { kind: 'call-now', what: 0 },
    { kind: 'call-now', what: 1, elementsOf: 0 },
  );
}

function kebab(name: string): string {
  return name.replaceAll('_', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const growth: readonly ApiRow[] = [
  {
    id: 'append-operator',
    match: { assign: '~=' },
    effects: [{ kind: 'grow', target: 'receiver', how: 'append' }],
    note: 'Also the opOpAssign of Appender, Array and the like.',
  },
  {
    id: 'length-assignment',
    match: { assign: '.length=' },
    effects: [{ kind: 'grow', target: 'receiver', how: 'resize' }],
    note: '`.length = n`, `.length += n` and `.length++`; making it shorter does not move, but appending afterwards does.',
  },
  {
    id: 'reserve-method',
    match: { method: 'reserve' },
    receiver: ['[]', ...moving],
    effects: [{ kind: 'grow', target: 'receiver', how: 'reserve' }],
  },
  free('reserve', 'reserve', { kind: 'grow', target: 0, how: 'reserve' }),
  {
    id: 'assume-safe-append-property',
    match: { method: 'assumeSafeAppend' },
    effects: [{ kind: 'pass', from: 'receiver' }],
    note: 'Moves nothing; the next append overwrites what other slices still see.',
  },
  free('assume-safe-append', 'assumeSafeAppend', { kind: 'pass', from: 0 }),
  ...['insert', 'insertBack', 'stableInsert', 'stableInsertBack', 'insertBefore', 'insertAfter', 'insertFront'].map(
    (method): ApiRow => ({
      id: `container-${kebab(method)}`,
      match: { method },
      receiver: moving,
      effects: [
        { kind: 'grow', target: 'receiver', how: 'insert' },
        { kind: 'store', what: 0, into: 'receiver' },
      ],
    }),
  ),
  ...['removeBack', 'removeAny', 'linearRemove', 'removeFront', 'stableRemoveBack'].map((method): ApiRow => ({
    id: `container-${kebab(method)}`,
    match: { method },
    receiver: dContainers.map((container) => container.name),
    whenUnknown: 'weak',
    effects: [{ kind: 'grow', target: 'receiver', how: 'remove' }],
  })),
  {
    id: 'container-clear',
    match: { method: 'clear' },
    receiver: ['[K]', 'assoc', ...dContainers.map((container) => container.name)],
    effects: [{ kind: 'grow', target: 'receiver', how: 'clear' }],
  },
  {
    id: 'appender-put',
    match: { method: 'put' },
    receiver: appenders,
    effects: [
      { kind: 'grow', target: 'receiver', how: 'append' },
      { kind: 'store', what: 0, into: 'receiver' },
    ],
  },
  {
    id: 'appender-shrink-to',
    match: { method: 'shrinkTo' },
    receiver: appenders,
    effects: [{ kind: 'grow', target: 'receiver', how: 'shrink' }],
  },
  {
    id: 'assoc-remove',
    match: { method: 'remove' },
    receiver: ['[K]', 'assoc', ...dContainers.map((container) => container.name)],
    whenUnknown: 'weak',
    effects: [{ kind: 'grow', target: 'receiver', how: 'remove' }],
  },
  {
    id: 'assoc-rehash',
    match: { method: 'rehash' },
    receiver: ['[K]', 'assoc', 'HashMap', 'HashSet'],
    effects: [{ kind: 'grow', target: 'receiver', how: 'rehash' }],
    note: 'Entries of a built-in associative array keep their place; those of the containers package do not.',
  },
  {
    id: 'array-remove',
    match: { method: 'remove' },
    receiver: ['[]'],
    whenUnknown: 'skip',
    effects: [
      { kind: 'grow', target: 'receiver', how: 'remove' },
      { kind: 'pass', from: 'receiver' },
    ],
    note: 'std.algorithm.mutation.remove shifts the elements behind the removed one.',
  },
  free('insert-in-place', 'insertInPlace', { kind: 'grow', target: 0, how: 'insert' }),
  free('replace-in-place', 'replaceInPlace', { kind: 'grow', target: 0, how: 'replace' }),
  free('swap', 'swap', { kind: 'grow', target: 0, how: 'replace' }, { kind: 'grow', target: 1, how: 'replace' }),
  free('move', 'move', { kind: 'grow', target: 0, how: 'replace' }, { kind: 'pass', from: 0 }),
  ...['realloc', 'pureRealloc'].map((name): ApiRow =>
    free(
      kebab(name),
      name,
      { kind: 'grow', target: 0, how: 'resize' },
      { kind: 'release', target: 0, by: name },
      { kind: 'acquire', as: 'malloc', scanned: false },
    ),
  ),
  free('gc-realloc', 'GC.realloc', { kind: 'grow', target: 0, how: 'resize' }, { kind: 'acquire', as: 'gc' }),
  ...['reallocate', 'alignedReallocate', 'expandArray', 'shrinkArray'].map((method): ApiRow => ({
    id: `allocator-${kebab(method)}`,
    match: { method },
    effects: [{ kind: 'grow', target: 0, how: 'resize' }],
  })),
];

const borrows: readonly ApiRow[] = [
  {
    id: 'ptr',
    match: { method: 'ptr' },
    effects: [{ kind: 'borrow', from: 'receiver', as: 'raw-pointer', element: true }],
  },
  {
    id: 'appender-data',
    match: { method: 'data' },
    receiver: appenders,
    whenUnknown: 'skip',
    effects: [{ kind: 'borrow', from: 'receiver', as: 'slice', element: true }],
  },
  {
    id: 'array-data',
    match: { method: 'data' },
    receiver: ['Array'],
    whenUnknown: 'skip',
    effects: [{ kind: 'borrow', from: 'receiver', as: 'slice', element: true }],
    note: 'Of std.container.array: all elements as a slice.',
  },
  {
    id: 'op-slice',
    match: { method: 'opSlice' },
    effects: [{ kind: 'borrow', from: 'receiver', as: 'slice', element: true }],
  },
  {
    id: 'op-index',
    match: { method: 'opIndex' },
    receiver: moving,
    effects: [{ kind: 'borrow', from: 'receiver', as: 'reference', element: true }],
  },
  {
    id: 'line-front',
    match: { method: 'front' },
    receiver: ['ByLine', 'ByLineImpl', 'ByChunk', 'ByChunkImpl', 'ChunksImpl'],
    whenUnknown: 'skip',
    effects: [{ kind: 'borrow', from: 'receiver', as: 'slice', element: true }],
  },
  {
    id: 'assoc-by-value',
    match: { method: 'byValue' },
    effects: [{ kind: 'borrow', from: 'receiver', as: 'iterator', element: true }],
  },
  {
    id: 'assoc-by-key-value',
    match: { method: 'byKeyValue' },
    effects: [{ kind: 'borrow', from: 'receiver', as: 'iterator', element: true }],
  },
  ...either('by-line', 'byLine', (file) => [{ kind: 'borrow', from: file, as: 'iterator' }]),
  ...either('by-chunk', 'byChunk', (file) => [{ kind: 'borrow', from: file, as: 'iterator' }]),
  ...either('temp-c-string', 'tempCString', () => [{ kind: 'acquire', as: 'malloc', scanned: false }]),
  ...either('from-stringz', 'fromStringz', (text) => [{ kind: 'borrow', from: text, as: 'slice' }]),
];

const passing: readonly ApiRow[] = [
  ...either('assume-unique', 'assumeUnique', (value) => [{ kind: 'erase', from: value }]),
  ...either('representation', 'representation', (value) => [{ kind: 'pass', from: value }]),
  ...either('assume-utf', 'assumeUTF', (value) => [{ kind: 'pass', from: value }]),
  ...either('by-code-unit', 'byCodeUnit', (value) => [{ kind: 'pass', from: value }]),
  ...either('strip', 'strip', (value) => [{ kind: 'pass', from: value }]),
  ...['stripLeft', 'stripRight', 'chomp', 'chompPrefix', 'chop'].flatMap((name) =>
    either(kebab(name), name, (value) => [{ kind: 'pass', from: value }]),
  ),
  // What is written is shown as a slice of the buffer.
  free('sformat', 'sformat', { kind: 'pass', from: 0 }),
  { id: 'raw-read', match: { method: 'rawRead' }, effects: [{ kind: 'pass', from: 0 }] },
  free('base64-encode', 'Base64.encode', { kind: 'pass', from: 1 }),
  free('base64-decode', 'Base64.decode', { kind: 'pass', from: 1 }),
  // Functions of C that give a place in the text or the buffer that they are given.
  ...['strchr', 'strrchr', 'strstr', 'strpbrk', 'memchr', 'strtok', 'fgets', 'getcwd', 'stpcpy'].map((name) =>
    free(name, name, { kind: 'pass', from: 0, reads: true }),
  ),
  // An entry is an object of the open directory.
  free('readdir', 'readdir', { kind: 'pass', from: 0, reads: true }),
  ...either('retro', 'retro', (value) => [{ kind: 'pass', from: value }]),
  ...either('save', 'save', (value) => [{ kind: 'pass', from: value }]),
  ...['splitter', 'split', 'splitLines', 'lineSplitter', 'findSplit', 'findSplitBefore', 'findSplitAfter'].flatMap(
    (name) => either(kebab(name), name, (value) => [{ kind: 'pass', from: value, parts: true }]),
  ),
  ...either('joiner', 'joiner', (value) => [{ kind: 'pass', from: value }]),
  ...['map', 'filter', 'until', 'find', 'chunkBy', 'group', 'uniq', 'cache', 'tee'].map(algorithm),
  ...['takeOne', 'dropOne', 'dropBack', 'dropExactly', 'assumeSorted', 'findAmong', 'filterBidirectional'].map(
    algorithm,
  ),
  ...['take', 'drop', 'takeExactly', 'stride', 'chunks', 'slide', 'enumerate', 'cycle', 'lockstep', 'chain', 'zip'].map(
    algorithm,
  ),
  free('move-emplace', 'moveEmplace', { kind: 'grow', target: 0, how: 'replace' }),
  free('emplace', 'emplace', { kind: 'pass', from: 0 }),
];

const callNow: readonly ApiRow[] = [
  ...['each', 'sort', 'schwartzSort', 'partition', 'reduce', 'fold', 'all', 'any', 'count', 'canFind', 'sum'].map(
    consumer,
  ),
  free('qsort', 'qsort', { kind: 'call-now', what: 3 }),
  { id: 'op-apply', match: { method: 'opApply' }, effects: [{ kind: 'call-now', what: 0 }] },
  {
    id: 'assoc-update',
    match: { method: 'update' },
    receiver: ['[K]', 'assoc'],
    effects: [
      { kind: 'call-now', what: 1 },
      { kind: 'call-now', what: 2 },
    ],
  },
  {
    id: 'assoc-require',
    match: { method: 'require' },
    receiver: ['[K]', 'assoc'],
    effects: [
      { kind: 'call-now', what: 1 },
      { kind: 'element', of: 'receiver' },
    ],
  },
];

const copies: readonly ApiRow[] = [
  { id: 'dup', match: { method: 'dup' }, effects: [{ kind: 'copy', from: 'receiver' }] },
  { id: 'idup', match: { method: 'idup' }, effects: [{ kind: 'copy', from: 'receiver' }] },
  { id: 'to-array', match: { method: 'toArray' }, effects: [{ kind: 'copy', from: 'receiver' }] },
  ...either('array', 'array', (range) => [{ kind: 'copy', from: range }]),
  ...either('text', 'text', (value) => [{ kind: 'copy', from: value }]),
  free('to', 'to', { kind: 'copy', from: 0 }),
  free('format', 'format', { kind: 'copy', from: 1 }),
  ...either('to-upper', 'toUpper', (value) => [{ kind: 'copy', from: value }]),
  {
    id: 'array-join',
    match: { method: 'join' },
    receiver: ['[]'],
    whenUnknown: 'skip',
    effects: [{ kind: 'copy', from: 'receiver' }],
  },
  ...either('by-line-copy', 'byLineCopy', () => [{ kind: 'acquire', as: 'gc' }]),
  ...either('to-stringz', 'toStringz', (value) => [
    { kind: 'copy', from: value },
    { kind: 'acquire', as: 'gc', scanned: false },
  ]),
  ...either('to-utfz', 'toUTFz', (value) => [
    { kind: 'copy', from: value },
    { kind: 'acquire', as: 'gc', scanned: false },
  ]),
];

const acquisition: readonly ApiRow[] = [
  ...['malloc', 'calloc', 'pureMalloc', 'pureCalloc', 'strdup', 'enforceMalloc'].map((name) =>
    free(kebab(name), name, { kind: 'acquire', as: 'malloc', scanned: false }),
  ),
  free('alloca', 'alloca', { kind: 'acquire', as: 'stack', scanned: true }),
  free('mmap', 'mmap', { kind: 'acquire', as: 'foreign', scanned: false }),
  free('fopen', 'fopen', { kind: 'acquire', as: 'foreign', scanned: false }),
  free('opendir', 'opendir', { kind: 'acquire', as: 'foreign', scanned: false }),
  free('popen', 'popen', { kind: 'acquire', as: 'foreign', scanned: false }),
  {
    id: 'gc-malloc',
    match: { path: 'GC.malloc' },
    effects: [{ kind: 'acquire', as: 'gc', scanned: true }],
    note: 'With BlkAttr.NO_SCAN the block is not searched for pointers.',
  },
  {
    id: 'gc-calloc',
    match: { path: 'GC.calloc' },
    effects: [{ kind: 'acquire', as: 'gc', scanned: true }],
    note: 'With BlkAttr.NO_SCAN the block is not searched for pointers.',
  },
  free('gc-qalloc', 'GC.qalloc', { kind: 'acquire', as: 'gc', scanned: true }),
  free('mallocator-allocate', 'Mallocator.instance.allocate', { kind: 'acquire', as: 'malloc', scanned: false }),
  {
    id: 'allocator-allocate',
    match: { method: 'allocate' },
    receiver: allocators,
    effects: [{ kind: 'acquire', as: 'heap', scanned: false }],
  },
  free('allocator-make', 'make', { kind: 'acquire', as: 'heap', scanned: false }),
  free('allocator-make-array', 'makeArray', { kind: 'acquire', as: 'heap', scanned: false }),
  free('uninitialized-array', 'uninitializedArray', { kind: 'acquire', as: 'gc' }),
  free('minimally-initialized-array', 'minimallyInitializedArray', { kind: 'acquire', as: 'gc' }),
];

const releases: readonly ApiRow[] = [
  ...['free', 'pureFree'].map((name) => free(kebab(name), name, { kind: 'release', target: 0, by: name })),
  free('gc-free', 'GC.free', { kind: 'release', target: 0, by: 'GC.free' }),
  free('destroy', 'destroy', { kind: 'release', target: 0, by: 'destroy' }),
  free('delete', 'delete', { kind: 'release', target: 0, by: 'delete' }),
  free('munmap', 'munmap', { kind: 'release', target: 0, by: 'munmap', foreign: true }),
  ...['fclose', 'closedir', 'pclose', 'gzclose', 'sqlite3_finalize'].map((name) =>
    free(kebab(name), name, { kind: 'release', target: 0, by: name, foreign: true }),
  ),
  // `pool_free(pool, item)` ends the item, `queue_free(item, queue)` too: of several it is not known which.
  ...['_free', '_destroy'].map((suffix) => suffixRelease(suffix, 1)),
  free('the-allocator-dispose', 'theAllocator.dispose', { kind: 'release', target: 0, by: 'dispose' }),
  free('process-allocator-dispose', 'processAllocator.dispose', { kind: 'release', target: 0, by: 'dispose' }),
  free('mallocator-dispose', 'Mallocator.instance.dispose', { kind: 'release', target: 0, by: 'dispose' }),
  {
    id: 'allocator-dispose',
    match: { method: 'dispose' },
    effects: [{ kind: 'release', target: 0, by: 'dispose' }],
    note: "A 'dispose()' without arguments is somebody's own method and releases nothing here.",
  },
  free('dispose', 'dispose', { kind: 'release', target: 1, by: 'dispose' }),
  {
    id: 'allocator-deallocate',
    match: { method: 'deallocate' },
    effects: [{ kind: 'release', target: 0, by: 'deallocate' }],
  },
];

const roots: readonly ApiRow[] = [
  free('add-root', 'GC.addRoot', { kind: 'root', what: 0 }),
  free('add-range', 'GC.addRange', { kind: 'root', what: 0 }),
  free('remove-root', 'GC.removeRoot', { kind: 'unroot', what: 0 }),
  free('remove-range', 'GC.removeRange', { kind: 'unroot', what: 0 }),
];

const threads: readonly ApiRow[] = [
  ...['spawn', 'spawnLinked'].map((name) =>
    free(
      kebab(name),
      name,
      { kind: 'spawn', what: 0, on: 'thread' },
      { kind: 'spawn', what: 1, on: 'thread' },
      { kind: 'spawn', what: 2, on: 'thread' },
    ),
  ),
  free('send', 'send', { kind: 'spawn', what: 1, on: 'thread' }),
  {
    id: 'new-thread',
    match: { path: 'Thread' },
    effects: [{ kind: 'spawn', what: 0, on: 'thread' }],
    note: '`new Thread(dg)`: the type of a new expression is matched like the name of a function.',
  },
  free(
    'create-thread',
    'pthread_create',
    { kind: 'spawn', what: 2, on: 'thread' },
    { kind: 'retain', what: 3, by: 'pthread_create' },
  ),
  free('task', 'task', { kind: 'spawn', what: 0, on: 'pool' }, { kind: 'spawn', what: 1, on: 'pool' }),
  free(
    'scoped-task',
    'scopedTask',
    { kind: 'spawn', what: 0, on: 'pool', scoped: true },
    { kind: 'spawn', what: 1, on: 'pool', scoped: true },
  ),
  free('task-pool-put', 'taskPool.put', { kind: 'spawn', what: 0, on: 'pool' }),
  {
    id: 'task-pool-method-put',
    match: { method: 'put' },
    receiver: ['TaskPool'],
    whenUnknown: 'skip',
    effects: [{ kind: 'spawn', what: 0, on: 'pool' }],
  },
  {
    id: 'execute-in-new-thread',
    match: { method: 'executeInNewThread' },
    effects: [{ kind: 'spawn', what: 'receiver', on: 'thread' }],
  },
  ...either('parallel', 'parallel', (range) => [
    { kind: 'pass', from: range },
    { kind: 'spawn', what: range, on: 'pool', scoped: true },
  ]),
  free(
    'task-pool-parallel',
    'taskPool.parallel',
    { kind: 'pass', from: 0 },
    { kind: 'spawn', what: 0, on: 'pool', scoped: true },
  ),
  free('task-pool-amap', 'taskPool.amap', { kind: 'spawn', what: 0, on: 'pool', scoped: true }),
  free('run-task', 'runTask', { kind: 'spawn', what: 0, on: 'task' }, { kind: 'spawn', what: 1, on: 'task' }),
  free(
    'run-worker-task',
    'runWorkerTask',
    { kind: 'spawn', what: 0, on: 'pool' },
    { kind: 'spawn', what: 1, on: 'pool' },
  ),
  free('set-timer', 'setTimer', { kind: 'spawn', what: 1, on: 'task' }),
];

const locking: readonly ApiRow[] = [
  {
    id: 'lock',
    match: { method: 'lock' },
    receiver: locks,
    effects: [{ kind: 'lock', target: 'receiver', returnsGuard: false }],
  },
  {
    id: 'try-lock',
    match: { method: 'tryLock' },
    receiver: locks,
    effects: [{ kind: 'lock', target: 'receiver', returnsGuard: false }],
  },
  {
    id: 'lock-nothrow',
    match: { method: 'lock_nothrow' },
    effects: [{ kind: 'lock', target: 'receiver', returnsGuard: false }],
  },
  { id: 'unlock', match: { method: 'unlock' }, receiver: locks, effects: [{ kind: 'unlock', target: 'receiver' }] },
  { id: 'unlock-nothrow', match: { method: 'unlock_nothrow' }, effects: [{ kind: 'unlock', target: 'receiver' }] },
  free('pthread-lock', 'pthread_mutex_lock', { kind: 'lock', target: 0, returnsGuard: false }),
  free('pthread-unlock', 'pthread_mutex_unlock', { kind: 'unlock', target: 0 }),
  free('scoped-mutex-lock', 'ScopedMutexLock', { kind: 'lock', target: 0, returnsGuard: true }),
];

const waiting: readonly ApiRow[] = [
  {
    id: 'thread-join',
    match: { method: 'join' },
    receiver: ['Thread', 'Task', 'ThreadGroup'],
    effects: [{ kind: 'wait' }],
  },
  { id: 'join-all', match: { method: 'joinAll' }, effects: [{ kind: 'wait' }] },
  free('join-thread', 'pthread_join', { kind: 'wait' }),
  free('thread-join-all', 'thread_joinAll', { kind: 'wait' }),
  ...['yieldForce', 'workForce', 'spinForce'].map((method): ApiRow => ({
    id: kebab(method),
    match: { method },
    effects: [{ kind: 'wait' }],
  })),
  { id: 'pool-finish', match: { method: 'finish' }, receiver: ['TaskPool'], effects: [{ kind: 'wait' }] },
];

/** C functions that keep what they are given; none of them is seen by the collector. */
const retention: readonly ApiRow[] = [
  free('atomic-store', 'atomicStore', { kind: 'store', what: 1, into: 0, assigns: true }),
  free('epoll-ctl', 'epoll_ctl', { kind: 'retain', what: 3, by: 'epoll_ctl', contents: true }),
  free('sigaltstack', 'sigaltstack', { kind: 'retain', what: 0, by: 'sigaltstack', contents: true }),
  free('putenv', 'putenv', { kind: 'retain', what: 0, by: 'putenv' }),
  free('openlog', 'openlog', { kind: 'retain', what: 0, by: 'openlog' }),
  free('on-exit', 'on_exit', { kind: 'retain', what: 1, by: 'on_exit' }),
  free('atexit', 'atexit', { kind: 'retain', what: 0, by: 'atexit' }),
  free('curl-setopt', 'curl_easy_setopt', { kind: 'retain', what: 2, by: 'curl_easy_setopt' }),
  free('sqlite-create-function', 'sqlite3_create_function', { kind: 'retain', what: 4, by: 'sqlite3_create_function' }),
  free('glfw-user-pointer', 'glfwSetWindowUserPointer', { kind: 'retain', what: 1, by: 'glfwSetWindowUserPointer' }),
];

/**
 * What calls, properties and operators of D's runtime and standard library do to memory. Assignments of a fresh array
 * (`a = a ~ x`), `new`, `&x[i]`, `x[]` and `synchronized` are expressions and statements and need no row.
 */
export const dApis: readonly ApiRow[] = [
  ...growth,
  ...borrows,
  ...passing,
  ...callNow,
  ...copies,
  ...acquisition,
  ...releases,
  ...roots,
  ...threads,
  ...locking,
  ...waiting,
  ...retention,
];
