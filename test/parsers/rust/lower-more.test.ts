import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FileIr, FunctionIr } from '../../../src/model/ir.js';
import { bareOutline } from '../../../src/parsers/rust/bare-view.js';
import { outline } from '../../../src/parsers/rust/outline.js';
import { rustPack } from '../../../src/parsers/rust/pack.js';

const fixtures = fileURLToPath(new URL('../../../fixtures/', import.meta.url));
const programs = readdirSync(fixtures, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.rs'))
  .map((name) => ({ name, text: readFileSync(join(fixtures, name), 'utf8') }));

const lower = (text: string, wanted?: RegExp): FileIr => rustPack.lower({ path: 'x.rs', text }, wanted);
const lowerMore = (text: string, read: FileIr, wanted: (fn: FunctionIr) => boolean): FileIr =>
  rustPack.lowerMore({ path: 'x.rs', text }, read, wanted);

/** A function with the places of others instead of their ids. */
function placed(file: FileIr, fn: FunctionIr): string {
  const places = new Map(file.functions.map(({ id, span }) => [id, span.start]));
  return JSON.stringify(fn, (key, value: unknown) => {
    if (key === 'id') return undefined;
    return (key === 'functionId' || key === 'parent') && typeof value === 'number' ? places.get(value) : value;
  });
}

beforeAll(() => rustPack.load());

describe('bodies of Rust that are read later', () => {
  it('are the same in all fixtures, each by itself', () => {
    let count = 0;
    for (const { name, text } of programs) {
      const whole = lower(text);
      const read = lower(text, /a^/);
      const skipped = read.functions.filter((fn) => fn.skipped === true);
      // A few of each, since whole files are read for comparison.
      for (const head of skipped.filter((_, i) => i % Math.ceil(skipped.length / 3) === 0)) {
        const more = lowerMore(text, read, (fn) => fn === head);
        const find = (file: FileIr): string[] =>
          file.functions
            .filter(({ span }) => head.span.start <= span.start && span.end <= head.span.end)
            .map((fn) => placed(file, fn));
        expect(find(more), `${name}: ${head.qualifiedName}`).toEqual(find(whole));
        expect(new Set(more.functions.map(({ id }) => id)).size).toBe(more.functions.length);
        count++;
      }
    }
    expect(count).toBeGreaterThan(1000);
  }, 120_000);

  it('are not read for what a comment says', () => {
    const text = 'fn a() { one(); /* two */ } fn b() { /* one */ s("// two"); } // two\nfn c() { one(); // one\n}';
    const readFor = (wanted: RegExp): string[] =>
      lower(text, wanted)
        .functions.filter((fn) => fn.skipped !== true)
        .map((fn) => fn.name);
    expect(readFor(/one/)).toEqual(['a', 'c']);
    expect(readFor(/two/)).toEqual(['b']);
    const commented = { path: 'x.rs', text: 'fn a() { /* one */ }' };
    expect(rustPack.lowerIfSought(commented, undefined, /one/)).toBeUndefined();
  });

  it('leave what was read before as the objects that they were', () => {
    const text = 'struct S; impl S { fn a(&self) { one(); } fn b(&self) { two(|| 3); } } fn c() { four(); }';
    const read = lower(text, /one/);
    const more = lowerMore(text, read, ({ name }) => name === 'b');
    expect(more.functions.map(({ name, skipped }) => [name, skipped === true])).toEqual([
      ['a', false],
      ['b', false],
      ['{closure}', false],
      ['c', true],
    ]);
    expect(more.functions[0]).toBe(read.functions[0]);
    expect(more.functions[3]).toBe(read.functions[2]);
    expect(more.functions[1]).toMatchObject({ owner: 'S', ownerKind: 'struct' });
  });

  it.each([
    ['conditions of the whole file', '#![cfg(windows)]\nfn a() { one(); }\nfn b() { two(); }'],
    ['a macro that holds them', 'cfg_if! { if #[cfg(windows)] { fn a() { one(); } fn b() { two(); } } }'],
    ['generics with blocks', 'struct N<const K: usize>; impl N<{ 1 + 1 }> { fn a() { one(); } fn b() { two(); } }'],
    ['an error beside them', 'fn a() { one(); }\nfn b( { two(); }\nfn c() { three(); }'],
  ])('are read with %s', (_, text) => {
    const read = lower(text, /a^/);
    const more = lowerMore(text, read, ({ name }) => name === 'a');
    const find = (file: FileIr): string[] =>
      file.functions.filter(({ name }) => name === 'a').map((fn) => placed(file, fn));
    expect(find(more)).toEqual(find(lower(text)));
  });
});

describe('the bare view of single functions of Rust', () => {
  it.each([
    ['use a; fn f() { a(); } fn g() { b(); } struct S { c: u8 }', 'fn g() { b(); }'],
    [
      'struct S { a: [u8; 4] } impl<T> S { fn f() {} #[inline] pub fn g() { b(); } }',
      'impl<T> S { #[inline] pub fn g() { b(); }}',
    ],
    ['const A: &[B] = &[B { c: 1 }]; mod m { use d; fn g() { b(); } } fn f() {}', 'mod m { fn g() { b(); }}'],
    [
      `static A: &str = "fn { ;"; const B: char = '{'; const C: &str = r#"}";"#; const D: &[u8] = &[b'"', b'\\'']; fn g() { b(); }`,
      'fn g() { b(); }',
    ],
    [
      'impl A { fn f() {} } impl B { fn f(x: [u8; 2]) -> [u8; 3] { x } fn g() { if b { c(); } } }',
      'impl B { fn g() { if b { c(); } }}',
    ],
    [
      'fn g() { fn inner() { a; } b(); } trait T { fn f(&self); fn h(&self) { 1 } }',
      'fn g() { fn inner() { a; } b(); }',
    ],
    [
      'fn f() -> impl Fn() { || { 1 } } #[cfg(any(unix, windows))] unsafe fn g() { b(); }',
      '#[cfg(any(unix, windows))] unsafe fn g() { b(); }',
    ],
  ])('%s', (text, left) => {
    const body = text.indexOf('{', text.indexOf('fn g('));
    const outlined = outline(text, (start, end) => / g\(/.test(text.slice(start, end)) || start > body);
    const bare = bareOutline(outlined, new Set([body]));
    expect(bare?.view.replaceAll(/\s+/gu, ' ').trim()).toBe(left);
    const at = bare?.view.indexOf('fn g(') ?? -1;
    expect(bare?.offsets?.start(at)).toBe(text.indexOf('fn g('));
  });

  it('is none for a body that is not found, or where brackets do not match', () => {
    expect(bareOutline(outline('fn g() { b(); }', undefined), new Set([3]))).toBeUndefined();
    expect(
      bareOutline({ view: 'fn g() { b(); } )', comments: [], skippedBodies: new Set() }, new Set([7])),
    ).toBeUndefined();
  });
});
