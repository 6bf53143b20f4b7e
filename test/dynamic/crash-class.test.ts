import { describe, expect, it } from 'vitest';
import {
  classify,
  hitClasses,
  otherClasses,
  readNtStatus,
  signalOfExitCode,
  type CrashClass,
  type ExitRecord,
} from '../../src/dynamic/crash-class.js';

function ended(record: Partial<ExitRecord>): ExitRecord {
  return { platform: 'linux', exitCode: null, signal: null, stderr: '', ...record };
}

/**
 * Exit codes, signals and stderr as each system gives them. Linux results were recorded; those of Windows and macOS are the
 * codes and texts of public crash reports and of the systems' own tables.
 */
const recorded: readonly (readonly [what: string, record: ExitRecord, expected: CrashClass, detail: RegExp])[] = [
  ['a thread-local destructor in an unloaded image', ended({ signal: 'SIGSEGV' }), 'memory-fault', /^SIGSEGV$/],
  ['the same, now and then', ended({ signal: 'SIGBUS' }), 'memory-fault', /^SIGBUS$/],
  ['a jump into unmapped memory that holds something', ended({ signal: 'SIGILL' }), 'trap', /^SIGILL$/],
  [
    'a broken V8 invariant, release build',
    ended({
      signal: 'SIGILL',
      stderr:
        '\n\n#\n# Fatal error in , line 0\n# Check failed: node->IsInUse().\n#\n#\n#\n#FailureMessage Object: 0x7ffd\n',
    }),
    'v8-check',
    /Check failed: node->IsInUse/,
  ],
  [
    'the same on x64 with a trap instruction',
    ended({ signal: 'SIGTRAP', stderr: '#\n# Fatal error in v8::ToLocalChecked\n# Empty MaybeLocal\n#\n' }),
    'v8-check',
    /Fatal error in v8::ToLocalChecked/,
  ],
  [
    'V8 fatal on Windows, a breakpoint',
    ended({
      platform: 'win32',
      exitCode: -2147483645,
      stderr: '#\n# Fatal error in , line 0\n# Check failed: IsOnCentralStack().\n',
    }),
    'v8-check',
    /Check failed/,
  ],
  [
    'HandleScope on a foreign thread',
    ended({
      signal: 'SIGABRT',
      stderr:
        'FATAL ERROR: HandleScope::HandleScope Entering the V8 API without proper locking in place\n 1: 0xb8ced1 node::Abort() [node]\n',
    }),
    'v8-check',
    /HandleScope/,
  ],
  [
    'Node-API fatal error',
    ended({
      signal: 'SIGABRT',
      stderr: 'FATAL ERROR: threadsafe_function.rs:573 napi_release_threadsafe_function failed\n',
    }),
    'node-api-fatal',
    /napi_release/,
  ],
  [
    'Node-API fatal error without a name',
    ended({ exitCode: 134, stderr: 'FATAL ERROR: Error::New napi_get_last_error_info\n' }),
    'node-api-fatal',
    /napi_get/,
  ],
  [
    'heap of JavaScript full',
    ended({
      signal: 'SIGABRT',
      stderr:
        '<--- Last few GCs --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n',
    }),
    'out-of-memory',
    /heap out of memory/,
  ],
  [
    'V8 out of memory',
    ended({ signal: 'SIGTRAP', stderr: '#\n# Fatal process out of memory: Zone\n#\n' }),
    'out-of-memory',
    /out of memory/,
  ],
  [
    'glibc double free',
    ended({ signal: 'SIGABRT', stderr: 'free(): double free detected in tcache 2\n' }),
    'heap-corruption',
    /double free/,
  ],
  [
    'glibc older double free',
    ended({ signal: 'SIGABRT', stderr: 'double free or corruption (out)\n' }),
    'heap-corruption',
    /double free/,
  ],
  [
    'glibc size',
    ended({ signal: 'SIGABRT', stderr: 'malloc(): corrupted top size\n' }),
    'heap-corruption',
    /corrupted top size/,
  ],
  [
    'glibc invalid pointer',
    ended({ exitCode: 134, stderr: 'munmap_chunk(): invalid pointer\n' }),
    'heap-corruption',
    /munmap_chunk/,
  ],
  [
    'glibc unsorted',
    ended({ signal: 'SIGABRT', stderr: 'malloc(): unsorted double linked list corrupted\n' }),
    'heap-corruption',
    /unsorted/,
  ],
  [
    'glibc fastbin',
    ended({ signal: 'SIGABRT', stderr: 'malloc(): unaligned fastbin chunk detected 2\n' }),
    'heap-corruption',
    /fastbin/,
  ],
  [
    'macOS malloc',
    ended({
      platform: 'darwin',
      signal: 'SIGABRT',
      stderr:
        'node(4711,0x1ee) malloc: *** error for object 0x600: pointer being freed was not allocated\nnode(4711) malloc: *** set a breakpoint in malloc_error_break to debug\n',
    }),
    'heap-corruption',
    /not allocated/,
  ],
  [
    'libuv assertion',
    ended({
      signal: 'SIGABRT',
      stderr: "node: ../deps/uv/src/unix/core.c:302: uv__finish_close: Assertion `0' failed.\n",
    }),
    'runtime-assertion',
    /uv__finish_close/,
  ],
  [
    'Node assertion',
    ended({ exitCode: 134, stderr: "node[4711]: ../src/node_platform.cc:68:x: Assertion `(it) != (end())' failed.\n" }),
    'runtime-assertion',
    /node_platform/,
  ],
  [
    'assertion on Windows',
    ended({
      platform: 'win32',
      exitCode: 134,
      stderr: 'Assertion failed: (handle->flags & UV_HANDLE_CLOSING), file src\\win\\async.c, line 76\n',
    }),
    'runtime-assertion',
    /async\.c/,
  ],
  [
    'Rust panic across C',
    ended({
      signal: 'SIGABRT',
      stderr:
        "thread '<unnamed>' panicked at library/core/src/panicking.rs:218:5:\npanic in a function that cannot unwind\nstack backtrace:\n",
    }),
    'rust-abort',
    /cannot unwind/,
  ],
  [
    'Rust runtime',
    ended({ signal: 'SIGABRT', stderr: 'fatal runtime error: thread local panicked on drop, aborting\n' }),
    'rust-abort',
    /thread local/,
  ],
  [
    'C++ exception',
    ended({
      signal: 'SIGABRT',
      stderr: "terminate called after throwing an instance of 'Napi::Error'\n  what():  boom\n",
    }),
    'cpp-terminate',
    /Napi::Error/,
  ],
  [
    'C++ joinable thread',
    ended({ signal: 'SIGABRT', stderr: 'terminate called without an active exception\n' }),
    'cpp-terminate',
    /without an active/,
  ],
  ['abort without a word', ended({ signal: 'SIGABRT' }), 'abort', /SIGABRT/],
  ['division', ended({ signal: 'SIGFPE' }), 'arithmetic-fault', /SIGFPE/],
  ['killed from outside', ended({ signal: 'SIGKILL' }), 'killed', /^SIGKILL, which is sent from outside$/],
  [
    'a program of D without memory',
    ended({ exitCode: 1, stderr: 'core.exception.OutOfMemoryError@core/lifetime.d(126): Memory allocation failed' }),
    'out-of-memory',
    /OutOfMemoryError/,
  ],
  [
    'one of C++',
    ended({ signal: 'SIGABRT', stderr: "terminate called after throwing an instance of 'std::bad_alloc'\n" }),
    'out-of-memory',
    /bad_alloc/,
  ],
  [
    'an exit code with what was said last',
    ended({ exitCode: 127, stderr: '/bin/sh: 1: exec: ./app: not found\n' }),
    'exit-code',
    /^exit code 127: .*\.\/app: not found$/,
  ],
  ['stopped by the system', ended({ signal: 'SIGTERM' }), 'killed', /SIGTERM/],
  ['a shell reports SIGSEGV', ended({ exitCode: 139 }), 'memory-fault', /139, SIGSEGV on linux/],
  [
    'a shell reports SIGSEGV on macOS',
    ended({ platform: 'darwin', exitCode: 139 }),
    'memory-fault',
    /SIGSEGV on darwin/,
  ],
  [
    '138 on macOS is a bus error',
    ended({ platform: 'darwin', exitCode: 138 }),
    'memory-fault',
    /138, SIGBUS on darwin/,
  ],
  ['138 on Linux is SIGUSR1, no crash class', ended({ exitCode: 138 }), 'exit-code', /138/],
  ['135 on Linux is a bus error', ended({ exitCode: 135 }), 'memory-fault', /135, SIGBUS on linux/],
  ['132', ended({ exitCode: 132 }), 'trap', /SIGILL/],
  ['133 on macOS', ended({ platform: 'darwin', exitCode: 133 }), 'trap', /SIGTRAP/],
  ['137 is a kill', ended({ exitCode: 137 }), 'killed', /SIGKILL/],
  [
    'Windows heap corruption, signed',
    ended({ platform: 'win32', exitCode: -1073740940 }),
    'heap-corruption',
    /0xC0000374, heap corruption/,
  ],
  [
    'Windows heap corruption, unsigned',
    ended({ platform: 'win32', exitCode: 3221226356 }),
    'heap-corruption',
    /0xC0000374/,
  ],
  ['Windows access violation', ended({ platform: 'win32', exitCode: -1073741819 }), 'memory-fault', /0xC0000005/],
  [
    'Windows access violation, unsigned',
    ended({ platform: 'win32', exitCode: 3221225477 }),
    'memory-fault',
    /0xC0000005/,
  ],
  ['Windows fail fast', ended({ platform: 'win32', exitCode: 3221226505 }), 'fail-fast', /0xC0000409/],
  ['Windows illegal instruction', ended({ platform: 'win32', exitCode: 3221225501 }), 'trap', /0xC000001D/],
  ['Windows stack overflow', ended({ platform: 'win32', exitCode: 3221225725 }), 'stack-overflow', /0xC00000FD/],
  ['Windows breakpoint', ended({ platform: 'win32', exitCode: 2147483651 }), 'trap', /0x80000003/],
  ['Windows DLL missing', ended({ platform: 'win32', exitCode: 3221225781 }), 'load-error', /0xC0000135/],
  ['Windows entry point missing', ended({ platform: 'win32', exitCode: 3221225785 }), 'load-error', /0xC0000139/],
  ['Windows DLL initialisation', ended({ platform: 'win32', exitCode: 3221225794 }), 'load-error', /0xC0000142/],
  ['Windows control-C', ended({ platform: 'win32', exitCode: 3221225786 }), 'killed', /control-C/],
  ['Windows abort', ended({ platform: 'win32', exitCode: 134 }), 'abort', /134/],
  ['139 on Windows is a number', ended({ platform: 'win32', exitCode: 139 }), 'exit-code', /139/],
  [
    'address sanitizer',
    ended({
      exitCode: 1,
      stderr:
        '=================================================================\n==42==ERROR: AddressSanitizer: heap-use-after-free on address 0x602 at pc 0x5\nREAD of size 4 at 0x602 thread T0\n    #0 0x55 in main x.d:7\n',
    }),
    'sanitizer',
    /heap-use-after-free/,
  ],
  [
    'thread sanitizer',
    ended({ exitCode: 66, stderr: 'WARNING: ThreadSanitizer: data race (pid=7)\n' }),
    'sanitizer',
    /data race/,
  ],
  [
    'guard pages before the signal',
    ended({
      signal: 'SIGSEGV',
      stderr: 'lifetime-lint guard: use after free: address 0x7f is 0 bytes after the start\n',
    }),
    'guard-page',
    /use after free/,
  ],
  [
    'valgrind',
    ended({ exitCode: 0, done: true, stderr: '==99== Invalid read of size 8\n==99==    at 0x4C: f (a.c:3)\n' }),
    'valgrind',
    /Invalid read/,
  ],
  [
    'D finalizer that allocates',
    ended({
      exitCode: 1,
      stderr: 'core.exception.InvalidMemoryOperationError@core/exception.d(647): Invalid memory operation\n',
    }),
    'runtime-assertion',
    /InvalidMemory/,
  ],
  [
    'D program whose own check fails',
    ended({ exitCode: 1, stderr: 'core.exception.AssertError@app.d(12): lost write\n' }),
    'runtime-assertion',
    /lost write/,
  ],
  ['a hang', ended({ signal: 'SIGKILL', timedOut: true, hangIsHit: true }), 'hang', /time limit/],
  ['a hang without a twin', ended({ signal: 'SIGKILL', timedOut: true }), 'timeout', /time limit/],
  ['exit 0 before done', ended({ exitCode: 0, done: false }), 'early-exit', /before the work was done/],
  ['clean', ended({ exitCode: 0, done: true }), 'clean', /0/],
  [
    'did not self-register',
    ended({
      exitCode: 1,
      stderr: "Error: Module did not self-register: '/x/watcher.node'.\n    at Module._extensions..node\n",
    }),
    'load-error',
    /self-register/,
  ],
  [
    'a newer libstdc++',
    ended({
      exitCode: 1,
      stderr:
        "Error: /lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by x.node)\n  code: 'ERR_DLOPEN_FAILED'\n",
    }),
    'load-error',
    /GLIBCXX/,
  ],
  [
    'a missing symbol',
    ended({ exitCode: 127, stderr: 'node: symbol lookup error: x.node: undefined symbol: napi_unknown\n' }),
    'load-error',
    /undefined symbol/,
  ],
  [
    'an exception',
    ended({
      exitCode: 1,
      stderr: "file:///x.js:1\nthrow new TypeError('no')\n^\n\nTypeError: no\n    at file:///x.js:1:7\n",
    }),
    'javascript-error',
    /TypeError: no/,
  ],
  ['a program says no', ended({ exitCode: 3, stderr: 'no\n' }), 'exit-code', /3/],
];

describe('crash classes', () => {
  it.each(recorded)('%s', (_what, record, expected, detail) => {
    const result = classify(record);
    expect(result.class).toBe(expected);
    expect(result.detail).toMatch(detail);
    expect(result.hit).toBe(hitClasses.some((name) => name === expected));
  });

  it('has every class that can end a process in the recorded results', () => {
    const covered = new Set(recorded.map(([, , expected]) => expected));
    // Decided from markers or by the runner, and tested with real processes.
    const elsewhere: readonly CrashClass[] = [
      'changed-value',
      'interrupted',
      'exit-called',
      'too-much-output',
      'too-much-memory',
      'too-many-processes',
      'not-opened',
      'spawn-error',
    ];
    expect([...hitClasses, ...otherClasses].filter((name) => !covered.has(name) && !elsewhere.includes(name))).toEqual(
      [],
    );
  });

  it('does not believe a crash line of a process that ended well', () => {
    expect(
      classify(ended({ exitCode: 0, done: true, stderr: 'see "double free or corruption" in the manual\n' })).class,
    ).toBe('clean');
  });

  it('keeps the lines after the one that decided', () => {
    const { lines } = classify(
      ended({ signal: 'SIGABRT', stderr: `noise\nfree(): invalid pointer\n${'frame\n'.repeat(40)}` }),
    );
    expect(lines[0]).toBe('free(): invalid pointer');
    expect(lines).toHaveLength(24);
  });

  it('reads signal numbers by platform and never on Windows', () => {
    expect(signalOfExitCode(138, 'darwin')).toBe('SIGBUS');
    expect(signalOfExitCode(138, 'linux')).toBe('SIGUSR1');
    expect(signalOfExitCode(139, 'win32')).toBeUndefined();
    expect(signalOfExitCode(128, 'linux')).toBeUndefined();
    expect(signalOfExitCode(255, 'linux')).toBeUndefined();
  });

  it('reads NTSTATUS signed and unsigned, and leaves small codes alone', () => {
    expect(readNtStatus(-1073740940)).toEqual(readNtStatus(0xc0000374));
    expect(readNtStatus(-1)).toBeUndefined();
    expect(readNtStatus(1)).toBeUndefined();
    expect(readNtStatus(0xc0000999)?.class).toBe('abort');
  });
});
