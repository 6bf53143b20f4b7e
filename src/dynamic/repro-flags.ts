import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { amplifierNames, isAmplifierName } from './amplifier.js';
import type { ReproOptions } from './reproduce.js';
import { isScenarioName, scenarioNames, type ScenarioName } from './scenario.js';
import { parseTarget, type TargetError } from './target.js';

/** The flags of `repro` as text, the way the command line and the plan of an experiment give them. */
export interface ReproFlags {
  readonly command?: string;
  readonly scenario?: readonly string[];
  readonly runs?: string | number;
  readonly workers?: string | number;
  readonly calls?: string | number;
  /** Seconds. */
  readonly timeout?: string | number;
  readonly amplifier?: string;
  readonly driver?: string;
  readonly inputs?: string;
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly twin?: string;
  readonly seed?: string | number;
  readonly node?: string;
  readonly untilCrash?: boolean;
  readonly minCalls?: boolean;
  readonly mainLoads?: boolean;
  readonly allowScripts?: boolean;
  readonly differential?: boolean;
  readonly evidence?: string;
}

class FlagError extends Error {}

function readNumber(
  name: string,
  value: string | number | undefined,
  minimum: number,
  maximum: number,
): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (
    !Number.isFinite(number) ||
    number < minimum ||
    number > maximum ||
    (name !== 'timeout' && !Number.isInteger(number))
  ) {
    throw new FlagError(`--${name} expects a number from ${minimum} to ${maximum}, not '${value}'.`);
  }
  return number;
}

function readScenarios(names: readonly string[] | undefined): readonly ScenarioName[] | undefined {
  if (names === undefined || names.length === 0) return undefined;
  if (names.includes('all')) return scenarioNames.filter((name) => name !== 'command');
  return names.map((name) => {
    if (!isScenarioName(name))
      throw new FlagError(`There is no scenario '${name}'; there are ${scenarioNames.join(', ')}, and 'all'.`);
    return name;
  });
}

function readEnv(pairs: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (pairs ?? []).map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new FlagError(`--env expects NAME=value, not '${pair}'.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function readPath(flag: string, path: string | undefined, cwd: string, kind: 'file' | 'folder'): string | undefined {
  if (path === undefined) return undefined;
  const absolute = resolve(cwd, path);
  if (!existsSync(absolute)) throw new FlagError(`The ${kind} '${path}' of --${flag} does not exist.`);
  if (statSync(absolute).isDirectory() !== (kind === 'folder'))
    throw new FlagError(`--${flag} expects a ${kind}, and '${path}' is none.`);
  return absolute;
}

/** Checks the flags and gives the options of a reproduction, or one sentence about the first flag that is wrong. */
export function readReproFlags(target: string | undefined, flags: ReproFlags, cwd: string): ReproOptions | TargetError {
  try {
    return read(target, flags, cwd);
  } catch (error) {
    if (error instanceof FlagError) return { error: error.message };
    throw error;
  }
}

function read(target: string | undefined, flags: ReproFlags, cwd: string): ReproOptions | TargetError {
  if (target !== undefined && flags.command !== undefined) {
    throw new FlagError(`Name a target or give --command, not both: '${target}' and '${flags.command}'.`);
  }
  const spec = parseTarget(target, cwd, flags.command);
  if ('error' in spec) return spec;
  const scenarios = readScenarios(flags.scenario);
  if (spec.kind === 'command' && scenarios?.some((name) => name !== 'command') === true) {
    throw new FlagError("A command has one scenario, 'command'; leave --scenario out.");
  }
  if (spec.kind !== 'command' && scenarios?.includes('command') === true)
    throw new FlagError("The scenario 'command' needs --command.");
  const twin =
    flags.twin === undefined
      ? undefined
      : parseTarget(flags.twin, cwd, spec.kind === 'command' ? flags.twin : undefined);
  if (twin !== undefined && 'error' in twin) return { error: `The twin cannot be run. ${twin.error}` };
  const amplifier = flags.amplifier ?? 'auto';
  if (amplifier !== 'auto' && !isAmplifierName(amplifier)) {
    throw new FlagError(`There is no amplifier '${amplifier}'; there are auto, ${amplifierNames.join(', ')}.`);
  }
  const driver = readPath('driver', flags.driver, cwd, 'file');
  const node = readPath('node', flags.node, cwd, 'file');
  const inputs = readPath('inputs', flags.inputs, cwd, 'folder');
  const runs = readNumber('runs', flags.runs, 1, 100_000);
  const workers = readNumber('workers', flags.workers, 1, 256);
  const calls = readNumber('calls', flags.calls, 1, 1_000_000);
  const timeout = readNumber('timeout', flags.timeout, 0.1, 86_400);
  const seed = readNumber('seed', flags.seed, 0, 2 ** 31);
  return {
    spec: spec.kind === 'package' && flags.allowScripts === true ? { ...spec, allowScripts: true } : spec,
    amplifier,
    env: readEnv(flags.env),
    untilCrash: flags.untilCrash === true,
    minCalls: flags.minCalls === true,
    mainLoads: flags.mainLoads === true,
    differential: flags.differential !== false,
    ...(scenarios === undefined ? {} : { scenarios }),
    ...(twin === undefined ? {} : { twin }),
    ...(driver === undefined ? {} : { driver }),
    ...(inputs === undefined ? {} : { inputs }),
    ...(runs === undefined ? {} : { runs }),
    ...(workers === undefined ? {} : { workers }),
    ...(calls === undefined ? {} : { calls }),
    ...(timeout === undefined ? {} : { timeoutMs: Math.round(timeout * 1000) }),
    ...(seed === undefined ? {} : { seed }),
    ...(node === undefined ? {} : { node }),
    ...(flags.evidence === undefined ? {} : { evidence: resolve(cwd, flags.evidence) }),
  };
}
