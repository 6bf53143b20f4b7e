import type { TSESTree } from '@typescript-eslint/utils';
import rule from '../../rules/loader-process-report.js';
import { defineVisitor } from '../javascript-visitor.js';
import { isLoaderText } from '../native-modules.js';
import { bare, memberName, outermost, parentOf, shortText, stringValue } from '../syntax.js';
import { isProcessMember, windowsReach } from '../windows-paths.js';

/** What the loader of @napi-rs/cli 3.4.0 asks instead of the report's `osName`. */
const replacement =
  "process.config?.variables?.shlib_suffix === 'dll.a' || process.config?.variables?.node_target_type === 'shared_library'";

export default defineVisitor(rule, (context) => {
  const { sourceCode: code, modules, filename } = context;
  let isLoader: boolean | undefined;
  const isInLoader = (): boolean => {
    isLoader ??= isLoaderText(code.text) || isAddonFile();
    return isLoader;
  };
  const isAddonFile = (): boolean => {
    const manifest = modules.manifestOf(filename);
    const addon = manifest === undefined ? undefined : modules.addonOf(manifest);
    return addon !== undefined && addon.identity === manifest?.name;
  };

  return {
    CallExpression(node) {
      const callee = bare(node.callee);
      if (callee.type !== 'MemberExpression' || memberName(callee) !== 'getReport') return;
      if (!isProcessMember(code, callee.object, 'report') || !isInLoader()) return;
      const reach = windowsReach(code, node);
      if (reach === 'never') return;
      const condition = minGwTest(node);
      context.report({
        messageId: reach === 'only' ? 'onWindows' : 'everywhere',
        data: { call: `${shortText(code, callee)}()` },
        node,
        steps: [
          {
            role: 'load',
            node,
            note: 'The loader writes a diagnostic report here, in every thread that loads the addon.',
          },
        ],
        confidence: reach === 'only' ? 'high' : 'medium',
        ...(condition === undefined
          ? {}
          : {
              suggest: [{ messageId: 'useConfigVariables', fix: (fixer) => fixer.replaceText(condition, replacement) }],
            }),
      });
    },
  };
});

/** The whole test `….header.osName.startsWith('MINGW')` around the call, when an `if` or a ternary asks nothing else. */
function minGwTest(call: TSESTree.Node): TSESTree.Node | undefined {
  let node: TSESTree.Node = call;
  for (let parent = parentOf(node); parent !== undefined; parent = parentOf(node)) {
    if ((parent.type === 'IfStatement' || parent.type === 'ConditionalExpression') && parent.test === node) {
      const test = bare(node);
      const isPrefixTest =
        test.type === 'CallExpression' &&
        bare(test.callee).type === 'MemberExpression' &&
        stringValue(test.arguments[0])?.startsWith('MINGW') === true;
      return isPrefixTest ? outermost(test) : undefined;
    }
    if (parent.type !== 'MemberExpression' && parent.type !== 'CallExpression' && parent.type !== 'ChainExpression')
      return undefined;
    node = parent;
  }
  return undefined;
}
