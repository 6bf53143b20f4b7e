import { describe, expect, it } from 'vitest';
import type { DiscoveredUnit } from '../../src/discover/inputs.js';
import { cutShares, isShared, shareOf } from '../../src/engine/shares.js';
import { rules } from '../../src/rules/index.js';

function unitOf(
  sizes: Readonly<Record<string, number>>,
  asked: (path: string) => boolean = () => true,
): DiscoveredUnit {
  const files = Object.entries(sizes).map(([path, size]) => ({
    path,
    abs: `/${path}`,
    size,
    language: path.endsWith('.d') ? ('d' as const) : ('manifest' as const),
  }));
  return { root: '', files, asked };
}

describe('shares of a unit', () => {
  it('are neighbours, with about as many bytes each', () => {
    const unit = unitOf({ 'a.d': 40, 'b.d': 10, 'c.d': 50, 'd.d': 60, 'dub.json': 999, 'e.d': 40 });
    expect(cutShares(unit, 2, true)).toEqual([
      ['a.d', 'b.d', 'c.d'],
      ['d.d', 'e.d'],
    ]);
  });

  it('are one where a second would not pay, but for who asks for a number', () => {
    const small = unitOf({ 'a.d': 3_000_000, 'b.d': 3_000_000 });
    expect(cutShares(small, 8, false)).toEqual([['a.d', 'b.d']]);
    expect(cutShares(small, 8, true)).toEqual([['a.d'], ['b.d']]);
    const large = unitOf(Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`${name}.d`, 3_000_000])));
    expect(cutShares(large, 8, false)).toHaveLength(3);
    expect(cutShares(large, 2, false)).toHaveLength(2);
  });

  it('have only what was asked for', () => {
    expect(
      cutShares(
        unitOf({ 'a.d': 1, 'b.d': 1, 'c.d': 1 }, (path) => path !== 'b.d'),
        3,
        true,
      ),
    ).toEqual([['a.d'], ['c.d']]);
  });

  it('belong to one thread each, and the rest to the first', () => {
    const parts = [['a.d'], ['b.d']];
    const [first, second] = [shareOf(parts, 0), shareOf(parts, 1)];
    const owners = (path: string) => [first.isMine(path), second.isMine(path)];
    expect([owners('a.d'), owners('b.d'), owners('package.json')]).toEqual([
      [true, false],
      [false, true],
      [true, false],
    ]);
    expect([first.isFirst, second.isFirst]).toEqual([true, false]);
  });

  it('divide rules that go through files one by one, and no others', () => {
    const shared = rules.filter(isShared).map(({ meta }) => meta.id);
    expect(shared).toEqual(expect.arrayContaining(['pointer-into-growable', 'unbounded-lifetime', 'append-stomp']));
    expect(shared).not.toContain('allocator-in-addon');
    expect(shared).not.toContain('pooled-buffer-transfer');
  });
});
