/** Command lines outside of package.json: workflow steps with their matrix, shell scripts, justfiles, makefiles. */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { folderOf, isWithin, nameOf, type ProjectFiles } from './input.js';

/** A piece of shell text with where it stands. */
export interface ShellPlace {
  readonly text: string;
  readonly path: string;
  /** 1-based line of the first line of `text`. */
  readonly line: number;
  /** Folder it runs in; undefined when an expression decides. A `*` stands for such a part. */
  readonly folder: string | undefined;
  readonly note: string;
}

const flag = /--features|--all-features|--no-default-features|(?:^|\s)-F[ =]/m;
/** Commands that build native code. */
export const build =
  /\bnapi build\b|\bneon build\b|\b(?:cargo|cross)\b[^\n]*\b(?:build|rustc|zigbuild)\b|^\s*command:\s*build\b/m;
/** A package script that is handed features, or an expression that may hold them. */
const handedOn =
  /\b(?:npm|pnpm|yarn|bun)\b[^\n]*(?:--features|--all-features|--no-default-features|\s-F[ =]|\$\{\{\s*matrix\.)/;

/** `flags`: texts that pass features somewhere, the only ones that add to what package scripts say; `any`: every build. */
export type ShellSearch = 'flags' | 'any';

function isWanted(text: string, search: ShellSearch): boolean {
  return search === 'any'
    ? build.test(text) || handedOn.test(text)
    : flag.test(text) && (build.test(text) || handedOn.test(text));
}

export const workflowPath =
  /(?:^|\/)\.(?:github|gitea|forgejo)\/(?:workflows|actions)\/.+\.ya?ml$|(?:^|\/)(?:\.gitlab-ci|azure-pipelines)\.ya?ml$/;
const recipePath = /(?:^|\/)(?:\.?justfile|GNUmakefile|makefile)$|\.just$|\.mk$/i;
const commandStart = /(?:^|[\s;&|(])(?:napi|cargo|cross|npm|npx|pnpm|yarn|bun|just|make|node|neon)\s/;
/** Texts of one step after its matrix was put in; a matrix can multiply without bound. */
const mostVariants = 60;

let yaml: typeof Yaml | undefined;
/** The YAML reader costs more to load than most scans take, so it is loaded when the first workflow is read. */
function loadYaml(): typeof Yaml {
  // The package has no types for `require`; its own are those of the import.
  yaml ??= createRequire(import.meta.url)('yaml') as typeof Yaml;
  return yaml;
}

/** Shell texts of the unit's workflows, scripts and recipes that mention a build of native code. */
export function findShellPlaces(files: ProjectFiles, search: ShellSearch): readonly ShellPlace[] {
  const found: ShellPlace[] = [];
  for (const path of files.input.listing) {
    const isWorkflow = workflowPath.test(path);
    const isRecipe = !isWorkflow && recipePath.test(path);
    const isScript = !isWorkflow && !isRecipe && path.endsWith('.sh');
    if (!isWorkflow && !isRecipe && !isScript) continue;
    // Workflows stand at the root of the repository, above the unit when that is a part of it.
    if (
      !isWithin(path, files.input.root) &&
      !(isWorkflow && isWithin(files.input.root, folderOf(path).replace(/(?:^|\/)\.\w+\/.*$/, '')))
    )
      continue;
    const text = files.text(path);
    if (text === undefined || text.length > 400_000 || !isWanted(text, search)) continue;
    if (isWorkflow) found.push(...readWorkflow(path, text, search, files));
    else if (isRecipe) found.push(...readRecipes(path, text));
    else found.push({ text, path, line: 1, folder: undefined, note: `'${nameOf(path)}'` });
  }
  return found;
}

/** Recipe lines keep their place; everything that is not indented is blanked. */
function readRecipes(path: string, text: string): readonly ShellPlace[] {
  const lines = text.split('\n').map((line) => (/^\s/.test(line) ? line.replace(/^(\s+)[@-]+/, '$1') : ''));
  return [{ text: lines.join('\n'), path, line: 1, folder: folderOf(path), note: `a recipe of '${nameOf(path)}'` }];
}

type Variables = ReadonlyMap<string, string>;

/** A job of a workflow as text of its own; the reader of YAML costs too much to see the jobs that build nothing. */
interface Job {
  readonly text: string;
  /** Lines before it. */
  readonly above: number;
}

function findJobs(text: string, search: ShellSearch): readonly Job[] | undefined {
  // An anchor may be set in one job and used in another.
  if (/(?:^|\s)[&*][A-Za-z][\w-]*\s*$/m.test(text)) return undefined;
  const lines = text.split('\n');
  const start = lines.findIndex((line) => /^jobs:\s*(?:#.*)?$/.test(line));
  const first = lines.findIndex((line, index) => index > start && /^\s+[\w-]/.test(line));
  if (start < 0 || first < 0) return undefined;
  const indent = /^\s*/.exec(lines[first] ?? '')?.[0].length ?? 2;
  const jobs: Job[] = [];
  let from = first;
  for (let i = first + 1; i <= lines.length; i++) {
    const line = lines[i];
    const ends =
      line === undefined || (line.trim() !== '' && !line.trimStart().startsWith('#') && line.search(/\S/) <= indent);
    if (!ends) continue;
    const job = lines.slice(from, i).join('\n');
    if (isWanted(job, search)) jobs.push({ text: job, above: from });
    if (line !== undefined && line.search(/\S/) === 0) break;
    from = i;
  }
  return jobs;
}

function readWorkflow(path: string, text: string, search: ShellSearch, files: ProjectFiles): readonly ShellPlace[] {
  const defaults = /^defaults:\s*\n\s+run:\s*\n(?:\s+shell:.*\n)?\s+working-directory:\s*['"]?([^'"\s#]+)/m.exec(
    text,
  )?.[1];
  const jobs = findJobs(text, search);
  if (jobs === undefined) return readDocument(path, text, 0, defaults, false, files);
  return jobs.flatMap((job) => readDocument(path, job.text, job.above, defaults, true, files));
}

function readDocument(
  path: string,
  text: string,
  above: number,
  defaults: string | undefined,
  isJobs: boolean,
  files: ProjectFiles,
): readonly ShellPlace[] {
  const { parseDocument, LineCounter, isMap, isSeq, isScalar, isPair } = loadYaml();
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, logLevel: 'silent' });
  const error = document.errors[0];
  if (error !== undefined) {
    files.broken(path, counter.linePos(error.pos[0]).line + above, 'it is not valid YAML');
    return [];
  }
  const found: ShellPlace[] = [];
  const root = /(?:^|\/)\.\w+\//.test(path) ? path.replace(/\/?\.\w+\/(?:workflows|actions)\/.*$/, '') : folderOf(path);
  const note = `a step of '${nameOf(path)}'`;

  const stringAt = (node: unknown, ...keys: readonly string[]): string | undefined => {
    let at: unknown = node;
    for (const key of keys) at = isMap(at) ? at.get(key, true) : undefined;
    return isScalar(at) && typeof at.value === 'string' ? at.value : undefined;
  };
  const nodeAt = (node: unknown, key: string): unknown => (isMap(node) ? node.get(key, true) : undefined);
  /** Flattens a map of scalars into `prefix.key` -> text. */
  const flatten = (node: unknown, prefix: string, into: Map<string, string>): void => {
    if (isScalar(node)) into.set(prefix, String(node.value));
    if (!isMap(node)) return;
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      flatten(pair.value, prefix === '' ? key : `${prefix}.${key}`, into);
    }
  };
  const variantsOf = (job: unknown): readonly Variables[] => {
    const matrix = nodeAt(nodeAt(job, 'strategy'), 'matrix');
    const variants: Map<string, string>[] = [];
    if (!isMap(matrix)) return [new Map()];
    for (const pair of matrix.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      if (key === 'exclude' || !isSeq(pair.value)) continue;
      for (const item of pair.value.items) {
        const variables = new Map<string, string>();
        flatten(item, key === 'include' ? 'matrix' : `matrix.${key}`, variables);
        variants.push(variables);
      }
    }
    return variants.length === 0 ? [new Map()] : variants.slice(0, mostVariants);
  };
  const put = (value: string, variables: Variables): string =>
    value.replace(/\$\{\{\s*([\w.-]+)\s*\}\}/g, (whole, name: string) => variables.get(name) ?? whole);
  const folderIn = (value: string | undefined, variables: Variables): string => {
    const relative =
      value === undefined
        ? ''
        : put(value, variables)
            .replace(/\$\{\{\s*github\.workspace\s*\}\}\/?/g, '')
            .replace(/\$\{\{.*?\}\}|\$\w+|\$\{\w+\}/gs, '*');
    return [root, ...relative.split('/')].filter((part) => part !== '' && part !== '.').join('/');
  };
  const lineOf = (node: Yaml.Scalar): number => {
    const start = node.range?.[0] ?? 0;
    const line = counter.linePos(start).line + above;
    return node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED' ? line + 1 : line;
  };
  /** Every scalar below `node` that runs or looks like a command. */
  const collect = (node: unknown, folder: string | undefined, variants: readonly Variables[], key: string): void => {
    if (isSeq(node)) for (const item of node.items) collect(item, folder, variants, key);
    else if (isPair(node)) collect(node.value, folder, variants, isScalar(node.key) ? String(node.key.value) : '');
    else if (isMap(node)) {
      const own = stringAt(node, 'working-directory') ?? folder;
      for (const pair of node.items) collect(pair, own, variants, key);
    } else if (isScalar(node) && typeof node.value === 'string') {
      const runs = key === 'run' || key === 'script' || key === 'args' || key === 'command';
      const value = node.value;
      if (key === 'args' ? !value.includes('--') : !commandStart.test(` ${value}`)) return;
      if (!runs && !isWanted(value, 'any')) return;
      const seen = new Set<string>();
      for (const variables of variants) {
        const command = put(value, variables);
        const at = folderIn(folder, variables);
        if (seen.has(`${at}\n${command}`)) continue;
        seen.add(`${at}\n${command}`);
        // actions-rs/cargo and its kin: `command: build`, `args: --features x`.
        const whole = key === 'args' ? `cargo build ${command}` : command;
        found.push({ text: whole, path, line: lineOf(node), folder: at, note });
      }
    }
  };
  const jobs = isJobs ? document.contents : nodeAt(document.contents, 'jobs');
  if (isMap(jobs)) {
    for (const pair of jobs.items) {
      const job = pair.value;
      const folder = stringAt(job, 'defaults', 'run', 'working-directory') ?? defaults;
      collect(job, folder, variantsOf(job), '');
    }
  } else collect(document.contents, undefined, [new Map()], '');
  return found;
}
