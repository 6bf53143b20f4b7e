import type { FunctionFlow, OwnedTwice } from '../flow/result.js';
import type { FunctionIr } from '../model/ir.js';

/** What raises the count, or keeps the second owner from lowering it. */
const SETTLED = /\b(?:forget|ManuallyDrop|into_raw|increment_strong_count)\b/u;

/**
 * Rust: a count that `from_raw` makes of the address which `Rc::as_ptr` shows of a borrowed one (`Arc::from_raw(Arc::as_ptr(shared))`): nothing
 * has raised the count, and the new one lowers it. `text` is the source of the file.
 */
export function findLentCounts(text: string, fn: FunctionIr, flow: FunctionFlow): readonly OwnedTwice[] {
  if (fn.isUnsafe) return [];
  const found = flow.adoptions.filter(({ pointer: { how, target }, how: taker, through, isCopy }) => {
    const { root, path } = target;
    const isBorrowed =
      (root.kind === 'self' && fn.self?.mode !== 'value') || (root.kind === 'param' && root.type?.kind === 'reference');
    return (
      /(?:^|::)(?:Rc|Arc)::from_raw$/u.test(taker) &&
      /(?:^|::)(?:Rc|Arc)::as_ptr$/u.test(how) &&
      through === undefined &&
      isCopy !== true &&
      isBorrowed &&
      !path.includes('*') &&
      !flow.ownedTwice.some(({ adoption }) => adoption.pointer.target.root === root)
    );
  });
  if (found.length === 0 || SETTLED.test(text.slice(fn.span.start, fn.span.end))) return [];
  return found.map((adoption) => ({
    adoption,
    owner: adoption.pointer.target.root,
    end: adoption.span,
    isLent: true,
  }));
}
