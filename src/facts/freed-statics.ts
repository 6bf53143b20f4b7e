import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import { walkBody } from '../model/walk-body.js';
import type { Span } from '../model/source.js';
import { bindingsOf, findRawViews, type Bindings } from './raw-views.js';
import type { UnitFacts } from './unit.js';

/** A function that hands out what a pointer in a static leads to as `'static`, and the place where another frees that. */
export interface FreedStatic {
  readonly fn: FunctionIr;
  readonly name: string;
  readonly view: Span;
  readonly freed: { readonly fn: FunctionIr; readonly span: Span; readonly how: string };
}

const POINTER = /^(?:AtomicPtr\s*<|\*\s*(?:mut|const)\b|Option\s*<\s*(?:NonNull\s*<|\*))/u;
/** What gives the pointer that is in the static, or was until now. */
const READS = new Set(['load', 'swap', 'take', 'replace', 'get']);
/** What hands a pointer on as it is. */
const PASSES = new Set(['cast', 'cast_mut', 'cast_const', 'unwrap', 'expect', 'as_ptr', 'unwrap_unchecked']);

/**
 * `fn engine() -> &'static Engine { unsafe { &*ENGINE.load(..) } }` beside `fn stop() { drop(Box::from_raw(ENGINE.swap(null, ..))) }`: a
 * static pointer to what a function that anybody may call frees. An `unsafe` function that frees leaves it to its caller.
 */
export function findFreedStatics(unit: UnitFacts, file: FileIr): readonly FreedStatic[] {
  const statics = new Set(
    file.globals
      .filter((g) => g.kind === 'static' && !g.isTest && POINTER.test(g.type?.text.replace(/^(?:\w+::)+/u, '') ?? ''))
      .map((g) => g.name),
  );
  const text = unit.textOf(file.path) ?? '';
  if (statics.size === 0 || !/\b(?:Box|Arc|Rc)::from_raw\b|\bdrop_in_place\b/u.test(text)) return [];
  const touches = new RegExp(`\\b(?:${[...statics].join('|')})\\b`, 'u');
  const touching = unit
    .withBodies(file, (fn) => unit.holds(file, fn, touches))
    .functions.filter((fn) => fn.body && !fn.isTest && touches.test(text.slice(fn.span.start, fn.span.end)));
  const freed = new Map<string, FreedStatic['freed']>();
  for (const fn of touching) {
    if (!fn.body || fn.isUnsafe || fn.trait === 'Drop') continue;
    const bindings = bindingsOf(fn.body);
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
      const how = expr.callee.path.slice(-2).join('::');
      if (!/^(?:(?:Box|Rc|Arc)::from_raw|(?:ptr::)?drop_in_place)$/u.test(how)) return;
      const name = staticBehind(expr.args[0]?.value, statics, bindings);
      if (name !== undefined && !freed.has(name)) freed.set(name, { fn, span: expr.span, how });
    });
  }
  return touching.flatMap((fn): FreedStatic[] => {
    if (!fn.body || fn.isUnsafe || fn.parent !== undefined || !/&\s*'static\b/u.test(fn.returns?.text ?? '')) return [];
    const bindings = bindingsOf(fn.body);
    for (const { source, span } of findRawViews(fn.body, (e) => staticBehind(e, statics, bindings) !== undefined)) {
      const name = staticBehind(source, statics, bindings);
      const end = name === undefined ? undefined : freed.get(name);
      if (name !== undefined && end && end.fn !== fn) return [{ fn, name, view: span, freed: end }];
    }
    return [];
  });
}

/** The static whose pointer an expression gives, through casts, reads of it and variables. */
function staticBehind(
  expr: Expr | undefined,
  statics: ReadonlySet<string>,
  bindings: Bindings,
  depth = 0,
): string | undefined {
  if (!expr || depth > 8) return undefined;
  const next = (inner: Expr | undefined): string | undefined => staticBehind(inner, statics, bindings, depth + 1);
  switch (expr.kind) {
    case 'cast':
    case 'try':
      return next(expr.value);
    case 'block':
      return expr.block.statements.length === 0 ? next(expr.block.result) : undefined;
    case 'method':
      return PASSES.has(expr.method) || READS.has(expr.method) ? next(expr.receiver) : undefined;
    case 'call': {
      const how = expr.callee.kind === 'name' ? expr.callee.path.slice(-2).join('::') : '';
      return /^(?:mem::(?:replace|take)|NonNull::new(?:_unchecked)?)$/u.test(how)
        ? next(expr.args[0]?.value)
        : undefined;
    }
    case 'address':
      return next(expr.base);
    case 'name': {
      const name = expr.path.length === 1 ? (expr.path[0] ?? '') : '';
      const bound = bindings.get(name);
      return bound ? next(bound) : statics.has(name) ? name : undefined;
    }
    default:
      return undefined;
  }
}
