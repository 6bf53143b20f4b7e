import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { bindingsOf, findRawViews, isRawPointer, sourceOf, type Bindings, type RawView } from './raw-views.js';
import { mentions, outermost } from './rust-code.js';
import type { UnitFacts } from './unit.js';
import { WAITS } from './waits.js';

/** A view of memory that a caller lends by a pointer, given to something that asks for `'static`. */
export interface DemandedStatic {
  readonly fn: FunctionIr;
  readonly how: string;
  /** The parameter. */
  readonly source: string;
  readonly view: Span;
  /** What asks for `'static`, and where it is given the view. */
  readonly callee: string;
  readonly span: Span;
}

/** A function that may hold one: what keeps or takes away is in it. */
const KEEPS_VIEW = /\bmove\s*(?:\||\{)|\bBytes::from/u;

const SPAWNS = /^(?:spawn|spawn_blocking|spawn_local|spawn_on|spawn_pinned|execute_tokio_future|spawn_future)$/u;
/** What shows the same memory in another way. */
const SHOWS =
  /^(?:unwrap|expect|unwrap_or|unwrap_or_default|to_str|to_bytes|as_ref|as_bytes|ok|map_err|to_string_lossy|iter)$/u;

/**
 * `let data = slice::from_raw_parts(data, len); app.send(move |_| store(data))`, where `send` asks for a closure that is `'static`: the
 * lifetime of the slice is whatever is asked for, though the memory is the caller's, who has it back when the function returns. And
 * `Bytes::from(slice::from_raw_parts(..))`, which takes static slices and copies none.
 */
export function findDemandedStatic(unit: UnitFacts, file: FileIr): readonly DemandedStatic[] {
  const text = unit.textOf(file.path) ?? '';
  if (!KEEPS_VIEW.test(text)) return [];
  const byId = new Map(file.functions.map((f) => [f.id, f]));
  const found: DemandedStatic[] = [];
  for (const fn of file.functions) {
    const { body } = fn;
    const outer = outermost(fn, byId);
    if (!body || outer.isTest || !outer.params.some((p) => isRawPointer(p.type))) continue;
    const own = text.slice(fn.span.start, fn.span.end);
    if (!KEEPS_VIEW.test(own) || !/\bfrom_raw_parts\b|\bfrom_ptr\b|&\s*(?:mut\s+)?\*|\.as_(?:ref|mut)\(/u.test(own))
      continue;
    const bindings = bindingsOf(body);
    const isPointer = (expr: Expr): boolean =>
      expr.kind === 'name' && outer.params.some((p) => p.name === expr.path.join('::') && isRawPointer(p.type));
    for (const view of findRawViews(body, isPointer)) {
      if (view.how === 'transmute') continue;
      // `let data = from_raw_parts(data, len)` makes the view of another `data` than the one that it declares.
      const before = new Map(
        [...bindings].filter(([, init]) => init.span.start > view.span.start || view.span.end > init.span.end),
      );
      const source = sourceOf(view.source, before, outer);
      const param = outer.params.find((p) => p.name === source?.name);
      if (!source || source.path.length > 0 || !isRawPointer(param?.type)) continue;
      const around = text.slice(outer.span.start, outer.span.end);
      // An `.await` in a function that is not async belongs to a task.
      const waits = WAITS.test(around) || (outer.isAsync && /\.\s*await\b/u.test(around));
      const kept = findKeeper(unit, file, body, view, bindings, waits);
      if (kept) found.push({ fn: outer, how: view.how, source: source.name, view: view.span, ...kept });
    }
  }
  return found;
}

/** The expression is the view, or shows the same memory. */
function shows(expr: Expr, view: RawView, names: readonly string[]): boolean {
  if (expr === view.expr) return true;
  switch (expr.kind) {
    case 'name':
      return expr.path.length === 1 && names.includes(expr.path[0] ?? '');
    case 'method':
      return SHOWS.test(expr.method) && shows(expr.receiver, view, names);
    case 'try':
      return shows(expr.value, view, names);
    // `&api.handle`: a part of what the reference shows.
    case 'address':
      return (
        !expr.raw && (expr.base.kind === 'field' ? showsBase(expr.base, view, names) : shows(expr.base, view, names))
      );
    case 'block':
      return expr.block.result !== undefined && shows(expr.block.result, view, names);
    case 'call':
      return (
        expr.callee.kind === 'name' &&
        /^from_utf8(?:_unchecked)?$/u.test(expr.callee.path.at(-1) ?? '') &&
        expr.callee.path.at(-2) !== 'String' &&
        expr.args[0] !== undefined &&
        shows(expr.args[0].value, view, names)
      );
    default:
      return false;
  }
}

function showsBase(expr: Expr, view: RawView, names: readonly string[]): boolean {
  return expr.kind === 'field' ? showsBase(expr.base, view, names) : shows(expr, view, names);
}

function findKeeper(
  unit: UnitFacts,
  file: FileIr,
  body: NonNullable<FunctionIr['body']>,
  view: RawView,
  bindings: Bindings,
  waits: boolean,
): { readonly callee: string; readonly span: Span } | undefined {
  const names: string[] = [];
  for (const [name, init] of bindings) if (shows(init, view, names)) names.push(name);
  let found: { callee: string; span: Span } | undefined;
  walkBody(body, ({ expr }) => {
    if (found || (expr.kind !== 'call' && expr.kind !== 'method') || expr.span.end < view.span.start) return;
    if (expr.kind === 'call' && expr.callee.kind === 'name') {
      const [type, name] = expr.callee.path.slice(-2);
      const given = expr.args[0]?.value;
      if (type === 'Bytes' && /^from(?:_static)?$/u.test(name ?? '') && given && shows(given, view, names)) {
        // A type of the package that has the name may copy.
        if (unit.oracle('rust').declaration('Bytes', file.path) === undefined)
          found = { callee: `Bytes::${name ?? ''}`, span: expr.span };
        return;
      }
    }
    if (waits) return;
    const callee =
      expr.kind === 'method' ? expr.method : expr.callee.kind === 'name' ? (expr.callee.path.at(-1) ?? '') : '';
    expr.args.forEach(({ value }, index) => {
      const task = value.kind === 'closure' ? file.functions.find((f) => f.id === value.functionId) : undefined;
      if (found || task?.isMove !== true || !names.some((name) => mentions(file, task, name))) return;
      if (SPAWNS.test(callee) || asksForStatic(unit, callee, expr.kind === 'method', index))
        found = { callee, span: value.span };
    });
  });
  return found;
}

/** Whether every function of the unit that has the name and takes a closure there asks for one that is `'static`. */
function asksForStatic(unit: UnitFacts, name: string, isMethod: boolean, index: number): boolean {
  if (!/^\w{3,}$/u.test(name)) return false;
  const named = unit.functionsNamed(name, 'rust').flatMap(({ item }) => {
    if ((item.self !== undefined) !== isMethod) return [];
    const type = item.params[index]?.type;
    const bounds =
      type?.kind === 'impl-trait'
        ? [type.text]
        : (item.generics.find((g) => type?.kind === 'path' && g.name === type.name)?.bounds ?? []);
    return bounds.some((b) => /\b(?:Fn(?:Once|Mut)?|Future)\b/u.test(b)) ? [bounds.join(' + ')] : [];
  });
  return named.length > 0 && named.every((bounds) => /'static\b/u.test(bounds));
}
