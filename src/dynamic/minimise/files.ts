import type { CallPlan, CallSpec } from '../call-plan.js';
import type { ScenarioName } from '../scenario.js';
import { argumentSource, type SourceNeeds } from './argument-source.js';

/** How the stand-alone program loads the target in its workers. */
export type LoadStyle = 'require' | 'import';

/** Everything that the minimiser may change about the program. */
export interface ProgramShape {
  readonly scenario: ScenarioName;
  /** What is imported: a package name, or a path relative to the program that starts with `./`. */
  readonly specifier: string;
  readonly workers: number;
  readonly calls: number;
  readonly cycles: number;
  readonly style: LoadStyle;
  /** Workers leave by `process.exit` instead of running out of work. */
  readonly exits: boolean;
  /** The main thread loads the target before any worker does. */
  readonly mainLoads: boolean;
  /** Calls made; undefined when the program only loads, or has a driver. */
  readonly callPlan?: CallPlan;
  /** A driver copied beside the program: `./driver.mjs`. */
  readonly driver?: string;
}

const loads: ReadonlySet<ScenarioName> = new Set(['import', 'reload', 'terminate']);
const collects: ReadonlySet<ScenarioName> = new Set(['mutate', 'transfer', 'detach', 'gc-churn']);

/** Flags of Node that the program needs. */
export function nodeFlagsOf(scenario: ScenarioName): readonly string[] {
  return collects.has(scenario) ? ['--expose-gc'] : [];
}

/** Whether the number of workers, or of calls, means something to the scenario. */
export function hasWorkers(scenario: ScenarioName): boolean {
  return loads.has(scenario) || scenario === 'exit-with-work' || scenario === 'workers-call';
}

export function hasCalls(scenario: ScenarioName): boolean {
  return !loads.has(scenario);
}

/** The files of the program by name: `main.mjs`, and a worker where the scenario has workers. */
export function programFiles(shape: ProgramShape): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const { scenario } = shape;
  if (loads.has(scenario)) {
    files.set('main.mjs', loadingMain(shape));
    files.set('worker.cjs', loadingWorker(shape));
  } else if (scenario === 'exit-with-work' || scenario === 'workers-call') {
    files.set('main.mjs', waitingMain(shape));
    files.set('worker.mjs', callingWorker(shape));
  } else if (scenario === 'main-and-worker') {
    files.set('main.mjs', alternatingMain(shape));
    files.set('worker.mjs', callingWorker(shape));
  } else {
    files.set('main.mjs', callingMain(shape));
  }
  return files;
}

const done = "console.log('It did not crash this time.');\n";

const startWorker = (file: string): string => `function start() {
  const worker = new Worker(new URL('./${file}', import.meta.url));
  const ended = new Promise((resolve) => worker.on('exit', resolve));
  worker.on('error', (error) => {
    console.error(error);
    process.exitCode = 1;
  });
  return { worker, ended };
}
`;

function loadingMain({ scenario, workers, cycles, specifier, mainLoads }: ProgramShape): string {
  const head = `import { Worker } from 'node:worker_threads';\n${mainLoads ? mainLoadSource(specifier) : ''}\n${startWorker('worker.cjs')}\n`;
  if (scenario === 'import') {
    return `${head}// Nothing loads it on the main thread, so it is unloaded with the last worker.
await Promise.all(Array.from({ length: ${workers} }, () => start().ended));
${done}`;
  }
  if (scenario === 'reload') {
    return `${head}for (let cycle = 1; cycle <= ${cycles}; cycle++) {
  await Promise.all(Array.from({ length: cycle === 1 ? 1 : ${Math.min(workers, 4)} }, () => start().ended));
}
${done}`;
  }
  return `${head}await Promise.all(
  Array.from({ length: ${workers} }, async (_, index) => {
    const { worker, ended } = start();
    // Some workers are ended while they load, some after it.
    await new Promise((resolve) => setTimeout(resolve, (index * 37) % 85));
    await worker.terminate();
    await ended;
  }),
);
${done}`;
}

function loadingWorker({ specifier, style, exits }: ProgramShape): string {
  const load = style === 'require' ? `require('${specifier}');\n` : '';
  if (style === 'require') return exits ? `${load}process.exit(0);\n` : load;
  return exits ? `import('${specifier}').then(() => process.exit(0));\n` : `import('${specifier}');\n`;
}

function waitingMain({ workers, specifier, mainLoads }: ProgramShape): string {
  return `import { Worker } from 'node:worker_threads';
${mainLoads ? mainLoadSource(specifier) : ''}
${startWorker('worker.mjs')}
await Promise.all(Array.from({ length: ${workers} }, () => start().ended));
// A thread that outlived its worker runs into what was unloaded.
await new Promise((resolve) => setTimeout(resolve, 100));
${done}`;
}

function alternatingMain(shape: ProgramShape): string {
  return `import { Worker } from 'node:worker_threads';

${startWorker('worker.mjs')}
await start().ended;
${callsSource(shape, true)}
for (let i = 0; i < ${shape.calls}; i++) await attempt(i);
await start().ended;
for (let i = 0; i < ${shape.calls}; i++) await attempt(i);
${done}`;
}

function callingWorker(shape: ProgramShape): string {
  if (shape.scenario === 'exit-with-work') {
    return `${callsSource(shape, false)}
for (let i = 0; i < ${shape.calls}; i++) attempt(i);
process.exit(0);
`;
  }
  return `${callsSource(shape, false)}
for (let i = 0; i < ${shape.calls}; i++) await attempt(i);
`;
}

function callingMain(shape: ProgramShape): string {
  const { scenario, calls } = shape;
  const head = callsSource(shape, false);
  switch (scenario) {
    case 'concurrent':
    case 'overlap':
      return `${head}
await Promise.all(Array.from({ length: ${calls} }, (_, i) => attempt(i)));
${done}`;
    case 'mutate':
      return disturbing(shape, head, 'for (const backing of taken) new Uint8Array(backing).fill(0xa5);');
    case 'transfer':
    case 'detach':
      return disturbing(
        shape,
        head,
        'for (const backing of taken) if (backing.byteLength > 0) structuredClone(backing, { transfer: [backing] });',
      );
    case 'gc-churn':
      return `${head}
for (let i = 0; i < ${calls}; i++) {
  await attempt(i);
  instances.clear();
  gc();
}
${done}`;
    default:
      return `${head}
for (let i = 0; i < ${calls}; i++) {
  console.log('call', i + 1);
  await attempt(i);
}
${done}`;
  }
}

/** Calls whose buffers are written to or taken away while they are pending; the returned values are compared. */
function disturbing({ calls }: ProgramShape, head: string, change: string): string {
  return `${head}
const text = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : JSON.stringify(value)) ?? String(value);
const expected = text(await attempt(0));
for (let i = 0; i < ${calls}; i++) {
  taken.length = 0;
  const pending = attempt(0);
  ${change}
  gc();
  const value = text(await pending);
  if (value !== expected) {
    console.error('The returned value changed:\\n  undisturbed:', expected.slice(0, 200), '\\n  disturbed:  ', value.slice(0, 200));
    process.exit(${CHANGED_VALUE_EXIT});
  }
}
${done}`;
}

/** The exit code by which the program says that a value changed; crashes have signals or codes of their own. */
export const CHANGED_VALUE_EXIT = 86;

/** An addon file cannot be imported, and a late load must not be hoisted above the first worker. */
function loadSource(specifier: string, late: boolean): string {
  if (specifier.endsWith('.node')) {
    return late
      ? `const { createRequire } = await import('node:module');\nconst target = createRequire(import.meta.url)('${specifier}');`
      : `import { createRequire } from 'node:module';\n\nconst target = createRequire(import.meta.url)('${specifier}');`;
  }
  return late ? `const target = await import('${specifier}');` : `import * as target from '${specifier}';`;
}

/** The line by which the main thread loads the target before its workers do. */
function mainLoadSource(specifier: string): string {
  return specifier.endsWith('.node')
    ? `import { createRequire } from 'node:module';\n\ncreateRequire(import.meta.url)('${specifier}');\n`
    : `import '${specifier}';\n`;
}

/** The part of a program that defines `attempt(i)`, which starts the i-th call and gives its promise. */
function callsSource(shape: ProgramShape, dynamic: boolean): string {
  const { specifier, callPlan, driver } = shape;
  if (driver !== undefined) {
    return `import { readdirSync, readFileSync } from 'node:fs';
import * as driver from '${driver}';

const taken = [];
const instances = new Map();
const folder = new URL('./inputs/', import.meta.url);
const read = () =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => {
      const bytes = Buffer.from(new Uint8Array(readFileSync(new URL(name, folder))).buffer);
      taken.push(bytes.buffer);
      return { name, bytes };
    });
const target = driver.load ? undefined : await import('${specifier}');
const context = driver.load ? await driver.load({ target: '${specifier}', worker: false }) : target;
const attempt = async (i) => driver.call(context, i, { inputs: read(), gc: globalThis.gc ?? (() => {}) });
`;
  }
  const load = loadSource(specifier, dynamic);
  if (callPlan === undefined || callPlan.calls.length === 0) {
    return `${load}\n\nconst instances = new Map();\nconst attempt = async () => void target;\n`;
  }
  const needs: SourceNeeds = { instances: new Set(), bytes: false };
  const lines = callPlan.calls.map((call) => `  () => ${callSource(call, needs)},`);
  const factories = factoriesSource(callPlan, needs);
  return `${load}

// Named exports that Node does not see in a CommonJS module are members of its default export.
const pick = (...path) => {
  const walk = (start) => path.reduce((value, name) => value?.[name], start);
  return walk(target) ?? walk(target.default);
};
const taken = [];
${needs.bytes ? 'const bytes = (length) => {\n  const backing = new ArrayBuffer(length);\n  new Uint8Array(backing).fill(7);\n  taken.push(backing);\n  return backing;\n};\n' : ''}const instances = new Map();
${factories}const calls = [
${lines.join('\n')}
];
const attempt = async (i) => {
  try {
    return await calls[i % calls.length]();
  } catch {
    // An error of JavaScript is an answer, not a crash.
    return 'threw';
  }
};
`;
}

function callSource(call: CallSpec, needs: SourceNeeds): string {
  const values = call.parameters.map((parameter) => argumentSource(parameter, needs)).join(', ');
  const path = call.path.map((name) => JSON.stringify(name)).join(', ');
  if (call.kind === 'function') return `pick(${path})(${values})`;
  if (call.kind === 'static') return `pick(${path}).${call.member ?? ''}(${values})`;
  const owner = call.path.join('.');
  needs.instances.add(owner);
  return `instance(${JSON.stringify(owner)}).${call.member ?? ''}(${values})`;
}

function factoriesSource(plan: CallPlan, needs: SourceNeeds): string {
  if (needs.instances.size === 0) return '';
  const made: string[] = [];
  const written = new Set<string>();
  // Making one class may need another.
  for (const name of needs.instances) {
    if (written.has(name)) continue;
    written.add(name);
    const spec = plan.classes.find((candidate) => candidate.name === name);
    if (spec === undefined) continue;
    const path = spec.path.map((part) => JSON.stringify(part)).join(', ');
    if (spec.constructorParameters !== undefined) {
      const values = spec.constructorParameters.map((parameter) => argumentSource(parameter, needs)).join(', ');
      made.push(`  ${JSON.stringify(name)}: () => new (pick(${path}))(${values}),`);
    } else {
      const factory = plan.calls.find((call) => call.name === spec.factory);
      if (factory !== undefined) made.push(`  ${JSON.stringify(name)}: () => ${callSource(factory, needs)},`);
    }
  }
  return `const factories = {
${made.join('\n')}
};
const instance = (name) => {
  if (!instances.has(name)) instances.set(name, factories[name]?.());
  return instances.get(name);
};
`;
}
