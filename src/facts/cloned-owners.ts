import { dependsOnAnotherField } from '../flow/released-by-drop.js';
import type { FunctionFlow, Value } from '../flow/result.js';
import type { FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { releasesOfCopies, releasesOfTaken } from './released-fields.js';
import type { UnitFacts } from './unit.js';

/** A pointer field that `drop` releases though the type derives `Clone`, or copies it in a `clone` of its own. */
export interface ClonedOwner {
  readonly field: string;
  readonly how: string;
  readonly span: Span;
  /** The `derive`, or the name of the method written by hand. */
  readonly maker: Span;
  /** The method written by hand: `clone`, or another one that returns a copy. */
  readonly method?: string;
}

/** For `fn`, the `drop` of a type of the same file: what each clone of a value would release again. `text` is the file's source. */
export function findClonedOwners(unit: UnitFacts, file: FileIr, text: string, fn: FunctionIr): readonly ClonedOwner[] {
  if (fn.trait !== 'Drop' || fn.name !== 'drop') return findCopiedOwners(file, fn, unit.flowOf(file, fn));
  const ending = fn.bodySpan ? (helperOfDrop(file, text, fn) ?? fn) : fn;
  const { body } = ending;
  if (!body) return [];
  const flow = unit.flowOf(file, ending);
  const declared = file.types.find((t) => t.name === fn.owner && t.kind === 'struct');
  const derive = declared?.attributes.find((a) => a.name === 'derive' && /\bClone\b/u.test(a.args ?? ''));
  const byHand = declared && !derive ? findCopyingMethod(file, text, declared) : undefined;
  const maker = derive?.span ?? byHand?.span;
  if (!declared || !maker) return [];
  const origin = { maker, ...(byHand ? { method: byHand.name } : {}) };
  const found: ClonedOwner[] = [];
  const whole = releaseOfSelf(ending, flow, declared);
  if (whole && (!byHand || byHand.fields.has(whole.field))) return [{ ...whole, ...origin }];
  const direct = [...flow.summary.releases, ...flow.summary.adopts].flatMap(({ place, span, how }) =>
    place.root.kind === 'self' && place.path.at(-1) === '*'
      ? [{ field: place.path.slice(0, -1).join('.'), span, how }]
      : [],
  );
  for (const { field, span, how } of [...direct, ...releasesOfCopies(flow), ...releasesOfTaken(text, body, flow)]) {
    const [first = ''] = field.split('.');
    if (!isCopiedPointer(file, declared, field)) continue;
    // A count, a flag or the like decides who is the last.
    if (
      dependsOnAnotherField(body, span, first) ||
      declared.fields.some((f) => /^(?:Rc|Arc)$/u.test(f.type?.name ?? ''))
    )
      continue;
    if (byHand && !byHand.fields.has(first)) continue;
    // Taking a count apart is what a clone of it wants, too, but the clone has raised none.
    if (!found.some((f) => f.field === field)) found.push({ field, how, span, ...origin });
  }
  return found;
}

/** The method of the type that `drop` calls, and nothing else: `fn drop(&mut self) { self.close(); }`. */
function helperOfDrop(file: FileIr, text: string, drop: FunctionIr): FunctionIr | undefined {
  const name = /^(?:let\s+_\s*=\s*)?self\s*\.\s*(\w+)\s*\(\s*\)\s*;?$/u.exec(plainBody(text, drop))?.[1];
  return name === undefined
    ? undefined
    : file.functions.find((f) => f.owner === drop.owner && f.name === name && f.self !== undefined && f.body);
}

/** A pointer, also in an option, or one in a record of the file that can be copied (`self.inner.raw`). */
function isCopiedPointer(file: FileIr, declared: TypeDecl, field: string): boolean {
  const [first = '', inner, ...others] = field.split('.');
  const type = declared.fields.find((f) => f.name === first)?.type;
  if (inner === undefined) {
    const content = type?.name === 'Option' ? type.args?.[0] : type;
    return content?.kind === 'pointer' || content?.name === 'NonNull';
  }
  const record = file.types.find((t) => t.name === type?.name && t.kind === 'struct');
  const isCopy = record?.attributes.some((a) => a.name === 'derive' && /\bCopy\b/u.test(a.args ?? '')) === true;
  return others.length === 0 && isCopy && isCopiedPointer(file, record, inner);
}

/**
 * For a safe public method that takes `self` by value and releases what a pointer field leads to, of a public type of the file that can be
 * copied: the copy still has the pointer, so that nothing keeps a caller from releasing it again.
 */
function findCopiedOwners(file: FileIr, fn: FunctionIr, flow: FunctionFlow): readonly ClonedOwner[] {
  if (fn.self?.mode !== 'value' || !fn.isPublic || fn.isUnsafe || fn.isTest || fn.trait !== undefined) return [];
  const declared = file.types.find((t) => t.name === fn.owner && t.kind === 'struct' && t.isPublic);
  const derive = declared?.attributes.find((a) => a.name === 'derive' && /\bClone\b/u.test(a.args ?? ''));
  if (!declared || !derive || declared.fields.some((f) => /^(?:Rc|Arc)$/u.test(f.type?.name ?? ''))) return [];
  for (const { place, span, how } of [...flow.summary.releases, ...flow.summary.adopts]) {
    const [field = '', star] = place.path;
    const type = declared.fields.find((f) => f.name === field)?.type;
    if (place.root.kind !== 'self' || place.path.length !== 2 || star !== '*') continue;
    if (type?.kind !== 'pointer' && type?.name !== 'NonNull') continue;
    if (fn.body && dependsOnAnotherField(fn.body, span, field)) continue;
    return [{ field, how, span, maker: derive.span }];
  }
  return [];
}

interface CopyingMethod {
  readonly span: Span;
  readonly name: string;
  readonly fields: ReadonlySet<string>;
}

/**
 * A `clone`, or another safe public method by `&self` that returns a value of the type, that does nothing but copy fields: `Owner(self.0)`,
 * `Self { raw: self.raw }`, `Self { ..*self }`, `Self::from_raw(self.raw)` where that only puts its parameter into the field.
 */
function findCopyingMethod(file: FileIr, text: string, declared: TypeDecl): CopyingMethod | undefined {
  for (const fn of file.functions) {
    if (fn.owner !== declared.name || fn.self?.mode !== 'shared' || !fn.bodySpan || fn.isTest) continue;
    const isClone = fn.trait === 'Clone' && fn.name === 'clone';
    const isOther = fn.trait === undefined && fn.isPublic && !fn.isUnsafe && fn.params.length === 0;
    if (!isClone && !(isOther && /^(?:Self|\w+)$/u.test(fn.returns?.name ?? '') && isOwn(fn.returns, declared.name)))
      continue;
    const fields = copiedFields(file, text, declared, fn);
    if (fields.size > 0) return { span: fn.nameSpan, name: fn.name, fields };
  }
  return undefined;
}

function isOwn(type: TypeRef | undefined, owner: string): boolean {
  return type?.kind === 'path' && (type.name === 'Self' || type.name === owner);
}

/** The fields of `self` that the method puts as they are into the value that it returns; none where it does anything else. */
function copiedFields(file: FileIr, text: string, declared: TypeDecl, fn: FunctionIr): ReadonlySet<string> {
  const owner = declared.name;
  const names = new Map<string, string>();
  let body = plainBody(text, fn).replace(
    /\blet\s+(\w+)\s*=\s*self\s*\.\s*(\w+)\s*(?:\.\s*clone\s*\(\s*\)\s*)?;/gu,
    (_, name: string, field: string) => {
      names.set(name, field);
      return '';
    },
  );
  body = unwrapped(body);
  const made = new RegExp(
    String.raw`^(?:Self|${owner})\s*(?:::\s*<[^;()]*>\s*)?(?:::\s*(\w+)\s*)?([({])([^;]*)[)}]$`,
    'u',
  ).exec(body.trim());
  if (!made) return new Set();
  const [, maker, bracket, inner = ''] = made;
  const field = (value: string): string | undefined =>
    /^self\s*\.\s*(\w+)\s*(?:\.\s*clone\s*\(\s*\))?$/u.exec(value)?.[1] ?? names.get(value);
  const items = splitList(inner);
  if (maker !== undefined) {
    const constructor = file.functions.find(
      (f) => f.owner === owner && f.name === maker && f.self === undefined && f.bodySpan,
    );
    const given = constructor ? storedParams(text, owner, constructor) : new Set<string>();
    return new Set(
      items.flatMap((item, i) => {
        const name = field(item);
        return name !== undefined && given.has(constructor?.params[i]?.name ?? '') ? [name] : [];
      }),
    );
  }
  const named = new Set(items.map((item) => /^(\w+)\s*(?::|$)/u.exec(item)?.[1] ?? ''));
  return new Set(
    items.flatMap((item) => {
      if (/^\.\.\s*\*\s*self$/u.test(item)) return declared.fields.map((f) => f.name).filter((f) => !named.has(f));
      const name = field(bracket === '{' ? item.replace(/^\w+\s*:(?!:)\s*/u, '') : item);
      return name === undefined ? [] : [name];
    }),
  );
}

/** Parameters of a constructor that only makes a value, and puts them into it as they are. */
function storedParams(text: string, owner: string, fn: FunctionIr): ReadonlySet<string> {
  const made = new RegExp(String.raw`^(?:Self|${owner})\s*[({]([^;]*)[)}]$`, 'u').exec(plainBody(text, fn))?.[1];
  return new Set(splitList(made ?? '').map((item) => item.replace(/^\w+\s*:(?!:)\s*/u, '')));
}

/** What a function does, without its braces, comments and what stands around all of it. */
function plainBody(text: string, { bodySpan }: FunctionIr): string {
  return unwrapped(bodySpan ? text.slice(bodySpan.start + 1, bodySpan.end - 1).replace(/\/\/[^\n]*/gu, '') : '');
}

/** The value of `return unsafe { .. };` */
function unwrapped(code: string): string {
  const inner = code
    .trim()
    .replace(/^return\b\s*([^;]*);$/u, '$1')
    .replace(/^unsafe\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)?)\}$/u, '$1')
    .trim();
  return inner === code ? inner : unwrapped(inner);
}

/** The items of a list, at the commas outside of brackets. */
function splitList(text: string): readonly string[] {
  const items: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    else if (char === ',' && depth === 0) {
      items.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return [...items, text.slice(start).trim()].filter((item) => item !== '');
}

/** A function pointer of the value that `drop` calls with the value itself: a record of C that carries its own destructor. */
function releaseOfSelf(
  fn: FunctionIr,
  flow: FunctionFlow,
  declared: TypeDecl,
): { readonly field: string; readonly how: string; readonly span: Span } | undefined {
  const destructor = declared.fields.find((f) => /\bfn\s*\(/u.test(f.type?.text ?? ''));
  const pointer = declared.fields.find((f) => f.type?.kind === 'pointer');
  if (!fn.body || !destructor || !pointer) return undefined;
  const call = flow.calls.find(
    (c) => !c.method && !c.resolved && c.rows.length === 0 && c.args.length > 0 && isWholeSelf(c.args[0]),
  );
  if (!call || dependsOnAnotherField(fn.body, call.span, destructor.name)) return undefined;
  return { field: pointer.name, how: call.callee, span: call.span };
}

function isWholeSelf(value: Value | undefined): boolean {
  return (value?.places ?? []).some(({ root, path }) => root.kind === 'self' && path.length === 0);
}
