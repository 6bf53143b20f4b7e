/**
 * How a run ended, by cause and not by signal: one bug can show as SIGSEGV, SIGILL or SIGBUS from one run to the next.
 * The classes of the first list are hits, those of the second are not.
 */
export const hitClasses = [
  'guard-page',
  'sanitizer',
  'valgrind',
  'v8-check',
  'node-api-fatal',
  'heap-corruption',
  'runtime-assertion',
  'rust-abort',
  'cpp-terminate',
  'memory-fault',
  'trap',
  'arithmetic-fault',
  'stack-overflow',
  'fail-fast',
  'abort',
  'hang',
  'early-exit',
  'changed-value',
] as const;

export const otherClasses = [
  'clean',
  'javascript-error',
  'load-error',
  'out-of-memory',
  'killed',
  'interrupted',
  'timeout',
  'exit-code',
  'exit-called',
  'too-much-output',
  'too-much-memory',
  'too-many-processes',
  'not-opened',
  'spawn-error',
] as const;

type HitClass = (typeof hitClasses)[number];
export type CrashClass = HitClass | (typeof otherClasses)[number];

/** What the parent knows about a process that has ended. */
export interface ExitRecord {
  readonly platform: NodeJS.Platform;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;
  /** False when neither the guard library nor valgrind watched the run: their reports are then only somebody's text. */
  readonly watched?: boolean;
  /** The time limit was reached and the runner killed it. */
  readonly timedOut?: boolean;
  /** False when the child should have said `done` and did not. */
  readonly done?: boolean;
  /** A time limit counts as a hang: a twin or the control run ended. */
  readonly hangIsHit?: boolean;
}

export interface Classification {
  readonly class: CrashClass;
  readonly hit: boolean;
  /** The signal, status or report line that decided it. */
  readonly detail: string;
  /** The first lines of evidence, at most 24. */
  readonly lines: readonly string[];
}

interface Pattern {
  readonly class: CrashClass;
  readonly pattern: RegExp;
}

/**
 * Reports on stderr in the order of their worth: the tool that watched memory knows more than the engine that noticed, and
 * the engine more than the signal that followed.
 */
const reports: readonly Pattern[] = [
  { class: 'guard-page', pattern: /^lifetime-lint guard: .*$/m },
  {
    class: 'sanitizer',
    pattern: /^.*ERROR: (?:Address|HWAddress|Memory|Leak)Sanitizer:? .*$/m,
  },
  { class: 'sanitizer', pattern: /^WARNING: (?:Thread|Memory)Sanitizer: .*$/m },
  {
    class: 'sanitizer',
    pattern: /^.*runtime error: .*(?:misaligned|null pointer|out of bounds|overflow).*$/m,
  },
  {
    class: 'valgrind',
    pattern: /^==\d+== (?:Invalid (?:read|write|free)|Mismatched free|Process terminating with default action).*$/m,
  },
  // V8's own "out of memory" fatal error carries the same header as a failed check, so it has to be asked first.
  {
    class: 'out-of-memory',
    pattern:
      /^FATAL ERROR: .*(?:JavaScript heap out of memory|Allocation failed - process out of memory|invalid table size).*$/m,
  },
  {
    class: 'out-of-memory',
    pattern: /^# Fatal (?:JavaScript )?(?:out of memory|process out of memory|process OOM).*$/m,
  },
  {
    class: 'out-of-memory',
    pattern: /^memory allocation of \d+ bytes failed$/m,
  },
  {
    class: 'out-of-memory',
    pattern:
      /^(?:core\.exception\.OutOfMemoryError\b|(?:terminate called|libc\+\+abi: terminating).*std::bad_alloc).*$/m,
  },
  { class: 'v8-check', pattern: /^.*(?:# )?Check failed: .*$/m },
  { class: 'v8-check', pattern: /^# Fatal error in .*$/m },
  {
    class: 'v8-check',
    pattern: /^(?:FATAL ERROR: )?v8::(?:HandleScope|ToLocalChecked|FromJust|Isolate|Object|ArrayBuffer)\b.*$/m,
  },
  {
    class: 'v8-check',
    pattern: /^FATAL ERROR: (?:HandleScope::HandleScope|v8::).*$/m,
  },
  {
    class: 'node-api-fatal',
    pattern: /^FATAL ERROR: .*(?:napi_|threadsafe|ThreadSafe|Error::ThrowAsJavaScriptException|HandleScope).*$/m,
  },
  { class: 'node-api-fatal', pattern: /^FATAL ERROR: .*$/m },
  {
    class: 'heap-corruption',
    pattern:
      /^.*(?:double free or corruption|double free detected|free\(\): invalid|munmap_chunk\(\): invalid|realloc\(\): invalid|malloc\(\): |malloc_consolidate\(\): |corrupted (?:size|double|unsorted|top)|unaligned (?:fastbin|tcache) chunk|free\(\): corrupted|chunk_main_arena|tcache_thread_shutdown).*$/m,
  },
  {
    class: 'heap-corruption',
    pattern: /^.*malloc: \*\*\* error for object .*$/m,
  },
  {
    class: 'heap-corruption',
    pattern: /^.*malloc: .*(?:pointer being freed was not allocated|Heap corruption detected|incorrect checksum).*$/m,
  },
  { class: 'heap-corruption', pattern: /^mimalloc: (?:error|assertion).*$/m },
  { class: 'heap-corruption', pattern: /^<jemalloc>: .*$/m },
  {
    class: 'runtime-assertion',
    pattern: /^.*(?:Assertion [`'"].+ failed\.?|Assertion failed: ).*$/m,
  },
  // druntime's own alarms; InvalidMemoryOperationError is what a finalizer that allocates raises.
  {
    class: 'runtime-assertion',
    pattern:
      /^core\.exception\.(?:InvalidMemoryOperationError|AssertError|RangeError|ArrayIndexError|ArraySliceError|FinalizeError)\b.*$/m,
  },
  {
    class: 'rust-abort',
    pattern:
      /^.*(?:panic in a function that cannot unwind|panic in a destructor during cleanup|thread panicked while processing panic|fatal runtime error: .*|Rust cannot catch foreign exceptions).*$/m,
  },
  {
    class: 'cpp-terminate',
    pattern:
      /^.*(?:terminate called (?:after throwing|without an active exception|recursively)|libc\+\+abi: terminating|pure virtual method called).*$/m,
  },
];

/** A load failure is an error of the package or the machine, never a crash of the addon. */
const loadErrors: readonly RegExp[] = [
  /^.*(?:ERR_DLOPEN_FAILED|ERR_DLOPEN_DISABLED|Module did not self-register|NODE_MODULE_VERSION|undefined symbol: |symbol lookup error: |Symbol not found: |image not found|Library not loaded: |version `[^']+' not found|cannot open shared object file|wrong ELF class|invalid ELF header|not a valid Win32 application|specified module could not be found|specified procedure could not be found).*$/m,
  /^.*(?:Cannot find native binding|Failed to load native binding|Cannot find module '[^']*'|Cannot find package '[^']*'|ERR_MODULE_NOT_FOUND).*$/m,
];

const javascriptErrors: readonly RegExp[] = [
  /^(?:Uncaught:?\s+)?(?:\w*Error|DOMException)(?: \[\w+\])?: .*$/m,
  /^.*triggerUncaughtException.*$/m,
];

const signalClasses: Readonly<Record<string, CrashClass>> = {
  SIGSEGV: 'memory-fault',
  SIGBUS: 'memory-fault',
  // Without a V8 message an illegal instruction is a jump into memory that is no code any more, or a compiler's trap.
  SIGILL: 'trap',
  SIGTRAP: 'trap',
  SIGSYS: 'trap',
  SIGEMT: 'trap',
  SIGFPE: 'arithmetic-fault',
  SIGABRT: 'abort',
  SIGIOT: 'abort',
  SIGKILL: 'killed',
  SIGTERM: 'killed',
  SIGINT: 'killed',
  SIGHUP: 'killed',
  SIGQUIT: 'killed',
  SIGXCPU: 'killed',
  SIGXFSZ: 'killed',
};

/** NTSTATUS values that Windows gives as exit codes of a process that died. */
const ntStatus: ReadonlyMap<number, { readonly name: string; readonly class: CrashClass }> = new Map([
  [0xc0000005, { name: 'access violation', class: 'memory-fault' }],
  [0xc0000006, { name: 'in-page error', class: 'memory-fault' }],
  [0x80000001, { name: 'guard page violation', class: 'memory-fault' }],
  [0x80000002, { name: 'datatype misalignment', class: 'memory-fault' }],
  [0xc0000008, { name: 'invalid handle', class: 'memory-fault' }],
  [0xc0000374, { name: 'heap corruption', class: 'heap-corruption' }],
  [0xc0000409, { name: 'fail fast', class: 'fail-fast' }],
  [0xc0000602, { name: 'fail fast exception', class: 'fail-fast' }],
  [0xc000001d, { name: 'illegal instruction', class: 'trap' }],
  [0xc0000096, { name: 'privileged instruction', class: 'trap' }],
  [0x80000003, { name: 'breakpoint', class: 'trap' }],
  [0x80000004, { name: 'single step', class: 'trap' }],
  [0xc00000fd, { name: 'stack overflow', class: 'stack-overflow' }],
  [0xc0000094, { name: 'integer division by zero', class: 'arithmetic-fault' }],
  [0xc0000095, { name: 'integer overflow', class: 'arithmetic-fault' }],
  [0xc0000420, { name: 'assertion failure', class: 'runtime-assertion' }],
  [0xe06d7363, { name: 'C++ exception', class: 'cpp-terminate' }],
  [0xc0000017, { name: 'no memory', class: 'out-of-memory' }],
  [0xe0000008, { name: 'V8 out of memory', class: 'out-of-memory' }],
  [0xc0000135, { name: 'DLL not found', class: 'load-error' }],
  [0xc0000139, { name: 'entry point not found', class: 'load-error' }],
  [0xc0000142, { name: 'DLL initialisation failed', class: 'load-error' }],
  [0xc000007b, { name: 'invalid image format', class: 'load-error' }],
  [0xc000013a, { name: 'control-C', class: 'killed' }],
]);

/** Signal numbers that differ between systems are listed for both; only those that end a process by themselves. */
const signalNumbers: Readonly<Record<'linux' | 'darwin', Readonly<Record<number, string>>>> = {
  linux: {
    1: 'SIGHUP',
    2: 'SIGINT',
    3: 'SIGQUIT',
    4: 'SIGILL',
    5: 'SIGTRAP',
    6: 'SIGABRT',
    7: 'SIGBUS',
    8: 'SIGFPE',
    9: 'SIGKILL',
    10: 'SIGUSR1',
    11: 'SIGSEGV',
    12: 'SIGUSR2',
    13: 'SIGPIPE',
    14: 'SIGALRM',
    15: 'SIGTERM',
    24: 'SIGXCPU',
    25: 'SIGXFSZ',
    31: 'SIGSYS',
  },
  darwin: {
    1: 'SIGHUP',
    2: 'SIGINT',
    3: 'SIGQUIT',
    4: 'SIGILL',
    5: 'SIGTRAP',
    6: 'SIGABRT',
    7: 'SIGEMT',
    8: 'SIGFPE',
    9: 'SIGKILL',
    10: 'SIGBUS',
    11: 'SIGSEGV',
    12: 'SIGSYS',
    13: 'SIGPIPE',
    14: 'SIGALRM',
    15: 'SIGTERM',
    24: 'SIGXCPU',
    25: 'SIGXFSZ',
    30: 'SIGUSR1',
    31: 'SIGUSR2',
  },
};

/** The signal behind an exit code of 128 + n as shells give it; undefined on Windows, or when no signal has that number. */
export function signalOfExitCode(code: number, platform: NodeJS.Platform): string | undefined {
  if (platform === 'win32' || code <= 128 || code > 128 + 64) return undefined;
  return signalNumbers[platform === 'darwin' ? 'darwin' : 'linux'][code - 128];
}

/** Name and class of a Windows exit code, signed (-1073740940) or unsigned (3221226356); undefined for any other code. */
export function readNtStatus(
  code: number,
): { readonly hex: string; readonly name: string; readonly class: CrashClass } | undefined {
  const unsigned = code >>> 0;
  if (code < -0x80000000 || code > 0xffffffff || unsigned < 0x80000000) return undefined;
  const hex = `0x${unsigned.toString(16).toUpperCase().padStart(8, '0')}`;
  const known = ntStatus.get(unsigned);
  if (known !== undefined) return { hex, ...known };
  // Severity bits 11 with facility 0 is an unlisted NTSTATUS error; anything else may be a program's own negative code.
  return unsigned >>> 16 === 0xc000 ? { hex, name: 'unlisted NTSTATUS error', class: 'abort' } : undefined;
}

const maximumLines = 24;

/** The lines from the one that decided on, without blanks; frames of a report are worth more than the text before it. */
function evidenceFrom(text: string, index: number): string[] {
  const start = text.lastIndexOf('\n', index) + 1;
  return text
    .slice(start, start + 8192)
    .split(/\r?\n/)
    .map((line) => line.trimEnd().slice(0, 300))
    .filter((line) => line.trim() !== '' && !/^#?\s*#?$/.test(line))
    .slice(0, maximumLines);
}

const hitSet: ReadonlySet<string> = new Set(hitClasses);

/** Whether the class is one of ours: what {@link classify} gives can still be turned off by the plan (a hang without a twin). */
function isHitClass(value: CrashClass): value is HitClass {
  return hitSet.has(value);
}

function result(name: CrashClass, detail: string, lines: readonly string[]): Classification {
  return { class: name, hit: isHitClass(name), detail, lines };
}

/** Node prints its own stack after a crash; what stands before it explains more than the last lines. */
function tail(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trimEnd().slice(0, 300))
    .filter((line) => line !== '')
    .slice(-maximumLines);
}

/** Decides the class of an ended process; the order is that of docs/dynamic.md. */
export function classify(record: ExitRecord): Classification {
  const { stderr, exitCode, signal, platform } = record;
  const died = signal !== null || (exitCode !== null && exitCode !== 0) || record.timedOut === true;
  for (const { class: name, pattern } of reports) {
    const match = pattern.exec(stderr);
    if (match === null) continue;
    if (record.watched === false && (name === 'guard-page' || name === 'valgrind')) continue;
    // A program may print such a line and go on; only tools that report without dying are believed then.
    if (!died && name !== 'guard-page' && name !== 'sanitizer' && name !== 'valgrind') continue;
    return result(name, match[0].trim().slice(0, 300), evidenceFrom(stderr, match.index));
  }
  if (record.timedOut === true) {
    const name = record.hangIsHit === true ? 'hang' : 'timeout';
    return result(name, 'the run did not end within its time limit', tail(stderr));
  }
  const bySignal = signal ?? (exitCode === null ? undefined : signalOfExitCode(exitCode, platform));
  if (bySignal !== undefined) {
    const name = signalClasses[bySignal];
    const detail = signal === null ? `exit code ${exitCode}, ${bySignal} on ${platform}` : bySignal;
    if (name === 'killed') return result(name, `${detail}, which is sent from outside`, tail(stderr));
    if (name !== undefined) return result(name, detail, tail(stderr));
    if (signal !== null) return result('killed', detail, tail(stderr));
  }
  if (exitCode !== null && platform === 'win32') {
    // Node's abort() on Windows is `_exit(134)`.
    if (exitCode === 134) return result('abort', 'exit code 134, abort() on win32', tail(stderr));
    const status = readNtStatus(exitCode);
    if (status !== undefined) return result(status.class, `${status.hex}, ${status.name}`, tail(stderr));
  }
  if (died) {
    for (const pattern of loadErrors) {
      const match = pattern.exec(stderr);
      if (match !== null) return result('load-error', match[0].trim().slice(0, 300), evidenceFrom(stderr, match.index));
    }
    for (const pattern of javascriptErrors) {
      const match = pattern.exec(stderr);
      if (match !== null)
        return result('javascript-error', match[0].trim().slice(0, 300), evidenceFrom(stderr, match.index));
    }
    const [last] = tail(stderr).slice(-1);
    return result('exit-code', `exit code ${exitCode}${last === undefined ? '' : `: ${last.trim()}`}`, tail(stderr));
  }
  if (record.done === false) return result('early-exit', 'exit code 0 before the work was done', tail(stderr));
  return result('clean', 'exit code 0', []);
}

/** Whether an error message of JavaScript says that an addon could not be loaded. */
export function isLoadErrorMessage(message: string): boolean {
  return loadErrors.some((pattern) => pattern.test(message));
}
