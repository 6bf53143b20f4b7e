import { actions, uses } from './pinned-actions.js';

/** What a workflow runs, checked; everything that reaches a shell from here goes through an environment variable or is a plain word. */
export interface WorkflowOptions {
  readonly name: string;
  readonly systems: readonly string[];
  readonly nodes: readonly string[];
  /** npm specifier of this tool. */
  readonly tool: string;
  readonly subject:
    | { readonly kind: 'target'; readonly target: string }
    | { readonly kind: 'command'; readonly command: string }
    | { readonly kind: 'versions'; readonly package: string; readonly range?: string }
    | {
        readonly kind: 'commits';
        readonly run: { readonly target: string } | { readonly command: string };
        readonly range?: string;
      };
  readonly build?: string;
  readonly scenario?: string;
  readonly workers?: number;
  readonly calls?: number;
  readonly timeout?: number;
  readonly amplifier?: string;
  readonly driver?: string;
  readonly inputs?: string;
  readonly runs: number;
  readonly firstGood: boolean;
  readonly confidence: number;
  /** Most versions or commits of one dispatch; GitHub takes 256 jobs of a matrix. */
  readonly mostShards: number;
  readonly minutes: number;
  readonly codeScanning: boolean;
}

/** A double-quoted YAML scalar; JSON's strings are a subset of YAML's. */
const quote = (text: string): string => JSON.stringify(text);

const indent = (text: string, depth: number): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? '' : `${' '.repeat(depth)}${line}`))
    .join('\n');

/** `${{ … }}`, spelt without a template literal that would be read as one of ours. */
const expression = (text: string): string => `\${{ ${text} }}`;

/** The text of a workflow file. */
export function generateWorkflow(options: WorkflowOptions): string {
  const { subject } = options;
  const sharded = subject.kind === 'versions' || subject.kind === 'commits';
  const jobs = [...(sharded ? [planJob(options)] : []), runJob(options, sharded), combineJob(options, sharded)];
  return `# Written by lifetime-lint workflow; run it from the Actions tab or with 'gh workflow run'.
name: ${quote(options.name)}

on:
  workflow_dispatch:
    inputs:
${indent(inputs(options), 6)}

permissions:
  contents: read

defaults:
  run:
    shell: bash

env:
  TOOL: ${quote(options.tool)}

jobs:
${jobs.map((job) => indent(job, 2)).join('\n\n')}
`;
}

function input(name: string, description: string, value: string): string {
  return `${name}:
  description: ${quote(description)}
  required: false
  type: string
  default: ${quote(value)}`;
}

function inputs({ subject, runs }: WorkflowOptions): string {
  const list: string[] = [];
  if (subject.kind === 'target')
    list.push(input('target', 'Package with version, or a path in the repository', subject.target));
  if (subject.kind === 'versions' || subject.kind === 'commits') {
    const one = subject.kind === 'versions' ? 'version' : 'commit';
    list.push(
      input('one', `One ${one}`, ''),
      input('list', `Several ${one}s, oldest first, separated by commas`, ''),
      input('range', `A range of ${one}s, OLDER..NEWER`, subject.range ?? ''),
    );
  }
  list.push(input('runs', 'Runs of each job', String(runs)));
  return list.join('\n');
}

const installTool = `- name: Install lifetime-lint
  run: |
    mkdir -p "$RUNNER_TEMP/lifetime-lint"
    npm install --prefix "$RUNNER_TEMP/lifetime-lint" --no-save --ignore-scripts --no-audit --no-fund "$TOOL"
    echo "$RUNNER_TEMP/lifetime-lint/node_modules/.bin" >> "$GITHUB_PATH"`;

const setupNode = (version: string): string => `- uses: ${uses(actions.setupNode)}
  with:
    node-version: ${version}
    package-manager-cache: false`;

function checkout(lines: readonly string[]): string {
  return [
    `- uses: ${uses(actions.checkout)}`,
    '  with:',
    ...lines.map((line) => `    ${line}`),
    '    persist-credentials: false',
  ].join('\n');
}

/** Turns what was dispatched into a list of versions or full commit hashes, so that no job sees unchecked text. */
function planJob({ subject, mostShards, nodes }: WorkflowOptions): string {
  const steps = [
    ...(subject.kind === 'commits' ? [checkout(['fetch-depth: 0'])] : []),
    setupNode(quote(nodes[0] ?? '22')),
    installTool,
    `- name: List what is to be run
  id: plan
  env:
    ONE: ${expression('inputs.one')}
    LIST: ${expression('inputs.list')}
    RANGE: ${expression('inputs.range')}${subject.kind === 'versions' ? `\n    PACKAGE: ${quote(subject.package)}` : ''}
  run: |
    lifetime-lint workflow plan ${subject.kind === 'versions' ? '--package "$PACKAGE" ' : ''}--one "$ONE" --list "$LIST" --range "$RANGE" --most ${mostShards} >> "$GITHUB_OUTPUT"`,
  ];
  return `plan:
  name: Plan
  runs-on: ubuntu-latest
  timeout-minutes: 10
  outputs:
    shards: ${expression('steps.plan.outputs.shards')}
  steps:
${indent(steps.join('\n'), 4)}`;
}

function runJob(options: WorkflowOptions, sharded: boolean): string {
  const { subject, systems, nodes, minutes } = options;
  const shard = sharded ? `\n    shard: ${expression('fromJSON(needs.plan.outputs.shards)')}` : '';
  const title = sharded
    ? `${expression('matrix.shard')} on ${expression('matrix.os')}, Node ${expression('matrix.node')}`
    : `${expression('matrix.os')}, Node ${expression('matrix.node')}`;
  const steps = [
    checkout(subject.kind === 'commits' ? [`ref: ${expression('matrix.shard')}`] : ['fetch-depth: 1']),
    setupNode(expression('matrix.node')),
    installTool,
    ...(options.build === undefined ? [] : [buildStep(options.build, sharded)]),
    runStep(options, sharded),
    `- name: Keep the evidence
  if: always()
  uses: ${uses(actions.uploadArtifact)}
  with:
    name: shard-${expression('strategy.job-index')}
    path: evidence
    if-no-files-found: error
    retention-days: 14`,
  ];
  return `run:
  name: ${title}${sharded ? '\n  needs: plan' : ''}
  strategy:
    fail-fast: false
    matrix:
      os: [${systems.map(quote).join(', ')}]
      node: [${nodes.map(quote).join(', ')}]${indent(shard, 2)}
  runs-on: ${expression('matrix.os')}
  timeout-minutes: ${minutes}
  steps:
${indent(steps.join('\n'), 4)}`;
}

/** A commit that does not build is skipped and said; anything else that does not build is a failure. */
function buildStep(build: string, sharded: boolean): string {
  return `- name: Build
  id: build${sharded ? '\n  continue-on-error: true' : ''}
  env:
    BUILD: ${quote(build)}
  run: bash -eo pipefail -c "$BUILD"`;
}

function runStep(options: WorkflowOptions, sharded: boolean): string {
  const { subject } = options;
  const env: string[] = [
    `SHARD: ${sharded ? expression('matrix.shard') : '""'}`,
    `SYSTEM: ${expression('matrix.os')}`,
    `NODE: ${expression('matrix.node')}`,
    `RUNS: ${expression('inputs.runs')}`,
  ];
  let target = '"$TARGET"';
  if (subject.kind === 'target') env.push(`TARGET: ${expression('inputs.target')}`);
  else if (subject.kind === 'versions') {
    env.push(`PACKAGE: ${quote(subject.package)}`);
    target = '"$PACKAGE@$SHARD"';
  } else {
    const run = subject.kind === 'command' ? { command: subject.command } : subject.run;
    if ('command' in run) {
      env.push(`COMMAND: ${quote(run.command)}`);
      target = '--command "$COMMAND"';
    } else env.push(`TARGET: ${quote(run.target)}`);
  }
  if (options.driver !== undefined) env.push(`DRIVER: ${quote(options.driver)}`);
  if (options.inputs !== undefined) env.push(`INPUTS: ${quote(options.inputs)}`);
  if (options.build !== undefined && sharded) env.push(`BUILT: ${expression('steps.build.outcome')}`);
  const flags = [
    ...(options.scenario === undefined ? [] : [`--scenario ${options.scenario}`]),
    ...(options.workers === undefined ? [] : [`--workers ${options.workers}`]),
    ...(options.calls === undefined ? [] : [`--calls ${options.calls}`]),
    ...(options.timeout === undefined ? [] : [`--timeout ${options.timeout}`]),
    ...(options.amplifier === undefined ? [] : [`--amplifier ${options.amplifier}`]),
    ...(options.driver === undefined ? [] : ['--driver "$DRIVER"']),
    ...(options.inputs === undefined ? [] : ['--inputs "$INPUTS"']),
    '--runs "$RUNS"',
    '--evidence evidence/crash',
    '--format json --output-file evidence/result.json',
  ];
  const failed =
    options.build !== undefined && sharded
      ? `
if [ "$BUILT" = failure ]; then
  echo "::warning::$SHARD does not build, so it says nothing."
  exit 0
fi`
      : '';
  // In a bisection a version that cannot be loaded is an answer; alone, it is a mistake of whoever asked.
  const unable = sharded
    ? 'echo "::warning::$SHARD could not be run, so it says nothing."'
    : 'echo "::error::It could not be run."\n  exit "$code"';
  return `- name: Run
  env:
${indent(env.join('\n'), 4)}
  run: |
${indent(
  `mkdir -p evidence
node -e 'require("node:fs").writeFileSync("evidence/shard.json", JSON.stringify({ version: process.env.SHARD, system: process.env.SYSTEM, node: process.env.NODE, built: process.env.BUILT ?? "" }))'${failed}
code=0
lifetime-lint repro ${target} ${flags.join(' ')} || code=$?
echo "repro ended with exit code $code: 0 is not reproduced, 1 reproduced, 2 could not run."
if [ "$code" -gt 1 ]; then
  ${unable}
fi`,
  4,
)}`;
}

function combineJob(options: WorkflowOptions, sharded: boolean): string {
  const { firstGood, confidence, codeScanning, nodes } = options;
  const env = sharded ? `\n  env:\n    SHARDS: ${expression('needs.plan.outputs.shards')}` : '';
  const flags = [
    ...(sharded ? ['--order "$SHARDS"', `--confidence ${confidence}`] : []),
    ...(sharded && firstGood ? ['--first-good'] : []),
    '--json combined/answer.json',
    '--sarif combined/merged.sarif',
  ];
  const steps = [
    // Code scanning takes its results for a commit of the work tree.
    ...(codeScanning ? [checkout(['fetch-depth: 1'])] : []),
    setupNode(quote(nodes[0] ?? '22')),
    installTool,
    `- name: Fetch the shards
  uses: ${uses(actions.downloadArtifact)}
  with:
    pattern: shard-*
    path: shards`,
    `- name: Combine them into one answer${env}
  run: |
    lifetime-lint workflow combine shards ${flags.join(' ')} | tee -a "$GITHUB_STEP_SUMMARY"`,
    `- name: Keep the answer
  uses: ${uses(actions.uploadArtifact)}
  with:
    name: answer
    path: combined
    if-no-files-found: error
    retention-days: 30`,
    ...(codeScanning
      ? [
          `- name: Show it under code scanning
  uses: ${uses(actions.uploadSarif)}
  with:
    sarif_file: combined/merged.sarif
    category: lifetime-lint-repro`,
        ]
      : []),
  ];
  const needs = sharded ? '[plan, run]' : '[run]';
  const condition = sharded ? "!cancelled() && needs.plan.result == 'success'" : '!cancelled()';
  return `combine:
  name: Combine
  needs: ${needs}
  if: ${expression(condition)}
  runs-on: ubuntu-latest
  timeout-minutes: 10
  permissions:
    contents: read${codeScanning ? '\n    security-events: write' : ''}
  steps:
${indent(steps.join('\n'), 4)}`;
}
