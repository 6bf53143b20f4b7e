import { describe, expect, it } from 'vitest';
import { lint } from './support.js';

const files = {
  '/p/package.json': '{"name":"app","type":"module"}',
  '/p/node_modules/hasher/package.json': '{"name":"hasher","main":"index.js","types":"index.d.ts","napi":{}}',
  '/p/node_modules/hasher/index.d.ts': 'export declare function hash(data: Uint8Array): Promise<string>\n',
  '/p/node_modules/hasher/index.js': 'module.exports = require("./hasher.node")',
  '/p/native.js': "export { hash } from 'hasher'; export * as all from 'hasher';",
  '/p/native.cjs': "module.exports = require('hasher');",
  '/p/binding.js': "module.exports = require('./build/Release/addon.node');",
};
const bug = 'const b = Buffer.alloc(8); const p = hash(b); b.fill(0); await p;';
const repair = 'const b = Buffer.alloc(8); const p = hash(b); await p; b.fill(0);';

/** Name, a file with a place for the body as `W`, its extension. */
const ways: readonly (readonly [string, string, string?])[] = [
  ['esm reexport', "import { hash } from './native.js'; export async function f(){ W }"],
  ['esm reexport ns', "import { all } from './native.js'; const { hash } = all; export async function f(){ W }"],
  ['cjs reexport', "const { hash } = require('./native.cjs'); exports.f = async function f(){ W }", 'cjs'],
  [
    'createRequire',
    "import { createRequire } from 'module'; const r = createRequire(import.meta.url); const { hash } = r('hasher'); export async function f(){ W }",
  ],
  ['import()', "const { hash } = await import('hasher'); export async function f(){ W }"],
  ['import() then', "export const f = () => import('hasher').then(async ({ hash }) => { W });"],
  ['default interop', "import native from 'hasher'; const hash = native.hash; export async function f(){ W }"],
  ['ns import', "import * as native from 'hasher'; const hash = (x) => native.hash(x); export async function f(){ W }"],
  [
    'import default as',
    "import { default as native } from 'hasher'; export async function f(){ const { hash } = native; W }",
  ],
  [
    'lazy',
    "let native; function load(){ native ??= require('hasher'); return native; } exports.f = async () => { const { hash } = load(); W }",
    'cjs',
  ],
  ['lazy2', "const load = () => require('hasher'); exports.f = async () => { const hash = load().hash; W }", 'cjs'],
  [
    'import equals',
    "import native = require('hasher'); const hash = native.hash; export async function f(){ W }",
    'ts',
  ],
  [
    'bindings',
    "const { hash: hashAsync } = require('bindings')('addon'); const hash = (x) => hashAsync(x); exports.f = async () => { W }",
    'cjs',
  ],
  [
    'node-gyp-build',
    "const binding = require('node-gyp-build')(__dirname); const hash = (x) => binding.hashAsync(x); exports.f = async () => { W }",
    'cjs',
  ],
  [
    'dlopen',
    "const m = { exports: {} }; process.dlopen(m, './x.node'); const hash = (x) => m.exports.hashAsync(x); exports.f = async () => { W }",
    'cjs',
  ],
  [
    'promisify',
    "import { promisify } from 'node:util'; import { hash as h } from 'hasher'; const hash = promisify(h); export async function f(){ W }",
  ],
  [
    'class wrapper',
    "import { hash as h } from 'hasher'; class A { run(x){ return h(x); } async f(){ const hash = (x) => this.run(x); W } } export { A };",
  ],
  [
    'static wrapper',
    "import { hash as h } from 'hasher'; class A { static run(x){ return h(x); } } const hash = A.run; export async function f(){ W }",
  ],
  [
    'object wrapper',
    "import { hash as h } from 'hasher'; const api = { hash(x){ return h(x); } }; export async function f(){ const { hash } = api; W }",
  ],
  [
    'object wrapper call',
    "import { hash as h } from 'hasher'; const api = { run: (x) => h(x) }; const hash = (x) => api.run(x); export async function f(){ W }",
  ],
  [
    'conditional',
    "import * as n from 'hasher'; const hash = process.env.X ? n.hash : n.hash; export async function f(){ W }",
  ],
  ['ts enum ns', "import { hash } from 'hasher'; export namespace N { export async function f(){ W } }", 'ts'],
  ['method in object', "import { hash } from 'hasher'; export default { async f(){ W } };"],
  ['getter', "import { hash } from 'hasher'; export class A { get f(){ return (async () => { W })(); } }"],
  ['arrow in array', "import { hash } from 'hasher'; export const fs = [async () => { W }];"],
  ['top-level await', "import { hash } from 'hasher'; W"],
  ['decorated', "import { hash } from 'hasher'; export class A { async *f(){ W yield 1; } }"],
  ['test body', "import { hash } from 'hasher'; import { test } from 'node:test'; test('x', async (t) => { W });"],
  ['import attributes', "import { hash } from 'hasher' with { type: 'native' }; export async function f(){ W }"],
];

const count = (code: string, extension: string): number =>
  lint('buffer-mutated-in-flight', code, { filename: `/p/file.${extension}`, files }).messages.length;

describe('ways to get at a native function', () => {
  it.each(ways.map((way) => [way[0], way] as const))('%s', (_name, [, code, extension = 'mjs']) => {
    expect(count(code.replace('W', bug), extension), 'the bug').toBe(1);
    expect(count(code.replace('W', repair), extension), 'its repair').toBe(0);
  });
});
