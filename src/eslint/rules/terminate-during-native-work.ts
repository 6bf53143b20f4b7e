import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import rule from '../../rules/terminate-during-native-work.js';
import { hitsByPlace } from '../in-flight/report.js';
import { inFlightHits } from '../in-flight/analyse.js';
import { defineVisitor, type VisitorContext } from '../javascript-visitor.js';
import {
  bare,
  type Code,
  descendantsOf,
  enclosingFunction,
  type FunctionNode,
  isFunction,
  memberName,
  parentOf,
  shortText,
  soleInit,
  stringValue,
  variableOf,
} from '../syntax.js';
import { isWorkerText, reachableFiles, workerTargetOf, type WorkerTarget } from '../worker-files.js';
import { asyncCallsInText } from '../async-calls-in-text.js';

/** Events after which a worker has said that it is done, or is gone. */
const doneEvents = new Set(['message', 'exit', 'error', 'messageerror']);

export default defineVisitor(rule, (context) => {
  const { sourceCode: code } = context;
  return {
    Program() {
      if (!isWorkerText(code.text)) return;
      for (const { node, pending } of hitsByPlace(inFlightHits(context), 'exit')) {
        const { callee, call, confidence } = pending;
        context.report({
          messageId: 'exited',
          data: { call: shortText(code, node, 40), callee, line: call.loc.start.line },
          node,
          steps: [
            { role: 'escape', node: call, note: `'${callee}' starts here and is not awaited.` },
            { role: 'release', node, note: 'The thread and its environment end here.' },
          ],
          confidence,
          key: callee,
        });
      }
    },
    CallExpression(node) {
      const callee = bare(node.callee);
      if (callee.type !== 'MemberExpression' || memberName(callee) !== 'terminate') return;
      const target = workerOf(context, callee.object);
      if (target === undefined || isAfterWorkerSpoke(code, node, callee.object)) return;
      const work = asyncWorkOf(context, target);
      if (work === undefined) return;
      // In a method of its own nothing shows when it is called.
      const isSudden = isInTimerOrAbort(node) || isBesideStart(code, node, target);
      context.report({
        messageId: 'terminated',
        data: { call: `${shortText(code, callee, 40)}()`, worker: target.name, callee: work.callee },
        node,
        steps: [
          { role: 'enable', node: target.node, note: 'The worker is started here.' },
          {
            role: 'escape',
            path: work.file,
            line: work.line,
            column: work.column,
            note: `The worker runs '${work.callee}' natively.`,
          },
          { role: 'release', node, note: 'The thread is ended here, whatever it does.' },
        ],
        severity: isSudden ? 'warning' : 'note',
        confidence: isSudden ? 'medium' : 'low',
        key: work.callee,
      });
    },
  };
});

/** The worker behind `worker` or `this.worker`, when the file itself creates it. */
function workerOf(context: VisitorContext, node: TSESTree.Node): WorkerTarget | undefined {
  const { sourceCode: code } = context;
  const plain = bare(node);
  const created = (value: TSESTree.Node | undefined): WorkerTarget | undefined => {
    const made = value === undefined ? undefined : bare(value);
    return made?.type === 'NewExpression' ? workerTargetOf(context, made) : undefined;
  };
  if (plain.type === 'Identifier') {
    const variable = variableOf(code, plain);
    if (variable === undefined) return undefined;
    return created(soleInit(variable)) ?? writtenWorker(variable, created);
  }
  if (plain.type !== 'MemberExpression' || plain.object.type !== 'ThisExpression') return undefined;
  const name = memberName(plain);
  for (const each of descendantsOf(code, code.ast)) {
    const isField = each.type === 'PropertyDefinition' && each.key.type === 'Identifier' && each.key.name === name;
    if (isField && each.value !== null) return created(each.value);
    if (each.type !== 'AssignmentExpression' || each.left.type !== 'MemberExpression') continue;
    if (each.left.object.type === 'ThisExpression' && memberName(each.left) === name) {
      const target = created(each.right);
      if (target !== undefined) return target;
    }
  }
  return undefined;
}

function writtenWorker(
  variable: TSESLint.Scope.Variable,
  created: (value: TSESTree.Node | undefined) => WorkerTarget | undefined,
): WorkerTarget | undefined {
  for (const reference of variable.references) {
    const target = reference.isWrite() && reference.writeExpr ? created(reference.writeExpr) : undefined;
    if (target !== undefined) return target;
  }
  return undefined;
}

interface NativeWork {
  readonly callee: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function asyncWorkOf({ modules }: VisitorContext, target: WorkerTarget): NativeWork | undefined {
  const files = target.isText ? [] : reachableFiles(modules, target.file).slice(1);
  const texts = [
    { file: target.file, text: target.text },
    ...files.map((file) => ({ file, text: modules.reader.readText(file) ?? '' })),
  ];
  for (const { file, text } of texts) {
    const [first] = asyncCallsInText(modules, file, text);
    if (first !== undefined) return { ...first, file };
  }
  return undefined;
}

/** Inside `worker.on('message', …)` and its kin, or below an await of one of these events in the same function. */
function isAfterWorkerSpoke(code: Code, node: TSESTree.CallExpression, worker: TSESTree.Node): boolean {
  for (
    let fn: FunctionNode | TSESTree.Program = enclosingFunction(node);
    fn.type !== 'Program';
    fn = enclosingFunction(fn)
  ) {
    const call = fn.parent;
    if (call.type !== 'CallExpression' || call.callee.type !== 'MemberExpression') continue;
    const event = stringValue(call.arguments[0]);
    if (
      event !== undefined &&
      doneEvents.has(event) &&
      /^(?:on|once|addEventListener|addListener)$/u.test(memberName(call.callee) ?? '')
    )
      return true;
  }
  const name = code.getText(worker);
  const fn = enclosingFunction(node);
  for (const each of descendantsOf(code, fn)) {
    if (each.type !== 'AwaitExpression' || each.range[1] > node.range[0]) continue;
    const text = code.getText(each);
    if (/\bPromise\s*\.\s*(?:race|any)\b|\bsetTimeout\b|\btimeout\b/iu.test(text)) continue;
    const awaited = awaitedText(code, each);
    const mentionsEvent = [...doneEvents].some(
      (event) => awaited.includes(`'${event}'`) || awaited.includes(`"${event}"`),
    );
    if (mentionsEvent && awaited.includes(name)) return true;
  }
  return false;
}

/** The text of what is awaited, through a constant that holds the promise. */
function awaitedText(code: Code, node: TSESTree.AwaitExpression): string {
  const argument = bare(node.argument);
  const variable = argument.type === 'Identifier' ? variableOf(code, argument) : undefined;
  const init = variable === undefined ? undefined : soleInit(variable);
  return init === undefined ? code.getText(node) : code.getText(init);
}

function isInTimerOrAbort(node: TSESTree.Node): boolean {
  for (let at = parentOf(node); at !== undefined; at = parentOf(at)) {
    if (!isFunction(at)) continue;
    const call = at.parent;
    if (call.type !== 'CallExpression') continue;
    const callee = bare(call.callee);
    const name =
      callee.type === 'Identifier' ? callee.name : callee.type === 'MemberExpression' ? memberName(callee) : undefined;
    if (name === 'setTimeout' || name === 'setImmediate') return true;
    if (
      (name === 'addEventListener' || name === 'on' || name === 'once') &&
      /^(?:abort|timeout|SIGINT|SIGTERM)$/u.test(stringValue(call.arguments[0]) ?? '')
    )
      return true;
  }
  return false;
}

/** The function that starts the worker also ends it, without a word of the worker in between. */
function isBesideStart(code: Code, node: TSESTree.Node, target: WorkerTarget): boolean {
  const fn = enclosingFunction(node);
  return (
    fn === enclosingFunction(target.node) && node.range[0] > target.node.range[0] && !isConditionOnDone(code, node)
  );
}

/** `if (!done) worker.terminate()` is still sudden; `if (idle) …` is not: the code asks the worker's state first. */
function isConditionOnDone(code: Code, node: TSESTree.Node): boolean {
  for (let at = parentOf(node); at !== undefined && !isFunction(at); at = parentOf(at)) {
    if (
      at.type === 'IfStatement' &&
      /\b(?:idle|free|done|finished)\b/iu.test(code.getText(at.test)) &&
      !/!/u.test(code.getText(at.test))
    )
      return true;
  }
  return false;
}
