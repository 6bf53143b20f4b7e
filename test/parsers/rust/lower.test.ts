import { beforeAll, describe, expect, it } from 'vitest';
import type { FileIr } from '../../../src/model/ir.js';
import { rustPack } from '../../../src/parsers/rust/pack.js';
import { checkTree } from './check-tree.js';

function lower(text: string, wanted?: RegExp): FileIr {
  return rustPack.lower({ path: 'sample.rs', text }, wanted);
}

beforeAll(() => rustPack.load());

describe('lowering of odd Rust files', () => {
  const depth = 10_000;
  const nested: readonly (readonly [string, string])[] = [
    ['parentheses', `fn deep() { ${'('.repeat(depth)}1${')'.repeat(depth)} }`],
    ['arrays', `fn deep() { ${'['.repeat(depth)}1${']'.repeat(depth)} }`],
    ['blocks', `fn deep() { ${'{'.repeat(depth)}1${'}'.repeat(depth)} }`],
    ['macros', `fn deep() { ${'vec!['.repeat(depth)}1${']'.repeat(depth)} }`],
    ['methods', `fn deep() { a${'.b()'.repeat(depth)} }`],
    ['operators', `fn deep() { 1${' + 1'.repeat(depth)} }`],
    ['closures', `fn deep() { ${'|| '.repeat(depth)}a }`],
    ['types', `fn deep(x: ${'Vec<'.repeat(depth)}u8${'>'.repeat(depth)}) {}`],
    ['modules', `${'mod a {'.repeat(depth)}${'}'.repeat(depth)}`],
  ];
  it.each(nested)('gives up on 10,000 nested %s, with a gap, and goes on behind them', (_, text) => {
    const file = lower(`${text}\nfn after(list: &mut Vec<u8>) { list.push(1); }`);
    expect(file.gaps.map((gap) => [gap.kind, gap.line])).toEqual([['limit', 1]]);
    expect(file.functions.find((fn) => fn.name === 'after')?.body?.statements).toHaveLength(1);
    expect(file.functions.find((fn) => fn.name === 'deep')?.body).toBeUndefined();
  });

  it('says where brackets that never close begin', () => {
    const file = lower(`fn before() {}\n\n${'['.repeat(10_000)}\nfn after() {}`);
    expect(file.gaps).toHaveLength(1);
    expect(file.gaps[0]).toMatchObject({ kind: 'parse-error', path: 'sample.rs' });
    expect(file.gaps[0]?.message).toMatch(/^The syntax at line \d+ could not be read, .*\.$/);
  });

  it('reads nothing out of binary noise', () => {
    const file = lower('\u0000\u0001\ufffd{{{ \ufffd"');
    expect(file.functions).toEqual([]);
    expect(file.gaps.map((gap) => gap.kind)).toEqual(['parse-error']);
  });

  it.each([
    ['an empty file', ''],
    ['a byte order mark', '\ufefffn f(list: &mut Vec<u8>) { list.push(1); }'],
    [
      'carriage returns',
      '// one\r\nfn f(list: &mut Vec<u8>) {\r\n  // SAFETY: no\r\n  unsafe { list.push(1) }\r\n}\r\n',
    ],
    [
      'characters outside the basic plane',
      `fn f(list: &mut Vec<char>) { ${"list.push('\u{10050}'); /* \u{1f600} */ ".repeat(40)} println!("\u{1f600} {list:?}"); }`,
    ],
  ])('keeps offsets in %s', (_, text) => {
    const file = lower(text);
    expect(file.gaps).toEqual([]);
    expect(checkTree(file, text)).toEqual([]);
  });

  it('leaves out the bodies that nobody asked for, and only those', () => {
    const text = [
      'fn a() { plain(); }',
      'fn b(v: Vec<u8>) { v.as_ptr(); fn c() { other(); } let d = || e(); }',
      'static S: fn() = || { x(); };',
    ].join('\n');
    const file = lower(text, /as_ptr/);
    expect(file.functions.map((fn) => [fn.qualifiedName, fn.skipped === true, fn.body !== undefined])).toEqual([
      ['a', true, false],
      ['b', false, true],
      ['b.c', true, false],
      ['b.{closure}', false, true],
      ['S.{closure}', false, true],
    ]);
    expect(file.functions[0]?.bodySpan).toEqual({ start: text.indexOf('{ plain'), end: text.indexOf('\n') });
  });

  it('does not mind a stateful pattern', () => {
    const text = 'fn a() { as_ptr(); }\nfn b() { as_ptr(); }\nfn c() { as_ptr(); }';
    expect(lower(text, /as_ptr/g).functions.every((fn) => fn.body !== undefined)).toBe(true);
  });

  it('says nothing about a syntax error in a body that nobody asked for', () => {
    const file = lower('fn a() { let = ; }\nfn b() { as_ptr(); }', /as_ptr/);
    expect(file.gaps).toEqual([]);
    expect(file.functions.map((fn) => fn.body !== undefined)).toEqual([false, true]);
  });

  it('tells about an unread macro only when something in it could matter', () => {
    const gapsOf = (body: string): string[] => lower(`fn f() { strange! { ${body} } }`).gaps.map((gap) => gap.kind);
    expect(gapsOf('a => 1; b')).toEqual([]);
    expect(gapsOf('a => "unsafe"; b // unsafe\n')).toEqual([]);
    expect(gapsOf('a => unsafe; b')).toEqual(['macro-body']);
    expect(gapsOf('a => x.as_ptr(); b')).toEqual(['macro-body']);
  });
});
