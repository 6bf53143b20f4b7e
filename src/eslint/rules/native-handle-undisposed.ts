import { basename } from 'node:path';
import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { releasesSomething } from '../../rules/javascript-text.js';
import rule from '../../rules/native-handle-undisposed.js';
import { releaseMethods } from '../declarations.js';
import { defineVisitor } from '../javascript-visitor.js';
import { nativeModulesIn } from '../load-filter.js';
import { hasReleasableClass, type NativeModule } from '../native-modules.js';
import { nativeBindingsOf, type NativeOrigin } from '../native-bindings.js';
import {
  bare,
  type Code,
  descendantsOf,
  enclosingFunction,
  isFunction,
  keyName,
  memberName,
  outermost,
  parentOf,
  shortText,
  variableOf,
} from '../syntax.js';
import { isTestPath } from '../worker-files.js';

const releasing = new Set(releaseMethods);

export default defineVisitor(rule, (context) => {
  const { sourceCode: code } = context;
  const { filename, modules } = context;
  const resolve = (specifier: string): NativeModule | undefined => modules.resolve(specifier, filename);
  // Without a word of release only a class that is known to need one is of interest; loaders have neither.
  if (!releasesSomething(code.text) && !nativeModulesIn(code.text, resolve).some(hasReleasableClass)) return {};
  const bindings = nativeBindingsOf(context);
  return {
    VariableDeclarator(node) {
      const { init, id, parent } = node;
      if (init === null || id.type !== 'Identifier' || parent.kind === 'using' || parent.kind === 'await using') return;
      const made = withoutAwait(init);
      if (made.type !== 'NewExpression' && made.type !== 'CallExpression') return;
      // A script's own handles end with the process.
      if (enclosingFunction(node).type === 'Program') return;
      const origin = bindings.originOf(made);
      const variable = origin === undefined ? undefined : variableOf(code, id);
      if (origin === undefined || variable === undefined || origin.path.at(-1) !== '()') return;
      judge(node, made, id, origin, variable);
    },
    NewExpression(node) {
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'FinalizationRegistry') return;
      const [callback] = node.arguments;
      if (!isFunction(callback) || !releasesNatively(callback) || hasExplicitRelease(code)) return;
      context.report({
        messageId: 'onlyByCollector',
        data: {},
        node,
        steps: [{ role: 'release', node: callback, note: 'The release waits for a collection that may never come.' }],
      });
    },
  };

  function judge(
    node: TSESTree.VariableDeclarator,
    made: TSESTree.Node,
    id: TSESTree.Identifier,
    origin: NativeOrigin,
    variable: TSESLint.Scope.Variable,
  ): void {
    const releases: TSESTree.CallExpression[] = [];
    for (const reference of variable.references) {
      if (reference.init === true) continue;
      const call = releaseCall(reference.identifier);
      if (call !== undefined) releases.push(call);
      else if (reference.isWrite() || escapes(reference.identifier, node)) return;
    }
    const shown = { handle: id.name, origin: shortText(code, made, 40) };
    if (releases.length === 0) {
      const method = declaredRelease(origin);
      if (method === undefined) return;
      context.report({
        messageId: 'neverClosed',
        data: { ...shown, method: `${id.name}.${method}()` },
        node: id,
        steps: [{ role: 'acquire', node: made, note: 'The handle is opened here.' }],
        confidence: origin.module.confidence === 'high' ? 'high' : 'medium',
        key: id.name,
      });
      return;
    }
    // What throws in a test ends the test, and its process soon after.
    const folder = modules.manifestOf(filename)?.folder;
    if (isTestPath(folder === undefined ? basename(filename) : filename.slice(folder.length))) return;
    const fn = enclosingFunction(node);
    if (releases.some((each) => enclosingFunction(each) !== fn || isInFinally(each))) return;
    const first = releases.reduce((a, b) => (a.range[0] < b.range[0] ? a : b));
    const risk = firstAwaitBetween(code, fn, node, first);
    if (risk === undefined) return;
    context.report({
      messageId: 'onlyOnSuccess',
      data: { ...shown, method: `${shortText(code, first.callee, 40)}()` },
      node: id,
      steps: [
        { role: 'acquire', node: made, note: 'The handle is opened here.' },
        { role: 'escape', node: risk, note: 'When this rejects, the release below is skipped.' },
        { role: 'release', node: first, note: 'The handle is released here, on the way without an error.' },
      ],
      confidence: origin.module.confidence === 'high' ? 'medium' : 'low',
      key: id.name,
    });
  }

  function releasesNatively(callback: TSESTree.Node): boolean {
    for (const each of descendantsOf(code, callback)) {
      if (each.type !== 'CallExpression') continue;
      if (bindings.originOf(each.callee) !== undefined) return true;
    }
    return false;
  }
});

function withoutAwait(node: TSESTree.Node): TSESTree.Node {
  const plain = bare(node);
  return plain.type === 'AwaitExpression' ? bare(plain.argument) : plain;
}

/** `handle.close()`, `handle?.close()`, `handle[Symbol.dispose]()`. */
function releaseCall(identifier: TSESTree.Node): TSESTree.CallExpression | undefined {
  const member = outermost(identifier).parent;
  if (member?.type !== 'MemberExpression' || bare(member.object) !== bare(identifier)) return undefined;
  const call = outermost(member).parent;
  if (call?.type !== 'CallExpression' || bare(call.callee) !== member) return undefined;
  const name = memberName(member);
  if (name !== undefined) return releasing.has(name) ? call : undefined;
  return member.property.type === 'MemberExpression' ? call : undefined;
}

/** True when the handle leaves the function or is used where this rule can't follow it. */
function escapes(identifier: TSESTree.Node, declared: TSESTree.Node): boolean {
  if (enclosingFunction(identifier) !== enclosingFunction(declared)) return true;
  const parent = outermost(identifier).parent;
  // Reading a member or calling a method keeps the handle here.
  return parent?.type !== 'MemberExpression' || bare(parent.object) !== bare(identifier);
}

/** The method by which the declarations of the addon say that an object of this kind is released. */
function declaredRelease({ module, path }: NativeOrigin): string | undefined {
  const declarations = module.declarations();
  if (declarations === undefined || path.length !== 2) return undefined;
  return declarations.classes.get(path[0] ?? '')?.releasedBy[0];
}

function isInFinally(node: TSESTree.Node): boolean {
  let at = node;
  for (let parent = parentOf(at); parent !== undefined && !isFunction(at); parent = parentOf(at)) {
    if (parent.type === 'TryStatement' && parent.finalizer === at) return true;
    // Released in the handler as well: both ways are covered.
    if (parent.type === 'CatchClause') return true;
    at = parent;
  }
  return false;
}

function firstAwaitBetween(
  code: Code,
  fn: TSESTree.Node,
  from: TSESTree.Node,
  to: TSESTree.Node,
): TSESTree.Node | undefined {
  for (const each of descendantsOf(code, fn)) {
    if (each.type !== 'AwaitExpression' && each.type !== 'ForOfStatement') continue;
    if (each.type === 'ForOfStatement' && !each.await) continue;
    const isBetween = each.range[0] > from.range[1] && each.range[1] < to.range[0];
    if (isBetween && enclosingFunction(each) === fn) return each;
  }
  return undefined;
}

/** A class of the file offers a release by name or by `Symbol.dispose`, or objects are taken off the registry. */
function hasExplicitRelease(code: Code): boolean {
  if (/\.unregister\s*\(|\bSymbol\.(?:asyncD|d)ispose\b/u.test(code.text)) return true;
  for (const each of descendantsOf(code, code.ast)) {
    if (each.type === 'MethodDefinition' && releasing.has(keyName(each) ?? '')) return true;
  }
  return false;
}
