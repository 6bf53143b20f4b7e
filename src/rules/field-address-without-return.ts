import {
  aggregateOf,
  calledName,
  declaredIn,
  hasAttribute,
  hasBody,
  mayKeep,
  memberPath,
  methodsOf,
  uncast,
  type WithBody,
} from '../facts/d-code.js';
import { exceptTests } from '../facts/d-text.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody } from '../model/walk-body.js';
import type { Place } from '../flow/place.js';
import { SCALAR, withoutAlias } from '../flow/types.js';
import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

interface Shown {
  readonly span: Span;
  readonly what: string;
  readonly as: 'pointer' | 'slice' | 'reference' | 'delegate';
}

interface Stored extends Shown {
  readonly target: string;
  /** It is memory of an object that knows the struct from now on. */
  readonly isObjects?: boolean;
}

/** A result made by address, index, slice or `.ptr`, or a head that says reference, pointer or slice. */
const SHOWS =
  /(?:\breturn\b|=>)[^;{}]*?(?:(?<!&)&(?!&)|\[|\.ptr\b)|^(?:[^{(]*[\]*]\s*|(?=[^{(]*\b(?:ref|inout)\b)[^{(]*\b)\w+\s*\(/u;

/** The address of something is assigned, appended or given to a call, or a slice goes with an exception. */
const KEEPS =
  /=\s*&\s*\w|=\s*(?:cast\s*\([^()]*\)\s*)?(?:this\.)?[a-z_]\w*\s*(?:\.ptr\s*[;+]|\[(?:[^\[\]]*\.\.[^\[\]]*)?\]\s*(?:\.ptr\s*)?;)|\w\s*\((?:[^();]*,)?\s*&\s*[a-z_]|\bthrow\b[^;]*\[\s*\]/u;

export default defineRule({
  meta: {
    id: 'field-address-without-return',
    title: "Address of a struct's field without 'return'",
    summary: "A struct's method hands out the address of a field, and nothing ties it to the struct.",
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-562', 'CWE-825'],
    messages: {
      stored:
        "'{method}' of the struct '{type}' stores a {as} to '{what}' in {place} '{target}' (line {line}): it stays there when the struct ends or moves.",
      thrown:
        "'{method}' of the struct '{type}' throws a slice of '{what}' (line {line}): the exception goes on when the struct is gone.",
      inside:
        "'{method}' of the struct '{type}' stores a pointer to its own '{what}' in '{target}' (line {line}): it leads to the old place when the struct is moved or copied.",
      shown:
        "'{method}' of the struct '{type}' returns a {as} to '{what}' (line {line}) and is not marked 'return', so the compiler accepts a {as} that outlives the struct it points into.",
      pointee:
        "'{method}' of the struct '{type}' returns a {as} to '{what}' (line {line}) and is marked 'return scope', which ties the result to what the fields point to and not to the struct: the {as} may outlive it.",
    },
    checklist: "Is every method that returns the address of a field marked 'return'?",
    scenarios: ['command'],
  },
  tokens: { d: ['struct', 'union'] },
  requires: { d: ['&', '[]', '..', '.ptr', 'ref '] },
  // The methods of a test's own structs are not looked at.
  bodyTokens: { d: [exceptTests(SHOWS), exceptTests(KEEPS)] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (
          (fn.kind !== 'method' && fn.kind !== 'constructor') ||
          !hasBody(fn) ||
          fn.isStatic ||
          fn.parent !== undefined
        )
          continue;
        const type = aggregateOf(file, fn);
        if (type === undefined || (type.kind !== 'struct' && type.kind !== 'union')) continue;
        const judge = judgeOf(unit, file, fn, type);
        const declared = (name: string): ReportStep[] => {
          const field = type.fields.find((one) => one.name === name);
          return field === undefined
            ? []
            : [{ file, span: field.span, role: 'declare', note: `'${field.name}' is inside the struct.` }];
        };
        const stored = hasAttribute(fn, 'safe') ? undefined : findStored(unit, file, fn, judge);
        if (stored !== undefined)
          report({
            messageId: 'stored',
            data: {
              method: fn.name,
              type: type.name,
              as: stored.as,
              what: stored.what,
              target: stored.target,
              place: stored.isObjects === true ? "an object's" : 'the module variable',
              line: lineOf(unit, file, stored.span.start),
            },
            at: { file, span: stored.span },
            steps: declared(stored.what),
            key: `${type.name}.${fn.name}|${stored.target}`,
            // Where the struct is by then, only a constructor knows: not where it will be.
            ...(stored.isObjects === true && fn.kind !== 'constructor'
              ? { severity: 'note' as const, confidence: 'medium' as const }
              : {}),
          });
        const inside = stored === undefined ? findInside(unit, file, fn, type) : undefined;
        if (inside !== undefined)
          report({
            messageId: 'inside',
            data: {
              method: fn.name,
              type: type.name,
              what: inside.what,
              target: inside.target,
              line: lineOf(unit, file, inside.span.start),
            },
            at: { file, span: inside.span },
            steps: declared(inside.what === 'this' ? inside.target : inside.what),
            key: `${type.name}.${fn.name}|${inside.target}`,
            severity: 'note',
            confidence: 'medium',
          });
        const thrown = hasAttribute(fn, 'safe') ? undefined : findThrown(fn, judge);
        if (thrown !== undefined)
          report({
            messageId: 'thrown',
            data: {
              method: fn.name,
              type: type.name,
              what: thrown.what,
              line: lineOf(unit, file, thrown.span.start),
            },
            at: { file, span: thrown.span },
            steps: declared(thrown.what),
            key: `${type.name}.${fn.name}|${thrown.what}`,
          });
        if (fn.kind === 'constructor') continue;
        const shown = isUnchecked(unit, file, fn, type) ? findShown(fn, judge) : undefined;
        if (shown === undefined) continue;
        // Newer compilers say so themselves, as a deprecation.
        const isPointee = hasAttribute(fn, 'return');
        report({
          messageId: isPointee ? 'pointee' : 'shown',
          data: {
            method: fn.name,
            type: type.name,
            as: shown.as,
            what: shown.what,
            line: lineOf(unit, file, shown.span.start),
          },
          at: { file, span: shown.span },
          steps: [
            ...declared(shown.what),
            {
              file,
              span: fn.nameSpan,
              role: 'escape',
              note: isPointee
                ? "'scope return' would tie the result to the struct."
                : "Without 'return' the result is not tied to the struct.",
            },
          ],
          key: `${type.name}.${fn.name}`,
          // A reference is mostly used in the expression that called for it. Records of C go on behind their last field.
          ...(isPointee || shown.as === 'reference' || isTrailing(unit, file, type, fn, shown)
            ? { severity: 'note' as const, confidence: 'medium' as const }
            : {}),
        });
      }
    }
  },
});

/**
 * `char _name; char* name() { return &_name; }` as the last field: where the rest of a record of variable length begins. So does `T[1] _rows`,
 * and a record behind a number that says how many there are.
 */
function isTrailing(unit: UnitFacts, file: FileIr, type: TypeDecl, fn: FunctionIr, { what, as }: Shown): boolean {
  const own = type.fields.filter((field) => !field.isStatic);
  const last = own.at(-1);
  if (last?.name !== what) return false;
  // `char[1] text;` at the end has room for one; what is shown of it is told by a length.
  if (as === 'slice' && last.type?.kind === 'static-array' && last.type.size === '1' && own.length > 1) return true;
  if (as !== 'pointer' || what !== `_${fn.name}`) return false;
  if (last.type?.kind === 'static-array') return last.type.size === '1';
  if (last.type?.kind !== 'path') return false;
  if (own.slice(0, -1).some(({ name }) => COUNTS.test(name))) return true;
  const kind = unit.oracle('d').declaration(last.type.name, file.path)?.kind;
  return kind === undefined || kind === 'alias' || kind === 'enum';
}

/** A field that says how many records follow. A capital has to follow the short names: `nRows`, but not `name` or `next`. */
const COUNTS = /(?:count|Count|COUNT)$|^(?:num|Num|number|Number|n)(?:_?[oO]f)?[A-Z_]|^(?:NUM|NUMBER|N)_/u;

/** No `return`, and none inferred: the compiler infers it for templates and `auto` functions. */
function isUnchecked(unit: UnitFacts, file: FileIr, fn: FunctionIr, type: TypeDecl): boolean {
  if (hasAttribute(fn, 'disable') || hasAttribute(fn, 'safe')) return false;
  if (hasAttribute(fn, 'return') && !bindsOnlyPointee(fn)) return false;
  if (fn.generics.length > 0 || fn.returns === undefined || fn.returns.kind === 'unknown') return false;
  const returned = withoutAlias(fn.returns, unit.oracle('d'), file.path);
  if (fn.returnsRef !== true && returned?.kind === 'path' && SCALAR.test(returned.name)) return false;
  const isTemplate = file.types.some(
    (one) => one.generics.length > 0 && one.span.start <= type.span.start && type.span.end <= one.span.end,
  );
  if (!isTemplate) return true;
  // In a template `return` is inferred unless the function is trusted by hand; there a sibling shows that the author writes it out.
  return (
    fn.trust === 'trusted' && methodsOf(file, type).some((method) => method !== fn && hasAttribute(method, 'return'))
  );
}

/** `return scope`, in this order: the result is tied to what the fields point to, not to the struct. */
function bindsOnlyPointee(fn: FunctionIr): boolean {
  const names = fn.attributes.map((one) => one.name);
  const at = names.indexOf('return');
  return names[at + 1] === 'scope' && fn.returnsRef !== true;
}

/** Tells of an expression whether it is an address in the struct's own memory. */
function judgeOf(unit: UnitFacts, file: FileIr, fn: FunctionIr, type: TypeDecl): (value: Expr) => Shown | undefined {
  const own = declaredIn(fn);
  const isField = (expr: Expr): string | undefined => {
    const name =
      expr.kind === 'name' && expr.path.length === 1
        ? expr.path[0]
        : expr.kind === 'field' && expr.base.kind === 'name' && expr.base.path[0] === 'self'
          ? expr.name
          : undefined;
    if (name === undefined || (expr.kind === 'name' && own.has(name))) return undefined;
    return type.fields.some(
      (field) =>
        field.name === name &&
        !field.isStatic &&
        !field.attributes.some((one) => one.name === 'enum' || one.name === '__gshared'),
    )
      ? name
      : undefined;
  };
  /** The field that an lvalue lies in, as long as no step leaves the struct's own memory. */
  const inside = (expr: Expr): string | undefined => {
    const name = isField(expr);
    if (name !== undefined) return name;
    if (expr.kind === 'name' && expr.path[0] === 'self') return undefined;
    if (expr.kind === 'index') {
      const array = inside(expr.base);
      return array !== undefined && isStaticArray(type, array) && isField(expr.base) !== undefined ? array : undefined;
    }
    if (expr.kind !== 'field') return undefined;
    const outer = isField(expr.base);
    const declared = outer === undefined ? undefined : type.fields.find((field) => field.name === outer)?.type;
    const isValue =
      declared?.kind === 'path' && unit.oracle('d').declaration(declared.name, file.path)?.kind === 'struct';
    const holds =
      isValue &&
      unit
        .oracle('d')
        .declaration(declared.name, file.path)
        ?.fields.some((field) => field.name === expr.name && !field.isStatic);
    return holds === true ? outer : undefined;
  };
  /** As `inside`, through any number of structs and static arrays, with the declared type of what is found. */
  const insideOf = (expr: Expr): { readonly name: string; readonly type: TypeRef | undefined } | undefined => {
    const oracle = unit.oracle('d');
    const name = isField(expr);
    if (name !== undefined) {
      const field = type.fields.find((one) => one.name === name);
      return { name, type: withoutAlias(field?.type, oracle, file.path) };
    }
    if (expr.kind !== 'index' && expr.kind !== 'field') return undefined;
    const outer = insideOf(expr.base);
    if (outer?.type === undefined) return undefined;
    if (expr.kind === 'index')
      return outer.type.kind === 'static-array' ? { name: outer.name, type: outer.type.element } : undefined;
    const decl = outer.type.kind === 'path' ? oracle.declaration(outer.type.name, file.path) : undefined;
    const field = decl?.kind === 'struct' ? decl.fields.find((one) => one.name === expr.name) : undefined;
    return field === undefined || field.isStatic
      ? undefined
      : { name: outer.name, type: withoutAlias(field.type, oracle, file.path) };
  };
  const arrayInside = (expr: Expr): string | undefined => {
    const found = insideOf(expr);
    return found?.type?.kind === 'static-array' ? found.name : undefined;
  };
  const judge = (value: Expr): Shown | undefined => {
    if (value.kind === 'cast') return judge(value.value);
    if (value.kind === 'if' && value.else !== undefined) return judge(value.then) ?? judge(value.else);
    if (value.kind === 'block' && value.block.statements.length === 0 && value.block.result !== undefined)
      return judge(value.block.result);
    if (value.kind === 'address') {
      const isThis = value.base.kind === 'name' && value.base.path[0] === 'self';
      // The delegate of a method has the struct itself as its frame.
      const method = value.base.kind === 'name' && value.base.path.length === 1 ? value.base.path[0] : undefined;
      if (
        method !== undefined &&
        !own.has(method) &&
        methodsOf(file, type).some((one) => one.name === method && one.kind === 'method' && !one.isStatic)
      )
        return { span: value.span, what: method, as: 'delegate' };
      const what = isThis ? 'this' : (inside(value.base) ?? walkedOver(fn, value.base, arrayInside));
      return what === undefined ? undefined : { span: value.span, what, as: 'pointer' };
    }
    // `return Writer(&this);`: a struct or an object that is made with the address.
    if (value.kind === 'call' || value.kind === 'new') {
      const made = value.kind === 'new' ? value.type.name : calledName(value);
      const kind = made === undefined ? undefined : unit.oracle('d').declaration(made, file.path)?.kind;
      if (kind !== 'struct' && kind !== 'class' && kind !== 'alias') return undefined;
      return value.args
        .map((argument, at) =>
          argument.value.kind === 'address' && mayKeep(unit, file, made ?? '', at, value.args.length)
            ? judge(argument.value)
            : undefined,
        )
        .find((shown) => shown?.as === 'pointer');
    }
    const isView = value.kind === 'slice' || (value.kind === 'field' && value.name === 'ptr');
    const base = isView ? insideOf(value.base) : undefined;
    if (base !== undefined)
      return base.type?.kind === 'static-array'
        ? { span: value.span, what: base.name, as: value.kind === 'slice' ? 'slice' : 'pointer' }
        : undefined;
    // `(cast(ubyte*) &this)[0 .. size]`: the bytes of the struct.
    if (value.kind === 'slice' && value.base.kind === 'cast') {
      const bytes = uncast(value.base);
      const shown = bytes.kind === 'address' ? judge(bytes) : undefined;
      return shown?.as === 'pointer' ? { ...shown, span: value.span, as: 'slice' } : undefined;
    }
    if (value.kind === 'slice' && value.base.kind === 'field' && value.base.name === 'ptr') {
      const array = isField(value.base.base);
      return array !== undefined && isStaticArray(type, array)
        ? { span: value.span, what: array, as: 'slice' }
        : undefined;
    }
    const field = fn.returnsRef === true ? isField(value) : undefined;
    if (field !== undefined) return { span: value.span, what: field, as: 'reference' };
    // A sibling that is marked says itself that its result must not outlive the struct.
    const called =
      value.kind === 'name' && value.path.length === 1 && !own.has(value.path[0] ?? '') ? value.path[0] : undefined;
    const sibling = methodsOf(file, type).find(
      (method) => method.name === called && method !== fn && hasAttribute(method, 'return'),
    );
    if (sibling !== undefined && fn.returns?.kind === 'pointer')
      return { span: value.span, what: sibling.name, as: 'pointer' };
    const given = fn.returnsRef === true ? undefined : givenOnce(fn, value);
    const local = given && judge(given);
    if (local !== undefined) return { ...local, span: value.span };
    const whole = isField(value);
    return whole !== undefined && fn.returns?.kind === 'slice' && isStaticArray(type, whole)
      ? { span: value.span, what: whole, as: 'slice' }
      : undefined;
  };
  return judge;
}

/** What a local variable is given where it is declared, and nowhere else: an address or a slice, not a copy of what it shows. */
function givenOnce(fn: FunctionIr, value: Expr): Expr | undefined {
  if (value.kind !== 'name' || value.path.length !== 1 || fn.body === undefined) return undefined;
  const [name] = value.path;
  let given: Expr | undefined;
  let isAgain = fn.params.some((param) => param.name === name);
  walkBody(fn.body, ({ expr, statement }) => {
    if (expr.kind === 'assign' && memberPath(expr.target) === name) isAgain = true;
    if (statement?.kind !== 'let' || statement.init !== expr || statement.pattern.kind !== 'bind') return;
    if (statement.pattern.name !== name) return;
    if (given !== undefined || statement.isStatic === true || statement.type?.kind === 'static-array') isAgain = true;
    given = expr;
  });
  const bare = given && uncast(given);
  const isView = bare?.kind === 'address' || bare?.kind === 'slice' || (bare?.kind === 'field' && bare.name === 'ptr');
  return isView && !isAgain ? given : undefined;
}

/** The field whose elements a loop lends by `ref`: `foreach (ref cell; cells)` for `cell`. */
function walkedOver(fn: FunctionIr, value: Expr, fieldOf: (expr: Expr) => string | undefined): string | undefined {
  if (value.kind !== 'name' || value.path.length !== 1 || fn.body === undefined) return undefined;
  let found: string | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'loop' || expr.iterable === undefined || expr.span.end < value.span.end) return;
    const last = expr.bindings?.at(-1);
    if (last?.byRef !== true || last.pattern.kind !== 'bind' || last.pattern.name !== value.path[0]) return;
    const isInside = expr.span.start <= value.span.start;
    const { iterable } = expr;
    const list = iterable.kind === 'slice' && iterable.from === undefined ? iterable.base : iterable;
    if (isInside) found = fieldOf(list);
  });
  return found;
}

/** `&field` that is assigned to a variable of the module, which is not set to something else in the same function. */
function findStored(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  judge: (value: Expr) => Shown | undefined,
): Stored | undefined {
  let found: Stored | undefined;
  const own = declaredIn(fn);
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'assign' || expr.target.kind !== 'name') return;
    if (expr.operator !== '=' && expr.operator !== '~=') return;
    const [target = ''] = expr.target.path;
    if (found?.target === target && expr.operator === '=') found = undefined;
    if (expr.target.path.length !== 1 || own.has(target) || expr.value.kind !== 'address') return;
    const shown = judge(expr.value);
    const isModules =
      aggregateOf(file, fn)?.fields.some((field) => field.name === target) !== true &&
      unit.oracle('d').global(target, file.path) !== undefined;
    if (expr.operator === '~=' && takesBack(unit, file, fn, target)) return;
    if (shown?.as === 'pointer' && isModules) found = { ...shown, span: expr.span, target };
  });
  return found ?? storedByHelper(unit, file, fn, judge);
}

/** As `findStored`, where a helper that is given the address stores it. */
function storedByHelper(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  judge: (value: Expr) => Shown | undefined,
): Stored | undefined {
  let given: Shown | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'call' || expr.kind === 'method')
      given ??= expr.args
        .map(({ value }) => (value.kind === 'address' ? judge(value) : undefined))
        .find((shown) => shown?.as === 'pointer');
  });
  if (given === undefined) return undefined;
  const kept = unit
    .flowOf(file, fn)
    .escapes.find(
      ({ kind, pointer, into }) =>
        (kind === 'store' || kind === 'collect') &&
        into !== undefined &&
        isElsewhere(unit, file, into) &&
        pointer.how === '&' &&
        pointer.target.root.kind === 'self' &&
        !pointer.target.path.includes('*'),
    );
  const { into } = kept ?? {};
  if (kept === undefined || into === undefined) return undefined;
  const names = [
    ...(into.root.kind === 'self' ? [] : [into.root.name]),
    ...into.path.filter((one) => /^\w/u.test(one)),
  ];
  const isObjects = into.root.kind !== 'global';
  const target = isObjects ? names.join('.') : into.root.name;
  if (takesBack(unit, file, fn, names[0] ?? target)) return undefined;
  return { ...given, span: kept.span, target, isObjects };
}

/** A variable of the module, or memory of an object that is given or that the struct refers to. */
function isElsewhere(unit: UnitFacts, file: FileIr, { root, path }: Place): boolean {
  if (root.kind === 'global') return true;
  const isObject = (name: string | undefined): boolean =>
    name !== undefined && unit.oracle('d').declaration(name, file.path)?.kind === 'class';
  if (root.kind === 'param') return path.length > 0 && isObject(root.type?.name);
  const [first] = path;
  if (root.kind !== 'self' || path.length < 2 || first === undefined) return false;
  const holder = unit.oracle('d').declaration(root.type?.name ?? '', file.path);
  return isObject(holder?.fields.find((field) => field.name === first)?.type?.name);
}

/** `this.self = &this;`, `all ~= &this;` of a field of the struct; `at = room.ptr;`, `view = room[0 .. n];` of one for a static array. */
function findInside(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  type: TypeDecl,
): { readonly span: Span; readonly target: string; readonly what: string } | undefined {
  let found: { readonly span: Span; readonly target: string; readonly what: string } | undefined;
  const own = declaredIn(fn);
  const isOwn = (name: string): boolean =>
    !own.has(name) && type.fields.some((field) => field.name === name && !field.isStatic);
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'assign' || (expr.operator !== '=' && expr.operator !== '~=')) return;
    const target = memberPath(expr.target);
    if (target === undefined) return;
    // Set back before the method ends.
    if (found?.target === target && expr.value.kind === 'literal') found = undefined;
    if (!isOwn(target)) return;
    const isThis =
      expr.value.kind === 'address' && expr.value.base.kind === 'name' && expr.value.base.path[0] === 'self';
    const room = expr.operator === '=' && !isThis ? shownRoom(expr.value) : undefined;
    const what = isThis
      ? 'this'
      : room !== undefined && isOwn(room) && isStaticArray(type, room) && !isStaticArray(type, target)
        ? room
        : undefined;
    if (what === undefined || takesBack(unit, file, fn, target)) return;
    if (what !== 'this' && methodsOf(file, type).some(copies)) return;
    found = { span: expr.span, target, what };
  });
  return found;
}

/** A postblit or a copy constructor. */
function copies({ kind, params }: FunctionIr): boolean {
  return kind === 'postblit' || (kind === 'constructor' && params[0]?.modifiers.includes('ref') === true);
}

/** `room` of `room.ptr`, `room.ptr + n`, `room[0 .. n]`, `room[]` and `&room[i]`. */
function shownRoom(value: Expr): string | undefined {
  const bare = uncast(value);
  if (bare.kind === 'binary' && bare.operator === '+') return shownRoom(bare.left);
  if (bare.kind === 'field' && bare.name === 'ptr') return memberPath(bare.base) ?? shownRoom(bare.base);
  if (bare.kind === 'slice') return memberPath(bare.base);
  return bare.kind === 'address' && bare.base.kind === 'index' ? memberPath(bare.base.base) : undefined;
}

/** `throw new Exception(text[]);` of a static array in the struct. */
function findThrown(fn: WithBody, judge: (value: Expr) => Shown | undefined): Shown | undefined {
  let found: Shown | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'throw' || expr.value.kind !== 'new') return;
    found ??= expr.value.args.map(({ value }) => judge(value)).find((shown) => shown?.as === 'slice');
  });
  return found;
}

/** The struct is taken off the list again when it ends, or can't be copied. */
function takesBack(unit: UnitFacts, file: FileIr, fn: FunctionIr, list: string): boolean {
  const type = aggregateOf(file, fn);
  const text = unit.textOf(file.path) ?? '';
  return (
    type !== undefined &&
    methodsOf(file, type).some(
      ({ kind, attributes, span }) =>
        (kind === 'destructor' && new RegExp(String.raw`\b${list}\b`, 'u').test(text.slice(span.start, span.end))) ||
        (kind === 'postblit' && attributes.some((one) => one.name === 'disable')),
    )
  );
}

function findShown(fn: FunctionIr, judge: (value: Expr) => Shown | undefined): Shown | undefined {
  let found: Shown | undefined;
  if (fn.body === undefined) return undefined;
  if (fn.body.result !== undefined) found = judge(fn.body.result);
  walkBody(fn.body, ({ expr }) => {
    if (found === undefined && expr.kind === 'return' && expr.value !== undefined) found = judge(expr.value);
  });
  return found;
}

function isStaticArray(type: TypeDecl, field: string): boolean {
  return type.fields.find((one) => one.name === field)?.type?.kind === 'static-array';
}
