import { expect, it } from 'vitest';
import { publishedTriples } from '../../src/project/triples.js';
import { addon, memoryProject } from './memory-project.js';

const triplesWith = (neon: object): readonly string[] => {
  const { model, cargo } = memoryProject({
    'package.json': JSON.stringify({ name: 'sums', main: 'index.node', neon }, null, 2),
    'Cargo.toml': addon('sums', '', 'neon = "1"'),
    'src/lib.rs': '',
  });
  return model.triplesFor(cargo('sums'));
};

it.each([
  [
    { platforms: ['x86_64-unknown-linux-gnu', 'linux-arm64-musl'] },
    ['x86_64-unknown-linux-gnu', 'aarch64-unknown-linux-musl'],
  ],
  [{ platforms: { 'darwin-arm64': '@sums/darwin-arm64' } }, ['aarch64-apple-darwin']],
  [{ targets: { 'x86_64-pc-windows-msvc': '@sums/win32-x64-msvc' } }, ['x86_64-pc-windows-msvc']],
])('%j names the triples that an addon of neon ships for', (neon, expected) => {
  expect(triplesWith(neon)).toEqual(expected);
});

it.each([[{ platforms: ['common'] }], [{ platforms: ['linux-x64-gnu', 'desktop'] }], [{ type: 'library' }]])(
  '%j leaves it open',
  (neon) => {
    expect(triplesWith(neon)).toEqual(publishedTriples);
  },
);
