import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../src/project/lockfiles.js';
import { addon, memoryProject } from './memory-project.js';

const lock = (...packages: readonly (readonly [string, string, string?])[]): string =>
  `version = 4\n\n${packages.map(([name, version, more = '']) => `[[package]]\nname = "${name}"\nversion = "${version}"\n${more}`).join('\n')}`;

describe('versions', () => {
  it.each([
    ['1.2.3', '1.2.3', 0],
    ['1.10.0', '1.9.9', 1],
    ['3.0.0-beta.1', '3.0.0', -1],
    ['0.1.62', '0.1.63', -1],
    ['2.3', '2.3.0', 0],
    ['1.0.0+build', '1.0.0', 0],
  ])('%s against %s', (a, b, expected) => {
    expect(Math.sign(compareVersions(a, b))).toBe(expected);
  });
});

describe('Cargo.lock', () => {
  it('pins crates, newest first, with their lines', () => {
    const { model, cargo } = memoryProject({
      'Cargo.toml': addon('a', '', 'napi = "3"'),
      'src/lib.rs': '',
      'Cargo.lock': lock(
        ['a', '1.0.0', 'dependencies = [\n "napi 3.1.0",\n]\n'],
        ['napi', '2.16.0'],
        ['napi', '3.1.0'],
        ['napi-derive', '3.0.0'],
      ),
    });
    expect(model.lockedVersions('napi')).toEqual([
      { value: '3.1.0', path: 'Cargo.lock', line: 16 },
      { value: '2.16.0', path: 'Cargo.lock', line: 12 },
    ]);
    expect(model.lockedVersions('napi', cargo('a')).map((fact) => fact.value)).toEqual(['3.1.0']);
    expect(model.lockedVersions('absent')).toEqual([]);
  });

  it('is the nearest one above the package', () => {
    const { model, cargo } = memoryProject({
      'Cargo.lock': lock(['napi', '1.0.0']),
      'inner/Cargo.toml': addon('inner'),
      'inner/src/lib.rs': '',
      'inner/Cargo.lock': lock(['napi', '3.0.0']),
    });
    expect(model.lockedVersions('napi', cargo('inner')).map((fact) => fact.value)).toEqual(['3.0.0']);
  });
});

describe('npm lockfiles', () => {
  const manifest = '{\n  "name": "x",\n  "devDependencies": {\n    "@napi-rs/cli": "^3.0.0"\n  }\n}\n';
  it.each([
    [
      'package-lock.json',
      '{\n  "packages": {\n    "node_modules/@napi-rs/cli": {\n      "version": "3.3.1"\n    }\n  }\n}\n',
      4,
    ],
    [
      'pnpm-lock.yaml',
      "importers:\n\n  .:\n    devDependencies:\n      '@napi-rs/cli':\n        specifier: ^3.0.0\n        version: 3.3.1(x@1)\n",
      7,
    ],
    ['pnpm-lock.yaml', "packages:\n\n  '@napi-rs/cli@3.3.1':\n    resolution: {}\n", 3],
    ['yarn.lock', '"@napi-rs/cli@npm:^3.0.0":\n  version: 3.3.1\n', 2],
    ['yarn.lock', '"@napi-rs/cli@^3.0.0", "@napi-rs/cli@^3.1.0":\n  version "3.3.1"\n', 2],
    ['bun.lock', '{\n  "packages": {\n    "@napi-rs/cli": ["@napi-rs/cli@3.3.1", ""]\n  }\n}\n', 3],
  ])('%s pins a package', (name, text, line) => {
    const { model } = memoryProject({ 'package.json': manifest, [name]: text });
    expect(model.npmVersion('@napi-rs/cli', model.npm[0])).toEqual({ value: '3.3.1', path: name, line, locked: true });
  });

  it('fall back to the requirement and to the catalog', () => {
    const plain = memoryProject({ 'package.json': manifest });
    expect(plain.model.npmVersion('@napi-rs/cli', plain.model.npm[0])).toMatchObject({
      value: '^3.0.0',
      line: 4,
      locked: false,
    });
    const catalog = memoryProject({
      'package.json': manifest.replace('^3.0.0', 'catalog:'),
      'pnpm-workspace.yaml': 'catalog:\n  a: 1\n  "@napi-rs/cli": 3.4.1\n',
    });
    expect(catalog.model.npmVersion('@napi-rs/cli', catalog.model.npm[0])).toMatchObject({
      value: '3.4.1',
      path: 'pnpm-workspace.yaml',
      line: 3,
      locked: false,
    });
  });
});

describe('an addon stays loaded', () => {
  const gnu = 'x86_64-unknown-linux-gnu';
  const musl = 'x86_64-unknown-linux-musl';
  const windows = 'x86_64-pc-windows-msvc';
  const setup = { 'build.rs': 'fn main() {\n    napi_build::setup();\n}\n' };
  function states(
    files: Readonly<Record<string, string>>,
    dependencies = 'napi = "3"\n\n[build-dependencies]\nnapi-build = "2"',
  ): readonly string[] {
    const { model, cargo } = memoryProject({ 'Cargo.toml': addon('a', '', dependencies), 'src/lib.rs': '', ...files });
    return [gnu, musl, windows, 'wasm32-wasip1-threads'].map((triple) => model.keptLoaded(cargo('a'), triple).state);
  }

  it.each([
    ['never by itself', {}, ['no', 'no', 'no', 'yes']],
    ['by napi-build on glibc', { ...setup, 'Cargo.lock': lock(['napi-build', '2.3.1']) }, ['yes', 'no', 'no', 'yes']],
    [
      'not by an older napi-build',
      { ...setup, 'Cargo.lock': lock(['napi-build', '2.2.4']) },
      ['no', 'no', 'no', 'yes'],
    ],
    ['perhaps by an unlocked napi-build', setup, ['unknown', 'no', 'no', 'yes']],
    [
      'not by a setup in a comment',
      { 'build.rs': '// napi_build::setup()\nfn main() {}\n', 'Cargo.lock': lock(['napi-build', '2.3.1']) },
      ['no', 'no', 'no', 'yes'],
    ],
    ['perhaps by napi', { 'Cargo.lock': lock(['napi', '3.12.1']) }, ['unknown', 'unknown', 'unknown', 'yes']],
    [
      'by rustflags of a target',
      { '.cargo/config.toml': `[target.${gnu}]\nrustflags = ["-C", "link-args=-Wl,-z,nodelete"]\n` },
      ['yes', 'no', 'no', 'yes'],
    ],
    [
      'by rustflags of a cfg',
      { '.cargo/config': "[target.'cfg(target_os = \"linux\")']\nrustflags = ['-Clink-arg=-Wl,-z,nodelete']\n" },
      ['yes', 'yes', 'no', 'yes'],
    ],
    [
      'by an own linker argument, perhaps',
      { 'build.rs': 'fn main() {\n  println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");\n}\n' },
      ['unknown', 'unknown', 'no', 'yes'],
    ],
  ])('%s', (_name, files, expected) => {
    expect(states(files)).toEqual(expected);
  });

  it('where napi pins it for its runtime', () => {
    expect(
      states({ 'Cargo.lock': lock(['napi', '3.12.2']) }, 'napi = { version = "3", features = ["async"] }'),
    ).toEqual(['yes', 'yes', 'yes', 'yes']);
  });
});
