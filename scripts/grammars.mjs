/**
 * Makes the WASM grammars: tree-sitter-rust ships its own, tree-sitter-d only C sources, which are compiled here with a
 * clang that itself runs as WASM, so that neither a C compiler nor a network beyond npm is needed.
 *
 * The result of a compilation is cached under node_modules/.cache/lifetime-lint/grammars/<hash>/, where the hash covers
 * the sources, the flags and the compiler's version; the newest of each grammar lies beside under its plain name.
 *
 *   node scripts/grammars.mjs            fill the cache
 *   node scripts/grammars.mjs --to DIR   and copy grammars, licences and provenance into DIR
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withLock } from './lock.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(join(root, 'package.json'));

/** The folder that holds the newest of each grammar under its plain name. */
export const cacheFolder = join(root, 'node_modules', '.cache', 'lifetime-lint', 'grammars');

const compileFlags = ['--target=wasm32-wasip1', '-fPIC', '-Os', '-fvisibility=hidden', '-fno-exceptions', '-Isrc'];
const linkFlags = ['-m', 'wasm32', '-shared', '--experimental-pic', '--allow-undefined', '--no-entry'];

const grammars = [
  { name: 'tree-sitter-rust', licence: 'LICENSE', wasm: 'tree-sitter-rust.wasm' },
  {
    name: 'tree-sitter-d',
    licence: 'LICENSE.txt',
    symbol: 'tree_sitter_d',
    sources: ['src/parser.c', 'src/scanner.c'],
    headers: ['src/tree_sitter/parser.h', 'src/tree_sitter/alloc.h', 'src/tree_sitter/array.h'],
  },
];

const say = (line) => process.stderr.write(`${line}\n`);
const sha256 = (data) => createHash('sha256').update(data).digest('hex');

function packageFolder(name) {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    // @yowasp/clang exports no package.json, so look where npm puts it.
    const folder = join(root, 'node_modules', name);
    if (existsSync(join(folder, 'package.json'))) return folder;
    throw new Error(`The package '${name}' is not installed; run 'npm ci --ignore-scripts' in ${root}.`);
  }
}

const versionOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;

/** Writes through a temporary name, so that a reader never sees half a file. */
function writeWhole(path, data) {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, data);
  renameSync(temporary, path);
}

function existingHeaders(folder, headers) {
  return headers.filter((header) => existsSync(join(folder, header)));
}

/** Hash of all that decides the bytes of a compiled grammar. */
function keyOf(grammar, folder, compilerVersion) {
  const hash = createHash('sha256').update(
    JSON.stringify([grammar.name, grammar.symbol, compileFlags, linkFlags, compilerVersion]),
  );
  for (const file of [...grammar.sources, ...existingHeaders(folder, grammar.headers)]) {
    hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  }
  return hash.digest('hex').slice(0, 32);
}

/** Compiles and links in separate calls, because a program that runs as WASM cannot start another one. */
async function compile(grammar, folder) {
  const { runLLVM, Exit } = await import('@yowasp/clang').catch((error) => {
    throw new Error(
      `The compiler package '@yowasp/clang' cannot be loaded (${error.message}); run 'npm ci --ignore-scripts'.`,
    );
  });
  const output = [];
  const collect = (bytes) => {
    if (bytes) output.push(Buffer.from(bytes).toString());
  };
  const run = async (args, files, result) => {
    try {
      const made = (await runLLVM(args, files, { stdout: collect, stderr: collect, fetchProgress() {} }))[result];
      if (made instanceof Uint8Array) return made;
      throw new Error(`'${args[0]}' left no file '${result}'`);
    } catch (error) {
      const why = error instanceof Exit ? `'${args[0]}' ended with code ${error.code}` : error.message;
      throw new Error(`The grammar '${grammar.name}' could not be compiled: ${why}.\n${output.join('').trim()}`);
    }
  };

  const tree = {};
  for (const file of [...grammar.sources, ...existingHeaders(folder, grammar.headers)]) {
    const parts = file.split('/');
    let at = tree;
    for (const part of parts.slice(0, -1)) at = at[part] ??= {};
    at[parts.at(-1)] = readFileSync(join(folder, file));
  }
  const objects = {};
  for (const [index, source] of grammar.sources.entries()) {
    objects[`${index}.o`] = await run(['clang', ...compileFlags, '-c', source, '-o', 'out.o'], tree, 'out.o');
  }
  const link = ['wasm-ld', ...linkFlags, `--export=${grammar.symbol}`, ...Object.keys(objects), '-o', 'out.wasm'];
  return run(link, objects, 'out.wasm');
}

/** Fills `folder` with the grammar's three files and returns their names. */
function place(folder, grammar, wasm, licence, provenance) {
  mkdirSync(folder, { recursive: true });
  writeWhole(join(folder, `${grammar.name}.LICENSE.txt`), licence);
  writeWhole(join(folder, `${grammar.name}.provenance.json`), `${JSON.stringify(provenance, null, 2)}\n`);
  // Last, because its presence says that the rest is there.
  writeWhole(join(folder, `${grammar.name}.wasm`), wasm);
}

async function makeGrammar(grammar) {
  const folder = packageFolder(grammar.name);
  const version = versionOf(folder);
  const licence = readFileSync(join(folder, grammar.licence));

  if (grammar.wasm) {
    const wasm = readFileSync(join(folder, grammar.wasm));
    const stable = join(cacheFolder, `${grammar.name}.wasm`);
    if (existsSync(stable) && sha256(readFileSync(stable)) === sha256(wasm)) return;
    place(cacheFolder, grammar, wasm, licence, {
      grammar: grammar.name,
      version,
      how: 'copied from the package',
      wasmSha256: sha256(wasm),
    });
    return;
  }

  const compilerVersion = versionOf(packageFolder('@yowasp/clang'));
  const key = keyOf(grammar, folder, compilerVersion);
  const keyed = join(cacheFolder, key);
  const built = join(keyed, `${grammar.name}.wasm`);
  const stableProvenance = join(cacheFolder, `${grammar.name}.provenance.json`);
  const isCurrent = () =>
    existsSync(join(cacheFolder, `${grammar.name}.wasm`)) &&
    existsSync(stableProvenance) &&
    JSON.parse(readFileSync(stableProvenance, 'utf8')).key === key;
  if (isCurrent()) return;

  // One compilation at a time: it takes about 1.1 GB.
  await withLock('grammars', async () => {
    if (!existsSync(built)) {
      say(`Compiling the grammar ${grammar.name} ${version}; this takes about a minute and happens once.`);
      const started = Date.now();
      const wasm = await compile(grammar, folder);
      place(keyed, grammar, wasm, licence, {
        grammar: grammar.name,
        version,
        how: 'compiled from the C sources of the package',
        compiler: `@yowasp/clang ${compilerVersion}`,
        compile: compileFlags,
        link: [...linkFlags, `--export=${grammar.symbol}`],
        sourcesSha256: Object.fromEntries(
          grammar.sources.map((file) => [file, sha256(readFileSync(join(folder, file)))]),
        ),
        wasmSha256: sha256(wasm),
        key,
      });
      say(`Compiled ${grammar.name} in ${((Date.now() - started) / 1000).toFixed(0)} s: ${wasm.length} bytes.`);
    }
    for (const file of filesOf(grammar)) copyWhole(join(keyed, file), join(cacheFolder, file));
  });
}

const filesOf = (grammar) => [`${grammar.name}.LICENSE.txt`, `${grammar.name}.provenance.json`, `${grammar.name}.wasm`];

function copyWhole(from, to) {
  const temporary = `${to}.${process.pid}.tmp`;
  copyFileSync(from, temporary);
  renameSync(temporary, to);
}

/** Makes every grammar that is missing or out of date; with `to`, copies them there. */
export async function makeGrammars(to) {
  for (const grammar of grammars) await makeGrammar(grammar);
  if (to === undefined) return;
  mkdirSync(to, { recursive: true });
  for (const grammar of grammars)
    for (const file of filesOf(grammar)) copyWhole(join(cacheFolder, file), join(to, file));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const at = process.argv.indexOf('--to');
  try {
    await makeGrammars(at === -1 ? undefined : process.argv[at + 1]);
  } catch (error) {
    say(error.message);
    process.exitCode = 1;
  }
}
