import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { annotatedName, bufferOrigin, isArrayBufferName, isCertainlyBuffer, viewTypes } from '../buffer-origins.js';
import { releaseMethods } from '../declarations.js';
import type { TypedServices } from '../javascript-visitor.js';
import type { NativeBindings } from '../native-bindings.js';
import {
  bare,
  dottedName,
  isFunction,
  keyName,
  memberName,
  shortText,
  soleInit,
  variableOf,
  type Code,
  type FunctionNode,
} from '../syntax.js';
import { isBufferList } from './buffer-lists.js';
import { effectOf, transferList } from './effects.js';
import { asyncNativeCall } from './native-calls.js';
import { localFunction } from './local-functions.js';
import { mayThrow } from './may-throw.js';
import {
  isNothing,
  join,
  nothing,
  reachable,
  State,
  unite,
  type Pending,
  type Phase,
  type PlaceKey,
  type Storage,
  type Value,
} from './state.js';

/** Something happened to a buffer, or to the thread, while a native call was pending. */
export interface InFlightHit {
  readonly kind: 'write' | 'transfer' | 'exit';
  readonly node: TSESTree.Node;
  readonly pending: Pending;
  readonly phase: Phase;
  /** What may throw before the call is awaited. */
  readonly thrower?: TSESTree.Node | undefined;
  /** Where the timer is started that does it. */
  readonly timer?: TSESTree.Node | undefined;
  /** The buffer; undefined for an exit. */
  readonly storage: Storage | undefined;
  /** As the source writes the buffer at the hit. */
  readonly name: string;
  /** Where the helper that `node` calls does it. */
  readonly inside?: TSESTree.Node;
  /** The call was made in an earlier round of a loop around both. */
  readonly isNextRound: boolean;
}

export interface WalkInput {
  readonly code: Code;
  readonly bindings: NativeBindings;
  readonly types: TypedServices | undefined;
}

type Body = FunctionNode | TSESTree.Program;

interface Loop {
  readonly breaks: State[];
  readonly continues: State[];
  readonly label: string | undefined;
  readonly isSwitch: boolean;
  /** How many `try` blocks are around it. */
  readonly tries: number;
}

interface TryFrame {
  /** States at which the block was left by return, break, continue or throw. */
  readonly exits: State[];
  /** Calls that are still running when an exception leaves the block, and what throws it. */
  readonly interrupted: Map<Pending, { readonly phase: Phase; readonly thrower: TSESTree.Node }>;
  /** An exception of the block doesn't get further. */
  readonly isCaught: boolean;
}

/** A function that a timer or a queue calls later. */
interface Timer {
  readonly start: TSESTree.Node;
  readonly fn: FunctionNode;
  /** Calls that were over when it was started. */
  readonly over: ReadonlySet<Pending>;
}

const iterators: ReadonlySet<string> = new Set(['map', 'flatMap', 'filter', 'some', 'every', 'find', 'reduce']);
/** How deep calls of functions of the same file are followed. */
const deepestHelper = 3;
const bufferName = /(?:^|[a-z_$#])(?:[bB]uf|[bB]uff|[bB]uffer|[bB]ytes|[uU]int8(?:[aA]rray)?|[tT]yped[aA]rray)\d*$/u;
const bufferListName = /(?:^|[a-z_$#])(?:[bB]ufs|[bB]uffs|[bB]uffers)\d*$/u;
const adders: ReadonlySet<string> = new Set(['push', 'unshift', 'add']);
const timerStarters: ReadonlySet<string> = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'nextTick',
]);
const timerEnders: ReadonlySet<string> = new Set(['clearTimeout', 'clearInterval', 'clearImmediate']);

/**
 * Interprets one function: which backing store each variable, field and view stands for, and which native calls may still
 * be running. Branches are walked apart and joined, loops twice. Functions that are only passed on are not entered; they
 * are walked on their own.
 */
export function walkFunction(input: WalkInput, body: Body): readonly InFlightHit[] {
  return new Walker(input).run(body);
}

class Walker {
  private readonly code: Code;
  private readonly bindings: NativeBindings;
  private readonly types: TypedServices | undefined;
  private readonly hits = new Map<string, InFlightHit>();
  private readonly entries = new Map<PlaceKey, Value>();
  private readonly loops: Loop[] = [];
  private readonly tries: TryFrame[] = [];
  /** The native calls of the loop rounds before the current one. */
  private earlierRounds = new Set<Pending>();
  private state = new State();
  private nextStorage = 0;
  /** Loops around the current place, also around the call of a function that is walked in place. */
  private readonly around: Loop[] = [];
  /** How many `try` blocks are outside of the function that is walked in place. */
  private outerTries = 0;
  private readonly timers: Timer[] = [];
  /** The timer whose function is walked. */
  private timer: Timer | undefined;
  private readonly created: Pending[] = [];
  private readonly throwers = new Map<Pending, TSESTree.Node>();
  /** Each storage of a list that stands for all its elements. */
  private readonly elements = new Map<Storage, Storage>();
  /** How often a variable has been written so far: an index expression with a new value means another element. */
  private readonly versions = new Map<TSESLint.Scope.Variable, number>();
  /** What the function that is walked in place returns. */
  private returned: Value[] = [];
  /** One per async body that is walked in place: the native calls that it starts. */
  private readonly watchers: Set<Pending>[] = [];
  /** Calls of functions of the file that are walked in place, outermost first. */
  private readonly helpers: { readonly call: TSESTree.CallExpression; readonly fn: FunctionNode }[] = [];

  constructor(input: WalkInput) {
    this.code = input.code;
    this.bindings = input.bindings;
    this.types = input.types;
  }

  run(body: Body): readonly InFlightHit[] {
    if (body.type === 'Program') for (const statement of body.body) this.statement(statement);
    else {
      this.constructed(body);
      for (const parameter of body.params)
        if (parameter.type === 'AssignmentPattern')
          this.bindPattern(parameter.left, this.evaluate(parameter.right), parameter.right);
      if (body.body.type === 'BlockStatement') this.statement(body.body);
      else this.evaluate(body.body);
    }
    return [...this.hits.values()];
  }

  /** The fields of a class get their values before its constructor runs. */
  private constructed(body: FunctionNode): void {
    const method = body.parent;
    if (method?.type !== 'MethodDefinition' || method.kind !== 'constructor') return;
    for (const member of method.parent.body)
      if (member.type === 'PropertyDefinition' && !member.static) this.field(member);
  }

  private field(member: TSESTree.PropertyDefinition): void {
    if (member.value === null || isFunction(member.value)) return;
    const value = this.evaluate(member.value);
    const name = keyName(member);
    if (name !== undefined && !isNothing(value)) this.state.env.set(`this.${name}`, value);
  }

  /** What runs when a class is defined: static fields and static blocks. */
  private classBody(node: TSESTree.ClassDeclaration | TSESTree.ClassExpression): void {
    for (const member of node.body.body) {
      if (member.type === 'StaticBlock') this.statements(member.body);
      else if (member.type === 'PropertyDefinition' && member.static) this.field(member);
    }
  }

  // -- statements ------------------------------------------------------------------------------------------------------

  private statements(list: readonly TSESTree.Statement[]): void {
    for (const statement of list) {
      if (this.state.isDead) return;
      this.statement(statement);
    }
  }

  private statement(node: TSESTree.Node, label?: string): void {
    switch (node.type) {
      case 'BlockStatement':
        this.statements(node.body);
        return;
      case 'ExpressionStatement':
        this.evaluate(node.expression);
        return;
      case 'VariableDeclaration':
        for (const declarator of node.declarations) {
          const value = declarator.init === null ? nothing : this.evaluate(declarator.init);
          this.bind(declarator.id, value, declarator.init ?? undefined);
        }
        return;
      case 'IfStatement':
        this.evaluate(node.test);
        this.branches([
          () => this.statement(node.consequent),
          () => (node.alternate === null ? undefined : this.statement(node.alternate)),
        ]);
        return;
      case 'ReturnStatement':
      case 'ThrowStatement': {
        const value = node.argument === null ? nothing : this.evaluate(node.argument);
        if (node.type === 'ReturnStatement') {
          this.returned.push(value);
          this.leave(this.outerTries);
        } else this.throw();
        return;
      }
      case 'BreakStatement': {
        const loop = this.loops.findLast((each) => (node.label === null ? true : each.label === node.label.name));
        loop?.breaks.push(this.state.clone());
        this.leave(loop?.tries ?? this.outerTries);
        return;
      }
      case 'ContinueStatement': {
        const loop = this.loops.findLast(
          (each) => !each.isSwitch && (node.label === null || each.label === node.label.name),
        );
        loop?.continues.push(this.state.clone());
        this.leave(loop?.tries ?? this.outerTries);
        return;
      }
      case 'LabeledStatement':
        this.statement(node.body, node.label.name);
        return;
      case 'WhileStatement':
        this.loop(label, true, () => {
          this.evaluate(node.test);
          this.statement(node.body);
        });
        return;
      case 'DoWhileStatement':
        this.loop(label, false, () => {
          this.statement(node.body);
          if (!this.state.isDead) this.evaluate(node.test);
        });
        return;
      case 'ForStatement':
        if (node.init !== null) this.declarationOrExpression(node.init);
        this.loop(label, true, () => {
          if (node.test !== null) this.evaluate(node.test);
          this.statement(node.body);
          if (node.update !== null && !this.state.isDead) this.evaluate(node.update);
        });
        return;
      case 'ForInStatement':
      case 'ForOfStatement': {
        const iterated = this.evaluate(node.right);
        // An array that holds promises has elements.
        this.loop(label, iterated.promises.size === 0, () => {
          // While one of several is there, the others may run.
          const isOne = [...iterated.promises].every((each, at) => at === 0 && each.loop === undefined);
          if (node.type === 'ForOfStatement' && node.await && isOne) this.state.settle(iterated.promises);
          const pattern = node.left.type === 'VariableDeclaration' ? node.left.declarations[0]?.id : node.left;
          if (pattern !== undefined)
            this.bindPattern(
              pattern,
              node.type === 'ForOfStatement' ? this.elementOf(node.right, iterated, true) : nothing,
              undefined,
            );
          this.statement(node.body);
        });
        if (node.type === 'ForOfStatement' && node.await) this.state.settle(iterated.promises);
        return;
      }
      case 'SwitchStatement':
        this.evaluate(node.discriminant);
        this.switch(node, label);
        return;
      case 'TryStatement':
        this.try(node);
        return;
      case 'ExportNamedDeclaration':
        if (node.declaration !== null) this.statement(node.declaration);
        return;
      case 'ExportDefaultDeclaration':
        if (node.declaration.type === 'ClassDeclaration') this.classBody(node.declaration);
        else if (!isFunction(node.declaration)) this.evaluate(node.declaration);
        return;
      case 'ClassDeclaration':
        this.classBody(node);
        return;
      default:
        return;
    }
  }

  private declarationOrExpression(node: TSESTree.Node): void {
    if (node.type === 'VariableDeclaration') this.statement(node);
    else this.evaluate(node);
  }

  /** The way ends here; it leaves the `try` blocks from one of that number on. */
  private leave(from: number): void {
    for (const frame of this.tries.slice(from)) frame.exits.push(this.state.clone());
    this.state.isDead = true;
  }

  private throw(): void {
    for (const frame of this.tries.toReversed()) {
      frame.exits.push(this.state.clone());
      if (frame.isCaught) break;
    }
    this.state.isDead = true;
  }

  /** An expression may throw now; what is running then is running in the handler. */
  private interrupt(thrower: TSESTree.Node, phaseOf: (pending: Pending) => Phase = () => 'interrupted'): void {
    if (this.state.pending.size === 0) return;
    for (const frame of this.tries.toReversed()) {
      for (const pending of this.state.pending.keys())
        if (!frame.interrupted.has(pending)) frame.interrupted.set(pending, { phase: phaseOf(pending), thrower });
      if (frame.isCaught) break;
    }
  }

  /** Walks alternatives from the same state and joins what comes out. */
  private branches<T>(alternatives: readonly (() => T)[]): readonly T[] {
    const before = this.state;
    const after: State[] = [];
    const results = alternatives.map((walk) => {
      this.state = before.clone();
      const result = walk();
      after.push(this.state);
      return result;
    });
    this.state = join(after);
    return results;
  }

  private loop(label: string | undefined, mayBeSkipped: boolean, round: () => void): void {
    const before = this.state.clone();
    const loop: Loop = { breaks: [], continues: [], label, isSwitch: false, tries: this.tries.length };
    this.loops.push(loop);
    this.around.push(loop);
    round();
    const first = join([this.state, ...loop.continues]);
    const outer = this.earlierRounds;
    this.earlierRounds = new Set([...outer, ...first.pending.keys()].filter((pending) => !before.pending.has(pending)));
    loop.continues.length = 0;
    this.state = first.clone();
    if (!first.isDead) round();
    this.earlierRounds = outer;
    this.loops.pop();
    this.around.pop();
    this.state = join([...(mayBeSkipped ? [before] : []), this.state, first, ...loop.continues, ...loop.breaks]);
  }

  private switch(node: TSESTree.SwitchStatement, label: string | undefined): void {
    const before = this.state.clone();
    const frame: Loop = { breaks: [], continues: [], label, isSwitch: true, tries: this.tries.length };
    this.loops.push(frame);
    this.state.isDead = true;
    for (const each of node.cases) {
      this.state = join([before.clone(), this.state]);
      if (each.test !== null) this.evaluate(each.test);
      this.statements(each.consequent);
    }
    this.loops.pop();
    const hasDefault = node.cases.some((each) => each.test === null);
    this.state = join([...(hasDefault ? [] : [before]), this.state, ...frame.breaks]);
  }

  private try(node: TSESTree.TryStatement): void {
    const frame: TryFrame = { exits: [], interrupted: new Map(), isCaught: node.handler !== null };
    this.tries.push(frame);
    this.statement(node.block);
    this.tries.pop();
    const normal = this.state;
    // What an exception finds: everything that the block started and didn't wait for, and what Promise.all left behind.
    const failed = join([normal, ...frame.exits]).isDead ? lastOf(frame.exits, normal) : join([normal, ...frame.exits]);
    failed.isDead = false;
    this.interrupted(failed, frame);

    let handled: State | undefined;
    const exits = [...frame.exits];
    if (node.handler !== null) {
      this.state = failed.clone();
      const inner: TryFrame = { exits: [], interrupted: new Map(), isCaught: false };
      if (node.finalizer !== null) this.tries.push(inner);
      this.statement(node.handler.body);
      if (node.finalizer !== null) this.tries.pop();
      handled = this.state;
      const escaped = failed.clone();
      escaped.pending.clear();
      this.interrupted(escaped, inner);
      exits.push(...inner.exits, escaped);
    }
    if (node.finalizer === null) {
      this.state = join(handled === undefined ? [normal] : [normal, handled]);
      return;
    }
    const live = join(handled === undefined ? [normal] : [normal, handled]);
    const abrupt = exits.map((exit) => alive(exit));
    this.state = join([live, ...abrupt, ...(handled === undefined ? [failed] : [])]);
    this.statement(node.finalizer);
    if (live.isDead || this.state.isDead) {
      this.state.isDead = true;
      return;
    }
    // Paths that left the block don't come out below the finalizer.
    for (const pending of [...this.state.pending.keys()])
      if (!live.pending.has(pending)) this.state.pending.delete(pending);
  }

  private interrupted(state: State, frame: TryFrame): void {
    for (const [pending, { phase, thrower }] of frame.interrupted) {
      if (state.pending.has(pending)) continue;
      state.pending.set(pending, phase);
      if (phase === 'interrupted') this.throwers.set(pending, thrower);
    }
  }

  // -- expressions -----------------------------------------------------------------------------------------------------

  private evaluate(node: TSESTree.Node): Value {
    switch (node.type) {
      case 'TSAsExpression':
      case 'TSNonNullExpression':
      case 'TSSatisfiesExpression':
      case 'TSTypeAssertion':
      case 'ChainExpression':
        return this.evaluate(node.expression);
      case 'Identifier':
        return this.read(node);
      case 'MemberExpression':
        return this.member(node);
      case 'AwaitExpression':
        return this.await(node);
      case 'YieldExpression': {
        const value = node.argument === null || node.argument === undefined ? nothing : this.evaluate(node.argument);
        this.state.settle(value.promises);
        return nothing;
      }
      case 'CallExpression':
        return this.call(node);
      case 'NewExpression':
        return this.construct(node);
      case 'AssignmentExpression':
        return this.assign(node);
      case 'UpdateExpression':
        this.writeElement(node.argument, node);
        if (node.argument.type === 'Identifier') this.counted(node.argument);
        return nothing;
      case 'ClassExpression':
        this.classBody(node);
        return nothing;
      case 'ConditionalExpression':
        this.evaluate(node.test);
        return unite(this.branches([() => this.evaluate(node.consequent), () => this.evaluate(node.alternate)]));
      case 'LogicalExpression': {
        const left = this.evaluate(node.left);
        return unite(this.branches([() => left, () => this.evaluate(node.right)]));
      }
      case 'SequenceExpression':
        return node.expressions.map((each) => this.evaluate(each)).at(-1) ?? nothing;
      case 'ArrayExpression': {
        const elements = node.elements.map((each) => (each === null ? nothing : this.evaluate(each)));
        const value = container(elements);
        // Behind a spread no position is known.
        return node.elements.some((each) => each?.type === 'SpreadElement') ? value : { ...value, elements };
      }
      case 'ObjectExpression': {
        const fields = new Map<string, Value>();
        const values = node.properties.map((property) => {
          if (property.type === 'SpreadElement') return this.evaluate(property.argument);
          const value = this.evaluate(property.value);
          const name = keyName(property);
          if (name !== undefined) fields.set(name, value);
          return value;
        });
        return { ...container(values), fields };
      }
      case 'SpreadElement': {
        const spread = this.evaluate(node.argument);
        return node.parent.type === 'ObjectExpression' ? spread : this.elementOf(node.argument, spread, false);
      }
      case 'BinaryExpression':
        this.evaluate(node.left);
        this.evaluate(node.right);
        return nothing;
      case 'UnaryExpression':
        this.evaluate(node.argument);
        return nothing;
      case 'TemplateLiteral':
        for (const each of node.expressions) this.evaluate(each);
        return nothing;
      case 'TaggedTemplateExpression':
        for (const each of node.quasi.expressions) this.evaluate(each);
        return nothing;
      default:
        return nothing;
    }
  }

  private read(node: TSESTree.Identifier): Value {
    const variable = variableOf(this.code, node);
    return variable === undefined ? nothing : this.lookup(variable, node, node.name);
  }

  /** The value of a place; a place that was not set in this function stands for one store of its own. */
  private lookup(key: PlaceKey, node: TSESTree.Node, name: string): Value {
    const known = this.state.env.get(key) ?? this.entries.get(key);
    if (known !== undefined) return known;
    const aliased = typeof key === 'string' ? undefined : aliasedBuffer(key);
    if (aliased !== undefined) {
      // A constant of an outer function that is a view of another variable. The entry stops a definition through itself.
      this.entries.set(key, nothing);
      const value = this.evaluate(aliased);
      this.entries.set(key, value);
      return value;
    }
    const value: Value = {
      storages: new Set([this.newStorage(name, node, node)]),
      promises: new Set(),
      isArrayBuffer: this.entersAsArrayBuffer(key),
    };
    this.entries.set(key, value);
    return value;
  }

  private entersAsArrayBuffer(key: PlaceKey): boolean {
    if (typeof key === 'string') return false;
    const name = key.defs[0]?.name;
    const init = soleInit(key);
    if (init !== undefined && bufferOrigin(this.code, init).kind === 'array-buffer') return true;
    return name?.type === 'Identifier' && isArrayBufferName(annotatedName(name) ?? '');
  }

  private member(node: TSESTree.MemberExpression): Value {
    const name = memberName(node);
    if (name === 'buffer') return { ...this.evaluate(node.object), isArrayBuffer: true };
    const key = this.pathKey(node);
    if (key !== undefined) {
      const known = this.state.env.get(key);
      if (known !== undefined) return known;
      const object = this.evaluate(node.object);
      // A field of a container that was built here holds what was put into the container.
      const isBuilt = bare(node.object).type !== 'ThisExpression' && object.promises.size > 0;
      if (isBuilt) return object;
      return this.lookup(key, node, shortText(this.code, node, 40));
    }
    const object = this.evaluate(node.object);
    if (node.computed) this.evaluate(node.property);
    return this.indexed(node, object);
  }

  /** One element of a list by a position: the same position, written the same way, is the same element. */
  private indexed(node: TSESTree.MemberExpression, list: Value): Value {
    const at = node.computed ? this.indexText(node.property) : undefined;
    const [storage] = list.storages;
    const written = at === undefined ? undefined : list.elements?.[Number(at)];
    if (written !== undefined) return written;
    const { promises } = list;
    // One of the elements that are known, nobody knows which: a store of its own.
    const [inner] = list.inner ?? [];
    const owner = storage === undefined ? this.placeKey(bare(node.object)) : String(storage.id);
    if (at === undefined || owner === undefined || list.storages.size > 1) return { storages: new Set(), promises };
    const key = `${owner}[${at}]`;
    const known = this.entries.get(key);
    if (known !== undefined) return { ...known, promises };
    const witness = inner?.witness ?? storage?.made ?? node;
    const made = this.newStorage(shortText(this.code, node, 40), node, witness);
    const element = storage === undefined ? made : { ...made, list: storage, isBuffer: this.isBufferList(storage) };
    const value: Value = { storages: new Set([element]), promises };
    this.entries.set(key, value);
    return value;
  }

  /** An index expression with the current version of each variable in it; undefined when it may change by itself. */
  private indexText(node: TSESTree.Node): string | undefined {
    const plain = bare(node);
    switch (plain.type) {
      case 'Literal':
        return typeof plain.value === 'number' ? String(plain.value) : undefined;
      case 'Identifier': {
        const variable = variableOf(this.code, plain);
        if (variable === undefined) return undefined;
        return `${plain.name}@${String(variable.identifiers[0]?.range[0] ?? 0)}#${String(this.versions.get(variable) ?? 0)}`;
      }
      case 'BinaryExpression': {
        const left = this.indexText(plain.left);
        const right = this.indexText(plain.right);
        return left === undefined || right === undefined ? undefined : `(${left}${plain.operator}${right})`;
      }
      default:
        return undefined;
    }
  }

  /** A variable has another value from now on. */
  private counted(node: TSESTree.Identifier): void {
    const variable = variableOf(this.code, node);
    if (variable !== undefined) this.versions.set(variable, (this.versions.get(variable) ?? 0) + 1);
  }

  /** What a loop over a list binds in one round, or, out of a loop, what any of its elements may be. */
  private elementOf(node: TSESTree.Node, list: Value, isRound: boolean): Value {
    const { promises } = list;
    if (list.inner !== undefined && list.inner.size > 0) return { storages: list.inner, promises };
    const each = [...list.storages].map((storage) => this.eachOf(storage));
    if (!isRound || each.length === 0) return { storages: new Set(each), promises };
    // Of its own in each round, and one of all for other loops over the list.
    const [first] = each;
    const round: Storage = {
      ...this.newStorage(first?.name ?? '', node, first?.witness ?? node),
      isBuffer: first?.isBuffer === true,
    };
    return { storages: new Set([round, ...each]), promises };
  }

  private eachOf(list: Storage): Storage {
    const known = this.elements.get(list);
    if (known !== undefined) return known;
    const each: Storage = {
      ...this.newStorage(`${list.name}[…]`, list.node, list.made ?? list.node),
      list,
      isEach: true,
      isBuffer: this.isBufferList(list),
    };
    this.elements.set(list, each);
    return each;
  }

  private isBufferList(list: Storage): boolean {
    return (
      bufferListName.test(list.name) ||
      (list.made !== undefined && bufferOrigin(this.code, list.made).kind !== 'unknown') ||
      isBufferList(this.code, list.node)
    );
  }

  /** A key for `a.b.c` and `this.b`, when the path is written out and begins at a variable or at `this`. */
  private pathKey(node: TSESTree.Node): string | undefined {
    const path = dottedName(node);
    if (path === undefined || path.length < 2 || path.length > 5 || path.some((part) => /^\d+$/u.test(part)))
      return undefined;
    let root: TSESTree.Node = bare(node);
    while (root.type === 'MemberExpression') root = bare(root.object);
    if (root.type === 'ThisExpression') return path.join('.');
    const variable = root.type === 'Identifier' ? variableOf(this.code, root) : undefined;
    const at = variable?.identifiers[0]?.range[0];
    return at === undefined ? undefined : `${String(at)}:${path.join('.')}`;
  }

  private await(node: TSESTree.AwaitExpression): Value {
    const value = this.evaluate(node.argument);
    this.runTimers();
    if (value.isRace !== true) {
      if (value.isAll === true)
        this.interrupt(node, (pending) => (value.promises.has(pending) ? 'partial' : 'interrupted'));
      this.state.settle(value.promises);
    }
    // What is awaited may reject while other calls run.
    this.interrupt(node);
    // Something else may have waited for a promise that was handed out before.
    const awaited = bare(node.argument);
    if (awaited.type === 'CallExpression' || awaited.type === 'Identifier' || awaited.type === 'MemberExpression') {
      if (this.bindings.originOf(awaited) === undefined) this.state.settleShared();
    }
    return nothing;
  }

  private construct(node: TSESTree.NewExpression): Value {
    const name = node.callee.type === 'Identifier' ? node.callee.name : undefined;
    const [first] = node.arguments;
    if (name === 'Promise' && isFunction(first)) {
      // The executor runs at once; what it starts is what the promise stands for.
      const before = new Set(this.state.pending.keys());
      this.inline(first, []);
      return {
        storages: new Set(),
        promises: new Set([...this.state.pending.keys()].filter((each) => !before.has(each))),
      };
    }
    const args = node.arguments.map((each) => this.evaluate(each));
    const options = name === 'Worker' ? node.arguments[1] : undefined;
    if (options !== undefined)
      for (const moved of transferList(this.resolved(options))) this.touch('transfer', moved, node, true);
    if (name !== undefined && viewTypes.has(name)) {
      const source = args[0];
      if (source?.isArrayBuffer === true) return { ...this.partOf(node, source, 1), isArrayBuffer: false };
      return this.fresh(node);
    }
    if (name !== undefined && isArrayBufferName(name)) return { ...this.fresh(node), isArrayBuffer: true };
    const all = unite(args);
    if (mayThrow(node)) this.interrupt(node);
    return { storages: new Set(), promises: all.promises, held: this.heldBy(node, all, nothing) };
  }

  private call(node: TSESTree.CallExpression): Value {
    const callee = bare(node.callee);
    if (isFunction(callee)) {
      return this.inline(
        callee,
        node.arguments.map((argument) => this.evaluate(argument)),
      );
    }
    const name = callee.type === 'MemberExpression' ? memberName(callee) : undefined;
    const object = callee.type === 'MemberExpression' ? bare(callee.object) : undefined;
    if (object?.type === 'Identifier' && object.name === 'Promise' && name !== undefined) {
      const value = unite(node.arguments.map((each) => this.evaluate(each)));
      return {
        storages: new Set(),
        promises: value.promises,
        isRace: name === 'race' || name === 'any',
        isAll: name === 'all' && mayBeSeveral(node.arguments[0]),
      };
    }
    if (
      object !== undefined &&
      callee.type === 'MemberExpression' &&
      (name === 'then' || name === 'catch' || name === 'finally')
    ) {
      return this.chain(callee.object, name, node.arguments);
    }
    const called = name ?? (callee.type === 'Identifier' ? callee.name : undefined);
    if (called !== undefined && timerStarters.has(called)) {
      const fn = this.functionOf(node.arguments[0]);
      if (fn !== undefined) this.startTimer(node, fn);
    }
    if (called !== undefined && timerEnders.has(called)) this.timers.length = 0;
    if (callee.type === 'MemberExpression' && name !== undefined && node.arguments.length > 0) {
      const iterated = this.iteration(callee.object, name, node.arguments);
      if (iterated !== undefined) return iterated;
    }
    return this.plainCall(node, callee, name);
  }

  /** The function that an argument is, or names. */
  private functionOf(node: TSESTree.Node | undefined): FunctionNode | undefined {
    if (node === undefined) return undefined;
    return isFunction(node) ? node : localFunction(this.code, node);
  }

  private startTimer(start: TSESTree.Node, fn: FunctionNode): void {
    const timer: Timer = { start, fn, over: new Set(this.created.filter((each) => !this.state.pending.has(each))) };
    this.timers.push(timer);
    this.runTimers([timer]);
  }

  /** The thread is free at an await: timers that were started may run. */
  private runTimers(timers: readonly Timer[] = this.timers): void {
    if (this.timer !== undefined) return;
    for (const timer of timers) {
      if (![...this.state.pending.keys()].some((pending) => !timer.over.has(pending))) continue;
      this.timer = timer;
      this.later(timer.fn, [...timer.over]);
      this.timer = undefined;
    }
  }

  private plainCall(node: TSESTree.CallExpression, callee: TSESTree.Node, name: string | undefined): Value {
    const receiver = callee.type === 'MemberExpression' ? this.evaluate(callee.object) : nothing;
    const args = node.arguments.map((each) => this.evaluate(each));
    const all = unite(args);

    if (name !== undefined && isRelease(name)) {
      this.state.settle([...this.state.pending.keys()].filter((each) => each.isOpenCallback === true));
    }
    this.openCallback(node);
    const native = asyncNativeCall(this.code, this.bindings, this.types, node);
    if (native !== undefined) {
      const declared = args.flatMap((value, at) =>
        native.bufferPositions?.has(at) === true ? [...value.storages] : [],
      );
      const pending: Pending = {
        call: node,
        callee: shortText(this.code, node.callee, 40),
        storages: new Set([...reachable(all), ...(receiver.held ?? []), ...this.fieldStores(node)]),
        parts: partsGiven(args),
        buffers: new Set(declared),
        confidence: native.confidence,
        loop: this.around.at(-1),
        isShared: false,
      };
      this.created.push(pending);
      if (native.callback !== undefined && isFunction(native.callback)) this.later(native.callback, [pending]);
      this.state.pending.set(pending, 'running');
      for (const watcher of this.watchers) watcher.add(pending);
      return { storages: new Set(), promises: new Set([pending, ...all.promises]) };
    }

    const helper = this.helpers.length < deepestHelper ? localFunction(this.code, callee) : undefined;
    if (
      helper !== undefined &&
      !this.helpers.some(({ fn }) => fn === helper) &&
      (all.storages.size > 0 || (all.inner?.size ?? 0) > 0 || this.state.pending.size > 0)
    ) {
      this.helpers.push({ call: node, fn: helper });
      const value = this.inline(helper, args);
      this.helpers.pop();
      return value;
    }

    const effect = effectOf(node, (each) => this.resolved(each));
    if (effect !== undefined) {
      for (const written of effect.writes) this.touch('write', written, node, effect.isTelling);
      for (const moved of effect.transfers) this.touch('transfer', moved, node, true);
      if (effect.transferList !== undefined) this.transferAll(effect.transferList, node);
    }
    const path = dottedName(callee);
    if (path?.join('.') === 'process.exit') this.exit(node);
    if (mayThrow(node)) this.interrupt(node);

    const made = this.bufferMade(node, callee, name, receiver, args);
    if (made !== undefined) return made;
    if (callee.type === 'MemberExpression' && name !== undefined && adders.has(name) && !isNothing(all)) {
      this.addTo(callee.object, all);
      return nothing;
    }
    // Handed to code that is not seen here: it may wait for the promises.
    for (const pending of all.promises) pending.isShared = true;
    return {
      storages: new Set(),
      promises: new Set([...all.promises, ...receiver.promises]),
      held: this.heldBy(node, all, receiver),
    };
  }

  /** What a constant is made of, for `const list = [a.buffer]`. */
  private resolved(node: TSESTree.Node): TSESTree.Node {
    const plain = bare(node);
    const variable = plain.type === 'Identifier' ? variableOf(this.code, plain) : undefined;
    return (variable === undefined ? undefined : soleInit(variable)) ?? plain;
  }

  /** Registers a function that is given to a native `watch`, `subscribe` or `on…`; an await does not close it. */
  private openCallback(node: TSESTree.CallExpression): void {
    if (!node.arguments.some((each) => isFunction(each))) return;
    const name = this.bindings.originOf(node.callee)?.path.at(-1);
    if (
      name === undefined ||
      !/^(?:on|watch|subscribe|listen|observe|start|register|add\w*listener|set\w*callback)/iu.test(name)
    )
      return;
    const callee = shortText(this.code, node.callee, 40);
    const opened: Pending = {
      call: node,
      callee,
      storages: new Set(),
      confidence: 'medium',
      isShared: false,
      isOpenCallback: true,
    };
    this.state.pending.set(opened, 'running');
  }

  /** What an object of the addon keeps from the call that made it, and what the object before it in a chain kept. */
  private heldBy(
    node: TSESTree.CallExpression | TSESTree.NewExpression,
    all: Value,
    receiver: Value,
  ): ReadonlySet<Storage> {
    if (this.bindings.originOf(node.callee) === undefined) return new Set();
    return new Set([...reachable(all), ...(receiver.held ?? [])]);
  }

  /** Stores in fields that were set on an argument before: `job.data = buf; run(job)`. */
  private fieldStores(node: TSESTree.CallExpression): readonly Storage[] {
    return node.arguments.flatMap((argument) => {
      const key = bare(argument).type === 'Identifier' ? this.placeKey(bare(argument)) : undefined;
      if (key === undefined) return [];
      return [...this.state.env].flatMap(([place, value]) =>
        typeof place === 'string' && place.startsWith(`${key}.`) ? [...value.storages] : [],
      );
    });
  }

  /** Calls that make a buffer or a view of one. */
  private bufferMade(
    node: TSESTree.CallExpression,
    callee: TSESTree.Node,
    name: string | undefined,
    receiver: Value,
    args: readonly Value[],
  ): Value | undefined {
    if (callee.type !== 'MemberExpression' || name === undefined) return undefined;
    // The elements of a list stay what they are; an entry is a pair of a position and an element.
    if (name === 'values' || name === 'toReversed' || name === 'toSorted') return receiver;
    if (name === 'entries' && node.arguments.length === 0) {
      const element = this.elementOf(callee.object, receiver, true);
      return { storages: new Set(), promises: receiver.promises, inner: element.storages, entry: element };
    }
    if (name === 'subarray') return { ...this.partOf(node, receiver, 0), promises: new Set() };
    if (name === 'fill' || name === 'reverse' || name === 'sort') return { ...receiver, promises: new Set() };
    if (name === 'slice' && receiver.storages.size > 0) {
      const isShared = bufferOrigin(this.code, callee.object).kind === 'buffer';
      return isShared
        ? { ...this.partOf(node, receiver, 0), promises: new Set() }
        : { ...this.fresh(node), isArrayBuffer: receiver.isArrayBuffer === true };
    }
    const object = bare(callee.object);
    if (object.type === 'Identifier' && (object.name === 'Buffer' || viewTypes.has(object.name))) {
      const source = args[0];
      if (name === 'from' && object.name === 'Buffer' && source?.isArrayBuffer === true)
        return { ...this.partOf(node, source, 1), isArrayBuffer: false };
      return this.fresh(node);
    }
    return undefined;
  }

  /** `.then(f, g)`, `.catch(f)`, `.finally(f)`: the callbacks run when the promise is settled, the chain stays pending. */
  private chain(object: TSESTree.Node, name: string, args: readonly TSESTree.CallExpressionArgument[]): Value {
    const value = this.evaluate(object);
    const added: Pending[] = [];
    args.forEach((argument, at) => {
      const fn = this.functionOf(argument);
      if (fn === undefined) {
        this.evaluate(argument);
        return;
      }
      const isAfterFailure = value.isAll === true && (name === 'catch' || name === 'finally' || at === 1);
      added.push(...this.later(fn, value.isRace === true ? [] : [...value.promises], isAfterFailure));
    });
    for (const pending of added) this.state.pending.set(pending, 'running');
    return { ...value, storages: new Set(), promises: new Set([...value.promises, ...added]) };
  }

  /** Walks a callback that runs after `settled`; its state is not kept, but the native calls that it leaves running are. */
  private later(fn: FunctionNode, settled: readonly Pending[], isPartial = false): readonly Pending[] {
    const outside = this.state;
    // What it throws does not get to the `try` blocks around the place where it was given away.
    const tries = this.tries.splice(0);
    this.state = outside.clone();
    for (const pending of settled) {
      if (isPartial && this.state.pending.has(pending)) this.state.pending.set(pending, 'partial');
      else this.state.pending.delete(pending);
    }
    const before = new Set(this.state.pending.keys());
    this.inline(fn, []);
    const added = [...this.state.pending.keys()].filter((each) => !before.has(each) && !outside.pending.has(each));
    this.state = outside;
    this.tries.push(...tries);
    return added;
  }

  /** `chunks.map((chunk) => native.hash(chunk))` and its kin: the callback runs here, once per element. */
  private iteration(
    object: TSESTree.Node,
    name: string,
    args: readonly TSESTree.CallExpressionArgument[],
  ): Value | undefined {
    if (!(iterators.has(name) || name === 'forEach' || name === 'from')) return undefined;
    const fn = this.functionOf(args[name === 'from' ? 1 : 0]);
    if (fn === undefined) return undefined;
    const [first] = name === 'from' ? args : [object];
    const iterated = first === undefined ? nothing : this.evaluate(first);
    const results: Value[] = [];
    this.loop(undefined, true, () => {
      results.push(this.inline(fn, [this.elementOf(first ?? object, iterated, true)]));
    });
    const result = unite(results);
    if (name === 'forEach') return nothing;
    if (name !== 'map' && name !== 'flatMap' && name !== 'from')
      return { storages: new Set(), promises: result.promises };
    if (isNothing(result) || result.promises.size > 0) return { storages: new Set(), promises: result.promises };
    // A list of what the function made or gave back: each element another one.
    const isOld = [...result.storages].some((storage) => storage.list !== undefined);
    if (isOld) return { storages: new Set(), promises: new Set(), inner: result.storages };
    const [made] = result.storages;
    const list: Storage = {
      ...this.newStorage(shortText(this.code, object, 40), object, object),
      ...(made === undefined ? {} : { made: made.node }),
    };
    return { storages: new Set([list]), promises: new Set() };
  }

  /**
   * Walks the body of a function where it is called. After the first await an async body runs later, so what it awaits is
   * still pending for the caller, through the promise that the call gives.
   */
  private inline(fn: FunctionNode, args: readonly Value[]): Value {
    const outerReturned = this.returned;
    const outerLoops = this.loops.splice(0);
    this.returned = [];
    const before = new Set(this.state.pending.keys());
    const outerTries = this.outerTries;
    this.outerTries = this.tries.length;
    fn.params.forEach((parameter, at) => this.bindPattern(parameter, args[at] ?? nothing, undefined));
    const started = fn.async ? new Set<Pending>() : undefined;
    const waited = started === undefined ? new Set<Pending>() : this.asyncBody(fn.body, started);
    if (started !== undefined) this.state.isDead = false;
    else if (fn.body.type === 'BlockStatement') this.statement(fn.body);
    else this.returned.push(this.evaluate(fn.body));
    this.state.isDead = false;
    const value = unite(this.returned);
    this.returned = outerReturned;
    this.outerTries = outerTries;
    this.loops.push(...outerLoops);
    if (started === undefined) return value;
    for (const pending of started) if (!before.has(pending)) this.state.pending.set(pending, 'running');
    return { storages: new Set(), promises: new Set([...value.promises, ...started, ...waited]) };
  }

  /**
   * Hits inside follow the body's own order; the caller only learns which calls the body starts, and is given those of its own
   * for which the body waits.
   */
  private asyncBody(body: TSESTree.Node, started: Set<Pending>): Set<Pending> {
    const outside = this.state.clone();
    this.watchers.push(started);
    if (body.type === 'BlockStatement') this.statement(body);
    else this.returned.push(this.evaluate(body));
    this.watchers.pop();
    const left = this.state.pending;
    this.state = outside;
    return new Set([...outside.pending.keys()].filter((pending) => !left.has(pending)));
  }

  // -- places ----------------------------------------------------------------------------------------------------------

  private assign(node: TSESTree.AssignmentExpression): Value {
    const value = this.evaluate(node.right);
    const left = bare(node.left);
    if (left.type === 'MemberExpression') {
      if (this.writeElement(left, node)) return value;
      const key = this.pathKey(left);
      if (key !== undefined) this.state.env.set(key, value);
      else if (left.computed) this.addTo(left.object, value);
      // A promise in a field can be awaited by any method.
      for (const pending of value.promises) pending.isShared = true;
      return value;
    }
    if (left.type === 'Identifier' && node.operator !== '=') this.counted(left);
    if (node.operator === '=' || /^(?:\|\||&&|\?\?)=$/u.test(node.operator)) this.bind(left, value, node.right);
    return value;
  }

  /** `buf[i] = x`, `buf[i] += x`, `buf[i]++`; true when the target is a buffer. */
  private writeElement(target: TSESTree.Node, node: TSESTree.Node): boolean {
    const plain = bare(target);
    if (
      plain.type !== 'MemberExpression' ||
      !plain.computed ||
      (plain.property.type === 'Literal' && typeof plain.property.value === 'string')
    )
      return false;
    const isCertain = isCertainlyBuffer(this.code, plain.object, this.types);
    this.touch('write', plain.object, node, isCertain);
    return isCertain;
  }

  private bind(target: TSESTree.Node, value: Value, source: TSESTree.Node | undefined): void {
    this.bindPattern(target, value, source);
  }

  private bindPattern(target: TSESTree.Node, value: Value, source: TSESTree.Node | undefined): void {
    switch (target.type) {
      case 'Identifier': {
        const variable = variableOf(this.code, target);
        if (variable !== undefined) this.setVariable(variable, target, value, source);
        return;
      }
      case 'ArrayPattern':
        target.elements.forEach((element, at) => {
          if (element === null) return;
          const rest = element.type === 'RestElement' ? value.elements?.slice(at) : undefined;
          const known = rest === undefined ? value.elements?.[at] : { ...container(rest), elements: rest };
          // [index, buffer] of entries()
          const entry = at === 1 ? value.entry : undefined;
          this.bindPattern(element, known ?? entry ?? { storages: new Set(), promises: value.promises }, undefined);
        });
        return;
      case 'ObjectPattern':
        for (const property of target.properties) {
          if (property.type === 'Property')
            this.bindPattern(property.value, this.fieldOf(value, source, keyName(property), property.value), undefined);
          else this.bindPattern(property.argument, { storages: new Set(), promises: value.promises }, undefined);
        }
        return;
      case 'AssignmentPattern':
        this.bindPattern(target.left, value, undefined);
        return;
      case 'RestElement':
        this.bindPattern(target.argument, value, undefined);
        return;
      case 'TSParameterProperty':
        this.bindPattern(target.parameter, value, undefined);
        return;
      case 'MemberExpression': {
        // [a[0], a[1]] = [a[1], a[0]]
        if (this.writeElement(target, target)) return;
        const key = this.pathKey(target);
        if (key !== undefined) this.state.env.set(key, value);
        return;
      }
      default:
        return;
    }
  }

  /** The value of one name of an object pattern: a field of a literal, or the place that `source.name` stands for. */
  private fieldOf(
    value: Value,
    source: TSESTree.Node | undefined,
    name: string | undefined,
    node: TSESTree.Node,
  ): Value {
    const plain: Value = { storages: new Set(), promises: value.promises };
    if (name === undefined) return plain;
    const known = value.fields?.get(name);
    if (known !== undefined) return known;
    const root = source === undefined ? undefined : bare(source);
    if (name === 'buffer' && value.storages.size > 0) return { ...value, isArrayBuffer: true };
    const path = root === undefined || value.promises.size > 0 ? undefined : this.placeKey(root);
    return path === undefined ? plain : this.lookup(`${path}.${name}`, node, this.code.getText(node));
  }

  /** The key of a variable, of `this`, or of a member path, as the fields of it are spelled. */
  private placeKey(node: TSESTree.Node): string | undefined {
    if (node.type === 'ThisExpression') return 'this';
    if (node.type !== 'Identifier') return this.pathKey(node);
    const at = variableOf(this.code, node)?.identifiers[0]?.range[0];
    return at === undefined ? undefined : `${String(at)}:${node.name}`;
  }

  private setVariable(
    variable: TSESLint.Scope.Variable,
    node: TSESTree.Identifier,
    value: Value,
    source: TSESTree.Node | undefined,
  ): void {
    const at = variable.identifiers[0]?.range[0];
    this.counted(node);
    const prefix = at === undefined ? undefined : `${String(at)}:`;
    for (const key of [...this.state.env.keys()]) {
      if (typeof key === 'string' && prefix !== undefined && key.startsWith(prefix)) this.state.env.delete(key);
    }
    if (prefix !== undefined)
      for (const [name, field] of value.fields ?? [])
        if (!isNothing(field)) this.state.env.set(`${prefix}${node.name}.${name}`, field);
    const isEmpty = isNothing(value);
    const [made] = value.storages;
    if (made !== undefined && source !== undefined && made.node === bare(source)) made.name = node.name;
    // A new value is a new store, whatever made it.
    this.state.env.set(
      variable,
      isEmpty ? { storages: new Set([this.newStorage(node.name, node, source ?? node)]), promises: new Set() } : value,
    );
  }

  /** Puts promises into a container that a variable or field holds. */
  private addTo(container: TSESTree.Node, added: Value): void {
    const plain = bare(container);
    const variable = plain.type === 'Identifier' ? variableOf(this.code, plain) : undefined;
    const key: PlaceKey | undefined = variable ?? this.pathKey(plain);
    if (key === undefined) {
      for (const pending of added.promises) pending.isShared = true;
      return;
    }
    if (typeof key === 'string') for (const pending of added.promises) pending.isShared = true;
    const known = this.state.env.get(key) ?? nothing;
    this.state.env.set(key, {
      storages: known.storages,
      promises: new Set([...known.promises, ...added.promises]),
      inner: new Set([...(known.inner ?? []), ...added.storages, ...(added.inner ?? [])]),
    });
  }

  /** A view of a value, cut out by the arguments of a call from a position on: start and end, or offset and length after `@`. */
  private partOf(node: TSESTree.CallExpression | TSESTree.NewExpression, whole: Value, from: number): Value {
    const cut = node.arguments
      .slice(from)
      .map((each) => this.code.getText(each))
      .join(', ');
    if (cut === '') return whole;
    const part = from === 0 ? cut : `@${cut}`;
    return { ...whole, part: whole.part === undefined ? part : `${whole.part} / ${part}` };
  }

  private fresh(node: TSESTree.Node): Value {
    return { storages: new Set([this.newStorage(shortText(this.code, node, 40), node, node)]), promises: new Set() };
  }

  private newStorage(name: string, node: TSESTree.Node, witness: TSESTree.Node): Storage {
    return { id: this.nextStorage++, name, node, witness };
  }

  // -- hits ------------------------------------------------------------------------------------------------------------

  private touch(kind: 'write' | 'transfer', target: TSESTree.Node, node: TSESTree.Node, isTelling: boolean): void {
    const value = this.evaluate(target);
    if (value.storages.size === 0) return;
    this.touchStores(kind, value, target, node, isTelling);
  }

  /** Every store in a transfer list. */
  private transferAll(list: TSESTree.Node, node: TSESTree.Node): void {
    const value = this.evaluate(list);
    const inner = this.elementOf(list, value, false);
    this.touchStores('transfer', inner, list, node, true);
  }

  private touchStores(
    kind: 'write' | 'transfer',
    value: Value,
    target: TSESTree.Node,
    node: TSESTree.Node,
    isTelling: boolean,
  ): void {
    for (const [pending, phase] of this.state.pending) {
      for (const storage of value.storages) {
        const given = this.sharedStore(pending, storage);
        if (given === undefined) continue;
        const isNextRound = this.earlierRounds.has(pending);
        if (kind === 'write' && mayBeApart(pending.parts?.get(given), value.part, isNextRound)) continue;
        if (!isTelling && pending.buffers?.has(given) !== true && !this.isBuffer(target, storage)) continue;
        this.hit({
          kind,
          node,
          pending,
          phase,
          storage,
          name: shortText(this.code, withoutStore(target), 40),
          isNextRound,
        });
      }
    }
  }

  /** The store of a call that a store is, or may be: elements of one list by two names, once the call's loop is over. */
  private sharedStore(pending: Pending, storage: Storage): Storage | undefined {
    if (pending.storages.has(storage) && storage.isEach !== true) return storage;
    const { list } = storage;
    if (list === undefined || (pending.loop !== undefined && this.around.some((loop) => loop === pending.loop)))
      return undefined;
    for (const given of pending.storages)
      if (given.list === list && (given === storage || given.isEach === true || storage.isEach === true)) return given;
    return undefined;
  }

  private isBuffer(target: TSESTree.Node, storage: Storage): boolean {
    const plain = bare(target);
    const name = plain.type === 'MemberExpression' ? memberName(plain) : plain.type === 'Identifier' ? plain.name : '';
    return (
      // It was given to native code and is written to: with such a name it is no plain array.
      bufferName.test(name ?? '') ||
      storage.isBuffer === true ||
      isCertainlyBuffer(this.code, target, this.types) ||
      bufferOrigin(this.code, storage.witness).kind !== 'unknown' ||
      isCertainlyBuffer(this.code, storage.node, this.types)
    );
  }

  private exit(node: TSESTree.Node): void {
    for (const [pending, phase] of this.state.pending) {
      this.hit({ kind: 'exit', node, pending, phase, storage: undefined, name: '', isNextRound: false });
    }
  }

  private hit(found: InFlightHit): void {
    const [outer] = this.helpers;
    // What a helper does to its own calls is found when it is walked itself.
    const isOwn = this.helpers.some(({ fn }) => isWithin(found.pending.call, fn));
    if (outer !== undefined && isOwn) return;
    const thrower = found.phase === 'interrupted' ? this.throwers.get(found.pending) : undefined;
    const place: InFlightHit = { ...found, thrower, timer: this.timer?.start };
    const hit: InFlightHit =
      outer === undefined
        ? place
        : { ...place, node: outer.call, inside: found.node, name: found.storage?.name ?? found.name };
    const key = `${hit.kind}:${String(hit.node.range[0])}:${String(hit.pending.call.range[0])}`;
    if (!this.hits.has(key)) this.hits.set(key, hit);
  }
}

/** Only a list of one written element is certainly not more. */
function mayBeSeveral(node: TSESTree.Node | undefined): boolean {
  const list = node === undefined ? undefined : bare(node);
  if (list?.type !== 'ArrayExpression') return list !== undefined;
  return list.elements.length > 1 || list.elements[0]?.type === 'SpreadElement';
}

/** An array or object of these values. */
function container(values: readonly Value[]): Value {
  const { promises } = unite(values);
  const held = values.flatMap((value) => [...(value.held ?? [])]);
  const inner = values.flatMap((value) => [...value.storages, ...(value.inner ?? [])]);
  return { storages: new Set(), promises, held: new Set(held), inner: new Set(inner) };
}

function isWithin(node: TSESTree.Node, outer: TSESTree.Node): boolean {
  return node.range[0] >= outer.range[0] && node.range[1] <= outer.range[1];
}

/** The part of each store that a call was given; a store that came whole, or in two parts, has none. */
function partsGiven(args: readonly Value[]): ReadonlyMap<Storage, string> {
  const parts = new Map<Storage, string>();
  const whole = new Set<Storage>();
  for (const { storages, part, inner } of args) {
    for (const storage of inner ?? []) whole.add(storage);
    for (const storage of storages) {
      if (part === undefined || (parts.get(storage) ?? part) !== part) whole.add(storage);
      else parts.set(storage, part);
    }
  }
  for (const storage of whole) parts.delete(storage);
  return parts;
}

/**
 * Two views of one store that may have no byte in common: whoever cuts a store in two does it to use the halves apart. The same
 * cut in another round of a loop is another one when it names a variable.
 */
function mayBeApart(given: string | undefined, written: string | undefined, isNextRound: boolean): boolean {
  if (given === undefined || written === undefined) return false;
  if (given === written) return isNextRound && !/^[\d\s,/@]*$/u.test(given);
  const [a, b] = [literalRange(given), literalRange(written)];
  return a === undefined || b === undefined || a.end <= b.start || b.end <= a.start;
}

function literalRange(part: string): { readonly start: number; readonly end: number } | undefined {
  const [, start, end] = /^(\d+)(?:, (\d+))?$/u.exec(part) ?? [];
  if (start === undefined) return undefined;
  return { start: Number(start), end: end === undefined ? Number.POSITIVE_INFINITY : Number(end) };
}

function isRelease(name: string): boolean {
  return releaseMethods.includes(name) || /^(?:un|off|remove|clear)/u.test(name);
}

/** The expression that makes a constant another name, or a view, of a buffer: `a`, `a.subarray(1)`, `new DataView(a.buffer)`. */
function aliasedBuffer(variable: TSESLint.Scope.Variable): TSESTree.Node | undefined {
  const init = soleInit(variable);
  if (init === undefined) return undefined;
  const plain = bare(init);
  if (plain.type === 'Identifier') return plain;
  if (plain.type === 'MemberExpression') return memberName(plain) === 'buffer' ? plain : undefined;
  if (plain.type === 'CallExpression') {
    const callee = bare(plain.callee);
    return callee.type === 'MemberExpression' && memberName(callee) === 'subarray' ? plain : undefined;
  }
  const [first] = plain.type === 'NewExpression' ? plain.arguments : [];
  return first !== undefined && bare(first).type === 'MemberExpression' ? plain : undefined;
}

/** `buf.buffer` -> `buf`: messages name the view that the code owns. */
function withoutStore(node: TSESTree.Node): TSESTree.Node {
  const plain = bare(node);
  return plain.type === 'MemberExpression' && memberName(plain) === 'buffer' ? plain.object : plain;
}

function alive(state: State): State {
  const copy = state.clone();
  copy.isDead = false;
  return copy;
}

function lastOf(states: readonly State[], otherwise: State): State {
  return (states.at(-1) ?? otherwise).clone();
}
