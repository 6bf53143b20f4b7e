import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import rule from '../../rules/whole-backing-store.js';
import { bufferOrigin, viewTypes, type BufferOrigin } from '../buffer-origins.js';
import { transferList } from '../in-flight/effects.js';
import { defineVisitor, type JavaScriptSuggestion } from '../javascript-visitor.js';
import {
  bare,
  type Code,
  descendantsOf,
  dottedName,
  enclosingFunction,
  isFunction,
  memberName,
  outermost,
  parentOf,
  shortText,
  variableOf,
} from '../syntax.js';

export default defineVisitor(rule, (context) => {
  const { sourceCode: code } = context;
  return {
    MemberExpression(node) {
      if (memberName(node) !== 'buffer' || node.computed) return;
      const use = outermost(node);
      if (!isHandedOn(use) || isTransferred(use) || usesBounds(code, node)) return;
      const known = bufferOrigin(code, node.object);
      const origin = known.kind === 'unknown' ? (guardedOrigin(code, node) ?? known) : known;
      if (origin.kind === 'array-buffer' || origin.extent === 'whole' || origin.extent === 'unknown') return;
      if (isFromStart(use) && beginsWithStore(code, origin.node)) return;
      const isParameter = origin.extent === 'parameter';
      context.report({
        messageId: isParameter ? 'parameter' : 'handedOn',
        data: { buffer: shortText(code, node.object, 40), origin: shortText(code, origin.node, 40) },
        node,
        steps: [
          { role: isParameter ? 'declare' : 'acquire', node: origin.node, note: originNote(origin) },
          { role: 'escape', node: use, note: 'The whole store is handed on here.' },
        ],
        severity: isParameter ? 'note' : 'warning',
        confidence: isParameter ? 'low' : origin.isStreamChunk === true ? 'medium' : 'high',
        suggest: suggestionsFor(code, node, use),
      });
    },
  };
});

function originNote(origin: BufferOrigin): string {
  if (origin.isStreamChunk === true) return 'A chunk of a stream can be a part of a larger store.';
  if (origin.extent === 'pooled') return 'Small Buffers of this kind lie in a pool that they share with others.';
  return origin.extent === 'parameter'
    ? 'The caller decides how much of the store this view covers.'
    : 'The view covers a part of its store.';
}

/** A parameter that a condition around the place tells to be a view: `ArrayBuffer.isView(x) ? x.buffer : x`. */
function guardedOrigin(code: Code, node: TSESTree.MemberExpression): BufferOrigin | undefined {
  const view = bare(node.object);
  const variable = view.type === 'Identifier' ? variableOf(code, view) : undefined;
  if (variable?.defs[0]?.type !== 'Parameter' || variable.references.some((each) => each.isWrite())) return undefined;
  let below: TSESTree.Node = node;
  for (let at = parentOf(node); at !== undefined && !isFunction(at); at = parentOf(at)) {
    const test =
      (at.type === 'ConditionalExpression' || at.type === 'IfStatement') && at.consequent === below
        ? at.test
        : at.type === 'LogicalExpression' && at.operator === '&&' && at.right === below
          ? at.left
          : undefined;
    const guard = test === undefined ? undefined : viewTest(code, test, variable);
    if (guard !== undefined) return { extent: 'parameter', kind: 'view', node: guard };
    below = at;
  }
  return undefined;
}

/** The part of a condition that holds only for a view: `ArrayBuffer.isView(x)`, `Buffer.isBuffer(x)`, `x instanceof Uint8Array`. */
function viewTest(code: Code, node: TSESTree.Node, variable: TSESLint.Scope.Variable): TSESTree.Node | undefined {
  const plain = bare(node);
  const isIt = (each: TSESTree.Node | undefined): boolean =>
    each?.type === 'Identifier' && variableOf(code, each) === variable;
  if (plain.type === 'LogicalExpression' && plain.operator === '&&')
    return viewTest(code, plain.left, variable) ?? viewTest(code, plain.right, variable);
  if (plain.type === 'CallExpression') {
    const name = dottedName(plain.callee)?.join('.');
    return (name === 'ArrayBuffer.isView' || name === 'Buffer.isBuffer') && isIt(plain.arguments[0])
      ? plain
      : undefined;
  }
  if (plain.type !== 'BinaryExpression' || plain.operator !== 'instanceof' || !isIt(plain.left)) return undefined;
  const { right } = plain;
  return right.type === 'Identifier' && (right.name === 'Buffer' || viewTypes.has(right.name)) ? plain : undefined;
}

/** An argument, a returned value, or a value put into an object or array: someone else gets the store. */
function isHandedOn(use: TSESTree.Node): boolean {
  const { parent } = use;
  switch (parent?.type) {
    case 'NewExpression':
      // With the offset 0 the view begins where the store does.
      return (
        parent.arguments.some((each) => each === use) && (parent.arguments.length === 1 || isZero(parent.arguments[1]))
      );
    case 'ConditionalExpression':
      return parent.test !== use && (isHandedOn(outermost(parent)) || isKept(outermost(parent)));
    case 'CallExpression':
      return parent.arguments.some((each) => each === use) && !isBoundedCall(parent);
    case 'ReturnStatement':
      return true;
    case 'ArrowFunctionExpression':
      return parent.body === use;
    case 'MemberExpression': {
      // buf.buffer.slice() and buf.buffer.slice(0) copy everything.
      if (parent.object !== use || memberName(parent) !== 'slice' || parent.parent.type !== 'CallExpression')
        return false;
      const [start, end] = parent.parent.arguments;
      return end === undefined && (start === undefined || isZero(start));
    }
    case 'Property':
      return parent.value === use && parent.parent.type === 'ObjectExpression';
    default:
      return false;
  }
}

/** `new DataView(store, 0, n)`: only where the view begins elsewhere the offset is wrong. */
function isFromStart({ parent }: TSESTree.Node): boolean {
  return (parent?.type === 'NewExpression' || parent?.type === 'CallExpression') && isZero(parent.arguments[1]);
}

/** `new Uint8Array(store, 0, n)`, `whole.subarray(0, n)`, and what zlib gives, which lies at the start of its own store. */
function beginsWithStore(code: Code, node: TSESTree.Node): boolean {
  if (node.type === 'NewExpression') return isZero(node.arguments[1]);
  if (node.type !== 'CallExpression') return false;
  const callee = bare(node.callee);
  const name =
    callee.type === 'Identifier' ? callee.name : callee.type === 'MemberExpression' ? memberName(callee) : '';
  if (name?.endsWith('Sync') === true && name !== 'readFileSync') return true;
  if ((name !== 'subarray' && name !== 'slice') || callee.type !== 'MemberExpression' || !isZero(node.arguments[0]))
    return false;
  const source = bufferOrigin(code, callee.object);
  return source.extent === 'whole' || (source.extent === 'partial' && beginsWithStore(code, source.node));
}

function isZero(node: TSESTree.Node | undefined): boolean {
  return node?.type === 'Literal' && node.value === 0;
}

/** `this.store = isView(x) ? x.buffer : x` */
function isKept({ parent }: TSESTree.Node): boolean {
  return (
    parent?.type === 'AssignmentExpression' &&
    parent.left.type === 'MemberExpression' &&
    parent.left.object.type === 'ThisExpression'
  );
}

/** `Buffer.from(x.buffer, offset, length)`, and comparisons that only look at the identity of the store. */
function isBoundedCall(call: TSESTree.CallExpression): boolean {
  const callee = bare(call.callee);
  // A question about the store reads none of it.
  if (/^is[A-Z]/u.test(dottedName(callee)?.at(-1) ?? '')) return true;
  if (callee.type !== 'MemberExpression') return false;
  const name = memberName(callee);
  if (name === 'from') return call.arguments.length > 1 && !isZero(call.arguments[1]);
  const owner = bare(callee.object);
  const isAssertion =
    (owner.type === 'Identifier' && /^(?:assert|t|expect)$/u.test(owner.name)) ||
    /^to(?:Be|Equal|StrictEqual)$/u.test(name ?? '');
  return isAssertion || name === 'has' || name === 'add' || name === 'includes' || name === 'is';
}

/** Transfer lists belong to pooled-buffer-transfer. */
function isTransferred(use: TSESTree.Node): boolean {
  for (let at = parentOf(use); at !== undefined; at = parentOf(at)) {
    if (at.type === 'CallExpression')
      return transferList(at.arguments[1]).some((each) => outermost(bare(each)) === use || bare(each) === bare(use));
    if (at.type !== 'ArrayExpression' && at.type !== 'Property' && at.type !== 'ObjectExpression') return false;
  }
  return false;
}

/** `view.byteLength === view.buffer.byteLength` */
function isCompared(node: TSESTree.Node): boolean {
  const { parent } = outermost(node);
  return parent?.type === 'BinaryExpression' && /^(?:[=!]==?|[<>]=?)$/u.test(parent.operator);
}

/** The code around also takes the view's offset: it knows that the store is larger. */
function usesBounds(code: Code, node: TSESTree.MemberExpression): boolean {
  const view = code.getText(node.object);
  const variable = node.object.type === 'Identifier' ? variableOf(code, node.object) : undefined;
  if (variable !== undefined) {
    return variable.references.some(({ identifier }) => {
      const parent = identifier.parent;
      if (parent?.type !== 'MemberExpression' || parent.object !== identifier) return false;
      const name = memberName(parent);
      // Whether the store is as long as the view is asked, too.
      const next = name === 'buffer' ? parent.parent : undefined;
      return (
        name === 'byteOffset' ||
        (next?.type === 'MemberExpression' && memberName(next) === 'byteLength' && isCompared(next))
      );
    });
  }
  for (const each of descendantsOf(code, enclosingFunction(node))) {
    if (each.type === 'MemberExpression' && memberName(each) === 'byteOffset' && code.getText(each.object) === view)
      return true;
  }
  return false;
}

function suggestionsFor(
  code: Code,
  node: TSESTree.MemberExpression,
  use: TSESTree.Node,
): readonly JavaScriptSuggestion[] {
  // Evaluating the view three times is the same only for a plain name.
  if (bare(node.object).type !== 'Identifier') return [];
  const view = code.getText(node.object);
  const { parent } = use;
  if (parent?.type === 'NewExpression' && parent.callee.type === 'Identifier' && viewTypes.has(parent.callee.name)) {
    const isByteSized = /^(?:Uint8|Int8|Uint8Clamped)Array$|^DataView$/u.test(parent.callee.name);
    if (!isByteSized) return [];
    return [
      {
        messageId: 'addBounds',
        fix: (fixer) => fixer.replaceText(use, `${view}.buffer, ${view}.byteOffset, ${view}.byteLength`),
      },
    ];
  }
  if (parent?.type === 'MemberExpression') return [];
  return [
    {
      messageId: 'copyRange',
      fix: (fixer) =>
        fixer.replaceText(use, `${view}.buffer.slice(${view}.byteOffset, ${view}.byteOffset + ${view}.byteLength)`),
    },
  ];
}
