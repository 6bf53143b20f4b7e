import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { readCatalog } from '../catalog/read-catalog.js';
import { readBaseline, readConfig } from '../config/read-config.js';
import { resolveInputs } from '../discover/inputs.js';
import { reasonOf } from '../discover/list-files.js';
import { toolEnvironment } from '../dynamic/environment.js';
import { readEvidenceFile, toEntry, writeEvidenceFile, type EvidenceEntry } from '../dynamic/evidence-file.js';
import { addReachableExports } from '../dynamic/napi-exports.js';
import { renderCallPlan } from '../dynamic/render-repro.js';
import { readReproFlags, type ReproFlags } from '../dynamic/repro-flags.js';
import type { ReproOptions } from '../dynamic/reproduce.js';
import { makeScratchFolder } from '../dynamic/scratch-folder.js';
import { verify, type PlannedStep, type VerifyResult } from '../dynamic/verify.js';
import type { Evidence, Finding, ScanResult } from '../model/finding.js';
import { UsageError } from '../model/usage-error.js';
import { formatNames, formats, isFormatName } from '../report/formats.js';
import { rules } from '../rules/index.js';
import { scan } from '../scan.js';
import { wantsColor, widthOf, type Io } from './io.js';
import { prepareOutputFile, writeOutput } from './output-file.js';
import { collect } from './repro.js';
import { createRunProgress, untilInterrupted } from './run-progress.js';
import { readToolInfo } from './tool-info.js';

interface Flags extends ReproFlags {
  readonly package?: string;
  readonly addon?: string;
  readonly build?: string;
  readonly artifacts?: string;
  readonly config?: string;
  readonly format?: string;
  readonly outputFile?: string;
  readonly color?: boolean;
}

export function register(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('verify')
    .description('scan, then run what can confirm the findings')
    .argument('[paths...]', 'files and folders; by default the current folder')
    .option('--package <name@version>', 'the published package that is built from these sources')
    .option('--addon <path>', 'the built addon, or the folder of its package')
    .option('--command <command>', 'a program built from these sources')
    .option('--build <command>', 'run this first, in the current folder')
    .option('--evidence <file>', 'keep results there, and use what it holds instead of running again')
    .option('--artifacts <folder>', 'keep backtraces, reports and output of crashes there')
    .option('--runs <number>', 'plain runs of each scenario (default: 20)')
    .option('--workers <number>', 'workers (default: 8; import goes on to 16 and 32)')
    .option('--calls <number>', 'calls of a run, or of each worker (default: 8)')
    .option('--timeout <seconds>', 'time limit of one run (default: 20)')
    .option('--amplifier <name>', "auto, none, or a name from docs/dynamic.md (default: 'auto')")
    .option('--driver <file>', 'ES module that loads and calls the target')
    .option('--inputs <folder>', 'sample files for calls')
    .option('--env <name=value>', 'set in the environment of the children; repeatable', collect)
    .option('--allow-scripts', 'let the package run its install scripts')
    .option('--config <file>', 'use this configuration file')
    .addOption(new Option('--format <name>', 'how to report').choices(formatNames).default('terminal'))
    .option('--output-file <file>', 'where the report goes, instead of the standard output')
    .option('--color', 'use colours')
    .option('--no-color', 'use no colours')
    .action(async (paths: string[], flags: Flags) => {
      exit(await runVerify(paths, flags, io));
    });
}

/** What is to be run, from the three flags that name it; undefined when none does. */
function readTarget(flags: Flags, io: Io): ReproOptions | undefined {
  const named = [flags.package, flags.addon, flags.command].filter((value) => value !== undefined);
  if (named.length > 1) throw new UsageError('Name one of --package, --addon and --command.');
  if (named.length === 0) return undefined;
  // The evidence of `repro` is a folder, that of `verify` a file: its folder has a flag of its own.
  const { package: name, addon, artifacts, ...shared } = flags;
  const rest: ReproFlags & { evidence?: string } = { ...shared };
  delete rest.evidence;
  if (artifacts !== undefined) rest.evidence = artifacts;
  const options = readReproFlags(name ?? addon, rest, io.cwd);
  if ('error' in options) throw new UsageError(options.error);
  return options;
}

function runBuild(command: string, io: Io): void {
  io.stderr.write(`Building: ${command}\n`);
  // Asked for by name, so it runs as the user's own shell would run it, without what only secrets need.
  const result = spawnSync(command, {
    cwd: io.cwd,
    shell: true,
    stdio: ['ignore', 2, 2],
    env: toolEnvironment(process.env),
    timeout: 3_600_000,
  });
  if (result.status !== 0)
    throw new UsageError(
      `The build command '${command}' failed (${result.signal ?? `exit code ${result.status}`}); mend it, or build by hand and leave --build out.`,
    );
}

async function runVerify(paths: readonly string[], flags: Flags, io: Io): Promise<number> {
  prepareOutputFile(flags.outputFile, io);
  prepareOutputFile(flags.evidence, io, 'evidence file');
  if (flags.build !== undefined) runBuild(flags.build, io);
  const target = readTarget(flags, io);
  const evidenceFile = flags.evidence === undefined ? undefined : resolve(io.cwd, flags.evidence);
  const stored = evidenceFile === undefined ? { entries: [] } : readEvidenceFile(evidenceFile);
  if ('error' in stored) throw new UsageError(stored.error);

  const inputs = resolveInputs(paths, io.cwd);
  const catalog = readCatalog();
  const config = await readConfig({
    base: inputs.base,
    cwd: io.cwd,
    paths,
    file: flags.config === undefined ? undefined : resolve(io.cwd, flags.config),
    ruleIds: catalog.ids,
  });
  const scanned = await scan({ inputs, config, rules, baseline: readBaseline(config, inputs.base) });
  const progress = createRunProgress(io);
  const interruption = untilInterrupted(io);
  const label = flags.package ?? flags.addon ?? flags.command ?? '';
  const scenarioNames = new Map(rules.map(({ meta }) => [meta.id, meta.scenarios]));
  // Which finding a crash points at is told by its backtrace, also where nobody wants to keep that.
  const scratch = target === undefined || target.evidence !== undefined ? undefined : makeScratchFolder('verify');
  let verified: VerifyResult;
  try {
    verified = await verify({
      findings: await addReachableExports(scanned.result.findings, inputs),
      scenariosOfRule: (ruleId) => scenarioNames.get(ruleId) ?? [],
      repro:
        target === undefined
          ? undefined
          : {
              ...target,
              ...(scratch === undefined ? {} : { evidence: scratch.path }),
              signal: interruption.signal,
              onProgress: progress.update,
              onStep: progress.say,
              onCallPlan: (plan) => progress.say(renderCallPlan(plan, flags.inputs).trimEnd()),
            },
      host: { platform: process.platform, arch: process.arch },
      stored: stored.entries,
      target: label,
      onPlan: (steps) => progress.say(describePlan(steps)),
    });
  } finally {
    progress.clear();
    interruption.dispose();
    scratch?.remove();
  }
  if (scratch !== undefined) verified = withoutArtifactsIn(scratch.path, verified);
  const result: ScanResult = { ...scanned.result, findings: verified.findings };
  try {
    await writeReport(result, scanned.textOf, flags, catalog, io);
  } finally {
    if (evidenceFile !== undefined) store(evidenceFile, stored.entries, verified, label);
  }
  io.stderr.write(`${summarise(verified)}\n`);
  const code = exitCodeOf(verified, target !== undefined);
  return code === 1 ? code : (interruption.exitCode() ?? code);
}

/** The result without paths of files that are no more. */
function withoutArtifactsIn(folder: string, verified: VerifyResult): VerifyResult {
  const strip = ({ artifacts = [], ...rest }: Evidence): Evidence => {
    const kept = artifacts.filter((path) => !path.startsWith(folder));
    return kept.length === 0 ? rest : { ...rest, artifacts: kept };
  };
  return {
    ...verified,
    findings: verified.findings.map((finding) =>
      finding.evidence === undefined ? finding : { ...finding, evidence: finding.evidence.map(strip) },
    ),
    judged: verified.judged.map(({ finding, evidence }) => ({ finding, evidence: strip(evidence) })),
  };
}

function describePlan(steps: readonly PlannedStep[]): string {
  return [
    'Planned:',
    ...steps.map(
      ({ scenario, findings }) =>
        `  ${scenario} for ${findings.length} ${findings.length === 1 ? 'finding' : 'findings'} (${[...new Set(findings.map(({ ruleId }) => ruleId))].join(', ')})`,
    ),
  ].join('\n');
}

function store(file: string, before: readonly EvidenceEntry[], verified: VerifyResult, target: string): void {
  const source = {
    target,
    platform: `${process.platform}-${process.arch}`,
    toolVersion: readToolInfo().version,
    when: new Date().toISOString(),
  };
  const fresh = verified.judged.map(({ finding, evidence }) => toEntry(finding, evidence, source));
  const key = (entry: EvidenceEntry): string =>
    [entry.fingerprint, entry.target, entry.platform, entry.scenario ?? ''].join('\0');
  const replaced = new Set(fresh.map(key));
  try {
    writeEvidenceFile(file, [...before.filter((entry) => !replaced.has(key(entry))), ...fresh]);
  } catch (error) {
    throw new UsageError(`The evidence file '${file}' could not be written: ${reasonOf(error)}.`);
  }
}

async function writeReport(
  result: ScanResult,
  textOf: (path: string) => string | undefined,
  flags: Flags,
  catalog: ReturnType<typeof readCatalog>,
  io: Io,
): Promise<void> {
  const format = flags.format ?? 'terminal';
  if (!isFormatName(format)) throw new UsageError(`There is no format '${format}'.`);
  const render = await formats[format]();
  const color = flags.outputFile === undefined ? wantsColor(flags.color, io) : (flags.color ?? false);
  const text = render({
    result,
    catalog,
    tool: readToolInfo(),
    textOf,
    options: { color, columns: widthOf(io), quiet: false, reportSuppressed: false, statistics: false },
  });
  writeOutput(text, flags.outputFile, io);
}

function verdictOf(finding: Finding): 'confirmed' | 'not-reproduced' | 'not-run' {
  return finding.evidence?.[0]?.verdict ?? 'not-run';
}

/** `4 findings: 1 confirmed, 2 not reproduced, 1 not run (1 from the evidence file).` */
function summarise({ findings, reused, interrupted }: VerifyResult): string {
  const count = (verdict: string): number => findings.filter((finding) => verdictOf(finding) === verdict).length;
  const kept = reused === 0 ? '' : ` (${reused} from the evidence file)`;
  const cut = interrupted ? ' It was interrupted.' : '';
  return `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}: ${count('confirmed')} confirmed, ${count('not-reproduced')} not reproduced, ${count('not-run')} not run${kept}.${cut}`;
}

/** 1 when something is confirmed, 2 when nothing could be run although there were findings, else 0. */
export function exitCodeOf({ findings, error }: Pick<VerifyResult, 'findings' | 'error'>, hasTarget: boolean): number {
  const verdicts = findings.map(verdictOf);
  if (verdicts.includes('confirmed')) return 1;
  if (findings.length === 0 || verdicts.includes('not-reproduced')) return 0;
  return hasTarget && error === undefined ? 0 : 2;
}
