import type { TSESTree } from '@typescript-eslint/utils';
import { type Code, descendantsOf, keyName, memberName } from './syntax.js';

const fieldMemo = new WeakMap<TSESTree.ClassBody, ReadonlyMap<string, readonly TSESTree.Node[]>>();

/** Values that a class gives its fields: `x = v` in the body and `this.x = v` anywhere in it. */
export function fieldValues(code: Code, body: TSESTree.ClassBody): ReadonlyMap<string, readonly TSESTree.Node[]> {
  const known = fieldMemo.get(body);
  if (known !== undefined) return known;
  const values = new Map<string, TSESTree.Node[]>();
  const add = (name: string | undefined, value: TSESTree.Node | null): void => {
    if (name === undefined || value === null) return;
    values.set(name, [...(values.get(name) ?? []), value]);
  };
  const visit = (node: TSESTree.Node): void => {
    if (node.type === 'PropertyDefinition') add(keyName(node), node.value);
    if (
      node.type === 'AssignmentExpression' &&
      node.left.type === 'MemberExpression' &&
      node.left.object.type === 'ThisExpression'
    ) {
      add(memberName(node.left), node.right);
    }
  };
  for (const node of descendantsOf(code, body)) visit(node);
  fieldMemo.set(body, values);
  return values;
}
