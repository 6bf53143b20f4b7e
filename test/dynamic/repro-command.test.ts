import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../../src/commands/run.js';
import type { Io } from '../../src/commands/io.js';
import { findExecutable } from '../../src/dynamic/amplify.js';
import { readReproFlags } from '../../src/dynamic/repro-flags.js';
import { reproduce } from '../../src/dynamic/reproduce.js';
import { prepareValidator, validateSarif } from '../report/sarif-validator.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Invocation {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function invoke(...args: string[]): Promise<Invocation> {
  let out = '';
  let err = '';
  const output = (add: (text: string) => void): Io['stdout'] => ({ write: add, isTTY: false, columns: undefined });
  const io: Io = {
    cwd: folder,
    env: {},
    stdout: output((text) => {
      out += text;
    }),
    stderr: output((text) => {
      err += text;
    }),
  };
  const code = await run(args, io);
  return { code, out, err };
}

/** A command line that runs a script in this Node. */
function script(name: string, text: string): string {
  const file = join(folder, `${name}.cjs`);
  writeFileSync(file, text);
  return `"${process.execPath}" "${file}"`;
}

/** An addon that ends the process as soon as it is registered. */
const fatalAddon = `#include <stddef.h>
extern void napi_fatal_error(const char *, size_t, const char *, size_t);
void *napi_register_module_v1(void *env, void *exports) { napi_fatal_error("start", 5, "broken", 6); return exports; }
`;
const compiler = findExecutable(['cc', 'gcc', 'clang']);
const sharedFlags = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-fPIC'];

const crash = 'process.kill(process.pid, "SIGSEGV")';
const posix = process.platform !== 'win32';

describe('repro', () => {
  it.runIf(posix)('exits with 1 and says how often and how it crashed', async () => {
    const { code, out } = await invoke('repro', '--command', script('bad', crash), '--runs', '5');
    expect(code).toBe(1);
    expect(out).toContain('command: reproduced in 3 of 3 runs (44 % to 100 %) without an amplifier.');
    expect(out).toContain('memory-fault 3; SIGSEGV');
    expect(out).toMatch(/^Reproduced\.$/m);
  });

  it('exits with 0 and says what the clean runs exclude', async () => {
    const { code, out } = await invoke('repro', '--command', script('good', ''), '--runs', '4', '--amplifier', 'none');
    expect(code).toBe(0);
    expect(out).toContain('with 4 clean runs a crash rate above 53 % is excluded at 95 %.');
  });

  it('exits with 2 when nothing could be tested, and says why', async () => {
    const { code, out } = await invoke(
      'repro',
      '--command',
      script('error', 'throw new Error("no such thing")'),
      '--runs',
      '4',
    );
    expect(code).toBe(2);
    expect(out).toContain('command: not run.');
    expect(out).toContain('no such thing');
  });

  it('says once why several scenarios could not be run', async () => {
    mkdirSync(join(folder, 'plain'));
    writeFileSync(join(folder, 'plain', 'package.json'), '{ "name": "plain", "version": "1.0.0" }');
    writeFileSync(join(folder, 'plain', 'index.js'), '');
    const scenarios = ['--scenario', 'import', '--scenario', 'reload'];
    const { code, out } = await invoke('repro', './plain', ...scenarios, '--runs', '1', '--amplifier', 'none');
    expect(code).toBe(2);
    expect(out).toContain('import, reload: not run. No addon was opened, so nothing was tested');
    expect(out.match(/not run/gu)).toHaveLength(1);
  });

  it('says after two runs that nothing native is loaded, and plays what was asked for all the same', async () => {
    mkdirSync(join(folder, 'plain'));
    writeFileSync(join(folder, 'plain', 'package.json'), '{ "name": "plain", "version": "1.0.0" }');
    const count = join(folder, 'count');
    writeFileSync(
      join(folder, 'plain', 'index.js'),
      `if (require('node:worker_threads').isMainThread) require('node:fs').appendFileSync(${JSON.stringify(count)}, 'x');`,
    );
    const { code, out } = await invoke('repro', './plain');
    expect(code).toBe(2);
    expect(out).toContain('import, reload, terminate, exit-with-work, main-and-worker: not run. No addon was opened');
    expect(readFileSync(count, 'utf8')).toBe('xx');
    await invoke('repro', './plain', '--scenario', 'main-and-worker', '--amplifier', 'none');
    expect(readFileSync(count, 'utf8')).toBe('xxxxx');
  });

  it.runIf(posix)('writes one JSON document of version 1', async () => {
    const { out } = await invoke('repro', '--command', script('bad', crash), '--format', 'json');
    const report: unknown = JSON.parse(out);
    expect(report).toMatchObject({
      schema: 1,
      platform: `${process.platform}-${process.arch}`,
      verdict: 'reproduced',
      interrupted: false,
      scenarios: [
        {
          name: 'command',
          runs: 3,
          hits: 3,
          classes: { 'memory-fault': 3 },
          amplifier: 'none',
          verdict: 'reproduced',
          hit: { class: 'memory-fault', signal: 'SIGSEGV', exitCode: null },
          attempts: [{ amplifier: 'none', control: { runs: 2, hits: 0 } }],
        },
      ],
    });
  });

  it.runIf(posix)('writes SARIF that the validator accepts', async (context) => {
    writeFileSync(join(folder, 'package.json'), '{}\n');
    const { code } = await invoke(
      'repro',
      '--command',
      script('bad', crash),
      '--format',
      'sarif',
      '--output-file',
      'out/run.sarif',
    );
    expect(code).toBe(1);
    const text = readFileSync(join(folder, 'out', 'run.sarif'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({
      runs: [{ results: [{ ruleId: 'run/memory-fault', properties: { hits: 3, verdict: 'reproduced' } }] }],
    });
    const validator = prepareValidator();
    if ('reason' in validator) return context.skip(validator.reason);
    expect(validateSarif(validator.path, text).filter(({ level }) => level !== 'note')).toEqual([]);
  });

  it('tells a wrong value by the good twin', async () => {
    const bad = script('bad', 'console.log(41)');
    const good = script('good', 'console.log(42)');
    const caught = await invoke('repro', '--command', bad, '--twin', good, '--runs', '3', '--amplifier', 'none');
    expect(caught.code).toBe(1);
    expect(caught.out).toContain('changed-value 3');
    expect(caught.out).toContain('The good twin: 0 of 3 runs.');
    const silent = await invoke('repro', '--command', good, '--twin', good, '--runs', '3', '--amplifier', 'none');
    expect(silent.code).toBe(0);
  });

  it('does not blame the target for what its good twin does too', async () => {
    const bad = script('bad', posix ? crash : 'process.abort()');
    const { code, out } = await invoke('repro', '--command', bad, '--twin', bad, '--runs', '3', '--amplifier', 'none');
    expect(code).toBe(2);
    expect(out).toContain('The good twin fails too');
  });

  it.runIf(posix)('keeps evidence under the folder that was named, and nowhere else', async () => {
    const before = new Set(['bad.cjs']);
    const { out } = await invoke('repro', '--command', script('bad', crash), '--evidence', 'kept');
    expect(out).toContain(join('kept', 'command', 'outcome.json'));
    const outcome: unknown = JSON.parse(readFileSync(join(folder, 'kept', 'command', 'outcome.json'), 'utf8'));
    expect(outcome).toMatchObject({ class: 'memory-fault', plan: { scenario: 'command' } });
    const { readdirSync } = await import('node:fs');
    expect(readdirSync(folder).filter((name) => !before.has(name))).toEqual(['kept']);
  });

  it.runIf(posix && compiler !== undefined)("keeps Node's diagnostic report of a fatal error", async () => {
    writeFileSync(join(folder, 'addon.c'), fatalAddon);
    const built = spawnSync(compiler ?? '', [...sharedFlags, '-o', 'addon.node', 'addon.c'], { cwd: folder });
    expect(built.stderr.toString()).toBe('');
    const flags = ['--runs', '1', '--amplifier', 'none', '--no-differential', '--workers', '1', '--evidence', 'kept'];
    const { code, out } = await invoke('repro', './addon.node', '--scenario', 'import', ...flags);
    expect([code, out]).toEqual([1, expect.stringContaining('node-api-fatal 1; FATAL ERROR: start broken')]);
    const report: unknown = JSON.parse(readFileSync(join(folder, 'kept', 'import', 'report.json'), 'utf8'));
    expect(report).toMatchObject({ header: { trigger: 'FatalError' } });
  });

  it.runIf(posix)('does not go on without the amplifier that was asked for', async () => {
    vi.stubEnv('PATH', folder);
    const { code, out, err } = await invoke('repro', '--command', script('good', ''), '--amplifier', 'valgrind');
    vi.unstubAllEnvs();
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain("The amplifier 'valgrind' needs valgrind; install it, or choose another amplifier.");
  });

  it('runs on until the first crash', async () => {
    const text = `const fs = require('node:fs'); const file = ${JSON.stringify(join(folder, 'count'))};
      const n = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) + 1 : 1; fs.writeFileSync(file, String(n));
      if (n === 6) process.abort();`;
    const { code, out } = await invoke('repro', '--command', script('rare', text), '--until-crash');
    expect(code).toBe(1);
    expect(out).toContain('reproduced in 1 of 6 runs');
  });
});

describe('flags of repro', () => {
  it.each([
    [['repro'], 'There is nothing to run'],
    [['repro', 'nowhere'], "write 'nowhere@VERSION'"],
    [['repro', 'x@1', '--command', 'y'], 'not both'],
    [['repro', 'x@1', '--scenario', 'no'], "There is no scenario 'no'"],
    [['repro', 'x@1', '--amplifier', 'loud'], "There is no amplifier 'loud'"],
    [['repro', 'x@1', '--runs', '0'], '--runs expects a number'],
    [['repro', 'x@1', '--runs', '1.5'], '--runs expects a number'],
    [['repro', 'x@1', '--workers', 'many'], '--workers expects a number'],
    [['repro', 'x@1', '--driver', 'no.mjs'], "The file 'no.mjs' of --driver does not exist."],
    [['repro', 'x@1', '--inputs', 'no'], "The folder 'no' of --inputs does not exist."],
    [['repro', 'x@1', '--env', 'novalue'], '--env expects NAME=value'],
    [['repro', 'x@1', '--scenario', 'command'], 'needs --command'],
    [['repro', '--command', 'true', '--scenario', 'import'], 'A command has one scenario'],
  ])('%j', async (args, message) => {
    const { code, err, out } = await invoke(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(out).toBe('');
  });

  it('reads every flag', () => {
    mkdirSync(join(folder, 'inputs'));
    writeFileSync(join(folder, 'driver.mjs'), '');
    expect(
      readReproFlags(
        'x@1.0.0',
        {
          scenario: ['mutate', 'detach'],
          runs: '7',
          workers: 3,
          calls: '9',
          timeout: '1.5',
          amplifier: 'gc',
          driver: 'driver.mjs',
          inputs: 'inputs',
          env: ['A=1', 'B=x=y'],
          allowScripts: true,
          minCalls: true,
        },
        folder,
      ),
    ).toMatchObject({
      spec: { kind: 'package', name: 'x', version: '1.0.0', allowScripts: true },
      scenarios: ['mutate', 'detach'],
      runs: 7,
      workers: 3,
      calls: 9,
      timeoutMs: 1500,
      amplifier: 'gc',
      driver: join(folder, 'driver.mjs'),
      inputs: join(folder, 'inputs'),
      env: { A: '1', B: 'x=y' },
      minCalls: true,
      untilCrash: false,
    });
  });
});

describe('nothing runs that was not asked for', () => {
  it('a scan executes no code of the scanned folder', async () => {
    const mark = join(folder, 'executed');
    const touch = `require('node:fs').writeFileSync(${JSON.stringify(mark)}, '')`;
    const files: Record<string, string> = {
      'package.json': JSON.stringify({
        name: 'x',
        version: '1.0.0',
        main: 'index.js',
        scripts: { prepare: `node -e "${touch}"`, install: `node -e "${touch}"`, build: `node -e "${touch}"` },
        'lifetime-lint': {},
        eslintConfig: { extends: './eslint.config.js' },
      }),
      'index.js': `${touch}; module.exports = require('./x.node');`,
      'eslint.config.js': touch,
      'eslint.config.mjs': `import fs from 'node:fs'; fs.writeFileSync(${JSON.stringify(mark)}, '')`,
      'lifetime-lint.config.js': touch,
      'build.rs': `fn main() { std::fs::write(${JSON.stringify(mark)}, "").unwrap(); }`,
      'src/lib.rs': '#[global_allocator]\nstatic A: X = X;\n',
      'Cargo.toml': '[package]\nname = "x"\nversion = "0.1.0"\nbuild = "build.rs"\n[lib]\ncrate-type = ["cdylib"]\n',
      'x.node': 'no library',
    };
    mkdirSync(join(folder, 'src'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const { code } = await invoke('scan', '--exit-zero');
    expect(code).toBe(0);
    expect(existsSync(mark)).toBe(false);
    const verified = await invoke('verify');
    expect(verified.err).toContain('not run');
    expect(existsSync(mark)).toBe(false);
  });
});

describe('an interrupted reproduction', () => {
  it('reports what was seen until then', async () => {
    const options = readReproFlags(undefined, { command: script('good', ''), runs: 50, amplifier: 'none' }, folder);
    if ('error' in options) throw new Error(options.error);
    const controller = new AbortController();
    const report = await reproduce({
      ...options,
      signal: controller.signal,
      onProgress: ({ done, of, hits, leftMs }) => {
        expect([of, hits]).toEqual([50, 0]);
        expect(leftMs).toBeGreaterThan(0);
        if (done === 3) controller.abort();
      },
    });
    expect(report).toMatchObject({
      interrupted: true,
      verdict: 'not-reproduced',
      scenarios: [{ name: 'command', runs: 3, hits: 0 }],
    });
  });
});
