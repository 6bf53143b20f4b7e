import { hasDrop } from './declarations.js';
import type { Expr, FileIr, FunctionIr, Param, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { dataOf, isCallback, isDoneAtOnce } from './lent-handles.js';
import { writtenPlace } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** The address of `self` that a library keeps as the data of its callback, though the value can be moved afterwards. */
export interface RegisteredSelf {
  readonly callee: string;
  readonly owner: string;
  readonly span: Span;
  /** The function that gives the value away, so that it is where its caller puts it. */
  readonly maker: FunctionIr;
}

/** Functions that keep what they are given until it is taken back. */
const REGISTERS = /(?:^|_)(?:set|register|add|install|attach|subscribe|watch|hook|connect|listen|on)(?:_|$)/u;
/** What takes a registration back, runs it, or waits for it. */
const ENDS =
  /\b\w*(?:un(?:register|set|subscribe|hook|watch|install)|remove|clear|detach|disconnect|destroy|free|close|reset|_run|_wait|_join|_loop|_dispatch|_perform|_exec|_poll)\w*\s*(?:::\s*<[^;()]*>\s*)?\(/u;

/** What a parameter lends, and a library keeps as the data of its callback. */
export interface RegisteredParam {
  readonly callee: string;
  readonly span: Span;
  readonly param: Param;
  readonly borrow: Span;
}

/**
 * `self.queue = create_queue(h, hook, self as *mut Self as *mut c_void);` in a method by reference, of a type whose constructors return it
 * by value: the library calls back with the address that the value had when it was registered.
 */
export function findRegisteredSelf(unit: UnitFacts, file: FileIr, fn: FunctionIr): RegisteredSelf | undefined {
  const { owner, bodySpan } = fn;
  if (!bodySpan || !fn.self || owner === undefined || !isAsked(fn)) return undefined;
  if ((fn.self.mode !== 'mutable' && fn.self.mode !== 'shared') || fn.self.lifetime === "'static") return undefined;
  const source = unit.textOf(file.path) ?? '';
  if (!/\bself\b[^;]*\bas\s*\*|\bfrom_(?:ref|mut)\b/u.test(source.slice(bodySpan.start, bodySpan.end)))
    return undefined;
  if (fn.self.type !== undefined || source.slice(fn.self.span.start, fn.self.span.end).includes('Pin'))
    return undefined;
  const found = findRegistration(file, fn, source, (name) => name === 'self', true);
  const maker = found && makerOf(unit, file, owner);
  return maker && { ...found, owner, maker };
}

/**
 * `player_on_progress(player, hook, total as *mut c_int as *mut c_void)`, where `total` is a reference that the caller lends for the call:
 * no lifetime of the type or of the result is that of the reference.
 */
export function findRegisteredParam(unit: UnitFacts, file: FileIr, fn: FunctionIr): RegisteredParam | undefined {
  if (!isAsked(fn) || !(fn.isPublic || fn.trait !== undefined)) return undefined;
  const lent = fn.params.filter(
    ({ type }) =>
      type?.kind === 'reference' &&
      type.lifetime !== "'static" &&
      type.element?.kind === 'path' &&
      !/^(?:str|CStr|OsStr|Path)$/u.test(type.element.name) &&
      (type.lifetime === undefined || isOnlyOf(fn, type.lifetime)),
  );
  if (lent.length === 0) return undefined;
  const found = findRegistration(
    file,
    fn,
    unit.textOf(file.path) ?? '',
    (name) => lent.some((p) => p.name === name),
    false,
  );
  const param = found && lent.find((p) => p.name === found.name);
  if (found && endsHere(unit, fn, found.span, unit.textOf(file.path) ?? '')) return undefined;
  return param && { callee: found.callee, span: found.span, borrow: found.borrow, param };
}

/**
 * `set_write(writer.raw, file, Some(f))` of a local of a type whose `drop` ends what it registered with, and which goes nowhere: whatever is
 * kept is gone with it when the function returns.
 */
function endsHere(unit: UnitFacts, { bodySpan }: FunctionIr, call: Span, source: string): boolean {
  const object = /\(\s*(\w+)\s*\.\s*\w+\s*,/u.exec(source.slice(call.start, call.end))?.[1];
  if (object === undefined || object === 'self' || !bodySpan) return false;
  const before = source.slice(bodySpan.start, call.start);
  const type = new RegExp(
    `\\blet\\s+(?:mut\\s+)?${object}\\s*(?::[^=;]*)?=\\s*(?:\\w+\\s*::\\s*)*?([A-Z]\\w*)\\s*(?:::\\s*\\w+\\s*\\(|\\{)`,
    'u',
  ).exec(before)?.[1];
  if (type === undefined || !hasDrop(unit, type)) return false;
  return !new RegExp(`(?<![.\\w])${object}\\b(?!\\s*[.\\w])`, 'u').test(source.slice(call.end, bodySpan.end));
}

/** A lifetime of the function that neither the result nor a bound has to do with. */
function isOnlyOf(fn: FunctionIr, lifetime: string): boolean {
  return (
    fn.generics.some((g) => g.name === lifetime && g.bounds.length === 0) &&
    !new RegExp(`${lifetime}\\b`, 'u').test(fn.returns?.text ?? '')
  );
}

function isAsked(fn: FunctionIr): boolean {
  return fn.body !== undefined && fn.kind !== 'closure' && !fn.isUnsafe && !fn.isTest && fn.abi === undefined;
}

/** The call that keeps a function of the file and, as its data, the address of a value that `isLent` knows; nothing ends it later on. */
function findRegistration(
  file: FileIr,
  { body, bodySpan }: FunctionIr,
  source: string,
  isLent: (name: string) => boolean,
  orInField: boolean,
): { readonly callee: string; readonly span: Span; readonly name: string; readonly borrow: Span } | undefined {
  if (!body || !bodySpan) return undefined;
  const aliases = new Map<string, string>();
  let found: { callee: string; span: Span; name: string; borrow: Span } | undefined;
  walkBody(body, ({ expr, statement, around }) => {
    if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && statement.init === expr) {
      const data = dataOf(expr, aliases);
      if (data?.isCast === true && !data.isAddress) aliases.set(statement.pattern.name, data.name);
    }
    if (found || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const name = expr.callee.path.at(-1) ?? '';
    if (/^[A-Z]\w*$/u.test(expr.callee.path.at(-2) ?? '') || isDoneAtOnce(name)) return;
    if (!REGISTERS.test(name) && !(orInField && isKeptInField(expr, around))) return;
    if (!expr.args.some((a) => isCallback(file, a.value))) return;
    for (const { value } of expr.args) {
      const data = dataOf(value, aliases);
      if (data?.isCast === true && !data.isAddress && isLent(data.name))
        found ??= { callee: expr.callee.path.join('::'), span: expr.span, name: data.name, borrow: value.span };
    }
  });
  return found && !ENDS.test(source.slice(found.span.end, bodySpan.end)) && !isSetAgain(found, source, bodySpan)
    ? found
    : undefined;
}

/** The same function is called once more, which sets something else. */
function isSetAgain(
  { callee, span }: { readonly callee: string; readonly span: Span },
  source: string,
  body: Span,
): boolean {
  return new RegExp(`\\b${callee.split('::').at(-1) ?? ''}\\s*\\(`, 'u').test(source.slice(span.end, body.end));
}

/** What the call gives, a handle, goes into a field of `self`. */
function isKeptInField(call: Expr, around: readonly Expr[]): boolean {
  const assigned = around.find((outer) => outer.kind === 'assign');
  return (
    assigned?.kind === 'assign' &&
    assigned.value.span.start <= call.span.start &&
    (writtenPlace(assigned.target)?.startsWith('self.') ?? false)
  );
}

/** A function of the type that returns it by value; undefined where it is boxed or pinned, or where nothing shows how it is made. */
function makerOf(unit: UnitFacts, file: FileIr, owner: string): FunctionIr | undefined {
  const decl = unit.oracle('rust').declaration(owner, file.path);
  if (decl?.kind !== 'struct' || decl.fields.some((f) => f.type?.name === 'PhantomPinned')) return undefined;
  const makers = file.functions.filter((f) => f.owner === owner && f.self === undefined && f.parent === undefined);
  const text = (type: TypeRef | undefined): string => type?.text ?? '';
  if (
    makers.some((f) => new RegExp(`\\b(?:Box|Rc|Arc|Pin)\\s*<[^>]*\\b(?:Self|${owner})\\b`, 'u').test(text(f.returns)))
  )
    return undefined;
  return makers.find((f) => contentOf(f.returns, owner));
}

function contentOf(type: TypeRef | undefined, owner: string): boolean {
  if (type?.kind !== 'path') return false;
  if (type.name === 'Self' || type.name === owner) return true;
  return /^(?:Option|\w*Result)$/u.test(type.name) && contentOf(type.args[0], owner);
}
