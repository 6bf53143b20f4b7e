import type { Place } from './place.js';
import { typeOfPlace } from './place-type.js';
import type { TypeOracle } from './types.js';
import type { Block, Expr, ExprOf } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** Whether a `Drop` of the unit, of the variable's type or of a field's on the way, releases what the pointer leads to. */
export function isReleasedByDrop(target: Place, oracle: TypeOracle, fromPath: string, depth: number): boolean {
  const star = target.path.indexOf('*');
  for (let at = 0; at < star; at++) {
    const holder = typeOfPlace({ root: target.root, path: target.path.slice(0, at) }, oracle, fromPath);
    if (holder?.kind !== 'path') continue;
    const drop = oracle.method(holder.name, 'drop', fromPath);
    if (drop?.fn.trait !== 'Drop') continue;
    const flow = oracle.summaryOf(drop.path, drop.fn, depth, true);
    if (!flow) continue;
    const field = target.path.slice(at, star + 1).join('.');
    const isIt = (place: Place): boolean => place.root.kind === 'self' && place.path.join('.') === field;
    // A wrapper that may or may not own what it points to: which one it is here, nobody can say.
    const always = ({ span }: { readonly span: Span }): boolean =>
      drop.fn.body === undefined || !dependsOnAnotherField(drop.fn.body, span, target.path[at] ?? '');
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
  const visit = (node: unknown): void => {
    if (depends || typeof node !== 'object' || node === null) return;
    if (Array.isArray(node)) {
      for (const item of node) visit(item);
      return;
    }
    if ('kind' in node && (node.kind === 'if' || node.kind === 'match') && 'span' in node) {
      // These two kinds are expressions only, whose parts are typed by them.
      const choice = node as ExprOf<'if'> | ExprOf<'match'>;
      const decides = mentionsAnotherField(choice.kind === 'if' ? choice.condition : choice.scrutinee, field);
      const isLeft = choice.kind === 'if' && choice.span.end <= span.start && leaves(choice.then);
      if (decides && (contains(choice.span) || isLeft)) {
        depends = true;
        return;
      }
    }
    for (const [key, value] of Object.entries(node)) if (key !== 'span' && key !== 'type') visit(value);
  };
  visit(body);
  return depends;
}

/** Whether an expression reads a field of `self` other than `field`. */
function mentionsAnotherField(node: unknown, field: string): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if ('kind' in node && node.kind === 'field') {
    // Only expressions have this kind.
    const { base, name } = node as ExprOf<'field'>;
    if (base.kind === 'name' && base.path[0] === 'self') return name !== field;
  }
  return Object.entries(node).some(
    ([key, part]) => key !== 'span' && key !== 'type' && mentionsAnotherField(part, field),
  );
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
