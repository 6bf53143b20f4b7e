import { describe, expect, test } from 'vitest';
import { BECOMES_RAW_THERE } from '../../src/facts/raw-words.js';

describe('a reference may become a raw pointer where the type of the field is declared in another file', () => {
  const mayBecome = (text: string): boolean =>
    BECOMES_RAW_THERE.some(({ inFile, pattern }) => inFile.test(text) && pattern.test(text));
  const sets = 'fn open(&mut self) { self.first = &mut self.items[0]; }\n';

  test.each([
    ['a field is dereferenced', 'fn first(&self) -> u32 { unsafe { *self.first } }'],
    ['an unsafe function dereferences one', 'unsafe fn first(&self) -> u32 { *self.first }'],
    ['a slice is made', 'fn all(&self) -> &[u32] { unsafe { slice::from_raw_parts(self.first, 1) } }'],
    ['a static is set', 'static mut LAST: Option<Link> = None;'],
  ])('%s', (_, code) => {
    expect(mayBecome(sets + code)).toBe(true);
  });

  test.each([
    ['a lifetime is retyped', "fn long(&self) -> &'static Self { unsafe { transmute(self) } }"],
    ['something is multiplied', 'fn size(&self) -> usize { unsafe { self.count() * size } }'],
  ])('no: %s', (_, code) => {
    expect(mayBecome(sets + code)).toBe(false);
  });
});
