/** What the markers of one run say, in the order in which the child wrote them. */
export interface MarkerSummary {
  /** The last thing that was going on, for people. */
  readonly stage: string;
  readonly done: boolean;
  /** Addons that were opened, each once. */
  readonly opened: readonly string[];
  /** An addon whose opening had begun and not ended. */
  readonly opening?: string;
  readonly openFailed?: string;
  readonly errors: readonly { readonly message: string; readonly code: string; readonly stack: string }[];
  readonly exitCalled: boolean;
  /** Threads whose event loop ran empty before their work was done. */
  readonly drained: number;
  readonly forcedExits: number;
  readonly value?: string;
  readonly valueText?: string;
  readonly changed?: { readonly name: string; readonly before: string; readonly after: string };
  readonly returned: number;
  readonly threw: number;
  readonly firstThrow: string;
  /** Calls that were pending while their buffer was disturbed. */
  readonly inFlight: number;
  /** Calls whose buffers could be disturbed; undefined where the scenario disturbs none. */
  readonly bufferCalls?: number;
  readonly notes: readonly string[];
}

type Marker = readonly [kind: string, thread: number, ...data: (string | number)[]];

function parseMarker(line: string): Marker | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // A line that a dying process did not finish.
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const items: readonly unknown[] = value;
  const [kind, thread, ...data] = items;
  if (typeof kind !== 'string' || typeof thread !== 'number') return undefined;
  return [kind, thread, ...data.map((item) => (typeof item === 'number' ? item : String(item)))];
}

function describeStage([kind, thread, first, second]: Marker): string | undefined {
  const where = thread === 0 ? '' : ` in worker ${thread}`;
  switch (kind) {
    case 'start':
    case 'done':
      return kind;
    case 'opening':
    case 'opened':
      return `${kind} ${String(first).split(/[\\/]/).at(-1)}${where}`;
    case 'loaded':
      return `loaded${where}`;
    case 'call':
      return `call ${first}, '${second}'${where}`;
    case 'cycle':
      return `cycle ${first}`;
    case 'worker-ended':
      return `worker ${Number(first) + 1} had ended`;
    default:
      return undefined;
  }
}

/** Reads the marker lines of one run; lines that are none are left out. */
export function readMarkers(lines: readonly string[]): MarkerSummary {
  const opened = new Set<string>();
  const opening = new Map<number, string>();
  const errors: { message: string; code: string; stack: string }[] = [];
  const notes = new Set<string>();
  let stage = 'not started';
  let done = false;
  let openFailed: string | undefined;
  let exitCalled = false;
  let drained = 0;
  let forcedExits = 0;
  let value: { hash: string; text: string } | undefined;
  let changed: MarkerSummary['changed'];
  let returned = 0;
  let threw = 0;
  let firstThrow = '';
  let inFlight = 0;
  let bufferCalls: number | undefined;
  for (const line of lines) {
    const marker = parseMarker(line);
    if (marker === undefined) continue;
    const [kind, thread, first = '', second = '', third = ''] = marker;
    stage = describeStage(marker) ?? stage;
    if (kind === 'done') done = true;
    else if (kind === 'opening') opening.set(thread, String(first));
    else if (kind === 'opened') {
      opened.add(String(first));
      opening.delete(thread);
    } else if (kind === 'open-failed') {
      opening.delete(thread);
      openFailed ??= String(second);
    } else if (kind === 'error' || kind === 'worker-error')
      errors.push({ message: String(first), code: String(second), stack: String(third) });
    else if (kind === 'exit-called') exitCalled = true;
    else if (kind === 'drained' || kind === 'worker-drained') drained++;
    else if (kind === 'forced-exit') forcedExits++;
    else if (kind === 'value') value = { hash: String(first), text: String(second) };
    else if (kind === 'changed') changed ??= { name: String(first), before: String(second), after: String(third) };
    else if (kind === 'calls') {
      returned += Number(first);
      threw += Number(second);
      if (firstThrow === '') firstThrow = String(third);
    } else if (kind === 'in-flight') {
      inFlight += Number(first);
      bufferCalls = Number(second);
    } else if (kind === 'note') notes.add(String(first));
  }
  const [pending] = opening.values();
  return {
    stage,
    done,
    opened: [...opened],
    ...(pending === undefined ? {} : { opening: pending }),
    // A loader tries several files; only when none could be opened is the failure the result.
    ...(openFailed === undefined || opened.size > 0 ? {} : { openFailed }),
    errors,
    exitCalled,
    drained,
    forcedExits,
    ...(value === undefined ? {} : { value: value.hash, valueText: value.text }),
    ...(changed === undefined ? {} : { changed }),
    returned,
    threw,
    firstThrow,
    inFlight,
    ...(bufferCalls === undefined ? {} : { bufferCalls }),
    notes: [...notes],
  };
}
