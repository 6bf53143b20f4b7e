import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Finding, Gap } from '../../src/model/finding.js';
import { resolveInputs } from '../../src/discover/inputs.js';
import { rules } from '../../src/rules/index.js';
import { scan } from '../../src/scan.js';
import { hasPermissions } from '../support/unprivileged.js';
import { callCli, harmless, hazard, makeFolder } from './call-cli.js';

interface Outcome {
  readonly code: number;
  /** Rule and path of every finding. */
  readonly findings: readonly string[];
  /** Kind, path and message of every gap. */
  readonly gaps: readonly (readonly [string, string, string])[];
}

async function scanFolder(folder: string, args: readonly string[] = []): Promise<Outcome> {
  const { code, stdout, stderr } = await callCli(folder, [...args, '--format', 'json']);
  expect(stderr).toBe('');
  const { findings, gaps }: { findings: Finding[]; gaps: Gap[] } = JSON.parse(stdout);
  for (const gap of gaps) expect(gap.message, 'one sentence with a stop').toMatch(/^['A-Z`].*\.$/u);
  return {
    code,
    findings: findings.map(({ ruleId, location }) => `${ruleId} ${location.path}`),
    gaps: gaps.map(({ kind, path, message }) => [kind, path, message] as const),
  };
}

/** The finding beside the bad file: the rest of the scan completes. */
const rest = { code: 1, findings: ['pointer-into-growable pool.d'] };

/** Runs as an ordinary user where the tests run as root, to whom every file is readable. */
async function asOrdinaryUser<T>(call: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0 || process.seteuid === undefined) return call();
  process.seteuid(65534);
  try {
    return await call();
  } finally {
    process.seteuid(0);
  }
}

it('a path that does not exist', async () => {
  const { code, stdout, stderr } = await callCli(makeFolder({ 'pool.d': hazard }), ['pool.d', 'gone.rs']);
  expect([code, stdout, stderr]).toEqual([
    2,
    '',
    "lifetime-lint: The path 'gone.rs' does not exist; name a file or folder that does.\n",
  ]);
});

it.skipIf(process.platform !== 'linux')('an output file where no folder can be made', async () => {
  const { code, stderr } = await callCli(makeFolder({ 'pool.d': hazard }), ['--output-file', '/proc/none/x.txt']);
  expect([code, stderr]).toEqual([
    2,
    "lifetime-lint: The output file '/proc/none/x.txt' cannot be written: the folder '/proc/none' cannot be made there.\n",
  ]);
});

it.skipIf(process.platform !== 'linux').each([
  ['bisect', ['bisect', 'some-package', '--good', '1.0.0', '--bad', '2.0.0']],
  ['experiment', ['experiment', 'plan.json']],
])('an output file that cannot be written is said before %s runs anything', async (_, args) => {
  const plan = JSON.stringify({
    schema: 1,
    base: { command: 'touch ran' },
    variants: [{ name: 'a' }, { name: 'b', set: { env: { X: '1' } } }],
  });
  const folder = makeFolder({ 'plan.json': plan });
  const { code, stderr } = await callCli(folder, [...args, '--output-file', '/proc/none/x.txt']);
  expect([code, stderr]).toEqual([
    2,
    "lifetime-lint: The output file '/proc/none/x.txt' cannot be written: the folder '/proc/none' cannot be made there.\n",
  ]);
  expect(existsSync(join(folder, 'ran'))).toBe(false);
});

it('an empty folder', async () => {
  expect(await scanFolder(makeFolder({}))).toEqual({
    code: 0,
    findings: [],
    gaps: [
      [
        'nothing-to-scan',
        '.',
        "'.' holds no Rust, D, JavaScript or manifest file, or all of them are ignored; nothing was scanned there.",
      ],
    ],
  });
});

it('only excluded files', async () => {
  const folder = makeFolder({ 'pool.d': hazard, 'lifetime-lint.config.json': '{"exclude": ["*"]}' });
  expect(await scanFolder(folder)).toEqual({
    code: 0,
    findings: [],
    gaps: [
      [
        'nothing-to-scan',
        '.',
        'No source file was left to scan; check the paths and the include and exclude patterns of the configuration.',
      ],
    ],
  });
});

it.skipIf(!hasPermissions)('a file that must not be read', async () => {
  const folder = makeFolder({ 'pool.d': hazard, 'secret.d': hazard });
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'secret.d'), 0o000);
  // What is loaded later must not need the rights that are given up.
  await scanFolder(makeFolder({ 'pool.d': hazard }));
  expect(await asOrdinaryUser(() => scanFolder(folder))).toEqual({
    ...rest,
    gaps: [['unreadable', 'secret.d', "'secret.d' could not be read: permission is denied."]],
  });
});

it('a symbolic link to nothing', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  symlinkSync('nowhere.d', join(folder, 'link.d'));
  const gaps = [['unreadable', 'link.d', "'link.d' was not read: it is a symbolic link to nothing."]];
  expect(await scanFolder(folder)).toEqual({ ...rest, gaps });
  expect(await scanFolder(folder, ['link.d', 'pool.d'])).toEqual({ ...rest, gaps });
});

it('symbolic links that lead in a circle', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  mkdirSync(join(folder, 'sub'));
  symlinkSync('..', join(folder, 'sub', 'up'));
  symlinkSync('b.d', join(folder, 'a.d'));
  symlinkSync('a.d', join(folder, 'b.d'));
  expect(await scanFolder(folder)).toEqual({
    ...rest,
    gaps: ['a.d', 'b.d'].map((path) => [
      'unreadable',
      path,
      `'${path}' was not read: its symbolic links lead in a circle.`,
    ]),
  });
});

it.skipIf(process.platform === 'win32')('pipes in the place of manifests', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  execFileSync(
    'mkfifo',
    ['Cargo.toml', 'dub.json', 'package.json'].map((name) => join(folder, name)),
  );
  const gaps = ['Cargo.toml', 'dub.json', 'package.json'].map((path) => [
    'unreadable',
    path,
    `'${path}' was not read, because it is not a regular file.`,
  ]);
  expect(await scanFolder(folder)).toEqual({ ...rest, gaps });
});

it.skipIf(process.platform === 'win32')('a pipe in the place of the configuration', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  const path = join(folder, 'lifetime-lint.config.json');
  execFileSync('mkfifo', [path]);
  const { code, stderr } = await callCli(folder, []);
  expect([code, stderr]).toEqual([2, `lifetime-lint: '${path}' could not be read: it is not a regular file.\n`]);
});

it.skipIf(process.platform !== 'linux')('a name that is not UTF-8', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9]), Buffer.from('.d')]), hazard);
  const gaps = [['unreadable', 'caf\ufffd.d', "'caf\ufffd.d' was not read: its name is not valid UTF-8; rename it."]];
  expect(await scanFolder(folder)).toEqual({ ...rest, gaps });
  execFileSync('git', ['init', '-q', folder]);
  expect(await scanFolder(folder)).toEqual({ ...rest, gaps });
});

it.skipIf(process.platform === 'win32')('a pipe in the place of the baseline', async () => {
  const folder = makeFolder({ 'pool.d': hazard, 'lifetime-lint.config.json': '{"baseline": "base.json"}' });
  execFileSync('mkfifo', [join(folder, 'base.json')]);
  const { code, stderr } = await callCli(folder, []);
  expect([code, stderr]).toEqual([2, "lifetime-lint: 'base.json' could not be read: it is not a regular file.\n"]);
});

it.skipIf(process.platform !== 'linux')('a device without an end in the place of evidence', async () => {
  const { code, stderr } = await callCli(makeFolder({ 'pool.d': hazard }), ['checklist', '--evidence', '/dev/zero']);
  expect([code, stderr]).toEqual([
    2,
    "lifetime-lint: The evidence file '/dev/zero' is not a regular file; name another.\n",
  ]);
});

it.skipIf(process.platform !== 'linux')('a device without an end in the place of other files', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  const said = async (...args: string[]) => {
    const { code, stderr } = await callCli(folder, args);
    return [code, stderr];
  };
  expect(await said('--config', '/dev/zero')).toEqual([
    2,
    "lifetime-lint: '/dev/zero' could not be read: it is a device, and a file is needed.\n",
  ]);
  expect(await said('checklist', '--merge', '/dev/zero')).toEqual([
    2,
    "lifetime-lint: The earlier list '/dev/zero' could not be read: it is a device, and a file is needed.\n",
  ]);
  expect(await said('experiment', '/dev/zero')).toEqual([
    2,
    "lifetime-lint: The plan '/dev/zero' cannot be read: it is a device, and a file is needed.\n",
  ]);
});

it.skipIf(process.platform !== 'linux')('a full disk for one of the reports', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  const args = ['--format', 'json', '--output-file', '/dev/full', '--format', 'sarif', '--output-file', 'out.sarif'];
  const { code, stderr } = await callCli(folder, args);
  expect([code, stderr]).toEqual([
    2,
    "lifetime-lint: The output file '/dev/full' could not be written: no space is left.\n",
  ]);
  expect(existsSync(join(folder, 'out.sarif'))).toBe(true);
});

it('lines that end with a carriage return alone', async () => {
  const text = hazard.replace('        return', '        // the first one\n        return').replaceAll('\n', '\r');
  expect(await scanFolder(makeFolder({ 'pool.d': text }))).toEqual({ ...rest, gaps: [] });
});

it('binary data', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  writeFileSync(join(folder, 'data.rs'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1, 2]));
  expect(await scanFolder(folder)).toEqual({
    ...rest,
    gaps: [['binary', 'data.rs', "'data.rs' was not read, because it holds binary data."]],
  });
});

it('invalid UTF-8', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  writeFileSync(join(folder, 'latin.d'), Buffer.concat([Buffer.from('// caf\u00e9\n', 'latin1'), Buffer.from(hazard)]));
  expect(await scanFolder(folder)).toEqual({
    code: 1,
    findings: ['pointer-into-growable latin.d', 'pointer-into-growable pool.d'],
    gaps: [['unreadable', 'latin.d', "'latin.d' is not valid UTF-8; bytes that are not were read as '\ufffd'."]],
  });
});

it('a file of 50 MB', async () => {
  const folder = makeFolder({ 'pool.d': hazard });
  writeFileSync(join(folder, 'huge.rs'), Buffer.alloc(50 * 1024 * 1024, 'fn f() { unsafe {} }\n'));
  expect(await scanFolder(folder)).toEqual({
    ...rest,
    gaps: [
      [
        'too-large',
        'huge.rs',
        "'huge.rs' was not read, because it has 50.0 MB and the limit is 10 MB; exclude it or split it.",
      ],
    ],
  });
});

describe('10,000 nested brackets', () => {
  const deep = `${'('.repeat(10_000)}1${')'.repeat(10_000)}`;
  it.each([
    ['deep.rs', `pub fn f() -> *const u8 {\n    let v = vec![0u8];\n    let x = ${deep};\n    v.as_ptr()\n}\n`],
    ['deep.d', `module deep;\nint* f() {\n    int x = ${deep};\n    return &x;\n}\n`],
    ['open.rs', `pub fn f() -> *const u8 { v.as_ptr() ${'{'.repeat(10_000)}`],
    ['open.d', `module open;\nint* f() { return &${'['.repeat(10_000)}`],
  ])('in %s', async (path, text) => {
    const { code, findings, gaps } = await scanFolder(makeFolder({ 'pool.d': hazard, [path]: text }));
    expect({ code, findings }).toEqual(rest);
    expect(gaps.map(([kind, at]) => [kind, at])).toContainEqual([
      expect.stringMatching(/^(?:parse-error|limit)$/u),
      path,
    ]);
    expect(gaps.map(([kind]) => kind)).not.toContain('internal');
  });
});

it('text that would take hours to parse', async () => {
  // D's lexer reads a line again for each token, and an error keeps many readings of it alive.
  const text = `void f() { int[] v; auto p = &v[0]; v ~= 1; @trusted malloc free ${'('.repeat(100_000)}`;
  const began = performance.now();
  expect(await scanFolder(makeFolder({ 'pool.d': hazard, 'open.d': text }))).toEqual({
    ...rest,
    gaps: [
      [
        'limit',
        'open.d',
        "'open.d' was not checked, because the D grammar takes too long to read it; look for brackets or quotes without an end.",
      ],
    ],
  });
  expect(performance.now() - began).toBeLessThan(20_000);
}, 60_000);

it('a function of thousands of branches that grow what is borrowed', async () => {
  const text = `fn f(mut v: Vec<u8>) {\n let p = v.as_ptr();\n${'if a { v.push(1); }\n'.repeat(3000)} unsafe { *p };\n}\n`;
  const began = performance.now();
  const { findings, gaps } = await scanFolder(makeFolder({ 'x.rs': text }));
  expect([findings, gaps]).toEqual([['growth-while-borrowed x.rs'], []]);
  // Without a bound on what is kept for a pointer it is minutes.
  expect(performance.now() - began).toBeLessThan(20_000);
}, 300_000);

it('a chain of 20,000 calls in JavaScript', async () => {
  const text = `const a = require('./x.node');\nconst b = Buffer.alloc(1);\na.hashAsync(b);\nb[0] = 1;\na${'.b()'.repeat(20_000)};\n`;
  const gaps = [
    [
      'limit',
      'chain.js',
      "'chain.js' was not checked, because it nests too deep; split its longest expression, or exclude it.",
    ],
  ];
  expect(await scanFolder(makeFolder({ 'pool.d': hazard, 'chain.js': text }))).toEqual({ ...rest, gaps });
});

it('thousands of writes while thousands of calls are pending', async () => {
  const calls = 'p = a.hashAsync(b);\nb[0] = 1;\n'.repeat(1500);
  const text = `const a = require('./x.node');\nconst b = Buffer.alloc(1);\nlet p;\n${calls}`;
  const began = performance.now();
  const { findings } = await scanFolder(makeFolder({ 'x.js': text }), ['--exit-zero']);
  expect(findings).toHaveLength(1500);
  expect(performance.now() - began).toBeLessThan(20_000);
}, 300_000);

it.each([
  ['a suppression of blanks', { 'pool.d': `${hazard}// lifetime-lint: allow(${' '.repeat(200_000)}\n` }],
  ['2,000 suppressions without a reason', { 'pool.d': hazard + '// lifetime-lint: allow(growth)\n'.repeat(2000) }],
  ['a dub.sdl of 50,000 tags', { 'pool.d': hazard, 'dub.sdl': `name "x"\n${'versions "a"\n'.repeat(50_000)}` }],
])(
  '%s',
  async (_, files: Readonly<Record<string, string>>) => {
    const began = performance.now();
    const { code, findings } = await scanFolder(makeFolder(files));
    expect([code, findings]).toEqual([1, expect.arrayContaining(rest.findings)]);
    expect(performance.now() - began).toBeLessThan(20_000);
  },
  300_000,
);

describe('a broken manifest', () => {
  it.each([
    ['Cargo.toml', '[package\nname = "x"\n', "'Cargo.toml' could not be read at line 1: "],
    ['Cargo.toml', '[package]\nname = "x"\nname = "y"\n', "'Cargo.toml' could not be read at line 3: "],
    ['dub.json', '{"name": "x",\n"y"}', "'dub.json' could not be read at line 2: "],
    ['dub.sdl', 'name "x\n', "'dub.sdl' could not be read at line 1: "],
    ['package.json', '{"name": "x"\n"napi": {}}', "'package.json' could not be read at line 2: "],
    ['package.json', '['.repeat(10_000), "'package.json' could not be read at line 1: "],
  ])('%s', async (path, text, message) => {
    const { code, findings, gaps } = await scanFolder(makeFolder({ 'pool.d': hazard, [path]: text }));
    expect({ code, findings }).toEqual(rest);
    expect(gaps.map(([kind, at]) => [kind, at])).toEqual([['manifest', path]]);
    expect(gaps[0]?.[2].startsWith(message), gaps[0]?.[2]).toBe(true);
  });
});

it('a broken configuration', async () => {
  const folder = makeFolder({ 'pool.d': hazard, 'lifetime-lint.config.toml': 'rules = \n' });
  const { code, stdout, stderr } = await callCli(folder, []);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^lifetime-lint: lifetime-lint\.config\.toml:1:\d+: this is not valid TOML: .*\.\n$/u);
});

it('a file that vanishes while the scan runs', async () => {
  const folder = makeFolder({ 'pool.d': hazard, 'gone.d': hazard, 'other.d': harmless });
  const inputs = resolveInputs([folder], folder);
  rmSync(join(folder, 'gone.d'));
  const { result } = await scan({ inputs, rules });
  expect(result.findings.map(({ location }) => location.path)).toEqual(['pool.d']);
  expect(result.gaps).toEqual([
    { kind: 'vanished', path: 'gone.d', message: "'gone.d' was listed but is gone; it was not read." },
  ]);
});
