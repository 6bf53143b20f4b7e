import type { TSESTree } from '@typescript-eslint/utils';
import rule from '../../rules/crash-masking-config.js';
import { defineVisitor } from '../javascript-visitor.js';
import {
  bare,
  type Code,
  keyName,
  memberName,
  parentOf,
  shortText,
  soleInit,
  stringValue,
  variableOf,
} from '../syntax.js';
import { runnerOf, type Runner } from '../test-runners.js';
import { judgeScript } from '../test-scripts.js';

type Effect = 'serial' | 'forcedExit';

interface Setting {
  readonly effect: Effect;
  readonly isMasking: (value: unknown) => boolean;
}

const one = (value: unknown): boolean => value === 1 || value === '1';
const yes = (value: unknown): boolean => value === true;
const no = (value: unknown): boolean => value === false;
const none = (value: unknown): boolean => value === 'none';

/** Names as the runners spell them, old and new; a value that is computed (`CI ? 1 : undefined`) is not judged. */
const settings: Readonly<Record<Runner, Readonly<Record<string, Setting>>>> = {
  vitest: {
    singleThread: { effect: 'serial', isMasking: yes },
    singleFork: { effect: 'serial', isMasking: yes },
    maxThreads: { effect: 'serial', isMasking: one },
    maxForks: { effect: 'serial', isMasking: one },
    maxWorkers: { effect: 'serial', isMasking: one },
    fileParallelism: { effect: 'serial', isMasking: no },
  },
  jest: {
    maxWorkers: { effect: 'serial', isMasking: one },
    runInBand: { effect: 'serial', isMasking: yes },
    forceExit: { effect: 'forcedExit', isMasking: yes },
  },
  mocha: {
    jobs: { effect: 'serial', isMasking: one },
    exit: { effect: 'forcedExit', isMasking: yes },
  },
  ava: {
    concurrency: { effect: 'serial', isMasking: one },
    serial: { effect: 'serial', isMasking: yes },
  },
  tap: {
    jobs: { effect: 'serial', isMasking: one },
  },
  node: {
    'test-concurrency': { effect: 'serial', isMasking: one },
    'test-isolation': { effect: 'serial', isMasking: none },
    'experimental-test-isolation': { effect: 'serial', isMasking: none },
    'test-force-exit': { effect: 'forcedExit', isMasking: yes },
  },
};

const manifestKeys: ReadonlySet<string> = new Set(['scripts', 'jest', 'ava', 'mocha', 'vitest', 'tap']);

export default defineVisitor(rule, (context) => {
  const { sourceCode: code, modules, filename } = context;
  const runner = runnerOf(filename);
  if (runner === undefined) return {};
  const manifest = modules.manifestOf(filename);
  const addon = manifest === undefined ? undefined : modules.addonOf(manifest);
  if (addon === undefined) return {};
  const isolate: TSESTree.Node[] = [];
  const found: { readonly effect: Effect; readonly node: TSESTree.Node }[] = [];
  const judge = (owner: Runner, name: string, node: TSESTree.Node, value: TSESTree.Node): void => {
    const setting = settings[owner][name];
    const written = literalValue(code, value);
    if (setting !== undefined && setting.isMasking(written)) found.push({ effect: setting.effect, node });
    // Together with one worker it is what vitest 4 has instead of singleThread; alone it hides nothing.
    if (owner === 'vitest' && name === 'isolate' && written === false) isolate.push(node);
  };

  return {
    Property(node) {
      const name = keyName(node);
      if (name === undefined || node.parent.type !== 'ObjectExpression') return;
      const owner = runner === 'manifest' ? manifestOwner(node) : runner;
      if (owner === 'scripts') {
        reportScript(node, name);
        return;
      }
      if (owner !== undefined) judge(owner, name, node, node.value);
    },
    // config.test.maxWorkers = 1
    AssignmentExpression(node) {
      const left = bare(node.left);
      const name = left.type === 'MemberExpression' ? memberName(left) : undefined;
      if (runner !== 'manifest' && name !== undefined && node.operator === '=') judge(runner, name, node, node.right);
    },
    'Program:exit'() {
      for (const effect of ['serial', 'forcedExit'] as const) {
        const [first, ...others] = found.filter((each) => each.effect === effect).map((each) => each.node);
        if (first === undefined) continue;
        const related = effect === 'serial' ? [...others, ...isolate] : others;
        context.report({
          messageId: effect,
          data: { setting: shortText(code, first), addon: `'${addon.name}'` },
          node: first,
          steps: [first, ...related].map(
            (node) => ({ role: 'enable', node, note: `'${shortText(code, node)}' is set here.` }) as const,
          ),
          key: effect,
        });
      }
    },
  };

  function reportScript(node: TSESTree.Property, name: string): void {
    const command = stringValue(node.value);
    const verdict = command === undefined ? undefined : judgeScript(command);
    if (verdict === undefined || addon === undefined) return;
    const data = {
      script: name,
      addon: `'${addon.name}'`,
      runner: verdict.runner,
      count: verdict.count,
      setting: verdict.flag,
    };
    context.report({
      messageId: verdict.effect,
      data,
      node: node.value,
      steps: [{ role: 'enable', node: node.value, note: `The script '${name}' runs '${verdict.runner}'.` }],
      key: `script ${name}`,
    });
  }
});

/** Which part of a package.json a property belongs to: `scripts`, or the configuration of a runner. */
function manifestOwner(node: TSESTree.Property): Runner | 'scripts' | undefined {
  for (let at = parentOf(node); at !== undefined; at = parentOf(at)) {
    if (at.type !== 'Property') continue;
    const isTop = at.parent.parent.type === 'ExpressionStatement';
    if (!isTop) continue;
    const name = keyName(at);
    return name !== undefined && isManifestKey(name) ? name : undefined;
  }
  return undefined;
}

function isManifestKey(name: string): name is Runner | 'scripts' {
  return manifestKeys.has(name);
}

/** A literal, also by the name of a constant. */
function literalValue(code: Code, node: TSESTree.Node): unknown {
  const plain = bare(node);
  const variable = plain.type === 'Identifier' ? variableOf(code, plain) : undefined;
  const init = variable === undefined ? undefined : soleInit(variable);
  const value = init === undefined ? plain : bare(init);
  return value.type === 'Literal' ? value.value : undefined;
}
