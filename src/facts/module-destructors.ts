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
  if (globals.length === 0) return [];
  const isReleasing = (fn: FunctionIr): boolean => {
    if (fn.parent !== undefined || fn.kind === 'unittest') return false;
    const own = releasedWords(text.slice(fn.span.start, fn.span.end));
    return globals.some(({ name }) => own.has(name));
  };
  const releasers = new Set(read.functions.filter(isReleasing).map(({ nameSpan }) => nameSpan.start));
  if (releasers.size === 0) return [];
  const isReleaser = ({ nameSpan }: FunctionIr): boolean => releasers.has(nameSpan.start);
  const file = unit.withBodies(read, (fn) => isOwnDestructor(fn) || isReleaser(fn));
  const names = new Set(globals.map(({ name }) => name));
  // Of two with conditions one may be all that is built.
  const later = file.functions
    .filter((fn) => isOwnDestructor(fn) && fn.conditions.length === 0)
    .filter(hasBody)
    .map((end) => ({ end, uses: firstUses(end, names), words: wordsOf(text, end.body.span) }));
  const found: LeftBehind[] = [];
  // One finding for each use, whoever else releases what it goes to.
  const told = new Set<number>();
  for (const fn of file.functions) {
    if (!hasBody(fn) || !isReleaser(fn) || fn.conditions.length > 0) continue;
    const { releases, assigned } = leftReleased(unit, file, fn, globals);
    for (const [name, released] of releases) {
      if (isHidden(unit, file, fn, name) || isSetAgain(text, file, fn, released.span, name)) continue;
      for (const { end, uses, words: asked } of later) {
        const use = uses.get(name);
        if (use === undefined || told.has(use.start) || end.nameSpan.start === fn.nameSpan.start) continue;
        if (isOwnDestructor(fn) && !runsBefore(fn, end)) continue;
        // It asks for what the releasing function sets.
        if ([...assigned].some((flag) => flag !== name && asked.has(flag))) continue;
        told.add(use.start);
        found.push({ what: name, ...released, use });
      }
    }
  }
  return found;
}

/** Names, with their members, in a part of a text. */
function wordsOf(text: string, { start, end }: Span): ReadonlySet<string> {
  return new Set(text.slice(start, end).match(/[\w.]+/gu));
}

/** The name is that of a parameter or variable of the function, or, in a method, of a member of any type of the file: it may be inherited. */
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

/** The releases of variables that the function then leaves as they are, by name, and all that it sets. */
function leftReleased(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  globals: readonly GlobalDecl[],
): {
  readonly releases: ReadonlyMap<string, { readonly release: string; readonly span: Span }>;
  readonly assigned: ReadonlySet<string>;
} {
  const byName = new Map(globals.map((global) => [global.name, global]));
  const releases = new Map<string, { readonly release: string; readonly span: Span }>();
  const assigned = new Set<string>();
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'assign') {
      const target = memberPath(expr.target) ?? '';
      assigned.add(target);
      releases.delete(target);
    }
    const release = calledName(expr);
    const global = release !== undefined && RELEASES.test(release) ? byName.get(subjectOf(expr) ?? '') : undefined;
    if (release === undefined || global === undefined || releases.has(global.name)) return;
    // What is given to a method goes back to its object; a method of the class itself may leave it as good as new.
    const isBack = expr.kind === 'method' && memberPath(expr.receiver) !== global.name;
    const isOwn =
      expr.kind === 'method' && unit.oracle('d').methods(global.type?.name ?? '', release, file.path).length > 0;
    if (!isBack && !isOwn) releases.set(global.name, { release, span: expr.span });
  });
  return { releases, assigned };
}

/** Where a destructor of the module first goes through each of the variables, or releases it, unless it has set it before. */
function firstUses(end: WithBody, names: ReadonlySet<string>): ReadonlyMap<string, Span> {
  const uses = new Map<string, Span>();
  const set = new Set<string>();
  walkBody(end.body, ({ expr, around }) => {
    if (expr.kind === 'assign') set.add(memberPath(expr.target) ?? '');
    const name = expr.kind === 'name' ? expr.path.join('.') : '';
    if (!names.has(name) || uses.has(name) || set.has(name)) return;
    const parent = around.findLast(({ kind }) => kind !== 'cast');
    const isThrough =
      (parent?.kind === 'method' && uncast(parent.receiver) === expr) ||
      (parent?.kind === 'field' && uncast(parent.base) === expr) ||
      parent?.kind === 'deref' ||
      (parent?.kind === 'call' && RELEASES.test(calledName(parent) ?? ''));
    if (isThrough) uses.set(name, parent.span);
  });
  return uses;
}
