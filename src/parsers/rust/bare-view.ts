import { CutMap, leftOver } from '../cut-map.js';
import type { OffsetMap } from '../tree.js';
import type { Outline } from './outline.js';
import { skipLexeme } from './tokens.js';

/** A bracket that is open, and the item of which it is part. */
interface Open {
  readonly code: number;
  readonly at: number;
  readonly item: number;
  /** Something that is wanted lies in it. */
  holds: boolean;
}

const CLOSING: Readonly<Record<number, number>> = { 41: 40, 93: 91, 125: 123 };

/**
 * The outline with nothing left in it but the functions whose bodies begin at `bodies` (offsets of their `{` in the whole text), with their
 * attributes, and the heads of the blocks that they stand in. Undefined where one of them is not found: in a macro, or where brackets do not match.
 */
export function bareOutline(outlined: Outline, bodies: ReadonlySet<number>): Outline | undefined {
  const { view, offsets } = outlined;
  const kept = keptParts(view, (at) => bodies.has(offsets ? offsets.start(at) : at));
  if (kept?.found !== bodies.size) return undefined;
  const starts: number[] = [];
  const ends: number[] = [];
  let from = 0;
  for (const [start, end] of kept.parts) {
    if (start > from) {
      starts.push(from);
      ends.push(start);
    }
    from = end;
  }
  if (from < view.length) {
    starts.push(from);
    ends.push(view.length);
  }
  const bare = new CutMap(starts, ends);
  return {
    ...outlined,
    view: leftOver(view, starts, ends),
    offsets: offsets ? new JoinedMap(bare, offsets) : bare,
  };
}

/** Offsets of a text that was shortened twice. */
class JoinedMap implements OffsetMap {
  constructor(
    private readonly last: OffsetMap,
    private readonly first: OffsetMap,
  ) {}

  start(offset: number): number {
    return this.first.start(this.last.start(offset));
  }

  end(offset: number): number {
    return this.first.end(this.last.end(offset));
  }
}

type Part = readonly [start: number, end: number];

/** The parts to keep, in order, and how many wanted bodies are in them. */
function keptParts(
  view: string,
  isWanted: (at: number) => boolean,
): { readonly parts: readonly Part[]; readonly found: number } | undefined {
  const parts: Part[] = [];
  const open: Open[] = [];
  let item = 0;
  let found = 0;
  /** How many brackets are open around the wanted body that is being read; -1 outside. */
  let inside = -1;
  for (let i = 0; i < view.length;) {
    const code = view.charCodeAt(i);
    switch (code) {
      case 34:
      case 39:
      case 47:
      case 98: // b
      case 99: // c
      case 114: {
        // r
        i = Math.max(skipLexeme(view, i), i + 1);
        continue;
      }
      case 59: // ;
        if (inside === -1 && open.at(-1)?.code !== 40 && open.at(-1)?.code !== 91) item = i + 1;
        break;
      case 40:
      case 91:
      case 123:
        open.push({ code, at: i, item, holds: false });
        if (code === 123 && isWanted(i)) {
          found++;
          if (inside === -1) inside = open.length;
        }
        if (inside === -1) item = i + 1;
        break;
      case 41:
      case 93:
      case 125: {
        const bracket = open.pop();
        if (bracket === undefined || bracket.code !== CLOSING[code]) return undefined;
        const isInBrackets = open.at(-1)?.code === 40 || open.at(-1)?.code === 91;
        if (inside === open.length + 1) {
          inside = -1;
          parts.push([bracket.item, i + 1]);
          for (const outer of open) outer.holds = true;
        } else if (inside === -1 && bracket.holds) parts.push([bracket.item, bracket.at + 1], [i, i + 1]);
        if (inside === -1) item = code === 125 && !isInBrackets ? i + 1 : bracket.item;
        break;
      }
    }
    i++;
  }
  return open.length === 0 ? { parts: parts.sort(([a], [b]) => a - b), found } : undefined;
}
