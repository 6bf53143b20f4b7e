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

  const job = (steps: string): string =>
    `on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n${steps}      - run: napi build --release\n`;

  it.each([
    ['the tag of an action', job('      - uses: dtolnay/rust-toolchain@1.81.0\n'), { value: '1.81.0', line: 6 }],
    [
      'the input of an action',
      job('      - uses: actions-rs/toolchain@v1\n        with:\n\n          toolchain: "1.72"\n'),
      { value: '1.72', line: 9 },
    ],
    [
      'the newest of several',
      job('      - run: rustup default 1.79.0\n      - run: rustup toolchain install 1.80.1\n'),
      { value: '1.80.1', line: 7 },
    ],
    ['a channel', job('      - uses: dtolnay/rust-toolchain@stable\n'), undefined],
    ['an expression', job('      - run: rustup default ${{ matrix.rust }}\n'), undefined],
    ['nothing', job(''), undefined],
    ["a container's own", job('      - uses: dtolnay/rust-toolchain@1.81.0\n      - run: docker run x\n'), undefined],
  ])('is what the workflows install, where no file pins it: %s', (_, text, expected) => {
    const { model, cargo } = memoryProject({
      'Cargo.toml': addon('a'),
      'src/lib.rs': '',
      '.github/workflows/release.yml': text,
      // Tests may run with any.
      '.github/workflows/test.yml': 'jobs:\n  t:\n    steps:\n      - uses: dtolnay/rust-toolchain@stable\n',
    });
    const found = model.toolchainOf(cargo('a'));
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject({ ...expected, path: '.github/workflows/release.yml' });
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
