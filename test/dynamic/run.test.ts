import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controlTarget, defaultPlan, repeat, runOnce, type RunPlan } from '../../src/dynamic/run.js';
import { scenarioNames, type ScenarioName } from '../../src/dynamic/scenario.js';
import { explainScripts, explainUnopened } from '../../src/dynamic/explain-unopened.js';
import { describeNpmError, parseTarget, prepareTarget, type PreparedTarget } from '../../src/dynamic/target.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const posix = process.platform !== 'win32';

/** A real addon that does nothing wrong when it is loaded: the one that a grammar package ships for each system. */
function findAddon(): string | undefined {
  const file = fileURLToPath(
    new URL(
      `../../node_modules/tree-sitter-rust/prebuilds/${process.platform}-${process.arch}/tree-sitter-rust.node`,
      import.meta.url,
    ),
  );
  return existsSync(file) ? file : undefined;
}

function command(text: string, overrides: Partial<RunPlan> = {}): RunPlan {
  const target: PreparedTarget = { kind: 'command', label: text, root: folder, specifier: '', command: text };
  return defaultPlan(target, 'command', { timeoutMs: 5000, ...overrides });
}

/** A command that runs a script in this Node. */
function script(text: string): string {
  const file = join(folder, 'script.cjs');
  writeFileSync(file, text);
  return `"${process.execPath}" "${file}"`;
}

function driver(text: string, scenario: ScenarioName, overrides: Partial<RunPlan> = {}): RunPlan {
  const file = join(folder, 'driver.mjs');
  writeFileSync(file, text);
  const target: PreparedTarget = { kind: 'driver', label: 'driver.mjs', root: folder, specifier: file };
  return defaultPlan(target, scenario, { driver: file, timeoutMs: 10_000, workers: 2, calls: 3, ...overrides });
}

/** Opens the addon and then does what the test wants. */
function openThen(rest: string): string {
  const addon = findAddon();
  if (addon === undefined) throw new Error('There is no addon for this system in node_modules.');
  return `import { createRequire } from 'node:module';
    const require = createRequire(import.meta.url);
    export async function load() { require(${JSON.stringify(addon)}); return {}; }
    ${rest}`;
}

describe('a package whose addon is missing', () => {
  it.each(['import', 'main-and-worker'] as const)('says which module it wanted, with %s', async (scenario) => {
    const pkg = join(folder, 'pkg');
    mkdirSync(pkg);
    // The entry for `import` is missing too; the one for `require` comes as far as the addon.
    const exports = { import: './missing.mjs', require: './entry.cjs' };
    writeFileSync(join(pkg, 'package.json'), JSON.stringify({ name: 'broken', version: '1.0.0', exports }));
    writeFileSync(join(pkg, 'entry.cjs'), "module.exports = require('./binding.linux-x64-gnu.node');\n");
    const target = await prepareTarget({ kind: 'folder', folder: pkg }, { cacheFolder: join(folder, 'cache') });
    if ('error' in target) throw new Error(target.error);
    const outcome = await runOnce(defaultPlan(target, scenario, { workers: 1 }));
    expect(outcome).toMatchObject({ kind: 'not-hit-error', class: 'load-error' });
    expect(outcome.detail).toContain("Cannot find module './binding.linux-x64-gnu.node'");
  });
});

describe('commands', () => {
  it('is clean, and has its output for a value', async () => {
    const outcome = await runOnce(command(script('console.log(1)')));
    expect(outcome).toMatchObject({ kind: 'clean', class: 'clean', exitCode: 0, stage: 'command' });
    expect(outcome.value).toMatch(/^[0-9a-f]{16}$/);
  });

  it.runIf(posix)('tells a crash, a kill and an error apart', async () => {
    const crash = await runOnce(command(script('process.kill(process.pid, "SIGSEGV")')));
    expect(crash).toMatchObject({ kind: 'hit', class: 'memory-fault', signal: 'SIGSEGV' });
    const killed = await runOnce(command(script('process.kill(process.pid, "SIGKILL")')));
    expect(killed).toMatchObject({ kind: 'killed', class: 'killed' });
    const error = await runOnce(command(script('throw new TypeError("no")')));
    expect(error).toMatchObject({ kind: 'not-hit-error', class: 'javascript-error' });
    const shell = await runOnce(command(`${script('process.kill(process.pid, "SIGSEGV")')}; exit $?`));
    expect(shell).toMatchObject({ kind: 'hit', class: 'memory-fault', exitCode: 139, signal: null });
  });

  it('compares with the good twin', async () => {
    const good = await runOnce(command(script('console.log("right")')));
    const bad = await runOnce(
      command(script('console.log("wrong")'), { ...(good.value === undefined ? {} : { expected: good.value }) }),
    );
    expect(bad).toMatchObject({ kind: 'hit', class: 'changed-value', evidenceLines: ['wrong'] });
  });

  it('takes a hang for a hit only where a twin ends', async () => {
    const endless = script('setInterval(() => {}, 1000)');
    expect(await runOnce(command(endless, { timeoutMs: 300 }))).toMatchObject({
      kind: 'not-hit-error',
      class: 'timeout',
    });
    expect(await runOnce(command(endless, { timeoutMs: 300, hangIsHit: true }))).toMatchObject({
      kind: 'hit',
      class: 'hang',
    });
  });

  it('stops floods without calling them crashes', async () => {
    const flood = script(
      'const line = "x".repeat(65536); (function again() { process.stdout.write(line, again); })();',
    );
    expect(await runOnce(command(flood, { maxOutputBytes: 1024 * 1024 }))).toMatchObject({
      kind: 'not-hit-error',
      class: 'too-much-output',
    });
  });

  it('gives nothing of this environment to it', async () => {
    process.env['LIFETIME_LINT_TEST_TOKEN'] = 'secret';
    try {
      const plan = command(script('console.log(process.env.LIFETIME_LINT_TEST_TOKEN ?? "nothing", process.env.MINE)'), {
        env: { MINE: '1' },
      });
      const same = await runOnce(command(script('console.log("nothing 1")')));
      expect((await runOnce(plan)).value).toBe(same.value);
    } finally {
      delete process.env['LIFETIME_LINT_TEST_TOKEN'];
    }
  });

  it('leaves no folder behind', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('lifetime-lint-run-'));
    await runOnce(
      command(script('require("node:fs").writeFileSync(require("node:path").join(process.env.TMPDIR, "junk"), "x")')),
    );
    const after = readdirSync(tmpdir()).filter(
      (name) => name.startsWith('lifetime-lint-run-') && !before.includes(name),
    );
    // Other tests may run at the same time; none of theirs holds this file.
    expect(after.filter((name) => existsSync(join(tmpdir(), name, 'junk')))).toEqual([]);
  });

  it.runIf(posix)('understands what only a shell can do', async () => {
    expect(await runOnce(command('exit 3'))).toMatchObject({ class: 'exit-code', exitCode: 3 });
    expect(await runOnce(command('cd / && exit 0'))).toMatchObject({ class: 'clean' });
    expect(await runOnce(command('exec true'))).toMatchObject({ class: 'clean' });
    expect(await runOnce(command('exit 139'))).toMatchObject({ class: 'memory-fault', exitCode: 139 });
  });

  it('is interrupted at once', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 150);
    const outcome = await runOnce(command(script('setInterval(() => {}, 1000)')), controller.signal);
    expect(outcome).toMatchObject({ kind: 'killed', class: 'interrupted' });
  });
});

describe('the harness', () => {
  const played = scenarioNames.filter((name) => name !== 'command');

  it.each(played)('plays %s with nothing to load', async (scenario) => {
    const outcome = await runOnce(defaultPlan(controlTarget, scenario, { workers: 2, calls: 2, timeoutMs: 20_000 }));
    expect(outcome).toMatchObject({ kind: 'clean', stage: 'done', opened: [] });
  });

  it('does not call a target clean whose addon was never opened', async () => {
    const plan = driver('export const call = () => 1;', 'sequential');
    expect(await runOnce(plan)).toMatchObject({ kind: 'untestable', class: 'not-opened' });
  });

  it('reports an error of JavaScript with its message', async () => {
    const plan = driver('export function load() { throw new RangeError("too far"); }', 'sequential');
    expect(await runOnce(plan)).toMatchObject({ kind: 'not-hit-error', class: 'javascript-error', detail: 'too far' });
  });

  it('reports an addon that cannot be opened as a load error', async () => {
    writeFileSync(join(folder, 'broken.node'), 'this is no library');
    const spec = parseTarget('broken.node', folder);
    if ('error' in spec) throw new Error(spec.error);
    const target = await prepareTarget(spec);
    if ('error' in target) throw new Error(target.error);
    expect(await runOnce(defaultPlan(target, 'import', { workers: 2 }))).toMatchObject({
      kind: 'not-hit-error',
      class: 'load-error',
    });
  });

  describe('with a real addon', () => {
    it('opens it in workers and says so', async () => {
      const outcome = await runOnce(driver(openThen(''), 'import'));
      expect(outcome).toMatchObject({ kind: 'clean', stage: 'done' });
      expect(outcome.opened).toHaveLength(1);
    });

    it('calls, and gives the values for an oracle', async () => {
      const plan = driver(openThen('export const call = (context, i) => i * 2;'), 'sequential');
      const outcome = await runOnce(plan);
      expect(outcome).toMatchObject({ kind: 'clean', calls: { returned: 3, threw: 0 } });
      expect(await runOnce({ ...plan, expected: outcome.value ?? '' })).toMatchObject({ kind: 'clean' });
      expect(await runOnce({ ...plan, expected: 'another' })).toMatchObject({ kind: 'hit', class: 'changed-value' });
    });

    it('has tested nothing when every call threw', async () => {
      const outcome = await runOnce(
        driver(openThen('export const call = () => { throw new TypeError("bad input"); };'), 'sequential'),
      );
      expect(outcome).toMatchObject({ kind: 'untestable', calls: { returned: 0, threw: 3 } });
      expect(outcome.detail).toContain('bad input');
    });

    it.runIf(posix)('names the call in which it died', async () => {
      const outcome = await runOnce(
        driver(
          openThen('export function call(c, i) { if (i === 1) process.kill(process.pid, "SIGSEGV"); return i; }'),
          'sequential',
        ),
      );
      expect(outcome).toMatchObject({ kind: 'hit', class: 'memory-fault', stage: "call 2, 'call 1'" });
    });

    it('tells an exit that JavaScript asked for from one that it did not', async () => {
      const asked = await runOnce(driver(openThen('export const call = () => process.exit(0);'), 'sequential'));
      expect(asked).toMatchObject({ kind: 'not-hit-error', class: 'exit-called' });
      const drained = await runOnce(driver(openThen('export const call = () => new Promise(() => {});'), 'sequential'));
      expect(drained).toMatchObject({ kind: 'hit', class: 'early-exit' });
    });

    it.each(['', "globalThis.kept = fs.openSync('/dev/null', 'w');"])(
      'concludes nothing when the target takes its markers away %s',
      async (then) => {
        const text = `import fs from 'node:fs'; export function call(c, i) { if (i === 1) { fs.closeSync(3); ${then} } return i; }`;
        const outcome = await runOnce(driver(openThen(text), 'sequential'));
        expect(outcome).toMatchObject({ kind: 'untestable' });
        expect(outcome.detail).toContain('file descriptor 3');
      },
    );

    it('takes no report of a tool that did not watch, and no marker that makes no sense', async () => {
      const lines = ['["calls",0,"x"]', 'null', '{}', '[1]', '["value"]', '["call",{},[]]'].join('\\n');
      const text = `import fs from 'node:fs';
        export function call(c, i) { fs.writeSync(3, "${lines.replaceAll('"', '\\"')}\\n"); console.error('lifetime-lint guard: fake\\n==1== Invalid read of size 8'); return i; }`;
      expect(await runOnce(driver(openThen(text), 'sequential'))).toMatchObject({ kind: 'clean' });
    });

    it('sees a value that a disturbed buffer changed, and only then', async () => {
      const late = 'const later = (f) => new Promise((r) => setTimeout(() => r(f()), 20));';
      const sum = 'const sum = (bytes) => bytes.reduce((a, b) => (a * 31 + b) >>> 0, 0);';
      const shared = driver(
        openThen(`${late}${sum} export const call = (c, i, { inputs }) => later(() => sum(inputs[0].bytes));`),
        'mutate',
      );
      expect(await runOnce(shared)).toMatchObject({ kind: 'hit', class: 'changed-value' });
      const copied = driver(
        openThen(
          `${late}${sum} export const call = (c, i, { inputs }) => { const own = Buffer.from(inputs[0].bytes); return later(() => sum(own)); };`,
        ),
        'mutate',
      );
      expect(await runOnce(copied)).toMatchObject({ kind: 'clean' });
      const random = driver(
        openThen(
          `${late} export const call = (c, i, { inputs }) => later(() => inputs[0].bytes.length + Math.random());`,
        ),
        'mutate',
      );
      expect(await runOnce(random)).toMatchObject({ kind: 'clean' });
      const unread = await runOnce(driver(openThen(`${late} export const call = () => later(() => 1);`), 'mutate'));
      expect(unread).toMatchObject({ kind: 'untestable' });
      expect(unread.detail).toContain('reads the bytes of none of its inputs');
      const sync = driver(openThen(`${sum} export const call = (c, i, { inputs }) => sum(inputs[0].bytes);`), 'mutate');
      expect(await runOnce(sync)).toMatchObject({ kind: 'untestable' });
    });

    it('takes buffers away in detach and in transfer', async () => {
      const text = openThen(
        'const later = (f) => new Promise((r) => setTimeout(() => r(f()), 20)); export const call = (c, i, { inputs }) => later(() => inputs[1].bytes.length);',
      );
      expect(await runOnce(driver(text, 'detach'))).toMatchObject({ kind: 'hit', class: 'changed-value' });
      expect(await runOnce(driver(text, 'transfer'))).toMatchObject({ kind: 'hit', class: 'changed-value' });
    });

    it('says which calls it could not compare, and does not run into the time limit with slow ones', async () => {
      const text = (body: string): string => openThen(`export const call = (c, i, { inputs }) => ${body};`);
      const later = (ms: number, value: string): string =>
        text(`inputs[0].bytes && new Promise((r) => setTimeout(() => r(${value}), ${ms}))`);
      const random = await runOnce(driver(later(5, 'Math.random()'), 'mutate'));
      expect(random).toMatchObject({ kind: 'clean' });
      expect(random.notes).toEqual(["'call 0' returns another value each time, so only a crash of it would show."]);
      const refused = await runOnce(driver(text("Promise.reject(new Error('no'))"), 'mutate'));
      expect(refused.notes).toEqual(["'call 0' refused every sample (Error: no)."]);
      const slow = await runOnce(driver(later(400, '1'), 'mutate', { calls: 1000, timeoutMs: 6000 }));
      expect(slow).toMatchObject({ kind: 'clean', stage: 'done' });
    });

    /** A target whose two calls accept one sample each, one of them in a class of a namespace, and whose third never settles. */
    function choosy(scenario: ScenarioName, calls: number, withNever: boolean): RunPlan {
      const addon = findAddon();
      if (addon === undefined) throw new Error('There is no addon for this system in node_modules.');
      writeFileSync(
        join(folder, 'target.mjs'),
        `import { createRequire } from 'node:module';
        createRequire(import.meta.url)(${JSON.stringify(addon)});
        class Image { constructor(b) { this.b = b; } async size() { if (this.b[1] !== 0x50) throw new Error('no PNG'); return this.b.length; } }
        export const images = { Image };
        export const never = () => new Promise(() => {});
        export const css = (text) => { if (text[0] !== 0x2e) throw new Error('no style'); return text.length; };`,
      );
      const buffer = { kind: 'buffer', type: 'Uint8Array', bytes: 64 } as const;
      const common = { async: false, buffers: [], callbacks: [], parameters: [] } as const;
      return defaultPlan(
        { kind: 'driver', label: 'target', root: folder, specifier: join(folder, 'target.mjs') },
        scenario,
        {
          calls,
          workers: 2,
          callPlan: {
            source: '',
            skipped: [],
            classes: [{ name: 'images.Image', path: ['images', 'Image'], constructorParameters: [buffer] }],
            calls: [
              { ...common, name: 'css', kind: 'function', path: ['css'], parameters: [buffer], buffers: [0] },
              { ...common, name: 'images.Image#size', kind: 'method', path: ['images', 'Image'], member: 'size' },
              ...(withNever
                ? [{ ...common, name: 'never', kind: 'function', path: ['never'], async: true } as const]
                : []),
            ],
          },
        },
      );
    }

    it('tries samples until a guessed call accepts one, and goes on after a call that never settles', async () => {
      // Two rounds: `css` takes the third sample, `size` the sixth, `never` none.
      const outcome = await runOnce(choosy('sequential', 6, true));
      expect(outcome).toMatchObject({ kind: 'clean', stage: 'done', calls: { returned: 4, threw: 2 } });
    });

    it.each(['concurrent', 'workers-call', 'overlap', 'gc-churn', 'thenable-twice'] as const)(
      'gives a guessed call the sample that it accepts in %s',
      async (scenario) => {
        const { kind, calls } = await runOnce(choosy(scenario, 4, false));
        expect({ kind, threw: calls.threw, didCall: calls.returned > 0 }).toEqual({
          kind: 'clean',
          threw: 0,
          didCall: true,
        });
      },
    );

    it('calls what a package exports whose entry only requires its addon', async () => {
      const addon = findAddon();
      if (addon === undefined) throw new Error('There is no addon for this system in node_modules.');
      const pkg = join(folder, 'pkg');
      mkdirSync(pkg);
      writeFileSync(join(pkg, 'package.json'), '{ "name": "wrapper", "version": "1.0.0", "main": "index.js" }');
      writeFileSync(join(pkg, 'index.js'), "'use strict';\n\nmodule.exports = require('./addon.js');\n");
      writeFileSync(join(pkg, 'addon.js'), `require(${JSON.stringify(addon)}); exports.one = () => 1;`);
      const target = await prepareTarget({ kind: 'folder', folder: pkg }, { cacheFolder: join(folder, 'cache') });
      if ('error' in target) throw new Error(target.error);
      const one = {
        name: 'one',
        kind: 'function',
        path: ['one'],
        parameters: [],
        async: false,
        buffers: [],
        callbacks: [],
      } as const;
      const callPlan = { source: '', skipped: [], classes: [], calls: [one] };
      expect(await runOnce(defaultPlan(target, 'sequential', { calls: 3, callPlan }))).toMatchObject({
        kind: 'clean',
        calls: { returned: 3, threw: 0 },
      });
    });

    it('hands the files of a folder to the driver', async () => {
      mkdirSync(join(folder, 'inputs'));
      writeFileSync(join(folder, 'inputs', 'b.txt'), 'bb');
      writeFileSync(join(folder, 'inputs', 'a.txt'), 'a');
      const text = openThen(
        'export const call = (c, i, { inputs }) => { if (inputs.map(({ name, bytes }) => name + bytes).join() !== "a.txta,b.txtbb") throw new Error("other inputs"); };',
      );
      expect(await runOnce(driver(text, 'sequential', { inputs: join(folder, 'inputs') }))).toMatchObject({
        kind: 'clean',
      });
    });

    it('counts a value that differs between runs of equal input', async () => {
      const plan = driver(openThen('export const call = () => process.pid;'), 'sequential');
      const result = await repeat(plan, { maxRuns: 3, stopAfterHits: 1 });
      expect(result).toMatchObject({
        verdict: 'reproduced',
        runs: 2,
        hits: 1,
        classes: { clean: 1, 'changed-value': 1 },
      });
    });

    it('ends what the target keeps alive', async () => {
      const outcome = await runOnce(
        driver(openThen('setInterval(() => {}, 1000); export const call = () => 1;'), 'sequential'),
      );
      expect(outcome.kind).toBe('clean');
      expect(outcome.notes.join(' ')).toContain('kept the event loop alive');
    });
  });
});

describe('repeating', () => {
  it.runIf(posix)('stops when the verdict is clear', async () => {
    const result = await repeat(command(script('process.kill(process.pid, "SIGSEGV")')), { maxRuns: 20 });
    expect(result).toMatchObject({
      verdict: 'reproduced',
      runs: 3,
      hits: 3,
      classes: { 'memory-fault': 3 },
      interrupted: false,
    });
    expect(result.rate[1]).toBe(1);
  });

  it('says what clean runs are worth', async () => {
    const result = await repeat(command(script('')), { maxRuns: 4 });
    expect(result).toMatchObject({ verdict: 'not-reproduced', runs: 4, hits: 0 });
    expect(result.excluded).toBeCloseTo(0.527, 2);
    expect(await repeat(command(script('')), { maxRuns: 100, exclude: 0.7 })).toMatchObject({ runs: 3 });
  });

  it('does not count errors as clean runs', async () => {
    const result = await repeat(command(script('throw new Error("no")')), { maxRuns: 20 });
    expect(result).toMatchObject({ verdict: 'untestable', runs: 0, errors: 3 });
    expect(result.firstError?.class).toBe('javascript-error');
  });

  it('keeps what it knows when it is interrupted', async () => {
    const controller = new AbortController();
    const result = await repeat(command(script('')), {
      maxRuns: 50,
      signal: controller.signal,
      onRun: (_outcome, tally) => {
        if (tally.runs === 2) controller.abort();
      },
    });
    expect(result).toMatchObject({ runs: 2, interrupted: true, verdict: 'not-reproduced' });
  });

  it('ends within its budget', async () => {
    const result = await repeat(command(script('setTimeout(() => {}, 100)')), { maxRuns: 1000, budgetMs: 400 });
    expect(result.interrupted).toBe(true);
    expect(result.runs).toBeLessThan(10);
  });
});

describe('targets', () => {
  it.each([
    ['rollup@4.28.1', { kind: 'package', name: 'rollup', version: '4.28.1' }],
    ['@scope/name@1.0.0-beta.1', { kind: 'package', name: '@scope/name', version: '1.0.0-beta.1' }],
    ['x@latest', { kind: 'package', name: 'x', version: 'latest' }],
  ])('%s', (text, expected) => {
    expect(parseTarget(text, folder)).toEqual(expected);
  });

  it('reads paths by what is there, and prefers them', () => {
    writeFileSync(join(folder, 'a.node'), '');
    writeFileSync(join(folder, 'b.mjs'), '');
    mkdirSync(join(folder, 'x@1.0.0'));
    expect(parseTarget('a.node', folder)).toEqual({ kind: 'addon', file: join(folder, 'a.node') });
    expect(parseTarget('./b.mjs', folder)).toEqual({ kind: 'driver', file: join(folder, 'b.mjs') });
    expect(parseTarget('x@1.0.0', folder)).toEqual({ kind: 'folder', folder: join(folder, 'x@1.0.0') });
    expect(parseTarget(undefined, folder, './app')).toEqual({ kind: 'command', command: './app', cwd: folder });
  });

  it.each([
    ['rollup', "write 'rollup@VERSION'"],
    ['./nowhere', 'does not exist'],
    [undefined, 'There is nothing to run'],
    [`${'a'.repeat(300)}@1.0.0`, 'at most 214 characters'],
    ['-x@1.0.0', 'does not exist'],
  ])('explains %s', (text, message) => {
    expect(parseTarget(text, folder)).toEqual({ error: expect.stringContaining(message) });
  });

  it('refuses a command that is empty', () => {
    expect(parseTarget(undefined, folder, ' ')).toEqual({ error: expect.stringContaining('--command is empty') });
  });

  it.each([
    ['npm error code E404\nnpm error 404 Not Found - GET https://x/y', 'no package of that name'],
    ['npm error code ETARGET\nnpm error notarget No matching', 'no such version'],
    [
      'npm error code ECONNREFUSED\nnpm error syscall connect\nnpm error errno E\nnpm error FetchError: request to http://x failed',
      'the registry could not be reached (FetchError: request to http://x failed)',
    ],
    ['npm ERR! code EUSAGE\nnpm ERR! Something else.', 'Something else'],
    [
      'npm error code 1\nnpm error path /x/dep\nnpm error command failed\nnpm error command sh -c node-gyp rebuild\nnpm error gyp ERR! no make',
      "its install script 'node-gyp rebuild' of 'dep' failed: gyp ERR! no make",
    ],
    ['', 'exit code 7'],
  ])('explains what npm says: %s', (stderr, expected) => {
    expect(describeNpmError(stderr, 7)).toContain(expected);
  });

  it('says why no addon was opened', () => {
    const pkg = join(folder, 'pkg');
    mkdirSync(pkg);
    writeFileSync(
      join(pkg, 'package.json'),
      '{ "name": "pkg", "version": "1.0.0", "scripts": { "install": "build" } }',
    );
    const target: PreparedTarget = {
      kind: 'package',
      label: 'pkg@1.0.0',
      root: folder,
      specifier: 'pkg',
      packageFolder: pkg,
    };
    expect(explainUnopened(target)).toContain('--allow-scripts lets it');
    expect(explainUnopened({ ...target, root: `${folder}+scripts` })).toContain("no '.node' file for this system");
    writeFileSync(join(pkg, 'lazy.node'), '');
    expect(explainUnopened(target)).toContain("does not open its 'lazy.node'");
    expect(explainScripts(target)).toContain('--allow-scripts lets it');
    const own = `${process.platform}-${process.arch}.node`;
    writeFileSync(join(pkg, own), '');
    expect(explainUnopened(target)).toContain(`does not open its '${own}'`);
    expect(explainScripts(target)).toBeUndefined();
  });

  it('links a folder so that it is imported by its name', async () => {
    const pkg = join(folder, 'pkg');
    mkdirSync(pkg);
    writeFileSync(join(pkg, 'package.json'), '{ "name": "@my/pkg", "version": "1.2.3" }');
    const cache = join(folder, 'cache');
    for (let i = 0; i < 2; i++) {
      const target = await prepareTarget({ kind: 'folder', folder: pkg }, { cacheFolder: cache });
      if ('error' in target) throw new Error(target.error);
      expect(target).toMatchObject({ label: '@my/pkg@1.2.3', specifier: '@my/pkg' });
      expect(readFileSync(join(target.root, 'node_modules', '@my', 'pkg', 'package.json'), 'utf8')).toContain('1.2.3');
    }
    expect(await prepareTarget({ kind: 'folder', folder }, { cacheFolder: cache })).toEqual({
      error: expect.stringContaining('has no package.json'),
    });
  });
});
