/**
 * Builds the addons and D programs of fixtures/repros into the cache, each with its good twin, as far as there are compilers.
 *
 *   node scripts/repros.mjs      build, and say what was skipped and why
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = join(root, 'fixtures', 'repros');
const cache = join(root, 'node_modules', '.cache', 'lifetime-lint', 'repros');
const twins = ['bad', 'good'];

/** Runs a compiler; throws its output when it fails. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (result.status !== 0)
    throw new Error(`'${command} ${args.join(' ')}' failed:\n${result.stderr ?? ''}${result.error?.message ?? ''}`);
}

function hasCompiler(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function isFresh(output, inputs) {
  return existsSync(output) && inputs.every((input) => statSync(input).mtimeMs <= statSync(output).mtimeMs);
}

function buildRust(name, fixture, twin) {
  const { source, linkArguments = [] } = fixture[twin];
  const input = join(sources, name, source);
  const folder = join(cache, name, twin);
  const output = join(folder, 'addon.node');
  mkdirSync(folder, { recursive: true });
  if (!isFresh(output, [input])) {
    const platform =
      process.platform === 'darwin' ? ['-C', 'link-arg=-undefined', '-C', 'link-arg=dynamic_lookup'] : [];
    const link = linkArguments.flatMap((argument) => ['-C', `link-arg=${argument}`]);
    run('rustc', [
      '--edition',
      '2021',
      '--crate-type',
      'cdylib',
      '-O',
      '-g',
      ...platform,
      ...link,
      '-o',
      output,
      input,
    ]);
  }
  return { folder, addon: output };
}

function copyPackage(name, twin, folder) {
  cpSync(join(sources, name, twin), folder, { recursive: true });
  return folder;
}

let napiAddon;
function buildNapi() {
  if (napiAddon !== undefined) return napiAddon;
  const target = join(cache, 'target');
  run('cargo', ['build', '--release', '--locked', '--manifest-path', join(sources, 'napi-calls', 'Cargo.toml')], {
    env: { ...process.env, CARGO_TARGET_DIR: target },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const names = {
    linux: 'liblifetime_lint_repros.so',
    darwin: 'liblifetime_lint_repros.dylib',
    win32: 'lifetime_lint_repros.dll',
  };
  napiAddon = join(target, 'release', names[process.platform] ?? names.linux);
  return napiAddon;
}

function buildD(name, fixture, twin) {
  const inputs = [`${twin}.d`, ...(fixture.sources ?? [])].map((file) => join(sources, name, file));
  const folder = join(cache, name);
  const output = join(folder, process.platform === 'win32' ? `${twin}.exe` : twin);
  mkdirSync(folder, { recursive: true });
  if (!isFresh(output, inputs))
    run('ldc2', ['-g', ...(fixture.compilerFlags ?? []), `-of=${output}`, `-od=${folder}`, ...inputs]);
  return output;
}

/** The arguments of `repro` for one twin, or throws when it cannot be built. */
function prepare(name, fixture, twin) {
  switch (fixture.kind) {
    case 'rust': {
      const { addon } = buildRust(name, fixture, twin);
      const driver = fixture.driver === undefined ? [] : ['--driver', join(sources, name, fixture.driver)];
      return [addon, '--scenario', fixture.scenario, ...driver];
    }
    case 'rust-package':
      return [copyPackage(name, twin, buildRust(name, fixture, twin).folder), '--scenario', fixture.scenario];
    case 'napi-package': {
      const folder = join(cache, name, twin);
      mkdirSync(folder, { recursive: true });
      copyFileSync(buildNapi(), join(folder, 'addon.node'));
      return [copyPackage(name, twin, folder), '--scenario', fixture.scenario];
    }
    case 'd':
      return ['--command', buildD(name, fixture, twin)];
    default:
      throw new Error(`The kind '${fixture.kind}' of fixture '${name}' is unknown.`);
  }
}

const compilers = { rust: 'rustc', 'rust-package': 'rustc', 'napi-package': 'cargo', d: 'ldc2' };

/** Every fixture with the arguments of both twins, or the reason why it was skipped. */
export function buildRepros(wanted = []) {
  const fixtures = JSON.parse(readFileSync(join(sources, 'repros.json'), 'utf8'));
  const present = new Map();
  return Object.entries(fixtures)
    .filter(([name]) => wanted.length === 0 || wanted.includes(name))
    .map(([name, fixture]) => {
      const compiler = compilers[fixture.kind];
      if (!present.has(compiler)) present.set(compiler, hasCompiler(compiler));
      if (!present.get(compiler)) return { name, fixture, skipped: `'${compiler}' is not installed` };
      if (process.platform === 'win32' && fixture.kind.startsWith('rust'))
        return { name, fixture, skipped: 'it uses pthreads, which Windows does not have' };
      const [bad, good] = twins.map((twin) => [...prepare(name, fixture, twin), ...(fixture.flags ?? [])]);
      return { name, fixture, bad, good };
    });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, skipped } of buildRepros(process.argv.slice(2))) {
    process.stdout.write(skipped === undefined ? `built    ${name}\n` : `skipped  ${name}: ${skipped}\n`);
  }
}
