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
const KNOWS_THREADS = /main_?thread|thread\w*id|getThis|--|-=|\w*count|atomic|\bcas\s*\(/iu;

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
  const thread = file.functions.filter(({ kind }) => kind === 'static-constructor').filter((fn) => !isMeant(fn));
  const found: ThreadEnd[] = [];
  for (const fn of file.functions) {
    if (!isOwnDestructor(fn) || hasAttribute(fn, 'shared') || !hasBody(fn)) continue;
    if (KNOWS_THREADS.test(text.slice(fn.body.span.start, fn.body.span.end))) continue;
    walkBody(fn.body, ({ expr, around }) => {
      const release = calledName(expr);
      if (release === undefined || (expr.kind !== 'call' && expr.kind !== 'method')) return;
      const subject = RELEASES.test(release) ? subjectOf(expr) : undefined;
      const global = file.globals.find((one) => one.name === subject && one.inFunction === undefined);
      // Another condition than whether it is there may tell the last thread from others, and what each thread sets up it may end.
      if (around.some((one) => one.kind === 'if' && !isAbout(text, one.condition, subject ?? ''))) return;
      if (thread.some((one) => isSetIn(text, one, subject ?? release))) return;
      if (global?.kind === 'gshared' || global?.kind === 'shared') {
        found.push({ what: global.name, release, span: expr.span, declared: global.nameSpan, at: fn.nameSpan });
        return;
      }
      const prefix = expr.kind === 'call' && expr.args.length === 0 ? ENDS_LIBRARY.exec(release)?.[1] : undefined;
      const start = prefix === undefined ? undefined : startOf(starts, prefix);
      const isOwn = file.functions.some((one) => one.name === release && one.bodySpan !== undefined);
      if (start !== undefined && thread.some((one) => isSetIn(text, one, calledName(start) ?? ''))) return;
      if (start !== undefined && !isOwn)
        found.push({ what: calledName(start) ?? '', release, span: expr.span, declared: start.span, at: fn.nameSpan });
    });
  }
  return found;
}

/** Whether a condition only asks whether the variable is there. */
function isAbout(text: string, condition: Expr, name: string): boolean {
  const written = text.slice(condition.span.start, condition.span.end);
  return new RegExp(`^\\s*${name}(?:\\s*!?is\\s*null|\\s*!=\\s*null)?\\s*$`, 'u').test(
    written.replace(/^\(|\)$/gu, ''),
  );
}

/** Whether the text of a function sets what has the name, or calls it. */
function isSetIn(text: string, { span }: FunctionIr, name: string): boolean {
  return new RegExp(`\\b${name}\\s*(?:=[^=]|\\()`, 'u').test(text.slice(span.start, span.end));
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

/** What a release is about: its one argument, or the receiver of one without. With more of them one is the pool that it goes back to. */
function subjectOf(expr: Expr): string | undefined {
  if (expr.kind !== 'call' && expr.kind !== 'method') return undefined;
  if (expr.args.length > 1) return undefined;
  const given = expr.args[0]?.value ?? (expr.kind === 'method' ? expr.receiver : undefined);
  return given === undefined ? undefined : memberPath(uncast(given));
}

/** A variable of the module or of one that it imports. */
function globalOf(unit: UnitFacts, file: FileIr, name: string): GlobalDecl | undefined {
  return (
    file.globals.find((one) => one.name === name && one.inFunction === undefined) ??
    unit.oracle('d').global(name, file.path)?.decl
  );
}

/** Text that releases something, `free(x)` or `x.destroy()`, with the words that it may be about. */
const RELEASING =
  /\b(?:x?free|destroy|delete|dispose|deallocate|\w+_(?:free|destroy|close|delete|release))\b([^;\n]{0,80})|\b(\w+)\s*\.\s*(?:destroy|free|dispose)\b/gu;

/** The words that stand in what releases something in a text. */
function releasedWords(text: string): ReadonlySet<string> {
  return new Set(
    [...text.matchAll(RELEASING)].flatMap(([, given = '', receiver = '']) => [
      receiver,
      ...(given.match(/[A-Za-z_]\w*/gu) ?? []),
    ]),
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
  const released = releasedWords(text);
  const globals = [...words]
    .filter((word) => released.has(word))
    .flatMap((word) => {
      const global = globalOf(unit, read, word);
      return global !== undefined && leadsSomewhere(unit, read, global) ? [global] : [];
    });
  // A module of tables and generated code: what is asked grows with the product.
  if (globals.length === 0 || globals.length * ends.length > 200) return [];
  const isReleasing = (fn: FunctionIr): boolean => {
    if (fn.parent !== undefined || fn.kind === 'unittest') return false;
    const own = releasedWords(text.slice(fn.span.start, fn.span.end));
    return globals.some(({ name }) => own.has(name));
  };
  const releasers = new Set(read.functions.filter(isReleasing).map(({ nameSpan }) => nameSpan.start));
  if (releasers.size === 0) return [];
  const isReleaser = ({ nameSpan }: FunctionIr): boolean => releasers.has(nameSpan.start);
  const file = unit.withBodies(read, (fn) => isOwnDestructor(fn) || isReleaser(fn));
  const later = file.functions.filter(isOwnDestructor).filter(hasBody);
  const found: LeftBehind[] = [];
  for (const fn of file.functions) {
    if (!hasBody(fn) || !isReleaser(fn)) continue;
    for (const global of globals) {
      if (isHidden(unit, file, fn, global.name)) continue;
      const released = leftReleased(unit, file, fn, global);
      if (released === undefined || isSetAgain(text, file, fn, released.span, global.name)) continue;
      const assigned = assignedIn(fn);
      for (const end of later) {
        if (end.nameSpan.start === fn.nameSpan.start || (isOwnDestructor(fn) && !runsBefore(fn, end))) continue;
        // One of the two may be all that is built.
        if (fn.conditions.length + end.conditions.length > 0) continue;
        const use = firstUse(text, end, global.name, assigned);
        if (use !== undefined) found.push({ what: global.name, ...released, use });
      }
    }
  }
  return found;
}

/** The name is that of a parameter, a variable of the function or a member of its type. */
function isHidden(unit: UnitFacts, file: FileIr, fn: WithBody, name: string): boolean {
  if (fn.params.some((one) => one.name === name)) return true;
  if (fn.owner !== undefined && file.types.some((type) => type.fields.some((field) => field.name === name)))
    return true;
  const text = (unit.textOf(file.path) ?? '').slice(fn.body.span.start, fn.body.span.end);
  // `int* cache = ..;`, `foreach (cache; all)`, `(cache) => ..`
  return new RegExp(
    `[\\w\\])*!]\\s+${name}\\s*(?:=[^=]|;)(?<!\\b(?:return|delete|throw)\\s+${name}\\s*;)|\\*\\s*${name}\\s*=[^=]|\\bforeach(?:_reverse)?\\s*\\([^;()]*\\b${name}\\s*[;,]|\\(\\s*${name}\\s*\\)\\s*=>`,
    'u',
  ).test(text);
}

/** Behind the release a function is called that sets the variable, or that may set it because it is given it. */
function isSetAgain(text: string, file: FileIr, fn: WithBody, released: Span, name: string): boolean {
  const after = text.slice(released.end, fn.body.span.end);
  if (new RegExp(`\\w\\s*\\([^()]*\\b${name}\\b`, 'u').test(after)) return true;
  const called = new Set([...after.matchAll(/(\w+)\s*\(/gu)].map(([, word]) => word));
  return file.functions.some((one) => called.has(one.name) && isSetIn(text, one, name));
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
    if (release === undefined || !RELEASES.test(release) || subjectOf(expr) !== name) return;
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

/** Where a destructor of the module goes through the variable, or releases it; not where it asks for what the releasing function sets. */
function firstUse(text: string, end: WithBody, name: string, flags: ReadonlySet<string>): Span | undefined {
  const words = text.slice(end.body.span.start, end.body.span.end).match(/[\w.]+/gu) ?? [];
  if (words.some((word) => word !== name && flags.has(word))) return undefined;
  let found: Span | undefined;
  let isSet = false;
  walkBody(end.body, ({ expr, around }) => {
    if (expr.kind === 'assign' && memberPath(expr.target) === name) isSet = true;
    if (found !== undefined || isSet || expr.kind !== 'name' || expr.path.join('.') !== name) return;
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
