import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultConfig } from '../../src/config/config.js';
import { resolveInputs } from '../../src/discover/inputs.js';
import { linkPackageFindings } from '../../src/engine/link-findings.js';
import type { Finding } from '../../src/model/finding.js';
import { loadProject } from '../../src/project/index.js';
import { rules } from '../../src/rules/index.js';
import { scan } from '../../src/scan.js';

const files: Readonly<Record<string, string>> = {
  'Cargo.toml': '[workspace]\nmembers = ["crates/*"]\n',
  'crates/image/Cargo.toml':
    '[package]\nname = "image-node"\nversion = "0.1.0"\n[lib]\ncrate-type = ["cdylib"]\n[dependencies]\ncore = { path = "../core" }\n',
  'crates/image/src/lib.rs': 'use core::run;\n',
  'crates/image/package.json': '{ "name": "image-node", "napi": { "binaryName": "image" } }',
  'crates/core/Cargo.toml': '[package]\nname = "core"\nversion = "0.1.0"\n',
  'crates/core/src/lib.rs': 'pub fn run() {}\n',
  'crates/other/Cargo.toml': '[package]\nname = "other-node"\nversion = "0.1.0"\n[lib]\ncrate-type = ["cdylib"]\n',
  'crates/other/src/lib.rs': 'pub fn run() {}\n',
  'crates/other/package.json': '{ "name": "other-node", "napi": { "binaryName": "other" } }',
  'packages/app/package.json': '{ "name": "app", "dependencies": { "image-node": "workspace:*" } }',
  'packages/plain/package.json': '{ "name": "plain" }',
};

function projects() {
  const project = loadProject(
    { root: '', base: '/', listing: Object.keys(files).sort(), readText: (path) => files[path], gap: () => undefined },
    {},
  );
  return new Map([['', project]]);
}

let count = 0;
function finding(ruleId: string, path: string): Finding {
  count += 1;
  return {
    fingerprint: `${ruleId}-${count}`,
    ruleId,
    messageId: 'm',
    message: 'It happens.',
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    unit: '',
    location: { path, startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 },
    steps: [],
  };
}

const relatedRules = (findings: readonly Finding[]) =>
  linkPackageFindings(findings, projects()).map(({ ruleId, related }) => [
    ruleId,
    (related ?? []).map((each) => each.replace(/-\d+$/u, '')),
  ]);

describe('findings of both sides', () => {
  it('the allocator, the worker that loads the addon, and the configuration that hides it', () => {
    expect(
      relatedRules([
        finding('allocator-in-addon', 'crates/image/src/lib.rs'),
        finding('addon-only-in-workers', 'packages/app/src/main.mjs'),
        finding('crash-masking-config', 'packages/app/vitest.config.ts'),
      ]),
    ).toEqual([
      ['allocator-in-addon', ['addon-only-in-workers', 'crash-masking-config']],
      ['addon-only-in-workers', ['allocator-in-addon', 'crash-masking-config']],
      ['crash-masking-config', ['allocator-in-addon', 'addon-only-in-workers']],
    ]);
  });

  it('names one of each rule before a second of any, when there are many', () => {
    const found = linkPackageFindings(
      [
        ...Array.from({ length: 9 }, () => finding('native-handle-undisposed', 'packages/app/src/a.mjs')),
        finding('allocator-in-addon', 'crates/image/src/lib.rs'),
        finding('addon-only-in-workers', 'packages/app/src/main.mjs'),
        finding('crash-masking-config', 'packages/app/vitest.config.ts'),
      ],
      projects(),
    );
    const related = found.at(-1)?.related ?? [];
    expect(related).toHaveLength(8);
    expect(related.slice(-2).map((each) => each.replace(/-\d+$/u, ''))).toEqual([
      'allocator-in-addon',
      'addon-only-in-workers',
    ]);
  });

  it('a crate that the addon links belongs to it', () => {
    expect(
      relatedRules([
        finding('buffer-off-thread', 'crates/core/src/lib.rs'),
        finding('buffer-mutated-in-flight', 'crates/image/test/a.js'),
      ]),
    ).toEqual([
      ['buffer-off-thread', ['buffer-mutated-in-flight']],
      ['buffer-mutated-in-flight', ['buffer-off-thread']],
    ]);
  });

  it.each([
    [
      'of another addon',
      'allocator-in-addon',
      'crates/other/src/lib.rs',
      'addon-only-in-workers',
      'packages/app/main.mjs',
    ],
    [
      'of another story',
      'buffer-off-thread',
      'crates/image/src/lib.rs',
      'addon-only-in-workers',
      'packages/app/main.mjs',
    ],
    [
      'of a package without an addon',
      'allocator-in-addon',
      'crates/image/src/lib.rs',
      'whole-backing-store',
      'packages/plain/a.js',
    ],
    [
      'of one rule',
      'crash-masking-config',
      'packages/app/vitest.config.ts',
      'crash-masking-config',
      'packages/app/package.json',
    ],
    ['of Rust alone', 'allocator-in-addon', 'crates/image/src/lib.rs', 'unpinned-addon', 'crates/image/Cargo.toml'],
  ])('not findings %s', (_name, one, onePath, two, twoPath) => {
    expect(relatedRules([finding(one, onePath), finding(two, twoPath)])).toEqual([
      [one, []],
      [two, []],
    ]);
  });

  it('names at most eight', () => {
    const many = Array.from({ length: 12 }, (_, index) =>
      finding('crash-masking-config', `packages/app/a${index}/vitest.config.ts`),
    );
    const [first] = linkPackageFindings(
      [finding('allocator-in-addon', 'crates/image/src/lib.rs'), ...many],
      projects(),
    );
    expect(first?.related).toHaveLength(8);
  });
});

describe('a scan', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-link-')));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('links what it found', async () => {
    const all = {
      ...files,
      'crates/image/index.js':
        "if (process.platform === 'win32') process.report.getReport();\nmodule.exports = require('./image.node');\n",
      'packages/app/vitest.config.mjs': 'export default { test: { maxWorkers: 1 } };\n',
    };
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const { result } = await scan({ inputs: resolveInputs(['.'], folder), config: defaultConfig, rules });
    const named = new Map(result.findings.map(({ fingerprint, ruleId }) => [fingerprint, ruleId]));
    const links = result.findings
      .filter(({ ruleId }) => ruleId === 'loader-process-report' || ruleId === 'crash-masking-config')
      .map(({ ruleId, related }) => [ruleId, (related ?? []).map((each) => named.get(each))]);
    expect(links).toEqual([
      ['loader-process-report', expect.arrayContaining(['crash-masking-config'])],
      ['crash-masking-config', expect.arrayContaining(['loader-process-report'])],
    ]);
  });
});
