import { describe, expect, it } from 'vitest';
import { memoryProject } from './memory-project.js';

const workspace = {
  'Cargo.toml':
    '[workspace]\nmembers = ["crates/*"]\nexclude = ["crates/out"]\n\n[workspace.package]\nversion = "2.1.0"\nedition = "2024"\n\n[workspace.dependencies]\nserde = { version = "1", default-features = false, features = ["derive"] }\ncore = { path = "crates/core", package = "my-core" }\n\n[patch.crates-io]\npatched = { path = "vendor/patched" }\n',
  'crates/core/Cargo.toml':
    '[package]\nname = "my-core"\nversion.workspace = true\nedition = { workspace = true }\n\n[dependencies]\nserde = { workspace = true, default-features = true, features = ["rc"] }\npatched = "3"\n\n[dev-dependencies]\nproptest = "1"\n\n[target.\'cfg(windows)\'.dependencies]\nwindows-sys = { version = "0.5", optional = true }\n',
  'crates/core/src/lib.rs': '',
  'crates/core/src/main.rs': '',
  'crates/core/src/bin/tool.rs': '',
  'crates/core/src/bin/big/main.rs': '',
  'crates/core/benches/speed.rs': '',
  'crates/core/tests/it.rs': '',
  'crates/core/examples/show/main.rs': '',
  'crates/core/build.rs': '',
  'crates/addon/Cargo.toml':
    '[package]\nname = "addon"\nversion = "1.0.0"\nautobenches = false\nbuild = "setup.rs"\n\n[lib]\nname = "addon_lib"\npath = "lib/entry.rs"\ncrate-type = ["cdylib", "rlib"]\n\n[[bench]]\nname = "own"\npath = "perf/own.rs"\nrequired-features = ["slow"]\n\n[dependencies]\ncore = { workspace = true }\nnapi = { version = "3", optional = true }\n\n[features]\ndefault = ["napi"]\nslow = ["dep:napi", "core/x"]\n',
  'crates/addon/lib/entry.rs': '',
  'crates/addon/benches/skipped.rs': '',
  'crates/addon/perf/own.rs': '',
  'crates/out/Cargo.toml': '[package]\nname = "out"\nversion = "0.1.0"\n',
  'crates/out/src/main.rs': '',
  'vendor/patched/Cargo.toml': '[package]\nname = "patched"\nversion = "3.0.0"\n',
  'vendor/patched/src/lib.rs': '',
};

describe('Cargo packages', () => {
  const project = memoryProject(workspace);
  const core = project.cargo('my-core');
  const addon = project.cargo('addon');

  it('inherit from their workspace', () => {
    expect(core).toMatchObject({
      version: '2.1.0',
      edition: '2024',
      dir: 'crates/core',
      manifest: 'crates/core/Cargo.toml',
    });
    expect(core.nameFact).toEqual({ path: 'crates/core/Cargo.toml', line: 2, column: 1 });
    expect(core.dependencies.find((one) => one.name === 'serde')).toMatchObject({
      requirement: '1',
      features: ['derive', 'rc'],
      defaultFeatures: true,
      place: { path: 'crates/core/Cargo.toml', line: 7 },
    });
  });

  it('know dependencies by kind, target, path, rename and patch', () => {
    expect(core.dependencies.find((one) => one.name === 'windows_sys')).toMatchObject({
      package: 'windows-sys',
      target: 'cfg(windows)',
      optional: true,
      kind: 'normal',
    });
    expect(core.dependencies.find((one) => one.name === 'proptest')?.kind).toBe('dev');
    expect(core.dependencies.find((one) => one.name === 'patched')?.dir).toBe('vendor/patched');
    expect(addon.dependencies.find((one) => one.name === 'core')).toMatchObject({
      package: 'my-core',
      dir: 'crates/core',
    });
  });

  it('find targets that are declared and those that Cargo discovers', () => {
    const shown = core.targets
      .map(({ kind, name, path }) => `${kind} ${name} ${path.slice('crates/core/'.length)}`)
      .sort();
    expect(shown).toEqual([
      'bench speed benches/speed.rs',
      'bin big src/bin/big/main.rs',
      'bin my-core src/main.rs',
      'bin tool src/bin/tool.rs',
      'build-script build-script-build build.rs',
      'example show examples/show/main.rs',
      'lib my_core src/lib.rs',
      'test it tests/it.rs',
    ]);
    expect(addon.targets.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
      'bench crates/addon/perf/own.rs',
      'build-script crates/addon/setup.rs',
      'lib crates/addon/lib/entry.rs',
    ]);
    const lib = addon.targets.find((target) => target.kind === 'lib');
    expect(lib?.crateTypes).toEqual([
      { value: 'cdylib', path: 'crates/addon/Cargo.toml', line: 10, column: 1 },
      { value: 'rlib', path: 'crates/addon/Cargo.toml', line: 10, column: 1 },
    ]);
  });

  it('imply a feature for an optional dependency unless dep: is used', () => {
    expect([...core.features.keys()]).toEqual(['windows-sys']);
    expect([...addon.features.keys()].sort()).toEqual(['default', 'slow']);
  });

  it('own the files below them', () => {
    expect(project.model.cargoPackageOf('crates/core/src/a/b.rs')?.name).toBe('my-core');
    expect(project.model.cargoPackageOf('tools/x.rs')).toBeUndefined();
    expect(project.cargo('out').edition).toBeUndefined();
  });
});

describe('source files', () => {
  const { model } = memoryProject({
    'Cargo.toml': '[package]\nname = "p"\nversion = "1.0.0"\n[[bin]]\nname = "p"\npath = "src/main.rs"\n',
    'src/lib.rs':
      'pub mod shared;\n#[cfg(all(feature = "x", not(target_os = "windows")))]\nmod inner;\n#[cfg(test)]\nmod checks;\n#[path = "other/place.rs"]\nmod moved;\nmod group {\n    // a folder without a file of its own\n    pub mod leaf;\n}\n#[cfg(any(test, windows))]\nmod either;\n',
    'src/main.rs': 'mod shared;\nmod only_bin;\n',
    'src/shared.rs': 'mod deep;\n',
    'src/shared/deep.rs': '',
    'src/inner/mod.rs': '#![cfg(unix)]\npub(crate) mod far;\n',
    'src/inner/far.rs': '',
    'src/checks.rs': '',
    'src/either.rs': '',
    'src/other/place.rs': '',
    'src/group/leaf.rs': '',
    'src/only_bin.rs': '',
    'benches/b.rs': '',
    'tests/it.rs': 'mod common;\n',
    'tests/common/mod.rs': '',
    'tests/ui/case.rs': '',
    'examples/e.rs': '',
    'src/orphan.rs': '',
  });

  it.each([
    ['src/shared/deep.rs', ['lib', 'bin'], false],
    ['src/inner/far.rs', ['lib'], false],
    ['src/only_bin.rs', ['bin'], false],
    ['src/other/place.rs', ['lib'], false],
    ['src/group/leaf.rs', ['lib'], false],
    ['src/checks.rs', ['lib'], true],
    ['src/either.rs', ['lib'], false],
    ['benches/b.rs', ['bench'], true],
    ['tests/it.rs', ['test'], true],
    ['tests/common/mod.rs', ['test'], true],
    ['tests/ui/case.rs', [], false],
    ['examples/e.rs', ['example'], true],
    ['src/orphan.rs', ['lib', 'bin'], false],
  ])('%s belongs to %j', (path, kinds, development) => {
    expect([...model.targetKindsOf(path)].sort()).toEqual([...kinds].sort());
    expect(model.isDevelopmentOnly(path)).toBe(development);
  });

  it('of a package below a folder of examples are examples', () => {
    const { model: other } = memoryProject({
      'examples/addon/Cargo.toml': '[package]\nname = "e"\nversion = "1.0.0"\n',
      'examples/addon/src/lib.rs': '',
      'x/examples.rs': '',
    });
    expect(other.targetKindsOf('examples/addon/src/lib.rs')).toEqual(['lib']);
    expect(other.isDevelopmentOnly('examples/addon/src/lib.rs')).toBe(true);
    expect(
      memoryProject(
        { 'examples/addon/Cargo.toml': '[package]\nname = "e"\nversion = "1.0.0"\n', 'examples/addon/src/lib.rs': '' },
        'examples/addon',
      ).model.isDevelopmentOnly('examples/addon/src/lib.rs'),
    ).toBe(false);
  });

  it('of tests are found below the files that a path attribute of the sources leads to', () => {
    const { model: other } = memoryProject({
      'Cargo.toml': '[package]\nname = "e"\nversion = "1.0.0"\n',
      'src/lib.rs': 'mod store;\n',
      'src/store.rs': 'pub fn a() {}\n#[cfg(test)]\n#[path = "../tests/inline/store.rs"]\nmod tests;\n',
      'tests/inline/store.rs': 'mod fault;\n',
      'tests/inline/fault/mod.rs': 'pub(crate) mod load;\n',
      'tests/inline/fault/load.rs': '',
    });
    for (const path of ['tests/inline/store.rs', 'tests/inline/fault/mod.rs', 'tests/inline/fault/load.rs'])
      expect(other.isDevelopmentOnly(path)).toBe(true);
  });

  it('inherit the cfgs of the modules around them', () => {
    expect(model.conditionsOf('src/inner/far.rs')).toEqual(['all(feature = "x", not(target_os = "windows"))', 'unix']);
    expect(model.conditionsOf('src/shared.rs')).toEqual([]);
  });
});

describe('broken manifests', () => {
  it('are a gap with file and line, and the rest is read', () => {
    const { model, gaps } = memoryProject({
      'Cargo.toml': '[workspace]\nmembers = ["a", "b"]\n',
      'a/Cargo.toml': '[package]\nname = "a"\nversion = 1.0.0\n',
      'b/Cargo.toml': '[package]\nname = "b"\nversion = "1.0.0"\n',
      'c/Cargo.toml': '[package]\nversion = "1.0.0"\n',
      'package.json': '{\n  "name": "x",\n}}\n',
      'dub.json': '[]',
      'd/dub.sdl': 'name "d"\nconfiguration "x" {\n',
    });
    expect(model.cargo.map((pkg) => pkg.name)).toEqual(['b']);
    expect(gaps.map(({ kind, path, line }) => `${kind} ${path}:${line ?? 0}`).sort()).toEqual([
      'manifest a/Cargo.toml:3',
      'manifest c/Cargo.toml:1',
      'manifest d/dub.sdl:3',
      'manifest dub.json:1',
      'manifest package.json:3',
    ]);
    for (const gap of gaps) expect(gap.message).toMatch(/^'[^']+' could not be read at line \d+: [^\n]+\.$/);
  });

  it('that point at themselves end', () => {
    const { model } = memoryProject({
      'Cargo.toml':
        '[package]\nname = "a"\nworkspace = "."\nversion.workspace = true\n[dependencies]\na = { path = "." }\n',
      'src/lib.rs': '',
    });
    expect(model.addonsReaching(model.cargo[0] ?? fail())).toEqual([]);
  });
});

function fail(): never {
  throw new Error('There is no package.');
}
