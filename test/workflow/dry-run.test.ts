import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateWorkflow, type WorkflowOptions } from '../../src/dynamic/workflow/generate.js';

/**
 * A small stand-in for the runner: it takes the Linux jobs of a generated workflow and executes their very scripts in bash, with the
 * files and variables that GitHub gives them. Actions are replaced by what they do to the disk.
 */

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
  readonly 'continue-on-error'?: boolean;
}

interface Job {
  readonly steps: readonly Step[];
  readonly outputs?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, string | readonly string[]>> };
}

interface Workflow {
  readonly env: Readonly<Record<string, string>>;
  readonly on: {
    readonly workflow_dispatch: { readonly inputs: Readonly<Record<string, { readonly default: string }>> };
  };
  readonly jobs: Readonly<Record<string, Job>>;
}

interface Context {
  readonly inputs: Readonly<Record<string, string>>;
  readonly matrix: Readonly<Record<string, string>>;
  readonly needs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly steps: Record<string, { outputs: Record<string, string>; outcome: string }>;
  readonly index: number;
}

class Runner {
  private readonly artifacts: string;
  readonly log: string[] = [];
  summary = '';

  constructor(
    private readonly folder: string,
    private readonly repository: string,
    private readonly tool: string,
  ) {
    this.artifacts = join(folder, 'artifacts');
    mkdirSync(this.artifacts, { recursive: true });
  }

  dispatch(text: string, given: Readonly<Record<string, string>>): void {
    // The generator's own output, linted elsewhere.
    const workflow = parse(text) as Workflow;
    const inputs = Object.fromEntries(
      Object.entries(workflow.on.workflow_dispatch.inputs).map(([name, { default: value }]) => [
        name,
        given[name] ?? value,
      ]),
    );
    const needs: Record<string, Record<string, string>> = {};
    for (const [name, job] of Object.entries(workflow.jobs)) {
      const matrices = this.expand(job, { inputs, matrix: {}, needs, steps: {}, index: 0 });
      matrices.forEach((matrix, index) => {
        const context: Context = { inputs, matrix, needs, steps: {}, index };
        this.runJob(workflow, name, job, context);
        needs[name] = Object.fromEntries(
          Object.entries(job.outputs ?? {}).map(([key, value]) => [key, evaluate(value, context)]),
        );
      });
    }
  }

  private expand(job: Job, context: Context): readonly Readonly<Record<string, string>>[] {
    let list: Record<string, string>[] = [{}];
    for (const [name, value] of Object.entries(job.strategy?.matrix ?? {})) {
      const values = typeof value === 'string' ? (JSON.parse(evaluate(value, context)) as string[]) : value;
      list = list.flatMap((entry) => values.map((item) => ({ ...entry, [name]: item })));
    }
    return list;
  }

  private runJob(workflow: Workflow, name: string, job: Job, context: Context): void {
    const workspace = join(this.folder, `${name}-${context.index}`);
    const temporary = join(this.folder, `${name}-${context.index}-temp`);
    mkdirSync(workspace);
    mkdirSync(temporary);
    const paths: string[] = [];
    for (const step of job.steps) {
      if (step.uses !== undefined) {
        this.emulate(step, workspace, context);
        continue;
      }
      const files = Object.fromEntries(
        ['GITHUB_OUTPUT', 'GITHUB_PATH', 'GITHUB_STEP_SUMMARY'].map((key) => {
          const path = join(temporary, key);
          writeFileSync(path, '');
          return [key, path];
        }),
      );
      const own = { ...workflow.env, ...step.env };
      const env = Object.fromEntries(Object.entries(own).map(([key, value]) => [key, evaluate(value, context)]));
      const result = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run ?? ''], {
        cwd: workspace,
        encoding: 'utf8',
        env: {
          PATH: [...paths, process.env['PATH'] ?? ''].join(delimiter),
          HOME: temporary,
          LIFETIME_LINT_CACHE: join(this.folder, 'cache'),
          RUNNER_TEMP: temporary,
          ...files,
          ...env,
          ...('TOOL' in env ? { TOOL: this.tool } : {}),
        },
      });
      this.log.push(`${name} ${context.index} ${step.name ?? ''}: ${result.status}\n${result.stdout}${result.stderr}`);
      const outputs = Object.fromEntries(
        readFileSync(files['GITHUB_OUTPUT'] ?? '', 'utf8')
          .split('\n')
          .filter((line) => line.includes('='))
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
      paths.push(
        ...readFileSync(files['GITHUB_PATH'] ?? '', 'utf8')
          .split('\n')
          .filter((line) => line !== ''),
      );
      this.summary += readFileSync(files['GITHUB_STEP_SUMMARY'] ?? '', 'utf8');
      const failed = result.status !== 0;
      if (step.id !== undefined) context.steps[step.id] = { outputs, outcome: failed ? 'failure' : 'success' };
      if (failed && step['continue-on-error'] !== true) throw new Error(this.log.at(-1));
    }
  }

  private emulate(step: Step, workspace: string, context: Context): void {
    const [action = ''] = (step.uses ?? '').split('@');
    const given = (name: string): string => evaluate(String(step.with?.[name] ?? ''), context);
    if (action === 'actions/checkout') {
      execFileSync('git', ['clone', '--quiet', this.repository, workspace]);
      if (given('ref') !== '') execFileSync('git', ['checkout', '--quiet', given('ref')], { cwd: workspace });
    } else if (action === 'actions/upload-artifact') {
      const source = join(workspace, given('path'));
      if (!existsSync(source)) throw new Error(`Nothing to upload from ${source}.`);
      cpSync(source, join(this.artifacts, given('name')), { recursive: true });
    } else if (action === 'actions/download-artifact') {
      const prefix = given('pattern').replace('*', '');
      for (const name of readdirSync(this.artifacts).filter((candidate) => candidate.startsWith(prefix))) {
        cpSync(join(this.artifacts, name), join(workspace, given('path'), name), { recursive: true });
      }
    } else if (action !== 'actions/setup-node' && action !== 'github/codeql-action/upload-sarif') {
      throw new Error(`The action '${action}' is not known here.`);
    }
  }

  read(artifact: string, file: string): unknown {
    return JSON.parse(readFileSync(join(this.artifacts, artifact, file), 'utf8'));
  }
}

/** The few expressions that the generator writes. */
function evaluate(text: string, { inputs, matrix, needs, steps, index }: Context): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => {
    const inner = /^fromJSON\((.*)\)$/.exec(expression)?.[1] ?? expression;
    const [scope, first = '', second = '', third = ''] = inner.split('.');
    if (scope === 'inputs') return inputs[first] ?? '';
    if (scope === 'matrix') return matrix[first] ?? '';
    if (scope === 'needs') return needs[first]?.[third] ?? '';
    if (scope === 'steps') return (second === 'outcome' ? steps[first]?.outcome : steps[first]?.outputs[third]) ?? '';
    if (inner === 'strategy.job-index') return String(index);
    throw new Error(`The expression '${expression}' is not known here.`);
  });
}

const options: WorkflowOptions = {
  name: 'Dry run',
  systems: ['ubuntu-latest'],
  nodes: ['20'],
  tool: 'lifetime-lint@0.1.0',
  subject: { kind: 'commits', run: { command: './out/app' } },
  build: './build.sh',
  amplifier: 'none',
  runs: 4,
  firstGood: false,
  confidence: 0.95,
  mostShards: 10,
  minutes: 10,
  codeScanning: true,
};

describe.skipIf(process.platform !== 'linux')('the scripts of the Linux variant, executed', () => {
  let folder = '';
  let tool = '';
  const repository = (): string => join(folder, 'repository');
  const git = (...args: readonly string[]): string =>
    execFileSync('git', [...args], {
      cwd: repository(),
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: folder,
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@example.org',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@example.org',
      },
    }).trim();
  const commits: string[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'workflow-dry-run-'));
    // The package that the workflow installs is a shim for the command that was built here.
    const shim = join(folder, 'shim');
    mkdirSync(shim);
    writeFileSync(
      join(shim, 'package.json'),
      JSON.stringify({ name: 'lifetime-lint', version: '0.1.0', bin: { 'lifetime-lint': 'cli.sh' } }),
    );
    writeFileSync(join(shim, 'cli.sh'), `#!/bin/sh\nexec node '${join(root, 'dist', 'cli.js')}' "$@"\n`);
    chmodSync(join(shim, 'cli.sh'), 0o755);
    tool = join(
      shim,
      execFileSync('npm', ['pack', '--silent'], { cwd: shim, encoding: 'utf8' }).trim().split('\n').at(-1) ?? '',
    );

    mkdirSync(repository());
    git('init', '--quiet', '--initial-branch=main');
    const build = join(repository(), 'build.sh');
    for (let index = 0; index < 7; index++) {
      // The fourth does not build, the fifth is the first that crashes.
      const body = index === 3 ? 'exit 3' : 'mkdir -p out; cp app out/app';
      writeFileSync(build, `#!/bin/sh\n# ${index}\n${body}\n`);
      writeFileSync(join(repository(), 'app'), `#!/bin/sh\n${index >= 4 ? 'kill -SEGV $$' : 'exit 0'}\n`);
      chmodSync(build, 0o755);
      chmodSync(join(repository(), 'app'), 0o755);
      git('add', '.');
      git('commit', '--quiet', '-m', `change ${index}`);
      commits.push(git('rev-parse', 'HEAD'));
    }
  }, 60_000);
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('bisects a range of commits in shards and combines them into one answer', () => {
    const runner = new Runner(mkdtempSync(join(folder, 'range-')), repository(), tool);
    runner.dispatch(generateWorkflow(options), { range: `${commits[0]}..main` });
    expect(runner.summary).toContain(`'${commits[4]?.slice(0, 12)}' is the first bad commit`);
    expect(runner.summary).toContain('it does not build');
    const answer = runner.read('answer', 'answer.json');
    expect(answer).toMatchObject({
      schema: 1,
      platforms: [{ system: 'ubuntu-latest', node: '20', bisection: { status: 'found', firstBad: commits[4] } }],
    });
    // Three bad commits, one result of SARIF each.
    expect(runner.read('answer', 'merged.sarif')).toMatchObject({
      version: '2.1.0',
      runs: [
        { results: [{ ruleId: 'run/memory-fault' }, { ruleId: 'run/memory-fault' }, { ruleId: 'run/memory-fault' }] },
      ],
    });
  }, 180_000);

  it('runs a list, and one commit', () => {
    const list = new Runner(mkdtempSync(join(folder, 'list-')), repository(), tool);
    list.dispatch(generateWorkflow(options), { list: `${commits[2]}, ${commits[5]}` });
    expect(list.summary).toContain(`'${commits[5]?.slice(0, 12)}' is the first bad commit`);
    const one = new Runner(mkdtempSync(join(folder, 'one-')), repository(), tool);
    one.dispatch(generateWorkflow(options), { one: 'main' });
    expect(one.summary).toContain('It was reproduced on ubuntu-latest with Node 20.');
  }, 180_000);

  it('does not execute what is typed into the form', () => {
    const proof = join(folder, 'proof');
    for (const inputs of [
      { one: `$(touch ${proof})` },
      { list: `main"; touch ${proof}; "` },
      { range: `a..b; touch ${proof}` },
    ]) {
      const runner = new Runner(mkdtempSync(join(folder, 'typed-')), repository(), tool);
      expect(() => {
        runner.dispatch(generateWorkflow(options), inputs);
      }).toThrow(/is not a commit of this repository/);
    }
    const runner = new Runner(mkdtempSync(join(folder, 'runs-')), repository(), tool);
    runner.dispatch(generateWorkflow(options), { one: 'main', runs: `1; touch ${proof}` });
    expect(runner.summary).toContain('could not be run');
    expect(existsSync(proof)).toBe(false);
  }, 180_000);

  it('reproduces a command of the repository without a bisection', () => {
    const runner = new Runner(mkdtempSync(join(folder, 'command-')), repository(), tool);
    runner.dispatch(generateWorkflow({ ...options, subject: { kind: 'command', command: './out/app' } }), {});
    expect(runner.summary).toContain('| ubuntu-latest | 20 | 3 | 3 |');
    expect(runner.read('answer', 'answer.json')).toMatchObject({
      answer: ['It was reproduced on ubuntu-latest with Node 20.'],
    });
  }, 180_000);
});
