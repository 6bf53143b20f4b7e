import type { FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { hasDrop } from './declarations.js';
import type { UnitFacts } from './unit.js';

/** A struct without a lifetime that a function makes of what a foreign function gives for an owner. */
export interface BareView {
  readonly type: TypeRef;
  /** The foreign function that gives the pointer. */
  readonly callee: string;
  /** The type that frees what the pointer leads to. */
  readonly owner: string;
  readonly at: Span;
  /** Where the foreign function is called, when a constructor does that. */
  readonly within?: { readonly file: FileIr; readonly span: Span };
}

/** `OH_Board_GetData` as `oh_board_get_data`, so that its words are found. */
function wordsOf(name: string): string {
  return name.replace(/(?<=[a-z\d])(?=[A-Z])/gu, '_').toLowerCase();
}

/** Words of functions that make something of its own. */
const MAKES =
  /(?:^|_)(?:new|create|dup|copy|clone|alloc|make|open|steal|take|release|ref|reference|addref|retain|init|parse|compile|load|build|detach|connect|start|spawn|from|convert|split|acquire)(?:_|\d*$)/u;

/** Words of what is there as long as the process. */
const LASTS =
  /(?:^|_)(?:type|class|cipher|method|version|backend|driver|vtable|ops|api|static|default|digest|md|kind|nid|cls|platform|device_id|screen|display)(?:_|$)/u;

const FOREIGN = /(?:^|::)(?:ffi|sys|raw|libc|bindings|\w+_sys|\w+_ffi|\w+ffi)::\w+$/u;

/** Words of objects that work on another one, which must be there as long as they are. */
const DEPENDS = /(?:^|[_:])(?:iter|iterator|cursor|snapshot|txn|transaction|statement|stmt|prepare\w*)(?:_|$)/u;

/** A picture of what an object shows is a copy, and counted by itself. */
const PICTURE = /(?:image|picture|bitmap|pixmap|frame|screen)_?snapshot/u;

/**
 * A function whose result is a struct of the package with a raw pointer and no lifetime, made by a foreign function of a pointer in `self`
 * or in what a parameter lends, whose type frees it in `drop`: either the result has no `Drop` of its own, so that it shows a part of the
 * owner, or it is something that works on the owner, like an iterator.
 */
export function findBareView(unit: UnitFacts, file: FileIr, fn: FunctionIr): BareView | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.trait !== undefined || fn.kind === 'closure') return undefined;
  const wanted = type.kind === 'path' && /^(?:Option|Result)$/u.test(type.name) ? type.args[0] : type;
  if (wanted?.kind !== 'path' || /['&*]/u.test(wanted.text)) return undefined;
  const view = wanted.name === 'Self' ? fn.owner : wanted.name;
  if (view === undefined) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  const begun = findBegun(unit, file, fn, view, text);
  if (begun) return { type, ...begun };
  if (!fn.isUnsafe && !text.includes('unsafe')) return undefined;
  if (!text.includes('Self') && !new RegExp(`\\b${view}\\b`, 'u').test(text)) return undefined;
  for (const { root, owner } of lenders(fn)) {
    if (owner === view) continue;
    const given = new RegExp(
      `(?<!\\w)((?:\\w+::)*(?:[a-z]\\w*|[A-Z][A-Za-z\\d]*_\\w+))\\s*\\(\\s*${root}\\s*\\.\\s*\\w+(?:\\.\\w+|\\.as_ptr\\(\\))?\\s*[,)]`,
      'u',
    );
    const call = given.exec(text);
    const name = call?.[1];
    if (!call || name === undefined) continue;
    if (isEndedHere(text, call.index) || isFilledRecord(text, call.index)) continue;
    const words = wordsOf(name);
    const isPart =
      root === 'self' && fn.isPublic && wanted.args.length === 0 && !MAKES.test(words) && !LASTS.test(words);
    const depends = DEPENDS.test(words) && !PICTURE.test(words);
    // Whether a function is foreign is asked of all files of the unit.
    if (!isPart && !depends) continue;
    if (!(depends ? endsSomething(unit, file, owner) : hasDrop(unit, owner)) || !isForeign(unit, name)) continue;
    const decl = unit.oracle('rust').declaration(view, file.path);
    if (depends) {
      if (!isBareHandle(unit, file, decl)) continue;
    } else if (!isBareStruct(unit, file, decl) || (endsOwn(unit, view) && !isMadeUnowned(unit, decl, text))) continue;
    // An owner that can be cloned is counted, and what works on it most likely holds a count of its own.
    if (depends && unit.implsOf(owner).some(({ item }) => item.trait?.name === 'Clone')) continue;
    const start = fn.bodySpan.start + call.index;
    return { type, callee: name, owner, at: { start, end: start + call[0].length } };
  }
  return undefined;
}

/**
 * `Txn::new(self.0.store)`: a constructor of the view is given the bare pointer of an owner, and begins something with it that works on the
 * owner and keeps nothing of it.
 */
function findBegun(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  view: string,
  text: string,
): Omit<BareView, 'type'> | undefined {
  // A pattern for each view and lender takes longer than all these looks.
  if (!text.includes(`${view}::`)) return undefined;
  for (const { root, owner } of lenders(fn)) {
    if (owner === view) continue;
    const call = new RegExp(
      `\\b${view}(?:\\s*::\\s*<[^()]*>)?\\s*::\\s*(\\w+)\\s*\\(\\s*${root}(?:\\s*\\.\\s*\\w+){1,2}(?:\\.as_ptr\\(\\))?\\s*[,)]`,
      'u',
    ).exec(text);
    const made = call?.[1];
    if (!call || made === undefined) continue;
    for (const { item, file: at } of unit.functionsNamed(made, 'rust')) {
      const [first] = item.params;
      if (item.owner !== view || item.self || !item.bodySpan || first?.type?.kind !== 'pointer') continue;
      const body = (unit.textOf(at.path) ?? '').slice(item.bodySpan.start, item.bodySpan.end);
      const begins = new RegExp(
        `(?<!\\w)((?:\\w+::)*(?:[a-z]\\w*|[A-Z][A-Za-z\\d]*_\\w+))\\s*\\(\\s*${first.name}\\s*[,)]`,
        'u',
      ).exec(body);
      const callee = begins?.[1];
      if (!begins || callee === undefined || !DEPENDS.test(wordsOf(callee)) || !isForeign(unit, callee)) continue;
      if (!endsSomething(unit, file, owner)) continue;
      if (!isBareHandle(unit, at, unit.oracle('rust').declaration(view, at.path))) continue;
      if (unit.implsOf(owner).some(({ item: impl }) => impl.trait?.name === 'Clone')) continue;
      const start = item.bodySpan.start + begins.index;
      return {
        callee,
        owner,
        at: spanIn(fn, call),
        within: { file: at, span: { start, end: start + begins[0].length } },
      };
    }
  }
  return undefined;
}

/** `get(self.raw, id.as_mut_ptr(), size_of::<raw_id>())`: what is written into a record of the given size is a copy. */
function isFilledRecord(text: string, at: number): boolean {
  const call = /^[^;]*/u.exec(text.slice(at))?.[0] ?? '';
  const filled = /\b(\w+)\s*\.\s*as_mut_ptr\s*\(|&\s*mut\s+(\w+)\b|&raw\s+mut\s+(\w+)\b/u.exec(call);
  const name = filled?.[1] ?? filled?.[2] ?? filled?.[3];
  return (
    name !== undefined &&
    // What is only told an error by way of it gives its result by itself.
    new RegExp(`\\b${name}\\b`, 'u').test(text.slice(at + call.length)) &&
    /\bsize_of(?:::\s*<|_val\s*\()/u.test(call) &&
    new RegExp(`\\blet\\s+mut\\s+${name}\\b`, 'u').test(text)
  );
}

/** `let list = list_of(self.raw); .. list_free(list);`: what the function gives back itself is not in its result. */
function isEndedHere(text: string, at: number): boolean {
  const name = /\blet\s+(?:mut\s+)?(\w+)\s*(?::[^=;]*)?=\s*(?:unsafe\s*\{\s*)?$/u.exec(text.slice(0, at))?.[1];
  if (name === undefined) return false;
  const after = text.slice(at);
  const ends = new RegExp(`(?:free|destroy|release|unref|close|delete)\\w*\\s*\\(\\s*${name}\\b`, 'gu');
  // On the way of an error it is ended because it is not given out.
  return [...after.matchAll(ends)].some(({ index, 0: whole }) => !FAILS.test(after.slice(index + whole.length)));
}

/** `); return None;`, perhaps behind the end of an `unsafe` block. */
const FAILS = /^[^{}]{0,80}(?:\}\s*;?\s*)?\breturn\s+(?:None|Err\b|(?:\w+::)*null)/u;

function spanIn(fn: FunctionIr, { index, 0: whole }: RegExpExecArray): Span {
  const start = (fn.bodySpan?.start ?? 0) + index;
  return { start, end: start + whole.length };
}

/**
 * A method whose result is a struct of the package that has neither a lifetime nor a `Drop`, and is given the very pointer that the type
 * of `self` frees in its own `drop`.
 */
export function findCopiedHandle(unit: UnitFacts, file: FileIr, fn: FunctionIr): BareView | undefined {
  const type = fn.returns;
  const { owner, self } = fn;
  if (!type || !fn.bodySpan || owner === undefined || !self || self.mode === 'value') return undefined;
  if (fn.isUnsafe || !fn.isPublic || fn.trait !== undefined) return undefined;
  const view = type.kind === 'path' && /^(?:Option|Result)$/u.test(type.name) ? type.args[0] : type;
  if (view?.kind !== 'path' || view.lifetimes !== undefined) return undefined;
  // `CSlice<T>` of a `CVec<T>`: the same parameters say what is in it, and keep nothing.
  if (view.args.some((a) => a.kind !== 'path' || a.args.length > 0 || !/^[A-Z]\w?$/u.test(a.text))) return undefined;
  if (view.name === 'Self' || view.name === owner) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!text.includes(view.name)) return undefined;
  const made = new RegExp(
    `\\b${view.name}(?:\\s*::\\s*\\w+)?\\s*[({]\\s*(?:\\w+\\s*:\\s*)?self\\s*\\.\\s*(\\w+)(?:\\.as_ptr\\(\\))?\\s*[,)}]`,
    'u',
  ).exec(text);
  // What is asked of other files comes last: each answer is a parse.
  if (!made) return undefined;
  const oracle = unit.oracle('rust');
  const own = oracle.declaration(owner, file.path);
  const field = own?.fields.find((f) => f.name === made[1]);
  if (!isPointer(unit, file, field?.type)) return undefined;
  const decl = oracle.declaration(view.name, file.path);
  if (!decl?.isPublic || !isBareStruct(unit, file, decl)) return undefined;
  if (!hasDrop(unit, owner) || hasDrop(unit, view.name) || !isFreed(unit, owner, made[1] ?? '')) return undefined;
  if (unit.implsOf(owner).some(({ item }) => item.trait?.name === 'Clone')) return undefined;
  const start = fn.bodySpan.start + made.index;
  return { type, callee: `self.${made[1] ?? ''}`, owner, at: { start, end: start + made[0].length } };
}

/** Whether the type's `drop` gives the field to a function. */
function isFreed(unit: UnitFacts, owner: string, field: string): boolean {
  return unit.implsOf(owner).some(({ item, file }) => {
    if (item.trait?.name !== 'Drop') return false;
    const text = (unit.textOf(file.path) ?? '').slice(item.span.start, item.span.end);
    return new RegExp(`\\(\\s*self\\s*\\.\\s*${field}\\b`, 'u').test(text);
  });
}

/** What a foreign function shows of the pointer that `self` frees in its `drop`. */
export interface Shown {
  readonly callee: string;
  readonly pointer: string;
  readonly at: Span;
}

/** Words of functions that go from one thing to the next, or to the object that a thing belongs to: neither belongs to `self`. */
const LEADS_ON =
  /(?:^|_)(?:next|prev|iter|iterator|cursor|seek|step|parent|owner|repo|repository|env|environment|db|database|connection|conn|context|ctx|session|exception|message|global|isolate)(?:_|$)/iu;

/**
 * A call of a foreign function with a pointer of `self`, whose type frees it in `drop`, by a name that says that something of it is shown:
 * what comes out is there as long as `self`.
 */
export function findShown(unit: UnitFacts, fn: FunctionIr, text: string): Shown | undefined {
  const { owner, bodySpan } = fn;
  if (owner === undefined || !bodySpan || /iter|cursor|walk/iu.test(owner)) return undefined;
  for (const call of text.matchAll(
    /(?<!\w)((?:\w+::)*(?:[a-z]\w*|[A-Z][A-Za-z\d]*_\w+))\s*\((?:[^()]*,)?\s*(?:&\s*(?:mut\s+)?)?(self\s*\.\s*\w+)(?:\.as_ptr\(\)|\(\))?\s*[,)]/gu,
  )) {
    const [whole, callee, pointer] = call;
    if (callee === undefined || pointer === undefined) continue;
    const words = wordsOf(callee);
    if (
      MAKES.test(words) ||
      LASTS.test(words) ||
      LEADS_ON.test(words) ||
      !/(?:^|_)(?:get|data|at|peek|value|name|text|str|buf\w*|contents?)(?:_|$)/u.test(words)
    )
      continue;
    if (!hasDrop(unit, owner) || !isForeign(unit, callee)) continue;
    const start = bodySpan.start + call.index;
    return { callee, pointer, at: { start, end: start + whole.length } };
  }
  return undefined;
}

/** `self` and the parameters that lend a value of a named type. */
function lenders(fn: FunctionIr): readonly { readonly root: string; readonly owner: string }[] {
  const isLent = fn.self?.mode === 'shared' || fn.self?.mode === 'mutable';
  return [
    ...(isLent && fn.owner !== undefined ? [{ root: 'self', owner: fn.owner }] : []),
    ...fn.params.flatMap((p) =>
      p.name && p.type?.kind === 'reference' && p.type.element?.kind === 'path'
        ? [{ root: p.name, owner: p.type.element.name }]
        : [],
    ),
  ];
}

/** Whether a type has a `Drop` that does something with the value: one that only asks a library to clear its scratch texts ends none. */
function endsOwn(unit: UnitFacts, view: string): boolean {
  return unit.implsOf(view).some(({ item, file }) => {
    if (item.trait?.name !== 'Drop') return false;
    const text = (unit.textOf(file.path) ?? '').slice(item.span.start, item.span.end);
    return /\bself\b/u.test(text.replace(/&\s*mut\s+self\b/u, '')) || /\b\w+!/u.test(text);
  });
}

/**
 * `Info { raw, owned: false }` of a type whose `drop` asks `if self.owned`, or a constructor that makes one like that: what it is made of stays
 * somebody else's.
 */
function isMadeUnowned(unit: UnitFacts, decl: TypeDecl | undefined, text: string): boolean {
  const [flag, ...more] = decl?.fields.filter((f) => f.type?.name === 'bool') ?? [];
  if (!decl || !flag || more.length > 0) return false;
  const drops = unit
    .implsOf(decl.name, 'Drop')
    .map(({ item, file }) => (unit.textOf(file.path) ?? '').slice(item.span.start, item.span.end));
  const asked = new RegExp(`\\bif\\s*(!?)\\s*self\\s*\\.\\s*${flag.name}\\s*(?:\\{|&&)`, 'u');
  const negated = drops.map((drop) => asked.exec(drop)?.[1]);
  const [first] = negated;
  if (first === undefined || negated.some((one) => one !== first)) return false;
  const unowned = new RegExp(`\\b${flag.name}\\s*:\\s*${String(first === '!')}\\b`, 'u');
  const made = [...text.matchAll(new RegExp(`\\b${decl.name}\\s*(?:::\\s*(\\w+)\\s*\\(|\\{)`, 'gu'))];
  return (
    made.length > 0 &&
    made.every(({ 1: maker, index }) =>
      maker === undefined
        ? unowned.test(text.slice(index))
        : unit
            .functionsNamed(maker, 'rust')
            .some(
              ({ item, file }) =>
                item.owner === decl.name &&
                item.bodySpan !== undefined &&
                unowned.test((unit.textOf(file.path) ?? '').slice(item.bodySpan.start, item.bodySpan.end)),
            ),
    )
  );
}

/** A struct with a raw pointer and nothing that could keep its owner. */
function isBareStruct(unit: UnitFacts, file: FileIr, decl: TypeDecl | undefined): boolean {
  // A parameter that only a marker mentions holds nothing.
  if (decl?.kind !== 'struct' || decl.fields.length > 3 || decl.generics.some((g) => g.name.startsWith("'")))
    return false;
  const plain = (type: TypeRef | undefined): boolean =>
    type?.kind === 'path' && /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|PhantomData|c_\w+)$/u.test(type.name);
  const pointers = decl.fields.filter((f) => isPointer(unit, file, f.type));
  return pointers.length > 0 && decl.fields.every((f) => pointers.includes(f) || plain(f.type));
}

/** A struct that ends a handle, of its own or in a field, and has nothing that could keep the owner. */
function isBareHandle(unit: UnitFacts, file: FileIr, decl: TypeDecl | undefined): boolean {
  if (decl?.kind !== 'struct' || decl.generics.some((g) => g.name.startsWith("'")) || decl.fields.length > 4)
    return false;
  if (hasDrop(unit, decl.name)) return isBareStruct(unit, file, decl);
  const oracle = unit.oracle('rust');
  const handles = decl.fields.filter((f) => {
    const { type } = f;
    if (type?.kind !== 'path' || type.args.length > 0 || !hasDrop(unit, type.name)) return false;
    return isBareStruct(unit, file, oracle.declaration(type.name, file.path));
  });
  const plain = /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|PhantomData)$/u;
  return handles.length > 0 && decl.fields.every((f) => handles.includes(f) || plain.test(f.type?.name ?? ''));
}

/** Whether a type has a `Drop`, or one of its fields has. */
function endsSomething(unit: UnitFacts, file: FileIr, owner: string): boolean {
  if (hasDrop(unit, owner)) return true;
  const fields = unit.oracle('rust').declaration(owner, file.path)?.fields ?? [];
  return fields.some(({ type }) => {
    const held = type?.kind === 'path' && /^(?:Arc|Rc|Box)$/u.test(type.name) ? type.args[0] : type;
    return held?.kind === 'path' && held.args.length === 0 && hasDrop(unit, held.name);
  });
}

function isPointer(unit: UnitFacts, file: FileIr, type: TypeRef | undefined): boolean {
  if (type?.kind === 'pointer') return true;
  if (type?.kind !== 'path') return false;
  if (type.name === 'NonNull') return true;
  if (type.args.length > 0) return false;
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  // `lib_column`: a handle of a library, in its spelling.
  return decl
    ? decl.alias?.kind === 'pointer'
    : /^[a-z]\w*_\w+$/u.test(type.name) && !/^c_|^(?:u?int\w*|s?size)_t$/u.test(type.name) && !isNumberOfLibc(type);
}

/** `libc::dev_t`, `libc::off_t`: what the system's headers call by such a name is a number. */
function isNumberOfLibc({ path, name }: TypeRef): boolean {
  return path.at(-2) === 'libc' && name.endsWith('_t');
}

/** Whether a function is of another language: by its path, or because no Rust function of the unit has its name. */
function isForeign(unit: UnitFacts, path: string): boolean {
  if (FOREIGN.test(path) || (path.includes('::') && isBinding(unit, path))) return true;
  if (path.includes('::') || !path.includes('_')) return false;
  const declared = unit.functionsNamed(path, 'rust');
  // A binding that loads the library at run time has wrappers of the same names.
  return declared.length === 0 || declared.some(({ item }) => item.abi !== undefined && item.bodySpan === undefined);
}

/** `ll::lib_file_tag`, of a crate or module of the unit by another name: nothing but foreign declarations has the name. */
function isBinding(unit: UnitFacts, path: string): boolean {
  const name = path.slice(path.lastIndexOf(':') + 1);
  const declared = name.includes('_') ? unit.functionsNamed(name, 'rust') : [];
  return declared.length > 0 && declared.every(({ item }) => item.abi !== undefined && item.bodySpan === undefined);
}
