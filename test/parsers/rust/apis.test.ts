import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ApiIndex } from '../../../src/flow/api-index.js';
import type { Expr, FunctionIr, TypeRef } from '../../../src/model/ir.js';
import { findLineStarts, positionAt } from '../../../src/model/source.js';
import { rustApis } from '../../../src/parsers/rust/apis.js';
import { rustPack } from '../../../src/parsers/rust/pack.js';

const text = readFileSync(new URL('../../../fixtures/facts/rust/apis.rs', import.meta.url), 'utf8');
const lineStarts = findLineStarts(text);

/** Row ids that the call at the top of each statement is found under, by line. */
function findRows(): Map<number, string[]> {
  const index = new ApiIndex(rustApis);
  const rows = new Map<number, string[]>();
  const file = rustPack.lower({ path: 'apis.rs', text });
  const typeOf = (fn: FunctionIr, expr: Expr): TypeRef | undefined =>
    expr.kind === 'name' ? fn.params.find((param) => param.name === expr.path[0])?.type : undefined;
  for (const fn of file.functions) {
    for (const statement of fn.body?.statements ?? []) {
      if (statement.kind !== 'expression') continue;
      const { expr } = statement;
      const matches =
        expr.kind === 'method'
          ? index.method(expr.method, typeOf(fn, expr.receiver))
          : expr.kind === 'call' && expr.callee.kind === 'name'
            ? index.path(expr.callee.path, expr.args.length)
            : expr.kind === 'macro'
              ? index.macro(expr.name)
              : expr.kind === 'assign'
                ? index.assign(expr.operator, typeOf(fn, expr.target))
                : [];
      const line = positionAt(lineStarts, statement.span.start).line;
      rows.set(
        line,
        matches.map((match) => match.row.id),
      );
    }
  }
  return rows;
}

/** Row ids that the comments of the fixture name, by line. */
function findNamed(): Map<number, string> {
  const named = new Map<number, string>();
  text.split('\n').forEach((line, i) => {
    const id = /\/\/ api: (\S+)$/.exec(line)?.[1];
    if (id !== undefined) named.set(i + 1, id);
  });
  return named;
}

beforeAll(() => rustPack.load());

describe('the table of Rust calls', () => {
  it('has ids that are unique kebab-case words', () => {
    const ids = rustApis.map((row) => row.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  it('has one line of the fixture for each row, and no line for none', () => {
    expect([...findNamed().values()].sort()).toEqual(rustApis.map((row) => row.id).sort());
  });

  it('finds each row at the line that names it', () => {
    const rows = findRows();
    const missed: string[] = [];
    for (const [line, id] of findNamed())
      if (rows.get(line)?.includes(id) !== true)
        missed.push(`${String(line)}: ${id} (found ${rows.get(line)?.join(', ') ?? 'nothing'})`);
    expect(missed).toEqual([]);
  });

  it('does something in each row', () => {
    for (const row of rustApis) expect(row.effects.length, row.id).toBeGreaterThan(0);
  });
});
