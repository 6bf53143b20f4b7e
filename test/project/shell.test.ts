import { describe, expect, it } from 'vitest';
import { readAction, type Action, type BuildFlags } from '../../src/project/commands.js';
import { readShell } from '../../src/project/shell.js';

const words = (text: string): readonly (readonly string[])[] =>
  readShell(text).map((command) => command.words.map((word) => word.text));
const actions = (text: string): readonly Action[] => readShell(text).flatMap((command) => readAction(command.words));

function flags(text: string): BuildFlags {
  const found = actions(text).find((action) => action.kind === 'build');
  if (found?.kind !== 'build') throw new Error(`'${text}' is not read as a build`);
  return found.flags;
}

describe('readShell', () => {
  it.each([
    ['a b && c "d e" || f', [['a', 'b'], ['c', 'd e'], ['f']]],
    ["a 'b && c'; d # e\nf", [['a', 'b && c'], ['d'], ['f']]],
    ['a \\\n  b', [['a', 'b']]],
    ['if true; then a; fi', [['true'], ['a'], ['fi']]],
    ['a > log 2>&1 && b', [['a'], ['b']]],
    ['a --x=${{ matrix.y }} b', [['a', '--x=${{ matrix.y }}', 'b']]],
    ['a $(b c) d', [['a', '$(b c)', 'd']]],
    ['(a; b)', [['a'], ['b']]],
    ['a "b\\"c"', [['a', 'b"c']]],
    ["a 'open", [['a', 'open']]],
    ['', []],
  ])('splits %j', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  it('knows the line of each command and what a variable decides', () => {
    const commands = readShell('one\ntwo \\\n --x $Y\nthree');
    expect(commands.map(({ line }) => line)).toEqual([0, 1, 3]);
    expect(commands[1]?.words.map(({ dynamic }) => dynamic)).toEqual([false, false, true]);
  });
});

describe('readAction', () => {
  it.each([
    ['napi build --platform --release --features a,b', { features: ['a', 'b'], release: 'yes' }],
    ['npx napi build --features "a b" -F c', { features: ['a', 'b', 'c'] }],
    ['FOO=1 cross-env BAR=2 napi build -- --features x --features=y', { features: ['x', 'y'] }],
    ['pnpm napi build', undefined],
    [
      'cargo +nightly build -p addon --no-default-features --all-features',
      { packages: ['addon'], noDefaultFeatures: true, allFeatures: true },
    ],
    ['cargo build --manifest-path native/Cargo.toml', { manifestPath: 'native/Cargo.toml' }],
    ['cargo xwin build --target x86_64-pc-windows-msvc', { triples: ['x86_64-pc-windows-msvc'] }],
    [
      'cross build --release --target=aarch64-unknown-linux-gnu',
      { triples: ['aarch64-unknown-linux-gnu'], release: 'yes' },
    ],
    ['napi build --cargo-cwd ../crate --profile dist', { cwd: '../crate', release: 'unknown' }],
    ['cargo-cp-artifact -nc index.node -- cargo build --release', { release: 'yes', features: [] }],
    ['napi build --features ${{ matrix.features }}', { open: true, features: [] }],
    ['napi build --target ${{ matrix.target }} --features a', { open: false, features: ['a'], triples: [] }],
    ['cargo build $FLAGS', { open: true }],
    ['cargo build --workspace', { workspace: true }],
    ['cargo rustc -p a --features x -- -C link-arg=-s', { features: ['x'], packages: ['a'] }],
    ['napi build --cargo-flags="--features z --no-default-features"', { features: ['z'], noDefaultFeatures: true }],
  ])('reads the flags of %j', (text, expected) => {
    if (expected === undefined) expect(actions(text)).toMatchObject([{ kind: 'script', name: 'napi' }]);
    else expect(flags(text)).toMatchObject(expected);
  });

  it.each([
    'cargo test --features a',
    'cargo bench',
    'cargo build --bin tool',
    'napi artifacts',
    'napi version',
    'npm install napi',
    'cargo clippy --all-features',
    'echo napi build',
  ])('sees no build in %j', (text) => {
    expect(actions(text).filter((action) => action.kind === 'build')).toEqual([]);
  });

  it.each([
    ['npm run build -- --features a', { name: 'build', where: { in: 'here' } }, ['--features', 'a']],
    ['npm run build --silent', { name: 'build' }, []],
    ['pnpm run build --features a', { name: 'build' }, ['--features', 'a']],
    ['yarn build --features a', { name: 'build' }, ['--features', 'a']],
    ['pnpm --filter @x/y build --release', { where: { in: 'filter', patterns: ['@x/y'] } }, ['--release']],
    ['pnpm -F "./napi/*" run build', { where: { in: 'filter', patterns: ['./napi/*'] } }, []],
    ['npm run build -w pkg', { where: { in: 'filter', patterns: ['pkg'] } }, []],
    ['npm run build --workspace=pkg -- -x', { where: { in: 'filter', patterns: ['pkg'] } }, ['-x']],
    ['yarn workspace pkg run build', { where: { in: 'filter', patterns: ['pkg'] } }, []],
    ['yarn workspaces foreach -A run build', { where: { in: 'all' } }, []],
    ['pnpm -r build', { where: { in: 'all' } }, []],
    ['npm --prefix native run build', { where: { in: 'folder', path: 'native' } }, []],
    ['run-s build:native', { name: 'build:native' }, []],
    ['npm-run-all "build -- --release"', { name: 'build' }, ['--release']],
    ["pnpm run '/^build-(a|b)$/'", { pattern: true }, []],
    ['lerna run build', { where: { in: 'all' } }, []],
  ])('follows %j', (text, expected, args) => {
    const [action] = actions(text);
    expect(action).toMatchObject({ kind: 'script', ...expected });
    expect(action?.kind === 'script' ? action.args.map((word) => word.text) : undefined).toEqual(args);
  });

  it('looks into quoted commands, files and folders', () => {
    expect(actions('docker run -v x image sh -c "cargo build --release"')).toMatchObject([
      { kind: 'nested', text: 'cargo build --release' },
    ]);
    expect(actions('concurrently "pnpm build" "pnpm watch"')).toHaveLength(2);
    expect(actions('node scripts/build.js --release')).toMatchObject([{ kind: 'file', path: 'scripts/build.js' }]);
    expect(actions('cd native && napi build')).toMatchObject([{ kind: 'folder', path: 'native' }, { kind: 'build' }]);
  });
});
