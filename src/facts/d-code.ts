import type { Block, Expr, ExprOf, FileIr, FunctionIr, Statement, TypeDecl, TypeRef } from '../model/ir.js';
import type { UnitFacts } from './unit.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody, walkExpression, type Walked } from '../model/walk-body.js';
import { withoutAlias } from '../flow/types.js';

/** A D function with a body that may be judged. */
export type WithBody = FunctionIr & { readonly body: NonNullable<FunctionIr['body']> };

export function hasBody(fn: FunctionIr): fn is WithBody {
  return fn.body !== undefined && fn.hasError !== true;
}

/** The function with its body, also where that was skipped because nothing in it is what a rule looks for. */
export function withBodyOf(unit: UnitFacts, file: FileIr, fn: FunctionIr): WithBody | undefined {
  const isIt = (one: FunctionIr): boolean => one.span.start === fn.span.start;
  const full = fn.skipped === true ? unit.withBodies(file, isIt).functions.find(isIt) : fn;
  return full !== undefined && hasBody(full) ? full : undefined;
}

/** Last segment of the name of what is called or made: `malloc` for `malloc(n)`, `a.b.malloc(n)` and `new malloc`. */
export function calledName(expr: Expr): string | undefined {
  if (expr.kind === 'method') return expr.method;
  if (expr.kind === 'new') return expr.type.name;
  if (expr.kind !== 'call') return undefined;
  return expr.callee.kind === 'name'
    ? expr.callee.path.at(-1)
    : expr.callee.kind === 'field'
      ? expr.callee.name
      : undefined;
}

/** The expression without casts, parentheses-like blocks and assignments to it. */
export function uncast(expr: Expr): Expr {
  return expr.kind === 'cast' ? uncast(expr.value) : expr;
}

/** A name or a chain of members as one text: `x`, `this.jobs`, `self.a.b` as `jobs`, `a.b`; undefined for anything else. */
export function memberPath(expr: Expr): string | undefined {
  if (expr.kind === 'name') return expr.path.join('.');
  if (expr.kind !== 'field') return undefined;
  if (expr.base.kind === 'name' && expr.base.path.length === 1 && expr.base.path[0] === 'self') return expr.name;
  const base = memberPath(expr.base);
  return base === undefined ? undefined : `${base}.${expr.name}`;
}

/** The first name of an expression that leads somewhere: `jobs` of `&this.jobs[i].x`, `self` of `this`. */
export function rootName(expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'name':
      return expr.path[0];
    case 'field':
      return expr.base.kind === 'name' && expr.base.path[0] === 'self' ? expr.name : rootName(expr.base);
    case 'index':
    case 'slice':
    case 'deref':
    case 'address':
      return rootName(expr.base);
    case 'cast':
      return rootName(expr.value);
    default:
      return undefined;
  }
}

/** Whether an expression compares two others. */
export function isComparison(expr: Expr): expr is ExprOf<'binary'> {
  return expr.kind === 'binary' && /^(?:[<>]=?|[=!]=|!?is)$/u.test(expr.operator);
}

/** Whether an expression is the variable of a name, or has it in it. */
export function isMentioned(name: string, expr: Expr): boolean {
  let isIn = false;
  walkExpression(expr, ({ expr: one }) => {
    isIn ||= one.kind === 'name' && one.path.length === 1 && one.path[0] === name;
  });
  return isIn;
}

/** What a function or property without other arguments is asked about, however that is written: `x` of `x.f`, `x.f()` and `f(x)`. */
export function subjectOf(expr: Expr): Expr | undefined {
  switch (expr.kind) {
    case 'field':
      return expr.base;
    case 'method':
      return expr.receiver;
    case 'call':
      return expr.args[0]?.value;
    default:
      return undefined;
  }
}

/** What a function itself returns, in source order; the value that a short body ends with is the first. */
export function returnedValues({ body }: FunctionIr): readonly Expr[] {
  if (body === undefined) return [];
  const values = body.result === undefined ? [] : [body.result];
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'return' && expr.value !== undefined) values.push(expr.value);
  });
  return values;
}

/** What a local variable is set to where it is declared. */
export function initOf(fn: FunctionIr, name: string): Expr | undefined {
  return initsOf(fn).last.get(name);
}

/** What the variables of a function are set to where they are declared. */
interface Inits {
  readonly last: ReadonlyMap<string, Expr>;
  /** Those that are declared once, not set anew and no static arrays. */
  readonly only: ReadonlyMap<string, Expr>;
}

/** Comparisons of a loop ask for each name in them, and an answer goes through the whole body. */
const inits = new WeakMap<Block, Inits>();

function initsOf({ body }: FunctionIr): Inits {
  if (body === undefined) return { last: new Map(), only: new Map() };
  const known = inits.get(body);
  if (known !== undefined) return known;
  const last = new Map<string, Expr>();
  const only = new Map<string, Expr>();
  const set = new Set<string>();
  walkBody(body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind') {
      const { name } = statement.pattern;
      if (last.has(name) || statement.type?.kind === 'static-array') set.add(name);
      last.set(name, expr);
      only.set(name, expr);
    }
    if (expr.kind === 'assign' && expr.target.kind === 'name') set.add(expr.target.path[0] ?? '');
  });
  for (const name of set) only.delete(name);
  const found = { last, only };
  inits.set(body, found);
  return found;
}

/**
 * What the local variable that an expression names is set to where it is declared. Undefined for other expressions, and for variables
 * that are declared again or set anew, or are static arrays, which take a copy.
 */
export function onlyInitOf(fn: FunctionIr, expr: Expr): Expr | undefined {
  const name = expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
  return name === undefined ? undefined : initsOf(fn).only.get(name);
}

/** Every expression of a function and of the closures and nested functions in it, each with the function it stands in. */
export function walkDeep(file: FileIr, fn: FunctionIr, visit: (walked: Walked, inside: FunctionIr) => void): void {
  if (fn.body !== undefined) walkBody(fn.body, (walked) => visit(walked, fn));
  for (const inner of childrenOf(file, fn)) walkDeep(file, inner, visit);
}

/** Functions, closures and nested functions directly in a function. */
function childrenOf(file: FileIr, fn: FunctionIr): readonly FunctionIr[] {
  return file.functions.filter((one) => one.parent === fn.id);
}

/** The functions around one, nearest first. */
export function enclosing(file: FileIr, fn: FunctionIr): readonly FunctionIr[] {
  const found: FunctionIr[] = [];
  for (let at = fn.parent; at !== undefined && found.length < 32; at = found.at(-1)?.parent) {
    const outer = file.functions.find((one) => one.id === at);
    if (outer === undefined) break;
    found.push(outer);
  }
  return found;
}

/** `null`, also under a cast. */
export function isNull(value: Expr): boolean {
  const plain = uncast(value);
  return plain.kind === 'literal' && plain.type === 'null';
}

/** The functions of a name that a call in the file may mean: those of the file, or one that is known to the unit. */
export function declaredAs(unit: UnitFacts, file: FileIr, name: string): readonly FunctionIr[] {
  const here = file.functions.filter((fn) => fn.name === name);
  const elsewhere = here.length > 0 ? undefined : unit.oracle('d').freeFunction(name, file.path)?.fn;
  return elsewhere === undefined ? here : [elsewhere];
}

/** Whether a function may set the variable that it is given at a place of its parameters. */
export function takesByRef({ params }: FunctionIr, index: number): boolean {
  return params[index]?.modifiers.some((one) => one === 'ref' || one === 'out') === true;
}

/** The outermost function around a function, or it itself. */
export function outermost(file: FileIr, fn: FunctionIr): FunctionIr {
  return enclosing(file, fn).at(-1) ?? fn;
}

/** The function of a literal. */
export function closureOf(file: FileIr, expr: Expr): FunctionIr | undefined {
  return expr.kind === 'closure' ? file.functions.find((one) => one.id === expr.functionId) : undefined;
}

/**
 * The function that a delegate expression runs: that of a literal, or the nested function whose address is taken (`&step`).
 * Undefined for anything else, for addresses of methods too.
 */
export function delegateFunction(file: FileIr, fn: FunctionIr, expr: Expr): FunctionIr | undefined {
  if (expr.kind === 'closure') return closureOf(file, expr);
  if (expr.kind !== 'address' || expr.base.kind !== 'name' || expr.base.path.length !== 1) return undefined;
  const [name] = expr.base.path;
  const found = file.functions.filter(
    (one) => one.kind === 'function' && one.parent !== undefined && !one.isStatic && one.name === name,
  );
  const around = [fn, ...enclosing(file, fn)];
  return found.find((one) => around.some((outer) => outer.id === one.parent));
}

/** Names that a function declares itself: parameters and the variables of its body, not those of functions in it. */
export function declaredIn(fn: FunctionIr): ReadonlySet<string> {
  let names = declared.get(fn);
  if (names === undefined) {
    names = new Set([...fn.params.map((param) => param.name), ...boundNames(fn.body)]);
    declared.set(fn, names);
  }
  return names;
}

/** Rules ask about each expression of a function anew, and an answer goes through its whole body. */
const declared = new WeakMap<FunctionIr, ReadonlySet<string>>();

/** Whether a name is a `ref` or `out` parameter, which is a variable of the caller's. */
export function isCallers(fn: FunctionIr, name: string | undefined): boolean {
  const param = fn.params.find((one) => one.name === name);
  return param !== undefined && (param.modifiers.includes('ref') || param.modifiers.includes('out'));
}

/** Names bound anywhere below a node of the tree; functions are separate and therefore not entered. */
export function boundNames(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return [];
  let found = namesBelow.get(node);
  if (found === undefined) namesBelow.set(node, (found = collectNames(node)));
  return found;
}

const namesBelow = new WeakMap<object, readonly string[]>();

function collectNames(node: unknown): readonly string[] {
  const names: string[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null) {
      if ('kind' in value && value.kind === 'bind' && 'name' in value && typeof value.name === 'string')
        names.push(value.name);
      for (const [key, child] of Object.entries(value)) if (key !== 'span' && key !== 'type') visit(child);
    }
  };
  visit(node);
  return names;
}

/** A declaration of variables. */
export type Let = Extract<Statement, { kind: 'let' }>;

/** The declarations anywhere below a node of the tree, those without a value too; functions are separate and therefore not entered. */
export function letsIn(node: unknown): readonly Let[] {
  if (typeof node !== 'object' || node === null) return [];
  let found = letsBelow.get(node);
  if (found === undefined) letsBelow.set(node, (found = collectLets(node)));
  return found;
}

/** Rules ask for the declarations of a body once for each expression in it. */
const letsBelow = new WeakMap<object, readonly Let[]>();

function collectLets(node: unknown): readonly Let[] {
  if (Array.isArray(node)) return node.flatMap(collectLets);
  if (typeof node !== 'object' || node === null) return [];
  if (isLet(node)) return [node];
  return Object.entries(node).flatMap(([key, child]) => (key === 'span' || key === 'type' ? [] : collectLets(child)));
}

function isLet(node: object): node is Let {
  return 'kind' in node && node.kind === 'let' && 'pattern' in node && 'modifiers' in node;
}

/** Free names of a closure: what it uses, with those in closures inside it, and doesn't declare. `self` stands for `this`. */
export function freeNames(file: FileIr, fn: FunctionIr): ReadonlyMap<string, Expr> {
  const found = new Map<string, Expr>();
  const own = declaredIn(fn);
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'name') return;
      const name = expr.path[0];
      if (name !== undefined && !own.has(name) && !found.has(name)) found.set(name, expr);
    });
  for (const inner of childrenOf(file, fn))
    for (const [name, expr] of freeNames(file, inner)) if (!own.has(name) && !found.has(name)) found.set(name, expr);
  return found;
}

/** The aggregate that a function is a member of, also for what is nested in its members. */
export function aggregateOf(file: FileIr, fn: FunctionIr): TypeDecl | undefined {
  const owner = fn.owner ?? enclosing(file, fn).find((outer) => outer.owner !== undefined)?.owner;
  if (owner === undefined) return undefined;
  const fitting = file.types.filter((type) => type.name === owner && type.kind !== 'alias' && type.kind !== 'enum');
  return fitting.find((type) => type.span.start <= fn.span.start && fn.span.end <= type.span.end) ?? fitting[0];
}

const methodsByOwner = new WeakMap<FileIr, ReadonlyMap<string, readonly FunctionIr[]>>();

/** The methods of an aggregate that stand inside it. */
export function methodsOf(file: FileIr, type: TypeDecl): readonly FunctionIr[] {
  let byOwner = methodsByOwner.get(file);
  if (byOwner === undefined) {
    const lists = new Map<string, FunctionIr[]>();
    for (const fn of file.functions) {
      if (fn.owner === undefined || fn.parent !== undefined) continue;
      const list = lists.get(fn.owner);
      if (list === undefined) lists.set(fn.owner, [fn]);
      else list.push(fn);
    }
    byOwner = lists;
    methodsByOwner.set(file, byOwner);
  }
  return (byOwner.get(type.name) ?? []).filter(
    (fn) => type.span.start <= fn.span.start && fn.span.end <= type.span.end,
  );
}

/** The declared type of a parameter, of a variable, of a field of the type around or of a variable of the module. */
export function declaredTypeOf(file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  if (!declaredIn(fn).has(name))
    return (
      aggregateOf(file, fn)?.fields.find((field) => field.name === name)?.type ??
      file.globals.find((global) => global.name === name)?.type
    );
  const param = fn.params.find((one) => one.name === name)?.type;
  let local: TypeRef | undefined;
  for (const statement of fn.body?.statements ?? [])
    if (statement.kind === 'let' && statement.pattern.kind === 'bind' && statement.pattern.name === name)
      local = statement.type;
  return param ?? local;
}

/** Whether names of this kind may stand for any type: parameters of the function, of what is around it, and of its aggregate. */
export function isTypeParameter(file: FileIr, fn: FunctionIr, name: string): boolean {
  if ([fn, ...enclosing(file, fn)].some((one) => one.generics.some((generic) => generic.name === name))) return true;
  return file.types.some(
    (type) =>
      type.span.start <= fn.span.start &&
      fn.span.end <= type.span.end &&
      type.generics.some((generic) => generic.name === name),
  );
}

const PLAIN = new Set(
  (
    'bool byte ubyte short ushort int uint long ulong cent ucent char wchar dchar float double real size_t ptrdiff_t ' +
    'int8_t uint8_t int16_t uint16_t int32_t uint32_t int64_t uint64_t c_long c_ulong sizediff_t hash_t Duration SysTime'
  ).split(' '),
);

/** Classes of the runtime library. */
const CLASSES = new Set('Object Throwable Exception Error Thread Fiber Mutex Condition'.split(' '));

/**
 * Whether values of a type lead to memory of the collector: `yes` for arrays, strings, classes, delegates and what holds them, `no` for numbers, `raw` for
 * pointers, which lead to anything, undefined for what is not known.
 */
export function collectedContent(
  given: TypeRef | undefined,
  unit: UnitFacts,
  path: string,
  depth = 0,
): 'yes' | 'no' | 'raw' | undefined {
  // One letter is a parameter of a template, whatever alias has the same name somewhere else.
  const isOpen = given?.kind === 'path' && given.name.length === 1;
  const type = isOpen ? given : withoutAlias(given, unit.oracle('d'), path);
  if (type === undefined || depth > 4) return undefined;
  switch (type.kind) {
    case 'slice':
    case 'assoc-array':
    case 'delegate':
      return 'yes';
    case 'pointer':
      return 'raw';
    case 'function':
      return 'no';
    case 'static-array':
      return collectedContent(type.element, unit, path, depth + 1);
    case 'path': {
      if (PLAIN.has(type.name)) return 'no';
      if (type.name === 'string' || type.name === 'wstring' || type.name === 'dstring') return 'yes';
      const decl = unit.oracle('d').declaration(type.name, path);
      if (decl === undefined) return CLASSES.has(type.name) ? 'yes' : undefined;
      if (decl.kind === 'class' || decl.kind === 'interface') return 'yes';
      if (decl.kind === 'enum') return 'no';
      if (decl.kind !== 'struct' && decl.kind !== 'union') return undefined;
      const inside = decl.fields
        .filter((field) => !field.isStatic)
        .map((field) => collectedContent(field.type, unit, path, depth + 1));
      return inside.includes('yes')
        ? 'yes'
        : inside.includes(undefined)
          ? undefined
          : inside.includes('raw')
            ? 'raw'
            : 'no';
    }
    default:
      return undefined;
  }
}

/** Whether a function or what is around it carries an attribute of this name. */
export function hasAttribute(fn: FunctionIr, name: string): boolean {
  return fn.attributes.some((attribute) => attribute.name === name);
}

/**
 * The file with the bodies that were skipped and that some functions may lead to: those that their text names, those that these
 * name, and what stands beside them in their types.
 */
export function readAround(unit: UnitFacts, file: FileIr, picked: readonly FunctionIr[]): FileIr {
  if (picked.length === 0 || !file.functions.some((fn) => fn.skipped === true)) return file;
  const text = unit.textOf(file.path) ?? '';
  const owners = new Set(picked.flatMap(({ owner }) => owner ?? []));
  const near = new Set(file.functions.filter(({ owner }) => owner !== undefined && owners.has(owner)));
  let last = picked;
  for (let level = 0; level < LEVELS; level++) {
    const named = new Set(
      last.flatMap(({ span }) =>
        [...text.slice(span.start, span.end).matchAll(/[A-Za-z_]\w*/gu)].map(([word]) => word),
      ),
    );
    last = file.functions.filter((fn) => named.has(fn.name) && fn.kind !== 'unittest');
    for (const fn of last) near.add(fn);
  }
  return unit.withBodies(file, (fn) => near.has(fn));
}

/**
 * The functions that were picked, and the others of the file that call one of those named: the text of such a call shows nothing that
 * a rule looks for. Each with the file in which its body is.
 */
export function withCallersOf(
  unit: UnitFacts,
  file: FileIr,
  picked: readonly FunctionIr[],
  names: readonly string[],
): readonly { readonly fn: FunctionIr; readonly file: FileIr }[] {
  const known = picked.map((fn) => ({ fn, file }));
  const called = names.filter((name) => /^\w+$/u.test(name));
  if (called.length === 0) return known;
  const calls = new RegExp(`\\b(?:${called.join('|')})\\s*[(;]`, 'u');
  const starts = new Set(picked.map((fn) => fn.span.start));
  const isCaller = (fn: FunctionIr): boolean =>
    !starts.has(fn.span.start) && fn.parent === undefined && fn.bodySpan !== undefined && unit.holds(file, fn, [calls]);
  if (!file.functions.some(isCaller)) return known;
  const full = unit.withBodies(file, isCaller);
  return [...known, ...full.functions.filter((fn) => hasBody(fn) && isCaller(fn)).map((fn) => ({ fn, file: full }))];
}

/** How many calls deep a rule that reads around a function goes. */
const LEVELS = 2;

/**
 * What a struct literal holds: of `Job(dg, 3)` the arguments that become fields which lead somewhere. Nothing of a struct with a
 * constructor, which may do something else with them.
 */
export function heldByLiteral(unit: UnitFacts, file: FileIr, value: Expr): readonly Expr[] {
  if (value.kind !== 'call' || value.callee.kind !== 'name') return [];
  const name = value.callee.path.at(-1) ?? '';
  const oracle = unit.oracle('d');
  const type = oracle.declaration(name, file.path);
  if (type?.kind !== 'struct' || oracle.methods(name, 'this', file.path).length > 0) return [];
  const fields = type.fields.filter((field) => !field.isStatic);
  return value.args.flatMap(({ name: written, value: given }, at) => {
    const field = written === undefined ? fields[at] : fields.find((one) => one.name === written);
    const kind = withoutAlias(field?.type, oracle, file.path)?.kind;
    return kind === 'delegate' || kind === 'slice' || kind === 'pointer' || kind === 'path' ? [given] : [];
  });
}

/** What a value holds as it is: the arguments of a struct literal, and those that a new object of the package keeps. */
export function heldIn(unit: UnitFacts, file: FileIr, value: Expr): readonly Expr[] {
  if (value.kind !== 'new') return heldByLiteral(unit, file, value);
  if (unit.oracle('d').declaration(value.type.name, file.path) === undefined) return [];
  const count = value.args.length;
  return value.args.flatMap(({ value: given }, at) => (mayKeep(unit, file, value.type.name, at, count) ? [given] : []));
}

/** Whether what is made keeps an argument: always without a constructor, else when one that takes so many stores it as it is. */
export function mayKeep(unit: UnitFacts, file: FileIr, type: string, at: number, count: number): boolean {
  const makers = unit.oracle('d').methods(type, 'this', file.path);
  if (makers.length === 0) return true;
  return makers.some(({ path, fn }) => {
    const name = fn.params[at]?.name;
    if (name === undefined || fn.params.length < count) return false;
    const stored = new RegExp(
      String.raw`[^=!<>]=\s*(?:cast\s*\([^()]*\)\s*)?${name}\s*[;,)]|\b(?:super|this)\s*\([^;]*\b${name}\b[^;]*;`,
      'u',
    );
    const body = fn.body?.span ?? fn.span;
    return stored.test((unit.textOf(path) ?? '').slice(body.start, body.end));
  });
}

/** Methods after which an object no longer has what it was given. */
const UNDOES =
  /^(?:clear|reset|remove\w*|unregister\w*|unsubscribe\w*|disconnect\w*|detach\w*|unset\w*|release\w*|off)$/u;

/**
 * Whether what was stored at a place (`list.hooks`) is taken out again before the function ends: the place is set to something else or
 * made empty, or the object that holds it is asked to (`list.clear()`), behind the storing or in a `scope (exit)`.
 */
export function isUndone(fn: FunctionIr, place: string, stored: Span): boolean {
  const { body } = fn;
  if (body === undefined) return false;
  const puts = body.statements.flatMap((s) => (s.kind === 'defer' && s.when !== 'failure' ? [s.body.span] : []));
  let undone = false;
  walkBody(body, ({ expr, around }) => {
    if (undone || (expr.span.start <= stored.end && !puts.some((put) => isInside(expr.span, put)))) return;
    // Under a condition it may not happen.
    if (around.some((o) => (o.kind === 'if' || o.kind === 'match' || o.kind === 'loop') && !isInside(stored, o.span)))
      return;
    if (expr.kind === 'assign' && expr.operator === '=') {
      const target = memberPath(expr.target);
      const isEmpty = expr.value.kind !== 'closure' && expr.value.kind !== 'address';
      undone = isEmpty && (target === place || target === `${place}.length`);
    }
    const asked =
      expr.kind === 'method' ? memberPath(expr.receiver) : expr.kind === 'field' ? memberPath(expr.base) : '';
    const name = expr.kind === 'field' ? expr.name : calledName(expr);
    if ((expr.kind !== 'method' && expr.kind !== 'field' && expr.kind !== 'call') || asked === undefined) return;
    if (name === undefined || !UNDOES.test(name)) return;
    if (asked === '' ? expr.kind === 'call' && !place.includes('.') : `${place}.`.startsWith(`${asked}.`))
      undone = true;
  });
  return undone;
}

/** `$`: a slice goes to the end of the array, behind which nothing of it is. */
export function isEnd(to: Expr): boolean {
  return to.kind === 'name' && to.path[0] === '$';
}
