import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { isCertainlyBuffer } from '../buffer-origins.js';
import { bare, keyName, variableOf } from '../syntax.js';
import { container, isNothing, nothing, type PlaceKey, type Value } from './state.js';
import type { Walk } from './walk-context.js';

/** Puts values into places: variables, fields, patterns, elements and containers. */
export class Assignments {
  constructor(private readonly walk: Walk) {}

  assign(node: TSESTree.AssignmentExpression): Value {
    const value = this.walk.evaluate(node.right);
    const left = bare(node.left);
    if (left.type === 'MemberExpression') {
      if (this.writeElement(left, node)) return value;
      const key = this.walk.places.pathKey(left);
      if (key !== undefined) this.walk.flow.state.env.set(key, value);
      else if (left.computed) this.addTo(left.object, value);
      // A promise in a field can be awaited by any method.
      for (const pending of value.promises) pending.isShared = true;
      return value;
    }
    if (left.type === 'Identifier' && node.operator !== '=') this.walk.places.counted(left);
    if (node.operator === '=' || /^(?:\|\||&&|\?\?)=$/u.test(node.operator)) this.bindPattern(left, value, node.right);
    return value;
  }

  /** `buf[i] = x`, `buf[i] += x`, `buf[i]++`; true when the target is a buffer. */
  writeElement(target: TSESTree.Node, node: TSESTree.Node): boolean {
    const plain = bare(target);
    if (
      plain.type !== 'MemberExpression' ||
      !plain.computed ||
      (plain.property.type === 'Literal' && typeof plain.property.value === 'string')
    )
      return false;
    const isCertain = isCertainlyBuffer(this.walk.code, plain.object, this.walk.types);
    this.walk.hits.touch('write', this.walk.evaluate(plain.object), plain.object, node, isCertain);
    return isCertain;
  }

  bindPattern(target: TSESTree.Node, value: Value, source: TSESTree.Node | undefined): void {
    switch (target.type) {
      case 'Identifier': {
        const variable = variableOf(this.walk.code, target);
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
        const key = this.walk.places.pathKey(target);
        if (key !== undefined) this.walk.flow.state.env.set(key, value);
        return;
      }
      default:
        return;
    }
  }

  /** Puts promises into a container that a variable or field holds. */
  addTo(container: TSESTree.Node, added: Value): void {
    const plain = bare(container);
    const variable = plain.type === 'Identifier' ? variableOf(this.walk.code, plain) : undefined;
    const key: PlaceKey | undefined = variable ?? this.walk.places.pathKey(plain);
    if (key === undefined) {
      for (const pending of added.promises) pending.isShared = true;
      return;
    }
    if (typeof key === 'string') for (const pending of added.promises) pending.isShared = true;
    const known = this.walk.flow.state.env.get(key) ?? nothing;
    this.walk.flow.state.env.set(key, {
      storages: known.storages,
      promises: new Set([...known.promises, ...added.promises]),
      inner: new Set([...(known.inner ?? []), ...added.storages, ...(added.inner ?? [])]),
    });
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
    const path = root === undefined || value.promises.size > 0 ? undefined : this.walk.places.placeKey(root);
    return path === undefined ? plain : this.walk.places.lookup(`${path}.${name}`, node, this.walk.code.getText(node));
  }

  private setVariable(
    variable: TSESLint.Scope.Variable,
    node: TSESTree.Identifier,
    value: Value,
    source: TSESTree.Node | undefined,
  ): void {
    const at = variable.identifiers[0]?.range[0];
    this.walk.places.counted(node);
    const prefix = at === undefined ? undefined : `${String(at)}:`;
    for (const key of [...this.walk.flow.state.env.keys()]) {
      if (typeof key === 'string' && prefix !== undefined && key.startsWith(prefix))
        this.walk.flow.state.env.delete(key);
    }
    if (prefix !== undefined)
      for (const [name, field] of value.fields ?? [])
        if (!isNothing(field)) this.walk.flow.state.env.set(`${prefix}${node.name}.${name}`, field);
    const isEmpty = isNothing(value);
    const [made] = value.storages;
    if (made !== undefined && source !== undefined && made.node === bare(source)) made.name = node.name;
    // A new value is a new store, whatever made it.
    this.walk.flow.state.env.set(
      variable,
      isEmpty
        ? { storages: new Set([this.walk.places.newStorage(node.name, node, source ?? node)]), promises: new Set() }
        : value,
    );
  }
}
