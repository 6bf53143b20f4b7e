import { RuleTester, type RunTests } from '@typescript-eslint/rule-tester';
import * as parser from '@typescript-eslint/parser';
import { Linter } from 'eslint';
import { afterAll, describe, it } from 'vitest';
import { createNativeModules, type NativeModules } from '../../src/eslint/native-modules.js';
import { visitors } from '../../src/eslint/index.js';
import type { JavaScriptReport } from '../../src/eslint/javascript-visitor.js';
import type { DirectoryEntry, PackageReader } from '../../src/project/package-reader.js';

RuleTester.afterAll = afterAll;
RuleTester.describe = describe;
RuleTester.it = it;
RuleTester.itOnly = it.only;

export type Files = Readonly<Record<string, string>>;

/** Files by absolute path, held in memory. */
function memoryReader(files: Files): PackageReader {
  const list = (folder: string): readonly DirectoryEntry[] => {
    const entries = new Map<string, DirectoryEntry>();
    for (const path of Object.keys(files)) {
      if (!path.startsWith(`${folder}/`)) continue;
      const [name = '', ...rest] = path.slice(folder.length + 1).split('/');
      entries.set(name, { name, kind: rest.length === 0 ? 'file' : 'folder' });
    }
    return [...entries.values()];
  };
  return {
    readText: (path) => files[path],
    list,
    isFile: (path) => Object.hasOwn(files, path),
    realPath: (path) => path,
  };
}

export function memoryModules(files: Files, native: readonly string[] = []): NativeModules {
  return createNativeModules({ reader: memoryReader(files), native });
}

function visitorOf(id: string) {
  const visitor = visitors.find(({ rule }) => rule.meta.id === id);
  if (visitor === undefined) throw new Error(`There is no visitor '${id}'.`);
  return visitor;
}

/** Runs RuleTester cases of one rule; the files of `files` are there when it asks. */
export function testRule(id: string, cases: RunTests<string, []>, files: Files = {}): void {
  const tester = new RuleTester({
    languageOptions: { parserOptions: { ecmaFeatures: { jsx: false } } },
    settings: { 'lifetime-lint': { notes: true } },
  });
  const rule = visitorOf(id).toEslintRule({ modulesFor: (native) => memoryModules(files, native) });
  // The plugin's rules have the type of the eslint package; the tester wants that of typescript-eslint.
  tester.run(id, rule as unknown as Parameters<typeof tester.run>[1], cases);
}

export interface LintOptions {
  readonly filename: string;
  readonly files?: Files;
  readonly native?: readonly string[];
  readonly notes?: boolean;
  readonly parserOptions?: Linter.ParserOptions;
}

/** Lints one text with one rule and gives ESLint's messages and the reports behind them. */
export function lint(id: string, code: string, options: LintOptions) {
  const reports: JavaScriptReport[] = [];
  const rules = {
    [id]: visitorOf(id).toEslintRule({
      modulesFor: (native) => memoryModules({ [options.filename]: code, ...options.files }, native),
      sink: (_rule, _file, report) => reports.push(report),
    }),
  };
  const messages = new Linter({ cwd: '/' }).verify(
    code,
    [
      {
        files: ['**/*.{js,mjs,cjs,ts,mts,cts,json}'],
        // As in src/eslint/scan-javascript.ts: two families of types for one interface.
        languageOptions: { parser, parserOptions: options.parserOptions ?? {} },
        plugins: { own: { rules } },
        rules: { [`own/${id}`]: 'warn' },
        settings: { 'lifetime-lint': { native: options.native ?? [], notes: options.notes ?? true } },
      },
    ],
    { filename: options.filename },
  );
  const broken = messages.find((message) => message.fatal === true);
  if (broken !== undefined) throw new Error(`line ${broken.line}: ${broken.message}`);
  return { messages, reports };
}
