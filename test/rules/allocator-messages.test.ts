import { describe, expect, it } from 'vitest';
import { resolveInputs } from '../../src/discover/inputs.js';
import allocatorInAddon from '../../src/rules/allocator-in-addon.js';
import { scan } from '../../src/scan.js';
import { makeFolder } from '../cli/call-cli.js';

const optional = 'mimalloc = { version = "0.1", optional = true }';

function manifest(dependency: string, more = ''): string {
  return `[package]\nname = "addon"\nversion = "1.0.0"\n[lib]\ncrate-type = ["cdylib"]\n[dependencies]\nnapi = "3"\n${dependency}\n${more}`;
}

function library(cfg: string): string {
  return `${cfg}\n#[global_allocator]\nstatic GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;\n`;
}

async function messagesOf(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const folder = makeFolder({
    'package.json': JSON.stringify({
      name: 'addon',
      napi: { binaryName: 'addon' },
      scripts: { build: 'napi build --release' },
    }),
    ...files,
  });
  const { result } = await scan({ inputs: resolveInputs([folder], folder), rules: [allocatorInAddon] });
  return result.findings.map(({ severity, message }) => `${severity}: ${message}`);
}

describe('the message of allocator-in-addon', () => {
  it.each([
    [
      'names the line of the defaults',
      manifest(optional, '[features]\ndefault = ["fast"]\nfast = ["dep:mimalloc"]\n'),
      '#[cfg(feature = "fast")]',
      /^warning: .* on Windows, .*; the feature 'fast' is turned on by 'default' of 'addon' \(Cargo\.toml:10\), and nothing keeps/u,
    ],
    [
      'says what would have to be turned on',
      manifest(optional, '[features]\nfast = ["dep:mimalloc"]\n'),
      '#[cfg(feature = "fast")]',
      /^note: .* when 'fast' is turned on, which no manifest, script or workflow here does\.$/u,
    ],
    [
      'says what would have to be turned off',
      manifest('mimalloc = "0.1"', '[features]\ndefault = ["system"]\nsystem = []\n'),
      '#[cfg(not(feature = "system"))]',
      /^note: .* when 'system' is turned off, which no manifest, script or workflow here does\.$/u,
    ],
    [
      'names the targets that a cfg leaves',
      manifest('mimalloc = "0.1"'),
      '#[cfg(all(any(target_os = "linux", target_vendor = "apple"), not(target_arch = "arm")))]',
      /^note: .* on macOS, Linux \(gnu\) except arm and Linux \(musl\) except arm; Windows is excluded/u,
    ],
    [
      'names the targets that a dependency leaves',
      manifest('', '[target.x86_64-pc-windows-msvc.dependencies]\nmimalloc = "0.1"\n'),
      '#[cfg(windows)]',
      /^warning: 'mimalloc' \(0\.1, unlocked\) .* on Windows x64: /u,
    ],
  ])('%s', async (_name, cargo, cfg, expected) => {
    const messages = await messagesOf({ 'Cargo.toml': cargo, 'src/lib.rs': library(cfg) });
    expect(messages).toEqual([expect.stringMatching(expected)]);
  });

  it('knows the release mode', async () => {
    const debug = JSON.stringify({ name: 'addon', napi: {}, scripts: { build: 'napi build' } });
    const messages = await messagesOf({
      'Cargo.toml': manifest('mimalloc = "0.1"'),
      'src/lib.rs': library('#[cfg(not(debug_assertions))]'),
      'package.json': debug,
    });
    expect(messages).toEqual([expect.stringMatching(/^note: .* when it is built in release mode, which no /u)]);
  });
});
