import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { entrust } from './reaper.js';

export interface BoundedCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Bytes of stdout and stderr together after which the group is killed. */
  readonly maxOutputBytes?: number;
  /** Resident bytes of the whole group; sampled, on Linux and macOS only. */
  readonly maxMemoryBytes?: number;
  readonly maxProcesses?: number;
  /** A folder that the run may fill up to so many bytes; sampled. */
  readonly folder?: { readonly path: string; readonly maxBytes: number };
  readonly signal?: AbortSignal;
  /** Opens a pipe at descriptor 3 and hands its complete lines on as they come. */
  readonly onMarker?: (line: string) => void;
  /** Runs while the process still lives but its time is up, so that a debugger can look at it. */
  readonly beforeTimeoutKill?: (pid: number) => Promise<unknown>;
  /** Arguments are quoted already, as a command line for cmd.exe is; without meaning elsewhere. */
  readonly verbatim?: boolean;
  /** A variable that marks the children of this run, to find those that left the group: NAME and value. */
  readonly mark?: readonly [string, string];
}

/** Processes of a run, where its plan says nothing else. */
export const mostProcesses = 64;

export type EndReason = 'exit' | 'timeout' | 'output' | 'disk' | 'memory' | 'processes' | 'aborted' | 'spawn-error';

export interface ProcessRecord {
  readonly reason: EndReason;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly durationMs: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Processes that had to be killed after the first one had ended. */
  readonly leftovers: number;
  readonly error?: string;
}

export type KillStep =
  | { readonly kind: 'signal'; readonly pid: number }
  | {
      readonly kind: 'command';
      readonly file: string;
      readonly args: readonly string[];
    };

/** How a process and its descendants are killed: the process group on POSIX, `taskkill /T` on Windows. */
export function killSteps(platform: NodeJS.Platform, pid: number, systemRoot = 'C:\\Windows'): readonly KillStep[] {
  if (platform === 'win32') {
    return [
      {
        kind: 'command',
        file: `${systemRoot}\\System32\\taskkill.exe`,
        args: ['/PID', String(pid), '/T', '/F'],
      },
    ];
  }
  return [{ kind: 'signal', pid: -pid }];
}

/** Kills the group; true when something was there to kill. */
function killGroup(pid: number): boolean {
  let killed = false;
  for (const step of killSteps(process.platform, pid, process.env['SystemRoot'])) {
    if (step.kind === 'command') {
      killed =
        spawnSync(step.file, step.args, {
          stdio: 'ignore',
          timeout: 5000,
          windowsHide: true,
        }).status === 0 || killed;
      continue;
    }
    try {
      process.kill(step.pid, 'SIGKILL');
      killed = true;
    } catch {
      // ESRCH: the group is gone, which is what was wanted.
    }
  }
  return killed;
}

interface Member {
  readonly pid: number;
  readonly residentBytes: number;
}

/** Fields of /proc/PID/stat after the command name, which may hold spaces and brackets itself. */
export function readProcStat(text: string):
  | {
      readonly state: string;
      readonly group: number;
      readonly residentPages: number;
    }
  | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, , group] = fields;
  const resident = fields[21];
  if (state === undefined || group === undefined || resident === undefined) return undefined;
  return { state, group: Number(group), residentPages: Number(resident) };
}

function readNumericFolders(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The process ended between the listing and the read, or is another user's.
    return undefined;
  }
}

/** The output of `ps -axo pid=,pgid=,rss=` (kilobytes) as members of one group. */
export function readPs(text: string, group: number): readonly Member[] {
  const members: Member[] = [];
  for (const line of text.split('\n')) {
    const [pid, pgid, rss] = line.trim().split(/\s+/).map(Number);
    if (pid !== undefined && rss !== undefined && pgid === group) members.push({ pid, residentBytes: rss * 1024 });
  }
  return members;
}

function groupMembers(group: number): readonly Member[] {
  if (process.platform === 'darwin') {
    return readPs(
      spawnSync('/bin/ps', ['-axo', 'pid=,pgid=,rss='], {
        encoding: 'utf8',
        timeout: 5000,
      }).stdout,
      group,
    );
  }
  const members: Member[] = [];
  for (const pid of process.platform === 'linux' ? readNumericFolders() : []) {
    const stat = readProcStat(tryRead(`/proc/${pid}/stat`) ?? '');
    if (stat !== undefined && stat.group === group && stat.state !== 'Z')
      members.push({ pid, residentBytes: stat.residentPages * 4096 });
  }
  return members;
}

/** Processes that carry the mark in their environment wherever they are: a target may leave its group with setsid. Linux only. */
function markedProcesses(mark: readonly [string, string]): number[] {
  if (process.platform !== 'linux') return [];
  const needle = `${mark[0]}=${mark[1]}`;
  return readNumericFolders().filter((pid) => {
    if (pid === process.pid) return false;
    return tryRead(`/proc/${pid}/environ`)?.split('\0').includes(needle) === true;
  });
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

/** Kills them all; gives the process ids that had to go. */
function killMarked(mark: readonly [string, string] | undefined): ReadonlySet<number> {
  const killed = new Set<number>();
  if (mark === undefined) return killed;
  // All are stopped before the first is killed: whoever forks faster than the table can be read would never be caught up with.
  for (let round = 0; round < 50; round++) {
    const fresh = markedProcesses(mark).filter(
      (pid) => !killed.has(pid) && readProcStat(tryRead(`/proc/${pid}/stat`) ?? '')?.state !== 'Z',
    );
    if (fresh.length === 0) break;
    for (const pid of fresh) {
      killed.add(pid);
      trySignal(pid, 'SIGSTOP');
    }
  }
  for (const pid of killed) trySignal(pid, 'SIGKILL');
  return killed;
}

/** Bytes that the files below a folder take on the disk, counted up to the limit; links are not followed. */
function folderBytes(path: string, limit: number): number {
  let sum = 0;
  const open = [path];
  for (let at = open.pop(); at !== undefined && sum <= limit; at = open.pop()) {
    let entries;
    try {
      entries = readdirSync(at, { withFileTypes: true });
    } catch {
      // Removed meanwhile.
      continue;
    }
    for (const entry of entries) {
      const full = join(at, entry.name);
      if (entry.isDirectory()) open.push(full);
      try {
        sum += lstatSync(full).blocks * 512;
      } catch {
        // Removed meanwhile.
      }
    }
  }
  return sum;
}

/** Keeps the beginning and the end of a stream; what explains a crash is at one of the two. */
class BoundedText {
  private head = '';
  private tail = '';
  private dropped = 0;
  constructor(private readonly half: number) {}

  add(chunk: string): void {
    const room = this.half - this.head.length;
    this.head += chunk.slice(0, Math.max(0, room));
    const rest = room >= chunk.length ? '' : chunk.slice(Math.max(0, room));
    if (rest === '') return;
    this.tail += rest;
    if (this.tail.length > this.half * 2) {
      this.dropped += this.tail.length - this.half;
      this.tail = this.tail.slice(-this.half);
    }
  }

  toString(): string {
    return this.dropped === 0
      ? this.head + this.tail
      : `${this.head}\n[${this.dropped} characters left out]\n${this.tail}`;
  }
}

const alive = new Map<number, readonly [string, string] | undefined>();
let exitHookInstalled = false;

/** A parent that ends early must not leave its children behind, whatever made it end. */
function installExitHook(): void {
  if (exitHookInstalled) return;
  exitHookInstalled = true;
  process.on('exit', () => {
    for (const [pid, mark] of alive) {
      killGroup(pid);
      killMarked(mark);
    }
  });
}

/**
 * Runs a command in a process group of its own, within limits of time, output, memory and number of processes, and kills
 * whatever is left of the group when it ends. Never rejects: a command that cannot start is a record with `error`.
 */
export function runBounded(command: BoundedCommand): Promise<ProcessRecord> {
  const started = performance.now();
  const maxOutput = command.maxOutputBytes ?? 16 * 1024 * 1024;
  const maxProcesses = command.maxProcesses ?? mostProcesses;
  installExitHook();
  return new Promise((resolve) => {
    const out = new BoundedText(256 * 1024);
    const err = new BoundedText(256 * 1024);
    let reason: EndReason = 'exit';
    let settled = false;
    let child: ChildProcess;
    let releases: readonly (() => void)[] = [];

    const finish = (
      exitCode: number | null,
      signal: NodeJS.Signals | null,
      leftovers: number,
      error?: string,
    ): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      clearInterval(sampler);
      command.signal?.removeEventListener('abort', onAbort);
      if (child.pid !== undefined) alive.delete(child.pid);
      for (const release of releases) release();
      resolve({
        reason,
        exitCode,
        signal,
        durationMs: Math.round(performance.now() - started),
        stdout: out.toString(),
        stderr: err.toString(),
        leftovers,
        ...(error === undefined ? {} : { error }),
      });
    };
    const stop = (why: EndReason): void => {
      if (reason !== 'exit' || settled) return;
      reason = why;
      if (child.pid !== undefined) killGroup(child.pid);
    };
    const onAbort = (): void => stop('aborted');

    const timer = setTimeout(() => {
      const pid = child.pid;
      if (pid === undefined || command.beforeTimeoutKill === undefined) return stop('timeout');
      command.beforeTimeoutKill(pid).then(
        () => stop('timeout'),
        () => stop('timeout'),
      );
    }, command.timeoutMs);
    let samples = 0;
    const sampler = setInterval(() => {
      if (child.pid === undefined) return;
      const members = groupMembers(child.pid);
      if (members.length > maxProcesses) return stop('processes');
      // Once a second what is dearer to find out: processes that left the group, and the size of the folder.
      if (samples++ % 5 === 4) {
        if (command.mark !== undefined && markedProcesses(command.mark).length > maxProcesses) return stop('processes');
        const { folder } = command;
        if (folder !== undefined && folderBytes(folder.path, folder.maxBytes) > folder.maxBytes) return stop('disk');
      }
      const resident = members.reduce((sum, member) => sum + member.residentBytes, 0);
      if (command.maxMemoryBytes !== undefined && resident > command.maxMemoryBytes) stop('memory');
    }, 200);

    try {
      child = spawn(command.file, command.args, {
        cwd: command.cwd,
        env: command.mark === undefined ? command.env : { ...command.env, [command.mark[0]]: command.mark[1] },
        // A group of its own on POSIX; on Windows `detached` would open a console window.
        detached: process.platform !== 'win32',
        windowsHide: true,
        windowsVerbatimArguments: command.verbatim === true,
        stdio: command.onMarker === undefined ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'pipe', 'pipe', 'pipe'],
      });
    } catch (error) {
      reason = 'spawn-error';
      clearTimeout(timer);
      clearInterval(sampler);
      settled = true;
      resolve({
        reason,
        exitCode: null,
        signal: null,
        durationMs: 0,
        stdout: '',
        stderr: '',
        leftovers: 0,
        error: error instanceof Error ? error.message : String(error),
      });
      return;
    }
    if (child.pid !== undefined) {
      alive.set(child.pid, command.mark);
      releases = [
        entrust(`g:${child.pid}`),
        ...(command.mark === undefined ? [] : [entrust(`m:${command.mark[0]}=${command.mark[1]}`)]),
      ];
    }
    if (command.signal?.aborted === true) stop('aborted');
    command.signal?.addEventListener('abort', onAbort, { once: true });

    let written = 0;
    const count = (bytes: number): void => {
      written += bytes;
      if (written > maxOutput) stop('output');
    };
    const collect = (stream: Readable | null, into: BoundedText): void => {
      stream?.setEncoding('utf8');
      stream?.on('data', (chunk: string) => {
        into.add(chunk);
        count(chunk.length);
      });
      // A group that is killed while it writes resets the pipe.
      stream?.on('error', () => undefined);
    };
    collect(child.stdout, out);
    collect(child.stderr, err);
    const markers = child.stdio[3];
    if (command.onMarker !== undefined && markers !== null && markers !== undefined && 'setEncoding' in markers) {
      const { onMarker } = command;
      let pending = '';
      markers.setEncoding('utf8');
      markers.on('data', (chunk: string) => {
        count(chunk.length);
        pending += chunk;
        for (let end = pending.indexOf('\n'); end !== -1; end = pending.indexOf('\n')) {
          onMarker(pending.slice(0, end));
          pending = pending.slice(end + 1);
        }
        // A line without end is a flood, not a marker.
        if (pending.length > 1024 * 1024) pending = '';
      });
      markers.on('error', () => undefined);
    }

    child.on('error', (error) => {
      if (reason === 'exit') reason = 'spawn-error';
      finish(null, null, 0, error.message);
    });
    child.on('exit', (exitCode, signal) => {
      const pid = child.pid;
      const left = new Set(pid === undefined ? [] : groupMembers(pid).map((member) => member.pid));
      if (pid !== undefined && process.platform !== 'win32') killGroup(pid);
      for (const other of killMarked(command.mark)) left.add(other);
      if (pid !== undefined) left.delete(pid);
      // Everybody who held the pipes is dead now; a descendant that could not be found must not hold up the run.
      const grace = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        if (markers !== null && markers !== undefined) markers.destroy();
      }, 1000);
      child.on('close', () => {
        clearTimeout(grace);
        finish(exitCode, signal, left.size);
      });
    });
  });
}
