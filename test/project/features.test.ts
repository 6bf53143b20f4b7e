import { describe, expect, it } from 'vitest';
import { addon, memoryProject } from './memory-project.js';

const gnu = 'x86_64-unknown-linux-gnu';
const windows = 'x86_64-pc-windows-msvc';

function files(scripts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return {
    'Cargo.toml': '[workspace]\nmembers = ["addon", "mid", "leaf", "only-windows"]\n',
    'addon/Cargo.toml': addon(
      'addon',
      'mid = { path = "../mid", default-features = false }\nleaf = { path = "../leaf", optional = true }\n\n[target.\'cfg(windows)\'.dependencies]\nonly-windows = { path = "../only-windows" }\n\n[features]\ndefault = ["base"]\nbase = []\nextra = ["mid/deep", "leaf?/soft"]\nwith-leaf = ["dep:leaf"]\n',
    ),
    'addon/src/lib.rs': 'use mid::x;\nuse leaf::y;\n',
    'addon/package.json': JSON.stringify({ name: 'js', napi: {}, scripts }, null, 2),
    'mid/Cargo.toml':
      '[package]\nname = "mid"\nversion = "1.0.0"\n\n[dependencies]\nleaf = { path = "../leaf", features = ["hard"] , optional = true }\n\n[features]\ndefault = ["never"]\nnever = []\ndeep = ["leaf"]\n',
    'mid/src/lib.rs': 'pub use leaf::y;\n',
    'leaf/Cargo.toml': '[package]\nname = "leaf"\nversion = "1.0.0"\n\n[features]\nhard = []\nsoft = []\n',
    'leaf/src/lib.rs': '',
    'only-windows/Cargo.toml': '[package]\nname = "only-windows"\nversion = "1.0.0"\n',
    'only-windows/src/lib.rs': '',
  };
}

function contents(scripts: Readonly<Record<string, string>>, triple = gnu) {
  const project = memoryProject(files(scripts));
  const [build] = project.model.buildsOf(project.cargo('addon'));
  if (build === undefined) throw new Error('There is no build.');
  const inside = project.model.contentsOf(build, triple);
  return {
    linked: (name: string) => inside.isLinked(project.cargo(name)),
    features: (name: string) => Object.fromEntries(inside.featuresOf(project.cargo(name))),
    trail: (name: string, feature: string) =>
      inside.trailOf(project.cargo(name), feature).map((step) => `${step.path}:${step.line} ${step.note}`),
  };
}

describe('what a build contains', () => {
  it('follows defaults, and leaves out what is optional', () => {
    const { linked, features } = contents({ build: 'napi build' });
    expect(features('addon')).toEqual({ default: 'yes', base: 'yes', extra: 'no', 'with-leaf': 'no' });
    expect(features('mid')).toEqual({ default: 'no', never: 'no', deep: 'no', leaf: 'no' });
    expect([linked('mid'), linked('leaf'), linked('only-windows')]).toEqual(['yes', 'no', 'no']);
  });

  it('leaves defaults out when it is told to', () => {
    expect(contents({ build: 'napi build --no-default-features' }).features('addon')).toMatchObject({ base: 'no' });
  });

  it('closes over pkg/feature, implied features and weak ones', () => {
    const { linked, features, trail } = contents({ build: 'napi build --features extra' });
    expect(features('mid')).toMatchObject({ deep: 'yes', leaf: 'yes' });
    expect(linked('leaf')).toBe('yes');
    // `leaf?/soft` is about the addon's own optional dependency, which nothing activates.
    expect(features('leaf')).toEqual({ hard: 'yes', soft: 'no' });
    expect(trail('mid', 'deep')).toEqual([
      "addon/package.json:5 Script 'build' of 'js' passes the feature 'extra'",
      "addon/Cargo.toml:19 'extra' of 'addon' turns on 'mid/deep'",
    ]);
  });

  it('turns weak features on once something else activates the dependency', () => {
    expect(contents({ build: 'napi build --features extra,with-leaf' }).features('leaf')).toEqual({
      hard: 'yes',
      soft: 'yes',
    });
    expect(contents({ build: 'napi build --all-features' }).features('leaf')).toEqual({ hard: 'yes', soft: 'yes' });
  });

  it('depends on the triple', () => {
    expect(contents({ build: 'napi build' }, windows).linked('only-windows')).toBe('yes');
  });

  it('does not know what an expression passes', () => {
    const { linked, features } = contents({ build: 'napi build $FLAGS' });
    expect(features('addon')).toEqual({ default: 'yes', base: 'yes', extra: 'unknown', 'with-leaf': 'unknown' });
    expect(linked('leaf')).toBe('unknown');
  });
});

describe('activation', () => {
  it('names who turns a feature on', () => {
    const project = memoryProject(files({ build: 'napi build --features extra' }));
    expect(project.model.activationOf(project.cargo('mid'), 'deep')).toMatchObject({
      state: 'yes',
      by: [
        { path: 'addon/package.json', line: 5 },
        { path: 'addon/Cargo.toml', line: 19 },
      ],
    });
    expect(project.model.activationOf(project.cargo('mid'), 'never')).toEqual({ state: 'no', by: [] });
  });
});
