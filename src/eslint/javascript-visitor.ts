import { resolve } from 'node:path';
import type { ESLint, Rule as EslintRule } from 'eslint';
import type { ParserServices, TSESLint, TSESTree } from '@typescript-eslint/utils';
import { ruleUrl } from '../catalog/catalog.js';
import type { Confidence, Role, Severity } from '../model/finding.js';
import { createPackageReader } from '../project/package-reader.js';
import { holdsToken, mayConcern, type JavaScriptRule } from '../rules/javascript-rule.js';
import { mayLoadAddon } from './load-filter.js';
import { readSuppressions, suppressionMark, type Suppression } from '../suppress/read-suppressions.js';
import { createNativeModules, type NativeModules } from './native-modules.js';
import { isRecord } from './manifest.js';

type Messages = Readonly<Record<string, string>>;

/** A place in the visited file, or in another file by 1-based line and column. */
export type JavaScriptPlace =
  | { readonly node: TSESTree.Node | TSESTree.Token }
  | { readonly path: string; readonly line: number; readonly column: number; readonly endColumn?: number };

export type JavaScriptStep = JavaScriptPlace & { readonly role: Role; readonly note: string };

export interface JavaScriptSuggestion {
  readonly messageId: string;
  readonly data?: Readonly<Record<string, string | number>>;
  readonly fix: TSESLint.ReportFixFunction;
}

/** What a visitor found; the shape of `Report` in src/rules/rule.ts with syntax nodes as places. */
export interface JavaScriptReport<MessageId extends string = string> {
  readonly messageId: MessageId;
  readonly data: Readonly<Record<string, string | number>>;
  readonly node: TSESTree.Node | TSESTree.Token;
  readonly steps: readonly JavaScriptStep[];
  readonly severity?: Severity;
  readonly confidence?: Confidence;
  readonly key?: string;
  readonly suggest?: readonly JavaScriptSuggestion[];
}

export interface VisitorContext<MessageId extends string = string> {
  /** Absolute path of the visited file. */
  readonly filename: string;
  readonly sourceCode: Readonly<TSESLint.SourceCode>;
  readonly modules: NativeModules;
  /** The program with types, when the user's configuration gives the parser one. */
  readonly types: TypedServices | undefined;
  report(report: JavaScriptReport<MessageId>): void;
}

export type TypedServices = Extract<ParserServices, { program: { getTypeChecker(): unknown } }>;

/** Takes a report of the command line's own run, before ESLint sees it. */
export type ReportSink = (rule: JavaScriptRule, filename: string, report: JavaScriptReport) => void;

/** What differs between the plugin in a user's ESLint and the run inside the command line. */
export interface VisitorEnvironment {
  /** The modules to ask, given the names that the settings call native. */
  modulesFor(native: readonly string[]): NativeModules;
  readonly sink?: ReportSink;
  /** False visits files that the rules' text filters would pass over; the findings are the same. */
  readonly isFiltered?: boolean;
}

/** ESLint's own type of a rule, so that the plugin fits `defineConfig` of the eslint package without a cast by users. */
type PluginRule = EslintRule.RuleModule;
export type PluginRules = NonNullable<ESLint.Plugin['rules']>;

export interface JavaScriptVisitor {
  readonly rule: JavaScriptRule;
  /** The same visitor as an ESLint rule. */
  toEslintRule(environment: VisitorEnvironment): PluginRule;
}

/**
 * Ties a visitor to the metadata of its rule. The visitor runs only over files whose text holds one of the rule's tokens.
 * In ESLint, findings that a rule lowers to a note are shown when `settings['lifetime-lint'].notes` is true, and the comments
 * that suppress a finding for the command line suppress it there too.
 */
export function defineVisitor<const M extends Messages>(
  rule: JavaScriptRule<M>,
  create: (context: VisitorContext<keyof M & string>) => TSESLint.RuleListener,
): JavaScriptVisitor {
  // The visitor narrows message ids to its own; the plain shape is what the engine and ESLint pass around.
  const plain = rule as unknown as JavaScriptRule;
  return { rule: plain, toEslintRule: (environment) => eslintRuleOf(plain, create, environment) };
}

function eslintRuleOf<MessageId extends string>(
  rule: JavaScriptRule,
  create: (context: VisitorContext<MessageId>) => TSESLint.RuleListener,
  environment: VisitorEnvironment,
): PluginRule {
  const messages = Object.entries(rule.meta.messages).map(
    ([id, text]) => [id, text.replaceAll(/\{(\w+)\}/gu, '{{$1}}')] as const,
  );
  const module: TSESLint.RuleModule<string> = {
    defaultOptions: [],
    meta: {
      type: 'problem',
      docs: { description: rule.meta.summary.replace(/\.$/u, ''), url: ruleUrl(rule.meta.id) },
      hasSuggestions: true,
      messages: Object.fromEntries(messages),
      schema: [],
    },
    create(context) {
      const { sourceCode } = context;
      const types = typedServices(sourceCode);
      const isFiltered = environment.isFiltered ?? true;
      // With types a buffer needs no telling word in the text.
      const isConcerned = types === undefined ? mayConcern : holdsToken;
      if (isFiltered && !isConcerned(rule, sourceCode.text)) return {};
      const settings = readSettings(context.settings);
      const filename = resolve(context.cwd, context.filename);
      const modules = environment.modulesFor(settings.native);
      if (isFiltered && rule.onlyWithAddon && !loadsAddon(sourceCode, modules, filename)) return {};
      const isAllowed = (line: number): boolean =>
        suppressionsOf(sourceCode).some(
          ({ ids, lines }) =>
            ids.includes(rule.meta.id) && (lines === undefined || (lines.first <= line && line <= lines.last)),
        );
      const listener = create({
        filename,
        sourceCode,
        modules,
        types,
        report(report) {
          environment.sink?.(rule, filename, report);
          const severity = report.severity ?? rule.meta.severity;
          if (
            environment.sink === undefined &&
            (isAllowed(report.node.loc.start.line) || (severity === 'note' && !settings.notes))
          )
            return;
          context.report({
            node: report.node,
            messageId: report.messageId,
            data: report.data,
            suggest: (report.suggest ?? []).map(({ messageId, data, fix }) => ({
              messageId,
              fix,
              ...(data === undefined ? {} : { data }),
            })),
          });
        },
      });
      return listener;
    },
  };
  // Both packages describe one run-time shape with two families of types.
  return module as unknown as PluginRule;
}

interface PluginSettings {
  /** Module names that are addons although nothing shows it. */
  readonly native: readonly string[];
  /** Whether findings of level note are shown. */
  readonly notes: boolean;
}

function readSettings(settings: Readonly<Record<string, unknown>>): PluginSettings {
  const own = settings['lifetime-lint'];
  if (!isRecord(own)) return { native: [], notes: false };
  const native = own['native'];
  const names = Array.isArray(native) ? native.filter((name) => typeof name === 'string') : [];
  return { native: names, notes: own['notes'] === true };
}

function typedServices(sourceCode: Readonly<TSESLint.SourceCode>): TypedServices | undefined {
  const services = sourceCode.parserServices;
  // `program` is null when the parser ran without type information.
  return services !== undefined && 'program' in services && services.program !== null && services.program !== undefined
    ? (services as TypedServices)
    : undefined;
}

const loadsMemo = createSourceMemo<boolean>();

/** True when a file loads a native module, by its text. */
export function loadsAddon(
  sourceCode: Readonly<TSESLint.SourceCode>,
  modules: NativeModules,
  filename: string,
): boolean {
  return loadsMemo(sourceCode, () => mayLoadAddon(sourceCode.text, (name) => modules.resolve(name, filename)));
}

const idle = 5000;
const longest = 60_000;

/**
 * The environment of the plugin in a user's ESLint. Answers about packages are kept through a run of lints, and asked anew
 * after five seconds of rest or a minute: an editor's server outlives an `npm install`.
 */
export function createPluginEnvironment(): VisitorEnvironment {
  const known = new Map<string, { readonly modules: NativeModules; readonly since: number; used: number }>();
  return {
    modulesFor(native) {
      const key = native.join('\0');
      const now = Date.now();
      const entry = known.get(key);
      if (entry !== undefined && now - entry.used < idle && now - entry.since < longest) {
        entry.used = now;
        return entry.modules;
      }
      const modules = createNativeModules({ reader: createPackageReader(), native });
      known.set(key, { modules, since: now, used: now });
      return modules;
    },
  };
}

/** A store per file for analyses that several rules share. */
export function createSourceMemo<T>(): (sourceCode: Readonly<TSESLint.SourceCode>, compute: () => T) => T {
  const store = new WeakMap<object, { readonly value: T }>();
  return (sourceCode, compute) => {
    const known = store.get(sourceCode);
    if (known !== undefined) return known.value;
    const value = compute();
    store.set(sourceCode, { value });
    return value;
  };
}

const suppressionMemo = createSourceMemo<readonly Suppression[]>();

/** The well-formed `lifetime-lint: allow(…) -- reason` comments of a file; the command line reports the others. */
function suppressionsOf(sourceCode: Readonly<TSESLint.SourceCode>): readonly Suppression[] {
  const { text } = sourceCode;
  if (!text.includes(suppressionMark)) return [];
  return suppressionMemo(sourceCode, () => {
    const comments = sourceCode.getAllComments().map(({ range: [start, end] }) => ({ span: { start, end } }));
    return readSuppressions({ path: '', text, comments }).suppressions;
  });
}
