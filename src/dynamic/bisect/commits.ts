import { existsSync, rmSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { makeFolder } from '../../discover/make-folder.js';
import { cacheFolder } from '../cache.js';
import { toolEnvironment } from '../environment.js';
import { runBounded } from '../process-group.js';
import { entrust } from '../reaper.js';
import { runOnce, type RunPlan } from '../run.js';
import { planSingle, type RunSettings } from '../single-plan.js';
import { parseTarget, prepareTarget } from '../target.js';
import { resultOf } from './run-result.js';
import type { Tester } from './tester.js';

interface Failure {
  readonly error: string;
}

/** Runs git in a folder; resolves with its standard output or one sentence. */
export async function runGit(
  args: readonly string[],
  cwd: string,
  timeoutMs = 120_000,
): Promise<{ readonly stdout: string } | Failure> {
  const record = await runBounded({
    file: 'git',
    args,
    cwd,
    env: { ...toolEnvironment(process.env), GIT_TERMINAL_PROMPT: '0' },
    timeoutMs,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  if (record.reason === 'spawn-error') return { error: 'git could not be started; install it.' };
  if (record.reason === 'exit' && record.exitCode === 0) return { stdout: record.stdout };
  const line = record.stderr
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^fatal: /u, '')
    .replace(/\.$/u, '');
  return { error: `'git ${args[0] ?? ''}' failed: ${line === undefined || line === '' ? record.reason : line}.` };
}

/**
 * The commits of `GOOD..BAD` along the first parents, the good one first. Where the good commit is not on that line, every commit
 * between the two is taken, in topological order.
 */
export async function findCommits(range: string, cwd: string): Promise<readonly string[] | Failure> {
  const [good, bad, ...rest] = range.split('..');
  if (good === undefined || bad === undefined || good === '' || bad === '' || bad.startsWith('.') || rest.length > 0) {
    return { error: `'${range}' is not a range of commits; write GOOD..BAD.` };
  }
  const ends: string[] = [];
  for (const end of [good, bad]) {
    const resolved = await runGit(['rev-parse', '--verify', '--quiet', '--end-of-options', `${end}^{commit}`], cwd);
    if ('error' in resolved)
      return { error: `'${end}' is not a commit of this repository; fetch it or name another one.` };
    ends.push(resolved.stdout.trim());
  }
  const [from = '', to = ''] = ends;
  for (const extra of [['--first-parent'], ['--topo-order', '--ancestry-path']]) {
    const listed = await runGit(['rev-list', '--reverse', ...extra, to, `^${from}`], cwd);
    if ('error' in listed) return listed;
    const commits = listed.stdout.split('\n').filter((line) => line !== '');
    const [first] = commits;
    if (first === undefined) continue;
    const parents = await runGit(['rev-list', '--parents', '-n', '1', first], cwd);
    if ('error' in parents) return parents;
    if (extra[0] !== '--first-parent' || parents.stdout.trim().split(' ')[1] === from) return [from, ...commits];
  }
  return { error: `No commit leads from '${good}' to '${bad}'; the good one must be an ancestor of the bad one.` };
}

/**
 * Removes what the build of another commit made, so that a build that makes nothing is not judged by it. Whatever git tracks is that of
 * this commit and stays.
 */
async function removeStale(folder: string, run: CommitTesterOptions['run']): Promise<void> {
  const [word = ''] = 'command' in run ? run.command.trim().split(/\s+/) : [run.path];
  const file = resolve(folder, word);
  const within = relative(folder, file);
  if (!/[./\\]/.test(word) || within.startsWith('..') || isAbsolute(within)) return;
  if (!existsSync(file) || !statSync(file).isFile()) return;
  const tracked = await runGit(['ls-files', '--error-unmatch', '--', within], folder);
  if ('error' in tracked) rmSync(file, { force: true });
}

export interface CommitTesterOptions {
  readonly settings: RunSettings;
  readonly repository: string;
  readonly commits: readonly string[];
  /** Shell command that builds a commit, in its root; absent when there is nothing to build. */
  readonly build?: string;
  readonly buildTimeoutMs: number;
  /** Shell command that is run, or the path of an addon, folder or driver inside the work tree. */
  readonly run: { readonly command: string } | { readonly path: string };
  readonly signal?: AbortSignal;
  readonly onStep?: (text: string) => void;
}

/** Commits of a repository, built one after the other in a work tree of their own; `close` removes it. */
export async function createCommitTester(
  options: CommitTesterOptions,
): Promise<(Tester & { close(): Promise<void> }) | Failure> {
  const digest = createHash('sha256').update(options.repository).digest('hex').slice(0, 12);
  const folder = join(cacheFolder(), 'worktrees', `lifetime-lint-${digest}-${process.pid}`);
  makeFolder(join(folder, '..'));
  const release = entrust(`f:${folder}`);
  const added = await runGit(
    ['worktree', 'add', '--detach', '--force', folder, options.commits[0] ?? 'HEAD'],
    options.repository,
  );
  if ('error' in added) return { error: `The work tree for the bisection could not be made. ${added.error}` };

  let current: { readonly index: number; readonly plan: RunPlan } | undefined;
  let seed = options.settings.options.seed ?? 1;
  return {
    estimate: { prepare: options.build === undefined ? 1 : 60, run: 2 },
    isPrepared: (index) => current?.index === index,
    async prepare(index) {
      const commit = options.commits[index] ?? '';
      current = undefined;
      const moved = await runGit(['checkout', '--quiet', '--force', '--detach', commit], folder);
      if ('error' in moved) return { skip: moved.error.replace(/\.$/u, '') };
      if (options.build !== undefined) {
        await removeStale(folder, options.run);
        options.onStep?.(`Building ${commit.slice(0, 12)}.`);
        const windows = process.platform === 'win32';
        const record = await runBounded({
          file: windows ? (process.env['ComSpec'] ?? 'cmd.exe') : '/bin/sh',
          args: windows ? ['/d', '/s', '/c', options.build] : ['-c', options.build],
          cwd: folder,
          env: toolEnvironment(process.env),
          timeoutMs: options.buildTimeoutMs,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
        if (record.reason !== 'exit' || record.exitCode !== 0) {
          const line = record.stderr.trim().split('\n').at(-1)?.slice(0, 160) ?? '';
          return {
            skip: `the build failed (${record.reason === 'exit' ? `exit code ${record.exitCode}` : record.reason}${line === '' ? '' : `: ${line}`})`,
          };
        }
      }
      const spec =
        'command' in options.run
          ? parseTarget(undefined, folder, options.run.command)
          : parseTarget(options.run.path, folder);
      const target = 'error' in spec ? spec : await prepareTarget(spec);
      if ('error' in target) return { skip: target.error.replace(/\.$/u, '') };
      const plan = await planSingle(target, options.settings);
      if ('error' in plan) return { skip: plan.error.replace(/\.$/u, '') };
      current = { index, plan };
      return 'ready';
    },
    async run(index) {
      if (current?.index !== index) return { kind: 'untestable', reason: 'it is not built', transient: false };
      return resultOf(await runOnce({ ...current.plan, seed: seed++ }, options.signal));
    },
    async close() {
      await runGit(['worktree', 'remove', '--force', folder], options.repository);
      rmSync(folder, { recursive: true, force: true });
      release();
      await runGit(['worktree', 'prune'], options.repository);
    },
  };
}
