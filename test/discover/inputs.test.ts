import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveInputs, type Discovered } from '../../src/discover/inputs.js';
import { findKind } from '../../src/discover/languages.js';
import { UsageError } from '../../src/model/usage-error.js';
import { asOrdinaryUser, hasPermissions } from '../support/unprivileged.js';

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-discover-')));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', '-c', 'init.defaultBranch=main'];
  execFileSync('git', [...identity, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}

const filesOf = (found: Discovered): Record<string, string[]> =>
  Object.fromEntries(found.units.map((unit) => [unit.root, unit.files.map((file) => file.path)]));

const askedOf = (found: Discovered): string[] =>
  found.units.flatMap((unit) => unit.files.filter((file) => unit.asked(file.path)).map((file) => file.path));

const crate = '[package]\nname = "a"\n';

describe.each(['with git', 'without git'])('%s', (mode) => {
  const commit = (): void => {
    if (mode !== 'with git') return;
    git('init', '-q');
    git('add', '-A');
    git('commit', '-qm', 'start');
  };

  it('lists what the scan can use and nothing that is ignored', () => {
    write({
      'Cargo.toml': crate,
      'src/lib.rs': '',
      'src/pool.d': '',
      'src/pool.di': '',
      'index.js': '',
      'README.md': '',
      '.gitignore': '/ignored\n*.tmp.rs\n!keep.tmp.rs\n',
      'ignored/a.rs': '',
      'src/b.tmp.rs': '',
      'src/keep.tmp.rs': '',
      'node_modules/x/index.js': '',
      '.yarn/releases/yarn-4.0.0.cjs': '',
    });
    write({ '.github/workflows/ci.yml': '', '.cargo/config.toml': '' });
    commit();
    write({ 'target/debug/build.rs': '', 'dist/index.js': '', 'src/.dub/x.d': '' });
    const found = resolveInputs([], folder);
    expect(found.base).toBe(folder);
    expect(filesOf(found)).toEqual({
      '': [
        '.cargo/config.toml',
        '.github/workflows/ci.yml',
        'Cargo.toml',
        'index.js',
        'src/keep.tmp.rs',
        'src/lib.rs',
        'src/pool.d',
        'src/pool.di',
      ].sort(),
    });
    expect(found.gaps).toEqual([]);
    expect(found.units[0]?.files.find((file) => file.path === 'src/pool.di')).toEqual({
      path: 'src/pool.di',
      abs: join(folder, 'src/pool.di'),
      language: 'd',
      size: 0,
    });
  });

  it('divides a folder into its outermost workspaces and the rest', () => {
    write({
      'package.json': '{}',
      'tools/x.js': '',
      'native/Cargo.toml': '[workspace]\n',
      'native/crates/a/Cargo.toml': crate,
      'native/crates/a/src/lib.rs': '',
      'engine/dub.sdl': '',
      'engine/source/app.d': '',
      'web/package.json': '{"workspaces": ["x"]}',
      'web/x/package.json': '{}',
      'addon/package.json': '{"napi": {}}',
      'addon/index.js': '',
    });
    commit();
    expect(filesOf(resolveInputs(['.'], folder))).toEqual({
      '': ['package.json', 'tools/x.js'],
      addon: ['addon/index.js', 'addon/package.json'],
      engine: ['engine/dub.sdl', 'engine/source/app.d'],
      native: ['native/Cargo.toml', 'native/crates/a/Cargo.toml', 'native/crates/a/src/lib.rs'],
      web: ['web/package.json', 'web/x/package.json'],
    });
  });

  it('reads the unit of a named file and asks for the file alone', () => {
    write({
      'package.json': '{}',
      'native/Cargo.toml': '[workspace]\n',
      'native/a/src/lib.rs': '',
      'native/a/src/grow.rs': '',
      'native/a/Cargo.toml': crate,
      'other/Cargo.toml': crate,
      'other/src/lib.rs': '',
    });
    commit();
    const found = resolveInputs(['src/lib.rs'], join(folder, 'native/a'));
    const prefix = mode === 'with git' ? 'native/' : '';
    expect(found.base).toBe(mode === 'with git' ? folder : join(folder, 'native'));
    expect(filesOf(found)).toEqual({
      [prefix.slice(0, -1)]: ['Cargo.toml', 'a/Cargo.toml', 'a/src/grow.rs', 'a/src/lib.rs'].map(
        (path) => prefix + path,
      ),
    });
    expect(askedOf(found)).toEqual([`${prefix}a/src/lib.rs`]);
    expect(found.named).toEqual([`${prefix}a/src/lib.rs`]);
    expect(found.listing.includes('package.json')).toBe(mode === 'with git');
  });

  it('asks for what lies in a named folder', () => {
    write({
      'Cargo.toml': '[workspace]\n',
      'a/src/lib.rs': '',
      'a/Cargo.toml': crate,
      'ab/src/lib.rs': '',
      'ab/Cargo.toml': crate,
    });
    commit();
    expect(askedOf(resolveInputs(['a'], folder))).toEqual(['a/Cargo.toml', 'a/src/lib.rs']);
  });

  it('says when there is nothing to scan', () => {
    write({ 'README.md': '' });
    commit();
    mkdirSync(join(folder, 'empty'));
    expect(resolveInputs(['empty'], folder)).toMatchObject({
      units: [],
      gaps: [{ kind: 'nothing-to-scan', path: mode === 'with git' ? 'empty' : '.' }],
    });
    expect(resolveInputs(['README.md'], folder).gaps).toEqual([
      {
        kind: 'nothing-to-scan',
        path: 'README.md',
        message: "'README.md' was not scanned, because it is neither Rust, D or JavaScript source nor a manifest.",
      },
    ]);
  });

  it('does not fail on a named file that is ignored', () => {
    write({ 'Cargo.toml': crate, 'src/lib.rs': '', 'src/out.rs': '', '.gitignore': 'out.rs\n' });
    commit();
    const found = resolveInputs(['src/out.rs', 'src/lib.rs'], folder);
    expect(askedOf(found)).toEqual(['src/lib.rs']);
    expect(found.named).toEqual(['src/lib.rs']);
    expect(found.gaps).toEqual([
      { kind: 'nothing-to-scan', path: 'src/out.rs', message: "'src/out.rs' was not scanned, because it is ignored." },
    ]);
  });

  it('refuses a path that is not there', () => {
    write({ 'Cargo.toml': crate });
    commit();
    expect(() => resolveInputs(['src/nowhere.rs'], folder)).toThrow(
      new UsageError("The path 'src/nowhere.rs' does not exist; name a file or folder that does."),
    );
  });

  it('survives links to nothing, in circles, to folders and to siblings', () => {
    write({ 'Cargo.toml': crate, 'src/lib.rs': '' });
    symlinkSync('nowhere.rs', join(folder, 'src/broken.rs'));
    symlinkSync('loop.rs', join(folder, 'src/loop.rs'));
    symlinkSync('..', join(folder, 'src/up'));
    symlinkSync('..', join(folder, 'src/up.rs'));
    symlinkSync('lib.rs', join(folder, 'src/same.rs'));
    commit();
    const found = resolveInputs([], folder);
    expect(filesOf(found)).toEqual({ '': ['Cargo.toml', 'src/lib.rs'] });
    expect(found.gaps).toEqual([
      {
        kind: 'unreadable',
        path: 'src/broken.rs',
        message: "'src/broken.rs' was not read: it is a symbolic link to nothing.",
      },
      {
        kind: 'unreadable',
        path: 'src/loop.rs',
        message: "'src/loop.rs' was not read: its symbolic links lead in a circle.",
      },
    ]);
    const named = resolveInputs(['src/broken.rs', 'src/loop.rs', 'src/same.rs'], folder);
    expect(askedOf(named)).toEqual(['src/lib.rs']);
    expect(named.gaps.map((gap) => gap.message)).toEqual(expect.arrayContaining(found.gaps.map((gap) => gap.message)));
  });

  it('knows folders that are named like files, and files above the limit', () => {
    write({ 'dub.json': '{}', 'conf.d/app.d': '', 'source/huge.d': '' });
    truncateSync(join(folder, 'source/huge.d'), 50 * 1024 * 1024);
    commit();
    const found = resolveInputs(['.'], folder);
    expect(filesOf(found)).toEqual({ '': ['conf.d/app.d', 'dub.json'] });
    expect(found.gaps).toMatchObject([{ kind: 'too-large', path: 'source/huge.d' }]);
    expect(askedOf(resolveInputs(['conf.d'], folder))).toEqual(['conf.d/app.d']);
  });

  it.runIf(hasPermissions)('reports a named pipe and does not open it', () => {
    write({ 'dub.json': '{}' });
    commit();
    execFileSync('mkfifo', [join(folder, 'pipe.d')]);
    expect(resolveInputs(['pipe.d'], folder).gaps).toMatchObject([
      { kind: 'unreadable', path: 'pipe.d', message: "'pipe.d' was not read, because it is not a regular file." },
    ]);
  });
});

describe('in a repository', () => {
  beforeEach(() => {
    write({ 'Cargo.toml': crate, 'src/lib.rs': '', 'src/old.rs': '// old\n', 'src/gone.rs': '' });
    git('init', '-q');
    git('add', '-A');
    git('commit', '-qm', 'start');
  });

  it('knows deleted and renamed files, staged or not', () => {
    rmSync(join(folder, 'src/gone.rs'));
    git('mv', 'src/old.rs', 'src/new.rs');
    const found = resolveInputs(['src/gone.rs', 'src/old.rs', 'src/new.rs'], folder);
    expect(askedOf(found)).toEqual(['src/new.rs']);
    expect(found.gaps).toEqual([
      { kind: 'vanished', path: 'src/gone.rs', message: "'src/gone.rs' is deleted; it was not scanned." },
      { kind: 'vanished', path: 'src/old.rs', message: "'src/old.rs' is deleted; it was not scanned." },
    ]);
    expect(resolveInputs(['src/gone.rs'], folder)).toMatchObject({ base: folder, units: [] });
    expect(resolveInputs(['.'], folder).gaps).toEqual([]);
  });

  it('lists untracked files, and tracked ones in folders called target', () => {
    write({ 'src/target/mod.rs': '' });
    git('add', '-f', 'src/target/mod.rs');
    write({ 'src/target/untracked.rs': '', 'src/fresh.rs': '', 'dist/x.js': '' });
    expect(askedOf(resolveInputs(['src'], folder))).toEqual([
      'src/fresh.rs',
      'src/gone.rs',
      'src/lib.rs',
      'src/old.rs',
      'src/target/mod.rs',
    ]);
  });

  it('ignores the variables that git gives to hooks, and programs that the repository configures', () => {
    const witness = join(folder, 'was-run');
    git('config', 'core.fsmonitor', `touch ${witness}; false`);
    process.env['GIT_DIR'] = join(folder, 'nowhere');
    try {
      const found = resolveInputs(['src/lib.rs'], folder);
      expect(askedOf(found)).toEqual(['src/lib.rs']);
      expect(found.gaps).toEqual([]);
    } finally {
      delete process.env['GIT_DIR'];
    }
    expect(existsSync(witness)).toBe(false);
  });

  it('walks the folder when git cannot tell, and says so', () => {
    renameSync(join(folder, '.git/HEAD'), join(folder, '.git/NOHEAD'));
    const found = resolveInputs([], folder);
    expect(filesOf(found)).toEqual({ '': ['Cargo.toml', 'src/gone.rs', 'src/lib.rs', 'src/old.rs'] });
    expect(found.gaps).toMatchObject([{ kind: 'unreadable', path: '.' }]);
  });

  it('lists a repository inside the repository', () => {
    write({ 'inner/src/lib.rs': '', 'inner/out.rs': '', 'inner/.gitignore': 'out.rs\n' });
    execFileSync('git', ['init', '-q', join(folder, 'inner')]);
    expect(askedOf(resolveInputs(['.'], folder))).toContain('inner/src/lib.rs');
    expect(askedOf(resolveInputs(['.'], folder))).not.toContain('inner/out.rs');
  });

  it('takes names with quotes, spaces, brackets and line breaks', () => {
    const names = ['src/a b.rs', 'src/[x].rs', 'src/it\'s "so".rs', 'src/ü\n.rs', '-n.rs'];
    write(Object.fromEntries(names.map((name) => [name, ''])));
    expect(
      askedOf(
        resolveInputs(
          names.map((name) => `./${name}`),
          folder,
        ),
      ),
    ).toEqual([...names].sort());
  });
});

describe('outside a repository', () => {
  it('takes the neighbours of a lone file for its unit, not all that lies below', () => {
    write({ 'a.d': '', 'b.d': '', 'deep/c.d': '' });
    const found = resolveInputs(['a.d'], folder);
    expect(found.base).toBe(folder);
    expect(filesOf(found)).toEqual({ '': ['a.d', 'b.d'] });
    expect(askedOf(found)).toEqual(['a.d']);
  });

  it('takes the common folder of several inputs for the base', () => {
    write({ 'x/a.d': '', 'y/deep/b.d': '' });
    const found = resolveInputs(['x', 'y/deep'], folder);
    expect(found.base).toBe(folder);
    expect(filesOf(found)).toEqual({ '': ['x/a.d', 'y/deep/b.d'] });
  });

  it.runIf(hasPermissions)('reports folders that cannot be listed', () => {
    write({ 'a.d': '', 'secret/b.d': '' });
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'secret'), 0);
    const found = asOrdinaryUser(() => resolveInputs(['.'], folder));
    chmodSync(join(folder, 'secret'), 0o700);
    expect(filesOf(found)).toEqual({ '': ['a.d'] });
    expect(found.gaps).toEqual([
      { kind: 'unreadable', path: 'secret', message: "'secret' could not be listed in full: permission is denied." },
    ]);
  });

  it.runIf(hasPermissions)('lists a unit once, however many of its files are named', () => {
    write({ 'dub.json': '{"name":"x"}', 'source/a.d': '', 'source/b.d': '', 'source/c.d': '', 'secret/d.d': '' });
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'secret'), 0);
    const found = asOrdinaryUser(() => resolveInputs(['source/a.d', 'source/b.d', 'source'], folder));
    chmodSync(join(folder, 'secret'), 0o700);
    expect(filesOf(found)).toEqual({ '': ['dub.json', 'source/a.d', 'source/b.d', 'source/c.d'] });
    expect(found.gaps).toHaveLength(1);
  });
});

it.each([
  ['a/Cargo.toml', 'manifest'],
  ['.cargo/config', 'manifest'],
  ['.github/workflows/x.yaml', 'manifest'],
  ['x.d.ts', 'javascript'],
  ['x.d', 'd'],
  ['.d', undefined],
  ['d', undefined],
  ['README', undefined],
  ['a.d/README', undefined],
])('the kind of %s is %s', (path, kind) => {
  expect(findKind(path)).toBe(kind);
});
