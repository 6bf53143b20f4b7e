import { describe, expect, it } from 'vitest';
import type { CargoBuild } from '../../src/model/project.js';
import { addon, memoryProject } from './memory-project.js';

const crate = addon('addon', '[features]\ndefault = []\nfast = []\nsafe = []\n');
const files = (more: Readonly<Record<string, string>>): Readonly<Record<string, string>> => ({
  'native/Cargo.toml': crate,
  'native/src/lib.rs': '',
  ...more,
});

function scripts(commands: Readonly<Record<string, string>>, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ name: 'pkg', napi: { binaryName: 'x' }, scripts: commands, ...more }, null, 2);
}

function buildsOf(more: Readonly<Record<string, string>>): readonly CargoBuild[] {
  const project = memoryProject(files(more));
  return project.model.buildsOf(project.cargo('addon'));
}

/** Features of each build with their places, and whether all of it could be told. */
function told(builds: readonly CargoBuild[]): readonly string[] {
  return builds.map(
    (build) =>
      `${build.features.map((fact) => `${fact.value}@${fact.path}:${fact.line}`).join()}${build.open ? ' open' : ''}${build.assumed ? ' assumed' : ''}`,
  );
}

describe('builds of an addon', () => {
  it('follow nested scripts to the flags that they pass', () => {
    const builds = buildsOf({
      'native/package.json': scripts({
        dev: 'napi build --platform',
        build: 'npm run dev -- --release --features fast',
      }),
    });
    expect(told(builds)).toEqual(['', 'fast@native/package.json:8']);
    expect(builds[1]).toMatchObject({ release: 'yes', note: "script 'build' of 'pkg'", npm: { name: 'pkg' } });
    expect(builds[1]?.via.map((step) => step.note)).toEqual(["script 'build' of 'pkg'", "script 'dev' of 'pkg'"]);
  });

  it('follow filters from the root into workspaces', () => {
    const builds = buildsOf({
      'package.json': scripts({ release: 'pnpm --filter ./native run build --features safe' }),
      'native/package.json': scripts({ build: 'napi build --release' }),
    });
    expect(told(builds)).toEqual(['safe@package.json:7', '']);
  });

  it('follow npm-run-all, folders and chains', () => {
    const builds = buildsOf({
      'package.json': scripts({
        all: 'run-s clean "native -- --features fast"',
        clean: 'rm -rf dist',
        native: 'echo start && cd native && npx napi build',
      }),
    });
    expect(told(builds)).toEqual(['fast@package.json:7', '']);
  });

  it('end where scripts call each other in a circle', () => {
    expect(
      told(buildsOf({ 'native/package.json': scripts({ a: 'npm run b', b: 'npm run a && napi build' }) })),
    ).toEqual(['']);
  });

  it('read manifest paths, package names and working folders', () => {
    for (const command of [
      'napi build --manifest-path ../native/Cargo.toml --features fast',
      'cargo build -p addon --features fast',
      'napi build --cargo-cwd ../native --features fast',
    ]) {
      expect(
        told(
          buildsOf({
            'Cargo.toml': '[workspace]\nmembers = ["native"]\n',
            'js/package.json': scripts({ build: command }),
          }),
        ),
      ).toEqual(['fast@js/package.json:7']);
    }
  });

  it('read features that a matrix hands to a package script', () => {
    const workflow = [
      'jobs:',
      '  build:',
      '    strategy:',
      '      matrix:',
      '        settings:',
      '          - target: x86_64-unknown-linux-gnu',
      '            flags: --features fast',
      '          - target: x86_64-pc-windows-msvc',
      "            flags: ''",
      '    steps:',
      '      - run: yarn build --target ${{ matrix.settings.target }} ${{ matrix.settings.flags }}',
      '        working-directory: native',
      '',
    ].join('\n');
    const builds = buildsOf({
      'native/package.json': scripts({ build: 'napi build --release' }),
      '.github/workflows/ci.yml': workflow,
    });
    expect(builds.filter(({ features }) => features.length > 0).map(({ triples }) => triples)).toEqual([
      ['x86_64-unknown-linux-gnu'],
    ]);
  });

  it('read steps of workflows, with their folder, matrix and line', () => {
    const workflow = [
      'name: release',
      'jobs:',
      '  unrelated:',
      '    steps:',
      '      - run: echo hello',
      '  build:',
      '    defaults:',
      '      run:',
      '        working-directory: native',
      '    strategy:',
      '      matrix:',
      '        include:',
      '          - target: x86_64-pc-windows-msvc',
      '            build: napi build --target x86_64-pc-windows-msvc --features safe',
      '          - target: aarch64-apple-darwin',
      '            build: napi build --target aarch64-apple-darwin --features fast',
      '    steps:',
      '      - run: |',
      '          echo first',
      '          ${{ matrix.build }}',
      '',
    ].join('\n');
    const builds = buildsOf({ '.github/workflows/release.yml': workflow });
    expect(told(builds)).toEqual(['safe@.github/workflows/release.yml:14', 'fast@.github/workflows/release.yml:16']);
    expect(builds[0]?.triples).toEqual(['x86_64-pc-windows-msvc']);
  });

  it('read shell scripts and recipes', () => {
    expect(
      told(
        buildsOf({ 'scripts/release.sh': '#!/bin/sh\nset -e\ncargo build --release \\\n  -p addon --features fast\n' }),
      ),
    ).toEqual(['fast@scripts/release.sh:4']);
    expect(told(buildsOf({ justfile: 'set x := "y"\nrelease:\n  @cargo build -p addon --features fast\n' }))).toEqual([
      'fast@justfile:3',
    ]);
  });

  it('say when an expression may pass more', () => {
    expect(
      told(
        buildsOf({
          '.github/workflows/a.yml':
            'jobs:\n  a:\n    steps:\n      - run: napi build --features ${{ inputs.features }}\n        working-directory: native\n',
        }),
      ),
    ).toEqual([' open']);
  });

  it('read the literals of a build file without running it', () => {
    const builds = buildsOf({
      'native/package.json': scripts({ build: 'node scripts/build.js --release' }),
      'native/scripts/build.js':
        "const { spawn } = require('child_process');\nconst features = [];\nif (process.env.FAST) features.push('fast');\nspawn('napi', ['build', ...process.argv.slice(2), '--features', features.join()]);\n",
    });
    expect(told(builds)).toEqual(['']);
    expect(builds[0]).toMatchObject({
      release: 'yes',
      maybeFeatures: [{ value: 'fast', path: 'native/scripts/build.js', line: 3 }],
    });
  });

  it('read several features from one literal of a build file', () => {
    const builds = buildsOf({
      'native/package.json': scripts({ build: 'node scripts/build.js' }),
      'native/scripts/build.js':
        "const features = { linux: 'slow,fast' }[process.platform];\nspawn(`cargo build --features ${features}`);\n",
    });
    expect(builds[0]?.maybeFeatures.map(({ value, line }) => `${value} ${line}`)).toContain('fast 1');
  });

  it('are one assumed build when nothing in sight builds it', () => {
    expect(told(buildsOf({}))).toEqual([' open assumed']);
    expect(told(buildsOf({ 'native/package.json': scripts({ test: 'cargo test --features fast' }) }))).toEqual([
      ' open assumed',
    ]);
  });

  it('read nothing of it before they are asked for', () => {
    const project = memoryProject(
      files({ 'native/package.json': scripts({ build: 'napi build' }), '.github/workflows/a.yml': 'jobs: {}\n' }),
    );
    expect([...project.read]).toEqual(['native/Cargo.toml']);
  });

  it('leave a broken workflow as a gap', () => {
    const project = memoryProject(
      files({ '.github/workflows/a.yml': 'jobs:\n  a:\n    steps:\n      - run: "napi build --features x\n' }),
    );
    project.model.buildsOf(project.cargo('addon'));
    expect(project.gaps.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['manifest .github/workflows/a.yml']);
  });
});
