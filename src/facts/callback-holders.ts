/** Types of a package that hold strong threadsafe functions for as long as they live, with nothing that lets go of them. */
import { isEmptiedByGuard, TAKES } from './emptied-by-guard.js';
import { declaringFile, hasDrop } from './declarations.js';
import { findAlias, isClassDecl, isStrong, napiAttribute } from './threadsafe-functions.js';
import type { UnitFacts } from './unit.js';
import type { Field, FileIr, TypeDecl, TypeRef } from '../model/ir.js';

interface InnerField {
  readonly file: FileIr;
  readonly field: Field;
}

export interface CallbackHolder {
  readonly file: FileIr;
  readonly decl: TypeDecl;
  /** The fields that hold a callback, or something of the package that does. */
  readonly fields: readonly Field[];
  /** Fields of other types of the package that are the callbacks, with the one of these fields that leads there. */
  readonly inner: readonly (InnerField & { readonly of: Field })[];
  /** How long it lives, as the end of a sentence. */
  readonly life: 'class' | 'adapter';
}

/** Behind these a value lives as long as what holds them. */
const CONTAINERS =
  /^(?:Option|Vec|VecDeque|HashMap|BTreeMap|IndexMap|FxHashMap|AHashMap|DashMap|Arc|Rc|Box|Mutex|RwLock|RefCell|Cell|OnceCell|OnceLock|ArcSwap|ArcSwapOption|Either\d*)$/u;

/**
 * Classes of JavaScript, and types that implement a trait of somebody else with what JavaScript gave them (a plugin, a logger, a
 * handler), when a field holds a strong threadsafe function and nothing in the files of the type takes it out, unreferences or aborts it.
 */
export function findCallbackHolders(unit: UnitFacts): readonly CallbackHolder[] {
  const found = new Map<TypeDecl, CallbackHolder>();
  const seen = new Set<TypeDecl>();
  const look = (file: FileIr, depth: number): void => {
    for (const decl of file.types) {
      if (decl.kind !== 'struct' || decl.isTest || seen.has(decl)) continue;
      const fields = decl.fields.filter((f) => holdsStrong(unit, file, decl.name, f, 0));
      if (fields.length === 0) continue;
      seen.add(decl);
      if (letsGo(unit, file, decl.name)) continue;
      const life = isClassDecl(decl) ? 'class' : isAdapter(unit, decl) ? 'adapter' : undefined;
      if (life !== undefined)
        found.set(decl, {
          file,
          decl,
          fields,
          inner: fields.flatMap((of) => innerFields(unit, file, of, 0).map((one) => ({ ...one, of }))),
          life,
        });
      // A record of callbacks is held by what has a field for it, in a file that may not name callbacks at all.
      else if (depth < 2)
        for (const other of unit.filesMatching('rust', new RegExp(`\\b${decl.name}\\b`, 'u')))
          if (other !== file) look(other, depth + 1);
    }
  };
  for (const file of unit.filesOf('rust')) look(file, 0);
  return [...found.values()];
}

/** Whether a field keeps a strong callback; one that is taken out by name somewhere does not count. */
function holdsStrong(unit: UnitFacts, file: FileIr, owner: string, field: Field, depth: number): boolean {
  return (
    field.type !== undefined && carries(unit, file, field.type, depth) && !isTakenOut(unit, file, owner, field.name)
  );
}

/** The strong callbacks behind a field whose own type is none: those of the struct that it holds, and of what that holds. */
function innerFields(unit: UnitFacts, file: FileIr, field: Field, depth: number): readonly InnerField[] {
  const decl = field.type && structBehind(unit, file, field.type, 0);
  if (!decl || depth > 3) return [];
  return decl.item.fields
    .filter((f) => holdsStrong(unit, decl.file, decl.item.name, f, depth))
    .flatMap((f) => {
      const deeper = innerFields(unit, decl.file, f, depth + 1);
      return deeper.length > 0 ? deeper : [{ file: decl.file, field: f }];
    });
}

/** What has a callback in it: a record, or the payload of a variant. */
const HOLDS: ReadonlySet<TypeDecl['kind']> = new Set(['struct', 'enum']);

/** The struct or enum of the package that a type names, behind pointers, locks and aliases, unless a callback is in sight first. */
function structBehind(
  unit: UnitFacts,
  file: FileIr,
  type: TypeRef,
  depth: number,
): { readonly file: FileIr; readonly item: TypeDecl } | undefined {
  if (depth > 5 || type.kind !== 'path' || isStrong(unit, file, type, false)) return undefined;
  if (CONTAINERS.test(type.name))
    return type.args.map((a) => structBehind(unit, file, a, depth + 1)).find((found) => found !== undefined);
  const alias = findAlias(unit, file, type);
  if (alias) return structBehind(unit, alias.file, alias.type, depth + 1);
  const item = unit.oracle('rust').declaration(type.name, file.path);
  const declaring = item && HOLDS.has(item.kind) ? declaringFile(unit, file, item) : undefined;
  return item && declaring ? { file: declaring, item } : undefined;
}

function carries(unit: UnitFacts, file: FileIr, type: TypeRef, depth: number): boolean {
  if (depth > 5 || type.kind !== 'path') return false;
  if (isStrong(unit, file, type, false)) return true;
  if (CONTAINERS.test(type.name)) return type.args.some((a) => carries(unit, file, a, depth + 1));
  const alias = findAlias(unit, file, type);
  if (alias) return carries(unit, alias.file, alias.type, depth + 1);
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  const declaring = decl && HOLDS.has(decl.kind) ? declaringFile(unit, file, decl) : undefined;
  // A class is a holder of its own.
  if (!decl || !declaring || isClassDecl(decl) || letsGo(unit, declaring, decl.name)) return false;
  const known = carriers.get(decl) ?? new Map<number, boolean>();
  carriers.set(decl, known);
  let answer = known.get(depth);
  if (answer === undefined) {
    answer = decl.fields.some((f) => holdsStrong(unit, declaring, decl.name, f, depth + 1));
    known.set(depth, answer);
  }
  return answer;
}

/** What is known of a type that is met at a depth: types that name each other by several fields are gone through once. */
const carriers = new WeakMap<TypeDecl, Map<number, boolean>>();

/** `Drop` by hand, or a call that makes some callback weak or ends it in the files of the type: who wrote that has thought of it. */
export function letsGo(unit: UnitFacts, file: FileIr, name: string): boolean {
  return hasDrop(unit, name) || filesOf(unit, file, name).some((text) => /\.\s*(?:unref|abort)\s*\(/u.test(text));
}

/** Whether the files of a type take what is in one of its fields out of it, or drop it. */
export function isTakenOut(unit: UnitFacts, file: FileIr, owner: string, field: string): boolean {
  const name = `\\b${field}\\b(?:\\s*\\.\\s*\\w+\\s*\\([^()]*\\)\\??)*`;
  const out = new RegExp(
    `${name}\\s*\\.\\s*(?:${TAKES})\\s*\\(|${name}\\s*=\\s*None\\b|drop\\s*\\(\\s*self\\.${field}|mem::(?:take|replace)\\s*\\([^;]*\\b${field}\\b`,
    'u',
  );
  return filesOf(unit, file, owner).some((text) => out.test(text) || isEmptiedByGuard(text, field));
}

function filesOf(unit: UnitFacts, file: FileIr, name: string): readonly string[] {
  const paths = new Set([file.path, ...unit.implsOf(name).map((i) => i.file.path)]);
  return [...paths].map((path) => unit.textOf(path) ?? '');
}

/** Traits that say what can be done with a value, not who keeps it. */
const NO_ROLE =
  /^(?:Task|ScopedTask|Drop|Clone|Debug|Display|Default|Deref|DerefMut|From|Into|TryFrom|TryInto|FromNapiValue|ToNapiValue|TypeName|ValidateNapiValue|ObjectFinalize|Send|Sync|Unpin|Read|Write|Seek|BufRead|AsyncRead|AsyncWrite|Iterator|Future|Stream|Fn|FnMut|FnOnce|Serialize|Deserialize|AsRef|Borrow)$/u;

/**
 * A type that plays a part in a trait which uses `&self`, and is shared: an options object that JavaScript fills in, or a value
 * that some file of the type wraps in an `Arc`. One that is used and dropped within a call is not.
 */
function isAdapter(unit: UnitFacts, decl: TypeDecl): boolean {
  const plays = unit.implsOf(decl.name).some(({ item }) => item.trait !== undefined && !NO_ROLE.test(item.trait.name));
  if (!plays) return false;
  if (napiAttribute(decl) !== undefined) return true;
  const shared = new RegExp(`\\bArc::new\\s*\\(\\s*${decl.name}\\b`, 'u');
  const bound = new RegExp(`\\blet\\s+(?:mut\\s+)?(\\w+)\\s*=\\s*${decl.name}\\s*(?:\\{|::new)`, 'u');
  return unit.filesMatching('rust', new RegExp(`\\b${decl.name}\\b`, 'u')).some((other) => {
    const text = unit.textOf(other.path) ?? '';
    if (shared.test(text)) return true;
    const name = bound.exec(text)?.[1];
    return name !== undefined && new RegExp(`\\bArc::new\\s*\\(\\s*${name}\\s*\\)`, 'u').test(text);
  });
}
