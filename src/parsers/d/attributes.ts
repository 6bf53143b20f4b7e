import type { Attribute, FunctionIr } from '../../model/ir.js';
import type { SyntaxNode } from '../syntax.js';

type Trust = NonNullable<FunctionIr['trust']>;

/** Kinds of nodes that stand for an attribute when they are direct children of a declaration or of a declaration list. */
const attributeKinds = new Set([
  'linkage_attribute',
  'align_attribute',
  'deprecated_attribute',
  'pragma_expression',
  'type_ctor',
  'private',
  'package',
  'protected',
  'public',
  'export',
  'static',
  'extern',
  'abstract',
  'final',
  'override',
  'synchronized',
  'auto',
  'scope',
  'gshared',
  'at_attribute',
  'nothrow',
  'pure',
  'ref',
  'return',
  'storage_class',
  'member_function_attribute',
  'const',
  'immutable',
  'inout',
  'shared',
  'deprecated',
]);

/** Whether a child of a declaration, or a node in a list of declarations, is an attribute. */
export function isAttribute(node: SyntaxNode): boolean {
  return attributeKinds.has(node.kind);
}

/** Reads the attributes among the nodes, in order; other nodes are passed over. */
export function readAttributes(text: string, nodes: readonly SyntaxNode[], inherited = false): Attribute[] {
  const attributes: Attribute[] = [];
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i];
    if (node === undefined || !attributeKinds.has(node.kind)) continue;
    // `package(std)`: the argument stands beside the keyword.
    const next = nodes[i + 1];
    const argument = node.kind === 'package' && next?.kind === '(' ? nodes[i + 2] : undefined;
    attributes.push(readAttribute(text, node, inherited, argument));
  }
  return attributes;
}

function readAttribute(text: string, node: SyntaxNode, inherited: boolean, argument?: SyntaxNode): Attribute {
  const first = node.children.find((child) => child.kind !== 'comment');
  if ((node.kind === 'storage_class' || node.kind === 'member_function_attribute') && first !== undefined) {
    return readAttribute(text, first, inherited);
  }
  const span = { start: node.start, end: argument === undefined ? node.end : argument.end + 1 };
  const make = (name: string, args?: string): Attribute => ({
    name,
    ...(args === undefined ? {} : { args }),
    span,
    ...(inherited ? { inherited } : {}),
  });
  const source = text.slice(node.start, node.end);
  const open = source.indexOf('(');
  const args = open < 0 ? undefined : source.slice(open + 1, source.lastIndexOf(')')).trim();
  switch (node.kind) {
    case 'at_attribute': {
      const head = (open < 0 ? source : source.slice(0, open)).slice(1).trim();
      const bang = head.indexOf('!');
      return bang < 0 ? make(head, args) : make(head.slice(0, bang), source.slice(source.indexOf('!') + 1));
    }
    case 'linkage_attribute':
      return make('extern', args);
    case 'align_attribute':
      return make('align', args);
    case 'deprecated_attribute':
      return make('deprecated', args);
    case 'pragma_expression':
      return make('pragma', args);
    case 'gshared':
      return make('__gshared');
    case 'package':
      return make('package', argument === undefined ? undefined : text.slice(argument.start, argument.end));
    default:
      return make(source);
  }
}

export function hasAttribute(attributes: readonly Attribute[], name: string): boolean {
  return attributes.some((attribute) => attribute.name === name);
}

/** The last of `@safe`, `@trusted`, `@system`: an attribute on the declaration itself wins over a group around it. */
function trustOf(attributes: readonly Attribute[]): 'safe' | 'trusted' | 'system' | undefined {
  let inherited: 'safe' | 'trusted' | 'system' | undefined;
  let own: 'safe' | 'trusted' | 'system' | undefined;
  for (const { name, inherited: isInherited } of attributes) {
    if (name !== 'safe' && name !== 'trusted' && name !== 'system') continue;
    if (isInherited === true) inherited = name;
    else own = name;
  }
  return own ?? inherited;
}

/** What the function's attributes say, else what the compiler does without one. */
export function effectiveTrust(attributes: readonly Attribute[], isInferred: boolean): Trust {
  return trustOf(attributes) ?? (isInferred ? 'inferred' : 'default');
}

/** Only `private` hides from the rest of the package; the innermost protection attribute decides. */
export function isPublic(attributes: readonly Attribute[]): boolean {
  let inherited: string | undefined;
  let own: string | undefined;
  for (const { name, inherited: isInherited } of attributes) {
    if (name !== 'private' && name !== 'public' && name !== 'protected' && name !== 'package' && name !== 'export')
      continue;
    if (isInherited === true) inherited = name;
    else own = name;
  }
  return (own ?? inherited) !== 'private';
}

/** What reaches into the members of an aggregate from around it: the safety attributes and nothing else. */
export function flowsIntoAggregate(attribute: Attribute): boolean {
  return attribute.name === 'safe' || attribute.name === 'trusted' || attribute.name === 'system';
}

/** The same attributes, marked as applied further out. */
export function inherit(attributes: readonly Attribute[]): Attribute[] {
  return attributes.map((attribute) => (attribute.inherited === true ? attribute : { ...attribute, inherited: true }));
}
