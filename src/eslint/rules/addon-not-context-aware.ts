import rule from '../../rules/addon-not-context-aware.js';
import { defineVisitor } from '../javascript-visitor.js';
import { nativeBindingsOf } from '../native-bindings.js';
import { bare, memberName, shortText } from '../syntax.js';
import { isWorkerText, workerLoads, workerTargetOf } from '../worker-files.js';
import { isProcessReference } from '../windows-paths.js';

export default defineVisitor(rule, (context) => {
  const { sourceCode: code, modules } = context;
  const isWorker = isWorkerText(code.text);
  return {
    Program() {
      if (!isWorker) return;
      for (const { module, node } of nativeBindingsOf(context).loads) {
        if (module.contextUnaware === undefined) continue;
        context.report({
          messageId: 'inWorker',
          data: { addon: module.name, why: module.contextUnaware },
          node,
          steps: [{ role: 'load', node, note: 'This file runs as a worker.' }],
          key: module.name,
        });
      }
    },
    NewExpression(node) {
      const target = workerTargetOf(context, node);
      // A worker that says so itself is reported where it loads the addon.
      if (target === undefined || (!target.isText && isWorkerText(target.text))) return;
      for (const load of workerLoads(modules, target)) {
        const why = load.module.contextUnaware;
        if (why === undefined) continue;
        context.report({
          messageId: 'inWorker',
          data: { addon: load.module.name, why },
          node: node.callee,
          steps: [
            { role: 'enable', node, note: 'The worker is started here.' },
            {
              role: 'load',
              path: load.file,
              line: load.line,
              column: load.column,
              endColumn: load.endColumn,
              note: 'The worker loads the addon here.',
            },
          ],
          key: load.module.name,
        });
      }
    },
    CallExpression(node) {
      const callee = bare(node.callee);
      if (
        callee.type !== 'MemberExpression' ||
        memberName(callee) !== 'dlopen' ||
        !isProcessReference(code, callee.object)
      )
        return;
      context.report({
        messageId: isWorker ? 'dlopen' : 'dlopenOnMain',
        data: { call: `${shortText(code, callee)}()` },
        node,
        steps: [{ role: 'load', node, note: 'The addon is opened without the module cache.' }],
        severity: isWorker ? 'warning' : 'note',
        confidence: isWorker ? 'medium' : 'low',
      });
    },
  };
});
