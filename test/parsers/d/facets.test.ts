import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ApiRow } from '../../../src/flow/api.js';
import type { Expr, FileIr } from '../../../src/model/ir.js';
import { findLineStarts, positionAt } from '../../../src/model/source.js';
import { dPack } from '../../../src/parsers/d/pack.js';
import { outline } from './outline.js';
import { expressionsOf, findBreaches } from './visit.js';

const folder = fileURLToPath(new URL('../../../fixtures/facts/d', import.meta.url));
const fixtures = readdirSync(folder)
  .filter((name) => name.endsWith('.d'))
  .sort();
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const lower = (name: string): FileIr => dPack.lower({ path: name, text: read(name) });

beforeAll(() => dPack.load());

describe('facets of the D pack', () => {
  it('are the fixtures, both ways', () => {
    expect([...dPack.facets].sort()).toEqual(fixtures.map((name) => basename(name, '.d')));
  });

  it.each(fixtures)('%s is lowered as recorded', async (name) => {
    await expect(outline(lower(name))).toMatchFileSnapshot(join(folder, name.replace(/\.d$/, '.outline')));
  });

  it.each(fixtures)('%s keeps spans inside spans and names where they are', (name) => {
    expect(findBreaches(lower(name), read(name))).toEqual([]);
  });

  it.each(fixtures.filter((name) => name !== 'parse-errors.d'))('%s parses without an error', (name) => {
    expect(lower(name).gaps.filter((gap) => gap.kind === 'parse-error')).toEqual([]);
  });

  it('has a recorded outline for every fixture and no other', () => {
    const recorded = readdirSync(folder).filter((name) => name.endsWith('.outline'));
    expect(recorded.sort()).toEqual(fixtures.map((name) => name.replace(/\.d$/, '.outline')));
  });
});

/** Marks `//~ row-id [row-id …]` of a fixture, with the 1-based line they stand on. */
function readMarks(text: string): { line: number; id: string }[] {
  return text.split('\n').flatMap((source, index) => {
    const mark = /\/\/~ (.*)$/.exec(source);
    return mark === null
      ? []
      : (mark[1] ?? '')
          .trim()
          .split(/\s+/)
          .map((id) => ({ line: index + 1, id }));
  });
}

/** The dotted name an expression is, if it is one. */
function dotted(expr: Expr): string[] {
  if (expr.kind === 'name') return [...expr.path];
  if (expr.kind === 'field') return [...dotted(expr.base), expr.name];
  return [];
}

function matches(row: ApiRow, expr: Expr): boolean {
  const { match } = row;
  if ('method' in match) {
    return (
      (expr.kind === 'method' && expr.method === match.method) || (expr.kind === 'field' && expr.name === match.method)
    );
  }
  if ('assign' in match) {
    if (expr.kind !== 'assign') return false;
    if (!match.assign.startsWith('.')) return expr.operator === match.assign;
    return expr.target.kind === 'field' && `.${expr.target.name}=` === match.assign;
  }
  if ('suffix' in match) return expr.kind === 'call' && (dotted(expr.callee).at(-1) ?? '').endsWith(match.suffix);
  if (!('path' in match)) return false;
  const wanted = match.path.split('.');
  const path =
    expr.kind === 'call'
      ? dotted(expr.callee)
      : expr.kind === 'method'
        ? [...dotted(expr.receiver), expr.method]
        : expr.kind === 'new'
          ? expr.type.path
          : [];
  return path.length >= wanted.length && wanted.every((part, at) => part === path[path.length - wanted.length + at]);
}

describe('rows of the API table', () => {
  const marks = fixtures.flatMap((name) => readMarks(read(name)).map((mark) => ({ ...mark, name })));
  const rows = new Map(dPack.apis.map((row) => [row.id, row]));

  it('have ids of their own', () => {
    expect(rows.size).toBe(dPack.apis.length);
    for (const id of rows.keys()) expect(id).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  });

  it('are all named by a mark, and every mark names a row', () => {
    expect([...new Set(marks.map((mark) => mark.id))].sort()).toEqual([...rows.keys()].sort());
  });

  it('match what stands on the line of their mark', () => {
    const missed = marks.filter(({ name, line, id }) => {
      const text = read(name);
      const lines = findLineStarts(text);
      const row = rows.get(id);
      return !expressionsOf(lower(name)).some(
        (expr) => positionAt(lines, expr.span.start).line === line && row !== undefined && matches(row, expr),
      );
    });
    expect(missed).toEqual([]);
  });
});
