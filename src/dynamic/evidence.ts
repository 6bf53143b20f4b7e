import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../discover/make-folder.js';
import { findExecutable } from './amplify.js';
import { findCause, readCrashingThread, readFrames, type Cause, type Frame } from './backtrace.js';
import { coresComeHere, findCores, findProgram, gdbCommands, runGdb, trimBacktrace } from './debugger.js';
import { runOnce, type RunOutcome, type RunPlan } from './run.js';

/** What was kept of a crash, in a folder that the user named. */
export interface CrashEvidence {
  /** Paths of the files that were written. */
  readonly artifacts: readonly string[];
  /** Frames of the thread that crashed, innermost first; empty without a debugger. */
  readonly frames: readonly Frame[];
  readonly cause?: Cause;
  readonly lines: readonly string[];
  /** Why there is less than there could be. */
  readonly notes: readonly string[];
}

/**
 * Runs the plan again, up to `tries` times, until it crashes with a core file, Node's diagnostic report and the full stderr in
 * `folder`; symbolises the core with gdb and deletes it. Undefined when it did not crash again.
 */
export async function gatherEvidence(
  plan: RunPlan,
  folder: string,
  tries: number,
  signal?: AbortSignal,
): Promise<CrashEvidence | undefined> {
  makeFolder(folder);
  const notes: string[] = [];
  const cores = coresComeHere() && findExecutable(['gdb']) !== undefined;
  if (!cores) notes.push('There is no native backtrace: it needs gdb and core files in the working folder.');
  // A command dumps its core where it runs, which may be the user's own folder: what was there before stays.
  const places = plan.scenario === 'command' ? [plan.target.root, folder] : [folder];
  const before = new Set(places.flatMap(findCores));
  let outcome: RunOutcome | undefined;
  for (let i = 0; i < tries && signal?.aborted !== true; i++) {
    const next = await runOnce({ ...plan, seed: plan.seed + i, keepFolder: folder }, signal);
    if (next.kind !== 'hit') continue;
    outcome = next;
    break;
  }
  if (outcome === undefined) {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  let frames: Frame[] = [];
  const core = places.flatMap(findCores).find((path) => !before.has(path));
  if (core !== undefined) {
    // A command may have started another program, and that one crashed.
    const program = plan.scenario === 'command' ? findProgram(core, plan.target.root) : (plan.node ?? process.execPath);
    const text = runGdb([...(program === undefined ? ['-c'] : [program]), core, ...gdbCommands], folder);
    // Cores hold the whole memory of the process, secrets included, and are large.
    rmSync(core, { force: true });
    if (text !== undefined) {
      const trimmed = trimBacktrace(text);
      writeFileSync(join(folder, 'backtrace.txt'), trimmed);
      frames = readCrashingThread(trimmed);
    }
  }
  if (frames.length === 0) frames = readFrames(outcome.evidenceLines.join('\n'));
  const cause = findCause(frames);
  writeFileSync(
    join(folder, 'outcome.json'),
    `${JSON.stringify({ class: outcome.class, detail: outcome.detail, stage: outcome.stage, exitCode: outcome.exitCode, signal: outcome.signal, cause, plan: describePlan(plan) }, null, 2)}\n`,
  );
  return {
    artifacts: readdirSync(folder)
      .sort()
      .map((name) => join(folder, name)),
    frames,
    ...(cause === undefined ? {} : { cause }),
    lines: outcome.evidenceLines,
    notes,
  };
}

/** The plan without folders of this machine. */
function describePlan(plan: RunPlan): object {
  const { scenario, workers, calls, amplifier, mainLoads, cycles, seed, env } = plan;
  return {
    target: plan.target.label,
    scenario,
    workers,
    calls,
    amplifier,
    mainLoads,
    cycles,
    seed,
    env,
    node: process.version,
  };
}
