import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import rule from '../../rules/stale-memory-view.js';
import { fieldValues } from '../class-fields.js';
import { defineVisitor, type VisitorContext } from '../javascript-visitor.js';
import {
  bare,
  type Code,
  descendantsOf,
  enclosingFunction,
  isFunction,
  memberName,
  parentOf,
  shortText,
  variableOf,
} from '../syntax.js';
import { growthOf, memoryViewOf, type GrowthKind, type MemoryView } from '../wasm-memory.js';

interface Growth {
  readonly call: TSESTree.CallExpression;
  readonly kind: GrowthKind;
}

interface Stale {
  readonly messageId: 'usedAfter' | 'usedInNextRound' | 'keptInField';
  readonly name: string;
  readonly view: MemoryView;
  readonly made: TSESTree.Node;
  readonly growth: Growth;
  readonly use: TSESTree.Node;
}

type Context = VisitorContext<Stale['messageId']>;

export default defineVisitor(rule, (context) => {
  const { sourceCode: code } = context;
  const growths = new Map<TSESTree.Node, readonly Growth[]>();
  const growthsIn = (fn: TSESTree.Node): readonly Growth[] => {
    const known = growths.get(fn);
    if (known !== undefined) return known;
    const found = descendantsOf(code, fn).flatMap((node) => {
      if (node.type !== 'CallExpression' || enclosingFunction(node) !== fn) return [];
      const kind = growthOf(code, node);
      return kind === undefined ? [] : [{ call: node, kind }];
    });
    growths.set(fn, found);
    return found;
  };
  const seen = new Set<TSESLint.Scope.Variable>();
  const judge = (id: TSESTree.Node, value: TSESTree.Node): void => {
    const variable = id.type === 'Identifier' ? variableOf(code, id) : undefined;
    const view = variable === undefined ? undefined : memoryViewOf(code, value);
    if (variable === undefined || view === undefined || seen.has(variable)) return;
    seen.add(variable);
    const stale = staleLocal(code, variable, growthsIn(enclosingFunction(id)), enclosingFunction(id));
    if (stale !== undefined) report(context, stale);
  };
  return {
    VariableDeclarator(node) {
      if (node.init !== null) judge(node.id, node.init);
    },
    AssignmentExpression(node) {
      if (node.operator === '=') judge(node.left, node.right);
    },
    ClassBody(node) {
      for (const stale of staleFields(code, node, growthsIn)) report(context, stale);
    },
  };
});

/** The first use of a view behind a call that may grow the memory, in the function that made the view. */
function staleLocal(
  code: Code,
  variable: TSESLint.Scope.Variable,
  growths: readonly Growth[],
  fn: TSESTree.Node,
): Stale | undefined {
  const own = variable.references.filter(({ identifier }) => enclosingFunction(identifier) === fn);
  const writes = own.filter((each) => each.isWrite());
  // Written elsewhere, or compared with the memory: somebody takes care of it.
  if (variable.references.some((each) => each.isWrite() && !own.includes(each))) return undefined;
  if (own.some(({ identifier }) => isCompared(identifier))) return undefined;
  for (const { identifier: use } of own.filter((each) => each.isRead())) {
    const write = writes.findLast(({ identifier }) => identifier.range[0] < use.range[0]);
    const value = write?.writeExpr ?? undefined;
    const view = value === undefined ? undefined : memoryViewOf(code, value);
    if (write === undefined || value === undefined || view === undefined) continue;
    const made = { name: variable.name, view, made: value, use };
    const after = growths.find(
      ({ call }) => call.range[0] >= value.range[1] && call.range[1] <= use.range[0] && mayReach(call, use),
    );
    if (after !== undefined) return { ...made, messageId: 'usedAfter', growth: after };
    const next = growths.find(({ call }) => {
      if (call.range[0] < use.range[1]) return false;
      const loop = loopAround(use, fn);
      const isAround = loop !== undefined && contains(loop, call) && !contains(loop, value);
      return isAround && !leaves(call, loop) && !writes.some(({ identifier }) => contains(loop, identifier));
    });
    if (next !== undefined) return { ...made, messageId: 'usedInNextRound', growth: next };
  }
  return undefined;
}

const comparisons = new Set(['===', '!==', '==', '!=', '<', '>', '<=', '>=']);

/** `view.buffer !== memory.buffer`, `view.byteLength === 0`, `!view.length`, `view == null`. */
function isCompared(node: TSESTree.Node): boolean {
  let at = parentOf(node);
  let from = node;
  while (at?.type === 'MemberExpression' && at.object === from) {
    if (!/^(?:buffer|byteLength|length|detached)$/u.test(memberName(at) ?? '')) return false;
    from = at;
    at = parentOf(at);
  }
  if (at?.type === 'BinaryExpression') {
    // The bound of a loop is no look at the memory.
    return comparisons.has(at.operator) && (parentOf(at)?.type !== 'ForStatement' || at.operator.includes('='));
  }
  return (
    (at?.type === 'UnaryExpression' && at.operator === '!') ||
    at?.type === 'LogicalExpression' ||
    ((at?.type === 'IfStatement' || at?.type === 'ConditionalExpression') && at.test === from)
  );
}

function contains(outer: TSESTree.Node, inner: TSESTree.Node): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}

const loops = /^(?:While|DoWhile|For|ForIn|ForOf)Statement$/u;

function loopAround(node: TSESTree.Node, fn: TSESTree.Node): TSESTree.Node | undefined {
  let found: TSESTree.Node | undefined;
  for (let at = parentOf(node); at !== undefined && at !== fn; at = parentOf(at)) {
    // What a loop runs over is evaluated once.
    const isHeader = (at.type === 'ForOfStatement' || at.type === 'ForInStatement') && contains(at.right, node);
    const isInit = at.type === 'ForStatement' && at.init !== null && contains(at.init, node);
    if (loops.test(at.type) && !isHeader && !isInit) found ??= at;
  }
  return found;
}

/** Whether a path leads from one place to a later one: they are not in two branches, and the first does not leave. */
function mayReach(first: TSESTree.Node, later: TSESTree.Node): boolean {
  let below: TSESTree.Node = first;
  for (let at = parentOf(first); at !== undefined; at = parentOf(at)) {
    if (contains(at, later)) {
      if (at.type === 'IfStatement' || at.type === 'ConditionalExpression')
        return !(contains(at.consequent, first) && at.alternate !== null && contains(at.alternate, later));
      if (at.type === 'SwitchStatement') return false;
      return !(at.type === 'TryStatement' && at.handler !== null && contains(at.handler, later));
    }
    if (isLeaving(at, below)) return false;
    below = at;
  }
  return true;
}

function leaves(node: TSESTree.Node, loop: TSESTree.Node): boolean {
  let below: TSESTree.Node = node;
  for (let at = parentOf(node); at !== undefined && at !== loop; at = parentOf(at)) {
    if (isLeaving(at, below)) return true;
    below = at;
  }
  return false;
}

/** A statement that is left at its end, or a return around the call. */
function isLeaving(node: TSESTree.Node, below: TSESTree.Node): boolean {
  if (node.type === 'ReturnStatement' || node.type === 'ThrowStatement') return true;
  const list = node.type === 'BlockStatement' ? node.body : node.type === 'SwitchCase' ? node.consequent : [];
  return list.some(
    (each) => each.range[0] >= below.range[1] && /^(?:Return|Throw|Break|Continue)Statement$/u.test(each.type),
  );
}

/** Fields with a view that a method reads although another call may have grown the memory since it was made. */
function staleFields(
  code: Code,
  body: TSESTree.ClassBody,
  growthsIn: (fn: TSESTree.Node) => readonly Growth[],
): readonly Stale[] {
  const fields = [...fieldValues(code, body)].filter(([, values]) =>
    values.some((value) => memoryViewOf(code, value) !== undefined),
  );
  if (fields.length === 0) return [];
  const nodes = descendantsOf(code, body);
  const methods = body.body.flatMap((member) =>
    member.type === 'MethodDefinition' && isFunction(member.value)
      ? [{ name: memberNameOf(member.key), fn: member.value, isInit: member.kind === 'constructor' }]
      : [],
  );
  return fields.flatMap(([name, values]): readonly Stale[] => {
    const [made] = values.filter((value) => memoryViewOf(code, value) !== undefined);
    const view = made === undefined ? undefined : memoryViewOf(code, made);
    const members = nodes.filter(
      (node): node is TSESTree.MemberExpression =>
        node.type === 'MemberExpression' && node.object.type === 'ThisExpression' && memberName(node) === name,
    );
    if (made === undefined || view === undefined || members.some(isCompared) || nodes.some(looksAtStore)) return [];
    const isWritten = (node: TSESTree.Node): boolean =>
      node.parent?.type === 'AssignmentExpression' && node.parent.left === node;
    const renewers = new Set(
      methods
        .filter(({ fn }) => members.some((each) => isWritten(each) && contains(fn, each)))
        .map((each) => each.name),
    );
    const renewals = nodes.filter((node) =>
      node.type === 'MemberExpression' && node.object.type === 'ThisExpression' && memberName(node) === name
        ? isWritten(node)
        : node.type === 'CallExpression' && renewers.has(ownCall(node)),
    );
    const growth = methods
      .filter(({ isInit }) => !isInit)
      .flatMap(({ fn }) => growthsIn(fn).map((each) => ({ fn, ...each })))
      .sort((a, b) => Number(a.kind === 'export') - Number(b.kind === 'export'))
      .find(({ fn, call }) => !renewals.some((each) => contains(fn, each) && each.range[0] >= call.range[1]));
    if (growth === undefined) return [];
    const use = members.find((each) => {
      const fn = enclosingFunction(each);
      return !isWritten(each) && !renewals.some((other) => contains(fn, other) && other.range[0] < each.range[0]);
    });
    if (use === undefined) return [];
    return [{ messageId: 'keptInField', name: `this.${name}`, view, made, growth, use }];
  });
}

/** `this.seen !== this.memory.buffer`, which is how a view is told to be of the past. */
function looksAtStore(node: TSESTree.Node): boolean {
  return (
    node.type === 'BinaryExpression' &&
    comparisons.has(node.operator) &&
    [node.left, node.right].some((side) => {
      const plain = bare(side);
      return plain.type === 'MemberExpression' && /^(?:buffer|byteLength)$/u.test(memberName(plain) ?? '');
    })
  );
}

function memberNameOf(key: TSESTree.Node): string {
  return key.type === 'Identifier' ? key.name : key.type === 'PrivateIdentifier' ? `#${key.name}` : '';
}

function ownCall(node: TSESTree.CallExpression): string {
  const callee = bare(node.callee);
  const isOwn = callee.type === 'MemberExpression' && callee.object.type === 'ThisExpression';
  return (isOwn ? memberName(callee) : undefined) ?? ' ';
}

function report(context: Context, stale: Stale): void {
  const { name, view, made, growth, use, messageId } = stale;
  const code = context.sourceCode;
  const call = `${shortText(code, growth.call.callee, 40)}()`;
  // Any function of a module may allocate, few do; and Emscripten's memory grows only when its build says so.
  const isLikely = growth.kind !== 'export' && !view.isEmscripten;
  context.report({
    messageId,
    data: {
      view: name,
      owner: view.owner,
      line: made.loc.start.line,
      call,
      callLine: growth.call.loc.start.line,
    },
    node: use,
    steps: [
      { role: 'borrow', node: made, note: `The view of '${view.owner}' is made here.` },
      { role: 'grow', node: growth.call, note: `'${call}' may grow the memory, which detaches the view.` },
      { role: 'use', node: use, note: 'The old view is used.' },
    ],
    severity: isLikely ? 'warning' : 'note',
    confidence: !isLikely ? 'low' : messageId === 'keptInField' ? 'medium' : 'high',
    key: name,
  });
}
