import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TSESTree } from '@typescript-eslint/utils';
import type { VisitorContext } from './javascript-visitor.js';
import { mayLoadAddon, specifiersIn } from './load-filter.js';
import type { NativeModule, NativeModules } from './native-modules.js';
import {
  bare,
  type Code,
  dottedName,
  isExportOf,
  keyName,
  memberName,
  soleInit,
  stringValue,
  variableOf,
  workerThreads,
} from './syntax.js';

/** A place that starts workers, and the code that they run. */
export interface WorkerTarget {
  readonly node: TSESTree.NewExpression | TSESTree.CallExpression;
  /** As messages name it. */
  readonly name: string;
  /** The worker's file; for code that is given as text, the file that gives it. */
  readonly file: string;
  readonly text: string;
  readonly isText: boolean;
}

/** A native module that a file loads, found in its text. Lines and columns are 1-based. */
export interface TextLoad {
  readonly module: NativeModule;
  readonly specifier: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
}

const poolModules: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['Piscina', new Set(['piscina'])],
  ['Tinypool', new Set(['tinypool'])],
]);
const pathModules = new Set(['path', 'node:path']);

/** True for a file that only ever runs as a worker: it talks to its parent and doesn't ask which thread it is on. */
export function isWorkerText(text: string): boolean {
  return (
    /\b(?:parentPort|workerData)\b/u.test(text) && /\bworker_threads\b/u.test(text) && !/\bisMainThread\b/u.test(text)
  );
}

/** What a `new Worker(…)`, `new Piscina({ filename })` or `new Tinypool({ filename })` runs; undefined for other nodes. */
export function workerTargetOf(
  context: Pick<VisitorContext, 'filename' | 'modules' | 'sourceCode'>,
  node: TSESTree.NewExpression,
): WorkerTarget | undefined {
  const { sourceCode: code, filename, modules } = context;
  const [first, second] = node.arguments;
  if (first === undefined || first.type === 'SpreadElement') return undefined;
  if (isExportOf(code, node.callee, workerThreads, 'Worker')) {
    const isEval = second?.type === 'ObjectExpression' && optionOf(second, 'eval') !== undefined;
    const text = isEval ? textOf(code, first) : undefined;
    if (isEval) return text === undefined ? undefined : { node, name: 'eval', file: filename, text, isText: true };
    return fileTarget(modules, node, filePathOf(code, first, filename), filename);
  }
  const name = node.callee.type === 'Identifier' ? node.callee.name : dottedName(node.callee)?.at(-1);
  const pool = name === undefined ? undefined : poolModules.get(name);
  if (pool === undefined || first.type !== 'ObjectExpression') return undefined;
  const option = optionOf(first, 'filename');
  return option === undefined ? undefined : fileTarget(modules, node, filePathOf(code, option, filename), filename);
}

function fileTarget(
  modules: NativeModules,
  node: TSESTree.NewExpression,
  path: string | undefined,
  from: string,
): WorkerTarget | undefined {
  if (path === undefined) return undefined;
  const root = modules.manifestOf(from)?.folder;
  // A plain relative path is taken from the working directory, which is mostly the package's folder or the file's own.
  const file =
    modules.resolveFile(path, from) ??
    (root === undefined || path.startsWith('/')
      ? undefined
      : modules.resolveFile(`./${path}`, join(root, 'package.json')));
  const text = file === undefined ? undefined : modules.reader.readText(file);
  if (file === undefined || text === undefined) return undefined;
  return { node, name: file.slice(file.lastIndexOf('/') + 1), file, text, isText: false };
}

function optionOf(node: TSESTree.ObjectExpression, name: string): TSESTree.Node | undefined {
  for (const property of node.properties) {
    if (property.type === 'Property' && keyName(property) === name) return property.value;
  }
  return undefined;
}

function textOf(code: Code, node: TSESTree.Node): string | undefined {
  const plain = bare(node);
  if (plain.type === 'Identifier') {
    const variable = variableOf(code, plain);
    const init = variable === undefined ? undefined : soleInit(variable);
    return init === undefined ? undefined : textOf(code, init);
  }
  if (plain.type === 'TemplateLiteral') return plain.quasis.map((quasi) => quasi.value.cooked ?? '').join('');
  return stringValue(plain);
}

/** The path that an expression spells out, absolute or relative to the file; undefined when it is computed. */
function filePathOf(code: Code, node: TSESTree.Node, from: string, depth = 0): string | undefined {
  const plain = bare(node);
  if (depth > 6) return undefined;
  const text = stringValue(plain);
  if (text !== undefined) return text.startsWith('file:') ? safeFileUrl(text) : text;
  const dotted = dottedName(plain)?.join('.');
  if (dotted === '__filename' || dotted === 'import.meta.filename') return from;
  if (dotted === '__dirname') return dirname(from);
  if (isImportMeta(plain, 'url') || isImportMeta(plain, 'filename')) return from;
  if (isImportMeta(plain, 'dirname')) return dirname(from);
  switch (plain.type) {
    case 'Identifier': {
      const variable = variableOf(code, plain);
      const init = variable === undefined ? undefined : soleInit(variable);
      return init === undefined ? undefined : filePathOf(code, init, from, depth + 1);
    }
    case 'MemberExpression':
      // new URL(…).href, .pathname
      return filePathOf(code, plain.object, from, depth + 1);
    case 'NewExpression': {
      const [relative, base] = plain.arguments;
      if (plain.callee.type !== 'Identifier' || plain.callee.name !== 'URL' || relative === undefined) return undefined;
      const path = filePathOf(code, relative, from, depth + 1);
      if (path === undefined) return undefined;
      return base === undefined ? path : resolve(dirname(from), path);
    }
    case 'TemplateLiteral': {
      const parts = plain.quasis.flatMap((quasi, at) => {
        const hole = plain.expressions[at];
        return [quasi.value.cooked ?? '', ...(hole === undefined ? [] : [filePathOf(code, hole, from, depth + 1)])];
      });
      return parts.some((part) => part === undefined) ? undefined : parts.join('');
    }
    case 'BinaryExpression': {
      if (plain.operator !== '+') return undefined;
      const left = filePathOf(code, plain.left, from, depth + 1);
      const right = filePathOf(code, plain.right, from, depth + 1);
      return left === undefined || right === undefined ? undefined : left + right;
    }
    case 'CallExpression': {
      const callee = dottedName(plain.callee);
      const called = bare(plain.callee);
      const name = callee?.at(-1) ?? (called.type === 'MemberExpression' ? memberName(called) : undefined);
      const args = plain.arguments.map((argument) => filePathOf(code, argument, from, depth + 1));
      if (name === 'fileURLToPath' || name === 'pathToFileURL' || name === 'String' || name === 'toString')
        return args[0];
      if (callee?.join('.') === 'require.resolve' || callee?.join('.') === 'import.meta.resolve') return args[0];
      if ((name === 'join' || name === 'resolve') && args.length > 0 && usesPath(code)) {
        const known = args.filter((each) => each !== undefined);
        if (known.length !== args.length) return undefined;
        return join(...known);
      }
      if (name === 'dirname' && args[0] !== undefined) return dirname(args[0]);
      return undefined;
    }
    default:
      return undefined;
  }
}

function isImportMeta(node: TSESTree.Node, name: string): boolean {
  return (
    node.type === 'MemberExpression' &&
    node.object.type === 'MetaProperty' &&
    node.property.type === 'Identifier' &&
    node.property.name === name
  );
}

function usesPath(code: Code): boolean {
  return [...pathModules].some((name) => code.text.includes(`'${name}'`) || code.text.includes(`"${name}"`));
}

function safeFileUrl(text: string): string | undefined {
  try {
    return fileURLToPath(text);
  } catch {
    return undefined;
  }
}

const importsMemo = new WeakMap<NativeModules, Map<string, readonly string[]>>();

/** The files that a file loads by relative path. */
export function relativeImports(modules: NativeModules, file: string): readonly string[] {
  let known = importsMemo.get(modules);
  if (known === undefined) importsMemo.set(modules, (known = new Map<string, readonly string[]>()));
  let found = known.get(file);
  if (found === undefined) {
    found = specifiersIn(modules.reader.readText(file) ?? '').flatMap(({ specifier }) => {
      const target = specifier.startsWith('.') ? modules.resolveFile(specifier, file) : undefined;
      return target === undefined ? [] : [target];
    });
    known.set(file, found);
  }
  return found;
}

/** Files that a file loads by relative path, itself included, breadth first and at most `limit` of them. */
export function reachableFiles(modules: NativeModules, start: string, limit = 60): readonly string[] {
  const found = [start];
  for (let at = 0; at < found.length && found.length < limit; at++) {
    const file = found[at];
    if (file === undefined) continue;
    for (const target of relativeImports(modules, file)) if (!found.includes(target)) found.push(target);
  }
  return found;
}

/** The native modules that a text loads. */
export function nativeLoadsIn(modules: NativeModules, file: string, text: string): readonly TextLoad[] {
  let known = loadsMemo.get(modules);
  if (known === undefined) loadsMemo.set(modules, (known = new Map<string, readonly TextLoad[]>()));
  const key = `${file}\0${text.length}`;
  let loads = known.get(key);
  if (loads === undefined) known.set(key, (loads = findNativeLoads(modules, file, text)));
  return loads;
}

const loadsMemo = new WeakMap<NativeModules, Map<string, readonly TextLoad[]>>();

function findNativeLoads(modules: NativeModules, file: string, text: string): readonly TextLoad[] {
  const loads: TextLoad[] = [];
  // The cheap question first: most files load nothing native.
  if (!mayLoadAddon(text, (specifier) => modules.resolve(specifier, file))) return loads;
  for (const { specifier, offset } of specifiersIn(text)) {
    const module = modules.resolve(specifier, file);
    if (module === undefined) continue;
    const before = text.slice(0, offset);
    const line = before.split('\n').length;
    const column = offset - (before.lastIndexOf('\n') + 1) + 1;
    loads.push({ module, specifier, file, line, column, endColumn: column + specifier.length });
  }
  return loads;
}

/** Native modules that a worker loads, directly or through the files that it imports. */
export function workerLoads(modules: NativeModules, target: WorkerTarget): readonly TextLoad[] {
  const own = nativeLoadsIn(modules, target.file, target.text);
  if (target.isText) return own;
  const others = reachableFiles(modules, target.file)
    .slice(1)
    .flatMap((file) => nativeLoadsIn(modules, file, modules.reader.readText(file) ?? ''));
  const byIdentity = new Map<string, TextLoad>();
  for (const load of [...own, ...others])
    if (!byIdentity.has(load.module.identity)) byIdentity.set(load.module.identity, load);
  return [...byIdentity.values()];
}

/**
 * Whether a text that starts workers can have one that loads an addon, by its strings alone: one of them is a path to such a
 * file, or holds code, or the file is its own worker.
 */
export function startsNativeWorker(modules: NativeModules, file: string, text: string): boolean {
  if (/\beval\s*:/u.test(text)) return true;
  const isOwnWorker = /\b__filename\b|\bimport\.meta\.(?:url|filename)\b/u.test(text);
  if (isOwnWorker && nativeLoadsIn(modules, file, text).length > 0) return true;
  const root = modules.manifestOf(file)?.folder;
  const paths = new Set(
    [...text.matchAll(/(['"`/])((?:\.{1,2}\/)*[\w@.$][\w@./$-]*)['"`]/gu)].map(([, , path = '']) => path),
  );
  for (const path of paths) {
    const targets = [modules.resolveFile(path.startsWith('.') ? path : `./${path}`, file)];
    if (root !== undefined) targets.push(modules.resolveFile(`./${path}`, join(root, 'package.json')));
    for (const target of new Set(targets)) {
      if (target === undefined || target === file) continue;
      const reached = reachableFiles(modules, target);
      if (reached.some((each) => nativeLoadsIn(modules, each, modules.reader.readText(each) ?? '').length > 0))
        return true;
    }
  }
  return false;
}

const skippedFolders = new Set(['node_modules', 'dist', 'build', 'out', 'coverage', 'target', 'vendor']);
const sourceFile = /\.[cm]?[jt]sx?$/u;
const testFile = /(?:^|\/)(?:__tests?__|tests?|specs?|e2e)\/|\.(?:test|spec)\.[cm]?[jt]sx?$/u;
const otherDevelopmentFile = /(?:^|\/)(?:examples?|bench(?:mark)?s?|fixtures?|scripts?)\/|\.bench\.[cm]?[jt]sx?$/u;

/** True for tests, benches, examples and scripts of a package, by path. */
export function isDevelopmentPath(path: string): boolean {
  return isTestPath(path) || otherDevelopmentFile.test(path);
}

/** True for tests of a package, by path. */
export function isTestPath(path: string): boolean {
  return testFile.test(path);
}

/** Source files below a folder, nested packages left out; at most `limit`. */
export function packageFiles(modules: NativeModules, folder: string, limit = 3000): readonly string[] {
  const found: string[] = [];
  const folders = [folder];
  for (let current = folders.shift(); current !== undefined && found.length < limit; current = folders.shift()) {
    const entries = modules.reader.list(current);
    if (current !== folder && entries.some((entry) => entry.name === 'package.json' && entry.kind === 'file')) continue;
    for (const entry of entries) {
      const path = join(current, entry.name);
      if (entry.kind === 'folder' && !skippedFolders.has(entry.name) && !entry.name.startsWith('.')) folders.push(path);
      if (entry.kind === 'file' && sourceFile.test(entry.name) && !entry.name.endsWith('.d.ts')) found.push(path);
    }
  }
  return found;
}
