import { basename, extname } from 'node:path';
import rule from '../../rules/addon-only-in-workers.js';
import type { TSESTree } from '@typescript-eslint/utils';
import { nativeBindingsOf } from '../native-bindings.js';
import { bare, dottedName, parentOf } from '../syntax.js';
import { defineVisitor, type VisitorContext } from '../javascript-visitor.js';
import {
  isDevelopmentPath,
  isWorkerText,
  nativeLoadsIn,
  packageFiles,
  reachableFiles,
  relativeImports,
  workerLoads,
  workerTargetOf,
  type TextLoad,
  type WorkerTarget,
} from '../worker-files.js';

export default defineVisitor(rule, (context) => {
  const reported = new Set<string>();
  return {
    NewExpression(node) {
      const target = workerTargetOf(context, node);
      if (target === undefined) return;
      if (target.file === context.filename && !target.isText) {
        reportOwnBranch(target);
        return;
      }
      for (const load of workerLoads(context.modules, target)) {
        const { identity } = load.module;
        if (reported.has(identity) || isLoadedOnMainThread(context, target, load)) continue;
        reported.add(identity);
        report(context, target, load);
      }
    },
  };

  /** A file that is its own worker: what is loaded below `!isMainThread` only is loaded in workers only. */
  function reportOwnBranch(target: WorkerTarget): void {
    const { loads } = nativeBindingsOf(context);
    for (const { module, node } of loads) {
      const isElsewhere = loads.some(
        (each) => each.module.identity === module.identity && !isInWorkerBranch(each.node),
      );
      if (isElsewhere || reported.has(module.identity)) continue;
      reported.add(module.identity);
      const { start } = node.loc;
      report(context, target, {
        module,
        specifier: module.name,
        file: context.filename,
        line: start.line,
        column: start.column + 1,
        endColumn: start.column + 2,
      });
    }
  }
});

function isInWorkerBranch(node: TSESTree.Node): boolean {
  let at = node;
  for (let parent = parentOf(at); parent !== undefined; parent = parentOf(at)) {
    if (parent.type === 'IfStatement' && at !== parent.test) {
      const test = bare(parent.test);
      const isNegated = test.type === 'UnaryExpression' && test.operator === '!';
      const asked = bare(isNegated ? test.argument : test);
      if (dottedName(asked)?.at(-1) === 'isMainThread' && isNegated === (at === parent.consequent)) return true;
    }
    at = parent;
  }
  return false;
}

function report(context: VisitorContext<keyof typeof rule.meta.messages>, target: WorkerTarget, load: TextLoad): void {
  const { name } = load.module;
  const isPackage = !load.specifier.startsWith('.') && !load.specifier.startsWith('/');
  const [first] = context.sourceCode.ast.body;
  const isModule = context.sourceCode.ast.sourceType === 'module';
  context.report({
    messageId: 'onlyInWorkers',
    data: { addon: name, worker: target.name },
    node: target.node.callee,
    steps: [
      { role: 'enable', node: target.node, note: 'Workers are started here.' },
      target.isText
        ? { role: 'load', node: target.node, note: `The worker's code loads '${name}'.` }
        : {
            role: 'load',
            path: load.file,
            line: load.line,
            column: load.column,
            endColumn: load.endColumn,
            note: `The worker loads '${name}', and nothing on the main thread does.`,
          },
    ],
    confidence: load.module.confidence === 'high' ? 'medium' : 'low',
    key: name,
    suggest:
      isPackage && first !== undefined
        ? [
            {
              messageId: 'loadOnMainThread',
              data: { addon: name },
              fix: (fixer) => fixer.insertTextBefore(first, isModule ? `import '${name}';\n` : `require('${name}');\n`),
            },
          ]
        : [],
  });
}

/**
 * Whether code outside the worker's own files loads the addon: the file that starts the worker, with what it imports, or any
 * other source file of the package that is no test and no worker.
 */
function isLoadedOnMainThread(context: VisitorContext, target: WorkerTarget, load: TextLoad): boolean {
  const { modules, filename, sourceCode } = context;
  const loadsIt = (file: string, text: string): boolean =>
    nativeLoadsIn(modules, file, text).some((each) => each.module.identity === load.module.identity);
  const ownText = target.isText ? sourceCode.text.replace(target.text, '') : sourceCode.text;
  if (loadsIt(filename, ownText)) return true;
  const workerFiles = new Set(target.isText ? [] : reachableFiles(modules, target.file));
  for (const file of reachableFiles(modules, filename)) {
    if (file === filename || file === target.file) continue;
    if (loadsIt(file, modules.reader.readText(file) ?? '')) return true;
  }
  const manifest = modules.manifestOf(filename);
  if (manifest === undefined) return false;
  const isDevelopment = isDevelopmentPath(filename.slice(manifest.folder.length));
  for (const file of packageFiles(modules, manifest.folder)) {
    if (file === filename || file === target.file) continue;
    if (!isDevelopment && isDevelopmentPath(file.slice(manifest.folder.length))) continue;
    const text = modules.reader.readText(file) ?? '';
    if (isWorkerText(text)) continue;
    if (!workerFiles.has(file)) {
      if (loadsIt(file, text)) return true;
      // A shared file of the worker that main-thread code imports as well.
      const name = basename(load.file, extname(load.file));
      const mayImport = load.file !== target.file && (text.includes(name) || name === 'index');
      if (mayImport && relativeImports(modules, file).includes(load.file)) return true;
    }
  }
  return false;
}
