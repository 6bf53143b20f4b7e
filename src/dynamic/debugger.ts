import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { findExecutable } from './amplify.js';
import { toolEnvironment } from './environment.js';

/** Where the kernel puts core files: a pattern that begins with `|` goes to a program, an absolute path elsewhere. */
export function readCorePattern(text: string): 'here' | 'elsewhere' {
  const pattern = text.trim();
  return pattern === '' || pattern.startsWith('|') || isAbsolute(pattern) ? 'elsewhere' : 'here';
}

/** Whether a crash leaves a core file in its working folder. */
export function coresComeHere(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return readCorePattern(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')) === 'here';
  } catch {
    return false;
  }
}

/** Settings, the crashing thread's frames, then those of all. */
export const gdbCommands = [
  '-ex',
  'set pagination off',
  '-ex',
  'set width 0',
  '-ex',
  'bt 48',
  '-ex',
  'thread apply all bt 12',
];

/** Runs gdb without its start files, bounded; undefined when it gave nothing. */
export function runGdb(args: readonly string[], cwd: string): string | undefined {
  const gdb = findExecutable(['gdb']);
  if (gdb === undefined) return undefined;
  const result = spawnSync(gdb, ['-nx', '-batch', ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...toolEnvironment(process.env), DEBUGINFOD_URLS: '' },
    timeout: 60_000,
    maxBuffer: 32 * 1024 * 1024,
  });
  return result.stdout === '' ? undefined : result.stdout;
}

/** The program that a core came from, by the auxiliary vector in it; a relative path is one of `folder`. */
export function findProgram(core: string, folder: string): string | undefined {
  const text = runGdb(['-c', core, '-ex', 'info auxv'], folder) ?? '';
  const name = /^\d+\s+AT_EXECFN\s.*"([^"]+)"$/m.exec(text)?.[1];
  const path = name === undefined ? undefined : resolve(folder, name);
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** Without addresses of this one run, warnings and the list of threads that came and went. */
export function trimBacktrace(text: string): string {
  // gdb shows the innermost frame of a core once before it is asked for the backtrace.
  const loaded = text.search(/^\[Current thread is/m);
  const body = loaded === -1 ? text : text.slice(loaded);
  const first = body.search(/^#0 /m);
  return (first === -1 ? body : body.slice(first))
    .split('\n')
    .filter((line) => !/^(?:\[New|\[Thread|\[Switching|warning:|Download|Using host|\[Inferior)/.test(line))
    .map((line) => line.replace(/^(#\d+\s+)0x[0-9a-f]+ in /, '$1').slice(0, 240))
    .slice(0, 400)
    .join('\n');
}

/** Core files in a folder. */
export function findCores(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^core(?:\.\d+)?$/.test(name))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** A backtrace of a living process that hangs, into `folder`; the path of the file, where there is a debugger. */
export function traceHang(pid: number, folder: string): Promise<string | undefined> {
  return Promise.resolve(traceProcess(pid, folder));
}

function traceProcess(pid: number, folder: string): string | undefined {
  const text = runGdb(['-p', String(pid), ...gdbCommands], folder);
  if (text === undefined) return undefined;
  const file = join(folder, 'hang-backtrace.txt');
  writeFileSync(file, trimBacktrace(text));
  return file;
}
