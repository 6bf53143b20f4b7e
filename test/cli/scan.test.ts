import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { callCli, harmless, hazard, makeFolder, parseOutput, parseSarif } from './call-cli.js';

const bad = makeFolder({ 'source/pool.d': hazard, 'source/harmless.d': harmless });
const good = makeFolder({ 'harmless.d': harmless });

describe('exit codes', () => {
  it.each([
    ['0 without findings', good, [], 0],
    ['1 with a finding at the threshold', bad, [], 1],
    ['1 for the command by name', bad, ['scan', '.'], 1],
    ['0 below the threshold', bad, ['--fail-on', 'error'], 0],
    ['0 when asked for', bad, ['--exit-zero'], 0],
    ['0 for as many warnings as allowed', bad, ['--max-warnings', '1'], 0],
    ['1 for more warnings than allowed', bad, ['--max-warnings', '0'], 1],
    ['0 for a file that was named and is harmless', bad, ['source/harmless.d'], 0],
    ['0 for a folder with nothing to scan', makeFolder({ 'readme.txt': 'x' }), [], 0],
    ['2 for a path that is not there', bad, ['nowhere'], 2],
    ['2 for an unknown option', bad, ['--formt', 'json'], 2],
    ['2 for an unknown format', bad, ['--format', 'xml'], 2],
    ['2 for a wrong level', bad, ['--min-severity', 'high'], 2],
    ['2 for no number', bad, ['--max-warnings', 'few'], 2],
    ['0 for help', bad, ['--help'], 0],
    ['0 for the version', bad, ['--version'], 0],
  ])('%s', async (_name, folder, args, code) => {
    const result = await callCli(folder, args);
    expect([result.code, /\n\s+at /u.test(result.stderr)]).toEqual([code, false]);
  });
});

describe('usage errors are one sentence with the mend', () => {
  it.each([
    [['nowhere/'], "lifetime-lint: The path 'nowhere/' does not exist; name a file or folder that does.\n"],
    [[''], "lifetime-lint: A path is empty; name a file or folder, or '.' for the current one.\n"],
    [
      ['--output-file', 'source/pool.d/x'],
      /^lifetime-lint: The output file 'source\/pool\.d\/x' cannot be written: '\S+\/source\/pool\.d' is a file, and a folder is needed\.\n$/u,
    ],
    [['explian'], "lifetime-lint: There is no path and no command 'explian'; the nearest command is 'explain'.\n"],
    [['--formt', 'json'], "lifetime-lint: Unknown option '--formt' (Did you mean --format?)\n"],
    [
      ['--format', 'jsn'],
      "lifetime-lint: Option '--format <name>' argument 'jsn' is invalid. The formats are terminal, concise, json, sarif, github, gitlab, rdjson, junit, checklist; the nearest is 'json'.\n",
    ],
    [
      ['--format', 'json', '--format', 'sarif'],
      "lifetime-lint: The formats 'json' and 'sarif' would both go to the standard output; put an --output-file behind all but one.\n",
    ],
    [
      ['--format', 'json', '--output-file', 'o', '--format', 'sarif', '--output-file', './o'],
      "lifetime-lint: Option '--output-file <file>' argument './o' is invalid. The formats 'json' and 'sarif' would both go to './o'.\n",
    ],
    [
      ['--format', 'json', '--output-file', ''],
      "lifetime-lint: Option '--output-file <file>' argument '' is invalid. The name of a file is expected.\n",
    ],
    [['--config', 'none.json'], /^lifetime-lint: '.*none\.json' could not be read: it does not exist\.\n$/u],
    [
      ['--format', 'json', '--output-file', 'source'],
      "lifetime-lint: The output file 'source' cannot be written: it is a folder.\n",
    ],
  ])('%j', async (args, message) => {
    const { code, stderr } = await callCli(bad, args);
    expect(code).toBe(2);
    if (typeof message === 'string') expect(stderr).toBe(message);
    else expect(stderr).toMatch(message);
  });
});

describe('outputs', () => {
  it('PATH… --format sarif --output-file F writes the file and only a summary elsewhere', async () => {
    const folder = makeFolder({ 'a/pool.d': hazard, 'b/harmless.d': harmless });
    const { code, stdout, stderr } = await callCli(folder, [
      'a',
      'b',
      '--format',
      'sarif',
      '--output-file',
      'out/x.sarif',
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^1 warning in 2 files, \d+\.\d s\n$/u);
    const log = parseSarif(readFileSync(join(folder, 'out/x.sarif'), 'utf8'));
    const [location] = log.runs[0]?.results?.[0]?.locations ?? [];
    expect(location?.physicalLocation?.artifactLocation?.uri).toBe('a/pool.d');
  });

  it('each --output-file belongs to the format before it, the rest goes to the standard output', async () => {
    const folder = makeFolder({ 'pool.d': hazard });
    const args = [
      '--format',
      'json',
      '--output-file',
      'x.json',
      '--format',
      'sarif',
      '--output-file',
      'x.sarif',
      '--format',
      'concise',
    ];
    const { stdout } = await callCli(folder, args);
    expect(stdout).toMatch(/^pool\.d:7:\d+: warning\[pointer-into-growable\] /u);
    expect(parseOutput(readFileSync(join(folder, 'x.json'), 'utf8')).schema).toBe(1);
    expect(parseSarif(readFileSync(join(folder, 'x.sarif'), 'utf8')).version).toBe('2.1.0');
  });

  it('an --output-file alone takes the default format', async () => {
    const folder = makeFolder({ 'pool.d': hazard });
    const { stdout } = await callCli(folder, ['--output-file', 'x.txt', '--quiet']);
    expect(stdout).toBe('');
    expect(readFileSync(join(folder, 'x.txt'), 'utf8')).toContain('warning[pointer-into-growable]');
  });

  it('two files for one format are an error', async () => {
    const { code, stderr } = await callCli(bad, ['--format', 'json', '--output-file', 'a', '--output-file', 'b']);
    expect([code, stderr]).toEqual([
      2,
      "lifetime-lint: Option '--output-file <file>' argument 'b' is invalid. The format 'json' already goes to 'a'.\n",
    ]);
    expect(existsSync(join(bad, 'a'))).toBe(false);
  });
});

describe('colours', () => {
  const isColored = async (args: readonly string[], env: Readonly<Record<string, string>>, isTTY: boolean) =>
    (await callCli(bad, args, { env, isTTY })).stdout.includes('\u001b[');
  it.each([
    ['a terminal has them', [], {}, true, true],
    ['a pipe has none', [], {}, false, false],
    ['NO_COLOR takes them away', [], { NO_COLOR: '1' }, true, false],
    ['an empty NO_COLOR does not', [], { NO_COLOR: '' }, true, true],
    ['FORCE_COLOR brings them', [], { FORCE_COLOR: '1' }, false, true],
    ['FORCE_COLOR=0 takes them away', [], { FORCE_COLOR: '0' }, true, false],
    ['--color wins over NO_COLOR', ['--color'], { NO_COLOR: '1' }, false, true],
    ['--no-color wins over FORCE_COLOR', ['--no-color'], { FORCE_COLOR: '1' }, true, false],
    ['a dumb terminal has none', [], { TERM: 'dumb' }, true, false],
  ])('%s', async (_name, args, env, isTTY, expected) => {
    expect(await isColored(args, env, isTTY)).toBe(expected);
  });

  it('a file has none unless asked for', async () => {
    const folder = makeFolder({ 'pool.d': hazard });
    await callCli(folder, ['--output-file', 'plain.txt'], { env: { FORCE_COLOR: '1' } });
    await callCli(folder, ['--output-file', 'colored.txt', '--color']);
    expect(readFileSync(join(folder, 'plain.txt'), 'utf8')).not.toContain('\u001b[');
    expect(readFileSync(join(folder, 'colored.txt'), 'utf8')).toContain('\u001b[');
  });
});

describe('configuration', () => {
  it('is found above the scanned folder and moves levels', async () => {
    const folder = makeFolder({
      'dub.json': '{"name": "x"}',
      'lifetime-lint.config.json': '{"rules": {"pointer-into-growable": "error"}}',
      'source/pool.d': hazard,
    });
    const { stdout } = await callCli(folder, ['source', '--format', 'concise']);
    expect(stdout).toContain('source/pool.d:7:');
    expect(stdout).toContain('error[pointer-into-growable]');
  });

  it('turns rules off, excludes files and hides by level', async () => {
    const scan = async (config: unknown, args: readonly string[] = []) => {
      const folder = makeFolder({
        'lifetime-lint.config.json': JSON.stringify(config),
        'a/pool.d': hazard,
        'b/pool.d': hazard,
      });
      return parseOutput((await callCli(folder, ['--format', 'json', ...args])).stdout).findings.map(
        ({ location }) => location.path,
      );
    };
    expect(await scan({})).toEqual(['a/pool.d', 'b/pool.d']);
    expect(await scan({ rules: { 'pointer-into-growable': 'off' } })).toEqual([]);
    expect(await scan({ exclude: ['b/'] })).toEqual(['a/pool.d']);
    expect(await scan({ include: ['b/*.d'] })).toEqual(['b/pool.d']);
    expect(await scan({ minSeverity: 'error' })).toEqual([]);
    expect(await scan({ minSeverity: 'error' }, ['--min-severity', 'note'])).toEqual(['a/pool.d', 'b/pool.d']);
  });

  it('suppresses by path with a reason, and by baseline', async () => {
    const files = { 'a/pool.d': hazard, 'b/pool.d': hazard };
    const first = makeFolder(files);
    const report = parseOutput((await callCli(first, ['--format', 'json'])).stdout);
    const [one] = report.findings;
    const folder = makeFolder({
      ...files,
      'ok.json': JSON.stringify({ schema: 1, findings: [{ fingerprint: one?.fingerprint }] }),
      'lifetime-lint.config.json': JSON.stringify({
        baseline: 'ok.json',
        suppress: [{ id: 'pointer-into-growable', path: 'b/', reason: 'copied' }],
      }),
    });
    const { code, stdout } = await callCli(folder, ['--format', 'json']);
    const { findings, suppressed } = parseOutput(stdout);
    expect([code, findings]).toEqual([0, []]);
    expect(suppressed.map(({ by, reason }) => [by, reason])).toEqual([
      ['baseline', "It is in 'ok.json'."],
      ['configuration', 'copied'],
    ]);
  });

  it('reports entries of suppress that match nothing, where the whole folder was scanned', async () => {
    const folder = makeFolder({
      'a/pool.d': hazard,
      'b/harmless.d': harmless,
      'lifetime-lint.config.json': JSON.stringify(
        {
          suppress: [
            { id: 'pointer-into-growable', path: 'a/', reason: 'copied' },
            { id: 'pointer-into-growable', path: 'b/', reason: 'copied' },
            { id: 'growth-while-borrowed', path: 'gone.d', reason: 'copied' },
          ],
          rules: { 'growth-while-borrowed': 'off' },
        },
        null,
        1,
      ),
    });
    const shown = async (args: readonly string[]) =>
      parseOutput((await callCli(folder, [...args, '--format', 'json'])).stdout).findings;
    const [idle, ...others] = await shown([]);
    expect(others).toEqual([]);
    expect(idle).toMatchObject({
      ruleId: 'suppression',
      severity: 'note',
      message: "The configuration suppresses 'pointer-into-growable' in 'b/', and there is no such finding.",
      location: { path: 'lifetime-lint.config.json', startLine: 8, startColumn: 3, endColumn: 4 },
    });
    expect((await callCli(folder, [])).stdout).toContain('8 |   {');
    expect(await shown(['b'])).toEqual([]);
    expect(await shown(['b/harmless.d'])).toEqual([]);
  });

  it.each([
    ['broken', '{"rules": }', /^lifetime-lint: lifetime-lint\.config\.json:1:11: this is not valid JSON: .*\.\n$/u],
    [
      'an unknown key',
      '{"rule": {}}',
      "lifetime-lint: lifetime-lint.config.json:1: there is no key 'rule'; the nearest valid name is 'rules'.\n",
    ],
    [
      'a baseline that is not there',
      '{"baseline": "b.json"}',
      /^lifetime-lint: '.*b\.json' could not be read: it does not exist\.\n$/u,
    ],
  ])('%s: exit 2 and one sentence', async (_name, text, message) => {
    const { code, stderr } = await callCli(makeFolder({ 'a.d': harmless, 'lifetime-lint.config.json': text }), []);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('is printed on demand with its defaults', async () => {
    const folder = makeFolder({ 'a.d': harmless, 'lifetime-lint.config.toml': 'failOn = "error"\n' });
    const { stdout } = await callCli(folder, ['--print-config', '--min-severity', 'warning']);
    expect(JSON.parse(stdout)).toMatchObject({
      source: 'lifetime-lint.config.toml',
      failOn: 'error',
      minSeverity: 'warning',
      minConfidence: 'low',
      rules: {},
    });
  });
});

describe('named files', () => {
  const folder = makeFolder({
    'dub.json': '{"name": "x"}',
    // What is private nobody else can let grow.
    'source/pool.d': hazard
      .replace('    void add(Job job) {\n        jobs ~= job;\n    }\n', '')
      .replace('private ', ''),
    'source/grow.d': 'module grow;\nimport pool;\nvoid fill(ref Pool p, Job j) {\n    p.jobs ~= j;\n}\n',
  });

  it('are the only ones reported, with the facts of their unit', async () => {
    const named = parseOutput((await callCli(folder, ['source/pool.d', '--format', 'json'])).stdout);
    expect(named.findings.map(({ ruleId, location }) => [ruleId, location.path])).toEqual([
      ['pointer-into-growable', 'source/pool.d'],
    ]);
    expect(named.findings[0]?.steps.map(({ path }) => path)).toContain('source/grow.d');
    expect(parseOutput((await callCli(folder, ['source/grow.d', '--format', 'json'])).stdout).findings).toEqual([]);
  });

  it('have paths relative to the repository', async () => {
    const repository = makeFolder({ 'lib/source/pool.d': hazard, 'lib/dub.json': '{"name": "x"}' });
    execFileSync('git', ['init', '-q'], { cwd: repository });
    const { stdout } = await callCli(join(repository, 'lib'), ['source', '--format', 'concise']);
    expect(stdout).toMatch(/^lib\/source\/pool\.d:7:/u);
  });
});

it('a suppression with a reason hides a finding, and --report-suppressed shows it', async () => {
  const text = hazard.replace(
    '        return &jobs[0];',
    '        // lifetime-lint: allow(pointer-into-growable) -- one caller\n        return &jobs[0];',
  );
  const folder = makeFolder({ 'pool.d': text });
  const plain = await callCli(folder, ['--format', 'concise']);
  expect([plain.code, plain.stdout]).toEqual([0, expect.stringMatching(/^No findings, 1 suppressed in 1 file, /u)]);
  const shown = await callCli(folder, ['--format', 'concise', '--report-suppressed']);
  expect([shown.code, shown.stdout]).toEqual([
    0,
    expect.stringMatching(/^pool\.d:8:\d+: suppressed\[pointer-into-growable\]/u),
  ]);
});

it('suppressions in UTF-16 count', async () => {
  const text = hazard.replace(
    '        return &jobs[0];',
    '        // lifetime-lint: allow(pointer-into-growable) -- one caller\n        return &jobs[0];',
  );
  const folder = makeFolder({});
  const little = Buffer.from(`\ufeff${text}`, 'utf16le');
  writeFileSync(join(folder, 'little.d'), little);
  writeFileSync(join(folder, 'big.d'), Buffer.from(little).swap16());
  const { stdout } = await callCli(folder, ['--format', 'concise']);
  expect(stdout).toMatch(/^No findings, 2 suppressed in 2 files, /u);
});

it('a file in UTF-16 is read, whatever its bytes look like', async () => {
  const folder = makeFolder({});
  const text =
    'module a;\nimport core.stdc.stdlib;\nvoid twice()\n{\n    void* p = malloc(4);\n    free(p);\n    free(p);\n}\n';
  writeFileSync(join(folder, 'a.d'), Buffer.from(`\ufeff${text}`, 'utf16le'));
  const { stdout } = await callCli(folder, ['--format', 'concise']);
  expect(stdout).toMatch(/^a\.d:7:.*use-after-release/mu);
});

it('statistics name the rules that found something', async () => {
  expect((await callCli(bad, ['--statistics'])).stdout).toMatch(/^pointer-into-growable +1 +0 +\d+$/mu);
});
