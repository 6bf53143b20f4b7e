import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minimise, type MinimiseRequest } from '../../src/dynamic/minimise/index.js';
import { programFiles, type ProgramShape } from '../../src/dynamic/minimise/files.js';
import { scenarioNames } from '../../src/dynamic/scenario.js';

const observed = {
  class: 'memory-fault',
  detail: 'SIGSEGV',
  lines: ['a line of evidence'],
  platform: 'linux-x64',
  node: 'v20.0.0',
};

describe('programFiles', () => {
  const shape: Omit<ProgramShape, 'scenario'> = {
    specifier: 'some-addon',
    workers: 4,
    calls: 3,
    cycles: 3,
    style: 'require',
    exits: false,
    mainLoads: false,
    callPlan: {
      source: 'index.d.ts',
      skipped: [],
      classes: [{ name: 'Parser', path: ['Parser'], constructorParameters: [{ kind: 'json', value: 'x' }] }],
      calls: [
        {
          name: 'hash',
          kind: 'function',
          path: ['hash'],
          parameters: [{ kind: 'buffer', type: 'Buffer', bytes: 100 }],
          async: true,
          buffers: [0],
          callbacks: [],
        },
        {
          name: 'Parser#parse',
          kind: 'method',
          path: ['Parser'],
          member: 'parse',
          parameters: [{ kind: 'bigint', value: '7' }],
          async: false,
          buffers: [],
          callbacks: [],
        },
      ],
    },
  };

  it.each(scenarioNames.filter((name) => name !== 'command'))('writes programs that Node can read: %s', (scenario) => {
    const folder = mkdtempSync(join(tmpdir(), 'program-'));
    try {
      const files = programFiles({ ...shape, scenario });
      expect([...files.keys()].filter((name) => name.startsWith('worker')).length).toBeLessThanOrEqual(1);
      for (const [name, text] of files) {
        expect(text).not.toContain('lifetime-lint');
        expect(text).not.toContain('undefined(');
        writeFileSync(join(folder, name), text);
        const checked = spawnSync(process.execPath, ['--check', join(folder, name)], { encoding: 'utf8' });
        expect(checked.stderr).toBe('');
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe.skipIf(process.platform === 'win32')('minimise', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'minimise-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** A package that kills its process when enough workers have loaded it, or at the n-th call. */
  function makePackage(source: string): MinimiseRequest {
    const root = join(folder, 'root');
    const packageFolder = join(root, 'node_modules', 'some-addon');
    mkdirSync(packageFolder, { recursive: true });
    writeFileSync(
      join(packageFolder, 'package.json'),
      JSON.stringify({ name: 'some-addon', version: '1.2.3', main: 'index.js' }),
    );
    writeFileSync(join(packageFolder, 'index.js'), source);
    return {
      target: {
        kind: 'package',
        label: 'some-addon@1.2.3',
        root,
        specifier: 'some-addon',
        packageFolder,
        version: '1.2.3',
      },
      scenario: 'import',
      workers: 16,
      calls: 16,
      out: join(folder, 'out'),
      observed,
    };
  }

  it('finds the fewest workers and writes what runs by itself', async () => {
    const request = makePackage(
      "const { threadId } = require('node:worker_threads');\nif (threadId >= 3) process.kill(process.pid, 'SIGSEGV');\n",
    );
    const result = await minimise(request);
    expect(result).toMatchObject({ workers: 3, command: 'node main.mjs', runs: 20, hits: 20 });
    expect(readdirSync(request.out).sort()).toEqual(['README.md', 'main.mjs', 'package.json', 'worker.cjs']);
    expect(JSON.parse(readFileSync(join(request.out, 'package.json'), 'utf8'))).toMatchObject({
      private: true,
      scripts: { start: 'node main.mjs' },
      dependencies: { 'some-addon': '1.2.3' },
    });
    const readme = readFileSync(join(request.out, 'README.md'), 'utf8');
    expect(readme).toContain('It crashed in 20 of 20 runs');
    expect(readme).toContain('a line of evidence');
    expect(readme).not.toContain(folder);
    // Nothing but Node and the package is needed.
    const installed = join(request.out, 'node_modules', 'some-addon');
    mkdirSync(installed, { recursive: true });
    for (const name of ['package.json', 'index.js']) {
      writeFileSync(join(installed, name), readFileSync(join(request.target.packageFolder ?? '', name)));
    }
    expect(spawnSync(process.execPath, ['main.mjs'], { cwd: request.out }).signal).toBe('SIGSEGV');
  }, 120_000);

  it('finds the fewest calls, and the one call that matters', async () => {
    const request = makePackage(
      "let calls = 0;\nexports.harmless = () => 1;\nexports.work = () => {\n  if (++calls === 6) process.kill(process.pid, 'SIGILL');\n};\n",
    );
    const call = (name: string): NonNullable<MinimiseRequest['callPlan']>['calls'][number] => ({
      name,
      kind: 'function',
      path: [name],
      parameters: [],
      async: false,
      buffers: [],
      callbacks: [],
    });
    const result = await minimise({
      ...request,
      scenario: 'sequential',
      callPlan: { source: 'index.d.ts', skipped: [], classes: [], calls: [call('harmless'), call('work')] },
    });
    expect(result).toMatchObject({ calls: 6 });
    expect(readFileSync(join(request.out, 'main.mjs'), 'utf8')).not.toContain('harmless');
  }, 120_000);

  it('writes nothing when the program alone does not crash', async () => {
    const request = makePackage('');
    expect(await minimise(request)).toEqual({ error: expect.stringContaining('Nothing was written') as string });
    expect(existsSync(request.out)).toBe(false);
  }, 120_000);

  it('writes into no folder that holds something', async () => {
    const request = makePackage('');
    mkdirSync(request.out);
    writeFileSync(join(request.out, 'precious'), '');
    expect(await minimise(request)).toEqual({ error: expect.stringContaining('is not an empty folder') as string });
  });

  it('keeps a program with its file', async () => {
    const app = join(folder, 'app');
    writeFileSync(app, '#!/bin/sh\nkill -SEGV $$\n');
    chmodSync(app, 0o755);
    const request = makePackage('');
    const target = { kind: 'command' as const, label: './app', root: folder, specifier: '', command: './app --flag' };
    expect(await minimise({ ...request, target, scenario: 'command' })).toMatchObject({
      command: './app --flag',
      hits: 20,
    });
    expect(readdirSync(request.out).sort()).toEqual(['README.md', 'app']);
  }, 120_000);
});
