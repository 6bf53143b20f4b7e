import {
  calledName,
  collectedContent,
  declaredAs,
  declaredTypeOf,
  hasBody,
  isNull,
  takesByRef,
  uncast,
  walkDeep,
} from './d-code.js';
import type { UnitFacts } from './unit.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';

/** Tells of an expression whether it gives memory that the collector does not own. */
export type IsForeignMemory = (file: FileIr, value: Expr, fn: FunctionIr) => boolean;

/**
 * D: whether all that a file sets the pointers of a record to is memory of another allocator: the nodes and texts of a cache that lives in
 * `malloc`ed memory as a whole. A record that is also made as a literal, by `new` or without setting a pointer is not judged.
 */
export function holdsOnlyForeign(
  unit: UnitFacts,
  read: FileIr,
  record: TypeDecl,
  isForeignMemory: IsForeignMemory,
): boolean {
  const text = unit.textOf(read.path) ?? '';
  if (new RegExp(`\\b${record.name}\\b`, 'u').test(text) && isMadeOtherwise(text, record.name)) return false;
  const file = unit.withBodies(read, () => true);
  return new Content(unit, file, text, isForeignMemory).isForeignRecord(record);
}

/** `new Node`, `Node(data)`, `Node node = { text: .. }`, `make!Node`, `emplace!Node`; `makeArray!Node(n)` sets nothing. */
function isMadeOtherwise(text: string, name: string): boolean {
  return new RegExp(
    `\\bnew\\s+${name}\\b|\\b${name}\\s+\\w+\\s*=\\s*\\{|(?<!\\bstruct\\s)(?<![.\\w!])${name}\\s*\\((?!\\s*\\))|(?<!\\bmakeArray\\s*)!\\(?\\s*${name}\\b`,
    'u',
  ).test(text);
}

/** What a member is set to; nothing where it is written by other means, such as a reference to it. */
interface Write {
  readonly value: Expr | undefined;
  readonly inside: FunctionIr;
}

/** Adds to the list under a name. */
function addTo<T>(lists: Map<string, T[]>, name: string, one: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [one]);
  else list.push(one);
}

/** What the pointers in the records of one file are set to. */
class Content {
  private readonly fields = new Map<string, boolean>();
  private readonly functions = new Map<string, boolean>();
  private readonly locals = new Map<FunctionIr, Map<string, boolean>>();
  /** Records that are copied from what others made. */
  private readonly copied = new Set<string>();
  private readonly byRef = new Map<string, boolean>();
  private readonly localWrites = new Map<FunctionIr, ReadonlyMap<string, readonly Expr[]>>();
  private memberWrites: ReadonlyMap<string, readonly Write[]> | undefined;

  constructor(
    private readonly unit: UnitFacts,
    private readonly file: FileIr,
    private readonly text: string,
    private readonly isForeignMemory: IsForeignMemory,
  ) {}

  isForeignRecord(record: TypeDecl): boolean {
    this.writes();
    if (this.copied.has(record.name)) return false;
    return record.fields.every(
      (field) => field.isStatic || field.type === undefined || this.isForeignField(record, field.name, field.type),
    );
  }

  private isForeignField(owner: TypeDecl, name: string, type: TypeRef): boolean {
    if (collectedContent(type, this.unit, this.file.path) === 'no') return true;
    if (type.kind === 'path') {
      const inner = this.recordOf(type);
      return inner !== undefined && inner !== owner && this.isForeignRecord(inner);
    }
    if (type.kind !== 'pointer' && type.kind !== 'slice') return false;
    return this.isOfRecords(type) || this.isSetToForeign(name);
  }

  private recordOf(type: TypeRef | undefined): TypeDecl | undefined {
    if (type?.kind !== 'path') return undefined;
    const found = this.file.types.filter((one) => one.name === type.name);
    return found.length === 1 && found[0]?.kind === 'struct' && found[0].generics.length === 0 ? found[0] : undefined;
  }

  /** A pointer to a record of the file that is only ever made in memory of another allocator. */
  private isOfRecords(type: TypeRef | undefined): boolean {
    const record = type?.kind === 'pointer' ? this.recordOf(type.element) : undefined;
    return (
      record !== undefined &&
      new RegExp(`\\bcast\\s*\\(\\s*${record.name}\\s*\\*\\s*\\)`, 'u').test(this.text) &&
      !isMadeOtherwise(this.text, record.name)
    );
  }

  /** Whether the file sets members of this name, and only to memory of another allocator. */
  private isSetToForeign(name: string): boolean {
    const known = this.fields.get(name);
    if (known !== undefined) return known;
    // A member that is cut from itself (`rest = rest[n .. $]`) stays what it was.
    this.fields.set(name, true);
    let sets = 0;
    let others = 0;
    for (const { value, inside } of this.writes().get(name) ?? []) {
      if (value === undefined || !this.isForeign(value, inside, 0)) others++;
      // `node.text = null` alone does not say where the text will be.
      else if (!isNull(value)) sets++;
    }
    const is = sets > 0 && others === 0;
    this.fields.set(name, is);
    return is;
  }

  /** All that sets members in the file, by the name of the member; looked for once, as each member is asked for. */
  private writes(): ReadonlyMap<string, readonly Write[]> {
    if (this.memberWrites !== undefined) return this.memberWrites;
    const found = new Map<string, Write[]>();
    for (const fn of this.file.functions) {
      if (!hasBody(fn) || fn.parent !== undefined) continue;
      walkDeep(this.file, fn, ({ expr }, inside) => {
        const other = (place: Expr | undefined): void => {
          if (place?.kind === 'field') addTo(found, place.name, { value: undefined, inside });
        };
        if (expr.kind === 'assign') {
          const { target } = expr;
          const set = target.kind === 'field' ? target.name : target.kind === 'name' ? target.path.at(-1) : undefined;
          if (set !== undefined) addTo(found, set, { value: expr.operator === '=' ? expr.value : undefined, inside });
          if (target.kind === 'deref') this.noteCopy(target.base, expr.value, inside);
          // `node.data.length = n` lets the collector allocate.
          if (target.kind === 'field' && target.name === 'length') other(target.base);
        } else if (expr.kind === 'address') other(expr.base);
        else if (expr.kind === 'method') {
          if (/^(?:reserve|swap|move)$/u.test(expr.method) || this.takesByRef(expr.method, 0)) other(expr.receiver);
          if (this.takesByRef(expr.method, 0)) this.noteLent(expr.method, 0, expr.receiver, inside);
          expr.args.forEach(({ value }, index) => {
            if (expr.method === 'swap' || this.takesByRef(expr.method, index)) other(value);
          });
        } else if (expr.kind === 'call') {
          const called = calledName(expr) ?? '';
          expr.args.forEach(({ value }, index) => {
            if (called === 'swap' || called === 'move' || this.takesByRef(called, index)) other(value);
            if (this.takesByRef(called, index)) this.noteLent(called, index, value, inside);
          });
        }
      });
    }
    this.memberWrites = found;
    return found;
  }

  /** `*node = given;` of a parameter, `*node = load();`: its pointers were set by whoever calls, or who is called. */
  private noteCopy(target: Expr, value: Expr, fn: FunctionIr): void {
    const name = value.kind === 'name' && value.path.length === 1 ? value.path[0] : undefined;
    const type = fn.params.find((param) => param.name === name)?.type;
    if (type?.kind === 'path') this.copied.add(type.name);
    const given = uncast(value);
    if (given.kind !== 'call' && given.kind !== 'method') return;
    // A constructor is told by `isMadeOtherwise`.
    const called = calledName(given) ?? '';
    // `move(*old)` is as `*old`; what a function of the file sets members to is looked at there.
    if (called === 'move' || this.isOfFile(called)) return;
    const record = this.recordAt(target, fn);
    if (record !== undefined && called !== record) this.copied.add(record);
  }

  /** `fill(*node)`, by `ref` and in another module: what it sets the members to is not looked at. */
  private noteLent(callee: string, index: number, lent: Expr, fn: FunctionIr): void {
    if (lent.kind !== 'deref' || this.isOfFile(callee)) return;
    // Nothing is set through `ref const(Row)`.
    const maySet = declaredAs(this.unit, this.file, callee).some(({ params }) => {
      const param = params[index];
      const type = param?.type?.text ?? '';
      return param !== undefined && !/\b(?:const|immutable|in)\b/u.test(`${param.modifiers.join(' ')} ${type}`);
    });
    if (!maySet) return;
    const record = this.recordAt(lent.base, fn);
    if (record !== undefined) this.copied.add(record);
  }

  /** A function that the file defines. */
  private isOfFile(name: string): boolean {
    return this.file.functions.some((one) => one.name === name && hasBody(one));
  }

  /** The name of the record that a variable of the function points to. */
  private recordAt(pointer: Expr, fn: FunctionIr): string | undefined {
    const plain = uncast(pointer);
    const name = plain.kind === 'name' && plain.path.length === 1 ? plain.path[0] : undefined;
    if (name === undefined) return undefined;
    const declared = declaredTypeOf(this.file, fn, name)?.element?.name;
    if (declared !== undefined) return declared;
    // `auto node = cast(Node*) malloc(Node.sizeof);`
    const init = this.writesOfLocals(fn).get(name)?.[0];
    return init?.kind === 'cast' ? init.type.element?.name : undefined;
  }

  /** Whether a function of this name, of the file or known to the unit, has such a parameter by `ref` or `out`. */
  private takesByRef(name: string, index: number): boolean {
    const key = `${name} ${String(index)}`;
    const known = this.byRef.get(key);
    if (known !== undefined) return known;
    const is = declaredAs(this.unit, this.file, name).some((fn) => takesByRef(fn, index));
    this.byRef.set(key, is);
    return is;
  }

  private isForeign(given: Expr, fn: FunctionIr, depth: number): boolean {
    if (depth > 6) return false;
    const value = uncast(given);
    if (value.kind === 'literal') return value.type === 'null';
    if (this.isForeignMemory(this.file, value, fn)) return true;
    switch (value.kind) {
      case 'slice':
      case 'index':
        return this.isForeign(value.base, fn, depth + 1);
      case 'binary':
        return value.operator === '+' && this.isForeign(value.left, fn, depth + 1);
      case 'block':
        return (
          value.block.statements.length === 0 &&
          value.block.result !== undefined &&
          this.isForeign(value.block.result, fn, depth + 1)
        );
      case 'if':
        return (
          value.else !== undefined &&
          this.isForeign(value.then, fn, depth + 1) &&
          this.isForeign(value.else, fn, depth + 1)
        );
      case 'field':
        if (value.name === 'ptr') return this.isForeign(value.base, fn, depth + 1);
        return this.isOwnArray(value.name)
          ? this.isForeign(value.base, fn, depth + 1)
          : this.isSetToForeign(value.name);
      case 'name': {
        const name = value.path.length === 1 ? value.path[0] : undefined;
        if (name === undefined || fn.params.some((param) => param.name === name)) return false;
        return this.isOfRecords(declaredTypeOf(this.file, fn, name)) || this.isForeignLocal(name, fn, depth);
      }
      case 'call':
      case 'method':
        return this.givesForeign(calledName(value) ?? '');
      default:
        return false;
    }
  }

  /** An array that lies in its record: it is where the record is. */
  private isOwnArray(name: string): boolean {
    const declared = this.file.types.flatMap((type) => type.fields.filter((field) => field.name === name));
    return declared.length > 0 && declared.every(({ type }) => type?.kind === 'static-array');
  }

  private isForeignLocal(name: string, fn: FunctionIr, depth: number): boolean {
    const known = this.locals.get(fn) ?? new Map<string, boolean>();
    this.locals.set(fn, known);
    const answer = known.get(name);
    if (answer !== undefined) return answer;
    // Variables that are only set to each other come from nowhere that is known.
    known.set(name, false);
    const writes = this.writesOfLocals(fn).get(name) ?? [];
    const is =
      writes.length > 0
        ? writes.every((value) => this.isForeign(value, fn, depth + 1)) && !writes.every(isNull)
        : this.isSetToForeign(name);
    known.set(name, is);
    return is;
  }

  /** What the variables of a function are set to, by their names. */
  private writesOfLocals(fn: FunctionIr): ReadonlyMap<string, readonly Expr[]> {
    const known = this.localWrites.get(fn);
    if (known !== undefined) return known;
    const found = new Map<string, Expr[]>();
    if (fn.body !== undefined)
      walkBody(fn.body, ({ expr, statement }) => {
        const isInit = statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind';
        if (isInit && statement.pattern.kind === 'bind') addTo(found, statement.pattern.name, expr);
        if (expr.kind === 'assign' && expr.target.kind === 'name' && expr.target.path.length === 1)
          addTo(found, expr.target.path[0] ?? '', expr.value);
      });
    this.localWrites.set(fn, found);
    return found;
  }

  /** A function of the file that returns nothing else. */
  private givesForeign(name: string): boolean {
    const known = this.functions.get(name);
    if (known !== undefined) return known;
    this.functions.set(name, false);
    const declared = this.file.functions.filter((fn) => fn.name === name && hasBody(fn));
    const is =
      declared.length > 0 &&
      declared.every((fn) => {
        let gives = 0;
        let others = 0;
        if (fn.body !== undefined)
          walkBody(fn.body, ({ expr }) => {
            if (expr.kind !== 'return' || expr.value === undefined) return;
            if (this.isForeign(expr.value, fn, 0)) gives++;
            else others++;
          });
        return gives > 0 && others === 0;
      });
    this.functions.set(name, is);
    return is;
  }
}
