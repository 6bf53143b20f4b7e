import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { readPlan } from '../dynamic/experiment/plan.js';
import { renderExperiment, renderExperimentJson, renderExperimentMarkdown } from '../dynamic/experiment/report.js';
import { runExperiment } from '../dynamic/experiment/run-experiment.js';
import { UsageError } from '../model/usage-error.js';
import type { Io } from './io.js';
import { createRunProgress, untilInterrupted } from './run-progress.js';
import { prepareOutputFile, writeOutput } from './output-file.js';

interface Flags {
  readonly runs?: string;
  readonly format: 'terminal' | 'json' | 'markdown';
  readonly outputFile?: string;
}

export function register(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('experiment')
    .description('run variants of one target side by side and tell which differences are real')
    .argument('<plan>', 'JSON file with a base, its variants and the number of runs (docs/bisect.md)')
    .option('--runs <number>', 'runs of each variant, instead of the number in the plan')
    .addOption(
      new Option('--format <name>', 'how to report').choices(['terminal', 'json', 'markdown']).default('terminal'),
    )
    .option('--output-file <file>', 'where the report goes, instead of the standard output')
    .action(async (path: string, flags: Flags) => {
      exit(await run(path, flags, io));
    });
}

async function run(path: string, flags: Flags, io: Io): Promise<number> {
  const plan = readPlan(resolve(io.cwd, path));
  if ('error' in plan) throw new UsageError(plan.error);
  const runs = flags.runs === undefined ? plan.runs : Number(flags.runs);
  if (!Number.isInteger(runs) || runs < 1)
    throw new UsageError(`--runs expects a whole number above 0, not '${flags.runs ?? ''}'.`);
  prepareOutputFile(flags.outputFile, io);
  const progress = createRunProgress(io);
  const interruption = untilInterrupted(io);
  const began = performance.now();
  try {
    const report = await runExperiment(
      { ...plan, runs },
      {
        cwd: io.cwd,
        signal: interruption.signal,
        onStep: (text) => progress.say(text),
        onRun: (done, of, hits) => {
          const leftMs = ((performance.now() - began) / done) * (of - done);
          progress.update({ scenario: 'command', amplifier: 'none', done, of, hits, leftMs });
        },
      },
    );
    progress.clear();
    if ('error' in report) throw new UsageError(report.error);
    const text =
      flags.format === 'json'
        ? renderExperimentJson(report)
        : flags.format === 'markdown'
          ? renderExperimentMarkdown(report)
          : renderExperiment(report);
    writeOutput(text, flags.outputFile, io);
    return interruption.exitCode() ?? 0;
  } finally {
    progress.clear();
    interruption.dispose();
  }
}
