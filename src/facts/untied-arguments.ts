import type { FileIr, FunctionIr, Generic, Param, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { implAround } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** A result whose lifetime says nothing of an argument that it may point into. */
export interface UntiedArgument {
  readonly type: TypeRef;
  readonly lifetime: string;
  /** The argument that is left out. */
  readonly parameter: string;
  /** Where a pointer into the argument is taken or given away. */
  readonly at: Span;
}

export interface UntiedChoice extends UntiedArgument {
  readonly callee: string;
  /** The argument that the lifetime belongs to. */
  readonly tied: string;
}

/** Names of what is looked for, or of what only says how. */
const LOOKED_FOR =
  /key|name|needle|pattern|prefix|suffix|query|path|label|sep|delim|tag|charset|encoding|salt|nonce|\biv\b|passw|secret|option|config|flag|format|fmt|mode|type/iu;

/**
 * A function without `self` that returns what a foreign function chose, by an out-pointer, of several lists or texts of one type, while
 * the lifetime of the result belongs to some of these only: `select(own: &[u8], offered: &'a [u8]) -> Option<&'a [u8]>`.
 */
export function findUntiedChoice(unit: UnitFacts, file: FileIr, fn: FunctionIr): UntiedChoice | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.self || fn.isUnsafe || fn.trait !== undefined || fn.kind === 'closure')
    return undefined;
  const shown = referenceIn(type);
  const lifetime = shown?.lifetime;
  if (lifetime === undefined || lifetime === "'static" || lifetime === "'_") return undefined;
  const lists = fn.params.filter(({ type: t }) => t?.kind === 'reference' && isList(t.element));
  const tied = lists.find((p) => p.type?.lifetime === lifetime && p.type.element?.text === shown?.element?.text);
  const others = lists.filter(
    (p) =>
      p.type?.lifetime !== lifetime &&
      p.type?.lifetime !== "'static" &&
      p.type?.element?.text === tied?.type?.element?.text &&
      !LOOKED_FOR.test(p.name) &&
      !fn.generics.some((g) => g.name === p.type?.lifetime && g.bounds.some((b) => b.trim() === lifetime)),
  );
  if (!tied || others.length === 0) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  const out = /\b(?:from_raw_parts|CStr::from_ptr|from_ptr)\s*\(\s*(\w+)\b/u.exec(text)?.[1];
  if (out === undefined || lists.some((p) => p.name === out)) return undefined;
  const call = new RegExp(
    `((?:\\w+::)*[a-z]\\w*)\\s*\\((?=[^;]*(?:&\\s*mut\\s+|addr_of_mut!\\s*\\(\\s*)${out}\\b)([^;]*)`,
    'iu',
  ).exec(text);
  const callee = call?.[1];
  if (!call || callee === undefined) return undefined;
  const isGiven = (p: Param): boolean => new RegExp(`\\b${p.name}\\s*\\.\\s*as_ptr\\(\\)`, 'u').test(call[2] ?? '');
  const free = isGiven(tied) ? others.find(isGiven) : undefined;
  if (!free) return undefined;
  const start = fn.bodySpan.start + call.index;
  return { type, lifetime, parameter: free.name, tied: tied.name, callee, at: { start, end: start + callee.length } };
}

/** Bounds of a type parameter whose values are only read: names, paths, callbacks. */
const READ_ONLY =
  /\b(?:As(?:Ref|Mut)\s*<\s*(?:\w+::)*(?:str|Path|OsStr|CStr)\s*>|Into|ToString|Fn(?:Mut|Once)?|Borrow)\b/u;

/**
 * A constructor of a struct of the unit that only a marker gives a lifetime, where a pointer into a value of a type parameter is taken and
 * no bound ties the parameter to that lifetime: `fn new(source: impl Source) -> View<'a>`. The value may be a reference to anything.
 */
export function findUntiedGeneric(unit: UnitFacts, file: FileIr, fn: FunctionIr): UntiedArgument | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.self || fn.isUnsafe || fn.trait !== undefined || fn.owner === undefined)
    return undefined;
  if (!fn.isPublic || fn.isTest || fn.params.length === 0) return undefined;
  const made = type.kind === 'path' && /^(?:Option|Result|Box)$/u.test(type.name) ? type.args[0] : type;
  if (made?.kind !== 'path') return undefined;
  const impl = implAround(file, fn);
  const lifetimes = (made.name === 'Self' ? impl?.target.lifetimes : made.lifetimes) ?? [];
  const lifetime = lifetimes.find((l) => l !== "'static" && l !== "'_");
  if (lifetime === undefined || lifetimes.length > 1) return undefined;
  const generics = [...fn.generics, ...(impl?.generics ?? [])];
  const mentions = new RegExp(`${lifetime}\\b`, 'u');
  // Whatever else has the lifetime may be what it is for.
  if (fn.params.some((p) => p.type === undefined || mentions.test(p.type.text))) return undefined;
  if (generics.some((g) => g.name !== lifetime && g.bounds.some((b) => /'\w/u.test(b)))) return undefined;
  // Where another constructor ties what it is given, this one has something copied.
  const isTied = (other: FunctionIr): boolean =>
    other !== fn &&
    other.owner === fn.owner &&
    other.params.some((p) => p.type !== undefined && mentions.test(p.type.text));
  if (file.functions.some(isTied)) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!/\bunsafe\b/u.test(text) || !/\.\s*as_(?:mut_)?ptr\(\)/u.test(text)) return undefined;
  for (const param of fn.params) {
    const bounds = boundsOf(param, generics);
    if (bounds === undefined || READ_ONLY.test(bounds)) continue;
    // What is moved into the result, or somewhere else, may be kept there.
    if (new RegExp(`(?<![&.\\w])(?<!&mut\\s+)${param.name}\\s*[,)};]`, 'u').test(text)) continue;
    // `let name = CString::new(name.as_ref())?;`: from there on the name is that of a value of the function.
    const anew = new RegExp(
      `\\blet\\s+(?:mut\\s+)?${param.name}\\s*(?::[^=;]*)?=(?!\\s*(?:&\\s*)?${param.name}\\b)`,
      'u',
    ).exec(text);
    const taken = pointerTaken(text, param.name);
    if (!taken || (anew && anew.index < taken.index)) continue;
    const oracle = unit.oracle('rust');
    const named = oracle.declaration(made.name === 'Self' ? fn.owner : made.name, file.path);
    const decl = named?.alias?.kind === 'path' ? oracle.declaration(named.alias.name, file.path) : named;
    if (decl?.kind !== 'struct' || decl.fields.some((f) => f.type?.kind === 'reference')) return undefined;
    const start = fn.bodySpan.start + taken.index;
    return { type, lifetime, parameter: param.name, at: { start, end: start + taken[0].length } };
  }
  return undefined;
}

/**
 * `fn send<'s, S: 's>(&self, data: &S) -> Request<'s, S>`: the bound says how long the value lives, and nothing says it of the borrow. The
 * struct that is returned has only a marker of it, and foreign code is given a pointer into the value.
 */
export function findUntiedBound(unit: UnitFacts, file: FileIr, fn: FunctionIr): UntiedArgument | undefined {
  const type = fn.returns;
  if (type?.kind !== 'path' || !fn.bodySpan || fn.isUnsafe || fn.isTest) return undefined;
  const made = /^(?:Option|Result|Box)$/u.test(type.name) ? type.args[0] : type;
  const lifetime = made?.lifetimes?.find((l) => fn.generics.some((g) => g.name === l));
  if (lifetime === undefined) return undefined;
  const mentions = new RegExp(`${lifetime}\\b`, 'u');
  if (fn.self?.lifetime === lifetime || fn.params.some((p) => p.type === undefined || mentions.test(p.type.text)))
    return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!/\bunsafe\b/u.test(text) || !/\bPhantomData\b/u.test(text)) return undefined;
  for (const { name, type: given } of fn.params) {
    const content = given?.kind === 'reference' && given.lifetime === undefined ? given.element : undefined;
    const generic = content?.kind === 'path' && fn.generics.find((g) => g.name === content.name);
    if (!generic || !generic.bounds.some((b) => b.trim() === lifetime)) continue;
    const taken = new RegExp(`(?<![.\\w])${name}\\s*\\.\\s*\\w*(?:ptr|pointer)\\w*\\(\\)`, 'u').exec(text);
    if (!taken) continue;
    const start = fn.bodySpan.start + taken.index;
    return { type, lifetime, parameter: name, at: { start, end: start + taken[0].length } };
  }
  return undefined;
}

/** The bounds of a value of a type parameter, as one text; undefined for one of a named type. */
function boundsOf({ name, type }: Param, generics: readonly Generic[]): string | undefined {
  if (!type || !/^\w+$/u.test(name)) return undefined;
  if (type.text.startsWith('impl ')) return type.text;
  if (type.kind !== 'path' || type.args.length > 0) return undefined;
  return generics.find((g) => g.name === type.name && g.isConst !== true)?.bounds.join(' + ');
}

/** `value.bytes().as_ptr()`, also by variables that hold what a method of the value gave. */
function pointerTaken(text: string, name: string): RegExpExecArray | null {
  // `into_..` uses the value up: what is made of it ends with the function anyway.
  const method = '(?:\\s*\\.\\s*(?!into_|to_)\\w+\\(\\)\\??)';
  const shown = [name];
  for (const [, bound = ''] of text.matchAll(
    new RegExp(`\\blet\\s+(\\([^()]*\\)|\\w+)(?:\\s*:[^=;]*)?\\s*=\\s*${name}${method}+\\s*;`, 'gu'),
  ))
    shown.push(...(bound.match(/\w+/gu) ?? []).filter((word) => word !== 'mut'));
  return new RegExp(`(?<![.\\w])(?:${shown.join('|')})${method}*\\s*\\.\\s*as_(?:mut_)?ptr\\(\\)`, 'u').exec(text);
}

function isList(type: TypeRef | undefined): boolean {
  return type?.kind === 'slice' || /^(?:str|CStr|OsStr)$/u.test(type?.name ?? '');
}

/** `&'a T`, `Option<&'a T>`, `Result<&'a T, E>`. */
export function referenceIn(type: TypeRef): TypeRef | undefined {
  if (type.kind === 'reference') return type;
  const content = type.kind === 'path' && /^(?:Option|Result)$/u.test(type.name) ? type.args[0] : undefined;
  return content && referenceIn(content);
}
