/**
 * Measures the built command on trees, beside ast-grep with patterns for the same places on the same tree.
 *
 *   npm run bench                       a lone file of 1,000 lines in Rust and in D
 *   npm run bench -- oxc=DIR phobos=DIR the same, and these trees; the names choose the bars
 *   npm run bench -- --runs 5 DIR       the median of 5 runs instead of 3
 *   npm run bench -- --no-build DIR     what dist/ holds, as it is
 *
 * A tree is scanned by default and with the first five rules, one with Rust in it with the rules for Rust, too. All of these and ast-grep
 * take turns, and ratios are those of the runs of one round, in the middle of all rounds.
 * ast-grep is installed on first use under node_modules/.cache. Ends with 1 when a bar is missed.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../scripts/build.mjs';
import { installAstGrep } from './ast-grep.mjs';
import { measureMedian, measureRounds, middleOf, middleRatio } from './measure.mjs';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const rules = fileURLToPath(new URL('./ast-grep-rules.yml', import.meta.url));

/** The rules that the bars of trees speak of. */
const firstRules = [
  'allocator-in-addon',
  'pointer-into-growable',
  'growth-while-borrowed',
  'buffer-across-await',
  'buffer-off-thread',
];

/** How many times the CPU of the first rules all rules for Rust may take together. */
const allOfRust = 1.5;

/** What a scan may take: CPU seconds, MB, wall seconds. */
const bars = {
  'oxc, first five': { cpu: 3, megabytes: 250 },
  phobos: { cpu: 6 },
  'phobos, first five': { cpu: 6 },
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

/** The file of a configuration in which only the rules that `isOn` picks are on; `rules` is the catalog's list. */
function writeConfig(folder, name, rules, isOn) {
  const file = join(folder, `${name}.json`);
  const off = rules.filter((rule) => !isOn(rule)).map(({ id }) => [id, 'off']);
  writeFileSync(file, JSON.stringify({ rules: Object.fromEntries(off) }));
  return file;
}

/** The runs of one tree: its name in the table, and the arguments that choose the rules. */
function variantsOf(name, isFile, isRust, configs) {
  // A run takes along what runs before it compiled of the program; the first one after an installation has nothing.
  if (isFile)
    return [
      { name: `${name}, nothing kept`, args: [], env: { NODE_DISABLE_COMPILE_CACHE: '1' } },
      { name, args: [] },
    ];
  const all = { name, args: [] };
  const first = { name: `${name}, first five`, args: ['--config', configs.first] };
  return isRust ? [all, { name: `${name}, Rust`, args: ['--config', configs.rust] }, first] : [all, first];
}

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
    const ratios = [];
    const { rules: ruleList } = await import('../dist/rules/index.js');
    const metas = ruleList.map(({ meta }) => meta);
    const configs = {
      rust: writeConfig(scratch, 'rust', metas, ({ languages }) => languages.includes('rust')),
      first: writeConfig(scratch, 'first', metas, ({ id }) => firstRules.includes(id)),
    };
    for (const { name: tree, path } of trees) {
      const isFile = statSync(path).isFile();
      const rust = isFile ? undefined : describeTree(path, '.rs');
      const d = isFile ? undefined : describeTree(path, '.d');
      const isRust = (rust?.files ?? 0) > 0;
      const variants = variantsOf(tree, isFile, isRust, configs).map(({ name, args: chosen, env = {} }) => {
        const options = { cwd: scratch, env: { ...process.env, ...env } };
        return {
          name,
          command: [process.execPath, [cli, path, '--format', 'json', '--exit-zero', ...chosen], options],
        };
      });
      const isReadByPeer = path.endsWith('.rs') || isRust;
      const peer = isReadByPeer
        ? [[installAstGrep().program, ['scan', '--rule', rules, '--json=stream', path], { cwd: scratch }]]
        : [];
      if (isFile) for (const { command } of variants) await measureMedian(1, ...command);
      const ownRuns = await measureRounds(runs, [...peer, ...variants.map(({ command }) => command)]);
      const theirRuns = isReadByPeer ? ownRuns.shift() : undefined;
      const theirs = theirRuns && middleOf(theirRuns);
      const failed = theirRuns?.find(({ status }) => status > 1);
      if (failed) throw new Error(`ast-grep on '${path}' ended with ${failed.status}.`);
      const describe = (found) => (found === undefined ? '' : `${found.files} files, ${found.megabytes.toFixed(1)} MB`);
      const runsOf = {};
      for (const [index, { name }] of variants.entries()) {
        const all = ownRuns[index];
        const own = middleOf(all);
        const broken = all.find(({ status }) => status !== 0);
        if (broken) throw new Error(`The scan of '${path}' ended with ${broken.status}.`);
        runsOf[name] = all;
        const cells = [name, describe(rust), describe(d), seconds(own.cpu), seconds(own.wall), size(own.megabytes)];
        if (theirs === undefined) cells.push('no D grammar', '', '');
        else cells.push(seconds(theirs.cpu), size(theirs.megabytes), middleRatio(all, theirRuns).toFixed(2));
        process.stdout.write(`| ${cells.join(' | ')} |\n`);
        for (const [what, bar] of Object.entries(bars[name] ?? {})) {
          const value = own[what];
          if (value !== undefined && value > bar) missed.push(`${name}: ${what} ${value.toFixed(2)} is above ${bar}.`);
        }
      }
      if (isRust) {
        const ratio = middleRatio(runsOf[`${tree}, Rust`], runsOf[`${tree}, first five`]);
        ratios.push(`${tree}: all rules for Rust take ${ratio.toFixed(2)} times the CPU of the first five.`);
        if (tree === 'oxc' && ratio > allOfRust) missed.push(`${tree}: that is above ${allOfRust}.`);
      }
    }
    if (ratios.length > 0) process.stdout.write(`\n${ratios.map((line) => `${line}\n`).join('')}`);
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
