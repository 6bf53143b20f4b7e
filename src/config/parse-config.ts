import * as v from 'valibot';
import { nearestName } from '../catalog/nearest-name.js';
import { UsageError } from '../model/usage-error.js';
import { defaultConfig, type Config } from './config.js';
import { DocumentError, findNode, type DocumentNode } from '../project/document.js';
import { readJson } from '../project/json.js';
import { rustTargets } from '../project/rust-targets.js';
import { readToml } from '../project/toml.js';
import { nodeNameOf, publishedTriples } from '../project/triples.js';
import { markOf, plainValue, type KeyPath } from './plain-document.js';
import { configSchema, type ConfigFile } from './schema.js';

/** The key in `package.json`. */
const packageKey = 'lifetime-lint';

export interface ConfigText {
  /** As messages should name it. */
  readonly path: string;
  readonly text: string;
}

/**
 * Reads a configuration, filled up with defaults. Undefined when a `package.json` has no key of ours. Throws a
 * `UsageError` that names the file and line of everything that is wrong, with the nearest valid name.
 */
export function parseConfig(file: ConfigText, ruleIds: readonly string[]): Config | undefined {
  const document = readDocument(file);
  const isPackage = /(?:^|[/\\])package\.json$/u.test(file.path);
  const prefix: KeyPath = isPackage ? [packageKey] : [];
  const root = isPackage ? findNode(document, packageKey) : document;
  if (root === undefined) return undefined;
  const value = plainValue(root);
  const place = (path: KeyPath) => `${file.path}:${markOf(document, [...prefix, ...path]).line}`;

  // A valibot object also accepts an array.
  if (Array.isArray(value)) throw new UsageError(`${place([])}: the configuration must be an object.`);
  const written = findNode(root, 'rules');
  if (written?.kind === 'list') throw new UsageError(`${place(['rules'])}: 'rules' must be an object.`);
  const parsed = v.safeParse(configSchema, value);
  // From the document: the validator passes over names that every object has, such as `constructor`.
  const named = written?.kind === 'table' ? [...written.entries.keys()] : [];
  const problems = parsed.success
    ? [...findUnknownRules(parsed.output, named, ruleIds, place), ...findUnknownTargets(parsed.output, place)]
    : parsed.issues.map((issue) => describeIssue(issue, place));
  if (!parsed.success || problems.length > 0) throw new UsageError([...new Set(problems)].join('\n'));

  const { suppress = [], ...keys } = parsed.output;
  const lines = file.text.split(/\r\n|\r|\n/u);
  return {
    ...defaultConfig,
    ...dropUndefined({ ...keys, $schema: undefined }),
    suppress: suppress.map((entry, index) => {
      const { line, column } = markOf(document, [...prefix, 'suppress', index]);
      const end = (lines[line - 1] ?? '').trimEnd().length + 1;
      return { ...entry, line, column, endColumn: Math.max(column + 1, end) };
    }),
    source: file.path,
  };
}

function readDocument(file: ConfigText): DocumentNode {
  try {
    return file.path.endsWith('.toml') ? readToml(file.text) : readJson(file.text);
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    const language = file.path.endsWith('.toml') ? 'TOML' : 'JSON';
    throw new UsageError(
      `${file.path}:${error.line}:${error.column}: this is not valid ${language}: ${error.message}.`,
    );
  }
}

function findUnknownRules(
  config: ConfigFile,
  levels: readonly string[],
  ruleIds: readonly string[],
  place: (path: KeyPath) => string,
): string[] {
  const named: { readonly id: string; readonly path: KeyPath }[] = [
    ...levels.map((id) => ({ id, path: ['rules', id] })),
    ...(config.suppress ?? []).map(({ id }, index) => ({ id, path: ['suppress', index, 'id'] })),
  ];
  return named
    .filter(({ id }) => !ruleIds.includes(id))
    .map(({ id, path }) => `${place(path)}: there is no rule '${id}'${suggest(id, ruleIds)}.`);
}

function findUnknownTargets({ targets = [] }: ConfigFile, place: (path: KeyPath) => string): string[] {
  return targets.flatMap((target, index) =>
    rustTargets.includes(target)
      ? []
      : [`${place(['targets', index])}: there is no target triple '${target}'${suggestTarget(target)}.`],
  );
}

/** Also understands the names of npm packages (`win32-x64-msvc`); among equally near triples one that addons are published for wins. */
function suggestTarget(target: string): string {
  const byName = new Map([
    ...[...publishedTriples, ...rustTargets].map((triple) => [triple, triple] as const),
    ...publishedTriples.map((triple) => [nodeNameOf(triple), triple] as const),
  ]);
  // A part may stand for the whole, and what addons are published for is more often meant.
  const part = publishedTriples.find((triple) => triple.includes(target.toLowerCase()));
  const nearest = part ?? byName.get(nearestName(target, [...byName.keys()]) ?? '');
  return nearest === undefined ? ", such as 'x86_64-pc-windows-msvc'" : `; the nearest valid one is '${nearest}'`;
}

type Issue = v.InferIssue<typeof configSchema>;

function describeIssue(issue: Issue, place: (path: KeyPath) => string): string {
  const path: KeyPath = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
  const name = path.at(-1);
  const where = place(path);
  if (path.length === 0) return `${where}: the configuration must be an object.`;
  const key = typeof name === 'number' ? `item ${name + 1} of '${String(path.at(-2))}'` : `'${String(name)}'`;
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return `${where}: there is no key ${key}${suggest(String(name), keysAround(path))}.`;
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    return `${place(path.slice(0, -1))}: the key ${key} is missing.`;
  }
  if (issue.type === 'picklist') {
    const choices = issue.expected
      .replace(/[()]/gu, '')
      .split(' | ')
      .map((choice) => choice.replaceAll('"', "'"));
    const typed = typeof issue.input === 'string' ? issue.input : undefined;
    const hint =
      typed === undefined
        ? ''
        : suggest(
            typed,
            choices.map((choice) => choice.replaceAll("'", '')),
          );
    return `${where}: ${key} must be ${joinChoices(choices)}, not ${issue.received.replaceAll('"', "'")}${hint}.`;
  }
  if (issue.type === 'min_length') return `${where}: ${key} must not be empty.`;
  if (issue.type === 'regex') return `${where}: ${key} ${issue.message}.`;
  const expected: Readonly<Record<string, string>> = { Array: 'an array', Object: 'an object', string: 'a string' };
  return `${where}: ${key} must be ${expected[issue.expected ?? ''] ?? 'something else'}.`;
}

/** Valid keys of the object that holds the last key of `path`. */
function keysAround(path: KeyPath): readonly string[] {
  if (path.length === 1) return Object.keys(configSchema.entries);
  return path[0] === 'suppress' ? ['id', 'path', 'reason'] : [];
}

function suggest(typed: string, known: readonly string[]): string {
  const nearest = nearestName(typed, known);
  return nearest === undefined ? '' : `; the nearest valid name is '${nearest}'`;
}

function joinChoices(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1) ?? ''}`;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function dropUndefined<T extends object>(value: T): Defined<T> {
  // Object.fromEntries loses the key types; only undefined values were removed.
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}
