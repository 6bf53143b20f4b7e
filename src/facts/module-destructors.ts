import type { Expr, FileIr, FunctionIr, GlobalDecl } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { calledName, hasAttribute, hasBody, memberPath, uncast, type WithBody } from './d-code.js';
import type { UnitFacts } from './unit.js';

/** What belongs to all threads, released by a destructor of the module that runs at the end of each. */
export interface ThreadEnd {
  readonly what: string;
  readonly release: string;
  readonly span: Span;
  /** Where it is declared, or set up once. */
  readonly declared: Span;
  /** The destructor of the module. */
  readonly at: Span;
}

/** A variable of the module that is released and keeps its value, and is used by a destructor of the module that runs later. */
export interface LeftBehind {
  readonly what: string;
  readonly release: string;
  readonly span: Span;
  readonly use: Span;
}

const STATIC_DESTRUCTOR = /\bstatic\s*~\s*this\b/u;
const RELEASES =
  /^(?:x?free|pureFree|destroy|delete|dispose|deallocate|fclose|closedir|dlclose|FreeLibrary|\w+_(?:free|destroy|close|delete|release))$/u;
/** What ends a library for the whole process, behind the prefix that what starts it has as well. */
const ENDS_LIBRARY = /^(\w{2,}?)_?(?:[cC]leanup|[uU]ninit\w*|[dD]einit\w*|[qQ]uit|[tT]erminate|[sS]hutdown)$/u;
/** Who asks which thread it is, or counts, knows that others may go on. */
const KNOWS_THREADS = /main_?thread|thread\w*id|getThis|--|-=|\w*count/iu;

function isOwnDestructor(fn: FunctionIr): boolean {
  return fn.kind === 'destructor' && fn.isStatic;
}

/** D: what `static ~this()` releases though it is `__gshared`, `shared` or was set up by `shared static this()`. */
export function findThreadEnds(unit: UnitFacts, read: FileIr): readonly ThreadEnd[] {
  const text = unit.textOf(read.path) ?? '';
  if (!STATIC_DESTRUCTOR.test(text)) return [];
  const isMeant = (fn: FunctionIr): boolean =>
    fn.isStatic && (isOwnDestructor(fn) || (fn.kind === 'static-constructor' && hasAttribute(fn, 'shared')));
  const file = unit.withBodies(read, isMeant);
  const starts = file.functions.filter((fn) => fn.kind === 'static-constructor' && isMeant(fn)).filter(hasBody);
  const found: ThreadEnd[] = [];
  for (const fn of file.functions) {
    if (!isOwnDestructor(fn) || hasAttribute(fn, 'shared') || !hasBody(fn)) continue;
    if (KNOWS_THREADS.test(text.slice(fn.body.span.start, fn.body.span.end))) continue;
    walkBody(fn.body, ({ expr }) => {
      const release = calledName(expr);
      if (release === undefined || (expr.kind !== 'call' && expr.kind !== 'method')) return;
      const global = RELEASES.test(release) ? file.globals.find((one) => isOf(one, subjectsOf(expr))) : undefined;
      if (global?.kind === 'gshared' || global?.kind === 'shared') {
        found.push({ what: global.name, release, span: expr.span, declared: global.nameSpan, at: fn.nameSpan });
        return;
      }
      const prefix = expr.kind === 'call' && expr.args.length === 0 ? ENDS_LIBRARY.exec(release)?.[1] : undefined;
      const start = prefix === undefined ? undefined : startOf(starts, prefix);
      const isOwn = file.functions.some((one) => one.name === release && one.bodySpan !== undefined);
      if (start !== undefined && !isOwn)
        found.push({ what: calledName(start) ?? '', release, span: expr.span, declared: start.span, at: fn.nameSpan });
    });
  }
  return found;
}

function isOf({ name, inFunction }: GlobalDecl, names: readonly string[]): boolean {
  return inFunction === undefined && names.includes(name);
}

/** What a constructor for the whole process calls to start what has the prefix: `WSAStartup` for `WSA`. */
function startOf(constructors: readonly WithBody[], prefix: string): Expr | undefined {
  const starts = new RegExp(`^${prefix}_?(?:[sS]tartup|[sS]tart|[iI]nit(?:ialize)?(?:_\\w+)?|[oO]pen)$`, 'u');
  let found: Expr | undefined;
  for (const { body } of constructors)
    walkBody(body, ({ expr }) => {
      if (starts.test(calledName(expr) ?? '')) found ??= expr;
    });
  return found;
}

/** What a release may be about: the receiver and the arguments, as far as they are names. */
function subjectsOf(expr: Expr): readonly string[] {
  const given =
    expr.kind === 'method'
      ? [expr.receiver, ...expr.args.map(({ value }) => value)]
      : expr.kind === 'call'
        ? expr.args.map(({ value }) => value)
        : [];
  return given.flatMap((one) => memberPath(uncast(one)) ?? []);
}

/** A variable of the module or of one that it imports. */
function globalOf(unit: UnitFacts, file: FileIr, name: string): GlobalDecl | undefined {
  return (
    file.globals.find((one) => one.name === name && one.inFunction === undefined) ??
    unit.oracle('d').global(name, file.path)?.decl
  );
}

/** Text that releases what one of the names says, written in either order. */
function releaseOf(names: string): RegExp {
  return new RegExp(
    `\\b(?:x?free|destroy|delete|dispose|deallocate|\\w+_(?:free|destroy|close|delete|release))\\b[^;]*\\b(?:${names})\\b|\\b(?:${names})\\s*\\.\\s*(?:destroy|free|dispose)\\b`,
    'u',
  );
}

/**
 * D: `backend.destroy();` in a function, or in a destructor of the module that runs before, and `backend.shutdown();` in one that runs
 * later: the variable still leads to what is gone.
 */
export function findLeftBehind(unit: UnitFacts, read: FileIr): readonly LeftBehind[] {
  const text = unit.textOf(read.path) ?? '';
  if (!STATIC_DESTRUCTOR.test(text)) return [];
  const ends = read.functions.filter(isOwnDestructor);
  const inEnds = ends.map(({ span }) => text.slice(span.start, span.end)).join('\n');
  const words = new Set([...inEnds.matchAll(/[A-Za-z_]\w*/gu)].map(([word]) => word));
  const globals = [...words]
    .filter((word) => releaseOf(word).test(text))
    .flatMap((word) => {
      const global = globalOf(unit, read, word);
      return global !== undefined && leadsSomewhere(unit, read, global) ? [global] : [];
    });
  if (globals.length === 0) return [];
  const releasing = releaseOf(globals.map(({ name }) => name).join('|'));
  const isReleasing = (fn: FunctionIr): boolean =>
    fn.parent === undefined && fn.kind !== 'unittest' && releasing.test(text.slice(fn.span.start, fn.span.end));
  if (!read.functions.some(isReleasing)) return [];
  const file = unit.withBodies(read, (fn) => isOwnDestructor(fn) || isReleasing(fn));
  const later = file.functions.filter(isOwnDestructor).filter(hasBody);
  const found: LeftBehind[] = [];
  for (const fn of file.functions) {
    if (!hasBody(fn) || !isReleasing(fn)) continue;
    for (const global of globals) {
      const released = leftReleased(unit, file, fn, global);
      if (released === undefined) continue;
      const assigned = assignedIn(fn);
      for (const end of later) {
        if (end.nameSpan.start === fn.nameSpan.start || (isOwnDestructor(fn) && !runsBefore(fn, end))) continue;
        const use = firstUse(end, global.name, assigned);
        if (use !== undefined) found.push({ what: global.name, ...released, use });
      }
    }
  }
  return found;
}

/** Destructors of the module run from the last to the first, those of the thread before those of the process. */
function runsBefore(one: FunctionIr, other: FunctionIr): boolean {
  const isShared = hasAttribute(one, 'shared');
  if (isShared !== hasAttribute(other, 'shared')) return !isShared;
  return one.span.start > other.span.start;
}

/** A reference to an object, or a pointer: a struct is made anew by `destroy`. */
function leadsSomewhere(unit: UnitFacts, file: FileIr, { type }: GlobalDecl): boolean {
  if (type?.kind === 'pointer') return true;
  return type?.kind === 'path' && unit.oracle('d').declaration(type.name, file.path)?.kind === 'class';
}

/** The release of a variable that the function then leaves as it is. */
function leftReleased(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  { name, type }: GlobalDecl,
): { readonly release: string; readonly span: Span } | undefined {
  let found: { readonly release: string; readonly span: Span } | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'assign' && memberPath(expr.target) === name) found = undefined;
    const release = calledName(expr);
    if (release === undefined || !RELEASES.test(release) || !subjectsOf(expr).includes(name)) return;
    // A method of the class itself may leave the object as good as new.
    const isOwn =
      expr.kind === 'method' &&
      memberPath(expr.receiver) === name &&
      unit.oracle('d').methods(type?.name ?? '', release, file.path).length > 0;
    if (!isOwn && !(expr.kind === 'method' && memberPath(expr.receiver) !== name))
      found ??= { release, span: expr.span };
  });
  return found;
}

function assignedIn(fn: WithBody): ReadonlySet<string> {
  const names = new Set<string>();
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'assign') names.add(memberPath(expr.target) ?? '');
  });
  return names;
}

/** Where a destructor of the module goes through the variable, or releases it; not behind a flag that the releasing function sets. */
function firstUse(end: WithBody, name: string, flags: ReadonlySet<string>): Span | undefined {
  let found: Span | undefined;
  let isSet = false;
  walkBody(end.body, ({ expr, around }) => {
    if (expr.kind === 'assign' && memberPath(expr.target) === name) isSet = true;
    if (found !== undefined || isSet || expr.kind !== 'name' || expr.path.join('.') !== name) return;
    const isBehindFlag = around.some(
      (one) =>
        one.kind === 'if' && memberPath(one.condition) !== undefined && flags.has(memberPath(one.condition) ?? ''),
    );
    if (isBehindFlag) return;
    const parent = around.findLast(({ kind }) => kind !== 'cast');
    const isThrough =
      (parent?.kind === 'method' && uncast(parent.receiver) === expr) ||
      (parent?.kind === 'field' && uncast(parent.base) === expr) ||
      parent?.kind === 'deref' ||
      (parent?.kind === 'call' && RELEASES.test(calledName(parent) ?? ''));
    if (isThrough) found = parent.span;
  });
  return found;
}
