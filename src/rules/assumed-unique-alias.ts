import {
  aggregateOf,
  boundNames,
  calledName,
  declaredIn,
  hasBody,
  heldIn,
  isCallers,
  memberPath,
  onlyInitOf,
  returnedValues,
  rootName,
  subjectOf,
  withBodyOf,
} from '../facts/d-code.js';
import { holdsSlices } from '../facts/containers.js';
import { lentByCall, lentField, libraryText } from '../facts/lent-texts.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, Field, FileIr, FunctionIr, Statement, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const TOKENS = ['assumeUnique', 'cast(string', 'cast(wstring', 'cast(dstring', 'cast(immutable'];

export default defineRule({
  meta: {
    id: 'assumed-unique-alias',
    title: 'Immutable view of memory that somebody else can write',
    summary: 'A slice that others can write is called immutable and leaves the function.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-672', 'CWE-704'],
    messages: {
      written:
        "'{bound}' is an immutable view of '{source}' (line {made}), and '{source}' is written afterwards (line {line}): what is promised never to change does.",
      aliased:
        "'{source}' is {owner} (line {declared}), and {how} {leaves} it as immutable (line {line}): who writes to it later changes what is promised never to change.",
    },
    checklist: 'Is there really no other reference to what is declared immutable?',
    scenarios: ['command'],
  },
  tokens: { d: TOKENS },
  bodyTokens: { d: TOKENS },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      for (const fn of file.functions) {
        if (!hasBody(fn) || fn.kind === 'unittest' || fn.kind === 'closure' || fn.name === 'assumeUnique') continue;
        if (!unit.holds(file, fn, TOKENS)) continue;
        // One finding per function and source, however often it leaves.
        const seen = new Set<string>();
        const judge = (given: Expr, leaves: string | undefined, around: readonly Expr[] = []): void => {
          // `return flag ? cast(string) buffer : "";`
          if (given.kind === 'if' && given.else !== undefined) {
            for (const branch of [given.then, given.else]) judge(valueOfBranch(branch), leaves, around);
            return;
          }
          for (const part of heldIn(unit, file, given)) judge(part, leaves, around);
          const expr = madeView(fn, given) ?? given;
          const seenAs = immutableView(expr);
          if (seenAs === undefined || leaves === undefined) return;
          const shown = shownBy(unit, file, fn, seenAs.source);
          // What another name still shows is not taken from that.
          const view = { ...seenAs, source: shown, takes: seenAs.takes && shown === seenAs.source };
          if (shown !== seenAs.source && isSetAnew(fn, shown)) return;
          if (isHandedOver(fn, shown, expr)) return;
          const owner =
            ownerOf(unit, file, fn, view.source, view.takes, around) ??
            writtenLocal(fn, view, expr, around) ??
            keptLocal(file, fn, view.source, expr) ??
            reusedAppender(unit, file, fn, view.source) ??
            lentOwner(unit, file, fn, view.source);
          const source =
            memberPath(view.source.kind === 'slice' ? view.source.base : view.source) ??
            memberPath(view.source.kind === 'field' ? view.source.base : view.source) ??
            libraryText(view.source) ??
            nameOfPart(view.source);
          if (owner === undefined || source === undefined || seen.has(source)) return;
          seen.add(source);
          report({
            messageId: 'aliased',
            data: {
              source,
              owner: owner.text,
              declared: lineOf(unit, file, owner.span.start),
              how: view.how,
              leaves,
              line: lineOf(unit, file, expr.span.start),
            },
            at: { file, span: expr.span },
            steps: [{ file, span: owner.span, role: 'declare', note: `'${source}' can be written from elsewhere.` }],
            key: `${fn.name}|${source}`,
          });
        };
        if (fn.body.result !== undefined) judge(fn.body.result, 'returns');
        walkBody(fn.body, ({ expr, around, statement }) => {
          if (around.some((outer) => outer.kind === 'closure')) return;
          if (expr.kind === 'return' && expr.value !== undefined) judge(expr.value, 'returns', around);
          else if (isReturnedText(fn, expr, statement)) judge(expr, 'returns', around);
          else if (expr.kind === 'assign') {
            const { target, operator, value } = expr;
            if (target.kind === 'index' && isTable(file, fn, target.base)) judge(target.index, 'stores', around);
            const isKept =
              keeps(file, fn, target, around) || isCallers(fn, memberPath(target)) || isEntry(file, fn, target);
            if (operator === '=') judge(value, isKept ? 'stores' : undefined, around);
            // `names ~= cast(string) name` keeps the slice; a text would copy the characters.
            const isPart = immutableView(value) === undefined;
            if (operator === '~=' && (!isOnlyJoined(fn, target) || isWrittenInLoop(fn, value, around)))
              judge(value, isPart || isListOfSlices(file, fn, target) ? 'stores' : undefined, around);
          } else if (expr.kind === 'call' || expr.kind === 'method') {
            // `send(tid, cast(immutable) work)`, `tid.send(..)`: another thread reads it from now on.
            if (/^(?:send|prioritySend|spawn|spawnLinked)$/u.test(calledName(expr) ?? ''))
              for (const { value } of expr.args) judge(value, 'sends', around);
            // `lines.put(cast(string) text)` of an appender of texts.
            if (expr.kind === 'method' && /^(?:put|insertBack|insertFront)$/u.test(expr.method))
              if (isListOfSlices(file, fn, expr.receiver))
                for (const { value } of expr.args) judge(value, 'stores', around);
          }
        });
        for (const { view, name, bound } of namedViews(fn)) {
          const write = firstWrite(fn, name, view.span.end);
          if (write === undefined || !isNamedAfter(fn, bound, write.end)) continue;
          report({
            messageId: 'written',
            data: {
              source: name,
              made: lineOf(unit, file, view.span.start),
              line: lineOf(unit, file, write.start),
              bound,
            },
            at: { file, span: view.span },
            steps: [
              { file, span: view.span, role: 'borrow', note: `From here on '${name}' is promised never to change.` },
              { file, span: write, role: 'use', note: 'It is written here.' },
            ],
            key: `${fn.name}|${name}`,
          });
        }
      }
    }
  },
});

function valueOfBranch(branch: Expr): Expr {
  return branch.kind === 'block' && branch.block.statements.length === 0 && branch.block.result !== undefined
    ? branch.block.result
    : branch;
}

/** The immutable view in a local that is returned: `auto s = cast(string) buffer; return s;` */
function madeView(fn: FunctionIr, expr: Expr): Expr | undefined {
  const made = onlyInitOf(fn, expr);
  return made !== undefined && immutableView(made) !== undefined ? made : undefined;
}

/** `rows` of `rows[i]`, and the function that lends its field: `text` of `text()`. */
function nameOfPart(source: Expr): string | undefined {
  if (source.kind === 'index') return memberPath(source.base);
  return source.kind === 'call' || source.kind === 'method' ? calledName(source) : undefined;
}

/** An entry of a table, or an element of a list of slices. */
function isEntry(file: FileIr, fn: FunctionIr, target: Expr): boolean {
  if (target.kind !== 'index') return false;
  const type = typeOfMember(file, fn, target.base);
  return (type?.kind === 'assoc-array' || type?.kind === 'slice') && type.element?.kind === 'slice';
}

/** What an expression shows, behind locals that only name it and functions that write into what they are given and show it. */
function shownBy(unit: UnitFacts, file: FileIr, fn: FunctionIr, source: Expr, depth = 0): Expr {
  if (depth > 4) return source;
  const passed = passedThrough(unit, file, source);
  if (passed !== undefined) return shownBy(unit, file, fn, passed, depth + 1);
  const called = source.kind === 'call' || source.kind === 'method' ? calledName(source) : undefined;
  if (called === 'sformat') {
    const given = subjectOf(source);
    return given === undefined ? source : shownBy(unit, file, fn, given, depth + 1);
  }
  if (source.kind === 'slice' && source.base.kind === 'name') {
    const base = shownBy(unit, file, fn, source.base, depth + 1);
    return base === source.base ? source : base;
  }
  const made = onlyInitOf(fn, source) ?? initBesideBranches(fn, source);
  if (made === undefined) return source;
  const isCalled = made.kind === 'call' || made.kind === 'method';
  const isName = memberPath(made) !== undefined || (made.kind === 'slice' && memberPath(made.base) !== undefined);
  if (isCalled ? calledName(made) !== 'sformat' : !isName) return source;
  const shown = shownBy(unit, file, fn, made, depth + 1);
  return isCalled && shown === made ? source : shown;
}

/** The argument that a function of the file gives back a slice of: `digits(n, buffer[])`. */
function passedThrough(unit: UnitFacts, file: FileIr, source: Expr): Expr | undefined {
  if (source.kind !== 'call') return undefined;
  const [only, ...others] = file.functions.filter(
    (one) => one.name === calledName(source) && one.kind === 'function' && one.parent === undefined,
  );
  const callee = only !== undefined && others.length === 0 ? withBodyOf(unit, file, only) : undefined;
  if (callee === undefined) return undefined;
  const names = new Set(
    returnedValues(callee).map((value) => {
      const shown = value.kind === 'slice' ? value.base : value;
      return shown.kind === 'name' && shown.path.length === 1 ? shown.path[0] : undefined;
    }),
  );
  const [name] = names;
  const at = callee.params.findIndex((one) => one.name === name && one.type?.kind === 'slice');
  let isSet = false;
  walkBody(callee.body, ({ expr }) => {
    isSet ||=
      expr.kind === 'assign' &&
      expr.operator === '=' &&
      memberPath(expr.target) === name &&
      rootName(expr.value) !== name;
  });
  return names.size === 1 && at >= 0 && !isSet ? source.args[at]?.value : undefined;
}

/**
 * What a local was declared as when it is only set to something else on some ways: `char[] result = path; if (..) result = path.dup;`. One that
 * both branches set is set anew.
 */
function initBesideBranches(fn: FunctionIr, expr: Expr): Expr | undefined {
  const name = expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
  if (name === undefined || fn.body === undefined) return undefined;
  let made: Expr | undefined;
  let isAnew = false;
  walkBody(fn.body, ({ expr: one, around, statement }) => {
    if (statement?.kind === 'let' && statement.init === one && statement.pattern.kind === 'bind')
      if (statement.pattern.name === name) {
        isAnew ||= made !== undefined || statement.type?.kind === 'static-array';
        made = one;
      }
    if (one.kind !== 'assign' || one.operator !== '=' || one.span.end > expr.span.start) return;
    if (one.target.kind !== 'name' || one.target.path[0] !== name || rootName(one.value) === name) return;
    const branch = around.find((outer) => outer.kind === 'if' || outer.kind === 'match' || outer.kind === 'loop');
    if (branch === undefined || branch.kind === 'match' || (branch.kind === 'if' && branch.else !== undefined))
      isAnew = true;
  });
  const isShown = made !== undefined && (made.kind === 'name' || made.kind === 'slice' || made.kind === 'field');
  return isAnew || !isShown ? undefined : made;
}

/** `auto text = this.buffer; this.buffer = null;`: the local has it alone. */
function isSetAnew(fn: FunctionIr, shown: Expr): boolean {
  const name = memberPath(shown.kind === 'slice' ? shown.base : shown);
  let isSet = false;
  if (name !== undefined && fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      isSet ||= expr.kind === 'assign' && expr.operator === '=' && memberPath(expr.target) === name;
    });
  return isSet;
}

/** `tid.send(cast(immutable) batch); batch = null;`: the field starts anew behind it. */
function isHandedOver(fn: FunctionIr, shown: Expr, view: Expr): boolean {
  const name = memberPath(shown);
  let is = false;
  if (name !== undefined && fn.body !== undefined && !fn.params.some((one) => one.name === name))
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'assign' || expr.operator !== '=' || expr.span.start < view.span.end) return;
      if (memberPath(expr.target) !== name) return;
      const { value } = expr;
      is ||=
        value.kind === 'new' ||
        value.kind === 'array' ||
        (value.kind === 'literal' && value.type === 'null') ||
        (value.kind === 'field' && value.name === 'init');
    });
  return is;
}

/** A local that is stored where others find it, as it is or as a slice, in the same function. */
function keptLocal(
  file: FileIr,
  fn: FunctionIr,
  source: Expr,
  view: Expr,
): { readonly text: string; readonly span: Span } | undefined {
  const name = localOf(fn, source);
  if (name === undefined || fn.body === undefined) return undefined;
  let kept: Span | undefined;
  let isRenewed = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'assign' || expr.span.start > view.span.start) return;
    if (expr.target.kind === 'name' && expr.target.path[0] === name && expr.operator === '=') isRenewed = true;
    const value = expr.value.kind === 'slice' ? expr.value.base : expr.value;
    if (value.kind !== 'name' || value.path.length !== 1 || value.path[0] !== name) return;
    const isKept =
      expr.operator === '='
        ? expr.target.kind !== 'slice' && keeps(file, fn, expr.target, around)
        : expr.operator === '~=' && isListOfSlices(file, fn, expr.target) && keeps(file, fn, expr.target, around);
    if (!isKept) return;
    // A field that is a static array, or a text, takes a copy.
    const type = typeOfMember(file, fn, expr.target);
    if (expr.operator === '=' && (type?.kind !== 'slice' || !isWritable(type))) return;
    kept = expr.span;
    isRenewed = false;
  });
  return kept === undefined || isRenewed ? undefined : { text: 'stored elsewhere, too', span: kept };
}

/** `app.data` of a field that is an appender and is emptied to be filled again: it goes on in the same block. */
function reusedAppender(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  source: Expr,
): { readonly text: string; readonly span: Span } | undefined {
  const shown =
    source.kind === 'field' && source.name === 'data'
      ? source.base
      : source.kind === 'slice' && source.from === undefined
        ? source.base
        : undefined;
  const name = shown === undefined ? undefined : memberPath(shown);
  if (name === undefined || declaredIn(fn).has(name)) return undefined;
  const field = fieldAt(file, fn, name) ?? file.globals.find((one) => one.name === name);
  if (field?.type?.kind !== 'path' || !/^(?:Ref)?Appender$/u.test(field.type.name)) return undefined;
  const empties = new RegExp(`\\b${name}\\s*\\.\\s*(?:clear|shrinkTo)\\b`, 'u');
  return empties.test(unit.textOf(file.path) ?? '')
    ? { text: 'emptied and filled again in the same block', span: field.span }
    : undefined;
}

/** Local variables that are set to an immutable view of another one. */
function namedViews(fn: FunctionIr): readonly { view: Expr; name: string; bound: string }[] {
  const found: { view: Expr; name: string; bound: string }[] = [];
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, statement }) => {
      if (statement?.kind !== 'let' || statement.init !== expr || statement.pattern.kind !== 'bind') return;
      const view = immutableView(expr);
      const name = view === undefined || view.takes ? undefined : localOf(fn, view.source);
      if (name !== undefined) found.push({ view: expr, name, bound: statement.pattern.name });
    });
  return found;
}

/** The local array or slice whose elements an expression shows; not one of immutable elements. */
function localOf(fn: FunctionIr, source: Expr): string | undefined {
  const inner = source.kind === 'slice' ? source.base : source;
  const name = inner.kind === 'name' && inner.path.length === 1 ? inner.path[0] : undefined;
  return name !== undefined && declaredIn(fn).has(name) && !fn.params.some((p) => p.name === name) ? name : undefined;
}

/** The first write to an element of the variable behind a place in the source, if the variable was not set anew before. */
function firstWrite(fn: FunctionIr, name: string, after: number): Span | undefined {
  let found: Span | undefined;
  let isSet = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'assign' || expr.span.start < after || found !== undefined || isSet) return;
      if (expr.target.kind === 'name' && expr.target.path[0] === name) isSet = expr.operator === '=';
      const { target } = expr;
      if ((target.kind === 'index' || target.kind === 'slice') && rootName(target.base) === name) found = expr.span;
    });
  return found;
}

function isNamedAfter(fn: FunctionIr, name: string, after: number): boolean {
  let isNamed = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      isNamed ||= expr.kind === 'name' && expr.path[0] === name && expr.span.start >= after;
    });
  return isNamed;
}

/** `string name = cast(string) setlocale(..).fromStringz();`, which the function returns later. */
function isReturnedText(fn: FunctionIr, expr: Expr, statement: Statement | undefined): boolean {
  if (statement?.kind !== 'let' || statement.init !== expr || statement.pattern.kind !== 'bind') return false;
  const { name } = statement.pattern;
  const view = immutableView(expr);
  if (view === undefined || libraryText(view.source) === undefined) return false;
  return returnedValues(fn).some((value) => value.kind === 'name' && value.path[0] === name);
}

/** A buffer of the C library, or one of the object that a method of its own lends. */
function lentOwner(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  source: Expr,
): { readonly text: string; readonly span: Span } | undefined {
  if (libraryText(source) !== undefined)
    return { text: 'in a buffer of the C library, which its next call writes', span: source.span };
  const name = localOf(fn, source);
  const lent = name === undefined ? lentByCall(unit, file, fn, source) : lentField(unit, file, fn, name);
  return lent && { text: `a slice of the field '${lent.field}', which '${lent.method}' lends`, span: lent.span };
}

/** A local buffer from outside of the loop around the view, in which the loop writes again. */
function writtenLocal(
  fn: FunctionIr,
  view: { readonly source: Expr; readonly takes: boolean },
  expr: Expr,
  around: readonly Expr[],
): { readonly text: string; readonly span: Span } | undefined {
  const name = view.takes ? undefined : localOf(fn, view.source);
  const write = name === undefined ? undefined : writeInLoop(name, expr, around);
  return write && { text: 'written again in every round', span: write };
}

/** Whether the loop around a view writes into what the view shows, be it a local or not, so that every round shows the same. */
function isWrittenInLoop(fn: FunctionIr, value: Expr, around: readonly Expr[]): boolean {
  const view = immutableView(value);
  if (view === undefined || view.takes) return false;
  const name = localOf(fn, view.source) ?? memberPath(view.source.kind === 'slice' ? view.source.base : view.source);
  return name !== undefined && writeInLoop(name, value, around) !== undefined;
}

/** Where the loop around an expression writes into an array from outside of it, that it does not set anew. */
function writeInLoop(name: string, expr: Expr, around: readonly Expr[]): Span | undefined {
  const loop = around.find((outer) => outer.kind === 'loop');
  if (loop?.kind !== 'loop' || boundNames(loop).includes(name)) return undefined;
  let write: Span | undefined;
  let isSet = false;
  walkBody(loop.body, ({ expr: one }) => {
    if (one.kind !== 'assign' || one === expr) return;
    if (one.target.kind === 'name' && one.target.path[0] === name && one.operator === '=') isSet = true;
    if ((one.target.kind === 'index' || one.target.kind === 'slice') && rootName(one.target.base) === name)
      write = one.span;
  });
  return isSet ? undefined : write;
}

function typeOfMember(file: FileIr, fn: FunctionIr, expr: Expr): TypeRef | undefined {
  const name = memberPath(expr);
  if (name === undefined) return undefined;
  let local: TypeRef | undefined;
  for (const statement of fn.body?.statements ?? [])
    if (statement.kind === 'let' && statement.pattern.kind === 'bind' && statement.pattern.name === name)
      local = statement.type;
  return (
    local ??
    fn.params.find((one) => one.name === name)?.type ??
    aggregateOf(file, fn)?.fields.find((one) => one.name === name)?.type ??
    file.globals.find((one) => one.name === name && one.inFunction === undefined)?.type
  );
}

function isListOfSlices(file: FileIr, fn: FunctionIr, target: Expr): boolean {
  return holdsSlices(typeOfMember(file, fn, target)) === true;
}

/** A local list of which the function makes a new text (`labels.join(".")`), and does nothing else with it but add to it. */
function isOnlyJoined(fn: FunctionIr, target: Expr): boolean {
  const name = target.kind === 'name' && target.path.length === 1 ? target.path[0] : undefined;
  if (name === undefined || fn.body === undefined || fn.params.some((one) => one.name === name)) return false;
  if (!declaredIn(fn).has(name)) return false;
  let isJoined = false;
  let isElse = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'name' || expr.path.length !== 1 || expr.path[0] !== name) return;
    const parent = around.at(-1);
    if (parent?.kind === 'assign' && parent.target === expr) return;
    const called = parent?.kind === 'field' ? parent.name : parent === undefined ? undefined : calledName(parent);
    if (called === 'join') isJoined = true;
    else if (called !== 'length' && called !== 'empty') isElse = true;
  });
  return isJoined && !isElse;
}

/** A table whose keys are texts. */
function isTable(file: FileIr, fn: FunctionIr, base: Expr): boolean {
  return typeOfMember(file, fn, base)?.kind === 'assoc-array';
}

/** Functions of the standard library that give back a text as it is, or a part of it, where they find nothing to do. */
const UNCHANGED = /^(?:strip|stripLeft|stripRight|chomp|chompPrefix|chop|toLower|toUpper|replace|representation)$/u;

/** `x.to!string`, `to!string(x)`, `text(x)`, which copy no text that is a string already. */
function isToText(expr: Expr): boolean {
  if (expr.kind !== 'call' && expr.kind !== 'method') return false;
  const types =
    expr.kind === 'method' ? expr.typeArgs : expr.callee.kind === 'name' ? (expr.callee.typeArgs ?? []) : [];
  const name = calledName(expr);
  if (name === 'text') return expr.kind === 'call' ? expr.args.length === 1 : expr.args.length === 0;
  return name === 'to' && types[0]?.text === 'string';
}

/** `assumeUnique(x)`, `cast(string) x`, `cast(immutable(T)[]) x`, `cast(immutable) x`. */
function immutableView(
  expr: Expr,
): { readonly source: Expr; readonly how: string; readonly takes: boolean } | undefined {
  // `*cast(string*) &x`
  if (expr.kind === 'deref' && expr.base.kind === 'cast' && expr.base.type.kind === 'pointer') {
    const { value, type } = expr.base;
    const isText = /^[wd]?string$/u.test(type.element?.name ?? '') || /^immutable\b/u.test(type.element?.text ?? '');
    return isText && value.kind === 'address' ? { source: value.base, how: 'the cast', takes: false } : undefined;
  }
  // `cast(immutable(T)*) &list[0]`, `cast(immutable(char)*) text.ptr`
  if (expr.kind === 'cast' && expr.type.kind === 'pointer' && /^immutable\b/u.test(expr.type.text)) {
    const { value } = expr;
    const base =
      value.kind === 'address' ? value.base : value.kind === 'field' && value.name === 'ptr' ? value : undefined;
    const source = base?.kind === 'index' || base?.kind === 'field' ? base.base : undefined;
    return source === undefined ? undefined : { source, how: 'the cast', takes: false };
  }
  if (expr.kind === 'cast') {
    const isImmutable = /^(?:w|d)?string$/u.test(expr.type.text) || /^immutable\b/u.test(expr.type.text);
    return isImmutable && (expr.type.kind === 'slice' || expr.type.text === 'immutable')
      ? { source: expr.value, how: 'the cast', takes: false }
      : undefined;
  }
  if (expr.kind === 'slice') return immutableView(expr.base);
  const name = expr.kind === 'field' ? expr.name : calledName(expr);
  // What gives back its argument where it has nothing to change: `(cast(string) name).to!string`, `toLower(cast(string) name)`.
  if (name !== undefined && (UNCHANGED.test(name) || isToText(expr))) {
    const inner = subjectOf(expr);
    const view = inner === undefined ? undefined : immutableView(inner);
    return view && { ...view, takes: false };
  }
  // `fromStringz(cast(immutable) text)` shows what the cast calls immutable.
  if (name === 'fromStringz' && expr.kind === 'call' && expr.args[0] !== undefined) {
    const given = expr.args[0].value;
    return given.kind === 'cast' && given.type.text === 'immutable' ? immutableView(given) : undefined;
  }
  if (name !== 'assumeUnique') return undefined;
  const source = subjectOf(expr);
  // Of an lvalue it empties the variable; a slice of one stays writable.
  return source === undefined ? undefined : { source, how: "'assumeUnique'", takes: source.kind !== 'slice' };
}

function ownerOf(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  source: Expr,
  takes: boolean,
  around: readonly Expr[],
): { readonly text: string; readonly span: FunctionIr['span'] } | undefined {
  const inner = source.kind === 'slice' ? source.base : source;
  const part = partOwner(file, fn, inner, around);
  if (part !== undefined) return part;
  const name = memberPath(inner);
  if (name === undefined) return undefined;
  const param = fn.params.find((one) => one.name === name);
  if (param !== undefined)
    return isWritable(param.type) &&
      !param.modifiers.includes('immutable') &&
      !(param.modifiers.includes('ref') && (takes || isEmptied(fn, name, source.span)))
      ? { text: "a slice of the caller's", span: param.span }
      : undefined;
  if (takes) return undefined;
  const inWith = fieldOfWith(file, fn, name, around);
  if (inWith === undefined && declaredIn(fn).has(name.split('.')[0] ?? '')) return staticBuffer(fn, name);
  const field = inWith ?? fieldAt(file, fn, name);
  if (field === undefined) {
    const global = file.globals.find((one) => one.name === name && one.inFunction === undefined);
    return global !== undefined && isWritable(global.type)
      ? { text: 'a variable of the module', span: global.nameSpan }
      : undefined;
  }
  if (field.type?.kind === 'path' && isMutableObject(unit, file, field.type))
    return { text: 'an object that its owner writes', span: field.span };
  return isWritable(field.type) ? { text: 'a field', span: field.span } : undefined;
}

/** `array = null;` of a parameter by `ref`, after the cast: the caller gives up what becomes immutable, as with `assumeUnique`. */
function isEmptied(fn: FunctionIr, name: string, cast: FunctionIr['span']): boolean {
  const holds = (span: FunctionIr['span'] | undefined): boolean =>
    span !== undefined && span.start <= cast.start && cast.end <= span.end;
  let is = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, around }) => {
      if (expr.kind !== 'assign' || expr.operator !== '=' || memberPath(expr.target) !== name) return;
      if (expr.span.start < cast.end || expr.value.kind !== 'literal' || expr.value.type !== 'null') return;
      is ||= around.every((outer) =>
        outer.kind === 'if'
          ? holds(expr.span.end <= outer.then.span.end ? outer.then.span : outer.else?.span)
          : outer.kind !== 'match' && holds(outer.span),
      );
    });
  return is;
}

/** A class with a field that may be written. */
function isMutableObject(unit: UnitFacts, file: FileIr, type: TypeRef): boolean {
  const decl = unit.oracle('d').declaration(type.name, file.path);
  return (
    decl?.kind === 'class' &&
    !/^(?:immutable|const)\b/u.test(type.text) &&
    decl.fields.some(
      (field) => !field.isStatic && !field.attributes.some((one) => /^(?:immutable|const|shared)$/u.test(one.name)),
    )
  );
}

/** `rows[i]`, or `row` in `foreach (row; rows)`, of a list or table of slices that can be written, which is a field or the caller's. */
function partOwner(
  file: FileIr,
  fn: FunctionIr,
  inner: Expr,
  around: readonly Expr[],
): { readonly text: string; readonly span: FunctionIr['span'] } | undefined {
  let base = inner.kind === 'index' ? inner.base : undefined;
  if (inner.kind === 'name' && inner.path.length === 1)
    for (const loop of around)
      if (loop.kind === 'loop' && loop.form === 'foreach' && loop.iterable !== undefined) {
        const last = loop.bindings?.at(-1)?.pattern;
        if (last?.kind === 'bind' && last.name === inner.path[0]) base = loop.iterable;
      }
  const name = base === undefined ? undefined : memberPath(base);
  if (name === undefined) return undefined;
  const param = fn.params.find((one) => one.name === name);
  const field =
    param === undefined && !declaredIn(fn).has(name.split('.')[0] ?? '') ? fieldAt(file, fn, name) : undefined;
  const type = param?.type ?? field?.type;
  const isList = (type?.kind === 'slice' || type?.kind === 'assoc-array') && isWritable(type.element);
  const owner = param ?? field;
  if (!isList || owner === undefined || /\b(?:immutable)\b/u.test(type.text)) return undefined;
  return {
    text: param === undefined ? 'a field with slices that can be written' : "a list of the caller's slices",
    span: owner.span,
  };
}

/** `static char[32] buffer;` in the function: each call writes it anew. */
function staticBuffer(fn: FunctionIr, name: string): { readonly text: string; readonly span: Span } | undefined {
  for (const statement of fn.body?.statements ?? [])
    if (statement.kind === 'let' && statement.isStatic === true && statement.pattern.kind === 'bind')
      if (statement.pattern.name === name && isWritable(statement.type))
        return { text: 'the same for every call', span: statement.pattern.span };
  return undefined;
}

/** An array whose elements can be written by this or another name: anything but immutable. */
function isWritable(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'slice' && type?.kind !== 'static-array') return false;
  return (
    !(type.qualifiers?.includes('immutable') ?? false) && !(type.element?.qualifiers?.includes('immutable') ?? false)
  );
}

/** The field that a path from a member leads to: `buffer`, `last.buffer` where `last` is of a type of the file. */
function fieldAt(file: FileIr, fn: FunctionIr, path: string): Field | undefined {
  const [first = '', ...rest] = path.split('.');
  let field = aggregateOf(file, fn)?.fields.find((one) => one.name === first);
  for (const name of rest) {
    const type = field?.type;
    const decl = type?.kind === 'path' ? file.types.find((one) => one.name === type.name) : undefined;
    field = decl?.fields.find((one) => one.name === name);
  }
  return field;
}

/** What a name means inside of `with (last) { .. }`: a field of `last`, where it has one of the name. */
function fieldOfWith(file: FileIr, fn: FunctionIr, name: string, around: readonly Expr[]): Field | undefined {
  for (const outer of around.toReversed()) {
    const subject =
      outer.kind === 'block' && outer.flavour === 'with' && outer.subject ? memberPath(outer.subject) : undefined;
    const field = subject === undefined ? undefined : fieldAt(file, fn, `${subject}.${name}`);
    if (field !== undefined) return field;
  }
  return undefined;
}

function keeps(file: FileIr, fn: FunctionIr, target: Expr, around: readonly Expr[]): boolean {
  const name = memberPath(target);
  if (name === undefined) return false;
  if (fieldOfWith(file, fn, name, around) !== undefined) return true;
  const head = name.split('.')[0] ?? '';
  if (declaredIn(fn).has(head)) return false;
  return (
    aggregateOf(file, fn)?.fields.some((field) => field.name === head) === true ||
    file.globals.some((global) => global.name === head && global.inFunction === undefined)
  );
}
