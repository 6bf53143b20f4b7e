import type { Block, Expr, FunctionIr, Statement } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { blocksIn, walkBody, walkExpression } from '../model/walk-body.js';
import { hasAttribute, memberPath, uncast } from './d-code.js';

/** An object of the frame that is taken off a list only where nothing is thrown. */
export interface LeftRegistered {
  readonly name: string;
  readonly declared: Span;
  readonly register: string;
  readonly registered: Span;
  readonly unregister: string;
  readonly unregistered: Span;
}

/** What puts an object on a list, with what takes it off. */
const PAIRS: ReadonlyMap<string, string> = new Map([
  ['register', 'unregister'],
  ['add', 'remove'],
  ['insert', 'remove'],
  ['attach', 'detach'],
  ['subscribe', 'unsubscribe'],
  ['connect', 'disconnect'],
  ['addListener', 'removeListener'],
  ['addClient', 'removeClient'],
  ['addHandler', 'removeHandler'],
]);

/** What a function must hold for the fact to matter. */
export const SCOPE_REGISTERED =
  /\bscope\s+(?:[\w.!]+\s+)?\w+\s*=\s*new\b[\s\S]*?\.\s*(?:un(?:register|subscribe)|remove(?:Listener|Client|Handler)?|detach|disconnect)\s*\(/u;

/**
 * D: `scope watcher = new Watcher; loop.register(watcher); wait(); loop.unregister(watcher);`: when `wait` throws, the object ends with the
 * frame and is still on the list. Quiet where `scope (exit)`, `scope (failure)`, `finally` or a `catch` takes it off.
 */
export function findLeftRegistered(fn: FunctionIr): readonly LeftRegistered[] {
  if (fn.body === undefined || hasAttribute(fn, 'nothrow')) return [];
  const objects = new Map<string, Span>();
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind !== 'let' || statement.init !== expr || expr.kind !== 'new') return;
    if (statement.pattern.kind === 'bind' && statement.modifiers.includes('scope'))
      objects.set(statement.pattern.name, statement.pattern.span);
  });
  if (objects.size === 0) return [];
  return [...new Set(blocksIn(fn.body))].flatMap((block) => inBlock(fn.body, block, objects));
}

function inBlock(body: Block | undefined, block: Block, objects: ReadonlyMap<string, Span>): readonly LeftRegistered[] {
  const calls = block.statements.map((one) => listCall(one, objects));
  const found: LeftRegistered[] = [];
  calls.forEach((call, from) => {
    const ends = call && PAIRS.get(call.method);
    if (call === undefined || ends === undefined) return;
    const to = calls.findIndex(
      (other, at) =>
        at > from && other?.method === ends && other.name === call.name && other.receiver === call.receiver,
    );
    const ending = calls[to];
    const declared = objects.get(call.name);
    if (ending === undefined || declared === undefined) return;
    if (!block.statements.slice(from + 1, to).some(mayThrow) || isTakenOffElsewhere(body, ends, call.name, ending.span))
      return;
    found.push({
      name: call.name,
      declared,
      register: call.method,
      registered: call.span,
      unregister: ending.method,
      unregistered: ending.span,
    });
  });
  return found;
}

/** `this.loop.register(watcher);` of one of the objects. */
function listCall(
  statement: Statement,
  objects: ReadonlyMap<string, Span>,
): { readonly method: string; readonly receiver: string; readonly name: string; readonly span: Span } | undefined {
  if (statement.kind !== 'expression' || statement.expr.kind !== 'method') return undefined;
  const { expr } = statement;
  const receiver = memberPath(expr.receiver);
  const given = expr.args.find(({ value }) => objects.has(nameOf(value)));
  return receiver === undefined || given === undefined
    ? undefined
    : { method: expr.method, receiver, name: nameOf(given.value), span: expr.span };
}

function nameOf(value: Expr): string {
  const plain = uncast(value);
  return plain.kind === 'name' && plain.path.length === 1 ? (plain.path[0] ?? '') : '';
}

/** Whether a statement calls anything, or leaves the function. */
function mayThrow(statement: Statement): boolean {
  if (statement.kind === 'defer' || statement.kind === 'item') return false;
  if (statement.kind === 'try') return statement.catches.length === 0 && statement.body.statements.some(mayThrow);
  const expr = statement.kind === 'let' ? statement.init : statement.kind === 'expression' ? statement.expr : undefined;
  let may = false;
  if (expr !== undefined)
    walkExpression(expr, ({ expr: one }) => {
      may ||= one.kind === 'call' || one.kind === 'method' || one.kind === 'throw';
    });
  return may;
}

/** Whether another call takes the object off the list, behind a guard or in front of another way out. */
function isTakenOffElsewhere(body: Block | undefined, method: string, name: string, own: Span): boolean {
  let is = false;
  if (body !== undefined)
    walkBody(body, ({ expr }) => {
      is ||=
        expr.kind === 'method' &&
        expr.method === method &&
        !isInside(expr.span, own) &&
        expr.args.some(({ value }) => nameOf(value) === name);
    });
  return is;
}
