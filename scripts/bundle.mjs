/**
 * Joins the modules of the command, and the packages that are plain JavaScript, into one file, since reading two hundred small
 * modules costs a third of a scan of one file, and one file is what compiled code can be kept of (docs/decisions.md).
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

/** The folder in dist/ that the joined file goes to. */
const folderName = 'joined';

/**
 * Packages that are joined in; their licences come along. The others stay outside: web-tree-sitter has a WASM file whose version must
 * be its own, and the parsers of TOML and YAML and ESLint are found from where they are installed.
 */
const joinedPackages = new Set(['commander', 'ignore', 'picocolors', 'semver', 'valibot']);

/** Whether a path below dist/ was written here and not by tsc. */
export function isJoined(path) {
  return path.split(sep)[0] === folderName;
}

/**
 * Writes `dist/joined/main.cjs`, which `dist/cli.js` runs, with its hash in the first line. The modules that tsc wrote stay beside
 * it, for the library, the ESLint plugin and the workers. Throws when the bundler does.
 */
export async function bundle(root) {
  const { rolldown } = await import('rolldown');
  const { parseSync } = await import('rolldown/utils');
  const dist = join(root, 'dist');
  const folder = join(dist, folderName);
  const entry = join(root, 'src', 'main.ts');
  const build = await rolldown({
    input: entry,
    platform: 'node',
    tsconfig: join(root, 'tsconfig.json'),
    external: (id) => !id.startsWith('.') && !isAbsolute(id) && !joinedPackages.has(id),
    resolve: { extensionAlias: { '.js': ['.ts'] } },
    plugins: [keepPlaces(join(root, 'src'), parseSync)],
  });
  try {
    const { output } = await build.generate({
      format: 'cjs',
      codeSplitting: false,
      // What V8 compiled earlier has lost its way of loading modules: the packages outside are required.
      dynamicImportInCjs: false,
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    });
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const [{ code }] = output;
    const program = `(function (exports, require, module, __filename, __dirname) {${escapeText(code)}\n})\n`;
    const hash = createHash('sha256').update(program).digest('hex');
    writeFileSync(join(folder, 'main.cjs'), `// ${hash}\n${program}`);
    writeFileSync(join(folder, 'LICENSES.txt'), readLicences(output));
  } finally {
    await build.close();
  }
  chmodSync(join(dist, 'cli.js'), 0o755);
}

/**
 * The program with escapes for what is not ASCII, so that V8 keeps it with one byte for a character: 18 MB less at the end of a scan
 * of oxc. Throws where an escape would be text of its own.
 */
function escapeText(code) {
  if (/\bString\.raw`[^`]*[^\0-\x7f]/.test(code)) throw new Error('A raw text has a letter that is not ASCII.');
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The licences of the packages that modules were taken from. Throws when a package has none. */
function readLicences(output) {
  const folders = new Set(
    output.flatMap((chunk) =>
      (chunk.moduleIds ?? []).flatMap((id) => /^.*\bnode_modules[/\\][^/\\]+/.exec(id)?.[0] ?? []),
    ),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`The package '${name}' has no licence file that could come along.`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return texts.join('\n---\n\n');
}

/** A module still finds what lies beside it: `import.meta.url` stays the address of the file that tsc made of it. */
function keepPlaces(source, parseSync) {
  return {
    name: 'keep-places',
    transform: {
      filter: { id: /\.ts$/, code: /import\.meta\.url/ },
      handler(code, id) {
        const place = relative(source, id).split(sep).join('/').replace(/\.ts$/, '.js');
        // From the end, so that the places before stay right. The words also stand in texts of programs, which are left alone.
        let moved = code;
        for (const { start, end } of findAddresses(parseSync(id, code).program).reverse()) {
          moved = `${moved.slice(0, start)}new URL('../${place}', import.meta.url).href${moved.slice(end)}`;
        }
        return moved;
      },
    },
  };
}

/** Every `import.meta.url` of a program, in the order of the text. */
function findAddresses(node) {
  if (node === null || typeof node !== 'object') return [];
  if (node.type === 'MemberExpression' && node.object.type === 'MetaProperty' && node.property.name === 'url') {
    return [node];
  }
  return Object.values(node).flatMap(findAddresses);
}
