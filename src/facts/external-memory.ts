/** Memory of Rust that is shown to JavaScript without a copy, and what becomes of its owner. */
import type { Block, Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import { withoutCasts, writtenPlace } from './rust-code.js';

export interface ExternalMemory {
  readonly callee: string;
  readonly span: Span;
  /** The owner as written: `self.samples`. */
  readonly owner: string;
  /** Where the pointer into it is taken. */
  readonly taken: Span;
  /** What the finalizer frees it by, though the owner still has it; absent when the finalizer does nothing. */
  readonly freed?: { readonly how: string; readonly span: Span };
}

/** Positions of the pointer, the hint and the finalizer. */
interface Shape {
  readonly data: number;
  readonly hint?: number;
  readonly finalizer: number;
}

const OF_PATHS: ReadonlyMap<string, Shape> = new Map([
  ['from_external', { data: 1, hint: 3, finalizer: 4 }],
  ['with_external_data', { data: 0, finalizer: 2 }],
]);
const OF_METHODS: ReadonlyMap<string, Shape> = new Map([
  ['create_buffer_with_borrowed_data', { data: 0, hint: 2, finalizer: 3 }],
  ['create_arraybuffer_with_borrowed_data', { data: 0, hint: 2, finalizer: 3 }],
]);
const ADOPTS = /^(?:Vec|String|CString|Box|Arc|Rc)$/u;
/** Types whose values end with the function that takes them. */
const OWNS =
  /^(?:Vec|String|CString|Buffer|(?:Ui|I)nt(?:8|16|32)Array|Uint8ClampedArray|Float(?:32|64)Array|Big(?:Ui|I)nt64Array)$/u;
const GIVES_UP = /^(?:forget|leak|into_raw|into_boxed_slice|into_raw_parts)$/u;
/** Methods whose result lends what the value lends or owns. */
const LOOKS =
  /^(?:as_slice|as_mut_slice|as_ref|as_mut|as_bytes|as_bytes_mut|as_deref|as_deref_mut|borrow|borrow_mut|get|get_mut|get_unchecked|unwrap|expect|first|last|iter|deref|deref_mut)$/u;
const FRESH = /^(?:to_vec|into_bytes|into_vec|to_owned|collect|clone|to_string|into_boxed_slice)$/u;

/**
 * Buffers that napi-rs makes of a pointer (`BufferSlice::from_external`, `create_arraybuffer_with_borrowed_data`) into what `self`, a
 * parameter or an object behind one owns, or into a local that ends, when the finalizer and its hint keep nothing, or free it again.
 */
export function findExternalMemory(file: FileIr, fn: FunctionIr): readonly ExternalMemory[] {
  const { body } = fn;
  if (!body || fn.isUnsafe || fn.returns?.lifetimes?.includes("'static") === true) return [];
  const variables = initialisers(body);
  const scope: Scope = { file, fn, variables };
  const found: ExternalMemory[] = [];
  walkBody(body, ({ expr }) => {
    const shape = shapeOf(expr);
    if (!shape || (expr.kind !== 'call' && expr.kind !== 'method')) return;
    const data = expr.args[shape.data]?.value;
    const finalizer = expr.args[shape.finalizer]?.value;
    const pointer = data && pointerOf(data, variables);
    if (!data || !finalizer || !pointer) return;
    const whose = belonging(scope, pointer.root, expr.span.start);
    if (whose !== 'lent' && isGivenUp(body, pointer.root)) return;
    const hint = shape.hint === undefined ? undefined : expr.args[shape.hint]?.value;
    if (hint && !isEmpty(hint, scope, nameOf(withoutCasts(data)))) return;
    const end = endOf(file, finalizer);
    if (end === 'unknown') return;
    if (end === 'nothing' && whose === undefined) return;
    found.push({
      callee:
        expr.kind === 'method' ? expr.method : expr.callee.kind === 'name' ? expr.callee.path.slice(-2).join('::') : '',
      span: expr.span,
      owner: pointer.owner,
      taken: pointer.span,
      ...(end === 'nothing' ? {} : { freed: end }),
    });
  });
  return found;
}

function shapeOf(expr: Expr): Shape | undefined {
  if (expr.kind === 'method') return OF_METHODS.get(expr.method);
  if (expr.kind !== 'call' || expr.callee.kind !== 'name') return undefined;
  const [owner = '', name = ''] = expr.callee.path.slice(-2);
  return /^(?:Buffer|BufferSlice|ArrayBuffer|\w+Array|\w+Slice)$/u.test(owner) ? OF_PATHS.get(name) : undefined;
}

interface Scope {
  readonly file: FileIr;
  readonly fn: FunctionIr;
  readonly variables: Variables;
}

type Variables = ReadonlyMap<string, readonly Expr[]>;

function initialisers(body: Block): Variables {
  const found = new Map<string, Expr[]>();
  walkBody(body, ({ expr, statement }) => {
    if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind' || statement.init !== expr) return;
    found.set(statement.pattern.name, [...(found.get(statement.pattern.name) ?? []), expr]);
  });
  return found;
}

/** What a variable was last set to before a place in the source. */
function latest(variables: Variables, name: string, at: number): Expr | undefined {
  return variables.get(name)?.findLast((init) => init.span.end <= at);
}

/** The pointer's owner: `y` of `y.as_mut_ptr()`, also through a variable; `root` is the variable that it belongs to. */
function pointerOf(
  data: Expr,
  variables: Variables,
  depth = 0,
): { readonly owner: string; readonly root: string; readonly span: Span } | undefined {
  const expr = withoutCasts(data);
  if (expr.kind === 'method' && /^as_(?:mut_)?ptr$/u.test(expr.method)) {
    const root = rootOf(expr.receiver);
    return root === undefined ? undefined : { owner: writtenPlace(expr.receiver) ?? root, root, span: expr.span };
  }
  const name = nameOf(expr);
  const init = name === undefined ? undefined : latest(variables, name, expr.span.start);
  return init && depth < 3 ? pointerOf(init, variables, depth + 1) : undefined;
}

type Belonging = 'lent' | 'local' | 'either';

/**
 * Whom the memory of a variable belongs to: `lent` by `self`, a borrowed parameter or an object reached from one, which may end it; a
 * `local`, which ends here; `either` when a function of unknown result made it of something lent; undefined when nothing is known.
 */
function belonging({ file, fn, variables }: Scope, root: string, at: number, depth = 0): Belonging | undefined {
  if (root === 'self') return fn.self?.mode === 'value' ? undefined : 'lent';
  const init = latest(variables, root, at);
  if (!init) {
    const type = fn.params.find((p) => p.name === root)?.type;
    if (type?.kind === 'path' && OWNS.test(type.name)) return 'local';
    return type?.kind === 'reference' && type.lifetime !== "'static" ? 'lent' : undefined;
  }
  if (depth > 4) return undefined;
  const made = unwrapped(init);
  if (made.kind === 'macro') return made.name === 'vec' ? 'local' : undefined;
  if (made.kind === 'method' && FRESH.test(made.method)) return 'local';
  const name = made.kind === 'call' && made.callee.kind === 'name' ? (made.callee.path.at(-1) ?? '') : '';
  const argument = made.kind === 'call' && made.args.length === 1 ? made.args[0]?.value : undefined;
  const lends = (called: string): boolean =>
    file.functions.some(
      (f) => f.name === called && f.returns?.kind === 'reference' && f.returns.lifetime !== "'static",
    );
  if (made.kind === 'call' && !lends(name)) return undefined;
  const from = argument ?? made;
  const next = from.kind === 'call' ? undefined : rootOf(from);
  if (next === undefined) return undefined;
  // `env.unwrap::<T>(&this)`: the object that JavaScript holds.
  if (isUnwrap(from)) return 'lent';
  const whose = belonging({ file, fn, variables }, next, init.span.start, depth + 1);
  if (whose === undefined) return undefined;
  if (made.kind === 'call') return 'lent';
  const called = methodsOf(made);
  return called.every(lends) ? whose : 'either';
}

/** The methods of a chain, those that only look at a value left out. */
function methodsOf(expr: Expr): readonly string[] {
  const found: string[] = [];
  walkExpression(expr, ({ expr: part }) => {
    if (part.kind === 'method' && !LOOKS.test(part.method)) found.push(part.method);
  });
  return found;
}

function isUnwrap(expr: Expr | undefined): boolean {
  let unwraps = false;
  if (expr)
    walkExpression(expr, ({ expr: part }) => {
      unwraps ||= part.kind === 'method' && part.method === 'unwrap' && part.args.length === 1;
    });
  return unwraps;
}

/** `x?`, `x.unwrap()`, `&mut x` stand for x. */
function unwrapped(expr: Expr): Expr {
  if (expr.kind === 'try') return unwrapped(expr.value);
  if (expr.kind === 'address') return unwrapped(expr.base);
  if (expr.kind === 'block' && expr.block.result && expr.block.statements.length === 0)
    return unwrapped(expr.block.result);
  // `env.unwrap(&this)` is something else.
  if (expr.kind === 'method' && (expr.method === 'expect' || (expr.method === 'unwrap' && expr.args.length === 0)))
    return unwrapped(expr.receiver);
  return expr;
}

/** The function gives the variable up (`mem::forget(v)`, `ManuallyDrop::new(v)`), or moves it into what it returns or keeps. */
function isGivenUp(body: Block, root: string): boolean {
  let given = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'method' && GIVES_UP.test(expr.method)) given ||= rootOf(expr.receiver) === root;
    if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const [owner = '', name = ''] = expr.callee.path.slice(-2);
    if (GIVES_UP.test(name) || GIVES_UP.test(owner) || (owner === 'ManuallyDrop' && name === 'new'))
      given ||= expr.args.some(({ value }) => rootOf(value) === root && value.kind === 'name') && root !== 'self';
  });
  return given;
}

/** A hint that keeps nothing alive: a number, `()`, the pointer once more, or a reference that is never dropped. */
function isEmpty(hint: Expr, scope: Scope, data: string | undefined): boolean {
  const expr = withoutCasts(hint);
  if (expr.kind === 'literal') return true;
  if (expr.kind === 'tuple') return expr.items.every((item) => isEmpty(item, scope, data));
  if (expr.kind === 'call' && expr.callee.kind === 'name') {
    const [owner = '', name = ''] = expr.callee.path.slice(-2);
    if (owner !== 'ManuallyDrop' || name !== 'new') return /^null(?:_mut)?$/u.test(name);
    const root = rootOf(expr.args[0]?.value ?? expr);
    return root !== undefined && belonging(scope, root, expr.span.start) === 'lent';
  }
  const name = nameOf(expr);
  if (name === undefined) return false;
  if (name === data) return true;
  const init = latest(scope.variables, name, expr.span.start);
  if (init?.kind === 'call') return isEmpty(init, scope, data);
  return init?.kind === 'method' && /^(?:len|as_ptr|as_mut_ptr|capacity)$/u.test(init.method);
}

/** What a finalizer does with the memory. */
function endOf(file: FileIr, finalizer: Expr): 'nothing' | 'unknown' | { readonly how: string; readonly span: Span } {
  if (finalizer.kind === 'name') return finalizer.path.at(-1) === 'noop_finalize' ? 'nothing' : 'unknown';
  if (finalizer.kind !== 'closure') return 'unknown';
  const closure = file.functions.find((f) => f.id === finalizer.functionId);
  if (!closure?.body) return 'unknown';
  let freed: { how: string; span: Span } | undefined;
  let isBusy = false;
  walkBody(closure.body, ({ expr }) => {
    if (expr.kind !== 'literal') isBusy = true;
    if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const [owner = '', name = ''] = expr.callee.path.slice(-2);
    if (ADOPTS.test(owner) && /^from_raw(?:_parts)?$/u.test(name))
      freed ??= { how: `${owner}::${name}`, span: expr.span };
  });
  return freed ?? (isBusy ? 'unknown' : 'nothing');
}

/** The variable, or other plain name, that an expression is. */
export function nameOf(expr: Expr): string | undefined {
  return expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
}

/** The variable at the front of a chain of fields and methods. */
function rootOf(expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'name':
      return nameOf(expr);
    case 'field':
    case 'index':
    case 'slice':
    case 'deref':
    case 'address':
      return rootOf(expr.base);
    case 'method':
      return rootOf(expr.receiver);
    case 'try':
    case 'cast':
      return rootOf(expr.value);
    default:
      return undefined;
  }
}
