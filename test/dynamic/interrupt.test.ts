import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readProcStat } from '../../src/dynamic/process-group.js';
import { hazard, makeFolder } from '../cli/call-cli.js';
import { builtCli } from '../support/built-cli.js';

let cli = '';
beforeAll(() => {
  cli = builtCli();
}, 300_000);

/** Where the command works, and where the program under it keeps its notes. */
let folder = '';
let temporary = '';
beforeEach(() => {
  folder = makeFolder({ 'pool.d': hazard });
  temporary = makeFolder({});
  writeFileSync(join(folder, 'program.cjs'), program);
});

/**
 * Ends at once three times; from then on it starts a process of its own and hangs. It notes the pids of both, and it dies where
 * a file `bad` lies in its folder.
 */
const program = `const fs = require('node:fs');
const [notes, hangsFrom] = process.argv.slice(2);
const before = fs.existsSync(notes) ? fs.readFileSync(notes, 'utf8').split('\\n').length - 1 : 0;
if (before < Number(hangsFrom)) {
  fs.appendFileSync(notes, process.pid + '\\n');
  if (fs.existsSync('bad')) process.kill(process.pid, 'SIGSEGV');
} else {
  const sleeper = require('node:child_process').spawn('sleep', ['600'], { stdio: 'ignore' });
  fs.appendFileSync(notes, process.pid + ' ' + sleeper.pid + '\\n');
  setInterval(() => {}, 1000);
}
`;

const notesPath = (): string => join(folder, 'notes');
const programLine = (hangsFrom: number): string =>
  `"${process.execPath}" "${join(folder, 'program.cjs')}" "${notesPath()}" ${hangsFrom}`;

function notes(): readonly string[] {
  return existsSync(notesPath()) ? readFileSync(notesPath(), 'utf8').trim().split('\n') : [];
}

function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  if (!existsSync('/proc/self/stat')) {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }
  try {
    // A killed process stays as a zombie until somebody waits for it; it runs no code any more.
    return readProcStat(readFileSync(path, 'latin1'))?.state !== 'Z';
  } catch {
    return false;
  }
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[]): { readonly command: ChildProcess; readonly end: Promise<Ended> } {
  const command = spawn(process.execPath, [cli, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], TMPDIR: temporary, LIFETIME_LINT_CACHE: join(temporary, 'cache') },
  });
  let stdout = '';
  let stderr = '';
  command.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  command.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const end = new Promise<Ended>((resolve) => {
    command.on('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
  return { command, end };
}

/** Starts a command, interrupts it while the first run hangs, and checks that nothing of it goes on or stays. */
async function interrupt(args: readonly string[]): Promise<Ended> {
  const { command, end } = start(args);
  await vi.waitFor(() => expect(notes().at(-1)).toContain(' '), { timeout: 90_000, interval: 50 });
  command.kill('SIGINT');
  const ended = await end;
  const pids = notes().flatMap((line) => line.split(' ').map(Number));
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 15_000, interval: 50 });
  expect(readdirSync(temporary).filter((name) => name !== 'cache')).toEqual([]);
  expect(ended.stderr).toContain('Interrupted; once more ends it without a report.');
  return ended;
}

// The program sends itself a signal, and folders of runs are looked for by name.
describe.skipIf(process.platform === 'win32')('an interrupt from the terminal', { timeout: 180_000 }, () => {
  const json = ['--format', 'json', '--output-file', 'report.json'];
  const report = (): unknown => JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));

  it('repro reports the runs that ended', async () => {
    const { code } = await interrupt(['repro', '--command', programLine(3), '--amplifier', 'none', ...json]);
    expect(report()).toMatchObject({ interrupted: true, scenarios: [{ name: 'command', runs: 3, hits: 0 }] });
    // Three clean runs of twenty are no clean result.
    expect(code).toBe(130);
  });

  it('repro ends with 1 when it had crashed before', async () => {
    writeFileSync(join(folder, 'bad'), '');
    const { code } = await interrupt(['repro', '--command', programLine(1), '--amplifier', 'none', ...json]);
    expect(report()).toMatchObject({ interrupted: true, verdict: 'reproduced' });
    expect(code).toBe(1);
  });

  it('verify reports and stores them', async () => {
    const stored = ['--evidence', 'evidence.json'];
    const { code, stderr } = await interrupt([
      'verify',
      'pool.d',
      ...['--command', programLine(3), '--amplifier', 'none'],
      ...stored,
      ...json,
    ]);
    const evidence = { scenario: 'command', verdict: 'not-reproduced', runs: 3, hits: 0 };
    expect(report()).toMatchObject({ findings: [{ ruleId: 'pointer-into-growable', evidence: [evidence] }] });
    expect(JSON.parse(readFileSync(join(folder, 'evidence.json'), 'utf8'))).toMatchObject({ entries: [evidence] });
    expect(stderr).toContain('1 not reproduced, 0 not run. It was interrupted.');
    expect(code).toBe(130);
  });

  it('verify says so when no run had ended', async () => {
    const { code } = await interrupt(['verify', 'pool.d', '--command', programLine(0), '--amplifier', 'none', ...json]);
    expect(report()).toMatchObject({ findings: [{ evidence: [{ verdict: 'not-run' }] }] });
    expect(code).toBe(130);
  });

  it('experiment prints the table so far', async () => {
    const variants = [{ name: 'as it is' }, { name: 'other', set: { env: { OTHER: '1' } } }];
    const plan = { schema: 1, base: { command: programLine(3), amplifier: 'none' }, variants, runs: 20, seed: 1 };
    writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan));
    const { code } = await interrupt(['experiment', 'plan.json', ...json]);
    const seen = report();
    expect(seen).toMatchObject({ interrupted: true, variants: [{ hits: 0 }, { hits: 0 }] });
    expect(JSON.stringify(seen).match(/"runs":[12],/gu)).toHaveLength(2);
    expect(code).toBe(130);
  });

  it('bisect says what is left, and goes on from there', async () => {
    const git = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync('git', args, { cwd: folder, encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
      return stdout;
    };
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false'];
    git('init', '-q', '-b', 'main');
    writeFileSync(join(folder, '.git', 'info', 'exclude'), 'notes\nreport.json\nprogram.cjs\npool.d\nstate.json\n');
    for (const name of ['one', 'two', 'three', 'bad', 'five']) {
      writeFileSync(join(folder, name), '');
      git('add', name);
      git(...identity, 'commit', '-q', '-m', name);
    }
    const asked = (hangsFrom: number): readonly string[] => [
      'bisect',
      ...['--commits', 'main~4..main', '--run', programLine(hangsFrom), '--state', 'state.json'],
      ...json,
    ];
    const cut = await interrupt(asked(3));
    expect(cut.code).toBe(130);
    expect(report()).toMatchObject({ runs: 3 });
    expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1);
    expect(git('status', '--porcelain')).toBe('');

    // The same question again: the program no longer hangs, because the notes are full enough.
    writeFileSync(notesPath(), '');
    const { end } = start(asked(3).map((arg) => (arg === programLine(3) ? programLine(1000) : arg)));
    expect((await end).stderr).toContain('holds another bisection');
    writeFileSync(join(folder, 'program.cjs'), program.replace('before < Number(hangsFrom)', 'true'));
    const whole = await start(asked(3)).end;
    expect(whole.stderr).toContain("Going on with 3 runs saved in '");
    expect(whole.code).toBe(0);
    expect(report()).toMatchObject({ firstBad: git('rev-parse', 'main~1').trim() });
    expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1);
  });
});

describe.skipIf(process.platform === 'win32')(
  'a command that is killed in the middle of a run',
  { timeout: 60_000 },
  () => {
    const nothingIsLeft = async (): Promise<void> => {
      const pids = notes().flatMap((line) => line.split(' ').map(Number));
      expect(pids).toHaveLength(2);
      await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 20_000, interval: 50 });
      const folders = (): readonly string[] => readdirSync(temporary).filter((name) => name !== 'cache');
      await vi.waitFor(() => expect(folders()).toEqual([]), { timeout: 20_000, interval: 50 });
    };

    it.each(['SIGKILL', 'SIGABRT', 'SIGHUP'] as const)('by %s leaves no process and no folder', async (signal) => {
      const { command, end } = start(['repro', '--command', programLine(0), '--amplifier', 'none']);
      await vi.waitFor(() => expect(notes().at(-1)).toContain(' '), { timeout: 30_000, interval: 50 });
      expect(readdirSync(temporary)).toHaveLength(1);
      command.kill(signal);
      await end;
      await nothingIsLeft();
    });

    it('still reports when nobody reads its progress', async () => {
      const { command, end } = start(['repro', '--command', programLine(1), '--amplifier', 'none']);
      await vi.waitFor(() => expect(notes().at(-1)).toContain(' '), { timeout: 30_000, interval: 50 });
      command.stderr?.destroy();
      command.kill('SIGTERM');
      const { code, stdout } = await end;
      expect(stdout).toContain('It was interrupted; the counts are what was seen until then.');
      expect(code).toBe(143);
      await vi.waitFor(() => expect(readdirSync(temporary).filter((name) => name !== 'cache')).toEqual([]));
    });
  },
);

describe.skipIf(process.platform === 'win32')('verify without --artifacts', { timeout: 180_000 }, () => {
  it('looks at the backtrace and keeps nothing of it', async () => {
    writeFileSync(join(folder, 'crash.cjs'), 'process.kill(process.pid, "SIGSEGV")');
    const line = `"${process.execPath}" "${join(folder, 'crash.cjs')}"`;
    const { code } = await start([
      'verify',
      'pool.d',
      '--command',
      line,
      '--amplifier',
      'none',
      '--evidence',
      'evidence.json',
    ]).end;
    expect(code).toBe(1);
    const stored: unknown = JSON.parse(readFileSync(join(folder, 'evidence.json'), 'utf8'));
    expect(stored).toMatchObject({ entries: [{ verdict: 'confirmed', runs: 3, hits: 3, artifacts: [] }] });
    expect(readdirSync(temporary).filter((name) => name !== 'cache')).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(['crash.cjs', 'evidence.json', 'pool.d', 'program.cjs']);
  });
});
