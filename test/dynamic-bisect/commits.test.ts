import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCargoLock } from '../../src/dynamic/bisect/commit-boundary.js';
import { runCommandLine } from '../workflow/run-command-line.js';

const lock = (version: string): string =>
  `version = 4\n\n[[package]]\nname = "napi"\nversion = "${version}"\n\n[[package]]\nname = "serde"\nversion = "1.0.0"\n`;

it('reads the versions of a Cargo.lock, several of one crate too', () => {
  expect(readCargoLock(`${lock('3.0.0')}\n[[package]]\nname = "napi"\nversion = "2.1.0"\n`)).toEqual(
    new Map([
      ['napi', '2.1.0, 3.0.0'],
      ['serde', '1.0.0'],
    ]),
  );
});

describe.skipIf(process.platform === 'win32')('lifetime-lint bisect --commits', () => {
  let folder = '';
  let cache = '';
  const before = process.env['LIFETIME_LINT_CACHE'];
  const commits: string[] = [];
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
      cwd: folder,
      encoding: 'utf8',
    }).trim();

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'bisect-commits-'));
    cache = mkdtempSync(join(tmpdir(), 'bisect-cache-'));
    process.env['LIFETIME_LINT_CACHE'] = cache;
    git('init', '--quiet', '--initial-branch=main');
    for (let index = 0; index < 12; index++) {
      // The sixth does not build; the seventh brings the crash and another napi.
      writeFileSync(
        join(folder, 'build.sh'),
        `#!/bin/sh\n# ${index}\n${index === 5 ? 'echo no such crate >&2; exit 1' : 'cp app built'}\n`,
      );
      writeFileSync(join(folder, 'app'), `#!/bin/sh\n${index >= 6 ? 'kill -SEGV $$' : 'exit 0'}\n`);
      writeFileSync(join(folder, 'Cargo.lock'), lock(index >= 6 ? '3.1.0' : '3.0.0'));
      chmodSync(join(folder, 'build.sh'), 0o755);
      chmodSync(join(folder, 'app'), 0o755);
      git('add', '.');
      git('commit', '--quiet', '-m', `change ${index}`);
      commits.push(git('rev-parse', 'HEAD'));
    }
  });
  afterAll(() => {
    if (before === undefined) delete process.env['LIFETIME_LINT_CACHE'];
    else process.env['LIFETIME_LINT_CACHE'] = before;
    rmSync(folder, { recursive: true, force: true });
    rmSync(cache, { recursive: true, force: true });
  });

  it('finds the commit, says what did not build and what changed, and leaves the repository alone', async () => {
    const { code, stdout } = await runCommandLine(
      ['bisect', '--commits', `${commits[0]}..main`, '--build', './build.sh', '--run', './built', '--format', 'json'],
      folder,
    );
    expect(code).toBe(0);
    const report: unknown = JSON.parse(stdout);
    expect(report).toMatchObject({
      schema: 1,
      status: 'found',
      firstBad: commits[6],
      lastGood: commits[4],
      monotone: true,
      skipped: [{ version: commits[5], reason: 'the build failed (exit code 1: no such crate)' }],
      boundary: [
        {
          where: 'Cargo.lock',
          name: 'napi',
          before: '3.0.0',
          after: '3.1.0',
          rules: expect.arrayContaining(['outdated-napi']) as string[],
        },
      ],
    });
    expect(git('status', '--porcelain')).toBe('');
    expect(git('worktree', 'list').split('\n')).toHaveLength(1);
    expect(readdirSync(join(cache, 'worktrees'))).toEqual([]);
  }, 120_000);

  it('finds where it was fixed in a list', async () => {
    const list = [commits[11], commits[8], commits[3], commits[0]].join(',');
    const { code, stdout } = await runCommandLine(
      ['bisect', '--list', list, '--first-good', '--build', './build.sh', '--run', './built', '--format', 'json'],
      folder,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ firstGood: commits[3], lastBad: commits[8] });
  }, 120_000);

  it('runs a path of the work tree as repro does, not as a program', async () => {
    const { code, stderr } = await runCommandLine(
      [
        'bisect',
        '--commits',
        `${commits[0]}..main`,
        '--build',
        './build.sh',
        '--target',
        './index.node',
        '--workers',
        '2',
      ],
      folder,
    );
    expect(code).toBe(2);
    expect(stderr).toContain("import, 2 workers, './index.node' built with './build.sh'");
    expect(stderr).toContain('is an end of the history and cannot be tested');
    expect(stderr).toContain("index.node' does not exist");
  }, 120_000);

  it('does not judge a commit by what the build of another one left', async () => {
    writeFileSync(join(folder, 'build.sh'), '#!/bin/sh\nexit 0\n');
    git('commit', '--quiet', '-a', '-m', 'builds nothing');
    const empty = git('rev-parse', 'HEAD');
    git('reset', '--quiet', '--hard', commits[11] ?? '');
    const list = [commits[0], empty, commits[11]].join(',');
    const { code, stdout } = await runCommandLine(
      ['bisect', '--list', list, '--build', './build.sh', '--run', './built', '--format', 'json'],
      folder,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      firstBad: commits[11],
      history: [{ version: commits[0] }, { version: commits[11] }],
    });
  }, 120_000);

  it.each([
    [['bisect', 'rollup@4.28.1', '--good', '4.28.0', '--bad', '4.28.1'], 'is not the name of a package'],
    [['bisect', 'rollup', '--good', '4.28.0', '--bad', '4.28.0'], 'name two versions that differ'],
    [['bisect', 'rollup', '--good', '1.0.0', '--bad', '2.0.0', '--build', 'x'], '--build belongs to --commits'],
    [['bisect', 'rollup', '--good', '1.0.0', '--bad', '2.0.0', '--runs', '2.5'], '--runs expects a whole number'],
    [['bisect', 'rollup', '--good', '1.0.0', '--bad', '2.0.0', '--confidence', '95'], 'such as 0.95 or 95%'],
    [
      ['bisect', 'rollup', '--good', '1.0.0', '--bad', '2.0.0', '--background', '2'],
      '--background expects a share from 0 to 1',
    ],
    [
      ['bisect', 'rollup', '--good', '1.0.0', '--bad', '2.0.0', '--background', '0', '--min-rate', '0.2'],
      '--min-rate takes a rarer crash for certain',
    ],
    [['bisect'], 'There is nothing to bisect'],
    [['bisect', 'some-package'], 'Give a version of'],
    [['bisect', '--commits', 'main'], 'Say what to run in each commit'],
    [['bisect', '--commits', 'nonsense..main', '--run', 'x'], "'nonsense' is not a commit"],
    [['bisect', '--commits', 'main', '--run', 'x'], 'is not a range of commits'],
    [['bisect', '--commits', 'main..main~3', '--run', 'x'], 'must be an ancestor of the bad one'],
    [['bisect', '--commits', 'main~3..main', '--run', 'x', '--confidence', '2'], '--confidence expects a share'],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await runCommandLine(args, folder);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
  });
});
