import { resolve } from 'node:path';
import type { Command } from 'commander';
import { isAmplifierName } from '../dynamic/amplifier.js';
import { isScenarioName } from '../dynamic/scenario.js';
import { combineShards, mergeSarif, readShards, renderCombined } from '../dynamic/workflow/combine.js';
import { generateWorkflow, type WorkflowOptions } from '../dynamic/workflow/generate.js';
import { planShards } from '../dynamic/workflow/plan-shards.js';
import { homeUrl } from '../catalog/catalog.js';
import { UsageError } from '../model/usage-error.js';
import type { Io } from './io.js';
import { readToolInfo } from './tool-info.js';
import { writeOutput } from './output-file.js';

interface Flags {
  readonly os: string;
  readonly node: string;
  readonly target?: string;
  readonly command?: string;
  readonly package?: string;
  readonly bisect?: boolean;
  readonly range?: string;
  readonly build?: string;
  readonly scenario?: string;
  readonly workers?: string;
  readonly calls?: string;
  readonly timeout?: string;
  readonly amplifier?: string;
  readonly driver?: string;
  readonly inputs?: string;
  readonly runs: string;
  readonly firstGood?: boolean;
  readonly confidence: string;
  readonly most: string;
  readonly minutes: string;
  readonly tool?: string;
  readonly name: string;
  readonly codeScanning: boolean;
  readonly outputFile?: string;
}

export function register(program: Command, io: Io): void {
  const command = program
    .command('workflow')
    .description('write a GitHub Actions workflow that runs a repro or a bisection on systems you do not have')
    .option('--os <list>', 'runners, separated by commas', 'ubuntu-latest,windows-latest,macos-latest')
    .option('--node <list>', 'Node versions, separated by commas', '22')
    .option('--target <target>', "what to run: a package ('rollup@4.28.1') or a path in the repository")
    .option('--command <command>', 'or: a program of the repository')
    .option('--package <name>', 'or: bisect the published versions of a package')
    .option('--bisect', 'bisect the commits of the repository with --target or --command')
    .option('--range <range>', 'default of the range that is bisected: OLDER..NEWER')
    .option('--build <command>', 'builds the repository before a run')
    .option('--scenario <name>', 'scenario of repro')
    .option('--workers <number>', 'workers of a run')
    .option('--calls <number>', 'calls of a run')
    .option('--timeout <seconds>', 'time limit of one run')
    .option('--amplifier <name>', 'auto, none, or a name from docs/dynamic.md')
    .option('--driver <file>', 'driver in the repository')
    .option('--inputs <folder>', 'sample files in the repository')
    .option('--runs <number>', 'runs of each job', '20')
    .option('--first-good', 'look for the version or commit that fixed it')
    .option('--confidence <share>', 'when a bisection counts as answered', '0.95')
    .option('--most <number>', 'versions or commits of one dispatch', '20')
    .option('--minutes <number>', 'time limit of a job', '60')
    .option('--tool <specifier>', 'npm specifier of lifetime-lint (default: this version)')
    .option('--name <text>', 'name of the workflow', 'Hunt a native crash')
    .option('--no-code-scanning', 'do not upload the SARIF to code scanning')
    .option('--output-file <file>', 'where it goes, for example .github/workflows/hunt.yml')
    .action((flags: Flags) => {
      writeOutput(generateWorkflow(readOptions(flags)), flags.outputFile, io);
    });
  registerPlan(command, io);
  registerCombine(command, io);
}

function registerPlan(command: Command, io: Io): void {
  interface PlanFlags {
    readonly package?: string;
    readonly one: string;
    readonly list: string;
    readonly range: string;
    readonly most: string;
  }
  command
    .command('plan')
    .description('list the shards of a dispatch as an output of a step; used by the workflow')
    .option('--package <name>', 'versions of this package, instead of commits')
    .option('--one <name>', 'one version or commit', '')
    .option('--list <names>', 'several, oldest first', '')
    .option('--range <range>', 'OLDER..NEWER', '')
    .option('--most <number>', 'most of them', '20')
    // Options before the word 'plan' are the parent's in Commander; those of the same name are read from both.
    .action(async (_: unknown, self: Command) => {
      const flags = self.optsWithGlobals<PlanFlags>();
      const own = self.opts<PlanFlags>();
      const shards = await planShards({
        one: own.one.trim(),
        list: own.list.trim(),
        range: (flags.range ?? own.range).trim(),
        most: readCount('most', flags.most),
        cwd: io.cwd,
        ...(flags.package === undefined ? {} : { package: flags.package }),
      });
      if ('error' in shards) throw new UsageError(shards.error);
      io.stdout.write(`shards=${JSON.stringify(shards)}\n`);
    });
}

function registerCombine(command: Command, io: Io): void {
  interface CombineFlags {
    readonly order?: string;
    readonly confidence: string;
    readonly firstGood?: boolean;
    readonly json?: string;
    readonly sarif?: string;
  }
  command
    .command('combine')
    .description('combine the shards of a run into one answer; used by the workflow')
    .argument('<folder>', 'holds a folder for each shard')
    .option('--order <json>', 'versions or commits, oldest first, as a JSON array')
    .option('--confidence <share>', 'when a bisection counts as answered', '0.95')
    .option('--first-good', 'look for where it was fixed')
    .option('--json <file>', 'writes the whole answer')
    .option('--sarif <file>', 'writes the merged SARIF')
    .action((folder: string, _: unknown, self: Command) => {
      const flags = self.optsWithGlobals<CombineFlags>();
      const shards = readShards(resolve(io.cwd, folder));
      if ('error' in shards) throw new UsageError(shards.error);
      const order = flags.order === undefined ? undefined : readOrder(flags.order);
      const combined = combineShards(shards, {
        firstGood: flags.firstGood === true,
        confidence: readShare(flags.confidence),
        ...(order === undefined ? {} : { order }),
      });
      if (flags.json !== undefined) writeOutput(`${JSON.stringify(combined, null, 2)}\n`, flags.json, io);
      if (flags.sarif !== undefined)
        writeOutput(mergeSarif(shards, { ...readToolInfo(), url: homeUrl }), flags.sarif, io);
      io.stdout.write(renderCombined(combined));
    });
}

function readOrder(text: string): readonly string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (!Array.isArray(parsed) || !parsed.every((entry) => typeof entry === 'string')) {
    throw new UsageError('--order expects a JSON array of names.');
  }
  return parsed;
}

const word = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

function readWords(name: string, text: string): readonly string[] {
  const list = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (list.length === 0) throw new UsageError(`--${name} needs at least one name.`);
  const wrong = list.find((entry) => !word.test(entry));
  if (wrong !== undefined) throw new UsageError(`--${name} expects plain names separated by commas, not '${wrong}'.`);
  return list;
}

function readCount(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} expects a whole number above 0, not '${text}'.`);
  return value;
}

function readShare(text: string): number {
  const value = Number(text);
  if (!(value >= 0.5 && value < 1)) throw new UsageError(`--confidence expects a share from 0.5 to 1, not '${text}'.`);
  return value;
}

/** Refuses what GitHub would evaluate: text of the command line goes into the file as it is. */
function plain(name: string, text: string): string {
  if (text.includes('${{'))
    throw new UsageError(`--${name} holds '\${{', which GitHub would evaluate; use a variable of the shell.`);
  if (/[\r\n]/.test(text)) throw new UsageError(`--${name} must be one line.`);
  return text;
}

function readSubject(flags: Flags): WorkflowOptions['subject'] {
  const { target, command } = flags;
  const range = flags.range === undefined ? {} : { range: plain('range', flags.range) };
  if (flags.package !== undefined) {
    if (target !== undefined || command !== undefined)
      throw new UsageError('Give --package, or what to run, not both.');
    if (!/^(?:@[a-z0-9-~][a-z0-9-._~]*\/)?[a-zA-Z0-9-~][a-zA-Z0-9-._~]*$/.test(flags.package)) {
      throw new UsageError(`'${flags.package}' is not the name of a package.`);
    }
    return { kind: 'versions', package: flags.package, ...range };
  }
  if ((target ?? command)?.trim() === '' || (target === undefined) === (command === undefined)) {
    throw new UsageError('Say what to run: --target, --command, or --package to bisect its versions.');
  }
  const run = target === undefined ? { command: plain('command', command ?? '') } : { target: plain('target', target) };
  if (flags.bisect === true) return { kind: 'commits', run, ...range };
  return 'command' in run ? { kind: 'command', command: run.command } : { kind: 'target', target: run.target };
}

function readOptions(flags: Flags): WorkflowOptions {
  const { scenario, amplifier } = flags;
  if (scenario !== undefined && !isScenarioName(scenario)) throw new UsageError(`There is no scenario '${scenario}'.`);
  if (amplifier !== undefined && amplifier !== 'auto' && !isAmplifierName(amplifier)) {
    throw new UsageError(`There is no amplifier '${amplifier}'.`);
  }
  const { name, version } = readToolInfo();
  const systems = readWords('os', flags.os);
  const nodes = readWords('node', flags.node);
  const mostShards = readCount('most', flags.most);
  const subject = readSubject(flags);
  const isSharded = subject.kind === 'versions' || subject.kind === 'commits';
  const jobs = systems.length * nodes.length * (isSharded ? mostShards : 1);
  if (jobs > 256) {
    throw new UsageError(
      `That may be ${jobs} jobs, and GitHub takes 256; lower --most, or name fewer systems or Node versions.`,
    );
  }
  return {
    name: plain('name', flags.name),
    systems,
    nodes,
    tool: plain('tool', flags.tool ?? `${name}@${version}`),
    subject,
    runs: readCount('runs', flags.runs),
    firstGood: flags.firstGood === true,
    confidence: readShare(flags.confidence),
    mostShards,
    minutes: readCount('minutes', flags.minutes),
    codeScanning: flags.codeScanning,
    ...(flags.build === undefined ? {} : { build: plain('build', flags.build) }),
    ...(scenario === undefined ? {} : { scenario }),
    ...(amplifier === undefined ? {} : { amplifier }),
    ...(flags.workers === undefined ? {} : { workers: readCount('workers', flags.workers) }),
    ...(flags.calls === undefined ? {} : { calls: readCount('calls', flags.calls) }),
    ...(flags.timeout === undefined ? {} : { timeout: readCount('timeout', flags.timeout) }),
    ...(flags.driver === undefined ? {} : { driver: plain('driver', flags.driver) }),
    ...(flags.inputs === undefined ? {} : { inputs: plain('inputs', flags.inputs) }),
  };
}
