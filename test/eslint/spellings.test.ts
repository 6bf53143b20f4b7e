import { expect, it } from 'vitest';
import { lint } from './support.js';

const addon = { '/p/package.json': '{"name":"app","napi":{}}' };

it.each([
  [
    'a transfer list in a constant',
    'pooled-buffer-transfer',
    '/p/a.mjs',
    "export function f(port) { const b = Buffer.from('x'); const list = [b.buffer]; port.postMessage(b, list); }",
  ],
  [
    'the transfer list of a new worker',
    'pooled-buffer-transfer',
    '/p/a.mjs',
    "const b = Buffer.from('x'); new Worker('./w.js', { workerData: b, transferList: [b.buffer] });",
  ],
  [
    'a pooled buffer in a field',
    'pooled-buffer-transfer',
    '/p/a.mjs',
    "export class A { b = Buffer.from('x'); f(port) { port.postMessage(this.b, [this.b.buffer]); } }",
  ],
  [
    'a setting in a constant',
    'crash-masking-config',
    '/p/vitest.config.ts',
    'const single = true; export default { test: { poolOptions: { threads: { singleThread: single } } } };',
  ],
  [
    'a binary whose name has quotes in it',
    'loader-process-report',
    '/p/load.cjs',
    "const r = process.report.getReport(); module.exports = require(`./x-${r.header.glibcVersionRuntime ? 'gnu' : 'musl'}.node`);",
  ],
])('sees %s', (_name, rule, filename, code) => {
  expect(lint(rule, code, { filename, files: addon }).messages).toHaveLength(1);
});
