import type { ApiRow } from './api.js';
import type { TypeRef } from '../model/ir.js';
import { peel, unwrapped } from './types.js';

export interface Match {
  readonly row: ApiRow;
  /** True when the receiver's type is not known and the row wanted one. */
  readonly weak: boolean;
}

/** `BIO_meth_set_destroy`, `is_free`: the function is told who destroys, or says something about it. */
const TELLS = /(?:^|_)(?:set|get|is|has|can|should|needs|on)_[a-z]+$/u;

/** Rows of one language, found by what a call looks like. */
export class ApiIndex {
  private readonly methods = new Map<string, ApiRow[]>();
  private readonly paths = new Map<string, { row: ApiRow; segments: string[] }[]>();
  private readonly macros = new Map<string, ApiRow[]>();
  private readonly assigns = new Map<string, ApiRow[]>();
  private readonly suffixes: { row: ApiRow; suffix: string; mostArguments: number }[] = [];

  constructor(rows: readonly ApiRow[]) {
    const put = <T>(map: Map<string, T[]>, key: string, item: T): void => {
      const list = map.get(key);
      if (list) list.push(item);
      else map.set(key, [item]);
    };
    for (const row of rows) {
      const { match } = row;
      if ('method' in match) put(this.methods, match.method, row);
      else if ('path' in match) {
        const segments = match.path.split(/::|\./);
        put(this.paths, segments.at(-1) ?? '', { row, segments });
      } else if ('macro' in match) put(this.macros, match.macro.replace(/!$/, ''), row);
      else if ('assign' in match) put(this.assigns, match.assign, row);
      else this.suffixes.push({ row, mostArguments: Infinity, ...match });
    }
  }

  /** Rows for `receiver.name(..)`; `type` is the receiver's, as far as it is known. */
  method(name: string, type: TypeRef | undefined): Match[] {
    return this.select(this.methods.get(name), type);
  }

  /**
   * Rows whose path is the end of `path`; a row of one segment matches a path of any length only by its last one. `count` is the
   * number of arguments, of which rows by suffix bear only so many, and some others a certain one.
   */
  path(path: readonly string[], count = 1): Match[] {
    const last = path.at(-1) ?? '';
    const found: Match[] = [];
    let longest = 0;
    for (const { row, segments } of this.paths.get(last) ?? []) {
      if (segments.length > path.length) continue;
      if (row.argumentCount !== undefined && row.argumentCount !== count) continue;
      if (!segments.every((s, i) => s === path[path.length - segments.length + i])) continue;
      if (segments.length === 1 && path.length > 1 && /^[A-Z]/.test(path[path.length - 2] ?? '')) continue;
      if (segments.length > longest) {
        longest = segments.length;
        found.length = 0;
      }
      if (segments.length === longest) found.push({ row, weak: false });
    }
    if (found.length === 0) {
      for (const { row, suffix, mostArguments } of this.suffixes)
        if (
          last.length > suffix.length &&
          last.endsWith(suffix) &&
          count <= mostArguments &&
          !(releases(row) && TELLS.test(last))
        )
          found.push({ row, weak: true });
    }
    return found;
  }

  macro(name: string): Match[] {
    return (this.macros.get(name) ?? []).map((row) => ({ row, weak: false }));
  }

  /** Rows for `x op= v` (`~=`) or `x.prop = v` (`.length=`). */
  assign(operator: string, type: TypeRef | undefined): Match[] {
    return this.select(this.assigns.get(operator), type);
  }

  private select(rows: readonly ApiRow[] | undefined, type: TypeRef | undefined): Match[] {
    if (!rows) return [];
    const heads = headsOf(type);
    const found: Match[] = [];
    for (const row of rows) {
      const wanted = row.receiver;
      if (!wanted || wanted.length === 0) found.push({ row, weak: false });
      else if (heads.length > 0) {
        if (heads.some((head) => wanted.includes(head))) found.push({ row, weak: false });
      } else {
        const policy = row.whenUnknown ?? 'weak';
        if (policy !== 'skip') found.push({ row, weak: policy === 'weak' });
      }
    }
    // A row that names the receiver's type says more than one for any type.
    const specific = found.filter((m) => (m.row.receiver?.length ?? 0) > 0 && !m.weak);
    return specific.length > 0 ? specific : found;
  }
}

/** Names that `receiver` lists of rows may use for a type: its own head, that behind references, `[]`, `*`, `[T]`, `str`. */
function headsOf(type: TypeRef | undefined): string[] {
  if (!type || type.kind === 'unknown') return [];
  const heads: string[] = [];
  const add = (t: TypeRef | undefined): void => {
    if (!t) return;
    if (t.kind === 'path' && t.name) heads.push(t.name);
    else if (t.kind === 'slice') heads.push('[]', 'slice');
    else if (t.kind === 'static-array') heads.push('[N]', 'array');
    else if (t.kind === 'assoc-array') heads.push('[K]', 'assoc');
    else if (t.kind === 'pointer') heads.push('*', 'pointer');
    else if (t.kind === 'delegate' || t.kind === 'function') heads.push('delegate');
  };
  add(type);
  const inner = peel(type);
  if (inner && inner !== type) add(inner);
  const bare = unwrapped(inner);
  if (bare && bare !== inner && heads.length === 0) add(bare);
  return heads;
}

function releases({ effects }: ApiRow): boolean {
  return effects.some((effect) => effect.kind === 'release');
}
