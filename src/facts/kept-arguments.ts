import type { FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { implAround } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** A struct without a lifetime that a function fills with a pointer into what a parameter lends. */
export interface KeptArgument {
  readonly type: TypeRef;
  readonly parameter: string;
  readonly at: Span;
}

/** Fields of values that only say where something is. */
const IDENTITY = /(?:^|_)(?:id|key|addr|address|identity|hash)(?:_|$)/iu;

/**
 * A public function, not `unsafe`, whose result is a public struct of the package without a lifetime, where the body puts a raw pointer into
 * what a reference parameter lends straight into a literal of the struct: `Self { data: bytes.as_ptr(), .. }`, `Self(&info.0)`. A struct
 * without a lifetime can hold no reference but a `'static` one, so that whatever is put there is a raw pointer by then.
 */
export function findKeptArgument(unit: UnitFacts, file: FileIr, fn: FunctionIr): KeptArgument | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.isUnsafe || fn.isTest || fn.kind === 'closure') return undefined;
  if (fn.self?.mode === 'value') return findLostLifetime(unit, file, fn, type, fn.bodySpan);
  if (fn.abi !== undefined || !fn.isPublic) return undefined;
  const made = type.kind === 'path' && /^(?:Option|Result|Box)$/u.test(type.name) ? type.args[0] : type;
  if (
    made?.kind !== 'path' ||
    made.lifetimes !== undefined ||
    (made.name !== 'Self' && made.args.some(({ kind }) => kind !== 'path'))
  )
    return undefined;
  const name = made.name === 'Self' ? fn.owner : made.name;
  if (name === undefined) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!text.includes('Self') && !text.includes(name)) return undefined;
  const literal = new RegExp(`(?<!\\w\\s*::\\s*)\\b(?:Self|${name})\\s*[({]`, 'u').exec(text);
  if (!literal) return undefined;
  for (const { name: parameter, type: lent } of fn.params) {
    if (!parameter || lent?.kind !== 'reference' || lent.lifetime === "'static" || lent.element?.kind === 'pointer')
      continue;
    // A struct behind a reference may be a handle whose pointer is copied: only the content of text and lists is lent for sure.
    const found = pointerInto(text, parameter, lent, literal.index);
    if (!found || isHeldToo(text, literal.index, parameter, found)) continue;
    // Asked last, since the answer may be in another file.
    const decl = unit.oracle('rust').declaration(name, file.path);
    if (!decl || !isBare(decl)) return undefined;
    const start = fn.bodySpan.start + found.index;
    return { type, parameter, at: { start, end: start + found[0].length } };
  }
  return undefined;
}

/**
 * `impl<'a, T> List<'a, T> { fn into_iter(self) -> IntoIter<T> }`: what borrows is forgotten, and its block, which is somebody else's, goes
 * on in a struct that has no lifetime any more.
 */
function findLostLifetime(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  type: TypeRef,
  { start, end }: Span,
): KeptArgument | undefined {
  const around = implAround(file, fn);
  const [lifetime, ...others] = around?.target.lifetimes ?? [];
  if (lifetime === undefined || lifetime === "'static" || others.length > 0 || fn.owner === undefined) return undefined;
  if (!fn.isPublic && fn.trait === undefined) return undefined;
  if (type.kind !== 'path' || type.name === 'Self' || type.name === fn.owner || type.lifetimes !== undefined)
    return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(start, end);
  if (!/\bforget\s*\(\s*self\s*\)|\bManuallyDrop\s*::\s*new\s*\(\s*self\s*\)/u.test(text)) return undefined;
  const bound =
    /\blet\s+(?:mut\s+)?(\w+)(?:\s*:[^=;]*)?\s*=\s*(?:self|this|me)(?:\s*\.\s*(\w+))?(?:\s*\.\s*\w+)*?\s*\.\s*as_(?:mut_)?ptr\(\)/u.exec(
      text,
    );
  const literal = new RegExp(`(?<!\\w\\s*::\\s*)\\b${type.name}\\s*\\{`, 'u').exec(text);
  if (!bound || !literal || literal.index < bound.index) return undefined;
  const found = new RegExp(`[{,:]\\s*(?:NonNull::\\w+\\(\\s*)?${bound[1] ?? ''}\\b(?!\\s*[.(])`, 'u').exec(
    text.slice(literal.index),
  );
  if (!found) return undefined;
  // `type IntoIter = IntoIter<T>;` has the name of the struct, too.
  const decl =
    file.types.find(({ kind, name }) => kind === 'struct' && name === type.name) ??
    unit.oracle('rust').declaration(type.name, file.path);
  const owner = unit.oracle('rust').declaration(fn.owner, file.path);
  // What counts the memory that it shares, or holds on to it, is no part of somebody else's.
  if (!decl || !isBare(decl) || !owner || !owner.fields.some((f) => f.type?.lifetimes !== undefined)) return undefined;
  // A vector of its own goes on in the iterator.
  const through = owner.fields.find(({ name }) => name === bound[2])?.type;
  if (through !== undefined && through.lifetimes === undefined) return undefined;
  const at = start + bound.index;
  return { type, parameter: 'self', at: { start: at, end: at + bound[0].length } };
}

/** A public struct with a raw pointer that is more than an address to compare. */
function isBare(decl: TypeDecl): boolean {
  if (decl.kind !== 'struct' || !decl.isPublic || decl.isTest || decl.generics.some((g) => g.name.startsWith("'")))
    return false;
  if (IDENTITY.test(decl.name.replace(/(?<=[a-z])(?=[A-Z])/gu, '_'))) return false;
  const derives = decl.attributes.filter((a) => a.name === 'derive').map((a) => a.args ?? '');
  if (derives.some((d) => /\b(?:Hash|Eq|PartialEq)\b/u.test(d))) return false;
  return decl.fields.every((f) => f.type?.lifetimes === undefined);
}

/** An element of a literal that is a pointer into the parameter's content: `name.as_ptr()`, `&name.field`, `name as *const _`. */
function pointerInto(text: string, parameter: string, { element }: TypeRef, from: number): RegExpExecArray | undefined {
  const isList = element?.kind === 'slice' || /^(?:str|CStr|OsStr|\[u8\])$/u.test(element?.name ?? '');
  const forms = [
    `&\\s*(?:mut\\s+)?${parameter}(?:\\s*\\.\\s*\\w+)+`,
    `${parameter}\\s+as\\s+\\*`,
    ...(isList ? [`${parameter}(?:\\s*\\.\\s*as_bytes\\(\\))?\\s*\\.\\s*as_(?:mut_)?ptr\\(\\)`] : []),
  ];
  const casts = '(?:\\s+as\\s+\\*[^,;)}]*|\\s*\\.\\s*cast(?:_mut)?(?:::<[^>]*>)?\\(\\))*';
  // `let start = bytes.as_ptr();`, set once, before the literal.
  const bound = new RegExp(`\\blet\\s+(\\w+)(?:\\s*:[^=;]*)?\\s*=\\s*(?:${forms.join('|')})${casts}\\s*;`, 'u').exec(
    text.slice(0, from),
  )?.[1];
  if (bound !== undefined && bound !== 'mut') forms.push(`${bound}\\b`);
  const parts = new RegExp(`(?:[({,]|(?<!:):)\\s*(?:${forms.join('|')})${casts}\\s*[,)}]`, 'gu');
  for (const found of text.slice(from).matchAll(parts)) {
    found.index += from;
    if (isInLiteral(text, from, found.index)) return found;
  }
  return undefined;
}

/** Words before a bracket whose content is a part of a value: a type's name, or what makes a pointer of a pointer. */
const MAKES_VALUE =
  /(?:^|[^\w:])(?:Self|Some|Ok|(?:\w+::)*[A-Z]\w*|(?:\w+::)*\w+__\w+|(?:NonNull|Cell|UnsafeCell|AtomicPtr)::\w+)\s*$/u;

/** Whether every bracket that is open at `at` belongs to a literal that begins at `from`, not to a call in it. */
function isInLiteral(text: string, from: number, at: number): boolean {
  const open: boolean[] = [];
  for (let i = from; i <= at; i++) {
    const char = text[i] ?? '';
    if ('({['.includes(char)) open.push(char !== '[' && MAKES_VALUE.test(text.slice(Math.max(0, i - 60), i)));
    else if (')}]'.includes(char)) open.pop();
  }
  return open.length > 0 && open.every((isValue) => isValue);
}

/** Whether another part of the literal keeps the owner: `owner: name.clone()`. */
function isHeldToo(text: string, from: number, parameter: string, found: RegExpExecArray): boolean {
  const rest = text.slice(from, found.index) + text.slice(found.index + found[0].length);
  return new RegExp(
    `\\b${parameter}\\b(?!\\s*\\.\\s*(?:len|is_empty|size)\\b)(?:\\s*\\.\\s*\\w+)*\\s*\\.\\s*(?:clone|to_owned|to_vec|into)\\b|\\bclone\\s*\\(\\s*&?${parameter}\\b`,
    'u',
  ).test(rest);
}
