/**
 * Measures the built command on trees, beside ast-grep with patterns for the same places on the same tree.
 *
 *   npm run bench                       a lone file of 1,000 lines in Rust and in D
 *   npm run bench -- oxc=DIR phobos=DIR the same, and these trees; the names choose the bars
 *   npm run bench -- --runs 5 DIR       the median of 5 runs instead of 3
 *   npm run bench -- --no-build DIR     what dist/ holds, as it is
 *
 * ast-grep is installed on first use under node_modules/.cache. Ends with 1 when a bar is missed.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../scripts/build.mjs';
import { installAstGrep } from './ast-grep.mjs';
import { measureMedian } from './measure.mjs';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const rules = fileURLToPath(new URL('./ast-grep-rules.yml', import.meta.url));

/** What a scan may take: CPU seconds, MB, wall seconds. */
const bars = {
  oxc: { cpu: 3, megabytes: 250 },
  phobos: { cpu: 6 },
  'one file, Rust': { wall: 0.3 },
  'one file, D': { wall: 0.3 },
};

/** A thousand lines in which every rule of the language has something to look at. */
function makeFile(language) {
  const parts = [];
  for (let i = 0; i < 50; i++) {
    parts.push(
      language === 'rust'
        ? `pub struct Pool${i} {
    items: Vec<Item${i}>,
    first: Option<*const Item${i}>,
}

pub struct Item${i} {
    id: u32,
}

impl Pool${i} {
    pub fn add(&mut self, id: u32) -> &Item${i} {
        self.items.push(Item${i} { id });
        &self.items[self.items.len() - 1]
    }

    pub fn keep(&mut self) {
        self.first = self.items.first().map(|item| item as *const Item${i});
    }
}
`
        : `struct Item${i}
{
    int id;
}

struct Pool${i}
{
    private Item${i}[] items;

    void add(int id) @safe
    {
        items ~= Item${i}(id);
    }

    Item${i}* find(int id) @trusted
    {
        foreach (ref item; items)
            if (item.id == id)
                return &item;
        return null;
    }
}
`,
    );
  }
  return parts.join('\n');
}

const describeTree = (folder, extension) => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).size);
  return { files: files.length, megabytes: files.reduce((sum, size) => sum + size, 0) / 1e6 };
};

const seconds = (value) => `${value.toFixed(2)} s`;
const size = (value) => (value === undefined ? 'unknown' : `${value.toFixed(0)} MB`);

async function main(args) {
  const at = args.indexOf('--runs');
  const runs = at === -1 ? 3 : Number(args.splice(at, 2)[1]);
  if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a whole number above 0.');
  const isBuilt = !args.includes('--no-build');
  const trees = args
    .filter((arg) => arg !== '--no-build')
    .map((arg) => {
      const equals = arg.indexOf('=');
      const folder = resolve(arg.slice(equals + 1));
      if (!existsSync(folder)) throw new Error(`The tree '${folder}' does not exist.`);
      return { name: equals === -1 ? basename(folder) : arg.slice(0, equals), path: folder };
    });
  if (isBuilt) await build({ ifStale: true });

  const scratch = mkdtempSync(join(tmpdir(), 'lifetime-lint-bench-'));
  try {
    for (const [name, file, language] of [
      ['one file, Rust', 'pool.rs', 'rust'],
      ['one file, D', 'pool.d', 'd'],
    ]) {
      // Each alone in its folder, since neighbours would be read too.
      const folder = mkdtempSync(join(scratch, 'alone-'));
      writeFileSync(join(folder, file), makeFile(language));
      trees.unshift({ name, path: join(folder, file) });
    }
    process.stdout.write(
      `Node ${process.versions.node}, ${cpus().length} processors (${cpus()[0]?.model ?? 'unknown'}), median of ${runs}\n\n`,
    );
    process.stdout.write(
      '| tree | Rust | D | CPU | wall | memory | ast-grep CPU | memory | CPU ratio |\n|---|---|---|---|---|---|---|---|---|\n',
    );
    const missed = [];
    for (const { name, path } of trees) {
      const isFile = statSync(path).isFile();
      const rust = isFile ? undefined : describeTree(path, '.rs');
      const d = isFile ? undefined : describeTree(path, '.d');
      const own = await measureMedian(runs, process.execPath, [cli, path, '--format', 'json', '--exit-zero'], {
        cwd: scratch,
      });
      if (own.status !== 0) throw new Error(`The scan of '${path}' ended with ${own.status}.`);
      let theirs;
      if (path.endsWith('.rs') || (rust?.files ?? 0) > 0) {
        const { program } = installAstGrep();
        theirs = await measureMedian(runs, program, ['scan', '--rule', rules, '--json=stream', path], { cwd: scratch });
        if (theirs.status > 1) throw new Error(`ast-grep on '${path}' ended with ${theirs.status}.`);
      }
      const tree = (found) => (found === undefined ? '' : `${found.files} files, ${found.megabytes.toFixed(1)} MB`);
      const cells = [name, tree(rust), tree(d), seconds(own.cpu), seconds(own.wall), size(own.megabytes)];
      if (theirs === undefined) cells.push('no D grammar', '', '');
      else cells.push(seconds(theirs.cpu), size(theirs.megabytes), (own.cpu / theirs.cpu).toFixed(1));
      process.stdout.write(`| ${cells.join(' | ')} |\n`);
      for (const [what, bar] of Object.entries(bars[name] ?? {})) {
        const value = own[what];
        if (value !== undefined && value > bar) missed.push(`${name}: ${what} ${value.toFixed(2)} is above ${bar}.`);
      }
    }
    if (missed.length > 0) process.stdout.write(`\nMissed bars:\n${missed.map((line) => `- ${line}\n`).join('')}`);
    process.exitCode = missed.length > 0 ? 1 : 0;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
