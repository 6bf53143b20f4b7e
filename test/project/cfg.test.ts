import { describe, expect, it } from 'vitest';
import type { Tri } from '../../src/model/project.js';
import { evaluateCfgText, findFeatures, readCfg } from '../../src/project/cfg.js';
import { describeTriple, publishedTriples, readTriple, summariseTriples } from '../../src/project/triples.js';

const windows = 'x86_64-pc-windows-msvc';
const mac = 'aarch64-apple-darwin';
const gnu = 'x86_64-unknown-linux-gnu';
const musl = 'aarch64-unknown-linux-musl';
const arm = 'armv7-unknown-linux-gnueabihf';
const wasi = 'wasm32-wasip1-threads';
const bsd = 'x86_64-unknown-freebsd';
const android = 'armv7-linux-androideabi';
const s390x = 's390x-unknown-linux-gnu';

function value(expression: string, triple: string, features: Readonly<Record<string, Tri>> = {}, release?: Tri): Tri {
  return evaluateCfgText(expression, {
    triple,
    features: new Map(Object.entries(features)),
    ...(release === undefined ? {} : { release }),
  });
}

describe('cfg on a triple', () => {
  it.each([
    ['windows', windows, 'yes'],
    ['unix', windows, 'no'],
    ['unix', android, 'yes'],
    ['unix', wasi, 'no'],
    ['target_os = "macos"', mac, 'yes'],
    ['target_os = "android"', android, 'yes'],
    ['target_os = "linux"', android, 'no'],
    ['target_os = "wasi"', wasi, 'yes'],
    ['target_family = "wasm"', wasi, 'yes'],
    ['target_arch = "arm"', arm, 'yes'],
    ['target_arch = "arm"', android, 'yes'],
    ['target_arch = "x86"', 'i686-pc-windows-msvc', 'yes'],
    ['target_arch = "riscv64"', 'riscv64gc-unknown-linux-gnu', 'yes'],
    ['target_arch = "powerpc64"', 'powerpc64le-unknown-linux-gnu', 'yes'],
    ['target_endian = "big"', 'powerpc64le-unknown-linux-gnu', 'no'],
    ['target_endian = "big"', s390x, 'yes'],
    ['target_env = "musl"', musl, 'yes'],
    ['target_env = "gnu"', arm, 'yes'],
    ['target_env = "msvc"', windows, 'yes'],
    ['target_env = ""', mac, 'yes'],
    ['target_abi = "eabihf"', arm, 'yes'],
    ['target_vendor = "apple"', mac, 'yes'],
    ['target_vendor = "pc"', windows, 'yes'],
    ['target_pointer_width = "64"', arm, 'no'],
    ['target_pointer_width = "32"', 'i686-pc-windows-msvc', 'yes'],
    ['target_env = "ohos"', 'aarch64-unknown-linux-ohos', 'yes'],
    ['target_os = "freebsd"', bsd, 'yes'],
    ['target_feature = "crt-static"', windows, 'unknown'],
    ['tokio_unstable', gnu, 'unknown'],
    ['panic = "unwind"', gnu, 'unknown'],
    ['panic = "abort"', wasi, 'yes'],
    ['miri', gnu, 'no'],
    ['test', gnu, 'no'],
    ['true', gnu, 'yes'],
    ['any()', gnu, 'no'],
    ['all()', gnu, 'yes'],
  ] as const)('%s on %s is %s', (expression, triple, expected) => {
    expect(value(expression, triple)).toBe(expected);
  });

  it.each([
    ['all(unix, custom)', gnu, 'unknown'],
    ['all(windows, custom)', gnu, 'no'],
    ['any(unix, custom)', gnu, 'yes'],
    ['any(windows, custom)', gnu, 'unknown'],
    ['not(custom)', gnu, 'unknown'],
    ['not(any(target_os = "linux", target_os = "windows"))', mac, 'yes'],
    ['cfg(not(target_family = "wasm"))', wasi, 'no'],
    ['#[cfg(all(not(windows), // but not here\n target_pointer_width = "64",))]', gnu, 'yes'],
    ['all(unix', gnu, 'unknown'],
    ['feature == "x"', gnu, 'unknown'],
  ] as const)('%s on %s is %s, with Kleene’s connectives', (expression, triple, expected) => {
    expect(value(expression, triple)).toBe(expected);
  });

  it('asks features and builds', () => {
    expect(value('feature = "a"', gnu)).toBe('no');
    expect(value('feature = "a"', gnu, { a: 'yes' })).toBe('yes');
    expect(value('not(feature = "a")', gnu, { a: 'unknown' })).toBe('unknown');
    expect(value('debug_assertions', gnu)).toBe('unknown');
    expect(value('not(debug_assertions)', gnu, {}, 'yes')).toBe('yes');
  });

  it('finds the features that are asked about', () => {
    const expression = readCfg('all(feature = "a", any(not(feature = "b"), unix), feature = "a")');
    expect(expression && findFeatures(expression)).toEqual(['a', 'b']);
  });
});

describe('triples', () => {
  it('are all known to the parts', () => {
    for (const triple of publishedTriples) {
      const { os, arch } = readTriple(triple);
      expect(`${os} ${arch}`).not.toMatch(/unknown|none|^ /);
    }
  });

  it('are told in few words', () => {
    expect(summariseTriples([windows, 'i686-pc-windows-msvc', 'aarch64-pc-windows-msvc', mac], publishedTriples)).toBe(
      'Windows and macOS arm64',
    );
    expect(
      summariseTriples(
        publishedTriples.filter((triple) => triple !== arm),
        publishedTriples,
      ),
    ).toContain('Linux (gnu) except arm');
    expect(summariseTriples([], publishedTriples)).toBe('no target');
    expect(describeTriple(musl)).toBe('Linux arm64 musl');
  });
});
