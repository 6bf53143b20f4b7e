import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { childEnvironment, toolEnvironment } from '../../src/dynamic/environment.js';
import { killSteps, readProcStat, readPs, runBounded, type BoundedCommand } from '../../src/dynamic/process-group.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function node(script: string, extra: Partial<BoundedCommand> = {}): BoundedCommand {
  return {
    file: process.execPath,
    args: ['-e', script],
    cwd: folder,
    env: childEnvironment(process.env, folder),
    timeoutMs: 10_000,
    mark: ['LIFETIME_LINT_RUN', randomUUID()],
    ...extra,
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A killed process stays as a zombie until somebody waits for it; it runs no code any more.
  const stat = existsSync(`/proc/${pid}/stat`) ? readProcStat(readFileSync(`/proc/${pid}/stat`, 'latin1')) : undefined;
  return stat?.state !== 'Z';
}

/** Fails unless the list is empty soon: a process that was sent SIGKILL ends when the machine gets to it. */
async function areGone(find: () => readonly unknown[]): Promise<void> {
  await vi.waitFor(() => expect(find()).toEqual([]), { timeout: 5000, interval: 20 });
}

/** Pids that a script wrote to stdout, one per line. */
function pidsOf(stdout: string): number[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

const posix = process.platform !== 'win32';

describe('bounded processes', () => {
  it('gives exit codes, signals and both streams as they are', async () => {
    const exited = await runBounded(node('console.log("out"); console.error("err"); process.exitCode = 7'));
    expect(exited).toMatchObject({
      reason: 'exit',
      exitCode: 7,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
      leftovers: 0,
    });
  });

  it.runIf(posix)('tells a process that kills itself', async () => {
    const record = await runBounded(node('process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)'));
    expect(record).toMatchObject({ reason: 'exit', exitCode: null, signal: 'SIGKILL' });
  });

  it.runIf(posix)('survives a process that kills its whole group', async () => {
    const record = await runBounded(node('process.kill(0, "SIGKILL"); setInterval(() => {}, 1000)'));
    expect(record).toMatchObject({ reason: 'exit', signal: 'SIGKILL' });
  });

  it('ends a hanging process at its time limit, deaf ones too', async () => {
    const record = await runBounded(node('process.on("SIGTERM", () => {}); for (;;);', { timeoutMs: 600 }));
    expect(record.reason).toBe('timeout');
    expect(record.durationMs).toBeLessThan(5000);
  });

  it.runIf(posix)('takes the children of a process with it', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      for (let i = 0; i < 5; i++) console.log(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }).pid);
      process.exit(0);`;
    const record = await runBounded(node(script));
    const pids = pidsOf(record.stdout);
    expect(pids).toHaveLength(5);
    expect(record.leftovers).toBe(5);
    await areGone(() => pids.filter(isAlive));
  });

  it.runIf(process.platform === 'linux')('finds children that left the group and hold its pipes', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      console.log(spawn(process.execPath, ['-e', 'setInterval(() => console.log("still here"), 50)'], { stdio: 'inherit', detached: true }).pid);
      setTimeout(() => process.exit(0), 300);`;
    const record = await runBounded(node(script));
    const [pid = 0] = pidsOf(record.stdout);
    expect(pid).toBeGreaterThan(0);
    expect(record.leftovers).toBeGreaterThan(0);
    await areGone(() => [pid].filter(isAlive));
  });

  it.runIf(process.platform === 'linux')('stops a process that forks without end', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      setInterval(() => spawn('/bin/sleep', ['60'], { stdio: 'ignore' }), 1);`;
    const record = await runBounded(node(script, { maxProcesses: 20, timeoutMs: 20_000 }));
    expect(record.reason).toBe('processes');
    expect(record.durationMs).toBeLessThan(15_000);
  });

  it.runIf(process.platform === 'linux')('stops one whose children leave the group, and finds them all', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      setInterval(() => spawn('/bin/sleep', ['60'], { stdio: 'ignore', detached: true }).unref(), 1);`;
    const mark = ['LIFETIME_LINT_TEST', `${process.pid}-${Date.now()}`] as const;
    const record = await runBounded(node(script, { maxProcesses: 20, timeoutMs: 20_000, mark }));
    expect(record.reason).toBe('processes');
    await areGone(() =>
      readdirSync('/proc').filter((name) => {
        try {
          return readFileSync(`/proc/${name}/environ`, 'latin1').includes(mark.join('='));
        } catch {
          return false;
        }
      }),
    );
  });

  it.runIf(posix)('stops a process that fills its folder', async () => {
    const path = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
    const script = `
      const fs = require('node:fs');
      setInterval(() => fs.appendFileSync(${JSON.stringify(join(path, 'big'))}, Buffer.alloc(1 << 20, 1)), 5);`;
    const record = await runBounded(node(script, { folder: { path, maxBytes: 8 << 20 }, timeoutMs: 30_000 }));
    rmSync(path, { recursive: true, force: true });
    expect(record.reason).toBe('disk');
  });

  it('stops a process that floods its output and keeps the beginning and the end', async () => {
    const script =
      'process.stdout.write("first\\n"); const line = "x".repeat(65536); (function again() { process.stdout.write(line, again); })();';
    const record = await runBounded(node(script, { maxOutputBytes: 4 * 1024 * 1024, timeoutMs: 20_000 }));
    expect(record.reason).toBe('output');
    expect(record.stdout.startsWith('first\n')).toBe(true);
    expect(record.stdout.length).toBeLessThan(1024 * 1024);
  });

  it.runIf(posix)('stops a process that takes too much memory', async () => {
    const script = 'const kept = []; setInterval(() => kept.push(Buffer.alloc(32 * 1024 * 1024, 1)), 10);';
    const record = await runBounded(node(script, { maxMemoryBytes: 400 * 1024 * 1024, timeoutMs: 20_000 }));
    expect(record.reason).toBe('memory');
  });

  it('hands complete marker lines on, and forgets a flood without a line', async () => {
    const lines: string[] = [];
    const script = 'const fs = require("node:fs"); fs.writeSync(3, "one\\ntw"); fs.writeSync(3, "o\\nunfinished");';
    await runBounded(node(script, { onMarker: (line) => void lines.push(line) }));
    expect(lines).toEqual(['one', 'two']);
  });

  it('can be interrupted, and says so', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    const record = await runBounded(node('setInterval(() => {}, 1000)', { signal: controller.signal }));
    expect(record.reason).toBe('aborted');
    const late = await runBounded(node('setInterval(() => {}, 1000)', { signal: controller.signal }));
    expect(late.reason).toBe('aborted');
  });

  it('tells a program that does not exist', async () => {
    const record = await runBounded({ ...node(''), file: join(folder, 'no-such-program') });
    expect(record).toMatchObject({ reason: 'spawn-error', exitCode: null });
    expect(record.error).toContain('no-such-program');
  });

  it('lets a debugger look at a process whose time is up', async () => {
    let seen = 0;
    const record = await runBounded(
      node('setInterval(() => {}, 1000)', {
        timeoutMs: 300,
        beforeTimeoutKill: (pid) => {
          seen = pid;
          return Promise.reject(new Error('no debugger'));
        },
      }),
    );
    expect(seen).toBeGreaterThan(0);
    expect(record.reason).toBe('timeout');
  });
});

describe('paths of other systems', () => {
  it('kills the group on POSIX and the tree on Windows', () => {
    expect(killSteps('linux', 42)).toEqual([{ kind: 'signal', pid: -42 }]);
    expect(killSteps('darwin', 42)).toEqual([{ kind: 'signal', pid: -42 }]);
    expect(killSteps('win32', 42, 'D:\\Windows')).toEqual([
      { kind: 'command', file: 'D:\\Windows\\System32\\taskkill.exe', args: ['/PID', '42', '/T', '/F'] },
    ]);
  });

  it('reads the process table of Linux and macOS', () => {
    expect(
      readProcStat('7 (a) b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 9 10 11 12 13 14 250 18446744073709551615'),
    ).toEqual({
      state: 'S',
      group: 42,
      residentPages: 250,
    });
    expect(readProcStat('')).toBeUndefined();
    expect(readPs('  10   42  2048\n  11   43  1\n', 42)).toEqual([{ pid: 10, residentBytes: 2048 * 1024 }]);
  });
});

describe('the environment of children', () => {
  const source = {
    PATH: '/bin',
    LC_ALL: 'C',
    GITHUB_TOKEN: 'secret',
    NPM_TOKEN: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
    NODE_OPTIONS: '--require=/evil.js',
    LD_PRELOAD: '/evil.so',
    npm_config_registry: 'https://registry.example/',
    SSH_AUTH_SOCK: '/x',
  };

  it('is an allow-list with a home of its own', () => {
    expect(childEnvironment(source, '/run', { EXTRA: '1' })).toEqual({
      PATH: '/bin',
      LC_ALL: 'C',
      HOME: '/run',
      USERPROFILE: '/run',
      TMPDIR: '/run',
      TEMP: '/run',
      TMP: '/run',
      XDG_CACHE_HOME: '/run',
      EXTRA: '1',
    });
  });

  it('gives tools their configuration and no secret of others', () => {
    expect(toolEnvironment(source)).toEqual({
      PATH: '/bin',
      LC_ALL: 'C',
      npm_config_registry: 'https://registry.example/',
    });
  });

  it('is what a child really sees', async () => {
    process.env['LIFETIME_LINT_TEST_SECRET'] = 'secret';
    try {
      const record = await runBounded(node('console.log(JSON.stringify(Object.keys(process.env)))'));
      const names: unknown = JSON.parse(record.stdout);
      expect(names).not.toContain('LIFETIME_LINT_TEST_SECRET');
      expect(names).toContain('LIFETIME_LINT_RUN');
    } finally {
      delete process.env['LIFETIME_LINT_TEST_SECRET'];
    }
  });
});
