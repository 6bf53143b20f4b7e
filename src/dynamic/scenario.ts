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
}

const table: Readonly<Record<ScenarioName, Omit<Scenario, 'name'>>> = {
  import: {
    summary: 'Workers load the target at the same time and exit; the main thread never loads it.',
    calls: 'none',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
  },
  reload: {
    summary: 'Workers load the target and exit, three times over.',
    calls: 'none',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
  },
  terminate: {
    summary: 'Workers are terminated while they load the target and while a call is pending.',
    calls: 'some',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
  },
  'exit-with-work': {
    summary: 'Workers, then the process, exit while calls are pending.',
    calls: 'some',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
  },
  'main-and-worker': {
    summary: 'A worker loads and calls, exits, then the main thread loads and calls; then the reverse.',
    calls: 'some',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: true,
  },
  sequential: {
    summary: 'Calls follow one another on the main thread.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
  },
  concurrent: {
    summary: 'All calls are started before the first is awaited, on the main thread.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
  },
  'workers-call': {
    summary: 'Workers load the target and call it at the same time.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
  },
  mutate: {
    summary: 'The buffer of a pending call is overwritten.',
    calls: 'all',
    needsBuffer: true,
    needsGc: true,
    hangIsHit: false,
  },
  transfer: {
    summary: 'The buffer of a pending call is transferred to a worker, which writes to it.',
    calls: 'all',
    needsBuffer: true,
    needsGc: true,
    hangIsHit: false,
  },
  detach: {
    summary: 'The buffer of a pending call is detached and its memory collected.',
    calls: 'all',
    needsBuffer: true,
    needsGc: true,
    hangIsHit: false,
  },
  overlap: {
    summary: 'Two calls run on one instance before the first is awaited.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
  },
  'gc-churn': {
    summary: 'Owners are dropped and collected, then what they handed out is used.',
    calls: 'all',
    needsBuffer: false,
    needsGc: true,
    hangIsHit: false,
  },
  'thenable-twice': {
    summary: 'Callbacks and thenables are settled twice, methods are called on a wrong receiver.',
    calls: 'all',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
  },
  command: {
    summary: 'A program is run as it is, with sanitizer options set.',
    calls: 'none',
    needsBuffer: false,
    needsGc: false,
    hangIsHit: false,
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
