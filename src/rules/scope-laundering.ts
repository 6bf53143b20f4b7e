import {
  aggregateOf,
  boundNames,
  closureOf,
  declaredIn,
  declaredTypeOf,
  enclosing,
  hasAttribute,
  hasBody,
  heldByLiteral,
  isCallers,
  letsIn,
  memberPath,
  returnedValues,
  type WithBody,
} from '../facts/d-code.js';
import { holdsSlices } from '../facts/containers.js';
import { findLaundered } from '../facts/laundered.js';
import type { UnitFacts } from '../facts/unit.js';
import { lineOf } from '../facts/lines.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, Param, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { withoutAlias } from '../flow/types.js';
import { defineRule } from './rule.js';

const TOKENS = ['@trusted', 'cast(', 'scope '];

export default defineRule({
  meta: {
    id: 'scope-laundering',
    title: 'Scope taken away by trusted code',
    summary: 'A cast or a trusted helper hides from the compiler that a pointer or delegate must not leave.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-562', 'CWE-704'],
    messages: {
      cast: "The cast turns the 'scope' parameter '{name}' into a delegate that may be kept (line {line}), and the result is {kept}: its frame may be gone when it is called.",
      lambda:
        "The trusted lambda gives the address of the local '{name}' (line {line}), and the result is {kept}: the compiler no longer sees that it must not leave the function.",
      kept: "'{name}' is not checked by the compiler and its 'scope' parameter '{param}' is {kept} (line {line}): the caller may take back what it shows when the call ends.",
      lent: "The trusted function '{name}' stores a pointer into its 'ref' parameter '{param}' in '{target}' (line {line}), which may live longer: safe callers may give it something that ends before.",
      hidden:
        "{what} '{name}' of '{function}' (line {declared}) ends with the call, and what leads to it is {kept} (line {line}): {by} hides it from the compiler.",
      helper:
        "The trusted function '{name}' returns a pointer into its 'ref' parameter '{param}' (line {line}) without 'return', so safe callers may keep a pointer to something that ends before it.",
    },
    checklist: 'Does the compiler still see which pointers must not leave the function?',
    scenarios: ['command'],
  },
  tokens: { d: TOKENS },
  // `scope` counts in the head, where it belongs to a parameter or to `this`.
  bodyTokens: {
    d: [
      /^(?:[^{]|\{\s*\})*\bscope\b/u,
      /@trusted[^]*(?:(?<!&)&(?!&)|\bref\b)|\bref\b[^{}]*@trusted/u,
      /\bcast\s*\([^;]*\bdelegate\b/u,
    ],
  },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn)) continue;
        const shown = trustedAddress(unit, file, fn);
        if (shown !== undefined)
          report({
            messageId: 'helper',
            data: { name: fn.name, param: shown.param.name, line: lineOf(unit, file, shown.span.start) },
            at: { file, span: fn.nameSpan },
            steps: [
              { file, span: shown.param.span, role: 'declare', note: 'The caller decides how long this lives.' },
              { file, span: shown.span, role: 'escape', note: 'The pointer is handed out here.' },
            ],
            key: fn.name,
          });
        const told = new Set<string>();
        for (const { param: scoped, span, kept, via } of keptScope(unit, file, fn)) {
          told.add(scoped.name);
          report({
            messageId: 'kept',
            data: { name: fn.name, param: scoped.name, kept, line: lineOf(unit, file, span.start) },
            at: { file, span },
            steps: [
              { file, span: scoped.span, role: 'declare', note: "'scope' promises that it is not kept." },
              ...(via === undefined
                ? []
                : [{ file, span: via, role: 'borrow' as const, note: 'A variable that leaves is given it here.' }]),
            ],
            key: `${fn.name}|${scoped.name}`,
          });
        }
        const lent = trustedStore(unit, file, fn) ?? storedByHelper(unit, file, fn);
        if (lent !== undefined)
          report({
            messageId: 'lent',
            data: {
              name: fn.name,
              param: lent.param.name,
              target: lent.target,
              line: lineOf(unit, file, lent.span.start),
            },
            at: { file, span: lent.span },
            steps: [{ file, span: lent.param.span, role: 'declare', note: 'The caller decides how long this lives.' }],
            key: `${fn.name}|${lent.param.name}`,
          });
        walkBody(fn.body, (walked) => {
          const { expr } = walked;
          if (
            expr.kind === 'cast' &&
            withoutAlias(expr.type, unit.oracle('d'), file.path)?.kind === 'delegate' &&
            expr.value.kind === 'name'
          ) {
            const name = expr.value.path[0] ?? '';
            const scoped = fn.params.find((one) => one.name === name && one.modifiers.includes('scope'));
            const kept = scoped === undefined ? undefined : keptAs(file, fn, walked);
            if (scoped !== undefined && kept !== undefined) {
              told.add(name);
              report({
                messageId: 'cast',
                data: { name, kept, line: lineOf(unit, file, expr.span.start) },
                at: { file, span: expr.span },
                steps: [{ file, span: scoped.span, role: 'declare', note: "'scope' promises that it is not kept." }],
                key: name,
              });
            }
          }
          if (expr.kind !== 'call' || expr.callee.kind !== 'closure') return;
          const lambda = closureOf(file, expr.callee);
          const local = lambda?.trust === 'trusted' ? localAddress(file, fn, lambda) : undefined;
          const kept = local === undefined ? undefined : keptAs(file, fn, walked);
          if (local !== undefined && kept !== undefined) {
            told.add(local.name);
            report({
              messageId: 'lambda',
              data: { name: local.name, kept, line: lineOf(unit, file, local.span.start) },
              at: { file, span: local.span },
              steps: [{ file, span: expr.span, role: 'escape', note: `The address is ${kept} here.` }],
              key: local.name,
            });
          }
        });
        for (const { name, what, declared, kept, span, by } of findLaundered(unit, file, fn))
          if (!told.has(name))
            report({
              messageId: 'hidden',
              data: {
                name,
                what,
                function: fn.name,
                declared: lineOf(unit, file, declared.start),
                kept,
                by,
                line: lineOf(unit, file, span.start),
              },
              at: { file, span },
              steps: [{ file, span: declared, role: 'declare', note: 'It is here for this call only.' }],
              key: `${fn.name}|${name}`,
            });
      }
    }
  },
});

interface Kept {
  readonly param: Scoped;
  readonly span: Span;
  readonly kept: string;
  /** Where the variable that leaves was given the parameter. */
  readonly via?: Span;
}

/** What a signature promises not to keep: a parameter, or in a method marked `scope` what `this` holds. */
interface Scoped {
  readonly name: string;
  readonly span: Span;
  readonly type?: TypeRef;
}

/**
 * `scope` parameters that leave a function which the compiler does not check: delegates, whose frame may be on the caller's stack,
 * and in trusted functions, whose callers are checked by what the signature says, arrays, pointers, objects and what `this` holds, too.
 */
function keptScope(unit: UnitFacts, file: FileIr, fn: WithBody): readonly Kept[] {
  if (fn.trust === 'safe' || fn.generics.length > 0 || fn.kind === 'unittest') return [];
  const isObject = (type: TypeRef | undefined): boolean =>
    type?.kind === 'path' && unit.oracle('d').declaration(type.name, file.path)?.kind === 'class';
  const isTrusted = fn.trust === 'trusted';
  const leads = (type: TypeRef | undefined): boolean =>
    type?.kind === 'slice' || type?.kind === 'pointer' || isObject(type);
  const scoped = fn.params.filter(({ type: given, modifiers }) => {
    if (!modifiers.includes('scope') || modifiers.includes('return') || modifiers.includes('ref')) return false;
    const type = withoutAlias(given, unit.oracle('d'), file.path);
    return (
      type?.kind === 'delegate' ||
      (isTrusted && (leads(type) || (type?.kind === 'static-array' && leads(type.element))))
    );
  });
  const owner =
    isTrusted && hasAttribute(fn, 'scope') && !hasAttribute(fn, 'return') ? aggregateOf(file, fn) : undefined;
  const thrown = thrownScope(fn);
  if (scoped.length === 0 && owner === undefined && !fn.params.some(bindsOnlyItself)) return thrown;
  const statics = new Set(letsIn(fn.body).flatMap((one) => (one.isStatic === true ? boundNames(one.pattern) : [])));
  const own = new Set([...declaredIn(fn)].filter((name) => !statics.has(name)));
  const set = new Set<string>();
  const held = givenValues(fn);
  const found: Kept[] = [];
  const judge = (value: Expr, span: Span, kept: string): void => {
    for (const part of heldByLiteral(unit, file, value)) judge(part, span, kept);
    const name = shownBy(value) ?? memberPath(value);
    const direct = scoped.find((one) => one.name === name);
    const last = direct === undefined && name !== undefined ? behind(name, span.start) : undefined;
    const param = direct ?? last?.param;
    if (param !== undefined && !found.some((one) => one.param === param))
      found.push({ param, span, kept, ...(last === undefined ? {} : { via: last.span }) });
  };
  /** The parameter that a variable was last given before a place in the text. */
  const behind = (name: string, before: number, depth = 0): { param: Scoped; span: Span } | undefined => {
    const last = held.findLast((one) => one.name === name && one.span.start < before);
    const shown = last && shownVariable(unit, file, last.value);
    if (last === undefined || shown === undefined || depth > 4) return undefined;
    // A parameter that is given anew is judged by what it is given.
    const further = behind(shown, last.span.start, depth + 1);
    const param = scoped.find((one) => one.name === shown && !held.some((given) => given.name === one.name));
    return further ?? (param && { param, span: last.span });
  };
  const judgeReturned = (value: Expr, span: Span): void => {
    judge(value, span, 'returned');
    if (fn.returnsRef === true && value.kind === 'deref') {
      judge(value.base, span, 'returned by reference');
      const name = shownBy(value.base);
      const param = fn.params.find((one) => one.name === name && isTrusted && bindsOnlyItself(one));
      if (param !== undefined) found.push({ param, span, kept: 'returned by reference' });
    }
    // A nested function shows what it sees of the function around it.
    if (value.kind === 'call' && value.callee.kind === 'name' && value.callee.path.length === 1) {
      const [name] = value.callee.path;
      const inner = file.functions.find((one) => one.parent === fn.id && one.kind === 'function' && one.name === name);
      if (inner !== undefined && hasBody(inner))
        for (const shown of returnedValues(inner))
          if (shownBy(shown) !== undefined && !declaredIn(inner).has(shownBy(shown) ?? ''))
            judge(shown, span, `returned by way of '${inner.name}'`);
    }
    const lent = owner === undefined ? undefined : heldBySelf(fn, owner, own, value);
    if (lent !== undefined && found.length === 0)
      found.push({ param: { name: lent, span: fn.nameSpan }, span, kept: 'returned' });
  };
  if (fn.body.result !== undefined) judgeReturned(fn.body.result, fn.body.result.span);
  walkBody(fn.body, (walked) => {
    const { expr } = walked;
    if (expr.kind === 'return' && expr.value !== undefined) judgeReturned(expr.value, expr.span);
    if (expr.kind === 'method' && /^(?:put|insert|insertBack|insertFront)$/u.test(expr.method)) {
      const list = memberPath(expr.receiver);
      if (list !== undefined && !own.has(list.split('.')[0] ?? '') && holdsSlices(listType(file, fn, list)) === true)
        for (const { value } of expr.args) judge(value, expr.span, `added to '${list}'`);
    }
    if (expr.kind !== 'assign' || (expr.operator !== '=' && expr.operator !== '~=')) return;
    if (expr.target.kind === 'name') set.add(expr.target.path[0] ?? '');
    // What is put aside and put back within the call is not kept.
    const target =
      memberPath(expr.target) ??
      (expr.target.kind === 'index' || expr.target.kind === 'deref' ? memberPath(expr.target.base) : undefined);
    const shown = [expr.value, ...heldByLiteral(unit, file, expr.value)]
      .map((part) => scoped.find((one) => one.name === shownBy(part)))
      .find((one) => one !== undefined);
    const isCopied =
      expr.operator === '~=' &&
      shown?.name === shownBy(expr.value) &&
      // A pointer or an object that is added is an element.
      isArray(withoutAlias(shown?.type, unit.oracle('d'), file.path)) &&
      !(target !== undefined && holdsSlices(listType(file, fn, target)) === true);
    const head = target?.split('.')[0] ?? '';
    if (target === undefined || isCopied || expr.target.kind === 'slice') return;
    const isBehind = target === head && expr.target.kind !== 'name' && isGivenMemory(fn, head);
    if (
      own.has(head) &&
      !isBehind &&
      !isUntiedCallers(fn, head) &&
      !(target !== head && isGivenObject(fn, head, isObject))
    )
      return;
    if (!isSetAgain(fn, target, expr.span.end)) judge(expr.value, expr.span, `stored in '${target}'`);
  });
  return [...found.filter(({ param }) => !set.has(param.name)), ...thrown];
}

/** A parameter that is an object, whose members the caller sees when the call is over. */
function isGivenObject(fn: FunctionIr, name: string, isObject: (type: TypeRef | undefined) => boolean): boolean {
  return fn.params.some((one) => one.name === name && !one.modifiers.includes('scope') && isObject(one.type));
}

/** A parameter that leads to memory of the caller's, which is not promised to end with what is given beside it: `*q = p`, `list[0] = p`. */
function isGivenMemory(fn: FunctionIr, name: string): boolean {
  return fn.params.some(
    (one) => one.name === name && (one.type?.kind === 'pointer' || one.type?.kind === 'slice') && isUntied(one),
  );
}

/** Whether nothing says that what a parameter leads to ends with the call, or with the result. */
function isUntied({ modifiers }: Param): boolean {
  return !modifiers.includes('scope') && !modifiers.includes('return');
}

function isArray(type: TypeRef | undefined): boolean {
  return type?.kind === 'slice' || type?.kind === 'static-array';
}

/** `throw e;` of a `scope` parameter: the exception outlives every call on its way. */
function thrownScope(fn: WithBody): readonly Kept[] {
  const found: Kept[] = [];
  const scoped = fn.params.filter(({ modifiers }) => modifiers.includes('scope') && !modifiers.includes('ref'));
  if (scoped.length > 0)
    walkBody(fn.body, ({ expr }) => {
      const name = expr.kind === 'throw' ? shownBy(expr.value) : undefined;
      const param = scoped.find((one) => one.name === name && one.type?.kind === 'path');
      if (param !== undefined && found.length === 0) found.push({ param, span: expr.span, kept: 'thrown' });
    });
  return found;
}

interface Given {
  readonly name: string;
  readonly span: Span;
  readonly value: Expr;
}

/** What each variable, or field of one, is given by its declaration or an assignment, in the order of the text. */
function givenValues(fn: WithBody): readonly Given[] {
  const found: Given[] = [];
  walkBody(fn.body, ({ expr, around, statement }) => {
    if (
      around.length === 0 &&
      statement?.kind === 'let' &&
      statement.init === expr &&
      statement.pattern.kind === 'bind'
    )
      found.push({ name: statement.pattern.name, span: statement.span, value: expr });
    if (expr.kind !== 'assign' || expr.operator !== '=') return;
    const target = memberPath(expr.target);
    if (target !== undefined) found.push({ name: target, span: expr.span, value: expr.value });
  });
  return found;
}

/** The variable that a value is as it is, or that is an element of a list which keeps it. */
function shownVariable(unit: UnitFacts, file: FileIr, value: Expr): string | undefined {
  return (
    shownBy(value) ??
    memberPath(value) ??
    heldByLiteral(unit, file, value)
      .map(shownBy)
      .find((name) => name !== undefined)
  );
}

/** The declared type of a member, a variable of the module or a parameter. */
function listType(file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  return (
    fn.params.find((one) => one.name === name)?.type ??
    enclosing(file, fn)
      .map((outer) => (declaredIn(outer).has(name) ? declaredTypeOf(file, outer, name) : undefined))
      .find((type) => type !== undefined) ??
    aggregateOf(file, fn)?.fields.find((one) => one.name === name)?.type ??
    file.globals.find((one) => one.name === name && one.inFunction === undefined)?.type
  );
}

/** A `ref` or `out` parameter, which is a variable of the caller's and not promised to end with what is given beside it. */
function isUntiedCallers(fn: FunctionIr, name: string): boolean {
  return isCallers(fn, name) && fn.params.some((one) => one.name === name && isUntied(one));
}

/** `this` of a class, or a pointer or slice that a field of a struct holds, as the name of what is handed out. */
function heldBySelf(fn: FunctionIr, owner: TypeDecl, own: ReadonlySet<string>, value: Expr): string | undefined {
  const member = memberPath(value);
  if (owner.kind === 'class')
    return member === 'self' && fn.returns?.kind === 'path' && fn.returns.name === owner.name ? 'this' : undefined;
  if (owner.kind !== 'struct' || member === undefined || own.has(member)) return undefined;
  const field = owner.fields.find((one) => one.name === member && !one.isStatic);
  const kind = field?.type?.kind;
  return (kind === 'pointer' || kind === 'slice') && fn.returns?.kind === kind ? member : undefined;
}

/** The parameter whose own content an expression shows: itself, a slice of it, its pointer, the address of an element. */
function shownBy(value: Expr): string | undefined {
  if (value.kind === 'name') return value.path.length === 1 ? value.path[0] : undefined;
  if (value.kind === 'slice') return shownBy(value.base);
  if (value.kind === 'field' && value.name === 'ptr') return shownBy(value.base);
  if (value.kind === 'address' && value.base.kind === 'index') return shownBy(value.base.base);
  // `&object.method`: the object is the frame of the delegate.
  if (value.kind === 'address' && value.base.kind === 'field' && value.base.base.kind === 'name')
    return shownBy(value.base.base);
  return undefined;
}

function isSetAgain(fn: WithBody, target: string, after: number): boolean {
  let isSet = false;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'assign' && expr.span.start > after && memberPath(expr.target) === target) isSet = true;
  });
  return isSet;
}

/** The type of a chain of fields and elements that stays inside a parameter; undefined as soon as a step may leave it. */
function inlineType(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  expr: Expr,
): { param: string; type: TypeRef } | undefined {
  if (expr.kind === 'name') {
    const param = fn.params.find((one) => one.name === expr.path[0] && expr.path.length === 1);
    return param?.type === undefined ? undefined : { param: param.name, type: param.type };
  }
  const base = expr.kind === 'field' || expr.kind === 'index' ? inlineType(unit, file, fn, expr.base) : undefined;
  if (base === undefined) return undefined;
  if (expr.kind === 'index')
    return base.type.kind === 'static-array' && base.type.element
      ? { param: base.param, type: base.type.element }
      : undefined;
  const decl = base.type.kind === 'path' ? unit.oracle('d').declaration(base.type.name, file.path) : undefined;
  const field =
    expr.kind === 'field' && decl?.kind === 'struct' ? decl.fields.find((one) => one.name === expr.name) : undefined;
  return field?.type === undefined || field.isStatic ? undefined : { param: base.param, type: field.type };
}

/** `&param.method`: the parameter is the frame of the delegate when it is a struct. */
function delegateFrame(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr): string | undefined {
  const shown = value.kind === 'field' ? inlineType(unit, file, fn, value.base) : undefined;
  if (value.kind !== 'field' || shown?.type.kind !== 'path') return undefined;
  const oracle = unit.oracle('d');
  const isStruct = oracle.declaration(shown.type.name, file.path)?.kind === 'struct';
  return isStruct && oracle.method(shown.type.name, value.name, file.path)?.fn.isStatic === false
    ? shown.param
    : undefined;
}

/** The parameter whose own memory a value is a pointer or slice into: `&param`, `&param.field`, `param.cells[]`. */
function addressedParam(unit: UnitFacts, file: FileIr, fn: FunctionIr, value: Expr): string | undefined {
  if (value.kind === 'cast') return addressedParam(unit, file, fn, value.value);
  // `(cast(int*) &param)[0 .. 8]`
  if (value.kind === 'slice' && (value.base.kind === 'cast' || value.base.kind === 'address'))
    return addressedParam(unit, file, fn, value.base);
  if (value.kind === 'address')
    return value.base.kind === 'name' && value.base.path.length === 1
      ? value.base.path[0]
      : (inlineType(unit, file, fn, value.base)?.param ?? delegateFrame(unit, file, fn, value.base));
  const isView = value.kind === 'slice' || (value.kind === 'field' && value.name === 'ptr');
  const shown = isView ? inlineType(unit, file, fn, value.base) : undefined;
  return shown?.type.kind === 'static-array' ? shown.param : undefined;
}

/** `return scope`, in this order: the result is tied to what the parameter's pointers lead to, not to the parameter itself. */
function bindsOnlyPointee({ modifiers }: FunctionIr['params'][number]): boolean {
  const at = modifiers.indexOf('return');
  return at >= 0 && modifiers[at + 1] === 'scope';
}

/** `return ref scope`, in this order: the result is tied to the parameter itself, and not to what its pointer leads to. */
function bindsOnlyItself(param: FunctionIr['params'][number]): boolean {
  const { modifiers, type } = param;
  const isMarked = (['return', 'ref', 'scope'] as const).every((one) => modifiers.includes(one));
  return isMarked && !bindsOnlyPointee(param) && type?.kind === 'pointer';
}

/** A trusted function, not a template, that returns a pointer or slice into a `ref` parameter without `return`. */
function trustedAddress(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
): { readonly param: FunctionIr['params'][number]; readonly span: Span } | undefined {
  if (
    fn.trust !== 'trusted' ||
    fn.kind === 'closure' ||
    fn.generics.length > 0 ||
    fn.parent !== undefined ||
    fn.body === undefined
  )
    return undefined;
  const type = withoutAlias(fn.returns, unit.oracle('d'), file.path);
  if (hasAttribute(fn, 'return') || !(type?.kind === 'pointer' || type?.kind === 'slice' || type?.kind === 'delegate'))
    return undefined;
  for (const value of returnedValues(fn)) {
    const name = addressedParam(unit, file, fn, lastGiven(fn, value));
    const param = fn.params.find(
      (one) =>
        one.name === name &&
        one.modifiers.includes('ref') &&
        (bindsOnlyPointee(one) || !(one.modifiers.includes('return') || one.modifiers.includes('scope'))),
    );
    if (param !== undefined) return { param, span: value.span };
  }
  return undefined;
}

/** What a local variable that is returned was last given; anything else is itself. */
function lastGiven(fn: WithBody, value: Expr): Expr {
  const name = value.kind === 'name' && value.path.length === 1 ? value.path[0] : undefined;
  if (name === undefined || fn.params.some((one) => one.name === name)) return value;
  const last = givenValues(fn).findLast((one) => one.name === name && one.value.span.start <= value.span.start);
  return last?.value ?? value;
}

/** The `ref` parameters of a trusted function, not a template, into which no pointer may leave it. */
function lendersOf(fn: FunctionIr): FunctionIr['params'] {
  if (fn.trust !== 'trusted' || fn.kind === 'closure' || fn.generics.length > 0 || fn.parent !== undefined) return [];
  // `return` allows the result to lead to it, and nothing else.
  return fn.params.filter(({ modifiers }) => modifiers.includes('ref') && !modifiers.includes('scope'));
}

/** A trusted function, not a template, that stores a pointer or slice into a `ref` parameter in another one or in a module variable. */
function trustedStore(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
): { param: FunctionIr['params'][number]; target: string; span: Span } | undefined {
  const lenders = lendersOf(fn);
  if (lenders.length === 0) return undefined;
  let found: { param: FunctionIr['params'][number]; target: string; span: Span } | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (found !== undefined || expr.kind !== 'assign' || expr.operator !== '=') return;
    if (expr.target.kind !== 'name' || expr.target.path.length !== 1) return;
    const [target = ''] = expr.target.path;
    const name = addressedParam(unit, file, fn, expr.value);
    const param = lenders.find((one) => one.name === name && one.name !== target);
    if (param === undefined) return;
    const isModules = !declaredIn(fn).has(target) && unit.oracle('d').global(target, file.path) !== undefined;
    const owner = aggregateOf(file, fn);
    const isSelfs = owner?.fields.some((field) => field.name === target && !field.isStatic) === true;
    // An object lives on where the caller's variable does not; what a constructor is given mostly stands beside it.
    const isObjects = isSelfs && owner?.kind === 'class' && fn.kind === 'method' && !declaredIn(fn).has(target);
    // Of a function without a result `return` means its first parameter.
    const isOther = isUntiedCallers(fn, target) && !param.modifiers.includes('return');
    if ((isModules && !isSelfs) || isObjects || isOther) found = { param, target, span: expr.span };
  });
  return found;
}

/** As `trustedStore`, where a helper that is given the address stores it in a module variable. */
function storedByHelper(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
): { param: FunctionIr['params'][number]; target: string; span: Span } | undefined {
  const lenders = lendersOf(fn);
  let given: FunctionIr['params'][number] | undefined;
  if (lenders.length > 0)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'call') return;
      for (const { value } of expr.args)
        if (value.kind === 'address')
          given ??= lenders.find((one) => one.name === addressedParam(unit, file, fn, value));
    });
  if (given === undefined) return undefined;
  const { name, span } = given;
  const escape = unit
    .flowOf(file, fn)
    .escapes.find(
      ({ kind, pointer: { target }, into }) =>
        kind === 'store' &&
        into?.root.kind === 'global' &&
        target.root.kind === 'param' &&
        target.root.span.start === span.start &&
        target.root.name === name &&
        !target.path.includes('*'),
    );
  return escape?.into === undefined ? undefined : { param: given, target: escape.into.root.name, span: escape.span };
}

/** `&local` or `local[]` of a static array, of a variable of the function around the lambda. */
function localAddress(file: FileIr, fn: FunctionIr, lambda: FunctionIr): { name: string; span: Span } | undefined {
  for (const value of returnedValues(lambda)) {
    const base = value.kind === 'address' ? value.base : undefined;
    const name = base?.kind === 'name' ? base.path[0] : undefined;
    if (name === undefined || declaredIn(lambda).has(name) || !valuesOf(fn).has(name)) continue;
    if (enclosing(file, lambda)[0] === fn) return { name, span: value.span };
  }
  return undefined;
}

/** Variables and parameters that hold their value themselves. */
function valuesOf(fn: FunctionIr): ReadonlySet<string> {
  const names = new Set(
    fn.params
      .filter((param) => !param.modifiers.includes('ref') && !param.modifiers.includes('out'))
      .map((param) => param.name),
  );
  // Those of loops may be references.
  for (const { isStatic, pattern } of letsIn(fn.body))
    if (isStatic !== true) for (const name of boundNames(pattern)) names.add(name);
  return names;
}

/** Returned or stored in a member; what stays in the function is fine. */
function keptAs(file: FileIr, fn: WithBody, { expr, around }: Walked): string | undefined {
  let value = expr;
  for (let at = around.length - 1; at >= 0; at--) {
    const parent = around[at];
    if (parent === undefined) return undefined;
    if (parent.kind === 'cast') {
      value = parent;
      continue;
    }
    if (parent.kind === 'return' && fn.kind !== 'closure') return 'returned';
    if (parent.kind !== 'assign' || parent.value !== value) return undefined;
    const target =
      memberPath(parent.target) ?? (parent.target.kind === 'index' ? memberPath(parent.target.base) : undefined);
    const head = target?.split('.')[0] ?? '';
    const isOwn =
      target === undefined ||
      declaredIn(fn).has(head) ||
      enclosing(file, fn).some((outer) => declaredIn(outer).has(head));
    // What is put back before the function ends (`scope (exit) sink = null;`) is not kept.
    return isOwn || isSetAgain(fn, target, parent.span.end) ? undefined : `stored in '${target}'`;
  }
  return undefined;
}
