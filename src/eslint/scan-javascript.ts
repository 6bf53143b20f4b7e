import { join } from 'node:path';
import type { Linter } from 'eslint';
import type { TSESTree } from '@typescript-eslint/utils';
import type { Gap } from '../model/finding.js';
import type { ProjectModel } from '../model/project.js';
import { createPackageReader, type PackageReader } from '../project/package-reader.js';
import { isJavaScriptRule, mayConcern, type JavaScriptRule } from '../rules/javascript-rule.js';
import { releasesSomething } from '../rules/javascript-text.js';
import type { Anchor, Report, ReportStep, Rule } from '../rules/rule.js';
import type { JavaScriptPlace, JavaScriptReport, ReportSink } from './javascript-visitor.js';
import { mayLoadAddon, nativeModulesIn } from './load-filter.js';
import { runnerOf } from './test-runners.js';
import { createNativeModules, hasReleasableClass, type NativeModule, type NativeModules } from './native-modules.js';
import { suppressionMark } from '../suppress/read-suppressions.js';
import { isDevelopmentPath, isWorkerText, startsNativeWorker } from './worker-files.js';

export interface JavaScriptScanInput {
  /** Absolute folder that paths are relative to. */
  readonly base: string;
  /** Base-relative folder of the unit. */
  readonly root: string;
  /** Base-relative paths of the JavaScript and TypeScript files and of the JSON settings to look at. */
  readonly files: readonly string[];
  readonly rules: readonly Rule[];
  readonly project: ProjectModel;
  /** Module names that the configuration calls native. */
  readonly native: readonly string[];
  /** False turns the text pre-filter off. */
  readonly isFiltered: boolean;
  readText(path: string): string | undefined;
}

export interface JavaScriptScan {
  /** The given rules; a JavaScript rule among them reports what its visitor found when it is checked. */
  readonly rules: readonly Rule[];
  readonly gaps: readonly Gap[];
  /** Base-relative paths of the files that were parsed. */
  readonly parsed: readonly string[];
  /** Those whose text mentions a suppression. */
  readonly marked: readonly string[];
  /** Milliseconds that parsing and visiting took, by rule id; the parse itself is in none. */
  readonly milliseconds: number;
}

type AnyMessages = Readonly<Record<string, string>>;
type AnyReport = Report<AnyMessages, string>;

const command = 'npm install --save-dev eslint @typescript-eslint/parser typescript';

/** An older one, which may lie on `NODE_PATH` or where a distribution keeps its own, reads no settings of this form. */
const oldestEslint = 9;

/**
 * Runs the visitors of the JavaScript rules over the files of one unit with ESLint's `Linter`. Neither the ESLint
 * configuration nor any other code of the scanned repository is read as such or run, and `eslint-disable` comments don't
 * count: generated loaders begin with one. ESLint and the parser are loaded only when some file passes the text filter;
 * without them the result is one gap that says what to install.
 */
export async function scanJavaScript(input: JavaScriptScanInput): Promise<JavaScriptScan> {
  const began = performance.now();
  const active = input.rules.filter(isJavaScriptRule);
  const modules = modulesOf(input, createPackageReader());
  const gaps: Gap[] = [];
  const candidates = active.length === 0 ? [] : findCandidates(input, active, modules, gaps);
  if (candidates.length === 0) return { ...nothingFound(input), gaps };

  const eslint = await optional(async () => {
    const [{ Linter }, { createRules }] = await Promise.all([import('eslint'), import('./index.js')]);
    return { Linter, createRules };
  });
  if (eslint === undefined) return { ...nothingFound(input), gaps: [...gaps, missingGap(candidates, 'eslint')] };
  const { version } = eslint.Linter;
  if (Number.parseInt(version, 10) < oldestEslint)
    return { ...nothingFound(input), gaps: [...gaps, missingGap(candidates, 'eslint', version)] };
  const needing = candidates.filter(({ path }) => isTypeScript(path));
  const parser = needing.length === 0 ? undefined : await optional(() => import('@typescript-eslint/parser'));
  const [firstNeeding] = needing;
  if (firstNeeding !== undefined && parser === undefined) gaps.push(missingGap(needing, '@typescript-eslint/parser'));

  const found: { readonly rule: JavaScriptRule; readonly report: AnyReport }[] = [];
  const sink: ReportSink = (rule, filename, report) => {
    found.push({ rule, report: toReport(input, filename, report) });
  };
  const linter = new eslint.Linter({ cwd: input.base });
  const rules = eslint.createRules({ modulesFor: () => modules, sink, isFiltered: input.isFiltered });
  const parsed: Candidate[] = [];
  for (const candidate of candidates) {
    const { path, text } = candidate;
    const before = found.length;
    let unseen: Linter.LintMessage | undefined;
    for (const languageOptions of languagesFor(path, parser)) {
      found.length = before;
      const config: Linter.Config = {
        // A pattern that matches every name alone doesn't make ESLint take a file.
        files: ['**/*.{js,cjs,mjs,jsx,ts,cts,mts,tsx,json,jsonc}'],
        languageOptions,
        linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'off' },
        plugins: { 'lifetime-lint': { rules } },
        rules: Object.fromEntries(candidate.rules.map(({ meta }) => [`lifetime-lint/${meta.id}`, 'warn'])),
      };
      try {
        // JSON is an expression of JavaScript once it is in parentheses.
        const source = isJson(path) ? `(${text}\n)` : text;
        const messages = linter.verify(source, [config], { filename: join(input.base, path) });
        // A syntax error, or ESLint's word that it left the file out.
        unseen = messages.find(
          (message) => message.fatal === true || /^(?:No matching configuration|File ignored)/u.test(message.message),
        );
        if (unseen === undefined) {
          parsed.push(candidate);
          break;
        }
      } catch (error) {
        gaps.push(failureGap(path, error));
        break;
      }
    }
    // The project model reports a manifest that can't be read.
    if (unseen !== undefined && !isJson(path)) {
      gaps.push(parseGap(path, /^\s*(?:\/\*|\/\/)[^]{0,400}?@flow\b/u.test(text), unseen));
    }
  }
  return {
    rules: input.rules.map((rule) => replaying(rule, found)),
    gaps,
    parsed: parsed.map(({ path }) => path),
    marked: parsed.filter(({ path, text }) => !isJson(path) && text.includes(suppressionMark)).map(({ path }) => path),
    milliseconds: Math.round(performance.now() - began),
  };
}

function nothingFound(input: JavaScriptScanInput): JavaScriptScan {
  return { rules: input.rules, gaps: [], parsed: [], marked: [], milliseconds: 0 };
}

interface Candidate {
  readonly path: string;
  readonly text: string;
  /** The rules that the text may concern. */
  readonly rules: readonly JavaScriptRule[];
}

/**
 * Files with the rules that may find something in them: by the rules' tokens and patterns, and by what they load. A file
 * that is too large to be checked becomes a gap.
 */
function findCandidates(
  input: JavaScriptScanInput,
  active: readonly JavaScriptRule[],
  modules: NativeModules,
  gaps: Gap[],
): readonly Candidate[] {
  const candidates: Candidate[] = [];
  const resolveIn = (file: string) => (specifier: string) => modules.resolve(specifier, file);
  for (const path of input.files) {
    // Test configurations are found by their names; their words (`exit`, `serial`) are in far too many other files.
    const isManifest = isJson(path);
    const isConfiguration = isManifest || runnerOf(path) !== undefined;
    const possible = active.filter((rule) => (rule.meta.id === maskingId ? isConfiguration : !isManifest));
    if (possible.length === 0) continue;
    const text = input.readText(path);
    if (text === undefined) continue;
    const file = join(input.base, path);
    let loaded: readonly NativeModule[] | undefined;
    const loadedModules = (): readonly NativeModule[] => {
      loaded ??= nativeModulesIn(text, resolveIn(file));
      return loaded;
    };
    const isWanted = (rule: JavaScriptRule): boolean => {
      if (!mayConcern(rule, text)) return false;
      const { id } = rule.meta;
      if (id === maskingId) return isBesideAddon(modules, file);
      if (workerRules.has(id) && !text.includes('dlopen')) {
        return startsNativeWorker(modules, file, text) || (isWorkerText(text) && mayLoadAddon(text, resolveIn(file)));
      }
      if (!rule.onlyWithAddon) return true;
      // Without a word of release only a class that is known to need one is of interest.
      if (id === 'native-handle-undisposed' && !releasesSomething(text))
        return loadedModules().some(hasReleasableClass);
      return loadedModules().length > 0 || text.includes('process.dlopen');
    };
    const wanted = input.isFiltered ? possible.filter(isWanted) : possible;
    if (wanted.length === 0) continue;
    if (text.length > maxTextLength) gaps.push(bundleGap(path, text.length));
    else candidates.push({ path, text, rules: wanted });
  }
  return candidates;
}

/**
 * UTF-16 code units above which a file is taken for a bundle, which nobody wrote and no maintainer mends in place:
 * ESLint takes some ten seconds for 4 MB of one.
 */
const maxTextLength = 1024 * 1024;

function bundleGap(path: string, length: number): Gap {
  const megabytes = (length / (1024 * 1024)).toFixed(1);
  return {
    kind: 'too-large',
    path,
    message: `'${path}' was not checked, because it has ${megabytes} MB and JavaScript above 1 MB is taken for a bundle; scan what it is made of, or exclude it.`,
  };
}

const maskingId = 'crash-masking-config';
const workerRules = new Set(['addon-only-in-workers', 'addon-not-context-aware', 'terminate-during-native-work']);

function isBesideAddon(modules: NativeModules, file: string): boolean {
  const manifest = modules.manifestOf(file);
  return manifest !== undefined && modules.addonOf(manifest) !== undefined;
}

function isJson(path: string): boolean {
  return /\.jsonc?$/u.test(path);
}

function isTypeScript(path: string): boolean {
  return /\.(?:[cm]?ts|tsx)$/u.test(path);
}

/**
 * How to read a file, in the order of the attempts. ESLint's own parser is the faster one and reads all of JavaScript; a .js
 * file may also be CommonJS with a `return` at its top level, or hold what only the TypeScript parser knows.
 */
function languagesFor(path: string, parser: unknown): readonly NonNullable<Linter.Config['languageOptions']>[] {
  const jsx = { ecmaFeatures: { jsx: !/\.[cm]?ts$/u.test(path) } };
  const typescript =
    parser === undefined
      ? []
      : // The two packages describe the parser's interface with two families of types.
        [{ parser: parser as Linter.Parser, sourceType: 'module' as const, parserOptions: jsx }];
  if (isTypeScript(path)) return typescript;
  const own = (sourceType: 'module' | 'commonjs') => ({
    sourceType,
    ecmaVersion: 'latest' as const,
    parserOptions: jsx,
  });
  if (path.endsWith('.cjs')) return [own('commonjs'), ...typescript];
  return path.endsWith('.mjs') ? [own('module'), ...typescript] : [own('module'), own('commonjs'), ...typescript];
}

function modulesOf(input: JavaScriptScanInput, reader: PackageReader): NativeModules {
  const workspace = new Map<string, string>();
  for (const { name, dir } of input.project.npm) if (name !== undefined) workspace.set(name, join(input.base, dir));
  return createNativeModules({ reader, workspace, native: input.native });
}

/** Undefined when an optional package is missing; any other failure to load one is the caller's to see. */
async function optional<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** @param version - the version that is installed and too old; by default none is. */
function missingGap(files: readonly Candidate[], name: string, version?: string): Gap {
  const language = name === 'eslint' ? 'JavaScript' : 'TypeScript';
  const counted = files.length === 1 ? `One ${language} file was` : `${files.length} ${language} files were`;
  const reason =
    version === undefined
      ? `the optional package '${name}' is not installed`
      : `version ${version} of '${name}' is too old (${oldestEslint} is the oldest that will do)`;
  return {
    kind: 'missing-dependency',
    path: files[0]?.path ?? '.',
    message: `${counted} not checked, because ${reason}; '${command}' adds it.`,
  };
}

/** A copy of a JavaScript rule whose check hands in what was found; any other rule as it is. */
function replaying(rule: Rule, found: readonly { readonly rule: JavaScriptRule; readonly report: AnyReport }[]): Rule {
  if (!isJavaScriptRule(rule)) return rule;
  const own = found.filter((each) => each.rule.meta.id === rule.meta.id).map(({ report }) => report);
  const replay: JavaScriptRule = {
    ...rule,
    check: (context) => {
      for (const report of own) context.report(report);
    },
  };
  return replay;
}

function toReport(input: JavaScriptScanInput, filename: string, report: JavaScriptReport): AnyReport {
  const path = relativeTo(input.base, filename);
  const isDevelopment = isDevelopmentPath(input.root === '' ? path : path.slice(input.root.length + 1));
  const severity = isDevelopment ? 'note' : report.severity;
  return {
    messageId: report.messageId,
    data: report.data,
    at: anchorOf(input.base, path, { node: report.node }),
    steps: report.steps.map((step): ReportStep => ({
      ...anchorOf(input.base, path, step),
      role: step.role,
      note: step.note,
    })),
    ...(severity === undefined ? {} : { severity }),
    ...(report.confidence === undefined ? {} : { confidence: report.confidence }),
    ...(report.key === undefined ? {} : { key: report.key }),
  };
}

function anchorOf(base: string, path: string, place: JavaScriptPlace): Anchor {
  if (!('node' in place)) {
    const { line, column, endColumn } = place;
    return { path: relativeTo(base, place.path), line, column, ...(endColumn === undefined ? {} : { endColumn }) };
  }
  const { start, end } = (place.node as TSESTree.Node).loc;
  // The parenthesis that was put before a JSON text is on its first line.
  const columnOf = ({ line, column }: TSESTree.Position): number => (isJson(path) && line === 1 ? column : column + 1);
  const isOneLine = start.line === end.line;
  return { path, line: start.line, column: columnOf(start), ...(isOneLine ? { endColumn: columnOf(end) } : {}) };
}

function relativeTo(base: string, file: string): string {
  const normal = file.replaceAll('\\', '/');
  const folder = base.replaceAll('\\', '/').replace(/\/$/u, '');
  return normal.startsWith(`${folder}/`) ? normal.slice(folder.length + 1) : normal;
}

function parseGap(path: string, isFlow: boolean, { message, line }: Linter.LintMessage): Gap {
  if (isFlow) {
    return {
      kind: 'unsupported-syntax',
      path,
      message: `'${path}' is written in Flow, which the parser does not read; nothing in it was checked.`,
    };
  }
  const reason = message.replace(/^Parsing error:\s*/u, '').replace(/\.$/u, '');
  return {
    kind: 'parse-error',
    path,
    line,
    message: `'${path}' could not be parsed as JavaScript or TypeScript (${reason}); nothing in it was checked.`,
  };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').trim().replace(/\.$/u, '');
}

function failureGap(path: string, error: unknown): Gap {
  // Parsers and ESLint walk trees by recursion, and thousands of calls in one chain are a tree of that depth.
  if (error instanceof RangeError && /call stack/u.test(error.message)) {
    const message = `'${path}' was not checked, because it nests too deep; split its longest expression, or exclude it.`;
    return { kind: 'limit', path, message };
  }
  const message = `The JavaScript rules failed on '${path}' (${firstLine(error)}); please report this.`;
  return { kind: 'internal', path, message };
}
