import type { CallSite, FunctionFlow, StaleUse } from '../flow/result.js';
import { extend, originOf, placeKey } from '../flow/place.js';
import type { Block, FunctionIr } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { bindingsOf } from './raw-views.js';

/**
 * Rust: a text pointer that a variable copied out of a record of a library (`let name = (*info).name;`), and that is read when another
 * function of the library has ended the record, under nothing that the use is not under as well.
 */
export function findFreedTexts({ body }: FunctionIr, flow: FunctionFlow): readonly StaleUse[] {
  const ended = flow.invalidations.filter(
    ({ kind, row }) => kind === 'release' && row !== undefined && 'suffix' in row.match,
  );
  if (ended.length === 0 || !body) return [];
  return flow.calls.flatMap((call): readonly StaleUse[] => {
    const place = call.args[0]?.places[0];
    if (call.method || !/(?:^|::)CStr::from_ptr$/u.test(call.callee) || place?.root.kind !== 'local') return [];
    const origin = originOf(place);
    const holder = { root: origin.root, path: origin.path.slice(0, -1) };
    if (place.path.length > 0 || origin.root === place.root || !/^[A-Za-z_]\w*$/u.test(origin.path.at(-1) ?? ''))
      return [];
    const invalidation = ended.find(
      (one) =>
        one.span.end <= call.span.start &&
        placeKey(one.place) === placeKey(holder) &&
        isBefore(body, one.span, call.span),
    );
    // Copied before the release, and never set anew.
    if (!invalidation || place.root.span.start > invalidation.span.start) return [];
    if (flow.accesses.some((a) => a.kind === 'write' && a.place.root === place.root)) return [];
    // What the field no longer has does not end with the record.
    const isTaken = flow.accesses.some(
      (a) => a.kind === 'write' && a.span.start < invalidation.span.start && placeKey(a.place) === placeKey(origin),
    );
    if (isTaken || !isText(body, call)) return [];
    const pointer = {
      id: -1,
      target: extend(origin, '*'),
      form: 'raw' as const,
      erased: true,
      site: place.root.span,
      how: 'a copy',
      locks: [],
      context: call.context,
    };
    return [
      { pointer, invalidation, use: { span: call.span, kind: 'argument', what: call.callee }, context: call.context },
    ];
  });
}

/** Whether the field is a text by its type: without a cast. A pointer of another type may lead to what the record does not own. */
function isText(body: Block, { expr }: CallSite): boolean {
  const given = expr.kind === 'call' ? expr.args[0]?.value : undefined;
  if (given?.kind !== 'name' || given.path.length !== 1) return false;
  return bindingsOf(body).get(given.path[0] ?? '')?.kind === 'field';
}

/** Whether the code at `first` has run where that at `then` runs: no branch, loop or closure is around it alone. */
function isBefore(body: Block, first: Span, then: Span): boolean {
  let isApart = false;
  walkBody(body, ({ expr }) => {
    if (!isInside(first, expr.span)) return;
    if (expr.kind === 'if')
      isApart ||= [expr.then, expr.else].some((one) => one && isInside(first, one.span) && !isInside(then, one.span));
    else if (expr.kind === 'match')
      isApart ||= expr.arms.some(({ span }) => isInside(first, span) && !isInside(then, span));
    else if (expr.kind === 'loop' || expr.kind === 'closure') isApart ||= !isInside(then, expr.span);
  });
  return !isApart;
}
