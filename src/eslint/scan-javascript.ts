import { join } from 'node:path';
import type { Linter } from 'eslint';
import type { TSESTree } from '@typescript-eslint/utils';
import type { Gap } from '../model/finding.js';
import type { ProjectModel } from '../model/project.js';
import { createPackageReader, type PackageReader } from '../project/package-reader.js';
import { isJavaScriptRule, type JavaScriptRule } from '../rules/javascript-rule.js';
import type { Anchor, Report, ReportStep, Rule } from '../rules/rule.js';
import type { JavaScriptPlace, JavaScriptReport, ReportSink } from './javascript-visitor.js';
import { mayLoadAddon } from './load-filter.js';
import { createNativeModules, type NativeModules } from './native-modules.js';
import { suppressionMark } from '../suppress/read-suppressions.js';
import { isDevelopmentPath } from './worker-files.js';

export interface JavaScriptScanInput {
  /** Absolute folder that paths are relative to. */
  readonly base: string;
  /** Base-relative folder of the unit. */
  readonly root: string;
  /** Base-relative paths of the JavaScript and TypeScript files and of the package.json files to look at. */
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
  const candidates = active.length === 0 ? [] : findCandidates(input, active, modules);
  const [first] = candidates;
  if (first === undefined) return { rules: input.rules, gaps: [], parsed: [], marked: [], milliseconds: 0 };

  const tools = await loadTools();
  if (tools === undefined) {
    const message = `${candidates.length === 1 ? 'One JavaScript file was' : `${candidates.length} JavaScript files were`} not checked, because the optional packages 'eslint' and '@typescript-eslint/parser' are not installed; '${command}' adds them.`;
    return {
      rules: input.rules,
      gaps: [{ kind: 'missing-dependency', path: first.path, message }],
      parsed: [],
      marked: [],
      milliseconds: 0,
    };
  }

  const found: { readonly rule: JavaScriptRule; readonly report: AnyReport }[] = [];
  const sink: ReportSink = (rule, filename, report) => {
    found.push({ rule, report: toReport(input, filename, report) });
  };
  const gaps: Gap[] = [];
  const linter = new tools.Linter({ cwd: input.base });
  const rules = tools.createRules({ modulesFor: () => modules, sink });
  const ids = active.map(({ meta }) => meta.id);
  for (const { path, text } of candidates) {
    const config: Linter.Config = {
      // A pattern that matches every name alone doesn't make ESLint take a file.
      files: ['**/*.{js,cjs,mjs,jsx,ts,cts,mts,tsx,json}'],
      languageOptions: {
        parser: tools.parser,
        sourceType: path.endsWith('.cjs') || path.endsWith('.cts') ? 'commonjs' : 'module',
        parserOptions: { ecmaFeatures: { jsx: !/\.[cm]?ts$/u.test(path) }, loc: true, range: true },
      },
      linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'off' },
      plugins: { 'lifetime-lint': { rules } },
      rules: Object.fromEntries(ids.map((id) => [`lifetime-lint/${id}`, 'warn'])),
    };
    try {
      const messages = linter.verify(text, [config], { filename: join(input.base, path) });
      // A syntax error, or ESLint's word that it left the file out.
      const unseen = messages.find(
        (message) => message.fatal === true || /^(?:No matching configuration|File ignored)/u.test(message.message),
      );
      // The project model reports a manifest that can't be read.
      if (unseen !== undefined && !path.endsWith('.json'))
        gaps.push(parseGap(path, /^\s*(?:\/\*|\/\/)[^]{0,400}?@flow\b/u.test(text), unseen));
    } catch (error) {
      gaps.push({
        kind: 'internal',
        path,
        message: `The JavaScript rules failed on '${path}' (${firstLine(error)}); please report this.`,
      });
    }
  }
  return {
    rules: input.rules.map((rule) => replaying(rule, found)),
    gaps,
    parsed: candidates.map(({ path }) => path),
    marked: candidates
      .filter(({ path, text }) => !path.endsWith('.json') && text.includes(suppressionMark))
      .map(({ path }) => path),
    milliseconds: Math.round(performance.now() - began),
  };
}

interface Candidate {
  readonly path: string;
  readonly text: string;
}

function findCandidates(
  input: JavaScriptScanInput,
  active: readonly JavaScriptRule[],
  modules: NativeModules,
): readonly Candidate[] {
  const everywhere = [
    ...new Set(active.filter((rule) => !rule.onlyWithAddon).flatMap((rule) => rule.javascriptTokens)),
  ];
  const beside = active.filter((rule) => rule.onlyWithAddon);
  const masking = active.find((rule) => rule.meta.id === 'crash-masking-config');
  const elsewhere = [
    ...new Set(
      active.filter((rule) => !rule.onlyWithAddon && rule !== masking).flatMap((rule) => rule.javascriptTokens),
    ),
  ];
  const candidates: Candidate[] = [];
  for (const path of input.files) {
    const isManifest = path.endsWith('package.json');
    // Configurations are read by name; their words (`exit`, `serial`) are in far too many other files.
    const isConfiguration = isManifest || configurationName.test(path);
    const tokens = isManifest ? (masking?.javascriptTokens ?? []) : isConfiguration ? everywhere : elsewhere;
    const text = input.readText(path);
    if (text === undefined) continue;
    if (
      !input.isFiltered ||
      tokens.some((token) => text.includes(token)) ||
      (!isManifest && isAddonUser(input, path, text, beside, modules))
    ) {
      candidates.push({ path, text });
    }
  }
  return candidates;
}

const configurationName =
  /(?:^|\/)(?:(?:vitest|vite|jest|ava)\.(?:[\w-]+\.)*(?:config|workspace|projects)[\w.-]*|\.mocharc\.\w+)$/u;

function isAddonUser(
  { base }: JavaScriptScanInput,
  path: string,
  text: string,
  rules: readonly JavaScriptRule[],
  modules: NativeModules,
): boolean {
  if (!rules.some((rule) => rule.javascriptTokens.some((token) => text.includes(token)))) return false;
  const file = join(base, path);
  return mayLoadAddon(text, (specifier) => modules.resolve(specifier, file) !== undefined);
}

function modulesOf(input: JavaScriptScanInput, reader: PackageReader): NativeModules {
  const workspace = new Map<string, string>();
  for (const { name, dir } of input.project.npm) if (name !== undefined) workspace.set(name, join(input.base, dir));
  return createNativeModules({ reader, workspace, native: input.native });
}

interface Tools {
  readonly Linter: typeof Linter;
  readonly parser: Linter.Parser;
  readonly createRules: typeof import('./index.js').createRules;
}

/** Undefined when an optional package is missing; any other failure to load one is the caller's to see. */
async function loadTools(): Promise<Tools | undefined> {
  try {
    const [{ Linter }, parser, { createRules }] = await Promise.all([
      import('eslint'),
      import('@typescript-eslint/parser'),
      import('./index.js'),
    ]);
    // The two packages describe the parser's interface with two families of types.
    return { Linter, parser: parser as unknown as Linter.Parser, createRules };
  } catch (error) {
    if (
      error instanceof Error &&
      'code' in error &&
      (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND')
    )
      return undefined;
    throw error;
  }
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
  const isOneLine = start.line === end.line;
  return { path, line: start.line, column: start.column + 1, ...(isOneLine ? { endColumn: end.column + 1 } : {}) };
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
