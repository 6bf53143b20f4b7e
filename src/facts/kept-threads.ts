import type { CargoPackage } from '../model/project.js';
import type { Field, FileIr, TypeDecl, TypeRef } from '../model/ir.js';
import { plainText } from './plain-text.js';
import { isClassDecl } from './threadsafe-functions.js';
import type { UnitFacts } from './unit.js';

/** A field with the handle of a thread, in a value that lives as long as an object of JavaScript or as the process does. */
export interface KeptThread {
  /** The file that declares the field, or the static. */
  readonly file: FileIr;
  /** `Type.field`, or the name of the static. */
  readonly name: string;
}

const HANDLE = /\bJoinHandle\b/u;
const JOINS = /\.\s*join\s*\(\s*\)/u;
const WAITS = /\.\s*(?:join\s*\(\s*\)|(?:recv|recv_timeout|wait)\s*\()/u;
const AT_UNLOAD = /\bdtor\b|\.fini_array|__mod_term_func|\.CRT\$XP|\batexit\s*\(/u;
const ENDS = /^(?:Drop|ObjectFinalize|Finalize)$/u;

/**
 * Handles of threads of the standard library that classes and statics of a crate keep, where no destructor of the crate joins any: a method may
 * join them, but an environment that ends calls none.
 */
export function findKeptThreads(unit: UnitFacts, crate: CargoPackage): readonly KeptThread[] {
  let perCrate = memo.get(unit);
  if (!perCrate) memo.set(unit, (perCrate = new Map<string, readonly KeptThread[]>()));
  let found = perCrate.get(crate.dir);
  if (!found) perCrate.set(crate.dir, (found = find(unit, crate)));
  return found;
}

const memo = new WeakMap<UnitFacts, Map<string, readonly KeptThread[]>>();

function find(unit: UnitFacts, crate: CargoPackage): readonly KeptThread[] {
  const inside = (path: string): boolean => unit.project.cargoPackageOf(path)?.dir === crate.dir;
  const files = unit.filesMatching('rust', HANDLE).filter(({ path }) => inside(path));
  const kept = files.flatMap((file): (KeptThread & { readonly decl?: TypeDecl })[] => [
    ...file.types.flatMap((decl) =>
      decl.kind !== 'struct' || decl.isTest
        ? []
        : decl.fields
            .filter((field) => isThread(file, field.type) && isHeld(unit, decl, inside, 0))
            .map((field: Field) => ({ file, name: `${decl.name}.${field.name}`, decl })),
    ),
    ...file.globals
      .filter((g) => !g.isTest && g.kind !== 'thread-local' && isThread(file, g.type))
      .map((g) => ({ file, name: g.name })),
  ]);
  const ends = /\b(?:Drop|ObjectFinalize|Finalize)\s+for\b|\.\s*join\s*\(\s*\)/u;
  const isJoined =
    kept.length > 0 &&
    joinsAtEnd(
      unit,
      unit.filesMatching('rust', ends).filter((f) => inside(f.path)),
    );
  // A function that runs when the module goes: said by the rule about those.
  const leaves = (file: FileIr): boolean => inside(file.path) && JOINS.test(unit.textOf(file.path) ?? '');
  const isLeft = kept.length > 0 && unit.filesMatching('rust', AT_UNLOAD).some(leaves);
  if (isLeft) return [];
  // What a static holds is never dropped, whatever its destructor would do.
  return isJoined ? kept.filter(({ decl }) => decl !== undefined && isOfStatic(unit, decl, inside, 0)) : kept;
}

/** Whether only a static keeps values of the type, itself or by what holds them, and nothing takes it out of there. */
function isOfStatic(unit: UnitFacts, decl: TypeDecl, inside: (path: string) => boolean, depth: number): boolean {
  if (isClassDecl(decl) || depth > 2) return false;
  const name = new RegExp(`\\b${decl.name}\\b`, 'u');
  const files = unit.filesMatching('rust', name).filter(({ path }) => inside(path));
  const isGlobal = files.some((file) =>
    file.globals.some(
      (g) =>
        !g.isTest &&
        g.kind !== 'thread-local' &&
        name.test(g.type?.text ?? '') &&
        !new RegExp(`\\b${g.name}\\b[^;{}]*\\.\\s*(?:take|remove|clear|drain)\\s*\\(`, 'u').test(
          unit.textOf(file.path) ?? '',
        ),
    ),
  );
  if (isGlobal) return true;
  return files.some((file) =>
    file.types.some(
      (outer) =>
        outer !== decl &&
        !outer.isTest &&
        outer.fields.some((f) => f.type !== undefined && name.test(f.type.text)) &&
        isOfStatic(unit, outer, inside, depth + 1),
    ),
  );
}

function isThread(file: FileIr, type: TypeRef | undefined): boolean {
  const text = type?.text ?? '';
  if (!HANDLE.test(text) || /\b(?:tokio|async_std|smol|task|compio)\s*::/u.test(text)) return false;
  const named = file.imports.find((one) => one.name === 'JoinHandle');
  return named === undefined ? /\bthread\s*::\s*JoinHandle\b/u.test(text) : named.path.includes('thread');
}

/** Whether JavaScript holds values of the type: as a class, in a `JsBox`, or inside of one of these. */
function isHeld(unit: UnitFacts, decl: TypeDecl, inside: (path: string) => boolean, depth: number): boolean {
  if (isClassDecl(decl) || isBoxed(unit, decl.name, inside)) return true;
  if (depth > 2) return false;
  const name = new RegExp(`\\b${decl.name}\\b`, 'u');
  return unit
    .filesMatching('rust', name)
    .filter(({ path }) => inside(path))
    .some(
      (other) =>
        other.globals.some((g) => !g.isTest && g.kind !== 'thread-local' && name.test(g.type?.text ?? '')) ||
        other.types.some(
          (outer) =>
            outer !== decl &&
            !outer.isTest &&
            outer.fields.some((f) => f.type !== undefined && name.test(f.type.text)) &&
            isHeld(unit, outer, inside, depth + 1),
        ),
    );
}

/** `impl Finalize for Watcher {}`: values that a `JsBox` of neon may hold. */
function isBoxed(unit: UnitFacts, name: string, inside: (path: string) => boolean): boolean {
  return unit
    .filesMatching('rust', /\bFinalize\s+for\b/u)
    .some(
      (file) => inside(file.path) && file.impls.some((i) => i.trait?.name === 'Finalize' && i.target.name === name),
    );
}

/** A destructor or finalizer that joins or waits, itself or by functions of the crate that it calls. */
function joinsAtEnd(unit: UnitFacts, files: readonly FileIr[]): boolean {
  const bodies = files.flatMap((file) =>
    file.functions.flatMap((fn) =>
      fn.bodySpan && !fn.isTest ? [{ fn, text: plainText(unit, file, fn.bodySpan) }] : [],
    ),
  );
  const joiners = new Set(bodies.filter(({ text }) => JOINS.test(text)).map(({ fn }) => fn.name));
  const look = (text: string, seen: ReadonlySet<string>): boolean =>
    WAITS.test(text) ||
    [...text.matchAll(/\b(\w+)\s*\(/gu)].some(({ 1: name = '' }) => {
      if (seen.has(name)) return false;
      if (joiners.has(name)) return true;
      return seen.size < 3 && bodies.some((b) => b.fn.name === name && look(b.text, new Set([...seen, name])));
    });
  return bodies.some(({ fn, text }) => fn.trait !== undefined && ENDS.test(fn.trait) && look(text, new Set()));
}
