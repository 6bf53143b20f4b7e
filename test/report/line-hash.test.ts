import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findLineHashes } from '../../src/report/line-hash.js';

function hashesOf(text: string): readonly (string | undefined)[] {
  const lines = text.split(/\r\n|\r|\n/u).map((_, index) => index + 1);
  const found = findLineHashes(text, new Set(lines));
  return lines.map((line) => found.get(line));
}

/** The definition, line by line, without a rolling window. */
function slowHashes(text: string): readonly string[] {
  const ends = text.replace(/\r\n|\r/gu, '\n');
  let kept = '';
  let isStart = true;
  const lineStarts: number[] = [];
  for (const unit of ends.split('')) {
    if (unit === ' ' || unit === '\t') continue;
    if (isStart) lineStarts.push(kept.length);
    isStart = unit === '\n';
    kept += unit;
  }
  if (isStart) lineStarts.push(kept.length);
  kept += '\uffff';
  const counts = new Map<string, number>();
  return lineStarts.map((start) => {
    let hash = 0n;
    for (let at = start; at < start + 100; at++) {
      hash = BigInt.asUintN(64, hash * 37n + BigInt(at < kept.length ? kept.charCodeAt(at) : 0));
    }
    const hex = hash.toString(16);
    counts.set(hex, (counts.get(hex) ?? 0) + 1);
    return `${hex}:${counts.get(hex)}`;
  });
}

// Values that the upload action's own tests pin.
describe('the hash of a line is the one of the upload action', () => {
  it.each([
    ['', ['c129715d7a2bc9a3:1']],
    [' a\nb\n  \t\tc\n d', ['271789c17abda88f:1', '54703d4cd895b18:1', '180aee12dab6264:1', 'a23a3dc5e078b07b:1']],
    [
      ' hello; \t\r\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n',
      [
        'e9496ae3ebfced30:1',
        'fb7c023a8b9ccb3f:1',
        'ce8ba1a563dcdaca:1',
        'e20e36e16fcb0cc8:1',
        'b3edc88f2938467e:1',
        'c8e28b0b4002a3a0:1',
        'c129715d7a2bc9a3:1',
      ],
    ],
    [
      'Lorem ipsum dolor sit amet.\n'.repeat(10),
      [
        'a7f2ff13bc495cf2:1',
        'a7f2ff13bc495cf2:2',
        'a7f2ff13bc495cf2:3',
        'a7f2ff13bc495cf2:4',
        'a7f2ff13bc495cf2:5',
        'a7f2ff13bc495cf2:6',
        'a7f2ff1481e87703:1',
        'a9cf91f7bbf1862b:1',
        '55ec222b86bcae53:1',
        'cc97dc7b1d7d8f7b:1',
        'c129715d7a2bc9a3:1',
      ],
    ],
  ])('%j', (text, hashes) => {
    expect(hashesOf(text)).toEqual(hashes);
  });
});

it('agrees with the definition on any text', () => {
  const unit = fc.constantFrom('a', 'Z', ' ', '\t', '\n', '\r', 'é', '漢', '😀', '\uffff', '0');
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 400 }), (units) => {
      const text = units.join('');
      expect([...findLineHashes(text, new Set(Array.from({ length: 500 }, (_, line) => line))).values()]).toEqual(
        slowHashes(text),
      );
    }),
  );
});
