import { describe, expect, it } from 'vitest';
import { judgeScript } from '../../src/eslint/test-scripts.js';
import { lint, type Files } from './support.js';

const addon: Files = { '/p/package.json': '{ "name": "p", "napi": {}, "scripts": {} }' };

function settingsOf(filename: string, code: string, files = addon): readonly string[] {
  return lint('crash-masking-config', code, { filename: `/p/${filename}`, files }).reports.map(
    ({ messageId, data }) => `${messageId} ${data['setting'] || data['script']}`,
  );
}

describe('configurations', () => {
  it.each([
    [
      'vitest.config.ts',
      'export default { test: { poolOptions: { threads: { singleThread: true } } } };',
      ['serial singleThread: true'],
    ],
    [
      'vitest.config.mts',
      'export default { test: { poolOptions: { forks: { singleFork: true } } } };',
      ['serial singleFork: true'],
    ],
    ['vitest.config.js', 'export default { test: { singleThread: true } };', ['serial singleThread: true']],
    [
      'vitest.config.js',
      'export default { test: { poolOptions: { threads: { maxThreads: 1, minThreads: 1 } } } };',
      ['serial maxThreads: 1'],
    ],
    ['vite.config.ts', 'export default { test: { maxWorkers: 1 } };', ['serial maxWorkers: 1']],
    ['vitest.config.ts', 'export default { test: { fileParallelism: false } };', ['serial fileParallelism: false']],
    ['vitest.workspace.ts', 'export default [{ test: { maxWorkers: 1, isolate: false } }];', ['serial maxWorkers: 1']],
    ['vitest.e2e.config.ts', 'export default { test: { maxWorkers: 1 } };', ['serial maxWorkers: 1']],
    ['vitest.config.ts', 'export default { test: { isolate: false } };', []],
    [
      'vitest.config.ts',
      'export default { test: { maxWorkers: 4, poolOptions: { threads: { singleThread: false } } } };',
      [],
    ],
    ['vitest.config.ts', 'export default { test: { maxWorkers: process.env.CI ? 1 : undefined } };', []],
    ['jest.config.js', 'module.exports = { maxWorkers: 1 };', ['serial maxWorkers: 1']],
    ['jest.config.js', "module.exports = { maxWorkers: '50%' };", []],
    ['jest.config.js', 'module.exports = { forceExit: true };', ['forcedExit forceExit: true']],
    ['.mocharc.cjs', 'module.exports = { exit: true, jobs: 1 };', ['serial jobs: 1', 'forcedExit exit: true']],
    [
      'node.config.json',
      '{ "testRunner": { "test-isolation": "none", "test-concurrency": 1 } }',
      ['serial "test-isolation": "none"'],
    ],
    ['node.config.json', '{ "testRunner": { "test-isolation": "process" } }', []],
    [
      'vitest.config.mts',
      'import { defineConfig } from "vitest/config"; export default defineConfig(() => ({ test: { projects: [{ extends: true, test: { name: "native", pool: "forks", maxWorkers: 1 } }] } }));',
      ['serial maxWorkers: 1'],
    ],
    [
      'vitest.config.ts',
      'const test = { poolOptions: { forks: { singleFork: true } } } as const; export default { test };',
      ['serial singleFork: true'],
    ],
    [
      'vitest.config.ts',
      'export default { test: { poolOptions: { vmThreads: { maxThreads: 1 } } } };',
      ['serial maxThreads: 1'],
    ],
    [
      'vitest.config.ts',
      'const config: Record<string, any> = { test: {} }; config.test.maxWorkers = 1; export default config;',
      ['serial config.test.maxWorkers = 1'],
    ],
    [
      'jest.config.ts',
      'import type { Config } from "jest"; export default { maxWorkers: "1" } satisfies Config;',
      ['serial maxWorkers: "1"'],
    ],
    ['jest.config.mjs', 'export default async () => ({ maxWorkers: 1 });', ['serial maxWorkers: 1']],
    ['.mocharc.js', 'module.exports = { exit: true };', ['forcedExit exit: true']],
    ['ava.config.cjs', 'module.exports = () => ({ concurrency: 1 });', ['serial concurrency: 1']],
    ['ava.config.js', 'export default { serial: true };', ['serial serial: true']],
    ['ava.config.js', 'export default { concurrency: 5, workerThreads: false };', []],
    ['src/config.ts', 'export default { maxWorkers: 1 };', []],
  ])('%s: %s', (file, code, expected) => {
    expect(settingsOf(file, code)).toEqual(expected);
  });

  it('is about packages that load an addon', () => {
    const code = 'export default { test: { maxWorkers: 1 } };';
    const at = (json: string) => settingsOf('vitest.config.ts', code, { '/p/package.json': json });
    expect(at('{ "name": "p", "scripts": {} }')).toEqual([]);
    expect(at('{ "name": "p", "dependencies": { "esbuild": "*" } }')).toEqual([]);
    expect(at('{ "name": "p", "devDependencies": { "rolldown": "*" } }')).toEqual([]);
    expect(at('{ "name": "p", "dependencies": { "better-sqlite3": "*" } }')).toEqual(['serial maxWorkers: 1']);
    expect(at('{ "name": "p", "optionalDependencies": { "@p/p-linux-x64-gnu": "*" }, "main": "a.js" }')).toEqual([
      'serial maxWorkers: 1',
    ]);
  });

  it('reads the scripts and the runner keys of package.json', () => {
    const code = `{ "name": "p", "napi": {}, "scripts": { "build": "tsc", "test": "vitest run a.test.ts && vitest run b.test.ts" }, "ava": { "serial": true }, "other": { "serial": true } }`;
    expect(settingsOf('package.json', code, {})).toEqual(['batches test', 'serial "serial": true']);
    const tap = '{ "name": "p", "napi": {}, "tap": { "jobs": 1 } }';
    expect(settingsOf('package.json', tap, {})).toEqual(['serial "jobs": 1']);
  });
});

describe('scripts', () => {
  it.each([
    ["vitest run a.spec.ts && vitest run b.spec.ts -t 'A|B'", 'batches'],
    ['npm run build && vitest run unit && vitest run integration', 'batches'],
    ['NODE_ENV=test npx vitest run a && npx vitest run b', 'batches'],
    ['jest test/a && jest test/b', 'batches'],
    ['vitest run --no-file-parallelism', 'serial'],
    ['vitest --poolOptions.forks.singleFork', 'serial'],
    ['vitest --pool=threads --poolOptions.threads.singleThread=true', 'serial'],
    ['vitest run --maxWorkers=1', 'serial'],
    ['jest --runInBand', 'serial'],
    ['jest -i', 'serial'],
    ['cross-env CI=1 jest -w 1', 'serial'],
    ['ava --serial', 'serial'],
    ['ava -c 1', 'serial'],
    ['mocha --exit', 'forcedExit'],
    ['jest --forceExit', 'forcedExit'],
    ['vitest run || true', 'ignoredStatus'],
    ["vitest run || echo 'some fail'", 'ignoredStatus'],
    ['vitest run; exit 0', 'ignoredStatus'],
    ['vitest --pool=vmThreads --poolOptions.vmThreads.maxThreads=1', 'serial'],
    ['VITEST_MAX_FORKS=1 vitest run', 'serial'],
    ['cross-env VITEST_MAX_WORKERS=1 vitest run', 'serial'],
    ["NODE_OPTIONS='--expose-gc --no-warnings' vitest run --single-thread", 'serial'],
    ['xvfb-run -a mocha --exit', 'forcedExit'],
    ['pnpm exec jest --runInBand', 'serial'],
    ['tap -j1 test/*.js', 'serial'],
    ['tap --jobs=1', 'serial'],
    ['node --test --test-concurrency=1', 'serial'],
    ['node --expose-gc --test --experimental-test-isolation=none test/', 'serial'],
    ['node --import tsx --test --test-force-exit', 'forcedExit'],
    ['node --test test/a.js && node --test test/b.js', 'batches'],
  ])('%s', (command, effect) => {
    expect(judgeScript(command)?.effect).toBe(effect);
  });

  it.each([
    'vitest run',
    'vitest run && tsc',
    'vitest run && vitest run --project browser',
    'vitest run --coverage && vitest run --config vitest.browser.config.ts',
    'vitest run a; echo done',
    'eslint . && jest',
    'jest --maxWorkers=10',
    'mocha test/exit.js',
    'tap test/*.js',
    'node --test',
    'node --test --test-concurrency=4 test/',
    'node --test && node scripts/check.js --test-isolation=none',
    'vitest --poolOptions.threads.singleThread=false',
    "vitest run && echo 'all passed'",
    'ava',
    'node scripts/java-import.js',
    "echo 'vitest run a && vitest run b'",
  ])('not: %s', (command) => {
    expect(judgeScript(command)).toBeUndefined();
  });
});
