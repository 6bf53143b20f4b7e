/**
 * The scenarios of the runner, in the order in which they are tried. `command` runs a program instead of a Node child. Which
 * rules a scenario can confirm is said by the rules (`meta.scenarios`).
 */
export const scenarioNames = [
  'import',
  'reload',
  'terminate',
  'exit-with-work',
  'main-and-worker',
  'sequential',
  'concurrent',
  'workers-call',
  'mutate',
  'transfer',
  'detach',
  'overlap',
  'gc-churn',
  'thenable-twice',
  'command',
] as const;

export type ScenarioName = (typeof scenarioNames)[number];

export interface Scenario {
  readonly name: ScenarioName;
  /** What a run does, one sentence with a stop. */
  readonly summary: string;
  /** `none`: loading is enough; `some`: calls make it stronger; `all`: useless without a call. */
  readonly calls: 'none' | 'some' | 'all';
  /** Only functions that take a buffer and return a promise are of use. */
  readonly needsBuffer: boolean;
  /** The child gets `--expose-gc` because the scenario itself collects. */
  readonly needsGc: boolean;
  /** Whether a run that never ends is a hit although no good twin was given: the harness itself ends without the addon. */
  readonly hangIsHit: boolean;
  /** The image of the addon leaves the memory in a run, so that a crash may come from that. */
  readonly unloads: boolean;
  /** The number of workers is the user's, and fewer of them do less of the same. */
  readonly countsWorkers: boolean;
  /** Fewer calls do less of the same. */
  readonly countsCalls: boolean;
  /** More calls than the default may show what few do not: a crash after the n-th call. */
  readonly growsWithCalls: boolean;
  /** A call is one of the planned ones in turn; elsewhere the number of calls is that of rounds over all of them. */
  readonly takesTurns: boolean;
}

/** What most scenarios are; each row of the table says in what it differs. */
const plain: Omit<Scenario, 'name' | 'summary'> = {
  calls: 'none',
  needsBuffer: false,
  needsGc: false,
  hangIsHit: false,
  unloads: false,
  countsWorkers: false,
  countsCalls: false,
  growsWithCalls: false,
  takesTurns: false,
};

const inFlight = { ...plain, calls: 'all', needsBuffer: true, needsGc: true, countsCalls: true } as const;

const table: Readonly<Record<ScenarioName, Omit<Scenario, 'name'>>> = {
  import: {
    ...plain,
    summary: 'Workers load the target at the same time and exit; the main thread never loads it.',
    hangIsHit: true,
    unloads: true,
    countsWorkers: true,
  },
  reload: {
    ...plain,
    summary: 'Workers load the target and exit, three times over.',
    hangIsHit: true,
    unloads: true,
    countsWorkers: true,
    takesTurns: true,
  },
  terminate: {
    ...plain,
    summary: 'Workers are terminated while they load the target and while a call is pending.',
    calls: 'some',
    hangIsHit: true,
    unloads: true,
    countsWorkers: true,
    takesTurns: true,
  },
  'exit-with-work': {
    ...plain,
    summary: 'Workers, then the process, exit while calls are pending.',
    calls: 'some',
    hangIsHit: true,
    unloads: true,
    countsWorkers: true,
    takesTurns: true,
  },
  'main-and-worker': {
    ...plain,
    summary: 'A worker loads and calls, exits, then the main thread loads and calls; then the reverse.',
    calls: 'some',
    hangIsHit: true,
    takesTurns: true,
  },
  sequential: {
    ...plain,
    summary: 'Calls follow one another on the main thread.',
    calls: 'all',
    countsCalls: true,
    growsWithCalls: true,
    takesTurns: true,
  },
  concurrent: {
    ...plain,
    summary: 'All calls are started before the first is awaited, on the main thread.',
    calls: 'all',
    countsCalls: true,
    growsWithCalls: true,
    takesTurns: true,
  },
  'workers-call': {
    ...plain,
    summary: 'Workers load the target and call it at the same time.',
    calls: 'all',
    countsWorkers: true,
    countsCalls: true,
    growsWithCalls: true,
    takesTurns: true,
  },
  mutate: { ...inFlight, summary: 'The buffer of a pending call is overwritten.' },
  transfer: { ...inFlight, summary: 'The buffer of a pending call is transferred to a worker, which writes to it.' },
  detach: { ...inFlight, summary: 'The buffer of a pending call is detached and its memory collected.' },
  overlap: {
    ...plain,
    summary: 'Two calls run on one instance before the first is awaited.',
    calls: 'all',
    countsCalls: true,
  },
  'gc-churn': {
    ...plain,
    summary: 'Owners are dropped and collected, then what they handed out is used.',
    calls: 'all',
    needsGc: true,
  },
  'thenable-twice': {
    ...plain,
    summary: 'Callbacks and thenables are settled twice, methods are called on a wrong receiver.',
    calls: 'all',
  },
  command: { ...plain, summary: 'A program is run as it is, with sanitizer options set.' },
};

/** Every scenario, in the order of {@link scenarioNames}. */
export const scenarios: readonly Scenario[] = scenarioNames.map((name) => ({
  name,
  ...table[name],
}));

/** The scenario of that name. */
export function getScenario(name: ScenarioName): Scenario {
  return { name, ...table[name] };
}

/** Narrows a user's text to a scenario name. */
export function isScenarioName(text: string): text is ScenarioName {
  return scenarioNames.some((name) => name === text);
}
