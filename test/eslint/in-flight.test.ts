import { describe, expect, it } from 'vitest';
import { lint } from './support.js';

/** Lines with a finding of the rule; the text begins on line 1 and loads the addon as `native`. */
function linesOf(rule: string, code: string, files: Readonly<Record<string, string>> = {}): readonly number[] {
  const text = `const native = require('./hash.node');${code}`;
  return lint(rule, text, { filename: '/p/file.js', files }).messages.map(({ line }) => line);
}

const mutated = (code: string, files?: Readonly<Record<string, string>>) =>
  linesOf('buffer-mutated-in-flight', code, files);
const transferred = (code: string) => linesOf('buffer-transferred-in-flight', code);
const exited = (code: string) =>
  linesOf('terminate-during-native-work', `const { parentPort } = require('worker_threads');${code}`);

describe('what shares the bytes of a buffer', () => {
  it.each([
    ['another name', 'const other = buf; other.fill(0);'],
    ['a name that was assigned', 'let other; other = buf; other.fill(0);'],
    ['subarray', 'buf.subarray(2).fill(0);'],
    ['a kept subarray', 'const part = buf.subarray(2, 4); part[0] = 1;'],
    ['the slice of a Buffer', 'buf.slice(2).fill(0);'],
    ['a typed array of its store', 'new Uint32Array(buf.buffer)[0] = 1;'],
    ['a kept store', 'const store = buf.buffer; new Uint8Array(store).fill(1);'],
    ['a DataView', 'new DataView(buf.buffer).setUint8(0, 1);'],
    ['a Buffer of its store', 'Buffer.from(buf.buffer, 0, 4).write("abcd");'],
    ['a field', 'const holder = { }; holder.bytes = buf; holder.bytes.fill(0);'],
    ['one of two', 'const either = Math.random() > 0.5 ? buf : Buffer.alloc(2); either.fill(0);'],
    ['a cast', '(buf).fill(0);'],
  ])('%s', (_name, write) => {
    expect(
      mutated(
        `\nasync function f() { const buf = Buffer.alloc(8); const p = native.hashAsync(buf);\n${write}\nawait p; }`,
      ),
    ).toEqual([3]);
  });

  it.each([
    ['Buffer.from of a buffer', 'Buffer.from(buf).fill(0);'],
    ['a typed array of a view', 'new Uint8Array(buf).fill(0);'],
    ['the slice of a typed array', 'const copy = new Uint8Array(4).slice(); copy.fill(0);'],
    ['another buffer', 'const other = Buffer.alloc(8); other.fill(0);'],
    ['the name after a new value', 'buf = Buffer.alloc(8); buf.fill(0);'],
    ['reading', 'buf.readUInt8(0); buf[0]; buf.toString();'],
    ['being the source of a copy', 'const other = Buffer.alloc(8); buf.copy(other);'],
  ])('not: %s', (_name, write) => {
    expect(
      mutated(
        `\nasync function f() { let buf = Buffer.alloc(8); const p = native.hashAsync(buf);\n${write}\nawait p; }`,
      ),
    ).toEqual([]);
  });
});

describe('what writes', () => {
  it.each([
    ['an index', 'buf[i] = 1;'],
    ['an index with an operator', 'buf[0] ^= 255;'],
    ['an increment', 'buf[0]++;'],
    ['fill', 'buf.fill(0);'],
    ['set', 'buf.set([1, 2]);'],
    ['write', 'buf.write("x");'],
    ['writeUInt32LE', 'buf.writeUInt32LE(1);'],
    ['swap16', 'buf.swap16();'],
    ['reverse', 'buf.reverse();'],
    ['copyWithin', 'buf.copyWithin(0, 1);'],
    ['the target of copy', 'Buffer.alloc(2).copy(buf);'],
    ['randomFillSync', 'crypto.randomFillSync(buf);'],
    ['getRandomValues', 'crypto.getRandomValues(buf);'],
    ['readSync', 'fs.readSync(fd, buf);'],
    ['encodeInto', 'new TextEncoder().encodeInto("x", buf);'],
    ['Atomics', 'Atomics.store(buf, 0, 1);'],
  ])('%s', (_name, write) => {
    expect(
      mutated(
        `\nasync function f(fd, i) { const buf = Buffer.alloc(8); const p = native.hashAsync(buf);\n${write}\nawait p; }`,
      ),
    ).toEqual([3]);
  });

  it('is asked of buffers only', () => {
    const code =
      '\nasync function f(list, map) { const p = native.sumAsync(list, map);\nlist.fill(0); map.set(1, 2); list[0] = 1;\nawait p; }';
    expect(mutated(code)).toEqual([]);
  });

  it('knows a parameter for a buffer by what the function does with it', () => {
    expect(
      mutated('\nasync function f(bytes) { const p = native.sumAsync(bytes.subarray(1));\nbytes[0] = 1;\nawait p; }'),
    ).toEqual([3]);
  });
});

describe('which promises are pending', () => {
  const body = (code: string) => `\nasync function f(a, b) { const buf = Buffer.alloc(8);\n${code}\n}`;
  it.each([
    ['kept and awaited later', 'const p = native.x(buf); buf.fill(0); await p;'],
    ['voided', 'void native.x(buf); buf.fill(0);'],
    ['with a handler', 'native.x(buf).catch(console.error); buf.fill(0);'],
    ['returned by then', 'native.x(buf).then((r) => r); buf.fill(0);'],
    ['collected', 'const all = []; all.push(native.x(buf)); buf.fill(0); await Promise.all(all);'],
    ['in a race', 'await Promise.race([native.x(buf), a]); buf.fill(0);'],
    ['in any', 'await Promise.any([native.x(buf), a]); buf.fill(0);'],
    ['beside another await', 'const p = native.x(buf); await a; buf.fill(0); await p;'],
    ['awaited on one branch only', 'const p = native.x(buf); if (a) await p; buf.fill(0); await p;'],
    ['started on one branch', 'let p; if (a) p = native.x(buf); buf.fill(0); await p;'],
    [
      'in a new Promise',
      'const p = new Promise((done) => { native.x(buf, (err, r) => done(r)); }); buf.fill(0); await p;',
    ],
    ['mapped', 'const p = Promise.all([1, 2].map((n) => native.x(buf, n))); buf.fill(0); await p;'],
    [
      'mapped by an async function',
      'const p = Promise.all([1].map(async (n) => { await native.x(buf, n); })); buf.fill(0); await p;',
    ],
    [
      'in an async function called at once',
      'const p = (async () => { await native.x(buf); })(); buf.fill(0); await p;',
    ],
    ['after Promise.all of others', 'const p = native.x(buf); await Promise.all([a, b]); buf.fill(0); await p;'],
    ['in a switch', 'const p = native.x(buf); switch (a) { case 1: await p; break; default: buf.fill(0); } await p;'],
    ['by the name of the function', 'native.hashAsync(buf); buf.fill(0);'],
    [
      'a promisified function',
      "const run = require('util').promisify(native.x); const p = run(buf); buf.fill(0); await p;",
    ],
  ])('%s', (_name, code) => {
    expect(mutated(body(code))).toEqual([3]);
  });

  it.each([
    ['awaited', 'await native.x(buf); buf.fill(0);'],
    ['awaited by its name', 'const p = native.x(buf); await p; buf.fill(0);'],
    ['awaited together', 'await Promise.all([native.x(buf), a]); buf.fill(0);'],
    ['settled together', 'const p = native.x(buf); await Promise.allSettled([p, a]); buf.fill(0);'],
    ['collected and awaited', 'const all = []; all.push(native.x(buf)); await Promise.all(all); buf.fill(0);'],
    ['in then', 'await native.x(buf).then(() => buf.fill(0));'],
    ['in catch', 'await native.x(buf).catch(() => { buf.fill(0); });'],
    ['in finally of the promise', 'native.x(buf).finally(() => buf.fill(0));'],
    ['awaited on both branches', 'const p = native.x(buf); if (a) await p; else { await p; } buf.fill(0);'],
    ['awaited by for await', 'const all = [native.x(buf)]; for await (const one of all) buf.fill(one);'],
    ['returned before', 'if (a) return native.x(buf).then(String); buf.fill(0);'],
    ['handed to a waiter', 'const p = native.x(buf); await waitFor(p); buf.fill(0);'],
    ['kept in a field that a method waits for', 'this.running = native.x(buf); await this.idle(); buf.fill(0);'],
    ['synchronous by its name', 'const r = native.hashSync(buf); buf.fill(0); return r;'],
    ['synchronous as far as the code shows', 'const r = native.hash(buf); buf.fill(0); return r;'],
    ['not native', 'const p = fetch(buf); buf.fill(0); await p;'],
    ['in the callback', 'native.x(buf, (err, r) => { buf.fill(0); });'],
    ['mapped and awaited', 'await Promise.all([1, 2].map((n) => native.x(buf, n))); buf.fill(0);'],
    ['swapped buffers', 'let other = Buffer.alloc(8); let p = native.x(buf); [other, p] = [buf, null]; await p;'],
  ])('not: %s', (_name, code) => {
    expect(mutated(body(code))).toEqual([]);
  });
});

describe('loops, try and finally', () => {
  it('sees the next round', () => {
    const code =
      '\nasync function f(list) { const buf = Buffer.alloc(8); const all = [];\nfor (const n of list) {\nbuf.writeUInt8(n, 0);\nall.push(native.x(buf)); }\nawait Promise.all(all); }';
    expect(mutated(code)).toEqual([4]);
    const { reports } = lint('buffer-mutated-in-flight', `const native = require('./a.node');${code}`, {
      filename: '/p/a.js',
    });
    expect(reports.map(({ messageId }) => messageId)).toEqual(['rewrittenInLoop']);
  });

  it.each([
    ['while', 'while (next()) {\nbuf.fill(1); all.push(native.x(buf)); }'],
    ['do', 'do {\nbuf.fill(1); all.push(native.x(buf)); } while (next());'],
    ['for', 'for (let i = 0; i < 3; i++) {\nbuf.fill(1); all.push(native.x(buf)); }'],
    ['for await', 'for await (const c of stream) {\nbuf.set(c); all.push(native.x(buf)); }'],
    ['forEach', '[1].forEach((c) => {\nbuf.fill(c); all.push(native.x(buf)); });'],
    ['continue', 'for (const c of list) {\nbuf.fill(1); if (c) { all.push(native.x(buf)); continue; } }'],
  ])('%s', (_name, loop) => {
    expect(
      mutated(
        `\nasync function f(next, stream, list) { const buf = Buffer.alloc(8); const all = []; ${loop} await Promise.all(all); }`,
      ),
    ).toEqual([3]);
  });

  it.each([
    [
      'a fresh buffer in each round',
      'for (const n of list) { const buf = Buffer.alloc(8); buf.fill(n); all.push(native.x(buf)); }',
    ],
    ['the loop variable', 'for (const buf of list) { buf.writeUInt8(0, 0); all.push(native.x(buf)); }'],
    ['chunks of a stream', 'for await (const chunk of list) { chunk.swap16(); all.push(native.x(chunk)); }'],
    [
      'awaited in the round',
      'const buf = Buffer.alloc(8); for (const n of list) { buf.fill(n); await native.x(buf); }',
    ],
    [
      'drained in the round',
      'const buf = Buffer.alloc(8); for (const n of list) { buf.fill(n); all.push(native.x(buf)); await Promise.all(all); }',
    ],
    [
      'left after the call',
      'const buf = Buffer.alloc(8); for (const n of list) { buf.fill(n); all.push(native.x(buf)); break; }',
    ],
  ])('not: %s', (_name, code) => {
    expect(mutated(`\nasync function f(list) { const all = []; ${code} await Promise.all(all); }`)).toEqual([]);
  });

  it.each([
    ['finally after a return without await', 'try { return native.xAsync(buf); } finally {\nbuf.fill(0); }', [3]],
    ['finally after an await', 'try { return await native.xAsync(buf); } finally {\nbuf.fill(0); }', []],
    [
      'finally after Promise.all',
      'try { await Promise.all([native.xAsync(buf), native.xAsync(other)]); } finally {\nbuf.fill(0); }',
      [3],
    ],
    [
      'finally after Promise.allSettled',
      'try { await Promise.allSettled([native.xAsync(buf), native.xAsync(other)]); } finally {\nbuf.fill(0); }',
      [],
    ],
    [
      'catch after Promise.all',
      'try { await Promise.all([native.xAsync(buf), native.xAsync(other)]); } catch {\nbuf.fill(0); }',
      [3],
    ],
    ['below a try that awaits', 'try { await native.xAsync(buf); } catch { return; }\nbuf.fill(0);', []],
    ['below a try that keeps', 'let p; try { p = native.xAsync(buf); } catch { return; }\nbuf.fill(0); await p;', [3]],
  ])('%s', (_name, code, lines) => {
    expect(mutated(`\nasync function f(other) { const buf = Buffer.alloc(8); ${code} }`)).toEqual(lines);
  });
});

describe('what takes the bytes away', () => {
  const body = (code: string) =>
    `\nasync function f(port, n) { const store = new ArrayBuffer(8); const buf = new Uint8Array(store); const p = native.xAsync(buf);\n${code}\nawait p; }`;
  it.each([
    ['a transfer list', 'port.postMessage(buf, [buf.buffer]);'],
    ['a transfer list of the store', 'port.postMessage(buf, [store]);'],
    ['the option transfer', 'port.postMessage(buf, { transfer: [store] });'],
    ['structuredClone', 'structuredClone(buf, { transfer: [buf.buffer] });'],
    ['transfer()', 'store.transfer();'],
    ['transferToFixedLength()', 'buf.buffer.transferToFixedLength();'],
    ['resize()', 'store.resize(4);'],
    ['a pool that takes a transferList', 'pool.run({ buf }, { transferList: [buf.buffer] });'],
    ['Piscina.move', 'pool.run(Piscina.move(buf));'],
  ])('%s', (_name, code) => {
    expect(transferred(body(code))).toEqual([3]);
  });

  it.each([
    ['a message without a list', 'port.postMessage(buf);'],
    ['another store', 'port.postMessage(n, [new ArrayBuffer(2)]);'],
    ['a clone', 'structuredClone(buf);'],
    ['after the await', 'await p; port.postMessage(buf, [buf.buffer]);'],
  ])('not: %s', (_name, code) => {
    expect(transferred(body(code))).toEqual([]);
  });

  it('is an error of the code, not of its style', () => {
    const { reports } = lint(
      'buffer-transferred-in-flight',
      `const native = require('./a.node');${body('store.transfer();')}`,
      { filename: '/p/a.js' },
    );
    expect(reports[0]).toMatchObject({
      messageId: 'transferred',
      confidence: 'high',
      data: { callee: 'native.xAsync', line: 2 },
    });
  });
});

describe('leaving a worker', () => {
  it.each([
    [
      'while a promise is pending',
      'async function f() { const p = native.xAsync(1);\nprocess.exit(0); await p; }',
      [2],
    ],
    [
      'while a callback is open',
      "async function f() { await native.subscribe('dir', (event) => send(event));\nprocess.exit(0); }",
      [2],
    ],
    [
      'after the callback was closed',
      "async function f() { const s = await native.subscribe('dir', (event) => send(event)); await s.unsubscribe();\nprocess.exit(0); }",
      [],
    ],
    ['when all is awaited', 'async function f() { await native.xAsync(1);\nprocess.exit(0); }', []],
  ])('%s', (_name, code, lines) => {
    expect(exited(`parentPort.ref();${code}`)).toEqual(lines);
  });

  it('is about workers', () => {
    expect(
      linesOf(
        'terminate-during-native-work',
        '\nasync function f() { native.xAsync(1); process.exit(0); } // worker_threads',
      ),
    ).toEqual([]);
  });
});

describe('what declarations know', () => {
  const files = {
    '/p/hash.d.ts':
      'export declare function sum(input: Buffer): Promise<number>\nexport declare function crc(input: Buffer): number\n',
  };
  it('a promise, even when nobody uses it', () => {
    expect(mutated('\nfunction f() { const buf = Buffer.alloc(8); native.sum(buf);\nbuf.fill(0); }', files)).toEqual([
      3,
    ]);
  });
  it('a value, even when it is awaited', () => {
    expect(
      mutated(
        '\nasync function f() { const buf = Buffer.alloc(8); const p = native.crc(buf);\nbuf.fill(0); await p; }',
        files,
      ),
    ).toEqual([]);
  });
});
