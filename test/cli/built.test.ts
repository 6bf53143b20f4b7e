import { spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { prepareValidator, validateSarif } from '../report/sarif-validator.js';
import { builtCli } from '../support/built-cli.js';
import { harmless, hazard, makeFolder } from './call-cli.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
let cli = '';

beforeAll(() => {
  cli = builtCli();
}, 300_000);

/** Runs the built command with next to nothing in its environment. */
function call(cwd: string, args: readonly string[]) {
  const env = { PATH: process.env['PATH'] };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return { status, stdout, stderr };
}

describe('the built command', () => {
  const folder = makeFolder({ 'pool.d': hazard, 'harmless.d': harmless });

  it('scans, explains and fails as its sources do', () => {
    expect(call(folder, ['--format', 'concise'])).toMatchObject({ status: 1, stderr: '' });
    expect(call(folder, ['harmless.d']).status).toBe(0);
    expect(call(folder, ['explain', 'suppression']).stdout).toContain('What it catches');
    expect(call(folder, ['nowhere'])).toEqual({
      status: 2,
      stdout: '',
      stderr: "lifetime-lint: The path 'nowhere' does not exist; name a file or folder that does.\n",
    });
  });

  it('says in one sentence what a Node with less than it needs does not let it do', () => {
    const callWith = (...flags: string[]) =>
      spawnSync(process.execPath, [...flags, cli, 'pool.d'], { cwd: folder, encoding: 'utf8' });
    const jitless = callWith('--jitless');
    expect(jitless.status).toBe(2);
    expect(jitless.stderr).toMatch(/^lifetime-lint: This Node has no WebAssembly, .* without '--jitless'\.\n$/mu);
    const flag = process.versions.node.startsWith('20.') ? '--experimental-permission' : '--permission';
    const denied = callWith(
      flag,
      `--allow-fs-read=${root}*`,
      `--allow-fs-read=${realpathSync(join(root, 'node_modules'))}/*`,
    );
    expect(denied.status).toBe(2);
    expect(denied.stderr).toMatch(/^lifetime-lint: The permissions .* deny 'FileSystemRead' of '[^']+', [^\n]*\n/mu);
    expect(denied.stderr).not.toContain('    at ');
  });

  it('does not mind a reader that closes early', () => {
    const shell = `"${process.execPath}" "${cli}" --format json | head -c 10`;
    const { stderr, stdout } = spawnSync('bash', ['-c', shell], { cwd: folder, encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['{\n  "schem', '']);
  });

  it.skipIf(process.platform === 'win32')(
    'goes on to its end without a reader, and keeps its exit code',
    () => {
      const place = makeFolder({ 'crash.sh': 'kill -SEGV $$\n' });
      const repro = `"${process.execPath}" "${cli}" repro --command 'sh crash.sh' --amplifier none --runs 3 --minimise small`;
      const shell = `set -o pipefail; ${repro} | true`;
      const { status, stderr } = spawnSync('bash', ['-c', shell], { cwd: place, encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('Wrote ') as string });
      expect(readdirSync(join(place, 'small'))).not.toEqual([]);
    },
    60_000,
  );

  it.skipIf(process.platform === 'win32')(
    'leaves no folder of a run behind when it is killed',
    async () => {
      const driver =
        'export const load = () => new Promise((resolve) => setTimeout(resolve, 60_000));\nexport const call = () => 1;\n';
      const place = makeFolder({ 'slow.mjs': driver });
      const temporary = makeFolder({});
      const runs = (): readonly string[] =>
        readdirSync(temporary).filter((name) => name.startsWith('lifetime-lint-run-'));
      const command = spawn(process.execPath, [cli, 'repro', './slow.mjs', '--scenario', 'sequential'], {
        cwd: place,
        env: { PATH: process.env['PATH'], TMPDIR: temporary },
        stdio: 'ignore',
      });
      // The plan is in the folder before the child starts, and the child looks after it only once it runs.
      await vi.waitFor(() => expect(runs()).toHaveLength(1), { timeout: 30_000, interval: 50 });
      await new Promise((resolve) => setTimeout(resolve, 1500));
      command.kill('SIGKILL');
      await vi.waitFor(() => expect(runs()).toEqual([]), { timeout: 15_000, interval: 50 });
    },
    60_000,
  );

  it('loads no ESLint, TypeScript, YAML or validator for a lone source file', () => {
    const watcher = makeFolder({
      'watch.cjs': "process.on('exit', () => process.stderr.write(Object.keys(require.cache).join('\\n')));\n",
    });
    const hook = `data:text/javascript,${encodeURIComponent(
      "export async function load(url, context, next) { if (/node_modules/.test(url)) process.stderr.write(url + '\\n'); return next(url, context); }",
    )}`;
    const register = `data:text/javascript,${encodeURIComponent(`import { register } from 'node:module'; register(${JSON.stringify(hook)});`)}`;
    const { stderr } = spawnSync(
      process.execPath,
      ['--require', join(watcher, 'watch.cjs'), '--import', register, cli, 'pool.d', '--format', 'concise'],
      { cwd: folder, encoding: 'utf8' },
    );
    const packages = [
      ...new Set([...stderr.matchAll(/node_modules[/\\]((?:@[^/\\]+[/\\])?[^/\\]+)/gu)].map((match) => match[1])),
    ];
    expect(packages).toEqual(['web-tree-sitter']);
  });
});

describe('compiled code of earlier runs', () => {
  const folder = makeFolder({ 'pool.d': hazard });
  let own = '';
  const store = (): string => join(own, 'dist', '.code-cache');
  const scan = (env: Record<string, string> = {}) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(own, 'dist', 'cli.js'), 'pool.d', '--format', 'concise'],
      { cwd: folder, env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8' },
    );
    return { status, stdout, stderr };
  };
  /** The one file that is kept, its text and when it was written. */
  const kept = () => {
    const files = readdirSync(store()).map((name) => join(store(), name));
    expect(files).toHaveLength(1);
    const [file = ''] = files;
    return { file, bytes: readFileSync(file), time: statSync(file).mtimeMs };
  };
  const plain = { status: 1, stderr: '', stdout: expect.stringContaining('pool.d:') as string };

  beforeEach(() => {
    own = makeFolder({});
    cpSync(join(root, 'dist'), join(own, 'dist'), {
      recursive: true,
      filter: (path) => !path.includes('.code-cache'),
    });
    for (const name of ['node_modules', 'docs', 'package.json']) symlinkSync(join(root, name), join(own, name));
  });

  it('is kept by the first run and taken by the second', () => {
    expect(scan()).toEqual(plain);
    const { bytes, time } = kept();
    expect(JSON.parse(bytes.toString('utf8', 0, 1024))).toMatchObject({ parts: ['scan', 'tree-sitter-d.wasm'] });
    expect(scan()).toEqual(plain);
    // V8 refuses what does not fit, and then it is written again.
    expect(kept().time).toBe(time);
  });

  it('grows with what later runs use, and is of this program only', () => {
    scan();
    spawnSync(process.execPath, [join(own, 'dist', 'cli.js'), 'rules'], { cwd: folder });
    expect(kept().bytes.toString('utf8', 0, 1024)).toContain('["scan","tree-sitter-d.wasm","rules"]');
    const program = join(own, 'dist', 'joined', 'main.cjs');
    writeFileSync(program, readFileSync(program, 'utf8').replace(/^\/\/ \w+/, '// another'));
    expect(scan()).toEqual(plain);
    expect(kept().bytes.toString('utf8', 0, 1024)).toMatch(
      /"\/\/ another \d+ \d+","parts":\["scan","tree-sitter-d.wasm"\]/u,
    );
  });

  it('is not taken for a program that was changed by hand, whose length may be the same', () => {
    expect(scan()).toEqual(plain);
    const program = join(own, 'dist', 'joined', 'main.cjs');
    const text = readFileSync(program, 'utf8');
    writeFileSync(program, text.replaceAll('when the array moves', 'WHEN THE ARRAY MOVES'));
    utimesSync(program, new Date(), new Date(Date.now() + 5_000));
    expect(scan().stdout).toContain('WHEN THE ARRAY MOVES');
  });

  it('is kept alone: what a killed run left unfinished is removed', () => {
    mkdirSync(store());
    writeFileSync(join(store(), '11.3-linux-x64.bin.123'), 'unfinished');
    writeFileSync(join(store(), '11.3-linux-x64.bin'), 'of another Node');
    scan();
    const names = readdirSync(store());
    expect(names).toHaveLength(2);
    expect(names).toContain('11.3-linux-x64.bin');
    expect(names.every((name) => name.endsWith('.bin'))).toBe(true);
  });

  it.runIf(process.getuid?.() === 0)('is not left in a folder of another user, who could not remove it', () => {
    chownSync(join(own, 'dist'), 12_345, 12_345);
    expect(scan()).toEqual(plain);
    expect(existsSync(store())).toBe(false);
  });

  it.each([
    [
      'a wrong byte',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 90_000), Buffer.from('?'), bytes.subarray(90_001)]),
    ],
    ['its end missing', (bytes: Buffer) => bytes.subarray(0, 50_000)],
    ['nothing in it', () => Buffer.alloc(0)],
    ['another header', (bytes: Buffer) => Buffer.concat([Buffer.from('null'.padEnd(1024)), bytes.subarray(1024)])],
  ])('is made anew when the file has %s', (_, spoil) => {
    scan();
    const { file, bytes } = kept();
    writeFileSync(file, spoil(bytes));
    expect(scan()).toEqual(plain);
    expect(kept().bytes.length).toBeGreaterThan(100_000);
  });

  it('is not missed where nothing can be written, or when it is switched off', () => {
    expect(scan({ NODE_DISABLE_COMPILE_CACHE: '1' })).toEqual(plain);
    expect(existsSync(store())).toBe(false);
    writeFileSync(store(), 'a file where the folder should be');
    expect(scan()).toEqual(plain);
    expect(readFileSync(store(), 'utf8')).toBe('a file where the folder should be');
  });

  it.each([
    ['missing', (program: string) => rmSync(program), 'ENOENT'],
    ['cut off', (program: string) => writeFileSync(program, readFileSync(program).subarray(0, 500_000)), ''],
    ['empty', (program: string) => writeFileSync(program, ''), ''],
    ['another one', (program: string) => writeFileSync(program, '(function () {})'), 'it exports no program'],
  ])('does not hide that the program is %s', (_, spoil, reason) => {
    spoil(join(own, 'dist', 'joined', 'main.cjs'));
    const { status, stdout, stderr } = scan();
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^lifetime-lint: The file '.*main\.cjs' can't be loaded \([^\n]+\); [^\n]*\n$/u);
    expect(stderr).toContain(reason);
  });
});

const validator = prepareValidator();
if ('reason' in validator) console.warn(`SARIF is not validated: ${validator.reason}.`);

describe.skipIf('reason' in validator)('SARIF of real runs has no error and no warning', () => {
  it.each(['fixtures/projects/demo', 'fixtures/rules', 'README.md', 'src'])(
    '%s',
    (path) => {
      if ('reason' in validator) throw new Error(validator.reason);
      const { stdout, stderr } = call(root, [path, '--format', 'sarif', '--audience', 'audit', '--report-suppressed']);
      expect(stderr).toBe('');
      const found = validateSarif(validator.path, stdout);
      expect(found.filter(({ level }) => level === 'error' || level === 'warning')).toEqual([]);
    },
    180_000,
  );
});
