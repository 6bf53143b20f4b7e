import type { Block, Expr, ExprOf, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { blocksIn, walkBody, walkExpression } from '../model/walk-body.js';
import {
  aggregateOf,
  calledName,
  declaredIn,
  isNull,
  letsIn,
  memberPath,
  methodsOf,
  rootName,
  takesByRef,
  uncast,
  withBodyOf,
} from './d-code.js';
import type { DoubleRelease } from './double-release.js';
import type { UnitFacts } from './unit.js';

/** A member of an object that a function releases, in front of the end of the object, whose destructor releases it too. */
export interface ReleasedMember {
  readonly what: string;
  readonly how: string;
  readonly span: Span;
  /** What ends the object: `destroy`, `delete`. */
  readonly end: string;
  readonly endSpan: Span;
  readonly destructor: { readonly file: FileIr; readonly span: Span };
}

/** A call that gives a function one thing. */
interface Release {
  readonly how: string;
  /** `handle`, `window.handle` */
  readonly what: string;
  readonly span: Span;
}

/** Words of functions that take back what they are given. */
const ENDS = /free|close|delete|destroy|release|dispose|finalize/iu;

/** What counts who has a thing: with one more count, a release ends nothing. */
const COUNTS = /(?:^|_)(?:add_?)?ref(?:_|$)|(?:add|inc|grab|do)_?ref|retain|acquire|_dup/iu;

/** A function that nobody declares here, by whose name it is one of C, which takes what it is given by value. */
const OF_C = /_|^(?:f?close|free|closedir|pclose|dlclose)$/u;

/** What makes objects whose destructor nobody runs when their constructor has thrown. */
const BY_HAND = /\b(?:New|mallocNew|mallocEmplace|emplace|make|construct)\s*!/u;

/**
 * D: members that the constructor of a class releases when it fails, and leaves set, though the destructor releases them by the same
 * function: what `new` has made is finalised by the collector when its constructor has thrown, too.
 */
export function findFailedConstructions(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly DoubleRelease[] {
  if (fn.kind !== 'constructor' || fn.body === undefined) return [];
  const type = aggregateOf(file, fn);
  if (type?.kind !== 'class') return [];
  const released = blocksIn(fn.body).flatMap(releasesBeforeFailure);
  if (released.length === 0 || BY_HAND.test(unit.textOf(file.path) ?? '')) return [];
  const dropped = releasesOfDestructor(unit, file, type);
  return released.flatMap(({ how, what, span }) => {
    const again = dropped.find((one) => one.what === what && one.how === how);
    const body = fn.body;
    if (body !== undefined && again !== undefined && !isLeftToDestructor(unit, file, fn, body, { how, what, span }))
      return [];
    return again === undefined ? [] : [{ field: what, how, span, drop: { file, span: again.span, how } }];
  });
}

/** Whether a member still has what the constructor has released when the exception leaves it. */
function isLeftToDestructor(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block, release: Release): boolean {
  const { how, what, span } = release;
  // A parameter or variable of the name is set into the member when all went well.
  if (declaredIn(fn).has(what) || !isGivenByValue(unit, file, how) || isCounted(body)) return false;
  let isSet = false;
  const isMethod = (expr: Expr): boolean =>
    (expr.kind === 'method' && expr.receiver.kind === 'name' && expr.receiver.path[0] === 'self') ||
    (expr.kind === 'call' && releaseOf(expr) === undefined && !isFree(unit, file, calledName(expr) ?? ''));
  walkBody(body, ({ expr }) => {
    isSet ||= expr.kind === 'assign' && memberPath(expr.target) === what && isNull(expr.value);
  });
  for (const block of blocksIn(body)) {
    const isOfRelease = block.statements.some((one) => isInside(span, one.span));
    for (const statement of block.statements) {
      // An exception that is caught here does not end the construction.
      if (statement.kind === 'try' && statement.catches.length > 0) isSet ||= isInside(span, statement.body.span);
      // All of these run before the destructor does.
      const runs = statement.kind === 'defer' && statement.when !== 'success' ? statement.body : undefined;
      const ending = statement.kind === 'try' ? statement.finally : undefined;
      for (const part of [runs, ending])
        if (part !== undefined)
          walkBody(part, ({ expr }) => {
            isSet ||= isMethod(expr) && !isInside(span, expr.span);
          });
      if (isOfRelease && statement.kind === 'expression' && statement.span.start > span.end)
        walkExpression(statement.expr, ({ expr }) => {
          isSet ||= isMethod(expr);
        });
    }
    if (isOfRelease && block.result !== undefined && block.result.span.start > span.end)
      walkExpression(block.result, ({ expr }) => {
        isSet ||= isMethod(expr);
      });
  }
  return !isSet;
}

/** Whether a function is one of no type and no other function, as far as the unit has read it. */
function isFree(unit: UnitFacts, file: FileIr, name: string): boolean {
  const known = declarationsOf(unit, file, name);
  return known.length > 0 && known.every((one) => one.owner === undefined && one.parent === undefined);
}

/** Whether a function takes its argument by value, so that the variable keeps what it had: one by `ref` may set it to null. */
function isGivenByValue(unit: UnitFacts, file: FileIr, name: string): boolean {
  const known = declarationsOf(unit, file, name);
  if (known.length === 0) return OF_C.test(name);
  return isFree(unit, file, name) && known.every((one) => !takesByRef(one, 0));
}

function declarationsOf(unit: UnitFacts, file: FileIr, name: string): readonly FunctionIr[] {
  const own = file.functions.filter((one) => one.name === name);
  return own.length > 0 ? own : unit.functionsNamed(name, 'd', file.path).map(({ item }) => item);
}

/** Whether a body raises a count of anything. */
function isCounted(body: Block): boolean {
  let is = false;
  walkBody(body, ({ expr }) => {
    is ||= (expr.kind === 'call' || expr.kind === 'method') && COUNTS.test(calledName(expr) ?? '');
  });
  return is;
}

/** What a block releases and leaves set before an exception leaves it. */
function releasesBeforeFailure(block: Block): readonly Release[] {
  const { statements } = block;
  const found: Release[] = [];
  for (const statement of statements)
    if (statement.kind === 'defer' && statement.when !== 'success') found.push(...leftSet(statement.body));
  const last = statements.findLast((one) => one.kind === 'expression');
  const thrown = block.result ?? (last === statements.at(-1) && last?.kind === 'expression' ? last.expr : undefined);
  if (thrown?.kind === 'throw') found.push(...leftSet(block));
  return found;
}

/** What the statements of a block release and do not set. */
function leftSet(block: Block): readonly Release[] {
  const calls = block.statements.flatMap((one) => {
    if (one.kind === 'expression') return [one.expr];
    // `const status = device_close(this.handle);`
    return one.kind === 'let' && one.init !== undefined ? [one.init] : [];
  });
  if (block.result !== undefined) calls.push(block.result);
  return calls.flatMap((expr) => {
    const release = releaseOf(expr);
    return release === undefined || isSetBehind(block, release) ? [] : [release];
  });
}

/** Whether a block gives a member another value behind its release, or hands out its address. */
function isSetBehind(block: Block, { what, span }: Release): boolean {
  let is = false;
  walkBody(block, ({ expr }) => {
    is ||= expr.kind === 'assign' && expr.span.start > span.start && memberPath(expr.target) === what;
    is ||= expr.kind === 'address' && memberPath(expr.base) === what;
  });
  return is;
}

/** `tls_free(this.session)`: one thing, given to a function that is named for taking it back. */
function releaseOf(expr: Expr): Release | undefined {
  if (expr.kind !== 'call' || expr.args.length !== 1 || expr.callee.kind !== 'name') return undefined;
  const how = calledName(expr) ?? '';
  const given = expr.args[0] === undefined ? undefined : uncast(expr.args[0].value);
  const what = given === undefined ? undefined : memberPath(given);
  // A second `destroy` of an object does nothing, and `delete` sets its variable to null.
  if (what === undefined || /^(?:destroy|delete)$/u.test(how) || !ENDS.test(how)) return undefined;
  return { how, what, span: expr.span };
}

/** What the destructor of a type gives to a function, where nothing but the member itself decides whether it does. */
function releasesOfDestructor(unit: UnitFacts, file: FileIr, type: TypeDecl): readonly Release[] {
  const declared = methodsOf(file, type).find((method) => method.kind === 'destructor');
  const destructor = declared === undefined ? undefined : withBodyOf(unit, file, declared);
  if (destructor === undefined) return [];
  const found: Release[] = [];
  walkBody(destructor.body, ({ expr }) => {
    const release = releaseOf(expr);
    if (release === undefined || !type.fields.some((field) => field.name === release.what && !field.isStatic)) return;
    if (!isDecidedByOthers(destructor.body, release.span, release.what)) found.push(release);
  });
  return found;
}

/** Whether something else than the member decides that a function comes to a place: `if (isOpen)`, `if (!isOpen) return;`. */
export function isDecidedByOthers(body: Block, span: Span, member: string): boolean {
  let is = false;
  walkBody(body, ({ expr, around }) => {
    // `if (handle is null) return;` asks for the member only.
    if (expr.kind === 'return' && expr.span.start < span.start)
      is ||= !around.some((outer) => outer.kind === 'if' && isAbout(outer.condition, member));
    if (expr.span.start !== span.start || expr.span.end !== span.end) return;
    is ||= around.some((outer) => outer.kind === 'if' && !isAbout(outer.condition, member));
  });
  return is;
}

/** Whether a condition asks for nothing but one member. */
function isAbout(condition: Expr, what: string): boolean {
  let is = true;
  walkExpression(condition, ({ expr }) => {
    if (expr.kind === 'call' || expr.kind === 'method') is = false;
    const name = expr.kind === 'name' || expr.kind === 'field' ? memberPath(expr) : undefined;
    if (name !== undefined && name !== what && name !== 'self') is = false;
  });
  return is;
}

/** `destroy(window)`, `window.destroy()`, `delete window`: the call and the name of what it ends. */
function endOf(expr: Expr): { readonly how: string; readonly what: string } | undefined {
  const how = calledName(expr);
  if (how !== 'destroy' && how !== 'delete') return undefined;
  const subject = expr.kind === 'method' && expr.args.length === 0 ? expr.receiver : argumentOf(expr);
  const what = subject === undefined ? undefined : memberPath(uncast(subject));
  return what === undefined || what === 'self' ? undefined : { how, what };
}

function argumentOf(expr: Expr): Expr | undefined {
  return expr.kind === 'call' || expr.kind === 'method' ? expr.args[0]?.value : undefined;
}

/** D: `GUI_DestroyWindow(window.handle); destroy(window);` where the destructor of the class gives `handle` to the same function. */
export function findReleasedMembers(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly ReleasedMember[] {
  if (fn.body === undefined) return [];
  const ends: { readonly how: string; readonly what: string; readonly span: Span }[] = [];
  walkBody(fn.body, ({ expr }) => {
    const end = endOf(expr);
    if (end !== undefined) ends.push({ ...end, span: expr.span });
  });
  if (ends.length === 0 || isCounted(fn.body)) return [];
  return blocksIn(fn.body).flatMap((block) =>
    leftSet(block).flatMap(({ how, what, span }) => {
      const [object = '', member = '', ...deeper] = what.split('.');
      const end = ends.find(
        (one) => one.what === object && one.span.start > span.end && isInside(one.span, block.span),
      );
      if (end === undefined || member === '' || deeper.length > 0) return [];
      if (isTouchedBetween(block, object, member, span, end.span) || !isGivenByValue(unit, file, how)) return [];
      const type = classOf(unit, file, fn, object);
      const again =
        type && releasesOfDestructor(unit, type.file, type.item).find((one) => one.what === member && one.how === how);
      if (type === undefined || again === undefined) return [];
      return [{ what, how, span, end: end.how, endSpan: end.span, destructor: { file: type.file, span: again.span } }];
    }),
  );
}

/** Whether an object is asked to do something, given away or set anew between two places, so that its member may be set. */
function isTouchedBetween(block: Block, object: string, member: string, from: Span, to: Span): boolean {
  let is = false;
  walkBody(block, ({ expr }) => {
    if (expr.span.start < from.end || expr.span.end > to.start) return;
    if (expr.kind === 'method') is ||= isObject(expr.receiver, object) || givesObject(expr, object);
    if (expr.kind === 'call') is ||= givesObject(expr, object);
    if (expr.kind === 'assign') is ||= maySet(expr.target, object, member);
    is ||= expr.kind === 'return' || expr.kind === 'throw';
  });
  return is;
}

/** `window = ..`, `alias.handle = null`, `handle = null` in `with (window)`, `window.tupleof[0] = null`, `*p = null` */
function maySet(target: Expr, object: string, member: string): boolean {
  const path = memberPath(target);
  return path === undefined
    ? target.kind === 'deref' || rootName(target) === object || rootName(target) === undefined
    : path === object || path.split('.').at(-1) === member;
}

function givesObject({ args }: ExprOf<'call'> | ExprOf<'method'>, object: string): boolean {
  return args.some(({ value }) => isObject(uncast(value), object));
}

function isObject(expr: Expr, object: string): boolean {
  return memberPath(expr) === object || (expr.kind === 'address' && memberPath(expr.base) === object);
}

/** The class of a parameter or variable, or the class or struct of a member, also counted, where the unit declares one of its name. */
function classOf(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  name: string,
): { readonly file: FileIr; readonly item: TypeDecl } | undefined {
  const local =
    fn.params.find((one) => one.name === name)?.type ??
    letsIn(fn.body).find(({ pattern }) => pattern.kind === 'bind' && pattern.name === name)?.type ??
    loopTypeOf(fn, name);
  const member = local === undefined && !declaredIn(fn).has(name) ? memberTypeOf(file, fn, name) : undefined;
  const type = local ?? member;
  if (type?.kind !== 'path') return undefined;
  const [own, ...namesakes] = file.types.filter((one) => one.name === type.name);
  const [declared, ...others] = own === undefined ? unit.typesNamed(type.name, 'd') : [{ file, item: own }];
  if (declared === undefined || others.length > 0 || (member !== undefined && namesakes.length > 0)) return undefined;
  return declared.item.kind === 'class' || (member !== undefined && declared.item.kind === 'struct')
    ? declared
    : undefined;
}

/** The type of a member of the type that a function stands in; of `RefCounted!Payload` that of the payload. */
function memberTypeOf(file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  const type = aggregateOf(file, fn)?.fields.find((field) => field.name === name && !field.isStatic)?.type;
  return type?.name === 'RefCounted' ? type.args[0] : type;
}

/** The written type of a variable of a `foreach`. */
function loopTypeOf({ body }: FunctionIr, name: string): FunctionIr['params'][number]['type'] {
  let found: FunctionIr['params'][number]['type'];
  if (body !== undefined)
    walkBody(body, ({ expr }) => {
      if (expr.kind !== 'loop') return;
      for (const { pattern, type } of expr.bindings ?? [])
        if (pattern.kind === 'bind' && pattern.name === name) found ??= type;
    });
  return found;
}
