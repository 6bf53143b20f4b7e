import type { Log, Result } from 'sarif';
import { hitClasses } from './crash-class.js';
import type { ReproReport, ScenarioReport } from './reproduce.js';
import { formatPercent } from './statistics.js';
import { hashText } from './value.js';

const ruleId = (name: string): string => `run/${name}`;

const summaries: Readonly<Record<(typeof hitClasses)[number], string>> = {
  'guard-page': 'Memory was touched after it had been freed, or past its end.',
  sanitizer: 'A sanitizer reported an error.',
  valgrind: 'Valgrind reported an error.',
  'v8-check': 'An invariant of V8 was broken.',
  'node-api-fatal': 'Node-API stopped the process.',
  'heap-corruption': 'The allocator found its heap corrupted.',
  'runtime-assertion': 'An assertion of the runtime or of the program failed.',
  'rust-abort': 'Rust stopped the process.',
  'cpp-terminate': 'C++ stopped the process.',
  'memory-fault': 'The process read, wrote or jumped to memory that is not there.',
  trap: 'The process ran into an instruction that is none, or into a trap.',
  'arithmetic-fault': 'The processor refused an arithmetic instruction.',
  'stack-overflow': 'The stack overflowed.',
  'fail-fast': 'Windows stopped the process.',
  abort: 'The process aborted.',
  hang: 'The process never ended.',
  'early-exit': 'The process ended before its work was done.',
  'changed-value': 'A call returned another value than it should.',
};

function describeResult(report: ReproReport, scenario: ScenarioReport, uri: string): Result {
  const { hit, name, runs, hits, rate, amplifier } = scenario;
  const found = hit?.class ?? 'abort';
  return {
    ruleId: ruleId(found),
    ruleIndex: hitClasses.findIndex((candidate) => candidate === found),
    level: 'error',
    kind: 'fail',
    message: {
      text: `'${report.target}' fails in scenario '${name}' in ${hits} of ${runs} runs (${formatPercent(rate[0])} to ${formatPercent(rate[1])}) on ${report.platform}: ${hit?.detail ?? found}.`,
    },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri },
          region: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 },
        },
      },
    ],
    partialFingerprints: { 'lifetimeLintRun/v1': hashText(`${report.target}\0${name}\0${found}`) },
    properties: {
      verdict: scenario.verdict,
      scenario: name,
      runs,
      hits,
      rate: [...rate],
      amplifier,
      workers: scenario.workers,
      platform: report.platform,
      stage: hit?.stage ?? '',
      signal: hit?.signal ?? '',
      exitCode: hit?.exitCode ?? 0,
      lines: [...(hit?.lines ?? [])],
    },
  };
}

/**
 * SARIF of a run: one result for each scenario that reproduced, and a notification for each that could not be tested. `uri` is
 * the file that stands for the target (a driver or a manifest), relative to the working folder: every result needs a place.
 */
export function renderReproSarif(
  report: ReproReport,
  uri: string,
  tool: { readonly name: string; readonly version: string; readonly url: string },
): string {
  const untested = report.scenarios.filter(({ verdict }) => verdict === 'untestable');
  const log: Log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: tool.name,
            version: tool.version,
            semanticVersion: tool.version,
            informationUri: tool.url,
            rules: hitClasses.map((name) => ({
              id: ruleId(name),
              name: name.replace(/(?:^|-)(\w)/g, (_match, letter: string) => letter.toUpperCase()),
              shortDescription: { text: summaries[name] },
              fullDescription: { text: summaries[name] },
              help: { text: `${summaries[name]} See docs/dynamic.md for what a run can tell about its cause.` },
              defaultConfiguration: { level: 'error' },
            })),
          },
        },
        automationDetails: { id: `${tool.name}-repro/` },
        columnKind: 'utf16CodeUnits',
        invocations: [
          {
            executionSuccessful: true,
            toolExecutionNotifications: untested.map(({ name, reason }) => ({
              level: 'note',
              message: { text: `The scenario '${name}' was not run: ${reason ?? 'nothing could be tested'}.` },
            })),
          },
        ],
        results: report.scenarios
          .filter(({ verdict }) => verdict === 'reproduced')
          .map((scenario) => describeResult(report, scenario, uri)),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}
