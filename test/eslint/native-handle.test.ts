import { expect, it } from 'vitest';
import { lint } from './support.js';

const files = {
  '/p/store.d.ts':
    'export declare class Store {\n  close(): void\n  get(key: string): Promise<string>\n}\nexport declare class Plain {\n  get(): string\n}\n',
};

function handles(code: string, filename = '/p/a.js'): readonly string[] {
  const text = `const native = require('./store.node');\n${code}`;
  return lint('native-handle-undisposed', text, { filename, files: { '/p/package.json': '{}', ...files } }).reports.map(
    ({ messageId }) => messageId,
  );
}

it.each([
  ['never closed', "async function f() { const s = new native.Store('a'); return s.get('b'); }", ['neverClosed']],
  [
    'closed after an await',
    "async function f() { const s = new native.Store('a'); await s.get('b'); s.close(); }",
    ['onlyOnSuccess'],
  ],
  [
    'closed in the try after an await',
    "async function f() { const s = await native.open(); try { await s.get('b'); s.close(); } catch { log(); } }",
    ['onlyOnSuccess'],
  ],
  [
    'closed in finally',
    "async function f() { const s = new native.Store('a'); try { await s.get('b'); } finally { s.close(); } }",
    [],
  ],
  [
    'closed on both ways',
    "async function f() { const s = new native.Store('a'); try { await s.get('b'); } catch (e) { s.close(); throw e; } s.close(); }",
    [],
  ],
  [
    'closed before anything can throw',
    "async function f() { const s = new native.Store('a'); s.close(); await g(); }",
    [],
  ],
  ['using', "async function f() { using s = new native.Store('a'); await s.get('b'); }", []],
  ['returned', "function f() { const s = new native.Store('a'); return s; }", []],
  ['kept in a field', "class A { open() { const s = new native.Store('a'); this.store = s; } }", []],
  ['given to someone', "function f() { const s = new native.Store('a'); register(s); }", []],
  [
    'closed by a callback',
    "function f() { const s = new native.Store('a'); process.on('exit', () => s.close()); }",
    [],
  ],
  ['nothing to close', 'function f() { const s = new native.Plain(); return s.get(); }', []],
  ['a script', "const s = new native.Store('a'); s.get('b');", []],
  ['not native', "async function f() { const s = new Store('a'); await s.get('b'); s.close(); }", []],
  ['only the collector', 'const r = new FinalizationRegistry((id) => native.free(id));', ['onlyByCollector']],
  [
    'the collector below an explicit release',
    'const r = new FinalizationRegistry((id) => native.free(id)); class A { dispose() { native.free(this.id); } }',
    [],
  ],
  ['a registry for JavaScript things', 'const r = new FinalizationRegistry((id) => cache.delete(id));', []],
])('%s', (_name, code, expected) => {
  expect(handles(code)).toEqual(expected);
});

it('says nothing of a release that a failing test skips, but of one that it never makes', () => {
  const closed = "async function f() { const s = new native.Store('a'); await s.get('b'); s.close(); }";
  const open = "async function f() { const s = new native.Store('a'); return s.get('b'); }";
  expect(handles(closed, '/p/store.test.js')).toEqual([]);
  expect(handles(open, '/p/store.test.js')).toEqual(['neverClosed']);
  expect(handles(closed, '/p/examples/a.js')).toEqual(['onlyOnSuccess']);
  // Without a package around the file its folders say nothing.
  const text = `const native = require('./store.node');\n${closed}`;
  const reports = lint('native-handle-undisposed', text, {
    filename: '/test/p/a.js',
    files: { '/test/p/store.d.ts': files['/p/store.d.ts'] },
  });
  expect(reports.reports).toHaveLength(1);
});
