import type { TSESTree } from '@typescript-eslint/utils';
import rule from '../../rules/pooled-buffer-transfer.js';
import { bufferOrigin } from '../buffer-origins.js';
import { transferList } from '../in-flight/effects.js';
import { defineVisitor, type JavaScriptSuggestion } from '../javascript-visitor.js';
import { bare, memberName, outermost, shortText, soleInit, variableOf, type Code } from '../syntax.js';

const senders = new Set(['postMessage', 'structuredClone', 'run', 'runTask']);

export default defineVisitor(rule, (context) => {
  const { sourceCode: code } = context;
  return {
    CallExpression(node) {
      const callee = bare(node.callee);
      const name =
        callee.type === 'MemberExpression'
          ? memberName(callee)
          : callee.type === 'Identifier'
            ? callee.name
            : undefined;
      if (name === undefined) return;
      if (callee.type === 'MemberExpression' && (name === 'transfer' || name === 'transferToFixedLength')) {
        reportStore(callee.object, node);
        return;
      }
      if (!senders.has(name)) return;
      reportList(node.arguments[1]);
    },
    NewExpression(node) {
      if (node.callee.type === 'Identifier' && node.callee.name === 'Worker') reportList(node.arguments[1]);
    },
  };

  /** The list may be kept in a constant. */
  function reportList(list: TSESTree.Node | undefined): void {
    const plain = list === undefined ? undefined : bare(list);
    const variable = plain?.type === 'Identifier' ? variableOf(code, plain) : undefined;
    const init = variable === undefined ? undefined : soleInit(variable);
    for (const element of transferList(init ?? plain)) reportStore(element, undefined);
  }

  function reportStore(element: TSESTree.Node, detaching: TSESTree.CallExpression | undefined): void {
    const store = storeOf(code, element);
    if (store === undefined) return;
    const origin = bufferOrigin(code, store.object);
    if (origin.kind !== 'buffer' || (origin.extent !== 'pooled' && origin.extent !== 'parameter')) return;
    const buffer = shortText(code, store.object, 40);
    const isParameter = origin.extent === 'parameter';
    const isChunk = origin.isStreamChunk === true;
    context.report({
      messageId: isParameter
        ? 'parameter'
        : detaching !== undefined
          ? 'detached'
          : isChunk
            ? 'streamChunk'
            : 'inTransferList',
      data: {
        buffer,
        origin: shortText(code, origin.node, 40),
        how: detaching === undefined ? '' : `${shortText(code, detaching.callee, 40)}()`,
      },
      node: element,
      steps: [
        {
          role: isParameter || isChunk ? 'declare' : 'acquire',
          node: origin.node,
          note: isParameter
            ? 'The caller decides where this Buffer lies.'
            : 'Small Buffers of this kind lie in a pool that they share with others.',
        },
        { role: 'escape', node: element, note: 'The whole pool would leave this thread.' },
      ],
      severity: isParameter ? 'note' : 'warning',
      confidence: isParameter ? 'low' : isChunk ? 'medium' : 'high',
      suggest: detaching === undefined ? removal(code, element) : [],
    });
  }
});

/** The `x.buffer` that an element of a transfer list is, directly or through a constant. */
function storeOf(code: Code, node: TSESTree.Node): TSESTree.MemberExpression | undefined {
  const plain = bare(node);
  if (plain.type === 'MemberExpression') return memberName(plain) === 'buffer' ? plain : undefined;
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  const init = variable === undefined ? undefined : soleInit(variable);
  const held = init === undefined ? undefined : bare(init);
  return held?.type === 'MemberExpression' && memberName(held) === 'buffer' ? held : undefined;
}

function removal(code: Code, element: TSESTree.Node): readonly JavaScriptSuggestion[] {
  const use = outermost(element);
  const list = use.parent;
  if (list?.type !== 'ArrayExpression') return [];
  return [
    {
      messageId: 'removeFromList',
      fix: (fixer) => {
        const after = code.getTokenAfter(use);
        const before = code.getTokenBefore(use);
        if (after?.value === ',')
          return fixer.removeRange([use.range[0], code.getTokenAfter(after)?.range[0] ?? after.range[1]]);
        if (before?.value === ',') return fixer.removeRange([before.range[0], use.range[1]]);
        return fixer.remove(use);
      },
    },
  ];
}
