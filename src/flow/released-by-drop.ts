import type { Place } from './place.js';
import { typeOfPlace } from './place-type.js';
import type { TypeOracle } from './types.js';
import type { Block, Expr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody, walkExpression } from '../model/walk-body.js';

/**
 * Whether a `Drop` of the unit, of the type at `from` segments of the path or of a field's on the way, releases what the pointer
 * leads to.
 */
export function isReleasedByDrop(
  target: Place,
  oracle: TypeOracle,
  fromPath: string,
  depth: number,
  from = 0,
): boolean {
  const star = target.path.indexOf('*', from);
  for (let at = from; at < star; at++) {
    const holder = typeOfPlace({ root: target.root, path: target.path.slice(0, at) }, oracle, fromPath);
    if (holder?.kind !== 'path') continue;
    const drop = oracle.method(holder.name, 'drop', fromPath);
    if (drop?.fn.trait !== 'Drop') continue;
    const flow = oracle.summaryOf(drop.path, drop.fn, depth, true);
    if (!flow) continue;
    const field = target.path.slice(at, star + 1).join('.');
    const isIt = (place: Place): boolean => place.root.kind === 'self' && place.path.join('.') === field;
    const body = oracle.bodyOf(drop.path, drop.fn);
    // A wrapper that may or may not own what it points to: which one it is here, nobody can say.
    const always = ({ span }: { readonly span: Span }): boolean =>
      body === undefined || !dependsOnAnotherField(body, span, target.path[at] ?? '');
    // Whatever function a destructor hands the pointer to, it is the one that ends what is behind it.
    const given = flow.calls.filter((c) => !c.method && c.args.some((a) => a.pointers.some((p) => isIt(p.target))));
    if ([...[...flow.summary.releases, ...flow.summary.adopts].filter((r) => isIt(r.place)), ...given].some(always))
      return true;
  }
  return false;
}

/** Whether code at `span` runs only when a field of `self` other than `field` says so (`if self.owned { .. }`). */
export function dependsOnAnotherField(body: Block, span: Span, field: string): boolean {
  const contains = (outer: Span): boolean => outer.start <= span.start && span.end <= outer.end;
  let depends = false;
  walkBody(body, ({ expr }) => {
    if (depends || (expr.kind !== 'if' && expr.kind !== 'match')) return;
    const isLeft = expr.kind === 'if' && expr.span.end <= span.start && leaves(expr.then);
    if (!isLeft && !contains(expr.span)) return;
    depends = readsAnotherField(expr.kind === 'if' ? expr.condition : expr.scrutinee, field);
  });
  return depends;
}

/** Whether an expression reads a field of `self` other than `field`. */
function readsAnotherField(condition: Expr, field: string): boolean {
  let reads = false;
  walkExpression(condition, ({ expr }) => {
    reads ||= expr.kind === 'field' && expr.base.kind === 'name' && expr.base.path[0] === 'self' && expr.name !== field;
  });
  return reads;
}

/** Whether a branch ends by leaving the function. */
function leaves(expr: Expr): boolean {
  if (expr.kind === 'return') return true;
  if (expr.kind !== 'block') return false;
  const last = expr.block.statements.at(-1);
  return (
    (expr.block.result !== undefined && leaves(expr.block.result)) || (last?.kind === 'expression' && leaves(last.expr))
  );
}

/**
 * D: whether a destructor of a struct on the way to the target releases what a pointer field of the struct leads to. Not one that
 * counts, nor one of a struct that is copied by code of its own.
 */
export function isReleasedByDestructor(target: Place, oracle: TypeOracle, fromPath: string, depth: number): boolean {
  const star = target.path.indexOf('*');
  for (let at = 0; at < star; at++) {
    const holder = typeOfPlace({ root: target.root, path: target.path.slice(0, at) }, oracle, fromPath);
    if (holder?.kind !== 'path' || oracle.declaration(holder.name, fromPath)?.kind !== 'struct') continue;
    const drop = oracle.method(holder.name, '~this', fromPath);
    if (drop === undefined || isCopiedByCode(holder.name, oracle, fromPath)) continue;
    const flow = oracle.summaryOf(drop.path, drop.fn, depth, true);
    const field = target.path.slice(at, star + 1).join('.');
    const isIt = ({ root, path }: Place): boolean => root.kind === 'self' && path.join('.') === field;
    const name = target.path[at] ?? '';
    if (
      flow?.summary.releases.some(
        (r) => r.renewed !== true && isIt(r.place) && !isDecided(oracle.bodyOf(drop.path, drop.fn), r.span, name),
      )
    )
      return true;
  }
  return false;
}

/** D: a postblit or a copy constructor that is not disabled: copies may share what the destructor gives back. */
function isCopiedByCode(name: string, oracle: TypeOracle, fromPath: string): boolean {
  return oracle
    .methods(name, 'this', fromPath)
    .some(
      ({ fn }) =>
        !fn.attributes.some((a) => a.name === 'disable') &&
        (fn.kind === 'postblit' ||
          (fn.params.length === 1 && fn.params[0]?.modifiers.includes('ref') && fn.params[0].type?.name === name)),
    );
}

/** Whether something else than the field itself decides that the code at `span` runs. */
function isDecided(body: Block | undefined, span: Span, field: string): boolean {
  if (body === undefined) return false;
  let isIt = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'if') return;
    const isAround = expr.span.start <= span.start && span.end <= expr.span.end;
    if (!isAround && !(expr.span.end <= span.start && leaves(expr.then))) return;
    walkExpression(expr.condition, ({ expr: one }) => {
      const named = one.kind === 'name' ? one.path.join('.') : one.kind === 'field' ? one.name : undefined;
      isIt ||= named !== undefined && named !== field && named !== 'self';
      isIt ||= one.kind === 'call' || one.kind === 'method' || one.kind === 'assign';
    });
  });
  return isIt;
}
