/** The scenarios of the runner, in the order in which they are tried. `command` runs a program instead of a Node child. */
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
  /** Rules that the scenario can confirm. */
  readonly rules: readonly string[];
}

const table: Readonly<Record<ScenarioName, Omit<Scenario, 'name'>>> = {
  import: {
    summary: 'Workers load the target at the same time and exit; the main thread never loads it.',
    calls: 'none',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
    rules: [
      'unpinned-addon',
      'threads-outlive-addon',
      'allocator-in-addon',
      'loader-process-report',
      'addon-only-in-workers',
      'addon-not-context-aware',
    ],
  },
  reload: {
    summary: 'Workers load the target and exit, three times over.',
    calls: 'none',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
    rules: ['allocator-in-addon', 'handle-in-process-static', 'unpinned-addon', 'addon-only-in-workers'],
  },
  terminate: {
    summary: 'Workers are terminated while they load the target and while a call is pending.',
    calls: 'some',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
    rules: ['callback-without-teardown', 'terminate-during-native-work', 'threads-outlive-addon'],
  },
  'exit-with-work': {
    summary: 'Workers, then the process, exit while calls are pending.',
    calls: 'some',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
    rules: [
      'callback-without-teardown',
      'terminate-during-native-work',
      'threads-outlive-addon',
      'native-handle-undisposed',
    ],
  },
  'main-and-worker': {
    summary: 'A worker loads and calls, exits, then the main thread loads and calls; then the reverse.',
    calls: 'some',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
    rules: ['handle-in-process-static', 'callback-without-teardown', 'addon-not-context-aware'],
  },
  sequential: {
    summary: 'Calls follow one another on the main thread.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
    rules: [
      'use-after-release',
      'length-as-capacity',
      'foreign-allocator-free',
      'raw-round-trip-mismatch',
      'pointer-into-growable',
      'growth-while-borrowed',
      'borrow-outlives-owner',
      'forged-static-lifetime',
      'unbounded-lifetime',
    ],
  },
  concurrent: {
    summary: 'All calls are started before the first is awaited, on the main thread.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
    rules: ['use-after-release', 'handle-sent-across-threads', 'handle-dropped-off-thread', 'pointer-escapes-lock'],
  },
  'workers-call': {
    summary: 'Workers load the target and call it at the same time.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
    rules: ['handle-sent-across-threads', 'handle-in-process-static', 'use-after-release', 'pointer-escapes-lock'],
  },
  mutate: {
    summary: 'The buffer of a pending call is overwritten.',
    calls: 'all',
    needsBuffer: true,
    needsGc: true,
    hangIsHit: false,
    rules: ['buffer-across-await', 'buffer-off-thread', 'buffer-mutated-in-flight'],
  },
  transfer: {
    summary: 'The buffer of a pending call is transferred to a worker, which writes to it.',
    calls: 'all',
    needsBuffer: true,
    needsGc: true,
    hangIsHit: false,
    rules: ['buffer-across-await', 'buffer-off-thread', 'buffer-transferred-in-flight', 'pooled-buffer-transfer'],
  },
  detach: {
    summary: 'The buffer of a pending call is detached and its memory collected.',
    calls: 'all',
    needsBuffer: true,
    needsGc: true,
    hangIsHit: false,
    rules: ['buffer-across-await', 'buffer-off-thread', 'buffer-transferred-in-flight', 'whole-backing-store'],
  },
  overlap: {
    summary: 'Two calls run on one instance before the first is awaited.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
    rules: ['exclusive-self-across-await'],
  },
  'gc-churn': {
    summary: 'Owners are dropped and collected, then what they handed out is used.',
    calls: 'all',
    needsBuffer: false,
    needsGc: true,
    hangIsHit: false,
    rules: ['raw-pointer-in-class', 'foreign-retention', 'handle-dropped-off-thread', 'forged-static-lifetime'],
  },
  'thenable-twice': {
    summary: 'Callbacks and thenables are settled twice, methods are called on a wrong receiver.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
    rules: ['use-after-release', 'unwrap-without-type-tag'],
  },
  command: {
    summary: 'A program is run as it is, with sanitizer options set.',
    calls: 'none',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
    rules: [],
  },
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
