import type { TSESTree } from '@typescript-eslint/utils';
import type { Confidence } from '../../model/finding.js';
import { bufferOrigin } from '../buffer-origins.js';
import type { JavaScriptReport, JavaScriptStep, JavaScriptSuggestion, VisitorContext } from '../javascript-visitor.js';
import { enclosingFunction, outermost, shortText } from '../syntax.js';
import type { InFlightHit } from './hits.js';

/** One hit per place: the nearest call that may still be running. Two calls on one line of code are one finding. */
export function hitsByPlace(hits: readonly InFlightHit[], kind: InFlightHit['kind']): readonly InFlightHit[] {
  const byPlace = new Map<TSESTree.Node, InFlightHit>();
  for (const hit of hits) {
    if (hit.kind !== kind) continue;
    const known = byPlace.get(hit.node);
    if (known === undefined || rank(hit) > rank(known)) byPlace.set(hit.node, hit);
  }
  return [...byPlace.values()];
}

function rank(hit: InFlightHit): number {
  return (hit.phase === 'running' ? 2 : 0) + (hit.isNextRound ? 0 : 1);
}

/** The parts of a report that mutation and transfer share. */
export function inFlightReport<MessageId extends string>(
  context: VisitorContext<MessageId>,
  hit: InFlightHit,
  messageId: MessageId,
  what: string,
): JavaScriptReport<MessageId> {
  const code = context.sourceCode;
  const { pending, storage, node } = hit;
  const line = pending.call.loc.start.line;
  const how = shortText(code, node.type === 'CallExpression' ? node.callee : node, 40);
  const steps: JavaScriptStep[] = [];
  if (storage !== undefined && storage.node !== pending.call) {
    steps.push({ role: 'acquire', node: storage.node, note: `'${storage.name}' is this buffer.` });
  }
  steps.push({
    role: 'escape',
    node: pending.call,
    note: `'${pending.callee}' takes the buffer and is not awaited before it is used again.`,
  });
  if (hit.thrower !== undefined)
    steps.push({ role: 'use', node: hit.thrower, note: 'An exception here leaves the call running.' });
  if (hit.timer !== undefined)
    steps.push({ role: 'use', node: hit.timer, note: 'The function given here may run before the call is over.' });
  if (hit.inside === undefined) steps.push({ role: 'use', node, note: what });
  else {
    steps.push({ role: 'use', node, note: `'${how}' does it.` });
    steps.push({ role: 'use', node: hit.inside, note: what });
  }
  return {
    messageId,
    data: { buffer: hit.name, how: node.type === 'CallExpression' ? `${how}()` : how, callee: pending.callee, line },
    node,
    steps,
    confidence: confidenceOf(hit),
    key: pending.callee,
    suggest: suggestionsFor(context, hit),
  };
}

function confidenceOf({ pending, phase, timer }: InFlightHit): Confidence {
  if (pending.isShared) return 'low';
  const isCertain = phase === 'running' && timer === undefined;
  return !isCertain && pending.confidence === 'high' ? 'medium' : pending.confidence;
}

function suggestionsFor(
  context: VisitorContext,
  { pending, storage, name }: InFlightHit,
): readonly JavaScriptSuggestion[] {
  const code = context.sourceCode;
  const suggestions: JavaScriptSuggestion[] = [];
  const data = { callee: pending.callee };
  const call = outermost(pending.call);
  const fn = enclosingFunction(pending.call);
  const isVoided = call.parent?.type === 'UnaryExpression' && call.parent.operator === 'void';
  const statement = isVoided ? call.parent : call;
  if (fn.type !== 'Program' && fn.async && statement?.parent?.type === 'ExpressionStatement') {
    suggestions.push({
      messageId: 'awaitCall',
      data,
      fix: (fixer) => fixer.replaceText(statement, `await ${code.getText(call)}`),
    });
  }
  const kind = storage === undefined ? 'unknown' : bufferOrigin(code, storage.witness).kind;
  const argument = pending.call.arguments.find((each) => [storage?.name, name].includes(code.getText(each)));
  if (argument !== undefined && (kind === 'buffer' || kind === 'view')) {
    const text = code.getText(argument);
    // A Buffer's own slice shares the bytes.
    const copy = kind === 'buffer' ? `Buffer.from(${text})` : `${text}.slice()`;
    suggestions.push({ messageId: 'copyArgument', data, fix: (fixer) => fixer.replaceText(argument, copy) });
  }
  return suggestions;
}
