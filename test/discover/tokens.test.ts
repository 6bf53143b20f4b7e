import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeTokenFilter, makeTokenSearch } from '../../src/discover/tokens.js';

const naive = (tokens: readonly string[], text: string): boolean => tokens.some((token) => text.includes(token));

describe('makeTokenFilter', () => {
  it.each([
    [[], 'anything', false],
    [[''], '', true],
    [['&'], 'a & b', true],
    [['~='], 'pool ~= job;', true],
    [['as_ptr'], 'let p = buf.as_ptr();', true],
    [['as_ptr'], 'as_pt', false],
    [['as_ptr'], 'as_ptr', true],
    [['as_ptr', 'ptr_as_long_as_this'], 'xas_ptr', true],
    [['aaab'], 'aaaaaab', true],
    [['naïve'], 'a naïve reader', true],
    [['naïve'], 'a naive reader', false],
    [['.push(', '*mut '], 'x.push (y)', false],
    [['x'.repeat(600)], 'y'.repeat(700) + 'x'.repeat(600), true],
    [['x'.repeat(600)], 'x'.repeat(599) + 'y', false],
  ])('%j in %j is %s', (tokens, text, expected) => {
    expect(makeTokenFilter(tokens)(Buffer.from(text))).toBe(expected);
  });

  it('equals the naive search', () => {
    // Few letters, so that partial matches and overlaps abound.
    const word = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom('a', 'b', '_', 'é'), minLength, maxLength });
    fc.assert(
      fc.property(fc.array(word(1, 9), { maxLength: 6 }), word(0, 60), (tokens, text) => {
        expect(makeTokenFilter(tokens)(Buffer.from(text))).toBe(naive(tokens, text));
      }),
      { numRuns: 3000 },
    );
  });

  it('does not look beyond the end of a buffer that is part of a larger one', () => {
    const whole = Buffer.from('as_ptr and as_ptr');
    expect(makeTokenFilter(['as_ptr'])(whole.subarray(0, 5))).toBe(false);
    expect(makeTokenFilter(['as_ptr'])(whole.subarray(1, 16))).toBe(false);
  });
});

describe('makeTokenSearch', () => {
  it('finds every token of a text', () => {
    const search = makeTokenSearch(['as_ptr', '&', 'as_ptr_range', 'naïve', '~=', 'reserve']);
    expect([...search(Buffer.from('a naïve buf.as_ptr_range() & x'))].sort()).toEqual([
      '&',
      'as_ptr',
      'as_ptr_range',
      'naïve',
    ]);
    expect([...search(Buffer.from('as_pt'))]).toEqual([]);
  });

  it('equals the naive search', () => {
    const word = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom('a', 'b', '_', 'é', '\u{161}'), minLength, maxLength });
    fc.assert(
      fc.property(fc.array(word(1, 9), { maxLength: 6 }), word(0, 60), (tokens, text) => {
        const expected = [...new Set(tokens)].filter((token) => text.includes(token)).sort();
        expect([...makeTokenSearch(tokens)(Buffer.from(text))].sort()).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });
});
