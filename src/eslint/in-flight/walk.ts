import type { TSESTree } from '@typescript-eslint/utils';
import type { TypedServices } from '../javascript-visitor.js';
import type { NativeBindings } from '../native-bindings.js';
import { isFunction, keyName, type Code, type FunctionNode } from '../syntax.js';
import { Assignments } from './assignments.js';
import { Calls } from './calls.js';
import { ControlFlow } from './control-flow.js';
import { Expressions } from './expressions.js';
import { HitLog, type InFlightHit } from './hits.js';
import { Places } from './places.js';
import { isNothing, nothing, unite, type Pending, type Value } from './state.js';
import type { Walk, WalkInput } from './walk-context.js';

type Body = FunctionNode | TSESTree.Program;

/**
 * Interprets one function: which backing store each variable, field and view stands for, and which native calls may still
 * be running. Branches are walked apart and joined, loops twice. Functions that are only passed on are not entered; they
 * are walked on their own.
 */
export function walkFunction(input: WalkInput, body: Body): readonly InFlightHit[] {
  return new Walker(input).run(body);
}

class Walker implements Walk {
  readonly code: Code;
  readonly native: NativeBindings;
  readonly types: TypedServices | undefined;
  readonly flow = new ControlFlow();
  readonly places: Places;
  readonly hits: HitLog;
  private readonly assignments: Assignments;
  private readonly expressions: Expressions;
  /** What the function that is walked in place returns. */
  private returned: Value[] = [];
  /** One per async body that is walked in place: the native calls that it starts. */
  private readonly watchers: Set<Pending>[] = [];

  constructor({ code, native, types }: WalkInput) {
    this.code = code;
    this.native = native;
    this.types = types;
    this.places = new Places(code, this.flow, (node) => this.evaluate(node));
    this.hits = new HitLog(code, types, this.flow);
    this.assignments = new Assignments(this);
    this.expressions = new Expressions(this, this.assignments, new Calls(this, this.assignments));
  }

  run(body: Body): readonly InFlightHit[] {
    if (body.type === 'Program') for (const statement of body.body) this.statement(statement);
    else {
      this.constructed(body);
      for (const parameter of body.params)
        if (parameter.type === 'AssignmentPattern')
          this.assignments.bindPattern(parameter.left, this.evaluate(parameter.right), parameter.right);
      this.body(body.body);
    }
    return this.hits.all();
  }

  evaluate(node: TSESTree.Node): Value {
    return this.expressions.evaluate(node);
  }

  begin(pending: Pending): void {
    this.flow.state.pending.set(pending, 'running');
    for (const watcher of this.watchers) watcher.add(pending);
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
    if (name !== undefined && !isNothing(value)) this.flow.state.env.set(`this.${name}`, value);
  }

  /** What runs when a class is defined: static fields and static blocks. */
  classBody(node: TSESTree.ClassDeclaration | TSESTree.ClassExpression): void {
    for (const member of node.body.body) {
      if (member.type === 'StaticBlock') this.statements(member.body);
      else if (member.type === 'PropertyDefinition' && member.static) this.field(member);
    }
  }

  private statements(list: readonly TSESTree.Statement[]): void {
    for (const statement of list) {
      if (this.flow.state.isDead) return;
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
          this.assignments.bindPattern(declarator.id, value, declarator.init ?? undefined);
        }
        return;
      case 'IfStatement':
        this.evaluate(node.test);
        this.flow.branches([
          () => this.statement(node.consequent),
          () => (node.alternate === null ? undefined : this.statement(node.alternate)),
        ]);
        return;
      case 'ReturnStatement':
      case 'ThrowStatement': {
        const value = node.argument === null ? nothing : this.evaluate(node.argument);
        if (node.type === 'ReturnStatement') {
          this.returned.push(value);
          this.flow.return();
        } else this.flow.throw();
        return;
      }
      case 'BreakStatement':
        this.flow.break(node.label?.name);
        return;
      case 'ContinueStatement':
        this.flow.continue(node.label?.name);
        return;
      case 'LabeledStatement':
        this.statement(node.body, node.label.name);
        return;
      case 'WhileStatement':
        this.flow.loop(label, true, () => {
          this.evaluate(node.test);
          this.statement(node.body);
        });
        return;
      case 'DoWhileStatement':
        this.flow.loop(label, false, () => {
          this.statement(node.body);
          if (!this.flow.state.isDead) this.evaluate(node.test);
        });
        return;
      case 'ForStatement':
        if (node.init !== null) this.declarationOrExpression(node.init);
        this.flow.loop(label, true, () => {
          if (node.test !== null) this.evaluate(node.test);
          this.statement(node.body);
          if (node.update !== null && !this.flow.state.isDead) this.evaluate(node.update);
        });
        return;
      case 'ForInStatement':
      case 'ForOfStatement': {
        const iterated = this.evaluate(node.right);
        // An array that holds promises has elements.
        this.flow.loop(label, iterated.promises.size === 0, () => {
          // While one of several is there, the others may run.
          const isOne = [...iterated.promises].every((each, at) => at === 0 && each.loop === undefined);
          if (node.type === 'ForOfStatement' && node.await && isOne) this.flow.state.settle(iterated.promises);
          const pattern = node.left.type === 'VariableDeclaration' ? node.left.declarations[0]?.id : node.left;
          if (pattern !== undefined)
            this.assignments.bindPattern(
              pattern,
              node.type === 'ForOfStatement' ? this.places.elementOf(node.right, iterated, true) : nothing,
              undefined,
            );
          this.statement(node.body);
        });
        if (node.type === 'ForOfStatement' && node.await) this.flow.state.settle(iterated.promises);
        return;
      }
      case 'SwitchStatement':
        this.evaluate(node.discriminant);
        this.flow.switch(
          node.cases.map(({ test, consequent }) => ({
            test: test === null ? undefined : (): void => void this.evaluate(test),
            body: (): void => this.statements(consequent),
          })),
          label,
        );
        return;
      case 'TryStatement': {
        const { handler, finalizer } = node;
        this.flow.try({
          block: () => this.statement(node.block),
          handler: handler === null ? undefined : (): void => this.statement(handler.body),
          finalizer: finalizer === null ? undefined : (): void => this.statement(finalizer),
        });
        return;
      }
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

  /**
   * Walks the body of a function where it is called. After the first await an async body runs later, so what it awaits is
   * still pending for the caller, through the promise that the call gives.
   */
  inline(fn: FunctionNode, args: readonly Value[]): Value {
    const outerReturned = this.returned;
    this.returned = [];
    const before = new Set(this.flow.state.pending.keys());
    const started = fn.async ? new Set<Pending>() : undefined;
    let waited: ReadonlySet<Pending> = new Set();
    this.flow.inFunction(() => {
      fn.params.forEach((parameter, at) => this.assignments.bindPattern(parameter, args[at] ?? nothing, undefined));
      if (started === undefined) this.body(fn.body);
      else waited = this.asyncBody(fn.body, started);
    });
    const value = unite(this.returned);
    this.returned = outerReturned;
    if (started === undefined) return value;
    for (const pending of started) if (!before.has(pending)) this.flow.state.pending.set(pending, 'running');
    return { storages: new Set(), promises: new Set([...value.promises, ...started, ...waited]) };
  }

  private body(body: TSESTree.Node): void {
    if (body.type === 'BlockStatement') this.statement(body);
    else this.returned.push(this.evaluate(body));
  }

  /**
   * Hits inside follow the body's own order; the caller only learns which calls the body starts, and is given those of its own
   * for which the body waits.
   */
  private asyncBody(body: TSESTree.Node, started: Set<Pending>): Set<Pending> {
    const outside = this.flow.state.clone();
    this.watchers.push(started);
    this.body(body);
    this.watchers.pop();
    const left = this.flow.state.pending;
    this.flow.state = outside;
    return new Set([...outside.pending.keys()].filter((pending) => !left.has(pending)));
  }
}
