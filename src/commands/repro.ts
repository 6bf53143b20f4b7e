import { existsSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { Option, type Command } from 'commander';
import { homeUrl } from '../catalog/catalog.js';
import { renderCallPlan, renderRepro, renderReproJson } from '../dynamic/render-repro.js';
import { renderReproSarif } from '../dynamic/repro-sarif.js';
import { readReproFlags, type ReproFlags } from '../dynamic/repro-flags.js';
import { reproduce, type ReproOptions, type ReproReport } from '../dynamic/reproduce.js';
import { scenarios } from '../dynamic/scenario.js';
import { UsageError } from '../model/usage-error.js';
import type { Io } from './io.js';
import { prepareOutputFile, writeOutput } from './output-file.js';
import { createRunProgress, untilInterrupted } from './run-progress.js';
import { readToolInfo } from './tool-info.js';

interface Flags extends ReproFlags {
  readonly format?: 'terminal' | 'json' | 'sarif';
  readonly outputFile?: string;
  readonly minimise?: string;
}

/** Collects a repeatable option. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export function register(program: Command, io: Io, exit: (code: number) => void): void {
  const command = program
    .command('repro')
    .description('run a package, an addon or a program until it is clear whether it crashes')
    .argument('[target]', "a package ('rollup@4.28.1'), an addon file, a package folder or a driver")
    .option('--command <command>', 'run a program instead')
    .option('--scenario <name>', `${scenarios.map(({ name }) => name).join(', ')}, or all; repeatable`, collect)
    .option('--runs <number>', 'plain runs of each scenario (default: 20)')
    .option('--workers <number>', 'workers (default: 8; import goes on to 16 and 32)')
    .option('--calls <number>', 'calls of a run, or of each worker (default: 8)')
    .option('--timeout <seconds>', 'time limit of one run (default: 20)')
    .option('--amplifier <name>', "auto, none, or a name from docs/dynamic.md (default: 'auto')")
    .option('--driver <file>', 'ES module that loads and calls the target')
    .option('--inputs <folder>', 'sample files for calls')
    .option('--env <name=value>', 'set in the environment of the children; repeatable', collect)
    .option('--twin <target>', 'a known-good twin: what it returns is expected, and where it ends a hang counts')
    .option('--seed <number>', 'seed of the first run (default: 1)')
    .option('--node <file>', 'the Node that runs the target')
    .option('--until-crash', 'run on until the first crash')
    .option('--min-calls', 'find the smallest number of calls, or of workers, that still crashes')
    .option('--main-loads', 'the main thread loads the target before any worker does')
    .option('--no-differential', 'leave out the runs that tell whether a crash comes from unloading')
    .option('--allow-scripts', 'let the package run its install scripts')
    .option('--evidence <folder>', 'keep a backtrace, reports and output of the first crash there')
    .option('--minimise <folder>', 'write a stand-alone reproduction there when it crashes')
    .addOption(
      new Option('--format <name>', 'how to report').choices(['terminal', 'json', 'sarif']).default('terminal'),
    )
    .option('--output-file <file>', 'where the report goes, instead of the standard output');
  command.action(async (target: string | undefined, flags: Flags) => {
    exit(await runRepro(target, flags, io));
  });
}

async function runRepro(target: string | undefined, flags: Flags, io: Io): Promise<number> {
  const options = readReproFlags(target, flags, io.cwd);
  if ('error' in options) throw new UsageError(options.error);
  prepareOutputFile(flags.outputFile, io);
  prepareOutputFile(flags.minimise, io, 'folder');
  const progress = createRunProgress(io);
  const interruption = untilInterrupted(io);
  try {
    const report = await reproduce({
      ...options,
      signal: interruption.signal,
      onProgress: progress.update,
      onStep: (text) => progress.say(text),
      onCallPlan: (plan) => progress.say(renderCallPlan(plan, flags.inputs).trimEnd()),
    });
    progress.clear();
    if ('error' in report) throw new UsageError(report.error);
    writeOutput(render(report, flags, options, io), flags.outputFile, io);
    if (flags.minimise !== undefined) {
      await minimiseInto(
        resolve(io.cwd, flags.minimise),
        report,
        { ...options, signal: interruption.signal },
        progress.say,
      );
    }
    if (report.verdict === 'reproduced') return 1;
    return interruption.exitCode() ?? (report.verdict === 'untestable' ? 2 : 0);
  } finally {
    progress.clear();
    interruption.dispose();
  }
}

/** Writes the stand-alone reproduction; when there is none to write, the report above still stands. */
async function minimiseInto(
  folder: string,
  report: ReproReport,
  options: ReproOptions,
  say: (text: string) => void,
): Promise<void> {
  const { minimiseReport } = await import('../dynamic/minimise/from-report.js');
  const result = await minimiseReport(report, { ...options, onStep: say }, folder);
  if ('error' in result) {
    say(result.error);
    return;
  }
  say(`Wrote ${result.folder}: '${result.command}' crashes in ${result.hits} of ${result.runs} runs there.`);
  for (const note of result.notes) say(note);
}

function render(report: ReproReport, flags: Flags, options: ReproOptions, io: Io): string {
  if (flags.format === 'json') return renderReproJson(report);
  if (flags.format === 'sarif')
    return renderReproSarif(report, findPlace(options, io.cwd), { ...readToolInfo(), url: homeUrl });
  return renderRepro(report);
}

/** A file that stands for the target in a report that needs one. */
function findPlace(options: ReproOptions, cwd: string): string {
  const { spec, driver } = options;
  const files = [
    driver,
    spec.kind === 'driver' || spec.kind === 'addon' ? spec.file : undefined,
    spec.kind === 'folder' ? join(spec.folder, 'package.json') : undefined,
    join(cwd, 'package.json'),
  ];
  const found = files.find((file) => file !== undefined && existsSync(file)) ?? join(cwd, 'package.json');
  return relative(cwd, found).split(sep).join('/');
}
