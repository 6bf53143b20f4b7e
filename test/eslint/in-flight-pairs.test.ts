import { describe, expect, it } from 'vitest';
import { linesOf } from './hasher.js';

/** Name, a program with one bug, its smallest repair; language and rule where they are not the usual ones. */
type Pair = readonly [string, string, string, ('js' | 'ts')?, string?];

const transferred = 'buffer-transferred-in-flight';
const inFunction = (body: string): string => `export async function f(x, port){ const buf = Buffer.alloc(8); ${body} }`;

const collections: readonly Pair[] = [
  [
    'forEach over buffers, written in the same round',
    'export function f(buffers, all){ buffers.forEach((b) => { all.push(hash(b)); b.fill(0); }); return Promise.all(all); }',
    'export function f(buffers, all){ buffers.forEach((b) => { b.fill(0); all.push(hash(b)); }); return Promise.all(all); }',
  ],
  [
    'forEach over buffers, written in a second loop',
    'export async function f(buffers){ const all = []; buffers.forEach((b) => all.push(hash(b))); buffers.forEach((b) => b.fill(0)); await Promise.all(all); }',
    'export async function f(buffers){ const all = []; buffers.forEach((b) => all.push(hash(b))); await Promise.all(all); buffers.forEach((b) => b.fill(0)); }',
  ],
  [
    'for of twice',
    'export async function f(buffers){ const all = []; for (const b of buffers) all.push(hash(b)); for (const b of buffers) b.fill(0); await Promise.all(all); }',
    'export async function f(buffers, others){ const all = []; for (const b of buffers) all.push(hash(b)); for (const b of others) b.fill(0); await Promise.all(all); }',
  ],
  [
    'map, then one element',
    'export async function f(buffers){ const all = buffers.map((b) => hash(b)); buffers[0].fill(0); await Promise.all(all); }',
    'export async function f(buffers){ const all = buffers.map((b) => hash(Buffer.from(b))); buffers[0].fill(0); await Promise.all(all); }',
  ],
  [
    'one element, then all',
    'export async function f(buffers){ const p = hash(buffers[0]); for (const b of buffers) b.fill(0); await p; }',
    'export async function f(buffers){ await hash(buffers[0]); for (const b of buffers) b.fill(0); }',
  ],
  [
    'the same index',
    'export async function f(pool, i){ const p = hash(pool[i]); pool[i].fill(0); await p; }',
    'export async function f(pool, i, j){ const p = hash(pool[i]); pool[j].fill(0); await p; }',
  ],
  [
    'the same index by an expression',
    'export async function f(pool, i){ const p = hash(pool[i % 2]); pool[i % 2].fill(0); await p; }',
    'export async function f(pool, i){ const p = hash(pool[i % 2]); pool[(i + 1) % 2].fill(0); await p; }',
  ],
  [
    'an index that was counted up between is another one',
    'export async function f(pool){ let i = 0; const p = hash(pool[i]); pool[i].fill(0); i++; await p; }',
    'export async function f(pool){ let i = 0; const p = hash(pool[i]); i++; pool[i].fill(0); await p; }',
  ],
  [
    'a list of two',
    'export async function f(a, b){ const both = [a, b]; const p = hash(a); both.forEach((each) => each.fill(0)); await p; }',
    'export async function f(a, b, c){ const both = [b, c]; const p = hash(a); both.forEach((each) => each.fill(0)); await p; }',
  ],
  [
    'a list given as a whole',
    'export async function f(){ const a = Buffer.alloc(8), b = Buffer.alloc(8); const p = all([a, b]); b.fill(0); await p; }',
    'export async function f(){ const a = Buffer.alloc(8), b = Buffer.alloc(8); const p = all([a, Buffer.from(b)]); b.fill(0); await p; }',
  ],
  [
    'an element of a list by its index',
    'export async function f(){ const parts = [Buffer.alloc(8), Buffer.alloc(8)]; const p = hash(parts[1]); parts[1].fill(0); await p; }',
    'export async function f(){ const parts = [Buffer.alloc(8), Buffer.alloc(8)]; const p = hash(parts[1]); parts[0].fill(0); await p; }',
  ],
  [
    'a pool that Array.from made',
    'export async function f(){ const pool = Array.from({ length: 4 }, () => Buffer.alloc(8)); const all = pool.map((each) => hash(each)); for (const each of pool) each.fill(0); await Promise.all(all); }',
    'export async function f(){ const pool = Array.from({ length: 4 }, () => Buffer.alloc(8)); await Promise.all(pool.map((each) => hash(each))); for (const each of pool) each.fill(0); }',
  ],
  [
    'typed list',
    'export async function f(list: Uint8Array[]){ const jobs = list.map((each) => hash(each)); for (const each of list) each.fill(0); await Promise.all(jobs); }',
    'export async function f(list: Uint8Array[]){ const jobs = list.map((each) => hash(each.slice())); for (const each of list) each.fill(0); await Promise.all(jobs); }',
    'ts',
  ],
  [
    'reversing a list does not write its buffers',
    'export async function f(){ const a = Buffer.alloc(8), list = [a]; const p = hash(a); list[0].reverse(); await p; }',
    'export async function f(){ const a = Buffer.alloc(8), list = [a]; const p = hash(a); list.reverse(); await p; }',
  ],
  [
    'a field that was set before the object is given away',
    'export async function f(job){ const buf = Buffer.alloc(8); job.data = buf; const p = run(job); buf.fill(0); await p; }',
    'export async function f(job){ const buf = Buffer.alloc(8); job.data = Buffer.from(buf); const p = run(job); buf.fill(0); await p; }',
  ],
  [
    'a spread object',
    'export async function f(options){ const buf = Buffer.alloc(8); const p = run({ ...options, data: buf }); buf.fill(0); await p; }',
    'export async function f(options){ const buf = Buffer.alloc(8); const p = run({ ...options, data: Buffer.from(buf) }); buf.fill(0); await p; }',
  ],
  [
    'a spread list',
    'export async function f(){ const a = Buffer.alloc(8), parts = [a]; const p = all([...parts]); a.fill(0); await p; }',
    'export async function f(){ const a = Buffer.alloc(8), parts = [Buffer.from(a)]; const p = all([...parts]); a.fill(0); await p; }',
  ],
  [
    'a list that was pushed to',
    'export async function f(){ const a = Buffer.alloc(8), parts = []; parts.push(a); const p = all(parts); a.fill(0); await p; }',
    'export async function f(){ const a = Buffer.alloc(8), parts = []; parts.push(Buffer.from(a)); const p = all(parts); a.fill(0); await p; }',
  ],
  [
    'a rest element',
    'export async function f(){ const [first, ...rest] = [Buffer.alloc(8), Buffer.alloc(8)]; const p = hash(first); first.fill(0); await p; return rest; }',
    'export async function f(){ const [first, ...rest] = [Buffer.alloc(8), Buffer.alloc(8)]; const p = hash(first); rest[0].fill(0); await p; return rest; }',
  ],
  [
    'a named callback',
    'const wipe = (b) => b.fill(0);\nexport async function f(buffers){ const all = buffers.map((b) => hash(b)); buffers.forEach(wipe); await Promise.all(all); }',
    'const wipe = (b) => b.fill(0);\nexport async function f(buffers){ await Promise.all(buffers.map((b) => hash(b))); buffers.forEach(wipe); }',
  ],
  [
    'entries of a list',
    'export async function f(buffers){ const all = []; for (const [at, b] of buffers.entries()) { all.push(hash(b)); b.fill(at); } await Promise.all(all); }',
    'export async function f(buffers){ const all = []; for (const [at, b] of buffers.entries()) { b.fill(at); all.push(hash(b)); } await Promise.all(all); }',
  ],
];

const timers: readonly Pair[] = [
  [
    'setTimeout',
    inFunction('const p = hash(buf); setTimeout(() => buf.fill(0), 10); await p;'),
    inFunction('await hash(buf); setTimeout(() => buf.fill(0), 10);'),
  ],
  [
    'setImmediate',
    inFunction('const p = hash(buf); setImmediate(() => { buf[0] = 1; }); await p;'),
    inFunction('const p = hash(buf); setImmediate(() => { x[0] = 1; }); await p;'),
  ],
  [
    'queueMicrotask',
    inFunction('const p = hash(buf); queueMicrotask(() => buf.fill(0)); await p;'),
    inFunction('const p = hash(buf); queueMicrotask(async () => { await p; buf.fill(0); }); await p;'),
  ],
  [
    'process.nextTick with a named function',
    inFunction('const wipe = () => { buf.fill(0); }; const p = hash(buf); process.nextTick(wipe); await p;'),
    inFunction('const wipe = () => { buf.fill(0); }; await hash(buf); process.nextTick(wipe);'),
  ],
  [
    'an interval from before the call',
    inFunction('const t = setInterval(() => { buf[0]++; }, 5); await hash(buf); clearInterval(t);'),
    inFunction('const t = setInterval(() => { buf[0]++; }, 5); clearInterval(t); await hash(buf);'),
  ],
  [
    'a timer that the chain starts',
    inFunction('const p = hash(buf); setTimeout(() => { buf.fill(0); }, 0); await p;'),
    inFunction('const p = hash(buf).then(() => { setTimeout(() => { buf.fill(0); }, 0); }); await p;'),
  ],
  [
    'a transfer in a timer',
    inFunction('const p = hash(buf); setTimeout(() => port.postMessage(buf, [buf.buffer])); await p;'),
    inFunction('await hash(buf); setTimeout(() => port.postMessage(buf, [buf.buffer]));'),
    'js',
    transferred,
  ],
  [
    'a timer inside a promise',
    inFunction('const p = hash(buf); await new Promise((r) => setTimeout(() => { buf.fill(0); r(); }, 5)); await p;'),
    inFunction('const p = hash(buf); await new Promise((r) => setTimeout(() => { r(); }, 5)); await p; buf.fill(0);'),
  ],
];

const exceptions: readonly Pair[] = [
  [
    'a call that may throw before the await',
    inFunction('const p = hash(buf); try { check(x); await p; } catch { buf.fill(0); }'),
    inFunction('check(x); const p = hash(buf); try { await p; } catch { buf.fill(0); }'),
  ],
  [
    'another promise rejects first',
    inFunction('try { const p = hash(buf); await other(); await p; } catch { buf.fill(0); }'),
    inFunction('try { const p = hash(buf); await p; await other(); } catch { buf.fill(0); }'),
  ],
  [
    'another promise rejects first, wiped in finally',
    inFunction('const p = hash(buf); try { await other(); await p; } finally { buf.fill(0); }'),
    inFunction('const p = hash(buf); try { await p; await other(); } finally { buf.fill(0); }'),
  ],
  [
    'a throw before the await, in a branch',
    inFunction('const p = hash(buf); try { if (x) throw new Error("no"); await p; } catch { buf.fill(0); }'),
    inFunction('const p = hash(buf); try { await p; if (x) throw new Error("no"); } catch { buf.fill(0); }'),
  ],
  [
    'caught, then written below',
    inFunction('try { const p = hash(buf); await other(); await p; } catch {} buf.fill(0);'),
    inFunction('const p = hash(buf); try { await other(); } catch {} await p; buf.fill(0);'),
  ],
  [
    'a break inside the block does not leave it',
    inFunction('const p = hash(buf); for (const y of x) { try { if (y) break; await p; } finally { buf.fill(0); } }'),
    inFunction('const p = hash(buf); try { for (const y of x) { if (y) break; } await p; } finally { buf.fill(0); }'),
  ],
  [
    'a return of a helper does not leave it',
    inFunction('const p = hash(buf); try { if (x) return; await p; } finally { buf.fill(0); }'),
    `function start(b, x){ if (x) return hash(b); return hash(b); }\n${inFunction('try { await start(buf, x); } finally { buf.fill(0); }')}`,
  ],
  [
    'an inner handler catches it',
    inFunction('const p = hash(buf); try { try { check(x); } finally { x = 1; } await p; } catch { buf.fill(0); }'),
    inFunction('const p = hash(buf); try { try { check(x); } catch { x = 1; } await p; } catch { buf.fill(0); }'),
  ],
  [
    'what only logs does not throw',
    inFunction('const p = hash(buf); try { check(x); await p; } finally { buf.fill(0); }'),
    inFunction('const p = hash(buf); try { console.log(x); await p; } finally { buf.fill(0); }'),
  ],
];

const spellings: readonly Pair[] = [
  [
    'a member in brackets',
    inFunction("const p = hash(buf); buf['fill'](0); await p;"),
    inFunction("const p = hash(buf); buf['at'](0); await p;"),
  ],
  [
    'a member in a template',
    inFunction('const p = hash(buf); buf[`fill`](0); await p;'),
    inFunction('await hash(buf); buf[`fill`](0);'),
  ],
  [
    'a prototype call',
    inFunction('const p = hash(buf); Uint8Array.prototype.fill.call(buf, 0); await p;'),
    inFunction('const p = hash(buf); Uint8Array.prototype.at.call(buf, 0); await p;'),
  ],
  [
    'apply',
    inFunction('const p = hash(buf); Buffer.prototype.write.apply(buf, ["x"]); await p;'),
    inFunction('await hash(buf); Buffer.prototype.write.apply(buf, ["x"]);'),
  ],
  [
    'Reflect.apply',
    inFunction('const p = hash(buf); Reflect.apply(Uint8Array.prototype.set, buf, [[1]]); await p;'),
    inFunction('const p = hash(buf); Reflect.apply(Uint8Array.prototype.set, x, [[1]]); await p;'),
  ],
  [
    'an optional call',
    inFunction('const p = hash(buf); buf.fill?.(0); await p;'),
    inFunction('await hash(buf); buf.fill?.(0);'),
  ],
  [
    'Reflect.set',
    inFunction('const p = hash(buf); Reflect.set(buf, 0, 1); await p;'),
    inFunction('const p = hash(buf); Reflect.get(buf, 0); await p;'),
  ],
  [
    'Object.assign',
    inFunction('const p = hash(buf); Object.assign(buf, [1, 2]); await p;'),
    inFunction('const p = hash(buf); Object.assign({}, buf); await p;'),
  ],
  [
    'hex and base64',
    inFunction('const p = hash(buf); buf.setFromHex("00"); await p;'),
    inFunction('await hash(buf); buf.setFromHex("00");'),
  ],
  [
    'a class static block',
    'export class A { static { const buf = Buffer.alloc(8); this.p = hash(buf); buf.fill(0); } }',
    'export class A { static { const buf = Buffer.alloc(8); this.p = hash(buf.subarray(0, 4)); buf.subarray(4).fill(0); } }',
  ],
  [
    'a static field',
    'const buf = Buffer.alloc(8); export class A { static p = hash(buf); static q = buf.fill(0); }',
    'const buf = Buffer.alloc(8); export class A { static q = buf.fill(0); static p = hash(buf); }',
  ],
  [
    'a field, then the constructor',
    'export class A { b = Buffer.alloc(8); p = hash(this.b); constructor(){ this.b.fill(0); } }',
    'export class A { b = Buffer.alloc(8); p = hash(this.b.slice ? Buffer.from(this.b) : this.b.slice()); constructor(){ } }',
  ],
  [
    'a class expression',
    'export const A = class { static { const buf = Buffer.alloc(8); this.p = hash(buf); buf.fill(0); } };',
    'export const A = class { static { const buf = Buffer.alloc(8); buf.fill(0); this.p = hash(buf); } };',
  ],
  [
    'ArrayBuffer.prototype.transfer.call',
    inFunction('const p = hash(buf); ArrayBuffer.prototype.transfer.call(buf.buffer); await p;'),
    inFunction('await hash(buf); ArrayBuffer.prototype.transfer.call(buf.buffer);'),
    'js',
    transferred,
  ],
  [
    'a list that was pushed to',
    inFunction('const list = []; list.push(buf.buffer); const p = hash(buf); port.postMessage(1, list); await p;'),
    inFunction('const list = []; list.push(x.buffer); const p = hash(buf); port.postMessage(1, list); await p;'),
    'js',
    transferred,
  ],
  [
    'the options of a constant',
    inFunction(
      'const options = { transfer: [buf.buffer] }; const p = hash(buf); structuredClone(buf, options); await p;',
    ),
    inFunction(
      'const options = { transfer: [x.buffer] }; const p = hash(buf); structuredClone(buf, options); await p;',
    ),
    'js',
    transferred,
  ],
  [
    'a list that is mapped',
    'export async function f(buffers, port){ const all = buffers.map((b) => hash(b)); port.postMessage(buffers, buffers.map((b) => b.buffer)); await Promise.all(all); }',
    'export async function f(buffers, port){ const all = buffers.map((b) => hash(b)); await Promise.all(all); port.postMessage(buffers, buffers.map((b) => b.buffer)); }',
    'js',
    transferred,
  ],
  [
    'a spread transfer list',
    inFunction('const stores = [buf.buffer]; const p = hash(buf); port.postMessage(buf, [...stores]); await p;'),
    inFunction('const stores = [buf.buffer]; await hash(buf); port.postMessage(buf, [...stores]);'),
    'js',
    transferred,
  ],
  [
    'Reflect.apply of postMessage is as good',
    inFunction('const p = hash(buf); port.postMessage.call(port, buf, [buf.buffer]); await p;'),
    inFunction('await hash(buf); port.postMessage.call(port, buf, [buf.buffer]);'),
    'js',
    transferred,
  ],
];

const flows: readonly Pair[] = [
  [
    'allocUnsafe outside the loop',
    'export async function f(fd){ const b = Buffer.allocUnsafe(64), all = []; for (let n; (n = fs.readSync(fd, b)) > 0; ) all.push(hash(b.subarray(0, n))); await Promise.all(all); }',
    'export async function f(fd){ const all = []; for (let b, n; (b = Buffer.allocUnsafe(64)), (n = fs.readSync(fd, b)) > 0; ) all.push(hash(b.subarray(0, n))); await Promise.all(all); }',
  ],
  [
    'an async generator',
    'export async function* f(fd){ const b = Buffer.alloc(8); while (fs.readSync(fd, b) > 0) { const p = hash(b); yield 1; await p; const q = hash(b); b.fill(0); yield q; } }',
    'export async function* f(fd){ const b = Buffer.alloc(8); while (fs.readSync(fd, b) > 0) { const p = hash(b); yield 1; await p; } }',
  ],
  [
    'for await over pending promises',
    'export async function f(){ const b = Buffer.alloc(8), jobs = [hash(b), hash(b)]; for await (const r of jobs) { b.fill(0); } }',
    'export async function f(){ const b = Buffer.alloc(8), jobs = [hash(b), hash(b)]; for await (const r of jobs) console.log(r); b.fill(0); }',
  ],
  [
    'allSettled is enough',
    inFunction('const jobs = Promise.allSettled([hash(buf)]); buf.fill(0); await jobs;'),
    inFunction('const jobs = Promise.allSettled([hash(buf)]); await jobs; buf.fill(0);'),
  ],
  [
    'any is not',
    inFunction('await Promise.any([hash(buf), hash(buf)]); buf.fill(0);'),
    inFunction('await Promise.allSettled([hash(buf), hash(buf)]); buf.fill(0);'),
  ],
  [
    'finally of a chain',
    inFunction('const p = hash(buf); void p.finally(() => {}); buf.fill(0);'),
    inFunction('void hash(buf).finally(() => buf.fill(0));'),
  ],
  [
    'catch of Promise.all',
    inFunction('return Promise.all([hash(buf), other()]).catch(() => buf.fill(0));'),
    inFunction('return Promise.allSettled([hash(buf), other()]).then(() => buf.fill(0));'),
  ],
  [
    'a chain whose second link starts it',
    inFunction('const p = hash(buf).then(() => hash(buf)); buf.fill(0); await p;'),
    inFunction('const p = hash(buf).then(() => hash(buf)); await p; buf.fill(0);'),
  ],
  [
    'then with a named function',
    `function next(b){ return hash(b); }\n${inFunction('const p = other().then(() => next(buf)); await other(); buf.fill(0); await p;')}`,
    `function next(b){ return hash(b); }\n${inFunction('const p = other().then(() => next(buf)); await p; buf.fill(0);')}`,
  ],
  [
    'a module that gives the native function on',
    "export { hash } from 'hasher';\nexport async function f(){ const b = Buffer.alloc(8); const p = hash(b); b.fill(0); await p; }",
    "export { hash } from 'hasher';\nexport async function f(){ const b = Buffer.alloc(8); await hash(b); b.fill(0); }",
  ],
  [
    'a default parameter',
    'export async function f(b = Buffer.alloc(8), p = hash(b)){ b.fill(0); await p; }',
    'export async function f(b = Buffer.alloc(8), p = hash(b)){ await p; b.fill(0); }',
  ],
  [
    'a swap',
    'export async function f(){ let a = Buffer.alloc(8), b = Buffer.alloc(8); const p = hash(a); [a, b] = [b, a]; b.fill(0); await p; }',
    'export async function f(){ let a = Buffer.alloc(8), b = Buffer.alloc(8); const p = hash(a); [a, b] = [b, a]; a.fill(0); await p; }',
  ],
  [
    'a conditional await',
    inFunction('const p = hash(buf); if (x) await p; buf.fill(0); await p;'),
    inFunction('const p = hash(buf); if (x) await p; else await p; buf.fill(0);'),
  ],
  [
    'a switch',
    inFunction('const p = hash(buf); switch (x) { case 1: await p; break; default: buf.fill(0); } await p;'),
    inFunction('const p = hash(buf); switch (x) { case 1: await p; break; default: await p; } buf.fill(0);'),
  ],
  [
    'logical assignment',
    inFunction('let p; p ??= hash(buf); buf.fill(0); await p;'),
    inFunction('let p; p ??= hash(buf); await p; buf.fill(0);'),
  ],
  [
    'a sequence',
    inFunction('const p = (hash(buf), buf.fill(0)); await p;'),
    inFunction('const p = (buf.fill(0), hash(buf)); await p;'),
  ],
  [
    'an immediately called function',
    inFunction('const p = hash(buf); (() => { buf.fill(0); })(); await p;'),
    inFunction('const p = hash(buf); (() => { x.fill(0); })(); await p;'),
  ],
  [
    'arguments of an immediately called function',
    inFunction('const p = hash(buf); ((b) => { b.fill(0); })(buf); await p;'),
    inFunction('const p = hash(buf); ((b) => { b.fill(0); })(x); await p;'),
  ],
  [
    'a getter of the store',
    inFunction('const p = hash(buf); const { buffer } = buf; new Uint8Array(buffer).fill(0); await p;'),
    inFunction('const p = hash(buf); const { length } = buf; new Uint8Array(length).fill(0); await p;'),
  ],
  [
    'using a bound function',
    inFunction('const start = hash.bind(null); const p = start(buf); buf.fill(0); await p;'),
    inFunction('const start = hash.bind(null); await start(buf); buf.fill(0);'),
  ],
  [
    'call of the native function',
    inFunction('const p = hash.call(null, buf); buf.fill(0); await p;'),
    inFunction('await hash.call(null, buf); buf.fill(0);'),
  ],
  [
    'pipe of a reader',
    inFunction('const p = hash(buf); await (await fsp.open("a")).read(buf, 0, 8); await p;'),
    inFunction('await hash(buf); await (await fsp.open("a")).read(buf, 0, 8);'),
  ],
  [
    'DataView over a parameter',
    'export async function f(u8: Uint8Array){ const view = new DataView(u8.buffer, u8.byteOffset); const p = hash(u8); view.setUint32(0, 1, true); await p; }',
    'export async function f(u8: Uint8Array){ const view = new DataView(u8.buffer, u8.byteOffset); await hash(u8); view.setUint32(0, 1, true); }',
    'ts',
  ],
  [
    'satisfies and non-null',
    'export async function f(u8?: Uint8Array){ const p = hash(u8! satisfies Uint8Array); (u8!)[0] = 1; await p; }',
    'export async function f(u8?: Uint8Array){ await hash(u8! satisfies Uint8Array); (u8!)[0] = 1; }',
    'ts',
  ],
];

describe.each([
  ['collections', collections],
  ['timers', timers],
  ['exceptions', exceptions],
  ['spellings', spellings],
  ['flows', flows],
] as const)('%s', (_group, pairs) => {
  it.each(pairs.map((pair) => [pair[0], pair] as const))(
    '%s',
    (_name, [name, bad, good, language = 'js', rule = 'buffer-mutated-in-flight']) => {
      expect(linesOf([name, bad, language, rule]), 'the bug').toHaveLength(1);
      expect(linesOf([name, good, language, rule]), 'its repair').toEqual([]);
    },
  );
});
