import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { FileIr, FunctionIr } from '../../../src/model/ir.js';
import { withoutComments } from '../../../src/model/source.js';
import { readOutline } from '../../../src/parsers/d/outline.js';
import { dPack } from '../../../src/parsers/d/pack.js';
import type { SyntaxNode } from '../../../src/parsers/syntax.js';
import { loadGrammar, parseSyntax } from '../../../src/parsers/tree.js';
import { outline } from './outline.js';
import { findBreaches } from './visit.js';

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const folder = at('fixtures/facts/d');
const programs = [
  ...readdirSync(folder)
    .filter((name) => name.endsWith('.d'))
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') })),
  { name: 'sample.d', text: readFileSync(at('test/parsers/samples/sample.d'), 'utf8') },
];
const lower = (text: string, wanted?: RegExp): FileIr => dPack.lower({ path: 'x.d', text }, wanted);
const named = (file: FileIr, name: string): FunctionIr => {
  const found = file.functions.find((fn) => fn.qualifiedName === name);
  if (found === undefined) throw new Error(`There is no function '${name}'.`);
  return found;
};

/** A function without ids: what it stands in, and the closures and functions that its body names, are told by their places. */
const placed = (file: FileIr) => {
  const starts = new Map(file.functions.map((fn) => [fn.id, fn.nameSpan.start]));
  expect(starts.size).toBe(file.functions.length);
  return (fn: FunctionIr): string =>
    JSON.stringify(fn, (key, value: unknown) =>
      ['id', 'parent', 'functionId'].includes(key) && typeof value === 'number' ? starts.get(value) : value,
    );
};

await dPack.load();

describe('older spellings', () => {
  it.each([
    ['', false],
    ['void broken() { int = = 4; }\n', true],
  ])('keep the places of an array declared as in C, beside %j', (beside, hasGap) => {
    const text = `${beside}int f(int n)\nin { assert(n > 0); }\nbody { char text[64]; return text.length > n; }\n`;
    const file = lower(text);
    expect(file.gaps.length > 0).toBe(hasGap);
    const first = named(file, 'f').body?.statements.find((statement) => statement.kind === 'let');
    expect(first).toMatchObject({
      kind: 'let',
      pattern: { kind: 'bind', name: 'text' },
      type: { kind: 'static-array' },
    });
    expect(first && text.slice(first.span.start, first.span.end)).toBe('char text[64];');
  });
});

describe('bodies that nobody asked for', () => {
  const text = `module m;
/// Mentions &x[0] in its documentation only.
void plain() { call(); }
void wants() { auto p = &x[0]; }
struct S { void method() { auto p = &y[1]; void nested() { } } int field; ~this() { call(); } }
version (X) { void inVersion() { call(); } }
unittest { call(); }
unittest { auto p = &x[0]; }
auto lambda = () { call(); };
int arrow() => 3;
`;
  const file = lower(text, /&\w+\[/);

  it('are left out and say so', () => {
    const skipped = file.functions.filter((fn) => fn.skipped === true).map((fn) => fn.qualifiedName);
    expect(skipped).toEqual(['plain', 'S.~this', 'inVersion', 'unittest']);
    for (const fn of file.functions) expect(fn.body === undefined).toBe(fn.skipped === true);
  });

  it('keep their extent', () => {
    const { bodySpan } = named(file, 'plain');
    expect(bodySpan && text.slice(bodySpan.start, bodySpan.end)).toBe('{ call(); }');
    expect(findBreaches(file, text)).toEqual([]);
  });

  it('bring what is inside with them when they are wanted', () => {
    expect(named(file, 'S.method.nested').parent).toBe(named(file, 'S.method').id);
  });

  it('are decided by the attributes of groups as well', () => {
    const grouped = lower(
      '@trusted { void a() { call(); } } void b() { call(); } @trusted: void c() { call(); }',
      /@trusted/,
    );
    expect(grouped.functions.map((fn) => [fn.name, fn.skipped ?? false])).toEqual([
      ['a', false],
      ['b', true],
      ['c', false],
    ]);
  });

  it('are not read for what a comment says', () => {
    const text =
      'void a() { one(); /* two */ } void b() { /+ one +/ s = "// two"; } // two\nvoid c() { one(); // one\n}';
    const readFor = (wanted: RegExp): string[] =>
      lower(text, wanted)
        .functions.filter((fn) => fn.skipped !== true)
        .map((fn) => fn.name);
    expect(readFor(/one/)).toEqual(['a', 'c']);
    expect(readFor(/two/)).toEqual(['b']);
    expect(dPack.lowerIfSought({ path: 'x.d', text }, undefined, /three/)).toBeUndefined();
    expect(dPack.lowerIfSought({ path: 'x.d', text: 'void a() { /* one */ }' }, undefined, /one/)).toBeUndefined();
  });

  it('do not depend on where a pattern with memory was', () => {
    const pattern = /&\w+\[/g;
    pattern.lastIndex = 60;
    expect(outline(lower(text, pattern))).toBe(outline(file));
    expect(pattern.lastIndex).toBe(60);
  });

  it.each(programs)('of $name leave every head as it is', ({ text: program }) => {
    const whole = lower(program);
    const filtered = lower(program, /a^/);
    const head = (fn: FunctionIr): unknown => {
      const changing = new Set(['body', 'skipped', 'id', 'parent', 'hasError']);
      return Object.fromEntries(Object.entries(fn).filter(([key]) => !changing.has(key)));
    };
    const outside = (list: readonly FunctionIr[]): unknown[] =>
      list.filter((fn) => fn.parent === undefined && fn.kind !== 'closure').map(head);
    expect(outside(filtered.functions)).toEqual(outside(whole.functions));
    // Types and variables inside bodies are gone with them; nothing else is.
    expect(filtered.imports.length).toBeLessThanOrEqual(whole.imports.length);
    expect(filtered.comments).toEqual(whole.comments);
  });

  it.each(programs)('of $name are the same when they are read later', ({ text: program }) => {
    const whole = lower(program);
    const shown = (file: FileIr): string => outline({ ...file, gaps: [] }).replaceAll(/#\d+/g, '#');
    for (const first of [/a^/, /&|\.\./]) {
      const read = lower(program, first);
      const more = dPack.lowerMore({ path: 'x.d', text: program }, read, () => true);
      expect(shown(more)).toBe(shown(whole));
      expect(more.functions.map(placed(more))).toEqual(whole.functions.map(placed(whole)));
      const kept = read.functions.filter((fn) => fn.skipped !== true);
      expect(more.functions.filter((fn) => kept.includes(fn))).toEqual(kept);
    }
  });

  it.each(programs)('of $name are the same when each is read by itself', ({ text: program }) => {
    const read = lower(program, /a^/);
    for (const head of read.functions) {
      if (head.skipped !== true) continue;
      const more = dPack.lowerMore({ path: 'x.d', text: program }, read, (fn) => fn === head);
      const extent = { start: head.nameSpan.start, end: head.span.end };
      const own = program.slice(extent.start, extent.end);
      const bare = withoutComments(program, extent, read.comments) ?? own;
      const isOwn = (text: string): boolean => text.endsWith(own) || text.endsWith(bare);
      const alone = dPack.lower({ path: 'x.d', text: program }, { test: isOwn });
      const inside = (file: FileIr): readonly string[] =>
        file.functions
          .filter(({ span }) => head.span.start <= span.start && span.end <= head.span.end)
          .map(placed(file));
      expect(inside(more)).toEqual(inside(alone));
    }
  });

  it.each(programs)('are none in $name for a pattern that always matches', ({ text: program }) => {
    expect(outline(lower(program, /(?:)/))).toBe(outline(lower(program)));
  });
});

describe('the outline of single functions', () => {
  it.each([
    ['import a; int b = 1; void f() { a(); } void g() { b(); } struct S { int c; }', 'void g() { b(); }'],
    ['struct S { int a; void g() { b(); } } class C { void f() { a(); } }', 'struct S { void g() { b(); } }'],
    ['@safe: private: int a; void g() { b(); }', '@safe: private: void g() { b(); }'],
    ['version (X) { int a; void g() { b(); } } else { void f() {} }', 'version (X) { void g() { b(); } } else { }'],
    ['version (X) void f() { a(); } else void g() { b(); }', 'version (X) void f() {} else void g() { b(); }'],
    ['version (X) int f; else /* a */ void g() { b(); }', 'version (X) int f; else void g() { b(); }'],
    ['version (X) void g() { b(); } else int f; int h;', 'version (X) void g() { b(); }'],
    ['version (X) /* a */ int f; // b\nelse void g() { b(); }', 'version (X) int f; else void g() { b(); }'],
    ['version (X): int a; void g() { b(); }', 'version (X): int a; void g() { b(); }'],
    ['@(1) void f() { a(); } @("g") void g() { b(); }', '@(1) void f() {} @("g") void g() { b(); }'],
    ['extern (C) { void f(); void g() { b(); } }', 'extern (C) { void g() { b(); } }'],
    [
      'template T(X) { alias Y = X; X g(X x) { return b; } enum E { a, b } }',
      'template T(X) { X g(X x) { return b; } }',
    ],
  ])('%s', (text, left) => {
    const { view } = readOutline(text, (start, end) => / g\(/.test(text.slice(start, end)), true);
    expect(view.text.replaceAll(/\s+/g, ' ').trim()).toBe(left);
  });
});

describe('the outline', () => {
  it('cuts comments, and long tables of plain values, and nothing else', () => {
    const table = Array.from({ length: 1000 }, (_, i) => String(i)).join(', ');
    const { text, offsets } = readOutline(`int a; // one\nint[] b = [${table}];\nint/**/c;`, undefined).view;
    expect(text.replaceAll('\n', ' ')).toBe('int a; int[] b = []; int/**/c;');
    expect(offsets.start(text.indexOf('c;'))).toBeGreaterThan(table.length);
  });

  it('leaves everything where brackets do not match', () => {
    const text = 'void f() { call(; } // c\n';
    expect(readOutline(text, () => false).view.text).toBe(text.replaceAll(' ', '\n'));
  });

  it.each([
    ['struct S { void f() { a(); } }', 'struct S { void f() {} }'],
    ['class C : Base { this() { a(); } ~this() { b(); } }', 'class C : Base { this() {} ~this() {} }'],
    ['template T(X) { auto f(X x) if (is(X)) { a(); } }', 'template T(X) { auto f(X x) if (is(X)) {} }'],
    [
      'static if (x) { void f() { a(); } } else { void g() { b(); } }',
      'static if (x) { void f() {} } else { void g() {} }',
    ],
    ['@safe unittest { a(); }', '@safe unittest {}'],
    ['extern (C) { void f() { a(); } }', 'extern (C) { void f() {} }'],
    ['@Mark(1) void f() @safe nothrow { a(); }', '@Mark(1) void f() @safe nothrow {}'],
    ['auto f = () { a(); };', 'auto f = () { a(); };'],
    ['int f() in (x) { a(); } void g() { b(); }', 'int f() in (x) { a(); } void g() {}'],
    ['int f() in { x(); } do { a(); } void g() { b(); }', 'int f() in { x(); } do { a(); } void g() {}'],
    ['S s = { a: 1 }; void g() { b(); }', 'S s = { a: 1 }; void g() {}'],
    ['enum E { a, b } void g() { b(); }', 'enum E { a, b } void g() {}'],
    ['void f(int x = { return 1; }()) { a(); }', 'void f(int x = { return 1; }()) {}'],
    ['string s = "{"; void g() { b(); }', 'string s = "{"; void g() {}'],
    ['auto s = q"(a " {)"; void g() { b(); }', 'auto s = q"(a " {)"; void g() {}'],
    ["char c = '{', d = '\\''; void g() { b(); }", "char c = '{', d = '\\''; void g() {}"],
  ])('of %s without bodies is %s', (text, view) => {
    const found = readOutline(text, () => false).view.text;
    expect(found.replaceAll('\n', ' ')).toBe(view);
    // Strings stay as they are, blanks outside of them are line breaks.
    expect(found.replace(/q"\(.*\)"/, '')).not.toContain(' ');
  });

  it.each(programs)('of $name finds the comments that the grammar finds', async ({ text }) => {
    const grammar = await loadGrammar(dPack.grammar);
    const found: string[] = [];
    const collect = (node: SyntaxNode): void => {
      if (node.kind === 'comment') found.push(text.slice(node.start, node.end));
      node.children.forEach(collect);
    };
    collect(parseSyntax(grammar, text));
    // The grammar has no tokens for what is inside a token string, so it sees no comments there.
    const own = readOutline(text, undefined).comments.map((comment) => comment.text);
    expect(own.filter((comment) => comment !== '/* but this */')).toEqual(
      found.filter((comment) => comment !== '/* but this */'),
    );
  });
});

describe('text that is no program', () => {
  it.each([
    ['empty', ''],
    ['a comment', '// nothing'],
    ['an open comment', 'int a; /* open'],
    ['an open string', 'string a = "open'],
    ['an open token string', 'string a = q{ open'],
    ['a lone quote', "int a; ' int b;"],
    ['brackets alone', ')]}{[('],
    ['another language', 'fn main() -> Result<(), Box<dyn Error>> { let x = &y[..]; Ok(()) }'],
    ['zero bytes', 'int a;\u0000\u0001 int b;'],
    ['a half of a surrogate pair', 'string a = "\ud83d";'],
    ['attributes of nothing', '@safe @trusted'],
    ['a head without a body', 'struct S {'],
  ])('%s does not throw and keeps its spans in order', (_, text) => {
    const file = lower(text);
    expect(findBreaches(file, text)).toEqual([]);
    expect(lower(text, /&/).gaps.length).toBeLessThanOrEqual(file.gaps.length + 1);
  });

  it.each(programs)('$name cut off anywhere does not throw', ({ text }) => {
    for (let end = 1; end < text.length; end += 37) {
      const part = text.slice(0, end);
      expect(findBreaches(lower(part), part)).toEqual([]);
    }
  });

  it('offsets count UTF-16 units, behind a byte order mark and beyond the basic plane too', () => {
    const text = '\ufeffstring a = "\u{1f600}"; // \u{1f600}\r\nvoid f() { call(b); }\r\n';
    const file = lower(text);
    expect(findBreaches(file, text)).toEqual([]);
    expect(named(file, 'f').nameSpan.start).toBe(text.indexOf('f()'));
  });
});

describe('syntax errors', () => {
  it('take only the smallest function around them', () => {
    const file = lower('void f() { auto dg = () { int y = ; }; call(); } void g() { call(); } int h;');
    expect(named(file, 'f').body).toBeDefined();
    expect(named(file, 'f').hasError).toBeUndefined();
    expect(named(file, 'f.{closure}')).toMatchObject({ hasError: true });
    expect(named(file, 'f.{closure}').body).toBeUndefined();
    expect(named(file, 'g').body).toBeDefined();
    expect(file.gaps).toMatchObject([{ kind: 'parse-error', line: 1 }]);
  });

  it('outside functions leave the rest', () => {
    const file = lower('int a = = 3;\nvoid g() { call(); }\n');
    expect(named(file, 'g').body).toBeDefined();
    expect(file.gaps).toMatchObject([{ kind: 'parse-error', line: 1 }]);
  });
});

describe('nesting', () => {
  const deep = 10_000;
  it.each([
    ['parentheses', `int a = ${'('.repeat(deep)}1${')'.repeat(deep)};`],
    ['brackets', `void f() { auto a = ${'[&x, '.repeat(deep)}1${']'.repeat(deep)}; }`],
    ['braces', `void f() ${'{'.repeat(deep)}${'}'.repeat(deep)}`],
    ['calls', `void f() { ${'g('.repeat(deep)}1${')'.repeat(deep)}; }`],
    ['members', `void f() { a${'.b(1)'.repeat(deep / 5)}; }`],
    ['operators', `void f() { a = ${'!'.repeat(deep)}b; }`],
    ['sums', `void f() { a = ${'b ~ '.repeat(deep / 5)}c; }`],
    ['conditions', `void f() { ${'if (a) b(); else '.repeat(deep / 10)} c(); }`],
    ['structs', `${'struct S { '.repeat(deep)}${'}'.repeat(deep)}`],
    ['pointers', `int${'*'.repeat(deep)} p;`],
    ['open parentheses', `void f() { ${'('.repeat(deep)}`],
  ])('of thousands of %s ends, without an exception', (what, text) => {
    const file = lower(text);
    expect(findBreaches(file, text)).toEqual([]);
    if (what === 'open parentheses') expect(file.gaps.map((gap) => gap.kind)).toContain('parse-error');
    else if (!['sums', 'pointers'].includes(what)) expect(file.gaps.map((gap) => gap.kind)).toContain('limit');
  });
});
