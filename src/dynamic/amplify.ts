import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '../discover/make-folder.js';
import type { AmplifierName } from './amplifier.js';
import { cacheFolder } from './cache.js';
import { toolEnvironment } from './environment.js';
import type { ScenarioName } from './scenario.js';

/** What an amplifier changes about a run. */
export interface Amplification {
  readonly name: AmplifierName;
  readonly env: Readonly<Record<string, string>>;
  readonly nodeFlags: readonly string[];
  /** A command that runs the child, for example valgrind with its options. */
  readonly wrapper: readonly string[];
  /** Collect every three milliseconds. */
  readonly pump: boolean;
  /** How many times longer a run may take. */
  readonly slowdown: number;
}

export interface AmplifierProblem {
  readonly error: string;
}

const plain: Omit<Amplification, 'name'> = { env: {}, nodeFlags: [], wrapper: [], pump: false, slowdown: 1 };

const guardSource = fileURLToPath(new URL('./guard/guard-pages.c', import.meta.url));

/** First of the names that is an executable file on the PATH; nothing is started. */
export function findExecutable(names: readonly string[], path = process.env['PATH'] ?? ''): string | undefined {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const name of names) {
    for (const folder of path.split(process.platform === 'win32' ? ';' : ':')) {
      const found = suffixes
        .map((suffix) => join(folder, name + suffix))
        // An empty CC names the folder itself.
        .find((file) => folder !== '' && name !== '' && existsSync(file));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Builds the guard-page library with the machine's C compiler, once per source and compiler. */
function buildGuard(cache: string): string | AmplifierProblem {
  const compiler = findExecutable([process.env['CC'] ?? 'cc', 'cc', 'gcc', 'clang']);
  if (compiler === undefined)
    return {
      error: "The amplifier 'guard-pages' needs a C compiler; install one ('cc'), or choose another amplifier.",
    };
  const digest = createHash('sha256').update(readFileSync(guardSource)).update(compiler).digest('hex').slice(0, 16);
  const folder = join(cache, 'guard');
  const library = join(folder, `guard-pages-${process.arch}-${digest}.so`);
  // The loader takes spaces and colons for the ends of names, and goes on without what it does not find.
  if (/[\s:]/.test(library)) {
    return {
      error: `The amplifier 'guard-pages' needs a cache folder without spaces and colons in its path, unlike '${cache}'; set LIFETIME_LINT_CACHE.`,
    };
  }
  if (existsSync(library) && canPreload(library)) return library;
  try {
    makeFolder(folder);
  } catch (error) {
    return {
      error: `The amplifier 'guard-pages' cannot be kept in '${folder}' (${error instanceof Error ? error.message : String(error)}); set LIFETIME_LINT_CACHE to a folder that can be written.`,
    };
  }
  const staging = `${library}.${process.pid}`;
  const built = spawnSync(
    compiler,
    ['-O2', '-g', '-shared', '-fPIC', '-fno-omit-frame-pointer', '-o', staging, guardSource, '-ldl', '-lpthread'],
    {
      encoding: 'utf8',
      env: toolEnvironment(process.env),
      timeout: 60_000,
    },
  );
  if (built.status !== 0) {
    rmSync(staging, { force: true });
    return {
      error: `The amplifier 'guard-pages' could not be built with '${compiler}': ${(built.stderr ?? '').split('\n')[0] ?? ''}.`,
    };
  }
  chmodSync(staging, 0o755);
  renameSync(staging, library);
  return canPreload(library)
    ? library
    : {
        error: `The amplifier 'guard-pages' was built, and the loader refuses '${library}'; choose another amplifier.`,
      };
}

/** Whether the loader takes the library: of a broken one it only warns, and the run would go on without. */
function canPreload(library: string): boolean {
  const tried = spawnSync('/bin/sh', ['-c', ':'], {
    encoding: 'utf8',
    env: { LD_PRELOAD: library },
    timeout: 10_000,
  });
  return tried.status === 0 && !tried.stderr.includes('cannot be preloaded');
}

/** The address sanitizer's runtime as the C compiler knows it; undefined without one. */
function findSanitizerRuntime(): string | undefined {
  const compiler = findExecutable(['gcc', 'cc']);
  if (compiler === undefined) return undefined;
  const printed = spawnSync(compiler, ['-print-file-name=libasan.so'], {
    encoding: 'utf8',
    env: toolEnvironment(process.env),
    timeout: 10_000,
  });
  const path = printed.stdout.trim();
  return path.includes('/') && existsSync(path) ? path : undefined;
}

function findMallocDebug(): string | undefined {
  const folders = [
    `/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
    '/lib64',
    '/usr/lib64',
    '/usr/lib',
  ];
  return folders.map((folder) => join(folder, 'libc_malloc_debug.so.0')).find((file) => existsSync(file));
}

/** True when the binary asks for a sanitizer's runtime: only then does a preloaded one see anything. */
export function isSanitizerBuilt(file: string): boolean {
  try {
    return readFileSync(file).includes('__asan_init');
  } catch {
    return false;
  }
}

const sanitizerOptions = {
  ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1:abort_on_error=0:handle_segv=1:symbolize=1',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  TSAN_OPTIONS: 'halt_on_error=1',
};

/** What a command gets in every run: programs built with a sanitizer then say what they saw, others do not notice. */
export const commandEnvironment: Readonly<Record<string, string>> = sanitizerOptions;

const prepared = new Map<string, Amplification | AmplifierProblem>();

/** Builds or finds what the amplifier needs; one sentence when this machine lacks it. */
export function prepareAmplifier(name: AmplifierName, cache = cacheFolder()): Amplification | AmplifierProblem {
  const key = `${name}\0${cache}`;
  const known = prepared.get(key);
  if (known !== undefined) return known;
  const result = prepare(name, cache);
  prepared.set(key, result);
  return result;
}

function onlyOnLinux(name: AmplifierName): AmplifierProblem {
  return { error: `The amplifier '${name}' works on Linux only; this is ${process.platform}.` };
}

function prepare(name: AmplifierName, cache: string): Amplification | AmplifierProblem {
  switch (name) {
    case 'none':
      return { name, ...plain };
    case 'gc':
      return { name, ...plain, nodeFlags: ['--expose-gc'], pump: true, slowdown: 2 };
    case 'guard-pages': {
      if (process.platform !== 'linux') return onlyOnLinux(name);
      const library = buildGuard(cache);
      if (typeof library !== 'string') return library;
      return { name, ...plain, env: { LD_PRELOAD: library }, nodeFlags: ['--expose-gc'], slowdown: 3 };
    }
    case 'glibc-tunables':
      if (process.platform !== 'linux') return onlyOnLinux(name);
      return { name, ...plain, env: { GLIBC_TUNABLES: 'glibc.malloc.tcache_count=0', MALLOC_PERTURB_: '165' } };
    case 'malloc-check': {
      if (process.platform !== 'linux') return onlyOnLinux(name);
      const library = findMallocDebug();
      if (library === undefined)
        return { error: "The amplifier 'malloc-check' needs glibc's libc_malloc_debug.so.0, which is not installed." };
      return { name, ...plain, env: { LD_PRELOAD: library, MALLOC_CHECK_: '3', MALLOC_PERTURB_: '165' } };
    }
    case 'sanitizer': {
      if (process.platform !== 'linux') return onlyOnLinux(name);
      const library = findSanitizerRuntime();
      if (library === undefined)
        return {
          error:
            "The amplifier 'sanitizer' needs gcc's libasan; install gcc, and build the addon with -fsanitize=address.",
        };
      return {
        name,
        ...plain,
        env: { ...sanitizerOptions, LD_PRELOAD: library },
        nodeFlags: ['--expose-gc'],
        slowdown: 4,
      };
    }
    case 'valgrind': {
      const valgrind = findExecutable(['valgrind']);
      if (valgrind === undefined)
        return { error: "The amplifier 'valgrind' needs valgrind; install it, or choose another amplifier." };
      return {
        name,
        ...plain,
        wrapper: [valgrind, '--quiet', '--error-exitcode=0', '--trace-children=yes', '--child-silent-after-fork=yes'],
        slowdown: 40,
      };
    }
  }
}

/** Addons below a folder, for the question whether one was built with a sanitizer; not deeper than a package goes. */
export function findAddons(folder: string, depth = 4): string[] {
  if (depth < 0 || !existsSync(folder)) return [];
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile() && entry.name.endsWith('.node')) found.push(path);
    else if (entry.isDirectory() && entry.name !== 'node_modules') found.push(...findAddons(path, depth - 1));
  }
  return found;
}

const collecting: ReadonlySet<ScenarioName> = new Set([
  'mutate',
  'transfer',
  'detach',
  'overlap',
  'gc-churn',
  'sequential',
  'concurrent',
  'thenable-twice',
]);

/**
 * The amplifiers worth trying for a scenario, best first, after the plain runs that always come first. Unload bugs show by
 * themselves; the guard pages are best for everything that touches memory; valgrind is never chosen for you, being 40 × slower.
 */
export function chooseAmplifiers(scenario: ScenarioName, sanitizerBuilt: boolean): readonly AmplifierName[] {
  if (sanitizerBuilt) return ['sanitizer'];
  if (scenario === 'command') return process.platform === 'linux' ? ['glibc-tunables'] : [];
  const memory: AmplifierName[] = process.platform === 'linux' ? ['guard-pages'] : [];
  return collecting.has(scenario) ? ['gc', ...memory] : memory;
}
