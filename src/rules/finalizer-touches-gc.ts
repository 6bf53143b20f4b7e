import {
  aggregateOf,
  calledName,
  hasAttribute,
  hasBody,
  memberPath,
  methodsOf,
  readAround,
  subjectOf,
  walkDeep,
  type WithBody,
} from '../facts/d-code.js';
import { constantFlags, isExcluded, NO_FLAGS, type Flags } from '../facts/constant-flags.js';
import { withoutCount } from '../flow/types.js';
import { lineOf } from '../facts/lines.js';
import { mixedDestructors, templateOf, type Mixer } from '../facts/mixed-in.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

/** Functions of the library that allocate from the collector or write formatted text. */
const ALLOCATING = new Set([
  'format', 'text', 'writeln', 'writefln', 'idup', 'dup', 'toStringz', 'toUTF16z', 'toUTFz', 'join', 'array', 'rmdirRecurse', 'mkdirRecurse', 'buildPath', 'enforce',
  'stop_all', 'thread_joinAll', 'uninitializedArray',
]); // prettier-ignore

/** Those of them that no member has as its name. */
const COPYING = /^(?:toStringz|toUTF16z|toUTFz|i?dup)$/u;

interface Touch {
  readonly span: Span;
  readonly what: string;
  /** Calls from the destructor to the function that does it. */
  readonly through: readonly { readonly span: Span; readonly name: string }[];
  readonly file: FileIr;
}

/** Classes of the library that are made by `new`. */
const LIBRARY_CLASSES = new Set([
  'Mutex',
  'Condition',
  'Semaphore',
  'ReadWriteMutex',
  'Socket',
  'TcpSocket',
  'UdpSocket',
  'TaskPool',
]);

const DESTRUCTOR = /~\s*this\b/u;

export default defineRule({
  meta: {
    id: 'finalizer-touches-gc',
    title: 'Finalizer touches the collector',
    summary:
      'The destructor of a class allocates, throws, locks or uses members that the collector may have freed before.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-413'],
    messages: {
      touches:
        "The destructor of class '{type}' {what} (line {line}{through}): when the collector runs it, allocation is forbidden and members may be gone already.",
    },
    checklist: 'Does the destructor work when the collector runs it, after its members were freed?',
    scenarios: ['command'],
  },
  tokens: { d: ['~this'] },
  requires: { d: ['class'] },
  bodyTokens: { d: [DESTRUCTOR] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const read of unit.filesOf('d')) {
      const finalizers = read.functions.filter(
        (fn) =>
          fn.kind === 'destructor' && (aggregateOf(read, fn)?.kind === 'class' || templateOf(read, fn) !== undefined),
      );
      if (finalizers.length === 0) continue;
      // What a destructor calls is followed, and what that calls.
      const file = readAround(unit, read, finalizers);
      for (const { fn, type, mixer } of finalizersOf(unit, file)) {
        if (hasAttribute(fn, 'nogc') || isInDebugBlock(unit, file, type, fn)) continue;
        const touch = findTouch(unit, file, type, fn, 0, NO_FLAGS);
        if (touch === undefined) continue;
        const steps: ReportStep[] = [
          ...(mixer === undefined
            ? []
            : [
                {
                  file: mixer.file,
                  span: mixer.item.nameSpan,
                  role: 'declare' as const,
                  note: `'${mixer.item.name}' mixes in '${type.name}', which brings the destructor.`,
                },
              ]),
          ...touch.through.map((call): ReportStep => ({
            file,
            span: call.span,
            role: 'use',
            note: `'${call.name}' is called here.`,
          })),
          { file: touch.file, span: touch.span, role: 'use', note: `The finalizer ${touch.what} here.` },
        ];
        report({
          messageId: 'touches',
          data: {
            type: mixer?.item.name ?? type.name,
            what: touch.what,
            line: lineOf(unit, touch.file, touch.span.start),
            through:
              touch.through.length > 0 ? `, through '${touch.through.map((call) => call.name).join("', '")}'` : '',
          },
          at: { file, span: fn.nameSpan },
          steps,
          key: mixer?.item.name ?? type.name,
        });
      }
    }
  },
});

/** A destructor of a class; `type` is what it stands in, with the members that it sees. */
interface Finalizer {
  readonly fn: WithBody;
  readonly type: TypeDecl;
  /** The class that gets it by a mixin. */
  readonly mixer?: Mixer;
}

function finalizersOf(unit: UnitFacts, file: FileIr): readonly Finalizer[] {
  const own = file.functions.flatMap((fn) => {
    const type = fn.kind === 'destructor' && !fn.isStatic && hasBody(fn) ? aggregateOf(file, fn) : undefined;
    return type?.kind === 'class' && hasBody(fn) ? [{ fn, type }] : [];
  });
  // What one class shows holds for all that mix the template in.
  const mixed = mixedDestructors(unit, file, 'class').flatMap(({ template, destructor, into: [mixer] }) => {
    // The template asks what it is mixed into, or has members of whatever it is given.
    const text = (unit.textOf(file.path) ?? '').slice(template.span.start, template.span.end);
    const isOfGiven = template.fields.some((field) => template.generics.some(({ name }) => field.type?.name === name));
    if (mixer === undefined || isOfGiven || /\bis\s*\(\s*typeof\s*\(\s*this/u.test(text)) return [];
    return [{ fn: destructor, type: { ...template, fields: [...template.fields, ...mixer.item.fields] }, mixer }];
  });
  return [...own, ...mixed];
}

/** `debug { ~this() { .. } }`, `debug(Names) ~this() { .. }`: no build that is shipped has this destructor. */
function isInDebugBlock(unit: UnitFacts, file: FileIr, type: TypeDecl, fn: FunctionIr): boolean {
  const before = (unit.textOf(file.path) ?? '').slice(type.span.start, fn.span.start);
  const DEBUG = /\bdebug\s*(?:\([^()]*\))?\s*$/u;
  if (DEBUG.test(before)) return true;
  let depth = 0;
  for (let at = before.length - 1; at > 0; at--) {
    if (before[at] === '}') depth++;
    else if (before[at] === '{' && depth-- === 0) {
      if (DEBUG.test(before.slice(Math.max(0, at - 80), at))) return true;
      depth = 0;
    }
  }
  return false;
}

/** The first thing that a finalizer must not do, in the function or in a method of the same class that it calls. */
function findTouch(
  unit: UnitFacts,
  file: FileIr,
  type: TypeDecl,
  fn: WithBody,
  depth: number,
  flags: Flags,
): Touch | undefined {
  const text = unit.textOf(file.path) ?? '';
  // Whoever asks whether the collector runs the destructor has thought of it.
  if (/\binFinalizer\b|\bthread_isMainThread\b/u.test(text.slice(fn.span.start, fn.span.end))) return undefined;
  let found: Touch | undefined;
  const keep = (span: Span, what: string): void => {
    if (found === undefined || span.start < found.span.start) found = { span, what, through: [], file };
  };
  const calls: { readonly span: Span; readonly name: string; readonly callee: FunctionIr; readonly flags: Flags }[] =
    [];
  const methods = methodsOf(file, type);
  walkDeep(file, fn, (walked, inside) => {
    const { expr, around } = walked;
    if (around.some(isDebugOnly)) return;
    // A closure is called whenever somebody likes, and may shadow the flag.
    if (inside === fn && isExcluded(fn, walked, flags)) return;
    const what = forbidden(unit, file, type, expr);
    if (what !== undefined) keep(expr.span, what);
    const name =
      expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.path.length === 1
        ? expr.callee.path[0]
        : undefined;
    const own =
      name ??
      (expr.kind === 'method' && expr.receiver.kind === 'name' && expr.receiver.path[0] === 'self'
        ? expr.method
        : undefined) ??
      checkerOf(file, expr);
    if (own === undefined) return;
    const fitting = (methods.some((one) => one.name === own) ? methods : inheritedMethods(file, type)).filter(
      (method) => method.name === own && hasBody(method),
    );
    const free =
      fitting.length > 0
        ? fitting
        : file.functions.filter((one) => one.name === own && one.owner === undefined && one.parent === undefined);
    const callee = free.length === 1 ? free[0] : undefined;
    if (callee === undefined || callee === fn) return;
    const args = expr.kind === 'call' || expr.kind === 'method' ? expr.args : [];
    calls.push({ span: expr.span, name: own, callee, flags: constantFlags(text, callee, args, flags) });
  });
  if (found !== undefined || depth >= 2) return found;
  for (const call of calls) {
    if (!hasBody(call.callee) || hasAttribute(call.callee, 'nogc')) continue;
    const inner = findTouch(unit, file, type, call.callee, depth + 1, call.flags);
    if (inner !== undefined) return { ...inner, through: [{ span: call.span, name: call.name }, ...inner.through] };
  }
  return undefined;
}

/** What checks the result of a call of C, a template of the file: `device_free(handle).assertSuccess()`. */
function checkerOf(file: FileIr, expr: Expr): string | undefined {
  if (expr.kind !== 'method' || expr.receiver.kind !== 'call') return undefined;
  const { method } = expr;
  const isTemplate = (one: FunctionIr): boolean => one.owner === undefined && one.generics.length > 0;
  return file.functions.some((one) => one.name === method && isTemplate(one)) ? method : undefined;
}

/** Methods of the base classes that stand in the same file. */
function inheritedMethods(file: FileIr, type: TypeDecl): readonly FunctionIr[] {
  const bases = file.types.filter((one) => one.kind === 'class' && one !== type && type.bases.includes(one.name));
  return bases.flatMap((base) => methodsOf(file, base));
}

function forbidden(unit: UnitFacts, file: FileIr, type: TypeDecl, expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'new':
      return `allocates '${expr.type.name === '' ? expr.type.text : expr.type.name}' by 'new'`;
    case 'throw':
      return 'throws';
    case 'assign': {
      if (expr.operator === '~=')
        return memberPath(expr.target) === undefined ? undefined : `appends to '${memberPath(expr.target) ?? ''}'`;
      const kept = expr.operator === '=' && isThis(expr.value) ? memberPath(expr.target) : undefined;
      if (kept !== undefined && unit.oracle('d').global(kept, file.path) !== undefined)
        return `stores the object itself in '${kept}', where it stays when it is gone`;
      const table = expr.target.kind === 'index' ? memberPath(expr.target.base) : undefined;
      return table !== undefined && isTable(unit, file, type, table)
        ? `puts an entry into the associative array '${table}'`
        : undefined;
    }
    case 'binary':
      return expr.operator === '~' && !isFolded(expr) ? "joins arrays by '~'" : undefined;
    case 'block':
      return expr.flavour === 'synchronized' ? 'takes a lock' : undefined;
    case 'call':
    case 'method': {
      const name = calledName(expr);
      if (name === undefined) return undefined;
      // `join()` without a subject: the class is a thread itself. `words.join()` makes a text.
      if (
        name === 'join' &&
        expr.args.length === 0 &&
        (expr.kind === 'call' || (expr.kind === 'method' && isThread(type, expr.receiver)))
      )
        return 'waits for a thread';
      if (ALLOCATING.has(name)) return `calls '${name}', which allocates`;
      if (name === 'destroy' || name === 'delete') {
        const given = subjectOf(expr);
        const destroyed = given === undefined ? undefined : objectMember(unit, file, type, given);
        if (destroyed !== undefined) return `destroys its member '${destroyed}', an object of the collector`;
      }
      if (expr.kind === 'call') {
        const member = memberPath(expr.callee);
        const field = type.fields.find((one) => one.name === member && !one.isStatic);
        return field?.type?.kind === 'delegate'
          ? `calls the delegate '${field.name}', whose frame may be an object of the collector`
          : undefined;
      }
      if (/^(?:remove|clear|rehash)$/u.test(name)) {
        const table = memberPath(expr.receiver);
        const isOwn = type.fields.some(
          (one) => one.name === table && !one.isStatic && isTableType(unit, file, one.type),
        );
        if (isOwn || (table !== undefined && name !== 'clear' && isTable(unit, file, type, table)))
          return `changes the associative array '${table ?? ''}'`;
      }
      if (name === 'lock' && expr.args.length === 0) return 'takes a lock';
      const stream = /^(?:close|detach)$/u.test(name) ? memberPath(expr.receiver) : undefined;
      if (type.fields.some((one) => one.name === stream && !one.isStatic && one.type?.name === 'File'))
        return `closes the file '${stream ?? ''}', which makes an exception when it fails`;
      const member = objectMember(unit, file, type, expr.receiver);
      return member === undefined ? undefined : `uses its member '${member}', an object of the collector`;
    }
    case 'field': {
      // Called without parentheses.
      if (COPYING.test(expr.name)) return `calls '${expr.name}', which allocates`;
      const member = objectMember(unit, file, type, expr.base);
      return member === undefined ? undefined : `uses its member '${member}', an object of the collector`;
    }
    case 'loop': {
      const member = expr.iterable === undefined ? undefined : memberPath(expr.iterable);
      const field = member === undefined ? undefined : type.fields.find((one) => one.name === member && !one.isStatic);
      if (field && isTableType(unit, file, field.type)) return `reads the associative array '${field.name}'`;
      return field?.type?.kind === 'slice' &&
        !isMadeElsewhere(unit, file, type, field.name) &&
        (isCollected(unit, file, type, field.name) || isOfObjects(unit, file, field.type))
        ? `reads the array '${field.name}' of the collector`
        : undefined;
    }
    default:
      return undefined;
  }
}

/** Texts that the compiler joins: `"in " ~ typeof(this).stringof ~ "\n"`. */
function isFolded(expr: Expr): boolean {
  if (expr.kind === 'binary') return expr.operator === '~' && isFolded(expr.left) && isFolded(expr.right);
  if (expr.kind === 'literal') return true;
  return (
    (expr.kind === 'field' && expr.name === 'stringof') ||
    (expr.kind === 'unknown' && expr.children.length === 0 && /\.\s*stringof$/u.test(expr.syntax))
  );
}

/** `this`, also by a cast. */
function isThis(expr: Expr): boolean {
  if (expr.kind === 'cast') return isThis(expr.value);
  return expr.kind === 'name' && expr.path.length === 1 && expr.path[0] === 'self';
}

/** A member or a variable of a module that is an associative array. */
function isTable(unit: UnitFacts, file: FileIr, type: TypeDecl, name: string): boolean {
  const field = type.fields.find((one) => one.name === name);
  return isTableType(unit, file, field?.type ?? unit.oracle('d').global(name, file.path)?.decl.type);
}

/** An associative array; `T[count]` looks like one, where the count is a constant. */
function isTableType(unit: UnitFacts, file: FileIr, type: TypeRef | undefined): boolean {
  return withoutCount(type, unit.oracle('d'), file.path)?.kind === 'assoc-array';
}

/** An array of references to objects, in a file that does not make its objects by hand. */
function isOfObjects(unit: UnitFacts, file: FileIr, { element }: TypeRef): boolean {
  if (element?.kind !== 'path' || BY_HAND.test(unit.textOf(file.path) ?? '')) return false;
  return unit.oracle('d').declaration(element.name, file.path)?.kind === 'class';
}

/** How libraries make and delete objects outside the collector; `new` has another spelling. */
const BY_HAND = /\b(?:New|nogc_new|mallocNew|mallocEmplace)!|\b(?:Delete|nogc_delete|destroyFree)\s*\(/u;

/**
 * `roots = Mem.alloc!Roots();`, `left = allocate!Node(key);`, `watchers = pool.makeArray!Watcher(n);`: the class makes the member by an
 * allocator, and sets it to nothing else. The allocators of threads and processes use the collector, as may a maker of the file.
 */
function isMadeElsewhere(unit: UnitFacts, file: FileIr, type: TypeDecl, member: string): boolean {
  const text = unit.textOf(file.path) ?? '';
  if (/\bGCAllocator\b|\b(?:the|process)Allocator\b/u.test(text)) return false;
  const set = new RegExp(`\\b${member}\\s*=(?!=|\\s*null\\b)\\s*((?:[\\w.]+\\.)?(\\w+)\\s*!)?`, 'gu');
  const own = new Set(['null', 'is', ...type.fields.map(({ name }) => name)]);
  const body = text.slice(type.span.start, type.span.end);
  const makers = [...body.matchAll(set)].flatMap((match) => {
    // `parent.left = left !is null ? left : right;` hands on what another one of the kind has.
    const value = body.slice(match.index + member.length).split(';', 1)[0] ?? '';
    const isHandedOn = body[match.index - 1] === '.' && (value.match(/\w+/gu) ?? []).every((word) => own.has(word));
    return isHandedOn ? [] : [match[2]];
  });
  return (
    makers.length > 0 &&
    makers.every((maker) => maker !== undefined && MAKES.test(maker) && !makesByNew(file, text, maker)) &&
    !new RegExp(`\\.\\s*${member}\\s*=\\s*(?:\\(*\\s*cast\\s*\\([^()]*\\)\\s*)?new\\b`, 'u').test(text)
  );
}

const MAKES = /^(?:alloc|allocate|make|makeArray)$/u;

/** A function of the file of that name that asks the collector. */
function makesByNew(file: FileIr, text: string, name: string): boolean {
  return file.functions.some((fn) => fn.name === name && /\bnew\b/u.test(text.slice(fn.span.start, fn.span.end)));
}

/**
 * The member of the class that an expression names, when it is a reference to an object. In a file that makes and deletes its
 * objects by hand they are not the collector's.
 */
function objectMember(unit: UnitFacts, file: FileIr, type: TypeDecl, expr: Expr): string | undefined {
  if (BY_HAND.test(unit.textOf(file.path) ?? '')) return undefined;
  const member = memberPath(expr);
  const field = member === undefined ? undefined : type.fields.find((one) => one.name === member && !one.isStatic);
  if (field?.type?.kind !== 'path') return undefined;
  if (isMadeElsewhere(unit, file, type, field.name)) return undefined;
  const declared = unit.oracle('d').declaration(field.type.name, file.path);
  if (declared && isForeignObject(unit, file, declared)) return undefined;
  const kind = declared?.kind;
  return kind === 'class' || kind === 'interface' || (kind === undefined && LIBRARY_CLASSES.has(field.type.name))
    ? field.name
    : undefined;
}

/**
 * Objects that another language made: classes and interfaces of C++ and Objective-C, and interfaces of COM, which begin with `IUnknown` and
 * are counted by hand.
 */
function isForeignObject(unit: UnitFacts, file: FileIr, declared: TypeDecl): boolean {
  const oracle = unit.oracle('d');
  let type: TypeDecl | undefined = declared;
  for (let i = 0; type && i < 8; i++) {
    const abi = type.attributes.find(({ name }) => name === 'extern')?.args?.trim() ?? '';
    if (/^Objective-C/u.test(abi)) return true;
    // A class of C++ that has a constructor here may be made by `new` of D.
    const isMadeHere = oracle.methods(type.name, 'this', file.path).some(({ fn }) => fn.body ?? fn.skipped);
    if (/^(?:C\+\+|Windows|System)/u.test(abi) && !isMadeHere) return true;
    if (/^(?:IUnknown|IDispatch|ComObject)$/u.test(type.name)) return true;
    if (type.bases.some((base) => base === 'IUnknown')) return true;
    const [base]: readonly string[] = type.bases;
    type = base === undefined ? undefined : oracle.declaration(base, file.path);
  }
  return false;
}

function isThread(type: TypeDecl, expr: Expr): boolean {
  const member = memberPath(expr);
  return type.fields.some((one) => one.name === member && one.type?.name === 'Thread');
}

/** Whether a method of the class appends to the array, or makes it by 'new': then its memory is the collector's. */
function isCollected(unit: UnitFacts, file: FileIr, type: TypeDecl, name: string): boolean {
  const text = unit.textOf(file.path) ?? '';
  const made = new RegExp(`\\b${name}\\s*(?:~=|=\\s*new\\b|\\.\\s*length\\s*=[^=])`, 'u');
  return made.test(text.slice(type.span.start, type.span.end));
}

function isDebugOnly(expr: Expr): boolean {
  // An assertion's message is made only when the program ends anyway.
  return (
    isDebugBuild(expr) ||
    (expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.path[0] === 'assert') ||
    (expr.kind === 'unknown' && expr.syntax.includes('assert'))
  );
}

/** `debug { .. }`, `version (MemoryDebug) { .. }`: what no build that is shipped does. */
function isDebugBuild(expr: Expr): boolean {
  if (expr.kind !== 'if' || expr.isStatic !== true || expr.condition.kind !== 'name') return false;
  const [word, version = ''] = expr.condition.path;
  return word === 'debug' || (word === 'version' && /(?:debug|trace|verbose)/iu.test(version));
}
