import type { Expr, ExprOf, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import { layoutsDiffer } from './layouts.js';
import { LocalVariables } from './local-variables.js';
import { originOf } from './rust-code.js';
import { boxedBy } from './value-types.js';
import type { UnitFacts } from './unit.js';

/** What makes a raw pointer, or frees what it leads to; `alloc` is the block that a `Box` frees, too, `foreign` a text of a library. */
type Owner = 'Box' | 'Rc' | 'Arc' | 'CString' | 'malloc' | 'alloc' | 'foreign';

export interface FieldMismatch {
  readonly type: string;
  readonly field: string;
  readonly maker: { readonly how: string; readonly span: Span };
  readonly taker: { readonly how: string; readonly span: Span };
  /** What was boxed, and what it is taken for, where the owners are the same. */
  readonly content?: { readonly from: TypeRef; readonly to: TypeRef };
  /** One of the two is the allocator of C. */
  readonly isForeign: boolean;
}

const TAKES = ['from_raw', 'free('];
const MAKES = ['into_raw', 'malloc', 'calloc', 'strdup', 'alloc'];
const ALIKE: Readonly<Record<Owner, readonly Owner[]>> = {
  Box: ['Box', 'alloc'],
  Rc: ['Rc'],
  Arc: ['Arc'],
  CString: ['CString'],
  malloc: ['malloc', 'foreign'],
  alloc: ['alloc', 'Box'],
  foreign: ['foreign', 'malloc'],
};
/** The address of a field is given to somebody. */
const FILLED = /&(?:raw\s+)?mut\s+\w+\s*\.|addr_of_mut/u;
/** A parameter by which a library returns a text. */
const TEXT_OUT = /^\*\s*mut\s+\*\s*(?:mut|const)\s+(?:\w+::)*(?:c_u?char|c_schar|[iu]8)$/u;

/**
 * Private fields of a file's structs that are filled by one owner (`Arc::into_raw`, `malloc`) wherever they are filled, and taken back by
 * another (`Box::from_raw`, `free`). A field whose content comes from anywhere else is left alone.
 */
export function findFieldMismatches(unit: UnitFacts, file: FileIr): readonly FieldMismatch[] {
  const before = known.get(file);
  if (before) return before;
  const found = compareEnds(unit, file);
  known.set(file, found);
  return found;
}

const known = new WeakMap<FileIr, readonly FieldMismatch[]>();

interface Maker {
  readonly owner: Owner | undefined;
  readonly how: string;
  readonly span: Span;
  readonly content?: TypeRef;
}

interface Taker {
  readonly key: string;
  readonly owner: Owner;
  readonly how: string;
  readonly span: Span;
  readonly content?: TypeRef;
}

/** What a field is taken for: by the cast in front of it, a type argument, or its own declaration. */
function takenFor(call: ExprOf<'call'>, decl: TypeDecl | undefined, key: string): TypeRef | undefined {
  const written = call.callee.kind === 'name' ? call.callee.typeArgs?.[0] : undefined;
  if (written) return written.kind === 'unknown' || written.name === '_' ? undefined : written;
  const given = call.args[0]?.value;
  const [owner, field] = key.split('.');
  if (given?.kind === 'cast') {
    const to = given.type.kind === 'pointer' ? given.type.element : undefined;
    return to && to.kind !== 'unknown' && to.name !== '_' ? to : undefined;
  }
  if (given?.kind === 'method' && given.method === 'cast') return given.typeArgs[0];
  const type =
    decl?.name === owner && given?.kind === 'field' ? decl?.fields.find((f) => f.name === field)?.type : undefined;
  return type?.kind === 'pointer' ? type.element : undefined;
}

function compareEnds(unit: UnitFacts, file: FileIr): readonly FieldMismatch[] {
  const text = unit.textOf(file.path) ?? '';
  if (!TAKES.some((t) => text.includes(t))) return [];
  if (!MAKES.some((m) => text.includes(m)) && !FILLED.test(text)) return [];
  const fields = rawFields(file);
  if (fields.size === 0) return [];
  const names = [...fields.keys()].map((key) => key.split('.')[1] ?? '');
  const touches = new RegExp(`\\b(?:${[...new Set(names)].join('|')})\\b`, 'u');
  const oracle = unit.oracle('rust');
  const makers = new Map<string, Maker[]>();
  const takers: Taker[] = [];
  for (const fn of unit.withBodies(file, (f) => unit.holds(file, f, touches)).functions) {
    const { body } = fn;
    if (!body) continue;
    const bindings = bindingsOf(body);
    let variables: LocalVariables | undefined;
    const add = (key: string | undefined, value: Expr): void => {
      if (key === undefined || !fields.has(key)) return;
      const made = makerOf(value, bindings);
      if (made === 'null') return;
      variables ??= new LocalVariables(body);
      const content = boxedBy(value, { fn, variables, oracle, path: file.path })?.content;
      makers.set(key, [...(makers.get(key) ?? []), { ...made, span: value.span, ...(content ? { content } : {}) }]);
    };
    walkBody(body, ({ expr }) => {
      if (expr.kind === 'struct') {
        const type = expr.type.name === 'Self' ? (fn.owner ?? '') : expr.type.name;
        for (const { name, value } of expr.fields) add(`${type}.${name}`, value);
      } else if (expr.kind === 'assign' && expr.target.kind === 'field')
        add(keyOf(expr.target, fields, fn, bindings), expr.value);
      else if (expr.kind === 'method' && /^(?:store|set|replace|swap|insert)$/u.test(expr.method) && expr.args[0])
        add(keyOf(expr.receiver, fields, fn, bindings), expr.args[0].value);
      else if (expr.kind === 'call' && expr.callee.kind === 'name') {
        const { path } = expr.callee;
        const name = path.at(-1) ?? '';
        const made = name === 'Self' ? (fn.owner ?? '') : name;
        expr.args.forEach(({ value }, at) => {
          add(`${made}.${at}`, value);
          if (value.kind !== 'address' || isLibraryCall(path)) return;
          const key = keyOf(value.base, fields, fn, bindings);
          if (key === undefined) return;
          const owner = isTextOut(unit, file, name, at) ? ('foreign' as const) : undefined;
          makers.set(key, [...(makers.get(key) ?? []), { owner, how: name, span: expr.span }]);
        });
        const owner = takerOf(path);
        const key = owner && keyOf(expr.args[0]?.value, fields, fn, bindings);
        if (owner && key !== undefined) {
          const content = takenFor(expr, fields.get(key), key);
          takers.push({
            key,
            owner,
            how: path.slice(-2).join('::'),
            span: expr.span,
            ...(content ? { content } : {}),
          });
        }
      }
    });
  }
  return takers.flatMap(({ key, owner, how, span, content }): FieldMismatch[] => {
    const made = makers.get(key) ?? [];
    const [first] = made;
    const [type = '', field = ''] = key.split('.');
    if (!first) return [];
    // The same owner, of which every content is known and none is what it is taken for.
    const others = made.flatMap((m) => (m.owner === owner && m.content ? [m.content] : []));
    const [from] = others;
    if (
      content &&
      from &&
      others.length === made.length &&
      others.every((one) => layoutsDiffer(one, content, oracle, file.path))
    ) {
      const ends = { maker: { how: first.how, span: first.span }, taker: { how, span } };
      return [{ type, field, ...ends, content: { from, to: content }, isForeign: false }];
    }
    if (made.some((m) => m.owner === undefined || ALIKE[owner].includes(m.owner))) return [];
    const isForeign = owner === 'malloc' || made.some((m) => m.owner === 'malloc' || m.owner === 'foreign');
    return [{ type, field, maker: { how: first.how, span: first.span }, taker: { how, span }, isForeign }];
  });
}

/** `mem::take(&mut self.text)`, `ptr::read(&self.text)`: what the standard library does with a field is known. */
function isLibraryCall(path: readonly string[]): boolean {
  return path.at(-2) === 'ptr' || (path.at(-2) === 'mem' && path.at(-1) !== 'swap');
}

/** Whether a function that the unit only declares returns a text through this parameter, and nothing of the unit is what is declared. */
function isTextOut(unit: UnitFacts, file: FileIr, name: string, at: number): boolean {
  const declared = unit.oracle('rust').freeFunction(name, file.path)?.fn;
  if (declared?.abi === undefined || declared.body !== undefined || declared.bodySpan !== undefined) return false;
  if (!TEXT_OUT.test(declared.params[at]?.type?.text ?? '')) return false;
  return !unit.functionsNamed(name, 'rust').some(({ item }) => item.bodySpan !== undefined);
}

/** `Type.field` of the private raw pointers in the structs of a file. */
function rawFields(file: FileIr): ReadonlyMap<string, TypeDecl> {
  const found = new Map<string, TypeDecl>();
  for (const decl of file.types)
    if (decl.kind === 'struct' && !decl.isTest)
      for (const { name, type, isPublic } of decl.fields)
        if (
          !isPublic &&
          (type?.kind === 'pointer' || /^(?:(?:Option\s*<\s*)?NonNull|AtomicPtr)\b/u.test(type?.text ?? ''))
        )
          found.set(`${decl.name}.${name}`, decl);
  return found;
}

/** The field that an expression reads: of `self`, or one whose name no other struct of the file has. */
function keyOf(
  expr: Expr | undefined,
  fields: ReadonlyMap<string, TypeDecl>,
  fn: FunctionIr,
  bindings?: Bindings,
  depth = 0,
): string | undefined {
  if (!expr || depth > 8) return undefined;
  const next = (inner: Expr | undefined): string | undefined => keyOf(inner, fields, fn, bindings, depth + 1);
  switch (expr.kind) {
    case 'cast':
      return next(expr.value);
    case 'method':
      return /^(?:cast|cast_mut|as_ptr|get_mut|take|replace|swap|load|unwrap|expect|get)$/u.test(expr.method)
        ? next(expr.receiver)
        : undefined;
    case 'call': {
      const callee = expr.callee.kind === 'name' ? expr.callee.path.slice(-2).join('::') : '';
      return /^(?:NonNull::new(?:_unchecked)?|mem::(?:replace|take)|ptr::read)$/u.test(callee)
        ? next(expr.args[0]?.value)
        : undefined;
    }
    case 'deref':
      // `*self.slot`: what a pointer leads to is not the pointer.
      return expr.base.kind === 'field' ? undefined : next(expr.base);
    case 'address':
      return next(expr.base);
    case 'try':
      return next(expr.value);
    case 'name':
      return expr.path.length === 1 ? next(bindings?.get(expr.path[0] ?? '')) : undefined;
    case 'field': {
      if (expr.base.kind === 'name' && expr.base.path[0] === 'self' && fn.owner !== undefined)
        return fields.has(`${fn.owner}.${expr.name}`) ? `${fn.owner}.${expr.name}` : undefined;
      const type = holderOf(expr.base, fn, bindings);
      if (type !== undefined) return fields.has(`${type}.${expr.name}`) ? `${type}.${expr.name}` : undefined;
      const keys = [...fields.keys()].filter((key) => key.endsWith(`.${expr.name}`));
      return keys.length === 1 ? keys[0] : undefined;
    }
    default:
      return undefined;
  }
}

/** The type of the record that an expression leads to, as a parameter or a cast names it. */
function holderOf(expr: Expr, fn: FunctionIr, bindings: Bindings | undefined, depth = 0): string | undefined {
  if (depth > 4) return undefined;
  const inner = (type: TypeRef | undefined): string | undefined =>
    type?.kind === 'pointer' || type?.kind === 'reference'
      ? inner(type.element)
      : type?.kind === 'path' && /^[A-Za-z]\w*$/u.test(type.name)
        ? type.name
        : undefined;
  switch (expr.kind) {
    case 'deref':
      return holderOf(expr.base, fn, bindings, depth + 1);
    case 'cast':
      return expr.type.kind === 'pointer' ? inner(expr.type) : undefined;
    case 'name': {
      const [name = ''] = expr.path.length === 1 ? expr.path : [];
      const bound = bindings?.get(name);
      return bound ? holderOf(bound, fn, bindings, depth + 1) : inner(fn.params.find((p) => p.name === name)?.type);
    }
    case 'struct':
      return expr.type.name === 'Self' ? fn.owner : inner(expr.type);
    case 'call': {
      // `Message(text)` and `Message::new()` make a `Message`.
      const { path = [] } = expr.callee.kind === 'name' ? expr.callee : {};
      const made = path.at(-1) === 'new' || path.at(-1) === 'default' ? path.at(-2) : path.at(-1);
      return made === 'Self' ? fn.owner : made !== undefined && /^[A-Z]/u.test(made) ? made : undefined;
    }
    default:
      return undefined;
  }
}

function takerOf(path: readonly string[]): Owner | undefined {
  const [owner = '', name = ''] = path.length > 1 ? path.slice(-2) : ['', path[0]];
  if (name === 'from_raw') return asOwner(owner);
  return name === 'free' && (owner === 'libc' || owner === '') ? 'malloc' : undefined;
}

function asOwner(name: string): Owner | undefined {
  return name === 'Box' || name === 'Rc' || name === 'Arc' || name === 'CString' ? name : undefined;
}

/** What made a pointer; `null` for none. */
function makerOf(
  expr: Expr,
  bindings: Bindings,
  depth = 0,
): { readonly owner: Owner | undefined; readonly how: string } | 'null' {
  const unknown = { owner: undefined, how: '' };
  if (depth > 8) return unknown;
  const next = (inner: Expr | undefined): ReturnType<typeof makerOf> =>
    inner ? makerOf(inner, bindings, depth + 1) : unknown;
  const origin = originOf(expr, bindings);
  switch (origin.kind) {
    case 'name':
      return origin.path.at(-1) === 'None' ? 'null' : unknown;
    case 'method':
      if (origin.method === 'into_raw' && startsAt(origin.receiver, bindings) === 'CString')
        return { owner: 'CString', how: 'CString::into_raw' };
      return /^(?:as_ptr|unwrap|expect|unwrap_unchecked)$/u.test(origin.method) ? next(origin.receiver) : unknown;
    case 'call': {
      if (origin.callee.kind !== 'name') return unknown;
      const { path } = origin.callee;
      const [owner = '', name = ''] = path.length > 1 ? path.slice(-2) : ['', path[0]];
      if (/^(?:null|null_mut|dangling|dangling_mut)$/u.test(name)) return 'null';
      if (/^(?:new|new_unchecked|from|Some)$/u.test(name) && /^(?:NonNull|AtomicPtr|)$/u.test(owner))
        return next(origin.args[0]?.value);
      if (/^(?:into_raw|leak)$/u.test(name)) return { owner: asOwner(owner), how: `${owner}::${name}` };
      if (/^(?:malloc|calloc|strdup)$/u.test(name) && /^(?:libc|)$/u.test(owner)) return { owner: 'malloc', how: name };
      if (/^(?:alloc|alloc_zeroed)$/u.test(name)) return { owner: 'alloc', how: name };
      return unknown;
    }
    default:
      return unknown;
  }
}

/** The type whose constructor a chain of methods begins with. */
function startsAt(expr: Expr, bindings: Bindings, depth = 0): string | undefined {
  if (depth > 8) return undefined;
  if (expr.kind === 'method') return startsAt(expr.receiver, bindings, depth + 1);
  if (expr.kind === 'try') return startsAt(expr.value, bindings, depth + 1);
  if (expr.kind === 'name' && expr.path.length === 1) {
    const bound = bindings.get(expr.path[0] ?? '');
    return bound && startsAt(bound, bindings, depth + 1);
  }
  return expr.kind === 'call' && expr.callee.kind === 'name' ? expr.callee.path.at(-2) : undefined;
}
