import { chmodSync, cpSync, existsSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { makeFolder } from '../../discover/make-folder.js';
import type { CallPlan } from '../call-plan.js';
import { findSmallest } from '../find-smallest.js';
import { readManifest } from '../package-manifest.js';
import { defaultPlan, runOnce } from '../run.js';
import type { ScenarioName } from '../scenario.js';
import { makeScratchFolder } from '../scratch-folder.js';
import type { PreparedTarget } from '../target.js';
import {
  CHANGED_VALUE_EXIT,
  hasCalls,
  hasWorkers,
  nodeFlagsOf,
  programFiles,
  type LoadStyle,
  type ProgramShape,
} from './files.js';
import { renderReadme } from './readme.js';

/** What was seen before it was made smaller. */
export interface Observed {
  readonly class: string;
  readonly detail: string;
  readonly lines: readonly string[];
  readonly platform: string;
  readonly node: string;
}

export interface MinimiseRequest {
  readonly target: PreparedTarget;
  readonly scenario: ScenarioName;
  /** Workers and calls with which it crashed. */
  readonly workers: number;
  readonly calls: number;
  readonly cycles?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly mainLoads?: boolean;
  /** Absolute paths. */
  readonly driver?: string;
  readonly inputs?: string;
  readonly callPlan?: CallPlan;
  /** Milliseconds of one run. */
  readonly timeoutMs?: number;
  /** Absolute path of the folder to write; must be empty or absent. */
  readonly out: string;
  readonly observed: Observed;
  readonly signal?: AbortSignal;
  readonly onStep?: (text: string) => void;
}

export interface MinimiseResult {
  readonly folder: string;
  readonly files: readonly string[];
  /** What to type in the folder. */
  readonly command: string;
  readonly workers?: number;
  readonly calls?: number;
  /** Of the final program. */
  readonly runs: number;
  readonly hits: number;
  readonly notes: readonly string[];
}

/** A program is useful when it crashes in at least this share of its runs, or half as often as the full one when that is less. */
const USEFUL_RATE = 0.3;
const TRIAL_RUNS = 10;
const FINAL_RUNS = 20;
const LARGEST_COPY = 200 * 1024 * 1024;

interface Score {
  readonly runs: number;
  readonly hits: number;
}

const rateOf = ({ runs, hits }: Score): number => (runs === 0 ? 0 : hits / runs);

/**
 * Writes a stand-alone reproduction: one main file, one worker file where the crash needs workers, package.json pinned to the version,
 * and a README. The program is run as its reader will run it, and made smaller as long as it still crashes at a useful rate.
 *
 * Resolves with one sentence when the stand-alone program does not crash, or the folder cannot be written.
 */
export async function minimise(request: MinimiseRequest): Promise<MinimiseResult | { readonly error: string }> {
  const { out } = request;
  if (existsSync(out) && (!statSync(out).isDirectory() || readdirSync(out).length > 0)) {
    return { error: `'${out}' exists and is not an empty folder; name another one for the reproduction.` };
  }
  const scratch = makeScratchFolder('minimise');
  const work = scratch.path;
  try {
    return request.scenario === 'command' ? await keepCommand(request, work) : await new Minimiser(request, work).run();
  } finally {
    scratch.remove();
  }
}

async function runProgram(request: MinimiseRequest, folder: string, command: string): Promise<boolean | undefined> {
  const target: PreparedTarget = { kind: 'command', label: command, root: folder, specifier: '', command };
  const outcome = await runOnce(
    defaultPlan(target, 'command', {
      env: request.env ?? {},
      timeoutMs: request.timeoutMs ?? 20_000,
      keepFolder: folder,
    }),
    request.signal,
  );
  if (request.signal?.aborted === true) return undefined;
  return outcome.kind === 'hit' || outcome.exitCode === CHANGED_VALUE_EXIT;
}

/** Runs until it is clear whether the rate is at least `wanted`; at most `most` runs. */
async function score(run: () => Promise<boolean | undefined>, wanted: number, most = TRIAL_RUNS): Promise<Score> {
  const enough = Math.max(1, Math.ceil(wanted * most));
  let runs = 0;
  let hits = 0;
  while (runs < most && hits < enough && hits + most - runs >= enough) {
    const hit = await run();
    if (hit === undefined) break;
    runs++;
    if (hit) hits++;
  }
  return { runs, hits };
}

/** Makes that many runs, unless it is interrupted. */
async function count(run: () => Promise<boolean | undefined>, most: number): Promise<Score> {
  let runs = 0;
  let hits = 0;
  while (runs < most) {
    const hit = await run();
    if (hit === undefined) break;
    runs++;
    if (hit) hits++;
  }
  return { runs, hits };
}

class Minimiser {
  private readonly specifier: string;
  private readonly notes: string[] = [];

  constructor(
    private readonly request: MinimiseRequest,
    private readonly work: string,
  ) {
    const { target } = request;
    if (target.kind === 'addon') this.specifier = `./${basename(target.specifier)}`;
    else if (target.kind === 'driver') this.specifier = './driver.mjs';
    else this.specifier = target.specifier;
  }

  async run(): Promise<MinimiseResult | { readonly error: string }> {
    const { request } = this;
    const { scenario } = request;
    const setup = this.placeTarget(this.work, true);
    if (setup !== undefined) return { error: setup };
    request.onStep?.(`Making '${request.target.label}' (${scenario}) smaller.`);
    let shape = this.shape(request.workers, request.calls);
    const first = await this.chooseStyle(shape);
    if (first === undefined) {
      return {
        error: `The stand-alone program for '${scenario}' did not crash in ${TRIAL_RUNS} runs; the harness, an amplifier or the workers' number takes part in it. Nothing was written.`,
      };
    }
    shape = first.shape;
    const wanted = Math.min(USEFUL_RATE, rateOf(first.score) / 2);
    if (hasCalls(scenario) && (shape.callPlan?.calls.length ?? 0) > 1) shape = await this.chooseCall(shape, wanted);
    if (hasWorkers(scenario)) shape = await this.shrink(shape, 'workers', wanted);
    if (hasCalls(scenario)) shape = await this.shrink(shape, 'calls', wanted);
    if (request.signal?.aborted === true) return { error: 'It was interrupted; nothing was written.' };
    this.write(this.work, shape);
    const final = await count(() => runProgram(request, this.work, this.command()), FINAL_RUNS);
    if (final.hits === 0) {
      return { error: `The smallest program did not crash again in ${final.runs} runs. Nothing was written.` };
    }
    return this.finish(shape, final);
  }

  private shape(workers: number, calls: number): ProgramShape {
    const { request, specifier } = this;
    const driver = request.driver ?? (request.target.kind === 'driver' ? request.target.specifier : undefined);
    return {
      scenario: request.scenario,
      specifier,
      workers,
      calls,
      cycles: request.cycles ?? 3,
      style: 'require',
      exits: false,
      mainLoads: request.mainLoads === true,
      ...(request.callPlan === undefined ? {} : { callPlan: request.callPlan }),
      ...(driver === undefined ? {} : { driver: './driver.mjs' }),
    };
  }

  private command(): string {
    return ['node', ...nodeFlagsOf(this.request.scenario), 'main.mjs'].join(' ');
  }

  private async try(shape: ProgramShape, wanted: number): Promise<Score> {
    this.write(this.work, shape);
    return score(() => runProgram(this.request, this.work, this.command()), wanted);
  }

  /** Loading by `require` or `import`, leaving or running out: one of them crashes more often than the others. */
  private async chooseStyle(shape: ProgramShape): Promise<{ shape: ProgramShape; score: Score } | undefined> {
    const styles: readonly (readonly [LoadStyle, boolean])[] =
      hasWorkers(shape.scenario) && !hasCalls(shape.scenario)
        ? [
            ['require', false],
            ['import', false],
            ['require', true],
            ['import', true],
          ]
        : [['import', false]];
    let best: { shape: ProgramShape; score: Score } | undefined;
    for (const [style, exits] of styles) {
      const candidate = { ...shape, style, exits };
      const seen = await this.try(candidate, 0.8);
      if (seen.hits > 0 && (best === undefined || rateOf(seen) > rateOf(best.score)))
        best = { shape: candidate, score: seen };
      if (rateOf(seen) >= 0.8) break;
    }
    return best;
  }

  /** One call alone, where one is enough. */
  private async chooseCall(shape: ProgramShape, wanted: number): Promise<ProgramShape> {
    const { callPlan } = shape;
    if (callPlan === undefined) return shape;
    for (const call of callPlan.calls) {
      const candidate = { ...shape, callPlan: { ...callPlan, calls: [call] } };
      const seen = await this.try(candidate, wanted);
      if (seen.runs > 0 && rateOf(seen) >= wanted) return candidate;
      if (this.request.signal?.aborted === true) break;
    }
    return shape;
  }

  /** As few as still crash often enough. */
  private async shrink(shape: ProgramShape, what: 'workers' | 'calls', wanted: number): Promise<ProgramShape> {
    const crashes = async (count: number): Promise<boolean> => {
      const seen = await this.try({ ...shape, [what]: count }, wanted);
      return seen.runs > 0 && rateOf(seen) >= wanted;
    };
    const smallest = await findSmallest(shape[what], crashes, () => this.request.signal?.aborted === true);
    return { ...shape, [what]: smallest };
  }

  private write(folder: string, shape: ProgramShape): void {
    for (const name of ['main.mjs', 'worker.cjs', 'worker.mjs']) rmSync(join(folder, name), { force: true });
    for (const [name, text] of programFiles(shape)) writeFileSync(join(folder, name), text);
  }

  /** Puts what the program loads into a folder; for a trial, installed packages are linked. Gives a sentence when it cannot. */
  private placeTarget(folder: string, trial: boolean): string | undefined {
    const { target, driver, inputs } = this.request;
    const driverFile = driver ?? (target.kind === 'driver' ? target.specifier : undefined);
    if (driverFile !== undefined) cpSync(driverFile, join(folder, 'driver.mjs'));
    if (driverFile !== undefined) makeFolder(join(folder, 'inputs'));
    if (inputs !== undefined) cpSync(inputs, join(folder, 'inputs'), { recursive: true });
    if (target.kind === 'addon') {
      cpSync(target.specifier, join(folder, basename(target.specifier)));
      return undefined;
    }
    if (target.kind === 'folder' && !trial) {
      const source = target.packageFolder ?? target.root;
      if (sizeOf(source) > LARGEST_COPY) return `'${source}' is too large to be copied into the reproduction.`;
      cpSync(source, join(folder, 'package'), {
        recursive: true,
        filter: (path) => !/[/\\](?:node_modules|target|\.git)(?:[/\\]|$)/.test(path.slice(source.length)),
      });
      return undefined;
    }
    const modules = join(target.root, 'node_modules');
    if (trial && existsSync(modules)) symlinkSync(modules, join(folder, 'node_modules'), 'junction');
    return undefined;
  }

  private finish(shape: ProgramShape, final: Score): MinimiseResult | { readonly error: string } {
    const { request } = this;
    const { out, target, scenario } = request;
    makeFolder(out);
    const failed = this.placeTarget(out, false);
    if (failed !== undefined) return { error: failed };
    this.write(out, shape);
    const flags = Object.entries(request.env ?? {}).map(([name, value]) => `${name}=${value}`);
    if (flags.length > 0) this.notes.push(`The environment held ${flags.join(' ')}; set it for the runs.`);
    const dependencies = this.dependencies();
    const start = this.command();
    writeFileSync(
      join(out, 'package.json'),
      `${JSON.stringify({ name: 'crash-reproduction', private: true, type: 'module', scripts: { start }, ...(dependencies === undefined ? {} : { dependencies }) }, null, 2)}\n`,
    );
    const result = {
      command: start,
      ...(hasWorkers(scenario) ? { workers: scenario === 'reload' ? Math.min(shape.workers, 4) : shape.workers } : {}),
      ...(hasCalls(scenario) ? { calls: shape.calls } : {}),
      ...final,
      notes: this.notes,
    };
    writeFileSync(
      join(out, 'README.md'),
      renderReadme(`${target.label} crashes (${scenario})`, result, request.observed, dependencies !== undefined),
    );
    return { folder: out, files: readdirSync(out).sort(), ...result };
  }

  private dependencies(): Readonly<Record<string, string>> | undefined {
    const { target } = this.request;
    if (target.kind === 'package' && target.version !== undefined) return { [target.specifier]: target.version };
    if (target.kind === 'folder') {
      const manifest = target.packageFolder === undefined ? undefined : readManifest(target.packageFolder);
      const name =
        manifest === undefined || 'error' in manifest ? target.specifier : (manifest.name ?? target.specifier);
      return { [name]: 'file:./package' };
    }
    return undefined;
  }
}

function sizeOf(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'target' || entry.name === '.git') continue;
    const path = join(folder, entry.name);
    sum += entry.isDirectory() ? sizeOf(path) : entry.isFile() ? statSync(path).size : 0;
  }
  return sum;
}

/** A program has nothing to be made smaller; its command, and its file where it is one, are kept with what was observed. */
async function keepCommand(
  request: MinimiseRequest,
  work: string,
): Promise<MinimiseResult | { readonly error: string }> {
  const { target, out } = request;
  const given = target.command ?? '';
  const [word = '', ...rest] = given.trim().split(/\s+/);
  const file = word === '' ? '' : resolve(target.root, word);
  const isFile =
    file !== '' &&
    /[./]/.test(word) &&
    existsSync(file) &&
    statSync(file).isFile() &&
    statSync(file).size < LARGEST_COPY;
  const command = isFile ? [`./${basename(file)}`, ...rest].join(' ') : given;
  if (isFile) cpSync(file, join(work, basename(file)));
  const folder = isFile ? work : target.root;
  const final = await count(() => runProgram(request, folder, command), FINAL_RUNS);
  if (final.hits === 0) {
    return {
      error: `'${given}' did not crash again in ${final.runs} runs${isFile ? ' when it was copied to a folder of its own' : ''}. Nothing was written.`,
    };
  }
  makeFolder(out);
  if (isFile) {
    cpSync(file, join(out, basename(file)));
    chmodSync(join(out, basename(file)), 0o755);
  }
  const notes = isFile ? [] : [`The command was run in '${target.root}'.`];
  const result = { command, ...final, notes };
  writeFileSync(join(out, 'README.md'), renderReadme(`'${given}' crashes`, result, request.observed, false));
  return { folder: out, files: readdirSync(out).sort(), ...result };
}
