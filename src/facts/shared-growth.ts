import { aggregateOf, calledName, enclosing, hasAttribute, initOf, letsIn, memberPath, uncast } from './d-code.js';
import { fieldTypeOf } from '../flow/place-type.js';
import { withoutAlias } from '../flow/types.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { UnitFacts } from './unit.js';

/** Arrays, tables, and what the standard library has to collect something in. */
export function isGrowing(type: TypeRef | undefined): boolean {
  return type?.kind === 'slice' || type?.kind === 'assoc-array' || isContainer(type);
}

function isContainer(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && /^(?:Ref)?Appender$|^(?:Array|DList|SList|RedBlackTree)$/u.test(type.name);
}

/** The array that an expression makes longer: `x ~= y`, `x.length = n`, `x = x ~ y`, by way of a cast or of a pointer to it, too. */
export function grownBy(fn: FunctionIr, expr: Expr): string | undefined {
  if (expr.kind !== 'assign') return undefined;
  if (expr.operator === '~=') return pathBehind(fn, expr.target);
  const { target, value } = expr;
  if (target.kind === 'field' && target.name === 'length') return pathBehind(fn, target.base);
  const path = memberPath(target);
  if (expr.operator === '=' && path !== undefined && value.kind === 'binary' && value.operator === '~')
    return memberPath(value.left) === path || memberPath(value.right) === path ? path : undefined;
  return undefined;
}

/** The member that an expression is, behind casts, a pointer to it (`*list` of `auto list = cast(T[]*) &hooks;`) and `(cast() this)`. */
function pathBehind(fn: FunctionIr, given: Expr): string | undefined {
  const expr = uncast(given);
  if (expr.kind === 'deref') {
    const pointer = uncast(expr.base);
    if (pointer.kind === 'address') return pathBehind(fn, pointer.base);
    const name = pointer.kind === 'name' && pointer.path.length === 1 ? pointer.path[0] : undefined;
    const init = name === undefined ? undefined : initOf(fn, name);
    const made = init === undefined ? undefined : uncast(init);
    if (made?.kind === 'address') return pathBehind(fn, made.base);
    // A pointer by another name.
    return made?.kind === 'name' ? memberPath(made) : name;
  }
  if (expr.kind === 'field' && expr.base.kind === 'cast') {
    const base = uncast(expr.base);
    if (base.kind === 'name' && base.path.length === 1 && base.path[0] === 'self') return expr.name;
  }
  return memberPath(expr);
}

/** The table that an expression sets an entry of, or the appender or container that it adds to, by the type that `typeOf` knows of it. */
export function addedToBy(
  fn: FunctionIr,
  expr: Expr,
  typeOf: (name: string) => TypeRef | undefined,
): string | undefined {
  if (expr.kind === 'assign' && expr.target.kind === 'index') {
    const name = pathBehind(fn, expr.target.base);
    return name !== undefined && typeOf(name)?.kind === 'assoc-array' ? name : undefined;
  }
  if (expr.kind !== 'method') return undefined;
  const name = pathBehind(fn, expr.receiver);
  const type = name === undefined ? undefined : typeOf(name);
  if (type?.kind === 'assoc-array') return expr.method === 'require' ? name : undefined;
  return isContainer(type) && /^(?:put|insert\w*|reserve)$/u.test(expr.method) ? name : undefined;
}

/** The written type of a variable of a function or of those around it; that of an appender by what it is set to. */
export function variableType(file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  for (const one of [fn, ...enclosing(file, fn)]) {
    const param = one.params.find((p) => p.name === name);
    if (param !== undefined) return param.type;
    for (const { pattern, type, init } of letsIn(one.body)) {
      if (pattern.kind !== 'bind' || pattern.name !== name) continue;
      if (type !== undefined || init === undefined) return type;
      const callee = init.kind === 'call' ? init.callee : init;
      const made = init.kind === 'call' || init.kind === 'name' ? callee : undefined;
      if (made?.kind === 'name' && /^(?:appender|Appender)$/u.test(made.path.at(-1) ?? ''))
        return { kind: 'path', text: 'Appender', span: init.span, name: 'Appender', path: ['Appender'], args: [] };
      return init.kind === 'new' ? init.type : undefined;
    }
  }
  return aggregateOf(file, fn)?.fields.find((field) => field.name === name)?.type;
}

/** The type of a variable or member that a function names, `names` or `hub.names`; the variable is its own, of those around it, or of a module. */
export function typeOfPath(unit: UnitFacts, file: FileIr, fn: FunctionIr, path: string): TypeRef | undefined {
  const oracle = unit.oracle('d');
  const [head = '', ...members] = path.split('.');
  const written = variableType(file, fn, head) ?? oracle.global(head, file.path)?.decl.type;
  return members.reduce<TypeRef | undefined>(
    (type, member) => fieldTypeOf(type, member, oracle, file.path),
    withoutAlias(written, oracle, file.path),
  );
}

/** What is given by `ref` to a function of the file that makes it longer: `addTo(hits, x)`, `hits.addTo(x)`. */
export function grownByHelper(file: FileIr, expr: Expr): string | undefined {
  if (expr.kind !== 'call' && expr.kind !== 'method') return undefined;
  const at = growersOf(file).get(calledName(expr) ?? '');
  if (at === undefined) return undefined;
  const given = [...(expr.kind === 'method' ? [expr.receiver] : []), ...expr.args.map(({ value }) => value)][at];
  return given === undefined ? undefined : memberPath(uncast(given));
}

/** Functions of a file that make an array longer which they are given by `ref`, with its position. */
function growersOf(file: FileIr): ReadonlyMap<string, number> {
  let growers = growersIn.get(file);
  if (growers === undefined) {
    growersIn.set(file, (growers = new Map<string, number>()));
    for (const fn of file.functions) {
      const at = fn.params.findIndex((p) => p.modifiers.includes('ref') && isGrowing(p.type));
      if (at < 0 || fn.owner !== undefined || fn.body === undefined || hasAttribute(fn, 'synchronized')) continue;
      const name = fn.params[at]?.name;
      let grows = false;
      let locks = false;
      walkBody(fn.body, ({ expr }) => {
        grows ||= grownBy(fn, expr) === name;
        locks ||= expr.kind === 'block' && expr.flavour === 'synchronized';
      });
      if (grows && !locks) growers.set(fn.name, at);
    }
  }
  return growers;
}

const growersIn = new WeakMap<FileIr, Map<string, number>>();
