import { describe, expect, it } from 'vitest';
import { lint, type Files } from './support.js';

const manifest = '{ "name": "p", "main": "main.cjs" }';
const worker =
  "const { parentPort } = require('worker_threads');\nconst sharp = require('sharp');\nasync function go(x) { parentPort.postMessage(await sharp(x).toBuffer()); }";

function messagesOf(rule: string, code: string, files: Files = {}): readonly string[] {
  const filename = '/p/main.cjs';
  const around = { '/p/package.json': manifest, '/p/worker.cjs': worker, ...files };
  return lint(rule, code, { filename, files: around }).reports.map(
    ({ messageId, severity }) => `${messageId}${severity === 'note' ? ' (note)' : ''}`,
  );
}

const start = "const { Worker } = require('worker_threads');\n";

describe('addon-only-in-workers', () => {
  it.each([
    ['a path relative to the working directory', "new Worker('./worker.cjs');"],
    ['a path without a dot', "new Worker('worker.cjs');"],
    ['__dirname', "const path = require('path'); new Worker(path.join(__dirname, 'worker.cjs'));"],
    ['a template', 'new Worker(`${__dirname}/worker.cjs`);'],
    ['a sum', "new Worker(__dirname + '/worker.cjs');"],
    ['require.resolve', "new Worker(require.resolve('./worker.cjs'));"],
    ['a constant', "const file = require('path').resolve(__dirname, './worker.cjs'); new Worker(file);"],
    ['code as text', 'new Worker("require(\'sharp\')", { eval: true });'],
    ['a pool', "const Piscina = require('piscina'); new Piscina({ filename: require.resolve('./worker.cjs') });"],
  ])('finds the worker by %s', (_name, code) => {
    expect(messagesOf('addon-only-in-workers', start + code)).toEqual(['onlyInWorkers']);
  });

  it('follows what the worker imports', () => {
    const files = {
      '/p/worker.cjs': "require('./lib/image');",
      '/p/lib/image.js': "module.exports = require('sharp');",
    };
    expect(messagesOf('addon-only-in-workers', `${start}new Worker('./worker.cjs');`, files)).toEqual([
      'onlyInWorkers',
    ]);
  });

  it.each<[string, string, Files]>([
    ['the same file loads it', "require('sharp'); new Worker('./worker.cjs');", {}],
    [
      'a file that it imports loads it',
      "require('./image.cjs'); new Worker('./worker.cjs');",
      { '/p/image.cjs': "require('sharp');" },
    ],
    [
      'another file of the package loads it',
      "new Worker('./worker.cjs');",
      { '/p/other.mjs': "import sharp from 'sharp';" },
    ],
    [
      'main-thread code imports the shared file',
      "new Worker('./worker.cjs');",
      {
        '/p/worker.cjs': "require('./image.cjs');",
        '/p/image.cjs': "require('sharp');",
        '/p/other.cjs': "require('./image.cjs');",
      },
    ],
    ['the worker loads nothing native', "new Worker('./worker.cjs');", { '/p/worker.cjs': "require('lodash');" }],
    [
      'only the types are imported',
      "new Worker('./worker.ts');",
      { '/p/worker.ts': "import type { Sharp } from 'sharp';" },
    ],
    ['the import is a comment', "new Worker('./worker.cjs');", { '/p/worker.cjs': "// require('sharp');" }],
    ['the path is computed', 'new Worker(process.argv[2]);', {}],
    ['a web worker', "new Worker('./worker.cjs');", {}],
  ])('is quiet when %s', (name, code, files) => {
    const head = name === 'a web worker' ? '/* worker_threads */ ' : start;
    expect(messagesOf('addon-only-in-workers', head + code, files)).toEqual([]);
  });

  it('a load in a test of the package does not keep the addon loaded', () => {
    const files = { '/p/test/image.test.js': "require('sharp');" };
    expect(messagesOf('addon-only-in-workers', `${start}new Worker('./worker.cjs');`, files)).toEqual([
      'onlyInWorkers',
    ]);
  });

  it.each([
    [
      "const { isMainThread, Worker } = require('worker_threads'); if (isMainThread) { new Worker(__filename); } else { require('sharp'); }",
      1,
    ],
    [
      "const { isMainThread, Worker } = require('worker_threads'); if (!isMainThread) { require('sharp'); } else { new Worker(__filename); }",
      1,
    ],
    [
      "const { isMainThread, Worker } = require('worker_threads'); require('sharp'); if (isMainThread) { new Worker(__filename); }",
      0,
    ],
  ])('a file that is its own worker: %s', (code, count) => {
    expect(messagesOf('addon-only-in-workers', code)).toHaveLength(count);
  });
});

describe('terminate-during-native-work', () => {
  it.each([
    ['in a timer', "const w = new Worker('./worker.cjs'); setTimeout(() => w.terminate(), 100);", ['terminated']],
    [
      'on abort',
      "const w = new Worker('./worker.cjs'); signal.addEventListener('abort', () => { w.terminate(); });",
      ['terminated'],
    ],
    [
      'right after the start',
      "async function f() { const w = new Worker('./worker.cjs'); w.postMessage(1); await w.terminate(); }",
      ['terminated'],
    ],
    [
      'after a race',
      "async function f() { const w = new Worker('./worker.cjs'); await Promise.race([once(w, 'message'), timeout(5)]); w.terminate(); }",
      ['terminated'],
    ],
    [
      'in a method of its own',
      "class Pool { worker = new Worker('./worker.cjs'); close() { return this.worker.terminate(); } }",
      ['terminated (note)'],
    ],
    ['in a message', "const w = new Worker('./worker.cjs'); w.on('message', () => w.terminate());", []],
    ['on exit', "const w = new Worker('./worker.cjs'); w.once('exit', () => w.terminate());", []],
    [
      'after the message',
      "async function f() { const w = new Worker('./worker.cjs'); await once(w, 'message'); await w.terminate(); }",
      [],
    ],
    [
      'after a promise of the message',
      "async function f() { const w = new Worker('./worker.cjs'); const done = new Promise((ok) => w.once('message', ok)); await done; w.terminate(); }",
      [],
    ],
    ['of something else', 'connection.terminate();', []],
  ])('%s', (_name, code, expected) => {
    expect(messagesOf('terminate-during-native-work', start + code)).toEqual(expected);
  });

  it('needs native work that goes on', () => {
    const files = {
      '/p/worker.cjs':
        "const { parentPort } = require('worker_threads'); parentPort.postMessage(require('sharp').versions);",
    };
    const code = `${start}const w = new Worker('./worker.cjs'); setTimeout(() => w.terminate(), 100);`;
    expect(messagesOf('terminate-during-native-work', code, files)).toEqual([]);
  });
});

describe('addon-not-context-aware', () => {
  const legacy: Files = {
    '/p/node_modules/old/package.json':
      '{ "name": "old", "main": "index.js", "dependencies": { "nan": "^2" }, "gypfile": true }',
    '/p/node_modules/old/src/old.cc': 'NODE_MODULE(old, Init)',
  };
  it('in a file that says it is a worker', () => {
    expect(
      messagesOf('addon-not-context-aware', "require('worker_threads').parentPort.ref(); require('old');", legacy),
    ).toEqual(['inWorker']);
  });
  it('where a worker is started that says nothing of itself', () => {
    const files = { ...legacy, '/p/worker.cjs': "require('old');" };
    expect(messagesOf('addon-not-context-aware', `${start}new Worker('./worker.cjs');`, files)).toEqual(['inWorker']);
  });
  it.each([
    ['NAN_MODULE_WORKER_ENABLED', 'NAN_MODULE_WORKER_ENABLED(old, Init)'],
    ['Node-API', 'NODE_API_MODULE(old, Init)'],
    ['NODE_MODULE_INIT', 'NODE_MODULE_INIT() {}'],
  ])('not with %s', (_name, source) => {
    const files = { ...legacy, '/p/node_modules/old/src/old.cc': source };
    expect(
      messagesOf('addon-not-context-aware', "require('worker_threads').parentPort.ref(); require('old');", files),
    ).toEqual([]);
  });
  it('not on the main thread', () => {
    expect(messagesOf('addon-not-context-aware', "/* worker_threads */ require('old');", legacy)).toEqual([]);
  });
  it('process.dlopen is a note outside workers', () => {
    expect(messagesOf('addon-not-context-aware', "process.dlopen(module, './a.node');")).toEqual([
      'dlopenOnMain (note)',
    ]);
    expect(messagesOf('addon-not-context-aware', 'loader.dlopen(module);')).toEqual([]);
  });
});
