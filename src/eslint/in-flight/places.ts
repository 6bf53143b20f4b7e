import type { TSESLint, TSESTree } from '@typescript-eslint/utils';
import { annotatedName, bufferOrigin, isArrayBufferName } from '../buffer-origins.js';
import { bare, dottedName, memberName, shortText, soleInit, variableOf, type Code } from '../syntax.js';
import { isBufferList } from './buffer-lists.js';
import type { ControlFlow } from './control-flow.js';
import { nothing, type PlaceKey, type Storage, type Value } from './state.js';

const bufferListName = /(?:^|[a-z_$#])(?:[bB]ufs|[bB]uffs|[bB]uffers)\d*$/u;

/**
 * Which backing store each variable, field and element of a list stands for. A place that was not set in the walked function
 * stands for one store of its own.
 */
export class Places {
  private nextStorage = 0;
  /** What places held before the function set them. */
  private readonly entries = new Map<PlaceKey, Value>();
  /** Each storage of a list that stands for all its elements. */
  private readonly elements = new Map<Storage, Storage>();
  /** How often a variable has been written so far: an index expression with a new value means another element. */
  private readonly versions = new Map<TSESLint.Scope.Variable, number>();

  /** `evaluate` gives the value of an expression at the current point of the walk. */
  constructor(
    private readonly code: Code,
    private readonly flow: ControlFlow,
    private readonly evaluate: (node: TSESTree.Node) => Value,
  ) {}

  /** The value of a place; a place that was not set in this function stands for one store of its own. */
  lookup(key: PlaceKey, node: TSESTree.Node, name: string): Value {
    const known = this.flow.state.env.get(key) ?? this.entries.get(key);
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

  /** One element of a list by a position: the same position, written the same way, is the same element. */
  indexed(node: TSESTree.MemberExpression, list: Value): Value {
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

  /** A variable has another value from now on. */
  counted(node: TSESTree.Identifier): void {
    const variable = variableOf(this.code, node);
    if (variable !== undefined) this.versions.set(variable, (this.versions.get(variable) ?? 0) + 1);
  }

  /** What a loop over a list binds in one round, or, out of a loop, what any of its elements may be. */
  elementOf(node: TSESTree.Node, list: Value, isRound: boolean): Value {
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

  /** The key of a variable, of `this`, or of a member path, as the fields of it are spelled. */
  placeKey(node: TSESTree.Node): string | undefined {
    if (node.type === 'ThisExpression') return 'this';
    if (node.type !== 'Identifier') return this.pathKey(node);
    const at = variableOf(this.code, node)?.identifiers[0]?.range[0];
    return at === undefined ? undefined : `${String(at)}:${node.name}`;
  }

  /** A key for `a.b.c` and `this.b`, when the path is written out and begins at a variable or at `this`. */
  pathKey(node: TSESTree.Node): string | undefined {
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

  fresh(node: TSESTree.Node): Value {
    return { storages: new Set([this.newStorage(shortText(this.code, node, 40), node, node)]), promises: new Set() };
  }

  newStorage(name: string, node: TSESTree.Node, witness: TSESTree.Node): Storage {
    return { id: this.nextStorage++, name, node, witness };
  }

  private entersAsArrayBuffer(key: PlaceKey): boolean {
    if (typeof key === 'string') return false;
    const name = key.defs[0]?.name;
    const init = soleInit(key);
    if (init !== undefined && bufferOrigin(this.code, init).kind === 'array-buffer') return true;
    return name?.type === 'Identifier' && isArrayBufferName(annotatedName(name) ?? '');
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
