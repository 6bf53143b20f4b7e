import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { calleeOf, walkBody } from '../model/walk-body.js';
import { blankComments } from './plain-text.js';
import { bindingsOf, findRawViews, isRawPointer } from './raw-views.js';
import { mentions, outermost } from './rust-code.js';
import type { UnitFacts } from './unit.js';
import { WAITS } from './waits.js';

/** A reference that an exported function makes of a handle and gives to a task that goes on after the call. */
export interface HandleTask {
  readonly fn: FunctionIr;
  /** The parameter that the other side keeps as a number. */
  readonly parameter: string;
  /** The type behind it. */
  readonly content: string;
  readonly view: Span;
  readonly callee: string;
  /** Where the task takes it. */
  readonly task: Span;
}

/** The call by which the other side lets go of a type behind a handle. */
export interface HandleClose {
  readonly path: string;
  readonly span: Span;
}

const NUMBER = /^(?:jlong|jint|jptr|[iu]64|[iu]size|c_u?longlong|u?intptr_t)$/u;
const SPAWNS = /^(?:spawn|spawn_blocking|spawn_local|spawn_on|spawn_pinned|execute_tokio_future|spawn_future)$/u;

/** Tasks of the exported functions of a file that hold a reference to what a handle leads to; one per function and type. */
export function findHandleTasks(unit: UnitFacts, file: FileIr): readonly HandleTask[] {
  const byId = new Map(file.functions.map((f) => [f.id, f]));
  const found: HandleTask[] = [];
  for (const fn of file.functions) {
    const { body } = fn;
    const outer = outermost(fn, byId);
    if (!body || outer.abi === undefined || outer.isTest) continue;
    const bindings = bindingsOf(body);
    const views = findRawViews(body, (expr) => expr.kind === 'cast' && isRawPointer(expr.type));
    for (const view of views) {
      const parameter = parameterOf(view.source, outer);
      const content = view.source.kind === 'cast' ? view.source.type.element : undefined;
      if (!content?.name || parameter === undefined) continue;
      const name = [...bindings].find(([, init]) => isValue(init, view.expr))?.[0];
      const taken = name === undefined ? undefined : findTask(unit, file, fn, name, view.span);
      if (taken) found.push({ fn: outer, parameter, content: spell(content), view: view.span, ...taken });
    }
  }
  return found;
}

/** Where the unit frees a type by a handle: `Box::from_raw(handle as *mut T)`. */
export function findHandleClose(unit: UnitFacts, file: FileIr, content: string): HandleClose | undefined {
  const type = content.replace(/[$()*+.?[\\\]^{|}]/gu, '\\$&').replace(/([<>,])/gu, '\\s*$1\\s*');
  const pattern = new RegExp(
    `\\b(?:Box|Arc|Rc)(?:::<[^>]*>)?::from_raw\\s*\\(\\s*\\w+\\s+as\\s+\\*\\s*(?:mut|const)\\s+(?:\\w+::)*${type}\\s*\\)`,
    'u',
  );
  for (const path of [file.path, ...unit.pathsOf('rust')]) {
    const text = unit.textOf(path) ?? '';
    const match = text.includes('from_raw') ? pattern.exec(blankComments(text)) : null;
    if (match) return { path, span: { start: match.index, end: match.index + match[0].length } };
  }
  return undefined;
}

/** The parameter that a cast is made of, when it is a number; the variable for the reference often has its name. */
function parameterOf(expr: Expr, fn: FunctionIr): string | undefined {
  let source = expr;
  while (source.kind === 'cast') source = source.value;
  const name = source.kind === 'name' && source.path.length === 1 ? source.path[0] : undefined;
  const type = fn.params.find((p) => p.name === name)?.type;
  return type?.kind === 'path' && NUMBER.test(type.name) ? name : undefined;
}

/** Whether the value of an expression is that of an inner one: `(p as *const T).as_ref().unwrap()`, `unsafe { &*p }`. */
function isValue(expr: Expr, inner: Expr): boolean {
  if (expr === inner) return true;
  if (expr.kind === 'method')
    return /^(?:unwrap|expect|unwrap_unchecked)$/u.test(expr.method) && isValue(expr.receiver, inner);
  if (expr.kind === 'try') return isValue(expr.value, inner);
  return expr.kind === 'block' && expr.block.result !== undefined && isValue(expr.block.result, inner);
}

/** A call after the reference was made that takes a closure or an async block which uses it, and does not wait. */
function findTask(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  name: string,
  view: Span,
): { readonly callee: string; readonly task: Span } | undefined {
  let found: { callee: string; task: Span } | undefined;
  if (!fn.body) return undefined;
  walkBody(fn.body, ({ expr }) => {
    if (found || (expr.kind !== 'call' && expr.kind !== 'method') || expr.span.start < view.end) return;
    const callee = calleeOf(expr)?.split(/::|\./u).at(-1) ?? '';
    for (const { value } of expr.args) {
      const task = value.kind === 'closure' ? file.functions.find((f) => f.id === value.functionId) : undefined;
      if (!task || !mentions(file, task, name) || !goesOn(unit, file, callee, task)) continue;
      found = { callee, task: value.span };
    }
  });
  return found;
}

/** Whether a call returns before what it was given is done: it spawns it, or is a function of the package that does. */
function goesOn(unit: UnitFacts, file: FileIr, callee: string, task: FunctionIr): boolean {
  if (SPAWNS.test(callee)) return true;
  if (task.kind !== 'async-block') return false;
  const text = textOfFunction(unit, file, callee);
  return text !== undefined && /\bspawn\w*\s*\(/u.test(text) && !WAITS.test(text);
}

/** The source of a free function of the same crate, without comments; undefined when it has none of the name, or several. */
function textOfFunction(unit: UnitFacts, file: FileIr, name: string): string | undefined {
  const crate = unit.project.cargoPackageOf(file.path)?.dir;
  const [found, ...others] = unit
    .functionsNamed(name, 'rust')
    .filter(
      ({ file: other, item }) =>
        item.owner === undefined &&
        (other.path === file.path || (crate !== undefined && unit.project.cargoPackageOf(other.path)?.dir === crate)),
    );
  if (!found || others.length > 0) return undefined;
  const { span } = found.item;
  return blankComments((unit.textOf(found.file.path) ?? '').slice(span.start, span.end));
}

function spell(type: TypeRef): string {
  return type.args.length > 0 ? `${type.name}<${type.args.map(spell).join(', ')}>` : type.name;
}
