import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { closingBracket } from './plain-text.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import { originOf } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** A descriptor, socket or handle of the system that two values close. */
export interface SharedDescriptor {
  /** `File::from_raw_fd`. */
  readonly taker: string;
  /** The first owner, as written. */
  readonly owner: string;
  readonly shown: Span;
  readonly span: Span;
  /** A way out before the new owner is forgotten. */
  readonly left?: Span;
}

const TAKES = /^from_raw_(?:fd|socket|handle)$/u;
const SHOWS = /^as_raw_(?:fd|socket|handle)$/u;
/** Types of number and of borrowed descriptors, which close nothing. */
const BORROWED = /^(?:RawFd|RawSocket|RawHandle|Borrowed(?:Fd|Socket|Handle)|c_int|i32|u64|isize|ManuallyDrop)$/u;
const OWNERS =
  /^(?:File|Owned(?:Fd|Socket|Handle)|(?:Tcp|Udp|Unix)(?:Stream|Listener|Datagram|Socket)|Socket|Stdio|Child(?:Stdin|Stdout|Stderr)|Async\w+|\w*(?:File|Stream|Listener|Socket|Datagram|Fd))$/u;

/**
 * `File::from_raw_fd(file.as_raw_fd())`: the number is still closed by the first owner, and by the new one as well. Quiet where one of the
 * two is forgotten, kept in a `ManuallyDrop` or turned into a number again.
 */
export function findSharedDescriptors(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly SharedDescriptor[] {
  const { body } = fn;
  if (!body || !fn.bodySpan) return [];
  const all = unit.textOf(file.path) ?? '';
  const text = all.slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!/\bas_raw_(?:fd|socket|handle)\b/u.test(text)) return [];
  const bindings = bindingsOf(body);
  const found: SharedDescriptor[] = [];
  walkBody(body, ({ expr, around }) => {
    if (expr.kind !== 'call' || expr.callee.kind !== 'name' || !TAKES.test(expr.callee.path.at(-1) ?? '')) return;
    const shown = shownBy(expr.args[0]?.value, bindings);
    const type = expr.callee.path.at(-2) ?? '';
    if (!shown || BORROWED.test(type) || !closes(unit, file, fn, type)) return;
    const owner = all.slice(shown.receiver.span.start, shown.receiver.span.end);
    if (isStandard(owner) || isBorrowed(unit, file, fn, shown.receiver)) return;
    if (around.some((outer) => isKeptOpen(outer))) return;
    const names = [owner.replace(/^&(?:mut\s+)?/u, '')];
    for (const [name, init] of bindings)
      if (init.span.start <= expr.span.start && expr.span.end <= init.span.end) names.push(name);
    const from = fn.bodySpan?.start ?? 0;
    const gone = names.flatMap((name) => letGoAt(text, name, expr.span.end - from) ?? []);
    const left = gone.length > 0 ? wayOut(text, expr.span.end - from, Math.min(...gone)) : undefined;
    if (gone.length > 0 && !left) return;
    found.push({
      taker: `${type}::${expr.callee.path.at(-1) ?? ''}`,
      owner,
      shown: shown.span,
      span: expr.span,
      ...(left ? { left: { start: from + left.start, end: from + left.end } } : {}),
    });
  });
  return found;
}

/** The call of `as_raw_fd` behind an argument, through casts, blocks and a variable. */
function shownBy(
  expr: Expr | undefined,
  bindings: Bindings,
): { readonly receiver: Expr; readonly span: Span } | undefined {
  const origin = expr && originOf(expr, bindings);
  return origin?.kind === 'method' && SHOWS.test(origin.method) && origin.args.length === 0
    ? { receiver: origin.receiver, span: origin.span }
    : undefined;
}

/** Whether the type that takes the number closes it at its end, as far as its name or its declaration tells. */
function closes(unit: UnitFacts, file: FileIr, fn: FunctionIr, written: string): boolean {
  const name = written === 'Self' ? (fn.owner ?? '') : written;
  if (fn.generics.some((g) => g.name === name))
    return fn.generics.some((g) => g.name === name && g.bounds.some((b) => /\bFromRaw/u.test(b)));
  const decl = unit.oracle('rust').declaration(name, file.path);
  if (!decl) return OWNERS.test(name);
  return (
    unit.implsOf(name, 'Drop').length > 0 ||
    decl.fields.some(
      (f) => f.type !== undefined && OWNERS.test(innermost(f.type)) && !f.type.text.includes('ManuallyDrop'),
    )
  );
}

function innermost(type: TypeRef): string {
  const [arg] = type.args;
  return /^(?:Option|Box|Arc|Rc)$/u.test(type.name) && arg ? innermost(arg) : type.name;
}

/** The descriptors that every process has, which nobody else closes. */
function isStandard(owner: string): boolean {
  return /\bstd(?:in|out|err)\b/u.test(owner);
}

/** A number, a borrowed descriptor, or a record of the package that only holds the number. */
function isBorrowed(unit: UnitFacts, file: FileIr, fn: FunctionIr, receiver: Expr): boolean {
  let inner = receiver;
  while (inner.kind === 'address' || inner.kind === 'deref') inner = inner.base;
  let type: TypeRef | undefined;
  if (inner.kind === 'name' && inner.path.length === 1)
    type = inner.path[0] === 'self' ? undefined : fn.params.find((p) => p.name === inner.path[0])?.type;
  while (type?.kind === 'reference' && type.element) type = type.element;
  const name = inner.kind === 'name' && inner.path[0] === 'self' ? fn.owner : type?.name;
  if (name === undefined) return false;
  if (BORROWED.test(name)) return true;
  const decl = unit.oracle('rust').declaration(name, file.path);
  return (
    decl?.kind === 'struct' &&
    unit.implsOf(name, 'Drop').length === 0 &&
    decl.fields.every(
      (f) => f.type !== undefined && (BORROWED.test(f.type.name) || /\bManuallyDrop\b/u.test(f.type.text)),
    )
  );
}

/** What is put around the new owner so that it does not close: `ManuallyDrop::new(..)`, `mem::forget(..)`, `.into_raw_fd()`. */
function isKeptOpen(outer: Expr): boolean {
  if (outer.kind === 'method') return /^into_raw_|^leak$/u.test(outer.method);
  return (
    outer.kind === 'call' &&
    outer.callee.kind === 'name' &&
    /(?:^|::)(?:forget|leak|ManuallyDrop::new)$/u.test(outer.callee.path.join('::'))
  );
}

/** Where the variable is forgotten or gives its number away, in the text of a function: behind `from`, or else before it. */
function letGoAt(text: string, name: string, from: number): number | undefined {
  const word = name.replace(/[.*+?^${}()|[\]\\]/gu, String.raw`\$&`);
  const places = [
    ...text.matchAll(
      new RegExp(
        `\\b(?:forget|leak|ManuallyDrop::new)\\s*\\(\\s*${word}\\s*\\)|(?<![\\w.])${word}\\s*\\.\\s*into_(?:raw_|std\\b|inner\\b)`,
        'gu',
      ),
    ),
  ].map(({ index }) => index);
  return places.find((at) => at >= from) ?? places[0];
}

/** The text with blanks for the bodies of closures, which only they are left by. */
function withoutClosures(text: string): string {
  let blanked = text;
  for (const { index, 0: head } of text.matchAll(/\|[^|;{}]*\|\s*(?:->[^{;]*)?\{/gu)) {
    const from = index + head.length;
    const end = closingBracket(text, from);
    blanked = blanked.slice(0, from) + ' '.repeat(end - from) + blanked.slice(end);
  }
  return blanked;
}

/** `?` or `return` behind the statement in which the new owner is made, and before it is let go: there it closes what it has. */
function wayOut(text: string, from: number, to: number): Span | undefined {
  const begins = text.indexOf(';', from);
  if (begins < 0 || begins >= to) return undefined;
  const found = /\?(?=\s*[;.,)}])|\breturn\b/u.exec(
    withoutClosures(text.slice(begins, to).replace(/\/\/[^\n]*/gu, (c) => ' '.repeat(c.length))),
  );
  return found ? { start: begins + found.index, end: begins + found.index + found[0].length } : undefined;
}
