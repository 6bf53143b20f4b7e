import { describe, expect, it } from 'vitest';
import { isAtLeast } from '../../src/project/toolchain.js';
import { addon, memoryProject } from './memory-project.js';

describe('the Rust toolchain of a package', () => {
  it.each([
    ['rust-toolchain.toml', '[toolchain]\nchannel = "1.84.0"\n', { value: '1.84.0', line: 2 }],
    ['rust-toolchain', '1.82\n', { value: '1.82', line: 1 }],
    [
      'rust-toolchain',
      '[toolchain]\n# pinned\nchannel = "nightly-2025-01-10"\n',
      { value: 'nightly-2025-01-10', line: 3 },
    ],
    ['rust-toolchain.toml', '[toolchain]\npath = "../rust"\n', undefined],
  ])('is read from %s', (name, text, expected) => {
    const { model, cargo } = memoryProject({
      [name]: text,
      'crates/a/Cargo.toml': addon('a'),
      'crates/a/src/lib.rs': '',
    });
    const found = model.toolchainOf(cargo('a'));
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject({ ...expected, path: name });
  });

  it('is the nearest one', () => {
    const { model, cargo } = memoryProject({
      'rust-toolchain.toml': '[toolchain]\nchannel = "1.90.0"\n',
      'a/rust-toolchain.toml': '[toolchain]\nchannel = "1.80.0"\n',
      'a/Cargo.toml': addon('a'),
      'a/src/lib.rs': '',
    });
    expect(model.toolchainOf(cargo('a'))?.value).toBe('1.80.0');
  });

  it('is undefined where none is pinned', () => {
    const { model, cargo } = memoryProject({ 'Cargo.toml': addon('a'), 'src/lib.rs': '' });
    expect(model.toolchainOf(cargo('a'))).toBeUndefined();
  });
});

it.each([
  ['1.82.0', false],
  ['1.83', true],
  ['1.9', false],
  ['2.0.0', true],
  ['stable', true],
  ['nightly', true],
  ['nightly-2024-10-11', false],
  ['nightly-2024-10-12', true],
  ['stable-2024-09-05', false],
])('%s is at least 1.83: %s', (channel, expected) => {
  expect(isAtLeast(channel, [1, 83], '2024-10-12')).toBe(expected);
});
