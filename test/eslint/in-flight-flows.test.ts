import { describe, expect, it } from 'vitest';
import { linesOf, type Probe } from './hasher.js';

const bad: readonly Probe[] = [
  ['untyped param fill', 'export async function f(buf){ const p = hash(buf); buf.fill(0); return p; }'],
  ['untyped param index', 'export async function f(data){ const p = hash(data); data[0] = 1; return p; }'],
  ['untyped field set', 'export function f(job){ const p = hash(job.data); job.data.set([1]); return p; }'],
  [
    'this field',
    'export class A { buf = Buffer.alloc(8); async run(){ const p = hash(this.buf); this.buf.fill(0); await p; } }',
  ],
  [
    'private field',
    'export class A { #buf = Buffer.alloc(8); async run(){ const p = hash(this.#buf); this.#buf.fill(0); await p; } }',
  ],
  ['destructured', 'export async function f({ data }){ const p = hash(data); data.fill(0); await p; }'],
  [
    'object literal field',
    'export async function f(){ const o = { data: Buffer.alloc(2) }; const p = hash(o.data); o.data.fill(0); await p; }',
  ],
  [
    'destructure alias',
    'export async function f(o){ const { data } = o; const p = hash(data); o.data.fill(0); await p; }',
  ],
  [
    'fs.read',
    'export async function f(fd){ const b = Buffer.alloc(8); const p = hash(b); fs.read(fd, b, 0, 8, 0, () => {}); await p; }',
  ],
  [
    'fh.read',
    'export async function f(fh){ const b = Buffer.alloc(8); const p = hash(b); await fh.read(b, 0, 8); await p; }',
  ],
  [
    'loop reuse',
    'export async function f(fd){ const b = Buffer.alloc(8); const all = []; while (fs.readSync(fd, b) > 0) all.push(hash(b)); await Promise.all(all); }',
  ],
  [
    'loop reuse fh',
    'export async function f(fh){ const b = Buffer.alloc(8); const all = []; for (;;) { const { bytesRead } = await fh.read(b, 0, 8); if (!bytesRead) break; all.push(hash(b.subarray(0, bytesRead))); } await Promise.all(all); }',
  ],
  [
    'closure write',
    'export async function f(){ const b = Buffer.alloc(8); const clear = () => b.fill(0); const p = hash(b); clear(); await p; }',
  ],
  [
    'helper decl write',
    'function clear(x){ x.fill(0); }\nexport async function f(){ const b = Buffer.alloc(8); const p = hash(b); clear(b); await p; }',
  ],
  ['then chain no return', 'export function f(b = Buffer.alloc(8)){ hash(b).then(console.log); b.fill(0); }'],
  [
    'finally',
    'export async function f(){ const b = Buffer.alloc(8); let p; try { p = hash(b); await other(); } finally { b.fill(0); } return p; }',
  ],
  [
    'early return',
    'export async function f(x){ const b = Buffer.alloc(8); const p = hash(b); if (x) { b.fill(0); return; } await p; }',
  ],
  [
    'Promise.all then',
    'export async function f(){ const b = Buffer.alloc(8); const p = Promise.all([hash(b), hash(b)]); b.fill(0); await p; }',
  ],
  [
    'class method',
    'export async function f(e = new Enc()){ const b = Buffer.alloc(8); const w = e.write(b); b.fill(1); await w; }',
  ],
  ['cb style', 'export function f(){ const b = Buffer.alloc(8); cb(b, (err, r) => {}); b.fill(0); }'],
  [
    'held by ctor',
    'export async function f(){ const b = Buffer.alloc(8); const e = new Enc(b); const p = e.encode("png"); b.fill(0); await p; }',
  ],
  [
    'timeout',
    'export async function f(){ const b = Buffer.alloc(8); await Promise.race([hash(b), new Promise(r => setTimeout(r, 10))]); b.fill(0); }',
  ],
  [
    'for await chunk reuse',
    'export async function f(s){ const b = Buffer.alloc(8); const ps = []; for await (const c of s) { c.copy(b); ps.push(hash(b)); } await Promise.all(ps); }',
  ],
  [
    'map async reuse',
    'export async function f(l){ const b = Buffer.alloc(8); await Promise.all(l.map(async (x) => { b.write(x); await hash(b); })); }',
  ],
  [
    'require dyn',
    "export async function f(){ const n = await import('hasher'); const b = Buffer.alloc(8); const p = n.hash(b); b.fill(0); await p; }",
  ],
  [
    'namespace then',
    "export function f(b){ return import('hasher').then((n) => { const p = n.hash(b); b.fill(0); return p; }); }",
  ],
  [
    'createRequire',
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); const n = require('hasher'); export async function f(){ const b = Buffer.alloc(8); const p = n.hash(b); b.fill(0); await p; }",
  ],
  [
    'createRequire named',
    "import { createRequire } from 'node:module'; const load = createRequire(import.meta.url); const n = load('hasher'); export async function f(){ const b = Buffer.alloc(8); const p = n.hash(b); b.fill(0); await p; }",
  ],
  [
    'ts cast',
    'export async function f(x: unknown){ const b = x as Buffer; const p = hash(b); (b as Uint8Array).fill(0); await p; }',
    'ts',
  ],
  ['ts nonnull', 'export async function f(x?: Buffer){ const p = hash(x!); x!.fill(0); await p; }', 'ts'],
  [
    'buffer view dataview',
    'export async function f(ab: ArrayBuffer){ const p = hash(new Uint8Array(ab)); new DataView(ab).setInt8(0, 1); await p; }',
    'ts',
  ],
  [
    'view var',
    'export async function f(){ const b = new Uint8Array(8); const v = new DataView(b.buffer); const p = hash(b); v.setFloat64(0, 1); await p; }',
  ],
  ['optional chain', 'export async function f(b){ const p = hash?.(b); b?.fill(0); await p; }'],
  [
    'wrapped fn',
    'const run = (d) => hash(d);\nexport async function f(){ const b = Buffer.alloc(8); const p = run(b); b.fill(0); await p; }',
  ],
  [
    'async wrapper',
    'async function run(d){ return await hash(d); }\nexport async function f(){ const b = Buffer.alloc(8); const p = run(b); b.fill(0); await p; }',
  ],
  [
    'transfer',
    'export async function f(port){ const b = new Uint8Array(8); const p = hash(b); port.postMessage(b, [b.buffer]); await p; }',
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'transfer structuredClone',
    'export async function f(){ const b = new Uint8Array(8); const p = hash(b); structuredClone(b, { transfer: [b.buffer] }); await p; }',
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'transfer list var',
    'export async function f(port){ const b = new Uint8Array(8); const p = hash(b); const list = [b.buffer]; port.postMessage(b, list); await p; }',
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'transfer()',
    'export async function f(){ const ab = new ArrayBuffer(8); const p = hash(new Uint8Array(ab)); ab.transfer(); await p; }',
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'resize()',
    'export async function f(){ const ab = new ArrayBuffer(8, { maxByteLength: 64 }); const p = hash(new Uint8Array(ab)); ab.resize(16); await p; }',
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'new Worker transferList',
    "import { Worker } from 'node:worker_threads'; export async function f(){ const b = new Uint8Array(8); const p = hash(b); new Worker('./w.js', { workerData: b, transferList: [b.buffer] }); await p; }",
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'param transfer',
    'export async function f(data, port){ const p = hash(data); port.postMessage({ data }, [data.buffer]); return p; }',
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'overlapping parts',
    'export async function f(){ const all = new Uint8Array(16); const a = all.subarray(0, 8), b = all.subarray(4, 12); const p = hash(a); b.fill(1); await p; }',
  ],
  [
    'the same part twice',
    'export async function f(n){ const all = new Uint8Array(16); const p = hash(all.subarray(0, n)); all.subarray(0, n).fill(1); await p; }',
  ],
  [
    'the whole of a part',
    'export async function f(n){ const all = new Uint8Array(16); const p = hash(all.subarray(0, n)); all[n] = 1; await p; }',
  ],
  [
    'one slot for all rounds',
    'export async function f(n){ const pool = Buffer.alloc(64), all = []; for (let i = 0; i < n; i++) { const slot = pool.subarray(0, 32); slot.fill(i); all.push(hash(slot)); } await Promise.all(all); }',
  ],
  [
    'an element of a pattern',
    'export async function f(){ const b = new Uint8Array(8); const p = hash(b); [b[0]] = [1]; await p; }',
  ],
  [
    'given to a helper that waits, which nobody waits for',
    'async function done(p){ await p; }\nexport function f(){ const b = Buffer.alloc(8); const p = hash(b); void done(p); b.fill(0); }',
  ],
  [
    'one of two parts transferred',
    'export async function f(port){ const all = new Uint8Array(16); const a = all.subarray(0, 4), b = all.subarray(4); const p = hash(a); port.postMessage(b, [b.buffer]); await p; }',
    'js',
    'buffer-transferred-in-flight',
  ],
];
const good: readonly Probe[] = [
  ['awaited', 'export async function f(buf){ await hash(buf); buf.fill(0); }'],
  ['sync', 'export async function f(buf){ const p = hashSync(buf); buf.fill(0); return p; }'],
  ['array param', 'export async function f(list){ const p = sum(list); list.fill(0); return p; }'],
  ['copy', 'export async function f(buf){ const p = hash(Buffer.from(buf)); buf.fill(0); return p; }'],
  [
    'slice u8',
    'export async function f(){ const b = new Uint8Array(8); const p = hash(b.slice()); b.fill(0); return p; }',
  ],
  [
    'new in loop',
    'export async function f(fd){ const all = []; for (;;) { const b = Buffer.alloc(8); if (!fs.readSync(fd, b)) break; all.push(hash(b)); } await Promise.all(all); }',
  ],
  ['then write', 'export function f(b){ return hash(b).then((r) => { b.fill(0); return r; }); }'],
  [
    'finally ok',
    'export async function f(){ const b = Buffer.alloc(8); try { return await hash(b); } finally { b.fill(0); } }',
  ],
  [
    'wrapped awaited',
    'async function run(d){ return await hash(d); }\nexport async function f(){ const b = Buffer.alloc(8); await run(b); b.fill(0); }',
  ],
  [
    'helper awaited',
    'function clear(x){ x.fill(0); }\nexport async function f(){ const b = Buffer.alloc(8); await hash(b); clear(b); }',
  ],
  [
    'helper read',
    'function show(x){ console.log(x.length); }\nexport async function f(){ const b = Buffer.alloc(8); const p = hash(b); show(b); await p; }',
  ],
  [
    'closure later',
    'export async function f(){ const b = Buffer.alloc(8); const clear = () => b.fill(0); await hash(b); clear(); }',
  ],
  [
    'fh.read sequential',
    'export async function f(fh){ const b = Buffer.alloc(8); for (;;) { const { bytesRead } = await fh.read(b, 0, 8); if (!bytesRead) break; await hash(b.subarray(0, bytesRead)); } }',
  ],
  ['different part fields', 'export async function f(o){ const p = hash(o.a); o.b.fill(0); await p; }'],
  [
    'transferred after',
    'export async function f(port){ const b = new Uint8Array(8); await hash(b); port.postMessage(b, [b.buffer]); }',
    'js',
    'buffer-transferred-in-flight',
  ],
  [
    'fs.read other',
    'export async function f(fd){ const b = Buffer.alloc(8), c = Buffer.alloc(8); const p = hash(b); fs.read(fd, c, 0, 8, 0, () => {}); await p; }',
  ],
  ['map set', 'export async function f(m, b){ const p = hash(b); m.set(1, b); await p; }'],
  ['reassigned', 'export async function f(b){ const p = hash(b); b = Buffer.alloc(3); b.fill(0); await p; }'],
  [
    'two halves',
    'export async function f(n){ const all = new Uint8Array(16); const a = all.subarray(0, n), b = all.subarray(n); const p = hash(a); b.fill(1); await p; }',
  ],
  [
    'two views apart',
    'export async function f(store){ const a = new Uint8Array(store, 0, 8), b = new Uint8Array(store, 8, 8); const p = hash(a); b[0] = 1; await p; }',
  ],
  [
    'a slot for each round',
    'export async function f(n){ const pool = Buffer.alloc(64 * n), all = []; for (let i = 0; i < n; i++) { const slot = pool.subarray(i * 64, (i + 1) * 64); slot.fill(i); all.push(hash(slot)); } await Promise.all(all); }',
  ],
  [
    'each of a list awaited',
    'export async function f(){ const b = Buffer.alloc(8), all = [hash(b)]; for (const p of all) await p; b.fill(0); }',
  ],
  [
    'helper that waits',
    'async function done(p){ await p; }\nexport async function f(){ const b = Buffer.alloc(8); const p = hash(b); await done(p); b.fill(0); }',
  ],

  [
    'log only',
    'export async function f(buf){ const p = hash(buf); try { console.log(1); const r = await p; use(r); } finally { buf.fill(0); } }',
  ],
  [
    'retry loop',
    'export async function f(buf){ for (let i = 0; i < 3; i++) { try { return await hash(buf); } catch (e) { if (i === 2) throw e; await sleep(10); } } }',
  ],
  [
    'zero after',
    'export async function f(){ const key = Buffer.alloc(32); try { const r = await hash(key); return wrap(r); } finally { key.fill(0); } }',
  ],
  [
    'validate first',
    'export async function f(buf){ try { validate(buf); const r = await hash(buf); await save(r); return r; } catch (e) { buf.fill(0); throw e; } }',
  ],
  [
    'pool release',
    'export async function f(pool){ const b = pool.acquire(); try { b.fill(1); return await hash(b); } finally { pool.release(b); } }',
  ],
  [
    'seq map',
    'export async function f(buffers){ for (const b of buffers) { b.fill(0); await hash(b); } for (const b of buffers) b.fill(1); }',
  ],
  [
    'reduce chain',
    'export function f(buffers){ return buffers.reduce((p, b) => p.then(() => { b.fill(0); return hash(b); }), Promise.resolve()); }',
  ],
  [
    'double buffering',
    'export async function f(fd){ const bufs = [Buffer.alloc(8), Buffer.alloc(8)]; let p = Promise.resolve(), i = 0; while (fs.readSync(fd, bufs[i]) > 0) { await p; p = hash(bufs[i]); i = 1 - i; } await p; }',
  ],
  [
    'double buffering xor',
    'export async function f(fd){ const bufs = [Buffer.alloc(8), Buffer.alloc(8)]; let p, i = 0; for (;;) { const n = fs.readSync(fd, bufs[i & 1]); if (!n) break; await p; p = hash(bufs[i & 1]); i++; } await p; }',
  ],
  [
    'swap',
    'export async function f(fd){ let a = Buffer.alloc(8), b = Buffer.alloc(8), p; while (fs.readSync(fd, a) > 0) { await p; p = hash(a); [a, b] = [b, a]; } await p; }',
  ],
  [
    'abort timer',
    'export async function f(buf){ const c = new AbortController(); const t = setTimeout(() => c.abort(), 10); try { return await hash(buf); } finally { clearTimeout(t); buf.fill(0); } }',
  ],
  [
    'results list write',
    'export async function f(list){ const out = []; const jobs = list.map(async (x, i) => { out[i] = await hash(x); }); out.length = 0; await Promise.all(jobs); out.reverse(); }',
  ],
  [
    'results write',
    'export async function f(list){ const results = new Array(list.length); await Promise.all(list.map(async (x, i) => { results[i] = await hash(x); })); return results; }',
  ],
  ['cache obj', 'const cache = {}; export function f(k, b){ cache[k] = cache[k] || hash(b); return cache[k]; }'],
  [
    'args sort',
    'export async function f(parts){ const p = all(parts); const order = [...parts]; order.sort(); await p; return order; }',
  ],
  [
    'list push after',
    'export async function f(a, b){ const parts = [a]; const p = all(parts); parts.push(b); parts.length = 0; await p; }',
  ],
  [
    'list index set',
    'export async function f(a, b){ const parts = [a]; const p = all(parts); parts[0] = b; await p; }',
  ],
  [
    'job field',
    'export async function f(a){ const job = { data: a, done: false }; const p = run(job); job.done = true; job.data = null; await p; }',
  ],
  [
    'job other',
    'export async function f(a){ const job = { data: a, out: Buffer.alloc(4) }; const p = hash(job.data); job.out.fill(0); await p; }',
  ],
  [
    'mapped copies',
    'export async function f(buffers){ const copies = buffers.map((b) => Buffer.from(b)); const p = all(copies); for (const b of buffers) b.fill(0); await p; }',
  ],
  [
    'filter',
    'export async function f(buffers){ const small = buffers.filter((b) => b.length < 9); await all(small); for (const b of small) b.fill(0); }',
  ],
  [
    'interval progress',
    'export async function f(buf){ let n = 0; const arr = [0]; const t = setInterval(() => { n++; arr[0] = n; }, 5); await hash(buf); clearInterval(t); }',
  ],
  [
    'allSettled finally',
    'export async function f(buffers){ try { await Promise.allSettled(buffers.map((b) => hash(b))); } finally { for (const b of buffers) b.fill(0); } }',
  ],
  ['await in if', 'export async function f(buf, x){ let p; if (x) { p = hash(buf); await p; } buf.fill(0); }'],
  [
    'try await other before start',
    'export async function f(buf){ try { await other(); const p = hash(buf); await p; } catch { buf.fill(0); } }',
  ],
  [
    'catch awaits',
    'export async function f(buf){ const p = hash(buf); try { await other(); } catch (e) { await p.catch(() => {}); buf.fill(0); throw e; } await p; buf.fill(0); }',
  ],
  [
    'hash of each then other',
    'export async function f(bufs, out){ const all = []; for (const b of bufs) { const q = hash(b); all.push(q); out[0] = 1; } await Promise.all(all); }',
  ],
  [
    'forEach async',
    'export async function f(buffers){ for (const b of buffers) { const r = await hash(b); b.write(r); } }',
  ],
  [
    'chunk write to stream',
    'export async function f(s, out){ for await (const c of s) { const p = hash(c); out.write(c); await p; } }',
  ],
  [
    'map set',
    'export async function f(m, buffers){ const jobs = buffers.map((b) => hash(b)); buffers.forEach((b, i) => m.set(i, b)); await Promise.all(jobs); }',
  ],
];

describe('a buffer that an addon still uses', () => {
  it.each(bad.map((probe) => [probe[0], probe] as const))('%s', (_name, probe) => {
    expect(linesOf(probe)).toHaveLength(1);
  });

  it.each(good.map((probe) => [probe[0], probe] as const))('not: %s', (_name, probe) => {
    expect(linesOf(probe)).toEqual([]);
  });
});
