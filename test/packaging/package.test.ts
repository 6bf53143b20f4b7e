import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findKind } from '../../src/discover/languages.js';
import { builtCli } from '../support/built-cli.js';
import { run } from '../support/run.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(root + path, 'utf8');

interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

// The manifest of this package; what is missing makes the expectations below fail.
const manifest = JSON.parse(read('package.json')) as Manifest;

describe('the package', () => {
  let files: readonly { readonly path: string; readonly size: number; readonly mode: number }[];

  beforeAll(() => {
    builtCli();
    const { stdout } = run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      shell: process.platform === 'win32',
    });
    // The format of npm pack --json.
    const [packed] = JSON.parse(stdout) as { files: typeof files }[];
    files = packed?.files ?? [];
  });

  it('holds the command, both grammars with licence and provenance, and every rule page', () => {
    const paths = files.map((file) => file.path);
    const grammars = ['tree-sitter-d', 'tree-sitter-rust'].flatMap((name) =>
      ['LICENSE.txt', 'provenance.json', 'wasm'].map((ending) => `dist/grammars/${name}.${ending}`),
    );
    expect(paths).toEqual(
      expect.arrayContaining(['dist/cli.js', 'dist/index.d.ts', 'LICENSE', 'README.md', ...grammars]),
    );
    const pages = run('git', ['ls-files', 'docs/rules/*.md'], { cwd: root }).stdout.trim().split('\n');
    expect(paths).toEqual(expect.arrayContaining(pages));
  });

  it('holds nothing that is of use to this repository only, and stays small', () => {
    expect(
      files.filter((file) => !/^(dist\/|docs\/rules\/|schema\/|package\.json$|LICENSE$|README\.md$)/.test(file.path)),
    ).toEqual([]);
    expect(files.filter((file) => /(^|\/)\.|\.tsbuildinfo$|\.test\./.test(file.path))).toEqual([]);
    expect(files.reduce((sum, file) => sum + file.size, 0)).toBeLessThan(12 * 1024 * 1024);
  });

  it.runIf(process.platform !== 'win32')('has a command that can be run', () => {
    expect(files.find((file) => file.path === 'dist/cli.js')?.mode).toBe(0o755);
    expect(run(`${root}dist/cli.js`, ['--version'])).toMatchObject({ status: 0, stdout: `${manifest.version}\n` });
  });

  it('has a command of one file, in which each module still finds what lies beside it', () => {
    const joined = files.map(({ path }) => path).filter((path) => path.startsWith('dist/joined/'));
    expect(joined.sort()).toEqual(['dist/joined/LICENSES.txt', 'dist/joined/main.cjs']);
    const text = read('dist/joined/main.cjs');
    expect(
      createHash('sha256')
        .update(text.slice(text.indexOf('\n') + 1))
        .digest('hex'),
    ).toBe(/^\/\/ (\w+)\n/.exec(text)?.[1]);
    const places = [...text.matchAll(/new URL\(`\.\.\/([^`]+)`, ?require\("url"\)/g)];
    expect(places.length).toBeGreaterThan(5);
    for (const [, place = ''] of places) expect(statSync(`${root}dist/${place}`).isFile()).toBe(true);
    // The programs that a minimal test is made of are texts, and lie elsewhere.
    expect(text).toContain("new URL('./inputs/', import.meta.url)");
  });

  it('brings the licence of every package whose code is joined in', () => {
    const licences = read('dist/joined/LICENSES.txt');
    // What is found from where it is installed.
    const outside = ['toml-eslint-parser', 'web-tree-sitter', 'yaml'];
    const joined = Object.keys(manifest.dependencies).filter((name) => !outside.includes(name));
    const text = read('dist/joined/main.cjs');
    for (const name of joined) expect(text).not.toMatch(new RegExp(`require\\(["'\`]${name}["'\`]\\)`));
    expect(text).toMatch(/require\(["'`]web-tree-sitter["'`]\)/);
    for (const name of joined)
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\\n(?:(?!^---$)[^])*Permission`, 'im'));
  });

  it('passes publint', async () => {
    const { messages } = await publint({ pkgDir: root, level: 'warning', strict: true });
    expect(messages).toEqual([]);
  });

  it('says where each grammar came from', () => {
    for (const name of ['tree-sitter-d', 'tree-sitter-rust']) {
      expect(JSON.parse(read(`dist/grammars/${name}.provenance.json`))).toMatchObject({
        grammar: name,
        version: manifest.devDependencies[name],
        wasmSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      expect(read(`dist/grammars/${name}.LICENSE.txt`)).toMatch(/MIT/);
    }
  });
});

describe('the repository', () => {
  it('holds no binary', () => {
    const tracked = run('git', ['ls-files', '-z'], { cwd: root }).stdout.split('\0').filter(Boolean);
    expect(tracked.filter((path) => /\.(wasm|node|so|dll|dylib|exe|a|o|tgz)$/.test(path))).toEqual([]);
  });

  it('pins its development dependencies', () => {
    expect(
      Object.entries(manifest.devDependencies).filter(([, range]) => !/^\d+\.\d+\.\d+(-[\w.-]+)?$/.test(range)),
    ).toEqual([]);
  });

  it('depends on nothing that npm would have to compile or run at install time', () => {
    // The fields of a lockfile that matter here.
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Readonly<Record<string, { dev?: boolean; devOptional?: boolean; hasInstallScript?: boolean }>>;
    };
    const shipped = Object.entries(lock.packages).filter(
      ([path, entry]) => path !== '' && entry.dev !== true && entry.devOptional !== true,
    );
    expect(shipped.length).toBeGreaterThan(0);
    expect(shipped.filter(([, entry]) => entry.hasInstallScript === true)).toEqual([]);
  });

  it('has a lockfile without holes, which npm ci would refuse', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Readonly<Record<string, { optionalDependencies?: Readonly<Record<string, string>> }>>;
    };
    // As Node looks for them: in node_modules here and further out.
    const isLocked = (name: string, from: string): boolean =>
      packages[`${from}node_modules/${name}`] !== undefined ||
      (from !== '' && isLocked(name, from.slice(0, from.lastIndexOf('node_modules/'))));
    const holes = Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter((name) => !isLocked(name, path === '' ? '' : `${path}/`)),
    );
    expect(holes).toEqual([]);
  });

  it.runIf(process.platform !== 'win32')('has an executable .ci/run that calls the test command of the README', () => {
    expect(statSync(`${root}.ci/run`).mode & 0o111).toBe(0o111);
    expect(read('.ci/run')).toMatch(/^step 'npm test' npm test$/m);
    expect(read('README.md')).toMatch(/^npm test(\s+#.*)?$/m);
  });

  it('is set up by two commands, as the README says', () => {
    expect(read('README.md')).toMatch(/^npm ci --ignore-scripts && npm run demo(\s+#.*)?$/m);
    expect(manifest.scripts).toMatchObject({
      demo: expect.any(String),
      test: expect.any(String),
      pretest: expect.any(String),
    });
  });
});

describe('the pre-commit hook', () => {
  // The format of .pre-commit-hooks.yaml.
  const [hook] = parse(read('.pre-commit-hooks.yaml')) as [Readonly<Record<string, unknown>>];

  it('runs the command once for all files', () => {
    expect(hook).toMatchObject({
      id: 'lifetime-lint',
      entry: 'lifetime-lint',
      language: 'node',
      require_serial: true,
      types: ['text'],
    });
  });

  it.each(['a.rs', 'a/b.d', 'b.di', 'x.js', 'x.mts', 'x.tsx', 'Cargo.toml', 'a/package.json', 'dub.sdl', 'dub.json'])(
    'is given %s',
    (path) => {
      expect(path).toMatch(new RegExp(String(hook['files'])));
      expect(findKind(path)).toBeDefined();
    },
  );

  it.each(['README.md', 'a.rsx', 'a.dd', 'xCargo.toml', 'Cargo.toml.bak', 'd', 'conf.d/x'])(
    'is not given %s',
    (path) => {
      expect(path).not.toMatch(new RegExp(String(hook['files'])));
    },
  );
});
