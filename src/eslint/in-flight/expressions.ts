import type { TSESTree } from '@typescript-eslint/utils';
import { bare, keyName, memberName, shortText, variableOf } from '../syntax.js';
import type { Assignments } from './assignments.js';
import type { Calls } from './calls.js';
import { container, nothing, unite, type Value } from './state.js';
import type { Walk } from './walk-context.js';

/** Walks expressions in the order in which they run. */
export class Expressions {
  constructor(
    private readonly walk: Walk,
    private readonly assignments: Assignments,
    private readonly calls: Calls,
  ) {}

  /** What the value of the expression may be. */
  evaluate(node: TSESTree.Node): Value {
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
        this.walk.flow.state.settle(value.promises);
        return nothing;
      }
      case 'CallExpression':
        return this.calls.call(node);
      case 'NewExpression':
        return this.calls.construct(node);
      case 'AssignmentExpression':
        return this.assignments.assign(node);
      case 'UpdateExpression':
        this.assignments.writeElement(node.argument, node);
        if (node.argument.type === 'Identifier') this.walk.places.counted(node.argument);
        return nothing;
      case 'ClassExpression':
        this.walk.classBody(node);
        return nothing;
      case 'ConditionalExpression':
        this.evaluate(node.test);
        return unite(
          this.walk.flow.branches([() => this.evaluate(node.consequent), () => this.evaluate(node.alternate)]),
        );
      case 'LogicalExpression': {
        const left = this.evaluate(node.left);
        return unite(this.walk.flow.branches([() => left, () => this.evaluate(node.right)]));
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
        return node.parent.type === 'ObjectExpression'
          ? spread
          : this.walk.places.elementOf(node.argument, spread, false);
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
    const variable = variableOf(this.walk.code, node);
    return variable === undefined ? nothing : this.walk.places.lookup(variable, node, node.name);
  }

  private member(node: TSESTree.MemberExpression): Value {
    const name = memberName(node);
    if (name === 'buffer') return { ...this.evaluate(node.object), isArrayBuffer: true };
    const key = this.walk.places.pathKey(node);
    if (key !== undefined) {
      const known = this.walk.flow.state.env.get(key);
      if (known !== undefined) return known;
      const object = this.evaluate(node.object);
      // A field of a container that was built here holds what was put into the container.
      const isBuilt = bare(node.object).type !== 'ThisExpression' && object.promises.size > 0;
      if (isBuilt) return object;
      return this.walk.places.lookup(key, node, shortText(this.walk.code, node, 40));
    }
    const object = this.evaluate(node.object);
    if (node.computed) this.evaluate(node.property);
    return this.walk.places.indexed(node, object);
  }

  private await(node: TSESTree.AwaitExpression): Value {
    const value = this.evaluate(node.argument);
    this.calls.runTimers();
    if (value.isRace !== true) {
      if (value.isAll === true)
        this.walk.flow.interrupt(node, (pending) => (value.promises.has(pending) ? 'partial' : 'interrupted'));
      this.walk.flow.state.settle(value.promises);
    }
    // What is awaited may reject while other calls run.
    this.walk.flow.interrupt(node);
    // Something else may have waited for a promise that was handed out before.
    const awaited = bare(node.argument);
    if (awaited.type === 'CallExpression' || awaited.type === 'Identifier' || awaited.type === 'MemberExpression') {
      if (this.walk.native.originOf(awaited) === undefined) this.walk.flow.state.settleShared();
    }
    return nothing;
  }
}
