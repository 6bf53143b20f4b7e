/** One frame of a native backtrace, as a debugger, a sanitizer or the guard library printed it. */
export interface Frame {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
  /** The pc belongs to no module that is mapped. */
  readonly unmapped: boolean;
}

/** Causes that a backtrace tells apart although the signal is the same. */
export type Cause =
  | 'thread-local-destructor'
  | 'thread-outlived-addon'
  | 'handle-closed-after-unload'
  | 'newer-node-api'
  | 'unloaded-image';

const gdbFrame = /^#\d+\s+(?:0x[0-9a-f]+ in )?(?<name>.+?) \((?<rest>.*)$/;
const sanitizerFrame = /^\s*#\d+ 0x[0-9a-f]+ in (?<name>.+?) (?<place>\S+)$/;
const guardFrame = /^lifetime-lint guard:\s+#\d+ (?<name>\S+)(?: \((?<image>.*)\))?$/;
const place = /(?: at |^)(?<file>[^\s:()][^\s:]*):(?<line>\d+)(?::\d+)?$/;

/** Reads the frames of one backtrace text; lines that are none are left out. */
export function readFrames(text: string): Frame[] {
  const frames: Frame[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = gdbFrame.exec(line) ?? sanitizerFrame.exec(line) ?? guardFrame.exec(line);
    if (match?.groups === undefined) continue;
    const name = match.groups['name'] ?? '';
    const at = place.exec(match.groups['place'] ?? match.groups['rest'] ?? '')?.groups;
    frames.push({
      name: name.replace(/::h[0-9a-f]{16}$/, ''),
      ...(at === undefined ? {} : { file: at['file'] ?? '', line: Number(at['line']) }),
      unmapped: name === '??' || line.includes('(unloaded)'),
    });
  }
  return frames;
}

/** Frames of the thread that crashed in the output of `bt` followed by `thread apply all bt`: the first block only. */
export function readCrashingThread(text: string): Frame[] {
  const end = text.search(/^Thread \d+ \(/m);
  return readFrames(end === -1 ? text : text.slice(0, end));
}

/** What the frames of the crashing thread say about the cause; undefined when they could be anything. */
export function findCause(frames: readonly Frame[]): Cause | undefined {
  const at = (pattern: RegExp): number => frames.findIndex(({ name }) => pattern.test(name));
  if (at(/napi_module_register_by_symbol/) !== -1) return 'newer-node-api';
  const unmapped = frames.findIndex((frame) => frame.unmapped);
  // Without a single name the debugger had no program to read: that says nothing about images.
  if (unmapped === -1 || frames.every((frame) => frame.unmapped)) return undefined;
  if (at(/__nptl_deallocate_tsd|__call_tls_dtors|_pthread_tsd_cleanup|tlv_finalize/) > unmapped)
    return 'thread-local-destructor';
  if (at(/uv__finish_close|uv__run_closing_handles/) > unmapped) return 'handle-closed-after-unload';
  // A thread of Node has named frames between its start and the fault; one that the addon started has none.
  const start = at(/^start_thread$|^_pthread_start$|^clone3?$|^thread_start$/);
  if (
    start > unmapped &&
    frames.slice(0, start).every((frame) => frame.unmapped || /sleep|wait|poll|syscall/.test(frame.name))
  ) {
    return 'thread-outlived-addon';
  }
  return unmapped === 0 ? 'unloaded-image' : undefined;
}

const sentences: Readonly<Record<Cause, string>> = {
  'thread-local-destructor': 'A thread-local destructor of an addon ran after the addon had been unloaded.',
  'thread-outlived-addon': 'A thread that the addon had started went on after the addon had been unloaded.',
  'handle-closed-after-unload': 'A libuv handle of the addon was closed after the addon had been unloaded.',
  'newer-node-api': 'The addon was built for a newer Node-API than this Node has; this is not a lifetime bug.',
  'unloaded-image': 'The program counter was in no module that is mapped: code of an unloaded image was called.',
};

/** The cause as a sentence. */
export function describeCause(cause: Cause): string {
  return sentences[cause];
}

/** The rules whose bug has that cause. */
export const rulesOfCause: Readonly<Record<Cause, readonly string[]>> = {
  'thread-local-destructor': ['unpinned-addon', 'allocator-in-addon', 'addon-only-in-workers'],
  'thread-outlived-addon': ['threads-outlive-addon', 'unpinned-addon', 'addon-only-in-workers'],
  'handle-closed-after-unload': ['callback-without-teardown', 'unpinned-addon', 'addon-only-in-workers'],
  'newer-node-api': [],
  'unloaded-image': ['unpinned-addon', 'allocator-in-addon', 'threads-outlive-addon', 'addon-only-in-workers'],
};
