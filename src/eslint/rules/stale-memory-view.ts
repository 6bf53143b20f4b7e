import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { isHandWritten } from '../../rules/javascript-text.js';
import rule from '../../rules/stale-memory-view.js';
import { fieldValues } from '../class-fields.js';
import { contains, leavesLoop, loopAround, mayReach, userOf } from '../evaluation-order.js';
import { localFunction } from '../in-flight/local-functions.js';
import { defineVisitor, type VisitorContext } from '../javascript-visitor.js';
import {
  bare,
  type Code,
  descendantsOf,
  dottedName,
  enclosingFunction,
  isFunction,
  keyName,
  memberName,
  parentOf,
  shortText,
  variableOf,
} from '../syntax.js';
import { concerns, type Growth, growthByName, growthOf, growthsOf } from '../wasm-growth.js';
import { heapName, memoryViewOf, type MemoryView } from '../wasm-memory.js';

interface Stale {
  readonly messageId: 'usedAfter' | 'usedInNextRound' | 'kept' | 'neverRenewed' | 'takenBefore';
  readonly name: string;
  readonly view: MemoryView;
  readonly made: TSESTree.Node;
  /** Undefined where nothing of the class says when the memory grows. */
  readonly growth: Growth | undefined;
  readonly use: TSESTree.Node;
}

type Context = VisitorContext<Stale['messageId']>;

export default defineVisitor(rule, (context) => {
  const { sourceCode: code } = context;
  // With types the filter is not asked, and no view is to be mended in generated code.
  if (!isHandWritten(code.text)) return {};
  const seen = new Set<TSESLint.Scope.Variable>();
  const judge = (id: TSESTree.Node, value: TSESTree.Node): void => {
    const variable = id.type === 'Identifier' ? variableOf(code, id) : undefined;
    if (variable === undefined || seen.has(variable) || memoryViewOf(code, value) === undefined) return;
    seen.add(variable);
    const stale = staleVariable(code, variable);
    if (stale !== undefined) report(context, stale);
  };
  return {
    VariableDeclarator(node) {
      if (node.init === null) return;
      // const { buffer } = memory
      const pattern = node.id.type === 'ObjectPattern' ? node.id.properties : [];
      const buffer = pattern.find((each) => each.type === 'Property' && keyName(each) === 'buffer');
      if (buffer?.type === 'Property') judge(buffer.value, buffer.value);
      else judge(node.id, node.init);
    },
    AssignmentExpression(node) {
      if (node.operator === '=') judge(node.left, node.right);
    },
    CallExpression(node) {
      for (const stale of [staleOperand(code, node), staleParameter(code, node)])
        if (stale !== undefined) report(context, stale);
    },
    ClassBody(node) {
      for (const stale of staleFields(code, node)) report(context, stale);
    },
  };
});

function growthsIn(code: Code, fn: TSESTree.Node): readonly Growth[] {
  return growthsOf(code).get(fn) ?? [];
}

/** The first use of a view behind a call that may grow the memory. */
function staleVariable(code: Code, variable: TSESLint.Scope.Variable): Stale | undefined {
  const writes = variable.references.filter((each) => each.isWrite());
  const [first] = writes;
  if (first === undefined) return undefined;
  const home = enclosingFunction(first.identifier);
  // Written in two functions, or compared with the memory: somebody takes care of it.
  if (writes.some(({ identifier }) => enclosingFunction(identifier) !== home)) return undefined;
  if (variable.references.some(({ identifier }) => isCompared(identifier))) return undefined;
  const reads = variable.references.filter((each) => each.isRead());
  return staleAtHome(code, variable.name, home, writes, reads) ?? staleElsewhere(code, variable, home, writes, reads);
}

type Reference = TSESLint.Scope.Reference;

/** In the function that makes the view. */
function staleAtHome(
  code: Code,
  name: string,
  home: TSESTree.Node,
  writes: readonly Reference[],
  reads: readonly Reference[],
): Stale | undefined {
  const growths = growthsIn(code, home);
  if (growths.length === 0) return undefined;
  for (const { identifier: use } of reads) {
    if (enclosingFunction(use) !== home) continue;
    const write = writes.findLast(({ identifier }) => identifier.range[0] < use.range[0]);
    const value = write?.writeExpr ?? undefined;
    const view = value === undefined ? undefined : viewOfWrite(code, write, value);
    if (value === undefined || view === undefined) continue;
    const made = { name, view, made: value, use };
    const after = growths.find(
      (growth) => growth.call.range[0] >= value.range[1] && isBefore(growth, use) && concerns(code, growth, view),
    );
    if (after !== undefined) return { ...made, messageId: 'usedAfter', growth: after };
    const loop = loopAround(use, home);
    if (loop === undefined || contains(loop, value) || writes.some(({ identifier }) => contains(loop, identifier)))
      continue;
    const next = growths.find(
      (growth) =>
        growth.call.range[0] >= use.range[1] &&
        contains(loop, growth.call) &&
        !leavesLoop(growth.call, loop) &&
        concerns(code, growth, view),
    );
    if (next !== undefined) return { ...made, messageId: 'usedInNextRound', growth: next };
  }
  return undefined;
}

/** The view that is given to a variable; of `const { buffer } = memory` the declaration is asked. */
function viewOfWrite(code: Code, write: Reference | undefined, value: TSESTree.Node): MemoryView | undefined {
  const target = write?.identifier;
  const isTaken = target?.type === 'Identifier' && parentOf(target)?.type === 'Property';
  return memoryViewOf(code, isTaken ? target : value);
}

/** Whether a use lies behind the growth: after the call, or around it in an expression that took the view before. */
function isBefore({ call }: Growth, use: TSESTree.Node): boolean {
  if (call.range[1] <= use.range[0]) return mayReach(call, use);
  const user = call.range[0] >= use.range[1] ? userOf(use) : undefined;
  return user !== undefined && contains(user, call);
}

const loading = /\bWebAssembly\s*\.\s*(?:instantiate|Instance|compile|Memory)/u;

/** In the functions that see a view which is made once: within one of them, or made stale by one for another. */
function staleElsewhere(
  code: Code,
  variable: TSESLint.Scope.Variable,
  home: TSESTree.Node,
  writes: readonly Reference[],
  reads: readonly Reference[],
): Stale | undefined {
  const [write] = writes;
  const value = write?.writeExpr ?? undefined;
  const view = value === undefined ? undefined : viewOfWrite(code, write, value);
  if (writes.length !== 1 || value === undefined || view === undefined) return undefined;
  // A function that is called again makes the view anew; the one that loads the module is called once.
  const isLoader = home.type === 'Program' || loading.test(code.getText(home));
  const isOwn = variable.defs.some(({ name }) => enclosingFunction(name) === home);
  if (!isLoader && !isOwn) return undefined;
  const outside = reads.filter(({ identifier }) => enclosingFunction(identifier) !== home);
  const made = { name: variable.name, view, made: value };
  for (const { identifier: use } of outside) {
    const growth = growthsIn(code, enclosingFunction(use)).find(
      (each) => isBefore(each, use) && concerns(code, each, view),
    );
    if (growth !== undefined) return { ...made, messageId: 'usedAfter', growth, use };
  }
  const [reader] = outside;
  // Emscripten defines its views itself, and renews them when its memory can grow.
  if (!isLoader || reader === undefined || heapName.test(variable.name)) return undefined;
  const growth = [...growthsOf(code)]
    .filter(([fn]) => fn !== home && fn.type !== 'Program' && (!isOwn || contains(home, fn)))
    .flatMap(([, found]) => found)
    .filter((each) => concerns(code, each, view))
    .sort((a, b) => Number(a.kind === 'export') - Number(b.kind === 'export'))[0];
  return growth === undefined ? undefined : { ...made, messageId: 'kept', growth, use: reader.identifier };
}

/** `new Uint8Array(memory.buffer, malloc(n))`, `HEAP32[p] = malloc(n)`: what is evaluated first is stale at the end. */
function staleOperand(code: Code, call: TSESTree.CallExpression): Stale | undefined {
  const kind = growthOf(code, call);
  if (kind === undefined) return undefined;
  let below: TSESTree.Node = call;
  for (let at = parentOf(call); at !== undefined; at = parentOf(at)) {
    if (isFunction(at) || at.type.endsWith('Statement') || at.type === 'VariableDeclaration') return undefined;
    for (const operand of operandsBefore(at, below)) {
      const plain = bare(operand);
      const view = plain.type === 'Identifier' && !heapName.test(plain.name) ? undefined : memoryViewOf(code, plain);
      const growth = { call, kind };
      // `malloc(n) | 0` is compiled code, of asm.js.
      if (view?.isEmscripten === true && parentOf(call)?.type === 'BinaryExpression') continue;
      if (view !== undefined && concerns(code, growth, view)) {
        const name = shortText(code, plain, 40);
        return { messageId: 'takenBefore', name, view, made: plain, growth, use: plain };
      }
    }
    below = at;
  }
  return undefined;
}

/** The operands of an expression that are evaluated before another one of it, and used after that. */
function operandsBefore(node: TSESTree.Node, operand: TSESTree.Node): readonly TSESTree.Node[] {
  if (node.type === 'CallExpression' || node.type === 'NewExpression') {
    const at = node.arguments.findIndex((each) => each === operand);
    if (at < 0) return [];
    const callee = bare(node.callee);
    return [...(callee.type === 'MemberExpression' ? [callee.object] : []), ...node.arguments.slice(0, at)];
  }
  if (node.type === 'AssignmentExpression' && node.right === operand && node.left.type === 'MemberExpression')
    return node.left.computed ? [node.left.object] : [];
  return node.type === 'MemberExpression' && node.computed && node.property === operand ? [node.object] : [];
}

const judged = new WeakSet<TSESTree.Node>();

/** A view that is handed to a function of the file, which lets the memory grow before it uses the parameter. */
function staleParameter(code: Code, call: TSESTree.CallExpression): Stale | undefined {
  for (const [index, value] of call.arguments.entries()) {
    const view = memoryViewOf(code, value);
    const fn = view === undefined ? undefined : localFunction(code, call.callee);
    const parameter = fn?.params[index];
    if (view === undefined || fn === undefined || parameter?.type !== 'Identifier' || judged.has(parameter)) continue;
    judged.add(parameter);
    const variable = variableOf(code, parameter);
    const isWritten = variable?.references.some((each) => each.isWrite()) ?? true;
    if (variable === undefined || isWritten) continue;
    if (variable.references.some(({ identifier }) => isCompared(identifier))) continue;
    const handed = descendantsOf(code, fn.body).flatMap((each): readonly Growth[] => {
      if (each.type !== 'CallExpression' || each.callee.type !== 'Identifier' || enclosingFunction(each) !== fn)
        return [];
      const { name } = each.callee;
      const given = call.arguments[fn.params.findIndex((one) => one.type === 'Identifier' && one.name === name)];
      const kind = given === undefined ? undefined : growthByName(code, given);
      return kind === undefined ? [] : [{ call: each, kind }];
    });
    const growths = [...growthsIn(code, fn), ...handed];
    for (const { identifier: use } of variable.references) {
      if (enclosingFunction(use) !== fn) continue;
      const growth = growths.find((each) => isBefore(each, use) && concerns(code, each, view));
      if (growth !== undefined) return { messageId: 'usedAfter', name: parameter.name, view, made: value, growth, use };
    }
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
  // A test shows that the view is detached: `expect(view.byteLength).toBe(0)`.
  if (at?.type === 'CallExpression' && from !== node)
    return /^(?:expect|assert)$/u.test(dottedName(at.callee)?.[0] ?? '');
  return (
    (at?.type === 'UnaryExpression' && at.operator === '!') ||
    at?.type === 'LogicalExpression' ||
    ((at?.type === 'IfStatement' || at?.type === 'ConditionalExpression') && at.test === from)
  );
}

/** Fields with a view that a method reads although another call may have grown the memory since it was made. */
function staleFields(code: Code, body: TSESTree.ClassBody): readonly Stale[] {
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
  const constructor = methods.find(({ isInit }) => isInit)?.fn;
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
      .flatMap(({ fn }) => growthsIn(code, fn).map((each) => ({ fn, ...each })))
      .filter((each) => concerns(code, each, view))
      .sort((a, b) => Number(a.kind === 'export') - Number(b.kind === 'export'))
      .find(({ fn, call }) => !renewals.some((each) => contains(fn, each) && each.range[0] >= call.range[1]));
    const isOnceMade = members.filter(isWritten).every((each) => enclosingFunction(each) === constructor);
    if (growth === undefined && !(isOnceMade && !view.isEmscripten)) return [];
    const use = members.find((each) => {
      const fn = enclosingFunction(each);
      if (growth === undefined && fn === constructor) return false;
      return !isWritten(each) && !renewals.some((other) => contains(fn, other) && other.range[0] < each.range[0]);
    });
    if (use === undefined) return [];
    return [
      { messageId: growth === undefined ? 'neverRenewed' : 'kept', name: `this.${name}`, view, made, growth, use },
    ];
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
  const call = growth === undefined ? '' : `${shortText(code, growth.call.callee, 40)}()`;
  // Any function of a module may allocate, few do; and Emscripten's memory grows only when its build says so.
  const isLikely = growth !== undefined && growth.kind !== 'export' && !view.isEmscripten;
  context.report({
    messageId,
    data: {
      view: name,
      owner: view.owner,
      line: made.loc.start.line,
      call,
      callLine: growth?.call.loc.start.line ?? 0,
    },
    node: use,
    steps: [
      { role: 'borrow', node: made, note: `The view of '${view.owner}' is made here.` },
      ...(growth === undefined
        ? []
        : [
            {
              role: 'grow' as const,
              node: growth.call,
              note: `'${call}' may grow the memory, which detaches the view.`,
            },
          ]),
      { role: 'use', node: use, note: 'The old view is used.' },
    ],
    severity: isLikely ? 'warning' : 'note',
    confidence: !isLikely ? 'low' : messageId === 'kept' ? 'medium' : 'high',
    key: name,
  });
}
