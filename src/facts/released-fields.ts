import type { FunctionFlow, Invalidation } from '../flow/result.js';
import { originOf, type Place } from '../flow/place.js';
import type { Block } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A field of `self` whose memory a function gives back. */
export interface FieldRelease {
  readonly field: string;
  readonly span: Span;
  readonly how: string;
}

/** Rust: fields whose content a pattern or a variable copied before it was released: `if let Some(handle) = self.handle { .. }`. */
export function releasesOfCopies(flow: FunctionFlow): readonly FieldRelease[] {
  return releasesOfLocals(flow).flatMap(({ place, span, how }) => {
    const { root, path } = originOf(place);
    return root.kind === 'self' && path.length === 2 ? [{ field: path[0] ?? '', span, how }] : [];
  });
}

/** Rust: fields that are options, and whose content a function with this body takes out and releases. `text` is the file's source. */
export function releasesOfTaken(text: string, body: Block, flow: FunctionFlow): readonly FieldRelease[] {
  const released = releasesOfLocals(flow);
  if (released.length === 0) return [];
  return [...text.slice(body.span.start, body.span.end).matchAll(TAKES)].flatMap(
    ({ 0: taken, 1: matched, 2: bound, index }) => {
      const start = body.span.start + index;
      return released
        .filter(({ place: { root } }) => root.span.start >= start && root.span.end <= start + taken.length)
        .map(({ span, how }) => ({ field: matched ?? bound ?? '', span, how }));
    },
  );
}

/** What local variables lead to and is released or taken over, by the function that does it. */
function releasesOfLocals(
  flow: FunctionFlow,
): readonly { readonly place: Place; readonly span: Span; readonly how: string }[] {
  const adopted = flow.adoptions.map(({ pointer, span, how }) => ({ place: pointer.target, span, how }));
  const isReleased = ({ kind, isRenewed, row }: Invalidation): boolean =>
    kind === 'release' && isRenewed !== true && row !== undefined;
  return [...adopted, ...flow.invalidations.filter(isReleased)].filter(
    ({ place: { root, path } }) => root.kind === 'local' && path.join('.') === '*',
  );
}

/** `match self.handle.take() { Some(handle)`, `let Some(handle) = self.handle.take()` */
const TAKES =
  /\bmatch\s+self\s*\.\s*(\w+)\s*\.\s*take\s*\(\s*\)\s*\{\s*Some\s*\([^)]*\)|\blet\s+(?:Some\s*\(\s*)?(?:mut\s+)?\w+\s*\)?\s*=\s*self\s*\.\s*(\w+)\s*\.\s*take\s*\(\s*\)/gu;
