import { writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { nearestName } from '../catalog/nearest-name.js';
import { readCatalog } from '../catalog/read-catalog.js';
import type { Config } from '../config/config.js';
import { readBaseline, readConfig } from '../config/read-config.js';
import { resolveInputs, type Discovered } from '../discover/inputs.js';
import { reasonOf } from '../discover/list-files.js';
import { compareSeverity } from '../engine/levels.js';
import type { Audience, Confidence, ScanResult, Severity } from '../model/finding.js';
import { UsageError } from '../model/usage-error.js';
import { summaryLine } from '../report/counts.js';
import { formatNames, formats, isFormatName, type FormatName } from '../report/formats.js';
import type { ReportInput } from '../report/report.js';
import { rules } from '../rules/index.js';
import { scan } from '../scan.js';
import { wantsColor, widthOf, type Io } from './io.js';
import { prepareOutputFile } from './output-file.js';
import { createProgress } from './progress.js';
import { readToolInfo } from './tool-info.js';
import { makeFolder } from '../discover/make-folder.js';

interface ScanFlags {
  readonly config?: string;
  readonly printConfig?: true;
  readonly minSeverity?: Severity;
  readonly minConfidence?: Confidence;
  readonly failOn?: Severity;
  readonly maxWarnings?: number;
  readonly audience?: Audience;
  readonly exitZero?: true;
  readonly quiet?: true;
  readonly color?: boolean;
  readonly statistics?: true;
  readonly reportSuppressed?: true;
}

/** One `--format` with the `--output-file` behind it; without a file it goes to the standard output. */
interface Destination {
  readonly format: FormatName;
  readonly file?: string;
}

export function register(program: Command, io: Io, exit: (code: number) => void): void {
  const outputs = collectOutputs();
  program
    .command('scan', { isDefault: true })
    .description('look for lifetime bugs (the default command)')
    .argument('[paths...]', 'files and folders; by default the current folder')
    .addOption(new Option('--format <name>', `${formatNames.join(', ')}; repeatable`).argParser(outputs.addFormat))
    .addOption(
      new Option('--output-file <file>', 'where the format before it goes, instead of the standard output').argParser(
        outputs.addFile,
      ),
    )
    .addOption(new Option('--config <file>', 'use this configuration file').argParser(readFileName))
    .option('--print-config', 'print the configuration that a scan would use, and stop')
    .addOption(new Option('--min-severity <level>', 'hide findings below it').choices(['note', 'warning', 'error']))
    .addOption(new Option('--min-confidence <level>', 'hide findings below it').choices(['low', 'medium', 'high']))
    .addOption(
      new Option('--fail-on <level>', 'exit with 1 for findings at or above it (default: warning)').choices([
        'note',
        'warning',
        'error',
      ]),
    )
    .addOption(
      new Option('--max-warnings <number>', 'exit with 1 only when there are more warnings').argParser(readCount),
    )
    .addOption(
      new Option('--audience <who>', "'audit' also shows what only a reviewer needs").choices(['everyone', 'audit']),
    )
    .option('--exit-zero', 'exit with 0 whatever is found')
    .option('-q, --quiet', 'print findings only, no gaps and no summary')
    .option('--color', 'use colours')
    .option('--no-color', 'use no colours')
    .option('--statistics', 'print counts and times per rule')
    .option('--report-suppressed', 'include suppressed findings')
    .action(async (paths: string[], flags: ScanFlags) => {
      exit(await runScan(paths, flags, outputs.finish(), io));
    });
}

async function runScan(
  paths: readonly string[],
  flags: ScanFlags,
  outputs: readonly Destination[],
  io: Io,
): Promise<number> {
  const inputs = resolveInputs(paths, io.cwd);
  const catalog = readCatalog();
  const config = await readScanConfig(inputs, paths, flags, catalog.ids, io);
  if (flags.printConfig === true) {
    io.stdout.write(`${JSON.stringify(config, null, 2)}\n`);
    return 0;
  }
  // Said before the scan and not after it.
  for (const { file } of outputs) prepareOutputFile(file, io);
  const progress = createProgress(io);
  const { result, textOf } = await scan({
    inputs,
    config,
    rules,
    baseline: readBaseline(config, inputs.base),
    onProgress: progress.update,
  });
  progress.clear();
  const report: ReportInput = {
    result,
    catalog,
    tool: readToolInfo(),
    textOf,
    options: {
      color: wantsColor(flags.color, io),
      columns: widthOf(io),
      quiet: flags.quiet ?? false,
      reportSuppressed: flags.reportSuppressed ?? false,
      statistics: flags.statistics ?? false,
    },
  };
  const failed: string[] = [];
  for (const output of outputs) {
    try {
      await write(output, report, io, flags.color);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      // The other reports are written all the same.
      failed.push(error.message);
    }
  }
  if (failed.length > 0) throw new UsageError(failed.join('\n'));
  if (outputs.every(({ file }) => file !== undefined) && flags.quiet !== true)
    io.stderr.write(`${summaryLine(result)}\n`);
  return exitCodeOf(result, config, flags);
}

async function readScanConfig(
  inputs: Discovered,
  paths: readonly string[],
  flags: ScanFlags,
  ruleIds: readonly string[],
  io: Io,
): Promise<Config> {
  const config = await readConfig({
    base: inputs.base,
    cwd: io.cwd,
    paths,
    file: flags.config === undefined ? undefined : resolve(io.cwd, flags.config),
    ruleIds,
  });
  return {
    ...config,
    minSeverity: flags.minSeverity ?? config.minSeverity,
    minConfidence: flags.minConfidence ?? config.minConfidence,
    failOn: flags.failOn ?? config.failOn,
    audience: flags.audience ?? config.audience,
  };
}

/** 2 when a rule failed, 1 when something is found at or above the threshold, else 0. */
function exitCodeOf({ findings, gaps }: ScanResult, { failOn }: Config, { maxWarnings, exitZero }: ScanFlags): number {
  if (gaps.some(({ kind }) => kind === 'internal')) return 2;
  if (exitZero === true) return 0;
  const failing = findings.filter(({ severity }) => compareSeverity(severity, failOn) >= 0);
  if (maxWarnings === undefined) return failing.length > 0 ? 1 : 0;
  // With a number of warnings allowed, warnings are judged by their number alone.
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  return failing.some(({ severity }) => severity !== 'warning') || warnings > maxWarnings ? 1 : 0;
}

async function write(
  { format, file }: Destination,
  report: ReportInput,
  io: Io,
  color: boolean | undefined,
): Promise<void> {
  const render = await formats[format]();
  if (file === undefined) {
    io.stdout.write(render(report));
    return;
  }
  // A file has no terminal: colours only when they were asked for.
  const text = render({ ...report, options: { ...report.options, color: color ?? false } });
  const path = resolve(io.cwd, file);
  try {
    makeFolder(dirname(path));
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`The output file '${file}' could not be written: ${reasonOf(error)}.`);
  }
}

/** Pairs each `--output-file` with the `--format` before it, in the order of the command line. */
function collectOutputs(): {
  readonly addFormat: (name: string) => void;
  readonly addFile: (file: string) => void;
  readonly finish: () => readonly Destination[];
} {
  const outputs: Destination[] = [];
  return {
    addFormat(name) {
      if (!isFormatName(name)) {
        const nearest = nearestName(name, formatNames);
        throw new InvalidArgumentError(
          `The formats are ${formatNames.join(', ')}${nearest === undefined ? '' : `; the nearest is '${nearest}'`}.`,
        );
      }
      outputs.push({ format: name });
    },
    addFile(file) {
      const last = outputs.pop() ?? { format: 'terminal' };
      if (last.file !== undefined)
        throw new InvalidArgumentError(`The format '${last.format}' already goes to '${last.file}'.`);
      readFileName(file);
      const rival = outputs.find((other) => other.file !== undefined && resolve(other.file) === resolve(file));
      if (rival)
        throw new InvalidArgumentError(
          `The formats '${rival.format}' and '${last.format}' would both go to '${file}'.`,
        );
      outputs.push({ ...last, file });
    },
    finish() {
      if (outputs.length === 0) return [{ format: 'terminal' }];
      const printed = outputs.filter(({ file }) => file === undefined);
      if (printed.length > 1) {
        const names = printed.map(({ format }) => `'${format}'`).join(' and ');
        throw new UsageError(
          `The formats ${names} would both go to the standard output; put an --output-file behind all but one.`,
        );
      }
      return outputs;
    },
  };
}

function readFileName(text: string): string {
  if (text === '') throw new InvalidArgumentError('The name of a file is expected.');
  return text;
}

function readCount(text: string): number {
  if (!/^\d+$/u.test(text)) throw new InvalidArgumentError('A number of warnings is expected, such as 0 or 10.');
  return Number(text);
}
