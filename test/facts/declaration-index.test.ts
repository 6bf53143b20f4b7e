import { expect, it } from 'vitest';
import { DeclarationIndex } from '../../src/facts/declaration-index.js';

function indexOf(language: 'rust' | 'd', files: Readonly<Record<string, string>>): DeclarationIndex {
  return new DeclarationIndex(language, Object.keys(files), (path) => files[path]);
}

it('finds the files that implement Drop for a type, whatever stands between the words', () => {
  const index = indexOf('rust', {
    'plain.rs': 'impl Drop for Plain { fn drop(&mut self) {} }',
    'broken.rs': 'impl<T> Drop\n    // The list frees its nodes; { and } in a comment.\n    for list::Broken<T>\n{}',
    'other.rs': 'impl Clone for Plain {}\nimpl Drop for Other {}\nfn f() { for Item in x {} }',
  });
  expect(index.dropping('Plain')).toEqual(['plain.rs']);
  expect(index.dropping('Broken')).toEqual(['broken.rs']);
  expect(index.dropping('Other')).toEqual(['other.rs']);
  expect(index.implementing('Plain')).toEqual(['plain.rs', 'other.rs']);
});

it('tells aliases, associated types among them, from other types', () => {
  const rust = indexOf('rust', {
    'a.rs': 'pub type Short = Long;\nstruct Long;\nimpl Iterator for Long { type Item = u8; }',
  });
  expect(['Short', 'Item', 'Long', 'Absent'].filter((name) => rust.isAlias(name))).toEqual(['Short', 'Item']);
  const d = indexOf('d', { 'a.d': 'alias Short = Long;\nstruct Long {}' });
  expect(['Short', 'Long'].filter((name) => d.isAlias(name))).toEqual(['Short']);
});

it('does not take the words of a comment for a declaration', () => {
  const index = indexOf('rust', {
    'told.rs': '// of that type Close\n/// a struct Close\n/* the enum\n * struct Close */\nlet x = 1; // struct Close',
    'real.rs': '/// A file.\npub struct Close;',
  });
  expect(index.filesOf('Close')).toEqual(['told.rs', 'real.rs']);
  expect(index.isSurelyIn('told.rs', 'Close')).toBe(false);
  expect(index.isSurelyIn('real.rs', 'Close')).toBe(true);
});
