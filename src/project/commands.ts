/** What a command line does to a Rust addon: builds it, runs another script, changes the folder, or nothing of interest. */
import type { Tri } from '../model/project.js';
import type { Word } from './shell.js';

/** The flags of `napi build`, `cargo build` and their relatives. */
export interface BuildFlags {
  readonly tool: 'napi' | 'cargo';
  readonly features: readonly string[];
  readonly allFeatures: boolean;
  readonly noDefaultFeatures: boolean;
  readonly release: Tri;
  readonly triples: readonly string[];
  readonly packages: readonly string[];
  readonly workspace: boolean;
  readonly manifestPath?: string;
  /** Folder in which it runs, relative to where the command stands. */
  readonly cwd?: string;
  /** Features may come from a variable or an expression. */
  readonly open: boolean;
}

export type Action =
  | { readonly kind: 'build'; readonly flags: BuildFlags }
  /** A package script by name; `where` says in which packages it is looked for. */
  | {
      readonly kind: 'script';
      readonly name: string;
      readonly pattern: boolean;
      readonly args: readonly Word[];
      readonly where: ScriptScope;
      readonly orElse?: readonly Word[];
    }
  /** A JavaScript, TypeScript or shell file that is run. */
  | { readonly kind: 'file'; readonly path: string; readonly args: readonly Word[] }
  | { readonly kind: 'folder'; readonly path: string; readonly dynamic: boolean }
  /** A command inside quotes. */
  | { readonly kind: 'nested'; readonly text: string };

export type ScriptScope =
  | { readonly in: 'here' }
  | { readonly in: 'all' }
  /** Names, globs of names (`@a/*`) or of folders (`./napi/*`). */
  | { readonly in: 'filter'; readonly patterns: readonly string[] }
  | { readonly in: 'folder'; readonly path: string };

const wrappers = new Set([
  'cross-env',
  'cross-env-shell',
  'env',
  'sudo',
  'exec',
  'npx',
  'bunx',
  'pnpx',
  'nice',
  'retry',
  'dotenv',
  'xvfb-run',
  'command',
  'arch',
  'rustup-run',
  'cargo-cp-artifact',
  'call',
  'start',
  'corepack',
]);
const assignment = /^[A-Za-z_][A-Za-z0-9_]*=/;
const jsRunners = new Set([
  'node',
  'bun',
  'deno',
  'tsx',
  'ts-node',
  'oxnode',
  'swc-node',
  'jiti',
  'esno',
  'zx',
  'esbuild-register',
]);
const shells = new Set(['sh', 'bash', 'zsh', 'dash', 'ksh', 'pwsh', 'powershell']);
const pnpmOwn = new Set([
  'install',
  'i',
  'add',
  'remove',
  'update',
  'up',
  'publish',
  'pack',
  'store',
  'config',
  'audit',
  'why',
  'list',
  'ls',
  'link',
  'login',
  'setup',
  'import',
  'rebuild',
  'prune',
  'patch',
  'deploy',
  'outdated',
  'version',
  'fetch',
  'approve-builds',
  'init',
  'create',
  'dedupe',
  'help',
  'cache',
  'set',
  'get',
  'up',
  'ci',
  'whoami',
  'dist-tag',
  'view',
  'info',
  'npm',
  'plugin',
  'self-update',
  'env',
  'patch-commit',
]);

/** Reads one command. Several actions come back for runners of several scripts. */
export function readAction(words: readonly Word[]): readonly Action[] {
  const at = skipWrappers(words);
  const rest = words.slice(at);
  const first = rest[0];
  if (first === undefined) return [];
  const name = programName(first.text);
  const args = rest.slice(1);
  switch (name) {
    case 'cd':
    case 'pushd': {
      const to = args.find((word) => !word.text.startsWith('-'));
      return to === undefined ? [] : [{ kind: 'folder', path: to.text, dynamic: to.dynamic }];
    }
    case 'napi':
      return readNapi(args);
    case 'cargo':
    case 'cross':
      return readCargo(args);
    case 'neon':
      return args[0]?.text === 'build' ? [{ kind: 'build', flags: readFlags('cargo', args.slice(1)) }] : [];
    case 'npm':
    case 'pnpm':
    case 'yarn':
    case 'bun':
    case 'vp':
      return readPackageManager(name, args);
    case 'lerna':
    case 'nx':
    case 'turbo':
    case 'rush':
    case 'wireit':
    case 'ultra': {
      const run = args.findIndex((word) => word.text === 'run' || word.text === 'run-many' || word.text === 'exec');
      const script = args.slice(run + 1).find((word) => !word.text.startsWith('-'));
      return script === undefined
        ? []
        : [{ kind: 'script', name: script.text, pattern: false, args: afterDashes(args) ?? [], where: { in: 'all' } }];
    }
    case 'run-s':
    case 'run-p':
    case 'npm-run-all':
    case 'npm-run-all2':
      return args
        .filter((word) => !word.text.startsWith('-'))
        .map((word) => {
          // One word may hold a script with its arguments: `run-s "build -- --release"`.
          const [script = '', ...more] = word.text.split(/\s+/).filter((part) => part !== '--');
          return {
            kind: 'script',
            name: script,
            pattern: script.includes('*'),
            args: more.map(plainWord),
            where: { in: 'here' },
          } as const;
        });
    case 'make':
    case 'just':
      return [];
  }
  if (jsRunners.has(name) || shells.has(name)) {
    const inline = args.findIndex(
      (word) =>
        word.text === '-c' ||
        word.text === '-e' ||
        word.text === '--eval' ||
        word.text === '-lc' ||
        word.text === '-ec',
    );
    const code = inline >= 0 && shells.has(name) ? args[inline + 1] : undefined;
    if (code !== undefined) return [{ kind: 'nested', text: code.text }];
    const file = args.findIndex(
      (word) => /\.(?:[cm]?[jt]sx?|sh)$/.test(word.text) && !word.text.startsWith('-') && word.text !== '-',
    );
    const found = args[file];
    return found === undefined || found.dynamic
      ? nested(args)
      : [{ kind: 'file', path: found.text, args: args.slice(file + 1) }];
  }
  if (/\.(?:sh|[cm]?[jt]s)$/.test(first.text) && first.text.includes('/') && !first.dynamic)
    return [{ kind: 'file', path: first.text, args }];
  return nested(args);
}

/** Quoted arguments that are command lines themselves: `concurrently "pnpm build" "…"`, `docker run … "cargo build"`. */
function nested(args: readonly Word[]): readonly Action[] {
  return args
    .filter(
      (word) => word.quoted && /\s/.test(word.text) && /\b(?:napi|cargo|cross|npm|pnpm|yarn|bun)\b/.test(word.text),
    )
    .map((word) => ({ kind: 'nested', text: word.text }));
}

function skipWrappers(words: readonly Word[]): number {
  let at = 0;
  for (; at < words.length; at++) {
    const text = words[at]?.text ?? '';
    if (assignment.test(text)) continue;
    const name = programName(text);
    if (!wrappers.has(name)) break;
    if (name === 'cargo-cp-artifact') {
      const dashes = words.findIndex((word, index) => index > at && word.text === '--');
      if (dashes > 0) at = dashes;
      continue;
    }
    // Options of the wrapper, with the values of the few that take one.
    while (words[at + 1]?.text.startsWith('-') === true) {
      at++;
      if (/^(?:-p|--package|-e|-f|-n|--max-attempts|-c)$/.test(words[at]?.text ?? '')) at++;
    }
  }
  return at;
}

function readNapi(args: readonly Word[]): readonly Action[] {
  const at = args.findIndex((word) => !word.text.startsWith('-'));
  return args[at]?.text === 'build' ? [{ kind: 'build', flags: readFlags('napi', args.slice(at + 1)) }] : [];
}

function readCargo(args: readonly Word[]): readonly Action[] {
  let folder: string | undefined;
  let at = 0;
  for (; at < args.length; at++) {
    const text = args[at]?.text ?? '';
    if (text === '-C') folder = args[++at]?.text;
    else if (text === '-Z' || text === '--config' || text === '--color') at++;
    else if (!text.startsWith('-') && !text.startsWith('+')) break;
  }
  let sub = args[at]?.text ?? '';
  if (
    sub === 'xwin' ||
    sub === 'ndk' ||
    sub === 'hack' ||
    sub === 'auditable' ||
    sub === 'component' ||
    sub === 'zigbuild-all' ||
    sub === 'ohos'
  ) {
    const build = args.findIndex((word, index) => index > at && (word.text === 'build' || word.text === 'rustc'));
    sub = build > 0 ? 'build' : '';
    at = build > 0 ? build : at;
  }
  if (!['build', 'b', 'rustc', 'zigbuild', 'cbuild'].includes(sub)) return [];
  const rest = args.slice(at + 1);
  const has = (...flags: readonly string[]): boolean =>
    rest.some((word) => flags.includes(word.text.replace(/=.*$/, '')));
  const onlyOthers =
    has('--bin', '--bins', '--example', '--examples', '--test', '--tests', '--bench', '--benches') &&
    !has('--lib', '--all-targets');
  if (onlyOthers) return [];
  const flags = readFlags('cargo', rest);
  return [{ kind: 'build', flags: folder === undefined ? flags : { ...flags, cwd: folder } }];
}

/** Flags that take a value; a word after one of them is never a positional argument. */
const valued = new Set([
  '--target-dir',
  '--output-dir',
  '-o',
  '--js',
  '--dts',
  '--js-package-name',
  '--dts-header',
  '--config-path',
  '-c',
  '--package-json-path',
  '--bin',
  '--config',
  '-Z',
  '--jobs',
  '-j',
  '--message-format',
  '--color',
  '--pipe',
  '--zig-abi-suffix',
  '--const-enum',
  '--exclude',
  '--cargo-name',
  '--dts-cache',
  '--crate-type',
  '--out-dir',
  '--artifact-dir',
  '--timings',
  '--bin-name',
  '--profile-name',
]);

function readFlags(tool: BuildFlags['tool'], args: readonly Word[]): BuildFlags {
  const features: string[] = [];
  const triples: string[] = [];
  const packages: string[] = [];
  let allFeatures = false;
  let noDefaultFeatures = false;
  let workspace = false;
  let release: Tri = 'no';
  let manifestPath: string | undefined;
  let cwd: string | undefined;
  let open = false;
  // `rustc` flags follow a `--` of cargo itself; what follows the first `--` of napi goes on to cargo.
  let rustFlags = false;
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (word === undefined || rustFlags) break;
    const equals = /^(--[a-z-]+)=(.*)$/s.exec(word.text);
    const flag = equals?.[1] ?? word.text;
    const take = (): Word => (equals !== null ? { ...word, text: equals[2] ?? '' } : (args[++i] ?? plainWord('')));
    if (flag === '--features' || flag === '-F') {
      const value = take();
      open ||= value.dynamic;
      features.push(
        ...value.text
          .replace(/\$\{\{.*?\}\}|\$\{[^}]*\}|\$\w+/gs, ' ')
          .split(/[\s,]+/)
          .filter(Boolean),
      );
    } else if (/^-F./.test(flag))
      features.push(
        ...flag
          .slice(2)
          .split(/[\s,]+/)
          .filter(Boolean),
      );
    else if (flag === '--all-features') allFeatures = true;
    else if (flag === '--no-default-features') noDefaultFeatures = true;
    else if (flag === '--release' || flag === '-r') release = 'yes';
    else if (flag === '--profile') {
      const profile = take();
      release =
        profile.text === 'release' ? 'yes' : profile.text === 'dev' || profile.text === 'test' ? 'no' : 'unknown';
    } else if (flag === '--target' || (flag === '-t' && tool === 'napi')) {
      const value = take();
      if (!value.dynamic && value.text.includes('-')) triples.push(value.text);
    } else if (flag === '--package' || flag === '-p') {
      const value = take();
      if (!value.dynamic) packages.push(value.text.replace(/@[\d.]+$/, ''));
    } else if (flag === '--workspace' || flag === '--all') workspace = true;
    else if (flag === '--manifest-path') manifestPath = take().text;
    else if (flag === '--cwd' || flag === '--cargo-cwd' || flag === '-C') cwd = take().text;
    else if (flag === '--cargo-flags') {
      const value = take();
      const inner = readFlags('cargo', value.text.split(/\s+/).filter(Boolean).map(plainWord));
      features.push(...inner.features);
      triples.push(...inner.triples);
      allFeatures ||= inner.allFeatures;
      noDefaultFeatures ||= inner.noDefaultFeatures;
      open ||= value.dynamic;
    } else if (flag === '--') rustFlags = tool === 'cargo';
    else if (valued.has(flag)) take();
    else if (word.dynamic && !flag.startsWith('-')) open = true;
  }
  return {
    tool,
    features,
    allFeatures,
    noDefaultFeatures,
    release,
    triples,
    packages,
    workspace,
    open,
    ...(manifestPath === undefined ? {} : { manifestPath }),
    ...(cwd === undefined ? {} : { cwd }),
  };
}

function readPackageManager(manager: string, args: readonly Word[]): readonly Action[] {
  let where: ScriptScope = { in: 'here' };
  const patterns: string[] = [];
  let at = 0;
  for (; at < args.length; at++) {
    const text = args[at]?.text ?? '';
    const equals = /^(--?[a-zA-Z-]+)=(.*)$/s.exec(text);
    const flag = equals?.[1] ?? text;
    const take = (): string => equals?.[2] ?? args[++at]?.text ?? '';
    if (
      flag === '--filter' ||
      (flag === '-F' && manager === 'pnpm') ||
      flag === '--workspace' ||
      (flag === '-w' && manager === 'npm')
    )
      patterns.push(take());
    else if (flag === '-C' || flag === '--dir' || flag === '--prefix' || flag === '--cwd')
      where = { in: 'folder', path: take() };
    else if (flag === '-r' || flag === '--recursive' || flag === '--workspaces' || flag === '-ws')
      where = { in: 'all' };
    else if (flag === '-w' || flag === '--workspace-root') where = { in: 'folder', path: '/' };
    else if (!text.startsWith('-')) break;
  }
  let sub = args[at];
  let rest = args.slice(at + 1);
  if (sub?.text === 'workspace' && manager === 'yarn') {
    patterns.push(rest[0]?.text ?? '');
    sub = rest[1];
    rest = rest.slice(2);
  } else if (sub?.text === 'workspaces' && manager === 'yarn') {
    const run = rest.findIndex((word) => word.text === 'run' || word.text === 'exec');
    const includes = rest.flatMap((word, index) => (word.text === '--include' ? [rest[index + 1]?.text ?? ''] : []));
    if (run < 0) return [];
    patterns.push(...includes);
    if (includes.length === 0) where = { in: 'all' };
    sub = rest[run];
    rest = rest.slice(run + 1);
  }
  if (patterns.length > 0) where = { in: 'filter', patterns };
  if (sub === undefined) return [];
  if (sub.text === 'exec' || sub.text === 'dlx' || sub.text === 'x') {
    const command = rest.filter((word, index) => !(index === 0 && word.text === '--'));
    return where.in === 'folder'
      ? [{ kind: 'folder', path: where.path, dynamic: false }, ...readAction(command)]
      : readAction(command);
  }
  const shorthand = sub.text === 'test' || sub.text === 'start';
  const run = sub.text === 'run' || sub.text === 'run-script' || sub.text === 'rum';
  if (!run && !shorthand && (manager === 'npm' || (manager === 'bun' && sub.text === 'build') || pnpmOwn.has(sub.text)))
    return [];
  if (run) {
    while (rest[0]?.text.startsWith('-') === true && rest[0].text !== '--') {
      const flag = rest[0].text;
      const equals = /^--(?:filter|workspace)=(.*)$/.exec(flag)?.[1];
      const separate = /^(?:--filter|--workspace|-w)$/.test(flag);
      if (equals !== undefined) where = { in: 'filter', patterns: [equals] };
      else if (separate) where = { in: 'filter', patterns: [rest[1]?.text ?? ''] };
      else if (flag === '-r' || flag === '--recursive' || flag === '--workspaces') where = { in: 'all' };
      rest = rest.slice(separate ? 2 : 1);
    }
  }
  const name = run ? rest[0] : sub;
  if (name === undefined) return [];
  let given: readonly Word[] = run ? rest.slice(1) : rest;
  if (manager === 'npm') {
    // `npm run build -w pkg -- --flag`: npm keeps its own options and hands on what follows the dashes.
    const workspaces = given.flatMap((word, index) =>
      word.text === '-w' || word.text === '--workspace'
        ? [given[index + 1]?.text ?? '']
        : (/^--workspace=(.*)$/.exec(word.text)?.slice(1) ?? []),
    );
    if (workspaces.length > 0) where = { in: 'filter', patterns: workspaces };
    if (given.some((word) => word.text === '--workspaces' || word.text === '-ws')) where = { in: 'all' };
    const prefix = given.findIndex((word) => word.text === '--prefix');
    if (prefix >= 0) where = { in: 'folder', path: given[prefix + 1]?.text ?? '' };
    given = afterDashes(given) ?? [];
  } else if (given[0]?.text === '--') given = given.slice(1);
  // `pnpm run '/^build-(a|b)$/'` runs every script whose name matches.
  const pattern = /^\/.*\/$/s.test(name.text) || name.text.includes('*');
  return [
    { kind: 'script', name: name.text, pattern, args: given, where, ...(run ? {} : { orElse: [name, ...given] }) },
  ];
}

function afterDashes(args: readonly Word[]): readonly Word[] | undefined {
  const dashes = args.findIndex((word) => word.text === '--');
  return dashes < 0 ? undefined : args.slice(dashes + 1);
}

function programName(text: string): string {
  return text.slice(text.lastIndexOf('/') + 1).replace(/\.(?:exe|cmd)$/, '');
}

function plainWord(text: string): Word {
  return { text, dynamic: false, quoted: false };
}
