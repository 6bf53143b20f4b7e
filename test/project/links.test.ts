import { describe, expect, it } from 'vitest';
import { addon, memoryProject } from './memory-project.js';

const lib = (name: string, dependencies = ''): string =>
  `[package]\nname = "${name}"\nversion = "1.0.0"\n\n[dependencies]\n${dependencies}`;

describe('addons', () => {
  const { model, cargo } = memoryProject({
    'napi/Cargo.toml': addon('with-napi'),
    'napi/src/lib.rs': '',
    'neon/Cargo.toml': addon('with-neon', '', 'neon = "1"'),
    'neon/src/lib.rs': '',
    'thin/Cargo.toml': addon('thin', '', 'inner = { path = "../inner" }'),
    'thin/src/lib.rs': 'pub use inner::*;\n',
    'inner/Cargo.toml': lib('inner', 'napi = "3"\n'),
    'inner/src/lib.rs': '',
    'raw/Cargo.toml': addon('raw', '', ''),
    'raw/src/lib.rs': '#[no_mangle]\npub extern "C" fn napi_register_module_v1() {}\n',
    'python/Cargo.toml': addon('python', '', 'pyo3 = "0.22"\ninner = { path = "../inner" }'),
    'python/src/lib.rs': '',
    'c/Cargo.toml': addon('c-library', '', ''),
    'c/src/lib.rs': '#[no_mangle]\npub extern "C" fn start() {}\n',
    'web/Cargo.toml': addon('web', '', 'wasm-bindgen = "0.2"'),
    'web/src/lib.rs': '',
    'plain/Cargo.toml': lib('plain', 'napi = "3"\n'),
    'plain/src/lib.rs': '',
  });

  it.each([
    ['with-napi', true],
    ['with-neon', true],
    ['thin', true],
    ['raw', true],
    ['python', false],
    ['c-library', false],
    ['web', false],
    ['plain', false],
  ])('%s: %s', (name, expected) => {
    expect(model.isAddon(cargo(name))).toBe(expected);
  });
});

describe('links', () => {
  const { model, cargo } = memoryProject({
    'Cargo.toml': '[workspace]\nmembers = ["*"]\n',
    'alloc/Cargo.toml': lib('shared-alloc'),
    'alloc/src/lib.rs': '',
    'a/Cargo.toml': addon('a', '', 'napi = "3"\nshared-alloc = { path = "../alloc" }'),
    'a/src/lib.rs':
      '//! extern crate shared_alloc;\n// use shared_alloc::x;\n#[cfg(not(target_family = "wasm"))]\n#[allow(unused)]\nextern crate shared_alloc;\n',
    'b/Cargo.toml': addon('b', '', 'napi = "3"\nmid = { path = "../mid" }'),
    'b/src/lib.rs': 'mod x;\n',
    'b/src/x.rs': 'fn f() { mid::g(); }\n',
    'mid/Cargo.toml': lib('mid', 'memory = { path = "../alloc", package = "shared-alloc" }\n'),
    'mid/src/lib.rs': 'pub use memory::*;\n',
    'c/Cargo.toml': addon('c', '', 'napi = "3"\nshared-alloc = { path = "../alloc" }'),
    'c/src/lib.rs': '// shared_alloc is not named by code\nuse crate::shared_alloc::x;\n',
    'c/src/main.rs': 'extern crate shared_alloc;\nfn main() {}\n',
    'd/Cargo.toml': addon('d', '[dev-dependencies]\nshared-alloc = { path = "../alloc" }\n'),
    'd/src/lib.rs': 'use shared_alloc::x;\n',
    'tool/Cargo.toml': lib('tool', 'shared-alloc = { path = "../alloc" }\n'),
    'tool/src/main.rs': 'extern crate shared_alloc;\nfn main() {}\n',
    'far/Cargo.toml': addon('far', '', 'napi = "3"\na = { path = "../a" }'),
    'far/src/lib.rs': 'use a::x;\n',
  });
  const reached = new Map(model.addonsReaching(cargo('shared-alloc')).map((reach) => [reach.addon.name, reach]));

  it('lead to the addons whose library links the crate', () => {
    // `far` can't link `a`, which is only a cdylib; `d` needs the crate for tests only.
    expect([...reached.keys()].sort()).toEqual(['a', 'b', 'c']);
  });

  it('stand where code names the crate', () => {
    expect(reached.get('a')?.links).toMatchObject([
      {
        how: 'extern-crate',
        path: 'a/src/lib.rs',
        line: 5,
        column: 1,
        conditions: ['not(target_family = "wasm")'],
        dependency: { path: 'a/Cargo.toml', line: 10 },
      },
    ]);
    expect(
      reached.get('b')?.links.map(({ from, to, how, path, line }) => `${from}>${to} ${how} ${path}:${line}`),
    ).toEqual(['b>mid use b/src/x.rs:1', 'mid>shared-alloc use mid/src/lib.rs:1']);
    expect(reached.get('c')?.links).toMatchObject([{ how: 'dependency', path: 'c/Cargo.toml', line: 10 }]);
  });

  it('contain the addon itself', () => {
    expect(model.addonsReaching(cargo('a'))).toMatchObject([
      { addon: { name: 'a' }, links: [], crateType: { path: 'a/Cargo.toml', line: 6 } },
    ]);
    expect(model.hasDependents(cargo('shared-alloc'))).toBe(true);
    expect(model.hasDependents(cargo('tool'))).toBe(false);
  });
});
